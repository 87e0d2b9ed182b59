"""What every measure does on the way to a result: open a frame, check it, count by groups, add margins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import narwhals as nw
import polars as pl
import polars.selectors as cs
from narwhals.typing import IntoFrame

from safeguarding_analytics.errors import ParameterError, TableError, nearest, require_columns
from safeguarding_analytics.tables import IDENTIFYING, TOTAL


def open_frame(frame: IntoFrame, needed: Sequence[str], table: str) -> nw.LazyFrame[Any]:
    """Open a table where it lives: lazily on its own engine, or on polars where it is in memory (pandas, pyarrow).

    Raises
    ------
    TableError
        When a needed column is missing, or it is a Dask frame, whose distinct counts come out wrong.

    Examples
    --------
    >>> import polars as pl
    >>> open_frame(pl.DataFrame({"session": ["s1"]}), ["session"], "sessions").collect_schema().names()
    ['session']
    """
    if type(nw.to_native(frame, pass_through=True)).__module__.partition(".")[0] == "dask":
        raise TableError(
            f"{table}: a Dask frame would be counted wrongly without a sign. Write it as Parquet, and hand over "
            "polars.scan_parquet(…) or a Spark frame."
        )
    opened = nw.from_native(frame)
    lazy = opened if isinstance(opened, nw.LazyFrame) else opened.lazy(backend="polars")
    require_columns(lazy.collect_schema().names(), needed, table)
    return lazy


def fetch(frame: nw.LazyFrame[Any]) -> pl.DataFrame:
    """Fetch a frame into polars, whole numbers as Int64 and categories as text whatever the engine calls them.

    Examples
    --------
    >>> import narwhals as nw, polars as pl
    >>> fetch(nw.from_native(pl.LazyFrame({"level": [3]}, schema={"level": pl.Int8}))).schema
    Schema([('level', Int64)])
    """
    native = frame.to_native()
    if isinstance(native, pl.LazyFrame):
        fetched = native.collect(engine="streaming")
    else:
        fetched = frame.collect("polars").to_polars()
    return fetched.with_columns(cs.integer().cast(pl.Int64), (cs.categorical() | cs.enum()).cast(pl.String))


def with_short_keys(frame: nw.LazyFrame[Any], columns: Sequence[str]) -> nw.LazyFrame[Any]:
    """Turn text into categories, of four bytes each, where polars is to keep it once per row of a large table.

    Other engines look after their memory themselves: there the frame stays as it is. `fetch` gives text again.

    Examples
    --------
    >>> import narwhals as nw, polars as pl
    >>> bookings = nw.from_native(pl.LazyFrame({"agency": ["Health"], "places": [3]}))
    >>> with_short_keys(bookings, ["agency", "places"]).collect_schema()
    Schema([('agency', Categorical), ('places', Int64)])
    """
    if not frame.implementation.is_polars():
        return frame
    schema = frame.collect_schema()
    return frame.with_columns(nw.col(name).cast(nw.Categorical) for name in columns if schema[name] == nw.String)


def complete_sum(column: str) -> pl.Expr:
    """Sum of a column, null where a value is missing: an unknown number is not zero.

    Parameters
    ----------
    column
        Name of a column of whole numbers.

    Returns
    -------
    pl.Expr
        Int64; null where a value is null, and where there is no row at all.

    Examples
    --------
    >>> import polars as pl
    >>> staff = pl.DataFrame({"agency": ["A", "A", "B", "B"], "eligible_staff": [3, 4, 5, None]})
    >>> staff.group_by("agency").agg(complete_sum("eligible_staff")).sort("agency")["eligible_staff"].to_list()
    [7, None]
    """
    known = (pl.len() > 0) & pl.col(column).is_not_null().all()
    return pl.when(known).then(pl.col(column).sum()).cast(pl.Int64).alias(column)


def divide(count: pl.Expr, of: pl.Expr) -> pl.Expr:
    """Divide, with null for nothing to divide by.

    Examples
    --------
    >>> import polars as pl
    >>> pl.select(divide(pl.lit(3), pl.lit(4)).alias("share"), divide(pl.lit(3), pl.lit(0)).alias("none")).row(0)
    (0.75, None)
    """
    return pl.when(of > 0).then(count / of)


def sessions_for(people: pl.Expr, per_session: pl.Expr) -> pl.Expr:
    """The sessions it takes to train so many people; null where a session trains none.

    Examples
    --------
    >>> import polars as pl
    >>> pl.select(sessions_for(pl.lit(84), pl.lit(5.6))).item()
    15
    """
    exact = divide(people, per_session).round(6)  # 84 / 5.6 is 15.000000000000002 to a computer
    return exact.ceil().cast(pl.Int64)


def group_columns(by: str | Sequence[str], known: Sequence[str], where: str, taken: Sequence[str]) -> list[str]:
    """Check the group columns a caller asks for.

    Parameters
    ----------
    by
        One name or several; none for one row overall.
    known
        Columns there are.
    where
        Where they are, for the message, such as ``"bookings or sessions"``.
    taken
        Columns of the result that are not group columns.

    Returns
    -------
    list[str]
        The names, in the order given.

    Raises
    ------
    ParameterError
        When a name is unknown, stands twice, names a person, or is a column of the result.

    Examples
    --------
    >>> group_columns("agency", ["agency", "person"], "bookings", ["count"])
    ['agency']
    """
    names = [by] if isinstance(by, str) else list(by)
    usable = [name for name in known if name not in IDENTIFYING]
    for name in names:
        if name in IDENTIFYING:
            raise ParameterError(f'by: "{name}" names people one by one. Results are of groups: leave it out.')
        if name in taken:
            raise ParameterError(f'by: "{name}" is a column of the result. Rename the column to group by it.')
        if name not in known:
            raise ParameterError(
                f'by: "{name}" is not a column of {where}. Found: {", ".join(usable)}.{nearest(name, usable)}'
            )
    if len(set(names)) < len(names):
        raise ParameterError(f"by: a column stands twice. Found: {', '.join(names)}. Name each once.")
    return names


def per_group(frame: pl.DataFrame, groups: Sequence[str], *aggregates: pl.Expr) -> pl.DataFrame:
    """Aggregate per group, or into one row where there are no group columns.

    Examples
    --------
    >>> import polars as pl
    >>> per_group(pl.DataFrame({"score": []}), [], pl.len().alias("rows")).rows()
    [(0,)]
    """
    # In order, so that sums of decimals come out the same each time.
    return frame.group_by(list(groups), maintain_order=True).agg(*aggregates) if groups else frame.select(*aggregates)


def join_groups(left: pl.DataFrame, right: pl.DataFrame, groups: Sequence[str]) -> pl.DataFrame:
    """Join two frames with one row per group, so that no group of either is lost.

    Raises
    ------
    TableError
        When a group column holds different types, such as numbers and text.

    Examples
    --------
    >>> import polars as pl
    >>> came = pl.DataFrame({"agency": ["Health"], "numerator": [3]})
    >>> join_groups(came, pl.DataFrame({"agency": ["Police"], "denominator": [9]}), ["agency"]).sort("agency").rows()
    [('Health', 3, None), ('Police', None, 9)]
    """
    if not groups:
        return left.hstack(right)
    for name in groups:
        here, there = left[name], right[name]
        if here.null_count() == len(here):
            left = left.with_columns(here.cast(there.dtype))
        elif there.null_count() == len(there):
            right = right.with_columns(there.cast(here.dtype))
        elif here.dtype != there.dtype:
            raise TableError(
                f"{name}: one table holds {here.dtype}, the other {there.dtype}. Give the column one type in both."
            )
    return left.join(right, on=list(groups), how="full", coalesce=True, nulls_equal=True)


def with_totals(counts: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Add margin rows, in which the value of a group column is "Total".

    Parameters
    ----------
    counts
        One row per group: the columns of `by` and counts (whole numbers).
    by
        The group columns.

    Returns
    -------
    pl.DataFrame
        The same columns, group columns as text, sorted by them. Besides the rows given, one row for every combination
        of groups with one or more group columns replaced by "Total"; a count there is the sum of its rows, null where
        one of them is null. A frame without rows, or without group columns, gains none. Not suppressed.

    Raises
    ------
    TableError
        When a group is called "Total" already.

    Examples
    --------
    >>> import polars as pl
    >>> counts = pl.DataFrame({"agency": ["Health", "Police"], "attended": [7, 2]})
    >>> with_totals(counts, ["agency"]).rows()
    [('Health', 7), ('Police', 2), ('Total', 9)]
    """
    groups = list(by)
    rows = counts.with_columns(pl.col(groups).cast(pl.String))
    for name in groups:
        if (rows[name] == TOTAL).any():
            raise TableError(f'{name}: a group is called "{TOTAL}", which names the margin rows. Rename that group.')
    sums = [complete_sum(name) for name in counts.columns if name not in groups]
    margins = [
        rows.with_columns(pl.lit(TOTAL).alias(name) for name in summed).group_by(groups).agg(sums)
        for size in range(1, len(groups) + 1)
        for summed in combinations(groups, size)
    ]
    found = pl.concat([rows.with_columns(pl.exclude(groups).cast(pl.Int64)), *margins])
    return found.select(counts.columns).sort(groups) if groups else found


def open_days(frame: IntoFrame, needed: Sequence[str], days: Sequence[str], table: str) -> nw.LazyFrame[Any]:
    """Open a table where it lives, and make sure that its columns of days hold days.

    Parameters
    ----------
    frame
        Any frame.
    needed
        Columns it must have besides those of days.
    days
        Columns of days; times of day are cut off.
    table
        What it is called in messages.

    Returns
    -------
    nw.LazyFrame
        The table, with those columns as dates.

    Raises
    ------
    TableError
        Columns are missing or hold no dates.

    Examples
    --------
    >>> plans = pl.DataFrame({"plan": ["p1"], "start_date": ["2008-03-31"]})
    >>> open_days(plans, ["plan"], ["start_date"], "plans")
    Traceback (most recent call last):
    safeguarding_analytics.errors.TableError: plans: start_date must hold dates. Found: String. Parse it before.
    """
    opened = open_frame(frame, [*needed, *days], table)
    schema = opened.collect_schema()
    wrong = [name for name in days if schema[name] not in (nw.Date, nw.Datetime)]
    if wrong:
        found = ", ".join(dict.fromkeys(str(schema[name]) for name in wrong))
        parse = "it" if len(wrong) == 1 else "them"
        raise TableError(f"{table}: {', '.join(wrong)} must hold dates. Found: {found}. Parse {parse} before.")
    return opened.with_columns(nw.col(*days).cast(nw.Date))


def check_rows(opened: nw.LazyFrame[Any], key: str | None, needed: Sequence[str], table: str) -> None:
    """Refuse a table whose rows would be counted twice, or not at all, without a sign.

    Parameters
    ----------
    opened
        The table.
    key
        Column that tells its rows apart, such as ``plan``; None where several rows may have one.
    needed
        Further columns that must not be empty.
    table
        What it is called in messages.

    Raises
    ------
    TableError
        A key stands twice, or a cell is empty; all that is wrong at once, and no value of a cell.

    Examples
    --------
    >>> check_rows(nw.from_native(pl.LazyFrame({"plan": ["p1", "p1"]})), "plan", [], "plans")
    Traceback (most recent call last):
    safeguarding_analytics.errors.TableError: plans: 2 rows stand for 1 different plans. Keep one row per plan.
    """
    columns = [*([key] if key else []), *needed]
    different = [nw.col(key).n_unique().alias("different")] if key else []
    empty = [nw.col(name).is_null().cast(nw.Int64).sum().alias(f"empty_{name}") for name in columns]
    found = fetch(opened.select(nw.len().alias("rows"), *different, *empty)).row(0, named=True)
    rows = found["rows"]
    wrong = [
        f"{found[f'empty_{name}']:,} of {rows:,} rows have no {name}. "
        "Complete them, or leave these rows out and say so."
        for name in columns
        if found[f"empty_{name}"]
    ]
    if key and rows and not found[f"empty_{key}"] and rows > found["different"]:  # of no rows, engines do not agree
        keys = f"{found['different']:,} different {key}s"
        wrong.append(f"{rows:,} rows stand for {keys}. Keep one row per {key}.")
    if wrong:
        raise TableError(f"{table}: {' '.join(wrong)}")


def count_rows(
    opened: nw.LazyFrame[Any], groups: Sequence[str], which: Mapping[str, nw.Expr], *, totals: bool = False
) -> pl.DataFrame:
    """Count rows of several kinds per group, in one pass over a table.

    Parameters
    ----------
    opened
        The table.
    groups
        Group columns; none for one row overall.
    which
        Per name of a count, whether a row is counted in it.
    totals
        Whether to add rows "Total" for every group column.

    Returns
    -------
    pl.DataFrame
        One row per group found, sorted: the group columns, and the counts under their names, Int64, 0 where no row is
        counted.

    Examples
    --------
    >>> bookings = nw.from_native(pl.LazyFrame({"agency": ["Health", "Health"], "places": [1, 7]}))
    >>> count_rows(bookings, ["agency"], {"many": nw.col("places") > 5, "none": nw.col("places") == 0}).rows()
    [('Health', 1, 0)]
    """
    names = list(which)
    flags = opened.select(*groups, *(flag.cast(nw.Int64).alias(name) for name, flag in which.items()))
    sums = nw.col(*names).sum()
    counted = fetch(flags.group_by(*groups).agg(sums) if groups else flags.select(sums))
    counts = counted.select(*groups, pl.col(names).cast(pl.Int64).fill_null(0))
    if totals:
        return with_totals(counts, groups)
    return counts.sort(groups) if groups else counts
