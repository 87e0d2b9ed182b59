"""Intervals of a mean that allow for skew: without resampling (ABC), and by the bootstrap from counts (BCa).

A score has few distinct gains, so the table of gains with their counts holds all that resampling needs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.intervals import normal_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

DECIMALS = 10
"""Gains are one gain where they agree to this many decimals: 0.3 − 0.2 is 0.1."""

MOST_CELLS = 4_000_000
"""Counts drawn at a time (32 MB); more resamples are drawn in turn, which changes no number."""


class _Moments(NamedTuple):
    """Mean, its standard error with n in the denominator, and the acceleration a, of values that differ."""

    mean: float
    error: float
    acceleration: float


def abc_interval(gains: Sequence[float], counts: Sequence[int], confidence: float = 0.95) -> tuple[float, float] | None:
    """Interval of a mean that allows for skew, worked out without drawing anything.

    Parameters
    ----------
    gains, counts
        The gains there are, and how many people have each.
    confidence
        Between 0 and 1.

    Returns
    -------
    tuple or None
        Lower and upper end. None for fewer than two people and where all gains are the same.

    Raises
    ------
    ParameterError
        If ``confidence`` does not lie between 0 and 1.

    Notes
    -----
    ABC, approximate bootstrap confidence, which for a mean has a closed form. With e the deviations from the mean,
    σ = √(Σe²)/n, a = Σe³/(6(Σe²)^1.5), z the normal quantile and w = a ± z, the ends are mean + σ·w/(1 − a·w)².
    Takes people as independent, and is a little narrow for fewer than about ten: a check of the headline interval
    for skew, not a replacement.

    References
    ----------
    DiCiccio & Efron 1992, Biometrika 79:231; ``abc.ci`` of the R package boot.

    Examples
    --------
    Knowledge falls: six people lose a point and two stay.

    >>> [round(end, 3) for end in abc_interval([-1, 0], [6, 2])]
    [-0.977, -0.332]
    """
    z = normal_quantile(confidence)
    moments = _moments(*_arrays(gains, counts))
    if moments is None:
        return None
    lower, upper = (
        moments.mean + moments.error * w / (1 - moments.acceleration * w) ** 2
        for w in (moments.acceleration - z, moments.acceleration + z)
    )
    return lower, upper


def bca_interval(
    gains: Sequence[float],
    counts: Sequence[int],
    *,
    resamples: int = 10_000,
    seed: int,
    confidence: float = 0.95,
) -> tuple[float, float] | None:
    """Bootstrap interval of a mean, corrected for bias and skew (BCa), drawn from counts.

    Parameters
    ----------
    gains, counts
        The gains there are, and how many people have each.
    resamples
        How many times as many people are drawn anew.
    seed
        The same seed gives the same interval.
    confidence
        Between 0 and 1.

    Returns
    -------
    tuple or None
        Lower and upper end. None for fewer than two people and where all gains are the same.

    Raises
    ------
    ParameterError
        If ``confidence`` does not lie between 0 and 1, or ``resamples`` is below 100.

    Notes
    -----
    Drawing n people with replacement draws the counts of the distinct gains from a multinomial distribution, so that a
    resample takes as long as there are distinct gains. z₀ is the normal quantile of the share of resampled means below
    the mean, those equal to it counted half; a is that of `abc_interval`; the ends are the quantiles
    Φ(z₀ + (z₀ ± z)/(1 − a(z₀ ± z))) of the resampled means. With few distinct gains the ends jump from one possible
    mean to the next. Takes people as independent.

    References
    ----------
    Efron 1987, JASA 82:171.

    Examples
    --------
    >>> lower, upper = bca_interval([-1, 0, 1, 2], [20, 40, 100, 40], seed=1)
    >>> round(lower, 1), round(upper, 1)
    (0.7, 0.9)
    """
    import numpy as np

    z = normal_quantile(confidence)
    if resamples < 100:
        raise ParameterError(f"resamples: {resamples} are too few for an interval. Give 100 or more, such as 10_000.")
    values, numbers = _arrays(gains, counts)
    moments = _moments(values, numbers)
    if moments is None:
        return None
    means = _resampled_means(*_gathered(values, numbers), resamples, seed) - moments.mean
    equal = np.abs(means) <= 10**-DECIMALS
    below = (np.count_nonzero(means[~equal] < 0) + np.count_nonzero(equal) / 2) / resamples
    normal, a = NormalDist(), moments.acceleration
    # At least half a resample lies on either side: with none, the quantile would have no end.
    middle = normal.inv_cdf(min(max(below, 0.5 / resamples), 1 - 0.5 / resamples))
    places = [normal.cdf(middle + (middle + side) / (1 - a * (middle + side))) for side in (-z, z)]
    lower, upper = (float(end) for end in np.quantile(means, places) + moments.mean)
    return lower, upper


def _resampled_means(values: Numbers, numbers: NDArray[np.int64], resamples: int, seed: int) -> Numbers:
    """Means of as many people drawn anew, as often as asked, a few million counts at a time."""
    import numpy as np

    draw, n = np.random.default_rng(seed), int(numbers.sum())
    at_once = max(1, MOST_CELLS // len(values))
    sizes = [min(at_once, resamples - done) for done in range(0, resamples, at_once)]
    return np.concatenate([draw.multinomial(n, numbers / n, size=size) @ values / n for size in sizes])


def _gathered(values: Numbers, numbers: NDArray[np.int64]) -> tuple[Numbers, NDArray[np.int64]]:
    """Gains in order, each once, so that neither the order of rows nor how often a gain stands changes a draw."""
    import numpy as np

    distinct, places = np.unique(np.round(values, DECIMALS), return_inverse=True)
    return distinct, np.bincount(places, weights=numbers).astype(np.int64)


def _moments(values: Numbers, numbers: NDArray[np.int64]) -> _Moments | None:
    """What both intervals need of the gains; None where they have no spread."""
    import numpy as np

    n = int(numbers.sum())
    if n < 2 or np.ptp(values) < 10**-DECIMALS:
        return None
    mean = float(numbers @ values) / n
    deviations = values - mean
    squares = float(numbers @ deviations**2)
    return _Moments(mean, math.sqrt(squares) / n, float(numbers @ deviations**3) / (6 * squares**1.5))


def _arrays(gains: Sequence[float], counts: Sequence[int]) -> tuple[Numbers, NDArray[np.int64]]:
    """Gains that somebody has, and how many have each."""
    import numpy as np

    values, numbers = np.array(gains, dtype=np.float64), np.array(counts, dtype=np.int64)
    if values.shape != numbers.shape:
        raise ParameterError(f"gains and counts: {len(values):,} and {len(numbers):,} values. Give one count per gain.")
    return values[numbers > 0], numbers[numbers > 0]
