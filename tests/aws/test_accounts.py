"""Several payers and member accounts in one configuration, each through a role of its own."""

from __future__ import annotations

import pytest
from aws.cost_explorer_runs import Costs
from aws.cur_files import csv_file, gz, lines, plugin, put_legacy
from aws.service_fake import ServiceFake

from ogf import config
from ogf.runner.run import Options, ProviderRun
from ogf.testing.clock import FakeClock
from ogf.window import Month, Window

YAML = """
warehouse: {{path: {db}}}
runner: {{workers: 1}}
ingestion:
  aws:
    endpoint_url: {endpoint}
    access_key_id: AKIAEXAMPLE
    secret_access_key: env:READER_SECRET
    cost_explorer: {{enabled: yes, max_cost_usd: 0.02}}
    accounts:
      - name: group
        role_arn: arn:aws:iam::000000000007:role/reader
        bucket: {bucket}
        prefix: group
      - name: member
        role_arn: arn:aws:iam::000000000008:role/reader
        external_id: shared
        cur: {{location: "s3://{bucket}/member"}}
        cost_explorer: {{group_by: OPERATION}}
"""


@pytest.fixture
def service(monkeypatch):
    with ServiceFake("ce", {"GetCostAndUsage": Costs().answer}) as fake:
        monkeypatch.setenv(*fake.environment)
        yield fake
    assert fake.mistakes == []


@pytest.fixture
def provider_run(tmp_path, bucket, service):
    for number, prefix in ((7, "group/"), (8, "member/")):
        body = gz(csv_file(lines(number, bill_payer_account_id=f"00000000000{number}")))
        put_legacy(bucket.put, [body], prefix=prefix, account=f"00000000000{number}", month="2026-01")
    path = tmp_path / "ogf.yaml"
    path.write_text(
        YAML.format(db=tmp_path / "ogf.duckdb", endpoint=bucket.aws.endpoint_url, bucket=bucket.name)
    )

    def make():
        loaded = config.load(
            path=path,
            environ={"READER_SECRET": "planted-secret"},
            providers={"aws": plugin().provider.settings},
            installed=["aws"],
        )
        return ProviderRun(plugin(), loaded, clock=FakeClock())

    return make


def test_each_is_read_through_its_own_role_into_one_table(provider_run, service, bucket):
    bucket.aws.faults.calls.clear()
    window = Window(Month(2026, 1), Month(2026, 2))
    result = provider_run().run(Options(window=window))
    assert result.status == "succeeded"
    assert {(item.account, item.stream, item.key, item.rows) for item in result.partitions} == {
        ("group", "cur", "billing/000000000007/hourly/2026-01", 7),
        ("member", "cur", "billing/000000000008/hourly/2026-01", 8),
        ("group", "cost_explorer", "000000000007/2026-01", 1),
        ("member", "cost_explorer", "000000000008/2026-01", 1),
    }
    assert bucket.aws.faults.calls.count("POST / AssumeRole") == 2
    assert {call["GroupBy"][1]["Key"] for _, call in service.calls} == {"SERVICE", "OPERATION"}
    again = provider_run().run(Options(window=window))
    assert again.count("unchanged") == 4
    assert len(service.calls) == 2


def test_each_has_a_purse_of_its_own(provider_run):
    window = Window(Month(2026, 1), Month(2026, 4))
    result = provider_run().run(Options(streams=("cost_explorer",), window=window))
    assert result.status == "partial"
    loaded = [item.account for item in result.partitions if item.outcome == "loaded"]
    assert sorted(loaded) == ["group", "group", "member", "member"]
    assert [note for note in result.notices if "$" in note] == [
        "cost_explorer of group: 2 requests, $0.02",
        "cost_explorer of member: 2 requests, $0.02",
    ]
