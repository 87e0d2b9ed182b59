from types import SimpleNamespace

import pytest
from test_pages_in_browser import ARGUMENTS, CHROMIUM, wait_until

from safeguarding_analytics import viewers
from safeguarding_analytics.dashboards import NOT_ANSWERED
from safeguarding_analytics.viewers import BEING_WORKED_OUT
from test_dashboards import make_release
from test_serving_attack import ANSWER, BASE, TOKEN, Quick

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: no pages can be opened"),
    # playwright leaves the event loop of its connection to the interpreter's end
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

PAGES = ["Overview", "Training", "Knowledge gain", "Child protection", "Priorities"]
NAMES = ("training_reach_by_agency", "knowledge_gain", "repeat_plans", "priorities")
SLOW = 120_000
"""Milliseconds: the first page of each release waits for its kernel."""

DRAWN = "document.querySelectorAll('.chart.drawn .live svg').length"
WAITING = "document.querySelectorAll('figure.chart:not(.drawn)').length"
VIEWS = {
    "overview": ("demo", "/", "Overview"),
    "training": ("demo", "/training", "Training"),
    "training, every table": ("all", "/training", "Training"),
    "knowledge": ("demo", "/knowledge", "Knowledge gain"),
    "knowledge, every table": ("all", "/knowledge", "Knowledge gain"),
    "child protection": ("demo", "/child_protection", "Child protection"),
    "child protection, every table": ("all", "/child_protection", "Child protection"),
    "priorities": ("demo", "/priorities", "Priorities"),
    "priorities, every table": ("all", "/priorities", "Priorities"),
}
"""Release, address and heading of each page that is looked at."""


@pytest.fixture(scope="module")
def releases(demo_report, tmp_path_factory):
    """The release of the synthetic board, and one that holds every table a dashboard asks for."""
    every = make_release(
        tmp_path_factory.mktemp("all"), about={**demo_report.made.release.manifest, "board": "A board"}
    )
    return {"demo": demo_report.made.release, "all": every}


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        arguments = [*ARGUMENTS, "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        browser = running.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def opened(browser, serve, releases):
    """Open an address of a dashboard; what the page asks for and complains about is noted on it."""
    served = {name: serve(release.folder) for name, release in releases.items()}

    def open_page(release, address, **options):
        page = browser.new_page(viewport={"width": 1024, "height": 900}, **options)
        page.asked, page.complaints, page.sockets = [], [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("websocket", lambda opened: page.sockets.append(opened.url))
        page.server = f"http://127.0.0.1:{served[release].port}"
        page.goto(page.server + address, timeout=SLOW)
        # A page that is not ready loads itself again until it is.
        page.locator("h1", has_not_text="Page being worked out").first.wait_for(timeout=SLOW)
        wait_until(page, f"{WAITING} === 0", SLOW / 1000)
        return page

    return open_page


@pytest.fixture(scope="module")
def views(opened):
    return {name: opened(release, address) for name, (release, address, _) in VIEWS.items()}


@pytest.fixture(params=VIEWS)
def view(views, request):
    """Each of the pages, and what it should be."""
    release, address, heading = VIEWS[request.param]
    return SimpleNamespace(page=views[request.param], release=release, address=address, heading=heading)


def in_focus(page):
    return page.evaluate("[document.activeElement.tagName, document.activeElement.textContent.trim()]")


def broken_rules(page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(page).response
    assert found["passes"]
    return [(rule["id"], [node["html"][:80] for node in rule["nodes"]]) for rule in found["violations"]]


def test_overview_draws_four_charts_with_the_headlines_of_the_release(views, releases):
    page = views["overview"]
    assert page.evaluate(DRAWN) == page.locator("figure.chart").count() == 4
    headlines = [releases["demo"].entry(name).headline for name in NAMES]
    assert all(headlines)
    assert page.locator("p.headline").all_inner_texts() == headlines


def test_training_page_draws_a_chart_of_each_table_but_those_of_induction_and_costs(views):
    page = views["training, every table"]
    assert page.evaluate(DRAWN) == page.locator("figure.chart").count() == 11
    assert page.locator("details:has(table)").count() == 11
    shown = page.locator("table:visible caption").all_inner_texts()
    assert shown == ["Table of induction_on_time", "Table of training_cost"]


def test_knowledge_page_draws_who_answered_the_gain_the_questions_groups_courses_and_what_was_left(views):
    page = views["knowledge, every table"]
    assert page.evaluate(DRAWN) == page.locator("figure.chart").count() == 9
    assert page.locator("details:has(table)").count() == 8  # the gain has two charts of one table
    assert page.locator("table:visible caption").all_inner_texts() == [
        *("Table of effect_sizes", "Table of gain_under_assumptions", "Table of answered_once"),
        *("Table of rating_changes", "Table of knowledge_gain_by_starting_score", "Table of all_points"),
        "Table of follow_up_retention",
    ]


def test_knowledge_page_of_the_demonstration_says_its_headlines(views, releases):
    release = releases["demo"]
    said = views["knowledge"].locator("p.headline").all_inner_texts()
    headlines = [release.entry(name).headline for name in ("answers", "knowledge_gain", "effect_sizes")]
    assert all(headlines)
    assert [headline for headline in headlines if headline not in said] == []


def test_training_page_draws_its_charts_to_the_target(views):
    text = views["training, every table"].locator(".live svg").all_text_contents()
    # People reached to date are drawn to the target of all districts together; a table without one, to none.
    assert sum("target 480" in words for words in text) == 1
    assert any("target 300" in words and "target 180" in words for words in text)


def test_child_protection_page_draws_a_chart_of_each_table_but_that_of_reviews(views):
    page = views["child protection, every table"]
    assert page.evaluate(DRAWN) == page.locator("figure.chart").count() == 13
    assert page.locator("details:has(table)").count() == 13
    shown = page.locator("table:visible caption").all_inner_texts()
    assert shown == ["Table of reviews_on_time"]


def test_child_protection_page_of_the_demonstration_says_its_headlines(views, releases):
    release = releases["demo"]
    said = views["child protection"].locator("p.headline").all_inner_texts()
    names = [
        *("repeat_plans", "repeat_plans_within_months", "time_to_next_plan", "repeat_plans_by_initial_category"),
        *("repeat_plans_by_district", "repeat_plans_by_age", "plan_rates", "open_plans_by_category", "long_plans"),
        *("conferences_on_time", "reviews_on_time", "plans_started_control_chart"),
    ]
    headlines = [release.entry(name).headline for name in names]
    assert all(headlines)
    assert said == headlines
    last = views["child protection"].locator("h2").last.inner_text()
    assert last == "What does this release not answer?"  # no figures of others, so no comparison and no funnel
    assert NOT_ANSWERED not in views["child protection"].content()


def test_every_part_of_a_page_is_worked_out(view):
    assert view.page.locator(".message").count() == 0
    assert view.page.evaluate(DRAWN) == view.page.locator("figure.chart").count() > 0


def test_page_asks_for_itself_alone_and_complains_of_nothing(view):
    view.page.wait_for_timeout(500)
    assert {*view.page.asked} == {view.page.server + view.address}  # again, while it was being worked out
    assert view.page.sockets == []
    assert view.page.complaints == []


def test_page_has_one_heading_title_and_language(view, releases):
    assert view.page.locator("h1").all_inner_texts() == [view.heading]
    assert view.page.title() == f"{view.heading} – {releases[view.release].manifest['board']}"
    assert view.page.locator("html").get_attribute("lang") == "en-GB"


def test_page_marks_itself_in_the_navigation(view):
    assert view.page.locator("header nav a").all_inner_texts() == PAGES
    assert view.page.locator("header nav a[aria-current=page]").all_inner_texts() == [view.heading]


def test_numbers_behind_a_chart_open_with_the_keyboard(view):
    details = view.page.locator("details:has(table)").first
    assert not details.locator("table").is_visible()
    for _ in range(60):  # the navigation, the contents and the choices come first
        view.page.keyboard.press("Tab")
        if details.locator("summary").evaluate("summary => summary === document.activeElement"):
            break
    view.page.keyboard.press("Enter")
    assert details.locator("table").is_visible()


@pytest.mark.parametrize("width", [360, 1024, 1280, 1920])
def test_page_does_not_scroll_sideways_with_all_tables_open(view, width):
    view.page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    view.page.set_viewport_size({"width": width, "height": 900})
    view.page.wait_for_timeout(200)
    assert view.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_chosen_agency_is_set_off_in_charts_and_tables_without_asking_the_server(opened):
    page = opened("demo", "/training")
    asked, before = len(page.asked), page.locator("figure.chart .live").first.inner_html()
    page.locator("form.choices").get_by_label("Agency", exact=True).select_option("Kent Police")
    wait_until(page, "document.querySelectorAll('figure.chart.altered').length > 0")
    assert page.locator(".choices [role=status]").inner_text().startswith("Kent Police: highlighted in ")
    assert page.locator("tr.picked").first.locator("th").first.text_content() == "Kent Police"
    assert page.locator("figure.chart.altered .live").first.inner_html() != before
    page.get_by_label("Show only what is chosen").check()
    assert "shown alone (beside totals) in" in page.locator(".choices [role=status]").inner_text()
    assert page.url.endswith("/training#Agency=Kent+Police&only=1")
    assert (len(page.asked), page.sockets, page.complaints) == (asked, [], [])
    page.close()


def test_page_breaks_no_rule_of_accessibility(view):
    assert broken_rules(view.page) == []


def test_pages_are_changed_with_the_keyboard(opened):
    page = opened("demo", "/")
    seen = []
    for _ in range(1 + len(PAGES)):
        page.keyboard.press("Tab")
        seen.append(in_focus(page))
    assert seen == [["A", "Skip to the content"], *(["A", name] for name in PAGES)]
    for _ in range(len(PAGES) - 2):
        page.keyboard.press("Shift+Tab")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    wait_until(page, f"{WAITING} === 0")
    assert page.url == f"{page.server}/training"
    assert page.locator("header nav a[aria-current=page]").all_inner_texts() == ["Training"]
    assert page.complaints == []
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # skips the navigation
    assert page.evaluate("document.activeElement.id") == "main"
    page.close()


def test_link_with_the_token_in_a_page_of_another_site_leads_to_the_figures_and_leaves_no_token(browser):
    quick = Quick(TOKEN)
    context = browser.new_context()
    try:
        page = context.new_page()
        asked = []
        page.on("request", lambda request: asked.append(request.headers))
        page.route(
            "http://mail.example/",
            lambda route: route.fulfill(
                content_type="text/html",
                body=f'<a href="http://127.0.0.1:{quick.port}{BASE}training?token={TOKEN}">The figures</a>',
            ),
        )
        page.goto("http://mail.example/")
        page.get_by_role("link").click()
        page.get_by_text(ANSWER).wait_for()
        assert page.url == f"http://127.0.0.1:{quick.port}{BASE}training"
        assert not any(TOKEN in headers.get("referer", "") for headers in asked)
        assert page.evaluate("document.cookie") == ""  # scripts do not see it
        (cookie,) = context.cookies()
        assert (cookie["expires"], cookie["path"], cookie["sameSite"]) == (-1, BASE, "Strict")
        page.go_back()
        assert TOKEN not in page.url
    finally:
        context.close()
        quick.close()


def test_page_that_is_being_worked_out_says_so_and_opens_by_itself_with_the_choice_in_its_address(browser, monkeypatch):
    monkeypatch.setattr(viewers, "SOON", 0.2)
    quick = Quick("")
    quick.hold.set()
    context = browser.new_context(bypass_csp=True)  # the policy would refuse the script that axe puts into the page
    try:
        page = context.new_page()
        address = f"http://127.0.0.1:{quick.port}{BASE}training#Agency=Police"
        page.goto(address)
        page.get_by_text(BEING_WORKED_OUT).wait_for()
        assert broken_rules(page) == []
        quick.hold.clear()
        page.get_by_text(ANSWER).wait_for()
        assert page.url == address
    finally:
        context.close()
        quick.close()


def test_address_without_a_page_leads_back_to_the_pages(opened):
    page = opened("demo", "/trainings", bypass_csp=True)  # which forbids every script, that of axe too
    assert page.locator("h1").all_inner_texts() == ["Page not found"]
    assert page.title().startswith("Page not found – ")
    assert page.locator("header nav a").all_inner_texts() == PAGES
    assert page.locator("header nav a[aria-current]").count() == 0
    assert page.asked == [f"{page.server}/trainings"]
    assert page.locator("script").count() == 0
    assert broken_rules(page) == []
    page.set_viewport_size({"width": 360, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.close()
