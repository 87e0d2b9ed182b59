"""What disclosure control says of input it cannot take, and that a `Safe` keeps nothing of what is hidden."""

from __future__ import annotations

import copy
import gc
import io
import operator
import pickle
import re
import struct
from datetime import date, datetime

import polars as pl
import pyarrow
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics.auditing import audit
from safeguarding_analytics.disclosure import suppress
from safeguarding_analytics.errors import DisclosureError, ParameterError, SafeguardingError, TableError
from safeguarding_analytics.inputs import check_rounding
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.repairs import repair
from safeguarding_analytics.safe import Safe, already_public
from safeguarding_analytics.shapes import MEAN_CHANGE
from safeguarding_analytics.tables import IDENTIFYING, TOTAL

POLICY = Policy.dfe()
CHILD_COLUMNS = sorted(IDENTIFYING)


def listed(count, dtype=None, **more):
    """A list of agencies with these counts."""
    return pl.DataFrame(
        {
            "agency": [f"A{number}" for number in range(1, len(count) + 1)],
            "count": pl.Series(count, dtype=dtype),
            **more,
        }
    )


def unmarked(table):
    return table.with_columns(mark=pl.lit(""))


def audited(table):
    return audit(unmarked(table))


def suppressed(table):
    return suppress(table, POLICY)


def declared_safe(table):
    return Safe(unmarked(table), POLICY)


def declared_public(table):
    return already_public(table, "DfE")


def message(door, *arguments, kind=DisclosureError, **options):
    """What a door says of input that it refuses."""
    with pytest.raises(SafeguardingError) as caught:
        door(*arguments, **options)
    assert type(caught.value) is kind
    return str(caught.value)


def said_by(door, table):
    """What a door says of a table that it refuses; the audit names the table, and this takes the name away."""
    return message(door, table).removeprefix("table 1: ")


def numbers_in(text):
    return set(re.findall(r"-?\d+(?:[.,]\d+)?", text))


DOORS = [
    pytest.param(suppressed, id="suppress"),
    pytest.param(audited, id="audit"),
    pytest.param(declared_safe, id="Safe"),
    pytest.param(declared_public, id="already_public"),
]


# Counts


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("count", "dtype", "found"),
    [
        ([-3, -1, 40], pl.Int64, "2 of 3 rows are negative"),
        ([17.5, 40.0, 41.0], pl.Float64, "1 of 3 rows is fractional"),
        (["3", "40", "41"], pl.String, "text|String"),
        ([True, False, True], pl.Boolean, "Boolean"),
        ([date(2025, 1, 2)] * 3, pl.Date, "Date"),
    ],
)
def test_column_that_counts_nothing_is_refused(door, count, dtype, found):
    said = said_by(door, listed(count, dtype))
    assert re.match(f"count.*({found})", said)
    assert "whole number" in said


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_infinite_count_and_not_a_number_are_called_so(door, value):
    said = said_by(door, listed([value, 40.0, 41.0], pl.Float64))
    assert said.startswith("count: 1 of 3 rows is infinite or not a number")


@pytest.mark.parametrize("count", [[None, 40, 41], [None, None, None]])
def test_missing_count_of_people_is_refused_by_suppress(count):
    said = message(suppressed, listed(count, pl.Int64))
    missing = count.count(None)
    assert said.startswith(f"count: {missing} of 3 rows {'is' if missing == 1 else 'are'} missing")


@pytest.mark.parametrize("door", DOORS)
def test_refused_counts_are_named_by_their_rows_and_never_shown(door):
    # The mistakes, 60.5 and -4, and the counts beside them must be in no message: only rows 2 and 5 of 5.
    said = said_by(door, listed([7.0, 60.5, 8.0, 9.0, -4.0], pl.Float64))
    assert "(row 2)" in said
    assert "(row 5)" in said
    assert "Correct" in said
    assert numbers_in(said.replace("table 1:", "")) <= {"1", "2", "5", "0"}


def test_column_of_text_counts_is_refused_with_a_next_step():
    said = message(suppressed, listed(["3", "40", "41"], pl.String))
    assert said == (
        "count: the column holds text in 3 rows. Wanted: whole numbers of 0 or more. Cast it to Int64 first."
    )


@pytest.mark.parametrize("dtype", [pl.UInt8, pl.UInt32, pl.Int16, pl.Float64, pl.Decimal(10, 0)])
def test_whole_counts_of_any_number_type_are_taken(dtype):
    safe = suppress(listed([2, 40, 41], pl.Int64).cast({"count": dtype}), POLICY)
    assert safe.frame()["count"].to_list() == [None, 40, 41]
    assert safe.frame()["count"].dtype == dtype


# Totals


def districts(*totals):
    """Two agencies in each of some districts, 10 and 20 each, with a total that may be wrong."""
    rows = [
        (f"D{number}", agency, count)
        for number, total in enumerate(totals, 1)
        for agency, count in (("A", 10), ("B", 20), (TOTAL, total))
    ]
    return pl.DataFrame(rows, schema=["district", "agency", "count"], orient="row")


def test_total_that_does_not_add_up_is_named_and_no_count_is():
    # A count that will be hidden must not stand in a message either, nor one that it can be worked out of.
    said = message(suppressed, districts(30, 31))
    assert said == (
        "count does not add up: the total district=D2 is more than its rows by agency together. "
        "Correct the total, or leave its row out."
    )


def test_all_totals_that_do_not_add_up_are_named_at_once():
    # 10 + 20 = 30 in every district.
    lines = message(suppressed, districts(30, 31, 30, 28, 99)).split("\n")
    assert ["district=" in line and line.split("district=")[1][:2] for line in lines] == ["D2", "D4", "D5"]
    assert [("more than" in line, "less than" in line) for line in lines] == [
        (True, False),
        (False, True),
        (True, False),
    ]


def test_totals_of_all_columns_are_named_at_once():
    table = pl.DataFrame(
        {
            "agency": ["A", "B", TOTAL],
            "numerator": [10, 20, 31],
            "denominator": [100, 200, 299],
            "proportion": [0.1, 0.1, 31 / 299],
        }
    )
    lines = message(suppressed, table).split("\n")
    assert [line.split(" is ")[0] for line in sorted(lines)] == [
        "denominator does not add up: the grand total",
        "numerator does not add up: the grand total",
    ]


@pytest.mark.parametrize("count", [[1, 2, 4], [30, 1, 3], [3, 2, 70]])
def test_total_or_sum_that_is_small_is_not_printed(count):
    said = message(suppressed, pl.DataFrame({"agency": ["A", "B", TOTAL], "count": count}))
    assert "count does not add up: the grand total is" in said
    assert not numbers_in(said)


def test_small_count_about_which_two_tables_disagree_is_not_printed():
    said = message(suppress, [listed([3, 40]), listed([2, 40])], POLICY)
    assert said.startswith("agency=A1: two tables disagree about count.")
    assert numbers_in(said) == {"1"}  # the name of the agency


def test_all_counts_about_which_two_tables_disagree_are_named_at_once():
    said = message(suppress, [listed([30, 40, 50]), listed([31, 40, 51])], POLICY)
    assert [line.split(":")[0] for line in said.split("\n")] == ["agency=A1", "agency=A3"]


def test_audit_of_one_system_names_all_totals_that_do_not_add_up():
    said = message(audit, {"here": unmarked(districts(30, 31, 28))}, one_system=True)
    assert ["D2" in line or "D3" in line for line in said.split("\n")] == [True, True]


def reach(numerator, denominator):
    """People trained of eligible staff in agencies and in all of them."""
    table = pl.DataFrame({"agency": ["A", "B", "C", TOTAL], "numerator": numerator, "denominator": denominator})
    return table.with_columns(proportion=pl.col("numerator") / pl.col("denominator"))


def test_more_people_trained_than_are_eligible_are_accepted_and_protected():
    # The return of B is wrong: 30 of 20. A is small, so that another agency goes with it: 66 - 30 - 33 = 3.
    safe = suppress(reach([3, 30, 33, 66], [40, 20, 50, 110]), POLICY)
    numerators = safe.frame()["numerator"].to_list()
    assert numerators[0] is None
    assert numerators[1:].count(None) == 1
    assert numerators[3] == 66
    assert audit(safe, effort="full").is_empty()


BOOKINGS = {"registered": 30, "attended": 26, "walk_ins": 4, "did_not_attend": 5, "cancelled": 3}
"""30 + 4 = 26 + 5 + 3."""


def bookings(**more):
    """Two courses: the first adds up, the second differs from it in some columns."""
    return pl.DataFrame([{"course": "A", **BOOKINGS}, {"course": "B", **BOOKINGS, **more}])


def test_bookings_that_add_up_within_each_row_are_taken():
    assert suppress(bookings(), Policy(threshold=2)).hidden == 0


@pytest.mark.parametrize("column", BOOKINGS)
def test_bookings_that_do_not_add_up_within_a_row_are_refused(column):
    said = message(suppressed, bookings(**{column: BOOKINGS[column] + 1}))
    assert said == (
        "registered + walk_ins is not attended + did_not_attend + cancelled: 1 of 2 rows is wrong (row 2). "
        "Correct or leave out what is wrong."
    )


def test_more_walk_ins_than_people_who_came_are_refused():
    # 10 + 27 = 26 + 8 + 3, but nobody of the 27 is missing among the 26.
    said = message(suppressed, bookings(registered=10, walk_ins=27, did_not_attend=8))
    assert said.startswith("walk_ins is more than attended: 1 of 2 rows is wrong (row 2).")


def test_rows_that_contradict_themselves_are_named_with_their_table():
    parts = {"n_pairs": 30, "mean_change": 1.5, "n_up": 20, "n_same": 6, "n_down": 5, "n_pre": 29}
    gain = pl.DataFrame({"course": ["A"], **{name: [value] for name, value in parts.items()}})
    lines = message(suppress, [bookings(cancelled=2), gain], POLICY).split("\n")
    assert [line.split(":")[:2] for line in lines] == [
        ["table 1", " registered + walk_ins is not attended + did_not_attend + cancelled"],
        ["table 2", " n_pairs is not n_up + n_same + n_down"],  # 20 + 6 + 5 = 31
        ["table 2", " n_pairs is more than n_pre"],
    ]


# Shares


def share_table(numerator, denominator, proportion):
    """Shares of agencies."""
    agencies = [f"A{number}" for number in range(1, len(numerator) + 1)]
    counts = {"agency": agencies, "numerator": numerator, "denominator": denominator}
    return pl.DataFrame({**counts, "proportion": proportion}, strict=False)


WORK_IT_OUT = "Work it out of the counts beside it, or leave it empty."


@pytest.mark.parametrize("policy", [Policy.round5(), Policy.nhs()])
def test_share_that_does_not_follow_from_its_counts_is_refused(policy):
    # 12 of 100 and 30 of 40 as per cent; 25 of 50 is 0.5.
    said = message(suppress, share_table([12, 30, 25], [100, 40, 50], [12.0, 75.0, 0.5]), policy)
    assert said == f"proportion is not numerator ÷ denominator in 2 of 3 rows (rows 1, 2). {WORK_IT_OUT}"


@pytest.mark.parametrize(
    "proportion",
    [
        pl.Series([1 / 3, 5 / 3, 0.75]),
        pl.Series([0.33, 1.67, 0.75]),
        pl.Series([0.33, 1.67, 0.8]),
        pl.Series([0.333, 1.667, None]),
        pl.Series([1 / 3, 5 / 3, 0.75], dtype=pl.Float32),
        pl.Series([0.33, 1.67, 0.75], dtype=pl.Float32),
        pl.Series([None, None, None], dtype=pl.Float64),
    ],
)
def test_share_may_be_rounded_or_missing(proportion):
    # 20 of 60, 50 of 30, 30 of 40. A column with 0.33 in it has two decimals: 0.8 is then no 0.75.
    table = share_table([20, 50, 30], [60, 30, 40], proportion)
    if proportion.to_list() == [0.33, 1.67, 0.8]:
        assert "in 1 of 3 rows (row 3)" in message(suppress, table, Policy.round5())
    else:
        assert suppress(table, Policy.round5()).hidden == 0


@pytest.mark.parametrize(("proportion", "refused"), [(0.335, False), (0.345, False), (0.3349, True), (0.346, True)])
def test_share_is_off_by_half_a_unit_of_its_last_decimal_at_most(proportion, refused):
    # 0.34 to two decimals is anything from 0.335 to 0.345: of 10,000.
    table = share_table([round(proportion * 10_000), 5000], [10_000, 10_000], [0.34, 0.5])
    if refused:
        assert "in 1 of 2 rows (row 1)" in message(suppress, table, Policy.round5())
    else:
        assert suppress(table, Policy.round5()).hidden == 0


@pytest.mark.parametrize("share", [0.0, float("nan"), None])
def test_share_of_nobody_follows_from_nothing(share):
    assert suppress(share_table([0, 30], [0, 60], [share, 0.5]), POLICY).hidden == 0


def test_share_of_unknown_counts_is_left_to_suppression():
    assert suppress(share_table([None, 30], [50, 60], [None, 0.5]), POLICY).hidden == 0


@pytest.mark.parametrize("share", [float("nan"), float("inf"), -0.5])
def test_share_that_is_no_number_of_people_is_refused(share):
    assert "(row 1)" in message(suppressed, share_table([30, 30], [60, 60], [share, 0.5]))


def test_share_in_words_is_refused():
    assert "(row 1)" in message(suppressed, share_table([30, 30], [60, 60], ["50%", "0.5"]))


def rates(rate):
    """20 and 30 events in 8,000 and 10,000 children: 25 and 30 per 10,000."""
    return pl.DataFrame({"district": ["D1", "D2"], "count": [20, 30], "population": [8_000, 10_000], "rate": rate})


@pytest.mark.parametrize("rate", [[25.0, 30.0], [25, 30], [None, 30.0]])
def test_rate_per_ten_thousand_is_taken(rate):
    assert suppress(rates(rate), Policy.round5()).hidden == 0


def test_rate_per_thousand_is_refused():
    said = message(suppress, rates([2.5, 3.0]), Policy.round5())
    assert said == f"rate is not count ÷ population × 10,000 in 2 of 2 rows (rows 1, 2). {WORK_IT_OUT}"


def test_shares_of_bookings_follow_from_their_counts():
    # 26 - 4 of 30 booked; 26 of 40 places.
    right = {"attendance_rate": 22 / 30, "capacity": 40, "take_up": 0.65, "share_of_places": 0.9}
    table = pl.DataFrame([{"course": "A", **BOOKINGS, **right}])
    assert suppress(table, Policy.round5()).hidden == 0
    wrong = table.with_columns(attendance_rate=pl.lit(26 / 30), take_up=pl.lit(65.0))
    assert message(suppress, wrong, Policy.round5()).split("\n") == [
        f"attendance_rate is not (attended − walk_ins) ÷ registered in 1 of 1 rows (row 1). {WORK_IT_OUT}",
        f"take_up is not attended ÷ capacity in 1 of 1 rows (row 1). {WORK_IT_OUT}",
    ]


def test_shares_that_are_not_worked_out_anew_are_shown_as_they_are():
    assert suppress(rates([2.5, 3.0]), POLICY).frame()["rate"].to_list() == [2.5, 3.0]


def test_wrong_shares_of_a_published_table_are_no_business_of_ours():
    assert already_public(rates([2.5, 3.0]), "DfE").hidden == 0


# Groups


@pytest.mark.parametrize(
    "door",
    [
        pytest.param(suppressed, id="suppress"),
        pytest.param(audited, id="audit"),
        pytest.param(declared_safe, id="Safe"),
    ],
)
@pytest.mark.parametrize("group", [["A", "B", "A", "B"], [None, "B", None, "B"], [1, 2, 1, 2]])
def test_group_that_stands_twice_is_refused(door, group):
    said = message(door, pl.DataFrame({"agency": group, "count": [11, 12, 13, 14]}))
    assert "2 of 4 rows repeat a group" in said
    assert "rows 3, 4" in said
    assert "agency" in said
    assert "Add them up" in said


@pytest.mark.parametrize(
    ("groups", "kind"),
    [
        ([None, "A", "B"], pl.String),
        (["", "A", "B"], pl.String),
        ([" A", "A ", "A"], pl.String),
        (["=1+1", 'a "b", c', "é\n"], pl.String),
        ([1, 2, 3], pl.Int64),
        ([True, False, None], pl.Boolean),
        ([date(2025, 3, 31), date(2024, 3, 31), None], pl.Date),
        ([datetime(2025, 3, 31, 9), datetime(2025, 3, 31, 10), None], pl.Datetime),
        (["A", "B", "C"], pl.Categorical),
        (["A", "B", "C"], pl.Enum(["A", "B", "C"])),
    ],
)
def test_groups_of_any_plain_type_keep_their_values(groups, kind):
    table = pl.DataFrame({"group": pl.Series(groups, dtype=kind), "count": [3, 40, 50]})
    expected = table.with_columns(count=pl.Series([None, 40, 50]), mark=pl.Series(["[c]", "", ""]))
    safe = suppress(table, POLICY)
    assert_frame_equal(safe.frame(), expected, check_row_order=False)
    assert audit([safe]).is_empty()


def test_missing_group_and_one_called_none_are_two_groups():
    table = pl.DataFrame({"agency": [None, "None", "B"], "count": [3, 40, 50]})
    assert sorted(suppress(table, POLICY).frame().select("agency", "count").rows(), key=str) == [
        ("B", 50),
        ("None", 40),
        (None, None),
    ]


def test_missing_group_is_part_of_its_total_and_called_not_stated():
    half = listed([None, 20, 40], pl.Int64, mark=["[c]", "", ""]).with_columns(agency=pl.Series([None, "None", TOTAL]))
    found = audit({"here": half})
    assert found.select("cell", "low", "high").rows() == [("agency=not stated", 20, 20)]  # 40 - 20
    assert found["because"].str.contains("agency=None").all()
    other = half.with_columns(agency=pl.Series(["None", None, TOTAL]))
    assert audit(other)["because"].str.contains("agency=not stated").all()


def test_missing_group_is_the_same_in_all_tables():
    one = pl.DataFrame({"agency": [None, "A"], "count": [3, 40]})
    said = message(suppress, [one, one.with_columns(count=pl.col("count") * 2)], POLICY)
    assert said.startswith("agency=not stated: two tables disagree about count.")
    hidden, again = (safe.frame()["count"].to_list() for safe in suppress([one, one], POLICY))
    assert hidden == again == [None, 40]


def test_missing_group_is_hidden_where_its_table_is_repaired():
    halves = pl.DataFrame({"agency": [None, None, "A", "A"], "half": ["H1", "H2"] * 2, "count": [20, 3, 40, 30]})
    year = pl.DataFrame({"agency": [None, "A"], "count": [23, 70]})
    tables = {"halves": suppress(halves, POLICY), "year": suppress(year, POLICY)}
    assert audit(tables).select("cell", "low").rows() == [("agency=not stated, half=H2", 3)]  # 23 - 20
    assert audit(repair(tables), effort="full").is_empty()


def test_percentage_beside_a_missing_group_is_read():
    # 0.25 of 12 is 3, to the last decimal: it can be nothing else.
    table = pl.DataFrame({"agency": [None, "A"], "numerator": [None, 30], "denominator": [12, 60]})
    table = table.with_columns(proportion=pl.Series([0.25, 0.5]), mark=pl.Series(["[c]", ""]))
    assert audit(table).select("cell", "column", "low", "high").rows() == [("agency=not stated", "numerator", 3, 3)]


@pytest.mark.parametrize("door", [suppressed, audited, declared_safe])
@pytest.mark.parametrize(
    "written",
    [
        *("total", "TOTAL", " Total", "Total ", "Total*", "Totals", "Subtotal", "sub-total", "Sub Totals"),
        *("Grand Total", "GRAND  TOTAL", "District Total", "All", "all", " Any", "Sum", "Overall", "All agencies"),
        *("All children", "All staff", "All young people"),
    ],
)
def test_total_of_another_name_is_refused(door, written):
    # As a group of its own it would be shown: 43 - 33 = 10.
    said = said_by(door, pl.DataFrame({"agency": ["A", "B", written], "count": [10, 33, 43]}))
    assert said == (
        f'agency: row 3 ("{written}") reads as a total. '
        'If it is one, call it "Total"; if not, name the group otherwise.'
    )


def test_totals_of_other_names_are_named_at_once():
    said = message(suppressed, listed([30, 40, 50]).with_columns(agency=pl.Series(["All", "B", "Grand Total"])))
    assert said == (
        'agency: rows 1, 3 ("All", "Grand Total") read as totals. '
        'If they are, call them "Total"; if not, name the groups otherwise.'
    )


@pytest.mark.parametrize("kind", [pl.String, pl.Categorical])
def test_total_of_another_name_is_refused_in_any_column_of_text(kind):
    table = pl.DataFrame({"area": ["North", "North"], "district": pl.Series(["D1", "Area total"], dtype=kind)})
    said = message(suppressed, table.with_columns(count=pl.Series([20, 43])))
    assert said.startswith('district: row 2 ("Area total") reads as a total.')


def test_names_that_only_begin_like_a_total_are_groups():
    names = ["All Saints", "ALL SAINTS' C of E Primaries", "All Souls", "Allerton", "Any other group", "Total Care"]
    safe = suppress(pl.DataFrame({"agency": [*names, None], "count": [30] * 7}), POLICY)
    assert safe.frame()["agency"].to_list() == [*names, None]


def test_publisher_may_call_a_total_as_he_likes():
    public = already_public(pl.DataFrame({"agency": ["A", "B", "All agencies"], "count": [10, 33, 43]}), "DfE")
    assert public.hidden == 0
    assert audit(public).is_empty()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "column",
    [
        *("UPN", "child_id", "Person ID", "nhs_number", "NHSNumber", "name", " Surname", "forename", "dob", "email"),
        *("Date of Birth", "postcode", "home postcode", "Home-Address", "pupil", "Pupil ID"),
    ],
)
def test_column_that_by_its_name_could_identify_people_is_refused_without_its_values(door, column):
    said = said_by(door, pl.DataFrame({column: ["S3CRET", "S4CRET"], "count": [30, 40]}))
    assert said == (
        f"{column} looks like a column that identifies people. "
        "Count by other columns first, or rename it if it does not."
    )


@pytest.mark.parametrize("column", ["Person", "CHILD", "Plan"])
def test_column_of_pseudonyms_is_refused_in_any_letters(column):
    assert column in said_by(suppressed, pl.DataFrame({column: ["S3CRET", "S4CRET"], "count": [30, 40]}))


@pytest.mark.parametrize("column", ["course_name", "district", "school_name", "target_group", "agency"])
def test_column_that_names_no_people_is_taken(column):
    assert suppress(pl.DataFrame({column: ["A", "B"], "count": [30, 40]}), POLICY).hidden == 0


@pytest.mark.parametrize("values", [[1.5, 2.5], [[1], [2]], [{"n": 1}, {"n": 2}], [b"1", b"2"]])
def test_column_that_can_name_no_group_is_refused(values):
    table = pl.DataFrame({"group": values, "count": [30, 40]})
    for refused in (table, table.head(1), table.clear()):
        said = message(suppressed, refused)
        assert said.startswith("group")
        assert "\n" not in said


def test_column_of_objects_is_refused():
    table = pl.DataFrame({"group": pl.Series([{1}, {2}], dtype=pl.Object), "count": [30, 40]})
    for door in (suppressed, audited):
        assert said_by(door, table).startswith("group: the column holds Object.")


@pytest.mark.parametrize("values", [[[1], [2]], [{"n": 1}, {"n": 2}], [b"1", b"2"]])
def test_safe_table_takes_no_column_that_can_carry_numbers_along(values):
    said = message(declared_safe, pl.DataFrame({"group": values, "count": [30, 40]}))
    assert said.startswith("group: the column holds")
    assert "Take it out" in said


@pytest.mark.parametrize("column", CHILD_COLUMNS)
@pytest.mark.parametrize("door", [suppressed, audited, declared_safe, declared_public])
def test_column_that_identifies_people_is_refused_without_its_values(door, column):
    said = said_by(door, listed([30, 40]).with_columns(pl.Series(column, ["S3CRET", "S4CRET"])))
    assert said == f"{column} identifies people and cannot be published. Count by other columns first."


def test_all_columns_that_identify_people_are_named():
    table = listed([30, 40]).with_columns(child=pl.Series(["C1", "C2"]), plan=pl.Series(["P1", "P2"]))
    said = message(suppressed, table)
    assert said == "child, plan identify people and cannot be published. Count by other columns first."


# Columns beside those of the shape


@pytest.mark.parametrize(
    "girls",
    [
        pl.Series([2, 30]),
        pl.Series([2, 30], dtype=pl.UInt8),
        pl.Series([None, None], dtype=pl.Int64),
        pl.Series([2.0, None]),  # so pandas writes a count of which one is missing
        pl.Series([2, 30], dtype=pl.Decimal(10, 0)),
        pl.Series([0.333, 0.5]),  # a third of 9 is 3
    ],
)
def test_count_that_is_no_column_of_the_shape_is_refused_by_suppress(girls):
    said = message(suppressed, listed([30, 40], girls=girls))
    assert said == "girls is no column of a count table and would be shown as it is. Drop it."


def test_every_count_that_is_no_column_of_the_shape_is_refused_by_a_safe_table():
    table = unmarked(bookings().with_columns(girls=pl.lit(12), boys=pl.lit(14)))
    assert message(Safe, table, Policy(threshold=2)).split("\n") == [
        f"{name} is no column of an attendance table and would be shown as it is. Drop it."
        for name in ("girls", "boys")
    ]
    assert already_public(table, "DfE").hidden == 0


def test_words_and_dates_beside_the_shape_are_hidden_with_their_row():
    more = {"note": ["new", "old"], "since": [date(2024, 1, 1)] * 2, "open": [True, False]}
    safe = suppress(listed([3, 40], **more), POLICY)
    assert safe.frame().rows() == [
        ("A1", None, None, None, None, "[c]"),
        ("A2", 40, "old", date(2024, 1, 1), False, ""),
    ]


@pytest.mark.parametrize("name", ["capacity", "population", "numerator"])
def test_numbers_before_the_shape_are_all_named(name):
    table = pl.DataFrame({name: [1, 2], "weight": [0.5, 2.0], "count": [30, 40]})
    lines = message(suppressed, table).split("\n")
    assert [line.split(" stands before")[0] for line in lines] == [name, "weight"]
    assert ["make it text" in line for line in lines] == [False, True]


# Several mistakes at once


def test_safe_names_all_mistakes_of_a_table():
    table = pl.DataFrame(
        {
            "agency": ["A", "B", "C"],
            "child": ["C1", "C2", "C3"],
            "numerator": [-1, 20, 30],
            "denominator": [10.5, 30.0, float("nan")],
            "proportion": [0.1, 0.7, 0.9],
            "mark": ["[c]", "", ""],
        }
    )
    lines = message(Safe, table, POLICY).split("\n")
    assert [line.split(":")[0].split(" identifies")[0] for line in lines] == [
        "child",
        "numerator",
        "denominator",
        "denominator",
        "1 of 1 marked rows still have numbers in them",
    ]


def test_safe_names_all_that_its_policy_refuses():
    table = pl.DataFrame(
        {
            "agency": ["A", "A", "total"],
            "numerator": [3, 20, None],
            "denominator": [50, None, 70],
            "proportion": [0.06, 0.5, 0.7],
            "mark": [""] * 3,
        }
    )
    lines = message(Safe, table, Policy(round=10)).split("\n")
    starts = ["1 of 3 rows repeats", "agency: row 3", "numerator: 1", "numerator: 1", "proportion: 2"]
    assert [line[: len(start)] for line, start in zip(lines, starts, strict=True)] == starts


def test_suppress_names_all_mistakes_of_a_table():
    table = pl.DataFrame(
        {
            "agency": ["A", "A", "total"],
            "child": ["C1", "C2", "C3"],
            "numerator": [-1, 20, 30],
            "denominator": [10.5, 30.0, 50.0],
            "proportion": [0.1, 0.7, 0.9],
        }
    )
    said = message(suppressed, table)
    assert all(word in said for word in ("child", "numerator", "negative", "denominator", "fractional", "repeat"))


def test_audit_names_the_mistakes_of_all_tables_and_shows_no_count():
    tables = {
        "no mark": listed([None, 41]),
        "fine": listed([40, 50]),
        "wrong": pl.DataFrame({"agency": ["A", "A", "total"], "count": [-3, 61, 44]}),
        "half": unmarked(listed([2.5, 51.0])),
        "people": unmarked(listed([30, 40])).with_columns(child=pl.lit("C1")),
        "public": already_public(pl.DataFrame({"agency": ["A", "A"], "count": [50, 51]}), "DfE"),
    }
    lines = message(audit, tables).split("\n")
    assert [": ".join(line.split(": ")[:2]) for line in lines] == [
        'no mark: no column "mark", so nobody can tell hidden from unknown. Add it',
        "wrong: count",
        "wrong: 1 of 3 rows repeats a group that stands above",
        "wrong: agency",
        "half: count",
        "people: child identifies people and cannot be published. Count by other columns first.",
        "public: 1 of 2 rows repeats a group that stands above",
    ]
    assert not numbers_in("\n".join(lines)) & {"41", "61", "44", "2.5", "51", "30", "40", "50"}


def test_suppress_names_the_mistakes_of_tables_of_which_one_is_none():
    tables = [None, pl.DataFrame({"agency": ["A"]}), listed([-1, 50]), listed([30, 40]).lazy()]
    assert [line.split(" ")[:3] for line in message(suppress, tables, POLICY).split("\n")] == [
        ["table", "1:", "found"],
        ["table", "2:", "this"],
        ["table", "3:", "count:"],
        ["table", "4:", "found"],
    ]


def test_suppress_names_the_mistakes_of_all_tables():
    said = message(suppress, [listed([40, 50]), listed([-1, 50]), listed([30.5, 50.0], pl.Float64)], POLICY)
    assert "table 2" in said
    assert "table 3" in said
    assert "table 1" not in said


# Tables at the edge


def test_table_with_one_column_is_one_count():
    assert suppress(pl.DataFrame({"count": [3]}), POLICY).frame().rows() == [(None, "[c]")]
    assert suppress(pl.DataFrame({"count": [30]}), POLICY).frame().rows() == [(30, "")]


def test_two_counts_without_a_group_are_refused():
    said = message(suppressed, pl.DataFrame({"count": [30, 40]}))
    assert "repeat" in said
    assert "no column" in said


@pytest.mark.parametrize("door", [suppressed, audited, declared_safe, declared_public])
@pytest.mark.parametrize("columns", [{"agency": ["A", "B"]}, {}])
def test_table_without_a_count_has_no_shape(door, columns):
    said = message(door, pl.DataFrame(columns), kind=TableError)
    assert "none of the known shapes" in said
    assert "Found columns: " in said


@pytest.mark.parametrize("door", [suppressed, audited])
def test_table_without_a_shape_says_what_to_do(door):
    said = message(door, pl.DataFrame({"agency": ["A"], "n": [3]}), kind=TableError)
    assert "Group with a measure of this package, or rename the columns: count; numerator, denominator" in said


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Null])
def test_table_without_rows_stays_so(dtype):
    empty = listed([], dtype)
    assert_frame_equal(suppress(empty, POLICY).frame(), unmarked(empty))
    assert audit([suppress(empty, POLICY)]).is_empty()
    assert Safe(unmarked(empty), POLICY).hidden == 0


def test_no_tables_are_none():
    assert suppress([], POLICY) == []
    assert audit([]).is_empty()


def square(rows, columns, count):
    """A table of rows and columns with all its margins; the count of a place is worked out by a function."""
    values = [[count(row, column) for column in range(columns)] for row in range(rows)]
    names = [f"c{column:03}" for column in range(columns)]
    cells = [
        (f"r{row:03}", name, value) for row, line in enumerate(values) for name, value in zip(names, line, strict=True)
    ]
    cells += [(f"r{row:03}", TOTAL, sum(line)) for row, line in enumerate(values)]
    cells += [(TOTAL, name, sum(line)) for name, line in zip(names, zip(*values, strict=True), strict=True)]
    cells += [(TOTAL, TOTAL, sum(map(sum, values)))]
    return pl.DataFrame(cells, schema=["row", "column", "count"], orient="row")


def test_table_of_zeros_is_shown():
    table = square(4, 5, lambda row, column: 0)
    assert_frame_equal(suppress(table, POLICY).frame(), unmarked(table))


@pytest.mark.parametrize("zeros", ["shown", "hidden"])
def test_table_of_small_counts_is_hidden_whole_or_refused(zeros):
    table = square(2, 2, lambda row, column: 1)
    assert suppress(table, Policy(zeros=zeros)).hidden == 9
    assert suppress(listed([1, 2, 3, 5]), Policy(zeros=zeros)).hidden == 4


def test_table_of_zeros_that_are_hidden_shows_none():
    assert suppress(listed([0, 0, 40]), Policy(zeros="hidden")).frame()["count"].to_list() == [None, None, 40]


def one_in_25_rows_small(row, column):
    """6 or more everywhere, but for one place in every fourth row of a 100 × 100 table."""
    return row % 5 + 1 if row % 4 == 0 and column == row * 7 % 100 else 6 + (row * 37 + column * 61) % 83


def test_table_of_ten_thousand_cells_with_margins_is_suppressed():
    table = square(100, 100, one_in_25_rows_small)
    small = table["count"] < POLICY.threshold
    safe = suppress(table, POLICY)
    assert (table.height, small.sum()) == (10_201, 25)
    assert safe.frame().filter(small)["count"].null_count() == 25
    assert 25 < safe.hidden < 200
    shown = safe.frame()["count"].is_not_null()
    assert_frame_equal(safe.frame().filter(shown).drop("mark"), table.filter(shown))


def test_list_of_ten_thousand_cells_with_a_total_is_suppressed():
    counts = [3 if place % 500 == 0 else 6 + place * 37 % 83 for place in range(10_000)]
    table = pl.DataFrame({"school": [*(f"S{n:05}" for n in range(10_000)), TOTAL], "count": [*counts, sum(counts)]})
    safe = suppress(table, POLICY)
    # Twenty hidden 3s add up to 60, and each may be anything from 1 to 5: no other row is needed, few are allowed.
    assert 20 <= safe.hidden <= 25
    hidden = [count for count, shown in zip(counts, safe.frame()["count"], strict=False) if shown is None]
    assert hidden.count(3) == 20
    assert safe.frame()["count"][-1] == sum(counts)


# What is no table, and what is no policy


@pytest.mark.parametrize(
    "door",
    [
        pytest.param(lambda thing: suppress(thing, POLICY), id="suppress"),
        pytest.param(lambda thing: suppress([thing], POLICY), id="suppress_list"),
        pytest.param(lambda thing: audit({"a": thing}), id="audit"),
        pytest.param(lambda thing: Safe(thing, POLICY), id="Safe"),
        pytest.param(lambda thing: already_public(thing, "DfE"), id="already_public"),
    ],
)
@pytest.mark.parametrize(
    "thing", [None, {"count": [30]}, "table.csv", listed([30]).lazy(), listed([30]).to_arrow(), listed([30])["count"]]
)
def test_what_is_no_polars_frame_is_refused(door, thing):
    said = message(door, thing, kind=TableError)
    assert "polars DataFrame" in said
    assert type(thing).__name__ in said


@pytest.mark.parametrize("policy", [None, "dfe", 6, Policy, Policy.dfe])
def test_what_is_no_policy_is_refused_by_suppress(policy):
    assert "Policy.dfe()" in message(suppress, listed([30]), policy, kind=ParameterError)


@pytest.mark.parametrize("policy", ["dfe", 6, Policy, Policy.dfe])
def test_what_is_no_policy_is_refused_by_safe(policy):
    assert "Policy.dfe()" in message(Safe, unmarked(listed([30])), policy, kind=ParameterError)


def test_tables_for_suppression_in_a_mapping_are_asked_for_as_a_list():
    said = message(suppress, {"here": listed([30])}, POLICY, kind=TableError)
    assert said == "found dict where a polars DataFrame is wanted. Give the tables as a list: list(tables.values())."


def test_safe_table_is_not_suppressed_again():
    said = message(suppress, [listed([30]), suppress(listed([30]), POLICY)], POLICY, kind=TableError)
    assert said == "table 2: found Safe where a polars DataFrame is wanted. Suppress the table that it was made from."


@pytest.mark.parametrize("previous", [5, "last.csv", listed([30]), [listed([30])], [None]])
def test_what_is_no_safe_table_is_refused_as_last_period(previous):
    said = message(suppress, listed([30]), POLICY, previous=previous, kind=ParameterError)
    assert said.startswith(
        "previous must be tables that went through suppress(), or "
        'already_public(read_published_table("last_year.csv"), "2024") for a published file. Found: '
    )


LEAK = pl.DataFrame({"agency": ["A", "B", TOTAL], "count": [None, 40, 43], "mark": ["[c]", "", ""]})
"""43 - 40 = 3."""


@pytest.mark.parametrize(
    "tables",
    [LEAK, already_public(LEAK, "DfE"), [LEAK], (LEAK,), {"table 1": LEAK}, {"table 1": LEAK}.values()],
    ids=["frame", "Safe", "list", "tuple", "mapping", "values"],
)
def test_audit_takes_one_table_and_several(tables):
    assert audit(tables).select("table", "cell", "low", "high").rows() == [("table 1", "agency=A", 3, 3)]


@pytest.mark.parametrize(
    "thing", [None, 5, "table.csv", listed([30]).lazy(), listed([30]).to_arrow(), listed([30])["count"]]
)
def test_audit_of_what_is_no_table_says_what_was_found(thing):
    said = message(audit, thing, kind=TableError)
    assert said.startswith(f"table 1: found {type(thing).__name__} where a polars DataFrame is wanted.")


def test_audit_asks_for_the_mark_of_a_table_with_unknown_counts():
    assert message(audit, {"here": listed([None, 40, 41])}) == (
        'here: no column "mark", so nobody can tell hidden from unknown. '
        'Add it: "[c]" where a number is hidden, else "".'
    )


def test_audit_takes_a_table_without_a_mark_that_hides_nothing():
    assert audit({"here": listed([3, 40, 41])}).is_empty()


@pytest.mark.parametrize("kind", [pl.String, pl.Categorical, pl.Enum(["[c]"])])
def test_missing_mark_is_none(kind):
    mark = pl.Series("mark", ["[c]", None, None], dtype=kind)
    assert audit(LEAK.with_columns(mark)).select("low", "high").rows() == [(3, 3)]
    assert audit(LEAK.with_columns(mark=pl.lit(None))).is_empty()  # unknown to all


def test_mark_may_stand_anywhere():
    for order in (["mark", "agency", "count"], ["agency", "mark", "count"]):
        assert audit(LEAK.select(order)).select("cell", "low", "high").rows() == [("agency=A", 3, 3)]


def test_mark_of_a_published_table_is_text():
    said = message(audit, {"here": listed([30, 40], mark=[0, 1])})
    assert said == 'here: mark: the column holds Int64. Wanted: text, "[c]" where a number is hidden, else "".'


@pytest.mark.parametrize(
    ("rounded", "said"),
    [
        (5, 'rounded must name tables and their bases, such as {"table 1": 5}. Found: int.'),
        ({"hree": 5}, 'rounded: there is no table "hree". Did you mean "here"?'),
        ({"here": 0}, "rounded: the base of here must be a whole number, such as 5. Found: 0."),
        ({"here": True}, "rounded: the base of here must be a whole number, such as 5. Found: True."),
    ],
)
def test_bases_of_rounding_are_whole_numbers_by_table(rounded, said):
    assert message(audit, {"here": listed([30, 40])}, rounded=rounded, kind=ParameterError) == said


def test_all_that_is_wrong_with_bases_is_named():
    said = message(audit, {"here": listed([30])}, rounded={"there": 5, "here": 2.5}, kind=ParameterError)
    assert [line.split(":")[1][:9] for line in said.split("\n")] == [" there is", " the base"]


WRONG_WHOLE = [0, -1, 2.5, 6.0, float("nan"), True, "6", None, [6]]


@pytest.mark.parametrize("value", WRONG_WHOLE)
@pytest.mark.parametrize("name", ["threshold", "minimum_mean", "minimum_ballots"])
def test_policy_wants_whole_numbers_of_one_or_more(name, value):
    said = message(Policy, kind=ParameterError, **{name: value})
    assert said == f"{name} must be a whole number of 1 or more, such as 6. Found: {value!r}."


@pytest.mark.parametrize("value", [0, 3, -5, 15, 2.5, True, False, "5", "", [5], float("nan")])
def test_policy_rounds_to_five_or_ten(value):
    said = message(Policy, kind=ParameterError, round=value)
    assert said == f"round must be 5, 10 or None. Found: {value!r}."


@pytest.mark.parametrize("value", [5.0, 10.0])
def test_policy_wants_a_whole_base(value):
    message(Policy, kind=ParameterError, round=value)


@pytest.mark.parametrize(("threshold", "base", "least"), [(2, 5, 3), (2, 10, 6), (3, 10, 6), (5, 10, 6)])
def test_policy_that_would_print_people_as_none_is_refused(threshold, base, least):
    # 4 people are not hidden under a threshold of 3, and 0 is the multiple of 10 nearest to them.
    said = message(Policy, kind=ParameterError, threshold=threshold, round=base)
    assert said == (
        f"threshold must be {least} or more where counts are rounded to the nearest {base}, "
        f"or people could be printed as 0. Found: {threshold}."
    )
    assert Policy(threshold=least, round=base).threshold == least
    assert Policy(threshold=1, round=base).controlled


def test_proof_is_not_tried_where_a_policy_rounds():
    for policy in (Policy.round5(), Policy.round10(), Policy.nhs()):
        with pytest.raises(ParameterError, match=r'^no proof is tried for rounded tables\. Use effort="greedy"\.$'):
            check_rounding(policy, "exact")
        check_rounding(policy, "greedy")
    check_rounding(Policy.dfe(), "exact")


@pytest.mark.parametrize("value", ["", " ", "\t\n", None, 0, True, ["[c]"]])
def test_policy_wants_a_mark_that_can_be_seen(value):
    said = message(Policy, kind=ParameterError, mark=value)
    assert said == f'mark must be a text that can be seen, such as "[c]". Found: {value!r}.'


@pytest.mark.parametrize("value", ["5", "0", "1,234", "-5", "-", "–", "1–5", "3%", "(5)", "½", "٣", "nan", "\u200b5"])
def test_policy_wants_a_mark_that_is_no_number(value):
    said = message(Policy, kind=ParameterError, mark=value)
    assert said == f'mark must not read as a number, but be such as "[c]". Found: {value!r}.'


@pytest.mark.parametrize("value", ["\u200b", "\ufeff", "\u00a0", " \u200b\n"])
def test_policy_wants_a_mark_of_characters_that_can_be_seen(value):
    said = message(Policy, kind=ParameterError, mark=value)
    assert said == f'mark must be a text that can be seen, such as "[c]". Found: {value!r}.'


@pytest.mark.parametrize("value", ["[c]", "c", "*", "x", "<6", "[low]", "5 or fewer"])
def test_policy_takes_marks_of_words_and_signs(value):
    assert suppress(listed([3, 40]), Policy(mark=value)).frame()["mark"].to_list() == [value, ""]


@pytest.mark.parametrize(("name", "words"), [("zeros", ("shown", "hidden")), ("protect", ("symbol", "point"))])
@pytest.mark.parametrize("value", ["", "all", None, True, ["shown"], {}])
def test_policy_names_the_words_it_allows(name, words, value):
    said = message(Policy, kind=ParameterError, **{name: value})
    assert said == f'{name} must be "{words[0]}" or "{words[1]}". Found: {value!r}.'


def test_policy_names_all_that_is_wrong_with_it():
    said = message(Policy, kind=ParameterError, threshold=0, zeros="maybe", round=3, mark="")
    assert [line.split(" ")[0] for line in said.split("\n")] == ["threshold", "zeros", "round", "mark"]


# What a Safe refuses: shares, means, rounding, marks


def test_marks_of_a_safe_table_are_those_of_its_policy():
    table = listed([None, None, 40], pl.Int64, mark=["[c]", "[p]", ""])
    said = message(Safe, table, POLICY)
    # Two marks would tell which numbers are small and which protect them; the other mark may be anything: not shown.
    assert said.startswith("mark: 1 of 3 rows is marked otherwise (row 2)")
    assert "[p]" not in said
    assert already_public(table, "DfE").hidden == 2


@pytest.mark.parametrize("mark", [[None, "", ""], [0, 0, 0], [False] * 3])
def test_mark_that_is_no_full_column_of_text_is_refused(mark):
    assert '"mark"' in message(Safe, listed([30, 40, 50], mark=mark), POLICY)


SHARES = [
    pytest.param({"numerator": None, "denominator": 50, "proportion": 0.4}, "proportion", id="numerator"),
    pytest.param({"numerator": 20, "denominator": None, "proportion": 0.4}, "proportion", id="denominator"),
    pytest.param(
        {"numerator": 20, "denominator": None, "proportion": None, "lower": 0.2, "upper": None}, "lower", id="lower"
    ),
    pytest.param(
        {"numerator": None, "denominator": 50, "proportion": None, "lower": None, "upper": 0.2}, "upper", id="upper"
    ),
    pytest.param({"count": None, "population": 9000, "rate": 40.0}, "rate", id="count"),
    pytest.param({"count": 36, "population": None, "rate": 40.0}, "rate", id="population"),
    pytest.param({"count": None, "population": 9000, "rate": None, "lower": 1.0}, "lower", id="rate_lower"),
    pytest.param({"registered": None, "attended": 20, "attendance_rate": 0.5}, "attendance_rate", id="registered"),
    pytest.param({"registered": 40, "attended": None, "attendance_rate": 0.5}, "attendance_rate", id="attended"),
    pytest.param({"registered": 40, "attended": None, "capacity": 50, "take_up": 0.5}, "take_up", id="take_up"),
    pytest.param({"registered": 40, "attended": 20, "capacity": None, "take_up": 0.5}, "take_up", id="capacity"),
    pytest.param({"registered": 40, "attended": 20, "take_up": 0.5}, "take_up", id="no_capacity"),
    pytest.param({"registered": 40, "attended": None, "share_of_places": 0.5}, "share_of_places", id="share_of_places"),
]


@pytest.mark.parametrize(("row", "column"), SHARES)
def test_share_is_shown_only_where_both_its_counts_are(row, column):
    table = unmarked(pl.DataFrame({"district": ["D1"], **{name: [value] for name, value in row.items()}}))
    said = message(Safe, table, POLICY)
    assert said.startswith(f"{column}: 1 of 1 rows is shown without")
    assert not numbers_in(said) & {str(value) for value in row.values()}
    assert already_public(table, "DfE").frame()[column].is_not_null().all()
    assert Safe(table.with_columns(pl.lit(None).alias(column)), POLICY).hidden == 0


def gains(n_pairs, mark="", **more):
    """One row of mean changes with these pairs."""
    means = {"mean_pre": 11.0, "mean_post": 13.0, "mean_change": 2.0, "lower": 1.0, "upper": 3.0}
    words = {"standard_error": 0.5, "verdict": "clearly at least"}
    words |= {"g_av": 0.5, "g_av_lower": 0.3, "g_av_upper": 0.7, "shrunken": 1.9}
    row = {"course": "C", "n_pairs": n_pairs, **means, "n_pre": 60, "n_post": 61, **words, **more, "mark": mark}
    integers = dict.fromkeys(("n_pairs", "n_pre", "n_post", "n_up", "n_same", "n_down"), pl.Int64)
    return pl.DataFrame([row], schema_overrides={name: integers[name] for name in row if name in integers})


NO_MEANS = dict.fromkeys(MEAN_CHANGE.means)


@pytest.mark.parametrize(("n_pairs", "refused"), [(None, True), (6, True), (9, True), (10, False), (11, False)])
def test_mean_is_shown_only_of_enough_people(n_pairs, refused):
    table = gains(n_pairs)
    if refused:
        said = message(Safe, table, POLICY)
        assert said.startswith("n_pairs: 1 of 1 rows is too small for the mean that is shown, or empty (row 1)")
        assert numbers_in(said) == {"1", "10"}
        assert already_public(table, "a paper").hidden == 0
    else:
        assert_frame_equal(Safe(table, POLICY).frame(), table)


@pytest.mark.parametrize("column", MEAN_CHANGE.means)
def test_each_column_that_tells_of_a_mean_counts_as_one(column):
    table = gains(9, **{name: None for name in MEAN_CHANGE.means if name != column})
    assert "10 people or more" in message(Safe, table, POLICY)


def test_smallest_mean_is_that_of_the_policy():
    assert Safe(gains(6), Policy(minimum_mean=6)).hidden == 0
    assert "20 people or more" in message(Safe, gains(19), Policy(minimum_mean=20))


def test_row_may_be_marked_for_its_means_alone():
    table = gains(9, mark="[c]", **NO_MEANS)
    safe = Safe(table, POLICY)
    assert_frame_equal(safe.frame(), table)
    assert safe.hidden == 1
    halfway = gains(9, mark="[c]", **{**NO_MEANS, "upper": 3.0})
    assert "marked rows still have numbers" in message(Safe, halfway, POLICY)


def test_row_may_be_marked_for_its_means_and_its_parts():
    parts = {"n_up": None, "n_same": None, "n_down": None}
    table = gains(9, mark="[c]", **NO_MEANS, **parts)
    assert_frame_equal(Safe(table, POLICY).frame(), table)
    assert Safe(gains(9, **NO_MEANS, **parts), POLICY).hidden == 0


@pytest.mark.parametrize("policy", [Policy.nhs(), Policy.round5()])
def test_shown_counts_are_rounded_where_the_policy_rounds(policy):
    said = message(Safe, unmarked(listed([10, 12, 15, 18])), policy)
    assert said.startswith("count: 2 of 4 rows are not rounded (rows 2, 4). Wanted: multiples of 5")
    assert not numbers_in(said) & {"10", "12", "15", "18"}
    assert Safe(unmarked(listed([0, 10, 15, 20])), policy).hidden == 0


def test_context_and_hidden_counts_are_not_rounded():
    table = pl.DataFrame({"district": ["D1", "D2"], "count": [20, None], "population": [9001, 9002]})
    table = table.with_columns(rate=pl.Series([22.2, None]), mark=pl.Series(["", "*"]))
    assert Safe(table, Policy.nhs()).hidden == 1


@pytest.mark.parametrize(
    ("policy", "smallest"),
    [
        (Policy(threshold=6), 6),
        (Policy(threshold=6, round=5), 5),  # 6 and 7 round to 5; what is hidden rounds to it too and is not shown
        (Policy(threshold=8, round=5), 10),
        (Policy(threshold=6, round=10), 10),
        (Policy(threshold=12, round=10), 10),
        (Policy.round10(), 10),
    ],
)
def test_smallest_number_shown_is_the_threshold_as_it_is_rounded(policy, smallest):
    assert Safe(unmarked(listed([0, smallest, 100])), policy).hidden == 0
    for smaller in range(policy.round or 1, smallest, policy.round or 1):
        assert "policy hides" in message(Safe, unmarked(listed([smaller, 100])), policy)


def test_zero_is_refused_where_zeros_are_hidden():
    for policy in (Policy(zeros="hidden"), Policy(zeros="hidden", threshold=3, round=5)):
        assert "policy hides" in message(Safe, unmarked(listed([0, 100])), policy)


@pytest.mark.parametrize("ballots", [[2, 3], [None, 3]])
def test_ranking_of_too_few_or_unknown_ballots_is_refused(ballots):
    table = pl.DataFrame(
        {"issue": ["a", "b"], "score": [1, -1], "rank": [1, 2], "n_ballots": ballots, "mark": [""] * 2}
    )
    assert message(Safe, table, POLICY).startswith("n_ballots: 1 of 2 rows is shown that the policy hides (row 1)")
    assert "n_ballots" in message(Safe, table.drop("n_ballots"), POLICY)


# A Safe keeps nothing of what is hidden

SECRET = 4_271_337
SHARE = 0.271_828_182_845_904_5


def traces(value):
    """A number as it would lie in memory or in a file."""
    texts = {str(value), repr(value), f"{value:,}"}
    packed = [struct.pack("<d", value)]
    if isinstance(value, int):
        packed += [
            struct.pack("<q", value),
            struct.pack("<i", value),
            struct.pack(">q", value),
            pickle.dumps(value)[2:-1],
        ]
    return [*packed, *(text.encode() for text in texts)]


def holds(content, *values):
    return [value for value in values for trace in traces(value) if trace in content]


def buffers_of(frame):
    """Every byte that an Arrow table of the frame keeps alive, whatever is null and wherever a slice begins."""
    content = b""
    for column in frame.to_arrow().columns:
        for chunk in column.chunks:
            for buffer in chunk.buffers():
                content += buffer.to_pybytes() if buffer is not None else b""
    return content


def written(frame, kind):
    target = io.BytesIO()
    if kind == "csv":
        frame.write_csv(target)
    elif kind == "json":
        frame.write_json(target)
    else:
        getattr(frame, f"write_{kind}")(target, compression="uncompressed")
    return target.getvalue()


def everything_in(safe):
    """All bytes that can be had of a safe table by name."""
    frame = safe.frame()
    return {
        "pickle": pickle.dumps(safe),
        "pickle of a copy": pickle.dumps(copy.copy(safe)),
        "pickle of a deep copy": pickle.dumps(copy.deepcopy(safe)),
        "pickle of the frame": pickle.dumps(frame),
        "repr": repr(safe).encode() + str(safe).encode() + repr(frame).encode(),
        "attributes": repr(vars(safe)).encode() + repr([getattr(safe, name) for name in dir(safe)]).encode(),
        "buffers": buffers_of(frame),
        "buffers of a slice": buffers_of(frame[1:]) + buffers_of(frame.head(1)),
        "rows": repr(frame.rows()).encode() + repr(frame.to_dict(as_series=False)).encode(),
        "numpy": b"".join(frame[name].to_physical().to_numpy().tobytes() for name in frame.columns if name != "agency"),
        **{kind: written(frame, kind) for kind in ("ipc", "parquet", "csv", "json")},
    }


def remembered(frame, hidden):
    """A frame whose nulls lie over the old numbers: made through Arrow, with a mask over what stands there."""
    arrays = {}
    for name in frame.columns:
        whole = frame[name].to_arrow()
        mask = pyarrow.array([not (flag and name in hidden[1]) for flag in hidden[0]])
        packed = pyarrow.array(mask.to_pylist()).buffers()[1]
        buffers = whole.buffers()
        buffers[0] = packed
        arrays[name] = pyarrow.Array.from_buffers(whole.type, len(whole), buffers) if name in hidden[1] else whole
    return pl.DataFrame(pl.from_arrow(pyarrow.table(arrays)))


@pytest.fixture
def secrets():
    """A count that was hidden to protect another, and a share, beneath nulls that do not cover them in memory."""
    table = pl.DataFrame(
        {
            "agency": ["A", "B", "C"],
            "numerator": [3, SECRET, 50],
            "denominator": [60, 2 * SECRET, 90],
            "proportion": [0.05, SHARE, 5 / 9],
            "mark": ["[c]", "[c]", ""],
        }
    )
    return remembered(table, ([True, True, False], ("numerator", "denominator", "proportion")))


def test_nulls_of_the_test_lie_over_the_old_numbers(secrets):
    # Else the tests below would show nothing.
    assert secrets["numerator"].to_list() == [None, None, 50]
    assert set(holds(buffers_of(secrets), SECRET, 2 * SECRET, SHARE)) == {SECRET, 2 * SECRET, SHARE}


def test_safe_table_keeps_no_number_that_lies_beneath_a_null(secrets):
    for safe in (Safe(secrets, POLICY), already_public(secrets, "DfE")):
        for where, content in everything_in(safe).items():
            assert not holds(content, SECRET, 2 * SECRET, SHARE), where
            assert where in ("attributes", "repr", "rows", "numpy", "csv", "json") or holds(content, 50), where


def test_safe_table_of_a_slice_keeps_nothing_of_the_rest(secrets):
    longer = pl.concat([secrets, secrets.with_columns(agency=pl.lit("S3CRET"), mark=pl.lit("[c]"))], rechunk=True)
    shared = longer[2:3]
    content = everything_in(Safe(shared, POLICY))
    assert Safe(shared, POLICY).frame()["agency"].to_list() == ["C"]
    assert not any(holds(one, SECRET, 2 * SECRET, SHARE) or b"S3CRET" in one for one in content.values())


@pytest.mark.parametrize("kind", [pl.Categorical, pl.String])
def test_safe_table_keeps_no_name_of_a_group_that_was_filtered_out(kind):
    table = listed([30, 40], mark=["", ""]).with_columns(agency=pl.Series(["S3CRET", "B"], dtype=kind))
    content = everything_in(Safe(table.filter(pl.col("count") > 30), POLICY))
    assert not any(b"S3CRET" in one for one in content.values())


def test_suppressed_table_holds_no_count_that_protects_another():
    table = pl.DataFrame(
        {"agency": ["A", "B", "C", TOTAL], "count": [3, SECRET, SECRET + 10**6, 2 * SECRET + 10**6 + 3]}
    )
    safe = suppress(table, POLICY)
    hidden = safe.frame()["count"].to_list()
    assert hidden[0] is None
    assert hidden[1:].count(None) == 1
    gone = [count for count, shown in zip(table["count"], hidden, strict=True) if shown is None and count > 3]
    kept = [count for count in hidden if count is not None]
    for where, content in everything_in(safe).items():
        assert not holds(content, *gone), where
    assert holds(everything_in(safe)["pickle"], *kept)


def test_no_python_object_behind_a_suppressed_table_is_a_hidden_number():
    numerators = [3, SECRET, 2 * SECRET, 3 * SECRET + 3]
    denominators = [50, 2 * SECRET + 1, 3 * SECRET, 5 * SECRET + 51]
    shares = [one / other for one, other in zip(numerators, denominators, strict=True)]
    groups = {"agency": ["A", "B", "C", TOTAL]}
    table = pl.DataFrame({**groups, "numerator": numerators, "denominator": denominators, "proportion": shares})
    safe = suppress(table, POLICY)
    del table
    found, waiting = set(), [safe]
    seen = set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type) or type(one).__name__ in ("module", "function"):
            continue
        seen.add(id(one))
        found |= {one} if isinstance(one, int | float) else set()
        waiting += gc.get_referents(one)
    assert POLICY.threshold in found  # it looked behind the policy
    shown = {value for row in safe.frame().rows() for value in row}
    assert not found & ({*numerators, *denominators, *shares} - shown - set(vars(POLICY).values()))


def test_safe_table_carries_no_order_of_hidden_numbers():
    # A flag "sorted" on a column of nulls would tell that the rows stand by their size.
    table = listed([None, None, 40], pl.Int64, mark=["[c]", "[c]", ""]).sort("count", nulls_last=False)
    flags = Safe(table, POLICY).frame()["count"].flags
    assert not any(flags.values())


# A Safe is what it is


@pytest.mark.parametrize("name", ["policy", "source", "shape", "_frame", "table", "other"])
def test_safe_table_takes_and_loses_no_attribute(name):
    safe = suppress(listed([3, 40]), POLICY)
    with pytest.raises(AttributeError):
        setattr(safe, name, None)
    with pytest.raises(AttributeError):
        delattr(safe, name)


def test_changing_a_frame_of_a_safe_table_changes_no_other():
    safe = suppress(listed([3, 40, 50]), POLICY)
    frame = safe.frame()
    frame[1, "count"] = 4
    frame.insert_column(0, pl.Series("more", [1, 2, 3]))
    frame.columns = ["a", "b", "c", "d"]
    assert safe.frame().rows() == [("A1", None, "[c]"), ("A2", 40, ""), ("A3", 50, "")]
    numbers = safe.frame().filter(mark="")["count"].to_numpy()
    if numbers.flags.writeable:
        numbers[0] = 4
    assert safe.frame()["count"].to_list() == [None, 40, 50]


def test_safe_table_has_nothing_to_sort_or_colour_by():
    safe = suppress(listed([3, 40]), POLICY)
    assert {name for name in dir(safe) if not name.startswith("_")} == {"frame", "hidden", "policy", "shape", "source"}
    for compare in (operator.lt, operator.le, operator.gt, operator.ge, operator.add, operator.sub, operator.mul):
        with pytest.raises(TypeError):
            compare(safe, suppress(listed([4, 40]), POLICY))
        with pytest.raises(TypeError):
            compare(safe, 5)
    for ask in (len, iter, sorted, float, int, list, operator.itemgetter("count"), operator.itemgetter(0)):
        with pytest.raises(TypeError):
            ask(safe)
    with pytest.raises(TypeError):
        "A1" in safe  # noqa: B015 - the question itself is what is refused


def test_safe_tables_are_equal_only_to_themselves():
    # Two safe tables that differ in a hidden number cannot be told apart, and none is equal to another.
    one, other = (suppress(listed([count, 40]), POLICY) for count in (3, 4))
    assert one == one
    assert one != other
    assert repr(one) == repr(other)
    assert pickle.dumps(one) == pickle.dumps(other)


def test_sorting_the_frame_by_a_hidden_number_keeps_the_rows_as_they_stand():
    frame = suppress(listed([5, 3, 4, 40]), POLICY).frame()
    hidden = frame.sort("count", maintain_order=True).filter(pl.col("count").is_null())
    assert hidden["agency"].to_list() == ["A1", "A2", "A3"]


def test_control_chart_is_not_suppressed_since_its_mean_tells_what_is_hidden():
    counts = [8, 9, 3, 9]  # the mean, 7.25, times 4 less the other three gives the 3
    limits = {"mean": 7.25, "lower": -3.0, "upper": 17.0, "near_lower": 0.5, "near_upper": 14.0}
    table = pl.DataFrame({"month": ["2011-04", "2011-05", "2011-06", "2011-07"], "value": counts}).with_columns(
        *(pl.lit(value).alias(name) for name, value in limits.items()),
        *(pl.lit(None, pl.String).alias(name) for name in ("rule", "direction")),
    )
    with pytest.raises(DisclosureError, match="Suppress the counts, chart what is shown of them"):
        suppress(table, Policy.dfe())
