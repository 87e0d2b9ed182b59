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
    from safeguarding_analytics.answers import (
        if_shown,
        show_gaps,
        show_list,
        show_table,
        show_text,
        show_versions,
        unless_empty,
    )
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
    from safeguarding_analytics.contrasts import compare_with_others
    from safeguarding_analytics.currency import (
        TrainingRule,
        currency_ageing,
        induction_on_time,
        rule_levels,
        training_currency,
        training_rules,
        training_status,
        with_returns,
    )
    from safeguarding_analytics.dashboards import served_release, show_answer, show_release
    from safeguarding_analytics.dates import day_in_words, evaluation_day, held_by, in_reporting_year, latest_period
    from safeguarding_analytics.disclosure import rather_hidden, suppress
    from safeguarding_analytics.errors import in_words
    from safeguarding_analytics.evaluation import evaluate
    from safeguarding_analytics.exports import write_csv, write_parquet, write_workbook
    from safeguarding_analytics.follow_up import follow_up_gains, follow_up_retention, rating_gains
    from safeguarding_analytics.intervals import byar, wilson
    from safeguarding_analytics.knowledge import (
        all_attended,
        answers_given,
        at_maximum,
        gain_by_course,
        gain_by_starting_score,
        knowledge_gain,
        left_open,
        one_question_right,
        with_margins,
    )
    from safeguarding_analytics.knowledge_charts import (
        plot_before_after,
        plot_forest,
        plot_paired_gain,
        plot_participation,
        plot_question_changes,
        plot_rose_same_fell,
        plot_waves,
    )
    from safeguarding_analytics.knowledge_sentences import (
        say_answers,
        say_assumptions,
        say_cautions,
        say_comparisons,
        say_effect,
        say_follow_up,
        say_held,
        say_left_open,
        say_left_out,
        say_mean_change,
        say_questions,
        say_shrunken,
        say_starting_scores,
        say_tests,
        say_who_answered_once,
    )
    from safeguarding_analytics.needs import training_gaps, training_needs
    from safeguarding_analytics.nonresponse import answered_once, gain_under_assumptions
    from safeguarding_analytics.planning import design_table, evaluation_timetable, sessions_needed, smallest_gain
    from safeguarding_analytics.planning_sentences import say_meaningful_gain, say_smallest_gain, say_timetable
    from safeguarding_analytics.policy import Policy
    from safeguarding_analytics.priorities import ballots_to_change, kendall_w, rank_priorities
    from safeguarding_analytics.programme import (
        coverage_needed,
        cumulative_reach,
        inter_agency_mix,
        programme_targets,
        progress_by,
        running_totals,
        training_cost,
    )
    from safeguarding_analytics.questionnaires import (
        answers_to,
        count_of_answers,
        main_course,
        questionnaire_of,
        rated_items,
        scored_items,
        waves_compared,
    )
    from safeguarding_analytics.questions import item_changes, rating_answers, wholly_shown, with_all_answers
    from safeguarding_analytics.rating_charts import plot_diverging
    from safeguarding_analytics.registers import with_sector
    from safeguarding_analytics.release import Release, publish, published_before
    from safeguarding_analytics.repairs import repair
    from safeguarding_analytics.resampling import abc_interval, bca_interval
    from safeguarding_analytics.rounding import percentage_decimals
    from safeguarding_analytics.rules import compare_rules, head_to_head, kemeny
    from safeguarding_analytics.safe import Safe, already_public
    from safeguarding_analytics.sentences import (
        say_agreement,
        say_ballots_to_change,
        say_proportion,
        say_range,
        say_ranking,
        say_rules,
        say_stock_and_flow,
        say_target,
        say_unknown,
    )
    from safeguarding_analytics.shrinkage import shrunken_gains, with_shrunken
    from safeguarding_analytics.sizes import change_tests, effect_sizes
    from safeguarding_analytics.sources.published import read_published
    from safeguarding_analytics.sources.published_tables import read_published_table
    from safeguarding_analytics.training import attendance, reconcile_attendance, training_coverage, training_reach
    from safeguarding_analytics.training_charts import (
        plot_ageing,
        plot_coverage,
        plot_funnel,
        plot_mix,
        plot_need,
        plot_panels,
        plot_to_date,
    )
    from safeguarding_analytics.training_sentences import (
        say_attendance,
        say_compared,
        say_cost,
        say_coverage,
        say_due,
        say_induction,
        say_mergers,
        say_mix,
        say_need,
        say_over_reached,
        say_training_rules,
    )
    from safeguarding_analytics.withheld import (
        answered_once_to_tell,
        assumptions_to_tell,
        effect_sizes_to_tell,
        follow_up_to_tell,
        means_tell_no_count,
        pairs_to_tell,
        thirds_to_tell,
        what_may_be_told,
    )

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
    "dates": ("day_in_words", "evaluation_day", "held_by", "in_reporting_year", "latest_period"),
    "disclosure": ("rather_hidden", "suppress"),
    "policy": ("Policy",),
    "safe": ("Safe", "already_public"),
    "errors": ("in_words",),
    "intervals": ("byar", "wilson"),
    "knowledge": (
        "all_attended",
        "answers_given",
        "at_maximum",
        "gain_by_course",
        "gain_by_starting_score",
        "knowledge_gain",
        "left_open",
        "one_question_right",
        "with_margins",
    ),
    "answers": ("if_shown", "show_gaps", "show_list", "show_table", "show_text", "show_versions", "unless_empty"),
    "priorities": ("ballots_to_change", "kendall_w", "rank_priorities"),
    "exports": ("write_csv", "write_parquet", "write_workbook"),
    "release": ("Release", "publish", "published_before"),
    "repairs": ("repair",),
    "rounding": ("percentage_decimals",),
    "rules": ("compare_rules", "head_to_head", "kemeny"),
    "sentences": (
        "say_agreement",
        "say_ballots_to_change",
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
    "contrasts": ("compare_with_others",),
    "currency": (
        "TrainingRule",
        "currency_ageing",
        "induction_on_time",
        "rule_levels",
        "training_currency",
        "training_rules",
        "training_status",
        "with_returns",
    ),
    "needs": (
        "training_gaps",
        "training_needs",
    ),
    "programme": (
        "coverage_needed",
        "cumulative_reach",
        "inter_agency_mix",
        "programme_targets",
        "progress_by",
        "running_totals",
        "training_cost",
    ),
    "registers": ("with_sector",),
    "training": ("attendance", "reconcile_attendance", "training_coverage", "training_reach"),
    "training_charts": (
        "plot_ageing",
        "plot_coverage",
        "plot_funnel",
        "plot_mix",
        "plot_need",
        "plot_panels",
        "plot_to_date",
    ),
    "training_sentences": (
        "say_attendance",
        "say_compared",
        "say_cost",
        "say_coverage",
        "say_due",
        "say_induction",
        "say_mergers",
        "say_mix",
        "say_need",
        "say_over_reached",
        "say_training_rules",
    ),
    "questionnaires": (
        "answers_to",
        "count_of_answers",
        "main_course",
        "questionnaire_of",
        "rated_items",
        "scored_items",
        "waves_compared",
    ),
    "sizes": ("change_tests", "effect_sizes"),
    "questions": ("item_changes", "rating_answers", "wholly_shown", "with_all_answers"),
    "nonresponse": ("answered_once", "gain_under_assumptions"),
    "follow_up": ("follow_up_gains", "follow_up_retention", "rating_gains"),
    "shrinkage": ("shrunken_gains", "with_shrunken"),
    "knowledge_sentences": (
        "say_answers",
        "say_assumptions",
        "say_cautions",
        "say_comparisons",
        "say_effect",
        "say_follow_up",
        "say_held",
        "say_left_open",
        "say_left_out",
        "say_mean_change",
        "say_questions",
        "say_shrunken",
        "say_starting_scores",
        "say_tests",
        "say_who_answered_once",
    ),
    "knowledge_charts": (
        "plot_before_after",
        "plot_forest",
        "plot_paired_gain",
        "plot_participation",
        "plot_question_changes",
        "plot_rose_same_fell",
        "plot_waves",
    ),
    "planning": ("design_table", "evaluation_timetable", "sessions_needed", "smallest_gain"),
    "planning_sentences": ("say_meaningful_gain", "say_smallest_gain", "say_timetable"),
    "rating_charts": ("plot_diverging",),
    "evaluation": ("evaluate",),
    "resampling": ("abc_interval", "bca_interval"),
    "withheld": (
        "answered_once_to_tell",
        "assumptions_to_tell",
        "effect_sizes_to_tell",
        "follow_up_to_tell",
        "means_tell_no_count",
        "pairs_to_tell",
        "thirds_to_tell",
        "what_may_be_told",
    ),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Board",
    "Policy",
    "Release",
    "Safe",
    "TrainingRule",
    "abc_interval",
    "all_attended",
    "already_public",
    "answered_once",
    "answered_once_to_tell",
    "answers_given",
    "answers_to",
    "assumptions_to_tell",
    "at_maximum",
    "attendance",
    "audit",
    "ballots_to_change",
    "bca_interval",
    "byar",
    "change_tests",
    "check_board",
    "comparator_rates",
    "compare_rules",
    "compare_with_others",
    "count_of_answers",
    "coverage_needed",
    "cumulative_reach",
    "currency_ageing",
    "day_in_words",
    "design_table",
    "effect_sizes",
    "effect_sizes_to_tell",
    "evaluate",
    "evaluation_day",
    "evaluation_timetable",
    "follow_up_gains",
    "follow_up_retention",
    "follow_up_to_tell",
    "gain_by_course",
    "gain_by_starting_score",
    "gain_under_assumptions",
    "head_to_head",
    "held_by",
    "if_shown",
    "in_reporting_year",
    "in_words",
    "induction_on_time",
    "inter_agency_mix",
    "item_changes",
    "kemeny",
    "kendall_w",
    "knowledge_gain",
    "latest_period",
    "left_open",
    "main_course",
    "means_tell_no_count",
    "one_question_right",
    "pairs_to_tell",
    "percentage_decimals",
    "plot_ageing",
    "plot_attendance",
    "plot_before_after",
    "plot_changes",
    "plot_count",
    "plot_coverage",
    "plot_diverging",
    "plot_forest",
    "plot_funnel",
    "plot_mean_change",
    "plot_mix",
    "plot_need",
    "plot_paired_gain",
    "plot_panels",
    "plot_participation",
    "plot_proportion",
    "plot_question_changes",
    "plot_ranking",
    "plot_rate",
    "plot_rose_same_fell",
    "plot_to_date",
    "plot_waves",
    "programme_targets",
    "progress_by",
    "publish",
    "published_before",
    "questionnaire_of",
    "rank_priorities",
    "rated_items",
    "rather_hidden",
    "rating_answers",
    "rating_gains",
    "read_board",
    "read_comparators",
    "read_published",
    "read_published_table",
    "reconcile_attendance",
    "repair",
    "repeat_plan_rate",
    "rule_levels",
    "running_totals",
    "say_agreement",
    "say_answers",
    "say_assumptions",
    "say_attendance",
    "say_ballots_to_change",
    "say_cautions",
    "say_compared",
    "say_comparisons",
    "say_cost",
    "say_coverage",
    "say_due",
    "say_effect",
    "say_follow_up",
    "say_held",
    "say_induction",
    "say_left_open",
    "say_left_out",
    "say_mean_change",
    "say_meaningful_gain",
    "say_mergers",
    "say_mix",
    "say_need",
    "say_over_reached",
    "say_proportion",
    "say_questions",
    "say_range",
    "say_ranking",
    "say_rules",
    "say_shrunken",
    "say_smallest_gain",
    "say_starting_scores",
    "say_stock_and_flow",
    "say_target",
    "say_tests",
    "say_timetable",
    "say_training_rules",
    "say_unknown",
    "say_who_answered_once",
    "scored_items",
    "served_release",
    "sessions_needed",
    "show_answer",
    "show_gaps",
    "show_list",
    "show_release",
    "show_table",
    "show_text",
    "show_versions",
    "shrunken_gains",
    "smallest_gain",
    "stock_and_flow",
    "suppress",
    "thirds_to_tell",
    "training_cost",
    "training_coverage",
    "training_currency",
    "training_gaps",
    "training_needs",
    "training_reach",
    "training_rules",
    "training_status",
    "unless_empty",
    "waves_compared",
    "what_may_be_told",
    "wholly_shown",
    "wilson",
    "with_all_answers",
    "with_margins",
    "with_returns",
    "with_sector",
    "with_shrunken",
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
