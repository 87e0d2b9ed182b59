"""Change between two answers where some people gave only one of them: two-wave maximum likelihood.

Only counts, means and products of deviations are looked at after one pass over the answers, so that 100,000 people
take as long as ten.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from safeguarding_analytics.errors import ParameterError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Answers = Sequence[float] | NDArray[np.float64]
    Pairs = Sequence[tuple[float, float]] | NDArray[np.float64]

FEWEST_PAIRS = 3
"""Below so many pairs the likelihood of a correlation has no highest point."""

FLAT = 1e-6
"""Pairs whose squared correlation is nearer to 1 than this lie on one line, as far as the likelihood can be told."""

SETTLED, NEAR = 1e-11, 1e-3
"""The search ends when the next step is this small, in standard errors of what is searched. Once it is near, steps are
taken as they are, and it also ends when they no longer become smaller: that is the floating-point precision."""

ROUNDED = 1e-5
"""The same, where no step leads further up in the digits that a number has, as with answers nearly on a line."""

NUDGE, LONGEST, HALVINGS = 1e-4, 2.0, 60
"""How far the slope is looked at to see how it bends; the longest step in any direction; how often it is halved."""


class TwoWaves(NamedTuple):
    """A change between two waves, its standard error, the correlation of the waves, and how many people it is of."""

    change: float
    standard_error: float
    correlation: float
    n_people: int


class _Summary(NamedTuple):
    """Counts, means and sums of squared deviations: of the pairs, of those with one answer before, of those after."""

    n: int
    means: Numbers
    products: Numbers
    n_single: Numbers
    single_means: Numbers
    single_squares: Numbers


class _Fit(NamedTuple):
    """One place of the search: how badly it fits, which way is down, the means and their covariance.

    ``place`` holds the logarithms of both standard deviations and the inverse hyperbolic tangent of the correlation.
    """

    place: Numbers
    badness: float
    slope: Numbers
    correlation: float
    means: Numbers
    of_means: Numbers


def two_wave_change(
    before_and_after: Pairs, before_only: Answers, after_only: Answers, *, most_steps: int = 1_000
) -> TwoWaves | None:
    """Mean change between two answers, of all who gave at least one, if answers are missing at random.

    Parameters
    ----------
    before_and_after
        The two answers of each person who gave both.
    before_only, after_only
        The one answer of each person who gave only that.
    most_steps
        Steps of the search after which it is given up.

    Returns
    -------
    TwoWaves or None
        ``change`` (after − before), ``standard_error``, ``correlation`` of the two answers, ``n_people`` with any
        answer. None for fewer than three pairs, where the answers of the pairs have no spread before or after, and
        where they lie on one line (everybody gained the same): then the likelihood has no highest point.

    Raises
    ------
    ParameterError
        If an answer is missing or not finite, or if the search has not settled within ``most_steps``. It never gives
        a number it has not settled on.

    Notes
    -----
    Two means and an unstructured covariance of two normally distributed answers, by restricted maximum likelihood
    (a mixed model for repeated measures, MMRM, of two waves). Right where whether an answer is missing depends on the
    other answer alone ("missing at random"); whether it does cannot be seen in the data. Without single answers the
    change is the mean gain of the pairs and the standard error that of the paired t-test. Takes people as independent.

    The search starts from the variances of all answers and the correlation of the pairs. Its steps are Newton's, turned
    downhill where the likelihood curves the wrong way and halved until the answers become likelier, so that it climbs
    to a highest point from any data with three pairs that do not lie on one line; it ends when a step is 1e-11
    standard errors long. Where a few pairs contradict many single answers there may be more than one such point, and
    this is the one that is reached from the pairs' correlation.

    References
    ----------
    Little & Rubin 2019, Statistical Analysis with Missing Data, ch. 7 and 11; Harville 1977, JASA 72:320; ``gls`` of
    the R package nlme with ``corSymm`` and ``varIdent``.

    Examples
    --------
    Two of the six gave one answer only.

    >>> found = two_wave_change([(1, 2), (2, 4), (3, 3), (4, 6)], [1], [5])
    >>> round(found.change, 3), round(found.standard_error, 3), found.n_people
    (1.35, 0.451, 6)
    """
    import numpy as np

    parts = [np.array(part, dtype=np.float64) for part in (before_and_after, before_only, after_only)]
    missing = sum(int(np.count_nonzero(~np.isfinite(part))) for part in parts)
    if missing:
        raise ParameterError(f"two waves: {missing:,} answers are missing or not finite. Leave them out.")
    pairs, singles = parts[0].reshape(-1, 2), parts[1:]
    if len(pairs) < FEWEST_PAIRS or not np.ptp(pairs, axis=0).all():
        return None
    middle, scale = pairs.mean(axis=0), pairs.std(axis=0)
    summary = _summarise((pairs - middle) / scale, [(one - middle[i]) / scale[i] for i, one in enumerate(singles)])
    if np.linalg.det(summary.products / summary.n) < FLAT:
        return None
    fit = _climb(summary, most_steps)
    means, of_means = middle + scale * fit.means, fit.of_means * np.outer(scale, scale)
    variance = of_means[0, 0] + of_means[1, 1] - 2 * of_means[0, 1]
    n_people = sum(len(part) for part in (pairs, *singles))
    return TwoWaves(float(means[1] - means[0]), math.sqrt(variance), fit.correlation, n_people)


def _summarise(pairs: Numbers, singles: Sequence[Numbers]) -> _Summary:
    """All the likelihood needs of the answers."""
    import numpy as np

    away = pairs - pairs.mean(axis=0)
    single_means = np.array([one.mean() if len(one) else 0.0 for one in singles])
    return _Summary(
        len(pairs),
        pairs.mean(axis=0),
        away.T @ away,
        np.array([float(len(one)) for one in singles]),
        single_means,
        np.array([((one - mean) ** 2).sum() for one, mean in zip(singles, single_means, strict=True)]),
    )


def _climb(summary: _Summary, most_steps: int) -> _Fit:
    """Where the restricted likelihood is highest."""
    fit, last = _fit(summary, _start(summary)), math.inf
    for _ in range(most_steps):
        step, size = _step(summary, fit)
        if size < SETTLED or last <= size < NEAR:
            return fit
        better = _fit(summary, fit.place + step) if size < NEAR else _better(summary, fit, step)
        if better is None:
            break
        fit, last = better, size
    before, after = (int(number) for number in summary.n_single)
    raise ParameterError(
        f"two waves: the likelihood of {summary.n:,} pairs, {before:,} people with an answer before only and {after:,} "
        f"with one after only has not settled within {most_steps:,} steps. Report the pairs alone, or allow more steps."
    )


def _start(summary: _Summary) -> Numbers:
    """The variances of all answers of a wave and the correlation of the pairs, as the search counts them."""
    import numpy as np

    n, single, squares = summary.n, summary.n_single, np.diag(summary.products)
    apart = (summary.means - summary.single_means) ** 2 * n * single / (n + single)
    variances = (squares + summary.single_squares + apart) / (n + single - 1)
    correlation = summary.products[0, 1] / math.sqrt(squares[0] * squares[1])
    return np.array([*np.log(variances) / 2, math.atanh(correlation)])


def _better(summary: _Summary, fit: _Fit, step: Numbers) -> _Fit | None:
    """The next place: the step, halved until it leads to where the answers are likelier."""
    for halving in range(HALVINGS):
        found = _fit(summary, fit.place + step / 2**halving)
        if found.badness < fit.badness:
            return found
    return None


def _step(summary: _Summary, fit: _Fit) -> tuple[Numbers, float]:
    """Newton's step, turned downhill where the likelihood curves the wrong way, and its size in standard errors."""
    import numpy as np

    nudges = np.eye(3) * NUDGE
    curving = np.array([_fit(summary, fit.place + by).slope - _fit(summary, fit.place - by).slope for by in nudges])
    curvatures, axes = np.linalg.eigh((curving + curving.T) / (4 * NUDGE))
    curvatures = np.maximum(np.abs(curvatures), 1e-8 * np.abs(curvatures).max())
    along = axes.T @ fit.slope
    step = -axes @ (along / curvatures)
    size = math.sqrt(float(along @ (along / curvatures)) / 2)
    return step * min(1.0, LONGEST / float(np.abs(step).max() or 1.0)), size


def _fit(summary: _Summary, place: Numbers) -> _Fit:
    """Minus twice the restricted log likelihood at a place of the search, its slope there, and the means."""
    import numpy as np

    n, single, deviations, correlation = summary.n, summary.n_single, np.exp(place[:2]), math.tanh(place[2])
    variances, free = deviations**2, 1 / math.cosh(place[2]) ** 2
    between = correlation * deviations[0] * deviations[1]
    covariance = np.array([[variances[0], between], [between, variances[1]]])
    inverse = np.array([[variances[1], -between], [-between, variances[0]]]) / (variances[0] * variances[1] * free)
    information = n * inverse + np.diag(single / variances)
    of_means = np.linalg.inv(information)
    means = of_means @ (n * inverse @ summary.means + single / variances * summary.single_means)
    away, single_away = summary.means - means, summary.single_means - means
    products = summary.products + n * np.outer(away, away)
    squares = summary.single_squares + single * single_away**2
    badness = (
        2 * (n * place[:2].sum() + single @ place[:2])
        + n * math.log(free)
        + math.log(np.linalg.det(information))
        + np.sum(inverse * products)
        + np.sum(squares / variances)
    )
    # The restricted likelihood adds to each square what is not known of the means.
    products, squares = products + n * of_means, squares + single * np.diag(of_means)
    of_covariance = inverse @ (n * covariance - products) @ inverse
    of_covariance += np.diag((single * variances - squares) / variances**2)
    turned = of_covariance * covariance
    apart = 2 * of_covariance[0, 1] * deviations[0] * deviations[1] * free
    slope = np.array([2 * turned[0].sum(), 2 * turned[1].sum(), apart])
    return _Fit(place, float(badness), slope, correlation, means, of_means)
