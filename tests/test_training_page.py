"""Boards with everything that goes wrong in training data, from their files to the page: released and audited, or one
clear sentence, and what was left out is said on the page."""

from __future__ import annotations

import csv
import random
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from html import unescape
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from safeguarding_analytics.errors import ParameterError, SafeguardingError, TableError
from safeguarding_analytics.release import Release
from safeguarding_analytics.report import make_report

pytestmark = pytest.mark.long

TODAY = date(2011, 7, 2)
AGENCIES = ("Health", "Police", "Schools", "Probation", "Housing")
SECTORS = ("Health", "Justice", "Children, families and education", "Justice", "Councils")
PEOPLE = (60, 45, 30, 38, 25)
DISTRICTS = (("Dover", "East"), ("Swale", "East"), ("Ashford", "Mid"), ("Dartford", "West"))
BOARD = '[board]\nname = "Board of the test"\nas_at = 2011-07-01\n'
TARGET = "[training]\ntarget = 180\ntarget_date = 2011-06-30\n"


def drawn(people=PEOPLE, agencies=AGENCIES):
    """Tables of a board in order: 12 sessions in 4 districts, everybody booked on one or two of them."""
    draw = random.Random(1)
    sessions = [
        {
            "session": f"S{number:02}",
            "course": "Threshold workshop",
            "training_level": 2,
            "district": DISTRICTS[number % 4][0],
            "area": DISTRICTS[number % 4][1],
            "venue": "Hall",
            "date": date(2011, 5, 10) + timedelta(days=6 * (number // 2)),
            "half_day": "morning",
            "capacity": 40,
            "cost": 400,
            "kind": "workshop",
        }
        for number in range(12)
    ]
    bookings, number = [], 0
    for agency, count in zip(agencies, people, strict=True):
        for _ in range(count):
            number += 1
            group = draw.choice((1, 2, 2, 3, 4))
            for one in draw.sample(sessions, draw.choice((1, 1, 1, 2))):
                status = draw.choices(("attended", "did_not_attend", "cancelled"), (80, 12, 8))[0]
                booked = status != "attended" or draw.random() > 0.1
                bookings.append(
                    {
                        "session": one["session"],
                        "person": f"Px{number:04}",
                        "agency": agency,
                        "target_group": group,
                        "status": status,
                        "booked": str(booked).lower(),
                        "learner": "",
                    }
                )
    workforce = [
        {
            "agency": agency,
            "training_level": 1 if group == 1 else 2,
            "target_group": group,
            "time_period": "2012",
            "eligible_staff": count * 3 // 2,
        }
        for agency, count in zip(agencies, people, strict=True)
        for group in (1, 2, 3, 4)
    ]
    return {
        "agencies": [
            {"agency": agency, "sector": sector, "aliases": "", "merged_into": "", "merged_on": ""}
            for agency, sector in zip(agencies, SECTORS, strict=False)
        ],
        "sessions": sessions,
        "bookings": bookings,
        "workforce": workforce,
    }


def write(folder, tables, settings=BOARD + TARGET):
    folder.mkdir(parents=True, exist_ok=True)
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
        """The page as it is read: without scripts and styles, a line per paragraph or row."""
        bare = re.sub(r"<(script|style)\b.*?</\1>", "", self.html, flags=re.DOTALL)
        lines = re.sub(r"</(tr|p|h\d|dd|dt|caption)>", "\n", re.sub(r"</t[dh]>", " | ", bare))
        return unescape(re.sub(r"<[^>]+>", "", lines))

    def table(self, name):
        return pl.read_parquet(self.folder / "tables" / f"{name}.parquet")

    def row(self, name, **where):
        """The one row of a published table with these group values."""
        (row,) = self.table(name).filter(**where).to_dicts()
        return row


def released(folder, **parameters):
    """Run the page on a board: what was released."""
    made = make_report(
        folder,
        folder.with_name(f"{folder.name}_out"),
        only=("training_reach",),
        parameters=parameters,
        jobs=1,
        today=TODAY,
    )
    assert [page.why_not for page in made.pages] == [""]
    release = Release.open(made.release.folder)
    assert release.manifest["audit"]["findings"] == 0
    html = (release.folder / "pack" / "training_reach.html").read_text(encoding="utf-8")
    assert re.search(r"[PQ]x\d{4}", html) is None
    return Made(release.folder, html)


# The boards


def everything_wrong():
    """Returns that are missing or too small, a merger, places nobody counted, learners who are nobody's staff."""
    tables = drawn()
    for row in tables["workforce"]:
        if row["agency"] == "Schools":
            row["eligible_staff"] = 6  # 4 groups × 6 = 24 eligible, and more came
        if row["agency"] == "Health" and row["target_group"] == 3:
            row["eligible_staff"] = ""
    tables["workforce"] = [row for row in tables["workforce"] if row["agency"] != "Housing"]
    tables["workforce"] += [{**row, "time_period": "2011", "eligible_staff": 900} for row in tables["workforce"]]
    for row in tables["agencies"]:
        if row["agency"] == "Housing":
            row.update(merged_into="Probation", merged_on="2011-06-01")
    first, second, *others = tables["sessions"]
    first["capacity"] = 0
    second.update(kind="e_learning", district="", area="", venue="", half_day="", capacity="", cost="")
    for row in others[5:]:
        row["course"] = "Thresholds and early help"
    planned = [
        {**row, "session": f"M{at}", "date": "2011-07-20", "kind": "mop_up"} for at, row in enumerate(others[:3])
    ]
    tables["sessions"] += planned
    for at, row in enumerate(tables["bookings"]):
        row["learner"] = {0: "out_of_area", 1: "trainer", 2: "test"}.get(at % 25, "")
    people = {row["person"]: row for row in tables["bookings"]}
    tables["bookings"] += [
        {**row, "session": "M1", "status": "booked", "booked": "true"} for row in list(people.values())[::9]
    ]
    return tables


OWN_RULES = """
district_targets = { "Dover" = 90, "Swale" = 20 }
together = { "Health and CFE" = ["Health", "Children, families and education"] }
rules = [{ target_group = 1, training_level = 1, refresh_months = 2 }, { target_group = 2, training_level = 2 }]
"""


def bare():
    """The three tables that are needed, and of them the columns that must be filled."""
    tables = drawn()
    for row in tables["sessions"]:
        row.update(dict.fromkeys(("district", "area", "venue", "half_day", "capacity", "cost", "kind"), ""))
    del tables["agencies"]
    return tables


def nobody_came():
    tables = drawn()
    for row in tables["bookings"]:
        row.update(status="cancelled", booked="true")
    return tables


def all_over():
    """More people came of every agency than its return says are eligible."""
    tables = drawn()
    for row in tables["workforce"]:
        row["eligible_staff"] = 3  # 4 groups × 3 = 12
    return tables


def with_records():
    """Staff records of all who booked and of some who never did, and courses of their agencies' own."""
    tables, draw = drawn(), random.Random(2)
    people = {row["person"]: row for row in tables["bookings"]}
    others = {f"Qx{at:04}": {"agency": AGENCIES[at % 5], "target_group": 2} for at in range(80)}
    tables["staff"] = [
        {
            "person": person,
            "agency": row["agency"],
            "training_level": 1 if row["target_group"] == 1 else 2,
            "target_group": row["target_group"],
            "start_date": date(2011, 7, 1) - timedelta(days=draw.randrange(0, 900)),
            "post_start_date": "",
            "leaving_date": "",
        }
        for person, row in (people | others).items()
    ]
    tables["training_records"] = [
        {
            "person": person,
            "agency": row["agency"],
            "target_group": row["target_group"],
            "course": "Own course",
            "training_level": draw.choice((1, 2, 3)),
            "completed": date(2011, 6, 1) - timedelta(days=draw.randrange(30, 1600)),
        }
        for person, row in list(people.items())[::3]
    ]
    return tables


def write_export(folder):
    """The bookings in an XLSX export with a banner and a row of totals, people by their addresses."""
    tables = drawn()
    held = {row["session"]: row for row in tables["sessions"]}
    settings = """
[bookings_export]
file = "export 2011.xlsx"
[bookings_export.columns]
session = "Event"
course = "Title"
training_level = "Level"
district = "District"
area = "Area"
date = "Start"
capacity = "Places"
cost = "Cost"
person = "E-mail"
name = "Learner"
agency = "Organisation"
target_group = "Group"
status = "Outcome"
"""
    write(folder, {name: tables[name] for name in ("agencies", "workforce")}, BOARD + TARGET + settings)
    columns = re.findall(r'= "([A-Z][-\w]*)"', settings)
    words = {"attended": "Attended", "did_not_attend": "No show", "cancelled": "Cancelled"}
    lines = []
    for row in tables["bookings"]:
        one = held[row["session"]]
        day = one["date"].strftime("%d/%m/%Y")
        person = f"ann{row['person'][2:]}@kent.gov.uk", f"Ann Other{row['person'][2:]}"
        of_session = one["session"], one["course"], 2, one["district"], one["area"], day, 40, 400
        lines.append((*of_session, *person, row["agency"], row["target_group"], words[row["status"]]))
    with xlsxwriter.Workbook(str(folder / "export 2011.xlsx")) as book:
        sheet = book.add_worksheet("Learners")
        for at, line in enumerate([("Kent Learning System",), (), columns, *lines, ("Total", len(lines))]):
            sheet.write_row(at, 0, line)
    key = folder / "pseudonym.key"
    key.write_text("0123456789abcdef" * 4, encoding="ascii")
    key.chmod(0o600)
    return folder


RULES_OF_NOBODY = "rules = [{ target_group = 8, training_level = 1 }]\n"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Every board is run once, two at a time: its page, or why there is none."""
    shelf = tmp_path_factory.mktemp("boards")
    round5, round10, nhs = (f'[policy.staff]\npreset = "{name}"\n' for name in ("round5", "round10", "nhs"))
    runs = {
        "wrong": (write(shelf / "wrong", everything_wrong(), BOARD + TARGET + OWN_RULES), {}),
        "bare": (write(shelf / "bare", bare(), ""), {}),
        "groups": (write(shelf / "groups", drawn(), BOARD + round5), {"group": "target_group"}),
        "records": (write(shelf / "records", with_records(), BOARD + TARGET + round10), {}),
        "nhs": (write(shelf / "nhs", drawn(), BOARD + TARGET + nhs), {}),
        "over": (write(shelf / "over", all_over(), BOARD + TARGET + RULES_OF_NOBODY), {}),
        "nobody": (write(shelf / "nobody", nobody_came()), {}),
        "two": (write(shelf / "two", drawn((1, 1), AGENCIES[:2])), {}),
        "alone": (write(shelf / "alone", drawn((60,), AGENCIES[:1])), {}),
        "before": (write(shelf / "before", drawn()), {"as_at": "2011-05-01"}),
        "later": (write(shelf / "later", drawn()), {"as_at": "2999-12-31", "target": "100"}),
        "export": (write_export(shelf / "export"), {}),
        "people": (write(shelf / "people", drawn()), {"group": "person"}),
    }
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(runs, pool.map(lambda run: outcome(*run), runs.values()), strict=True))


def outcome(folder, parameters):
    try:
        return released(folder, **parameters)
    except SafeguardingError as error:
        return error


def page(pages, name):
    """A page that must have been made."""
    found = pages[name]
    assert isinstance(found, Made), found
    return found


def came(tables, *agencies, until=date(2011, 7, 1)):
    """The rows of local learners who attended by a day, counted here without the package."""
    held = {row["session"] for row in tables["sessions"] if str(row["date"]) <= str(until)}
    return [
        row
        for row in tables["bookings"]
        if row["status"] == "attended"
        and row["session"] in held
        and row["learner"] in ("", "local")
        and (not agencies or row["agency"] in agencies)
    ]


def reached(tables, *agencies):
    return len({(row["agency"], row["person"]) for row in came(tables, *agencies)})


def eligible(tables, *agencies):
    return sum(row["eligible_staff"] for row in tables["workforce"] if row["agency"] in agencies)


def percents_of(table):
    """Shares of people among eligible staff, and of places among all places taken: none may be above 1."""
    shares = ("proportion", "reach", "lower", "upper", "share_of_places")
    return [value for name in shares if name in table.columns for value in table[name].drop_nulls().to_list()]


# Every board


def test_every_board_ends_with_a_page_or_with_words_for_its_owner(pages):
    for name, found in pages.items():
        if not isinstance(found, Made):
            assert str(found).startswith("training_reach: "), name
            assert not re.search(r"code cell|Traceback|Error: |None|not stated", str(found)), f"{name}: {found}"
    assert {name for name, found in pages.items() if not isinstance(found, Made)} <= {"before", "people"}


def test_no_share_of_people_is_ever_above_100(pages):
    for name, made in pages.items():
        if isinstance(made, Made):
            for path in (made.folder / "tables").glob("*.parquet"):
                assert all(0 <= share <= 1 for share in percents_of(pl.read_parquet(path))), (name, path.stem)


def test_no_page_says_none_or_nan(pages):
    for name, made in pages.items():
        if isinstance(made, Made):
            assert re.search(r"\b(?:None|nan|NaN|null)\b(?! was of one agency| of the )", made.text) is None, name


def test_shares_of_places_add_up_to_all_of_them(pages):
    for name in ("wrong", "bare", "later", "export"):
        table = page(pages, name).table("training_coverage_by_sector_group")
        parts = table.filter(pl.col("sector_group") != "Total")["share_of_places"]
        assert parts.null_count() or abs(parts.sum() - 1) < 1e-9, name


# Returns that are missing or too small


def test_agency_with_too_small_a_return_is_shown_with_both_counts_and_explained(pages):
    made, tables = page(pages, "wrong"), everything_wrong()
    people = reached(tables, "Schools")
    assert people > 24  # 4 groups × 6
    row = made.row("training_reach_by_agency", agency="Schools")
    assert (row["numerator"], row["denominator"], row["proportion"]) == (people, 24, None)
    assert f"More people than the return says are eligible: Schools ({people} people, 24 eligible)." in made.text
    assert f"Schools | {people} | 24 | – | – |" in made.text


def test_agency_with_an_empty_head_count_leaves_the_total_unknown_and_is_named(pages):
    made, tables = page(pages, "wrong"), everything_wrong()
    row = made.row("training_reach_by_agency", agency="Health")
    assert (row["numerator"], row["denominator"]) == (reached(tables, "Health"), None)
    total = made.row("training_reach_by_agency", agency="Total")
    assert (total["numerator"], total["denominator"], total["proportion"]) == (reached(tables), None, None)
    missing = (
        "It is not known what share of all eligible staff that is, because the number of staff is missing for: Health."
    )
    # The answer comes first: how many were reached, of the target.
    answer = f"The target was 180 people by 30 June 2011; {reached(tables)} were reached, "
    assert re.search(rf"(?m)^{re.escape(answer)}[^\n]*\. {re.escape(missing)}", made.text)
    assert re.search(r"(?m)^No (?:full )?return of eligible staff: [^\n]*\n+Health$", made.text)


def test_all_agencies_with_too_small_a_return_still_make_a_page(pages):
    made, tables = page(pages, "over"), all_over()
    for agency in AGENCIES:
        row = made.row("training_reach_by_agency", agency=agency)
        assert (row["numerator"], row["denominator"], row["proportion"]) == (reached(tables, agency), 12, None)
        assert f"{agency} ({reached(tables, agency)} people, 12 eligible)" in made.text


def test_rules_for_nobody_make_nobody_current_and_give_nobody_a_need(pages):
    made = page(pages, "over")
    assert made.table("training_currency_by_agency").is_empty()
    assert made.table("training_needs").is_empty()
    assert set(made.table("currency_ageing")["count"].to_list()) <= {0, None}
    assert "Target group 8: a course of level 1 or higher in the last 36 months." in made.text


# An agency that merged


def test_merged_agency_counts_under_its_successor_and_the_page_says_so(pages):
    made, tables = page(pages, "wrong"), everything_wrong()
    row = made.row("training_reach_by_agency", agency="Probation")
    people = {row["person"] for row in came(tables, "Probation", "Housing")}
    assert (row["numerator"], row["denominator"]) == (len(people), 4 * (38 * 3 // 2))
    assert "Housing became part of Probation on 1 June 2011" in made.text
    assert "Housing" not in made.table("training_reach_by_agency")["agency"].to_list()
    assert made.table("inter_agency_mix")["agencies_present"].drop_nulls().max() <= 4


# Sessions that are odd


def test_session_without_known_places_leaves_take_up_unknown(pages):
    made = page(pages, "wrong")
    (row,) = made.table("attendance").to_dicts()
    assert (row["capacity"], row["take_up"]) == (None, None)
    assert "how many places were offered is not known, so there is no take-up" in made.text


def test_planned_sessions_are_in_no_figure(pages):
    made = page(pages, "wrong")
    names = made.table("inter_agency_mix")["session_in_district"].to_list()
    assert sorted(name[:3] for name in names) == [f"S{number:02}" for number in range(12)]
    (cost,) = made.table("training_cost").to_dicts()
    assert (cost["sessions"], cost["sessions_costed"], cost["total_cost"]) == (12, 11, 11 * 400)
    assert "The cost of 11 of 12 sessions is known" in made.text


def test_learners_from_elsewhere_take_places_and_are_not_reached_and_trainers_do_neither(pages):
    made, tables = page(pages, "wrong"), everything_wrong()
    attended = [row for row in tables["bookings"] if row["status"] == "attended"]
    places = [row for row in attended if row["learner"] not in ("trainer", "test")]
    assert len(attended) > len(places) > len(came(tables))
    assert made.row("training_coverage_by_sector_group", sector_group="Total")["places"] == len(places)
    assert made.row("training_coverage_by_sector_group", sector_group="Total")["people"] == reached(tables)


def test_own_targets_of_districts_are_used_and_others_have_none(pages):
    made, tables = page(pages, "wrong"), everything_wrong()
    district = {row["session"]: row["district"] for row in tables["sessions"]}
    dover = {(row["agency"], row["person"]) for row in came(tables) if district[row["session"]] == "Dover"}
    row = made.row("coverage_needed_by_district", district="Dover")
    assert (row["target"], row["reached"], row["still_needed"]) == (90, len(dover), 90 - len(dover))
    ashford = made.row("coverage_needed_by_district", district="Ashford")
    assert (ashford["target"], ashford["still_needed"]) == (None, None)


def test_own_rules_and_groups_of_sectors_are_said(pages):
    made = page(pages, "wrong")
    assert "Target group 1: a course of level 1 or higher in the last 2 months." in made.text
    assert "Target group 4: a course" not in made.text
    groups = made.table("training_coverage_by_sector_group")["sector_group"].to_list()
    assert sorted(groups) == ["Health and CFE", "Other sectors", "Total"]


def test_staff_of_two_years_are_not_added_up(pages):
    made = page(pages, "wrong")
    assert made.row("training_reach_by_agency", agency="Police")["denominator"] == 4 * (45 * 3 // 2)
    assert "year to 31 March 2012" in made.text


# The three tables that are needed


def test_page_is_made_of_three_tables_and_says_what_is_missing(pages):
    made, tables = page(pages, "bare"), bare()
    total = made.row("training_reach_by_agency", agency="Total")
    assert (total["numerator"], total["denominator"]) == (reached(tables), eligible(tables, *AGENCIES))
    for sentence in (
        "how many places were offered is not known, so there is no take-up",
        "No target is set, so what is still needed cannot be said.",
        "What a place costs is not shown: no cost is given, or it would give a small number away.",
        "No staff records show who started in the year before, so induction cannot be judged.",
    ):
        assert sentence in made.text
    assert made.table("training_cost").is_empty()
    assert "The target was" not in made.text
    assert "on 9 June 2011" in made.text  # the day of the last session, as board.toml names none


# Groupings and policies


def test_target_groups_are_compared_and_counts_are_rounded(pages):
    made = page(pages, "groups")
    table = made.table("training_reach_by_target_group")
    assert table["target_group"].to_list() == ["1", "2", "3", "4", "Total"]
    assert [count % 5 for count in table["numerator"].drop_nulls().to_list()] == [0] * table["numerator"].count()
    assert "Counts are rounded to multiples of 5" in made.text
    assert "training_reach_by_agency" not in {path.stem for path in (made.folder / "tables").iterdir()}


def counts_of(made):
    """Every count of people and places that a release shows."""
    names = ("numerator", "denominator", "count", "places", "people", "attended", "registered", "reached", "current")
    tables = [pl.read_parquet(path) for path in (made.folder / "tables").glob("*.parquet")]
    return [count for table in tables for name in names if name in table.columns for count in table[name].drop_nulls()]


def test_counts_are_multiples_of_10_where_the_board_rounds_to_10(pages):
    made, tables = page(pages, "records"), with_records()
    assert {count % 10 for count in counts_of(made)} == {0}
    assert abs(made.row("training_reach_by_agency", agency="Total")["numerator"] - reached(tables)) <= 10
    assert "Counts are rounded to multiples of 10" in made.text


def test_staff_records_answer_what_returns_cannot(pages):
    made = page(pages, "records")
    assert "new staff had training within three months of their first day" in made.text
    assert "No staff records" not in made.text
    assert made.table("induction_on_time")["denominator"].drop_nulls().len() == 1


def test_counts_are_hidden_up_to_7_and_multiples_of_5_as_nhs_has_it(pages):
    shown = counts_of(page(pages, "nhs"))
    assert {count % 5 for count in shown} == {0}
    assert max(shown) > 100


# Few people


def test_two_people_are_hidden_everywhere(pages):
    made = page(pages, "two")
    for name, people in (
        ("training_reach_by_agency", "numerator"),
        ("places_taken_by_district", "count"),
        ("attendance", "attended"),
        ("inter_agency_mix", "attended"),
        ("training_cost", "people"),
        ("coverage_needed_by_district", "reached"),
    ):
        assert [count for count in made.table(name)[people].drop_nulls().to_list() if count] == [], name


def test_agency_alone_is_its_own_total(pages):
    made, tables = page(pages, "alone"), drawn((60,), AGENCIES[:1])
    for agency in ("Health", "Total"):
        row = made.row("training_reach_by_agency", agency=agency)
        assert (row["numerator"], row["denominator"]) == (reached(tables), 4 * (60 * 3 // 2))
    assert "Too few agencies have a figure that can be shown to compare them." in made.text


# Nothing to count


def test_day_before_every_session_is_refused_with_the_first_day_that_could_be_asked_for(pages):
    assert str(pages["before"]).splitlines()[0] == (
        "training_reach: no session of the year chosen had been held by 1 May 2011, so there is nothing to evaluate. "
        "The first is on 10 May 2011. Choose another time_period or as_at."
    )


def test_nobody_who_came_is_a_page_that_says_0(pages):
    made, tables = page(pages, "nobody"), nobody_came()
    (row,) = made.table("attendance").to_dicts()
    assert (row["registered"], row["attended"], row["cancelled"]) == (
        len(tables["bookings"]),
        0,
        len(tables["bookings"]),
    )
    assert f"Of {len(tables['bookings'])} registered, 0 attended as booked" in made.text


def test_day_in_the_far_future_counts_all_sessions_and_nobody_is_current(pages):
    made, tables = page(pages, "later"), drawn()
    assert made.row("training_reach_by_agency", agency="Total")["numerator"] == reached(tables)
    assert made.row("training_currency_by_agency", agency="Total")["numerator"] == 0
    assert "On 31 December 2999, 0 of" in made.text
    assert f"The target was 100 people by 30 June 2011; {reached(tables)} were reached" in made.text


# An export of a booking system


def test_export_gives_the_same_reach_as_the_tables_it_was_written_from(pages):
    made, tables = page(pages, "export"), drawn()
    for agency in AGENCIES:
        row = made.row("training_reach_by_agency", agency=agency)
        assert (row["numerator"], row["denominator"]) == (reached(tables, agency), eligible(tables, agency))


def test_nobody_of_the_export_stands_in_the_release(pages):
    made = page(pages, "export")
    for path in made.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes().lower()
            assert b"@kent.gov.uk" not in content, path.name
            assert b"ann other" not in content, path.name
            assert b"0123456789abcdef" * 4 not in content, path.name


# What is refused


def test_day_that_is_none_is_refused_in_one_sentence_before_a_page_is_begun(tmp_path):
    with pytest.raises(ParameterError) as caught:
        released(write(tmp_path / "board", drawn()), as_at="1st July")
    assert str(caught.value) == 'as_at must be a day such as 2011-07-01. Found: "1st July".'
    assert not (tmp_path / "board_out").exists()


def test_people_are_no_grouping(pages):
    assert isinstance(pages["people"], SafeguardingError)
    assert "Px" not in str(pages["people"])


def refusal(folder, tables, settings=BOARD + TARGET):
    """The message for a board that breaks a rule: no notebook is run."""
    with pytest.raises(TableError) as caught:
        released(write(folder / "board", tables, settings))
    assert not (folder / "board_out" / "release").exists()
    assert "Px" not in str(caught.value)
    return str(caught.value)


def test_booking_that_stands_twice_is_refused_with_its_rows(tmp_path):
    tables = drawn()
    tables["bookings"].append(tables["bookings"][0])
    assert refusal(tmp_path, tables) == (
        f"bookings.csv, column person: 2 of {len(tables['bookings'])} rows: rows 2, {len(tables['bookings']) + 1}. "
        "Found: the same more than once. Wanted: one row per session and person."
    )


def test_booking_of_a_session_that_did_not_exist_is_refused_with_the_nearest(tmp_path):
    tables = drawn()
    tables["bookings"][0]["session"] = "S99"
    said = refusal(tmp_path, tables)
    assert said.startswith(f'bookings.csv, column session: 1 of {len(tables["bookings"])} rows: row 2. Found: "S99"')
    assert said.endswith("Wanted: session listed in the table sessions.")


def test_attended_before_the_session_was_held_is_refused(tmp_path):
    tables = drawn()
    tables["sessions"][0]["date"] = "2011-08-01"
    attended = [row for row in tables["bookings"] if row["session"] == "S00" and row["status"] == "attended"]
    said = refusal(tmp_path, tables)
    assert said.startswith(f"bookings.csv, column status: {len(attended)} of {len(tables['bookings'])} rows: rows ")
    assert "Wanted: a session held by 2011-07-01, the as_at under [board] in board.toml" in said


def test_staff_returned_by_an_agency_and_its_successor_are_refused(tmp_path):
    tables = drawn()
    tables["agencies"][-1].update(merged_into="Probation", merged_on="2011-06-01")
    said = refusal(tmp_path, tables)
    assert said.startswith('workforce.csv, column agency: 4 of 20 rows: rows 18, 19, 20, 21. Found: "Housing".')
    assert "are these staff counted twice?" in said


def test_negative_target_of_a_district_is_refused_by_its_setting(tmp_path):
    said = refusal(tmp_path, drawn(), f'{BOARD}[training]\ndistrict_targets = {{ "Dover" = -100 }}\n')
    assert said.startswith("board.toml, setting training.district_targets.Dover: ")


def test_missing_table_is_named(tmp_path):
    tables = drawn()
    del tables["workforce"]
    assert refusal(tmp_path, tables) == (
        "training_reach: This page needs workforce.csv, which the board's folder does not hold."
    )
