"""Child protection plans of the synthetic board, with the conferences and reviews that belong to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from safeguarding_analytics.demo_draws import Draws
from safeguarding_analytics.demo_facts import (
    AGE_WEIGHTS,
    CATEGORY_WEIGHTS,
    DISTRICTS,
    ENQUIRIES_WITHOUT_CONFERENCE,
    LENGTH_WEIGHTS,
    OPEN_BEFORE,
    PLAN_YEARS,
    PLANS_FROM,
    PLANS_TO,
    WAIT_WEIGHTS,
    PlanYear,
)
from safeguarding_analytics.demo_training import Row

DAY = timedelta(days=1)
TWICE_A_YEAR = 8
"""Children whose second plan starts in the same year as the one before."""

CONFERENCES_FROM = date(2006, 4, 1)
"""First day of the conferences and reviews that are in the tables."""


@dataclass
class _Plan:
    """A plan while the board is made up; ``fixed`` where its end must stay: a later plan of the child rests on it."""

    child: int
    family: int
    district: str
    category: str
    birth: date
    start: date
    end: date
    previous: int
    fixed: bool = False
    moved: date | None = None
    died: date | None = None


def plan_history(draws: Draws) -> list[_Plan]:
    """Every plan of five years and those open before, so that starts, repeats and ends of each year are as wanted."""
    register = _Register(draws)
    register.first_seen(OPEN_BEFORE, 110, date(2001, 10, 1), PLANS_FROM - DAY, ends_after=PLANS_FROM)
    for year in PLAN_YEARS:
        register.live_through(year)
    _leave(draws, register.plans)
    return sorted(register.plans, key=lambda plan: (plan.start, plan.child))


class _Register:
    """The register as years go by."""

    def __init__(self, draws: Draws) -> None:
        self.draws, self.plans = draws, list[_Plan]()
        self.children = self.families = 0

    def live_through(self, year: PlanYear) -> None:
        """Add a year's plans: of children who return, and of children seen for the first time; then fit the ends."""
        returned = self._return(year.returning - TWICE_A_YEAR, year.first, year.last)
        again = returned + TWICE_A_YEAR
        self.first_seen(year.starts - again, year.repeats - again, year.first, year.last)
        self._return(TWICE_A_YEAR, year.first, year.last, started_from=year.first)
        self._fit_ends(year)

    def first_seen(self, plans: int, repeats: int, first: date, last: date, *, ends_after: date | None = None) -> None:
        """Families with no earlier row; so many of their plans have a history from before the table."""
        while plans:
            size = min(plans, self.draws.weighted({1: 45, 2: 30, 3: 17, 4: 8}))
            district = self.draws.weighted({place.district: place.plans for place in DISTRICTS})
            start, category = self.draws.working_day(first, last), self.draws.weighted(CATEGORY_WEIGHTS)
            end = self._end(start, ends_after)
            self.families += 1
            for number in range(size):
                self.children += 1
                history = self.draws.weighted({1: 75, 2: 18, 3: 7}) if number < repeats else 0
                born = self._born(start) if not history else start - timedelta(days=self.draws.whole(900, 5500))
                own = category if self.draws.chance(85) else self.draws.weighted(CATEGORY_WEIGHTS)
                ended = end if self.draws.chance(85) else self._end(start, ends_after)
                self.plans.append(_Plan(self.children, self.families, district, own, born, start, ended, history))
            plans, repeats = plans - size, max(0, repeats - size)

    def _return(self, plans: int, first: date, last: date, *, started_from: date = date.min) -> int:
        """So many plans of children whose earlier plan ended at least a month before."""
        latest = {plan.child: plan for plan in self.plans}
        families: dict[int, list[_Plan]] = {}
        for plan in latest.values():
            recent = plan.end > first - timedelta(days=900) and plan.start >= started_from
            if plan.end + timedelta(days=60) <= last and not plan.fixed and recent:
                families.setdefault(plan.family, []).append(plan)
        found = 0
        for members in self.draws.shuffled(families.values()):
            members = members[: plans - found]
            if not members:
                break
            earliest = max(first, *(plan.end + timedelta(days=30) for plan in members))
            start = self.draws.working_day(earliest, last)
            end, category = self._end(start), self.draws.weighted(CATEGORY_WEIGHTS)
            for plan in members:
                plan.fixed = True
                self.plans.append(
                    _Plan(plan.child, plan.family, plan.district, category, plan.birth, start, end, plan.previous + 1)
                )
            found += len(members)
        return found

    def _fit_ends(self, year: PlanYear) -> None:
        """Let as many plans end in the year as are wanted: the nearest ends are put off, or brought forward."""
        ending = [plan for plan in self.plans if year.first <= plan.end <= year.last]
        later = [plan for plan in self.plans if plan.end > year.last and not plan.fixed]
        movable = sorted((plan for plan in ending if not plan.fixed), key=lambda plan: (plan.end, plan.child))
        for plan in movable[len(movable) - max(0, len(ending) - year.ends) :]:
            plan.end = self.draws.working_day(year.last + DAY, year.last + timedelta(days=120))
        old = sorted(
            (plan for plan in later if plan.start + timedelta(days=28) <= year.last),
            key=lambda plan: (plan.end, plan.child),
        )
        for plan in old[: max(0, year.ends - len(ending))]:
            earliest = max(year.last - timedelta(days=90), plan.start + timedelta(days=21))
            plan.end = self.draws.working_day(earliest, year.last)

    def _end(self, start: date, after: date | None = None) -> date:
        shortest, longest = self.draws.weighted(LENGTH_WEIGHTS)
        end = self.draws.working_day(start + timedelta(days=shortest), start + timedelta(days=longest))
        while after is not None and end < after:
            end += timedelta(days=182)
        return end

    def _born(self, start: date) -> date:
        youngest, oldest = self.draws.weighted(AGE_WEIGHTS)
        return start - timedelta(days=self.draws.whole(youngest, oldest))


def _leave(draws: Draws, plans: Iterable[_Plan]) -> None:
    """Some children move to another authority after their plan, and very few die."""
    last = {plan.child: plan for plan in plans}
    for plan in last.values():
        gone = plan.end + timedelta(days=draws.whole(20, 500))
        if plan.end <= PLANS_TO and gone <= PLANS_TO:
            chance = draws.whole(1, 1000)
            plan.moved, plan.died = (gone, None) if chance <= 60 else (None, gone) if chance <= 63 else (None, None)
    deaths = {plan.child: plan.died for plan in plans if plan.died}
    for plan in plans:
        plan.died = deaths.get(plan.child)


def plan_rows(history: list[_Plan], draws: Draws) -> list[Row]:
    """Rows of the plans table as the register stood on its last day: what ends later is open."""
    pseudonym = {child: n for n, child in enumerate(dict.fromkeys(plan.child for plan in history), 1)}
    family = {each: n for n, each in enumerate(dict.fromkeys(plan.family for plan in history), 1)}
    return [
        (
            *(f"CP{n:05d}", f"C{pseudonym[plan.child]:05d}", "Kent", plan.district, plan.category, plan.start),
            *(plan.end if plan.end <= PLANS_TO else None, plan.previous),
            plan.category if draws.chance(92) else draws.weighted(CATEGORY_WEIGHTS),
            *(f"F{family[plan.family]:04d}", plan.birth, plan.died, plan.moved),
        )
        for n, plan in enumerate(history, 1)
    ]


def conference_rows(plans: list[Row], draws: Draws) -> list[Row]:
    """Rows of the conferences table: one for every plan of two years, some without a plan, enquiries without one."""
    held = [(str(row[1]), str(row[3]), row[5]) for row in plans if _day(row[5]) >= CONFERENCES_FROM]
    alone = [
        (f"X{n:05d}", draws.one(DISTRICTS).district, draws.working_day(CONFERENCES_FROM, PLANS_TO))
        for n in range(len(held) * 15 // 100)
    ]
    rows: list[tuple[object, ...]] = []
    for child, district, day in (*held, *alone):
        shortest, longest = draws.weighted(WAIT_WEIGHTS)
        enquiry = _weekdays_before(_day(day), draws.whole(shortest, longest)) if longest else None
        rows.append((child, "Kent", district, enquiry, day, False))
    for n in range(ENQUIRIES_WITHOUT_CONFERENCE):
        day = draws.working_day(CONFERENCES_FROM, PLANS_TO)
        rows.append((f"Y{n:05d}", "Kent", draws.one(DISTRICTS).district, day, None, True))
    rows.sort(key=lambda row: (_day(row[3] or row[4]), str(row[0])))
    return [(f"IC{n:05d}", *row) for n, row in enumerate(rows, 1)]


def review_rows(plans: list[Row], draws: Draws) -> list[Row]:
    """Rows of the reviews table: of every plan that was open in the last two years, from its start on."""
    rows: list[Row] = []
    for row in plans:
        start, end = _day(row[5]), _day(row[6] or PLANS_TO)
        if end < CONFERENCES_FROM:
            continue
        day = _weekday(start + timedelta(days=draws.whole(70, 91) if draws.chance(97) else draws.whole(93, 120)))
        while day <= end:
            rows.append((row[0], day))
            day = _weekday(day + timedelta(days=draws.whole(140, 182) if draws.chance(98) else draws.whole(185, 220)))
    return rows


def _weekday(day: date) -> date:
    return day - timedelta(days=max(0, day.weekday() - 4))


def _weekdays_before(day: date, number: int) -> date:
    """The weekday so many before a day; where the number is below 0, so many after it."""
    left = abs(number)
    while left > 0:
        day -= DAY if number > 0 else -DAY
        left -= day.weekday() < 5
    return min(day, PLANS_TO)


def _day(value: object) -> date:
    if not isinstance(value, date):
        raise TypeError(f"a day was wanted. Found: {value!r}.")
    return value
