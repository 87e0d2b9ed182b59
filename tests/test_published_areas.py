"""An authority beside others: the Department's open files, and the funnels worked out again in plain Python."""

import csv
import math
import re
import shutil
from functools import cache
from pathlib import Path
from statistics import mean, median

import polars as pl
import pytest

from safeguarding_analytics.config import ComparatorsSection
from safeguarding_analytics.disclosure import already_public
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.published_areas import children_of, indicator_beside, repeat_plans_beside

SHARED = Path(__file__).parents[2] / "shared"
DFE = SHARED / "data" / "dfe"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not beside the project")

REPEATS = "d3_cpps_subsequent_plan_2013_to_2025.csv"
TOOL = "lait_child_protection_measures_by_LA_year.csv"
NEIGHBOURS = "sn_model_2025_wide.csv"
POPULATION = "ons_mid-year_population_estimates_2012_to_2024.csv"
EVERY_FILE = ComparatorsSection(
    second_or_subsequent_plans=REPEATS,
    statistical_neighbours=NEIGHBOURS,
    interactive_tool=TOOL,
    population=POPULATION,
)
NO_FILE = ComparatorsSection()


def files(**names):
    return ComparatorsSection(**names)


@cache
def repeats(authority="Kent", comparator_set="all"):
    return repeat_plans_beside(EVERY_FILE, DFE, authority, comparator_set)


@cache
def beside(indicator, authority="Kent"):
    return indicator_beside(EVERY_FILE, DFE, authority, indicator)


def of_2025(found, *columns):
    return {row[0]: row[1:] for row in found.comparators.filter(time_period="2025").select("area", *columns).rows()}


@cache
def cells(name):
    with (DFE / name).open(encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


# The funnel of Spiegelhalter's additive model in plain Python.


def quantile(values, share):
    """R's type 7."""
    ordered, place = sorted(values), (len(values) - 1) * share
    low = math.floor(place)
    return ordered[low] + (place - low) * (ordered[min(low + 1, len(values) - 1)] - ordered[low])


def spread(values, errors, target):
    """φ and τ² of values with these standard errors, with a tenth drawn in at either end."""
    scores = [(value - target) / error for value, error in zip(values, errors, strict=True)]
    low, high = quantile(scores, 0.1), quantile(scores, 0.9)
    drawn_in = [min(max(score, low), high) for score in scores]
    phi = sum(score**2 for score in drawn_in) / len(scores)
    weights = [1 / error**2 for error in errors]
    size = len(scores)
    over = (size * phi - (size - 1)) / (sum(weights) - sum(weight**2 for weight in weights) / sum(weights))
    return phi, max(0.0, over)


def poisson_tail(count, expected):
    """The smaller of the chances of at most, and at least, so many events."""
    first = math.exp(count * math.log(expected) - expected - math.lgamma(count + 1))
    at_most, chance, events = 0.0, first, count
    while chance > 1e-20:
        at_most, chance, events = at_most + chance, chance * events / expected, events - 1
    return min(at_most, 1 - at_most + first)


# Second or subsequent plans, table D3


@needs_shared
@pytest.mark.parametrize(("authority", "numerator", "denominator"), [("Kent", 310, 1274), ("Kirklees", 173, 623)])
def test_published_counts_of_2025_are_those_of_the_department(authority, numerator, denominator):
    counts = of_2025(repeats(authority), "numerator", "denominator", "proportion")
    assert counts[authority][:2] == (numerator, denominator)
    assert counts[authority][2] == pytest.approx(numerator / denominator)
    assert counts["England"][:2] == (15130, 61840)
    assert counts["England"][2] == pytest.approx(0.245)


@needs_shared
@pytest.mark.parametrize(("authority", "middle", "average"), [("Kent", 24.45, 24.34), ("Kirklees", 21.5, 22.72)])
def test_statistical_neighbours_of_2025_are_those_worked_out_from_the_two_files(authority, middle, average):
    (model,) = (row for row in cells(NEIGHBOURS) if row["la_name"] == authority)
    numbers = {model[f"SN_{place}"] for place in range(1, 11)}
    rows = [row for row in cells(REPEATS) if row["time_period"] == "2025" and row["old_la_code"] in numbers]
    printed = [float(row["CPP_subsequent_percent"]) for row in rows]
    assert (len(printed), median(printed), mean(printed)) == (10, pytest.approx(middle), pytest.approx(average))
    found = of_2025(repeats(authority), "proportion", "neighbours")
    assert found["Statistical neighbours (median)"] == (pytest.approx(middle / 100), 10)
    assert found["Statistical neighbours (mean)"] == (pytest.approx(average / 100), 10)


@needs_shared
def test_every_year_of_the_authority_is_there():
    years = repeats().comparators.filter(area="Kent")["time_period"].to_list()
    assert years == [str(year) for year in range(2013, 2026)]


@cache
def printed_repeats():
    rows = [row for row in cells(REPEATS) if row["time_period"] == "2025"]
    counts = [(row["CPP_subsequent"], row["CPP_start"]) for row in rows if row["geographic_level"] == "Local authority"]
    return [(int(x), int(n)) for x, n in counts if x.isdecimal() and n.isdecimal() and int(n)]


@needs_shared
def test_funnel_of_repeat_plans_is_that_of_plain_arithmetic():
    pairs = printed_repeats()
    share = sum(x for x, _ in pairs) / sum(n for _, n in pairs)
    values = [math.asin(math.sqrt(x / n)) for x, n in pairs]
    phi, tau2 = spread(values, [1 / (2 * math.sqrt(n)) for _, n in pairs], math.asin(math.sqrt(share)))
    # The score test: outside where the distance is more than z standard errors of the average share.
    z = 3.090232306167813
    outside = sum(abs(x / n - share) > z * math.sqrt(share * (1 - share) / n) for x, n in pairs)
    funnel = repeats().funnel
    assert (funnel.time_period, funnel.kind, funnel.areas) == ("2025", "proportion", len(pairs))
    assert funnel.average == pytest.approx(share)
    assert (funnel.phi, funnel.tau2) == (pytest.approx(phi), pytest.approx(tau2))
    assert (funnel.outside_plain, funnel.inside_plain) == (outside, len(pairs) - outside)
    assert repeats().limits.height == len(pairs)
    assert f"{outside} of {len(pairs)} areas lie outside the 99.8% limits of chance alone" in repeats().notes[0]


@needs_shared
def test_repeat_plans_say_what_they_are_and_which_model_of_neighbours_is_used():
    found = repeats()
    assert found.source == "Department for Education, Children in need; statistical neighbours of the 2025 model"
    assert found.title.startswith("Plans starting in the year where the child had a plan before")
    assert found.says == f"{found.title}."
    assert "plans are counted" in found.caution
    assert already_public(found.comparators, found.source).shape.name == "proportion"
    assert already_public(found.limits, found.source).shape.name == "funnel"


@needs_shared
def test_set_without_neighbours_has_none_and_names_no_model():
    found = repeats(comparator_set="region")
    assert found.comparators["area"].unique().sort().to_list() == ["England", "Kent", "South East"]
    assert found.source == "Department for Education, Children in need"


@needs_shared
def test_file_of_neighbours_may_be_left_out():
    found = repeat_plans_beside(files(second_or_subsequent_plans=REPEATS), DFE, "Kent")
    assert found.comparators["area"].unique().sort().to_list() == ["England", "Kent", "South East"]
    assert found.limits.equals(repeats().limits)


@needs_shared
def test_region_may_be_left_out():
    areas = set(repeats(comparator_set="neighbours").comparators["area"])
    assert "South East" not in areas
    assert "Statistical neighbours (median)" in areas


# Indicators of the Local Authority Interactive Tool


@cache
def in_the_tool(measure):
    """Printed values of 2025 by area; by plain reading."""
    rows = [row for row in cells(TOOL) if (row["Short Desc"], row["Years"]) == (measure, "2025")]
    return {row["LA and Regions"]: float(row["Values"]) for row in rows if re.fullmatch(r"[\d.]+", row["Values"])}


@needs_shared
def test_two_thirds_of_authorities_lie_outside_plain_limits_of_plans_per_10000():
    # The research note: 98 of 151 at 99.8%. Here each is put to the exact Poisson test by itself.
    found = beside("plans_per_10000")
    pairs = found.limits.select("area", "observed", "size").rows()
    assert {area: observed for area, observed, _ in pairs}.items() <= in_the_tool("CPP_Num").items()
    rate = sum(observed for _, observed, _ in pairs) / sum(size for *_, size in pairs)
    outside = sum(poisson_tail(observed, size * rate) < 0.001 for _, observed, size in pairs)
    funnel = found.funnel
    assert (funnel.outside_plain, funnel.areas, funnel.kind, funnel.time_period) == (98, 151, "rate", "2025")
    assert (outside, len(pairs)) == (98, 151)
    assert funnel.average == pytest.approx(rate * 10_000)
    assert found.notes[0].startswith("98 of 151 areas lie outside the 99.8% limits of chance alone.")


@needs_shared
def test_spread_of_plans_per_10000_is_that_of_plain_arithmetic():
    found = beside("plans_per_10000")
    pairs = found.limits.select("observed", "size").rows()
    rate = sum(observed for observed, _ in pairs) / sum(size for _, size in pairs)
    expected = [size * rate for _, size in pairs]
    values = [math.sqrt(observed / each) for (observed, _), each in zip(pairs, expected, strict=True)]
    phi, tau2 = spread(values, [1 / (2 * math.sqrt(each)) for each in expected], 1.0)
    assert (found.funnel.phi, found.funnel.tau2) == (pytest.approx(phi), pytest.approx(tau2))
    assert found.funnel.outside_adjusted < 10


@needs_shared
def test_rates_of_an_authority_stand_beside_those_of_its_neighbours():
    found = beside("plans_per_10000")
    row = found.comparators.filter(time_period="2025", area="Kent").row(0, named=True)
    assert row["count"] == in_the_tool("CPP_Num")["Kent"]
    assert row["rate"] == pytest.approx(row["count"] / row["population"] * 10_000)
    assert found.source.endswith("Local Authority Interactive Tool; statistical neighbours of the 2025 model")
    assert already_public(found.comparators, found.source).shape.name == "rate"
    assert already_public(found.limits, found.source).shape.name == "funnel"


@needs_shared
def test_share_of_the_tool_has_a_funnel_of_shares():
    found = beside("reviews_on_time")
    assert found.funnel.kind == "proportion"
    assert already_public(found.comparators, found.source).shape.name == "proportion"
    (share,) = of_2025(found, "proportion")["Kent"]
    assert share * 100 == pytest.approx(in_the_tool("RevCP")["Kent"], abs=0.0500001)


@needs_shared
@pytest.mark.parametrize("indicator", ["plans_ceased_per_10000", "conferences_on_time"])
def test_indicator_without_counts_has_no_funnel(indicator):
    found = beside(indicator)
    assert found.comparators.height > 0
    assert found.funnel is None
    assert found.limits.is_empty()
    assert found.limits.schema == beside("plans_per_10000").limits.schema
    assert found.notes == ()
    assert already_public(found.limits, found.source).shape.name == "funnel"


@needs_shared
def test_rate_without_population_is_as_printed_and_has_no_funnel():
    found = indicator_beside(files(interactive_tool=TOOL), DFE, "Kent", "plans_per_10000")
    row = found.comparators.filter(time_period="2025", area="Kent").row(0, named=True)
    assert row["rate"] == pytest.approx(in_the_tool("CPP_rate")["Kent"])
    assert row["lower"] is None
    assert found.funnel is None


@needs_shared
def test_plain_count_is_no_indicator_to_compare():
    with pytest.raises(ParameterError, match="is a count, which is larger where more children live"):
        indicator_beside(EVERY_FILE, DFE, "Kent", "plans_starting")


# What is not there


def test_no_file_named_gives_no_rows():
    found = repeat_plans_beside(NO_FILE, Path("nowhere"), None)
    assert found.comparators.is_empty()
    assert (found.funnel, found.notes) == (None, ())
    assert found.limits.is_empty()
    assert already_public(found.comparators, found.source).shape.name == "proportion"
    assert already_public(found.limits, found.source).shape.name == "funnel"


@pytest.mark.parametrize(("indicator", "shape"), [("plans_per_10000", "rate"), ("reviews_on_time", "proportion")])
def test_no_file_of_the_tool_gives_no_rows_of_the_indicator(indicator, shape):
    found = indicator_beside(NO_FILE, Path("nowhere"), None, indicator)
    assert found.comparators.is_empty()
    assert found.funnel is None
    assert found.meaning
    assert already_public(found.comparators, found.source).shape.name == shape
    assert already_public(found.limits, found.source).shape.name == "funnel"


@needs_shared
@pytest.mark.parametrize("indicator", ["plans_per_10000", "reviews_on_time"])
def test_table_without_rows_has_the_columns_of_one_with_rows(indicator):
    nothing = indicator_beside(NO_FILE, Path("nowhere"), None, indicator)
    assert nothing.comparators.schema == beside(indicator).comparators.schema


@pytest.mark.parametrize("settings", [NO_FILE, EVERY_FILE])
def test_indicator_that_does_not_exist_is_refused_with_the_nearest(settings):
    with pytest.raises(ParameterError, match=r'Did you mean "reviews_on_time"\?'):
        indicator_beside(settings, DFE, "Kent", "review_on_time")


@needs_shared
def test_authority_that_is_not_named_or_unknown_is_refused():
    with pytest.raises(ParameterError, match=r"no \[board\] authority"):
        repeat_plans_beside(EVERY_FILE, DFE, None)
    with pytest.raises(ParameterError, match=r"no \[board\] authority"):
        indicator_beside(EVERY_FILE, DFE, None, "plans_per_10000")
    with pytest.raises(ParameterError, match=r'no authority "Kentt".*Did you mean "Kent"\?'):
        repeat_plans_beside(EVERY_FILE, DFE, "Kentt")
    with pytest.raises(ParameterError, match=r'no authority "Kentt".*Did you mean "Kent"\?'):
        indicator_beside(EVERY_FILE, DFE, "Kentt", "plans_per_10000")


@pytest.mark.parametrize("ask", [repeat_plans_beside, lambda *given: indicator_beside(*given, "plans_per_10000")])
def test_file_that_is_missing_is_named(ask, tmp_path):
    with pytest.raises(TableError, match=f"{REPEATS}|{TOOL}"):
        ask(EVERY_FILE, tmp_path, "Kent")


@needs_shared
def test_file_that_is_another_is_refused():
    swapped = files(second_or_subsequent_plans=TOOL, interactive_tool=REPEATS)
    with pytest.raises(TableError, match=TOOL):
        repeat_plans_beside(swapped, DFE, "Kent")
    with pytest.raises(TableError, match=REPEATS):
        indicator_beside(swapped, DFE, "Kent", "plans_per_10000")


@needs_shared
def test_file_of_neighbours_without_its_year_is_refused(tmp_path):
    for name in (REPEATS, NEIGHBOURS):
        shutil.copy(DFE / name, tmp_path / name.replace("_2025_wide", ""))
    nameless = files(second_or_subsequent_plans=REPEATS, statistical_neighbours="sn_model.csv")
    with pytest.raises(TableError, match="the year of the model of statistical neighbours"):
        repeat_plans_beside(nameless, tmp_path, "Kent")


def test_plain_quantile_and_poisson_are_what_they_should_be():
    # R: quantile(c(1, 2, 4, 8), 0.1) is 1.3; ppois(2, 3) is 0.4231901.
    assert quantile([8, 1, 4, 2], 0.1) == pytest.approx(1.3)
    assert poisson_tail(2, 3) == pytest.approx(0.4231901)


def own_table(*rows):
    schema = {"authority": pl.String, "district": pl.String, "mid_year": pl.String, "children": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


@needs_shared
def test_children_are_those_of_the_published_estimates_where_the_board_has_no_table():
    found = children_of(EVERY_FILE, DFE, "Kent", own_table())
    assert found.filter(mid_year="2024").row(0) == ("Kent", None, "2024", 355390)
    assert found["mid_year"].to_list() == [str(year) for year in range(2012, 2025)]


def test_table_of_the_board_goes_before_the_estimates():
    own = own_table(("Kent", None, "2007", 309677))
    assert children_of(ComparatorsSection(population="not there.csv"), Path(), "Kent", own) is own
    assert children_of(ComparatorsSection(), Path(), "Kent", own_table()).is_empty()


@needs_shared
def test_where_an_authority_lies_in_the_funnel_is_said():
    found = repeats()
    places = dict(found.limits.select("area", "position").rows())
    assert places["Kent"] == "inside"
    assert found.where("Kent") == "Kent lies inside the limits that allow for ordinary variation."
    high = next(area for area, position in places.items() if position == "above 99.8%")
    assert found.where(high) == f"{high} lies above the 99.8% limits that allow for ordinary variation."
    assert found.where("Nowhere") == found.where(None) == ""
