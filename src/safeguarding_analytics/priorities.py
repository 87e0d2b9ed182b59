"""Ballots of board members in, an order of issues out, with how firm it is."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.pairwise import (
    bloc_scores,
    inside_seats,
    possible_places,
    read_votes,
    result_frame,
    settled,
)
from safeguarding_analytics.resampled_boards import open_pool, resampled_by, share_of_boards

BANDS = ((0.95, "firmly in"), (0.8, "probably in"), (0.2, "toss-up"), (0.05, "probably out"), (0.0, "firmly out"))
"""Least share of boards for each word."""


def rank_priorities(
    ballots: IntoFrame,
    seats: int = 4,
    weight: str = "member",
    unranked: str = "share",
    resamples: int = 2000,
    seed: int = 20150925,
    *,
    issues: Sequence[str] | None = None,
    resample: str | None = None,
) -> pl.DataFrame:
    """Order of the issues by Borda's count: one point for each issue an issue is put above, less one for each below.

    Parameters
    ----------
    ballots
        One row per member and issue ranked: ``member``, ``issue``, ``rank`` (1 = most important; only the order of a
        member's ranks counts, and ties are allowed), and ``agency`` where agencies weigh or are drawn. No row =
        unranked.
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
    resample
        What is drawn for ``p_selected``: ``"member"``, or ``"agency"``, each with all its ballots. Without it, whatever
        ``weight`` names.

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
        - ``firmness``: the same in words, "firmly in" (at least 95 of 100 boards), "probably in" (80 to less than 95),
          "toss-up" (20 to less than 80), "probably out" (5 to less than 20) or "firmly out" (less than 5)
        - ``n_ballots``: members who ranked at least one issue

    Raises
    ------
    ParameterError
        When a parameter is out of its range, or there are fewer issues than seats.
    TableError
        When ballots lack a column or break the contract: a null, a rank below 1, an issue ranked twice by a member, an
        issue that is not in ``issues``, or (where agencies weigh or are drawn) a member of two agencies.

    Notes
    -----
    score = Σ over members of weight × (issues below − issues above). With n issues and total weight W (members, or
    agencies), points = (score + W (n + 1)) / 2, so both give the same order.

    ``p_selected``: as many members as voted are drawn with replacement from those who voted, the issues are ranked
    anew, and issues tied at the cut share the seats that are left. With ``resample="agency"`` as many whole agencies as
    voted are drawn; that is the right unit where members of an agency vote alike. With ``weight="agency"`` and
    ``resample="member"`` members are drawn from all who voted, each agency that is drawn weighs 1, shared by its drawn
    members, and one of which nobody is drawn weighs nothing. The drawing depends on the seed and on what was voted, not
    on the order of the rows or on the names of members and agencies.

    It says in how many of 100 boards made of members like these the issue would be among the seats, and so how far the
    result hangs on who happened to vote. It does not say how likely the issue is to be truly important, nor what those
    who did not vote would have said, and it is no vote by itself: ``selected`` is the result. ``firmness`` is that of
    the share in steps of 5 in 100 boards, as it is published; with few resamples an issue near the edge of a step may
    fall on either side of it.

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
    drawn = resampled_by(resample, weight, resamples, seed)
    votes = read_votes(ballots, weight, unranked, issues, seats, by_agency=drawn == "agency")
    score = settled(bloc_scores(votes, unranked).sum(axis=0))
    share = share_of_boards(open_pool(votes, unranked, weight, drawn), seats, resamples, seed)
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
            "p_selected": (pl.Float64, share),
            "firmness": (pl.String, [_band(round(20 * each) / 20) for each in share.tolist()]),
            "n_ballots": (pl.Int64, [votes.n_ballots] * len(score)),
        }
    ).sort("rank", "issue")


def _band(share: float) -> str:
    """The word for a share of boards."""
    return next(word for least, word in BANDS if share >= least)
