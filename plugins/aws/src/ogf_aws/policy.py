"""What a caller may not do, as an IAM policy that lets it. Which operation takes what: data/permissions.csv."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ogf.errors import SourceError
from ogf_aws.errors import located, permissions, refused_operation
from ogf_aws.session import client

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ogf_aws.settings import AwsSettings

_OBJECT = "s3:GetObject"
_BUCKET = ("s3:ListBucket", "s3:GetBucketLocation")


def missing_for(settings: AwsSettings, error: BaseException) -> tuple[tuple[str, str], ...]:
    """Name the permissions, each with its resource, that an error says are missing; none if it says something else.

    Who may not list a bucket may or may not read it: that could not be tried, and is named too.
    """
    action = permissions().get(refused_operation(error), "")
    if not action:
        return ()
    if not action.startswith("s3:"):
        role = settings.role_arn if action == "sts:AssumeRole" else None
        return ((action, role or "*"),)
    bucket, _, key = str(getattr(error, "where", "")).removeprefix("s3://").partition("/")
    objects, whole = (_arn(settings, f"{bucket}/*"), _arn(settings, bucket)) if bucket else ("*", "*")
    if action in _BUCKET:
        return ((action, whole), (_OBJECT, objects))
    encryption = _key_of(settings, bucket, key)
    return (("kms:Decrypt", encryption),) if encryption else ((action, objects),)


def document(missing: Iterable[tuple[str, str]]) -> str:
    """Write the policy: one statement for each resource."""
    actions: dict[str, list[str]] = {}
    for action, resource in missing:
        actions.setdefault(resource, []).append(action)
    statements = [
        {"Effect": "Allow", "Action": sorted(set(found)), "Resource": resource}
        for resource, found in sorted(actions.items())
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)


def _key_of(settings: AwsSettings, bucket: str, key: str) -> str:
    """The KMS key of an object that cannot be read though its head can: that takes s3:GetObject, but not the key."""
    if not bucket or not key:
        return ""
    try:
        with located(f"s3://{bucket}/{key}"):
            return str(client(settings, "s3").head_object(Bucket=bucket, Key=key).get("SSEKMSKeyId", ""))
    except SourceError:
        return ""


def _arn(settings: AwsSettings, name: str) -> str:
    for prefix, partition in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov")):
        if settings.region.startswith(prefix):
            return f"arn:{partition}:s3:::{name}"
    return f"arn:aws:s3:::{name}"
