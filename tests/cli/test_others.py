"""`init`, `doctor`, `status`, `providers` and `demo`, as a newcomer meets them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli.conftest import Place

if TYPE_CHECKING:
    from aws.conftest import Bucket


def test_init_writes_a_file_without_mistakes(empty: Place) -> None:
    empty("init")
    assert "ingestion.aws.enabled" not in empty("run", code=2).stderr.replace(
        "ingestion.<provider>.enabled", ""
    )
    said = empty("doctor", code=1).stdout.splitlines()  # no location yet: the only thing that is missing
    assert [line.partition(" (")[0] for line in said if line.startswith("FAIL")] == [
        f"FAIL  {name}: settings: not configured yet" for name in ("aws", "azure", "gcp")
    ]
    assert sum("ogf doctor --provider aws" in line for line in said) == 1
    assert "OFFGRIDFLOW_AWS_CUR_LOCATION" in empty("doctor", "--provider", "aws", code=1).stdout
    for path in ("no/where.yaml", "."):
        assert "folder" in empty("init", "--config", path, code=2).stderr
    again = empty("init", code=2)
    assert "--force" in again.stderr
    empty("init", "--force")


def test_all_that_init_writes_can_be_uncommented(empty: Place) -> None:
    empty("init", "--config", "mine.yaml")
    written = (empty.folder / "mine.yaml").read_text()
    assert max(map(len, written.splitlines())) <= 120
    uncommented = re.sub(r"^( *)#(?! )", r"\1", written, flags=re.MULTILINE)
    assert uncommented.count("\n") > 30
    (empty.folder / "mine.yaml").write_text(uncommented)
    before = json.loads(empty("doctor", "--json", code=1).stdout)["settings"]
    after = json.loads(empty("doctor", "--config", "mine.yaml", "--json", code=1).stdout)["settings"]
    values = [{row["key"]: row["value"] for row in rows} for rows in (before, after)]
    assert values[0] == values[1]


def test_doctor_on_a_good_folder(place: Place) -> None:
    place("run")
    said = place("doctor").stdout
    assert "FAIL" not in said
    assert "ok    ogf: warehouse: " in said
    assert "ok    aws cur: exports: read " in said


def test_doctor_on_a_missing_folder(place: Place) -> None:
    answer = place("doctor", code=1, OFFGRIDFLOW_AWS_CUR_LOCATION="nowhere")
    assert re.search(r"FAIL  aws cur: folder: there is no folder \S+nowhere\n      → check", answer.stdout)
    checks = json.loads(place("doctor", "--json", code=1, OFFGRIDFLOW_AWS_CUR_LOCATION="nowhere").stdout)[
        "checks"
    ]
    assert [check["ok"] for check in checks if check["check"] != "settings"] == [True, False]


def test_doctor_names_the_missing_permission(empty: Place, bucket: Bucket) -> None:
    empty.env = s3_environment(bucket)
    bucket.aws.faults.inject("list-type", "403 Forbidden", "AccessDenied")
    said = empty("doctor", code=1).stdout
    assert "ok    aws cur: identity: arn:aws" in said
    assert "FAIL  aws cur: bucket" in said
    assert "s3:ListBucket" in said


def test_doctor_shows_settings_without_secrets(empty: Place, bucket: Bucket) -> None:
    empty.env = s3_environment(bucket)
    said = empty("doctor", "--settings", code=1).stdout
    assert re.search(r"ingestion.aws.bucket +exports-\w+ +", said)
    assert re.search(r"ingestion.aws.secret_access_key +set +", said)
    assert "planted-secret" not in said


def s3_environment(bucket: Bucket) -> dict[str, str]:
    return {
        "OFFGRIDFLOW_AWS_S3_BUCKET": bucket.name,
        "OFFGRIDFLOW_AWS_ENDPOINT_URL": bucket.aws.endpoint_url,
        "OFFGRIDFLOW_AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "OFFGRIDFLOW_AWS_SECRET_ACCESS_KEY": "planted-secret",
    }


def test_providers(empty: Place) -> None:
    assert re.search(r"aws +ogf-aws \S+ +.*cur", empty("providers").stdout)
    aws, azure, gcp = json.loads(empty("providers", "--json").stdout)
    assert (aws["provider"], aws["streams"], aws["problem"]) == (
        "aws",
        "carbon, carbon_api, cur, focus, cost_explorer",
        "",
    )
    assert (azure["provider"], azure["problem"]) == ("azure", "")
    assert azure["streams"] == "carbon, focus, actual_cost, cost_query, mcfs"
    assert (gcp["provider"], gcp["streams"], gcp["problem"]) == ("gcp", "carbon, billing, focus", "")


def test_demo_twice(empty: Place) -> None:
    first = empty("demo")
    assert re.search(r"^ aws +.* \d+ % +\d+ % *$", first.stdout, re.MULTILINE)
    assert re.search(r"^ azure +", first.stdout, re.MULTILINE)
    assert re.search(r"^ gcp +28[34](\.7)? +108(\.3)? +", first.stdout, re.MULTILINE)
    assert "The report is demo/report.html" in first.stderr
    assert (empty.folder / "demo/report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "sample exports are in demo/exports" in first.stderr
    assert "Ask it yourself: ogf query --db demo/ogf.duckdb" in first.stderr
    assert "unmapped" not in first.stderr
    second = empty("demo")
    assert second.stdout == first.stdout
    assert "aws: succeeded; 0 loaded, 7 unchanged" in second.stderr
    assert "azure: succeeded; 0 loaded, 3 unchanged" in second.stderr
    assert "gcp: succeeded; 0 loaded, 6 unchanged" in second.stderr
    assert sorted(path.name for path in empty.folder.iterdir()) == ["demo"]


@pytest.mark.parametrize("name", [pytest.param("aws", marks=pytest.mark.long), "azure"])
def test_demo_of_one_provider(empty: Place, name: str) -> None:
    """The other providers' exports are not even written."""
    answer = empty("demo", "--provider", name)
    assert re.search(rf"^ {name} +", answer.stdout, re.MULTILINE)
    assert "gcp" not in answer.stdout
    assert [path.name for path in (empty.folder / "demo/exports").iterdir()] == [name]


def test_demo_of_an_unknown_provider(empty: Place) -> None:
    assert "nowhere" in empty("demo", "--provider", "aws", "--provider", "nowhere", code=2).stderr
    assert not list(empty.folder.iterdir())


@pytest.fixture(scope="module")
def gcp(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, str]:
    """One demo of Google Cloud, in a place whose configuration is wrong all over; and what it wrote to stdout."""
    place = Place(tmp_path_factory.mktemp("gcp"))
    place.configure("ingestion: {aws: {bukket: mine}}\nrunner: {wait: never}\n")
    told = place("demo", "--provider", "gcp", "--json").stdout
    (place.folder / "ogf.yaml").unlink()
    return place, told


def test_demo_as_json_cares_for_no_configuration(gcp: tuple[Place, str]) -> None:
    place, printed = gcp
    told = json.loads(printed)
    (cloud,) = told["clouds"]
    asked = "SELECT sum(emissions_kgco2e) AS kg FROM activities WHERE accounting IS DISTINCT FROM 'market'"
    (total,) = json.loads(place("query", "--db", "demo/ogf.duckdb", "--format", "json", asked).stdout)
    assert cloud["reported_location_kgco2e"] == pytest.approx(total["kg"], rel=1e-9)
    assert (place.folder / told["report"]).exists()


def test_demo_overwrites_no_configuration_of_others(empty: Place) -> None:
    empty.configure("ingestion: {aws: {enabled: true}}\n")
    before = (empty.folder / "ogf.yaml").read_text()
    assert "another --folder" in empty("demo", "--folder", ".", code=2).stderr
    assert [path.name for path in empty.folder.iterdir()] == ["ogf.yaml"]
    assert (empty.folder / "ogf.yaml").read_text() == before


def test_demo_leaves_its_configuration_to_go_on_with(gcp: tuple[Place, str]) -> None:
    place, _ = gcp
    again = place("run", "--config", "demo/ogf.yaml").stderr
    assert "gcp: succeeded; 0 loaded, 6 unchanged" in again


def test_demo_without_the_extra_says_what_to_install(
    empty: Place, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lacking = tmp_path_factory.mktemp("lacking")
    (lacking / "sitecustomize.py").write_text("import sys\nsys.modules['matplotlib'] = None\n")
    answer = empty("demo", "--provider", "gcp", PYTHONPATH=str(lacking))
    assert "pip install 'ogf[report]'" in answer.stderr
    assert re.search(r"^ gcp +28[34]", answer.stdout, re.MULTILINE)
    assert not (empty.folder / "demo/report.html").exists()


def test_the_tutorial_quotes_what_is_printed(gcp: tuple[Place, str]) -> None:
    tutorial = (Path(__file__).parents[2] / "docs/tutorial.md").read_text(encoding="utf-8")
    (quoted,) = re.findall(r"```text\n(.*?)```", tutorial, flags=re.DOTALL)
    place, _ = gcp
    printed = place("report", "--db", "demo/ogf.duckdb", "--provider", "gcp", "--table", "months").stdout
    said = [line.split() for line in printed.splitlines()]
    for line in quoted.splitlines():
        assert line.split() in said


@pytest.mark.parametrize("command", ["run", "plan", "doctor"])
def test_every_mistake_in_one_message(empty: Place, command: str) -> None:  # B107
    empty.configure(
        "ingestion:\n  aws:\n    bukket: mine\n    rate_limit_capacity: -1\n    request_timeout: soon\n    account_id: '42'\nrunner:\n  waitt: 3\n"
    )
    said = empty(command, "--provider", "aws", code=2).stderr
    for line, words in {
        3: "bucket",
        4: "rate_limit_capacity",
        5: "request_timeout",
        6: "12 digits",
        8: "wait",
    }.items():
        assert re.search(rf"ogf\.yaml.*{line}.*{words}", said), (line, words, said)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MAX_RETRIES", "many"),
        ("RATE_LIMIT_CAPACITY", "-1"),
        ("REQUEST_TIMEOUT", "0s"),
        ("INGEST_ENABLED", "maybe"),
    ],
)
def test_a_wrong_value_is_never_replaced_by_a_default(place: Place, name: str, text: str) -> None:  # B108
    answer = place("run", code=2, **{f"OFFGRIDFLOW_AWS_{name}": text})
    assert f"OFFGRIDFLOW_AWS_{name}" in answer.stderr
    assert text in answer.stderr
