"""What stands where on paper: the order and the sizes in which the parts of a chapter fill its pages.

A part is what must not be torn: a chart with how to read it, a table with the meaning of its marks. How high each part
is, the template measures. A chart may become smaller, as long as its letters can be read, and may stand behind what
follows it in its section where that fills the page before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from safeguarding_analytics.page_parts import Block

PAGE = 745.0
"""Points between the margins of a page."""

SPARE = 4.0
"""Points of a page that are planned to stay free, so that no part that was to stand there is pushed off it."""

SPACE: Mapping[str, tuple[float, float]] = {
    "heading": (17.0, 8.0),
    "chart": (10.0, 10.0),
    "table": (10.0, 10.0),
    "headline": (10.0, 10.0),
}
"""Points above and below a part, by its kind; between two parts is the larger of what both ask for."""

ORDINARY = (8.0, 8.0)
"""Points above and below any other part."""

FEWEST_ROWS = 4
"""Rows of a torn table on either page."""

WHOLE_TEXT = 200.0
"""Points of text that are not torn."""

_SCALES = (1.0, 0.95, 0.9, 0.0)  # none smaller than its letters allow
_PUT_BACK, _SMALLER, _TORN, _EMPTY = 20.0, 100.0, 30.0, 1200.0  # what these cost, in points of paper
_STEP = 4.0  # points within which two heights of a page so far are one


@dataclass(frozen=True)
class Part:
    """What stands together.

    Parameters
    ----------
    kind
        Heading, chart, table, headline, or text.
    blocks
        Of the page, in their order.
    height
        Points, as the template measured it.
    rows
        Heights of the rows of its table; none where it has no table, or one in a list.
    head
        Height of what stands above them.
    torn
        Whether its table goes on on the next page.
    begins
        Whether it begins a new page.
    """

    kind: str
    blocks: tuple[Block, ...]
    height: float = 0.0
    rows: tuple[float, ...] = ()
    head: float = 0.0
    torn: bool = False
    begins: bool = False


@dataclass(frozen=True)
class _Way:
    """Some parts as they fill pages: what that costs, how many pages are full, and how far the last one is filled."""

    cost: float
    pages: int
    filled: float
    below: float
    parts: tuple[Part, ...]


def parts_of(blocks: Sequence[Block]) -> list[Part]:
    """The parts of a page, not measured yet.

    Parameters
    ----------
    blocks
        As `paper_tables.for_paper` gives them.

    Examples
    --------
    >>> note = {"block": "paragraph", "kind": "note", "runs": []}
    >>> [part.kind for part in parts_of([{"block": "heading"}, {"block": "table"}, note])]
    ['heading', 'table']
    """
    parts: list[Part] = []
    for block in blocks:
        last = parts[-1] if parts else None
        if last and _belongs(block, last):
            parts[-1] = replace(last, blocks=(*last.blocks, block))
        else:
            parts.append(Part(_kind(block), (block,)))
    return parts


def _kind(block: Block) -> str:
    if block["block"] in ("heading", "chart", "table"):
        return str(block["block"])
    return "headline" if block.get("kind") == "headline" else "text"


def _belongs(block: Block, last: Part) -> bool:
    """Whether a block says something of the chart or the table before it: how to read it, or what its marks mean."""
    kind = block.get("kind")
    return (last.kind == "chart" and kind == "" and len(last.blocks) == 1) or (last.kind == "table" and kind == "note")


def arranged(parts: Sequence[Part], *, title: float) -> list[Part]:
    """The parts of a chapter in the order and the sizes that fill its pages best.

    Parameters
    ----------
    parts
        With their heights.
    title
        Points that the title of the chapter takes on its first page, with the space under it.

    Returns
    -------
    list of Part
        All the parts. Sections stay in their order, and so does all within one but for its chart.
    """
    ways = [_Way(0.0, 0, title, 0.0, ())]
    for section in _sections(parts):
        found = [_after(way, order, tear=tear) for way in ways for order in _orders(section) for tear in (False, True)]
        ways = _cheapest(found)
    best = min(ways, key=lambda way: (way.cost + (way.pages + (way.filled > 0)) * PAGE, way.filled))
    return list(best.parts)


def _sections(parts: Sequence[Part]) -> Iterator[tuple[Part, ...]]:
    """The parts from each heading to the next one."""
    begins = [place for place, part in enumerate(parts) if part.kind == "heading"]
    for first, end in pairwise(sorted({0, *begins, len(parts)})):
        yield tuple(parts[first:end])


def _orders(section: tuple[Part, ...]) -> Iterator[tuple[float, tuple[Part, ...]]]:
    """Every way to set a section, and what it costs: its chart in several sizes, here or further back."""
    charts = [place for place, part in enumerate(section) if part.kind == "chart"]
    if not charts:
        yield 0.0, section
        return
    for scale in _SCALES:
        sized = tuple(_scaled(part, scale) if part.kind == "chart" else part for part in section)
        cost = _SMALLER * (1 - max(scale, _SCALES[-2] - 0.05))
        yield cost, sized
        if len(charts) == 1:
            chart, rest = sized[charts[0]], (*sized[: charts[0]], *sized[charts[0] + 1 :])
            for place in range(charts[0] + 1, len(sized)):
                yield cost + _PUT_BACK, (*rest[:place], chart, *rest[place:])


def _scaled(part: Part, scale: float) -> Part:
    """A chart of another size, but none in which its letters would be too small."""
    chart = part.blocks[0]
    width = max(round(chart["width"] * scale, 2), chart["least"])
    less = (chart["width"] - width) * chart["slope"]
    return replace(part, blocks=({**chart, "width": width}, *part.blocks[1:]), height=part.height - less)


def _after(way: _Way, order: tuple[float, tuple[Part, ...]], *, tear: bool) -> _Way:
    """A section set after what is there already."""
    cost, parts = order
    lead: list[Part] = []
    way = replace(way, cost=way.cost + cost)
    for part in parts:
        lead.append(part)
        if part.kind != "heading":  # which never stands alone at the foot of a page
            way, lead = _with(way, lead, tear=tear), []
    return _with(way, lead, tear=tear) if lead else way


def _with(way: _Way, lead: Sequence[Part], *, tear: bool) -> _Way:
    """One part with the headings above it, on this page or the next one."""
    *_, part = lead
    inside = sum(each.height for each in lead) + sum(max(_space(a)[1], _space(b)[0]) for a, b in pairwise(lead))
    gap = max(way.below, _space(lead[0])[0]) if way.filled else 0.0
    room, ends = PAGE - SPARE - way.filled - gap, _space(part)[1]
    if inside <= room:
        return replace(way, filled=way.filled + gap + inside, below=ends, parts=(*way.parts, *lead))
    above = inside - part.height
    if part.kind == "text" and part.height > WHOLE_TEXT:
        pages, filled = _poured(inside - room)
        return replace(way, pages=way.pages + 1 + pages, filled=filled, below=ends, parts=(*way.parts, *lead))
    split = _rows_on(part, room - above) if tear or part.height > PAGE - above else 0
    wasted = 0.0
    if not split:
        wasted, room = room + gap, PAGE - SPARE
        lead = [replace(lead[0], begins=way.filled > 0), *lead[1:]]
        way = replace(way, pages=way.pages + (way.filled > 0), filled=0.0)
        if inside <= room:
            cost = way.cost + _emptiness(wasted)
            return replace(way, cost=cost, filled=inside, below=ends, parts=(*way.parts, *lead))
        split = _rows_on(part, room - above)
    pages, filled = _rest_of(part, split)
    cost = way.cost + _emptiness(wasted) + _TORN
    parts = (*way.parts, *lead[:-1], replace(lead[-1], torn=True))
    return replace(way, cost=cost, pages=way.pages + 1 + pages, filled=filled, below=ends, parts=parts)


def _emptiness(wasted: float) -> float:
    """What the empty foot of a page costs: one that is half empty as much as four that are a quarter empty."""
    return _EMPTY * (wasted / PAGE) ** 2


def _space(part: Part) -> tuple[float, float]:
    return SPACE.get(part.kind, ORDINARY)


def _poured(height: float) -> tuple[int, float]:
    """Full pages of some text, and how far the last one is filled."""
    return int(height // PAGE), height % PAGE


def _rows_on(part: Part, room: float) -> int:
    """How many rows of a table stand in the room that is left; none where too few do, or too few would be left."""
    fit, height = 0, part.head
    for row in part.rows:
        height += row
        if height > room:
            break
        fit += 1
    return fit if fit >= FEWEST_ROWS and len(part.rows) - fit >= FEWEST_ROWS else 0


def _rest_of(part: Part, rows: int) -> tuple[int, float]:
    """Full pages of a table after its first rows, and how far the last one is filled."""
    pages, filled = 0, part.head
    for row in part.rows[rows:]:
        if filled + row > PAGE:
            pages, filled = pages + 1, part.head
        filled += row
    return pages, filled + max(part.height - part.head - sum(part.rows), 0.0)


def _cheapest(ways: Iterable[_Way]) -> list[_Way]:
    """Of ways that have come as far, the one that costs least."""
    found: dict[tuple[int, int], _Way] = {}
    for way in ways:
        place = way.pages, round(way.filled / _STEP)
        if place not in found or way.cost < found[place].cost:
            found[place] = way
    return list(found.values())
