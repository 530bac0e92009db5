"""The DuckDB file: creation, upgrade, refusal, busy files, and the ledger beside the tables it describes."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import textwrap
import threading
import time

import duckdb
import pytest
import sqlalchemy as sa
from sqlmodel.sql.sqltypes import AutoString

from ogf.errors import ExitCode, WarehouseBusy, WarehouseError, WarehouseNewer
from ogf.schema import activity_columns
from ogf.testing.provider import FakeCloud
from ogf.warehouse import ledger
from ogf.warehouse.file import WarehouseFile, lock_holder
from ogf.warehouse.migrate import schema_version, shipped, upgrade

EC2 = {"service": "EC2"}
HOLD = """
    import duckdb, sys, time
    connection = duckdb.connect(sys.argv[1])
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
    connection.close()
"""
LOCK = """
    import sys, time
    from pathlib import Path
    from ogf.runner.lock import run_lock
    with run_lock(Path(sys.argv[1]), what="fake"):
        print("held", flush=True)
        time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def elsewhere():
    """Run a script in another process until it says "held"."""
    started = []

    def start(script, path, seconds):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), str(path), str(seconds)],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def tables(path):
    with duckdb.connect(str(path), read_only=True) as connection:
        return {row[0] for row in connection.execute("SHOW TABLES").fetchall()}


def test_created_and_reopened(db):
    with WarehouseFile(db).writing() as connection:
        connection.execute("INSERT INTO segments VALUES (1, 'a', 2, 3, now())")
    assert {"activity_log", "activities", "runs", "partitions", "loads", "quarantine"} <= tables(db)
    with WarehouseFile(db).writing() as connection:
        assert schema_version(connection) == max(shipped())
        assert connection.execute("SELECT count(*) FROM segments").fetchone() == (1,)
    with WarehouseFile(db).reading() as connection:
        assert connection.execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)
        with pytest.raises(duckdb.InvalidInputException):
            connection.execute("DELETE FROM segments")


NEXT = max(shipped()) + 1


def test_an_upgrade_keeps_the_data(cloud, db):
    cloud.put("2026-01", [[EC2]], version="1")
    cloud.run(db)
    later = {**shipped(), NEXT: "ALTER TABLE runs ADD COLUMN mood VARCHAR DEFAULT 'fine'"}
    with duckdb.connect(str(db)) as connection:
        upgrade(connection, where=str(db), migrations=later)
        upgrade(connection, where=str(db), migrations=later)
        assert schema_version(connection) == NEXT
        assert connection.execute("SELECT count(*) FROM ogf_schema").fetchone() == (NEXT,)
        assert connection.execute("SELECT mood, status FROM runs").fetchall() == [("fine", "succeeded")]
        assert connection.execute("SELECT service FROM activities").fetchall() == [("EC2",)]


def test_a_failing_upgrade_leaves_the_old_version(db):
    with WarehouseFile(db).writing():
        pass
    broken = {**shipped(), NEXT: "CREATE TABLE half (x INT)", NEXT + 1: "SELECT nonsense FROM nowhere"}
    with duckdb.connect(str(db)) as connection, pytest.raises(duckdb.CatalogException):
        upgrade(connection, where=str(db), migrations=broken)
    with WarehouseFile(db).writing() as connection:
        assert schema_version(connection) == NEXT - 1
    assert "half" not in tables(db)


def test_a_newer_warehouse_is_refused(cloud, db):
    with WarehouseFile(db).writing() as connection:
        connection.execute("INSERT INTO ogf_schema VALUES (99, now())")
    for opening in (WarehouseFile(db).reading, WarehouseFile(db).writing):
        with pytest.raises(WarehouseNewer, match="schema 99") as caught, opening():
            pass
        assert caught.value.exit_code == ExitCode.FAILED
        assert "upgrade ogf" in caught.value.hint
    with pytest.raises(WarehouseNewer):
        cloud.run(db)


def test_an_older_or_a_foreign_file_is_not_read_but_explained(db, tmp_path):
    with duckdb.connect(str(tmp_path / "foreign.duckdb")) as connection:
        connection.execute("CREATE TABLE theirs (a INTEGER)")
    with (
        pytest.raises(WarehouseError, match="not written by ogf"),
        WarehouseFile(tmp_path / "foreign.duckdb").reading(),
    ):
        pass
    duckdb.connect(str(db)).close()  # as a run leaves it that is killed at its very beginning
    with pytest.raises(WarehouseError, match="was interrupted") as caught, WarehouseFile(db).reading():
        pass
    assert "`ogf run`" in caught.value.hint
    with WarehouseFile(db).writing() as connection:
        connection.execute("UPDATE ogf_schema SET version = 0")
        connection.execute("DELETE FROM ogf_schema")
    with pytest.raises(WarehouseError), WarehouseFile(db).reading():
        pass


def test_no_warehouse_yet(db):
    with pytest.raises(WarehouseError, match="no warehouse here yet"), WarehouseFile(db).reading():
        pass
    assert not db.exists()


@pytest.mark.parametrize("kind", ["corrupt", "folder", "missing folder"])
def test_an_unusable_file_is_one_clear_error(cloud, tmp_path, db, kind):
    if kind == "corrupt":
        db.write_bytes(b"this is no database" * 1000)
    elif kind == "folder":
        db.mkdir()
    else:
        db = tmp_path / "missing" / "ogf.duckdb"
    began = time.monotonic()
    with pytest.raises(WarehouseError) as caught, WarehouseFile(db).writing():
        pass
    assert str(db) in str(caught.value)
    assert caught.value.hint
    assert caught.value.exit_code == ExitCode.FAILED
    with pytest.raises(WarehouseError):
        cloud.run(db)
    assert time.monotonic() - began < 5, "nobody waits for what will not change"
    assert not (tmp_path / "missing").exists()


def test_a_place_that_cannot_be_written_is_one_clear_error(cloud, db):
    # root may write everywhere: a file where the spool's folder should be stands for a read-only folder
    db.with_name("ogf.duckdb.spool").write_text("in the way")
    with pytest.raises(WarehouseError, match="beside the warehouse"):
        cloud.run(db)


def test_trouble_while_writing_is_a_warehouse_error(db):
    with pytest.raises(WarehouseError, match="could not write"), WarehouseFile(db).writing() as connection:
        connection.execute("INSERT INTO runs (run_id) VALUES (NULL)")
    with (
        pytest.raises(WarehouseError, match="could not write"),
        WarehouseFile(db).writing() as connection,
        ledger.transaction(connection) as session,
    ):
        session.execute(sa.text("INSERT INTO nowhere VALUES (1)"))


def test_a_busy_file_is_waited_for_then_exit_4_naming_the_holder(cloud, db, elsewhere):
    holder = elsewhere(HOLD, db, 60)
    assert lock_holder(db) == holder.pid
    for opening in (WarehouseFile(db, wait=0.3).writing, WarehouseFile(db, wait=0.3).reading):
        began = time.monotonic()
        with pytest.raises(WarehouseBusy, match=f"pid {holder.pid}") as caught, opening():
            pass
        assert time.monotonic() - began >= 0.3
        assert caught.value.exit_code == ExitCode.BUSY
    with pytest.raises(WarehouseBusy):
        cloud.run(db, wait=0.1)


def test_a_file_that_is_busy_for_a_second_is_waited_for(cloud, db, elsewhere):
    cloud.put("2026-01", [[EC2]], version="1")
    elsewhere(HOLD, db, 1)
    assert cloud.run(db).status == "succeeded"
    assert lock_holder(db) is None


def test_segments_survive_a_busy_warehouse(cloud, db, elsewhere):
    cloud.put("2026-01", [[EC2], [EC2]], version="1")
    held = []
    cloud.fail(lambda: held.append(elsewhere(HOLD, db, 60)), page=1)
    with pytest.raises(WarehouseBusy):
        cloud.run(db, wait=0.2)
    held[0].kill()
    held[0].wait()
    cloud.calls.clear()
    assert cloud.run(db).status == "succeeded"
    assert cloud.calls == []
    assert len(cloud.rows(db)) == 2


def test_b112_a_second_run_of_one_provider_names_the_first(cloud, db, elsewhere):
    run = cloud.prepare(db)
    holder = elsewhere(LOCK, run.spool.lock_file, 60)
    with pytest.raises(WarehouseBusy, match=f"pid {holder.pid}") as caught:
        cloud.run(db)
    assert caught.value.exit_code == ExitCode.BUSY
    holder.kill()
    holder.wait()
    assert cloud.run(db).status == "succeeded", "the kernel frees the lock of a killed run"


def test_invariant_8_another_process_may_query_during_an_extract(cloud, db):
    cloud.put("2026-01", [[EC2]], version="1")
    cloud.run(db)
    cloud.put("2026-01", [[EC2], [EC2], [EC2]], version="2")
    answers = []
    query = "import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True).sql('FROM activities').shape[0])"

    def another():
        command = [sys.executable, "-c", query, str(db)]
        answers.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    cloud.fail(another, page=2)
    assert cloud.run(db).status == "succeeded"
    assert answers == ["1\n"]


def test_b112_two_providers_at_once_take_turns(db):
    clouds = [FakeCloud(name=name) for name in ("north", "south")]
    for cloud in clouds:
        for key in "abc":
            cloud.put(key, [[EC2], [EC2]], version="1")
    threads = [threading.Thread(target=cloud.run, args=(db,)) for cloud in clouds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clouds[0].rows(
        db, "provider, count(*), count(DISTINCT load_id)", table="activities GROUP BY ALL"
    ) == [
        ("north", 6, 3),
        ("south", 6, 3),
    ]


def test_a_process_that_reads_is_in_its_own_way_only_until_it_has_read(db):
    with WarehouseFile(db).writing():
        pass
    with (
        WarehouseFile(db).reading(),
        pytest.raises(WarehouseBusy, match="this process itself"),
        WarehouseFile(db, wait=0.1).writing(),
    ):
        pass
    with WarehouseFile(db, wait=0.1).writing():
        pass


def test_waiting_can_be_interrupted(db, elsewhere):
    elsewhere(HOLD, db, 60)

    def interrupted():
        raise InterruptedError

    with pytest.raises(InterruptedError), WarehouseFile(db, wait=60, interrupted=interrupted).writing():
        pass


# The ledger and the tables


@pytest.fixture
def warehouse(db):
    with WarehouseFile(db).writing() as connection:
        yield connection


TYPES = {
    sa.BigInteger: "BIGINT",
    sa.Boolean: "BOOLEAN",
    sa.DateTime: "TIMESTAMP WITH TIME ZONE",
    sa.JSON: "JSON",
    AutoString: "VARCHAR",
}


@pytest.mark.parametrize("model", ledger.LEDGER, ids=lambda model: model.__tablename__)
def test_models_agree_with_their_tables(warehouse, model):
    described = {
        name: (kind, nullable == "YES")
        for name, kind, nullable, *_ in warehouse.execute(f"DESCRIBE {model.__tablename__}").fetchall()
    }
    declared = {
        column.name: (
            next(text for kind, text in TYPES.items() if isinstance(column.type, kind)),
            column.nullable,
        )
        for column in model.__table__.columns
    }
    assert list(described) == list(declared)
    assert described == declared


def types(warehouse, name):
    return {
        row[0]: row[1].replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")
        for row in warehouse.execute(f"DESCRIBE {name}").fetchall()
    }


def test_activities_are_the_columns_of_the_schema_in_its_order(warehouse):
    wanted = {column.name: column.type for column in activity_columns()}
    found = types(warehouse, "activities")
    assert list(found) == list(wanted)
    assert found == wanted
    as_of = types(warehouse, "(FROM activities_as_of(now()))")
    assert as_of == wanted


def test_activity_log_holds_the_plugins_columns_and_the_load(warehouse):
    wanted = {column.name: column.type for column in activity_columns() if column.owner == "plugin"}
    assert types(warehouse, "activity_log") == {"load_id": "BIGINT", **wanted}


def a_segment(name="a"):
    return ledger.Segment(load_id=1, name=name, row_count=1, rejected=0, appended_at=dt.datetime.now(dt.UTC))


def test_a_transaction_is_atomic_for_models_and_sql_alike(warehouse):
    with pytest.raises(KeyError), ledger.transaction(warehouse) as session:  # noqa: PT012
        warehouse.execute("INSERT INTO activity_log (load_id) VALUES (1)")
        ledger.put(session, a_segment())
        raise KeyError
    counts = "SELECT (SELECT count(*) FROM activity_log), (SELECT count(*) FROM segments)"
    assert warehouse.execute(counts).fetchone() == (0, 0)
    with ledger.transaction(warehouse) as session:
        ledger.put(session, a_segment())
        warehouse.execute("INSERT INTO activity_log (load_id) VALUES (1)")
    assert warehouse.execute(counts).fetchone() == (1, 1)


def test_put_replaces_the_row_with_the_same_key_and_no_other(warehouse):
    with ledger.transaction(warehouse) as session:
        for segment in (a_segment("a"), a_segment("b"), ledger.revised(a_segment("a"), row_count=7)):
            ledger.put(session, segment)
    with ledger.transaction(warehouse) as session:
        found = {row.name: row.row_count for row in ledger.rows(session, ledger.Segment, load_id=1)}
    assert found == {"a": 7, "b": 1}
