"""Workbooks in which members fill in their ballot → places by issue, and what is wrong with them.

A ballot is found by its headings wherever it stands in the workbook, and known by a mark that stands in it twice: as a
property of the document and on a hidden sheet, since programs keep the one or the other. The hidden sheet also holds
the issues in the order in which they were handed out. No member code is ever shown in a message.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile, ZipFile

import polars as pl

from safeguarding_analytics.contracts import LONELY, NOT_SHOWN, WORDY, no_problems
from safeguarding_analytics.errors import TableError, nearest, numbered, shorten
from safeguarding_analytics.sources.ballot_cells import IssueNames, issue_names, place_of
from safeguarding_analytics.sources.ballot_rows import BallotFile, ballot_papers, ballot_rows, report_rows
from safeguarding_analytics.sources.export_dates import on_the_clock
from safeguarding_analytics.sources.files import digest_of, plain_name, read_content, read_sheet, tidy
from safeguarding_analytics.sources.worksheets import say_rows

MARKER, VERSION = "safeguarding_ballot", 1
"""Name of the property, first cell of the hidden sheet; and the number that stands with it."""

ISSUE, PLACE, COVERS = "Issue", "Your place", "What it covers"
"""Headings of the ballot."""

MEMBER, AGENCY = "Member code", "Agency"
"""Labels of the cells right of which a member says who the ballot is of."""

AGENCIES, HANDED_OUT = "Agencies", "Issues as handed out"
"""Headings of the hidden sheet, in its second row."""

LOCK = "~$"
"""How the name of the file begins that Excel keeps beside a workbook as long as it is open."""

_ENCRYPTED = b"\xd0\xcf\x11\xe0"
_TIMES = {name: re.compile(rb"<(?:\w+:)?%s\b[^>]*>([^<]+)<" % name.encode()) for name in ("created", "modified")}
_BROKEN = (BadZipFile, KeyError, EOFError, OSError, NotImplementedError, RuntimeError)
_LONGEST = 3
"""Letters of a cell that stands where a place should be: more could be a name."""


class Line(NamedTuple):
    """A row of the ballot: its number in the sheet, and the text of its issue and of its place."""

    row: int
    issue: str | None
    place: str | None


@dataclass(frozen=True)
class Paper:
    """The ballot in a workbook as it stands there, before anything of it is checked.

    ``header`` is the number of its header row, None where no sheet has the headings, ``handed_out`` the issues in the
    order in which they were handed out (empty where that is lost), ``version`` the number with the mark (None where the
    mark is lost), ``filled`` how many sheets hold the headings and a place.
    """

    header: int | None = None
    member: str | None = None
    agency: str | None = None
    lines: tuple[Line, ...] = ()
    handed_out: tuple[str, ...] = ()
    version: str | None = None
    filled: int = 0

    @property
    def blank(self) -> bool:
        """Whether nobody has filled in anything."""
        return not (self.member or self.agency or any(line.place for line in self.lines))


@dataclass
class _Report:
    """What is wrong with one file, and what was taken for granted."""

    file: str
    problems: list[pl.DataFrame] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def refuse(self, rule: str, column: str | None = None, found: Sequence[tuple[int | None, str | None]] = ()) -> None:
        """Add a broken rule, with the rows that break it and what stands there."""
        self.problems.append(report_rows(self.file, column, rule, found or [(None, None)]))

    def ballot(
        self,
        digest: str,
        height: int = 0,
        papers: Sequence[Sequence[object]] = (),
        rows: Sequence[Sequence[object]] = (),
    ) -> BallotFile:
        """The file as read."""
        problems = pl.concat([no_problems(), *self.problems])
        read = ballot_papers(papers).with_columns(on_the_clock(pl.col("submitted")).alias("submitted"))
        return BallotFile(ballot_rows(rows), read, problems, tuple(self.notes), digest, height)


def is_ballot_workbook(path: Path) -> bool:
    """Whether a file is a workbook that was handed out as a ballot, filled in or not.

    Parameters
    ----------
    path
        Any file. One that has a password, is open in Excel (its name begins with ``~$``) or cannot be opened is none.
    """
    paper = _paper_in(path)
    return paper is not None and paper.version is not None


def is_blank_ballot(path: Path) -> bool:
    """Whether a file is a ballot in which nothing is filled in, so that nothing is lost with it.

    Parameters
    ----------
    path
        Any file.
    """
    paper = _paper_in(path)
    return paper is not None and paper.version is not None and paper.header is not None and paper.blank


def read_ballot_workbook(path: Path, issues: Sequence[str] | IssueNames, agencies: Sequence[str]) -> BallotFile:
    """Read a ballot that a member filled in.

    Parameters
    ----------
    path
        A workbook that `write_ballots` wrote; it may have been saved by any program, renamed, sorted, or moved on its
        sheet.
    issues
        The issues of the board, or those with the words for them.
    agencies
        Agencies that may stand on a ballot; any may where there are none.

    Returns
    -------
    BallotFile
        One row per issue ranked, sorted by row, none where the agency is refused; one paper, unless nothing at all is
        filled in or the file is refused.
        ``submitted`` is when the workbook was last saved by a program, null where none did. People and all,
        so not to be published.

    Raises
    ------
    TableError
        When there is no such file, or nothing in it. Whatever else is wrong is in ``problems``, all at once.

    Notes
    -----
    A place is a whole number from 1 to the number of issues, also written "1=" or "1.0"; an empty cell is an issue that
    is not ranked, and so is one whose row was deleted. Places may be shared and left out. Larger numbers are refused,
    although only the order counts: the cells allow none, so that it is a slip. A ballot with other issues than the
    board's is refused as a whole. Whether two ballots of one member may stand is not decided here.
    """
    report = _Report(path.name)
    names = issues if isinstance(issues, IssueNames) else issue_names(issues, {})
    if path.name.startswith(LOCK):
        report.notes.append("a ballot is open in a program, which keeps this file beside it; it was left out")
        return report.ballot("")
    content = read_content(path)
    digest = digest_of(content)
    try:
        paper = _read_paper(content, path.name)
    except TableError:
        report.refuse(_why_not_opened(content))
        return report.ballot(digest)
    if not _usable(paper, names, report):
        return report.ballot(digest)
    agency = _agency_of(paper, agencies, report)
    ranked = _ranked(paper, names, report)
    _say_what_is_missing(paper, ranked, names, report)
    if paper.blank and not report.problems:
        return report.ballot(digest)
    agency_of = agency or paper.agency
    # Of a ballot whose agency is refused no place is given, so that nothing is said of it once more, row by row.
    counted = ranked if agency == agency_of else []
    rows = [(path.name, line.row, PLACE, paper.member, issue, place) for line, issue, place in counted]
    papers = [(path.name, paper.header, paper.member, agency_of, _saved(content))]
    return report.ballot(digest, len(paper.lines), papers, rows)


def _paper_in(path: Path) -> Paper | None:
    """The ballot in a file; None where it is no workbook that can be opened."""
    if path.suffix.lower() not in (".xlsx", ".xlsm") or path.name.startswith(LOCK) or not path.is_file():
        return None
    try:
        return _read_paper(read_content(path), path.name)
    except TableError:
        return None


def _read_paper(content: bytes, name: str) -> Paper:
    """Find the ballot on the sheets of a workbook: the first sheet with its headings and a place, or the first."""
    sheets = _sheets(content, name)
    marked = next((cells for cells in sheets if _has_mark(cells)), None)
    version = _first_number(marked[0][1:]) if marked else _property_of(content)
    handed_out = tuple(_column_below(marked, HANDED_OUT)) if marked else ()
    found = [paper for cells in sheets if cells is not marked and (paper := _paper_on(cells)) is not None]
    filled = [paper for paper in found if any(line.place for line in paper.lines)]
    paper = next(iter(filled or found), Paper())
    return Paper(paper.header, paper.member, paper.agency, paper.lines, handed_out, version, len(filled))


Cells = list[list[str | None]]


def _sheets(content: bytes, name: str) -> list[Cells]:
    """The cells of every sheet, from row 1 on."""
    first, names = read_sheet(content, name, None)
    frames = [first, *(read_sheet(content, name, each)[0] for each in names[1:])]
    return [[list(row) for row in tidy(frame).iter_rows()] if frame.width else [] for frame in frames]


def _has_mark(cells: Cells) -> bool:
    return bool(cells) and MARKER in cells[0]


def _first_number(cells: Sequence[str | None]) -> str:
    """The number beside the mark; "" where there is none."""
    return next((cell.removesuffix(".0") for cell in cells if cell), "")


def _property_of(content: bytes) -> str | None:
    """The number of the mark among the properties of the document; None where the mark is not there."""
    try:
        part = ZipFile(io.BytesIO(content)).read("docProps/custom.xml").decode("utf-8", errors="replace")
    except _BROKEN:
        return None
    found = re.search(rf'name="{MARKER}".*?<[^>]*>\s*([^<]*)<', part, re.DOTALL)
    return found.group(1).strip().removesuffix(".0") if found else None


def _column_below(cells: Cells, heading: str) -> list[str]:
    """What stands below a heading of the hidden sheet."""
    for number, row in enumerate(cells):
        if heading in row:
            place = row.index(heading)
            return [text for below in cells[number + 1 :] if (text := below[place])]
    return []


def _paper_on(cells: Cells) -> Paper | None:
    """The ballot on a sheet; None where no row holds its headings."""
    wanted = [plain_name(ISSUE), plain_name(PLACE)]
    for number, row in enumerate(cells):
        names = [plain_name(cell or "") for cell in row]
        if all(each in names for each in wanted):
            issue, place = (names.index(each) for each in wanted)
            lines = [Line(at, below[issue], below[place]) for at, below in enumerate(cells[number + 1 :], number + 2)]
            written = tuple(line for line in lines if line.issue or line.place)
            above = cells[:number]
            return Paper(number + 1, _right_of(above, MEMBER), _right_of(above, AGENCY), written)
    return None


def _right_of(cells: Cells, label: str) -> str | None:
    """What stands right of a label; whole numbers as they were typed."""
    for row in cells:
        names = [plain_name(cell or "") for cell in row]
        if plain_name(label) in names:
            found = next((cell for cell in row[names.index(plain_name(label)) + 1 :] if cell), None)
            return re.sub(r"^(\d+)\.0$", r"\1", found) if found else None
    return None


def _why_not_opened(content: bytes) -> str:
    if content.startswith(_ENCRYPTED):
        return (
            "the workbook has a password, or is of the kind before 2007. "
            "Open it, take the password away, and save it as a workbook (.xlsx)"
        )
    return "the file cannot be opened as a workbook (.xlsx). Ask for it again: it may not have arrived whole"


def _usable(paper: Paper, issues: IssueNames, report: _Report) -> bool:
    """Report a file that is no ballot of this board, or of which it is not known what to read."""
    if paper.version is not None and paper.version != str(VERSION):
        report.refuse(
            f"the ballot must be one of version {VERSION} for this program to read it. "
            "Use the version of the program that wrote it",
        )
    elif paper.header is None and paper.version is None:
        report.refuse(
            "the workbook must be a ballot that safeguarding ballots wrote: no sheet has its headings "
            f'"{ISSUE}" and "{PLACE}". Take it out of the folder of ballots'
        )
    elif paper.header is None:
        report.refuse(
            f'a row of the ballot must hold the headings "{ISSUE}" and "{PLACE}", and none does. '
            "Put them back above their columns"
        )
    elif paper.filled > 1:
        report.refuse(
            f"the workbook must hold one ballot: {paper.filled} of its sheets are filled in. "
            "Ask the member which one counts, and delete the others"
        )
    else:
        _refuse_other_issues(paper, issues, report)
    return not report.problems


def _refuse_other_issues(paper: Paper, issues: IssueNames, report: _Report) -> None:
    """Report a ballot on which other issues were handed out, or of whose issues most are not the board's."""
    if paper.handed_out:
        handed_out = set(map(issues.issue_of, paper.handed_out))
        others = [issue for issue in paper.handed_out if issues.issue_of(issue) is None]
        missing = [issue for issue in issues.issues if issue not in handed_out]
        if others or missing:
            what = [f"it lists {shorten(others)}, which the table issues lacks"] if others else []
            what += [f"it lacks {shorten(missing)}"] if missing else []
            report.refuse(
                f"the ballot must list the issues of this board: {'; '.join(what)}. If it is of another board, take it "
                "out; if the issues changed after it was handed out, hand out new ballots"
            )
        return
    if paper.version is None:
        report.notes.append("the mark of a ballot is lost from it, so that it was read by its headings")
    found = [line.issue for line in paper.lines if line.issue]
    if 2 * sum(issues.issue_of(issue) is not None for issue in found) < len(found):
        report.refuse(
            "the ballot must list the issues of this board, and most of its issues are not in the table issues"
        )


class _Agencies:
    """Agencies that are found whatever their case and spaces."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names: Mapping[str, str] = {plain_name(name): name for name in reversed(names)} | {n: n for n in names}
        self.listed = list(names)

    def find(self, text: str) -> str | None:
        """The name as listed, or None."""
        return self._names.get(text) or self._names.get(plain_name(text))

    def within(self, text: str) -> list[str]:
        """Names that stand in a text, without those that are only part of a longer one of them."""
        found = [name for name in self.listed if plain_name(name) in plain_name(text)]
        return [
            name for name in found if not any(name != each and plain_name(name) in plain_name(each) for each in found)
        ]


def _say_resembling(text: str, names: Sequence[str]) -> str:
    """A text that is none of these names, if it resembles one; else it may be somebody's name."""
    hint = nearest(text, names)
    return f'"{text}"{hint}' if hint else LONELY


def _agency_of(paper: Paper, agencies: Sequence[str], report: _Report) -> str | None:
    """The agency on a ballot, as the table of agencies spells it."""
    if paper.agency is None or not agencies:
        return paper.agency
    known = _Agencies(agencies)
    found = known.find(paper.agency)
    if found is None:
        several = known.within(paper.agency)
        if len(several) > 1:
            said, rule = ", ".join(f'"{name}"' for name in several), "one agency: the one the member votes for"
        else:
            said, rule = _say_resembling(paper.agency, agencies), "agency listed in the table agencies"
        report.refuse(rule, AGENCY, [(None, None if paper.agency == paper.member else said)])
    return found


def _ranked(paper: Paper, issues: IssueNames, report: _Report) -> list[tuple[Line, str, int]]:
    """Rows with a place: the issue and the place; whatever else stands there is reported."""
    ranked: list[tuple[Line, str, int]] = []
    nameless: list[tuple[int | None, str | None]] = []
    strange: list[tuple[int | None, str | None]] = []
    wrong: list[tuple[int | None, str | None]] = []
    beside: list[int] = []
    for line in paper.lines:
        issue = issues.issue_of(line.issue) if line.issue else None
        if line.place is None:
            beside += [line.row] if issue is None else []
            continue
        if issue is None:
            said = _say_resembling(line.issue, issues.issues) if line.issue else None
            (strange if line.issue else nameless).append((line.row, said))
        place = place_of(line.place, len(issues.issues))
        if place is None:
            wrong.append((line.row, _shown(line.place, paper)))
        elif issue is not None and (issue, place) not in [(each, at) for _, each, at in ranked]:
            ranked.append((line, issue, place))
    twice = _twice(ranked)
    for column, rule, found in (
        (
            PLACE,
            f"a whole number from 1 to {len(issues.issues)}, or nothing. Ask the member, and correct the cell",
            wrong,
        ),
        (ISSUE, "an issue listed in the table issues. Put its name back as it was handed out", strange),
        (ISSUE, "an issue beside every place. Put its name back, or delete the place", nameless),
        (ISSUE, "one row per issue. Ask the member which place counts, and delete the other row", twice),
    ):
        if found:
            report.refuse(rule, column, found)
    if beside:
        report.notes.append(f"{say_rows(beside)} below its header: no issue of the board and no place, and so left out")
    return ranked


def _shown(text: str, paper: Paper) -> str:
    """What a report says of a cell that is no place: never who the ballot is of, nor what could be a name."""
    if paper.member and paper.member.casefold() in text.casefold():
        return NOT_SHOWN
    return WORDY if sum(letter.isalpha() for letter in text) > _LONGEST else f'"{text[:20]}"'


def _twice(ranked: Sequence[tuple[Line, str, int]]) -> list[tuple[int | None, str | None]]:
    """Rows of issues that stand on the ballot more than once, with different places."""
    places: dict[str, set[int]] = {}
    for _, issue, place in ranked:
        places.setdefault(issue, set()).add(place)
    return [(line.row, f'"{issue}"') for line, issue, _ in ranked if len(places[issue]) > 1]


def _say_what_is_missing(
    paper: Paper, ranked: Sequence[tuple[Line, str, int]], names: IssueNames, report: _Report
) -> None:
    """Note what a ballot leaves open, and whether it may be no order of the member's own."""
    on_paper = {names.issue_of(line.issue) for line in paper.lines if line.issue}
    gone = [issue for issue in paper.handed_out if names.issue_of(issue) not in on_paper]
    if gone:
        what = "has no row in it any more and counts" if len(gone) == 1 else "have no row in it any more and count"
        report.notes.append(f"{numbered(len(gone), 'issue')} {what} as not ranked: {shorten(gone)}")
    if paper.blank:
        report.notes.append("nothing is filled in, so that it is no ballot")
    elif not ranked:
        report.notes.append("no issue is ranked in it")
    if not paper.blank and paper.member is None:
        report.notes.append("it has no member code, so that it counts as anonymous")
    order = {names.issue_of(issue): place for place, issue in enumerate(paper.handed_out, start=1)}
    places = [(order.get(issue), place) for _, issue, place in ranked]
    if len(places) == len(order) > 2 and all(handed_out == place for handed_out, place in places):
        report.notes.append(
            "its places run 1, 2, 3 … in the order in which the issues were handed out. Ask the member whether "
            "that is meant"
        )


def _saved(content: bytes) -> int | None:
    """When a program last saved the workbook, in seconds since 1970; None where that is not known, or none has."""
    try:
        part = ZipFile(io.BytesIO(content)).read("docProps/core.xml")
        times = {name: found.group(1) for name, pattern in _TIMES.items() if (found := pattern.search(part))}
        if "modified" not in times or times["modified"] == times.get("created"):
            return None
        saved = datetime.fromisoformat(times["modified"].decode().strip())
    except (*_BROKEN, ValueError):
        return None
    return int((saved if saved.tzinfo else saved.replace(tzinfo=UTC)).timestamp())
