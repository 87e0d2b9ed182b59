"""Time until something happens where some are not followed to the end: Kaplan-Meier and cumulative incidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from safeguarding_analytics.errors import ParameterError, numbered, shorten
from safeguarding_analytics.intervals import normal_quantile

NEAR = 1e-12
"""Nearer than this to 0 or 1, a share is 0 or 1 and has no log-log interval."""


class CurvePoint(NamedTuple):
    """A curve at one time: how many are still followed just before it, the share, its standard error, its interval."""

    time: float
    at_risk: int
    estimate: float | None
    standard_error: float | None
    lower: float | None
    upper: float | None


class _Steps(NamedTuple):
    """The distinct times at which something happened: how many were followed just before, and how many it was."""

    times: NDArray[np.float64]
    at_risk: NDArray[np.float64]
    events: NDArray[np.float64]
    survival: NDArray[np.float64]
    survival_before: NDArray[np.float64]

    def up_to(self, time: float) -> int:
        """The number of these times that are not later than a time."""
        return int(np.searchsorted(self.times, time, side="right"))


def kaplan_meier(
    times: Sequence[float] | NDArray[Any],
    events: Sequence[int] | NDArray[Any],
    at: Sequence[float] | NDArray[Any],
    confidence: float = 0.95,
) -> list[CurvePoint]:
    """Share to whom it has not happened by given times, were all followed: the Kaplan-Meier estimate.

    Parameters
    ----------
    times
        How long each was followed, 0 or more, in any unit.
    events
        Whether it happened at the end of that time: 1 (or true) for yes, 0 for no longer followed.
    at
        The times to give the share for, in the unit of `times`.
    confidence
        Of the interval, between 0 and 1.

    Returns
    -------
    list[CurvePoint]
        One per time in `at`, in that order: time, at_risk (those followed up to that time or longer, so events at that
        very time are still among them), estimate (0 to 1; events at that very time have happened), standard_error,
        lower and upper.

        None: all of it where nobody was followed; estimates after the longest time, unless it had happened to all; the
        interval where the share is 1 or 0, as R gives it; the standard error where the share is 0.

    Raises
    ------
    ParameterError
        `times` and `events` are not equally many; a time is missing, negative or endless; an event is neither 0 nor 1;
        `confidence` is not between 0 and 1.

    Notes
    -----
    S(t) is the product of 1 − d/n over the times up to t at which it happened: to d of the n still followed. Who stops
    being followed on the day of an event counts as followed on that day. Greenwood's variance is S² v with
    v = Σ d / (n (n − d)), and the interval exp(−exp(ln(−ln S) ± z √v / |ln S|)), log-log in R. R's default, the log
    interval, is another one and may pass 1.

    Those no longer followed are taken to be like the others. Where some can no longer have the event, since they died
    or moved away, 1 − S says more than happens: see `cumulative_incidence`. Takes those followed as independent.

    References
    ----------
    Kaplan & Meier 1958, JASA 53:457; Greenwood 1926; Kalbfleisch & Prentice 1980, The Statistical Analysis of Failure
    Time Data, p. 15 (log-log); as R's survival::survfit with conf.type "log-log".

    Examples
    --------
    It happened to one of four after 2, to one of the two then left after 5; one was followed until 3.

    >>> [point] = kaplan_meier([2, 3, 5, 8], [1, 0, 1, 0], at=[6])
    >>> point.at_risk, point.estimate
    (1, 0.375)
    """
    z = normal_quantile(confidence)
    longest, happened, asked = _checked(times, events, at, most=1)
    steps = _steps_of(longest, happened)
    with np.errstate(divide="ignore"):  # at the last step of a curve that reaches 0; not used there
        variance = np.cumsum(steps.events / (steps.at_risk * (steps.at_risk - steps.events)))
    points = []
    for time in asked:
        known, done = _is_known(longest, steps, time), steps.up_to(time)
        survival = float(steps.survival[done - 1]) if done else 1.0
        error = survival * math.sqrt(variance[done - 1]) if done and survival else 0.0
        points.append(
            CurvePoint(
                time,
                int((longest >= time).sum()),
                survival if known else None,
                error if known and survival else None,
                *(_log_log(survival, error, z) if known else (None, None)),
            )
        )
    return points


def cumulative_incidence(
    times: Sequence[float] | NDArray[Any],
    causes: Sequence[int] | NDArray[Any],
    at: Sequence[float] | NDArray[Any],
    confidence: float = 0.95,
    *,
    kinds: int | None = None,
) -> dict[int, list[CurvePoint]]:
    """Share to whom each of several things has happened first by given times: the Aalen-Johansen estimate.

    Parameters
    ----------
    times
        How long each was followed, 0 or more, in any unit.
    causes
        What happened at the end of that time: 1, 2, … for what it was, 0 for no longer followed.
    at
        The times to give the shares for, in the unit of `times`.
    confidence
        Of the interval, between 0 and 1.
    kinds
        How many causes there are, so that one that happened to nobody has a share of 0; None for the largest found.

    Returns
    -------
    dict[int, list[CurvePoint]]
        For every cause from 1 on, what `kaplan_meier` gives, but of the share to whom it has
        happened. None: all of it where nobody was followed; estimates after the longest time, unless something had
        happened to all; the interval where the share is 0 or 1.

    Raises
    ------
    ParameterError
        As `kaplan_meier`; a cause is no whole number from 0 to `kinds`.

    Notes
    -----
    F₁(t) is the sum of S(before) × d₁/n over the times up to t: d₁ of the n still followed had it, and S is the share
    to whom nothing had happened. The shares of all causes and that of nothing add up to 1, which 1 − Kaplan-Meier of
    each cause by itself does not: it takes those to whom something else happened as if it might still happen to them.

    The variance is the Greenwood-type one, the sum over these times, with D = F₁(t) − F₁(then), of
    D² d / (n (n − d)) + S² d₁ (n − d₁) / n³ − 2 D S d₁ / n². It equals the infinitesimal jackknife of R's multi-state
    survival::survfit. The interval is 1 − (1 − F)^exp(± z × standard error / ((1 − F) |ln(1 − F)|)), complementary
    log-log, so that with a single cause it is that of `kaplan_meier`. R's conf.type "log-log" takes F where this takes
    1 − F, and so has other ends.

    References
    ----------
    Aalen & Johansen 1978, Scandinavian J. Statistics 5:141; Allignol, Schumacher & Beyersmann 2010, Biometrical Journal
    52:126 (variance); Beyersmann, Allignol & Schumacher 2012, Competing Risks and Multistate Models with R, ch. 4
    (interval).

    Examples
    --------
    Of four, one had a further plan after 2 months and one died after 3; 1 − Kaplan-Meier would say 0.625.

    >>> shares = cumulative_incidence([2, 3, 5, 8], [1, 2, 1, 0], at=[6])
    >>> shares[1][0].estimate, shares[2][0].estimate
    (0.5, 0.25)
    """
    z = normal_quantile(confidence)
    longest, cause_of, asked = _checked(times, causes, at, kinds)
    steps = _steps_of(longest, cause_of)
    return {
        cause: _incidence(longest, steps, _count_at(steps.times, longest[cause_of == cause]), asked, z)
        for cause in range(1, (int(cause_of.max(initial=0)) if kinds is None else kinds) + 1)
    }


def _incidence(
    longest: NDArray[np.float64], steps: _Steps, events: NDArray[np.float64], asked: Sequence[float], z: float
) -> list[CurvePoint]:
    """The points of one cause, of which there were so many events at each step."""
    incidence = np.cumsum(steps.survival_before * events / np.maximum(steps.at_risk, 1))
    points = []
    for time in asked:
        known, done = _is_known(longest, steps, time), steps.up_to(time)
        share = min(1.0, float(incidence[done - 1])) if done else 0.0
        error = _greenwood_type(steps, events, incidence, done)
        lower, upper = _log_log(1 - share, error, z)
        interval = (None, None) if lower is None or upper is None or not known else (1 - upper, 1 - lower)
        at_risk = int((longest >= time).sum())
        points.append(CurvePoint(time, at_risk, share if known else None, error if known else None, *interval))
    return points


def _greenwood_type(steps: _Steps, events: NDArray[np.float64], incidence: NDArray[np.float64], done: int) -> float:
    """Standard error of an incidence after so many steps; see the Notes of `cumulative_incidence`."""
    if not done:
        return 0.0
    n, d, own, before = steps.at_risk[:done], steps.events[:done], events[:done], steps.survival_before[:done]
    further = incidence[done - 1] - incidence[:done]
    survivors = np.maximum(n - d, 1)  # without survivors nothing happens any more: further is 0
    terms = further**2 * d / (n * survivors) + before**2 * own * (n - own) / n**3 - 2 * further * before * own / n**2
    return math.sqrt(max(0.0, float(terms.sum())))


def _log_log(survival: float, error: float, z: float) -> tuple[float | None, float | None]:
    """Ends of the log-log interval of a share to whom it has not happened; none where that is 0 or 1."""
    if not NEAR < survival < 1 - NEAR:
        return None, None
    middle, spread = math.log(-math.log(survival)), z * error / (survival * -math.log(survival))
    return math.exp(-math.exp(middle + spread)), math.exp(-math.exp(middle - spread))


def _is_known(longest: NDArray[np.float64], steps: _Steps, time: float) -> bool:
    """Whether somebody was followed so long, or something had happened to all."""
    if not longest.size:
        return False
    return bool(time <= longest.max()) or bool(steps.survival.size and steps.survival[-1] == 0)


def _steps_of(longest: NDArray[np.float64], cause_of: NDArray[np.int64]) -> _Steps:
    times = np.unique(longest[cause_of > 0])
    at_risk = (longest.size - np.searchsorted(np.sort(longest), times, side="left")).astype(np.float64)
    events = _count_at(times, longest[cause_of > 0])
    survival = np.cumprod((at_risk - events) / np.maximum(at_risk, 1)).astype(np.float64)
    return _Steps(times, at_risk, events, survival, np.concatenate([np.ones(1), survival])[: times.size])


def _count_at(times: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """How often each of the sorted times is found."""
    return np.bincount(np.searchsorted(times, found), minlength=times.size).astype(np.float64)


def _checked(
    times: Sequence[float] | NDArray[Any],
    causes: Sequence[int] | NDArray[Any],
    at: Sequence[float] | NDArray[Any],
    most: int | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64], list[float]]:
    """Times and causes as arrays, the times asked for as numbers, or a message with all that is wrong with them."""
    longest, found, asked = _numbers(times, "times"), _numbers(causes, "events"), _numbers(at, "at")
    problems = [*_time_problems(longest, "times"), *_time_problems(asked, "at")]
    if longest.size != found.size:
        problems.append(
            f"there are {numbered(longest.size, 'time')} and {numbered(found.size, 'event')}. Give one for each."
        )
    whole = np.isfinite(found) & (found >= 0) & (found == np.floor(found))
    wrong = ~whole if most is None else ~(whole & (found <= most))
    if wrong.any():
        further = {None: ", 1, 2, …", 1: " or 1 (it happened)"}.get(most, f" to {most} (what happened)")
        problems.append(
            f"{numbered(int(wrong.sum()), 'event')} not allowed: {_places(wrong)}. "
            f"Allowed: 0 (no longer followed){further}."
        )
    if problems:
        raise ParameterError(" ".join(problems))
    return longest, found.astype(np.int64), asked.tolist()


def _numbers(values: Sequence[float] | NDArray[Any], name: str) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{name}: numbers are needed, one for each. Parse them before.") from error
    if numbers.ndim != 1:
        raise ParameterError(f"{name}: one list of numbers is needed. Found: {numbers.ndim} dimensions.")
    return numbers


def _time_problems(times: NDArray[np.float64], name: str) -> list[str]:
    missing, negative = ~np.isfinite(times), np.isfinite(times) & (times < 0)
    return [
        f"{name}: {int(wrong.sum()):,} of {times.size:,} {what}: {_places(wrong)}. {step}"
        for wrong, what, step in (
            (missing, "missing or endless", "Leave them out and say so, or complete them."),
            (negative, "below 0", "A time counts from the start on: look at the dates it comes from."),
        )
        if wrong.any()
    ]


def _places(wrong: NDArray[np.bool_]) -> str:
    places = (np.flatnonzero(wrong) + 1).tolist()
    return f"{'place' if len(places) == 1 else 'places'} {shorten(places)}"
