"""What the tables of an evaluation say, in sentences: only a `Safe` is put into words, so nothing hidden is said."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from safeguarding_analytics.cells import rounded, with_minus
from safeguarding_analytics.dates import day_in_words
from safeguarding_analytics.errors import in_words, numbered
from safeguarding_analytics.follow_up import AFTER_LATER, BEFORE_LATER, OF_ALL_THREE
from safeguarding_analytics.nonresponse import HEADLINE, PERSONS
from safeguarding_analytics.paired import FEWEST_PAIRS
from safeguarding_analytics.questionnaires import count_of_answers
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.sentences import HIDDEN, percent, row_of
from safeguarding_analytics.shapes import COUNT
from safeguarding_analytics.tables import TOTAL

if TYPE_CHECKING:
    from safeguarding_analytics.sizes import ChangeTests

ON_THE_DAY = "Before to after"
"""The comparison of a follow-up that is the gain on the day."""

WIDE = 30
"""Pairs below which an interval is called wide."""

FEW_FREEDOM = 4
"""Degrees of freedom below which an interval rests on few clusters (Pustejovsky & Tipton 2018)."""

EASY = 0.15
"""Share at the maximum before above which a test is called too easy (Terwee et al. 2007)."""

LEARNING = (
    "This is learning on the day, measured without a comparison group: it is not evidence that practice changed, nor "
    "that the training was the cause."
)
RATED = "No question has a right answer: the score is the sum of ratings, and shows how sure people feel, no knowledge."
REPEATED = (
    "Answering the same questions twice raises scores by itself: 45 students who took a test of 20 questions twice, "
    "with no teaching between, gained 0.8 on average, those who had begun lowest 2.2 (R package ShinyItemAnalysis)."
)
REGRESSION = (
    "People who scored low by bad luck score higher the second time, and people who scored high by good luck score "
    "lower, without any teaching (regression to the mean): these rows do not show that the training helps some people "
    "more than others."
)

TOPPED = " Everybody had all points afterwards: the true gain may be larger than this test can show."
IN_DISGUISE = (
    "No mean is shown: the scale has so few points, so few people are not at its end, or so few changed, that the mean "
    "would be a small number of people in another form. The questions, one by one, show what can be shown."
)

Fixed = Literal["beforehand", "default", "run"]
MATTERS: Mapping[str, str] = {
    "beforehand": "The board said beforehand that {gain:g} {points} would matter",
    "default": "The board fixed no gain beforehand; by default, one question right, it is taken that {gain:g} {points} "
    "would matter",
    "run": "For this page, and not beforehand, it was set that {gain:g} {points} would matter",
}
VERDICTS = {
    "clearly at least": "the change is clearly at least that",
    "clearly less": "the change is clearly less than that",
    "could be either": "the change could be more or less than that",
}


def say_held(days: pl.Series) -> str:
    """Say when the sessions were held.

    Parameters
    ----------
    days
        Their dates.

    Examples
    --------
    >>> from datetime import date
    >>> say_held(pl.Series([date(2011, 5, 10), date(2011, 6, 28)]))
    'Sessions from 10 May 2011 to 28 June 2011.'
    """
    known = sorted(days.drop_nulls().to_list())
    return f"Sessions from {day_in_words(known[0])} to {day_in_words(known[-1])}." if known else ""


def say_answers(answers: Safe, *, attended: bool = True, second: str = "after") -> str:
    """Say how many of those who attended answered, and how many pairs that makes.

    Parameters
    ----------
    answers
        Of shape ``count``, as `answers_given` makes it: before, after, and perhaps follow_up.
    attended
        Whether all who answered stand in the bookings as attended, as `all_attended` says.
    second
        When the second answer was given.

    Returns
    -------
    str
        Numbers that are hidden are left out, and said to be.
    """
    base = answers.policy.round if answers.policy else None
    rounded = (
        f" Each table is rounded to multiples of {base} by itself, so that one number may differ in two."
        if base
        else ""
    )
    return _say_answers(answers, attended, second) + rounded


def _say_answers(answers: Safe, attended: bool, second: str) -> str:
    frame = answers.frame()
    everybody, before, after = (count_of_answers(frame, **of) for of in ({}, {"before": "yes"}, {"after": "yes"}))
    both, only_before, only_after = (
        count_of_answers(frame, before=one, after=other)
        for one, other in (("yes", "yes"), ("yes", "no"), ("no", "yes"))
    )
    if everybody is None or both is None:
        return f"How many of those who attended answered is hidden{HIDDEN.removeprefix('The figure is hidden')}"
    who = "attendances" if attended else "who attended or answered"
    if before is None or after is None:
        share = f" ({percent(both / everybody, everybody)})" if everybody else ""
        return f"Of {everybody:,} {who}, {both:,} answered both times{share}."
    linked = f" ({percent(both / before, before)} of those who answered before)" if before else ""
    said = (
        f"Of {everybody:,} {who}, {before:,} answered before and {after:,} {second}; "
        f"{both:,} answered both times{linked}."
    )
    if only_before is not None and only_after is not None and only_before + only_after:
        said += f" {only_before:,} answered only before and {only_after:,} only {second}: their gain is not known."
    return said


def say_mean_change(
    table: Safe,
    *,
    unit: str,
    clusters: str = "sessions",
    meaningful_gain: float | None = None,
    fixed: Fixed = "beforehand",
    maximum: float | None = None,
    when: str = "before and after",
    plain: bool = True,
    where: Mapping[str, str] | None = None,
) -> str:
    """Put one row of a table of mean changes into words: the change, its interval, who rose and fell, the verdict.

    Parameters
    ----------
    table
        Of shape ``mean_change``.
    unit
        Unit of the score, such as ``"points out of 20"``.
    clusters
        What the interval allows for, in the plural.
    meaningful_gain
        The change that was said beforehand to matter, in the same unit.
    fixed
        Who said so: the board, beforehand; nobody, so that one question right is taken; or whoever made this page.
    maximum
        The highest score there is, in points; then a score that cannot rise is called so.
    when
        When the two answers were given.
    plain
        Whether means may be shown, as `means_tell_no_count` says.
    where
        Group values of the row; those not named are ``"Total"``. May be left out where the table has one row.

    Raises
    ------
    ParameterError
        When no row, or more than one, has those group values.
    """
    if not plain:
        return IN_DISGUISE
    if table.frame().is_empty():
        return HIDDEN
    row = row_of(table, where)
    if row["n_pairs"] is None:
        return HIDDEN
    if row["n_pairs"] == 0:
        return _of_no_pairs(row, when)
    pairs = f"{numbered(row['n_pairs'], 'pair')} of answers, {when}"
    change = row["mean_change"]
    if change is not None and row.get("standard_error") == 0:
        return _of_no_spread(row, pairs, maximum)
    changes = _who_changed(row)
    topped = maximum is not None and change is not None and row["mean_post"] >= maximum - 1e-9
    if row["n_pairs"] < FEWEST_PAIRS or change is None:
        why = "too few for an interval, so no mean is given" if change is not None else "too few for a mean to be shown"
        return f"{pairs}: {why}.{changes}{TOPPED if topped else ''}"
    said = f"In {pairs}, scores {_moved(change)} {unit} on average"
    if row["lower"] is None:
        return f"{said}. Every one of the {clusters} moved alike, which is too little spread for an interval.{changes}"
    ends = f"{with_minus(row['lower'])} to {with_minus(row['upper'])}"
    said += f" (95% interval {ends}{_allowing_for(row, clusters)}).{changes}"
    said += TOPPED if topped else ""
    if row["upper"] < 0:
        said += " Scores fell: the whole interval lies below 0."
    if meaningful_gain is not None and row["verdict"] is not None:
        points = "point" if meaningful_gain == 1 else "points"
        said += f" {MATTERS[fixed].format(gain=meaningful_gain, points=points)}: {VERDICTS[row['verdict']]}."
    return said


def _of_no_pairs(row: Mapping[str, Any], when: str) -> str:
    answered = (row.get("n_pre"), row.get("n_post"))
    if answered == (0, 0):
        return "Nobody answered, at either time: there is nothing to measure."
    counts = "" if None in answered else f" ({answered[0]:,} the first time, {answered[1]:,} the second)"
    return f"Nobody answered both {when}{counts}, so nothing can be said about a gain."


def _of_no_spread(row: Mapping[str, Any], pairs: str, maximum: float | None) -> str:
    """Where all pairs changed by the same, or by nothing."""
    change = row["mean_change"]
    if change != 0:
        points = f"{abs(change):g} {'point' if abs(change) == 1 else 'points'}"
        return (
            f"Everybody {'gained' if change > 0 else 'lost'} exactly {points} ({pairs}): no spread, so there is no "
            "interval."
        )
    if maximum is not None and row["mean_pre"] >= maximum - 1e-9:
        return f"Everybody had all {maximum:g} points both times ({pairs}): the test is too easy to show a gain."
    return f"Nobody's score changed ({pairs}): no gain and no fall, and no spread to make an interval of."


def _moved(change: float) -> str:
    printed = f"{rounded(abs(change), 1)}"
    if printed == "0.0":
        return "changed by less than 0.1" if change else "stayed, at a change of 0.0"
    return f"{'rose' if change > 0 else 'fell'} by {printed}"


def _allowing_for(row: Mapping[str, Any], clusters: str) -> str:
    if row["n_clusters"] is None:
        return ""
    if row["n_clusters"] == 1:
        return ", of people taught together once, which it cannot allow for"
    return f", allowing for {row['n_clusters']:,} {clusters}"


def _who_changed(row: Mapping[str, Any]) -> str:
    """How many rose, stayed the same and fell, with shares where there are enough for shares."""
    counts = {"rose": row.get("n_up"), "stayed the same": row.get("n_same"), "fell": row.get("n_down")}
    if None in counts.values():
        return ""
    pairs = row["n_pairs"]
    said = [
        f"{count:,} {f'({percent(count / pairs, 1)}) ' if pairs >= WIDE else ''}{word}"
        for word, count in counts.items()
        if count is not None
    ]
    return f" {', '.join(said)}."


def say_cautions(gain: Safe, at_maximum: Safe, *, clusters: str = "sessions", tested: bool = True) -> list[str]:
    """What everybody should know who reads the gain: printed by default, whatever it is.

    Parameters
    ----------
    gain
        Of shape ``mean_change`` with one row.
    at_maximum
        Of shape ``proportion``, as `at_maximum` makes it.
    clusters
        What the interval allows for, in the plural.
    tested
        Whether the questions have right answers.

    Returns
    -------
    list[str]
        One sentence each: no comparison group, the effect of a repeated test, how many had all points before, and
        where they hold, one session only, few sessions that count, and few pairs.
    """
    found = [LEARNING, REPEATED] if tested else [RATED, LEARNING, REPEATED]
    frame = at_maximum.frame()
    before = frame.row(0, named=True) if frame.height else {"proportion": None}
    if before["proportion"] is not None:
        easy = before["proportion"] > EASY
        found.append(
            "Nobody had all points before, so everybody could gain."
            if not before["numerator"]
            else f"{before['numerator']:,} of {before['denominator']:,} had all points before "
            f"({percent(before['proportion'], before['denominator'])}) and could not gain"
            + (": the test was too easy to show more." if easy else ".")
        )
    row: dict[str, Any] = row_of(gain) if gain.frame().height else {"n_pairs": None}
    pairs = row["n_pairs"]
    sessions = row["n_clusters"] if row.get("lower") is not None else None
    if sessions == 1:
        found.append(
            f"All pairs come from one of the {clusters} alone: how {clusters} differ is not known, so the "
            "interval is narrower than it should be."
        )
    if sessions is not None and sessions > 1 and row["degrees_of_freedom"] < FEW_FREEDOM:
        found.append(
            f"There are few {clusters}, or few that hold most of the pairs: what they have in common can hardly be "
            "told from chance, so the interval is wide, and may still be too narrow."
        )
    if pairs is not None and 0 < pairs < FEWEST_PAIRS:
        found.append(
            "There are fewer than 10 pairs: counts are given where they are not small, no mean and no interval."
        )
    elif pairs is not None and FEWEST_PAIRS <= pairs < WIDE:
        found.append("There are fewer than 30 pairs: the interval is wide, and one person more could move it.")
    return found


def say_tests(tests: ChangeTests, gain: Safe) -> str:
    """Say how likely so uneven rises and falls would be by chance, where the counts behind them are shown.

    Parameters
    ----------
    tests
        As `change_tests` gives them.
    gain
        The safe table of the gain; where its rises and falls are hidden, so is this.
    """
    if gain.frame().is_empty():
        return ""
    row = row_of(gain)
    if gain.policy is not None and gain.policy.round:
        return ""
    if row.get("n_up") is None or tests.sign_p is None or row["n_pairs"] is None or row["n_pairs"] < FEWEST_PAIRS:
        return ""
    said = f"Rises against falls: exact sign test {p_in_words(tests.sign_p)}"
    if tests.wilcoxon_p is not None:
        kind = "exact" if tests.wilcoxon_exact else "normal approximation"
        said += f"; by size of the change, Wilcoxon's signed ranks ({kind}) {p_in_words(tests.wilcoxon_p)}"
    return f"{said}. Neither allows for people taught together."


def p_in_words(p: float) -> str:
    """A p value to three decimals.

    Examples
    --------
    >>> p_in_words(0.00283), p_in_words(1.8e-14)
    ('p = 0.003', 'p < 0.001')
    """
    return "p < 0.001" if p < 0.001 else f"p = {rounded(p, 3)}"


def say_effect(sizes: Safe) -> str:
    """Put the standardised gain into words: the first row of the effect sizes, g_av.

    Parameters
    ----------
    sizes
        Of shape ``estimate``, as `effect_sizes` makes it.
    """
    frame = sizes.frame()
    if frame.is_empty() or frame["estimate"][0] is None:
        return ""
    row = frame.row(0, named=True)
    lower, upper = row["lower"], row["upper"]
    interval = "" if lower is None else f" (95% interval {with_minus(lower, 2)} to {with_minus(upper, 2)})"
    return (
        f"Set against how widely scores spread from person to person, the change is {with_minus(row['estimate'], 2)} "
        f"of that spread{interval}. Compare it only with what was worked out in the same way."
    )


def say_questions(changes: Safe, *, rated: Collection[str] = (), second: str = "after") -> str:
    """Say of how many questions more people, or fewer, were right than before; and apart from them, of ratings.

    Parameters
    ----------
    changes
        Of shape ``item_change``, as `item_changes` makes it. Or of shape ``count``, as `rating_answers` makes it: then
        it is said to which ratings the answers were higher, or lower; those with a hidden number are left out.
    rated
        Names of the questions that are ratings. One that is shown is known without, as no share of it is right.
    second
        When the second answer was given.

    Returns
    -------
    str
        Questions that neither rose nor fell beyond chance are named, three at most, and those in which more fell.
    """
    frame = changes.frame()
    if changes.shape.name == COUNT.name:
        return _say_ratings(frame, second)
    up, down, share = pl.col("n_up"), pl.col("n_down"), pl.col("share_before")
    known = up.is_not_null() & (pl.col("n_pairs") > 0)
    shown = frame.filter(known)
    if shown.is_empty():
        return HIDDEN if frame.height else ""
    tested = shown["p_holm"].count() > 0
    beyond = (known & (pl.col("p_holm") < 0.05 if tested else up != down)).fill_null(value=False)
    rating = pl.col("question").is_in(list(rated)) | (known & share.is_null())
    frame = frame.with_columns(known=known, rose=beyond & (up > down), fell=beyond & (down > up))
    frame = frame.with_columns(rating=rating & ~rating.all())  # where all are ratings, they are the questions
    kinds = (("question", frame.filter(~pl.col("rating"))), ("rating", frame.filter("rating")))
    asked, *ratings = (f"f {numbered(part.height, word)}, {_moves(part)}" for word, part in kinds if part.height)
    said = f"O{asked} {'by more than chance would explain' if tested else 'on balance'}"
    said += f"{''.join(f'; o{each}' for each in ratings)}."
    unclear = frame.filter(known, ~pl.col("rose"), down <= up)
    if tested and unclear.height:
        said += f" Too little changed to tell a rise from chance{_named(unclear, ', for instance,')}"
    worst = frame.filter(known, down > up).sort(down - up, descending=True, maintain_order=True)
    if worst.is_empty():
        return f"{said} In none of them did more people fall than rise."
    return f"{said} More people fell than rose{_named(worst, ' most')}"


def _moves(part: pl.DataFrame) -> str:
    shown = "" if part["known"].all() else f"{part['known'].sum():,} can be shown: "
    return f"{shown}{part['rose'].sum():,} rose and {part['fell'].sum():,} fell"


def _named(found: pl.DataFrame, if_more: str) -> str:
    """Three questions by name, with how many newly wrong and right answers, and what is said if there are more."""
    named = [
        f'"{row["question"]}" ({row["n_down"]:,} newly wrong or lower, {row["n_up"]:,} newly right or higher)'
        for row in found.head(3).iter_rows(named=True)
    ]
    return f"{if_more if found.height > len(named) else ''} in these: {in_words(named)}."


def _say_ratings(frame: pl.DataFrame, second: str) -> str:
    """To which ratings the answers were higher than before, and to which lower; without numbers, which a chart has."""
    whole = frame.filter(pl.col("count").is_not_null().all().over("question"), pl.col("answer") != TOTAL)
    points = pl.col("answer").cast(pl.Float64, strict=False) * pl.col("count")
    after, before = (
        points.filter(pl.col("wave") == wave).sum() / pl.col("count").filter(pl.col("wave") == wave).sum()
        for wave in ("after", "before")
    )
    moved = whole.group_by(pl.format('"{}"', "question").alias("name"), maintain_order=True).agg(
        (after - before).round(9).sign().alias("sign")
    )
    kinds = {1: "Higher answers {} than before", -1: "Lower answers {} than before", 0: "As high answers {} as before"}
    names = {sign: moved.filter(pl.col("sign") == sign)["name"].to_list() for sign in kinds}
    return " ".join(
        f"{kinds[sign].format(second)}, on average, to: {in_words(found)}." for sign, found in names.items() if found
    )


def say_follow_up(retention: Safe | None, gains: Safe | None = None, *, unit: str = "points") -> str:
    """Say first how many could be asked again, then what is left of the gain; a fall is called a fall.

    Parameters
    ----------
    retention
        Of shape ``proportion``, as `follow_up_retention` makes it; None: it is said elsewhere.
    gains
        Of shape ``mean_change``, as `follow_up_gains` makes it; without it only who answered again is said.
    unit
        Unit of the score.

    Returns
    -------
    str
        Where the changes of those who answered all three times are shown, these alone are said, as they add up.
    """
    lines = [] if gains is None else list(gains.frame().iter_rows(named=True))
    if retention is None:
        return _what_was_left(lines, unit)
    if retention.frame().is_empty():
        return "No follow-up was due, nobody answered it, or what can be said of it would tell of few people."
    row = retention.frame().row(0, named=True)
    if row["numerator"] is None or row["denominator"] is None:
        return f"How many answered at follow-up is hidden{HIDDEN.removeprefix('The figure is hidden')}"
    share = "" if row["proportion"] is None else f" ({percent(row['proportion'], row['denominator'])})"
    said = (
        f"Of {row['denominator']:,} who answered before and after where a follow-up was due, {row['numerator']:,}"
        f"{share} answered again; the others may differ."
    )
    return f"{said} {_what_was_left(lines, unit)}".strip()


def _what_was_left(lines: list[dict[str, Any]], unit: str) -> str:
    """The changes until weeks later, and before them what they come to."""
    shown = {line["comparison"]: line for line in lines if line["mean_change"] is not None}
    names = [OF_ALL_THREE.format(name) for name in (ON_THE_DAY, AFTER_LATER, BEFORE_LATER)]
    whole = [shown[name] for name in names] if {*names} <= {*shown} else []
    day, since = (whole[0], whole[1]) if whole else (None, shown.get(AFTER_LATER))
    return " ".join(filter(None, [_lost(day, since), *(_compared(line, unit) for line in whole or lines)]))


def _lost(day: Mapping[str, Any] | None, since: Mapping[str, Any] | None) -> str:
    """Whether scores fell after the day, and how much of a clear gain of the same people that is."""
    if since is None or since["lower"] is None:
        return ""
    if since["upper"] >= 0:
        risen, unclear = "scores had risen further", "it is not clear whether scores had fallen, risen or stayed"
        return f"Weeks later, {risen if since['lower'] > 0 else unclear}."
    if day is None or day["lower"] is None or day["lower"] <= 0:
        return "Weeks later, scores had fallen."
    lost = -since["mean_change"] / day["mean_change"]
    much = "all" if lost >= 1 else "more than half" if lost > 0.6 else "about half" if lost >= 0.4 else "less than half"
    return f"Weeks later, scores had fallen: {much} of the gain on the day was lost."


def say_comparisons(gains: Safe, *, unit: str) -> str:
    """Put each comparison of two answers into words, a sentence each.

    Parameters
    ----------
    gains
        Of shape ``mean_change`` with a column comparison, as `rating_gains` makes it.
    unit
        Unit of the score.
    """
    return " ".join(_compared(line, unit) for line in gains.frame().iter_rows(named=True))


def _compared(row: Mapping[str, Any], unit: str) -> str:
    if row["n_pairs"] is None or row["mean_change"] is None:
        return f"{row['comparison']}: too few answers for a mean to be shown."
    lower, upper = row["lower"], row["upper"]
    interval = "" if lower is None else f" (95% interval {with_minus(lower)} to {with_minus(upper)})"
    said = f"{row['comparison']}: scores {_moved(row['mean_change'])} {unit} on average{interval}"
    return f"{said}, {numbered(row['n_pairs'], 'pair')}."


def say_assumptions(estimates: Safe) -> str:
    """Say how far the mean gain moves with what is assumed of those who answered once.

    Parameters
    ----------
    estimates
        Of shape ``estimate``, as `gain_under_assumptions` makes it.
    """
    frame = estimates.frame().filter(pl.col("estimate").is_not_null())
    estimated = frame.filter(pl.col("lower").is_not_null())
    if estimated.height < 2:
        return ""
    low, high = _ends(estimated["estimate"])
    said = f"Worked out in different ways, the mean change runs from {low} to {high} points."
    if low == high:
        said = f"Worked out in different ways, the mean change is {low} points each time."
    said += _wider(estimated)
    bounds = frame.filter(pl.col("lower").is_null())
    if bounds.height == 2:
        least, most = _ends(bounds["estimate"])
        said += (
            f" If those who answered once had all done as badly, or all as well, as they could, it would be {least} or "
            f"{most} points: without an assumption about them the answers cannot say more."
        )
    return said


def say_starting_scores(starts: Safe) -> str:
    """The sentence without which a table of gains by starting score must not be read.

    Parameters
    ----------
    starts
        Of shape ``mean_change``, as `gain_by_starting_score` makes it.
    """
    return REGRESSION if starts.frame().height else ""


def say_left_open(questionnaires: Safe) -> str:
    """Say how many questionnaires have a question left open, by when they were answered.

    Parameters
    ----------
    questionnaires
        Of shape ``count``, as `left_open` makes it.
    """
    rows = questionnaires.frame().rows(named=True)
    if all(row["count"] == 0 for row in rows):
        return "No questionnaire had a question left open." if rows else ""
    when = {"follow-up": "at follow-up"}
    counts = ["a hidden number" if row["count"] is None else f"{row['count']:,}" for row in rows]
    said = [f"{count} {when.get(row['wave'], row['wave'])}" for count, row in zip(counts, rows, strict=True)]
    return f"Questionnaires with a question left open, which make no score: {in_words(said)}."


def say_left_out(ratings: Safe) -> str:
    """Name the ratings that are not drawn, because a number in them is hidden.

    Parameters
    ----------
    ratings
        Of shape ``count``, as `rating_answers` makes it, with all its questions.
    """
    frame = ratings.frame()
    hidden = frame.filter(pl.col("count").is_null())["question"].unique(maintain_order=True).to_list()
    named = in_words([f'"{question}"' for question in hidden])
    return f"Not drawn, because a number in them is small, or would give a small one away: {named}." if hidden else ""


def say_who_answered_once(means: Safe) -> str:
    """Say whether those who answered only before had scored otherwise than those who answered twice.

    Parameters
    ----------
    means
        Of shape ``estimate``, as `answered_once` makes it.
    """
    rows = means.frame().head(2).rows(named=True)
    if len(rows) < 2 or any(row["estimate"] is None for row in rows):
        return ""
    twice, once = rows
    if twice["lower"] is None or once["lower"] is None:
        return ""
    apart = once["upper"] < twice["lower"] or once["lower"] > twice["upper"]
    end = "they differ, so the gain of the pairs need not be that of everybody" if apart else "no clear difference"
    groups = (
        f"Those who answered only before had {_mean_in_words(once)}, those who answered twice {_mean_in_words(twice)}"
    )
    return f"{groups}: {end}."


def _mean_in_words(row: Mapping[str, Any]) -> str:
    interval = f"95% interval {with_minus(row['lower'])} to {with_minus(row['upper'])}"
    return f"{with_minus(row['estimate'])} points before, on average ({interval})"


def say_shrunken(groups: Safe, *, plural: str) -> str:
    """Say how far groups differ once chance is allowed for.

    Parameters
    ----------
    groups
        Of shape ``mean_change`` with one group column and ``shrunken``.
    plural
        What the groups are, such as ``"agencies"``.
    """
    frame = groups.frame()
    (column,) = groups.shape.group_columns(frame.columns)
    shown = frame.filter(pl.col("shrunken").is_not_null(), pl.col(column).cast(pl.String).ne_missing(TOTAL))
    if shown.height < 2:
        return f"Too few {plural} have enough pairs to compare them."
    raw, drawn = _ends(shown["mean_change"]), _ends(shown["shrunken"])
    among = f"Among the {shown.height:,} {plural} with enough answers,"
    if raw[0] == raw[1]:
        return f"{among} the average change is the same, {raw[0]} points."
    if drawn[0] == drawn[1]:
        return (
            f"{among} the average change runs from {raw[0]} to {raw[1]} points. Chance alone would make them differ "
            f"as much, so the best estimate for each of them is {drawn[0]}."
        )
    return (
        f"{among} the average change runs from {raw[0]} to {raw[1]} points; once chance is allowed for, from "
        f"{drawn[0]} to {drawn[1]}. This is no ranking."
    )


def _wider(estimated: pl.DataFrame) -> str:
    """Where the interval of single people is wider than the one that allows for who was taught together."""
    ends = {name: (lower, upper) for name, lower, upper in estimated.select("assumption", "lower", "upper").iter_rows()}
    if HEADLINE not in ends or PERSONS not in ends:
        return ""
    (low, high), (lower, upper) = ends[HEADLINE], ends[PERSONS]
    if upper - lower <= high - low:
        return ""
    return (
        f" Allowing for who was taught together makes the interval narrower here, which is chance where there are few "
        f"sessions: rely on the wider one, {with_minus(lower)} to {with_minus(upper)}."
    )


def _ends(numbers: pl.Series) -> tuple[str, str]:
    """The smallest and the largest number, in words."""
    known = [float(number) for number in numbers.to_list()]
    return with_minus(min(known)), with_minus(max(known))
