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


SPEND = "provider,currency,year,low_kgco2e_per_currency,kgco2e_per_currency,high_kgco2e_per_currency,source,licence"


def test_the_method_spend_is_off_and_refused_without_factors_of_your_own(empty: Place) -> None:
    (empty.folder / "kwh.csv").write_text(HEAD + "aws,eu-west-1,2024,5,b,s,l\n")
    (empty.folder / "spend.csv").write_text(f"{SPEND}\naws,usd,2024,0.1,0.15,0.4,us,own\n")

    def chosen() -> list[str]:
        known = json.loads(empty("factors", "list", "--json").stdout)["methods"]
        return [item["method"] for item in known if item["chosen"]]

    assert chosen() == ["ogf-2026.1"]
    refused = empty("factors", "use", "--method", "spend", code=2).stderr
    assert "the method spend has no factors" in refused
    assert f"{SPEND}\n  aws,USD,2024,0.02,0.1,0.3," in refused
    assert "lacks the columns currency, low_kgco2e" in empty(
        "factors", "use", "--method", "spend", "--file", "kwh.csv", code=2
    ).stderr  # fmt: skip
    assert "--method spend uses them" in empty("factors", "use", "--file", "spend.csv").stderr
    assert chosen() == ["ogf-2026.1"]
    empty("factors", "use", "--no-file")
    empty("factors", "use", "--method", "spend", code=2)
    answer = empty("factors", "use", "--method", "spend", "--file", "spend.csv").stderr
    assert "1 factor of" in answer
    assert "reads no factor set" in answer
    assert "not read by the method spend" in empty("factors", "use", "--file", "kwh.csv").stderr
    assert "0.15" in empty("factors", "show", "spend:spend:2024:aws/USD").stdout
    for words in (("--no-file",), ("--defaults", "--method", "spend")):
        assert "has no factors" in empty("factors", "use", *words, code=2).stderr
    assert chosen() == ["spend"]
    empty("factors", "use", "--defaults")
    assert chosen() == ["ogf-2026.1"]


def test_every_mistake_of_a_file_of_factors_by_spend_is_told(empty: Place) -> None:
    (empty.folder / "bad.csv").write_text(
        f"{SPEND}\naws,dollar,24,0,-1,1,us,own\naws,USD,2024,0,,1,us,own\naws,USD,2024,0.2,0.1,0.3,us,own\n"
        "aws,USD,2024,0.1,0.2,0.3,us,\naws,EUR,2024,0.1,0.2,0.3,us,own\nAWS,eur,2024,0.1,0.2,0.3,us,own\n"
    )
    mistakes = empty("factors", "use", "--method", "spend", "--file", "bad.csv", code=2).stderr
    for text in (
        "line 2: year is '24'",
        "line 2: currency is 'dollar'",
        "line 2: kgco2e_per_currency is '-1'",
        "line 3: kgco2e_per_currency is empty",
        "line 4: kgco2e_per_currency is 0.1, not between its bounds 0.2 and 0.3",
        "line 5: licence is empty",
        "line 7: AWS eur 2024 is there twice",
    ):
        assert text in mistakes
