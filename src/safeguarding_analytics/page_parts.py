"""A page of the pack taken apart: its sections and figures, and its blocks in their order, to be set elsewhere.

A page is read as a browser reads it. What it shows is handed on as data: texts with the manner they are said in, tables
as rows of cells, charts as pictures with their descriptions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

WIDEST, HIGHEST = 481.0, 660.0
"""Points that a chart may take on a page."""

POINTS_OF_A_PIXEL = 0.75

LEAST_LETTERS = 8.0
"""Points of the smallest letters in a chart."""

LONGEST_NAME = 0.25
"""Of the width of a chart, that its names take at its sides."""

_PICTURE = re.compile(r"<svg\b.*?</svg>", re.DOTALL)
_LETTERS = re.compile(r'(?<=font-size=")[0-9.]+')
_SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL)
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_PASSED_OVER = {"style", "nav", "header", "footer", "title", "form", "button", "select", "template"}
_IN_A_LINE = {"a", "b", "br", "code", "em", "i", "small", "span", "strong", "sub", "sup"}
_HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_KINDS = ("headline", "message", "note", "question")

Run = dict[str, Any]
"""Some text, and how it is said: ``strong``, ``emphasis``, or with the ``address`` of a link."""

Block = dict[str, Any]
"""A part of a page: what ``block`` it is (heading, paragraph, list, chart, table, definitions), and what it holds."""


@dataclass(frozen=True)
class Outline:
    """What a page has to be found: each section by the name of its anchor and its text, each figure by the name of its
    anchor, its number and its text.
    """

    sections: tuple[tuple[str, str], ...]
    figures: tuple[tuple[str, str, str], ...]


@dataclass
class _Element:
    """An element of a page, with what stands in it."""

    tag: str
    attributes: Mapping[str, str]
    children: list[_Element | str] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()

    def elements(self) -> Iterator[_Element]:
        """All elements within, in the order of the page."""
        for child in self.children:
            if isinstance(child, _Element):
                yield child
                yield from child.elements()

    def first(self, tag: str) -> _Element | None:
        return next((each for each in self.elements() if each.tag == tag), None)


class _Reader(HTMLParser):
    """Makes a tree of a page. An end that nothing begins is passed over, as browsers do."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.page = _Element("page", {})
        self.open = [self.page]
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = _Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag in [element.tag for element in self.open[1:]]:
            while self.open.pop().tag != tag:
                pass

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def outline_of(html: str) -> Outline:
    """The sections and figures of a page that can be linked to.

    Parameters
    ----------
    html
        A page, as `pages.page_html` made it.

    Examples
    --------
    >>> outline_of('<main><h2 id="who">Who came?</h2></main>').sections
    (('who', 'Who came?'),)
    """
    main, _ = _read(html)
    sections = [(each.attributes["id"], _text(each)) for each in main.elements() if each.tag == "h2" and _has_id(each)]
    charts = [each for each in main.elements() if each.tag == "figure" and _has_id(each)]
    titles = [(each.attributes["id"], title) for each in charts if (title := each.first("strong"))]
    figures = [(anchor, _number_of(title), _text(title)) for anchor, title in titles]
    return Outline(tuple(sections), tuple(figures))


def blocks_of(html: str) -> list[Block]:
    """What a page shows, in its order, without its own title.

    Parameters
    ----------
    html
        A page, as `pages.page_html` made it.
    """
    main, pictures = _read(html)
    blocks = list(_blocks(main, pictures))
    first = next((place for place, block in enumerate(blocks) if block["block"] == "heading"), None)
    if first is not None and blocks[first]["level"] == 1:
        del blocks[first]
    level = 0
    for block in _with_those_within(blocks):
        if block["block"] == "heading":  # one level down at a time, as those who listen to it go by the levels
            level = block["level"] = min(max(block["level"], 2), max(level, 1) + 1)
    return blocks


def _with_those_within(blocks: Sequence[Block]) -> Iterator[Block]:
    for block in blocks:
        yield block
        if block["block"] == "list":
            for entry in block["entries"]:
                yield from _with_those_within(entry)


def _read(html: str) -> tuple[_Element, list[str]]:
    """The main part of a page, and its pictures: a reader of HTML would spell the names in them in small letters."""
    pictures: list[str] = []

    def kept(found: re.Match[str]) -> str:
        pictures.append(found[0])
        return f'<svg data-picture="{len(pictures) - 1}"></svg>'

    page = _Reader(_PICTURE.sub(kept, _SCRIPT.sub("", html))).page
    return page.first("main") or page, pictures


def _blocks(element: _Element, pictures: Sequence[str]) -> Iterator[Block]:
    """The parts of an element; text that stands in no paragraph is one."""
    loose: list[_Element | str] = []

    def spoken() -> Iterator[Block]:
        runs = _runs(loose)
        loose.clear()
        if runs:
            yield _paragraph("", runs)

    for child in element.children:
        if isinstance(child, str) or child.tag in _IN_A_LINE:
            loose.append(child)
            continue
        yield from spoken()
        if child.tag not in _PASSED_OVER:
            yield from _MADE.get(child.tag, _blocks)(child, pictures)
    yield from spoken()


def _paragraph(kind: str, runs: list[Run]) -> Block:
    return {"block": "paragraph", "kind": kind, "runs": runs}


def _heading(element: _Element, _: Sequence[str]) -> Iterator[Block]:
    if runs := _runs(element.children):
        yield {"block": "heading", "level": _HEADINGS[element.tag], "runs": runs}


def _said(element: _Element, _: Sequence[str]) -> Iterator[Block]:
    if runs := _runs(element.children):
        yield _paragraph(next((kind for kind in _KINDS if kind in element.classes), ""), runs)


def _printed(element: _Element, _: Sequence[str]) -> Iterator[Block]:
    """Text with its own line ends."""
    lines = _text(element, squeezed=False).strip("\n").split("\n")
    runs = [run for line in lines for run in ({"text": line}, {"new_line": True})][:-1]
    yield _paragraph("", runs)


def _list(element: _Element, pictures: Sequence[str]) -> Iterator[Block]:
    items = [child for child in element.children if isinstance(child, _Element) and child.tag == "li"]
    entries = [list(_blocks(item, pictures)) for item in items]
    yield {"block": "list", "ordered": element.tag == "ol", "entries": entries}


def _definitions(element: _Element, _: Sequence[str]) -> Iterator[Block]:
    parts = [child for child in element.elements() if child.tag in ("dt", "dd")]
    pairs = [(term, said) for term, said in pairwise(parts) if (term.tag, said.tag) == ("dt", "dd")]
    entries = [{"term": _runs(term.children), "said": _runs(said.children)} for term, said in pairs]
    yield {"block": "definitions", "small": "versions" in element.classes, "entries": entries}


def _folded(element: _Element, pictures: Sequence[str]) -> Iterator[Block]:
    """What is folded on the page is open on paper; its name is not said twice where a table has the same."""
    summary = next(
        (child for child in element.children if isinstance(child, _Element) and child.tag == "summary"), None
    )
    rest = _Element("div", {}, [child for child in element.children if child is not summary])
    captions = [_text(each) for each in rest.elements() if each.tag == "caption"]
    if summary and _text(summary) not in captions:
        yield _paragraph("", [{**run, "strong": True} for run in _runs(summary.children)])
    yield from _blocks(rest, pictures)


def _chart(element: _Element, pictures: Sequence[str]) -> Iterator[Block]:
    """A chart, as wide as on the page or, if that is too much, as wide as the paper; and how narrow it may become."""
    drawn, caption = element.first("svg"), element.first("figcaption")
    if drawn is None:
        return
    title = caption.first("strong") if caption else None
    subtitle = [child for child in caption.children if child is not title] if caption else []
    picture = pictures[int(drawn.attributes["data-picture"])]
    begins = picture[: picture.index(">")]
    wide, high = (_length(begins, name) for name in ("width", "height"))
    scale = min(POINTS_OF_A_PIXEL, WIDEST / wide, HIGHEST / high)
    smallest = min(map(float, _LETTERS.findall(picture)), default=LEAST_LETTERS / scale)
    if smallest * scale < LEAST_LETTERS:
        picture, wide = _with_larger_letters(picture, LEAST_LETTERS / scale, wide)
        scale = min(scale, WIDEST / wide)
    named = _Reader(f"{begins}></svg>").page.children[0]
    yield {
        "block": "chart",
        "number": _number_of(title) if title else "",
        "title": _runs(title.children) if title else [],
        "subtitle": [run for run in _runs(subtitle) if "text" in run],
        "description": named.attributes.get("aria-label", "") if isinstance(named, _Element) else "",
        "picture": re.sub(r'font-family="[^"]*"', 'font-family="Arimo"', picture),
        "width": round(wide * scale, 2),
        "least": round(wide * min(scale, LEAST_LETTERS / smallest), 2),
        "slope": round(high / wide, 6),
    }


def _with_larger_letters(picture: str, least: float, wide: float) -> tuple[str, float]:
    """A picture in which no letters are smaller than that, with room for them at its sides; and how wide it is then."""
    smallest = min(map(float, _LETTERS.findall(picture)))
    room = math.ceil(wide * LONGEST_NAME * (least / smallest - 1))
    larger = _LETTERS.sub(lambda found: str(max(float(found[0]), math.ceil(least * 100) / 100)), picture)
    begins, rest = larger[: larger.index(">")], larger[larger.index(">") :]
    begins = re.sub(r'(\swidth=")[0-9.]+', rf"\g<1>{wide + 2 * room:g}", begins, count=1)
    begins = re.sub(
        r'(\sviewBox=")([0-9.-]+) ([0-9.-]+) [0-9.]+',
        lambda found: f"{found[1]}{float(found[2]) - room:g} {found[3]} {wide + 2 * room:g}",
        begins,
        count=1,
    )
    return begins + rest, wide + 2 * room


def _number_of(title: _Element) -> str:
    """The number of a figure, as `pages.with_contents` wrote it to its title."""
    return title.attributes.get("data-number", "")


def _length(begins: str, name: str) -> float:
    """Width or height of a picture in pixels, from how it begins."""
    found = re.search(rf'\s{name}="([0-9.]+)', begins)
    return float(found[1]) if found else WIDEST / POINTS_OF_A_PIXEL


def _table(element: _Element, _: Sequence[str]) -> Iterator[Block]:
    caption, head = element.first("caption"), element.first("thead")
    in_head = [each for each in head.elements() if each.tag == "tr"] if head else []
    body = [each for each in element.elements() if each.tag == "tr" and not any(each is row for row in in_head)]
    heads, rows = (
        _in_columns([_cells_of(row) for row in part], in_the_head=part is in_head) for part in (in_head, body)
    )
    widths = [sum(cell["columns"] for cell in row) for row in (*heads, *rows)]
    if any(widths):
        heads, rows = ([[*row, *_empty(max(widths), row)] for row in part] for part in (heads, rows))
        text = _runs(caption.children) if caption else []
        yield {
            "block": "table",
            "caption": text,
            "columns": max(widths),
            "head": heads,
            "body": rows,
        }


def _cells_of(row: _Element) -> list[_Element]:
    return [child for child in row.children if isinstance(child, _Element) and child.tag in ("th", "td")]


def _in_columns(rows: Sequence[list[_Element]], *, in_the_head: bool) -> list[list[Block]]:
    """The cells of all rows; below a cell that goes through several rows, empty ones."""
    held: dict[int, int] = {}
    placed = []
    for row in rows:
        cells: list[Block] = []
        place = 0
        for element in row:
            while held.get(place, 0):
                held[place] -= 1
                cells.append(_cell(_Element("td", {}), in_the_head=in_the_head))
                place += 1
            cells.append(_cell(element, in_the_head=in_the_head))
            for column in range(place, place + cells[-1]["columns"]):
                held[column] = _span(element, "rowspan") - 1
            place += cells[-1]["columns"]
        placed.append(cells)
    return placed


def _empty(columns: int, row: Sequence[Block]) -> list[Block]:
    """What a row lacks: else the next one would begin in it."""
    missing = columns - sum(cell["columns"] for cell in row)
    return [_cell(_Element("td", {}), in_the_head=False) for _ in range(missing)]


def _span(element: _Element, name: str) -> int:
    text = element.attributes.get(name, "")
    return max(int(text), 1) if text.isascii() and text.isdigit() else 1


def _cell(element: _Element, *, in_the_head: bool) -> Block:
    to_the_right = "right" in element.attributes.get("style", "")  # so a table of Markdown says it
    return {
        "runs": _runs(element.children),
        "head": in_the_head,
        "number": "number" in element.classes or to_the_right,
        "columns": _span(element, "colspan"),
    }


_MADE: dict[str, Callable[[_Element, Sequence[str]], Iterator[Block]]] = {
    **dict.fromkeys(_HEADINGS, _heading),
    "p": _said,
    "pre": _printed,
    "ul": _list,
    "ol": _list,
    "dl": _definitions,
    "details": _folded,
    "figure": _chart,
    "table": _table,
}
"""What is made of an element; of any other, its parts."""


def _runs(children: Sequence[_Element | str]) -> list[Run]:
    """Text as a browser shows it: with one space where there are several, and none at the ends."""
    runs = list(_pieces(children, {}))
    shown: list[Run] = []
    for run in runs:
        if "text" in run:
            text = re.sub(r"[ \t\r\n\f]+", " ", run["text"])
            ended = not shown or "new_line" in shown[-1] or shown[-1]["text"].endswith(" ")
            run = {**run, "text": text.removeprefix(" ") if ended else text}
            if not run["text"]:
                continue
        shown.append(run)
    if shown and "text" in shown[-1]:
        shown[-1]["text"] = shown[-1]["text"].rstrip(" ")
    return [run for run in shown if run.get("text") != ""]


def _pieces(children: Sequence[_Element | str], manner: Run) -> Iterator[Run]:
    for child in children:
        if isinstance(child, str):
            yield {"text": child, **manner}
        elif child.tag == "br":
            yield {"new_line": True}
        elif child.tag not in _PASSED_OVER:
            yield from _pieces(child.children, {**manner, **_manner(child)})


def _manner(element: _Element) -> Run:
    if element.tag in ("strong", "b"):
        return {"strong": True}
    if element.tag in ("em", "i"):
        return {"emphasis": True}
    address = element.attributes.get("href", "") if element.tag == "a" else ""
    return {"address": address} if address.startswith(("https://", "http://")) else {}


def _text(element: _Element, *, squeezed: bool = True) -> str:
    text = "".join(run.get("text", " ") for run in _pieces(element.children, {}))
    return " ".join(text.split()) if squeezed else text


def _has_id(element: _Element) -> bool:
    return bool(element.attributes.get("id"))
