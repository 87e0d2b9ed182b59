"""Weeks later: who could be asked again, and what is left of the gain; and what people say they knew "then"."""

from __future__ import annotations

import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.intervals import wilson
from safeguarding_analytics.paired import mean_changes
from safeguarding_analytics.questionnaires import check_cluster, labels_of, open_answers, people_of
from safeguarding_analytics.tables import WAVES

BEFORE_LATER = "Before to follow-up"
AFTER_LATER = "After to follow-up"
OF_ALL_THREE = "{}, of those who answered all three times"
REAL = "Rated before, and after"
THEN = 'Rated after: "then", and now'

COMPARISONS = {
    "Before to after": ("pre", "post"),
    BEFORE_LATER: ("pre", "follow_up"),
    AFTER_LATER: ("post", "follow_up"),
}


def follow_up_retention(scores: IntoFrame, items: IntoFrame, *, confidence: float = 0.95) -> pl.DataFrame:
    """How many of those who answered before and after could be asked again.

    Parameters
    ----------
    scores
        As for `knowledge_gain`; keep only sessions whose follow-up was due.
    items
        As for `knowledge_gain`.
    confidence
        Of the interval, between 0 and 1.

    Returns
    -------
    pl.DataFrame
        One row: numerator (people × sessions with all three answers), denominator (with before and after), proportion,
        lower, upper (Wilson). Not suppressed.

    Raises
    ------
    TableError
        As `knowledge_gain`.

    Examples
    --------
    >>> waves = [("p1", "pre"), ("p1", "post"), ("p1", "follow_up"), ("p2", "pre"), ("p2", "post")]
    >>> rows = [("s1", person, wave, "Q1", 2) for person, wave in waves]
    >>> scores = pl.DataFrame(rows, schema=["session", "person", "wave", "item", "score"], orient="row")
    >>> items = pl.DataFrame({"item": ["Q1"], "minimum": [0], "maximum": [3], "reversed": [False]})
    >>> follow_up_retention(scores, items).select("numerator", "denominator", "proportion").rows()
    [(1, 2, 0.5)]
    """
    answers, questions = open_answers(scores, items)
    pairs = people_of(answers, questions, (), WAVES[:3]).drop_nulls(["pre", "post"])
    counts = pl.DataFrame(
        {"numerator": [pairs["follow_up"].count()], "denominator": [pairs.height]},
        schema={"numerator": pl.Int64, "denominator": pl.Int64},
    )
    numerator, denominator = pl.col("numerator"), pl.col("denominator")
    return counts.with_columns(
        pl.when(denominator > 0).then(numerator / denominator).alias("proportion"),
        *wilson(numerator, denominator, confidence),
    )


def follow_up_gains(
    scores: IntoFrame, items: IntoFrame, *, cluster: str | None = "session", confidence: float = 0.95
) -> pl.DataFrame:
    """What is left of the gain at follow-up: against before, and against after.

    Parameters
    ----------
    scores, items, cluster, confidence
        As for `knowledge_gain`; keep only sessions whose follow-up was due.

    Returns
    -------
    pl.DataFrame
        As `knowledge_gain` gives it, one row per ``comparison``: before to follow-up and after to follow-up, each of
        those who answered both; then before to after, before to follow-up and after to follow-up of those who answered
        all three times, which add up. pre and post in the names of the columns are the earlier and the later of the
        two answers. Not suppressed.

    Raises
    ------
    TableError, ParameterError
        As `knowledge_gain`.

    Notes
    -----
    Who answers weeks later is not everybody: look at `follow_up_retention` first. The first two rows are of different
    people, so their changes need not add up to the gain on the day.

    Examples
    --------
    >>> rows = [("s1", "p1", wave, "Q1", points) for wave, points in (("pre", 1), ("post", 3), ("follow_up", 2))]
    >>> scores = pl.DataFrame(rows, schema=["session", "person", "wave", "item", "score"], orient="row")
    >>> items = pl.DataFrame({"item": ["Q1"], "minimum": [0], "maximum": [3], "reversed": [False]})
    >>> follow_up_gains(scores, items).select("n_pairs", "mean_change").rows()
    [(1, 1.0), (1, -1.0), (1, 2.0), (1, 1.0), (1, -1.0)]
    """
    answers, questions = open_answers(scores, items)
    check_cluster(cluster, labels_of(answers))
    people = people_of(answers, questions, [cluster] if cluster else [], WAVES[:3])
    compared = {name: _compared(people, COMPARISONS[name]) for name in (BEFORE_LATER, AFTER_LATER)}
    whole = people.drop_nulls(list(WAVES[:3]))
    of_all_three = {OF_ALL_THREE.format(name): _compared(whole, waves) for name, waves in COMPARISONS.items()}
    return _in_rows(compared | of_all_three, cluster, confidence)


def rating_gains(
    scores: IntoFrame,
    items: IntoFrame,
    *,
    cluster: str | None = "session",
    confidence: float = 0.95,
    fewest: int = 0,
) -> pl.DataFrame:
    """The gain in ratings, from what was really rated before, and beside it from what people say they were "then".

    Parameters
    ----------
    scores, cluster, confidence
        As for `knowledge_gain`.
    items
        The questions that were asked in all three: before, after, and "then".
    fewest
        People of whom a mean may be shown: where fewer than so many answered before and after but not "then", only the
        real ratings are compared, as means of nearly the same people would tell of the few.

    Returns
    -------
    pl.DataFrame
        As `knowledge_gain` gives it, one row per ``comparison``: rated before and after; and, where anybody was asked,
        rated "then" and now, both after. Then both rows are of the people who gave all three. Not suppressed.

    Raises
    ------
    TableError, ParameterError
        As `knowledge_gain`.

    Notes
    -----
    A retrospective rating removes response shift and invites people to show that they learned: 196 supervisors rated
    "then" lower than they had rated before (Taylor, Russ-Eft & Taylor 2009, American J. Evaluation 30:31). It stands
    beside the real rating and never in its place.

    Examples
    --------
    >>> rows = [("s1", "p1", wave, "Q1", points) for wave, points in (("pre", 3), ("post", 4), ("then", 1))]
    >>> scores = pl.DataFrame(rows, schema=["session", "person", "wave", "item", "score"], orient="row")
    >>> items = pl.DataFrame({"item": ["Q1"], "minimum": [1], "maximum": [5], "reversed": [False]})
    >>> rating_gains(scores, items).select("mean_change").rows()
    [(1.0,), (3.0,)]
    """
    answers, questions = open_answers(scores, items)
    check_cluster(cluster, labels_of(answers))
    people = people_of(answers, questions, [cluster] if cluster else [], ("pre", "post", "then"))
    pairs = people.drop_nulls(["pre", "post"])
    whole = pairs.drop_nulls("then")
    if whole.is_empty() or 0 < pairs.height - whole.height < fewest:
        return _in_rows({REAL: _compared(people, ("pre", "post"))}, cluster, confidence)
    compared = {REAL: _compared(whole, ("pre", "post")), THEN: _compared(whole, ("then", "post"))}
    return _in_rows(compared, cluster, confidence)


def _compared(people: pl.DataFrame, waves: tuple[str, str]) -> pl.DataFrame:
    return people.rename(dict(zip(waves, ("first", "second"), strict=True)))


def _in_rows(compared: dict[str, pl.DataFrame], cluster: str | None, confidence: float) -> pl.DataFrame:
    """One row per comparison, in their order."""
    return pl.concat(
        mean_changes(people, (), cluster, None, confidence).select(pl.lit(name).alias("comparison"), pl.all())
        for name, people in compared.items()
    )
