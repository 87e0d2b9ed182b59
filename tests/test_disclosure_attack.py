"""What is suppressed stays hidden from a reader who tries all whole numbers; the reader is no part of the library.

Every table is small enough that `whole_number_reader` finds every block of whole numbers that agrees with what is
published. The threshold is 3: a small count is 1 or 2.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeguarding_analytics.disclosure import suppress
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.tables import TOTAL
from whole_number_reader import Reader, broken_promises

ORACLES = Path(__file__).parents[2] / "shared" / "data" / "disclosure" / "oracles.json"
needs_shared = pytest.mark.skipif(not ORACLES.exists(), reason="../shared is not beside the project")

SYMBOL = Policy(threshold=3)
POINT = Policy(threshold=3, protect="point")
ZEROS_HIDDEN = Policy(threshold=3, zeros="hidden")
ROUNDED = Policy(threshold=3, round=5)
POLICIES = st.sampled_from([SYMBOL, POINT, ZEROS_HIDDEN])


def laws(examples):
    return settings(max_examples=examples, deadline=None, derandomize=True)


def kinds_of(groups):
    """Every way to sum group columns away, each named by the columns that are left; all columns come first."""
    return [kept for size in range(len(groups), -1, -1) for kept in itertools.combinations(groups, size)]


def table_of(rows, kinds, without_zeros=False):
    """Innermost rows added up to every kind of row that is wanted, with "Total" where a column is summed away.

    The groups are the text columns of the rows. Without zeros, innermost rows of nothing but 0 are left out.
    """
    innermost = pl.DataFrame(rows)
    groups = [name for name, kind in innermost.schema.items() if kind == pl.String]
    numbers = [name for name in innermost.columns if name not in groups]
    pieces = []
    for kept in kinds:
        sums = [pl.col(number).sum() for number in numbers]
        piece = innermost.group_by(kept).agg(sums) if kept else innermost.select(sums)
        totals = [pl.lit(TOTAL).alias(group) for group in groups if group not in kept]
        pieces.append(piece.with_columns(totals).select(innermost.columns).sort(groups))
    table = pl.concat(pieces)
    if without_zeros:
        is_total = pl.any_horizontal(pl.lit(False), *(pl.col(group) == TOTAL for group in groups))
        table = table.filter(is_total | pl.any_horizontal(pl.col(number) > 0 for number in numbers))
    return table


def named(*sizes):
    """The cross of district, agency and quarter, as many of each as is said, as dictionaries."""
    columns = [("district", "D"), ("agency", "A"), ("quarter", "Q")][: len(sizes)]
    values = [[f"{letter}{n}" for n in range(1, size + 1)] for (_, letter), size in zip(columns, sizes, strict=True)]
    return [dict(zip((column for column, _ in columns), cell, strict=True)) for cell in itertools.product(*values)]


# Small counts and zeros more often than others, so that small totals come up too.
COUNT = st.sampled_from([0, 0, 1, 1, 2, 2, 3, 4, 5, 6]).map(lambda count: {"count": count})
PROPORTION = st.tuples(st.integers(0, 6), st.integers(0, 6)).map(
    lambda pair: {"numerator": min(pair), "denominator": max(pair)}
)


def attendance_of(as_booked, walk_ins, did_not_attend, cancelled):
    return {
        "registered": as_booked + did_not_attend + cancelled,
        "attended": as_booked + walk_ins,
        "walk_ins": walk_ins,
        "did_not_attend": did_not_attend,
        "cancelled": cancelled,
    }


def mean_change_of(n_up, n_same, n_down, only_before, only_after):
    pairs = n_up + n_same + n_down
    parts = {"n_up": n_up, "n_same": n_same, "n_down": n_down}
    return {"n_pairs": pairs, "n_pre": pairs + only_before, "n_post": pairs + only_after, **parts}


ATTENDANCE = st.builds(attendance_of, st.integers(0, 4), st.integers(0, 3), st.integers(0, 3), st.integers(0, 2))
MEAN_CHANGE = st.builds(mean_change_of, *[st.integers(0, 4)] * 3, *[st.integers(0, 3)] * 2)


def filled(counts, *sizes):
    """Innermost rows of a table of these sizes with drawn counts."""
    cells = named(*sizes)
    return st.lists(counts, min_size=len(cells), max_size=len(cells)).map(
        lambda drawn: [cell | count for cell, count in zip(cells, drawn, strict=True)]
    )


def some_kinds(*groups):
    """Totals and subtotals in every combination: one kind of row at least, the innermost rows among them or not."""
    kinds = kinds_of(groups)
    return st.sets(st.sampled_from(kinds), min_size=1).map(lambda chosen: [kind for kind in kinds if kind in chosen])


def with_estimates(table):
    """The table in full shape: a proportion, a mean change or shares of places beside its counts."""
    if "denominator" in table.columns:
        share = pl.when(pl.col("denominator") > 0).then(pl.col("numerator") / pl.col("denominator"))
        return table.with_columns(proportion=share, lower=share - 0.1, upper=share + 0.1)
    if "n_pairs" in table.columns:
        mean = pl.when(pl.col("n_pairs") > 0).then(1.5)
        return table.select("district", "n_pairs", mean.alias("mean_change"), pl.exclude("district", "n_pairs"))
    if "attended" in table.columns:
        everyone = table.filter(pl.col("district") != TOTAL)["attended"].sum()
        return table.with_columns(
            share_of_places=pl.col("attended") / everyone if everyone else pl.lit(None, pl.Float64)
        )
    return table


def leaks(tables, policy, within=(), **options):
    """What the reader learns from tables that were suppressed together."""
    together = {"within": within} if within else {}
    safes = suppress(tables, policy, **together, **options)
    return broken_promises(tables, [safe.frame() for safe in safes], policy, within)


# The reader itself: a reader who sees too little would find every table safe.


def oracle(name):
    return next(one for one in json.loads(ORACLES.read_text()) if one["name"] == name)


def cross(values, rows, columns):
    cells = [
        {"row": row, "column": column, "count": values[i][j]}
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
    ]
    return table_of(cells, kinds_of(["row", "column"]))


def with_hidden(table, cells):
    """The table with the counts of some cells hidden, and nothing else done to it."""
    place = pl.concat_list("row", "column")
    hidden = pl.any_horizontal(pl.lit(False), *(place == pl.lit(list(cell), pl.List(pl.String)) for cell in cells))
    return table.with_columns(count=pl.when(~hidden).then("count"))


@needs_shared
@pytest.mark.parametrize("name", ["handbook_area_sex", "handbook_marital_hours", "all_ones_trap", "all_ones_trap_y>=0"])
def test_reader_agrees_with_the_patterns_that_an_exhaustive_search_proved_to_be_the_smallest(name):
    # oracles.json: with each pattern no small count is known exactly; with one cell fewer one of them is.
    given_oracle = oracle(name)
    zeros = "shown" if given_oracle["zeros_public"] else "hidden"
    policy = Policy(threshold=given_oracle["threshold"], zeros=zeros, protect="point")
    table = cross(given_oracle["values"], given_oracle["rows"], given_oracle["cols"])
    primary = given_oracle["primary"]
    for pattern in given_oracle["min_point"]["patterns"]:
        assert broken_promises([table], [with_hidden(table, [*primary, *pattern])], policy) == []
        for left_out in range(len(pattern)):
            fewer = [*primary, *pattern[:left_out], *pattern[left_out + 1 :]]
            assert broken_promises([table], [with_hidden(table, fewer)], policy) != []


@needs_shared
def test_reader_falls_into_no_trap_of_ones_where_zeros_are_public():
    # oracles.json, all_ones_trap: a [c] is 1 or more, so two of them that add up to 2 are 1 and 1.
    trap = oracle("all_ones_trap")
    table = cross(trap["values"], trap["rows"], trap["cols"])
    naive = with_hidden(table, trap["primary"])
    reader = Reader([naive], Policy(threshold=6))
    assert [reader.values(number) for number in reader.hidden] == [[1]] * 4
    reader = Reader([naive], Policy(threshold=6, zeros="hidden"))
    assert [reader.values(number) for number in reader.hidden] == [[0, 1, 2]] * 4


@needs_shared
def test_reader_finds_the_published_intervals_of_geurts():
    # oracles.json, geurts1992_interval, of a reader who holds 0 possible.
    published = oracle("geurts1992_interval")["intervals"]
    table = cross([[3, 4], [3, 0], [3, 3]], "123", "12")  # any table with the margins 7, 3, 6 and 9, 7
    seen = with_hidden(table, itertools.product("12", "12"))
    reader = Reader([seen], Policy(threshold=1, zeros="hidden"))
    found = [reader.values(number) for number in reader.hidden]
    assert found == [list(range(int(low), int(high) + 1)) for low, high in published.values()]


@laws(30)
@given(filled(st.integers(0, 2).map(lambda count: {"count": count}), 2, 2), some_kinds("district", "agency"), st.data())
def test_reader_finds_what_plain_enumeration_finds(rows, kinds, data):
    table = table_of(rows, kinds)
    hidden = data.draw(st.lists(st.booleans(), min_size=table.height, max_size=table.height))
    seen = [None if flag else count for flag, count in zip(hidden, table["count"], strict=True)]
    # No shown count exceeds 8 and all are sums of 4 at most: 0 to 6 for each, to compare values up to 6, is enough.
    holds = [
        [(cell["district"], cell["agency"]) for cell in rows if covers(row, cell)]
        for row in table.select("district", "agency").iter_rows(named=True)
    ]
    cells = [(cell["district"], cell["agency"]) for cell in rows]
    possible = [set() for _ in seen]
    for counts in itertools.product(range(7), repeat=len(cells)):
        block = dict(zip(cells, counts, strict=True))
        other = [sum(block[cell] for cell in inside) for inside in holds]
        if all(one >= 1 if count is None else one == count for one, count in zip(other, seen, strict=True)):
            for values, one in zip(possible, other, strict=True):
                values.add(one)
    reader = Reader([table.with_columns(count=pl.Series(seen, dtype=pl.Int64))], Policy(threshold=1))
    found = {row: set(reader.values(number)) for number, (_, row, _) in reader.hidden.items()}
    assert {row: values & set(range(7)) for row, values in found.items()} == {
        row: values & set(range(7)) for row, values in enumerate(possible) if hidden[row]
    }


def covers(row, cell):
    return all(row[group] in (TOTAL, cell[group]) for group in row)


def test_reader_tells_a_rounded_number_from_an_exact_one():
    # 10 - 5 is 5; rounded to 5 they are 8 to 12 and 3 to 7.
    table = pl.DataFrame({"agency": ["A", "B", TOTAL], "count": [None, 5, 10]})
    exact, rounded = Reader([table], SYMBOL), Reader([table], ROUNDED)
    assert [reader.values(number) for reader in (exact, rounded) for number in reader.hidden] == [
        [5],
        [1, 2, 3, 4, 5, 6, 7, 8, 9],
    ]


def test_reader_works_out_all_places_from_one_share():
    # 4 ÷ 0.25 = 16 attended, so that 16 - 4 - 10 = 2 of agency C did.
    table = pl.DataFrame(
        {
            "district": ["A", "B", "C"],
            "registered": [4, 10, None],
            "attended": [4, 10, None],
            "walk_ins": [0, 0, None],
            "did_not_attend": [0, 0, None],
            "cancelled": [0, 0, None],
            "share_of_places": [0.25, 0.625, None],
        }
    )
    reader = Reader([table], SYMBOL)
    found = {column: reader.values(number) for number, (_, _, column) in reader.hidden.items()}
    assert found["attended"] == [2]
    assert found["walk_ins"] == [0, 1, 2]


def test_reader_knows_that_districts_add_up_to_the_areas_they_lie_in():
    districts = pl.DataFrame({"district": ["D1", "D2", "D3"], "count": [None, 6, 9]})
    areas = pl.DataFrame({"area": ["north", "south"], "count": [7, 9]})
    lookup = pl.DataFrame({"district": ["D1", "D2", "D3"], "area": ["north", "north", "south"]})
    reader = Reader([districts, areas], SYMBOL, [lookup])
    assert [reader.values(number) for number in reader.hidden] == [[1]]


@pytest.mark.parametrize("kinds", [kinds_of(["district", "agency"]), [("district", "agency"), ()]])
def test_reader_breaks_a_table_with_only_its_small_counts_hidden(kinds):
    # 20 - 4 - 5 - 6 - 4 = 1, from all margins or from the grand total alone.
    rows = [cell | {"count": count} for cell, count in zip(named(2, 2), [1, 5, 6, 4], strict=True)]
    table = table_of(rows, kinds)
    naive = table.with_columns(count=pl.when(~pl.col("count").is_between(1, 2)).then("count"))
    assert broken_promises([table], [naive], SYMBOL) == ["table 1, district=D1, agency=A1: count can only be [1]"]


# (a) counts


@laws(30)
@given(st.integers(1, 5).flatmap(lambda size: filled(COUNT, size)), some_kinds("district"), st.booleans(), POLICIES)
def test_counts_in_one_column_keep_the_promise(rows, kinds, without_zeros, policy):
    table = table_of(rows, kinds, without_zeros and policy.zeros == "shown")
    assert leaks([table], policy) == []


@laws(30)
@given(st.sampled_from([(2, 2), (2, 3), (3, 3)]).flatmap(lambda sizes: filled(COUNT, *sizes)), st.booleans(), POLICIES)
def test_counts_in_two_columns_with_all_margins_keep_the_promise(rows, without_zeros, policy):
    table = table_of(rows, kinds_of(["district", "agency"]), without_zeros and policy.zeros == "shown")
    assert leaks([table], policy) == []


@laws(45)
@given(
    st.sampled_from([(2, 2), (2, 3), (3, 3)]).flatmap(lambda sizes: filled(COUNT, *sizes)),
    some_kinds("district", "agency"),
    POLICIES,
)
def test_counts_in_two_columns_with_some_margins_keep_the_promise(rows, kinds, policy):
    assert leaks([table_of(rows, kinds)], policy) == []


@laws(25)
@given(filled(COUNT, 2, 2, 2), POLICIES)
def test_counts_in_three_columns_with_all_margins_keep_the_promise(rows, policy):
    assert leaks([table_of(rows, kinds_of(["district", "agency", "quarter"]))], policy) == []


@laws(45)
@given(filled(COUNT, 2, 2, 2), some_kinds("district", "agency", "quarter"), POLICIES)
def test_counts_in_three_columns_with_some_margins_keep_the_promise(rows, kinds, policy):
    assert leaks([table_of(rows, kinds)], policy) == []


@laws(15)
@given(filled(COUNT, 2, 3), some_kinds("district", "agency"), POLICIES)
def test_the_fewest_hidden_counts_keep_the_promise(rows, kinds, policy):
    assert leaks([table_of(rows, kinds)], policy, effort="exact") == []


@pytest.mark.parametrize("policy", [SYMBOL, POINT, ZEROS_HIDDEN])
def test_subtotals_by_two_columns_give_each_other_away_without_their_grand_total(policy):
    # 4 + 3 of the agencies less 6 of district D2 is 1 in D1, although no row says 7.
    rows = [cell | {"count": count} for cell, count in zip(named(2, 2), [1, 0, 3, 3], strict=True)]
    assert leaks([table_of(rows, [("district",), ("agency",)])], policy) == []


def linked(rows, *tables):
    """Tables of the same people, each by other columns and with its own kinds of rows."""
    people = pl.DataFrame(rows)
    return [
        table_of(people.group_by(columns).agg(pl.col("count").sum()).sort(columns), kinds) for columns, kinds in tables
    ]


@laws(25)
@given(filled(COUNT, 2, 2, 2), POLICIES)
def test_two_linked_tables_with_all_margins_keep_the_promise(rows, policy):
    by = ["district", "agency"], ["district", "quarter"]
    assert leaks(linked(rows, *((columns, kinds_of(columns)) for columns in by)), policy) == []


@laws(45)
@given(filled(COUNT, 2, 2, 2), some_kinds("district", "agency"), some_kinds("district", "quarter"), POLICIES)
def test_two_linked_tables_with_some_margins_keep_the_promise(rows, kinds, other_kinds, policy):
    by = (["district", "agency"], kinds), (["district", "quarter"], other_kinds)
    assert leaks(linked(rows, *by), policy) == []


@laws(25)
@given(filled(COUNT, 2, 2, 2), st.booleans(), POLICIES)
def test_three_tables_linked_in_a_ring_keep_the_promise(rows, with_margins, policy):
    # Numbers that agree table by table need not be margins of any whole block of three ways.
    by = ["district", "agency"], ["district", "quarter"], ["agency", "quarter"]
    tables = linked(rows, *((columns, kinds_of(columns)[: None if with_margins else 1]) for columns in by))
    assert leaks(tables, policy) == []


@laws(20)
@given(filled(st.integers(3, 6).map(lambda count: {"count": count}), 2, 2), some_kinds("district", "agency"))
def test_table_without_small_counts_is_shown_whole(rows, kinds):
    assert suppress(table_of(rows, kinds), SYMBOL).hidden == 0


# (b) proportions


@laws(30)
@given(st.integers(1, 4).flatmap(lambda size: filled(PROPORTION, size)), some_kinds("district"), POLICIES)
def test_proportions_in_one_column_keep_the_promise(rows, kinds, policy):
    assert leaks([with_estimates(table_of(rows, kinds))], policy) == []


@laws(30)
@given(filled(PROPORTION, 2, 2), some_kinds("district", "agency"), POLICIES)
def test_proportions_in_two_columns_keep_the_promise(rows, kinds, policy):
    assert leaks([with_estimates(table_of(rows, kinds))], policy) == []


def test_proportions_by_two_columns_give_each_other_away_without_their_grand_total():
    # Denominators 10 + 6 of the agencies less 12 of district D2 are 4, numerators 4 + 3 - 6 are 1.
    counts = [(1, 4), (0, 0), (3, 6), (3, 6)]
    rows = [cell | {"numerator": n, "denominator": of} for cell, (n, of) in zip(named(2, 2), counts, strict=True)]
    assert leaks([with_estimates(table_of(rows, [("district",), ("agency",)]))], SYMBOL) == []


# (c) attendance


@laws(30)
@given(st.integers(1, 4).flatmap(lambda size: filled(ATTENDANCE, size)), some_kinds("district"), POLICIES)
def test_attendance_keeps_the_promise(rows, kinds, policy):
    assert leaks([table_of(rows, kinds)], policy) == []


@laws(30)
@given(st.integers(1, 4).flatmap(lambda size: filled(ATTENDANCE, size)), st.booleans(), POLICIES)
def test_attendance_with_shares_of_places_keeps_the_promise(rows, with_total, policy):
    table = with_estimates(table_of(rows, kinds_of(["district"])[: 1 + with_total]))
    assert leaks([table], policy) == []


# (d) mean changes


@laws(30)
@given(
    st.integers(1, 4).flatmap(lambda size: filled(MEAN_CHANGE, size)),
    some_kinds("district"),
    st.sampled_from([1, 10]),
    POLICIES,
)
def test_mean_changes_keep_the_promise(rows, kinds, minimum_mean, policy):
    told = Policy(3, zeros=policy.zeros, protect=policy.protect, minimum_mean=minimum_mean)
    assert leaks([with_estimates(table_of(rows, kinds))], told) == []


def test_few_answers_after_beyond_the_pairs_are_protected_from_their_total():
    # D1: 4 answered after and 3 both times, so that 1 answered only after; D2: 11 and 8. The total says 15.
    rows = [{"district": "D1"} | mean_change_of(0, 3, 0, 0, 1), {"district": "D2"} | mean_change_of(0, 8, 0, 0, 3)]
    assert leaks([with_estimates(table_of(rows, kinds_of(["district"])))], SYMBOL) == []


# (e) districts within areas


def in_areas(areas):
    """Districts D1, D2, … with the area that each lies in."""
    return pl.DataFrame({"district": [f"D{n}" for n in range(1, len(areas) + 1)], "area": areas})


AREAS = st.lists(st.sampled_from(["north", "south", "west"]), min_size=2, max_size=5).map(in_areas)


@laws(30)
@given(AREAS, st.data(), some_kinds("area", "district"), POLICIES)
def test_districts_and_areas_in_one_table_keep_the_promise(lookup, data, kinds, policy):
    drawn = data.draw(st.lists(st.integers(0, 6), min_size=lookup.height, max_size=lookup.height))
    rows = lookup.select("area", "district").with_columns(count=pl.Series(drawn, dtype=pl.Int64))
    assert leaks([table_of(rows, kinds)], policy) == []


@laws(30)
@given(AREAS, st.data(), some_kinds("district"), some_kinds("area"), POLICIES)
def test_districts_and_areas_in_two_tables_keep_the_promise(lookup, data, kinds, area_kinds, policy):
    drawn = data.draw(st.lists(st.integers(0, 6), min_size=lookup.height, max_size=lookup.height))
    people = lookup.with_columns(count=pl.Series(drawn, dtype=pl.Int64))
    by_area = people.group_by("area").agg(pl.col("count").sum()).sort("area")
    tables = [table_of(people.drop("area"), kinds), table_of(by_area, area_kinds)]
    assert leaks(tables, policy, within=[lookup]) == []


@laws(30)
@given(AREAS, st.data(), some_kinds("district", "agency"), some_kinds("area", "agency"), POLICIES)
def test_districts_and_areas_by_agency_keep_the_promise(lookup, data, kinds, area_kinds, policy):
    people = pl.DataFrame(data.draw(filled(COUNT, lookup.height, 2))).join(lookup, on="district")
    by_area = people.group_by("area", "agency").agg(pl.col("count").sum()).sort("area", "agency")
    tables = [table_of(people.drop("area"), kinds), table_of(by_area, area_kinds)]
    assert leaks(tables, policy, within=[lookup]) == []


@laws(30)
@given(st.lists(st.integers(0, 6), min_size=4, max_size=4), st.integers(2, 3), some_kinds("quarter"), POLICIES)
def test_windows_that_overlap_keep_the_promise(counts, length, kinds, policy):
    quarters = pl.DataFrame({"quarter": ["Q1", "Q2", "Q3", "Q4"], "count": counts})
    starts = range(4 - length + 1)
    windows = [(f"Q{start + n + 1}", f"from Q{start + 1}") for start in starts for n in range(length)]
    lookup = pl.DataFrame(windows, schema=["quarter", "window"], orient="row")
    rolling = quarters.join(lookup, on="quarter").group_by("window").agg(pl.col("count").sum()).sort("window")
    assert leaks([table_of(quarters, kinds), rolling], policy, within=[lookup]) == []


@laws(30)
@given(st.lists(st.integers(0, 6), min_size=4, max_size=4), st.data(), POLICIES)
def test_old_and_new_areas_together_keep_the_promise(counts, data, policy):
    # No districts are published, but everybody knows which moved from one area to the other.
    old, new = (data.draw(st.lists(st.sampled_from("NS"), min_size=4, max_size=4)) for _ in range(2))
    lookup = in_areas(new).with_columns(old_area=pl.Series(old))
    people = lookup.with_columns(count=pl.Series(counts, dtype=pl.Int64))
    tables = [people.group_by(by).agg(pl.col("count").sum()).sort(by) for by in ("area", "old_area")]
    assert leaks(tables, policy, within=[lookup]) == []


# (f) rounded numbers


@laws(30)
@given(st.sampled_from([(2, 2), (2, 3)]).flatmap(lambda sizes: filled(COUNT, *sizes)), some_kinds("district", "agency"))
def test_rounded_counts_keep_the_promise(rows, kinds):
    table = table_of(rows, kinds)
    shown = suppress(table, ROUNDED).frame()["count"]
    # The nearest multiple of 5, each number by itself.
    nearest = [None if seen is None else 5 * round(true / 5) for true, seen in zip(table["count"], shown, strict=True)]
    assert shown.to_list() == nearest
    assert leaks([table], ROUNDED) == []


@laws(30)
@given(st.integers(1, 4).flatmap(lambda size: filled(PROPORTION, size)), some_kinds("district"))
def test_rounded_proportions_keep_the_promise(rows, kinds):
    assert leaks([with_estimates(table_of(rows, kinds))], ROUNDED) == []


@laws(20)
@given(filled(PROPORTION, 4))
def test_rows_that_show_the_same_rounded_counts_show_the_same_proportion_and_interval(rows):
    # Else the unrounded counts would show through.
    shown = suppress(with_estimates(table_of(rows, [("district",)])), ROUNDED).frame().drop("district")
    assert shown.n_unique() == shown.select("numerator", "denominator", "mark").n_unique()
