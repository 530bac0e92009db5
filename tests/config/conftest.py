"""A small provider, and a loader that reads a YAML text and an environment and nothing else."""

from __future__ import annotations

import textwrap
from typing import Self

import pytest
from pydantic import Field, model_validator

from ogf.config import (
    Duration,
    Flag,
    OptionalText,
    ProviderSettings,
    Secret,
    Section,
    Text,
    Texts,
    load,
    wrong,
)


class CurSettings(Section):
    location: OptionalText = None
    accounts: Texts = ()


class Place(Section):
    role_arn: OptionalText = None
    bucket: Text = Field(json_schema_extra={"aliases": ["s3_bucket"]})
    client_secret: Secret | None = None


class CloudSettings(ProviderSettings):
    rate_limit_per_sec: float = 3.0
    client_id: Text | None = None
    client_secret: Secret | None = None
    bucket: Text | None = Field(
        default=None, json_schema_extra={"env": "CLOUD_S3_BUCKET", "aliases": ["s3_bucket"]}
    )
    subscription_ids: Texts = ()
    account_id: Text | None = None
    role_arn: OptionalText = None
    verbose: Flag = False
    pause: Duration = 1.0
    cur: CurSettings = CurSettings()
    places: tuple[Place, ...] = ()

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if self.client_secret and not self.client_id:
            raise wrong({"client_id": "it is needed with a client secret"})
        return self

    def missing(self, stream: str) -> list[str]:
        return [] if self.bucket else [self.name_of("bucket", provider="cloud")]


@pytest.fixture
def cloud():
    return CloudSettings


@pytest.fixture
def configure(tmp_path, monkeypatch):
    """Load from a YAML text written to `ogf.yaml` in the working directory."""
    monkeypatch.chdir(tmp_path)

    def configure(yaml=None, *, environ=None, overrides=None, providers=None, installed=("cloud", "aws")):
        if yaml is not None:
            (tmp_path / "ogf.yaml").write_text(textwrap.dedent(yaml), encoding="utf-8")
            (tmp_path / "ogf.yaml").chmod(0o600)
        return load(
            environ=environ or {},
            overrides=overrides or {},
            providers={"cloud": CloudSettings} if providers is None else providers,
            installed=installed,
        )

    return configure
