import asyncio
import json
import os
import re
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from html import escape
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import polars as pl
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from tornado.httpclient import HTTPClientError
from tornado.websocket import websocket_connect
from traitlets.config import Config
from voila.exporter import VoilaExporter
from voila.paths import collect_template_paths

from conftest import COMMAND, LOOSE, Served, assert_log_tells_of_pages_alone, free_port, serves_kernels
from safeguarding_analytics import charts, knowledge_charts
from safeguarding_analytics.dashboards import (
    NOT_ANSWERED,
    SERVED,
    DashboardPage,
    asked_for,
    pages_in,
    served_release,
    show_answer,
    show_release,
)
from safeguarding_analytics.dashboards import (
    PAGES as NOTEBOOKS,
)
from safeguarding_analytics.disclosure import already_public
from safeguarding_analytics.errors import SafeguardingError
from safeguarding_analytics.pages import FILTERS, NOT_WORKED_OUT, TEMPLATES, page_html, with_contents
from safeguarding_analytics.release import Release, promote, publish
from safeguarding_analytics.serving import Shared
from safeguarding_analytics.static_site import publish_site
from safeguarding_analytics.viewers import NO_PAGE, NOT_SHOWN
from safeguarding_analytics.vote_pages import WITH_ALL
from test_indicator_charts import control_chart, funnel, time_to_next

FOLDER = Path(__file__).parents[1] / "dashboards"
NAME = "Aled Fictional"
"""A name that errors hold here, and nobody may see."""

HEADLINES = {
    "training_reach_by_agency": "Of 400 staff 210 came: <b>Police</b> & others.",
    "knowledge_gain": "The 60 people who answered both times rose by 2.1 points.",
    "repeat_plans": "In 2008, 177 of 920 plans were a second or subsequent plan: 19.2%.",
    "priorities": "The first is Neglect; the board's other one is not.",
}
ABOUT = {
    "board": "Kent & <i>Medway</i> {{ 6 * 7 }} {% endraw %}",
    "made_on": "2026-11-22",
    "as_at": "2011-07-01",
    "data_version": "08104d23e8d5",
}

shares = {"numerator": [210, 177], "denominator": [400, 920], "proportion": [0.525, 0.192]}
ends = {"lower": [0.48, 0.17], "upper": [0.57, 0.22]}
TABLES = {
    "training_reach_by_agency": pl.DataFrame({"agency": ["<b>Police</b>", "Health"], **shares, **ends}),
    "knowledge_gain": pl.DataFrame(
        {
            "n_pairs": [60],
            "mean_pre": [10.0],
            "mean_post": [12.1],
            "mean_change": [2.1],
            "lower": [1.2],
            "upper": [3.0],
            "n_up": [40],
            "n_same": [8],
            "n_down": [12],
        }
    ),
    "repeat_plans": pl.DataFrame({"time_period": ["2007", "2008"], **shares, **ends}),
    "priorities": pl.DataFrame(
        {
            "issue": ["Neglect", "Missing Children"],
            "score": [4, -4],
            "points": [9.0, 5.0],
            "above": [6.0, 2.0],
            "below": [2.0, 6.0],
            "rank": [1, 2],
            "tied": [False, False],
            "selected": [True, False],
            "p_selected": [0.9, 0.1],
            "firmness": ["probably in", "probably out"],
            "n_ballots": [9, 9],
        }
    ),
}


NEW = {
    "training_coverage_by_sector_group": pl.DataFrame(
        {
            "sector_group": ["All other sectors", "Health and children's services"],
            "places": [120, 300],
            "people": [100, 240],
            "eligible_staff": [900, 400],
            "share_of_places": [120 / 420, 300 / 420],
            "reach": [100 / 900, 240 / 400],
            "lower": [0.09, 0.55],
            "upper": [0.13, 0.65],
        }
    ),
    "attendance": pl.DataFrame(
        {
            "registered": [318],
            "attended": [304],
            "walk_ins": [35],
            "did_not_attend": [20],
            "cancelled": [29],
            "attendance_rate": [269 / 318],
            "capacity": [400],
            "take_up": [304 / 400],
            "share_of_places": [1.0],
        }
    ),
    "people_reached_to_date": pl.DataFrame(
        {"to_date": [date(2011, 5, 3), date(2011, 5, 17), date(2011, 6, 30)], "count": [90, 240, 340]}
    ),
    "people_reached_by_district_and_month": pl.DataFrame(
        {
            "district": ["Ashford", "Ashford", "Dover", "Dover"],
            "month": ["2011-05", "2011-06"] * 2,
            "count": [140, 200, 60, 140],
        }
    ),
    "coverage_needed_by_district": pl.DataFrame(
        {
            "district": ["Ashford", "Dover"],
            "target": [300, 180],
            "reached": [200, 140],
            "still_needed": [100, 40],
            "per_session": [25.0, 25.0],
            "sessions_needed": [4, 2],
            "cost_per_session": [450.0, 450.0],
            "cost": [1800.0, 900.0],
        }
    ),
    "coverage_needed_by_area": pl.DataFrame(
        {
            "area": ["East", "West"],
            "target": [310, 190],
            "reached": [200, 140],
            "still_needed": [110, 50],
            "per_session": [25.0, 25.0],
            "sessions_needed": [5, 2],
            "cost_per_session": [450.0, 450.0],
            "cost": [2250.0, 900.0],
        }
    ),
    "training_currency_by_agency": pl.DataFrame({"agency": ["<b>Police</b>", "Health"], **shares, **ends}),
    "currency_ageing": pl.DataFrame(
        {"stage": ["up to date", "due within three months", "out of date", "never trained"], "count": [320, 40, 90, 60]}
    ),
    "induction_on_time": pl.DataFrame(
        {"numerator": [152], "denominator": [266], "proportion": [152 / 266], "lower": [0.511], "upper": [0.629]}
    ),
    "training_needs": pl.DataFrame(
        {
            "agency": [
                "<b>Police</b>",
                "<b>Police</b>",
                "<b>Police</b>",
                "Health",
                "Health",
                "Total",
                "Total",
                "Total",
            ],
            "training_level": ["1", "2", "Total", "2", "Total", "1", "2", "Total"],
            "eligible_staff": [100, 300, 400, 920, 920, 100, 1220, 1320],
            "current": [80, 130, 210, 177, 177, 80, 307, 387],
            "need": [20, 170, 190, 743, 743, 20, 913, 933],
            "per_session": [25.0] * 8,
            "sessions_needed": [1, 7, 8, 30, 30, 1, 37, 38],
            "cost_per_session": [450.0] * 8,
            "cost": [450.0, 3150.0, 3600.0, 13500.0, 13500.0, 450.0, 16650.0, 17100.0],
        }
    ),
    "inter_agency_mix": pl.DataFrame(
        {
            "session": ["W01", "W02"],
            "attended": [25, 30],
            "agencies_present": [6, 1],
            "share_of_agencies": [0.5, 1 / 12],
            "effective_agencies": [5, 1],
        }
    ),
    "training_cost": pl.DataFrame(
        {
            "course": ["Safeguarding basics"],
            "places": [304],
            "people": [280],
            "sessions": [12],
            "sessions_costed": [10],
            "total_cost": [4560.0],
            "cost_per_place": [15.0],
            "cost_per_person": [16.29],
        }
    ),
}
"""The other tables of the training page, without a headline."""


def gains(group, *names):
    """Rows of mean changes, each of 60 pairs."""
    numbers = {"n_pairs": 60, "mean_pre": 10.0, "mean_post": 12.1, "mean_change": 2.1, "lower": 1.2, "upper": 3.0}
    return pl.DataFrame({group: names}).with_columns(
        *(pl.lit(value).alias(name) for name, value in numbers.items()),
        *(pl.lit(value, pl.Int64).alias(name) for name, value in {"n_up": 40, "n_same": 8, "n_down": 12}.items()),
    )


def estimated(group, *names):
    numbers = {"estimate": [2.1] * len(names), "lower": [1.2] * len(names), "upper": [3.0] * len(names)}
    return pl.DataFrame({group: names, "n": [60] * len(names), **numbers})


GROUPED = [
    *(("yes", "yes", 60), ("yes", "no", 10), ("yes", "Total", 70), ("no", "yes", 8), ("no", "no", 22)),
    *(("no", "Total", 30), ("Total", "yes", 68), ("Total", "no", 32), ("Total", "Total", 100)),
]
KNOWLEDGE = {
    "answers": pl.DataFrame(GROUPED, schema=["before", "after", "count"], orient="row"),
    "effect_sizes": estimated("definition", "g_av: mean change ÷ …", "d_z: mean change ÷ …"),
    "gain_under_assumptions": estimated("assumption", "Pairs alone", "All, if the others gained nothing"),
    "answered_once": estimated("who", "Before: of those who answered twice", "Before: of those who answered once"),
    "question_changes": pl.DataFrame(
        {
            "question": ["Who may be told?", "Whom to call?"],
            "n_pairs": [60, 60],
            "n_up": [30, 12],
            "n_same_high": [10, 20],
            "n_same_low": [14, 20],
            "n_down": [6, 8],
            "share_before": [16 / 60, 28 / 60],
            "share_after": [40 / 60, 32 / 60],
            "p_value": [0.0001, 0.5],
            "p_holm": [0.0002, 0.5],
        }
    ),
    "rating_answers": pl.DataFrame(
        {
            "question": ["How sure are you?"] * 6,
            "wave": ["before"] * 3 + ["after"] * 3,
            "answer": ["1", "2", "3"] * 2,
            "count": [20, 30, 10, 10, 20, 30],
        }
    ),
    "rating_changes": gains("comparison", "Rated before, and after", 'Rated after: "then", and now'),
    "knowledge_gain_by_agency": gains("agency", "<b>Police</b>", "Health")
    .drop("lower", "upper")
    .with_columns(shrunken=pl.lit(2.1)),
    "knowledge_gain_by_district": gains("district", "Ashford", "Dover")
    .drop("lower", "upper")
    .with_columns(shrunken=pl.lit(2.1)),
    "knowledge_gain_by_starting_score": gains("starting_score", "Lowest: 9 or less", "Top: 10 or more"),
    "all_points": pl.DataFrame(
        {"wave": ["before", "after"], "numerator": [6, 12], "denominator": [60, 60], "proportion": [0.1, 0.2]}
    ).with_columns(lower=pl.col("proportion") - 0.05, upper=pl.col("proportion") + 0.1),
    "courses_of_one_questionnaire": gains("course", "Basics", "Thresholds").with_columns(
        g_av=pl.lit(0.5), g_av_lower=pl.lit(0.3), g_av_upper=pl.lit(0.7)
    ),
    "follow_up_retention": pl.DataFrame(
        {"numerator": [41], "denominator": [60], "proportion": [41 / 60], "lower": [0.56], "upper": [0.79]}
    ),
    "follow_up_changes": gains("comparison", "Before to follow-up", "After to follow-up"),
}
"""The other tables of the page on knowledge gain, in its order, without a headline."""


def plan_shares(group, *names):
    """Rows of shares of plans, each of 177 of 920."""
    row = {"numerator": 177, "denominator": 920, "proportion": 177 / 920, "lower": 0.168, "upper": 0.219}
    return pl.DataFrame({group: names}).with_columns(pl.lit(value).alias(name) for name, value in row.items())


PLANS = {
    "repeat_plans_comparators": pl.concat(
        plan_shares("area", "England", "<b>Kent</b>").with_columns(time_period=pl.lit(year))
        for year in ("2007", "2008")
    ).select("time_period", pl.exclude("time_period")),
    "repeat_plans_funnel": funnel().frame(),
    "repeat_plans_within_months": plan_shares("time_period", "2007", "2008"),
    "time_to_next_plan": time_to_next().frame(),
    "repeat_plans_by_initial_category": plan_shares("category", "Emotional abuse", "Neglect", "Total"),
    "repeat_plans_by_district": plan_shares("district", "Ashford", "Dover", "Total"),
    "repeat_plans_by_age": plan_shares("age_band", "0", "1 to 4", "Total"),
    "plan_rates": pl.DataFrame(
        {
            "time_period": ["2008"] * 3,
            "flow": ["ended", "open at the end", "started"],
            "count": [813, 971, 920],
            "population": [309_677] * 3,
            "rate": [26.3, 31.4, 29.7],
            "lower": [24.5, 29.4, 27.8],
            "upper": [28.1, 33.4, 31.7],
        }
    ),
    "open_plans_by_category": pl.DataFrame({"category": ["Emotional abuse", "Neglect"], "count": [401, 570]}),
    "long_plans": pl.concat(
        plan_shares("time_period", "2007", "2008").with_columns(measure=pl.lit(measure))
        for measure in ("ended in the year", "open at 31 March")
    ).select("time_period", "measure", pl.exclude("time_period", "measure")),
    "conferences_on_time": plan_shares("time_period", "2008"),
    "reviews_on_time": plan_shares("time_period", "2008"),
    "plans_started_control_chart": control_chart().frame(),
}
"""The other tables of the page on child protection, in its order, without a headline."""

PAIR = ["Missing Children", "Neglect"]
VOTE = {
    "priorities_head_to_head": pl.DataFrame(
        {
            "issue": PAIR,
            "opponent": PAIR[::-1],
            "wins": [2.0, 6.0],
            "losses": [6.0, 2.0],
            "margin": [-4.0, 4.0],
            "n_ballots": [9, 9],
        }
    ),
    "priorities_checks": pl.DataFrame(
        {
            "issue": PAIR[::-1],
            "rank": [1, 2],
            "copeland_rank": [1, 2],
            "schulze_rank": [1, 2],
            "ranked_pairs_rank": [1, 2],
            "kemeny_rank": [1, 2],
            "selected": [True, False],
            "other_weight_rank": [1, 2],
            "other_unranked_rank": [1, 2],
            "p_copeland": [0.9, 0.1],
            "p_schulze": [0.9, 0.1],
            "in_bracket": [False, False],
            "without_member": [False, False],
            "without_agency": [False, False],
            "safe": [True, True],
            "agreed": [True, True],
            "depends_on": pl.Series([None, None], dtype=pl.String),
            "n_ballots": [9, 9],
        }
    ),
    "priorities_figures": pl.DataFrame(
        {"figure": ["Kendall's W", "mean tau-b"], "about": ["of all", None], "value": [0.2, 0.1], "n_ballots": [9, 9]}
    ),
    "priorities_polarisation": pl.DataFrame(
        {
            "issue": PAIR,
            "n_ballots": [9, 9],
            "mean_place": [1.7, 1.3],
            "share_top": [3 / 9, 6 / 9],
            "share_bottom": [6 / 9, 3 / 9],
            "polarised": [0.5, 0.5],
            "divided": [True, False],
            "eta_squared": [0.1, 0.1],
            "p_value": [0.5, 0.5],
            "p_holm": [1.0, 1.0],
        }
    ),
    "priorities_agencies": pl.DataFrame(
        {
            "agency": ["<b>Police</b>", "Health"],
            "n_ballots": [4, 5],
            "agreement": [1.0, -1.0],
            "in_common": [1, 0],
            "p_value": [0.5, 0.1],
            "p_holm": [0.5, 0.2],
        }
    ),
    "priorities_by_agency": pl.DataFrame(
        {
            "agency": ["<b>Police</b>", "<b>Police</b>", "Health", "Health"],
            "issue": [*PAIR[::-1], *PAIR],
            "score": [4.0, -4.0, 1.0, -1.0],
            "points": [8.0, 4.0, 8.0, 7.0],
            "rank": [1, 2, 1, 2],
            "tied": [False] * 4,
            "selected": [True, False] * 2,
            "n_ballots": [4, 4, 5, 5],
        }
    ),
}
"""The other tables of the page on priorities, in its order, without a headline."""
MADE_UP = {**TABLES, **NEW, **KNOWLEDGE, **PLANS, **VOTE}


def make_release(folder, names=tuple(MADE_UP), about=ABOUT, **others):
    built = folder / "built"
    built.mkdir()
    for name in names:
        publish(
            already_public({**MADE_UP, **others}[name], "made up"),
            name,
            into=built,
            title=f"Table of {name}",
            definition=f"How {name} is counted & why.",
            measure=name,
            headline=HEADLINES.get(name, ""),
        )
    return promote(built, folder / "release", about=about)


def without_scripts(html):
    return re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return make_release(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def served(serve, release):
    return serve(release.folder)


@pytest.fixture(scope="module")
def seen():
    """The kernels that were seen: the most at one moment, and all of them."""
    return SimpleNamespace(most=0, all=set())


@pytest.fixture(scope="module")
def watched(served, seen):
    """A served release whose kernels are counted from its start on."""
    until_served = threading.Event()

    def watch():
        before = set()
        while not until_served.wait(0.1):
            # its own children alone, without what kernels begin, and without the server that forks them, which stays; a
            # process that is there at one look alone is none (one that is about to run a program, "uname")
            own = psutil.Process(served.process.pid).children()
            now = {each.pid for each in own if not serves_kernels(each)}
            kernels, before = now & before, now
            seen.most = max(seen.most, len(kernels))
            seen.all |= kernels

    watching = threading.Thread(target=watch)
    watching.start()
    yield served
    until_served.set()
    watching.join()


@pytest.fixture(scope="module")
def answers(watched):
    """The page as 20 viewers get it who come at once, one asking for another template; one more does not wait."""
    with socket.create_connection(("127.0.0.1", watched.port)) as gone:
        gone.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    with ThreadPoolExecutor(20) as pool:
        return list(pool.map(watched.ask, ["/?template=lab&theme=dark&voila-template=lab", *["/"] * 19]))


@pytest.fixture(scope="module")
def pages(watched, answers):
    """Each page by its address."""
    found = {"/": answers[0][1]}
    for address in ("/training", "/knowledge", "/child_protection", "/priorities"):
        status, found[address], headers = watched.ask(address)
        assert status == 200
        assert headers["Cache-Control"] == "no-store"
    return found


@pytest.fixture(scope="module")
def html(pages):
    return pages["/"]


PAGES = [
    ("/", "Overview"),
    ("/training", "Training"),
    ("/knowledge", "Knowledge gain"),
    ("/child_protection", "Child protection"),
    ("/priorities", "Priorities"),
]
ADDRESSES = [address for address, _ in PAGES]
every_page = pytest.mark.parametrize(("path", "title"), PAGES)


# The pages


def test_overview_gives_the_four_headlines_of_the_release(answers, release):
    status, html, headers = answers[0]
    assert status == 200
    assert headers["Cache-Control"] == "no-store"
    assert [release.entry(name).headline for name in HEADLINES] == list(HEADLINES.values())
    assert re.findall(r'<p class="headline">(.*?)</p>', html) == [escape(text) for text in HEADLINES.values()]


def test_overview_gives_chart_numbers_and_definition_of_each_answer(html):
    assert html.count('<figure class="chart" id=') == html.count("<details>") == 4
    for name in TABLES:
        assert f"<caption>Table of {name}</caption>" in html
        assert f"Definition: How {name} is counted &amp; why." in html
    assert NOT_WORKED_OUT not in html


def test_training_page_asks_what_a_board_asks(pages):
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", without_scripts(pages["/training"])) == [
        "How many of the eligible staff were reached?",
        "Whose places were they, and how many of their staff is that?",
        "What became of the bookings?",
        "How did the number of people reached grow?",
        "Which districts still need people?",
        "Where should mop-up sessions be held?",
        "Whose training is up to date?",
        "Do new staff have training within three months?",
        "How many staff are not up to date, and how many sessions would they need?",
        "How mixed were the sessions?",
        "What did a place cost?",
    ]


def test_training_page_gives_numbers_and_definition_of_each_answer(pages):
    names = ["training_reach_by_agency", *NEW]
    html = pages["/training"]
    assert re.findall(r"<caption>Table of (.*?)</caption>", html) == names
    assert re.findall(r"Definition: How (.*?) is counted &amp; why.", html) == names
    assert re.findall(r'<p class="headline">(.*?)</p>', html) == [escape(HEADLINES["training_reach_by_agency"])]
    tables_alone = 2  # of induction and of costs
    assert html.count('<figure class="chart" id=') == html.count("<details>") == len(names) - tables_alone
    assert NOT_WORKED_OUT not in html


def test_knowledge_page_asks_what_a_board_must_know_of_a_gain(pages):
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", without_scripts(pages["/knowledge"])) == [
        "How many of those who attended answered?",
        "Did knowledge rise or fall?",
        "How large is the change?",
        "What if those who answered once were different?",
        "Which questions do more people answer correctly?",
        "How do people rate themselves?",
        "How did groups do, once chance is allowed for?",
        "Did those who began low gain more?",
        "How many had full marks?",
        "How do courses compare?",
        "What was left weeks later?",
    ]


def test_knowledge_page_gives_numbers_and_definition_of_each_answer(pages):
    first, *others = KNOWLEDGE
    names = [first, "knowledge_gain", *others]
    html = pages["/knowledge"]
    assert re.findall(r"<caption>Table of (.*?)</caption>", html) == names
    assert re.findall(r"Definition: How (.*?) is counted &amp; why.", html) == names
    assert set(re.findall(r'<p class="headline">(.*?)</p>', html)) == {escape(HEADLINES["knowledge_gain"])}
    drawn = ("answers", "knowledge_gain", "question_changes", "rating_answers", "follow_up_changes")
    by_group = ("knowledge_gain_by_agency", "knowledge_gain_by_district", "courses_of_one_questionnaire")
    assert html.count("<details>") == len(drawn) + len(by_group)
    assert html.count('<figure class="chart" id=') == html.count("<details>") + 1  # the gain, and its rises and falls
    assert NOT_WORKED_OUT not in html


def test_child_protection_page_asks_what_a_board_must_know_of_its_register(pages):
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", without_scripts(pages["/child_protection"])) == [
        "What share of new plans was a child's second or later?",
        "How does that compare with other authorities?",
        "Does any authority stand apart from all the others?",
        "How many followed soon after the plan before?",
        "How long after a plan has ended does the next one start?",
        "How does it differ by category, district and age?",
        "How large is the register, and does it add up?",
        "Are conferences held and plans reviewed in time?",
        "Did starts vary more than they always do?",
    ]


def test_child_protection_page_gives_numbers_and_definition_of_each_answer(pages):
    names = ["repeat_plans", *PLANS]
    html = pages["/child_protection"]
    assert re.findall(r"<caption>Table of (.*?)</caption>", html) == names
    assert re.findall(r"Definition: How (.*?) is counted &amp; why.", html) == names
    assert re.findall(r'<p class="headline">(.*?)</p>', html) == [escape(HEADLINES["repeat_plans"])]
    tables_alone = 1  # of reviews
    assert html.count('<figure class="chart" id=') == html.count("<details>") == len(names) - tables_alone
    assert NOT_WORKED_OUT not in html


def test_served_page_site_and_pack_show_the_same_cells_of_a_notebook(body_of_voila):
    """Voilà's own exporter with our template, given cells one by one as Voilà gives those that it has run."""
    figure = charts.plot_proportion(already_public(TABLES["repeat_plans"], "made up"), title="Plans", measure="Plans")
    chart = new_output("display_data", data=figure._repr_mimebundle_())
    said = new_output("display_data", data={"text/html": "<p>Half came.</p>"})
    nothing = new_output("display_data", data={"text/html": ""})
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# Title"),
            new_markdown_cell("## Is this asked?"),
            new_code_cell("plot_it()", outputs=[chart]),
            new_markdown_cell("This is said of a chart."),
            new_markdown_cell("## Is this asked of nobody?"),
            new_code_cell("", outputs=[nothing]),
            new_markdown_cell("## Is this asked, too?"),
            new_code_cell("plot_it()", outputs=[said]),
            new_markdown_cell("This is said of no chart."),
        ]
    )
    body = body_of_voila(notebook)
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", body) == ["Is this asked?", "Is this asked, too?"]
    assert "This is said of a chart." in body
    assert "This is said of no chart." not in body
    html = page_html(notebook, title="x", bundle="", navigation=[])
    assert "".join(with_contents(body).split()) in "".join(html.split())


def test_served_page_says_of_a_cell_that_voila_could_not_run_that_it_was_not_worked_out(body_of_voila):
    # notebook_renderer._jinja_cell_generator of Voilà 0.5: what it puts in the place of such a cell
    instead = new_code_cell("", outputs=[new_output("stream", name="stderr", text="An exception occurred")])
    body = body_of_voila(new_notebook(cells=[new_markdown_cell("## Is this asked?"), instead]))
    assert "Is this asked?" in body
    assert NOT_WORKED_OUT in body
    assert "An exception" not in body


@pytest.fixture
def body_of_voila(monkeypatch):
    """The body of the page that Voilà makes of cells that are run."""
    monkeypatch.setenv("JUPYTER_PATH", str(TEMPLATES))
    return written_by_voila


def written_by_voila(notebook):
    async def start(notebook):
        return "kernel"

    async def run(notebook, kernel):
        for cell in notebook.cells:
            yield cell

    async def written():
        exporter = VoilaExporter(
            template_paths=collect_template_paths(["voila", "nbconvert"], "dashboard"),
            template_name="dashboard",
            config=Config({"TemplateExporter": {"filters": FILTERS}}),
            exclude_input=True,
            base_url="/",
        )
        given = {"kernel_start": start, "cell_generator": run}
        parts = exporter.generate_from_notebook_node(
            notebook, resources={"not_worked_out": NOT_WORKED_OUT}, extra_context=given
        )
        return "".join([part async for part, _ in parts])

    return asyncio.run(written())


def test_served_page_and_that_of_the_site_have_the_same_body(serve, demo_report, tmp_path):
    release = demo_report.made.release.folder
    served, site = serve(release), publish_site(release, tmp_path / "site").folder
    for address in ADDRESSES:
        written = (site / f"{address.removeprefix('/') or 'index'}.html").read_text(encoding="utf-8")
        status, html, _ = served.ask(address)
        assert status == 200
        one, other = (re.search(r"<main.*</main>", each, re.DOTALL)[0] for each in (html, written))
        assert len(one) > 10_000
        assert "".join(one.split()) == "".join(other.split())


@every_page
def test_page_says_whose_figures_these_are(pages, path, title):
    said = f"{ABOUT['board']}, as at 1 July 2011. Release made on 22 November 2026 from data version 08104d23e8d5."
    assert escape(said) in pages[path]


@every_page
def test_page_shows_no_source_of_a_cell(pages, path, title):
    html = pages[path]
    name = path.strip("/") or "overview"
    cells = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    lines = [line.strip() for source in sources for line in source.splitlines()]
    telling = [line for line in lines if re.search("[_=]", line)]  # a bracket alone, or "release,", is in any page
    assert len(telling) > 5
    assert [line for line in telling if line in html or escape(line) in html] == []
    names = ("served_release", "show_answer", "show_release", "plot_", "from safeguarding_analytics import")
    assert [name for name in names if name in html] == []


@every_page
def test_page_has_language_title_and_one_heading(pages, path, title):
    html = pages[path]
    assert '<html lang="en-GB">' in html
    board = "Kent &amp; &lt;i&gt;Medway&lt;/i&gt; {{ 6 * 7 }} {% endraw %}"  # as text, not as a template
    assert f"<title>{title} – {board}</title>" in html
    assert re.findall(r"<h1[^>]*>(.*?)</h1>", html) == [title]


@every_page
def test_page_leads_to_the_others_and_says_which_one_it_is(pages, path, title):
    (navigation,) = re.findall(r"<nav .*?</nav>", pages[path].partition("<main")[0], flags=re.DOTALL)
    links = re.findall(r'<a href="([^"]*)"( aria-current="page")?>([^<]*)</a>', navigation)
    assert [(address, text) for address, _, text in links] == PAGES
    assert [text for _, current, text in links if current] == [title]


@every_page
def test_page_loads_nothing_and_links_to_the_pages_alone(pages, path, title):
    html = without_scripts(pages[path])
    addresses = re.findall(r"""\s(?:src|srcset|href|action|data|poster|ping)=["']([^"']*)""", html)
    assert [address for address in addresses if not address.startswith("#")] == ADDRESSES
    assert not re.search(r"<(link|iframe|object|embed|base|form)\b", html)
    assert not re.search(r"<script[^>]*\ssrc", pages[path])
    assert not re.search(r"url\((?!#clip\d)", html)  # a chart cuts its lines off at a shape of its own
    assert "@import" not in html


@every_page
def test_policy_of_the_page_allows_its_own_two_scripts_and_no_connection(pages, path, title):
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', pages[path])[1].replace("&#39;", "'")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"  # covers connect-src: no websocket
    assert re.fullmatch(r"'sha256-\S+' 'sha256-\S+'", rules["script-src"])
    assert "connect-src" not in rules


@every_page
def test_page_names_no_kernel(pages, path, title):
    assert re.findall(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", pages[path]) == []
    assert "kernel" not in without_scripts(pages[path]).lower()


def test_twenty_viewers_at_once_get_the_same_page_and_no_other_template(answers):
    assert [status for status, _, _ in answers] == [200] * 20
    assert len({html for _, html, _ in answers}) == 1


def test_a_page_is_worked_out_by_one_kernel_for_all_viewers_and_two_at_once_at_most(watched, answers, pages, seen):
    assert watched.ask("/training")[1] == pages["/training"]
    assert len(seen.all) == len(PAGES)
    assert seen.most <= 2


# Attacks


@pytest.fixture(scope="module")
def nothing(served):
    """The page that says that there is none."""
    status, text, headers = served.ask("/nothing")
    assert status == 404
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    return text


@pytest.mark.parametrize(
    "path",
    [
        # pages under another name than their own
        "/overview",
        "/overview.ipynb",
        "/training.ipynb",
        "/training/",
        "/Training",
        "/%74raining",
        "/knowledge.ipynb",
        "/knowledge/",
        "/training/../training",
        "//training",
        "//",
        "/overview.html",
        "/accessibility.html",
        # files
        "/etc/passwd",
        "//etc/passwd",
        "/../../../../etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/%2e%2e/pyproject.toml",
        "/..\\..\\pyproject.toml",
        "/%00",
        "/favicon.ico",
        "/robots.txt",
        "/.env",
        # Voilà
        "/voila/files/overview.ipynb",
        "/voila/files/../pyproject.toml",
        "/voila/files/%2e%2e/pyproject.toml",
        "/voila/files//etc/passwd",
        "/voila/render/overview.ipynb",
        "/voila/render/training.ipynb",
        "/voila/render/../notebooks/training_reach.ipynb",
        "/voila/tree",
        "/voila/tree/notebooks",
        "/voila/api/contents",
        "/voila/api/themes/",
        "/voila/labextensions/",
        "/voila/static/voila.js",
        "/voila/static/../../../../../../etc/passwd",
        "/voila/templates/dashboard/index.html.j2",
        "/voila/templates/dashboard/static/../index.html.j2",
        "/voila/templates/lab",
        # Jupyter
        "/api",
        "/api/kernels",
        "/api/kernels/00000000-0000-0000-0000-000000000000",
        "/api/kernels/00000000-0000-0000-0000-000000000000/channels",
        "/api/contents",
        "/api/contents/overview.ipynb",
        "/api/sessions",
        "/api/terminals",
        "/files/overview.ipynb",
        "/login",
        "/logout",
        "/metrics",
        "/tree",
    ],
)
def test_every_other_address_is_answered_with_the_same_plain_page(served, nothing, path):
    status, text, _ = served.ask(path)
    assert (status, text) == (404, nothing)


def test_plain_page_leads_to_the_pages_and_says_no_more(nothing):
    assert "<title>Page not found – Kent" in nothing
    assert re.findall(r"<main.*</main>", nothing, flags=re.DOTALL) == [
        f'<main id="main" tabindex="-1">\n<h1>Page not found</h1>\n<p class="message">{NO_PAGE}</p>\n</main>'
    ]
    assert re.findall(r'href="([^"]*)"', nothing) == ["#main", *ADDRESSES]
    assert "<script" not in nothing
    assert "nothing" not in nothing.replace("fetches nothing", "")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize(
    "path", ["/", "/training", "/api/kernels", "/voila/api/shutdown/00000000-0000-0000-0000-000000000000"]
)
def test_pages_can_be_read_and_nothing_else(served, method, path):
    status, text, _ = served.ask(path, method)
    assert status == 405
    assert text == "" if method == "HEAD" else NOT_SHOWN in text


@pytest.mark.parametrize("path", ["/", "/training", "/nothing"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "10.0.0.1"])
def test_pages_answer_to_no_other_name_than_this_computer_s(served, host, path):
    """A page of another site could otherwise read this one, by giving its own name the address 127.0.0.1."""
    status, text, _ = served.ask(path, Host=host)
    assert status == 403
    assert NOT_SHOWN in text
    assert "Medway" not in text


def test_refusals_leave_no_word_in_the_log(served):
    served.ask("/voila/templates/lab")
    served.ask("/nothing")
    assert_log_tells_of_pages_alone(served.log, f"http://127.0.0.1:{served.port}/")


# A release that is broken, and a viewer who knows the name of the kernel


async def connect(served, kernel):
    """The refusal that a viewer gets who somehow knows the kernel's name, and who asks to speak with it."""
    with pytest.raises(HTTPClientError) as refused:
        await websocket_connect(f"ws://127.0.0.1:{served.port}/api/kernels/{kernel}/channels")
    return refused.value.code


@pytest.fixture(scope="module")
def broken(serve, release, tmp_path_factory):
    """Page of a release whose tables were changed by hand, and what its kernel answered meanwhile."""
    folder = tmp_path_factory.mktemp("broken") / "release"
    copytree(release.folder, folder)
    table = folder / "tables" / "repeat_plans.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("177", "178"), encoding="utf-8")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["tables"]["knowledge_gain"]["columns"]["n_pairs"] = NAME  # ends in AttributeError: … "Aled Fictional"
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(AttributeError, match=NAME):
        Release.open(folder)["knowledge_gain"]
    served = serve(folder)
    with ThreadPoolExecutor() as pool:
        page = pool.submit(served.ask, "/")
        while not (found := list(served.folder.glob("tmp/*/voila_*/kernel-*.json"))):
            assert not page.done()
            time.sleep(0.02)
        kernel = found[0].stem.removeprefix("kernel-")
        refusals = {asyncio.run(connect(served, kernel)), served.ask(f"/api/kernels/{kernel}")[0]}
        assert not page.done()
        status, html, _ = page.result()
    assert status == 200
    return served, html, refusals


def test_answer_that_cannot_be_read_is_replaced_by_a_sentence_and_the_others_stay(broken):
    _, html, _ = broken
    said = re.findall(r'<p class="(?:headline|message)">(.*?)</p>', html)
    first, _, _, last = HEADLINES.values()
    assert said == [escape(first), NOT_WORKED_OUT, NOT_WORKED_OUT, escape(last)]


def test_errors_reach_neither_page_nor_log(broken, release):
    served, html, _ = broken
    for word in (NAME, "Traceback", "AttributeError", "SafeguardingError", "repeat_plans.csv", "Voil", "--show"):
        assert word not in without_scripts(html)
    assert release.entry("repeat_plans").sha256[:12] not in html
    assert_log_tells_of_pages_alone(served.log, f"http://127.0.0.1:{served.port}/")


def test_viewer_who_knows_the_kernel_cannot_speak_with_it(broken):
    _, _, refusals = broken
    assert refusals == {404}


def test_answer_that_cannot_be_read_is_not_worked_out_at_each_load(broken):
    served, html, _ = broken
    begun = time.monotonic()
    assert {served.ask("/")[1] for _ in range(20)} == {html}
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("what", ["kernel", "socket of a kernel"])
def test_stopping_the_dashboard_ends_its_kernels_and_leaves_no_file(serve, release, what):
    """Also one that has begun a moment ago: left alone, it would write into the folder that was removed."""
    served = serve(release.folder)
    until = time.monotonic() + 60
    with ThreadPoolExecutor() as pool:
        while not (kernels := served.kernels) and time.monotonic() < until:
            time.sleep(0.001)
        while what == "socket of a kernel" and not [*served.folder.glob("tmp/*/voila_*/*-ipc-*")]:
            assert time.monotonic() < until
            time.sleep(0.01)
        pool.submit(served.ask, "/training")  # a page that is asked for while it stops is not begun
        assert kernels
        assert served.stop() == 0, served.log
    assert [kernel for kernel in kernels if kernel.is_running()] == []
    assert list((served.folder / "tmp").iterdir()) == []


# Kernels


def test_kernels_end_with_their_page_also_when_the_viewer_has_gone(watched, pages):
    until = time.monotonic() + 60
    while watched.kernels and time.monotonic() < until:
        time.sleep(0.1)
    assert watched.kernels == []


# The command


def test_taken_port_is_named(run_command, release):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = run_command("dashboards", release.folder, "--port", port)
    assert done.returncode == 2
    assert done.stderr == f"Error: port {port} is taken by another program. Choose another one with --port.\n"


def test_folder_without_a_release_is_named(run_command, tmp_path):
    done = run_command("dashboards", tmp_path)
    assert done.returncode == 2
    sentence = "this is not a release (it has no manifest.json). Make one with: safeguarding report FOLDER"
    assert done.stderr == f"Error: {tmp_path}: {sentence}\n"


# The pieces


def test_answer_the_release_does_not_hold_is_a_sentence(tmp_path):
    release = make_release(tmp_path, ["priorities"])
    answer = show_answer(release, "repeat_plans", charts.plot_proportion, title="x", measure="y")
    assert answer.text == NOT_ANSWERED
    assert answer.html == f'<p class="headline">{escape(NOT_ANSWERED)}</p>'


def test_answer_is_found_by_the_beginning_of_its_table_s_name(release):
    answer = show_answer(release, "training_reach", charts.plot_proportion, title="Reach", measure="Staff")
    assert answer.text.splitlines() == [
        HEADLINES["training_reach_by_agency"],
        "Table of training_reach_by_agency",
        "Agency | Number | Out of | Share | 95% interval",
        "<b>Police</b> | 210 | 400 | 52.5% | 48.0% to 57.0%",
        "Health | 177 | 920 | 19.2% | 17.0% to 22.0%",
        "Source: made up.",
        "Definition: How training_reach_by_agency is counted & why.",
    ]
    assert "<b>Police" not in answer.html


def test_answer_without_a_headline_is_the_chart_the_numbers_and_the_definition(release):
    answer = show_answer(release, "currency_ageing", charts.plot_count, title="Staff by how current their training is")
    assert answer.text.splitlines() == [
        "Table of currency_ageing",
        "Stage | Number",
        "up to date | 320",
        "due within three months | 40",
        "out of date | 90",
        "never trained | 60",
        "Source: made up.",
        "Definition: How currency_ageing is counted & why.",
    ]
    assert answer.html.startswith('<figure class="chart">')
    assert answer.html.count("<details>") == answer.html.count("<table>") == 1


def test_answer_without_a_chart_is_the_table_in_sight(release):
    answer = show_answer(release, "currency_ageing")
    assert "<details>" not in answer.html
    assert "<figure" not in answer.html
    assert answer.html.count("<table>") == 1
    assert answer.text == show_answer(release, "currency_ageing", charts.plot_count, title="x").text


def test_answer_of_a_wide_table_shows_the_columns_that_are_asked_for_and_says_where_the_others_are(release):
    answer = show_answer(release, "priorities", columns=["issue", "rank", "a column of another release", "points"])
    assert answer.text.splitlines()[1:] == [
        "Table of priorities",
        "Issue | Place | Points",
        "Neglect | 1 | 9.0",
        "Missing Children | 2 | 5.0",
        "Source: made up.",
        "Definition: How priorities is counted & why. The file priorities.csv of the release has more columns.",
    ]


def test_answer_whose_table_has_too_many_groups_for_its_chart_is_the_table_in_sight(release):
    answer = show_answer(release, "training_needs", charts.plot_count, title="x")  # a table of another shape
    assert answer.html == show_answer(release, "training_needs").html
    assert "<table>" in answer.html


NEEDED = NEW["coverage_needed_by_district"]
WITH_TOTAL = pl.concat([NEEDED, NEEDED.tail(1).with_columns(district=pl.lit("Total"), target=pl.lit(500, pl.Int64))])
BY_THEN = NEEDED.select("district", pl.lit("2011-06").alias("month"), pl.exclude("district"))
NOT_OF_ALL = NEEDED.with_columns(target=pl.Series([300, None]))


@pytest.mark.parametrize(
    ("needed", "in_all", "by_district"),
    [
        (NEEDED, 300 + 180, {"Ashford": 300, "Dover": 180}),
        (WITH_TOTAL, 500, {"Ashford": 300, "Dover": 180, "Total": 500}),
        (BY_THEN, 300 + 180, {"Ashford": 300, "Dover": 180}),
        (NOT_OF_ALL, None, {"Ashford": 300}),
    ],
    ids=["of each district", "with a total", "by a month", "not of all districts"],
)
def test_chart_gets_its_target_from_a_table_of_progress(tmp_path, needed, in_all, by_district):
    names = ["people_reached_to_date", "people_reached_by_district_and_month", "coverage_needed_by_district"]
    release = make_release(tmp_path, names, coverage_needed_by_district=needed)
    given = []

    def draw(table, **options):
        given.append(options)
        return charts.plot_count(table, title="x")

    for name in names[:2]:
        show_answer(release, name, draw, target_from="coverage_needed_by_district", measure="people")
    show_answer(release, names[0], draw, target_from="a table that is not there", measure="people")
    show_answer(release, names[0], draw, measure="people")
    assert given == [
        {"title": f"Table of {names[0]}", "measure": "people", "target": in_all},
        {"title": f"Table of {names[1]}", "measure": "people", "target": by_district},
        {"title": f"Table of {names[0]}", "measure": "people"},
        {"title": f"Table of {names[0]}", "measure": "people"},
    ]


@pytest.mark.parametrize(("said", "drawn"), [("1,200 people", False), ("480 people", True)])
def test_targets_of_districts_are_no_target_line_where_the_headline_names_another(tmp_path, monkeypatch, said, drawn):
    name = "people_reached_to_date"
    monkeypatch.setitem(HEADLINES, name, f"455 people were reached. The target was {said}.")
    release = make_release(tmp_path, [name, "coverage_needed_by_district"])
    given = []

    def draw(table, **options):
        given.append(options.get("target"))
        return charts.plot_count(table, title="x")

    show_answer(release, name, draw, target_from="coverage_needed_by_district", measure="people")
    assert given == [300 + 180 if drawn else None]


def test_chart_is_named_after_its_table_unless_it_is_given_a_title(release):
    for given, title in (({}, "Table of knowledge_gain"), ({"title": "Rises"}, "Rises")):
        drawn = show_answer(release, "knowledge_gain", knowledge_charts.plot_rose_same_fell, **given).html
        assert re.findall(r'<svg role="img" aria-label="([^"]+)"', drawn)[0].startswith(title)


def test_answer_may_have_a_second_chart_of_the_same_table_with_one_fold_of_numbers(release):
    draw = knowledge_charts.plot_rose_same_fell
    shown = show_answer(release, "knowledge_gain", draw, also=(draw, "Rises and falls")).html
    assert (shown.count('<figure class="chart">'), shown.count("<details>"), shown.count("<table>")) == (2, 1, 1)
    first, second = re.findall(r'<svg role="img" aria-label="([^"]+)"', shown)
    assert first.startswith("Table of knowledge_gain")
    assert second.startswith("Rises and falls")


def test_table_without_a_row_is_no_answer_and_gives_way_to_one_that_has_rows(tmp_path):
    rows = KNOWLEDGE["courses_of_one_questionnaire"]
    names = ["courses_of_one_questionnaire", "courses_of_several_questionnaires"]
    both = make_release(
        tmp_path, names, courses_of_one_questionnaire=rows.clear(), courses_of_several_questionnaires=rows
    )
    assert show_answer(both, "courses_of_").text.splitlines()[0] == "Table of courses_of_several_questionnaires"
    assert show_answer(both, "courses_of_one_questionnaire").text == NOT_ANSWERED


def test_of_several_tables_the_one_of_that_name_is_shown_else_one_with_a_headline(tmp_path):
    built = tmp_path / "built"
    built.mkdir()
    for name, headline in (("gain", ""), ("gain_by_agency", "x"), ("reach_by_agency", ""), ("reach_by_level", "x")):
        table = already_public(pl.DataFrame({"place": [name], "count": [100]}), "made up")
        publish(table, name, into=built, title=name, definition="How", measure=name, headline=headline)
    release = promote(built, tmp_path / "release", about={**ABOUT, "as_at": None})
    assert show_answer(release, "gain").text.splitlines()[0] == "gain"
    assert show_answer(release, "gain_").text.splitlines()[:2] == ["x", "gain_by_agency"]
    assert show_answer(release, "reach").text.splitlines()[:2] == ["x", "reach_by_level"]
    assert show_answer(release, "reach").text.splitlines()[-1] == "Definition: How."  # it does not say as at when


def test_each_notebook_of_a_folder_is_a_page_at_the_name_of_its_file(tmp_path):
    for order, name in ((2, "later"), (1, "overview"), (3, "last_one")):
        about = {"title": name.upper(), "safeguarding": {"order": order}}
        (tmp_path / f"{name}.ipynb").write_text(json.dumps({"metadata": about}), encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no page", encoding="utf-8")
    assert pages_in(tmp_path) == [
        DashboardPage(tmp_path / "overview.ipynb", "OVERVIEW", "/"),
        DashboardPage(tmp_path / "later.ipynb", "LATER", "/later"),
        DashboardPage(tmp_path / "last_one.ipynb", "LAST_ONE", "/last_one"),
    ]


def test_only_what_was_asked_as_at_a_day_says_it(tmp_path):
    """Plans of a year to March hold whatever day of the evaluation the board has."""
    built = tmp_path / "built"
    built.mkdir()
    asked = {"of_the_board": {"as_at": ""}, "asked": {"as_at": "2011-08-31"}, "of_a_year": {"time_period": "2008"}}
    for name, parameters in asked.items():
        table = already_public(pl.DataFrame({"place": [name], "count": [100]}), "made up")
        publish(table, name, into=built, title=name, definition="How", measure=name)
        entry = built / "tables" / f"{name}.json"
        entry.write_text(json.dumps(json.loads(entry.read_text()) | {"parameters": parameters}))
    release = promote(built, tmp_path / "release", about=ABOUT)
    assert [show_answer(release, name).text.splitlines()[-1] for name in asked] == [
        "Definition: How. As at 1 July 2011.",
        "Definition: How. As at 31 August 2011.",
        "Definition: How.",
    ]


def test_plans_are_shown_by_the_group_that_was_asked_for(tmp_path):
    built = tmp_path / "built"
    built.mkdir()
    page = NOTEBOOKS / "child_protection.ipynb"
    (source,) = ["".join(cell["source"]) for cell in json.loads(page.read_text())["cells"] if cell["id"] == "code-13"]
    for name in ("repeat_plans", "repeat_plans_by_team"):
        group = {"team": ["North", "South"]} if name.endswith("team") else {"time_period": ["2007", "2008"]}
        table = already_public(pl.DataFrame({**group, **shares, **ends}), "made up")
        publish(table, name, into=built, title=name, definition="How", measure=name)
        entry = built / "tables" / f"{name}.json"
        entry.write_text(json.dumps(json.loads(entry.read_text()) | {"parameters": {"group": "team"}}))
    release = promote(built, tmp_path / "release", about=ABOUT)
    assert [asked_for(release, *each) for each in (("repeat_plans", "x"), ("y", "group"))] == ["", ""]
    shown = []
    told = {"release": release, "asked_for": asked_for, "plot_proportion": charts.plot_proportion}
    exec(source, told | {"show_answer": lambda *args, **options: shown.append(show_answer(*args, **options))})
    assert "North" in shown[0].text


def test_release_without_a_day_is_described_without_it(tmp_path):
    release = make_release(tmp_path, ["priorities"], {**ABOUT, "as_at": None})
    assert show_release(release).text == (
        f"{ABOUT['board']}. Release made on 22 November 2026 from data version 08104d23e8d5."
    )


def test_dashboard_started_in_another_way_says_how_to_start_it(monkeypatch):
    monkeypatch.delenv(SERVED, raising=False)
    with pytest.raises(SafeguardingError, match="Start the dashboard with: safeguarding dashboards RELEASE"):
        served_release()


def test_what_is_shared_is_begun_after_everybody_asked_for_it():
    """A ballot that came before a page was loaded is counted, however many load it at once."""
    came, begun, finished = [], [], []

    def count():
        begun.append(len(came))
        time.sleep(0.05)
        finished.append(begun[-1])

    async def load(shared, number):
        await asyncio.sleep(number / 100)
        came.append(number)
        mine = len(came)
        await shared()
        assert finished[-1] >= mine

    async def all_load():
        shared = Shared(count)
        await asyncio.gather(*(load(shared, number) for number in range(10)))
        await shared()

    asyncio.run(all_load())
    assert len(begun) < 8


# A vote that goes on

ISSUES = ["Bullying & more", "Neglect", "Radicalisation", "Self-harm"]


def vote(number, order=ISSUES):
    """The rows of one member, whose name may stand nowhere."""
    return "".join(f"{NAME}{number},Health,{issue},{rank}\n" for rank, issue in enumerate(order, 1))


def write_votes(folder, ballots, more=""):
    (folder / "ballots.csv").write_text("member,agency,issue,rank\n" + "".join(ballots) + more, encoding="utf-8")


def members(*numbers):
    return [vote(number) for number in numbers]


@pytest.fixture(scope="module")
def voting():
    """A served board of which nobody has voted yet."""
    with TemporaryDirectory(prefix="sg") as shelf:  # tmp_path is too long a name for the sockets of the kernels
        board, served = Path(shelf) / "board", Path(shelf) / "served"
        board.mkdir()
        (served / "tmp").mkdir(parents=True)
        settings = '[board]\nname = "A <b>board</b>"\n[priorities]\nseats = 2\nresamples = 100\nmembers = 12\n'
        (board / "board.toml").write_text(settings)
        (board / "issues.csv").write_text("issue,description\n" + "".join(f"{issue},\n" for issue in ISSUES))
        (board / "agencies.csv").write_text("agency,sector,aliases\nHealth,Other,\n")
        port = free_port()
        (served / "voila.json").write_text(LOOSE)
        own = {**os.environ, "TMPDIR": str(served / "tmp"), "JUPYTER_CONFIG_DIR": str(served)}
        command = [*COMMAND, "live", str(board), "--port", str(port), "--every", "30"]
        with (served / "log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=own, cwd=served)
        running = Served(process, port, served)
        running.board = board
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, running.log
            time.sleep(0.1)
        yield running
        assert running.stop() == 0
        assert list((served / "tmp").iterdir()) == []


@pytest.fixture(scope="module")
def evening(voting):
    """The page for the projector as it is loaded again and again, by what has become of the ballots meanwhile."""
    found = {}

    def load(name):
        status, found[name], headers = voting.ask("/")
        assert status == 200
        assert "no-store" in headers["Cache-Control"]

    load("nothing")
    write_votes(voting.board, members(*range(4)))
    load("four")
    write_votes(voting.board, members(*range(7)))
    load("seven")
    write_votes(voting.board, members(*range(8)), f"{NAME}9,Hea")
    load("torn")
    write_votes(voting.board, members(*range(9)))
    load("nine")
    found["full page"] = voting.ask("/priorities")[1]
    write_votes(voting.board, members(*range(12)))
    load("all")
    return found


def test_a_release_has_no_page_for_the_projector():
    assert [page.address for page in pages_in(FOLDER)] == ADDRESSES
    live = [(page.address, page.notebook.stem) for page in pages_in(FOLDER, live=True)]
    assert live == [("/", "priorities_live"), ("/priorities", "priorities")]


def test_priorities_page_asks_what_makes_a_vote_transparent(pages):
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", without_scripts(pages["/priorities"])) == [
        "Which issues do the members put first?",
        "Does each chosen issue beat the others one against one?",
        "Would the same ballots, counted otherwise, choose the same?",
        "How firm is the result, and how far do members agree?",
        "On which issues are members divided?",
        "Do agencies put other issues first?",
        "How can anybody count again?",
        "What does this release not answer?",
    ]


def test_priorities_page_gives_numbers_and_definition_of_each_answer(pages):
    names = ["priorities", *VOTE]
    html = pages["/priorities"]
    assert re.findall(r"<caption>Table of (.*?)</caption>", html) == names
    assert re.findall(r"Definition: How (.*?) is counted &amp; why.", html) == names
    headlines = [HEADLINES["priorities"]]
    assert html.index("What does this release not answer?") < html.index("<li>Where do boards place the themes they")
    assert re.findall(r'<p class="headline">(.*?)</p>', html) == [escape(text) for text in headlines]
    tables_alone = 1  # of single numbers
    assert html.count('<figure class="chart" id=') == html.count("<details>") == len(names) - tables_alone
    assert "put above the others 6 times in all and below them 2 times; the difference is its score, 4." in html
    assert NOT_WORKED_OUT not in html


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing", "ballots.csv: the file is not there yet."),
        ("four", "4 of 12 members have voted."),
        ("seven", "7 of 12 members have voted.</strong> 3 ballots are counted, at"),
        ("torn", "ballots.csv: 1 of 33 rows have not as many cells as the header has columns (4): rows 34."),
        ("torn", "3 ballots are counted, at"),
        ("nine", "9 of 12 members have voted.</strong> 6 ballots are counted, at"),
        ("all", "All 12 ballots are counted, at"),
    ],
)
def test_live_page_says_how_far_the_count_has_come(evening, name, said):
    assert said in evening[name]


@pytest.mark.parametrize("name", ["seven", "torn", "nine", "all"])
def test_live_page_numbers_the_chosen_issues(evening, name):
    chosen = '<ol class="chosen"><li value="1">Bullying &amp; more</li><li value="2">Neglect</li></ol>'
    assert chosen in evening[name]
    assert "An issue scores one for each issue a member puts it above" in evening[name]
    said = "The rule stands in the board's settings, and cannot be changed while this count goes on."
    assert escape(said) in evening[name]


@pytest.mark.parametrize("name", ["nothing", "four", "seven", "torn", "nine", "full page", "all"])
def test_live_page_is_worked_out_and_tells_nobody_s_name(evening, voting, name):
    html = evening[name]
    assert NOT_WORKED_OUT not in html
    assert [word for word in (NAME, "Traceback", "Error", str(voting.board)) if word in without_scripts(html)] == []
    assert "<title>" in html
    assert "A &lt;b&gt;board&lt;/b&gt;</title>" in html


def test_live_page_waits_with_agencies_until_all_have_voted(evening, voting):
    assert escape(WITH_ALL) in evening["full page"]
    assert escape(WITH_ALL) not in voting.ask("/priorities")[1]


def test_page_for_the_projector_has_no_script_and_asks_for_nothing(evening):
    html = evening["nine"]
    assert "<script" not in html
    assert "script-src &#39;none&#39;" in html
    assert re.findall(r"""\s(?:src|href|action)=["']([^"']*)""", html) == ["#main", "/", "/priorities", ""]
    assert '<body class="projector">' in html
    assert '<body class="projector">' not in evening["full page"]


def test_page_for_the_projector_loads_itself_again_only_where_that_was_asked(evening, html):
    assert '<meta http-equiv="refresh" content="30">' in evening["nine"]
    assert 'http-equiv="refresh"' not in evening["full page"] + html


def test_live_count_answers_at_its_two_pages_alone(voting, evening):
    assert {voting.ask(path)[0] for path in ("/training", "/priorities_live", "/live.json", "/ballots.csv")} == {404}
    assert voting.log == f"The live count is at http://127.0.0.1:{voting.port}/  (Ctrl-C stops it)\n"


def test_folder_without_a_board_is_named_by_the_live_count(run_command, tmp_path):
    done = run_command("live", tmp_path / "none")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
