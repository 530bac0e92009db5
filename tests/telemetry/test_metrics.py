"""The metrics of a real run as Prometheus reads them, and labels that cannot grow."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import structlog
import yaml
from prometheus_client.parser import text_string_to_metric_families

from ogf import telemetry
from ogf.errors import ConfigError, ErrorClass
from ogf.hookspecs import Stream
from ogf.telemetry import metrics
from ogf.telemetry.reasons import OTHER, REASON_LABELS, label_of
from ogf.testing.provider import FakeCloud, refused, throttled

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy/prometheus/alerts.yaml"
DASHBOARD = ROOT / "deploy/grafana/dashboard.json"
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


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What Prometheus is shown after two runs.

    One has a failure, a retry, a quarantined row, an unmapped region and waits; the other succeeds.
    """
    db = tmp_path_factory.mktemp("runs") / "ogf.duckdb"
    telemetry.setup(prometheus=True, environ={})
    cloud = FakeCloud(streams=(Stream("carbon"), Stream("cur", rate_limit_per_sec=0.5)))
    refuse = row(_reject=f"line 7: too many columns {SECRET}")
    cloud.put("2026-01", [[row()], [row(), refuse]], version="1")
    cloud.put("2026-02", [[row(region="nowhere-1", location=None)]], version="1")
    cloud.put(f"gone?token={SECRET}", [[row()]], version="1")
    cloud.put("2026-01", [[row()], [row()]], version="1", stream="cur")
    cloud.fail(throttled(retry_after=1), key="2026-01", page=1, stream="carbon")
    cloud.fail(refused(ErrorClass.NOT_FOUND, f"secret={SECRET}"), key=f"gone?token={SECRET}")
    with structlog.testing.capture_logs():
        statuses = [cloud.run(db, max_reject_share=0.5).status for _ in range(2)]
    assert statuses == ["partial", "succeeded"]
    text = metrics.exposition()[0].decode()
    assert telemetry.shutdown() == []
    return text


def samples(text):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found, name, **labels):
    return found[(name, *sorted({"connector": "fake", **labels}.items()))]


def bare(name):
    """The name of a metric, of a histogram's series too."""
    return re.sub(r"(?<=_seconds)_(bucket|count|sum)$", "", name)


def test_b113_the_exported_names_and_labels_and_what_they_count(shown):
    found = samples(shown)
    assert {bare(name) for name, *_ in found if name.startswith("ingestion_")} == DOCUMENTED.keys()
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
    assert SECRET not in shown


def expressions():
    """Every query of the example alert rules and of the dashboard, by where it stands."""
    for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]:
        yield rule["alert"], rule["expr"]
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        if "definition" in variable:
            yield variable["name"], variable["definition"]


def test_b116_alert_rules_and_dashboard_use_only_metrics_and_labels_that_a_run_emits(shown):
    emitted = {}
    for name, *labels in samples(shown):
        emitted.setdefault(name, set()).update(label for label, _ in labels)
    used = set()
    for where, expression in expressions():
        names = set(re.findall(r"\bingestion_\w+", expression))
        assert names <= emitted.keys(), where
        have = set.union(*(emitted[name] for name in names))
        groups = [
            word.strip()
            for part in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression)
            for word in part.split(",")
        ]
        assert set(groups) <= have, where
        assert set(re.findall(r"[{,](\w+)[!=]", expression)) <= have, where
        used |= {bare(name) for name in names}
    assert used >= DOCUMENTED.keys() - {"ingestion_success_total"}, "each is worth a look"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian's package prometheus has promtool")
def test_b116_prometheus_takes_the_alert_rules_and_they_fire_where_they_should():
    rules = Path(__file__).with_name("alerts.promtool.yaml")
    for words in (("check", "rules", ALERTS), ("test", "rules", rules)):
        done = subprocess.run(["promtool", *words], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_has_the_table_of_all_metrics():
    page = (ROOT / "docs/how-to/telemetry.md").read_text()
    for metric in metrics.METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        assert f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} |" in page


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
