"""One model's settings brought together from command line, environment and file, then validated.

Flag > environment > YAML > default. Every value keeps its origin, so that a mistake is told where it
was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ogf.config.document import Document, Node
from ogf.config.mistakes import Mistakes, Problem, nearest, problems_in, shown
from ogf.config.secret import is_reference
from ogf.config.shape import ACCOUNTS, Setting, is_secret, item_of, names_in, section_of, settings_of

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Origin:
    """Where one setting came from, and what was written there."""

    source: str
    value: Any
    node: Node | None = None


@dataclass
class Sources:
    """What is asked for values, and where mistakes go."""

    document: Document
    environ: Mapping[str, str]
    overrides: Mapping[str, object]
    mistakes: Mistakes
    found: dict[str, str] = field(default_factory=dict)
    inline_secrets: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.document.path.parent if self.document.path else Path.cwd()


class Gatherer:
    """Fills one model: the general settings (`key` empty) or the section of one provider."""

    def __init__(self, sources: Sources, *, provider: str = "") -> None:
        self._sources = sources
        self._provider = provider
        self._key = f"ingestion.{provider}" if provider else ""
        self._besides = (
            (ACCOUNTS,) if provider else ()
        )  # a key of every provider's section, though no field of its model

    def gather(self, model: type[Model], node: Node) -> Model | None:
        """Validate a model; None if there were mistakes, which are then on the list."""
        origins = self.origins(model, node)
        settings = {setting.path: setting for setting in settings_of(model, provider=self._provider)}
        context = {"environ": self._sources.environ, "folder": self._sources.folder}
        try:
            return model.model_validate(_nested(origins), context=context)
        except ValidationError as error:
            for problem in problems_in(error):
                self._tell(problem, model, settings, origins, node)
            return None

    def origins(self, model: type[BaseModel], node: Node) -> dict[tuple[str, ...], Origin]:
        """Say for each setting that is set anywhere where it is, by its path; the rest are defaults."""
        written = dict(self._written(node, model, path=()))
        found = {}
        for setting in settings_of(model, provider=self._provider):
            origin = self._origin(setting, written.get(setting.path))
            if origin is not None:
                found[setting.path] = origin
            self._sources.found[self.dotted(setting.path)] = origin.source if origin else "default"
        return found

    def dotted(self, path: tuple[str, ...]) -> str:
        """Write a path below this model as the file would: `ingestion.aws.bucket`."""
        return ".".join([*([self._key] if self._key else []), *path])

    def _origin(self, setting: Setting, node: Node | None) -> Origin | None:
        origin = self._first(setting, node)
        if origin and setting.secret and isinstance(origin.value, str) and not is_reference(origin.value):
            self._sources.mistakes.secrets.add(origin.value)
        return origin

    def _first(self, setting: Setting, node: Node | None) -> Origin | None:
        flag = self._sources.overrides.get(self.dotted(setting.path))
        if flag is not None:
            return Origin("flag", flag)
        for name in setting.env:
            if name in self._sources.environ:
                return Origin(f"environment {name}", self._sources.environ[name])
        return None if node is None else self._of_file(node)

    def _of_file(self, node: Node) -> Origin:
        return Origin(self._sources.document.at(node.line), _plain(node), node)

    def _written(
        self, node: Node, model: type[BaseModel], path: tuple[str, ...]
    ) -> Iterator[tuple[tuple[str, ...], Node]]:
        """Walk the file's part of a model and give its leaves."""
        for name, child in self._children(node, model, path):
            section = section_of(model.model_fields[name])
            item = item_of(model.model_fields[name])
            if section is not None:
                yield from self._written(child, section, (*path, name))
            elif item is not None and isinstance(child.value, list):
                items = [self._item(part, item, (*path, name, str(i))) for i, part in enumerate(child.value)]
                yield (*path, name), Node(items, child.line)
            else:
                yield (*path, name), child

    def _item(self, node: Node, model: type[BaseModel], path: tuple[str, ...]) -> Node:
        """Give one entry of a list of sections, with canonical names."""
        if not isinstance(node.value, dict):
            return node
        entries: dict[str, Node] = {}
        for name, child in self._children(node, model, path):
            section = section_of(model.model_fields[name])
            entries[name] = self._item(child, section, (*path, name)) if section else child
        return Node(entries, node.line)

    def _children(
        self, node: Node, model: type[BaseModel], path: tuple[str, ...]
    ) -> Iterator[tuple[str, Node]]:
        """Give the known entries of a section under their canonical names; the others are mistakes."""
        where = self._sources.document.at(node.line)
        if node.value is None:
            return
        if not isinstance(node.value, dict):
            text = (
                f"{self.dotted(path) or 'the file'} is a section; write its settings below it, one per line."
            )
            self._sources.mistakes.add(text, where=where)
            return
        names = names_in(model)
        seen: dict[str, str] = {}
        for key, child in node.value.items():
            where = self._sources.document.at(child.line)
            dotted = self.dotted((*path, key))
            if key not in names:
                text = (
                    f"{dotted} is not a setting; {nearest(key, [*names, *(() if path else self._besides)])}."
                )
                self._sources.mistakes.add(text, where=where)
            elif names[key] in seen:
                text = f"{dotted} says the same as {seen[names[key]]}; keep one of them."
                self._sources.mistakes.add(text, where=where)
            elif child.value is not None:
                seen[names[key]] = key
                self._note_secret(names[key], child, model, dotted)
                yield names[key], child

    def _note_secret(self, name: str, node: Node, model: type[BaseModel], dotted: str) -> None:
        if not isinstance(node.value, str) or not is_secret(name, model.model_fields[name]):
            return
        if node.value and not is_reference(node.value):
            self._sources.inline_secrets.append(dotted)
            self._sources.mistakes.secrets.add(node.value)

    def _tell(
        self,
        problem: Problem,
        model: type[BaseModel],
        settings: Mapping[tuple[str, ...], Setting],
        origins: Mapping[tuple[str, ...], Origin],
        section: Node,
    ) -> None:
        leaf = next((path for path in settings if problem.path[: len(path)] == path), None)
        origin = origins.get(leaf) if leaf is not None else None
        names = self._names(problem.path, settings[leaf] if leaf is not None else None)
        if origin is None or leaf is None:
            verb = "is not set" if leaf is not None else "does not fit"
            where = self._sources.document.at(section.line) if section.line else "configuration"
            self._sources.mistakes.add(f"{names} {verb}; {problem.allowed}.", where=where)
            return
        source, value = self._inside(origin, problem.path[len(leaf) :])
        secret = any(_secret_along(model, problem.path)) or settings[leaf].secret
        text = "is missing" if problem.absent else f"is {shown(value, secret=secret)}"
        self._sources.mistakes.add(f"{names} {text}; {problem.allowed}.", where=source)

    def _names(self, path: tuple[str | int, ...], setting: Setting | None) -> str:
        key = self.dotted(tuple(map(str, path))) or "the configuration"
        return f"{key} ({setting.env[0]})" if setting else key

    def _inside(self, origin: Origin, rest: tuple[str | int, ...]) -> tuple[str, Any]:
        """Follow a path into a list as far as it was written."""
        source, value, node = origin.source, origin.value, origin.node
        for step in rest:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                break
            node = _below(node, step)
            source = self._sources.document.at(node.line) if node else source
        return source, value


def _below(node: Node | None, step: str | int) -> Node | None:
    if node is None:
        return None
    if isinstance(node.value, dict):
        return node.value.get(str(step))
    return node.value[int(step)] if isinstance(node.value, list) else None


def _plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: _plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(child) for child in node.value]
    return node.value


def _nested(origins: Mapping[tuple[str, ...], Origin]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, origin in origins.items():
        below = nested
        for name in path[:-1]:
            below = below.setdefault(name, {})
        below[path[-1]] = origin.value
    return nested


def _secret_along(model: type[BaseModel], path: tuple[str | int, ...]) -> Iterator[bool]:
    """Say for every field on a path whether it is secret."""
    current: type[BaseModel] | None = model
    for name in path:
        if current is None or not isinstance(name, str) or name not in current.model_fields:
            continue
        field_info = current.model_fields[name]
        yield is_secret(name, field_info)
        current = section_of(field_info) or item_of(field_info)
