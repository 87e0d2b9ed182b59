import json
import re

import altair as alt
import polars as pl
import pytest
from jsonschema import ValidationError

from safeguarding_analytics import charts
from safeguarding_analytics.chart_marks import COLOURS
from safeguarding_analytics.disclosure import Policy, already_public, suppress
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.intervals import wilson

POLICY = Policy.dfe()


def shares(groups, numerator, denominator):
    frame = pl.DataFrame({**groups, "numerator": numerator, "denominator": denominator})
    count, size = pl.col("numerator"), pl.col("denominator")
    return frame.with_columns((count / size).alias("proportion"), *wilson(count, size))


@pytest.fixture(scope="module")
def counts():
    # Police is small; one other count must be hidden with it, or the total gives it away.
    frame = pl.DataFrame({"agency": ["Education", "Health", "Police", "Total"], "count": [410, 52, 3, 465]})
    return suppress(frame, POLICY)


@pytest.fixture(scope="module")
def reach():
    groups = {"agency": ["Education", "Health", "Police", "Probation"]}
    return suppress(shares(groups, [410, 52, 3, 9], [820, 80, 90, None]), POLICY)


@pytest.fixture(scope="module")
def years():
    areas = [area for area in ("Kent", "England") for _ in range(3)]
    frame = shares(
        {"area": areas, "time_period": ["2023", "2024", "2025"] * 2},
        [190, None, 210, 12_000, 12_400, 12_900],
        [920, None, 940, 60_000, 60_000, 60_000],
    ).with_columns(mark=pl.Series(["", "[c]", "", "", "", ""]))
    return already_public(frame, "DfE, table D3")


@pytest.fixture(scope="module")
def gains():
    # Health is hidden by its publisher.
    frame = pl.DataFrame(
        {
            "agency": ["Education", "Health", "Police"],
            "n_pairs": [60, None, 20],
            "mean_pre": [11.0, None, 12.0],
            "mean_post": [13.1, None, 12.5],
            "mean_change": [2.1, None, 0.5],
            "lower": [1.2, None, None],
            "upper": [3.0, None, None],
            "mark": ["", "[c]", ""],
        }
    )
    return already_public(frame, "made up")


@pytest.fixture(scope="module")
def places():
    frame = pl.DataFrame(
        {
            "district": ["Ashford", "Dover"],
            "registered": [300, None],
            "attended": [240, None],
            "walk_ins": [12, None],
            "did_not_attend": [50, None],
            "cancelled": [22, None],
            "attendance_rate": [0.76, None],
            "capacity": [300, 300],
            "take_up": [0.8, None],
            "share_of_places": [1.0, None],
            "mark": ["", "[c]"],
        }
    )
    return already_public(frame, "made up")


@pytest.fixture(scope="module")
def rates():
    frame = pl.DataFrame(
        {
            "district": ["Ashford", "Dover"],
            "count": [60, None],
            "population": [30_000, 24_000],
            "rate": [20.0, None],
            "lower": [15.3, None],
            "upper": [25.7, None],
            "mark": ["", "[c]"],
        }
    )
    return already_public(frame, "made up")


@pytest.fixture(scope="module")
def every(counts, reach, years, gains, places, rates):
    return {
        "count": charts.plot_count(counts, title="Who came"),
        "proportion": charts.plot_proportion(reach, title="Reach", measure="Staff", reference=("Aim", 0.8)),
        "lines": charts.plot_proportion(years, title="Plans", measure="Plans", over="time_period"),
        "mean_change": charts.plot_mean_change(gains, title="Gain", meaningful_gain=1.0),
        "attendance": charts.plot_attendance(places, title="Bookings"),
        "rate": charts.plot_rate(rates, title="Rates"),
    }


NAMES = ["count", "proportion", "lines", "mean_change", "attendance", "rate"]


def rows_of(chart):
    """The rows of the table a chart carries, without the fixed numbers of its lines."""
    specification = chart.to_dict()
    return specification["datasets"][specification["data"]["name"]]


def nodes(part):
    yield part
    for child in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from nodes(child)


def drawn_fields(specification):
    """Every field that an encoding or a filter of the specification uses."""
    parts = [part for part in nodes({**specification, "datasets": {}}) if isinstance(part, dict)]
    encoded = {part["field"] for part in parts if "field" in part}
    filters = [part["filter"] for part in parts if "filter" in part]
    return encoded | {
        name for text in filters for name in ("value", "lower", "upper", "note") if f"datum.{name}" in text
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_chart_carries_exactly_the_fields_it_draws(every, name):
    specification = every[name].to_dict()
    carried = {field for rows in specification["datasets"].values() for row in rows for field in row}
    assert carried == drawn_fields(specification)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_without_a_number_has_no_number_anywhere(every, name):
    for row in rows_of(every[name]):
        numbers = [row.get(field) for field in ("value", "lower", "upper")]
        if row["note"]:
            assert numbers == [None, None, None]
            assert row["shown"] == row["note"]
        else:
            assert row["value"] is not None


@pytest.mark.parametrize("name", NAMES)
def test_every_chart_is_described_by_title_and_number_hidden(every, name):
    specification = every[name].to_dict()
    hidden = sum(row["note"] == "[c]" for row in rows_of(every[name]))
    said = specification["description"]
    assert said.startswith(" ".join(specification["title"]["text"]) + ".")
    assert f": {hidden} of {len(rows_of(every[name]))}." in said


@pytest.mark.parametrize("name", NAMES)
def test_no_letter_is_smaller_than_12_pixels(every, name):
    parts = [part for part in nodes(every[name].to_dict()) if isinstance(part, dict)]
    sizes = [value for part in parts for key, value in part.items() if key.lower().endswith("fontsize")]
    assert sizes
    assert min(sizes) >= 12


@pytest.mark.parametrize("name", NAMES)
def test_colours_are_those_of_the_palette(every, name):
    text = json.dumps({**every[name].to_dict(), "config": {}})
    found = {text[place : place + 7] for place in range(len(text)) if text[place] == "#"}
    assert found <= {*COLOURS, "#3D3D3D"}


def test_description_names_the_largest_and_the_smallest(reach):
    # 410 / 820 = 50.0%; 52 / 80 = 65%, no decimals under a denominator of 100; Wilson ends from intervals.wilson.
    chart = charts.plot_proportion(reach, title="Who was reached?", measure="Staff")
    assert chart.to_dict()["description"] == (
        "Who was reached? Dots with intervals: Staff (%), by agency. "
        "Largest: Health, 65% (54% to 75%), 52 of 80. Smallest: Education, 50.0% (46.6% to 53.4%), 410 of 820. "
        "Hidden ([c]): 1 of 4. No figure: 1."
    )


def test_hidden_and_missing_rows_come_last_by_name_whatever_their_number(reach):
    order = charts.plot_proportion(reach, title="Reach", measure="Staff").to_dict()["layer"][-1]["encoding"]["y"][
        "sort"
    ]
    assert order == ["Health", "Education", "Police", "Probation"]


def test_two_tables_that_differ_in_hidden_numbers_only_make_the_same_chart():
    made = [
        suppress(pl.DataFrame({"agency": ["A", "B", "C", "D"], "count": [small, 50, 5 - small, 60]}), POLICY)
        for small in (1, 4)
    ]
    one, other = (charts.plot_count(table, title="Who came").to_dict() for table in made)
    assert one == other


def test_missing_number_without_a_mark_reads_no_figure(reach):
    notes = {row["row"]: row["note"] for row in rows_of(charts.plot_proportion(reach, title="Reach", measure="Staff"))}
    assert notes == {"Education": "", "Health": "", "Police": "[c]", "Probation": "no figure"}


def test_margins_are_no_bars(counts):
    assert {row["row"] for row in rows_of(charts.plot_count(counts, title="Who came"))} == {
        "Education",
        "Health",
        "Police",
    }


def test_notes_stand_at_the_baseline_and_not_at_a_number(reach):
    note = charts.plot_proportion(reach, title="Reach", measure="Staff").to_dict()["layer"][-1]
    assert note["transform"] == [{"filter": "datum.note != ''"}]
    assert note["encoding"]["x"] == {"value": 0}
    assert note["encoding"]["text"]["field"] == "note"


def test_intervals_are_drawn_where_there_are_any(every):
    for name in ("proportion", "lines", "mean_change", "rate"):
        text = json.dumps(every[name].to_dict()["layer"])
        assert '"field": "lower"' in text
        assert '"field": "upper"' in text


def test_shares_without_interval_columns_are_drawn_without_intervals():
    frame = pl.DataFrame(
        {
            "area": ["Kent", "England"],
            "numerator": [None, None],
            "denominator": [None, None],
            "proportion": [0.19, 0.14],
        }
    )
    chart = charts.plot_proportion(already_public(frame, "report"), title="Plans", measure="Plans")
    assert [row["shown"] for row in rows_of(chart)] == ["19.0%", "14.0%"]
    assert "lower" not in drawn_fields(chart.to_dict())


def lines_of(*last_shares):
    """A chart of one line per share of the last of two years."""
    areas = [f"Area {number}" for number, _ in enumerate(last_shares) for _ in range(2)]
    shown = [share for last in last_shares for share in (0.2, last)]
    frame = pl.DataFrame(
        {"area": areas, "time_period": ["2024", "2025"] * len(last_shares), "numerator": None, "denominator": None}
    ).with_columns(proportion=pl.Series(shown))
    safe = already_public(frame, "made up")
    return charts.plot_proportion(safe, title="Plans", measure="Plans", over="time_period", group="area").to_dict()


def test_lines_keep_the_order_of_the_periods(years):
    specification = charts.plot_proportion(years, title="Plans", measure="Plans", over="time_period").to_dict()
    line = next(layer for layer in specification["layer"][0]["layer"] if layer["mark"]["type"] == "line")
    assert line["encoding"]["x"]["sort"] == ["2023", "2024", "2025"]
    assert line["encoding"]["strokeDash"]["scale"]["domain"] == ["Kent", "England"]


def test_lines_that_end_apart_are_named_at_their_ends():
    axis = lines_of(0.3, 0.1)["layer"][1]["encoding"]["y"]["axis"]
    assert axis["values"] == [0.1, 0.3]
    assert axis["labelExpr"].startswith('[["Area 1"], ["Area 0"]]')


def test_lines_that_end_together_are_named_in_the_legend():
    drawn, *names = lines_of(0.3, 0.301)["layer"]
    assert names == []
    assert drawn["layer"][0]["encoding"]["color"]["legend"]["columns"] == 1


def test_five_lines_are_told_apart_and_six_refused():
    lines_of(0.1, 0.2, 0.3, 0.4, 0.5)
    with pytest.raises(ParameterError, match="at most 5 values of area apart"):
        lines_of(0.1, 0.2, 0.3, 0.4, 0.5, 0.6)


@pytest.mark.parametrize("table", [pl.DataFrame({"agency": ["A"], "count": [9]}), None])
@pytest.mark.parametrize("plot", [charts.plot_count, charts.plot_rate, charts.plot_mean_change, charts.plot_attendance])
def test_only_tables_that_went_through_suppress_are_drawn(plot, table):
    with pytest.raises(ParameterError, match=r"charts draw only tables that went through suppress\(\)"):
        plot(table, title="x")


def test_table_of_another_shape_is_refused_with_the_right_function(counts):
    with pytest.raises(ParameterError, match="Use plot_count instead"):
        charts.plot_rate(counts, title="x")


def test_unknown_group_gets_the_nearest_name(counts):
    with pytest.raises(ParameterError, match='Did you mean "agency"'):
        charts.plot_count(counts, title="x", group="agencies")


def test_more_series_than_colours_are_refused():
    frame = pl.DataFrame(
        {"agency": ["A", "B"] * 5, "level": [level for level in "12345" for _ in range(2)], "count": [20] * 10}
    )
    safe = suppress(frame, POLICY)
    with pytest.raises(ParameterError, match="at most 4 values of level apart"):
        charts.plot_count(safe, title="x")


def test_three_group_columns_that_differ_are_refused():
    frame = pl.DataFrame({"a": ["x", "y"], "b": ["x", "y"], "c": ["x", "y"], "count": [20, 30]})
    with pytest.raises(ParameterError, match="two group columns at most"):
        charts.plot_count(already_public(frame, "made up"), title="x")


def test_group_column_with_one_value_takes_no_place():
    frame = pl.DataFrame({"time_period": ["2025", "2025"], "agency": ["A", "B"], "count": [20, 30]})
    assert {row["row"] for row in rows_of(charts.plot_count(suppress(frame, POLICY), title="x"))} == {"A", "B"}


def test_empty_table_says_that_there_are_no_rows():
    empty = pl.DataFrame(schema={"agency": pl.String, "count": pl.Int64})
    chart = charts.plot_count(already_public(empty, "made up"), title="Who came")
    assert "No rows to draw" in json.dumps(chart.to_dict()["layer"][0]) + json.dumps(
        chart.to_dict().get("datasets", {})
    )
    assert chart.to_dict()["description"] == "Who came. No rows to draw."


def test_chart_of_the_same_table_is_the_same_to_the_byte(reach):
    made = [charts.plot_proportion(reach, title="Reach", measure="Staff")._repr_mimebundle_() for _ in range(2)]
    assert made[0] == made[1]
    assert set(made[0]) == {"text/html"}


def test_chart_is_shown_as_one_that_is_compared_with_the_schema(reach):
    chart = charts.plot_proportion(reach, title="Reach", measure="Staff")
    assert chart._repr_mimebundle_() == alt.LayerChart._repr_mimebundle_(chart)


def test_every_chart_of_the_pack_follows_the_schema_of_vega_lite(demo_report):
    # They are shown without that check, which takes longer than all else.
    found = re.compile(r'class="vega-lite-spec">(.*?)</script>', re.DOTALL)
    pages = sorted((demo_report.out / "release" / "pack").glob("*.html"))
    specs = [json.loads(text) for page in pages for text in found.findall(page.read_text(encoding="utf-8"))]
    assert len(specs) > 30
    for spec in specs:
        alt.LayerChart.from_dict(spec, validate=True)
    with pytest.raises(ValidationError):
        alt.LayerChart.from_dict({**specs[0], "width": "as wide as it may be"}, validate=True)


def test_changes_stand_in_their_order_and_are_hidden_together():
    pair = {"n_pairs": [90], "mean_change": [0.5], "lower": [0.1], "upper": [0.9]}
    shown = pl.DataFrame({**pair, "n_up": [20], "n_same": [60], "n_down": [10]})
    chart = charts.plot_changes(suppress(shown, POLICY), title="Changes")
    assert {row["row"]: row["shown"] for row in rows_of(chart)} == {"rose": "20", "stayed the same": "60", "fell": "10"}
    assert chart.to_dict()["layer"][0]["encoding"]["y"]["sort"] == ["rose", "stayed the same", "fell"]
    small = pl.DataFrame({**pair, "n_up": [80], "n_same": [8], "n_down": [2]})
    hidden = charts.plot_changes(suppress(small, POLICY), title="Changes")
    assert [row["note"] for row in rows_of(hidden)] == ["[c]", "[c]", "[c]"]
