"""Really trying a provider, with real calls and nothing loaded: for `ogf doctor` and the service."""

from __future__ import annotations

import dataclasses
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ogf.hookspecs import Check
from ogf.runner.run import ProviderRun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ogf.config import Config
    from ogf.plugins import Plugin


@contextmanager
def aside(config: Config) -> Iterator[Config]:
    """The same configuration beside another folder, so that looking leaves nothing behind and needs no permission."""
    with tempfile.TemporaryDirectory(prefix="ogf-trial-") as folder:
        warehouse = config.settings.warehouse.model_copy(update={"path": Path(folder) / "ogf.duckdb"})
        settings = config.settings.model_copy(update={"warehouse": warehouse})
        yield dataclasses.replace(config, settings=settings)


def checks(plugin: Plugin, config: Config, *, named: bool = True) -> Iterator[tuple[str, Check]]:
    """Try every stream that is set up, through every account, as (stream and account, check).

    Args:
        named: the provider was asked for by name: then it is told what each stream needs, even if none is set up.
    """
    run = ProviderRun(plugin, config)
    missing = {stream.name: run.missing(stream.name) for stream in plugin.provider.streams}
    some = not all(missing.values())
    if not some and not named:
        name, streams = plugin.provider.name, ", ".join(missing)
        hint = f"`ogf doctor --provider {name}` says what each needs; `ogf init --discover` looks for it and sets it"
        yield "", Check("settings", ok=False, detail=f"not configured yet (it reads {streams})", hint=hint)
        return
    for stream in plugin.provider.streams:
        if needs := " and ".join(missing[stream.name]):
            off = f"off; to read it, set {needs}"
            yield (
                stream.name,
                Check("settings", ok=True, detail=off)
                if some
                else Check("settings", ok=False, detail="not configured", hint=f"set {needs}"),
            )
            continue
        for account in run.accounts:
            if not account.settings.missing(stream.name):
                where = f"{stream.name} ({account.name})" if account.name else stream.name
                with run.task_context(stream.name, account=account.name) as ctx:
                    for check in plugin.check(ctx, stream.name):
                        yield where, check


def first_failure(plugin: Plugin, config: Config) -> Check | None:
    """The first check that fails, its detail saying where; None if all is well."""
    with aside(config) as elsewhere:
        for where, check in checks(plugin, elsewhere):
            if not check.ok:
                return dataclasses.replace(check, detail=f"{where}: {check.name}: {check.detail}")
    return None
