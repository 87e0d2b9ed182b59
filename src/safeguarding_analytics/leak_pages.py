"""A page of a release, read as a browser reads it: what each text is, and what it is to be checked for."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

from safeguarding_analytics.figures import spaced
from safeguarding_analytics.leak_search import REQUEST, UNKNOWN, Search

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_EMBEDDED = {"iframe", "frame", "object", "embed", "canvas", "video", "audio"}
_SENTENCES = {"p", "pre", "div", "li", "h1", "h2", "h3", "h4"}
_ASKING = {"src", "srcset", "poster", "data", "action", "formaction", "background", "ping", "href", "xlink:href"}
_ASKING_STYLE = re.compile(r"url\(\s*['\"]?(?!#)|@import")
_GEOMETRY = {"d": re.compile(r"[\sMmLlHhVvCcSsQqTtAaZz0-9.,+e-]*")}
_GEOMETRY |= dict.fromkeys(("fill", "stroke"), re.compile(r"#[0-9A-Fa-f]{3,8}"))
"""Attributes in which "M10" is a movement of the pen, and no member."""


def look_into_page(html: str, search: Search, *, before: str = "", said: bool = False) -> None:
    """Look at every text, attribute, row and chart of a page, or of a piece of one.

    Parameters
    ----------
    html
        The page, without the scripts that are known.
    search
        What to look for; keeps what is found.
    before
        Begins every place that is named.
    said
        Whether all of it is the output of a notebook, whose numbers must be figures of the release.
    """
    page = _Page(search, before, "said" if said else "page")
    page.feed(html)
    page.close()
    page.end()


class _Page(HTMLParser):
    """Knows of every open element what its text is.

    That is: part of the ``page``, ``prose``, something ``said``, a ``table``, a ``cell``, a ``caption``, a ``picture``,
    a ``script`` or a ``chart``.
    """

    def __init__(self, search: Search, before: str, inside: str) -> None:
        super().__init__()
        self.search, self.before = search, before
        self.open = [("", inside)]
        self.seen: set[str] = set()
        self.said: list[str] = []
        self.cells: list[tuple[str, list[str]]] = []
        self.caption: list[str] = []
        self.script: list[str] = []
        self.pictures: list[str] = []
        self.charts = self.tables = self.rows = 0

    def _where(self) -> str:
        return f"{self.before}line {self.getpos()[0]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        for name, value in given.items():
            self._attribute(tag, name, value)
        if given.get("http-equiv", "").lower() == "refresh":
            self.search.add(self._where(), REQUEST)
        if tag in _EMBEDDED:
            self.search.add(self._where(), UNKNOWN, "content of a kind that is not known")
        if tag not in _VOID:
            self.open.append((tag, self._inside(tag, given)))

    def _inside(self, tag: str, given: dict[str, str]) -> str:
        """What the text of an element is that begins."""
        outer, classes = self.open[-1][1], given.get("class", "").split()
        if tag == "script":
            self.script = []
            return "chart" if given.get("type") == "application/json" and "vega-lite-spec" in classes else "script"
        if outer == "picture":
            return outer
        if tag == "svg":
            self.pictures.append(given.get("aria-label", ""))
            return "picture"
        if outer == "prose":
            return outer
        if tag == "table":
            self.tables, self.rows = self.tables + 1, 0
            return "table"
        if tag == "tr":
            self._end_row()
        elif tag in ("td", "th"):
            self.cells.append((tag, []))
            return "cell"
        elif tag == "figcaption":
            self.caption = []
            return "caption"
        if tag in ("caption", "style", "dl") or {"prose", "note"} & set(classes):
            return "prose"
        return "said" if tag == "pre" or {"output", "headline"} & set(classes) else outer

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in dict(self.open):
            return
        while (closed := self.open.pop())[0] != tag:
            pass
        if tag == "script":
            self._end_script(closed[1])
        elif tag in ("tr", "table"):
            self._end_row()
        elif tag == "figure":
            self._end_figure()
        elif tag in _SENTENCES:
            self._end_sentence()

    def handle_data(self, data: str) -> None:
        tag, inside = self.open[-1]
        if inside in ("chart", "script"):
            self.script.append(data)
            return
        if data not in self.seen:
            self.seen.add(data)
            self.search.text(data, self._where())
        if tag == "style" and _ASKING_STYLE.search(data):
            self.search.add(self._where(), REQUEST)
        if inside == "said":
            self.said.append(data)
        elif inside == "caption":
            self.caption.append(data)
        elif inside == "cell" and self.cells:
            self.cells[-1][1].append(data)

    def handle_comment(self, data: str) -> None:
        self.search.text(data, self._where())

    def handle_decl(self, decl: str) -> None:
        self.search.text(decl, self._where())

    def handle_pi(self, data: str) -> None:
        self.search.text(data, self._where())

    def unknown_decl(self, data: str) -> None:
        self.search.text(data, self._where())

    def _attribute(self, tag: str, name: str, value: str) -> None:
        if name.startswith("xmlns") or (name in _GEOMETRY and _GEOMETRY[name].fullmatch(value)):
            return
        if value not in self.seen:
            self.seen.add(value)
            self.search.text(value, f"{self._where()}, {name}")
        loaded = name in _ASKING and not value.startswith("#") and not (name == "href" and tag == "a")
        if loaded and value.startswith("data:"):
            self.search.add(self._where(), UNKNOWN, "a picture")
        elif loaded or (name == "style" and _ASKING_STYLE.search(value)):
            self.search.add(self._where(), REQUEST)

    def end(self) -> None:
        """Look at what the end of the page leaves open, as a browser shows that too."""
        self._end_sentence()
        self._end_row()
        self._end_figure()
        if any(inside in ("chart", "script") for _, inside in self.open):
            self.search.add(self._where(), UNKNOWN, "a script without an end")

    def _end_sentence(self) -> None:
        for line in "".join(self.said).splitlines():
            self.search.sentence(line, f"{self._where()}, a sentence")
        self.said = []

    def _end_row(self) -> None:
        if not self.cells:
            return
        self.rows += 1
        where = f"{self.before}table {self.tables}, row {self.rows}"
        cells = [(tag, spaced("".join(parts))) for tag, parts in self.cells]
        heads = [text for tag, text in cells if tag == "th"]
        texts = [text for tag, text in cells if tag == "td"]
        for text in heads:
            self.search.column(text, where)
        names = heads or [text for text in texts if re.search(r"[^\W\d]", text)]
        for text in heads or texts[:1]:
            self.search.name(text, where)
        self.search.row(names, texts, where)
        self.cells = []

    def _end_script(self, kind: str) -> None:
        text = "".join(self.script)
        if kind == "script":
            self.search.text(text, self._where())
            self.search.add(self._where(), UNKNOWN, "a script that is not of this package")
            return
        self.charts += 1
        spec = json.loads(text)
        self.search.chart(spec, f"{self.before}chart {self.charts}", [spaced(part) for part in self.caption])
        self.pictures = [name for name in self.pictures if name != spec.get("description")]

    def _end_figure(self) -> None:
        """A picture must be of a chart whose specification stands beside it: from that it was drawn."""
        for _ in self.pictures:
            self.search.add(self._where(), UNKNOWN, "a picture without the specification it was drawn from")
        self.pictures = []
