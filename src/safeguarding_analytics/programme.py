"""A training programme as it goes on: people reached to date, what is missing where, the mix of agencies, costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import narwhals as nw
import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.errors import ParameterError, TableError, nearest, require_columns, shorten
from safeguarding_analytics.groups import (
    complete_sum,
    divide,
    fetch,
    group_columns,
    join_groups,
    open_frame,
    per_group,
    sessions_for,
    with_totals,
)
from safeguarding_analytics.registers import (
    MONTH,
    Frame,
    average_session,
    check_people,
    check_statuses,
    columns_to_group_by,
    in_order,
    of_the_area,
    open_registers,
    require_dates,
    session_columns,
    taking_places,
    with_periods,
    with_session_columns,
    with_what_it_takes,
)
from safeguarding_analytics.shapes import COST, COUNT, MIX, PROGRESS
from safeguarding_analytics.tables import TOTAL

TO_DATE = "to_date"
FIRST = "first_"


def cumulative_reach(
    bookings: IntoFrame,
    sessions: IntoFrame,
    by: str | Sequence[str] = (),
    *,
    every: Literal["to_date", "month"] = "to_date",
) -> pl.DataFrame:
    """How many people had been reached by each day, or by the end of each month, of a programme.

    Parameters
    ----------
    bookings
        One row per person and session: session, person, agency, status, and the booking columns named in `by`.
    sessions
        One row per session: session, date, and the session columns named in `by`. Sessions to come have no part: leave
        those out that are later than the day of the evaluation.
    by
        Columns of bookings or sessions; none for the whole programme.
    every
        ``"to_date"`` for the days on which a session was held, ``"month"`` for every month from the first to the last.

    Returns
    -------
    pl.DataFrame
        One row per group and day or month, sorted by them. count = people reached up to and including it, each person
        of an agency once. Every group has every day, so that lines can be compared; of columns of sessions, also a
        group to which nobody came yet. Not suppressed.

    Raises
    ------
    TableError
        When a column is missing, a session stands twice or has no date, a status is not allowed, or a person is empty.
    ParameterError
        When `by` names an unknown column.

    Notes
    -----
    A person counts from the first session attended, in each group of its own: somebody who came in two districts counts
    in both. Learners from out of the area, trainers and test users are left out. To publish, give `suppress` the lookup
    of `running_totals`, or the difference of two days could tell a small number.

    References
    ----------
    Kent district safeguarding workshops plan, 2011: about 1,200 professionals by the end of June.

    Examples
    --------
    >>> from datetime import date
    >>> import polars as pl
    >>> bookings = pl.DataFrame({
    ...     "session": ["s1", "s2", "s2"],
    ...     "person": ["p1", "p1", "p2"],
    ...     "agency": ["Health", "Health", "Police"],
    ...     "status": ["attended", "attended", "attended"],
    ... })
    >>> sessions = pl.DataFrame({"session": ["s1", "s2"], "date": [date(2011, 5, 10), date(2011, 5, 11)]})
    >>> cumulative_reach(bookings, sessions).rows()
    [(datetime.date(2011, 5, 10), 1), (datetime.date(2011, 5, 11), 2)]
    """
    booked, held = open_registers(bookings, sessions, ["session", "person", "agency", "status"], ["session", "date"])
    require_dates(held)
    groups = group_columns(by, *columns_to_group_by(booked, held), taken=[*COUNT.columns, every])
    check_people(booked)
    held = _dated(held, every)
    came = of_the_area(booked).filter(nw.col("status") == "attended")
    attended = with_session_columns(came, held, [*session_columns(groups, booked, held), every])
    attended = attended.filter(~nw.col(every).is_null())
    keys = list(dict.fromkeys([*groups, "agency", "person"]))
    people = attended.group_by(*keys).agg(nw.col(every).min().alias(every))
    first = fetch(people.group_by(*groups, every).agg(nw.len().alias("count")))
    days = _every_day(fetch(held.select(every)).drop_nulls().unique(), every)
    of_sessions = len(session_columns(groups, booked, held)) == len(groups)
    known = fetch(with_periods(held, groups).select(*groups)) if groups and of_sessions else first.select(groups)
    grid = known.unique().join(days, how="cross") if groups else days
    keys = [*groups, every]
    counts = grid.join(first, on=keys, how="left", nulls_equal=True).sort(keys)
    running = pl.col("count").fill_null(0).cum_sum().cast(pl.Int64)
    return counts.with_columns(running.over(groups) if groups else running).select(*keys, "count")


def running_totals(table: pl.DataFrame, column: str = TO_DATE) -> pl.DataFrame:
    """Say which first days lie within each running total, as `suppress` wants it of its ``within``.

    Parameters
    ----------
    table
        As `cumulative_reach` gives it.
    column
        The column of days or months.

    Returns
    -------
    pl.DataFrame
        One row per day and running total that holds it, in this order: ``first_to_date``, ``to_date``.

    Examples
    --------
    >>> import polars as pl
    >>> running_totals(pl.DataFrame({"month": ["2011-05", "2011-06"], "count": [9, 20]}), "month").rows()
    [('2011-05', '2011-05'), ('2011-05', '2011-06'), ('2011-06', '2011-06')]
    """
    require_columns(table.columns, [column], "the table of running totals")
    days = table.select(column).unique().sort(column)
    first = days.rename({column: f"{FIRST}{column}"})
    pairs = first.join(days, how="cross").filter(pl.col(f"{FIRST}{column}") <= pl.col(column))
    return pairs.sort(pl.all())


def programme_targets(
    sessions: IntoFrame, target: int | None, by: str = "district", *, own: Mapping[str, int] | None = None
) -> pl.DataFrame:
    """Share a programme's target out among its districts, in proportion to the places planned in each.

    Parameters
    ----------
    sessions
        One row per session: capacity and the column `by`; kind, where there is one: mop-up sessions make up for what is
        missing and are left out.
    target
        People the programme is to train, 1 or more; None where the board set no target.
    by
        Column of sessions.
    own
        Targets the board has set for its groups, by name; then nothing is shared out.

    Returns
    -------
    pl.DataFrame
        One row per group, sorted: `by` and target (people), which add up to the whole unless they are the groups' own.
        Null throughout where the capacity of a session is not known, no place was planned, or there is no target.

    Raises
    ------
    TableError
        When a column is missing.
    ParameterError
        When the target is less than 1, `by` names a column that cannot be grouped by, or an own target is of a group in
        which there is no session.

    Notes
    -----
    Largest remainder, ties to the first in the order of the alphabet.

    Examples
    --------
    >>> import polars as pl
    >>> sessions = pl.DataFrame({"district": ["Dover", "Swale", "Swale"], "capacity": [50, 50, 50]})
    >>> programme_targets(sessions, 100).rows()
    [('Dover', 33), ('Swale', 67)]
    """
    if own:
        known = (
            fetch(open_frame(sessions, [by], "sessions").select(by))[by].cast(pl.String).drop_nulls().unique().sort()
        )
        unknown = [name for name in own if name not in known]
        if unknown:
            raise ParameterError(
                f"own targets: no session is in the {by} {shorten([repr(name) for name in unknown])}."
                f"{nearest(unknown[0], known.to_list())} Known: {shorten(known.to_list(), most=20)}."
            )
        return pl.DataFrame({by: list(own), "target": list(own.values())}, schema_overrides={"target": pl.Int64}).sort(
            by
        )
    if target is not None and target < 1:
        raise ParameterError(f"target must be 1 person or more. Found: {target}.")
    held = open_frame(sessions, [by, "capacity"], "sessions")
    group_columns(by, held.collect_schema().names(), "sessions", taken=list(PROGRESS.columns))
    places = fetch(held)
    if "kind" in places.columns:
        places = places.filter(pl.col("kind").ne_missing("mop_up"))
    planned = per_group(places, [by], complete_sum("capacity")).sort(by)
    capacities = planned["capacity"].to_list()
    if target is None or None in capacities or sum(capacities) == 0:
        return planned.select(by, pl.lit(None, pl.Int64).alias("target"))
    exact = [target * capacity for capacity in capacities]
    whole = [number // sum(capacities) for number in exact]
    left = sorted(range(len(exact)), key=lambda place: (-(exact[place] % sum(capacities)), place))
    more = set(left[: target - sum(whole)])
    shares = [number + (place in more) for place, number in enumerate(whole)]
    return planned.select(by, pl.Series("target", shares, dtype=pl.Int64))


def coverage_needed(
    bookings: IntoFrame,
    sessions: IntoFrame,
    targets: pl.DataFrame,
    by: str = "district",
    *,
    per_session: float | None = None,
    totals: bool = False,
) -> pl.DataFrame:
    """How many people are still to be reached in each district, and how many mop-up sessions that takes.

    Parameters
    ----------
    bookings
        One row per person and session: session, person, agency, status.
    sessions
        One row per session: session and the column `by`; cost, where costs are known.
    targets
        One row per group: the column `by` and target (whole number of people, 0 or more); see `programme_targets`.
    by
        Column of sessions, such as district or area.
    per_session
        People a session trains, more than 0; the average attendance of the sessions held where it is not given.
    totals
        Whether to add a "Total" row. It leaves open what is still needed in all: too many in one district do not make
        up for too few in another, and the sum would tell what is hidden elsewhere.

    Returns
    -------
    pl.DataFrame
        One row per group of either table, sorted: target, reached (people), still_needed, per_session (people),
        sessions_needed, cost_per_session (£), cost (£). Not suppressed. Null: target where the group has none, and what
        follows from it; cost where no cost is known.

    Raises
    ------
    TableError
        When a column is missing, a session or a target stands twice, a target is no whole number of 0 or more, a
        status is not allowed, or a person is empty.
    ParameterError
        When `by` names a column that cannot be grouped by, or per_session is 0 or less.

    Notes
    -----
    still_needed = target − reached, 0 where the target is passed. sessions_needed = still_needed ÷ per_session, rounded
    up. The place of the session decides, not where a person works: it says where to hold a session. Whether those who
    are still to come will come is not in it.

    References
    ----------
    Kent district safeguarding workshops plan, 2011: mop-up events in July, one each in East, Mid and West Kent.

    Examples
    --------
    >>> import polars as pl
    >>> bookings = pl.DataFrame({
    ...     "session": ["s1", "s1"], "person": ["p1", "p2"], "agency": ["Health", "Police"], "status": ["attended"] * 2
    ... })
    >>> sessions = pl.DataFrame({"session": ["s1"], "district": ["Dover"]})
    >>> targets = pl.DataFrame({"district": ["Dover", "Swale"], "target": [5, 4]})
    >>> coverage_needed(bookings, sessions, targets).select("district", "still_needed", "sessions_needed").rows()
    [('Dover', 3, 2), ('Swale', 4, 2)]
    """
    booked, held = open_registers(bookings, sessions, ["session", "person", "agency", "status"], ["session", by])
    _of_sessions(by, booked, held, list(PROGRESS.columns), "targets are those of sessions")
    _check_targets(targets, by)
    if per_session is not None and per_session <= 0:
        raise ParameterError(f"per_session must be more than 0. Found: {per_session}.")
    check_people(booked)
    came = with_session_columns(of_the_area(booked).filter(nw.col("status") == "attended"), held, [by])
    people = came.group_by(*dict.fromkeys([by, "agency", "person"])).agg(nw.len().alias("places"))
    reached = fetch(people.group_by(by).agg(nw.len().alias("reached")))
    everywhere = join_groups(reached, fetch(held.select(by).unique()).with_columns(held=pl.lit(value=True)), [by])
    counts = join_groups(everywhere.drop("held"), targets.select(by, pl.col("target").cast(pl.Int64)), [by])
    counts = counts.with_columns(pl.col("reached").fill_null(0).cast(pl.Int64)).with_columns(
        (pl.col("target") - pl.col("reached")).clip(0).alias("still_needed")
    )
    if totals:
        counts = with_totals(counts, [by])
        counts = counts.with_columns(pl.when(pl.col(by).ne_missing(TOTAL)).then("still_needed").alias("still_needed"))
    average, cost = average_session(booked, held)
    found = with_what_it_takes(counts, "still_needed", per_session or average, cost)
    return in_order(found, [by, *PROGRESS.columns], [by])


def progress_by(progress: pl.DataFrame, within: pl.DataFrame) -> pl.DataFrame:
    """Add up what districts still need to the areas they lie in.

    Parameters
    ----------
    progress
        As `coverage_needed` gives it, or the frame of its safe table; "Total" rows are left out.
    within
        One row per district: its column, then the column of the area it lies in.

    Returns
    -------
    pl.DataFrame
        One row per area, sorted: target, reached, still_needed (sums over the districts), per_session, sessions_needed,
        cost_per_session, cost, and mark where the table has one. Null: a sum of which a part is null. As a sum of what
        is shown it tells nothing that the districts' table does not.

    Raises
    ------
    TableError
        When a column is missing.

    Notes
    -----
    Somebody who came in two districts of an area counts in both. sessions_needed = still needed in the area ÷ people a
    session trains, rounded up: a mop-up session serves all districts of its area.

    Examples
    --------
    >>> import polars as pl
    >>> progress = pl.DataFrame({
    ...     "district": ["Dover", "Swale"],
    ...     "target": [100, 100],
    ...     "reached": [90, 101],
    ...     "still_needed": [10, 0],
    ...     "per_session": [40.0, 40.0],
    ...     "cost_per_session": [300.0, 300.0],
    ... })
    >>> within = pl.DataFrame({"district": ["Dover", "Swale"], "area": ["East", "East"]})
    >>> progress_by(progress, within).select("area", "target", "reached", "still_needed", "sessions_needed").rows()
    [('East', 200, 191, 10, 1)]
    """
    inner, outer = within.columns[:2]
    require_columns(progress.columns, [inner, "target", "reached", "still_needed", "per_session"], "progress")
    several = within.unique().filter(pl.col(inner).is_duplicated())[inner].unique().sort().to_list()
    if several:
        raise TableError(
            f"sessions: {inner} {shorten(several)} lies in more than one {outer}. Correct the column {outer}, so that "
            f"each {inner} lies in one."
        )
    districts = progress.filter(pl.col(inner).cast(pl.String).ne_missing(TOTAL))
    joined = districts.join(within.select(inner, outer).unique(), on=inner, how="inner", nulls_equal=True)
    sums = [complete_sum(name) for name in ("target", "reached", "still_needed")]
    marks = [pl.col("mark").max()] if "mark" in progress.columns else []
    added = joined.group_by(outer).agg(*sums, pl.col("per_session", "cost_per_session").first(), *marks)
    sessions = sessions_for(pl.col("still_needed"), pl.col("per_session"))
    sized = added.with_columns(sessions.alias("sessions_needed")).with_columns(
        (pl.col("sessions_needed") * pl.col("cost_per_session")).alias("cost")
    )
    return in_order(sized, [outer, *PROGRESS.columns, *(["mark"] if marks else [])], [outer])


def _check_targets(targets: pl.DataFrame, by: str) -> None:
    """One target per group, a whole number of people."""
    require_columns(targets.columns, [by, "target"], "targets")
    twice = targets.filter(targets[by].is_duplicated())[by].unique().sort().to_list()
    if twice:
        raise TableError(f"targets: {by} {shorten(twice)} stands in more than one row. Keep one target for each.")
    numbers = targets["target"].cast(pl.Float64)
    wrong = targets.filter((numbers < 0) | (numbers != numbers.round()))[by].to_list()
    if wrong:
        raise TableError(f"targets: the target of {shorten(wrong)} is no whole number of 0 or more people.")


def inter_agency_mix(
    bookings: IntoFrame, sessions: IntoFrame, agencies: IntoFrame, by: str | Sequence[str] = ("session",)
) -> pl.DataFrame:
    """How well the agencies were mixed in each session.

    Parameters
    ----------
    bookings
        One row per person and session: session, agency, status.
    sessions
        One row per session: session and the columns named in `by`.
    agencies
        One row per agency of the board: agency.
    by
        Columns of sessions; ``("session",)`` for one row per session.

    Returns
    -------
    pl.DataFrame
        One row per group, sorted: attended, agencies_present, share_of_agencies (of those of the board, 0 to 1),
        effective_agencies (whole number). Not suppressed. Null but attended where nobody came whose agency is known.

    Raises
    ------
    TableError
        When a column is missing, a session stands twice, or a status is not allowed.
    ParameterError
        When `by` names an unknown column, or one of bookings.

    Notes
    -----
    effective_agencies = 1 ÷ Σ p², p being the agencies' shares of those who attended (inverse Simpson index): ten
    agencies of which one fills most of the room are hardly more than one. It is rounded, because with few agencies its
    decimals would tell how many came from each. What a good mix is, no document of a board says: no threshold is set.

    References
    ----------
    Simpson 1949, Nature 163:688; Hill 1973, Ecology 54:427 (N2). Kirklees learning and development strategy 2011-14:
    registers are checked for "a good inter-agency mix".

    Examples
    --------
    >>> import polars as pl
    >>> bookings = pl.DataFrame({
    ...     "session": ["s1"] * 4, "agency": ["Health", "Health", "Police", "Police"], "status": ["attended"] * 4
    ... })
    >>> agencies = pl.DataFrame({"agency": ["Health", "Police", "Housing", "Schools"]})
    >>> inter_agency_mix(bookings, pl.DataFrame({"session": ["s1"]}), agencies).rows()
    [('s1', 4, 2, 0.5, 2)]
    """
    booked, held = open_registers(bookings, sessions, ["session", "agency", "status"], ["session"])
    groups = _of_sessions(by, booked, held, list(MIX.columns), "the mix is that of a room")
    check_statuses(fetch(booked.group_by("status").agg(nw.len().alias("rows"))))
    known = fetch(open_frame(agencies, ["agency"], "agencies").select("agency"))["agency"].drop_nulls().unique()
    came = with_session_columns(taking_places(booked).filter(nw.col("status") == "attended"), held, groups)
    per_agency = fetch(came.group_by(*groups, "agency").agg(nw.len().alias("people")))
    people, named = pl.col("people"), pl.col("agency").is_not_null()
    squares = (people * people).filter(named).sum()
    mixed = per_group(
        per_agency,
        groups,
        people.sum().alias("attended"),
        pl.col("agency").drop_nulls().n_unique().cast(pl.Int64).alias("agencies_present"),
        pl.col("agency").is_in(known.implode()).sum().cast(pl.Int64).alias("of_the_board"),
        divide(people.filter(named).sum() ** 2, squares).alias("effective_agencies"),
    )
    every = fetch(with_periods(held, groups).select(*groups)).unique() if groups else pl.DataFrame([{}])
    rows = join_groups(every.with_columns(held=pl.lit(value=True)), mixed, groups) if groups else mixed
    anyone = pl.col("agencies_present") > 0
    return in_order(
        rows.with_columns(
            pl.col("attended").fill_null(0).cast(pl.Int64),
            pl.when(anyone).then("agencies_present").alias("agencies_present"),
            pl.when(anyone).then(divide(pl.col("of_the_board"), pl.lit(len(known)))).alias("share_of_agencies"),
            pl.when(anyone).then(pl.col("effective_agencies").add(0.5).floor().cast(pl.Int64)),
        ),
        [*groups, *MIX.columns],
        groups,
    )


def training_cost(
    bookings: IntoFrame, sessions: IntoFrame, by: str | Sequence[str] = ("course",), *, totals: bool = False
) -> pl.DataFrame:
    """What a place taken and a person reached cost.

    Parameters
    ----------
    bookings
        One row per person and session: session, person, agency, status.
    sessions
        One row per session: session, cost (£; 0 = in kind, null = not known), and the columns named in `by`.
    by
        Columns of sessions; none for one row overall.
    totals
        Whether to add "Total" rows.

    Returns
    -------
    pl.DataFrame
        One row per group, sorted: places, people, sessions, sessions_costed, total_cost (£), cost_per_place (£),
        cost_per_person (£). Not suppressed. Null: a quotient of nobody; total_cost where no cost is known.

    Raises
    ------
    TableError
        When a column is missing, a session stands twice, a status is not allowed, or a person is empty.
    ParameterError
        When `by` names an unknown column, or one of bookings.

    Notes
    -----
    Places and people are those of the sessions whose cost is known, so that an unknown cost makes nothing look cheap.
    People are those reached, without learners from out of the area, who take places and are reached by nobody here.
    Only the cost that the board gives is in it: not the time of those who came, nor what was given in kind.

    Examples
    --------
    >>> import polars as pl
    >>> bookings = pl.DataFrame({
    ...     "session": ["s1", "s2", "s3"], "person": ["p1", "p1", "p2"], "agency": ["A"] * 3, "status": ["attended"] * 3
    ... })
    >>> sessions = pl.DataFrame({"session": ["s1", "s2", "s3"], "course": ["Core"] * 3, "cost": [30.0, 50.0, None]})
    >>> training_cost(bookings, sessions).rows()
    [('Core', 2, 1, 3, 2, 80.0, 40.0, 80.0)]
    """
    booked, held = open_registers(bookings, sessions, ["session", "person", "agency", "status"], ["session", "cost"])
    groups = _of_sessions(by, booked, held, list(COST.columns), "costs are those of sessions")
    check_people(booked)
    costed = held.filter(~nw.col("cost").is_null())
    came = (
        taking_places(booked)
        .filter(nw.col("status") == "attended")
        .join(costed.select("session"), on="session", how="semi")
    )
    attended = with_session_columns(came, held, groups)
    keys = list(dict.fromkeys([*groups, "agency", "person"]))
    taken = fetch(attended.group_by(*keys).agg(nw.len().alias("places")))
    local = fetch(of_the_area(attended).group_by(*keys).agg(nw.len().alias("local")))
    people = join_groups(taken, local, keys)
    took = per_group(people, groups, pl.col("places").sum(), pl.col("local").count().cast(pl.Int64).alias("people"))
    pence = (pl.col("cost") * 100).round().cast(pl.Int64)
    spent = per_group(
        fetch(with_periods(held, groups).select(*groups, "cost")),
        groups,
        pl.len().cast(pl.Int64).alias("sessions"),
        pl.col("cost").count().cast(pl.Int64).alias("sessions_costed"),
        pence.sum().alias("pence"),
    )
    counts = join_groups(spent, took, groups).with_columns(pl.exclude(groups).fill_null(0))
    if totals and groups:
        counts = with_totals(counts, groups)
    cost = pl.when(pl.col("sessions_costed") > 0).then(pl.col("pence") / 100)
    priced = counts.with_columns(cost.alias("total_cost"))
    quotients = priced.with_columns(
        divide(pl.col("total_cost"), pl.col("places")).alias("cost_per_place"),
        divide(pl.col("total_cost"), pl.col("people")).alias("cost_per_person"),
    )
    return in_order(quotients, [*groups, *COST.columns], groups)


def _dated(held: Frame, every: str) -> Frame:
    """Give each session the day or the month by which it counts."""
    if every == MONTH:
        return with_periods(held, [MONTH])
    if every != TO_DATE:
        raise ParameterError(
            f'every must be "{TO_DATE}" or "{MONTH}". Found: "{every}".{nearest(every, [TO_DATE, MONTH])}'
        )
    return held.with_columns(nw.col("date").cast(nw.Date).alias(TO_DATE))


def _every_day(days: pl.DataFrame, every: str) -> pl.DataFrame:
    """The days on which a session was held; months without one as well."""
    if every != MONTH or days.is_empty():
        return days
    starts = days.select(pl.col(every).str.to_date("%Y-%m"))
    months = starts.select(pl.date_range(pl.col(every).min(), pl.col(every).max(), interval="1mo"))
    return months.select(pl.col(every).dt.strftime("%Y-%m"))


def _of_sessions(by: str | Sequence[str], booked: Frame, held: Frame, taken: Sequence[str], why: str) -> list[str]:
    """Check the group columns, all of which must tell sessions apart."""
    groups = group_columns(by, *columns_to_group_by(booked, held), taken=taken)
    others = [name for name in groups if name != "session" and name not in session_columns(groups, booked, held)]
    if others:
        raise ParameterError(f'by: "{others[0]}" is not a column of sessions, and {why}. Group by columns of sessions.')
    return groups
