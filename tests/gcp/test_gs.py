from __future__ import annotations

import gzip

import pytest
from gcp.google_fake import TOKEN, google, google_server

from ogf.errors import ConfigError, ErrorClass, SourceError
from ogf.files.store import LocalStore, walk
from ogf.runner.classify import classify as core_classify
from ogf_gcp.gs import GsStore, open_store
from ogf_gcp.settings import GcpSettings

__all__ = ["google", "google_server"]

BUCKET = "exports"


class Ctx:
    """The little of a context that a listing needs."""

    @staticmethod
    def call(function, *args):
        return function(*args)


@pytest.fixture
def store(google):
    def opened(prefix: str = "", **settings):
        return open_store(google.settings(**settings), f"gs://{BUCKET}/{prefix}")

    return opened


def keys(listing) -> list[str]:
    return [item.key for item in listing.objects]


def test_a_listing_gives_what_lies_directly_below(google, store):
    generation = google.put(BUCKET, "costs/2026/a.parquet", b"{}")
    google.put(BUCKET, "costs/2026/b/c.parquet")
    google.put(BUCKET, "costs/2026/")  # a console's marker for an empty folder
    google.put(BUCKET, "other/x")
    google.put("another", "costs/2026/y")
    listing = store("costs").list_page("2026/")
    assert keys(listing) == ["2026/a.parquet"]
    assert listing.folders == ("2026/b/",)
    assert listing.next is None
    (found,) = listing.objects
    assert (found.etag, found.size) == (generation, 2)
    assert found.modified == pytest.approx(1767323045)
    assert store("costs").head(found.key) == found


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_the_page_size_is_a_setting_and_changes_nothing(google, store, size):
    names = [f"k {number}+ü.csv" for number in range(7)]
    for name in names:
        google.put(BUCKET, name)
    google.put(BUCKET, "z/a")
    listing = walk(Ctx(), store(page_size=size), "")
    assert (keys(listing), listing.folders) == (names, ("z/",))
    assert google.count("GET /storage/v1/b/exports/o?") == -(-8 // size)


def test_a_page_is_one_call_and_never_larger_than_the_service_gives(google, store):
    store(page_size=100_000).list_page("")
    (line,) = [line for line in google.calls if "/o?" in line]
    assert "maxResults=1000" in line


def test_a_prefix_without_objects_is_an_empty_listing(store):
    assert store("nothing").list_page("") == ((), (), None)


def test_a_download_is_the_object_and_carries_the_token(google, store, tmp_path):
    body = bytes(range(256)) * 20_000
    generation = google.put(BUCKET, "costs/a b/c+d.parquet", body)
    file = store("costs").download("a b/c+d.parquet", generation, tmp_path)
    assert file.path.parent == tmp_path
    assert file.path.read_bytes() == body
    assert (file.uri, file.etag, file.owned) == ("gs://exports/costs/a b/c+d.parquet", generation, True)
    assert google.authorizations == [f"Bearer {TOKEN}"]
    assert store("costs").read("a b/c+d.parquet") == body


def test_without_a_key_an_emulator_is_asked_without_credentials(google, store, tmp_path):
    generation = google.put(BUCKET, "a", b"body")
    assert store(service_account_key=None).download("a", generation, tmp_path).path.read_bytes() == b"body"
    assert google.authorizations == [""]


def test_a_compressed_body_stays_as_it_is_stored(google, store, tmp_path):
    packed = gzip.compress(b"a,b\n1,2\n" * 100)
    generation = google.put(BUCKET, "a.csv.gz", packed, encoding="gzip")
    assert store().download("a.csv.gz", generation, tmp_path).path.read_bytes() == packed
    assert store().read("a.csv.gz") == packed


def test_an_empty_object_is_an_empty_file(google, store, tmp_path):
    assert store().download("empty", google.put(BUCKET, "empty"), tmp_path).path.stat().st_size == 0


def test_an_object_that_changed_since_it_was_listed_is_a_restart(google, store, tmp_path):
    planned = google.put(BUCKET, "a.csv", b"old")
    google.put(BUCKET, "a.csv", b"new")
    with pytest.raises(SourceError, match="changed") as caught:
        store().download("a.csv", planned, tmp_path)
    assert caught.value.restart
    assert caught.value.error_class is ErrorClass.TRANSIENT
    assert not list(tmp_path.iterdir())


def test_a_body_that_breaks_off_is_no_file(google, store, tmp_path):
    generation = google.put(BUCKET, "a.csv", b"x" * 100_000)
    google.break_off("/download/", keep=50_000)
    with pytest.raises(Exception) as caught:
        store().download("a.csv", generation, tmp_path)
    assert core_classify(caught.value).error_class is ErrorClass.TRANSIENT
    assert not list(tmp_path.iterdir())


def test_a_body_that_was_damaged_on_the_way_is_no_file(google, store, tmp_path):
    generation = google.put(BUCKET, "a.csv", b"x" * 1000)
    google.damage("/download/")
    with pytest.raises(SourceError) as caught:
        store().download("a.csv", generation, tmp_path)
    assert caught.value.error_class is ErrorClass.TRANSIENT
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("operation", ["read", "head", "download", "list_page"])
@pytest.mark.parametrize(
    ("status", "reason", "error_class", "words"),
    [
        (403, "forbidden", "auth", "roles/storage.objectViewer"),
        (404, "notFound", "not_found", "`location`"),
        (404, "", "not_found", "`location`"),
        (429, "rateLimitExceeded", "transient", ""),
        (503, "backendError", "transient", ""),
        (401, "required", "auth", "service_account_key"),
    ],
)
def test_an_error_says_where_it_happened_and_is_met_once(
    google, store, tmp_path, operation, status, reason, error_class, words
):
    # After a refused token google-auth gets a new one and asks once more.
    google.fail("/storage/v1/b/", status, reason, times=3)
    arguments = {"download": ("a", "1", tmp_path), "list_page": ("",)}.get(operation, ("a",))
    with pytest.raises(SourceError) as caught:
        getattr(store(), operation)(*arguments)
    assert caught.value.error_class == error_class
    assert caught.value.where.startswith("gs://exports/")
    assert words in caught.value.hint
    assert google.count("/storage/v1/b/") == (2 if status == 401 else 1)
    assert not list(tmp_path.iterdir())


def test_places_are_opened_by_what_they_look_like(tmp_path):
    settings = GcpSettings()
    for location in (str(tmp_path), tmp_path.as_uri()):
        opened = open_store(settings, location)
        assert isinstance(opened, LocalStore)
        assert opened.folder == tmp_path


def test_a_place_in_cloud_storage_keeps_every_letter_of_its_prefix(google):
    opened = open_store(google.settings(), "GS://exports/a?b#c/ d/")
    assert isinstance(opened, GsStore)
    assert (opened.bucket, opened.prefix) == ("exports", "a?b#c/ d/")
    assert opened.uri("x") == "gs://exports/a?b#c/ d/x"
    assert "exports" in repr(opened)


@pytest.mark.parametrize("location", ["gs://", "gs:exports", "s3://bucket", "file://host/x"])
def test_places_that_cannot_be_read_are_refused(location):
    with pytest.raises(ConfigError, match=r"location|place") as caught:
        open_store(GcpSettings(), location)
    assert "gs://bucket/prefix" in caught.value.hint
