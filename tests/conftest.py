"""What every test has: a new warehouse costs a copy, not a second.

Making one runs the migrations and works out the factor tables, the same each time. Where a test's own process would
make one, it gets a copy of one that was really made. Tests of the making itself ask for `made_anew`; processes that a
test starts always make theirs.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from ogf.warehouse.file import WarehouseFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_connect = WarehouseFile._connect


@pytest.fixture(scope="session", autouse=True)
def _made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    template = tmp_path_factory.mktemp("warehouse") / "new.duckdb"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WarehouseFile, "_connect", _copying(template))
        yield


def _copying(template: Path):
    made = template.with_suffix(".made")

    def connect(self, *, read_only: bool):
        if not read_only and self.path != made and self.path.parent.is_dir() and not self.path.exists():
            if not template.exists():
                with WarehouseFile(made).writing():
                    pass
                made.rename(template)
            shutil.copyfile(template, self.path)
        return _connect(self, read_only=read_only)

    return connect


@pytest.fixture
def made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every warehouse is really made."""
    monkeypatch.setattr(WarehouseFile, "_connect", _connect)
