import json
import re
import subprocess
import sys
from html import escape
from html.parser import HTMLParser
from urllib.parse import unquote

import altair as alt
import nbformat
import polars as pl
import pytest
from altair.utils.schemapi import SchemaValidationError

from safeguarding_analytics import answers, charts, pages
from safeguarding_analytics.answers import NOT_ANSWERED
from safeguarding_analytics.chart_figures import figure_html, of_tested_parts, pictures_later, with_pictures
from safeguarding_analytics.disclosure import Policy, already_public, suppress
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.page_parts import blocks_of, outline_of

NASTY = '<script>alert("x")</script> & Sons'
NAVIGATION = [("index.html", "Contents"), ("reach.html", "Training reach")]


class Outline(HTMLParser):
    """Tags with their attributes, and the text of the page outside scripts and styles."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.words, self.inside = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside.append(tag)

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"script", "style"} & set(self.inside):
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self):
        return " ".join("".join(self.words).split())


def shares(agency, numerator, denominator, mark):
    frame = pl.DataFrame({"agency": agency, "numerator": numerator, "denominator": denominator, "mark": mark})
    share = pl.col("numerator") / pl.col("denominator")
    return frame.select(
        "agency", "numerator", "denominator", proportion=share, lower=share - 0.1, upper=share + 0.1, mark="mark"
    )


@pytest.fixture(scope="module")
def safe():
    table = shares(["A", NASTY, "C", "D"], [1_200, None, 9, None], [4_800, None, 36, None], ["", "[c]", "", ""])
    return already_public(table, "DfE, table D3")


@pytest.fixture(scope="module")
def notebook(safe):
    def shown(*outputs):
        return nbformat.v4.new_code_cell("secret_source()", outputs=list(outputs))

    def display(thing):
        data = thing._repr_mimebundle_() if hasattr(thing, "to_dict") else {"text/html": thing._repr_html_()}
        return nbformat.v4.new_output("display_data", data=data)

    chart = charts.plot_proportion(safe, title=f"Reach of {NASTY}", measure="Staff")
    cells = [
        nbformat.v4.new_markdown_cell("# Training reach\n\n## Who came?\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n"),
        shown(display(answers.show_text(f"Half of {NASTY} came."))),
        shown(display(chart), display(answers.show_table(safe, caption="Reach"))),
        shown(
            nbformat.v4.new_output("stream", name="stderr", text="warned about child 7"),
            nbformat.v4.new_output("error", ename="E", evalue="child 7", traceback=["line of child 7"]),
        ),
        shown(nbformat.v4.new_output("stream", name="stdout", text="printed <b>")),
        shown(nbformat.v4.new_output("execute_result", data={"text/plain": "plain <b>"}, execution_count=1)),
    ]
    return nbformat.v4.new_notebook(cells=cells)


@pytest.fixture(scope="module")
def page(notebook):
    return pages.page_html(notebook, title="Training reach", bundle="var bundle = 1;", navigation=NAVIGATION)


def test_table_writes_numbers_for_readers(safe):
    assert answers.show_table(safe, caption="Reach").text == "\n".join(
        [
            "Reach",
            "Agency | Number | Out of | Share | 95% interval",
            "A | 1,200 | 4,800 | 25.0% | 15.0% to 35.0%",
            f"{NASTY} | [c] | [c] | [c] | [c]",
            "C | 9 | 36 | 25% | 15% to 35%",  # no decimals under a denominator of 100
            "D | – | – | – | –",
            "[c] = hidden because the number is small, or because it would give a small number away.",
            "– = not known, or nothing to divide by.",
            "Source: DfE, table D3.",
        ]
    )


def test_table_names_rows_and_columns_for_screen_readers(safe):
    outline = Outline(answers.show_table(safe, caption="Reach")._repr_html_())
    scopes = [attributes["scope"] for attributes in outline.all("th")]
    assert scopes == ["col"] * 5 + ["row"] * 4
    assert len(outline.all("caption")) == 1
    assert outline.all("div") == [{"class": "wide", "role": "region", "tabindex": "0", "aria-label": "Reach"}]


def test_table_explains_only_the_marks_it_prints():
    table = shares(["A", "B"], [1, None], [2, None], ["", "[x]"])
    assert answers.show_table(already_public(table, "report"), caption="x").text.splitlines()[4:] == [
        "[x] = not available: not known, not settled, or nothing to divide by.",
        "Source: report.",
    ]


def test_table_prints_the_mark_of_its_policy():
    safe = suppress(pl.DataFrame({"agency": ["A", "B", "C"], "count": [7, 20, 30]}), Policy.nhs())
    assert answers.show_table(safe, caption="x").text.splitlines()[2:] == [
        "A | *",
        "B | 20",
        "C | 30",
        "* = hidden because the number is small, or because it would give a small number away.",
        "Counts are rounded to multiples of 5; shares are worked out of them.",
    ]


def test_table_shows_the_columns_asked_for_in_their_order(safe):
    lines = answers.show_table(safe, caption="x", columns=["proportion", "agency"]).text.splitlines()
    assert lines[1:3] == ["Share | Agency", "25.0% | A"]


def test_table_without_an_asked_column_is_refused(safe):
    with pytest.raises(TableError, match="column propotion missing"):
        answers.show_table(safe, caption="x", columns=["propotion"])


def test_context_of_a_hidden_row_stays_and_an_open_place_is_a_tie():
    rates = pl.DataFrame(
        {"district": ["A"], "count": [None], "population": [24_000], "rate": [None], "mark": ["[c]"]},
        schema_overrides={"count": pl.Int64, "rate": pl.Float64},
    )
    assert "A | [c] | 24,000 | [c]" in answers.show_table(already_public(rates, "report"), caption="x").text
    ranking = pl.DataFrame({"issue": ["A"], "score": [0], "rank": [1], "selected": [None], "n_ballots": [9]})
    assert "A | 0 | 1 | tied at the cut | 9" in answers.show_table(suppress(ranking, Policy()), caption="x").text


def test_empty_table_has_its_headings():
    empty = pl.DataFrame(schema={"agency": pl.String, "count": pl.Int64})
    assert (
        answers.show_table(already_public(empty, "report"), caption="x").text == "x\nAgency | Number\nSource: report."
    )


def test_only_tables_that_went_through_suppress_are_shown():
    with pytest.raises(ParameterError, match=r"only tables that went through suppress\(\)"):
        answers.show_table(pl.DataFrame({"agency": ["A"], "count": [9]}), caption="x")


def test_sentences_that_belong_together_are_a_list_without_the_empty_ones():
    shown = answers.show_list(["It rose.", "", f"So did {NASTY}."])
    assert shown.html == (
        "<ul><li>It rose.</li><li>So did &lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; Sons.</li></ul>"
    )
    assert shown.text == f"It rose.\nSo did {NASTY}."


@pytest.mark.parametrize("sentences", [[], [""], ["", ""]])
def test_list_of_nothing_is_nothing(sentences):
    assert answers.show_list(sentences) == answers.Html("", "")


def test_question_without_rows_shows_nothing(safe):
    shown = answers.show_table(safe, caption="Reach")
    assert answers.unless_empty(safe, shown) is shown
    assert answers.unless_empty(suppress(safe.frame().drop("mark").clear(), Policy.dfe()), shown) == answers.Html(
        "", ""
    )


def test_names_are_escaped_everywhere(page, safe):
    for html in (
        page,
        answers.show_text(NASTY)._repr_html_(),
        answers.show_table(safe, caption=NASTY)._repr_html_(),
        pages.message_html(NASTY, title=NASTY, navigation=[("a.html", NASTY)]),
        pages.index_html(
            board=NASTY,
            pages=[{"title": NASTY, "href": "a.html", "question": NASTY, "headline": NASTY}],
            made_on=NASTY,
            notes=[NASTY],
        ),
    ):
        assert "<script>alert" not in html
        assert NASTY in Outline(html).text


def test_page_asks_for_nothing_from_outside(page):
    outline = Outline(page)
    assert not [attributes for _, attributes in outline.tags if "src" in attributes]
    links = [attributes["href"] for _, attributes in outline.tags if "href" in attributes]
    assert [link for link in links if ":" in link or link.startswith("//")] == []
    assert not outline.all("link")
    assert "url(" not in page
    assert "@import" not in page


def policy_of(html):
    return next(each["content"] for each in Outline(html).all("meta") if "http-equiv" in each)


def test_policy_allows_the_two_scripts_of_the_page_and_no_other(page):
    policy = policy_of(page)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.count("'sha256-") == 2
    assert "script-src 'unsafe-inline'" not in policy
    assert "unsafe-eval" not in policy
    kinds = [attributes.get("type") for attributes in Outline(page).all("script")]
    assert kinds == ["application/json", None, None]


def test_page_without_scripts_allows_none(notebook):
    html = pages.page_html(notebook, title="x", bundle="", navigation=[])
    assert "script-src 'none'" in policy_of(html)
    assert "<svg" in html


def test_code_warnings_and_tracebacks_stay_behind(page):
    assert "secret_source" not in page
    assert "child 7" not in page
    assert Outline(page).text.count("This part could not be worked out.") == 1


def test_sentence_for_what_failed_can_be_given(notebook):
    html = pages.page_html(notebook, title="x", bundle="", navigation=[], not_worked_out="Ask the analyst.")
    assert "Ask the analyst." in Outline(html).text


def test_printed_text_is_shown_escaped(page):
    assert "printed <b>" in Outline(page).text
    assert "plain <b>" in Outline(page).text


def test_page_has_language_title_one_heading_landmarks_and_a_way_past_the_menu(page):
    outline = Outline(page)
    assert outline.all("html") == [{"lang": "en-GB"}]
    assert "<title>Training reach</title>" in page
    assert len(outline.all("h1")) == 1
    assert outline.all("h2") == [{"id": "Who-came?"}]
    assert len(outline.all("main")) == 1
    assert outline.all("a")[0] == {"class": "skip", "href": "#main"}
    assert {"href": "reach.html", "aria-current": "page"} in outline.all("a")
    assert "¶" not in page


def test_heading_comes_from_the_title_where_the_notebook_has_none():
    html = pages.page_html(nbformat.v4.new_notebook(), title="Reach & gain", bundle="", navigation=[])
    assert "<h1>Reach &amp; gain</h1>" in html


def test_wide_tables_of_prose_scroll_by_themselves(page):
    assert page.count('class="wide"') == 2


def test_page_of_the_same_notebook_is_the_same_to_the_byte(notebook, page):
    again = pages.page_html(notebook, title="Training reach", bundle="var bundle = 1;", navigation=NAVIGATION)
    assert again == page


def test_figure_has_a_picture_with_a_name_and_its_specification(safe):
    html = charts.plot_proportion(safe, title="Reach", measure="Staff")._repr_mimebundle_()["text/html"]
    picture = Outline(html).all("svg")[0]
    assert picture["role"] == "img"
    assert picture["aria-label"].startswith("Reach. Dots with intervals: Staff (%), by agency.")
    # Ids would clash with those of the next chart on the page.
    assert " id=" not in html
    assert "<figcaption><strong>Reach</strong></figcaption>" in html
    specification = json.loads(re.search(r'class="vega-lite-spec">(.*?)</script>', html)[1])
    assert "title" not in specification
    assert specification["description"] == picture["aria-label"]


def test_figure_without_a_description_is_refused():
    with pytest.raises(ParameterError, match="needs a description"):
        figure_html({"mark": "bar"})


def test_pictures_that_are_drawn_later_are_those_that_are_drawn_at_once():
    chart = alt.Chart(alt.InlineData(values=[{"a": 1, "b": "<one> & \u00ad two"}])).mark_bar().encode(x="a:Q", y="b:N")
    chart = chart.properties(title=["One", "chart"], description='A "bar" of 1 < 2 & 3')
    at_once = chart._repr_mimebundle_()["text/html"]
    with pictures_later():
        left_open = chart._repr_mimebundle_()["text/html"]
    assert "<svg" in at_once
    assert "<svg" not in left_open
    assert with_pictures(f"<p>{left_open}{left_open}</p>") == f"<p>{at_once}{at_once}</p>"
    assert with_pictures(at_once) == at_once
    assert chart._repr_mimebundle_()["text/html"] == at_once


def test_pictures_stay_open_until_the_last_of_runs_beside_each_other_has_ended():
    chart = (
        alt.Chart(alt.InlineData(values=[{"a": 1}])).mark_bar().encode(x="a:Q").properties(title="A", description="B")
    )
    first, second = pictures_later(), pictures_later()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert "<svg" not in chart._repr_mimebundle_()["text/html"]
    second.__exit__(None, None, None)
    assert "<svg" in chart._repr_mimebundle_()["text/html"]


def test_charts_of_others_are_compared_with_the_schema_part_by_part():
    assert of_tested_parts(lambda: alt.Axis(tickCount="many"))().tickCount == "many"
    with pytest.raises(SchemaValidationError, match="tickCount"):
        alt.Axis(tickCount="many")


def test_message_page_says_its_sentence():
    html = pages.message_html("This page needs plans.csv.", title="Repeat plans", navigation=NAVIGATION)
    assert "Repeat plans This page needs plans.csv." in Outline(html).text


def test_index_lists_the_pages_with_their_answers():
    html = pages.index_html(
        board="Kent",
        pages=[{"title": "Reach", "href": "reach.html", "question": "Who came?", "headline": "Half came."}],
        made_on="3 May 2011",
        notes=["As at 31 March 2011."],
        tables=[("../tables/reach.csv", "Training reach")],
    )
    text = Outline(html).text
    assert "Kent What the figures say Made on 3 May 2011. As at 31 March 2011. Reach Who came? Half came." in text
    assert "Where a mark such as [c] or * stands: hidden because the number is small" in text
    assert [each["href"] for each in Outline(html).all("a")] == ["#main", "reach.html", "../tables/reach.csv"]


def test_bundle_holds_the_versions_altair_writes_for():
    import vl_convert
    from altair.vegalite.v6 import SCHEMA_VERSION
    from altair.vegalite.v6.display import VEGA_VERSION, VEGAEMBED_VERSION

    bundle = pages.vega_bundle()
    assert SCHEMA_VERSION.removeprefix("v") in re.findall(r'"(\d+\.\d+\.\d+)"', bundle)
    assert vl_convert.get_vega_version().split(".")[0] == VEGA_VERSION
    assert vl_convert.get_vega_version() in re.findall(r'"(\d+\.\d+\.\d+)"', bundle)
    assert vl_convert.get_vega_embed_version().split(".")[0] == VEGAEMBED_VERSION
    assert "window.vegaEmbed" in bundle
    assert "</script" not in bundle.lower()


def test_importing_pages_loads_no_heavy_library():
    heavy = ("altair", "vl_convert", "nbconvert", "nbformat", "jinja2")
    code = f"import sys, safeguarding_analytics.pages; print([n for n in {heavy} if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_anchor_of_a_page_is_there_once(safe):
    data = charts.plot_proportion(safe, title="Reach", measure="Staff")._repr_mimebundle_()
    shown = nbformat.v4.new_code_cell("plot_it()", outputs=[nbformat.v4.new_output("display_data", data=data)])
    twice = nbformat.v4.new_markdown_cell("## Who came?\n\nSome.\n\n## main\n\n### figure-1")
    again = [nbformat.from_dict({**cell, "id": f"again-{cell.cell_type}"}) for cell in (twice, shown)]
    notebook = nbformat.v4.new_notebook(cells=[twice, shown, *again])
    outline = Outline(pages.page_html(notebook, title="x", bundle="", navigation=[]))
    anchors = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(anchors) == len(set(anchors)) == 1 + 3 + 2 + 3 + 2  # the main part, and what stands in it
    figures = [attributes["id"] for attributes in outline.all("figure")]
    assert figures[1] == "figure-2"
    assert [attributes["aria-labelledby"] for _, attributes in outline.tags if "aria-labelledby" in attributes] == [
        f"{figure}-title" for figure in figures
    ]
    assert figures[0] != figures[1]


def test_page_of_a_pack_has_the_number_that_its_figures_begin_with_and_others_have_none(notebook):
    numbered = pages.page_html(notebook, title="x", bundle="", navigation=[], chapter=2)
    assert Outline(numbered).all("body") == [{"data-chapter": "2", "style": "counter-set: chapter 2"}]
    plain = pages.page_html(notebook, title="x", bundle="", navigation=[])
    assert Outline(plain).all("body") == [{}]


@pytest.mark.parametrize(("chapter", "numbers"), [(2, ["2.1", "2.2"]), (0, ["1", "2"])])
def test_number_of_a_figure_stands_in_its_caption_for_style_script_contents_and_pdf_alike(safe, chapter, numbers):
    figure = charts.plot_proportion(safe, title="Reach", measure="Staff")._repr_mimebundle_()["text/html"]
    html = pages.with_contents(f"<main>{figure}<p>Some.</p>{figure}</main>", chapter)
    assert [each["data-number"] for each in Outline(html).all("strong")] == numbers
    assert outline_of(html).figures == tuple(
        (f"figure-{place}", number, "Reach") for place, number in enumerate(numbers, 1)
    )
    assert [block["number"] for block in blocks_of(html) if block["block"] == "chart"] == numbers


def test_page_tells_its_script_which_rows_are_of_everybody(page):
    (main,) = Outline(page).all("main")
    assert json.loads(main["data-margins"]) == ["Total", "All"]


def written(*cells):
    return pages.page_html(nbformat.v4.new_notebook(cells=list(cells)), title="x", bundle="", navigation=[])


def test_question_to_which_a_cell_only_warned_is_not_asked():
    def cell(name):
        return nbformat.v4.new_code_cell("", outputs=[nbformat.v4.new_output("stream", name=name, text="some words")])

    asked = [nbformat.v4.new_markdown_cell(f"## Did it {done}?") for done in ("warn", "print")]
    text = Outline(written(asked[0], cell("stderr"), asked[1], cell("stdout"))).text
    assert "Did it print? some words" in text
    assert "warn" not in text


def test_contents_lead_to_every_section_and_figure():
    entry = {"title": "Reach", "href": "reach.html", "question": "", "headline": ""}
    found = {
        "sections": [("Who-&-why?", f"Who {NASTY}?")],
        "figures": [("figure-1", "1.1", "By agency"), ("figure-2", "1.2", "By year")],
    }
    other = {
        **entry,
        "title": "Gain",
        "href": "gain.html",
        "sections": [],
        "figures": [("figure-1", "2.1", "The gain")],
    }
    html = pages.index_html(
        board="Kent", pages=[{**entry, **found}, other], made_on="3 May 2011", notes=[], pdf="board_pack.pdf"
    )
    outline = Outline(html)
    assert [each["href"] for each in outline.all("a")] == [
        "#main",
        "board_pack.pdf",
        "reach.html",
        "reach.html#Who-%26-why%3F",
        "gain.html",
        "reach.html#figure-1",
        "reach.html#figure-2",
        "gain.html#figure-1",
    ]
    assert f"Who {NASTY}?" in outline.text
    assert "Figure 1.1 By agency Figure 1.2 By year Figure 2.1 The gain" in outline.text


def test_contents_of_pages_that_are_not_known_list_no_figures():
    entry = {"title": "Reach", "href": "reach.html", "question": "", "headline": ""}
    html = pages.index_html(board="Kent", pages=[entry], made_on="3 May 2011", notes=[])
    assert "The figures" not in Outline(html).text
    assert "pdf" not in html


@pytest.mark.parametrize("board", ['"; } body { display: none } /*', "</style><script>alert(1)</script>", "a\\\nb"])
def test_name_of_the_board_at_the_foot_of_a_printed_page_is_nothing_but_text(board):
    html = pages.message_html("x", title="x", navigation=[], board=board)
    rule = re.search(r"<style>(@page .*?)</style>", html, re.DOTALL)[1]
    text = re.fullmatch(r'@page \{ @bottom-left \{ content: "([^"]*)"; \} \}', rule)[1]
    assert not re.search(r'["<>{};\n]', text)
    # A backslash, hexadecimal digits and a space are one character of a style sheet.
    assert re.sub(r"\\([0-9a-f]+) ", lambda found: chr(int(found[1], 16)), text) == board


def asked(number):
    cells = [nbformat.v4.new_markdown_cell(f"## Is it {each} & more?") for each in range(number)]
    return pages.page_html(nbformat.v4.new_notebook(cells=cells), title="x", bundle="", navigation=[])


def test_page_of_many_questions_lists_them_with_links_to_each():
    html = asked(5)
    outline = Outline(html)
    assert {"class": "contents", "aria-label": "On this page"} in outline.all("nav")
    anchors = [each["id"] for each in outline.all("h2")]
    links = [unquote(each["href"].removeprefix("#")) for each in outline.all("a")[1:]]
    assert links == anchors
    assert len(set(anchors)) == 5
    assert html.index("<nav") < html.index("<h2")


def test_page_of_few_questions_has_no_list_of_them():
    assert "On this page" not in asked(4)


@pytest.mark.parametrize(("height", "kind"), [(300, "picture low"), (700, "picture"), (1000, "picture tall")])
def test_picture_says_how_much_of_a_sheet_of_paper_it_takes(height, kind):
    specification = {
        "description": "x",
        "data": {"values": [{"a": 1}]},
        "mark": "bar",
        "width": 680,
        "height": height,
        "padding": 0,
    }
    assert Outline(figure_html(specification)).all("div") == [{"class": kind}]


def test_questions_without_an_answer_are_named_at_the_end_and_tables_by_their_figures(safe):
    chart = charts.plot_proportion(safe, title="Reach", measure="Staff")._repr_mimebundle_()["text/html"]
    behind = "<details><summary>The numbers behind the chart</summary>12</details>"

    def section(question, html, text):
        data = {"text/html": html, "text/plain": text}
        shown = nbformat.v4.new_code_cell("show_it()", outputs=[nbformat.v4.new_output("display_data", data=data)])
        return [nbformat.v4.new_markdown_cell(f"## {question}"), shown]

    cells = [
        *section("Asked?", f'<p class="headline">{escape(NOT_ANSWERED)}</p>', NOT_ANSWERED),
        *section("Who came?", f"{chart}{behind}", "12"),
        *section("Who else?", f"{chart}{chart}{behind}{behind}", NOT_ANSWERED + " And more."),
    ]
    html = pages.page_html(nbformat.v4.new_notebook(cells=cells), title="x", bundle="", navigation=[])
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", html) == ["Who came?", "Who else?", "What does this release not answer?"]
    assert html.index("What does this release not answer?") < html.index("<li>Asked?</li>")
    assert re.findall(r"<summary>(.*?)</summary>", html) == [
        "The numbers behind Figure 1",
        "The numbers behind Figures 2 and 3",
        "The numbers behind the chart",
    ]
