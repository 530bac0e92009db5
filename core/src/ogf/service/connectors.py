"""Every installed provider as the service knows it: its plugin, what it lacks, and how it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf.errors import ConfigError, OgfError, PluginError
from ogf.runner.run import Options, ProviderRun
from ogf.runner.spool import Spool, spool_root
from ogf.service.envelope import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ogf.config import Config
    from ogf.plugins import Plugin
    from ogf.runner.clock import Cancel
    from ogf.runner.report import Reporter
    from ogf.warehouse.instance import Instance


class UnknownProvider(OgfError):
    """No installed distribution brings this provider."""


class Connectors:
    """The installed providers.

    Args:
        plugins: those that could be loaded.
        broken: provider → why its plugin cannot be loaded.
    """

    def __init__(
        self,
        config: Config,
        plugins: Mapping[str, Plugin],
        broken: Mapping[str, PluginError],
        instance: Instance,
    ) -> None:
        self.config = config
        self._instance = instance
        self._plugins = dict(plugins)
        self._configured: dict[str, bool] = {}  # by provider; the configuration is read once
        self.broken = dict(broken)

    @property
    def names(self) -> list[str]:
        return sorted({*self._plugins, *self.broken})

    def plugin(self, name: str) -> Plugin:
        """Raises UnknownProvider, whose message lists the installed ones, and PluginError for one that is broken."""
        if name in self.broken:
            raise self.broken[name]
        if name not in self._plugins:
            have = ", ".join(self.names) or "none"
            raise UnknownProvider(
                f"there is no provider of this name; installed: {have}",
                hint=f"ask for one of {have}, or install the plugin of another and restart ogf serve",
            )
        return self._plugins[name]

    def run(
        self, name: str, *, cancel: Cancel | None = None, reporter: Reporter | None = None
    ) -> ProviderRun:
        """A run of a provider on the shared instance, to carry out or to ask about. Raises as `plugin`."""
        return ProviderRun(
            self.plugin(name), self.config, cancel=cancel, reporter=reporter, instance=self._instance
        )

    def org_of(self, name: str) -> str:
        """The organisation that a provider's data belongs to, as configured."""
        settings = self.config.providers.get(name)
        return (settings.org_id if settings else None) or self.config.settings.ingestion.org_id

    def going_on(self, org_id: str) -> frozenset[str]:
        """The providers of which a run goes on, be it one that `ogf run` began."""
        root = spool_root(self.config.settings.warehouse.path)
        return frozenset(name for name in self.names if Spool(root, org_id, name).under_way)

    def require_own(self, name: str, org_id: str) -> None:
        """Raise ApiError 403 if a provider is configured for another organisation."""
        if org_id != self.org_of(name):
            raise ApiError(
                403,
                "other_organisation",
                f"{name} is configured for another organisation",
                detail="use a credential of that organisation",
            )

    def require_ready(self, name: str, options: Options) -> None:
        """Raise ConfigError, naming the missing settings, if a provider cannot be synced as it is configured."""
        self.run(name).require(options)

    def enabled(self) -> list[str]:
        """The providers that `ogf run` runs when it is given no name."""
        return [name for name in sorted(self._plugins) if self.config.providers[name].enabled]

    def configured(self, name: str) -> bool:
        """Whether a sync of the provider could begin."""
        if name not in self._configured:
            try:
                self.require_ready(name, Options())
            except (ConfigError, PluginError):
                self._configured[name] = False
            else:
                self._configured[name] = True
        return self._configured[name]
