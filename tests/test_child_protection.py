"""Second or subsequent plans, against arithmetic written out and a plain-Python count."""

from datetime import date, timedelta
from functools import cache
from itertools import product

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import plain_plans as plain
from plain_plans import months_before
from safeguarding_analytics.child_protection import repeat_plan_rate
from safeguarding_analytics.errors import ParameterError, TableError

SCHEMA = {
    "plan": pl.String,
    "child": pl.String,
    "district": pl.String,
    "start_date": pl.Date,
    "end_date": pl.Date,
    "previous_plans": pl.Int64,
}
ALL_COLUMNS = SCHEMA | {"authority": pl.String, "category": pl.String, "birth_date": pl.Date, "family": pl.String}
COUNTS = ["numerator", "denominator"]
SHARES = ["proportion", "lower", "upper"]
CLUSTERED = ["lower_clustered", "upper_clustered"]


def plan_rows(*rows):
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def as_duckdb(plans, connection):
    return connection.from_arrow(plans.to_arrow())


def test_kent_2007_08_second_or_subsequent_share_and_interval():
    # Kent report 2007/08: 920 plans, 19.2%; only 177 of 920 rounds to it. Wilson 16.822-21.912%: PHEindicatormethods,
    # in ../shared/data/intervals/oracle_wilson_edge.csv.
    plans = plan_rows(*((f"p{n}", f"c{n}", None, date(2007, 4, 1), None, int(n < 177)) for n in range(920)))
    expected = pl.DataFrame(
        {
            "time_period": ["2008"],
            "numerator": [177],
            "denominator": [920],
            "proportion": [177 / 920],
            "lower": [0.16822],
            "upper": [0.21912],
        }
    )
    assert_frame_equal(repeat_plan_rate(plans, cluster=None), expected, abs_tol=5e-6)


def test_plans_are_counted_not_children():
    # One child, three plans in a year: the second and the third are repeats, although their counts are wrongly 0.
    plans = plan_rows(
        ("p1", "a", None, date(2012, 4, 1), date(2012, 5, 1), 0),
        ("p2", "a", None, date(2012, 6, 1), date(2012, 7, 1), 0),
        ("p3", "a", None, date(2012, 8, 1), None, 0),
    )
    assert repeat_plan_rate(plans).select("time_period", *COUNTS).rows() == [("2013", 2, 3)]


def test_year_ends_on_31_march():
    plans = plan_rows(
        ("p1", "a", None, date(2013, 3, 31), None, 0),
        ("p2", "b", None, date(2013, 4, 1), None, 1),
    )
    assert repeat_plan_rate(plans).select("time_period", *COUNTS).rows() == [("2013", 0, 1), ("2014", 1, 1)]


def test_earlier_plan_outside_the_group_makes_a_repeat():
    plans = plan_rows(
        ("p1", "a", "Dover", date(2001, 4, 1), date(2001, 5, 1), 0),
        ("p2", "a", "Swale", date(2013, 4, 1), None, 0),
    )
    assert repeat_plan_rate(plans, "district").select("district", *COUNTS).rows() == [("Dover", 0, 1), ("Swale", 1, 1)]


@pytest.mark.parametrize("within_months", [None, 12])
def test_earlier_plan_of_another_authority_makes_no_repeat(within_months):
    # Child a of Medway is not child a of Kent; Kent's second plan of its own child b is the one repeat.
    plans = plan_rows(
        ("p1", "a", None, date(2013, 4, 1), date(2013, 5, 1), 0),
        ("p2", "a", None, date(2013, 6, 1), None, 0),
        ("p3", "b", None, date(2013, 4, 1), date(2013, 5, 1), 0),
        ("p4", "b", None, date(2013, 6, 1), None, 1),
    )
    both = plans.with_columns(authority=pl.Series(["Medway", "Kent", "Kent", "Kent"]))
    for table in (both, both.lazy(), as_duckdb(both, duckdb.connect())):
        found = repeat_plan_rate(table, "authority", within_months).select("authority", *COUNTS)
        assert found.rows() == [("Kent", 1, 3), ("Medway", 0, 1)]
    assert repeat_plan_rate(plans, (), within_months).select(COUNTS).rows() == [
        (2, 4)
    ]  # of one authority, as it stands


def test_plan_without_an_authority_is_refused_where_there_is_such_a_column():
    plans = plan_rows(("p1", "a", None, date(2013, 4, 1), None, 0)).with_columns(authority=pl.lit(None, pl.String))
    with pytest.raises(TableError, match="1 of 1 rows have no authority"):
        repeat_plan_rate(plans)


def test_of_two_plans_on_one_day_the_second_identifier_is_the_repeat():
    plans = plan_rows(
        ("p2", "a", "second", date(2013, 4, 1), None, 0),
        ("p1", "a", "first", date(2013, 4, 1), None, 0),
    )
    assert repeat_plan_rate(plans, "district").select("district", *COUNTS).rows() == [("first", 0, 1), ("second", 1, 1)]


def test_unknown_previous_plans_leave_numerator_and_denominator():
    plans = plan_rows(
        ("p1", "a", None, date(2013, 5, 1), None, 0),
        ("p2", "a", None, date(2013, 6, 1), None, None),
        ("p3", "b", None, date(2013, 7, 1), None, 3),
    )
    assert repeat_plan_rate(plans).select("time_period", *COUNTS).rows() == [("2014", 1, 2)]


def test_group_without_a_countable_plan_has_null_share():
    plans = plan_rows(("p1", "a", None, date(2013, 5, 1), None, None))
    expected = pl.DataFrame(
        {
            "time_period": ["2014"],
            "numerator": [0],
            "denominator": [0],
            "proportion": [None],
            **{name: [None] for name in SHARES[1:] + CLUSTERED},
        },
        schema_overrides=dict.fromkeys(SHARES + CLUSTERED, pl.Float64),
    )
    assert_frame_equal(repeat_plan_rate(plans), expected)
    assert_frame_equal(repeat_plan_rate(plans, within_months=12), expected)


@pytest.mark.parametrize("within_months", [None, 12])
def test_empty_table_gives_an_empty_result(within_months):
    expected = pl.DataFrame(
        schema={
            "time_period": pl.String,
            "numerator": pl.Int64,
            "denominator": pl.Int64,
            **dict.fromkeys(SHARES + CLUSTERED, pl.Float64),
        }
    )
    assert_frame_equal(repeat_plan_rate(plan_rows(), within_months=within_months), expected)
    with duckdb.connect() as connection:
        found = repeat_plan_rate(as_duckdb(plan_rows(), connection), within_months=within_months)
    assert_frame_equal(found, expected)


def test_no_group_column_gives_one_row_overall():
    plans = plan_rows(("p1", "a", None, date(2013, 5, 1), None, 0), ("p2", "b", None, date(2015, 5, 1), None, 1))
    assert repeat_plan_rate(plans, ()).select(COUNTS).rows() == [(1, 2)]
    with duckdb.connect() as connection:
        assert repeat_plan_rate(as_duckdb(plan_rows(), connection), ()).select(COUNTS).rows() == [(0, 0)]


def test_column_time_period_of_the_table_is_not_used():
    plans = plan_rows(("p1", "a", None, date(2013, 5, 1), None, 0)).with_columns(time_period=pl.lit("1999"))
    assert repeat_plan_rate(plans)["time_period"].to_list() == ["2014"]


def test_unknown_district_is_a_group_of_its_own():
    plans = plan_rows(("p1", "a", None, date(2013, 5, 1), None, 0), ("p2", "b", "Dover", date(2013, 5, 1), None, 1))
    assert repeat_plan_rate(plans, "district").select("district", *COUNTS).rows() == [(None, 0, 1), ("Dover", 1, 1)]


def test_totals_add_up_the_groups():
    plans = plan_rows(
        ("p1", "a", "Dover", date(2013, 5, 1), None, 0),
        ("p2", "b", "Dover", date(2014, 5, 1), None, 1),
        ("p3", "c", "Swale", date(2014, 5, 1), None, 0),
    )
    found = repeat_plan_rate(plans, ("district", "time_period"), totals=True)
    assert found.select("district", "time_period", *COUNTS).rows() == [
        ("Dover", "2014", 0, 1),
        ("Dover", "2015", 1, 1),
        ("Dover", "Total", 1, 2),
        ("Swale", "2015", 0, 1),
        ("Swale", "Total", 0, 1),
        ("Total", "2014", 0, 1),
        ("Total", "2015", 1, 2),
        ("Total", "Total", 1, 3),
    ]
    assert found["proportion"].to_list() == [0.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.5, 1 / 3]


@pytest.mark.parametrize(
    ("end", "start", "months", "counts"),
    [
        (date(2012, 2, 28), date(2012, 8, 31), 6, False),  # six months before 31 August 2012 is 29 February
        (date(2012, 2, 29), date(2012, 8, 31), 6, True),
        (date(2012, 3, 1), date(2012, 8, 31), 6, True),
        (date(2011, 2, 27), date(2012, 2, 29), 12, False),  # a year before 29 February 2012 is 28 February 2011
        (date(2011, 2, 28), date(2012, 2, 29), 12, True),
        (date(2012, 2, 28), date(2013, 2, 28), 12, True),  # the 28th has a day of its own in a leap year
        (date(2012, 2, 27), date(2013, 2, 28), 12, False),
        (date(2012, 4, 29), date(2012, 5, 30), 1, False),  # 30 April
        (date(2012, 4, 30), date(2012, 5, 31), 1, True),
        (date(2012, 12, 31), date(2013, 1, 31), 1, True),  # over the turn of the year
        (date(2012, 12, 30), date(2013, 1, 31), 1, False),
        (date(1900, 2, 27), date(1901, 2, 28), 12, False),  # 1900 was no leap year, 2000 was
        (date(1900, 2, 28), date(1900, 8, 31), 6, True),
        (date(2000, 2, 28), date(2000, 8, 31), 6, False),
        (date(2010, 5, 1), date(2012, 5, 1), 24, True),
        (date(2010, 4, 30), date(2012, 5, 1), 24, False),
        (date(2013, 9, 1), date(2012, 5, 1), 1, True),  # overlaps
        (None, date(2012, 5, 1), 1, True),  # still open
    ],
)
def test_within_months_counts_back_in_calendar_months(end, start, months, counts):
    plans = plan_rows(("p1", "a", "then", date(1899, 1, 1), end, 0), ("p2", "a", "now", start, None, 1))
    found = repeat_plan_rate(plans, "district", months)
    assert found.select("district", *COUNTS).rows() == [("now", int(counts), 1), ("then", 0, 1)]
    with duckdb.connect() as connection:
        assert_frame_equal(repeat_plan_rate(as_duckdb(plans, connection), "district", months), found)


def test_every_day_of_five_years_agrees_with_plain_month_arithmetic():
    start_days = [date(2011, 12, 1) + timedelta(n) for n in range(0, 1000, 7)]
    start_days += [date(2012, 2, 29), date(2013, 2, 28), date(2013, 3, 31), date(2012, 8, 31), date(2013, 1, 1)]
    pairs = [
        (start, months_before(start, months) + timedelta(shift), months, shift >= 0)
        for start, months, shift in product(dict.fromkeys(start_days), (1, 6, 11, 12, 24), (-1, 0, 1))
    ]
    for months in (1, 6, 11, 12, 24):
        chosen = [pair for pair in pairs if pair[2] == months]
        rows = []
        for number, (start, end, _, _) in enumerate(chosen):
            rows.append((f"a{number}", f"child{number}", "earlier", date(1990, 1, 1), end, None))
            rows.append((f"b{number}", f"child{number}", f"{number:05}", start, None, 1))
        found = repeat_plan_rate(plan_rows(*rows), "district", months).filter(pl.col("district") != "earlier")
        assert found["numerator"].to_list() == [int(counts) for _, _, _, counts in chosen]


def as_frame(rows):
    return pl.DataFrame(rows, schema=ALL_COLUMNS, orient="row")


# The same answers on every engine.

ASKED = {
    "ever, by year": (("time_period",), None, {"totals": True}),
    "ever, by month, without clusters": (("month", "district"), None, {"cluster": None}),
    "within 6 months, by quarter": (("quarter",), 6, {"cluster": "family"}),
    "within 12 months, by category and age": (("category", "age_band"), 12, {"totals": True, "cluster": "family"}),
    "within 24 months, by authority and year": (("authority", "time_period"), 24, {"totals": True}),
    "overall": ((), 12, {"totals": True, "confidence": 0.998}),
}
FROM_2009 = {"complete_from": date(2008, 12, 31), "complete_to": date(2013, 2, 28)}
OLDER = {
    "ever, of a part of the table": (("district", "time_period"), None, FROM_2009 | {"totals": True}),
    "within 6 months, of a part of the table": (("authority", "time_period"), 6, FROM_2009),
}
QUESTIONS = ASKED | OLDER


@cache
def plans_of(question):
    return tuple(plain.random_plans(20080331, 10_000, older=question in OLDER))


@cache
def expected(question):
    by, within_months, options = QUESTIONS[question]
    rows = plain.repeat_plans(plans_of(question), by, within_months, **options)
    ends = [] if options.get("cluster", "child") is None else CLUSTERED
    kinds = dict.fromkeys(by, pl.String) | dict.fromkeys(COUNTS, pl.Int64) | dict.fromkeys(SHARES + ends, pl.Float64)
    return pl.DataFrame(rows, schema=kinds, orient="row")


@pytest.fixture(scope="session", name="files")
def files_of_plans(tmp_path_factory):
    """The plans of a question as three Parquet files."""

    @cache
    def written(is_older):
        folder = tmp_path_factory.mktemp("plans")
        table = as_frame(plans_of(next(iter(OLDER if is_older else ASKED))))
        for part in range(3):
            table[part::3].write_parquet(folder / f"{part}.parquet")
        return sorted(folder.glob("*.parquet"))

    return lambda question: written(question in OLDER)


ENGINES = {
    "polars": pl.read_parquet,
    "polars, lazy": pl.scan_parquet,
    "DuckDB": lambda paths: duckdb.read_parquet([str(path) for path in paths]),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("question", QUESTIONS)
def test_ten_thousand_plans_are_what_plain_python_counts(files, question, engine):
    by, within_months, options = QUESTIONS[question]
    found = repeat_plan_rate(ENGINES[engine](files(question)), by, within_months, **options)
    assert_frame_equal(found, expected(question), abs_tol=1e-12)


@pytest.mark.parametrize("within_months", [None, 6, 24])
def test_arrow_tables_of_few_plans_agree_with_plain_python(within_months):
    for size in (1, 2, 40):
        rows = plain.random_plans(size, size)
        found = repeat_plan_rate(as_frame(rows).to_arrow(), ("district", "time_period"), within_months)
        wanted = plain.repeat_plans(rows, ("district", "time_period"), within_months)
        assert_frame_equal(found, pl.DataFrame(wanted, schema=found.schema, orient="row"), abs_tol=1e-12)


# The interval of children and families.


def test_clustered_interval_by_hand():
    # Children a and b have both their plans in the year, both second or later; c to j have one each, a first one.
    # p = 4/12, K = 10. Residuals x - p n: 2 - 2/3 = 4/3 twice, -1/3 eight times; their squares sum to 40/9.
    # V = 10/9 × 40/9 / 144 = 0.0342936; m = 2/9 / 0.0342936 = 6.48. Student's t, 9 degrees of freedom: 2.262157.
    # t²/m = 5.117355 / 6.48 = 0.789715; middle (1/3 + 0.394858) / 1.789715 = 0.406875;
    # half √(2/9 × 0.789715 + 0.394858²) / 1.789715 = √0.331405 / 1.789715 = 0.321659: 0.0852 to 0.7285.
    repeats = [(f"p{child}{n}", child, None, date(2013, 4, 1), None, 1) for child in "ab" for n in "12"]
    first = [(f"p{child}", child, None, date(2013, 4, 1), None, 0) for child in "cdefghij"]
    found = repeat_plan_rate(plan_rows(*repeats, *first))
    assert found.select(*COUNTS, *CLUSTERED).rows() == [(4, 12, 0.08, 0.73)]


def test_families_are_wider_than_children():
    # Twelve families of three children; the children of four families start a second plan, those of eight a first one.
    rows = [
        (f"p{family}{child}", f"{family}{child}", None, date(2013, 4, 1), None, int(family in "abcd"))
        for family, child in product("abcdefghijkl", "123")
    ]
    plans = plan_rows(*rows).with_columns(family=pl.col("child").str.head(1))
    children, families = repeat_plan_rate(plans), repeat_plan_rate(plans, cluster="family")
    # By child, 36 clusters of one: V = 36/35 p (1 - p) / n, so m = 35; Student's t, 35 degrees of freedom: 2.030108,
    # t²/m = 0.117753: (1/3 + 0.058876 ∓ √(2/9 × 0.117753 + 0.058876²)) / 1.117753 = 0.350892 ∓ 0.154010.
    # By family: residuals 3 - 1 four times, -1 eight times; V = 12/11 × 24 / 36² = 0.020202, m = 11; t, 11 degrees:
    # 2.200985, t²/m = 0.440394: (1/3 + 0.220197 ∓ √(2/9 × 0.440394 + 0.220197²)) / 1.440394 = 0.384291 ∓ 0.265594.
    assert children.select(CLUSTERED).rows() == [(0.19, 0.51)]
    assert families.select(CLUSTERED).rows() == [(0.11, 0.65)]
    assert children.select(*COUNTS, *SHARES).rows() == families.select(*COUNTS, *SHARES).rows()


def test_child_without_a_family_stands_alone():
    # A child whose family is unknown is not of the family that is called like the child.
    rows = [(f"p{n}", child, None, date(2013, 4, 1), None, n % 2) for n, child in enumerate("abcdefghij")]
    plans = plan_rows(*rows).with_columns(family=pl.Series([None, "a", *[None] * 8], dtype=pl.String))
    found = repeat_plan_rate(plans, cluster="family")
    assert found["upper_clustered"].null_count() == 0
    assert_frame_equal(found, repeat_plan_rate(plans))


@pytest.mark.parametrize(("previous_plans", "ends"), [(0, (0.0, 0.34)), (1, (0.66, 1.0))])
def test_where_all_plans_are_alike_each_family_counts_as_one_plan(previous_plans, ends):
    # Twenty children of ten families: no variance is seen, so m = K = 10. Student's t, 9 degrees of freedom: 2.262157,
    # t² = 5.117355. No repeats: 0 to t²/(10 + t²) = 0.338509; all repeats: 10/(10 + t²) = 0.661491 to 1.
    rows = [(f"p{n}", f"c{n}", None, date(2013, 4, 1), None, previous_plans) for n in range(20)]
    plans = plan_rows(*rows).with_columns(family=pl.Series([f"f{n % 10}" for n in range(20)]))
    assert repeat_plan_rate(plans, cluster="family").select(CLUSTERED).rows() == [ends]


def test_interval_is_never_narrower_than_the_plain_one():
    # Every child has one plan that is a repeat and one that is not: x - p n is 0 for all, and V is 0. Then m = n = 40;
    # Student's t, 19 degrees of freedom: 2.093024, t²/m = 0.109519: (0.5 + 0.054759 ∓ √(0.25 × 0.109519 + 0.054759²))
    # / 1.109519 = 0.5 ∓ 0.157090. The plain interval is 0.352 to 0.648.
    rows = [(f"p{n:02}", f"c{n % 20}", None, date(2013, 4, 1), None, 0) for n in range(40)]
    assert repeat_plan_rate(plan_rows(*rows)).select(*COUNTS, *CLUSTERED).rows() == [(20, 40, 0.34, 0.66)]


def test_few_children_have_no_clustered_interval_since_it_would_tell_how_many_they_are():
    nine = [(f"p{n}", f"c{n}", None, date(2013, 4, 1), None, n % 2) for n in range(9)]
    ten = [*nine, ("p9", "c9", None, date(2013, 4, 1), None, 1)]
    assert repeat_plan_rate(plan_rows(*nine)).select(*COUNTS, *CLUSTERED).rows() == [(4, 9, None, None)]
    assert repeat_plan_rate(plan_rows(*ten))["upper_clustered"].null_count() == 0


def test_from_100_plans_on_the_ends_have_three_decimals():
    # 100 children, 20 of them repeats: m = 99; Student's t, 99 degrees of freedom: 1.984217, t²/m = 0.039769:
    # (0.2 + 0.019885 ∓ √(0.16 × 0.039769 + 0.019885²)) / 1.039769 = 0.211475 ∓ 0.079072.
    rows = [(f"p{n:03}", f"c{n:03}", None, date(2013, 4, 1), None, int(n < 20)) for n in range(100)]
    assert repeat_plan_rate(plan_rows(*rows)).select(CLUSTERED).rows() == [(0.132, 0.291)]


def test_one_child_has_no_clustered_interval():
    plans = plan_rows(
        ("p1", "a", None, date(2013, 4, 1), date(2013, 5, 1), 0), ("p2", "a", None, date(2013, 6, 1), None, 1)
    )
    assert repeat_plan_rate(plans).select(*COUNTS, *CLUSTERED).rows() == [(1, 2, None, None)]


def test_child_in_two_groups_is_one_child_in_their_total():
    # Twelve children, each with a plan in each of two years; a had earlier ones, the others are repeats in the second.
    rows = [
        (f"p{year}{child}", child, None, date(year, 4, 1), date(year, 5, 1), int(child == "a" or year == 2014))
        for year, child in product((2013, 2014), "abcdefghijkl")
    ]
    total = repeat_plan_rate(plan_rows(*rows), totals=True).filter(time_period="Total")
    overall = repeat_plan_rate(plan_rows(*rows), ())
    assert total.select(*COUNTS, *CLUSTERED).rows() == overall.select(*COUNTS, *CLUSTERED).rows()


def test_child_of_two_authorities_is_two_children_in_their_total():
    rows = [(f"p{n}", "ab"[n % 2], None, date(2013, 4, 1), None, int(n < 3)) for n in range(4)]
    plans = plan_rows(*rows).with_columns(authority=pl.Series(["Kent", "Kent", "Medway", "Medway"]))
    apart = plan_rows(*rows).with_columns(child="plan")
    total = repeat_plan_rate(plans, "authority", totals=True).filter(authority="Total")
    assert total.select(CLUSTERED).rows() == repeat_plan_rate(apart, ()).select(CLUSTERED).rows()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 30), within_months=st.sampled_from([None, 1, 12, 36]))
def test_laws_of_the_share(seed, size, within_months):
    plans = as_frame(plain.random_plans(seed, size))
    found = repeat_plan_rate(plans, (), within_months)
    ever = repeat_plan_rate(plans, ())
    row = found.row(0, named=True)
    assert_frame_equal(repeat_plan_rate(plans.reverse(), (), within_months), found)
    renamed = plans.with_columns("other" + pl.col("child"))
    assert_frame_equal(repeat_plan_rate(renamed, (), within_months), found)
    assert found["numerator"][0] <= ever["numerator"][0]
    assert found["denominator"][0] == ever["denominator"][0]
    if row["denominator"]:
        assert 0 <= row["lower"] <= row["proportion"] <= row["upper"] <= 1
        if row["lower_clustered"] is not None:
            assert 0 <= row["lower_clustered"] <= row["lower"] <= row["upper"] <= row["upper_clustered"] <= 1


# What the table is complete for.


def test_counts_of_previous_plans_alone_cannot_say_how_long_ago():
    plans = plan_rows(
        ("p1", "a", None, date(2013, 5, 1), None, 2),
        ("p2", "b", None, date(2013, 5, 1), None, 0),
        ("p3", "c", None, date(2013, 5, 1), None, None),
    )
    said = (
        "within_months: 1 of 2 plans had earlier plans (previous_plans above 0) that are not all in the table, so it "
        "is not known how long ago the last of them ended. Give the earlier plans too, say in complete_from from which "
        "day on the table holds every plan, or leave within_months out."
    )
    with pytest.raises(ParameterError) as raised:
        repeat_plan_rate(plans, within_months=12)
    assert str(raised.value) == said
    assert repeat_plan_rate(plans)["numerator"].to_list() == [1]


def test_some_of_the_earlier_plans_do_not_say_when_the_last_one_ended():
    # The second of three plans is missing: it may have ended the day before the third one started.
    plans = plan_rows(
        ("p1", "a", None, date(2007, 5, 1), date(2008, 5, 1), 0),
        ("p3", "a", None, date(2013, 5, 1), None, 2),
    )
    with pytest.raises(ParameterError, match=r"1 of 2 plans had earlier plans .* not all in the table"):
        repeat_plan_rate(plans, within_months=12)


@pytest.mark.parametrize("within_months", [1, 6, 24])
def test_from_complete_from_on_older_plans_change_nothing(within_months):
    # What had ended before the table is complete from may be missing, and the shares are those of the whole history.
    rows, start = plain.random_plans(5, 2_000), date(2009, 8, 31)
    still_there = [row for row in rows if row["end_date"] is None or row["end_date"] >= start]
    assert len(still_there) < len(rows)
    by = ("authority", "quarter")
    wanted = repeat_plan_rate(as_frame(rows), by, within_months, complete_from=start)
    assert_frame_equal(repeat_plan_rate(as_frame(still_there), by, within_months, complete_from=start), wanted)


@pytest.mark.parametrize(
    ("complete_from", "start", "months", "counts"),
    [
        (date(2012, 4, 1), date(2012, 3, 31), None, 0),
        (date(2012, 4, 1), date(2012, 4, 1), None, 1),
        (date(2012, 4, 1), date(2014, 3, 31), 24, 0),
        (date(2012, 4, 1), date(2014, 4, 1), 24, 1),
        (date(2012, 8, 31), date(2013, 2, 28), 6, 0),  # six months before is 28 August
        (date(2012, 8, 31), date(2013, 3, 1), 6, 1),
        (date(2012, 2, 29), date(2013, 2, 28), 12, 0),  # a year before is 28 February 2012
        (date(2012, 2, 29), date(2013, 3, 1), 12, 1),
    ],
)
def test_plans_are_counted_from_so_many_months_after_the_table_is_complete(complete_from, start, months, counts):
    plans = plan_rows(("p1", "a", None, start, None, 0))
    found = repeat_plan_rate(plans, (), months, complete_from=complete_from)
    assert found["denominator"].to_list() == [counts]
    assert repeat_plan_rate(plans, "district", months, complete_from=complete_from).height == counts


def test_plans_after_the_day_of_the_extract_are_not_counted():
    plans = plan_rows(("p1", "a", None, date(2013, 4, 1), None, 0), ("p2", "b", None, date(2013, 4, 2), None, 1))
    assert repeat_plan_rate(plans, complete_to=date(2013, 4, 1)).select(COUNTS).rows() == [(0, 1)]


def test_plans_before_the_table_is_complete_are_history():
    plans = plan_rows(
        ("p1", "a", None, date(2011, 4, 1), date(2012, 3, 30), 0),
        ("p2", "a", None, date(2013, 4, 1), None, 0),
    )
    assert repeat_plan_rate(plans, complete_from=date(2012, 4, 1)).select(COUNTS).rows() == [(1, 1)]


def test_a_period_that_ends_before_it_starts_is_refused():
    with pytest.raises(ParameterError, match="complete_from, 2013-04-02, is later than complete_to, 2013-04-01"):
        repeat_plan_rate(plan_rows(), complete_from=date(2013, 4, 2), complete_to=date(2013, 4, 1))


# Groups that are worked out.


def test_quarter_month_and_age_are_those_of_the_day_the_plan_started():
    plans = plan_rows(
        ("p1", "a", None, date(2013, 3, 31), None, 0),
        ("p2", "b", None, date(2013, 4, 1), None, 1),
        ("p3", "c", None, date(2013, 4, 1), None, 1),
    ).with_columns(birth_date=pl.Series([date(2013, 4, 1), date(2008, 4, 1), None]))
    found = repeat_plan_rate(plans, ("quarter", "month", "age_band"))
    assert found.select("quarter", "month", "age_band", *COUNTS).rows() == [
        ("2013-01 to 2013-03", "2013-03", "Unborn", 0, 1),
        ("2013-04 to 2013-06", "2013-04", None, 1, 1),
        ("2013-04 to 2013-06", "2013-04", "5 to 9", 1, 1),
    ]


def test_age_band_needs_a_date_of_birth():
    plans = plan_rows(("p1", "a", None, date(2013, 3, 31), None, 0))
    with pytest.raises(ParameterError, match='"age_band" is worked out of birth_date, which is no column of plans'):
        repeat_plan_rate(plans, "age_band")
    with pytest.raises(TableError, match=r"birth_date must hold dates\. Found: String"):
        repeat_plan_rate(plans.with_columns(birth_date=pl.lit("2010")), "age_band")


# What is refused.


@pytest.mark.parametrize("cluster", ["family", "sibling"])
def test_clusters_that_are_not_there_are_refused(cluster):
    said = {"family": "needs the column family, which plans lacks", "sibling": 'must be "child", "family" or None'}
    with pytest.raises(ParameterError, match=said[cluster]):
        repeat_plan_rate(plan_rows(), cluster=cluster)


def test_all_that_is_wrong_with_rows_is_said_at_once_and_no_value():
    plans = plan_rows(
        ("p1", "UNKNOWN", None, date(2013, 5, 1), None, 0),
        ("p2", None, None, None, None, 0),
        (None, "secret", None, date(2013, 5, 1), None, 0),
    ).with_columns(family=pl.lit("n/k"))
    said = (
        "plans: 1 of 3 rows have no child; 1 of 3 rows have no plan; 1 of 3 rows have no start_date; 1 of 3 rows have "
        'a placeholder such as "unknown" for child. Complete them, or leave these rows out and say so.'
    )
    for table in (plans, as_duckdb(plans, duckdb.connect())):
        with pytest.raises(TableError) as raised:
            repeat_plan_rate(table)
        assert str(raised.value) == said
    with pytest.raises(TableError, match='3 of 3 rows have a placeholder such as "unknown" for family'):
        repeat_plan_rate(plans, cluster="family")


def test_identifier_that_stands_for_many_children_is_refused_without_its_name():
    rows = [(f"p{n}", "secret", None, date(2013, 5, 1), None, 0) for n in range(101)]
    assert repeat_plan_rate(plan_rows(*rows[:100])).select(COUNTS).rows() == [(99, 100)]
    with pytest.raises(TableError, match="one child has 101 plans, and no child has more than 100") as raised:
        repeat_plan_rate(plan_rows(*rows))
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("within_months", [0, -1])
def test_less_than_one_month_is_refused(within_months):
    with pytest.raises(ParameterError, match="within_months must be 1 or more"):
        repeat_plan_rate(plan_rows(), within_months=within_months)


@pytest.mark.parametrize("column", ["plan", "child", "start_date"])
def test_empty_cell_is_counted_and_no_value_is_printed(column):
    plans = plan_rows(("p1", "child-secret", None, date(2013, 5, 1), None, 0)).with_columns(
        pl.lit(None, SCHEMA[column]).alias(column)
    )
    with pytest.raises(TableError, match=rf"1 of 1 rows have no {column}") as raised:
        repeat_plan_rate(plans)
    assert "secret" not in str(raised.value)


def test_plan_that_stands_twice_is_refused_without_its_name():
    plans = plan_rows(*[("secret", "a", None, date(2013, 5, 1), None, 0)] * 2)
    with pytest.raises(TableError, match="2 rows stand for 1 different plans") as raised:
        repeat_plan_rate(plans)
    assert "secret" not in str(raised.value)


def test_missing_column_names_the_nearest():
    plans = plan_rows().rename({"previous_plans": "previous_plan"})
    with pytest.raises(TableError, match=r'column previous_plans missing.*Did you mean "previous_plan"'):
        repeat_plan_rate(plans)


def test_end_date_is_needed_only_within_months():
    plans = plan_rows(("p1", "a", None, date(2013, 5, 1), None, 0)).drop("end_date")
    assert repeat_plan_rate(plans).height == 1
    said = (
        "within_months: plans has no column end_date, and how many plans a child had before does not say how long ago "
        "they ended. Give the ends of the plans, or leave within_months out."
    )
    with pytest.raises(ParameterError) as raised:
        repeat_plan_rate(plans, within_months=12)
    assert str(raised.value) == said


@pytest.mark.parametrize(
    ("column", "kind", "message"),
    [
        ("start_date", pl.String, "start_date must hold dates. Found: String"),
        ("previous_plans", pl.String, "previous_plans must hold whole numbers. Found: String"),
    ],
)
def test_text_instead_of_dates_or_numbers_is_refused(column, kind, message):
    with pytest.raises(TableError, match=message):
        repeat_plan_rate(plan_rows().with_columns(pl.col(column).cast(kind)))


def test_dates_with_a_time_of_day_are_taken_as_days():
    plans = plan_rows(
        ("p1", "a", "then", date(2012, 1, 1), date(2012, 4, 30), 0), ("p2", "a", "now", date(2012, 5, 31), None, 1)
    )
    # 30 April 23:00 is within a month before 31 May, and 31 May 08:00 goes back to 30 April
    with_times = plans.with_columns(
        pl.col("start_date").cast(pl.Datetime) + pl.duration(hours=8),
        pl.col("end_date").cast(pl.Datetime) + pl.duration(hours=23),
    )
    found = repeat_plan_rate(with_times, "district", 1)
    assert found.select("district", *COUNTS).rows() == [("now", 1, 1), ("then", 0, 1)]


def test_unknown_group_column_is_refused():
    with pytest.raises(ParameterError, match=r'"distrct" is not a column of plans.*Did you mean "district"'):
        repeat_plan_rate(plan_rows(), "distrct")


@pytest.mark.parametrize("column", ["child", "plan"])
def test_grouping_by_an_identifier_is_refused(column):
    with pytest.raises(ParameterError, match="names people one by one"):
        repeat_plan_rate(plan_rows(), column)
