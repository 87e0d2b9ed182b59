"""What a page is made of: charts as figures, tables, sentences, and the page around them.

A page is one file that asks for nothing from outside: style, scripts and data stand in it, and its content security
policy allows only the two scripts it was written with.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from safeguarding_analytics import __version__
from safeguarding_analytics.board import Board
from safeguarding_analytics.disclosure import Safe
from safeguarding_analytics.errors import ParameterError, require_columns
from safeguarding_analytics.sentences import percent
from safeguarding_analytics.tables import TOTAL, Shape

if TYPE_CHECKING:
    from jinja2 import Environment
    from nbformat import NotebookNode

TEMPLATES = Path(__file__).parent / "templates"
STATIC_WIDTH = 680
"""Pixels of a chart where no script draws it: on paper, in JupyterLab."""

NOT_WORKED_OUT = "This part could not be worked out."
HIDDEN_NOTE = "hidden because the number is small, or because it would give a small number away"
MARKS = {"[x]": "not available", "[z]": "not applicable", "[u]": "too unreliable to publish", "[low]": "rounds to 0"}
"""What marks mean that do not hide a small number, as DfE uses them."""

MISSING_NOTE = "– = not known, or nothing to divide by."

HEADINGS = {
    "numerator": "Number",
    "denominator": "Out of",
    "proportion": "Share",
    "count": "Number",
    "population": "Children aged 0 to 17",
    "rate": "Rate per 10,000 children",
    "n_pairs": "People who answered both times",
    "n_pre": "Answered before",
    "n_post": "Answered after",
    "mean_pre": "Mean before (points)",
    "mean_post": "Mean after (points)",
    "mean_change": "Mean change (points)",
    "n_up": "Rose",
    "n_same": "Stayed the same",
    "n_down": "Fell",
    "n_clusters": "Sessions",
    "standard_error": "Standard error (points)",
    "p_selected": "Selected in resampled boards",
    "n_ballots": "Ballots",
    "score": "Wins minus losses",
    "walk_ins": "Walked in",
    "attendance_rate": "Attended as booked",
    "take_up": "Take-up of places",
    "share_of_places": "Share of all attended",
    "time_period": "Year to 31 March",
    "capacity": "Places offered",
}
"""Headings of columns whose name would not do in plain words."""

PER_CENT = {
    "proportion": "denominator",
    "p_selected": "n_ballots",
    "attendance_rate": "registered",
    "take_up": "capacity",
    "share_of_places": "attended",
}
"""Columns shown as per cent, and the column that limits their decimals."""


@dataclass(frozen=True)
class Html:
    """A piece of a page. A notebook shows it as it is; elsewhere its text stands for it."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def enable_renderer() -> None:
    """Make Altair show charts as figures of our own, in notebooks and pages alike. Calling it twice does no harm."""
    import altair as alt

    alt.renderers.register("safeguarding", _render)
    alt.renderers.enable("safeguarding")


def figure_html(spec: Mapping[str, Any]) -> str:
    """A chart as a figure: a picture that needs no script, and its specification for the script of the page.

    Parameters
    ----------
    spec
        A Vega-Lite specification that holds its data and a ``description``.

    Raises
    ------
    ParameterError
        When the chart has no description: the picture would have no name for those who cannot see it.
    """
    import vl_convert

    description = spec.get("description")
    if not description:
        raise ParameterError("a chart needs a description. Set it with .properties(description=...).")
    drawn = {name: value for name, value in spec.items() if name != "title"}
    # A chart that fills the width it is given gets a number here, as nothing gives vl_convert a width.
    fixed = {"width": STATIC_WIDTH, "autosize": {"type": "fit-x", "contains": "padding"}}
    svg = vl_convert.vegalite_to_svg({**drawn, **fixed} if drawn.get("width") == "container" else drawn, _vl_version())
    picture = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(str(description))}" ', 1)
    data = json.dumps(drawn, ensure_ascii=False, separators=(",", ":")).replace("<", r"\u003c")
    return (
        f'<figure class="chart">{_caption_html(spec.get("title", ""))}<div class="picture">{picture}</div>'
        f'<script type="application/json" class="vega-lite-spec">{data}</script></figure>'
    )


def _caption_html(title: Any) -> str:
    """The title as text of the page: there it wraps to any width, which it would not in the chart."""
    given = title if isinstance(title, Mapping) else {"text": title}
    lines = [given.get("text") or "", given.get("subtitle") or ""]
    head, below = (escape(text if isinstance(text, str) else " ".join(text)) for text in lines)
    return f"<figcaption><strong>{head}</strong>{f'<br>{below}' if below else ''}</figcaption>"


@cache
def vega_bundle() -> str:
    """The scripts that draw charts, in one text, without any request; a second and a half the first time.

    They define ``vegaEmbed`` and nothing else.
    """
    import vl_convert

    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", _vl_version())
    return f"(function () {{\n{bundle}\n}})();"


def show_text(sentence: str) -> Html:
    """A sentence that stands out: the answer of a page.

    Parameters
    ----------
    sentence
        Plain text; markup in it is shown as it is. Empty: nothing is shown.

    Returns
    -------
    Html
        One paragraph.
    """
    return Html(f'<p class="headline">{escape(sentence)}</p>' if sentence else "", sentence)


def unless_empty(table: Safe, shown: Any) -> Any:
    """Show something only if a table has rows: a page leaves out a question to which nothing is shown.

    Parameters
    ----------
    table
        The table it depends on.
    shown
        What is shown of it: a chart, a table or a sentence.

    Returns
    -------
    Any
        The same, or an empty `Html`.
    """
    return Html("", "") if table.frame().is_empty() else shown


def show_table(table: Safe, *, caption: str, columns: Sequence[str] = ()) -> Html:
    """A safe table for readers, with headings in plain words.

    Parameters
    ----------
    table
        A table that went through `suppress`.
    caption
        What the table shows.
    columns
        The columns to show, in this order; empty for all.

    Returns
    -------
    Html
        Shares in per cent (no decimals under a denominator of 100), counts with thousands separators, the two ends of
        an interval in one column, "[c]" for a hidden number and "–" for one that is not known, each explained below.

    Raises
    ------
    ParameterError
        When the table did not go through `suppress`, or lacks a column.
    """
    if not isinstance(table, Safe):
        raise ParameterError(
            f"show_table shows only tables that went through suppress(). Found: {type(table).__name__}. "
            "Call suppress(table, policy) and show what it returns."
        )
    frame, shape = table.frame(), table.shape
    require_columns(frame.columns, columns, "the table to show")
    shown = [name for name in columns or frame.columns if name not in ("mark", "upper")]
    groups = shape.group_columns(frame.columns)
    names = [*groups, *(["issue"] if "issue" in shape.columns else [])]
    if groups:  # a reader looks for the total at the end
        totals = pl.sum_horizontal(pl.col(name).cast(pl.String) == TOTAL for name in groups)
        frame = frame.sort(totals, maintain_order=True)
    lines = [[_cell(name, row, shape) for name in shown] for row in frame.iter_rows(named=True)]
    right = [frame[name].dtype.is_numeric() and name not in names for name in shown]
    headings = [column_heading(name) for name in shown]
    printed = {cell for line in lines for cell in line}
    notes = [
        *(f"{mark} = {MARKS.get(mark, HIDDEN_NOTE)}." for mark in sorted(set(frame["mark"]) & printed)),
        *([MISSING_NOTE] if "–" in printed else []),
        *([f"Source: {table.source}."] if table.source else []),
    ]
    text = "\n".join([caption, " | ".join(headings), *(" | ".join(line) for line in lines), *notes])
    rows = "".join(_row_html(line, shown, names, right) for line in lines)
    return Html(_table_html(caption, headings, right, rows, notes), text)


def show_versions(board: Board, definition: str) -> Html:
    """What stands behind a page: the version of the data and of this package, and the definition used.

    Parameters
    ----------
    board
        The board whose data the page shows.
    definition
        How the numbers of the page are defined.

    Returns
    -------
    Html
        A list of three terms.
    """
    lines = {
        "Definition": definition,
        "Data version": board.data_version,
        "Package version": f"safeguarding_analytics {__version__}",
    }
    rows = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in lines.items())
    return Html(f'<dl class="versions">{rows}</dl>', "\n".join(f"{term}: {text}" for term, text in lines.items()))


def column_heading(name: str) -> str:
    """Head a column in plain words, with its unit.

    Examples
    --------
    >>> column_heading("proportion"), column_heading("did_not_attend"), column_heading("lower")
    ('Share', 'Did not attend', '95% interval')
    """
    if name == "lower":
        return "95% interval"
    return HEADINGS.get(name, name.replace("_", " ").capitalize())


def page_html(
    notebook: NotebookNode,
    *,
    title: str,
    bundle: str,
    navigation: Sequence[tuple[str, str]],
    board: str = "",
    not_worked_out: str = NOT_WORKED_OUT,
) -> str:
    """An executed notebook as one page that needs nothing from outside.

    Parameters
    ----------
    notebook
        The executed notebook. Code is left out; an error is replaced by a sentence, without its message; a question to
        which nothing is shown is not asked.
    title
        Title of the page; its heading too, unless the notebook begins with one.
    bundle
        Scripts that draw the charts, from `vega_bundle`; empty for a page without scripts.
    navigation
        Address and text of the pages of the pack.
    board
        Name of the board; stands at the top of the page and in its title.
    not_worked_out
        Sentence that stands where a cell failed.
    """
    body = _body_html(notebook, not_worked_out)
    heading = "<h1" not in body
    scripts = _scripts(bundle)
    about = {"title": title, "board": board, "navigation": navigation}
    return _filled("page.html.j2", body=body, heading=heading, scripts=scripts, **about)


def page_shell(*, title: str) -> tuple[str, str]:
    """What stands before and after the body of a page with charts: for pages whose body is made while they are sent.

    The body brings its own ``<h1>``.
    """
    body = "<!-- the body -->"
    page = _filled("page.html.j2", title=title, navigation=[], body=body, scripts=_scripts(vega_bundle()))
    before, after = page.split(body)
    return before, after


def message_html(sentence: str, *, title: str, navigation: Sequence[tuple[str, str]], board: str = "") -> str:
    """A page that says one sentence, such as why the page is not there."""
    body = f'<p class="message">{escape(sentence)}</p>'
    about = {"title": title, "board": board, "navigation": navigation}
    return _filled("page.html.j2", body=body, heading=True, scripts=[], **about)


def index_html(
    *,
    board: str,
    pages: Sequence[Mapping[str, str]],
    made_on: str,
    notes: Sequence[str],
    tables: Sequence[tuple[str, str]] = (),
) -> str:
    """The page to open first: what was made, the answer of each page, and how numbers are protected.

    Parameters
    ----------
    board
        Name of the board.
    pages
        Per page its ``title``, ``href``, ``question`` and ``headline``.
    made_on
        Day in words.
    notes
        Sentences about the data.
    tables
        Address and title of each safe table of the release.
    """
    return _filled(
        "index.html.j2",
        title="Safeguarding figures",
        navigation=[],
        scripts=[],
        board=board,
        pages=pages,
        made_on=made_on,
        notes=notes,
        tables=tables,
        hidden_note=f"[c] = {HIDDEN_NOTE}.",
    )


def _vl_version() -> str:
    """The Vega-Lite version Altair writes, as vl_convert names it."""
    from altair.vegalite.v6 import SCHEMA_VERSION

    return ".".join(SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def _render(spec: dict[str, Any], **_: object) -> dict[str, str]:
    return {"text/html": figure_html(spec)}


def _cell(name: str, row: Mapping[str, Any], shape: Shape) -> str:
    value = row[name]
    if value is None:
        if name not in shape.columns and name != "neighbours":
            return "not stated"
        if row["mark"] and name not in shape.context:
            return str(row["mark"])
        return "tied at the cut" if name == "selected" else "–"
    if name in PER_CENT:
        return percent(value, row.get(PER_CENT[name]))
    if name == "lower":
        ends = (value, row["upper"])
        if shape.name == "proportion":
            return " to ".join(percent(end, row["denominator"]) for end in ends)
        return " to ".join(f"{end:z,.1f}" for end in ends)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:z,.2f}" if name == "standard_error" else f"{value:z,.1f}"
    return f"{value:,}" if isinstance(value, int) and name in shape.columns else str(value)


def _row_html(line: Sequence[str], columns: Sequence[str], names: Sequence[str], right: Sequence[bool]) -> str:
    cells = [
        f'<th scope="row">{escape(cell)}</th>'
        if column in names
        else f'<td class="number">{escape(cell)}</td>'
        if is_number
        else f"<td>{escape(cell)}</td>"
        for cell, column, is_number in zip(line, columns, right, strict=True)
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _table_html(caption: str, headings: Sequence[str], right: Sequence[bool], rows: str, notes: Sequence[str]) -> str:
    head = "".join(
        f'<th scope="col" class="number">{escape(heading)}</th>'
        if is_number
        else f'<th scope="col">{escape(heading)}</th>'
        for heading, is_number in zip(headings, right, strict=True)
    )
    below = f'<p class="note">{" ".join(escape(note) for note in notes)}</p>' if notes else ""
    table = f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f"{_scroll_region(table, caption)}{below}"


def _scroll_region(table: str, name: str) -> str:
    """A wide table scrolls by itself, with the keyboard too, and the page stays put."""
    return f'<div class="wide" role="region" tabindex="0" aria-label="{escape(name)}">{table}</div>'


def prose(html: str) -> str:
    """Markdown made HTML, without link signs behind headings, and with tables that scroll."""
    without_signs = re.sub(r'<a class="anchor-link"[^>]*>.*?</a>', "", html)
    return re.sub(
        r"<table>.*?</table>", lambda found: _scroll_region(found[0], "Table"), without_signs, flags=re.DOTALL
    )


def _body_html(notebook: NotebookNode, not_worked_out: str) -> str:
    from nbconvert.exporters import HTMLExporter

    answered = deepcopy(notebook)
    answered.cells = [cell for section in _sections(notebook) if not _is_unanswered(section) for cell in section]
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]  # nbconvert types its functions but not this one
        template_name="report",
        extra_template_basedirs=[str(TEMPLATES / "nbconvert" / "templates")],
        exclude_input=True,
        filters={"prose": prose},
    )
    body, _ = exporter.from_notebook_node(answered, resources={"not_worked_out": not_worked_out})
    return str(body)


def _sections(notebook: NotebookNode) -> list[list[NotebookNode]]:
    """The cells of a notebook by question: each begins with a heading of the second level."""
    sections: list[list[NotebookNode]] = [[]]
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            sections.append([])
        sections[-1].append(cell)
    return sections


def _is_unanswered(section: list[NotebookNode]) -> bool:
    """Whether a question has been asked and nothing is shown in answer, as where a board has no comparators."""
    code = [cell for cell in section if cell.cell_type == "code"]
    asked = bool(section) and section[0].cell_type == "markdown" and section[0].source.startswith("## ")
    return asked and bool(code) and not any(_shows(output) for cell in code for output in cell.outputs)


def _shows(output: NotebookNode) -> bool:
    if output.output_type in ("stream", "error"):
        return True
    return any(str(value).strip() for value in output.get("data", {}).values())


def _scripts(bundle: str) -> list[str]:
    return [bundle, (TEMPLATES / "page.js").read_text(encoding="utf-8")] if bundle else []


def _filled(template: str, *, scripts: Sequence[str], **values: Any) -> str:
    allowed = " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
    policy = (
        f"default-src 'none'; script-src {allowed or repr('none')}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    style = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    page = _environment().get_template(template)
    return page.render(style=style, scripts=scripts, policy=policy, version=__version__, **values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader

    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
