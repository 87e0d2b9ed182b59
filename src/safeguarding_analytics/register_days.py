"""From which day to which a register of child protection plans is complete, and the periods that lie in between."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from safeguarding_analytics.dates import day_in_words

NEAR_THE_END = 17
"""Day of a month: where the last start or end is that late in it, the register is taken to run to its end."""

SIX_WEEKS = 42
"""Days: where the first end of a plan lies no further into a reporting year, the register is taken to begin with it."""


@dataclass(frozen=True)
class RegisterDays:
    """First and last day for which a register is complete; None where it holds no plan.

    ``taken`` says in a sentence what of this is not stated but taken from the plans; empty where all is stated.
    """

    first: date | None
    last: date | None
    taken: str = ""


def days_of_register(plans: pl.DataFrame, plans_from: date | None = None, plans_to: date | None = None) -> RegisterDays:
    """From which day to which every start and end of a plan is in a table.

    Parameters
    ----------
    plans
        One row per plan: ``start_date``, ``end_date`` (null while it is open).
    plans_from, plans_to
        What the board states; None where it does not.

    Returns
    -------
    RegisterDays
        What is stated, else taken. Where one of the two is stated, the other is never taken beyond it.

    Notes
    -----
    An extract holds the plans that were open at some time since a day, so its first end lies soon after that day. The
    first day is the 1 April before the first end where that is at most six weeks before it. Else it is the 1 April
    after it; or the first of the month of the first end, where no plan starts from that 1 April on, as in a return of
    six months. Where no plan has ended, the same six weeks are allowed before the first start. The last day is the end
    of the month of the last start or end where that lies in its second half, else the end of the month before. So no
    day of a single child's plan is told.

    This is a guess. A table that holds older plans as history begins later than it says: state the days then.

    Examples
    --------
    >>> starts, ends = [date(2006, 4, 3), date(2008, 3, 28)], [date(2007, 4, 30), None]
    >>> plans = pl.DataFrame({"start_date": starts, "end_date": ends})
    >>> days = days_of_register(plans)
    >>> days.first, days.last
    (datetime.date(2007, 4, 1), datetime.date(2008, 3, 31))
    """
    first, last = plans_from or _first_day(plans, plans_to), plans_to or _last_day(plans)
    if first is None or last is None:
        return RegisterDays(first, last)
    if first > last:
        first, last = (last, last) if plans_to else (first, first)
    missing = [name for name, stated in (("plans_from", plans_from), ("plans_to", plans_to)) if stated is None]
    taken = (
        f"the register is taken to be complete from {day_in_words(first)} to {day_in_words(last)}, by its first and "
        f"last days; state it under [child_protection] in board.toml ({' and '.join(missing)})"
        if missing
        else ""
    )
    return RegisterDays(first, last, taken)


def _first_day(plans: pl.DataFrame, plans_to: date | None) -> date | None:
    """The first day, by the first end or, where no plan has ended, the first start."""
    end, first_start, last_start = plans["end_date"].min(), plans["start_date"].min(), plans["start_date"].max()
    if not isinstance(first_start, date) or not isinstance(last_start, date):
        return None
    if not isinstance(end, date):
        before = _first_of_april(first_start)
        return before if (first_start - before).days <= SIX_WEEKS else first_start.replace(day=1)
    before = _first_of_april(end)
    if (end - before).days <= SIX_WEEKS:
        return before
    after = date(before.year + 1, 4, 1)
    return after if after <= min(last_start, plans_to or last_start) else end.replace(day=1)


def _first_of_april(day: date) -> date:
    """The 1 April on or before a day."""
    return date(day.year - (day.month < 4), 4, 1)


def _last_day(plans: pl.DataFrame) -> date | None:
    """The last day, by the last start or end."""
    days = [day for day in (plans["start_date"].max(), plans["end_date"].max()) if isinstance(day, date)]
    if not days:
        return None
    last = max(days)
    next_month = date(last.year + last.month // 12, last.month % 12 + 1, 1)
    return (next_month if last.day >= NEAR_THE_END else last.replace(day=1)) - timedelta(days=1)
