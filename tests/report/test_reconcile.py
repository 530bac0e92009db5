"""Gaps between estimated and reported, and what explains them."""

from __future__ import annotations

import pytest
from report.samples import machine, reported, used

from ogf.report import reconcile

JAN, FEB = "2026-01", "2026-02"


def explained(row) -> str:
    return " | ".join(row["explained"])


def test_the_largest_gap_comes_first_whichever_way_it_goes(warehouse, tables):
    warehouse.load(
        carbon=[
            reported(JAN, 2, 500.0, service="AmazonRDS"),
            reported(JAN, 2, 0.001, service="AmazonEC2"),
            reported(JAN, 2, 40.0, service="AmazonS3"),
        ],
        bill=[used(JAN, service=name, **machine()) for name in ("AmazonRDS", "AmazonEC2", "AmazonS3")],
    )  # fmt: skip
    rows = reconcile.gaps(tables()).rows
    assert [row["service"] for row in rows] == ["Other", "S3", "EC2"]
    assert [row["gap_kgco2e"] for row in rows] == sorted(
        (row["gap_kgco2e"] for row in rows), key=abs, reverse=True
    )
    assert rows[0]["gap_kgco2e"] == pytest.approx(rows[0]["estimated_operational_kgco2e"] - 500.0)
    assert rows[0]["ratio_scope2"] == pytest.approx(rows[0]["estimated_operational_kgco2e"] / 500.0)
    assert "lower than method ogf-2026.1 explains" in explained(rows[0])
    assert "higher than method ogf-2026.1 explains" in explained(rows[2])
    for row in rows:
        assert "grid factors (electricity-maps) are lifecycle, consumption; scope 2 is direct" in explained(
            row
        )
        assert "grid factor em:" in explained(row)


def test_coverage_explains_a_gap_with_its_reasons(warehouse, tables):
    warehouse.load(
        carbon=[reported(JAN, 2, 10.0)],
        bill=[used(JAN, cost="25", **machine()), used(JAN, cost="75", usage_type="Requests")],
    )
    (row,) = reconcile.gaps(tables(), ["month", "account"]).rows
    assert "50 % of usage rows and 25 % of cost are estimated (1 without a quantity)" in explained(row)


def test_what_is_billed_under_another_name_is_said(warehouse, tables):
    warehouse.load(
        carbon=[reported(JAN, 2, 10.0, service="S3")],
        bill=[used(JAN, service="AmazonEC2", **machine())],
    )
    found = {row["service"]: explained(row) for row in reconcile.gaps(tables()).rows}
    assert "reported, but nothing is billed under this name" in found["S3"]
    assert "estimated, but nothing is reported under this name" in found["EC2"]
    (row,) = reconcile.gaps(tables(), ["category"]).rows
    assert row["ratio_scope2"] > 0
    assert "under this name" not in explained(row)


def test_a_reported_total_within_the_bounds_is_said(warehouse, tables):
    bill = [used(JAN, **machine())]
    warehouse.load(carbon=[reported(JAN, 2, 1.0)], bill=bill)
    (row,) = reconcile.gaps(tables()).rows
    middle = row["estimated_total_kgco2e"]
    operational = row["estimated_operational_kgco2e"]
    warehouse.load(
        carbon=[reported(JAN, 2, operational / 1.2), reported(JAN, 3, middle - operational / 1.2)], bill=bill
    )
    (row,) = reconcile.gaps(tables()).rows
    assert "the reported total lies between low and high bound" in explained(row)
    assert "within what published factor tables differ by" in explained(row)
    assert row["ratio_scope2"] == pytest.approx(1.2)
    assert row["ratio_total"] == pytest.approx(1.0)


def test_no_reason_contradicts_another(warehouse, tables):
    """The total is where the bounds say, scope 2 alone is far off: both cannot be the method's fault."""
    bill = [used(JAN, **machine())]
    warehouse.load(carbon=[reported(JAN, 2, 1.0)], bill=bill)
    (row,) = reconcile.gaps(tables(), ["provider"]).rows
    operational, total = row["estimated_operational_kgco2e"], row["estimated_total_kgco2e"]
    for share in (0.2, 5.0):
        scope2 = operational * share
        carbon = [reported(JAN, 2, scope2), reported(JAN, 3, total - scope2)]
        warehouse.load(carbon=carbon, bill=bill)
        (row,) = reconcile.gaps(tables(), ["provider"]).rows
        assert "the reported total lies between low and high bound" in explained(row)
        assert "scope 2 alone differs by more" in explained(row)
        assert "than method" not in explained(row)


def test_scope_2_is_compared_with_the_accounts_that_have_it(warehouse, tables):
    """One account is reported by scope and one as a total alone."""
    bill = [used(JAN, account=account, **machine()) for account in ("1", "2")]
    warehouse.load(
        carbon=[reported(JAN, 2, 10.0, account="1"), reported(JAN, None, 30.0, account="2")], bill=bill
    )
    one, two = sorted(reconcile.gaps(tables(), ["account"]).rows, key=lambda row: row["account_id"])
    (both,) = reconcile.gaps(tables(), ["provider"]).rows
    assert both["ratio_scope2"] == pytest.approx(one["ratio_scope2"])
    assert both["reported_total_kgco2e"] == 40.0
    assert both["estimated_total_kgco2e"] == pytest.approx(
        one["estimated_total_kgco2e"] + two["estimated_total_kgco2e"]
    )


def test_one_figure_alone_is_no_gap_but_counted(warehouse, tables):
    warehouse.load(
        carbon=[reported(JAN, 2, 5.0), reported(FEB, 2, 5.0)],
        bill=[used(JAN, **machine()), used(JAN, account="2", **machine())],
    )
    found = tables()
    (row,) = reconcile.gaps(found, ["month"]).rows
    assert row["reported_scope2_kgco2e"] == 5.0
    assert reconcile.left_out(found) == [{"provider": "aws", "only_estimated": 1, "only_reported": 1}]


def test_market_based_figures_are_not_compared(warehouse, tables):
    warehouse.load(
        "azure",
        carbon=[
            reported(JAN, 2, 5.0, "market", region="westeurope"),
            reported(JAN, 1, 1.0, region="westeurope"),
        ],
        bill=[used(JAN, region="westeurope", **machine())],
    )
    found = tables()
    assert reconcile.gaps(found).rows == []
    assert reconcile.left_out(found) == [{"provider": "azure", "only_estimated": 1, "only_reported": 0}]


def test_a_total_without_scopes_is_compared_with_all_that_is_estimated(warehouse, tables):
    warehouse.load(carbon=[reported(JAN, None, 20.0)], bill=[used(JAN, **machine())])
    (row,) = reconcile.gaps(tables()).rows
    assert row["compared"] == "total"
    assert row["gap_kgco2e"] == pytest.approx(row["estimated_total_kgco2e"] - 20.0)
    assert row["ratio_scope2"] is None
    assert "scope 2 is direct" not in explained(row)


def test_explanations_name_the_gaps_they_are_for(warehouse, tables):
    warehouse.load(
        carbon=[reported(month, 2, 500.0) for month in ("2025-10", "2025-11", "2025-12", JAN)],
        bill=[used(month, **machine()) for month in ("2025-10", "2025-11", "2025-12", JAN)],
    )
    found = reconcile.gaps(tables())
    lines = reconcile.explanations(found, 3)
    assert any(line.startswith("1–3: lower than method") for line in lines)
    shown = reconcile.people(found, 3)
    assert [row[0] for row in shown.rows] == ["1", "2", "3"]
    assert "provider" not in shown.columns, "there is only one"
