"""Numbers of figures as a reader meets them: seen, heard, and on paper."""

import re
import shutil
import zlib

import nbformat
import polars as pl
import pytest

from safeguarding_analytics import charts, pages
from safeguarding_analytics.disclosure import already_public

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: no pages can be opened"),
    # playwright leaves the event loop of its connection to the interpreter's end
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

BOARD = "Kent & Medway"


@pytest.fixture(scope="module")
def notebook():
    shares = pl.DataFrame(
        {"area": ["Kent"], "numerator": [3], "denominator": [6], "proportion": [0.5], "lower": [0.1], "upper": [0.9]}
    )
    safe = already_public(shares.with_columns(mark=pl.lit("")), "DfE, table D3")
    bundles = [
        charts.plot_proportion(safe, title=title, measure="Plans")._repr_mimebundle_() for title in ("Some", "More")
    ]
    outputs = [nbformat.v4.new_output("display_data", data=data) for data in bundles]
    cells = [nbformat.v4.new_markdown_cell("# Plans\n\n## How many?"), nbformat.v4.new_code_cell("", outputs=outputs)]
    return nbformat.v4.new_notebook(cells=cells)


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, notebook, tmp_path):
    """Open the page as one of a pack, or as one of a dashboard."""
    page = chromium.new_page()

    def show(chapter):
        html = pages.page_html(notebook, title="Plans", bundle="", navigation=[], board=BOARD, chapter=chapter)
        (tmp_path / "page.html").write_text(html, encoding="utf-8")
        page.goto((tmp_path / "page.html").as_uri())
        return page

    yield show
    page.close()


def heard(page):
    """What a screen reader is told, in its order."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    return "".join(node["name"]["value"] for node in nodes if node["role"]["value"] == "StaticText")


@pytest.mark.parametrize(("chapter", "numbers"), [(2, ["2.1", "2.2"]), (0, ["1", "2"])])
def test_numbers_of_figures_are_read_aloud_with_that_of_their_page_where_it_has_one(opened, chapter, numbers):
    text = heard(opened(chapter))
    assert re.findall(r"Figure (\S+)\. (Some|More)", text) == list(zip(numbers, ["Some", "More"], strict=True))


def test_printed_page_is_a4_and_a_link_of_the_contents_leads_to_its_figure(opened):
    page = opened(2)
    printed = page.pdf(prefer_css_page_size=True)
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed)
    assert {(round(float(width)), round(float(height))) for width, height in boxes} == {(595, 842)}
    page.goto(f"{page.url}#figure-2")
    assert page.evaluate("document.querySelector(':target figcaption').textContent") == "More"


def test_foot_of_a_printed_page_says_whose_it_is_and_which_of_how_many(chromium, tmp_path):
    # Letters are glyphs of an embedded font; its map back to letters has those alone that are printed. So the page has
    # none of those of "Page" and "JQ" but at its foot.
    html = pages.text_html("<p>x</p>", title="x", navigation=[], board="JQ").replace('<p class="board">JQ</p>', "")
    assert "JQ" not in re.sub(r"<(title|style)>.*?</\1>", "", html, flags=re.DOTALL)
    found = {}
    for name, content in (("foot", html), ("none", re.sub(r"content: [^;]*;", "", html))):
        (tmp_path / f"{name}.html").write_text(content, encoding="utf-8")
        page = chromium.new_page()
        page.goto((tmp_path / f"{name}.html").as_uri())
        found[name] = letters_of(page.pdf(prefer_css_page_size=True, tagged=False))
        page.close()
    assert set("JQP") <= found["foot"]
    assert not set("JQP") & found["none"]


def letters_of(printed):
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", printed, re.DOTALL)
    unpacked = b"\n".join(map(unpack, streams))
    pairs = re.findall(rb"^<\w{4}> <(\w{4})>$", unpacked, re.MULTILINE)
    ranges = re.findall(rb"^<(\w{4})> <(\w{4})> <(\w{4})>$", unpacked, re.MULTILINE)
    runs = [(int(first, 16), int(last, 16), int(letter, 16)) for first, last, letter in ranges]
    return {chr(int(code, 16)) for code in pairs} | {
        chr(letter + place) for first, last, letter in runs for place in range(last - first + 1)
    }


def unpack(stream):
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""
