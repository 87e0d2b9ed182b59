"""Every rule for notebooks (CONTRIBUTING.md), and runs of each notebook with other parameters than its own."""

import ast
import csv
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import papermill
import pytest
from jupyter_core.utils import ensure_event_loop
from traitlets.config import Config

import plain_plans
import safeguarding_analytics
from safeguarding_analytics.tables import TABLES

pytestmark = pytest.mark.long

PROJECT = Path(__file__).parents[1]
DEMO = PROJECT / "data" / "demo_board"
ANALYSES = sorted((PROJECT / "notebooks").glob("*.ipynb"))
DASHBOARDS = sorted((PROJECT / "dashboards").glob("*.ipynb"))
MOST_CELLS, MOST_STATEMENTS = 3, 6
FORBIDDEN = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.Try, ast.TryStar)
LIBRARIES = {"polars"}
KINDS = {"str": str, "int": int, "float": float}

every_notebook = pytest.mark.parametrize("path", [*ANALYSES, *DASHBOARDS], ids=lambda path: path.stem)
every_analysis = pytest.mark.parametrize("path", ANALYSES, ids=lambda path: path.stem)


def opened(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    return [cell for cell in opened(path).cells if cell.cell_type == "code"]


def is_heading(cell):
    return cell.cell_type == "markdown" and cell.source.startswith("#")


def sections(notebook):
    """Each heading of level two with the cells under it."""
    found = []
    for cell in notebook.cells:
        if is_heading(cell) and cell.source.startswith("## "):
            found.append([])
        if found:
            found[-1].append(cell)
    return found


def calls(cell):
    """Names of the functions a code cell calls."""
    nodes = ast.walk(ast.parse(cell.source))
    return {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


def is_one_sentence(text):
    return bool(re.fullmatch(r"[^#\n][^\n]*\w\.", text)) and not re.search(r"[.?!]\s", text)


def test_sentences_are_counted():
    assert is_one_sentence("Read board.toml: 1.5 is more; 1,200 is less.")
    assert not is_one_sentence("Read the dots. Mind the gap.")
    assert not is_one_sentence("Read the dots\nand the gap.")
    assert not is_one_sentence("Read the dots")
    assert not is_one_sentence("## Read the dots.")


def test_the_notebooks_are_there():
    assert {path.stem for path in ANALYSES} >= {"knowledge_gain", "priorities", "repeat_plans", "training_reach"}
    assert {path.stem for path in DASHBOARDS} >= {"child_protection", "knowledge", "overview", "training"}


@every_notebook
def test_file_is_valid_and_stores_no_result(path):
    notebook = opened(path)
    nbformat.validate(notebook)
    assert [cell.id for cell in code_cells(path) if cell.outputs or cell.execution_count is not None] == []


@every_notebook
def test_metadata_name_kernel_title_order_question_and_tables(path):
    metadata = opened(path).metadata
    assert metadata.kernelspec == {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert set(metadata) == {"kernelspec", "language_info", "safeguarding", "title"}
    assert {"order", "question", "tables"} <= set(metadata.safeguarding) <= {"order", "question", "tables", "optional"}
    assert metadata.safeguarding.order >= 1
    assert metadata.safeguarding.question.endswith("?")
    assert set(metadata.safeguarding.tables) <= set(TABLES)
    assert set(metadata.safeguarding.get("optional", [])) <= set(TABLES) - set(metadata.safeguarding.tables)


def is_tables(node):
    return isinstance(node, ast.Attribute) and node.attr == "tables"


def is_call_of(node, name):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name


def test_orders_titles_and_questions_differ():
    for paths in (ANALYSES, DASHBOARDS):
        metadata = [opened(path).metadata for path in paths]
        for said in (
            [each.title for each in metadata],
            [each.safeguarding.order for each in metadata],
            [each.safeguarding.question for each in metadata],
        ):
            assert len(set(said)) == len(paths)


@every_analysis
def test_tables_read_are_the_tables_named(path):
    nodes = list(ast.walk(ast.parse("\n".join(cell.source for cell in code_cells(path)[1:]))))
    taken = [node.slice for node in nodes if isinstance(node, ast.Subscript) and is_tables(node.value)]
    populations = {id(one) for node in nodes if is_call_of(node, "policy") for one in node.args}
    constants = {node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in populations}
    by_name = all(isinstance(one, ast.Constant) for one in taken)
    needed = (
        {one.value for one in taken} if by_name else constants & set(TABLES)
    )  # some are taken by a name that runs over them
    optional = {
        node.args[0].value
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "or_empty"
    }
    about = opened(path).metadata.safeguarding
    through_the_board = {"issues"} if any(is_call_of(node, "issues") for node in nodes) else set()
    assert needed | through_the_board == set(about.tables) | through_the_board
    assert optional == set(about.get("optional", []))


@every_analysis
def test_first_code_cell_holds_typed_parameters_each_explained(path):
    first = code_cells(path)[0]
    assert first.metadata.tags == ["parameters"]
    assert [cell.id for cell in code_cells(path)[1:] if "tags" in cell.metadata] == []
    for line in first.source.splitlines():
        statement = ast.parse(line).body
        assert len(statement) == 1, line
        assert isinstance(statement[0], ast.AnnAssign), line
        assert isinstance(ast.literal_eval(statement[0].value), KINDS[statement[0].annotation.id])
        assert re.search(r"  # \w.*\w$", line), line
    assert [line.partition(":")[0] for line in first.source.splitlines()][:2] == ["board", "release"]


@every_notebook
def test_imports_stand_in_one_cell_at_the_top(path):
    cells = code_cells(path)
    importing = [number for number, cell in enumerate(cells) if re.search(r"(?m)^(import|from) ", cell.source)]
    assert importing == ([1] if path in ANALYSES else [0])
    assert isinstance(ast.parse(cells[importing[0]].source).body[0], ast.Import | ast.ImportFrom)


@every_notebook
def test_only_public_names_are_used(path):
    for node in ast.walk(ast.parse("\n".join(cell.source for cell in code_cells(path)))):
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= LIBRARIES
        elif isinstance(node, ast.ImportFrom):
            assert node.module == "safeguarding_analytics"
            assert {alias.name for alias in node.names} <= set(safeguarding_analytics.__all__)
        elif isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_")


@every_notebook
def test_code_only_reads_from_top_to_bottom(path):
    for cell in code_cells(path):
        found = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, FORBIDDEN)]
        assert found == [], f"{cell.id}: {[type(node).__name__ for node in found]}"


@every_notebook
def test_headings_are_the_title_and_questions(path):
    first, *others = [cell.source for cell in opened(path).cells if is_heading(cell)]
    assert first.splitlines()[0] == f"# {opened(path).metadata.title}"
    assert opened(path).cells[0].source == first
    assert len(others) >= 2
    assert [heading for heading in others if not re.fullmatch(r"## [^\n]*\?", heading)] == []
    assert len(set(others)) == len(others)


@every_notebook
def test_at_most_three_short_code_cells_stand_under_a_question(path):
    for heading, *cells in sections(opened(path)):
        code = [cell for cell in cells if cell.cell_type == "code"]
        assert 1 <= len(code) <= MOST_CELLS, heading.source
        assert [cell.id for cell in code if len(ast.parse(cell.source).body) > MOST_STATEMENTS] == []


@every_notebook
def test_one_sentence_stands_under_each_chart(path):
    cells = opened(path).cells
    charts = [number for number, cell in enumerate(cells) if cell.cell_type == "code" and has_chart(cell)]
    assert charts or path in DASHBOARDS
    for number in charts:
        assert cells[number + 1].cell_type == "markdown", cells[number].id
        assert is_one_sentence(cells[number + 1].source), cells[number + 1].source
        assert cells[number + 2].cell_type == "code" or is_heading(cells[number + 2]), cells[number + 2].id


def has_chart(cell):
    return any(name.startswith("plot_") for name in calls(cell))


@every_analysis
def test_what_is_suppressed_is_hidden_where_it_was_in_the_release_that_stands(path):
    nodes = [node for cell in code_cells(path) for node in ast.walk(ast.parse(cell.source))]
    called = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    looked_up = {call.args[1].value for call in called if call.func.id == "published_before"}
    keywords = [each for call in called if call.func.id == "publish" for each in call.keywords]
    measures = {each.value.value for each in keywords if each.arg == "measure"}
    # Figures of others are published as they are, so is what follows from shown ones; themes are placed by boards, not
    # by people; and `publish_votes` looks at the vote that stands by itself.
    assert measures - looked_up <= {"published by others", "worked out of published counts", "themes placed by boards"}
    assert looked_up <= measures


@every_analysis
def test_last_cell_shows_versions(path):
    last = opened(path).cells[-1]
    assert last.cell_type == "code"
    assert re.fullmatch(r"show_versions\(ours, (definition|define_count\(rule\))\)", last.source.splitlines()[-1])


def plans_of_the_demonstration():
    with (DEMO / "plans.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def starts_of(month):
    """Plans of the demonstration that started in a month."""
    return sum(row["start_date"].startswith(month) for row in plans_of_the_demonstration())


def soon_after(time_period, months):
    """Plans of a year that started within so many months of the end of an earlier plan, counted one by one."""
    rows = [
        {
            **{name: row[name] for name in ("plan", "child", "authority")},
            "start_date": date.fromisoformat(row["start_date"]),
            "end_date": date.fromisoformat(row["end_date"]) if row["end_date"] else None,
            "previous_plans": int(row["previous_plans"]),
        }
        for row in plans_of_the_demonstration()
    ]
    counted = plain_plans.repeat_plans(rows, ["time_period"], months, cluster=None)
    return {year: repeats for year, repeats, *_ in counted}[time_period]


# Runs with other parameters than the notebook's own; with them, what the text of the page must hold.
RUNS = {
    "reach of target groups": (
        "training_reach",
        {"group": "target_group"},
        ["training_reach_by_target_group", "The target was 1,200 people by 30 June 2011"],  # target of board.toml
    ),
    "reach of levels": (
        "training_reach",
        {"group": "training_level"},
        ["training_reach_by_training_level", "Too few training levels have a figure that can be shown"],  # all are at 2
    ),
    "gain by session, agencies as clusters": (
        "knowledge_gain",
        {"group": "session", "cluster": "agency"},
        ["knowledge_gain_by_session", "The board said beforehand that 2 points would matter"],  # board.toml
    ),
    "what was left weeks later, by district": (
        "knowledge_gain",
        {"wave": "follow_up", "group": "district"},
        [
            *("knowledge_gain_by_district", "pairs of answers, before and at follow-up, scores"),
            "The board said beforehand that 2 points would matter",  # board.toml
        ],
    ),
    "gain of one course, agencies as clusters": (
        "knowledge_gain",
        {"course": "Threshold criteria workshop", "meaningful_gain": 1.5, "cluster": "agency"},
        [
            *("knowledge_gain_by_agency", "Threshold criteria workshop, all sessions"),
            "points out of 20 on average",  # ten questions of 0 to 2 points
            "For this page, and not beforehand, it was set that 1.5 points would matter",
        ],
    ),
    "repeat plans within two years": (
        "repeat_plans",
        {"months": 24},
        [
            *(
                "repeat_plans_by_initial_category",
                "177 of 920 plans that started",
                "19.2%",
            ),  # Kent SCB, Annual Report 2007-08
            f"{soon_after('2008', 24)} of 920 plans that started with a known history came within 24 months",
            "Plans within 24 months of the end of the one before",
            "Rules of the control chart: nhsrplotthedots_0_2_2.",
        ],
    ),
    "repeat plans of the year before, other rules and a baseline from April 2007": (
        "repeat_plans",
        {"time_period": "2007", "ruleset": "making_data_count_2023", "rebase": "2007-04"},
        [
            *("repeat_plans_by_district", "Year to 31 March 2007: "),
            # Kent SCB, Annual Report 2007-08: 972 plans started and 860 ended, and 864 were open at the end of 2006/07.
            f"{864 + 860 - 972} plans open at the end of 31 March 2006 + 972 started − 860 ended = 864",
            # 12 months, as in board.toml
            f"{soon_after('2007', 12)} of 972 plans that started with a known history came within 12 months",
            "Rules of the control chart: making_data_count_2023.",
            f"Apr 2007 | {starts_of('2007-04')} | {920 / 12:.1f} | ",  # the mean of 920 plans in twelve months, 76.7
            f"Mar 2007 | {starts_of('2007-03')} | {(800 + 840 + 880 + 972) / 48:.1f} | ",  # and of four years before it
        ],
    ),
    "three priorities, agencies weigh the same": (
        "priorities",
        {"seats": 3, "weight": "agency", "unranked": "ignore"},
        [
            "By 30 ballots the first 3 are ",
            "left off a ballot are not compared on it. Every agency counts",
            "The first 3 are chosen",
        ],
    ),
    "six priorities, another seed": (
        "priorities",
        {"seats": 6, "seed": 7},
        [
            "By 30 ballots the first 6 are ",
            "share its last places. Every member counts the same. The first 6 are chosen",
        ],
    ),
}


ONE_COURSE = "## How do courses compare?"
"""The question that the demonstration cannot answer, as all its sessions are of one course."""

COMPARATORS = [
    "## How do we compare with England, our region and our statistical neighbours?",
    "## Do we lie outside what all authorities vary by?",
    "## Where do all authorities lie on it?",
]
"""The board of the demonstration names no file of other authorities."""

UNDRAWN = {
    "repeat plans within two years": COMPARATORS,
    "repeat plans of the year before, other rules and a baseline from April 2007": COMPARATORS,
    "gain by session, agencies as clusters": [ONE_COURSE],
    "gain of one course, agencies as clusters": [ONE_COURSE],
    "what was left weeks later, by district": [
        "## How do people rate themselves?",  # a small number would follow from the bars of each question
        ONE_COURSE,
        "## What was left weeks later?",  # all of this page is of that
    ],
}
"""Questions without a chart, by run: one that would hold no numbers is not drawn."""


HEADLINES = {"training_reach": 12, "knowledge_gain": 12, "repeat_plans": 13, "priorities": 8}
"""Tables with a sentence, by notebook: two of 14 tables have none, five of 17, six of 19, and one of nine."""

ALL_WEEKS_LATER = "what was left weeks later, by district"
"""The run that is of the follow-up as a whole, and has no sentence on it apart."""

NO_TWO_COURSES = (
    "gain by session, agencies as clusters",
    "gain of one course, agencies as clusters",
    "what was left weeks later, by district",
)
"""Runs whose two tables of courses are empty, and whose headlines say so."""


def run(name, parameters, release):
    release.mkdir(parents=True)
    # A folder of its own, as the names of sockets must be short; and papermill leaves the loop of its thread open.
    with TemporaryDirectory() as sockets, closing(ensure_event_loop()):
        channel = {"transport": "ipc", "ip": f"{sockets}/kernel"} if os.name == "posix" else {}
        return papermill.execute_notebook(
            PROJECT / "notebooks" / f"{name}.ipynb",
            None,
            parameters={"board": str(DEMO), "release": str(release), **parameters},
            progress_bar=False,
            kernel_name="python3",
            shutdown_kernel="immediate",
            config=Config({"KernelManager": channel}),
        )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The executed notebook and the tables it published, by name of the run."""
    releases = {name: tmp_path_factory.mktemp("run") / "release" for name in RUNS}
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = {name: pool.submit(run, *RUNS[name][:2], releases[name]) for name in RUNS}
        executed = {name: future.result() for name, future in running.items()}
    return {
        name: (notebook, {path.stem: json.loads(path.read_text()) for path in releases[name].rglob("*.json")})
        for name, notebook in executed.items()
    }


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def text_of(notebook):
    return "\n".join(output.data["text/plain"] for output in outputs(notebook) if "data" in output)


def test_every_notebook_is_run_with_two_other_sets_of_parameters():
    for path in ANALYSES:
        sets = [parameters for name, parameters, _ in RUNS.values() if name == path.stem]
        known = [line.partition(":")[0] for line in code_cells(path)[0].source.splitlines()]
        assert len(sets) >= 2
        assert {name for parameters in sets for name in parameters} <= set(known)


@pytest.mark.parametrize("name", RUNS)
def test_run_ends_without_error_or_warning(runs, name):
    notebook, _ = runs[name]
    assert {output.output_type for output in outputs(notebook)} == {"execute_result"}
    assert [cell.id for cell in notebook.cells if cell.cell_type == "code" and cell.execution_count is None] == []


@pytest.mark.parametrize("name", RUNS)
def test_run_says_its_headline_and_what_was_asked(runs, name):
    notebook, tables = runs[name]
    said = text_of(notebook) + "\n".join(tables)
    headlines = [entry["headline"] for entry in tables.values() if entry["headline"]]
    of_courses, of_later = 2 if name in NO_TWO_COURSES else 0, 1 if name == ALL_WEEKS_LATER else 0
    assert len(headlines) == HEADLINES[RUNS[name][0]] + of_courses - of_later
    aside = (
        "training_currency_by_",
        "training_needs",
        "priorities_by_agency",
    )  # their headlines are for the dashboard: the page says others
    page = [entry["headline"] for table, entry in tables.items() if entry["headline"] and not table.startswith(aside)]
    sentences = [sentence for headline in page for sentence in re.split(r"(?<=\.) ", headline)]
    assert [phrase for phrase in (*sentences, *RUNS[name][2]) if phrase not in said] == []


@pytest.mark.parametrize("name", RUNS)
def test_every_chart_of_a_run_that_holds_numbers_is_drawn_and_named(runs, name):
    notebook, _ = runs[name]
    pictures = [
        (heading.source, cell.outputs[0].data["text/html"])
        for heading, *cells in sections(notebook)
        for cell in cells
        if cell.cell_type == "code" and has_chart(cell)
    ]
    undrawn = [heading for heading, html in pictures if not re.search(r'<svg role="img" aria-label="[^"]+', html)]
    assert undrawn == UNDRAWN.get(name, [])
    assert [html for _, html in pictures if "<svg" not in html and "<figure" in html] == []


@pytest.mark.parametrize("name", RUNS)
def test_no_person_child_or_plan_is_on_a_page(runs, name):
    files = [("bookings", "person"), ("plans", "child"), ("plans", "plan"), ("plans", "family")]
    known = set()
    for table, column in [*files, ("conferences", "conference"), ("conferences", "child")]:
        with (DEMO / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            known |= {row[column] for row in csv.DictReader(file) if row[column]}
    assert len(known) > 5112  # each of the plans has a name of its own
    notebook, _ = runs[name]
    shown = json.dumps([output.data for output in outputs(notebook)])
    assert known & set(re.findall(r"\w+", shown)) == set()
