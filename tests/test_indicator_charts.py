"""Charts of indicators: what they show, what they hide, and that they show nothing that is not published."""

import json
import re
from functools import cache

import nbformat
import polars as pl
import pytest
import vl_convert

from safeguarding_analytics.chart_marks import COLOURS
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.funnel_charts import plot_funnel_of_areas
from safeguarding_analytics.indicator_charts import plot_control_chart, plot_time_to_next
from safeguarding_analytics.leaks import find_leaks
from safeguarding_analytics.pages import page_html
from safeguarding_analytics.release import publish
from safeguarding_analytics.safe import already_public

AREAS = ["Alton", "Barrow", "Corby", "Derby", "Exeter"]


def funnel(**more):
    """Five areas whose limits are made up; Derby's number is hidden by its publisher."""
    table = pl.DataFrame(
        {
            "area": AREAS,
            "observed": [65, 10, 200, None, 45],
            "size": [100, 100, 1000, None, 210],
            "value": [0.65, 0.1, 0.2, None, 45 / 210],
            "average": [320 / 1410] * 3 + [None, 320 / 1410],
            "lower_95": [0.12, 0.12, 0.18, None, 0.16],
            "upper_95": [0.34, 0.34, 0.28, None, 0.3],
            "lower_998": [0.05, 0.05, 0.15, None, 0.11],
            "upper_998": [0.42, 0.42, 0.31, None, 0.35],
            "plain_lower_998": [0.1, 0.1, 0.19, None, 0.14],
            "plain_upper_998": [0.36, 0.36, 0.27, None, 0.32],
            "position": ["above 99.8%", "below 95%", "inside", None, "inside"],
            "mark": ["", "", "", "[c]", ""],
        }
    )
    return already_public(table.with_columns(**more), "made up")


MONTHS = [f"2011-{month:02}" for month in range(1, 13)]


def control_chart(hidden=None, **more):
    values = [8, 6, 10, 8, 7, 9, 8, 20, 8, 9, 7, 8]
    table = pl.DataFrame(
        {
            "month": MONTHS,
            "value": values,
            "mean": [8.0] * 12,
            "lower": [-1.5] * 12,
            "upper": [17.5] * 12,
            "near_lower": [1.67] * 12,
            "near_upper": [14.33] * 12,
            "rule": ["outside the limits" if value == 20 else None for value in values],
            "direction": ["concern" if value == 20 else None for value in values],
        }
    ).with_columns(**more)
    is_hidden = pl.col("month").is_in([hidden] if hidden else [])
    marked = table.with_columns(
        *(pl.when(~is_hidden).then(name).alias(name) for name in table.columns[1:]),
        mark=pl.when(is_hidden).then(pl.lit("[c]")).otherwise(pl.lit("")),
    )
    return already_public(marked, "made up")


def time_to_next(**more):
    table = pl.DataFrame(
        {
            "event": ["died or moved away"] * 3 + ["second or subsequent plan"] * 3,
            "months": [0, 12, 24] * 2,
            "n": [400, 310, 120] * 2,
            "estimate": [0.0, 0.034, 0.053, 0.0, 0.098, 0.152],
            "lower": [None, 0.02, 0.033, None, 0.071, 0.115],
            "upper": [None, 0.056, 0.08, None, 0.13, 0.194],
        }
    )
    return already_public(table.with_columns(**more), "made up")


HIDDEN_MONTH = {
    **{name: pl.when(pl.col("months") < 24).then(name) for name in ("n", "estimate", "lower", "upper")},
    "mark": pl.when(pl.col("months") < 24).then(pl.lit("")).otherwise(pl.lit("[c]")),
}
TABLES = {
    "funnel": funnel(),
    "control_chart": control_chart(),
    "control_chart_hidden": control_chart(hidden="2011-04"),
    "time": time_to_next(),
    "time_hidden": time_to_next(**HIDDEN_MONTH),
}
PLOTS = {
    "funnel": (plot_funnel_of_areas, {"measure": "Repeat plans", "of": "plans started", "highlight": "Exeter"}),
    "control_chart": (plot_control_chart, {"measure": "Plans started"}),
    "control_chart_hidden": (plot_control_chart, {"measure": "Plans started"}),
    "time": (plot_time_to_next, {}),
    "time_hidden": (plot_time_to_next, {}),
}
NAMES = list(PLOTS)


@cache
def drawn(name, title="Who came"):
    plot, options = PLOTS[name]
    return plot(TABLES[name], title=title, **options)


SPECIFICATIONS = {}


def specification_of(chart):
    """Of a chart, written out once: that takes longer than all else."""
    if id(chart) not in SPECIFICATIONS:
        # The chart is kept, so that its id stays its own.
        SPECIFICATIONS[id(chart)] = (chart, chart.to_dict(validate=False))
    return SPECIFICATIONS[id(chart)][1]


def said_of(chart):
    return specification_of(chart)["description"]


def rows_of(chart):
    """The rows of the table a chart carries."""
    specification = specification_of(chart)
    return specification["datasets"][specification["data"]["name"]]


def nodes(part):
    yield part
    for child in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from nodes(child)


def svg_of(chart, width):
    fixed = {"width": width, "autosize": {"type": "fit-x", "contains": "padding"}}
    return vl_convert.vegalite_to_svg({**specification_of(chart), **fixed}, "6.4")


def texts_of(chart, width=680):
    """What a chart prints at a width, a line of text each."""
    found = []
    for said in re.findall(r"<text[^>]*>(.*?)</text>", svg_of(chart, width)):
        lines = re.findall(r"<tspan[^>]*>(.*?)</tspan>", said) or [said]
        found += [line.replace("&amp;", "&") for line in lines]
    return found


# Conventions


@pytest.mark.parametrize("name", NAMES)
def test_chart_follows_the_schema_of_vega_lite(name):
    # Compared once: it takes longer than to make the chart, and the other tests of it leave it out.
    drawn(name).to_dict(validate=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_chart_carries_exactly_the_fields_it_draws(name):
    chart = drawn(name)
    layers = json.dumps({**specification_of(chart), "datasets": {}})
    named = {word for pair in re.findall(r'"field": "(\w+)"|datum\.(\w+)', layers) for word in pair}
    folded = {
        field for part in nodes(specification_of(chart)) if isinstance(part, dict) for field in part.get("fold", [])
    }
    assert {field for row in rows_of(chart) for field in row} <= named | folded


@pytest.mark.parametrize("name", NAMES)
def test_a_row_without_a_number_has_no_number_anywhere(name):
    for row in rows_of(drawn(name)):
        numbers = {
            field for field, value in row.items() if isinstance(value, int | float) and not isinstance(value, bool)
        }
        assert (numbers == set()) is (row["note"] != "")


@pytest.mark.parametrize("name", NAMES)
def test_every_chart_is_described_by_its_title_and_how_many_are_hidden(name):
    said = said_of(drawn(name, title="Who came?"))
    assert said.startswith("Who came? ")
    hidden = len([row for row in rows_of(drawn(name)) if row["note"] == "[c]"])
    assert f"Hidden{' ([c])' if hidden else ''}: {hidden} of {len(rows_of(drawn(name)))}." in said


@pytest.mark.parametrize("name", NAMES)
def test_no_letter_is_smaller_than_12_pixels(name):
    parts = [part for part in nodes(specification_of(drawn(name))) if isinstance(part, dict)]
    sizes = [value for part in parts for key, value in part.items() if key.lower().endswith("fontsize")]
    assert sizes  # those of the theme
    assert min(sizes) >= 12


@pytest.mark.parametrize("name", NAMES)
def test_colours_are_those_of_the_palette(name):
    text = json.dumps({**specification_of(drawn(name)), "config": {}})
    assert set(re.findall(r"#[0-9A-Fa-f]{6}", text)) <= {*COLOURS, "#3D3D3D"}


@pytest.mark.parametrize("name", NAMES)
def test_every_chart_fills_the_width_it_is_given(name):
    assert specification_of(drawn(name))["width"] == "container"


@pytest.mark.parametrize("name", NAMES)
def test_on_a_telephone_no_text_is_cut_short(name):
    texts = texts_of(drawn(name), 360)
    assert texts
    assert not [text for text in texts if text.endswith("…")]


@pytest.mark.parametrize("name", NAMES)
def test_only_tables_that_went_through_suppress_are_drawn(name):
    plot, options = PLOTS[name]
    with pytest.raises(ParameterError, match=r"charts draw only tables that went through suppress\(\)"):
        plot(TABLES[name].frame(), title="x", **options)


@pytest.mark.parametrize("name", NAMES)
def test_empty_table_says_that_there_are_no_rows(name):
    plot, options = PLOTS[name]
    empty = already_public(TABLES[name].frame().clear(), "made up")
    assert said_of(plot(empty, title="Who came", **options)) == "Who came. No rows to draw."


@pytest.mark.parametrize("name", NAMES)
def test_a_table_of_another_shape_is_refused(name):
    plot, options = PLOTS[name]
    count = already_public(pl.DataFrame({"month": ["2011-01"], "count": [3]}), "made up")
    with pytest.raises(ParameterError, match="Use plot_count instead"):
        plot(count, title="x", **options)


@pytest.mark.parametrize("name", NAMES)
def test_a_further_group_column_is_refused(name):
    plot, options = PLOTS[name]
    more = TABLES[name].frame().insert_column(0, pl.lit("Ashford").alias("district"))
    with pytest.raises(ParameterError, match=r"Found: district, .* Keep one value of the others, and drop them\."):
        plot(already_public(more, "made up"), title="x", **options)


def test_two_tables_that_differ_in_hidden_numbers_only_make_the_same_chart():
    april = [pl.Series([8, 6, 10, count, *([8] * 8)]) for count in (1, 5)]
    one, other = (control_chart(hidden="2011-04", value=values) for values in april)
    first, second = (
        plot_control_chart(table, title="x", measure="y").to_dict(validate=False) for table in (one, other)
    )
    assert first == second


# Funnel


def test_funnel_is_described_with_the_average_the_own_area_and_those_beyond_the_limits():
    assert said_of(drawn("funnel", title="Repeat plans")) == (
        "Repeat plans. Points with limits: Repeat plans (%), by plans started. Adjusted limits allow for areas that "
        "differ by more than chance alone. Average of all areas: 22.7%. "
        "Exeter: 21.4%, 45 of 210, inside the limits. Above the outer limits: Alton. "
        "Largest: Alton, 65.0%, 65 of 100. Smallest: Barrow, 10.0%, 10 of 100. Hidden ([c]): 1 of 5."
    )


def test_funnel_names_the_own_area_and_every_line_and_symbol():
    for width in (360, 900):
        texts = texts_of(drawn("funnel"), width)
        assert "Exeter 21.4%" in texts
        assert {
            "outer limits (99.8%), adjusted",
            "inner limits (95%), adjusted",
            "limits of chance alone (99.8%)",
        } <= set(texts)
        assert {"average of all areas", "above the outer limits", "inside the limits"} <= set(texts)
        assert "below the outer limits" not in texts  # there is none


def test_funnel_draws_a_symbol_per_area_with_a_number():
    svg = svg_of(drawn("funnel"), 900)
    assert len(re.findall(r'aria-label="[^"]*(?:Alton|Barrow|Corby|Exeter), [^"]*"', svg)) >= 4
    assert "Area: Derby" not in svg


def test_funnel_of_rates_is_per_10_000():
    rates = funnel(
        size=pl.col("size") * 50,
        **{name: pl.col(name) * 200 for name in ("value", "average", "lower_95", "upper_95", "lower_998", "upper_998")},
        plain_lower_998=pl.col("plain_lower_998") * 200,
        plain_upper_998=pl.col("plain_upper_998") * 200,
    )
    chart = plot_funnel_of_areas(rates, title="x", measure="Plans", highlight="Corby")
    said = said_of(chart)
    assert (
        "Plans (per 10,000), by children aged 0 to 17. Adjusted limits allow for areas that differ by more than" in said
    )
    assert " chance alone. Average of all areas: 45.4." in said
    assert "Corby: 40.0, 200 of 50,000, inside the limits." in said
    assert "Plans (per 10,000)" in texts_of(chart)
    assert "Children aged 0 to 17" in texts_of(chart)


def test_a_hidden_own_area_has_its_mark_at_the_baseline():
    chart = plot_funnel_of_areas(funnel(), title="x", measure="Plans", highlight="Derby")
    texts = texts_of(chart)
    assert {"[c]", "Derby"} <= set(texts)


def test_funnel_without_an_own_area_names_none():
    texts = texts_of(plot_funnel_of_areas(funnel(), title="x", measure="Plans"))
    assert set(AREAS).isdisjoint(" ".join(texts).split())


def test_an_own_area_that_is_not_in_the_table_is_refused_with_the_nearest_name():
    with pytest.raises(ParameterError, match=r'no area "Excter" in the table\. Did you mean "Exeter"\?'):
        plot_funnel_of_areas(funnel(), title="x", measure="Plans", highlight="Excter")


def test_funnel_of_hidden_areas_alone_can_be_drawn():
    hidden = already_public(funnel().frame().filter(pl.col("area") == "Derby"), "made up")
    chart = plot_funnel_of_areas(hidden, title="x", measure="Plans", highlight="Derby")
    assert "Hidden ([c]): 1 of 1." in said_of(chart)
    assert "[c]" in texts_of(chart)


# Control chart


def test_control_chart_is_described_with_its_limits_and_what_stands_out():
    assert said_of(drawn("control_chart", title="Plans")) == (
        "Plans. Line with limits: plans started, by month. Mean and limits: 8.0, below zero to 17.5. "
        "Concern, outside the limits: August 2011. Largest: August 2011, 20. Smallest: February 2011, 6. "
        "Hidden: 0 of 12."
    )


def test_control_chart_names_its_lines_and_symbols():
    texts = texts_of(drawn("control_chart"))
    assert {"upper", "17.5", "mean", "8.0", "ordinary variation", "concern", "Jan 2011"} <= set(texts)
    assert "lower" not in texts  # below 0, where no count can be


def test_without_anything_that_stands_out_there_is_no_legend():
    plain = control_chart(rule=pl.lit(""), direction=pl.lit(""))
    chart = plot_control_chart(plain, title="x", measure="Plans")
    assert "ordinary variation" not in texts_of(chart)
    assert "Nothing but ordinary variation." in said_of(chart)


@pytest.mark.parametrize(("count", "trial"), [(11, True), (12, False)])
def test_trial_limits_are_named_as_such(count, trial):
    few = already_public(control_chart().frame().head(count), "made up")
    chart = plot_control_chart(few, title="x", measure="Plans")
    assert ("Plans; trial limits: fewer than 12 points" in texts_of(chart)) is trial
    assert ("Trial limits: fewer than 12 points." in said_of(chart)) is trial


def test_a_hidden_month_has_its_mark_and_does_not_split_its_phase():
    chart = drawn("control_chart_hidden")
    assert texts_of(chart).count("[c]") == 1
    assert {row["phase"] for row in rows_of(chart)} == {"a"}
    assert "rial limits" not in said_of(chart)


def test_a_shift_of_the_limits_is_a_phase_of_its_own():
    later = pl.col("month") > "2011-06"
    table = control_chart(mean=pl.when(later).then(9.0).otherwise(8.0), upper=pl.when(later).then(19.5).otherwise(17.5))
    chart = plot_control_chart(table, title="x", measure="Plans")
    assert [row["phase"] for row in rows_of(chart)] == ["a"] * 6 + ["b"] * 6
    assert "Latest mean and limits: 9.0, below zero to 19.5." in said_of(chart)
    assert {"19.5", "9.0"} <= set(texts_of(chart))


def test_limits_without_width_have_one_name():
    flat = control_chart(
        **{name: pl.lit(8.0) for name in ("lower", "upper", "near_lower", "near_upper")}, value=pl.lit(8)
    )
    texts = texts_of(plot_control_chart(flat, title="x", measure="Plans"))
    assert "mean" in texts
    assert {"upper", "lower"}.isdisjoint(texts)


@pytest.mark.parametrize(
    ("column", "periods", "shown", "axis"),
    [
        ("quarter", ["2011-04 to 2011-06", "2011-07 to 2011-09"], "Apr to Jun 2011", "Quarter"),
        ("time_period", ["2011", "2012"], "2011", "Year to 31 March"),
    ],
)
def test_quarters_and_years_are_written_out(column, periods, shown, axis):
    table = control_chart().frame().head(2).rename({"month": column}).with_columns(pl.Series(column, periods))
    texts = texts_of(plot_control_chart(already_public(table, "made up"), title="x", measure="Plans"))
    assert {shown, axis} <= set(texts)


def test_who_points_at_a_month_reads_its_name_in_words():
    layers = [
        each
        for group in drawn("control_chart").to_dict(validate=False)["layer"]
        for each in group.get("layer", [group])
    ]
    (points,) = (each for each in layers if "tooltip" in each["encoding"])
    assert points["encoding"]["tooltip"][0] == {"field": "name", "title": "Month", "type": "nominal"}
    (written,) = (each["calculate"] for each in points["transform"] if each.get("as") == "name")
    names, order = (json.loads(each) for each in re.findall(r"\[\"[^\]]*\]", written))
    assert dict(zip(order, names, strict=True))["2011-08"] == "Aug 2011"
    assert order == MONTHS


# Time to the next plan


def test_time_to_the_next_plan_is_described_with_the_last_share_of_each_event():
    assert said_of(drawn("time", title="Another plan")) == (
        "Another plan. Lines with interval bands: share of ends of protection (%), by months, for each event. "
        "Died or moved away: 5.3% (3.3% to 8.0%) within 24 months. "
        "Second or subsequent plan: 15.2% (11.5% to 19.4%) within 24 months. Hidden: 0 of 6."
    )


def test_the_number_still_followed_stands_under_each_month():
    texts = texts_of(drawn("time"))
    for month, number in (("0", "400"), ("12", "310"), ("24", "120")):
        assert texts[texts.index(month) + 1] == number
    assert "below: number still followed" in texts


def test_numbers_that_differ_by_event_do_not_stand_under_the_months():
    chart = plot_time_to_next(time_to_next(n=pl.Series([400, 310, 120, 399, 310, 120])), title="x")
    assert "below: number still followed" not in texts_of(chart)
    assert "400" not in texts_of(chart)


def test_hidden_months_have_their_mark_at_the_baseline_and_under_it():
    texts = texts_of(drawn("time_hidden"))
    assert texts.count("[c]") == 3  # one per event, one for the number still followed
    assert "within 12 months" in said_of(drawn("time_hidden"))


def test_long_names_of_events_are_broken_into_lines():
    names = pl.col("event").replace("died or moved away", "second or subsequent plan if nobody had died or moved away")
    texts = texts_of(plot_time_to_next(time_to_next(event=names), title="x"), 360)
    assert {"second or subsequent plan if nobody", "had died or moved away"} <= set(texts)


def test_more_events_than_a_chart_tells_apart_are_refused():
    table = pl.concat([time_to_next(event=pl.lit(f"event {number}")).frame() for number in range(5)])
    with pytest.raises(ParameterError, match=r"at most 4 events apart. Found: 5 "):
        plot_time_to_next(already_public(table, "made up"), title="x")


# Everything a chart shows stands in the table that is published


def test_charts_of_published_tables_are_no_leak(tmp_path):
    (tmp_path / "pack").mkdir()
    for name in NAMES:
        chart = drawn(name, title="Plans, year to 31 March 2012")
        cell = nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", chart._repr_mimebundle_())])
        page = page_html(nbformat.v4.new_notebook(cells=[cell]), title="All", bundle="", navigation=[])
        (tmp_path / "pack" / f"{name}.html").write_text(page, encoding="utf-8")
        publish(TABLES[name], name, into=tmp_path, title=name, definition="x", measure=name)
    assert find_leaks(tmp_path).rows() == []
