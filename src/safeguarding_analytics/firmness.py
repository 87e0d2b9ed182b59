"""How firm a choice of priorities is: how many ballots must change, or be missing, before it is another."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

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
    check_word,
    inside_seats,
    possible_places,
    read_votes,
    result_frame,
    settled,
)
from safeguarding_analytics.resampled_boards import open_pool, resampled_by, resampled_scores, shares_by_rule

FEWEST_RESAMPLES = 100
"""Resampled boards below which the end of an interval cannot be told."""

OUTSIDE, OPEN, INSIDE = 0, 1, 2
"""Where an issue stands: outside the seats, tied at the cut, inside."""


def ballots_to_change(
    ballots: IntoFrame,
    seats: int = 4,
    *,
    weight: str = "member",
    issues: Sequence[str] | None = None,
) -> pl.DataFrame:
    """How few members would have to leave, vote otherwise or join for an issue outside the seats to get in.

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
        - ``ballots_to_rewrite``: fewest members who must hand in another ballot, whatever it says, for the second to be
          ahead
        - ``absent_to_overtake``: fewest further members who put the second ahead, if each of them ranks it first and
          the first one last

        Null where no removal does it while at least one ballot is left, as when all members agree, and where every
        ballot ties the two, so that reversing moves nothing. The last two are never null.

    Raises
    ------
    ParameterError, TableError
        As `rank_priorities`.

    Notes
    -----
    Exact under Borda's count. Let d be the first issue's wins minus losses on a ballot less the second's. The members
    with the largest d leave first; reversing a ballot counts twice. Of n issues a ballot that puts the second first and
    the first last, each alone, has d = −2(n − 1), and none has less: to rewrite a ballot lowers the lead by up to
    d + 2(n − 1), and one more member lowers it by up to 2(n − 1). The smallest number over all pairs is what it takes
    to change the set of priorities.

    With ``weight="agency"`` the colleagues of a member who leaves share the agency's whole weight anew, and an agency
    without ballots weighs nothing: the best choice of members is sought over all agencies together. Reversing and
    rewriting change no weights. Each further member is taken to sit alone for an agency that has not voted, which is
    the worst case: t members who join s colleagues share one weight, and move the lead by at most 4(n − 1)t/(s + t),
    which is no more than t times 2(n − 1).

    It is a worst case over which members leave or join and what they vote, not a probability.

    Examples
    --------
    Three members, two of them for Neglect. One leaves: a tie. Two leave: CSE is ahead. One turns round, or votes anew:
    CSE is ahead. One more votes for CSE: a tie; two more: CSE is ahead.

    >>> import polars as pl
    >>> ranks = {"issue": ["Neglect", "CSE"] * 3, "rank": [1, 2, 1, 2, 2, 1]}
    >>> ballots = pl.DataFrame({"member": ["a", "a", "b", "b", "c", "c"], **ranks})
    >>> ballots_to_change(ballots, seats=1).rows()
    [('Neglect', 'CSE', 2.0, 1, 2, 1, 1, 2)]
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
    difference = leads @ votes.weights
    furthest = 2 * (n - 1)
    return result_frame(
        {
            "inside": (pl.String, [votes.issues[i] for i in inside]),
            "outside": (pl.String, [votes.issues[j] for j in outside]),
            "score_difference": (pl.Float64, settled(difference)),
            "ballots_to_tie": (pl.Int64, _fewest(settled(after_removal) <= 0)),
            "ballots_to_overtake": (pl.Int64, _fewest(settled(after_removal) < 0)),
            "ballots_to_reverse": (pl.Int64, _fewest(_after_changes(difference, 2 * leads * votes.weights) < 0)),
            "ballots_to_rewrite": (
                pl.Int64,
                _fewest(_after_changes(difference, (leads + furthest) * votes.weights) < 0),
            ),
            "absent_to_overtake": (pl.Int64, [math.floor(lead / furthest) + 1 for lead in settled(difference)]),
        }
    ).sort("ballots_to_overtake", "inside", "outside", nulls_last=True)


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


def _after_changes(difference: Numbers, losses: Numbers) -> Numbers:
    """Lead left (a row per pair of issues) after the 0, 1, 2 … changes of a ballot that lower it most."""
    lost = np.sort(losses, axis=1)[:, ::-1].cumsum(axis=1)
    return settled(np.column_stack([difference, difference[:, None] - lost]))


def _after_leaving(leads: Numbers) -> Numbers:
    """Total lead left when the 0, 1, 2 … largest leads of a row are taken out."""
    return np.hstack([np.zeros((len(leads), 1)), np.sort(leads, axis=1).cumsum(axis=1)])[:, ::-1]


def _fewest(reached: NDArray[np.bool_]) -> list[int | None]:
    """Position of the first true value of each row; None where there is none."""
    return [int(row.argmax()) if row.any() else None for row in reached]


def absent_members(
    ballots: IntoFrame,
    seats: int = 4,
    *,
    absent: int,
    weight: str = "member",
    issues: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Whether each issue stays inside or outside the seats whatever a number of further members would vote.

    Parameters
    ----------
    ballots, seats, weight, issues
        As in `rank_priorities`. The issues a member left out are tied below the last one ranked. Name in ``issues`` all
        that were on the ballot paper.
    absent
        Members who have not voted, 0 or more.

    Returns
    -------
    pl.DataFrame
        One row per issue, sorted as by `rank_priorities`; no rows where there are no ballots. Not suppressed.

        - ``issue``
        - ``selected``: whether it is among the seats now; null where equal scores straddle the cut
        - ``safe``: true where it stays inside, or outside, whatever they vote; false where some votes of theirs would
          move it to the other side or into a tie at the cut; null where ``selected`` is null

    Raises
    ------
    ParameterError
        When ``absent`` is below 0; otherwise as `rank_priorities`.
    TableError
        As `rank_priorities`.

    Notes
    -----
    An issue inside is lost only when as many others as there are seats catch up with it at once: they cannot all be
    first on one ballot, so an issue may be safe although each other one could overtake it alone. The absent do best
    against it by ranking it last, and above all the others those that need least. Let t be the seats and let the t
    others need x₁ ≥ x₂ ≥ … points (wins minus losses among themselves) on k ballots together. If x₁ + … + xₛ is more
    than k s (t − s) for some s, no ballots do it, since s of t issues win at most s (t − s) pairs with the others on a
    ballot. For an issue outside everything is turned round: it is first, and the t others that must fall below it are
    all issues but as many as there are seats.

    True is always right. False is right for one absent member, and for any number where t is at most 5: whole points
    within those sums can be shared out over two or three ballots (checked by going through all of them), hence over any
    larger number (integer decomposition of base polytopes). With t of 6 or more, false may be said of an issue where
    the sums allow a move that no ballots make, which takes needs that match the sums to the point.

    With ``weight="agency"`` the absent may sit for any agency, and the sums are largest where each sits alone for one
    that has not voted. True holds wherever they sit; false is right for one absent member, and may be said of several
    where no ballots move the issue because only whole points can be given by members who sit alone.

    It is a worst case over what they vote, not a probability.

    References
    ----------
    Sums of places: Rado 1952, J. London Mathematical Society 27:1 (recalled, not looked up). Decomposition: McDiarmid
    1975, Rado's theorem for polymatroids, Mathematical Proceedings of the Cambridge Philosophical Society 78:263.

    Examples
    --------
    Three members, two of them for Neglect, which is two points ahead: one more member can make a tie.

    >>> import polars as pl
    >>> ranks = {"issue": ["Neglect", "CSE"] * 3, "rank": [1, 2, 1, 2, 2, 1]}
    >>> ballots = pl.DataFrame({"member": ["a", "a", "b", "b", "c", "c"], **ranks})
    >>> absent_members(ballots, seats=1, absent=1).rows()
    [('Neglect', True, False), ('CSE', False, False)]
    """
    if absent < 0:
        raise ParameterError(f"absent must be 0 or more. Found: {absent}.")
    votes = read_votes(ballots, weight, "share", issues, seats)
    per_bloc = bloc_scores(votes, "share")
    total = per_bloc.sum(axis=0)
    first, last = possible_places(settled(total))
    selected = inside_seats(first, last, seats)
    weighings = [(total, 1)]
    if weight == "agency" and absent == 1:
        sizes = np.bincount(votes.blocs)
        weighings += [(total - mean / (size + 1), int(size) + 1) for mean, size in zip(per_bloc, sizes, strict=True)]
    safe = [
        None if inside is None else not _moved(issue, inside, weighings, seats, absent)
        for issue, inside in enumerate(selected)
    ]
    return _by_rank(votes, first, {"selected": (pl.Boolean, selected), "safe": (pl.Boolean, safe)})


def _moved(issue: int, inside: bool, weighings: Sequence[tuple[Numbers, int]], seats: int, absent: int) -> bool:
    """Whether further ballots can move an issue across the cut.

    Each weighing is the scores without the absent, and among how many a ballot of theirs shares a weight of 1. For an
    issue outside everything is turned round: then it is among the last that are left.
    """
    n = len(weighings[0][0])
    rivals, sign = (seats, 1) if inside else (n - seats, -1)
    if absent == 0 or rivals == n:
        return False
    # alone for an agency is the first weighing, and the worst case of the sums
    needs = (_needs(issue, sign * total, rivals, absent, shared) for total, shared in weighings)
    alone = next(needs)
    if not _within_sums(alone, absent):
        return False
    return absent > 1 or _on_one_ballot(alone) or any(map(_on_one_ballot, needs))


def _needs(issue: int, total: Numbers, rivals: int, absent: int, shared_by: int) -> Numbers:
    """Points each of the nearest rivals needs among themselves to draw level with an issue, largest first.

    The absent rank the issue last and the rivals above all others; a ballot weighs 1 over ``shared_by``.
    """
    n = len(total)
    nearest = np.sort(np.delete(total, issue))[n - 1 - rivals :]
    return np.asarray(shared_by * (total[issue] - nearest) - absent * (n + n - 1 - rivals), dtype=np.float64)


def _within_sums(needs: Numbers, ballots: int) -> bool:
    """Whether no group of the rivals needs more than it can win from the other rivals."""
    sizes = np.arange(1, len(needs) + 1)
    return bool((settled(needs.cumsum()) <= ballots * sizes * (len(needs) - sizes)).all())


def _on_one_ballot(needs: Numbers) -> bool:
    """Whether one ballot, ties allowed, gives each rival what it needs, in whole points.

    Those tied in places p to q score rivals + 1 − p − q; the largest need of each group is that of its first.
    """
    rivals = len(needs)
    ends = {0}
    for place, need in enumerate(np.ceil(settled(needs)).astype(np.int64).tolist(), start=1):
        if place - 1 in ends:
            ends |= set(range(place, min(rivals, rivals + 1 - place - need) + 1))
    return rivals in ends


def _by_rank(
    votes: Votes, first: Sequence[int], columns: dict[str, tuple[type[pl.DataType], Sequence[object] | Numbers]]
) -> pl.DataFrame:
    """One row per issue in the order of `rank_priorities`."""
    found = result_frame({"issue": (pl.String, votes.issues), **columns, "rank": (pl.Int64, first)})
    return found.sort("rank", "issue").drop("rank")


def leave_one_out(
    ballots: IntoFrame,
    seats: int = 4,
    *,
    by: str = "member",
    weight: str = "member",
    unranked: str = "share",
    issues: Sequence[str] | None = None,
) -> pl.DataFrame:
    """The priorities without each member, or each agency, in turn: private, for whoever counts the votes.

    Parameters
    ----------
    ballots, seats, weight, unranked, issues
        As in `rank_priorities`; ``agency`` is needed also for ``by="agency"``.
    by
        Who is left out: ``"member"``, or ``"agency"``, with all its ballots.

    Returns
    -------
    pl.DataFrame
        One row per member or agency left out. Members are sorted by what their leaving would change, most important
        first, and numbered in that order; agencies are sorted by name. No rows where there are no ballots.

        Not suppressed, and private: each row tells of one ballot, or of one agency's ballots.

        - ``left_out``: "member 1", "member 2" …, never a name; or the agency
        - ``n_ballots``: ballots left out
        - ``changed``: whether other issues are selected, or equal scores straddle the cut where they did not; null
          where no ballot is left
        - ``comes_in``: issues selected without them, and not with them, joined by "; "
        - ``goes_out``: issues that are outside the seats without them, and not with them
        - ``left_open``: issues on which equal scores straddle the cut without them, and not with them

    Raises
    ------
    ParameterError
        When ``by`` is an unknown word; otherwise as `rank_priorities`.
    TableError
        As `rank_priorities`.

    Notes
    -----
    The ballots are counted anew without those left out. With ``weight="agency"`` the colleagues of a member left out
    share the agency's whole weight, and an agency without ballots weighs nothing.

    Never publish the table, nor how many members change the result: on a board people know who sits for what, and a
    result that hangs on one ballot tells what that ballot said. What may be said is whether an issue's seat hangs on
    any one member or agency at all (`seats_without_one`), subject to the fewest ballots a result may be shown of.

    Examples
    --------
    >>> import polars as pl
    >>> ranks = {"issue": ["Neglect", "CSE"] * 3, "rank": [1, 2, 1, 2, 2, 1]}
    >>> ballots = pl.DataFrame({"member": ["a", "a", "b", "b", "c", "c"], **ranks})
    >>> leave_one_out(ballots, seats=1).select("left_out", "changed", "left_open").rows()
    [('member 1', True, 'CSE; Neglect'), ('member 2', True, 'CSE; Neglect'), ('member 3', False, '')]
    """
    check_word("by", by, ("member", "agency"))
    votes = read_votes(ballots, weight, unranked, issues, seats, by_agency=by == "agency")
    now, without, sizes = _seats_without(votes, seats, by, weight, unranked)
    left = sizes < votes.n_ballots
    other = (without != now) & left[:, None]
    comes_in, goes_out, left_open = (_joined(votes.issues, other & (without == to)) for to in (INSIDE, OUTSIDE, OPEN))
    found = result_frame(
        {
            "left_out": (pl.String, votes.agencies if by == "agency" else [""] * len(sizes)),
            "n_ballots": (pl.Int64, sizes.tolist()),
            "changed": (
                pl.Boolean,
                [bool(change) if rest else None for change, rest in zip(other.any(axis=1), left, strict=True)],
            ),
            "comes_in": (pl.String, comes_in),
            "goes_out": (pl.String, goes_out),
            "left_open": (pl.String, left_open),
        }
    )
    if by == "agency":
        return found.sort("left_out")
    found = found.sort("changed", "comes_in", "goes_out", "left_open", descending=[True, False, False, False])
    return found.with_columns(left_out=pl.format("member {}", pl.int_range(1, pl.len() + 1)))


def _joined(issues: Sequence[str], named: NDArray[np.bool_]) -> list[str]:
    """Names of the issues of each row, in one text."""
    return ["; ".join(issue for issue, is_so in zip(issues, row, strict=True) if is_so) for row in named.tolist()]


def _seats_without(
    votes: Votes, seats: int, by: str, weight: str, unranked: str
) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.int64]]:
    """Seats of all, seats without each member or agency (a row each), and the ballots of each."""
    scores, n = ballot_scores(votes, unranked), len(votes.issues)
    per_bloc = bloc_scores(votes, unranked)
    total = per_bloc.sum(axis=0)
    if by == "agency":
        sizes = np.bincount(votes.agency_of)
        parts = np.zeros((len(sizes), n))
        np.add.at(parts, votes.agency_of, scores * votes.weights[:, None])
        rest = total - parts
    else:
        sizes = np.ones(votes.n_ballots, np.int64)
        colleagues = np.bincount(votes.blocs)[votes.blocs][:, None] - 1
        bloc = per_bloc[votes.blocs]
        # without one of m members the mean of an agency is (m × mean − theirs) / (m − 1)
        anew = np.divide(bloc - scores, colleagues, out=-bloc, where=colleagues > 0)
        rest = total + anew
    return _seat_states(settled(total)[None, :], seats)[0], _seat_states(settled(rest), seats), sizes


def _as_one(votes: Votes, together: Collection[str]) -> Votes:
    """Votes in which some agencies are left out as one; what the ballots weigh stays."""
    merged = [place for place, name in enumerate(votes.agencies) if name in together]
    if len(merged) < 2:
        return votes
    names = tuple(name for place, name in enumerate(votes.agencies) if place not in merged[1:])
    number = [names.index(votes.agencies[merged[0]] if name in together else name) for name in votes.agencies]
    return replace(votes, agencies=names, agency_of=np.array(number, dtype=np.int64)[votes.agency_of])


def _seat_states(scores: Numbers, seats: int) -> NDArray[np.int8]:
    """Inside, outside or open on each board: boards × issues."""
    if not scores.size:
        return np.empty(scores.shape, np.int8)
    cut = np.sort(scores, axis=1)[:, [-seats]]
    level = scores == cut
    fits = (scores >= cut).sum(axis=1, keepdims=True) == seats
    return np.select([scores > cut, level & fits, level], [INSIDE, INSIDE, OPEN], OUTSIDE).astype(np.int8)


def seats_without_one(
    ballots: IntoFrame,
    seats: int = 4,
    *,
    weight: str = "member",
    unranked: str = "share",
    issues: Sequence[str] | None = None,
    together: Collection[str] = (),
) -> pl.DataFrame:
    """Whether the seat of each issue hangs on some one member, or on some one agency.

    Parameters
    ----------
    ballots, seats, weight, unranked, issues
        As in `rank_priorities`; ``agency`` is always needed.
    together
        Agencies that are left out together, as one, because the ballots of each are hidden.

    Returns
    -------
    pl.DataFrame
        One row per issue, sorted as by `rank_priorities`; no rows where there are no ballots. Not suppressed.

        - ``issue``
        - ``selected``: whether it is among the seats; null where equal scores straddle the cut
        - ``without_member``: whether there is a member without whom ``selected`` would be another (a tie at the cut
          counts as another); null where only one member voted
        - ``without_agency``: the same without all ballots of an agency; null where only one agency voted

    Raises
    ------
    ParameterError, TableError
        As `rank_priorities`.

    Notes
    -----
    The ballots are counted anew without each member, and without each agency, in turn (`leave_one_out`). It says
    neither who that is, nor how many there are. On a board of few members it may still tell how one of them voted.

    Examples
    --------
    >>> import polars as pl
    >>> ranks = {"issue": ["Neglect", "CSE"] * 3, "rank": [1, 2, 1, 2, 2, 1]}
    >>> people = {"member": ["a", "a", "b", "b", "c", "c"], "agency": ["Health"] * 4 + ["Police"] * 2}
    >>> seats_without_one(pl.DataFrame({**people, **ranks}), seats=1).rows()
    [('Neglect', True, True, True), ('CSE', False, True, True)]
    """
    votes = read_votes(ballots, weight, unranked, issues, seats, by_agency=True)
    first, last = possible_places(settled(bloc_scores(votes, unranked).sum(axis=0)))
    columns: dict[str, tuple[type[pl.DataType], Sequence[object] | Numbers]] = {
        "selected": (pl.Boolean, inside_seats(first, last, seats))
    }
    votes = _as_one(votes, together)
    for by in ("member", "agency"):
        now, without, sizes = _seats_without(votes, seats, by, weight, unranked)
        hangs = (without != now).any(axis=0).tolist()
        columns[f"without_{by}"] = (pl.Boolean, hangs if len(sizes) > 1 else [None] * len(first))
    return _by_rank(votes, first, columns)


def tied_across_the_cut(
    ballots: IntoFrame,
    seats: int = 4,
    *,
    weight: str = "member",
    unranked: str = "share",
    resamples: int = 2000,
    seed: int = 20150925,
    resample: str | None = None,
    confidence: float = 0.95,
    issues: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Issues on either side of the cut that the ballots do not tell apart: the bracket to talk about.

    Parameters
    ----------
    ballots, seats, weight, unranked, seed, resample, issues
        As in `rank_priorities`.
    resamples
        Boards drawn, at least 100.
    confidence
        Confidence of all comparisons across the cut together, between 0 and 1.

    Returns
    -------
    pl.DataFrame
        One row per issue, sorted as by `rank_priorities`; no rows where there are no ballots. Not suppressed.

        - ``issue``
        - ``selected``: whether it is among the seats; null where equal scores straddle the cut
        - ``in_bracket``: whether, for some issue on the other side of the cut, the interval of the difference of their
          scores covers 0; true for all issues that equal scores straddle the cut with; otherwise null where only one
          member (or agency, if agencies are drawn) voted, since one ballot shows no spread

    Raises
    ------
    ParameterError
        When there are fewer than 100 resamples, or ``confidence`` is not between 0 and 1; otherwise as
        `rank_priorities`.
    TableError
        As `rank_priorities`.

    Notes
    -----
    Boards are drawn as for ``p_selected``. D is the score of an issue inside the seats less that of one outside, D* the
    same on a resampled board, and se the standard deviation of D*. On each resampled board the largest (D* − D)/se over
    all pairs across the cut is taken, whatever its sign; c is the value that ``confidence`` of the boards do not
    exceed. A pair is not told apart where D is at most c times se: all pairs are judged at once. Where every resampled
    board gives the same D, as when all members put the two equally far apart, it is told apart unless D = 0.

    Which issues stand inside is itself a result: the pairs are those across the cut that was observed. Since all are
    judged at once, issues of equal worth are nearly always in the bracket, with some that are not. A bracket that
    is empty does not say that the order is right for those who did not vote. Resampled places are not consistent where
    issues are truly equal, differences of scores are: therefore the bracket is made of differences.

    References
    ----------
    Hall & Miller 2009, Annals of Statistics 37:3929 (recalled, not looked up). Mogstad, Romano, Shaikh & Wilhelm 2024,
    Inference for ranks, Review of Economic Studies, doi:10.1093/restud/rdad006.

    Examples
    --------
    >>> import polars as pl
    >>> ranks = {"issue": ["Neglect", "CSE"] * 3, "rank": [1, 2, 1, 2, 2, 1]}
    >>> ballots = pl.DataFrame({"member": ["a", "a", "b", "b", "c", "c"], **ranks})
    >>> tied_across_the_cut(ballots, seats=1).rows()
    [('Neglect', True, True), ('CSE', False, True)]
    """
    drawn = resampled_by(resample, weight, resamples, seed)
    if resamples < FEWEST_RESAMPLES:
        raise ParameterError(f"resamples must be at least {FEWEST_RESAMPLES} for an interval. Found: {resamples}.")
    if not 0 < confidence < 1:
        raise ParameterError(f"confidence must be between 0 and 1, such as 0.95. Found: {confidence}.")
    votes = read_votes(ballots, weight, unranked, issues, seats, by_agency=drawn == "agency")
    pool = open_pool(votes, unranked, weight, drawn)
    total = settled(bloc_scores(votes, unranked).sum(axis=0))
    first, last = possible_places(total)
    selected = inside_seats(first, last, seats)
    above = np.array([high <= seats for high in first], dtype=np.bool_)
    below = np.array([low > seats for low in last], dtype=np.bool_)
    told_apart = _told_apart(total, resampled_scores(pool, resamples, seed), above, below, confidence)
    otherwise = None if pool.counts.sum() == 1 and below.any() else False
    bracket = [True if told.any() else otherwise for told in ~told_apart]
    return _by_rank(votes, first, {"selected": (pl.Boolean, selected), "in_bracket": (pl.Boolean, bracket)})


def _told_apart(
    total: Numbers, resampled: Numbers, above: NDArray[np.bool_], below: NDArray[np.bool_], confidence: float
) -> NDArray[np.bool_]:
    """Whether two issues across the cut differ by more than chance: issues × issues, true for all other pairs."""
    n = len(total)
    spread = np.zeros((n, n))
    largest = np.zeros(len(resampled))
    across = above[:, None] & below & ~np.eye(n, dtype=np.bool_)
    for inside in np.flatnonzero(above):
        others = np.flatnonzero(across[inside])
        differences = resampled[:, [inside]] - resampled[:, others]
        spread[inside, others] = settled(differences.std(axis=0))
        away = np.abs(differences - (total[inside] - total[others]))
        varies = spread[inside, others] > 0
        ratios = away[:, varies] / spread[inside, others[varies]]
        largest = np.maximum(largest, ratios.max(axis=1, initial=0.0))
    critical = np.quantile(largest, confidence, method="higher") if len(largest) else 0.0
    told_apart = ~across | (settled(np.abs(total[:, None] - total) - critical * spread) > 0)
    return np.asarray(told_apart & told_apart.T, dtype=np.bool_)


def selected_by_rule(
    ballots: IntoFrame,
    seats: int = 4,
    *,
    weight: str = "member",
    unranked: str = "share",
    resamples: int = 2000,
    seed: int = 20150925,
    resample: str | None = None,
    issues: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Share of the same resampled boards in which each of three rules puts an issue among the seats.

    Parameters
    ----------
    ballots, seats, weight, unranked, resamples, seed, resample, issues
        As in `rank_priorities`.

    Returns
    -------
    pl.DataFrame
        One row per issue, sorted as by `rank_priorities`; no rows where there are no ballots. Not suppressed.

        - ``issue``
        - ``p_borda``: share of resampled boards in which Borda's count selects it, 0 to 1: ``p_selected`` of
          `rank_priorities`
        - ``p_copeland``: the same by opponents beaten minus opponents lost to
        - ``p_schulze``: the same by opponents beaten along the strongest path, on margins

    Raises
    ------
    ParameterError, TableError
        As `rank_priorities`.

    Notes
    -----
    Issues tied at the cut share the seats that are left. Under Copeland's rule ties are frequent, so shares between 0
    and 1 need not mean that boards differ.

    Where two rules give an issue shares on either side of one half, the ballots leave it open; it is a matter to
    discuss, not a choice of rules. The rule is to be fixed before the votes are opened.

    References
    ----------
    Copeland 1951. Schulze 2011, Social Choice and Welfare 36:267.

    Examples
    --------
    >>> import polars as pl
    >>> ballots = pl.DataFrame({"member": ["a", "a", "b", "b"], "issue": ["x", "y"] * 2, "rank": [1, 2, 1, 2]})
    >>> selected_by_rule(ballots, seats=1).rows()
    [('x', 1.0, 1.0, 1.0), ('y', 0.0, 0.0, 0.0)]
    """
    drawn = resampled_by(resample, weight, resamples, seed)
    votes = read_votes(ballots, weight, unranked, issues, seats, by_agency=drawn == "agency")
    first, _ = possible_places(settled(bloc_scores(votes, unranked).sum(axis=0)))
    shares = shares_by_rule(open_pool(votes, unranked, weight, drawn), seats, resamples, seed)
    return _by_rank(votes, first, {f"p_{rule}": (pl.Float64, share) for rule, share in shares.items()})


def effective_ballots(ballots: IntoFrame, *, issues: Sequence[str] | None = None) -> float:
    """How many ballots of equal weight the ballots are worth where each agency weighs 1.

    Parameters
    ----------
    ballots, issues
        As in `rank_priorities`; ``agency`` is needed.

    Returns
    -------
    float
        1 to the number of ballots (``n_ballots`` of `rank_priorities`), which it equals where all agencies have as many
        members who voted; 0 where there are no ballots. Not suppressed.

    Raises
    ------
    TableError
        As `rank_priorities`.

    Notes
    -----
    (Σ w)² / Σ w², with w = 1 over the members of the agency who voted. It is smaller the more unequally members weigh,
    and says how much equal weight of agencies costs in certainty. It takes no account of members of one agency voting
    alike.

    References
    ----------
    Kish 1965, Survey Sampling, section 11.7; recalled, not looked up.

    Examples
    --------
    Two for Health (w = 1/2 each) and one for the police: (1/2 + 1/2 + 1)² / (1/4 + 1/4 + 1) = 4 / 1.5.

    >>> import polars as pl
    >>> agencies = ["Health", "Health", "Police"]
    >>> ballots = pl.DataFrame({"member": ["a", "b", "c"], "agency": agencies, "issue": ["CSE"] * 3, "rank": [1] * 3})
    >>> round(effective_ballots(ballots), 2)
    2.67
    """
    weights = read_votes(ballots, "agency", "share", issues).weights
    return float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0
