"""Two answers of the same people → their mean change, with an interval that allows for who was taught together.

Wants people one by one, with a column ``first`` and one ``second``; gives one row per group.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from safeguarding_analytics.clustered import clustered_mean
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.groups import join_groups, per_group
from safeguarding_analytics.intervals import normal_quantile
from safeguarding_analytics.questionnaires import DECIMALS
from safeguarding_analytics.shapes import MEAN_CHANGE

FEWEST_PAIRS = 10
"""Below so many pairs there are counts and means, and no interval."""

FEWEST_STANDARDISED = 3
"""Below so many pairs there is no standardised gain: with two, Hedges' correction makes every one 0."""

COUNTS = ("n_pairs", "n_pre", "n_post", "n_up", "n_same", "n_down")
INTERVAL = ("standard_error", "degrees_of_freedom", "lower", "upper")
COLUMNS = tuple(name for name in MEAN_CHANGE.columns if name != "shrunken")


def pairs_of(people: pl.DataFrame) -> pl.DataFrame:
    """Keep who answered both times, with their gain.

    Examples
    --------
    >>> pairs_of(pl.DataFrame({"first": [1.0, None], "second": [0.3, 2.0]}))["gain"].to_list()
    [-0.7]
    """
    return people.drop_nulls(["first", "second"]).with_columns(
        (pl.col("second") - pl.col("first")).round(DECIMALS).alias("gain")
    )


def mean_changes(
    people: pl.DataFrame,
    groups: Sequence[str],
    cluster: str | None,
    meaningful_gain: float | None,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """Mean change of each group; without groups one row, even of nobody.

    Parameters
    ----------
    people
        One row per session and person: first, second (points, null where not answered), the group columns and the
        cluster.
    groups, cluster, meaningful_gain, confidence
        As for `knowledge.knowledge_gain`.

    Returns
    -------
    pl.DataFrame
        The groups and the columns of the shape mean_change but shrunken, sorted by the groups. Not suppressed.
    """
    normal_quantile(confidence)  # refuses what does not lie between 0 and 1
    _check_meaningful(meaningful_gain)
    pairs = pairs_of(people)
    check_clusters(pairs, cluster)
    answered = per_group(
        people, groups, pl.col("first").count().alias("n_pre"), pl.col("second").count().alias("n_post")
    )
    counts = join_groups(answered, _gains(pairs, groups), groups).with_columns(
        pl.col(COUNTS).fill_null(0).cast(pl.Int64)
    )
    found = _with_intervals(counts, _clusters(pairs, groups, cluster), groups, confidence)
    found = found.with_columns(
        pl.col("n_clusters") if cluster else pl.lit(None, pl.Int64).alias("n_clusters"),
        _verdict(meaningful_gain).alias("verdict"),
        *_standardised(),
    ).select(*groups, *COLUMNS)
    return found.sort(groups) if groups else found


def check_clusters(people: pl.DataFrame, cluster: str | None, what: str = "pairs") -> None:
    """Refuse people of whom nobody knows with whom they were taught."""
    if cluster and people[cluster].null_count():
        raise TableError(
            f"scores: {people[cluster].null_count():,} of {people.height:,} {what} have no {cluster}, so nobody knows "
            "who was taught together. Fill the column, or give another cluster."
        )


def _check_meaningful(gain: float | None) -> None:
    """Refuse a meaningful gain that is no number."""
    if gain is not None and not (isinstance(gain, int | float) and math.isfinite(gain)):
        raise ParameterError(f"meaningful_gain must be a number of points, such as 2, or None. Found: {gain!r}.")


def hedges_correction(degrees_of_freedom: int) -> float:
    """Hedges' exact correction of a standardised mean difference for few people.

    Parameters
    ----------
    degrees_of_freedom
        Of the standard deviation; 1 or more.

    References
    ----------
    Hedges 1981, Journal of Educational Statistics 6:107.

    Examples
    --------
    >>> round(hedges_correction(9), 6), hedges_correction(1)
    (0.913875, 0.0)
    """
    if degrees_of_freedom < 2:
        return 0.0
    half = degrees_of_freedom / 2
    return math.exp(math.lgamma(half) - math.log(math.sqrt(half)) - math.lgamma(half - 0.5))


def _standardised() -> list[pl.Expr]:
    """Mean change and interval in average standard deviations, corrected for few pairs."""
    average = ((pl.col("variance_pre") + pl.col("variance_post")) / 2).sqrt()
    usable = (pl.col("n_pairs") >= FEWEST_STANDARDISED) & (pl.col("spread") > 10**-DECIMALS)
    correction = pl.col("n_pairs").map_elements(lambda n: hedges_correction(n - 1), return_dtype=pl.Float64)
    ends = {"g_av": "mean_change", "g_av_lower": "lower", "g_av_upper": "upper"}
    return [pl.when(usable).then(pl.col(of) / average * correction).alias(name) for name, of in ends.items()]


def _gains(pairs: pl.DataFrame, groups: Sequence[str]) -> pl.DataFrame:
    """Count and average the pairs of each group."""
    gain = pl.col("gain")
    return per_group(
        pairs,
        groups,
        pl.len().alias("n_pairs"),
        pl.col("first").mean().alias("mean_pre"),
        pl.col("second").mean().alias("mean_post"),
        pl.col("first").var().alias("variance_pre"),
        pl.col("second").var().alias("variance_post"),
        pl.max_horizontal(pl.col(name).max() - pl.col(name).min() for name in ("first", "second")).alias("spread"),
        gain.mean().alias("mean_change"),
        (gain > 0).sum().alias("n_up"),
        (gain == 0).sum().alias("n_same"),
        (gain < 0).sum().alias("n_down"),
    )


def _clusters(pairs: pl.DataFrame, groups: Sequence[str], cluster: str | None) -> pl.DataFrame:
    """Sums of the gains, about the mean of the group, of each cluster in it; of each group where there are none."""
    gain = pl.col("gain")
    # About the mean of its group: squares of large numbers would lose the digits that matter.
    centred = gain - pl.col("centre")
    names = list(dict.fromkeys([*groups, *([cluster] if cluster else [])]))
    middle = gain.mean().over(list(groups)) if groups else gain.mean()
    found = per_group(
        pairs.with_columns(middle.alias("centre")).sort(*names, "first", "second", nulls_last=True),
        names,
        centred.sum().alias("total"),
        centred.len().alias("size"),
        (centred * centred).sum().alias("squares"),
        gain.min().alias("least"),
        gain.max().alias("most"),
    )
    return found.sort(names) if names else found


def _with_intervals(
    counts: pl.DataFrame, clusters: pl.DataFrame, groups: Sequence[str], confidence: float
) -> pl.DataFrame:
    """Add number of clusters, standard error, degrees of freedom and interval to each group."""
    parts = clusters.partition_by(groups, as_dict=True) if groups else {(): clusters}
    keys = counts.select(groups).rows() if groups else [()]
    empty = clusters.clear()
    means = counts["mean_change"].to_list()
    found = [_interval(parts.get(key, empty), mean, confidence) for key, mean in zip(keys, means, strict=True)]
    kinds = {"n_clusters": pl.Int64} | dict.fromkeys(INTERVAL, pl.Float64)
    return counts.hstack(pl.DataFrame(found, schema=kinds, orient="row"))


def _interval(clusters: pl.DataFrame, change: float | None, confidence: float) -> tuple[float | None, ...]:
    """Number of clusters, standard error, degrees of freedom, lower and upper end, of one group."""
    pairs, least, most = clusters["size"].sum(), clusters["least"].min(), clusters["most"].max()
    if pairs > 1 and least == most:
        return clusters.height, 0.0, None, None, None  # all gained the same: no spread, and no interval
    if pairs < FEWEST_PAIRS:
        return clusters.height, None, None, None, None
    mean = clustered_mean(
        clusters["total"].to_list(), clusters["size"].to_list(), float(clusters["squares"].sum()), confidence
    )
    if change is None or mean.standard_error is None or mean.standard_error < 10**-DECIMALS:
        return clusters.height, None, None, None, None
    reach = ((mean.upper or 0.0) - (mean.lower or 0.0)) / 2
    return clusters.height, mean.standard_error, mean.degrees_of_freedom, change - reach, change + reach


def _verdict(meaningful_gain: float | None) -> pl.Expr:
    """Compare the interval with the gain that was to matter."""
    if meaningful_gain is None:
        return pl.lit(None, pl.String)
    return (
        pl.when(pl.col("lower") >= meaningful_gain)
        .then(pl.lit("clearly at least"))
        .when(pl.col("upper") < meaningful_gain)
        .then(pl.lit("clearly less"))
        .when(pl.col("lower").is_not_null())
        .then(pl.lit("could be either"))
    )
