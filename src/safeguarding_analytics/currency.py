"""Whose training is up to date on a day: refresh and yearly courses by target group, induction by the day of starting.

`training_status` looks at people and stays inside; the other functions count them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import narwhals as nw
import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.errors import ParameterError, require_columns
from safeguarding_analytics.groups import (
    complete_sum,
    fetch,
    group_columns,
    join_groups,
    open_frame,
    per_group,
    with_totals,
)
from safeguarding_analytics.registers import (
    Frame,
    check_one_period,
    check_people,
    in_order,
    of_the_area,
    open_registers,
    require_dates,
    unknown_without_return,
    with_session_columns,
    with_share,
)
from safeguarding_analytics.shapes import PROPORTION, SHARE
from safeguarding_analytics.tables import (
    CURRENT,
    DUE,
    LATE,
    LONG,
    NO_RULE,
    NONE,
    NOT_CURRENT,
    OTHER,
    STAGES,
    STANDING,
    STARTER,
    TOTAL,
    UP_TO_DATE,
)

NOTICE = "3mo"


@dataclass(frozen=True)
class TrainingRule:
    """What the people of a target group must have attended.

    Parameters
    ----------
    target_group
        1 to 8.
    training_level
        Level of the course to be refreshed; a course of a higher level refreshes it too.
    refresh_months
        For how long it counts.
    yearly_level
        Level of a course to be attended every year besides; None = no such rule.
    """

    target_group: int
    training_level: int
    refresh_months: int = 36
    yearly_level: int | None = None


KIRKLEES_2011 = (
    TrainingRule(1, 1),
    TrainingRule(2, 2),
    TrainingRule(3, 2),
    TrainingRule(4, 2, yearly_level=3),
)
"""Kirklees learning and development strategy 2011-14: refresh every three years, a level 3 course in place of the level
2 one counts, group 4 attends a level 3 course each year. For groups 5 to 8 no rule of their own is printed."""


def training_rules(settings: Sequence[Any]) -> tuple[TrainingRule, ...]:
    """The rules a board has set in `board.toml`; those of Kirklees where it has set none.

    Parameters
    ----------
    settings
        ``config.training.rules`` of a board.

    Returns
    -------
    tuple[TrainingRule, ...]
        One rule per target group, as given.

    Examples
    --------
    >>> len(training_rules([]))
    4
    """
    names = ("target_group", "training_level", "refresh_months", "yearly_level")
    own = tuple(TrainingRule(*(getattr(rule, name) for name in names)) for rule in settings)
    return own or KIRKLEES_2011


def rule_levels(rules: Sequence[TrainingRule]) -> dict[int, int]:
    """The level that each target group's rule asks for.

    Parameters
    ----------
    rules
        One per target group.

    Returns
    -------
    dict[int, int]
        Level by target group.

    Examples
    --------
    >>> rule_levels(KIRKLEES_2011)
    {1: 1, 2: 2, 3: 2, 4: 2}
    """
    return {rule.target_group: rule.training_level for rule in rules}


INDUCTION_MONTHS = 3
"""NSPCC and Safe Network: induction complete within three months of starting work."""


def training_status(
    bookings: IntoFrame,
    sessions: IntoFrame,
    *,
    as_at: date,
    rules: Sequence[TrainingRule] = KIRKLEES_2011,
    records: IntoFrame | None = None,
    staff: IntoFrame | None = None,
) -> pl.DataFrame:
    """Whose training is up to date on a day, person by person. Stays inside: never publish it.

    Parameters
    ----------
    bookings
        One row per person and session: session, person, agency, target_group, status.
    sessions
        One row per session: session, date, training_level.
    as_at
        The day asked about. Training after it does not count, so that any day may be tried.
    rules
        One rule per target group; groups without one have the stage "no rule".
    records
        Training completed elsewhere: person, agency, target_group, training_level, completed.
    staff
        Staff records: person, agency, training_level, target_group, start_date, leaving_date. Who has left by the day,
        or not yet started, is left out. People in neither staff nor training cannot be known.

    Returns
    -------
    pl.DataFrame
        One row per agency and person, sorted: agency, person, target_group, training_level (the level the person needs;
        null without a staff record), last_trained (day of the last course that counts for the rule), due (last day on
        which nothing is out of date), stage (one of `tables.STAGES`, or "no rule"). Holds pseudonyms: never publish it.

    Raises
    ------
    TableError
        When a column is missing, a session stands twice, a status is not allowed, or a person is empty.
    ParameterError
        When two rules are for the same target group.

    Notes
    -----
    A course of level L counts for a rule of level L or below, from its day to the same day `refresh_months` later, that
    day included. The yearly course counts for 12 months in the same way. Somebody whose training is missing or out of
    date breaks no rule in the first three months after the start_date, which is the time for induction. The target
    group is that of the staff record, else the latest one given by a booking or a record. Training counts for a person
    in every agency. What agencies did not record is not known: it looks like training that did not happen.

    References
    ----------
    Kirklees Safeguarding Children Board, Multi-agency Learning and Development Strategy 2011-14, target groups; NSPCC
    and Safe Network resource pack: induction within three months, refresher at least every three years.

    Examples
    --------
    >>> from datetime import date
    >>> import polars as pl
    >>> bookings = pl.DataFrame({
    ...     "session": ["s1", "s2"],
    ...     "person": ["p1", "p2"],
    ...     "agency": ["Health", "Health"],
    ...     "target_group": [2, 2],
    ...     "status": ["attended", "attended"],
    ... })
    >>> sessions = pl.DataFrame({
    ...     "session": ["s1", "s2"], "date": [date(2008, 8, 1), date(2008, 6, 1)], "training_level": [2, 2]
    ... })
    >>> training_status(bookings, sessions, as_at=date(2011, 7, 1)).select("person", "stage").rows()
    [('p1', 'due within three months'), ('p2', 'out of date for up to a year')]
    """
    _check_rules(rules)
    events = _events(bookings, sessions, records).filter(pl.col("day") <= as_at)
    people = _people(events, staff, as_at)
    ruled = people.join(_rule_table(rules), on="target_group", how="left")
    trained = ruled.join(events.select("person", "level", "day"), on="person", how="left")
    counts = pl.col("level") >= pl.col("rule_level")
    yearly = pl.col("level") >= pl.col("yearly_level")
    last = trained.group_by("agency", "person").agg(
        pl.col("day").filter(counts).max().alias("last_trained"),
        pl.col("day").filter(yearly).max().alias("last_yearly"),
        pl.col("day").max().alias("last_of_any"),
    )
    dated = ruled.join(last, on=["agency", "person"], how="left", nulls_equal=True).with_columns(
        _due_day().alias("due")
    )
    columns = ["agency", "person", "target_group", "training_level", "last_trained", "due", "stage"]
    return dated.with_columns(_stage(as_at).alias("stage")).select(columns).sort("agency", "person")


def training_currency(
    status: pl.DataFrame,
    workforce: pl.DataFrame,
    by: str | Sequence[str] = ("agency",),
    *,
    rules: Sequence[TrainingRule] = KIRKLEES_2011,
    confidence: float = 0.95,
    totals: bool = False,
) -> pl.DataFrame:
    """Share of the eligible staff whose training is up to date.

    Parameters
    ----------
    status
        As `training_status` gives it.
    workforce
        One row per agency, level, target group and period: agency, target_group, eligible_staff, and the columns of
        `by`. One period only. Rows of target groups without a rule are left out.
    by
        agency, target_group, or columns that both tables have, such as sector; none for one row overall.
    rules
        Those that `training_status` was given.
    confidence
        Of the Wilson interval, between 0 and 1.
    totals
        Whether to add "Total" rows.

    Returns
    -------
    pl.DataFrame
        One row per group, sorted: numerator (people who break no rule on the day), denominator (eligible staff of
        target groups with a rule), proportion, lower, upper (0 to 1). Not suppressed. Null: denominator where an agency
        made no return; proportion and interval where it is null, 0, or smaller than the numerator.

    Raises
    ------
    TableError
        When a column is missing.
    ParameterError
        When `by` names an unknown column, or the workforce holds several periods.

    Notes
    -----
    Eligible staff are head-counts of the return, so whoever has no recorded training counts as not up to date: an
    agency that does not record its own training looks worse than it is. Starters in their first three months break no
    rule and count as up to date; without staff records nobody is known to be a starter.

    Examples
    --------
    >>> import polars as pl
    >>> status = pl.DataFrame({
    ...     "agency": ["Health"] * 2,
    ...     "person": ["p1", "p2"],
    ...     "target_group": [2, 7],
    ...     "stage": ["due within three months", "no rule"],
    ... })
    >>> workforce = pl.DataFrame({"agency": ["Health"], "target_group": [2], "eligible_staff": [8]})
    >>> training_currency(status, workforce).select("agency", "numerator", "denominator", "proportion").rows()
    [('Health', 1, 8, 0.125)]
    """
    groups = group_columns(by, _shared(status, workforce), "status and workforce", taken=list(PROPORTION.columns))
    staff = _ruled_staff(workforce, rules)
    current = per_group(status.filter(pl.col("stage").is_in(CURRENT)), groups, pl.len().alias("numerator"))
    eligible = per_group(staff, groups, complete_sum("eligible_staff").alias("denominator"))
    counts = join_groups(current, eligible, groups).with_columns(pl.col("numerator").fill_null(0).cast(pl.Int64))
    counts = unknown_without_return(counts, _ruled(status), staff, groups, "denominator")
    if totals:
        counts = with_totals(counts, groups)
    return in_order(with_share(counts, confidence), [*groups, *SHARE], groups)


def with_returns(status: pl.DataFrame, workforce: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Keep whom the returns are about: agencies that returned all of their eligible staff, and people of their groups.

    Parameters
    ----------
    status, workforce
        As for `training_currency`.

    Returns
    -------
    tuple[pl.DataFrame, pl.DataFrame]
        The rows of both of agencies without an empty head-count, unless people of theirs are known and the target
        group of none of them; of people, those of target groups in the return of their agency. What is counted of them
        adds up. Whom this leaves out, `training_gaps` says.

    Examples
    --------
    >>> import polars as pl
    >>> status = pl.DataFrame({"agency": ["Health", "Health", "Police"], "target_group": [2, 7, 2]})
    >>> workforce = pl.DataFrame({"agency": ["Health", "Police"], "target_group": 2, "eligible_staff": [8, None]})
    >>> [table.height for table in with_returns(status, workforce)]
    [1, 1]
    """
    full = workforce.group_by("agency").agg(pl.col("eligible_staff").is_not_null().all().alias("full"))
    judged = status.group_by("agency").agg(pl.col("target_group").is_not_null().any().alias("judged"))
    unjudged = judged.filter(~pl.col("judged"))
    answering = full.filter("full").join(unjudged, on="agency", how="anti").select("agency")
    returns = workforce.join(answering, on="agency", how="semi", maintain_order="left")
    groups = returns.select("agency", pl.col("target_group").cast(pl.Int64)).unique()
    return status.join(groups, on=["agency", "target_group"], how="semi", maintain_order="left"), returns


def currency_ageing(
    status: pl.DataFrame,
    workforce: pl.DataFrame,
    by: str | Sequence[str] = (),
    *,
    rules: Sequence[TrainingRule] = KIRKLEES_2011,
) -> pl.DataFrame:
    """How many staff stand at each stage between freshly trained and long out of date.

    Parameters
    ----------
    status, workforce, by, rules
        As for `training_currency`.

    Returns
    -------
    pl.DataFrame
        One row per group and stage, sorted by the groups and then as in `tables.STAGES`: the columns of `by`, standing
        ("up to date", "not up to date"), stage, count (people). Every group has every stage; "Total" rows give each
        standing and all eligible staff. Not suppressed.

        Where the eligible staff of a group are not known, or are fewer than the people who are known of it, what
        depends on them has no row: "no training recorded" and the totals it is part of. No rows at all where no target
        group of the workforce has a rule.

    Raises
    ------
    TableError, ParameterError
        As for `training_currency`.

    Notes
    -----
    "no training recorded" = eligible staff less all people who are known to have some training or to be starters, so
    that the stages add up to the eligible staff. People of target groups without a rule are left out. "other training
    only" have some training, but never had one of the courses that their rule asks for. To publish, give `suppress`
    the lookup `table.select("stage", "standing")` without its totals, because stages lie within a standing.

    Examples
    --------
    >>> import polars as pl
    >>> status = pl.DataFrame({
    ...     "agency": ["Health"], "person": ["p1"], "target_group": [2], "stage": ["due within three months"]
    ... })
    >>> workforce = pl.DataFrame({"agency": ["Health"], "target_group": [2], "eligible_staff": [8]})
    >>> currency_ageing(status, workforce).filter(pl.col("count") > 0).select("stage", "count").rows()
    [('due within three months', 1), ('Total', 1), ('no training recorded', 7), ('Total', 7), ('Total', 8)]
    """
    groups = group_columns(by, _shared(status, workforce), "status and workforce", taken=["standing", "stage", "count"])
    staff = _ruled_staff(workforce, rules)
    known = status.filter(pl.col("stage").is_in(STAGES) & (pl.col("stage") != NONE))
    if staff.is_empty() and known.is_empty():
        kinds = {name: workforce.schema[name] for name in groups} | {"standing": pl.String, "stage": pl.String}
        return pl.DataFrame(schema=kinds | {"count": pl.Int64})
    seen = known.group_by([*groups, "stage"]).agg(pl.len().cast(pl.Int64).alias("count"))
    total = per_group(staff, groups, complete_sum("eligible_staff").alias("eligible"))
    found = join_groups(total, per_group(known, groups, pl.len().cast(pl.Int64).alias("seen")), groups)
    found = unknown_without_return(found, _ruled(status), staff, groups, "eligible")
    grid = found.join(_places_of_stages(), how="cross").join(seen, on=[*groups, "stage"], how="left", nulls_equal=True)
    unseen = pl.col("eligible") - pl.col("seen").fill_null(0)
    people = pl.when(pl.col("stage") != NONE).then(pl.col("count").fill_null(0)).when(unseen >= 0).then(unseen)
    counted = grid.select(*groups, "standing", "stage", "place", people.alias("count"))
    return _with_standings(counted, groups).drop_nulls("count").select(*groups, "standing", "stage", "count")


def _places_of_stages() -> pl.DataFrame:
    """The stages in their order, each with its standing."""
    standings = [STANDING if stage in CURRENT else NOT_CURRENT for stage in STAGES]
    return pl.DataFrame({"standing": standings, "stage": STAGES, "place": range(len(STAGES))})


def _with_standings(counted: pl.DataFrame, groups: Sequence[str]) -> pl.DataFrame:
    """Add the total of each standing behind its stages, and that of both at the end."""
    whole = complete_sum("count")
    standing = counted.group_by([*groups, "standing"]).agg(whole, pl.col("place").max().add(0.5))
    everybody = per_group(counted, groups, whole).with_columns(place=pl.lit(99.0), standing=pl.lit(TOTAL))
    totals = pl.concat([standing, everybody], how="diagonal_relaxed").with_columns(stage=pl.lit(TOTAL))
    rows = pl.concat([counted, totals], how="diagonal_relaxed")
    return rows.sort(*groups, "place")


def induction_on_time(
    staff: pl.DataFrame,
    bookings: IntoFrame,
    sessions: IntoFrame,
    *,
    as_at: date,
    since: date | None = None,
    records: IntoFrame | None = None,
    by: str | Sequence[str] = ("agency",),
    confidence: float = 0.95,
    totals: bool = False,
) -> pl.DataFrame:
    """Share of those who started work who had training within three months of their first day.

    Parameters
    ----------
    staff
        Staff records: person, agency, start_date, leaving_date, and the columns of `by`.
    bookings, sessions, records
        As for `training_status`.
    as_at, since
        Starters are counted whose three months were over on the one day, and who did not start before the other; a
        year before as_at where it is not given.
    by
        Columns of staff; none for one row overall.
    confidence, totals
        As for `training_currency`.

    Returns
    -------
    pl.DataFrame
        One row per group, sorted: numerator (trained in time), denominator (starters whose three months are over),
        proportion, lower, upper (0 to 1). Not suppressed. A group without such starters has no row.

    Raises
    ------
    TableError
        When a column is missing, a session stands twice, a status is not allowed, or a person is empty.
    ParameterError
        When `by` names an unknown column.

    Notes
    -----
    Any course counts that was attended from the first day to the same day three months later, both included. Training
    from before the first day is not induction. Who left within the three months is left out.

    References
    ----------
    NSPCC and Safe Network resource pack: induction for all, complete within three months of starting work.

    Examples
    --------
    >>> from datetime import date
    >>> import polars as pl
    >>> staff = pl.DataFrame({
    ...     "person": ["p1", "p2"],
    ...     "agency": ["Health", "Health"],
    ...     "start_date": [date(2011, 1, 1), date(2011, 1, 1)],
    ...     "leaving_date": pl.Series([None, None], dtype=pl.Date),
    ... })
    >>> bookings = pl.DataFrame({
    ...     "session": ["s1"], "person": ["p1"], "agency": ["Health"], "target_group": [2], "status": ["attended"]
    ... })
    >>> sessions = pl.DataFrame({"session": ["s1"], "date": [date(2011, 4, 1)], "training_level": [1]})
    >>> found = induction_on_time(staff, bookings, sessions, as_at=date(2011, 7, 1))
    >>> found.select("agency", "numerator", "denominator").rows()
    [('Health', 1, 2)]
    """
    require_columns(staff.columns, ["person", "agency", "start_date", "leaving_date"], "staff")
    groups = group_columns(by, staff.columns, "staff", taken=list(PROPORTION.columns))
    end = pl.col("start_date").dt.offset_by(f"{INDUCTION_MONTHS}mo")
    stayed = pl.col("leaving_date").is_null() | (pl.col("leaving_date") >= end)
    first = pl.lit(as_at).dt.offset_by("-12mo") if since is None else pl.lit(since)
    starters = staff.filter((pl.col("start_date") >= first) & (end <= as_at) & stayed)
    events = _events(bookings, sessions, records).select("person", "day")
    in_time = pl.col("day").is_between(pl.col("start_date"), end).any().fill_null(value=False)
    keys = list(dict.fromkeys([*groups, "agency", "person"]))
    people = starters.join(events, on="person", how="left").group_by(keys).agg(in_time.alias("in_time"))
    counts = per_group(
        people,
        groups,
        pl.col("in_time").sum().cast(pl.Int64).alias("numerator"),
        pl.len().cast(pl.Int64).alias("denominator"),
    )
    counts = counts.filter(pl.col("denominator") > 0)
    if totals:
        counts = with_totals(counts, groups)
    return in_order(with_share(counts, confidence), [*groups, *SHARE], groups)


def _events(bookings: IntoFrame, sessions: IntoFrame, records: IntoFrame | None) -> pl.DataFrame:
    """Training attended: person, agency, target_group, level, day; of the board's sessions and of records."""
    needed = ["session", "person", "agency", "target_group", "status"]
    booked, held = open_registers(bookings, sessions, needed, ["session", "date", "training_level"])
    require_dates(held)
    check_people(booked)
    came: Frame = of_the_area(booked).filter(nw.col("status") == "attended").drop("training_level", strict=False)
    attended = fetch(with_session_columns(came, held, ["date", "training_level"]))
    columns = {"person": "person", "agency": "agency", "target_group": "target_group", "training_level": "level"}
    events = attended.select(
        pl.col("date").cast(pl.Date).alias("day"), *(pl.col(a).alias(b) for a, b in columns.items())
    )
    if records is not None:
        found = fetch(open_frame(records, [*columns, "completed"], "training_records"))
        events = pl.concat(
            [events, found.select(pl.col("completed").alias("day"), *(pl.col(a).alias(b) for a, b in columns.items()))],
            how="vertical_relaxed",
        )
    return events.drop_nulls("day").with_columns(pl.col("target_group").cast(pl.Int64), pl.col("level").cast(pl.Int64))


def _people(events: pl.DataFrame, staff: IntoFrame | None, as_at: date) -> pl.DataFrame:
    """Everybody known on the day: agency, person, target_group, training_level, start_date."""
    # Of several groups given on the latest day the smallest, so that the order of rows does not matter.
    given = events.sort("day", pl.col("target_group").neg(), nulls_last=False)
    seen = given.group_by("agency", "person").agg(pl.col("target_group").drop_nulls().last())
    unknown = {"training_level": pl.Int64, "start_date": pl.Date}
    if staff is None:
        return seen.with_columns(pl.lit(None, kind).alias(name) for name, kind in unknown.items())
    needed = ["person", "agency", "training_level", "target_group", "start_date", "leaving_date"]
    recorded = fetch(open_frame(staff, needed, "staff"))
    there = (pl.col("start_date") <= as_at) & (pl.col("leaving_date").is_null() | (pl.col("leaving_date") >= as_at))
    others = seen.join(recorded, on=["agency", "person"], how="anti", nulls_equal=True)
    columns = ["agency", "person", "target_group", *unknown]
    return pl.concat([recorded.filter(there).select(columns), others], how="diagonal_relaxed").select(columns)


def _rule_table(rules: Sequence[TrainingRule]) -> pl.DataFrame:
    rows = [(rule.target_group, rule.training_level, rule.refresh_months, rule.yearly_level) for rule in rules]
    names = ("target_group", "rule_level", "refresh_months", "yearly_level")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Int64), orient="row")


def _due_day() -> pl.Expr:
    """The last day on which neither the refresher nor the yearly course is out of date; null where one never was."""
    months = pl.format("{}mo", pl.col("refresh_months").fill_null(0))
    refresh = pl.col("last_trained").dt.offset_by(months)
    yearly = pl.col("last_yearly").dt.offset_by("12mo")
    both = pl.when(yearly.is_not_null() & refresh.is_not_null()).then(pl.min_horizontal(refresh, yearly))
    return pl.when(pl.col("yearly_level").is_null()).then(refresh).otherwise(both)


def _stage(as_at: date) -> pl.Expr:
    day, due = pl.lit(as_at), pl.col("due")
    starter = day <= pl.col("start_date").dt.offset_by(f"{INDUCTION_MONTHS}mo")
    return (
        pl.when(pl.col("rule_level").is_null())
        .then(pl.lit(NO_RULE))
        .when((due >= day) & (due <= day.dt.offset_by(NOTICE)))
        .then(pl.lit(DUE))
        .when(due >= day)
        .then(pl.lit(UP_TO_DATE))
        .when(starter)
        .then(pl.lit(STARTER))
        .when(due >= day.dt.offset_by("-12mo"))
        .then(pl.lit(LATE))
        .when(due.is_not_null())
        .then(pl.lit(LONG))
        .when(pl.col("last_of_any").is_not_null())
        .then(pl.lit(OTHER))
        .otherwise(pl.lit(NONE))
    )


def _check_rules(rules: Sequence[TrainingRule]) -> None:
    groups = [rule.target_group for rule in rules]
    twice = sorted({group for group in groups if groups.count(group) > 1})
    if twice:
        raise ParameterError(f"rules: target group {twice[0]} has {groups.count(twice[0])} rules. Give each group one.")


def _shared(status: pl.DataFrame, workforce: pl.DataFrame) -> list[str]:
    """Columns by which both the people and the eligible staff can be grouped."""
    require_columns(status.columns, ["agency", "person", "target_group", "stage"], "status")
    require_columns(workforce.columns, ["agency", "target_group", "eligible_staff"], "workforce")
    return [name for name in status.columns if name in workforce.columns]


def _ruled(status: pl.DataFrame) -> pl.DataFrame:
    """People of target groups with a rule."""
    return status.filter(pl.col("stage").is_in(STAGES))


def _ruled_staff(workforce: pl.DataFrame, rules: Sequence[TrainingRule]) -> pl.DataFrame:
    """Eligible staff of target groups with a rule, of one period."""
    check_one_period(workforce)
    return workforce.filter(pl.col("target_group").is_in([rule.target_group for rule in rules]))
