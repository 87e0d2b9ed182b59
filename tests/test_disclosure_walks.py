"""Cases that a reader of the code and a first user found: each gave a hidden number away, or refused a good table."""

import polars as pl
import pytest

from safeguarding_analytics.auditing import audit
from safeguarding_analytics.disclosure import Policy, suppress
from safeguarding_analytics.errors import DisclosureError, ParameterError
from safeguarding_analytics.tables import TOTAL

DFE = Policy.dfe()
DISTRICTS = pl.DataFrame({"district": ["D1", "D2", "D3", "D4"], "count": [20, 30, 3, 40]})
AREAS = pl.DataFrame({"area": ["N", "S"], "count": [50, 43]})
NORTH = pl.DataFrame({"district": ["D1", "D2"], "area": ["N", "N"]})
SOUTH = pl.DataFrame({"district": ["D3", "D4"], "area": ["S", "S"]})
YEAR_TO_DATE = pl.DataFrame(
    {"quarter": ["Q1", "Q1", "Q2", "Q1", "Q2", "Q3"], "to_date": ["Q1", "Q2", "Q2", "Q3", "Q3", "Q3"]}
)


def counts(safe):
    return safe.frame()["count"].to_list()


def means(agencies):
    """Pairs and means of agencies, with their total."""
    pairs = [n for n, _ in agencies]
    total = sum(n * mean for n, mean in agencies) / sum(pairs)
    return pl.DataFrame(
        {
            "agency": [*"ABCDEF"[: len(agencies)], TOTAL],
            "n_pairs": [*pairs, sum(pairs)],
            "mean_change": [*(mean for _, mean in agencies), total],
        }
    )


@pytest.mark.parametrize(
    ("agencies", "hidden"),
    [
        ([(12, 1.0), (40, 2.0)], set()),
        # (77 × 2.30 − 40 × 2 − 30 × 3) ÷ 7 would be the mean of A.
        ([(7, 1.0), (40, 2.0), (30, 3.0)], {"A", "C"}),
        # 8 and 9 people are 17 together, and a mean may be of 17.
        ([(8, 1.0), (9, 2.0), (30, 3.0)], {"A", "B"}),
        ([(7, 1.0), (40, 2.0)], {"A", "B"}),
    ],
)
def test_mean_of_few_people_does_not_follow_from_the_other_means(agencies, hidden):
    frame = suppress(means(agencies), DFE).frame()
    assert set(frame.filter(pl.col("mean_change").is_null())["agency"]) == hidden
    assert frame["n_pairs"].null_count() == 0
    assert set(frame.filter(pl.col("mark") != "")["agency"]) == hidden


def test_mean_of_few_people_does_not_follow_from_a_table_of_the_total():
    table = means([(7, 1.0), (40, 2.0), (30, 3.0)])
    overall, groups = suppress([table[3:].drop("agency"), table[:3]], DFE)
    assert overall.frame()["mean_change"].null_count() == 0
    assert groups.frame()["mean_change"].to_list() == [None, 2.0, None]


def test_two_lookups_of_the_same_columns_are_one():
    together = suppress([DISTRICTS, AREAS], DFE, within=pl.concat([NORTH, SOUTH]))
    for within in ([NORTH, SOUTH], [SOUTH, NORTH]):
        safes = suppress([DISTRICTS, AREAS], DFE, within=within)
        assert list(map(counts, safes)) == list(map(counts, together))
        alone = {"districts": suppress(DISTRICTS, DFE), "areas": suppress(AREAS, DFE)}
        # 43 − 40 = 3.
        assert audit(alone, within=within).select("low", "high").rows() == [(3, 3)]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("with_areas", [True, False])
def test_districts_and_schools_of_the_same_areas_are_linked(order, with_areas):
    within = [
        pl.DataFrame({"district": ["D1", "D2", "D3"], "area": ["N", "S", "S"]}),
        pl.DataFrame({"school": ["S1", "S2", "S3", "S4"], "area": ["N", "N", "S", "S"]}),
    ][::order]
    tables = {
        "districts": pl.DataFrame({"district": ["D1", "D2", "D3"], "count": [17, 13, 50]}),
        "schools": pl.DataFrame({"school": ["S1", "S2", "S3", "S4"], "count": [3, 14, 23, 40]}),
    }
    if with_areas:
        tables["areas"] = pl.DataFrame({"area": ["N", "S"], "count": [17, 63]})
    alone = {name: suppress(table, DFE) for name, table in tables.items()}
    # School S1 is the north without S2: 17 − 14 = 3, and district D1 is the north.
    found = audit(alone, within=within, effort="full").filter(pl.col("cell") == "school=S1")
    assert found.select("low", "high").rows() == [(3, 3)]
    together = suppress([*tables.values()], DFE, within=within)
    assert audit(together, within=within, effort="full").is_empty()


def test_year_to_date_is_suppressed_where_a_quarter_is_small():
    large = pl.DataFrame({"to_date": ["Q1", "Q2", "Q3"], "count": [20, 41, 64]})
    assert counts(suppress(large, DFE, within=YEAR_TO_DATE)) == [20, 41, 64]
    # 44 − 41 = 3 in the third quarter.
    small = pl.DataFrame({"to_date": ["Q1", "Q2", "Q3"], "count": [20, 41, 44]})
    assert audit([small], within=YEAR_TO_DATE).select("low", "high").rows() == [(3, 3)]
    safe = suppress(small, DFE, within=YEAR_TO_DATE)
    assert safe.hidden == 1
    assert audit([safe], within=YEAR_TO_DATE, effort="full").is_empty()


def test_year_to_date_beside_quarters_of_which_the_lookup_lacks_none():
    to_date = pl.DataFrame({"kind": ["A", "A", "B", "B"], "to_date": ["Q1", "Q2"] * 2, "count": [20, 41, 10, 20]})
    quarters = pl.DataFrame({"quarter": ["Q1", "Q2", "Q3"], "count": [30, 31, 13]})
    assert [safe.hidden for safe in suppress([to_date, quarters], DFE, within=YEAR_TO_DATE)] == [0, 0]


@pytest.mark.parametrize(
    ("within", "message"),
    [
        (
            pl.DataFrame({"district": ["D1", "D2", "D3", "D4"], "area": ["N", "Nn", "S", "S"]}).filter(
                pl.col("area") != "N"
            ),
            '^within: district "D1" stands in a table and not in the lookup',
        ),
        (pl.concat([NORTH, SOUTH]).rename({"area": "aera"}), 'no table has a column "aera". Did you mean "area"'),
        (pl.concat([NORTH, SOUTH]).rename({"district": "distrikt"}), 'column "distrikt". Did you mean "district"'),
    ],
)
def test_lookup_that_does_not_fit_its_tables_is_refused(within, message):
    for act in (suppress, lambda tables, _, within: audit(tables, within=within)):
        with pytest.raises(ParameterError, match=message):
            act([DISTRICTS, AREAS], DFE, within=within)


def test_lookup_may_hold_columns_that_no_table_has():
    within = pl.concat([NORTH, SOUTH]).with_columns(region=pl.lit("R"))
    assert [safe.hidden for safe in suppress([DISTRICTS, AREAS], DFE, within=within)] == [1, 1]
    assert suppress(AREAS, DFE, within=within).hidden == 0


def test_counts_and_shares_that_never_meet_are_one_where_their_sums_are():
    # 30 + 20 = 44 + 6: the reader who knows the quarters would have the 6, and so the 3.
    quarters = pl.DataFrame({"quarter": ["Q1", "Q2"], "count": [30, 20]})
    shares = pl.DataFrame(
        {"district": ["D1", "D2"], "numerator": [20, 3], "denominator": [44, 6], "proportion": [20 / 44, 0.5]}
    )
    assert suppress(shares, DFE).hidden == 1
    assert suppress([quarters, shares], DFE)[1].hidden == 2


def test_tables_without_a_common_group_are_not_added_up():
    by_gender = pl.DataFrame(
        {"district": ["A"] * 3, "gender": ["F", "M", "X"], "count": [60, 27, None], "mark": ["", "", "[c]"]}
    )
    answers = pl.DataFrame({"answer": ["before", "after"], "count": [3000, 877]})
    by_district = pl.DataFrame({"district": ["A", "B", TOTAL], "count": [90, 50, 140]})
    found = audit({"gender": by_gender, "answers": answers, "districts": by_district}, effort="full")
    assert found.select("table", "low", "high").rows() == [("gender", 3, 3)]
    assert audit({"gender": by_gender, "answers": answers}, effort="full").is_empty()


def test_table_that_gives_a_group_two_values_is_refused_as_such():
    ragged = pl.DataFrame(
        {"district": ["D1", "D1", "D2", "D3"], "type": ["A", TOTAL, "B", "A"], "count": [7, 10, 20, 30]}
    )
    with pytest.raises(DisclosureError, match=r"^district=D1: the table gives two values of count"):
        suppress(ragged, DFE)


def test_total_that_is_less_than_its_shown_rows_is_said_to_contradict_them():
    table = pl.DataFrame(
        {"agency": ["A", "B", "C", TOTAL], "count": [10, None, 15, 20], "mark": ["", "[c]", "", ""]},
    )
    found = audit({"plans": table})
    assert found.select("table", "cell", "low", "high").rows() == [("plans", "agency=Total", None, None)]
    assert found["because"][0].startswith("The grand total is less than its shown rows by agency: they contradict")
