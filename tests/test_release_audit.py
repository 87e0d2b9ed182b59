"""Releases and last year's files audited together, and the last release repaired as a whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from datetime import date

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics import release_audit
from safeguarding_analytics.board_pdf import BOARD_PDF, Chapter, digests_of, pack_pdf
from safeguarding_analytics.build_folders import being_built
from safeguarding_analytics.disclosure import Policy, already_public, suppress
from safeguarding_analytics.errors import DisclosureError, ParameterError, SafeguardingError, TableError
from safeguarding_analytics.exports import write_csv, write_workbook
from safeguarding_analytics.left_out_pages import LEFT_OUT
from safeguarding_analytics.pages import index_html, message_html
from safeguarding_analytics.placed_folders import previous
from safeguarding_analytics.release import Release, promote, publish
from safeguarding_analytics.release_audit import (
    BEING_REPAIRED,
    audit_published,
    entangled,
    open_published,
    read_lookup,
    repair_release,
    repair_tables,
    seemingly_rounded,
    write_findings,
    wrong_totals,
)

ABOUT = {"board": "A board", "made_on": "2011-07-01", "as_at": "2011-03-31", "data_version": "0123456789ab"}
FOUND = ("table", "cell", "column", "low", "high")

# East is 23 in all; its halves hide 3 and show 20. Alone nothing is known of the 3: no total stands beside it.
halves = pl.DataFrame({"district": ["East", "East"], "half": ["H1", "H2"], "count": [20, 3]})
years = pl.DataFrame({"district": ["East"], "count": [23]})
ranking = pl.DataFrame(
    {
        "issue": ["Neglect", "Bullying"],
        "score": [1.0, -1.0],
        "points": [2.0, 1.0],
        "rank": [1, 2],
        "tied": [False, False],
        "selected": [True, False],
        "p_selected": [1.0, 0.0],
        "n_ballots": [9, 9],
    }
)
EXACTLY_3 = ("district=East, half=H2", "count", 3, 3)


def put(table, name, into, measure="children", **more):
    safe = table if not isinstance(table, pl.DataFrame) else suppress(table, Policy.dfe())
    publish(safe, name, into=into, title=f"Title of {name}", definition="D", measure=measure, **more)


def build(folder, tables, measure="children"):
    folder.mkdir(parents=True)
    for name, table in tables.items():
        put(table, name, folder, measure)
    return folder


def make(place, tables, measure="children", about=ABOUT):
    promote(build(place.with_name(f"built-{place.name}"), tables, measure), place, about=about)
    return place


def audited(*places, **options):
    return audit_published(open_published(places), **options).found


def repaired(*places, **options):
    return repair_release(open_published(places), **options)


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def old(tmp_path):
    """A release that shows the year."""
    return make(tmp_path / "old", {"years": years})


@pytest.fixture
def new(tmp_path):
    """A release that hides a half of it."""
    return make(tmp_path / "new", {"halves": halves})


# What combines


def test_releases_that_give_a_hidden_number_away_together_are_found(old, new):
    assert audited(old).is_empty()
    assert audited(new).is_empty()
    found = audited(old, new)
    # 23 in all less 20 leaves exactly 3
    assert found.select(FOUND).rows() == [(f"{new}: halves", *EXACTLY_3)]


def test_findings_are_in_the_order_of_the_tables(old, new):
    last_year = write(new.parent / "again.csv", "district,half,count\nEast,H1,20\nEast,H2,c\n")
    for places in ([last_year, new, old], [new, old, last_year]):
        names = ["again" if place == last_year else f"{place}: halves" for place in places if place != old]
        assert audited(*places)["table"].to_list() == names


def test_release_named_twice_is_opened_once(new):
    collection = open_published([new, new / ".." / new.name])
    assert [one.name for one in collection.tables] == ["halves"]


def test_tables_of_two_measures_that_stand_beside_each_other_are_not_combined(tmp_path):
    built = build(tmp_path / "built", {"halves": halves}, "children")
    put(years, "years", built, "plans")
    promote(built, tmp_path / "both", about=ABOUT)
    assert audited(tmp_path / "both").is_empty()
    # Nor are those of another release that count one of the two.
    others = make(tmp_path / "others", {"years": years}, "plans")
    assert audited(tmp_path / "both", others).is_empty()


def test_measure_that_another_release_does_not_have_may_be_any_of_its_measures(tmp_path, new):
    renamed = make(tmp_path / "renamed", {"years": years}, "boys and girls")
    assert audited(renamed, new)["low"].to_list() == [3]


def test_tables_that_contradict_each_other_are_of_different_topics(tmp_path, new):
    # 19 children in the year cannot be those of whom 20 were there in the first half
    fewer = make(tmp_path / "fewer", {"years": years.with_columns(count=pl.lit(19))})
    assert audited(fewer, new).is_empty()


def test_file_of_another_topic_does_not_keep_the_tables_of_one_from_being_audited(tmp_path):
    shared = pl.DataFrame({"district": ["D1", "D1", "D2", "D2"], "half": ["H1", "H2"] * 2, "count": [1, 1, 1, 1]})
    cells = make(tmp_path / "cells", {"cells": shared})
    districts = write(tmp_path / "districts.csv", "district,count\nD1,2\nD2,2\n")
    other = write(tmp_path / "bookings.csv", "half,count\nH1,10\nH2,1\n")
    # Two districts of 2 have 1 + 1 each; with 10 in one half that would be impossible, so bookings are another topic.
    found = audited(cells, districts, other)
    assert found["low"].to_list() == [1, 1, 1, 1]
    assert found["high"].to_list() == [1, 1, 1, 1]


def test_rankings_and_figures_of_others_are_left_out(tmp_path):
    england = already_public(years, "DfE, table D3, 2024")
    made = make(tmp_path / "release", {"england": england, "priorities": ranking, "halves": halves})
    collection = open_published([made])
    assert [one.name for one in collection.tables] == ["halves"]
    assert collection.left_out == ("england", "priorities")
    assert audit_published(collection).found.is_empty()


def test_release_without_tables_gives_nothing_away(tmp_path):
    assert audited(make(tmp_path / "release", {})).is_empty()


# Files


def test_release_and_last_years_file_are_audited_together(tmp_path, new):
    last_year = write(tmp_path / "last_year.csv", "District,Number\nEast,23\n")
    assert audited(new, last_year).select(FOUND).rows() == [("halves", *EXACTLY_3)]


def test_number_that_a_file_hides_and_a_release_shows_is_found(tmp_path, old):
    last_year = write(tmp_path / "last_year.csv", "district,half,count\nEast,H1,20\nEast,H2,[c]\n")
    assert audited(last_year, old).select(FOUND).rows() == [("last_year", *EXACTLY_3)]


def test_file_is_told_from_a_table_of_a_release_of_the_same_name(tmp_path, new):
    same = write(tmp_path / "halves.csv", "district,half,count\nEast,H1,20\nEast,H2,c\n")
    assert [one.name for one in open_published([new, same]).tables] == ["halves", str(same)]


def test_workbook_is_read_as_a_file(tmp_path, new):
    import xlsxwriter

    with xlsxwriter.Workbook(tmp_path / "years.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["district", "count"])
        sheet.write_row(1, 0, ["East", 23])
    assert audited(tmp_path / "years.xlsx", new)["low"].to_list() == [3]


@pytest.mark.parametrize("named", ["last_year", "last_year.csv", "path"])
def test_rounded_file_tells_less(tmp_path, new, named):
    # 25 rounded to 5 stands for 23 to 27: less 20, any of 3 to 7 is possible. Taken as exact it would leave 5 alone.
    last_year = write(tmp_path / "last_year.csv", "district,count\nEast,25\n")
    assert audited(new, last_year)["low"].to_list() == [5]
    name = str(last_year) if named == "path" else named
    found = audited(new, last_year, rounded={name: 5}).filter(column="count", table="halves")
    assert all(low < high for low, high in found.select("low", "high").drop_nulls().rows())


def test_release_cannot_be_said_to_be_rounded(new):
    with pytest.raises(ParameterError, match=r'there is no file "halves"\. Name a published table that is a file'):
        audited(new, rounded={"halves": 5})


@pytest.mark.parametrize("name", ["nowhere.csv", "nowhere.XLSX", "nowhere"])
def test_file_that_is_not_there_is_said_to_be_missing(tmp_path, name):
    with pytest.raises(ParameterError, match=r"^there is no such file or folder: .*nowhere"):
        open_published([tmp_path / name])


def test_folder_that_is_no_release_is_said_to_be_none(tmp_path):
    with pytest.raises(SafeguardingError, match="this is not a release"):
        open_published([tmp_path])


def test_folder_that_holds_a_release_is_sent_there(tmp_path, new):
    with pytest.raises(ParameterError, match=r"this is not a release\. Did you mean .*demo_output/release\?"):
        open_published([make(tmp_path / "demo_output" / "release", {"halves": halves}).parent])


def test_old_workbook_is_to_be_saved_anew(tmp_path):
    with pytest.raises(ParameterError, match=r"years\.xls: a file of this kind cannot be read\. Save it as \.xlsx\."):
        open_published([write(tmp_path / "years.xls", "")])


def test_all_sheets_of_a_workbook_are_audited_together(tmp_path, new):
    shown = already_public(years, "DfE, table D3, 2024")
    hidden = suppress(halves, Policy.dfe())
    write_workbook({"Years": shown, "Halves": hidden}, tmp_path / "book.xlsx", title="Children", notes=["Of 2024."])
    assert audited(tmp_path / "book.xlsx").select(FOUND).rows() == [("Halves", *EXACTLY_3)]
    write_workbook({"halves": hidden, "Other": hidden}, tmp_path / "other.xlsx")
    names = [one.name for one in open_published([new, tmp_path / "other.xlsx"]).tables]
    assert names == ["halves", f"{tmp_path / 'other.xlsx'}: halves", "Other"]


def test_columns_that_are_not_audited_are_said(tmp_path):
    collection = open_published([write(tmp_path / "v.csv", "agency,count,percentage\nA,[c],6%\nB,9,18%\nC,38,76%\n")])
    assert [sentence[:43] for sentence in collection.not_read] == ["v.csv: column percentage was not audited: a"]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ("5 10 15 20", {"own": 5}),
        ("10 20 c 0 30 40", {"own": 10}),
        ("5 10 15", {}),  # three may be chance
        ("0 0 0 0 5", {}),
        ("5 10 15 21", {}),
    ],
)
def test_file_of_multiples_may_be_rounded(tmp_path, counts, expected):
    rows = "".join(f"A{number},{count}\n" for number, count in enumerate(counts.split()))
    collection = open_published([write(tmp_path / "own.csv", f"agency,count\n{rows}")])
    assert seemingly_rounded(collection, {}) == expected
    assert seemingly_rounded(collection, {"own.csv": 5}) == {}


def test_release_of_multiples_says_itself_whether_it_is_rounded(tmp_path):
    by_agency = pl.DataFrame({"agency": ["A", "B", "C", "D"], "count": [10, 20, 30, 40]})
    assert seemingly_rounded(open_published([make(tmp_path / "release", {"agencies": by_agency})]), {}) == {}


def test_total_of_a_file_that_is_not_its_sum_is_named(tmp_path):
    collection = open_published([write(tmp_path / "a.csv", "agency,count\nA,10\nB,20\nTotal,29\n")])
    assert wrong_totals(collection, {}) == [
        "a: count does not add up: the grand total is less than its rows by agency together. "
        "Correct the total, or leave its row out."
    ]
    assert wrong_totals(collection, {"a": 5}) == []


def test_release_with_an_ending_is_no_file(tmp_path):
    assert open_published([make(tmp_path / "release.csv", {"halves": halves})]).releases == [tmp_path / "release.csv"]


def test_release_that_is_being_replaced_is_still_found(new):
    place = new.with_name("moved.csv")
    new.rename(previous(place))
    assert [one.name for one in open_published([place]).tables] == ["halves"]


# Lookups


def test_lookup_says_which_groups_lie_within_which(tmp_path):
    by_district = pl.DataFrame({"district": ["D1", "D2", "D3", "D4"], "count": [20, 3, 40, 5]})
    by_area = pl.DataFrame({"area": ["North", "South"], "count": [23, 45]})
    new = make(tmp_path / "new", {"by_district": by_district})
    old = make(tmp_path / "old", {"by_area": by_area})
    assert audited(new, old).is_empty()  # D2 and D4 are 68 - 60 = 8 together: either may be 1 to 7
    lookup = write(tmp_path / "areas.csv", "District,Area\nD1,North\nD2,North\nD3,South\nD4,South\n")
    collection = open_published([new, old], within=[read_lookup(lookup)])
    # North is D1 (20) and D2, 23 in all; South D3 (40) and D4, 45 in all
    assert audit_published(collection).found.select(FOUND).rows() == [
        (f"{new}: by_district", "district=D2", "count", 3, 3),
        (f"{new}: by_district", "district=D4", "count", 5, 5),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("district\nD1\n", r"areas.csv: within must be frames of two columns or more"),
        ("district,area\nD1,\n", r"areas.csv: within: area has rows without a value"),
    ],
)
def test_lookup_that_is_none_is_refused(tmp_path, text, said):
    with pytest.raises(SafeguardingError, match=said):
        read_lookup(write(tmp_path / "areas.csv", text))


def test_file_that_is_no_table_is_refused(tmp_path):
    with pytest.raises(TableError, match=r"notes\.csv"):
        open_published([write(tmp_path / "notes.csv", "a,b\n1,2\n")])


# What is said of findings


def test_tables_that_combine_are_named(old, new):
    make(old.with_name("other"), {"adults": years.with_columns(count=pl.lit(900))}, "adults")
    collection = open_published([old, new, old.with_name("other")])
    assert entangled(collection, audit_published(collection).found) == [f"{old}: years", f"{new}: halves"]


def test_findings_as_a_file_replace_the_one_that_is_there(tmp_path, old, new):
    path = write(tmp_path / "found.csv", "old")
    found = audited(old, new)
    write_findings(found, path)
    assert path.read_text(encoding="utf-8-sig").splitlines() == [
        "table,cell,column,low,high,because",
        f'{new}: halves,"district=East, half=H2",count,3,3,{found["because"][0]}',
    ]
    assert [each.name for each in tmp_path.glob("*found*")] == ["found.csv"]


def test_findings_that_cannot_be_written_leave_nothing_behind(tmp_path, old, new):
    (tmp_path / "found.csv").mkdir()
    with pytest.raises(OSError, match=r"found\.csv"):
        write_findings(audited(old, new), tmp_path / "found.csv")
    assert [each.name for each in tmp_path.glob(".*")] == []


# Tables that are repaired where they are built


def test_tables_of_a_folder_being_built_are_repaired_together(tmp_path):
    built = build(tmp_path / "built", {"halves": halves, "years": years})
    names = repair_tables(built)
    assert set(names) <= {"halves", "years"}
    assert names
    for name in names:
        entry = json.loads((built / "tables" / f"{name}.json").read_text(encoding="utf-8"))
        assert (entry["headline"], entry["repaired"]) == ("", True)
        assert entry["hidden"] == sum(pl.read_parquet(built / "tables" / f"{name}.parquet")["mark"] != "")
    promote(built, tmp_path / "release", about=ABOUT)
    shown = {name: Release.open(tmp_path / "release")[name].frame()["count"].to_list() for name in ("halves", "years")}
    # Of 23, 20 and the hidden 3 at most one may still stand.
    assert shown["halves"][1] is None
    assert (shown["halves"][0] is None) or (shown["years"][0] is None)


def test_folder_without_anything_to_repair_stays_as_it_is(tmp_path):
    built = build(tmp_path / "built", {"halves": halves})
    before = files(built)
    assert repair_tables(built) == []
    assert files(built) == before


def test_table_that_is_fixed_is_protected_by_the_others(tmp_path):
    built = build(tmp_path / "built", {"halves": halves})
    assert repair_tables(built, fixed={"last year": suppress(years, Policy.dfe())}) == ["halves"]
    entry = json.loads((built / "tables" / "halves.json").read_text(encoding="utf-8"))
    assert entry["hidden"] == 2  # 20 is hidden beside 3: of 23 either may be anything


def test_fixed_table_of_another_measure_hides_nothing(tmp_path):
    built = build(tmp_path / "built", {"halves": halves}, "children")
    put(pl.DataFrame({"agency": ["Police"], "count": [50]}), "agencies", built, "plans")
    fixed = {"last year": suppress(years, Policy.dfe())}
    assert repair_tables(built, fixed=fixed, measures={"last year": "plans"}) == []
    assert repair_tables(built, fixed=fixed, measures={"last year": "children"}) == ["halves"]


def test_fixed_tables_that_give_a_number_away_alone_cannot_be_repaired(tmp_path):
    built = build(tmp_path / "built", {"halves": halves})
    before = files(built)
    fixed = {"halves of last year": suppress(halves, Policy.dfe()), "last year": suppress(years, Policy.dfe())}
    with pytest.raises(DisclosureError, match="the tables that are public already give them away"):
        repair_tables(built, fixed=fixed)
    assert files(built) == before


# A release that is repaired


def test_last_release_is_repaired_and_the_others_stay(old, new):
    before = files(old)
    done = repaired(old, new)
    assert (dict(done.rows), done.pages) == ({"halves": 1}, ())
    assert files(old) == before
    assert Release.open(new)["halves"].frame().rows() == [("East", "H1", None, "[c]"), ("East", "H2", None, "[c]")]
    entry = Release.open(new).entry("halves")
    assert (entry.hidden, entry.headline, entry.repaired) == (2, "", True)
    assert audited(old, new).is_empty()
    assert sorted(path.name for path in new.parent.iterdir()) == ["new", "old"]


def test_repaired_table_stands_in_both_files_alike(old, new):
    repaired(old, new)
    assert_frame_equal(pl.read_parquet(new / "tables" / "halves.parquet"), Release.open(new)["halves"].frame())
    assert not any(b",20," in content for content in files(new).values())


def test_release_with_nothing_to_repair_stays_as_it_is(old):
    before = files(old)
    assert dict(repaired(old).rows) == {}
    assert files(old) == before


def test_release_is_repaired_against_last_years_file(tmp_path, new):
    last_year = write(tmp_path / "last_year.csv", "district,count,mark\nEast,23,\nWest,,[c]\n")
    assert dict(repaired(last_year, new).rows) == {"halves": 1}
    assert audited(last_year, new).is_empty()


def test_release_shows_no_longer_what_a_file_of_last_year_hides(tmp_path):
    rates = pl.DataFrame({"area": ["A"], "count": [7], "population": [4_000], "rate": [17.5]})
    rates = rates.with_columns(lower=pl.lit(10.0), upper=pl.lit(30.0))
    new = make(tmp_path / "new", {"rates": rates})
    last_year = write(tmp_path / "last_year.csv", "area,count,population,rate\nA,c,4000,c\n")
    assert dict(repaired(last_year, new).rows) == {"rates": 1}
    assert Release.open(new)["rates"].frame()["count"].to_list() == [None]


def test_file_cannot_be_repaired(tmp_path, new):
    last_year = write(tmp_path / "last_year.csv", "district,count\nEast,23\n")
    with pytest.raises(ParameterError, match=r"a file cannot be repaired.* Name last the release that may still"):
        repaired(new, last_year)


def test_repair_that_is_impossible_changes_nothing(tmp_path, old, new):
    other = make(tmp_path / "other", {"adults": years.with_columns(count=pl.lit(900))})
    before = files(tmp_path)
    with pytest.raises(DisclosureError, match="the tables that are public already give them away"):
        repaired(old, new, other)
    assert files(tmp_path) == before


# The pack


def with_pack(place, about=ABOUT, **notebooks):
    """A release with a page for each notebook and the contents; tables by the notebook that made them."""
    built = place.with_name(f"built-{place.name}")
    built.mkdir()
    for notebook, (name, table) in notebooks.items():
        put(table, name, built, notebook, headline=f"{name} of 2011.")
        path = built / "tables" / f"{name}.json"
        entry = json.loads(path.read_text(encoding="utf-8"))
        entry["notebook"] = notebook if about is ABOUT else ""
        path.write_text(json.dumps(entry), encoding="utf-8")
    pages = [
        {"title": f"Page <{name}>", "href": f"{name}.html", "question": f"What's {name}?", "headline": "Said in 2011."}
        for name in notebooks
    ]
    (built / "pack").mkdir()
    for page in pages:
        html = message_html("What it showed in 2011.", title=page["title"], navigation=[], board="A board")
        write(built / "pack" / page["href"], html)
    write(built / "pack" / "index.html", index_html(board="A board", pages=pages, made_on="1 July 2011", notes=[]))
    promote(built, place, about=about)
    return place


AGENCIES = ("agencies", pl.DataFrame({"agency": ["Police"], "count": [50]}))


def test_page_of_tables_that_changed_is_left_out_and_the_contents_say_so(tmp_path, old):
    new = with_pack(tmp_path / "new", children=("halves", halves), plans=AGENCIES)
    kept = (new / "pack" / "plans.html").read_bytes()
    assert repaired(old, new).pages == ("Page <children>",)
    page = (new / "pack" / "children.html").read_text(encoding="utf-8")
    assert LEFT_OUT in page
    assert "What it showed" not in page
    assert '<a href="plans.html">Page &lt;plans&gt;</a>' in page
    assert (new / "pack" / "plans.html").read_bytes() == kept
    contents = (new / "pack" / "index.html").read_text(encoding="utf-8")
    assert contents.count("Said in 2011.") == 1
    assert contents.count(LEFT_OUT) == 1
    for words in ("Made on 1 July 2011. As at 31 March 2011. Data version 0123456789ab.", "What&#39;s plans?"):
        assert words in contents
    assert '<a href="../tables/halves.csv">Title of halves</a>' in contents


def test_every_page_is_left_out_where_it_is_not_known_which_table_is_whose(tmp_path, old):
    new = with_pack(tmp_path / "new", {"board": "A board"}, children=("halves", halves), plans=AGENCIES)
    assert repaired(old, new).pages == ("Page <children>", "Page <plans>")
    assert "What it showed" not in "".join(path.read_text(encoding="utf-8") for path in (new / "pack").iterdir())
    contents = (new / "pack" / "index.html").read_text(encoding="utf-8")
    assert "Made on a day that is not known." in contents


def test_page_that_the_contents_do_not_list_is_left_out_too(tmp_path, old):
    new = with_pack(tmp_path / "new", children=("halves", halves))
    write(new / "pack" / "index.html", "<p>By hand</p>")
    assert repaired(old, new).pages == ("Children",)
    assert LEFT_OUT in (new / "pack" / "children.html").read_text(encoding="utf-8")


def test_pdf_of_a_repaired_pack_is_gone_and_nothing_speaks_of_it_any_more(tmp_path, old):
    new = with_pack(tmp_path / "new", children=("halves", halves), plans=AGENCIES)
    pack, manifest = new / "pack", new / "manifest.json"
    page = {"title": "Page <children>", "href": "children.html"}
    write(pack / "index.html", index_html(board="B", pages=[page], made_on="1 July 2011", notes=[], pdf=BOARD_PDF))
    chapter = Chapter("Children", "", "", (pack / "children.html").read_text(encoding="utf-8"))
    (pack / BOARD_PDF).write_bytes(pack_pdf([chapter], board="B", made_on=date(2011, 7, 1)))
    made = json.loads(manifest.read_text(encoding="utf-8"))
    write(manifest, json.dumps({**made, "pdf": digests_of(pack)}))
    repaired(old, new)
    assert not (pack / BOARD_PDF).exists()
    after = json.loads(manifest.read_text(encoding="utf-8"))
    assert after.keys() == made.keys()
    assert after["tables"]["halves"]["repaired"]
    assert BOARD_PDF not in (pack / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["csv", "xlsx", "txt"])
def test_release_with_another_file_that_shows_the_numbers_is_not_repaired(tmp_path, old, new, kind):
    shown = Release.open(new)["halves"]
    if kind == "csv":
        write_csv(shown, new / "tables" / "for_the_press.csv")
    elif kind == "xlsx":
        write_workbook(shown, new / "for_the_press.xlsx")
    else:
        write(new / "notes.txt", "20 in H1")
    before = files(tmp_path)
    with pytest.raises(
        DisclosureError, match=r"other files in .*new would still show what would be hidden\.\n- "
    ) as said:
        repaired(old, new)
    assert {"csv": "for_the_press.csv", "xlsx": "for_the_press.xlsx", "txt": "notes.txt"}[kind] in str(said.value)
    assert files(tmp_path) == before


# Stopped half-way


@pytest.mark.parametrize("stopped", ["_repair_tables", "leave_out_pages", "refuse_leaks", "replace_folder"])
def test_release_stands_as_it_was_where_a_repair_is_stopped(tmp_path, old, new, monkeypatch, stopped):
    before = files(tmp_path)

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(release_audit, stopped, stop)
        with pytest.raises(KeyboardInterrupt):
            repaired(old, new)
    assert files(tmp_path) == before


def test_copy_of_a_repair_that_was_killed_is_removed_by_the_next(old, new):
    own = being_built(new, BEING_REPAIRED).name.removesuffix(str(os.getpid()))
    for process in ("999999999", str(os.getpid()), "x"):
        shutil.copytree(new, new.with_name(f"{own}{process}"))
    running = new.with_name(f"{own}{os.getppid()}")
    shutil.copytree(new, running)
    repaired(old, new)
    assert sorted(path.name for path in new.parent.iterdir()) == sorted([running.name, "new", "old"])


REPAIRS = """
import sys
from pathlib import Path
from safeguarding_analytics.release_audit import open_published, repair_release
collection = open_published([Path(place) for place in sys.argv[1:]])
print("ready", flush=True)
repair_release(collection)
print("done", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills a process with a signal")
def test_release_opens_whenever_its_repair_is_killed(tmp_path, old, new):
    draws = random.Random(3)
    shutil.copytree(new, tmp_path / "kept")
    hidden = []
    for _ in range(2):
        command = [sys.executable, "-c", REPAIRS, str(old), str(new)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as run:
            assert run.stdout.readline() == b"ready\n"
            time.sleep(draws.uniform(0, 0.4))
            run.send_signal(signal.SIGKILL)
        hidden.append(Release.open(new)["halves"].hidden)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(new)
        shutil.rmtree(previous(new), ignore_errors=True)
        shutil.copytree(tmp_path / "kept", new)
    assert set(hidden) <= {1, 2}
