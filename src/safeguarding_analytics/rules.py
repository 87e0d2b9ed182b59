"""The ballots counted by other rules: one against one, five rules side by side, and Kemeny's order.

They check the order of `priorities`, which counts by Borda's rule.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.kemeny_orders import kemeny_cost, kemeny_order
from safeguarding_analytics.pairwise import (
    copeland,
    inside_seats,
    margins,
    pair_wins,
    possible_places,
    ranked_pairs,
    read_votes,
    result_frame,
    schulze,
    settled,
)

LARGEST_COUNT = 2**63 - 1
"""Largest whole number a column can hold."""


def head_to_head(
    ballots: IntoFrame,
    *,
    unranked: str = "share",
    weight: str = "member",
    issues: Sequence[str] | None = None,
) -> pl.DataFrame:
    """How many members put one issue above another, for every ordered pair of issues.

    Parameters
    ----------
    ballots, unranked, weight, issues
        As in `rank_priorities`.

    Returns
    -------
    pl.DataFrame
        One row per issue and opponent, sorted by both; no rows where there are no ballots. Not suppressed.

        - ``issue``, ``opponent``
        - ``wins``: members (with ``weight="agency"``, agencies) who put the issue above the opponent
        - ``losses``: those who put it below
        - ``margin``: wins − losses

    Raises
    ------
    ParameterError, TableError
        As `rank_priorities`.

    Notes
    -----
    Wins and losses add up to all members less those who tied the two (under ``"ignore"``: less those who did not rank
    both). The margins of an issue add up to its score in `rank_priorities`.

    Examples
    --------
    >>> import polars as pl
    >>> ballots = pl.DataFrame({"member": ["a", "a", "b"], "issue": ["Neglect", "CSE", "CSE"], "rank": [1, 2, 1]})
    >>> head_to_head(ballots).rows()
    [('CSE', 'Neglect', 1.0, 1.0, 0.0), ('Neglect', 'CSE', 1.0, 1.0, 0.0)]
    """
    votes = read_votes(ballots, weight, unranked, issues)
    wins = pair_wins(votes, unranked)
    issue, opponent = np.nonzero(~np.eye(len(wins), dtype=np.bool_))
    return result_frame(
        {
            "issue": (pl.String, [votes.issues[i] for i in issue]),
            "opponent": (pl.String, [votes.issues[i] for i in opponent]),
            "wins": (pl.Float64, settled(wins)[issue, opponent]),
            "losses": (pl.Float64, settled(wins)[opponent, issue]),
            "margin": (pl.Float64, margins(wins)[issue, opponent]),
        }
    ).sort("issue", "opponent")


def compare_rules(
    ballots: IntoFrame,
    seats: int = 4,
    *,
    unranked: str = "share",
    weight: str = "member",
    issues: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Place of each issue under five rules of counting, and whether they agree on the priorities.

    Parameters
    ----------
    ballots, seats, unranked, weight, issues
        As in `rank_priorities`.

    Returns
    -------
    pl.DataFrame
        One row per issue, sorted by Borda's rank, then issue; no rows where there are no ballots. Not suppressed.

        - ``issue``
        - ``borda_rank``, ``copeland_rank``, ``schulze_rank``: 1 = first; ties share the smaller place
        - ``ranked_pairs_rank``: the first place it can take, in whichever order pairs of equal margin are locked in
        - ``kemeny_rank``: the first place it can take in an order that is optimal (``first_place`` of `kemeny`)
        - ``selected_by``: rules, of the five, that put it among the seats whatever happens to ties
        - ``agreed``: true where all five rules select it or all five leave it out; false where one selects it and
          another leaves it out; null where a tie at the cut, equal margins or optimal orders that differ leave it open

    Raises
    ------
    ParameterError, TableError
        As `rank_priorities`.

    Notes
    -----
    Borda: wins minus losses over all pairs. Copeland: opponents beaten minus opponents lost to. Schulze: opponents
    beaten by the strongest path, on margins. Ranked pairs: pairs are locked in from the largest margin down, leaving
    out those that would close a circle. Kemeny: the orders with fewest disagreements. Under the last two an issue is
    selected when it is among the seats in every order that the rule allows.

    The order in which pairs of equal margin are locked in is left open, since no choice of it treats all issues alike.
    What holds in every such order is worked out from the largest margin down; finding each place that some order gives
    is known to be out of reach (Brill & Fischer 2012). So where margins are equal, an issue may be said to be open
    between more places than it is. Where all margins differ and none is 0, nothing is open.

    The rule, the seats and the weight are to be fixed before the votes are opened. This table is a check on the result
    (where rules differ, the board should talk), not a choice of results.

    References
    ----------
    Copeland 1951. Schulze 2011, Social Choice and Welfare 36:267. Ranked pairs: Tideman 1987, Social Choice and Welfare
    4:185; equal margins: Brill & Fischer 2012, The price of neutrality for the ranked pairs method, AAAI. Kemeny 1959,
    Daedalus 88:577.

    Examples
    --------
    >>> import polars as pl
    >>> ballots = pl.DataFrame({"member": ["a", "a", "b"], "issue": ["Neglect", "CSE", "CSE"], "rank": [1, 2, 1]})
    >>> compare_rules(ballots, seats=1, issues=["CSE", "Missing", "Neglect"]).rows()
    [('CSE', 1, 1, 1, 1, 1, 1, None), ('Neglect', 2, 1, 1, 1, 1, 0, None), ('Missing', 3, 3, 3, 3, 3, 0, True)]
    """
    votes = read_votes(ballots, weight, unranked, issues, seats)
    wins = pair_wins(votes, unranked)
    optimal = kemeny_order(wins)
    borda, copelands, schulzes = (
        possible_places(scores)
        for scores in (settled(wins.sum(axis=1) - wins.sum(axis=0)), copeland(wins), schulze(wins))
    )
    locked_in = ranked_pairs(wins)
    every_rule = (borda, copelands, schulzes, locked_in, (optimal.first, optimal.last))
    selected = list(zip(*(inside_seats(first, last, seats) for first, last in every_rule), strict=True))
    return result_frame(
        {
            "issue": (pl.String, votes.issues),
            "borda_rank": (pl.Int64, borda[0]),
            "copeland_rank": (pl.Int64, copelands[0]),
            "schulze_rank": (pl.Int64, schulzes[0]),
            "ranked_pairs_rank": (pl.Int64, locked_in[0]),
            "kemeny_rank": (pl.Int64, optimal.first),
            "selected_by": (pl.Int64, [answers.count(True) for answers in selected]),
            "agreed": (pl.Boolean, [_agreed(answers) for answers in selected]),
        }
    ).sort("borda_rank", "issue")


def _agreed(answers: Sequence[bool | None]) -> bool | None:
    """Whether all rules give one answer on a seat; None where one of them leaves it open and none disagree."""
    if True in answers and False in answers:
        return False
    return None if None in answers else True


def kemeny(
    ballots: IntoFrame,
    *,
    unranked: str = "share",
    weight: str = "member",
    issues: Sequence[str] | None = None,
) -> pl.DataFrame:
    """An order of the issues with the fewest disagreements with the ballots, and how many such orders there are.

    Parameters
    ----------
    ballots, unranked, weight, issues
        As in `rank_priorities`.

    Returns
    -------
    pl.DataFrame
        One row per issue in one optimal order, sorted by place; no rows where there are no ballots. Not suppressed.

        - ``issue``
        - ``place``: 1 = first, no ties
        - ``first_place``, ``last_place``: the places it can take over all optimal orders
        - ``cost``: disagreements, the same in every row
        - ``n_optimal_orders``: how many orders have this cost, the same in every row; null where not counted

    Raises
    ------
    ParameterError, TableError
        As `rank_priorities`.

    Notes
    -----
    Putting i above j costs the number of members (weighted) who put j above i; cost is the least total over all strict
    orders. The answer is exact. Real elections often have several optimal orders: never print one without
    ``n_optimal_orders``.

    Issues that beat or tie each other in circles form a group, and the order between groups is forced: to split an
    order into its groups, best first, changes no disagreement within a group and removes some between groups (Truchon
    1998). An issue that ties with every other issue of its group may stand anywhere between the rest.

    Within a group every optimal order is found, from the first place down, by the sets of issues that may take the
    first places. Sets that no optimal order can begin with are left out. Let Ax ≤ b keep an order x from going round in
    circles. For any multipliers y ≥ 0, x costs −y·b + (c + A'y)·x + y·(b − Ax): a bound that is the same for all
    orders, the reduced costs of the pairs it turns round, and what it leaves of the constraints. Where the pairs and
    constraints settled by the first places alone make it dearer than an order that is known, it is not optimal. That
    holds for any y: 0 is tried first (up to 20 issues), then that of a linear programme, and however exactly a solver
    found it, the answer is the same.

    Of the optimal orders the first in issue order is returned, and ``first_place`` and ``last_place`` are exact. Only
    where a group has more than 62 issues, or more than 300,000 sets must be gone through, are the orders not counted.
    Then integer programming finds the cost, which of the optimal orders is returned may change with the version of the
    solver, and an issue may be said to be open between more places than it is. ``n_optimal_orders`` is also null where
    it is counted but larger than a column can hold (2⁶³ − 1).

    References
    ----------
    Kemeny 1959, Daedalus 88:577. Groups: Truchon 1998, An extension of the Condorcet criterion and Kemeny orders.
    Programme: Conitzer, Davenport & Kalagnanam 2006, Improved bounds for computing Kemeny rankings, AAAI.

    Examples
    --------
    >>> import polars as pl
    >>> ballots = pl.DataFrame({"member": ["a", "a", "b"], "issue": ["Neglect", "CSE", "CSE"], "rank": [1, 2, 1]})
    >>> kemeny(ballots).rows()
    [('CSE', 1, 1, 2, 1.0, 2), ('Neglect', 2, 1, 2, 1.0, 2)]
    """
    votes = read_votes(ballots, weight, unranked, issues)
    wins = pair_wins(votes, unranked)
    found = kemeny_order(wins)
    count = found.n_optimal if found.n_optimal is not None and found.n_optimal <= LARGEST_COUNT else None
    n = len(found.order)
    return result_frame(
        {
            "issue": (pl.String, [votes.issues[i] for i in found.order]),
            "place": (pl.Int64, list(range(1, n + 1))),
            "first_place": (pl.Int64, [found.first[i] for i in found.order]),
            "last_place": (pl.Int64, [found.last[i] for i in found.order]),
            "cost": (pl.Float64, [kemeny_cost(wins, found.order)] * n),
            "n_optimal_orders": (pl.Int64, [count] * n),
        }
    ).sort("place")
