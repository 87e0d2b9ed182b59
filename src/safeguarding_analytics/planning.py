"""Before the workshops: the smallest gain a design can see, and what a report of a given day can claim."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from itertools import product
from math import isfinite, sqrt
from typing import Any

import polars as pl

from safeguarding_analytics.errors import ParameterError, shorten
from safeguarding_analytics.paired import FEWEST_PAIRS

NOTHING = "nothing"
LEARNING = "reaction and learning"
RETENTION = "reaction, learning and retention"
"""What questionnaires can show by the day of a report: before the first session, after it, after every follow-up."""

GAINS_TO_A_DEVIATION = 1_000_000
"""A smaller part of the standard deviation of the gains is not looked for."""

MOST_WEEKS = 520
"""To follow-up: ten years."""

LAST_YEAR = 9000
"""Days that stand for "not known", such as 9999-12-31, are no days of a timetable."""

DESIGNS = {
    "sessions": pl.Int64,
    "answer_both_times": pl.Float64,
    "icc": pl.Float64,
    "pairs": pl.Int64,
    "design_effect": pl.Float64,
    "smallest_gain": pl.Float64,
}
TIMETABLE = {
    "report_date": pl.Date,
    "sessions_held": pl.Int64,
    "sessions_after": pl.Int64,
    "last_session": pl.Date,
    "days_after_last_session": pl.Int64,
    "follow_up": pl.String,
    "first_follow_up": pl.Date,
    "last_follow_up": pl.Date,
    "follow_up_over": pl.Date,
    "follow_up_begun": pl.Int64,
    "follow_up_ended": pl.Int64,
    "can_claim": pl.String,
}


def design_effect(pairs_per_session: float, icc: float) -> float:
    """How many times more people are needed because people of one session answer alike.

    Parameters
    ----------
    pairs_per_session
        People of a session who answer before and after, on average.
    icc
        Intraclass correlation of the gains: the share of their variance that lies between sessions, 0 to below 1.

    Returns
    -------
    float
        1 + (pairs_per_session − 1) × icc; 1 where a session has one person or fewer.

    Examples
    --------
    >>> round(design_effect(50, 0.05), 2)
    3.45
    """
    return 1 + max(pairs_per_session - 1, 0.0) * icc


def smallest_gain(
    sessions: int,
    pairs_per_session: float,
    sd_gain: float,
    icc: float = 0.05,
    *,
    power: float = 0.8,
    confidence: float = 0.95,
) -> float | None:
    """The smallest true mean gain that an evaluation of this size would most likely tell from none.

    Parameters
    ----------
    sessions
        Sessions to be held.
    pairs_per_session
        People of a session who answer before and after, on average.
    sd_gain
        Standard deviation of the gains of single people, such as that of an earlier course; 1 gives the result in
        standard deviations.
    icc
        Intraclass correlation of the gains: the share of their variance that lies between sessions, 0 to below 1.
        Of one session it is not used.
    power
        Share of such programmes in which a gain of this size is seen, from 0.5 to below 1.
    confidence
        Of the interval, from 0.5 to below 1.

    Returns
    -------
    float | None
        In the unit of `sd_gain`; None where there would be fewer than 10 pairs, because the evaluation then gives no
        interval.

    Raises
    ------
    ParameterError
        When a number is out of its range, all of them at once.

    Notes
    -----
    A gain is seen where the interval of the mean, clustered by session with Student's t on K − 1 degrees of freedom,
    lies wholly above 0. The result is δ × sd_gain × √(design effect ÷ pairs), where δ is the noncentrality at which the
    noncentral t exceeds the quantile of t with the wanted power. The usual sum of two quantiles of t agrees with δ to
    0.1% from 12 sessions on, and is too small below: by 5% with 3 sessions, by 14% with 2.

    One session: the people are taken as independent, with n − 1 degrees of freedom. How far sessions differ is then
    unknown, and what is seen holds of that session alone. Sessions of different sizes see somewhat less.

    References
    ----------
    Cohen 1988, Statistical Power Analysis, ch. 2 (noncentral t); Donner & Klar 2000, Design and Analysis of Cluster
    Randomization Trials, ch. 5 (design effect).

    Examples
    --------
    >>> round(smallest_gain(24, 30, sd_gain=1), 2), round(smallest_gain(1, 30, sd_gain=1), 2)
    (0.17, 0.53)
    """
    _check(
        sessions=[sessions],
        pairs_per_session=[pairs_per_session],
        sd_gain=[sd_gain],
        icc=[icc],
        power=[power],
        confidence=[confidence],
    )
    pairs = sessions * pairs_per_session
    if pairs < FEWEST_PAIRS:
        return None
    effect = design_effect(pairs_per_session, icc) if sessions > 1 else 1.0
    freedom = sessions - 1 if sessions > 1 else pairs - 1
    return _noncentrality(freedom, power, confidence) * sd_gain * sqrt(effect / pairs)


def sessions_needed(
    gain: float,
    pairs_per_session: float,
    sd_gain: float,
    icc: float = 0.05,
    *,
    power: float = 0.8,
    confidence: float = 0.95,
) -> int:
    """How many sessions it takes to see a gain.

    Parameters
    ----------
    gain
        The true mean gain that is to be seen, in the unit of `sd_gain`.
    pairs_per_session, sd_gain, icc, power, confidence
        As for `smallest_gain`.

    Returns
    -------
    int
        The fewest sessions, 2 or more, whose smallest gain is `gain` or less.

    Raises
    ------
    ParameterError
        When a number is out of its range, all of them at once.

    Examples
    --------
    >>> sessions_needed(0.17, 30, sd_gain=1)
    25
    """
    _check(gain=[gain], pairs_per_session=[pairs_per_session], sd_gain=[sd_gain])
    if gain * GAINS_TO_A_DEVIATION < sd_gain:
        raise ParameterError(f"gain must be at least a millionth of sd_gain, {sd_gain:g}. Found: {gain:g}.")

    def enough(sessions: int) -> bool:
        seen = smallest_gain(sessions, pairs_per_session, sd_gain, icc, power=power, confidence=confidence)
        return seen is not None and seen <= gain

    too_few, many = 1, 2
    while not enough(many):
        too_few, many = many, 2 * many
    while many - too_few > 1:
        middle = (too_few + many) // 2
        too_few, many = (too_few, middle) if enough(middle) else (middle, many)
    return many


def design_table(
    sessions: Sequence[int],
    places_per_session: float,
    answer_both_times: Sequence[float] = (0.4, 0.6, 0.8, 1.0),
    icc: Sequence[float] = (0.02, 0.05, 0.1),
    *,
    sd_gain: float = 1.0,
    power: float = 0.8,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """What several designs could see: numbers of sessions, shares who answer both times, likeness within sessions.

    Parameters
    ----------
    sessions
        Numbers of sessions to compare.
    places_per_session
        Places of a session, on average.
    answer_both_times
        Shares of the places whose holders answer before and after, above 0 and up to 1.
    icc
        Intraclass correlations of the gains. Nobody knows that of a course beforehand.
    sd_gain, power, confidence
        As for `smallest_gain`; without `sd_gain` the result is in standard deviations of the gain.

    Returns
    -------
    pl.DataFrame
        One row per design, sorted: sessions, answer_both_times, icc, pairs (people who answer both times, all
        sessions), design_effect (1 for a single session), smallest_gain (in the unit of `sd_gain`; null where there are
        fewer than 10 pairs). Of no people, so nothing to suppress.

    Raises
    ------
    ParameterError
        When a number is out of its range.

    Examples
    --------
    >>> row = design_table([24], 50, [0.6], [0.05]).row(0)
    >>> row[:4], round(row[4], 2), round(row[5], 2)
    ((24, 0.6, 0.05, 720), 2.45, 0.17)
    """
    _check(
        sessions=sessions,
        places_per_session=[places_per_session],
        answer_both_times=answer_both_times,
        icc=icc,
        sd_gain=[sd_gain],
        power=[power],
        confidence=[confidence],
    )
    rows = []
    for number, share, likeness in product(sorted(set(sessions)), sorted(set(answer_both_times)), sorted(set(icc))):
        people = places_per_session * share
        seen = smallest_gain(number, people, sd_gain, likeness, power=power, confidence=confidence)
        effect = design_effect(people, likeness) if number > 1 else 1.0
        rows.append((number, share, likeness, round(number * people), effect, seen))
    return pl.DataFrame(rows, schema=DESIGNS, orient="row")


def evaluation_timetable(
    session_dates: Iterable[date], report_dates: Iterable[date], follow_up_weeks: Sequence[int] = (6, 12)
) -> pl.DataFrame:
    """What each report can claim, by what was held and followed up before it.

    Parameters
    ----------
    session_dates
        Day of every session, held or planned; a day with two sessions stands twice.
    report_dates
        Days on which reports are due; a day counts once.
    follow_up_weeks
        Fewest and most weeks from a session to its follow-up.

    Returns
    -------
    pl.DataFrame
        One row per report date, sorted: report_date; sessions_held (on that day or before), sessions_after;
        last_session (before it), days_after_last_session; follow_up (its weeks, in words), first_follow_up,
        last_follow_up (the earliest day of follow-up of the first and of the last of all sessions), follow_up_over (its
        latest day of all); follow_up_begun, follow_up_ended (sessions whose earliest and whose latest day of follow-up
        the report reaches); can_claim. Null: last_session and days_after_last_session where no session was held by
        then. Of no people, so nothing to suppress.

    Raises
    ------
    ParameterError
        When there is no session, a day is none, or the weeks are not two whole numbers, the smaller first.

    Notes
    -----
    A questionnaire given on the day shows reaction and learning. Retention is claimed of the sessions whose follow-up
    is over: before that, only those who answered early have answered. Practice and outcomes, the third and fourth level
    of Kirkpatrick, need more than questionnaires, so no row claims them. Whether people were asked at follow-up, and
    answered, the dates do not show.

    References
    ----------
    Kent Safeguarding Children Board, workshop plan of 2011: workshops until 28 June, reports due 1 July and 15 July.

    Examples
    --------
    >>> from datetime import date
    >>> timetable = evaluation_timetable([date(2011, 5, 10), date(2011, 6, 28)], [date(2011, 7, 1)])
    >>> timetable.select("days_after_last_session", "follow_up_begun", "follow_up_ended", "can_claim").row(0)
    (3, 1, 0, 'reaction and learning')
    """
    days, reports = list(session_dates), list(report_dates)
    _check_timetable(days, reports, follow_up_weeks)
    days.sort()
    earliest, latest = (timedelta(weeks=number) for number in follow_up_weeks)
    follow_up = f"{follow_up_weeks[0]} to {follow_up_weeks[1]} weeks after a session"
    ends = (follow_up, days[0] + earliest, days[-1] + earliest, days[-1] + latest)
    rows = []
    for day in sorted(set(reports)):
        held, begun, ended = (bisect_right(days, day - after) for after in (timedelta(0), earliest, latest))
        last = days[held - 1] if held else None
        since = (day - last).days if last else None
        rows.append((day, held, len(days) - held, last, since, *ends, begun, ended, _claim(held, ended, len(days))))
    return pl.DataFrame(rows, schema=TIMETABLE, orient="row")


def _claim(held: int, followed_up: int, planned: int) -> str:
    if not held:
        return NOTHING
    if not followed_up:
        return LEARNING
    return RETENTION if followed_up == planned else f"{RETENTION} for {followed_up:,} of {planned:,} sessions"


def _noncentrality(freedom: float, power: float, confidence: float) -> float:
    """The noncentrality at which Student's t exceeds its two-sided quantile with this power, by bisection."""
    from scipy.special import nctdtr, stdtrit

    quantile = float(stdtrit(freedom, 0.5 + confidence / 2))
    low, high = 0.0, 2 * quantile
    while nctdtr(freedom, high, quantile) > 1 - power:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if nctdtr(freedom, middle, quantile) > 1 - power else (low, middle)
    return high


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


_WANTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "sessions": (_is_whole, "a whole number of 1 or more"),
    "pairs_per_session": (lambda value: _is_number(value) and value > 0, "a number above 0"),
    "places_per_session": (lambda value: _is_number(value) and value > 0, "a number above 0"),
    "answer_both_times": (lambda value: _is_number(value) and 0 < value <= 1, "a share above 0 and up to 1"),
    "gain": (lambda value: _is_number(value) and value > 0, "a number above 0"),
    "sd_gain": (lambda value: _is_number(value) and value > 0, "a number above 0"),
    "icc": (lambda value: _is_number(value) and 0 <= value < 1, "a number from 0 to below 1"),
    "power": (lambda value: _is_number(value) and 0.5 <= value <= 0.99, "a share from 0.5 to 0.99"),
    "confidence": (lambda value: _is_number(value) and 0.5 <= value <= 0.999, "a share from 0.5 to 0.999"),
}
"""What the numbers of a design may be."""


def _check(**given: Sequence[float]) -> None:
    """Refuse numbers that no design can have, all of them at once."""
    wrong = [
        f"{name} must be {wanted}. Found: {value}."
        for name, values in given.items()
        for fits, wanted in [_WANTED[name]]
        for value in values
        if not fits(value)
    ]
    if wrong:
        raise ParameterError("\n".join(wrong))


def _check_timetable(days: list[date], reports: list[date], weeks: Sequence[int]) -> None:
    """Refuse days that are none and weeks that cannot be, all at once."""
    wrong = [] if days else ["session_dates: no session is given, so no report can claim anything. Give its day."]
    for name, given in (("session_dates", days), ("report_dates", reports)):
        others = [place for place, day in enumerate(given, 1) if type(day) is not date]
        if others:
            wrong.append(f"{name} must be days (datetime.date). No day: number {shorten(others)} of {len(given):,}.")
        elif max(given, default=date.min).year > LAST_YEAR:
            wrong.append(f"{name} must be days up to the year {LAST_YEAR}. Found: {max(given)}.")
    if not (len(weeks) == 2 and all(map(_is_whole, weeks)) and weeks[0] <= weeks[1] <= MOST_WEEKS):
        found = ", ".join(map(str, weeks))
        wrong.append(
            f"follow_up_weeks must be two whole numbers up to {MOST_WEEKS}, the smaller first, such as 6, 12. "
            f"Found: {found}."
        )
    if wrong:
        raise ParameterError("\n".join(wrong))
