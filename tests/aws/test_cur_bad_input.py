"""Damaged, odd and hostile Cost and Usage Reports: loaded exactly, quarantined with a reason, or one clear error.

Most cases are reports of their own in one folder, read by one run: so each also shows that it harms no other.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import re
import zipfile
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import pytest
from aws.cur_files import (
    ACCOUNT,
    PAYER,
    ROW,
    Warehouse,
    csv_file,
    folder_put,
    gz,
    legacy_manifest,
    line,
    lines,
    parquet_file,
    put_athena,
    put_export,
    put_legacy,
    s3_settings,
    zipped,
)

from ogf.errors import SourceError
from ogf.files import File
from ogf.files.table import open_table

if TYPE_CHECKING:
    from ogf.runner.report import PartitionOutcome, RunResult

MANY = 200  # one refused row among so many is below `max_reject_share`
TEN = csv_file(lines(10))
TEN_COST = Decimal("45.10")
PLAIN = csv_file(lines(MANY))
COST = sum((Decimal(item["line_item_unblended_cost"]) for item in lines(MANY)), Decimal(0))
PACKED = gz(PLAIN)


class Loaded(NamedTuple):
    """A report that loads exactly. `files` are the bodies, `others` more arguments of the delivery."""

    files: list[bytes]
    rows: int
    cost: Decimal
    suffix: str = "csv.gz"


class Refused(NamedTuple):
    """A report some rows of which are quarantined: rows kept, their cost, reasons."""

    files: list[bytes]
    rows: int
    cost: Decimal
    reasons: dict[str, int]
    suffix: str = "csv"


class Failed(NamedTuple):
    """A report that fails with one error."""

    files: list[bytes]
    error_class: str
    message: str
    suffix: str = "csv.gz"


def with_line(raw: bytes, *, at: int = 100) -> bytes:
    """PLAIN with one more line in the middle."""
    kept = PLAIN.splitlines(keepends=True)
    return b"".join([*kept[:at], raw, *kept[at:]])


def with_row(**changes: str) -> bytes:
    return csv_file([*lines(MANY // 2), line(**changes), *lines(MANY)[MANY // 2 :]])


def same_length(body: bytes, old: bytes, new: bytes) -> bytes:
    assert len(old) == len(new)
    assert old in body
    return body.replace(old, new)


def encrypted(body: bytes) -> bytes:
    """A zip whose member says that it is encrypted."""
    local, central = body.index(b"PK\x03\x04") + 6, body.index(b"PK\x01\x02") + 8
    flagged = bytearray(body)
    flagged[local] |= 1
    flagged[central] |= 1
    return bytes(flagged)


def stored(body: bytes, *, damage: bool = False) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.csv", body)
    return same_length(file.getvalue(), b"i-7", b"i-8") if damage else file.getvalue()


def corrupt(body: bytes, at: int) -> bytes:
    return body[:at] + bytes([body[at] ^ 0xFF]) + body[at + 1 :]


def one_cost(text: str) -> list[bytes]:
    return [csv_file([*lines(10), line(line_item_unblended_cost=text)])]


REORDERED = list(reversed(ROW))
FEWER = [name for name in ROW if not name.startswith("product_")]
TAGGED = [
    line(line_item_unblended_cost="1", **{"resourceTags/user:Team": "a", "resourceTags/user:team": "b"})
]
WIDE = csv_file([line(line_item_resource_id="x" * 300_000), *lines(10)])
TOO_WIDE = csv_file([line(line_item_resource_id="x" * (5 << 20)), *lines(MANY)])

LOADED = {
    "zero-bytes": Loaded([b""], 0, Decimal(0)),
    "gzip-of-nothing": Loaded([gz(b"")], 0, Decimal(0)),
    "zip-of-nothing": Loaded([zipped(b"")], 0, Decimal(0)),
    "header-only": Loaded([gz(csv_file([]))], 0, Decimal(0)),
    "header-only-no-line-end": Loaded([gz(csv_file([]).rstrip())], 0, Decimal(0)),
    "surplus-empty-part": Loaded([PACKED, b"", gz(b""), gz(csv_file([]))], MANY, COST),
    "plain": Loaded([PLAIN], MANY, COST, "csv"),
    "gzip": Loaded([PACKED], MANY, COST),
    "gzip-named-csv": Loaded([PACKED], MANY, COST, "csv"),
    "plain-named-gzip": Loaded([PLAIN], MANY, COST),
    "zip": Loaded([zipped(PLAIN)], MANY, COST, "zip"),
    "zip-stored": Loaded([stored(PLAIN)], MANY, COST, "zip"),
    "gzip-many-members": Loaded(
        [b"".join(gz(PLAIN[i : i + 999]) for i in range(0, len(PLAIN), 999))], MANY, COST
    ),
    "gzip-empty-members": Loaded([gz(b"") + gz(PLAIN) + gz(b"")], MANY, COST),
    "gzip-zero-padded": Loaded([PACKED + bytes(100)], MANY, COST),
    "bom": Loaded([b"\xef\xbb\xbf" + TEN], 10, TEN_COST),
    "bom-and-quotes": Loaded([b'\xef\xbb\xbf"' + TEN.replace(b",", b'",', 1)], 10, TEN_COST),
    "crlf": Loaded([csv_file(lines(10), end="\r\n")], 10, TEN_COST),
    "no-last-line-end": Loaded([TEN.rstrip()], 10, TEN_COST),
    "blank-line-at-the-end": Loaded([TEN + b"\n"], 10, TEN_COST),
    "reordered-parts": Loaded([TEN, csv_file(lines(10), header=REORDERED)], 20, 2 * TEN_COST),
    "parts-of-both-dialects": Loaded([TEN, csv_file(lines(10), legacy=False)], 20, 2 * TEN_COST),
    "columns-come": Loaded([csv_file(lines(10), header=FEWER), TEN], 20, 2 * TEN_COST),
    "exponent": Loaded(one_cost("7.5E-7"), 11, TEN_COST + Decimal("7.5E-7")),
    "exponent-lower": Loaded(one_cost("1.2e-17"), 11, TEN_COST + Decimal("1.2E-17")),
    "too-small": Loaded(one_cost("1e-20"), 11, TEN_COST),
    "eighteen-places": Loaded(
        one_cost("-0.123456789012345678"), 11, TEN_COST - Decimal("0.123456789012345678")
    ),
    "large": Loaded(one_cost("12345678901234567890.5"), 11, TEN_COST + Decimal("12345678901234567890.5")),
    "negative": Loaded(one_cost("-45.1"), 11, Decimal(0)),
    "null-text": Loaded(one_cost("NULL"), 11, TEN_COST),
    "no-cost": Loaded(one_cost(""), 11, TEN_COST),
    "no-amount": Loaded([csv_file(lines(10, line_item_usage_amount=""))], 10, TEN_COST),
    "twins": Loaded([csv_file([line()] * 3), csv_file([line()])], 4, 4 * Decimal("0.096")),
    "tags-by-case": Loaded([csv_file(TAGGED)], 1, Decimal(1)),
    "line-ends-in-fields": Loaded([csv_file(lines(10, line_item_operation='a\nb\r\n"c", d'))], 10, TEN_COST),
    "quotes-in-a-bare-field": Loaded([TEN.replace(b"RunInstances", b'Run"Instances"')], 10, TEN_COST),
    "long-line": Loaded([WIDE], 11, TEN_COST + Decimal("0.096")),
    "hash-signs": Loaded([TEN.replace(b"RunInstances", b"Run # not a comment")], 10, TEN_COST),
    "semicolons": Loaded([TEN.replace(b"RunInstances", b"Run;Instances\tNow")], 10, TEN_COST),
    "backslashes": Loaded([TEN.replace(b"RunInstances", b'"Run\\""Instances\\"')], 10, TEN_COST),
    "letters": Loaded([csv_file(lines(10, line_item_operation="ünïcödé 时间 🌍"))], 10, TEN_COST),
}

REFUSED = {
    "short-line": Refused([with_line(b"a,b,c\n")], MANY, COST, {"line 101: missing columns": 1}),
    "long-line-of-fields": Refused(
        [with_line(b"a" * 3 + b",x" * 40 + b"\n")], MANY, COST, {"line 101: too many columns": 1}
    ),
    "cost-nan": Refused(
        [with_row(line_item_unblended_cost="NaN")], MANY, COST, {"the unblended cost is not a number": 1}
    ),
    "cost-infinite": Refused(
        [with_row(line_item_unblended_cost="-inf")], MANY, COST, {"the unblended cost is not a number": 1}
    ),
    "cost-word": Refused(
        [with_row(line_item_unblended_cost="many")], MANY, COST, {"the unblended cost is not a number": 1}
    ),
    "cost-too-large": Refused(
        [with_row(line_item_unblended_cost="1e30")], MANY, COST, {"the unblended cost is not a number": 1}
    ),
    "amount-nan": Refused(
        [with_row(line_item_usage_amount="NaN")], MANY, COST, {"the quantity is not a finite number": 1}
    ),
    "amount-infinite": Refused(
        [with_row(line_item_usage_amount="Infinity")], MANY, COST, {"the quantity is not a finite number": 1}
    ),
    "amount-word": Refused(
        [with_row(line_item_usage_amount="1,5")], MANY, COST, {"the usage amount is not a number": 1}
    ),
    "start-no-date": Refused(
        [with_row(line_item_usage_start_date="2026-02-30T00:00:00Z")],
        MANY,
        COST,
        {"the usage start is missing or not a date": 1},
    ),
    "start-word": Refused(
        [with_row(line_item_usage_start_date="yesterday")],
        MANY,
        COST,
        {"the usage start is missing or not a date": 1},
    ),
    "end-missing": Refused(
        [with_row(line_item_usage_end_date="")], MANY, COST, {"the usage end is missing or not a date": 1}
    ),
    "end-before-start": Refused(
        [with_row(line_item_usage_end_date="2025-12-31T23:00:00Z")],
        MANY,
        COST,
        {"the period ends before it starts": 1},
    ),
    "no-account": Refused(
        [with_row(line_item_usage_account_id="NULL")], MANY, COST, {"the usage account id is missing": 1}
    ),
    "no-product": Refused(
        [with_row(line_item_product_code="")], MANY, COST, {"the product code is missing": 1}
    ),
    "two-reasons": Refused(
        [with_row(line_item_product_code=""), with_line(b"cut,off\n")],
        2 * MANY,
        2 * COST,
        {"the product code is missing": 1, "line 101: missing columns": 1},
    ),
    "line-too-long": Refused([TOO_WIDE], MANY, COST, {"line 2: line size over maximum": 1}),
}

FAILED = {
    "gzip-garbage-behind": Failed([PACKED + b"garbage"], "bad_request", "damaged"),
    "gzip-bad-checksum": Failed([corrupt(PACKED, len(PACKED) - 8)], "bad_request", "damaged"),
    "gzip-bad-length": Failed([corrupt(PACKED, len(PACKED) - 1)], "bad_request", "damaged"),
    "gzip-bad-header": Failed([corrupt(PACKED, 2)], "bad_request", "damaged"),
    "gzip-bad-middle": Failed([corrupt(PACKED, len(PACKED) // 2)], "bad_request", "damaged"),
    "gzip-second-member-cut": Failed([PACKED + gz(PLAIN)[:-20]], "bad_request", "damaged"),
    "one-of-three-cut": Failed([PACKED, PACKED[:-1], PACKED], "bad_request", "damaged"),
    "zip-of-two": Failed([zipped(PLAIN, PLAIN)], "bad_request", "the zip holds 2 files", "zip"),
    "zip-of-none": Failed([zipped()], "bad_request", "not a CSV|holds 0 files", "zip"),
    "zip-cut": Failed([zipped(PLAIN)[:-30]], "bad_request", "damaged", "zip"),
    "zip-bad-checksum": Failed([stored(PLAIN, damage=True)], "bad_request", "damaged", "zip"),
    "zip-encrypted": Failed([encrypted(zipped(PLAIN))], "bad_request", "encrypted", "zip"),
    "not-utf-8": Failed(
        [with_row(line_item_operation="Aé").replace("Aé".encode(), b"A\xe9")],
        "bad_request",
        "is not UTF-8",
        "csv",
    ),
    "utf-8-cut": Failed(
        [csv_file([line(product_instance_type="é")])[:-2]], "bad_request", "is not UTF-8", "csv"
    ),
    "utf-16": Failed([TEN.decode().encode("utf-16")], "bad_request", "not UTF-8", "csv"),
    "hive-text": Failed([TEN.replace(b",", b"\x01")], "bad_request", "control characters", "csv"),
    "no-cost-column": Failed(
        [csv_file(lines(10), header=[name for name in ROW if name != "line_item_unblended_cost"])],
        "bad_request",
        r"line_item_unblended_cost \(lineItem/UnblendedCost\)",
    ),
    "no-cost-column-in-one-part": Failed(
        [TEN, csv_file(lines(10), header=FEWER[:-4])], "bad_request", "required columns are missing"
    ),
    "no-report": Failed([b"a,b\n1,2\n"], "bad_request", "required columns are missing"),
    "blank-first-line": Failed([b"\n" + TEN], "bad_request", "header"),
    "no-header": Failed([TEN.partition(b"\n")[2]], "bad_request", "required columns are missing"),
    "many-bad-rows": Failed(
        [csv_file([*lines(98), *[line(line_item_unblended_cost="x")] * 2])],
        "bad_request",
        "2 of 100 rows were refused",
    ),
    "open-quote": Failed([TEN.replace(b"i-5,", b'"i-5,')], "bad_request", "of .* rows were refused"),
    "parquet-cut": Failed(
        [parquet_file(lines(MANY))[:-9]], "bad_request", "DuckDB cannot read", "snappy.parquet"
    ),
    "parquet-no-end": Failed([b"PAR1" + bytes(100)], "bad_request", "DuckDB cannot read", "snappy.parquet"),
    "parquet-corrupt": Failed(
        [b"PAR1" + bytes(60) + parquet_file(lines(MANY))[64:]],
        "bad_request",
        "DuckDB cannot read",
        "snappy.parquet",
    ),
}


class Read(NamedTuple):
    """What the one run made of all reports. The cases that load are parts of one report, told apart by `source`."""

    warehouse: Warehouse
    result: RunResult

    def outcome(self, report: str) -> PartitionOutcome:
        (found,) = [
            item for item in self.result.partitions if item.key == f"billing/{PAYER}/{report}/2026-01"
        ]
        return found

    def facts(self, case: str) -> tuple[int, Decimal]:
        (found,) = self.warehouse.query(
            f"SELECT count(*), coalesce(sum(cost), 0) FROM activities WHERE contains(source, '/{case}.')"
        )
        return found

    def values(self, case: str, expression: str) -> list[object]:
        return self.warehouse.column(
            expression, table=f"(FROM activities WHERE contains(source, '/{case}.'))"
        )


def put_parts(put, report: str, cases) -> None:
    """Deliver many cases as the parts of one report."""
    parts = {
        f"{name}.{n}.{case.suffix}": body for name, case in cases.items() for n, body in enumerate(case.files)
    }
    for key, body in parts.items():
        put(f"{report}/{key}", body)
    manifest = legacy_manifest(list(parts), month="2026-01", assembly="assembly-1", report=report)
    put(f"{report}/{report}-Manifest.json", manifest)


@pytest.fixture(scope="module")
def read(tmp_path_factory) -> Read:
    root = tmp_path_factory.mktemp("bad")
    put = folder_put(root / "exports")
    put_parts(put, "loaded", LOADED)
    put_parts(put, "refused", REFUSED)
    for report, case in FAILED.items():
        put_legacy(put, case.files, report=report, prefix="", suffix=case.suffix)
    warehouse = Warehouse(root / "ogf.duckdb", root / "exports")
    return Read(warehouse, warehouse.run())


def test_what_is_odd_but_whole_makes_no_notice(read):
    outcome = read.outcome("loaded")
    assert (outcome.outcome, outcome.message, outcome.notices) == ("loaded", "", [])
    assert (outcome.rows, outcome.rejected) == (sum(case.rows for case in LOADED.values()), 0)


@pytest.mark.parametrize("case", LOADED)
def test_is_loaded_exactly(read, case):
    assert read.facts(case) == (LOADED[case].rows, LOADED[case].cost)


@pytest.mark.parametrize("case", REFUSED)
def test_b87_good_rows_are_stored_and_bad_ones_quarantined_with_their_reason(read, case):
    assert read.facts(case) == (REFUSED[case].rows, REFUSED[case].cost)
    found = read.warehouse.query(
        f"SELECT reason, count(*) FROM quarantine WHERE contains(source, '/{case}.') GROUP BY ALL"
    )
    assert dict(found) == REFUSED[case].reasons


def test_b87_a_partition_with_refused_rows_says_so(read):
    outcome = read.outcome("refused")
    assert outcome.outcome == "loaded"
    assert outcome.rejected == sum(sum(case.reasons.values()) for case in REFUSED.values())
    assert any(notice.startswith("rejected: ") for notice in outcome.notices)


@pytest.mark.parametrize("report", FAILED)
def test_is_one_clear_error_and_no_row(read, report):
    case, outcome = FAILED[report], read.outcome(report)
    assert outcome.outcome == "failed"
    assert outcome.error_class == case.error_class
    assert re.search(case.message, outcome.message)
    assert outcome.hint
    assert read.values(f"{report}-1", "count(*)") == [0]


def test_b87_the_run_is_partial_and_names_what_failed(read):
    assert read.result.status == "partial"
    assert read.result.exit_code() == 3
    assert {item.key.split("/")[2] for item in read.result.partitions if item.outcome == "failed"} == set(
        FAILED
    )


def test_a_quarantined_row_can_be_read_as_the_file_wrote_it(read):
    rows = dict(read.warehouse.query("SELECT parse_filename(source), raw FROM quarantine"))
    assert '"line_item_unblended_cost":"NaN"' in rows["cost-nan.0.csv"]
    assert rows["short-line.0.csv"] == "a,b,c"
    sources = read.warehouse.column("DISTINCT source", table="quarantine")
    assert all(source.startswith("file://") and source.endswith(".csv") for source in sources)


class TestValues:
    def test_leading_zeros_stay(self, read):
        assert set(read.values("gzip", "account_id")) == {ACCOUNT}
        assert set(read.values("gzip", "billing_account_id")) == {"000000000042"}

    def test_a_null_text_is_null_and_no_zero(self, read):
        assert read.values("null-text", "cost").count(None) == 1
        assert read.values("no-amount", "quantity") == [None] * 10
        assert read.values("too-small", "cost").count(Decimal(0)) == 1

    def test_tags_that_differ_by_case_stay_two(self, read):
        assert read.values("tags-by-case", "tags") == [{"user:Team": "a", "user:team": "b"}]

    def test_fields_are_not_shifted_cut_or_cleaned(self, read):
        assert set(read.values("line-ends-in-fields", "operation")) == {'a\nb\r\n"c", d'}
        assert set(read.values("quotes-in-a-bare-field", "operation")) == {'Run"Instances"'}
        assert set(read.values("backslashes", "operation")) == {'Run\\"Instances\\'}
        assert set(read.values("letters", "operation")) == {"ünïcödé 时间 🌍"}
        assert set(read.values("crlf", "instance_type")) == {"m5.large"}
        assert max(map(len, read.values("long-line", "resource_id"))) == 300_000

    def test_columns_are_found_by_name_part_by_part(self, read):
        for report in ("reordered-parts", "parts-of-both-dialects"):
            assert Counter(read.values(report, "resource_id")) == Counter([f"i-{n}" for n in range(10)] * 2)
            assert set(read.values(report, "instance_type")) == {"m5.large"}
        assert read.values("columns-come", "instance_type") == ["m5.large"] * 20  # the usage type says it too

    def test_identical_rows_are_all_kept_with_one_id(self, read):
        assert len(set(read.values("twins", "activity_id"))) == 1


# Every 5 % of the file, within the trailer (the last 8 bytes) and within the header.
CUTS = sorted(
    {len(PACKED) * percent // 100 for percent in range(5, 100, 5)}
    | {len(PACKED) - count for count in range(1, 10)}
    | {1, 2, 3, 9}
)


@pytest.mark.parametrize("cut", CUTS)
def test_b129_reading_a_gzip_file_that_is_cut_is_an_error(tmp_path, cut):
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(PACKED[:cut])
    with duckdb.connect(config={"threads": 1}) as connection, pytest.raises(SourceError) as caught:  # noqa: PT012
        table = open_table(File(path, path.as_uri(), "", owned=True), connection=connection, scratch=tmp_path)
        with contextlib.suppress(duckdb.Error):
            connection.execute(f"SELECT count(*) FROM {table.source}").fetchall()
        table.close()
    assert caught.value.error_class == "bad_request"
    assert re.search("damaged or cut short|control characters|not UTF-8", caught.value.message)
    assert [item.name for item in tmp_path.iterdir()] == ["cut.csv.gz"]


def test_b129_a_cut_part_fails_its_partition_and_no_row_of_the_others_is_seen(tmp_path):
    put = folder_put(tmp_path / "exports")
    for cut in (len(PACKED) // 2, len(PACKED) - 4):
        put_legacy(put, [PACKED, PACKED[:cut], PACKED], report=f"cut-{cut}")
    put_legacy(put, [PACKED, PACKED], report="whole")
    warehouse, result = run(tmp_path)
    assert (result.status, result.count("failed")) == ("partial", 2)
    assert warehouse.facts() == (2 * MANY, 2 * COST)


def run(tmp_path, **settings):
    warehouse = Warehouse(tmp_path / "ogf.duckdb", tmp_path / "exports", **settings)
    return warehouse, warehouse.run()


MANIFESTS = {
    "no-json": (b"{", "not valid JSON"),
    "no-utf-8": (b'{"assemblyId": "\xff"}', "not valid JSON"),
    "no-object": (b"[]", "not a JSON object"),
    "empty": (b"", "not valid JSON"),
    "no-version": (legacy_manifest(["a.csv"], month="2026-01", assembly="", report="r"), "`assemblyId`"),
    "no-period": (
        legacy_manifest(
            ["a.csv"], month="2026-01", assembly="a", report="r", billingPeriod={"begin": "20260101"}
        ),
        "`billingPeriod.start`",
    ),
    "no-list": (
        legacy_manifest([], month="2026-01", assembly="a", report="r", reportKeys="a.csv"),
        "`reportKeys` or `dataFiles`",
    ),
    "no-names": (
        legacy_manifest([], month="2026-01", assembly="a", report="r", reportKeys=[{"size": 1}]),
        "without a name",
    ),
    "no-data-file": (legacy_manifest(["a.sql"], month="2026-01", assembly="a", report="r"), "no data file"),
    "file-missing": (
        legacy_manifest(["gone.csv"], month="2026-01", assembly="a", report="r"),
        "there is no file",
    ),
}


@pytest.fixture(scope="module")
def manifests(tmp_path_factory):
    """One run over a good report and all the broken manifests; each broken one fails alone."""
    root = tmp_path_factory.mktemp("manifests")
    put = folder_put(root / "exports")
    put_legacy(put, [TEN])
    for name, (body, _) in MANIFESTS.items():
        put(f"{name}/{name}-Manifest.json", body)
    return run(root)


@pytest.mark.parametrize("name", MANIFESTS)
def test_b15_a_broken_manifest_is_one_error_that_names_key_and_field(manifests, name):
    warehouse, result = manifests
    (outcome,) = [
        item
        for item in result.partitions
        if name in item.key or (name == "file-missing" and "/r/" in item.key)
    ]
    assert outcome.outcome == "failed"
    assert outcome.error_class == ("not_found" if name == "file-missing" else "bad_request")
    assert MANIFESTS[name][1] in outcome.message
    assert outcome.hint
    assert warehouse.facts() == (10, TEN_COST)


def test_b15_a_brand_new_month_without_files_is_zero_rows(tmp_path):
    put_legacy(folder_put(tmp_path / "exports"), [])
    warehouse, result = run(tmp_path)
    assert (result.status, result.count("loaded"), warehouse.facts()) == ("succeeded", 1, (0, None))
    put_legacy(folder_put(tmp_path / "exports"), [TEN], assembly="assembly-2")
    assert warehouse.run().status == "succeeded"
    assert warehouse.facts() == (10, TEN_COST)


def test_a_file_that_the_manifest_names_may_come_later(tmp_path):
    put = folder_put(tmp_path / "exports")
    put_legacy(put, [TEN, TEN])
    late = tmp_path / "exports/exports/hourly/20260101-20260201/assembly-1/hourly-2.csv.gz"
    late.unlink()
    warehouse, result = run(tmp_path)
    assert result.status == "failed"
    assert "hourly-2.csv.gz" in result.message
    assert warehouse.facts() == (0, None)
    put("exports/hourly/20260101-20260201/assembly-1/hourly-2.csv.gz", TEN)
    assert warehouse.run().status == "succeeded"
    assert warehouse.facts() == (20, 2 * TEN_COST)


def test_a_failed_delivery_leaves_the_rows_of_the_one_before(tmp_path):
    put = folder_put(tmp_path / "exports")
    put_legacy(put, [TEN])
    warehouse, _ = run(tmp_path)
    put_legacy(put, [PACKED[:-1]], assembly="assembly-2")
    assert warehouse.run().status == "failed"
    assert warehouse.facts() == (10, TEN_COST)
    put_legacy(put, [PACKED], assembly="assembly-3")
    assert warehouse.run().status == "succeeded"
    assert warehouse.facts() == (MANY, COST)


def test_stale_parts_and_assemblies_that_the_manifest_does_not_name_are_not_read(tmp_path):
    put = folder_put(tmp_path / "exports")
    put_legacy(put, [PACKED] * 3, assembly="assembly-1")
    put_legacy(put, [TEN], assembly="assembly-2")
    put("exports/hourly/20260101-20260201/assembly-2/hourly-2.csv.gz", PACKED)
    put_legacy(put, [PACKED] * 2, report="over", overwrite=True)
    put_legacy(put, [TEN], report="over", overwrite=True, assembly="assembly-2")
    put_export(put, [gz(csv_file(lines(10), legacy=False))])
    put("exports/cur2/data/BILLING_PERIOD=2026-01/cur2-00002.csv.gz", gz(b""))
    put("exports/cur2/data/BILLING_PERIOD=2026-01/cur2-00003.csv.gz", PACKED)
    warehouse, result = run(tmp_path)
    assert result.status == "succeeded"
    assert warehouse.query("SELECT partition_key, count(*) FROM activities GROUP BY ALL ORDER BY ALL") == [
        (f"billing/{PAYER}/hourly/2026-01", 10),
        (f"billing/{PAYER}/over/2026-01", 10),
        ("billing/cur2/2026-01", 10),
    ]


class TestParquet:
    def load(self, tmp_path, *files, **settings):
        put_athena(folder_put(tmp_path / "exports"), files)
        return run(tmp_path, **settings)

    def test_doubles_that_are_no_numbers_are_quarantined(self, tmp_path):
        bad = [
            line(line_item_unblended_cost="nan"),
            line(line_item_unblended_cost="inf"),
            line(line_item_unblended_cost="-inf"),
            line(line_item_usage_amount="nan"),
        ]
        warehouse, result = self.load(tmp_path, parquet_file([*lines(2 * MANY), *bad]))
        assert result.status == "partial"
        assert warehouse.facts()[0] == 2 * MANY
        assert math.isfinite(warehouse.facts()[1])
        assert warehouse.query("SELECT reason, count(*) FROM quarantine GROUP BY ALL ORDER BY ALL") == [
            ("the quantity is not a finite number", 1),
            ("the unblended cost is not a number", 3),
        ]

    def test_tags_that_differ_by_case_stay_apart(self, tmp_path):
        names = [f"resource_tags_user_{number}name" for number in (1, 2, 3)]
        body = parquet_file([line(**dict(zip(names, "abc", strict=True)))])
        for name, new in zip(names, ("Aname", "aname", "aNAME"), strict=True):
            body = same_length(body, name.encode(), f"resource_tags_user_{new}".encode())
        warehouse, result = self.load(tmp_path, body)
        assert result.status == "succeeded"
        assert warehouse.column("tags") == [{"user_Aname": "a", "user_aNAME": "c", "user_aname": "b"}]

    def test_columns_of_other_types_are_read_by_value(self, tmp_path):
        changed = lines(10, resource_tags_user_number="7", resource_tags_user_name="x")
        body = parquet_file(
            changed,
            line_item_unblended_cost="DECIMAL(20,9)",
            line_item_usage_amount="INTEGER",
            line_item_usage_start_date="TIMESTAMP_NS",
            line_item_usage_end_date="TIMESTAMPTZ",
            bill_billing_period_start_date="DATE",
            resource_tags_user_number="INTEGER",
        )
        warehouse, result = self.load(tmp_path, body, parquet_file(lines(10)))
        assert (result.status, result.message) == ("succeeded", "")
        assert warehouse.facts() == (20, 2 * TEN_COST)
        assert warehouse.column("DISTINCT tags") == [{"user_name": "x", "user_number": "7"}, None]
        assert len(warehouse.column("DISTINCT activity_id")) == 10

    def test_a_tag_column_of_numbers_alone_is_text(self, tmp_path):
        body = parquet_file(lines(10, resource_tags_user_number=""), resource_tags_user_number="INTEGER")
        warehouse, result = self.load(tmp_path, body)
        assert (result.status, result.message) == ("succeeded", "")
        assert warehouse.column("DISTINCT tags") == [None]

    def test_a_damaged_page_fails_the_partition(self, tmp_path):
        put = folder_put(tmp_path / "exports")
        whole = parquet_file(lines(MANY))
        for number, at in enumerate(range(4, len(whole), len(whole) // 8)):
            put_athena(put, [whole[:at]], report=f"cut-{number}", prefix="")
        warehouse, result = run(tmp_path)
        assert {item.outcome for item in result.partitions} == {"failed"}
        assert {item.error_class for item in result.partitions} == {"bad_request"}
        assert warehouse.facts() == (0, None)


class TestOverwriteWhileReading:
    def test_a_local_file_that_is_replaced_after_planning_is_planned_again(self, tmp_path):
        put = folder_put(tmp_path / "exports")
        put_legacy(put, [PACKED, PACKED], overwrite=True)
        warehouse = Warehouse(tmp_path / "ogf.duckdb", tmp_path / "exports")
        result = warehouse.run(between=lambda: put_legacy(put, [TEN], overwrite=True, assembly="assembly-2"))
        assert (result.status, result.message) == ("succeeded", "")
        assert warehouse.facts() == (10, TEN_COST)
        assert warehouse.run().count("unchanged") == 1

    def test_a_new_assembly_beside_the_one_being_read_is_planned_again(self, tmp_path):
        """Only the manifest changed: the files of the old assembly are all still there."""
        put = folder_put(tmp_path / "exports")
        put_legacy(put, [PACKED])
        warehouse = Warehouse(tmp_path / "ogf.duckdb", tmp_path / "exports")
        assert (
            warehouse.run(between=lambda: put_legacy(put, [TEN], assembly="assembly-2")).status == "succeeded"
        )
        assert warehouse.facts() == (10, TEN_COST)

    def test_a_source_that_never_rests_fails_and_leaves_nothing(self, tmp_path, monkeypatch):
        put_legacy(folder_put(tmp_path / "exports"), [TEN])
        warehouse = Warehouse(tmp_path / "ogf.duckdb", tmp_path / "exports")
        monkeypatch.setattr("ogf_aws.exports.discovery.still_current", lambda *args: False)
        result = warehouse.run()
        assert result.status == "failed"
        assert "changed while it was being read" in result.message
        assert result.hint
        assert warehouse.facts() == (0, None)

    def test_an_object_that_is_replaced_after_planning_is_planned_again(self, bucket, tmp_path):
        put_legacy(bucket.put, [PACKED, PACKED], overwrite=True)
        warehouse = Warehouse(tmp_path / "ogf.duckdb", f"s3://{bucket.name}/exports", **s3_settings(bucket))
        result = warehouse.run(
            between=lambda: put_legacy(bucket.put, [TEN], overwrite=True, assembly="assembly-2")
        )
        assert (result.status, result.message) == ("succeeded", "")
        assert warehouse.facts() == (10, TEN_COST)

    def test_a_loose_file_that_is_replaced_after_planning_is_planned_again(self, tmp_path):
        put = folder_put(tmp_path / "exports")
        put("a.csv.gz", PACKED)
        warehouse = Warehouse(tmp_path / "ogf.duckdb", tmp_path / "exports")
        assert warehouse.run(between=lambda: put("a.csv.gz", gz(TEN))).status == "succeeded"
        assert warehouse.facts() == (10, TEN_COST)


def test_a_truncated_loose_file_is_one_error_and_the_others_load(tmp_path):
    put = folder_put(tmp_path / "exports")
    put("a.csv.gz", gz(TEN))
    put("b.csv.gz", PACKED[: len(PACKED) // 2])
    put("c.csv", b"")
    put("d.csv", b"not,a,report\n1,2,3\n")
    put("e.csv", TEN.splitlines(keepends=True)[0] + b"cut,off\n")
    put("f.parquet", b"PAR1 no parquet")
    warehouse, result = run(tmp_path)
    assert result.status == "partial"
    assert warehouse.facts() == (10, TEN_COST)
    failed = {item.key: item.message for item in result.partitions if item.outcome == "failed"}
    assert "damaged or cut short" in failed["files/b.csv.gz"]
    assert "required columns are missing" in failed["files/d.csv"]
    assert "no line is whole" in failed["files/e.csv"]
    assert "cannot read" in failed["files/f.parquet"]


def test_gzip_bodies_of_python_are_what_these_tests_think():
    assert gzip.decompress(PACKED) == PLAIN
