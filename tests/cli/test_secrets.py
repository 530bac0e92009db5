"""B103: planted secrets occur nowhere: not in logs, errors, output, the warehouse, the spool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest
from aws.cur_files import csv_file, gz, lines, put_legacy

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from aws.conftest import Bucket
    from cli.conftest import Place

SECRET = "pl4nted/S3cret+Key=value"
TOKEN = "pl4nted-session-token-0123456789"
LOUD = ("-vv",)


LONG = pytest.mark.long


@pytest.fixture(
    params=["config", "env", pytest.param("file", marks=LONG), pytest.param("env:", marks=LONG), "loose env"]
)
def planted(request: pytest.FixtureRequest, empty: Place, bucket: Bucket) -> Place:
    """A place whose credentials come from one of the ways there are."""
    place = empty
    place.env = {
        "OFFGRIDFLOW_AWS_S3_BUCKET": bucket.name,
        "OFFGRIDFLOW_AWS_ENDPOINT_URL": bucket.aws.endpoint_url,
        "OFFGRIDFLOW_AWS_MAX_RETRIES": "2",
    }
    keys = {"access_key_id": "AKIAPLANTED", "secret_access_key": SECRET, "session_token": TOKEN}
    match request.param:
        case "env":
            place.env |= {f"OFFGRIDFLOW_AWS_{name.upper()}": value for name, value in keys.items()}
            return place
        case "loose env":
            place.env |= {f"AWS_{name.upper()}": value for name, value in keys.items()}
            return place
        case "file":
            for name in ("secret_access_key", "session_token"):
                (place.folder / f"{name}.txt").write_text(keys[name])
                keys[name] = f"file:{name}.txt"
        case "env:":
            for name in ("secret_access_key", "session_token"):
                place.env[f"MY_{name.upper()}"] = keys[name]
                keys[name] = f"env:MY_{name.upper()}"
    inner = "".join(f"    {name}: '{value}'\n" for name, value in keys.items())
    place.configure(f"ingestion:\n  aws:\n{inner}")
    (place.folder / "ogf.yaml").chmod(0o600)
    return place


def assert_nowhere(place: Place, *answers: subprocess.CompletedProcess[str]) -> None:
    for answer in answers:
        for text in (answer.stdout, answer.stderr):
            assert SECRET not in text
            assert TOKEN not in text
    for path in place.folder.rglob("*"):
        if path.is_file() and path.name not in ("ogf.yaml", "secret_access_key.txt", "session_token.txt"):
            body = path.read_bytes()
            assert SECRET.encode() not in body, path
            assert TOKEN.encode() not in body, path


def ledger(db: Path) -> str:
    with duckdb.connect(str(db), read_only=True) as connection:
        tables = [row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        return "".join(str(connection.execute(f"FROM {name}").fetchall()) for name in tables)


def test_a_run_that_succeeds(planted: Place, bucket: Bucket) -> None:
    put_legacy(bucket.put, [gz(csv_file(lines(3)))])
    run = ("run", "--provider", "aws")
    assert_nowhere(
        planted,
        planted(*run, *LOUD),
        planted(*run, *LOUD, "--full", "--json", OFFGRIDFLOW_LOG_FORMAT="json"),
        planted("doctor", "--provider", "aws", "--settings", *LOUD),
        planted("doctor", "--provider", "aws", "--json"),
        planted("status", "--json"),
    )


def test_a_server_that_tells_them_back(
    planted: Place, bucket: Bucket, request: pytest.FixtureRequest
) -> None:
    """It puts the secrets into its error's text; the error goes to the screen, the log, JSON and the ledger."""
    if "loose env" in request.node.name:
        pytest.skip("ogf is not told that these are secrets")
    put_legacy(bucket.put, [gz(csv_file(lines(3)))])
    text = f"wrong: {SECRET} at https://x/?X-Amz-Signature=abcdef0123&amp;token={TOKEN}"
    run = ("run", "--provider", "aws")
    answers = []
    for part in ("list-type", "Manifest", "csv.gz"):
        for status, code, words in (
            ("403 Forbidden", "SignatureDoesNotMatch", LOUD),
            ("503 Slow Down", "SlowDown", ("--json",)),
        ):
            bucket.aws.faults.clear()
            bucket.aws.faults.queue += [_echo(part, status, code, text)] * 2
            answers.append(planted(*run, *words, "--full", code=1))
    bucket.aws.faults.clear()
    bucket.aws.faults.queue.append(_echo("list-type", "403 Forbidden", "AccessDenied", text))
    answers.append(planted("doctor", "--provider", "aws", code=1))
    bucket.aws.faults.queue.append(_echo("list-type", "403 Forbidden", "AccessDenied", text))
    answers.append(planted("plan", "--provider", "aws", code=1))
    answers.append(planted("status"))
    assert any("[redacted]" in answer.stderr for answer in answers)
    assert_nowhere(planted, *answers)
    assert SECRET not in ledger(planted.db)
    assert TOKEN not in ledger(planted.db)


def _echo(part: str, status: str, code: str, text: str):
    from aws.conftest import Fault

    return Fault(part, status, f"<Error><Code>{code}</Code><Message>{text}</Message></Error>".encode())


def test_an_address_with_a_secret_that_nobody_answers(planted: Place) -> None:
    address = "http://127.0.0.1:9/gateway?token=pl4nted-token-of-the-gateway"
    answer = planted(
        "run",
        "--provider",
        "aws",
        *LOUD,
        code=1,
        OFFGRIDFLOW_AWS_ENDPOINT_URL=address,
        OFFGRIDFLOW_AWS_MAX_RETRIES="1",
    )
    assert f"{address.partition('=')[0]}=[redacted]" in answer.stderr
    assert "pl4nted-token-of-the-gateway" not in answer.stderr
    assert_nowhere(planted, answer)


def test_a_mistake_in_the_configuration(planted: Place) -> None:
    (planted.folder / "ogf.yaml").write_text(
        f"ingestion:\n  aws:\n    secret_access_key: ['{SECRET}']\n    session_token: {{a: '{TOKEN}'}}\n    bukket: x\n"
    )
    planted.env.pop("OFFGRIDFLOW_AWS_SECRET_ACCESS_KEY", None)
    planted.env.pop("OFFGRIDFLOW_AWS_SESSION_TOKEN", None)
    assert_nowhere(planted, planted("run", "--provider", "aws", "--json", code=2))
