"""Funnels of published figures and control charts of counts: by hand, by other statistics, and of England in 2025."""

import math
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.indicators import POSITIONS, control_chart_of, funnel_of_areas
from safeguarding_analytics.intervals import byar, wilson
from safeguarding_analytics.process_control import ONE_SIDE, OUTSIDE
from safeguarding_analytics.shapes import CONTROL_CHART, FUNNEL, shape_of

SHARED = Path(__file__).parents[2] / "shared"
DFE = SHARED / "data" / "dfe"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not beside the project")

AREA = "local authority"
SCHEMA = {
    "time_period": pl.String,
    "geographic_level": pl.String,
    "area": pl.String,
    "numerator": pl.Int64,
    "denominator": pl.Int64,
}


def shares(*areas, year="2025"):
    return pl.DataFrame([(year, AREA, *area) for area in areas], schema=SCHEMA, orient="row")


def rates(*areas):
    return shares(*areas).rename({"numerator": "count", "denominator": "population"})


THREE = shares(("Corby", 20, 100), ("Alton", 65, 100), ("Barrow", 10, 100))


def test_funnel_has_the_columns_of_its_shape_a_row_per_authority_sorted_by_name():
    others = pl.concat(
        [
            THREE.with_columns(time_period=pl.lit("2024")),
            pl.DataFrame([("2025", "national", "England", 95, 300)], schema=SCHEMA, orient="row"),
            pl.DataFrame([("2025", "regional", "North", 95, 300)], schema=SCHEMA, orient="row"),
        ]
    )
    table = funnel_of_areas(pl.concat([THREE, others]), time_period="2025").table
    assert table.columns == ["area", *FUNNEL.columns]
    assert shape_of(table.columns) is FUNNEL
    assert FUNNEL.group_columns(table.columns) == ["area"]
    expected = pl.DataFrame(
        {
            "area": ["Alton", "Barrow", "Corby"],
            "observed": [65, 10, 20],
            "size": [100, 100, 100],
            "value": [0.65, 0.1, 0.2],
            "average": [95 / 300] * 3,
        }
    )
    assert_frame_equal(table.select(expected.columns), expected)


def test_limits_of_three_areas_of_one_size_written_out():
    funnel = funnel_of_areas(THREE, time_period="2025", share=0.0)
    centre = math.asin(math.sqrt(95 / 300))
    z = [(math.asin(math.sqrt(x / 100)) - centre) * 20 for x in (65, 10, 20)]  # s = 1/(2√100) = 1/20
    phi = sum(one**2 for one in z) / 3
    # Equal weights of 400: Σw − Σw²/Σw = 1200 − 480000/1200 = 800.
    tau2 = (3 * phi - 2) / 800
    assert funnel.phi == pytest.approx(phi)
    assert funnel.tau2 == pytest.approx(tau2)
    first = funnel.table.row(0, named=True)
    for name, quantile in (("95", 1.959963984540054), ("998", 3.090232306167813)):
        spread = quantile * math.sqrt(1 / 400 + tau2)
        assert first[f"upper_{name}"] == pytest.approx(math.sin(min(centre + spread, math.pi / 2)) ** 2)
        assert first[f"lower_{name}"] == pytest.approx(math.sin(max(centre - spread, 0)) ** 2)
    plain = 3.090232306167813 * math.sqrt(95 / 300 * 205 / 300 / 100)
    assert first["plain_lower_998"] == pytest.approx(95 / 300 - plain)
    assert first["plain_upper_998"] == pytest.approx(95 / 300 + plain)
    assert funnel.table["position"].to_list() == ["inside"] * 3
    # By chance alone 0.173 to 0.460: Alton and Barrow lie outside.
    assert (funnel.inside_plain, funnel.outside_plain, funnel.outside_adjusted) == (1, 2, 0)


def test_rates_are_per_10_000_and_their_limits_are_those_of_ratios_on_the_square_root_scale():
    areas = [("Alton", 40, 10_000), ("Barrow", 20, 10_000), ("Corby", 90, 20_000)]
    funnel = funnel_of_areas(rates(*areas), kind="rate", time_period="2025", share=0.0)
    # 150 events among 40,000: 37.5 per 10,000, so 37.5, 37.5 and 75 are expected.
    assert funnel.average == 37.5
    assert funnel.table["value"].to_list() == [40.0, 20.0, 45.0]
    expected = [37.5, 37.5, 75.0]
    z = [(math.sqrt(x / e) - 1) * 2 * math.sqrt(e) for (_, x, _), e in zip(areas, expected, strict=True)]
    phi = sum(one**2 for one in z) / 3
    weights = [4 * e for e in expected]
    tau2 = (3 * phi - 2) / (sum(weights) - sum(w**2 for w in weights) / sum(weights))
    assert funnel.phi == pytest.approx(phi)
    assert funnel.tau2 == pytest.approx(tau2)
    assert tau2 > 0
    for row, weight in zip(funnel.table.iter_rows(named=True), weights, strict=True):
        spread = 1.959963984540054 * math.sqrt(1 / weight + tau2)
        assert row["upper_95"] == pytest.approx(37.5 * (1 + spread) ** 2)
        assert row["lower_95"] == pytest.approx(37.5 * max(1 - spread, 0) ** 2)


@pytest.mark.parametrize("kind", ["proportion", "rate"])
def test_an_area_is_outside_the_plain_limits_when_its_own_interval_does_not_hold_the_average(kind):
    sizes = [15, 40, 130, 300, 800, 1500]
    parts = [0.05, 0.1, 0.15, 0.2, 0.3, 0.4]
    areas = [(f"{size} {part}", round(size * part), size) for size in sizes for part in parts]
    table = (shares if kind == "proportion" else rates)(*areas)
    funnel = funnel_of_areas(table, kind=kind, time_period="2025")
    x, n = pl.col("observed"), pl.col("size")
    share = pl.col("average") / (1 if kind == "proportion" else 10_000)
    ends = wilson(x, n, 0.998) if kind == "proportion" else [end / n for end in byar(x, 0.998)]
    outside = funnel.table.filter((ends[0] > share) | (ends[1] < share)).height
    assert 5 < outside < 30
    # Byar's interval differs from the exact one in the third digit; none of these areas lies so near.
    assert funnel.outside_plain == outside
    assert funnel.inside_plain == funnel.table.height - outside


def test_position_names_the_furthest_adjusted_limit():
    areas = [(f"Area {number:02}", 100 + number % 3, 1000) for number in range(30)]
    far = [("Near high", 128, 1000), ("High", 170, 1000), ("Near low", 76, 1000), ("Low", 50, 1000)]
    table = funnel_of_areas(shares(*areas, *far), time_period="2025").table
    found = dict(table.select("area", "position").iter_rows())
    assert [found[name] for name, _, _ in far] == ["above 95%", "above 99.8%", "below 95%", "below 99.8%"]
    assert {found[name] for name, _, _ in areas} == {"inside"}
    assert set(found.values()) == set(POSITIONS)


def test_areas_without_a_number_are_left_out_and_named():
    unknown = [("Derby", None, 90), ("Exeter", 3, None), ("Far", 0, 0)]
    whole = funnel_of_areas(pl.concat([THREE, shares(*unknown)]), time_period="2025")
    assert whole.left_out == ("Derby", "Exeter", "Far")
    assert whole.areas == 3
    assert_frame_equal(whole.table, funnel_of_areas(THREE, time_period="2025").table)
    assert whole.notes[-1] == "3 areas without a number left out: Derby, Exeter, Far."


def test_one_area_and_areas_that_are_all_the_same_lie_inside():
    one = funnel_of_areas(shares(("Alton", 30, 100)), time_period="2025")
    assert (one.phi, one.tau2, one.outside_plain, one.outside_adjusted) == (pytest.approx(0), 0.0, 0, 0)
    same = funnel_of_areas(rates(*[(f"Area {one}", 30, 5000) for one in range(5)]), kind="rate", time_period="2025")
    assert (same.phi, same.tau2, same.outside_plain) == (pytest.approx(0), 0.0, 0)
    assert same.notes == (
        "0 of 5 areas lie outside the 99.8% limits of chance alone. The spread between areas is no more than chance "
        "alone would make it.",
        "With limits that allow for the ordinary differences between areas, 0 of 5 areas lie outside.",
    )
    assert same.spread == (
        "φ = 0.00: how many times as much the areas vary as they would by chance alone; τ² = 0.00000: the variance "
        "between areas that chance does not explain."
    )


def test_an_area_without_events_stands_in_the_funnel():
    table = funnel_of_areas(rates(("Alton", 0, 900), ("Barrow", 12, 4000)), kind="rate", time_period="2025").table
    assert table.row(0, named=True)["value"] == 0.0
    assert table["plain_lower_998"].to_list()[0] == 0.0  # 2.2 are expected, none is no surprise


@pytest.mark.parametrize("areas", [[("Alton", 0, 10), ("Barrow", 0, 20)], [("Alton", None, 10)]])
def test_without_any_event_there_is_nothing_to_compare(areas):
    with pytest.raises(TableError, match="nothing to compare in 2025"):
        funnel_of_areas(shares(*areas), time_period="2025")


def test_wrong_tables_and_settings_are_refused_in_words():
    with pytest.raises(ParameterError, match=r'no local authority in "1999". There are some in: 2025\.'):
        funnel_of_areas(THREE, time_period="1999")
    with pytest.raises(ParameterError, match="no year"):
        funnel_of_areas(THREE.clear(), time_period="2025")
    with pytest.raises(ParameterError, match="kind must be one of proportion, rate"):
        funnel_of_areas(THREE, kind="mean", time_period="2025")
    with pytest.raises(TableError, match="columns count, population missing"):
        funnel_of_areas(THREE, kind="rate", time_period="2025")
    with pytest.raises(TableError, match="1 area more than once in 2025: Alton"):
        funnel_of_areas(pl.concat([THREE, shares(("Alton", 1, 2))]), time_period="2025")
    with pytest.raises(TableError, match="more events than there are: Alton"):
        funnel_of_areas(shares(("Alton", 3, 2)), time_period="2025")


def published_csv(name):
    return pl.read_csv(DFE / name, infer_schema=False)


def plans_and_children():
    """Plans at 31 March 2025 (LAIT) beside the children at mid-year 2024 (ONS), by authority."""
    measures = published_csv("lait_child_protection_measures_by_LA_year.csv")
    plans = measures.filter(pl.col("Short Desc") == "CPP_Num", pl.col("Years") == "2025").select(
        number=pl.col("LA Number").cast(pl.Float64).cast(pl.Int64),
        count=pl.col("Values").cast(pl.Float64, strict=False).cast(pl.Int64),
    )
    children = published_csv("ons_mid-year_population_estimates_2012_to_2024.csv").filter(
        pl.col("time_period") == "2024", pl.col("geographic_level") == "Local authority"
    )
    return (
        children.select(
            number=pl.col("old_la_code").cast(pl.Int64),
            area="la_name",
            population=pl.col("population_estimate").cast(pl.Int64),
        )
        .join(plans, on="number", how="left", maintain_order="left")
        .with_columns(time_period=pl.lit("2025"), geographic_level=pl.lit(AREA))
    )


@needs_shared
def test_98_of_151_authorities_lie_outside_the_plain_limits_of_plans_per_10_000_in_2025():
    published = plans_and_children()
    funnel = funnel_of_areas(published, kind="rate", time_period="2025")
    assert funnel.areas == 151
    assert sorted(funnel.left_out) == ["City of London", "Isles of Scilly"]
    assert (funnel.inside_plain, funnel.outside_plain) == (53, 98)
    # By the intervals of the authorities: 98 of 151 do not hold the average of all.
    known = published.drop_nulls("count")
    average = known["count"].sum() / known["population"].sum()
    lower, upper = byar(pl.col("count"), 0.998)
    expected = pl.col("population") * average
    assert known.filter((lower > expected) | (upper < expected)).height == 98
    assert funnel.average == pytest.approx(average * 10_000)


@needs_shared
def test_adjusted_limits_of_plans_per_10_000_leave_a_handful_outside():
    published = plans_and_children()
    funnel = funnel_of_areas(published, kind="rate", time_period="2025")
    # The same in plain Python.
    known = published.drop_nulls("count").sort("area")
    count, children = known["count"].to_list(), known["population"].to_list()
    expected = [one * sum(count) / sum(children) for one in children]
    z = [(math.sqrt(x / e) - 1) * 2 * math.sqrt(e) for x, e in zip(count, expected, strict=True)]
    ordered = sorted(z)
    low, high = (ordered[place] for place in (15, 135))  # (151 − 1) × 0.1 and × 0.9
    phi = sum(min(max(one, low), high) ** 2 for one in z) / 151
    weights = [4 * e for e in expected]
    tau2 = (151 * phi - 150) / (sum(weights) - sum(w**2 for w in weights) / sum(weights))
    outside = [
        abs(math.sqrt(x / e) - 1) > 3.090232306167813 * math.sqrt(1 / w + tau2)
        for x, e, w in zip(count, expected, weights, strict=True)
    ]
    assert funnel.phi == pytest.approx(phi)
    assert funnel.tau2 == pytest.approx(tau2)
    assert 20 < phi < 25
    assert funnel.outside_adjusted == sum(outside) == 5
    assert funnel.notes[0].startswith(
        "98 of 151 areas lie outside the 99.8% limits of chance alone. The spread between areas is 23.2 "
    )
    assert "5 of 151 areas lie outside" in funnel.notes[1]


@needs_shared
def test_one_in_six_authorities_lies_outside_the_plain_limits_of_repeat_plans_in_2025():
    d3 = published_csv("d3_cpps_subsequent_plan_2013_to_2025.csv")
    table = d3.select(
        "time_period",
        pl.col("geographic_level").str.to_lowercase(),
        area="la_name",
        numerator=pl.col("CPP_subsequent").cast(pl.Int64, strict=False),
        denominator=pl.col("CPP_start").cast(pl.Int64, strict=False),
    )
    funnel = funnel_of_areas(table, time_period="2025")
    assert 1 / 7 < funnel.outside_plain / funnel.areas < 1 / 5
    assert funnel.outside_adjusted < 6
    kirklees = funnel.table.row(by_predicate=pl.col("area") == "Kirklees", named=True)
    assert (kirklees["observed"], kirklees["size"], kirklees["position"]) == (173, 623, "inside")


MONTHS = ["2011-04", "2011-05", "2011-06", "2011-07"]


def counted(months, counts):
    return pl.DataFrame({"month": months, "count": counts}, schema={"month": pl.String, "count": pl.Int64})


def test_control_chart_has_the_columns_of_its_shape_in_the_order_of_the_periods():
    table = control_chart_of(counted(MONTHS[::-1], [8, 10, 6, 8])).table
    assert table.columns == ["month", *CONTROL_CHART.columns]
    assert shape_of(table.columns) is CONTROL_CHART
    assert CONTROL_CHART.group_columns(table.columns) == ["month"]
    # 8, 6, 10, 8: mean 8; ranges 2, 4, 2, mean 8/3; 2.66 of them 7.0933.
    expected = pl.DataFrame(
        {
            "month": MONTHS,
            "value": [8, 6, 10, 8],
            "mean": [8.0] * 4,
            "lower": [8 - 2.66 * 8 / 3] * 4,
            "upper": [8 + 2.66 * 8 / 3] * 4,
            "near_lower": [8 - 2.66 * 16 / 9] * 4,
            "near_upper": [8 + 2.66 * 16 / 9] * 4,
            "rule": [None] * 4,
            "direction": [None] * 4,
        },
        schema_overrides={"rule": pl.String, "direction": pl.String},
    )
    assert_frame_equal(table, expected)


def test_settings_reach_the_chart_and_its_notes_come_back():
    months = [f"{year}-{month:02}" for year in (2011, 2012) for month in range(1, 13)]
    counts = [10, 12] * 9 + [40, 44] * 3
    found = control_chart_of(
        counted(months, counts),
        ruleset="making_data_count_2023",
        desired="neutral",
        screening=False,
        baseline=10,
        rebase=["2012-07"],
        target=100,
    )
    assert found.chart.ruleset == "making_data_count_2023"
    assert found.chart.trial
    assert found.chart.assurance is None
    assert found.table["mean"].unique().sort().to_list() == [11.0, 42.0]
    assert found.chart.points["phase"].to_list() == [1] * 18 + [2] * 6
    told = control_chart_of(counted(months, counts), baseline=18, desired="low", target=8)
    # The last 12 lies above the mean of 11, as do the six behind it.
    assert told.table["rule"].to_list() == [None] * 17 + [ONE_SIDE] + [OUTSIDE] * 6
    assert told.table["direction"][-1] == "concern"
    assert told.chart.assurance == "inconsistent"


def test_a_margin_is_left_out():
    table = control_chart_of(counted([*MONTHS, "Total"], [8, 6, 10, 8, 32])).table
    assert table["month"].to_list() == MONTHS


def test_a_gap_is_refused_unless_the_window_is_stated():
    gappy = counted(["2011-11", "2012-02"], [3, 5])
    with pytest.raises(TableError, match="2 periods missing between 2011-11 and 2012-02: 2011-12, 2012-01"):
        control_chart_of(gappy)
    table = control_chart_of(gappy, covered=("2011-10", "2012-03")).table
    assert table["month"].to_list() == ["2011-10", "2011-11", "2011-12", "2012-01", "2012-02", "2012-03"]
    assert table["value"].to_list() == [0, 3, 0, 0, 5, 0]
    with pytest.raises(ParameterError, match="there are counts beyond it: 2012-02"):
        control_chart_of(gappy, covered=("2011-11", "2012-01"))
    with pytest.raises(ParameterError, match="covered ends before it starts"):
        control_chart_of(gappy, covered=("2012-11", "2012-01"))
    with pytest.raises(ParameterError, match=r"covered is a first and a last period such as 2011-05. Found: May"):
        control_chart_of(gappy, covered=("May", "2012-01"))


def test_quarters_and_years_follow_each_other():
    quarters = pl.DataFrame({"quarter": ["2011-10 to 2011-12", "2012-04 to 2012-06"], "count": [4, 6]})
    found = control_chart_of(quarters, period="quarter", covered=("2011-07 to 2011-09", "2012-04 to 2012-06")).table
    assert found["quarter"].to_list() == [
        "2011-07 to 2011-09",
        "2011-10 to 2011-12",
        "2012-01 to 2012-03",
        "2012-04 to 2012-06",
    ]
    assert found["value"].to_list() == [0, 4, 0, 6]
    years = pl.DataFrame({"time_period": ["2009", "2011"], "plans": [900, 960]})
    with pytest.raises(TableError, match="1 period missing between 2009 and 2011: 2010"):
        control_chart_of(years, period="time_period", count="plans")
    assert control_chart_of(years, period="time_period", count="plans", covered=("2009", "2011")).table.height == 3


def test_a_hidden_count_is_refused_with_its_period_and_what_to_do():
    with pytest.raises(TableError, match="1 period without a count; where it is hidden, chart longer periods: 2011-05"):
        control_chart_of(counted(MONTHS, [8, None, 10, 8]))


def test_everything_wrong_with_the_periods_is_said_at_once():
    rows = pl.DataFrame({"month": ["April", "2011-05", "2011-05", None], "count": [1.0, 2.5, 3.0, -1.0]})
    with pytest.raises(TableError) as refused:
        control_chart_of(rows)
    said = str(refused.value)
    assert "2 rows not written as 2011-05: April, nothing." in said
    assert "1 period in more than one row; keep one value of the other columns: 2011-05." in said
    assert "2 periods with a count that is no whole number of 0 or more: 2011-05, nothing." in said


def test_wrong_settings_of_a_chart_are_refused():
    with pytest.raises(TableError, match="no month in the table"):
        control_chart_of(counted([], []))
    with pytest.raises(ParameterError, match="period must be one of month, quarter, time_period"):
        control_chart_of(counted(MONTHS, [1, 2, 3, 4]), period="week")
    with pytest.raises(TableError, match="column quarter missing"):
        control_chart_of(counted(MONTHS, [1, 2, 3, 4]), period="quarter")
    with pytest.raises(
        ParameterError, match=r"rebase names periods that are not in the series: 2012-04\. It runs from"
    ):
        control_chart_of(counted(MONTHS, [1, 2, 3, 4]), rebase=["2012-04"])
