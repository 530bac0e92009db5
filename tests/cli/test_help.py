"""Help, and what it costs: nothing heavy is imported to show it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from ogf.cli.main import _COMMANDS, cli

if TYPE_CHECKING:
    from cli.conftest import Place

HEAVY = {
    "duckdb",
    "pyarrow",
    "sqlmodel",
    "sqlalchemy",
    "boto3",
    "botocore",
    "pydantic",
    "structlog",
    "rich",
    "ogf_aws",
}


GROUPS = {"factors": ("list", "show", "check", "use"), "token": ("create", "list", "revoke")}
COMMANDS = [
    *(name for name in _COMMANDS if name not in GROUPS),
    *(f"{group} {name}" for group, names in GROUPS.items() for name in names),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_fits_a_terminal(command: str) -> None:
    answer = CliRunner().invoke(cli, [*command.split(), "--help"], terminal_width=80)
    assert answer.exit_code == 0
    assert "--json" in answer.output
    assert "\\b" not in answer.output
    assert max(map(len, answer.output.splitlines())) <= 80


def test_the_overview() -> None:
    answer = CliRunner().invoke(cli, ["--help"], terminal_width=80)
    assert answer.exit_code == 0
    assert "..." not in answer.output.partition("Commands:")[2]  # no command's summary is cut
    for command in _COMMANDS:
        assert f"\n  {command} " in answer.output
    assert (
        '\n  Then ask:                               ogf query "FROM activities LIMIT 5"\n' in answer.output
    )


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["run", "--help"], ["query", "--help"], ["demo", "--help"]]
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    program = "import sys; from ogf.cli.main import cli\ntry: cli(sys.argv[1:])\nexcept SystemExit: pass\nprint(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
    )
    assert "Usage:" in answer.stdout or "version" in answer.stdout
    assert HEAVY.isdisjoint(answer.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nope"], "No such command"),
        (["run", "--nope"], "No such option"),
        (["query"], "Missing argument"),
        (["run", "--since", "2026-13"], "is not a month; write it as 2026-01"),
        (["run", "--provider", "aws", "--since", "2026-02", "--until", "2026-02"], "--until is exclusive"),
        (["run", "--workers", "0"], "--workers"),
        (["run", "--provider", "aws", "--wait", "soon"], "wait"),
        (["run", "--provider", "nope"], "installed: aws"),
        (["run", "--provider", "aws", "--stream", "nope"], "it has carbon, carbon_api, cur"),
        (["run"], "name one with --provider"),
        (["run", "--provider", "aws", "--config", "none.yaml"], "none.yaml"),
        (["query", "FROM t", "--format", "table", "-o", "x.txt"], "--format"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_2(empty: Place, words: list[str], said: str) -> None:
    answer = empty(*words, code=2)
    assert said in answer.stderr
    assert answer.stdout == ""
