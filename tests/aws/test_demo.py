"""The sample exports of `ogf demo`: always the same, never touched twice, and loaded to the last digit."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest

from ogf import config, plugins
from ogf.runner.run import Options, ProviderRun
from ogf_aws.demo import MONTHS, write_exports


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "exports"
    write_exports(folder)
    return folder


def contents(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def raw(folder, question: str):
    """Ask the CSV files themselves, all text."""
    source = f"read_csv('{folder}/*/*/*/*.csv.gz', all_varchar = true, header = true)"
    with duckdb.connect() as connection:
        return connection.execute(question.replace("exports", source)).fetchall()


def load(folder, db) -> ProviderRun:
    plugin = plugins.load("aws")
    settings = config.load(
        environ={},
        overrides={"warehouse.path": db, "ingestion.aws.cur.location": str(folder), "runner.workers": 1},
        providers={"aws": plugin.provider.settings},
        installed=["aws"],
    )
    return ProviderRun(plugin, settings)


def test_demo_exports_are_deterministic(folder, tmp_path):
    write_exports(tmp_path)
    assert contents(tmp_path) == contents(folder)


def test_demo_exports_are_left_untouched_when_written_again(folder):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    write_exports(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_demo_exports_that_were_damaged_are_mended(folder, tmp_path):
    write_exports(tmp_path)
    for path in tmp_path.rglob("*.csv.gz"):
        path.write_bytes(path.read_bytes()[:1000])
    write_exports(tmp_path)
    assert contents(tmp_path) == contents(folder)


def test_demo_exports_are_small_and_have_every_kind_of_line_item(folder):
    assert sum(map(len, contents(folder).values())) < 3_000_000
    kinds = {kind for (kind,) in raw(folder, 'SELECT DISTINCT "lineItem/LineItemType" FROM exports')}
    assert kinds >= {"Usage", "Tax", "Credit", "Refund", "Fee", "RIFee", "DiscountedUsage"}
    assert kinds >= {"SavingsPlanCoveredUsage", "SavingsPlanNegation", "SavingsPlanRecurringFee"}


def test_demo_line_items_have_unique_ids(folder):
    ((rows, ids),) = raw(folder, 'SELECT count(*), count(DISTINCT "identity/LineItemId") FROM exports')
    assert rows == ids


def test_demo_savings_plan_negations_cancel_what_the_plan_covers(folder):
    sums = dict(
        raw(
            folder,
            'SELECT "lineItem/LineItemType", sum("lineItem/UnblendedCost"::DECIMAL(38, 18)) FROM exports GROUP BY ALL',
        )
    )
    assert sums["SavingsPlanCoveredUsage"] == -sums["SavingsPlanNegation"] > 0
    assert sums["Credit"] == Decimal(-150) * len(MONTHS)


def test_demo_totals_equal_the_raw_exports_and_a_second_run_changes_nothing(folder, tmp_path):
    run = load(folder, tmp_path / "ogf.duckdb")
    result = run.run(Options())
    assert result.status == "succeeded", result.message
    assert [item.notices for item in result.partitions] == [[]] * len(MONTHS)
    with run.warehouse.reading() as connection:
        loaded = connection.execute(
            "SELECT strftime(min(period_start), '%Y-%m'), account_id, service, region, count(*), sum(cost), sum(quantity) "
            "FROM activities GROUP BY partition_key, account_id, service, region ORDER BY ALL"
        ).fetchall()
    expected = raw(
        folder,
        'SELECT left("bill/BillingPeriodStartDate", 7), "lineItem/UsageAccountId", "lineItem/ProductCode", '
        '"product/region", count(*), sum("lineItem/UnblendedCost"::DECIMAL(38, 18)), sum("lineItem/UsageAmount"::DOUBLE) '
        "FROM exports GROUP BY ALL ORDER BY ALL",
    )
    assert [row[:6] for row in loaded] == [row[:6] for row in expected]
    assert [row[6] for row in loaded] == pytest.approx([row[6] for row in expected])

    again = load(folder, tmp_path / "ogf.duckdb").run(Options())
    assert [item.outcome for item in again.partitions] == ["unchanged"] * len(MONTHS)


def test_demo_account_ids_keep_their_leading_zeros(folder):
    accounts = {
        account for (account,) in raw(folder, 'SELECT DISTINCT "lineItem/UsageAccountId" FROM exports')
    }
    assert accounts == {"000000000100", "000000000201", "000000000202", "111122223333"}


@pytest.fixture(scope="module")
def carbon(tmp_path_factory):
    place = tmp_path_factory.mktemp("demo-carbon")
    given = write_exports(place / "exports")
    plugin = plugins.load("aws")
    overrides = {f"ingestion.aws.{name}.location": section["location"] for name, section in given.items()}
    settings = config.load(
        environ={},
        overrides={"warehouse.path": place / "ogf.duckdb", "runner.workers": 1, **overrides},
        providers={"aws": plugin.provider.settings},
        installed=["aws"],
    )
    run = ProviderRun(plugin, settings)
    result = run.run(Options())
    assert (result.status, result.message) == ("succeeded", "")
    with run.warehouse.reading() as connection:
        yield lambda sql: connection.execute(sql).fetchall()


class TestCarbon:
    """The carbon export of the demo: the first month in two model versions."""

    def test_every_month_is_there_and_the_older_version_is_history(self, carbon):
        asked = (
            "SELECT DISTINCT strftime(timezone('UTC', period_start), '%Y-%m'), model_version, load_status "
            "FROM activities_history WHERE stream = 'carbon' ORDER BY ALL"
        )
        assert carbon(asked) == [
            (MONTHS[0], "v2.0.0", "superseded"),
            *[(month, "v3.0.0", "current") for month in MONTHS],
        ]

    def test_both_versions_have_the_same_totals(self, carbon):
        asked = (
            "SELECT sum(CAST(quantity AS DECIMAL(38,6))) FROM activities_history WHERE stream = 'carbon' "
            f"AND strftime(timezone('UTC', period_start), '%Y-%m') = '{MONTHS[0]}' "
            "AND model_version = '{}' AND coalesce(accounting, '{}') = '{}'"
        )
        for method in ("location", "market"):
            old, new = (carbon(asked.format(version, method, method)) for version in ("v2.0.0", "v3.0.0"))
            assert old == new

    def test_location_based_scope_two_falls_as_the_analytics_move(self, carbon):
        asked = (
            "SELECT sum(emissions_kgco2e) FROM activities WHERE provider_scope = 2 AND accounting = 'location' "
            "GROUP BY period_start ORDER BY period_start"
        )
        first, second, third = (total for (total,) in carbon(asked))
        assert first > second > third > 0
