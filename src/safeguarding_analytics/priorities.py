"""Ballots of board members in, an order of issues out, with how firm it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from narwhals.typing import IntoFrame
from numpy.typing import NDArray

from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.pairwise import (
    Numbers,
    Votes,
    ballot_scores,
    bloc_scores,
    inside_seats,
    possible_places,
    read_votes,
    result_frame,
    settled,
)


def rank_priorities(
    ballots: IntoFrame,
    seats: int = 4,
    weight: str = "member",
    unranked: str = "share",
    resamples: int = 2000,
    seed: int = 20150925,
    *,
    issues: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Order of the issues by Borda's count: one point for each issue an issue is put above, less one for each below.

    Parameters
    ----------
    ballots
        One row per member and issue ranked: ``member``, ``issue``, ``rank`` (1 = most important; only the order of a
        member's ranks counts, and ties are allowed), and ``agency`` where ``weight="agency"``. No row = unranked.
    seats
        How many issues become priorities.
    weight
        ``"member"``: each member weighs 1. ``"agency"``: each agency weighs 1, shared equally by its members who voted.
    unranked
        ``"share"``: the issues a member left out are tied below the last one ranked. ``"ignore"``: a member compares
        only the issues they ranked.
    resamples
        Boards drawn for ``p_selected``.
    seed
        Start of the random numbers, 0 or more.
    issues
        All issues that were on the ballot paper, for those nobody ranked. Without it, those that appear in ``ballots``.

    Returns
    -------
    pl.DataFrame
        One row per issue, sorted by rank, then issue; no rows where there are no ballots. Not suppressed.

        - ``issue``
        - ``score``: wins minus losses over all pairs of issues, weighted, to 9 decimals
        - ``points``: n for a first place down to 1, tied places averaged, added up; null under ``"ignore"``, where
          ballots of different length do not share one scale of places
        - ``rank``: 1 = first; equal scores share the smaller place (1, 2, 2, 4)
        - ``tied``: whether another issue has the same score
        - ``selected``: whether it is among the seats; null where equal scores straddle the cut
        - ``p_selected``: share of resampled boards in which it is among the seats, 0 to 1
        - ``n_ballots``: members who ranked at least one issue

    Raises
    ------
    ParameterError
        When a parameter is out of its range, or there are fewer issues than seats.
    TableError
        When ballots lack a column or break the contract: a null, a rank below 1, an issue ranked twice by a member, an
        issue that is not in ``issues``, or (with ``weight="agency"``) a member of two agencies.

    Notes
    -----
    score = Σ over members of weight × (issues below − issues above). With n issues and total weight W (members, or
    agencies), points = (score + W (n + 1)) / 2, so both give the same order.

    ``p_selected``: as many members as voted are drawn with replacement from those who voted, the issues are ranked
    anew, and issues tied at the cut share the seats that are left. With ``weight="agency"`` whole agencies are drawn,
    each with all its ballots. The drawing depends on the seed and on what was voted, not on the order of the rows or
    on the names of members. It says how far the result hangs on who happened to vote; it is not the chance that an
    issue is truly important, and it is no remedy for ballots that were never cast.

    A member without any row did not vote: an empty ballot is not counted.

    References
    ----------
    Borda 1781, Mémoire sur les élections au scrutin. Young 1974, J. Economic Theory 9:43. Ties and short ballots:
    Terzopoulou & Endriss 2021, The Borda class.

    Examples
    --------
    >>> import polars as pl
    >>> ballots = pl.DataFrame({"member": ["a", "a", "b"], "issue": ["Neglect", "CSE", "CSE"], "rank": [1, 2, 1]})
    >>> found = rank_priorities(ballots, seats=1, issues=["CSE", "Missing", "Neglect"])
    >>> found.select("issue", "score", "points", "rank", "selected").rows()
    [('CSE', 2.0, 5.0, 1, True), ('Neglect', 1.0, 4.5, 2, False), ('Missing', -3.0, 2.5, 3, False)]
    """
    if resamples < 1:
        raise ParameterError(f"resamples must be at least 1, such as 2000. Found: {resamples}.")
    if seed < 0:
        raise ParameterError(f"seed must be 0 or more. Found: {seed}.")
    votes = read_votes(ballots, weight, unranked, issues, seats)
    per_bloc = bloc_scores(votes, unranked)
    score = settled(per_bloc.sum(axis=0))
    first, last = possible_places(score)
    points = (score + votes.n_blocs * (len(score) + 1)) / 2 if unranked == "share" else [None] * len(score)
    return result_frame(
        {
            "issue": (pl.String, votes.issues),
            "score": (pl.Float64, score),
            "points": (pl.Float64, points),
            "rank": (pl.Int64, first),
            "tied": (pl.Boolean, [low > high for high, low in zip(first, last, strict=True)]),
            "selected": (pl.Boolean, inside_seats(first, last, seats)),
            "p_selected": (pl.Float64, _share_of_boards(per_bloc, seats, resamples, seed)),
            "n_ballots": (pl.Int64, [votes.n_ballots] * len(score)),
        }
    ).sort("rank", "issue")


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
    if unranked == "ignore" and (short := int(np.isinf(votes.places).any(axis=1).sum())):
        raise ParameterError(
            f"kendall_w compares whole rankings, and {short:,} of {votes.n_ballots:,} ballots leave an issue out. "
            'Use unranked="share".'
        )
    scores = ballot_scores(votes, unranked)
    spread = float((scores**2).sum())
    if votes.n_ballots < 2 or spread == 0:
        return None
    return float((scores.sum(axis=0) ** 2).sum()) / (votes.n_ballots * spread)


def ballots_to_change(
    ballots: IntoFrame,
    seats: int = 4,
    *,
    weight: str = "member",
    issues: Sequence[str] | None = None,
) -> pl.DataFrame:
    """How few members would have to leave, or to turn their ballot round, for an issue outside the seats to get in.

    Parameters
    ----------
    ballots, seats, weight, issues
        As in `rank_priorities`. The issues a member left out are tied below the last one ranked.

    Returns
    -------
    pl.DataFrame
        One row per issue inside and issue outside the seats, sorted by ``ballots_to_overtake`` (nulls last), then
        inside, then outside; the first row says how firm the cut is. An issue on which equal scores straddle the cut
        stands on both sides. No rows where there are no ballots or as many seats as issues. Not suppressed.

        - ``inside``, ``outside``: the two issues
        - ``score_difference``: score of the first minus score of the second, 0 or more
        - ``ballots_to_tie``: fewest members without whom the first is no longer ahead
        - ``ballots_to_overtake``: fewest members without whom the second is ahead
        - ``ballots_to_reverse``: fewest members who must turn their ballot upside down for the second to be ahead

        Null where no removal does it while at least one ballot is left, as when all members agree, and where every
        ballot ties the two, so that reversing moves nothing.

    Raises
    ------
    ParameterError, TableError
        As `rank_priorities`.

    Notes
    -----
    Exact under Borda's count. Let d be the first issue's wins minus losses on a ballot less the second's. The members
    with the largest d leave first; reversing a ballot counts twice. The smallest number over all pairs is what it takes
    to change the set of priorities.

    With ``weight="agency"`` the colleagues of a member who leaves share the agency's whole weight anew, and an agency
    without ballots weighs nothing: the best choice of members is sought over all agencies together. Reversing changes
    no weights.

    It is a worst case over which members leave, not a probability.

    Examples
    --------
    Three members, two of them for Neglect. One leaves: a tie. Two leave: CSE is ahead. One turns round: CSE is ahead.

    >>> import polars as pl
    >>> ranks = {"issue": ["Neglect", "CSE"] * 3, "rank": [1, 2, 1, 2, 2, 1]}
    >>> ballots = pl.DataFrame({"member": ["a", "a", "b", "b", "c", "c"], **ranks})
    >>> ballots_to_change(ballots, seats=1).rows()
    [('Neglect', 'CSE', 2.0, 1, 2, 1)]
    """
    votes = read_votes(ballots, weight, "share", issues, seats)
    scores = ballot_scores(votes, "share")
    total = settled(bloc_scores(votes, "share").sum(axis=0))
    first, last = possible_places(total)
    n = len(total)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j and first[i] <= seats < last[j]]
    inside, outside = [i for i, _ in pairs], [j for _, j in pairs]
    leads = (scores[:, inside] - scores[:, outside]).T
    after_removal = _lowest_after_removal(leads, votes, weight)
    turned = np.sort(leads * votes.weights, axis=1)[:, ::-1].cumsum(axis=1)
    difference = leads @ votes.weights
    after_reversal = np.column_stack([difference, difference[:, None] - 2 * turned])
    return result_frame(
        {
            "inside": (pl.String, [votes.issues[i] for i in inside]),
            "outside": (pl.String, [votes.issues[j] for j in outside]),
            "score_difference": (pl.Float64, settled(difference)),
            "ballots_to_tie": (pl.Int64, _fewest(settled(after_removal) <= 0)),
            "ballots_to_overtake": (pl.Int64, _fewest(settled(after_removal) < 0)),
            "ballots_to_reverse": (pl.Int64, _fewest(settled(after_reversal) < 0)),
        }
    ).sort("ballots_to_overtake", "inside", "outside", nulls_last=True)


def _share_of_boards(per_bloc: Numbers, seats: int, resamples: int, seed: int) -> Numbers:
    """Share of boards, drawn with replacement from the blocs, in which each issue is among the seats."""
    if not per_bloc.size:
        return np.empty(0)
    # drawing among distinct ballots, in order of their content, keeps names and row order out of the result
    _, distinct, counts = np.unique(settled(per_bloc), axis=0, return_index=True, return_counts=True)
    generator = np.random.Generator(np.random.PCG64(seed))
    draws = generator.multinomial(len(per_bloc), counts / len(per_bloc), size=resamples)
    scores = settled(draws @ per_bloc[distinct])
    cut = np.sort(scores, axis=1)[:, [-seats]]
    ahead, level = scores > cut, scores == cut
    left = seats - ahead.sum(axis=1, keepdims=True)
    return np.asarray((ahead + level * left / level.sum(axis=1, keepdims=True)).mean(axis=0), dtype=np.float64)


def _lowest_after_removal(leads: Numbers, votes: Votes, weight: str) -> Numbers:
    """Smallest lead (a row per pair of issues) after removing 0, 1, 2 … members, at least one staying."""
    if weight == "member":
        return _after_leaving(leads)[:, :-1]
    lowest = np.zeros((len(leads), 1))
    for bloc in range(votes.n_blocs):
        left = _after_leaving(leads[:, votes.blocs == bloc])
        size = left.shape[1] - 1
        left[:, :size] /= np.arange(size, 0, -1)
        joined = np.full((len(leads), lowest.shape[1] + size), np.inf)
        for leaving in range(size + 1):
            window = joined[:, leaving : leaving + lowest.shape[1]]
            np.minimum(window, lowest + left[:, [leaving]], out=window)
        lowest = joined
    return lowest[:, :-1]


def _after_leaving(leads: Numbers) -> Numbers:
    """Total lead left when the 0, 1, 2 … largest leads of a row are taken out."""
    return np.hstack([np.zeros((len(leads), 1)), np.sort(leads, axis=1).cumsum(axis=1)])[:, ::-1]


def _fewest(reached: NDArray[np.bool_]) -> list[int | None]:
    """Position of the first true value of each row; None where there is none."""
    return [int(row.argmax()) if row.any() else None for row in reached]
