"""From a row of the billing export to activities: charges, credits as rows, tags, units, places, what is refused."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from gcp.export_files import BILLING_ACCOUNT, Exports, billing_row, credit, plugin, write_lines, write_parquet
from hypothesis import given, settings
from hypothesis import strategies as st

from ogf.files.store import File
from ogf.files.table import open_table
from ogf.files.worker import connect
from ogf.runner.contexts import core_lookups
from ogf_gcp.billing.mapping import activities_sql

PAIR = {"key": "s", "value": "s"}
SCHEMA: dict[str, Any] = {
    "billing_account_id": "s",
    "service": {"id": "s", "description": "s"},
    "sku": {"id": "s", "description": "s"},
    "usage_start_time": "t",
    "usage_end_time": "t",
    "project": {"id": "s", "number": "s", "name": "s"},
    "labels": [PAIR],
    "system_labels": [PAIR],
    "tags": [PAIR],
    "location": {"location": "s", "country": "s", "region": "s", "zone": "s"},
    "export_time": "t",
    "cost": "f",
    "currency": "s",
    "usage": {"amount": "f", "unit": "s", "amount_in_pricing_units": "f", "pricing_unit": "s"},
    "credits": [{"id": "s", "full_name": "s", "type": "s", "name": "s", "amount": "f"}],
    "invoice": {"month": "s"},
    "cost_type": "s",
}


@pytest.fixture
def load(tmp_path):
    """Load files of JSON lines: `load(row, row)` or `load(a=[row], b=[row])`."""

    def loading(*rows, reject=0.01, **files):
        for name, content in (files or {"billing": rows}).items():
            write_lines(tmp_path / "exports" / f"{name}.jsonl", content)
        warehouse = Exports(tmp_path / "ogf.duckdb", billing=tmp_path / "exports")
        return warehouse, warehouse.run(runner__max_reject_share=reject)

    return loading


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    """What a worker's connection has, the provider's tables included."""
    lookups = {**core_lookups(), **plugin().provider.lookups}
    connection = connect(scratch=tmp_path_factory.mktemp("db"), threads=1, memory_mb=256, lookups=lookups)
    yield connection
    connection.close()


def mapped(connection, path, columns: str) -> list[tuple[Any, ...]]:
    table = open_table(
        File(path, path.as_uri(), "etag", owned=False), connection=connection, scratch=path.parent
    )
    try:
        return connection.execute(f"SELECT {columns} FROM ({activities_sql(table)}) ORDER BY ALL").fetchall()
    finally:
        table.close()


def pairs(**texts: str) -> list[dict[str, str]]:
    return [{"key": key.replace("__", "/"), "value": value} for key, value in texts.items()]


def test_a_row_of_use(load):
    warehouse, result = load(billing_row())
    assert (result.status, result.rejected) == ("succeeded", 0)
    columns = (
        "provider, stream, billing_account_id, account_id, account_name, service, category, usage_type, region, "
        "location, quantity, unit, cost, currency, charge_category, tags, emissions_kgco2e, "
        "CAST(period_start AS VARCHAR), CAST(period_end AS VARCHAR)"
    )
    assert warehouse.query(f"SELECT {columns} FROM activities") == [
        ("gcp", "billing", BILLING_ACCOUNT, "shop-prod", "Shop", "Compute Engine", "cloud_compute",
         "N1 Instance Core running in Iowa", "us-central1", "US-CENTRAL", 3600.0, "seconds", Decimal("1.25"), "USD",
         "Usage", None, None, "2026-01-05 10:00:00+00", "2026-01-05 11:00:00+00")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cost_type", "charge"),
    [("regular", "Usage"), ("tax", "Tax"), ("adjustment", "Adjustment"), ("rounding_error", "Adjustment"),
     ("something new", None), (None, None)],
)  # fmt: skip
def test_charge_categories(load, cost_type, charge):
    warehouse, result = load(billing_row(cost_type=cost_type, credits=[credit("-1")]))
    assert result.rejected == 0
    found = warehouse.query("SELECT charge_category, cost FROM activities ORDER BY cost")
    assert found == [("Credit", Decimal(-1)), (charge, Decimal("1.25"))]


def test_a_file_without_cost_types_tells_of_usage(load):
    row = {name: value for name, value in billing_row().items() if name != "cost_type"}
    warehouse, _ = load(row)
    assert warehouse.query("SELECT charge_category, vcpu_hours IS NOT NULL FROM activities") == [
        ("Usage", True)
    ]


class TestCredits:
    def test_each_is_a_row_of_its_own_without_quantity(self, load):
        row = billing_row(
            cost="10",
            credits=[
                credit("-2.5"),
                credit("-0.25", name="Free", kind="PROMOTION"),
                credit("0.01", name="Odd", kind=None),
            ],
        )
        warehouse, _ = load(row)
        found = warehouse.query(
            "SELECT charge_category, operation, cost, quantity, unit, service, account_id FROM activities ORDER BY cost"
        )
        rest = ("Compute Engine", "shop-prod")
        assert found == [
            ("Credit", "SUSTAINED_USAGE_DISCOUNT", Decimal("-2.5"), None, None, *rest),
            ("Credit", "PROMOTION", Decimal("-0.25"), None, None, *rest),
            ("Credit", "Odd", Decimal("0.01"), None, None, *rest),
            ("Usage", None, Decimal(10), 3600.0, "seconds", *rest),
        ]
        assert len(warehouse.column("DISTINCT activity_id")) == 4

    def test_two_credits_of_one_name_are_two_rows(self, load):
        warehouse, _ = load(billing_row(credits=[credit("-0.5"), credit("-0.5")]))
        assert warehouse.query("SELECT count(*), count(DISTINCT activity_id), sum(cost) FROM activities") == [
            (3, 3, Decimal("0.25"))
        ]

    @pytest.mark.parametrize("amount", ["much", "", None])
    def test_an_amount_that_is_no_number_is_refused(self, load, amount):
        warehouse, result = load(billing_row(credits=[credit("-0.5") | {"amount": amount}]), reject=1)
        assert result.rejected == 1
        assert warehouse.facts() == (1, Decimal("1.25"))
        assert warehouse.column("reason", table="quarantine") == [
            "a credit's amount is missing or not a number"
        ]

    def test_text_that_is_no_list_is_refused_not_dropped(self, tmp_path):
        rows = [billing_row(credits="[]"), billing_row(credits="[{'amount': -1")]
        warehouse = csv_warehouse(tmp_path, rows)
        assert warehouse.run(runner__max_reject_share=1).rejected == 1
        assert warehouse.column("reason", table="quarantine") == ["the credits, labels or tags are no lists"]

    MONEY = st.decimals(-1000, 1000, places=9)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(MONEY, st.lists(MONEY, max_size=6)), min_size=1, max_size=8))
    def test_the_sum_is_net_however_many_credits(self, connection, tmp_path_factory, charges):
        """Sum of cost = sum of the export's cost + sum of its credits, to the last digit."""
        rows = [
            billing_row(cost=f"{cost:f}", credits=[credit(f"{amount:f}") for amount in amounts])
            for cost, amounts in charges
        ]
        path = write_lines(tmp_path_factory.mktemp("net") / "billing.jsonl", rows)
        ((count, use, credited, quantity, refused),) = mapped(
            connection,
            path,
            "count(*), sum(cost) FILTER (charge_category = 'Usage'), "
            "coalesce(sum(cost) FILTER (charge_category = 'Credit'), 0), sum(quantity), count(_reject)",
        )
        every = [amount for _, amounts in charges for amount in amounts]
        assert (count, refused) == (len(charges) + len(every), 0)
        assert use == sum(cost for cost, _ in charges)
        assert credited == sum(every)
        assert quantity == 3600 * len(charges)


class TestTags:
    def test_labels_system_labels_and_tags_are_merged(self, load):
        row = billing_row(
            labels=pairs(team="web", empty=""),
            system_labels=pairs(
                **{
                    "compute.googleapis.com__machine_spec": "n1-standard-4",
                    "compute.googleapis.com__cores": "4",
                }
            ),
            tags=[*pairs(env="prod"), {"key": "cost", "value": "42", "inherited": True, "namespace": "123"}],
        )
        warehouse, _ = load(row)
        ((tags, machine),) = warehouse.query("SELECT tags, instance_type FROM activities")
        assert machine == "n1-standard-4"
        tags.pop("empty", None)
        assert tags == {
            "compute.googleapis.com/cores": "4",
            "compute.googleapis.com/machine_spec": "n1-standard-4",
            "cost": "42",
            "env": "prod",
            "team": "web",
        }
        assert list(tags) == sorted(tags)

    def test_the_users_own_label_wins(self, load):
        warehouse, _ = load(billing_row(labels=pairs(env="label"), tags=pairs(env="tag")))
        assert warehouse.column("tags") == [{"env": "label"}]

    @pytest.mark.parametrize("field", ["labels", "system_labels", "tags"])
    def test_any_of_them_alone(self, load, field):
        row = billing_row(**{field: pairs(a="1")})
        for other in {"labels", "system_labels", "tags"} - {field}:
            del row[other]
        warehouse, _ = load(row)
        assert warehouse.column("tags") == [{"a": "1"}]

    def test_none_is_null(self, load):
        assert load(billing_row())[0].column("tags") == [None]


def test_null_project_is_kept_and_a_number_stands_for_a_name_that_is_gone(load):
    rows = [
        billing_row(cost="1", project__id=None, project__number=None, project__name=None, cost_type="tax"),
        billing_row(cost="2", project__id=None, project__name=None),
    ]
    warehouse, result = load(*rows)
    assert result.rejected == 0
    found = warehouse.query("SELECT cost, account_id, account_name FROM activities ORDER BY cost")
    assert found == [(Decimal(1), None, None), (Decimal(2), "1234567890", None)]


def test_a_null_record_is_no_error(load):
    """BigQuery writes a NULL project as null, not as a record of NULLs."""
    row = {
        name: value for name, value in billing_row().items() if not name.startswith(("project.", "location."))
    }
    warehouse, result = load(row | {"project": None, "location": None})
    assert (result.status, result.rejected) == ("succeeded", 0)
    assert warehouse.query("SELECT account_id, region, location FROM activities") == [(None, None, "GLOBAL")]


def test_currency_differs_by_row(load):
    rows = [
        billing_row(cost="1", currency="USD"),
        billing_row(cost="2", currency="EUR"),
        billing_row(cost="4", currency="EUR"),
    ]
    warehouse, result = load(*rows)
    assert result.rejected == 0
    found = warehouse.query("SELECT currency, sum(cost) FROM activities GROUP BY ALL ORDER BY ALL")
    assert found == [("EUR", Decimal(6)), ("USD", Decimal(1))]


@pytest.mark.parametrize(
    ("usage", "found"),
    [
        ({"amount": 3600, "unit": "seconds"}, (3600.0, "seconds")),
        ({"amount": 0, "unit": "seconds", "amount_in_pricing_units": 5, "pricing_unit": "hour"}, (0.0, "seconds")),
        ({"amount": None, "unit": None, "amount_in_pricing_units": 2, "pricing_unit": "Furlongs"}, (2.0, "Furlongs")),
        ({"amount": None, "amount_in_pricing_units": None, "unit": None, "pricing_unit": None}, (None, None)),
    ],
)  # fmt: skip
def test_b134_quantity_is_in_base_units_and_pricing_units_stand_in(load, usage, found):
    warehouse, result = load(billing_row(**{f"usage__{name}": value for name, value in usage.items()}))
    assert result.rejected == 0
    assert warehouse.query("SELECT quantity, unit FROM activities") == [found]


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ({"location": "us-west1-b", "region": "us-west1"}, ("us-west1", "US-WEST")),
        ({"location": "europe-central2-a", "region": None}, ("europe-central2-a", "EU-CENTRAL")),
        ({"location": "us", "region": None}, ("us", "US")),
        ({"location": "de", "region": None}, ("de", "EU-CENTRAL")),
        ({"location": "global", "region": None}, ("global", "GLOBAL")),
        ({"location": None, "region": None}, (None, "GLOBAL")),
    ],
)  # fmt: skip
def test_b53_b132_places(load, place, found):
    warehouse, result = load(billing_row(**{f"location__{name}": value for name, value in place.items()}))
    assert result.status == "succeeded"
    assert warehouse.query("SELECT region, location FROM activities") == [found]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cost": None}, "the cost is missing"),
        ({"cost": "lots"}, "the cost is not a number"),
        ({"usage_start_time": "yesterday"}, "the usage start is missing or not a date"),
        ({"usage_end_time": None}, "the usage end is missing or not a date"),
        ({"billing_account_id": None}, "the billing account is missing"),
        ({"usage__amount": "lots"}, "the usage amount is not a number"),
        ({"usage_end_time": "2026-01-05 09:00:00 UTC"}, "the period ends before it starts"),
    ],
)
def test_bad_rows_are_refused_with_their_reason(load, changes, reason):
    warehouse, result = load(billing_row(), billing_row(**changes), reject=1)
    assert result.rejected == 1
    assert warehouse.facts() == (1, Decimal("1.25"))
    ((found, raw),) = warehouse.query("SELECT reason, CAST(raw AS VARCHAR) FROM quarantine")
    assert found == reason
    assert "Compute Engine" in raw


def test_partitions_are_invoice_months_not_months_of_use(load):
    rows = [
        billing_row(cost="1"),
        billing_row(cost="2", invoice__month="202602", usage_start_time="2026-01-31 23:00:00 UTC",
                    usage_end_time="2026-02-01 00:00:00 UTC"),
    ]  # fmt: skip
    warehouse, _ = load(*rows)
    found = warehouse.query("SELECT partition_key, sum(cost) FROM activities GROUP BY ALL ORDER BY ALL")
    assert found == [
        (f"files/{BILLING_ACCOUNT}/2026-01", Decimal(1)),
        (f"files/{BILLING_ACCOUNT}/2026-02", Decimal(2)),
    ]


@pytest.mark.parametrize("column", ["billing_account_id", "sku.id", "cost", "currency", "usage_start_time"])
def test_a_missing_column_is_named(tmp_path, column):
    row = billing_row()
    del row[column]
    warehouse = csv_warehouse(tmp_path, [row])
    (found,) = warehouse.run().partitions
    assert (found.outcome, found.error_class) == ("failed", "bad_request")
    assert "required columns are missing" in found.message
    assert column in found.message


def csv_warehouse(tmp_path, rows) -> Exports:
    import csv

    folder = tmp_path / "exports"
    folder.mkdir(exist_ok=True)
    with (folder / "billing.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return Exports(tmp_path / "ogf.duckdb", billing=folder)


def test_b130_csv_json_and_parquet_give_the_same_rows(tmp_path):
    """CSV with Python's and with JSON's lists, JSON lines and Parquet with BigQuery's types."""
    rows = [
        billing_row(
            cost=f"{n}.125",
            labels=pairs(team=f"t{n}"),
            credits=[credit(f"-0.{n}5"), credit("-0.5", name="x")],
        )
        for n in range(1, 5)
    ]

    def parsed(row):
        times = {
            name: dt.datetime.fromisoformat(row[name].replace(" UTC", "+00:00"))
            for name in ("usage_start_time", "usage_end_time", "export_time")
        }
        reliefs = [item | {"amount": float(item["amount"])} for item in row["credits"]]
        return row | times | {"cost": float(row["cost"]), "credits": reliefs}

    def texts(row, write):
        return {name: write(value) if isinstance(value, list) else value for name, value in row.items()}

    tables = {}
    for name in ("python", "json", "lines", "parquet"):
        root = tmp_path / name
        root.mkdir()
        if name == "lines":
            write_lines(root / "exports" / "billing.jsonl", rows)
            warehouse = Exports(root / "ogf.duckdb", billing=root / "exports")
        elif name == "parquet":
            write_parquet(root / "exports" / "billing.parquet", [parsed(row) for row in rows], SCHEMA)
            warehouse = Exports(root / "ogf.duckdb", billing=root / "exports")
        else:
            warehouse = csv_warehouse(
                root, [texts(row, str if name == "python" else json.dumps) for row in rows]
            )
        result = warehouse.run()
        assert (result.status, result.rejected) == ("succeeded", 0), name
        tables[name] = warehouse.table()
    assert len(tables["lines"]) == 12
    for name, table in tables.items():
        assert table == tables["lines"], name


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "cost": st.sampled_from(["1", "2"]),
            "usage.amount": st.sampled_from([1, 2]),
            "labels": st.sampled_from([[], pairs(a="1")]),
            "credits": st.sampled_from([[], [credit("-0.5")], [credit("-0.5"), credit("-0.25")]]),
        }
    ),
    min_size=1,
    max_size=8,
)


def lines_of(row) -> list[tuple[str, Decimal]]:
    """What tells a row's lines from others, and their costs."""
    own = json.dumps([row["cost"], row["labels"]])
    use = (f"{own} {row['usage.amount']}", Decimal(row["cost"]))
    return [use] + [(f"{own} {n}", Decimal(item["amount"])) for n, item in enumerate(row["credits"])]


@settings(max_examples=10, deadline=None)
@given(st.lists(ROWS, min_size=2, max_size=3))
def test_files_that_repeat_each_other_count_a_row_as_often_as_the_one_that_has_it_most(
    tmp_path_factory, files
):
    root = tmp_path_factory.mktemp("overlap")
    expected: Counter[tuple[str, Decimal]] = Counter()
    for number, rows in enumerate(files):
        write_lines(root / "exports" / f"{number}.jsonl", [billing_row() | row for row in rows])
        expected |= Counter(line for row in rows for line in lines_of(row))
    warehouse = Exports(root / "ogf.duckdb", billing=root / "exports")
    result = warehouse.run()
    assert (result.status, result.rejected) == ("succeeded", 0)
    cost = sum(cost * times for (_, cost), times in expected.items())
    assert warehouse.facts() == (expected.total(), cost)


def test_equal_rows_of_one_file_are_all_kept(load):
    """The export has no key: two equal rows are two charges."""
    warehouse, result = load(billing_row(), billing_row(), billing_row())
    assert result.rejected == 0
    assert warehouse.facts() == (3, Decimal("3.75"))


def test_rows_that_differ_in_amount_alone_are_all_kept_even_over_several_files(load):
    """A tier's change splits an hour's use of one SKU into two rows with the same times and labels."""
    rows = [billing_row(usage__amount=amount, cost=cost) for amount, cost in [(1, "0"), (2, "0"), (2, "0.5")]]
    warehouse, result = load(a=rows[:2], b=rows)
    assert (result.status, result.rejected) == ("succeeded", 0)
    assert warehouse.query("SELECT count(*), sum(quantity), sum(cost) FROM activities") == [
        (3, 5.0, Decimal("0.5"))
    ]
