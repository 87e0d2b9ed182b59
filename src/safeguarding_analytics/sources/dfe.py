"""Open-data files of the Department for Education, read as text and checked cell by cell."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from safeguarding_analytics.errors import TableError, require_columns, shorten
from safeguarding_analytics.sources.files import ROW, read_table
from safeguarding_analytics.tables import TOTAL

LETTERS = ("c", "x", "z", "u", "k", "low", ":")
"""What the Department prints instead of a number: suppressed, not available, not applicable, low reliability,
rounds to 0 (``k`` and ``low``), not available in older files."""

LEVELS = {"National": "national", "Regional": "regional", "Local authority": "local authority"}
NEIGHBOURS = 10

STARTS, SUBSEQUENT, PERCENTAGE = "cpp_start", "cpp_subsequent", "cpp_subsequent_percent"
ALL_PLANS = "cpp_at31"
DURATIONS = {
    "3_months_or_less": "3 months or less",
    "more_than_3_months_6_months": "more than 3 and up to 6 months",
    "more_than_6_months_less_than_1_year": "more than 6 months, less than 1 year",
    "1_year_less_than_2_years": "1 year, less than 2 years",
    "2_years_or_more": "2 years or more",
}
"""Columns of the table of plans by duration, and the bands of duration they stand for, shortest first."""
AREA_KEY = ["time_period", "geographic_level", "region_name", "la_name"]
AREA_VALUES = ("time_period", "geographic_level", "region", "area", "code", "number")
AREA_COLUMNS = (
    *("time_period", "geographic_level", "country_code", "country_name", "region_code", "region_name"),
    *("old_la_code", "new_la_code", "la_name"),
)
YEAR, WHOLE, DECIMAL, THREE_DIGITS = r"^\d{4}$", r"^\d{1,15}$", r"^\d+(\.\d+)?$", r"^\d{3}$"


def read_second_or_subsequent_plans(path: str | Path) -> pl.DataFrame:
    r"""Plans that started in the year, and how many were a child's second or later plan, for every area and year.

    Parameters
    ----------
    path
        The Department's CSV of child protection plans which are a second or subsequent plan.

    Returns
    -------
    pl.DataFrame
        One row per area and year, sorted by ``time_period``, ``geographic_level`` and ``area``. As published: the
        publisher has suppressed it already, this function suppresses nothing.

        - ``time_period``: reporting year, named by the year it ends in; ``geographic_level``: national, regional or
          local authority
        - ``region``: null for England; ``area``: England, the region or the authority; ``code``: its nine-character
          code
        - ``number``: three-digit number of the authority, as text; null elsewhere
        - ``numerator``, ``denominator``: second or subsequent plans, and all plans that started; null where a letter
          is printed
        - ``proportion``: numerator ÷ denominator, 0 to 1; null where either is null or the denominator is 0
        - ``published_percentage``: 0 to 100 as printed; null where a letter is printed
        - ``mark``: the letter printed instead of a number, such as ``"[c]"``; ``""`` where all three are numbers

    Raises
    ------
    TableError
        The file is missing or is no such table, or cells hold neither a number nor one of `LETTERS`; all wrong cells
        are named at once, by their row in a spreadsheet (the header is row 1).

    Notes
    -----
    Counts of England and the regions are rounded to 10 by the publisher, their percentages are not worked out from
    the rounded counts, and leave authorities without a numerator out of the denominator too (Doncaster in 2022). For
    those areas ``published_percentage`` is the better figure; for authorities the two agree to the printed decimal.

    References
    ----------
    DfE, Children in need, table D3; Explore Education Statistics, symbols used.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> header = (
    ...     "time_period,geographic_level,country_code,country_name,region_code,region_name,"
    ...     "old_la_code,new_la_code,la_name,CPP_start,CPP_subsequent,CPP_subsequent_percent"
    ... )
    >>> kent = "2025,Local authority,E92000001,England,E12000008,South East,886,E10000016,Kent,1274,310,24.3"
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "d3.csv")
    ...     _ = file.write_text(f"{header}\n{kent}\n")
    ...     published = read_second_or_subsequent_plans(file)
    >>> published.select("area", "number", "numerator", "denominator", "published_percentage", "mark").row(0)
    ('Kent', '886', 310, 1274, 24.3, '')
    """
    file = Path(path)
    wanted = (*AREA_COLUMNS, STARTS, SUBSEQUENT, PERCENTAGE)
    text = read_text_cells(file, wanted, "second or subsequent child protection plans")
    _check_plan_cells(text, file.name)
    return (
        text.with_columns(whole_number(SUBSEQUENT).alias("numerator"), whole_number(STARTS).alias("denominator"))
        .select(
            *area_values(),
            "numerator",
            "denominator",
            pl.when(pl.col("denominator") > 0).then(pl.col("numerator") / pl.col("denominator")).alias("proportion"),
            pl.col(PERCENTAGE).cast(pl.Float64, strict=False).alias("published_percentage"),
            _first_letter(SUBSEQUENT, STARTS, PERCENTAGE).alias("mark"),
        )
        .sort("time_period", "geographic_level", "area")
    )


def read_plans_by_duration(path: str | Path) -> pl.DataFrame:
    r"""Plans open at 31 March by how long they had lasted, for every area and year.

    Parameters
    ----------
    path
        The Department's CSV of child protection plans at 31 March by length of time.

    Returns
    -------
    pl.DataFrame
        One row per area, year and band of duration, and one with the duration ``"Total"``; sorted by ``time_period``,
        ``geographic_level``, ``area``, then the total, then the bands from the shortest on. As published: the publisher
        has suppressed it already, this function suppresses nothing and fills nothing in.

        - ``time_period``: reporting year, named by the year it ends in; ``geographic_level``: national, regional or
          local authority
        - ``region``: null for England; ``area``: England, the region or the authority; ``code``: its nine-character
          code
        - ``number``: three-digit number of the authority, as text; null elsewhere
        - ``duration``: a value of `DURATIONS`, or ``"Total"``
        - ``count``: plans; null where a letter is printed
        - ``mark``: the letter printed instead of the count, such as ``"[c]"``, else ``""``
        - ``published_percentage``: of all plans, 0 to 100 as printed; null in the row of the total and where a letter
          is printed
        - ``percentage_mark``: that letter, such as ``"[z]"`` where there was no plan, else ``""``

    Raises
    ------
    TableError
        The file is missing, cut off or is no such table, cells hold neither a number nor one of `LETTERS`, or the
        bands of an authority do not add up to its total; all wrong cells are named at once, by their row in a
        spreadsheet (the header is row 1).

    Notes
    -----
    Counts of England and the regions are rounded to 10 by the publisher: their bands need not add up. In about a third
    of all authorities and years the band of two years or more is suppressed, most often where it is small: an average
    over the others is too high. With a total and all but two bands printed, two suppressed ones together are known.

    References
    ----------
    DfE, Children in need, table D5; Explore Education Statistics, symbols used.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> bands = ",".join(f"{name},{name}_percent" for name in DURATIONS)
    >>> header = (
    ...     "time_period,geographic_level,country_code,country_name,region_code,region_name,"
    ...     f"old_la_code,new_la_code,la_name,CPP_At31,{bands}"
    ... )
    >>> kent = "2025,Local authority,E92000001,England,E12000008,South East,886,E10000016,Kent,100"
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "d5.csv")
    ...     _ = file.write_text(f"{header}\n{kent},40,40,30,30,20,20,c,c,c,c\n")
    ...     published = read_plans_by_duration(file)
    >>> published.select("duration", "count", "mark").rows()[:2]
    [('Total', 100, ''), ('3 months or less', 40, '')]
    >>> published.select("duration", "count", "mark").row(-1)
    ('2 years or more', None, '[c]')
    """
    file = Path(path)
    shares = {f"{name}_percent": name for name in DURATIONS}
    text = read_text_cells(file, (*AREA_COLUMNS, ALL_PLANS, *DURATIONS, *shares), "child protection plans by duration")
    _check_duration_cells(text, file.name)
    places = text.select(*area_values(), ROW, pl.col(ALL_PLANS, *DURATIONS, *shares))
    none = pl.lit("").alias("percentage")
    parts = [places.select(*AREA_VALUES, pl.lit(TOTAL).alias("duration"), pl.col(ALL_PLANS).alias("printed"), none)]
    parts += [
        places.select(*AREA_VALUES, pl.lit(words).alias("duration"), pl.col(name).alias("printed"), percentage=share)
        for (name, words), share in zip(DURATIONS.items(), shares, strict=True)
    ]
    long = pl.concat(part.with_columns(position=pl.lit(position)) for position, part in enumerate(parts))
    return (
        long.sort("time_period", "geographic_level", "area", "number", "position")
        .with_columns(
            whole_number("printed").alias("count"),
            letter("printed").alias("mark"),
            pl.col("percentage").cast(pl.Float64, strict=False).alias("published_percentage"),
            letter("percentage").alias("percentage_mark"),
        )
        .select(*AREA_VALUES, "duration", "count", "mark", "published_percentage", "percentage_mark")
    )


def read_statistical_neighbours(path: str | Path) -> pl.DataFrame:
    r"""The ten statistical neighbours of every authority, nearest first.

    Parameters
    ----------
    path
        The Department's CSV of one model with one row per authority, such as ``sn_model_2025_wide.csv``. The year of
        the model stands only in the file's name: print it beside every number that rests on it.

    Returns
    -------
    pl.DataFrame
        One row per authority and neighbour, sorted by ``number`` and ``position``.

        - ``number``, ``area``: three-digit number (text) and name of the authority
        - ``neighbour_number``: three-digit number (text) of the neighbour
        - ``position``: 1 = nearest, to 10
        - ``closeness``: the Department's word, such as ``"Very close"``

    Raises
    ------
    TableError
        The file is missing or is no such table, or cells hold no three-digit number.

    References
    ----------
    DfE, Local Authority Interactive Tool, statistical neighbours.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> header = ",".join(f"SN_{position},SN_{position}P" for position in range(1, 11))
    >>> cells = ",".join(f"{number},Close " for number in range(301, 311))
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "sn_model_2025_wide.csv")
    ...     _ = file.write_text(f"old_la_code,la_name,{header}\n886,Kent,{cells}\n")
    ...     neighbours = read_statistical_neighbours(file)
    >>> neighbours.row(0)
    ('886', 'Kent', '301', 1, 'Close')
    """
    file = Path(path)
    positions = range(1, NEIGHBOURS + 1)
    columns = [name for position in positions for name in (f"sn_{position}", f"sn_{position}p")]
    text = read_text_cells(file, ("old_la_code", "la_name", *columns), "statistical neighbours")
    problems = [
        wrong_cells(text, name, ~pl.col(name).str.contains(THREE_DIGITS), "a three-digit number")
        for name in ("old_la_code", *(f"sn_{position}" for position in positions))
    ]
    raise_all(file.name, [*problems, repeated_rows(text, ["old_la_code"])])
    return pl.concat(
        text.select(
            pl.col("old_la_code").alias("number"),
            pl.col("la_name").alias("area"),
            pl.col(f"sn_{position}").alias("neighbour_number"),
            pl.lit(position, pl.Int64).alias("position"),
            pl.col(f"sn_{position}p").alias("closeness"),
        )
        for position in positions
    ).sort("number", "position")


def read_text_cells(file: Path, columns: tuple[str, ...], contents: str) -> pl.DataFrame:
    """Read the columns as text, an empty cell as an empty text, with the row numbers of a spreadsheet.

    Raises
    ------
    TableError
        The file cannot be read, has no rows, or lacks a column: it may be another file than the one of ``contents``.
    """
    text = read_table(file).frame
    try:
        require_columns([name for name in text.columns if name != ROW], columns, file.name)
    except TableError as error:
        raise TableError(f"{error} Wanted: the published file of {contents}, with its headings in row 1.") from None
    if text.is_empty():
        raise TableError(f"{file.name} has a header and no rows. Download it again from its publisher's page.")
    return text.select(pl.col(columns).fill_null(""), ROW)


def area_problems(text: pl.DataFrame) -> list[str]:
    """Say which cells of the columns that name the year and the area are wrong."""
    authority = pl.col("geographic_level") == "Local authority"
    no_number = authority & ~pl.col("old_la_code").str.contains(THREE_DIGITS)
    return [
        wrong_cells(text, "time_period", ~pl.col("time_period").str.contains(YEAR), "a year such as 2025"),
        wrong_cells(text, "geographic_level", ~pl.col("geographic_level").is_in(LEVELS), " or ".join(LEVELS)),
        wrong_cells(text, "old_la_code", no_number, "a three-digit number"),
    ]


def _check_plan_cells(text: pl.DataFrame, file: str) -> None:
    letters = f"one of the letters {', '.join(LETTERS)}"
    raise_all(
        file,
        [
            *area_problems(text),
            wrong_cells(text, STARTS, ~number_or_letter(STARTS, WHOLE), f"a whole number or {letters}"),
            wrong_cells(text, SUBSEQUENT, ~number_or_letter(SUBSEQUENT, WHOLE), f"a whole number or {letters}"),
            wrong_cells(text, PERCENTAGE, ~number_or_letter(PERCENTAGE, DECIMAL), f"a number or {letters}"),
            wrong_cells(text, SUBSEQUENT, whole_number(SUBSEQUENT) > whole_number(STARTS), f"at most {STARTS}"),
            repeated_rows(text, AREA_KEY),
        ],
    )


def _check_duration_cells(text: pl.DataFrame, file: str) -> None:
    letters = f"one of the letters {', '.join(LETTERS)}"
    counts, shares = (ALL_PLANS, *DURATIONS), [f"{name}_percent" for name in DURATIONS]
    together = pl.sum_horizontal(*map(whole_number, DURATIONS), ignore_nulls=False)
    unequal = (pl.col("geographic_level") == "Local authority") & (together != whole_number(ALL_PLANS))
    raise_all(
        file,
        [
            *area_problems(text),
            *(
                wrong_cells(text, name, ~number_or_letter(name, WHOLE), f"a whole number or {letters}")
                for name in counts
            ),
            *(wrong_cells(text, name, ~number_or_letter(name, DECIMAL), f"a number or {letters}") for name in shares),
            wrong_cells(text, ALL_PLANS, unequal, "the sum of its bands of duration"),
            repeated_rows(text, AREA_KEY),
        ],
    )


def area_values() -> list[pl.Expr]:
    """Year, level, region, area, its code and its number of each row: `AREA_VALUES`."""
    level = pl.col("geographic_level")
    return [
        pl.col("time_period"),
        level.replace_strict(LEVELS, return_dtype=pl.String),
        pl.when(level != "National").then(pl.col("region_name")).alias("region"),
        by_level("country_name", "region_name", "la_name").alias("area"),
        by_level("country_code", "region_code", "new_la_code").alias("code"),
        pl.when(level == "Local authority").then(pl.col("old_la_code")).alias("number"),
    ]


def letter(column: str) -> pl.Expr:
    """The letter printed in a cell, in brackets; an empty text where there is none."""
    return pl.when(pl.col(column).is_in(LETTERS)).then(pl.format("[{}]", column)).otherwise(pl.lit(""))


def _first_letter(*columns: str) -> pl.Expr:
    """The first letter printed in any of the columns, in brackets; an empty text where there is none."""
    letters = [pl.when(pl.col(name).is_in(LETTERS)).then(pl.format("[{}]", name)) for name in columns]
    return pl.coalesce(*letters, pl.lit(""))


def number_or_letter(column: str, pattern: str) -> pl.Expr:
    """Whether a cell holds a number of that form, or one of `LETTERS`."""
    return pl.col(column).str.contains(pattern) | pl.col(column).is_in(LETTERS)


def whole_number(column: str) -> pl.Expr:
    """The count in a cell; null where there is a letter."""
    return pl.col(column).cast(pl.Int64, strict=False)


def by_level(national: str, regional: str, authority: str) -> pl.Expr:
    """The column that holds the value at the level of the row."""
    level = pl.col("geographic_level")
    return (
        pl.when(level == "National")
        .then(pl.col(national))
        .when(level == "Regional")
        .then(pl.col(regional))
        .otherwise(pl.col(authority))
    )


def wrong_cells(text: pl.DataFrame, column: str, wrong: pl.Expr, wanted: str) -> str:
    """Say which cells of a column are wrong, or nothing. The data are public: what was found may be printed."""
    found = text.filter(wrong)
    if found.is_empty():
        return ""
    values = [f'"{value}"' for value in found[column].unique(maintain_order=True)]
    return (
        f"{found.height:,} of {text.height:,} rows have a {column} that is not {wanted}: "
        f"rows {shorten(found[ROW].to_list())}. Found: {shorten(values)}."
    )


def repeated_rows(text: pl.DataFrame, key: list[str]) -> str:
    """Say which rows stand for an area that has a row already, or nothing."""
    found = text.filter(~pl.struct(key).is_first_distinct())
    if found.is_empty():
        return ""
    return (
        f"{found.height:,} of {text.height:,} rows repeat the {', '.join(key)} of an earlier row: "
        f"rows {shorten(found[ROW].to_list())}. Keep one row of each."
    )


def raise_all(file: str, problems: list[str]) -> None:
    """Raise a `TableError` with every problem found in a file, a line each; nothing where there is none."""
    found = [problem for problem in problems if problem]
    if found:
        raise TableError("\n".join(f"{file}: {problem}" for problem in found))
