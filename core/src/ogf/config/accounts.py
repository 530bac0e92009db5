"""The list `accounts` of a provider's section: several payers, tenants or billing accounts in one configuration.

The section is what they share. Each entry starts from it and says what is different: an entry's own value wins over
the section's, wherever that one came from. Entries have no variables of their own; their secrets are written as
`env:NAME` or `file:PATH`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ogf.config.document import Node
from ogf.config.gather import Gatherer, Origin, Sources
from ogf.config.provider import ProviderSettings
from ogf.config.shape import ACCOUNTS, Setting

NAME = "name"
# One limiter, one run lock and one organisation for all of a provider's accounts.
SHARED = frozenset(ProviderSettings.model_fields)


@dataclass(frozen=True)
class Account:
    """One entry of the list: what people call it, and all that holds for it. `name` is empty without a list."""

    name: str
    settings: ProviderSettings


def parted(section: Node) -> tuple[Node, Node | None]:
    """Part a provider's section into what its accounts share, and their list; None without one."""
    if not isinstance(section.value, dict) or ACCOUNTS not in section.value:
        return section, None
    entries = section.value[ACCOUNTS]
    rest = Node({key: node for key, node in section.value.items() if key != ACCOUNTS}, section.line)
    return rest, None if entries.value is None else entries


def gather_accounts(
    sources: Sources, provider: str, model: type[ProviderSettings], section: Node, entries: Node
) -> tuple[Account, ...]:
    """Validate every account, mistakes going on the list; incomplete if there were any."""
    where = sources.document.at(entries.line)
    if not isinstance(entries.value, list) or not entries.value:
        text = f"ingestion.{provider}.{ACCOUNTS} is a list; write each account below it, after a dash, or remove it."
        sources.mistakes.add(text, where=where)
        return ()
    common = Gatherer(sources, provider=provider)
    shared = common.origins(model, section)
    found: list[Account] = []
    for number, node in enumerate(entries.value):
        entry = _Entry(sources, provider, number, common, shared)
        name, own = entry.named(node, taken={account.name for account in found})
        settings = entry.gather(model, own)
        if settings is not None and name:
            found.append(Account(name, settings))
    return tuple(found)


class _Entry(Gatherer):
    """One entry: what it says itself, over what the section says."""

    def __init__(
        self,
        sources: Sources,
        provider: str,
        number: int,
        common: Gatherer,
        shared: Mapping[tuple[str, ...], Origin],
    ) -> None:
        super().__init__(sources, provider=provider)
        self._key = f"ingestion.{provider}.{ACCOUNTS}.{number}"
        self._common = common
        self._shared = shared
        self._own: set[tuple[str, ...]] = set()
        self._besides = (NAME,)

    def named(self, node: Node, *, taken: set[str]) -> tuple[str, Node]:
        """Take the name out of an entry, and refuse what is not an account's to say."""
        where = self._sources.document.at(node.line)
        if not isinstance(node.value, dict):
            self._sources.mistakes.add(
                f"{self._key} is a section; write its settings one per line.", where=where
            )
            return "", Node(None, node.line)
        written = node.value.get(NAME)
        name = written.value.strip() if written is not None and isinstance(written.value, str) else ""
        if not name:
            self._sources.mistakes.add(
                f"{self._key}.{NAME} is missing; give each account a short name.", where=where
            )
        elif name in taken:
            self._sources.mistakes.add(
                f"{self._key}.{NAME} is {name!r}, as another account's; names must differ.", where=where
            )
        self._sources.found[f"{self._key}.{NAME}"] = where
        for key in sorted(SHARED & set(node.value)):
            text = f"{self._key}.{key} is the same for all accounts; set {self._common.dotted((key,))}."
            self._sources.mistakes.add(text, where=self._sources.document.at(node.value[key].line))
        own = {key: child for key, child in node.value.items() if key != NAME and key not in SHARED}
        return name, Node(own, node.line)

    def _first(self, setting: Setting, node: Node | None) -> Origin | None:
        if node is None:
            return self._shared.get(setting.path)
        self._own.add(setting.path)
        return self._of_file(node)

    def _names(self, path: tuple[str | int, ...], setting: Setting | None) -> str:
        if setting and setting.path in self._shared and setting.path not in self._own:
            return self._common._names(path, setting)  # noqa: SLF001 - it is told where it was written
        return self.dotted(tuple(map(str, path)))
