"""`ogf serve`: the HTTP API, jobs, schedules and the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogf.cli import options
from ogf.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from ogf.service.service import Service


@click.command("serve")
@click.option("--host", help="Address to listen on [127.0.0.1, or OFFGRIDFLOW_HTTP_HOST]")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port [8090, or OFFGRIDFLOW_HTTP_PORT]; 0 takes a free one"
)
@options.wait
@options.verbose
@options.common
def command(
    *,
    host: str | None,
    port: int | None,
    wait: str | None,
    verbose: int,
    config_path: Path | None,
    db: Path | None,
    as_json: bool,
) -> int:
    """Serve the API and the dashboard.

    Syncs are started over HTTP or by schedule, go on when the client has gone, and are resumed after a crash. Keys:
    `ogf token create`. Ends after the page under way on Ctrl-C or SIGTERM.

    \b
    curl -X POST -H "X-API-Key: $KEY" 127.0.0.1:8090/api/connectors/sync/aws
    curl -H "X-API-Key: $KEY" "127.0.0.1:8090/api/emissions?group_by=provider"
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from ogf.telemetry import masked, setup, shutdown

    try:
        from ogf.service.server import server
        from ogf.service.service import assemble
    except ImportError as error:
        raise ConfigError(
            f"the service needs {error.name}, which is not installed", hint="pip install 'ogf[serve]'"
        ) from error
    service = assemble(
        config_path,
        options.flags(db=db, verbose=verbose, server__host=host, server__port=port, runner__wait=wait),
    )
    options.set_up_logs(service.config, otherwise="info")
    settings = service.config.settings.server
    running = server(
        service,
        host=settings.host,
        port=settings.port,
        on_listening=lambda host, port: _say(service, host, port, as_json=as_json),
    )
    setup(tracing=service.config.settings.telemetry.tracing, prometheus=True)
    try:
        service.start()
        running.run()
    except SystemExit as error:  # uvicorn's way to say that it could not begin
        raise ConfigError(
            f"nothing can listen on {settings.host} port {settings.port}",
            where="server.port",
            hint="see what else listens there, or choose another with --port",
        ) from error
    finally:
        service.close()
        for line in shutdown():
            click.echo(masked(line), err=True)
    return ExitCode.SUCCEEDED


def _say(service: Service, host: str, port: int, *, as_json: bool) -> None:
    from ogf.cli.output import write_json

    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if as_json:
        write_json({"address": address, "warehouse": str(service.db)})
    click.echo(f"serving {service.db} at {address} (Ctrl-C ends it)", err=True)
    for name, error in service.connectors.broken.items():
        click.echo(f"  {name} is left out: {error.message}", err=True)
    for plan in service.scheduler.plans:
        click.echo(f"  {plan.provider} is synced by itself: {plan.every}", err=True)
    if not service.gate.required:
        click.echo("  anybody on this machine may use it: auth.require is false", err=True)
    elif not service.gate.has_any():
        click.echo(
            f"  → no key exists yet: ogf token create --name NAME --scope run --db {service.db}", err=True
        )
