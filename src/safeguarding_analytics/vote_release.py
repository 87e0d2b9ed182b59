"""A counted vote → tables of a release, each with its title, its definition and its sentence."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from safeguarding_analytics.errors import DisclosureError
from safeguarding_analytics.priority_sentences import (
    say_absent,
    say_agencies,
    say_agreement,
    say_ballots_to_change,
    say_bands,
    say_bracket,
    say_checks,
    say_divided,
    say_head_to_head,
    say_orders,
    say_ranking,
    say_rule,
    say_without_one,
)
from safeguarding_analytics.release import publish, published_before
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.vote_count import VoteCount
from safeguarding_analytics.vote_figures import EFFECTIVE, EQUAL_AGENCIES, CountingRule

MEASURE = "ballots"

LEFT_OFF = (
    " Issues left off a ballot share its last places here, so the first issues may be others than the priorities."
)
"""What is worked out of whole ballots, where the rule does not compare the issues left off."""

FEWEST = 3
"""Fewest ballots by which two releases may differ, where the policy of a table is not known."""


class Answer(NamedTuple):
    """A table of a vote as it is published."""

    name: str
    table: Safe
    title: str
    definition: str
    headline: str


def define_count(rule: CountingRule) -> str:
    """The definition that stands beside every number of a vote.

    Parameters
    ----------
    rule
        The rule that was fixed before the ballots were opened.

    Examples
    --------
    >>> define_count(CountingRule()).split(". ")[-3]
    'This is the symmetric Borda count'
    """
    drawn = "whole agencies" if (rule.resample or rule.weight) == "agency" else "members"
    points = (
        " Charts draw the score as points, which give the same order: the last place on a ballot is worth 1, and each "
        "place above it 1 more."
        if rule.unranked == "share"
        else ""
    )
    return (
        f"{say_rule(rule)}{points} This is the symmetric Borda count. How firm the choice is was tried with "
        f"{rule.resamples:,} boards: {drawn} drawn at random from those who voted, and some more than once. "
        f"Whoever starts the drawing at the number {rule.seed} draws the same boards."
    )


def answers_of(count: VoteCount) -> Sequence[Answer]:
    """Every table of a counted vote with its words.

    Parameters
    ----------
    count
        As `count_votes` gives it.

    Returns
    -------
    Sequence[Answer]
        The ranking first. Tables by agency are left out where ballots name no agency.
    """
    rule, figures = count.rule, count.figures
    left_off = LEFT_OFF if rule.unranked == "ignore" else ""
    firm = (say_ballots_to_change(figures), say_absent(count.checks, figures), say_agreement(figures))
    found = [
        Answer(
            "priorities",
            count.ranking,
            "Ranking of the issues",
            define_count(rule),
            _together(say_ranking(count.ranking, seats=rule.seats), say_bands(count.ranking)),
        ),
        Answer(
            "priorities_head_to_head",
            count.head_to_head,
            "Issues one against one",
            f"{_whose_votes(rule)} who put one issue above the other; the margins of an issue add up to its score. "
            f"{say_rule(rule)}",
            say_head_to_head(count.ranking, count.head_to_head),
        ),
        Answer(
            "priorities_checks",
            count.checks,
            "The same ballots counted otherwise",
            "Place of each issue by other rules of counting (Copeland, Schulze, ranked pairs and Kemeny), by the other "
            "weighting (each agency the same, or each member) and by the other convention for issues left off a ballot "
            "(not compared, or sharing its last places). They check the result and are no choice of results. Schulze "
            "and ranked pairs go by margins. Where each agency weighs the same as a check, and where an agency is left "
            "out, those of few ballots are taken together.",
            _together(say_checks(count.checks), say_bracket(count.checks), say_without_one(count.checks)),
        ),
        Answer(
            "priorities_figures",
            figures,
            "How firm the result is, and how far members agree",
            "Fewest ballots, of those cast or still to come, that would put another issue among the priorities: a "
            "worst case and no probability. The agreement of all ballots is Kendall's W, corrected for ties; members "
            "weigh the same in it. That of two members is Kendall's tau-b, the mean over all pairs of them. Effective "
            "ballots are as many of equal weight as would make the result as firm; among them agencies of few ballots "
            "count as equal in size.",
            _together(*firm),
        ),
        Answer(
            "priorities_polarisation",
            count.polarisation,
            "How divided members are on each issue",
            f"Share of members who put an issue among their first {rule.seats} and their last {rule.seats}; tied "
            f"places are shared. Members weigh the same. Tests of agencies leave out those of few ballots.{left_off}",
            say_divided(count.polarisation),
        ),
    ]
    if count.agencies.frame().height:
        found += [
            Answer(
                "priorities_by_agency",
                count.by_agency,
                "The order of each agency",
                f"The ballots of each agency counted by themselves. {say_rule(rule.but(weight='member'))}",
                say_orders(count.by_agency),
            ),
            Answer(
                "priorities_agencies",
                count.agencies,
                "How far each agency is from all others",
                "Kendall's tau-b between the order of an agency and that of all others; p by drawing as many members "
                f"at random, corrected for the number of agencies (Holm).{left_off}",
                say_agencies(count.agencies),
            ),
        ]
    return found


def publish_votes(count: VoteCount, into: str | Path, *, without: Collection[str] = ()) -> None:
    """Write every table of a counted vote into the release that is being built.

    Parameters
    ----------
    count
        As `count_votes` gives it.
    into
        Folder of the release being built. Empty: nothing is written.
    without
        Names of tables that are left out.

    Raises
    ------
    DisclosureError
        When the release that stands is of the same vote and this one differs from it by so few ballots that they could
        be told, or counts the same ballots by the other weight.

    Notes
    -----
    Who takes the tallies of 30 ballots from those of 31 has the ballot that came last, and who has the scores by both
    weights has the ballots of an agency of few members. So a release of the same vote is followed by one of the same
    ballots and the same weight, or by one that differs by `Policy.minimum_ballots` or more, in all and in each agency
    that both show. Where agencies weigh the same it is followed by none with other tallies: each agency's can be worked
    out of them.

    Another vote on the same issues is told by its tallies: where more ballots than that must have gone as well as come,
    the board has voted anew. Releases that were moved away are not known, nor what was published in another folder.
    """
    refuse_to_tell_ballots(count, published_before(into, MEASURE))
    for answer in (each for each in answers_of(count) if each.name not in without):
        publish(
            answer.table,
            answer.name,
            into=into,
            title=answer.title,
            definition=answer.definition,
            measure=MEASURE,
            headline=answer.headline,
        )


def refuse_to_tell_ballots(count: VoteCount, standing: Sequence[Safe]) -> None:
    """Raise a `DisclosureError` where the tables of a vote and those that stand would tell a ballot between them.

    Parameters
    ----------
    count
        As `count_votes` gives it.
    standing
        The tables of the release that stands, as `published_before` gives them.
    """
    before = {table.shape.name: table.frame() for table in standing if "agency" not in table.frame().columns}
    pairs = before.get("head_to_head", pl.DataFrame())
    now = count.head_to_head.frame()
    if pairs.is_empty() or now.is_empty():
        return
    minimum = count.head_to_head.policy.minimum_ballots if count.head_to_head.policy else FEWEST
    both = now.join(pairs, on=["issue", "opponent"], suffix="_before")
    both = both.drop_nulls(["n_ballots", "n_ballots_before"])
    if both.is_empty():
        return
    more: int = both["n_ballots"][0] - both["n_ballots_before"][0]
    weights = {count.rule.weight, _weight_of(before.get("vote_figure"))}
    told = both.drop_nulls(["wins", "wins_before"])
    changed: list[float] = (told["wins"] - told["wins_before"]).round(6).to_list()
    differs = max(map(abs, changed), default=0.0)
    because = ""
    if len(weights) > 1:
        because = "counts ballots on the same issues by the other weight" if abs(more) < minimum else ""
    elif weights == {"agency"}:
        because = "has other tallies, in which agencies count the same" if differs else ""
    elif differs:
        gone = max(0.0, -min(changed))  # at least so many ballots are no longer there
        if min(gone, gone + more) < minimum:
            few = abs(more) < minimum and differs < minimum
            because = "differs from it by fewer than {} ballots" if few else _agency_of_few(count, standing, minimum)
    if because:
        raise DisclosureError(
            f"the vote was not published: the release that stands is of the same issues, and this count "
            f"{because.format(minimum)}. Between the two a reader could work out single ballots. Wait for more ballots "
            "and keep to the weight that was fixed. If nobody has seen the release that stands, or it is of another "
            "vote, move it away or publish into another folder."
        )


def _agency_of_few(count: VoteCount, standing: Sequence[Safe], minimum: int) -> str:
    """Why an agency that two releases of a vote show would tell a ballot; nothing where none does."""
    shown = [table.frame() for table in standing if {"agency", "issue", "score"} <= set(table.frame().columns)]
    if not shown:
        return ""
    both = count.by_agency.frame().join(shown[0], on=["agency", "issue"], suffix="_before")
    few = both.filter(
        (pl.col("n_ballots") - pl.col("n_ballots_before")).abs() < minimum, pl.col("score") != pl.col("score_before")
    )
    return "" if few.is_empty() else "has for an agency fewer than {} ballots more or less"


def _weight_of(figures: pl.DataFrame | None) -> str:
    """The weight by which a count was made; where ballots name no agency that of members."""
    if figures is None:
        return "member"
    about = figures.filter(pl.col("figure") == EFFECTIVE)["about"].to_list()
    return "agency" if about == [EQUAL_AGENCIES["agency"]] else "member"


def _whose_votes(rule: CountingRule) -> str:
    return "Members" if rule.weight == "member" else "Agencies, each of them shared equally by its members who voted,"


def _together(*said: str) -> str:
    """Sentences one after the other, none of them twice."""
    return " ".join(dict.fromkeys(filter(None, said)))
