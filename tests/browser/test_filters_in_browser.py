import nbformat
import pytest
from test_pages_in_browser import ARGUMENTS, CHROMIUM, wait_until

from safeguarding_analytics import answers, charts, pages
from test_filters import AGES, CHARTS, COUNTS, NASTY, PLACES, SHARES, YEARS

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: no pages can be opened"),
    # playwright leaves the event loop of its connection to the interpreter's end
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

NAVIGATION = [("staff.html", "Staff"), ("plans.html", "Plans"), ("ages.html", "Ages")]
DIMMED = """chart => [...document.querySelectorAll('figure.chart')[chart].querySelectorAll('.live .mark-rect path')]
  .filter(bar => Number(bar.getAttribute('opacity') ?? 1) < 1).length"""
DRAWN = """chart => [...document.querySelectorAll('figure.chart')[chart].querySelectorAll('.live .mark-rect path')]
  .filter(bar => bar.getAttribute('aria-label')).length"""
PICTURE = """() => [
  ...[...document.querySelectorAll('.live svg path, .live svg text, .live svg line')].map(mark =>
    [...['d', 'transform', 'x2', 'y2', 'fill'].map(name => mark.getAttribute(name)),
     mark.getAttribute('opacity') ?? '1', mark.textContent].join('|')).sort(),
  ...[...document.querySelectorAll('tbody tr')].map(row => [row.className, row.hidden, row.textContent].join('|')),
]"""
"""All marks of the charts, whatever their order, and all rows of the tables."""


def page_of(title, drawn, tables, **options):
    shown = [chart._repr_mimebundle_()["text/html"] for chart in drawn]
    shown += [answers.show_table(table, caption=f"Table {number}")._repr_html_() for number, table in enumerate(tables)]
    outputs = [nbformat.v4.new_output("display_data", data={"text/html": html}) for html in shown]
    cells = [
        nbformat.v4.new_markdown_cell(f"# {title}\n\nWho came.\n\n## How many?"),
        nbformat.v4.new_code_cell("", outputs=outputs),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    return pages.page_html(notebook, title=title, navigation=NAVIGATION, **options)


def page_of_questions(answered):
    """A page of the site with a chart and its folded table, or a sentence, in answer to each question."""
    cells = [nbformat.v4.new_markdown_cell("# Questions")]
    for question, answer in answered.items():
        html = "<p>Some more.</p>"
        if answer:
            chart, table = answer
            numbers = answers.show_table(table, caption=question)._repr_html_()
            html = f"{chart._repr_mimebundle_()['text/html']}<details><summary>Numbers</summary>{numbers}</details>"
        shown = nbformat.v4.new_output("display_data", data={"text/html": html})
        cells += [nbformat.v4.new_markdown_cell(f"## {question}"), nbformat.v4.new_code_cell("", outputs=[shown])]
    notebook = nbformat.v4.new_notebook(cells=cells)
    return pages.page_html(notebook, title="Questions", navigation=NAVIGATION, bundle="", assets="assets")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A site of three pages: of agencies and districts, of agencies and years, and without anything to choose."""
    place = tmp_path_factory.mktemp("site")
    (place / "assets").mkdir()
    for name, text in pages.asset_files().items():
        (place / "assets" / name).write_text(text, encoding="utf-8")
    ages = charts.plot_count(AGES, title="Ages")
    shared = {"bundle": "", "assets": "assets"}
    staff = [CHARTS["bars"], CHARTS["attendance"]]
    made = {
        "staff": page_of("Staff", staff, [COUNTS, PLACES], **shared),
        "plans": page_of("Plans", [CHARTS["dots"], CHARTS["named lines"]], [SHARES, YEARS], **shared),
        "ages": page_of("Ages", [ages], [], **shared),
        "whole": page_of("Staff", staff, [COUNTS, PLACES], bundle=pages.vega_bundle()),
    }
    made["questions"] = page_of_questions(
        {
            "Who came?": (CHARTS["bars"], COUNTS),
            "Which places?": (CHARTS["attendance"], PLACES),
            "Which years?": (CHARTS["lines"], YEARS),
            "Who else?": None,
        }
    )
    made["many"] = page_of_questions({f"Is this question {number}?": None for number in range(1, 7)})
    for name, html in made.items():
        (place / f"{name}.html").write_text(html, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, folder):
    """Open a page; what it complains about is noted on it, and there must be nothing."""
    noted = []

    def open_page(name, hash_="", **options):
        page = browser.new_page(viewport={"width": 1024, "height": 900}, **options)
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("dialog", lambda dialog: page.complaints.append(dialog.message))
        page.goto(f"{(folder / f'{name}.html').as_uri()}{hash_}")
        ready(page)
        noted.append(page)
        return page

    yield open_page
    assert [page.complaints for page in noted] == [[] for _ in noted]
    for page in noted:
        page.close()


def ready(page):
    wait_until(page, "document.querySelectorAll('figure.chart:not(.drawn)').length === 0")


def settled(page):
    """Vega draws in the next frame."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 20)))")
    return page.locator(".choices [role=status]").inner_text()


def rows_of(page, table, kind):
    return page.locator("table").nth(table).locator(f"tbody tr{kind}").all_inner_texts()


@pytest.mark.parametrize("name", ["staff", "whole"])
def test_a_chosen_district_is_set_off_in_every_chart_and_table_that_has_districts(opened, name):
    page = opened(name)
    assert page.locator(".choices label").all_inner_texts() == ["Agency", "District", "Show only what is chosen"]
    page.get_by_label("District", exact=True).select_option("Dover")
    said = settled(page)
    assert said == "Dover: highlighted in 1 chart and 1 table. Not in 1 chart and 1 table, left as they are."
    # Two districts with four bars each: the agencies' chart stays.
    assert [page.evaluate(DIMMED, chart) for chart in (0, 1)] == [0, 4]
    assert [row.split("\t")[0] for row in rows_of(page, 1, ".picked")] == ["Dover"]
    assert [row.split("\t")[0] for row in rows_of(page, 1, ".faded")] == ["Ashford"]
    assert rows_of(page, 0, ".picked") == rows_of(page, 0, ".faded") == []


def test_only_what_is_chosen_is_shown_beside_totals(opened):
    page = opened("plans")
    before = page.locator("figure.chart").nth(0).bounding_box()["height"]
    page.get_by_label("Agency", exact=True).select_option("Health")
    page.get_by_label("Show only what is chosen").check()
    said = settled(page)
    assert said == (
        "Health: shown alone (beside totals) in 1 chart and 1 table. Not in 1 chart and 1 table, left as they are."
    )
    names = page.locator("figure.chart").nth(0).locator(".live text").all_text_contents()
    assert {"Total", "Health"} <= set(names)
    assert {"Education", "Police"}.isdisjoint(names)
    # Two of four rows of 38 pixels are left.
    assert abs(before - page.locator("figure.chart").nth(0).bounding_box()["height"] - 76) <= 1
    shown = [row.inner_text().split("\t")[0] for row in page.locator("table").nth(0).locator("tbody tr:visible").all()]
    assert shown == ["Health", "Total"]
    assert page.locator("table").nth(1).locator("tbody tr:visible").count() == 6


def test_a_chosen_year_and_area_are_found_together_in_a_table(opened):
    page = opened("plans")
    page.get_by_label("Year to 31 March", exact=True).select_option("2025")
    page.get_by_label("Area", exact=True).select_option("Kent")
    assert "Together in 1 chart and 1 table." in settled(page)  # lines of areas over the years, and their table
    assert [row.split("\t")[:2] for row in rows_of(page, 1, ".picked")] == [["Kent", "2025"]]
    assert page.locator("tr[aria-current=true]").count() == 1
    assert len(rows_of(page, 1, ".faded")) == 5


def test_show_all_makes_the_page_what_it_was(opened):
    page = opened("staff")
    before = page.evaluate(PICTURE)
    page.get_by_label("Agency", exact=True).select_option("Police")
    page.get_by_label("Show only what is chosen").check()
    settled(page)
    assert page.evaluate(PICTURE) != before
    page.get_by_role("button", name="Show all").click()
    assert settled(page) == "Nothing is chosen: all is shown."
    assert page.evaluate(PICTURE) == before
    assert "#" not in page.url
    assert page.locator("header nav a").first.get_attribute("href") == "staff.html"


def test_everything_can_be_done_with_the_keyboard(opened):
    page = opened("staff")
    page.locator("header nav a").last.focus()
    page.keyboard.press("Tab")
    page.keyboard.type("Pol")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    alone = "shown alone (beside totals) in 1 chart and 1 table."
    together = "Together in no chart or table: each shows what it has."
    assert settled(page) == f"Police: {alone} Ashford: {alone} {together}"
    assert page.locator(".choices .where").inner_text() == "Go to: Figure 1, Figure 2"
    assert page.url.endswith("#Agency=Police&District=Ashford&only=1")
    page.keyboard.press("Enter")  # in a checkbox: nothing is sent
    assert page.url.endswith("#Agency=Police&District=Ashford&only=1")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert settled(page) == "Nothing is chosen: all is shown."


def test_a_choice_goes_along_to_another_page_and_back(opened):
    page = opened("staff")
    page.get_by_label("Agency", exact=True).select_option("Police")
    page.get_by_label("District", exact=True).select_option("Dover")
    settled(page)
    page.get_by_role("link", name="Plans").click()
    page.wait_for_url("**/plans.html*")
    ready(page)
    assert settled(page).startswith(
        "This page shows nothing by District, so “Dover” changes nothing here. "
        "Police: highlighted in 1 chart and 1 table."
    )
    assert page.get_by_label("Agency", exact=True).input_value() == "Police"
    page.get_by_role("link", name="Staff").click()
    page.wait_for_url("**/staff.html*")
    ready(page)
    set_off = "highlighted in 1 chart and 1 table."
    assert settled(page).startswith(f"Police: {set_off} Dover: {set_off} Together in no chart or table")


@pytest.mark.parametrize(
    "hash_",
    ["#%3Cb%3E=1", "#main", "#Agency", "?", "?token=1&Place=Dover", "#only=1", "#&=&&=="],
)
def test_a_hash_that_names_nothing_of_the_page_is_ignored(opened, hash_):
    page = opened("staff", hash_)
    assert settled(page) == "Nothing is chosen: all is shown."
    assert [page.evaluate(DRAWN, chart) for chart in (0, 1)] == [4, 8]
    assert page.locator("tr.faded, tr[hidden]").count() == 0


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("?agency=Nonsense", "Nonsense"),
        ("#Agency=Nonsense", "Nonsense"),
        ("#Agency=Total", "Total"),
        ("?Agency=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E", "<img src=x onerror=alert(1)>"),
        ("#Agency=%3Cscript%3Ealert(1)%3C/script%3E", "<script>alert(1)</script>"),
        ("#Agency=%22%3E%3Csvg/onload%3Dalert(1)%3E", '"><svg/onload=alert(1)>'),
        ("#Agency=__proto__", "__proto__"),
        (f"#Agency={'x' * 1000}", f"{'x' * 60}…"),
    ],
)
def test_a_name_that_the_page_does_not_have_is_said_not_to_be_there_and_all_is_shown(opened, address, name):
    page = opened("staff", address)
    assert settled(page) == (
        f"Sorry, this page has no Agency “{name}”: check the address, or choose from the list. "
        "Nothing is chosen: all is shown."
    )
    # A status is read out politely. Nothing that was asked for has become an element, a choice or a row.
    assert page.locator(".choices [role=status] *, .choices img, .choices svg, .choices script").count() == 0
    assert page.get_by_label("Agency", exact=True).locator("option").all_inner_texts() == [
        *("all", "Education", "Health", NASTY, "Police")
    ]
    assert [page.evaluate(DRAWN, chart) for chart in (0, 1)] == [4, 8]
    assert page.locator("tr.faded, tr[hidden]").count() == 0
    page.get_by_label("Agency", exact=True).select_option("Health")
    assert settled(page).startswith("Health: highlighted")
    assert "Nonsense" not in page.url
    page.get_by_role("button", name="Show all").click()
    assert settled(page) == "Nothing is chosen: all is shown."


@pytest.mark.parametrize("address", ["?agency=police", "#Agency=POLICE", "?x=1&AGENCY=Police&district=nowhere"])
def test_a_choice_is_found_whatever_its_capital_letters_and_stands_in_the_address_once(opened, address):
    page = opened("staff", address)
    assert "Police: highlighted in 1 chart and 1 table." in settled(page)
    assert page.get_by_label("Agency", exact=True).input_value() == "Police"
    query, hash_ = page.url.partition("staff.html")[2].split("#")
    assert query == ("?x=1" if "x=1" in address else "")
    assert "Agency=Police" in hash_


@pytest.mark.parametrize(
    ("showing", "said"),
    [
        ("11111", "Go to: Figure 1 to Figure 5"),
        ("11011101", "Go to: Figure 1, Figure 2, Figure 4 to Figure 6, Figure 8"),
        ("0001", "Go to: Figure 4"),
    ],
)
def test_many_figures_in_a_row_are_named_by_the_first_and_the_last(browser, folder, showing, said):
    kinds = {"1": (CHARTS["bars"], COUNTS), "0": (CHARTS["attendance"], PLACES)}
    answered = {f"Question {number}?": kinds[kind] for number, kind in enumerate(showing)}
    (folder / "row.html").write_text(page_of_questions(answered), encoding="utf-8")
    page = browser.new_page()
    page.goto((folder / "row.html").as_uri() + "#Agency=Police")
    page.locator(".choices.active").wait_for()
    assert page.locator(".choices .where").inner_text() == said
    page.close()


def test_choices_stand_in_one_order_whatever_the_order_of_the_charts(browser, folder):
    (folder / "turned.html").write_text(
        page_of_questions({"Where?": (CHARTS["attendance"], PLACES), "Who?": (CHARTS["bars"], COUNTS)}),
        encoding="utf-8",
    )
    page = browser.new_page()
    page.goto((folder / "turned.html").as_uri())
    page.locator(".choices").wait_for()
    assert page.locator(".choices label").all_inner_texts() == ["Agency", "District", "Show only what is chosen"]
    page.close()


def test_a_place_on_the_page_leaves_the_choice_alone(opened):
    page = opened("staff", "#Agency=Police")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert settled(page).startswith("Police: ")
    page.evaluate("location.hash = 'Agency=Health'")
    assert settled(page).startswith("Health: ")


def test_a_name_with_markup_is_text_everywhere(opened):
    page = opened("staff")
    page.get_by_label("Agency", exact=True).select_option(NASTY)
    said = settled(page)
    assert said.startswith(f"{NASTY}: highlighted in 1 chart and 1 table.")
    assert page.locator(".choices b").count() == 0
    page.reload()
    ready(page)
    assert settled(page) == said
    assert page.evaluate(DIMMED, 0) == 3


def test_a_page_without_such_groups_has_no_form(opened):
    page = opened("ages", "#Agency=Police")
    assert page.locator("form.choices").count() == 0


@pytest.mark.parametrize("width", [360, 1280])
def test_a_page_with_a_choice_breaks_no_rule_of_accessibility_and_does_not_scroll_sideways(opened, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    # The policy of the page would refuse the script that axe puts into it.
    page = opened("whole", "#Agency=Police&District=Dover", bypass_csp=True)
    page.set_viewport_size({"width": width, "height": 900})
    settled(page)
    found = axe.Axe().run(page).response
    assert found["passes"]
    assert [(rule["id"], [node["html"][:80] for node in rule["nodes"]]) for rule in found["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_paper_says_what_was_chosen_and_nothing_if_nothing_was(opened):
    page = opened("staff")
    page.emulate_media(media="print")
    assert not page.locator(".choices").is_visible()
    assert page.locator(".picture").first.is_visible()
    page.get_by_label("Agency", exact=True).evaluate(
        "list => { list.value = 'Police'; list.dispatchEvent(new Event('change', { bubbles: true })); }"
    )
    assert settled(page).startswith("Police: ")
    assert page.locator(".choices [role=status]").is_visible()
    assert not page.locator(".choices fieldset").is_visible()
    charts_on_paper = [page.locator(".live").nth(0), page.locator(".picture").nth(1)]
    assert [one.is_visible() for one in charts_on_paper] == [True, True]


def numbers_of(page):
    return page.locator(".choices .numbers p").all_inner_texts()


def test_numbers_of_what_is_chosen_are_said_as_the_table_prints_them(opened):
    page = opened("plans", "#Agency=Health")
    assert numbers_of(page) == [
        "Health in “Table 0”: Number 50; Out of 80; Share 63%; 95% interval 51% to 72%."
    ]  # 0.625, a half is rounded up; 0.51 and 0.72; no decimals under 100
    assert page.locator(".choices .numbers").get_attribute("aria-live") == "polite"
    page.get_by_role("button", name="Show all").click()
    assert numbers_of(page) == []


def test_hidden_numbers_of_what_is_chosen_are_said_to_be_hidden(opened):
    page = opened("plans", "#Agency=Police")
    assert numbers_of(page) == [
        "Police in “Table 0”: Number, Out of, Share, 95% interval: [c], hidden because the number is small, or because "
        "it would give a small number away."
    ]


def test_numbers_of_two_choices_are_those_of_the_row_that_has_both(opened):
    page = opened("plans", "#Year to 31 March=2025&Area=Kent")
    assert [said.split(":")[0] for said in numbers_of(page)] == ["Kent, 2025 in “Table 1”"]
    assert "Number 210; Out of 940" in numbers_of(page)[0]


def test_charts_are_chosen_in_before_they_are_drawn(browser, folder):
    page = browser.new_page()
    page.route("**/vega.js", lambda route: route.fulfill(body="window.vegaEmbed = () => new Promise(() => {});"))
    page.goto((folder / "staff.html").as_uri() + "#District=Dover")
    page.locator(".choices.active").wait_for()
    assert page.locator("figure.chart.drawn").count() == 0
    said = page.locator(".choices [role=status]").inner_text()
    assert said == "Dover: highlighted in 1 chart and 1 table. Not in 1 chart and 1 table, left as they are."
    assert page.locator("figure.chart .picture:visible").count() == 2
    page.close()


def test_paper_leaves_out_the_questions_and_rows_that_do_not_show_what_is_chosen(opened):
    page = opened("questions", "#Agency=Police")
    page.emulate_media(media="print")
    assert page.locator("h2:visible").all_inner_texts() == ["Who came?", "Who else?"]
    assert page.locator(".choices .on-paper").inner_text() == (
        "Printed for Police: rows of others are left out of the tables. Questions that do not show Police are left "
        "out: Which places? Which years?"
    )
    assert page.locator("tbody tr:visible th").all_inner_texts() == ["Police"]
    page.emulate_media(media="screen")
    assert page.locator("h2:visible").count() == 4


@pytest.mark.parametrize(("hash_", "is_first"), [("#Agency=Police", True), ("", False)])
def test_on_paper_the_short_table_of_a_choice_stands_before_its_chart_which_may_need_a_page(opened, hash_, is_first):
    page = opened("questions", hash_)
    page.emulate_media(media="print")
    table, chart = (page.locator(f".output:has(table) {name}").first.bounding_box() for name in ("table", "figure"))
    assert (table["y"] < chart["y"]) == is_first


def test_a_chart_with_a_choice_is_as_wide_on_paper_whatever_the_screen(opened):
    page = opened("questions", "#Agency=Police")
    page.set_viewport_size({"width": 360, "height": 800})
    settled(page)
    widths = []
    for event in ("nothing", "beforeprint", "afterprint"):
        page.evaluate(f"dispatchEvent(new Event('{event}'))")
        settled(page)
        widths.append([round(float(one.get_attribute("width"))) for one in page.locator(".live svg").all()])
    # A4 is 210 mm wide with margins of 16 mm: 178 mm, 672 of the 96 pixels of an inch.
    assert widths[1] == [672, *widths[0][1:]]
    assert max(widths[0]) < 360
    assert widths[2] == widths[0]


def test_folded_tables_are_open_on_paper(opened):
    page = opened("questions")
    assert page.locator("table:visible").count() == 0
    page.emulate_media(media="print")
    assert page.locator("table").evaluate_all("all => all.map(one => one.checkVisibility())") == [True] * 3
    assert not page.locator(".choices").is_visible()


@pytest.mark.parametrize(("width", "is_open"), [(1024, True), (360, False)])
def test_contents_are_folded_on_a_telephone_and_lead_to_the_questions(browser, folder, width, is_open):
    page = browser.new_page(viewport={"width": width, "height": 700})
    page.goto((folder / "many.html").as_uri())
    contents = page.get_by_role("navigation", name="On this page")
    assert contents.get_by_role("link").first.is_visible() == is_open
    if not is_open:
        contents.locator("summary").press("Enter")
    contents.get_by_role("link", name="Is this question 5?").click()
    assert page.evaluate("document.querySelector(':target').textContent") == "Is this question 5?"
    assert page.locator("nav a").first.get_attribute("href") == "staff.html"
    page.close()
