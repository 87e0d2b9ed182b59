"""Plans that cannot all be right: two of a child at once, or one after its death. Checked against each pair in turn."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics.board import check_all, read_board
from safeguarding_analytics.contracts import PROBLEMS, say_problems
from safeguarding_analytics.errors import TableError
from safeguarding_analytics.plan_conflicts import plan_conflicts
from safeguarding_analytics.sources.files import ROW

COLUMNS = {
    "authority": pl.String,
    "child": pl.String,
    "start_date": pl.Date,
    "end_date": pl.Date,
    "death_date": pl.Date,
    ROW: pl.Int64,
}
HEADER = "plan,child,authority,district,category,start_date,end_date,previous_plans,death_date\n"
MEND = "Correct the days where they are recorded, or leave out the plan that is not one"


def frame(*rows):
    """Plans of Kent: child, start, end and day of death, in rows from 2 on."""
    cells = [("Kent", *row, *[None] * (4 - len(row)), number) for number, row in enumerate(rows, 2)]
    return pl.DataFrame(cells, schema=COLUMNS, orient="row")


def day(text):
    return date.fromisoformat(text)


def found(*rows):
    """Row and rule number of each conflict."""
    return [(row, rule[:4]) for row, rule in plan_conflicts(frame(*rows)).select("row", "rule").rows()]


def test_plans_one_after_another_are_no_conflict():
    first = ("A", day("2007-04-02"), day("2007-09-03"))
    assert found(first, ("A", day("2007-09-04"), day("2007-12-01")), ("A", day("2008-01-02"))) == []
    assert found(first, ("A", day("2007-09-03"))) == []  # starts on the day the other ends
    assert found(first, ("B", day("2007-05-01"))) == []  # of another child


def test_plan_that_starts_the_day_before_another_ends_is_reported_with_the_row_of_the_other():
    plans = frame(("A", day("2007-09-02"), day("2007-12-01")), ("A", day("2007-04-02"), day("2007-09-03")))
    expected = pl.DataFrame(
        [
            (
                "plans",
                2,
                "start_date",
                f"8940: no plan starts while another one of the child lasts. {MEND}",
                "it starts before the plan of row 3 ends",
            )
        ],
        schema=PROBLEMS,
        orient="row",
    )
    assert_frame_equal(plan_conflicts(plans), expected)


def test_long_plan_is_compared_with_all_that_start_in_it():
    long, short = ("A", day("2007-04-02"), day("2008-03-01")), ("A", day("2007-05-01"), day("2007-05-20"))
    later = ("A", day("2008-02-29"), None)
    assert found(long, short, later, ("A", day("2008-03-01"), day("2008-03-05"))) == [
        (3, "8940"),
        (4, "8940"),
        (5, "8940"),
    ]
    assert plan_conflicts(frame(long, short, later))["found"].to_list() == [
        "it starts before the plan of row 2 ends",
        "it starts before the plan of row 2 ends",
    ]


def test_of_two_plans_that_start_on_one_day_the_shorter_is_reported():
    assert found(("A", day("2007-04-02"), day("2007-05-01")), ("A", day("2007-04-02"), day("2007-06-01"))) == [
        (2, "8940")
    ]
    assert found(("A", day("2007-04-02"), day("2007-05-01")), ("A", day("2007-04-02"), day("2007-05-01"))) == [
        (3, "8940")
    ]


def test_plans_that_end_on_the_day_they_start_or_before_last_for_no_day():
    same_day = ("A", day("2007-04-02"), day("2007-04-02"))
    assert found(same_day, same_day, ("A", day("2007-04-02"), day("2007-05-01"))) == [(2, "8940"), (3, "8940")]
    assert found(same_day, same_day) == []
    assert found(("A", day("2007-04-02"), day("2006-04-02")), ("A", day("2007-04-02"), None)) == [(2, "8940")]


def test_every_open_plan_of_a_child_with_several_is_reported_and_not_as_an_overlap_too():
    plans = frame(("A", day("2007-04-02")), ("A", day("2007-06-02")), ("B", day("2007-04-02")))
    assert plan_conflicts(plans).select("row", "column", "rule", "found").rows() == [
        (row, "end_date", f"8935: a child has at most one open plan. {MEND}", "(empty) in 2 plans of one child")
        for row in (2, 3)
    ]


def test_plan_that_ended_within_an_open_one_is_an_overlap():
    assert found(("A", day("2007-04-02")), ("A", day("2007-06-02"), day("2007-07-01"))) == [(3, "8940")]


@pytest.mark.parametrize(
    ("start", "end", "died", "codes"),
    [
        ("2007-04-02", "2007-06-01", "2007-06-01", []),
        ("2007-04-02", "2007-06-01", "2007-05-31", ["8920"]),
        ("2007-04-02", None, "2007-04-02", []),
        ("2007-04-02", None, "2007-04-01", ["8915"]),
        ("2007-04-02", "2007-06-01", "2007-04-01", ["8915", "8920"]),
        ("2007-04-02", "2007-06-01", None, []),
    ],
)
def test_days_after_death_are_reported(start, end, died, codes):
    row = ("A", day(start), end and day(end), died and day(died))
    assert [code for _, code in found(row)] == codes


def test_plans_without_a_child_and_of_other_authorities_are_not_compared():
    nobody, placeholder = (None, day("2007-04-02")), ("Unknown", day("2007-04-02"))
    assert found(nobody, nobody, placeholder, placeholder) == []
    twice = frame(("A", day("2007-04-02")), ("A", day("2007-06-02")))
    assert plan_conflicts(twice.with_columns(pl.Series("authority", ["Kent", "Medway"]))).is_empty()


def test_plans_without_a_start_are_left_to_the_contract():
    assert found(("A", None, None), ("A", None, None), ("A", day("2007-04-02"), None)) == []
    assert_frame_equal(plan_conflicts(frame()), pl.DataFrame(schema=PROBLEMS))


def test_nothing_of_a_child_is_in_the_report():
    plans = frame(
        ("KID-4711", day("2007-04-02"), day("2007-09-03"), day("2007-03-03")), ("KID-4711", day("2007-05-06"))
    )
    said = str(plan_conflicts(plans).rows())
    assert not any(text in said for text in ("4711", "2007", "Kent"))


def test_rows_are_told_by_their_places_where_there_are_some():
    plans = frame(("A", day("2007-04-02"), day("2007-09-03")), ("A", day("2007-05-06"), day("2007-10-01")))
    places = pl.DataFrame({ROW: [2, 3], "place": ["line 31 of c.xml", "line 40 of c.xml"]})
    assert plan_conflicts(plans, places)["found"].to_list() == ["it starts before the plan of line 31 of c.xml ends"]


def by_every_pair(rows):
    """Plain Python: each plan against each other one of the child."""
    broken = set()
    plans = [(number, *row, *[None] * (4 - len(row))) for number, row in enumerate(rows, 2)]
    for row, child, start, end, died in plans:
        others = [each for each in plans if each[1] == child and each[0] != row]
        if end is None and any(each[3] is None for each in others):
            broken.add((row, "8935"))
        if died and start > died:
            broken.add((row, "8915"))
        if died and end and end > died:
            broken.add((row, "8920"))
        for other, _, its_start, its_end, _ in others:
            if order(other, its_start, its_end) < order(row, start, end) and start < last(its_end):
                broken.add((row, "8940"))
        before = [each for each in others if order(each[0], *each[2:4]) < order(row, start, end)]
        if end is None and any(each[3] is None for each in before):
            broken.discard((row, "8940"))  # said as 8935
    return sorted(broken)


def order(row, start, end):
    """Of plans that start on one day the one that lasts longest comes first, then the one of the earlier row."""
    return start, -last(end).toordinal(), row


def last(end):
    return end or date.max


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("AB"),
            st.integers(-3, 12),
            st.one_of(st.none(), st.integers(-1, 6)),
            st.one_of(st.none(), st.integers(0, 14)),
        ),
        max_size=7,
    )
)
def test_conflicts_are_those_that_comparing_every_pair_finds(cells):
    # Around 1 January 1970, before which days have negative numbers.
    first = date(1970, 1, 1)
    rows = [
        (
            child,
            first + timedelta(start),
            None if length is None else first + timedelta(start + length),
            None if died is None else first + timedelta(died),
        )
        for child, start, length, died in cells
    ]
    assert found(*rows) == by_every_pair(rows)


def test_one_identifier_on_very_many_rows_is_compared_in_one_pass():
    count = 200_000
    starts = pl.date_range(date(1990, 1, 1), date(1990, 1, 1) + timedelta(days=9), eager=True)
    plans = pl.DataFrame(
        {
            "authority": ["Kent"] * count,
            "child": ["A"] * count,
            "start_date": starts.gather([row % 10 for row in range(count)]),
            "end_date": [date(1990, 2, 1)] * count,
            "death_date": pl.Series([None] * count, dtype=pl.Date),
            ROW: range(2, count + 2),
        },
        schema_overrides={ROW: pl.Int64},
    )
    assert plan_conflicts(plans).height == count - 1


def test_report_of_a_board_lists_conflicts_beside_other_broken_rules_at_once(tmp_path):
    (tmp_path / "plans.csv").write_text(
        HEADER + "P1,C1,Kent,Dover,NEG,2007-04-02,2007-09-03,0,\nP2,C1,Kent,Dover,NEG,2007-05-01,2007-04-30,1,\n"
        "P3,C2,Kent,Dover,NEG,2007-05-01,,0,2007-04-30\nP4,C2,Kent,Dover,NEGLECT,2007-06-01,,1,2007-04-30\n",
        encoding="utf-8",
    )
    board, problems = check_all(tmp_path)
    said = say_problems(problems, board.file_names, board.heights(board.tables))
    assert sorted(said) == [
        'plans.csv, column category: 1 of 4 rows: row 5. Found: "NEGLECT" Did you mean "NEG"? Wanted: one of: NEG, '
        "PHY, SAB, EMO, MUL. Hint: correct the file, or add an alias under [plans.category] in board.toml.",
        "plans.csv, column end_date: 2 of 4 rows: rows 4, 5. Found: (empty) in 2 plans of one child. "
        f"Wanted: 8935: a child has at most one open plan. {MEND}.",
        "plans.csv, column start_date: 1 of 4 rows: row 3. Found: it starts before the plan of row 2 ends. "
        f"Wanted: 8940: no plan starts while another one of the child lasts. {MEND}.",
        "plans.csv, column start_date: 2 of 4 rows: rows 4, 5. Found: it lies after the day of death. "
        f"Wanted: 8915: a plan starts no later than the child died. {MEND}.",
        "plans.csv: 1 of 4 rows: row 3. Wanted: end_date is not before start_date.",
    ]
    with pytest.raises(TableError, match="8935: a child has at most one open plan"):
        read_board(tmp_path).tables["plans"]


@pytest.mark.parametrize(
    ("plans", "column"),
    [
        (HEADER + "P1,C1,Kent,,NEG,2007-04-02,31/13/2007,0,\nP2,C1,Kent,,NEG,2008-04-02,,1,\n", "end_date"),
        (HEADER + "P1,C1,Kent,,NEG,2007-04-02,,0,\nP1,C1,Kent,,NEG,2007-04-02,,0,\n", "plan"),
        (
            HEADER.replace("end_date", "ended")
            + "P1,C1,Kent,,NEG,2007-04-02,2007-05-02,0,\nP2,C1,Kent,,NEG,2008-04-02,,1,\n",
            "end_date",
        ),
    ],
)
def test_plan_whose_end_cannot_be_read_or_that_stands_twice_is_not_taken_for_a_second_open_one(tmp_path, plans, column):
    (tmp_path / "plans.csv").write_text(plans, encoding="utf-8")
    assert set(check_all(tmp_path)[1]["column"]) == {column}
