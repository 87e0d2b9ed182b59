"""Intervals for shares and counts, each with its source.

Every function takes polars expressions or plain numbers and gives back the same kind: a pair ``(lower, upper)``.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import overload

import polars as pl

from safeguarding_analytics.errors import ParameterError


def normal_quantile(confidence: float) -> float:
    """The two-sided normal quantile, 1.96 for 0.95.

    Examples
    --------
    >>> round(normal_quantile(0.95), 4)
    1.96
    """
    if not isinstance(confidence, int | float) or not 0 < confidence < 1:
        raise ParameterError(f"confidence must lie between 0 and 1, such as 0.95. Found: {confidence}.")
    return NormalDist().inv_cdf(0.5 + confidence / 2)


@overload
def wilson(numerator: pl.Expr, denominator: pl.Expr, confidence: float = 0.95) -> tuple[pl.Expr, pl.Expr]: ...
@overload
def wilson(numerator: float, denominator: float, confidence: float = 0.95) -> tuple[float | None, float | None]: ...
def wilson(
    numerator: pl.Expr | float, denominator: pl.Expr | float, confidence: float = 0.95
) -> tuple[pl.Expr, pl.Expr] | tuple[float | None, float | None]:
    """Wilson score interval of a share.

    Parameters
    ----------
    numerator, denominator
        Counts, as two expressions or two numbers.
    confidence
        Between 0 and 1.

    Returns
    -------
    tuple
        Lower and upper end, 0 to 1. Null (None) where the denominator is 0 or missing, or the numerator is missing,
        negative or larger than the denominator.

    Notes
    -----
    Takes the counts as independent: people trained together or siblings make the true interval wider.

    References
    ----------
    Wilson 1927, JASA 22:209; as in PHE/OHID technical guidance "Commonly used public health statistics".

    Examples
    --------
    Kent 2007/08, 177 of 920 plans:

    >>> [round(end, 5) for end in wilson(177, 920)]
    [0.16822, 0.21912]
    """
    z = normal_quantile(confidence)
    if not isinstance(numerator, pl.Expr) or not isinstance(denominator, pl.Expr):
        if isinstance(numerator, pl.Expr) or isinstance(denominator, pl.Expr):
            raise ParameterError("give wilson two expressions or two numbers, not one of each.")
        ends = pl.select(*wilson(pl.lit(numerator), pl.lit(denominator), confidence)).row(0)
        return ends[0], ends[1]
    x, n = numerator.cast(pl.Float64), denominator.cast(pl.Float64)
    middle, spread, size = 2 * x + z * z, z * (z * z + 4 * x * (1 - x / n)).sqrt(), 2 * (n + z * z)
    known = (n > 0) & (x >= 0) & (x <= n)
    lower = pl.when(known).then(pl.when(x == 0).then(0.0).otherwise(((middle - spread) / size).clip(0, 1)))
    upper = pl.when(known).then(pl.when(x == n).then(1.0).otherwise(((middle + spread) / size).clip(0, 1)))
    return lower.alias("lower"), upper.alias("upper")


@overload
def byar(count: pl.Expr, confidence: float = 0.95) -> tuple[pl.Expr, pl.Expr]: ...
@overload
def byar(count: float, confidence: float = 0.95) -> tuple[float | None, float | None]: ...
def byar(
    count: pl.Expr | float, confidence: float = 0.95
) -> tuple[pl.Expr, pl.Expr] | tuple[float | None, float | None]:
    """Interval of a count of events: Byar's approximation from 10 events on, exact Poisson below.

    Parameters
    ----------
    count
        Number of events, as an expression or a number.
    confidence
        Between 0 and 1.

    Returns
    -------
    tuple
        Lower and upper end, in events. Divide by the population and multiply by 10,000 for a rate.
        Null (None) where the count is missing or negative.

    References
    ----------
    Breslow & Day 1987, IARC 82, p. 69; the switch at 10 as in PHE/OHID technical guidance.

    Examples
    --------
    >>> [round(end, 2) for end in byar(960)]
    [900.22, 1022.7]
    >>> [round(end, 4) for end in byar(1)]
    [0.0253, 5.5716]
    """
    z = normal_quantile(confidence)
    if not isinstance(count, pl.Expr):
        ends = pl.select(*byar(pl.lit(count), confidence)).row(0)
        return ends[0], ends[1]
    x = count.cast(pl.Float64)
    lower = x * (1 - 1 / (9 * x) - z / (3 * x.sqrt())) ** 3
    upper = (x + 1) * (1 - 1 / (9 * (x + 1)) + z / (3 * (x + 1).sqrt())) ** 3
    for events, (low, high) in enumerate(_exact_poisson(confidence)):
        lower = pl.when(x == events).then(low).otherwise(lower)
        upper = pl.when(x == events).then(high).otherwise(upper)
    return (
        pl.when(x >= 0).then(lower).alias("lower"),
        pl.when(x >= 0).then(upper).alias("upper"),
    )


def _exact_poisson(confidence: float) -> list[tuple[float, float]]:
    """Exact limits of 0 to 9 events: half the chi-squared quantiles with 2x and 2x + 2 degrees of freedom."""
    from scipy.special import chdtri

    tail = (1 - confidence) / 2
    return [
        (0.0 if events == 0 else float(chdtri(2 * events, 1 - tail)) / 2, float(chdtri(2 * events + 2, tail)) / 2)
        for events in range(10)
    ]
