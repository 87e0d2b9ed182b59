"""Means of values that come in clusters (people taught in one session): standard errors, intervals, shrunken means.

Everything is worked out from three numbers per question: per cluster the sum and the number of its values, and over
all the sum of squares.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.intervals import normal_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

ROUNDING = 1e-13
"""A sum of squared deviations below this share of the sum of squares is taken for rounding: no spread."""

FIRST_POINTS, MORE_POINTS, ROUNDS = 64, 32, 4
"""How finely the ratio of variances is searched: 64 points, then four times 32 between two neighbours, then a line."""


class Mean(NamedTuple):
    """A mean with its interval; what the data cannot support is None."""

    mean: float | None
    standard_error: float | None
    degrees_of_freedom: float | None
    lower: float | None
    upper: float | None


class StandardErrors(NamedTuple):
    """Standard errors of one mean by their usual names; None where the data cannot support them."""

    iid: float | None
    cr0: float | None
    cr1: float | None
    cr2: float | None
    cr3: float | None
    satterthwaite_df: float | None


class RandomEffects(NamedTuple):
    """A mean whose clusters differ: its standard error, both standard deviations, the mean of each cluster shrunken."""

    mean: float
    standard_error: float
    sd_between: float
    sd_within: float
    shrunken: tuple[float, ...]


def standard_errors(sums: Sequence[float], sizes: Sequence[int], squares: float) -> StandardErrors:
    """Standard errors of a mean: as if everybody were on their own, and the cluster-robust ones side by side.

    Parameters
    ----------
    sums, sizes
        Per cluster, the sum of its values and how many there are. Clusters without values are left out.
    squares
        Sum of the squares of all values; only ``iid`` is made from it.

    Returns
    -------
    StandardErrors
        ``iid``, ``cr0`` to ``cr3`` and ``satterthwaite_df``, the degrees of freedom that go with ``cr2``. None: ``iid``
        below two values, the others below two clusters.

    Notes
    -----
    With N values in K clusters of n_k, and e_k the sum of a cluster's deviations from the mean: CR0 = √(Σe_k²)/N;
    CR1 = CR0·√(K/(K−1)); CR2 divides each e_k² by 1 − n_k/N, CR3 by its square. Satterthwaite's degrees of freedom are
    those under independent values, N²/ΣΣG_jk²; where all clusters are of one size they are K − 1, and CR2 is CR1.

    References
    ----------
    Liang & Zeger 1986, Biometrika 73:13; Bell & McCaffrey 2002, Survey Methodology 28:169; Pustejovsky & Tipton 2018,
    J. Business & Economic Statistics 36:672 (R package clubSandwich).

    Examples
    --------
    Four clusters of two: (1, 3), (2, 2), (0, 2), (4, 4).

    >>> found = standard_errors([4, 4, 2, 8], [2, 2, 2, 2], 54)
    >>> round(found.iid, 4), round(found.cr1, 4), round(found.cr2, 4), found.satterthwaite_df
    (0.491, 0.6292, 0.6292, 3.0)
    """
    totals, numbers = _filled(sums, sizes)
    n, k = sum(numbers), len(numbers)
    if n < 2:
        return StandardErrors(None, None, None, None, None, None)
    mean = math.fsum(totals) / n
    iid = math.sqrt(max(squares - n * mean * mean, 0.0) / (n - 1) / n)
    if k < 2:
        return StandardErrors(iid, None, None, None, None, None)
    deviations = [(total - size * mean) ** 2 for total, size in zip(totals, numbers, strict=True)]
    freed = [n / (n - size) for size in numbers]
    plain = math.sqrt(math.fsum(deviations)) / n
    cr2 = math.sqrt(math.fsum(e * a for e, a in zip(deviations, freed, strict=True))) / n
    cr3 = math.sqrt(math.fsum(e * a * a for e, a in zip(deviations, freed, strict=True))) / n
    return StandardErrors(iid, plain, plain * math.sqrt(k / (k - 1)), cr2, cr3, _satterthwaite(numbers))


def _satterthwaite(sizes: list[int]) -> float:
    """Degrees of freedom of CR2: N²/ΣΣG², whose diagonal is the sizes and whose rest is a_j²·a_k²·n_j²·n_k²/N²."""
    if min(sizes) == max(sizes):
        return float(len(sizes) - 1)
    n = sum(sizes)
    parts = [size * size / (n - size) for size in sizes]
    pairs = math.fsum(parts) ** 2 - math.fsum(part * part for part in parts)
    return n * n / (sum(size * size for size in sizes) + pairs)


def clustered_mean(sums: Sequence[float], sizes: Sequence[int], squares: float, confidence: float = 0.95) -> Mean:
    """Interval of a mean of values that come in clusters (people taught in one session).

    Parameters
    ----------
    sums, sizes
        Per cluster, the sum of its values and how many there are. Clusters without values are left out.
    squares
        Sum of the squares of all values; used only where there is one cluster.
    confidence
        Between 0 and 1.

    Returns
    -------
    Mean
        ``mean``, ``standard_error``, ``degrees_of_freedom``, ``lower``, ``upper``; the last four None for a single
        value, all None for none. Values without spread have a standard error of 0 up to rounding, and no width.

    Raises
    ------
    ParameterError
        If ``confidence`` does not lie between 0 and 1.

    Notes
    -----
    CR2 with Student's t on Satterthwaite's degrees of freedom (`standard_errors`). Where all clusters are of one size
    this is CR1 with K − 1. With one cluster there is no clustered interval: the ordinary one-sample interval on N − 1
    is given, and it is too narrow where people of one session answer alike. Degrees of freedom near 1 mean that one
    cluster holds most of the people: the interval is wide, and rightly so.

    References
    ----------
    Bell & McCaffrey 2002, Survey Methodology 28:169; Cameron & Miller 2015, J. Human Resources 50:317.

    Examples
    --------
    Four clusters of two: (1, 3), (2, 2), (0, 2), (4, 4).

    >>> found = clustered_mean([4, 4, 2, 8], [2, 2, 2, 2], 54)
    >>> round(found.mean, 3), round(found.standard_error, 4), found.degrees_of_freedom
    (2.25, 0.6292, 3.0)
    """
    from scipy.special import stdtrit

    normal_quantile(confidence)
    totals, numbers = _filled(sums, sizes)
    n = sum(numbers)
    if n == 0:
        return Mean(None, None, None, None, None)
    mean = math.fsum(totals) / n
    found = standard_errors(totals, numbers, squares)
    error, freedom = (found.iid, n - 1.0) if found.cr2 is None else (found.cr2, found.satterthwaite_df)
    if error is None or freedom is None:
        return Mean(mean, None, None, None, None)
    reach = float(stdtrit(freedom, 0.5 + confidence / 2)) * error
    return Mean(mean, error, freedom, mean - reach, mean + reach)


def random_effects(sums: Sequence[float], sizes: Sequence[int], squares: float) -> RandomEffects | None:
    """Mean of values whose clusters differ, how much they differ, and each cluster's mean drawn towards the whole.

    Parameters
    ----------
    sums, sizes
        Per cluster, the sum of its values and how many there are.
    squares
        Sum of the squares of all values.

    Returns
    -------
    RandomEffects or None
        ``shrunken`` is in the order of the clusters; one without values has the overall mean. None where what lies
        between clusters cannot be told from what lies within: fewer than two clusters with values, or none with more
        than one value.

    Raises
    ------
    ParameterError
        If ``squares`` is smaller than sums and sizes allow.

    Notes
    -----
    Restricted maximum likelihood of value = mean + cluster + rest. With λ the ratio of the two variances and
    v_k = λ + 1/n_k, the criterion (N−1)·ln q + Σln v_k + ln Σ(1/v_k) has one unknown, q being the squares within and
    between clusters that λ leaves. Its slope is looked at from 0 up to where it must be rising, so that a minimum is
    always found; where that is at λ = 0, ``sd_between`` is exactly 0 and every cluster has the overall mean. Of several
    minima the lowest is taken. Where nobody differs within clusters, λ is without bound: the overall mean is the plain
    mean of the clusters' means, and nothing is shrunken. The shrunken mean of a cluster lies the share 1/(1 + λ·n_k)
    of the way from its own to the overall mean (best linear unbiased prediction).

    References
    ----------
    Patterson & Thompson 1971, Biometrika 58:545; Robinson 1991, Statistical Science 6:15; the R package lme4.

    Examples
    --------
    Four clusters of two: (1, 3), (2, 2), (0, 2), (4, 4). By analysis of variance σ² = 1 and τ² = (19/6 − 1)/2.

    >>> found = random_effects([4, 4, 2, 8], [2, 2, 2, 2], 54)
    >>> round(found.sd_within, 4), round(found.sd_between, 4), [round(mean, 3) for mean in found.shrunken]
    (1.0, 1.0408, [2.079, 2.079, 1.395, 3.447])
    """
    import numpy as np

    totals, numbers = (np.array(part, dtype=np.float64) for part in _filled(sums, sizes))
    n, k = numbers.sum(), len(numbers)
    if k < 2 or n <= k:
        return None
    means = totals / numbers
    within = squares - float(totals @ means)
    if within < -1e-9 * abs(squares) - 1e-300:
        raise ParameterError(
            f"squares: {squares:g} is less than the sums of {k:,} clusters and their sizes allow "
            f"({squares - within:g}). Give the sum of the squares of all values."
        )
    if within <= ROUNDING * squares:
        mean, error, sd_between = _between_alone(means, math.sqrt(ROUNDING * squares / n))
        return RandomEffects(mean, error, sd_between, 0.0, _shrunken(sums, sizes, mean, math.inf))
    ratio = _ratio_of_variances(means, 1 / numbers, within)
    weights = 1 / (ratio + 1 / numbers)
    mean = float(weights @ means / weights.sum())
    sd_within = math.sqrt((within + float(weights @ (means - mean) ** 2)) / (n - 1))
    error = sd_within / math.sqrt(weights.sum())
    return RandomEffects(mean, error, math.sqrt(ratio) * sd_within, sd_within, _shrunken(sums, sizes, mean, ratio))


def _between_alone(means: Numbers, rounding: float) -> tuple[float, float, float]:
    """Mean, standard error and standard deviation of clusters within which nobody differs."""
    import numpy as np

    deviation = float(means.std(ddof=1)) if np.ptp(means) > rounding else 0.0
    return float(means.mean()), deviation / math.sqrt(len(means)), deviation


def _shrunken(sums: Sequence[float], sizes: Sequence[int], mean: float, ratio: float) -> tuple[float, ...]:
    """Draw each cluster's own mean towards the overall mean."""
    kept = (0.0 if size == 0 else 1.0 if math.isinf(ratio) else ratio / (ratio + 1 / size) for size in sizes)
    own = (total / size if size else mean for total, size in zip(sums, sizes, strict=True))
    return tuple(mean + share * (one - mean) for share, one in zip(kept, own, strict=True))


def _ratio_of_variances(means: Numbers, inverses: Numbers, within: float) -> float:
    """The ratio λ of the variance between clusters to that within at which the restricted likelihood is highest."""
    import numpy as np

    k, n = len(means), float((1 / inverses).sum())
    # Beyond this the slope is positive, whatever the data: (N−1)·K·range²/(λ²·SSW) < (K−1)/(4λ).
    highest = 2 * max(1.0, 4 * (n - 1) * k * float(np.ptp(means)) ** 2 / ((k - 1) * within))
    points = np.concatenate([[0.0], np.geomspace(1e-3 * inverses.min(), highest, FIRST_POINTS)])
    first = _criterion(points, means, inverses, within)[1]
    found = [0.0] if first[0] >= 0 else []
    for turn in np.flatnonzero((first[:-1] < 0) & (first[1:] >= 0)):
        ends = points[turn : turn + 2]
        for _ in range(ROUNDS):
            between = np.linspace(ends[0], ends[1], MORE_POINTS + 2)
            slopes = _criterion(between, means, inverses, within)[1]
            rising = 1 + int(np.argmax(slopes[1:] >= 0))
            ends, (low, high) = between[rising - 1 : rising + 1], slopes[rising - 1 : rising + 1]
        found.append(float(ends[0] + (ends[1] - ends[0]) * (low / (low - high))))
    return found[int(np.argmin(_criterion(np.array(found), means, inverses, within)[0]))]


def _criterion(ratios: Numbers, means: Numbers, inverses: Numbers, within: float) -> tuple[Numbers, Numbers]:
    """Minus twice the restricted log likelihood, but for a constant, at each ratio of variances; and its slope."""
    import numpy as np

    n = (1 / inverses).sum()
    weights = 1 / (ratios[:, None] + inverses)
    whole = weights.sum(axis=1)
    parts = weights * (means - (weights @ means / whole)[:, None])
    left = within + (parts * parts / weights).sum(axis=1)
    value = (n - 1) * np.log(left) - np.log(weights).sum(axis=1) + np.log(whole)
    slope = whole - (weights * weights).sum(axis=1) / whole - (n - 1) * (parts * parts).sum(axis=1) / left
    return value, slope


def _filled(sums: Sequence[float], sizes: Sequence[int]) -> tuple[list[float], list[int]]:
    """Sums and sizes of the clusters that have values."""
    filled = [(total, size) for total, size in zip(sums, sizes, strict=True) if size > 0]
    return [total for total, _ in filled], [size for _, size in filled]
