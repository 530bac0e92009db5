"""The log events of a run, as machines read them: B115 for the stream `cur`."""

from __future__ import annotations

import io
import json

import pytest
import structlog
from aws.cur_files import Warehouse, csv_file, folder_put, gz, lines, put_legacy

from ogf import telemetry


@pytest.fixture
def events():
    """Everything logged at debug and above, parsed, by event."""
    stream = io.StringIO()
    before = structlog.get_config()
    telemetry.configure("json", "debug", stream=stream)
    yield lambda: {item["event"]: item for item in map(json.loads, stream.getvalue().splitlines())}
    structlog.configure(**before)


def test_b115_a_run_logs_its_stages_with_their_fields(tmp_path, events):
    put_legacy(folder_put(tmp_path / "exports"), [gz(csv_file(lines(3)))])
    Warehouse(tmp_path / "ogf.duckdb", tmp_path / "exports").run()
    logged = events()
    assert {"provider", "streams", "window", "run_id"} <= logged["starting ingestion"].keys()
    assert {"files", "total_size_mb", "assembly_id"} <= logged["s3 manifest parsed"].keys()
    page = logged["s3 file processed"]
    assert (page["records"], page["level"]) == (3, "debug")
    assert {"key", "run", "provider", "stream", "partition"} <= page.keys()
    end = logged["ingestion complete"]
    assert (end["total_activities"], end["status"], end["loaded"]) == (3, "succeeded", 1)
    assert {"latency_ms", "unchanged", "failed"} <= end.keys()


def test_b115_a_failure_logs_its_class_and_hint(tmp_path, events):
    Warehouse(tmp_path / "ogf.duckdb", tmp_path / "absent").run()
    failure = events()["failed to ingest S3 CUR"]
    assert failure["level"] == "error"
    assert (failure["error_class"], failure["stream"]) == ("not_found", "cur")
    assert failure["hint"]
