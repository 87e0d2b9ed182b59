"""An authority beside its region, England and its statistical neighbours, from published figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from safeguarding_analytics.errors import ParameterError, TableError, nearest, require_columns, shorten
from safeguarding_analytics.intervals import byar, wilson
from safeguarding_analytics.sources.dfe import read_second_or_subsequent_plans, read_statistical_neighbours
from safeguarding_analytics.sources.lait import PER_CENT, indicator_figures, indicator_of

ComparatorSet = Literal["all", "neighbours", "region"]
Statistic = Literal["both", "median", "mean"]
COMPARATOR_SETS: tuple[ComparatorSet, ...] = ("all", "neighbours", "region")
STATISTICS: tuple[Statistic, ...] = ("both", "median", "mean")
POLARITIES = ("low", "high", "none")

AREA_COLUMNS = ("time_period", "geographic_level", "region", "area", "number")


@dataclass(frozen=True)
class _Layout:
    """How a shape names its counts and its value, what a printed value is divided by, and how its interval is made."""

    part: str
    whole: str
    value: str
    printed: str
    divisor: float
    events: Callable[[pl.Expr, pl.Expr], pl.Expr]
    interval: Callable[[pl.Expr, pl.Expr, float], tuple[pl.Expr, pl.Expr]]

    @property
    def schema(self) -> dict[str, type[pl.DataType]]:
        """Columns of the result."""
        return {
            "time_period": pl.String,
            "area": pl.String,
            self.part: pl.Int64,
            self.whole: pl.Int64,
            **dict.fromkeys((self.value, "lower", "upper"), pl.Float64),
            "mark": pl.String,
            "neighbours": pl.Int64,
        }


def _byar_per_10000(count: pl.Expr, population: pl.Expr, confidence: float) -> tuple[pl.Expr, pl.Expr]:
    lower, upper = (pl.when(population > 0).then(end / population * 10_000) for end in byar(count, confidence))
    return lower.alias("lower"), upper.alias("upper")


_SHARE = _Layout(
    *("numerator", "denominator", "proportion", "published_percentage", 100),
    events=lambda value, whole: value * whole,
    interval=wilson,
)
_RATE = _Layout(
    *("count", "population", "rate", "published_rate", 1),
    events=lambda value, whole: value * whole / 10_000,
    interval=_byar_per_10000,
)


def comparator_rates(
    published: pl.DataFrame,
    neighbours: pl.DataFrame,
    authority: str,
    *,
    time_period: str | None = None,
    confidence: float = 0.95,
    comparator_set: ComparatorSet = "all",
    statistic: Statistic = "both",
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
    comparator_set
        ``"all"``; ``"neighbours"``: without the region; ``"region"``: without the statistical neighbours. England is
        always there.
    statistic
        Of the statistical neighbours: ``"median"``, ``"mean"`` or ``"both"``.

    Returns
    -------
    pl.DataFrame
        One row per year and area, sorted by ``time_period``; within a year the authority, its region, England,
        ``"Statistical neighbours (median)"``, ``"Statistical neighbours (mean)"``. What has no published row, or no
        neighbour with a figure, is left out. Published figures: suppressed by their publisher, not by this function.

        - ``numerator``, ``denominator``: counts; null in a row with a mark, and for the median and the mean
        - ``proportion``: 0 to 1; ``lower``, ``upper``: its interval, null where a count is null
        - ``mark``: the letter printed instead of a number, such as ``"[c]"``, else ``""``
        - ``neighbours``: in the rows of the neighbours, how many of them have a figure in that year; else null

    Raises
    ------
    ParameterError
        No such authority, it has no row in the year asked for, or a parameter is none of the words it may be.
    TableError
        A table lacks a column.

    Notes
    -----
    An authority's share is worked out from its counts, which are exact. England's and the regions' counts are rounded
    to 10 and include authorities that gave no numerator (Doncaster in 2022: 1,660 of 7,490 plans is 22.2%, printed is
    23.6%), so their share is the printed percentage, and their interval is that of the printed share with the printed
    denominator. The median and the mean are those of the printed percentages and give every neighbour the same weight;
    DfE's dashboard prints the median, its Local Authority Interactive Tool the mean. A neighbour is compared under the
    number it has in the model: an authority that was abolished or renumbered has fewer neighbours in earlier years.
    Where a letter is printed in place of one number of a row, all its numbers are left out.

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
    return _compared(
        published,
        neighbours,
        authority,
        _SHARE,
        time_period=time_period,
        confidence=confidence,
        comparator_set=comparator_set,
        statistic=statistic,
    )


def compare_indicator(
    lait: pl.DataFrame,
    neighbours: pl.DataFrame,
    authority: str,
    indicator: str,
    *,
    population: pl.DataFrame | None = None,
    time_period: str | None = None,
    confidence: float = 0.95,
    comparator_set: ComparatorSet = "all",
    statistic: Statistic = "both",
) -> pl.DataFrame:
    """Any indicator of the Local Authority Interactive Tool for an authority, beside what it is usually compared with.

    Parameters
    ----------
    lait
        The tool's values, as ``sources.lait.read_lait`` gives them.
    neighbours
        One row per authority and statistical neighbour: ``number``, ``neighbour_number``, and ``area`` where the
        authority may be named as in that file. Its model has a year (`model_year`): print it beside the result.
    authority
        Name of the authority, as the tool or the file of neighbours prints it.
    indicator
        A name of ``sources.lait.INDICATORS`` that is a share or a rate, such as ``"reviews_on_time"``.
    population
        For rates, children aged 0 to 17 by area and mid-year, as ``sources.population.read_population`` gives them;
        None: rates as printed, without intervals.
    time_period
        Reporting year such as ``"2025"``; None for every year of the file.
    confidence
        Of the interval, between 0 and 1.
    comparator_set
        ``"all"``; ``"neighbours"``: without the region; ``"region"``: without the statistical neighbours. England is
        always there.
    statistic
        Of the statistical neighbours: ``"median"``, ``"mean"`` or ``"both"``.

    Returns
    -------
    pl.DataFrame
        One row per year and area, sorted as `comparator_rates` does. Published figures: suppressed by their publisher,
        not by this function.

        - of a share: ``numerator``, ``denominator``, ``proportion`` (0 to 1), ``lower``, ``upper``: the Wilson interval
        - of a rate: ``count``, ``population``, ``rate`` (per 10,000), ``lower``, ``upper``: Byar's interval, the exact
          one below 10
        - ``mark``: ``"[-]"`` where the tool prints no figure, else ``""``
        - ``neighbours``: in the rows of the neighbours, how many of them have a figure in that year; else null

        Counts that are not in the tool are null, and so is the interval then.

    Raises
    ------
    ParameterError
        No such authority or indicator, the indicator is a plain count, the authority has no row in the year asked for,
        or a parameter is none of the words it may be.
    TableError
        A table lacks a column, or the tool's values lack a measure of the indicator.

    Notes
    -----
    As `comparator_rates`. What an indicator is, which measures it is made of and which sentence of the tool's
    dictionary about it is wrong stands in ``sources.lait.INDICATORS``. A rate has the population of the mid-year before
    its reporting year.

    References
    ----------
    DfE, Local Authority Interactive Tool; ONS, mid-year population estimates.

    Examples
    --------
    >>> measures = ["CPP_Reviewed_InReqTimeScl", "CPP_31March_3MnthorMore", "RevCP"]
    >>> place = ("2025", "local authority", "South East", "Kent", "886")
    >>> values = zip(measures, [800.0, 808.0, 99.0], strict=True)
    >>> lait = pl.DataFrame(
    ...     [(*place, measure, value, "") for measure, value in values],
    ...     schema=["time_period", "geographic_level", "region", "area", "number", "measure", "value", "mark"],
    ...     orient="row",
    ... )
    >>> neighbours = pl.DataFrame({"number": ["886"], "neighbour_number": ["881"]})
    >>> found = compare_indicator(lait, neighbours, "Kent", "reviews_on_time")
    >>> found.select("area", "numerator", "denominator").row(0)
    ('Kent', 800, 808)
    """
    layout = _SHARE if indicator_of(indicator).unit == PER_CENT else _RATE
    return _compared(
        indicator_figures(lait, indicator, population=population),
        neighbours,
        authority,
        layout,
        time_period=time_period,
        confidence=confidence,
        comparator_set=comparator_set,
        statistic=statistic,
    )


def indicator_bands(lait: pl.DataFrame, indicator: str, *, time_period: str | None = None) -> pl.DataFrame:
    """The band and the rank of every authority on an indicator of the Local Authority Interactive Tool.

    Parameters
    ----------
    lait
        The tool's values, as ``sources.lait.read_lait`` gives them.
    indicator
        A name of ``sources.lait.INDICATORS`` that is a share or a rate.
    time_period
        Reporting year such as ``"2025"``; None for every year of the file.

    Returns
    -------
    pl.DataFrame
        One row per year and authority with a row in the tool, sorted by ``time_period``, then by ``rank`` (missing ones
        last) and ``area``. Published figures.

        - ``time_period``, ``area``, ``number``
        - ``value``: as printed, in per cent or per 10,000; as worked out, in per cent, where none is printed
        - ``band``: A (best) to D, `band_of`; ``rank``: `rank_of`; null without a figure, and where the Department calls
          neither low nor high good
        - ``authorities``: how many have a figure in that year
        - ``mark``: ``"[-]"`` where the tool prints no figure, else ``""``

    Raises
    ------
    ParameterError
        There is no such indicator, it is a plain count, or the file has no such year.
    TableError
        A table lacks a column, or the tool's values lack a measure of the indicator.

    Notes
    -----
    A rank hides how uncertain each figure is: small authorities stand at both ends by chance. Show intervals or a
    funnel beside it.

    References
    ----------
    DfE, Local Authority Interactive Tool, quartile bands.

    Examples
    --------
    >>> lait = pl.DataFrame(
    ...     [
    ...         ("2025", "local authority", "North", area, number, "ReReferral", value, "")
    ...         for area, number, value in (("A", "201", 10.0), ("B", "202", 30.0), ("C", "203", 10.0))
    ...     ],
    ...     schema=["time_period", "geographic_level", "region", "area", "number", "measure", "value", "mark"],
    ...     orient="row",
    ... )
    >>> indicator_bands(lait, "referrals_again_within_12_months").select("area", "band", "rank").rows()
    [('A', 'A', 1), ('C', 'A', 1), ('B', 'D', 3)]
    """
    chosen = indicator_of(indicator)
    figures = indicator_figures(lait, indicator).filter(pl.col("geographic_level") == "local authority")
    years = figures["time_period"].unique().sort().to_list()
    if time_period is not None and time_period not in years:
        raise ParameterError(
            f"there is no figure in {time_period}. Found: {shorten(years, most=20)}. "
            "Choose one of these years, or give none."
        )
    printed, exact = ("published_percentage", "proportion") if chosen.unit == PER_CENT else ("published_rate", "rate")
    value = pl.coalesce(printed, pl.col(exact) * (100 if chosen.unit == PER_CENT else 1))
    kept = figures if time_period is None else figures.filter(pl.col("time_period") == time_period)
    return (
        kept.with_columns(pl.when(pl.col("mark") == "").then(value).alias("value"))
        .select(
            *("time_period", "area", "number", "value"),
            band_of(pl.col("value"), chosen.polarity).over("time_period").alias("band"),
            rank_of(pl.col("value"), chosen.polarity).over("time_period").alias("rank"),
            pl.col("value").count().over("time_period").cast(pl.Int64).alias("authorities"),
            "mark",
        )
        .sort("time_period", "rank", "area", "number", nulls_last=True)
    )


def band_of(value: pl.Expr, polarity: str) -> pl.Expr:
    """The quartile band of each value among all of them, as the Local Authority Interactive Tool draws it: A is best.

    Parameters
    ----------
    value
        The figures of all authorities of one year; of several years, use ``.over("time_period")``.
    polarity
        ``"low"`` or ``"high"`` is good, or ``"none"``.

    Returns
    -------
    pl.Expr
        ``"A"`` to ``"D"``; null where the value is null or the polarity is ``"none"``.

    Raises
    ------
    ParameterError
        The polarity is none of these.

    Notes
    -----
    Quartiles of all values that are known, linear between two of them. Where low is good: A up to the first quartile,
    B up to the second, C up to the third, D above. Where high is good: D up to the first, C up to the second, B up to
    the third, A above. A value on a boundary gets the better band where low is good, and the worse where high is good.

    References
    ----------
    DfE, Local Authority Interactive Tool.

    Examples
    --------
    >>> pl.select(band_of(pl.lit(pl.Series([10, 20, 30, 40, 50])), "low")).to_series().to_list()
    ['A', 'A', 'B', 'C', 'D']
    >>> pl.select(band_of(pl.lit(pl.Series([10, 20, 30, 40, 50])), "high")).to_series().to_list()
    ['D', 'D', 'C', 'B', 'A']
    """
    _one_of("polarity", polarity, POLARITIES)
    if polarity == "none":
        return pl.when(value.is_null()).then(pl.lit(None, pl.String))
    # Quartiles between two values carry digits far behind the printed ones; a boundary is a boundary all the same.
    exact = value.cast(pl.Float64).round(9)
    first, second, third = (exact.quantile(share, "linear").round(9) for share in (0.25, 0.5, 0.75))
    bands = "ABCD" if polarity == "low" else "DCBA"
    return (
        pl.when(exact <= first)
        .then(pl.lit(bands[0]))
        .when(exact <= second)
        .then(pl.lit(bands[1]))
        .when(exact <= third)
        .then(pl.lit(bands[2]))
        .when(exact > third)
        .then(pl.lit(bands[3]))
    )


def rank_of(value: pl.Expr, polarity: str) -> pl.Expr:
    """The place of each value among all of them: 1 is best, and equal values share the smallest place.

    Parameters
    ----------
    value
        The figures of all authorities of one year; of several years, use ``.over("time_period")``.
    polarity
        ``"low"`` or ``"high"`` is good, or ``"none"``.

    Returns
    -------
    pl.Expr
        Whole number; null where the value is null or the polarity is ``"none"``.

    Raises
    ------
    ParameterError
        The polarity is none of these.

    References
    ----------
    DfE, Local Authority Interactive Tool.

    Examples
    --------
    >>> pl.select(rank_of(pl.lit(pl.Series([30, 10, None, 10, 20])), "low")).to_series().to_list()
    [4, 1, None, 1, 3]
    """
    _one_of("polarity", polarity, POLARITIES)
    if polarity == "none":
        return pl.when(value.is_null()).then(pl.lit(None, pl.Int64))
    return value.rank("min", descending=polarity == "high").cast(pl.Int64)


def model_year(path: str | Path) -> str:
    """The year of a model of statistical neighbours, which stands only in the name of its file.

    Parameters
    ----------
    path
        The file, such as ``sn_model_2025_wide.csv``; it need not be there.

    Returns
    -------
    str
        Four digits.

    Raises
    ------
    TableError
        The name holds no year, or two different ones.

    Examples
    --------
    >>> model_year("comparators/sn_model_2025_wide.csv")
    '2025'
    """
    name = Path(path).name
    found = sorted(set(re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", name)))
    if len(found) != 1:
        raise TableError(
            f"{name}: the year of the model of statistical neighbours is read from the name of its file. "
            f"Found: {shorten(found) or 'no year'}. "
            "Name the file as the Department does, such as sn_model_2025_wide.csv."
        )
    return str(found[0])


def read_comparators(
    plans_file: str | None,
    neighbours_file: str | None,
    folder: Path,
    authority: str | None,
    *,
    comparator_set: ComparatorSet = "all",
    statistic: Statistic = "both",
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
    comparator_set, statistic
        Which rows are kept, as in `comparator_rates`.

    Returns
    -------
    pl.DataFrame
        As `comparator_rates` for every year; no row where no file of plans is named. Without a file of neighbours the
        rows of the neighbours are missing.

    Raises
    ------
    ParameterError
        Files are named and the authority is not, or is unknown; a parameter is none of the words it may be.
    TableError
        A file is missing or is not the Department's.
    """
    _one_of("comparator_set", comparator_set, COMPARATOR_SETS)
    _one_of("statistic", statistic, STATISTICS)
    if plans_file is None:
        return pl.DataFrame(schema=_SHARE.schema)
    if authority is None:
        raise ParameterError("board.toml names files to compare with, but no [board] authority to look for in them.")
    published = read_second_or_subsequent_plans(folder / plans_file)
    no_neighbours = pl.DataFrame(schema={"number": pl.String, "neighbour_number": pl.String})
    neighbours = read_statistical_neighbours(folder / neighbours_file) if neighbours_file else no_neighbours
    return comparator_rates(published, neighbours, authority, comparator_set=comparator_set, statistic=statistic)


def _compared(
    published: pl.DataFrame,
    neighbours: pl.DataFrame,
    authority: str,
    layout: _Layout,
    *,
    time_period: str | None,
    confidence: float,
    comparator_set: str,
    statistic: str,
) -> pl.DataFrame:
    """The rows of an authority and of what it is compared with, of either shape."""
    _one_of("comparator_set", comparator_set, COMPARATOR_SETS)
    _one_of("statistic", statistic, STATISTICS)
    needed = (*AREA_COLUMNS, layout.part, layout.whole, layout.value, layout.printed, "mark")
    require_columns(published.columns, needed, "published")
    require_columns(neighbours.columns, ("number", "neighbour_number"), "neighbours")
    figures = published.select(
        *AREA_COLUMNS,
        pl.col(layout.part).alias("part"),
        pl.col(layout.whole).alias("whole"),
        pl.col(layout.value).alias("exact"),
        (pl.col(layout.printed) / layout.divisor).alias("printed"),
        "mark",
    )
    own = _own_rows(figures, neighbours, authority, time_period)
    region = _rows_beside(figures, own.select("time_period", area="region"), "regional")
    england = _rows_beside(figures, own.select("time_period"), "national")
    rows = {0: own, 2: england}
    if comparator_set != "neighbours":
        rows[1] = region
    shown = [
        _with_interval(found, layout, confidence).with_columns(order=pl.lit(order)) for order, found in rows.items()
    ]
    if comparator_set != "region":
        shown += _neighbour_rows(figures, neighbours, own, layout, statistic)
    return pl.concat(shown).sort("time_period", "order").drop("order")


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ParameterError(
            f"{name} must be {', '.join(allowed[:-1])} or {allowed[-1]}. "
            f'Found: "{value}".{nearest(str(value), allowed)}'
        )


def _own_rows(figures: pl.DataFrame, neighbours: pl.DataFrame, authority: str, time_period: str | None) -> pl.DataFrame:
    """The rows of the authority, which may be named as in the file of neighbours."""
    authorities = figures.filter(pl.col("geographic_level") == "local authority")
    own = authorities.filter(pl.col("area") == authority)
    if own.is_empty() and "area" in neighbours.columns:
        numbers = neighbours.filter(pl.col("area") == authority).select("number").unique()
        own = authorities.join(numbers, on="number", how="semi")
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


def _rows_beside(figures: pl.DataFrame, keys: pl.DataFrame, level: str) -> pl.DataFrame:
    """The published rows of a level that have the same year (and area) as one of the keys."""
    return figures.filter(pl.col("geographic_level") == level).join(keys, on=keys.columns, how="semi")


def _with_interval(rows: pl.DataFrame, layout: _Layout, confidence: float) -> pl.DataFrame:
    """Value and interval of each row; nothing but its mark where there is one.

    Counts of authorities are exact. Those of England and the regions are rounded: the printed value goes before.
    """
    rounded, whole = pl.col("geographic_level") != "local authority", pl.col("whole")
    value = (
        pl.when(rounded).then(pl.coalesce("printed", "exact")).otherwise(pl.coalesce("exact", "printed")).alias("value")
    )
    events = pl.when(rounded).then(layout.events(pl.col("value"), whole)).otherwise(pl.col("part"))
    shown = rows.with_columns(
        pl.when(pl.col("mark") == "").then(expression) for expression in (value, pl.col("part"), pl.col("whole"))
    )
    return shown.with_columns(
        *layout.interval(pl.when(pl.col("part").is_not_null()).then(events), whole, confidence),
        pl.lit(None, pl.Int64).alias("neighbours"),
    ).select("time_period", "area", *_counts(layout), "lower", "upper", "mark", "neighbours")


def _counts(layout: _Layout) -> list[pl.Expr]:
    """The counts and the value under the names of the shape."""
    return [
        pl.col("part").cast(pl.Int64).alias(layout.part),
        pl.col("whole").cast(pl.Int64).alias(layout.whole),
        pl.col("value").cast(pl.Float64).alias(layout.value),
    ]


def _neighbour_rows(
    figures: pl.DataFrame, neighbours: pl.DataFrame, own: pl.DataFrame, layout: _Layout, statistic: str
) -> list[pl.DataFrame]:
    """The median row and the mean row of every year in which a neighbour has a figure, printed ones before exact."""
    keys = own.select("time_period", "number").join(neighbours, on="number")
    summaries = (
        figures.filter(pl.col("geographic_level") == "local authority", pl.col("mark") == "")
        .with_columns(pl.coalesce("printed", "exact").alias("value"))
        .filter(pl.col("value").is_not_null())
        .join(keys.select("time_period", number="neighbour_number"), on=["time_period", "number"], how="semi")
        .group_by("time_period")
        .agg(
            pl.col("value").median().alias("median"),
            pl.col("value").sort().mean().alias("mean"),  # sums of decimals depend on their order
            pl.len().cast(pl.Int64).alias("neighbours"),
        )
    )
    nothing = {"part": pl.Int64, "whole": pl.Int64, "lower": pl.Float64, "upper": pl.Float64}
    return [
        summaries.with_columns(
            pl.lit(f"Statistical neighbours ({name})").alias("area"),
            pl.col(name).alias("value"),
            pl.lit("").alias("mark"),
            *(pl.lit(None, dtype).alias(column) for column, dtype in nothing.items()),
        )
        .select("time_period", "area", *_counts(layout), "lower", "upper", "mark", "neighbours")
        .with_columns(order=pl.lit(order))
        for order, name in ((3, "median"), (4, "mean"))
        if statistic in ("both", name)
    ]
