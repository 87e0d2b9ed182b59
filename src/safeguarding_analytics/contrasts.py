"""Each group of a table of shares against all the others, so that nobody reads it as a league table."""

from __future__ import annotations

import polars as pl

from safeguarding_analytics.errors import ParameterError, require_columns
from safeguarding_analytics.intervals import wilson
from safeguarding_analytics.tables import TOTAL

BELOW, ABOVE, EITHER = "clearly below", "clearly above", "could be either"


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
