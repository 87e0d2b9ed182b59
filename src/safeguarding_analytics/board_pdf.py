"""The board pack as one PDF: its pages taken apart, and set again on paper.

Every number of the PDF is one that stands on a page of the pack. The parts of the pages are handed to the template as
data, so that no text of theirs is ever read as markup.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from unicodedata import category

from safeguarding_analytics import __version__
from safeguarding_analytics.dates import day_in_words
from safeguarding_analytics.errors import SafeguardingError
from safeguarding_analytics.page_parts import (
    ACROSS,
    BETWEEN_COLUMNS,
    MOST_UPRIGHT,
    WIDEST,
    Block,
    blocks_of,
)
from safeguarding_analytics.pages import PROTECTION, TEMPLATES

BOARD_PDF = "board_pack.pdf"
"""Name of the file in the folder of the pack."""

TITLE = "Safeguarding figures"
FONTS = TEMPLATES / "fonts"
"""Arimo, which is as wide as the Arial that the charts are drawn for; so no font of the machine is needed."""

MOST_ROWS, FIRST_ROWS = 100, 40
"""A table of more rows than the first number, which would fill pages that nobody reads, has this many of them."""

CLOSER = 6.0
"""Points between two columns of a table whose words have no room otherwise."""

_WIDTHS = {
    each: width
    for letters, width in (
        ("ijlI.,;:'|!", 0.34),
        ("frt()[]-/", 0.39),
        ("aceksvxyz0123456789", 0.56),
        ("w", 0.78),
        ("mMW%@", 0.95),
    )
    for each in letters
}
_WIDTH, _CAPITAL, _PLAIN = 0.62, 0.74, 0.94  # of other letters, as parts of their height; where they are not bold

NO_GLYPH = "?"
"""Stands for a character that the font does not have."""


@dataclass(frozen=True)
class Chapter:
    """A page of the pack.

    Parameters
    ----------
    title, question, headline
        As the contents of the pack have them.
    html
        The page, as `pages.page_html` made it.
    """

    title: str
    question: str
    headline: str
    html: str


def pack_pdf(chapters: Sequence[Chapter], *, board: str, made_on: date, notes: Sequence[str] = ()) -> bytes:
    """The pages of a pack as one PDF, with a cover, contents and page numbers.

    Parameters
    ----------
    chapters
        The pages, in the order of the pack.
    board
        Name of the board.
    made_on
        Day of the report; the PDF says that it was made on that day, at midnight.
    notes
        Sentences about the data, for the cover.

    Returns
    -------
    bytes
        A PDF/UA-1 file. The same pages give the same bytes.

    Raises
    ------
    SafeguardingError
        When the PDF cannot be made.

    Notes
    -----
    Charts are the pictures of the pages, with their descriptions as alternative texts and the same numbers: the third
    figure of the second page is "Figure 2.3". Tables repeat their headings on every page; those of more than twelve
    columns lie across. Of a table of more than a hundred rows the first forty are printed, and a sentence under them
    says how many there are and where all of them stand: on the page of the pack and in the workbook of the release. A
    character that the font does not have is printed as "?".
    """
    blocks = [_for_paper(blocks_of(each.html), each.title) for each in chapters]
    parts = [{"title": each.title, "blocks": shown} for each, shown in zip(chapters, blocks, strict=True)]
    figures = sum(block["block"] == "chart" for shown in blocks for block in shown)
    answers = [
        {"number": number, "title": each.title, "question": each.question, "headline": each.headline}
        for number, each in enumerate(chapters, 1)
    ]
    pack = {
        "title": TITLE,
        "board": board,
        "notes": [f"Made on {day_in_words(made_on)}.", *notes],
        "made_with": f"Made with safeguarding_analytics {__version__}.",
        "protection": PROTECTION,
        "answers": answers,
        "chapters": parts,
        "figures": figures,
    }
    return _compiled(_printable(pack), datetime(made_on.year, made_on.month, made_on.day, tzinfo=UTC))


def _for_paper(blocks: Sequence[Block], title: str) -> list[Block]:
    """The blocks of a page without the later rows of very long tables, and with room for the words of every column."""
    placed: list[Block] = []
    for block in blocks:
        if block["block"] == "list":
            placed.append({**block, "entries": [_for_paper(entry, title) for entry in block["entries"]]})
            continue
        if block["block"] != "table":
            placed.append(block)
            continue
        rows = len(block["body"])
        placed.append({**_spread(block), "body": block["body"][:FIRST_ROWS] if rows > MOST_ROWS else block["body"]})
        if rows > MOST_ROWS:
            placed.append(_rows_left_out(rows, title))
    return placed


def _rows_left_out(rows: int, title: str) -> Block:
    """The sentence under a table that is printed in part."""
    said = (
        f"These are the first {FIRST_ROWS} of {rows:,} rows. All {rows:,} are on the page “{title}” of the board pack, "
        "and in the workbook and the CSV files of the release."
    )
    return {"block": "paragraph", "kind": "note", "runs": [{"text": said}]}


def _spread(table: Block) -> Block:
    """A table that shares the width of the page, with no column narrower than its longest word.

    What is left is shared as it was to be. Where there is not even room for the words, they are broken.
    """
    shares, columns = table["shares"], table["columns"]
    if not shares:
        return {**table, "gap": BETWEEN_COLUMNS, "crowded": False}
    least, page = _longest_words(table), ACROSS if columns > MOST_UPRIGHT else WIDEST
    for gap in (BETWEEN_COLUMNS, CLOSER):
        room = page - gap * (columns - 1)
        more = [room * share / sum(shares) - word for share, word in zip(shares, least, strict=True)]
        if all(one >= 0 for one in more):
            return {**table, "gap": gap, "crowded": False}
        left, wanted = room - sum(least), sum(one for one in more if one > 0)
        if left >= 0:
            spread = [round(word + left * max(one, 0) / wanted, 2) for word, one in zip(least, more, strict=True)]
            return {**table, "shares": spread, "gap": gap, "crowded": False}
    return {**table, "shares": least, "gap": CLOSER, "crowded": True}


def _longest_words(table: Block) -> list[float]:
    """Points of the longest word of each column."""
    columns, size = table["columns"], table["size"]
    least = [size] * columns
    for row in (*table["head"], *table["body"]):
        place = 0
        for cell in row:
            if cell["columns"] == 1 and place < columns:
                words = "".join(run.get("text", " ") for run in cell["runs"]).split()
                letter = size if cell["head"] else size * _PLAIN
                least[place] = max([least[place], *(letter * _width_of(word) for word in words)])
            place += cell["columns"]
    return least


def _width_of(word: str) -> float:
    """How wide a bold word is, as a part of its height; rather too wide than too narrow."""
    return sum(_WIDTHS.get(each, _CAPITAL if each.isupper() else _WIDTH) for each in word)


def digests_of(pack: Path) -> dict[str, str]:
    """Digests of the PDF of a pack and of the pages it was made from; empty where there is none.

    Parameters
    ----------
    pack
        Folder of the pack.
    """
    path = pack / BOARD_PDF
    if not path.is_file():
        return {}
    pages = hashlib.sha256()
    for page in sorted(pack.glob("*.html")):
        pages.update(f"{page.name} {hashlib.sha256(page.read_bytes()).hexdigest()}\n".encode())
    return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "pages_sha256": pages.hexdigest()}


def _compiled(pack: Any, made: datetime) -> bytes:
    import typst

    try:
        fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)])
        made_pdf = typst.compile(
            TEMPLATES / "board_pack.typ",
            root=TEMPLATES,
            font_paths=fonts,
            ignore_system_fonts=True,
            format="pdf",
            sys_inputs={"pack": json.dumps(pack, ensure_ascii=False)},
            pdf_standards=["ua-1"],
            timestamp=made,
        )
    except (typst.TypstError, OSError) as error:
        why = error.message if isinstance(error, typst.TypstError) else "its template cannot be read"
        raise SafeguardingError(
            f"the PDF of the board pack could not be made: {why}. No release was made; the previous one, if "
            "there is one, stays. Run the report without --pdf to get the pages alone."
        ) from None
    return bytes(made_pdf)


def _printable(value: Any) -> Any:
    """The same data with characters alone that the font has, but for what is only read aloud: PDF/UA demands it."""
    if isinstance(value, str):
        known = _characters()
        return "".join(each if each in known else NO_GLYPH for each in value)
    if isinstance(value, Mapping):
        return {name: each if name == "description" else _printable(each) for name, each in value.items()}
    return [_printable(each) for each in value] if isinstance(value, list) else value


@cache
def _characters() -> frozenset[str]:
    """What can be printed: what both fonts have, without characters that nothing can read aloud or that turn a text."""
    if not FONTS.is_dir():
        raise SafeguardingError("the fonts of the PDF are missing from this installation. Install the package again.")
    both = frozenset.intersection(*(frozenset(_mapped(path.read_bytes())) for path in sorted(FONTS.glob("*.ttf"))))
    return frozenset(each for each in map(chr, both) if category(each) not in ("Co", "Cc", "Cf", "Cs")) | {
        *"\n\t\u00ad"
    }


def _mapped(font: bytes) -> Iterator[int]:
    """The characters that a TrueType font has a glyph for: those of its table ``cmap`` in format 4."""
    tables = {
        font[place : place + 4]: struct.unpack_from(">I", font, place + 8)[0]
        for place in range(12, 12 + 16 * struct.unpack_from(">H", font, 4)[0], 16)
    }
    start = tables[b"cmap"]
    count: int = struct.unpack_from(">H", font, start + 2)[0]
    offsets = [struct.unpack_from(">HHI", font, start + 4 + 8 * each)[2] for each in range(count)]
    at = next(start + each for each in offsets if struct.unpack_from(">H", font, start + each)[0] == 4)
    double = struct.unpack_from(">H", font, at + 6)[0]
    ends, begins, deltas, ranges = (at + 14 + double * n + (2 if n else 0) for n in range(4))
    for segment in range(0, double, 2):
        last, first = (struct.unpack_from(">H", font, each + segment)[0] for each in (ends, begins))
        delta, offset = (struct.unpack_from(">H", font, each + segment)[0] for each in (deltas, ranges))
        for code in range(first, last + 1):
            place = ranges + segment + offset + 2 * (code - first)
            glyph = struct.unpack_from(">H", font, place)[0] if offset and place + 2 <= len(font) else code
            if code != 0xFFFF and glyph and (glyph + delta) % 65536:
                yield code
