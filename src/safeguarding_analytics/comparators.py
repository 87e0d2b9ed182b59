"""An authority beside its region, England and its statistical neighbours, from published figures."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from safeguarding_analytics.errors import ParameterError, nearest, require_columns, shorten
from safeguarding_analytics.intervals import wilson
from safeguarding_analytics.sources.dfe import read_second_or_subsequent_plans, read_statistical_neighbours

SCHEMA: dict[str, type[pl.DataType]] = {
    "time_period": pl.String,
    "area": pl.String,
    "numerator": pl.Int64,
    "denominator": pl.Int64,
    "proportion": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "mark": pl.String,
    "neighbours": pl.Int64,
}
COLUMNS = tuple(SCHEMA)
PUBLISHED = (
    *("time_period", "geographic_level", "region", "area", "number", "numerator", "denominator"),
    *("proportion", "published_percentage", "mark"),
)


def comparator_rates(
    published: pl.DataFrame,
    neighbours: pl.DataFrame,
    authority: str,
    *,
    time_period: str | None = None,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """The published share of an authority, and what it is usually compared with.

    Parameters
    ----------
    published
        One row per area and year, as ``sources.dfe.read_second_or_subsequent_plans`` gives it: ``time_period``,
        ``geographic_level``, ``region``, ``area``, ``number``, ``numerator``, ``denominator``, ``proportion`` (0 to 1),
        ``published_percentage`` (0 to 100), ``mark``.
    neighbours
        One row per authority and statistical neighbour, as ``sources.dfe.read_statistical_neighbours`` gives it:
        ``number``, ``neighbour_number``. Its model has a year: print it beside the result.
    authority
        Name of the authority, as published.
    time_period
        Reporting year such as ``"2025"``; None for every year in which the authority has a row.
    confidence
        Of the Wilson interval, between 0 and 1.

    Returns
    -------
    pl.DataFrame
        One row per year and area, sorted by ``time_period``; within a year the authority, its region, England,
        ``"Statistical neighbours (median)"``, ``"Statistical neighbours (mean)"``. What has no published row, or no
        neighbour with a figure, is left out. Published figures: suppressed by their publisher, not by this function.

        - ``numerator``, ``denominator``: counts; null where withheld, and for the median and the mean
        - ``proportion``: 0 to 1; ``lower``, ``upper``: its interval, null where a count is null
        - ``mark``: the letter printed instead of a number, such as ``"[c]"``, else ``""``
        - ``neighbours``: in the rows of the neighbours, how many of them have a figure in that year; else null

    Raises
    ------
    ParameterError
        No such authority, or it has no row in the year asked for.
    TableError
        A table lacks a column.

    Notes
    -----
    An authority's share is worked out from its counts, which are exact. England's and the regions' counts are rounded
    to 10 and include authorities that gave no numerator (Doncaster in 2022: 1,660 of 7,490 plans is 22.2%, printed is
    23.6%), so their share is the printed percentage, and their interval is that of the printed share with the printed
    denominator. The median and the mean give every neighbour the same weight; DfE's dashboard prints the median, its
    Local Authority Interactive Tool the mean. A neighbour is compared under the number it has in the model: an
    authority that was abolished or renumbered has fewer neighbours in earlier years.

    References
    ----------
    DfE, Children's social care outcomes and enablers dashboard; DfE, Local Authority Interactive Tool.

    Examples
    --------
    >>> published = pl.DataFrame(
    ...     [
    ...         ("2025", "national", None, "England", None, 15130, 61840, 0.2447, 24.5, ""),
    ...         ("2025", "regional", "South East", "South East", None, 2450, 9290, 0.2637, 26.3, ""),
    ...         ("2025", "local authority", "South East", "Kent", "886", 310, 1274, 0.2433, 24.3, ""),
    ...         ("2025", "local authority", "East of England", "Essex", "881", 50, 200, 0.25, 25.0, ""),
    ...         ("2025", "local authority", "South West", "Devon", "878", 30, 100, 0.3, 30.0, ""),
    ...     ],
    ...     schema=["time_period", "geographic_level", "region", "area", "number", "numerator", "denominator",
    ...             "proportion", "published_percentage", "mark"],
    ...     orient="row",
    ... )
    >>> neighbours = pl.DataFrame({"number": ["886", "886"], "neighbour_number": ["881", "878"]})
    >>> for row in comparator_rates(published, neighbours, "Kent").select("area", "proportion").rows():
    ...     print(row)
    ('Kent', 0.2433)
    ('South East', 0.263)
    ('England', 0.245)
    ('Statistical neighbours (median)', 0.275)
    ('Statistical neighbours (mean)', 0.275)
    """
    require_columns(published.columns, PUBLISHED, "published")
    require_columns(neighbours.columns, ("number", "neighbour_number"), "neighbours")
    own = _own_rows(published, authority, time_period)
    region = _rows_beside(published, own.select("time_period", area="region"), "regional")
    england = _rows_beside(published, own.select("time_period"), "national")
    printed = [
        _with_interval(rows, confidence).with_columns(order=order)
        for order, rows in enumerate((own, _rounded(region), _rounded(england)))
    ]
    return (
        pl.concat([*printed, *_neighbour_rows(published, neighbours, own)]).sort("time_period", "order").drop("order")
    )


def read_comparators(
    plans_file: str | None, neighbours_file: str | None, folder: Path, authority: str | None
) -> pl.DataFrame:
    """The published shares a board compares itself with, from the Department's files named in its `board.toml`.

    Parameters
    ----------
    plans_file, neighbours_file
        Files of second or subsequent plans and of statistical neighbours; a relative path starts at ``folder``.
    folder
        The board's folder.
    authority
        Name of the authority, as published.

    Returns
    -------
    pl.DataFrame
        As `comparator_rates` for every year; no row where no file of plans is named. Without a file of neighbours the
        rows of the neighbours are missing.

    Raises
    ------
    ParameterError
        Files are named and the authority is not, or is unknown.
    TableError
        A file is missing or is not the Department's.
    """
    if plans_file is None:
        return pl.DataFrame(schema=SCHEMA)
    if authority is None:
        raise ParameterError("board.toml names files to compare with, but no [board] authority to look for in them.")
    published = read_second_or_subsequent_plans(folder / plans_file)
    no_neighbours = pl.DataFrame(schema={"number": pl.String, "neighbour_number": pl.String})
    neighbours = read_statistical_neighbours(folder / neighbours_file) if neighbours_file else no_neighbours
    return comparator_rates(published, neighbours, authority)


def _own_rows(published: pl.DataFrame, authority: str, time_period: str | None) -> pl.DataFrame:
    authorities = published.filter(pl.col("geographic_level") == "local authority")
    own = authorities.filter(pl.col("area") == authority)
    if own.is_empty():
        names = authorities["area"].unique().sort().to_list()
        raise ParameterError(
            f'there is no authority "{authority}" in the published figures, which name {len(names):,} authorities.'
            f"{nearest(authority, names) or ' Give the name as the Department prints it.'}"
        )
    found = own if time_period is None else own.filter(pl.col("time_period") == time_period)
    if found.is_empty():
        raise ParameterError(
            f'there is no figure for "{authority}" in {time_period}. '
            f"Found: {shorten(own['time_period'].sort().to_list(), most=20)}. Choose one of these years, or give none."
        )
    return found


def _rows_beside(published: pl.DataFrame, keys: pl.DataFrame, level: str) -> pl.DataFrame:
    """The published rows of a level that have the same year (and area) as one of the keys."""
    return published.filter(pl.col("geographic_level") == level).join(keys, on=keys.columns, how="semi")


def _rounded(rows: pl.DataFrame) -> pl.DataFrame:
    """Take the printed percentage for the share: the counts beside it are rounded."""
    return rows.with_columns(proportion=pl.col("published_percentage") / 100)


def _with_interval(rows: pl.DataFrame, confidence: float) -> pl.DataFrame:
    share, size = pl.col("proportion"), pl.col("denominator")
    none = pl.lit(None, pl.Int64).alias("neighbours")
    return rows.with_columns(*wilson(share * size, size, confidence), none).select(COLUMNS)


def _neighbour_rows(published: pl.DataFrame, neighbours: pl.DataFrame, own: pl.DataFrame) -> list[pl.DataFrame]:
    """The median row and the mean row of every year in which a neighbour has a figure."""
    keys = own.select("time_period", "number").join(neighbours, on="number")
    summaries = (
        published.filter(pl.col("geographic_level") == "local authority", pl.col("proportion").is_not_null())
        .join(keys.select("time_period", number="neighbour_number"), on=["time_period", "number"], how="semi")
        .group_by("time_period")
        .agg(
            pl.col("proportion").median().alias("Median"),
            pl.col("proportion").mean().alias("Mean"),
            pl.len().alias("n"),
        )
    )
    nothing = {"numerator": pl.Int64, "denominator": pl.Int64, "lower": pl.Float64, "upper": pl.Float64}
    return [
        summaries.with_columns(
            pl.lit(f"Statistical neighbours ({name.lower()})").alias("area"),
            pl.col("n").cast(pl.Int64).alias("neighbours"),
            pl.col(name).alias("proportion"),
            pl.lit("").alias("mark"),
            *(pl.lit(None, dtype).alias(column) for column, dtype in nothing.items()),
        )
        .select(COLUMNS)
        .with_columns(order=order)
        for order, name in ((3, "Median"), (4, "Mean"))
    ]
