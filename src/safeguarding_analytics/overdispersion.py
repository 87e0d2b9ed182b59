"""Funnels: limits within which figures of areas of all sizes lie, if they differ by chance and a little more.

The little more is Spiegelhalter's additive model: areas have true values of their own, which vary about the average
with the variance τ² on a scale on which chance is even. Without it, large areas nearly all fall outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from safeguarding_analytics.errors import ParameterError, TableError, numbered, shorten
from safeguarding_analytics.intervals import normal_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

Scale = Literal["arcsine", "square_root", "log"]
Trim = Literal["winsorise", "truncate"]
SCALES: tuple[Scale, ...] = ("arcsine", "square_root", "log")
TRIMS: tuple[Trim, ...] = ("winsorise", "truncate")


class Dispersion(NamedTuple):
    """How far areas lie apart, and how far chance alone would set them apart.

    ``values``, ``standard_errors`` and ``z`` are those of the areas on the scale, in their order; ``kept`` are the
    z-scores of which φ is the mean square, drawn in at both ends or without those cut off. φ (``phi``) is 1 where
    chance is all there is. τ² (``tau2``) is the variance between areas that chance does not explain, on the scale.
    """

    scale: Scale
    average: float
    values: Numbers
    standard_errors: Numbers
    z: Numbers
    kept: Numbers
    phi: float
    tau2: float


class Limits(NamedTuple):
    """Lower and upper limits, in the order of the sizes they are for."""

    lower: Numbers
    upper: Numbers


def dispersion(
    observed: Sequence[float | None],
    size: Sequence[float | None],
    *,
    scale: Scale,
    trim: Trim = "winsorise",
    share: float = 0.1,
    names: Sequence[str] = (),
) -> Dispersion:
    """How much further areas lie apart than chance would set them: φ and τ² of the additive model.

    Parameters
    ----------
    observed
        Number of events of each area, 0 or more.
    size
        With the scale ``"arcsine"`` the number of which they are a part; with the others the number of events that
        was expected. Above 0.
    scale
        ``"arcsine"`` for shares: asin √(x/n), whose standard error is 1/(2√n). For ratios of observed to expected
        events ``"square_root"`` (Care Quality Commission): √(o/e), 1/(2√e); or ``"log"`` (Summary Hospital-level
        Mortality Indicator, SHMI): ln(o/e), 1/√e, which an area without events has no place on.
    trim
        What is done so that a few far areas do not set the limits for all: ``"winsorise"`` draws z-scores beyond the
        quantiles in to them, ``"truncate"`` leaves out the first and the last of 1/share groups of equal size, as
        SHMI does.
    share
        How much at each end, from 0 to below one half. 0 leaves all as they are.
    names
        Of the areas, for messages; where none are given their places are named.

    Returns
    -------
    Dispersion
        With the average: Σx/Σn of shares, 1 of ratios. Of fewer than two areas τ² is 0.

    Raises
    ------
    TableError
        An area has no number, or one that cannot be; every one is named.
    ParameterError
        The scale, the trimming or its share is not known, or the lists differ in length.

    Notes
    -----
    z = (Y − centre) / s; φ = Σz²/N of the kept z-scores; w = 1/s²; τ² = (Nφ − (N − 1)) / (Σw − Σw²/Σw), or 0 where
    that is negative. Quantiles are of type 7, as R and spreadsheets have them.

    References
    ----------
    Spiegelhalter 2005, Quality and Safety in Health Care 14:347; Spiegelhalter et al. 2012, Journal of the Royal
    Statistical Society A 175:1; NHS Digital, SHMI specification.

    Examples
    --------
    Six areas, as in the tests of FunnelPlotR:

    >>> found = dispersion([100, 150, 180, 80, 120, 225], [108, 112, 165, 95, 100, 220], scale="log", trim="truncate")
    >>> round(found.phi, 6), round(found.tau2, 7)
    (2.948033, 0.0194775)
    """
    import numpy as np

    _check_choices(scale, trim, share)
    x, n = _checked(observed, size, scale, names)
    average = float(x.sum() / n.sum()) if scale == "arcsine" and len(n) else 1.0
    values = _onto(x / n, scale)
    standard_errors = _standard_errors(n, scale)
    z = (values - _onto(np.asarray(average), scale)) / standard_errors
    chosen = np.ones(len(z), dtype=bool) if trim == "winsorise" else _middle(z, share)
    kept = _winsorised(z, share) if trim == "winsorise" else z[chosen]
    phi = float(np.mean(kept**2)) if len(kept) else 0.0
    tau2 = _variance_between(phi, standard_errors[chosen])
    return Dispersion(scale, average, values, standard_errors, z, kept, phi, tau2)


def funnel_limits(
    size: Sequence[float], *, scale: Scale, average: float = 1.0, tau2: float = 0.0, confidence: float = 0.95
) -> Limits:
    """Limits of a funnel on its own scale: of chance alone, or with the variance between areas.

    Parameters
    ----------
    size
        What areas were measured on, as in `dispersion`. Above 0.
    scale
        As in `dispersion`.
    average
        Of all areas: a share, or 1 for ratios.
    tau2
        Variance between areas, of `dispersion`; 0 for chance alone.
    confidence
        Such as 0.95 or 0.998.

    Returns
    -------
    Limits
        As shares or ratios, turned back from the scale. The larger the size, the nearer they are.

    Notes
    -----
    On the scale centre ± z√(s² + τ²). Ends beyond the scale (a root below 0, an angle beyond a right angle) are taken
    to its end, without which limits of small sizes would turn back. FunnelPlotR 0.6.0 leaves limits on the square-root
    scale as they are and compares ratios with them; here they are squared.

    Examples
    --------
    >>> limits = funnel_limits([112], scale="square_root", tau2=0.00440598, confidence=0.998)
    >>> round(float(limits.upper[0]), 3)
    1.567
    """
    import numpy as np

    _check_choices(scale, "winsorise", 0.0)
    spread = normal_quantile(confidence) * np.sqrt(_standard_errors(np.asarray(size, np.float64), scale) ** 2 + tau2)
    centre = _onto(np.asarray(average, np.float64), scale)
    return Limits(_back(centre - spread, scale), _back(centre + spread, scale))


def proportion_limits(size: Sequence[float], average: float, *, confidence: float = 0.95) -> Limits:
    """Limits of shares by chance alone: where the score test of the average, and so Wilson's interval, just turns.

    Parameters
    ----------
    size
        Number of which each share is. Above 0.
    average
        The share of all, 0 to 1.
    confidence
        Such as 0.95 or 0.998.

    Returns
    -------
    Limits
        average ± z√(average (1 − average) / n), within 0 to 1.

    References
    ----------
    PHE/OHID technical guidance "Commonly used public health statistics and their confidence intervals"; funnels of
    PHEindicatormethods.

    Examples
    --------
    >>> [round(float(end[0]), 4) for end in proportion_limits([100], 0.5)]
    [0.402, 0.598]
    """
    import numpy as np

    spread = normal_quantile(confidence) * np.sqrt(average * (1 - average) / np.asarray(size, np.float64))
    return Limits(np.clip(average - spread, 0.0, 1.0), np.clip(average + spread, 0.0, 1.0))


def poisson_intervals(expected: Sequence[float], *, confidence: float = 0.95) -> Limits:
    """Exact interval of a count of as many events as were expected, as a ratio to them: FunnelPlotR's plain limits.

    Parameters
    ----------
    expected
        Events expected. Above 0.
    confidence
        Such as 0.95 or 0.998.

    Returns
    -------
    Limits
        Ratios: half the chi-squared quantiles with 2e and 2(e + 1) degrees of freedom, over e.

    Notes
    -----
    An interval about the expected number is not the same as the numbers that chance would allow: those are
    `poisson_limits`.

    Examples
    --------
    >>> [round(float(end[0]), 6) for end in poisson_intervals([15])]
    [0.559692, 1.649348]
    """
    import numpy as np
    from scipy.special import gammaincinv

    e, tail = np.asarray(expected, np.float64), _tail(confidence)
    return Limits(gammaincinv(e, tail) / e, gammaincinv(e + 1, 1 - tail) / e)


def poisson_limits(expected: Sequence[float], *, confidence: float = 0.95) -> Limits:
    """Limits of counts by chance alone, as ratios to the expected number: where an exact interval just touches it.

    Parameters
    ----------
    expected
        Events expected. Above 0.
    confidence
        Such as 0.95 or 0.998.

    Returns
    -------
    Limits
        Ratios. An area beyond them is one whose exact Poisson interval does not hold the expected number, so that
        funnel and interval never contradict each other. The lower limit is 0 where even no event is no surprise; the
        upper one is never below one event.

    References
    ----------
    PHE/OHID technical guidance, funnels of rates: for each number of events the population at which its limit touches
    the average.

    Examples
    --------
    An upper limit of 10.0758 events where 3 are expected: half the chi-squared quantile of 0.001 with 2 × 10.0758
    degrees of freedom is 3.

    >>> [round(float(end[0] * 3), 4) for end in poisson_limits([3], confidence=0.998)]
    [0.0, 10.0758]
    """
    import numpy as np
    from scipy.special import pdtrik

    e, tail = np.asarray(expected, np.float64), _tail(confidence)
    return Limits(np.clip(pdtrik(tail, e), 0.0, None) / e, (pdtrik(1 - tail, e) + 1) / e)


def _tail(confidence: float) -> float:
    """What lies beyond either limit; refuses a confidence that is none."""
    normal_quantile(confidence)
    return (1 - confidence) / 2


def _check_choices(scale: str, trim: str, share: float) -> None:
    wrong = [
        f"{name} must be one of {', '.join(allowed)}. Found: {found}."
        for name, found, allowed in (("scale", scale, SCALES), ("trim", trim, TRIMS))
        if found not in allowed
    ]
    if not 0 <= share < 0.5:
        wrong.append(f"share is the part trimmed at each end, from 0 to below 0.5, such as 0.1. Found: {share}.")
    if wrong:
        raise ParameterError("\n".join(wrong))


def _checked(
    observed: Sequence[float | None], size: Sequence[float | None], scale: Scale, names: Sequence[str]
) -> tuple[Numbers, Numbers]:
    """Both lists as numbers; every area that has none, or one that cannot be, is refused by name."""
    import numpy as np

    if len(observed) != len(size) or (names and len(names) != len(size)):
        raise ParameterError(
            "observed, size and names have an entry per area. "
            f"Found: {len(observed)} observed, {len(size)} sizes, {len(names)} names."
        )
    x, n = np.asarray(observed, np.float64), np.asarray(size, np.float64)  # None becomes not-a-number
    within = "the number they are a part of" if scale == "arcsine" else "the expected number"
    problems = {
        "no number of events": ~np.isfinite(x),
        f"no number above 0 for {within}": ~(np.isfinite(n) & (n > 0)),
        "a negative number of events": x < 0,
    }
    if scale == "arcsine":
        problems["more events than there are"] = (x > n) & (n > 0)
    elif scale == "log":
        problems["no events, which have no logarithm (use the scale square_root)"] = x == 0
    found = [
        f"{numbered(int(wrong.sum()), 'area')} of {len(x):,} with {what}: "
        + shorten([names[place] if names else f"place {place + 1}" for place in np.flatnonzero(wrong).tolist()])
        for what, wrong in problems.items()
        if wrong.any()
    ]
    if found:
        raise TableError(". ".join(found) + ". Correct them, or leave these areas out and say so.")
    return x, n


def _onto(value: Numbers, scale: Scale) -> Numbers:
    """Shares or ratios on their scale."""
    import numpy as np

    scaled = np.log(value) if scale == "log" else np.sqrt(value)
    return np.arcsin(scaled) if scale == "arcsine" else scaled


def _back(value: Numbers, scale: Scale) -> Numbers:
    """The same turned back, with what lies beyond the scale taken to its end."""
    import numpy as np

    if scale == "log":
        return np.exp(value)
    if scale == "square_root":
        return np.clip(value, 0.0, None) ** 2
    return np.sin(np.clip(value, 0.0, np.pi / 2)) ** 2


def _standard_errors(size: Numbers, scale: Scale) -> Numbers:
    """Of chance alone, on the scale."""
    import numpy as np

    root = np.sqrt(size)
    return 1 / root if scale == "log" else 1 / (2 * root)


def _winsorised(z: Numbers, share: float) -> Numbers:
    """The z-scores, those beyond the quantiles drawn in to them."""
    import numpy as np

    return np.clip(z, *np.quantile(z, [share, 1 - share])) if len(z) else z


def _middle(z: Numbers, share: float) -> NDArray[np.bool_]:
    """Which z-scores are in neither the first nor the last of 1/share groups of equal size (SAS PROC RANK)."""
    import numpy as np
    from scipy.stats import rankdata

    if share == 0:
        return np.ones(len(z), dtype=bool)
    # Rounded, since a rank at the edge of a group may fall short of it in the last digit.
    groups = np.floor(np.round(rankdata(z) / (share * (len(z) + 1)), 9))
    last = np.ceil(np.round(1 / share, 9)) - 1
    chosen: NDArray[np.bool_] = (groups > 0) & (groups < last)
    return chosen


def _variance_between(phi: float, standard_errors: Numbers) -> float:
    """τ², by moments; 0 where the areas lie no further apart than chance would set them."""
    count = len(standard_errors)
    if count < 2:
        return 0.0
    weights = standard_errors**-2
    room = float(weights.sum() - (weights**2).sum() / weights.sum())
    return max(0.0, (count * phi - (count - 1)) / room)
