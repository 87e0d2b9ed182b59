"""Bookings beside their sessions: opened on one engine, checked, and grouped by columns of either.

Frames may be anything Narwhals accepts (polars eager or lazy, a DuckDB relation, PySpark, pandas, pyarrow); what counts
rows runs where the frame lives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import narwhals as nw
import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.dates import month, reporting_year
from safeguarding_analytics.errors import ParameterError, TableError, nearest, require_columns, shorten
from safeguarding_analytics.groups import divide, fetch, open_frame, sessions_for
from safeguarding_analytics.intervals import wilson
from safeguarding_analytics.tables import STATUSES, Bookings

TIME_PERIOD, MONTH = "time_period", "month"
LEARNER = "learner"
OTHER_SECTORS, NO_SECTOR = "Other sectors", "Sector not stated"

Frame: TypeAlias = nw.LazyFrame[Any]


def open_registers(
    bookings: IntoFrame, sessions: IntoFrame, of_bookings: Sequence[str], of_sessions: Sequence[str]
) -> tuple[Frame, Frame]:
    """Open both tables on one engine, and make sure that a join with sessions cannot multiply bookings.

    Raises
    ------
    TableError
        When a column is missing, or a session stands twice.
    """
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


def taking_places(booked: Frame) -> Frame:
    """The bookings of those who take a place: trainers and test users do not."""
    return _without(booked, ("trainer", "test"))


def of_the_area(booked: Frame) -> Frame:
    """The bookings of local learners: those from out of the area are nobody's eligible staff."""
    return _without(booked, ("trainer", "test", "out_of_area"))


def _without(booked: Frame, learners: Sequence[str]) -> Frame:
    if LEARNER not in booked.collect_schema().names():
        return booked
    left_out = nw.col(LEARNER).is_in(list(learners))
    return booked.filter(nw.col(LEARNER).is_null() | ~left_out)


def columns_to_group_by(booked: Frame, held: Frame) -> tuple[list[str], str]:
    """The columns `by` may name, and where they are."""
    names = [*booked.collect_schema().names(), *held.collect_schema().names(), TIME_PERIOD, MONTH]
    return list(dict.fromkeys(names)), "bookings or sessions"


def session_columns(groups: Sequence[str], booked: Frame, held: Frame) -> list[str]:
    """Those of the group columns that tell sessions apart, as opposed to the people booked."""
    of_person = {*Bookings.column_names()} & {*booked.collect_schema().names()} - {"session"}
    of_session = {*held.collect_schema().names(), TIME_PERIOD, MONTH}
    return [name for name in groups if name in of_session and name not in of_person]


def with_periods(held: Frame, groups: Sequence[str]) -> Frame:
    """Add the reporting year and the month of each session's date where they are asked for."""
    ways = {TIME_PERIOD: reporting_year, MONTH: month}
    wanted = [name for name in ways if name in groups]
    if not wanted:
        return held
    require_dates(held)
    return held.with_columns(ways[name](nw.col("date")).alias(name) for name in wanted)


def require_dates(held: Frame) -> None:
    """Raise a `TableError` unless sessions have dates."""
    schema = held.collect_schema()
    require_columns(schema.names(), ["date"], "sessions")
    if schema["date"] not in (nw.Date, nw.Datetime):
        raise TableError(f"sessions: column date holds {schema['date']}. Wanted: dates. Parse the column first.")


def with_session_columns(booked: Frame, held: Frame, of_session: Sequence[str]) -> Frame:
    """Give each booking the group columns of its session."""
    wanted = [name for name in of_session if name != "session"]
    if not wanted:
        return booked
    known = with_periods(held, of_session).select("session", *wanted)
    return booked.drop(*wanted, strict=False).join(known, on="session", how="left")


def check_statuses(statuses: pl.DataFrame) -> None:
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


def check_booked(outcomes: pl.DataFrame) -> None:
    """Refuse rows of which nobody knows whether they are walk-ins. Wants booked and rows."""
    if outcomes.height and outcomes.schema["booked"] != pl.Boolean:
        raise TableError(f"bookings: column booked holds {outcomes.schema['booked']}. Wanted: true or false.")
    unknown = outcomes.filter(pl.col("booked").is_null())["rows"].sum()
    if unknown:
        raise TableError(
            f"bookings: {unknown:,} of {outcomes['rows'].sum():,} rows have an empty booked. "
            "Wanted: true, or false for a walk-in."
        )


def check_people(booked: Frame) -> None:
    """Refuse rows without a person, which would all count as one, and words that are no status."""
    status, person = nw.col("status"), nw.col("person")
    # Asked one by one: then polars answers either from the dictionaries and statistics of a Parquet file.
    wrong_status = ~status.is_in(STATUSES) | status.is_null()
    if not _count(booked.filter(wrong_status)) and not _count(booked.filter(person.is_null())):
        return
    statuses = booked.select("status", person.is_null().cast(nw.Int64).alias("without"))
    counted = fetch(statuses.group_by("status").agg(nw.len().alias("rows"), nw.col("without").sum()))
    check_statuses(counted)
    raise TableError(
        f"bookings: {counted['without'].sum():,} of {counted['rows'].sum():,} rows have no person. "
        "Give every row a pseudonym, or leave those rows out and say so."
    )


def _count(frame: Frame) -> int:
    return int(fetch(frame.select(nw.len().alias("rows"))).item())


def check_one_period(workforce: pl.DataFrame, groups: Sequence[str] = ()) -> None:
    """Refuse to add up years, which would count the same staff more than once."""
    periods = workforce[TIME_PERIOD].unique().sort().to_list() if TIME_PERIOD in workforce.columns else []
    if TIME_PERIOD not in groups and len(periods) > 1:
        raise ParameterError(
            f"workforce: {len(periods)} time periods ({shorten(periods)}); adding them up would count the same staff "
            'more than once. Filter workforce to one time_period, or add "time_period" to by.'
        )


def with_share(counts: pl.DataFrame, confidence: float) -> pl.DataFrame:
    """Add the share and its Wilson interval to numerator and denominator; more than all of them have none."""
    numerator, denominator = pl.col("numerator"), pl.col("denominator")
    return counts.with_columns(
        pl.when(numerator <= denominator).then(divide(numerator, denominator)).alias("proportion"),
        *wilson(numerator, denominator, confidence),
    )


def in_order(frame: pl.DataFrame, columns: Sequence[str], groups: Sequence[str]) -> pl.DataFrame:
    """Bring columns and rows into the order of the shape."""
    return frame.select(columns).sort(groups) if groups else frame.select(columns)


def unknown_without_return(
    counts: pl.DataFrame, people: pl.DataFrame, staff: pl.DataFrame, groups: Sequence[str], column: str
) -> pl.DataFrame:
    """Make a head-count unknown in groups in which somebody is known of an agency that returned none for them.

    Examples
    --------
    >>> people = pl.DataFrame({"agency": ["Health", "Police"], "person": ["p1", "p2"]})
    >>> staff = pl.DataFrame({"agency": ["Health"], "eligible_staff": [8]})
    >>> counts = pl.DataFrame({"agency": ["Health", "Police"], "eligible_staff": [8, 0]})
    >>> unknown_without_return(counts, people, staff, ["agency"], "eligible_staff").rows()
    [('Health', 8), ('Police', None)]
    """
    keys = list(dict.fromkeys([*groups, "agency"]))
    missing = people.select(keys).unique().join(staff.select(keys).unique(), on=keys, how="anti", nulls_equal=True)
    if not groups:
        return counts.with_columns(pl.when(pl.lit(missing.is_empty())).then(column).alias(column))
    marked = missing.select(groups).unique().with_columns(unreturned=pl.lit(value=True))
    joined = counts.join(marked, on=list(groups), how="left", nulls_equal=True)
    return joined.with_columns(pl.when(pl.col("unreturned").is_null()).then(column).alias(column)).drop("unreturned")


def average_session(booked: Frame, held: Frame) -> tuple[float | None, float | None]:
    """How many attended a session that was held, to one decimal, and what one costs where costs are known (£).

    A session counts as held if somebody attended. None where there is none, or no cost is known.
    """
    took = fetch(
        taking_places(booked).filter(nw.col("status") == "attended").group_by("session").agg(nw.len().alias("places"))
    )
    average = round(int(took["places"].sum()) / took.height, 1) if took.height else None
    if "cost" not in held.collect_schema().names():
        return average, None
    costs = fetch(held.select("cost"))["cost"].drop_nulls().to_list()
    return average, round(sum(costs) / len(costs), 2) if costs else None


def with_what_it_takes(counts: pl.DataFrame, need: str, per_session: float | None, cost: float | None) -> pl.DataFrame:
    """Add what it takes to meet a need: sessions of so many people each, at so much each.

    Examples
    --------
    >>> counts = pl.DataFrame({"agency": ["Health"], "need": [60]})
    >>> with_what_it_takes(counts, "need", 25.0, 300.0).rows()
    [('Health', 60, 25.0, 300.0, 3, 900.0)]
    """
    fixed = {"per_session": per_session, "cost_per_session": cost}
    sized = counts.with_columns(pl.lit(value, pl.Float64).alias(name) for name, value in fixed.items())
    with_sessions = sized.with_columns(sessions_for(pl.col(need), pl.col("per_session")).alias("sessions_needed"))
    return with_sessions.with_columns((pl.col("sessions_needed") * pl.col("cost_per_session")).alias("cost"))


def with_sector(
    frame: pl.DataFrame, agencies: pl.DataFrame, together: Mapping[str, Sequence[str]] | None = None
) -> pl.DataFrame:
    """Add the sector of each row's agency, and sectors that are shown as one group.

    Parameters
    ----------
    frame
        A table with a column agency, such as bookings or the workforce.
    agencies
        One row per agency: agency, sector.
    together
        Name of a group → its sectors, such as ``{"Health and CFE": ["Health", "Children, families and education"]}``.

    Returns
    -------
    pl.DataFrame
        The frame, in its order, with the columns sector (null where the agency has none) and sector_group: the name of
        the group, "Other sectors" for those in none; without groups the sector itself, "Sector not stated" where there
        is none.

    Raises
    ------
    TableError
        When a column is missing, or an agency stands twice.
    ParameterError
        When a group names a sector that no agency has, or two groups share one.

    Examples
    --------
    >>> import polars as pl
    >>> agencies = pl.DataFrame({"agency": ["West Kent PCT", "Kent Police"], "sector": ["Health", "Police"]})
    >>> with_sector(agencies.select("agency"), agencies, {"Health": ["Health"]})["sector_group"].to_list()
    ['Health', 'Other sectors']
    """
    require_columns(frame.columns, ["agency"], "the table")
    require_columns(agencies.columns, ["agency", "sector"], "agencies")
    known = agencies.select("agency", "sector")
    if known["agency"].is_duplicated().any():
        raise TableError("agencies: an agency stands in more than one row. Keep one row per agency.")
    if together and known["sector"].null_count() == known.height:
        raise ParameterError(
            "together: no agency has a sector. Give each agency one in the column sector of the table agencies, or "
            "take together out of [training] in board.toml."
        )
    group_of = _sector_groups(together or {}, known["sector"].drop_nulls().unique().sort().to_list())
    sector = pl.col("sector").fill_null(NO_SECTOR)
    group = pl.col("sector").replace_strict(group_of, default=OTHER_SECTORS) if group_of else sector
    joined = frame.drop("sector", "sector_group", strict=False).join(
        known, on="agency", how="left", maintain_order="left"
    )
    return joined.with_columns(group.alias("sector_group"))


def _sector_groups(together: Mapping[str, Sequence[str]], sectors: Sequence[str]) -> dict[str, str]:
    """Group by sector; every mistake in one message."""
    named = [(sector, group) for group, members in together.items() for sector in members]
    wrong = [
        f'together: no agency has the sector "{sector}".{nearest(sector, sectors)} Known: {", ".join(sectors)}.'
        for sector, _ in named
        if sector not in sectors
    ]
    twice = sorted({sector for sector, _ in named if [other for other, _ in named].count(sector) > 1})
    wrong += [f'together: the sector "{sector}" is in more than one group. Keep it in one.' for sector in twice]
    if wrong:
        raise ParameterError("\n".join(wrong))
    return dict(named)
