"""Editions: of partitions that tell the same thing anew, only the newest that is loaded counts."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogf.hookspecs import Stream
from ogf.runner.editions import is_newer
from ogf.runner.forget import find, forget
from ogf.testing.provider import FakeCloud, refused

OLD, NEW, OTHER = "x/2026-01@v2.0.0", "x/2026-01@v3.0.0", "x/2026-02@v2.0.0"
EC2, S3, RDS = ({"service": name, "quantity": number} for number, name in enumerate(("EC2", "S3", "RDS"), 1))


@pytest.fixture
def cloud():
    return FakeCloud(streams=(Stream("carbon", keeps_history=True, editions=True),))


def shown(cloud, db):
    return cloud.rows(db, "partition_key, service")


def kept(cloud, db):
    return cloud.rows(db, "partition_key, service, load_status", table="activities_history")


BOTH_KEPT = [(OLD, "EC2", "superseded"), (NEW, "S3", "current")]


def test_a_newer_edition_replaces_an_older_one_which_becomes_history(cloud, db, ask):
    cloud.put(OLD, [[EC2]], version="1")
    cloud.put(OTHER, [[RDS]], version="1")
    cloud.run(db)
    (before,) = ask("SELECT max(published_at) FROM loads")[0]
    cloud.put(NEW, [[S3]], version="1")
    result = cloud.run(db)
    assert result.count("loaded") == 1
    assert shown(cloud, db) == [(NEW, "S3"), (OTHER, "RDS")]
    assert kept(cloud, db) == [*BOTH_KEPT, (OTHER, "RDS", "current")]
    was = f"SELECT partition_key, service FROM activities_as_of('{before.isoformat()}') ORDER BY ALL"
    assert ask(was) == [(OLD, "EC2"), (OTHER, "RDS")]
    assert cloud.run(db).count("unchanged") == 3


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("first", [OLD, NEW])
def test_editions_that_are_there_from_the_start_end_alike_in_any_order(cloud, db, first, workers):
    for key in (first, NEW if first == OLD else OLD):
        cloud.put(key, [[EC2 if key == OLD else S3]], version="1")
    assert cloud.run(db, workers=workers).status == "succeeded"
    assert shown(cloud, db) == [(NEW, "S3")]
    assert kept(cloud, db) == BOTH_KEPT
    assert cloud.run(db).count("unchanged") == 2
    assert shown(cloud, db) == [(NEW, "S3")]


def test_a_newer_edition_counts_on_when_the_source_drops_it_and_restates_the_older(cloud, db):
    cloud.put(OLD, [[EC2]], version="1")
    cloud.put(NEW, [[S3]], version="1")
    cloud.run(db)
    cloud.drop(NEW)
    cloud.put(OLD, [[RDS]], version="2")
    result = cloud.run(db)
    assert NEW in result.notices[0]
    assert shown(cloud, db) == [(NEW, "S3")]
    assert (OLD, "RDS", "superseded") in kept(cloud, db)


def test_while_a_newer_edition_cannot_be_loaded_the_older_one_counts(cloud, db):
    cloud.put(OLD, [[EC2]], version="1")
    cloud.put(NEW, [[S3]], version="1")
    cloud.fail(refused("bad_request"), key=NEW)
    assert cloud.run(db).status == "partial"
    assert shown(cloud, db) == [(OLD, "EC2")]
    assert cloud.run(db).status == "succeeded"
    assert shown(cloud, db) == [(NEW, "S3")]
    assert kept(cloud, db) == BOTH_KEPT


def test_without_history_an_older_edition_is_pruned_and_stays_known(db):
    cloud = FakeCloud(streams=(Stream("carbon", editions=True),))
    cloud.put(OLD, [[EC2]], version="1")
    cloud.put(NEW, [[S3]], version="1")
    cloud.run(db)
    assert kept(cloud, db) == [(NEW, "S3", "current")]
    assert cloud.run(db).count("unchanged") == 2


def test_where_the_newest_is_forgotten_the_one_before_counts_again(cloud, db, ask):
    cloud.put(OLD, [[EC2]], version="1")
    cloud.put(OTHER, [[RDS]], version="1")
    cloud.run(db)
    cloud.put(NEW, [[S3]], version="1")
    cloud.run(db)
    ((then,),) = ask("SELECT max(published_at) FROM loads")
    run = cloud.prepare(db)
    forget(run, find(run, "carbon", [NEW]))
    assert shown(cloud, db) == [(OLD, "EC2"), (OTHER, "RDS")]
    was = f"SELECT partition_key, service FROM activities_as_of('{then.isoformat()}') ORDER BY ALL"
    assert ask(was) == [(NEW, "S3"), (OTHER, "RDS")]
    cloud.drop(NEW)
    assert cloud.run(db).count("unchanged") == 2
    assert shown(cloud, db) == [(OLD, "EC2"), (OTHER, "RDS")]
    cloud.put(NEW, [[S3]], version="1")
    cloud.run(db)
    assert shown(cloud, db) == [(NEW, "S3"), (OTHER, "RDS")]


def test_without_history_an_edition_that_counts_again_is_loaded_anew(db):
    cloud = FakeCloud(streams=(Stream("carbon", editions=True),))
    cloud.put(OLD, [[EC2]], version="1")
    cloud.run(db)
    cloud.put(NEW, [[S3]], version="1")
    cloud.run(db)
    run = cloud.prepare(db)
    forget(run, find(run, "carbon", [NEW]))
    cloud.drop(NEW)
    assert cloud.run(db).count("loaded") == 1
    assert shown(cloud, db) == [(OLD, "EC2")]


def test_without_editions_an_at_sign_in_a_key_means_nothing(db):
    cloud = FakeCloud(streams=(Stream("carbon"),))
    cloud.put(OLD, [[EC2]], version="1")
    cloud.put(NEW, [[S3]], version="1")
    cloud.run(db)
    assert shown(cloud, db) == [(OLD, "EC2"), (NEW, "S3")]


def test_a_kill_between_two_editions_changes_nothing_in_the_end(cloud, db, crashing):
    cloud.put(OLD, [[EC2]], version="1")
    cloud.put(NEW, [[S3]], version="1")
    for point in ("publish.before", "publish.inside", "publish.after"):
        with crashing(point):
            cloud.run(db, workers=1)
    assert cloud.run(db).status == "succeeded"
    assert shown(cloud, db) == [(NEW, "S3")]
    assert kept(cloud, db) == BOTH_KEPT


def test_numbers_in_editions_are_compared_by_value():
    ordered = [f"x@{edition}" for edition in ("", "v2", "v2.0.0", "v3.0.0", "V3.0.1", "v3.10.0", "v10.0.0")]
    for older, newer in itertools.combinations(ordered, 2):
        assert is_newer(newer, older)
        assert not is_newer(older, newer)
    assert not is_newer("x@v3", "x@V3")
    assert not is_newer("y@v3", "x@v2")


@given(st.lists(st.text("v.10@a/", max_size=6), min_size=3, max_size=3))
def test_newer_is_an_order(editions):
    one, two, three = (f"x@{edition}" for edition in editions)
    assert not is_newer(one, one)
    assert not (is_newer(one, two) and is_newer(two, one))
    if is_newer(one, two) and is_newer(two, three):
        assert is_newer(one, three)
