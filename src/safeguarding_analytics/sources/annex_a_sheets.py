"""Where lists 7 and 5 of Ofsted's Annex A stand: sheets by their number or headings, columns by their headings.

No cell is ever quoted in a message, not even of a row that looks like a header, unless it holds most of the headings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from safeguarding_analytics.errors import TableError, shorten
from safeguarding_analytics.sources.files import READABLE, ROW, read_content, read_sheet
from safeguarding_analytics.sources.worksheets import MOST_BEFORE_HEADER, Grid, read_grid


@dataclass(frozen=True)
class ListColumn:
    """A column of a list: its heading there, a pattern of other headings, and whether the list is of use without it."""

    headings: tuple[str, ...]
    pattern: str
    needed: bool = True


_CHILD = ListColumn(
    ("Child Unique ID",),
    r"\b(child|person|client)(ren)?s?\b.*\b(id|identifier)\b|\b(id|identifier)\b.*\b(child|person|client)\b",
)
_BIRTH = ListColumn(("Date of Birth", "DOB"), r"\bdate\b.*\bbirth|\bbirth.*\bdate\b|\bdob\b", needed=False)
_AGE = ListColumn(("Age of Child (Years)", "Age"), r"\bage\b", needed=False)
_PLAN = r"\b(child protection( plan)?|cp( ?plan)?|cpp|plan)\b"
_CONFERENCE = r"\b(initial (child protection|cp)( case)? conference|icpc|initial cpc)\b"

LISTS: Mapping[str, Mapping[str, ListColumn]] = {
    "plans": {
        "child": _CHILD,
        "birth_date": _BIRTH,
        "age": _AGE,
        "start_date": ListColumn(
            ("Child Protection Plan Start Date",),
            rf"{_PLAN}.*\b(start(ed|s)?|began|commenced)\b|\bstart(ed)?( date)? of\b.*{_PLAN}",
        ),
        "end_date": ListColumn(
            ("Child Protection Plan End Date",), rf"{_PLAN}.*\b(end(ed|s)?|ceased|closed|closure)\b|\bend\b.*{_PLAN}"
        ),
        "category": ListColumn(("Initial Category of Abuse",), r"\b(initial|first|original)\b.*\bcategory\b"),
        "latest_category": ListColumn(
            ("Latest Category of Abuse",), r"\b(latest|current|last)\b.*\bcategory\b", needed=False
        ),
        "previous_plans": ListColumn(
            ("Number of Previous Child Protection Plans",),
            rf"\b(previous|prior|earlier)\b.*(plans?\b|{_PLAN}|\bcpps\b)",
        ),
    },
    "conferences": {
        "child": _CHILD,
        "section_47_start": ListColumn(
            ("Strategy discussion initiating Section 47 Enquiry Start Date",),
            r"\b(section 47|s ?47)\b.*\b(start(ed)?|date)\b|\bstrategy discussion date\b|\bdate of strategy disc",
        ),
        "conference_date": ListColumn(
            ("Date of Initial Child Protection Conference",), rf"\bdate\b.*{_CONFERENCE}|{_CONFERENCE} date\b"
        ),
        "not_required": ListColumn(
            ("Was an Initial Child Protection Conference deemed unnecessary?",),
            r"\b(conference|icpc|cpc)\b.*\b(unnecessary|not (required|necessary|needed))\b",
            needed=False,
        ),
    },
}
"""Our columns of list 7 (plans) and list 5 (conferences)."""

NUMBERS = {"plans": "7", "conferences": "5"}


@dataclass(frozen=True)
class ListSheet:
    """A sheet of a workbook, or a file that holds one list."""

    path: Path
    sheet: str | None
    label: str

    @property
    def place(self) -> str:
        """Where it stands, in words."""
        return f'{self.path.name}, sheet "{self.sheet}"' if self.sheet is not None else self.path.name


@dataclass(frozen=True)
class FoundList:
    """The header of a sheet: columns of the grid by our names, and the headings that fit too many or none."""

    grid: Grid
    row: int
    columns: Mapping[str, int]
    written: Mapping[int, str]
    missing: tuple[str, ...]
    clashes: tuple[str, ...]


def list_sheets(paths: Sequence[Path]) -> list[ListSheet]:
    """Every sheet and file in which a list may stand.

    Parameters
    ----------
    paths
        Workbooks, files with one list each, or folders of them.

    Raises
    ------
    TableError
        When there is no such file, or one is not what its name says.
    """
    files = []
    for path in paths:
        inner = _files_in(path) if path.is_dir() else []
        if path.is_dir() and not inner:
            raise TableError(f"{path.name}: there is no list in this folder. Wanted files such as list_7.csv.")
        files += inner or [path]
    sheets = []
    for file in files:
        if file.suffix.lower() not in (".xlsx", ".xlsm"):
            read_content(file)
            sheets.append(ListSheet(file, None, file.stem))
            continue
        names = _sheet_names(file)
        alone = len(names) == 1 and len(files) > 1
        sheets += [ListSheet(file, name, file.stem if alone else name) for name in names]
    return sheets


def _files_in(folder: Path) -> list[Path]:
    """Files of a folder that can be read, but for those that an open spreadsheet or the system hides there."""
    return [
        each
        for each in sorted(folder.iterdir())
        if each.suffix.lower() in READABLE and not each.name.startswith(("~$", "."))
    ]


def _sheet_names(path: Path) -> list[str]:
    """Names of the sheets of a workbook, which must be one."""
    content, name = read_content(path), path.name
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise TableError(
            f"{name}: the workbook is protected with a password, or is an old one (.xls) under another name. Open it, "
            "take the password away, save it as .xlsx, and keep it where the board keeps its data."
        )
    if not content.startswith(b"PK"):
        raise TableError(
            f"{name}: this is not a workbook, although its name says so. Save it as .xlsx, or give it its true ending."
        )
    try:
        with_sheets = any(part.startswith("xl/") for part in ZipFile(path).namelist())
    except (BadZipFile, OSError, ValueError):
        raise TableError(f"{name}: the workbook is damaged or was cut off. Copy or save it once more.") from None
    if not with_sheets:
        raise TableError(
            f"{name}: this is an archive of other things and not a workbook, although its name says so. "
            "Save the lists as .xlsx."
        )
    return read_sheet(content, name, None)[1]


def _plain(heading: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", heading.casefold()))


def _is_called(label: str, number: str) -> bool:
    """Whether a name holds the number of a list by itself: "List 7", "7. CP", "list_07", not "2017"."""
    return re.search(rf"(?<!\d)0?{number}(?!\d)", label) is not None


def find_list(
    sheets: Sequence[ListSheet], table: str, grids: dict[ListSheet, Grid | None], where: str
) -> tuple[ListSheet, FoundList] | None:
    """The sheet of a list and its header: the one with its number, else the one with its headings.

    Parameters
    ----------
    sheets
        Sheets and files among which it is looked for.
    table
        The table that is made of the list: ``plans`` or ``conferences``.
    grids
        Sheets that have been read; what is read is added.
    where
        What is read, for errors.

    Returns
    -------
    tuple[ListSheet, FoundList] | None
        None where list 5 is not there, which may be missing.

    Raises
    ------
    TableError
        When list 7 is not there, several sheets claim to be the list, headings are missing or fit several columns.
    """
    number = NUMBERS[table]
    headers: dict[ListSheet, FoundList] = {}

    def complete(candidates: Sequence[ListSheet]) -> list[ListSheet]:
        for sheet in candidates:
            if sheet not in grids:
                grids[sheet] = _grid(sheet)
            grid = grids[sheet]
            if grid is not None:
                headers[sheet] = _header(grid, table)
        return [sheet for sheet in candidates if sheet in headers and not headers[sheet].missing]

    by_number = [sheet for sheet in sheets if _is_called(sheet.label, number)]
    chosen = complete(by_number) or complete([sheet for sheet in sheets if sheet not in by_number])
    if len(chosen) > 1:
        raise TableError(
            f"{where}: {len(chosen)} sheets or files claim to be list {number}: "
            f"{shorten([each.place for each in chosen])}. Keep the one that counts, and take its number and headings "
            "away from the others, or take them out."
        )
    if chosen:
        if headers[chosen[0]].clashes:
            raise TableError(f"{chosen[0].place}: {' '.join(headers[chosen[0]].clashes)}")
        return chosen[0], headers[chosen[0]]
    named = [sheet for sheet in by_number if sheet in headers]
    if named:
        raise TableError("\n".join(f"{sheet.place}: {_say_missing(headers[sheet], table)}" for sheet in named))
    if table == "conferences":
        return None
    raise TableError(
        f"{where}: list {number} is not there: no sheet or file has the number {number} in its name, and none has its "
        f"headings. Found: {shorten([each.place for each in sheets])}. Wanted the headings: "
        f"{_quoted([column.headings[0] for column in LISTS[table].values() if column.needed])}."
    )


def _grid(sheet: ListSheet) -> Grid | None:
    """A sheet as it is; None where there is nothing in it."""
    try:
        return read_grid(sheet.path, sheet.sheet)
    except TableError:
        if sheet.sheet is None or read_sheet(read_content(sheet.path), sheet.path.name, sheet.sheet)[0].height:
            raise
        return None


def _header(grid: Grid, table: str) -> FoundList:
    """The first row with the most headings of a list, and what is wrong with it."""
    columns = LISTS[table]
    best: tuple[int, dict[str, list[int]], Sequence[str | None]] = (0, {}, ())
    most = -1
    for number, *cells in grid.cells.head(MOST_BEFORE_HEADER).select(ROW, *grid.columns).iter_rows():
        covered = {
            place
            for merge in grid.merges
            if merge.top <= number <= merge.bottom
            for place in range(merge.left + 1, merge.right + 1)
        }
        hits = _hits([None if place in covered else cell for place, cell in enumerate(cells)], columns)
        count = len({tuple(places) for places in hits.values() if places})
        if count > most:
            best, most = (number, hits, cells), count
    row, hits, header = best
    written = {place: " ".join(cell.split()) for place, cell in enumerate(header) if cell}
    clashes = [
        f'row {row} has {len(places)} columns for "{columns[name].headings[0]}": '
        f"{_quoted([written[place] for place in places])}. Rename all but the one that is meant, or delete them."
        for name, places in hits.items()
        if len(places) > 1
    ]
    places_used = [places[0] for places in hits.values() if len(places) == 1]
    clashes += [
        f'the heading "{written[place]}" of row {row} fits several columns: '
        f"{_quoted([columns[name].headings[0] for name, places in hits.items() if places == [place]])}. Give it one of "
        "these headings."
        for place in dict.fromkeys(places_used)
        if places_used.count(place) > 1
    ]
    missing = tuple(name for name, column in columns.items() if column.needed and not hits.get(name))
    used = {name: places[0] for name, places in hits.items() if places}
    return FoundList(grid, row, used, written, missing, tuple(clashes))


def _hits(cells: Sequence[str | None], columns: Mapping[str, ListColumn]) -> dict[str, list[int]]:
    """Columns of a row by our names: those with a heading as the inspectorate writes it, else those that mean it."""
    texts = [(place, _plain(cell)) for place, cell in enumerate(cells) if cell]
    exact = {
        name: [place for place, text in texts if text in map(_plain, column.headings)]
        for name, column in columns.items()
    }
    taken = {place for places in exact.values() for place in places}
    return {
        name: exact[name] or [place for place, text in texts if place not in taken and re.search(column.pattern, text)]
        for name, column in columns.items()
    }


def _say_missing(found: FoundList, table: str) -> str:
    columns = LISTS[table]
    lacking = _quoted([columns[name].headings[0] for name in found.missing])
    if 2 * len(found.missing) > sum(column.needed for column in columns.values()):
        # Then it may be the row of a child, and nothing of it is said.
        return f"no row of the first {MOST_BEFORE_HEADER} is the header of list {NUMBERS[table]}. Wanted: {lacking}."
    others = [text for place, text in found.written.items() if place not in found.columns.values()]
    return (
        f"row {found.row} looks like the header and lacks {lacking}. "
        f"Its other headings: {_quoted(others) or 'none'}. Write the headings as the inspectorate does."
    )


def _quoted(words: Sequence[str]) -> str:
    return shorten([f'"{word}"' for word in words], most=30)
