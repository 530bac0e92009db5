"""Where spans and metrics go: a real collector on loopback, none, a wrong one, and what a command says of it."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from ogf import telemetry
from ogf.telemetry import spans

if TYPE_CHECKING:
    from cli.conftest import Place
    from telemetry.conftest import Collector

SECRET = "pl4nted-collector-key"


def test_a_run_sends_its_spans_and_metrics_to_the_collector_that_the_variables_name(
    place: Place, collector: Collector
) -> None:
    answer = place(
        "run",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.address,
        OTEL_EXPORTER_OTLP_HEADERS=f"x-api-key={SECRET}",
        OTEL_SERVICE_NAME="nightly",
    )
    assert "telemetry" not in answer.stderr
    names = [span.name for span in collector.spans]
    assert names.count("ingestion.run") == names.count("ingestion.adapter") == 1
    assert names.count("aws.ingest_s3_cur") == 1
    assert names.count("ingestion.partition") == names.count("ingestion.page") == 2
    assert len({span.trace_id for span in collector.spans}) == 1
    assert {"ingestion_success_total", "ingestion_items_total", "ingestion_last_success_timestamp"} <= (
        collector.metric_names
    )
    about = {
        pair.key: pair.value.string_value
        for pair in collector.traces[0].resource_spans[0].resource.attributes
    }
    assert about["service.name"] == "nightly"
    assert {headers["x-api-key"] for headers in collector.headers} == {SECRET}
    assert all(SECRET.encode() not in body for body in collector.bodies)


def test_b103_what_a_run_sends_holds_none_of_its_secrets(empty: Place, collector: Collector) -> None:
    """The address holds a secret, nobody answers there, and the error says so."""
    gateway = f"http://127.0.0.1:9/gateway?token={SECRET}"
    answer = empty(
        "run",
        "--provider",
        "aws",
        code=1,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.address,
        OFFGRIDFLOW_AWS_S3_BUCKET="planted",
        OFFGRIDFLOW_AWS_ACCESS_KEY_ID="AKIAPLANTED",
        OFFGRIDFLOW_AWS_SECRET_ACCESS_KEY=SECRET,
        OFFGRIDFLOW_AWS_ENDPOINT_URL=gateway,
        OFFGRIDFLOW_AWS_MAX_RETRIES="1",
    )
    failed = {span.name for span in collector.spans if span.status.code == 2}
    assert {"ingestion.run", "ingestion.adapter", "aws.ingest_s3_cur"} <= failed
    for text in [*collector.bodies, answer.stderr.encode()]:
        assert SECRET.encode() not in text
        assert b"AKIAPLANTED" not in text


def test_a_collector_that_is_not_there_costs_a_run_one_line_and_a_moment(place: Place) -> None:
    answer = place("run", "--quiet", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://user:{SECRET}@127.0.0.1:9")
    what, remedy = answer.stderr.splitlines()
    assert what == (
        "telemetry: traces and metrics did not reach the collector at http://user:[redacted]@127.0.0.1:9 "
        "(Connection refused); the run is not affected"
    )
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in remedy


def test_a_collector_that_refuses_is_quoted(collector: Collector) -> None:
    collector.answer = 401
    assert sent_to(collector.address)[0].count("HTTP 401") == 1


def test_the_flush_ends_in_time_whatever_the_collector_does() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        lines = sent_to(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2)
        took = time.monotonic() - began
    assert len(lines) == 1
    assert "did not answer within 0.2 s" in lines[0]
    assert took < 30  # not a speed: it would be for ever


def sent_to(address: str, timeout: float = 20.0) -> list[str]:
    """Send a span there; what `shutdown` says of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{address}/v1/traces")
        telemetry.setup()
        with spans.ingestion_run():
            pass
        return telemetry.shutdown(timeout)


@pytest.mark.parametrize(
    ("environ", "tracing", "sent"),
    [
        ({}, None, set()),
        ({}, False, set()),
        ({}, True, {"traces"}),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, None, {"traces", "metrics"}),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, False, {"metrics"}),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/v1/traces"}, None, {"traces"}),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c/v1/metrics"}, None, {"metrics"}),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_METRICS_EXPORTER": "none"}, None, {"traces"}),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, None, {"traces"}),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, True, set()),
    ],
)
def test_which_signals_are_sent(environ, tracing, sent, monkeypatch) -> None:
    taken: list[set[str]] = []

    def pipeline(targets, **_):
        taken.append(set(targets))
        raise ImportError(name="what stops it here")

    monkeypatch.setattr("ogf.telemetry.otlp.Pipeline", pipeline)
    telemetry.setup(tracing=tracing, environ=environ)
    lines = telemetry.shutdown()
    assert taken == ([sent] if sent else [])
    assert [line.endswith("pip install 'ogf[telemetry]'") for line in lines] == [True] * len(taken)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf alone, not grpc"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER is zipkin"),
    ],
)
def test_what_ogf_cannot_send_is_said(variables, words) -> None:
    telemetry.setup(environ={"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9"} | variables)
    (line,) = telemetry.shutdown()
    assert words in line
    assert "→" in line
