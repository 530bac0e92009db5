"""The YAML file as a tree of texts with line numbers. It knows nothing about settings.

Scalars stay the text that was written, so that a value means the same in the file and in the environment, and
`account_id: 0123…` keeps its zero.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ogf.errors import ConfigError

DEFAULT_PATH = Path("ogf.yaml")

_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq", "value")
)
_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True)
class Node:
    """One place in the file: a text, None, a list or a mapping of nodes, and its line (0: not in a file)."""

    value: str | dict[str, Node] | list[Node] | None
    line: int = 0


@dataclass
class Document:
    """A configuration file, or none: then `path` is None and the root is empty."""

    root: Node = field(default_factory=lambda: Node({}))
    path: Path | None = None
    problems: list[tuple[int, str]] = field(default_factory=list)

    def at(self, line: int) -> str:
        return f"{self.path}:{line}" if line else str(self.path)


def read(path: Path | None) -> Document:
    """Read the given file; without one, `ogf.yaml` of the working directory if there is any.

    Raises ConfigError if the file cannot be read or is no YAML; smaller problems are listed in the document.
    """
    if path is None:
        if not DEFAULT_PATH.exists():
            return Document()
        path = DEFAULT_PATH
    root = _compose(_text(path), path)
    document = Document(path=path)
    document.root = _Reader(document).node(root) if root is not None else Node({})
    return document


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        hint = "Check --config, or write a first one with `ogf init`."
        raise ConfigError("The configuration file does not exist.", where=str(path), hint=hint) from None
    except OSError as error:
        hint = "Check that the path is a file that this user may read."
        message = f"The configuration file cannot be read: {error.strerror}."
        raise ConfigError(message, where=str(path), hint=hint) from None
    except UnicodeDecodeError:
        raise ConfigError(
            "The configuration file is not UTF-8 text.", where=str(path), hint="Save it as UTF-8."
        ) from None


def _compose(text: str, path: Path) -> yaml.Node | None:
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        message = f"This is not YAML: {_harmless(error.problem or error.context or 'it cannot be read')}."
        raise ConfigError(message, where=where, hint=_YAML_HINT) from None
    except (yaml.YAMLError, RecursionError):
        raise ConfigError("This is not YAML.", where=str(path), hint=_YAML_HINT) from None
    return node


_YAML_HINT = "Correct that line; a value with special characters such as : # * & ! % needs quotes."


def _harmless(problem: str) -> str:
    """Take quoted words out of a parser's message: `password: *abc` makes it quote the password."""
    return re.sub(r"(['\"])(?!<)[^'\"]{2,}\1", "…", problem)


class _Reader:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._open: set[int] = set()
        self._done: dict[int, Node] = {}

    def node(self, node: yaml.Node) -> Node:
        line = node.start_mark.line + 1
        if id(node) in self._open:
            self._problem(line, "this entry contains itself; write the values out")
            return Node(None, line)
        if id(node) not in self._done:
            self._open.add(id(node))
            self._done[id(node)] = Node(self._value(node, line), line)
            self._open.discard(id(node))
        return self._done[id(node)]

    def _value(self, node: yaml.Node, line: int) -> Any:
        if node.tag not in _PLAIN_TAGS:
            self._problem(
                line, "tags (!…) and merges (<<) are not allowed; put the value in quotes or write it out"
            )
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.node(item) for item in node.value]
        return None if node.tag == _NULL else node.value

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                self._problem(line, "a key must be a plain word; write merged values (<<) out")
            elif key.value in entries:
                self._problem(
                    line, f"the key {key.value!r} is given twice, first on line {entries[key.value].line}"
                )
            else:
                entries[key.value] = self._at_key(self.node(value), line)
        return entries

    @staticmethod
    def _at_key(node: Node, line: int) -> Node:
        return Node(node.value, line)

    def _problem(self, line: int, text: str) -> None:
        self._document.problems.append((line, text))
