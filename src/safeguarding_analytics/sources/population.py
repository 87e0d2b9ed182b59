"""Mid-year population estimates of children, by area."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from safeguarding_analytics.errors import shorten
from safeguarding_analytics.sources.dfe import (
    AREA_COLUMNS,
    LETTERS,
    WHOLE,
    area_problems,
    area_values,
    letter,
    number_or_letter,
    raise_all,
    read_text_cells,
    repeated_rows,
    whole_number,
    wrong_cells,
)

AGE_GROUP, CHILDREN = "age_group", "population_estimate"
AGES_0_TO_17 = r"(?i)\b0\s*(to|-|–)\s*17\b|under\s*18\b"


def read_population(path: str | Path) -> pl.DataFrame:
    r"""Children aged 0 to 17 living in each area in the middle of each year.

    Parameters
    ----------
    path
        A CSV of the Office for National Statistics' mid-year estimates as the Department publishes it beside its own
        tables: ages 0 to 17, one row per area and year. Its ``time_period`` is the year of the estimate.

    Returns
    -------
    pl.DataFrame
        One row per area and mid-year, sorted by ``mid_year``, ``geographic_level``, ``area`` and ``number``. Public
        figures; nothing in them needs suppressing.

        - ``geographic_level``: national, regional or local authority; ``region``: null for England
        - ``area``: England, the region or the authority; ``code``: its nine-character code
        - ``number``: three-digit number of the authority, as text; null elsewhere
        - ``mid_year``: year of the estimate, which is that of 30 June
        - ``children``: aged 0 to 17; null where a letter is printed
        - ``mark``: the letter printed instead of a number, such as ``"[x]"``, else ``""``
        - ``vintage``: name of the file, without its ending: estimates are revised, and rates with them

    Raises
    ------
    TableError
        The file is missing, cut off or is no such table, is of other ages, or cells hold neither a number nor a letter;
        all wrong cells are named at once, by their row in a spreadsheet (the header is row 1).

    Notes
    -----
    A rate of the reporting year 2025 takes the children of mid-2024. The authorities of a region must add up to it
    where all have a number: a file that was cut off is refused.

    References
    ----------
    ONS, Estimates of the population for England and Wales.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> header = ",".join((*AREA_COLUMNS, AGE_GROUP, CHILDREN))
    >>> england = "2024,National,E92000001,England,,,,,,Children aged 0 to 17 years,12183016"
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "ons_mid_2024.csv")
    ...     _ = file.write_text(f"{header}\n{england}\n")
    ...     population = read_population(file)
    >>> population.select("area", "mid_year", "children", "vintage").row(0)
    ('England', '2024', 12183016, 'ons_mid_2024')
    """
    file = Path(path)
    wanted = (*AREA_COLUMNS, AGE_GROUP, CHILDREN)
    text = read_text_cells(file, wanted, "mid-year population estimates of children")
    _check_cells(text, file.name)
    found = text.select(
        *area_values(),
        whole_number(CHILDREN).alias("children"),
        letter(CHILDREN).alias("mark"),
        pl.lit(file.stem).alias("vintage"),
    ).rename({"time_period": "mid_year"})
    order = ("geographic_level", "region", "area", "code", "number", "mid_year", "children", "mark", "vintage")
    return found.select(order).sort("mid_year", "geographic_level", "area", "number")


def _check_cells(text: pl.DataFrame, file: str) -> None:
    letters = f"one of the letters {', '.join(LETTERS)}"
    other_ages = ~pl.col(AGE_GROUP).str.contains(AGES_0_TO_17)
    nobody = whole_number(CHILDREN) == 0
    raise_all(
        file,
        [
            *area_problems(text),
            wrong_cells(text, AGE_GROUP, other_ages, "the ages 0 to 17"),
            wrong_cells(text, CHILDREN, ~number_or_letter(CHILDREN, WHOLE), f"a whole number or {letters}"),
            wrong_cells(text, CHILDREN, nobody, "a number above 0"),
            repeated_rows(text, ["time_period", "geographic_level", "region_name", "old_la_code", "new_la_code"]),
            _cut_off(text),
        ],
    )


def _cut_off(text: pl.DataFrame) -> str:
    """Say in which regions and years the authorities do not add up to their region, or nothing.

    London is left out: its authorities stand under Inner and Outer London, which are compared.
    """
    level, here = pl.col("geographic_level"), ["time_period", "region_name"]
    regions = text.filter(level == "Regional", pl.col("region_name") != "London")
    authorities = text.filter(level == "Local authority")
    if regions.is_empty() or authorities.is_empty():
        return ""
    together = authorities.group_by(here).agg(
        whole_number(CHILDREN).sum().alias("sum"), whole_number(CHILDREN).null_count().alias("unknown")
    )
    unequal = (
        regions.select(*here, whole_number(CHILDREN).alias("whole"))
        .join(together, on=here, how="left")
        .filter(pl.col("unknown").fill_null(0) == 0, pl.col("sum").fill_null(0) != pl.col("whole"))
        .sort(here)
    )
    if unequal.is_empty():
        return ""
    words = [f"{region} {year}" for year, region in unequal.select(here).rows()]
    return (
        f"the authorities do not add up to their region in {shorten(words)}. "
        "Rows may be missing, such as at the end of a file that was cut off: download it again."
    )
