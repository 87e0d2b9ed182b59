"""Conferences and reviews on time, against published shares, worked examples and a count one by one."""

import random
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.timeliness import conference_bands, conferences_on_time, reviews_on_time
from safeguarding_analytics.working_days import bank_holidays

LAIT = Path(__file__).parents[2] / "shared" / "data" / "dfe" / "lait_child_protection_measures_by_LA_year.csv"
needs_shared = pytest.mark.skipif(not LAIT.exists(), reason="../shared is not beside the project")

CONFERENCES = {
    "conference": pl.String,
    "district": pl.String,
    "section_47_start": pl.Date,
    "conference_date": pl.Date,
}
PLANS = {"plan": pl.String, "district": pl.String, "start_date": pl.Date, "end_date": pl.Date}
REVIEWS = {"plan": pl.String, "review_date": pl.Date}
COUNTS = ["numerator", "denominator"]
BANDS = ["0 to 10", "11 to 15", "16 to 20", "21 or more", "no band"]

BEGAN = date(2023, 1, 9)
IN_BAND = {  # from Monday 9 January 2023; no bank holiday until Easter
    "0 to 10": date(2023, 1, 23),
    "11 to 15": date(2023, 1, 30),
    "16 to 20": date(2023, 2, 6),
    "21 or more": date(2023, 2, 7),
    "no band": date(2023, 1, 6),
}


def conference_rows(*rows):
    return pl.DataFrame(rows, schema=CONFERENCES, orient="row")


def plan_rows(*rows):
    return pl.DataFrame(rows, schema=PLANS, orient="row")


def review_rows(*rows):
    return pl.DataFrame(rows, schema=REVIEWS, orient="row")


def conferences_in_bands(counts):
    """As many conferences per group and band as a published table says. Wants authority, year, band, count."""
    in_band = pl.DataFrame({"band": list(IN_BAND), "conference_date": list(IN_BAND.values())})
    return (
        counts.join(in_band, on="band")
        .select(pl.exclude("count").repeat_by("count"))
        .explode(pl.all())
        .with_columns(section_47_start=pl.lit(BEGAN))
        .with_row_index("conference")
        .with_columns(pl.col("conference").cast(pl.String))
    )


def reporting_year(day):
    return str(day.year + (day.month > 3))


def working_days_one_by_one(began, held):
    days = [began + timedelta(shift + 1) for shift in range((held - began).days)]
    return sum(day.weekday() < 5 and day not in bank_holidays() for day in days)


def random_conferences(seed, size):
    chance = random.Random(seed)
    rows = []
    for number in range(size):
        began = None if chance.random() < 0.1 else date(2011, 1, 1) + timedelta(chance.randrange(900))
        held = (began or date(2012, 1, 1)) + timedelta(chance.choice([-3, 0, 14, 21, 22, 25, 28, 29, 30, 40]))
        rows.append((f"c{number}", chance.choice(["Dover", "Swale", None]), began, held))
    # Enquiries that led to no conference, one of them before the calendar begins.
    rows += [("n1", "Dover", date(2011, 5, 1), None), ("n2", "Dover", date(1970, 5, 1), None)]
    chance.shuffle(rows)
    return rows


def test_england_2023_is_78_4_of_all_conferences_and_would_be_78_5_of_those_with_a_band():
    # DfE, children in need 2023, table C4: 6,850 and 51,480 in the first bands, 74,350 with a band, 74,380 held.
    counts = pl.DataFrame({"band": BANDS, "count": [6850, 51480, 10000, 74350 - 6850 - 51480 - 10000, 30]})
    conferences = conferences_in_bands(counts)
    of_all = conferences_on_time(conferences)
    assert of_all.select("time_period", *COUNTS).rows() == [("2023", 58330, 74380)]
    assert round(of_all["proportion"].item() * 100, 1) == 78.4
    banded = conferences_on_time(conferences, denominator="banded")
    assert banded.select("time_period", *COUNTS).rows() == [("2023", 58330, 74350)]
    assert round(banded["proportion"].item() * 100, 1) == 78.5
    expected = counts.with_columns(pl.lit("2023").alias("time_period")).select("time_period", "band", "count")
    assert_frame_equal(conference_bands(conferences), expected)


@needs_shared
def test_published_shares_of_authorities_are_those_of_the_bands_or_lower():
    # LAIT 218 against 268: 1,254 of 1,331 authority-years equal the share of the bands, 77 are lower, by up to 8.6
    # points, since conferences without a band are in the published denominator.
    names = {"10_ICPC": "0 to 10", "15_ICPC": "11 to 15", "20_ICPC": "16 to 20", "21_ICPC": "21 or more"}
    lait = pl.read_csv(LAIT, infer_schema=False).with_columns(
        pl.col("Values").cast(pl.Float64, strict=False), pl.col("LA Number").cast(pl.Float64).cast(pl.Int64)
    )
    areas = lait.filter(pl.col("LA Number") < 970).select(
        pl.col("LA Number").alias("authority"), pl.col("Years").alias("year"), "Short Desc", "Values"
    )
    wide = areas.pivot(on="Short Desc", index=["authority", "year"], values="Values")
    known = wide.drop_nulls([*names, "CP_conf_15days"]).filter(pl.sum_horizontal(list(names)) > 0)
    assert known.height == 1331
    counts = known.unpivot(on=list(names), index=["authority", "year"], variable_name="band", value_name="count")
    counts = counts.with_columns(pl.col("band").replace_strict(names), pl.col("count").cast(pl.Int64))
    found = conferences_on_time(conferences_in_bands(counts), ("authority", "year"), denominator="banded")
    both = found.join(known, on=["authority", "year"], validate="1:1")
    differences = both["proportion"] * 100 - both["CP_conf_15days"]
    equal = differences.abs() <= 0.0500001
    assert (both.height, equal.sum()) == (1331, 1254)
    assert differences.filter(~equal).min() > 0
    assert round(differences.max(), 1) == 8.6


def test_kirklees_2016_is_67_0():
    # LAIT: CP_conf_15days 67.0, bands 110, 269, 53, 132. 379 of 564 are 67.2; of whole numbers only
    # 566 gives 67.0, so two conferences had no band.
    counts = pl.DataFrame({"band": BANDS, "count": [110, 269, 53, 132, 2]})
    found = conferences_on_time(conferences_in_bands(counts), ())
    assert found.select(COUNTS).rows() == [(379, 566)]
    assert round(found["proportion"].item() * 100, 1) == 67.0


def test_the_jubilee_holidays_decide_about_two_conferences():
    # s47 on 2 June 2022: 24 June is the 15th working day; 17 June the 10th (11th without the bank holidays).
    conferences = conference_rows(
        ("c1", None, date(2022, 6, 2), date(2022, 6, 24)),
        ("c2", None, date(2022, 6, 2), date(2022, 6, 27)),
        ("c3", None, date(2022, 6, 2), date(2022, 6, 17)),
        ("c4", None, date(2022, 6, 2), date(2022, 6, 20)),
    )
    assert conferences_on_time(conferences, ()).select(COUNTS).row(0) == (3, 4)
    assert conference_bands(conferences, ())["count"].to_list() == [1, 2, 1, 0, 0]
    assert conferences_on_time(conferences, (), working_days=10).select(COUNTS).row(0) == (1, 4)


def test_whole_result_of_conferences_with_its_interval():
    # Wilson 65/100: 0.552544-0.736358 (PHEindicatormethods, in ../shared/data/intervals/oracle_wilson_edge.csv)
    counts = pl.DataFrame({"band": BANDS, "count": [60, 5, 20, 5, 10]})
    expected = pl.DataFrame(
        {
            "time_period": ["2023"],
            "numerator": [65],
            "denominator": [100],
            "proportion": [0.65],
            "lower": [0.552544],
            "upper": [0.736358],
        }
    )
    assert_frame_equal(conferences_on_time(conferences_in_bands(counts)), expected, abs_tol=5e-7)


def test_year_is_that_of_the_conference_not_of_the_enquiry():
    conferences = conference_rows(
        ("c1", None, date(2013, 3, 28), date(2013, 3, 31)), ("c2", None, date(2013, 3, 28), date(2013, 4, 2))
    )
    assert conferences_on_time(conferences).select("time_period", *COUNTS).rows() == [("2013", 1, 1), ("2014", 1, 1)]


def test_enquiry_without_a_conference_is_in_no_count_wherever_its_days_lie():
    conferences = conference_rows(("c1", None, date(1970, 1, 1), None), ("c2", None, date(2013, 5, 1), None))
    assert conferences_on_time(conferences).is_empty()
    assert conferences_on_time(conferences, ()).select(COUNTS).rows() == [(0, 0)]
    assert conference_bands(conferences, ())["count"].to_list() == [0] * 5


def test_conference_before_its_enquiry_or_without_one_is_never_on_time_and_needs_no_calendar():
    conferences = conference_rows(
        ("c1", None, date(2013, 5, 2), date(2013, 5, 1)), ("c2", None, None, date(1970, 5, 1))
    )
    assert conferences_on_time(conferences, ()).select(COUNTS).rows() == [(0, 2)]
    banded = conferences_on_time(conferences, (), denominator="banded")
    assert banded.select(*COUNTS, "proportion", "lower", "upper").rows() == [(0, 0, None, None, None)]
    assert conference_bands(conferences, ())["count"].to_list() == [0, 0, 0, 0, 2]


def test_days_of_the_public_sample_of_1970_are_refused():
    conferences = conference_rows(
        ("secret", None, date(1970, 6, 2), date(1970, 6, 23)),
        ("c2", None, date(2022, 6, 2), date(2022, 6, 23)),
        ("c3", None, date(1970, 6, 2), date(1970, 6, 23)),
    )
    for count in (conferences_on_time, conference_bands):
        with pytest.raises(TableError, match=r"of 2 of 3 conferences held lies outside the calendar") as raised:
            count(conferences)
        assert "secret" not in str(raised.value)
        assert "1970" not in str(raised.value)


@pytest.mark.parametrize("denominator", ["all", "banded"])
def test_conferences_on_every_engine_are_those_counted_one_by_one(denominator):
    rows = random_conferences(6, 400)
    counts, bands = {}, {}
    for _, district, began, held in rows:
        if held is None:
            continue
        key = (district, reporting_year(held))
        took = working_days_one_by_one(began, held) if began is not None and began <= held else None
        counted = counts.setdefault(key, [0, 0])
        counted[0] += took is not None and took <= 15
        counted[1] += denominator == "all" or took is not None
        band = 4 if took is None else (took > 10) + (took > 15) + (took > 20)
        bands.setdefault(key, [0] * 5)[band] += 1
    expected = sorted(((*key, *counted) for key, counted in counts.items()), key=lambda row: (row[0] or "", row[1]))
    expected_bands = [
        (*key, name, count)
        for key, found in sorted(bands.items(), key=lambda item: (item[0][0] or "", item[0][1]))
        for name, count in zip(BANDS, found, strict=True)
    ]
    table, by = conference_rows(*rows), ("district", "time_period")
    eager = conferences_on_time(table, by, denominator=denominator)
    assert eager.select(*by, *COUNTS).rows() == expected
    assert conference_bands(table, by).rows() == expected_bands
    with duckdb.connect() as connection:
        for other in (table.lazy(), table.to_arrow(), connection.from_arrow(table.to_arrow())):
            assert_frame_equal(conferences_on_time(other, by, denominator=denominator), eager)
            assert conference_bands(other, by).rows() == expected_bands


def test_totals_of_conferences_and_bands_add_up():
    conferences = conference_rows(
        ("c1", "Dover", date(2013, 5, 1), date(2013, 5, 9)),
        ("c2", "Swale", date(2013, 5, 1), date(2013, 6, 29)),
    )
    found = conferences_on_time(conferences, "district", totals=True)
    assert found.select("district", *COUNTS).rows() == [("Dover", 1, 1), ("Swale", 0, 1), ("Total", 1, 2)]
    bands = conference_bands(conferences, "district", totals=True).filter(pl.col("count") > 0)
    assert bands.rows() == [
        ("Dover", "0 to 10", 1),
        ("Dover", "Total", 1),
        ("Swale", "21 or more", 1),
        ("Swale", "Total", 1),
        ("Total", "0 to 10", 1),
        ("Total", "21 or more", 1),
        ("Total", "Total", 2),
    ]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"working_days": -1}, "working_days must be 0 or more"),
        ({"denominator": "some"}, 'denominator must be "all" or "banded". Found: "some"'),
        ({"by": "distrct"}, 'Did you mean "district"'),
        ({"by": "conference"}, "names people one by one"),
        ({"by": "numerator"}, "is a column of the result"),
    ],
)
def test_question_about_conferences_that_cannot_be_answered_is_refused(changed, message):
    with pytest.raises(ParameterError, match=message):
        conferences_on_time(conference_rows(), **changed)


def test_table_of_conferences_that_would_be_counted_wrongly_is_refused():
    twice = conference_rows(*[("secret", None, None, date(2013, 5, 1))] * 2)
    with pytest.raises(TableError, match="conferences: 2 rows stand for 1 different conferences") as raised:
        conferences_on_time(twice)
    assert "secret" not in str(raised.value)
    with pytest.raises(TableError, match="1 of 1 rows have no conference"):
        conferences_on_time(conference_rows((None, None, None, date(2013, 5, 1))))
    with pytest.raises(TableError, match=r"conferences: conference_date must hold dates\. Found: String"):
        conferences_on_time(twice.with_columns(pl.col("conference_date").cast(pl.String)))
    with pytest.raises(TableError, match="conferences: column section_47_start missing"):
        conference_bands(twice.drop("section_47_start"))


def test_empty_table_of_conferences_gives_an_empty_result():
    assert conferences_on_time(conference_rows()).is_empty()
    assert conference_bands(conference_rows()).schema == {
        "time_period": pl.String,
        "band": pl.String,
        "count": pl.Int64,
    }


def on_time_one_by_one(start, reviews, day, first_days, later_days):
    """Whether every review that was due before a day had been held, one after the other."""
    due = start + timedelta(first_days)
    for review in sorted(review for review in reviews if start < review <= day):
        if review > due:
            return False
        due = review + timedelta(later_days)
    return due >= day


def reviewed_plans(seed, size):
    chance = random.Random(seed)
    plans, reviews = [], []
    for number in range(size):
        start = chance.choice([date(2012, 2, 29), date(2011, 12, 31), date(2012, 1, 1), None])
        start = start or date(2010, 4, 1) + timedelta(chance.randrange(900))
        end = None if chance.random() < 0.3 else start + timedelta(chance.choice([0, 80, 200, 500, 900]))
        end = chance.choice([end, end, date(2012, 3, 31), date(2012, 4, 1)]) if end else None
        end = max(end, start) if end else None
        plans.append((f"p{number}", chance.choice(["Dover", "Swale"]), start, end))
        day = start
        for limit in [91, *[183] * 7]:
            if chance.random() < 0.12:
                break
            day += timedelta(limit - chance.choice([0, 0, 1, 5, 30]) + (chance.random() < 0.1))
            reviews.append((f"p{number}", day))
        if chance.random() < 0.2:
            reviews.append((f"p{number}", start))  # the initial conference, recorded as a review
    reviews.append(("of no plan", date(2012, 1, 1)))
    chance.shuffle(plans)
    chance.shuffle(reviews)
    return plans, reviews


@pytest.mark.parametrize("limits", [(91, 183), (92, 184), (90, 160)])
def test_reviews_on_every_engine_are_those_followed_one_by_one(limits):
    plans, reviews = reviewed_plans(19, 400)
    years = ["2011", "2012", "2013", "2014"]
    held = {}
    for plan, day in reviews:
        held.setdefault(plan, []).append(day)
    counts = {(year, district): [0, 0] for year in years for district in ("Dover", "Swale")}
    for plan, district, start, end in plans:
        for year in years:
            day = date(int(year), 3, 31)
            if start <= date(int(year) - 1, 12, 31) and (end is None or end > day):
                counts[year, district][0] += on_time_one_by_one(start, held.get(plan, []), day, *limits)
                counts[year, district][1] += 1
    expected = [(*key, *counted) for key, counted in sorted(counts.items())]
    table, reviewed, by = plan_rows(*plans), review_rows(*reviews), "district"
    first, later = limits
    eager = reviews_on_time(table, reviewed, years, by=by, first_days=first, later_days=later)
    assert eager.select("time_period", "district", *COUNTS).rows() == expected
    assert 0 < eager["numerator"].sum() < eager["denominator"].sum()
    with duckdb.connect() as connection:
        for others in (
            (table.lazy(), reviewed.lazy()),
            (connection.from_arrow(table.to_arrow()), connection.from_arrow(reviewed.to_arrow())),
            (connection.from_arrow(table.to_arrow()), reviewed),
        ):
            assert_frame_equal(reviews_on_time(*others, years, by=by, first_days=first, later_days=later), eager)


@pytest.mark.parametrize(
    ("start", "reviews", "on_time"),
    [
        (date(2008, 1, 1), [], None),  # not yet three months
        (date(2007, 12, 31), [], True),  # 91 days: the review is due on 31 March itself
        (date(2007, 12, 30), [], False),
        (date(2007, 12, 30), [date(2008, 3, 30)], True),  # the 91st day
        (date(2007, 12, 30), [date(2008, 3, 31)], False),  # the 92nd
        (date(2007, 12, 30), [date(2008, 4, 1)], False),
        (date(2007, 7, 1), [date(2007, 9, 30)], True),  # 183 days before 31 March
        (date(2007, 7, 1), [date(2007, 9, 29)], False),  # 184
        (date(2007, 1, 1), [date(2007, 4, 2), date(2007, 10, 2)], True),  # 91, 183 and 181 days
        (date(2007, 1, 1), [date(2007, 4, 2), date(2007, 10, 3)], False),
        (date(2007, 1, 1), [date(2007, 1, 1), date(2006, 12, 1)], False),  # on or before the start is no review
        (date(2007, 12, 30), [date(2008, 3, 1), date(2008, 3, 1)], True),  # one review that stands twice
    ],
)
def test_review_on_the_last_day_is_on_time_and_a_day_later_is_not(start, reviews, on_time):
    plans = plan_rows(("p", None, start, None))
    found = reviews_on_time(plans, review_rows(*(("p", day) for day in reviews)), ["2008"])
    expected = (0, 0) if on_time is None else (int(on_time), 1)
    assert found.select("time_period", *COUNTS).rows() == [("2008", *expected)]


def test_plan_that_ended_on_31_march_is_not_open_then():
    plans = plan_rows(
        ("p1", None, date(2007, 12, 31), date(2008, 3, 31)), ("p2", None, date(2007, 12, 31), date(2008, 4, 1))
    )
    assert reviews_on_time(plans, review_rows(), ["2008"]).select(COUNTS).rows() == [(1, 1)]


def test_review_missed_in_one_year_counts_in_later_years_too():
    plans = plan_rows(("p", None, date(2006, 6, 1), None))
    reviews = review_rows(
        *(("p", date(2006, 9, 1) + timedelta(shift)) for shift in range(0, 1000, 180))
    )  # first: day 92
    found = reviews_on_time(plans, reviews, ["2007", "2008"])
    assert found.select(COUNTS).rows() == [(0, 1), (0, 1)]


def test_whole_result_of_reviews_with_totals():
    plans = plan_rows(("p1", "Dover", date(2007, 12, 31), None), ("p2", "Swale", date(2007, 12, 1), None))
    found = reviews_on_time(plans, review_rows(), ["2008"], by="district", totals=True)
    assert found.columns == ["time_period", "district", *COUNTS, "proportion", "lower", "upper"]
    assert found.select("time_period", "district", *COUNTS, "proportion").rows() == [
        ("2008", "Dover", 1, 1, 1.0),
        ("2008", "Swale", 0, 1, 0.0),
        ("2008", "Total", 1, 2, 0.5),
    ]


def test_year_without_an_open_plan_has_a_null_share():
    found = reviews_on_time(plan_rows(), review_rows(), ["2008"])
    assert found.rows() == [("2008", 0, 0, None, None, None)]


def test_times_of_day_of_reviews_are_cut_off():
    plans = plan_rows(("p", None, date(2007, 12, 30), None))
    reviews = pl.DataFrame({"plan": ["p"], "review_date": [datetime(2008, 3, 30, 23, 30)]})
    assert reviews_on_time(plans, reviews, ["2008"]).select(COUNTS).rows() == [(1, 1)]


def test_reviews_that_cannot_be_followed_are_refused():
    plans = plan_rows(("p", None, date(2007, 12, 30), None))
    nameless = review_rows((None, date(2008, 1, 1)), ("p", None))
    with pytest.raises(TableError, match=r"reviews: 1 of 2 rows have no plan\..*1 of 2 rows have no review_date"):
        reviews_on_time(plans, nameless, ["2008"])
    with pytest.raises(TableError, match="plans: 2 rows stand for 1 different plans"):
        reviews_on_time(pl.concat([plans, plans]), review_rows(), ["2008"])
    with pytest.raises(TableError, match="1 of 1 rows have no start_date"):
        reviews_on_time(plan_rows(("p", None, None, None)), review_rows(), ["2008"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"years": []}, "at least one reporting year"),
        ({"years": ["2007/08"]}, "Found: 2007/08"),
        ({"first_days": 0}, "first_days must be 1 day or more. Found: 0"),
        ({"later_days": -3}, "later_days must be 1 day or more. Found: -3"),
        ({"by": "plan"}, "names people one by one"),
        ({"by": "time_period"}, "is a column of the result"),
    ],
)
def test_question_about_reviews_that_cannot_be_answered_is_refused(changed, message):
    with pytest.raises(ParameterError, match=message):
        reviews_on_time(plan_rows(), review_rows(), **{"years": ["2008"], **changed})
