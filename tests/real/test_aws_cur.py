"""The AWS exports of ../shared/samples: rows and totals to the last digit, as their README states them."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from aws.cur_files import PAYER, Warehouse, folder_put, put_legacy

if TYPE_CHECKING:
    from ogf.runner.report import RunResult

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
CUR1 = SAMPLES / "aws" / "cur1"
MANIFESTS = SAMPLES / "aws" / "manifests"
WORKSHOP = "aws/cur1/labs/Oct2018-WorkshopCUR-00001.snappy.parquet"

pytestmark = pytest.mark.skipif(
    not (SAMPLES / "totals.json").is_file(), reason=f"the sample exports are not at {SAMPLES}"
)

CHARGES = {
    "Usage": "Usage",
    "DiscountedUsage": "Usage",
    "SavingsPlanCoveredUsage": "Usage",
    "RIFee": "Purchase",
    "Tax": "Tax",
}


# The files by their names in totals.json, with the rows of each billing period.
EXPORTS = {
    WORKSHOP: {"2018-10": 119_307},
    "aws/cur1/csv/sample-anonymous-aws-export-dataset.csv": {"2023-11": 1_281},
    "aws/cur1/s3/koku-local/koku-local/20180801-20180901/16e57707-f9e3-49be-8be6-b84e684b5194/koku-local-1.csv.gz": {
        "2018-06": 3_300,
        "2018-07": 9_304,
        "2018-08": 776,
    },
    "aws/cur1/s3/my-bucket/my-prefix/my-report/20180801-20180901/861af42f-713c-4a42-9562-9158a7625630/my-report-1.csv.gz": {
        "2018-08": 6_190
    },
    "aws/cur1/s3/local-bucket/6e9efe57-7249-4940-a895-63e323d4d8c2-local_bucket-1.csv.gz": {"2019-10": 76},
    "aws/cur1/dialects/2022-07-01-alt-columns.csv": {"2022-07": 2},
    "aws/cur1/dialects/2023-06-01-not-final.csv": {"2023-06": 3},
    "aws/cur1/dialects/2023-06-01.csv": {"2023-06": 3},
    "aws/cur1/dialects/October-2019-local_bucket.csv": {"2019-10": 84},
    "aws/manifests/cur_1_0/MockTestReport-00001.csv.zip": {"2024-01": 3},
    "aws/manifests/cur_1_0/sample_billing_data.csv": {"2024-01": 3},
    "aws/manifests/cur_2_0/MockTestReportV2-00001.csv.gz": {"2024-09": 4},
}


def totals(name: str) -> dict:
    return json.loads((SAMPLES / "totals.json").read_text())[name]["totals"]


def main_sum(found: dict, kind: str, name: str) -> Decimal:
    (sums,) = [value for column, value in found["sums"][kind].items() if column == name]
    return Decimal(sums.get("sum_at_scale_18") or sums["sum"])


def usage_column(found: dict) -> str:
    return next(
        name
        for name in found["sums"]["usage"]
        if name.lower().endswith(("usageamount", "_usage_amount")) and "ormalized" not in name
    )


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What a run over one file alone made of it; never changed afterwards: `alone(name)`."""

    @cache
    def loading(name: str) -> tuple[Warehouse, RunResult]:
        root = tmp_path_factory.mktemp("alone")
        copy_to(root / "exports", {Path(name).name: SAMPLES / name})
        warehouse = Warehouse(root / "ogf.duckdb", root / "exports")
        return warehouse, warehouse.run()

    return loading


@pytest.fixture
def load(tmp_path):
    """Copy files into one folder, and read it: `load({key: path})`."""

    def loading(files: dict[str, Path], **settings) -> tuple[Warehouse, RunResult]:
        copy_to(tmp_path / "exports", files)
        warehouse = Warehouse(tmp_path / "ogf.duckdb", tmp_path / "exports", **settings)
        return warehouse, warehouse.run()

    return loading


def copy_to(folder: Path, files: dict[str, Path]) -> None:
    put = folder_put(folder)
    for key, path in files.items():
        put(key, path.read_bytes())


@pytest.mark.parametrize("name", EXPORTS, ids=lambda name: Path(name).name)
def test_a_file_alone_gives_the_exact_totals(alone, name):
    found = totals(name)
    warehouse, result = alone(name)
    assert result.rejected == 0
    assert {item.message for item in result.partitions} == {""}
    assert warehouse.facts() == (found["rows"], main_sum(found, "cost", found["main_cost"]))
    months = warehouse.query("SELECT right(partition_key, 7), count(*) FROM activities GROUP BY ALL")
    assert dict(months) == EXPORTS[name]
    ((start, end, accounts, payers, services),) = warehouse.query(
        "SELECT strftime(min(period_start), '%Y-%m-%d %H:%M:%S'), strftime(max(period_start), '%Y-%m-%d %H:%M:%S'), "
        "count(DISTINCT account_id), count(DISTINCT billing_account_id), count(DISTINCT service) FROM activities"
    )
    written = [found["start"][which].replace("T", " ")[:19] for which in ("min", "max")]
    assert [start, end] == written
    assert (accounts, payers, services) == tuple(
        found[of]["distinct"] for of in ("accounts", "payers", "services")
    )
    types = {}
    for line_item_type, sums in found["types"].items():
        charge = CHARGES[line_item_type]
        rows, cost = types.get(charge, (0, 0))
        types[charge] = (rows + sums["rows"], cost + Decimal(sums["cost"]))
    kinds = warehouse.query("SELECT charge_category, count(*), sum(cost) FROM activities GROUP BY ALL")
    assert {kind: rows for kind, rows, _ in kinds} == {kind: rows for kind, (rows, _) in types.items()}
    if len(types) > 1:
        assert {kind: cost for kind, _, cost in kinds} == {kind: cost for kind, (_, cost) in types.items()}


@pytest.mark.parametrize("name", EXPORTS, ids=lambda name: Path(name).name)
def test_quantities_are_those_of_the_file(alone, name):
    """As doubles: each is the one nearest to what the file writes, and nothing is rescaled."""
    found = totals(name)
    expected = Decimal(found["sums"]["usage"][usage_column(found)]["sum"])
    warehouse, _ = alone(name)
    ((quantity,),) = warehouse.query("SELECT fsum(quantity) FROM activities")
    assert quantity == pytest.approx(float(expected), rel=1e-14)
    if name.endswith(".parquet"):
        exact = "SELECT sum(CAST(CAST(quantity AS VARCHAR) AS DECIMAL(38,18))) FROM activities"
        assert warehouse.query(exact) == [(expected,)]


@pytest.mark.parametrize("name", [WORKSHOP, "aws/cur1/csv/sample-anonymous-aws-export-dataset.csv"])
def test_regions_are_those_of_the_reports(alone, name):
    warehouse, _ = alone(name)
    assert (
        len(warehouse.column("DISTINCT region", table="activities WHERE region IS NOT NULL"))
        == (totals(name)["regions"]["distinct"])
    )


class TestWorkshopMonth:
    def test_accounts_services_and_tags(self, alone):
        warehouse, result = alone(WORKSHOP)
        assert (result.status, result.rejected) == ("succeeded", 0)
        by = "SELECT count(*), sum(cost) FROM activities GROUP BY {} ORDER BY 1 DESC"
        assert warehouse.query(by.format("account_id")) == [
            (91_840, Decimal("3993.0273261102")),
            (27_467, Decimal("71.4558054277")),
        ]
        services = "SELECT service, sum(cost) FROM activities GROUP BY ALL ORDER BY 2 DESC LIMIT 4"
        assert warehouse.query(services) == [
            ("AWSGlue", Decimal("2389.3281275712")),
            ("AmazonRDS", Decimal("920.7477222548")),
            ("AmazonEC2", Decimal("737.497233862")),
            ("AWSConfig", Decimal("12.277")),
        ]
        counts = (
            "SELECT count(*) FILTER (service = 'AmazonEC2'), count(*) FILTER (region = 'global'), "
            "count(*) FILTER (cost = 0), count(*) FILTER (cost < 0), count(instance_type), "
            "count(DISTINCT instance_type), count(DISTINCT usage_type), count(DISTINCT resource_id), "
            "count(*) FILTER (resource_id IS NULL), "
            "count(tags['user_environment']), count(DISTINCT region) FROM activities"
        )
        # 24,703 lines name their instance type; the 1,313 of spot instances have it in their usage type only.
        typed = 24_703 + 1_313
        assert warehouse.query(counts) == [(57_624, 943, 67_319, 0, typed, 9, 180, 629, 17_071, 33_222, 17)]
        assert warehouse.column("DISTINCT location", table="activities WHERE region = 'global'") == ["GLOBAL"]
        assert warehouse.column("count(*)", table="activities WHERE category = 'cloud_other'") == [0]

    def test_b109_b128_twice_without_change_then_restated(self, load, tmp_path):
        source = SAMPLES / WORKSHOP
        warehouse, first = load({"workshop.parquet": source})
        before = warehouse.query("SELECT sum(hash(a)), count(*) FROM activities a")
        second = warehouse.run()
        assert (first.count("loaded"), second.count("unchanged"), second.count("loaded")) == (1, 1, 0)
        assert warehouse.query("SELECT sum(hash(a)), count(*) FROM activities a") == before
        target = tmp_path / "exports" / "workshop.parquet"
        with duckdb.connect() as connection:
            connection.execute(
                f"COPY (SELECT * REPLACE (CASE WHEN line_item_product_code = 'AWSGlue' THEN 0.5 "
                f"ELSE line_item_unblended_cost END AS line_item_unblended_cost) FROM read_parquet('{source}') "
                f"WHERE line_item_product_code <> 'AmazonRDS') TO '{target}' (FORMAT parquet)"
            )
            ((rows, glue, rds),) = connection.execute(
                "SELECT count(*), count(*) FILTER (line_item_product_code = 'AWSGlue'), "
                f"count(*) FILTER (line_item_product_code = 'AmazonRDS') FROM read_parquet('{source}')"
            ).fetchall()
        third = warehouse.run()
        assert (third.status, third.partitions[0].reason) == ("succeeded", "version changed")
        rest = Decimal("4064.4831315379") - Decimal("2389.3281275712") - Decimal("920.7477222548")
        assert warehouse.facts() == (rows - rds, rest + glue * Decimal("0.5"))
        assert warehouse.column("count(*)", table="activity_log") == [rows - rds]

    def test_the_rows_are_those_that_one_plain_statement_reads(self, alone):
        warehouse, _ = alone(WORKSHOP)
        with duckdb.connect(str(warehouse.path), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            ours = (
                "SELECT billing_account_id, account_id, resource_id, service, usage_type, operation, instance_type, "
                "region, period_start, period_end, quantity, cost, currency FROM activities"
            )
            theirs = (
                "SELECT bill_payer_account_id, line_item_usage_account_id, nullif(line_item_resource_id, ''), "
                "line_item_product_code, line_item_usage_type, nullif(line_item_operation, ''), "
                "coalesce(nullif(product_instance_type, ''), CASE WHEN starts_with(line_item_usage_type, 'SpotUsage:') "
                "THEN substr(line_item_usage_type, 11) END), product_region, "
                "timezone('UTC', line_item_usage_start_date), timezone('UTC', line_item_usage_end_date), "
                "line_item_usage_amount, CAST(CAST(line_item_unblended_cost AS VARCHAR) AS DECIMAL(38,18)), "
                f"line_item_currency_code FROM read_parquet('{SAMPLES / WORKSHOP}')"
            )
            for one, other in ((ours, theirs), (theirs, ours)):
                assert (
                    connection.execute(f"SELECT * FROM ({one} EXCEPT ALL {other}) LIMIT 1").fetchall() == []
                )

    def test_physical_columns_are_those_of_the_lines(self, alone):
        """By hand from the file: what EC2 and RDS machines, disks and the network amount to in October (744 hours)."""
        warehouse, _ = alone(WORKSHOP)
        with duckdb.connect() as connection:
            vcpus = "CAST(nullif(product_vcpu, '') AS DOUBLE)"
            ran = "line_item_line_item_type IN ('Usage', 'DiscountedUsage') AND line_item_usage_type SIMILAR TO "
            ((boxes, doubled, spot, disks, between),) = connection.execute(
                f"SELECT fsum({vcpus} * line_item_usage_amount) FILTER ({ran} '(.*-)?(BoxUsage|InstanceUsage):.*'), "
                f"fsum(2 * {vcpus} * line_item_usage_amount) FILTER ({ran} 'Multi-AZUsage:.*'), "
                f"fsum(line_item_usage_amount * if(ends_with(line_item_usage_type, 'micro'), 1, 2)) "
                f"FILTER ({ran} 'SpotUsage:.*'), "
                f"fsum(744 * line_item_usage_amount) FILTER ({ran} '(EUW2-)?EBS:VolumeUsage.gp2'), "
                "fsum(line_item_usage_amount) FILTER (ends_with(line_item_usage_type, '-AWS-Out-Bytes')) "
                f"FROM read_parquet('{SAMPLES / WORKSHOP}')"
            ).fetchall()
        asked = (
            "SELECT fsum(vcpu_hours) FILTER (service IN ('AmazonEC2', 'AmazonRDS')), "
            "fsum(storage_gib_hours) FILTER (service = 'AmazonEC2'), "
            "fsum(network_gib) FILTER (network_route = 'inter_region'), "
            "fsum(vcpu_hours) FILTER (service = 'AWSGlue'), fsum(quantity) FILTER (unit = 'dpu-hours'), "
            "count(vcpu_hours) FILTER (charge_category <> 'Usage') FROM activities"
        )
        ((machines, stored, sent, glue, dpu_hours, others),) = warehouse.query(asked)
        assert machines == pytest.approx(boxes + doubled + spot, rel=1e-12)
        assert stored == pytest.approx(disks, rel=1e-12)
        assert sent == pytest.approx(between, rel=1e-12)
        assert glue == pytest.approx(4 * dpu_hours, rel=1e-12)
        assert others == 0


# Share of the lines of use, and of their cost, that have a physical column; `-s` prints all of them.
COVERED = {WORKSHOP: (0.70, 0.93), "aws/cur1/csv/sample-anonymous-aws-export-dataset.csv": (0.20, 0.01)}


@pytest.mark.parametrize("name", EXPORTS, ids=lambda name: Path(name).name)
def test_coverage_of_physical_columns(alone, name):
    warehouse, _ = alone(name)
    known = "FILTER (coalesce(vcpu_hours, memory_gib_hours, storage_gib_hours, network_gib) IS NOT NULL)"
    ((rows, cost),) = warehouse.query(
        f"SELECT count(*) {known} / count(*), coalesce(sum(cost) {known}, 0) / nullif(sum(cost), 0) FROM activities "
        "WHERE charge_category = 'Usage'"
    )
    print(
        f"{Path(name).name}: {rows:.1%} of the rows of use and {float(cost or 0):.1%} of their cost are measured"
    )
    least_rows, least_cost = COVERED.get(name, (0, 0))
    assert rows >= least_rows
    assert float(cost or 0) >= least_cost


def test_koku_layouts_are_read_through_their_manifests(tmp_path):
    for location, key, name in (
        ("koku-local", "koku-local/2018-08", "koku-local-1.csv.gz"),
        ("my-bucket", "my-report/2018-08", "my-report-1.csv.gz"),
        ("my-bucket/my-prefix/my-report/20180801-20180901", "my-report/2018-08", "my-report-1.csv.gz"),
    ):
        warehouse = Warehouse(tmp_path / f"{location.replace('/', '-')}.duckdb", CUR1 / "s3" / location)
        result = warehouse.run()
        found = totals(next(path for path in EXPORTS if path.endswith(f"/{name}")))
        (outcome,) = result.partitions
        assert (outcome.key.split("/")[-2:], outcome.outcome, outcome.message) == (
            key.split("/"),
            "loaded",
            "",
        )
        assert warehouse.facts() == (found["rows"], main_sum(found, "cost", found["main_cost"]))
        assert len(warehouse.column("DISTINCT account_id")) == 5
        assert warehouse.run().count("unchanged") == 1


def test_b17_a_manifest_whose_file_is_not_there_is_not_found(tmp_path):
    """The sample's manifest names a file that lies beside it under another name."""
    warehouse = Warehouse(tmp_path / "ogf.duckdb", CUR1 / "s3" / "local-bucket")
    (outcome,) = warehouse.run().partitions
    assert (outcome.outcome, outcome.error_class) == ("failed", "not_found")
    assert "local_bucket-1.csv.gz" in outcome.message
    assert warehouse.facts() == (0, None)


def test_two_parts_of_one_month_make_one_partition(tmp_path):
    parts = [
        CUR1 / "s3/local-bucket/6e9efe57-7249-4940-a895-63e323d4d8c2-local_bucket-1.csv.gz",
        CUR1 / "dialects/October-2019-local_bucket.csv",
    ]
    put_legacy(folder_put(tmp_path / "exports"), [part.read_bytes() for part in parts], month="2019-10")
    warehouse = Warehouse(tmp_path / "ogf.duckdb", tmp_path / "exports")
    assert [item.outcome for item in warehouse.run().partitions] == ["loaded"]
    assert warehouse.facts() == (160, Decimal("418.95") + Decimal("463.05"))


class TestKeboola:
    def test_the_legacy_manifest_leads_to_its_zip(self, load):
        warehouse, result = load(
            {
                "MockTestReport/20240101-20240131/MockTestReport-Manifest.json": MANIFESTS
                / "cur_1_0/cur1_manifest.json",
                "MockTestReport/20240101-20240131/MockTestReport-00001.csv.zip": MANIFESTS
                / "cur_1_0/MockTestReport-00001.csv.zip",
            }
        )
        (outcome,) = result.partitions
        assert (outcome.key, outcome.message) == ("mock-cur-bucket/123456789012/MockTestReport/2024-01", "")
        assert warehouse.facts() == (3, Decimal("0.045152"))

    def test_the_data_export_manifest_leads_to_its_gzip(self, load):
        warehouse, result = load(
            {
                "metadata/BILLING_PERIOD=2024-09/V2-Manifest.json": MANIFESTS / "cur_2_0/cur2_manifest.json",
                "data/BILLING_PERIOD=2024-09/MockTestReportV2-00001.csv.gz": MANIFESTS
                / "cur_2_0/MockTestReportV2-00001.csv.gz",
            }
        )
        (outcome,) = result.partitions
        assert (outcome.key, outcome.message) == (
            "mock-cur-v2-bucket/123456789012/MockTestReportV2/2024-09",
            "",
        )
        assert warehouse.facts() == (4, Decimal("0.108304"))

    def test_zip_and_unpacked_file_give_the_same_rows(self, tmp_path):
        tables = []
        for name in ("MockTestReport-00001.csv.zip", "sample_billing_data.csv"):
            folder_put(tmp_path / name)(name, (MANIFESTS / "cur_1_0" / name).read_bytes())
            warehouse = Warehouse(tmp_path / f"{name}.duckdb", tmp_path / name)
            warehouse.run()
            tables.append(warehouse.table())
        assert tables[0] == tables[1]


class TestDamagedMonth:
    NAME = "November-2023-None.csv"

    def test_two_cut_rows_of_26_are_more_than_one_in_a_hundred(self, load):
        warehouse, result = load({self.NAME: CUR1 / "dialects" / self.NAME})
        assert result.status == "failed"
        assert "2 of 26 rows were refused" in result.message
        assert "max_reject_share" in result.hint
        assert warehouse.facts() == (0, None)

    def test_b87_with_a_larger_share_the_24_whole_rows_are_exact(self, load):
        warehouse, result = load({self.NAME: CUR1 / "dialects" / self.NAME}, runner__max_reject_share=0.1)
        assert result.status == "partial"
        assert warehouse.facts() == (24, Decimal("3.469697621723219281"))
        assert warehouse.query("SELECT reason, raw LIKE '%,%' FROM quarantine ORDER BY 1") == [
            ("line 22: missing columns", True),
            ("line 7: missing columns", True),
        ]
        assert len(warehouse.column("DISTINCT account_id")) == 1


def test_a_header_without_rows_is_a_month_without_rows(load):
    name = "empty_frame.csv"
    manifest = json.loads((MANIFESTS / "cur_1_0/cur1_manifest.json").read_text()) | {"reportKeys": [name]}
    warehouse, result = load({f"20240101-20240201/{name}": CUR1 / "dialects" / name})
    assert result.partitions == []
    folder_put(warehouse.path.parent / "exports")(
        "20240101-20240201/x-Manifest.json", json.dumps(manifest).encode()
    )
    result = warehouse.run()
    assert [(item.outcome, item.rows) for item in result.partitions] == [("loaded", 0)]
    assert result.status == "succeeded"


@pytest.mark.parametrize("name", ["BeforeCUR.gz", "Step5CUR.gz"])
def test_a_hive_text_table_is_refused_with_one_clear_error(load, name):
    warehouse, result = load({name: CUR1 / "athena-text" / name})
    (outcome,) = result.partitions
    assert (result.status, outcome.error_class) == ("failed", "bad_request")
    assert "Hive text" in outcome.message
    assert "CSV" in outcome.hint
    assert warehouse.facts() == (0, None)


def test_b112_a_restatement_that_adds_nothing_replaces_the_month(tmp_path):
    """The same report is delivered again, now final: the same three rows, once. (The sample's payers differ.)"""
    put = folder_put(tmp_path / "exports")
    warehouse = Warehouse(tmp_path / "ogf.duckdb", tmp_path / "exports")
    runs, tables = [], []
    for assembly, name in enumerate(("2023-06-01-not-final.csv", "2023-06-01.csv")):
        body = (CUR1 / "dialects" / name).read_bytes()
        put_legacy(put, [body], month="2023-06", assembly=f"assembly-{assembly}", suffix="csv")
        runs.append(warehouse.run().partitions)
        tables.append(
            warehouse.table(without=("load_id", "source", "activity_id", "billing_account_id", "account_id"))
        )
        assert warehouse.facts() == (3, Decimal(30))
    assert [(item.key, item.reason) for (item,) in runs] == [
        (f"billing/{PAYER}/hourly/2023-06", "new"),
        (f"billing/{PAYER}/hourly/2023-06", "version changed"),
    ]
    assert tables[0] == tables[1]
    assert warehouse.column("DISTINCT currency") == ["NOK"]


def test_marketplace_rows_are_kept(alone):
    warehouse, _ = alone("aws/cur1/dialects/2022-07-01-alt-columns.csv")
    assert warehouse.column("DISTINCT category") == ["cloud_other"]
    assert warehouse.facts() == (2, Decimal(0))
