"""What is to be looked at in ballots before they are counted: ties, gaps, orders that may not be meant as they stand.

Nothing is changed and nobody is left out here. Ballots are told by their rows; no member and no vote is named.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from safeguarding_analytics.contracts import CONFIG, no_problems, problem
from safeguarding_analytics.errors import nearest, numbered, shorten
from safeguarding_analytics.sources.files import ROW
from safeguarding_analytics.sources.worksheets import say_rows

NOT_STATED = "not stated"
"""The agency of ballots where no agency is known and the board has no table of agencies."""

REVERSED = -0.6
"""Kendall's tau-b between a ballot and the order of all others, below which it is nearly the reverse of theirs."""

AGREED = 0.3
"""Median of that number among the other ballots, above which they agree enough for a reverse to be seen."""

FEWEST_LISTED = 5
"""With fewer issues, ballots in the order of the table of issues are likely by chance."""

FEWEST_ISSUES, FEWEST_BALLOTS = 4, 4
"""With fewer, orders are each other's reverse by chance."""

MOST_COMPARISONS = 20_000_000
"""Ballots times pairs of issues that are compared; a board has far fewer."""


def left_in_order(ballots: pl.DataFrame, order: Sequence[str]) -> pl.Series:
    """Who left the issues exactly in the order in which a form listed them.

    Parameters
    ----------
    ballots
        One row per member and issue ranked: member, issue, rank.
    order
        All issues, as the form listed them.

    Returns
    -------
    pl.Series
        Members, sorted. Ballots with a tie, or without one of the issues, are not among them. Not suppressed.

    Examples
    --------
    >>> ballots = pl.DataFrame({"member": ["a", "a", "b", "b"], "issue": ["X", "Y", "X", "Y"], "rank": [1, 2, 2, 1]})
    >>> left_in_order(ballots, ["X", "Y"]).to_list()
    ['a']
    """
    if len(order) < 2:
        return pl.Series("member", [], dtype=pl.String)
    ranked = ballots.drop_nulls(["member", "issue", "rank"]).sort("member", "rank", "issue")
    by_member = ranked.group_by("member").agg("issue", pl.col("rank").n_unique().alias("places"))
    unchanged = (pl.col("issue") == pl.lit(list(order), dtype=pl.List(pl.String))) & (pl.col("places") == len(order))
    return by_member.filter(unchanged)["member"].sort()


def check_form_order(order: Sequence[str], issues: Sequence[str]) -> pl.DataFrame:
    """Report an order of a form that is not one of all issues, each once.

    Parameters
    ----------
    order
        ``form_order`` under ``[ballots_export]`` of `board.toml`.
    issues
        All issues.

    Examples
    --------
    >>> check_form_order(["X", "Z"], ["X", "Y"])["rule"].to_list()
    ['all issues of the table issues, each once; Y missing', 'an issue of the table issues']
    """
    reports = [no_problems()]
    column = "ballots_export.form_order"
    missing = [issue for issue in issues if issue not in order]
    twice = [issue for issue in dict.fromkeys(order) if list(order).count(issue) > 1]
    if order and (missing or twice):
        what = [f"{shorten(missing)} missing"] if missing else []
        what += [f"{shorten(twice)} more than once"] if twice else []
        reports.append(problem(CONFIG, f"all issues of the table issues, each once; {', '.join(what)}", column=column))
    reports += [
        problem(CONFIG, f"an issue of the table issues{nearest(issue, issues)}", column=column, found=f'"{issue}"')
        for issue in dict.fromkeys(order)
        if issue not in issues
    ]
    return pl.concat(reports)


def check_voters(ballots: pl.DataFrame, may_vote: int | None, weight: str) -> pl.DataFrame:
    """Report more members who voted than may vote, and agencies that are to weigh the same and are not known.

    Parameters
    ----------
    ballots
        One row per member and issue ranked: member and agency.
    may_vote
        ``members`` under ``[priorities]`` of `board.toml`, if it is set.
    weight
        ``weight`` of the same section.

    Examples
    --------
    >>> ballots = pl.DataFrame({"member": ["a", "b"], "agency": ["not stated", "not stated"]})
    >>> check_voters(ballots, 2, "agency")["rule"].item()[:52]
    'weight = "agency" under [priorities] needs the agenc'
    """
    reports = [no_problems()]
    voted = ballots["member"].drop_nulls().n_unique()
    if may_vote is not None and voted > may_vote:
        rule = (
            f"there are ballots of {numbered(voted, 'member')}, and only {may_vote:,} may vote (members under "
            f"[priorities] in {CONFIG}). Has somebody voted under two names? Otherwise correct members"
        )
        reports.append(problem("ballots", rule))
    if weight == "agency" and ballots.height and (ballots["agency"] == NOT_STATED).all():
        rule = (
            'weight = "agency" under [priorities] needs the agency of each ballot, and no ballot says it. Name its '
            'heading under [ballots_export.columns], or set weight = "member"'
        )
        reports.append(problem("ballots", rule))
    several = ballots.drop_nulls(["member", "agency"]).filter(pl.col("agency").n_unique().over("member") > 1)
    if several.height and ROW in several.columns:
        rule = "one agency for each member: the same one in all rows of a ballot"
        rows = several.select(table=pl.lit("ballots"), row=ROW, column=pl.lit("agency"), rule=pl.lit(rule))
        reports.append(rows.with_columns(found=pl.lit(None, pl.String)).cast(no_problems().schema))
    return pl.concat(reports)


def check_seats(seats: int, issues: Sequence[str]) -> pl.DataFrame:
    """Report more seats than issues.

    Parameters
    ----------
    seats
        ``seats`` under ``[priorities]`` of `board.toml`.
    issues
        All issues.

    Examples
    --------
    >>> check_seats(4, ["Neglect", "Bullying"])["rule"].to_list()
    ['no more seats than issues, of which there are 2']
    """
    if seats <= len(issues):
        return no_problems()
    rule = f"no more seats than issues, of which there are {len(issues):,}"
    return problem(CONFIG, rule, column="priorities.seats", found=str(seats))


def say_ballots(
    ballots: pl.DataFrame,
    places: pl.DataFrame | None = None,
    form_order: Sequence[str] = (),
    issues: Sequence[str] = (),
) -> list[str]:
    """What is to be looked at in ballots, as notes with rows.

    Parameters
    ----------
    ballots
        One row per member and issue ranked: member, issue, rank and `ROW`.
    places
        Where each row stands, in words: `ROW` and place; None where its number is that of the file.
    form_order
        All issues as the form listed them, where that is known.
    issues
        All issues in the order of their table, in which a form may well list them, where that is not known.

    Returns
    -------
    list[str]
        Empty where there is nothing to look at. No member and no vote is in it.

    Examples
    --------
    >>> ballots = pl.DataFrame({"member": ["a", "a"], "issue": ["X", "Y"], "rank": [1, 1], "row_number": [2, 3]})
    >>> say_ballots(ballots)
    ['1 ballot gives one place to several issues, which counts as a tie: row 2']
    """
    ranked = ballots.drop_nulls(["member", "issue", "rank"]).unique(["member", "issue"], maintain_order=True)
    listed = form_order or (issues if len(issues) >= FEWEST_LISTED else ())
    whose = "in which the form listed them" if form_order else "of the table issues"
    rank = pl.col("rank")
    dense, least = rank.rank("dense").over("member"), rank.rank("min").over("member")
    papers = (
        ranked.with_columns((rank == dense).alias("dense"), (rank == least).alias("least"))
        .group_by("member", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("issues"),
            rank.n_unique().cast(pl.Int64).alias("different"),
            (pl.col("dense").all() | pl.col("least").all()).alias("without_gaps"),
            pl.col(ROW).min(),
        )
        .with_columns(
            pl.col("member").is_in(left_in_order(ranked, listed).implode()).alias("unchanged"),
            pl.col("member").is_in(nearly_reversed(ranked).implode()).alias("reversed"),
        )
    )
    said = (
        ("{ranks} one issue only, and {counts}", pl.col("issues") == 1),
        ("{gives} one place to several issues, which counts as a tie", pl.col("different") < pl.col("issues")),
        ("{leaves} places out, as 1, 2, 4 does: only the order counts", ~pl.col("without_gaps")),
        (
            f"{{leaves}} the issues in the order {whose}, and may be no order of the member's own. Ask; such ballots "
            "of a form can be left out: unchanged under [ballots_export]",
            pl.col("unchanged"),
        ),
        (
            "{is} nearly the reverse of the order of all others, who agree. Was 1 given to the least important issue? "
            "Nothing is changed: ask. If all members ranked so, set worst_first under [ballots_export]",
            pl.col("reversed"),
        ),
    )
    notes = []
    for words, condition in said:
        rows = papers.filter(condition).sort(ROW)[ROW]
        if len(rows):
            notes.append(f"{numbered(len(rows), 'ballot')} {_agreeing(words, len(rows))}: {_where(rows, places)}")
    return notes


def nearly_reversed(ballots: pl.DataFrame) -> pl.Series:
    """Who ranked the issues nearly in the reverse of the order of all others, where these agree.

    Parameters
    ----------
    ballots
        One row per member and issue ranked: member, issue, rank.

    Returns
    -------
    pl.Series
        Members, sorted: a hint that 1 was taken for the least important. Not suppressed.

    Notes
    -----
    Kendall's tau-b between each ballot and the order of the mean ranks of all others, ties at their mean rank and
    unranked issues tied in the last places. Named are ballots of at least `FEWEST_ISSUES` issues with less than
    `REVERSED`, where there are `FEWEST_BALLOTS` and the median of the rest is more than `AGREED`. A file in which all
    members took 1 for the least important looks like any other.

    References
    ----------
    Kendall, M. G. (1945). The treatment of ties in ranking problems. Biometrika 33, 239-251.

    Examples
    --------
    >>> orders = {"a": "WXYZ", "b": "WXYZ", "c": "WXZY", "d": "XWYZ", "e": "ZYXW"}
    >>> rows = [(member, issue, rank) for member, order in orders.items() for rank, issue in enumerate(order, 1)]
    >>> nearly_reversed(pl.DataFrame(rows, schema=["member", "issue", "rank"], orient="row")).to_list()
    ['e']
    """
    nobody = pl.Series("member", [], dtype=pl.String)
    members, issues = ballots["member"].unique().sort(), ballots["issue"].unique().sort()
    if len(members) < FEWEST_BALLOTS or len(issues) < FEWEST_ISSUES:
        return nobody
    if len(members) * len(issues) ** 2 > MOST_COMPARISONS:
        return nobody
    wide = (
        ballots.select("member", "issue", pl.col("rank").cast(pl.Float64))
        .pivot(on="issue", index="member", values="rank", on_columns=issues)
        .sort("member")
    )
    places = wide.select(issues.to_list()).to_numpy().astype(float)
    ranked = np.isfinite(places).sum(axis=1)
    last = np.nan_to_num(places, nan=np.nanmax(places) + 1)
    above = np.sign(last[:, None, :] - last[:, :, None])  # 1 where the first of two issues is put above the second
    wins = above.sum(axis=2)
    others = wins.sum(axis=0) - wins
    order = np.sign(others[:, :, None] - others[:, None, :])
    pairs = np.sqrt(np.abs(above).sum(axis=(1, 2)) * np.abs(order).sum(axis=(1, 2)))
    tau = (above * order).sum(axis=(1, 2)) / np.maximum(pairs, 1.0)
    found = (tau < REVERSED) & (ranked >= FEWEST_ISSUES)
    if not found.any() or found.all() or float(np.median(tau[~found])) <= AGREED:
        return nobody
    return members.filter(pl.Series(found)).rename("member")


def _agreeing(words: str, count: int) -> str:
    """A sentence of which the verbs agree with how many ballots it is of."""
    verbs = ("ranks", "gives", "leaves", "counts")
    one = {verb: verb if count == 1 else verb[:-1] for verb in verbs}
    return words.format(**one, **{"is": "is" if count == 1 else "are"})


def _where(rows: pl.Series, places: pl.DataFrame | None) -> str:
    if places is None:
        return say_rows(rows.to_list())
    listed = dict(places.select(ROW, "place").iter_rows())
    return shorten(list(dict.fromkeys(listed[row] for row in rows)))
