"""Open-data files of the Department for Education, read as text and checked cell by cell."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from safeguarding_analytics.errors import TableError, require_columns, shorten
from safeguarding_analytics.sources.files import ROW, read_table

LETTERS = ("c", "x", "z", "u", "k", "low", ":")
"""What the Department prints instead of a number: suppressed, not available, not applicable, low reliability,
rounds to 0 (``k`` and ``low``), not available in older files."""

LEVELS = {"National": "national", "Regional": "regional", "Local authority": "local authority"}
NEIGHBOURS = 10

STARTS, SUBSEQUENT, PERCENTAGE = "cpp_start", "cpp_subsequent", "cpp_subsequent_percent"
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
    text = _read_text(file, (*AREA_COLUMNS, STARTS, SUBSEQUENT, PERCENTAGE))
    _check_plan_cells(text, file.name)
    level = pl.col("geographic_level")
    letters = [
        pl.when(pl.col(name).is_in(LETTERS)).then(pl.format("[{}]", name)) for name in (SUBSEQUENT, STARTS, PERCENTAGE)
    ]
    return (
        text.with_columns(_count(SUBSEQUENT).alias("numerator"), _count(STARTS).alias("denominator"))
        .select(
            "time_period",
            level.replace_strict(LEVELS, return_dtype=pl.String),
            pl.when(level != "National").then(pl.col("region_name")).alias("region"),
            _by_level("country_name", "region_name", "la_name").alias("area"),
            _by_level("country_code", "region_code", "new_la_code").alias("code"),
            pl.when(level == "Local authority").then(pl.col("old_la_code")).alias("number"),
            "numerator",
            "denominator",
            pl.when(pl.col("denominator") > 0).then(pl.col("numerator") / pl.col("denominator")).alias("proportion"),
            pl.col(PERCENTAGE).cast(pl.Float64, strict=False).alias("published_percentage"),
            pl.coalesce(*letters, pl.lit("")).alias("mark"),
        )
        .sort("time_period", "geographic_level", "area")
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
    text = _read_text(file, ("old_la_code", "la_name", *columns))
    problems = [
        _wrong_cells(text, name, ~pl.col(name).str.contains(THREE_DIGITS), "a three-digit number")
        for name in ("old_la_code", *(f"sn_{position}" for position in positions))
    ]
    _raise_all(file.name, [*problems, _repeated_rows(text, ["old_la_code"])])
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


def _read_text(file: Path, columns: tuple[str, ...]) -> pl.DataFrame:
    """Read the columns as text, an empty cell as an empty text, with the row numbers of a spreadsheet."""
    text = read_table(file).frame
    require_columns([name for name in text.columns if name != ROW], columns, file.name)
    if text.is_empty():
        raise TableError(f"{file.name} has a header and no rows. Download it again from the Department's page.")
    return text.select(pl.col(columns).fill_null(""), ROW)


def _check_plan_cells(text: pl.DataFrame, file: str) -> None:
    letters = f"one of the letters {', '.join(LETTERS)}"
    _raise_all(
        file,
        [
            _wrong_cells(text, "time_period", ~pl.col("time_period").str.contains(YEAR), "a year such as 2025"),
            _wrong_cells(text, "geographic_level", ~pl.col("geographic_level").is_in(LEVELS), " or ".join(LEVELS)),
            _wrong_cells(text, STARTS, ~_number_or_letter(STARTS, WHOLE), f"a whole number or {letters}"),
            _wrong_cells(text, SUBSEQUENT, ~_number_or_letter(SUBSEQUENT, WHOLE), f"a whole number or {letters}"),
            _wrong_cells(text, PERCENTAGE, ~_number_or_letter(PERCENTAGE, DECIMAL), f"a number or {letters}"),
            _wrong_cells(text, SUBSEQUENT, _count(SUBSEQUENT) > _count(STARTS), f"at most {STARTS}"),
            _repeated_rows(text, ["time_period", "geographic_level", "region_name", "la_name"]),
        ],
    )


def _number_or_letter(column: str, pattern: str) -> pl.Expr:
    return pl.col(column).str.contains(pattern) | pl.col(column).is_in(LETTERS)


def _count(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Int64, strict=False)


def _by_level(national: str, regional: str, authority: str) -> pl.Expr:
    """The column that holds the value at the level of the row."""
    level = pl.col("geographic_level")
    return (
        pl.when(level == "National")
        .then(pl.col(national))
        .when(level == "Regional")
        .then(pl.col(regional))
        .otherwise(pl.col(authority))
    )


def _wrong_cells(text: pl.DataFrame, column: str, wrong: pl.Expr, wanted: str) -> str:
    """Say which cells of a column are wrong, or nothing. The data are public: what was found may be printed."""
    found = text.filter(wrong)
    if found.is_empty():
        return ""
    values = [f'"{value}"' for value in found[column].unique(maintain_order=True)]
    return (
        f"{found.height:,} of {text.height:,} rows have a {column} that is not {wanted}: "
        f"rows {shorten(found[ROW].to_list())}. Found: {shorten(values)}."
    )


def _repeated_rows(text: pl.DataFrame, key: list[str]) -> str:
    """Say which rows stand for an area that has a row already, or nothing."""
    found = text.filter(~pl.struct(key).is_first_distinct())
    if found.is_empty():
        return ""
    return (
        f"{found.height:,} of {text.height:,} rows repeat the {', '.join(key)} of an earlier row: "
        f"rows {shorten(found[ROW].to_list())}. Keep one row of each."
    )


def _raise_all(file: str, problems: list[str]) -> None:
    found = [problem for problem in problems if problem]
    if found:
        raise TableError("\n".join(f"{file}: {problem}" for problem in found))
