"""`ogf token`: keys of the HTTP API."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import click

from ogf.cli import options
from ogf.cli.known import loaded
from ogf.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from ogf.config import Config
    from ogf.warehouse.file import WarehouseFile
    from ogf.warehouse.ledger import ApiKey

_LONGEST_SECONDS = 100 * 366 * 86400
_SCOPES = ("read", "run", "admin")


@click.group("token", short_help="Keys of the HTTP API: create, list, revoke.")
def command() -> None:
    """Keys of the HTTP API (`ogf serve`). A key is shown once; only its hash is kept."""


@command.command("create")
@click.option("--name", required=True, metavar="NAME", help="What it is for, as lists and logs call it")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(_SCOPES),
    help="read: ask; run: also start syncs; admin: all. Repeatable [read]",
)
@click.option("--org", help="Organisation whose data it sees [ingestion.org_id]")
@click.option("--expires", metavar="TIME", help="Worthless after, for instance 90d or 12h [never]")
@options.wait
@options.common
def create(
    *,
    name: str,
    scopes: tuple[str, ...],
    org: str | None,
    expires: str | None,
    wait: str | None,
    config_path: Path | None,
    db: Path | None,
    as_json: bool,
) -> int:
    """Make a key. It is written to stdout, this once."""
    from ogf.cli.output import write_json
    from ogf.service.auth import keys

    config, warehouse = _open(config_path, db, wait)
    if org is not None:
        _warn_of_unknown(org, config, warehouse)
    made = keys.create(
        warehouse,
        name=_name(name),
        org_id=org or config.settings.ingestion.org_id,
        scopes=scopes or ("read",),
        env=config.settings.server.env,
        expires_at=_expiry(expires),
    )
    if as_json:
        write_json({"key": made.secret, **_told(made.kept)})
    else:
        click.echo(made.secret)
        until = f"{made.kept.expires_at:%Y-%m-%d %H:%M} UTC" if made.kept.expires_at else "it is revoked"
        click.echo(
            f"key {made.kept.key_id} ({made.kept.name}) of {warehouse.path}: organisation {made.kept.org_id}, scopes "
            f"{', '.join(made.kept.scopes)}, good until {until}. Keep it now, it is not shown again",
            err=True,
        )
    return ExitCode.SUCCEEDED


@command.command("list")
@options.wait
@options.common
def list_keys(*, wait: str | None, config_path: Path | None, db: Path | None, as_json: bool) -> int:
    """List every key, never the key itself."""
    from ogf.cli.output import write_json, write_table
    from ogf.service.auth import keys

    _, warehouse = _open(config_path, db, wait)
    found = [_told(key) for key in keys.all_keys(warehouse)]
    if as_json:
        write_json(found)
    elif found:
        columns = ("id", "name", "org", "scopes", "state", "created", "expires")
        write_table(
            columns,
            [
                (
                    key["key_id"],
                    key["name"],
                    key["org_id"],
                    ", ".join(key["scopes"]),
                    key["state"],
                    f"{key['created_at']:%Y-%m-%d}",
                    f"{key['expires_at']:%Y-%m-%d %H:%M}" if key["expires_at"] else "never",
                )
                for key in found
            ],
        )
    else:
        click.echo("there is no key yet\n  → ogf token create --name NAME", err=True)
    return ExitCode.SUCCEEDED


@command.command("revoke")
@click.argument("key_id")
@options.wait
@options.common
def revoke(*, key_id: str, wait: str | None, config_path: Path | None, db: Path | None, as_json: bool) -> int:
    """Make a key worthless; a running service refuses it within seconds."""
    from ogf.cli.output import write_json
    from ogf.service.auth import keys

    _, warehouse = _open(config_path, db, wait)
    key = keys.revoke(warehouse, key_id)
    if key is None:
        raise ConfigError(f"there is no key {key_id!r}", hint="`ogf token list` shows the ids")
    if as_json:
        write_json(_told(key))
    else:
        click.echo(f"key {key.key_id} ({key.name}) is revoked", err=True)
    return ExitCode.SUCCEEDED


def _open(config_path: Path | None, db: Path | None, wait: str | None) -> tuple[Config, WarehouseFile]:
    config = options.load_config(config_path=config_path, db=db, runner__wait=wait)
    return config, options.warehouse_of(config)


def _warn_of_unknown(org: str, config: Config, warehouse: WarehouseFile) -> None:
    """Say that an organisation has no data yet: it may be about to have some, or a slip of the pen."""
    if org == config.settings.ingestion.org_id or not warehouse.path.exists():
        return
    with warehouse.reading() as connection:
        there = loaded(connection, "org_id")
    if there and org not in there:
        click.echo(f"nothing is loaded of the organisation {org} yet; there is {', '.join(there)}", err=True)


def _told(key: ApiKey) -> dict[str, Any]:
    from ogf.service.auth.keys import problem
    from ogf.warehouse.ledger import now

    state = {None: "valid", "this key was revoked": "revoked"}.get(problem(key, now()), "expired")
    return {**key.model_dump(exclude={"sha256"}), "state": state}


def _name(text: str) -> str:
    name = text.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise ConfigError("--name is 1 to 100 printable characters", hint="say what the key is for")
    return name


def _expiry(text: str | None) -> dt.datetime | None:
    from ogf.config.values import parse_duration

    if text is None:
        return None
    given = text.strip()
    days = given.removesuffix("d")
    try:
        if given.isdecimal():
            raise ValueError("it has no unit")
        seconds = float(days) * 86400 if days != given else parse_duration(given)
        if not 0 < seconds < _LONGEST_SECONDS:
            raise ValueError("it must be within 100 years")
        return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    except ValueError as error:
        raise ConfigError(
            f"--expires {text}: {error}", hint="write a duration such as 90d, 12h or 30m"
        ) from None
