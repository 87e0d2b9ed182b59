"""Attendance and take-up of training, and its reach among the staff who are to be trained.

Frames may be anything Narwhals accepts (polars eager or lazy, a DuckDB relation, PySpark, pandas, pyarrow); what counts
rows runs where the frame lives, and the result is a polars frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import narwhals as nw
import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.groups import (
    complete_sum,
    divide,
    fetch,
    group_columns,
    join_groups,
    open_frame,
    per_group,
    with_short_keys,
    with_totals,
)
from safeguarding_analytics.registers import (
    Frame,
    check_booked,
    check_one_period,
    check_people,
    check_statuses,
    columns_to_group_by,
    in_order,
    of_the_area,
    open_registers,
    session_columns,
    taking_places,
    with_periods,
    with_session_columns,
    with_share,
)
from safeguarding_analytics.shapes import ATTENDANCE, COVERAGE, PROPORTION, SHARE
from safeguarding_analytics.tables import TOTAL


def attendance(
    bookings: IntoFrame, sessions: IntoFrame, by: str | Sequence[str] = ("course",), *, totals: bool = False
) -> pl.DataFrame:
    """How many came of those who had booked, and how many of the places offered were used.

    Parameters
    ----------
    bookings
        One row per person and session: session, status, booked, and the booking columns named in `by`.
    sessions
        One row per session: session, capacity, the session columns named in `by`, and date where `by` holds
        time_period or month.
    by
        Columns of bookings or sessions, or ``"time_period"`` and ``"month"`` (reporting year and month of the session's
        date); none for one row overall. agency and target_group are those of the booking; any other column that both
        tables have is the session's.
    totals
        Whether to add "Total" rows for every combination of group columns (group columns become text).

    Returns
    -------
    pl.DataFrame
        One row per group, sorted by the group columns. registered, attended, walk_ins, did_not_attend, cancelled
        (bookings), attendance_rate (0 to 1), capacity (places), take_up (0 to 1, above 1 where sessions were
        over-filled), share_of_places (0 to 1). Trainers and test users (column learner) take no place and are left
        out. A session nobody booked is in its group with its capacity; a booking of
        a session that is not in `sessions` is in the group null. Not suppressed.

        Null: a rate whose denominator is 0; capacity and take_up where `by` holds a booking column, because places are
        not offered by agency, and where the capacity of a session of the group is not known.

    Raises
    ------
    TableError
        When a column is missing, a session stands twice, a status is not allowed, or booked is empty.
    ParameterError
        When `by` names an unknown column.

    Notes
    -----
    registered = booked places with an outcome = (attended − walk_ins) + did_not_attend + cancelled. Places still only
    booked, and the waiting list, are left out. attendance_rate = (attended − walk_ins) ÷ registered: walk-ins are
    neither bookings nor no-shows. take_up = attended ÷ capacity. share_of_places = attended ÷ all attended of the
    table. These count places: a person who comes to two sessions counts twice. For people see `training_reach`.

    References
    ----------
    Training report of the Leicester, Leicestershire and Rutland boards (LLR), quarter 1 of 2016-17: 318 registered − 20
    no-shows − 29 cancelled = 269 = 304 attended − 35 walk-ins; 269 ÷ 318 = 84.6%, and 304 of 393 places = 77.4%.

    Examples
    --------
    >>> import polars as pl
    >>> bookings = pl.DataFrame({
    ...     "session": ["s1", "s1", "s1", "s1"],
    ...     "person": ["p1", "p2", "p3", "p4"],
    ...     "agency": ["Health", "Health", "Police", "Police"],
    ...     "status": ["attended", "did_not_attend", "cancelled", "attended"],
    ...     "booked": [True, True, True, False],
    ... })
    >>> sessions = pl.DataFrame({"session": ["s1"], "course": ["Core"], "capacity": [8]})
    >>> attendance(bookings, sessions).row(0, named=True)["take_up"]
    0.25
    >>> attendance(bookings, sessions, by="agency").select("agency", "registered", "attended", "walk_ins").rows()
    [('Health', 2, 1, 0), ('Police', 1, 1, 1)]
    """
    booked, held = open_registers(bookings, sessions, ["session", "status", "booked"], ["session", "capacity"])
    groups = group_columns(by, *columns_to_group_by(booked, held), taken=list(ATTENDANCE.columns))
    of_session = session_columns(groups, booked, held)
    outcomes = fetch(_outcomes(taking_places(booked), held, groups, of_session))
    check_statuses(outcomes)
    check_booked(outcomes)
    counts = _outcome_counts(outcomes, groups)
    if len(of_session) == len(groups):
        places = fetch(with_periods(held, groups).select(*groups, "capacity"))
        counts = join_groups(counts, per_group(places, groups, complete_sum("capacity")), groups)
    else:
        counts = counts.with_columns(pl.lit(None, pl.Int64).alias("capacity"))
    counts = counts.with_columns(pl.col(ATTENDANCE.counts).fill_null(0))
    everyone = counts["attended"].sum()
    if totals:
        counts = with_totals(counts, groups)
    attended = pl.col("attended")
    rates = counts.with_columns(
        divide(attended - pl.col("walk_ins"), pl.col("registered")).alias("attendance_rate"),
        divide(attended, pl.col("capacity")).alias("take_up"),
        divide(attended, pl.lit(everyone)).alias("share_of_places"),
    )
    return in_order(rates, [*groups, *ATTENDANCE.columns], groups)


def reconcile_attendance(
    *, registered: int, did_not_attend: int, cancelled: int, attended: int, walk_ins: int, capacity: int | None = None
) -> dict[str, float | int | None]:
    """Check the attendance that a report prints, and work out each rate under its own name.

    Parameters
    ----------
    registered, did_not_attend, cancelled, attended, walk_ins
        Counts as printed; attended with walk-ins.
    capacity
        Places offered, where it is printed.

    Returns
    -------
    dict[str, float | int | None]
        gap: attended as booked by the register (attended − walk_ins) less what bookings leave (registered −
        did_not_attend − cancelled); 0 where the report adds up. attendance_rate (0 to 1): attended as booked ÷
        registered; None where there is a gap or nobody registered. take_up: attended ÷ capacity; None where it is not
        known or 0.

    Raises
    ------
    ParameterError
        When a count is negative, or more walked in than attended.

    References
    ----------
    Training report of the Leicester, Leicestershire and Rutland boards, quarter 1 of 2016-17, which prints 96%.

    Examples
    --------
    >>> found = reconcile_attendance(
    ...     registered=318, did_not_attend=20, cancelled=29, attended=304, walk_ins=35, capacity=393
    ... )
    >>> found["gap"], round(found["attendance_rate"], 3), round(found["take_up"], 3)
    (0, 0.846, 0.774)
    """
    counts = {"registered": registered, "did_not_attend": did_not_attend, "cancelled": cancelled}
    counts |= {"attended": attended, "walk_ins": walk_ins, "capacity": capacity or 0}
    negative = [name for name, count in counts.items() if count < 0]
    if negative:
        raise ParameterError(f"{', '.join(negative)}: a count is 0 or more.")
    as_booked = attended - walk_ins
    if as_booked < 0:
        raise ParameterError(f"walk_ins: {walk_ins:,} walked in, but only {attended:,} attended in all.")
    gap = as_booked - (registered - did_not_attend - cancelled)
    return {
        "gap": gap,
        "attendance_rate": as_booked / registered if registered and not gap else None,
        "take_up": attended / capacity if capacity else None,
    }


def training_reach(
    bookings: IntoFrame,
    sessions: IntoFrame,
    workforce: IntoFrame,
    by: str | Sequence[str] = ("agency",),
    *,
    confidence: float = 0.95,
    totals: bool = False,
) -> pl.DataFrame:
    """Share of the eligible staff who have attended training, each person counted once.

    Parameters
    ----------
    bookings
        One row per person and session: session, person, agency, status, and the booking columns named in `by`. All
        attended rows count: filter them to the courses the question is about.
    sessions
        One row per session: session, the session columns named in `by`, and date where `by` holds time_period.
    workforce
        One row per agency, level, target group and period: eligible_staff (people) and every column named in `by`. All
        rows count: filter them to the staff the programme is for.
    by
        Columns of the workforce that bookings or sessions have too, or ``"time_period"`` (reporting year of the
        session's date); none for one row overall. agency and target_group are those of the booking; any other column
        that both tables have is the session's.
    confidence
        Of the Wilson interval, between 0 and 1.
    totals
        Whether to add "Total" rows for every combination of group columns (group columns become text).

    Returns
    -------
    pl.DataFrame
        One row per group, sorted by the group columns. numerator (people who attended), denominator (eligible staff),
        proportion, lower, upper (0 to 1). A group nobody came from is a row with numerator 0. Not suppressed.

        Null: denominator where the group is not in the workforce, or an agency that it holds or that came made no
        return (a missing return is not zero); proportion, lower and upper where the denominator is null or 0, or
        smaller than the numerator (more people reached than the return says are eligible: the return is wrong).

    Raises
    ------
    TableError
        When a column is missing, a session stands twice, a status is not allowed, or a person is empty.
    ParameterError
        When `by` names an unknown column, or one the workforce does not have, or when the workforce holds several
        periods and `by` does not hold time_period.

    Notes
    -----
    numerator = distinct pairs of agency and person with status attended, booked or walk-in, in the group. Where
    bookings have a column learner, only local learners count: others are nobody's eligible staff. Eligible
    staff are head-counts by agency, so somebody who works for two agencies is one of the staff of each. In a "Total"
    row it is the sum of the groups, so that margins add up: distinct agency, person and group. Where one person can be
    in two groups, such as two periods, the total counts that person in each.

    The interval takes people as independent; agencies that send whole teams make the true one wider. Reach says who
    came, not who learned anything: see `knowledge_gain`.

    References
    ----------
    Interval: Wilson 1927, JASA 22:209. Three denominators (places, people, eligible staff): the Kent Annual Report
    2007-08 prints "1053 places" and "1053 persons" of the same courses.

    Examples
    --------
    >>> import polars as pl
    >>> bookings = pl.DataFrame({
    ...     "session": ["s1", "s2", "s1", "s1"],
    ...     "person": ["p1", "p1", "p2", "p3"],
    ...     "agency": ["Health", "Health", "Health", "Police"],
    ...     "status": ["attended", "attended", "did_not_attend", "attended"],
    ... })
    >>> sessions = pl.DataFrame({"session": ["s1", "s2"]})
    >>> workforce = pl.DataFrame({
    ...     "agency": ["Health", "Housing"], "time_period": ["2012", "2012"], "eligible_staff": [4, 5]
    ... })
    >>> training_reach(bookings, sessions, workforce).select("agency", "numerator", "denominator", "proportion").rows()
    [('Health', 1, 4, 0.25), ('Housing', 0, 5, 0.0), ('Police', 1, None, None)]
    """
    booked, held = open_registers(bookings, sessions, ["session", "person", "agency", "status"], ["session"])
    staff = open_frame(workforce, ["eligible_staff"], "workforce")
    groups = group_columns(by, *columns_to_group_by(booked, held), taken=list(PROPORTION.columns))
    _check_workforce_columns(groups, staff)
    check_people(booked)

    eligible = fetch(staff)
    check_one_period(eligible, groups)
    counts = _with_eligible(_people_reached(booked, held, groups), eligible, groups)
    if totals:
        counts = with_totals(counts, groups)
    return in_order(with_share(counts, confidence), [*groups, *SHARE], groups)


def training_coverage(
    bookings: IntoFrame,
    sessions: IntoFrame,
    workforce: IntoFrame | None = None,
    by: str | Sequence[str] = ("agency",),
    *,
    confidence: float = 0.95,
    totals: bool = False,
) -> pl.DataFrame:
    """Places taken, people reached and eligible staff side by side: three denominators that are easily mixed up.

    Parameters
    ----------
    bookings, sessions, workforce, by, confidence, totals
        As for `training_reach`. The workforce may be left out, and need not have the columns of `by`.

    Returns
    -------
    pl.DataFrame
        One row per group, sorted by the group columns. places, people, eligible_staff, share_of_places (of all places
        taken, 0 to 1), reach (people ÷ eligible staff, 0 to 1), lower, upper (0 to 1). Not suppressed.

        Null: eligible_staff where the workforce is left out, has not the columns of `by`, or is incomplete for the
        group; reach and its interval as in `training_reach`; share_of_places where nobody attended at all.

    Raises
    ------
    TableError
        When a column is missing, a session stands twice, a status is not allowed, or a person is empty.
    ParameterError
        When `by` names an unknown column, or the workforce holds several periods and `by` not time_period.

    Notes
    -----
    places = attended rows, of learners from out of the area too, because they took a place; people and reach as in
    `training_reach`. A share of places is not reach: an agency can fill most of a room with few of its staff.

    References
    ----------
    Kent Annual Report 2007-08: health and the county's children, families and education directorate took 76% of the
    places; how much of their staff that was is not printed.

    Examples
    --------
    >>> import polars as pl
    >>> bookings = pl.DataFrame({
    ...     "session": ["s1", "s2", "s1", "s1"],
    ...     "person": ["p1", "p1", "p2", "p3"],
    ...     "agency": ["Health", "Health", "Health", "Police"],
    ...     "status": ["attended", "attended", "attended", "attended"],
    ... })
    >>> sessions = pl.DataFrame({"session": ["s1", "s2"]})
    >>> workforce = pl.DataFrame({"agency": ["Health", "Police"], "time_period": "2012", "eligible_staff": [20, 1]})
    >>> training_coverage(bookings, sessions, workforce).select("places", "people", "eligible_staff", "reach").rows()
    [(3, 2, 20, 0.1), (1, 1, 1, 1.0)]
    """
    booked, held = open_registers(bookings, sessions, ["session", "person", "agency", "status"], ["session"])
    groups = group_columns(by, *columns_to_group_by(booked, held), taken=list(COVERAGE.columns))
    check_people(booked)
    reached = _people_reached(booked, held, groups)
    eligible = fetch(open_frame(workforce, ["eligible_staff"], "workforce")) if workforce is not None else None
    if eligible is not None and set(groups) <= set(eligible.columns):
        check_one_period(eligible, groups)
        counts = _with_eligible(reached, eligible, groups)
    else:
        people = per_group(reached, groups, pl.col("numerator").sum())
        counts = people.with_columns(pl.lit(None, pl.Int64).alias("denominator"))
    places = per_group(_places_taken(booked, held, groups), groups, pl.col("places").sum())
    # Of a group to which only learners from out of the area belong nobody is eligible here.
    joined = join_groups(places, counts, groups)
    found = joined.with_columns(pl.col("places", "numerator").fill_null(0))
    everyone = found["places"].sum()
    if totals and groups:
        eligible_here = pl.when(pl.col("numerator").is_not_null()).then("denominator").otherwise(pl.lit(0))
        filled = joined.with_columns(eligible_here.alias("denominator")).with_columns(
            pl.col("places", "numerator").fill_null(0)
        )
        margins = with_totals(filled, groups).filter(pl.any_horizontal(pl.col(groups) == TOTAL))
        found = pl.concat([found.with_columns(pl.col(groups).cast(pl.String)), margins], how="vertical_relaxed")
    shares = with_share(found, confidence).with_columns(
        divide(pl.col("places"), pl.lit(everyone)).alias("share_of_places")
    )
    names = {"numerator": "people", "denominator": "eligible_staff", "proportion": "reach"}
    return in_order(shares.rename(names), [*groups, *COVERAGE.columns], groups)


def _attended(booked: Frame, held: Frame, groups: Sequence[str]) -> Frame:
    """The attended rows with the group columns of their sessions."""
    came = booked.filter(nw.col("status") == "attended")
    return with_session_columns(came, held, session_columns(groups, booked, held))


def _places_taken(booked: Frame, held: Frame, groups: Sequence[str]) -> pl.DataFrame:
    """Attended rows per group and agency."""
    attended = _attended(taking_places(booked), held, groups)
    return fetch(attended.group_by(*dict.fromkeys([*groups, "agency"])).agg(nw.len().alias("places")))


def _people_reached(booked: Frame, held: Frame, groups: Sequence[str]) -> pl.DataFrame:
    """Distinct people per group and agency.

    In two steps, because a distinct count inside an aggregation takes twice the memory and is wrong on some engines.
    """
    attended = _attended(of_the_area(booked), held, groups)
    keys = list(dict.fromkeys([*groups, "agency"]))
    people = with_short_keys(attended, keys).group_by(*keys, "person").agg(nw.len().alias("places"))
    return fetch(people.group_by(*keys).agg(nw.len().alias("numerator")))


def _with_eligible(reached: pl.DataFrame, eligible: pl.DataFrame, groups: Sequence[str]) -> pl.DataFrame:
    """People reached and eligible staff per group; the latter null where an agency made no return."""
    counts = join_groups(
        per_group(_with_return(reached, eligible), groups, pl.col("numerator").sum(), (~pl.col("returned")).sum()),
        per_group(eligible, groups, complete_sum("eligible_staff").alias("denominator")),
        groups,
    )
    return counts.select(
        *groups,
        pl.col("numerator").fill_null(0).cast(pl.Int64),
        pl.when(pl.col("returned").fill_null(0) == 0).then("denominator").alias("denominator"),
    )


def _outcomes(places: Frame, held: Frame, groups: list[str], of_session: list[str]) -> Frame:
    """Count bookings per group, status and booked or not."""
    outcome = ["status", "booked"]
    if len(of_session) < len(groups):
        keys = list(dict.fromkeys([*groups, *outcome]))
        return with_session_columns(places, held, of_session).group_by(*keys).agg(nw.len().alias("rows"))
    # Counted per session first, so that a few rows per session are joined and not every booking.
    per_session = places.group_by("session", *outcome).agg(nw.len().alias("rows"))
    grouped = with_session_columns(per_session, held, of_session).group_by(*groups, *outcome)
    return grouped.agg(nw.col("rows").sum()).with_columns(nw.col("rows").cast(nw.Int64))


def _with_return(reached: pl.DataFrame, eligible: pl.DataFrame) -> pl.DataFrame:
    """Tell of each agency that came whether the workforce holds its eligible staff for the group."""
    keys = [name for name in reached.columns if name != "numerator"]
    if "agency" not in eligible.columns:
        return reached.with_columns(returned=pl.lit(value=True))
    returns = eligible.select(keys).unique().with_columns(returned=pl.lit(value=True))
    found = join_groups(reached, returns, keys).filter(pl.col("numerator").is_not_null())
    return found.with_columns(pl.col("returned").fill_null(value=False))


def _outcome_counts(outcomes: pl.DataFrame, groups: list[str]) -> pl.DataFrame:
    """Add up the outcomes per group. Only what was booked can be missed or cancelled, so the counts reconcile."""
    status, booked, rows = pl.col("status"), pl.col("booked"), pl.col("rows")
    settled = ("attended", "did_not_attend", "cancelled")
    return per_group(
        outcomes,
        groups,
        rows.filter(booked & status.is_in(settled)).sum().alias("registered"),
        rows.filter(status == "attended").sum().alias("attended"),
        rows.filter(~booked & (status == "attended")).sum().alias("walk_ins"),
        rows.filter(booked & (status == "did_not_attend")).sum().alias("did_not_attend"),
        rows.filter(booked & (status == "cancelled")).sum().alias("cancelled"),
    )


def _check_workforce_columns(groups: Sequence[str], staff: Frame) -> None:
    """Refuse groups whose eligible staff nobody counted."""
    missing = [name for name in groups if name not in staff.collect_schema().names()]
    if missing:
        raise ParameterError(
            f"by: eligible staff by {' and '.join(missing)} are not known. "
            f"Add a column {' and a column '.join(missing)} to workforce, or group by what it has."
        )
