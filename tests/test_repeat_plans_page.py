"""Registers of every awkward kind, from their files to the page: released and audited, or one sentence for the owner;
numbers by plain Python; and nothing of a few plans to be worked out of all tables of a release together."""

from __future__ import annotations

import csv
import json
import random
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from html import unescape
from itertools import pairwise
from pathlib import Path
from statistics import mean

import polars as pl
import pytest
import xlsxwriter
from click.testing import CliRunner

from census_files import census, child, details, enquiry
from census_files import plan as plan_element
from safeguarding_analytics.cli import commands
from safeguarding_analytics.errors import SafeguardingError
from safeguarding_analytics.release import Release
from safeguarding_analytics.report import make_report

pytestmark = pytest.mark.long
TODAY = date(2008, 7, 2)
DFE = Path(__file__).parents[2] / "shared" / "data" / "dfe"
NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "repeat_plans.ipynb"
BOARD = '[board]\nname = "Board of the test"\nauthority = "Kent"\nas_at = 2008-07-01\n'
DAYS = "[child_protection]\nplans_from = 2004-04-01\nplans_to = 2008-03-31\n"
COMPARED = f"""[comparators]
second_or_subsequent_plans = "{DFE / "d3_cpps_subsequent_plan_2013_to_2025.csv"}"
statistical_neighbours = "{DFE / "sn_model_2025_wide.csv"}"
interactive_tool = "{DFE / "lait_child_protection_measures_by_LA_year.csv"}"
population = "{DFE / "ons_mid-year_population_estimates_2012_to_2024.csv"}"
"""
needs_dfe = pytest.mark.skipif(not DFE.exists(), reason="../shared is not beside the project")

CATEGORIES = ("NEG", "PHY", "SAB", "EMO", "MUL")
POPULATION = [{"authority": "Kent", "mid_year": str(year), "children": 300_000 + year} for year in range(2002, 2009)]
FEW = range(1, 6)


def drawn(
    size=900,
    *,
    seed=1,
    again=0.25,
    before=(0, 0, 0, 0, 0, 1),
    districts=("Dover", "Swale", "Thanet"),
    last=date(2008, 3, 31),
    authority="Kent",
    longest=600,
):
    """Plans of children of families, who may come again; those that have not ended by the last day are open."""
    draw, rows, number = random.Random(seed), [], 0
    first = date(2004, 1, 5)
    while len(rows) < size:
        number += 1
        start = first + timedelta(days=draw.randrange((last - first).days))
        known, district = draw.choice(before), draw.choice(districts)
        family, born = f"Fz{draw.randrange(size):04}", first - timedelta(days=draw.randrange(15 * 365))
        while start <= last:
            lasted = draw.randrange(740, 1200) if draw.random() < 0.1 else draw.randrange(100, longest)
            end = start + timedelta(days=lasted)
            rows.append(
                {
                    "plan": f"Pz{len(rows):05}",
                    "child": f"Cz{number:05}",
                    "authority": authority,
                    "district": district,
                    "category": draw.choices(CATEGORIES, (40, 12, 9, 35, 9))[0],
                    "start_date": start,
                    "end_date": end if end <= last else None,
                    "previous_plans": known,
                    "family": family,
                    "birth_date": born,
                }
            )
            known += 1
            start = end + timedelta(days=draw.randrange(20, 500))
            if draw.random() > again:
                break
    return rows


def one(number, start, end=None, previous=0, **more):
    """A plan of a child of its own."""
    row = {"plan": f"Pq{number:04}", "child": f"Cq{number:04}", "authority": "Kent", "district": "Dover"}
    days = {"category": "NEG", "start_date": start, "end_date": end, "previous_plans": previous}
    return {**row, **days, "family": f"Fq{number:04}", "birth_date": date(2000, 5, 1), **more}


def reviewed(plans, late=0, until=date(2008, 3, 31)):
    """Reviews in time of all open plans, but for so many of those that are due; of which the first are late."""
    rows = []
    for plan in plans:
        if plan["end_date"] is None:
            due = plan["start_date"] <= date(2007, 12, 31)
            day = plan["start_date"] + timedelta(days=120 if due and late > 0 else 85)
            late -= due
            while day <= until:
                rows.append({"plan": plan["plan"], "review_date": day})
                day += timedelta(days=180)
    return rows


def conferences(first=date(2006, 4, 5), count=240, apart=3, wait=14):
    """Conferences a few days apart, a fortnight or, every fifth, eight weeks after the enquiry."""
    return [
        {
            "conference": f"Kz{at:04}",
            "child": f"Cz{at:05}",
            "authority": "Kent",
            "section_47_start": first + timedelta(days=at * apart - (wait if at % 5 else 56)),
            "conference_date": first + timedelta(days=at * apart),
            "not_required": "false",
        }
        for at in range(count)
    ]


def write(folder, tables, settings):
    folder.mkdir(parents=True)
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(column for row in rows for column in row)))
            writer.writeheader()
            writer.writerows(rows)
    (folder / "board.toml").write_text(settings, encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Made:
    """A released page."""

    folder: Path
    html: str

    @property
    def text(self):
        """The page as it is read: without scripts, styles and pictures, a line per paragraph or row."""
        bare = re.sub(r"<(script|style|svg)\b.*?</\1>", "", self.html, flags=re.DOTALL)
        lines = re.sub(r"</(tr|p|li|h\d|dd|dt|caption)>", "\n", re.sub(r"</t[dh]>", " | ", bare))
        return unescape(re.sub(r"<[^>]+>", "", lines))

    def table(self, name):
        return pl.read_parquet(self.folder / "tables" / f"{name}.parquet")

    @property
    def tables(self):
        return {path.stem: pl.read_parquet(path) for path in sorted((self.folder / "tables").glob("*.parquet"))}

    def row(self, name, **where):
        (row,) = self.table(name).filter(**where).to_dicts()
        return row


def outcome(folder, parameters):
    """Run the page on a board: what was released, or why there is nothing."""
    out = folder.with_name(f"{folder.name}_out")
    try:
        made = make_report(folder, out, only=("repeat_plans",), parameters=parameters, jobs=1, today=TODAY)
    except SafeguardingError as error:
        return error
    assert [page.why_not for page in made.pages] == [""]
    release = Release.open(made.release.folder)
    assert release.manifest["audit"]["findings"] == 0
    return Made(release.folder, (release.folder / "pack" / "repeat_plans.html").read_text(encoding="utf-8"))


# The boards


def usual():
    """900 plans; three or more months' starts in every month; reviews, conferences, population."""
    plans = drawn()
    return {"plans": plans, "reviews": reviewed(plans, 20), "conferences": conferences(), "population": POPULATION}


def old_columns():
    """Plans as they were given before there were optional columns, and no other table."""
    kept = ("plan", "child", "authority", "district", "category", "start_date", "end_date", "previous_plans")
    return {"plans": [{name: row[name] for name in kept} for row in drawn()]}


def six_months():
    """A return of October to March: what was open or ended in it."""
    return {"plans": [row for row in drawn(3000, seed=4) if (row["end_date"] or TODAY) >= date(2007, 10, 1)]}


def unknown_history():
    return {"plans": [row | {"previous_plans": None} for row in drawn()]}


def all_repeats():
    return {"plans": [row | {"previous_plans": row["previous_plans"] + 1} for row in drawn()]}


def three_late():
    plans = drawn()
    for row in plans:  # as many in the last three months as may be told, open and ended
        if row["start_date"] >= date(2008, 1, 1) and int(row["plan"][2:]) % 4 == 0:
            row["end_date"] = row["start_date"] + timedelta(days=1)
            row["end_date"] = min(row["end_date"], date(2008, 3, 31))
    return {"plans": plans, "reviews": reviewed(plans, 3)}


def few_in_a_month():
    """Of the plans of May 2006 three are left."""
    plans, found = [], 0
    for row in drawn(1500):
        if row["start_date"].strftime("%Y-%m") == "2006-05" and (found := found + 1) > 3:
            continue
        plans.append(row)
    return {"plans": plans, "population": POPULATION}


def annex_a(folder):
    """List 7 of Annex A of six months, as a workbook."""
    headings = (
        "Child Unique ID",
        "Date of Birth",
        "Child Protection Plan Start Date",
        "Initial Category of Abuse",
        "Latest Category of Abuse",
        "Date of latest review conference",
        "Child Protection Plan End Date",
        "Number of Previous Child Protection Plans",
    )
    words = {"NEG": "a) Neglect", "PHY": "Physical abuse", "SAB": "SAB", "EMO": "EMOTIONAL ABUSE", "MUL": "Multiple"}
    book = xlsxwriter.Workbook(folder / "annex_a.xlsx")
    sheet = book.add_worksheet("List 7")
    for place, heading in enumerate(headings):
        sheet.write_string(0, place, heading)
    for number, row in enumerate(six_months()["plans"], 1):
        days = [row["birth_date"], row["start_date"], row["end_date"]]
        born, start, end = (day.strftime("%d/%m/%Y") if day else "" for day in days)
        category = words[row["category"]]
        cells = (f"KID-{row['child']}", born, start, category, category, "", end, str(row["previous_plans"]))
        for place, cell in enumerate(cells):
            sheet.write_string(number, place, cell)
    book.close()


def cin_census(folder):
    """Two yearly files of the children in need census."""
    plans = [row for row in drawn(seed=6) if (row["end_date"] or TODAY) >= date(2006, 4, 1)]
    for year in (2007, 2008):
        first, last = date(year - 1, 4, 1), date(year, 3, 31)
        of_child: dict[str, list[dict[str, object]]] = {}
        for row in plans:
            if row["start_date"] <= last and (row["end_date"] or TODAY) >= first:
                of_child.setdefault(row["child"], []).append(row)
        children = []
        for name, own in of_child.items():
            inside = []
            for row in own:
                end = row["end_date"] if row["end_date"] and row["end_date"] <= last else None
                kept = plan_element(row["start_date"], end, row["category"], row["category"], row["previous_plans"])
                held = enquiry(row["start_date"] - timedelta(days=12), row["start_date"])
                parts = [held, kept] if row["start_date"] >= first else [kept]
                inside.append(details(*parts, referral=row["start_date"] - timedelta(days=20)))
            children.append(child(name, *inside, born=own[0]["birth_date"]))
        (folder / f"census_{year}.xml").write_text(census(*children, year=year), encoding="utf-8")


def with_key(folder):
    """A key for pseudonyms, as `safeguarding key` makes one."""
    made = CliRunner().invoke(commands, ["key", str(folder)])
    assert made.exit_code == 0, made.output


POLICY = '[policy.children]\npreset = "{}"\n'
SETTINGS = BOARD + DAYS
BOARDS = {
    "usual": (usual, SETTINGS, {}),
    "one district": (lambda: {"plans": drawn(districts=("Thanet",)), "population": POPULATION}, SETTINGS, {}),
    "tiny": (lambda: {"plans": drawn(40), "population": POPULATION}, SETTINGS, {}),
    "nhs": (usual, SETTINGS + POLICY.format("nhs"), {}),
    "round5": (usual, SETTINGS + POLICY.format("round5"), {}),
    "round10": (usual, SETTINGS + POLICY.format("round10"), {}),
    "threshold 10": (usual, SETTINGS + "[policy.children]\nthreshold = 10\n", {}),
    "old columns": (old_columns, SETTINGS, {}),
    "days not stated": (lambda: {"plans": drawn()}, BOARD, {}),
    "six months": (six_months, BOARD + DAYS.replace("2004-04", "2007-10"), {}),
    "annex a": (dict, BOARD + '[child_protection]\nannex_a = "annex_a.xlsx"\nplans_to = 2008-03-31\n', {}),
    "census": (dict, BOARD + '[child_protection]\ncin_census = ["census_2007.xml", "census_2008.xml"]\n', {}),
    "one plan": (lambda: {"plans": [one(1, date(2007, 6, 1))]}, SETTINGS, {}),
    "no repeat": (lambda: {"plans": drawn(again=0, before=(0,)), "population": POPULATION}, SETTINGS, {}),
    "all repeats": (all_repeats, SETTINGS, {}),
    "unknown history": (unknown_history, SETTINGS, {}),
    "several": (lambda: {"plans": several()}, SETTINGS, {}),
    "three late": (three_late, SETTINGS, {}),
    "conferences of 2005": (lambda: usual() | {"conferences": conferences(date(2005, 4, 5), 360)}, SETTINGS, {}),
    "few in a month": (few_in_a_month, SETTINGS, {}),
    "rebased": (usual, SETTINGS, {"ruleset": "making_data_count_2023", "rebase": "2006-04", "time_period": "2007"}),
}


def several():
    """Plans of two authorities, of which the board names one."""
    other = drawn(300, seed=9, authority="Medway")
    return drawn() + [row | {"plan": f"M{row['plan']}", "child": f"M{row['child']}"} for row in other]


def dfe_board(**parameters):
    return lambda: {"plans": drawn()}, SETTINGS + COMPARED, parameters


IF_SHARED = {
    "all, rate": dfe_board(comparator_set="all", indicator="plans_per_10000"),
    "neighbours, reviews": dfe_board(comparator_set="neighbours", indicator="reviews_on_time"),
    "region, conferences": dfe_board(comparator_set="region", indicator="conferences_on_time"),
    "all, two years": dfe_board(comparator_set="all", indicator="open_two_years"),
}
ROUNDED = {"nhs": 5, "round5": 5, "round10": 10}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The page of every board, each board run once."""
    root, folders = tmp_path_factory.mktemp("repeat_plans"), []
    boards = BOARDS | (IF_SHARED if DFE.exists() else {})
    for name, (make, settings, parameters) in boards.items():
        folder = write(root / re.sub(r"\W+", "_", name), make(), settings)
        for board, fill in (("annex a", annex_a), ("census", cin_census)):
            if name == board:
                fill(folder)
                with_key(folder)
        folders.append((folder, parameters))
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda each: outcome(*each), folders)
        return dict(zip(boards, found, strict=True))


def page(pages, name):
    assert isinstance(pages[name], Made), pages[name]
    return pages[name]


def made_pages(pages):
    return {name: page(pages, name) for name in pages}


# Plain Python


def in_year(day, year):
    return day is not None and date(year - 1, 4, 1) <= day <= date(year, 3, 31)


def register(plans, years=range(2005, 2009)):
    """Of each year how many plans started, how many of them are repeats, how many ended and were open at the end."""
    found = {}
    for year in years:
        last = date(year, 3, 31)
        started = [row for row in plans if in_year(row["start_date"], year)]
        found[year] = {
            "started": len(started),
            "repeats": sum(bool(row["previous_plans"]) or has_earlier(row, plans) for row in started),
            "ended": sum(in_year(row["end_date"], year) for row in plans),
            "open": sum(row["start_date"] <= last and (row["end_date"] or TODAY) > last for row in plans),
        }
    return found


def has_earlier(row, plans):
    return any(other["child"] == row["child"] and other["start_date"] < row["start_date"] for other in plans)


def shown(table, *columns):
    return {row[0]: row[1:] for row in table.select(columns).iter_rows()}


# Every page


def test_every_board_ends_with_a_page(pages):
    assert {name: str(found) for name, found in pages.items() if not isinstance(found, Made)} == {}


def test_no_page_says_none_or_nan(pages):
    for name, made in made_pages(pages).items():
        assert not re.search(r"\b(None|NaN|nan|null|inf)\b", made.text), name


def test_no_code_of_a_child_family_or_plan_stands_in_a_release(pages):
    for name, made in made_pages(pages).items():
        for path in made.folder.rglob("*"):
            if path.suffix in (".html", ".csv", ".json"):
                assert re.search(r"(?:[PCFK]z|KID-|[PCF]q)\d{3}", path.read_text(encoding="utf-8")) is None, name


PUBLISHED_BY_OTHERS = ("comparators", "funnel")
COUNTS = ("count", "numerator", "denominator", "n", "value")


def test_no_count_from_1_to_5_is_released(pages):
    for name, made in made_pages(pages).items():
        for table, frame in made.tables.items():
            if table.endswith(PUBLISHED_BY_OTHERS) or name in ROUNDED:
                continue
            for column in set(COUNTS) & set(frame.columns):
                assert set(frame[column].drop_nulls()).isdisjoint(FEW), (name, table)


def test_counts_are_rounded_where_the_board_rounds(pages):
    for name, base in ROUNDED.items():
        for table, frame in page(pages, name).tables.items():
            for column in {"count", "numerator", "denominator", "n"} & set(frame.columns):
                assert {count % base for count in frame[column].drop_nulls()} <= {0}, (name, table)


def test_every_heading_has_something_below_it(pages):
    for name, made in made_pages(pages).items():
        main = made.html[made.html.index("<main") : made.html.index("</main>")]
        parts = re.split(r"<h2\b", main)[1:]
        for part in parts:
            below = re.sub(r"<[^>]+>", "", re.sub(r"^.*?</h2>", "", part, flags=re.DOTALL))
            assert re.search(r"\w", below) or "<svg" in part, (name, part[:80])


# Numbers by plain Python


@pytest.mark.parametrize("name", ["usual", "one district", "old columns", "several", "all repeats", "no repeat"])
def test_shares_by_year_are_those_of_plain_python(pages, name):
    plans = [row for row in BOARDS[name][0]()["plans"] if row["authority"] == "Kent"]
    wanted = {str(year): (each["repeats"], each["started"]) for year, each in register(plans).items()}
    assert shown(page(pages, name).table("repeat_plans"), "time_period", "numerator", "denominator") == wanted


@pytest.mark.parametrize("name", ["usual", "one district", "several", "few in a month"])
def test_stock_and_flows_are_those_of_plain_python_and_the_sentence_adds_them_up(pages, name):
    plans = [row for row in BOARDS[name][0]()["plans"] if row["authority"] == "Kent"]
    wanted, made = register(plans), page(pages, name)
    rates = made.table("plan_rates")
    for flow, key in (("started", "started"), ("ended", "ended"), ("open at the end", "open")):
        found = shown(rates.filter(pl.col("flow") == flow, pl.col("time_period") > "2004"), "time_period", "count")
        assert found == {str(year): (each[key],) for year, each in wanted.items()}
    one, other = wanted[2007], wanted[2008]
    assert one["open"] + other["started"] - other["ended"] == other["open"]
    said = f"{one['open']} plans open at the end of 31 March 2007 + {other['started']} started − {other['ended']} ended"
    assert f"{said} = {other['open']}, which is the number open on 31 March 2008: the register adds up." in made.text


def test_rate_is_of_the_children_at_the_mid_year_before(pages):
    row = page(pages, "usual").row("plan_rates", time_period="2008", flow="started")
    started = register(usual()["plans"])[2008]["started"]
    assert (row["count"], row["population"]) == (started, 302_007)  # mid-2007
    assert row["rate"] == pytest.approx(started / 302_007 * 10_000)


def test_without_population_there_are_counts_and_no_rate(pages):
    made = page(pages, "old columns")
    assert made.table("plan_rates")["rate"].drop_nulls().is_empty()
    assert "without the number of children at the mid-year before there is no rate" in made.text


def test_months_add_up_to_the_years_and_the_limits_are_2_66_mean_moving_ranges(pages):
    made, plans = page(pages, "usual"), usual()["plans"]
    months = made.table("plans_started_by_month").filter(pl.col("month") != "Total")
    counts = months["count"].to_list()
    days = [row["start_date"].strftime("%Y-%m") for row in plans]
    assert counts == [days.count(month) for month in months["month"]]
    chart = made.table("plans_started_control_chart")
    moves = [abs(one - other) for one, other in pairwise(counts)]
    kept = [move for move in moves if move < 3.267 * mean(moves)]
    assert chart["mean"].unique().to_list() == pytest.approx([mean(counts)])
    assert chart["upper"].unique().to_list() == pytest.approx([mean(counts) + 2.66 * mean(kept)])


def test_limits_start_again_where_they_are_told_to(pages):
    made = page(pages, "rebased")
    chart = made.table("plans_started_control_chart")
    for rows in (chart.filter(pl.col("month") < "2006-04"), chart.filter(pl.col("month") >= "2006-04")):
        assert rows["mean"].unique().to_list() == pytest.approx([rows["value"].mean()])
    assert "Rules of the control chart: making_data_count_2023." in made.text
    assert "Year to 31 March 2007: " in made.text


def test_open_plans_by_category_add_up(pages):
    plans = usual()["plans"]
    categories = shown(page(pages, "usual").table("open_plans_by_category"), "category", "count")
    still_open = [row["category"] for row in plans if row["end_date"] is None]
    assert categories["Neglect"] == (still_open.count("NEG"),)
    assert categories["Total"] == (len(still_open),)


def test_reviews_in_time_are_those_of_plain_python(pages):
    due = [row for row in usual()["plans"] if row["end_date"] is None and row["start_date"] <= date(2007, 12, 31)]
    row = page(pages, "usual").row("reviews_on_time", time_period="2008")
    assert (row["numerator"], row["denominator"]) == (len(due) - 20, len(due))


def test_conferences_before_the_calendar_are_not_counted(pages):
    # Held from 5 April 2005, 3 days apart: the calendar of bank holidays begins in 2006.
    made = page(pages, "conferences of 2005")
    assert made.table("conferences_on_time")["time_period"].to_list() == ["2007", "2008"]
    held = [row["conference_date"] for row in conferences(date(2005, 4, 5), 360)]
    for year in (2007, 2008):
        row = made.row("conferences_on_time", time_period=str(year))
        assert row["denominator"] == sum(in_year(day, year) for day in held)


# What is said


def test_days_that_the_board_does_not_state_are_said_to_be_taken(pages):
    assert (
        "The register is taken to be complete from 1 April 2005 to 31 March 2008" in page(pages, "days not stated").text
    )
    assert "taken to be complete" not in page(pages, "usual").text


@pytest.mark.parametrize("name", ["six months", "annex a"])
def test_return_of_six_months_gives_six_months_and_no_year(pages, name):
    made, plans = page(pages, name), six_months()["plans"]
    started = [row for row in plans if row["start_date"] >= date(2007, 10, 1)]
    row = made.row("repeat_plans")
    assert row["time_period"] == "1 October 2007 to 31 March 2008, 6 months"
    assert (row["numerator"], row["denominator"]) == (
        sum(row["previous_plans"] > 0 for row in started),
        len(started),
    )
    assert "the number of earlier plans says nothing about when they ended" in made.text
    assert "No rate: the register does not cover a whole reporting year." in made.text
    assert "Trial limits, worked out of 6 points, fewer than 12." in made.text
    assert made.table("plan_rates").is_empty()
    assert made.table("repeat_plans_within_months").is_empty()


def test_two_censuses_give_two_years(pages):
    plans = drawn(seed=6)
    wanted = {str(year): (each["started"],) for year, each in register(plans, (2007, 2008)).items()}
    assert shown(page(pages, "census").table("repeat_plans"), "time_period", "denominator") == wanted


def test_history_that_is_nowhere_recorded_gives_no_share(pages):
    made = page(pages, "unknown history")
    assert made.table("repeat_plans")["proportion"].drop_nulls().is_empty()
    assert "no share can be worked out from these counts" in made.text


def test_no_repeat_is_a_share_of_0_with_its_interval_and_all_repeats_one_of_1(pages):
    none, every = page(pages, "no repeat").table("repeat_plans"), page(pages, "all repeats").table("repeat_plans")
    assert none["proportion"].unique().to_list() == [0.0]
    assert every["proportion"].unique().to_list() == [1.0]
    assert min(none["upper"]) > 0
    assert max(every["lower"]) < 1


def test_month_with_three_starts_is_in_no_table_and_there_are_no_limits(pages):
    made = page(pages, "few in a month")
    assert made.table("plans_started_by_month").is_empty()
    assert made.table("plans_started_control_chart").is_empty()
    assert "in some months few plans started" in made.text


def test_one_plan_is_hidden_everywhere(pages):
    for table in page(pages, "one plan").tables.values():
        for column in set(COUNTS) & set(table.columns):
            assert set(table[column].drop_nulls()) <= {0}


def test_three_late_reviews_leave_a_share_that_is_shown_as_the_department_does(pages):
    row = page(pages, "three late").table("reviews_on_time").row(0, named=True)
    assert row["denominator"] - row["numerator"] == 3


def test_no_chart_is_shown_where_months_are_hidden_to_protect_others(pages):
    made = page(pages, "threshold 10")
    assert made.table("plans_started_by_month")["count"].null_count()
    assert "Not shown: some months are hidden" in made.text


# Comparators: figures of the Department's files (note of sources, sections 1, 9 and 11)


@needs_dfe
def test_kent_lies_beside_england_its_region_and_its_neighbours(pages):
    latest = page(pages, "all, rate").table("repeat_plans_comparators").filter(time_period="2025")
    rows = {row["area"]: row for row in latest.to_dicts()}
    assert (rows["Kent"]["numerator"], rows["Kent"]["denominator"]) == (310, 1274)
    assert (rows["England"]["numerator"], rows["England"]["denominator"]) == (15_130, 61_840)
    shares = [round(row["proportion"] * 100, 2) for area, row in rows.items() if "neighbours" in area]
    assert shares == [24.45, 24.34]  # median and mean


@needs_dfe
def test_98_of_151_authorities_lie_outside_the_plain_limits(pages):
    made = page(pages, "all, rate")
    assert "98 of 151 areas lie outside the 99.8% limits of chance alone" in made.text
    assert made.table("plans_per_10000_funnel").height == 151


@needs_dfe
@pytest.mark.parametrize(
    ("name", "indicator", "neighbours", "region"),
    [
        ("neighbours, reviews", "reviews_on_time", True, False),
        ("region, conferences", "conferences_on_time", False, True),
        ("all, two years", "open_two_years", True, True),
    ],
)
def test_comparators_are_those_asked_for(pages, name, indicator, neighbours, region):
    for table in ("repeat_plans", indicator):
        areas = set(page(pages, name).table(f"{table}_comparators")["area"])
        assert {"Kent", "England"} <= areas
        assert any("neighbours" in area for area in areas) == neighbours
        assert ("South East" in areas) == region


# What is refused, in one sentence


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """What the owner is told of wrong parameters, each alone."""
    folder = write(tmp_path_factory.mktemp("refused") / "board", {"plans": drawn()}, SETTINGS)
    both = write(folder.with_name("both"), {"plans": several()}, SETTINGS.replace('authority = "Kent"\n', ""))
    asked = {name: (folder, {key: value}) for name, key, value, _ in WRONG} | {"two authorities": (both, {})}
    copies = {}
    for at, (name, (board, parameters)) in enumerate(asked.items()):
        copies[name] = (board, parameters, board.with_name(f"{board.name}_{at}_out"))
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(copies, pool.map(lambda each: said_of(*each), copies.values()), strict=True))


def said_of(folder, parameters, out):
    with pytest.raises(SafeguardingError) as error:
        make_report(folder, out, only=("repeat_plans",), parameters=parameters, jobs=1, today=TODAY)
    return str(error.value)


WRONG = [
    ("months", "months", -1, "within_months must be 1 or more, or None for ever. Found: -1."),
    ("set", "comparator_set", "neighbors", 'Found: "neighbors". Did you mean "neighbours"?'),
    ("rules", "ruleset", "nhs", "ruleset must be one of nhsrplotthedots_0_2_2, making_data_count_2023. Found: nhs."),
    ("authority", "authority", "Kents", "there is no plan of the authority asked for"),
    ("period", "time_period", "2012", "Whole years covered: 2005, 2006, 2007, 2008."),
    ("rebase", "rebase", "2012-04", "It runs from 2004-04 to 2008-03."),
    ("child", "group", "child", 'group: "child" cannot be compared.'),
    ("day", "group", "start_date", 'group: "start_date" cannot be compared.'),
    ("again", "group", "quarter", "it stands on the page anyway"),
    ("indicator", "indicator", "nonsense", 'there is no indicator "nonsense"'),
]


@pytest.mark.parametrize(("name", "words"), [(name, words) for name, _, _, words in WRONG])
def test_wrong_parameter_is_refused_in_a_sentence(refused, name, words):
    assert words in refused[name]
    assert "Traceback" not in refused[name]


def test_plans_of_several_authorities_need_one_to_be_named(refused):
    assert "there are plans of 2 authorities" in refused["two authorities"]


# An attack on all tables of a release together


def told(folder):
    """The tables of the page and its sentences, its cells run in this process on a board."""
    cells = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    namespace, tables, sentences = {}, {}, []
    for cell in cells:
        source = "".join(cell["source"])
        exec(compile(source, "notebook", "exec"), namespace)
        if "parameters" in cell["metadata"].get("tags", ()):
            namespace["board"] = str(folder)
        if "from safeguarding_analytics import" in source:
            namespace |= {name: lambda *_, **__: None for name in namespace if name.startswith("plot_")}
            namespace["publish"] = lambda safe, name, **_: tables.update({name: safe.frame()})
            namespace["show_text"], namespace["show_list"] = sentences.append, sentences.extend
            namespace |= {name: lambda *_, **__: None for name in ("show_table", "unless_empty", "if_shown")}
    return tables, " ".join(sentences)


def attacked(tmp_path, plans, settings=SETTINGS, **more):
    return told(write(tmp_path / "board", {"plans": plans, "population": POPULATION} | more, settings))


def test_attack_finds_nothing_hidden_on_the_usual_board(tmp_path):
    tables, said = attacked(tmp_path, usual()["plans"])
    assert tables["plan_rates"].height == 13
    assert "the register adds up" in said


def flows(tables):
    """Every stock and flow that a reader knows of, from all tables together, by year."""
    found = {
        (year, flow): count
        for year, flow, count in tables["plan_rates"].select("time_period", "flow", "count").iter_rows()
    }
    names = {"open at 31 March": "open at the end", "ended in the year": "ended"}
    for year, measure, count in tables["long_plans"].select("time_period", "measure", "denominator").iter_rows():
        found.setdefault((year, names[measure]), count)
    for year, count in tables["repeat_plans"].select("time_period", "denominator").iter_rows():
        found.setdefault((year, "started"), count)
    for year, category, count in (
        tables["open_plans_by_category"].select("time_period", "category", "count").iter_rows()
    ):
        if category == "Total":
            found.setdefault((year, "open at the end"), count)
    return {key: count for key, count in found.items() if count is not None}


def by_identity(known):
    """What stock + started − ended = stock gives where three of a year are known, again and again."""
    known, before = dict(known), 0
    while before < len(known):
        before = len(known)
        for year in range(2004, 2010):
            keys = [(str(year - 1), "open at the end"), (str(year), "started"), (str(year), "ended")]
            keys.append((str(year), "open at the end"))
            missing = [key for key in keys if key not in known]
            if len(missing) == 1:
                stock, started, ended, end = (known.get(key, 0) for key in keys)
                sums = (end - started + ended, end - stock + ended, stock + started - end, stock + started - ended)
                known[missing[0]] = sums[keys.index(missing[0])]
    return known


def few_ended(plans, keep=3):
    """In the year to March 2007 few plans ended: the others did a year later, and nobody came again."""
    found = 0
    for row in plans:
        if in_year(row["end_date"], 2007) and (found := found + 1) > keep:
            row["end_date"] += timedelta(days=365)
    return plans


def few_started(plans, keep=3):
    found = 0
    return [row for row in plans if not in_year(row["start_date"], 2006) or (found := found + 1) <= keep]


@pytest.mark.parametrize("make", [few_ended, few_started])
def test_few_that_ended_or_started_in_a_year_do_not_follow_from_stock_and_flows(tmp_path, make):
    plans = make(drawn(again=0))
    counts = [each[key] for each in register(plans).values() for key in ("started", "ended", "open")]
    assert counts.count(3) == 1
    tables, said = attacked(tmp_path, plans)
    assert set(by_identity(flows(tables)).values()).isdisjoint(FEW)
    assert "How many plans were open is not told" in said


def test_few_that_ended_in_a_year_do_not_follow_from_all_ends_that_are_followed(tmp_path):
    plans = few_ended(drawn(again=0))
    tables, _ = attacked(tmp_path, plans)
    known = [count for (_, flow), count in flows(tables).items() if flow == "ended"]
    followed = tables["time_to_next_plan"].filter(months="0")["n"].to_list()
    assert all(count - sum(known) not in FEW for count in followed)


def test_few_ends_after_the_last_31_march_do_not_follow_from_all_that_are_followed(tmp_path):
    plans, settings = drawn(), SETTINGS.replace("2008-03-31", "2008-04-20")
    for row, day in zip([row for row in plans if row["end_date"] is None], (3, 4, 5), strict=False):
        row["end_date"] = date(2008, 4, day)
    tables, said = attacked(tmp_path, plans, settings)
    ended = sum(count for (_, flow), count in flows(tables).items() if flow == "ended")
    assert ended == sum(each["ended"] for each in register(plans).values())
    assert all(count - ended not in FEW for count in tables["time_to_next_plan"].filter(months="0")["n"])
    assert "Not told: it would tell of few" in said


def again_after(rows, days, first):
    """The next plans of some children, so many days after the end of theirs."""
    return [
        row
        | {
            "plan": f"Pn{first + at:05}",
            "start_date": row["end_date"] + timedelta(days=days),
            "end_date": None,
            "previous_plans": row["previous_plans"] + 1,
        }
        for at, row in enumerate(rows)
    ]


def test_few_who_came_again_within_a_year_do_not_follow_from_those_still_followed(tmp_path):
    # Of the ends up to March 2007 three were followed by a plan within a year, of those after it four: 7 may be told.
    plans = drawn(again=0)
    ended = [row for row in plans if row["end_date"] and row["end_date"] >= date(2004, 4, 1)]
    early = [row for row in ended if row["end_date"] <= date(2007, 3, 1)]
    late = [row for row in ended if date(2007, 4, 1) <= row["end_date"] <= date(2007, 9, 1)]
    plans += again_after(early[::60][:3], 40, 0) + again_after(late[:4], 40, 3) + again_after(early[5:205:20], 420, 7)
    tables, _ = attacked(tmp_path, plans)
    counts = register(plans)
    followed = tables["time_to_next_plan"]
    assert followed.height
    for months, year in ((12, 2007), (24, 2006)):
        by_then = sum(each["ended"] for name, each in counts.items() if name <= year)
        assert all(by_then - count not in FEW for count in followed.filter(months=str(months))["n"])


def test_one_hidden_quarter_or_district_is_not_all_starts_without_the_others(tmp_path):
    # In 2008 three plans start in the last quarter and in Deal, the year's only repeats, so that the year is hidden.
    plans = [row for row in drawn(again=0, before=(0,)) if row["start_date"] < date(2008, 1, 1)]
    plans += [one(at, date(2008, 2, 1 + at), None, 1, district="Deal", category="SAB") for at in range(3)]
    tables, _ = attacked(tmp_path, plans)
    started = by_identity(flows(tables)).get(("2008", "started"))
    quarters = tables["repeat_plans_by_quarter"].filter(pl.col("quarter") > "2007-04")
    for parts in (quarters, tables["repeat_plans_by_district"].filter(pl.col("district") != "Total")):
        assert parts["denominator"].null_count() == 1
        assert started is None or started - parts["denominator"].sum() not in FEW


@pytest.mark.parametrize("ended", [0, 12])
def test_few_plans_of_the_last_three_months_do_not_follow_from_those_reviewed(tmp_path, ended):
    plans = [row for row in drawn(again=0) if row["start_date"] < date(2008, 1, 1)]
    plans += [one(at, date(2008, 1, 20), None) for at in range(3)]
    plans += [one(9 + at, date(2008, 1, 20), date(2008, 2, 20)) for at in range(ended)]
    tables, said = attacked(tmp_path, plans, reviews=reviewed(plans, 20))
    stock = tables["plan_rates"].filter(time_period="2008", flow="open at the end")["count"][0]
    assert all(stock - count not in FEW for count in tables["reviews_on_time"]["denominator"])
    assert "Reviews in time are not told" in said


def test_few_plans_that_started_and_ended_in_the_last_three_months_do_not_follow(tmp_path):
    plans = [row for row in drawn(again=0) if row["start_date"] < date(2008, 1, 1)]
    plans += [one(at, date(2008, 1, 20), None) for at in range(30)]
    plans += [one(40 + at, date(2008, 1, 20), date(2008, 2, 20)) for at in range(3)]
    tables, _ = attacked(tmp_path, plans, reviews=reviewed(plans, 20))
    stock = tables["plan_rates"].filter(time_period="2008", flow="open at the end")["count"][0]
    assert all(33 - (stock - count) not in FEW for count in tables["reviews_on_time"]["denominator"])


def test_few_starts_are_not_rounded_down_in_one_table_and_up_in_another(tmp_path):
    plans = few_started(drawn(300, again=0))
    tables, _ = attacked(tmp_path, plans, SETTINGS + POLICY.format("round5"))
    rates = tables["plan_rates"].filter(flow="started").select("time_period", pl.col("count"))
    months = tables["plans_started_by_month"].filter(month="Total").select("time_period", pl.col("count"))
    years = tables["repeat_plans"].select("time_period", pl.col("denominator").alias("count"))
    seen = {count for table in (rates, months, years) for year, count in table.iter_rows() if year == "2006"}
    assert seen in ({0}, {5})
