"""Questionnaires of the synthetic board: its questions, and who answered what and when.

Rows are in the order of the columns of their table. Questions and answers are all invented, after what the literature
finds: not all who attend answer, those who do rate their confidence higher afterwards, and rate lower than they had
done how confident they were before; weeks later part of what was learned is lost.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from safeguarding_analytics.demo_draws import Draws
from safeguarding_analytics.demo_facts import (
    AS_AT,
    FOLLOW_UP_AFTER,
    ITEMS,
    KEPT,
    LOOKING_BACK,
    NO_GAIN,
    RATINGS,
    SCALE,
)
from safeguarding_analytics.demo_training import Row

QUESTIONS = tuple(f"Q{number:02d}" for number in range(1, len(ITEMS) + len(RATINGS) + 1))
"""Identifiers of the questions: those worth points, then the ratings."""

PARTS = {"pre": 0.0, "post": 1.0, "follow_up": KEPT, "then": 0.0}
"""How much of what they gained people have, by wave."""

Answer = tuple[str, int]
"""A question, and the points or the rating as answered."""


class _Person(NamedTuple):
    """What somebody who attended brought, and took away."""

    ability: float  # added to the share of the points they know
    confidence: float  # added to their ratings
    taught: float  # what their session adds to the share of the points learned


def item_rows() -> list[Row]:
    """Rows of the items table: ten questions worth 0 to 2 points, three ratings from 1 to 5.

    Returns
    -------
    list[Row]
        One per question, in the order of the questionnaire. No question is of one course alone.

    Examples
    --------
    >>> [row[0] for row in item_rows() if row[2] == "likert"]
    ['Q11', 'Q12', 'Q13']
    """
    worth: list[Row] = [(item.text, "choice", 0.0, 2.0, False, None) for item in ITEMS]
    rated: list[Row] = [(item.text, "likert", *map(float, SCALE), item.reversed, None) for item in RATINGS]
    return [(name, *row) for name, row in zip(QUESTIONS, [*worth, *rated], strict=True)]


def score_rows(seed: int, bookings: Iterable[Row], sessions: Iterable[Row]) -> list[Row]:
    """Rows of the scores table.

    Parameters
    ----------
    seed
        As for `demo.demo_tables`. Points, ratings and follow-up are drawn apart, so that none changes another.
    bookings
        Rows of the bookings table.
    sessions
        Rows of the sessions table.

    Returns
    -------
    list[Row]
        One per answer, in the order of the bookings. Of each who attended: before, after, the ratings looking back,
        follow-up; each as far as it was answered.

    Notes
    -----
    Three of four answer before and after, one of eight before alone, one of sixteen after alone. Nine of ten who
    answered after also rate, looking back, how confident they had been before. Only sessions six weeks or more before
    the board's date have a follow-up: about half of those who attended answer, more often those who had answered
    after, and a few leave a question open.

    The district whose workshops taught next to nothing gains confidence as the others do.

    References
    ----------
    What is imitated: Carpenter, Patsios, Szilassy & Hackett 2011, Social Work Education 30:195 (confidence may rise
    where knowledge does not); Taylor, Russ-Eft & Taylor 2009, American Journal of Evaluation 30:31 (ratings that look
    back are below the real ones).

    Examples
    --------
    >>> from datetime import date
    >>> bookings = [("S1", "P0001", "CAFCASS", 3, "attended", True, None)]
    >>> sessions = [("S1", "A course", 2, "Dover", "East", "A hall", date(2011, 6, 20))]
    >>> sorted({row[3] for row in score_rows(1, bookings, sessions)})
    ['post', 'pre', 'then']
    """
    points, ratings, later = (Draws(seed, name) for name in ("scores", "ratings", "follow_up"))
    # Shares of the points: people differ by 0.1 (2 points of 20), sessions by 0.012 in what they teach.
    held = {row[0]: (row[3], row[6]) for row in sessions}
    taught = {session: -0.125 if place == NO_GAIN else 0.012 * points.bell() for session, (place, _) in held.items()}
    rows: list[Row] = []
    for session, person, agency, _, status, *_ in bookings:
        if status != "attended":
            continue
        waves = points.weighted({("pre", "post"): 76, ("pre",): 12, ("post",): 6, (): 6})
        known = _Person(0.1 * points.bell(), 0.55 * ratings.bell(), taught[session])
        answers = {wave: [*_points(points, known, wave), *_ratings(ratings, known, wave)] for wave in waves}
        if "post" in waves and ratings.chance(90):
            answers["then"] = list(_ratings(ratings, known, "then"))
        if AS_AT - held[session][1] >= FOLLOW_UP_AFTER and later.chance(55 if "post" in waves else 25):
            answers["follow_up"] = _follow_up(later, known)
        rows += [(session, person, agency, wave, *answer) for wave, given in answers.items() for answer in given]
    return rows


def _points(draws: Draws, person: _Person, wave: str) -> Iterator[Answer]:
    """Points of the questions that are right, partly right or wrong."""
    for name, item in zip(QUESTIONS, ITEMS, strict=False):
        gain = PARTS[wave] * (item.learned + person.taught)
        percent = round(100 * min(0.97, max(0.03, item.known + person.ability + gain)))
        yield name, draws.chance(percent) + draws.chance(percent)


def _ratings(draws: Draws, person: _Person, wave: str) -> Iterator[Answer]:
    """How sure somebody is, as answered: of a reversed question, a high rating by those who are not."""
    lowest, highest = SCALE
    shift = person.confidence - LOOKING_BACK * (wave == "then")
    for name, item in zip(QUESTIONS[len(ITEMS) :], RATINGS, strict=True):
        sure = item.before + PARTS[wave] * item.rise + shift + 0.5 * draws.bell()
        rating = min(highest, max(lowest, math.floor(sure + 0.5)))
        yield name, lowest + highest - rating if item.reversed else rating


def _follow_up(draws: Draws, person: _Person) -> list[Answer]:
    """All answers of a follow-up; one of twenty leaves a question open."""
    answers = [*_points(draws, person, "follow_up"), *_ratings(draws, person, "follow_up")]
    if draws.chance(5):
        answers.remove(draws.one(answers))
    return answers
