"""The metrics of a real run as Prometheus reads them, and labels that cannot grow."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from ogf.errors import ConfigError, ErrorClass
from ogf.hookspecs import Stream
from ogf.telemetry import metrics
from ogf.telemetry.reasons import OTHER, REASON_LABELS, label_of
from ogf.testing.provider import FakeCloud, refused, throttled

ROOT = Path(__file__).parents[2]
DOCUMENTED = {
    "ingestion_success_total": {"connector", "stream"},
    "ingestion_failure_total": {"connector", "stream", "error_class"},
    "ingestion_items_total": {"connector", "stream"},
    "ingestion_latency_seconds": {"connector", "stream", "outcome"},
    "ingestion_batch_size": {"connector", "stream"},
    "ingestion_jobs_total": {"connector"},
    "ingestion_jobs_failed_total": {"connector"},
    "ingestion_last_success_timestamp": {"connector"},
    "ingestion_retries_total": {"connector", "stream", "error_class"},
    "ingestion_rate_limit_wait_seconds": {"connector"},
    "ingestion_partitions_total": {"connector", "stream", "outcome"},
    "ingestion_quarantined_total": {"connector", "stream", "reason"},
    "ingestion_unmapped_total": {"connector", "kind"},
}
SECRET = "pl4nted-secret-value"


@pytest.fixture(autouse=True)
def quiet():
    with structlog.testing.capture_logs():
        yield


def row(**values):
    return {"account_id": "a", "service": "EC2", "category": "cloud_compute", "location": "GLOBAL"} | values


def eventful(db):
    """Two runs: one with a failure, a retry, a quarantined row, an unmapped region and waits; one that succeeds."""
    cloud = FakeCloud(streams=(Stream("carbon"), Stream("cur", rate_limit_per_sec=0.5)))
    refuse = row(_reject=f"line 7: too many columns {SECRET}")
    cloud.put("2026-01", [[row()], [row(), refuse]], version="1")
    cloud.put("2026-02", [[row(region="nowhere-1", location=None)]], version="1")
    cloud.put(f"gone?token={SECRET}", [[row()]], version="1")
    cloud.put("2026-01", [[row()], [row()]], version="1", stream="cur")
    cloud.fail(throttled(retry_after=1), key="2026-01", page=1, stream="carbon")
    cloud.fail(refused(ErrorClass.NOT_FOUND, f"secret={SECRET}"), key=f"gone?token={SECRET}")
    first = cloud.run(db, max_reject_share=0.5)
    second = cloud.run(db, max_reject_share=0.5)
    return first, second


def samples(text):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found, name, **labels):
    return found[(name, *sorted({"connector": "fake", **labels}.items()))]


def test_b113_the_exported_names_and_labels_and_what_they_count(tmp_path, exposed):
    first, second = eventful(tmp_path / "ogf.duckdb")
    assert (first.status, second.status) == ("partial", "succeeded")
    text = exposed()
    found = samples(text)
    own = {name for name, *_ in found if name.startswith("ingestion_")}
    assert {re.sub(r"(?<=_seconds)_(bucket|count|sum)$", "", name) for name in own} == DOCUMENTED.keys()
    for name, *labels in found:
        if name in DOCUMENTED:
            assert {label for label, _ in labels} == DOCUMENTED[name]
    for name, expected, labels in (
        ("ingestion_success_total", 3, {"stream": "carbon"}),
        ("ingestion_success_total", 1, {"stream": "cur"}),
        ("ingestion_items_total", 4, {"stream": "carbon"}),
        ("ingestion_failure_total", 1, {"stream": "carbon", "error_class": "not_found"}),
        ("ingestion_failure_total", 0, {"stream": "carbon", "error_class": "fatal"}),
        ("ingestion_retries_total", 1, {"stream": "carbon", "error_class": "transient"}),
        ("ingestion_quarantined_total", 1, {"stream": "carbon", "reason": "malformed_line"}),
        ("ingestion_unmapped_total", 1, {"kind": "region"}),
        ("ingestion_partitions_total", 3, {"stream": "carbon", "outcome": "loaded"}),
        ("ingestion_partitions_total", 1, {"stream": "carbon", "outcome": "failed"}),
        ("ingestion_partitions_total", 2, {"stream": "carbon", "outcome": "skipped"}),
        ("ingestion_latency_seconds_count", 1, {"stream": "carbon", "outcome": "failed"}),
        ("ingestion_jobs_total", 2, {}),
        ("ingestion_jobs_failed_total", 0, {}),
    ):
        assert value(found, name, **labels) == expected, (name, labels)
    assert value(found, "ingestion_rate_limit_wait_seconds_count") >= 1
    assert value(found, "ingestion_last_success_timestamp") > 1_700_000_000
    assert SECRET not in text


def test_a_run_that_ends_with_an_error_is_a_failed_job_and_a_success_of_before_stays(tmp_path, exposed):
    (tmp_path / "ogf.duckdb").mkdir()
    metrics.succeeded("fake", at=1_750_000_000)
    with pytest.raises(Exception, match=r"ogf\.duckdb"):
        FakeCloud().run(tmp_path / "ogf.duckdb")
    found = samples(exposed())
    assert value(found, "ingestion_jobs_failed_total") == value(found, "ingestion_jobs_total") == 1
    assert value(found, "ingestion_last_success_timestamp") == 1_750_000_000


def test_without_prometheus_the_exposition_says_what_to_do():
    with pytest.raises(ConfigError, match="not kept") as caught:
        metrics.exposition()
    assert "ogf[telemetry]" in caught.value.hint


def refusals():
    """Every reason that a mapping of ours may give a row, read from its SQL."""
    for path in [*ROOT.glob("core/src/**/*.sql"), *ROOT.glob("plugins/*/src/**/*.sql")]:
        for clause in re.findall(
            r"CASE((?:(?!\bCASE\b|\bEND\b).)*)END AS _reject", path.read_text(), re.DOTALL
        ):
            for reason in re.findall(r"THEN\s+'((?:[^']|'')+)'", clause):
                yield pytest.param(reason.replace("''", "'"), id=f"{path.parent.name}: {reason}")


@pytest.mark.parametrize("reason", list(refusals()))
def test_every_reason_of_a_refusal_has_a_label_of_its_own_kind(reason):
    assert label_of(reason) in REASON_LABELS
    assert label_of(reason) != OTHER


def test_a_reason_that_quotes_the_row_has_a_label_that_does_not():
    assert {label_of(f"worded in its own way, {number}") for number in range(50)} == {OTHER}
    assert label_of("line 123: too many columns") == "malformed_line"
