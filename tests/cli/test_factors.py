"""`ogf factors`: before there is a warehouse, with one, and with a file that has mistakes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cli.conftest import Place

HEAD = "provider,region,year,gco2e_per_kwh,basis,source,licence\n"


def test_factors_without_a_warehouse(empty: Place) -> None:
    sets = json.loads(empty("factors", "list", "--json").stdout)
    assert {item["factor_set"]: item["chosen"] for item in sets["factor_sets"]}["electricity-maps"] is True
    assert "341" in empty("factors", "show", "em:2024:DE").stdout
    assert "em:2025:DE" in empty("factors", "show", "aws/eu-central-1").stdout
    assert "usseceast" in empty("factors", "check").stdout
    assert "provider/region" not in empty("factors", "show", "em:1999:XX", code=2).stdout
    assert not empty.db.exists()


def test_a_choice_is_kept_and_taken_back(empty: Place) -> None:
    (empty.folder / "our factors.csv").write_text(HEAD + "aws,EU-Central-1,2024,0,hydro,us,own\n")
    empty("factors", "use", "--file", "our factors.csv", "--utilisation", "0.3")
    shown = json.loads(empty("factors", "show", "aws/eu-central-1", "--json").stdout)
    assert {row["year"]: row["factor_id"] for row in shown}[
        2024
    ] == "custom:our-factors:2024:aws/eu-central-1"
    assert json.loads(empty("factors", "list", "--json").stdout)["utilisation"] == 0.3
    empty("factors", "use", "--defaults")
    assert "custom" not in empty("factors", "show", "aws/eu-central-1").stdout


def test_every_mistake_of_a_factor_file_is_told_and_nothing_changes(empty: Place) -> None:
    empty("factors", "use", "ember")
    (empty.folder / "bad.csv").write_text(
        HEAD + "aws,eu-west-1,24,5,b,s,l\naws,eu-west-1,2024,-1,b,s,l\naws,eu-west-1,2024,,b,s,l\n"
        "aws,eu-west-2,2024,31,b,s,l\naws,EU-West-2,2024,32,b,s,l\naws,eu-west-3,2024,0.051,b,s,l\n"
    )
    answer = empty("factors", "use", "electricity-maps", "--file", "bad.csv", code=2).stderr
    for line in (
        "line 2: year is '24'",
        "line 3: gco2e_per_kwh is '-1'",
        "line 4: gco2e_per_kwh is empty",
        "line 6: aws EU-West-2 2024 is there twice",
        "line 7: gco2e_per_kwh is '0.051', which looks like kilograms",
        "grams of CO2e per kWh: 51?",
    ):
        assert line in answer
    (empty.folder / "nowhere.csv").write_text(HEAD + "aws,eu-wst-1,2024,5,b,s,l\n")
    assert "eu-wst-1" in empty("factors", "use", "electricity-maps", "--file", "nowhere.csv", code=2).stderr
    (empty.folder / "other.csv").write_text("a,b\n1,2\n")
    assert "lacks the columns" in empty("factors", "use", "--file", "other.csv", code=2).stderr
    (empty.folder / "good.csv").write_text(HEAD + "aws,eu-west-1,2024,5,b,s,l\n")
    for words in (
        ("nonsense",),
        ("custom",),
        ("--method", "nonsense"),
        ("--global", "aws=nowhere"),
        ("--file", "absent.csv"),
        ("--file", "good.csv", "--no-file"),
    ):
        empty("factors", "use", *words, code=2)
    sets = json.loads(empty("factors", "list", "--json").stdout)["factor_sets"]
    assert [item["factor_set"] for item in sets if item["chosen"]] == ["ember"]


def test_a_place_of_your_own_is_one_however_it_is_spelled(empty: Place) -> None:
    (empty.folder / "racks.csv").write_text(
        HEAD + "Racks,Cellar 1,2024,12,b,s,l\nracks,cellar1,2025,11,b,s,l\n"
    )
    empty("factors", "use", "--file", "racks.csv")
    shown = json.loads(empty("factors", "show", "racks/CELLAR 1", "--json").stdout)
    assert {row["year"]: row["gco2e_per_kwh"] for row in shown if row["year"] in (2024, 2025)} == {
        2024: 12,
        2025: 11,
    }
    assert len(shown) == len({row["year"] for row in shown})


def test_usage_without_a_region_counts_where_the_user_says(empty: Place) -> None:
    empty("factors", "use", "--global", "aws=eu-central-1")
    assert "em:2024:DE" in empty("factors", "show", "aws/global").stdout
