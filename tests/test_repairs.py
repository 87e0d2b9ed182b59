"""Published tables that leak together are repaired without knowing what they hide."""

import itertools

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from linked_tables import children, hidden_leaks, lookup, ten_tables
from safeguarding_analytics import linked
from safeguarding_analytics.auditing import audit
from safeguarding_analytics.disclosure import Policy, already_public, suppress
from safeguarding_analytics.errors import DisclosureError
from safeguarding_analytics.repairs import repair
from safeguarding_analytics.tables import TOTAL

AREAS = pl.DataFrame({"district": ["D1", "D2", "D3", "D4"], "area": ["North", "North", "South", "South"]})


def districts(*counts):
    return pl.DataFrame({"district": ["D1", "D2", "D3", "D4", TOTAL], "count": [*counts, sum(counts)]})


def areas(north, south):
    return pl.DataFrame({"area": ["North", "South", TOTAL], "count": [north, south, north + south]})


@pytest.fixture
def leaking():
    """Districts and areas, each safe alone: 23 - 20 gives the 3 of D1 away."""
    policy = Policy.dfe()
    return {"districts": suppress(districts(3, 20, 30, 40), policy), "areas": suppress(areas(23, 70), policy)}


def shown(safe):
    return {tuple(row.values()) for row in safe.frame().filter(pl.col("mark") == "").to_dicts()}


def test_tables_that_leak_together_are_safe_after_repair_and_show_nothing_new(leaking):
    assert not audit(leaking, within=AREAS).is_empty()
    mended = repair(leaking, within=AREAS)
    assert audit(mended, within=AREAS, effort="full").is_empty()
    for name, table in mended.items():
        assert shown(table) <= shown(leaking[name])
        assert table.policy == leaking[name].policy
        assert table.frame().columns == leaking[name].frame().columns


def test_fixed_table_stays_as_it_is(leaking):
    mended = repair(leaking, within=AREAS, fixed={"districts"})
    assert_frame_equal(mended["districts"].frame(), leaking["districts"].frame())
    # 93 = D1 + 20 + 30 + D4: as long as both areas are hidden, D1 may be 1 to 42.
    assert mended["areas"].frame()["count"].to_list() == [None, None, 93]


def test_tables_that_do_not_leak_are_left_alone():
    tables = {"districts": suppress(districts(30, 20, 30, 40), Policy.dfe())}
    assert_frame_equal(repair(tables)["districts"].frame(), tables["districts"].frame())


def test_what_the_old_release_hides_the_new_one_hides_too():
    counts = districts(7, 20, 30, 40)
    tables = {"old": suppress(counts, Policy(threshold=10)), "new": suppress(counts, Policy.dfe())}
    mended = repair(tables, fixed={"old"})
    assert mended["new"].frame()["count"].to_list() == tables["old"].frame()["count"].to_list()


def test_what_fixed_tables_give_away_cannot_be_repaired(leaking):
    with pytest.raises(DisclosureError, match="the tables that are public already give them away"):
        repair(leaking, within=AREAS, fixed={"districts", "areas"})


def test_rankings_and_public_tables_pass_through(leaking):
    public = already_public(pl.DataFrame({"place": ["England"], "count": [3]}), "DfE, 2024")
    ranking = suppress(
        pl.DataFrame({"issue": ["A", "B"], "score": [1.0, -1.0], "rank": [1, 2], "n_ballots": [30, 30]}), Policy.dfe()
    )
    mended = repair({**leaking, "ranking": ranking}, within=AREAS)
    assert_frame_equal(mended["ranking"].frame(), ranking.frame())
    assert_frame_equal(repair({"public": public}, fixed={"public"})["public"].frame(), public.frame())


def test_ten_linked_tables_are_repaired():
    # The attacker is that of linked_tables.py, which takes nothing from the library.
    tables = {name: suppress(frame, Policy.dfe()) for name, frame in ten_tables(children()).items()}
    mended = repair(tables, within=lookup())
    frames = {name: table.frame() for name, table in mended.items()}
    assert hidden_leaks(frames) == []
    assert all(shown(mended[name]) <= shown(tables[name]) for name in tables)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 12), min_size=4, max_size=4))
def test_repaired_districts_and_areas_never_leak(counts):
    policy = Policy.dfe()
    tables = {
        "districts": suppress(districts(*counts), policy),
        "areas": suppress(areas(counts[0] + counts[1], counts[2] + counts[3]), policy),
    }
    assert audit(repair(tables, within=AREAS), within=AREAS, effort="full").is_empty()


def cross_table(seed):
    """24 × 5 × 3 with all margins, in six regions; many small counts."""
    names = list(itertools.product(range(24), "ABCDE", ("Q1", "Q2", "Q3")))
    rows = [(f"R{d % 6}", f"D{d:02}", a, q, (d * 7 + ord(a) * seed + int(q[1]) * 13) % 23) for d, a, q in names]
    inner = pl.DataFrame(rows, schema=["region", "district", "agency", "quarter", "count"], orient="row")
    tables = []
    for place in (["region", "district"], ["region"], []):
        for others in ([], ["agency"], ["quarter"], ["agency", "quarter"]):
            keep = [*place, *others]
            summed = inner.group_by(keep).agg(pl.col("count").sum()) if keep else inner.select(pl.col("count").sum())
            missing = [name for name in inner.columns[:-1] if name not in keep]
            tables.append(summed.with_columns(pl.lit(TOTAL).alias(name) for name in missing).select(inner.columns))
    return pl.concat(tables)


@pytest.mark.parametrize("columns", [["region", "district", "agency", "quarter"], ["district", "agency", "quarter"]])
def test_table_protected_part_by_part_is_as_safe_as_one_protected_whole(monkeypatch, columns):
    table = cross_table(5)
    if "region" not in columns:  # the parts are then some districts in a row
        table = table.filter((pl.col("region") == TOTAL) | (pl.col("district") != TOTAL)).drop("region")
    whole = suppress(table, Policy.dfe())
    monkeypatch.setattr(linked, "MOST_AT_ONCE", 100)
    monkeypatch.setattr(linked, "IN_A_PART", 150)
    steps = []
    parts = suppress(table, Policy.dfe(), progress=lambda done, every: steps.append((done, every)))
    assert audit([parts]).is_empty()
    assert len(steps) > 4
    assert steps == [(done, len(steps) - 1) for done in range(len(steps))]
    assert parts.hidden <= 1.2 * whole.hidden  # parts of eight districts are far smaller than in use
    shuffled = suppress(table.sample(fraction=1, shuffle=True, seed=1), Policy.dfe()).frame().sort(columns)
    assert_frame_equal(shuffled, parts.frame().sort(columns))
