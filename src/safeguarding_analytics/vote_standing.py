"""How far the count of a vote has come that still goes on: which ballots may be counted, and how that is said.

Two states that differ by one ballot give that ballot away. So the ballots are counted in blocks, the newest are held
back, and no state is shown that differs by fewer than a block from any that was shown before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from safeguarding_analytics.errors import numbered

State = Mapping[str, str]
"""The ballots that a count is made of: a digest of each by a digest of its member, in order of arrival."""


@dataclass(frozen=True)
class Standing:
    """How far a count has come.

    ``cast`` ballots were found when the file was last read, ``counted`` of them are in the count that is shown, and
    ``changed`` counted ones have been replaced or taken away since. ``minimum`` is the size of a block, ``members`` how
    many may vote (None: not stated), ``counted_at`` the time of the count, ``trouble`` what is wrong with the file,
    ``closed`` whether nobody will vote any more.
    """

    minimum: int
    seats: int
    rule: str
    members: int | None = None
    cast: int = 0
    counted: int = 0
    changed: int = 0
    counted_at: str = ""
    trouble: tuple[str, ...] = ()
    closed: bool = False

    @property
    def complete(self) -> bool:
        """Whether nobody will vote any more, or every member has voted, and every ballot is counted as it is."""
        whole = self.closed or (self.members is not None and self.members <= self.cast)
        return whole and 0 < self.cast == self.counted and not self.changed


def ballots_to_show(cast: int, minimum: int, members: int | None = None) -> int:
    """How many of the ballots that have come in are counted.

    Parameters
    ----------
    cast
        Ballots that have come in.
    minimum
        Fewest ballots by which two counts may differ.
    members
        Members who may vote; None where that is not stated.

    Returns
    -------
    int
        All of them once every member has voted; else the largest multiple of `minimum` that leaves at least as many
        back.

    Notes
    -----
    Counts made while ballots come in therefore differ by none or by `minimum` or more, from each other and from the
    count of all ballots at any later time.

    Examples
    --------
    >>> [ballots_to_show(cast, 3) for cast in (5, 6, 8, 9)]
    [0, 3, 3, 6]
    >>> ballots_to_show(8, 3, members=8)
    8
    """
    if members is not None and cast >= members:
        return cast
    return max(0, cast - minimum) // minimum * minimum


def next_state(shown: Sequence[State], cast: State, minimum: int, members: int | None = None) -> State | None:
    """The ballots to be counted next; None where what is shown has to stay.

    Parameters
    ----------
    shown
        Every state that was shown, the latest last.
    cast
        All ballots that have come in, in order of arrival.
    minimum
        Fewest ballots by which two states may differ.
    members
        Members who may vote; None where that is not stated.

    Notes
    -----
    Ballots that are counted stay in front, in their latest version. A state that would differ by 1 to `minimum` − 1
    members' ballots from any that was shown is not shown: a ballot that was replaced is taken up together with others.
    """
    latest = shown[-1] if shown else {}
    order = [member for member in latest if member in cast] + [member for member in cast if member not in latest]
    number = ballots_to_show(len(cast), minimum, members)
    following = {member: cast[member] for member in order[:number]}
    if number < len(latest) or any(0 < differing(following, state) < minimum for state in shown):
        return None
    return following if differing(following, latest) else None


def differing(one: State, other: State) -> int:
    """Members whose ballot is not the same in two states.

    Examples
    --------
    >>> differing({"a": "1", "b": "2"}, {"b": "3"})
    2
    """
    return sum(one.get(member) != other.get(member) for member in {*one, *other})


def say_standing(standing: Standing) -> list[str]:
    """Say how many ballots are counted, how many are held back and why, and that it is not the result yet.

    Parameters
    ----------
    standing
        How far the count has come.

    Examples
    --------
    >>> say_standing(Standing(minimum=3, seats=4, rule="", members=30, cast=8, counted=3, counted_at="14:32"))[0]
    'This is a state and not the result: 8 of 30 members have voted.'
    """
    minimum, back = standing.minimum, standing.cast - standing.counted + standing.changed
    if standing.complete:
        everybody = standing.members is None or standing.cast >= standing.members
        why = "every member has voted" if standing.members and everybody else "the vote is closed"
        return [
            f"All {standing.cast:,} ballots are counted, at {standing.counted_at}: {why}.",
            *([] if everybody else [f"{standing.cast:,} of {standing.members:,} members have voted."]),
        ]
    voted = f"{standing.cast:,} of {standing.members:,} members have voted" if standing.members else ""
    said = [f"This is a state and not the result{f': {voted}' if voted else ' until all members have voted'}."]
    if not standing.counted:
        return [
            *said,
            f"A first state is shown from {2 * minimum} ballots on: ballots are counted {minimum} at a time and the "
            f"newest {minimum} are held back, so that nobody's ballot can be told.",
        ]
    replaced = f" ({standing.changed:,} of them replaced or taken away since)" if standing.changed else ""
    return [
        *said,
        f"{numbered(standing.counted, 'ballot')} {'is' if standing.counted == 1 else 'are'} counted, at "
        f"{standing.counted_at}, and {back:,} held back{replaced}: two states that differ by fewer than {minimum} "
        "ballots would tell what is on one of them.",
    ]


def standing_of(status: Path) -> tuple[Path, Standing]:
    """Which release is to be shown, and how far its count has come.

    Parameters
    ----------
    status
        File that a `LiveCount` writes.
    """
    found = json.loads(status.read_text(encoding="utf-8"))
    standing = found["standing"] | {"trouble": tuple(found["standing"]["trouble"])}
    return Path(found["release"]), Standing(**standing)
