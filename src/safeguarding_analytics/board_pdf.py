"""The board pack as one PDF: its pages taken apart, and set again on paper.

Every number of the PDF is one that stands on a page of the pack. The parts of the pages are handed to the template as
data, so that no text of theirs is ever read as markup.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from unicodedata import category

from safeguarding_analytics import __version__
from safeguarding_analytics.dates import day_in_words
from safeguarding_analytics.errors import SafeguardingError
from safeguarding_analytics.page_parts import blocks_of
from safeguarding_analytics.pages import PROTECTION, TEMPLATES
from safeguarding_analytics.paper_flow import ORDINARY, SPACE, WHOLE_TEXT, Part, arranged, parts_of
from safeguarding_analytics.paper_tables import for_paper

BOARD_PDF = "board_pack.pdf"
"""Name of the file in the folder of the pack."""

TITLE = "Safeguarding figures"
FONTS = TEMPLATES / "fonts"
"""Arimo, which is as wide as the Arial that the charts are drawn for; so no font of the machine is needed."""

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
    figure of the second page is "Figure 2.3". Tables repeat their headings on every page. A table whose columns have no
    room beside each other is printed in parts, each with the first column. Of a table of more than forty rows
    twelve are printed, the last ones where the rows are months, and a sentence under them says how many there are and
    where all of them stand: on the page of the pack, in the workbook and in the CSV files of the release. A chart may
    stand behind the table of its section, where that fills the page. A character that the font does not have is
    printed as "?".
    """
    made = datetime(made_on.year, made_on.month, made_on.day, tzinfo=UTC)
    shown = [parts_of(for_paper(blocks_of(each.html), each.title)) for each in chapters]
    figures = sum(part.kind == "chart" for parts in shown for part in parts)
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
        "figures": figures,
    }
    titles = [each.title for each in chapters]
    measured = _measured(_printable({**pack, "chapters": _as_data(titles, shown)}), shown)
    return _compiled(_printable({**pack, "chapters": _as_data(titles, measured)}), made)


def _as_data(titles: Sequence[str], chapters: Sequence[Sequence[Part]]) -> list[dict[str, Any]]:
    """Chapters as the template takes them: each part with the space around it, and whether it may be torn."""
    return [
        {"title": title, "parts": [_part_as_data(part) for part in parts]}
        for title, parts in zip(titles, chapters, strict=True)
    ]


def _part_as_data(part: Part) -> dict[str, Any]:
    above, below = SPACE.get(part.kind, ORDINARY)
    whole = not part.torn and (part.kind != "text" or part.height <= WHOLE_TEXT)
    return {
        "kind": part.kind,
        "blocks": list(part.blocks),
        "above": above,
        "below": below,
        "whole": whole,
        "begins": part.begins,
    }


def _measured(pack: Any, chapters: Sequence[Sequence[Part]]) -> list[list[Part]]:
    """The parts of each chapter as they are to be set, from the heights that the template gives them."""
    found = json.loads(_typst("query", pack, selector="<heights>", field="value", one=True, measure="heights"))
    arranged_chapters = []
    for parts, heights in zip(chapters, found, strict=True):
        high = [
            replace(part, height=each["height"], head=each["head"], rows=tuple(each["rows"]))
            for part, each in zip(parts, heights["parts"], strict=True)
        ]
        arranged_chapters.append(arranged(high, title=heights["title"]))
    return arranged_chapters


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
    return bytes(_typst("compile", pack, format="pdf", pdf_standards=["ua-1"], timestamp=made))


def _typst(what: str, pack: Any, *, measure: str = "", **settings: Any) -> Any:
    """What Typst makes of the template and the pack."""
    import typst

    try:
        fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)])
        return getattr(typst, what)(
            TEMPLATES / "board_pack.typ",
            root=TEMPLATES,
            font_paths=fonts,
            ignore_system_fonts=True,
            sys_inputs={"pack": json.dumps(pack, ensure_ascii=False), "measure": measure},
            **settings,
        )
    except (RuntimeError, OSError) as error:  # a mistake of Typst is a RuntimeError too
        why = "its template cannot be read" if isinstance(error, OSError) else getattr(error, "message", str(error))
        raise SafeguardingError(
            f"the PDF of the board pack could not be made: {why}. No release was made; the previous one, if "
            "there is one, stays. Run the report without --pdf to get the pages alone."
        ) from None


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
