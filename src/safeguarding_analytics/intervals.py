"""Intervals for shares, counts and means, each with its source.

Every function takes polars expressions or plain numbers and gives back the same kind: a pair ``(lower, upper)``.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple, overload

import polars as pl

from safeguarding_analytics.errors import ParameterError


def normal_quantile(confidence: float) -> float:
    """The two-sided normal quantile, 1.96 for 0.95.

    Examples
    --------
    >>> round(normal_quantile(0.95), 4)
    1.96
    """
    if not 0 < confidence < 1:
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


class Mean(NamedTuple):
    """A mean with its interval; what the data cannot support is None."""

    mean: float | None
    standard_error: float | None
    degrees_of_freedom: int | None
    lower: float | None
    upper: float | None


def clustered_mean(sums: list[float], sizes: list[int], squares: float, confidence: float = 0.95) -> Mean:
    """Interval of a mean of values that come in clusters (people taught in one session).

    Parameters
    ----------
    sums, sizes
        Per cluster, the sum of its values and how many there are.
    squares
        Sum of the squares of all values; used only where there is one cluster.
    confidence
        Between 0 and 1.

    Returns
    -------
    Mean
        ``mean``, ``standard_error``, ``degrees_of_freedom``, ``lower``, ``upper``; the last four None where the data
        cannot support them (a single value).

    Notes
    -----
    CR1: the cluster-robust variance √(Σe²)/N × √(K/(K−1)), e the sum of a cluster's deviations from the mean, with
    Student's t on K − 1 degrees of freedom. With one cluster there is no clustered interval: the ordinary one-sample
    interval on N − 1 is given, and it is too narrow where people of one session answer alike.

    References
    ----------
    Liang & Zeger 1986, Biometrika 73:13; Cameron & Miller 2015, J. Human Resources 50:317.

    Examples
    --------
    Four clusters of two: (1, 3), (2, 2), (0, 2), (4, 4).

    >>> found = clustered_mean([4, 4, 2, 8], [2, 2, 2, 2], 54)
    >>> round(found.mean, 3), round(found.standard_error, 4), found.degrees_of_freedom
    (2.25, 0.6292, 3)
    """
    from scipy.special import stdtrit

    n, k = sum(sizes), len(sizes)
    if n == 0:
        return Mean(None, None, None, None, None)
    mean = math.fsum(sums) / n
    if k > 1:
        deviations = math.fsum((total - size * mean) ** 2 for total, size in zip(sums, sizes, strict=True))
        error, freedom = math.sqrt(deviations) / n * math.sqrt(k / (k - 1)), k - 1
    elif n > 1:
        error, freedom = math.sqrt(max(squares - n * mean * mean, 0.0) / (n - 1) / n), n - 1
    else:
        return Mean(mean, None, None, None, None)
    reach = float(stdtrit(freedom, 0.5 + confidence / 2)) * error
    return Mean(mean, error, freedom, mean - reach, mean + reach)
