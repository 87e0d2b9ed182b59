import shutil
import time

import nbformat
import polars as pl
import pytest

from safeguarding_analytics import answers, charts, pages, priority_charts
from safeguarding_analytics.disclosure import already_public

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: no pages can be opened"),
    # playwright leaves the event loop of its connection to the interpreter's end
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

ARGUMENTS = [
    "--no-sandbox",  # Chromium refuses to run as root with it, as in a container
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]
LONG = "Education, schools and early years settings <b>& others</b>"
DRAWN = "document.querySelectorAll('.chart.drawn .live svg').length"


def wait_until(page, expression, seconds=30):
    """Wait for something that a page works out by itself; its policy forbids the script with which playwright waits."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"waited {seconds} s for {expression}"
        page.wait_for_timeout(20)


def made_of(name):
    shares = pl.DataFrame(
        {
            "area": ["Kent", "Kent", "England", "England"],
            "time_period": ["2024", "2025"] * 2,
            "numerator": [None, 210, 12_000, 12_900],
            "denominator": [None, 940, 60_000, 60_000],
            "proportion": [None, 0.223, 0.2, 0.215],
            "lower": [None, 0.198, 0.197, 0.212],
            "upper": [None, 0.251, 0.203, 0.218],
            "mark": ["[c]", "", "", ""],
        }
    )
    gains = pl.DataFrame(
        {
            "agency": [LONG, "B"],
            "n_pairs": [60, 20],
            "mean_change": [2.1, 0.5],
            "lower": [1.2, -1.0],
            "upper": [3.0, 2.0],
        }
    )
    places = pl.DataFrame(
        {
            "district": ["Ashford", "Dover"],
            "registered": [300, None],
            "attended": [240, None],
            "walk_ins": [12, None],
            "did_not_attend": [50, None],
            "cancelled": [22, None],
            "mark": ["", "[c]"],
        }
    )
    ranking = pl.DataFrame(
        {
            "issue": [LONG, "Neglect"],
            "score": [4, -4],
            "points": [9.0, 5.0],
            "rank": [1, 2],
            "selected": [True, False],
            "p_selected": [0.9, 0.1],
            "n_ballots": [9, 9],
        }
    )
    counts = pl.DataFrame({"agency": [LONG, "B"], "count": [1_520, None], "mark": ["", "[c]"]})
    rates = pl.DataFrame(
        {"district": ["A"], "count": [60], "population": [30_000], "rate": [20.0], "lower": [15.3], "upper": [25.7]}
    )
    tables = {
        "shares": shares,
        "gains": gains,
        "places": places,
        "ranking": ranking,
        "counts": counts,
        "rates": rates,
    }
    return already_public(tables[name], "made up")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A page of every chart and a table, as a pack writes it, with scripts and without, and an index."""
    shares = made_of("shares")
    drawn = [
        charts.plot_proportion(shares, title="Plans over the years", measure="Plans", over="time_period"),
        charts.plot_proportion(shares, title="Plans by area", measure="Plans", reference=("Aim", 0.2), group="area"),
        charts.plot_mean_change(made_of("gains"), title="Gain", meaningful_gain=1.0),
        charts.plot_attendance(made_of("places"), title="Bookings"),
        priority_charts.plot_ranking(made_of("ranking"), title="Priorities", seats=1),
        charts.plot_count(made_of("counts"), title="Who came"),
        charts.plot_rate(made_of("rates"), title="Rates"),
    ]
    outputs = [nbformat.v4.new_output("display_data", data=chart._repr_mimebundle_()) for chart in drawn]
    table = answers.show_table(shares, caption="Plans by area and year")._repr_html_()
    outputs.append(nbformat.v4.new_output("display_data", data={"text/html": table}))
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Plans\n\n## How many?\n\n| a | b |\n|---|--:|\n| 1 | 2 |"),
            nbformat.v4.new_code_cell("", outputs=outputs),
        ]
    )
    place = tmp_path_factory.mktemp("pack")
    navigation = [("index.html", "Contents"), ("page.html", "Plans")]
    for name, bundle in (("page", pages.vega_bundle()), ("still", "")):
        html = pages.page_html(notebook, title="Plans", bundle=bundle, navigation=navigation)
        (place / f"{name}.html").write_text(html, encoding="utf-8")
    entry = {"title": "Plans", "href": "page.html", "question": "How many?", "headline": "About a fifth."}
    index = pages.index_html(board="Kent", pages=[entry], made_on="3 May 2011", notes=[])
    (place / "index.html").write_text(index, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, folder):
    """Open a page; what it asks for and complains about is noted on it."""
    contexts = []

    def open_page(name, width=1024, **options):
        context = chromium.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.asked, page.complaints = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto((folder / f"{name}.html").as_uri())
        if name == "page":
            wait_until(page, f"{DRAWN} === 7")
        return page

    yield open_page
    for context in contexts:
        context.close()


def test_all_charts_are_drawn_without_a_request_or_a_complaint(opened, folder):
    page = opened("page")
    assert page.evaluate(DRAWN) == 7
    assert page.asked == [(folder / "page.html").as_uri()]
    assert page.complaints == []


def test_without_scripts_the_pictures_stand(opened):
    page = opened("still")
    widths = [box["width"] for box in (found.bounding_box() for found in page.locator(".picture svg").all())]
    assert len(widths) == 7
    assert min(widths) > 300
    assert page.complaints == []


@pytest.mark.parametrize("width", [360, 1024, 1920])
@pytest.mark.parametrize("name", ["page", "still", "index"])
def test_no_page_scrolls_sideways(opened, name, width):
    page = opened(name, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [360, 1024, 1920])
def test_no_chart_is_cut_off_at_its_edges(opened, width):
    page = opened("page", width)
    beyond = page.evaluate(
        """() => [...document.querySelectorAll('.live svg')].flatMap(svg => {
             const frame = svg.getBoundingClientRect();
             return [...svg.querySelectorAll('text')].filter(text => text.textContent).flatMap(text => {
               const box = text.getBoundingClientRect();
               return box.left < frame.left - 2 || box.right > frame.right + 2 ? [text.textContent] : [];
             });
           })"""
    )
    assert beyond == []


def test_no_picture_is_cut_off_on_paper(opened):
    page = opened("page", 794)  # A4 in pixels; paper cuts off what is beyond the text
    page.emulate_media(media="print")
    assert page.locator(".picture svg").first.is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.picture svg')).overflow") == "visible"
    beyond = page.evaluate(
        """() => [...document.querySelectorAll('.picture svg text')].filter(text => text.textContent).flatMap(text => {
             const frame = text.closest('.chart').getBoundingClientRect(), box = text.getBoundingClientRect();
             return box.left < frame.left - 1 || box.right > frame.right + 1 ? [text.textContent] : [];
           })"""
    )
    assert beyond == []


@pytest.mark.parametrize("name", ["page", "still", "index"])
def test_no_page_breaks_a_rule_of_accessibility(opened, name):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    # The policy of the page would refuse the script that axe puts into it.
    found = axe.Axe().run(opened(name, bypass_csp=True)).response
    assert [(rule["id"], [node["html"][:80] for node in rule["nodes"]]) for rule in found["violations"]] == []


def test_policy_refuses_a_script_that_is_not_the_page_s_own(opened):
    page = opened("index")
    page.evaluate(
        "() => { const one = document.createElement('script'); one.textContent = 'window.broken = 1';"
        " document.body.append(one); }"
    )
    assert page.evaluate("window.broken") is None


def test_tooltip_shows_a_name_as_text(opened):
    page = opened("page")
    page.locator(".live").nth(5).locator("path[aria-roledescription=bar]").first.hover()
    tooltip = page.locator("#vg-tooltip-element.visible")
    tooltip.wait_for()
    assert LONG in tooltip.inner_text()
    assert tooltip.locator("b").count() == 0


def test_paper_gets_the_pictures(opened):
    page = opened("page")
    page.emulate_media(media="print")
    assert page.locator(".picture").first.is_visible()
    assert not page.locator(".live").first.is_visible()
