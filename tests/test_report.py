"""The board pack and its release: complete, the same every time, without a name or a path, or not made at all."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import date
from html import unescape
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import nbformat
import polars as pl
import pytest

from safeguarding_analytics import kernels, report
from safeguarding_analytics.auditing import audit
from safeguarding_analytics.board import read_board
from safeguarding_analytics.build_folders import being_built
from safeguarding_analytics.disclosure import Policy, suppress
from safeguarding_analytics.errors import DisclosureError, ParameterError, SafeguardingError, TableError
from safeguarding_analytics.kernels import Task
from safeguarding_analytics.pages import vega_bundle
from safeguarding_analytics.release import Release, lookups_of, promote, publish
from safeguarding_analytics.release_audit import audit_published, open_published
from safeguarding_analytics.report import make_report, notebooks
from safeguarding_analytics.tables import IDENTIFYING

COMMAND = [sys.executable, "-c", "from safeguarding_analytics.cli import main; main()"]
PROJECT = Path(__file__).parents[1]
TODAY = date(2011, 7, 2)
SECONDS = 1309564800  # 2011-07-02 00:00 UTC: 15,157 days of 86,400 seconds after 1970-01-01
PAGES = ["training_reach", "knowledge_gain", "repeat_plans", "priorities"]
TABLES = [
    "all_points",
    "answered_once",
    "answers",
    "attendance",
    "conferences_on_time",
    "courses_of_one_questionnaire",
    "courses_of_several_questionnaires",
    "coverage_needed_by_area",
    "coverage_needed_by_district",
    "currency_ageing",
    "effect_sizes",
    "follow_up_changes",
    "follow_up_retention",
    "gain_under_assumptions",
    "induction_on_time",
    "inter_agency_mix",
    "knowledge_gain",
    "knowledge_gain_by_agency",
    "knowledge_gain_by_district",
    "knowledge_gain_by_starting_score",
    "long_plans",
    "open_plans_by_category",
    "people_reached_by_district_and_month",
    "people_reached_to_date",
    "places_taken_by_district",
    "plan_rates",
    "plans_per_10000_comparators",
    "plans_per_10000_funnel",
    "plans_started_by_month",
    "plans_started_control_chart",
    "priorities",
    "priorities_agencies",
    "priorities_by_agency",
    "priorities_checks",
    "priorities_figures",
    "priorities_head_to_head",
    "priorities_polarisation",
    "question_changes",
    "questionnaires_left_open",
    "rating_answers",
    "rating_changes",
    "repeat_plans",
    "repeat_plans_by_age",
    "repeat_plans_by_district",
    "repeat_plans_by_initial_category",
    "repeat_plans_by_quarter",
    "repeat_plans_comparators",
    "repeat_plans_funnel",
    "repeat_plans_within_months",
    "repeat_plans_year_on_year",
    "reviews_on_time",
    "shared_themes",
    "shared_themes_by_board",
    "time_to_next_plan",
    "training_cost",
    "training_coverage_by_sector_group",
    "training_currency_by_agency",
    "training_needs",
    "training_reach_by_agency",
]


def state(folder):
    """Content and time of every file of a folder."""
    return {
        path.relative_to(folder): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def contents(folder):
    return {name: content for name, (content, _) in state(folder).items()}


def texts(release):
    """Texts of a release by name, without the scripts that draw charts: they are the same on every page.

    Of a Parquet file, which is not compressed, whatever in it is text; of a workbook, its parts.
    """
    found = {}
    for name, content in contents(release).items():
        if name.suffix == ".xlsx":
            with ZipFile(BytesIO(content)) as parts:
                found |= {f"{name}/{part}": parts.read(part).decode() for part in parts.namelist()}
        else:
            found[str(name)] = content.decode(errors="ignore").replace(vega_bundle(), "")
    return found


@pytest.fixture(scope="module")
def demo(demo_report):
    """The run over the whole synthetic board, with the texts of its release."""
    release = demo_report.made.release.folder
    return SimpleNamespace(**vars(demo_report), release=release, texts=texts(release))


@pytest.fixture
def ballots(demo_board, tmp_path):
    """A board that holds ballots and nothing else."""
    (tmp_path / "board").mkdir()
    shutil.copy(demo_board / "ballots.csv", tmp_path / "board")
    return tmp_path / "board"


@pytest.fixture
def out(tmp_path):
    """A folder with a release in it."""
    built = tmp_path / "built"
    built.mkdir()
    table = suppress(pl.DataFrame({"agency": ["A", "B"], "count": [10, 20]}), Policy.dfe())
    publish(table, "earlier", into=built, title="T", definition="D", measure="people")
    (tmp_path / "out").mkdir()
    promote(built, tmp_path / "out" / "release", about={"made_on": "2011-01-01"})
    return tmp_path / "out"


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Notebooks of one's own in the place of those of the package."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(report, "NOTEBOOKS", folder)

    def add(name, *cells, tables=("ballots",), parameters=""):
        declared = nbformat.v4.new_code_cell(f'board: str = ""\nrelease: str = ""\n{parameters}')
        declared.metadata["tags"] = ["parameters"]
        about = {"order": len(list(folder.iterdir())), "question": "Why?", "tables": list(tables)}
        notebook = nbformat.v4.new_notebook(
            cells=[declared, *map(nbformat.v4.new_code_cell, cells)],
            metadata={
                "title": name.title(),
                "safeguarding": about,
                "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            },
        )
        nbformat.write(notebook, folder / f"{name}.ipynb")

    return add


def assert_nothing_was_made(out, before):
    assert state(out) == before
    assert sorted(path.name for path in out.iterdir()) == ["release"]


# What a run makes


def test_pack_holds_an_index_and_a_page_per_notebook(demo):
    assert sorted(path.name for path in (demo.release / "pack").iterdir()) == sorted(
        ["index.html", *(f"{name}.html" for name in PAGES)]
    )
    assert demo.made.index == demo.release / "pack" / "index.html"
    assert [page.notebook.name for page in demo.made.pages] == PAGES
    assert not any(page.why_not or page.failed for page in demo.made.pages)


def test_index_names_the_board_the_day_the_data_and_links_to_every_page_and_table(demo):
    index = demo.texts["pack/index.html"]
    board = read_board(demo.board)
    for words in (board.config.board.name, "2 July 2011", "As at 1 July 2011.", f"Data version {board.data_version}."):
        assert words in index
    links = re.findall(r'href="([^"#]+)"', index)
    assert [link for link in links if "/" not in link] == [f"{name}.html" for name in PAGES]
    assert [link for link in links if "/" in link] == ["../tables.xlsx", *(f"../tables/{name}.csv" for name in TABLES)]


def test_index_answers_the_question_of_every_page_with_the_headline_of_its_table(demo):
    for page, table in zip(PAGES, ["training_reach_by_agency", *PAGES[1:]], strict=True):
        headline = demo.made.release.entry(table).headline
        assert headline
        assert headline in unescape(demo.texts["pack/index.html"])
        shown = unescape(demo.texts[f"pack/{page}.html"])
        assert [sentence for sentence in re.split(r"(?<=\.) ", headline) if sentence not in shown] == []


def test_every_page_has_its_title_charts_and_tables(demo):
    for page in demo.made.pages:
        html = demo.texts[f"pack/{page.notebook.name}.html"]
        assert f"<title>{page.notebook.title}" in html
        assert html.count("<h1") == 1
        assert "<figure" in html
        assert "<table" in html


def test_release_holds_the_tables_of_all_notebooks_and_nothing_else(demo):
    assert demo.made.release.tables() == TABLES
    assert sorted(map(str, contents(demo.release))) == sorted(
        ["manifest.json", "tables.xlsx", "pack/index.html", *(f"pack/{name}.html" for name in PAGES)]
        + [f"tables/{name}.{kind}" for name in TABLES for kind in ("csv", "parquet")]
    )
    assert sorted(path.name for path in demo.out.iterdir()) == ["release"]


WITHIN = {
    *("training_coverage_by_sector_group", "inter_agency_mix", "people_reached_to_date", "currency_ageing"),
    *("people_reached_by_district_and_month", "coverage_needed_by_area"),
    *("plans_started_by_month", "repeat_plans", "repeat_plans_by_age", "repeat_plans_by_district"),
    *("repeat_plans_by_initial_category", "repeat_plans_by_quarter"),
}
"""Tables of which the manifest says what lies within what: sectors, districts, areas, days, stages, months."""


def test_manifest_says_where_the_numbers_come_from(demo):
    manifest = json.loads(demo.texts["manifest.json"])
    board = read_board(demo.board)
    assert {name: value for name, value in manifest.items() if name not in ("package", "tables")} == {
        "board": "Kent-like demonstration board (synthetic)",
        "made_on": "2011-07-02",
        "as_at": "2011-07-01",
        "data_version": board.data_version,
        "area": None,
        "parameters": {},
        "pages": PAGES,
        # Of plans started there are 60 months x 12 districts x 5 categories x 6 ages = 21,600 combinations.
        "audit": {"effort": "fast", "tables": len(TABLES), "findings": 0},
    }
    for name, entry in manifest["tables"].items():
        assert (entry["data_version"], entry["package"]) == (board.data_version, manifest["package"]), name
        assert bool(entry["within"]) == (name in WITHIN), name
        assert not entry["repaired"], name
        assert entry["title"], name
        assert entry["definition"], name
        assert entry["measure"], name
        assert bool(entry["policy"]) != bool(entry["source"]), name


def test_manifest_says_which_notebook_made_each_table_and_with_which_values(demo):
    release = demo.made.release
    made_by = {name: release.entry(name).notebook for name in TABLES}
    assert made_by == {
        "all_points": "knowledge_gain",
        "answered_once": "knowledge_gain",
        "answers": "knowledge_gain",
        "attendance": "training_reach",
        "conferences_on_time": "repeat_plans",
        "courses_of_one_questionnaire": "knowledge_gain",
        "courses_of_several_questionnaires": "knowledge_gain",
        "coverage_needed_by_area": "training_reach",
        "coverage_needed_by_district": "training_reach",
        "currency_ageing": "training_reach",
        "effect_sizes": "knowledge_gain",
        "follow_up_changes": "knowledge_gain",
        "follow_up_retention": "knowledge_gain",
        "gain_under_assumptions": "knowledge_gain",
        "induction_on_time": "training_reach",
        "inter_agency_mix": "training_reach",
        "knowledge_gain": "knowledge_gain",
        "knowledge_gain_by_agency": "knowledge_gain",
        "knowledge_gain_by_district": "knowledge_gain",
        "knowledge_gain_by_starting_score": "knowledge_gain",
        "long_plans": "repeat_plans",
        "open_plans_by_category": "repeat_plans",
        "people_reached_by_district_and_month": "training_reach",
        "people_reached_to_date": "training_reach",
        "places_taken_by_district": "training_reach",
        "plan_rates": "repeat_plans",
        "plans_per_10000_comparators": "repeat_plans",
        "plans_per_10000_funnel": "repeat_plans",
        "plans_started_by_month": "repeat_plans",
        "plans_started_control_chart": "repeat_plans",
        "priorities": "priorities",
        "priorities_agencies": "priorities",
        "priorities_by_agency": "priorities",
        "priorities_checks": "priorities",
        "priorities_figures": "priorities",
        "priorities_head_to_head": "priorities",
        "priorities_polarisation": "priorities",
        "question_changes": "knowledge_gain",
        "questionnaires_left_open": "knowledge_gain",
        "rating_answers": "knowledge_gain",
        "rating_changes": "knowledge_gain",
        "repeat_plans": "repeat_plans",
        "repeat_plans_by_age": "repeat_plans",
        "repeat_plans_by_district": "repeat_plans",
        "repeat_plans_by_initial_category": "repeat_plans",
        "repeat_plans_by_quarter": "repeat_plans",
        "repeat_plans_comparators": "repeat_plans",
        "repeat_plans_funnel": "repeat_plans",
        "repeat_plans_within_months": "repeat_plans",
        "repeat_plans_year_on_year": "repeat_plans",
        "reviews_on_time": "repeat_plans",
        "shared_themes": "priorities",
        "shared_themes_by_board": "priorities",
        "time_to_next_plan": "repeat_plans",
        "training_cost": "training_reach",
        "training_coverage_by_sector_group": "training_reach",
        "training_currency_by_agency": "training_reach",
        "training_needs": "training_reach",
        "training_reach_by_agency": "training_reach",
    }
    asked = {"area": "", "time_period": "", "group": "agency", "target": "0", "as_at": ""}
    assert release.entry("attendance").parameters == asked
    asked = {"area": "", "time_period": "", "course": "", "group": "agency", "wave": "post", "meaningful_gain": "0.0"}
    assert release.entry("knowledge_gain").parameters == asked | {"cluster": "session"}
    asked = {"area": "", "authority": "", "time_period": "", "months": "0", "group": "district", "comparator_set": ""}
    others = {"indicator": "plans_per_10000", "ruleset": "nhsrplotthedots_0_2_2", "rebase": ""}
    assert release.entry("reviews_on_time").parameters == asked | others
    assert release.entry("priorities").parameters == {
        "area": "",
        "seats": "0",
        "weight": "",
        "unranked": "",
        "seed": "0",
    }


def test_release_opens_and_hides_nothing_that_can_be_worked_out(demo):
    release = Release.open(demo.release)
    assert all(release[name].frame().height == release.entry(name).rows for name in release.tables())
    audited = audit_published(open_published([demo.release]))
    assert (audited.found.height, audited.effort) == (0, "fast")  # plans started have too many combinations


def test_tables_of_every_measure_but_plans_started_hide_nothing_that_a_full_audit_works_out(demo):
    release = demo.made.release
    measures = {}
    for name in TABLES:
        entry = release.entry(name)
        if entry.policy and entry.measure != "plans started":
            measures.setdefault(entry.measure, []).append(name)
    assert sum(map(len, measures.values())) > 30
    for measure, names in measures.items():
        lookups = lookups_of(release.entry(name) for name in names)
        found = audit({name: release[name] for name in names}, within=lookups, effort="full", one_system=True)
        assert found.is_empty(), measure


def test_progress_runs_to_the_number_of_all_cells(demo):
    cells = sum(Task(notebook.path, None).cells for notebook in notebooks())
    assert demo.progress[0] == (0, cells)
    assert demo.progress[-1] == (cells, cells)
    assert [done for done, _ in demo.progress] == sorted(done for done, _ in demo.progress)


def test_inputs_are_only_read(demo, demo_board):
    assert contents(demo.board) == contents(demo_board)


def test_demonstration_run_from_another_place_is_the_same_byte_for_byte(demo, tmp_path):
    own = {**os.environ, "SOURCE_DATE_EPOCH": str(SECONDS), "TZ": "America/New_York"}  # there it is still 1 July
    command = [*COMMAND, "demo", "elsewhere", "--jobs", "3"]
    run = subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert "Training: made\n- Knowledge gain: made\n- Child protection: made\n- Priorities: made\n" in run.stdout
    made = tmp_path / "elsewhere" / "release"
    assert f"Open it in a browser: {(made / 'pack' / 'index.html').as_uri()}\n" in run.stdout
    assert contents(tmp_path / "elsewhere" / "board") == contents(demo.board)
    assert list(contents(made)) == list(contents(demo.release))
    different = [str(name) for name, content in contents(made).items() if content != contents(demo.release)[name]]
    assert different == []


# What no file of a release may hold


def test_no_value_of_an_identifying_column_is_in_any_file(demo):
    values = set()
    for path in demo.board.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                values |= {row[column] for column in IDENTIFYING if row.get(column)}
    assert {"P0001", "C00001", "CP00001", "M01"} <= values
    assert len(values) > 3000
    found = {}
    for name, text in demo.texts.items():
        without_places = re.sub(r' (d|r|ref|sqref)="[^"]*"', "", text)  # M10 draws a line, or is a cell of a workbook
        found |= dict.fromkeys(values & set(re.findall(r"\w+", without_places)), name)
    assert found == {}


def test_no_path_of_this_computer_is_in_any_file(demo):
    places = {str(demo.board), str(demo.out), str(demo.board.parent), str(PROJECT), str(Path.home()), sys.prefix}
    found = [(name, place) for name, text in demo.texts.items() for place in places if f"{place}/" in text]
    assert found == []
    assert not any("release-being-built" in text for text in demo.texts.values())


def test_no_page_asks_for_anything_from_outside(demo):
    pages = {name: text for name, text in demo.texts.items() if name.endswith(".html")}
    for name, html in pages.items():
        assert not re.search(
            r"<(?:script|img|iframe|video|audio|source|embed)\b[^>]*\ssrc\s*=\s*[\"']?(?!data:)", html
        ), name
        assert not re.search(r"<link\b|@import|url\((?![\"']?(?:data:|#))", html), name
        assert not re.search(r"(?:href|action)\s*=\s*[\"']?(?:\w+:)?//", html), name
        assert "default-src 'none'" in unescape(html), name


# A board that answers some of the questions


def test_board_with_ballots_alone_gets_its_page_and_is_told_what_the_others_need(ballots, tmp_path):
    made = make_report(ballots, tmp_path / "out", today=TODAY)
    assert {page.notebook.name: page.why_not for page in made.pages} == {
        "training_reach": "This page needs bookings.csv, sessions.csv and workforce.csv, "
        "which the board's folder does not hold.",
        "knowledge_gain": "This page needs items.csv, scores.csv and sessions.csv, "
        "which the board's folder does not hold.",
        "repeat_plans": "This page needs plans.csv, which the board's folder does not hold.",
        "priorities": "",
    }
    of_ballots = [name for name in TABLES if name.startswith("priorities")]
    assert made.release.tables() == of_ballots
    pages = {name: unescape(text) for name, text in texts(made.release.folder).items()}
    for page in made.pages:
        assert page.why_not in pages["pack/index.html"]
        assert page.why_not in pages[f"pack/{page.notebook.name}.html"]
    assert "Safeguarding board" in pages["pack/index.html"]  # it has no board.toml, so no name and no day
    assert "As at" not in pages["pack/index.html"]
    assert made.release.manifest["as_at"] is None


def test_board_that_answers_no_question_is_told_so_and_nothing_is_made(ballots, out):
    (ballots / "ballots.csv").unlink()
    (ballots / "themes.csv").write_text("board,theme,urgency,importance\nB,T,1,2\n", encoding="utf-8")
    before = state(out)
    with pytest.raises(TableError) as caught:
        make_report(ballots, out, today=TODAY)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == PAGES
    assert lines[3] == "priorities: This page needs ballots.csv, which the board's folder does not hold."
    assert_nothing_was_made(out, before)


# What is refused before anything runs


def test_broken_tables_are_refused_with_every_problem_and_nothing_is_made(demo_board, tmp_path, out):
    board = shutil.copytree(demo_board, tmp_path / "board")
    for name, right, wrong in (
        ("bookings", ",attended,", ",Attnded,"),
        ("plans", ",NEG,", ",NEGLECT,"),
        ("ballots", "M01,", "unknown,"),
    ):
        path = board / f"{name}.csv"
        path.write_text(path.read_text(encoding="utf-8").replace(right, wrong, 1), encoding="utf-8")
    before = state(out)
    with pytest.raises(TableError) as caught:
        make_report(board, out, today=TODAY)
    lines = str(caught.value).splitlines()
    assert sorted(re.split("[:,]", line)[0] for line in lines) == ["ballots.csv", "bookings.csv", "plans.csv"]
    assert '"Attnded"' in str(caught.value)
    assert '"NEGLECT"' in str(caught.value)
    assert "unknown" not in str(caught.value)  # in the place of an identifier nothing is printed
    assert_nothing_was_made(out, before)


def test_missing_folder_is_refused_and_no_folder_is_made(tmp_path):
    with pytest.raises(TableError, match="there is no such folder"):
        make_report(tmp_path / "nowhere", tmp_path / "out", today=TODAY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"only": ["repeat_plan"]},
            'there is no notebook "repeat_plan". Did you mean "repeat_plans"? '
            "Known: training_reach, knowledge_gain, repeat_plans, priorities.",
        ),
        (
            {"parameters": {"seat": 3}, "only": ["priorities"]},
            'no notebook has a parameter "seat". Did you mean "seats"? Known: area, seats, seed, unranked, weight; '
            "to set it for one notebook alone, write its name and a dot before it.",
        ),
        (
            {"parameters": {"seats": 3}, "only": ["repeat_plans"]},
            'no notebook has a parameter "seats". Known: area, authority, comparator_set, group, indicator, months, '
            "rebase, ruleset, time_period; "
            "to set it for one notebook alone, write its name and a dot before it.",
        ),
        (
            {"parameters": {"release": "/tmp"}, "only": ["repeat_plans"]},
            'no notebook has a parameter "release". Did you mean "rebase"? Known: area, authority, comparator_set, '
            "group, indicator, months, rebase, ruleset, time_period; "
            "to set it for one notebook alone, write its name and a dot before it.",
        ),
        (
            {"parameters": {"repeat_plans.grup": "category"}, "only": ["repeat_plans"]},
            'no notebook has a parameter "repeat_plans.grup". Did you mean "repeat_plans.group"? '
            "Known: area, authority, comparator_set, group, indicator, months, rebase, ruleset, time_period; "
            "to set it for one notebook alone, write its name and a dot before it.",
        ),
        ({"parameters": {"seats": "four"}}, 'seats must be a whole number. Found: "four".'),
        ({"parameters": {"seed": "1.5"}}, 'seed must be a whole number. Found: "1.5".'),
        ({"parameters": {"meaningful_gain": "two"}}, 'meaningful_gain must be a number. Found: "two".'),
    ],
)
def test_unknown_names_and_values_are_refused_before_anything_is_read(tmp_path, options, message):
    with pytest.raises(ParameterError) as caught:
        make_report(tmp_path / "nowhere", tmp_path / "out", today=TODAY, **options)
    assert str(caught.value) == message


def test_folder_that_is_not_a_release_is_not_replaced(ballots, tmp_path):
    (tmp_path / "mine" / "release").mkdir(parents=True)
    (tmp_path / "mine" / "release" / "thesis.docx").write_bytes(b"years of work")
    with pytest.raises(ParameterError, match="holds something that is not a release"):
        make_report(ballots, tmp_path / "mine", today=TODAY)
    assert contents(tmp_path / "mine") == {Path("release/thesis.docx"): b"years of work"}


def test_folder_that_is_not_a_release_is_not_taken_for_the_previous_one(ballots, out):
    other = out / "release.previous"
    other.mkdir()
    (other / "manifest.json").write_bytes(b'{"name": "a browser extension"}')
    before = state(out)
    with pytest.raises(ParameterError, match=r"release\.previous holds something that is not a release"):
        make_report(ballots, out, today=TODAY)
    assert state(out) == before


@pytest.mark.parametrize("stands", ["release", "release.previous"])
def test_run_of_some_notebooks_is_refused_where_pages_would_be_lost(demo, tmp_path, stands):
    copy = tmp_path / "out" / stands
    shutil.copytree(demo.release, copy)
    before = state(tmp_path / "out")
    with pytest.raises(ParameterError) as caught:
        make_report(demo.board, tmp_path / "out", only=["priorities", "training_reach"], today=TODAY)
    assert str(caught.value) == (
        f"{tmp_path / 'out' / 'release'} also has knowledge_gain and repeat_plans, which would be lost. "
        "Run all notebooks, or name another folder with --out."
    )
    assert state(tmp_path / "out") == before


def test_run_of_some_notebooks_replaces_a_release_of_the_same_ones(shelf, ballots, tmp_path):
    shelf("good", "'made'")
    shelf("other", "'made'")
    for _ in range(2):
        made = make_report(ballots, tmp_path / "out", only=["good"], today=TODAY)
        assert made.release.manifest["pages"] == ["good"]


def test_notebooks_come_in_the_order_of_the_pack():
    assert [notebook.name for notebook in notebooks()] == PAGES
    assert [notebook.name for notebook in notebooks(["priorities", "knowledge_gain"])] == [PAGES[1], PAGES[3]]
    assert dict(notebooks(["priorities"])[0].parameters) == {
        "board": "str",
        "release": "str",
        "area": "str",
        "seats": "int",
        "weight": "str",
        "unranked": "str",
        "seed": "int",
    }


# Parameters reach the notebooks

LETTERS = "str({}).translate(str.maketrans('0123456789', 'abcdefghij'))"
"""Code that writes a value without its digits: a page may show no number that stands in no published table."""


def test_values_reach_the_notebooks_that_declare_them_in_the_declared_type(shelf, ballots, tmp_path):
    shelf(
        "types",
        f"print({LETTERS.format('(type(year).__name__, year, type(n).__name__, n, share, sure)')})",
        parameters=('year: str = "2008"  # reporting year\nn: int = 0\nshare: float = 0.5\nsure: bool = True'),
    )
    shelf("other", f"print({LETTERS.format('n')})", parameters='n: str = ""')
    given = {"year": "2007", "n": "12", "share": "1e-3", "sure": "false"}
    made = make_report(ballots, tmp_path / "out", parameters=given, today=TODAY)
    printed = [page.executed.cells[-1].outputs[0]["text"] for page in made.pages]
    assert printed == ["('str', 'caah', 'int', bc, a.aab, False)\n", "bc\n"]
    assert made.release.manifest["parameters"] == given


def test_value_for_one_notebook_reaches_that_one_alone_and_goes_before_the_one_for_all(shelf, ballots, tmp_path):
    shelf("one", f"print({LETTERS.format('n')})", parameters="n: int = 0")
    shelf("two", f"print({LETTERS.format('n')})", parameters="n: int = 0")
    shelf("three", f"print({LETTERS.format('m')})", parameters="m: int = 0")
    given = {"two.n": "2", "n": "1", "three.m": "3"}
    made = make_report(ballots, tmp_path / "out", parameters=given, today=TODAY)
    assert [page.executed.cells[-1].outputs[0]["text"] for page in made.pages] == ["b\n", "c\n", "d\n"]
    assert made.release.manifest["parameters"] == given


def test_entry_of_a_table_holds_the_values_its_notebook_ran_with_and_no_place(shelf, ballots, tmp_path):
    columns = {"district": ["East"], "count": [23]}
    for name in ("one", "two"):
        cell = PUBLISHES.format(name=name, columns=columns, headline="")
        shelf(name, cell, parameters='n: int = 0  # how many\nshare: float = 0.5\nyear: str = "2008"')
    given = {"two.n": "2", "year": 2007}
    release = make_report(ballots, tmp_path / "out", parameters=given, today=TODAY).release
    assert release.entry("one").parameters == {"n": "0", "share": "0.5", "year": "2007"}
    assert release.entry("two").parameters == {"n": "2", "share": "0.5", "year": "2007"}
    assert str(tmp_path) not in (release.folder / "manifest.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("value", "what"), [("M01", "a value of the column member"), ("/srv/boards/kent", "a path of the computer")]
)
def test_value_that_must_not_be_published_stops_the_run(shelf, ballots, out, value, what):
    cell = PUBLISHES.format(name="one", columns={"district": ["East"], "count": [23]}, headline="")
    shelf("one", cell, parameters='who: str = ""')
    before = state(out)
    with pytest.raises(DisclosureError, match=rf"- tables/one\.json, parameters\.who: {what}"):
        make_report(ballots, out, parameters={"who": value}, today=TODAY)
    assert_nothing_was_made(out, before)


@pytest.mark.parametrize(
    ("declared", "value", "wanted"),
    [("int", "2.5", "a whole number"), ("float", "much", "a number"), ("bool", "perhaps", "true or false")],
)
def test_value_that_is_not_of_the_declared_type_is_refused(shelf, ballots, out, declared, value, wanted):
    shelf("types", "1", parameters=f"x: {declared} = 1")
    with pytest.raises(ParameterError) as caught:
        make_report(ballots, out, parameters={"x": value}, today=TODAY)
    assert str(caught.value) == f'x must be {wanted}. Found: "{value}".'


# A notebook that fails


def test_notebook_that_fails_is_named_and_nothing_is_made(shelf, ballots, out):
    shelf("good", "'made'")
    shelf("bad", "'made'", "raise ValueError('P0001 of West Kent')")
    shelf("ours", "from safeguarding_analytics.errors import TableError", "raise TableError('ballots.csv: all wrong.')")
    before = state(out)
    with pytest.raises(SafeguardingError) as caught:
        make_report(ballots, out, today=TODAY)
    # Words of others may hold a value of the data; ours do not. The parameters are code cell 1.
    assert str(caught.value) == (
        "bad: code cell 3 ended with ValueError. Open the notebook in JupyterLab to see why.\n"
        "ours: ballots.csv: all wrong.\n"
        "No release was made; the previous one, if there is one, stays."
    )
    assert caught.value.__cause__ is None
    assert_nothing_was_made(out, before)


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("import os; os._exit(1)", "its kernel died, perhaps for want of memory."),
        ("import time; secret = 'P0001'; time.sleep(30)", "a cell took longer than 1 seconds."),
    ],
    ids=["dies", "hangs"],
)
def test_notebook_that_dies_or_hangs_is_named_and_nothing_is_made(shelf, ballots, out, monkeypatch, cell, why):
    monkeypatch.setattr(kernels, "TIMEOUT", 1)
    shelf("bad", cell)
    before = state(out)
    with pytest.raises(SafeguardingError) as caught:
        make_report(ballots, out, today=TODAY)
    assert str(caught.value).startswith(f"bad: {why}")
    assert "P0001" not in str(caught.value)
    assert_nothing_was_made(out, before)


PUBLISHES = """
import polars as pl
from safeguarding_analytics import Policy, publish, show_table, suppress
safe = suppress(pl.DataFrame({columns}), Policy.dfe())
publish(safe, "{name}", into=release, title="T", definition="D", measure="children", headline="{headline}")
show_table(safe, caption="Children")
"""
YEARS = PUBLISHES.format(name="years", columns={"district": ["East"], "count": [23]}, headline="There were 23.")
HALVES = PUBLISHES.format(
    name="halves", columns={"district": ["East", "East"], "half": ["H1", "H2"], "count": [20, 3]}, headline=""
)
"""One shows East = 23, the other H1 = 20 of East and hides H2: 23 - 20 = 3."""


def test_tables_of_two_notebooks_that_give_a_hidden_number_away_are_not_released(shelf, ballots, out):
    shelf("years", YEARS)
    shelf("halves", HALVES)
    before = state(out)
    with pytest.raises(
        DisclosureError, match="the release was not made: 1 hidden number could be worked out"
    ) as caught:
        make_report(ballots, out, today=TODAY)
    assert str(caught.value).splitlines()[2:] == [
        "Protect these tables together: suppress([halves, years], policy).",
        "Or hide more of them until nothing can be worked out: safeguarding report FOLDER --repair",
    ]
    assert_nothing_was_made(out, before)


LEFT_OUT = "Left out: numbers on this page were hidden when the tables were protected together; see the tables."


def test_tables_that_give_a_hidden_number_away_are_repaired_if_that_is_wanted(shelf, ballots, out):
    shelf("years", YEARS)
    shelf("halves", HALVES)
    shelf("other", PUBLISHES.format(name="other", columns={"category": ["NEG"], "count": [40]}, headline="40 came."))
    made = make_report(ballots, out, today=TODAY, repair=True)
    release = made.release
    (changed,) = made.repaired  # either hides its one shown number, and then nothing follows from the other
    assert changed in ("halves", "years")
    assert release[changed].frame()["count"].null_count() == release[changed].frame().height
    assert {name: release.entry(name).repaired for name in release.tables()} == {
        name: name == changed for name in ("halves", "other", "years")
    }
    assert release.entry(changed).headline == ""
    assert release.entry(changed).hidden == release[changed].hidden == release[changed].frame().height
    assert release.manifest["audit"] == {"effort": "full", "tables": 3, "findings": 0}
    assert {page.notebook.name: page.why_not for page in made.pages} == {
        name: LEFT_OUT if name == changed else "" for name in ("halves", "other", "years")
    }
    pages = texts(release.folder)
    assert LEFT_OUT in pages[f"pack/{changed}.html"]
    assert LEFT_OUT in pages["pack/index.html"]
    hidden = {"years": "23", "halves": ">20<"}[changed]
    assert [name for name, text in pages.items() if name.startswith("pack") and hidden in text] == []
    assert "40 came." in pages["pack/index.html"]
    assert sorted(path.name for path in out.iterdir()) == ["release"]


def test_tables_that_give_nothing_away_are_left_as_they_are_by_a_repair(shelf, ballots, out):
    shelf("years", YEARS)
    made = make_report(ballots, out, today=TODAY, repair=True)
    assert (made.repaired, made.pages[0].why_not) == ((), "")
    assert made.release["years"].frame()["count"].to_list() == [23]


# Beside the release that stands

CHOSEN = """
import polars as pl
from safeguarding_analytics import Policy, publish, suppress
counts = {
    "district": pl.DataFrame({"district": ["East"], "count": [23]}),
    "half": pl.DataFrame({"district": ["East", "East"], "half": ["H1", "H2"], "count": [20, 3]}),
}
name = f"children_by_{group}"
publish(suppress(counts[group], Policy.dfe()), name, into=release, title="T", definition="D", measure="children")
"""


def test_same_data_with_another_parameter_must_not_give_away_what_stands_hidden(shelf, ballots, tmp_path):
    shelf("children", CHOSEN, parameters='group: str = "half"')
    out = tmp_path / "out"
    first = make_report(ballots, out, today=TODAY)
    assert first.release.entry("children_by_half").parameters == {"group": "half"}
    before = state(out)
    given = {"group": "district"}
    with pytest.raises(DisclosureError) as caught:
        make_report(ballots, out, parameters=given, today=TODAY)
    assert "- the release that stands: children_by_half, district=East, half=H2: " in str(caught.value)
    assert_nothing_was_made(out, before)
    made = make_report(ballots, out, parameters=given, today=TODAY, repair=True)
    assert made.repaired == ("children_by_district",)
    assert made.release["children_by_district"].frame().rows() == [("East", None, "[c]")]
    assert made.release.entry("children_by_district").parameters == given


def test_other_data_are_not_compared_with_the_release_that_stands(shelf, ballots, tmp_path):
    shelf("children", CHOSEN, parameters='group: str = "half"')
    make_report(ballots, tmp_path / "out", today=TODAY)
    other_data(ballots)
    made = make_report(ballots, tmp_path / "out", parameters={"group": "district"}, today=TODAY)
    assert made.release["children_by_district"].frame()["count"].to_list() == [23]


def other_data(board):
    """The last ballot is withdrawn."""
    path = board / "ballots.csv"
    *lines, _ = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines), encoding="utf-8")


# East is small, and one of the others must be hidden with it: that which was, though the counts have changed places.
AGAIN = """
import polars as pl
from safeguarding_analytics import Policy, publish, published_before, suppress
before = published_before(release, "children")
frame = pl.DataFrame({{"district": ["East", "North", "South", "Total"], "count": {counts}}})
safe = suppress(frame, Policy.dfe(), previous=before)
publish(safe, "children", into=release, title="T", definition="D", measure="children")
"""


def hidden_districts(made):
    table = made.release["children"].frame()
    return table.filter(pl.col("mark") != "")["district"].to_list()


def test_next_run_on_slightly_other_data_hides_the_same_places(shelf, ballots, tmp_path):
    def run(counts, out):
        shelf("children", AGAIN.format(counts=counts))
        return hidden_districts(make_report(ballots, tmp_path / out, today=TODAY))

    first = run([3, 20, 40, 63], "out")
    other_data(ballots)
    assert run([3, 40, 20, 63], "elsewhere") != first  # nothing stands there
    assert run([3, 40, 20, 63], "out") == first


def test_damaged_release_does_not_stop_the_next_run(shelf, ballots, tmp_path):
    shelf("children", AGAIN.format(counts=[3, 20, 40, 63]))
    first = make_report(ballots, tmp_path / "out", today=TODAY)
    hidden = hidden_districts(first)
    (first.release.folder / "tables" / "children.csv").write_bytes(b"")
    assert hidden_districts(make_report(ballots, tmp_path / "out", today=TODAY)) == hidden


def test_run_that_is_stopped_leaves_the_previous_release_and_nothing_else(shelf, ballots, out):
    shelf("good", "'made'")
    before = state(out)

    def stop(done, every):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_report(ballots, out, today=TODAY, progress=stop)
    assert_nothing_was_made(out, before)


def test_two_notebooks_that_publish_under_one_name_are_refused(shelf, ballots, out):
    columns = {"district": ["East"], "count": [23]}
    for name in ("one", "two"):
        shelf(name, PUBLISHES.format(name="years", columns=columns, headline=""))
    before = state(out)
    with pytest.raises(ParameterError, match='this run has already published a table "years"'):
        make_report(ballots, out, jobs=1, today=TODAY)
    assert_nothing_was_made(out, before)


def test_release_that_cannot_be_moved_into_its_place_leaves_the_previous_one(shelf, ballots, out, monkeypatch):
    shelf("good", "'made'")
    before, rename = state(out), Path.rename

    def refuse(self, target):
        if self.name.startswith(report.BEING_BUILT) and Path(target).name == "release":
            raise PermissionError(13, "another program has a file open", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PermissionError, match="another program has a file open"):
        make_report(ballots, out, today=TODAY)
    assert_nothing_was_made(out, before)


def test_what_killed_runs_left_is_swept_and_what_others_build_is_kept(shelf, ballots, out):
    shelf("good", "'made'")
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    dead, alive = ended.pid, os.getppid()
    own = being_built(out / "release", report.BEING_BUILT).name.removesuffix(str(os.getpid()))
    for name in (dead, f"{dead}-stopped", os.getpid(), alive):
        (out / f"{own}{name}" / "tables").mkdir(parents=True)
    make_report(ballots, out, today=TODAY)
    assert sorted(path.name for path in out.iterdir()) == [f"{own}{alive}", "release"]
