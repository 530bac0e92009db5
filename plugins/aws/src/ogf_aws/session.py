"""boto3 clients: which credentials they use, and what they leave to the runner.

A client is thread-safe and dear to make, so equal settings share one per service. boto3 is imported when
the first one is made, never before.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

from ogf_aws.errors import located

if TYPE_CHECKING:
    import boto3
    from botocore.config import Config
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

    from ogf.config import Secret
    from ogf_aws.settings import AwsSettings

ROLE_SESSION_NAME = "ogf"
_POOL = 32
_WHERE = "AWS credentials"
# Services that answer for all regions in one place.
_ONE_REGION = dict.fromkeys(("sustainability", "ce", "cur", "bcm-data-exports"), "us-east-1")
# Services that variables call otherwise than clients.
_VARIABLES = {"ce": "cost_explorer", "cur": "cost_and_usage_report_service"}

# botocore builds sessions and clients from shared state without a lock of its own.
_building = threading.Lock()


@overload
def client(settings: AwsSettings, service: Literal["s3"]) -> S3Client: ...
@overload
def client(settings: AwsSettings, service: Literal["sts"]) -> STSClient: ...
@overload
def client(settings: AwsSettings, service: str) -> Any: ...
def client(settings: AwsSettings, service: str) -> Any:
    """Give the client of a service. It makes one attempt per call: the runner owns retries."""
    with _building, located(_WHERE):
        return _client(_access(settings), service)


def credentials_source(settings: AwsSettings) -> str | None:
    """Say where the credentials come from, never what they are; None when there are none.

    May ask the instance metadata service, so it counts as a remote call.
    """
    with _building, located(_WHERE):
        credentials = _session(_access(settings)).get_credentials()
    return None if credentials is None else _SOURCES.get(credentials.method, credentials.method)


def reset() -> None:
    """Forget all clients, so that the next ones see a changed environment."""
    with _building:
        _client.cache_clear()
        _session.cache_clear()


_SOURCES = {
    "explicit": "access_key_id and secret_access_key of the configuration",
    "assume-role": "role_arn",
    "env": "environment variables",
    "shared-credentials-file": "the shared credentials file",
    "config-file": "the AWS configuration file",
    "iam-role": "the instance role",
    "container-role": "the container role",
    "assume-role-with-web-identity": "a web identity",
}


class _Access(NamedTuple):
    """The settings that make one client differ from another."""

    access_key_id: str | None
    secret_access_key: str | None
    session_token: str | None
    profile: str | None
    region: str
    role_arn: str | None
    external_id: str | None
    endpoint_url: str | None
    timeout: float

    def __repr__(self) -> str:
        return f"<AWS access, {self.region}>"


def _access(settings: AwsSettings) -> _Access:
    return _Access(
        access_key_id=settings.access_key_id,
        secret_access_key=_shown(settings.secret_access_key),
        session_token=_shown(settings.session_token),
        profile=settings.profile,
        region=settings.region,
        role_arn=settings.role_arn,
        external_id=settings.external_id,
        endpoint_url=settings.endpoint_url,
        timeout=settings.request_timeout,
    )


def _shown(secret: Secret | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


@cache
def _client(access: _Access, service: str) -> Any:
    session: Any = _session(access)  # the stubs know services one by one
    # `endpoint_url` is an S3 server's, as a rule: an address of the service's own wins over it.
    own = os.environ.get(f"AWS_ENDPOINT_URL_{_VARIABLES.get(service, service).upper().replace('-', '_')}")
    return session.client(
        service,
        endpoint_url=None if own else access.endpoint_url,
        region_name=_ONE_REGION.get(service) if _is_commercial(access.region) else None,
        config=_config(access),
    )


def _is_commercial(region: str) -> bool:
    return not region.startswith(("cn-", "us-gov-", "eusc-", "us-iso"))


@cache
def _session(access: _Access) -> boto3.Session:
    import boto3

    session = boto3.Session(
        aws_access_key_id=access.access_key_id,
        aws_secret_access_key=access.secret_access_key,
        aws_session_token=access.session_token,
        profile_name=access.profile,
        region_name=access.region,
    )
    return _in_role(session, access, role=access.role_arn) if access.role_arn else session


def _in_role(source: boto3.Session, access: _Access, *, role: str) -> boto3.Session:
    """Assume the role when first needed, and again before each expiry: a download may outlive one hour."""
    import boto3
    import botocore.session
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
    from botocore.exceptions import NoCredentialsError

    found = source.get_credentials()
    if found is None:
        raise NoCredentialsError

    def sts(service: str, **credentials: Any) -> Any:
        maker: Any = source
        return maker.client(service, endpoint_url=access.endpoint_url, config=_config(access), **credentials)

    arguments = {"RoleSessionName": ROLE_SESSION_NAME}
    if access.external_id:
        arguments["ExternalId"] = access.external_id
    fetcher = AssumeRoleCredentialFetcher(sts, found, role, extra_args=arguments)
    inner: Any = botocore.session.get_session()
    # botocore has no public way to hand a session refreshable credentials.
    inner._credentials = DeferredRefreshableCredentials(  # noqa: SLF001
        refresh_using=fetcher.fetch_credentials, method="assume-role"
    )
    return boto3.Session(botocore_session=inner, region_name=access.region)


def _config(access: _Access) -> Config:
    from botocore.config import Config

    return Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=access.timeout,
        read_timeout=access.timeout,
        max_pool_connections=_POOL,
        user_agent_extra=f"ogf/{version('ogf')}",
        # S3-compatible servers rarely have a DNS name per bucket.
        s3={"addressing_style": "path" if access.endpoint_url else "auto"},
    )
