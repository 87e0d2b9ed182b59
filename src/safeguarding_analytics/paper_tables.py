"""Tables on paper: letters that can be read, columns as wide as their words, and what is printed in part, said so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from safeguarding_analytics.page_parts import WIDEST, Block

MOST_ROWS, ROWS_SHOWN = 40, 12
"""A table of more rows than the first number, which would fill pages that nobody reads, has this many of them."""

MOST_COLUMNS = 12
"""Columns that stand beside each other; a table of more is printed in parts."""

FEW_COLUMNS, LARGER, SMALLER = 7, 8.5, 8.0
"""Points of the letters of a table of so few columns, and of any other."""

BETWEEN_COLUMNS, CLOSER = 9.0, 6.0
"""Points between two columns of a table, and where its words have no room otherwise."""

WIDTH_OF_A_LETTER = 0.56
"""Of its height, on the whole, with room to spare."""

_PERIOD = re.compile(r"\d{4}(-|$)")
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


def for_paper(blocks: Sequence[Block], title: str) -> list[Block]:
    """The blocks of a page with tables that can be printed: each table is followed by the sentence it then needs.

    Parameters
    ----------
    blocks
        As `page_parts.blocks_of` gives them.
    title
        Of the page, on which all rows of every table stand.
    """
    return [placed for block in blocks for placed in _placed(block, title)]


def _placed(block: Block, title: str) -> Iterator[Block]:
    if block["block"] == "list":
        yield {**block, "entries": [for_paper(entry, title) for entry in block["entries"]]}
    elif block["block"] == "table":
        rows, newest = len(block["body"]), _is_in_time(block)
        some = block["body"][-ROWS_SHOWN:] if newest else block["body"][:ROWS_SHOWN]
        yield from map(_spread, _parts({**block, "body": some if rows > MOST_ROWS else block["body"]}))
        if rows > MOST_ROWS:
            yield _rows_left_out(rows, title, which="last" if newest else "first")
    else:
        yield block


def _is_in_time(table: Block) -> bool:
    """Whether the rows of a table are months, quarters or years in their order: the last ones are asked for first."""
    names = [_text(row[0]) for row in table["body"]]
    return all(map(_PERIOD.match, names)) and all(one < other for one, other in pairwise(names))


def _rows_left_out(rows: int, title: str, *, which: str) -> Block:
    """The sentence under a table that is printed in part."""
    said = (
        f"These are the {which} {ROWS_SHOWN} of {rows:,} rows. All {rows:,} are on the page “{title}” of the board "
        "pack, in the workbook tables.xlsx and in the CSV files of the release."
    )
    return {"block": "paragraph", "kind": "note", "runs": [{"text": said}]}


def _parts(table: Block) -> list[Block]:
    """A table as one or, where its columns have no room beside each other, as several with the first column in each."""
    columns = table["columns"]
    least = _longest_words(table, SMALLER)
    spans = any(cell["columns"] > 1 for row in (*table["head"], *table["body"]) for cell in row)
    if spans or columns < 3 or (columns <= MOST_COLUMNS and _has_room(least)):
        return [table]
    for parts in range(2, columns):
        ends = [1 + round((columns - 1) * part / parts) for part in range(parts + 1)]
        chosen = [(0, *range(begin, end)) for begin, end in pairwise(ends)]
        if all(len(each) <= MOST_COLUMNS and _has_room([least[place] for place in each]) for each in chosen):
            break
    return [_of_columns(table, each, f", part {number} of {len(chosen)}") for number, each in enumerate(chosen, 1)]


def _has_room(least: Sequence[float]) -> bool:
    return sum(least) + CLOSER * (len(least) - 1) <= WIDEST


def _of_columns(table: Block, places: Sequence[int], part: str) -> Block:
    """Some columns of a table; its name says which part of it they are."""
    head, body = ([[row[place] for place in places] for row in table[name]] for name in ("head", "body"))
    caption = [*table["caption"], {"text": part}] if table["caption"] else [{"text": part.removeprefix(", ").title()}]
    return {**table, "caption": caption, "columns": len(places), "head": head, "body": body}


def _spread(table: Block) -> Block:
    """A table with the size of its letters, and as wide as the page, or as its text where that is less.

    No column is narrower than its longest word, and only the texts that are longest have several lines. Where there is
    not even room for the words, they are broken.
    """
    columns = table["columns"]
    size = LARGER if columns <= FEW_COLUMNS and _has_room(_longest_words(table, LARGER)) else SMALLER
    texts = [[_text(cell) for cell in column] for column in _columns(table)]
    longest = sum(max([1, *map(len, column)]) for column in texts) * size * WIDTH_OF_A_LETTER
    if longest <= WIDEST - BETWEEN_COLUMNS * (columns - 1):
        return {**table, "size": size, "shares": [], "gap": BETWEEN_COLUMNS, "crowded": False}
    least, wanted = _longest_words(table, size), _longest_texts(table, size)
    for gap in (BETWEEN_COLUMNS, CLOSER):
        room = WIDEST - gap * (columns - 1)
        if sum(least) <= room:
            return {**table, "size": size, "shares": _levelled(least, wanted, room), "gap": gap, "crowded": False}
    return {**table, "size": size, "shares": least, "gap": CLOSER, "crowded": True}


def _levelled(least: Sequence[float], wanted: Sequence[float], room: float) -> list[float]:
    """Widths that fill the room: what each column wants, but the widest ones the same and no more than there is."""
    full = [max(pair) for pair in zip(least, wanted, strict=True)]
    if sum(full) <= room:
        return [round(width * room / sum(full), 2) for width in full]
    low, high = 0.0, room
    for _ in range(40):
        level = (low + high) / 2
        widths = [max(one, min(other, level)) for one, other in zip(least, full, strict=True)]
        low, high = (level, high) if sum(widths) <= room else (low, level)
    return [round(max(one, min(other, low)), 2) for one, other in zip(least, full, strict=True)]


def _columns(table: Block) -> list[list[Block]]:
    """The cells of each column that stand in no other one."""
    columns: list[list[Block]] = [[] for _ in range(table["columns"])]
    for row in (*table["head"], *table["body"]):
        place = 0
        for cell in row:
            if cell["columns"] == 1 and place < len(columns):
                columns[place].append(cell)
            place += cell["columns"]
    return columns


def _text(cell: Block) -> str:
    return "".join(run.get("text", " ") for run in cell["runs"])


def _longest_words(table: Block, size: float) -> list[float]:
    """Points of the longest word of each column."""
    return [
        max([size, *(_letter(cell, size) * _width_of(word) for cell in column for word in _text(cell).split())])
        for column in _columns(table)
    ]


def _longest_texts(table: Block, size: float) -> list[float]:
    """Points of the longest text of each column but for its heading, which may have several lines."""
    return [
        max([size, *(_letter(cell, size) * _width_of(_text(cell)) for cell in column if not cell["head"])])
        for column in _columns(table)
    ]


def _letter(cell: Block, size: float) -> float:
    """Points of a letter that is as wide as a bold one; the words of headings are bold."""
    return size if cell["head"] else size * _PLAIN


def _width_of(word: str) -> float:
    """How wide a bold word is, as a part of its height; rather too wide than too narrow."""
    return sum(_WIDTHS.get(each, _CAPITAL if each.isupper() else _WIDTH) for each in word)
