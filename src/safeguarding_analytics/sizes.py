"""Effect sizes of a paired gain, each under the name of its definition, and exact tests of whether it is chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.exact_tests import rank_biserial, sign_test, wilcoxon
from safeguarding_analytics.paired import FEWEST_STANDARDISED, hedges_correction, mean_changes, pairs_of
from safeguarding_analytics.questionnaires import DECIMALS, Scored, score_twice

Scores: TypeAlias = Sequence[float] | pl.Series

ALIKE = 1e-6
"""√(2 (1 − correlation)) below this is that of a line: there is nothing to divide by."""

NOTHING = 10**-DECIMALS
"""A spread below this is none: it comes of sums of decimals."""

DEFINITIONS = {
    "g_av": "g_av: mean change ÷ average standard deviation, corrected for few pairs (Hedges)",
    "d_av": "d_av: mean change ÷ average standard deviation of before and after",
    "d_pre": "d_pre: mean change ÷ standard deviation before (Becker)",
    "d_rm": "d_rm: mean change ÷ standard deviation of the changes × √(2 (1 − correlation))",
    "rank_biserial": "Rank-biserial: share of rank sum that rose − share that fell, −1 to 1",
    "normalised_gain": "Normalised gain: mean change ÷ what was left to the maximum (Hake, of the means)",
    "normalised_change": "Normalised change: mean of change ÷ what was left to gain or lose (Marx & Cummings)",
    "d_z": "d_z: mean change ÷ standard deviation of the changes (grows as answers repeat themselves)",
}
"""What is reported, in this order, and in which words: g_av leads, d_z never does."""


class PairedSizes(NamedTuple):
    """Effect sizes of pairs of answers; None where there is nothing to divide by.

    ``undefined_changes`` counts pairs that had all points, or none, both times: they have no normalised change.
    """

    n_pairs: int
    mean_change: float | None
    sd_pre: float | None
    sd_post: float | None
    sd_gain: float | None
    correlation: float | None
    g_av: float | None
    d_av: float | None
    d_pre: float | None
    d_rm: float | None
    rank_biserial: float | None
    normalised_gain: float | None
    normalised_change: float | None
    d_z: float | None
    undefined_changes: int


def paired_sizes(first: Scores, second: Scores, *, minimum: float, maximum: float) -> PairedSizes:
    """Effect sizes of pairs of scores.

    Parameters
    ----------
    first, second
        Scores before and after of the same people, in the same order, points.
    minimum, maximum
        Lowest and highest score there can be.

    Returns
    -------
    PairedSizes
        Not suppressed.

    Notes
    -----
    s₁, s₂, s: standard deviations before, after, and of the changes; r: correlation. d_av = mean ÷ √((s₁² + s₂²) / 2);
    g_av = d_av × J(n − 1), J Hedges' exact correction; d_rm = mean ÷ s × √(2 (1 − r)); d_pre = mean ÷ s₁;
    d_z = mean ÷ s. Below 3 pairs J is 0 and g_av says nothing: None.

    Rank-biserial (matched pairs): rank sum of rises less that of falls, over both; who stayed the same is left out;
    1 where all who changed rose, −1 where all fell. Normalised gain: mean change ÷ (maximum − mean before), of the
    means, since the mean of individual gains is biased by measurement error. Normalised change: (after − before) ÷
    (maximum − before) of a rise, ÷ (before − minimum) of a fall, 0 of no change.

    References
    ----------
    Lakens 2013, Frontiers in Psychology 4:863; Becker 1988, British J. Math. Stat. Psychology 41:257; Kerby 2014,
    Comprehensive Psychology 3:1; Hake 1998, American J. Physics 66:64; Marx & Cummings 2007, American J. Physics 75:87.

    Examples
    --------
    >>> found = paired_sizes([1, 2, 3, 4], [2, 3, 4, 5], minimum=0, maximum=10)
    >>> round(found.d_av, 4), found.d_z, found.rank_biserial, round(found.normalised_gain, 4)
    (0.7746, None, 1.0, 0.1333)
    """
    _check_pairs(first, second, minimum, maximum)
    pairs = pairs_of(pl.DataFrame({"first": first, "second": second}, schema=dict.fromkeys(_SCORES, pl.Float64)))
    n = pairs.height
    if n == 0:
        return PairedSizes(0, None, None, None, None, None, None, None, None, None, None, None, None, None, 0)
    spread = _spread(pairs)
    change = float(pairs.select(pl.col("gain").mean()).item())
    factors = {name: None if divisor is None else 1 / divisor for name, divisor in _divisors(spread, n).items()}
    counted = pairs.group_by("gain").len().sort("gain")
    changes = _normalised_changes(pairs, minimum, maximum)
    return PairedSizes(
        n_pairs=n,
        mean_change=change,
        sd_pre=spread.pre,
        sd_post=spread.post,
        sd_gain=spread.gain,
        correlation=spread.correlation,
        **{name: None if factor is None else change * factor for name, factor in factors.items()},
        rank_biserial=rank_biserial(counted["gain"].to_list(), counted["len"].to_list()),
        normalised_gain=_over(change, maximum - _mean(pairs["first"])),
        normalised_change=None if not len(changes) else _mean(changes),
        undefined_changes=n - len(changes),
    )


class _Spread(NamedTuple):
    """Standard deviations, 0 where all are alike and None of one pair, and the correlation."""

    pre: float | None
    post: float | None
    gain: float | None
    correlation: float | None


def _spread(pairs: pl.DataFrame) -> _Spread:
    names = (*_SCORES, "gain")
    ranges = pairs.select((pl.col(name).max() - pl.col(name).min()).alias(name) for name in names).row(0, named=True)
    alike = {name: between < NOTHING for name, between in ranges.items()}
    found = pairs.select(pl.col(*_SCORES, "gain").std(), pl.cov("first", "second").alias("together")).row(0, named=True)
    first, second, gain = (
        0.0 if alike[name] and found[name] is not None else found[name] for name in (*_SCORES, "gain")
    )
    correlation = None if not first or not second else found["together"] / (first * second)
    return _Spread(first, second, gain, None if correlation is None else max(-1.0, min(1.0, correlation)))


def _divisors(spread: _Spread, n: int) -> dict[str, float | None]:
    """What the mean change is divided by, by the name of the effect size; None where there is nothing to divide by."""
    average = None if spread.pre is None or spread.post is None else math.sqrt((spread.pre**2 + spread.post**2) / 2)
    correction = hedges_correction(n - 1) if n >= FEWEST_STANDARDISED else 0.0
    apart = None if spread.correlation is None else math.sqrt(max(0.0, 2 * (1 - spread.correlation)))
    return {
        "g_av": average / correction if average and correction else None,
        "d_av": average or None,
        "d_pre": spread.pre or None,
        "d_rm": spread.gain / apart if spread.gain and apart and apart > ALIKE else None,
        "d_z": spread.gain or None,
    }


def _check_pairs(first: Scores, second: Scores, minimum: float, maximum: float) -> None:
    """Refuse scores that are no pairs, or lie outside of the scale."""
    if len(first) != len(second):
        raise ParameterError(f"first and second are of the same people. Found: {len(first):,} and {len(second):,}.")
    both = pl.concat([pl.Series(scores, dtype=pl.Float64) for scores in (first, second)])
    wrong = (~both.is_between(minimum - NOTHING, maximum + NOTHING) | both.is_nan()).sum()
    if wrong:
        raise ParameterError(
            f"first and second: {wrong:,} scores are no numbers from minimum {minimum:g} to maximum {maximum:g}."
        )


_SCORES = ("first", "second")


def _mean(values: pl.Series) -> float:
    return float(values.sum()) / len(values)


def _over(number: float | None, of: float | None) -> float | None:
    return None if number is None or of is None or abs(of) < NOTHING else number / of


def _normalised_changes(pairs: pl.DataFrame, minimum: float, maximum: float) -> pl.Series:
    """The change of each pair over what was left to gain or lose; without pairs at one end both times."""
    first, second, gain = pl.col("first"), pl.col("second"), pl.col("gain")
    nothing_left = (gain == 0) & (((first - maximum).abs() < NOTHING) | ((first - minimum).abs() < NOTHING))
    room = pl.when(gain > 0).then(maximum - first).otherwise(first - minimum)
    change = pl.when(gain == 0).then(0.0).otherwise((second - first) / room)
    return pairs.filter(~nothing_left).select(change.alias("change"))["change"]


def effect_sizes(
    scores: IntoFrame, items: IntoFrame, *, cluster: str | None = "session", confidence: float = 0.95
) -> pl.DataFrame:
    """Effect sizes of the gain, one per row under the name of its definition.

    Parameters
    ----------
    scores, items, cluster, confidence
        As for `knowledge_gain`.

    Returns
    -------
    pl.DataFrame
        ``definition``, ``n`` (pairs), ``estimate``, ``lower``, ``upper``, in the order of `DEFINITIONS`. Null where it
        cannot be worked out: all estimates below 3 pairs, standardised ones without spread; the interval where that of
        the mean change is, and for those that are no multiple of the mean change. Not suppressed.

    Raises
    ------
    TableError, ParameterError
        As `knowledge_gain`.

    Notes
    -----
    Definitions and sources: `paired_sizes`. The interval is that of the mean change, which allows for clusters, over
    the same standard deviation; the standard deviation is taken as known. "Paired d" means different things in
    different packages: compare only numbers of one definition. No size is small or large by itself.

    Examples
    --------
    >>> points = {"pre": [0, 1, 2] * 3, "post": [2, 3, 4] * 3}
    >>> rows = [("s1", str(n), wave, "Q1", one) for wave, some in points.items() for n, one in enumerate(some)]
    >>> scores = pl.DataFrame(rows, schema=["session", "person", "wave", "item", "score"], orient="row")
    >>> items = pl.DataFrame({"item": ["Q1"], "minimum": [0], "maximum": [4], "reversed": [False]})
    >>> effect_sizes(scores, items)["estimate"].round(2).to_list()
    [2.08, 2.31, 2.31, None, 1.0, 0.67, 0.72, None]
    """
    scored = score_twice(scores, items, cluster)
    change = mean_changes(scored.people, (), cluster, None, confidence)
    return effect_sizes_of(scored, change)


def effect_sizes_of(scored: Scored, change: pl.DataFrame) -> pl.DataFrame:
    """As `effect_sizes`, of people whose answers are added up, and their mean change."""
    pairs = pairs_of(scored.people)
    found = paired_sizes(pairs["first"], pairs["second"], minimum=scored.lowest, maximum=scored.highest)
    interval = (change["lower"].item(), change["upper"].item())
    divisors = _divisors(_Spread(found.sd_pre, found.sd_post, found.sd_gain, found.correlation), found.n_pairs)
    rows = []
    for name, definition in DEFINITIONS.items():
        enough, divisor = found.n_pairs >= FEWEST_STANDARDISED, divisors.get(name)
        ends = [None if end is None or divisor is None or not enough else end / divisor for end in interval]
        rows.append((definition, found.n_pairs, getattr(found, name) if enough else None, *ends))
    kinds = {"definition": pl.String, "n": pl.Int64} | dict.fromkeys(("estimate", "lower", "upper"), pl.Float64)
    return pl.DataFrame(rows, schema=kinds, orient="row")


class ChangeTests(NamedTuple):
    """Exact tests of whether rises and falls balance; None where nobody changed."""

    sign_p: float | None
    wilcoxon_p: float | None
    wilcoxon_exact: bool | None


def change_tests(scores: IntoFrame, items: IntoFrame) -> ChangeTests:
    """Test rises against falls: the sign test by counts, and Wilcoxon's signed ranks by counts of each change.

    Parameters
    ----------
    scores, items
        As for `knowledge_gain`.

    Returns
    -------
    ChangeTests
        Two-sided p values; whether Wilcoxon's is exact (up to 200 people who changed) or the normal approximation with
        ties. Not suppressed.

    Raises
    ------
    TableError
        As `knowledge_gain`.

    Notes
    -----
    Neither allows for people taught together: with a difference between sessions the true p is larger.

    Examples
    --------
    >>> rows = [("s1", f"p{n}", wave, "Q1", n + (wave == "post")) for n in range(4) for wave in ("pre", "post")]
    >>> scores = pl.DataFrame(rows, schema=["session", "person", "wave", "item", "score"], orient="row")
    >>> items = pl.DataFrame({"item": ["Q1"], "minimum": [0], "maximum": [9], "reversed": [False]})
    >>> change_tests(scores, items)
    ChangeTests(sign_p=0.125, wilcoxon_p=0.125, wilcoxon_exact=True)
    """
    return change_tests_of(score_twice(scores, items, None))


def change_tests_of(scored: Scored) -> ChangeTests:
    """As `change_tests`, of people whose answers are added up."""
    counted = pairs_of(scored.people).group_by("gain").len().sort("gain")
    gains, counts = counted["gain"].to_list(), counted["len"].to_list()
    up = sum(count for gain, count in zip(gains, counts, strict=True) if gain > 0)
    down = sum(count for gain, count in zip(gains, counts, strict=True) if gain < 0)
    ranks = wilcoxon(gains, counts)
    return ChangeTests(
        sign_test(up, down), None if ranks is None else ranks.p_value, None if ranks is None else ranks.exact
    )
