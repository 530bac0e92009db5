"""Where segments lie until they are loaded, and what their footers say.

`<warehouse>.spool/<org>/<provider>/<stream>/<digest>/<load id>/<chain>/<page>.parquet`: made once, renamed into
place when complete, never found by listing. The footer names the request that follows, so a killed run resumes at
the very page; the digest is made of key, version, plugin and schema version, so that none of these ever mix.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ogf.files.table import literal, parquet
from ogf.hookspecs import Notice, Request
from ogf.runner.lock import is_held
from ogf.schema import activity_columns, plugin_columns

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

    from ogf.hookspecs import Partition

_FOOTER_KEY = "ogf"
_SCRATCH = "scratch"


def digest(partition: Partition, *, plugin_version: str) -> str:
    """What a partition's segments are made from. Equal digests may share segments."""
    schema = [(column.name, column.type) for column in activity_columns()]
    made_from = [partition.stream, partition.key, partition.version, plugin_version, schema]
    return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()[:32]


def spool_root(db: Path) -> Path:
    """The folder beside a warehouse: the same one, whatever path leads to the file."""
    return Path(f"{db.expanduser().resolve()}.spool")


class Spool:
    """The segments of one provider's runs."""

    def __init__(self, root: Path, org_id: str, provider: str) -> None:
        self.home = root / hashlib.sha256(org_id.encode()).hexdigest()[:16] / provider

    @property
    def lock_file(self) -> Path:
        return self.home / "run.lock"

    @property
    def under_way(self) -> bool:
        """Whether a run of this provider goes on, in this process or another."""
        return is_held(self.lock_file)

    @property
    def cache_file(self) -> Path:
        return self.home / "cache.json"

    @property
    def scratch(self) -> Path:
        """For page bodies and spills; holds nothing that is worth keeping."""
        return self.home / _SCRATCH

    def load_folder(self, stream: str, digest: str, load_id: int) -> Path:
        return self.home / stream / digest / str(load_id)

    def drop(self, folder: Path) -> None:
        """Remove a load's segments, and the digest's folder if nothing else is in it."""
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            folder.parent.rmdir()

    def sweep(self, wanted: Iterable[Path]) -> None:
        """Remove the segments that a killed run left behind: of every load but these."""
        kept = set(wanted)
        for stream in self.home.iterdir():
            if stream.name != _SCRATCH:
                for folder in stream.glob("*/*"):
                    if folder not in kept:
                        self.drop(folder)


def segment_path(folder: Path, first: Request, page: int) -> Path:
    """Where a chain's page lies. The chain is known by its first request: another listing may order them anew."""
    asked = json.dumps([first.key, dict(first.params)], sort_keys=True)
    identity = hashlib.sha256(asked.encode()).hexdigest()[:16]
    return folder / identity / f"{page:06d}.parquet"


@dataclass(frozen=True)
class Footer:
    """What a segment knows beside its rows."""

    next: Request | None
    notices: tuple[Notice, ...] = ()
    withheld: tuple[str, ...] = ()

    def option(self) -> str:
        """The footer as an option of DuckDB's COPY."""
        following = None if self.next is None else {"key": self.next.key, "params": dict(self.next.params)}
        text = json.dumps(
            {
                "next": following,
                "notices": [[notice.code, notice.message] for notice in self.notices],
                "withheld": list(self.withheld),
            }
        )
        return f"KV_METADATA {{{_FOOTER_KEY}: {literal(text)}}}"


@dataclass(frozen=True)
class SegmentFacts:
    """A finished segment, as its file alone tells: so that a resumed run knows what a fresh one knew.

    Attributes:
        unmapped: (kind, value) → rows: regions, services and units that are in no table.
        reasons: why rows were refused → how many.
        refused_in: the file or query of such a row; "" without any.
        hash: sum of row hashes, for partitions without a version.
    """

    name: str
    path: Path
    columns: tuple[str, ...]
    rows: int
    rejected: int
    footer: Footer
    unmapped: dict[tuple[str, str], int]
    reasons: dict[str, int]
    refused_in: str
    hash: int


def read_segment(connection: duckdb.DuckDBPyConnection, path: Path, *, hashed: bool) -> SegmentFacts:
    """Read a segment's footer and count what its load will want to know."""
    source = parquet(path)
    columns = tuple(row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall())
    total, rejected = _one(connection, f"SELECT count(*), count(_reject) FROM {source}")
    return SegmentFacts(
        name=f"{path.parent.name}/{path.stem}",
        path=path,
        columns=columns,
        rows=total - rejected,
        rejected=rejected,
        footer=_footer(connection, path),
        unmapped=_unmapped(connection, source, columns),
        reasons=dict(
            connection.execute(
                f"SELECT _reject, count(*) FROM {source} WHERE _reject IS NOT NULL GROUP BY ALL ORDER BY ALL"
            ).fetchall()
        )
        if rejected
        else {},
        refused_in=_refused_in(connection, source, columns) if rejected else "",
        hash=_content_hash(connection, source, columns) if hashed else 0,
    )


def _refused_in(connection: duckdb.DuckDBPyConnection, source: str, columns: tuple[str, ...]) -> str:
    if "source" not in columns:
        return ""
    (where,) = _one(connection, f"SELECT min(source) FROM {source} WHERE _reject IS NOT NULL")
    return where or ""


def _footer(connection: duckdb.DuckDBPyConnection, path: Path) -> Footer:
    (text,) = _one(
        connection,
        f"SELECT decode(value) FROM parquet_kv_metadata({literal(str(path))}) "
        f"WHERE decode(key) = {literal(_FOOTER_KEY)}",
    )
    fields = json.loads(text)
    following = fields["next"]
    return Footer(
        next=None if following is None else Request(following["key"], following["params"]),
        notices=tuple(Notice(*pair) for pair in fields["notices"]),
        withheld=tuple(fields["withheld"]),
    )


def _unmapped(
    connection: duckdb.DuckDBPyConnection, source: str, columns: tuple[str, ...]
) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    location, category = (name if name in columns else "NULL" for name in ("location", "category"))
    questions = {
        "region": f"{location} IS NULL",
        "service": f"{category} IS NULL",
        "unit": "unit NOT IN (SELECT canonical FROM ogf_units)",
    }
    for name, condition in questions.items():
        if name in columns:
            for value, rows in connection.execute(
                f"SELECT {name}, count(*) FROM {source} "
                f"WHERE {name} IS NOT NULL AND {condition} AND _reject IS NULL GROUP BY ALL"
            ).fetchall():
                found[name, value] = rows
    return found


def _content_hash(connection: duckdb.DuckDBPyConnection, source: str, columns: tuple[str, ...]) -> int:
    """Sum of row hashes: independent of order, and two equal rows do not cancel out."""
    fields = ", ".join(
        f"{name} := {name if name in columns else 'NULL'}" for name in (*plugin_columns(), "_reject", "_raw")
    )
    (total,) = _one(
        connection,
        f"SELECT coalesce(sum(md5_number_lower(CAST(to_json(struct_pack({fields})) AS VARCHAR))), 0) "
        f"FROM {source}",
    )
    return int(total)


def _one(connection: duckdb.DuckDBPyConnection, statement: str) -> tuple[Any, ...]:
    row = connection.execute(statement).fetchone()
    if row is None:
        raise LookupError(statement)
    return row
