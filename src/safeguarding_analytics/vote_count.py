"""Ballots → every table of a vote that may be published: the count, its checks, and how far the members agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.agreement import agencies_apart, members_agreement, polarisation, shown_agencies
from safeguarding_analytics.disclosure import suppress
from safeguarding_analytics.firmness import (
    absent_members,
    ballots_to_change,
    seats_without_one,
    selected_by_rule,
    tied_across_the_cut,
)
from safeguarding_analytics.groups import fetch, open_frame
from safeguarding_analytics.pairwise import (
    Numbers,
    ballot_scores,
    inside_seats,
    possible_places,
    read_votes,
    result_frame,
    settled,
)
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.priorities import rank_priorities
from safeguarding_analytics.rules import compare_rules, head_to_head, kemeny
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.vote_figures import (
    ABSENT,
    CAME_LATER,
    DISAGREEMENTS,
    EFFECTIVE,
    EQUAL_AGENCIES,
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


@dataclass(frozen=True)
class VoteCount:
    """The tables of a vote, each fit to be published.

    ``ranking`` is the result; ``head_to_head`` the tallies from which anybody can work it out again; ``checks`` what
    becomes of each issue when the same ballots are counted otherwise; ``by_agency`` the order of each agency;
    ``polarisation`` how divided members are on each issue; ``agencies`` how far each agency is from all others;
    ``figures`` single numbers. Tables by agency have no rows where ballots name no agency.
    """

    rule: CountingRule
    ranking: Safe
    head_to_head: Safe
    checks: Safe
    by_agency: Safe
    polarisation: Safe
    agencies: Safe
    figures: Safe


@dataclass(frozen=True)
class _Agencies:
    """The agencies that voted, the ballots of each, and those that are hidden; none where ballots name no agency.

    The hidden ones are taken together wherever a result would tell them apart: what they voted together follows from
    the ranking and the orders of the others, and tells nothing new.
    """

    sizes: dict[str, int]
    hidden: tuple[str, ...] = ()

    @property
    def together(self) -> int:
        """Ballots of the hidden agencies."""
        return sum(self.sizes[name] for name in self.hidden)

    def effective(self) -> float | None:
        """Effective ballots under equal weight of agencies, the hidden ones equal in size."""
        if not self.sizes:
            return None
        squares = sum(1 / size for name, size in self.sizes.items() if name not in self.hidden)
        return len(self.sizes) ** 2 / (squares + (len(self.hidden) ** 2 / self.together if self.hidden else 0))

    def told_apart(self, minimum: int) -> bool:
        """Whether tallies in which agencies weigh the same tell the ballots of one, or of too few members.

        Each agency of 5 adds fifths to a tally, each of 2 halves: so a reader has the tallies of all agencies of one
        size. They may be shown of an agency with enough ballots, and of several that have enough together.
        """
        of_size = [list(self.sizes.values()).count(size) for size in range(1, minimum)]
        return any(0 < size * count < minimum or count == 1 for size, count in enumerate(of_size, start=1))


def count_votes(
    ballots: IntoFrame,
    rule: CountingRule,
    policy: Policy,
    *,
    issues: Sequence[str] | None = None,
    tallies: bool = True,
) -> VoteCount:
    """Count a vote, check the result in every way, and hide what too few ballots stand behind.

    Parameters
    ----------
    ballots
        As in `rank_priorities`, with ``agency`` where members sit for agencies.
    rule
        How ballots are counted.
    policy
        Which results are hidden.
    issues
        All issues that were on the ballot paper.
    tallies
        Whether the tallies may be shown from which the count can be worked out again. Of a state of a count that goes
        on they may not where agencies weigh the same: two states would tell who voted in between, and how.

    Returns
    -------
    VoteCount
        Safe tables. Numbers are worked out by the fixed rule alone: what becomes of an issue under the other weighting
        and the other convention is told by its place, since scores of two weightings together would give away the
        ballots of agencies that are hidden.

    Raises
    ------
    ParameterError, TableError
        As `rank_priorities`.

    Notes
    -----
    An agency's order is shown where it cast `Policy.minimum_ballots` or more; what tells two hidden agencies apart is
    shown nowhere: tests of agencies leave them out, and where agencies weigh the same or are left out as a check they
    are taken together.

    Where the fixed rule is that agencies weigh the same, the tallies of all agencies of one size can be worked out of
    those of the board (fifths come from agencies of five). Unless each size has enough ballots of two agencies or more,
    the tallies and scores are not shown, nor the places where members weigh the same, but the places by the fixed rule
    are. The average place of an issue, in which members weigh the same, is not shown beside hidden agencies.

    It is readers from outside who are kept from working out a ballot. Who knows some ballots, such as her own, knows
    more of the rest: on a board where that matters, set `Policy.minimum_ballots` higher.
    """
    known = open_frame(ballots, ["member", "issue", "rank"], "ballots")
    with_agency = "agency" in known.columns
    rows = fetch(known.select("member", *(["agency"] if with_agency else []), "issue", "rank"))
    listed = issues if issues is not None else rows["issue"].unique().sort().to_list()
    agencies = _agencies_of(rows, policy, listed) if with_agency else _Agencies({})
    told_apart = rule.weight == "agency" and (not tallies or agencies.told_apart(policy.minimum_ballots))
    n_ballots = rows["member"].n_unique()

    def safe(table: pl.DataFrame) -> Safe:
        counted = table if "n_ballots" in table.columns else table.with_columns(n_ballots=pl.lit(n_ballots, pl.Int64))
        return suppress(counted, policy)

    ranking = rank_priorities(
        rows,
        rule.seats,
        rule.weight,
        rule.unranked,
        rule.resamples,
        rule.seed,
        resample=rule.resample,
        issues=listed,
    )
    pairs = _in_order(head_to_head(rows, unranked=rule.unranked, weight=rule.weight, issues=listed), ranking)
    divided = polarisation(rows, rule.seats, minimum_ballots=policy.minimum_ballots, seed=rule.seed, issues=listed)
    ranked, figures = _with_tallies(ranking, pairs), _figures(rows, rule, listed, agencies)
    if rule.weight == "agency" and agencies.hidden:
        divided = _without_numbers(divided, "mean_place")
    if told_apart:
        ranked = _without_numbers(ranked, "above", "below", "score", "points")
        pairs = _without_numbers(pairs, "wins", "losses", "margin")
        figures = figures.with_columns(value=pl.when(pl.col("figure") != DISAGREEMENTS).then("value"))
    return VoteCount(
        rule,
        safe(ranked),
        safe(pairs),
        safe(_checks(rows, rule, listed, agencies, weighings=with_agency and not told_apart)),
        safe(_by_agency(rows, rule, listed, with_agency=with_agency)),
        safe(divided),
        safe(_agencies(rows, rule, policy, listed, with_agency=with_agency)),
        safe(figures),
    )


def _without_numbers(table: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """A table whose numbers in some columns nobody is to see."""
    return table.with_columns(pl.lit(None, table.schema[name]).alias(name) for name in columns)


def _agencies_of(rows: pl.DataFrame, policy: Policy, issues: Sequence[str]) -> _Agencies:
    """The agencies that voted, their ballots, and those that are hidden."""
    votes = read_votes(rows, "member", "share", issues, by_agency=True)
    sizes = np.bincount(votes.agency_of, minlength=len(votes.agencies)).tolist()
    shown = shown_agencies(votes, policy.minimum_ballots).tolist()
    hidden = [name for name, flag in zip(votes.agencies, shown, strict=True) if not flag]
    return _Agencies(dict(zip(votes.agencies, sizes, strict=True)), tuple(hidden))


def _in_order(pairs: pl.DataFrame, ranking: pl.DataFrame) -> pl.DataFrame:
    """Issues one against one in the order of the ranking, so that the tallies of the first issue stand first."""
    place = {issue: number for number, issue in enumerate(ranking["issue"])}
    in_order = [pl.col(name).replace_strict(place, return_dtype=pl.Int64) for name in ("issue", "opponent")]
    return pairs.sort(in_order)


def _with_tallies(ranking: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """How often each issue was put above and below another: the two numbers its score is the difference of."""
    tallies = pairs.group_by("issue").agg(above=pl.col("wins").sum().round(9), below=pl.col("losses").sum().round(9))
    joined = ranking.join(tallies, on="issue", how="left").sort("rank", "issue")
    joined = joined.with_columns(pl.col("above", "below").fill_null(0.0))  # of one issue there are no pairs
    return joined.select("issue", "above", "below", pl.exclude("issue", "above", "below"))


def _checks(
    rows: pl.DataFrame, rule: CountingRule, issues: Sequence[str], agencies: _Agencies, *, weighings: bool
) -> pl.DataFrame:
    """What becomes of each issue when the same ballots are counted otherwise, by the other weight too if asked for."""
    seats, weight, unranked = rule.seats, rule.weight, rule.unranked
    asked: dict[str, Any]
    draw: dict[str, Any]
    draw = {"resamples": rule.resamples, "seed": rule.seed, "resample": rule.resample}
    asked = {"weight": weight, "unranked": unranked, "issues": issues}
    fixed = _places(rows, rule, weight, unranked, issues)
    rules = compare_rules(rows, seats, **asked)
    table = fixed.join(
        rules.select("issue", "copeland_rank", "schulze_rank", "ranked_pairs_rank", "kemeny_rank", "agreed"),
        on="issue",
        how="left",
    )
    equal = _places(rows, rule, "member", unranked, issues) if weight == "agency" else None
    otherwise = {
        "other_weight": (equal if weight == "agency" else _by_weight(rows, rule, issues, agencies))
        if weighings
        else None,
        "other_unranked": _places(rows, rule, weight, "ignore" if unranked == "share" else "share", issues),
    }
    for name, places in otherwise.items():
        columns = {"rank": f"{name}_rank", "selected": f"{name}_selected"}
        if places is None:
            table = table.with_columns(
                pl.lit(None, pl.Int64).alias(columns["rank"]), pl.lit(None, pl.Boolean).alias(columns["selected"])
            )
        else:
            table = table.join(places.rename(columns), on="issue", how="left")
    absent = max(0, (rule.members or 0) - rows["member"].n_unique())
    more = [
        selected_by_rule(rows, seats, **asked, **draw).select("issue", "p_copeland", "p_schulze"),
        tied_across_the_cut(rows, seats, **asked, **draw).select("issue", "in_bracket"),
        _without_one(rows, seats, asked, agencies),
    ]
    if rule.members and unranked == "share":
        more.append(absent_members(rows, seats, absent=absent, weight=weight, issues=issues).select("issue", "safe"))
    for part in more:
        table = table.join(part, on="issue", how="left")
    if "safe" not in table.columns:
        table = table.with_columns(safe=pl.lit(None, pl.Boolean))
    table = table.with_columns(agreed=_all_agree(), depends_on=_depends_on())
    return table.select(
        "issue",
        "rank",
        "selected",
        "copeland_rank",
        "schulze_rank",
        "ranked_pairs_rank",
        "kemeny_rank",
        "other_weight_rank",
        "other_unranked_rank",
        "p_copeland",
        "p_schulze",
        "in_bracket",
        "without_member",
        "without_agency",
        "safe",
        "agreed",
        "depends_on",
    ).sort("rank", "issue")


def _without_one(rows: pl.DataFrame, seats: int, asked: dict[str, Any], agencies: _Agencies) -> pl.DataFrame:
    """Whether leaving out some one member, or agency, changes what becomes of an issue.

    Agencies that are hidden are left out together: a change that no other agency explains would tell what one voted.
    """
    with_agency = "agency" in rows.columns
    named = rows if with_agency else rows.with_columns(agency=pl.col("member"))
    found = seats_without_one(named, seats, together=agencies.hidden, **asked)
    found = found.select("issue", "without_member", "without_agency")
    return found if with_agency else found.with_columns(without_agency=pl.lit(None, pl.Boolean))


def _by_weight(rows: pl.DataFrame, rule: CountingRule, issues: Sequence[str], agencies: _Agencies) -> pl.DataFrame:
    """Places where agencies weigh the same; the hidden ones share their weights equally among all their members."""
    votes = read_votes(rows, "agency", rule.unranked, issues, rule.seats)
    pooled = np.array([name in agencies.hidden for name in votes.agencies], dtype=np.bool_)[votes.agency_of]
    weights: Numbers = np.where(pooled, len(agencies.hidden) / max(1, agencies.together), votes.weights)
    first, last = possible_places(settled(weights @ ballot_scores(votes, rule.unranked)))
    return result_frame(
        {
            "issue": (pl.String, votes.issues),
            "rank": (pl.Int64, first),
            "selected": (pl.Boolean, inside_seats(first, last, rule.seats)),
        }
    ).sort("rank", "issue")


def _places(rows: pl.DataFrame, rule: CountingRule, weight: str, unranked: str, issues: Sequence[str]) -> pl.DataFrame:
    """Place of each issue, and whether it is selected, under one weighting and convention."""
    ranked = rank_priorities(rows, rule.seats, weight, unranked, 1, rule.seed, issues=issues)
    return ranked.select("issue", "rank", "selected")


OTHERWISE = {
    "agreed": "the rule",
    "other_weight_selected": "whether members or agencies weigh the same",
    "other_unranked_selected": "how issues left off a ballot are counted",
}
"""What a result may depend on, by the column that tells it."""

TIE = "how a tie at the cut is broken"

BEST_ORDER = "of the best order (Kemeny's rule)"


def _differs(column: str) -> pl.Expr:
    """Whether a check leaves it open, or says otherwise, whether an issue is selected."""
    if column == "agreed":
        return ~pl.col("agreed").fill_null(value=False)
    there = pl.col(f"{column.removesuffix('_selected')}_rank").is_not_null()
    return there & ~pl.col(column).eq_missing(pl.col("selected"))


def _all_agree() -> pl.Expr:
    return ~pl.any_horizontal(pl.col("selected").is_null(), *(_differs(column) for column in OTHERWISE))


def _depends_on() -> pl.Expr:
    """What it depends on in words; null where all checks agree."""
    said = [pl.when(_differs(column)).then(pl.lit(words)) for column, words in OTHERWISE.items()]
    differ = pl.concat_str(said, separator=" and ", ignore_nulls=True)
    return pl.when(pl.col("selected").is_null()).then(pl.lit(TIE)).when(differ != "").then(differ)


def _by_agency(rows: pl.DataFrame, rule: CountingRule, issues: Sequence[str], *, with_agency: bool) -> pl.DataFrame:
    """The order of each agency, counted by itself, every member weighing the same."""
    ours = rows if with_agency else rows.clear().with_columns(agency=pl.lit(None, pl.String))
    ranked = [
        rank_priorities(own, rule.seats, "member", rule.unranked, 1, rule.seed, issues=issues).select(
            pl.lit(own["agency"][0]).alias("agency"), pl.exclude("p_selected", "firmness")
        )
        for own in ours.sort("agency", "member", "issue").partition_by("agency")
    ]
    empty = rank_priorities(rows.clear(), rule.seats, resamples=1, issues=issues)
    none = empty.select(pl.lit(None, pl.String).alias("agency"), pl.exclude("p_selected", "firmness")).clear()
    return pl.concat([none, *ranked]).sort("agency", "rank", "issue")


def _agencies(
    rows: pl.DataFrame, rule: CountingRule, policy: Policy, issues: Sequence[str], *, with_agency: bool
) -> pl.DataFrame:
    """How far each agency is from all others, with its ballots, so that those of few are hidden."""
    ours = rows if with_agency else rows.clear().with_columns(agency=pl.lit(None, pl.String))
    apart = agencies_apart(
        ours, rule.seats, minimum_ballots=policy.minimum_ballots, weight=rule.weight, seed=rule.seed, issues=issues
    )
    cast = ours.group_by("agency").agg(pl.col("member").n_unique().cast(pl.Int64).alias("n_ballots"))
    counted = apart.drop("n_ballots").join(cast, on="agency", how="left")
    return counted.select("agency", "n_ballots", pl.exclude("agency", "n_ballots")).sort("agency")


def _figures(rows: pl.DataFrame, rule: CountingRule, issues: Sequence[str], agencies: _Agencies) -> pl.DataFrame:
    """Single numbers of the vote, each with what it is about: the same ones whatever the ballots say."""
    found: list[tuple[str, str | None, float | None]] = []
    if rule.unranked == "share":
        changes = ballots_to_change(rows, rule.seats, weight=rule.weight, issues=issues)
        for figure, column in (
            (TAKEN_AWAY, "ballots_to_overtake"),
            (TURNED, "ballots_to_reverse"),
            (REWRITTEN, "ballots_to_rewrite"),
            (CAME_LATER, "absent_to_overtake"),
        ):
            first = _first(changes.drop_nulls(column).sort(column, "score_difference", "inside", "outside"))
            about = f"{first['outside']}{INSTEAD_OF}{first['inside']}" if first else None
            found.append((figure, about, first.get(column)))
    if rule.members:
        found.append((ABSENT, None, max(0, rule.members - rows["member"].n_unique())))
    if agencies.sizes:
        found.append((EFFECTIVE, EQUAL_AGENCIES[rule.weight], _rounded(agencies.effective(), 1)))
    agreed = _first(members_agreement(rows, seed=rule.seed, issues=issues))
    best = _first(kemeny(rows, unranked=rule.unranked, weight=rule.weight, issues=issues))
    found += [
        (W, "Kendall's W, from none to full agreement", _rounded(agreed.get("w"), 2)),
        (W_BY_CHANCE, "Kendall's W", _rounded(agreed.get("chance"), 2)),
        (W_P, "p-value of Kendall's W", _rounded(agreed.get("p_value"), 3)),
        (TAU, "Kendall's tau-b", _rounded(agreed.get("mean_tau"), 2)),
        (DISAGREEMENTS, BEST_ORDER, best.get("cost")),
        (OPTIMAL_ORDERS, BEST_ORDER, best.get("n_optimal_orders")),
    ]
    schema = {"figure": pl.String, "about": pl.String, "value": pl.Float64}
    return pl.DataFrame(found, schema=schema, orient="row").sort("figure")


def _first(rows: pl.DataFrame) -> dict[str, Any]:
    """The first row by name; nothing where there is none."""
    return rows.row(0, named=True) if rows.height else {}


def _rounded(value: float | None, decimals: int) -> float | None:
    return None if value is None else round(value, decimals)
