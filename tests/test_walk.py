"""Follow one number (README): from a row of a CSV file to a page, and the same at every step."""

import csv
import re
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy.stats import binomtest

from safeguarding_analytics import (
    Release,
    plot_proportion,
    publish,
    read_board,
    say_proportion,
    show_answer,
    suppress,
    training_reach,
)
from safeguarding_analytics.release import promote

PROJECT = Path(__file__).parents[1]
DEMO = PROJECT / "data" / "demo_board"
AGENCY, YEAR = "Kent Police", "2012"
FIRST_DAY, LAST_DAY = date(2011, 4, 1), date(2012, 3, 31)


def lines_of(name):
    with (DEMO / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def counted():
    """People of the agency who attended in the year, and its eligible staff, counted without this package."""
    (agency,) = [line for line in lines_of("agencies") if line["agency"] == AGENCY]
    spellings = {AGENCY, *agency["aliases"].split(";")}
    days = {line["session"]: date.fromisoformat(line["date"]) for line in lines_of("sessions")}
    people = {
        line["person"]
        for line in lines_of("bookings")
        if line["agency"] in spellings
        and line["status"] == "attended"
        and FIRST_DAY <= days[line["session"]] <= LAST_DAY
    }
    staff = [
        int(line["eligible_staff"])
        for line in lines_of("workforce")
        if line["agency"] in spellings and line["time_period"] == YEAR
    ]
    return len(people), sum(staff)


@pytest.fixture(scope="module")
def board():
    return read_board(DEMO)


@pytest.fixture(scope="module")
def measured(board):
    names = ("bookings", "sessions", "workforce")
    reach = training_reach(*(board.tables[name] for name in names), by=("time_period", "agency"), totals=True)
    return reach.filter(pl.col("time_period") == YEAR).drop("time_period")


@pytest.fixture(scope="module")
def safe(board, measured):
    return suppress(measured, board.policy("staff"))


@pytest.fixture(scope="module")
def release(safe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("walk")
    built = folder / "being_built"
    built.mkdir()
    headline = say_proportion(safe, of="eligible staff", have="attended", where={"agency": AGENCY})
    publish(
        safe,
        "training_reach_by_agency",
        into=built,
        title="Training reach",
        definition="Distinct people who attended, divided by eligible staff.",
        measure="people reached",
        headline=headline,
    )
    promote(built, folder / "release", about={})
    return Release.open(folder / "release")


def counts_of(frame):
    return frame.filter(pl.col("agency") == AGENCY).select("numerator", "denominator").row(0)


def test_readme_prints_the_number(counted):
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    reached, eligible = counted
    assert f"{AGENCY}, {reached} of {eligible} eligible staff ({100 * reached / eligible:.1f}%)" in text


def test_tables_hold_the_people_of_the_file(board, counted):
    came = board.tables["bookings"].filter(pl.col("agency") == AGENCY, pl.col("status") == "attended")
    staff = board.tables["workforce"].filter(pl.col("agency") == AGENCY)
    assert (came["person"].n_unique(), staff["eligible_staff"].sum()) == counted


def test_measure_counts_the_same(measured, counted):
    assert counts_of(measured) == counted


def test_disclosure_control_shows_it_unchanged(safe, measured, counted):
    assert counts_of(safe.frame()) == counted
    row = pl.col("agency") == AGENCY
    assert_frame_equal(safe.frame().filter(row).drop("mark"), measured.filter(row))


def test_sentence_says_it(safe, counted):
    reached, eligible = counted
    ends = binomtest(reached, eligible).proportion_ci(method="wilson")  # scipy's own Wilson interval
    lower, upper = (f"{100 * end:.1f}%" for end in (ends.low, ends.high))
    assert say_proportion(safe, of="eligible staff", have="attended", where={"agency": AGENCY}) == (
        f"{reached} of {eligible} eligible staff attended: {100 * reached / eligible:.1f}% "
        f"(95% interval {lower} to {upper})."
    )


def test_chart_draws_it(safe, counted):
    reached, eligible = counted
    chart = plot_proportion(safe, title="Eligible staff reached", measure="Eligible staff who attended").to_dict()
    drawn = [row for rows in chart["datasets"].values() for row in rows if row.get("row") == AGENCY]
    assert {row["value"] for row in drawn} == {reached / eligible}
    assert f"{reached} of {eligible}" in drawn[0]["shown"]


def test_release_holds_it_as_text_and_as_a_table(release, safe, counted):
    assert release.tables() == ["training_reach_by_agency"]
    with (release.folder / "tables" / "training_reach_by_agency.csv").open(encoding="utf-8-sig", newline="") as file:
        (line,) = [line for line in csv.DictReader(file) if line["agency"] == AGENCY]
    assert (int(line["numerator"]), int(line["denominator"])) == counted
    assert_frame_equal(release["training_reach_by_agency"].frame(), safe.frame())


def test_dashboard_shows_it(release, counted):
    reached, eligible = counted
    answer = show_answer(
        release, "training_reach", plot_proportion, title="Eligible staff reached", measure="Eligible staff"
    )
    share = f"{100 * reached / eligible:.1f}%"
    row = re.search(rf'<tr><th scope="row">{AGENCY}</th>(.*?)</tr>', answer.html)
    assert re.findall(r"<td[^>]*>([^<]*)</td>", row[1])[:3] == [str(reached), str(eligible), share]
