"""Blob storage as an object store: against Azurite where it is installed, and against refusals on loopback."""

from __future__ import annotations

import gzip

import pytest
from azure.azurite import ACCOUNT, Azurite, access_token, azurite
from werkzeug import Response

from ogf.errors import ConfigError, ErrorClass, SourceError
from ogf.files.store import LocalStore, walk
from ogf_azure.blob import BlobStore, open_store
from ogf_azure.settings import AzureSettings

__all__ = ["azurite"]

CONTAINER = "exports"
PLACE = f"abfss://{CONTAINER}@{ACCOUNT}.dfs.core.windows.net"


class Plain:
    """The little of a context that a listing needs."""

    @staticmethod
    def call(function, *args):
        return function(*args)


@pytest.fixture
def container(azurite: Azurite):
    return azurite.container(CONTAINER)


@pytest.fixture
def store(azurite: Azurite, container):
    def opened(prefix: str = "", page_size: int = 5000) -> BlobStore:
        return BlobStore(azurite.service(), ACCOUNT, CONTAINER, prefix=prefix, page_size=page_size)

    return opened


def keys(listing) -> list[str]:
    return [item.key for item in listing.objects]


class TestAzurite:
    def test_a_listing_gives_what_lies_directly_below(self, container, store):
        for name in ("costs/2026/a.csv", "costs/2026/b/c.csv", "other/x.csv"):
            container.upload_blob(name, b"{}")
        listing = store("costs").list_page("2026/")
        assert (keys(listing), listing.folders, listing.next) == (["2026/a.csv"], ("2026/b/",), None)
        (found,) = listing.objects
        assert (found.size, found.etag.strip('"')) == (2, found.etag)
        assert store("costs").head("2026/a.csv") == found

    @pytest.mark.parametrize("size", [1, 3, 5000])
    def test_the_page_size_changes_nothing(self, container, store, size):
        names = [f"k {number}+ü.csv" for number in range(7)]
        for name in [*names, "z/a"]:
            container.upload_blob(name, b"x")
        listing = walk(Plain(), store(page_size=size), "")
        assert (keys(listing), listing.folders) == (names, ("z/",))

    def test_a_prefix_without_blobs_is_an_empty_listing(self, store):
        assert store("nothing").list_page("") == ((), (), None)

    @pytest.mark.parametrize("size", [0, 1, 40 << 20], ids=["empty", "small", "several ranges"])
    def test_a_download_is_the_blob(self, container, store, tmp_path, size):
        body = (bytes(range(256)) * (size // 256 + 1))[:size]
        container.upload_blob("costs/a b/c+d.csv", body)
        planned = store("costs").head("a b/c+d.csv")
        file = store("costs").download(planned.key, planned.etag, tmp_path)
        assert file.path.read_bytes() == body
        assert (file.etag, file.owned, file.path.parent) == (planned.etag, True, tmp_path)
        assert file.uri == f"abfss://{CONTAINER}@{ACCOUNT}/costs/a b/c+d.csv"

    def test_a_compressed_body_stays_as_it_is_stored(self, container, store, tmp_path):
        from azure.storage.blob import ContentSettings

        packed = gzip.compress(b"a,b\n1,2\n" * 100)
        container.upload_blob("a.csv.gz", packed, content_settings=ContentSettings(content_encoding="gzip"))
        etag = store().head("a.csv.gz").etag
        assert store().download("a.csv.gz", etag, tmp_path).path.read_bytes() == packed

    def test_a_blob_that_was_replaced_since_it_was_listed_is_a_restart(self, container, store, tmp_path):
        container.upload_blob("a.csv", b"old")
        planned = store().head("a.csv")
        container.upload_blob("a.csv", b"new", overwrite=True)
        with pytest.raises(SourceError, match="changed") as caught:
            store().download("a.csv", planned.etag, tmp_path)
        assert (caught.value.restart, caught.value.error_class) == (True, ErrorClass.TRANSIENT)
        assert not list(tmp_path.iterdir())

    def test_a_blob_that_is_not_there_is_not_found(self, store, tmp_path):
        for ask in (store().head, store().read):
            with pytest.raises(SourceError) as caught:
                ask("a")
            assert caught.value.error_class is ErrorClass.NOT_FOUND
            assert caught.value.where.endswith("/a")
        with pytest.raises(SourceError):  # planned, and deleted since
            store().download("a", "1", tmp_path)
        assert not list(tmp_path.iterdir())

    def test_the_session_s_own_client_reads_with_its_token(self, azurite, azure, container, tmp_path):
        """Settings alone: a client secret, a token authority, a blob server, one private certificate authority."""
        token = {"token_type": "Bearer", "expires_in": 3599, "access_token": access_token()}
        azure.answer("/oauth2/v2.0/token", token)
        both = tmp_path / "both.pem"
        both.write_bytes(azure.ca.read_bytes() + azurite.ca.read_bytes())
        settings = azure.settings(blob_endpoint_url=azurite.url, ca_bundle=str(both))
        container.upload_blob("2026/a.csv", b"a\n1\n")
        store = open_store(settings, f"{PLACE}/2026")
        (found,) = store.list_page("").objects
        assert store.download(found.key, found.etag, tmp_path).path.read_bytes() == b"a\n1\n"


def refusal(status: int, code: str) -> Response:
    body = (
        f"<?xml version='1.0' encoding='utf-8'?><Error><Code>{code}</Code><Message>injected</Message></Error>"
    )
    return Response(body, status, {"x-ms-error-code": code}, content_type="application/xml")


class TestRefusals:
    """What a server on loopback answers instead of Blob storage."""

    @pytest.fixture
    def refused(self, azure):
        """A store whose every request is refused, and the requests: `refused(403, "AuthorizationFailure")`."""

        def made(status: int, code: str):
            requests = []

            def answer(request):
                requests.append(request.headers)
                return refusal(status, code)

            for method in ("GET", "HEAD"):
                azure.route(method, f"/{ACCOUNT}/{CONTAINER}", answer, scopes=None)
                azure.route(method, f"/{ACCOUNT}/{CONTAINER}/a", answer, scopes=None)
            settings = azure.settings(blob_endpoint_url=azure.url)
            return open_store(settings, PLACE), requests

        return made

    @pytest.mark.parametrize("operation", ["read", "head", "download", "list_page"])
    @pytest.mark.parametrize(
        ("status", "code", "error_class", "words"),
        [
            (403, "AuthorizationPermissionMismatch", "auth", "Storage Blob Data Reader"),
            (404, "ContainerNotFound", "not_found", "`location`"),
            (503, "ServerBusy", "transient", ""),
            (500, "InternalError", "transient", ""),
        ],
    )
    def test_an_error_says_where_it_happened_and_is_met_once(
        self, refused, tmp_path, operation, status, code, error_class, words
    ):
        store, requests = refused(status, code)
        arguments = {"download": ("a", "1", tmp_path), "list_page": ("",)}.get(operation, ("a",))
        with pytest.raises(SourceError) as caught:
            getattr(store, operation)(*arguments)
        assert caught.value.error_class == error_class
        assert caught.value.where.startswith(f"abfss://{CONTAINER}@{ACCOUNT}/")
        assert words in caught.value.hint
        assert len(requests) == 1
        assert not list(tmp_path.iterdir())

    def test_412_is_a_restart_and_the_etag_was_asked_for(self, refused, tmp_path):
        store, requests = refused(412, "ConditionNotMet")
        with pytest.raises(SourceError, match="changed") as caught:
            store.download("a", "0x1", tmp_path)
        assert caught.value.restart
        assert [headers["If-Match"] for headers in requests] == ['"0x1"']
        assert not list(tmp_path.iterdir())


def test_places_are_opened_by_what_they_look_like(tmp_path):
    for location in (str(tmp_path), tmp_path.as_uri()):
        opened = open_store(AzureSettings(), location)
        assert isinstance(opened, LocalStore)
        assert opened.folder == tmp_path


@pytest.mark.parametrize(
    ("location", "prefix"),
    [
        ("abfss://exports@costs.dfs.core.windows.net/a?b#c/ d/", "a?b#c/ d/"),
        ("ABFSS://exports@costs.dfs.core.windows.net", ""),
        ("https://costs.blob.core.windows.net/exports/a%20b/", "a b/"),
        ("https://costs.dfs.core.windows.net/exports", ""),
    ],
)
def test_places_in_blob_storage(location, prefix):
    opened = open_store(AzureSettings(), location)
    assert isinstance(opened, BlobStore)
    assert (opened.account, opened.container, opened.prefix) == ("costs", "exports", prefix)
    assert opened.uri("x") == f"abfss://exports@costs/{prefix}x"


@pytest.mark.parametrize(
    "location",
    ["abfss://exports", "abfss://@host/x", "https://costs.blob.core.windows.net", "s3://bucket", "file://host/x",
     "https://costs.blob.core.chinacloudapi.cn/exports", "https://example.com/exports"],
)  # fmt: skip
def test_places_that_cannot_be_read_are_refused(location):
    with pytest.raises(ConfigError, match=r"location|place|account") as caught:
        open_store(AzureSettings(), location)
    assert "abfss://container@account" in caught.value.hint
