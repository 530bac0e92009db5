"""Several accounts in one run: whose settings a hook gets, what fails alone, what two of them list."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from ogf.config import Account, Config, OptionalText, ProviderSettings, Settings
from ogf.errors import ErrorClass, WarehouseBusy
from ogf.hookspecs import Problem, hookimpl
from ogf.runner.lock import run_lock
from ogf.runner.run import Options, ProviderRun
from ogf.testing.provider import FakeCloud, refused
from ogf.window import Month

JANUARY = Month(2026, 1)


class Tenant(ProviderSettings):
    tenant: OptionalText = None
    off: bool = False

    def missing(self, stream):
        return [f"ingestion.fake.{stream}"] if self.off else []


@dataclass
class Clouds(FakeCloud):
    """A cloud in which each tenant sees the keys that begin with its name, or all of them if it is told so."""

    settings: type[ProviderSettings] = Tenant
    sees: dict[str, list[str]] = field(default_factory=dict)
    asked_as: list[tuple[str, str]] = field(default_factory=list)
    listing_fails: set[str] = field(default_factory=set)
    fetching_fails: set[str] = field(default_factory=set)
    sources: dict[tuple[str, str], str] = field(default_factory=dict)
    problems: dict[tuple[str, str], Problem] = field(default_factory=dict)

    @hookimpl
    def partitions(self, ctx, stream, window):
        tenant = ctx.settings.tenant
        if tenant in self.listing_fails:
            raise refused(ErrorClass.AUTH, "no listing", "grant it")
        listed = FakeCloud.partitions(self, ctx, stream, window)
        return [
            replace(
                item,
                source=self.sources.get((tenant, item.key), item.source),
                problem=self.problems.get((tenant, item.key)),
            )
            for item in listed
            if item.key in self.sees.get(tenant, []) or item.key.startswith(f"{tenant}/")
        ]

    @hookimpl
    def fetch(self, ctx, request):
        self.asked_as.append((ctx.settings.tenant, request.params["key"]))
        if ctx.settings.tenant in self.fetching_fails:
            raise refused(ErrorClass.AUTH, "no reading", "grant it")
        return FakeCloud.fetch(self, request)

    def run_as(self, db, *tenants, options=None, **settings):
        accounts = tuple(Account(f"of {name}", Tenant(tenant=name, **settings)) for name in tenants)
        general = Settings.model_validate({"warehouse": {"path": db}, "runner": {"workers": 2}})
        config = Config(
            settings=general, providers={self.name: accounts[0].settings}, accounts={self.name: accounts}
        )
        return ProviderRun(self.plugin(), config, clock=self.clock)


@pytest.fixture
def clouds():
    cloud = Clouds()
    for tenant in ("a", "b"):
        for number in (1, 2):
            cloud.put(
                f"{tenant}/{number}",
                [[{"service": f"{tenant}{number}"}]],
                version="1",
                month=Month(2026, number),
            )
    return cloud


def outcomes(result):
    return {(item.account, item.key): item.outcome for item in result.partitions}


def test_each_account_is_asked_with_its_own_settings(clouds, db, ask):
    result = clouds.run_as(db, "a", "b").run(Options())
    assert result.status == "succeeded"
    assert sorted(clouds.asked_as) == [("a", "a/1"), ("a", "a/2"), ("b", "b/1"), ("b", "b/2")]
    assert ask("SELECT service FROM activities ORDER BY ALL") == [("a1",), ("a2",), ("b1",), ("b2",)]
    assert outcomes(result)["of b", "b/2"] == "loaded"


def test_one_run_one_connector_one_limiter(clouds, db, ask):
    run = clouds.run_as(db, "a", "b", rate_limit_capacity=1, rate_limit_per_sec=1)
    run.run(Options())
    assert ask("SELECT count(*) FROM runs") == [(1,)]
    assert ask("SELECT provider, status FROM connectors") == [("fake", "connected")]
    # Two listings and four pages, one token at the start.
    assert sum(clouds.clock.waits) == pytest.approx(5, abs=0.01)
    with run_lock(run.spool.lock_file, what="another"), pytest.raises(WarehouseBusy):
        clouds.run_as(db, "b").run(Options())


def test_an_account_that_cannot_be_listed_fails_alone_and_loses_nothing(clouds, db, ask):
    clouds.run_as(db, "a", "b").run(Options())
    clouds.listing_fails = {"a"}
    clouds.put("b/3", [[{"service": "b3"}]], version="1")
    result = clouds.run_as(db, "a", "b").run(Options())
    assert result.status == "partial"
    assert outcomes(result) == {
        ("of a", ""): "failed", ("of b", "b/1"): "unchanged", ("of b", "b/2"): "unchanged", ("of b", "b/3"): "loaded",
    }  # fmt: skip
    assert result.notices == []  # what is out of sight has not vanished
    assert ask("SELECT count(*) FROM activities") == [(5,)]
    assert ask("SELECT bool_and(listed) FROM partitions") == [(True,)]


def test_an_account_that_may_not_read_does_not_stop_the_other(clouds, db):
    clouds.fetching_fails = {"a"}
    result = clouds.run_as(db, "a", "b").run(Options())
    assert result.status == "partial"
    assert {outcome for (account, _), outcome in outcomes(result).items() if account == "of a"} == {"failed"}
    assert {outcome for (account, _), outcome in outcomes(result).items() if account == "of b"} == {"loaded"}


def test_what_two_accounts_see_is_read_once_and_told(clouds, db, ask):
    clouds.sees = {"b": ["a/1", "a/2"]}
    result = clouds.run_as(db, "a", "b").run(Options())
    assert sorted(clouds.asked_as) == [("a", "a/1"), ("a", "a/2"), ("b", "b/1"), ("b", "b/2")]
    assert result.notices == ["the accounts of a and of b list 2 of the same partitions: of a reads them"]
    assert ask("SELECT count(*) FROM activities") == [(4,)]


def test_whoever_can_read_it_reads_it(clouds, db):
    clouds.sees = {"b": ["a/1"]}
    clouds.problems = {("a", "a/1"): Problem(ErrorClass.BAD_REQUEST, "another payer's")}
    result = clouds.run_as(db, "a", "b").run(Options())
    assert result.status == "succeeded"
    assert outcomes(result)["of b", "a/1"] == "loaded"


def test_equal_keys_of_different_places_are_not_read(clouds, db, ask):
    clouds.sees = {"b": ["a/1"]}
    clouds.sources = {("b", "a/1"): "elsewhere://a/1"}
    result = clouds.run_as(db, "a", "b").run(Options())
    (failed,) = (item for item in result.partitions if item.outcome == "failed")
    assert failed.key == "a/1"
    assert "of b in elsewhere://a/1" in failed.message
    assert ask("SELECT service FROM activities ORDER BY ALL") == [("a2",), ("b1",), ("b2",)]


def test_an_account_without_a_stream_is_passed_over(clouds, db):
    run = clouds.run_as(db, "a", "b")
    first, second = run.accounts
    run.accounts = (first, replace(second, settings=second.settings.model_copy(update={"off": True})))
    assert {account for account, _ in outcomes(run.run(Options()))} == {"of a"}


def test_an_account_taken_out_of_the_list_keeps_its_rows(clouds, db, ask):
    clouds.run_as(db, "a", "b").run(Options())
    result = clouds.run_as(db, "a").run(Options())
    assert result.status == "succeeded"
    assert len(result.notices) == 2
    assert ask("SELECT count(*) FROM activities") == [(4,)]


def test_moving_the_section_into_a_list_loads_nothing_again(clouds, db):
    clouds.run_as(db, "a").run(Options())
    clouds.asked_as.clear()
    result = clouds.run_as(db, "a", "b").run(Options())
    assert {key for _, key in clouds.asked_as} == {"b/1", "b/2"}
    assert result.count("unchanged") == 2


def test_a_plan_names_the_accounts(clouds, db):
    planned = clouds.run_as(db, "a", "b").plan(Options())
    assert {(item.account, item.partition.key) for item in planned} == {
        ("of a", "a/1"), ("of a", "a/2"), ("of b", "b/1"), ("of b", "b/2"),
    }  # fmt: skip


def test_a_source_that_changes_is_planned_again_with_the_same_account(clouds, db):
    clouds.confirmations = [False]
    assert clouds.run_as(db, "b").run(Options()).status == "succeeded"
    assert {tenant for tenant, _ in clouds.asked_as} == {"b"}
