"""The ballot of a board, to be handed out: a sheet to print, and workbooks to fill in.

Each copy lists the issues in an order of its own, because those at the top of a list are ranked better than they would
be elsewhere. How the ballots are counted is printed on them, since it is fixed before they are opened.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import textwrap
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from safeguarding_analytics import __version__
from safeguarding_analytics.board import Board
from safeguarding_analytics.errors import ParameterError, numbered, shorten
from safeguarding_analytics.sources.ballot_workbooks import (
    AGENCIES,
    AGENCY,
    COVERS,
    HANDED_OUT,
    ISSUE,
    LOCK,
    MARKER,
    MEMBER,
    PLACE,
    VERSION,
    is_blank_ballot,
)

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

SHEET = "ballot_sheet.html"
"""Name of the file to print."""

MOST_COPIES = 1000
MOST_ON_A_PAGE, MOST_LINES = 15, 20
"""Of more issues or lines, rows stand closer, and sheets have numbers, so that two pages of a ballot stay together."""

GENERATOR = f"{MARKER} {VERSION}"
"""What stands in a sheet to print, so that it is known as one of these."""

_OURS = re.compile(r"ballot(_\d+)?\.xlsx")
_NO_CLOCK = datetime(2000, 1, 1)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_ISSUE_WIDTH, _PLACE_WIDTH, _COVERS_WIDTH = 36, 30, 60
_LETTERS = 112
"""Widths of the columns of a workbook, and how many letters of a sentence stand in one line of all three."""

_INK, _BLUE, _TINT, _RULE = "#1f2933", "#12436d", "#f3f6f9", "#9aa5b1"


@dataclass(frozen=True)
class Ballot:
    """What stands on the ballots of a board.

    ``issues`` are pairs of an issue and what it covers (None where that is not said), ``agencies`` those a member may
    sit for (any where there are none), ``seats``, ``weight`` and ``unranked`` the rule as in `rank_priorities`.
    """

    board: str
    issues: tuple[tuple[str, str | None], ...]
    agencies: tuple[str, ...] = ()
    seats: int = 4
    weight: str = "member"
    unranked: str = "share"


class HandedOut(NamedTuple):
    """The files that were written, and workbooks of an earlier set, not filled in, that were taken away."""

    written: list[Path]
    removed: list[Path]


def ballot_of(board: Board) -> Ballot:
    """The ballot of a board: its issues, the agencies that are there in the end, and its rule.

    Parameters
    ----------
    board
        A board's folder.

    Raises
    ------
    ParameterError
        When there is no table of issues, fewer than two issues, or fewer issues than seats.
    TableError
        When a table breaks a rule.
    """
    if "issues" not in board.tables:
        raise ParameterError(
            f"{board.folder}: there is no table of issues. Write issues.csv with the columns issue and description, "
            "one row per issue that members are to rank."
        )
    rule = board.config.priorities
    issues = tuple(board.tables["issues"].select("issue", "description").iter_rows())
    if len(issues) < 2:
        raise ParameterError(f"{board.name_of('issues')}: a ballot needs at least 2 issues. Found: {len(issues)}.")
    if rule.seats > len(issues):
        raise ParameterError(
            f"board.toml: seats under [priorities] must be no more than the issues, {len(issues)}. "
            f"Found: {rule.seats}. Set it before the ballots are handed out: it is printed on them."
        )
    merged = board.mergers().successors
    listed = board.tables.or_empty("agencies")["agency"].unique().sort().to_list()
    agencies = tuple(agency for agency in listed if agency not in merged)
    return Ballot(board.config.board.name, issues, agencies, rule.seats, rule.weight, rule.unranked)


def tell_voter(ballot: Ballot) -> list[str]:
    r"""How ballots are counted, in sentences that a member can follow and redo with a pencil.

    Parameters
    ----------
    ballot
        The ballot.

    Examples
    --------
    >>> print("\n".join(tell_voter(Ballot("Ours", (("Neglect", None), ("Bullying", None)), seats=1))))
    An issue scores one for each issue you put it above, and loses one for each issue you put it below.
    Issues in the same place score nothing against each other.
    Issues you leave blank count as tied with each other, below all those you ranked.
    The scores of all ballots are added up, and every member counts the same.
    The issue with the highest score becomes the priority of the board.
    """
    blank = {
        "share": "Issues you leave blank count as tied with each other, below all those you ranked.",
        "ignore": "Issues you leave blank are not compared: they neither score nor lose on your ballot.",
    }
    weight = {
        "member": "The scores of all ballots are added up, and every member counts the same.",
        "agency": "The scores of all ballots are added up, and every agency counts the same, shared by its members.",
    }
    chosen = (
        "The issue with the highest score becomes the priority of the board."
        if ballot.seats == 1
        else f"The {ballot.seats} issues with the highest scores become the priorities of the board."
    )
    return [
        "An issue scores one for each issue you put it above, and loses one for each issue you put it below.",
        "Issues in the same place score nothing against each other.",
        blank[ballot.unranked],
        weight[ballot.weight],
        chosen,
    ]


def say_handed_out(board: Board, folder: Path, made: HandedOut) -> str:
    """What was written, and what to do with it.

    Parameters
    ----------
    board
        The board.
    folder
        Its folder, as it is to be named.
    made
        What `write_ballots` gave.
    """
    sheet, first, last = made.written[0], made.written[1].name, made.written[-1].name
    second = "ballots" in board.tables and not board.config.ballots_export.files
    removed = f"Took away {numbered(len(made.removed), 'ballot')} of an earlier set, not filled in.\n"
    return f"""Wrote {numbered(len(made.written) - 1, "ballot")} to {sheet.parent}
- {sheet.name}: to print. Open it in a browser: {sheet.resolve().as_uri()}
- {first}{f" to {last}" if last != first else ""}: to fill in on a computer, one for each member
{removed if made.removed else ""}The rule is printed on them: leave [priorities] in board.toml as it is from now on.
Next:
1. Give each member one ballot and a code. Type ballots on paper into a workbook each.
2. Put the filled workbooks into {folder / "ballots"}
3. Set in {folder / "board.toml"}{", and take the file of ballots out of the folder" if second else ""}:
   [ballots_export]
   files = ["ballots/*.xlsx"]
   format = "sheets"
4. safeguarding key {folder}  (once, if there is no key)
   safeguarding check {folder}"""


def shuffled_orders(ballot: Ballot, copies: int, seed: int) -> list[list[tuple[str, str | None]]]:
    """The issues in the order of each copy.

    Parameters
    ----------
    ballot
        The ballot.
    copies
        How many, 1 to 1,000.
    seed
        Start of the random numbers, 0 or more: the same seed gives the same orders, and more copies begin with them.

    Raises
    ------
    ParameterError
        When a parameter is out of its range.

    Examples
    --------
    >>> ballot = Ballot("Ours", (("Neglect", None), ("Bullying", "In school"), ("Self-harm", None)))
    >>> [sorted(order) == sorted(ballot.issues) for order in shuffled_orders(ballot, 2, seed=1)]
    [True, True]
    """
    if not 1 <= copies <= MOST_COPIES:
        raise ParameterError(f"copies must be 1 to {MOST_COPIES:,}. Found: {copies:,}.")
    if seed < 0:
        raise ParameterError(f"seed must be 0 or more. Found: {seed}.")
    generator = Random(seed)
    issues = sorted(ballot.issues, key=lambda issue: issue[0])
    return [generator.sample(issues, len(issues)) for _ in range(copies)]


def write_ballots(ballot: Ballot, folder: Path, *, copies: int = 1, seed: int = 20150925) -> HandedOut:
    """Write the sheet to print, with one ballot per copy, and as many workbooks with the same orders.

    Parameters
    ----------
    ballot
        The ballot.
    folder
        Where to put them; made if it does not exist.
    copies
        How many: one makes `ballot.xlsx`, more make `ballot_01.xlsx` and so on.
    seed
        Start of the random numbers that shuffle the issues.

    Returns
    -------
    HandedOut
        The files written, and those of an earlier set that were taken away.

    Raises
    ------
    ParameterError
        When a parameter is out of its range, or a file of that name stands there that is no ballot of this kind, or one
        that somebody has begun to fill in. Nothing is written or taken away then.

    Notes
    -----
    The files are a set: ballots of an earlier one that are not filled in are replaced, and taken away where there are
    fewer now, so that none is handed out with issues or a rule that have changed. Other files stay as they are. All are
    written beside the folder, then moved into it. The same ballot, copies and seed give the same bytes.
    """
    contents = _contents(ballot, shuffled_orders(ballot, copies, seed))
    earlier = _earlier(folder, list(contents))
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        beside.mkdir(parents=True)
        for name, content in contents.items():
            (beside / name).write_bytes(content)
        folder.mkdir(exist_ok=True)
        for name in contents:
            os.replace(beside / name, folder / name)
        stale = [path for path in earlier if path.name not in contents]
        for path in stale:
            path.unlink()
    except PermissionError:
        raise ParameterError(
            f"{folder}: a file cannot be written there. Close its files in other programs, or name another folder."
        ) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return HandedOut([folder / name for name in contents], stale)


def _contents(ballot: Ballot, orders: Sequence[Sequence[tuple[str, str | None]]]) -> dict[str, bytes]:
    """The bytes of each file, by name."""
    digits = max(2, len(str(len(orders))))
    names = [f"ballot_{number:0{digits}}.xlsx" for number in range(1, len(orders) + 1)]
    workbooks = zip(names if len(orders) > 1 else ["ballot.xlsx"], orders, strict=True)
    return {SHEET: sheet_html(ballot, orders).encode()} | {
        name: workbook_bytes(ballot, order) for name, order in workbooks
    }


def _earlier(folder: Path, names: Sequence[str]) -> list[Path]:
    """Files of an earlier set; raises where one of them, or of the names, may not be replaced."""
    if not folder.exists():
        return []
    if not folder.is_dir():
        raise ParameterError(f"{folder}: this is a file, not a folder. Name a folder with --out.")
    found = sorted(path for path in folder.iterdir() if path.name in names or _OURS.fullmatch(path.name))
    open_now = [path.name for path in found if path.with_name(f"{LOCK}{path.name}").exists()]
    kept = [path.name for path in found if not _may_go(path) and path.name not in open_now]
    if kept or open_now:
        why = [f"{shorten(kept)}: filled in, or no ballot of this kind"] if kept else []
        why += [f"{shorten(open_now)}: open in a program"] if open_now else []
        count = numbered(len(kept) + len(open_now), "file")
        raise ParameterError(
            f"{folder} holds {count} that may not be replaced ({'; '.join(why)}). "
            "Nothing was written. Move them where ballots are collected, or name another folder with --out."
        )
    return found


def _may_go(path: Path) -> bool:
    """Whether nothing is lost with a file: a sheet to print of this kind, or a ballot that is not filled in."""
    if path.name == SHEET:
        return path.is_file() and GENERATOR.encode() in path.read_bytes()[:2000]
    return is_blank_ballot(path)


def sheet_html(ballot: Ballot, orders: Sequence[Sequence[tuple[str, str | None]]]) -> str:
    """The page to print: one ballot per order, each on a sheet of A4 of its own.

    Parameters
    ----------
    ballot
        The ballot.
    orders
        The issues in the order of each copy.

    Returns
    -------
    str
        HTML that needs nothing from outside, and has no script.
    """
    from jinja2 import Environment

    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_PAGE)
    digest = b64encode(sha256(_STYLE.encode()).digest()).decode()
    return page.render(
        ballot=ballot,
        orders=orders,
        question=_question(ballot),
        rule=" ".join(tell_voter(ballot)),
        dense=_is_long(ballot),
        described=_described(ballot),
        style=_STYLE,
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        made_by=(GENERATOR, __version__),
        words=(MEMBER, AGENCY, PLACE, ISSUE, COVERS),
    )


def _described(ballot: Ballot) -> bool:
    return any(covers for _, covers in ballot.issues)


def _is_long(ballot: Ballot) -> bool:
    lines = [
        max(len(textwrap.wrap(issue, 26)), len(textwrap.wrap(covers or "", 46))) for issue, covers in ballot.issues
    ]
    return len(lines) > MOST_ON_A_PAGE or sum(lines) > MOST_LINES


def _question(ballot: Ballot) -> str:
    if ballot.seats == 1:
        return "Which issue should be the priority of the board?"
    return f"Which {ballot.seats} issues should be the priorities of the board?"


_STYLE = """
@page { size: A4; margin: 11mm 15mm; }
* { box-sizing: border-box; margin: 0; }
body { color: #1f2933; font: 12pt/1.3 "Helvetica Neue", Arial, "Liberation Sans", sans-serif; }
.screen, article { max-width: 190mm; margin: 0 auto; padding: 8mm 5mm; overflow-wrap: break-word; }
h1, h2 { color: #12436d; font-size: 18pt; line-height: 1.15; margin-bottom: 2mm; }
.board { font-weight: bold; color: #52606d; margin-bottom: 1mm; }
.who { display: flex; gap: 8mm; margin: 4mm 0 3.5mm; }
.who p { display: flex; align-items: center; gap: 2.5mm; flex: 1.7; font-weight: bold; white-space: nowrap; }
.who p:first-child { flex: 1; }
.who span, .box { flex: 1; display: block; height: 9mm; border: 1pt solid #1f2933; border-radius: 1mm; }
.how { padding-left: 5mm; margin-bottom: 3mm; }
table { width: 100%; border-collapse: collapse; }
tr, .counted { break-inside: avoid; }
th, td { padding: 1mm 3mm 1mm 0; text-align: left; vertical-align: middle; border-bottom: 0.5pt solid #9aa5b1; }
thead th { font-size: 11pt; color: #12436d; border-bottom: 1.25pt solid #12436d; vertical-align: bottom; }
tbody th { width: 58mm; }
tbody td { font-size: 11.5pt; line-height: 1.22; }
.plain tbody th { width: auto; }
th:first-child, td:first-child { width: 21mm; padding-left: 1mm; }
.box { width: 16mm; }
.counted { margin-top: 3.5mm; padding: 2mm 3.5mm; border-left: 1.5mm solid #12436d; font-size: 11pt; }
.number { float: right; font-weight: normal; color: #52606d; }
.dense tbody th, .dense tbody td { font-size: 11pt; line-height: 1.15; padding: 0.6mm 3mm 0.6mm 0; }
.dense tbody th { width: 50mm; }
.dense .box { height: 8mm; margin-left: 1mm; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media print {
  .screen { display: none; }
  article { max-width: none; padding: 0; }
  article + article { break-before: page; }
}
"""

_PAGE = """<!DOCTYPE html>
<html lang="en-GB"><head>
<meta charset="utf-8">
<meta name="generator" content="{{ made_by[0] }}">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<meta name="viewport" content="width=device-width">
<title>Ballot – {{ ballot.board }}</title>
<style>{{ style | safe }}</style>
</head>
<body><header class="screen">
<h1>{{ "1 ballot" if orders | length == 1 else (orders | length) ~ " ballots" }} to print</h1>
<p>Print this page on A4, at 100%, on one side of the paper, and without the browser's own header and footer. This
paragraph is not printed.{% if orders | length > 1 %} Each ballot lists the issues in an order of its own, drawn at
random, so that none gains by its place on the list.{% endif %} Made with safeguarding_analytics {{ made_by[1] }}.</p>
</header><main>
{% for order in orders %}
{% set copy = loop.index %}
{% set number %}{% if dense %}<span class="number">Sheet {{ copy }}</span>{% endif %}{% endset %}
<article{% if dense %} class="dense"{% endif %} aria-labelledby="ballot-{{ copy }}">
<p class="board">{{ ballot.board }}</p>
<h2 id="ballot-{{ copy }}"><span class="hidden">Ballot {{ copy }}: </span>{{ question }}</h2>
<div class="who"><p>{{ words[0] }} <span></span></p><p>{{ words[1] }} <span></span></p></div>
<ul class="how">
<li><strong>Write 1 beside the most important issue</strong>, 2 beside the next, and so on.</li>
<li>You may leave issues blank, and give two issues the same place.</li>
<li>The issues stand in an order drawn at random, which says nothing about them.</li>
</ul>
<table{% if not described %} class="plain"{% endif %}>
<thead><tr><th scope="col">{{ words[2] }}</th>
<th scope="col">{{ words[3] }}{{ "" if described else number }}</th>
{% if described %}<th scope="col">{{ words[4] }}{{ number }}</th>{% endif %}
</tr></thead><tbody>
{% for issue, covers in order %}
<tr><td><span class="box"></span></td>
<th scope="row">{{ issue }}</th>
{% if described %}<td>{{ covers or "" }}</td>{% endif %}
</tr>
{% endfor %}
</tbody></table>
<p class="counted"><strong>How it is counted</strong>, fixed before any ballot is opened: {{ rule }}</p>
</article>
{% endfor %}
</main></body></html>
"""


def workbook_bytes(ballot: Ballot, order: Sequence[tuple[str, str | None]]) -> bytes:
    """A workbook in which one member fills in their ballot.

    Parameters
    ----------
    ballot
        The ballot.
    order
        The issues in the order of this copy.

    Returns
    -------
    bytes
        An XLSX file. Only the code, the agency and the places can be filled in, as long as the sheet is protected (it
        has no password); a place is a whole number, an agency one of the list. A hidden sheet holds the mark, the
        agencies, and the issues in this order.
    """
    from xlsxwriter import Workbook

    content = io.BytesIO()
    with Workbook(content, {"in_memory": True}) as book:
        title = f"Ballot: {ballot.board}"
        book.set_properties({"title": title, "subject": _question(ballot), "created": _NO_CLOCK})
        book.set_custom_property(MARKER, VERSION)
        sheet, lists = book.add_worksheet("Ballot"), book.add_worksheet("Lists")
        _fill_lists(book, lists, ballot, order)
        _fill_ballot(book, sheet, ballot, order)
        _set_up_page(sheet, ballot)
    return content.getvalue()


def _fill_lists(book: Workbook, sheet: Worksheet, ballot: Ballot, order: Sequence[tuple[str, str | None]]) -> None:
    """The hidden sheet: the mark, and below it what the validation and the reader need."""
    pen = _Pen(book, sheet)
    pen.write(0, 0, MARKER)
    sheet.write_number(0, 1, VERSION)
    for column, texts in enumerate(([AGENCIES, *ballot.agencies], [HANDED_OUT, *(issue for issue, _ in order)])):
        for line, text in enumerate(texts, 1):
            pen.write(line, column, text)
    sheet.protect()
    sheet.hide()


def _fill_ballot(book: Workbook, sheet: Worksheet, ballot: Ballot, order: Sequence[tuple[str, str | None]]) -> None:
    """The sheet that a member sees."""
    pen = _Pen(book, sheet)
    for column, width in enumerate((_ISSUE_WIDTH, _PLACE_WIDTH, _COVERS_WIDTH)):
        sheet.set_column(column, column, width)
    line = _write_sentences(pen, sheet, ballot)
    cell: dict[str, Any] = {"unlocked": True, "border": 1, "border_color": _INK, "text_wrap": True, "num_format": "@"}
    for label in (MEMBER, AGENCY):
        sheet.set_row(line, 32)
        pen.write(line, 0, label, bold=True)
        pen.write(line, 1, "", **cell)
        line += 1
    member, agency, checked, header = line - 2, line - 1, line + 1, line + 3
    _ask_who(sheet, member, agency, len(ballot.agencies))
    first, last = header + 1, header + len(order)
    formula = f'=COUNT(B{first + 1}:B{last + 1})&" of {len(order)} issues ranked"'
    sheet.write_formula(checked, 0, formula, pen.style(bold=True, font_color=_BLUE), f"0 of {len(order)} issues ranked")
    head: dict[str, Any] = {"bold": True, "font_color": _BLUE, "bottom": 2, "bottom_color": _BLUE}
    pen.write(header, 0, ISSUE, **head)
    pen.write(header, 1, PLACE, **head, align="center")
    pen.write(header, 2, COVERS if _described(ballot) else "", **head)
    for row, (issue, covers) in enumerate(order, first):
        lines = max(len(textwrap.wrap(issue, 31)), len(textwrap.wrap(covers or "", 56)), 1)
        sheet.set_row(row, min(15 * lines + 9, 400))
        below: dict[str, Any] = {"bottom": 1, "bottom_color": _RULE, "text_wrap": True}
        pen.write(row, 0, issue, **below, bold=True)
        place: dict[str, Any] = {
            "unlocked": True,
            "border": 1,
            "border_color": _INK,
            "align": "center",
            "font_size": 12,
        }
        sheet.write_blank(row, 1, None, pen.style(**place))
        pen.write(row, 2, covers or "", **below)
    _ask_places(sheet, first, last)
    sheet.repeat_rows(header)
    sheet.print_area(0, 0, last, 2)
    # Screen readers say the heading and the issue of each cell of such a region.
    book.define_name(f"TitleRegion1.A{header + 1}.C{last + 1}.1", f"=Ballot!$A${header + 1}:$C${last + 1}")
    sheet.protect("", {"format_columns": True, "format_rows": True})
    sheet.set_selection(member, 1, member, 1)


def _write_sentences(pen: _Pen, sheet: Worksheet, ballot: Ballot) -> int:
    """What stands above the cells to fill in; the number of the first row below it."""
    wrapped = [*textwrap.wrap(f"{ballot.board}", 70), *textwrap.wrap(_question(ballot), 70)]
    for line, text in enumerate(wrapped):
        sheet.set_row(line, 24)
        pen.write(line, 0, text, bold=True, font_size=16, font_color=_BLUE)
    sentences = [
        f"In the column {PLACE}, write 1 beside the most important issue, 2 beside the next, and so on.",
        "You may leave issues blank, and give two issues the same place.",
        "The issues stand in an order drawn at random, which says nothing about them.",
        "",
        f"How it is counted, fixed before any ballot is opened: {' '.join(tell_voter(ballot))}",
        "",
    ]
    lines = [each for sentence in sentences for each in textwrap.wrap(sentence, _LETTERS) or [""]]
    for line, text in enumerate(lines, len(wrapped)):
        pen.write(line, 0, text)
    return len(wrapped) + len(lines)


def _ask_who(sheet: Worksheet, member: int, agency: int, agencies: int) -> None:
    """Say what belongs into the cells about the member, and offer the agencies."""
    asked = {"validate": "any", "input_title": MEMBER, "input_message": "The code you were given with this ballot."}
    sheet.data_validation(f"B{member + 1}", asked)
    choice = {
        "validate": "list",
        "source": f"=Lists!$A$3:$A${agencies + 2}",  # a list of its own may have 255 letters at most
        "input_title": AGENCY,
        "input_message": "Choose from the list: press Alt and the down arrow, or the button on the right.",
        "error_title": "Not an agency of the board",
        "error_message": "Choose the agency you sit for from the list, or leave the cell empty.",
    }
    if agencies:
        sheet.data_validation(f"B{agency + 1}", choice)


def _ask_places(sheet: Worksheet, first: int, last: int) -> None:
    """Allow whole numbers up to the number of issues, and say so."""
    most = last - first + 1
    place = {
        "validate": "integer",
        "criteria": "between",
        "minimum": 1,
        "maximum": most,
        "input_title": PLACE,
        "input_message": f"1 = most important, up to {most}. Leave it empty if you do not rank this issue.",
        "error_title": "Not a place",
        "error_message": f"Write a whole number from 1 to {most}, or leave the cell empty. Issues may share a place.",
    }
    sheet.data_validation(f"B{first + 1}:B{last + 1}", place)


def _set_up_page(sheet: Worksheet, ballot: Ballot) -> None:
    """A4, as wide as one page."""
    sheet.set_paper(9)
    sheet.set_portrait()
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.5, right=0.5, top=0.5, bottom=0.7)
    sheet.hide_gridlines(2)
    board = textwrap.shorten(ballot.board, 100, placeholder="…").replace("&", "&&")
    sheet.set_footer(f"&L{board}&RPage &P of &N")


class _Pen:
    """Writes texts as text: never as a number, a link or a formula."""

    def __init__(self, book: Workbook, sheet: Worksheet) -> None:
        self._sheet = sheet
        self._format = cache(lambda **options: book.add_format(options))

    def style(self, *, unlocked: bool = False, **options: Any) -> Any:
        """A format; the same options give the same one."""
        font: dict[str, Any] = {"font_name": "Arial", "font_size": 11, "valign": "vcenter"}
        return self._format(**{**font, "locked": not unlocked, **options})

    def write(self, line: int, column: int, text: str, **options: Any) -> None:
        """Write a text, or an empty cell."""
        if not text:
            self._sheet.write_blank(line, column, None, self.style(**options))
            return
        # Marked as text: else a spreadsheet takes it for a formula as soon as someone edits the cell.
        quoted: dict[str, Any] = {"quote_prefix": True} if text.startswith(_FORMULA) else {}
        if self._sheet.write_string(line, column, text, self.style(**options, **quoted)):
            raise ParameterError("a text is too long for the cell of a workbook: 32,767 letters at most. Shorten it.")
