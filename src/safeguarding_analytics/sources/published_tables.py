"""Published tables (last year's, another body's) → frames of our shapes with a column ``mark``, fit for the audit.

No cell of a group column is ever quoted in a message, nor a heading that is none of ours: the file may turn out to be
a private one, or to have a person in its first row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import polars as pl

from safeguarding_analytics.errors import DisclosureError, TableError, in_words, nearest, shorten
from safeguarding_analytics.safe import refuse_identifying
from safeguarding_analytics.shapes import SHAPES, Shape, shape_of
from safeguarding_analytics.sources.files import ROW, plain_name, read_table
from safeguarding_analytics.tables import TOTAL

MARK, HIDDEN, MISSING = "mark", "[c]", "[x]"

WORKBOOKS, HIDES = (".xlsx", ".xlsm"), ("c", "*")
NOT_AVAILABLE = ("x", "z", ":", "..", "...", "-", "–", "—", "~", "low", "k", "u")
BANDED = re.compile(r"(<|>|≤|≥|(fewer|less|more) than |under |over )[<>=\s]*\d+\s*%?|\d\d?\s*(-|–|to)\s*\d\d?")

SYNONYMS = {
    **dict.fromkeys(("n", "number"), "count"),
    **dict.fromkeys(("percentage", "percent", "%"), "proportion"),
}
PER_CENT = ("percentage", "percent", "%")

OPEN_DATA_LEVEL = "geographic_level"
OPEN_DATA_REPEATS = (
    *("time_identifier", OPEN_DATA_LEVEL, "country_code", "country_name"),
    *("region_code", "old_la_code", "new_la_code"),
)
"""Columns of an open-data file that say again what ``time_period``, ``region_name`` and ``la_name`` say."""
OPEN_DATA_AREAS = ("region_name", "la_name")

COUNTS = frozenset(
    {name for shape in SHAPES.values() for name in (*shape.all_counts, *shape.context)}
    | {"rank", "n_ballots", "n_clusters"}
) - {"per_session", "cost_per_session", "total_cost"}
SHARES = frozenset(
    {"proportion", "attendance_rate", "take_up", "share_of_places", "reach", "share_of_agencies", "p_selected"}
).union({"share_before", "share_after"})
ENDS = frozenset({"lower", "upper", "lower_clustered", "upper_clustered"})
POINTS = frozenset({"proportion", "reach"})
"""Shares that have an interval."""

YES_NO = {"true": True, "yes": True, "false": False, "no": False}
FLAGS, WORDS = frozenset({"tied", "selected"}), frozenset({"issue", "verdict"})
NEVER_GROUPS = (COUNTS - {"rank"}) | SHARES | ENDS | {"rate", *PER_CENT}

NUMBER = re.compile(r"([+-]?(?:[1-9]\d{0,2}(?:,\d{3})+|\d+)(?:\.\d*)?(?:e[+-]?\d{1,3})?|[+-]?\.\d+)\s*(%?)")
LARGEST = 10**15
"""Larger numbers are no counts of people, and a float does not hold all their digits."""

QUOTIENTS = (("proportion", "numerator", "denominator"), ("take_up", "attended", "capacity"))
WANTED = (
    "count; numerator, denominator and proportion (or percentage); count, population and rate; "
    "n_pairs and mean_change; n_pairs and n_same_high; n and estimate; issue, score and rank; registered and attended"
)


class Column(NamedTuple):
    """A number column: its name in the shape, its heading in the file, and how its cells are read."""

    name: str
    heading: str
    dtype: type[pl.DataType]
    parse: Callable[[str], object]
    wanted: str


class Reading(NamedTuple):
    """A table of a file, by the name it has in an audit, and a sentence for each thing beside it that was not read."""

    name: str
    table: pl.DataFrame
    file: Path
    not_read: tuple[str, ...]


def read_published_table(path: str | Path) -> pl.DataFrame:
    r"""The numbers of a published table as its publisher shows them, hidden ones null.

    Parameters
    ----------
    path
        A CSV, XLSX (its first table is read; `published_tables` reads all) or Parquet file with its headings in row 1,
        such as a table of a release or an open-data file. In a workbook a title and notes may stand above the headings
        and below the table. Headings are the column names of a shape in `tables`, their case and spaces ignored;
        ``n`` (but not beside ``estimate``) and ``number`` are read as ``count``; ``percentage``, ``percent`` and ``%``
        as ``proportion``, divided by 100, and so are ``lower`` and ``upper`` beside them. Columns before the first of
        the shape name the group. Numbers may have thousands separators and a percent sign.

    Returns
    -------
    pl.DataFrame
        One row per row of the file, in its order: group columns (text), then the columns of the shape as they stand
        (counts Int64, others Float64, with the decimals that are printed), then other columns and ``mark``, which is
        the last where the file has none:

        - ``"[c]"`` where a number is hidden to protect someone: ``c``, ``[c]``, ``*``, or a band such as ``<5``
        - ``"[x]"`` where it is missing for another reason: ``x``, ``z``, ``:``, ``..``, ``-``, ``~``, ``low``, ``k``,
          ``u``, with or without brackets, or an empty cell
        - ``""`` where all numbers of the row are there

        Cells that hold such shorthand are null. As published: this function suppresses nothing.

    Raises
    ------
    TableError
        The file cannot be read, has none of the shapes, or has cells that are no such numbers, groups without a name or
        two rows of one group; all is said at once, by row in a spreadsheet (the headings are row 1).
    DisclosureError
        A column identifies people.

    Notes
    -----
    A group cell that says Total, All or "All ..." (case ignored) is read as ``"Total"``; "All ..." is read as a name
    (All Saints) where another cell of its column says plainly Total or All. Other words for a total ("England") stay
    names.

    A row has one mark: where one cell says ``c`` and another ``z``, it is ``"[c]"``. Where the file has a column
    ``mark``, as those of a release do, an empty cell says nothing, and a word that is none of the shorthand is read as
    ``"[c]"``, because a release prints the word its policy chooses; such a file may have no rows. A row without a
    missing number has no mark.

    In open data of the Department for Education (a file with ``geographic_level``) an empty ``region_name`` or
    ``la_name`` is the total over it; the level, the country, the codes and ``time_identifier`` are left out, so that
    authorities, regions and England are one table with margins.

    References
    ----------
    Government Statistical Service, Using symbols and shorthand in data tables, 2022; DfE, Explore Education Statistics,
    open data standards: symbols c, k, low, u, x, z.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "last_year.csv")
    ...     _ = file.write_text("Agency,Numerator,Denominator,Percentage\nPolice,125,1000,12.5\nAll,c,1250,c\n")
    ...     published = read_published_table(file)
    >>> published.rows()
    [('Police', 125, 1000, 0.125, ''), ('Total', None, 1250, None, '[c]')]
    """
    return _readings(Path(path))[0].table


def published_tables(paths: str | Path | Iterable[str | Path]) -> dict[str, pl.DataFrame]:
    r"""Published tables by name, as `audit` takes them.

    Parameters
    ----------
    paths
        Files that `read_published_table` reads; one given twice is read once.

    Returns
    -------
    dict[str, pl.DataFrame]
        Tables in the order given, named after their files: without ending; where two files share that, with it; then
        with the folder, then with the whole path. Where a workbook has several, they are named after their sheets, and
        where another table has that name, after file and sheet.

    Raises
    ------
    TableError
        What is wrong with any of the files, all at once.
    DisclosureError
        A column of a file identifies people.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "children_2024.csv")
    ...     _ = file.write_text("district,count,mark\nD01,7,\n")
    ...     tables = published_tables([file])
    >>> tables["children_2024"].rows()
    [('D01', 7, '')]
    """
    return {one.name: one.table for one in read_published(paths)}


def read_published(paths: str | Path | Iterable[str | Path]) -> list[Reading]:
    """Read published tables as `published_tables` does, and say what of their files was not read."""
    files = list(dict.fromkeys(map(Path, [paths] if isinstance(paths, str | Path) else paths)))
    found: list[tuple[str, Reading]] = []
    problems = []
    for name, file in zip(_unique_names(files), files, strict=True):
        try:
            found += [(name, one) for one in _readings(file)]
        except TableError as error:
            problems.append(str(error))
    if problems:
        raise TableError("\n".join(problems))
    names = [one.name or name for name, one in found]
    taken = {name for name in names if names.count(name) > 1}
    return [
        one._replace(name=f"{file}: {name}" if one.name and name in taken else name)
        for name, (file, one) in zip(names, found, strict=True)
    ]


def _readings(file: Path) -> list[Reading]:
    """The tables of a file, named after their sheets where it has several, else not named."""
    sheets = _sheets(file) if file.suffix.lower() in WORKBOOKS and file.is_file() else {}
    tables = {name: text for name, text in sheets.items() if text is not None}
    if not tables:
        # No workbook, or no sheet of it has headings of ours: then the message says what is wrong with the first.
        return [_reading(read_table(file).frame, file, file.name)]
    several, problems, found = len(sheets) > 1, [], []
    for name, text in tables.items():
        try:
            made = _reading(text, file, f"{file.name}, sheet {name}" if several else file.name)
        except TableError as error:
            problems.append(str(error))
            continue
        found.append(made._replace(name=name if len(tables) > 1 else ""))
    if problems:
        raise TableError("\n".join(problems))
    skipped = [
        f"{file.name}: sheet {name} was not audited: no table was found in it." for name in sheets if name not in tables
    ]
    return [*found[:-1], found[-1]._replace(not_read=(*found[-1].not_read, *skipped))]


def _sheets(file: Path) -> dict[str, pl.DataFrame | None]:
    """The text of the table in each sheet of a workbook that is not empty; None where a sheet has none."""
    import fastexcel

    content = file.read_bytes()
    try:
        book = fastexcel.read_excel(content)
        # Rows above the first that is filled are kept, so that row numbers are those of the spreadsheet.
        frames = {
            name: book.load_sheet(name, header_row=None, skip_rows=0, dtypes="string").to_polars()
            for name in book.sheet_names
        }
    except fastexcel.FastExcelError:
        return {}  # `read_table` says what is wrong with it
    rows = {name: [[_trimmed(cell) for cell in row] for row in frame.rows()] for name, frame in frames.items()}
    return {name: _table_in(filled, file, name) for name, filled in rows.items() if any(map(any, filled))}


def _table_in(rows: list[list[str]], file: Path, sheet: str) -> pl.DataFrame | None:
    """The table of a sheet without what stands above its headings and below its rows; None where there is none."""
    start = _header_row(rows)
    if start is None:
        first = next((row for row in rows if sum(map(bool, row)) > 1), [])
        _refuse_people(pl.DataFrame(schema=list({plain_name(cell) for cell in first})), file.name)
        return None
    width = max(position for position, cell in enumerate(rows[start], start=1) if cell)
    body = [(number, row) for number, row in enumerate(rows[start + 1 :], start=start + 2) if any(row)]
    while body and _is_note(body[-1][1], width):
        body.pop()
    if not body:
        return None
    headings = [plain_name(cell) for cell in rows[start][:width]]
    wrong = [
        _letter(position) for position, one in enumerate(headings) if not one or headings.count(one) > 1 or one == ROW
    ]
    beside = [number for number, row in body if any(row[width:])]
    said = f"{file.name}, sheet {sheet}"
    if wrong:
        raise TableError(
            f"{said}: columns {shorten(wrong)} have no heading of their own in row {start + 1}. "
            "Give each column one name, and put a second table into a sheet of its own."
        )
    if beside:
        raise TableError(
            f"{said}: {_rows(beside)} have cells to the right of the table, under no heading. Delete or name them."
        )
    columns = {one: [row[position] or None for _, row in body] for position, one in enumerate(headings)}
    return pl.DataFrame(
        {**columns, ROW: [number for number, _ in body]}, schema={**dict.fromkeys(headings, pl.String), ROW: pl.Int64}
    )


def _trimmed(cell: str | None) -> str:
    """A cell of a workbook as `read_table` reads it, an empty text where there is nothing in it."""
    text = (cell or "").replace("\u00a0", " ").strip()
    return "" if text.casefold() in ("n/a", "#n/a", "null", "nan") else text


def _header_row(rows: list[list[str]]) -> int | None:
    """Where the headings stand: the first row that has those of a shape. A lone word may be a title above them."""
    found = [
        (position, sum(map(bool, row)))
        for position, row in enumerate(rows)
        if _shape(list(_names([plain_name(cell) for cell in row if cell]).values()))
    ]
    wide = [position for position, filled in found if filled > 1]
    return wide[0] if wide else found[-1][0] if found else None


def _is_note(row: list[str], width: int) -> bool:
    """Whether a last row is a note: only its first cell is filled, and that with no number where there is no other."""
    alone = bool(row[0]) and not any(row[1:])
    return alone and (width > 1 or (_mark_of(row[0]) is None and _parse(row[0]) is None))


def _reading(whole: pl.DataFrame, file: Path, said: str) -> Reading:
    """Read a table of text; ``said`` is what messages call it."""
    whole = _without_apostrophes(whole)
    text = _without_repeats(whole)
    _refuse_people(text, said)
    if text.is_empty() and MARK not in text.columns:
        raise TableError(f"{said}: the file has a header and no rows. Wanted one row per group.")
    headings = [heading for heading in text.columns if heading not in (ROW, MARK)]
    names = _names(headings)
    columns = [column for column in (_column(heading, names) for heading in headings) if column]
    shape = _shape(list(names.values()))
    if shape is None:
        wrong = [_wrong_cells(text, column) for column in columns]
        raise TableError(_said(said, [_no_shape(whole.columns, names), *wrong]))
    groups = [name for name in shape.group_columns(list(names.values())) if name not in NEVER_GROUPS]
    columns = [column for column in columns if column.name not in groups]
    numbers = {column.name: _values(text, column) for column in columns}
    text = text.with_columns(_with_total(pl.col(group)) for group in groups)
    key = [*groups, "issue"] if shape.name == "ranking" else groups
    problems = [
        _two_for_one(names),
        *(_wrong_cells(text, column) for column in columns),
        *(_unnamed_groups(text, name, whole.columns) for name in key),
        _repeated_groups(text.select(key), text[ROW]),
        *(_hundredfold(numbers, text[ROW], *of_counts) for of_counts in QUOTIENTS),
    ]
    if any(problems):
        raise TableError(_said(said, problems))
    read = {column.name: pl.Series(numbers[column.name], dtype=column.dtype) for column in columns}
    read |= {name: text[name] for name in names.values() if name in (*groups, *WORDS)}
    read |= {name: _other(text[heading]) for heading, name in names.items() if name not in read}
    read[MARK] = pl.Series(_marks(text, [column.heading for column in columns]), dtype=pl.String)
    of_the_shape = [name for name in names.values() if name in shape.columns and name not in groups]
    stands = [names.get(heading, heading) for heading in text.columns if heading != ROW]
    others = [name for name in dict.fromkeys([*stands, MARK]) if name not in (*groups, *of_the_shape)]
    table = pl.DataFrame({name: read[name] for name in (*groups, *of_the_shape, *others)})
    unused = [heading for heading, name in names.items() if name in others and _holds_numbers(text[heading])]
    return Reading("", table, file, tuple(f"{said}: {one}" for one in _not_audited(unused, names)))


def _unique_names(files: Sequence[Path]) -> list[str]:
    """The shortest name of each file that no other file has."""
    ways = [
        [file.stem for file in files],
        [file.name for file in files],
        [f"{file.parent.name}/{file.name}" for file in files],
        [str(file) for file in files],
    ]
    names = [
        next(way[position] for way in ways if way.count(way[position]) == 1 or way is ways[-1])
        for position in range(len(files))
    ]
    return names if len(set(names)) == len(files) else ways[-1]


def _holds_numbers(cells: pl.Series) -> bool:
    """Whether a cell begins as a number does, were it only part of one: ``6 (12%)``, ``£5``."""
    return bool(cells.str.contains(r"^[<>≤≥~(]?\s*[+\-−]?[£€$]?\.?\d").any())


def _not_audited(headings: list[str], names: dict[str, str]) -> list[str]:
    """A sentence for columns of numbers that are no columns of the table's shape."""
    shares = [heading for heading in headings if names[heading] in SHARES]
    others = [heading for heading in headings if heading not in shares]
    found = [
        f"column {heading} was not audited: a share of the column's total is not read. "
        "Add its numerator and denominator."
        for heading in shares
    ]
    if others:
        verb = "was" if len(others) == 1 else "were"
        found.append(
            f"{'column' if len(others) == 1 else 'columns'} {in_words(others)} {verb} not audited: "
            "no column so called is read beside the others."
        )
    return found


def _without_apostrophes(text: pl.DataFrame) -> pl.DataFrame:
    """Take away the apostrophe that a release puts before a text which a spreadsheet would take for a formula."""
    plain = pl.exclude(ROW)
    frame = text.with_columns(
        pl.when(plain.str.contains(r"^'+[=+\-@\t\r\n]")).then(plain.str.slice(1)).otherwise(plain).name.keep()
    )
    return frame.rename({name: name[1:] for name in frame.columns if re.match(r"'+[=+\-@]", name)})


def _without_repeats(text: pl.DataFrame) -> pl.DataFrame:
    """An open-data file as a table with margins; any other file as it is."""
    if OPEN_DATA_LEVEL not in text.columns:
        return text
    areas = [name for name in OPEN_DATA_AREAS if name in text.columns]
    return text.drop(OPEN_DATA_REPEATS, strict=False).with_columns(pl.col(areas).fill_null(TOTAL))


def _refuse_people(text: pl.DataFrame, file: str) -> None:
    try:
        refuse_identifying(text)
    except DisclosureError as error:
        raise DisclosureError(f"{file}: {error}") from None


def _names(headings: list[str]) -> dict[str, str]:
    """The name of each heading in our shapes; a synonym gives way to the word itself, and to an earlier synonym."""
    names: dict[str, str] = {}
    for heading in headings:
        meant = _synonyms(headings).get(heading, heading)
        names[heading] = heading if meant in headings or meant in names.values() else meant
    return names


def _synonyms(headings: Collection[str]) -> dict[str, str]:
    """What headings mean; beside an estimate, n is the people that it is of."""
    return {one: meant for one, meant in SYNONYMS.items() if one != "n" or "estimate" not in headings}


def _shape(names: list[str]) -> Shape | None:
    try:
        return shape_of(names)
    except TableError:  # its message quotes every heading, and the first row of a private file may be a person's
        return None


def _column(heading: str, names: dict[str, str]) -> Column | None:
    """How the cells of a number column are read; None for one that is none of ours."""
    name = names[heading]
    of_shares = name in SHARES or (name in ENDS and not POINTS.isdisjoint(names.values()))
    if name in COUNTS:
        return Column(name, heading, pl.Int64, _parse_count, "a whole number of 0 or more")
    if name in FLAGS:
        return Column(name, heading, pl.Boolean, lambda cell: YES_NO.get(cell.casefold()), "true or false")
    if of_shares:
        point = heading if name in SHARES else next(one for one, other in names.items() if other in POINTS)
        per_cent, bounded = point in PER_CENT, name != "take_up"
        wanted = "a percentage of 0 to 100" if per_cent else "a proportion of 0 to 1, or a percentage with its sign"
        return Column(
            name,
            heading,
            pl.Float64,
            lambda cell: _parse_share(cell, per_cent=per_cent, bounded=bounded),
            wanted if bounded else "a proportion of 0 or more, or a percentage with its sign",
        )
    if name not in WORDS and any(name in shape.columns for shape in SHAPES.values()):
        return Column(name, heading, pl.Float64, _parse_number, "a number")
    return None


def _parse(cell: str) -> tuple[Decimal, bool] | None:
    """A number as it is printed, and whether it has a percent sign; None where it is no number."""
    found = NUMBER.fullmatch(cell.replace("−", "-").casefold())
    if not found:
        return None
    number = Decimal(found[1].replace(",", ""))
    return (number, found[2] == "%") if abs(number) <= LARGEST else None


def _parse_count(cell: str) -> int | None:
    number, per_cent = _parse(cell) or (Decimal(-1), False)
    return None if per_cent or number < 0 or number % 1 else int(number)


def _parse_number(cell: str) -> float | None:
    number, per_cent = _parse(cell) or (None, False)
    return None if per_cent or number is None else float(number)


def _parse_share(cell: str, *, per_cent: bool, bounded: bool) -> float | None:
    number, signed = _parse(cell) or (Decimal(-1), False)
    # Moved by decimal arithmetic: 57.3 / 100 as a float has sixteen decimals, and the audit counts decimals.
    share = number.scaleb(-2) if per_cent or signed else number
    return None if share < 0 or (bounded and share > 1) else float(share)


def _mark_of(cell: str) -> str | None:
    """``"[c]"`` or ``"[x]"`` for shorthand, else None."""
    word = cell.casefold()
    word = word[1:-1].strip() if word.startswith("[") and word.endswith("]") else word
    if word in HIDES or BANDED.fullmatch(word):
        return HIDDEN
    return MISSING if word in NOT_AVAILABLE else None


def _values(text: pl.DataFrame, column: Column) -> list[object]:
    """The values of a number column; null where a cell is empty, holds shorthand or cannot be read."""
    return [None if cell is None or _mark_of(cell) else column.parse(cell) for cell in text[column.heading]]


def _marks(text: pl.DataFrame, headings: list[str]) -> list[str]:
    """The mark of every row, from its number cells and from the column ``mark`` where there is one."""
    said = text[MARK] if MARK in text.columns else [None] * text.height
    empty = "" if MARK in text.columns else MISSING
    marks = []
    for word, *cells in zip(said, *(text[heading] for heading in headings), strict=True):
        seen = {empty if cell is None else _mark_of(cell) for cell in cells}
        if word is not None and any(cell is None or _mark_of(cell) for cell in cells):
            seen.add(_mark_of(word) or HIDDEN)
        marks.append(HIDDEN if HIDDEN in seen else MISSING if MISSING in seen else "")
    return marks


def _with_total(group: pl.Expr) -> pl.Expr:
    word = group.str.to_lowercase()
    plain = word.is_in(["total", "all"])
    return (
        pl.when(plain | (word.str.starts_with("all ") & ~plain.any())).then(pl.lit(TOTAL)).otherwise(group).name.keep()
    )


def _other(cells: pl.Series) -> pl.Series:
    """A column that is none of ours: numbers where all its cells are, shorthand aside, else text as it stands."""
    seen = [None if cell is None or _mark_of(cell) else cell for cell in cells]
    printed = [cell for cell in seen if cell is not None]
    if not printed or any(_parse_number(cell) is None for cell in printed):
        return cells
    if any("." in cell or _parse_count(cell) is None for cell in printed):
        return pl.Series([None if cell is None else _parse_number(cell) for cell in seen], dtype=pl.Float64)
    return pl.Series([None if cell is None else _parse_count(cell) for cell in seen], dtype=pl.Int64)


def _said(file: str, problems: Iterable[str]) -> str:
    return "\n".join(f"{file}: {problem}" for problem in problems if problem)


def _no_shape(columns: list[str], names: dict[str, str]) -> str:
    """Say which columns are wanted. Headings that are none of ours are named by their letter in a spreadsheet."""
    ours = sorted({name for shape in SHAPES.values() for name in shape.columns})
    found = [name for name in names.values() if name in ours]
    others = {_letter(columns.index(heading)): heading for heading, name in names.items() if name not in ours}
    wanted = re.findall(r"[a-z_]{5,}", WANTED)
    hints = "".join(f" Column {letter}:{hint}" for letter, one in others.items() if (hint := nearest(one, wanted)))
    return (
        f"its headings are not those of a table that can be audited. Found: {', '.join(found) or 'no number column'}. "
        f"Wanted, beside the group columns, one of: {WANTED}.{hints} "
        "Name the columns so in row 1, and delete what stands above the headings."
    )


def _letter(position: int) -> str:
    """A column as a spreadsheet names it, the first being A."""
    left, last = divmod(position, 26)
    return (_letter(left - 1) if left else "") + chr(ord("A") + last)


def _two_for_one(names: dict[str, str]) -> str:
    """Say which headings mean the same column, or nothing."""
    clash = {meant for one, meant in _synonyms(names).items() if names.get(one) == one and meant not in names}
    same = [one for one in names if SYNONYMS.get(one) in clash]
    return f"columns {in_words(same)} mean the same. Keep one of them." if same else ""


def _wrong_cells(text: pl.DataFrame, column: Column) -> str:
    """Say which cells of a number column are neither a number nor shorthand, or nothing."""
    found = [
        (row, cell)
        for row, cell in text.select(ROW, column.heading).iter_rows()
        if cell is not None and _mark_of(cell) is None and column.parse(cell) is None
    ]
    if not found:
        return ""
    seen = dict.fromkeys(_shown(cell) for _, cell in found)
    return (
        f"{len(found):,} of {text.height:,} rows have a {column.heading} that is not {column.wanted}: "
        f"{_rows([row for row, _ in found])}. Found: {shorten(list(seen))}. "
        "Correct them, or write [c] where a number is hidden and [x] where there is none."
    )


def _shown(cell: str) -> str:
    """What a message says of a cell: a name or a person's number may have slipped into the wrong column."""
    if len(cell) > 3 and any(character.isalpha() for character in cell):
        return "(words, not shown)"
    return f'"{cell}"' if sum(character.isdigit() for character in cell) <= 8 else "(a long number, not shown)"


def _rows(rows: list[int]) -> str:
    return f"{'row' if len(rows) == 1 else 'rows'} {shorten(rows)}"


def _unnamed_groups(text: pl.DataFrame, name: str, columns: list[str]) -> str:
    """Say which rows have an empty cell in a group column, or nothing."""
    rows = text.filter(pl.col(name).is_null())[ROW].to_list()
    if not rows:
        return ""
    letter = _letter(columns.index(name))
    return (
        f"{len(rows):,} of {text.height:,} rows have nothing in column {letter}, which names the group: {_rows(rows)}. "
        "Write the name into every row, Total where the row is a total; delete notes below the table."
    )


def _repeated_groups(key: pl.DataFrame, rows: pl.Series) -> str:
    """Say which rows stand for the group of an earlier row, or nothing."""
    first: dict[tuple[object, ...], int] = {}
    pairs = [
        (first[cells], row)
        for cells, row in zip(key.rows() if key.width else [()] * len(rows), rows, strict=True)
        if None not in cells and first.setdefault(cells, row) != row
    ]
    if not pairs:
        return ""
    return (
        f"{len(pairs):,} of {len(rows):,} rows stand for the group of an earlier row: "
        f"{shorten([f'row {row} (as row {earlier})' for earlier, row in pairs])}. Keep one row of each group. "
        "Columns that name the group must stand before the numbers; cells that say Total, All or All ... mean the same."
    )


def _hundredfold(
    numbers: dict[str, list[object]], rows: pl.Series, share: str, numerator: str, denominator: str
) -> str:
    """Say which shares are a hundred times what their counts say, or a hundredth of it, or nothing."""
    if not {share, numerator, denominator} <= numbers.keys():
        return ""
    ratio = pl.col("share") * pl.col("denominator") / pl.col("numerator")
    found = (
        pl.DataFrame({"share": numbers[share], "numerator": numbers[numerator], "denominator": numbers[denominator]})
        .select(pl.all().cast(pl.Float64), rows)
        .filter((pl.col("share") > 0) & (pl.col("numerator") > 0) & ((ratio > 50) | (ratio < 1 / 50)))
    )
    if found.is_empty():
        return ""
    return (
        f"{found.height:,} of {len(rows):,} rows have a {share} that is a hundred times {numerator} ÷ {denominator}, "
        f"or a hundredth of it: {_rows(found[ROW].to_list())}. Head the column percentage where it says 12.5, and "
        f"{share} where it says 0.125."
    )
