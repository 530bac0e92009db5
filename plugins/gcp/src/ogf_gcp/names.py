"""Names of projects, datasets and tables: what BigQuery allows, and how they are written into SQL.

Values reach a query as parameters; names cannot, so none is quoted here that BigQuery would not allow.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Self

from ogf.errors import ConfigError

# `example.com:project` is the form of projects that belong to a domain.
_PROJECT = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?:)?[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_DATASET = re.compile(r"\w{1,1024}", re.ASCII)
# Letters, marks, numbers, connectors, dashes and spaces of any script; what follows `$` names a partition.
_TABLE = re.compile(r"[\w\- ]{1,1024}")


class TableName(NamedTuple):
    """A table's full name. Make one with `checked` or `parse`."""

    project: str
    dataset: str
    table: str

    @classmethod
    def checked(cls, project: str, dataset: str, table: str, *, where: str = "") -> Self:
        """Make a name of three parts. A dataset written `project.dataset` names its own project."""
        home, name = split_dataset(dataset)
        made = cls(home or project, name, table)
        made._check(where)
        return made

    @classmethod
    def parse(cls, text: str, *, where: str = "") -> Self:
        """Read `project.dataset.table`."""
        dataset, _, table = text.strip().strip("`").rpartition(".")
        project, name = split_dataset(dataset)
        return cls.checked(project, name, table, where=where)

    @property
    def quoted(self) -> str:
        """The table as SQL writes it."""
        self._check("")
        return f"`{self}`"

    @property
    def dataset_quoted(self) -> str:
        """The dataset as SQL writes it."""
        self._check("")
        return f"`{self.project}.{self.dataset}`"

    def __str__(self) -> str:
        return f"{self.project}.{self.dataset}.{self.table}"

    def _check(self, where: str) -> None:
        problems = [
            f"the {part} {problem}"
            for part, problem in (
                ("project", problem_in_project(self.project)),
                ("dataset", problem_in_dataset(self.dataset)),
                ("table", problem_in_table(self.table)),
            )
            if problem
        ]
        if problems:
            raise ConfigError(
                f"{str(self)!r} names no table: {', '.join(problems)}",
                where=where,
                hint="write project.dataset.table with names that BigQuery allows",
            )


def split_dataset(text: str) -> tuple[str, str]:
    """Split `project.dataset`; the project is "" where none is written. A domain's project has dots itself."""
    project, _, dataset = text.strip().rpartition(".")
    return project, dataset


def problem_in_project(text: str) -> str | None:
    if _PROJECT.fullmatch(text):
        return None
    return "must be a project id: lower-case letters, digits and hyphens (example.com:name with a domain)"


def problem_in_dataset(text: str) -> str | None:
    return None if _DATASET.fullmatch(text) else "must be letters, digits and underscores"


def problem_in_table(text: str) -> str | None:
    if _TABLE.fullmatch(text) and text.strip() == text:
        return None
    return "must be letters, digits, underscores and hyphens"
