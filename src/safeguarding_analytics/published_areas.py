"""The open-data files a board compares itself with → its comparators and the funnels of all authorities."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import polars as pl

from safeguarding_analytics.comparators import ComparatorSet, compare_indicator, model_year, read_comparators
from safeguarding_analytics.config import ComparatorsSection
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.indicators import AreaFunnel, Kind, funnel_of_areas
from safeguarding_analytics.shapes import FUNNEL, PROPORTION, RATE
from safeguarding_analytics.sources.dfe import read_second_or_subsequent_plans, read_statistical_neighbours
from safeguarding_analytics.sources.lait import INDICATORS, PER_CENT, indicator_figures, indicator_of, read_lait
from safeguarding_analytics.sources.population import read_population

REPEAT_PLANS = "second_or_subsequent_plans"


class Beside(NamedTuple):
    """An authority beside others on one indicator.

    ``comparators`` are the authority, England, the region and the statistical neighbours by year, without rows where no
    file is named; ``funnel`` holds all authorities of the latest year, or is None where their counts are not known;
    ``meaning`` says what the indicator is, ``caution`` what to mind, ``source`` where it comes from.
    """

    comparators: pl.DataFrame
    funnel: AreaFunnel | None
    meaning: str
    caution: str
    source: str

    @property
    def title(self) -> str:
        """What the indicator is, as a title."""
        return f"{self.meaning[:1].upper()}{self.meaning[1:]}" if self.meaning else "No indicator"

    @property
    def measure(self) -> dict[str, str]:
        """What a chart of shares calls the share; a chart of rates names its own."""
        return {} if "rate" in self.comparators.columns else {"measure": self.title}

    @property
    def says(self) -> str:
        """What the indicator is, in a sentence."""
        return f"{self.title}." if self.meaning else ""

    @property
    def limits(self) -> pl.DataFrame:
        """The table of the funnel; without rows where there is none."""
        if self.funnel is None:
            kinds = {**dict.fromkeys(FUNNEL.columns, pl.Float64), "observed": pl.Int64, "size": pl.Int64}
            return pl.DataFrame(schema={"area": pl.String, **kinds, "position": pl.String})
        return self.funnel.table

    def where(self, authority: str | None) -> str:
        """Where an authority lies in the funnel, in a sentence; empty where it is not in it."""
        found = self.limits.filter(pl.col("area") == (authority or ""))["position"].to_list()
        if not found:
            return ""
        side, _, limits = str(found[0]).partition(" ")
        return f"{authority} lies {side} the {limits + ' ' if limits else ''}limits that allow for ordinary variation."

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of all authorities together."""
        return () if self.funnel is None else self.funnel.notes


def repeat_plans_beside(
    settings: ComparatorsSection, folder: Path, authority: str | None, comparator_set: ComparatorSet = "all"
) -> Beside:
    """Published second or subsequent plans of an authority beside others.

    Parameters
    ----------
    settings
        ``[comparators]`` of `board.toml`.
    folder
        The board's folder: relative paths start there.
    authority
        Name of the authority, as published.
    comparator_set
        As for `comparator_rates`.

    Returns
    -------
    Beside
        Without rows and funnel where no file of plans is named.

    Raises
    ------
    ParameterError
        The authority is not named, or unknown.
    TableError
        A file is missing or is not the Department's.
    """
    files = (settings.second_or_subsequent_plans, settings.statistical_neighbours)
    comparators = read_comparators(*files, folder, authority, comparator_set=comparator_set)
    source = f"Department for Education, Children in need{_model(settings, comparator_set)}"
    meaning, caution = INDICATORS[REPEAT_PLANS].meaning, INDICATORS[REPEAT_PLANS].caution
    if files[0] is None:
        return Beside(comparators, None, meaning, caution, source)
    published = read_second_or_subsequent_plans(folder / files[0])
    return Beside(comparators, _funnel(published, "proportion"), meaning, caution, source)


def indicator_beside(
    settings: ComparatorsSection,
    folder: Path,
    authority: str | None,
    indicator: str,
    comparator_set: ComparatorSet = "all",
) -> Beside:
    """Any indicator of the Local Authority Interactive Tool of an authority beside others.

    Parameters
    ----------
    settings, folder, authority, comparator_set
        As for `repeat_plans_beside`.
    indicator
        A name of ``sources.lait.INDICATORS`` that is a share or a rate, such as ``"plans_per_10000"``.

    Returns
    -------
    Beside
        Without rows and funnel where no file of the tool is named.

    Raises
    ------
    ParameterError, TableError
        As `repeat_plans_beside`; there is no such indicator.
    """
    chosen = indicator_of(indicator)
    if settings.interactive_tool is None:
        return Beside(_no_comparators(chosen.unit == PER_CENT), None, chosen.meaning, chosen.caution, "no file")
    if authority is None:
        raise ParameterError("board.toml names files to compare with, but no [board] authority to look for in them.")
    lait = read_lait(folder / settings.interactive_tool)
    population = read_population(folder / settings.population) if settings.population else None
    named = settings.statistical_neighbours
    none_named = pl.DataFrame(schema=dict.fromkeys(("number", "area", "neighbour_number"), pl.String))
    neighbours = read_statistical_neighbours(folder / named) if named else none_named
    compared = compare_indicator(
        lait, neighbours, authority, indicator, population=population, comparator_set=comparator_set
    )
    figures = indicator_figures(lait, indicator, population=population)
    kind: Kind = "rate" if "count" in figures.columns else "proportion"
    source = f"Department for Education, Local Authority Interactive Tool{_model(settings, comparator_set)}"
    return Beside(compared, _funnel(figures, kind), chosen.meaning, chosen.caution, source)


def _no_comparators(share: bool) -> pl.DataFrame:
    """A table of comparators without rows."""
    counts = ("numerator", "denominator") if share else ("count", "population")
    columns = list((PROPORTION if share else RATE).columns)[:5]
    kinds = {**dict.fromkeys(columns, pl.Float64), **dict.fromkeys((*counts, "neighbours"), pl.Int64)}
    order = ("time_period", "area", *columns, "mark", "neighbours")
    return pl.DataFrame(schema={name: kinds.get(name, pl.String) for name in order})


def children_of(
    settings: ComparatorsSection, folder: Path, authority: str | None, population: pl.DataFrame
) -> pl.DataFrame:
    """Children of the authority by mid-year: of the board's own table, or of the published estimates where it has none.

    Parameters
    ----------
    settings, folder, authority
        As for `repeat_plans_beside`.
    population
        The board's table of population; may be empty.

    Returns
    -------
    pl.DataFrame
        The same columns; as it is where it has rows, or no file of estimates is named.

    Raises
    ------
    TableError
        The file of estimates is missing or is none.
    """
    if not population.is_empty() or settings.population is None or authority is None:
        return population
    estimates = read_population(folder / settings.population)
    own = estimates.filter(pl.col("geographic_level") == "local authority", pl.col("area") == authority)
    no_district = pl.lit(None, pl.String).alias("district")
    return own.select(pl.col("area").alias("authority"), no_district, "mid_year", "children").select(population.columns)


def _model(settings: ComparatorsSection, comparator_set: ComparatorSet) -> str:
    """The year of the model of statistical neighbours, where one is named and used."""
    named = settings.statistical_neighbours
    return (
        ""
        if named is None or comparator_set == "region"
        else f"; statistical neighbours of the {model_year(named)} model"
    )


def _funnel(figures: pl.DataFrame, kind: Kind) -> AreaFunnel | None:
    """The funnel of the latest year in which authorities have both counts."""
    counts = ("numerator", "denominator") if kind == "proportion" else ("count", "population")
    known = figures.filter(
        pl.col("geographic_level") == "local authority", *(pl.col(name).is_not_null() for name in counts)
    )
    latest = known["time_period"].max()
    return None if latest is None else funnel_of_areas(figures, kind=kind, time_period=str(latest))
