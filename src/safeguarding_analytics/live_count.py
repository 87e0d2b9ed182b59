"""Ballots counted while they still come in: read, counted as far as may be, and what is said where they cannot be.

The ballots stay with the process that counts them; what it writes for the pages are releases that went through the
gate.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from secrets import token_bytes
from threading import Lock

import polars as pl

from safeguarding_analytics.board import Board, Tables, read_board
from safeguarding_analytics.contracts import say_problems
from safeguarding_analytics.errors import DisclosureError, ParameterError, SafeguardingError, TableError, numbered
from safeguarding_analytics.leaks import refuse_leaks
from safeguarding_analytics.priority_sentences import say_rule
from safeguarding_analytics.release import promote
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.vote_count import count_votes
from safeguarding_analytics.vote_figures import CountingRule
from safeguarding_analytics.vote_release import publish_votes
from safeguarding_analytics.vote_standing import Standing, State, next_state

READ = ("issues", "agencies", "ballots")
"""Tables that a live count reads."""

BY_AGENCY = ("priorities_by_agency", "priorities_agencies")
"""Tables that wait for the full count: two states that differ by one ballot of an agency would give it away."""

STATUS = "live.json"
"""File that says which release is to be shown, and how far its count has come."""

MOST_SAID = 3
"""Broken rules that a page names."""

RULE_CHANGED = (
    "board.toml or the table of issues: how ballots are counted was changed after the first of them were counted. It "
    "is fixed before ballots are opened: put it back, or stop this page and start it again."
)
NOT_COUNTED = "The ballots cannot be counted just now. To see why, run: safeguarding check, with the board's folder."
NOT_TOLD = "The count of these ballots would tell more than may be told, so it is not shown."


class VoteTables(Tables):
    """The tables that a vote needs; whatever else a board's folder holds is neither read nor in its way."""

    def __iter__(self) -> Iterator[str]:
        return (name for name in super().__iter__() if name in READ)

    def __contains__(self, name: object) -> bool:
        return name in READ and super().__contains__(name)


class VoteBoard(Board):
    """A board's folder as far as a vote needs it."""

    @cached_property
    def tables(self) -> VoteTables:
        """The tables of the vote by name."""
        return VoteTables(self)

    def identities(self) -> dict[str, str]:
        """What stands in the files that ballots are read from and must stand nowhere else, with its column."""
        origin = self.origin_of("ballots")
        return {**origin.identities(), self.key().hexadecimal(): "key"} if origin.foreign else {}


def open_vote(folder: Path) -> VoteBoard:
    """Open a board's folder for its vote; raises as `read_board` does.

    Parameters
    ----------
    folder
        A board's folder.
    """
    board = read_board(folder)
    return VoteBoard(board.folder, board.config, board.config_digest)


class LiveCount:
    """The count of one board's ballots, as far as it may be shown; made anew whenever a page is loaded.

    Parameters
    ----------
    folder
        The board's folder.
    shelf
        A private folder for the releases that pages show, and for `STATUS`, which says which of them to open.
    now
        What the time is.
    closed
        Whether nobody will vote any more: all ballots are counted, also where some members have not voted.

    Raises
    ------
    TableError
        When there is no such folder, or `board.toml` breaks a rule.
    """

    def __init__(self, folder: Path, shelf: Path, now: Callable[[], datetime], *, closed: bool = False) -> None:
        board = open_vote(folder)
        self.board = board.config.board.name
        self.status = shelf / STATUS
        self._folder, self._shelf, self._now, self._closed = folder, shelf, now, closed
        self._lock, self._key = Lock(), token_bytes()
        self._shown: list[State] = []
        self._fixed: tuple[CountingRule, tuple[str, ...]] | None = None
        rule = CountingRule.of(board.config.priorities)
        self._standing = Standing(_minimum(board), rule.seats, say_rule(rule), rule.members)
        self._release = self._gated(None, self._built("none"))
        self._write()

    def refresh(self) -> Standing:
        """Read the ballots again, count them if enough have come or changed, and say how far the count has come.

        What cannot be read leaves the last state in place, and is said.
        """
        with self._lock:
            try:
                self._standing = self._count()
            except DisclosureError:
                self._standing = replace(self._standing, trouble=(NOT_TOLD,))
            except SafeguardingError as error:
                self._standing = replace(self._standing, trouble=self._plainly(error))
            except OSError as error:
                self._standing = replace(self._standing, trouble=(_say_unreadable(error),))
            except (Exception, pl.exceptions.PanicException):  # noqa: BLE001  # a page is shown whatever is in a file
                self._standing = replace(self._standing, trouble=(NOT_COUNTED,))
            self._write()
            return self._standing

    def _count(self) -> Standing:
        board = open_vote(self._folder)
        rule, minimum = CountingRule.of(board.config.priorities), _minimum(board)
        ballots, issues = _ballots(board)
        fixed = replace(rule, members=None), tuple(issues)
        if self._fixed not in (None, fixed):
            raise ParameterError(RULE_CHANGED)
        digests = {member: self._digest(member) for member in ballots["member"].unique(maintain_order=True)}
        cast = {digests[member]: self._digest(*ballot) for member, ballot in _each(ballots)}
        following = next_state(self._shown, cast, minimum, len(cast) if self._closed else rule.members)
        counted_at, number = self._standing.counted_at, self._standing.counted
        if following is not None:
            counted = ballots.filter(pl.col("member").replace_strict(digests).is_in(list(following)))
            self._release = self._gated(board, self._publish(counted, issues, rule, board, len(cast)))
            self._shown.append(following)
            self._fixed = fixed
            counted_at, number = f"{self._now():%H:%M}", len(following)
        latest = self._shown[-1] if self._shown else {}
        changed = sum(cast.get(member) != ballot for member, ballot in latest.items())
        return Standing(
            minimum, rule.seats, say_rule(rule), rule.members, len(cast), number, changed, counted_at, (), self._closed
        )

    def _digest(self, *texts: str) -> str:
        """What tells a ballot from another, to this process alone."""
        return blake2b("\0".join(texts).encode(), key=self._key).hexdigest()

    def _publish(
        self, ballots: pl.DataFrame, issues: Sequence[str], rule: CountingRule, board: Board, cast: int
    ) -> Path:
        """Count ballots and write the tables that may be shown; those by agency only of the full count."""
        built = self._built(str(len(self._shown)))
        whole = self._closed or (rule.members is not None and rule.members <= cast)
        complete = whole and cast == ballots["member"].n_unique()
        of_agencies = complete or "agency" in (rule.weight, rule.resample)
        rows = ballots if of_agencies else ballots.drop("agency")
        count = count_votes(rows, rule, board.policy("board_members"), issues=issues, tallies=complete)
        if complete:
            publish_votes(count, built)
        else:
            publish_votes(replace(count, ranking=_without_firmness(count.ranking)), built, without=BY_AGENCY)
        return built

    def _built(self, state: str) -> Path:
        built = self._shelf / f"built-{state}"
        shutil.rmtree(built, ignore_errors=True)  # of a count that was refused
        built.mkdir()
        return built

    def _gated(self, board: Board | None, built: Path) -> Path:
        """Take the tables through the gate; each state has a folder of its own, as pages may still read the last."""
        refuse_leaks(built, board)
        version = board.data_version if board else ""  # nothing has been read yet
        about = {"board": self.board, "made_on": self._now().date().isoformat(), "data_version": version}
        return promote(built, built.with_name(built.name.replace("built", "state")), about=about).folder

    def _write(self) -> None:
        """Say which release is to be shown, in one step: a page reads all of it or what was there before."""
        beside = self.status.with_suffix(".part")
        content = {"release": str(self._release), "standing": asdict(self._standing)}
        beside.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        os.replace(beside, self.status)

    def _plainly(self, error: SafeguardingError) -> tuple[str, ...]:
        """What is wrong, without where the folder lies on this computer."""
        said = str(error)
        for place in (self._folder.resolve(), self._folder):
            said = said.replace(f" in {place}", "").replace(f"{place}{os.sep}", "").replace(f"{place}: ", "")
        lines = said.splitlines()
        more = [f"And {numbered(len(lines) - MOST_SAID, 'more mistake')}."] if len(lines) > MOST_SAID else []
        return (*lines[:MOST_SAID], *more)


def _without_firmness(ranking: Safe) -> Safe:
    """A ranking that does not say how firm it is: who has not voted yet may make it another one."""
    nothing = [
        pl.lit(None, kind).alias(name) for name, kind in {"p_selected": pl.Float64, "firmness": pl.String}.items()
    ]
    return Safe(ranking.frame().with_columns(nothing), ranking.policy)


def _minimum(board: Board) -> int:
    return board.policy("board_members").minimum_ballots


def _ballots(board: Board) -> tuple[pl.DataFrame, list[str]]:
    """The ballots of a board, and all issues; raises with file, row and column where a rule is broken."""
    if "ballots" not in board.tables:
        raise TableError(f"{board.name_of('ballots')}: the file is not there yet.")
    present = [table for table in READ if table in board.tables]
    problems = pl.concat([board.problems_of(table) for table in present])
    if not problems.is_empty():
        unsaid = problems.with_columns(found=pl.lit(None, pl.String))  # a row that is torn holds names anywhere
        raise TableError("\n".join(say_problems(unsaid, board.file_names, board.heights(present))))
    ballots = board.tables["ballots"].select("member", "agency", "issue", "rank")
    return ballots, board.issues() or ballots["issue"].unique().sort().to_list()


def _each(ballots: pl.DataFrame) -> Iterator[tuple[str, list[str]]]:
    """Each member with what stands on the ballot, in a form that does not depend on the order of its rows."""
    for rows in ballots.partition_by("member", maintain_order=True):
        written = rows.sort("issue").with_columns(pl.all().cast(pl.String).fill_null(""))
        yield written["member"][0], [text for row in written.iter_rows() for text in row]


def _say_unreadable(error: OSError) -> str:
    name = Path(error.filename).name if isinstance(error.filename, str) else "a file"
    return f"{name}: it cannot be read just now ({error.strerror}). Save it, and close it in other programs."
