"""Follow one number (README): from the rows of a CSV file to every page and file that shows it, the same everywhere."""

import csv
import json
import re
from datetime import date
from html import escape
from pathlib import Path

import fastexcel
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy.stats import binomtest

from safeguarding_analytics import read_board, say_proportion, training_reach
from safeguarding_analytics.report import make_report
from safeguarding_analytics.static_site import publish_site
from test_board_pdf import Pdf

PROJECT = Path(__file__).parents[1]
DEMO = PROJECT / "data" / "demo_board"
AGENCY, YEAR = "Kent Police", "2012"
TABLE = "training_reach_by_agency"
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
def share(counted):
    """The same as per cent, with the ends of scipy's own Wilson interval."""
    reached, eligible = counted
    ends = binomtest(reached, eligible).proportion_ci(method="wilson")
    return [f"{100 * number:.1f}%" for number in (reached / eligible, ends.low, ends.high)]


@pytest.fixture(scope="module")
def board():
    return read_board(DEMO)


@pytest.fixture(scope="module")
def measured(board):
    names = ("bookings", "sessions", "workforce")
    reach = training_reach(*(board.tables[name] for name in names), by=("time_period", "agency"), totals=True)
    return reach.filter(pl.col("time_period") == YEAR).drop("time_period")


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """The release that the command makes, of the notebook that shows the number."""
    out = tmp_path_factory.mktemp("walk")
    return make_report(DEMO, out, only=["training_reach"], today=date(2012, 7, 2), pdf=True).release


@pytest.fixture(scope="module")
def site(release, tmp_path_factory):
    return publish_site(release.folder, tmp_path_factory.mktemp("walk") / "site")


def counts_of(frame):
    return frame.filter(pl.col("agency") == AGENCY).select("numerator", "denominator").row(0)


def row_on(page, release):
    """The cells of the agency in the one table of a page that bears the title of the published table."""
    caption = f"<caption>{escape(release.entry(TABLE).title)}</caption>"
    (table,) = [text for text in re.findall(r"<table>.*?</table>", page, re.DOTALL) if caption in text]
    (row,) = re.findall(rf'<tr><th scope="row">{AGENCY}</th>(.*?)</tr>', table)
    return re.findall(r"<td[^>]*>([^<]*)</td>", row)


def as_printed(counted, share):
    return [*map(str, counted), share[0], f"{share[1]} to {share[2]}"]


def drawn_on(page, counted):
    """Whether a chart of the page has the share of the agency, with its counts in words."""
    reached, eligible = counted
    charts = re.findall(r'<script[^>]*"vega-lite-spec"[^>]*>(.*?)</script>', page, re.DOTALL)
    rows = [row for chart in charts for data in json.loads(chart)["datasets"].values() for row in data]
    found = [row for row in rows if row.get("row") == AGENCY and row.get("value") == reached / eligible]
    return any(f"{reached} of {eligible}" in row["shown"] for row in found)


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


def test_disclosure_control_lets_it_into_the_release_unchanged(release, measured, counted):
    published = release[TABLE].frame()
    assert counts_of(published) == counted
    row = pl.col("agency") == AGENCY
    assert_frame_equal(published.filter(row).drop("mark"), measured.filter(row))


def test_files_of_the_release_hold_it(release, counted):
    with (release.folder / "tables" / f"{TABLE}.csv").open(encoding="utf-8-sig", newline="") as file:
        (line,) = [line for line in csv.DictReader(file) if line["agency"] == AGENCY]
    assert (int(line["numerator"]), int(line["denominator"])) == counted
    assert counts_of(pl.read_parquet(release.folder / "tables" / f"{TABLE}.parquet")) == counted


def test_workbook_holds_it(release, counted):
    sheet = fastexcel.read_excel(release.folder / "tables.xlsx").load_sheet(TABLE, header_row=None).to_polars()
    (row,) = [row for row in sheet.rows() if row[0] == AGENCY]
    assert [float(cell) for cell in row[1:4]] == pytest.approx([*counted, counted[0] / counted[1]])


def test_sentence_says_it(release, counted, share):
    reached, eligible = counted
    assert say_proportion(release[TABLE], of="eligible staff", have="attended", where={"agency": AGENCY}) == (
        f"{reached} of {eligible} eligible staff attended: {share[0]} (95% interval {share[1]} to {share[2]})."
    )


def test_page_of_the_pack_prints_and_draws_it(release, counted, share):
    page = (release.folder / "pack" / "training_reach.html").read_text(encoding="utf-8")
    assert row_on(page, release) == as_printed(counted, share)
    assert drawn_on(page, counted)


def test_pdf_prints_it(release, counted, share):
    pdf = Pdf((release.folder / "pack" / "board_pack.pdf").read_bytes())
    row = " ".join([AGENCY, *as_printed(counted, share)])
    assert any(row in pdf.text(number) for number in range(1, len(pdf.pages) + 1))


def test_page_of_the_site_prints_and_draws_it(release, site, counted, share):
    page = (site.folder / "training.html").read_text(encoding="utf-8")
    assert row_on(page, release) == as_printed(counted, share)
    assert drawn_on(page, counted)


def test_file_that_the_site_offers_is_that_of_the_release(release, site):
    for path in (f"tables/{TABLE}.csv", "tables.xlsx"):
        assert (site.folder / path).read_bytes() == (release.folder / path).read_bytes()


def test_served_page_prints_and_draws_it(serve, release, counted, share):
    served = serve(release.folder)
    status, page, _ = served.ask("/training")
    served.stop()  # no other page needs to be worked out
    assert status == 200
    assert row_on(page, release) == as_printed(counted, share)
    assert drawn_on(page, counted)
