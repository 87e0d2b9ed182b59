"""Second or subsequent plans, against arithmetic written out and a plain-Python count."""

import random
from calendar import monthrange
from datetime import date, timedelta
from itertools import product

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics.child_protection import repeat_plan_rate, stock_and_flow
from safeguarding_analytics.errors import ParameterError, TableError

SCHEMA = {
    "plan": pl.String,
    "child": pl.String,
    "district": pl.String,
    "start_date": pl.Date,
    "end_date": pl.Date,
    "previous_plans": pl.Int64,
}
COUNTS = ["numerator", "denominator"]


def plan_rows(*rows):
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def as_duckdb(plans, connection):
    return connection.from_arrow(plans.to_arrow())


def months_before(day, months):
    number = day.year * 12 + day.month - 1 - months
    year, month = divmod(number, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def count_in_plain_python(rows, group, within_months=None):
    """Numerator and denominator by group, one plan at a time."""
    counts = {}
    for row in rows:
        counted = counts.setdefault(group(row), [0, 0])
        if row["previous_plans"] is None:
            continue
        earlier = [
            other
            for other in rows
            if other["child"] == row["child"]
            and (other["start_date"], other["plan"]) < (row["start_date"], row["plan"])
        ]
        if within_months is None:
            repeat = row["previous_plans"] > 0 or bool(earlier)
        else:
            since = months_before(row["start_date"], within_months)
            repeat = any(other["end_date"] is None or other["end_date"] >= since for other in earlier)
        counted[0] += repeat
        counted[1] += 1
    return sorted((*key, *counted) for key, counted in counts.items())


def reporting_year(row):
    return str(row["start_date"].year + (row["start_date"].month > 3))


def linked_plans(seed, size):
    """Plans of few children: ties on one day, overlaps, open ends, month ends, unknown previous plans."""
    chance = random.Random(seed)
    days = [date(2011, 2, 28), date(2012, 2, 29), date(2012, 8, 31), date(2013, 3, 31), date(2013, 4, 1)]
    rows, seen = [], set()
    for number in range(size):
        child = f"child{chance.randrange(max(size // 3, 1))}"
        start = chance.choice(days) if chance.random() < 0.5 else date(2010, 1, 1) + timedelta(chance.randrange(1500))
        end = None if chance.random() < 0.2 else chance.choice([start, start + timedelta(chance.randrange(700))])
        rows.append((f"plan{number:04}", child, chance.choice(["Dover", "Swale"]), start, end, child))
    rows.sort(key=lambda row: (row[3], row[0]))
    linked = []
    for row in rows:
        known = None if chance.random() < 0.1 else int(row[5] in seen)
        seen.add(row[5])
        linked.append((*row[:5], known))
    chance.shuffle(linked)
    return linked


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
    assert_frame_equal(repeat_plan_rate(plans), expected, abs_tol=5e-6)


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
            "lower": [None],
            "upper": [None],
        },
        schema_overrides=dict.fromkeys(["proportion", "lower", "upper"], pl.Float64),
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
            "proportion": pl.Float64,
            "lower": pl.Float64,
            "upper": pl.Float64,
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


@pytest.mark.parametrize("within_months", [None, 6, 24])
@pytest.mark.parametrize(("seed", "size"), [(1, 1), (2, 40), (3, 300)])
def test_all_engines_agree_with_plain_python(within_months, seed, size):
    rows = linked_plans(seed, size)
    plans = plan_rows(*rows)
    counted = count_in_plain_python(plans.to_dicts(), lambda row: (row["district"], reporting_year(row)), within_months)
    eager = repeat_plan_rate(plans, ("district", "time_period"), within_months)
    assert eager.select("district", "time_period", *COUNTS).rows() == counted
    assert_frame_equal(repeat_plan_rate(plans.lazy(), ("district", "time_period"), within_months), eager)
    assert_frame_equal(repeat_plan_rate(plans.to_arrow(), ("district", "time_period"), within_months), eager)
    with duckdb.connect() as connection:
        found = repeat_plan_rate(as_duckdb(plans, connection), ("district", "time_period"), within_months)
    assert_frame_equal(found, eager)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 30), within_months=st.sampled_from([None, 1, 12, 36]))
def test_laws_of_the_share(seed, size, within_months):
    plans = plan_rows(*linked_plans(seed, size))
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


def test_counts_of_previous_plans_alone_cannot_say_how_long_ago():
    plans = plan_rows(
        ("p1", "a", None, date(2013, 5, 1), None, 2),
        ("p2", "b", None, date(2013, 5, 1), None, 0),
        ("p3", "c", None, date(2013, 5, 1), None, None),
    )
    with pytest.raises(ParameterError, match=r"1 of 3 plans had a plan before .* leave within_months out"):
        repeat_plan_rate(plans, within_months=12)
    assert repeat_plan_rate(plans)["numerator"].to_list() == [1]


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
    with pytest.raises(TableError, match="end_date missing"):
        repeat_plan_rate(plans, within_months=12)


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


@pytest.mark.parametrize(("end", "gap"), [(960, -11), (971, 0), (972, 1)])
def test_stock_and_flow_gap_of_the_kent_register(end, gap):
    # 864 + 920 - 813 = 971 (Kent report 2007-08, which prints 960)
    assert stock_and_flow(864, 920, 813, end) == gap
