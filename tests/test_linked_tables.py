"""Ten linked tables, each safe alone: what they give away together, and that protecting them together ends it.

What is right is said by `linked_tables`, a reader that is written without the library, or by arithmetic in a comment.
"""

from __future__ import annotations

import itertools
import re

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from linked_tables import (
    ATOMS,
    THRESHOLD,
    TOTAL,
    Leak,
    Reader,
    broken_promises,
    children,
    from_words,
    groups_of,
    hidden_leaks,
    in_words,
    lookup,
    mask_of,
    published_cells,
    small_differences,
    small_unpublished,
    ten_tables,
    true_count,
)
from safeguarding_analytics import Policy, audit, suppress

POLICY = Policy.dfe()


def found_by(**tables):
    """The audit of some tables, with its full effort and the lookup of districts."""
    return audit(tables, within=lookup(), effort="full")


def named_in(sentence, tables):
    """The tables that a sentence names."""
    return {name for name in tables if re.search(rf"\b{name}\b", sentence)}


def district_list(counts, total, **columns):
    """One row per district D01, D02, ... and their total; further columns stand before it."""
    names = [f"D{number:02d}" for number in range(1, len(counts) + 1)]
    frame = pl.DataFrame({"district": [*names, TOTAL], "count": [*counts, total]})
    return frame.select(*(pl.lit(value).alias(column) for column, value in columns.items()), pl.all())


def marked(frame):
    """A plain table as somebody else published it: the mark wherever a number is missing."""
    missing = pl.any_horizontal(pl.all().is_null())
    return frame.with_columns(mark=pl.when(missing).then(pl.lit("[c]")).otherwise(pl.lit("")))


def hidden_places(safe):
    """The group values of hidden rows, whatever the period is."""
    frame = safe.frame()
    groups = [group for group in groups_of(frame) if group != "time_period"]
    return set(frame.filter(pl.col("count").is_null()).select(groups).rows())


@pytest.fixture(scope="module")
def truth():
    return children()


@pytest.fixture(scope="module")
def tables(truth):
    return ten_tables(truth)


@pytest.fixture(scope="module")
def each_alone(tables):
    return {name: suppress(table, POLICY) for name, table in tables.items()}


@pytest.fixture(scope="module")
def published_alone(each_alone):
    return {name: safe.frame() for name, safe in each_alone.items()}


@pytest.fixture(scope="module")
def leaks(published_alone):
    return hidden_leaks(published_alone)


@pytest.fixture(scope="module")
def unprinted(published_alone):
    return small_unpublished(published_alone)


@pytest.fixture(scope="module")
def found(each_alone):
    return found_by(**each_alone)


@pytest.fixture(scope="module")
def together(tables):
    return dict(zip(tables, suppress(list(tables.values()), POLICY, within=lookup()), strict=True))


@pytest.fixture(scope="module")
def published_together(together):
    return {name: safe.frame() for name, safe in together.items()}


@pytest.fixture(scope="module")
def unprinted_together(published_together):
    return small_unpublished(published_together)


# The reader of the tests


def test_reader_of_the_tests_finds_what_arithmetic_finds():
    # 45 - 4 × 10 = 5 for two hidden districts of 1 or more: each has 1 to 4.
    year = marked(district_list([None, None, 10, 10, 10, 10], 45))
    assert hidden_leaks({"year": year}) == [Leak("year", "district=D01", 1, 4), Leak("year", "district=D02", 1, 4)]
    # North 2019 is D01 to D03, and 15 - 10 is 5 again.
    old = pl.DataFrame({"old_area": ["North 2019"], "count": [15], "mark": [""]})
    assert hidden_leaks({"year": year, "old": old}) == hidden_leaks({"year": year})
    # Of a total of 45 rounded to 40 (35 to 45) is left what was left of 45; of one rounded to 50 (45 to 55) up to 15.
    forty, fifty = (year.with_columns(count=pl.col("count").replace(45, rounded)) for rounded in (40, 50))
    total = pl.col("district") == TOTAL
    exact = year.filter(~total)
    assert len(hidden_leaks({"year": exact, "rounded": forty.filter(total)}, {"rounded": 10})) == 2
    assert hidden_leaks({"year": exact, "rounded": fifty.filter(total)}, {"rounded": 10}) == []


def test_fixture_is_ten_tables_of_eight_hundred_children(truth, tables, published_alone):
    assert (truth.height, len(tables), len(ATOMS)) == (800, 10, 240)
    # A small rural district, and an agency and a district with few children in the quarter that is never printed.
    assert true_count(truth, {"district": "D03"}) == 4
    assert true_count(truth, {"district": "D05", "quarter": "Q4"}) == 4
    assert true_count(truth, {"agency": "Probation", "quarter": "Q4"}) == 3
    for name, table in tables.items():
        cells = [dict(zip(groups_of(table), row, strict=True)) for row in table.drop("count").rows()]
        assert [true_count(truth, cell) for cell in cells] == table["count"].to_list(), name
    assert sum(frame["count"].null_count() for frame in published_alone.values()) > 0


# Each alone


def test_each_table_alone_is_safe(each_alone, published_alone, truth):
    for name, safe in each_alone.items():
        assert audit({name: safe}, within=lookup(), effort="full").is_empty(), name
        assert broken_promises({name: published_alone[name]}, truth) == [], name


# All ten, each protected alone


def test_tables_that_are_safe_alone_leak_together(published_alone, leaks, unprinted):
    exact = [leak for leak in leaks if leak.low == leak.high]
    assert exact
    assert len(leaks) > len(exact)
    assert small_differences(published_alone)
    assert unprinted.items() >= {"district=D05, quarter=Q4": 4, "agency=Probation, quarter=Q4": 3}.items()


def test_audit_reports_every_hidden_cell_that_is_known_too_well(found, leaks):
    reported = set(found.select("table", "cell", "low", "high").rows())
    assert [leak for leak in leaks if tuple(leak) not in reported] == []
    assert set(found["column"]) == {"count"}


def test_audit_says_of_no_hidden_cell_more_than_can_be_known(found, published_alone, leaks):
    cells = published_cells(published_alone)
    reader = Reader(cells)
    hidden = {(one.table, in_words(one.cell)): one.mask for one in cells if one.count is None}
    rows = set(found.select("table", "cell", "low", "high").rows()) - set(map(tuple, leaks))
    beyond = [row for row in rows if row[:2] in hidden and reader.interval(hidden[row[:2]]) != row[2:]]
    assert beyond == []


def test_tables_that_a_sentence_names_are_enough_to_know_the_cell(found, published_alone):
    cells = published_cells(published_alone)
    hidden = {(one.table, in_words(one.cell)): one.mask for one in cells if one.count is None}
    too_few = []
    for row in found.iter_rows(named=True):
        mask = hidden.get((row["table"], row["cell"]))
        if mask is not None:
            names = {row["table"], *named_in(row["because"], published_alone)}
            reader = Reader([one for one in cells if one.table in names])
            if reader.interval(mask) != (row["low"], row["high"]):
                too_few.append((row["table"], row["cell"], row["because"]))
    assert too_few == []


def test_year_minus_three_quarters_is_reported_with_the_tables_that_combine(found, published_alone):
    # In D05: year minus Q1, Q2 and Q3 = 4 children; of Probation: 3.
    quarters = {f"quarter_{number}_by_district" for number in (1, 2, 3)}
    wanted = {
        ("D05", 4): (quarters, {"year_by_district", "year_by_district_and_agency", "year_by_district_and_age"}),
        ("Probation", 3): (
            {"quarters_by_agency"},
            {"year_by_district_and_agency", "year_by_area_and_agency", "year_by_old_area_and_agency"},
        ),
    }
    for (name, left), (parts, wholes) in wanted.items():
        rows = found.filter(pl.col("low") == left, pl.col("high") == left).iter_rows(named=True)
        sentences = [row["because"] for row in rows if name in f"{row['cell']} {row['because']}"]
        named = [named_in(sentence, published_alone) for sentence in sentences]
        assert any(names >= parts and names & wholes for names in named), (name, sentences)


def test_old_area_minus_area_is_reported_though_nothing_is_hidden(tables):
    # North 2019 is North and D03, South 2019 is South and D04: what they differ by is printed in neither table.
    both = {name: tables[name] for name in ("year_by_area_and_agency", "year_by_old_area_and_agency")}
    shown = {name: table.with_columns(mark=pl.lit("")) for name, table in both.items()}
    found = found_by(**shown)
    differences = small_differences(both)
    assert {one.left for one in differences} == {1, 4, 5}
    for whole, part, left, mask in differences:
        # The audit may name what is left by the district that it is, or by the areas that it is worked out from.
        areas = set(re.findall(r"area=([^,]+)", f"{whole}, {part}"))
        rows = found.filter(pl.col("low") == left, pl.col("high") == left).iter_rows(named=True)
        assert any(
            named_in(row["because"], shown) == set(shown)
            and ((mask_of(from_words(row["cell"])) == mask).all() or all(area in row["because"] for area in areas))
            for row in rows
        ), (whole, part, left)


def test_fast_audit_reports_nothing_that_the_full_one_does_not(each_alone, found):
    fast = audit(each_alone, within=lookup(), effort="fast")
    both = fast.join(found, on=["table", "cell", "column"], how="left", suffix="_full")
    assert not fast.is_empty()
    assert both.filter(pl.col("low_full").is_null()).is_empty()
    # The fast pass may leave an interval wider, never narrower.
    assert both.filter((pl.col("low") > pl.col("low_full")) | (pl.col("high") < pl.col("high_full"))).is_empty()


# An eleventh, rounded table


def test_rounded_table_contradicts_nothing_and_hides_no_leak(each_alone, tables, published_alone):
    by_area = tables["year_by_area_and_agency"].filter(pl.col("agency") == TOTAL).drop("agency")
    rounded = by_area.with_columns(count=(pl.col("count") + 5) // 10 * 10, mark=pl.lit(""))
    eleven = {**published_alone, "area_rounded": rounded}
    found = audit({**each_alone, "area_rounded": rounded}, within=lookup(), rounded={"area_rounded": 10}, effort="full")
    reported = set(found.select("table", "cell", "low", "high").rows())
    assert [leak for leak in hidden_leaks(eleven, {"area_rounded": 10}) if tuple(leak) not in reported] == []


def test_rounded_total_narrows_a_hidden_district():
    # North is rounded to 40, so it has 35 to 45 children; D02 shows 41: 1 to 4 are left for D01, which the mark puts
    # at 1 to 5.
    districts = marked(pl.DataFrame({"district": ["D01", "D02"], "count": [None, 41]}))
    area = pl.DataFrame({"area": ["North"], "count": [40], "mark": [""]})
    published = {"districts": districts, "area_rounded": area}
    found = audit(published, within=lookup().select("district", "area"), rounded={"area_rounded": 10}, effort="full")
    assert found.drop("because").rows() == [("districts", "district=D01", "count", 1, 4)]
    assert named_in(found["because"].item(), published) >= {"area_rounded"}


# All ten, protected together


def test_tables_protected_together_keep_rows_columns_and_what_is_shown(together, tables):
    for name, table in tables.items():
        frame = together[name].frame()
        assert frame.columns == [*table.columns, "mark"]
        assert_frame_equal(frame.select(groups_of(table)), table.select(groups_of(table)))
        shown = frame["count"].is_not_null()
        assert_frame_equal(frame.filter(shown).drop("mark"), table.filter(shown))
        assert not table.filter(~shown)["count"].is_in([0]).any()
        assert not table.filter(shown)["count"].is_between(1, THRESHOLD - 1).any()
        assert (frame["mark"] == POLICY.mark).to_list() == (~shown).to_list()


def test_cell_in_several_tables_protected_together_meets_one_fate(published_together):
    fate = {}
    for one in published_cells(published_together):
        fate.setdefault(one.mask.tobytes(), set()).add(one.count)
    assert all(len(counts) == 1 for counts in fate.values())


def test_tables_protected_together_keep_every_promise(published_together, truth):
    assert broken_promises(published_together, truth) == []


def test_tables_protected_together_have_no_small_difference(published_together):
    assert small_differences(published_together) == []


def test_nothing_small_that_is_printed_nowhere_is_known_of_tables_protected_together(unprinted_together):
    # Year minus three quarters for one; and every other cell of place by agency by quarter by age band.
    assert unprinted_together == {}


def test_full_audit_of_tables_protected_together_is_empty(together):
    assert found_by(**together).is_empty()


def test_fast_audit_of_tables_protected_together_is_empty(together):
    assert audit(together, within=lookup(), effort="fast").is_empty()


def test_tables_protected_together_hide_less_than_a_board_would_by_hand(published_together):
    # By hand: every district and old area by agency, quarter and age, Social care and Police in two areas, and three
    # agencies in each quarter. That keeps every promise, and hides 104 of the 154 cells; 14 are small.
    assert sum(frame["count"].null_count() for frame in published_together.values()) < 104 / 4 * 3


# Percentages and last year's files


def test_percentage_with_its_denominator_gives_the_numerator_back():
    # 3 of 120 is 2.5 per cent to one decimal: 2.45 to 2.55 per cent of 120 are 2.94 to 3.06.
    reach = pl.DataFrame(
        {
            "agency": ["Education", "Health", "Police"],
            "numerator": [47, None, 30],
            "denominator": [130, 120, 144],
            "proportion": [0.362, 0.025, 0.208],
            "mark": ["", "[c]", ""],
        }
    )
    found = found_by(reach=reach)
    assert found.drop("because").rows() == [("reach", "agency=Health", "numerator", 3, 3)]
    assert found["because"].item()


def test_percentage_of_a_large_denominator_gives_nothing_back():
    # 3 of 6,000 is 0.1 per cent to one decimal: 0.05 to 0.15 per cent of 6,000 are 3 to 9.
    reach = pl.DataFrame(
        {
            "agency": ["Education", "Health"],
            "numerator": [2172, None],
            "denominator": [6000, 6000],
            "proportion": [0.362, 0.001],
            "mark": ["", "[c]"],
        }
    )
    assert found_by(reach=reach).filter(pl.col("low") == pl.col("high")).is_empty()


def test_cell_hidden_in_last_years_file_and_shown_this_year_is_reported(tmp_path):
    # Last year D01 (3) was hidden with D02; this year the same period is printed again, with D02 shown and D03 hidden.
    last = marked(district_list([None, None, 40, 50], 103, time_period="2024"))
    last.write_csv(tmp_path / "2024.csv", include_bom=True)
    again = marked(district_list([None, 10, None, 50], 103, time_period="2024"))
    this = pl.concat([again, marked(district_list([12, 11, 42, 51], 116, time_period="2025"))])
    found = found_by(last_year=pl.read_csv(tmp_path / "2024.csv"), this_year=this)
    # 103 - 10 - 40 - 50 = 3.
    assert found.select("table", "cell", "low", "high").rows() == [
        ("last_year", "time_period=2024, district=D01", 3, 3),
        ("last_year", "time_period=2024, district=D02", 10, 10),
        ("this_year", "time_period=2024, district=D01", 3, 3),
        ("this_year", "time_period=2024, district=D03", 40, 40),
    ]
    shown_elsewhere = found.filter(cell="time_period=2024, district=D02")["because"].item()
    assert named_in(shown_elsewhere, ["this_year"])


# From one period to the next


def test_pattern_of_last_period_is_kept_where_it_still_protects():
    last = suppress(district_list([3, 10, 25, 40], 78, time_period="2024"), POLICY)
    assert len(hidden_places(last)) == 2
    tried = 0
    for others in itertools.permutations([10, 25, 40]):
        table = district_list([4, *others], 79, time_period="2025")
        tried += hidden_places(suppress(table, POLICY)) != hidden_places(last)
        # Whichever was hidden beside D01 is 10 or more, and leaves D01 room for 1 to 5.
        assert hidden_places(suppress(table, POLICY, previous=last)) == hidden_places(last)
    assert tried, "last period's pattern is never another than that of this period: nothing was tested"


def test_pattern_of_a_two_way_table_is_kept_from_one_year_to_the_next(tables, truth):
    year = tables["year_by_district_and_agency"]
    last = suppress(year.select(pl.lit("2024").alias("time_period"), pl.all()), POLICY)
    # A third more children wherever there were 20 or more, and the margins that follow.
    inside = year.filter(pl.col("district") != TOTAL, pl.col("agency") != TOTAL)
    grown = inside.with_columns(pl.when(pl.col("count") >= 20).then(pl.col("count") * 4 // 3).otherwise("count"))
    sums = [
        grown.group_by(kept).agg(pl.col("count").sum()).with_columns(pl.lit(TOTAL).alias(summed))
        for kept, summed in (("district", "agency"), ("agency", "district"))
    ]
    all_of_it = grown.select(pl.lit(TOTAL).alias("district"), pl.lit(TOTAL).alias("agency"), pl.col("count").sum())
    now = pl.concat([grown, *(one.select(year.columns) for one in sums), all_of_it]).sort("district", "agency")
    # The numbers that are small are the same, so last year's pattern protects them if it leaves them all they had.
    places = hidden_places(last)
    as_last = now.with_columns(
        count=pl.Series([None if row[:2] in places else row[2] for row in now.rows()], dtype=pl.Int64)
    )
    assert hidden_leaks({"year": as_last}) == []
    table = now.select(pl.lit("2025").alias("time_period"), pl.all())
    assert hidden_places(suppress(table, POLICY, previous=last)) == places


def test_pattern_of_last_period_gives_way_where_it_no_longer_protects():
    last = suppress(district_list([3, 10, 40], 53, time_period="2024"), POLICY)
    (beside,) = hidden_places(last) - {("D01",)}
    counts = [3, *(0 if beside == (name,) else 20 for name in ("D02", "D03"))]
    safe = suppress(district_list(counts, 23, time_period="2025"), POLICY, previous=last)
    # A zero is shown and protects nothing: the other one is hidden.
    assert hidden_places(safe) == {("D01",), ("D02",), ("D03",)} - {beside}
    frame = safe.frame().drop("time_period")
    reader = Reader(published_cells({"year": frame}))
    assert reader.interval(mask_of({"district": "D01"})) == (1, 22)
