"""Lookups speak of groups in the words in which tables are compared."""

from datetime import date, datetime

import polars as pl
import pytest

from safeguarding_analytics.dimensions import read_lookups, values_of
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.tables import TOTAL


@pytest.mark.parametrize(
    "groups",
    [
        pl.Series([True, False]),
        pl.Series([datetime(2025, 3, 31, 9), datetime(2025, 3, 31, 10)]),
        pl.Series([date(2025, 3, 31), date(2026, 3, 31)]),
        pl.Series([1.0, 1e20]),
        pl.Series([1, 2]),
        pl.Series(["A", "B"], dtype=pl.Categorical),
    ],
    ids=lambda groups: str(groups.dtype),
)
def test_values_of_a_lookup_are_those_of_the_rows_of_a_table(groups):
    ((finest, lookup),) = read_lookups(pl.DataFrame({"group": groups, "outer": ["X", "X"]}))
    assert finest == "group"
    assert lookup == {"outer": {"X": frozenset(values_of(groups.to_list()))}}


@pytest.mark.parametrize("within", [None, (), []])
def test_no_lookup_is_given(within):
    assert read_lookups(within) == []


@pytest.mark.parametrize("value", [None, TOTAL])
def test_lookup_with_a_missing_value_or_a_total_is_refused(value):
    with pytest.raises(ParameterError, match=f'^within: area has rows without a value, or with "{TOTAL}"'):
        read_lookups(pl.DataFrame({"district": ["D1", "D2"], "area": ["A", value]}))
