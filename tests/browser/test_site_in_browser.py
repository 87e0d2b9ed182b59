import functools
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import unquote, urldefrag, urljoin

import pytest
from test_pages_in_browser import ARGUMENTS, CHROMIUM

from safeguarding_analytics.static_site import publish_site
from test_dashboards import MADE_UP, make_release

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: no pages can be opened"),
    # playwright leaves the event loop of its connection to the interpreter's end
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

BOARD = "A board"
PAGES = {
    "index.html": "Overview",
    "training.html": "Training",
    "knowledge.html": "Knowledge gain",
    "child_protection.html": "Child protection",
    "priorities.html": "Priorities",
    "downloads.html": "Download the tables",
    "accessibility.html": "Accessibility statement",
}
"""Every page of a site, and its title."""

NOT_CHECKED = {"repeat_plans_by_age"}
"""A table whose made-up row is called "0", which the check of a site takes for a figure that no table holds."""

SHARED = ["assets/page.css", "assets/page.js", "assets/vega.js"]
WITHOUT_CHARTS = ("downloads.html", "accessibility.html")
WAYS = ("folder", "server")
FIGURES = "document.querySelectorAll('figure.chart').length"
DRAWN = "document.querySelectorAll('figure.chart.drawn .live svg').length"
NAMES = """() => [...document.querySelectorAll('figure.chart')].map(figure => ({
  live: figure.querySelector('.live[role="graphics-document"], .live [role="graphics-document"]').ariaLabel,
  picture: figure.querySelector('.picture > svg').ariaLabel,
}))"""
WITHOUT_A_TABLE = """() => [...document.querySelectorAll('figure.chart')].filter(figure => {
  let next = figure.nextElementSibling;
  while (next && next.matches('figure.chart')) next = next.nextElementSibling;
  return !(next && next.matches('details') && next.querySelector('table'));
}).map(figure => figure.textContent.trim().slice(0, 80))"""
REACHABLE = """() => [...document.querySelectorAll('a[href], summary, select, input, button, [tabindex="0"]')]
  .filter(each => each.checkVisibility()).length"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of a release that holds nearly every table the pages ask for, in a folder of others."""
    about = {"board": BOARD, "made_on": "2011-07-02", "as_at": "2011-07-01", "data_version": "08104d23e8d5"}
    release = make_release(tmp_path_factory.mktemp("every"), tuple(MADE_UP.keys() - NOT_CHECKED), about=about)
    return publish_site(release.folder, tmp_path_factory.mktemp("web") / "board figures" / "site").folder


@pytest.fixture(scope="module")
def addresses(site):
    """Where the site is found: in its folder, and under a sub-path of a plain web server."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=site.parents[1])
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield {
            "folder": f"{site.as_uri()}/",
            "server": f"http://127.0.0.1:{server.server_port}/board%20figures/site/",
        }
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        arguments = [*ARGUMENTS, "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        browser = running.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


def opened(browser, address, name, **options):
    """Open a page; what it asks for and complains about is noted on it."""
    page = browser.new_page(viewport={"width": 1024, "height": 900}, **options)
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(address + name)
    for _ in range(
        200 if options.get("java_script_enabled", True) else 0
    ):  # the policy of the page forbids the script by which playwright would wait
        if page.evaluate(DRAWN) == page.evaluate(FIGURES):
            break
        page.wait_for_timeout(50)
    return page


@pytest.fixture(scope="module")
def views(browser, addresses):
    """Every page, from the folder and from the server."""
    return {(way, name): opened(browser, addresses[way], name) for way in WAYS for name in PAGES}


@pytest.fixture(params=[(way, name) for way in WAYS for name in PAGES], ids=" ".join)
def view(views, addresses, request):
    way, name = request.param
    return SimpleNamespace(page=views[request.param], name=name, title=PAGES[name], address=addresses[way])


def test_all_charts_of_a_page_are_drawn(view):
    drawn = view.page.evaluate(DRAWN)
    assert drawn == view.page.evaluate(FIGURES)
    assert (drawn == 0) == (view.name in WITHOUT_CHARTS)
    assert view.page.locator(".message").count() == 0


def test_page_asks_for_files_of_the_site_alone_and_complains_of_nothing(view):
    shared = SHARED[:1] if view.name in WITHOUT_CHARTS else SHARED
    assert sorted(view.page.asked) == sorted(view.address + name for name in [view.name, *shared])
    assert view.page.complaints == []
    assert view.page.context.cookies() == []


def test_page_has_one_heading_title_and_language(view):
    assert view.page.locator("h1").all_inner_texts() == [view.title]
    assert view.page.title() == f"{view.title} – {BOARD}"
    assert view.page.locator("html").get_attribute("lang") == "en-GB"


def test_every_link_of_a_page_leads_to_a_file_of_the_site(view, site):
    here = view.address + view.name
    links = [link.get_attribute("href") for link in view.page.locator("a").all()]
    inside = {urldefrag(urljoin(here, link))[0] for link in links if not link.startswith("https://")}
    found = {address.removeprefix(view.address): address for address in inside}
    assert {*PAGES} <= set(found)
    assert [name for name in found if not (site / unquote(name)).is_file()] == []


def test_every_chart_has_a_description_and_a_table_below_it(view):
    names = view.page.evaluate(NAMES)
    assert [name for name in names if len(name["live"]) < 40 or name["live"] != name["picture"]] == []
    assert len(names) == view.page.evaluate(FIGURES)
    assert view.page.evaluate(WITHOUT_A_TABLE) == []


@pytest.mark.parametrize("width", [320, 360, 1024, 1920])
def test_page_does_not_scroll_sideways(views, width):
    for name in PAGES:
        page = views["folder", name]
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(50)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name


@pytest.mark.parametrize("name", PAGES)
def test_page_breaks_no_rule_of_accessibility(browser, addresses, name):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    # The policy of the page would refuse the script that axe puts into it.
    page = opened(browser, addresses["folder"], name, bypass_csp=True)
    found = axe.Axe().run(page).response
    assert found["passes"]
    assert [(rule["id"], [node["html"][:80] for node in rule["nodes"]]) for rule in found["violations"]] == []
    page.close()


@pytest.mark.parametrize("name", ["index.html", "downloads.html"])
def test_everything_on_a_page_is_reached_with_the_keyboard(browser, addresses, name):
    page = opened(browser, addresses["folder"], name)
    wanted, reached = page.evaluate(REACHABLE), []
    for _ in range(wanted):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.outerHTML"))
    assert wanted > 10
    assert "<body" not in "".join(each[:5] for each in reached)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "BODY"  # the last one was the last on the page
    page.close()


def test_another_page_is_opened_by_its_link_and_marked_there(browser, addresses):
    page = opened(browser, addresses["server"], "index.html")
    page.get_by_role("link", name="Priorities").click()
    page.wait_for_url("**/board%20figures/site/priorities.html*")
    assert page.locator("header nav a[aria-current=page]").all_inner_texts() == ["Priorities"]
    page.get_by_role("link", name="Download the tables").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Table of repeat_plans (CSV").click()
    assert download.value.suggested_filename == "repeat_plans.csv"
    page.close()


@pytest.mark.parametrize("name", [name for name in PAGES if name not in WITHOUT_CHARTS])
def test_charts_are_seen_without_scripts(browser, addresses, name):
    page = opened(browser, addresses["folder"], name, java_script_enabled=False)
    pictures = page.locator("figure.chart .picture > svg")
    assert pictures.count() == page.locator("figure.chart").count() > 0
    assert min(picture.bounding_box()["width"] for picture in pictures.all()) > 300
    page.close()


def test_page_whose_scripts_are_missing_still_shows_its_charts(browser, site, tmp_path):
    shutil.copytree(site, tmp_path / "site")
    (tmp_path / "site" / "assets" / "vega.js").unlink()
    page = browser.new_page()
    page.goto((tmp_path / "site" / "index.html").as_uri())
    assert page.locator("figure.chart .picture > svg").first.is_visible()
    page.close()
