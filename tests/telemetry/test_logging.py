"""Logs: one structured line per event on stderr, for people or machines, and B103: no planted secret in any of them."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest
import structlog

from ogf.telemetry import configure

PLANTED = "hunter2-planted"


@pytest.fixture(autouse=True)
def untouched_logging():
    root = logging.getLogger()
    handlers = root.handlers[:]
    yield
    root.handlers[:] = handlers
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def lines():
    """Configure JSON logging and read back what was written."""
    stream = io.StringIO()
    configure("json", "debug", stream=stream, secrets=[PLANTED])
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_carry_event_level_utc_time_and_bound_context(lines):
    structlog.contextvars.bind_contextvars(run="r1")
    structlog.get_logger().bind(provider="aws", stream="cur").info("s3 file processed", key="a", records=3)
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "s3 file processed",
        "level": "info",
        "run": "r1",
        "provider": "aws",
        "stream": "cur",
        "key": "a",
        "records": 3,
    }


def test_lines_below_the_level_are_not_written():
    stream = io.StringIO()
    configure("console", "warning", stream=stream)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud", rows=3)
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()
    assert "rows=3" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_logs_go_to_standard_error_of_the_moment(capsys, monkeypatch):
    configure()
    structlog.get_logger().info("first")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "first" in captured.err
    later = io.StringIO()
    monkeypatch.setattr(sys, "stderr", later)
    structlog.get_logger().info("second")
    assert "second" in later.getvalue()


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_b103_planted_secrets_occur_in_no_log_line(log_format):
    stream = io.StringIO()
    configure(log_format, "debug", stream=stream, secrets=[PLANTED])
    log = structlog.get_logger().bind(client_secret="bound-value-1")
    log.info(PLANTED, access_key_id="AKIAEXAMPLE", url=f"https://b?sig={PLANTED}")
    log.info("nested", request={"headers": {"Authorization": "Bearer abc.def.ghi"}}, body=[PLANTED.encode()])
    try:
        try:
            raise ValueError(f"refused {PLANTED}")
        except ValueError as error:
            raise RuntimeError("GET https://b/k?X-Amz-Signature=signature-value failed") from error
    except RuntimeError as error:
        log.exception("failed", error=error)
        logging.getLogger("sdk").exception("failed with %s", PLANTED)
    logging.getLogger("sdk").warning("Authorization: Bearer %s", "other-value-2")
    text = stream.getvalue()
    for secret in (
        PLANTED,
        "bound-value-1",
        "AKIAEXAMPLE",
        "abc.def.ghi",
        "signature-value",
        "other-value-2",
    ):
        assert secret not in text
    assert "Traceback" in text
    assert "RuntimeError" in text


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_tracebacks_never_show_local_variables(log_format):
    stream = io.StringIO()
    configure(log_format, stream=stream)

    def connect(password):
        raise OSError("refused")

    try:
        connect("LOCAL-VALUE".lower())
    except OSError:
        structlog.get_logger().exception("failed")
    assert "OSError: refused" in stream.getvalue()
    assert "local-value" not in stream.getvalue()


def test_records_of_other_libraries_take_the_same_way_from_warnings_upwards(lines):
    logging.getLogger("sdk.http").warning("retrying %s (100%%)", "k")
    logging.getLogger("sdk.http").info("chatter")
    (line,) = lines()
    assert line["event"] == "retrying k (100%)"
    assert line["logger"] == "sdk.http"
    assert line["level"] == "warning"


def test_configuring_again_replaces_the_earlier_setup():
    first, second = io.StringIO(), io.StringIO()
    configure("json", stream=first)
    log = structlog.get_logger()
    configure("json", stream=second)
    log.info("x")
    logging.getLogger("sdk").error("y")
    assert first.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 2
