"""Child protection measures of the Local Authority Interactive Tool: its long file, and what its indicators are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import polars as pl

from safeguarding_analytics.errors import ParameterError, TableError, in_words, nearest, require_columns, shorten
from safeguarding_analytics.sources.dfe import DECIMAL, YEAR, raise_all, read_text_cells, repeated_rows, wrong_cells
from safeguarding_analytics.sources.files import ROW

MISSING, MISSING_MARK = "-", "[-]"
"""What the tool prints for every missing number, whatever the reason was: suppressed, not available, not applicable,
low reliability; and the mark that stands for it here."""

PER_CENT: Final = "per cent"
PER_10000: Final = "per 10,000"
COUNT: Final = "count"
ENGLAND, FIRST_REGION, LAST_REGION, FIRST_AUTHORITY, LAST_AUTHORITY = 970, 980, 990, 201, 943
SAME_REGION = {
    "Yorkshire and the Humber": "Yorkshire and The Humber",
    "London (Inner)": "Inner London",
    "London (Outer)": "Outer London",
}
"""Regions as the rows of regions spell them, and as the rows of authorities and all other files do."""

MEASURE, PERIOD, AREA, VALUE, NUMBER, REGION = (
    *("short_desc", "years", "la_and_regions"),
    *("values", "la_number", "region"),
)
AREA_VALUES = ("time_period", "geographic_level", "region", "area", "number")
LAIT = (*AREA_VALUES, "measure", "value", "mark")


@dataclass(frozen=True)
class Indicator:
    """What an indicator of the tool says, and which of the tool's measures it is made of.

    ``measure`` is the published value ("" where none is published), ``numerator`` and ``denominator`` are the measures
    that add up to its counts, empty where the tool has no such count; the denominator of a rate is the population.
    ``polarity`` is the Department's: ``low`` or ``high`` is called good, ``none`` is neither. ``caution`` says which
    sentence of the tool's dictionary is wrong, or what the numbers do not allow.
    """

    name: str
    meaning: str
    unit: Literal["per cent", "per 10,000", "count"]
    polarity: Literal["low", "high", "none"]
    measure: str = ""
    numerator: tuple[str, ...] = ()
    denominator: tuple[str, ...] = ()
    caution: str = ""


_BANDS = ("10_ICPC", "15_ICPC", "20_ICPC", "21_ICPC")

INDICATORS: Mapping[str, Indicator] = MappingProxyType(
    {
        indicator.name: indicator
        for indicator in (
            Indicator(
                "second_or_subsequent_plans",
                "plans starting in the year where the child had a plan before, whenever that was, of all that started",
                unit=PER_CENT,
                polarity="low",
                measure="PrevRegCPR",
                numerator=("ReRegCPR",),
                denominator=("CPP_Abuse",),
                caution="Titles speak of children, but plans are counted: a child with two in a year counts twice.",
            ),
            Indicator(
                "plans_per_10000",
                "plans open at 31 March per 10,000 children aged 0 to 17",
                unit=PER_10000,
                polarity="none",
                measure="CPP_rate",
                numerator=("CPP_Num",),
            ),
            Indicator(
                "plans_starting_per_10000",
                "plans starting in the year per 10,000 children aged 0 to 17",
                unit=PER_10000,
                polarity="low",
                measure="CPP_Abuse_Rate",
                numerator=("CPP_Abuse",),
                caution="The dictionary describes plans open at 31 March here. The name of the measure is right: it "
                "counts plans that start.",
            ),
            Indicator(
                "plans_ceased_per_10000",
                "plans ending in the year per 10,000 children aged 0 to 17",
                unit=PER_10000,
                polarity="none",
                measure="DeRegCPR",
                caution="The count of plans that ended is not in the tool, so there is no interval.",
            ),
            Indicator(
                "conferences_on_time",
                "initial conferences within 15 working days of the start of the section 47 enquiry, of all held",
                unit=PER_CENT,
                polarity="high",
                measure="CP_conf_15days",
                caution="The denominator is all conferences, those with impossible dates included. That count is not "
                "in the tool, and the bands of working days can add up to less: there is no interval.",
            ),
            Indicator(
                "conferences_on_time_of_those_dated",
                "initial conferences within 15 working days, of those that stand in a band of working days",
                unit=PER_CENT,
                polarity="high",
                numerator=_BANDS[:2],
                denominator=_BANDS,
                caution="The Department does not publish this share. Conferences dated before their enquiry are in no "
                "band.",
            ),
            Indicator(
                "reviews_on_time",
                "children on a plan at 31 March for 3 months or more whose reviews were all held in time",
                unit=PER_CENT,
                polarity="high",
                measure="RevCP",
                numerator=("CPP_Reviewed_InReqTimeScl",),
                denominator=("CPP_31March_3MnthorMore",),
                caution="The dictionary's sentence on the denominator repeats the numerator. The denominator is all "
                "children on a plan for 3 months or more, reviewed in time or not.",
            ),
            Indicator(
                "open_two_years",
                "plans open at 31 March that had lasted two years or more (more than 729 days), of all open",
                unit=PER_CENT,
                polarity="low",
                measure="CPPlans2yrsActive",
                caution="The dictionary's sentence on the denominator speaks of plans during the year: it is those "
                "open at 31 March. No count is in the tool, and every third figure is missing, most often a small one.",
            ),
            Indicator(
                "ended_two_years",
                "plans ending in the year that had lasted two years or more (more than 729 days), of all that ended",
                unit=PER_CENT,
                polarity="low",
                measure="CPPlans2yrs",
                caution="The dictionary calls the count of these plans a percentage. The count of all plans that ended "
                "is not in the tool, so there is no interval.",
            ),
            Indicator(
                "section_47_enquiries_per_10000",
                "section 47 enquiries started in the year per 10,000 children aged 0 to 17",
                unit=PER_10000,
                polarity="none",
                measure="Section_47",
            ),
            Indicator(
                "conferences_per_10000",
                "initial conferences in the year per 10,000 children aged 0 to 17",
                unit=PER_10000,
                polarity="none",
                measure="ISCP_Conf",
                caution="Two conferences of a child are both counted, and so are those for children who move in with "
                "a plan.",
            ),
            Indicator(
                "referrals_per_10000",
                "referrals to children's social care in the year per 10,000 children aged 0 to 17",
                unit=PER_10000,
                polarity="none",
                measure="CPP_Total_Rateper10,000",
                numerator=("CPP_Total_NumRef",),
            ),
            Indicator(
                "referrals_again_within_12_months",
                "referrals within 12 months of an earlier referral of the child, of all referrals",
                unit=PER_CENT,
                polarity="low",
                measure="ReReferral",
            ),
            Indicator(
                "assessments_on_time",
                "assessments completed within 45 working days of the referral, of those completed in the year",
                unit=PER_CENT,
                polarity="high",
                measure="Continue_Assess_Comp",
            ),
            Indicator(
                "care_applications_per_10000",
                "care applications to the family court in the year per 10,000 children aged 0 to 17",
                unit=PER_10000,
                polarity="none",
                measure="CareApplications",
            ),
            Indicator(
                "plans",
                "plans open at 31 March",
                unit=COUNT,
                polarity="none",
                measure="CPP_Num",
                numerator=("CPP_Num",),
            ),
            Indicator(
                "plans_starting",
                "plans starting in the year",
                unit=COUNT,
                polarity="none",
                measure="CPP_Abuse",
                numerator=("CPP_Abuse",),
            ),
        )
    }
)
"""The indicators that are read from the tool, by name."""


def read_lait(path: str | Path) -> pl.DataFrame:
    r"""Every value of the Local Authority Interactive Tool's file: one measure of one area in one year.

    Parameters
    ----------
    path
        The tool's CSV with the columns Short Desc, Years, LA and Regions, Values, LA Number and Region, which may hold
        any of its measures.

    Returns
    -------
    pl.DataFrame
        One row per measure, area and year, sorted by ``measure``, ``time_period`` and ``number``. As published: the
        publisher has suppressed it already, this function suppresses nothing.

        - ``time_period``: reporting year, named by the year it ends in; ``geographic_level``: national, regional or
          local authority
        - ``region``: null for England, the region itself for a region; ``area``: England, the region or the authority,
          as the tool prints it, but regions as its own column of regions spells them
        - ``number``: three-digit number of the area as text: 201 to 943 authorities, 970 England, 980 to 990 regions
        - ``measure``: the tool's short name, such as ``"PrevRegCPR"``
        - ``value``: as printed; null where there is none
        - ``mark``: ``"[-]"`` where the tool prints a dash, else ``""``

    Raises
    ------
    TableError
        The file is missing, cut off or is no such table, or cells hold neither a number nor a dash; all wrong cells
        are named at once, by their row in a spreadsheet (the header is row 1).

    Notes
    -----
    A dash stands for suppressed, not available, not applicable and low reliability alike: which of them it is stands
    in the tables the tool is made from, such as D3. The tool writes 17.9 as 17.899999999999999; both are read as the
    same number. Counts of England and the regions are rounded to 10.

    References
    ----------
    DfE, Local Authority Interactive Tool, child protection.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> header = "Short Desc,Data item,Years,LA and Regions,Values,LA Number,Region"
    >>> kent = "PrevRegCPR,,2016,Kent,17.899999999999999,886.0,South East"
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "lait.csv")
    ...     _ = file.write_text(f"{header}\n{kent}\n")
    ...     lait = read_lait(file)
    >>> lait.select("time_period", "area", "number", "value", "mark").row(0)
    ('2016', 'Kent', '886', 17.9, '')
    """
    file = Path(path)
    wanted = (MEASURE, PERIOD, AREA, VALUE, NUMBER, REGION)
    text = read_text_cells(file, wanted, "the Local Authority Interactive Tool").with_columns(
        pl.col(NUMBER).str.strip_suffix(".0")
    )
    _check_cells(text, file.name)
    level, area = _level(), pl.col(AREA).replace(SAME_REGION)
    return text.select(
        pl.col(PERIOD).alias("time_period"),
        level.alias("geographic_level"),
        pl.when(level == "local authority")
        .then(pl.col(REGION).replace(SAME_REGION))
        .when(level == "regional")
        .then(area)
        .alias("region"),
        area.alias("area"),
        pl.col(NUMBER).alias("number"),
        pl.col(MEASURE).alias("measure"),
        pl.col(VALUE).cast(pl.Float64, strict=False).alias("value"),
        pl.when(pl.col(VALUE) == MISSING).then(pl.lit(MISSING_MARK)).otherwise(pl.lit("")).alias("mark"),
    ).sort("measure", "time_period", "number")


def indicator_figures(lait: pl.DataFrame, indicator: str, *, population: pl.DataFrame | None = None) -> pl.DataFrame:
    """One indicator of every area and year: its counts where the tool has both, and what is printed.

    Parameters
    ----------
    lait
        As `read_lait` gives it: ``time_period``, ``geographic_level``, ``region``, ``area``, ``number``, ``measure``,
        ``value``, ``mark``.
    indicator
        A name of `INDICATORS` that is a share or a rate.
    population
        For rates: one row per area and mid-year, as ``sources.population.read_population`` gives it:
        ``geographic_level``, ``area``, ``number``, ``mid_year``, ``children``. None: the rate stays as printed.

    Returns
    -------
    pl.DataFrame
        One row per area and year of the file, sorted by ``time_period``, ``geographic_level``, ``area`` and ``number``.
        As published, not suppressed.

        - ``time_period``, ``geographic_level``, ``region``, ``area``, ``number`` as in ``lait``
        - of a share: ``numerator``, ``denominator``; null where one of them is missing or not in the tool;
          ``proportion``: numerator ÷ denominator, 0 to 1; ``published_percentage``: 0 to 100 as printed
        - of a rate: ``count``; null where it is missing or not in the tool; ``population``: children aged 0 to 17 at
          the mid-year before; ``rate``: count ÷ population × 10,000; ``published_rate``: as printed
        - ``mark``: ``"[-]"`` where no figure is printed, else ``""``

    Raises
    ------
    ParameterError
        There is no such indicator, or it is a plain count.
    TableError
        A table lacks a column, or `lait` lacks a measure of the indicator.

    Notes
    -----
    The rate of the reporting year 2025, which ends on 31 March 2025, has the population of mid-2024: that reproduces
    every printed rate of an authority, the population of mid-2025 hardly any. Counts of England and the regions are
    rounded, so what is printed is the better figure for them.

    References
    ----------
    DfE, Local Authority Interactive Tool; ONS, mid-year population estimates.

    Examples
    --------
    >>> area = {"time_period": "2016", "geographic_level": "local authority", "region": "North", "area": "A"}
    >>> lait = pl.DataFrame(
    ...     {
    ...         **{name: [value] * 3 for name, value in area.items()},
    ...         "number": ["201"] * 3,
    ...         "measure": ["ReRegCPR", "CPP_Abuse", "PrevRegCPR"],
    ...         "value": [67.0, 511.0, 13.1],
    ...         "mark": [""] * 3,
    ...     }
    ... )
    >>> figures = indicator_figures(lait, "second_or_subsequent_plans")
    >>> figures.select("numerator", "denominator", "published_percentage").row(0)
    (67, 511, 13.1)
    """
    chosen = indicator_of(indicator)
    if chosen.unit == COUNT:
        compared = [name for name, other in INDICATORS.items() if other.unit != COUNT]
        raise ParameterError(
            f"{indicator} is a count, which is larger where more children live. "
            f"Choose a share or a rate: {shorten(compared, most=len(compared))}."
        )
    require_columns(lait.columns, LAIT, "lait")
    wide = _side_by_side(lait, chosen)
    top, bottom = _together(chosen.numerator), _together(chosen.denominator)
    printed = pl.col(chosen.measure) if chosen.measure else pl.lit(None, pl.Float64)
    figure = pl.col(chosen.measure) if chosen.measure else top + bottom
    mark = pl.when(figure.is_null()).then(pl.lit(MISSING_MARK)).otherwise(pl.lit("")).alias("mark")
    if chosen.unit == PER_CENT:
        known = top.is_not_null() & bottom.is_not_null()
        columns = [
            pl.when(known).then(top).alias("numerator"),
            pl.when(known).then(bottom).alias("denominator"),
            pl.when(bottom > 0).then(top / bottom).alias("proportion"),
            printed.alias("published_percentage"),
        ]
        found = wide.select(*AREA_VALUES, *columns, mark)
    else:
        rate = pl.when(pl.col("children") > 0).then(top / pl.col("children") * 10_000)
        found = _with_population(wide, population).select(
            *AREA_VALUES,
            top.alias("count"),
            pl.col("children").alias("population"),
            rate.alias("rate"),
            printed.alias("published_rate"),
            mark,
        )
    return found.sort("time_period", "geographic_level", "area", "number")


def indicator_of(name: str) -> Indicator:
    """What is known of an indicator, by its name.

    Raises
    ------
    ParameterError
        There is no such indicator.

    Examples
    --------
    >>> indicator_of("reviews_on_time").polarity
    'high'
    """
    if name not in INDICATORS:
        raise ParameterError(
            f'there is no indicator "{name}".{nearest(name, list(INDICATORS))} '
            f"Choose one of: {shorten(list(INDICATORS), most=len(INDICATORS))}."
        )
    return INDICATORS[name]


def _level() -> pl.Expr:
    number = pl.col(NUMBER).cast(pl.Int64, strict=False)
    return (
        pl.when(number == ENGLAND)
        .then(pl.lit("national"))
        .when(number.is_between(FIRST_REGION, LAST_REGION))
        .then(pl.lit("regional"))
        .when(number.is_between(FIRST_AUTHORITY, LAST_AUTHORITY))
        .then(pl.lit("local authority"))
    )


def _check_cells(text: pl.DataFrame, file: str) -> None:
    shares = [one.measure for one in INDICATORS.values() if one.unit == PER_CENT and one.measure]
    counts = sorted({name for one in INDICATORS.values() for name in (*one.numerator, *one.denominator)})
    value = pl.col(VALUE).cast(pl.Float64, strict=False)
    authority = _level() == "local authority"
    numbers = (
        f"a number from {FIRST_AUTHORITY} to {LAST_AUTHORITY} (authority), {ENGLAND} (England) "
        f"or {FIRST_REGION} to {LAST_REGION} (region)"
    )
    not_whole = pl.col(MEASURE).is_in(counts) & (value != value.round())
    raise_all(
        file,
        [
            wrong_cells(text, MEASURE, pl.col(MEASURE) == "", "the short name of a measure"),
            wrong_cells(text, PERIOD, ~pl.col(PERIOD).str.contains(YEAR), "a year such as 2025"),
            wrong_cells(text, AREA, pl.col(AREA) == "", "the name of an area"),
            wrong_cells(text, NUMBER, _level().is_null(), numbers),
            wrong_cells(
                text, VALUE, ~pl.col(VALUE).str.contains(DECIMAL) & (pl.col(VALUE) != MISSING), "a number or a dash"
            ),
            wrong_cells(text, VALUE, pl.col(MEASURE).is_in(shares) & (value > 100), "a percentage up to 100"),
            wrong_cells(text, VALUE, not_whole, "a whole number, although the measure is a count"),
            wrong_cells(text, REGION, authority & pl.col(REGION).is_in(["", "NA"]), "the region of an authority"),
            repeated_rows(text, [MEASURE, PERIOD, NUMBER]),
            _moved_areas(text),
            _cut_off(text),
        ],
    )


def _moved_areas(text: pl.DataFrame) -> str:
    """Say which numbers stand for several areas or regions: rows may have slipped."""
    several = (
        text.group_by(NUMBER)
        .agg(pl.struct(AREA, REGION).n_unique().alias("areas"), pl.col(ROW).min())
        .filter(pl.col("areas") > 1)
        .sort(NUMBER)
    )
    if several.is_empty():
        return ""
    return (
        f"{several.height:,} area numbers have more than one name or region: {shorten(several[NUMBER].to_list())}. "
        "Wanted: one name and one region for each number."
    )


def _cut_off(text: pl.DataFrame) -> str:
    """Say which measures and years lack areas that others have, or nothing."""
    areas = text[NUMBER].n_unique()
    short = text.group_by(MEASURE, PERIOD).agg(pl.col(NUMBER).n_unique().alias("areas")).filter(pl.col("areas") < areas)
    if short.is_empty():
        return ""
    words = [f"{measure} {year} ({found} of {areas})" for measure, year, found in short.sort(MEASURE, PERIOD).rows()]
    return (
        f"{short.height:,} measures and years lack areas that others have: {shorten(words)}. "
        "The file may be cut off: download it again, or keep the same areas for all."
    )


def _side_by_side(lait: pl.DataFrame, chosen: Indicator) -> pl.DataFrame:
    """One row per area and year with a column per measure of the indicator."""
    measures = dict.fromkeys(name for name in (chosen.measure, *chosen.numerator, *chosen.denominator) if name)
    found = lait["measure"].unique().sort().to_list()
    missing = [name for name in measures if name not in found]
    if missing:
        raise_all(
            "lait",
            [
                f"{chosen.name} is made of {in_words(list(measures))}, and there is no row of {in_words(missing)}. "
                f"Found: {shorten(found, most=40) or 'no measure'}. Read a file that has them all."
            ],
        )
    wide = lait.filter(pl.col("measure").is_in(list(measures))).pivot(
        "measure", index=list(AREA_VALUES), values="value", aggregate_function="first"
    )
    counts = dict.fromkeys((*chosen.numerator, *chosen.denominator))
    return wide.with_columns(pl.col(name).cast(pl.Int64) for name in counts)


def _together(measures: tuple[str, ...]) -> pl.Expr:
    """The sum of counts; null where one is missing, and where the tool has none."""
    return pl.sum_horizontal(*measures, ignore_nulls=False) if measures else pl.lit(None, pl.Int64)


def _with_population(wide: pl.DataFrame, population: pl.DataFrame | None) -> pl.DataFrame:
    """The children of the mid-year before the reporting year: authorities by number, England and regions by name."""
    if population is None:
        return wide.with_columns(children=pl.lit(None, pl.Int64))
    require_columns(population.columns, ("geographic_level", "area", "number", "mid_year", "children"), "population")
    place = (
        pl.when(pl.col("geographic_level") == "local authority")
        .then(pl.col("number"))
        .otherwise(pl.col("area").replace(SAME_REGION))
    )
    keyed = population.select(
        place.alias("place"),
        (pl.col("mid_year").cast(pl.Int64) + 1).cast(pl.String).alias("time_period"),
        pl.col("children").cast(pl.Int64),
    ).filter(pl.col("place").is_not_null())
    repeated = keyed.select(pl.struct("place", "time_period").is_duplicated().sum()).item()
    if repeated:
        raise TableError(
            f"population: {repeated:,} rows have the area and year of another row. Keep one row of each area and year."
        )
    return wide.with_columns(place=place).join(keyed, on=["place", "time_period"], how="left").drop("place")
