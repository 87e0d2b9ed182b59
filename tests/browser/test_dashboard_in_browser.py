import pytest
from test_pages_in_browser import ARGUMENTS, CHROMIUM

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: no pages can be opened"),
    # playwright leaves the event loop of its connection to the interpreter's end
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

NAMES = ("training_reach_by_agency", "knowledge_gain", "repeat_plans", "priorities")
DRAWN = "document.querySelectorAll('.chart.drawn .live svg').length"


@pytest.fixture(scope="module")
def release(demo_report):
    """The release of the synthetic board."""
    return demo_report.made.release


@pytest.fixture(scope="module")
def page(serve, release):
    """The dashboard in Chromium; what it asks for and complains about is noted on it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    served = serve(release.folder)
    with playwright.sync_playwright() as running:
        arguments = [*ARGUMENTS, "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        browser = running.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(viewport={"width": 1024, "height": 900})
        page.asked, page.complaints, page.sockets = [], [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("websocket", lambda opened: page.sockets.append(opened.url))
        page.address = f"http://127.0.0.1:{served.port}/"
        page.goto(page.address)
        page.wait_for_function(f"{DRAWN} === 4")
        yield page
        browser.close()


def test_four_charts_are_drawn_with_the_headlines_of_the_release(page, release):
    assert page.evaluate(DRAWN) == page.locator("figure.chart").count() == 4
    headlines = [release.entry(name).headline for name in NAMES]
    assert all(headlines)
    assert page.locator("p.headline").all_inner_texts() == headlines
    assert page.locator(".message").count() == 0


def test_dashboard_asks_for_itself_alone_and_complains_of_nothing(page):
    page.wait_for_timeout(500)
    assert page.asked == [page.address]
    assert page.sockets == []
    assert page.complaints == []


def test_dashboard_has_one_heading_title_and_language(page):
    assert page.locator("h1").all_inner_texts() == ["Overview"]
    assert page.title() == "Overview of the release"
    assert page.locator("html").get_attribute("lang") == "en-GB"


def test_numbers_behind_a_chart_open_with_the_keyboard(page):
    details = page.locator("details").first
    assert not details.locator("table").is_visible()
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "SUMMARY":
            break
    page.keyboard.press("Enter")
    assert details.locator("table").is_visible()


@pytest.mark.parametrize("width", [360, 1024, 1920])
def test_dashboard_does_not_scroll_sideways_with_all_tables_open(page, width):
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_dashboard_breaks_no_rule_of_accessibility(page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(page).response
    assert [(rule["id"], [node["html"][:80] for node in rule["nodes"]]) for rule in found["violations"]] == []
    assert found["passes"]
