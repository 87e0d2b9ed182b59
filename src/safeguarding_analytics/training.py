"""Attendance and take-up of training, and its reach among the staff who are to be trained.

Frames may be anything Narwhals accepts (polars eager or lazy, a DuckDB relation, PySpark, pandas, pyarrow); what counts
rows runs where the frame lives, and the result is a polars frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import narwhals as nw
import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.dates import reporting_year
from safeguarding_analytics.errors import ParameterError, TableError, nearest, require_columns, shorten
from safeguarding_analytics.groups import (
    complete_sum,
    fetch,
    group_columns,
    join_groups,
    open_frame,
    per_group,
    with_totals,
)
from safeguarding_analytics.intervals import wilson
from safeguarding_analytics.tables import ATTENDANCE, PROPORTION, STATUSES, Bookings

TIME_PERIOD = "time_period"

Frame: TypeAlias = nw.LazyFrame[Any]


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
        time_period.
    by
        Columns of bookings or sessions, or ``"time_period"`` (reporting year of the session's date); none for one row
        overall. agency and target_group are those of the booking; any other column that both tables have is the
        session's.
    totals
        Whether to add "Total" rows for every combination of group columns (group columns become text).

    Returns
    -------
    pl.DataFrame
        One row per group, sorted by the group columns. registered, attended, walk_ins, did_not_attend, cancelled
        (bookings), attendance_rate (0 to 1), capacity (places), take_up (0 to 1, above 1 where sessions were
        over-filled), share_of_places (0 to 1). A session nobody booked is in its group with its capacity; a booking of
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
    booked, held = _read(bookings, sessions, ["session", "status", "booked"], ["session", "capacity"])
    groups = group_columns(by, *_columns_to_group_by(booked, held), taken=list(ATTENDANCE.columns))
    of_session = _session_columns(groups, booked, held)
    outcomes = fetch(
        _with_session_columns(booked, held, of_session)
        .group_by(*dict.fromkeys([*groups, "status", "booked"]))
        .agg(nw.len().alias("rows"))
    )
    _check_statuses(outcomes)
    _check_booked(outcomes)
    counts = _outcome_counts(outcomes, groups)
    if len(of_session) == len(groups):
        places = fetch(_with_time_period(held, groups).select(*groups, "capacity"))
        counts = join_groups(counts, per_group(places, groups, complete_sum("capacity")), groups)
    else:
        counts = counts.with_columns(pl.lit(None, pl.Int64).alias("capacity"))
    counts = counts.with_columns(pl.col(ATTENDANCE.counts).fill_null(0))
    everyone = counts["attended"].sum()
    if totals:
        counts = with_totals(counts, groups)
    attended = pl.col("attended")
    rates = counts.with_columns(
        _divide(attended - pl.col("walk_ins"), pl.col("registered")).alias("attendance_rate"),
        _divide(attended, pl.col("capacity")).alias("take_up"),
        _divide(attended, pl.lit(everyone)).alias("share_of_places"),
    )
    return _in_order(rates, [*groups, *ATTENDANCE.columns], groups)


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
    numerator = distinct pairs of agency and person with status attended, booked or walk-in, in the group: eligible
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
    booked, held = _read(bookings, sessions, ["session", "person", "agency", "status"], ["session"])
    staff = open_frame(workforce, ["eligible_staff"], "workforce")
    groups = group_columns(by, *_columns_to_group_by(booked, held), taken=list(PROPORTION.columns))
    _check_workforce_columns(groups, staff)
    statuses = booked.select("status", nw.col("person").is_null().cast(nw.Int64).alias("without"))
    _check_people(fetch(statuses.group_by("status").agg(nw.len().alias("rows"), nw.col("without").sum())))

    came = booked.filter(nw.col("status") == "attended")
    attended = _with_session_columns(came, held, _session_columns(groups, booked, held))
    # Two steps, because a distinct count inside an aggregation takes twice the memory and is wrong on some engines.
    people = attended.group_by(*dict.fromkeys([*groups, "agency", "person"])).agg(nw.len().alias("places"))
    keys = list(dict.fromkeys([*groups, "agency"]))
    reached = fetch(people.group_by(*keys).agg(nw.len().alias("numerator")))
    eligible = fetch(staff)
    _check_one_period(groups, eligible)
    counts = join_groups(
        per_group(_with_return(reached, eligible), groups, pl.col("numerator").sum(), (~pl.col("returned")).sum()),
        per_group(eligible, groups, complete_sum("eligible_staff").alias("denominator")),
        groups,
    )
    counts = counts.select(
        *groups,
        pl.col("numerator").fill_null(0).cast(pl.Int64),
        pl.when(pl.col("returned").fill_null(0) == 0).then("denominator").alias("denominator"),
    )
    if totals:
        counts = with_totals(counts, groups)
    numerator, denominator = pl.col("numerator"), pl.col("denominator")
    shares = counts.with_columns(
        pl.when(numerator <= denominator).then(_divide(numerator, denominator)).alias("proportion"),
        *wilson(numerator, denominator, confidence),
    )
    return _in_order(shares, [*groups, *PROPORTION.columns], groups)


def _with_return(reached: pl.DataFrame, eligible: pl.DataFrame) -> pl.DataFrame:
    """Tell of each agency that came whether the workforce holds its eligible staff for the group."""
    keys = [name for name in reached.columns if name != "numerator"]
    if "agency" not in eligible.columns:
        return reached.with_columns(returned=pl.lit(value=True))
    returns = eligible.select(keys).unique().with_columns(returned=pl.lit(value=True))
    found = join_groups(reached, returns, keys).filter(pl.col("numerator").is_not_null())
    return found.with_columns(pl.col("returned").fill_null(value=False))


def _read(
    bookings: IntoFrame, sessions: IntoFrame, of_bookings: Sequence[str], of_sessions: Sequence[str]
) -> tuple[Frame, Frame]:
    """Open both tables on one engine, and make sure that a join with sessions cannot multiply bookings."""
    booked, held = open_frame(bookings, of_bookings, "bookings"), open_frame(sessions, of_sessions, "sessions")
    if booked.implementation != held.implementation:
        booked, held = nw.from_native(fetch(booked)).lazy(), nw.from_native(fetch(held)).lazy()
    times = fetch(held.group_by("session").agg(nw.len().alias("rows")))
    twice = times.filter(pl.col("rows") > 1)["session"].sort()
    if len(twice) > 0:
        raise TableError(
            f"sessions: {len(twice):,} of {len(times):,} stand in more than one row: {shorten(twice.to_list())}. "
            "Keep one row per session, or its bookings would count more than once."
        )
    return booked, held


def _columns_to_group_by(booked: Frame, held: Frame) -> tuple[list[str], str]:
    """The columns `by` may name, and where they are."""
    names = [*booked.collect_schema().names(), *held.collect_schema().names(), TIME_PERIOD]
    return list(dict.fromkeys(names)), "bookings or sessions"


def _session_columns(groups: Sequence[str], booked: Frame, held: Frame) -> list[str]:
    """Those of the group columns that tell sessions apart, as opposed to the people booked."""
    of_person = {*Bookings.column_names()} & {*booked.collect_schema().names()} - {"session"}
    of_session = {*held.collect_schema().names(), TIME_PERIOD}
    return [name for name in groups if name in of_session and name not in of_person]


def _with_time_period(held: Frame, groups: Sequence[str]) -> Frame:
    """Add the reporting year of each session's date where it is asked for."""
    if TIME_PERIOD not in groups:
        return held
    schema = held.collect_schema()
    require_columns(schema.names(), ["date"], "sessions")
    if schema["date"] not in (nw.Date, nw.Datetime):
        raise TableError(f"sessions: column date holds {schema['date']}. Wanted: dates. Parse the column first.")
    return held.with_columns(reporting_year(nw.col("date")).alias(TIME_PERIOD))


def _with_session_columns(booked: Frame, held: Frame, of_session: Sequence[str]) -> Frame:
    """Give each booking the group columns of its session."""
    wanted = [name for name in of_session if name != "session"]
    if not wanted:
        return booked
    known = _with_time_period(held, of_session).select("session", *wanted)
    return booked.drop(*wanted, strict=False).join(known, on="session", how="left")


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


def _divide(count: pl.Expr, of: pl.Expr) -> pl.Expr:
    """Divide, with null for nothing to divide by."""
    return pl.when(of > 0).then(count / of)


def _in_order(frame: pl.DataFrame, columns: list[str], groups: list[str]) -> pl.DataFrame:
    """Bring columns and rows into the order of the shape."""
    return frame.select(columns).sort(groups) if groups else frame.select(columns)


def _check_statuses(statuses: pl.DataFrame) -> None:
    """Refuse words the contract does not know. Wants status and rows."""
    found = statuses.filter(~pl.col("status").is_in(STATUSES).fill_null(value=False))
    if len(found) == 0:
        return
    words = sorted({word or "" for word in found["status"]})
    quoted = [f'"{word}"' if word else "empty" for word in words]
    raise TableError(
        f"bookings: {found['rows'].sum():,} of {statuses['rows'].sum():,} rows have a status that is not allowed. "
        f"Found: {shorten(quoted)}. Allowed: {', '.join(STATUSES)}.{nearest(words[-1], STATUSES)}"
    )


def _check_booked(outcomes: pl.DataFrame) -> None:
    """Refuse rows of which nobody knows whether they are walk-ins. Wants booked and rows."""
    if outcomes.height and outcomes.schema["booked"] != pl.Boolean:
        raise TableError(f"bookings: column booked holds {outcomes.schema['booked']}. Wanted: true or false.")
    unknown = outcomes.filter(pl.col("booked").is_null())["rows"].sum()
    if unknown:
        raise TableError(
            f"bookings: {unknown:,} of {outcomes['rows'].sum():,} rows have an empty booked. "
            "Wanted: true, or false for a walk-in."
        )


def _check_people(statuses: pl.DataFrame) -> None:
    """Refuse rows without a person, which would all count as one. Wants status, rows and without."""
    _check_statuses(statuses)
    without = statuses["without"].sum()
    if without:
        raise TableError(
            f"bookings: {without:,} of {statuses['rows'].sum():,} rows have no person. "
            "Give every row a pseudonym, or leave those rows out and say so."
        )


def _check_workforce_columns(groups: Sequence[str], staff: Frame) -> None:
    """Refuse groups whose eligible staff nobody counted."""
    missing = [name for name in groups if name not in staff.collect_schema().names()]
    if missing:
        raise ParameterError(
            f"by: eligible staff by {' and '.join(missing)} are not known. "
            f"Add a column {' and a column '.join(missing)} to workforce, or group by what it has."
        )


def _check_one_period(groups: Sequence[str], eligible: pl.DataFrame) -> None:
    """Refuse to add up years, which would count the same staff twice."""
    periods = eligible[TIME_PERIOD].unique().sort().to_list() if TIME_PERIOD in eligible.columns else []
    if TIME_PERIOD not in groups and len(periods) > 1:
        raise ParameterError(
            f"workforce: {len(periods)} time periods ({shorten(periods)}); adding them up would count the same staff "
            'more than once. Filter workforce to one time_period, or add "time_period" to by.'
        )
