"""Debian's Prometheus scrapes what ogf exposes, evaluates the example rules and fires the alert of a real failure."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import structlog

from ogf.errors import ErrorClass
from ogf.telemetry import metrics
from ogf.testing.provider import FakeCloud, refused

ALERTS = Path(__file__).parents[2] / "deploy/prometheus/alerts.yaml"

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="Debian's package prometheus is not installed"
)


@pytest.fixture
def target(exposed):
    """What `/metrics` of a service would be."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body, content_type = metrics.exposition()
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def prometheus(target, tmp_path):
    """A running Prometheus; gives a function that asks its API until the answer satisfies."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
        "scrape_configs": [{"job_name": "offgridflow", "static_configs": [{"targets": [target]}]}],
        "rule_files": [str(ALERTS)],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    log = (tmp_path / "prometheus.log").open("w")
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address={address}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=log,
    )

    def ask(path, satisfies):
        deadline = time.monotonic() + 60
        answer = None
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://{address}/api/v1/{path}", timeout=5) as reply:
                    answer = json.load(reply)["data"]
            except (urllib.error.URLError, OSError):
                pass
            else:
                if found := satisfies(answer):
                    return found
            time.sleep(0.1)
        raise AssertionError(f"{answer}\n{(tmp_path / 'prometheus.log').read_text()}")

    yield ask
    process.terminate()
    process.wait(timeout=20)
    log.close()


def test_b116_prometheus_scrapes_the_metrics_and_fires_the_alert_of_a_run_that_failed(prometheus, tmp_path):
    metrics.announce("fake", ["carbon"])
    noughts = 'query?query=ingestion_failure_total{error_class="not_found"}'
    prometheus(noughts, lambda data: data["result"])
    cloud = FakeCloud()
    cloud.put("2026-01", [[{"service": "EC2"}]], version="1")
    cloud.fail(refused(ErrorClass.NOT_FOUND))
    with structlog.testing.capture_logs():
        assert cloud.run(tmp_path / "ogf.duckdb").status == "failed"
    wanted = {"OffGridFlowRunFailed", "OffGridFlowPartitionsFailed"}
    firing = prometheus(
        "alerts",
        lambda data: (
            found
            if wanted
            <= (
                found := {
                    item["labels"]["alertname"]: item for item in data["alerts"] if item["state"] == "firing"
                }
            ).keys()
            else None
        ),
    )
    assert firing["OffGridFlowPartitionsFailed"]["labels"]["error_class"] == "not_found"
    assert firing["OffGridFlowRunFailed"]["annotations"]["summary"] == "A run of fake failed"
    rules = prometheus("rules", lambda data: data["groups"][0]["rules"])
    assert {rule["health"] for rule in rules} == {"ok"}
