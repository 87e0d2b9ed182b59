"""Pages of a board pack that show what is hidden now → a sentence in the place of each, also in the contents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from html import unescape
from pathlib import Path
from typing import Any

from safeguarding_analytics.board_pdf import BOARD_PDF
from safeguarding_analytics.dates import day_in_words
from safeguarding_analytics.pages import OVERVIEW, index_html, message_html
from safeguarding_analytics.release import MANIFEST, Release
from safeguarding_analytics.release_workbook import WORKBOOK

LEFT_OUT = "This page is left out: tables that it showed hide more now than when it was made."

_ANSWER = re.compile(
    r'<h2><a href="([^"]*)">([^<]*)</a></h2>'
    r'(?:\s*<p class="question">([^<]*)</p>)?(?:\s*<p class="headline">([^<]*)</p>)?'
)
"""An answer in the contents of a pack: address, title, question and headline."""


def leave_out_pages(folder: Path, changed: Iterable[str]) -> list[str]:
    """Put a sentence in the place of the pages that may show what is hidden now; their titles."""
    pack, manifest = folder / "pack", Release.open(folder).manifest
    stems = {path.stem for path in pack.glob("*.html")} - {"index"}
    notebooks = {manifest["tables"][name].get("notebook", "") for name in changed}
    if not notebooks or not pack.is_dir():
        return []
    gone = {f"{stem}.html" for stem in (notebooks if notebooks <= stems else stems)}
    answers = _answers(pack, stems)
    board = manifest.get("board", "")
    navigation = [("index.html", OVERVIEW), *((one["href"], one["title"]) for one in answers)]
    left_out = [one for one in answers if one["href"] in gone]
    for one in left_out:
        html = message_html(LEFT_OUT, title=one["title"], navigation=navigation, board=board)
        (pack / one["href"]).write_text(html, encoding="utf-8")
    (pack / BOARD_PDF).unlink(missing_ok=True)  # it shows what is hidden now
    write_json(folder / MANIFEST, {name: said for name, said in manifest.items() if name != "pdf"})
    index = index_html(
        board=board,
        pages=[{**one, "headline": LEFT_OUT} if one in left_out else one for one in answers],
        made_on=_day(manifest.get("made_on")),
        notes=[
            *([f"As at {_day(manifest['as_at'])}."] if manifest.get("as_at") else []),
            *([f"Data version {manifest['data_version']}."] if manifest.get("data_version") else []),
            "More is hidden now than when it was made.",
        ],
        tables=[(f"../tables/{name}.csv", entry["title"]) for name, entry in sorted(manifest["tables"].items())],
        workbook=f"../{WORKBOOK}" if (folder / WORKBOOK).exists() else "",
    )
    (pack / "index.html").write_text(index, encoding="utf-8")
    return [one["title"] for one in left_out]


def _answers(pack: Path, stems: Iterable[str]) -> list[dict[str, str]]:
    """The answers that the contents of a pack list, and the pages that they do not list."""
    index = pack / "index.html"
    text = index.read_text(encoding="utf-8") if index.exists() else ""
    names = ("href", "title", "question", "headline")
    listed = [dict(zip(names, map(unescape, found), strict=True)) for found in _ANSWER.findall(text)]
    others = sorted({f"{stem}.html" for stem in stems} - {one["href"] for one in listed})
    titles = [Path(href).stem.replace("_", " ").capitalize() for href in others]
    unlisted = [
        {"href": href, "title": title, "question": "", "headline": ""}
        for href, title in zip(others, titles, strict=True)
    ]
    return [*listed, *unlisted]


def _day(day: str | None) -> str:
    return day_in_words(date.fromisoformat(day)) if day else "a day that is not known"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write what is said of a release, as its own files have it."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
