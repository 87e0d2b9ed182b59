"""Which ballot papers count: whose they are, for which agency, in time or late, and which of several of one member.

Nobody is joined by likeness, and no member is named in a message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl

from safeguarding_analytics.ballot_flags import NOT_STATED, left_in_order
from safeguarding_analytics.ballot_settings import BallotsExportSection
from safeguarding_analytics.config import Words
from safeguarding_analytics.contracts import EMPTY, no_problems, problem
from safeguarding_analytics.errors import numbered
from safeguarding_analytics.pseudonyms import Key, pseudonyms
from safeguarding_analytics.sources.ballot_rows import report_rows
from safeguarding_analytics.sources.bookings import ANONYMOUS
from safeguarding_analytics.sources.form_people import plain_address, say_where
from safeguarding_analytics.sources.form_sheets import short_heading
from safeguarding_analytics.sources.preflib import ORDERS, OTHERS
from safeguarding_analytics.tables import PLACEHOLDERS

PAPER = "paper"
"""Column that holds the number of a ballot paper, over all files."""

RULES = {
    "last": "the last one of a member counts",
    "first": "the first one of a member counts",
    "refuse": "several ballots of one member are refused",
}
"""Rules for second ballots, in words."""


@dataclass
class CountedPapers:
    """Papers that count, with ``member`` (a pseudonym) and ``agency``; numbers of those that need keep no rule.

    ``problems`` is what is wrong, ``notes`` how many were left out, and why.
    """

    papers: pl.DataFrame
    left_out: set[int] = field(default_factory=set)
    problems: list[pl.DataFrame] = field(default_factory=lambda: [no_problems()])
    notes: list[str] = field(default_factory=list)

    def leave_out(self, papers: pl.DataFrame, why: str) -> None:
        """Take papers away, and say how many."""
        if papers.height:
            self.papers = self.papers.join(papers, on=PAPER, how="anti", maintain_order="left")
            self.left_out |= set(papers[PAPER])
            are = "is" if papers.height == 1 else "are"
            self.notes.append(f"ballots: {numbered(papers.height, 'ballot')} {are} {why}: {_where(papers)}")

    def refuse(self, papers: pl.DataFrame, column: str | None, rule: str, found: str | None = None) -> None:
        """Report papers by file and row."""
        self.problems += [
            report_rows(str(file), column, rule, [(row, found) for row in rows])
            for file, rows in papers.group_by("file", maintain_order=True).agg("row").iter_rows()
        ]


def is_preflib(name: str) -> bool:
    """Whether a file is one of PrefLib, which tells no members, by its ending.

    Examples
    --------
    >>> is_preflib("board.soc"), is_preflib("board.xlsx")
    (True, False)
    """
    return Path(name).suffix.lower() in (*ORDERS, *OTHERS)


def count_papers(
    papers: pl.DataFrame,
    ranked: pl.DataFrame,
    broken: set[int],
    settings: BallotsExportSection,
    key: Key,
    *,
    agencies: Sequence[str] | None,
    words: Words,
) -> CountedPapers:
    """Find the papers that count.

    Parameters
    ----------
    papers
        One row per ballot paper: `PAPER`, file, row, member (as typed), agency, submitted.
    ranked
        One row per issue ranked: `PAPER`, issue, rank.
    broken
        Papers of which a cell breaks a rule: they rank something, though it cannot be read.
    settings
        Section ``[ballots_export]`` of `board.toml`.
    key
        Key of the pseudonyms. It is not kept.
    agencies
        All agencies; None where the board has no table of them.
    words
        Other names of agencies, and the agency each stands for.
    """
    filled = pl.col(PAPER).is_in(pl.concat([ranked[PAPER], pl.Series(sorted(broken), dtype=pl.Int64)]).implode())
    counted = CountedPapers(_with_people(papers, filled, key).with_columns(_agency(agencies or (), words)))
    empty = counted.papers.filter(~filled)
    counted.leave_out(empty, "empty, and left out")
    counted.left_out -= set(empty[PAPER])
    _without_late(counted, settings.closes)
    if settings.unchanged == "leave_out":
        orders = ranked.select(pl.col(PAPER).cast(pl.String).alias("member"), "issue", "rank")
        untouched = left_in_order(orders, settings.form_order).cast(pl.Int64)
        why = "left in the order of the form, and left out (unchanged under [ballots_export])"
        counted.leave_out(counted.papers.filter(pl.col(PAPER).is_in(untouched.implode())), why)
    _refuse_nobody(counted, settings.columns.headings())
    _one_each(counted, settings.second_ballot)
    _fill_agencies(counted, settings, agencies)
    return counted


def _with_people(papers: pl.DataFrame, filled: pl.Expr, key: Key) -> pl.DataFrame:
    """Papers with ``member`` as a pseudonym, null where it is not known, and whether it is in no paper of the file."""
    typed = papers.rename({"member": "person"}).with_columns(plain_address())
    plain = typed.with_columns(pl.col("person").str.to_lowercase().str.replace_all(r"\s+", " "))
    of_preflib = [file for file in papers["file"].unique() if is_preflib(file)]
    nobody = pl.col("person").is_in([*PLACEHOLDERS, *ANONYMOUS]) | pl.col("file").is_in(of_preflib)
    told = plain.with_columns(pl.when(~nobody).then("person").alias("person"))
    known = pl.col("person").is_not_null() & filled
    return told.with_columns(
        (~known.any().over("file")).alias("anonymous"), pseudonyms(told["person"], key).alias("member")
    ).with_columns(_pseudonym_of_nobody(told, key))


def _pseudonym_of_nobody(papers: pl.DataFrame, key: Key) -> pl.Series:
    """A pseudonym for each ballot without a member: "ballot 1", "ballot 2" …, whoever else may be called so."""
    names = papers.select(pl.format("an anonymous ballot: ballot {}", pl.col(PAPER) + 1).alias("nobody"))
    return pseudonyms(names["nobody"], key)


def _agency(agencies: Sequence[str], words: Words) -> pl.Expr:
    """Agencies as the board spells them."""
    known = {agency.casefold(): agency for agency in agencies}
    known = {found.casefold(): wanted for found, wanted in words.items()} | known
    plain = pl.col("agency").str.to_lowercase().str.replace_all(r"\s+", " ")
    return plain.replace_strict(
        list(known), list(known.values()), default=pl.col("agency"), return_dtype=pl.String
    ).alias("agency")


def _without_late(counted: CountedPapers, closes: datetime | None) -> None:
    if closes is None:
        return
    moment = int((closes - datetime(1970, 1, 1)).total_seconds())
    late = counted.papers.filter(pl.col("submitted") > moment)
    counted.leave_out(late, f"submitted after {closes:%Y-%m-%d %H:%M} (closes under [ballots_export]), and left out")
    unknown = counted.papers.filter(pl.col("submitted").is_null())
    rule = "a time of submission, because closes is set under [ballots_export]: else it is not known whether it is late"
    counted.refuse(unknown, None, rule, EMPTY)


def _refuse_nobody(counted: CountedPapers, columns: Mapping[str, Sequence[str]]) -> None:
    """Report papers without a member where others of the file have one; where none has, each is another member's."""
    nobody = counted.papers.filter(pl.col("person").is_null() & ~pl.col("anonymous"))
    heading = short_heading(" and ".join(columns["member"])) if "member" in columns else None
    rule = (
        "who voted, as other rows of the file say it: without it nobody knows whether this is a second ballot. Correct "
        "the file, or take member out of [ballots_export.columns], where every ballot is to count by itself"
    )
    counted.refuse(nobody, heading, rule, EMPTY)
    anonymous = counted.papers.filter("anonymous")
    if anonymous.height:
        says, counts = ("does", "it counts") if anonymous.height == 1 else ("do", "each counts")
        counted.notes.append(
            f"ballots: {numbered(anonymous.height, 'ballot')} {says} not say whose: {counts} as another member's, and "
            "second ballots cannot be found"
        )
    counted.papers = counted.papers.with_columns(
        pl.when("anonymous").then("nobody").otherwise("member").alias("member")
    )


def _one_each(counted: CountedPapers, which: str) -> None:
    """Leave one paper of each member, and say by which rule."""
    told = counted.papers.filter(pl.col("member").is_not_null() & ~pl.col("anonymous"))
    if told.is_empty():
        return
    timed = told["submitted"].null_count() == 0
    order = "by the time it was submitted" if timed else "by file and row"
    ordered = told.sort(*(["submitted"] if timed else []), PAPER)
    kept = ordered.unique("member", keep="first" if which == "first" else "last", maintain_order=True)
    several = told.filter(pl.col("member").is_duplicated())
    rule = f"{RULES[which]}{'' if which == 'refuse' else f', {order}'} (second_ballot under [ballots_export])"
    if several.is_empty():
        counted.notes.append(f"ballots: nobody sent a second ballot; {rule}")
        return
    if which == "refuse":
        counted.refuse(several.sort(PAPER), None, f"one ballot of each member: {rule}", "several of one member")
        return
    agencies = several.group_by("member").agg(pl.col("agency").drop_nulls().n_unique()).filter(pl.col("agency") > 1)
    if agencies.height:
        who = "1 member" if agencies.height == 1 else f"{agencies.height:,} members"
        counted.notes.append(f"ballots: {who} voted for several agencies; that of the ballot that counts is taken")
    counted.leave_out(told.join(kept, on=PAPER, how="anti"), f"left out, as {rule}")


def _fill_agencies(counted: CountedPapers, settings: BallotsExportSection, agencies: Sequence[str] | None) -> None:
    """Give ballots without an agency the one that the board names for them, or report them."""
    blank = counted.papers.filter(pl.col("agency").is_null())
    if blank.is_empty():
        return
    fill = settings.blank_agency
    if fill is None and agencies is None and blank.height == counted.papers.height:
        fill = NOT_STATED
    if fill is not None:
        counted.papers = counted.papers.with_columns(pl.col("agency").fill_null(fill))
        counted.notes.append(f'ballots: {numbered(blank.height, "ballot")} without an agency: "{fill}" is taken')
    elif blank.height == counted.papers.height and "agency" not in settings.columns.headings():
        rule = (
            "the agency of each ballot must be known where the board has a table of agencies. Name its heading under "
            "[ballots_export.columns], or an agency for all under [ballots_export]: blank_agency"
        )
        counted.problems.append(problem("ballots", rule))
    else:
        heading = short_heading(" and ".join(settings.columns.agency or ["agency"]))
        rule = "the agency the member sits for. Correct the file, or set blank_agency under [ballots_export]"
        counted.refuse(blank, heading, rule, EMPTY)


def _where(papers: pl.DataFrame) -> str:
    return say_where(papers.select(pl.col("file").alias("name_of_form"), pl.col("row").alias("row_of_form")))
