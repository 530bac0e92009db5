"""Finding provider plugins, loading the one asked for, and a typed facade: nothing else touches `pm.hook`.

Names are read from entry points without importing anything; a broken plugin cannot hurt the others.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, cast

import pluggy

from ogf.errors import ErrorClass, PluginError, SourceError
from ogf.hookspecs import (
    ENTRY_POINT_GROUP,
    PROJECT,
    Check,
    Context,
    Found,
    Page,
    Partition,
    Provider,
    ProviderSpec,
    Request,
    Verdict,
    hookimpl,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ogf.hookspecs import ArrowStream
    from ogf.window import Window

_REQUIRED = ("provider", "partitions", "fetch", "to_activities")


@dataclass(frozen=True)
class Installed:
    """One entry point: the provider's name, who brings it, and which version."""

    name: str
    distribution: str
    version: str
    target: str
    entry_point: EntryPoint


def installed() -> dict[str, list[Installed]]:
    """Every provider name with the distributions that claim it (two of them: an error once it is loaded)."""
    found: defaultdict[str, list[Installed]] = defaultdict(list)
    for point in entry_points(group=ENTRY_POINT_GROUP):
        dist = point.dist
        found[point.name].append(
            Installed(
                point.name,
                dist.name if dist else "unknown",
                dist.version if dist else "?",
                point.value,
                point,
            )
        )
    return dict(sorted(found.items()))


def load(name: str) -> Plugin:
    """Import and check one provider.

    Raises:
        PluginError: not installed, doubled, not importable, or not fitting the contract.
    """
    found = installed()
    match found.get(name, []):
        case []:
            have = ", ".join(found) or "none"
            raise PluginError(
                f"there is no provider {name!r}; installed: {have}",
                hint=f"check the spelling, or install it: pip install ogf-{name}",
            )
        case [one]:
            return _load(one)
        case several:
            names = " and ".join(sorted(f"{item.distribution} {item.version}" for item in several))
            raise PluginError(
                f"the provider {name!r} is claimed by {names}", hint="uninstall all but one of them"
            )


def load_each(names: Iterable[str]) -> tuple[dict[str, Plugin], dict[str, PluginError]]:
    """Those that can be loaded, and why the others cannot: a broken plugin does not hurt the rest."""
    plugins: dict[str, Plugin] = {}
    broken: dict[str, PluginError] = {}
    for name in names:
        try:
            plugins[name] = load(name)
        except PluginError as error:
            broken[name] = error
    return plugins, broken


def _load(one: Installed) -> Plugin:
    where = f"{one.distribution} {one.version}"
    try:
        module = one.entry_point.load()
    except ImportError as error:
        raise PluginError(
            f"the plugin cannot be imported: {error}",
            where=where,
            hint=f"reinstall it with its dependencies: pip install --force-reinstall {one.distribution}",
        ) from error
    except Exception as error:
        raise PluginError(
            f"the plugin fails while it is imported: {type(error).__name__}: {error}",
            where=where,
            hint=f"this is a bug of {one.distribution}; other providers still work",
        ) from error
    return bind(module, name=one.name, where=where, version=one.version)


def bind(module: object, *, name: str, where: str = "", version: str = "0") -> Plugin:
    """Check a plugin object against the contract and wrap it. Tests bind their own objects."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(ProviderSpec)
    manager.register(_Defaults(), "ogf defaults")
    try:
        manager.register(module, name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(
            f"the plugin does not fit the contract: {error}",
            where=where or name,
            hint="compare its hooks with ogf.hookspecs.ProviderSpec, spelling and arguments",
        ) from error
    own = {
        caller.name
        for caller in (getattr(manager.hook, hook) for hook in vars(ProviderSpec) if not hook.startswith("_"))
        if any(implementation.plugin_name == name for implementation in caller.get_hookimpls())
    }
    missing = [hook for hook in _REQUIRED if hook not in own]
    if missing:
        raise PluginError(
            f"the plugin lacks the hooks {', '.join(missing)}",
            where=where or name,
            hint="implement them with @ogf.hookspecs.hookimpl",
        )
    plugin = Plugin(manager, version=version, where=where or name)
    if plugin.provider.name != name:
        raise PluginError(
            f"the entry point is called {name!r} but the plugin calls itself {plugin.provider.name!r}",
            where=where or name,
            hint="give both the same name",
        )
    return plugin


class Plugin:
    """One provider's hooks, typed."""

    def __init__(self, manager: pluggy.PluginManager, *, version: str, where: str) -> None:
        self._hook = manager.hook
        self.version = version
        self.where = where
        self.provider: Provider = self._described()

    def _described(self) -> Provider:
        hint = "this is a bug of the plugin; other providers still work"
        try:
            provider = self._hook.provider()
        except Exception as error:
            raise PluginError(
                f"`provider()` fails: {type(error).__name__}: {error}", where=self.where, hint=hint
            ) from error
        if not isinstance(provider, Provider):
            raise PluginError(
                f"`provider()` returned {type(provider).__name__}, not ogf.hookspecs.Provider",
                where=self.where,
                hint=hint,
            )
        return provider

    def partitions(self, ctx: Context, stream: str, window: Window) -> list[Partition]:
        """List a stream's partitions, checked: right stream, unique keys."""
        listed = list(
            cast("Iterable[Partition]", self._hook.partitions(ctx=ctx, stream=stream, window=window))
        )
        keys = [partition.key for partition in listed]
        twice = len(set(keys)) != len(keys) or any(
            len({repr(request) for request in partition.requests}) != len(partition.requests)
            for partition in listed
        )
        if twice or any(partition.stream != stream for partition in listed):
            raise SourceError(
                f"the plugin listed a partition or request of {stream} twice, or a partition of another stream",
                error_class=ErrorClass.FATAL,
                where=self.where,
                hint="this is a bug of the plugin: partition keys must be unique within a stream",
            )
        return listed

    def fetch(self, ctx: Context, request: Request) -> Page:
        return cast("Page", self._hook.fetch(ctx=ctx, request=request))

    def paginate(self, ctx: Context, request: Request, page: Page) -> Request | None:
        return cast("Request | None", self._hook.paginate(ctx=ctx, request=request, page=page))

    def to_activities(self, ctx: Context, request: Request, page: Page) -> ArrowStream:
        return cast("ArrowStream", self._hook.to_activities(ctx=ctx, request=request, page=page))

    def classify_error(self, ctx: Context, error: BaseException) -> Verdict | None:
        """The plugin's own word; None leaves it to `ogf.runner.classify`."""
        return cast("Verdict | None", self._hook.classify_error(ctx=ctx, error=error))

    def confirm(self, ctx: Context, partition: Partition) -> bool:
        return bool(self._hook.confirm(ctx=ctx, partition=partition))

    def check(self, ctx: Context, stream: str) -> Iterable[Check]:
        return cast("Iterable[Check]", self._hook.check(ctx=ctx, stream=stream))

    def discover(self, ctx: Context) -> Iterable[Found | Check]:
        return cast("Iterable[Found | Check]", self._hook.discover(ctx=ctx))

    def hooks(self) -> list[str]:
        """Names of the hooks this plugin implements itself."""
        return [
            name
            for name, caller in inspect.getmembers(self._hook)
            if not name.startswith("_")
            and any(
                implementation.plugin_name != "ogf defaults"
                for implementation in cast("Any", caller).get_hookimpls()
            )
        ]


class _Defaults:
    """What the core answers where a plugin does not."""

    @hookimpl(trylast=True)
    def paginate(self) -> None:
        return None

    @hookimpl(trylast=True)
    def classify_error(self) -> None:
        return None

    @hookimpl(trylast=True)
    def confirm(self) -> bool:
        return True

    @hookimpl(trylast=True)
    def check(self) -> list[Check]:
        return []

    @hookimpl(trylast=True)
    def discover(self) -> list[Found | Check]:
        return []
