"""Tests of paired answers by counts: sign test (exact McNemar), Wilcoxon signed-rank test, Holm's correction.

A score has few distinct gains, so the table of gains with their counts holds all a test needs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

from safeguarding_analytics.errors import ParameterError

ZEROS = ("dropped", "pratt")
"""What becomes of gains of 0 in ranking: left out, or ranked first and then left out (Pratt)."""

DECIMALS = 10
"""Gains are taken as equal where they agree to this many decimals: 0.3 − 0.2 is 0.1."""

MOST_EXACT = 200
"""Pairs that are not zero up to which a Wilcoxon test is exact unless asked otherwise."""

LONGEST = 2_000_000
"""Distinct sums of ranks up to which a Wilcoxon test is exact unless asked otherwise (Pratt with many zeros)."""


class Wilcoxon(NamedTuple):
    """A signed-rank test: the sum of the ranks of gains, its standard score, p-value, which kind, pairs not zero."""

    statistic: float
    z: float
    p_value: float
    exact: bool
    n: int


class _Tie(NamedTuple):
    """The gains of one size: twice their rank, how many are up and how many down."""

    doubled_rank: int
    up: int
    down: int


def sign_test(up: int, down: int) -> float | None:
    """Exact two-sided p-value of as uneven a split into up and down, if either is as likely as the other.

    Parameters
    ----------
    up, down
        How many went up and how many down; those that stayed the same do not count. For a question that is right or
        wrong these are the newly right and the newly wrong, and this is the exact McNemar test.

    Returns
    -------
    float or None
        Between 0 and 1; None where nobody went up or down.

    Raises
    ------
    ParameterError
        If a count is negative.

    Notes
    -----
    Twice the chance of at most the smaller number in up + down tosses of a coin, 1 at most. Takes people as
    independent: people taught together make the true p-value larger.

    References
    ----------
    Arbuthnot 1710, Phil. Trans. 27:186; McNemar 1947, Psychometrika 12:153, with the exact binomial.

    Examples
    --------
    Nine up, none down: 2/2⁹.

    >>> sign_test(9, 0)
    0.00390625
    """
    if up < 0 or down < 0:
        raise ParameterError(f"up and down are counts, 0 or more. Found: {up} and {down}.")
    if up + down == 0:
        return None
    if up == down:
        return 1.0
    from scipy.special import betainc

    fewer, more = sorted((up, down))
    # P(X ≤ fewer) of a binomial with chance ½ is the incomplete beta function at ½.
    return min(1.0, 2 * float(betainc(more, fewer + 1, 0.5)))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """P-values corrected for how many were looked at, by Holm's method.

    Parameters
    ----------
    p_values
        One per test; None where there was nothing to test, which does not count as a test.

    Returns
    -------
    list
        As long and in the same order; None stays None.

    Notes
    -----
    Of m tests, the smallest p-value is multiplied by m, the next by m − 1 and so on; none may be below the one before,
    and none above 1. Saying "changed" below 0.05 is then wrong for any of the questions in at most 5 of 100 cases.

    References
    ----------
    Holm 1979, Scandinavian J. Statistics 6:65.

    Examples
    --------
    >>> holm([0.01, None, 0.5, 0.02])
    [0.03, None, 0.5, 0.04]
    """
    tested = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - rank) * p))
        corrected[place] = largest
    return corrected


def wilcoxon(
    gains: Sequence[float],
    counts: Sequence[int],
    *,
    zeros: Literal["dropped", "pratt"] = "dropped",
    exact: bool | None = None,
) -> Wilcoxon | None:
    """Wilcoxon signed-rank test of gains that are given with their counts.

    Parameters
    ----------
    gains, counts
        The gains there are, and how many people have each. A gain may stand twice.
    zeros
        ``"dropped"``: gains of 0 are left out before ranking; ``"pratt"``: they are ranked and then left out.
    exact
        Whether the p-value is that of all ways of giving signs to the ranks. None: yes up to 200 pairs that are not
        zero (and with Pratt's zeros up to two million distinct sums of ranks), otherwise the normal approximation.

    Returns
    -------
    Wilcoxon or None
        ``statistic``, the sum of the ranks of those who went up (V in R); ``z``, its standard score corrected for
        ties, without continuity correction; two-sided ``p_value``; whether it is ``exact``; ``n`` pairs that are not
        zero. None where there are no such pairs.

    Raises
    ------
    ParameterError
        If ``zeros`` is neither of the two.

    Notes
    -----
    Gains of one size share the mean of their ranks; they are of one size where they agree to 10 decimals. The exact
    distribution is built rank by rank from additions of positive numbers alone, so that a p-value of 1e-19 is as
    precise as one of 0.1 (down to about 1e-290). Takes people as independent, and gains as spread alike to both sides
    of their middle if nothing has changed.

    References
    ----------
    Wilcoxon 1945, Biometrics Bulletin 1:80; Pratt 1959, JASA 54:655; as in the R packages exactRankTests and coin.

    Examples
    --------
    Two fell by 1, one stayed, one gained 1 and four gained 2. Ranks: three times 2, four times 5.5, so V = 2 + 22.

    >>> found = wilcoxon([-1, 0, 1, 2], [2, 1, 1, 4])
    >>> found.statistic, found.n, found.exact, found.p_value
    (24.0, 7, True, 0.109375)
    """
    if zeros not in ZEROS:
        raise ParameterError(f'zeros: "{zeros}" is not one of {", ".join(ZEROS)}.')
    ties = _ties(gains, counts, zeros == "pratt")
    if not ties:
        return None
    n = sum(tie.up + tie.down for tie in ties)
    doubled = sum(tie.doubled_rank * tie.up for tie in ties)
    against = sum(tie.doubled_rank * tie.down for tie in ties)
    spread = math.sqrt(sum(tie.doubled_rank**2 * (tie.up + tie.down) for tie in ties))
    z = (doubled - against) / spread
    unit = math.gcd(*(tie.doubled_rank for tie in ties))
    length = min(doubled, against) // unit + 1
    if exact is None:
        exact = n <= MOST_EXACT and length <= LONGEST
    p_value = min(1.0, 2 * _lower_tail(ties, unit, length)) if exact else math.erfc(abs(z) / math.sqrt(2))
    return Wilcoxon(doubled / 2, z, p_value, exact, n)


def rank_biserial(gains: Sequence[float], counts: Sequence[int]) -> float | None:
    """Matched rank-biserial correlation: by how much the ranks of gains outweigh those of falls.

    Parameters
    ----------
    gains, counts
        The gains there are, and how many people have each.

    Returns
    -------
    float or None
        −1 (everybody who changed fell) to 1 (everybody who changed gained). None where nobody changed.

    Notes
    -----
    Gains of 0 are dropped, the sizes of the others ranked with ties sharing a rank: (ΣR₊ − ΣR₋)/ΣR.

    References
    ----------
    Kerby 2014, Comprehensive Psychology 3:11.

    Examples
    --------
    Ranks 2 and four times 5.5 up, twice 2 down: (24 − 4)/28.

    >>> round(rank_biserial([-1, 0, 1, 2], [2, 1, 1, 4]), 4)
    0.7143
    >>> rank_biserial([-1], [30])
    -1.0
    """
    ties = _ties(gains, counts, zeros_ranked=False)
    whole = sum(tie.doubled_rank * (tie.up + tie.down) for tie in ties)
    return sum(tie.doubled_rank * (tie.up - tie.down) for tie in ties) / whole if whole else None


def _ties(gains: Sequence[float], counts: Sequence[int], zeros_ranked: bool) -> list[_Tie]:
    """Gains gathered by their size, smallest first, with twice the mean of the ranks they share."""
    up: Counter[float] = Counter()
    down: Counter[float] = Counter()
    for gain, count in zip(gains, counts, strict=True):
        (up if gain > 0 else down)[round(abs(gain), DECIMALS)] += count
    before = up[0.0] + down[0.0] if zeros_ranked else 0
    ties = []
    for size in sorted({*up, *down} - {0.0}):
        tied = up[size] + down[size]
        if tied:
            ties.append(_Tie(2 * before + tied + 1, up[size], down[size]))
        before += tied
    return ties


def _lower_tail(ties: Sequence[_Tie], unit: int, length: int) -> float:
    """Chance that the ranks with a plus sign sum to less than ``length`` units, each sign being as likely."""
    import numpy as np

    chances = np.zeros(length)
    chances[0] = 1.0
    reach = 1
    for tie in ties:
        step = tie.doubled_rank // unit
        for _ in range(tie.up + tie.down):
            reach = min(length, reach + step)
            chances[:reach] *= 0.5
            if step < reach:
                chances[step:reach] += chances[: reach - step].copy()
    return float(chances.sum())
