"""Intervals against published numbers and the stored answers of R packages."""

import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.intervals import byar, wilson

SHARED = Path(__file__).parents[2] / "shared"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not beside the project")
LEVELS = pytest.mark.parametrize(("confidence", "suffix"), [(0.95, "95_0cl"), (0.998, "99_8cl")])


def oracle_rows(name: str) -> list[dict]:
    return pl.read_csv(SHARED / "data" / "intervals" / name, infer_schema_length=None).rows(named=True)


@needs_shared
@LEVELS
def test_wilson_equals_phe_indicator_methods(confidence, suffix):
    for row in oracle_rows("oracle_wilson_edge.csv"):
        lower, upper = wilson(row["x"], row["n"], confidence)
        assert lower * 100 == pytest.approx(row[f"lower{suffix}"], abs=1e-10)
        assert upper * 100 == pytest.approx(row[f"upper{suffix}"], abs=1e-10)


@needs_shared
@LEVELS
def test_byar_and_exact_poisson_equal_phe_indicator_methods(confidence, suffix):
    for row in oracle_rows("oracle_byars_edge.csv"):
        lower, upper = byar(row["x"], confidence)
        assert lower / row["n"] * 10_000 == pytest.approx(row[f"lower{suffix}"], rel=1e-10, abs=1e-12)
        assert upper / row["n"] * 10_000 == pytest.approx(row[f"upper{suffix}"], rel=1e-10)


@pytest.mark.parametrize(
    ("numerator", "denominator", "confidence", "lower", "upper"),
    [
        # Kent Annual Report 2007-08: 19.2% of 920 plans, so 177; ends as PHEindicatormethods 2.1.0 prints them.
        (177, 920, 0.95, 0.16822, 0.21912),
        (177, 920, 0.998, 0.15547, 0.23563),
        (0, 12, 0.95, 0.0, 0.24249),
        (0, 12, 0.998, 0.0, 0.44314),
        (7, 7, 0.95, 0.64567, 1.0),
        # PHEindicatormethods' own test data.
        (65, 100, 0.95, 0.552544, 0.736358),
        (65, 100, 0.998, 0.495495, 0.778354),
    ],
)
def test_wilson_gives_the_published_ends(numerator, denominator, confidence, lower, upper):
    assert wilson(numerator, denominator, confidence) == pytest.approx((lower, upper), abs=6e-6)


def test_byar_gives_the_published_rate_of_kent():
    # 960 plans among 309,677 children: 31.00 (29.07 to 33.02) per 10,000.
    assert [round(end / 309_677 * 10_000, 2) for end in byar(960)] == [29.07, 33.02]


def test_byar_switches_to_exact_poisson_below_ten_events():
    # Exact limits of 9: 4.115 to 17.085 (Garwood 1936); Byar's approximation would give 4.107 to 17.085.
    assert byar(9) == pytest.approx((4.1154, 17.0848), abs=1e-4)
    # Byar at 10, by its formula: 10(1 − 1/90 − 1.959964/(3√10))³ and 11(1 − 1/99 + 1.959964/(3√11))³.
    lower = 10 * (1 - 1 / 90 - 1.959964 / (3 * math.sqrt(10))) ** 3
    upper = 11 * (1 - 1 / 99 + 1.959964 / (3 * math.sqrt(11))) ** 3
    assert byar(10) == pytest.approx((lower, upper), abs=1e-5)


@pytest.mark.parametrize(("numerator", "denominator"), [(0, 0), (3, 0), (8, 7), (-1, 7), (None, 7), (3, None)])
def test_wilson_is_null_where_the_counts_make_no_share(numerator, denominator):
    counts = pl.DataFrame({"x": [numerator], "n": [denominator]}, schema={"x": pl.Int64, "n": pl.Int64})
    assert counts.select(*wilson(pl.col("x"), pl.col("n"))).row(0) == (None, None)


@pytest.mark.parametrize("count", [-1, None])
def test_byar_is_null_where_there_is_no_count(count):
    counts = pl.DataFrame({"x": [count]}, schema={"x": pl.Int64})
    assert counts.select(*byar(pl.col("x"))).row(0) == (None, None)


def test_intervals_of_large_counts_in_narrow_types_do_not_overflow():
    # 200² does not fit UInt8, nor 60,000² UInt32.
    for size, of in ((pl.UInt8, 250), (pl.UInt16, 60_000)):
        counts = pl.DataFrame({"x": [of // 2], "n": [of]}, schema={"x": size, "n": size})
        lower, upper = counts.select(*wilson(pl.col("x"), pl.col("n"))).row(0)
        assert (lower + upper) / 2 == pytest.approx(0.5)
    lower, upper = byar(10**12)
    # For so many events the interval is the count ± 1.96 times its square root.
    assert (upper - lower) / 2 == pytest.approx(1.959964 * 10**6, rel=1e-4)


@pytest.mark.parametrize("confidence", [0, 1, 95, -0.5])
def test_confidence_outside_zero_to_one_is_refused(confidence):
    with pytest.raises(ParameterError, match="between 0 and 1"):
        wilson(1, 2, confidence)
    with pytest.raises(ParameterError, match="between 0 and 1"):
        byar(1, confidence)


def test_wilson_refuses_an_expression_beside_a_number():
    with pytest.raises(ParameterError, match="two expressions or two numbers"):
        wilson(pl.col("x"), 3)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 10**9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_wilson_holds_the_share_and_stays_within_zero_and_one(counts, confidence):
    x, n = counts
    lower, upper = wilson(x, n, confidence)
    assert 0 <= lower <= x / n + 1e-12
    assert x / n - 1e-12 <= upper <= 1


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**9))
def test_byar_holds_the_count(count):
    lower, upper = byar(count)
    assert 0 <= lower <= count < upper
