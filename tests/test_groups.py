"""Tables opened and checked, rows counted by group."""

import narwhals as nw
import polars as pl
import pytest

from safeguarding_analytics.errors import TableError
from safeguarding_analytics.groups import check_rows, count_rows, open_days


def test_text_instead_of_days_is_refused_by_the_names_of_all_columns():
    frame = pl.DataFrame({"began": ["2022-06-02"], "held": ["2022-06-17"]})
    with pytest.raises(TableError, match=r"plans: began, held must hold dates. Found: String. Parse them before\."):
        open_days(frame, [], ["began", "held"], "plans")


def test_missing_columns_are_named_at_once():
    frame = pl.DataFrame({"began": []}, schema={"began": pl.Date})
    with pytest.raises(TableError, match="plans: columns plan, started missing"):
        open_days(frame, ["plan"], ["started"], "plans")


def test_empty_cells_and_keys_that_stand_twice_are_told_at_once_without_values():
    plans = nw.from_native(pl.LazyFrame({"plan": ["secret", "secret", "p3"], "start_date": [None, None, 1]}))
    with pytest.raises(TableError) as raised:
        check_rows(plans, "plan", ["start_date"], "plans")
    assert str(raised.value) == (
        "plans: 2 of 3 rows have no start_date. Complete them, or leave these rows out and say so. "
        "3 rows stand for 2 different plans. Keep one row per plan."
    )


def test_rows_of_several_kinds_are_counted_by_group_with_totals():
    rows = nw.from_native(pl.LazyFrame({"district": ["Dover", "Dover", "Swale"], "children": [1, 2, None]}))
    kinds = {"one": nw.col("children") == 1, "several": nw.col("children") > 1}
    assert count_rows(rows, ["district"], kinds, totals=True).rows() == [
        ("Dover", 1, 1),
        ("Swale", 0, 0),
        ("Total", 1, 1),
    ]
    assert count_rows(rows, [], kinds).rows() == [(1, 1)]
