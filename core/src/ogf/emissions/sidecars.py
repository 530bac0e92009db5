"""Where each shipped table comes from: `<name>.source.json` beside `<name>.csv`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


@dataclass(frozen=True)
class Sidecar:
    """What a sidecar tells of its table.

    Attributes:
        table: path of the table below `data/`.
        damaged: whether the table is not the one that the sidecar was written for.
    """

    table: str
    source: str
    licence: str
    attribution: str
    year: str
    damaged: bool


def sidecars() -> list[Sidecar]:
    """One for each shipped table, by name. Raises FileNotFoundError for a table without."""
    return [
        _read(table, name) for name, table in sorted(_tables(files("ogf.emissions").joinpath("data")).items())
    ]


def damaged() -> list[str]:
    """The tables that have changed since their sidecar was written."""
    return [item.table for item in sidecars() if item.damaged]


def _tables(folder: Traversable, above: str = "") -> dict[str, Traversable]:
    found: dict[str, Traversable] = {}
    for item in folder.iterdir():
        if item.is_dir():
            found |= _tables(item, f"{above}{item.name}/")
        elif item.name.endswith(".csv"):
            found[above + item.name] = item
    return found


def _read(table: Traversable, name: str) -> Sidecar:
    sidecar = files("ogf.emissions").joinpath("data", *name.removesuffix(".csv").split("/")[:-1])
    sidecar = sidecar.joinpath(name.rsplit("/", maxsplit=1)[-1].removesuffix(".csv") + ".source.json")
    told = json.loads(sidecar.read_text(encoding="utf-8"))
    return Sidecar(
        table=name,
        source=told["source"],
        licence=told["licence"],
        attribution=told["attribution"],
        year=told["year"],
        damaged=hashlib.sha256(table.read_bytes()).hexdigest() != told["sha256"],
    )
