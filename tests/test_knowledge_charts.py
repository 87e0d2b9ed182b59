"""Charts of knowledge gain: what they show, what they hide, and that they show nothing that is not published."""

import json
import re
import shutil
from functools import cache
from itertools import product

import nbformat
import polars as pl
import pytest
import vl_convert

from safeguarding_analytics import knowledge_charts, rating_charts
from safeguarding_analytics.chart_marks import COLOURS
from safeguarding_analytics.disclosure import Policy, already_public, suppress
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.leaks import find_leaks
from safeguarding_analytics.pages import page_html
from safeguarding_analytics.release import publish

POLICY = Policy.dfe()
YES_NO = ("yes", "no")
LONG = (
    "What is the first thing to write down after a child has told you that somebody at home hurts them, whom do you "
    "tell, and by when?"
)
SURE, LOST = "I know whom to ask", "I hardly know whom to ask"


def answers(*cells):
    """Counts of who answered before, after and at follow-up, from yes-yes-yes to no-no-no, with all their totals."""
    inner = dict(zip(product(YES_NO, repeat=3), cells, strict=True))
    every = list(product((*YES_NO, "Total"), repeat=3))
    rows = [
        (*key, sum(n for one, n in inner.items() if all(k in (o, "Total") for k, o in zip(key, one, strict=True))))
        for key in every
    ]
    return pl.DataFrame(rows, schema=["before", "after", "follow_up", "count"], orient="row")


def gain(**changed):
    row = {
        "n_pairs": 720,
        "mean_pre": 10.2,
        "mean_post": 12.8,
        "mean_change": 2.6,
        "lower": 2.2,
        "upper": 2.9,
        "n_pre": 1050,
        "n_post": 900,
        "n_up": 511,
        "n_same": 122,
        "n_down": 87,
        "n_clusters": 24,
        "verdict": "clearly at least",
    }
    return pl.DataFrame([{**row, **changed}], schema_overrides={"lower": pl.Float64, "upper": pl.Float64})


def few(pairs):
    return {"n_pairs": pairs, "n_up": pairs, "n_same": 0, "n_down": 0, "n_pre": pairs, "n_post": pairs}


NO_GAIN = dict.fromkeys(("mean_pre", "mean_post", "mean_change", "lower", "upper", "verdict"))

# Police is hidden in part: its means may be shown, its parts not. Probation has too few pairs for a mean; all of the
# pairs of Housing gained exactly one point: there is no interval.
AGENCIES = pl.DataFrame(
    {
        "agency": ["Education", "Health", "Housing", "Police", "Probation", "Total"],
        "n_pairs": [300, 180, 20, 60, 8, 568],
        "mean_pre": [11.0, 9.4, 10.0, 8.8, None, 10.2],
        "mean_post": [12.9, 12.4, 11.0, 11.9, None, 12.7],
        "mean_change": [1.9, 3.0, 1.0, 3.1, None, 2.5],
        "lower": [1.4, 2.2, None, 1.2, None, 2.1],
        "upper": [2.4, 3.8, None, 5.0, None, 2.9],
        "n_up": [200, 130, 20, None, None, 390],
        "n_same": [60, 30, 0, None, None, 110],
        "n_down": [40, 20, 0, None, None, 68],
        "g_av": [0.61, 0.88, None, 0.9, None, 0.77],
        "g_av_lower": [0.4, 0.6, None, 0.3, None, 0.66],
        "g_av_upper": [0.82, 1.16, None, 1.5, None, 0.88],
        "shrunken": [2.1, 2.8, 1.6, 2.7, None, None],
        "mark": ["", "", "", "[c]", "[c]", ""],
    }
)
QUESTIONS = pl.DataFrame(
    {
        "question": ["Who may share information?", LONG, "What is neglect?", "I feel confident"],
        "n_pairs": [800, 1000, 40, 700],
        "n_up": [300, 40, None, 400],
        "n_same_high": [200, 400, None, 100],
        "n_same_low": [240, 420, None, 100],
        "n_down": [60, 140, None, 100],
        "share_before": [260 / 800, 540 / 1000, None, None],
        "share_after": [500 / 800, 440 / 1000, None, None],
        "p_value": [0.001, 0.002, None, 0.003],
        "p_holm": [0.003, 0.004, None, 0.003],
        "mark": ["", "", "[c]", ""],
    }
)
WAVES = pl.DataFrame(
    {
        "comparison": ["before to follow-up", "after to follow-up", "then to after"],
        "n_pairs": [330, 340, 9],
        "mean_pre": [10.3, 12.9, None],
        "mean_post": [11.9, 11.8, None],
        "mean_change": [1.6, -1.1, None],
        "lower": [1.1, -1.5, None],
        "upper": [2.1, -0.7, None],
        "mark": ["", "", "[c]"],
    }
)
SCALE = ("1", "2", "3", "4", "5")


def ratings(hidden=3):
    """Ratings from 1 to 5, sorted as a measure gives them: "after" before "before"."""
    counts = {
        (LOST, "after"): (40, 30, 20, 10, 0),
        (LOST, "before"): (10, 20, 40, 20, 10),
        (SURE, "after"): (hidden, 20, 27 - hidden, 20, 30),
        (SURE, "before"): (20, 20, 20, 20, 20),
    }
    rows = [(*key, answer, count) for key, each in counts.items() for answer, count in zip(SCALE, each, strict=True)]
    return pl.DataFrame(rows, schema=["question", "wave", "answer", "count"], orient="row")


def public(table):
    return already_public(table, "made up")


def safe(table):
    return suppress(table, POLICY)


TABLES = {
    "participation": safe(answers(310, 410, 20, 310, 40, 140, 10, 20)),
    "participation_hidden": safe(answers(3, 417, 40, 290, 41, 139, 30, 300)),
    "paired_gain": safe(gain()),
    "paired_gain_hidden": safe(gain(**few(9))),
    "parts": safe(gain()),
    "parts_by_agency": public(AGENCIES),
    "questions": public(QUESTIONS),
    "diverging": safe(ratings()),
    "forest": public(AGENCIES),
    "forest_standardised": public(AGENCIES),
    "before_after": public(AGENCIES),
    "waves": public(WAVES),
}
PLOTS = {
    "participation": (knowledge_charts.plot_participation, {}),
    "participation_hidden": (knowledge_charts.plot_participation, {}),
    "paired_gain": (knowledge_charts.plot_paired_gain, {"unit": "points out of 20", "meaningful_gain": 2.0}),
    "paired_gain_hidden": (knowledge_charts.plot_paired_gain, {"unit": "points", "meaningful_gain": 2.0}),
    "parts": (knowledge_charts.plot_rose_same_fell, {}),
    "parts_by_agency": (knowledge_charts.plot_rose_same_fell, {}),
    "questions": (knowledge_charts.plot_question_changes, {}),
    "diverging": (rating_charts.plot_diverging, {}),
    "forest": (knowledge_charts.plot_forest, {"meaningful_gain": 2.0}),
    "forest_standardised": (knowledge_charts.plot_forest, {"standardised": True}),
    "before_after": (knowledge_charts.plot_before_after, {}),
    "waves": (knowledge_charts.plot_waves, {}),
}
NAMES = list(PLOTS)
HIDDEN = {
    # The 3 who answered all three times; none of the numbers with which they could be worked out is a bar.
    "participation_hidden": 1,
    "paired_gain_hidden": 1,
    "parts_by_agency": 2,
    "questions": 1,
    "diverging": 1,
    "forest": 1,
    "forest_standardised": 1,
    "before_after": 1,
    "waves": 1,
}


@cache
def drawn(name, title="What was learned"):
    plot, options = PLOTS[name]
    return plot(TABLES[name], title=title, **options)


def said_of(name, title="What was learned"):
    return drawn(name, title).to_dict(validate=False)["description"]


def rows_of(chart):
    """The rows of the table a chart carries, without those of its lines and labels."""
    specification = chart.to_dict(validate=False)
    return specification["datasets"][specification["data"]["name"]]


def nodes(part):
    yield part
    for child in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from nodes(child)


def picture(chart, width=680):
    """The chart as it is drawn at a width, in pixels, as SVG; without its title, which the page prints."""
    specification = {name: value for name, value in chart.to_dict(validate=False).items() if name != "title"}
    fixed = {"width": width, "autosize": {"type": "fit-x", "contains": "padding"}}
    return vl_convert.vegalite_to_svg({**specification, **fixed}, "6.4")


def texts_of(chart, width=680):
    """What a chart prints at a width: text → places from the left and the top. White edges of texts are none."""
    found = {}
    for x, y, said in re.findall(
        r"<text[^>]*translate\(([-\d.]+),([-\d.]+)\)[^>]*>(.*?)</text>", picture(chart, width)
    ):
        said = " ".join(re.sub(r"<[^>]+>", " ", said).replace("&amp;", "&").split())
        place = (float(x), float(y))
        if place not in found.setdefault(said, []):
            found[said].append(place)
    return found


def bars_of(chart, width=680):
    """The bars of a chart by what is said of them: left end and width, in pixels."""
    bar = r'aria-label="([^"]*)"[^>]*?aria-roledescription="bar"[^>]*?d="M([-\d.]+),[-\d.]+h([-\d.]+)'
    found = re.findall(bar, picture(chart, width))
    return {said: (float(left), float(size)) for said, left, size in found}


# Conventions


@pytest.mark.parametrize("name", NAMES)
def test_chart_follows_the_schema_of_vega_lite(name):
    # Compared once: it takes longer than to make the chart, and the other tests of it leave it out.
    drawn(name).to_dict(validate=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_chart_carries_exactly_the_fields_it_draws(name):
    chart = drawn(name)
    layers = json.dumps({**chart.to_dict(validate=False), "datasets": {}})
    used = {one for pair in re.findall(r'"field": "(\w+)"|datum\.(\w+)', layers) for one in pair}
    assert {field for row in rows_of(chart) for field in row} <= used


@pytest.mark.parametrize("name", NAMES)
def test_a_row_without_a_number_has_no_number_but_its_pairs(name):
    for row in rows_of(drawn(name)):
        numbers = [value for value in row.values() if isinstance(value, int | float) and not isinstance(value, bool)]
        if row.get("note"):
            assert numbers == []
            assert not re.search(r"\d", row.get("words", ""))
        else:
            assert numbers


@pytest.mark.parametrize("name", NAMES)
def test_every_chart_is_described_by_its_title_and_how_many_are_hidden(name):
    said = said_of(name, "Who came?")
    assert said.startswith("Who came? ")
    hidden = HIDDEN.get(name, 0)
    assert re.search(rf"Hidden \(\[c\]\): {hidden} of \d+\." if hidden else r"Hidden: 0 of \d+\.", said)


@pytest.mark.parametrize("name", NAMES)
def test_a_hidden_number_has_its_mark_printed_once(name):
    assert len(texts_of(drawn(name)).get("[c]", [])) == HIDDEN.get(name, 0)


@pytest.mark.parametrize("name", NAMES)
def test_no_letter_is_smaller_than_12_pixels(name):
    parts = [part for part in nodes(drawn(name).to_dict(validate=False)) if isinstance(part, dict)]
    sizes = [value for part in parts for key, value in part.items() if key.lower().endswith("fontsize")]
    assert sizes  # those of the theme
    assert min(sizes) >= 12


@pytest.mark.parametrize("name", [name for name in NAMES if name != "diverging"])
def test_colours_are_those_of_the_palette(name):
    text = json.dumps({**drawn(name).to_dict(validate=False), "config": {}})
    assert set(re.findall(r"#[0-9A-Fa-f]{6}", text)) <= {*COLOURS, "#3D3D3D"}


@pytest.mark.parametrize("name", NAMES)
def test_every_chart_fills_the_width_it_is_given(name):
    assert drawn(name).to_dict(validate=False)["width"] == "container"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_stands_outside_of_a_telephone(name):
    places = [place for places in texts_of(drawn(name), 318).values() for place in places]
    assert all(-10 <= x <= 318 for x, _ in places)  # the numbers of a left axis stand to the left of 0


@pytest.mark.parametrize("name", NAMES)
def test_only_tables_that_went_through_suppress_are_drawn(name):
    plot, options = PLOTS[name]
    with pytest.raises(ParameterError, match=r"charts draw only tables that went through suppress\(\)"):
        plot(gain(), title="x", **options)


@pytest.mark.parametrize("name", NAMES)
def test_empty_table_says_that_there_are_no_rows(name):
    plot, options = PLOTS[name]
    empty = public(TABLES[name].frame().clear())
    assert (
        plot(empty, title="Who came", **options).to_dict(validate=False)["description"] == "Who came. No rows to draw."
    )


@pytest.mark.parametrize("name", NAMES)
def test_table_of_which_all_is_hidden_prints_marks_and_no_number(name):
    plot, options = PLOTS[name]
    table = TABLES[name].frame()
    groups = TABLES[name].shape.group_columns(table.columns)
    hidden = table.with_columns(
        *(pl.lit(None, kind).alias(one) for one, kind in table.schema.items() if one not in (*groups, "mark")),
        mark=pl.lit("[c]"),
    )
    texts = texts_of(plot(public(hidden), title="x", **options))
    assert "[c]" in texts
    assert not [
        text for text in texts if re.search(r"pairs$|before,|newly|\d \(|\d of \d", text) and text != "All pairs"
    ]


def test_table_of_another_shape_is_refused_with_what_shows_it():
    with pytest.raises(ParameterError, match="Use plot_question_changes instead"):
        knowledge_charts.plot_forest(TABLES["questions"], title="x")
    estimate = pl.DataFrame({"definition": ["g_av"], "n": [30], "estimate": [0.4], "lower": [0.1], "upper": [0.7]})
    with pytest.raises(ParameterError, match="Use show_table instead"):
        knowledge_charts.plot_forest(public(estimate), title="x")


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        # All sums of two of the three questions are the same.
        ("participation", answers(3, 417, 40, 290, 41, 139, 30, 300), answers(4, 416, 39, 291, 40, 140, 31, 299)),
        ("paired_gain", gain(**few(3), mean_change=2.6), gain(**few(4), mean_change=1.0)),
        ("parts", gain(n_up=700, n_same=17, n_down=3), gain(n_up=702, n_same=17, n_down=1)),
        ("diverging", ratings(3), ratings(5)),
    ],
)
def test_two_tables_that_differ_in_hidden_numbers_only_make_the_same_chart(name, one, other):
    draw, options = PLOTS[name]
    first, second = (draw(safe(table), title="x", **options).to_dict(validate=False) for table in (one, other))
    assert first == second


# Who answered


def test_participation_measures_each_answer_against_those_who_attended():
    # 310 + 410 + 20 + 310 + 40 + 140 + 10 + 20 = 1,260 attended; before 310 + 410 + 20 + 310 = 1,050, 83.3%;
    # after 310 + 410 + 40 + 140 = 900, 71.4%; both 720, 57.1%; follow-up 310 + 20 + 40 + 10 = 380, 30.2%; all 24.6%.
    texts = texts_of(drawn("participation"))
    expected = {
        "Attended": "1,260",
        "Answered before": "1,050 of 1,260: 83.3%",
        "Answered after": "900 of 1,260: 71.4%",
        "Answered both times": "720 of 1,260: 57.1%",
        "Answered at follow-up": "380 of 1,260: 30.2%",
        "Answered all three times": "310 of 1,260: 24.6%",
    }
    assert {*expected, *expected.values()} <= set(texts)
    names = sorted(expected, key=lambda name: texts[name][0][1])
    assert names == list(expected)
    for name, words in expected.items():
        assert 0 < texts[words][0][1] - texts[name][0][1] < 30


def test_participation_is_described_with_its_numbers():
    assert said_of("participation", "Answers") == (
        "Answers. Bars from one baseline: attendances. Attended: 1,260. Answered before: yes, 1,050. "
        "Answered after: yes, 900. Answered both times: yes, 720. Answered at follow-up: yes, 380. "
        "Answered all three times: yes, 310. Hidden: 0 of 6."
    )


def test_participation_without_a_follow_up_has_four_bars():
    table = answers(310, 410, 20, 310, 40, 140, 10, 20).filter(follow_up="Total").drop("follow_up")
    rows = rows_of(knowledge_charts.plot_participation(safe(table), title="x"))
    assert [(row["row"], row["value"]) for row in rows] == [
        ("Attended", 1260),
        ("Answered before", 1050),
        ("Answered after", 900),
        ("Answered both times", 720),
    ]


def test_participation_names_the_second_time_and_who_is_counted():
    table = answers(310, 410, 20, 310, 40, 140, 10, 20).filter(follow_up="Total").drop("follow_up")
    chart = knowledge_charts.plot_participation(
        safe(table), title="Answers", second="at follow-up", who="attended or answered"
    )
    rows = [(row["row"], row["value"]) for row in rows_of(chart)]
    assert rows[0] == ("Attended or answered", 1260)
    assert rows[2] == ("Answered at follow-up", 900)
    assert "Number who attended or answered, at each session" in texts_of(chart)
    assert chart.to_dict(validate=False)["description"] == (
        "Answers. Bars from one baseline: attendances. Attended or answered: 1,260. "
        "Answered before: yes, 1,050. "
        "Answered at follow-up: yes, 900. Answered both times: yes, 720. Hidden: 0 of 4."
    )


def test_share_has_no_decimal_on_a_telephone():
    assert "1,050 of 1,260: 83%" in texts_of(drawn("participation"), 318)


def test_where_the_attendance_is_hidden_no_share_is_printed():
    table = answers(310, 410, 20, 310, 40, 140, 10, 20)
    everybody = pl.all_horizontal(pl.col("before", "after", "follow_up") == "Total")
    hidden = table.with_columns(
        pl.when(~everybody).then("count").alias("count"), mark=pl.when(everybody).then(pl.lit("[c]"))
    )
    texts = texts_of(knowledge_charts.plot_participation(public(hidden), title="x"))
    assert "1,050" in texts
    assert not [text for text in texts if text.endswith("%")]


def test_stage_that_is_not_in_the_table_has_no_figure():
    table = answers(310, 410, 20, 310, 40, 140, 10, 20).filter(pl.col("follow_up") != "yes")
    chart = knowledge_charts.plot_participation(public(table), title="x")
    assert len(texts_of(chart)["no figure"]) == 2
    assert "No figure: 2." in chart.to_dict(validate=False)["description"]


def test_participation_by_other_columns_is_refused():
    table = pl.DataFrame({"agency": ["A"], "count": [20]})
    with pytest.raises(ParameterError, match=r"by before and after.* Found: agency"):
        knowledge_charts.plot_participation(public(table), title="x")


# Paired gain


def test_paired_gain_prints_both_means_and_the_gain_with_its_interval():
    texts = texts_of(drawn("paired_gain"))
    assert {"Before", "10.2", "After", "12.8", "Gain", "2.6 (2.2 to 2.9)", "dashed: meaningful gain: 2"} <= set(texts)
    assert texts["Before"][0][0] == texts["10.2"][0][0] < texts["After"][0][0] < texts["2.6 (2.2 to 2.9)"][0][0]


def test_paired_gain_is_described_with_numbers_interval_and_verdict():
    assert said_of("paired_gain", "Gain") == (
        "Gain. A line from the mean before to the mean after, and beside it the gain with its interval. "
        "Scores rose by 2.6 points out of 20 (95% interval 2.2 to 2.9): 10.2 before, 12.8 after, 720 pairs. "
        "Against the meaningful gain: 2, the verdict is: clearly at least that much. Hidden: 0 of 1."
    )


def test_a_fall_is_called_a_fall():
    fallen = gain(mean_post=9.8, mean_change=-0.4, lower=-0.9, upper=0.1, verdict="clearly less")
    chart = knowledge_charts.plot_paired_gain(safe(fallen), title="x", unit="points", meaningful_gain=2.0)
    assert (
        "Scores fell by 0.4 points (95% interval −0.9 to 0.1): 10.2 before, 9.8 after"
        in chart.to_dict(validate=False)["description"]
    )
    assert "−0.4 (−0.9 to 0.1)" in texts_of(chart)


def test_gain_of_next_to_nothing_is_neither_a_rise_nor_a_fall():
    still = gain(mean_post=10.2, mean_change=-0.01, lower=-0.2, upper=0.2)
    chart = knowledge_charts.plot_paired_gain(safe(still), title="x", unit="points")
    assert "Scores changed by less than 0.1 points" in chart.to_dict(validate=False)["description"]
    assert "verdict" not in chart.to_dict(validate=False)["description"]


def test_no_person_is_a_dot_in_the_paired_gain():
    assert len(rows_of(drawn("paired_gain"))) == 1
    assert set(rows_of(drawn("paired_gain"))[0]) == {
        *("row", "before", "after", "value", "lower", "upper", "before_words", "after_words", "aside", "words")
    }


def test_interval_of_the_gain_is_drawn_against_no_change_and_the_meaningful_gain():
    gains = drawn("paired_gain").to_dict(validate=False)["layer"][1]["layer"]
    ends = [layer["encoding"]["y"]["field"] for layer in gains if "y2" in layer["encoding"]]
    assert ends == ["lower"]
    data = drawn("paired_gain").to_dict(validate=False)["datasets"]
    assert [data[layer["data"]["name"]][0]["value"] for layer in gains if "data" in layer] == [0.0, 2.0]
    domain = gains[0]["encoding"]["y"]["scale"]["domain"]
    assert domain[0] < 0 < 2.9 < domain[1]


def test_gain_without_an_interval_says_so():
    alone = gain(lower=None, upper=None, verdict=None)
    chart = knowledge_charts.plot_paired_gain(safe(alone), title="x", unit="points", meaningful_gain=2.0)
    assert "Scores rose by 2.6 points, without an interval" in chart.to_dict(validate=False)["description"]
    assert "2.6" in texts_of(chart)


def test_axis_of_the_means_shows_the_scale_of_the_questionnaire():
    chart = knowledge_charts.plot_paired_gain(TABLES["paired_gain"], title="x", unit="points", scale=(0, 20))
    means = chart.to_dict(validate=False)["layer"][0]["layer"][0]["encoding"]["y"]["scale"]
    assert means["domain"] == [0, 20]


def test_paired_gain_of_several_rows_is_refused():
    with pytest.raises(ParameterError, match=r"draws one row\. Found: 6 rows\. Use plot_forest"):
        knowledge_charts.plot_paired_gain(TABLES["forest"], title="x", unit="points")


# Rose, same, fell


def test_parts_of_a_bar_add_up_to_all_pairs():
    # 511 / 720 = 71.0%, 122 / 720 = 16.9%, 87 / 720 = 12.1%
    bars = bars_of(drawn("parts"))
    words = ["rose 71.0% (511)", "same 16.9% (122)", "fell 12.1% (87)"]
    assert [said.removeprefix("All pairs: ") for said in sorted(bars, key=bars.get)] == words
    sizes = [bars[f"All pairs: {one}"][1] for one in words]
    assert [size / sum(sizes) for size in sizes] == pytest.approx([511 / 720, 122 / 720, 87 / 720], abs=1e-4)
    assert {*words, "720 pairs"} <= set(texts_of(drawn("parts")))


def test_parts_are_described_with_their_counts():
    assert said_of("parts", "Gain") == (
        "Gain. Bars of 100%: pairs of answers that rose, stayed the same or fell. "
        "All pairs: 720 pairs, 511 rose, 122 stayed the same, 87 fell. Hidden: 0 of 1."
    )


def test_where_one_part_is_hidden_the_bar_is():
    # The room left in the bar would give away the one that is not shown.
    table = gain().with_columns(n_down=pl.lit(None, pl.Int64))
    chart = knowledge_charts.plot_rose_same_fell(public(table), title="x")
    assert rows_of(chart) == [{"row": "All pairs", "series": "rose", "value": None, "pairs": None, "note": "no figure"}]
    assert bars_of(chart) == {}
    assert "720 pairs" not in texts_of(chart)


def test_bars_keep_the_order_of_the_table_after_the_total():
    texts = texts_of(drawn("parts_by_agency"))
    agencies = ["Total", "Education", "Health", "Housing", "Police", "Probation"]
    assert sorted(agencies, key=lambda name: texts[name][0][1]) == agencies


def test_colours_of_the_parts_are_neither_red_nor_green_and_differ_in_grey():
    colours = drawn("parts").to_dict(validate=False)["layer"][0]["encoding"]["color"]["scale"]
    assert colours == {"domain": ["rose", "same", "fell"], "range": ["#12436D", "white", "#F46A25"]}
    red, green, blue = (0.2126, 0.7152, 0.0722)
    grey = [
        sum(weight * int(colour[n : n + 2], 16) for weight, n in zip((red, green, blue), (1, 3, 5), strict=True))
        for colour in ("#12436D", "#F46A25", "#FFFFFF")
    ]
    assert grey[1] - grey[0] > 60
    assert grey[2] - grey[1] > 60


def test_pairs_of_nobody_have_no_bar():
    nobody = gain(**NO_GAIN, n_pairs=0, n_up=0, n_same=0, n_down=0)
    chart = knowledge_charts.plot_rose_same_fell(public(nobody), title="x")
    assert [row["value"] for row in rows_of(chart)] == [None]


# Questions


def test_questions_stand_in_the_order_of_the_table_without_the_ratings():
    rows = rows_of(drawn("questions"))
    assert [row["row"] for row in rows] == QUESTIONS["question"].to_list()[:3]
    assert [row["before"] for row in rows] == [260 / 800, 540 / 1000, None]
    assert [row["after"] for row in rows] == [500 / 800, 440 / 1000, None]


def test_newly_right_and_newly_wrong_stand_beside_each_other():
    texts = texts_of(drawn("questions"))
    assert {"newly right 300, newly wrong 60 of 800", "newly right 40, newly wrong 140 of 1,000"} <= set(texts)


def test_questions_are_described_with_the_largest_and_the_smallest_change():
    assert said_of("questions", "Questions") == (
        "Questions. Two symbols, by question: share of right answers before and after. "
        "Largest change: Who may share information?: 32.5% before, 62.5% after, newly right 300, newly wrong 60 "
        "of 800. "
        f"Smallest change: {LONG}: 54.0% before, 44.0% after, newly right 40, newly wrong 140 of 1,000. "
        "Hidden ([c]): 1 of 3."
    )


def test_long_question_is_broken_into_lines_cut_short_and_whole_under_the_pointer():
    narrow = next(text for text in texts_of(drawn("questions"), 318) if text.startswith("What is the first"))
    assert (
        narrow
        == "What is the first thing to write down after a child has told you that somebody at home hurts them, whom…"
    )
    wide = next(text for text in texts_of(drawn("questions"), 1060) if text.startswith("What is the first"))
    assert wide == LONG
    names = [layer for layer in drawn("questions").to_dict(validate=False)["layer"] if "lineHeight" in layer["mark"]]
    assert "tooltip" in names[-1]["encoding"]
    assert {"row": LONG} in drawn("questions").to_dict(validate=False)["datasets"][names[-1]["data"]["name"]]


def test_questions_of_which_one_part_is_hidden_show_nothing_else():
    table = QUESTIONS.with_columns(n_down=pl.when(pl.col("n_down") != 60).then("n_down"))
    first = rows_of(knowledge_charts.plot_question_changes(public(table), title="x"))[0]
    empty = {"before": None, "after": None, "words": "", "aside": "", "note": "no figure"}
    assert first == {"row": "Who may share information?", **empty}


def test_ratings_alone_are_no_rows():
    chart = knowledge_charts.plot_question_changes(public(QUESTIONS.filter(n_pairs=700)), title="x")
    assert chart.to_dict(validate=False)["description"] == "x. No rows to draw."


# Diverging ratings


def test_answers_below_the_middle_stand_to_the_left_of_it():
    # Of 100 before: 10, 20, 40, 20, 10; of 100 after: 40, 30, 20, 10, 0. The middle is half on each side.
    bars = bars_of(drawn("diverging"))
    before = [
        bars[f"{LOST}, before, answer {answer}: {count}"]
        for answer, count in zip(SCALE, (10, 20, 40, 20, 10), strict=True)
    ]
    after = [
        bars[f"{LOST}, after, answer {answer}: {count}"]
        for answer, count in zip(SCALE[:4], (40, 30, 20, 10), strict=True)
    ]
    middles = [one[2][0] + one[2][1] / 2 for one in (before, after)]
    assert middles[0] == pytest.approx(middles[1], abs=0.1)
    hundredth = before[0][1] / 10
    assert [size / hundredth for _, size in before] == pytest.approx([10, 20, 40, 20, 10], abs=0.2)
    assert [size / hundredth for _, size in after] == pytest.approx([40, 30, 20, 10], abs=0.2)
    assert [left + size for left, size in after[:3]] == pytest.approx([left for left, _ in after[1:]], abs=0.1)


def test_shares_below_and_above_the_middle_stand_at_the_ends():
    # After: 40 + 30 = 70 below the middle and 10 above it; before: 10 + 20 = 30 on each side.
    texts, bars = texts_of(drawn("diverging")), bars_of(drawn("diverging"))
    for wave, below, above, last in (("after", "70%", "10%", "4: 10"), ("before", "30%", "30%", "5: 10")):
        first = bars[f"{LOST}, {wave}, answer 1: {40 if wave == 'after' else 10}"]
        end = bars[f"{LOST}, {wave}, answer {last}"]
        assert [x for x, _ in texts[below] if abs(x - (first[0] - 5)) < 0.1]
        assert [x for x, _ in texts[above] if abs(x - (end[0] + end[1] + 5)) < 0.1]


def test_before_stands_above_after():
    texts = texts_of(drawn("diverging"))
    assert texts["before"][0][1] < texts["after"][0][1]


def test_bar_with_a_hidden_answer_is_replaced_by_its_mark():
    rows = [row for row in rows_of(drawn("diverging")) if (row["row"], row["series"]) == (SURE, "after")]
    assert rows == [{"row": SURE, "series": "after", "answer": None, "value": None, "note": "[c]"}]


def test_direction_of_ratings_is_described():
    assert said_of("diverging", "Ratings") == (
        "Ratings. Bars around the middle of the scale, by question and wave: shares of the answers. "
        f"Lower answers after than before: {LOST}. Hidden ([c]): 1 of 4."
    )
    shown = rating_charts.plot_diverging(public(ratings(8)), title="x").to_dict(validate=False)["description"]
    # After: 8 + 20 = 28 below and 20 + 30 = 50 above; before 40 and 40.
    assert f"Higher answers after than before: {SURE}." in shown


def test_scale_of_even_length_has_no_middle():
    ten = pl.DataFrame(
        {
            "question": ["Q"] * 10,
            "wave": ["after"] * 10,
            "answer": [str(n) for n in range(10, 0, -1)],
            "count": [10] * 10,
        }
    )
    chart = rating_charts.plot_diverging(public(ten), title="x")
    parts = [node for node in nodes(chart.to_dict(validate=False)) if isinstance(node, dict)]
    colours = next(part["scale"] for part in parts if part.get("field") == "answer" and "scale" in part)
    assert colours["domain"] == [str(n) for n in range(1, 11)]
    assert len(set(colours["range"])) == 10
    assert (colours["range"][0], colours["range"][-1]) == (COLOURS[3], COLOURS[0])
    assert texts_of(chart)["50%"]
    bars = bars_of(chart)
    zero = bars["Q, after, answer 6: 10"][0]
    assert bars["Q, after, answer 5: 10"][0] + bars["Q, after, answer 5: 10"][1] == pytest.approx(zero, abs=0.1)


def test_answers_in_words_need_their_order():
    words = ["Agree", "Disagree", "Neither"]
    table = public(pl.DataFrame({"question": ["Q"] * 3, "wave": ["after"] * 3, "answer": words, "count": [30, 10, 20]}))
    with pytest.raises(ParameterError, match="the order of the answers is not known: Agree, Disagree, Neither"):
        rating_charts.plot_diverging(table, title="x")
    with pytest.raises(ParameterError, match="answer_order lacks answers of the table: Neither"):
        rating_charts.plot_diverging(table, title="x", answer_order=["Disagree", "Agree"])
    chart = rating_charts.plot_diverging(table, title="x", answer_order=["Disagree", "Neither", "Agree"])
    assert [said for said, _ in sorted(bars_of(chart).items(), key=lambda one: one[1])] == [
        "Q, after, answer Disagree: 10",
        "Q, after, answer Neither: 20",
        "Q, after, answer Agree: 30",
    ]


def test_questions_of_two_scales_are_refused():
    rows = [(f"Q{most}", "after", str(answer), 20) for most in (5, 10) for answer in range(1, most + 1)]
    table = pl.DataFrame(rows, schema=["question", "wave", "answer", "count"], orient="row")
    with pytest.raises(ParameterError, match=r"questions of one scale\. Found: 1 to 5, 1 to 10\."):
        rating_charts.plot_diverging(public(table), title="x")


def test_whole_scale_may_be_given_where_nobody_chose_its_ends():
    two = pl.DataFrame({"question": ["Q"] * 2, "wave": ["after"] * 2, "answer": ["3", "4"], "count": [20, 20]})
    chart = rating_charts.plot_diverging(public(two), title="x", answer_order=SCALE)
    # Half of the middle, and all of what lies above it: 0% below, 50% above.
    assert {"0%", "50%"} <= set(texts_of(chart))


def test_questions_can_be_put_in_order():
    chart = rating_charts.plot_diverging(TABLES["diverging"], title="x", question_order=[SURE])
    texts = texts_of(chart)
    assert texts[SURE][0][1] < texts[LOST][0][1]
    with pytest.raises(ParameterError, match=r'I know whom to asc not among the questions.* Did you mean "I know'):
        rating_charts.plot_diverging(TABLES["diverging"], title="x", question_order=["I know whom to asc"])


def test_ratings_need_question_wave_and_answer():
    with pytest.raises(ParameterError, match=r"by question, wave and answer\. Found: before, after, follow_up"):
        rating_charts.plot_diverging(TABLES["participation"], title="x")


def test_scale_of_too_many_answers_is_refused():
    many = pl.DataFrame({"question": "Q", "wave": "after", "answer": [str(n) for n in range(101)], "count": 20})
    with pytest.raises(ParameterError, match=r"scales of 2 to 11 answers\. Found: 101 answers"):
        rating_charts.plot_diverging(public(many), title="x")


# Forest


def test_forest_begins_with_the_largest_gain_and_ends_with_the_total():
    rows = rows_of(drawn("forest"))
    assert [row["row"] for row in rows] == ["Police", "Health", "Education", "Housing", "Probation", "Total"]
    shapes = [
        layer["mark"]["shape"]["expr"]
        for layer in drawn("forest").to_dict(validate=False)["layer"]
        if "shape" in layer["mark"]
    ]
    assert shapes == ["datum.row == \"Total\" ? 'diamond' : 'circle'"]


def test_group_without_an_interval_has_its_pairs_alone():
    housing = next(row for row in rows_of(drawn("forest")) if row["row"] == "Housing")
    assert housing == {
        **dict.fromkeys(("value", "lower", "upper")),
        "row": "Housing",
        "note": "no interval",
        "words": "",
        "aside": "20 pairs",
    }
    assert {"no interval", "20 pairs", "8 pairs"} <= set(texts_of(drawn("forest")))


def test_forest_is_described_row_by_row():
    assert said_of("forest", "Gain") == (
        "Gain. Dots with intervals, by agency: mean gain in points. Police: 3.1 (1.2 to 5.0), 60 pairs. "
        "Health: 3.0 (2.2 to 3.8), 180 pairs. Education: 1.9 (1.4 to 2.4), 300 pairs. Housing: no interval, 20 pairs. "
        "Total: 2.5 (2.1 to 2.9), 568 pairs. Hidden ([c]): 1 of 6."
    )


def test_standardised_forest_draws_g_av_with_its_own_interval():
    rows = {row["row"]: row for row in rows_of(drawn("forest_standardised"))}
    assert [rows["Health"][name] for name in ("value", "lower", "upper")] == [0.88, 0.6, 1.16]
    assert rows["Health"]["words"] == "0.88 (0.60 to 1.16), 180 pairs"
    assert "Mean gain, by spread of scores (0 = no change)" in texts_of(drawn("forest_standardised"))


def test_points_are_not_drawn_beside_standardised_gains():
    with pytest.raises(ParameterError, match="a meaningful gain is in points, and g_av is not"):
        knowledge_charts.plot_forest(TABLES["forest"], title="x", standardised=True, meaningful_gain=2.0)
    with pytest.raises(ParameterError, match="Missing: g_av, g_av_lower, g_av_upper"):
        knowledge_charts.plot_forest(TABLES["waves"], title="x", standardised=True)


def test_meaningful_gain_is_a_dashed_labelled_line():
    assert "meaningful gain: 2" in texts_of(drawn("forest"))
    without = knowledge_charts.plot_forest(TABLES["forest"], title="x")
    assert "meaningful gain" not in json.dumps(without.to_dict(validate=False))


def test_forest_of_two_group_columns_is_refused():
    table = pl.concat([AGENCIES.select(pl.lit(name).alias("course"), pl.all()) for name in ("A", "B")])
    with pytest.raises(ParameterError, match=r"plot_forest draws one group column\. Found: course, agency"):
        knowledge_charts.plot_forest(public(table), title="x")


# Before and after by agency


def test_agencies_are_not_ranked_and_have_no_interval():
    rows = rows_of(drawn("before_after"))
    assert [row["row"] for row in rows] == ["Total", "Education", "Health", "Housing", "Police", "Probation"]
    assert set(rows[0]) == {"row", "before", "after", "words", "aside", "note"}


def test_shrunken_gain_stands_beside_the_raw_means():
    texts = texts_of(drawn("before_after"))
    assert {"11.0 to 12.9; likely gain 2.1; 300 pairs", "10.2 to 12.7; 568 pairs", "8 pairs"} <= set(texts)


def test_before_and_after_are_told_apart_by_shape_as_well():
    point = next(
        layer for layer in drawn("before_after").to_dict(validate=False)["layer"] if layer["mark"]["type"] == "point"
    )
    assert point["encoding"]["shape"]["scale"] == {"domain": ["before", "after"], "range": ["diamond", "circle"]}


def test_before_and_after_are_described_row_by_row():
    said = said_of("before_after", "Agencies")
    assert said.startswith(
        "Agencies. Two symbols, by agency: mean score before and after, in points. Total: 10.2 to 12.7"
    )
    assert "Education: 11.0 to 12.9; likely gain 2.1; 300 pairs." in said
    assert "Probation" not in said


# Follow-up


def test_waves_keep_the_order_of_the_table_and_print_both_means():
    rows = rows_of(drawn("waves"))
    assert [row["row"] for row in rows] == WAVES["comparison"].to_list()
    assert rows[0]["words"] == "10.3 to 11.9: change 1.6 (1.1 to 2.1)"
    assert rows[1]["words"] == "12.9 to 11.8: change −1.1 (−1.5 to −0.7)"
    assert [rows[1][name] for name in ("value", "lower", "upper")] == [-1.1, -1.5, -0.7]


def test_waves_are_described_row_by_row():
    assert said_of("waves", "Follow-up") == (
        "Follow-up. Dots with intervals, by comparison: change of the mean score in points. "
        "before to follow-up: 10.3 to 11.9: change 1.6 (1.1 to 2.1), 330 pairs. "
        "after to follow-up: 12.9 to 11.8: change −1.1 (−1.5 to −0.7), 340 pairs. Hidden ([c]): 1 of 3."
    )


@pytest.mark.parametrize("name", ["paired_gain", "questions", "before_after", "diverging"])
def test_the_later_of_two_times_may_be_the_follow_up(name):
    plot, options = PLOTS[name]
    chart = plot(TABLES[name], title="x", **options, second="at follow-up")
    assert {text.casefold() for text in texts_of(chart)} & {"at follow-up"}
    assert "after" not in {text.casefold() for text in texts_of(chart)}
    assert "at follow-up" in chart.to_dict(validate=False)["description"]


# Everything a chart shows stands in the table that is published


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A release of all tables, each with a page of its chart, beside a table in which years are names."""
    folder = tmp_path_factory.mktemp("release")
    (folder / "pack").mkdir()
    for name in NAMES:
        chart = drawn(name, title="The 24 sessions, year to 31 March 2012")
        cell = nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", chart._repr_mimebundle_())])
        page = page_html(nbformat.v4.new_notebook(cells=[cell]), title="All", bundle="", navigation=[])
        (folder / "pack" / f"{name}.html").write_text(page, encoding="utf-8")
    years = public(pl.DataFrame({"time_period": ["2011", "2012"], "count": [20, 30]}))
    for name, table in {**TABLES, "years": years}.items():
        publish(table, name, into=folder, title=name, definition="x", measure=name)
    return folder


@pytest.mark.parametrize("width", [318, 680])
def test_no_upright_line_of_a_forest_runs_through_names_and_numbers(width):
    chart = drawn("forest")
    lines = [part for part in re.findall(r"<line[^>]*>", picture(chart, width)) if 'stroke="#3D3D3D"' in part]
    ends = []
    for line in lines:
        top = float(re.search(r"translate\([-\d.]+,([-\d.]+)\)", line)[1])
        ends.append(sorted((top, top + float(re.search(r' y2="([-\d.]+)"', line)[1]))))
    assert len(ends) == 2 * len(rows_of(chart))  # of no change, and of the gain that was to matter
    texts = texts_of(chart, width)
    names = [y for row in rows_of(chart) for _, y in texts.get(row["row"], [])]
    assert names
    for y in names:  # its letters are below that: they hang from it, and are 10 pixels high
        assert not any(top < y + 10 and y + 2 < bottom for top, bottom in ends)


def test_charts_of_published_tables_are_no_leak(release):
    assert find_leaks(release).rows() == []


WRONG = [
    ("participation", '"value":1050,', '"value":1051,'),
    ("paired_gain", '"value":2.6,', '"value":2.7,'),
    ("paired_gain", '"aside":"2.6 (2.2', '"aside":"2.6 (2.1'),
    ("parts", '"value":511,', '"value":512,'),
    ("parts_by_agency", '"value":200,', '"value":130,'),
    ("questions", '"before":0.325,', '"before":0.335,'),
    ("questions", '"words":"newly right 300,', '"words":"newly right 400,'),
    ("diverging", '"value":40,', '"value":41,'),
    ("forest", '"lower":2.2,', '"lower":2.0,'),
    ("forest_standardised", '"value":0.88,', '"value":0.9,'),
    ("before_after", "likely gain 2.1", "likely gain 2.0"),
    ("waves", '"value":-1.1,', '"value":1.6,'),
]


@pytest.mark.parametrize(("name", "right", "wrong"), WRONG)
def test_wrong_number_in_a_chart_is_found(release, tmp_path, name, right, wrong):
    shutil.copytree(release / "tables", tmp_path / "tables")
    text = (release / "pack" / f"{name}.html").read_text(encoding="utf-8")
    assert right in text
    (tmp_path / "page.html").write_text(text.replace(right, wrong), encoding="utf-8")
    assert ("page.html", "number") in {(row[0], row[3]) for row in find_leaks(tmp_path).rows()}
