"""Documents that cannot go stale: what they say is held against what is there."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import safeguarding_analytics
from safeguarding_analytics.dictionary import data_dictionary

PROJECT = Path(__file__).parents[1]
MEASURES = {
    "absent_members",
    "agencies_apart",
    "cut_lines",
    "effective_ballots",
    "leave_one_out",
    "members_agreement",
    "polarisation",
    "seats_without_one",
    "selected_by_rule",
    "theme_quadrants",
    "tied_across_the_cut",
    "attendance",
    "ballots_to_change",
    "byar",
    "comparator_rates",
    "compare_rules",
    "head_to_head",
    "kemeny",
    "kendall_w",
    "knowledge_gain",
    "all_attended",
    "answered_once",
    "answers_given",
    "at_maximum",
    "change_tests",
    "design_table",
    "effect_sizes",
    "evaluate",
    "evaluation_timetable",
    "follow_up_gains",
    "follow_up_retention",
    "gain_by_course",
    "gain_by_starting_score",
    "gain_under_assumptions",
    "item_changes",
    "left_open",
    "one_question_right",
    "rating_answers",
    "rating_gains",
    "sessions_needed",
    "shrunken_gains",
    "smallest_gain",
    "wholly_shown",
    "with_all_answers",
    "with_margins",
    "with_shrunken",
    "rank_priorities",
    "change_table",
    "compare_indicator",
    "compare_years",
    "conference_bands",
    "conferences_on_time",
    "control_chart_of",
    "flow_gaps",
    "funnel_of_areas",
    "indicator_bands",
    "long_plans",
    "plan_flow",
    "plans_by_category",
    "plans_open",
    "plans_per_10000",
    "repeat_plan_rate",
    "reviews_on_time",
    "stock_and_flow",
    "time_to_next_plan",
    "training_reach",
    "compare_with_others",
    "coverage_needed",
    "cumulative_reach",
    "currency_ageing",
    "induction_on_time",
    "inter_agency_mix",
    "programme_targets",
    "progress_by",
    "reconcile_attendance",
    "running_totals",
    "training_cost",
    "training_coverage",
    "training_currency",
    "training_gaps",
    "training_needs",
    "training_status",
    "with_returns",
    "wilson",
}
"""Functions that work out a number: each shows one in an example, which runs as a test."""

PUBLIC = {name: getattr(safeguarding_analytics, name) for name in safeguarding_analytics.__all__}
FUNCTIONS = sorted(name for name, value in PUBLIC.items() if inspect.isfunction(value))

# What stands in a file of this project must hold on every machine.
OF_ONE_MACHINE = re.compile(
    r"(?<![\w.:/])/(?:work|root|home)/\w"  # folders of whoever wrote the file
    r"|/tmp/\w*venv"
    r"|index[-_]url"
    r"|https?://\S+/simple\b"  # a registry
    r"|https?://(?:10|127|172|192\.168)\.\d[\d.]*\S*/(?:pypi|npm|simple)"
)


def sections(text):
    """The numpydoc sections of a docstring, by heading."""
    parts = re.split(r"^(\w[\w ]+)\n-{3,}\n", inspect.cleandoc(text), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def parameters_described(section):
    names = re.findall(r"^(\S[^\n]*)$", section, flags=re.MULTILINE)
    return [name.strip() for line in names for name in line.split(",")]


def read(name):
    return (PROJECT / name).read_text(encoding="utf-8")


def shell_blocks(text):
    return [
        line
        for block in re.findall(r"^```shell\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]


def test_data_dictionary_is_the_contracts():
    assert read("data/README.md") == data_dictionary()


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_says_what_it_is(name):
    summary = (PUBLIC[name].__doc__ or "").strip().split("\n\n")[0]
    assert summary.endswith(".")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_of_a_public_function_is_described(name):
    function = PUBLIC[name]
    described = parameters_described(sections(function.__doc__).get("Parameters", ""))
    assert sorted(described) == sorted(inspect.signature(function).parameters)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_function_describes_what_it_returns(name):
    function = PUBLIC[name]
    returned = str(inspect.signature(function).return_annotation)
    if returned not in ("None", "str", "Html"):  # a text or a piece of a page is described by its first sentence
        assert "Returns" in sections(function.__doc__), f"returns {returned}"


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_measure_shows_an_example(name):
    assert ">>> " in sections(PUBLIC[name].__doc__).get("Examples", "")


def test_every_measure_is_listed():
    of_training = ("training", "programme", "currency", "needs", "contrasts")
    of_plans = ("child_protection", "plan_indicators", "timeliness", "next_plans", "comparators", "indicators")
    of_knowledge = (
        "knowledge",
        "sizes",
        "questions",
        "nonresponse",
        "follow_up",
        "shrinkage",
        "evaluation",
        "planning",
    )
    of_votes = ("priorities", "rules", "firmness", "agreement", "quadrants")
    modules = (*of_training, *of_knowledge, *of_plans, *of_votes, "intervals")
    homes = {name for name in FUNCTIONS for module in modules if PUBLIC[name].__module__.endswith(f".{module}")}
    no_numbers = {"model_year", "rule_levels", "training_rules", "why_not_told"}
    assert {name for name in homes if not name.startswith("read_")} - no_numbers == MEASURES


def test_readme_commands_are_those_that_are_tried():
    commands = [line for line in shell_blocks(read("README.md")) if line.startswith("python3 -m venv")]
    assert len(commands) == 2
    tried = read(".ci/run")
    assert [command for command in commands if command not in tried] == []


def test_scripts_of_the_readme_print_what_it_says():
    scripts = re.findall(r"^```python\n(.*?)^```.*?^```text\n(.*?)^```", read("README.md"), re.MULTILINE | re.DOTALL)
    assert len(scripts) == 6
    for script, printed in scripts:
        done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
        assert done.stdout == printed


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "GLOSSARY.md", "ENGINES.md"])
def test_relative_links_lead_somewhere(document):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", re.sub(r"(?ms)^```.*?^```", "", read(document)))
    inside = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in inside if not (PROJECT / link).exists()] == []


def test_glossary_has_the_terms_of_the_field():
    text = read("GLOSSARY.md").lower()
    terms = (
        "eligible staff",
        "training reach",
        "take-up",
        "walk-in",
        "knowledge gain",
        "g_av",
        "clustered interval",
        "cr2",
        "normalised gain",
        "rank-biserial",
        "mcnemar",
        "holm",
        "shrunken",
        "regression to the mean",
        "ceiling",
        "response shift",
        "missing at random",
        "intraclass correlation",
        "design effect",
        "kirkpatrick",
        "child protection plan",
        "second or subsequent plan",
        "linked history",
        "within k months",
        "stock and flow",
        "end of protection",
        "competing event",
        "cumulative incidence",
        "kaplan–meier",
        "number at risk",
        "funnel plot",
        "over-dispersion",
        "control chart",
        "trial limits",
        "mid-year estimate",
        "section 47 enquiry",
        "initial child protection conference",
        "annex a",
        "children in need census",
        "working day",
        "ballot",
        "priority",
        "suppressed",
        "statistical neighbour",
    )
    assert [term for term in terms if term not in text] == []


def test_nothing_of_one_machine_is_in_any_file():
    if not (PROJECT / ".git").exists():
        pytest.skip("not a git checkout: nobody can tell which files belong to the project")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    files = [PROJECT / name for name in listed.split("\0") if name]
    found = [(path, OF_ONE_MACHINE.search(text_of(path))) for path in files if path.is_file()]
    assert [f"{path.relative_to(PROJECT)}: {match[0]}" for path, match in found if match] == []


def text_of(path):
    """A file's text; of a picture or a font, nothing."""
    return path.read_text(encoding="utf-8") if path.suffix not in {".png", ".xlsx", ".parquet", ".ttf"} else ""


def test_paths_of_one_machine_are_found():
    slash = "/"
    for path in (
        f"see {slash}home/ann/x",
        f'"{slash}work/main"',
        f"--index{'-'}url x",
        f"https:{slash}/host/pypi/simple",
    ):
        assert OF_ONE_MACHINE.search(path), path
    assert not OF_ONE_MACHINE.search("https://example.org/home/page and notebooks/home/x")
