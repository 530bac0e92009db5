"""What is deployed is hardened as it says: image, units, manifests."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = DEPLOY / "systemd"
WORST_EXPOSURE = 1.5  # of 10, as systemd-analyze counts


def _unit(name: str) -> dict[str, dict[str, list[str]]]:
    """Sections with their settings; a setting may stand several times."""
    sections: dict[str, dict[str, list[str]]] = {}
    for line in (UNITS / name).read_text().splitlines():
        if head := re.fullmatch(r"\[(\w+)\]", line):
            section = sections.setdefault(head[1], {})
        elif line and not line.startswith("#"):
            key, value = line.split("=", 1)
            section.setdefault(key, []).append(value)
    return sections


@pytest.mark.parametrize("name", ["ogf-serve.service", "ogf-run.service"])
def test_units_are_hardened(name):
    service = _unit(name)["Service"]
    for setting in (
        "NoNewPrivileges",
        "PrivateTmp",
        "PrivateDevices",
        "ProtectHome",
        "MemoryDenyWriteExecute",
    ):
        assert service[setting] == ["yes"], setting
    assert service["ProtectSystem"] == ["strict"]
    assert service["User"] == ["ogf"]
    assert service["StateDirectory"] == ["ogf"]
    assert service["CapabilityBoundingSet"] == [""]
    assert service["LoadCredential"] == ["secrets:/etc/ogf/secrets"]


def test_a_partial_run_is_no_failure_of_its_unit_and_a_failed_one_is():
    from ogf.errors import ExitCode

    codes = _unit("ogf-run.service")["Service"]["SuccessExitStatus"]
    assert codes == [str(int(ExitCode.PARTIAL))]
    assert _unit("ogf-serve.service")["Service"]["RestartPreventExitStatus"] == [str(int(ExitCode.USAGE))]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_finds_nothing_wrong(tmp_path):
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/opt/ogf/bin/ogf", str(Path(sys.executable).with_name("ogf")))
        (tmp_path / unit.name).write_text(text)
    units = sorted(map(str, tmp_path.iterdir()))
    assert len(units) == 3
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr) == (0, "")
    for unit in units:
        if unit.endswith(".service"):
            rated = subprocess.run(
                [
                    "systemd-analyze",
                    "security",
                    "--offline=true",
                    f"--threshold={WORST_EXPOSURE * 10:g}",
                    unit,
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            assert rated.returncode == 0, rated.stdout


def _documents() -> list[dict]:
    return [
        document
        for path in sorted((DEPLOY / "kubernetes").iterdir())
        for document in yaml.safe_load_all(path.read_text())
    ]


def test_pods_are_hardened_and_never_two_at_a_time():
    found = {document["kind"]: document for document in _documents()}
    assert set(found) == {"PersistentVolumeClaim", "CronJob", "Deployment", "Service"}
    cron, serve = found["CronJob"]["spec"], found["Deployment"]["spec"]
    assert cron["concurrencyPolicy"] == "Forbid"
    assert cron["jobTemplate"]["spec"]["backoffLimit"] == 0
    assert (serve["replicas"], serve["strategy"]) == (1, {"type": "Recreate"})
    assert serve["selector"]["matchLabels"] == serve["template"]["metadata"]["labels"]
    assert found["Service"]["spec"]["selector"] == serve["template"]["metadata"]["labels"]
    for pod in (cron["jobTemplate"]["spec"]["template"]["spec"], serve["template"]["spec"]):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["envFrom"] == [{"secretRef": {"name": "ogf"}}]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert set(volumes) == {mount["name"] for mount in container["volumeMounts"]}
        claim = found["PersistentVolumeClaim"]["metadata"]["name"]
        assert volumes["warehouse"]["persistentVolumeClaim"] == {"claimName": claim}


@pytest.mark.parametrize(("code", "seen"), [(0, 0), (1, 1), (3, 0), (4, 4)])
def test_the_cron_job_takes_partial_for_done_and_nothing_else(tmp_path, code, seen):
    (cron,) = (document for document in _documents() if document["kind"] == "CronJob")
    (container,) = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    program = tmp_path / "ogf"
    program.write_text(f"#!/bin/sh\nexit {code}\n")
    program.chmod(0o755)
    done = subprocess.run(container["command"], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False)
    assert done.returncode == seen


def _instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE).replace(
        "\\\n", " "
    )
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def test_the_image_runs_as_nobody_special_and_checks_hashes():
    given = _instructions()
    last = dict(given)
    assert last["USER"] == "10001:10001"
    assert last["VOLUME"] == "/var/lib/ogf"
    assert last["CMD"] == '["serve", "--host", "0.0.0.0"]'
    assert "/healthz" in last["HEALTHCHECK"]
    installs = [rest for word, rest in given if word == "RUN" and "pip" in rest]
    assert "--require-hashes" in installs[0]
    for command in re.findall(r"pip (?:install|wheel) [^&]*", " ".join(installs)):
        assert "--no-index" in command, command  # only what was checked against its hash
    assert "REQUIRE_AUTH" not in (DEPLOY / "Dockerfile").read_text()


def test_what_the_image_copies_is_sent_to_the_daemon():
    ignore = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    kept = {line.removeprefix("!").rstrip("/") for line in ignore if line.startswith("!")}
    sources = {
        name
        for word, rest in _instructions()
        if word == "COPY" and not rest.startswith("--from")
        for name in rest.split()[:-1]
    }
    assert "*" in ignore
    assert sources == kept
    assert all((DEPLOY.parent / name).exists() for name in sources)
