"""A disk that can be filled, and exports that need more of it than is left."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from aws.cur_files import csv_file, folder_put, gz, month_lines, put_legacy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MUCH = 30_000  # rows


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 40 MB: room for the warehouse, a segment and what is being committed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(disk: Path, *, leave: int) -> Path:
    """Leave only so many bytes of a disk free."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        left = os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize - leave
        while left > 0:
            left -= file.write(b"\0" * min(left, 1 << 20))
    return filler


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    put_legacy(folder_put(folder), [gz(csv_file(month_lines("2026-01", 100)))], month="2026-01")
    return folder


def deliver_much(exports: Path) -> None:
    put_legacy(folder_put(exports), [gz(csv_file(_much()))], month="2026-02")


def _much() -> list[dict[str, str]]:
    return [row | {"line_item_resource_id": os.urandom(40).hex()} for row in month_lines("2026-02", MUCH)]
