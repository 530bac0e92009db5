from __future__ import annotations

import pytest

from ogf.errors import ConfigError, ErrorClass, SourceError
from ogf.files.store import LocalStore, walk
from ogf_aws.errors import probe
from ogf_aws.s3 import S3Store, open_store


class Ctx:
    """The little of a context that a listing needs."""

    @staticmethod
    def call(function, *args):
        return function(*args)


def keys(listing) -> list[str]:
    return [item.key for item in listing.objects]


def test_a_listing_gives_what_lies_directly_below(bucket, store):
    etag = bucket.put("cur/report/a-Manifest.json", b"{}")
    bucket.put("cur/report/a/b.csv")
    bucket.put("cur/report/")  # a console's marker for an empty folder
    bucket.put("other/x")
    listing = store("cur").list_page("report/")
    assert keys(listing) == ["report/a-Manifest.json"]
    assert listing.folders == ("report/a/",)
    assert listing.next is None
    (found,) = listing.objects
    assert (found.etag, found.size) == (etag, 2)
    assert '"' not in found.etag
    assert store("cur").head(found.key) == found


def test_b28_more_than_a_thousand_keys_take_several_pages(bucket, store, aws):
    for number in range(1001):
        bucket.put(f"cur/{number:04}.csv")
    aws.faults.calls.clear()
    listing = walk(Ctx(), store("cur"), "")
    assert keys(listing) == [f"{number:04}.csv" for number in range(1001)]
    assert len([line for line in aws.faults.calls if "list-type=2" in line]) == 2


def test_the_page_size_is_a_setting_and_changes_nothing(bucket, store, aws):
    names = [f"k {number}+ü.csv" for number in range(7)]
    for name in names:
        bucket.put(name)
    aws.faults.calls.clear()
    assert keys(walk(Ctx(), store(page_size=3), "")) == names
    assert len(aws.faults.calls) == 3


LISTING = """<?xml version="1.0"?><ListBucketResult>{}<Contents><Key>a</Key><Size>1</Size>
<ETag>&quot;e&quot;</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents></ListBucketResult>"""
TOKEN = "<NextContinuationToken>t</NextContinuationToken>"


@pytest.mark.parametrize(
    ("said", "token"),
    [
        ("", None),
        ("<IsTruncated>false</IsTruncated>", None),
        (TOKEN, "t"),
        (f"<IsTruncated>false</IsTruncated>{TOKEN}", None),
        (f"<IsTruncated>true</IsTruncated>{TOKEN}", "t"),
    ],
)
def test_when_a_listing_goes_on(store, aws, said, token):
    aws.faults.answer("list-type=2", LISTING.format(said))
    assert store().list_page("").next == token


def test_a_listing_that_goes_on_nowhere_is_no_end_of_the_data(store, aws):
    aws.faults.answer("list-type=2", LISTING.format("<IsTruncated>true</IsTruncated>"))
    with pytest.raises(SourceError, match="incomplete"):
        store().list_page("")


def test_keys_may_begin_with_a_slash_where_the_prefix_is_empty(bucket, store):
    bucket.put("/report/m.json", b"{}")
    opened = store()
    assert opened.list_page("").folders == ("/",)
    assert keys(opened.list_page("/report/")) == ["/report/m.json"]
    assert opened.read("/report/m.json") == b"{}"
    assert opened.uri("/report/m.json") == f"s3://{bucket.name}//report/m.json"


def test_a_prefix_without_objects_is_an_empty_listing(store):
    assert store("nothing").list_page("") == ((), (), None)


def test_a_download_is_the_object(bucket, store, tmp_path):
    body = bytes(range(256)) * 20_000
    etag = bucket.put("cur/a.csv.gz", body)
    file = store("cur").download("a.csv.gz", etag, tmp_path)
    assert file.path.parent == tmp_path
    assert file.path.read_bytes() == body
    assert (file.uri, file.etag, file.owned) == (f"s3://{bucket.name}/cur/a.csv.gz", etag, True)
    again = store("cur").download("a.csv.gz", etag, tmp_path)
    assert again.path != file.path


def test_an_empty_object_is_an_empty_file(bucket, store, tmp_path):
    assert store().download("empty", bucket.put("empty"), tmp_path).path.stat().st_size == 0


def test_an_object_that_changed_since_it_was_listed_is_a_restart(bucket, store, tmp_path):
    planned = bucket.put("a.csv", b"old")
    bucket.put("a.csv", b"new")
    with pytest.raises(SourceError, match="changed") as caught:
        store().download("a.csv", planned, tmp_path)
    assert caught.value.restart
    assert caught.value.error_class is ErrorClass.TRANSIENT
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("operation", ["read", "head", "download"])
def test_a_missing_key_is_not_found_and_named(bucket, store, tmp_path, operation):
    arguments = ("e", tmp_path) if operation == "download" else ()
    with pytest.raises(SourceError) as caught:
        getattr(store("cur"), operation)("absent.csv", *arguments)
    assert caught.value.error_class is ErrorClass.NOT_FOUND
    assert caught.value.where == f"s3://{bucket.name}/cur/absent.csv"


def test_b28_a_missing_bucket_is_not_found(aws):
    with pytest.raises(SourceError) as caught:
        open_store(aws.settings(), "s3://no-such-bucket/cur").list_page("")
    assert caught.value.error_class is ErrorClass.NOT_FOUND
    assert "`location`" in caught.value.hint
    assert caught.value.where.startswith("s3://no-such-bucket/cur")


@pytest.mark.parametrize("keep", [0, 1, 70_000])
@pytest.mark.parametrize("operation", ["read", "download"])
def test_a_truncated_body_is_transient_and_leaves_no_file(bucket, store, tmp_path, keep, operation):
    etag = bucket.put("a.csv", b"x" * 100_000)
    bucket.aws.faults.truncate("GET /", keep=keep)
    with pytest.raises(SourceError) as caught:
        store().read("a.csv") if operation == "read" else store().download("a.csv", etag, tmp_path)
    assert caught.value.error_class is ErrorClass.TRANSIENT
    assert not caught.value.restart
    assert not list(tmp_path.iterdir())
    assert store().read("a.csv") == b"x" * 100_000


@pytest.mark.parametrize(
    ("status", "code", "error_class"),
    [
        ("503 Slow Down", "SlowDown", "transient"),
        ("500 Internal Server Error", "InternalError", "transient"),
        ("503 Service Unavailable", "", "transient"),
        ("403 Forbidden", "AccessDenied", "auth"),
        ("403 Forbidden", "InvalidAccessKeyId", "auth"),
        ("403 Forbidden", "InvalidObjectState", "bad_request"),
        ("400 Bad Request", "RequestTimeout", "transient"),
    ],
)
def test_what_s3_answers_is_classified_after_one_attempt(bucket, store, status, code, error_class):
    faults = bucket.aws.faults
    bucket.put("a.json", b"{}")
    opened = store()
    faults.clear()
    faults.inject("GET /", status, code)
    with pytest.raises(SourceError) as caught:
        opened.read("a.json")
    assert caught.value.error_class == error_class
    assert len(faults.calls) == 1
    assert opened.read("a.json") == b"{}"


def test_the_servers_wait_is_kept(store, aws):
    aws.faults.inject("list-type=2", "503 Slow Down", "SlowDown", headers={"x-amz-retry-after": "2500"})
    with pytest.raises(SourceError) as caught:
        store().list_page("")
    assert caught.value.retry_after == 2.5


class TestRefusals:  # B100: the same 403 means different things
    def test_of_a_listing_names_its_permission(self, store, aws):
        aws.faults.inject("list-type=2", "403 Forbidden", "AccessDenied")
        with pytest.raises(SourceError) as caught:
            store().list_page("")
        assert caught.value.error_class is ErrorClass.AUTH
        assert "s3:ListBucket" in caught.value.hint

    @pytest.mark.parametrize("operation", ["read", "head"])
    def test_b100_of_a_key_that_was_listed_is_auth(self, store, aws, operation):
        code = "AccessDenied" if operation == "read" else ""  # a HEAD has no body
        aws.faults.inject("manifest.json", "403 Forbidden", code)
        with pytest.raises(SourceError) as caught:
            getattr(store(), operation)("manifest.json")
        assert caught.value.error_class is ErrorClass.AUTH
        assert "s3:GetObject" in caught.value.hint
        assert "kms:Decrypt" in caught.value.hint

    @pytest.mark.parametrize("operation", ["read", "head"])
    def test_b100_of_a_key_that_nothing_named_is_not_found(self, store, aws, operation):
        code = "AccessDenied" if operation == "read" else ""
        aws.faults.inject("manifest.json", "403 Forbidden", code)
        with pytest.raises(SourceError) as caught:
            probe(getattr(store(), operation), "manifest.json")
        assert caught.value.error_class is ErrorClass.NOT_FOUND
        assert "manifest.json" in str(caught.value)

    def test_of_a_key_that_is_really_absent_reads_the_same(self, store):
        with pytest.raises(SourceError) as caught:
            probe(store().read, "manifest.json")
        assert caught.value.error_class is ErrorClass.NOT_FOUND


def test_an_unreachable_server_is_transient(aws):
    opened = open_store(aws.settings(endpoint_url="http://127.0.0.1:9"), "s3://exports")
    with pytest.raises(SourceError) as caught:
        opened.list_page("")
    assert caught.value.error_class is ErrorClass.TRANSIENT


class TestLocations:
    @pytest.mark.parametrize(
        ("location", "bucket", "prefix", "root"),
        [
            ("s3://exports", "exports", "", "s3://exports/"),
            ("s3://exports/", "exports", "", "s3://exports/"),
            ("S3://exports/cur/", "exports", "cur/", "s3://exports/cur"),
            ("s3://exports/a/b?c#d", "exports", "a/b?c#d/", "s3://exports/a/b?c#d"),
        ],
    )
    def test_of_buckets(self, aws, location, bucket, prefix, root):
        opened = open_store(aws.settings(), location)
        assert isinstance(opened, S3Store)
        assert (opened.bucket, opened.prefix, opened.root) == (bucket, prefix, root)

    def test_of_folders(self, aws, tmp_path):
        folder = tmp_path / "my exports"
        folder.mkdir()
        for location in (str(folder), folder.as_uri()):
            opened = open_store(aws.settings(), location)
            assert isinstance(opened, LocalStore)
            assert opened.folder == folder

    @pytest.mark.parametrize(
        "location",
        ["gs://exports", "abfss://c@a/x", "https://exports.example/x", "s3:exports", "s3:///cur", "file:x"],
    )
    def test_of_other_places_are_refused_with_what_is_accepted(self, aws, location):
        with pytest.raises(ConfigError, match="local folder") as caught:
            open_store(aws.settings(), location)
        assert "s3://bucket/prefix" in caught.value.hint
