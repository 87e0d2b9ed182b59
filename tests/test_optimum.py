"""The fewest hidden cells, proven; and the pattern of last period, kept where it still protects."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics import optimum
from safeguarding_analytics.auditing import audit
from safeguarding_analytics.disclosure import Policy, already_public, suppress
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.ledger import open_ledger, sheet_of
from safeguarding_analytics.protection import protect
from safeguarding_analytics.shapes import COUNT
from safeguarding_analytics.systems import Promise, write_down
from safeguarding_analytics.tables import TOTAL

SHARED = Path(__file__).parents[2] / "shared"
DATA = SHARED / "data" / "disclosure"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not beside the project")
POINT = Policy(protect="point")
SYMBOL = Policy()


def with_totals(table, groups, columns=("count",)):
    """All margins of a table, written out: every subset of group columns summed away."""
    pieces = []
    for size in range(len(groups) + 1):
        for summed in itertools.combinations(groups, size):
            kept = [group for group in groups if group not in summed]
            sums = [pl.col(column).sum() for column in columns]
            piece = table.group_by(kept).agg(sums) if kept else table.select(sums)
            piece = piece.with_columns(pl.lit(TOTAL).alias(group) for group in summed)
            pieces.append(piece.select(*groups, *columns))
    return pl.concat(pieces).sort(groups)


def cross(values, rows=None, columns=None):
    """A two-way count table with its totals."""
    rows = rows or [f"r{number}" for number in range(1, len(values) + 1)]
    columns = columns or [f"c{number}" for number in range(1, len(values[0]) + 1)]
    cells = [(row, column, values[i][j]) for i, row in enumerate(rows) for j, column in enumerate(columns)]
    return with_totals(pl.DataFrame(cells, schema=["row", "column", "count"], orient="row"), ["row", "column"])


def listed(**counts):
    """A list of agencies with its total."""
    schema = {"agency": pl.String, "count": pl.Int64}
    return with_totals(pl.DataFrame(list(counts.items()), schema=schema, orient="row"), ["agency"])


def board(name, *groups):
    return with_totals(pl.read_csv(DATA / f"{name}.csv").rename({"n": "count"}), list(groups))


def oracle(name):
    return next(one for one in json.loads((DATA / "oracles.json").read_text()) if one["name"] == name)


def complementary(table, safe):
    """Hidden cells that are not small."""
    return safe.hidden - sum(map(safe.policy.hides, table["count"].to_list()))


def hidden_in(safe):
    frame = safe.frame()
    return frame.filter(pl.col("mark") != "").select(safe.shape.group_columns(frame.columns)).rows()


@needs_shared
@pytest.mark.parametrize(
    ("name", "protect"),
    [
        ("handbook_area_sex", "point"),
        ("handbook_area_sex", "symbol"),
        ("handbook_marital_hours", "point"),
        ("one_way_two_small", "point"),
        ("one_way_two_small", "symbol"),
        ("all_ones_trap", "point"),
        ("all_ones_trap", "symbol"),
        ("all_ones_trap_y>=0", "point"),
    ],
)
def test_exact_effort_hides_the_proven_minimum_of_every_oracle(name, protect):
    # oracles.json: minima and all patterns of that size, by exhaustive search.
    known = oracle(name)
    table = cross(known["values"], known["rows"], known["cols"])
    zeros = "shown" if known["zeros_public"] else "hidden"
    safe = suppress(table, Policy(known["threshold"], zeros=zeros, protect=protect), effort="exact")
    minimum = known[f"min_{protect}"]
    assert complementary(table, safe) == minimum["secondary"]
    further = {cell for cell in hidden_in(safe) if list(cell) not in known["primary"]}
    assert further in [{tuple(cell) for cell in pattern} for pattern in minimum["patterns"]]
    assert audit([safe]).is_empty()


@needs_shared
def test_one_sensitive_cell_of_fischetti_and_salazar_needs_three_others():
    # oracles.json, fischetti_salazar_3x3: the cell (II, C) is sensitive by its subject, not by its size.
    known = oracle("fischetti_salazar_3x3")
    table = cross(known["values"], known["rows"], known["cols"])
    promise = Promise(known["threshold"], zeros_shown=known["zeros_public"], exact_only=True)
    written = write_down(open_ledger([sheet_of(table, "t", COUNT)]), promise)
    cells = [tuple(value for _, value in cell) for cell, _ in written.names]
    system = written.system.knowing([cell == ("II", "C") for cell in cells])
    found = optimum.fewest(system, protect(system))
    further = {cell for cell, flag in zip(cells, found[: len(cells)], strict=True) if flag} - {("II", "C")}
    assert further in [{tuple(cell) for cell in pattern} for pattern in known["min_point"]["patterns"]]


@needs_shared
@pytest.mark.parametrize(
    ("name", "groups", "protect", "fewest"),
    [
        ("board_12x10", ["district", "agency"], "point", 4),
        ("board_12x10", ["district", "agency"], "symbol", 5),
        ("board_12x10x4", ["district", "agency", "quarter"], "point", 36),
    ],
)
def test_exact_effort_finds_the_optimum_of_the_boards(name, groups, protect, fewest):
    # research/disclosure.md, section 4: exact MILP; for "point" equal to sdcTable OPT.
    table = board(name, *groups)
    safe = suppress(table, Policy(protect=protect), effort="exact")
    assert complementary(table, safe) == fewest
    assert audit([safe]).is_empty()


@needs_shared
def test_exact_effort_depends_on_no_order_of_rows():
    table = board("board_12x10", "district", "agency")
    expected = suppress(table, POINT, effort="exact").frame()
    order = np.random.default_rng(7).permutation(table.height)
    assert_frame_equal(suppress(table[order], POINT, effort="exact").frame(), expected[order])


LEAVES = np.array(list(itertools.product(range(11), repeat=4)))
EVERY_TABLE = np.column_stack(
    [
        LEAVES,
        LEAVES[:, [0, 1]].sum(axis=1),
        LEAVES[:, [2, 3]].sum(axis=1),
        LEAVES[:, [0, 2]].sum(axis=1),
        LEAVES[:, [1, 3]].sum(axis=1),
        LEAVES.sum(axis=1),
    ]
)
PARTS = [[0], [1], [2], [3], [0, 1], [2, 3], [0, 2], [1, 3], [0, 1, 2, 3]]


def fewest_by_search(values, point):
    """Complementary cells of the smallest safe pattern of a 2 × 2 table with totals, threshold 3, zeros shown.

    Every pattern is tried, the smallest first, and every table of counts up to 10 that agrees with what it shows.
    """
    true = np.array([sum(values[leaf] for leaf in parts) for parts in PARTS])
    small = {cell for cell in range(9) if 0 < true[cell] < 3}
    others = [cell for cell in range(9) if true[cell] >= 3]

    def is_safe(hidden):
        shown = [cell for cell in range(9) if cell not in hidden]
        possible = EVERY_TABLE[(EVERY_TABLE[:, shown] == true[shown]).all(axis=1)]
        possible = possible[(possible[:, sorted(hidden)] >= 1).all(axis=1)]
        for cell in hidden:
            first = max(1, sum(values[leaf] > 0 for leaf in PARTS[cell]))
            promised = {first, max(2, first + 1)} if cell in small and not point else set()
            found = set(possible[:, cell].tolist())
            if len(found) < 2 or not promised <= found:
                return False
        return True

    for size in range(len(others) + 1):
        if any(is_safe(small | set(further)) for further in itertools.combinations(others, size)):
            return size
    return None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=4, max_size=4), st.sampled_from(["point", "symbol"]))
def test_no_smaller_pattern_is_safe_when_all_are_tried(values, protect):
    table = cross([values[:2], values[2:]])
    safe = suppress(table, Policy(threshold=3, protect=protect), effort="exact")
    assert complementary(table, safe) == fewest_by_search(values, protect == "point")


def proportion_table(rows):
    table = pl.DataFrame(rows, schema=["agency", "numerator", "denominator"], orient="row")
    table = with_totals(table, ["agency"], ["numerator", "denominator"])
    return table.with_columns(proportion=pl.col("numerator") / pl.col("denominator"))


def test_exact_effort_hides_whole_rows_and_lets_no_zero_protect():
    # 3 + 0 would leave 0 to 3 for A; 3 + 30 leaves 0 to 33, and 50 + 60 its denominator.
    table = proportion_table([("A", 3, 50), ("B", 0, 40), ("C", 30, 60)])
    safe = suppress(table, SYMBOL, effort="exact")
    assert hidden_in(safe) == [("A",), ("C",)]
    assert safe.frame().filter(pl.col("mark") != "").select("numerator", "denominator").null_count().row(0) == (2, 2)


def test_exact_effort_finds_the_one_row_that_gives_small_numerators_room():
    # Small are A (2 of 6) and D (0 of 1). With B or F (none of 12, of 6) hidden, 2 is left for three numerators, and A
    # cannot be 3. With C, 2 + 8 + 0 = 10 and 6 + 12 + 1 = 19 are left: A can be 1 to 3, and D have 0 to 3 of 1 to 3.
    table = proportion_table([("A", 2, 6), ("B", 0, 12), ("C", 8, 12), ("D", 0, 1), ("E", 0, 0), ("F", 0, 6)])
    safe = suppress(table, Policy(threshold=4), effort="exact")
    assert hidden_in(safe) == [("A",), ("C",), ("D",)]
    assert audit([safe]).is_empty()


def test_exact_effort_hides_the_parts_of_a_mean_change_without_its_row():
    counts = ["n_pairs", "n_pre", "n_post", "n_up", "n_same", "n_down"]
    rows = [("few", 20, 30, 30, 16, 2, 2), ("more", 30, 40, 40, 10, 10, 10), ("most", 60, 70, 70, 20, 20, 20)]
    table = with_totals(pl.DataFrame(rows, schema=["course", *counts], orient="row"), ["course"], counts)
    table = table.with_columns(mean_change=pl.lit(1.0)).select("course", "n_pairs", "mean_change", *counts[1:])
    safe = suppress(table, SYMBOL, effort="exact")
    # The parts of one other row (or of the total) must go as well, and nothing else.
    assert safe.frame().null_count().select(counts).row(0) == (0, 0, 0, 2, 2, 2)
    assert audit([safe]).is_empty()


def test_exact_effort_protects_linked_tables_together():
    quarters = pl.DataFrame(
        {
            "district": ["D1"] * 4 + ["D2"] * 4,
            "quarter": ["Q1", "Q2", "Q3", "Q4"] * 2,
            "count": [9, 8, 7, 1, 9, 9, 9, 9],
        }
    )
    year = quarters.group_by("district").agg(pl.col("count").sum()).sort("district")
    safes = suppress([quarters, year], SYMBOL, effort="exact")
    # One cell beside the 1 is enough: another quarter of D1, or its year.
    assert sum(safe.hidden for safe in safes) == 2
    assert audit(safes).is_empty()


@pytest.mark.parametrize("table", [listed(), listed(A=0, B=0), listed(A=40), listed(A=2)])
def test_exact_effort_hides_nothing_more_where_nothing_more_is_needed(table):
    safe = suppress(table, SYMBOL, effort="exact")
    assert complementary(table, safe) == 0


def test_exact_effort_leaves_a_ranking_as_it_is():
    table = pl.DataFrame({"issue": ["neglect"], "score": [2], "rank": [1], "n_ballots": [3]})
    assert suppress(table, SYMBOL, effort="exact").hidden == 0


def test_exact_effort_is_refused_above_a_thousand_counts():
    agencies = pl.DataFrame({"agency": [f"A{number}" for number in range(1001)], "count": [40] * 1001})
    assert suppress(agencies[:1000], SYMBOL, effort="exact").hidden == 0
    with pytest.raises(ParameterError, match=r'^1,001 counts are too many .* at most 1,000. Use effort="greedy"'):
        suppress(agencies, SYMBOL, effort="exact")


def test_search_that_is_given_up_says_so(monkeypatch):
    monkeypatch.setattr(optimum, "MOST_ROUNDS", 1)
    with pytest.raises(ParameterError, match="cannot be proven"):
        suppress(cross([[3, 12, 9], [8, 2, 30]]), SYMBOL, effort="exact")


@pytest.mark.parametrize(("effort", "hint"), [("exakt", 'Did you mean "exact"?'), ("Greedy", '"greedy"?'), (3, "3.")])
def test_unknown_effort_is_refused_with_the_nearest(effort, hint):
    with pytest.raises(ParameterError, match=r"^effort must be") as error:
        suppress(listed(A=3, B=40), SYMBOL, effort=effort)
    assert str(error.value).endswith(hint)


@pytest.mark.parametrize("effort", ["greedy", "exact"])
def test_pattern_that_still_protects_is_kept(effort):
    before = suppress(listed(A=3, B=10, C=40), SYMBOL, effort=effort)
    assert hidden_in(before) == [("A",), ("C",)]
    now = listed(A=4, B=45, C=38)
    # B has become the largest, and would be taken: without last period both A + B and A + C protect.
    assert hidden_in(suppress(now, SYMBOL, effort=effort)) == [("A",), ("B",)]
    assert hidden_in(suppress(now, SYMBOL, effort=effort, previous=before)) == [("A",), ("C",)]


@needs_shared
@pytest.mark.parametrize("protect", ["point", "symbol"])
def test_board_whose_large_counts_change_a_little_keeps_its_pattern(protect):
    groups = ["district", "agency"]
    innermost = pl.read_csv(DATA / "board_12x10.csv").rename({"n": "count"}).sort(groups)
    policy = Policy(protect=protect)
    before = suppress(with_totals(innermost, groups), policy, effort="exact")
    # Every count of 10 or more moves by up to 3: which cells are small stays as it was.
    change = np.random.default_rng(11).integers(-3, 4, innermost.height)
    large = pl.col("count") >= 10
    changed = innermost.with_columns(pl.when(large).then(pl.col("count") + change).otherwise("count"))
    now = with_totals(changed, groups)
    assert hidden_in(suppress(now, policy)) != hidden_in(before)
    after = suppress(now, policy, previous=before)
    assert hidden_in(after) == hidden_in(before)
    assert audit([after]).is_empty()


@pytest.mark.parametrize("effort", ["greedy", "exact"])
def test_pattern_that_no_longer_protects_is_not_kept(effort):
    before = suppress(listed(A=3, B=10, C=40), SYMBOL)
    assert hidden_in(before) == [("A",), ("C",)]
    # A public zero protects nobody.
    emptied = suppress(listed(A=3, B=10, C=0), SYMBOL, effort=effort, previous=before)
    # 1 + 1 = 2 leaves nothing but 1 and 1.
    ones = suppress(listed(A=1, B=50, C=1), SYMBOL, effort=effort, previous=before)
    for safe, expected in ((emptied, [("A",), ("B",)]), (ones, [("A",), ("B",), ("C",)])):
        assert hidden_in(safe) == expected
        assert audit([safe]).is_empty()


@settings(max_examples=30, deadline=None)
@given(*[st.lists(st.integers(0, 12), min_size=6, max_size=6)] * 2)
def test_no_pattern_of_last_period_makes_a_table_unsafe(earlier, later):
    before = suppress(cross([earlier[:3], earlier[3:]]), SYMBOL)
    after = suppress(cross([later[:3], later[3:]]), SYMBOL, previous=before)
    assert audit([after]).is_empty()


def test_pattern_of_last_period_hides_nothing_that_needs_no_hiding():
    before = suppress(listed(A=3, B=10, C=40), SYMBOL)
    assert suppress(listed(A=30, B=10, C=40), SYMBOL, previous=before).hidden == 0


def test_pattern_is_kept_across_tables_with_other_group_columns():
    before = suppress(listed(A=3, B=10, C=40), SYMBOL)
    # The same agencies, now by half-year: a group column the earlier table lacked is a total there.
    halves = [(agency, half, count) for agency, count in (("A", 7), ("B", 40), ("C", 30)) for half in ("H1", "H2")]
    by_half = with_totals(pl.DataFrame(halves, schema=["agency", "half", "count"], orient="row"), ["agency", "half"])
    now = listed(A=4, B=45, C=38)
    assert suppress(by_half, SYMBOL, previous=before).hidden == 0
    wide = now.with_columns(half=pl.lit(TOTAL)).select("agency", "half", "count")
    assert hidden_in(suppress(wide, SYMBOL, previous=[before])) == [("A", TOTAL), ("C", TOTAL)]


def test_published_table_of_last_year_will_do_as_the_previous():
    marked = pl.DataFrame({"agency": ["A", "B", "C"], "count": [None, 10, None], "mark": ["*", "", "*"]})
    before = already_public(marked.cast({"count": pl.Int64}), "last year's report")
    assert hidden_in(suppress(listed(A=4, B=45, C=38), SYMBOL, previous=before)) == [("A",), ("C",)]


def test_previous_table_of_another_shape_changes_nothing():
    table = listed(A=4, B=45, C=38)
    before = suppress(proportion_table([("A", 3, 50), ("B", 10, 60), ("C", 30, 60)]), SYMBOL)
    assert_frame_equal(suppress(table, SYMBOL, previous=before).frame(), suppress(table, SYMBOL).frame())
    assert_frame_equal(suppress(table, SYMBOL, previous=[]).frame(), suppress(table, SYMBOL).frame())


@pytest.mark.parametrize("previous", [listed(A=3, B=40), [listed(A=3, B=40)], "last year"])
def test_previous_table_that_was_not_made_safe_is_refused(previous):
    with pytest.raises(ParameterError, match="previous must be"):
        suppress(listed(A=3, B=40), SYMBOL, previous=previous)
