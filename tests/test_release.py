"""A release says what was published, refuses what was changed, and is replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics.build_folders import being_built, sweep
from safeguarding_analytics.disclosure import Policy, already_public, suppress
from safeguarding_analytics.errors import DisclosureError, ParameterError, SafeguardingError
from safeguarding_analytics.placed_folders import previous, replace_folder
from safeguarding_analytics.release import (
    BEING_BUILT,
    RELEASE,
    Entry,
    Release,
    gather,
    joint_audit,
    promote,
    publish,
    published_before,
)
from safeguarding_analytics.release_audit import audit_published, open_published
from safeguarding_analytics.safe import reads_as_total

ABOUT = {"board": "A board", "made_on": "2011-07-01", "as_at": None, "data_version": "0123456789ab", "parameters": {}}
OTHER_DATA = {**ABOUT, "data_version": "ba9876543210"}
AWKWARD = ['Health, East "and" Coast', "Two\nlines", "Two\r\nlines", "Æsh & Óg", " spaces ", "'quoted", "007", "true"]
FORMULAS = ["=1+1", "+44", "-5", "@SUM(A1)", "\tx", "\rx", "\nx", "'=1+1", "''@x"]

count = pl.DataFrame({"agency": ["A", "B", "C", "Total"], "count": [3, 10, 40, 53]})
proportion = pl.DataFrame(
    {
        "time_period": ["2007", "2008", "2009"],
        "numerator": [177, None, 0],
        "denominator": [920, 100, 0],
        "proportion": [177 / 920, None, None],
        "lower": [0.1, None, None],
        "upper": [1 / 3, None, None],
    }
)
rate = pl.DataFrame(
    {
        "area": ["A", "B"],
        "count": [2, 60],
        "population": [400, 20000],
        "rate": [50.0, 30.0],
        "lower": 1.5,
        "upper": 99.5,
    }
)
mean_change = pl.DataFrame(
    {
        "agency": ["A", "B"],
        "n_pairs": [20, 30],
        "mean_pre": [11.1, 12.0],
        "mean_post": [13.3, 11.9],
        "mean_change": [2.2, -0.1],
        "lower": [1.0, None],
        "upper": [3.4, None],
        "n_pre": [40, 50],
        "n_post": [30, 36],
        "n_up": [10, 3],
        "n_same": [10, 17],
        "n_down": [0, 10],
        "n_clusters": [4, 5],
        "degrees_of_freedom": [3, 4],
        "standard_error": [0.1 + 0.2, None],
        "verdict": ["could be either", None],
    }
)
ranking = pl.DataFrame(
    {
        "issue": ["Neglect", "Bullying", "Self-harm"],
        "score": [2.0, -1.0, -1.0],
        "points": [3.0, 1.5, None],
        "rank": [1, 2, 2],
        "tied": [False, True, True],
        "selected": [True, None, None],
        "p_selected": [1.0, 0.515, 0.485],
        "n_ballots": [9, 9, 9],
    }
)
few_ballots = ranking.with_columns(n_ballots=pl.lit(2, pl.Int64))
attendance = pl.DataFrame(
    {
        "area": ["East", "West", "Total"],
        "registered": [100, 90, 190],
        "attended": [80, 85, 165],
        "walk_ins": [8, 10, 18],
        "did_not_attend": [20, 9, 29],
        "cancelled": [8, 6, 14],
        "attendance_rate": [0.72, 75 / 90, 147 / 190],
        "capacity": [100, None, None],
        "take_up": [0.8, None, None],
        "share_of_places": [80 / 165, 85 / 165, 1.0],
    }
)
OF_EVERY_SHAPE = {
    "count": count,
    "proportion": proportion,
    "rate": rate,
    "mean_change": mean_change,
    "ranking": ranking,
    "few_ballots": few_ballots,
    "attendance": attendance,
}


def put(table, name, into, measure="people", **more):
    publish(table, name, into=into, title="A title", definition="A definition", measure=measure, **more)


def build(folder, tables, measure="people"):
    """A folder as the notebooks leave it."""
    folder.mkdir(parents=True)
    for name, table in tables.items():
        put(table, name, folder, measure)
    return folder


def make(place, tables, measure="people", about=ABOUT):
    return promote(build(place.with_name(f".built-{place.name}"), tables, measure), place, about=about)


def audited(folders):
    return audit_published(open_published(folders)).found


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def place(tmp_path):
    return tmp_path / "release"


@pytest.fixture
def release(place):
    return make(place, {"reach": suppress(count, Policy.dfe())})


# What is published comes back


@pytest.mark.parametrize("name", OF_EVERY_SHAPE)
@pytest.mark.parametrize("policy", [Policy.dfe(), Policy.nhs()], ids=["dfe", "nhs"])
def test_table_of_every_shape_comes_back_as_it_was_published(place, name, policy):
    published = suppress(OF_EVERY_SHAPE[name], policy)
    make(place, {name: published})
    read = Release.open(place)[name]
    assert_frame_equal(read.frame(), published.frame())
    assert (read.policy, read.source, read.shape, read.hidden) == (policy, "", published.shape, published.hidden)


def test_examples_hold_hidden_rows_and_unknown_values():
    # Else the test above would not show that marks and nulls come back.
    hidden = {name: suppress(table, Policy.dfe()).hidden for name, table in OF_EVERY_SHAPE.items()}
    assert hidden["count"] == 2  # A is small, C protects it: B = 10 and Total = 53 are shown
    assert hidden["rate"] == 1
    assert hidden["few_ballots"] == 3
    assert ranking["selected"].null_count() == 2


def test_tie_at_the_cut_comes_back_as_unknown_not_as_no(place):
    make(place, {"priorities": suppress(ranking, Policy.dfe())})
    assert Release.open(place)["priorities"].frame()["selected"].to_list() == [True, None, None]


def test_already_public_table_comes_back_with_its_source_and_marks(place):
    england = pl.DataFrame(
        {
            "area": ["England", "Kent", "Medway"],
            "numerator": [None, None, None],
            "denominator": pl.Series([None, None, None], dtype=pl.Int64),
            "proportion": [0.22, None, None],
            "lower": pl.Series([None, None, None], dtype=pl.Float64),
            "upper": pl.Series([None, None, None], dtype=pl.Float64),
            "mark": ["", "[c]", "[x]"],
        }
    )
    published = already_public(england, "DfE, table D3, 2024")
    make(place, {"comparators": published})
    read = Release.open(place)["comparators"]
    assert_frame_equal(read.frame(), published.frame())
    assert (read.policy, read.source) == (None, "DfE, table D3, 2024")


@pytest.mark.parametrize("name", OF_EVERY_SHAPE)
def test_parquet_beside_the_file_holds_the_same_table(place, name):
    published = suppress(OF_EVERY_SHAPE[name], Policy.dfe())
    make(place, {name: published})
    assert_frame_equal(pl.read_parquet(place / "tables" / f"{name}.parquet"), published.frame())


def test_release_made_before_there_was_parquet_and_an_entry_for_each_run_opens(release):
    expected = release["reach"].frame()
    (release.folder / "tables" / "reach.parquet").unlink()
    path = release.folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    del manifest["audit"]
    for name in ("parquet_sha256", "notebook", "parameters", "data_version", "package", "within", "repaired"):
        del manifest["tables"]["reach"][name]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    opened = Release.open(release.folder)
    assert_frame_equal(opened["reach"].frame(), expected)
    assert opened.entry("reach").parquet_sha256 == ""
    assert (opened.entry("reach").notebook, opened.entry("reach").parameters) == ("", {})
    assert audited([release.folder]).is_empty()


def test_table_without_rows_comes_back_with_its_columns(place):
    published = suppress(count.clear(), Policy.dfe())
    make(place, {"empty": published})
    assert_frame_equal(Release.open(place)["empty"].frame(), published.frame())


@pytest.mark.parametrize("name", [*AWKWARD, *FORMULAS])
def test_awkward_name_comes_back_unchanged(place, name):
    published = suppress(pl.DataFrame({"agency": [name, "Police"], "count": [10, 20]}), Policy.dfe())
    make(place, {"reach": published})
    assert_frame_equal(Release.open(place)["reach"].frame(), published.frame())


@given(st.lists(st.text(min_size=1, max_size=8).filter(lambda text: not reads_as_total(text)), min_size=1, unique=True))
@settings(max_examples=50, deadline=None)
def test_any_name_comes_back_unchanged(tmp_path_factory, names):
    published = suppress(pl.DataFrame({"agency": names, "count": [10] * len(names)}), Policy.dfe())
    built = build(tmp_path_factory.mktemp("any") / "built", {"reach": published})
    entry = json.loads((built / "tables" / "reach.json").read_text(encoding="utf-8"))
    assert_frame_equal(Release(built, {"tables": {"reach": entry}})["reach"].frame(), published.frame())


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(6, 2**53))
@settings(max_examples=50, deadline=None)
def test_any_number_comes_back_to_the_last_digit(tmp_path_factory, number, size):
    table = rate.with_columns(count=pl.lit(size), rate=pl.lit(number), lower=pl.lit(-number))
    published = already_public(table, "made up: no count gives just any rate")
    built = build(tmp_path_factory.mktemp("any") / "built", {"rates": published})
    entry = json.loads((built / "tables" / "rates.json").read_text(encoding="utf-8"))
    read = Release(built, {"tables": {"rates": entry}})["rates"].frame()
    assert_frame_equal(read, published.frame(), check_exact=True)


# The file


def test_file_begins_with_a_mark_that_tells_excel_its_encoding(release):
    assert (release.folder / "tables" / "reach.csv").read_bytes().startswith(b"\xef\xbb\xbfagency,count,mark\r\n")


def test_hidden_number_is_in_no_file_of_a_release(place):
    # 47 and 4_711 appear nowhere else in the manifest
    table = pl.DataFrame({"agency": ["A", "B", "C", "Total"], "count": [5, 4711, 99013, 5 + 4711 + 99013]})
    made = make(place, {"reach": suppress(table, Policy.dfe())})
    (hidden,) = (row for row in made["reach"].frame().to_dicts() if row["mark"] and row["agency"] != "A")
    other = {"B": b"4711", "C": b"99013"}[hidden["agency"]]
    assert not any(other in content for content in files(place).values())


# What may be published


@pytest.mark.parametrize("table", [count, count.with_columns(mark=pl.lit("")), count.lazy(), None, "count"])
def test_anything_but_a_safe_table_is_refused(tmp_path, table):
    with pytest.raises(DisclosureError, match=r"only a table that went through suppress\(\) can be published"):
        put(table, "reach", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["", "Reach", "1_reach", "../reach", "reach.csv", "reach by agency", "réach", "a/b", "a\n"]
)
def test_name_that_is_not_plain_is_refused(tmp_path, name):
    with pytest.raises(ParameterError, match=r"cannot name a table\. Use small letters, digits and underscores"):
        put(suppress(count, Policy.dfe()), name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_release_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(suppress(count, Policy.dfe()), "reach", "")
    assert list(tmp_path.iterdir()) == []


def test_name_that_is_taken_is_refused_and_the_first_table_stays(tmp_path):
    put(suppress(count, Policy.dfe()), "reach", tmp_path)
    before = files(tmp_path)
    with pytest.raises(ParameterError, match=r'already published a table "reach"\. Give each table a name of its own'):
        put(suppress(rate, Policy.dfe()), "reach", tmp_path)
    assert files(tmp_path) == before


def test_cell_that_publishes_may_be_run_again_where_there_is_no_release(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        put(suppress(count, Policy.dfe()), "reach", "")
    assert list(tmp_path.iterdir()) == []


def test_folder_of_a_run_that_was_stopped_is_not_made_again(tmp_path):
    with pytest.raises(FileNotFoundError):
        put(suppress(count, Policy.dfe()), "reach", tmp_path / "gone")
    assert list(tmp_path.iterdir()) == []


# The manifest


def test_manifest_says_what_each_table_is_and_where_its_numbers_come_from(place):
    built = place.with_name("built")
    built.mkdir()
    publish(
        suppress(count, Policy.nhs()),
        "reach",
        into=built,
        title="Training reach",
        definition="People who attended.",
        measure="people reached",
        headline="53 came.",
    )
    manifest = promote(built, place, about=ABOUT).manifest
    assert {name: manifest[name] for name in ABOUT} == ABOUT
    assert manifest["package"].startswith("safeguarding_analytics ")
    assert manifest["tables"]["reach"] == {
        "name": "reach",
        "title": "Training reach",
        "definition": "People who attended.",
        "headline": "53 came.",
        "measure": "people reached",
        "shape": "count",
        "rows": 4,
        "hidden": 1,  # of the rounded 10, 40 and 55 A may be any of 1 to 7: 53 to 57 less 8 to 12 and 38 to 42
        "source": "",
        "policy": {
            "threshold": 8,
            "zeros": "shown",
            "mark": "*",
            "protect": "symbol",
            "round": 5,
            "minimum_mean": 10,
            "minimum_ballots": 3,
        },
        "columns": {"agency": "String", "count": "Int64", "mark": "String"},
        "sha256": hashlib.sha256((place / "tables" / "reach.csv").read_bytes()).hexdigest(),
        "parquet_sha256": hashlib.sha256((place / "tables" / "reach.parquet").read_bytes()).hexdigest(),
        "notebook": "",  # what a notebook and its run are called is known to the report
        "parameters": {},
        "data_version": "",
        "package": manifest["package"],
        "within": [],
        "repaired": False,
    }
    assert manifest["audit"] == {"effort": "full", "tables": 1, "findings": 0}
    assert json.loads((place / "manifest.json").read_text(encoding="utf-8")) == manifest


def test_release_holds_its_tables_and_its_manifest_and_nothing_else(release):
    assert sorted(map(str, files(release.folder))) == ["manifest.json", "tables/reach.csv", "tables/reach.parquet"]
    assert sorted(path.name for path in release.folder.parent.iterdir()) == ["release"]


def test_release_lists_its_tables_in_alphabetical_order(place):
    safe = suppress(count, Policy.dfe())
    assert make(place, {"reach": safe, "answers": safe}).tables() == ["answers", "reach"]
    assert isinstance(Release.open(str(place)).entry("answers"), Entry)


# Notebooks publish apart


def test_tables_of_notebooks_are_gathered_with_what_is_said_of_each(tmp_path):
    built, runs = tmp_path / "built", tmp_path / "built" / "runs"
    for notebook in ("one", "two", "idle"):
        (runs / notebook).mkdir(parents=True)
    put(suppress(count, Policy.dfe()), "reach", runs / "one")
    put(suppress(rate, Policy.dfe()), "rates", runs / "two")
    (runs / "one" / "notes.txt").write_text("left behind", encoding="utf-8")
    about = {"parameters": {"group": "agency"}, "data_version": "0123456789ab"}
    gather(built, runs, {"one": about, "two": {}, "idle": about})
    assert sorted(map(str, files(built))) == [
        f"tables/{name}.{kind}" for name in ("rates", "reach") for kind in ("csv", "json", "parquet")
    ]
    made = promote(built, tmp_path / "release", about=ABOUT)
    said = [(made.entry(name).notebook, made.entry(name).parameters) for name in ("reach", "rates")]
    assert said == [("one", {"group": "agency"}), ("two", {})]
    assert made.entry("reach").data_version == "0123456789ab"
    assert_frame_equal(made["reach"].frame(), suppress(count, Policy.dfe()).frame())


def test_two_notebooks_that_publish_under_one_name_are_refused(tmp_path):
    runs = tmp_path / "runs"
    for notebook in ("one", "two"):
        (runs / notebook).mkdir(parents=True)
        put(suppress(count, Policy.dfe()), "reach", runs / notebook)
    with pytest.raises(ParameterError, match=r'already published a table "reach"\. Give each table a name of its own'):
        gather(tmp_path, runs, {"one": {}, "two": {}})


# What cannot be opened


def test_folder_without_a_manifest_is_not_a_release(tmp_path):
    with pytest.raises(SafeguardingError, match=r"this is not a release \(it has no manifest.json\). Make one with"):
        Release.open(tmp_path)


@pytest.mark.parametrize("folder", ["nowhere", ".", "..", "/", "file"])
def test_place_that_is_no_release_is_said_to_be_none(tmp_path, monkeypatch, folder):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    found = "there is no such folder" if folder in ("nowhere", "file") else "this is not a release"
    with pytest.raises(SafeguardingError, match=found):
        Release.open(folder)


def test_folder_of_a_report_leads_to_the_release_in_it(release, tmp_path):
    inside = shutil.copytree(release.folder, tmp_path / "report" / "release")
    with pytest.raises(SafeguardingError) as refused:
        Release.open(tmp_path / "report")
    assert str(refused.value).endswith(f"Did you mean {inside}?")


def test_release_opens_from_within_its_folder(release, monkeypatch):
    monkeypatch.chdir(release.folder)
    assert Release.open(".").tables() == ["reach"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"tables": ',
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"null",
        b'{"tables": {}}',
        b'{"package": "another 1.0", "tables": {}}',
        b'{"package": "safeguarding_analytics 1.0"}',
        b'{"package": "safeguarding_analytics 1.0", "tables": []}',
        b'{"package": "safeguarding_analytics 1.0", "tables": {"reach": {}}}',
    ],
)
def test_manifest_that_cannot_be_read_is_said_to_be_so(release, content):
    (release.folder / "manifest.json").write_bytes(content)
    with pytest.raises(SafeguardingError, match=r"manifest.json cannot be read as that of a release. Move the folder"):
        Release.open(release.folder)


def test_unknown_table_is_refused_with_the_nearest_name(release):
    with pytest.raises(ParameterError, match=r'no table "raech". Did you mean "reach"\? It has: reach.'):
        release["raech"]


def test_missing_table_is_said_to_be_missing(release):
    (release.folder / "tables" / "reach.csv").unlink()
    with pytest.raises(SafeguardingError, match=r"reach.csv: the table is missing from the release"):
        release["reach"]


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.replace(b"10", b"11"),
        lambda content: content + b"\n",
        lambda content: content.removeprefix(b"\xef\xbb\xbf"),
        lambda content: content.replace(b"\r\n", b"\n"),
        lambda _: b"caf\xe9",  # as Excel saves it in another encoding
        lambda _: b"",
    ],
    ids=["number", "line", "mark", "line ends", "encoding", "empty"],
)
def test_table_that_was_changed_after_the_audit_is_refused(release, change):
    path = release.folder / "tables" / "reach.csv"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(SafeguardingError, match=r"reach.csv: the table was changed after the release was audited"):
        Release.open(release.folder)["reach"]


def test_changed_table_does_not_keep_the_others_from_being_read(place):
    safe = suppress(count, Policy.dfe())
    make(place, {"reach": safe, "answers": safe})
    (place / "tables" / "reach.csv").write_bytes(b"")
    assert_frame_equal(Release.open(place)["answers"].frame(), safe.frame())


def test_table_that_was_changed_before_the_audit_is_refused_and_the_previous_release_stays(release):
    before = files(release.folder)
    built = build(release.folder.with_name("built"), {"reach": suppress(count, Policy.dfe())})
    path = built / "tables" / "reach.csv"
    path.write_bytes(path.read_bytes().replace(b"10", b"11"))
    with pytest.raises(SafeguardingError, match="changed"):
        promote(built, release.folder, about=ABOUT)
    assert files(release.folder) == before


# The gate: all tables of a measure together

# A district is hidden with another: 3 + 40 = 53 - 10. The other table shows one of the two: the other is 43 - 40 = 3.
by_district = count.rename({"agency": "district"})
one_district = pl.DataFrame({"district": ["C"], "count": [40]})
# Two halves of East, whose rows hide 3 of 23 and show 20: alone nothing is known of East, as no total stands there.
by_half = pl.DataFrame({"district": ["East", "East"], "half": ["H1", "H2"], "count": [20, 3]})
east = pl.DataFrame({"district": ["East"], "count": [23]})


@pytest.mark.parametrize(
    ("first", "second", "narrowed"),
    [
        (by_district, one_district, {("first", "district=A"), ("first", "district=C")}),
        (by_half, east, {("first", "district=East, half=H2")}),
    ],
    ids=["shown elsewhere", "complement"],
)
def test_tables_that_give_a_hidden_number_away_together_are_not_released(place, first, second, narrowed):
    alone = {"first": suppress(first, Policy.dfe()), "second": suppress(second, Policy.dfe())}
    assert all(joint_audit({name: table}, {name: "people"})[0].is_empty() for name, table in alone.items())
    make(place, {"reach": suppress(count, Policy.dfe())})
    before = files(place)
    built = build(place.with_name("built"), {**alone, "apart": suppress(rate, Policy.dfe())})
    with pytest.raises(DisclosureError) as caught:
        promote(built, place, about=ABOUT)
    first, *lines, repair, command = str(caught.value).splitlines()
    numbers = "1 hidden number" if len(narrowed) == 1 else f"{len(narrowed)} hidden numbers"
    assert first == f"the release was not made: {numbers} could be worked out."
    assert {tuple(line.removeprefix("- ").split(": ")[0].split(", ", 1)) for line in lines} == narrowed
    assert repair == "Protect these tables together: suppress([first, second], policy)."
    assert command == "Or hide more of them until nothing can be worked out: safeguarding report FOLDER --repair"
    assert files(place) == before


def test_tables_of_different_measures_are_not_combined(place):
    built = build(place.with_name("built"), {"first": suppress(by_half, Policy.dfe())}, measure="children")
    put(suppress(east, Policy.dfe()), "second", built, measure="plans")
    assert promote(built, place, about=ABOUT).tables() == ["first", "second"]


def test_tables_of_other_publishers_are_not_audited(place):
    hidden_by_others = east.with_columns(count=pl.lit(None, pl.Int64), mark=pl.lit("[c]"))
    tables = {"first": already_public(hidden_by_others, "DfE"), "second": suppress(east, Policy.dfe())}
    assert make(place, tables).tables() == ["first", "second"]


LOOKUP = pl.DataFrame({"district": ["D2", "D1", "D3", "D1"], "area": ["North", "North", "South", "North"]})
# D1 is hidden with D3. The 40 of the South are those of D3: 63 - 20 - 40 = 3.
districts = pl.DataFrame({"district": ["D1", "D2", "D3", "Total"], "count": [3, 20, 40, 63]})
areas = pl.DataFrame({"area": ["North", "South", "Total"], "count": [23, 40, 63]})


def test_lookup_is_written_down_once_row_by_row_and_used_by_the_gate(place):
    built = build(place.with_name("built"), {"areas": suppress(areas, Policy.dfe())})
    put(suppress(districts, Policy.dfe()), "districts", built, within=LOOKUP)
    entry = json.loads((built / "tables" / "districts.json").read_text(encoding="utf-8"))
    assert entry["within"] == [{"district": ["D1", "D2", "D3"], "area": ["North", "North", "South"]}]
    with pytest.raises(DisclosureError, match=r"suppress\(\[areas, districts\], policy\)"):
        promote(built, place, about=ABOUT)


def test_tables_protected_together_with_a_lookup_are_released_with_it(place):
    tables = dict(zip(("districts", "areas"), suppress([districts, areas], Policy.dfe(), within=LOOKUP), strict=True))
    built = place.with_name("built")
    built.mkdir()
    for name, table in tables.items():
        put(table, name, built, within=[LOOKUP])
    made = promote(built, place, about=ABOUT)
    assert made.manifest["audit"] == {"effort": "full", "tables": 2, "findings": 0}
    assert [len(made.entry(name).within) for name in tables] == [1, 1]


@pytest.mark.parametrize(
    ("lookup", "error", "message"),
    [
        (pl.DataFrame({"district": ["D1"]}), ParameterError, "within must be frames of two columns or more"),
        (pl.DataFrame({"district": ["D1"], "area": [None]}), ParameterError, "within: area has rows without a value"),
        (pl.DataFrame({"child": ["C1"], "area": ["North"]}), DisclosureError, "child identifies people"),
    ],
)
def test_lookup_that_is_none_or_identifies_is_refused(tmp_path, lookup, error, message):
    with pytest.raises(error, match=message):
        put(suppress(districts, Policy.dfe()), "districts", tmp_path, within=lookup)
    assert list(tmp_path.iterdir()) == []


def test_lookup_of_yes_and_no_is_written_as_groups_are_compared(place):
    lookup = pl.DataFrame({"urgent": [True, False, True], "kind": ["K", "K", "K"]})
    table = pl.DataFrame({"urgent": [False, True, None], "count": [20, 30, 50]})
    put(suppress(table, Policy.dfe()), "plans", build(place.with_name("built"), {}), within=lookup)
    written = json.loads((place.with_name("built") / "tables" / "plans.json").read_text(encoding="utf-8"))["within"]
    assert written == [{"urgent": ["False", "True"], "kind": ["K", "K"]}]


def test_no_lookup_may_be_said_with_none(place):
    put(suppress(count, Policy.dfe()), "plans", build(place.with_name("built"), {}), within=None)
    written = json.loads((place.with_name("built") / "tables" / "plans.json").read_text(encoding="utf-8"))["within"]
    assert written == []


def groups_of(*columns):
    """A table of 30 groups each, of which nothing is small."""
    cells = pl.DataFrame({columns[0]: [f"{columns[0]}{n}" for n in range(30)]})
    for column in columns[1:]:
        cells = cells.join(pl.DataFrame({column: [f"{column}{n}" for n in range(30)]}), how="cross")
    return suppress(cells.with_columns(count=pl.lit(30 ** (3 - len(columns)) * 10)), Policy.dfe())


def test_tables_of_too_many_combinations_are_audited_fast_and_the_manifest_says_so(place):
    # 30 x 30 x 30 = 27,000 combinations; the tables of the other measure have few.
    built = build(place.with_name("built"), {"one": groups_of("a", "b"), "other": groups_of("b", "c")})
    put(suppress(count, Policy.dfe()), "reach", built, measure="others")
    assert promote(built, place, about=ABOUT).manifest["audit"] == {"effort": "fast", "tables": 3, "findings": 0}


def test_tables_are_audited_as_thoroughly_as_the_lookups_of_their_own_measure_allow(place):
    # Of people it is known when they first came and in which months they then count; the plans are of other months.
    years = pl.DataFrame({"month": ["2003-04", "2003-05"], "time_period": "2004"})
    first = pl.DataFrame({"first_month": ["2011-05", "2011-05", "2011-06"], "month": ["2011-05", "2011-06", "2011-06"]})
    tables = {
        "by_month": years.select("time_period", "month").with_columns(count=pl.Series([20, 30])),
        "by_half": pl.DataFrame({"time_period": "2004", "half": ["H1", "H2"], "count": [35, 15]}),
    }
    built = build(place.with_name("built"), {})
    for name, table in zip(tables, suppress(list(tables.values()), Policy.dfe(), within=years), strict=True):
        put(table, name, built, measure="plans", within=years)
    reached = pl.DataFrame({"month": ["2011-05", "2011-06"], "count": [20, 50]})
    put(suppress(reached, Policy.dfe(), within=first), "reached", built, measure="people", within=first)
    assert promote(built, place, about=ABOUT).manifest["audit"] == {"effort": "full", "tables": 3, "findings": 0}


# Beside the release that stands


@pytest.mark.parametrize(
    ("stands", "new", "where"),
    [
        ({"halves": by_half}, {"years": east}, "the release that stands: halves"),
        ({"years": east}, {"halves": by_half}, "halves"),
    ],
    ids=["the old one hides", "the new one hides"],
)
def test_releases_of_the_same_data_must_not_give_away_what_one_of_them_hides(place, stands, new, where):
    make(place, {name: suppress(table, Policy.dfe()) for name, table in stands.items()})
    before = files(place)
    with pytest.raises(DisclosureError) as caught:
        make(place, {name: suppress(table, Policy.dfe()) for name, table in new.items()})
    first, finding, moved, command = str(caught.value).splitlines()
    assert first == "the release was not made: 1 hidden number could be worked out."
    assert finding.startswith(f"- {where}, district=East, half=H2: ")
    assert finding.endswith("leaves exactly 3.")  # 23 - 20
    assert moved.startswith("They were compared with the release that stands, of the same data.")
    assert moved.endswith(f"If nobody has seen it, move {place} away.")
    assert command.endswith("safeguarding report FOLDER --repair")
    assert files(place) == before


def test_release_of_other_data_is_not_compared_with_the_one_that_stands(place):
    make(place, {"halves": suppress(by_half, Policy.dfe())})
    assert make(place, {"years": suppress(east, Policy.dfe())}, about=OTHER_DATA).tables() == ["years"]


def test_releases_of_unknown_data_are_not_compared(place):
    make(place, {"halves": suppress(by_half, Policy.dfe())}, about={})
    assert make(place, {"years": suppress(east, Policy.dfe())}, about={}).tables() == ["years"]


def test_release_of_another_year_of_the_same_data_is_another_topic(place):
    make(place, {"reach": suppress(count, Policy.dfe())})
    doubled = count.with_columns(count=pl.col("count") * 2)
    assert make(place, {"reach": suppress(doubled, Policy.dfe())}).tables() == ["reach"]


@pytest.mark.parametrize("damage", ["missing", "changed", "not safe any more", "policy of another version"])
def test_table_that_stands_and_cannot_be_read_stops_the_gate(place, damage):
    make(place, {"halves": suppress(by_half, Policy.dfe()), "england": already_public(count, "DfE")})
    (place / "tables" / "england.csv").unlink()  # it is not compared, so it need not be read
    if damage == "missing":
        (place / "tables" / "halves.csv").unlink()
    elif damage == "changed":
        (place / "tables" / "halves.csv").write_bytes(b"{")
    else:
        change_entry(place, "halves", policy={"threshold": 30} if damage == "not safe any more" else {"shield": 1})
    before = files(place)
    with pytest.raises(SafeguardingError) as caught:
        make(place, {"years": suppress(east, Policy.dfe())})
    assert str(caught.value) == (
        f"{place}: halves.csv of the release that stands cannot be read, so nothing says what it hides. The new "
        "release could give that away. Put back what it held or, if nobody has seen that release, move it away."
    )
    assert files(place) == before


def test_release_of_which_a_table_is_damaged_can_be_made_anew(place):
    tables = {"halves": suppress(by_half, Policy.dfe())}
    make(place, tables)
    (place / "tables" / "halves.csv").unlink()
    assert make(place, tables)["halves"].hidden == tables["halves"].hidden  # the same table tells nothing new


def test_damaged_table_of_other_data_does_not_stop_the_gate(place):
    make(place, {"halves": suppress(by_half, Policy.dfe())})
    (place / "tables" / "halves.csv").unlink()
    assert make(place, {"years": suppress(east, Policy.dfe())}, about=OTHER_DATA).tables() == ["years"]


def test_release_that_stands_with_a_damaged_manifest_stops_the_gate(place):
    make(place, {"halves": suppress(by_half, Policy.dfe())})
    (place / "manifest.json").write_text('{"package": "safeguarding_analytics 1.0", "tables": {"halves": {}}}')
    with pytest.raises(SafeguardingError, match=r"manifest.json of the release that stands cannot be read"):
        make(place, {"years": suppress(east, Policy.dfe())})


def change_entry(place, name, **more):
    path = place / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["tables"][name] |= more
    path.write_text(json.dumps(manifest), encoding="utf-8")


def test_release_of_a_later_version_that_says_more_of_its_tables_opens(release):
    expected = release["reach"].frame()
    change_entry(release.folder, "reach", colour="green")
    opened = Release.open(release.folder)
    assert_frame_equal(opened["reach"].frame(), expected)
    assert opened.entry("reach") == release.entry("reach")


def test_table_whose_policy_has_settings_of_a_later_version_is_not_read(release):
    change_entry(release.folder, "reach", policy={"shield": 1}, package="safeguarding_analytics 9.0")
    opened = Release.open(release.folder)
    with pytest.raises(SafeguardingError, match=r"^reach: its policy has settings .* safeguarding_analytics 9\.0\.$"):
        opened["reach"]


def test_what_another_computer_builds_on_a_shared_drive_is_left_alone_for_a_day(tmp_path):
    """Its processes cannot be seen from here, and one of this computer may have the same number."""
    another, ended = f"{BEING_BUILT}another-", "999999999"
    yesterday = time.time() - 24 * 60 * 60
    for name, since in ((f"{another}{os.getpid()}", 60), (f"{another}{ended}", 60), (f"{another}7", -60)):
        (tmp_path / name / "tables").mkdir(parents=True)
        os.utime(tmp_path / name, (yesterday + since, yesterday + since))
    (tmp_path / "kept").mkdir()
    sweep(tmp_path, BEING_BUILT)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{another}{os.getpid()}", f"{another}{ended}", "kept"]


def test_folder_that_is_being_built_does_not_tell_the_name_of_the_computer(place):
    name = being_built(place, BEING_BUILT).name
    assert re.fullmatch(rf"{re.escape(BEING_BUILT)}[0-9a-f]{{8}}-{os.getpid()}", name)
    assert platform.node() not in name


@pytest.fixture
def run(place):
    """A folder that a notebook publishes into, beside the release that stands."""
    folder = place.with_name(f"{BEING_BUILT}7") / "runs" / "reach"
    folder.mkdir(parents=True)
    return folder


def test_tables_of_a_measure_that_were_published_before_are_given(place, run):
    tables = {"reach": suppress(count, Policy.dfe()), "england": already_public(count, "DfE")}
    built = build(place.with_name("built"), tables)
    put(suppress(rate, Policy.dfe()), "rates", built, measure="events")
    promote(built, place, about=ABOUT)
    (found,) = published_before(run, "people")
    assert_frame_equal(found.frame(), tables["reach"].frame())
    assert published_before(str(run), "others") == []


def test_nothing_was_published_before_where_no_release_stands_or_none_is_built(run, release, monkeypatch):
    assert published_before("", "people") == []
    assert published_before(release.folder, "people") == []
    assert len(published_before(run, "people")) == 1
    shutil.rmtree(release.folder)
    assert published_before(run, "people") == []


@pytest.mark.parametrize("file", ["manifest.json", "tables/reach.csv"])
def test_damaged_release_is_as_if_nothing_was_published_before(run, release, file):
    (release.folder / file).write_bytes(b"{")
    assert published_before(run, "people") == []


def test_release_without_tables_can_be_made(place):
    built = place.with_name("built")
    built.mkdir()
    assert promote(built, place, about=ABOUT).tables() == []
    assert audited([place]).is_empty()


# Several releases


def test_releases_that_give_a_hidden_number_away_together_are_found(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    make(first, {"halves": suppress(by_half, Policy.dfe())})
    make(second, {"years": suppress(east, Policy.dfe())})
    assert audited([first]).is_empty()
    assert audited([second]).is_empty()
    found = audited([first, second])
    # 23 in all less 20 leaves exactly 3
    assert found.select("table", "cell", "column", "low", "high").rows() == [
        (f"{first}: halves", "district=East, half=H2", "count", 3, 3)
    ]


def test_release_audited_beside_itself_tells_nothing_new(release):
    assert audited([release.folder, release.folder]).is_empty()


# Replacing a release


def test_new_release_takes_the_place_of_the_previous_one_as_a_whole(release):
    made = make(release.folder, {"answers": suppress(count, Policy.nhs())}, about=OTHER_DATA)
    assert made.folder == release.folder
    assert made.tables() == ["answers"]
    assert sorted(map(str, files(release.folder))) == ["manifest.json", "tables/answers.csv", "tables/answers.parquet"]
    assert sorted(path.name for path in release.folder.parent.iterdir()) == ["release"]


def test_folder_that_is_not_a_release_is_not_replaced(place):
    place.mkdir()
    (place / "thesis.docx").write_bytes(b"years of work")
    built = build(place.with_name("built"), {"reach": suppress(count, Policy.dfe())})
    with pytest.raises(ParameterError, match="holds something that is not a release"):
        promote(built, place, about=ABOUT)
    assert (place / "thesis.docx").read_bytes() == b"years of work"


@pytest.mark.parametrize(
    "manifest", [None, b"", b"[]", b'{"name": "a browser extension"}', b'{"package": "another 1.0"}', b'{"package": 7}']
)
@pytest.mark.parametrize("where", [Path, previous], ids=["its place", "that of the previous one"])
def test_folder_whose_manifest_is_not_that_of_a_release_is_not_replaced(release, where, manifest):
    other = where(release.folder)
    if other != release.folder:
        shutil.copytree(release.folder, other)
    (other / "manifest.json").unlink()
    if manifest is not None:
        (other / "manifest.json").write_bytes(manifest)
    built = build(release.folder.with_name("built"), {"answers": suppress(count, Policy.dfe())})
    before = files(release.folder), files(other)
    with pytest.raises(ParameterError) as caught:
        promote(built, release.folder, about=ABOUT)
    assert str(caught.value) == (
        f"{other} holds something that is not a release and would be lost. "
        "Choose another folder with --out, or move it away."
    )
    assert (files(release.folder), files(other)) == before


def refuse_renames(monkeypatch, *refused):
    """Windows refuses to rename a folder while another program has a file of it open."""
    rename = Path.rename

    def refuse(self, target):
        if (self.name, Path(target).name) in refused:
            raise PermissionError(13, "another program has a file open", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)


@pytest.mark.parametrize(
    ("refused", "stands"),
    [
        ([("release", "release.previous")], "release"),
        ([("built", "release")], "release"),
        ([("built", "release"), ("release.previous", "release")], "release.previous"),
    ],
    ids=["away", "in", "in and back"],
)
def test_previous_release_stands_where_the_system_refuses_to_move_the_new_one(release, monkeypatch, refused, stands):
    expected = files(release.folder)
    built = build(release.folder.with_name("built"), {"answers": suppress(count, Policy.dfe())})
    with monkeypatch.context() as patch:
        refuse_renames(patch, *refused)
        with pytest.raises(PermissionError, match="another program has a file open"):
            promote(built, release.folder, about=ABOUT)
    assert sorted(path.name for path in built.parent.iterdir()) == ["built", stands]
    assert files(built.parent / stands) == expected
    assert Release.open(release.folder).tables() == ["reach"]


def test_first_release_that_cannot_be_moved_leaves_no_folder_in_its_place(place, monkeypatch):
    built = build(place.with_name("built"), {"reach": suppress(count, Policy.dfe())})
    refuse_renames(monkeypatch, ("built", "release"))
    with pytest.raises(PermissionError):
        promote(built, place, about=ABOUT)
    assert [path.name for path in built.parent.iterdir()] == ["built"]


def test_empty_folder_is_replaced(place):
    place.mkdir()
    assert make(place, {"reach": suppress(count, Policy.dfe())}).tables() == ["reach"]


def test_previous_release_opens_when_the_run_stops_between_the_two_renames(release):
    expected = release["reach"].frame()
    build(release.folder.with_name("built"), {"answers": suppress(count, Policy.dfe())})
    release.folder.rename(previous(release.folder))  # and here the power goes
    opened = Release.open(release.folder)
    assert opened.tables() == ["reach"]
    assert_frame_equal(opened["reach"].frame(), expected)


def test_next_run_after_one_that_stopped_between_the_two_renames_makes_a_release(release):
    release.folder.rename(previous(release.folder))
    assert make(release.folder, {"answers": suppress(count, Policy.dfe())}).tables() == ["answers"]
    assert sorted(path.name for path in release.folder.parent.iterdir()) == ["release"]


def test_next_run_after_one_that_stopped_before_clearing_up_makes_a_release(release):
    shutil.copytree(release.folder, previous(release.folder))
    assert make(release.folder, {"answers": suppress(count, Policy.dfe())}).tables() == ["answers"]
    assert sorted(path.name for path in release.folder.parent.iterdir()) == ["release"]


PROMOTES_FOR_EVER = """
import shutil, sys
from itertools import count
from pathlib import Path
from safeguarding_analytics.placed_folders import replace_folder
from safeguarding_analytics.release import RELEASE
finished, place = map(Path, sys.argv[1:])
print("ready", flush=True)
for number in count():
    built = place.with_name(f"built-{number}")
    shutil.copytree(finished, built)
    replace_folder(built, place, RELEASE)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills a process with a signal")
def test_release_opens_whenever_the_run_is_killed(tmp_path, release):
    finished, place = tmp_path / "finished", release.folder
    shutil.copytree(place, finished)
    expected = release["reach"].frame()
    draws = random.Random(20)
    for _ in range(8):
        command = [sys.executable, "-c", PROMOTES_FOR_EVER, str(finished), str(place)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as run:
            assert run.stdout.readline() == b"ready\n"
            time.sleep(draws.uniform(0, 0.05))
            run.send_signal(signal.SIGKILL)
        assert_frame_equal(Release.open(place)["reach"].frame(), expected)
        for left_over in tmp_path.glob("built-*"):
            shutil.rmtree(left_over)


@pytest.mark.parametrize("steps", range(5))
def test_release_opens_after_every_step_of_replacing_it(release, monkeypatch, steps):
    # Four steps: move the release away, move the new one in, remove the tables of the old one, remove what is left.
    left = steps

    def stop_when_used_up(real):
        def step(*arguments, **options):
            nonlocal left
            if not left:
                raise KeyboardInterrupt
            left -= 1
            return real(*arguments, **options)

        return step

    built = release.folder.with_name("built")
    shutil.copytree(release.folder, built)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", stop_when_used_up(Path.rename))
        patch.setattr(shutil, "rmtree", stop_when_used_up(shutil.rmtree))
        with contextlib.nullcontext() if steps == 4 else pytest.raises(KeyboardInterrupt):
            replace_folder(built, release.folder, RELEASE)
    assert_frame_equal(Release.open(release.folder)["reach"].frame(), suppress(count, Policy.dfe()).frame())


def test_tables_of_one_measure_that_contradict_each_other_stop_the_gate(tmp_path):
    built = tmp_path / "built"
    built.mkdir()
    for name, count in (("by_district", 40), ("by_district_again", 41)):
        table = suppress(pl.DataFrame({"district": ["D01", "D02"], "count": [count, 50]}), Policy.dfe())
        publish(table, name, into=built, title="t", definition="d", measure="plans started")
    with pytest.raises(DisclosureError, match="district=D01: two tables disagree about count"):
        promote(built, tmp_path / "release", about={"board": "b"})
    assert not (tmp_path / "release").exists()
