"""`ogf`: finds the command, turns errors into one clear text and an exit code."""

from __future__ import annotations

import json
import os
import sys
import traceback
from importlib import import_module
from typing import NoReturn

import click

from ogf import __version__
from ogf.cli.writable import not_writable
from ogf.errors import ExitCode, OgfError

_VERBOSE = ("-vv", "-v", "--verbose")
_COMMANDS = (
    "run",
    "plan",
    "status",
    "providers",
    "query",
    "report",
    "reconcile",
    "factors",
    "init",
    "doctor",
    "serve",
    "token",
    "demo",
    "forget",
)


class _Commands(click.Group):
    """Looks commands up by module name; each module is imported when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"ogf.cli.{cmd_name}").command
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ogf")
def cli() -> None:
    """OffGridFlow: the carbon and cost of every cloud in one DuckDB table, `activities`.

    \b
    A first look, without any account:      ogf demo
    Your own clouds:                        ogf init, ogf doctor, ogf run
    Then ask:                               ogf query "FROM activities LIMIT 5"
    Or read:                                ogf report --html report.html
    Or serve it, with a dashboard:          ogf serve

    Exit codes: 0 succeeded, 1 failed, 2 usage or configuration, 3 partial, 4 warehouse busy, 130 interrupted.
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped


def main() -> NoReturn:
    """Entry point. Every error ends as a text and an exit code; none as a traceback."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(ExitCode.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except OgfError as error:
        _tell(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # whoever read our output (`| head`) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.SUCCEEDED)
    except OSError as error:
        refused = not_writable(error)
        if refused is None:
            _tell_unforeseen(error)
        else:
            _tell(refused)
        sys.exit(ExitCode.FAILED)
    except Exception as error:  # noqa: BLE001 - the last place where a traceback can be turned into a text
        _tell_unforeseen(error)
        sys.exit(ExitCode.FAILED)
    sys.exit(code if isinstance(code, int) else ExitCode.SUCCEEDED)


def _tell(error: OgfError) -> None:
    from ogf.telemetry import masked

    click.echo(f"{click.style('error', fg='red', bold=True)}: {masked(str(error))}", err=True)
    if "--json" in sys.argv:
        fields = {
            "type": type(error).__name__,
            "message": masked(error.message),
            "where": masked(error.where),
            "hint": error.hint,
        }
        click.echo(json.dumps({"error": fields}))


def _tell_unforeseen(error: Exception) -> None:
    from ogf.telemetry import masked

    if any(word in sys.argv for word in _VERBOSE):
        click.echo(masked("".join(traceback.format_exception(error))), err=True)
    _tell(
        OgfError(
            f"{type(error).__name__}: {error}",
            hint="ogf did not foresee this: run the command again with -vv (where it has that) and report what it says",
        )
    )
