"""The plan of an evaluation in words: what it could see, whether that is enough, and what its reports can claim.

A plan is of sessions, dates and assumptions, never of people: there is nothing in it to suppress.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from math import floor, log10
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from safeguarding_analytics.cells import rounded
from safeguarding_analytics.dates import day_in_words
from safeguarding_analytics.errors import ParameterError, in_words, nearest, numbered
from safeguarding_analytics.paired import FEWEST_PAIRS
from safeguarding_analytics.planning import (
    LEARNING,
    design_effect,
    design_table,
    evaluation_timetable,
    sessions_needed,
    smallest_gain,
)

if TYPE_CHECKING:
    from safeguarding_analytics.config import EvaluationSection

DEVIATIONS = "standard deviations of the gain"
USUAL_ICC = (0.02, 0.05, 0.1)
OTHER_SHARES = (0.5, 0.8)
"""Beside the share a board expects: half and most of the places answer both times."""


def say_smallest_gain(
    sessions: int,
    pairs_per_session: float,
    sd_gain: float | None = None,
    icc: float = 0.05,
    *,
    power: float = 0.8,
    confidence: float = 0.95,
) -> str:
    """Say how small a gain this design would see, and what it takes for granted.

    Parameters
    ----------
    sessions, pairs_per_session, icc, power, confidence
        As for `smallest_gain`.
    sd_gain
        Standard deviation of the gains, in points; without it the gain is given in standard deviations.

    Examples
    --------
    >>> print(say_smallest_gain(24, 30, 3).split(";")[0])  # doctest: +NORMALIZE_WHITESPACE
    With 24 sessions of 30 people answering both times, and answers within a session alike to a degree of 0.05
    (intraclass correlation), a mean gain of 0.51 points or more would be seen in 4 of 5 such programmes
    """
    return " ".join(_smallest_sentences(sessions, pairs_per_session, sd_gain, icc, power=power, confidence=confidence))


def say_meaningful_gain(
    meaningful_gain: float | None,
    sessions: int,
    pairs_per_session: float,
    sd_gain: float | None = None,
    icc: float = 0.05,
    *,
    power: float = 0.8,
    confidence: float = 0.95,
) -> str:
    """Say whether this design is large enough for the gain that would matter, and how many sessions it would take.

    Parameters
    ----------
    meaningful_gain
        The smallest gain that matters, in points, fixed before the first session; None where none is.
    sessions, pairs_per_session, sd_gain, icc, power, confidence
        As for `say_smallest_gain`.

    Examples
    --------
    >>> print(say_meaningful_gain(0.4, 24, 30, 3))  # doctest: +NORMALIZE_WHITESPACE
    This design is too small: the board said that 0.4 points would matter, and it would miss such a gain in more than
    1 of 5 programmes. It would take 39 sessions of 30 people.
    """
    return " ".join(
        _meaningful_sentences(
            meaningful_gain, sessions, pairs_per_session, sd_gain, icc, power=power, confidence=confidence
        )
    )


def say_timetable(timetable: pl.DataFrame) -> str:
    """Say what each report can claim, when follow-up is due, and what no questionnaire shows.

    Parameters
    ----------
    timetable
        As `evaluation_timetable` gives it.

    Examples
    --------
    >>> from datetime import date
    >>> timetable = evaluation_timetable([date(2011, 5, 10), date(2011, 6, 28)], [date(2011, 7, 1)])
    >>> print(say_timetable(timetable).split(". ")[0])
    The report of 1 July 2011 is due 3 days after the last session: only reaction and learning can be claimed
    """
    return " ".join(_timetable_sentences(timetable))


def say_plan(
    settings: EvaluationSection,
    sessions: pl.DataFrame | None = None,
    meaningful_gain: float | None = None,
    *,
    course: str | None = None,
) -> str:
    """Put the plan of a board's evaluation into words and a small table, one sentence a line.

    Parameters
    ----------
    settings
        ``config.evaluation`` of a board. What it sets goes before what the sessions say.
    sessions
        One row per session, held or planned: course, date, capacity (places). None where the board has no such table.
    meaningful_gain
        The smallest gain that matters, in points.
    course
        The course to evaluate, where there are several.

    Raises
    ------
    ParameterError
        When there are several courses and none is chosen, or there is none of that name; when neither what could be
        seen nor a timetable can be worked out, with all that is missing for either.
    """
    held = _of_course(sessions, course)
    design, lacks = _design(settings, held)
    dates = held["date"].to_list() if held is not None else []
    untimed = _untimed(settings, dates)
    if design is None and untimed:
        raise ParameterError(f"there is nothing to plan with. {lacks}\n{untimed}")
    seen = [lacks] if design is None else _design_lines(design, settings, meaningful_gain)
    timed = [untimed] if untimed else _timetable_sentences(_timetable(settings, dates))
    return "\n".join(["What gain could be seen", *seen, "", "What the reports can claim", *timed])


def _smallest_sentences(
    sessions: int, people: float, sd_gain: float | None, icc: float, *, power: float, confidence: float = 0.95
) -> list[str]:
    size = f"{numbered(sessions, 'session')} of {_people(people)} answering both times"
    pairs = sessions * people
    seen = smallest_gain(sessions, people, _or_one(sd_gain), icc, power=power, confidence=confidence)
    if seen is None:
        return [
            f"With {size} there would be {_short(pairs)} pairs: of fewer than {FEWEST_PAIRS} the evaluation gives no "
            "interval, so it could show no gain."
        ]
    alike = f", and answers within a session alike to a degree of {icc:g} (intraclass correlation)"
    such = f"{alike}, a mean" if sessions > 1 else " a mean"
    sentences = [
        f"With {size}{such} gain of {_two_digits(seen)} {_unit(sd_gain)} or more would be seen in {_of(power)} such "
        f"{'programmes' if sessions > 1 else 'sessions'}; a smaller one may be missed.",
        f"Seen means that the {confidence * 100:g}% interval lies above 0.",
    ]
    effect = design_effect(people, icc)
    if sessions == 1:
        sentences.append("How far sessions differ cannot be known from one: what is seen holds of this session alone.")
    elif effect > 1:
        sentences.append(
            f"Because people of one session answer alike, the {rounded(pairs):,} pairs tell as much as "
            f"{rounded(pairs / effect):,} people taught apart (design effect {rounded(effect, 2)})."
        )
    return sentences


def _meaningful_sentences(
    matters: float | None,
    sessions: int,
    people: float,
    sd_gain: float | None,
    icc: float,
    *,
    power: float,
    confidence: float = 0.95,
) -> list[str]:
    in_points = (
        "To have the smallest gain in points, set sd_gain under [evaluation] in board.toml: the standard deviation of "
        "the gains in an earlier course."
    )
    if matters is None:
        unset = "What gain would matter is not fixed: set meaningful_gain under [knowledge] in board.toml before the "
        return [f"{unset}first session.", *([in_points] if sd_gain is None else [])]
    seen = smallest_gain(sessions, people, _or_one(sd_gain), icc, power=power, confidence=confidence)
    points = f"{matters:g} {'point' if matters == 1 else 'points'}"
    if sd_gain is None:
        if seen is None:
            return [in_points]
        would = "would matter: such a gain would be seen if the standard deviation of the gains is"
        return [f"The board said that {points} {would} {_two_digits(matters / seen)} points or less.", in_points]
    if seen is None or seen > matters:
        needed = sessions_needed(matters, people, sd_gain, icc, power=power, confidence=confidence)
        return [
            f"This design is too small: the board said that {points} would matter, and it would miss such a gain in "
            f"more than {_of(1 - power)} programmes.",
            f"It would take {needed:,} sessions of {_people(people)}.",
        ]
    return [
        f"The board said that {points} would matter: this design is large enough to see such a gain.",
        f"To find it clearly at least {points} in {_of(power)} programmes, the gain itself would have to be "
        f"{rounded(matters + seen, _decimals(seen)):,} points or more.",
    ]


def _or_one(sd_gain: float | None) -> float:
    return 1 if sd_gain is None else sd_gain


def _unit(sd_gain: float | None) -> str:
    return DEVIATIONS if sd_gain is None else "points"


class _Design(NamedTuple):
    """How many sessions of how many places, and what is to be said of that."""

    sessions: int
    places: float
    people: float
    notes: tuple[str, ...]


def _of_course(sessions: pl.DataFrame | None, course: str | None) -> pl.DataFrame | None:
    """The sessions of the course to evaluate; names of other courses are not given away, as they may be anything."""
    if sessions is None:
        if course is None:
            return None
        raise ParameterError("a course can be chosen only where the board has a table of sessions.")
    courses = sessions["course"].unique().to_list()
    if course is None:
        if len(courses) > 1:
            raise ParameterError(
                f"the table of sessions holds {len(courses):,} courses, and an evaluation is of one. Choose it with "
                "--course, spelled as in the table."
            )
        return sessions
    if course not in courses:
        raise ParameterError(f'no session is of the course "{course}".{nearest(course, courses)}')
    return sessions.filter(pl.col("course") == course)


def _design(settings: EvaluationSection, sessions: pl.DataFrame | None) -> tuple[_Design | None, str]:
    """What is to be held, from the settings and else from the sessions; or what is missing to know it."""
    places: list[int] = sessions["capacity"].drop_nulls().to_list() if sessions is not None else []
    number = settings.sessions or (sessions.height if sessions is not None else 0)
    size = settings.places_per_session or (sum(places) / len(places) if places else 0)
    missing = [name for name, value in (("sessions", number), ("places_per_session", size)) if not value]
    if missing:
        return None, (
            f"To know what gain could be seen, set {' and '.join(missing)} under [evaluation] in board.toml"
            f"{', or give a table of sessions with their places' if sessions is None else ''}."
        )
    notes = []
    if settings.places_per_session is None and sessions is not None:
        if unknown := sessions["capacity"].null_count():
            notes.append(f"The places of {numbered(unknown, 'session')} are not known: they are taken as average.")
        if len(set(places)) > 1:
            notes.append(
                f"Places differ, from {min(places)} to {max(places)} a session: the smallest gain is then somewhat "
                "larger than said."
            )
    return _Design(number, size, size * (settings.answer_both_times or 1), tuple(notes)), ""


def _design_lines(design: _Design, settings: EvaluationSection, meaningful_gain: float | None) -> list[str]:
    share = settings.answer_both_times
    if share is None:
        who = "if everybody answers both times (answer_both_times is not set under [evaluation] in board.toml)"
    else:
        who = f"{_short(share * 100)}% of them taken by people who answer both times"
    measured = (design.sessions, design.people, settings.sd_gain, settings.icc)
    return [
        f"{numbered(design.sessions, 'session')} of {_short(design.places)} places, {who}: {_people(design.people)} a "
        "session.",
        *design.notes,
        *_smallest_sentences(*measured, power=settings.power),
        *_meaningful_sentences(meaningful_gain, *measured, power=settings.power),
        "",
        *_table_lines(design, settings),
    ]


def _table_lines(design: _Design, settings: EvaluationSection) -> list[str]:
    """Half as many sessions, as many and twice as many; one column per likeness within sessions."""
    sessions = sorted({max(design.sessions // 2, 1), design.sessions, 2 * design.sessions})
    shares = sorted({*OTHER_SHARES, settings.answer_both_times or 1})
    likeness = sorted({*USUAL_ICC, settings.icc})
    table = design_table(
        sessions, design.places, shares, likeness, sd_gain=_or_one(settings.sd_gain), power=settings.power
    )
    lines = [("sessions", "answer both times", "pairs", *(f"{icc:g}" for icc in likeness))]
    for (number, share), rows in table.group_by(["sessions", "answer_both_times"], maintain_order=True):
        seen = ["–" if gain is None else _two_digits(gain) for gain in rows["smallest_gain"]]
        lines.append((f"{number:,}", f"{_short(share * 100)}%", f"{rows['pairs'][0]:,}", *seen))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        f"Smallest gain seen, in {_unit(settings.sd_gain)}, where answers within a session are alike to a degree of "
        f"{in_words([f'{icc:g}' for icc in likeness])}:",
        *("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines),
    ]


def _untimed(settings: EvaluationSection, dates: list[date]) -> str:
    """What is missing for a timetable; empty where nothing is."""
    missing = []
    if not settings.report_dates:
        missing.append("set report_dates under [evaluation] in board.toml, such as [2011-07-01]")
    if not dates:
        missing.append("give a table of sessions with their dates")
    return f"To know what reports can claim, {', and '.join(missing)}." if missing else ""


def _timetable(settings: EvaluationSection, dates: list[date]) -> pl.DataFrame:
    return evaluation_timetable(dates, settings.report_dates, settings.follow_up_weeks)


def _timetable_sentences(timetable: pl.DataFrame) -> list[str]:
    if timetable.is_empty():
        return ["No report is planned: set report_dates under [evaluation] in board.toml."]
    rows = timetable.to_dicts()
    return [
        *map(_report_sentence, rows),
        _follow_up_sentence(rows[0]),
        "No report can claim practice or outcomes (levels 3 and 4 of Kirkpatrick) from these answers: that needs more "
        "than questionnaires.",
    ]


def _report_sentence(row: dict[str, Any]) -> str:
    report, planned = f"The report of {day_in_words(row['report_date'])}", row["sessions_held"] + row["sessions_after"]
    if not row["sessions_held"]:
        return f"{report} is due before the first session: nothing can be claimed."
    days = row["days_after_last_session"]
    due = f"{numbered(days, 'day')} after the last session" if days else "on the day of a session"
    if row["sessions_after"]:
        due += f"{' before it' if days else ''}, with {row['sessions_after']:,} of {planned:,} sessions still to come"
    only = "only " if row["can_claim"] == LEARNING else ""
    followed = _followed_up(row["follow_up_begun"], row["follow_up_ended"], planned)
    return f"{report} is due {due}: {only}{row['can_claim']} can be claimed. {followed}"


def _followed_up(begun: int, ended: int, planned: int) -> str:
    if begun == 0:
        return "By then no follow-up has begun."
    if ended == planned:
        return "By then follow-up of all sessions is over."
    return f"By then follow-up has begun for {_sessions(begun, planned)} and is over for {_sessions(ended, planned)}."


def _follow_up_sentence(row: dict[str, Any]) -> str:
    first, last, over = row["first_follow_up"], row["last_follow_up"], day_in_words(row["follow_up_over"])
    start = day_in_words(first) if first.year != last.year else day_in_words(first).removesuffix(f" {first.year}")
    begins = f"on {day_in_words(first)}" if first == last else f"between {start} and {day_in_words(last)}"
    return (
        f"Follow-up, {row['follow_up']}, begins {begins}; retention of all sessions can be claimed from {over} on, if "
        "people are asked then."
    )


def _sessions(number: int, planned: int) -> str:
    if number in (0, planned):
        return "all sessions" if number else "none"
    return f"{number:,} of {planned:,} sessions"


def _of(share: float) -> str:
    """A share as so many of so many.

    Examples
    --------
    >>> _of(0.8), _of(0.95), _of(1 - 0.8)
    ('4 of 5', '19 of 20', '1 of 5')
    """
    fraction = Fraction(share).limit_denominator(100)
    return f"{fraction.numerator} of {fraction.denominator}"


def _decimals(value: float) -> int:
    """Decimals that leave a number two digits that tell."""
    return max(1 - floor(log10(value)), 0)


def _two_digits(value: float) -> str:
    """A positive number with two digits that tell, and all digits before the point.

    Examples
    --------
    >>> _two_digits(0.1707), _two_digits(1.96), _two_digits(1234.5)
    ('0.17', '2.0', '1,235')
    """
    return f"{rounded(value, _decimals(value)):,}"


def _short(value: float) -> str:
    """A number with one decimal where it is not whole."""
    return f"{rounded(value, 1):,}".removesuffix(".0")


def _people(number: float) -> str:
    people = "person" if number == 1 else "people"
    return f"{_short(number)} {people}{'' if rounded(number, 1) % 1 == 0 else ' on average'}"
