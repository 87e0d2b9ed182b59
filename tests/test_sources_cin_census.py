"""Files of the children in need census, well made or not → the tables of a board, or one sentence that says why."""

import gzip
import hashlib
import io
import itertools
import random
import re
import subprocess
import sys
import textwrap
import tracemalloc
import zipfile
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from census_files import census, child, details, element, enquiry, header, plan, write
from safeguarding_analytics.child_protection import repeat_plan_rate
from safeguarding_analytics.contracts import check_table, say_problems
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.pseudonyms import Key
from safeguarding_analytics.sources import census_check, census_xml, cin_census
from safeguarding_analytics.sources.census_check import CHUNK
from safeguarding_analytics.sources.census_xml import parse_rows, validate_against
from safeguarding_analytics.sources.cin_census import read_cin_census, table_of
from safeguarding_analytics.sources.cin_records import LAYOUT, identities_in_census
from safeguarding_analytics.sources.files import ROW
from safeguarding_analytics.tables import TABLES

SHARED = Path(__file__).parents[2] / "shared"
CIN = SHARED / "data" / "cin"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not beside the project")

SECRET = bytes(range(32))
KEY = Key(SECRET)
ONE = child("C1", details(enquiry("2023-05-18", "2023-06-07"), plan("2023-06-07", reviews=["2023-08-30"])))
PLAIN = census(ONE)


def pseudonym(text):
    return "P" + hashlib.blake2b(text.casefold().encode(), key=SECRET, digest_size=10).hexdigest()


def read(folder, *texts, key=KEY, **options):
    paths = [write(folder, f"census_{place}.xml", text) for place, text in enumerate(texts, 1)]
    return read_cin_census(paths, key, **options)


def refused(folder, content, name="census.xml"):
    with pytest.raises(TableError) as error:
        read_cin_census([write(folder, name, content)], KEY)
    return str(error.value)


def rows(frame, *columns):
    return frame.select(columns).rows()


def checked(found, table):
    """A table after its contract, as a board reads it; and what is said of it."""
    result = check_table(table, getattr(found, table), TABLES[table], {})
    problems = found.in_its_words(table, result.problems)
    names = {name: name.partition(": ")[2] or name for name in problems["table"].unique()}
    return result.frame, "\n".join(say_problems(problems, names, {}))


# The tables.


def test_a_census_becomes_tables_that_keep_their_contracts(tmp_path):
    found = read(tmp_path, PLAIN, authority="Kent")
    assert found.plans.drop("plan", ROW).rows(named=True) == [
        {
            "child": pseudonym("383/C1"),
            "authority": "Kent",
            "district": None,
            "category": "NEG",
            "start_date": "2023-06-07",
            "end_date": None,
            "previous_plans": "0",
            "latest_category": "NEG",
            "birth_date": "2015-03-27",
            "death_date": None,
            "moved_date": None,
        }
    ]
    assert rows(found.conferences, "child", "section_47_start", "conference_date", "not_required") == [
        (pseudonym("383/C1"), "2023-05-18", "2023-06-07", "false")
    ]
    assert rows(found.reviews, "plan", "review_date") == [(found.plans["plan"][0], "2023-08-30")]
    for table in ("plans", "conferences", "reviews"):
        frame, said = checked(found, table)
        assert said == ""
        assert frame.height == 1
    assert (found.complete_from, found.complete_to) == (date(2023, 4, 1), date(2024, 3, 31))
    assert found.notes == ()
    assert found.problems.is_empty()
    assert found.digests == {"census_1.xml": hashlib.sha256(PLAIN.encode()).hexdigest()}
    assert found.header.row(0, named=True) == {
        "file": "census_1.xml",
        "reference_date": date(2024, 3, 31),
        "collection": "CIN",
        "year": "2024",
        "authority_number": "383",
        "software": None,
        "release": None,
    }


def test_identifiers_of_children_are_in_nothing_that_comes_out(tmp_path):
    upn = element("UPN", "A123456789123")
    found = read(tmp_path, PLAIN.replace("C1", "Child-of-Smith").replace("\n<Sex>", f"{upn}\n<Sex>"))
    said = repr(found) + "".join(frame.write_csv() for frame in (found.plans, found.conferences, found.reviews))
    said += "".join(getattr(found.years[0], name).write_csv() for name in ("children", "details", "plans", "reviews"))
    assert "smith" not in said.casefold()
    assert "A123456789123" not in said
    assert identities_in_census([tmp_path / "census_1.xml"]) == {"Child-of-Smith": "LAchildID", "A123456789123": "UPN"}


def test_the_same_child_has_the_same_pseudonym_in_every_file_and_another_in_another_authority(tmp_path):
    first = read(tmp_path, PLAIN.replace("C1", " c1 "))
    second = read(tmp_path, census(ONE, year=2025))
    other = read(tmp_path, census(ONE, authority="886"))
    assert first.plans["child"][0] == second.plans["child"][0] != other.plans["child"][0]


def test_without_a_key_children_are_numbered_and_only_one_file_is_read(tmp_path):
    found = read(tmp_path, census(ONE, child("C2", details(plan("2023-07-03")))), key=None)
    assert found.plans["child"].to_list() == ["C1", "C2"]
    with pytest.raises(TableError, match=r"without a key children cannot be followed from one file to the next"):
        read(tmp_path, PLAIN, census(ONE, year=2025), key=None)


def test_no_file_is_refused():
    with pytest.raises(TableError, match="no file is named"):
        read_cin_census([], KEY)


def test_a_missing_or_placeholder_identifier_breaks_the_contract_row_by_row(tmp_path):
    text = census(*(child(name, details(plan(f"2023-07-0{3 + day}"))) for day, name in enumerate(["", "999", "TBC"])))
    _, said = checked(read(tmp_path, text), "plans")
    assert "3 of 3 rows" in said
    assert "child 1 of the file, (not shown: it could identify a person)" in said
    assert "Wanted: an identifier, not a placeholder" in said


def test_dates_that_cannot_be_read_are_told_by_file_line_and_place_of_the_child(tmp_path):
    text = census(
        ONE,
        child("C2", details(plan("2023-13-40"), enquiry("2023-05-18", "07/06/2023"))),
        child("C3", details(plan("2023-07-03", reviews=["soon"]))),
    )
    found = read(tmp_path, text)
    lines = text.splitlines()
    at = {name: [n for n, line in enumerate(lines, 1) if line == f"<{name}>"] for name in ("Section47", "Reviews")}
    start = [number for number, line in enumerate(lines, 1) if line == "<ChildProtectionPlans>"][1]
    assert found.problems.rows() == [
        ("conferences: census_1.xml", at["Section47"][1], "conference_date", *WANTED, "child 2 of the file"),
        ("plans: census_1.xml", start, "start_date", *WANTED, "child 2 of the file"),
        ("reviews: census_1.xml", at["Reviews"][1], "review_date", *WANTED, "child 3 of the file"),
    ]
    said = checked(found, "plans")[1]
    assert said.count("start_date") == 1  # and not once more as empty
    assert f"row {start}" in said
    assert "2023-13-40" not in repr(found)
    assert table_of("plans", "census_1.xml") == found.problems["table"][1]


WANTED = ("a date such as 2024-03-31, of the years 1900 to 2100",)


@pytest.mark.parametrize(
    "text", [" 2023-06-07 ", "\n  2023-06-07\n", "2023-06-07Z", "2023-06-07+01:00", "2023-06-07T00:00:00"]
)
def test_dates_may_have_spaces_a_zone_or_a_time(tmp_path, text):
    assert read(tmp_path, census(child("C1", details(plan(text))))).plans["start_date"].to_list() == ["2023-06-07"]


def test_codes_that_are_not_allowed_are_told_by_line_and_child_without_a_hint_at_the_folder(tmp_path):
    _, said = checked(read(tmp_path, census(ONE, child("C2", details(plan("2023-07-03", category="NGE"))))), "plans")
    assert "child 2 of the file" in said
    assert "Wanted: one of NEG, PHY, SAB, EMO, MUL" in said
    assert "board.toml" not in said


@pytest.mark.parametrize(
    ("sex", "gender", "wanted"),
    [
        *(("M", None, "M"), ("F", None, "F"), ("U", None, "U"), ("1", None, "M"), ("2", None, "F"), ("m", None, "M")),
        *((None, "1", "M"), (None, "2", "F"), (None, "0", "U"), (None, "9", "U"), ("7", None, None)),
    ],
)
def test_both_codings_of_sex_are_read(tmp_path, sex, gender, wanted):
    found = read(tmp_path, census(child("C1", details(), sex=sex, gender=gender)))
    assert found.years[0].children["sex"].to_list() == [wanted]


@pytest.mark.parametrize(("written", "meant"), [("0", False), ("1", True), ("true", True), ("FALSE", False)])
def test_both_spellings_of_yes_and_no_are_read(tmp_path, written, meant):
    found = read(tmp_path, census(child("C1", details(enquiry("2023-05-18", not_required=written)))))
    assert checked(found, "conferences")[0]["not_required"].to_list() == [meant]


def test_an_expected_birth_counts_where_there_is_no_other(tmp_path):
    unborn = child("C1", details(plan("2023-07-03")), born=None, expected="2023-10-02")
    born = child("C2", details(plan("2023-07-03")), expected="1066-04-13")
    assert read(tmp_path, census(unborn, born)).plans["birth_date"].to_list() == ["2023-10-02", "2015-03-27"]


# Conferences: one counted once.


def conferences(folder, *inside, **options):
    found = read(folder, census(child("C1", details(*inside, **options))))
    frame, said = checked(found, "conferences")
    assert said == ""
    days = [tuple(None if day is None else str(day) for day in row) for row in rows(frame, *DAYS)]
    return sorted(days, key=str), found.notes


DAYS = ("section_47_start", "conference_date")


def test_a_conference_recorded_at_both_levels_on_one_day_counts_once(tmp_path):
    found, notes = conferences(tmp_path, enquiry("2023-05-18", "2023-06-07"), conference="2023-06-07")
    assert found == [("2023-05-18", "2023-06-07")]
    assert notes == ("1 conference recorded both at the enquiry and at the details: counted once",)


def test_on_two_days_they_are_two(tmp_path):
    found, _ = conferences(tmp_path, enquiry("2023-05-18", "2023-06-07"), conference="2023-09-06")
    assert found == [("2023-05-18", "2023-06-07"), (None, "2023-09-06")]


def test_a_conference_of_the_details_is_that_of_the_latest_enquiry_that_had_begun_and_needed_one(tmp_path):
    inside = [
        enquiry("2023-05-10"),
        enquiry("2023-05-18"),
        enquiry("2023-05-25", not_required="1"),
        enquiry("2023-07-03"),
    ]
    found, notes = conferences(tmp_path, *inside, conference="2023-06-07")
    assert found == [("2023-05-10", None), ("2023-05-18", "2023-06-07"), ("2023-05-25", None), ("2023-07-03", None)]
    assert "1 conference recorded at the details and not at the enquiry" in notes[0]


def test_a_conference_without_an_enquiry_stands_alone(tmp_path):
    assert conferences(tmp_path, conference="2023-06-07")[0] == [(None, "2023-06-07")]
    assert conferences(tmp_path, enquiry("2023-06-08"), conference="2023-06-07")[0] == [
        ("2023-06-08", None),
        (None, "2023-06-07"),
    ]


def test_details_without_either_hold_no_conference(tmp_path):
    assert read(tmp_path, census(child("C1", details(plan("2023-07-03"))))).conferences.is_empty()


# What became of the children.


def test_a_child_moved_when_details_were_closed_so_on_or_after_the_end_of_the_plan(tmp_path):
    closed = {"reason": "RC5", "closure": "2023-12-01"}
    kinds = [
        child("C1", details(plan("2023-05-03", "2023-12-01"), **closed)),
        child("C2", details(plan("2023-05-03", "2023-12-02"), **closed)),
        child("C3", details(plan("2023-05-03"), **closed)),
        child("C4", details(plan("2023-05-03", "2023-11-01"), reason="RC7", closure="2023-12-01")),
        child("C5", details(plan("2023-05-03", "2023-06-01")), details(**closed)),
        child("C6", details(plan("2023-05-03", "2023-06-01"), reason="RC5", closure="2024-01-05"), details(**closed)),
    ]
    moved = read(tmp_path, census(*kinds)).plans["moved_date"].to_list()
    assert moved == ["2023-12-01", None, None, None, "2023-12-01", "2023-12-01"]


def test_a_death_of_a_later_file_is_that_of_every_plan(tmp_path):
    first = census(child("C1", details(plan("2022-05-04", "2022-09-01"))), year=2023)
    found = read(tmp_path, first, census(child("C1", details(plan("2023-05-03")), died="2023-08-01")))
    assert found.plans["death_date"].to_list() == ["2023-08-01", "2023-08-01"]


# Several years.


def test_a_plan_of_two_files_is_one_and_the_later_file_counts(tmp_path):
    first = census(
        child("C1", details(plan("2023-02-01", category="PHY", reviews=["2023-03-29"]), enquiry("2023-01-04"))),
        year=2023,
    )
    second = census(
        child(
            "C1",
            details(
                plan("2023-02-01", "2023-11-30", latest="EMO", reviews=["2023-03-29", "2023-09-06"]),
                enquiry("2023-01-04", "2023-05-10"),
            ),
        ),
        year=2024,
    )
    for texts in ([first, second], [second, first]):
        found = read(tmp_path, *texts)
        assert rows(found.plans, "start_date", "end_date", "category", "latest_category") == [
            ("2023-02-01", "2023-11-30", "NEG", "EMO")
        ]
        assert found.reviews["review_date"].to_list() == ["2023-03-29", "2023-09-06"]
        assert found.reviews["plan"].unique().to_list() == found.plans["plan"].to_list()
        assert rows(found.conferences, *DAYS) == [("2023-01-04", "2023-05-10")]
        assert (found.complete_from, found.complete_to) == (date(2022, 4, 1), date(2024, 3, 31))


def test_an_identifier_of_a_plan_does_not_depend_on_the_files_read_beside_it(tmp_path):
    second = census(child("C1", details(plan("2023-07-03"))), year=2024)
    alone = read(tmp_path, second).plans["plan"][0]
    assert alone in read(tmp_path, census(ONE, year=2023), second).plans["plan"].to_list()


def test_two_plans_of_one_child_and_day_in_one_file_stay_two(tmp_path):
    found = read(tmp_path, census(child("C1", details(plan("2023-07-03", "2023-07-04"), plan("2023-07-03")))))
    assert found.plans.height == found.plans["plan"].n_unique() == 2


def test_an_open_plan_that_a_later_file_lacks_is_said(tmp_path):
    found = read(tmp_path, census(child("C1", details(plan("2022-07-04"))), year=2023), census(ONE, year=2024))
    assert len(found.notes) == 1
    assert found.notes[0].startswith("1 plan still open in the last file that has it, and not in the file of 2024")


def test_a_missing_year_makes_earlier_files_history(tmp_path):
    texts = [census(child(f"C{year}", details()), year=year) for year in (2020, 2021, 2023, 2024)]
    found = read(tmp_path, *texts)
    assert found.complete_from == date(2022, 4, 1)
    assert found.notes == (
        "there is no census of the year to 31 March 2022, so plans are complete from 2022-04-01 only; earlier files "
        "are history",
    )


def test_two_files_of_one_year_and_two_authorities_are_refused(tmp_path):
    with pytest.raises(TableError, match=r"census_1\.xml and census_2\.xml: more than one file for the same census"):
        read(tmp_path, PLAIN, census(ONE, year=2024))
    with pytest.raises(TableError, match=r"name 2 different authorities \(LEA\)"):
        read(tmp_path, PLAIN, census(ONE, year=2025, authority="886"))


def test_the_reference_date_says_which_year_it_is(tmp_path):
    found = read(tmp_path, census(ONE, top=header(2023, "2024-03-31")))
    assert found.complete_from == date(2023, 4, 1)
    assert found.notes == (
        "census_1.xml: the header says year 2023 and reference date 2024-03-31; the date counts, so this is the census "
        "of the year to 31 March 2024",
    )
    without = read(tmp_path, census(ONE, top=header(2023, None)))
    assert (without.complete_from, without.complete_to) == (date(2022, 4, 1), date(2023, 3, 31))


@pytest.mark.parametrize(
    ("top", "said"),
    [
        ("", "it has no Header"),
        (header("", None), "has no ReferenceDate"),
        (header(2024, "31/03/2024"), "has no ReferenceDate that is a date such as 2024-03-31"),
        (header(2024, collection="CLA"), "line 1: the header names another collection than CIN"),
    ],
)
def test_a_header_that_does_not_say_the_year_is_refused(tmp_path, top, said):
    message = refused(tmp_path, census(ONE, top=top))
    assert message.startswith("census.xml")
    assert said in message.replace("line 2:", "line 1:")


# Leniency.


def test_stray_text_unknown_elements_prefixes_and_comments_do_no_harm(tmp_path):
    text = PLAIN.replace("</LAchildID>", "</LAchildID>PersonBirthDate\n")
    text = text.replace("\n<Sex>", "\n<!-- C1 --><ShoeSize unit='cm'><Left>31</Left></ShoeSize>\n<Sex>")
    assert text.count("ShoeSize") == 2
    found = read(tmp_path, text)
    assert_frame_equal(found.plans, read(tmp_path, PLAIN).plans)
    line = next(number for number, each in enumerate(text.splitlines(), 1) if "ShoeSize" in each)
    assert found.notes == (f"census_1.xml: 1 element that the census has not at that place left out: line {line}",)


def test_namespaces_and_prefixes_are_left_out(tmp_path):
    plain = read(tmp_path, PLAIN).plans
    default = PLAIN.replace("<Message>", '<Message xmlns="http://www.example.org/cin">')
    prefixed = re.sub(r"<(/?)(\w)", r"<\1cin:\2", PLAIN).replace("<cin:Message>", '<cin:Message xmlns:cin="urn:x">')
    assert_frame_equal(read(tmp_path, default).plans, plain)
    assert_frame_equal(read(tmp_path, prefixed).plans, plain)


def test_text_in_pieces_is_one_value(tmp_path):
    text = PLAIN.replace("C1", "C&#49;").replace("2023-08-30", "<![CDATA[2023-]]>08<!-- - -->-30")
    found = read(tmp_path, text)
    assert found.plans["child"].to_list() == [pseudonym("383/C1")]
    assert found.reviews["review_date"].to_list() == ["2023-08-30"]


def test_a_value_given_twice_counts_as_it_was_first_and_is_said(tmp_path):
    text = PLAIN.replace("</CPPstartDate>", "</CPPstartDate><CPPstartDate>2001-01-01</CPPstartDate>")
    found = read(tmp_path, text)
    assert found.plans["start_date"].to_list() == ["2023-06-07"]
    assert "1 value given twice in one record, of which the first counts: line " in found.notes[0]


def test_a_child_that_stands_twice_is_one_child_and_is_said(tmp_path):
    found = read(tmp_path, census(ONE, child("C1", details(plan("2024-02-01")))))
    assert found.plans["child"].n_unique() == 1
    assert "2 Child elements with an LAchildID that another one has too" in found.notes[0]


def test_reviews_of_one_day_count_once_and_those_without_a_day_are_left_out(tmp_path):
    found = read(tmp_path, census(child("C1", details(plan("2023-07-03", reviews=["2023-09-06", "2023-09-06", ""])))))
    assert found.reviews["review_date"].to_list() == ["2023-09-06"]
    assert found.notes == (
        "1 review without a day that can be read left out",
        "1 review of a plan on the same day as another one: each day counts once",
    )


def test_values_of_which_nothing_is_made_are_said_and_block_nothing(tmp_path):
    found = read(tmp_path, census(child("C1", details(enquiry("2023-05-18", target="soon"), referral="never"))))
    assert found.problems.is_empty()
    assert [note.partition(" are not")[0].partition(" is not")[0] for note in found.notes] == [
        "census_1.xml: 1 value of referral_date",
        "census_1.xml: 1 value of conference_target",
    ]


def test_a_census_without_children_gives_empty_tables(tmp_path):
    found = read(tmp_path, census())
    assert (found.plans.height, found.conferences.height, found.reviews.height) == (0, 0, 0)
    assert checked(found, "plans")[1] == "plans: the file must hold at least one row below its header."


@pytest.mark.parametrize(
    ("encoding", "declaration"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-8-sig", '<?xml version="1.0" encoding="UTF-8"?>\n'),
        ("utf-16", '<?xml version="1.0" encoding="UTF-16"?>\n'),
        ("utf-16", ""),
        ("cp1252", '<?xml version="1.0" encoding="Windows-1252"?>\n'),
        ("latin-1", '<?xml version="1.0" encoding="ISO-8859-1" standalone="yes"?>\n'),
    ],
)
@pytest.mark.parametrize("large", [census_check.LARGE, 0])
def test_each_encoding_gives_the_same_tables(tmp_path, monkeypatch, encoding, declaration, large):
    monkeypatch.setattr(census_check, "LARGE", large)  # 0: in a process beside this one
    text = declaration + PLAIN.replace("C1", "Zoë – 1" if encoding != "latin-1" else "Zoë")
    found = read(tmp_path, text.encode(encoding))
    assert found.digests == {"census_1.xml": hashlib.sha256(text.encode(encoding)).hexdigest()}
    assert found.plans["child"].to_list() == [pseudonym("383/zoë – 1" if encoding != "latin-1" else "383/zoë")]
    assert found.years[0].plans["line"].to_list() == [
        next(number for number, line in enumerate(text.splitlines(), 1) if line == "<ChildProtectionPlans>")
    ]


def test_lines_are_true_in_one_line_and_across_pieces(tmp_path):
    flat = read(tmp_path, PLAIN.replace("\n", ""))
    assert flat.years[0].plans["line"].to_list() == [1]
    assert_frame_equal(flat.plans, read(tmp_path, PLAIN).plans)
    many = census(*(child(f"C{n}", details(plan("2023-07-03"))) for n in range(300)))
    wanted = [number for number, line in enumerate(many.splitlines(), 1) if line == "<ChildProtectionPlans>"]
    pieces = (many.encode()[start : start + 97] for start in range(0, len(many.encode()), 97))
    assert parse_rows(pieces, "census.xml", LAYOUT).tables["plans"]["line"].to_list() == wanted
    old_mac = many.replace("\n", "\r").encode()
    assert parse_rows([old_mac], "census.xml", LAYOUT).tables["plans"]["line"].to_list() == wanted


def test_pieces_of_any_size_give_the_same_rows(tmp_path):
    content = PLAIN.encode()
    whole = parse_rows([content], "census.xml", LAYOUT)
    for size in (1, 2, 3, 7, 64):
        pieces = [content[start : start + size] for start in range(0, len(content), size)]
        found = parse_rows(pieces, "census.xml", LAYOUT)
        for name, frame in whole.tables.items():
            assert_frame_equal(found.tables[name], frame)


def test_rows_are_the_same_however_many_wait(tmp_path, monkeypatch):
    text = census(*(child(f"C{n}", details(plan("2023-07-03", reviews=["2023-09-06"]))) for n in range(20)))
    whole = read(tmp_path, text)
    monkeypatch.setattr(census_xml, "MOST_ROWS_WAITING", 0)
    pieces = [text.encode()[start : start + 50] for start in range(0, len(text), 50)]
    found = parse_rows(pieces, "census.xml", LAYOUT)
    assert found.tables["plans"].height == whole.plans.height == 20
    assert found.tables["reviews"]["parent"].to_list() == list(range(1, 21))


@pytest.mark.parametrize("together", [1, 3, 1000])
def test_tables_are_the_same_however_many_are_joined_at_once(tmp_path, monkeypatch, together):
    days = ["2023-07-03", "2023-11-01"]
    texts = [
        census(
            *(child(f"C{n}", details(enquiry(days[n % 2]), plan(day, reviews=["2023-12-01"]))) for n in order),
            top=header(year),
        )
        for year, order, day in ((2024, range(9), days[0]), (2025, range(8, -1, -1), "2024-05-01"))
    ]
    monkeypatch.setattr(cin_census, "TOGETHER", together)
    found = read(tmp_path, *texts)
    # Which part a child falls into tells in which order the rows come: of all of them where one part is enough.
    place = found.places.filter(pl.col("table") == "plans").drop("table")
    plans = found.plans.join(place, on=ROW, validate="1:1").sort("file", "line")
    assert found.plans[ROW].to_list() == list(range(1, 19))
    assert together < 1000 or plans[ROW].to_list() == list(range(1, 19))
    assert plans["start_date"].to_list() == [days[0]] * 9 + ["2024-05-01"] * 9
    assert plans["child"].to_list()[:9] == plans["child"].to_list()[:8:-1]
    assert found.plans["plan"].n_unique() == 18
    assert found.reviews["plan"].is_in(found.plans["plan"].implode()).all()
    assert found.reviews.height == 18
    place = found.places.filter(pl.col("table") == "conferences").drop("table")
    conferences = found.conferences.join(place, on=ROW, validate="1:1").sort("file", "line")
    assert conferences["section_47_start"].to_list()[:9] == [days[n % 2] for n in range(9)]


# The same, read by ElementTree.


def by_element_tree(text):
    """Tables as the layout has them, in plain steps: values as they are first given, trimmed, empty ones as none.

    Days as dates; and which cells hold something else, by table, number of the row and element.
    """
    found = {name: [] for name in ("children", "details", "enquiries", "plans", "reviews")}
    no_days = set()

    def record(table, parent, elements, names):
        values = {}
        for each in elements:
            values.setdefault(each.tag, (each.text or "").strip() or None)
        for name in HOLD_DAYS & set(names):
            # Of what the files below are made of, only this is a day.
            no_days.update({(table, len(found[table]) + 1, name)} if values.get(name) not in (None, A_DAY) else ())
            values[name] = date(2023, 1, 2) if values.get(name) == A_DAY else None
        found[table].append((len(found[table]) + 1, parent, *(values.get(name) for name in names)))
        return len(found[table])

    children = ElementTree.fromstring(text).find("Children")
    for one in children.findall("Child"):
        at = record("children", None, one.findall("ChildIdentifiers/*"), COLUMNS["children"])
        for each in one.findall("CINdetails"):
            within = record("details", at, each, COLUMNS["details"])
            for inner in each:
                if inner.tag == "Section47":
                    record("enquiries", within, inner, COLUMNS["enquiries"])
                elif inner.tag == "ChildProtectionPlans":
                    of = record("plans", within, inner, COLUMNS["plans"])
                    for reviews in inner.findall("Reviews"):
                        for day in list(reviews) or [None]:
                            record("reviews", of, [] if day is None else [day], COLUMNS["reviews"])
    return found, no_days


COLUMNS = {
    "children": LAYOUT["Message"].inner["Children"].inner["Child"].columns(),
    "details": LAYOUT["Message"].inner["Children"].inner["Child"].inner["CINdetails"].values,
    "enquiries": ("S47ActualStartDate", "InitialCPCtarget", "DateOfInitialCPC", "ICPCnotRequired"),
    "plans": ("CPPstartDate", "CPPendDate", "InitialCategoryOfAbuse", "LatestCategoryOfAbuse", "NumberOfPreviousCPP"),
    "reviews": ("CPPreviewDate",),
}
HOLD_DAYS = {
    *("PersonBirthDate", "ExpectedPersonBirthDate", "PersonDeathDate", "CINreferralDate", "CINclosureDate"),
    *("DateOfInitialCPC", "S47ActualStartDate", "InitialCPCtarget", "CPPstartDate", "CPPendDate", "CPPreviewDate"),
}
A_DAY = "2023-01-02"
PLACES = {
    "Child": ("ChildIdentifiers", "ChildCharacteristics", "CINdetails", "CINdetails"),
    "CINdetails": (*COLUMNS["details"], "Assessments", "Section47", "ChildProtectionPlans"),
    "ChildIdentifiers": COLUMNS["children"],
    "Section47": COLUMNS["enquiries"],
    "ChildProtectionPlans": (*COLUMNS["plans"], "Reviews", "Reviews"),
    "Reviews": COLUMNS["reviews"],
    "Assessments": ("Assessments", "Section47", "CPPstartDate"),
    "ChildCharacteristics": ("Disabilities", "Sex"),
}
BETWEEN = [
    "",
    "",
    "\n",
    "\n    ",
    " a > b ",
    "<!-- a <Sex>F</Sex> > -->",
    "<?x <Child>?>",
    "<![CDATA[<Child>]]>",
    "&amp;é",
]
TAIL = ["", "", "", " ", "\n", ' a="1"', " b='x > y'", "\n c=\"'/>'\""]
PARTS = [
    A_DAY,
    "C1",
    "",
    " ",
    "a > b",
    "&lt;Sex&gt;",
    "&#x41;&#0066;",
    "<![CDATA[<Sex>]]>",
    "<!-- - -->",
    "<?x?>",
    "é",
]


def any_element(chance, name):
    """An element in one of the many ways to write it, with some of what may stand in it."""
    inside = ""
    if name in PLACES:
        kinds = [each for each in PLACES[name] if chance.random() < 0.5 or name == "Reviews"]
        pieces = [chance.choice(BETWEEN) + any_element(chance, each) for each in kinds]
        inside = "".join(pieces) + chance.choice(BETWEEN)
    elif name not in ("Disabilities",):
        inside = "".join(chance.choice(PARTS) for _ in range(chance.choice([0, 1, 1, 2])))
    tail = chance.choice(TAIL)
    if not inside and chance.random() < 0.5:
        return f"<{name}{tail}/>"
    return f"<{name}{tail}>{inside}</{name}{chance.choice(['', '', ' '])}>"


@pytest.mark.parametrize("seed", range(60))
def test_however_it_is_written_a_file_gives_the_rows_that_elementtree_gives(seed):
    chance = random.Random(seed)
    inside = "".join(any_element(chance, "Child") + chance.choice(BETWEEN) for _ in range(4))
    text = f"<Message>{header()}<Children>{inside}</Children></Message>".replace("\n", chance.choice(["\n", "\r\n"]))
    content, size = text.encode(chance.choice(["utf-8", "utf-16"])), chance.choice([5, 64, CHUNK])
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    no_days = set()

    def noted(table, rows, unread):
        no_days.update((table, number, name) for name, numbers in unread.items() for number in numbers)
        return rows

    tables = parse_rows(pieces, "census.xml", LAYOUT, noted).tables
    wanted, wanted_no_days = by_element_tree(text)
    for name, rows in wanted.items():
        assert tables[name].drop("line").rows() == rows
    assert no_days == wanted_no_days


def test_lines_are_those_on_which_elements_begin_however_tags_and_comments_are_broken():
    text = PLAIN.replace("<Section47>", "<!-- a\nb --><?c\nd?>\n<![CDATA[\n]]><Section47\n\n>").replace(
        "<Reviews>", "<LatestCategoryOfAbuse\n>2</LatestCategoryOfAbuse><Unknown/>\n<Reviews>"
    )
    tables = parse_rows([text.encode()], "census.xml", LAYOUT)
    lines = text.splitlines()
    at = {name: 1 + lines.index(line) for name, line in LINES.items()}
    assert tables.tables["enquiries"]["line"].to_list() == [at["enquiry"]]
    assert tables.tables["reviews"]["line"].to_list() == [at["reviews"]]
    assert (tables.twice, tables.unknown) == ((at["twice"],), (at["twice"] + 1,))


LINES = {"enquiry": "]]><Section47", "reviews": "<Reviews>", "twice": "<LatestCategoryOfAbuse"}


def test_the_line_of_what_is_refused_is_the_one_on_which_it_begins(tmp_path):
    lines = PLAIN.splitlines()
    at = 1 + lines.index("<CPPstartDate>2023-06-07</CPPstartDate>")
    assert refused(tmp_path, PLAIN.replace("2023-06-07</CPP", "<b/></CPP")).startswith(f"census.xml, line {at}: ")
    assert refused(tmp_path, PLAIN.replace("2023-06-07</CPP", "\n" * 10_001 + "</CPP")).startswith(
        f"census.xml, line {at}: a value is longer than 10,000 characters"
    )


def test_references_count_as_the_character_for_which_they_stand():
    ten_thousand = INSIDE + b"<LAchildID>" + b"&#x0041;" * 10_000 + b"</LAchildID>"
    end = b"</ChildIdentifiers></Child></Children></Message>"
    found = parse_rows([ten_thousand + end], "census.xml", LAYOUT).tables["children"]
    assert found["LAchildID"].to_list() == ["A" * 10_000]


# What is no census, or would do harm.

ENTITIES = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
BOMB = f'<?xml version="1.0"?><!DOCTYPE Message [<!ENTITY a0 "ha">{ENTITIES}]>' + PLAIN.replace("C1", "&a9;")


def packed(name):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, PLAIN)
    return file.getvalue()


BAD = {
    "empty": (b"", "line 1: the file is empty"),
    "spaces alone": (b" \n\t\n", "line 1: the file is empty"),
    "zeros alone": (bytes(2000), "line 1: the file is empty"),
    "gzip": (gzip.compress(PLAIN.encode()), "line 1: its name says XML, but it is a compressed file (gzip)"),
    "zip": (packed("census.xml"), "it is a ZIP archive or a workbook"),
    "workbook": (packed("xl/workbook.xml"), "it is a ZIP archive or a workbook"),
    "old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an old workbook or document, or one with a"),
    "CSV": (b"LAchildID,Sex\nC1,M\n", "line 1: this is no XML"),
    "JSON": (b'{"Message": {}}', "line 1: this is no XML"),
    "web page": (b"<!DOCTYPE html><html><body>Sign in</body></html>", "line 1: this is a web page"),
    "another XML": (b"<?xml version='1.0'?>\n<Workbook><Sheet/></Workbook>", "line 2: the outermost element is not"),
    "cut off": (PLAIN[: len(PLAIN) // 2].encode(), "it is cut off"),
    "cut off within a letter": (PLAIN.replace("C1", "Zoë").encode().partition(b"\xab")[0], "it is cut off"),
    "crossed": (PLAIN.replace("</Child>", "</CINdetails>").encode(), "an element is closed that is not the last one"),
    "two in one": ((PLAIN + "\n" + PLAIN).encode(), "there is more behind the outermost element"),
    "ampersand": (PLAIN.replace("C1", "A & B").encode(), "the file is not well-formed XML"),
    "entity of a web page": (PLAIN.replace("C1", "A&nbsp;B").encode(), "an entity is used that XML does not know"),
    "undeclared Windows-1252": (PLAIN.replace("C1", "Zoë").encode("cp1252"), "its bytes are not in the encoding that"),
    "not what it declares": (
        b'<?xml version="1.0" encoding="UTF-16"?>' + PLAIN.encode(),
        "its bytes are not in the encoding that it declares",
    ),
    "made-up encoding": (
        b'<?xml version="1.0" encoding="klingon"?>' + PLAIN.encode(),
        "line 1: it declares an encoding that is not read",
    ),
    "encoding that Python has": (
        b'<?xml version="1.0" encoding="utf-7"?>' + PLAIN.encode(),
        "line 1: it declares an encoding that is not read",
    ),
    "line before the declaration": (
        b'\n<?xml version="1.0"?>' + PLAIN.encode(),
        "something stands before the XML declaration",
    ),
    "bomb": (BOMB.encode(), "line 1: it declares a document type or entities"),
    "external entity": (
        b'<!DOCTYPE Message [<!ENTITY secret SYSTEM "file:///etc/passwd">]>' + PLAIN.replace("C1", "&secret;").encode(),
        "it declares a document type or entities",
    ),
    "external document type": (
        b'<!DOCTYPE Message SYSTEM "http://127.0.0.1:9/cin.dtd">' + PLAIN.encode(),
        "it declares a document type or entities",
    ),
    "parameter entity": (
        b'<!DOCTYPE Message [<!ENTITY % all SYSTEM "file:///etc/passwd"> %all;]>' + PLAIN.encode(),
        "it declares a document type or entities",
    ),
    "value with elements": (
        PLAIN.replace("C1", "<b>C1</b>").encode(),
        "an element that holds a value has others in it",
    ),
    "long value": (PLAIN.replace("C1", "C" * 10_001).encode(), "a value is longer than 10,000 characters"),
}


@pytest.mark.parametrize("large", [census_check.LARGE, 0])
@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_census_is_refused_in_one_sentence(tmp_path, monkeypatch, kind, large):
    monkeypatch.setattr(census_check, "LARGE", large)  # 0: in a process beside this one
    content, said = BAD[kind]
    message = refused(tmp_path, content)
    assert re.match(r"census\.xml, line \d+: ", message)
    assert said in message
    assert message.endswith((".", "?"))
    assert message.count("\n") == 0
    for value in ("C1", "Zoë", "2015-03-27", "root:", "haha", "383"):
        assert value not in message


def test_the_line_of_a_mistake_is_named(tmp_path):
    broken = PLAIN.replace("</CPPstartDate>", "</CPPendDate>")
    line = next(number for number, each in enumerate(broken.splitlines(), 1) if "</CPPendDate>" in each)
    assert refused(tmp_path, broken).startswith(f"census.xml, line {line}: an element is closed that is not the last")


def test_an_external_entity_is_never_opened(tmp_path):
    """Opening a pipe that nobody writes into would wait for ever."""
    import os

    os.mkfifo(tmp_path / "pipe")
    content = f'<!DOCTYPE Message [<!ENTITY secret SYSTEM "{(tmp_path / "pipe").as_uri()}">]>{PLAIN}'
    assert "document type" in refused(tmp_path, content.replace("C1", "&secret;"))


def test_a_missing_file_a_folder_and_a_forbidden_file_are_refused(tmp_path):
    with pytest.raises(TableError, match=r"none\.xml: file not found in "):
        read_cin_census([tmp_path / "none.xml"], KEY)
    with pytest.raises(TableError, match="this is a folder, not a file"):
        read_cin_census([tmp_path], KEY)


def endless(start, again, times, end=b""):
    """A file that is never held: about so many times the same."""
    piece = again * (CHUNK // len(again))
    yield start
    yield from itertools.repeat(piece, times * len(again) // len(piece) + 1)
    yield end


INSIDE = b"<Message><Children><Child><ChildIdentifiers>"
HUGE = 200_000_000
HOSTILE = {
    "nesting": (b"", b"<a>", "outermost element"),
    "nesting of what is known": (b"", b"<Message>", "more than 32 levels of elements within one another"),
    "nesting of what is not": (INSIDE, b"<a>", "more than 32 levels of elements within one another"),
    "comment": (INSIDE + b"<!--", b"never closed ", "a tag, comment or instruction is longer than"),
    "instruction": (INSIDE + b"<?x ", b"never closed ", "a tag, comment or instruction is longer than"),
    "attribute": (INSIDE + b"<Sex a='", b"never closed ", "a tag, comment or instruction is longer than"),
    "name": (INSIDE + b"<", b"never", "a tag, comment or instruction is longer than"),
    "value": (INSIDE + b"<LAchildID>", b"never closed ", "a value is longer than 10,000 characters"),
    "value in parts": (INSIDE + b"<LAchildID>", b"<![CDATA[a]]>&amp;", "a value is longer than 10,000 characters"),
    "document type": (b"<!DOCTYPE ", b"never", "a tag, comment or instruction is longer than"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_endless_files_fail_at_once_and_in_little_memory(kind):
    start, again, said = HOSTILE[kind]
    tracemalloc.start()
    given = endless(start, again, HUGE // len(again))
    try:
        with pytest.raises(TableError, match=said):
            parse_rows(given, "census.xml", LAYOUT)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 10_000_000
    assert sum(map(len, given)) > HUGE - 4 * CHUNK  # what was not read: nearly all


def test_more_different_names_than_a_census_could_have_are_refused():
    names = (b"<n%d/>" % number for number in itertools.count())
    with pytest.raises(TableError, match="more than 500 names that a census has not"):
        parse_rows(itertools.chain([INSIDE], names), "census.xml", LAYOUT)
    prefixes = (b"<n%d:Sex/>" % number for number in itertools.count())
    with pytest.raises(TableError, match="more than 500 names that a census has not"):
        parse_rows(itertools.chain([INSIDE], prefixes), "census.xml", LAYOUT)
    inside = (b"<n%d/>" % number for number in itertools.count())
    with pytest.raises(TableError, match="more than 500 names that a census has not"):
        parse_rows(itertools.chain([INSIDE, b"</ChildIdentifiers><CINdetails><Assessments>"], inside), "x.xml", LAYOUT)
    attributes = (b'<Sex n%d="1"/>' % number for number in itertools.count())
    with pytest.raises(TableError, match="more than 500 names that a census has not"):
        parse_rows(itertools.chain([INSIDE], attributes), "census.xml", LAYOUT)


STREAM = """
    import itertools, resource, sys
    from safeguarding_analytics.sources.census_xml import parse_rows
    from safeguarding_analytics.sources.cin_records import LAYOUT, identities_in_census
    from safeguarding_analytics.errors import TableError
    piece = {again!r} * (2**18 // len({again!r}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        parse_rows(itertools.chain([{start!r}], itertools.repeat(piece, {size} // len(piece))), "x.xml", LAYOUT)
    except TableError as error:
        print(str(error), file=sys.stderr)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // (1 if sys.platform == "linux" else 1024))
"""


@pytest.mark.parametrize(
    ("start", "again", "said"),
    [
        (INSIDE, b"<a>", "more than 32 levels"),
        # Text that stands between elements is no value: 50 MB of it are read through, and nothing of it is kept.
        (INSIDE, b"stray text \n", "it is cut off"),
        (INSIDE, b"<UPN>A123456789123</UPN>\n", "it is cut off"),
    ],
)
def test_a_process_that_reads_on_and_on_does_not_grow(start, again, said):
    size = 6_000_000 if b"UPN" in again else 50_000_000
    script = textwrap.dedent(STREAM).format(start=start, again=again, size=size)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said in done.stderr
    assert int(done.stdout) < 20_000  # KiB


def test_rows_that_wait_to_be_columns_do_not_grow_with_the_file(monkeypatch):
    """Columns do: they are the answer, and are not Python's memory."""
    one = child("C1", details(enquiry("2023-05-18", "2023-06-07"))).encode()
    monkeypatch.setattr(census_xml, "MOST_ROWS_WAITING", 200)

    def most(times):
        tracemalloc.start()
        parse_rows([b"<Message><Children>", *[one * 50] * times, b"</Children></Message>"], "census.xml", LAYOUT)
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held

    most(10)  # what is imported or remembered at the first call
    assert most(30) < 1.3 * most(10)


# Against a schema.

XSD = """<?xml version="1.0"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:element name="Message"><xs:complexType><xs:sequence>
    <xs:element name="Day" type="xs:date"/>
    <xs:element name="Sex"><xs:simpleType><xs:restriction base="xs:string">
      <xs:enumeration value="M"/><xs:enumeration value="F"/>
    </xs:restriction></xs:simpleType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>"""


def broken_schema(folder, text, xsd=XSD):
    pytest.importorskip("lxml", reason="lxml is not installed")
    return validate_against(write(folder, "census.xml", text), write(folder, "cin.xsd", xsd))


def test_a_file_that_keeps_its_schema_gives_no_row(tmp_path):
    assert broken_schema(tmp_path, "<Message><Day>2024-03-31</Day><Sex>M</Sex></Message>").is_empty()


def test_what_breaks_a_schema_is_told_by_line_and_element_and_never_by_its_value(tmp_path):
    found = broken_schema(tmp_path, "<Message>\n<Day>Jane Smith</Day>\n<Sex>Q7</Sex>\n<Smith>1</Smith></Message>")
    assert found.rows() == [
        (2, "Message/Day", "a value of the type in the schema, such as 2024-03-31 for a date"),
        (3, "Message/Sex", "one of the codes of the schema"),
        (4, "Message/(not in the schema)", "the elements of the schema here, in its order, none missing"),
    ]


def test_a_schema_or_file_that_is_none_is_refused(tmp_path):
    good = "<Message><Day>2024-03-31</Day><Sex>M</Sex></Message>"
    with pytest.raises(TableError, match=r"cin\.xsd: this is no XML schema"):
        broken_schema(tmp_path, good, xsd="<Message/>")
    with pytest.raises(TableError, match=r"census\.xml, line 1: the file is not well-formed"):
        broken_schema(tmp_path, "<Message><Day></Message>")
    with pytest.raises(TableError, match=r"census\.xml: it declares a document type"):
        broken_schema(tmp_path, f'<!DOCTYPE Message [<!ENTITY s SYSTEM "file:///etc/passwd">]>{good}')
    with pytest.raises(TableError, match=r"census\.xml"):
        broken_schema(tmp_path, BOMB.replace("Message>", "Message >"))


def test_without_lxml_only_the_check_against_a_schema_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lxml", None)
    with pytest.raises(ParameterError, match=r'pip install "safeguarding-analytics\[cin\]"'):
        validate_against(tmp_path / "census.xml", tmp_path / "cin.xsd")


# Files of others.


@needs_shared
def test_the_sample_of_2024_gives_the_known_rates():
    found = read_cin_census([CIN / "d2i_CIN_Census_2024.xml"], KEY, authority="Kirklees")
    plans, said = checked(found, "plans")
    assert said == ""
    assert plans["previous_plans"].to_list() == [10]
    by_year = repeat_plan_rate(plans)
    assert by_year.select("time_period", "numerator", "denominator", "proportion").rows() == [("2022", 1, 1, 1.0)]
    in_its_year = plans.filter(pl.col("start_date").is_between(found.complete_from, found.complete_to))
    assert repeat_plan_rate(in_its_year, by=[]).select("numerator", "denominator", "proportion").rows() == [
        (0, 0, None)
    ]
    assert found.years[0].children["sex"].to_list() == ["M", "M"]


@needs_shared
def test_the_sample_of_2021_is_read_for_all_its_stray_text():
    found = read_cin_census([CIN / "d2i_CIN_Census_2021.xml"], KEY, authority="Kirklees")
    assert found.years[0].children.select("sex", "birth_date", "death_date").rows() == [
        ("M", date(1965, 3, 27), date(1980, 10, 8))
    ]
    assert rows(found.plans, "start_date", "end_date", "category", "birth_date") == [
        ("1970-02-17", "1971-03-14", "PHY", "1965-03-27")
    ]
    assert sorted(rows(found.conferences, *DAYS), key=str) == [("1970-06-02", "1970-06-17"), (None, "1970-12-06")]
    assert all(checked(found, table)[1] == "" for table in ("plans", "conferences", "reviews"))


@needs_shared
def test_the_samples_break_the_schema_of_2026_where_they_are_known_to():
    pytest.importorskip("lxml", reason="lxml is not installed")
    found = validate_against(CIN / "d2i_CIN_Census_2024.xml", CIN / "CIN_schema_2026.xsd")
    broken = dict(found.select("element", "line").rows())
    # Stray text among the identifiers, sex coded 1, a flag spelled out.
    ends = {"ChildIdentifiers", "Sex", "ICPCnotRequired", "ReferralNFA"}
    assert ends <= {element.rpartition("/")[2] for element in broken}
    assert "DfEX0000001" not in found.write_csv()
