"""Training on the synthetic board: its workshops, who came, and what agencies write down of their staff.

Rows are in the order of the columns of their table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import count
from typing import Any, NamedTuple

from safeguarding_analytics.demo_draws import Draws
from safeguarding_analytics.demo_facts import (
    AGENCIES,
    AS_AT,
    AWARENESS,
    CAPACITY,
    CONFERENCES,
    DISTRICTS,
    E_LEARNING_OPEN,
    INDUCTION_DAYS,
    LEAVERS,
    LEAVING_DAYS,
    LEVEL_2_DAYS,
    LEVEL_3_DAYS,
    NEW_STARTERS,
    NO_RETURN,
    NOTICE_DAYS,
    OVER_FILLED,
    RECORDS,
    REFRESHER,
    ROLE_COURSES,
    START_WEIGHTS,
    WORKING_TOGETHER,
    Agency,
    Recording,
)

Row = tuple[Any, ...]
Days = tuple[date, date]
Course = tuple[str, int]


class Person(NamedTuple):
    """A person, and the target group they gave or are on record in."""

    person: str
    agency: str
    target_group: int | None


class _Staff:
    """The people the agencies can send, and those who already have a booking."""

    def __init__(self, draws: Draws) -> None:
        self.draws = draws
        self.unseen = {
            profile.agency: draws.shuffled(g for g, size in _head_counts(profile.staff).items() for _ in range(size))
            for profile in AGENCIES
        }
        self.seen: dict[str, list[Person]] = {profile.agency: [] for profile in AGENCIES}

    def send(self, agency: str, present: set[Person], again_percent: int) -> Person:
        """Someone of the agency who is not in the session yet: at times a person seen in another session."""
        others = [person for person in self.seen[agency] if person not in present]
        if others and self.draws.chance(again_percent):
            return self.draws.one(others)
        group: int | None = self.unseen[agency].pop()
        if len(self.unseen[agency]) > 200:  # in large agencies some are of other target groups, or give none
            group = self.draws.weighted({group: 93, 1: 2, 5: 1, 6: 1, 7: 1, None: 2})
        person = Person(f"P{sum(map(len, self.seen.values())) + 1:04d}", agency, group)
        self.seen[agency].append(person)
        return person


def _head_counts(staff: int) -> dict[int, int]:
    """Staff by target group, whole numbers that add up."""
    return {2: staff * 3 // 10, 3: staff - staff * 3 // 10 - staff // 5, 4: staff // 5}


def workforce_rows() -> list[Row]:
    """Rows of the workforce table: one agency made no return."""
    return [
        (profile.agency, 2, group, "2012", None if profile.agency == NO_RETURN else size)
        for profile in AGENCIES
        for group, size in _head_counts(profile.staff).items()
    ]


def session_rows() -> list[Row]:
    """Rows of the sessions table: two workshops a district."""
    course = ("Threshold criteria workshop", 2)
    halves = [(at, half) for at in DISTRICTS for half in ("morning", "afternoon")]
    return [
        (f"S{number:02d}", *course, at.district, at.area, at.venue, at.date, half, CAPACITY, at.cost, "workshop")
        for number, (at, half) in enumerate(halves, 1)
    ]


def _places_by_agency(places: int) -> dict[str, int]:
    """Share the attended places out exactly: each agency gets what the running total leaves, rounded down."""
    shares, running = {}, 0
    for profile in AGENCIES:
        shares[profile.agency] = (running + profile.places) * places // 1000 - running * places // 1000
        running += profile.places
    return shares


def booking_rows(draws: Draws, areas: Mapping[str, str]) -> list[Row]:
    """Rows of the bookings table; ``areas`` gives the area of each session."""
    attended = {
        session: (46, 6) if session == OVER_FILLED else (draws.whole(40, 46), draws.whole(1, 4)) for session in areas
    }
    left = _places_by_agency(sum(booked + walk_ins for booked, walk_ins in attended.values()))
    absent = {profile.agency: profile.places + 4 for profile in AGENCIES if profile.staff >= 60}
    home = {profile.agency: profile.area for profile in AGENCIES}
    staff = _Staff(draws)
    rows: list[Row] = []
    for session in draws.shuffled(areas):
        booked, walk_ins = attended[session]
        outcomes = ["attended"] * (booked + walk_ins) + ["did_not_attend"] * draws.whole(3, 7)
        outcomes += ["cancelled"] * draws.whole(2, 5) + ["waitlisted"] * draws.whole(0, 2)
        present: set[Person] = set()
        for place, status in enumerate(outcomes):
            if status == "attended":
                near = {"", "Mid", areas[session]}
                agency = draws.weighted({name: n * (10 if home[name] in near else 1) for name, n in left.items()})
                left[agency] -= 1
            else:
                agency = draws.weighted(absent)
            person = staff.send(agency, present, 4 if status == "attended" else 25)
            present.add(person)
            walked_in = booked <= place < booked + walk_ins
            rows.append((session, *person, status, not walked_in, None))
    return sorted(rows, key=lambda row: row[:2])


class Member(NamedTuple):
    """A row of the staff table."""

    person: str
    agency: str
    training_level: int
    target_group: int
    start_date: date
    post_start_date: date | None
    leaving_date: date | None


def staff_rows(draws: Draws, bookings: Iterable[Row], days: Mapping[str, date]) -> list[Member]:
    """Rows of the staff table: of each agency as many as it keeps a record of; ``days`` gives the day of each session.

    Where an agency keeps a record of everybody, those who are there on 1 July 2011 add up to its workforce return,
    group by group. The return knows three groups; those who booked as of another, or of none, are recorded in one of
    them.
    """
    first = _first_days(bookings, days)
    numbers = count(len(first) + 1)
    rows: list[Member] = []
    for profile in AGENCIES:
        booked = [person for person in first if person.agency == profile.agency]
        last = {person.person: first[person] for person in booked}
        for person, group in _on_record(draws, profile, booked, numbers).items():
            rows.append(_member(draws, profile.agency, person, group, last.get(person, NEW_STARTERS[1])))
        gone = Counter(_head_counts(profile.staff * RECORDS[profile.agency].kept * LEAVERS // 10_000))
        for group in draws.shuffled(gone.elements()):
            rows.append(_leaver(draws, profile.agency, f"P{next(numbers):04d}", group))
    return rows


def _first_days(bookings: Iterable[Row], days: Mapping[str, date]) -> dict[Person, date]:
    """Everybody with a booking, in the order of their pseudonyms, and the day of their first."""
    found: dict[Person, date] = {}
    for session, person, agency, group, *_ in sorted(bookings, key=lambda row: (row[1], days[str(row[0])])):
        found.setdefault(Person(person, agency, group), days[str(session)])
    return found


def _on_record(draws: Draws, profile: Agency, booked: Sequence[Person], numbers: Iterator[int]) -> dict[str, int]:
    """Target group by pseudonym of those an agency keeps a record of: people with a booking, then others."""
    kept = RECORDS[profile.agency].kept
    known = Counter(person.target_group for person in booked if person.target_group)
    others = draws.shuffled((Counter(_head_counts(profile.staff)) - known).elements())
    found = {
        person.person: person.target_group if person.target_group in (2, 3, 4) else others.pop()
        for person in booked
        if draws.chance(kept)
    }
    more = max(0, profile.staff * kept // 100 - len(found))
    return found | {f"P{next(numbers):04d}": group for group in others[:more]}


def _member(draws: Draws, agency: str, person: str, group: int, last: date) -> Member:
    """Somebody who works there on 1 July 2011 and started on the last day given or before."""
    first, end = draws.weighted({days: weight for days, weight in START_WEIGHTS.items() if days[0] < last})
    start = draws.working_day(first, min(end, last))
    post = draws.weighted({"first": 55, "later": 37, "not known": 8})
    later = draws.working_day(start, last) if post == "later" else None
    notice = draws.working_day(*NOTICE_DAYS) if draws.chance(1) else None
    return Member(person, agency, 2, group, start, start if post == "first" else later, notice)


def _leaver(draws: Draws, agency: str, person: str, group: int) -> Member:
    """Somebody who left in the year before 1 July 2011, and of whom the record still is."""
    stayed = _member(draws, agency, person, group, LEAVING_DAYS[0] - timedelta(days=7))
    return stayed._replace(leaving_date=draws.working_day(*LEAVING_DAYS))


def training_record_rows(draws: Draws, bookings: Iterable[Row], staff: Sequence[Member]) -> list[Row]:
    """Rows of the training records table: of those on record, and of those with a booking who are not."""
    on_record = {member.person for member in staff}
    others = {Person(person, agency, group) for _, person, agency, group, *_ in bookings if person not in on_record}
    people = [
        (Person(member.person, member.agency, member.target_group), member.start_date, member.leaving_date)
        for member in staff
    ]
    people += [(person, date.min, None) for person in sorted(others)]
    rows: list[Row] = []
    for person, start, leaving in people:
        there = start, min(leaving or AS_AT, AS_AT - timedelta(days=1))
        recording = RECORDS[person.agency]
        taken = (_induction if start >= NEW_STARTERS[0] else _courses)(draws, recording, there)
        taken += _for_the_group(draws, recording, person.target_group, there)
        rows += [(*person, *course, day) for course, day in taken]
    return sorted(rows, key=lambda row: (row[0], row[5], row[3]))


def _took(draws: Draws, course: Course, days: Days, there: Days) -> list[tuple[Course, date]]:
    """The course on one of the days, if the person was there for a week of them."""
    first, last = max(days[0], there[0]), min(days[1], there[1])
    return [(course, draws.working_day(first, last))] if last - first >= timedelta(days=7) else []


def _stage(draws: Draws, recording: Recording) -> str:
    shares = {"current": recording.current, "due": recording.due, "lapsed": recording.lapsed}
    return draws.weighted(shares | {"never": 100 - sum(shares.values())})


def _courses(draws: Draws, recording: Recording, there: Days) -> list[tuple[Course, date]]:
    """Levels 1 and 2 of somebody who started more than a year ago."""
    stage = _stage(draws, recording)
    taken = _took(draws, AWARENESS, E_LEARNING_OPEN, there) if draws.chance(recording.aware) else []
    if stage == "never":
        return taken
    earlier = _took(draws, WORKING_TOGETHER, LEVEL_2_DAYS["lapsed"], there) if draws.chance(35) else []
    if stage == "lapsed":
        return taken + (earlier or _took(draws, WORKING_TOGETHER, LEVEL_2_DAYS[stage], there))
    return taken + earlier + _took(draws, REFRESHER if earlier else WORKING_TOGETHER, LEVEL_2_DAYS[stage], there)


def _induction(draws: Draws, recording: Recording, there: Days) -> list[tuple[Course, date]]:
    """Levels 1 and 2 of a new starter: within three months, later, or not."""
    others = 100 - recording.current
    outcome = draws.weighted({"in time": recording.current, "late": others // 2, "never": others - others // 2})
    if outcome == "never":
        return []
    first, last = INDUCTION_DAYS[outcome]
    days = there[0] + timedelta(days=first), there[0] + timedelta(days=last)
    return _took(draws, AWARENESS, days, there) + _took(draws, WORKING_TOGETHER, days, there)


def _for_the_group(draws: Draws, recording: Recording, group: int | None, there: Days) -> list[tuple[Course, date]]:
    """Levels 3 and 4: one course a year for the groups that need it, conferences for some of group 3."""
    if group in ROLE_COURSES:
        stage = _stage(draws, recording)
        return [] if stage == "never" else _took(draws, ROLE_COURSES[group], LEVEL_3_DAYS[stage], there)
    often = group == 3 and draws.chance(recording.current // 4)
    return _took(draws, CONFERENCES, (LEVEL_2_DAYS["lapsed"][0], LEVEL_2_DAYS["current"][1]), there) if often else []
