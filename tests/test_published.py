"""The typed-in figures: their own arithmetic, their description, and that they are what was handed over."""

import re
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from safeguarding_analytics.plan_indicators import stock_and_flow

PUBLISHED = Path(__file__).parents[1] / "data" / "published"
SHARED = Path(__file__).parents[2] / "shared"
FILES = sorted(PUBLISHED.glob("*.csv"))


def read(name):
    return pl.read_csv(PUBLISHED / f"{name}.csv", infer_schema=False)


def amounts(rows):
    return rows["amount_gbp"].cast(pl.Int64).sum()


def described_columns():
    """File → (rows, columns) as the table in README.md describes them."""
    described = {}
    for line in (PUBLISHED / "README.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) < 4:
            continue
        file = re.fullmatch(r"`(\w+\.csv)` \((\d+)\)", cells[1])
        if file:
            columns = []
            described[file[1]] = (int(file[2]), columns)
        if described and (file or not cells[1]):
            names = re.findall(r"`(\w+)`", cells[2])
            if "…" in cells[2]:
                stem, first, last = names[0][:-1], int(names[0][-1]), int(names[-1][-1])
                names = [f"{stem}{number}" for number in range(first, last + 1)]
            columns.extend(names)
    return described


def register(measure, period):
    rows = read("kent_child_protection_register").filter(
        (pl.col("area") == "Kent")
        & (pl.col("measure") == measure)
        & ((pl.col("period") == period) | (pl.col("as_at") == period))
    )
    return int(rows["count"].item())


def test_kent_register_does_not_add_up_by_eleven_children():
    # 864 + 920 - 813 = 971; the report prints 960
    flows = register("new_registrations", "2007/08"), register("de_registrations", "2007/08")
    stocks = register("children_on_register", "2007-03-31"), register("children_on_register", "2008-03-31")
    assert (*stocks, *flows) == (864, 960, 920, 813)
    assert stock_and_flow(stocks[0], *flows, stocks[1]) == -11


def test_kent_rates_of_2007_08_cannot_have_one_population():
    # 960 at 31.0 means 309,179 to 310,178 children; 920 at 29.6 means 310,287 to 311,337: they do not overlap.
    rows = read("kent_child_protection_register").filter(pl.col("area") == "Kent")
    populations = {
        row["count"]: (
            int(row["count"]) * 10_000 / (float(row["rate_per_10000"]) + 0.05),
            int(row["count"]) * 10_000 / (float(row["rate_per_10000"]) - 0.05),
        )
        for row in rows.to_dicts()
    }
    assert [round(end) for end in populations["960"]] == [309179, 310178]
    assert [round(end) for end in populations["920"]] == [310287, 311337]
    assert populations["960"][1] < populations["920"][0]
    earlier = [populations[count] for count in ("864", "972", "860")]
    assert (round(max(low for low, _ in earlier)), round(min(high for _, high in earlier))) == (310048, 310233)


def test_only_177_of_920_plans_round_to_the_printed_share():
    printed = (
        read("kent_indicators_2007_08")
        .filter((pl.col("indicator") == "second_or_subsequent_plan") & (pl.col("area") == "Kent"))["value"]
        .item()
    )
    assert printed == "19.2"
    assert [n for n in range(921) if f"{n / 920 * 100:.1f}" == printed] == [177]


def test_kent_comparators_are_a_year_older():
    rows = read("kent_indicators_2007_08").filter(pl.col("indicator") == "second_or_subsequent_plan")
    assert rows.select("area", "period", "value").rows() == [
        ("Kent", "2007/08", "19.2"),
        ("statistical neighbours", "2006/07", "13.5"),
        ("England", "2006/07", "13.4"),
    ]


@pytest.mark.parametrize(
    ("period", "total"),
    [("2004/05", 251041), ("2005/06", 251541), ("2006/07", 366791), ("2007/08", 373791), ("2008/09", 373791)],
)
def test_agency_contributions_add_up_to_the_printed_total(period, total):
    rows = read("kent_agency_contributions").filter(pl.col("period") == period)
    assert amounts(rows.filter(pl.col("kind") == "contribution")) == total
    assert amounts(rows.filter(pl.col("kind") == "contribution_total")) == total
    additional = rows.filter(pl.col("kind") == "additional_income")
    assert amounts(additional) == amounts(rows.filter(pl.col("kind") == "additional_income_total"))


@pytest.mark.parametrize(("period", "total"), [("2006/07", 268376), ("2007/08", 376223)])
def test_budget_lines_add_up_to_subtotals_and_total(period, total):
    rows = read("kent_budget_2007_08").filter(pl.col("period") == period)
    subtotals = rows.filter(pl.col("kind") == "subtotal")
    for section in subtotals["section"]:
        lines = rows.filter((pl.col("section") == section) & (pl.col("kind") == "cost"))
        assert amounts(lines) == amounts(subtotals.filter(pl.col("section") == section)), section
    assert amounts(subtotals) == amounts(rows.filter(pl.col("kind") == "total")) == total


def test_kent_training_prints_one_number_as_places_and_as_persons():
    rows = read("kent_training_2007_08").select("measure", "value", "unit").rows()
    assert ("health_and_cfe_share_of_take_up", "76", "percent") in rows
    assert ("places_taken_up", "1053", "places") in rows
    assert ("persons_reached", "1053", "persons") in rows


def test_workshops_are_two_sessions_in_each_of_twelve_districts_on_weekdays():
    rows = read("kent_workshops_2011")
    workshops = rows.filter(pl.col("kind") == "district_workshop")
    assert workshops["district"].n_unique() == workshops.height == 12
    assert workshops["sessions"].to_list() == ["2"] * 12
    days = [date.fromisoformat(day) for day in rows["date"]]
    assert {day.weekday() for day in days} <= set(range(5))
    assert days == sorted(days)
    assert (days[0], days[11]) == (date(2011, 5, 10), date(2011, 6, 28))
    assert rows.filter(pl.col("kind") == "extra_date").height == 3


def test_kirklees_took_fifteen_issues_to_four_priorities():
    key_points = dict(read("kirklees_key_points_2015").select("measure", "later_value").rows())
    priorities = read("kirklees_priorities_2015")
    assert (key_points["issues_identified"], key_points["priorities_agreed"]) == ("15", str(priorities.height))
    assert priorities["priority"].to_list() == [
        "Neglect",
        "Child Sexual Exploitation",
        "Early Intervention and Prevention",
        "Missing Children",
    ]
    assert priorities.select("rank", "votes").null_count().row(0) == (4, 4)  # the ranking was not printed


def test_kirklees_themes_and_target_groups_are_complete():
    assert read("kirklees_shared_themes_2015")["printed_order"].to_list() == [str(n) for n in range(1, 9)]
    assert read("kirklees_target_groups")["group"].to_list() == [str(n) for n in range(1, 9)]


def test_training_content_grows_with_the_level_except_for_named_roles():
    rows = read("nspcc_training_content_by_level").filter(pl.col("restricted_to").is_null())
    for level in (1, 2, 3):
        lost = rows.filter((pl.col(f"level_{level}") == "true") & (pl.col(f"level_{level + 1}") == "false"))
        assert lost.is_empty()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_file_is_described_column_by_column(file):
    rows, columns = described_columns()[file.name]
    table = read(file.stem)
    assert (rows, sorted(columns)) == (table.height, sorted(table.columns))


def test_every_described_file_is_there():
    assert FILES
    assert set(described_columns()) == {file.name for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not beside the project")
def test_file_is_byte_for_byte_the_one_handed_over(file):
    assert file.read_bytes() == (SHARED / "data" / "published" / file.name).read_bytes()
