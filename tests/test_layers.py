"""The shape of the house: imports point one way, and no module has two jobs."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
SOURCE = PROJECT / "src" / "safeguarding_analytics"
PACKAGE = "safeguarding_analytics"

# In the order in which data flows: a module may import those before it, and none behind it.
MODULES = (
    "errors",
    "package_files",
    "kept_texts",
    "temporary_folders",
    "tables",
    "shapes",
    "personal",
    "dates",
    "intervals",
    "clustered",
    "exact_tests",
    "resampling",
    "two_waves",
    "survival",
    "overdispersion",
    "process_control",
    "groups",
    "working_days",
    "sources.files",
    "pseudonyms",
    "contracts",
    "policy",
    "cells",
    "safe",
    "dimensions",
    "shares",
    "ledger",
    "attacker",
    "systems",
    "protection",
    "optimum",
    "linked",
    "findings",
    "differences",
    "rounding",
    "means",
    "masking",
    "inputs",
    "disclosure",
    "auditing",
    "repairs",
    "export_settings",
    "ballot_settings",
    "sources.database_address",
    "config",
    "sources.worksheets",
    "sources.export_dates",
    "sources.learners",
    "sources.outcomes",
    "sources.held_sessions",
    "sources.bookings",
    "sources.form_answers",
    "sources.form_people",
    "sources.form_sheets",
    "sources.forms",
    "sources.ballot_rows",
    "sources.ballot_cells",
    "sources.ballot_forms",
    "sources.ballot_columns",
    "sources.preflib",
    "sources.ballot_workbooks",
    "ballot_flags",
    "sources.ballot_people",
    "sources.ballots",
    "sources.plan_categories",
    "sources.annex_a_sheets",
    "sources.annex_a",
    "sources.census_steps",
    "sources.census_check",
    "sources.census_xml",
    "sources.cin_records",
    "sources.cin_census",
    "sources.cin_rules",
    "sources.database",
    "agency_names",
    "session_notes",
    "register_days",
    "table_notes",
    "plan_conflicts",
    "plan_returns",
    "kept_tables",
    "origins",
    "areas",
    "board",
    "ballot_sheets",
    "registers",
    "questionnaires",
    "paired",
    "training",
    "programme",
    "currency",
    "needs",
    "contrasts",
    "knowledge",
    "sizes",
    "questions",
    "nonresponse",
    "follow_up",
    "shrinkage",
    "evaluation",
    "withheld",
    "planning",
    "child_protection",
    "plan_indicators",
    "timeliness",
    "next_plans",
    "sources.dfe",
    "sources.lait",
    "sources.population",
    "sources.published",
    "sources.published_tables",
    "comparators",
    "indicators",
    "plan_register",
    "register_months",
    "published_areas",
    "pairwise",
    "kemeny_orders",
    "resampled_boards",
    "priorities",
    "rules",
    "firmness",
    "agreement",
    "quadrants",
    "vote_figures",
    "vote_count",
    "sentences",
    "training_sentences",
    "knowledge_sentences",
    "planning_sentences",
    "child_protection_sentences",
    "priority_sentences",
    "answers",
    "chart_rows",
    "chart_aria",
    "chart_figures",
    "pages",
    "page_parts",
    "paper_tables",
    "paper_flow",
    "board_pdf",
    "chart_marks",
    "chart_panels",
    "chart_pairs",
    "chart_lanes",
    "charts",
    "priority_charts",
    "member_charts",
    "quadrant_charts",
    "training_charts",
    "knowledge_charts",
    "rating_charts",
    "indicator_charts",
    "funnel_charts",
    "exports",
    "build_folders",
    "placed_folders",
    "release",
    "release_workbook",
    "vote_release",
    "figures",
    "leak_search",
    "leak_pages",
    "leaks",
    "left_out_pages",
    "release_audit",
    "area_audit",
    "scaffold",
    "demo_facts",
    "demo_draws",
    "demo_training",
    "demo_answers",
    "demo_plans",
    "demo",
    "dictionary",
    "kernel_client",
    "kernel_server",
    "warm_kernels",
    "forked_answers",
    "audit_aside",
    "kernels",
    "vote_standing",
    "live_count",
    "vote_pages",
    "dashboards",
    "access",
    "drawn_pages",
    "viewers",
    "serving",
    "report",
    "area_runs",
    "area_worker",
    "area_reports",
    "static_site",
    "cli_audit",
    "cli_pages",
    "cli_areas",
    "cli",
)
MEASURES = {
    "training",
    "programme",
    "currency",
    "needs",
    "contrasts",
    "knowledge",
    "sizes",
    "questions",
    "nonresponse",
    "follow_up",
    "shrinkage",
    "planning",
    "child_protection",
    "plan_indicators",
    "timeliness",
    "next_plans",
    "comparators",
    "indicators",
    "priorities",
    "rules",
    "firmness",
    "agreement",
    "quadrants",
}
CHARTS = {
    *("charts", "chart_aria", "chart_marks", "chart_pairs", "chart_panels", "chart_rows"),
    *("training_charts", "knowledge_charts", "rating_charts", "indicator_charts", "funnel_charts"),
    *("chart_lanes", "priority_charts", "member_charts", "quadrant_charts"),
}
MOST_LINES = 400
OF_THE_PACKAGE = {"__version__"}
"""What a module may take from the package itself: the public names there are for those outside."""


def file_of(module):
    return SOURCE / (module.replace(".", "/") + ".py")


def modules_found():
    paths = [path for path in SOURCE.rglob("*.py") if path.name != "__init__.py"]
    return {".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in paths}


def imports_of(text):
    """Modules of the package that a text imports, at its top, in a function or for types alone."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.removeprefix(f"{PACKAGE}.") for alias in node.names if is_ours(alias.name)}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are written out from {PACKAGE}"
            if node.module and is_ours(node.module):
                found |= {named(node.module, alias.name) for alias in node.names}
    return found - OF_THE_PACKAGE


def is_ours(module):
    return module.split(".")[0] == PACKAGE


def named(module, name):
    """What ``from module import name`` imports: a module, the home of a name, or a name of the package itself."""
    inner = module.removeprefix(PACKAGE).removeprefix(".")
    candidate = f"{inner}.{name}".removeprefix(".")
    return candidate if not inner or candidate in MODULES else inner


IMPORTS = {module: imports_of(file_of(module).read_text(encoding="utf-8")) for module in sorted(modules_found())}


def test_every_way_to_import_is_seen():
    text = """
import safeguarding_analytics.charts
from safeguarding_analytics import __version__, attacker
from safeguarding_analytics.sources import dfe
from safeguarding_analytics.tables import TABLES
if TYPE_CHECKING:
    from safeguarding_analytics.report import Report
def later():
    import polars
    from safeguarding_analytics.sources.files import read_table
"""
    assert imports_of(text) == {"charts", "attacker", "sources.dfe", "tables", "report", "sources.files"}


def test_every_module_has_its_place():
    assert modules_found() == set(MODULES)
    assert len(set(MODULES)) == len(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_upwards_only(module):
    above = set(MODULES[: MODULES.index(module)])
    assert IMPORTS[module] <= above, f"{module} imports {sorted(IMPORTS[module] - above)}, which is not above it"


@pytest.mark.parametrize("measure", sorted(MEASURES))
def test_measures_import_neither_each_other_nor_what_publishes_them(measure):
    assert IMPORTS[measure].isdisjoint(MEASURES | CHARTS | {"board", "disclosure", "release", "pages"})


def test_charts_import_no_measure():
    reached, waiting = set(), set(CHARTS)
    while waiting:
        module = waiting.pop()
        reached.add(module)
        waiting |= IMPORTS[module] - reached
    assert reached.isdisjoint(MEASURES)


def test_nothing_imports_the_command_line():
    assert [module for module, imported in IMPORTS.items() if "cli" in imported] == []


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"cli", "cli_audit", "cli_pages"}))
def test_only_the_command_line_prints_exits_or_asks_the_clock(module):
    calls = [node.func for node in ast.walk(ast.parse(file_of(module).read_text(encoding="utf-8"))) if is_call(node)]
    told = {ast.unparse(called) for called in calls}
    assert told.isdisjoint({"print", "input", "exit", "sys.exit", "date.today", "datetime.now", "time.time"})


def is_call(node):
    return isinstance(node, ast.Call)


def lines_of_code(text):
    """Lines that hold code: no blank lines, comments or docstrings."""
    strings = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, node.end_lineno + 1)
    }
    nothing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    code = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in nothing
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(code - strings)


def test_lines_of_code_are_counted_without_words():
    text = '"""What it is."""\n\n# why\nx = (  # one\n    1\n)\n"""Said of x\nin two lines."""\n\ny = """a\n\nb"""\n'
    assert lines_of_code(text) == 6  # three of x, three of y


@pytest.mark.parametrize("module", MODULES)
def test_no_module_is_two_jobs(module):
    assert lines_of_code(file_of(module).read_text(encoding="utf-8")) <= MOST_LINES


def listed_in(section):
    """Modules named in the first column of a table, or of a fenced block, in their order."""
    rows = re.findall(r"^\|([^|]*)\|", section, flags=re.MULTILINE)
    blocks = re.findall(r"^```\w*\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL)
    firsts = [*rows, *(re.split(r"\s{2,}", line.strip())[0] for block in blocks for line in block.splitlines())]
    words = [word.replace("/", ".") for first in firsts for word in re.findall(r"[\w./]+", first)]
    return [word for word in words if word in MODULES]


def test_contributing_lists_the_modules_in_this_order():
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition("\n## Modules\n")[2].partition("\n## ")[0]
    assert listed_in(section) == list(MODULES)


@pytest.mark.parametrize(
    "section",
    [
        "| module | job |\n|---|---|\n| `errors` | tables |\n| `sources/files` | x |",
        "```\nerrors   of tables\nsources.files\n```",
    ],
)
def test_modules_are_read_from_a_table_or_a_block(section):
    assert listed_in(f"charts come later\n{section}\nand `cli` last") == ["errors", "sources.files"]
