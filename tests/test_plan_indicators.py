"""Plans open, started, ended and lasting; rates: against published figures and a count one plan at a time."""

import random
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.plan_indicators import (
    flow_gaps,
    long_plans,
    plan_flow,
    plans_by_category,
    plans_open,
    plans_per_10000,
    stock_and_flow,
)

DFE = Path(__file__).parents[2] / "shared" / "data" / "dfe"
needs_shared = pytest.mark.skipif(not DFE.exists(), reason="../shared is not beside the project")

SCHEMA = {
    "plan": pl.String,
    "district": pl.String,
    "category": pl.String,
    "latest_category": pl.String,
    "start_date": pl.Date,
    "end_date": pl.Date,
}
COUNTS = ["numerator", "denominator"]
CATEGORIES = ["EMO", "MUL", "NEG", "PHY", "SAB"]
FLOWS = ["ended", "open at the end", "open at the start", "started"]
END_OF_2008 = date(2008, 3, 31)


def plan_rows(*rows):
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def dated(*spans):
    """Plans of nothing but a start and an end."""
    return plan_rows(*((f"p{number}", None, None, None, *span) for number, span in enumerate(spans)))


def random_plans(seed, size):
    """Overlaps, open ends, same-day plans, 29 February, days around 31 March, and spans around 729 days."""
    chance = random.Random(seed)
    days = [
        date(2008, 2, 29),
        date(2008, 3, 31),
        date(2008, 4, 1),
        date(2006, 4, 2),
        date(2006, 4, 1),
        date(2010, 3, 31),
    ]
    rows = []
    for number in range(size):
        start = chance.choice(days) if chance.random() < 0.4 else date(2005, 1, 1) + timedelta(chance.randrange(2200))
        spans = [0, 0, 1, 365, 727, 728, 729, 730, chance.randrange(1500)]
        ends = [start + timedelta(chance.choice(spans)), *[day for day in days if day >= start]]
        end = None if chance.random() < 0.2 else chance.choice(ends)
        category, latest = (chance.choice([*CATEGORIES[:3], None]) for _ in range(2))
        rows.append((f"p{number}", chance.choice(["Dover", "Swale", None]), category, latest, start, end))
    chance.shuffle(rows)
    return rows


def is_open(start, end, day):
    return start <= day and (end is None or end > day)


def on_every_engine(plans, connection):
    return plans, plans.lazy(), plans.to_arrow(), connection.from_arrow(plans.to_arrow())


@pytest.mark.parametrize(
    ("start", "end", "counted"),
    [
        (date(2008, 3, 31), None, 1),  # starts on the day
        (date(2008, 4, 1), None, 0),
        (date(2007, 1, 1), date(2008, 3, 31), 0),  # ends on the day
        (date(2007, 1, 1), date(2008, 4, 1), 1),
        (date(2008, 3, 31), date(2008, 3, 31), 0),  # starts and ends on it
        (date(2008, 2, 29), date(2008, 2, 29), 0),
    ],
)
def test_plan_is_open_from_its_start_until_the_day_before_its_end(start, end, counted):
    assert plans_open(dated((start, end)), [END_OF_2008]).rows() == [(END_OF_2008, counted)]


@pytest.mark.parametrize(("seed", "size"), [(1, 1), (2, 300)])
def test_open_plans_on_every_engine_are_those_counted_one_by_one(seed, size):
    rows = random_plans(seed, size)
    days = [date(2008, 3, 31), date(2008, 2, 29), date(2006, 4, 1), date(2012, 1, 1)]
    districts = sorted({row[1] for row in rows}, key=lambda district: district or "")
    expected = [
        (day, district, sum(row[1] == district and is_open(row[4], row[5], day) for row in rows))
        for day in sorted(days)
        for district in districts
    ]
    with duckdb.connect() as connection:
        for plans in on_every_engine(plan_rows(*rows), connection):
            found = plans_open(plans, days, "district")
            assert found.rows() == expected
            assert found.schema == {"day": pl.Date, "district": pl.String, "count": pl.Int64}


@pytest.mark.parametrize(("seed", "size"), [(3, 1), (4, 300)])
def test_flow_on_every_engine_is_counted_one_by_one_and_fits_together(seed, size):
    rows = random_plans(seed, size)
    expected = []
    for year in (2006, 2008, 2010):
        first, last = date(year - 1, 4, 1), date(year, 3, 31)
        for district in sorted({row[1] for row in rows}, key=lambda district: district or ""):
            spans = [row[4:] for row in rows if row[1] == district]
            counts = (
                sum(end is not None and first <= end <= last for _, end in spans),
                sum(is_open(start, end, last) for start, end in spans),
                sum(start < first and (end is None or end >= first) for start, end in spans),
                sum(first <= start <= last for start, _ in spans),
            )
            expected += [(str(year), district, flow, count) for flow, count in zip(FLOWS, counts, strict=True)]
    with duckdb.connect() as connection:
        for plans in on_every_engine(plan_rows(*rows), connection):
            found = plan_flow(plans, ["2010", "2006", "2008"], "district")
            assert found.rows() == expected
            gaps = flow_gaps(found)
            assert gaps["gap"].to_list() == [0] * gaps.height
    by_year = flow_gaps(plan_flow(plan_rows(*rows), ["2009", "2010"]))
    assert by_year["open_at_end"][0] == by_year["open_at_start"][1]  # nobody is lost between 31 March and 1 April


def test_plan_of_a_single_day_starts_and_ends_and_is_never_open():
    found = plan_flow(dated((date(2007, 4, 1), date(2007, 4, 1)), (date(2008, 3, 31), date(2008, 3, 31))), ["2008"])
    assert found.select("flow", "count").rows() == [(FLOWS[0], 2), (FLOWS[1], 0), (FLOWS[2], 0), (FLOWS[3], 2)]


def test_totals_of_a_flow_add_up_within_each_year_and_kind():
    plans = plan_rows(
        ("p1", "Dover", None, None, date(2007, 5, 1), None), ("p2", "Swale", None, None, date(2006, 5, 1), None)
    )
    found = plan_flow(plans, ["2008"], "district", totals=True).filter(pl.col("flow") == "open at the end")
    assert found.select("district", "count").rows() == [("Dover", 1), ("Swale", 1), ("Total", 2)]
    assert plans_open(plans, [END_OF_2008], "district", totals=True)["count"].to_list() == [1, 1, 2]


def test_kent_2008_does_not_fit_together():
    # Annual report 2007-08: 864 + 920 - 813 = 971, printed 960.
    printed = {"time_period": ["2008"], "open_at_start": [864], "started": [920], "ended": [813], "open_at_end": [960]}
    expected = pl.DataFrame(
        {
            **printed,
            "gap": [-11],
            "message": ["864 + 920 − 813 = 971, but 960 are counted at the end: 11 too few."],
        }
    )
    assert_frame_equal(flow_gaps(pl.DataFrame(printed)), expected)
    assert flow_gaps(pl.DataFrame(printed).lazy())["gap"].item() == -11


@pytest.mark.parametrize(
    ("end", "rounded_to", "gap", "message"),
    [
        (971, 1, 0, "864 + 920 − 813 = 971, as counted at the end."),
        (972, 1, 1, "864 + 920 − 813 = 971, but 972 are counted at the end: 1 too many."),
        (
            991,
            10,
            20,
            "864 + 920 − 813 = 971, but 991 are counted at the end: 20 too many, which rounding alone may do.",
        ),
        (950, 10, -21, "864 + 920 − 813 = 971, but 950 are counted at the end: 21 too few."),
        (None, 1, None, "A count is not known, so it cannot be said whether they fit together."),
    ],
)
def test_gap_is_told_in_words_and_rounding_excuses_twice_its_step(end, rounded_to, gap, message):
    flow = {"time_period": ["2008"], "open_at_start": [864], "started": [920], "ended": [813], "open_at_end": [end]}
    found = flow_gaps(pl.DataFrame(flow, schema_overrides={"open_at_end": pl.Int64}), rounded_to=rounded_to)
    assert found.select("gap", "message").row(0) == (gap, message)


def test_england_2025_fits_together_but_for_rounding():
    # DfE, children in need 2025, table D1: 61,840 started, 62,300 ended, 111,720 at any point, 49,420 at 31 March; at
    # any point less those that started were open at the start: 49,880.
    flow = {"time_period": ["2025"], "open_at_start": [111720 - 61840], "started": [61840], "ended": [62300]}
    found = flow_gaps(pl.DataFrame({**flow, "open_at_end": [49420]}), rounded_to=10)
    assert found["gap"].item() == 0


@pytest.mark.parametrize(("end", "gap"), [(960, -11), (971, 0), (972, 1)])
def test_stock_and_flow_gap_of_the_kent_register(end, gap):
    # 864 + 920 - 813 = 971 (Kent report 2007-08, which prints 960)
    assert stock_and_flow(864, 920, 813, end) == gap


def test_flow_without_a_column_or_kind_is_refused():
    with pytest.raises(TableError, match="flow: columns open_at_start, started, ended, open_at_end missing"):
        flow_gaps(pl.DataFrame({"time_period": ["2008"]}))
    one_kind = pl.DataFrame({"time_period": ["2008"], "flow": ["started"], "count": [920]})
    with pytest.raises(TableError, match="flow: columns open_at_start, ended, open_at_end missing"):
        flow_gaps(one_kind)
    with pytest.raises(ParameterError, match="rounded_to must be 1 or more"):
        flow_gaps(one_kind, rounded_to=0)


def test_kent_2008_had_31_plans_per_10000_with_an_interval_of_29_to_33():
    # 960 / 309,677 per 10,000 = 31.00 (29.07-33.02): oracle_byars_edge.csv of PHEindicatormethods.
    population = pl.DataFrame({"mid_year": ["2006", "2007", "2008"], "children": [1, 309677, 2]})
    found = plans_per_10000(pl.DataFrame({"time_period": ["2008"], "count": [960]}), population)
    assert found.columns == ["time_period", "count", "population", "rate", "lower", "upper"]
    assert found.select(pl.col("rate", "lower", "upper").round(2)).row(0) == (31.0, 29.07, 33.02)
    assert found["population"].to_list() == [309677]


def test_rate_without_the_population_of_its_mid_year_is_null_and_never_anothers():
    population = pl.DataFrame(
        {"authority": ["Kent", "Kent", "Medway"], "mid_year": ["2006", "2008", "2007"], "children": [300000, 2, 3]}
    )
    counts = pl.DataFrame({"authority": ["Kent", "Kent"], "time_period": ["2008", "Total"], "count": [960, 960]})
    found = plans_per_10000(counts, population, by=("authority", "time_period"))
    assert found.rows() == [("Kent", "2008", 960, *[None] * 4), ("Kent", "Total", 960, *[None] * 4)]


def test_day_takes_the_mid_year_before_the_end_of_its_reporting_year():
    counts = pl.DataFrame({"day": [date(2008, 3, 31), date(2008, 4, 1)], "count": [10, 10]})
    population = pl.DataFrame({"mid_year": ["2007", "2008"], "children": [10000, 20000]})
    assert plans_per_10000(counts, population, by="day").select("day", "rate").rows() == [
        (date(2008, 3, 31), 10.0),
        (date(2008, 4, 1), 5.0),
    ]


def test_districts_have_their_own_population_and_their_total_that_of_the_authority():
    population = pl.DataFrame(
        {
            "authority": ["Kent"] * 3,
            "district": [None, "Dover", "Swale"],
            "mid_year": ["2007"] * 3,
            "children": [50000, 20000, 25000],
        }
    )
    counts = pl.DataFrame(
        {
            "district": ["Dover", "Swale", "Thanet", None, "Total"],
            "time_period": ["2008"] * 5,
            "count": [20, 25, 1, 2, 50],
        }
    )
    found = plans_per_10000(counts, population, by=("time_period", "district"))
    assert found.select("district", "population", "rate").rows() == [
        (None, None, None),
        ("Dover", 20000, 10.0),
        ("Swale", 25000, 10.0),
        ("Thanet", None, None),
        ("Total", 50000, 10.0),
    ]
    overall = plans_per_10000(counts.filter(pl.col("district") == "Total"), population)
    assert overall["rate"].to_list() == [10.0]


def test_rates_of_kinds_share_the_population_and_a_hidden_count_has_none():
    counts = pl.DataFrame({"time_period": ["2008"] * 2, "flow": ["ended", "started"], "count": [None, 5]})
    found = plans_per_10000(
        counts, pl.DataFrame({"mid_year": ["2007"], "children": [5000]}), by=("time_period", "flow")
    )
    assert found.select("flow", "rate").rows() == [("ended", None), ("started", 10.0)]
    # Five events: exact Poisson 1.6235 to 11.6683 (Breslow & Day 1987, table 2.10).
    assert [round(end, 3) for end in found.row(1)[-2:]] == [3.247, 23.337]


@needs_shared
def test_published_rates_of_authorities_take_the_mid_year_before():
    # LAIT 215 against its count and the population of ONS: all 1,492 authority-years; with that of the year itself,
    # 127 of 1,339.
    lait = pl.read_csv(DFE / "lait_child_protection_measures_by_LA_year.csv", infer_schema=False).select(
        pl.col("LA Number").cast(pl.Float64).cast(pl.Int64).alias("authority"),
        pl.col("Years").alias("time_period"),
        "Short Desc",
        pl.col("Values").cast(pl.Float64, strict=False),
    )
    published = (
        lait.filter(pl.col("Short Desc").is_in(["CPP_Num", "CPP_rate"]) & (pl.col("authority") < 970))
        .pivot(on="Short Desc", index=["authority", "time_period"], values="Values")
        .drop_nulls()
    )
    counts = published.select("authority", "time_period", pl.col("CPP_Num").cast(pl.Int64).alias("count"))
    ons = pl.read_csv(DFE / "ons_mid-year_population_estimates_2012_to_2024.csv", infer_schema=False)
    population = ons.filter(pl.col("geographic_level") == "Local authority").select(
        pl.col("old_la_code").cast(pl.Int64).alias("authority"),
        pl.col("time_period").alias("mid_year"),
        pl.col("population_estimate").cast(pl.Int64, strict=False).alias("children"),
    )

    def compared(people):
        found = plans_per_10000(counts, people, by=("authority", "time_period")).drop_nulls("rate")
        both = found.join(published, on=["authority", "time_period"])
        return both.height, ((both["rate"] - both["CPP_rate"]).abs() <= 0.0500001).sum()

    assert compared(population) == (1492, 1492)
    same_year = population.with_columns((pl.col("mid_year").cast(pl.Int64) - 1).cast(pl.String))
    assert compared(same_year) == (1339, 127)


@pytest.mark.parametrize(
    ("counts", "by", "message"),
    [
        ({"time_period": ["2008"], "count": [1]}, (), "a rate needs time_period or day, one of them. Found: no column"),
        ({"area": ["Kent"], "count": [1]}, "area", "a rate needs time_period or day"),
        ({"time_period": ["2008"], "count": [1]}, "year", 'by: "year" is not a column of counts'),
        (
            {"time_period": ["2008"] * 2, "district": ["Dover", "Swale"], "count": [1, 2]},
            "time_period",
            "2 of 2 rows of counts share time_period with another. Add what tells them apart: district",
        ),
        ({"time_period": ["2008"] * 2, "count": [1, 2]}, "time_period", "Keep one row of each"),
        ({"time_period": ["2008"], "count": [1]}, "time_period", "population: holds 2 authorities, and by names none"),
    ],
)
def test_rate_of_what_is_not_told_apart_is_refused(counts, by, message):
    population = pl.DataFrame({"authority": ["Kent", "Medway"], "mid_year": ["2007"] * 2, "children": [3, 4]})
    with pytest.raises(ParameterError) as raised:
        plans_per_10000(pl.DataFrame(counts), population, by=by)
    assert message in str(raised.value)


def test_population_that_stands_twice_is_refused():
    population = pl.DataFrame({"authority": ["Kent"] * 2, "mid_year": ["2007"] * 2, "children": [3, 4]})
    with pytest.raises(TableError, match="population: 2 of 2 rows share mid_year with another"):
        plans_per_10000(pl.DataFrame({"time_period": ["2008"], "count": [1]}), population)


@pytest.mark.parametrize("which", ["initial", "latest"])
def test_categories_on_every_engine_are_counted_one_by_one(which):
    rows, column = random_plans(5, 200), 2 if which == "initial" else 3
    known = [None, *CATEGORIES]

    def expected(inside, time):
        return [
            (
                time,
                district,
                category,
                sum(row[1] == district and row[column] == category and inside(row) for row in rows),
            )
            for district in (None, "Dover", "Swale")
            for category in known
        ]

    starts = expected(lambda row: date(2007, 4, 1) <= row[4] <= END_OF_2008, "2008")
    stock = expected(lambda row: is_open(row[4], row[5], END_OF_2008), END_OF_2008)
    with duckdb.connect() as connection:
        for plans in on_every_engine(plan_rows(*rows), connection):
            assert plans_by_category(plans, "district", years=["2008"], which=which).rows() == starts
            assert plans_by_category(plans, "district", days=[END_OF_2008], which=which).rows() == stock


def test_category_without_a_plan_is_shown_as_0_and_an_unknown_one_only_where_there_is_any():
    plans = plan_rows(("p1", None, "NEG", None, date(2007, 5, 1), None))
    found = plans_by_category(plans, years=["2008"], totals=True)
    assert found.rows() == [("2008", name, int(name in ("NEG", "Total"))) for name in [*CATEGORIES, "Total"]]
    assert plans_by_category(plan_rows(), years=["2008"])["count"].to_list() == [0] * 5


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "give days, on which open plans are counted, or years"),
        ({"years": ["2008"], "days": [END_OF_2008]}, "one of the two"),
        ({"years": ["2008"], "which": "last"}, 'which must be "initial" or "latest". Found: "last"'),
        ({"years": ["2008"], "by": "category"}, 'by: "category" is a column of the result'),
        ({"years": ["2008"], "complete_from": date(2007, 4, 2)}, "years: 2008 is not fully covered"),
        ({"days": [END_OF_2008], "complete_to": date(2008, 3, 30)}, "days: 31 March 2008 is not covered"),
    ],
)
def test_question_about_categories_that_cannot_be_answered_is_refused(asked, message):
    with pytest.raises(ParameterError) as raised:
        plans_by_category(plan_rows(), **asked)
    assert message in str(raised.value)


def test_latest_category_is_needed_only_where_it_is_asked_for():
    plans = plan_rows().drop("latest_category")
    assert plans_by_category(plans, years=["2008"]).height == 5
    with pytest.raises(TableError, match="plans: column latest_category missing"):
        plans_by_category(plans, years=["2008"], which="latest")


@pytest.mark.parametrize(
    ("start", "end", "ended", "still_open"),
    [
        (date(2006, 4, 1), date(2008, 3, 29), (0, 1), (0, 0)),  # 729 days
        (date(2006, 4, 1), date(2008, 3, 30), (1, 1), (0, 0)),  # 730
        (date(2006, 4, 1), None, (0, 0), (1, 1)),  # 731 on 31 March
        (date(2006, 4, 2), None, (0, 0), (1, 1)),  # 730
        (date(2006, 4, 3), None, (0, 0), (0, 1)),  # 729
        (date(2006, 4, 2), date(2009, 1, 1), (0, 0), (1, 1)),
        (date(2006, 4, 1), date(2008, 3, 31), (1, 1), (0, 0)),  # ended on the day
    ],
)
def test_two_years_are_more_than_729_days_with_the_first_and_the_last(start, end, ended, still_open):
    # 2008 had a 29 February: 1 April 2006 to 29 March 2008 are 275 + 365 + 89 = 729 days.
    found = long_plans(dated((start, end)), ["2008"])
    assert found.select("time_period", "measure", *COUNTS).rows() == [
        ("2008", "ended in the year", *ended),
        ("2008", "open at 31 March", *still_open),
    ]


@pytest.mark.parametrize(("seed", "size"), [(7, 1), (8, 300)])
def test_long_plans_on_every_engine_are_those_counted_one_by_one(seed, size):
    rows = random_plans(seed, size)
    expected = []
    for year in (2008, 2009, 2010):
        first, last = date(year - 1, 4, 1), date(year, 3, 31)
        for district in sorted({row[1] for row in rows}, key=lambda district: district or ""):
            spans = [row[4:] for row in rows if row[1] == district]
            ended = [(end - start).days + 1 for start, end in spans if end is not None and first <= end <= last]
            still_open = [(last - start).days + 1 for start, end in spans if is_open(start, end, last)]
            for measure, days in (("ended in the year", ended), ("open at 31 March", still_open)):
                expected.append((str(year), district, measure, sum(day > 729 for day in days), len(days)))
    with duckdb.connect() as connection:
        engines = on_every_engine(plan_rows(*rows), connection)
        found = [long_plans(plans, ["2008", "2009", "2010"], "district") for plans in engines]
    assert found[0].select("time_period", "district", "measure", *COUNTS).rows() == expected
    for other in found[1:]:
        assert_frame_equal(other, found[0])


def test_whole_result_of_long_plans_with_its_interval():
    # Wilson of 0 of 12: 0 to 24.249% (PHEindicatormethods, in ../shared/data/intervals/oracle_wilson_edge.csv)
    found = long_plans(dated(*[(date(2008, 1, 1), None)] * 12), ["2008"])
    expected = pl.DataFrame(
        {
            "time_period": ["2008", "2008"],
            "measure": ["ended in the year", "open at 31 March"],
            "numerator": [0, 0],
            "denominator": [0, 12],
            "proportion": [None, 0.0],
            "lower": [None, 0.0],
            "upper": [None, 0.24249],
        }
    )
    assert_frame_equal(found, expected, abs_tol=5e-6)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 40))
def test_laws_of_stock_and_flow(seed, size):
    plans = plan_rows(*random_plans(seed, size))
    years = ["2007", "2008", "2009"]
    flow = plan_flow(plans, years)
    assert_frame_equal(plan_flow(plans.reverse(), years), flow)
    assert flow_gaps(flow)["gap"].to_list() == [0, 0, 0]
    at_end = flow.filter(pl.col("flow") == "open at the end")["count"].to_list()
    assert plans_open(plans, [date(int(year), 3, 31) for year in years])["count"].to_list() == at_end
    lasting = long_plans(plans, years).filter(pl.col("measure") == "open at 31 March")
    assert lasting["denominator"].to_list() == at_end
    stock = plans_by_category(plans, days=[date(2009, 3, 31)])
    assert stock["count"].sum() == at_end[-1]


@pytest.mark.parametrize("measure", [plan_flow, long_plans])
def test_years_that_are_not_fully_covered_are_named_with_what_is(measure):
    plans = dated((date(2024, 10, 2), None))
    with pytest.raises(ParameterError) as raised:
        measure(plans, ["2026", "2025", "2024"], complete_from=date(2023, 4, 2), complete_to=date(2025, 9, 30))
    assert str(raised.value) == (
        "years: 2024 and 2026 are not fully covered. The table is complete from 2 April 2023 to 30 September 2025. "
        "Full years: 2025; parts: 2 April 2023 to 31 March 2024, 11 months and 30 days; 1 April 2025 to 30 September "
        "2025, 6 months. A count of part of a year is no count of the year: leave them out."
    )
    assert measure(plans, ["2025"], complete_from=date(2024, 4, 1), complete_to=date(2025, 3, 31)).height > 0
    for bounds in ({"complete_from": date(2024, 4, 2)}, {"complete_to": date(2025, 3, 30)}):
        with pytest.raises(ParameterError, match=r"years: 2025 is not fully covered\. The table is complete"):
            measure(plans, ["2025"], **bounds)


def test_stock_is_known_from_the_evening_before_the_first_day_to_the_last():
    bounds = {"complete_from": date(2007, 4, 1), "complete_to": date(2008, 3, 31)}
    assert plans_open(dated(), [date(2007, 3, 31), date(2008, 3, 31)], **bounds)["count"].to_list() == [0, 0]
    for day in (date(2007, 3, 30), date(2008, 4, 1)):
        with pytest.raises(ParameterError, match=r"days: .* is not covered\. The table is complete from 1 April 2007"):
            plans_open(dated(), [day], **bounds)


@pytest.mark.parametrize(
    ("days", "message"),
    [
        ([], "at least one day as a date. Found: none"),
        (["2008-03-31"], "Found: 2008-03-31"),
        ([datetime(2008, 3, 31)], "Found: 2008-03-31 00:00:00"),
        ([END_OF_2008] * 2, "a day stands twice"),
    ],
)
def test_what_is_no_list_of_days_is_refused(days, message):
    with pytest.raises(ParameterError, match=message):
        plans_open(dated(), days)


def test_table_of_plans_that_would_be_counted_wrongly_is_refused_without_values():
    good = ("p1", None, None, None, date(2007, 5, 1), None)
    secret = ("secret", None, None, None, date(2007, 5, 2), date(2007, 5, 1))
    cases = [
        (plan_rows(good, secret), "plans: 1 plan ends before the day of the start"),
        (plan_rows(good, good), "plans: 2 rows stand for 1 different plans"),
        (plan_rows((None, *good[1:])), "1 of 1 rows have no plan"),
        (plan_rows((*good[:4], None, None)), "1 of 1 rows have no start_date"),
        (plan_rows(good).drop("end_date"), "plans: column end_date missing"),
        (
            plan_rows(good).with_columns(pl.col("start_date").cast(pl.String)),
            "start_date must hold dates. Found: String",
        ),
    ]
    for plans, message in cases:
        with pytest.raises(TableError) as raised:
            plan_flow(plans, ["2008"])
        assert message in str(raised.value)
        assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("plan", "names people one by one"),
        ("time_period", "is a column of the result"),
        ("distrct", 'Did you mean "district"'),
    ],
)
def test_group_columns_that_cannot_be_used_are_refused(by, message):
    plans = plan_rows().with_columns(time_period=pl.lit("2008"))
    with pytest.raises(ParameterError, match=message):
        plan_flow(plans, ["2008"], by)


def test_empty_table_counts_nothing():
    assert plans_open(plan_rows(), [END_OF_2008]).rows() == [(END_OF_2008, 0)]
    assert plans_open(plan_rows(), [END_OF_2008], "district").is_empty()
    assert plan_flow(plan_rows(), ["2008"])["count"].to_list() == [0] * 4
    with duckdb.connect() as connection:
        empty = connection.from_arrow(plan_rows().to_arrow())
        assert plan_flow(empty, ["2008"])["count"].to_list() == [0] * 4
