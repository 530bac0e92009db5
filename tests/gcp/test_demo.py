"""The sample exports of `ogf demo`: always the same, never touched twice, and loaded to the last digit."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest

from ogf import config, plugins
from ogf.runner.run import Options, ProviderRun
from ogf_gcp.demo import BILLING_ACCOUNT, MONTHS, write_exports


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "exports"
    write_exports(folder)
    return folder


@pytest.fixture(scope="module")
def loaded(folder, tmp_path_factory):
    """What a first run made of the exports: its result, and the warehouse."""
    db = tmp_path_factory.mktemp("loaded") / "ogf.duckdb"
    run = load(folder, db)
    return run.run(Options()), run, db


def contents(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def raw(folder, question: str):
    """Ask the exported files themselves. The bill's lines are JSON objects, so that no digit is lost."""
    sources = {
        "carbon": f"SELECT * FROM read_parquet('{folder}/carbon/*/*.parquet')",
        "lines": f"SELECT json FROM read_json_objects('{folder}/billing/*/*.json.gz')",
    }
    with duckdb.connect() as connection:
        for name, source in sources.items():
            connection.execute(f"CREATE VIEW {name} AS {source}")
        connection.execute(
            "CREATE VIEW credits AS SELECT json, unnest(CAST(json -> 'credits' AS JSON[])) AS credit FROM lines"
        )
        return connection.execute(question).fetchall()


def load(folder, db) -> ProviderRun:
    plugin = plugins.load("gcp")
    places = {f"ingestion.gcp.{name}.location": str(folder / name) for name in ("carbon", "billing")}
    settings = config.load(
        environ={},
        overrides={"warehouse.path": db, "runner.workers": 1, **places},
        providers={"gcp": plugin.provider.settings},
        installed=["gcp"],
    )
    return ProviderRun(plugin, settings)


def activities(run, question: str):
    with run.warehouse.reading() as connection:
        return connection.execute(question).fetchall()


def test_demo_exports_are_deterministic(folder, tmp_path):
    settings = write_exports(tmp_path)
    assert contents(tmp_path) == contents(folder)
    assert settings == {
        "carbon": {"location": str(tmp_path / "carbon")},
        "billing": {"location": str(tmp_path / "billing")},
    }


def test_demo_exports_are_left_untouched_when_written_again(folder):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    write_exports(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_demo_exports_that_were_damaged_are_mended(folder, tmp_path):
    write_exports(tmp_path)
    for path in tmp_path.rglob("000*"):
        path.write_bytes(path.read_bytes()[:1000])
    write_exports(tmp_path)
    assert contents(tmp_path) == contents(folder)


def test_demo_exports_are_small(folder):
    assert sum(map(len, contents(folder).values())) < 200_000


def test_demo_carbon_footprint_has_the_schema_that_google_documents(folder):
    described = {row[0]: row[1] for row in raw(folder, "DESCRIBE carbon")}
    assert described == {
        "usage_month": "DATE",
        "billing_account_id": "VARCHAR",
        "project": "STRUCT(number VARCHAR, id VARCHAR)",
        "service": "STRUCT(id VARCHAR, description VARCHAR)",
        "location": 'STRUCT("location" VARCHAR, region VARCHAR)',
        "carbon_model_version": "BIGINT",
        "carbon_footprint_kgCO2e": (
            "STRUCT(scope1 DOUBLE, scope2 STRUCT(location_based DOUBLE, market_based DOUBLE), scope3 DOUBLE)"
        ),
        "carbon_footprint_total_kgCO2e": "STRUCT(location_based DOUBLE, market_based DOUBLE)",
    }


def test_demo_carbon_footprint_has_one_row_for_each_key(folder):
    ((rows, keys, projects, services, regions),) = raw(
        folder,
        "SELECT count(*), count(DISTINCT (usage_month, billing_account_id, project.number, service.id, location.location)), "
        "count(DISTINCT project.id), count(DISTINCT service.id), count(DISTINCT location.location) FROM carbon",
    )
    assert rows == keys
    assert (projects, services, regions) == (3, 5, 4)


def test_demo_bill_has_every_kind_of_credit_and_lines_with_two(folder):
    kinds = dict(
        raw(
            folder,
            "SELECT credit ->> 'type', sum(CAST(credit ->> 'amount' AS DECIMAL(38, 18))) FROM credits GROUP BY ALL",
        )
    )
    assert kinds.keys() == {"SUSTAINED_USAGE_DISCOUNT", "PROMOTION"}
    assert all(amount < 0 for amount in kinds.values())
    ((both,),) = raw(folder, "SELECT count(*) FROM lines WHERE json_array_length(json, 'credits') = 2")
    assert both > 50


def test_demo_promotion_pays_for_all_of_the_sandbox(folder):
    net = raw(
        folder,
        "SELECT json ->> '$.invoice.month' AS month, sum(CAST(json ->> 'cost' AS DECIMAL(38, 18)) + coalesce(list_sum("
        "list_transform(CAST(json -> 'credits' AS JSON[]), lambda c: CAST(c ->> 'amount' AS DECIMAL(38, 18)))), 0)) "
        "FROM lines WHERE json ->> '$.project.id' = 'sample-sandbox' GROUP BY ALL ORDER BY ALL",
    )
    assert [month for month, _ in net] == [month.replace("-", "") for month in MONTHS]
    assert [cost > 0 for _, cost in net] == [False, False, True]
    assert net[0][1] == net[1][1] == 0


def test_demo_is_loaded_without_a_remark(loaded):
    result, run, _ = loaded
    assert result.status == "succeeded", result.message
    assert sorted((item.stream, item.key) for item in result.partitions) == sorted(
        (stream, f"files/{BILLING_ACCOUNT}/{month}") for stream in ("carbon", "billing") for month in MONTHS
    )
    for item in result.partitions:
        assert (item.notices, item.rejected, item.unmapped) == ([], 0, {})
    ((rows, ids),) = activities(run, "SELECT count(*), count(DISTINCT activity_id) FROM activities")
    assert rows == ids


def test_demo_costs_equal_the_raw_export(folder, loaded):
    _, run, _ = loaded
    groups = (
        "strftime(timezone('UTC', period_start), '%Y-%m'), account_id, service, region, "
        "charge_category = 'Credit', count(*), sum(cost)"
    )
    got = activities(
        run, f"SELECT {groups} FROM activities WHERE stream = 'billing' GROUP BY ALL ORDER BY ALL"
    )
    about = (
        "left(json ->> 'usage_start_time', 7), json ->> '$.project.id', json ->> '$.service.description', "
        "json ->> '$.location.location'"
    )
    expected = raw(
        folder,
        f"SELECT {about}, false, count(*), sum(CAST(json ->> 'cost' AS DECIMAL(38, 18))) FROM lines GROUP BY ALL "
        f"UNION ALL SELECT {about}, true, count(*), sum(CAST(credit ->> 'amount' AS DECIMAL(38, 18))) FROM credits "
        "GROUP BY ALL ORDER BY ALL",
    )
    assert got == expected
    assert sum(row[-1] for row in got) > Decimal(1000)


def test_demo_quantities_equal_the_raw_export(folder, loaded):
    _, run, _ = loaded
    got = activities(
        run,
        "SELECT usage_type, unit, sum(quantity) FROM activities WHERE stream = 'billing' AND quantity IS NOT NULL "
        "GROUP BY ALL ORDER BY ALL",
    )
    expected = raw(
        folder,
        "SELECT json ->> '$.sku.description', json ->> '$.usage.unit', sum(CAST(json ->> '$.usage.amount' AS DOUBLE)) "
        "FROM lines WHERE json ->> '$.usage.amount' IS NOT NULL GROUP BY ALL ORDER BY ALL",
    )
    assert [row[:2] for row in got] == [row[:2] for row in expected]
    assert [row[2] for row in got] == pytest.approx([row[2] for row in expected])


@pytest.mark.parametrize("accounting", ["location", "market"])
def test_b52_demo_emissions_of_either_accounting_equal_googles_own_totals(folder, loaded, accounting):
    _, run, _ = loaded
    got = activities(
        run,
        "SELECT CAST(timezone('UTC', period_start) AS DATE), account_id, service, region, sum(emissions_kgco2e) "
        f"FROM activities WHERE stream = 'carbon' AND coalesce(accounting, '{accounting}') = '{accounting}' "
        "GROUP BY ALL ORDER BY ALL",
    )
    expected = raw(
        folder,
        "SELECT usage_month, project.id, service.description, location.location, "
        f'"carbon_footprint_total_kgCO2e".{accounting}_based FROM carbon ORDER BY ALL',
    )
    assert [row[:4] for row in got] == [row[:4] for row in expected]
    assert [row[4] for row in got] == pytest.approx([row[4] for row in expected])


def test_demo_keeps_a_market_based_zero_and_a_multi_region(loaded):
    _, run, _ = loaded
    assert activities(
        run,
        "SELECT region, location, sum(emissions_kgco2e) = 0 FROM activities WHERE accounting = 'market' "
        "AND region IN ('europe-north1', 'eu') GROUP BY ALL ORDER BY ALL",
    ) == [("eu", "EU", False), ("europe-north1", "EU-NORTH", True)]


def test_demo_moves_emissions_with_the_training(loaded):
    """The story that the tutorial tells: costs grow, yet location-based scope 2 falls by more than a third."""
    _, run, _ = loaded
    (first_cost, first), _, (last_cost, last) = activities(
        run,
        "SELECT sum(cost), sum(emissions_kgco2e) FILTER (accounting = 'location') FROM activities "
        "GROUP BY partition_key[-7:] ORDER BY partition_key[-7:]",
    )
    assert last_cost > first_cost
    assert last / first < 2 / 3


def test_a_second_run_of_the_demo_changes_nothing(folder, loaded):
    _, _, db = loaded
    write_exports(folder)
    again = load(folder, db).run(Options())
    assert [item.outcome for item in again.partitions] == ["unchanged"] * 2 * len(MONTHS)
