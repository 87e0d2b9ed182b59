"""Boards drawn with replacement from those who voted, and in how many of them each issue is among the seats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.pairwise import WEIGHTS, Numbers, Votes, check_word, preferences, settled

CELLS = 2**18
"""Numbers worked on at once: enough to be quick, few enough to stay near the processor."""

RULES = ("borda", "copeland", "schulze")
"""Rules counted on every resampled board."""

Stack = Numbers | NDArray[np.int32]
"""Margins of many boards: issues × issues × boards."""


class Pool(NamedTuple):
    """Distinct blocs that boards are drawn from, in an order that depends only on what they voted.

    ``margins`` has a row per distinct bloc and a column per ordered pair of issues, ``counts`` says how many blocs are
    the same. ``agencies`` numbers the agency of each distinct ballot, in steps of one, where members are drawn but each
    agency weighs 1; elsewhere it is empty.
    """

    margins: Numbers
    counts: NDArray[np.int64]
    agencies: NDArray[np.int64]
    n_issues: int

    @property
    def scores(self) -> Numbers:
        """Wins minus losses of each issue: distinct blocs × issues."""
        return _scores(self.margins, self.n_issues)


def resampled_by(resample: str | None, weight: str, resamples: int, seed: int) -> str:
    """What is drawn, as ``weight`` unless said otherwise; a `ParameterError` where boards cannot be drawn like that."""
    check_word("weight", weight, WEIGHTS)
    if resample is not None:
        check_word("resample", resample, WEIGHTS)
    if resamples < 1:
        raise ParameterError(f"resamples must be at least 1, such as 2000. Found: {resamples}.")
    if seed < 0:
        raise ParameterError(f"seed must be 0 or more. Found: {seed}.")
    return resample or weight


def open_pool(votes: Votes, unranked: str, weight: str, resample: str) -> Pool:
    """Members, or whole agencies, as boards are drawn from them.

    Members or agencies who voted the same are one row, and rows stand in the order of their content: neither names nor
    the order of the ballots can then touch what is drawn.
    """
    n = len(votes.issues)
    above = preferences(votes, unranked).astype(np.int8)
    ballots = (above - above.transpose(0, 2, 1)).reshape(votes.n_ballots, n * n)
    none = np.empty(0, np.int64)
    if not votes.n_ballots:
        return Pool(np.empty((0, n * n)), none, none, n)
    if resample == "agency":
        return Pool(*_distinct(_summed(ballots, votes.agency_of, mean=weight == "agency"), n), none, n)
    if weight == "member":
        return Pool(*_distinct(ballots.astype(np.float64), n), none, n)
    inside = [ballots[votes.agency_of == agency].astype(np.float64) for agency in range(len(votes.agencies))]
    kinds = sorted((_distinct(rows, n) for rows in inside), key=_content)
    numbers = np.repeat(np.arange(len(kinds)), [len(counts) for _, counts in kinds])
    return Pool(np.concatenate([rows for rows, _ in kinds]), np.concatenate([c for _, c in kinds]), numbers, n)


def _scores(margins: Numbers, n: int) -> Numbers:
    return np.asarray(margins.reshape(len(margins), n, n).sum(axis=2), dtype=np.float64)


def _summed(ballots: NDArray[np.int8], agency_of: NDArray[np.int64], *, mean: bool) -> Numbers:
    """Ballots of each agency added up, as whole numbers first, so that their order cannot matter."""
    sizes = np.bincount(agency_of)
    totals = np.zeros((len(sizes), ballots.shape[1]), np.int64)
    np.add.at(totals, agency_of, ballots)
    return totals / sizes[:, None] if mean else totals.astype(np.float64)


def _distinct(margins: Numbers, n: int) -> tuple[Numbers, NDArray[np.int64]]:
    """Rows that differ, by their scores and then by their pairs, and how often each occurs."""
    contents = [row.tobytes() for row in margins]
    scores = _scores(margins, n).tolist()
    first = {content: row for row, content in reversed(list(enumerate(contents)))}
    order = sorted(first, key=lambda content: (scores[first[content]], content))
    number = {content: place for place, content in enumerate(order)}
    counts = np.bincount([number[content] for content in contents], minlength=len(order))
    return margins[[first[content] for content in order]], counts.astype(np.int64)


def _content(kind: tuple[Numbers, NDArray[np.int64]]) -> tuple[bytes, bytes]:
    return kind[0].tobytes(), kind[1].tobytes()


def drawn_boards(pool: Pool, resamples: int, seed: int, cells: int) -> Iterator[Numbers]:
    """Weights of the distinct blocs on each resampled board, boards × distinct blocs, in slices.

    ``cells`` says how many numbers will be worked out per board. The boards do not depend on it.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    distinct, size = len(pool.counts), int(pool.counts.sum())
    number = np.repeat(np.arange(distinct), pool.counts)
    boards = max(1, CELLS // max(cells, size))
    for start in range(0, resamples, boards):
        some = min(boards, resamples - start)
        drawn = number[generator.integers(0, size, size=(some, size))] + distinct * np.arange(some)[:, None]
        draws = np.bincount(drawn.ravel(), minlength=some * distinct).reshape(some, distinct)
        yield _weighed(draws, pool.agencies)


def _weighed(draws: NDArray[np.int64], agencies: NDArray[np.int64]) -> Numbers:
    """Draws as weights: as they are, or shared anew among those drawn from the same agency."""
    if not len(agencies):
        return draws.astype(np.float64)
    starts = np.flatnonzero(np.diff(agencies, prepend=-1))
    drawn = np.add.reduceat(draws, starts, axis=1)[:, agencies]
    return np.divide(draws, drawn, out=np.zeros(draws.shape), where=drawn > 0)


def resampled_scores(pool: Pool, resamples: int, seed: int) -> Numbers:
    """Wins minus losses of each issue on each resampled board: boards × issues."""
    scores = pool.scores
    if not len(scores):
        return np.empty((resamples, pool.n_issues))
    slices = drawn_boards(pool, resamples, seed, pool.n_issues)
    return np.concatenate([settled(weights @ scores) for weights in slices])


def share_of_boards(pool: Pool, seats: int, resamples: int, seed: int) -> Numbers:
    """Share of resampled boards in which Borda's count puts each issue among the seats."""
    return settled(seat_shares(resampled_scores(pool, resamples, seed), seats).sum(axis=0) / resamples)


def shares_by_rule(pool: Pool, seats: int, resamples: int, seed: int) -> dict[str, Numbers]:
    """Share of the same resampled boards in which each rule puts each issue among the seats."""
    n, scores = pool.n_issues, pool.scores
    found = {rule: np.zeros(n) for rule in RULES}
    if n:
        for weights in drawn_boards(pool, resamples, seed, n * n):
            margins = _as_whole(settled(pool.margins.T @ weights.T).reshape(n, n, -1))
            counted = (settled(weights @ scores), copeland_stack(margins).T, schulze_stack(margins).T)
            for rule, totals in zip(RULES, counted, strict=True):
                found[rule] += seat_shares(totals, seats).sum(axis=0)
    return {rule: settled(total / resamples) for rule, total in found.items()}


def _as_whole(margins: Numbers) -> Stack:
    """Margins as whole numbers where they are, which are compared several times as fast."""
    whole = margins.astype(np.int32)
    return whole if np.array_equal(whole, margins) else margins


def copeland_stack(margins: Stack) -> Numbers:
    """Opponents beaten minus opponents lost to: issues × boards."""
    return np.asarray(np.sign(margins).sum(axis=1), dtype=np.float64)


def schulze_stack(margins: Stack) -> Numbers:
    """Opponents beaten by the strongest path: issues × boards."""
    paths: Stack = np.maximum(margins, 0)
    through = np.empty_like(paths)
    for middle in range(len(paths)):
        np.minimum(paths[:, [middle]], paths[[middle]], out=through)
        np.maximum(paths, through, out=paths)
    return np.asarray((paths > paths.transpose(1, 0, 2)).sum(axis=1), dtype=np.float64)


def seat_shares(scores: Numbers, seats: int) -> Numbers:
    """Seats each issue takes on each board, boards × issues: issues tied at the cut share the seats that are left."""
    if not scores.size:
        return scores
    cut = np.sort(scores, axis=1)[:, [-seats]]
    ahead, level = scores > cut, scores == cut
    left = seats - ahead.sum(axis=1, keepdims=True)
    return np.asarray(ahead + level * left / level.sum(axis=1, keepdims=True), dtype=np.float64)
