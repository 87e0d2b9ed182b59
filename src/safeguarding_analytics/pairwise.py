"""Ballots as arrays: who is put above whom, and the rules that need nothing but those counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from narwhals.typing import IntoFrame
from numpy.typing import NDArray

from safeguarding_analytics.errors import ParameterError, TableError, nearest, shorten
from safeguarding_analytics.groups import fetch, open_frame

WEIGHTS = ("member", "agency")
"""Whose votes weigh 1 in all: each member's, or each agency's."""

UNRANKED = ("share", "ignore")
"""What an issue without a rank means: tied below the last ranked one, or not compared."""

DECIMALS = 9
"""Totals of weights such as 1/3 are compared after rounding to this; whole numbers are not touched by it."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Votes:
    """Checked ballots: one row of ``places`` per member, one column per issue, infinity where unranked.

    ``blocs`` says which votes weigh 1 together: each member is a bloc, or each agency is. ``agencies`` are the agencies
    that voted, sorted, and ``agency_of`` which of them a member sits for; without agencies both are empty.
    """

    issues: tuple[str, ...]
    places: Numbers
    blocs: NDArray[np.int64]
    agencies: tuple[str, ...] = ()
    agency_of: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

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
    ballots: IntoFrame,
    weight: str,
    unranked: str,
    issues: Sequence[str] | None,
    seats: int | None = None,
    *,
    by_agency: bool = False,
) -> Votes:
    """Check ballots and what is asked of them, and turn them into arrays, members and issues in a fixed order.

    With ``by_agency`` the agencies are read also where each member weighs the same.

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
    needed = ["member", "issue", "rank", *(["agency"] if weight == "agency" or by_agency else [])]
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
    rows = rows.with_columns(pl.col("member").rank("dense").cast(pl.Int64) - 1)
    column = rows["issue"].replace_strict(listed, range(len(listed)), return_dtype=pl.Int64)
    places = np.full((rows["member"].n_unique(), len(listed)), np.inf)
    places[rows["member"].to_numpy(), column.to_numpy()] = rows["rank"].to_numpy()
    if "agency" not in rows.columns:
        return Votes(tuple(listed), places, np.arange(len(places)))
    agency = rows.unique("member").sort("member")["agency"].cast(pl.String)
    agencies = tuple(agency.unique().sort())
    agency_of = agency.replace_strict(agencies, range(len(agencies)), return_dtype=pl.Int64).to_numpy()
    blocs = agency_of if weight == "agency" else np.arange(len(places))
    return Votes(tuple(listed), places, blocs, agencies, agency_of)


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


def ranked_pairs(wins: Numbers) -> tuple[list[int], list[int]]:
    """First and last place each issue can take by ranked pairs, on margins, however equal margins are put in order.

    From the largest margin down, the winner of a pair is locked above its loser, unless the loser is above the winner
    already by pairs locked before (Tideman 1987). Pairs of equal margin may come in any order, and the result can hang
    on it: to go through all orders is out of reach (Brill & Fischer 2012). So two sets are kept. A pair is surely
    locked if even all pairs that may be locked by then do not lead from its loser to its winner; it is surely not
    locked if pairs surely locked do; otherwise it may be. What is sure holds in every order of equal margins, by
    induction from the largest margin down. An issue comes after those surely above it and before those surely below.

    Nothing hangs on names or on the order of the issues. Where all margins differ and none is 0, everything is sure.
    Elsewhere the places contain all that some order of equal margins gives; they may be wider.
    """
    lead = margins(wins)
    surely, maybe = [0] * len(lead), [0] * len(lead)  # bits of the issues that pairs lead to from each issue
    for margin in sorted(set(lead[lead > 0].tolist()), reverse=True):
        pairs = [(int(winner), int(loser)) for winner, loser in np.argwhere(lead == margin)]
        while pairs:
            maybe_now = _led_on(maybe, pairs)
            locked = [(winner, loser) for winner, loser in pairs if not maybe_now[loser] >> winner & 1]
            surely = _led_on(surely, locked)
            still = [(winner, loser) for winner, loser in pairs if not surely[loser] >> winner & 1]
            if len(still) == len(pairs):
                maybe = maybe_now
                break
            pairs = still
    n = len(lead)
    first = [1 + sum(below >> issue & 1 for below in surely) for issue in range(n)]
    return first, [n - below.bit_count() for below in surely]


def _led_on(reached: Sequence[int], pairs: Sequence[tuple[int, int]]) -> list[int]:
    """What issues lead to once some more pairs lead on from winner to loser."""
    found = list(reached)
    for winner, loser in pairs:
        beyond = found[loser] | 1 << loser
        found = [
            below | beyond if issue == winner or below >> winner & 1 else below for issue, below in enumerate(found)
        ]
    return found


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
