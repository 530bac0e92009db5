"""Runs of cost exports: how they are found, which one counts, what is refused. In folders and on Azurite."""

from __future__ import annotations

import csv
import gzip
import io
import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aws.cur_files import Warehouse
from azure.azurite import ACCOUNT, access_token, azurite

from ogf import config, plugins
from ogf.errors import SourceError
from ogf.runner.run import ProviderRun
from ogf_azure.exports.manifests import parse

__all__ = ["azurite"]

SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
SCOPE = f"/subscriptions/{SUBSCRIPTION}"
HEADER = [
    "BillingAccountId",
    "BillingPeriodStartDate",
    "SubscriptionId",
    "SubscriptionName",
    "Date",
    "MeterCategory",
    "MeterName",
    "Quantity",
    "CostInBillingCurrency",
    "BillingCurrencyCode",
    "ResourceLocation",
    "ResourceId",
    "UnitOfMeasure",
    "ChargeType",
    "Tags",
]


@cache
def plugin() -> plugins.Plugin:
    return plugins.load("azure")


class Exports(Warehouse):
    """A warehouse that is filled from a stream's exports: `Exports(path, actual_cost=folder)`."""

    def __init__(self, path: Path, *, settings: dict[str, Any] | None = None, **locations: object) -> None:
        super().__init__(path, "")
        self.settings = {"warehouse.path": str(path), "runner.workers": 2} | {
            f"ingestion.azure.{stream}.location": str(place) for stream, place in locations.items()
        }
        self.settings |= settings or {}

    def provider_run(self, *, reporter: Any = None, **settings: Any) -> ProviderRun:
        overrides = self.settings | {name.replace("__", "."): value for name, value in settings.items()}
        nothing = self.path.with_suffix(".yaml")  # whatever ogf.yaml lies in the working directory
        nothing.write_text("")
        loaded = config.load(
            path=nothing,
            environ={},
            overrides=overrides,
            providers={"azure": plugin().provider.settings},
            installed=["azure"],
        )
        return ProviderRun(plugin(), loaded, reporter=reporter)


def rows(*costs: str, month: str = "2026-01") -> list[dict[str, str]]:
    year, number = month.split("-")
    return [
        {
            "BillingAccountId": "12345678",
            "BillingPeriodStartDate": f"{number}/01/{year}",
            "SubscriptionId": SUBSCRIPTION,
            "SubscriptionName": "Shop",
            "Date": f"{number}/05/{year}",
            "MeterCategory": "Virtual Machines",
            "MeterName": f"D2 v3 {index}",
            "Quantity": "24",
            "CostInBillingCurrency": cost,
            "BillingCurrencyCode": "EUR",
            "ResourceLocation": "westeurope",
            "ResourceId": f"{SCOPE}/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/vm{index}",
            "UnitOfMeasure": "1 Hour",
            "ChargeType": "Usage",
            "Tags": '"env": "prod"',
        }
        for index, cost in enumerate(costs)
    ]


def csv_file(*costs: str, month: str = "2026-01", end: str = "\r\n") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER, lineterminator=end)
    writer.writeheader()
    writer.writerows(rows(*costs, month=month))
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def manifest(
    blobs: Any,
    *,
    month: str = "2026-01",
    run: str = "00000000-0000-4000-8000-0000000000a1",
    submitted: str = "2026-02-03T18:33:03.1032074Z",
    export: str = "daily",
    kind: str = "ActualCost",
    scope: str = SCOPE,
    **fields: Any,
) -> dict[str, Any]:
    return {
        "byteCount": 1,
        "blobCount": len(blobs or ()),
        "exportConfig": {
            "exportName": export,
            "resourceId": f"{scope}/providers/Microsoft.CostManagement/exports/{export}",
            "type": kind,
        },
        "deliveryConfig": {"partitionData": True, "fileFormat": "Csv"},
        "runInfo": {"submittedTime": submitted, "runId": run, "startDate": f"{month}-01T00:00:00"},
        "blobs": blobs,
    } | fields


class Place:
    """Where exports are delivered to: `put(key, body)`, into a folder or a container."""

    def __init__(self, put: Any) -> None:
        self.put = put

    def deliver(
        self,
        files: list[bytes],
        *,
        folder: str = "daily/20260101-20260131/run1",
        root: str = "costs/",
        counted: list[int] | None = None,
        name: str = "manifest.json",
        suffix: str = "csv",
        **fields: Any,
    ) -> None:
        """One run: its parts, then its manifest. Blob names begin at the container, `root` is above the location."""
        blobs = []
        for number, body in enumerate(files):
            key = f"{folder}/part_{number}_0001.{suffix}"
            self.put(key, body)
            blobs.append({"blobName": f"{root}{key}", "byteCount": len(body)})
            if counted:
                blobs[-1]["dataRowCount"] = counted[number]
        listed = fields.pop("listed", blobs)
        self.put(
            f"{folder}/{name}", json.dumps(manifest(listed, **{"blobCount": len(blobs)} | fields)).encode()
        )


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "exports"


@pytest.fixture
def place(folder) -> Place:
    def put(key: str, body: bytes) -> None:
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    return Place(put)


@pytest.fixture
def local(tmp_path, folder) -> Exports:
    return Exports(tmp_path / "ogf.duckdb", actual_cost=folder)


def test_a_run_of_two_parts_is_one_partition_of_its_month(place, local):
    place.deliver([csv_file("1.25", "2"), csv_file("0.5")])
    result = local.run()
    (outcome,) = result.partitions
    assert (result.status, outcome.key) == ("succeeded", f"subscriptions/{SUBSCRIPTION}/ActualCost/2026-01")
    assert local.facts() == (3, Decimal("3.75"))
    assert local.run().count("unchanged") == 1


@pytest.mark.parametrize("root", ["costs/", "", "container/deep/er/"])
def test_a_manifest_is_found_by_its_name_wherever_it_lies(place, local, root):
    for month, where in (("2026-01", "a/b/c"), ("2026-02", "x"), ("2026-03", "20200101-20200131/y")):
        place.deliver([csv_file("1", month=month)], folder=where, root=root, month=month)
    assert sorted(item.key[-7:] for item in local.run().partitions) == ["2026-01", "2026-02", "2026-03"]
    assert local.facts() == (3, Decimal(3))


def test_blobs_may_lie_where_their_names_lead_and_not_beside_the_manifest(place, local):
    place.put("data/run1/part_0.csv", csv_file("7"))
    named = [{"blobName": "container/data/run1/part_0.csv"}]
    place.put("manifests/manifest.json", json.dumps(manifest(named)).encode())
    local.run()
    assert local.facts() == (1, Decimal(7))


def test_the_newest_run_of_a_month_wins_whatever_its_folder_is_called(place, local):
    place.deliver([csv_file("5")], folder="daily/z", run="b", submitted="2026-02-03T18:33:03Z")
    place.deliver([csv_file("6", "1")], folder="daily/a", run="a", submitted="2026-02-03T18:33:03.5Z")
    place.deliver([csv_file("9")], folder="daily/m", run="c", submitted="2026-01-31T23:00:00Z")
    result = local.run()
    assert (result.count("loaded"), local.facts()) == (1, (2, Decimal(7)))
    place.deliver([csv_file("8")], folder="daily/0", run="d", submitted="2026-02-04T00:00:00Z")
    assert local.run().count("loaded") == 1
    assert local.facts() == (1, Decimal(8))


def test_two_exports_of_one_month_the_newest_counts_and_a_note_names_both(place, local):
    place.deliver([csv_file("5")], folder="mtd/1", export="mtd")
    place.deliver([csv_file("6")], folder="last/1", export="last-month", submitted="2026-02-05T00:00:00Z")
    result = local.run()
    assert (result.status, local.facts()) == ("succeeded", (1, Decimal(6)))
    (note,) = result.notices
    assert "last-month, mtd" in note
    assert "of last-month, was read" in note


def test_a_newer_run_of_fewer_days_does_not_replace_the_month(place, local):
    place.deliver([csv_file("1.5", "2.5")])
    assert local.run().status == "succeeded"
    late = {"runId": "00000000-0000-4000-8000-0000000000a9", "submittedTime": "2026-02-09T00:00:00Z"}
    place.deliver(
        [csv_file("9")],
        folder="weekly/20260125-20260131/run2",
        runInfo=late | {"startDate": "2026-01-25T00:00:00"},
    )
    (outcome,) = local.run().partitions
    assert (outcome.outcome, outcome.error_class) == ("failed", "bad_request")
    assert "starts on 2026-01-25; an older run covers more of 2026-01" in outcome.message
    assert local.facts() == (2, Decimal(4))


def test_exports_of_two_scopes_are_two_partitions(place, local):
    place.deliver([csv_file("5")], folder="a/1", scope="/subscriptions/ONE")
    place.deliver([csv_file("6")], folder="b/1", scope="/subscriptions/two")
    assert sorted(item.key for item in local.run().partitions) == [
        "subscriptions/one/ActualCost/2026-01", "subscriptions/two/ActualCost/2026-01",
    ]  # fmt: skip
    assert local.facts() == (2, Decimal(11))


def test_months_outside_the_window_are_not_read(place, local):
    for month in ("2026-01", "2026-02"):
        place.deliver([csv_file("1", month=month)], folder=month, month=month)
    result = local.run(since="2026-02")
    assert [item.key[-7:] for item in result.partitions] == ["2026-02"]


class TestInProgress:
    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"listed": None, "blobCount": None}, "lists no blobs yet"),
            ({"listed": [], "blobCount": 2}, "lists no blobs yet"),
            ({"blobCount": 3}, "lists 1 of 3 blobs"),
        ],
    )
    def test_a_run_without_all_blobs_fails_alone_and_the_load_before_stays(self, place, local, fields, words):
        place.deliver([csv_file("5")], folder="daily/1")
        place.deliver([csv_file("1", month="2026-02")], folder="daily/2", month="2026-02")
        local.run()
        place.deliver(
            [csv_file("9")], folder="daily/3", submitted="2026-02-04T00:00:00Z", run="new", **fields
        )
        result = local.run()
        assert (result.status, result.count("failed"), result.count("unchanged")) == ("partial", 1, 1)
        (failed,) = [item for item in result.partitions if item.outcome == "failed"]
        assert "run new of the export daily is still in progress" in failed.message
        assert words in failed.message
        assert local.facts() == (2, Decimal(6))

    def test_a_blob_that_is_not_there_yet(self, place, folder, local):
        place.deliver([csv_file("5"), csv_file("6")])
        (folder / "daily/20260101-20260131/run1/part_1_0001.csv").unlink()
        (failed,) = local.run().partitions
        assert (failed.outcome, failed.error_class) == ("failed", "not_found")
        assert "part_1_0001.csv is not there" in failed.message
        assert local.facts() == (0, None)


class TestRowCounts:
    @pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
    def test_counts_that_agree_say_nothing(self, place, local, suffix):
        files = [csv_file("1", "2"), csv_file("3")]
        packed = [gzip.compress(body) for body in files] if suffix == "csv.gz" else files
        place.deliver(packed, counted=[2, 1], dataRowCount=3, suffix=suffix)
        assert local.run().status == "succeeded"
        assert local.facts() == (3, Decimal(6))

    def test_a_part_with_fewer_rows_than_the_manifest_says_is_not_loaded(self, place, local):
        place.deliver([csv_file("1", "2"), csv_file("3")], counted=[2, 2])
        (failed,) = local.run().partitions
        assert (failed.outcome, failed.error_class) == ("failed", "bad_request")
        assert "the manifest says 2 rows, but there are 1" in failed.message
        assert local.facts() == (0, None)

    def test_a_total_alone_is_checked_over_all_parts_before_publication(self, place, local):
        place.deliver([csv_file("1", "2"), csv_file("3")], dataRowCount=4)
        (failed,) = local.run().partitions
        assert "the manifest says 4 rows, but there are 3" in failed.message
        assert local.facts() == (0, None)
        place.deliver([csv_file("1", "2"), csv_file("3")], dataRowCount=3)
        assert local.run().count("loaded") == 1

    def test_lines_that_are_cut_are_rows_too(self, place, local):
        place.deliver([csv_file(*"123") + b"12345678,01/01/2026\r\n"], dataRowCount=4)
        result = local.run(runner__max_reject_share=0.5)
        assert (result.status, result.rejected, local.facts()) == ("partial", 1, (3, Decimal(6)))

    def test_a_manifest_that_contradicts_itself(self, place, local):
        place.deliver([csv_file("1")], counted=[1], dataRowCount=7)
        (failed,) = local.run().partitions
        assert "contradicts itself" in failed.message


class TestEmpty:
    def test_a_run_without_rows_is_a_month_without_rows(self, place, local):
        place.deliver([], dataRowCount=0)
        result = local.run()
        assert (result.status, result.count("loaded"), local.facts()) == ("succeeded", 1, (0, None))

    @pytest.mark.parametrize("body", [csv_file(), b""], ids=["only a header", "not even that"])
    def test_a_file_without_rows(self, place, local, body):
        place.deliver([body], dataRowCount=0)
        result = local.run()
        assert (result.status, result.rejected, local.facts()) == ("succeeded", 0, (0, None))

    def test_an_empty_folder_says_what_should_be_there(self, folder, local):
        folder.mkdir()
        result = local.run()
        assert "neither a manifest.json nor a data file" in result.message
        assert "ingestion.azure.actual_cost.location" in result.hint


class TestTypes:
    @pytest.mark.parametrize("kind", ["ActualCost", "AmortizedCost", "Usage", "actualcost"])
    def test_each_type_alone_is_read(self, place, local, kind):
        place.deliver([csv_file("1")], kind=kind)
        assert local.run().count("loaded") == 1

    def test_actual_and_amortized_cost_together_are_refused(self, place, local):
        place.deliver([csv_file("5")], folder="a/1", export="actual")
        place.deliver([csv_file("6")], folder="b/1", export="amortized", kind="AmortizedCost")
        result = local.run()
        assert result.status == "failed"
        assert "counts everything twice: ActualCost (actual), AmortizedCost (amortized)" in result.message
        assert local.facts() == (0, None)

    def test_actual_cost_leaves_focus_exports_and_price_sheets_alone(self, place, local):
        place.deliver([csv_file("5")], folder="a/1")
        for kind in ("FocusCost", "PriceSheet"):
            place.deliver([b"a\n1\n"], folder=f"{kind}/1", kind=kind, export=kind)
        result = local.run()
        assert (result.status, len(result.partitions), local.facts()) == ("succeeded", 1, (1, Decimal(5)))

    def test_a_place_with_other_types_only_says_so(self, place, local):
        place.deliver([csv_file("5")], kind="FocusCost")
        result = local.run()
        assert (
            "no manifest here is of the type ActualCost, AmortizedCost or Usage, only of FocusCost"
            in result.message
        )

    def test_focus_reads_no_actual_cost(self, tmp_path, place, folder):
        place.deliver([csv_file("5")])
        result = Exports(tmp_path / "focus.duckdb", focus=folder).run()
        assert "no manifest here is of the type FocusCost, only of ActualCost" in result.message


class TestOldManifests:
    def test_one_that_says_little_takes_its_month_from_its_folder(self, place, local):
        key = "monthly/20260101-20260131/00000000-0000-4000-8000-0000000000a1/part_0.csv"
        place.put(key, csv_file("4"))
        old = {
            "manifestVersion": "1",
            "byteCount": 1,
            "dataRowCount": 1,
            "blobs": [{"blobName": f"costs/{key}"}],
        }
        place.put(key.replace("part_0.csv", "_manifest.json"), json.dumps(old).encode("utf-8-sig"))
        (outcome,) = local.run().partitions
        assert (outcome.key, outcome.outcome, local.facts()) == ("monthly/2026-01", "loaded", (1, Decimal(4)))

    @pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"blobs": [{}]}', b'{"blobs": [{"blobName": "a"}]}',
                                      b'{"runInfo": {"startDate": "soon"}, "blobs": []}', b"\xff"])  # fmt: skip
    def test_one_that_cannot_be_read_fails_alone(self, place, local, text):
        place.deliver([csv_file("5")])
        place.put("bad/_manifest.json", text)
        result = local.run()
        assert (result.status, result.count("loaded"), result.count("failed")) == ("partial", 1, 1)
        (failed,) = [item for item in result.partitions if item.outcome == "failed"]
        assert (failed.key, failed.error_class) == ("manifest/bad/_manifest.json", "bad_request")
        assert "manifest" in failed.message

    def test_numbers_as_texts_are_numbers(self):
        fields = manifest([{"blobName": "/a/b.csv", "dataRowCount": "3"}], blobCount="1", dataRowCount="3")
        found = parse(fields, "a/manifest.json", uri="x")
        assert (found.rows, found.blobs[0].rows, found.blobs[0].name, found.unfinished) == (
            3,
            3,
            "a/b.csv",
            "",
        )

    def test_without_rows_in_all_the_parts_are_added(self):
        counted = manifest([{"blobName": "a", "dataRowCount": 3}, {"blobName": "b", "dataRowCount": 4}])
        assert parse(counted, "manifest.json", uri="x").rows == 7
        with pytest.raises(SourceError, match="no list"):
            parse(manifest("a"), "manifest.json", uri="x")


class TestLooseFiles:
    def test_files_without_a_manifest_are_read_by_account_and_month(self, place, local):
        place.put("january.csv", csv_file("1", "2"))
        place.put("deep/february.csv.gz", gzip.compress(csv_file("4", month="2026-02")))
        result = local.run()
        assert sorted(item.key for item in result.partitions) == [
            "files/12345678/2026-01",
            "files/12345678/2026-02",
        ]
        assert local.facts() == (3, Decimal(7))
        assert "there is no manifest in" in result.notices[0]

    def test_two_files_that_repeat_each_other_count_once(self, place, local):
        place.put("monday.csv", csv_file("1", "2"))
        place.put("tuesday.csv", csv_file("1", "2", "4"))
        local.run()
        assert local.facts() == (3, Decimal(7))

    def test_beside_a_manifest_files_that_none_names_are_left_alone(self, place, local):
        place.deliver([csv_file("5")])
        place.put("daily/20260101-20260131/run2/part_0_0001.csv", csv_file("9"))  # a run that has just begun
        local.run()
        assert local.facts() == (1, Decimal(5))


def test_parquet_with_types_gives_what_csv_gives(tmp_path, place, local):
    import duckdb

    text, made = tmp_path / "rows.csv", tmp_path / "rows.parquet"
    text.write_bytes(csv_file("1.25", "0.000000000000000001"))
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT * REPLACE (strptime(Date, '%m/%d/%Y') AS Date, CAST(Quantity AS DOUBLE) AS Quantity, "
            "CAST(CostInBillingCurrency AS DECIMAL(38,18)) AS CostInBillingCurrency) "
            f"FROM read_csv('{text}', all_varchar = true, header = true)) TO '{made}' (FORMAT parquet)"
        )
    place.deliver([text.read_bytes()], folder="csv")
    local.run()
    from_csv = local.table()
    place.deliver([made.read_bytes()], folder="parquet", suffix="parquet", submitted="2026-03-01T00:00:00Z",
                  dataRowCount=2)  # fmt: skip
    assert local.run().count("loaded") == 1
    assert [line.split(", ", 1)[1] for line in local.table()] == [line.split(", ", 1)[1] for line in from_csv]


class TestAzurite:
    """The same from Blob storage, through settings and the session's own client."""

    @pytest.fixture
    def blobs(self, azurite, azure, tmp_path):
        token = {"token_type": "Bearer", "expires_in": 3599, "access_token": access_token()}
        azure.answer("/oauth2/v2.0/token", token, times=50)
        both = tmp_path / "both.pem"
        both.write_bytes(azure.ca.read_bytes() + azurite.ca.read_bytes())
        container = azurite.container("cost-exports")
        values = azure.values() | {
            "blob_endpoint_url": azurite.url, "ca_bundle": str(both), "rate_limit_per_sec": 10_000,
            "carbon.enabled": False, "request_timeout": 20,
        }  # fmt: skip
        warehouse = Exports(
            tmp_path / "ogf.duckdb",
            actual_cost=f"abfss://cost-exports@{ACCOUNT}.dfs.core.windows.net/costs",
            settings={f"ingestion.azure.{name}": value for name, value in values.items()},
        )
        return Place(lambda key, body: container.upload_blob(f"costs/{key}", body, overwrite=True)), warehouse

    def test_a_container_gives_what_a_folder_gives_and_a_second_run_is_unchanged(
        self, blobs, place, folder, tmp_path
    ):
        remote, warehouse = blobs
        for where in (remote, place):
            where.deliver([csv_file("1.25", "2"), csv_file("4")], counted=[2, 1])
        local = Exports(tmp_path / "local.duckdb", actual_cost=folder)
        assert (warehouse.run().status, local.run().status) == ("succeeded", "succeeded")
        assert warehouse.facts() == local.facts() == (3, Decimal("7.25"))
        assert warehouse.table() == local.table()
        assert warehouse.run().count("unchanged") == 1

    def test_a_blob_that_is_replaced_while_it_is_read_is_read_anew(self, blobs):
        remote, warehouse = blobs
        remote.deliver([csv_file("5")])
        result = warehouse.run(between=lambda: remote.deliver([csv_file("6", "1")], run="b"))
        assert (result.status, warehouse.facts()) == ("succeeded", (2, Decimal(7)))
