"""`ogf run`: load what is new or changed."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from ogf.cli import options
from ogf.cli.output import counted
from ogf.errors import OgfError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ogf.cli.progress import Lines
    from ogf.config import Config
    from ogf.plugins import Plugin
    from ogf.runner.report import RunResult
    from ogf.window import Month


@click.command("run")
@options.scope
@click.option("--dry-run", is_flag=True, help="Only say what would be loaded and why (`ogf plan`)")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Pages read at the same time [cores]")
@click.option("--strict", is_flag=True, help="Exit 3 also for standing notices of unchanged partitions")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what is wrong")
@options.wait
@options.verbose
@options.common
@click.pass_context
def command(
    ctx: click.Context,
    *,
    providers: tuple[str, ...],
    streams: tuple[str, ...],
    since: Month | None,
    until: Month | None,
    full: bool,
    dry_run: bool,
    workers: int | None,
    strict: bool,
    quiet: bool,
    wait: str | None,
    verbose: int,
    config_path: Path | None,
    db: Path | None,
    as_json: bool,
) -> int:
    """Load what is new or changed into the warehouse.

    Without --provider, every provider that the configuration enables. Interrupt it at any time: finished pages are
    kept, and the next run goes on from there.
    """
    if dry_run:
        from ogf.cli.plan import command as plan

        return int(
            ctx.invoke(
                plan,
                providers=providers,
                streams=streams,
                since=since,
                until=until,
                full=full,
                wait=wait,
                verbose=verbose,
                config_path=config_path,
                db=db,
                as_json=as_json,
            )
        )
    from ogf.cli.output import write_json
    from ogf.cli.progress import reporter
    from ogf.cli.stopping import stopping
    from ogf.runner.clock import Cancel
    from ogf.runner.report import RunResult, overall
    from ogf.runner.run import Options, ProviderRun
    from ogf.telemetry import masked

    plugins, broken = options.chosen(providers, config_path=config_path)
    config = options.load_config(
        config_path=config_path,
        db=db,
        plugins=plugins,
        verbose=verbose,
        runner__workers=workers,
        runner__wait=wait,
    )
    asked = Options(streams=streams, window=options.window(since, until), full=full)
    cancel = Cancel()
    errors: list[OgfError] = list(broken)
    results = [
        RunResult(error.where, "", status="failed", message=error.message, hint=error.hint)
        for error in broken
    ]
    several = len(plugins) + len(broken) > 1
    with stopping(cancel), _telemetry(config, plugins):
        for plugin in plugins:
            if cancel.is_set():
                break
            show = reporter(quiet=quiet)
            try:
                with _shown(show):
                    result = ProviderRun(plugin, config, cancel=cancel, reporter=show).run(asked)
            except OgfError as error:
                if not several:
                    raise
                errors.append(error)
                text = masked(error.headline)
                result = RunResult(
                    plugin.provider.name, "", status="failed", message=text, hint=masked(error.hint)
                )
            results.append(result)
            show_summary(show, result, quiet=quiet)
            if result.status == "succeeded" and not result.partitions and not quiet:
                show.say(f"  {options.nothing_listed(asked.window, config)}")
    if several:
        _show_failures(results, of=len(plugins) + len(broken))
    if as_json:
        write_json([result.as_json() for result in results])
    return (
        errors[0].exit_code if len(errors) == len(plugins) + len(broken) else overall(results, strict=strict)
    )


@contextmanager
def _telemetry(config: Config, plugins: Sequence[Plugin]) -> Iterator[None]:
    """Send spans and metrics of the command, if the environment or the configuration says where to."""
    from ogf.redaction import Redactor
    from ogf.telemetry import masked, setup, shutdown
    from ogf.telemetry.spans import ingestion_run

    setup(tracing=config.settings.telemetry.tracing)
    try:
        with ingestion_run(
            Redactor(config.secrets()).text, providers=",".join(plugin.provider.name for plugin in plugins)
        ):
            yield
    finally:
        for line in shutdown():
            click.echo(masked(line), err=True)


def _shown(show: Lines) -> AbstractContextManager[Any]:
    return show if isinstance(show, AbstractContextManager) else nullcontext()


def _show_failures(results: list[RunResult], *, of: int) -> None:
    """Say last, where nobody has to scroll for it, which providers failed and what to do."""
    failed = [result for result in results if result.status == "failed"]
    if failed:
        names = ", ".join(result.provider for result in failed)
        click.echo(f"{len(failed)} of {of} providers failed: {names}", err=True)
    for result in failed:
        click.echo(f"  {result.provider}: {result.message}", err=True)
        if result.hint:
            click.echo(f"    → {result.hint}", err=True)


def show_summary(show: Lines, result: RunResult, *, quiet: bool = False) -> None:
    """Say how a provider's run ended."""
    if quiet and result.status == "succeeded":
        return
    counts = ", ".join(
        f"{result.count(outcome)} {outcome}"
        for outcome in ("loaded", "unchanged", "failed")
        if result.count(outcome) or outcome == "loaded"
    )
    rejected = f", {result.rejected:,} rejected" if result.rejected else ""
    rows = f"{counted(result.rows, 'row')}{rejected}"
    show.say(f"{result.provider}: {result.status}; {counts}; {rows} in {result.seconds:.1f} s")
    for notice in result.notices:
        show.say(f"  {notice}")
    if result.status == "cancelled":
        show.say(f"  {result.message}; run the same command to go on")
