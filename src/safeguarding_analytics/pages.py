"""What a page is made of: tables, sentences, and the page around them and the figures.

A page asks for nothing from outside. Its data always stand in it; style and scripts do, too, but for pages of a site,
which share one file of each. The content security policy of a page allows the scripts that it was written with, or
those of its own site, and no others.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from functools import cache
from hashlib import sha256
from html import escape, unescape
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from safeguarding_analytics import __version__
from safeguarding_analytics.answers import NOT_ANSWERED, NUMBERS_BEHIND, scroll_region
from safeguarding_analytics.cells import HIDDEN_NOTE
from safeguarding_analytics.chart_figures import vega_lite_version
from safeguarding_analytics.chart_rows import MARGINS, TO_CHOOSE
from safeguarding_analytics.errors import in_words
from safeguarding_analytics.kept_texts import kept_text

if TYPE_CHECKING:
    from jinja2 import Environment
    from nbformat import NotebookNode

TEMPLATES = Path(__file__).parent / "templates"

OVERVIEW = "Overview"
"""What pages call the first one: of a pack, of a site and of a dashboard."""

STYLE, SCRIPT, VEGA = "page.css", "page.js", "vega.js"
"""Files that pages are made with, and that those of a site share."""

FEW_QUESTIONS = 4
"""Up to so many questions of a page are seen without a list of them."""

_QUESTION = re.compile(r'<h2 id="(?P<name>[^"]*)">(?P<text>.*?)</h2>', re.DOTALL)
_NUMBERED = re.compile(
    r'(?P<figure><figure class="chart")(?P<caption>><figcaption><strong)(?=>)'
    r'|(?P<heading><h[1-6] id=")(?P<name>[^"]*)"'
    rf"|(?P<behind><summary>){re.escape(NUMBERS_BEHIND)}(?=</summary>)"
)
_BEFORE_FIRST_QUESTION = re.compile(r'(<div class="prose">\s*)?<h2 id="')

NOT_WORKED_OUT = "This part could not be worked out."

LEFT_OPEN = """\
## What does this release not answer?

The board's folder did not hold what these questions take, or they were not asked:

"""
"""Heads the questions of a page to which a release has no answer."""

PROTECTION = (
    f"Where a mark such as [c] or * stands: {HIDDEN_NOTE}. Before a release is made, its tables are checked together: "
    "where the check finds that a hidden number follows from the others, no release is made. No names and no "
    "pseudonyms of persons are published. What a reader knows from elsewhere cannot be checked."
)
"""How the numbers of a pack are protected."""


@cache
def vega_bundle() -> str:
    """The scripts that draw charts, in one text, without any request; two seconds the first time on a computer.

    They define ``vegaEmbed`` and nothing else.
    """
    import vl_convert

    def bundle() -> str:
        scripts = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vega_lite_version())
        return f"(function () {{\n{scripts}\n}})();"

    return kept_text("vega", f"{version('vl-convert-python')}-{vega_lite_version()}", bundle)


def page_html(
    notebook: NotebookNode,
    *,
    title: str,
    bundle: str,
    navigation: Sequence[tuple[str, str]],
    board: str = "",
    not_worked_out: str = NOT_WORKED_OUT,
    layout: str = "",
    every: int = 0,
    assets: str = "",
    chapter: int = 0,
    more: Sequence[tuple[str, str]] = (),
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
    layout
        ``"projector"``: large, side by side, to be read from the back of a room.
    every
        Seconds after which the page is loaded again; 0: it never is.
    assets
        Address of the folder with the files of `asset_files`, which pages of a site share; empty: style and scripts
        stand in the page, and nothing else is loaded. Then ``bundle`` is not used.
    chapter
        Number of the page in its pack, before the numbers of its figures; 0: they have none before them.
    more
        Address and text of what the foot of the page leads to, such as an accessibility statement.
    """
    body = with_contents(_body_html(notebook, not_worked_out), chapter)
    return _filled(
        "page.html.j2",
        body=body,
        heading="<h1" not in body,
        scripts=[] if assets else _scripts(bundle),
        title=title,
        board=board,
        navigation=navigation,
        layout=layout,
        every=every,
        assets=assets,
        chapter=chapter,
        more=more,
        margins=json.dumps(MARGINS),
        choices=json.dumps(TO_CHOOSE),
    )


def text_html(
    body: str,
    *,
    title: str,
    navigation: Sequence[tuple[str, str]],
    board: str = "",
    assets: str = "",
    more: Sequence[tuple[str, str]] = (),
    again: int = 0,
) -> str:
    """A page of text that is HTML already, without charts; loaded anew after so many seconds, if they are given."""
    return _filled(
        "page.html.j2",
        body=body,
        heading=True,
        scripts=[f"setTimeout(() => location.reload(), {1000 * again});"] if again else [],
        assets=assets,
        charts=False,
        title=title,
        board=board,
        navigation=navigation,
        more=more,
    )


def message_html(sentence: str, *, title: str, navigation: Sequence[tuple[str, str]], board: str = "") -> str:
    """A page that says one sentence, such as why the page is not there."""
    return text_html(f'<p class="message">{escape(sentence)}</p>', title=title, navigation=navigation, board=board)


def asset_files() -> dict[str, str]:
    """What the pages of a site share, by the name of the file: the style, the scripts that draw charts, and ours."""
    ours = {name: (TEMPLATES / name).read_text(encoding="utf-8") for name in (STYLE, SCRIPT)}
    return {**ours, VEGA: vega_bundle()}


def index_html(
    *,
    board: str,
    pages: Sequence[Mapping[str, Any]],
    made_on: str,
    notes: Sequence[str],
    tables: Sequence[tuple[str, str]] = (),
    pdf: str = "",
    workbook: str = "",
) -> str:
    """The page to open first: what was made, the answer of each page, and how numbers are protected.

    Parameters
    ----------
    board
        Name of the board.
    pages
        Per page its ``title``, ``href``, ``question`` and ``headline``; and, for the contents, the ``sections`` and
        ``figures`` on it, as a `page_parts.Outline` has them.
    made_on
        Day in words.
    notes
        Sentences about the data.
    tables
        Address and title of each safe table of the release.
    pdf
        Address of the pack as a PDF; empty where there is none.
    workbook
        Address of the workbook of all tables; empty where there is none.
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
        pdf=pdf,
        workbook=workbook,
        protection=PROTECTION,
    )


def prose(html: str) -> str:
    """Markdown made HTML, without link signs behind headings, and with tables that scroll."""
    without_signs = re.sub(r'<a class="anchor-link"[^>]*>.*?</a>', "", html)
    return re.sub(r"<table>.*?</table>", lambda found: scroll_region(found[0], "Table"), without_signs, flags=re.DOTALL)


def _body_html(notebook: NotebookNode, not_worked_out: str) -> str:
    from nbconvert.exporters import HTMLExporter

    exporter = HTMLExporter(  # type: ignore[no-untyped-call]  # nbconvert types its functions but not this one
        template_name="report",
        extra_template_basedirs=[str(TEMPLATES / "nbconvert" / "templates")],
        exclude_input=True,
        filters=FILTERS,
    )
    # Its own conversion would read and write the page once more with BeautifulSoup; Voilà goes without that, too.
    body, _ = super(HTMLExporter, exporter).from_notebook_node(
        _without_warnings(notebook), resources={"not_worked_out": not_worked_out}
    )
    return str(body)


def _without_warnings(notebook: NotebookNode) -> NotebookNode:
    """What Voilà leaves of the outputs of a cell, too: a warning is no answer."""
    shown = deepcopy(notebook)
    for cell in shown.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return shown


def answered(cells: Iterable[NotebookNode]) -> list[NotebookNode]:
    """The cells of an executed notebook that its page shows, be it made by nbconvert or by Voilà.

    Parameters
    ----------
    cells
        All cells of the notebook, executed.

    Returns
    -------
    list[NotebookNode]
        The same without the questions to which nothing is shown, and without the sentences under charts that are not
        there.
    """
    shown = [section for section in _sections(cells) if not _is_unanswered(section)]
    left_open = [section for section in shown if _is_left_open(section)]
    cells = [cell for section in shown if section not in left_open for cell in _with_charts_explained(section)]
    return [*cells, *_named_at_the_end(left_open)]


FILTERS = {"answered": answered, "prose": prose}
"""What the templates of a page's body need."""


def with_contents(body: str, chapter: int = 0) -> str:
    """The cells of a page with an anchor at each question and figure and, where there are many questions, their list.

    Parameters
    ----------
    body
        HTML of the cells of a notebook, as nbconvert or Voilà writes it.
    chapter
        Number of the page in its pack, before the numbers of its figures; 0: they have none before them.

    Examples
    --------
    >>> with_contents('<h2 id="Who">Who?</h2><h2 id="Who">Who else?</h2>')
    '<h2 id="Who">Who?</h2><h2 id="Who-2">Who else?</h2>'
    """
    anchored = _with_anchors(body, chapter)
    questions = [(found["name"], found["text"]) for found in _QUESTION.finditer(anchored)]
    if len(questions) <= FEW_QUESTIONS:
        return anchored
    entries = "".join(f'<li><a href="#{quote(unescape(name))}">{text}</a></li>' for name, text in questions)
    contents = (
        '<nav class="contents" aria-label="On this page"><details open><summary>On this page</summary>'
        f"<ol>{entries}</ol></details></nav>\n"
    )
    return _BEFORE_FIRST_QUESTION.sub(lambda found: contents + found[0], anchored, count=1)


def _with_anchors(body: str, chapter: int) -> str:
    """The same with an anchor and a number at each figure, and no anchor twice, so that all can be linked to.

    The number stands here alone: style, script, contents and PDF take it from the caption.
    """
    taken = {"main": 1}
    figures, before = 0, list[str]()

    def named(found: re.Match[str]) -> str:
        nonlocal figures
        if found["figure"]:
            figures += 1
            number = f"{chapter}.{figures}" if chapter else str(figures)
            before.append(number)
            anchor = _free(f"figure-{figures}", taken)
            name = f'id="{anchor}" aria-labelledby="{anchor}-title"'
            return f'{found["figure"]} {name}{found["caption"]} id="{anchor}-title" data-number="{number}"'
        if found["behind"]:
            numbers = in_words(before) or "the chart"
            title = f"Figure{'s' if len(before) > 1 else ''} {numbers}" if before else numbers
            before.clear()
            return f"{found['behind']}{NUMBERS_BEHIND.replace('the chart', title)}"
        return f'{found["heading"]}{_free(found["name"], taken)}"'

    return _NUMBERED.sub(named, body)


def _free(name: str, taken: dict[str, int]) -> str:
    """A name that no other anchor of the page has: this one, or it with a number."""
    taken[name] = taken.get(name, 0) + 1
    return name if taken[name] == 1 else _free(f"{name}-{taken[name]}", taken)


def _sections(cells: Iterable[NotebookNode]) -> list[list[NotebookNode]]:
    """The cells of a notebook by question: each begins with a heading of the second level."""
    sections: list[list[NotebookNode]] = [[]]
    for cell in cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            sections.append([])
        sections[-1].append(cell)
    return sections


def _is_unanswered(section: list[NotebookNode]) -> bool:
    """Whether a question has been asked and nothing is shown in answer, as where a board has no comparators."""
    code = [cell for cell in section if cell.cell_type == "code"]
    asked = bool(section) and section[0].cell_type == "markdown" and section[0].source.startswith("## ")
    return asked and bool(code) and not any(_shows(output) for cell in code for output in cell.outputs)


def _is_left_open(section: list[NotebookNode]) -> bool:
    """Whether a question has been asked and all that is said is that the release has no answer."""
    outputs = [output for cell in section if cell.cell_type == "code" for output in cell.outputs]
    said = {str(output.get("data", {}).get("text/plain", "")).strip() for output in outputs}
    return bool(section) and section[0].source.startswith("## ") and said == {NOT_ANSWERED}


def _named_at_the_end(sections: Sequence[list[NotebookNode]]) -> list[NotebookNode]:
    """A cell that names questions that are left open; none where there are none."""
    if not sections:
        return []
    cell = deepcopy(sections[0][0])
    questions = (section[0].source.splitlines()[0].removeprefix("## ") for section in sections)
    cell.source = LEFT_OPEN + "\n".join(f"- {question}" for question in questions)
    return [cell]


def _with_charts_explained(section: list[NotebookNode]) -> list[NotebookNode]:
    """The cells of a question without the sentence under a chart that is not there, as where all of it is hidden."""
    before = [None, *section]
    return [cell for cell, above in zip(section, before, strict=False) if not _explains_nothing(cell, above)]


def _explains_nothing(cell: NotebookNode, above: NotebookNode | None) -> bool:
    if cell.cell_type != "markdown" or above is None or above.cell_type != "code" or "plot_" not in above.source:
        return False
    drawn = [str(output.get("data", {}).get("text/html", "")) for output in above.outputs]
    return not cell.source.startswith("#") and not any("<figure" in html for html in drawn)


def _shows(output: NotebookNode) -> bool:
    if output.output_type in ("stream", "error"):
        return True
    return any(str(value).strip() for value in output.get("data", {}).values())


def _scripts(bundle: str) -> list[str]:
    return [bundle, (TEMPLATES / SCRIPT).read_text(encoding="utf-8")] if bundle else []


def _filled(
    template: str, *, scripts: Sequence[str], assets: str = "", charts: bool = True, chapter: int = 0, **values: Any
) -> str:
    allowed = [f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts]
    addresses = [f"{assets}/{name}" for name in (VEGA, SCRIPT)] if assets and charts else []
    own = "'self'"
    policy = (
        f"default-src 'none'; script-src {' '.join(allowed) or (own if addresses else repr('none'))}; "
        f"style-src {f'{own} ' if assets else ''}'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    return from_template(
        template,
        style="" if assets else (TEMPLATES / STYLE).read_text(encoding="utf-8"),
        stylesheet=f"{assets}/{STYLE}" if assets else "",
        scripts=scripts,
        addresses=addresses,
        policy=policy,
        chapter=chapter,
        version=__version__,
        **values,
    )


def from_template(template: str, **values: Any) -> str:
    """A template of ours with these values in it, each escaped unless the template says that it is HTML."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader

    made = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    made.filters["for_style"] = _for_style
    return made


def _for_style(text: str) -> str:
    """A text between the quotation marks of a style sheet, where only letters and digits stand for themselves."""
    return "".join(each if each.isalnum() else f"\\{ord(each):x} " for each in text)
