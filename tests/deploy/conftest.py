"""A folder in which the README's lines work: `.venv` leads to this environment, `demo/` is what `make demo` makes."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from processes import ogf

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    answer = ogf("demo", "--provider", "gcp", "--folder", "demo", cwd=folder)
    assert answer.returncode == 0, answer.stderr
    (folder / ".venv").symlink_to(sys.prefix)
    shutil.copytree(ROOT / "deploy", folder / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    return folder
