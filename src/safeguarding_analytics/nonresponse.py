"""People who answered once: who they are, and how much they could change the answer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.clustered import Mean, clustered_mean, random_effects
from safeguarding_analytics.intervals import normal_quantile
from safeguarding_analytics.paired import FEWEST_PAIRS, check_clusters, pairs_of
from safeguarding_analytics.questionnaires import DECIMALS, Scored, score_twice
from safeguarding_analytics.resampling import abc_interval
from safeguarding_analytics.two_waves import two_wave_change

ESTIMATES: dict[str, type[pl.DataType]] = {
    "n": pl.Int64,
    "estimate": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
}
NOTHING = 10**-DECIMALS

Row = tuple[str, int, float | None, float | None, float | None]

HEADLINE = "Pairs, allowing for who was taught together (the headline)"
PERSONS = "Pairs, as if everybody had been taught alone"
SKEWED = "Pairs, allowing for lopsided changes (ABC), not for who was taught together"
ALIKE = "Pairs, all sessions or clusters alike as far as they differ (random effects)"
LIKELY = "All, if those who answered once are like the others with their score (maximum likelihood)"
HALF = "All, if those who answered once gained half as much"
NONE = "All, if those who answered once gained nothing"
WORST = "All, if those who answered once did as badly as they could"
BEST = "All, if those who answered once did as well as they could"

OF_PAIRS = (HEADLINE, PERSONS, SKEWED, ALIKE)
"""Rows that nobody who answered once has a part in."""

BOTH_BEFORE = "Those who answered twice: score before"
ONLY_BEFORE = "Those who answered only before: score before"
BOTH_AFTER = "Those who answered twice: score after"
ONLY_AFTER = "Those who answered only after: score after"


def answered_once(
    scores: IntoFrame, items: IntoFrame, *, cluster: str | None = "session", confidence: float = 0.95
) -> pl.DataFrame:
    """Scores of those who answered twice beside those of people who answered once, who may be the weaker ones.

    Parameters
    ----------
    scores, items, cluster, confidence
        As for `knowledge_gain`.

    Returns
    -------
    pl.DataFrame
        Four rows, ``who``: before, of those who answered twice and of those who answered only before; after, likewise.
        ``n`` (people × sessions), ``estimate`` (mean score, points), ``lower``, ``upper`` (allowing for clusters; null
        below 10 people). Not suppressed.

    Raises
    ------
    TableError, ParameterError
        As `knowledge_gain`.

    Notes
    -----
    Two groups that differ were not alike to begin with, and the gain of the pairs need not be that of everybody.

    Examples
    --------
    >>> rows = [("s1", "p1", "pre", "Q1", 1), ("s1", "p1", "post", "Q1", 3), ("s1", "p2", "pre", "Q1", 2)]
    >>> scores = pl.DataFrame(rows, schema=["session", "person", "wave", "item", "score"], orient="row")
    >>> items = pl.DataFrame({"item": ["Q1"], "minimum": [0], "maximum": [3], "reversed": [False]})
    >>> answered_once(scores, items).select("n", "estimate").rows()
    [(1, 1.0), (1, 2.0), (1, 3.0), (0, None)]
    """
    normal_quantile(confidence)  # refuses what does not lie between 0 and 1
    return answered_once_of(score_twice(scores, items, cluster), cluster, confidence)


def answered_once_of(scored: Scored, cluster: str | None, confidence: float) -> pl.DataFrame:
    """As `answered_once`, of people whose answers are added up."""
    people = _who_answered(scored, cluster)
    first, second = pl.col("first"), pl.col("second")
    groups = {
        BOTH_BEFORE: ("first", second.is_not_null()),
        ONLY_BEFORE: ("first", second.is_null()),
        BOTH_AFTER: ("second", first.is_not_null()),
        ONLY_AFTER: ("second", first.is_null()),
    }
    rows = []
    for name, (value, chosen) in groups.items():
        of_group = people.filter(chosen).drop_nulls(value)
        mean = _mean_of(of_group, value, cluster, confidence)
        rows.append((name, of_group.height, mean.mean, *_ends(mean, of_group.height)))
    return _estimates("who", rows)


def gain_under_assumptions(
    scores: IntoFrame, items: IntoFrame, *, cluster: str | None = "session", confidence: float = 0.95
) -> pl.DataFrame:
    """The mean gain worked out in other ways, and with those who answered once: how much hangs on what is not known.

    Parameters
    ----------
    scores, items, cluster, confidence
        As for `knowledge_gain`.

    Returns
    -------
    pl.DataFrame
        One row per ``assumption``: ``n`` (people × sessions), ``estimate`` (mean gain, points), ``lower``, ``upper``.
        First of the pairs: the headline (CR2); without clusters (t); allowing for skew (ABC); random effects (REML,
        where clusters differ); then, where anybody answered once, of all: missing at random (two-wave maximum
        likelihood), with half the gain, without gain, and the two ends of what the scale allows (no interval: nothing
        is estimated). Null: intervals below 10 pairs or without spread. Not suppressed.

    Raises
    ------
    TableError, ParameterError
        As `knowledge_gain`.

    Notes
    -----
    Missing at random: those who did not answer again would have done as others of their score. The data cannot show
    whether that is so; the rows behind it say what follows if not. At worst, who answered only before fell to the
    minimum, and who answered only after came from the maximum. Intervals of maximum likelihood and ABC do not allow for
    clusters; those with half the gain and without are the interval of the pairs, made smaller with the mean.

    References
    ----------
    Little & Rubin 2019, Statistical Analysis with Missing Data, 3rd ed.; DiCiccio & Efron 1996, Statistical Science
    11:189 (ABC).

    Examples
    --------
    >>> rows = [("s1", "p1", "pre", "Q1", 1), ("s1", "p1", "post", "Q1", 3), ("s1", "p2", "pre", "Q1", 2)]
    >>> scores = pl.DataFrame(rows, schema=["session", "person", "wave", "item", "score"], orient="row")
    >>> items = pl.DataFrame({"item": ["Q1"], "minimum": [0], "maximum": [3], "reversed": [False]})
    >>> gain_under_assumptions(scores, items).select("n", "estimate").rows()
    [(1, 2.0), (1, 2.0), (2, 1.5), (2, 1.0), (2, 0.0), (2, 1.5)]
    """
    normal_quantile(confidence)  # refuses what does not lie between 0 and 1
    return assumptions_of(score_twice(scores, items, cluster), cluster, confidence)


def assumptions_of(scored: Scored, cluster: str | None, confidence: float) -> pl.DataFrame:
    """As `gain_under_assumptions`, of people whose answers are added up."""
    people = _who_answered(scored, cluster)
    pairs = pairs_of(people)
    headline = _mean_of(pairs, "gain", cluster, confidence)
    if headline.mean is None:
        return _estimates("assumption", [])
    rows = _of_pairs(pairs, cluster, headline, confidence)
    once = people.filter(pl.col("first").is_null() != pl.col("second").is_null())
    if not once.is_empty():
        rows += _of_all(pairs, once, headline, (scored.lowest, scored.highest), confidence)
    return _estimates("assumption", rows)


def _who_answered(scored: Scored, cluster: str | None) -> pl.DataFrame:
    """People with a score, before or after."""
    people = scored.people.filter(pl.any_horizontal(pl.col("first", "second").is_not_null()))
    check_clusters(people, cluster, "people")
    return people


def _of_pairs(pairs: pl.DataFrame, cluster: str | None, headline: Mean, confidence: float) -> list[Row]:
    """The mean gain of the pairs by several methods."""
    n = pairs.height
    rows: list[Row] = [(HEADLINE, n, headline.mean, *_ends(headline, n))]
    if cluster is not None:
        alone = _mean_of(pairs, "gain", None, confidence)
        rows.append((PERSONS, n, alone.mean, *_ends(alone, n)))
    counted = pairs.group_by("gain").len().sort("gain")
    skewed = (
        abc_interval(counted["gain"].to_list(), counted["len"].to_list(), confidence) if n >= FEWEST_PAIRS else None
    )
    if skewed is not None:
        rows.append((SKEWED, n, headline.mean, *skewed))
    effects = random_effects(*_sums(pairs, "gain", cluster)) if cluster is not None and n >= FEWEST_PAIRS else None
    if effects is not None and effects.standard_error > NOTHING:
        reach = normal_quantile(confidence) * effects.standard_error
        rows.append((ALIKE, n, effects.mean, effects.mean - reach, effects.mean + reach))
    return rows


def _of_all(
    pairs: pl.DataFrame, once: pl.DataFrame, headline: Mean, scale: tuple[float, float], confidence: float
) -> list[Row]:
    """The mean gain of everybody who answered, under several assumptions about those who answered once."""
    n, everybody = pairs.height, pairs.height + once.height
    lowest, highest = scale
    before, after = once["first"].drop_nulls(), once["second"].drop_nulls()
    gain = headline.mean or 0.0
    rows: list[Row] = []
    likely = two_wave_change(pairs.select("first", "second").to_numpy(), before.to_numpy(), after.to_numpy())
    if likely is not None and n >= FEWEST_PAIRS:
        reach = normal_quantile(confidence) * likely.standard_error
        rows.append((LIKELY, everybody, likely.change, likely.change - reach, likely.change + reach))
    for name, share in ((HALF, 0.5), (NONE, 0.0)):
        factor = (n + share * once.height) / everybody
        ends = [None if end is None else end * factor for end in _ends(headline, n)]
        rows.append((name, everybody, gain * factor, ends[0], ends[1]))
    worst = math.fsum(lowest - score for score in before) + math.fsum(score - highest for score in after)
    best = math.fsum(highest - score for score in before) + math.fsum(score - lowest for score in after)
    rows += [
        (name, everybody, (n * gain + end) / everybody, None, None) for name, end in ((WORST, worst), (BEST, best))
    ]
    return rows


def _mean_of(people: pl.DataFrame, value: str, cluster: str | None, confidence: float) -> Mean:
    """Mean of a column with its interval."""
    if people.is_empty():
        return Mean(None, None, None, None, None)
    middle = float(people[value].sum()) / people.height
    # About the mean: squares of large numbers would lose the digits that matter.
    found = clustered_mean(*_sums(people, value, cluster, middle), confidence)
    if found.lower is None or found.upper is None:
        return found._replace(mean=middle)
    reach = (found.upper - found.lower) / 2
    return found._replace(mean=middle, lower=middle - reach, upper=middle + reach)


def _sums(
    people: pl.DataFrame, value: str, cluster: str | None, middle: float = 0.0
) -> tuple[list[float], list[int], float]:
    """Sum and number by cluster, and the sum of squares, of what a column is above a middle."""
    above = people.select(*([cluster] if cluster else []), (pl.col(value) - middle).alias("above"))
    squares = float((above["above"] ** 2).sum())
    if cluster is None:
        return [float(above["above"].sum())], [people.height], squares
    number = pl.col("above")
    found = (
        above.group_by(cluster, maintain_order=True)
        .agg(number.sum().alias("total"), number.len().alias("size"))
        .sort(cluster)
    )
    return found["total"].to_list(), found["size"].to_list(), squares


def _ends(mean: Mean, people: int) -> tuple[float | None, float | None]:
    """The interval; none of too few people, or without spread."""
    enough = people >= FEWEST_PAIRS and mean.standard_error is not None and mean.standard_error > NOTHING
    return (mean.lower, mean.upper) if enough else (None, None)


def _estimates(group: str, rows: Sequence[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={group: pl.String, **ESTIMATES}, orient="row")
