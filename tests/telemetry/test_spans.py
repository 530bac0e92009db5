"""The span tree of §13.2 of the promises: what is in it, where errors stand, and what never stands in it."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import structlog

from ogf.errors import Cancelled, ErrorClass, WarehouseError
from ogf.hookspecs import Problem, Stream
from ogf.plugins import installed, load
from ogf.runner.clock import Cancel
from ogf.telemetry import spans
from ogf.testing.provider import FakeCloud, changed, refused, throttled

SECRET = "pl4nted-secret-value"


@pytest.fixture(autouse=True)
def quiet():
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
def cloud():
    return FakeCloud()


@pytest.fixture
def db(tmp_path):
    return tmp_path / "ogf.duckdb"


def row(**values):
    return {"account_id": "a", "service": "EC2", "quantity": 1.5} | values


def status(span):
    return span.status.status_code.name


def test_b114_the_tree_of_a_partition_of_two_pages_with_one_retry(cloud, db, recorded):
    cloud.put("2026-01", [[row()], [row(), row()]], version="v7")
    cloud.fail(throttled(retry_after=2), key="2026-01", page=1)
    with spans.ingestion_run(providers="fake"):
        result = cloud.run(db)
    assert recorded.tree() == [
        [
            "ingestion.run",
            [
                "ingestion.adapter",
                [
                    "fake.ingest_carbon",
                    ["ingestion.partition", ["ingestion.page"], ["ingestion.page"], ["ingestion.commit"]],
                ],
            ],
        ]
    ]
    assert {status(span) for span in recorded.spans} == {"UNSET"}
    first, second = recorded.named("ingestion.page")
    identity = {
        "run_id": result.run_id,
        "provider": "fake",
        "stream": "carbon",
        "partition_key": "2026-01",
        "version": "v7",
    }
    assert identity.items() <= dict(first.attributes).items()
    assert [(page.attributes["page_number"], page.attributes["rows"]) for page in (first, second)] == [
        (1, 1),
        (2, 2),
    ]
    assert [page.attributes["attempts"] for page in (first, second)] == [1, 2]
    (retry,) = second.events
    assert (retry.name, retry.attributes["attempt"], retry.attributes["error_class"]) == (
        "retrying after error",
        1,
        "transient",
    )
    assert 2000 <= retry.attributes["backoff_ms"] <= 3000
    (commit,) = recorded.named("ingestion.commit")
    assert commit.attributes["rows"] == 3
    (partition,) = recorded.named("ingestion.partition")
    assert partition.start_time <= first.start_time <= commit.end_time <= partition.end_time


def test_an_error_stands_in_its_page_and_every_parent_has_failed(cloud, db, recorded):
    cloud.put("2026-01", [[row()], [row()]], version="1")
    cloud.put("2026-02", [[row()]], version="1")
    cloud.fail(refused(ErrorClass.NOT_FOUND, "it is gone"), key="2026-01", page=1)
    with spans.ingestion_run():
        assert cloud.run(db).status == "partial"
    failed = {
        (span.name, span.attributes.get("partition_key"))
        for span in recorded.spans
        if status(span) == "ERROR"
    }
    assert failed == {
        ("ingestion.run", None),
        ("ingestion.adapter", None),
        ("fake.ingest_carbon", None),
        ("ingestion.partition", "2026-01"),
        ("ingestion.page", "2026-01"),
    }
    told = [(span, event) for span in recorded.spans for event in span.events if event.name == "exception"]
    ((where, event),) = told
    assert (where.name, where.attributes["page_number"]) == ("ingestion.page", 2)
    assert where.attributes["error_class"] == event.attributes["error_class"] == "not_found"
    assert "it is gone" in event.attributes["exception.message"]
    assert "exception.stacktrace" not in event.attributes


@pytest.mark.parametrize("hook", ["listing", "problem", "confirm", "warehouse"])
def test_errors_outside_a_page_stand_where_they_happened(hook, cloud, db, recorded):
    cloud.put("2026-01", [[row()]], version="1")
    expected = {
        "listing": "fake.ingest_carbon",
        "problem": "ingestion.partition",
        "confirm": "ingestion.partition",
        "warehouse": "ingestion.adapter",
    }[hook]
    if hook == "listing":
        cloud.fail(refused(ErrorClass.AUTH), hook="partitions")
    elif hook == "problem":
        cloud.put("2026-01", version="1", problem=Problem(ErrorClass.BAD_REQUEST, "no manifest"))
    elif hook == "confirm":
        cloud.confirmations = [False] * 3
    else:
        db.mkdir()
    with spans.ingestion_run(), pytest.raises(WarehouseError) if hook == "warehouse" else nullcontext():
        cloud.run(db)
    told = {span.name for span in recorded.spans if any(event.name == "exception" for event in span.events)}
    assert told == {expected}
    assert status(recorded.named("ingestion.run")[0]) == "ERROR"
    assert all(span.end_time for span in recorded.spans)


def test_a_partition_that_is_read_again_has_a_span_for_each_attempt_and_its_parents_did_not_fail(
    cloud, db, recorded
):
    cloud.put("2026-01", [[row()]], version="1")
    cloud.fail(changed(), key="2026-01", page=0)
    assert cloud.run(db).status == "succeeded"
    assert [
        (span.attributes["attempts"], status(span)) for span in recorded.named("ingestion.partition")
    ] == [
        (1, "ERROR"),
        (2, "UNSET"),
    ]
    assert [status(span) for span in recorded.named("ingestion.page")] == ["ERROR", "UNSET"]
    told = [span.name for span in recorded.spans for event in span.events if event.name == "exception"]
    assert told == ["ingestion.page"]
    (adapter,) = recorded.named("ingestion.adapter")
    assert status(adapter) == "UNSET"


def test_finished_pages_of_an_earlier_run_are_marked_and_what_is_cancelled_is_no_error(cloud, db, recorded):
    cancel = Cancel()
    cloud.put("2026-01", [[row()], [row()], [row()]], version="1")
    cloud.fail(cancel.set, key="2026-01", page=1)
    assert cloud.run(db, cancel=cancel).status == "cancelled"
    assert {status(span) for span in recorded.spans} == {"UNSET"}
    recorded.exporter.clear()
    assert cloud.run(db).status == "succeeded"
    marks = [span.attributes["resumed"] for span in recorded.named("ingestion.page")]
    assert marks[0] is True
    assert marks[-1] is False


def test_what_cannot_be_recorded_goes_through_unchanged(recorded):
    with pytest.raises(Cancelled), spans.ingestion_run():
        raise Cancelled
    assert status(recorded.named("ingestion.run")[0]) == "UNSET"


def test_b103_no_secret_and_no_row_stands_in_any_span(cloud, db, recorded):
    """A server tells secrets back, a key holds one, and errors of the mapping quote what they could not read."""
    cloud.put(f"2026-01?sig={SECRET}", [[row(service="ROW-TEXT")]], version=f"token={SECRET}")
    cloud.put("2026-02", [[row(service="ROW-TEXT", quantity="ROW-TEXT")]], version="1")
    cloud.put("2026-03", [[row(_reject="it is ROW-TEXT")]], version="1")
    cloud.put("2026-04", [[row()]], version="1")
    cloud.fail(refused(ErrorClass.TRANSIENT, f"Authorization: Bearer {SECRET}"), key="2026-02")
    cloud.fail(ValueError(f"https://b/k?X-Amz-Signature={SECRET} says ROW-TEXT"), key="2026-04")
    with spans.ingestion_run():
        result = cloud.run(db)
    assert (result.count("failed"), result.count("loaded")) == (3, 1)
    told = " ".join(span.to_json() for span in recorded.spans)
    assert "[redacted]" in told
    assert SECRET not in told
    assert "ROW-TEXT" not in told
    assert {
        event.attributes["error_class"]
        for span in recorded.spans
        for event in span.events
        if event.name == "exception"
    } == {"bad_request", "unknown"}


def test_streams_have_the_documented_names():
    names = {
        stream.span or f"{name}.ingest_{stream.name}"
        for name in ("aws", "azure", "gcp")
        for stream in load(name).provider.streams
        if name in installed()
    }
    assert {
        "aws.ingest_carbon_footprint",
        "aws.ingest_s3_cur",
        "azure.ingest_emissions_api",
        "azure.ingest_cost_management",
        "gcp.ingest_bigquery",
        "gcp.ingest_billing_api",
        "aws.ingest_cost_explorer",
        "azure.ingest_mcfs",
    } <= names
    assert Stream("carbon").span == ""


def test_without_a_listener_nothing_of_opentelemetry_is_imported(tmp_path):
    import subprocess
    import sys

    program = (
        "import sys, pathlib\n"
        "from ogf.testing.provider import FakeCloud\n"
        "cloud = FakeCloud(); cloud.put('2026-01', [[{'service': 'EC2'}]], version='1')\n"
        f"assert cloud.run(pathlib.Path({str(tmp_path)!r}) / 'w.duckdb').status == 'succeeded'\n"
        "assert not [name for name in sys.modules if name.startswith(('opentelemetry', 'prometheus'))]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120, capture_output=True)
