"""A vote in words: what came first, how it was counted, how firm it is, how far the members agree."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import polars as pl

from safeguarding_analytics.cells import rounded
from safeguarding_analytics.errors import in_words
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.sentences import cuts_of, percent
from safeguarding_analytics.vote_figures import (
    ABSENT,
    CAME_LATER,
    DISAGREEMENTS,
    EFFECTIVE,
    INSTEAD_OF,
    OPTIMAL_ORDERS,
    REWRITTEN,
    TAKEN_AWAY,
    TAU,
    TURNED,
    W_BY_CHANCE,
    W_P,
    CountingRule,
    W,
)

HIDDEN_RANKING = "The ranking is hidden because too few members voted."
NO_EXCEPTION = "One against one, each issue that was chosen beats each one that was left out."
NO_EXCEPTION_BUT_TIES = "One against one, no issue that was left out beats one that was chosen; some are level."
NO_TALLIES = (
    "The tallies, the scores and the places by the other weighting are hidden: where agencies count the same, they "
    "would tell the ballots of an agency of few members. The places are those that the rule gives."
)
FEW_OF_AN_AGENCY = "agencies with few ballots are not shown, nor any whose numbers would give those away"
_MOST_LEVEL = 3  # issues named that an agency puts level at its first place
NOT_KNOWN = "How far members agree cannot be worked out from these ballots."


def named(names: Sequence[str]) -> str:
    """Names of issues or themes as a list in words, in quotation marks where a name could be taken for several.

    Examples
    --------
    >>> named(["Neglect", "Criminal exploitation, gangs"]), named(["Neglect", "Self-harm and suicide"])
    ('Neglect and “Criminal exploitation, gangs”', 'Neglect and “Self-harm and suicide”')
    """
    return in_words([f"“{name}”" if re.search(r"[,;]| and ", name) else name for name in names])


def say_rule(rule: CountingRule) -> str:
    """Say how ballots are counted, so that a member can follow it and do it again with a pencil.

    Parameters
    ----------
    rule
        The rule that was fixed before the ballots were opened.

    Examples
    --------
    >>> say_rule(CountingRule(seats=2)).split(". ")[0]
    'An issue scores one for each issue a member puts it above, and loses one for each it is put below; add up'
    """
    weight = {
        "member": "Every member counts the same.",
        "agency": "Every agency counts the same, shared equally by its members who voted.",
    }[rule.weight]
    left_off = {
        "share": "Issues left off a ballot share its last places.",
        "ignore": "Issues left off a ballot are not compared on it.",
    }[rule.unranked]
    first = "The first issue is" if rule.seats == 1 else f"The first {rule.seats} are"
    default = "" if rule.stated else " The board's settings leave some of this open: there the program's own count."
    return (
        "An issue scores one for each issue a member puts it above, and loses one for each it is put below; add up. "
        f"Issues on the same place neither score nor lose against each other. {left_off} {weight} "
        f"{first} chosen; a tie across the cut is shown and left to the board.{default}"
    )


def say_ranking(table: Safe, *, seats: int) -> str:
    """Name the selected issues, and those that a tie leaves open.

    Parameters
    ----------
    table
        Of shape ``ranking``.
    seats
        Number of priorities to be agreed.
    """
    rows = table.frame().sort("rank", "issue")
    if _few_ballots(table):
        return HIDDEN_RANKING
    chosen = rows.filter(pl.col("selected"))["issue"].to_list()
    open_to_debate = rows.filter(pl.col("selected").is_null())["issue"].to_list()
    sentence = (
        f"By {rows['n_ballots'][0]:,} ballots the first {'is' if len(chosen) == 1 else f'{len(chosen)} are'} "
        if not open_to_debate
        else (f"By {rows['n_ballots'][0]:,} ballots these are in: ")
    )
    sentence += f"{named(chosen) if chosen else 'none outright'}."
    if open_to_debate:
        places = seats - len(chosen)
        noun = "place" if places == 1 else "places"
        further = "further " if chosen else ""
        sentence += f" {named(open_to_debate)} tie for {places} {further}{noun}: the board decides."
    return sentence


def say_bands(ranking: Safe) -> str:
    """Say how often each issue would be among the seats in boards made of members like these, in bands.

    Parameters
    ----------
    ranking
        The safe ranking.
    """
    if _few_ballots(ranking):
        return HIDDEN_RANKING
    bands = ("firmly in", "probably in", "toss-up", "probably out")
    rows = ranking.frame().sort("rank", "issue")
    if not rows["firmness"].count():
        return "How firm the choice is, is said when all members have voted or the vote is closed."
    said = []
    for band in bands:
        names = rows.filter(pl.col("firmness") == band)["issue"].to_list()
        if names:
            verb = "is" if len(names) == 1 else "are"
            said.append(f"{named(names)} {verb} {'a toss-up' if band == 'toss-up' else band}")
    others = rows.filter(pl.col("firmness") == "firmly out").height
    rest = "; all others are firmly out" if others else ""
    scale = "Firmly means 95 of 100 such boards or more, probably 80 or more; a toss-up lies between 20 and 80."
    return f"In boards made of members like these {'; '.join(said) or 'no issue stands out'}{rest}. {scale}"


def say_head_to_head(ranking: Safe, pairs: Safe) -> str:
    """Name the issues that were left out although more members put them above one that was chosen.

    Parameters
    ----------
    ranking
        The safe ranking.
    pairs
        The safe table of issues one against one.
    """
    if _few_ballots(ranking):
        return HIDDEN_RANKING
    if _no_tallies(ranking):
        return NO_TALLIES
    place = ranking.frame().select("issue", "rank", "selected")
    if not place["selected"].any():
        return "No issue was chosen outright, so none is compared with those left out."
    if place["selected"].eq_missing(other=False).sum() == 0:
        return "No issue was left out."
    across = (
        pairs.frame()
        .join(place, on="issue")
        .join(place, left_on="opponent", right_on="issue", suffix="_of_opponent")
        .filter(~pl.col("selected"), pl.col("selected_of_opponent"))
        .sort("rank_of_opponent", "rank", "issue")
    )
    beaten = across.filter(pl.col("margin") > 0)
    if beaten.is_empty():
        return NO_EXCEPTION_BUT_TIES if (across["margin"] == 0).any() else NO_EXCEPTION
    said = [
        f"{row['issue']} was left out, and more put it above {row['opponent']} than below ({_tally(row)})"
        for row in beaten.iter_rows(named=True)
    ]
    return f"{'. '.join(said)}. These are points to discuss."


def say_recount(ranking: Safe) -> str:
    """Work out the score of the first issue from the tallies that are published, as a member can do for any other.

    Parameters
    ----------
    ranking
        The safe ranking, with the columns ``above`` and ``below``.
    """
    if _few_ballots(ranking):
        return HIDDEN_RANKING
    if _no_tallies(ranking):
        return NO_TALLIES
    first = ranking.frame().sort("rank", "issue").row(0, named=True)
    numbers = [first[name] for name in ("above", "below", "score")]
    above, below, score = map(_plain, numbers)
    rounded = "" if all(number == int(number) for number in numbers) else " (each rounded to two decimals)"
    points = first.get("points")
    drawn = "" if points is None else f"Charts draw that as {_plain(points)} points, which give the same order. "
    return (
        f"Take {named([first['issue']])}: in the first rows of the table of issues one against one, it was put above "
        f"the others {above} times in all and below them {below} times; the difference is its score, {score}{rounded}. "
        f"{drawn}Any other issue can be counted again in the same way."
    )


def say_checks(checks: Safe) -> str:
    """Say whether the same issues are chosen by all rules, weightings and conventions.

    Parameters
    ----------
    checks
        Of shape ``rule_check``.
    """
    if _few_ballots(checks):
        return HIDDEN_RANKING
    rows = checks.frame().sort("rank", "issue")
    debated = rows.filter(~pl.col("agreed"))
    weights = (
        "both weights (each member the same, each agency the same)"
        if rows["other_weight_rank"].count()
        else "one weight (agencies are not told apart)"
    )
    tried = (
        f"Tried were five rules (Borda, Copeland, Schulze, ranked pairs and Kemeny), {weights} and both conventions "
        "for issues left off a ballot."
    )
    if debated.is_empty():
        return f"Every way of counting chooses the same issues. {tried}"
    because = [
        f"{named(rows['issue'].to_list())} {'depends' if rows.height == 1 else 'depend'} on {reason}"
        for (reason,), rows in debated.group_by("depends_on", maintain_order=True)
    ]
    return (
        f"Not every way of counting chooses the same issues: {'; '.join(because)}. "
        f"Discuss {'it' if debated.height == 1 else 'them'}. {tried}"
    )


def say_bracket(checks: Safe) -> str:
    """Name the issues on both sides of the cut that resampled boards cannot tell apart.

    Parameters
    ----------
    checks
        Of shape ``rule_check``.
    """
    if _few_ballots(checks):
        return HIDDEN_RANKING
    rows = checks.frame().sort("rank", "issue")
    if rows["selected"].all(ignore_nulls=False):
        return "There is no cut: all issues are chosen."
    stricter = "a stricter test, which compares every issue above it with every issue below it"
    level = rows.filter(pl.col("in_bracket"))["issue"].to_list()
    if not level and rows["in_bracket"].null_count():
        return "How clear the cut is cannot be told: boards drawn at random from one agency are all the same."
    if not level:
        return f"The cut is clear: {stricter}, leaves none of them open."
    return (
        f"It is not clear beyond doubt which of {named(level)} belong above the cut: {stricter}, leaves that open. "
        "What is said to be firmly in or out looks at each issue by itself; this allows for all comparisons at once."
    )


def say_without_one(checks: Safe) -> str:
    """Say which issues would lose or gain their seat if some one member, or one agency, were left out.

    Parameters
    ----------
    checks
        Of shape ``rule_check``.
    """
    if _few_ballots(checks):
        return HIDDEN_RANKING
    rows = checks.frame().sort("rank", "issue")
    about: dict[tuple[str, ...], list[str]] = {}
    for column, who in (("without_member", "member"), ("without_agency", "agency")):
        if rows[column].count():
            about.setdefault(tuple(rows.filter(pl.col(column))["issue"]), []).append(who)
    return " ".join(
        f"Leaving out a single {' or '.join(who)} can change whether {named(moved)} "
        f"{'is' if len(moved) == 1 else 'are'} chosen."
        if moved
        else f"The same issues are chosen whichever {' or '.join(who)} is left out."
        for moved, who in about.items()
    )


def say_ballots_to_change(figures: Safe) -> str:
    """Say how few ballots would have to change, or to come, before another issue is among the priorities.

    Parameters
    ----------
    figures
        Of shape ``vote_figure``.
    """
    if _few_ballots(figures):
        return HIDDEN_RANKING
    rows = figures.frame()
    ways = rows.filter(pl.col("figure").is_in([TURNED, REWRITTEN, TAKEN_AWAY, CAME_LATER])).sort("value", "figure")
    if ways.is_empty():
        return "How few ballots would change the list is worked out only where issues left off share the last places."
    ways = ways.drop_nulls("value")
    if ways.is_empty():
        return "No change of ballots would put another issue among the priorities."
    said = []
    for (about,), few in ways.group_by("about", maintain_order=True):
        comes, goes = str(about).split(INSTEAD_OF)
        counts = "; ".join(f"{row['figure']}: {rounded(row['value']):,}" for row in few.iter_rows(named=True))
        said.append(f"{named([comes])} would overtake {named([goes])} with any one of these changes ({counts})")
    return f"{'. '.join(said)}. With fewer of any one kind no other issue would get ahead, though one may draw level."


def say_absent(checks: Safe, figures: Safe) -> str:
    """Say what the members who have not voted could change.

    Parameters
    ----------
    checks
        Of shape ``rule_check``.
    figures
        Of shape ``vote_figure``.

    Returns
    -------
    str
        Empty where it is not stated how many members may vote.
    """
    if _few_ballots(checks):
        return HIDDEN_RANKING
    to_come = _value(figures, ABSENT)
    if to_come is None:
        return ""
    if to_come == 0:
        return f"There are 0 {ABSENT}: all members have voted."
    rows = checks.frame().sort("rank", "issue")
    tied = rows["selected"].is_null()
    if not rows["safe"].count() and not tied.all():
        return "What absent members could change is worked out only where issues left off share the last places."
    sure = rows.filter(pl.col("safe") & pl.col("selected"))["issue"].to_list()
    doubtful = rows.filter(~pl.col("safe") | tied)["issue"].to_list()
    one = to_come == 1
    stay, they = "stays" if len(sure) == 1 else "stay", "it" if one else "they"
    certain = f"{named(sure)} {stay} in whatever {they} {'says' if one else 'say'}" if sure else ""
    moved = f"{they} could decide about {named(doubtful)}" if doubtful else f"{they} could change nothing"
    said = f"{certain or 'no issue is certain to stay in'}; {moved}."
    if one:
        return f"{ABSENT.capitalize()}: 1. {said[0].upper()}{said[1:]}"
    return f"With {rounded(to_come):,} {ABSENT}, {said}"


def say_agreement(figures: Safe) -> str:
    """Put Kendall's W into words: how alike all ballots are, and what chance would make of them.

    Parameters
    ----------
    figures
        Of shape ``vote_figure``.

    Notes
    -----
    Words after Schmidt 1997, Decision Sciences 28:763: 0.1 very weak, 0.3 weak, 0.5 moderate, 0.7 strong.
    """
    if _few_ballots(figures):
        return HIDDEN_RANKING
    w, p, tau = (_value(figures, figure) for figure in (W, W_P, TAU))
    if w is None:
        return NOT_KNOWN
    steps = ((0.2, "very weak"), (0.4, "weak"), (0.6, "moderate"), (0.8, "strong"), (1.01, "very strong"))
    words = next(word for limit, word in steps if w < limit)
    said = f"Members' rankings show {words} agreement: the {W} is {rounded(w, 2)} (0 = not at all, 1 = all the same)."
    chance = _value(figures, W_BY_CHANCE)
    if chance is not None and p is not None:
        often = next((word for limit, word in ((0.01, "hardly ever"), (0.05, "seldom")) if p < limit), "easily")
        said += (
            f" The {W_BY_CHANCE} is about {rounded(chance, 2)}: chance alone {often} gives as much as this vote shows."
        )
    if tau is not None:
        pair = f"{rounded(tau, 2)}".replace("-", "−")
        said += f" The {TAU} is {pair} on a like scale, where opposite orders count as negative."
    return said


def say_weighting(figures: Safe, rule: CountingRule) -> str:
    """Say how many ballots the vote would be worth if each agency counted the same.

    Parameters
    ----------
    figures
        Of shape ``vote_figure``.
    rule
        The rule that was fixed.

    Returns
    -------
    str
        Empty where ballots name no agency.
    """
    effective = _value(figures, EFFECTIVE)
    if _few_ballots(figures) or effective is None:
        return ""
    cast = figures.frame()["n_ballots"][0]
    counted = (
        f"This vote counts every member the same. If each agency weighed the same, the {cast:,} ballots would be worth"
        if rule.weight == "member"
        else f"This vote counts every agency the same. So the {cast:,} ballots are worth"
    )
    return (
        f"{counted} {rounded(effective, 1)} {EFFECTIVE} (ballots of equal weight): the more unequal the agencies are "
        "in size, the fewer."
    )


def say_kemeny(figures: Safe) -> str:
    """Say how many orders have the fewest disagreements with the ballots: by Kemeny's rule, the best ones.

    Parameters
    ----------
    figures
        Of shape ``vote_figure``.
    """
    if _few_ballots(figures):
        return HIDDEN_RANKING
    cost, orders = _value(figures, DISAGREEMENTS), _value(figures, OPTIMAL_ORDERS)
    if cost is None:
        return ""
    if orders is None:
        tied = "how many are as good is not counted"
    else:
        tied = f"there are {rounded(orders):,} {OPTIMAL_ORDERS}" if orders != 1 else "no other order has so few"
    return (
        f"Counted over every pair of issues on every ballot, the best order has {_plain(cost)} {DISAGREEMENTS} with "
        f"the ballots; {tied}."
    )


def say_divided(table: Safe) -> str:
    """Name the issues that many members put among their first and many among their last.

    Parameters
    ----------
    table
        Of shape ``polarisation``.
    """
    if _few_ballots(table):
        return HIDDEN_RANKING
    rows = table.frame().sort("polarised", "issue", descending=[True, False])
    if rows["divided"].null_count():
        return (
            "Whether an issue divides the members is judged only where there are at least three times as many issues "
            "as priorities: with fewer, many put it among their first or their last by chance alone."
        )
    divided = rows.filter(pl.col("divided"))
    if divided.is_empty():
        return "No issue is among the first of a third of the members and among the last of another third."
    said = [
        f"{row['issue']} (among the first of {percent(row['share_top'], 1)}, among the last of "
        f"{percent(row['share_bottom'], 1)})"
        for row in divided.iter_rows(named=True)
    ]
    return f"Members are divided on {in_words(said)}: points to discuss before the list is agreed."


def say_agencies(table: Safe) -> str:
    """Name the agencies whose order differs from that of all others by more than chance explains.

    Parameters
    ----------
    table
        Of shape ``agency_order``.

    Returns
    -------
    str
        Empty where ballots name no agency.
    """
    rows = table.frame()
    if rows.is_empty():
        return ""
    shown, hidden = rows.filter(pl.col("agreement").is_not_null()), rows.filter(pl.col("mark") != "")
    if hidden.height == rows.height:
        return f"No agency is compared with the others: {FEW_OF_AN_AGENCY}."
    tail = f" {FEW_OF_AN_AGENCY.capitalize()}." if hidden.height else ""
    if rows.height == 1:
        return "All ballots are of one agency: there are no others to compare it with."
    if shown.is_empty():
        return f"Whether agencies differ cannot be worked out from these ballots.{tail}"
    apart = shown.filter(pl.col("p_holm") < 0.05).sort("agreement", "agency")["agency"].to_list()
    if not apart:
        return f"No agency whose order can be shown differs from the others by more than chance explains.{tail}"
    return f"{in_words(apart)} {'ranks' if len(apart) == 1 else 'rank'} the issues otherwise than the others do.{tail}"


def say_orders(table: Safe) -> str:
    """Name the issue that each agency puts first when its ballots are counted by themselves.

    Parameters
    ----------
    table
        Of shape ``ranking`` with the group column agency.

    Returns
    -------
    str
        The issue that most agencies put first stands first. Empty where ballots name no agency.
    """
    rows = table.frame()
    if rows.is_empty():
        return ""
    firsts = rows.filter(pl.col("rank") == 1).sort("issue").group_by("agency").agg("issue")
    if firsts.is_empty():
        return f"No agency's own order is shown: {FEW_OF_AN_AGENCY}."
    agencies = firsts.sort("agency").group_by("issue", maintain_order=True).agg("agency")
    said = [
        f"{named(who)} {'puts' if len(who) == 1 else 'put'} "
        f"{named(issues) if len(issues) <= _MOST_LEVEL else 'several issues'} first"
        for issues, who in agencies.sort(pl.col("agency").list.len(), descending=True, maintain_order=True).iter_rows()
    ]
    tail = f" {FEW_OF_AN_AGENCY.capitalize()}." if firsts.height < rows["agency"].n_unique() else ""
    return f"Each agency counted by itself: {'; '.join(said)}.{tail}"


def say_quadrants(table: Safe) -> str:
    """Name the themes that are urgent and important, and those on which boards differ.

    Parameters
    ----------
    table
        Of shape ``quadrant``, one row per theme. Where it has no cut lines, as where all themes were placed alike,
        nothing is said.
    """
    rows = table.frame()
    urgent, important = cuts_of(rows)
    if urgent is None or important is None:
        return ""
    first = _named(rows.filter(pl.col("quadrant") == "do first"))
    apart = _named(rows.filter(~pl.col("agreed")))
    said = (
        f"With the lines drawn at {urgent:g} (urgency) and {important:g} (importance), "
        f"{named(first) if first else 'no theme'} {'is' if len(first) < 2 else 'are'} both urgent and important, "
        "by the middle of the boards' judgements."
    )
    return f"{said} Boards place {named(apart)} in different quadrants." if apart else said


def _named(rows: pl.DataFrame) -> list[str]:
    found: list[str] = rows.sort("theme")["theme"].to_list()
    return found


def _tally(row: dict[str, Any]) -> str:
    by_weight = any(row[name] != int(row[name]) for name in ("wins", "losses"))
    return f"{_plain(row['wins'])} to {_plain(row['losses'])}{' by weight' if by_weight else ''}"


def _plain(number: float) -> str:
    """A whole number as it is, a weight with two decimals; a minus sign that is one."""
    return f"{rounded(number, 0 if number == int(number) else 2):,}".replace("-", "−")


def _value(figures: Safe, figure: str) -> float | None:
    rows = figures.frame().filter(pl.col("figure") == figure)
    return None if rows.is_empty() else rows["value"][0]


def _no_tallies(ranking: Safe) -> bool:
    """Whether places are shown without the scores that they come from."""
    return bool(ranking.frame()["score"].null_count())


def _few_ballots(table: Safe) -> bool:
    rows = table.frame()
    return rows.is_empty() or rows["n_ballots"].null_count() > 0
