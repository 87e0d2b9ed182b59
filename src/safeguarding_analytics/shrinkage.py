"""Gains of agencies, districts or courses drawn towards the whole, as far as chance alone may have set them apart."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.clustered import random_effects
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.groups import group_columns
from safeguarding_analytics.paired import pairs_of
from safeguarding_analytics.questionnaires import RESERVED, labels_of, open_answers, people_of
from safeguarding_analytics.shapes import MEAN_CHANGE


def shrunken_gains(scores: IntoFrame, items: IntoFrame, by: str, among: Sequence[str] | None = None) -> pl.DataFrame:
    """Mean gain of each group drawn towards that of all groups, the more the fewer pairs it has.

    Parameters
    ----------
    scores, items
        As for `knowledge_gain`.
    by
        The group column of scores, such as agency.
    among
        The groups to estimate from, such as those large enough to be shown; None for all. Others take no part, so that
        nothing of them can be worked out of the result.

    Returns
    -------
    pl.DataFrame
        One row per group: the group column, ``n_pairs`` (Int64) and ``shrunken`` (points), sorted by the group. Null
        where chance and difference cannot be told apart: one group alone, or nobody's gain differs. Not suppressed.

    Raises
    ------
    TableError
        As `knowledge_gain`.
    ParameterError
        When `by` names a column that cannot be used.

    Notes
    -----
    Best linear unbiased prediction of a random-effects model fitted by REML (`clustered.random_effects`): weight
    λ ÷ (λ + 1/n) for the group's own mean, λ the variance between groups over that within. With no difference beyond
    chance λ is 0 and all groups have the same value. Groups are not ranked by their raw gain: small groups are first
    and last by chance. People taught in one session are taken as independent here.

    References
    ----------
    Robinson 1991, Statistical Science 6:15; Goldstein & Spiegelhalter 1996, J. Royal Statistical Society A 159:385.

    Examples
    --------
    >>> gains = [("Health", 1), ("Health", 2), ("Health", 3), ("Police", 5), ("Police", 6), ("Police", 7)]
    >>> after = [("s1", str(n), agency, "post", "Q1", gain) for n, (agency, gain) in enumerate(gains)]
    >>> before = [(*row[:3], "pre", "Q1", 0) for row in after]
    >>> names = ["session", "person", "agency", "wave", "item", "score"]
    >>> scores = pl.DataFrame(before + after, schema=names, orient="row")
    >>> items = pl.DataFrame({"item": ["Q1"], "minimum": [0], "maximum": [9], "reversed": [False]})
    >>> [round(gain, 2) for gain in shrunken_gains(scores, items, "agency")["shrunken"]]
    [2.08, 5.92]
    """
    answers, questions = open_answers(scores, items)
    if not isinstance(by, str):
        raise ParameterError(f"by: one column is wanted, such as agency. Found: {by!r}.")
    group_columns(by, labels_of(answers), "scores that groups can be made of", [*MEAN_CHANGE.columns, *RESERVED])
    people = people_of(answers, questions, [by], ("pre", "post")).rename({"pre": "first", "post": "second"})
    pairs = pairs_of(people)
    kept = pairs if among is None else pairs.filter(pl.col(by).cast(pl.String).is_in(list(among)))
    gain = pl.col("gain")
    groups = (
        kept.group_by(by, maintain_order=True)
        .agg(gain.len().cast(pl.Int64).alias("n_pairs"), gain.sum().alias("total"))
        .sort(by)
    )
    found = random_effects(groups["total"].to_list(), groups["n_pairs"].to_list(), float((kept["gain"] ** 2).sum()))
    shrunken = [None] * groups.height if found is None else list(found.shrunken)
    return groups.select(by, "n_pairs", pl.Series("shrunken", shrunken, dtype=pl.Float64))


def with_shrunken(table: pl.DataFrame, shrunken: pl.DataFrame) -> pl.DataFrame:
    """Set the shrunken gains beside the raw ones of a table that may be published.

    Parameters
    ----------
    table
        Of shape mean_change with one group column, as `Safe.frame` gives it; ``mark`` is kept last.
    shrunken
        As `shrunken_gains` gives it.

    Returns
    -------
    pl.DataFrame
        The same rows with a column ``shrunken``, to one decimal; null where the mean change is.

    Examples
    --------
    >>> table = pl.DataFrame({"agency": ["Health"], "n_pairs": [12], "mean_change": [2.25], "mark": [""]})
    >>> with_shrunken(table, pl.DataFrame({"agency": ["Health"], "n_pairs": [12], "shrunken": [2.0]})).row(0)
    ('Health', 12, 2.25, 2.0, '')
    """
    by = table.columns[0]
    same = shrunken.select(pl.col(by).cast(table.schema[by]), "shrunken")
    joined = table.join(same, on=by, how="left", maintain_order="left", nulls_equal=True)
    return joined.with_columns(
        pl.when(pl.col("mean_change").is_not_null()).then(pl.col("shrunken").round(1)).alias("shrunken")
    ).select(pl.exclude("mark"), "mark")
