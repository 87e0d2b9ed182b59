"""The names others call: there, as documented, and quick to import."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import safeguarding_analytics
from safeguarding_analytics import Policy, Release, Safe

TEXT = Path(safeguarding_analytics.__file__).read_text(encoding="utf-8")
NEEDED = inspect.Parameter.empty

# ../shared/design/ARCHITECTURE.md, "Public names": parameters in order, with their defaults.
SIGNATURES = {
    "read_board": {"folder": NEEDED},
    "check_board": {"folder": NEEDED},
    "attendance": {"bookings": NEEDED, "sessions": NEEDED, "by": ("course",)},
    "training_reach": {"bookings": NEEDED, "sessions": NEEDED, "workforce": NEEDED, "by": ("agency",)},
    "knowledge_gain": {
        "scores": NEEDED,
        "items": NEEDED,
        "by": (),
        "cluster": "session",
        "meaningful_gain": None,
    },
    "answers_given": {"bookings": NEEDED, "scores": NEEDED, "items": NEEDED},
    "effect_sizes": {"scores": NEEDED, "items": NEEDED},
    "item_changes": {"scores": NEEDED, "items": NEEDED},
    "gain_under_assumptions": {"scores": NEEDED, "items": NEEDED},
    "shrunken_gains": {"scores": NEEDED, "items": NEEDED, "by": NEEDED, "among": None},
    "evaluate": {"scores": NEEDED, "items": NEEDED, "cluster": "session", "meaningful_gain": None},
    "smallest_gain": {"sessions": NEEDED, "pairs_per_session": NEEDED, "sd_gain": NEEDED, "icc": 0.05},
    "evaluation_timetable": {"session_dates": NEEDED, "report_dates": NEEDED, "follow_up_weeks": (6, 12)},
    "repeat_plan_rate": {"plans": NEEDED, "by": ("time_period",), "within_months": None},
    "rank_priorities": {
        "ballots": NEEDED,
        "seats": 4,
        "weight": "member",
        "unranked": "share",
        "resamples": 2000,
        "seed": 20150925,
    },
    "head_to_head": {"ballots": NEEDED},
    "compare_rules": {"ballots": NEEDED, "seats": 4},
    "kemeny": {"ballots": NEEDED},
    "kendall_w": {"ballots": NEEDED},
    "members_agreement": {"ballots": NEEDED},
    "polarisation": {"ballots": NEEDED, "seats": 4},
    "agencies_apart": {"ballots": NEEDED, "seats": 4},
    "ballots_to_change": {"ballots": NEEDED, "seats": 4},
    "absent_members": {"ballots": NEEDED, "seats": 4},
    "leave_one_out": {"ballots": NEEDED, "seats": 4},
    "seats_without_one": {"ballots": NEEDED, "seats": 4},
    "selected_by_rule": {"ballots": NEEDED, "seats": 4},
    "tied_across_the_cut": {"ballots": NEEDED, "seats": 4},
    "effective_ballots": {"ballots": NEEDED},
    "cut_lines": {"themes": NEEDED},
    "theme_quadrants": {"themes": NEEDED},
    "count_votes": {"ballots": NEEDED, "rule": NEEDED, "policy": NEEDED},
    "publish_votes": {"count": NEEDED, "into": NEEDED},
    "define_count": {"rule": NEEDED},
    "answers_of": {"count": NEEDED},
    "wilson": {"numerator": NEEDED, "denominator": NEEDED, "confidence": 0.95},
    "byar": {"count": NEEDED, "confidence": 0.95},
    "suppress": {"table": NEEDED, "policy": NEEDED},
    "audit": {"tables": NEEDED},
    "repair": {"tables": NEEDED},
    "publish": {"table": NEEDED, "name": NEEDED},
    "published_before": {"into": NEEDED, "measure": NEEDED},
    "write_csv": {"table": NEEDED, "path": NEEDED},
    "write_parquet": {"table": NEEDED, "path": NEEDED},
    "write_workbook": {"tables": NEEDED, "path": NEEDED},
    "write_release_workbook": {"release": NEEDED, "path": NEEDED},
    "read_published_table": {"path": NEEDED},
    "percentage_decimals": {"denominator": NEEDED, "values": 5},
}
NEEDED_BY_NAME = {"publish": {"into", "title", "definition", "measure"}, "absent_members": {"absent"}}
METHODS = [
    (Policy.dfe, {}),
    (Policy.nhs, {}),
    (Safe.frame, {"self": NEEDED}),
    (Release.open, {"folder": NEEDED}),
    (Release.tables, {"self": NEEDED}),
    (Release.__getitem__, {"self": NEEDED, "name": NEEDED}),
]


def by_position(function):
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD}


def by_name_only(function):
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is not each.POSITIONAL_OR_KEYWORD}


@pytest.mark.parametrize("name", SIGNATURES)
def test_function_takes_what_is_documented_and_more_by_name_only(name):
    function = getattr(safeguarding_analytics, name)
    assert list(by_position(function).items()) == list(SIGNATURES[name].items())
    needed = {each for each, default in by_name_only(function).items() if default is NEEDED}
    assert needed == NEEDED_BY_NAME.get(name, set())


@pytest.mark.parametrize(("method", "parameters"), METHODS, ids=[method.__qualname__ for method, _ in METHODS])
def test_method_takes_what_is_documented(method, parameters):
    assert by_position(method) == parameters


def test_every_public_name_can_be_imported():
    found = {name: getattr(safeguarding_analytics, name) for name in safeguarding_analytics.__all__}
    assert {name: value.__name__ for name, value in found.items()} == {name: name for name in found}
    assert {"Policy", "Safe", "Release", *SIGNATURES} <= found.keys()


def test_names_stand_sorted_and_once():
    assert safeguarding_analytics.__all__ == sorted(set(safeguarding_analytics.__all__))


def test_lazy_names_are_those_the_type_checker_sees():
    conditions = [node for node in ast.parse(TEXT).body if isinstance(node, ast.If)]
    (block,) = [node for node in conditions if ast.unparse(node.test) == "TYPE_CHECKING"]
    typed = {(node.module, alias.name, alias.asname) for node in block.body for alias in node.names}
    homes = safeguarding_analytics._HOME.items()
    assert typed == {(f"safeguarding_analytics.{module}", name, None) for module, names in homes for name in names}
    assert sorted(name for _, name, _ in typed) == safeguarding_analytics.__all__


def test_dir_lists_every_public_name():
    assert set(safeguarding_analytics.__all__) <= set(dir(safeguarding_analytics))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'safeguarding_analytics' has no attribute 'training_reech'"):
        _ = safeguarding_analytics.training_reech


def test_package_is_typed():
    assert (Path(safeguarding_analytics.__file__).parent / "py.typed").exists()


@pytest.mark.parametrize(
    ("first", "absent"),
    [
        ("import safeguarding_analytics", ("polars", "altair", "pandas", "duckdb", "scipy", "numpy")),
        ("from safeguarding_analytics import wilson", ("altair", "duckdb", "scipy", "voila")),
        ("from safeguarding_analytics import training_reach", ("altair", "duckdb", "scipy", "voila")),
    ],
)
def test_import_brings_no_heavy_library_along(first, absent):
    code = f"{first}\nimport sys\nprint(sorted(set({absent!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
