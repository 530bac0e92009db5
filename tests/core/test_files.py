"""Files: local folders, formats told by content, the pipe into DuckDB, and tables that notice damage."""

from __future__ import annotations

import gzip
import itertools
import os
import threading
import zipfile

import duckdb
import pytest

from ogf.errors import ErrorClass, SourceError
from ogf.files import LocalStore
from ogf.files.decode import Format, sniff
from ogf.files.feed import Feed
from ogf.files.store import File, stat_etag
from ogf.files.table import open_table
from ogf.files.worker import connect

TEXT = b"account,amount\n007,1.5\nNULL,\n"


# LocalStore


def test_a_folder_is_listed_with_sizes_and_folders(tmp_path):
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "a" / "x.csv").write_bytes(TEXT)
    store = LocalStore(tmp_path)
    assert store.list_page("").folders == ("a/",)
    listing = store.list_page("a/")
    assert (listing.folders, listing.next) == (("a/deep/",), None)
    (only,) = listing.objects
    assert (only.key, only.size) == ("a/x.csv", len(TEXT))
    assert store.head("a/x.csv") == only
    assert store.read("a/x.csv") == TEXT
    assert store.uri("a/x.csv") == (tmp_path / "a" / "x.csv").as_uri()


def test_a_file_is_handed_out_in_place_and_a_change_underneath_restarts(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(TEXT)
    store = LocalStore(tmp_path)
    etag = store.head("x.csv").etag
    file = store.download("x.csv", etag, tmp_path)
    assert (file.path, file.owned) == (path, False)
    path.write_bytes(TEXT + b"1,2\n")
    for look in (file.verify, lambda: store.download("x.csv", etag, tmp_path)):
        with pytest.raises(SourceError) as caught:
            look()
        assert caught.value.restart
    path.unlink()
    with pytest.raises(SourceError) as caught:
        file.verify()
    assert caught.value.restart


@pytest.mark.parametrize("ask", ["list_page", "read", "head"])
def test_what_is_not_there_is_not_found_with_a_hint(tmp_path, ask):
    with pytest.raises(SourceError) as caught:
        getattr(LocalStore(tmp_path), ask)("nowhere/")
    assert caught.value.error_class is ErrorClass.NOT_FOUND
    assert caught.value.hint


# sniff


def test_formats_are_told_by_content_not_by_name(tmp_path):
    parquet = tmp_path / "wrong.csv"
    duckdb.connect().execute(f"COPY (SELECT 1 AS x) TO '{parquet}' (FORMAT parquet)")
    archive = tmp_path / "a.gz"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x", "y")
    contents = {"b.zip": gzip.compress(TEXT), "c.parquet": TEXT, "d.csv": b"", "e": b"P"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    told = {path.name: sniff(path) for path in tmp_path.iterdir()}
    assert told == {
        "wrong.csv": Format.PARQUET,
        "a.gz": Format.ZIP,
        "b.zip": Format.GZIP,
        "c.parquet": Format.TEXT,
        "d.csv": Format.EMPTY,
        "e": Format.TEXT,
    }


# Feed


def test_a_feed_brings_every_byte(tmp_path):
    chunks = [os.urandom(700_000) for _ in range(5)]
    feed = Feed(tmp_path / "pipe", iter(chunks))
    with (tmp_path / "pipe").open("rb") as reader:
        assert reader.read() == b"".join(chunks)
    feed.close()
    assert not (tmp_path / "pipe").exists()


@pytest.mark.timeout(20)
def test_a_feed_that_nobody_opens_does_not_hang(tmp_path):
    Feed(tmp_path / "pipe", iter([b"x" * 10_000_000])).close()


@pytest.mark.timeout(20)
def test_a_feed_whose_reader_leaves_does_not_hang(tmp_path):
    taken = []

    def endless():
        for number in itertools.count():
            taken.append(number)
            yield b"x" * 1_000_000

    feed = Feed(tmp_path / "pipe", endless())
    with (tmp_path / "pipe").open("rb", buffering=0) as reader:
        reader.read(10)
    feed.close()
    assert len(taken) < 10, "nothing is decoded for nobody"


def test_a_feed_reports_what_went_wrong_while_decoding(tmp_path):
    def broken():
        yield b"a,b\n"
        raise SourceError("cut short", error_class=ErrorClass.BAD_REQUEST)

    feed = Feed(tmp_path / "pipe", broken())
    with (tmp_path / "pipe").open("rb") as reader:
        assert reader.read() == b"a,b\n"
    with pytest.raises(SourceError, match="cut short"):
        feed.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("feed")]


# Table


@pytest.fixture
def connection(tmp_path):
    scratch = tmp_path / "worker"
    scratch.mkdir()
    with connect(scratch=scratch, threads=1, memory_mb=256, lookups={}) as own:
        yield own


@pytest.fixture
def open_bytes(tmp_path, connection):
    """Write a file and open it as a table."""

    def opened(content, name="x.csv"):
        path = tmp_path / name
        path.write_bytes(content)
        file = File(path, path.as_uri(), stat_etag(path), owned=False)
        return open_table(file, connection=connection, scratch=tmp_path)

    return opened


def read(connection, table):
    rows = connection.execute(f"SELECT {', '.join(table.columns)} FROM {table.source}").fetchall()
    table.close()
    return rows


@pytest.mark.parametrize("packed", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_text_is_read_as_text(connection, open_bytes, packed):
    table = open_bytes(packed(TEXT))
    assert (table.names, table.types, table.is_text) == (("account", "amount"), ("VARCHAR",) * 2, True)
    assert read(connection, table) == [("007", "1.5"), (None, None)]


def test_multi_member_gzip_is_read_whole_and_a_byte_order_mark_is_dropped(connection, open_bytes):
    table = open_bytes(gzip.compress(b"\xef\xbb\xbfa\n1\n") + gzip.compress(b"2\n"))
    assert table.names == ("a",)
    assert sorted(read(connection, table)) == [("1",), ("2",)]


def test_parquet_keeps_its_types_and_its_names(tmp_path, connection, open_bytes):
    path = tmp_path / "made.parquet"
    connection.execute(
        f"COPY (SELECT 1.5::DOUBLE AS \"Amount\", '007' AS account) TO '{path}' (FORMAT parquet)"
    )
    table = open_bytes(path.read_bytes(), "x.csv")
    assert (table.names, table.types, table.is_text) == (("Amount", "account"), ("DOUBLE", "VARCHAR"), False)
    assert read(connection, table) == [(1.5, "007")]


@pytest.mark.parametrize(
    "content", [b"", gzip.compress(b""), b"\n"], ids=["zero bytes", "gzip of nothing", "blank"]
)
def test_a_file_of_nothing_has_no_names(open_bytes, content):
    table = open_bytes(content)
    assert table.names == ()
    table.close()


@pytest.mark.parametrize("cut", [4, 12, 200, -9, -1])
def test_a_truncated_gzip_is_noticed_wherever_it_is_cut(connection, open_bytes, cut):
    rows = b"".join(b"%d,%s\n" % (n, os.urandom(20).hex().encode()) for n in range(5000))
    whole = gzip.compress(b"a,b\n" + rows)
    with pytest.raises(SourceError) as caught:
        read(connection, open_bytes(whole[:cut]))
    assert caught.value.error_class is ErrorClass.BAD_REQUEST


def test_a_damaged_checksum_is_noticed(connection, open_bytes):
    whole = bytearray(gzip.compress(TEXT))
    whole[-6] ^= 0xFF
    with pytest.raises(SourceError, match="damaged"):
        read(connection, open_bytes(bytes(whole)))


@pytest.mark.timeout(20)
def test_a_table_that_is_not_read_can_be_abandoned(open_bytes):
    open_bytes(TEXT * 100_000).abandon()


# The worker's connection


def test_ids_tell_null_from_empty_and_keep_keys_apart(connection):
    keys = ["NULL, 'a'", "'', 'a'", "'a', NULL", "'a', ''", "'a'", "'ab', ''", "'a', 'b'", "NULL", "''"]
    ids = [connection.execute(f"SELECT ogf_id({key})").fetchone()[0] for key in keys]
    assert len(set(ids)) == len(keys)
    assert connection.execute("SELECT typeof(ogf_id('a')), ogf_id('a') = ogf_id('a')").fetchone() == (
        "UUID",
        True,
    )


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("7.5E-7", "0.000000750000000000"),
        ("0.123456789012345678", "0.123456789012345678"),
        ("-12", "-12.000000000000000000"),
        ("nonsense", None),
    ],
)
def test_decimals_of_text_are_exact(connection, text, exact):
    (found,) = connection.execute("SELECT CAST(ogf_decimal_of_text(?) AS VARCHAR)", [text]).fetchone()
    assert found == exact
