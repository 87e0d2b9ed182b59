"""Ballots as arrays: who is put above whom, and the rules that need nothing but those counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
from narwhals.typing import IntoFrame
from numpy.typing import NDArray

from safeguarding_analytics.errors import ParameterError, TableError, nearest, shorten
from safeguarding_analytics.groups import fetch, open_frame

if TYPE_CHECKING:
    from scipy.optimize import LinearConstraint

WEIGHTS = ("member", "agency")
"""Whose votes weigh 1 in all: each member's, or each agency's."""

UNRANKED = ("share", "ignore")
"""What an issue without a rank means: tied below the last ranked one, or not compared."""

DECIMALS = 9
"""Totals of weights such as 1/3 are compared after rounding to this; whole numbers are not touched by it."""

LARGEST_COUNTED = 16
"""Issues of one strong component up to which every optimal order is counted (2 to the 16 subsets)."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Votes:
    """Checked ballots: one row of ``places`` per member, one column per issue, infinity where unranked.

    ``blocs`` says which votes weigh 1 together: each member is a bloc, or each agency is.
    """

    issues: tuple[str, ...]
    places: Numbers
    blocs: NDArray[np.int64]

    @property
    def n_ballots(self) -> int:
        """Members who ranked at least one issue."""
        return len(self.places)

    @property
    def n_blocs(self) -> int:
        """Members or agencies that voted: the weight of all ballots."""
        return int(self.blocs.max()) + 1 if self.n_ballots else 0

    @property
    def weights(self) -> Numbers:
        """Weight of each ballot: 1 over the ballots of its bloc."""
        return 1.0 / np.bincount(self.blocs)[self.blocs]


def settled(totals: Numbers) -> Numbers:
    """Totals that are equal but for the order they were added in, made equal."""
    return np.round(totals, DECIMALS) + 0.0  # -0.0 becomes 0.0


def check_word(name: str, word: str, allowed: Sequence[str]) -> None:
    """Raise a `ParameterError` when a parameter is none of the allowed words."""
    if word not in allowed:
        raise ParameterError(f'{name} must be one of: {", ".join(allowed)}. Found: "{word}".{nearest(word, allowed)}')


def read_votes(
    ballots: IntoFrame, weight: str, unranked: str, issues: Sequence[str] | None, seats: int | None = None
) -> Votes:
    """Check ballots and what is asked of them, and turn them into arrays, members and issues in a fixed order.

    Raises
    ------
    ParameterError
        When ``weight`` or ``unranked`` is an unknown word, ``issues`` names an issue twice, or there are fewer issues
        than seats.
    TableError
        When a column is missing or a row breaks the contract of ballots. Members are counted, never named.
    """
    check_word("unranked", unranked, UNRANKED)
    if seats is not None and seats < 1:
        raise ParameterError(f"seats must be at least 1. Found: {seats}.")
    check_word("weight", weight, WEIGHTS)
    if issues is not None and len(set(issues)) < len(issues):
        twice = sorted({issue for issue in issues if list(issues).count(issue) > 1})
        raise ParameterError(f"issues lists {shorten(twice)} more than once. Name each issue once.")
    needed = ["member", "issue", "rank", *(["agency"] if weight == "agency" else [])]
    rows = fetch(open_frame(ballots, needed, "ballots").select(*needed))
    if rows.is_empty():
        return Votes((), np.empty((0, 0)), np.empty(0, np.int64))
    _check_rows(rows)
    rows = rows.with_columns(pl.col("issue").cast(pl.String), pl.col("rank").cast(pl.Float64))
    listed = sorted(rows["issue"].unique() if issues is None else issues)
    _check_issues(rows, listed)
    if seats is not None and seats > len(listed):
        raise ParameterError(
            f"seats must be no more than the issues, {len(listed)}. Found: {seats}. "
            "Hint: name all issues of the ballot paper in issues, if some were ranked by nobody."
        )
    return _arrays(rows, listed, weight)


def _check_rows(rows: pl.DataFrame) -> None:
    for name in rows.columns:
        if empty := rows[name].null_count():
            raise TableError(
                f"ballots: {empty:,} of {rows.height:,} rows have no {name}. Every row needs one; "
                "leave out the rows of issues a member did not rank."
            )
    if not rows["rank"].dtype.is_numeric():
        raise TableError(f"ballots: rank must be a number. Found: {rows['rank'].dtype}. Read it as a whole number.")
    wrong = rows.filter(~pl.col("rank").cast(pl.Float64).is_between(1, float("inf"), closed="left")).height
    if wrong:
        raise TableError(
            f"ballots: {wrong:,} of {rows.height:,} rows have a rank below 1 or one that is no number. "
            "Rank 1 is the most important issue; leave out the rows of issues a member did not rank."
        )
    twice = rows.height - rows.select("member", "issue").n_unique()
    if twice:
        raise TableError(
            f"ballots: {twice:,} of {rows.height:,} rows rank an issue that the same member has already ranked. "
            "Keep one row per member and issue."
        )
    if "agency" in rows.columns:
        several = rows.group_by("member").agg(pl.col("agency").n_unique()).filter(pl.col("agency") > 1).height
        if several:
            raise TableError(
                f"ballots: {several:,} of {rows['member'].n_unique():,} members vote for more than one agency. "
                'Give each member one agency, or use weight="member".'
            )


def _check_issues(rows: pl.DataFrame, listed: list[str]) -> None:
    unknown = rows.filter(~pl.col("issue").is_in(listed))
    if unknown.height:
        names = sorted(unknown["issue"].unique())
        raise TableError(
            f"ballots: {unknown.height:,} of {rows.height:,} rows rank an issue that is not listed. "
            f"Found: {shorten(names)}.{nearest(names[0], listed)} Listed: {shorten(listed, 20) or 'none'}."
        )


def _arrays(rows: pl.DataFrame, listed: list[str], weight: str) -> Votes:
    bloc = (pl.col("agency") if weight == "agency" else pl.col("member")).rank("dense") - 1
    rows = rows.with_columns(bloc.alias("bloc"), pl.col("member").rank("dense") - 1)
    columns = dict(zip(listed, range(len(listed)), strict=True))
    places = np.full((rows["member"].n_unique(), len(listed)), np.inf)
    places[rows["member"].to_numpy(), [columns[issue] for issue in rows["issue"]]] = rows["rank"].to_numpy()
    blocs = rows.unique("member").sort("member")["bloc"].cast(pl.Int64).to_numpy()
    return Votes(tuple(listed), places, blocs)


def preferences(votes: Votes, unranked: str) -> NDArray[np.bool_]:
    """Whether a member puts an issue above another: members × issues × issues."""
    above = votes.places[:, :, None] < votes.places[:, None, :]
    return above & np.isfinite(votes.places)[:, None, :] if unranked == "ignore" else above


def ballot_scores(votes: Votes, unranked: str) -> Numbers:
    """Wins minus losses of each issue on each ballot, unweighted: members × issues."""
    above = preferences(votes, unranked)
    return np.asarray(above.sum(axis=2) - above.sum(axis=1), dtype=np.float64)


def bloc_scores(votes: Votes, unranked: str) -> Numbers:
    """Wins minus losses of each issue in each bloc, a bloc weighing 1: blocs × issues."""
    scores = np.zeros((votes.n_blocs, len(votes.issues)))
    np.add.at(scores, votes.blocs, ballot_scores(votes, unranked) * votes.weights[:, None])
    return scores


def pair_wins(votes: Votes, unranked: str) -> Numbers:
    """Weighted number of members who put the row's issue above the column's."""
    return np.asarray(np.tensordot(votes.weights, preferences(votes, unranked), axes=1), dtype=np.float64)


def margins(wins: Numbers) -> Numbers:
    """Wins minus losses of the row's issue against the column's."""
    return settled(wins - wins.T)


def copeland(wins: Numbers) -> Numbers:
    """Opponents beaten minus opponents lost to, for each issue."""
    return np.asarray(np.sign(margins(wins)).sum(axis=1), dtype=np.float64)


def schulze(wins: Numbers) -> Numbers:
    """Number of opponents each issue beats by the strength of the strongest path, on margins."""
    paths = np.maximum(margins(wins), 0)
    for middle in range(len(paths)):
        paths = np.maximum(paths, np.minimum(paths[:, [middle]], paths[[middle], :]))
    return np.asarray((paths > paths.T).sum(axis=1), dtype=np.float64)


def competition_rank(scores: Numbers) -> list[int]:
    """Place of each score, largest first; equal scores share the smaller place (1, 2, 2, 4)."""
    return [int(place) for place in (scores[None, :] > scores[:, None]).sum(axis=1) + 1]


def possible_places(scores: Numbers) -> tuple[list[int], list[int]]:
    """First and last place each score can take, depending on how ties are broken."""
    return competition_rank(scores), [int((scores >= score).sum()) for score in scores]


def inside_seats(first: Sequence[int], last: Sequence[int], seats: int) -> list[bool | None]:
    """Whether an issue is among the seats, from the first and last place it can take; None where it depends."""
    return [None if high <= seats < low else low <= seats for high, low in zip(first, last, strict=True)]


def result_frame(columns: dict[str, tuple[type[pl.DataType], Sequence[object] | Numbers]]) -> pl.DataFrame:
    """A frame of named columns, each of the kind it says even where it is empty."""
    return pl.DataFrame([pl.Series(name, values, kind) for name, (kind, values) in columns.items()])


class Order(NamedTuple):
    """An order of least cost, how many there are, and the first and last place each issue can take in them.

    Where they were too many to go through, ``n_optimal`` is None and the places are those of the issue's component.
    """

    order: list[int]
    n_optimal: int | None
    first: list[int]
    last: list[int]


def kemeny_order(wins: Numbers) -> Order:
    """Exact Kemeny order, strong component by strong component of the weak-majority graph."""
    order: list[int] = []
    n_optimal: int | None = 1
    first, last = [0] * len(wins), [0] * len(wins)
    for component in _strong_components(wins):
        inner = wins[np.ix_(component, component)]
        part = _order_by_subsets(inner) if len(component) <= LARGEST_COUNTED else _order_by_programme(inner)
        for issue, high, low in zip(component, part.first, part.last, strict=True):
            first[issue], last[issue] = high + len(order), low + len(order)
        order += [component[issue] for issue in part.order]
        n_optimal = None if n_optimal is None or part.n_optimal is None else n_optimal * part.n_optimal
    return Order(order, n_optimal, first, last)


def kemeny_cost(wins: Numbers, order: list[int]) -> float:
    """Strict disagreements of an order with the ballots: votes for the lower issue over the higher, all pairs."""
    return round(float(np.tril(wins[np.ix_(order, order)], -1).sum()), DECIMALS)


def _strong_components(wins: Numbers) -> list[list[int]]:
    """Groups of issues that beat or tie each other in a circle, best group first.

    Every pair is joined one way or the other, so issues that reach equally many are in the same group.
    """
    reached = margins(wins) >= 0
    for middle in range(len(reached)):
        reached |= reached[:, [middle]] & reached[[middle], :]
    numbers = reached.sum(axis=1)
    return [np.flatnonzero(numbers == number).tolist() for number in sorted(set(numbers.tolist()), reverse=True)]


def _order_by_subsets(wins: Numbers) -> Order:
    """Every optimal order, by the cheapest way to fill the first places with each subset of the issues.

    A subset is a number whose bits are its issues. Of the optimal orders the first in issue order is returned.
    """
    n = len(wins)
    issues, bits, everything = np.arange(n), 1 << np.arange(n), (1 << n) - 1
    sizes = np.zeros(1 << n, np.int64)
    lost = np.zeros((n, 1 << n))  # votes against placing the row's issue below every issue of the subset
    for issue in range(n):
        lower, upper = slice(0, 1 << issue), slice(1 << issue, 2 << issue)
        sizes[upper] = sizes[lower] + 1
        lost[:, upper] = lost[:, lower] + wins[:, [issue]]
    cost, orders = np.zeros(1 << n), np.ones(1 << n, np.int64)
    layers = []
    for size in range(1, n + 1):
        layer = np.flatnonzero(sizes == size)
        before = layer ^ bits[:, None]
        costs = np.where(layer & bits[:, None], cost[before] + lost[issues[:, None], before], np.inf)
        cost[layer] = costs.min(axis=0)
        optimal = costs <= cost[layer] + 10.0**-DECIMALS
        orders[layer] = np.where(optimal, orders[before], 0).sum(axis=0)
        layers.append((layer, before, optimal))
    leads_to_optimum = np.arange(1 << n) == everything
    steps = np.zeros((n, 1 << n), np.bool_)  # whether an optimal order may complete the subset with the issue
    chosen = np.zeros((n, n), np.bool_)  # whether an optimal order may put the issue in the place
    for place, (layer, before, optimal) in reversed(list(enumerate(layers))):
        steps[:, layer] = optimal & leads_to_optimum[layer]
        leads_to_optimum[before[steps[:, layer]]] = True
        chosen[:, place] = steps[:, layer].any(axis=1)
    subset, order = 0, []
    while subset != everything:
        issue = int(np.flatnonzero((subset & bits == 0) & steps[issues, subset | bits])[0])
        order.append(issue)
        subset |= 1 << issue
    return Order(
        order,
        int(orders[everything]),
        (chosen.argmax(axis=1) + 1).tolist(),
        (n - chosen[:, ::-1].argmax(axis=1)).tolist(),
    )


def _order_by_programme(wins: Numbers) -> Order:
    """One optimal order by integer programming, and whether it is the only one."""
    from scipy.optimize import LinearConstraint

    n = len(wins)
    cuts: list[LinearConstraint] = []
    turned = _least_cost_order(wins, cuts)
    order = _order_of(turned, n)
    # an order that differs in at least one pair: the next best
    cuts.append(LinearConstraint(np.where(turned, -1.0, 1.0)[None, :], 1 - turned.sum(), np.inf))
    second = _order_of(_least_cost_order(wins, cuts), n)
    if kemeny_cost(wins, second) > kemeny_cost(wins, order):
        places = [order.index(issue) + 1 for issue in range(n)]
        return Order(order, 1, places, places)
    return Order(order, None, [1] * n, [n] * n)


def _order_of(turned: NDArray[np.int64], n: int) -> list[int]:
    """Issues by the number that stand above them."""
    first, second = np.triu_indices(n, 1)
    above = np.bincount(first, turned, n) + np.bincount(second, 1 - turned, n)
    return [int(issue) for issue in np.argsort(above)]


def _least_cost_order(wins: Numbers, cuts: list[LinearConstraint]) -> NDArray[np.int64]:
    """Which pairs i < j an order of least cost turns round (x = 1: j stands above i), the cuts being obeyed.

    Transitivity, 0 <= x_ij + x_jk - x_ik <= 1, is added to ``cuts`` only for triples that break it: a few of thousands.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    n = len(wins)
    first, second = np.triu_indices(n, 1)
    column = np.zeros((n, n), np.int64)
    column[first, second] = np.arange(len(first))
    i, j, k = np.array([(a, b, c) for a in range(n) for b in range(a + 1, n) for c in range(b + 1, n)]).T
    while True:
        found = milp(
            margins(wins)[first, second],
            integrality=np.ones(len(first), np.int64),
            bounds=Bounds(0, 1),
            constraints=cuts,
            options={"mip_rel_gap": 0},  # the default would accept an order that is nearly the best
        )
        turned = np.round(np.asarray(found.x)).astype(np.int64)
        sums = turned[column[i, j]] + turned[column[j, k]] - turned[column[i, k]]
        circles = np.flatnonzero((sums < 0) | (sums > 1))
        if not len(circles):
            return turned
        rows = np.arange(len(circles))
        columns = np.concatenate([column[one[circles], other[circles]] for one, other in ((i, j), (j, k), (i, k))])
        signs = np.repeat([1.0, 1.0, -1.0], len(circles))
        broken = csr_array((signs, (np.tile(rows, 3), columns)), shape=(len(circles), len(first)))
        cuts.append(LinearConstraint(broken, 0, 1))
