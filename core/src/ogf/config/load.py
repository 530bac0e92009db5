"""`load` and `peek_enabled`: the whole configuration, or just who is switched on.

All mistakes are told at once, in one ConfigError. Sections of plugins that are installed but not asked for
are left alone, because judging them would import the plugin.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from ogf.config.accounts import Account, gather_accounts, parted
from ogf.config.document import Document, Node, read
from ogf.config.gather import Gatherer, Sources
from ogf.config.general import REFUSED_ENV, REFUSED_KEYS, UNSERVED, Ingestion, Settings
from ogf.config.mistakes import Mistakes, nearest
from ogf.config.provider import ProviderSettings
from ogf.config.result import Config
from ogf.config.shape import PREFIX, env_name, env_prefix, settings_of
from ogf.config.values import parse_flag

_SWITCH = re.compile(rf"{PREFIX}([A-Z0-9_]+)_INGEST_ENABLED")
# A hint to install whatever was mistyped would be an invitation to others.
OURS = ("aws", "azure", "gcp")
_READABLE_BY_OTHERS = 0o044


def load(
    *,
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
    providers: Mapping[str, type[ProviderSettings]] | None = None,
    installed: Collection[str] = (),
) -> Config:
    """Read and validate the configuration: flag > environment > YAML > default.

    Args:
        path: the YAML file; None means `ogf.yaml` in the working directory, if there is one.
        environ: None means `os.environ`.
        overrides: dotted key → value of a command-line flag; None values are flags not given.
        providers: the settings models of the providers that take part.
        installed: every provider that could take part.

    Raises:
        ConfigError: with one line per mistake.
    """
    providers = providers or {}
    known = sorted({*installed, *providers})
    mistakes = Mistakes()
    sources = Sources(read(path), os.environ if environ is None else environ, overrides or {}, mistakes)
    for line, text in sources.document.problems:
        mistakes.add(f"{text}.", where=sources.document.at(line))
    general, sections = _split(sources.document, known)
    _refuse_names_of_the_past(sources, general)
    unserved = [*_unserved_sections(sections, known), *_unserved_names(sources.environ, known)]
    _refuse_sections_without_plugin(sources, sections, known)
    _refuse_unknown_names(sources, providers, known)
    settings = Gatherer(sources).gather(Settings, general)
    configured: dict[str, ProviderSettings | None] = {}
    accounts: dict[str, tuple[Account, ...]] = {}
    for name, model in providers.items():
        section, entries = parted(sections.get(name, Node(None)))
        if entries is None:
            configured[name] = Gatherer(sources, provider=name).gather(model, section)
            continue
        accounts[name] = gather_accounts(sources, name, model, section, entries)
        configured[name] = accounts[name][0].settings if accounts[name] else None
    _refuse_unknown_overrides(sources, known)
    mistakes.check()
    if settings is None:  # pragma: no cover  a model without a value has put its mistakes on the list
        raise AssertionError
    return Config(
        settings=settings,
        providers={name: model for name, model in configured.items() if model is not None},
        accounts=accounts,
        sources=sources.found,
        unserved=tuple(unserved),
        warnings=tuple(_warnings(sources)),
    )


def peek_enabled(
    *,
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
    installed: Collection[str] = (),
) -> tuple[str, ...]:
    """Name the installed providers that are switched on, without importing any plugin.

    Whoever wrote something unreadable there is named too, so that `load` tells the mistake with all others.
    """
    environ = os.environ if environ is None else environ
    _, sections = _split(read(path), sorted(installed))
    return tuple(name for name in sorted(installed) if _is_on(name, sections, environ, overrides or {}))


def _is_on(
    name: str, sections: Mapping[str, Node], environ: Mapping[str, str], overrides: Mapping[str, object]
) -> bool:
    value = overrides.get(f"ingestion.{name}.enabled")
    if value is None:
        value = environ.get(env_name(name, "enabled"))
    section = sections.get(name)
    if value is None and section is not None:
        entries = section.value if isinstance(section.value, dict) else {}
        value = entries["enabled"].value if "enabled" in entries else None
    try:
        return value is not None and parse_flag(value)
    except ValueError:
        return True


def _split(document: Document, known: Collection[str]) -> tuple[Node, dict[str, Node]]:
    """Part the file into what is general and the sections of providers."""
    root = document.root
    ingestion = root.value.get("ingestion") if isinstance(root.value, dict) else None
    if not isinstance(root.value, dict) or ingestion is None or not isinstance(ingestion.value, dict):
        return root, {}
    sections = {
        key: node
        for key, node in ingestion.value.items()
        if key in known or (isinstance(node.value, dict) and key not in Ingestion.model_fields)
    }
    rest = {key: node for key, node in ingestion.value.items() if key not in sections}
    return Node({**root.value, "ingestion": Node(rest, ingestion.line)}, root.line), sections


def _refuse_names_of_the_past(sources: Sources, general: Node) -> None:
    for name, hint in REFUSED_ENV.items():
        if sources.environ.get(name):
            sources.mistakes.add(f"{name} is no longer a setting. {hint}", where=f"environment {name}")
    runner = general.value.get("runner") if isinstance(general.value, dict) else None
    if runner is None or not isinstance(runner.value, dict):
        return
    for key, hint in REFUSED_KEYS.items():
        node = runner.value.pop(key.removeprefix("runner."), None)
        if node is not None:
            where = sources.document.at(node.line)
            sources.mistakes.add(f"{key} is no longer a setting. {hint}", where=where)


def _unserved_sections(sections: Mapping[str, Node], known: Collection[str]) -> list[str]:
    return [f"ingestion.{name}" for name in sections if name in UNSERVED and name not in known]


def _unserved_names(environ: Mapping[str, str], known: Collection[str]) -> Iterator[str]:
    """Name the variables of sources for which there is no plugin."""
    served = tuple(map(env_prefix, known))
    general = {name for setting in settings_of(Settings) for name in setting.env}
    foreign = tuple(env_prefix(name) for name in UNSERVED)
    for name in sorted(environ):
        if (name.startswith(foreign) or _SWITCH.fullmatch(name)) and not (
            name.startswith(served) or name in general
        ):
            yield name


def _refuse_sections_without_plugin(
    sources: Sources, sections: Mapping[str, Node], known: Collection[str]
) -> None:
    for name, node in sections.items():
        if name in known or name in UNSERVED:
            continue
        others = {*known, *Ingestion.model_fields}
        package = f" with `pip install ogf-{name}`" if name in OURS else ""
        text = (
            f"ingestion.{name} belongs to no installed provider; correct the name ({nearest(name, others)}), "
            f"or install its plugin{package}."
        )
        sources.mistakes.add(text, where=sources.document.at(node.line))


def _refuse_unknown_names(
    sources: Sources, providers: Mapping[str, type[ProviderSettings]], known: Collection[str]
) -> None:
    """Refuse OFFGRIDFLOW_<PROVIDER>_* that the provider does not have; the longest provider name decides."""
    valid = {
        name: [env for setting in settings_of(model, provider=name) for env in setting.env]
        for name, model in providers.items()
    }
    accepted = {env for names in valid.values() for env in names}
    for name in sorted(sources.environ):
        owner = max((p for p in known if name.startswith(env_prefix(p))), key=len, default=None)
        if owner in valid and name not in accepted and name not in REFUSED_ENV:
            text = f"{name} is not a setting of {owner}; {nearest(name, valid[owner])}."
            sources.mistakes.add(text, where=f"environment {name}")


def _refuse_unknown_overrides(sources: Sources, known: Collection[str]) -> None:
    """Refuse flags for settings that do not exist; not those of providers that stand aside."""
    left_alone = tuple(
        f"ingestion.{name}." for name in known if f"ingestion.{name}.enabled" not in sources.found
    )
    for key, value in sources.overrides.items():
        if value is not None and key not in sources.found and not (left_alone and key.startswith(left_alone)):
            sources.mistakes.add(f"{key} is not a setting; {nearest(key, sources.found)}.", where="flag")


def _warnings(sources: Sources) -> Iterator[str]:
    path = sources.document.path
    if path is None or not sources.inline_secrets or os.name == "nt":
        return
    mode = path.stat().st_mode
    if mode & _READABLE_BY_OTHERS:
        keys = ", ".join(sources.inline_secrets)
        yield (
            f"{path} holds secrets ({keys}) and others may read it (mode {mode & 0o777:03o}); "
            f"run `chmod 600 {path}`, or write env:NAME or file:PATH instead."
        )
