"""A register of plans in the periods it covers: by hand, by plain Python, and what a reader of two tables may learn."""

import csv
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics.disclosure import suppress
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.plan_register import (
    long_lasting_plans,
    next_plans_of,
    open_by_category,
    open_register,
    register_rates,
    repeat_plans,
    within_to_tell,
)
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.register_days import RegisterDays

DEMO = Path(__file__).parents[1] / "data" / "demo_board" / "plans.csv"
SCHEMA = {
    "plan": pl.String,
    "child": pl.String,
    "authority": pl.String,
    "district": pl.String,
    "category": pl.String,
    "start_date": pl.Date,
    "end_date": pl.Date,
    "previous_plans": pl.Int64,
}
TWO_YEARS = RegisterDays(date(2006, 4, 1), date(2008, 3, 31))
SIX_MONTHS = RegisterDays(date(2024, 10, 1), date(2025, 3, 31))
SIX_MONTHS_IN_WORDS = "1 October 2024 to 31 March 2025, 6 months"


def plan(name, child, start, end=None, previous=0, *, district="Thanet", category="NEG", authority="Kent"):
    return (name, child, authority, district, category, start, end, previous)


def table(*rows):
    return pl.DataFrame(list(rows), schema=SCHEMA, orient="row")


# Open on 31 March 2006: p1, p2. Year to 31 March 2007: p3, p4 and p5 start, p1 and p4 end. Year to 31 March 2008: p6,
# p7 and p8 start, p2 and p7 end. p4 is recorded as a second plan, p6 is one by the table (4 months after p4), p7 too
# (of the child of p1, 17 months after); of p8 it is not known.
PLANS = table(
    plan("p1", "a", date(2004, 4, 1), date(2006, 5, 1)),
    plan("p2", "b", date(2005, 9, 1), date(2007, 9, 1), category="EMO"),
    plan("p3", "c", date(2006, 6, 1)),
    plan("p4", "d", date(2006, 7, 1), date(2007, 1, 10), 1, district="Swale"),
    plan("p5", "e", date(2007, 3, 31), None, district=None, category=None),
    plan("p6", "d", date(2007, 5, 10), None, 2, district="Swale", category="PHY"),
    plan("p7", "a", date(2007, 10, 1), date(2008, 3, 31), 1),
    plan("p8", "f", date(2008, 3, 31), None, None),
)
HALF_YEAR = table(
    plan("p1", "a", date(2023, 1, 9), date(2024, 10, 2)),
    plan("p2", "b", date(2024, 11, 4), category="EMO"),
    plan("p3", "c", date(2024, 12, 2), None, 1),
    plan("p4", "d", date(2025, 3, 31), None, 0),
)


def register(plans=PLANS, days=TWO_YEARS, **kwargs):
    return open_register(plans, days, **kwargs)


def wilson(x, n, z=1.959963984540054):
    middle, half = 2 * x + z * z, z * (z * z + 4 * x * (1 - x / n)) ** 0.5
    return (middle - half) / (2 * (n + z * z)), (middle + half) / (2 * (n + z * z))


def test_register_looks_closest_at_its_latest_whole_year():
    found = register(days=RegisterDays(date(2006, 4, 1), date(2008, 12, 31)))
    assert (found.years, found.period, found.is_year) == (("2007", "2008"), "2008", True)
    assert found.words == "year to 31 March 2008"


def test_register_looks_at_the_year_asked_for():
    found = register(time_period="2007")
    assert (found.period, found.words) == ("2007", "year to 31 March 2007")


def test_year_that_is_not_wholly_covered_is_refused_with_those_that_are():
    with pytest.raises(ParameterError, match=r"31 March 2009\. Whole years covered: 2007, 2008\."):
        register(time_period="2009")


def test_return_of_six_months_has_no_whole_year_to_ask_for():
    with pytest.raises(ParameterError, match=r"Whole years covered: none\."):
        register(HALF_YEAR, SIX_MONTHS, time_period="2025")


def test_return_of_six_months_is_named_by_its_days():
    found = register(HALF_YEAR, SIX_MONTHS)
    assert (found.years, found.is_year) == ((), False)
    assert found.period == found.words == SIX_MONTHS_IN_WORDS


def test_days_in_two_years_none_of_them_whole_are_named_by_the_first_and_the_last():
    found = register(HALF_YEAR, RegisterDays(date(2023, 10, 1), date(2024, 9, 30)))
    assert found.period == "1 October 2023 to 30 September 2024"


@pytest.mark.parametrize(
    ("plans", "days"),
    [
        (PLANS.clear(), RegisterDays(None, None)),
        (PLANS.clear(), TWO_YEARS),
        (PLANS, RegisterDays(None, date(2008, 3, 31))),
        (PLANS, RegisterDays(date(2006, 4, 1), None)),
    ],
)
def test_register_without_a_plan_or_a_day_is_refused(plans, days):
    with pytest.raises(ParameterError, match="there is no plan of the authority asked for"):
        open_register(plans, days)


@pytest.mark.parametrize("other", ["Medway", "kent"])
def test_plans_of_several_authorities_or_spellings_are_refused(other):
    # Histories are joined by the authority as it is written: "kent" would lose those of "Kent".
    both = pl.concat([PLANS, table(plan("q1", "a", date(2007, 5, 1), authority=other))])
    with pytest.raises(ParameterError, match=r"plans of 2 authorities\.") as refused:
        open_register(both.sort("authority"), TWO_YEARS)
    assert other not in str(refused.value)  # a shifted row may hold anything in this column


def test_siblings_are_one_cluster_where_families_are_named():
    assert register().cluster == "child"
    unnamed = PLANS.with_columns(family=pl.lit(None, pl.String))
    assert register(unnamed).cluster == "child"
    some = PLANS.with_columns(family=pl.when(pl.col("plan") == "p1").then(pl.lit("F1")))
    assert register(some).cluster == "family"


def test_repeat_plans_are_counted_by_year():
    # 2007: p4 of p3, p4, p5. 2008: p6 and p7 of p6 and p7; p8 is in neither count.
    found = repeat_plans(register())
    assert found.select("time_period", "numerator", "denominator").rows() == [("2007", 1, 3), ("2008", 2, 2)]
    assert found["proportion"].to_list() == pytest.approx([1 / 3, 1])
    assert found.select("lower", "upper").row(0) == pytest.approx(wilson(1, 3))
    assert found.columns[-2:] == ["lower_clustered", "upper_clustered"]


def test_plans_of_a_year_asked_for_do_not_narrow_the_table():
    assert repeat_plans(register(time_period="2007"))["time_period"].to_list() == ["2007", "2008"]


def test_a_year_that_is_only_begun_is_in_no_table():
    found = repeat_plans(register(days=RegisterDays(date(2006, 4, 2), date(2008, 3, 31))))
    assert found["time_period"].to_list() == ["2008"]


def test_plans_within_some_months_are_told_for_years_that_start_as_long_after_the_first_day():
    # p6 started four months after the end of p4; p7 17 months after that of p1.
    found = repeat_plans(register(), within_months=12)
    assert found.select("time_period", "numerator", "denominator").rows() == [("2008", 1, 2)]


@pytest.mark.parametrize(
    ("first", "months", "years"),
    [
        (date(2005, 4, 1), 12, ["2007", "2008"]),
        (date(2005, 4, 2), 12, ["2008"]),
        (date(2006, 3, 31), 12, ["2008"]),
        (date(2006, 4, 1), 12, ["2008"]),
        (date(2006, 4, 2), 12, []),
        (date(2006, 12, 31), 3, ["2008"]),
        (date(2007, 1, 1), 3, ["2008"]),
        (date(2007, 1, 2), 3, []),
    ],
)
def test_the_first_year_told_starts_so_many_months_after_the_first_day(first, months, years):
    found = repeat_plans(register(days=RegisterDays(first, date(2008, 3, 31))), within_months=months)
    assert found["time_period"].to_list() == years


def test_return_of_six_months_has_one_row_named_by_its_days():
    # Plans that started in it: p2, p3, p4; p3 is a second plan.
    found = repeat_plans(register(HALF_YEAR, SIX_MONTHS))
    assert found.select("time_period", "numerator", "denominator").rows() == [(SIX_MONTHS_IN_WORDS, 1, 3)]
    assert suppress(found, Policy.dfe()).hidden == 1


def test_return_of_six_months_cannot_tell_of_repeats_within_months():
    # Of plans of the first three months it is not known what ended before; a row would be named as if it were.
    half = register(HALF_YEAR, SIX_MONTHS)
    for months in (3, 12):
        found = repeat_plans(half, within_months=months)
        assert found.is_empty()
        assert found.columns == repeat_plans(half).columns


def test_further_groups_have_totals_by_year_and_none_over_the_years():
    found = repeat_plans(register(), by=("district",), totals=True)
    counts = found.select("time_period", "district", "numerator", "denominator").rows()
    assert set(counts) == {
        ("2007", None, 0, 1),
        ("2007", "Swale", 1, 1),
        ("2007", "Thanet", 0, 1),
        ("2007", "Total", 1, 3),
        ("2008", "Swale", 1, 1),
        ("2008", "Thanet", 1, 1),
        ("2008", "Total", 2, 2),
    }
    assert len(counts) == 7


def test_return_of_six_months_has_groups_too():
    found = repeat_plans(register(HALF_YEAR, SIX_MONTHS), by=("category",), totals=True)
    counts = found.select("category", "numerator", "denominator").rows()
    assert sorted(counts) == [("Emotional abuse", 0, 1), ("Neglect", 1, 2), ("Total", 1, 3)]
    assert set(found["time_period"]) == {SIX_MONTHS_IN_WORDS}


def test_ages_are_in_their_order_within_each_year():
    births = pl.Series([date(2003, 1, 1), date(2003, 1, 1), *[date(1989, 1, 1), date(2006, 8, 1), date(2006, 9, 1)]])
    aged = PLANS.head(5).with_columns(birth_date=births)
    found = repeat_plans(register(aged), by=("age_band",), totals=True)
    # p3 at 17, p4 a month before the birth, p5 at six months.
    assert found.select("time_period", "age_band", "numerator", "denominator").rows() == [
        ("2007", "Unborn", 1, 1),
        ("2007", "Under 1", 0, 1),
        ("2007", "16 and over", 0, 1),
        ("2007", "Total", 1, 3),
    ]


def test_no_plan_started_since_the_first_day_gives_no_row():
    later = register(days=RegisterDays(date(2009, 4, 1), date(2010, 3, 31)))
    assert later.years == ("2010",)
    assert repeat_plans(later).is_empty()
    assert repeat_plans(later, by=("district",), totals=True).is_empty()
    half = register(days=RegisterDays(date(2009, 10, 1), date(2010, 3, 31)))
    assert repeat_plans(half).is_empty()


def test_families_widen_the_interval_that_allows_for_siblings():
    # Twenty children in ten families: in five both are repeats, in five none. Taken one by one the children vary as
    # chance makes them; a family is of one kind.
    children = range(20)
    rows = [plan(f"p{n}", f"c{n}", date(2007, 5, 1), None, int(n < 10)) for n in children]
    alone = table(*rows)
    families = alone.with_columns(family=pl.Series([f"F{n // 2}" for n in children]))
    plain, clustered = (repeat_plans(register(plans)).row(0, named=True) for plans in (alone, families))
    assert (plain["numerator"], plain["denominator"]) == (clustered["numerator"], clustered["denominator"]) == (10, 20)
    assert clustered["lower_clustered"] < plain["lower_clustered"] < plain["upper_clustered"]
    assert clustered["upper_clustered"] > plain["upper_clustered"]


def year(numerator, denominator=300, time_period="2008"):
    counts = {"numerator": [numerator], "denominator": [denominator]}
    return pl.DataFrame({"time_period": [time_period], **counts}, schema_overrides=dict.fromkeys(counts, pl.Int64))


@pytest.mark.parametrize(
    ("later", "told"), [(0, True), (1, False), (5, False), (6, True), (7, True), (-1, False), (100, True)]
)
def test_year_is_told_where_later_plans_are_none_or_as_many_as_may_be_shown(later, told):
    assert within_to_tell(year(150), year(150 + later), Policy.dfe()).height == told


def test_year_whose_plans_whenever_are_hidden_is_not_told():
    assert within_to_tell(year(150), year(None, None), Policy.dfe()).is_empty()
    assert within_to_tell(year(150), year(200, time_period="2007"), Policy.dfe()).is_empty()


def test_year_of_which_other_plans_were_counted_is_not_told():
    assert within_to_tell(year(150, 300), year(200, 301), Policy.dfe()).is_empty()
    assert within_to_tell(year(150, 300), year(200, 299), Policy.dfe()).is_empty()


def test_none_later_is_not_told_where_a_zero_is_hidden():
    assert within_to_tell(year(150), year(150), Policy(zeros="hidden")).is_empty()
    assert within_to_tell(year(150), year(156), Policy(zeros="hidden")).height == 1


def test_policy_that_hides_nothing_tells_every_year():
    for later in range(7):
        assert within_to_tell(year(150), year(150 + later), Policy(threshold=1)).height == 1


def nearest(count, base):
    """The multiples of a base next to a count that lie nearest."""
    return base * ((count + base // 2) // base)


@pytest.mark.parametrize("policy", [Policy.nhs(), Policy.round5(), Policy.round10(), Policy(threshold=6, round=10)])
@settings(deadline=None)
@given(later=st.integers(0, 60), moved=st.integers(-1, 2))
def test_rounded_year_is_told_only_where_later_plans_are_surely_enough(policy, later, moved):
    # Beside 150 within the months: the true count of later plans, and what may be printed of all of them: under
    # rounding to the nearest the nearest multiple, under rounding that adds up one of the two multiples around it or,
    # rarely, one further.
    ever = 150 + later
    if policy.threshold > 1:
        shown = nearest(ever, policy.round)
    else:
        shown = ever if ever % policy.round == 0 else policy.round * (ever // policy.round + moved)
    found = within_to_tell(year(150), year(shown), policy)
    if later < max(policy.threshold, policy.round):
        assert found.is_empty()
    if later >= 50:
        assert found.height == 1


def test_years_to_tell_keep_their_columns_and_are_sorted():
    within = pl.concat([year(50, time_period="2008"), year(40, time_period="2007")]).with_columns(lower=pl.lit(0.1))
    ever = pl.concat([year(70, time_period="2007"), year(90, time_period="2008")])
    found = within_to_tell(within, ever, Policy.dfe())
    assert_frame_equal(found, within.sort("time_period"))


@pytest.mark.parametrize("twice", ["within", "ever"])
def test_table_with_a_year_twice_is_refused(twice):
    tables = {"within": year(50), "ever": year(70)}
    tables[twice] = pl.concat([tables[twice]] * 2)
    with pytest.raises(ParameterError, match=f"{twice}: a time_period stands twice"):
        within_to_tell(**tables, policy=Policy.dfe())


def many(repeats, later, firsts, *, start=date(2007, 6, 1)):
    """Plans of one year: second plans three months, and two years, after the first; and first plans."""
    rows = []
    for n in range(repeats + later):
        ended = date(2007, 3, 1) if n < repeats else date(2005, 6, 1)
        rows += [plan(f"h{n}", f"c{n}", date(2004, 6, 1), ended), plan(f"s{n}", f"c{n}", start, None, 1)]
    return table(*rows, *(plan(f"f{n}", f"x{n}", start) for n in range(firsts)))


@pytest.mark.parametrize(("later", "told"), [(4, 0), (6, 1), (0, 1)])
def test_suppressed_tables_of_one_register_do_not_tell_of_few_later_plans(later, told):
    found = register(many(20, later, 70))
    ever, within = repeat_plans(found), repeat_plans(found, within_months=12)
    assert ever.filter(time_period="2008")["numerator"].item() == 20 + later
    assert within.filter(time_period="2008")["numerator"].item() == 20
    shown = suppress(ever, Policy.dfe()).frame()
    assert within_to_tell(within, shown, Policy.dfe()).filter(time_period="2008").height == told


def people(*rows, district=False):
    """Mid-year, children, authority, district."""
    columns = {"mid_year": pl.String, "children": pl.Int64, "authority": pl.String, "district": pl.String}
    frame = pl.DataFrame(list(rows), schema=columns, orient="row")
    return frame if district else frame.drop("district")


COUNTS = [
    ("2006", "open at the end", 2),
    ("2007", "ended", 2),
    ("2007", "open at the end", 3),
    ("2007", "started", 3),
    ("2008", "ended", 2),
    ("2008", "open at the end", 4),
    ("2008", "started", 3),
]
FLOW = ("time_period", "flow", "count")


def test_rates_take_the_mid_year_before_and_add_the_stock_before_the_first_year():
    # 2 ÷ 19,000, 3 ÷ 20,000 and 4 ÷ 25,000, each × 10,000.
    population = people(("2005", 19_000, "Kent", None), ("2006", 20_000, "Kent", None), ("2007", 25_000, "Kent", None))
    found = register_rates(register(), population)
    assert found.select(FLOW).rows() == COUNTS
    stock = found.filter(flow="open at the end")
    assert stock["population"].to_list() == [19_000, 20_000, 25_000]
    assert stock["rate"].to_list() == pytest.approx([2 / 1.9, 1.5, 1.6])
    assert found.columns == [*FLOW, "population", "rate", "lower", "upper"]


def test_empty_population_gives_counts_without_rates():
    for district in (False, True):
        found = register_rates(register(), people(district=district))
        assert found.select(FLOW).rows() == COUNTS
        assert found["rate"].null_count() == found["population"].null_count() == found["upper"].null_count() == 7


def test_mid_year_that_is_missing_leaves_its_year_without_a_rate():
    found = register_rates(register(), people(("2007", 25_000, "Kent", None)))
    assert found.select(FLOW).rows() == COUNTS
    assert found.filter(pl.col("rate").is_not_null())["time_period"].unique().to_list() == ["2008"]


def test_rows_of_districts_and_other_authorities_are_not_used():
    population = people(
        ("2007", 25_000, "Kent", None),
        ("2007", 9_000, "Kent", "Thanet"),
        ("2007", 60_000, "Medway", None),
        district=True,
    )
    found = register_rates(register(), population)
    assert found["population"].drop_nulls().unique().to_list() == [25_000]


def test_plans_of_one_district_are_set_beside_its_own_children():
    rows = ("2007", 25_000, "Kent", None), ("2007", 9_000, "Kent", "Thanet"), ("2007", 8_000, "Kent", "Swale")
    thanet = replace(register(), area="district=Thanet")
    of_thanet = register_rates(thanet, people(*rows, district=True))
    assert of_thanet["population"].drop_nulls().unique().to_list() == [9_000]
    authority = replace(register(), area="authority=Kent")
    assert register_rates(authority, people(*rows, district=True))["population"].drop_nulls().unique().item() == 25_000


@pytest.mark.parametrize("name", ["KENT", "kent", " Kent "])
def test_authority_is_found_in_another_case(name):
    found = register_rates(register(), people(("2007", 25_000, name, None)))
    assert found.filter(time_period="2008")["population"].to_list() == [25_000] * 3


def test_population_of_other_authorities_alone_is_refused_with_the_nearest_name():
    population = people(("2007", 25_000, "Kemt", None), ("2007", 60_000, "Medway", None))
    message = r'"Kent", which the plans are of\. Found: Kemt, Medway\. Did you mean "Kemt"\?'
    with pytest.raises(TableError, match=message):
        register_rates(register(), population)


def test_population_of_districts_alone_is_refused():
    population = people(("2007", 9_000, "Kent", "Thanet"), ("2007", 8_000, "Kent", "Swale"), district=True)
    with pytest.raises(TableError, match=r'population: of 2 rows of "Kent" every one is of a district'):
        register_rates(register(), population)


def test_population_that_stands_twice_is_refused():
    with pytest.raises(TableError, match="2 of 2 rows share mid_year"):
        register_rates(register(), people(("2007", 25_000, "Kent", None), ("2007", 25_100, "KENT", None)))


def test_return_of_six_months_has_no_rates_and_no_long_plans():
    half = register(HALF_YEAR, SIX_MONTHS)
    population = people(("2024", 300_000, "Kent", None))
    rates = register_rates(half, population)
    assert rates.is_empty()
    assert rates.schema == register_rates(register(), people(("2007", 1, "Kent", None))).schema
    assert long_lasting_plans(half).is_empty()
    assert long_lasting_plans(half).schema == long_lasting_plans(register()).schema


def test_open_plans_are_counted_by_category_of_each_last_day():
    # 31 March 2007: p2 EMO, p3 NEG, p5 without. 2008: p3 NEG, p5 without, p6 PHY, p8 NEG; p7 ended that day.
    found = open_by_category(register())
    assert found.columns == ["time_period", "flow", "category", "count"]
    assert set(found["flow"]) == {"open at the end"}
    assert found.filter(pl.col("count") > 0).drop("flow").rows() == [
        ("2007", "Emotional abuse", 1),
        ("2007", "Neglect", 1),
        ("2007", "Total", 3),
        ("2007", "not recorded", 1),
        ("2008", "Neglect", 2),
        ("2008", "Physical abuse", 1),
        ("2008", "Total", 4),
        ("2008", "not recorded", 1),
    ]
    assert found.filter(time_period="2008", category="Sexual abuse")["count"].to_list() == [0]


def test_the_latest_category_goes_before_the_initial_one():
    latest = PLANS.with_columns(latest_category=pl.when(pl.col("plan") == "p3").then(pl.lit("MUL")))
    found = open_by_category(register(latest)).filter(pl.col("count") > 0, time_period="2008")
    assert found.select("category", "count").rows() == [
        ("Multiple", 1),
        ("Neglect", 1),
        ("Physical abuse", 1),
        ("Total", 4),
        ("not recorded", 1),
    ]


def test_register_without_categories_has_those_of_none():
    for plans in (PLANS.drop("category"), PLANS.with_columns(category=pl.lit(None, pl.String))):
        found = open_by_category(register(plans)).filter(pl.col("count") > 0, time_period="2008")
        assert found.select("category", "count").rows() == [("Total", 4), ("not recorded", 4)]


def test_return_of_six_months_counts_the_categories_of_its_last_day():
    found = open_by_category(register(HALF_YEAR, SIX_MONTHS)).filter(pl.col("count") > 0).drop("flow")
    assert found.rows() == [
        (SIX_MONTHS_IN_WORDS, "Emotional abuse", 1),
        (SIX_MONTHS_IN_WORDS, "Neglect", 2),
        (SIX_MONTHS_IN_WORDS, "Total", 3),
    ]


def test_plans_of_two_years_last_more_than_729_days():
    # p1: 1 April 2004 to 1 May 2006, ended in 2007. p2: 1 September 2005 to 1 September 2007 is 731 days, both counted.
    found = long_lasting_plans(register())
    assert found.select("time_period", "measure", "numerator", "denominator").rows() == [
        ("2007", "ended in the year", 1, 2),
        ("2007", "open at 31 March", 0, 3),
        ("2008", "ended in the year", 1, 2),
        ("2008", "open at 31 March", 0, 4),
    ]


def ends(again, others, **columns):
    """Plans that all ended on 2 May 2007; some children have another plan 100 days later."""
    end = date(2007, 5, 2)
    rows = [plan(f"p{n}", f"c{n}", date(2006, 5, 1), end) for n in range(again + others)]
    rows += [plan(f"s{n}", f"c{n}", date(2007, 8, 10), None, 1) for n in range(again)]
    return table(*rows).with_columns(**columns)


LONG_AFTER = RegisterDays(date(2006, 4, 1), date(2010, 3, 31))


def test_next_plans_of_a_register_followed_to_the_end():
    # Nobody is lost sight of within 24 months: 8 of 20 ends are shares of 0.4, whichever way.
    found, why = next_plans_of(register(ends(8, 12), LONG_AFTER), Policy.dfe())
    assert why == ""
    assert found["event"].unique().to_list() == ["second or subsequent plan"]
    assert found.filter(months=12).select("n", "estimate").row(0) == (12, 0.4)


def test_deaths_and_moves_count_only_where_one_is_recorded():
    moved = pl.when(pl.col("plan").is_in([f"p{n}" for n in range(16, 28)])).then(date(2007, 6, 1))
    left = ends(16, 24, death_date=pl.lit(None, pl.Date), moved_date=moved)
    found, _ = next_plans_of(register(left, LONG_AFTER), Policy.dfe())
    by_a_year = dict(found.filter(months=12).select("event", "estimate").iter_rows())
    # 12 of 40 moved after 30 days: 0.3; 16 of 40 came back: 0.4, or 16 of the 28 who stayed: 0.571.
    assert by_a_year == {
        "died or moved away": 0.3,
        "second or subsequent plan": 0.4,
        "second or subsequent plan if nobody had died or moved away": 0.571,
    }
    unknown = ends(16, 24, death_date=pl.lit(None, pl.Date), moved_date=pl.lit(None, pl.Date))
    found, _ = next_plans_of(register(unknown, LONG_AFTER), Policy.dfe())
    assert found["event"].unique().to_list() == ["second or subsequent plan"]


def test_too_few_ends_are_said_to_be_too_few():
    found, why = next_plans_of(register(ends(2, 3), LONG_AFTER), Policy.dfe())
    assert found.is_empty()
    assert why == "Fewer than 10 plans ended in this time, too few to say when the next one starts."


def test_policy_that_rounds_does_not_tell_numbers_below_its_base():
    # Four came back: a share of 0.2 of 20 would say so to the unit, which a count rounded to 5 does not.
    four = register(ends(4, 16), LONG_AFTER)
    five = register(ends(5, 15), LONG_AFTER)
    assert next_plans_of(four, Policy(threshold=1))[0]["estimate"].max() == 0.2
    assert next_plans_of(four, Policy.round5())[0]["estimate"].max() == 0  # of the first 3 months
    assert next_plans_of(five, Policy.round5())[0]["estimate"].max() == 0.25


def test_synthetic_register_agrees_with_plain_counting():
    with DEMO.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    for row in rows:
        row["start"] = date.fromisoformat(row["start_date"])
        row["end"] = date.fromisoformat(row["end_date"]) if row["end_date"] else None
    plans = pl.read_csv(DEMO, comment_prefix="#", try_parse_dates=True, infer_schema_length=None)
    found = register(plans, RegisterDays(date(2004, 4, 1), date(2008, 3, 31)))
    earliest = {}
    for row in sorted(rows, key=lambda each: (each["start"], each["plan"])):
        earliest.setdefault(row["child"], row["plan"])

    def starts(of):
        return [row for row in rows if date(of - 1, 4, 1) <= row["start"] <= date(of, 3, 31)]

    def is_open(row, day):
        return row["start"] <= day and (row["end"] is None or row["end"] > day)

    expected = []
    for of in (2005, 2006, 2007, 2008):
        counted = [row for row in starts(of) if row["previous_plans"]]
        again = [row for row in counted if int(row["previous_plans"]) or earliest[row["child"]] != row["plan"]]
        expected.append((str(of), len(again), len(counted)))
    assert repeat_plans(found).select("time_period", "numerator", "denominator").rows() == expected
    flows = register_rates(found, people()).select(FLOW).rows()
    assert {(of, count) for of, flow, count in flows if flow == "open at the end"} == {
        (str(of), sum(is_open(row, date(of, 3, 31)) for row in rows)) for of in range(2004, 2009)
    }
    assert {(of, count) for of, flow, count in flows if flow == "started"} == {
        (str(of), len(starts(of))) for of in range(2005, 2009)
    }
