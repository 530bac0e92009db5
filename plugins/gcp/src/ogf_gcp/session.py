"""Clients of Google's libraries: which credentials they use, and what they leave to the runner.

A client is thread-safe and dear to make, so equal settings share one. Google's libraries are imported when the
first one is made, never before. Callers pass `retry=None` and a `timeout` to every call; what cannot be told so
per call (access tokens, connections) is set here.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from ogf.errors import ErrorClass, SourceError
from ogf_gcp.errors import located
from ogf_gcp.settings import project_of, read_key

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.auth.transport.requests import AuthorizedSession
    from google.cloud.bigquery import Client as BigQueryClient

    from ogf_gcp.settings import GcpSettings

SCOPES = (
    "https://www.googleapis.com/auth/bigquery",
    "https://www.googleapis.com/auth/devstorage.read_only",
)
_POOL = 32
_WHERE = "Google credentials"
_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105
_LIFETIME = 3600
# Where Google's own clients say so, their emulators are used instead of Google.
_EMULATORS = ("BIGQUERY_EMULATOR_HOST", "STORAGE_EMULATOR_HOST")

_building = threading.Lock()


def bigquery_client(settings: GcpSettings) -> BigQueryClient:
    """Give the client that runs queries, of Google or of `endpoint_url`."""
    with _building, located(_WHERE):
        client: BigQueryClient = _bigquery(_access(settings, _EMULATORS[0]))
        return client


def storage_client(settings: GcpSettings) -> Any:
    """Give the client of Cloud Storage; its library carries no types."""
    with _building, located(_WHERE):
        return _storage(_access(settings, _EMULATORS[1]))


def credentials(settings: GcpSettings) -> Credentials:
    """Give the credentials of the BigQuery client, for clients made elsewhere. They refresh themselves."""
    with _building, located(_WHERE):
        found: Credentials = _credentials(_access(settings, _EMULATORS[0]))
        return found


def credentials_source(settings: GcpSettings) -> str:
    """Say where the credentials come from, never what they are.

    May ask the metadata service of a machine at Google, so it counts as a remote call.

    Raises:
        SourceError: there are none, or they cannot be read.
    """
    access = _access(settings, _EMULATORS[0])
    with _building, located(_WHERE):
        source = _source(access)
    return f"{source}, acting as {access.impersonate}" if access.impersonate else source


def identity(settings: GcpSettings) -> str | None:
    """Give the e-mail address of the service account that calls; None where credentials do not say."""
    if settings.impersonate:
        return settings.impersonate
    found = getattr(credentials(settings), "service_account_email", None)
    return found if isinstance(found, str) and "@" in found else None


def reset() -> None:
    """Forget all clients and credentials, so that the next ones see a changed environment."""
    with _building:
        for remembered in (_bigquery, _storage, _credentials, _found):
            remembered.cache_clear()


class _Access(NamedTuple):
    """The settings that make one client differ from another."""

    key: str | None
    impersonate: str | None
    project: str | None
    endpoint_url: str | None
    anonymous: bool
    at_google: bool
    timeout: float

    def __repr__(self) -> str:
        return f"<Google access, {self.project}>"


def _access(settings: GcpSettings, emulator: str) -> _Access:
    # Cloud Storage is not behind `endpoint_url`: that is BigQuery's.
    endpoint = settings.endpoint_url if emulator == _EMULATORS[0] else None
    server = endpoint or os.environ.get(emulator) or "https://"
    key = settings.service_account_key
    return _Access(
        key=None if key is None else key.get_secret_value(),
        impersonate=settings.impersonate,
        project=project_of(settings),
        endpoint_url=endpoint,
        # No default credentials for a server that is not Google: a token would travel in clear text.
        anonymous=key is None and not settings.impersonate and urlsplit(server).scheme != "https",
        at_google=urlsplit(server).scheme == "https",
        timeout=settings.request_timeout,
    )


@cache
def _bigquery(access: _Access) -> Any:
    from google.cloud import bigquery

    options = {"api_endpoint": access.endpoint_url} if access.endpoint_url else None
    return bigquery.Client(
        project=access.project or "-",  # without one the client would ask the machine's configuration
        credentials=_credentials(access),
        _http=_transport(access),
        client_options=options,
        client_info=_client_info(),
    )


@cache
def _storage(access: _Access) -> Any:
    from google.cloud import storage  # type: ignore[attr-defined]

    made: Any = storage.Client
    client = made(
        project=access.project or "-",
        credentials=_credentials(access),
        _http=_transport(access),
        client_info=_client_info(),
    )
    # It would ask for every bucket's metadata in the background, with retries and a permission that reading
    # needs not, only to write it into traces.
    client._bucket_metadata_cache = None  # noqa: SLF001
    return client


def _client_info() -> Any:
    from google.api_core.client_info import ClientInfo

    made: Any = ClientInfo
    return made(user_agent=f"ogf/{version('ogf')}")


@cache
def _credentials(access: _Access) -> Any:
    if access.anonymous:
        from google.auth.credentials import AnonymousCredentials

        made: Any = AnonymousCredentials
        return made()
    found = _from_key(access.key) if access.key is not None else _found(access.timeout)
    if access.impersonate is None:
        return found
    from google.auth import impersonated_credentials

    acting: Any = impersonated_credentials.Credentials
    return acting(found, target_principal=access.impersonate, target_scopes=SCOPES, lifetime=_LIFETIME)


def _from_key(text: str) -> Any:
    from google.oauth2 import service_account

    made: Any = service_account.Credentials
    try:
        key = {"token_uri": _TOKEN_URI, **read_key(text)}
    except ValueError as error:
        raise _useless(str(error)) from None
    try:
        return made.from_service_account_info(key, scopes=SCOPES)
    except Exception:  # noqa: BLE001 - of many libraries, and what they say may quote the key
        raise _useless("its private_key cannot be read") from None


def _useless(why: str) -> SourceError:
    return SourceError(
        f"the service account's key is of no use: {why}",
        error_class=ErrorClass.BAD_REQUEST,
        where="ingestion.gcp.service_account_key",
        hint="download the key again and give all of it, best as file:PATH",
    )


@cache
def _found(timeout: float) -> Any:
    """Look for Application Default Credentials."""
    import google.auth

    look: Any = google.auth.default
    found, _ = look(scopes=SCOPES, request=_token_request(timeout=timeout, at_google=True))
    return found


def _source(access: _Access) -> str:
    found = _credentials(access)
    if access.anonymous:
        return "nowhere: the server is not Google, and no key is set"
    if access.key is not None:
        return "service_account_key of the configuration"
    found = _found(access.timeout)
    if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
        return "the file that GOOGLE_APPLICATION_CREDENTIALS names"
    if type(found).__module__.startswith("google.auth.compute_engine"):
        return "the metadata server"
    return "the sign-in of gcloud"


def _transport(access: _Access) -> AuthorizedSession:
    """Connections of one client. Their own retries are off, those of google-auth for access tokens too."""
    from google.auth.transport.requests import AuthorizedSession
    from requests.adapters import HTTPAdapter

    made: Any = AuthorizedSession
    transport: AuthorizedSession = made(
        _credentials(access),
        max_refresh_attempts=1,  # a token may be withdrawn before its time; a second refusal is one
        auth_request=_token_request(timeout=access.timeout, at_google=access.at_google),
    )
    for scheme in ("https://", "http://"):
        transport.mount(scheme, HTTPAdapter(pool_maxsize=_POOL))
    if access.at_google:
        configure: Any = transport.configure_mtls_channel
        configure()  # does nothing without a client certificate
    return transport


def _token_request(*, timeout: float, at_google: bool) -> Any:
    """Make what credentials ask for access tokens with."""
    from google.auth import exceptions
    from google.auth.transport import DEFAULT_RETRYABLE_STATUS_CODES
    from google.auth.transport.requests import Request

    ask: Any = Request()
    errors: Any = exceptions
    limit = timeout

    def once(url: str, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        # google-auth asks Google in the background where an account may be used from: not of another server.
        if not at_google and urlsplit(url).path.endswith("/allowedLocations"):
            raise errors.TransportError("not asked: the server is not Google")
        answer = ask(url, *args, timeout=min(timeout or limit, limit), **kwargs)
        if answer.status in DEFAULT_RETRYABLE_STATUS_CODES:
            # Raised here, before google-auth sleeps and asks again: the runner does that.
            raise errors.RefreshError(f"{urlsplit(url).netloc} answered {answer.status}", retryable=True)
        return answer

    return once
