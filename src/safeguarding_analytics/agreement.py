"""How far the members of a board agree, and which issues and agencies they are divided on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from narwhals.typing import IntoFrame
from numpy.typing import NDArray

from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.exact_tests import holm
from safeguarding_analytics.groups import open_frame
from safeguarding_analytics.pairwise import (
    Numbers,
    Votes,
    ballot_scores,
    read_votes,
    result_frame,
    settled,
)
from safeguarding_analytics.policy import groups_of_few_ballots

DIVIDED = 1 / 3
"""An issue divides the members where at least this share puts it among the first, and this share among the last."""

AT_ONCE = 1_000_000
"""Numbers drawn at a time, so that many permutations of a large board fit into memory."""

ROUNDING = 1e-9
"""A permutation counts as far from chance as the board where it falls short by no more than sums of decimals do."""


def kendall_w(ballots: IntoFrame, *, unranked: str = "share", issues: Sequence[str] | None = None) -> float | None:
    """Kendall's W: how alike the members ranked the issues, 0 (no agreement) to 1 (all ballots the same).

    Parameters
    ----------
    ballots, issues
        As in `rank_priorities`. Members weigh the same: W has no weighted form.
    unranked
        ``"share"`` as in `rank_priorities`. ``"ignore"`` refuses ballots that leave an issue out, because W compares
        whole rankings.

    Returns
    -------
    float | None
        W corrected for ties; None where it is undefined: fewer than two ballots or issues, or every ballot ties all.
        Not suppressed.

    Raises
    ------
    ParameterError
        When ``unranked`` is an unknown word, or is ``"ignore"`` and a ballot leaves an issue out.
    TableError
        As `rank_priorities`.

    Notes
    -----
    W = 12 Σ(R − mean R)² / (V² (n³ − n) − V T), R the sum of an issue's places (tied places averaged) over V ballots of
    n issues, T the sum of t³ − t over every group of t tied issues on every ballot. Worked out here from wins minus
    losses s of issue i on ballot v, which is the same: Σᵢ(Σᵥ s)² / (V Σᵥ Σᵢ s²).

    A low W does not say that members fall into camps: it says only that they do not share one order.

    References
    ----------
    Kendall & Gibbons 1990, Rank Correlation Methods, 5th edition, chapter 6.

    Examples
    --------
    >>> import polars as pl
    >>> ballots = pl.DataFrame({"member": ["a", "a", "b", "b"], "issue": ["x", "y", "x", "y"], "rank": [1, 2, 1, 2]})
    >>> kendall_w(ballots)
    1.0
    """
    votes = read_votes(ballots, "member", unranked, issues)
    _refuse_short_ballots(votes, unranked, "kendall_w")
    return _concordance(ballot_scores(votes, "share"))


def members_agreement(
    ballots: IntoFrame, *, permutations: int = 2000, seed: int = 20150925, issues: Sequence[str] | None = None
) -> pl.DataFrame:
    """How far the members rank the issues alike, and how often as much agreement comes about by chance.

    Parameters
    ----------
    ballots, issues
        As in `rank_priorities`. The issues a member left out are tied below the last one ranked.
    permutations
        Boards drawn for ``p_value``, in each of which every member ranks the issues at random.
    seed
        Start of the random numbers, 0 or more.

    Returns
    -------
    pl.DataFrame
        One row, also where there are no ballots. Not suppressed, and not rounded but for ``p_value``.

        - ``n_ballots``: members who ranked at least one issue
        - ``w``: Kendall's W corrected for ties, 0 to 1, as in `kendall_w`; null where that is undefined, and the
          columns that follow with it
        - ``p_value``: how often members who rank at random agree as much, rounded up to 3 decimals
        - ``mean_tau``: Kendall's tau-b, averaged over all pairs of members, −1 to 1; null where fewer than two members
          put any issue above another
        - ``chance``: what W is on average where members rank at random: 1 / ``n_ballots``

    Raises
    ------
    ParameterError
        When ``permutations`` is below 1 or ``seed`` below 0.
    TableError
        As `rank_priorities`.

    Notes
    -----
    ``p_value`` = (1 + permutations with a W as large) / (1 + permutations). In a permutation the places of each ballot,
    its ties included, are dealt out anew among the issues, ballot by ballot. A small value says that members agree more
    than by chance, not that they agree much: that is what W says. The drawing depends on the seed and on how many
    issues each ballot ties, not on names or on the order of the rows.

    tau-b of two ballots = (pairs of issues both put the same way − pairs they put opposite ways) / √(pairs the one does
    not tie × pairs the other does not tie). A member who ties all issues has no tau-b with anybody and is left out of
    ``mean_tau``. Members weigh the same: neither W nor tau has a form for weighted members that is agreed upon.

    W does not say whether members fall into camps: see `polarisation`. In usual words W around 0.1 is very weak
    agreement, 0.3 weak, 0.5 moderate, 0.7 strong; but a board of few members has a high W by chance alone, which
    ``chance`` tells.

    References
    ----------
    Kendall & Gibbons 1990, Rank Correlation Methods, 5th edition, chapters 3 and 6. Words for W: Schmidt 1997, Decision
    Sciences 28:763. Permutation instead of the chi-square: Legendre 2005, J. Agricultural, Biological and Environmental
    Statistics 10:226.

    Examples
    --------
    Two members put A before B before C, the third B before C before A: two of the pairs of members are at tau −1/3.

    >>> import polars as pl
    >>> ranks = {"issue": ["A", "B", "C"] * 3, "rank": [1, 2, 3, 1, 2, 3, 3, 1, 2]}
    >>> found = members_agreement(pl.DataFrame({"member": [*"aaabbbccc"], **ranks}))
    >>> found.select("n_ballots", pl.col("w", "mean_tau", "chance").round(2)).rows()
    [(3, 0.33, 0.11, 0.33)]
    """
    check_drawing(permutations, seed)
    votes = read_votes(ballots, "member", "share", issues)
    scores = ballot_scores(votes, "share")
    w = _concordance(scores)
    defined = w is not None
    return result_frame(
        {
            "n_ballots": (pl.Int64, [votes.n_ballots]),
            "w": (pl.Float64, [w]),
            "p_value": (pl.Float64, [_rounded_up(_p_of_concordance(scores, permutations, seed)) if defined else None]),
            "mean_tau": (pl.Float64, [_mean_tau(scores) if defined else None]),
            "chance": (pl.Float64, [1 / votes.n_ballots if defined else None]),
        }
    )


def polarisation(
    ballots: IntoFrame,
    seats: int = 4,
    *,
    minimum_ballots: int = 3,
    permutations: int = 2000,
    seed: int = 20150925,
    unranked: str = "share",
    issues: Sequence[str] | None = None,
) -> pl.DataFrame:
    """How divided the members are on each issue: who puts it first and who last, and whether agencies differ.

    Parameters
    ----------
    ballots, seats, issues
        As in `rank_priorities`. With a column ``agency``, agencies are compared; without it they are not.
    minimum_ballots
        Agencies with fewer ballots take no part in the comparison of agencies, nor do those that are left out with
        them (see `shown_agencies`).
    permutations
        Drawings for ``p_value``, in each of which the members change places among the agencies.
    seed
        Start of the random numbers, 0 or more.
    unranked
        ``"share"`` as in `rank_priorities`. ``"ignore"`` refuses ballots that leave an issue out, because places on
        ballots of different length do not share one scale.

    Returns
    -------
    pl.DataFrame
        One row per issue, sorted by issue; no rows where there are no ballots. Members weigh the same. Rounded to what
        a publication can carry. Not suppressed where there are few ballots in all.

        - ``issue``
        - ``n_ballots``: members who ranked at least one issue
        - ``mean_place``: average place, 1 = first, tied places averaged; 2 decimals
        - ``share_top``: share of members who put it among their first ``seats``, 0 to 1; 2 decimals
        - ``share_bottom``: the same for their last ``seats``
        - ``polarised``: twice the smaller of the two shares: 0 where nobody is on one of the sides, 1 where half of the
          members put it among their first and the other half among their last; null where there are fewer than 2 ×
          ``seats`` issues, so that first and last overlap
        - ``divided``: whether at least a third of the members put it among their first and at least a third among
          their last; null where there are fewer than 3 × ``seats`` issues, because chance alone puts more than a third
          on each side then
        - ``eta_squared``: share of the spread of its places that lies between agencies, 0 to 1; 2 decimals. Null
          where there are no agencies or fewer than two may be shown, or where all their members give it the same place
        - ``p_value``: how often it is as large when members change places among the agencies, rounded up to 3 decimals
        - ``p_holm``: the same, corrected for the number of issues (Holm)

    Raises
    ------
    ParameterError
        When a parameter is out of its range, there are fewer issues than seats, or ``unranked`` is ``"ignore"`` and a
        ballot leaves an issue out.
    TableError
        As `rank_priorities`, and where a member votes for two agencies.

    Notes
    -----
    A member who ties issues across the line between the first ``seats`` and the rest gives each of them an equal part
    of the seats that are left; likewise at the bottom. The shares of all issues add up to ``seats``.

    ``eta_squared`` = Σ over agencies of (its members × (its mean place − the mean place)²) / Σ over members of
    (place − mean place)². Agencies of few members set themselves apart by chance: on average it is (agencies − 1) /
    (members − 1) where there is nothing. Read it with its p-value. ``p_value`` = (1 + permutations in which it is as
    large) / (1 + permutations). Agencies that may not be shown have no part in either, since their ballots could be
    worked out of a sum over all.

    An issue in the middle of the order may be there because all members put it in the middle, or because it is loved
    and loathed; the second is for the board to talk about. The table does not say who is right, and does not say that
    those who put one issue first are those who put another one last.

    The smaller of two opposite shares is used in place of an index of the whole distribution of places (van der Eijk's
    A, say), because members can count it by hand, and because the seats are what is decided.

    References
    ----------
    Holm 1979, Scandinavian J. Statistics 6:65. Permutation test of a one-way layout: Edgington & Onghena 2007,
    Randomization Tests, 4th edition, chapter 4. For an index of the whole distribution: van der Eijk 2001, Quality &
    Quantity 35:325.

    Examples
    --------
    Half of the members put Gangs first, half last; all put CSE second.

    >>> import polars as pl
    >>> ranks = {"issue": ["Gangs", "CSE", "Prevent"] * 4, "rank": [1, 2, 3, 1, 2, 3, 3, 2, 1, 3, 2, 1]}
    >>> ballots = pl.DataFrame({"member": [*"aaabbbcccddd"], **ranks})
    >>> polarisation(ballots, seats=1).select("issue", "mean_place", "share_top", "share_bottom", "divided").rows()
    [('CSE', 2.0, 0.0, 0.0, False), ('Gangs', 2.0, 0.5, 0.5, True), ('Prevent', 2.0, 0.5, 0.5, True)]
    """
    check_drawing(permutations, seed)
    _check_minimum(minimum_ballots)
    votes = read_votes(ballots, "member", unranked, issues, seats, by_agency=_names_agencies(ballots))
    _refuse_short_ballots(votes, unranked, "polarisation")
    scores = ballot_scores(votes, "share")
    n = len(votes.issues)
    top, bottom = (_among_first(sign * scores, seats).mean(axis=0) if n else np.empty(0) for sign in (1, -1))
    smaller = np.minimum(top, bottom)
    divided = [bool(share >= DIVIDED - ROUNDING) for share in smaller]
    eta, p_values = _between_agencies(scores, votes, minimum_ballots, permutations, seed)
    return result_frame(
        {
            "issue": (pl.String, votes.issues),
            "n_ballots": (pl.Int64, [votes.n_ballots] * n),
            "mean_place": (pl.Float64, _shown((n + 1 - scores.mean(axis=0)) / 2 if n else np.empty(0))),
            "share_top": (pl.Float64, _shown(top)),
            "share_bottom": (pl.Float64, _shown(bottom)),
            "polarised": (pl.Float64, _shown(2 * smaller) if 2 * seats <= n else [None] * n),
            "divided": (pl.Boolean, divided if 3 * seats <= n else [None] * n),
            "eta_squared": (pl.Float64, eta),
            "p_value": (pl.Float64, [_rounded_up(p) for p in p_values]),
            "p_holm": (pl.Float64, [_rounded_up(p) for p in holm(p_values)]),
        }
    ).sort("issue")


def agencies_apart(
    ballots: IntoFrame,
    seats: int = 4,
    *,
    minimum_ballots: int = 3,
    weight: str = "member",
    permutations: int = 2000,
    seed: int = 20150925,
    issues: Sequence[str] | None = None,
) -> pl.DataFrame:
    """How far the order of each agency is that of all others, and whether chance would set it as far apart.

    Parameters
    ----------
    ballots, seats, weight, issues
        As in `rank_priorities`. The issues a member left out are tied below the last one ranked.
    minimum_ballots
        Agencies with fewer ballots are hidden, and those that must be hidden with them (see `shown_agencies`).
    permutations
        Drawings for ``p_value``, in each of which the members change places among the agencies.
    seed
        Start of the random numbers, 0 or more.

    Returns
    -------
    pl.DataFrame
        One row per agency that voted, sorted by agency; no rows where there are no ballots or no column ``agency``. Of
        agencies that are hidden nothing is given but the name. Rounded to what a publication can carry.

        - ``agency``
        - ``n_ballots``: its members who ranked at least one issue
        - ``agreement``: Kendall's tau-b between the agency's order and that of all others, −1 (upside down) to 1 (the
          same); 2 decimals. Null where one of the two orders ties all issues, or there are no others
        - ``in_common``: how many of the board's priorities are among the agency's own first ``seats``; 2 decimals
        - ``p_value``: how often as many members, drawn at random, are as far from the rest; rounded up to 3 decimals
        - ``p_holm``: the same, corrected for the number of agencies that are shown (Holm)

    Raises
    ------
    ParameterError
        When a parameter is out of its range, or there are fewer issues than seats.
    TableError
        As `rank_priorities`, and where a member votes for two agencies.

    Notes
    -----
    All orders are by Borda's score (wins minus losses), which adds up over members: that of the others is the board's
    less the agency's. So nothing is told of others here that the order of the agency and that of the board do not tell.
    tau-b as in `members_agreement`, of two orders in place of two ballots.

    The board's priorities are those of all ballots, the agency's own included. Where a tie straddles the cut, each of
    the tied issues has an equal part of the seats that are left, and an issue is in common as far as both give it one.

    ``p_value`` = (1 + permutations in which the agency is as far from the others) / (1 + permutations), the distance
    being that of the two mean ballots: the squared differences of their scores, added up over the issues. (tau-b will
    not do: two camps of which each is the other's opposite are as unlike in every drawing.) With ``weight="agency"``
    members change places with the weight of the place they move to. An agency of few members differs from the rest by
    chance more than a large one; the p-value allows for that and ``agreement`` does not. That an agency stands apart is
    no fault: it may see what others do not.

    References
    ----------
    Kendall & Gibbons 1990, Rank Correlation Methods, 5th edition, chapter 3. Holm 1979, Scandinavian J. Statistics
    6:65.

    Examples
    --------
    Three members of Health put A first, three of Police C: as far apart as can be.

    >>> import polars as pl
    >>> ranks = {"issue": ["A", "B", "C"] * 6, "rank": [1, 2, 3] * 3 + [3, 2, 1] * 3}
    >>> who = {"member": [*"aaabbbcccdddeeefff"], "agency": ["Health"] * 9 + ["Police"] * 9}
    >>> found = agencies_apart(pl.DataFrame({**who, **ranks}), seats=1)
    >>> found.select("agency", "n_ballots", "agreement", "in_common").rows()
    [('Health', 3, -1.0, 0.33), ('Police', 3, -1.0, 0.33)]
    """
    check_drawing(permutations, seed)
    _check_minimum(minimum_ballots)
    by_agency = _names_agencies(ballots)
    # without agencies there is none to weigh
    votes = read_votes(ballots, weight if by_agency else "member", "share", issues, seats, by_agency=by_agency)
    scores = ballot_scores(votes, "share")
    shown = [int(agency) for agency in np.flatnonzero(shown_agencies(votes, minimum_ballots))]
    found = [_HIDDEN] * len(votes.agencies)
    for agency in shown:
        found[agency] = _one_apart(scores, votes, agency, seats)
    one_of_size = {found[agency].n_ballots: agency for agency in shown}
    draws = {size: _drawn_apart(scores, votes, agency, permutations, seed) for size, agency in one_of_size.items()}
    p_values = [
        None if one.agreement is None else _p_value(draws[one.n_ballots] >= one.distance - ROUNDING) for one in found
    ]
    return result_frame(
        {
            "agency": (pl.String, votes.agencies),
            "n_ballots": (pl.Int64, [one.n_ballots for one in found]),
            "agreement": (pl.Float64, [_two_decimals(one.agreement) for one in found]),
            "in_common": (pl.Float64, [_two_decimals(one.in_common) for one in found]),
            "p_value": (pl.Float64, [_rounded_up(p) for p in p_values]),
            "p_holm": (pl.Float64, [_rounded_up(p) for p in holm(p_values)]),
        }
    ).sort("agency")


def shown_agencies(votes: Votes, minimum: int) -> NDArray[np.bool_]:
    """Which agencies may be shown by themselves: those with enough ballots, unless they would tell of the others.

    Parameters
    ----------
    votes
        Ballots read with their agencies.
    minimum
        Fewest ballots of an agency that is shown.

    Returns
    -------
    NDArray[np.bool_]
        One flag per agency of ``votes.agencies``, in that order.

    Notes
    -----
    Scores add up: who takes all shown agencies from the whole board has those of the hidden ones together. So where any
    is hidden, the smallest of the others are hidden as well until there are at least two, with at least ``minimum``
    ballots together; of equally small ones the first by name.

    Examples
    --------
    >>> import polars as pl
    >>> from safeguarding_analytics.pairwise import read_votes
    >>> agencies = ["Courts", *["Health"] * 3, *["Police"] * 4]
    >>> ballots = pl.DataFrame({"member": range(8), "agency": agencies, "issue": ["CSE"] * 8, "rank": [1] * 8})
    >>> shown_agencies(read_votes(ballots, "member", "share", None, by_agency=True), minimum=3).tolist()
    [False, False, True]
    """
    sizes = np.bincount(votes.agency_of, minlength=len(votes.agencies)).tolist()
    few = groups_of_few_ballots({(name,): size for name, size in zip(votes.agencies, sizes, strict=True)}, minimum)
    return np.array([(name,) not in few for name in votes.agencies], dtype=np.bool_)


def check_drawing(permutations: int, seed: int) -> None:
    """Raise a `ParameterError` where nothing can be drawn."""
    if permutations < 1:
        raise ParameterError(f"permutations must be at least 1, such as 2000. Found: {permutations}.")
    if seed < 0:
        raise ParameterError(f"seed must be 0 or more. Found: {seed}.")


def _check_minimum(minimum_ballots: int) -> None:
    if minimum_ballots < 1:
        raise ParameterError(f"minimum_ballots must be at least 1, such as 3. Found: {minimum_ballots}.")


def _names_agencies(ballots: IntoFrame) -> bool:
    """Whether ballots say for which agency a member votes."""
    return "agency" in open_frame(ballots, [], "ballots").collect_schema().names()


def _refuse_short_ballots(votes: Votes, unranked: str, measure: str) -> None:
    """Raise a `ParameterError` where unranked issues are to be ignored, and there are some."""
    if unranked == "ignore" and (short := int(np.isinf(votes.places).any(axis=1).sum())):
        raise ParameterError(
            f"{measure} compares whole rankings, and {short:,} of {votes.n_ballots:,} ballots leave an issue out. "
            'Use unranked="share".'
        )


# What is rounded ------------------------------------------------------------------------------------------------------


def _shown(values: Numbers) -> Numbers:
    """Numbers with the 2 decimals a small board can carry, halves rounded away from 0 as by hand."""
    return np.asarray(np.sign(values) * np.floor(100 * np.abs(values) + 0.5 + 1e-6) / 100 + 0.0, dtype=np.float64)


def _two_decimals(value: float | None) -> float | None:
    """The same of one number."""
    return None if value is None else float(_shown(np.array(value)))


def _rounded_up(p: float | None) -> float | None:
    """A p-value with 3 decimals, never smaller than it is and so never 0."""
    return None if p is None else math.ceil(1000 * p - 1e-6) / 1000


def _p_value(as_extreme: NDArray[np.bool_]) -> float:
    """The p-value of a permutation test: the board itself is one of the permutations."""
    return (1 + int(as_extreme.sum())) / (1 + len(as_extreme))


# Orders ---------------------------------------------------------------------------------------------------------------


def _concordance(scores: Numbers) -> float | None:
    """Kendall's W of ballots × issues; None where it is undefined."""
    spread = float((scores**2).sum())
    if len(scores) < 2 or spread == 0:
        return None
    return float((scores.sum(axis=0) ** 2).sum()) / (len(scores) * spread)


def _p_of_concordance(scores: Numbers, permutations: int, seed: int) -> float:
    """How often ballots whose places are dealt out at random have sums of places as uneven.

    A place is the last digits of a random number: where the numbers of a ballot are put in order, its places are in
    disorder. Ballots and places are sorted first, which keeps names and the order of rows out of the result.
    """
    n_ballots, n = scores.shape
    observed = int((scores.sum(axis=0) ** 2).sum())
    codes = np.sort(scores + (n - 1), axis=1).astype(np.uint32)  # 0 or more
    codes = codes[np.lexsort(codes.T[::-1])]
    digits = np.uint32((1 << (2 * n - 2).bit_length()) - 1)
    generator = np.random.Generator(np.random.PCG64(seed))
    as_uneven = []
    for size in _slices(permutations, scores.size):
        drawn = generator.integers(0, 1 << 32, size=(size, n_ballots, n), dtype=np.uint32)
        drawn &= ~digits
        drawn |= codes
        drawn.sort(axis=2)
        drawn &= digits
        sums = drawn.sum(axis=1, dtype=np.int64) - n_ballots * (n - 1)
        as_uneven.append((sums**2).sum(axis=1) >= observed)
    return _p_value(np.concatenate(as_uneven))


def _slices(permutations: int, size: int) -> Iterator[int]:
    """How many permutations of so many numbers each are drawn at a time."""
    most = max(1, AT_ONCE // max(1, size))
    for start in range(0, permutations, most):
        yield min(most, permutations - start)


def _pair_signs(scores: Numbers) -> Numbers:
    """Per row, 1 where the first issue of a pair has the larger score, −1 where the second, 0 where they tie."""
    first, second = np.triu_indices(scores.shape[1], 1)
    return np.asarray(np.sign(scores[:, first] - scores[:, second]), dtype=np.float64)


def _mean_tau(scores: Numbers) -> float | None:
    """Mean tau-b over pairs of ballots that do not tie everything; None where there is no such pair.

    A ballot's signs divided by their length are a vector of length 1, and tau-b is the product of two of them: all
    products together are the square of the sum, less the products of each with itself.
    """
    signs = _pair_signs(scores)
    length = np.sqrt((signs**2).sum(axis=1))
    units = signs[length > 0] / length[length > 0, None]
    m = len(units)
    if m < 2:
        return None
    return float(settled(((units.sum(axis=0) ** 2).sum() - m) / np.float64(m * (m - 1))))


def _tau(one: Numbers, other: Numbers) -> Numbers:
    """tau-b of each row of scores with the same row of others; NaN where one of the two ties everything."""
    signs, others = _pair_signs(one), _pair_signs(other)
    untied = np.sqrt((signs**2).sum(axis=1) * (others**2).sum(axis=1))
    untied[untied == 0] = np.nan
    return np.asarray((signs * others).sum(axis=1) / untied, dtype=np.float64)


def _among_first(scores: Numbers, seats: int) -> Numbers:
    """Per row, the part of a seat each issue has when the largest scores take the seats: 1, 0, or shared by a tie."""
    ahead = (scores[:, None, :] > scores[:, :, None]).sum(axis=2)
    level = (scores[:, None, :] == scores[:, :, None]).sum(axis=2)
    return np.asarray(np.clip((seats - ahead) / level, 0, 1), dtype=np.float64)


# Agencies -------------------------------------------------------------------------------------------------------------


def _between_agencies(
    scores: Numbers, votes: Votes, minimum: int, permutations: int, seed: int
) -> tuple[list[float | None], list[float | None]]:
    """Share of each issue's spread that lies between agencies that may be shown, 2 decimals, and its p-value.

    A place is a straight line in wins minus losses, so the share is the same of either.
    """
    shown = shown_agencies(votes, minimum)
    if shown.sum() < 2:
        return [None] * len(votes.issues), [None] * len(votes.issues)
    taking_part = shown[votes.agency_of]
    scores, agency = scores[taking_part], votes.agency_of[taking_part]
    _, agency, sizes = np.unique(agency, return_inverse=True, return_counts=True)
    whole = scores.sum(axis=0) ** 2 / len(scores)
    spread = (len(scores) * (scores**2).sum(axis=0) - scores.sum(axis=0) ** 2) / len(scores)  # exactly 0 where it is 0
    allowed = ROUNDING * (1 + spread)
    observed = _squares_by_agency(scores, agency[None, :], sizes)[0]
    # sizes and ballots in order, so that neither names nor the order of rows matter
    ordered, sizes = scores[np.lexsort(scores.T[::-1])], np.sort(sizes)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    generator = np.random.Generator(np.random.PCG64(seed))
    as_far = np.concatenate(
        [
            _squares_by_agency(ordered, generator.permuted(np.tile(labels, (size, 1)), axis=1), sizes)
            >= observed - allowed
            for size in _slices(permutations, len(sizes) * len(labels))
        ]
    )
    eta = [
        _two_decimals(min(1.0, max(0.0, float(between / of)))) if of else None
        for between, of in zip(observed - whole, spread, strict=True)
    ]
    p_values = [_p_value(column) if of else None for column, of in zip(as_far.T, spread, strict=True)]
    return eta, p_values


def _squares_by_agency(scores: Numbers, labels: NDArray[np.int64], sizes: NDArray[np.int64]) -> Numbers:
    """Per row of labels and issue: squared sum of scores over members, added up over agencies by 1 / members."""
    members = (labels[:, None, :] == np.arange(len(sizes))[None, :, None]).astype(np.float64)
    sums = (members.reshape(-1, len(scores)) @ scores).reshape(len(labels), len(sizes), -1)
    return np.asarray((sums**2 / sizes[None, :, None]).sum(axis=1), dtype=np.float64)


class _Apart(NamedTuple):
    """An agency beside the rest of the board; nothing where it is hidden."""

    n_ballots: int | None = None
    agreement: float | None = None
    in_common: float | None = None
    distance: float = 0.0


_HIDDEN = _Apart()


def _one_apart(scores: Numbers, votes: Votes, agency: int, seats: int) -> _Apart:
    """One agency beside all others, and its first seats beside those of the board."""
    inside = votes.agency_of == agency
    own, board, others = (
        settled(part @ scores)[None, :] for part in (inside * 1.0, votes.weights, votes.weights * ~inside)
    )
    tau = float(_tau(own, others)[0])
    both = np.minimum(_among_first(own, seats), _among_first(board, seats))
    distance = float(_distance(own / inside.sum(), others / max(votes.weights[~inside].sum(), 1e-9))[0])
    return _Apart(int(inside.sum()), None if math.isnan(tau) else tau, float(both.sum()), distance)


def _distance(own: Numbers, others: Numbers) -> Numbers:
    """How far the mean ballot of an agency is from that of all others: squared differences, added up over issues."""
    return settled(((own - others) ** 2).sum(axis=1))


def _drawn_apart(scores: Numbers, votes: Votes, agency: int, permutations: int, seed: int) -> Numbers:
    """Distance of as many members as an agency has, drawn at random, to all others, who take the weights left over.

    It is the same for every agency of that size: the weights left over are put in order, and so are the ballots.
    """
    inside = votes.agency_of == agency
    weight_of = np.concatenate([np.zeros(inside.sum()), np.sort(votes.weights[~inside])])
    generator = np.random.Generator(np.random.PCG64(seed))
    ordered = scores[np.lexsort(scores.T[::-1])]
    n_pairs = scores.shape[1] * (scores.shape[1] - 1) // 2
    drawn = []
    for rows in _slices(permutations, max(len(scores), n_pairs)):
        places = generator.permuted(np.tile(np.arange(len(scores)), (rows, 1)), axis=1)
        own = (places < inside.sum()).astype(np.float64) @ ordered
        others = weight_of[places] @ ordered / max(weight_of.sum(), 1e-9)
        drawn.append(_distance(own / inside.sum(), others))
    return np.concatenate(drawn)
