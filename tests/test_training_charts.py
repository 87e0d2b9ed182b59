"""Charts of a training programme: what they show, what they hide, and that they show nothing that is not published."""

import json
import re
import shutil
from datetime import date
from functools import cache

import nbformat
import polars as pl
import pytest
import vl_convert

from safeguarding_analytics import training_charts
from safeguarding_analytics.chart_marks import COLOURS
from safeguarding_analytics.disclosure import Policy, already_public, suppress
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.leaks import find_leaks
from safeguarding_analytics.pages import page_html
from safeguarding_analytics.release import publish
from safeguarding_analytics.tables import NOT_CURRENT, STAGES, STANDING

POLICY = Policy.dfe()
DAYS = [date(2011, 5, 10), date(2011, 5, 11), date(2011, 6, 28), date(2011, 7, 4)]
TARGET_DAY = date(2011, 6, 30)
DISTRICTS = ["Ashford", "Dover", "Tonbridge & Malling"]
MONTHS = ["2011-05", "2011-06", "2011-07"]
STANDINGS = [STANDING] * 3 + [NOT_CURRENT] * 4


def funnel(registered=318, attended=304, walk_ins=35, did_not_attend=20, cancelled=29, capacity=393):
    """As printed in the training report of the Leicester, Leicestershire and Rutland boards, quarter 1 of 2016-17."""
    return pl.DataFrame(
        {
            "registered": [registered],
            "attended": [attended],
            "walk_ins": [walk_ins],
            "did_not_attend": [did_not_attend],
            "cancelled": [cancelled],
            "attendance_rate": [(attended - walk_ins) / registered],
            "capacity": [capacity],
            "take_up": [attended / capacity],
            "share_of_places": [1.0],
        }
    )


def to_date(*counts):
    return pl.DataFrame({"to_date": DAYS[: len(counts)], "count": counts})


def by_month(*counts):
    names = {"district": [name for name in DISTRICTS for _ in MONTHS], "month": MONTHS * len(DISTRICTS)}
    return pl.DataFrame({**names, "count": counts})


def ageing():
    stages = pl.DataFrame({"standing": STANDINGS, "stage": STAGES, "count": [611, 44, 8, 31, 3, 12, 240]})
    # 611 + 44 + 8 = 663, 31 + 3 + 12 + 240 = 286, 663 + 286 = 949
    standings = [STANDING, NOT_CURRENT, "Total"]
    totals = pl.DataFrame({"standing": standings, "stage": ["Total"] * 3, "count": [663, 286, 949]})
    return suppress(pl.concat([stages, totals]), POLICY, within=stages.select("stage", "standing"))


COVERAGE = pl.DataFrame(
    {
        "agency": ["Education", "Health", "Police", "Schools", "Total"],
        "places": [750, 200, None, 47, 1000],
        "people": [410, 52, None, 40, 505],
        "eligible_staff": [2050, 80, None, None, None],
        "share_of_places": [0.75, 0.2, None, 0.047, 1.0],
        "reach": [0.2, 0.65, None, None, None],
        "lower": [0.1833, 0.5409, None, None, None],
        "upper": [0.2179, 0.7451, None, None, None],
        "mark": ["", "", "[c]", "", ""],
    }
)
NEED = pl.DataFrame(
    {
        "agency": ["Education", "Health", "Housing", "Police"],
        "eligible_staff": [2050, 80, 120, 40],
        "current": [400, 50, 130, 3],
        "need": [1650, 30, None, 37],
        "per_session": [42.5] * 4,
        "sessions_needed": [39, 1, None, 1],  # 1650 / 42.5 = 38.8
        "cost_per_session": [250.0] * 4,
        "cost": [9750.0, 250.0, None, 250.0],
    }
)
PROGRESS = pl.DataFrame(
    {
        "district": DISTRICTS,
        "target": [100, 100, 100],
        "reached": [120, 3, 35],
        "still_needed": [0, 97, 65],
        "per_session": [40.0] * 3,
        "sessions_needed": [0, 3, 2],
    }
)
MIX = pl.DataFrame(
    {
        "session": ["S1", "S2", "S3", "S4"],
        "attended": [41, 22, 9, 30],
        "agencies_present": [6, 1, 3, 4],
        "share_of_agencies": [0.5, 1 / 12, 0.25, 1 / 3],
        "effective_agencies": [2, 1, 3, 4],
    }
)


def safe(table):
    return suppress(table, POLICY)


TABLES = {
    "funnel": safe(funnel()),
    "funnel_hidden": safe(funnel(attended=272, walk_ins=3)),
    "to_date": safe(to_date(3, 59, 640, 700)),
    "panels": safe(by_month(0, 57, 90, 3, 40, 70, 20, 100, 108)),
    "ageing": ageing(),
    "coverage": already_public(COVERAGE, "made up"),
    "need": safe(NEED),
    "progress": safe(PROGRESS),
    "mix": safe(MIX),
}
PLOTS = {
    "funnel": (training_charts.plot_funnel, {}),
    "funnel_hidden": (training_charts.plot_funnel, {}),
    "to_date": (training_charts.plot_to_date, {"target": 1_200, "by_day": TARGET_DAY}),
    "panels": (training_charts.plot_panels, {"target": {"Ashford": 100, "Dover": 80, "Total": 180}}),
    "ageing": (training_charts.plot_ageing, {}),
    "coverage": (training_charts.plot_coverage, {}),
    "need": (training_charts.plot_need, {}),
    "progress": (training_charts.plot_need, {}),
    "mix": (training_charts.plot_mix, {}),
}
NAMES = list(PLOTS)


@cache
def drawn(name, title="Who came"):
    plot, options = PLOTS[name]
    return plot(TABLES[name], title=title, **options)


def rows_of(chart):
    """The rows of the table a chart carries, without those of its lines and labels."""
    specification = chart.to_dict(validate=False)
    return specification["datasets"][specification["data"]["name"]]


def nodes(part):
    yield part
    for child in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from nodes(child)


def texts_of(chart, width=680):
    """What a chart prints at a width, in pixels: text → places from the left and the top."""
    specification = {name: value for name, value in chart.to_dict(validate=False).items() if name != "title"}
    fixed = {"width": width, "autosize": {"type": "fit-x", "contains": "padding"}}
    svg = vl_convert.vegalite_to_svg({**specification, **fixed}, "6.4")
    found = {}
    for x, y, said in re.findall(r"<text[^>]*translate\(([-\d.]+),([-\d.]+)\)[^>]*>(.*?)</text>", svg):
        said = " ".join(re.sub(r"<[^>]+>", " ", said).replace("&amp;", "&").split())
        found.setdefault(said, []).append((float(x), float(y)))
    return found


# Conventions


@pytest.mark.parametrize("name", NAMES)
def test_chart_follows_the_schema_of_vega_lite(name):
    # Compared once: it takes longer than to make the chart, and the other tests of it leave it out.
    drawn(name).to_dict(validate=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_chart_carries_exactly_the_fields_it_draws(name):
    chart = drawn(name)
    layers = json.dumps({**chart.to_dict(validate=False), "datasets": {}})
    used = set(re.findall(r'"field": "(\w+)"|datum\.(\w+)', layers))
    used = {name for pair in used for name in pair}
    carried = {field for row in rows_of(chart) for field in row}
    assert carried <= used


@pytest.mark.parametrize("name", NAMES)
def test_a_row_without_a_number_has_no_number_anywhere(name):
    for row in rows_of(drawn(name)):
        numbers = [value for value in row.values() if isinstance(value, int | float) and not isinstance(value, bool)]
        if row["note"]:
            assert numbers == []
            assert not re.search(r"\d", row.get("words", ""))
        else:
            assert row["value"] is not None


@pytest.mark.parametrize("name", NAMES)
def test_every_chart_is_described_by_its_title_and_how_many_are_hidden(name):
    said = drawn(name, title="Who came?").to_dict(validate=False)["description"]
    assert said.startswith("Who came? ")
    assert re.search(r"Hidden(?: \(\[c\]\))?: \d+ of \d+\.", said)


@pytest.mark.parametrize("name", NAMES)
def test_no_letter_is_smaller_than_12_pixels(name):
    parts = [part for part in nodes(drawn(name).to_dict(validate=False)) if isinstance(part, dict)]
    sizes = [value for part in parts for key, value in part.items() if key.lower().endswith("fontsize")]
    assert sizes  # those of the theme
    assert min(sizes) >= 12


@pytest.mark.parametrize("name", NAMES)
def test_colours_are_those_of_the_palette(name):
    text = json.dumps({**drawn(name).to_dict(validate=False), "config": {}})
    assert set(re.findall(r"#[0-9A-Fa-f]{6}", text)) <= {*COLOURS, "#3D3D3D"}


@pytest.mark.parametrize("name", NAMES)
def test_every_chart_fills_the_width_it_is_given(name):
    assert drawn(name).to_dict(validate=False)["width"] == "container"


@pytest.mark.parametrize("name", NAMES)
def test_a_hidden_number_has_its_mark_printed(name):
    hidden = sum(row["note"] == "[c]" for row in rows_of(drawn(name)))
    # One mark per session, though a session has two symbols.
    assert len(texts_of(drawn(name)).get("[c]", [])) == (hidden // 2 if name == "mix" else hidden)


@pytest.mark.parametrize("name", NAMES)
def test_only_tables_that_went_through_suppress_are_drawn(name):
    plot, options = PLOTS[name]
    with pytest.raises(ParameterError, match=r"charts draw only tables that went through suppress\(\)"):
        plot(funnel(), title="x", **options)


@pytest.mark.parametrize("name", NAMES[2:])
def test_empty_table_says_that_there_are_no_rows(name):
    plot, options = PLOTS[name]
    empty = already_public(TABLES[name].frame().clear(), "made up")
    if name == "panels":
        options = {}
    assert (
        plot(empty, title="Who came", **options).to_dict(validate=False)["description"] == "Who came. No rows to draw."
    )


def test_table_of_another_shape_is_refused_with_what_shows_it():
    with pytest.raises(ParameterError, match="Use plot_need instead"):
        training_charts.plot_mix(TABLES["progress"], title="x")
    cost = pl.DataFrame({"course": ["Core"], "places": [30], "people": [28], "total_cost": [900.0]})
    with pytest.raises(ParameterError, match="Use show_table instead"):
        training_charts.plot_need(safe(cost), title="x")


@pytest.mark.parametrize(
    ("plot", "one", "other"),
    [
        ("to_date", to_date(1, 59, 640, 700), to_date(4, 59, 640, 700)),
        ("panels", by_month(0, 57, 90, 1, 40, 70, 20, 100, 108), by_month(0, 57, 90, 5, 40, 70, 20, 100, 108)),
        ("mix", MIX, MIX.with_columns(pl.Series("agencies_present", [6, 1, 2, 4]))),
        ("funnel", funnel(attended=272, walk_ins=3), funnel(attended=270, walk_ins=1)),
    ],
)
def test_two_tables_that_differ_in_hidden_numbers_only_make_the_same_chart(plot, one, other):
    draw, options = PLOTS[plot]
    first, second = (draw(safe(table), title="x", **options).to_dict(validate=False) for table in (one, other))
    assert first == second


# Funnel


def test_funnel_measures_bookings_against_the_registered_and_all_who_came_against_the_places():
    # 318 registered − 20 − 29 = 269 = 304 − 35; 269 / 318 = 84.6%, 304 / 393 = 77.4%, 20 / 318 = 6.3%, 29 / 318 = 9.1%
    texts = texts_of(drawn("funnel"))
    assert list(texts)[-14:] == [
        *("Places offered", "Registered", "Attended as booked (attendance rate)", "Did not attend", "Cancelled"),
        *("Walk-ins, without a booking", "Attended in all (take-up)"),
        *("393", "318", "269 of 318 registered: 84.6%", "20 of 318 registered: 6.3%"),
        *("29 of 318 registered: 9.1%", "35", "304 of 393 places offered: 77.4%"),
    ]


def test_funnel_is_described_with_its_sums():
    assert drawn("funnel", title="Bookings").to_dict(validate=False)["description"] == (
        "Bookings. Bars from one baseline: bookings and places. "
        "318 registered; 304 attended − 35 walk-ins = 269 as booked: 84.6% attendance rate; "
        "20 did not attend; 29 cancelled; 304 of 393 places offered: 77.4% take-up. Hidden: 0 of 7."
    )


def test_funnel_carries_no_number_that_is_not_in_the_table():
    numbers = {
        value
        for row in rows_of(drawn("funnel"))
        for value in row.values()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    assert numbers == {318, 304, 35, 20, 29, 393, 269 / 318, 304 / 393}


def test_funnel_with_hidden_numbers_shows_the_places_alone():
    texts = texts_of(drawn("funnel_hidden"))
    assert len(texts["[c]"]) == 6
    assert "393" in texts
    assert "Hidden ([c]): 6 of 7." in drawn("funnel_hidden").to_dict(validate=False)["description"]


def test_funnel_without_known_places_has_no_take_up():
    table = funnel().with_columns(capacity=pl.lit(None, pl.Int64), take_up=pl.lit(None, pl.Float64))
    chart = training_charts.plot_funnel(safe(table), title="x")
    texts = texts_of(chart)
    assert "no figure" in texts
    assert "304" in texts
    assert "No figure: 1." in chart.to_dict(validate=False)["description"]


def test_funnel_of_several_rows_is_refused():
    table = pl.concat([funnel(), funnel()]).insert_column(0, pl.Series("course", ["Core", "Refresher"]))
    with pytest.raises(ParameterError, match=r"draws one row\. Found: 2 rows"):
        training_charts.plot_funnel(safe(table), title="x")


# People reached to date


def test_steps_stop_at_a_hidden_day_which_has_its_mark_at_the_baseline():
    table = already_public(
        to_date(20, 30, 640, 700).with_columns(
            count=pl.Series([20, None, 640, 700]), mark=pl.Series(["", "[c]", "", ""])
        ),
        "made up",
    )
    chart = training_charts.plot_to_date(table, title="x")
    specification = {name: value for name, value in chart.to_dict(validate=False).items() if name != "title"}
    svg = vl_convert.vegalite_to_svg({**specification, "width": 680}, "6.4")
    path = re.search(r'aria-roledescription="line mark"[^>]*? d="([^"]*)"|d="(M[^"]*)"[^>]*stroke="#12436D"', svg)
    line = path[1] or path[2]
    # One path for each run of days that are shown: the first day alone, then the last two.
    assert line.count("M") == 2
    assert texts_of(chart)["[c]"][0][1] == pytest.approx(340, abs=25)


def test_steps_stand_at_their_days_and_not_one_beside_the_other():
    note = next(layer for layer in drawn("to_date").to_dict(validate=False)["layer"] if layer["mark"]["type"] == "line")
    assert note["encoding"]["x"]["type"] == "temporal"
    assert note["encoding"]["x"]["scale"]["type"] == "utc"
    assert note["mark"]["interpolate"] == "step-after"
    assert [row["row"] for row in rows_of(drawn("to_date"))] == ["2011-05-10", "2011-05-11", "2011-06-28", "2011-07-04"]


def test_steps_are_labelled_at_the_end_and_at_the_target_day():
    texts = texts_of(drawn("to_date"))
    assert {"640", "700", "target 1,200", "by 30 June 2011"} <= set(texts)
    assert "59" not in texts


def test_people_to_date_are_described_with_the_target_and_what_was_reached_by_then():
    assert drawn("to_date", title="Progress").to_dict(validate=False)["description"] == (
        "Progress. Steps: people reached to date, by day. Largest: 4 July, 700. Smallest: 11 May, 59. "
        "The target was 1,200 by 30 June; reached by then: 640. Hidden ([c]): 1 of 4."
    )


def test_hidden_number_at_the_target_day_is_not_replaced_by_an_earlier_one():
    table = already_public(
        to_date(20, 30, 640, 700).with_columns(
            count=pl.Series([20, 30, None, 700]), mark=pl.Series(["", "", "[c]", ""])
        ),
        "made up",
    )
    said = training_charts.plot_to_date(table, title="x", target=900, by_day=TARGET_DAY).to_dict(validate=False)[
        "description"
    ]
    assert "The target was 900 by 30 June. Hidden" in said


def test_people_to_date_of_several_groups_need_a_total():
    groups = pl.concat([to_date(20, 30).insert_column(0, pl.lit(name).alias("sector")) for name in ("A", "B")])
    with pytest.raises(ParameterError, match="sector: 2 values and no 'Total'"):
        training_charts.plot_to_date(already_public(groups, "made up"), title="x")
    total = groups.with_columns(sector=pl.col("sector").replace("B", "Total"))
    assert len(rows_of(training_charts.plot_to_date(already_public(total, "made up"), title="x"))) == 2


def test_people_to_date_need_days():
    with pytest.raises(ParameterError, match="to_date: not among the group columns"):
        training_charts.plot_to_date(TABLES["panels"], title="x")
    text = to_date(20, 30).with_columns(pl.Series("to_date", ["May", "June"]))
    with pytest.raises(ParameterError, match="one row per day of the column to_date"):
        training_charts.plot_to_date(already_public(text, "made up"), title="x")


def test_days_may_be_text_as_a_release_holds_them():
    days = to_date(20, 30, 640, 700)
    text = days.with_columns(pl.col("to_date").cast(pl.String))
    drawings = [training_charts.plot_to_date(already_public(one, "made up"), title="x") for one in (days, text)]
    assert drawings[0].to_dict(validate=False) == drawings[1].to_dict(validate=False)


def test_target_day_of_another_year_is_said_with_its_year():
    table = already_public(to_date(20), "made up")
    said = training_charts.plot_to_date(table, title="x", target=90, by_day=date(2012, 6, 30)).to_dict(validate=False)[
        "description"
    ]
    assert "10 May 2011: 20. The target was 90 by 30 June 2012; reached by then: 20." in said


def test_neighbouring_hidden_days_have_their_marks_one_above_the_other():
    hidden = to_date(20, 30, 640, 700).with_columns(count=pl.lit(None, pl.Int64), mark=pl.lit("[c]"))
    places = texts_of(training_charts.plot_to_date(already_public(hidden, "made up"), title="x"), 318)["[c]"]
    assert len(places) == 4
    assert len({y for _, y in places}) == 2


# Small panels


@pytest.mark.parametrize(("width", "abreast"), [(318, 2), (680, 3), (900, 3)])
def test_panels_stand_in_alphabetical_order_as_many_abreast_as_there_is_room_for(width, abreast):
    texts = texts_of(drawn("panels"), width)
    places = [texts[name][0] for name in DISTRICTS]
    assert places == sorted(places, key=lambda place: (place[1], place[0]))
    assert len({y for _, y in places[:abreast]}) == 1
    assert all(0 <= x < width for x, _ in places)
    if abreast < len(places):
        assert places[abreast][1] > places[0][1]
        assert places[abreast][0] == places[0][0]


def test_panels_have_one_scale():
    chart = drawn("panels").to_dict(validate=False)
    # 108 is the largest number and larger than any target.
    rises = set(re.findall(r"datum\.value / ([\d.]+)", json.dumps(chart["layer"])))
    assert rises == {"108.0"}


def test_panels_have_their_own_targets():
    texts = texts_of(drawn("panels"))
    assert len(texts["target 100"]) == 1
    assert len(texts["target 80"]) == 1
    assert texts["target 100"][0][0] == texts["Ashford"][0][0]
    assert texts["target 80"][0][0] == texts["Dover"][0][0]
    assert "target 180" not in texts
    same = training_charts.plot_panels(TABLES["panels"], title="x", target=100)
    assert len(texts_of(same)["target 100"]) == 3
    assert "The target was 100 each." in same.to_dict(validate=False)["description"]


def test_district_with_a_target_and_nobody_yet_has_a_panel():
    chart = training_charts.plot_panels(TABLES["panels"], title="x", target={"Swale": 100})
    assert "Swale" in texts_of(chart)


@pytest.mark.parametrize("width", [318, 680])
def test_no_line_of_a_target_runs_through_a_number(width):
    table = safe(by_month(0, 57, 95, 0, 40, 70, 20, 94, 108))
    chart = training_charts.plot_panels(table, title="x", target=100)
    texts = texts_of(chart, width)
    # Panels side by side have one line: the number of one that is above its target tells where the top of 108 is.
    foot, top = (texts[number][0][1] for number in ("0", "108"))
    line = foot - (foot - top) * 100 / 108
    for number in ("95", "94"):  # letters are 10 pixels high: they end above the line, or begin below it
        (_, y) = texts[number][0]
        assert y <= line - 1 or y - 10 >= line + 1


def test_panels_describe_the_last_month():
    assert drawn("panels", title="Districts").to_dict(validate=False)["description"] == (
        "Districts. Small panels, by district: people reached to date, by month. "
        "Largest: Tonbridge & Malling, 2011-07, 108. Smallest: Dover, 2011-07, 70. Hidden ([c]): 1 of 9."
    )


def test_months_have_names_and_narrow_bars_only_those_of_the_first_and_the_last():
    assert set(texts_of(drawn("panels"), 318)) >= {"May", "Jun", "Jul"}
    months = [f"2011-{month:02d}" for month in range(1, 13)]
    year = pl.DataFrame({"district": ["Dover"] * 12 + ["Swale"] * 12, "month": months * 2, "count": range(20, 44)})
    texts = texts_of(training_charts.plot_panels(safe(year), title="x"), 318)
    assert set(texts) == {
        "Dover",
        "Swale",
        "Jan 2011",
        "Dec 2011",
        "31",
        "43",
        "People reached to date, January to December 2011",
    }


def test_panels_of_another_column_can_be_drawn():
    table = TABLES["panels"].frame().rename({"district": "area"}).drop("mark")
    chart = training_charts.plot_panels(already_public(table, "made up"), title="x", panel="area")
    assert "by area" in chart.to_dict(validate=False)["description"]
    with pytest.raises(ParameterError, match="district: not among the group columns"):
        training_charts.plot_panels(already_public(table, "made up"), title="x")


# Currency ageing


def test_ageing_keeps_the_order_of_the_stages_and_leaves_out_what_they_add_up_to():
    bars = drawn("ageing").to_dict(validate=False)["layer"][0]
    assert bars["encoding"]["y"]["sort"] == list(STAGES)
    assert "yOffset" not in bars["encoding"]
    assert {(row["row"], row["series"]) for row in rows_of(drawn("ageing"))} == set(zip(STAGES, STANDINGS, strict=True))


def test_colours_of_the_stages_go_by_what_they_tell():
    assert {"Training", STANDING, NOT_CURRENT} <= set(texts_of(drawn("ageing")))


def test_ageing_is_described_by_stage_and_standing():
    # 3 are out of date for longer; of "no training recorded" and 12 the smaller one hides with it, or 286 tells it.
    said = drawn("ageing", title="Currency").to_dict(validate=False)["description"]
    assert said.startswith(
        f"Currency. Bars: number of people, by stage. Largest: {STAGES[0]}, {STANDING}, 611. "
        f"Smallest: {STAGES[2]}, {STANDING}, 8."
    )
    assert said.endswith("Hidden ([c]): 2 of 7.")


def test_ageing_by_agency_draws_the_total_or_up_to_four_agencies():
    agencies = pl.DataFrame(
        {"agency": [name for name in "AB" for _ in STAGES], "stage": [*STAGES] * 2, "count": [20, 30] * 7}
    )
    chart = training_charts.plot_ageing(safe(agencies), title="x")
    assert {row["series"] for row in rows_of(chart)} == {"A", "B"}
    total = agencies.group_by("stage", maintain_order=True).agg(pl.col("count").sum())
    whole = pl.concat([agencies, total.select(pl.lit("Total").alias("agency"), "stage", "count")])
    rows = rows_of(training_charts.plot_ageing(safe(whole), title="x"))
    assert [(row["row"], row["value"]) for row in rows] == [(stage, 50) for stage in STAGES]


# Coverage


def test_coverage_sets_the_share_of_places_beside_the_reach():
    rows = {(row["row"], row["series"]): row["shown"] for row in rows_of(drawn("coverage"))}
    assert rows["Education", "of all places taken"] == "75.0%, 750 places"
    assert rows["Education", "of eligible staff reached"] == "20.0% (18.3% to 21.8%), 410 of 2,050"
    assert rows["Schools", "of eligible staff reached"] == "no figure"
    assert rows["Police", "of eligible staff reached"] == "[c]"
    assert ("Total", "of all places taken") not in rows


def test_coverage_begins_with_the_largest_share_of_places_and_ends_with_what_is_hidden():
    order = drawn("coverage").to_dict(validate=False)["layer"][-1]["encoding"]["y"]["sort"]
    assert order == ["Total", "Education", "Health", "Schools", "Police"]


def test_coverage_describes_each_measure_by_itself():
    said = drawn("coverage", title="Coverage").to_dict(validate=False)["description"]
    assert "Of all places taken: largest: Education, 75.0%, 750 places." in said
    assert "Of eligible staff reached: largest: Health, 65% (54% to 75%), 52 of 80." in said


def test_coverage_draws_the_interval_of_the_reach_and_none_of_the_share():
    rows = rows_of(drawn("coverage"))
    assert all(row["lower"] is None for row in rows if row["series"] == "of all places taken")
    assert [row["lower"] for row in rows if row["lower"] is not None] == [0.1833, 0.5409]


# Need


def test_need_stands_in_words_under_two_bars_that_are_not_stacked():
    chart = drawn("need")
    bars = chart.to_dict(validate=False)["layer"][0]["encoding"]
    assert bars["yOffset"]["field"] == "series"
    assert bars["x"].get("stack") is None
    texts = texts_of(chart)
    assert {"need 1,650: 39 sessions", "2,050", "400", "80", "50", "need: no figure"} <= set(texts)


def test_need_may_leave_out_the_sessions_that_groups_share():
    texts = texts_of(training_charts.plot_need(TABLES["need"], title="x", sessions=False))
    assert {"need 1,650", "need 30"} <= set(texts)
    assert not any("session" in text for text in texts)


def test_greatest_need_comes_first_and_hidden_ones_last():
    order = drawn("need").to_dict(validate=False)["layer"][0]["encoding"]["y"]["sort"]
    assert order[:2] == ["Education", "Health"]
    assert set(order[2:]) == {"Housing", "Police"}


def test_progress_shows_the_target_of_a_district_whose_reach_is_hidden():
    rows = {(row["row"], row["series"]): row["shown"] for row in rows_of(drawn("progress"))}
    assert rows["Dover", "target"] == "100"
    assert rows["Dover", "reached"] == "[c]"
    words = {row["row"]: row["words"] for row in rows_of(drawn("progress")) if row["series"] == "target"}
    assert words == {"Ashford": "need 0", "Dover": "", "Tonbridge & Malling": "need 65: 2 sessions"}


def test_need_by_two_columns_draws_the_total_of_the_second():
    levels = pl.concat(
        [NEED.clone().insert_column(1, pl.lit(level).alias("training_level")) for level in ("2", "Total")]
    )
    rows = rows_of(training_charts.plot_need(already_public(levels, "made up"), title="x"))
    assert len(rows) == 2 * NEED.height
    without = levels.with_columns(training_level=pl.col("training_level").replace("Total", "3"))
    with pytest.raises(ParameterError, match="training_level: 2 values and no 'Total'"):
        training_charts.plot_need(already_public(without, "made up"), title="x")


# Mix


def test_mix_has_two_symbols_and_names_sessions_of_one_agency():
    chart = drawn("mix", title="Mix")
    shapes = chart.to_dict(validate=False)["layer"][1]["encoding"]["shape"]["scale"]
    assert shapes["domain"] == ["mixed like this many", "agencies that came"]
    assert shapes["range"] == ["circle", "diamond"]
    assert [row["words"] for row in rows_of(chart) if row["row"] == "S2"] == ["one agency alone", ""]
    # S3 has 9 people, too few for what is worked out of them.
    assert chart.to_dict(validate=False)["description"] == (
        "Mix. Two symbols, by session: agencies that came, and how many of equal size mix a room as well. "
        "Largest: S4, mixed like 4 agencies, 4 came, 30 people. "
        "Smallest: S2, mixed like 1 agency, 1 came, 22 people. One agency alone: S2. Hidden ([c]): 1 of 4."
    )


def test_most_mixed_session_comes_first():
    assert drawn("mix").to_dict(validate=False)["layer"][0]["encoding"]["y"]["sort"] == ["S4", "S1", "S2", "S3"]


# Everything a chart shows stands in the table that is published


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A release of all tables, each with a page of its chart, beside a table in which years are names."""
    folder = tmp_path_factory.mktemp("release")
    (folder / "pack").mkdir()
    for name in NAMES:
        chart = drawn(name, title="The 7 districts, year to 31 March 2012")
        cell = nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", chart._repr_mimebundle_())])
        page = page_html(nbformat.v4.new_notebook(cells=[cell]), title="All", bundle="", navigation=[])
        (folder / "pack" / f"{name}.html").write_text(page, encoding="utf-8")
    years = already_public(pl.DataFrame({"time_period": ["2011", "2012"], "count": [20, 30]}), "made up")
    for name, table in {**TABLES, "years": years}.items():
        publish(table, name, into=folder, title=name, definition="x", measure=name)
    return folder


def test_charts_of_published_tables_are_no_leak(release):
    assert find_leaks(release).rows() == []


WRONG = [
    ("funnel", '"value":20,', '"value":21,'),
    ("funnel", '"less":35,', '"less":34,'),
    ("to_date", '"value":59,', '"value":60,'),
    ("to_date", '"label":"640"', '"label":"641"'),
    ("to_date", '"row":"2011-05-10","value":null', '"row":"2011-05-10","value":3'),
    ("panels", '"value":57,', '"value":40,'),
    ("ageing", '"value":44,', '"value":8,'),
    ("coverage", '"value":0.75,', '"value":0.74,'),
    ("need", '"words":"need 30:', '"words":"need 37:'),
    ("progress", '"value":35,', '"value":120,'),
    ("mix", '"value":6,', '"value":5,'),
]


@pytest.mark.parametrize(("name", "right", "wrong"), WRONG)
def test_wrong_number_in_a_chart_is_found(release, tmp_path, name, right, wrong):
    shutil.copytree(release / "tables", tmp_path / "tables")
    text = (release / "pack" / f"{name}.html").read_text(encoding="utf-8")
    assert right in text
    (tmp_path / "page.html").write_text(text.replace(right, wrong, 1), encoding="utf-8")
    assert {(row[0], row[3]) for row in find_leaks(tmp_path).rows()} == {("page.html", "number")}
