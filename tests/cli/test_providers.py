"""Several providers on one command line: a second and third distribution, installed beside the real one."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import duckdb
import pytest

from ogf import plugins

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Place

PLUGIN = '''
"""A cloud with one partition of one row."""
from ogf.config import ProviderSettings
from ogf.errors import ErrorClass, SourceError
from ogf.hookspecs import Page, Partition, Provider, Request, Stream, hookimpl

class Settings(ProviderSettings):
    denied: bool = False

@hookimpl
def provider():
    return Provider(name="{name}", settings=Settings, streams=(Stream("carbon"),))

@hookimpl
def partitions(ctx, stream, window):
    return [Partition(stream=stream, key="all", version="1", requests=(Request("one"),))]

@hookimpl
def fetch(ctx, request):
    if ctx.settings.denied:
        raise SourceError("the caller may not read", error_class=ErrorClass.AUTH, hint="grant the role Carbon Reader")
    return Page([1])

@hookimpl
def to_activities(ctx, request, page):
    return ctx.duckdb.sql("SELECT 'Compute' AS service, 1.5 AS quantity, 'kg' AS unit")
'''


@pytest.fixture
def install(place: Place, tmp_path: Path):
    """Install a distribution into a folder on PYTHONPATH."""
    folder = tmp_path / "site"
    folder.mkdir()
    place.env["PYTHONPATH"] = str(folder)

    def make(name: str, code: str | None = None, distribution: str = "") -> None:
        distribution = distribution or f"ogf-{name}"
        module = distribution.replace("-", "_")
        (folder / f"{module}.py").write_text(PLUGIN.replace("{name}", name) if code is None else code)
        info = folder / f"{module}-2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 2.0\n")
        (info / "entry_points.txt").write_text(f"[ogf.providers]\n{name} = {module}\n")

    return make


def enable(place: Place, **providers: str) -> None:
    sections = {"aws": "cur: {location: exports}"} | providers
    inner = ", ".join(f"{name}: {{enabled: true, {fields}}}" for name, fields in sections.items())
    place.configure(f"ingestion: {{{inner}}}\n")


def rows(place: Place) -> dict[str, int]:
    with duckdb.connect(str(place.db), read_only=True) as connection:
        return dict(connection.execute("SELECT provider, count(*) FROM activities GROUP BY ALL").fetchall())


def test_b80_three_providers_in_one_run_each_with_its_organisation(empty: Place) -> None:
    """Each provider's own sample exports; what each delivers alone is what it has beside the others."""
    sections = {}
    for name in ("aws", "azure", "gcp"):
        demo = plugins.load(name).provider.demo
        assert demo is not None
        sections[name] = {"enabled": True, "org_id": f"org-{name}", **demo(empty.folder / "exports" / name)}
    empty.configure(json.dumps({"ingestion": sections}))
    asked = "SELECT provider, org_id, count(*), sum(cost), sum(emissions_kgco2e) FROM {} GROUP BY ALL ORDER BY ALL"
    alone = []
    for name in sections:
        empty("run", "--provider", name, "--db", f"{name}.duckdb")
        with duckdb.connect(str(empty.folder / f"{name}.duckdb"), read_only=True) as connection:
            alone += connection.execute(asked.format("activities")).fetchall()
    assert [row[:2] for row in alone] == [(name, f"org-{name}") for name in sections]
    empty("run")
    with duckdb.connect(str(empty.db), read_only=True) as connection:
        together = connection.execute(asked.format("activities")).fetchall()
    assert [row[:4] for row in together] == [row[:4] for row in alone]
    assert [row[4] for row in together] == [
        None if row[4] is None else pytest.approx(row[4]) for row in alone
    ]


def test_all_that_are_enabled_run(place: Place, install) -> None:
    install("mist")
    enable(place, mist="")
    answer = place("run")
    assert "aws: succeeded" in answer.stderr
    assert "mist: succeeded; 1 loaded; 1 row" in answer.stderr
    assert rows(place) == {"aws": 7, "mist": 1}
    assert rows(place) == {"aws": 7, "mist": 1}
    assert [row["provider"] for row in json.loads(place("providers", "--json").stdout)] == [
        "aws",
        "azure",
        "gcp",
        "mist",
    ]
    place("run", "--provider", "mist")


def test_one_is_denied_and_the_others_are_committed(place: Place, install) -> None:  # B88, B111
    install("fog")
    install("mist")
    enable(place, fog="denied: true", mist="")
    answer = place("run", code=3)
    assert rows(place) == {"aws": 7, "mist": 1}
    assert "auth: the caller may not read" in answer.stderr
    assert "→ grant the role Carbon Reader" in answer.stderr
    assert "fog: failed" in answer.stderr
    last = answer.stderr.partition("mist: succeeded")[2]
    assert re.search(
        r"1 of 3 providers failed: fog\n  fog: carbon all: the caller may not read.*\n    → grant the role Carbon Reader",
        last,
    )
    told = json.loads(place("run", "--json", code=3).stdout)
    assert [(run["provider"], run["status"]) for run in told] == [
        ("aws", "succeeded"),
        ("fog", "failed"),
        ("mist", "succeeded"),
    ]
    assert told[1]["hint"] == "grant the role Carbon Reader"
    with duckdb.connect(str(place.db), read_only=True) as connection:
        states = connection.execute("SELECT provider, status FROM connectors ORDER BY ALL").fetchall()
    assert states == [("aws", "connected"), ("fog", "error"), ("mist", "connected")]
    place("run", "--provider", "fog", code=1)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise RuntimeError('boom')", "fails while it is imported: RuntimeError: boom"),
        ("import there_is_no_such_module", "pip install --force-reinstall ogf-fog"),
        (PLUGIN.replace("{name}", "rain"), "calls itself 'rain'"),
        (PLUGIN.replace("def fetch", "def fech").replace("{name}", "fog"), "does not fit the contract"),
        ("", "lacks the hooks"),
    ],
    ids=["raises", "imports nothing", "other name", "misspelled", "no plugin"],
)
def test_a_broken_plugin_hurts_no_other(place: Place, install, code: str, said: str) -> None:
    install("fog", code)
    listed = place("providers", code=1).stdout
    assert "ogf-fog 2.0" in listed
    answer = place("run", "--provider", "fog", code=2)
    assert said in answer.stderr
    place("run", "--provider", "aws")
    place("run")  # it is installed, not enabled
    place("init", "--force")


def test_a_doubled_plugin(place: Place, install) -> None:
    install("aws", distribution="other-aws")
    answer = place("run", code=2)
    assert "claimed by ogf-aws" in answer.stderr
    assert "other-aws 2.0" in answer.stderr
    assert "uninstall all but one" in answer.stderr
