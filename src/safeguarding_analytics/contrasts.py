"""Each group of a table of shares against all the others, and each year against the one before."""

from __future__ import annotations

from typing import Literal

import polars as pl

from safeguarding_analytics.errors import ParameterError, require_columns
from safeguarding_analytics.intervals import wilson
from safeguarding_analytics.tables import TOTAL

BELOW, ABOVE, EITHER = "clearly below", "clearly above", "could be either"
LOWER, HIGHER = "clearly lower", "clearly higher"


def compare_with_others(table: pl.DataFrame, *, confidence: float = 0.95) -> pl.DataFrame:
    """How far the share of each group lies from that of all other groups together, and whether that is clear.

    Parameters
    ----------
    table
        One row per group: one group column, then numerator and denominator. "Total" rows are left out; so are, from the
        comparison, rows without both counts or with more than all.
    confidence
        That all intervals together hold the truth, between 0 and 1.

    Returns
    -------
    pl.DataFrame
        One row per group that is compared, sorted by the group: the group column, numerator, denominator, proportion,
        others (share of all other groups together), difference (proportion − others), lower, upper (−1 to 1), verdict
        ("clearly below", "clearly above", "could be either"). Worked out of what it is given: from a table that went
        through `suppress` it tells nothing more than that does.

    Raises
    ------
    TableError
        When a column is missing.
    ParameterError
        When there is not exactly one group column.

    Notes
    -----
    Newcombe's hybrid score interval of the difference of two shares, at the confidence 1 − (1 − confidence) ÷ groups
    (Bonferroni), so that among agencies that do not differ hardly one is called out. It takes people as independent;
    agencies that send whole teams make the true intervals wider. A clear difference says nothing of its reasons.

    References
    ----------
    Newcombe 1998, Statistics in Medicine 17:873, method 10.

    Examples
    --------
    >>> import polars as pl
    >>> table = pl.DataFrame({"agency": ["A", "B"], "numerator": [10, 60], "denominator": [100, 100]})
    >>> compare_with_others(table).select("agency", "difference", "verdict").rows()
    [('A', -0.5, 'clearly below'), ('B', 0.5, 'clearly above')]
    """
    require_columns(table.columns, ["numerator", "denominator"], "the table to compare")
    if not 0 < confidence < 1:
        raise ParameterError(f"confidence must be between 0 and 1. Found: {confidence}.")
    groups = table.columns[: table.columns.index("numerator")]
    if len(groups) != 1:
        raise ParameterError(
            f"the table must have one group column before numerator. Found: {', '.join(groups) or 'none'}."
        )
    group = pl.col(groups[0])
    counts, of = pl.col("numerator"), pl.col("denominator")
    known = table.filter(group.cast(pl.String).ne_missing(TOTAL), counts <= of, of > 0).select(group, counts, of)
    other_counts, other_of = counts.sum() - counts, of.sum() - of
    sides = known.with_columns(other_counts.alias("other_numerator"), other_of.alias("other_denominator"))
    sides = sides.filter(pl.col("other_denominator") > 0)
    each = 1 - (1 - confidence) / max(sides.height, 1)
    own, rest = wilson(counts, of, each), wilson(pl.col("other_numerator"), pl.col("other_denominator"), each)
    shares = sides.with_columns(
        (counts / of).alias("proportion"),
        (pl.col("other_numerator") / pl.col("other_denominator")).alias("others"),
        *(end.alias(f"own_{name}") for name, end in zip(("lower", "upper"), own, strict=True)),
        *(end.alias(f"rest_{name}") for name, end in zip(("lower", "upper"), rest, strict=True)),
    )
    share, others = pl.col("proportion"), pl.col("others")
    below = ((share - pl.col("own_lower")) ** 2 + (pl.col("rest_upper") - others) ** 2).sqrt()
    above = ((pl.col("own_upper") - share) ** 2 + (others - pl.col("rest_lower")) ** 2).sqrt()
    compared = shares.with_columns((share - others).alias("difference")).with_columns(
        (pl.col("difference") - below).alias("lower"), (pl.col("difference") + above).alias("upper")
    )
    verdict = pl.when(pl.col("upper") < 0).then(pl.lit(BELOW)).when(pl.col("lower") > 0).then(pl.lit(ABOVE))
    columns = [groups[0], "numerator", "denominator", "proportion", "others", "difference", "lower", "upper"]
    return compared.select(*columns, verdict.otherwise(pl.lit(EITHER)).alias("verdict")).sort(groups[0])


def compare_years(table: pl.DataFrame, *, against: Literal["before", "first"] = "before") -> pl.DataFrame:
    """How far the share of each year lies from that of the year before, or of the first, and whether that is clear.

    Parameters
    ----------
    table
        One row per year: time_period, proportion, lower, upper, and lower_clustered, upper_clustered where the interval
        that allows for siblings and repeats is known; the wider end of the two is used.
    against
        The year each is compared with: the one ``"before"`` it, or the ``"first"`` that has a share.

    Returns
    -------
    pl.DataFrame
        One row per year whose other year has a share too, sorted by time_period: time_period, year_before, proportion,
        before, difference (proportion − before), lower, upper (−1 to 1, of the confidence of the intervals given),
        verdict ("clearly lower", "clearly higher", "could be either"). Worked out of what it is given: from a table
        that went through `suppress` it tells nothing more than that does.

    Raises
    ------
    TableError
        When a column is missing.

    Notes
    -----
    Newcombe's hybrid score interval of the difference of two shares. It takes the years as independent; children who
    have a plan in both make them slightly less so. A clear difference says nothing of its reasons.

    References
    ----------
    Newcombe 1998, Statistics in Medicine 17:873, method 10.

    Examples
    --------
    >>> import polars as pl
    >>> table = pl.DataFrame(
    ...     {"time_period": ["2007", "2008"], "proportion": [0.3, 0.2], "lower": [0.25, 0.15], "upper": [0.35, 0.26]}
    ... )
    >>> compare_years(table).select("time_period", pl.col("lower", "upper").round(3), "verdict").row(0)
    ('2008', -0.171, -0.022, 'clearly lower')
    """
    require_columns(table.columns, ["time_period", "proportion", "lower", "upper"], "the table to compare")
    clustered = {"lower_clustered", "upper_clustered"} <= set(table.columns)
    ends = [("lower", pl.min_horizontal), ("upper", pl.max_horizontal)]
    wider = [widest(end, f"{end}_clustered") if clustered else pl.col(end) for end, widest in ends]
    shares = table.filter(pl.col("proportion").is_not_null(), pl.col("time_period").str.contains(r"^\d{4}$")).select(
        "time_period", pl.col("proportion"), wider[0].alias("low"), wider[1].alias("high")
    )
    year = pl.col("time_period").cast(pl.Int64)
    other = {"year_before": "time_period", "before": "proportion", "low_before": "low", "high_before": "high"}
    next_year = (year + 1).cast(pl.String).alias("time_period")
    previous = shares.select(next_year, **other)
    if against == "first":
        later = shares.sort("time_period").slice(1).select("time_period")
        previous = later.join(shares.sort("time_period").head(1).select(**other), how="cross")
    share, before = pl.col("proportion"), pl.col("before")
    below = ((share - pl.col("low")) ** 2 + (pl.col("high_before") - before) ** 2).sqrt()
    above = ((pl.col("high") - share) ** 2 + (before - pl.col("low_before")) ** 2).sqrt()
    compared = shares.join(previous, on="time_period").with_columns(difference=share - before)
    compared = compared.with_columns(lower=pl.col("difference") - below, upper=pl.col("difference") + above)
    verdict = pl.when(pl.col("upper") < 0).then(pl.lit(LOWER)).when(pl.col("lower") > 0).then(pl.lit(HIGHER))
    columns = ["time_period", "year_before", "proportion", "before", "difference", "lower", "upper"]
    return compared.select(*columns, verdict.otherwise(pl.lit(EITHER)).alias("verdict")).sort("time_period")


def change_table(compared: pl.DataFrame, years: pl.DataFrame) -> pl.DataFrame:
    """The changes from year to year as a table to publish, in percentage points.

    Parameters
    ----------
    compared
        As `compare_years` gives it.
    years
        What it was made of, with ``denominator``.

    Returns
    -------
    pl.DataFrame
        Shape ``estimate`` by ``time_period`` and ``year_before``: n (denominator of the year), estimate, lower, upper.

    Examples
    --------
    >>> import polars as pl
    >>> ends = {"proportion": [0.3, 0.2], "lower": [0.25, 0.15], "upper": [0.35, 0.26]}
    >>> years = pl.DataFrame({"time_period": ["2007", "2008"], "denominator": [90, 80], **ends})
    >>> change_table(compare_years(years), years).row(0)
    ('2008', '2007', 80, -10.0, -17.1, -2.2)
    """
    points = {"estimate": "difference", "lower": "lower", "upper": "upper"}
    return compared.join(years.select("time_period", n="denominator"), on="time_period").select(
        "time_period", "year_before", "n", *((pl.col(name) * 100).round(1).alias(new) for new, name in points.items())
    )
