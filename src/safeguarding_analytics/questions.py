"""Question by question: what people answered before and after, who newly knows and who no longer does."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.exact_tests import holm, sign_test
from safeguarding_analytics.groups import fetch, open_frame
from safeguarding_analytics.questionnaires import DECIMALS, answers_twice, open_answers, rated_items, scored_items
from safeguarding_analytics.shapes import ITEM_CHANGE
from safeguarding_analytics.tables import TOTAL

NOTHING = 10**-DECIMALS
QUESTION = ("item", "text", "kind", "minimum", "maximum", "reversed")


def item_changes(scores: IntoFrame, items: IntoFrame) -> pl.DataFrame:
    """How the answers to each question changed: newly right and newly wrong, or risen and fallen.

    Parameters
    ----------
    scores
        As for `knowledge_gain`.
    items
        One row per question: item, text, kind ("choice" with a right answer, "likert" a rating), minimum, maximum
        (points), reversed.

    Returns
    -------
    pl.DataFrame
        One row per question in the order of `items`: ``question`` (its text); n_pairs; n_up, n_same_high, n_same_low,
        n_down (adding up to n_pairs); share_before, share_after (right ÷ pairs; null for ratings); p_value, p_holm.
        Null: shares and p where nobody answered twice; p also where nobody changed. Not suppressed.

    Raises
    ------
    TableError
        As `knowledge_gain`.

    Notes
    -----
    Questions with a right answer are counted among the people who answered all of these both times, the pairs of the
    headline: their mean changes add up to the mean gain. Ratings are counted among those who gave all ratings twice.

    An answer is right where it has the maximum of points; an answer that has more points than before and is still not
    right counts as the same, not right. A rating rose where it has more points, reversed questions turned round.

    p_value: exact sign test of rises against falls, which is McNemar's exact test where an answer is right or wrong;
    p_holm is corrected for all questions of the table (Holm 1979, Scandinavian J. Statistics 6:65). Neither allows for
    people taught together.

    Examples
    --------
    >>> answers = [("p1", "pre", 0), ("p1", "post", 1), ("p2", "pre", 1), ("p2", "post", 1)]
    >>> scores = pl.DataFrame(answers, schema=["person", "wave", "score"], orient="row").with_columns(
    ...     session=pl.lit("s1"), item=pl.lit("Q1")
    ... )
    >>> items = pl.DataFrame({"item": ["Q1"], "text": ["Which tier?"], "kind": ["choice"]}).with_columns(
    ...     minimum=0, maximum=1, reversed=False
    ... )
    >>> item_changes(scores, items).select("question", "n_up", "n_same_high", "share_before", "share_after").rows()
    [('Which tier?', 1, 1, 0.5, 1.0)]
    """
    questions = _questions(items)
    answers, _ = open_answers(scores, questions)
    counted = pl.concat([_counts(answers, part) for part in _parts(questions)])
    counts = questions.join(counted, on="item", how="left", maintain_order="left").with_columns(
        pl.col("n_pairs", *ITEM_CHANGE.parts).fill_null(0).cast(pl.Int64)
    )
    p_values = [sign_test(up, down) for up, down in counts.select("n_up", "n_down").iter_rows()]
    right = (pl.col("kind") == "choice") & (pl.col("n_pairs") > 0)
    pairs, both = pl.col("n_pairs"), pl.col("n_same_high")
    return counts.with_columns(
        pl.when(right).then((both + pl.col("n_down")) / pairs).alias("share_before"),
        pl.when(right).then((both + pl.col("n_up")) / pairs).alias("share_after"),
        pl.Series("p_value", p_values, dtype=pl.Float64),
        pl.Series("p_holm", holm(p_values), dtype=pl.Float64),
    ).select("question", *ITEM_CHANGE.columns)


def rating_answers(scores: IntoFrame, items: IntoFrame) -> pl.DataFrame:
    """How often each answer was given to each rating, before and after, by those who gave all ratings twice.

    Parameters
    ----------
    scores, items
        As for `item_changes`. Questions that are no ratings are left out, and scales whose steps are not whole numbers.

    Returns
    -------
    pl.DataFrame
        ``question`` (its text, "(turned round)" behind it where reversed), ``wave`` ("before", "after"), ``answer`` (as
        text: "1" … "5"; more is always better), ``count`` (Int64; 0 where nobody gave it). In the order of `items`.
        Not suppressed.

    Raises
    ------
    TableError
        As `knowledge_gain`.

    Examples
    --------
    >>> rows = [("s1", "p1", "pre", "Q1", 1), ("s1", "p1", "post", "Q1", 2)]
    >>> scores = pl.DataFrame(rows, schema=["session", "person", "wave", "item", "score"], orient="row")
    >>> items = pl.DataFrame({"item": ["Q1"], "text": ["I know whom to ring."], "kind": ["likert"]}).with_columns(
    ...     minimum=1, maximum=2, reversed=False
    ... )
    >>> rating_answers(scores, items).filter(pl.col("count") > 0).rows()
    [('I know whom to ring.', 'before', '1', 1), ('I know whom to ring.', 'after', '2', 1)]
    """
    questions = _questions(items)
    opened, _ = open_answers(scores, questions)
    ratings = rated_items(questions)
    whole = (pl.col("minimum") % 1 == 0) & (pl.col("maximum") % 1 == 0)
    answers = _twice(opened, ratings)
    counts = answers.unpivot(["first", "second"], index="item", variable_name="wave", value_name="points").with_columns(
        pl.col("wave").replace({"first": "before", "second": "after"})
    )
    uneven = counts.filter((pl.col("points") % 1).abs() > NOTHING)["item"].unique().to_list()
    named = pl.when(pl.col("reversed")).then(pl.format("{} (turned round)", "question")).otherwise("question")
    steps = (
        ratings.filter(whole, ~pl.col("item").is_in(uneven))
        .with_columns(
            named.alias("question"),
            pl.int_ranges(pl.col("minimum").cast(pl.Int64), pl.col("maximum").cast(pl.Int64) + 1).alias("points"),
            pl.lit(["before", "after"]).alias("wave"),
        )
        .explode("wave")
        .explode("points")
    )
    given = counts.group_by("item", "wave", pl.col("points").round().cast(pl.Int64)).agg(pl.len().alias("count"))
    return steps.join(given, on=["item", "wave", "points"], how="left", maintain_order="left").select(
        "question",
        "wave",
        pl.col("points").cast(pl.String).alias("answer"),
        pl.col("count").fill_null(0).cast(pl.Int64),
    )


def with_all_answers(table: pl.DataFrame) -> pl.DataFrame:
    """Add how many gave any answer to each question, each time: it is known, and protects what is hidden beside it.

    Parameters
    ----------
    table
        As `rating_answers` gives it.

    Returns
    -------
    pl.DataFrame
        The same rows, and one per question and wave whose answer is "Total". Not suppressed.

    Examples
    --------
    >>> table = pl.DataFrame({"question": ["a"] * 2, "wave": ["before"] * 2, "answer": ["1", "2"], "count": [7, 9]})
    >>> with_all_answers(table).rows()[-1]
    ('a', 'before', 'Total', 16)
    """
    sums = table.group_by("question", "wave", maintain_order=True).agg(pl.col("count").sum())
    return pl.concat([table, sums.select("question", "wave", pl.lit(TOTAL).alias("answer"), "count")])


def wholly_shown(table: pl.DataFrame, by: str = "question") -> pl.DataFrame:
    """The rows of groups of which nothing is hidden: a bar in which a part is missing would show its size.

    Parameters
    ----------
    table
        As `Safe.frame` gives it: hidden counts null.
    by
        The group column.

    Returns
    -------
    pl.DataFrame
        The rows in their order.

    Examples
    --------
    >>> wholly_shown(pl.DataFrame({"question": ["a", "a", "b"], "count": [7, None, 9]}))["question"].to_list()
    ['b']
    """
    return table.filter(pl.col("count").is_not_null().all().over(by))


def _questions(items: IntoFrame) -> pl.DataFrame:
    """The questions with a name of their own each: the text, or the item before it where a text stands twice."""
    questions = fetch(open_frame(items, QUESTION, "items"))
    if questions.is_empty():
        questions = questions.cast({**dict.fromkeys(("item", "text", "kind"), pl.String), "reversed": pl.Boolean})
    twice = pl.col("text").is_duplicated()
    return questions.with_columns(
        pl.when(twice).then(pl.format("{}: {}", "item", "text")).otherwise("text").alias("question")
    )


def _parts(questions: pl.DataFrame) -> list[pl.DataFrame]:
    """The questions of the score, and the ratings beside it where there are both."""
    scored = scored_items(questions)
    return [scored] if scored.height == questions.height else [scored, rated_items(questions)]


def _twice(answers: nw.LazyFrame[Any], questions: pl.DataFrame) -> pl.DataFrame:
    """The points of each of these questions both times."""
    return answers_twice(answers.filter(nw.col("item").is_in(questions["item"].to_list())), questions)


def _counts(scores: nw.LazyFrame[Any], questions: pl.DataFrame) -> pl.DataFrame:
    """The four ways an answer can go, of each question."""
    ends = questions.select("item", "kind", "minimum", "maximum")
    answers = _twice(scores, questions).join(ends, on="item")
    choice = pl.col("kind") == "choice"
    right = [(pl.col(name) - pl.col("maximum")).abs() < NOTHING for name in ("first", "second")]
    above = pl.col("first") > (pl.col("minimum") + pl.col("maximum")) / 2
    rose = pl.when(choice).then(~right[0] & right[1]).otherwise(pl.col("second") - pl.col("first") > NOTHING)
    fell = pl.when(choice).then(right[0] & ~right[1]).otherwise(pl.col("first") - pl.col("second") > NOTHING)
    high = pl.when(choice).then(right[0]).otherwise(above)
    return (
        answers.with_columns(rose.alias("rose"), fell.alias("fell"), high.alias("high"))
        .with_columns((~pl.col("rose") & ~pl.col("fell")).alias("same"))
        .group_by("item")
        .agg(
            pl.len().alias("n_pairs"),
            pl.col("rose").sum().alias("n_up"),
            (pl.col("same") & pl.col("high")).sum().alias("n_same_high"),
            (pl.col("same") & ~pl.col("high")).sum().alias("n_same_low"),
            pl.col("fell").sum().alias("n_down"),
        )
    )
