"""What the OpenAPI document promises holds, for requests that nobody wrote by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from service.conftest import Served

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.mark.parametrize(
    ("phases", "examples"),
    [("examples,fuzzing", 2), pytest.param("examples,coverage,fuzzing", 50, marks=pytest.mark.long)],
    ids=["few", "many"],
)
def test_schemathesis_finds_nothing(served: Served, phases: str, examples: int) -> None:
    document = served.folder / "openapi.json"
    document.write_text(json.dumps(served.ask("/openapi.json")))
    command = [SCHEMATHESIS, "--config-file", CONFIG, "run", document, "--url", served.address]
    command += [
        "-H",
        f"Authorization: Bearer {served.key}",
        "--phases",
        phases,
        "--max-examples",
        examples,
        "--seed",
        1,
        "--no-color",
    ]
    answer = subprocess.run(
        [str(word) for word in command], cwd=served.folder, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_every_route_is_described_with_its_answers(served: Served) -> None:
    document = served.ask("/openapi.json")
    promised = {
        "/api/connectors", "/api/connectors/sync/{provider}", "/api/connectors/run", "/api/connectors/test",
        "/api/connectors/schedule", "/api/jobs", "/api/jobs/{job_id}", "/api/ingestion/logs", "/api/emissions",
        "/api/emissions/summary", "/api/activities", "/api/footprint", "/api/reconciliation", "/healthz", "/readyz",
    }  # fmt: skip
    assert promised <= set(document["paths"])
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], (path, method)
            if path.startswith("/api"):
                assert {"401", "403"} <= set(operation["responses"]), (path, method)
    assert "example" in str(document)
    assert served.ask("/openapi.json", status=401, key="")["error"]["code"] == "unauthorized"
