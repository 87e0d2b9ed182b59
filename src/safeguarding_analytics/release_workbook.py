"""All tables of a release in one workbook, laid out as the Government Analysis Function advises."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

from safeguarding_analytics.answers import (
    NOTHING_TO_SAY,
    OF_SHARES,
    UPPER_OF,
    heading_in,
    heading_of,
)
from safeguarding_analytics.cells import (
    HIDDEN_NOTE,
    MARKS,
    NO_NUMBER,
    NOT_APPLICABLE,
    NOT_AVAILABLE,
    NOT_STATED,
    meaning_of,
)
from safeguarding_analytics.dates import day_in_words, evaluation_day
from safeguarding_analytics.errors import ParameterError, in_words
from safeguarding_analytics.exports import (
    LONGEST_SHEET_NAME,
    Cell,
    Pen,
    explained,
    pen,
    printed,
    replace_file,
    sheet_names,
    write_rows,
)
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.release import Entry, Release
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.shapes import SHAPES, Shape
from safeguarding_analytics.tables import TOTAL

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

WORKBOOK = "tables.xlsx"
"""Name of the workbook in the folder of a release."""

COVER, CONTENTS, NOTES, DEFINITIONS = "Cover", "Contents", "Notes", "Definitions"
"""Names of the sheets before those of the tables."""

Words = list[list[str]]
"""Rows of a table of words."""

Published = Mapping[str, tuple[Entry, Safe]]
"""Tables of a release with what its manifest says of them, by name."""

TITLE = "Safeguarding figures: all tables"
ONE_TABLE = "This worksheet holds one table."
LISTED = ("Worksheet", "What it shows", "Hidden numbers", "CSV file")
MARKED = ("Mark or words", "What they mean")
DEFINED = ("Kind of table", "Heading of the column", "Name in the CSV file", "What it means")
NO_SHEET = "none: the table has no rows"

_FONT = {"font_name": "Arial", "font_size": 12, "font_scheme": False}
_ROW_HEIGHT = 21  # pixels, of a row in this font
_HEADING = {"bold": True, "font_size": 16}
_LINK = {"underline": 1, "font_color": "#12436D"}
_ABOVE_ALL = (COVER, CONTENTS, NOTES, DEFINITIONS)
_WIDTHS = {COVER: (90,), CONTENTS: (36, 70, 18, 48), NOTES: (36, 90), DEFINITIONS: (40, 40, 24, 70)}
_LONGEST_HEADING = 255
_NO_XML = re.compile(r"[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LANGUAGE = "<dc:language>en-GB</dc:language>"


def write_release_workbook(release: Release, path: str | Path) -> None:
    """Write all tables of a release into one XLSX workbook, with a cover sheet, contents, notes and definitions.

    Parameters
    ----------
    release
        A release, or one that is being built. Of its manifest the board, the days and the data version are printed.
    path
        File to write. One that is there is replaced as a whole or, if this is stopped, not at all.

    Raises
    ------
    SafeguardingError
        When a table is missing or was changed after it was published.
    ParameterError
        When there is no table, a text or table is too long for a sheet, or the file cannot be written there.

    Notes
    -----
    Each sheet holds one table, marked up as such, from the first column on, under a title, what it shows, how its
    numbers are defined, their source and day, and what the marks in it mean; nothing stands below it. No cells are
    merged, none is a formula, none in a table is empty. Numbers are numbers, shown as on a page; in the place of a
    hidden one stands its mark. A table without rows is listed in the contents and has no sheet.

    There are neither filters nor frozen panes: magnified, panes with a title and definitions in them would leave no
    room for the rows, and a spreadsheet shows the headings of a marked-up table anyway when it scrolls.

    The same release gives the same bytes: neither user nor time is in them.

    References
    ----------
    Government Analysis Function, Releasing statistics in spreadsheets; Making spreadsheets accessible, a brief
    checklist of the basics; Symbols in tables, definitions and help.
    """
    tables = {name: (release.entry(name), release[name]) for name in release.tables()}
    if not tables:
        raise ParameterError("there is no table to write. Make a release with at least one.")
    replace_file(Path(path), _in_english(_workbook_bytes(tables, release.manifest)))


def worded_tables(tables: Published) -> Iterator[tuple[int, Sequence[str], Sequence[Sequence[Cell]]]]:
    """Give the tables of a workbook as it prints them, so that a reader of one can say whether it holds no other.

    Parameters
    ----------
    tables
        Tables of a release.

    Returns
    -------
    Iterator[tuple[int, Sequence[str], Sequence[Sequence[Cell]]]]
        Of the contents, the notes, the definitions and each table: how many columns name a row, the header, the rows.
    """
    yield 0, LISTED, _contents(tables)
    yield 0, MARKED, _notes(tables)
    yield 0, DEFINED, _definitions(tables)
    for _, table in tables.values():
        header, rows = printed(table)
        yield len(table.shape.group_columns(header)), headings_in_words(table), rows


def headings_in_words(table: Safe) -> list[str]:
    """Head the columns of a table in plain words, each heading once, both ends of an interval by themselves.

    Parameters
    ----------
    table
        A safe table.

    Returns
    -------
    list[str]
        A heading for each column but ``mark``.
    """
    return _each_once([_heading(name, table.shape, partial(heading_in, table)) for name in printed(table)[0]])


def policy_in_words(policy: Policy) -> str:
    """Say in sentences what a policy hides and rounds.

    Parameters
    ----------
    policy
        The policy of a table.

    Returns
    -------
    str
        Its sentences.

    Examples
    --------
    >>> policy_in_words(Policy.nhs()).partition(" Other")[0]
    'Counts of 1 to 7 are hidden, and others that would give them away; * stands in their place.'
    """
    smallest = 0 if policy.zeros == "hidden" else 1
    largest = policy.threshold - 1
    small = f"{smallest}" if smallest == largest else f"{smallest} to {largest}"
    sentences = [
        f"Counts of {small} are hidden, and others that would give them away; {policy.mark} stands in their place."
        if largest >= smallest
        else "No count is hidden.",
        f"Every count is rounded to a multiple of {policy.round} next to it, so that totals still add up."
        if policy.controlled
        else f"Other counts are rounded to the nearest multiple of {policy.round}."
        if policy.round
        else "",
        "What is worked out of a hidden count is hidden with it.",
        f"A mean of fewer than {policy.minimum_mean} people is hidden.",
        f"What was worked out of fewer than {policy.minimum_ballots} ballots is hidden.",
    ]
    return " ".join(filter(None, sentences))


def _heading(name: str, shape: Shape, on_pages: Callable[[str], str]) -> str:
    """The heading of a column: as on pages, but that of an interval names the end."""
    lower = next((lower for lower, upper in UPPER_OF.items() if upper == name), name)
    words = " ".join(_NO_XML.sub(" ", on_pages(lower)).split()) or "Column"
    if name not in shape.columns:
        return words
    return f"{words}: lower end" if name in UPPER_OF else f"{words}: upper end" if lower != name else words


def _each_once(headings: list[str]) -> list[str]:
    """Headings that differ in more than capitals, and are no longer than those of a table may be."""
    given: list[str] = []
    for heading in headings:
        candidate, number = heading[:_LONGEST_HEADING], 1
        while candidate.lower() in map(str.lower, given):
            number += 1
            candidate = f"{heading[: _LONGEST_HEADING - len(f' ({number})')]} ({number})"
        given.append(candidate)
    return given


def _sheets(tables: Published) -> dict[str, str]:
    """The sheets of the tables that have rows, by the names of the tables."""
    shown = [name for name, (_, table) in tables.items() if table.frame().height]
    names = sheet_names([*_ABOVE_ALL, *map(_shortened, shown)])[len(_ABOVE_ALL) :]
    return dict(zip(shown, names, strict=True))


def _shortened(name: str) -> str:
    """A name as long as that of a sheet may be, cut between two words.

    Examples
    --------
    >>> _shortened("people_reached_by_district_and_month")
    'people_reached_by_district'
    """
    short = name if len(name) <= LONGEST_SHEET_NAME else name[:LONGEST_SHEET_NAME].rpartition("_")[0]
    return re.sub(r"(_(and|by|of|to|in|at))+$", "", short) or name


def _contents(tables: Published) -> Words:
    sheets = _sheets(tables)
    return [
        [sheets.get(name, NO_SHEET), entry.title, "some" if entry.hidden else "none", f"tables/{name}.csv"]
        for name, (entry, _) in tables.items()
    ]


def _notes(tables: Published) -> Words:
    policies = list(dict.fromkeys(table.policy for _, table in tables.values() if table.policy))
    hiding = list(dict.fromkeys(policy.mark for policy in policies)) or [Policy().mark]
    sheets = _sheets(tables)
    protected = [
        [
            "How small numbers are protected" if len(policies) == 1 else f"How small numbers are protected ({number})",
            policy_in_words(policy) + ("" if len(policies) == 1 else f" So in: {_where(policy, tables, sheets)}."),
        ]
        for number, policy in enumerate(policies, 1)
    ]
    return [
        *([mark, HIDDEN_NOTE] for mark in hiding),
        *([mark, meaning] for mark, meaning in MARKS.items() if mark not in (*hiding, NO_NUMBER)),
        [NOT_STATED, "the group has no name in the records"],
        [TOTAL, "all groups together, those whose numbers are hidden too"],
        *protected,
        [
            "What is checked",
            "Before a release is made, its tables are checked together: where the check finds that a hidden number "
            "follows from the others, no release is made. What a reader knows from elsewhere cannot be checked.",
        ],
        ["People", "No names and no pseudonyms of persons are published."],
        ["Decimals", "A cell holds the number in full; how many decimals are shown depends on the size of the group."],
    ]


def _where(policy: Policy, tables: Published, sheets: Mapping[str, str]) -> str:
    return in_words([sheets[name] for name, (_, table) in tables.items() if table.policy == policy and name in sheets])


def _definitions(tables: Published) -> Words:
    used: dict[tuple[str, bool], set[str]] = {}
    for _, table in tables.values():
        columns = table.frame().columns
        used.setdefault((table.shape.name, OF_SHARES in columns), set()).update(columns)
    own = [
        [
            shape.meaning,
            _heading(column, shape, partial(heading_of, shape=shape, of_events=of_events)),
            column,
            _as_printed(meaning, column),
        ]
        for shape in SHAPES.values()
        for of_events in (False, True)
        for column, meaning in shape.columns.items()
        if column in used.get((shape.name, of_events), ())
    ]
    return [["Any", "The first columns", "the same in small letters", "the group that a row is about"], *_unlike(own)]


def _as_printed(meaning: str, column: str) -> str:
    """What a column means, with the mark that is printed where it is null."""
    return re.sub(r"\bnull\b", NOT_APPLICABLE if column in NOTHING_TO_SAY else NOT_AVAILABLE, meaning)


def _unlike(rows: Words) -> Words:
    return [row for place, row in enumerate(rows) if row not in rows[:place]]


def _workbook_bytes(tables: Published, manifest: Mapping[str, Any]) -> bytes:
    from xlsxwriter import Workbook

    content = io.BytesIO()
    made_on = _day(manifest.get("made_on"))
    # A copy of the font, as the writer adds to what it is given.
    options = {"in_memory": True, "default_format_properties": dict(_FONT), "default_row_height": _ROW_HEIGHT}
    with Workbook(content, options) as book:
        title = _NO_XML.sub(" ", f"{TITLE}, {manifest.get('board') or 'no board named'}")
        created = datetime.combine(made_on or date(2000, 1, 1), time())
        book.set_properties({"title": title[:_LONGEST_HEADING], "created": created})
        _add_cover(book, tables, manifest)
        _add_words(book, CONTENTS, "Contents", LISTED, _contents(tables), [])
        _add_words(book, NOTES, "Notes: marks, and how numbers are protected", MARKED, _notes(tables), [CONTENTS])
        _add_words(book, DEFINITIONS, "Definitions of columns", DEFINED, _definitions(tables), [CONTENTS])
        for name, sheet_name in _sheets(tables).items():
            _add_table(book, sheet_name, *tables[name], manifest)
    return content.getvalue()


def _new_sheet(book: Workbook, name: str, title: str) -> tuple[Worksheet, Pen]:
    """A sheet with its title, which prints on the breadth of a page."""
    sheet = book.add_worksheet(name)
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    write = pen(book, sheet)
    write(0, 0, title, **_HEADING)
    return sheet, write


def _add_cover(book: Workbook, tables: Published, manifest: Mapping[str, Any]) -> None:
    sheet, write = _new_sheet(book, COVER, TITLE)
    as_at, made_on = _day(manifest.get("as_at")), _day(manifest.get("made_on"))
    marks = sorted({table.policy.mark for _, table in tables.values() if table.policy} or {Policy().mark})
    board = manifest.get("board")
    lines: list[tuple[str, dict[str, Any]]] = [
        (f"{board or 'The board is not named.'}", {"bold": True}),
        *([(f"As at {day_in_words(as_at)}.", {})] if as_at else []),
        *([(f"Made on {day_in_words(made_on)}.", {})] if made_on else []),
        (f"Data version {manifest.get('data_version') or 'not known'}.", {}),
        ("What this workbook holds", _HEADING),
        ("Every table of the release, on a worksheet of its own: the same numbers as in the pages and the CSV files "
         "beside it. Contents lists the tables, Definitions says what their columns mean.", {}),
        ("Hidden numbers", _HEADING),
        (f"{in_words(marks)}: {HIDDEN_NOTE}. {NOT_AVAILABLE}: {meaning_of(NOT_AVAILABLE)}. "
         f"{NOT_APPLICABLE}: {meaning_of(NOT_APPLICABLE)}. Notes lists all marks and says how small numbers are "
         "protected.", {}),
        ("Questions and use", _HEADING),
        ("For questions, and for leave to use these figures elsewhere, turn to the board named above.", {}),
    ]  # fmt: skip
    for line, (text, style) in enumerate(lines, 1):
        write(line, 0, text, text_wrap=True, valign="top", **style)
    for line, name in enumerate((CONTENTS, NOTES, DEFINITIONS), len(lines) + 1):
        _write_link(book, sheet, line, f"Go to {name}", name)
    sheet.set_column(0, 0, _WIDTHS[COVER][0])


def _add_words(book: Workbook, name: str, title: str, header: tuple[str, ...], rows: Words, links: list[str]) -> None:
    """A sheet with a table of words: contents, notes or definitions."""
    sheet, write = _new_sheet(book, name, title)
    write(1, 0, ONE_TABLE)
    for line, other in enumerate(links, 2):
        _write_link(book, sheet, line, f"Go to {other}", other)
    first = 2 + len(links)
    _mark_up(sheet, first, name.lower(), list(header), len(rows))
    for position, (heading, width) in enumerate(zip(header, _WIDTHS[name], strict=True)):
        write(first, position, heading, bold=True, bottom=1, text_wrap=True)
        sheet.set_column(position, position, width)
        for line, row in enumerate(rows, first + 1):
            if name == CONTENTS and position == 0 and row[0] != NO_SHEET:
                _write_link(book, sheet, line, row[0], row[0])
            else:
                write(line, position, row[position], text_wrap=True, valign="top")


def _add_table(book: Workbook, name: str, entry: Entry, table: Safe, manifest: Mapping[str, Any]) -> None:
    sheet, write = _new_sheet(book, name, entry.title or name)
    above = [
        f"{ONE_TABLE} Kind of table: {table.shape.meaning}.",
        *_sentences(entry.headline),
        *_sentences(f"Definition: {entry.definition}" if entry.definition else ""),
        _source(entry, table, manifest),
        *explained(table, printed(table)[1]),
    ]
    for line, text in enumerate(above, 1):
        write(line, 0, text)
    links = (CONTENTS, NOTES, DEFINITIONS)
    for line, other in enumerate(links, len(above) + 1):
        _write_link(book, sheet, line, f"Go to {other}", other)
    first = 1 + len(above) + len(links)
    headings = headings_in_words(table)
    _mark_up(sheet, first, f"table_{entry.name}", headings, table.frame().height)
    sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})  # years are names
    write_rows(write, sheet, table, first, headings)


def _sentences(text: str) -> list[str]:
    """The sentences of a text, each for a row: a long text would run out of the window, or fill it in a narrow column.

    Examples
    --------
    >>> _sentences("Registered: attended + cancelled. Share: 92.6% of all, e.g. of Kent.")
    ['Registered: attended + cancelled.', 'Share: 92.6% of all, e.g. of Kent.']
    """
    return [sentence for sentence in re.split(r"(?<=[.?!])\s+(?=[“(]?[A-Z])", text.strip()) if sentence]


def _source(entry: Entry, table: Safe, manifest: Mapping[str, Any]) -> str:
    """Where the numbers of a table come from, and of which day they are."""
    what_if = entry.parameters.get("as_at")
    as_at = evaluation_day(what_if) if what_if else _day(manifest.get("as_at"))
    source = table.source or f"records of {manifest.get('board') or 'the board'}"
    return f"Source: {source}." + (f" As at {day_in_words(as_at)}." if as_at else "")


def _mark_up(sheet: Worksheet, line: int, name: str, headings: list[str], rows: int) -> None:
    """Mark cells up as a table, whose headings a screen reader says."""
    columns = [{"header": heading} for heading in headings]
    options = {"name": name, "columns": columns, "autofilter": False, "style": None, "banded_rows": False}
    if sheet.add_table(line, 0, line + rows, len(headings) - 1, options):
        raise ParameterError("a table is too long for the sheet of a workbook. Write it as CSV.")


def _write_link(book: Workbook, sheet: Worksheet, line: int, text: str, name: str) -> None:
    """Write a link to a sheet of the workbook."""
    place = name.replace("'", "''")
    sheet.write_url(line, 0, f"internal:'{place}'!A1", book.add_format({**_LINK, "valign": "top"}), text)


def _day(text: object) -> date | None:
    return date.fromisoformat(str(text)) if text else None


def _in_english(content: bytes) -> bytes:
    """The workbook with its language among its properties."""
    out = io.BytesIO()
    with ZipFile(io.BytesIO(content)) as archive, ZipFile(out, "w", ZIP_DEFLATED) as copy:
        for part in archive.infolist():
            text = archive.read(part)
            if part.filename == "docProps/core.xml":
                text = text.replace(b"</cp:coreProperties>", f"{_LANGUAGE}</cp:coreProperties>".encode())
            copy.writestr(part, text)
    return out.getvalue()
