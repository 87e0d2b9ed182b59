"""Numbers a local safeguarding children board can defend.

The public names are imported when they are first used, so that ``safeguarding --help`` stays quick.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# jsonschema, which altair and nbformat bring in, uses this package to check internationalised addresses, of which we
# have none. Importing it builds a grammar and costs more than a second in every process; without it that check is off.
if "rfc3987_syntax" not in sys.modules:
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # None is how Python marks "cannot be imported"

if TYPE_CHECKING:
    from safeguarding_analytics.answers import show_table, show_text, show_versions, unless_empty
    from safeguarding_analytics.auditing import audit
    from safeguarding_analytics.board import Board, check_board, read_board
    from safeguarding_analytics.charts import (
        plot_attendance,
        plot_changes,
        plot_count,
        plot_mean_change,
        plot_proportion,
        plot_ranking,
        plot_rate,
    )
    from safeguarding_analytics.child_protection import repeat_plan_rate, stock_and_flow
    from safeguarding_analytics.comparators import comparator_rates, read_comparators
    from safeguarding_analytics.dashboards import served_release, show_answer, show_release
    from safeguarding_analytics.dates import in_reporting_year
    from safeguarding_analytics.disclosure import suppress
    from safeguarding_analytics.errors import in_words
    from safeguarding_analytics.exports import write_csv, write_parquet, write_workbook
    from safeguarding_analytics.intervals import byar, wilson
    from safeguarding_analytics.knowledge import knowledge_gain, participation
    from safeguarding_analytics.policy import Policy
    from safeguarding_analytics.priorities import ballots_to_change, kendall_w, rank_priorities
    from safeguarding_analytics.release import Release, publish, published_before
    from safeguarding_analytics.repairs import repair
    from safeguarding_analytics.rounding import percentage_decimals
    from safeguarding_analytics.rules import compare_rules, head_to_head, kemeny
    from safeguarding_analytics.safe import Safe, already_public
    from safeguarding_analytics.sentences import (
        say_agreement,
        say_ballots_to_change,
        say_mean_change,
        say_proportion,
        say_range,
        say_ranking,
        say_rules,
        say_stock_and_flow,
        say_target,
        say_unknown,
    )
    from safeguarding_analytics.sources.published import read_published
    from safeguarding_analytics.sources.published_tables import read_published_table
    from safeguarding_analytics.training import attendance, training_reach

_HOME = {
    "auditing": ("audit",),
    "board": ("Board", "check_board", "read_board"),
    "charts": (
        "plot_attendance",
        "plot_changes",
        "plot_count",
        "plot_mean_change",
        "plot_proportion",
        "plot_ranking",
        "plot_rate",
    ),
    "child_protection": ("repeat_plan_rate", "stock_and_flow"),
    "comparators": ("comparator_rates", "read_comparators"),
    "dashboards": ("served_release", "show_answer", "show_release"),
    "dates": ("in_reporting_year",),
    "disclosure": ("suppress",),
    "policy": ("Policy",),
    "safe": ("Safe", "already_public"),
    "errors": ("in_words",),
    "intervals": ("byar", "wilson"),
    "knowledge": ("knowledge_gain", "participation"),
    "answers": ("show_table", "show_text", "show_versions", "unless_empty"),
    "priorities": ("ballots_to_change", "kendall_w", "rank_priorities"),
    "exports": ("write_csv", "write_parquet", "write_workbook"),
    "release": ("Release", "publish", "published_before"),
    "repairs": ("repair",),
    "rounding": ("percentage_decimals",),
    "rules": ("compare_rules", "head_to_head", "kemeny"),
    "sentences": (
        "say_agreement",
        "say_ballots_to_change",
        "say_mean_change",
        "say_proportion",
        "say_range",
        "say_ranking",
        "say_rules",
        "say_stock_and_flow",
        "say_target",
        "say_unknown",
    ),
    "sources.published": ("read_published",),
    "sources.published_tables": ("read_published_table",),
    "training": ("attendance", "training_reach"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Board",
    "Policy",
    "Release",
    "Safe",
    "already_public",
    "attendance",
    "audit",
    "ballots_to_change",
    "byar",
    "check_board",
    "comparator_rates",
    "compare_rules",
    "head_to_head",
    "in_reporting_year",
    "in_words",
    "kemeny",
    "kendall_w",
    "knowledge_gain",
    "participation",
    "percentage_decimals",
    "plot_attendance",
    "plot_changes",
    "plot_count",
    "plot_mean_change",
    "plot_proportion",
    "plot_ranking",
    "plot_rate",
    "publish",
    "published_before",
    "rank_priorities",
    "read_board",
    "read_comparators",
    "read_published",
    "read_published_table",
    "repair",
    "repeat_plan_rate",
    "say_agreement",
    "say_ballots_to_change",
    "say_mean_change",
    "say_proportion",
    "say_range",
    "say_ranking",
    "say_rules",
    "say_stock_and_flow",
    "say_target",
    "say_unknown",
    "served_release",
    "show_answer",
    "show_release",
    "show_table",
    "show_text",
    "show_versions",
    "stock_and_flow",
    "suppress",
    "training_reach",
    "unless_empty",
    "wilson",
    "write_csv",
    "write_parquet",
    "write_workbook",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
