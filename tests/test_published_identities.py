"""Published figures that must follow from one another: every authority and year, through our readers and measures.

The numbers of rows are those of the research note child_protection_and_indicators.md, sections 1 to 4 and 7.
"""

from pathlib import Path

import polars as pl
import pytest

from safeguarding_analytics.comparators import compare_indicator
from safeguarding_analytics.sources.dfe import (
    read_plans_by_duration,
    read_second_or_subsequent_plans,
    read_statistical_neighbours,
)
from safeguarding_analytics.sources.lait import indicator_figures, read_lait
from safeguarding_analytics.sources.population import read_population

SHARED = Path(__file__).parents[2] / "shared"
DFE = SHARED / "data" / "dfe"
pytestmark = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not beside the project")

HALF_A_DECIMAL = 0.0500001
AUTHORITY = pl.col("geographic_level") == "local authority"


@pytest.fixture(scope="module")
def lait():
    return read_lait(DFE / "lait_child_protection_measures_by_LA_year.csv")


@pytest.fixture(scope="module")
def population():
    return read_population(DFE / "ons_mid-year_population_estimates_2012_to_2024.csv")


@pytest.fixture(scope="module")
def neighbours():
    return read_statistical_neighbours(DFE / "sn_model_2025_wide.csv")


@pytest.fixture(scope="module")
def plans():
    return read_second_or_subsequent_plans(DFE / "d3_cpps_subsequent_plan_2013_to_2025.csv")


@pytest.fixture(scope="module")
def durations():
    return read_plans_by_duration(DFE / "d5_cpps_at31march_by_duration_2013_to_2025.csv")


def furthest(frame, worked_out, printed):
    return frame.select((pl.col(worked_out) - pl.col(printed)).abs().max()).item()


@pytest.mark.parametrize(
    ("indicator", "authority_years"), [("second_or_subsequent_plans", 1484), ("reviews_on_time", 1487)]
)
def test_every_published_share_follows_from_its_two_published_counts(lait, indicator, authority_years):
    figures = indicator_figures(lait, indicator).filter(AUTHORITY)
    known = figures.drop_nulls(["numerator", "denominator", "published_percentage"])
    assert known.height == authority_years
    assert known["proportion"].null_count() == 0
    assert (
        furthest(known.with_columns(pl.col("proportion") * 100), "proportion", "published_percentage") <= HALF_A_DECIMAL
    )


@pytest.mark.parametrize(
    ("indicator", "further_off"),
    [
        # Doncaster's 437 starts of 2022 have no numerator ("u"): they are in the printed denominators of its region and
        # of England, and the printed shares leave them out.
        ("second_or_subsequent_plans", [("2022", "England"), ("2022", "Yorkshire and The Humber")]),
        ("reviews_on_time", []),
    ],
)
def test_shares_of_england_and_regions_miss_by_no_more_than_their_counts_are_rounded(lait, indicator, further_off):
    # Counts rounded to 10 are off by 5 at most, the share then by (5 + 5 x share) / (denominator - 5) at most.
    rounded = indicator_figures(lait, indicator).filter(~AUTHORITY)
    assert rounded.height == 12 * 10
    off = (pl.col("proportion") * 100 - pl.col("published_percentage")).abs()
    most = (5 + 5 * pl.col("proportion")) / (pl.col("denominator") - 5) * 100 + HALF_A_DECIMAL
    assert rounded.filter(off > HALF_A_DECIMAL).height > 0
    assert rounded.filter(off > most).select("time_period", "area").rows() == further_off


def test_every_published_rate_takes_the_population_of_the_mid_year_before(lait, population):
    figures = indicator_figures(lait, "plans_per_10000", population=population).filter(AUTHORITY)
    known = figures.drop_nulls(["count", "population", "published_rate"])
    assert known.height == 1492
    assert furthest(known, "rate", "published_rate") <= HALF_A_DECIMAL


def test_the_population_of_the_same_year_reproduces_hardly_any_rate(lait, population):
    a_year_on = population.with_columns((pl.col("mid_year").cast(pl.Int64) - 1).cast(pl.String))
    figures = indicator_figures(lait, "plans_per_10000", population=a_year_on).filter(AUTHORITY)
    known = figures.drop_nulls(["count", "population", "published_rate"])
    assert known.height == 1339
    off = (pl.col("rate") - pl.col("published_rate")).abs()
    assert known.filter(off <= HALF_A_DECIMAL).height == 127


@pytest.mark.parametrize(
    ("indicator", "authority_years"), [("plans_starting_per_10000", 1493), ("referrals_per_10000", 1503)]
)
def test_other_rates_follow_the_same_rule(lait, population, indicator, authority_years):
    # Counted with a plain reader of the two files: every authority-year with a count, a rate and a population.
    figures = indicator_figures(lait, indicator, population=population).filter(AUTHORITY)
    known = figures.drop_nulls(["count", "population", "published_rate"])
    assert known.height == authority_years
    assert furthest(known, "rate", "published_rate") <= HALF_A_DECIMAL


def test_every_authority_row_of_table_d3_gives_its_percentage(plans):
    known = plans.filter(AUTHORITY).drop_nulls(["numerator", "denominator", "published_percentage"])
    assert known.height == 1924
    assert (
        furthest(known.with_columns(pl.col("proportion") * 100), "proportion", "published_percentage") <= HALF_A_DECIMAL
    )


@pytest.mark.parametrize(
    ("column", "codes"),
    [
        ("numerator", {"[c]": 29, "[x]": 3, "[u]": 2}),
        ("denominator", {"[c]": 17, "[x]": 3, "[u]": 1}),
        ("published_percentage", {"[c]": 29, "[z]": 6, "[x]": 3, "[u]": 2}),
    ],
)
def test_codes_of_table_d3_are_counted_one_by_one(plans, column, codes):
    without = plans.filter(AUTHORITY, pl.col(column).is_null())
    assert dict(without["mark"].value_counts().rows()) == codes


def test_the_tool_prints_what_table_d3_prints_and_a_dash_for_every_code(lait, plans):
    # The tool's dashes are table D3's c, z, x and u, and the years in which an authority did not exist.
    tool = indicator_figures(lait, "second_or_subsequent_plans").filter(AUTHORITY)
    both = tool.join(plans.filter(AUTHORITY), on=["time_period", "number"], how="left", suffix="_d3")
    printed = both.filter(pl.col("mark") == "")
    assert furthest(printed, "published_percentage", "published_percentage_d3") == 0
    dashes = both.filter(pl.col("mark") == "[-]").with_columns(pl.col("mark_d3").fill_null("no row"))
    assert dict(dashes["mark_d3"].value_counts().rows()) == {"[c]": 22, "[z]": 6, "[x]": 2, "[u]": 2, "no row": 60}


def bands_and_totals(durations):
    """Per authority and year: its total, its suppressed bands, and the total less the printed ones."""
    band = pl.col("duration") != "Total"
    return (
        durations.filter(AUTHORITY)
        .group_by("time_period", "number")
        .agg(
            pl.col("count").filter(~band).first().alias("total"),
            (band & (pl.col("mark") == "[c]")).sum().alias("suppressed"),
            pl.col("count").filter(band).sum().alias("printed"),
        )
        .with_columns((pl.col("total") - pl.col("printed")).alias("residual"))
    )


def test_suppressed_bands_of_table_d5_never_stand_alone_beside_a_total(durations):
    rows = bands_and_totals(durations)
    assert rows.height == 1976
    known = rows.filter(pl.col("total").is_not_null())
    assert dict(known["suppressed"].value_counts().rows()) == {0: 1236, 2: 718, 3: 1}


def test_some_pairs_of_suppressed_bands_are_small_together(durations):
    pairs = bands_and_totals(durations).filter(pl.col("total").is_not_null(), pl.col("suppressed") == 2)
    small = pairs.filter(pl.col("residual") <= 5)["residual"]
    assert (pairs.height, len(small), small.min()) == (718, 14, 3)


def test_two_years_or_more_is_suppressed_in_705_rows_and_nothing_is_filled_in(durations):
    longest = durations.filter(AUTHORITY, pl.col("duration") == "2 years or more")
    assert longest.filter(pl.col("mark") == "[c]").height == 705
    assert longest.filter(pl.col("mark") != "")["count"].null_count() == 705 + 3 + 1  # c, x and u


def test_conferences_on_time_of_england_2023_are_a_share_of_all_conferences(lait, neighbours):
    # (6,850 + 51,480) / 74,380 = 78.4 as printed; over the sum of the bands, 74,350, it would be 78.5.
    found = compare_indicator(lait, neighbours, "Kent", "conferences_on_time", time_period="2023")
    assert found.filter(pl.col("area") == "England")["proportion"].item() == pytest.approx(0.784)
    dated = compare_indicator(lait, neighbours, "Kent", "conferences_on_time_of_those_dated", time_period="2023")
    england = dated.filter(pl.col("area") == "England").row(0, named=True)
    assert (england["numerator"], england["denominator"]) == (6850 + 51480, 74_350)
    assert round(england["proportion"] * 100, 1) == 78.5


def test_kirklees_2016_held_67_percent_of_its_conferences_on_time(lait, neighbours):
    # Bands 110, 269, 53 and 132: 379 of 564 is 67.2, printed is 67.0.
    found = compare_indicator(lait, neighbours, "Kirklees", "conferences_on_time", time_period="2016")
    assert found.row(0)[1:5] == ("Kirklees", None, None, pytest.approx(0.67))
    dated = compare_indicator(lait, neighbours, "Kirklees", "conferences_on_time_of_those_dated", time_period="2016")
    assert dated.row(0)[1:5] == ("Kirklees", 110 + 269, 110 + 269 + 53 + 132, pytest.approx(379 / 564))


def test_conferences_outside_the_bands_can_only_lower_the_published_share(lait):
    dated = indicator_figures(lait, "conferences_on_time_of_those_dated").filter(AUTHORITY)
    printed = indicator_figures(lait, "conferences_on_time").select("time_period", "number", all="published_percentage")
    both = dated.join(printed, on=["time_period", "number"]).drop_nulls(["proportion", "all"])
    higher = (pl.col("proportion") * 100 - pl.col("all")).alias("higher")
    assert both.height == 1331
    assert both.filter(higher.abs() <= HALF_A_DECIMAL).height == 1254
    assert both.filter(higher > HALF_A_DECIMAL).height == 77
    assert both.select(higher.max().round(1)).item() == 8.6
