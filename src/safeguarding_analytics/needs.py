"""Training needs: how many of the eligible staff are still to be trained, what that takes, and what is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import narwhals as nw
import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.errors import require_columns
from safeguarding_analytics.groups import complete_sum, fetch, group_columns, join_groups, per_group, with_totals
from safeguarding_analytics.registers import (
    average_session,
    check_one_period,
    check_statuses,
    in_order,
    open_registers,
    unknown_without_return,
    with_what_it_takes,
)
from safeguarding_analytics.shapes import NEED
from safeguarding_analytics.tables import CURRENT, NO_RULE

NO_RETURN = "no full return of eligible staff"
NO_GROUP = "people without a target group"
UNRETURNED = "people in target groups of which no staff were returned"
NO_STAFF = "no staff records"
RULELESS = "people in target groups for which no rule is set"
CONSEQUENCES = {
    NO_RETURN: "reach, currency and need are not known",
    NO_GROUP: "whether they are up to date cannot be said; where no group is known at all, the agency is left out",
    UNRETURNED: "they count in the reach, and are left out of currency and need",
    NO_STAFF: "who never had training is known as a number alone, and induction not at all",
    RULELESS: "they are left out of currency and need",
}
"""What a gap in the data means for the answers."""


def training_needs(
    status: pl.DataFrame,
    workforce: pl.DataFrame,
    bookings: IntoFrame,
    sessions: IntoFrame,
    by: str | Sequence[str] = ("agency", "training_level"),
    *,
    levels: Mapping[int, int] | None = None,
    totals: bool = False,
) -> pl.DataFrame:
    """How many eligible staff are not up to date, and how many sessions and how much money it takes to train them.

    Parameters
    ----------
    status
        As `training_status` gives it.
    workforce
        One row per agency, level, target group and period: agency, training_level, target_group, eligible_staff, and
        the columns of `by`. One period only.
    bookings, sessions
        Those from which the average attendance and the average cost of a session are taken: session, status; session,
        and cost where costs are known.
    by
        Columns that status and workforce both have; none for one row overall.
    levels
        Level that a rule asks of each target group, as `rule_levels` gives it: other groups are left out.
        All of the workforce where it is not given.
    totals
        Whether to add "Total" rows. The sessions of a total are those of its need, not the sum of its rows: agencies
        share sessions.

    Returns
    -------
    pl.DataFrame
        One row per group of either table, sorted: eligible_staff, current (people up to date), need, per_session
        (people), sessions_needed, cost_per_session (£), cost (£). Not suppressed. Null: eligible_staff where an agency
        made no return; need where they are null or fewer than the people who are up to date; what follows from it; cost
        where no cost is known.

    Raises
    ------
    TableError
        When a column is missing, a session stands twice, or a status is not allowed.
    ParameterError
        When `by` names an unknown column, or the workforce holds several periods.

    Notes
    -----
    need = eligible_staff − current. The level of a person is that of the staff record, else the one that the return of
    the agency gives for the target group, if it gives one alone, else the one the rule asks for. sessions_needed =
    need ÷ average attendance, rounded up: a session trains people of any agency, so the sessions of single agencies add
    up to more than the total. What is not recorded looks like a need.

    References
    ----------
    Kirklees learning and development strategy 2011-14: the first needs analysis (December 2009) found agencies unclear
    about levels, and records of training lacking.

    Examples
    --------
    >>> import polars as pl
    >>> status = pl.DataFrame({
    ...     "agency": ["Health"],
    ...     "person": ["p1"],
    ...     "target_group": [2],
    ...     "training_level": [2],
    ...     "stage": ["due within three months"],
    ... })
    >>> workforce = pl.DataFrame({
    ...     "agency": ["Health"], "training_level": [2], "target_group": [2], "eligible_staff": [8]
    ... })
    >>> bookings = pl.DataFrame({"session": ["s1", "s1"], "status": ["attended", "attended"]})
    >>> sessions = pl.DataFrame({"session": ["s1"], "cost": [100.0]})
    >>> training_needs(status, workforce, bookings, sessions).rows()
    [('Health', 2, 8, 1, 7, 2.0, 4, 100.0, 400.0)]
    """
    require_columns(status.columns, ["agency", "person", "target_group", "training_level", "stage"], "status")
    needed = ["agency", "training_level", "target_group", "eligible_staff"]
    require_columns(workforce.columns, needed, "workforce")
    shared = [name for name in status.columns if name in workforce.columns]
    groups = group_columns(by, shared, "status and workforce", taken=list(NEED.columns))
    check_one_period(workforce)
    staff = workforce
    if levels is not None:
        staff = staff.filter(pl.col("target_group").is_in(list(levels)))
    current = _with_level(status, staff, levels or {}).filter(pl.col("stage").is_in(CURRENT))
    trained = per_group(current, groups, pl.len().cast(pl.Int64).alias("current"))
    counts = join_groups(per_group(staff, groups, complete_sum("eligible_staff")), trained, groups)
    counts = unknown_without_return(counts, current, staff, groups, "eligible_staff")
    counts = counts.with_columns(pl.col("current").fill_null(0)).with_columns(
        pl.when(pl.col("current") <= pl.col("eligible_staff"))
        .then(pl.col("eligible_staff") - pl.col("current"))
        .alias("need")
    )
    if totals and groups:
        counts = with_totals(counts, groups)
    booked, held = open_registers(bookings, sessions, ["session", "status"], ["session"])
    check_statuses(fetch(booked.group_by("status").agg(nw.len().alias("rows"))))
    per_session, cost = average_session(booked, held)
    needs = with_what_it_takes(counts, "need", per_session, cost)
    return in_order(needs, [*groups, *NEED.columns], groups)


def training_gaps(
    agencies: pl.DataFrame,
    workforce: pl.DataFrame,
    status: pl.DataFrame,
    *,
    staff: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """What is not known of each agency, and what that means: listed, not filled.

    Parameters
    ----------
    agencies
        One row per agency: agency.
    workforce
        As for `training_needs`.
    status
        As `training_status` gives it.
    staff
        Staff records: agency; None where the board has none.

    Returns
    -------
    pl.DataFrame
        One row per gap and agency, sorted as in `CONSEQUENCES` and by agency: gap, agency, consequence. No counts, so
        nothing to suppress. Empty where nothing is missing.

    Raises
    ------
    TableError
        When a column is missing.
    ParameterError
        When the workforce holds several periods.

    Examples
    --------
    >>> import polars as pl
    >>> status = pl.DataFrame(schema={
    ...     "agency": pl.String,
    ...     "person": pl.String,
    ...     "target_group": pl.Int64,
    ...     "training_level": pl.Int64,
    ...     "stage": pl.String,
    ... })
    >>> workforce = pl.DataFrame({
    ...     "agency": ["Health"], "training_level": [2], "target_group": [2], "eligible_staff": [8]
    ... })
    >>> agencies = pl.DataFrame({"agency": ["Health", "Police"]})
    >>> training_gaps(agencies, workforce, status).select("gap", "agency").row(0)
    ('no full return of eligible staff', 'Police')
    """
    require_columns(agencies.columns, ["agency"], "agencies")
    require_columns(workforce.columns, ["agency", "target_group", "eligible_staff"], "workforce")
    require_columns(staff.columns if staff is not None else ["agency"], ["agency"], "staff")
    require_columns(status.columns, ["agency", "target_group", "training_level", "stage"], "status")
    check_one_period(workforce)
    returns = workforce.group_by("agency").agg(pl.col("eligible_staff").is_not_null().all())
    full = returns.filter("eligible_staff")["agency"]
    names = agencies["agency"].drop_nulls().unique()
    found = {
        NO_RETURN: names.filter(~names.is_in(full.implode())),
        NO_GROUP: _agencies(status.filter(pl.col("target_group").is_null())),
        UNRETURNED: _agencies(
            status.filter(pl.col("agency").is_in(full.implode()), pl.col("stage") != NO_RULE).join(
                workforce.select("agency", pl.col("target_group").cast(pl.Int64)),
                on=["agency", "target_group"],
                how="anti",
            )
        ),
        NO_STAFF: names if staff is None else names.filter(~names.is_in(staff["agency"].unique().implode())),
        RULELESS: _agencies(status.filter((pl.col("stage") == NO_RULE) & pl.col("target_group").is_not_null())),
    }
    rows = [(gap, agency, CONSEQUENCES[gap]) for gap, named in found.items() for agency in named.sort().to_list()]
    return pl.DataFrame(rows, schema=dict.fromkeys(("gap", "agency", "consequence"), pl.String), orient="row")


def _agencies(people: pl.DataFrame) -> pl.Series:
    return people["agency"].drop_nulls().unique()


def _with_level(status: pl.DataFrame, workforce: pl.DataFrame, levels: Mapping[int, int]) -> pl.DataFrame:
    """Fill in the level that the agency returned for a target group, where that is one alone, else that of the rule."""
    alone = pl.col("training_level").unique()
    returned = (
        workforce.group_by("agency", "target_group")
        .agg(pl.when(alone.len() == 1).then(alone.first()).alias("returned_level"))
        .with_columns(pl.col("target_group").cast(pl.Int64))
    )
    filled = status.join(returned, on=["agency", "target_group"], how="left")
    asked = pl.col("target_group").replace_strict(dict(levels), default=None, return_dtype=pl.Int64)
    level = pl.coalesce("training_level", "returned_level", asked if levels else pl.lit(None, pl.Int64))
    return filled.with_columns(level.alias("training_level")).drop("returned_level")
