"""The whole evaluation of a questionnaire at once: answers are opened, checked and added up a single time."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.knowledge import by_starting_score, with_all_points
from safeguarding_analytics.nonresponse import answered_once_of, assumptions_of
from safeguarding_analytics.paired import mean_changes, pairs_of
from safeguarding_analytics.questionnaires import score_twice
from safeguarding_analytics.sizes import ChangeTests, change_tests_of, effect_sizes_of


class Evaluation(NamedTuple):
    """What the answers before and after say. Each table is that of the function named; none is suppressed."""

    gain: pl.DataFrame
    """`knowledge_gain`, one row."""
    effect_sizes: pl.DataFrame
    """`effect_sizes`."""
    tests: ChangeTests
    """`change_tests`."""
    at_maximum: pl.DataFrame
    """`at_maximum`."""
    by_starting_score: pl.DataFrame
    """`gain_by_starting_score`."""
    assumptions: pl.DataFrame
    """`gain_under_assumptions`."""
    answered_once: pl.DataFrame
    """`answered_once`."""
    squares: float
    """Sum of the squares of all changes: whether mean and spread together would tell of a few, it says."""


def evaluate(
    scores: IntoFrame,
    items: IntoFrame,
    cluster: str | None = "session",
    meaningful_gain: float | None = None,
    *,
    confidence: float = 0.95,
) -> Evaluation:
    """Evaluate a questionnaire answered before and after: the gain and all that makes it hard to fool oneself.

    Parameters
    ----------
    scores, items, cluster, meaningful_gain, confidence
        As for `knowledge_gain`.

    Returns
    -------
    Evaluation
        Its tables are those that the single functions give. Not suppressed.

    Raises
    ------
    TableError, ParameterError
        As `knowledge_gain`.

    Examples
    --------
    >>> rows = [("s1", "p1", "pre", "Q1", 1), ("s1", "p1", "post", "Q1", 3), ("s1", "p2", "pre", "Q1", 2)]
    >>> scores = pl.DataFrame(rows, schema=["session", "person", "wave", "item", "score"], orient="row")
    >>> items = pl.DataFrame({"item": ["Q1"], "minimum": [0], "maximum": [3], "reversed": [False]})
    >>> found = evaluate(scores, items)
    >>> found.gain.select("n_pairs", "mean_change").row(0), found.answered_once["n"].to_list()
    ((1, 2.0), [1, 1, 1, 0])
    """
    scored = score_twice(scores, items, cluster)
    gain = mean_changes(scored.people, (), cluster, meaningful_gain, confidence)
    return Evaluation(
        gain=gain,
        effect_sizes=effect_sizes_of(scored, gain),
        tests=change_tests_of(scored),
        at_maximum=with_all_points(scored, confidence),
        by_starting_score=by_starting_score(scored, cluster, confidence),
        assumptions=assumptions_of(scored, cluster, confidence),
        answered_once=answered_once_of(scored, cluster, confidence),
        squares=float((pairs_of(scored.people)["gain"] ** 2).sum()),
    )
