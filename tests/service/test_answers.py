"""Answers for requests: within their time, worked out once, and always JSON."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from ogf.service.answers import Answers, as_json
from ogf.service.envelope import ApiError
from ogf.warehouse.file import WarehouseFile
from ogf.warehouse.instance import Instance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Sums over a product that no machine finishes in time.
ENDLESS = "SELECT sum(a.range * b.range) FROM range(1000000) AS a, range(1000000) AS b"


@pytest.fixture
def answers(tmp_path: Path) -> Iterator[Answers]:
    path = tmp_path / "ogf.duckdb"
    instance = Instance(path)
    file = WarehouseFile(path, wait=10, instance=instance)
    with file.writing():
        pass
    yield Answers(file, instance, seconds=1)
    instance.close()


def test_a_question_that_takes_too_long_is_ended_and_told(answers: Answers) -> None:
    with pytest.raises(ApiError) as caught, answers.connection() as connection:
        connection.execute(ENDLESS)
    assert (caught.value.status, caught.value.code) == (503, "question_too_large")
    with answers.connection() as connection:
        assert connection.execute("SELECT 42").fetchone() == (42,)


def test_what_many_ask_at_once_is_worked_out_once(answers: Answers) -> None:
    made: list[int] = []
    release = threading.Event()

    def make(_connection: object) -> bytes:
        made.append(1)
        release.wait(10)
        return b"answer"

    found: list[bytes] = []
    readers = [threading.Thread(target=lambda: found.append(answers.kept("key", make))) for _ in range(8)]
    for reader in readers:
        reader.start()
    release.set()
    for reader in readers:
        reader.join()
    assert (len(made), found) == (1, [b"answer"] * 8)


def test_what_is_no_number_is_null() -> None:
    told = as_json({"rows": [{"a": float("nan"), "b": float("inf"), "c": 1.5}]})
    assert json.loads(told) == {"rows": [{"a": None, "b": None, "c": 1.5}]}
