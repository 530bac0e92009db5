"""One DuckDB instance for all threads: questions go on beside a writer, and other processes get their turn."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import duckdb
import pytest
from service.holding import holder_of

from ogf.errors import WarehouseBusy
from ogf.warehouse.file import WarehouseFile
from ogf.warehouse.instance import Instance

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

COUNT = "SELECT count(*) FROM quarantine_log"
INSERT = "INSERT INTO quarantine_log SELECT 1, 'reason', NULL, NULL"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    instance = Instance(tmp_path / "ogf.duckdb", idle=0.2, held=1.0)
    yield instance
    instance.close()


@pytest.fixture
def file(tmp_path: Path, instance: Instance) -> WarehouseFile:
    file = WarehouseFile(tmp_path / "ogf.duckdb", wait=10, instance=instance)
    with file.writing():
        pass
    return file


def count(connection: duckdb.DuckDBPyConnection) -> int:
    return connection.execute(COUNT).fetchone()[0]


@pytest.fixture
def other(file: WarehouseFile) -> Iterator[subprocess.Popen[str]]:
    with holder_of(file.path) as process:
        yield process


def test_questions_go_on_beside_a_transaction_and_see_it_whole_or_not_at_all(file: WarehouseFile) -> None:
    with file.writing() as writer, file.reading() as reader:
        writer.begin()
        writer.execute(INSERT)
        assert count(reader) == 0
        with file.reading() as another:
            assert count(another) == 0
        writer.commit()
        assert count(reader) == 1


def test_writers_take_turns(file: WarehouseFile) -> None:
    def write() -> None:
        for _ in range(10):
            with file.writing() as connection:
                connection.begin()
                connection.execute(INSERT)
                connection.commit()

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with file.reading() as connection:
        assert count(connection) == 40


def test_another_process_has_the_file_once_it_is_idle(
    file: WarehouseFile, other: subprocess.Popen[str]
) -> None:
    with file.reading() as connection:
        assert count(connection) == 0
    assert other.stdout.readline() == "mine\n"
    quick = WarehouseFile(file.path, wait=0.3, instance=file._instance)
    with pytest.raises(WarehouseBusy, match=f"pid {other.pid}"), quick.reading():
        pass
    other.communicate()
    with file.reading() as connection:
        assert count(connection) == 0


def test_another_process_gets_its_turn_among_readers_that_never_pause(
    file: WarehouseFile, other: subprocess.Popen[str]
) -> None:
    over = threading.Event()
    troubles: list[BaseException] = []

    def read() -> None:
        while not over.is_set():
            try:
                with file.reading() as connection:
                    count(connection)
            except BaseException as error:
                troubles.append(error)
                raise

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    assert other.stdout.readline() == "mine\n"
    other.communicate()
    time.sleep(0.1)
    over.set()
    for reader in readers:
        reader.join()
    assert not troubles


def test_the_generation_changes_with_every_write_here_or_elsewhere_and_not_without(
    file: WarehouseFile, instance: Instance
) -> None:
    def now() -> int:
        deadline = time.monotonic() + 10
        while instance._base is not None:  # let go of in between
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with file.reading():
            return instance.generation

    first = now()
    assert now() == first
    with file.writing() as connection:
        connection.execute(INSERT)
    second = now()
    assert second != first
    assert now() == second
    now()
    while instance._base is not None:
        time.sleep(0.05)
    with duckdb.connect(str(file.path)) as elsewhere:
        elsewhere.execute(INSERT)
    assert now() not in (first, second)


def test_an_error_while_opening_reaches_whoever_asked_and_nobody_else(
    tmp_path: Path, instance: Instance
) -> None:
    path = tmp_path / "spoilt.duckdb"
    path.write_bytes(b"no database" * 1000)
    file = WarehouseFile(path, wait=1, instance=instance)
    for _ in range(2):
        with pytest.raises(Exception, match="cannot open"), file.reading():
            pass
