"""B110: `kill -9` anywhere, any number of times, then one run: the table of one clean run.

`make test-faults` kills real processes at 200 points and more; a short version runs with the other tests.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from faults.killing import DOWNLOADS, EAGER, LAZY, Campaign, Source, failpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from faults.killing import Victim
    from faults.stalling import Stall

AT_ONCE = 2
LEAST_KILLS = 200
RANDOM_KILLS = 70
PHASES = ("page", "segment", "append", "publish", "finish", "prune")  # of a run, in order


def in_parallel(tasks: Iterable[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for future in [pool.submit(task) for task in tasks]:
            future.result()


def test_short(local: Source) -> None:
    """Every failpoint once, three in a row, an early one first."""
    campaign = Campaign(local, seed=1)
    names = sorted(failpoints(), key=lambda name: (PHASES.index(name.partition(".")[0]), name))

    def kill(*points: str) -> None:
        victim = campaign.victim(restated=True, program=EAGER)
        for point in points:
            assert victim.die_at(point), f"{point} was not reached after {victim.kills}"
        campaign.finish(victim)

    rows = [names[start::4] for start in range(4)]
    in_parallel([lambda row=row: kill(*row) for row in rows])
    assert {point.split()[-1] for point in campaign.points} == set(names)


def kill_in_download(victim: Victim, stall: Stall, nth: int) -> None:
    """Kill a run while the nth of its downloads has half arrived."""
    stall.at(nth)
    process = victim.start()
    assert stall.reached.wait(60), process.communicate()
    victim.killed(process, f"download:{nth}")
    stall.go.set()


@pytest.mark.parametrize("nth", [2, 5])
def test_finished_segments_are_never_fetched_again(remote: Source, stall: Stall, nth: int) -> None:
    campaign = Campaign(remote, seed=nth)
    victim = campaign.victim(restated=False, program=EAGER)
    kill_in_download(victim, stall, nth)
    kept = len(victim.segments())
    assert kept >= nth - 2  # one download stalled, the other worker may have been at work too
    stall.at(0)
    campaign.finish(victim)
    assert len(set(stall.downloads)) == len(stall.downloads) == DOWNLOADS - kept


def test_a_published_partition_is_not_fetched_again(remote: Source, stall: Stall) -> None:
    campaign = Campaign(remote, seed=3)
    victim = campaign.victim(restated=False)
    stall.at(0)
    assert victim.die_at("publish.after:2")
    before = set(stall.downloads)
    kept = len(victim.segments())
    stall.at(0)
    campaign.finish(victim)
    assert len(before) <= DOWNLOADS
    assert len(set(stall.downloads)) == len(stall.downloads) <= DOWNLOADS - kept


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_mid_download(remote: Source, stall: Stall) -> None:
    """Every download killed half way, alone and after another kill."""
    for nth in range(1, DOWNLOADS + 1):
        campaign = Campaign(remote, seed=nth)
        victim = campaign.victim(restated=False, program=(EAGER, LAZY)[nth % 2])
        kill_in_download(victim, stall, nth)
        stall.at(0)
        if nth % 3 == 0:
            victim.die_after(campaign.share())
        campaign.finish(victim)


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_full(local: Source, capsys: pytest.CaptureFixture[str]) -> None:
    """Every failpoint at each of its passings, then random moments, one to three kills in a row."""
    campaign = Campaign(local, seed=2)

    def at_each_passing(name: str, *, restated: bool, program: tuple[str, ...]) -> None:
        for nth in range(1, 100):
            victim = campaign.victim(restated=restated, program=program)
            reached = victim.die_at(f"{name}:{nth}")
            while reached and campaign.share() < 0.25 and len(victim.kills) < 3:
                victim.die_after(campaign.share())
            campaign.finish(victim)
            if not reached:
                assert nth > 1 or (name == "prune.inside" and not restated), f"{name} is never passed"
                return

    def at_random_moments(kills: int, *, restated: bool, program: tuple[str, ...]) -> None:
        victim = campaign.victim(restated=restated, program=program)
        for _ in range(kills):
            victim.die_after(campaign.share())
        campaign.finish(victim)

    ways = (
        {"restated": True, "program": LAZY},
        {"restated": True, "program": EAGER},
        {"restated": False, "program": EAGER},
    )
    in_parallel(
        [lambda name=name, way=way: at_each_passing(name, **way) for name in failpoints() for way in ways]
        + [
            lambda number=number: at_random_moments(1 + number % 3, **ways[number % 7 % 3])
            for number in range(RANDOM_KILLS // 2)
        ]
    )
    with capsys.disabled():
        print(
            f"\n{len(campaign.points)} kills at {len(set(campaign.points))} points: {_summary(campaign.points)}"
        )
    assert len(set(campaign.points)) >= LEAST_KILLS


def _summary(points: list[str]) -> str:
    places = [
        point.split()[2] for point in points
    ]  # "restated eager segment.renamed:3", "first eager 41.27% of a run"
    names = ["random moments" if place.endswith("%") else place.partition(":")[0] for place in places]
    return ", ".join(f"{name} {names.count(name)}" for name in sorted(set(names)))
