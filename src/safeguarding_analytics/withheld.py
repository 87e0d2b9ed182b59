"""What of an evaluation is left out before its tables are suppressed, and why: rules that no table shows by itself.

Suppression protects counts within tables that belong together. These rules keep tables of the same people from telling
of a few when they are laid beside each other: a mean that is a count in another form, means of nearly the same people,
numbers worked out of hidden ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from safeguarding_analytics.evaluation import Evaluation
from safeguarding_analytics.follow_up import OF_ALL_THREE
from safeguarding_analytics.nonresponse import OF_PAIRS
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.questionnaires import count_of_answers
from safeguarding_analytics.sizes import DEFINITIONS

COUNTED = ("n_pairs", "n_pre", "n_post", "n_up", "n_same", "n_down")
"""Counts of a mean change; all its other columns are worked out of the scores."""

RAW = ("n_pairs", "mean_pre", "mean_post", "mean_change", "n_up", "n_same", "n_down")
"""What is shown of a group: raw means and counts, and no interval that invites a ranking."""

FEWEST_STEPS = 5
"""Points of a scale below which a mean is no more than a count in another form."""


@dataclass(frozen=True)
class Told:
    """What may be told of an evaluation.

    ``pairs``: how many pairs there are, which the table of who answered must show. ``means``: means, which must be no
    counts in another form. ``gain``: rises and falls; of a single question of few points they stand by question alone.
    ``questions``: question by question; of a single one with a mean the headline would tell it. ``once``: means that
    take in those who answered once.
    """

    pairs: bool
    means: bool
    gain: bool
    questions: bool
    once: bool
    lowest: float
    highest: float
    policy: Policy

    def tells_no_count(self, table: pl.DataFrame) -> bool:
        """Whether the means of a further table of these people may be shown: `means_tell_no_count`."""
        return self.means and means_tell_no_count(table, self.lowest, self.highest, self.policy)


def what_may_be_told(found: Evaluation, answers: pl.DataFrame, items: pl.DataFrame, policy: Policy) -> Told:
    """Which parts of an evaluation may be told.

    Parameters
    ----------
    found
        As `evaluate` gives it.
    answers
        As `Safe.frame` of `answers_given` gives it, with margins.
    items
        The questions of the score: item, minimum, maximum.
    policy
        The policy of the tables.

    Returns
    -------
    Told
        What the other functions of this module want.

    Examples
    --------
    >>> from safeguarding_analytics.evaluation import evaluate
    >>> rows = [("s1", str(n), wave, "Q1", n % 8 + (wave == "post")) for n in range(40) for wave in ("pre", "post")]
    >>> scores = pl.DataFrame(rows, schema=["session", "person", "wave", "item", "score"], orient="row")
    >>> items = pl.DataFrame({"item": ["Q1"], "minimum": [0], "maximum": [9], "reversed": [False]})
    >>> answers = pl.DataFrame({"before": ["yes"], "after": ["yes"], "count": [40]})
    >>> told = what_may_be_told(evaluate(scores, items), answers, items, Policy.dfe())
    >>> told.pairs, told.means, told.once
    (True, True, False)
    """
    lowest, highest = float(items["minimum"].sum()), float(items["maximum"].sum())
    plain = means_tell_no_count(found.gain, lowest, highest, policy, squares=found.squares)
    pairs = count_of_answers(answers, before="yes", after="yes") is not None
    return Told(
        pairs=pairs,
        means=pairs and plain,
        gain=pairs and (plain or items.height > 1),
        questions=pairs and not (plain and items.height == 1),
        once=pairs and plain and enough_answered_once(answers, policy.minimum_mean),
        lowest=lowest,
        highest=highest,
        policy=policy,
    )


def pairs_to_tell(
    told: Told, found: Evaluation, groups: Sequence[pl.DataFrame], courses: pl.DataFrame
) -> list[pl.DataFrame]:
    """The gain and its groups, which count the same pairs, ready to be suppressed together.

    Parameters
    ----------
    told
        As `what_may_be_told` gives it.
    found
        As `evaluate` gives it.
    groups
        `knowledge_gain` by a group each.
    courses
        `gain_by_course` where all courses asked the same questions.

    Returns
    -------
    list[pl.DataFrame]
        The gain, the groups (raw means and counts alone), and the courses. Rows are left out where they may not be
        told: means without `Told.means`, a group table of which a mean would be a count. Not suppressed.
    """
    overall = found.gain.drop("n_pre", "n_post").filter(told.gain)
    if not told.means:
        overall = overall.with_columns(
            pl.lit(None, dtype).alias(name) for name, dtype in overall.schema.items() if name not in COUNTED
        )
    raw = [table.filter(told.tells_no_count(table)) for table in map(_raw, groups)]
    return [overall, *raw, courses.drop("n_pre", "n_post").filter(told.tells_no_count(courses) and courses.height > 1)]


def thirds_to_tell(told: Told, found: Evaluation) -> list[pl.DataFrame]:
    """The gain and its thirds by starting score, ready to be suppressed together.

    Parameters
    ----------
    told
        As `what_may_be_told` gives it.
    found
        As `evaluate` gives it.

    Returns
    -------
    list[pl.DataFrame]
        The gain as in `pairs_to_tell`, and the thirds (raw means and counts alone): none where no mean of one may be
        shown, as their names alone would tell scores. Not suppressed.
    """
    thirds = _raw(found.by_starting_score)
    large = thirds.height > 0 and bool((thirds["n_pairs"] >= told.policy.minimum_mean).all())
    overall, _ = pairs_to_tell(told, found, (), found.gain.clear())
    return [overall, thirds.filter(large and told.tells_no_count(thirds))]


def _raw(table: pl.DataFrame) -> pl.DataFrame:
    return table.select(table.columns[0], *RAW)


def effect_sizes_to_tell(told: Told, sizes: pl.DataFrame, gain: pl.DataFrame) -> pl.DataFrame:
    """The effect sizes that tell of nobody: to two decimals, none under a policy that rounds.

    Parameters
    ----------
    told
        As `what_may_be_told` gives it.
    sizes
        As `effect_sizes` gives it.
    gain
        As `Safe.frame` of the gain gives it. Where its rises and falls are hidden, the rank-biserial is left out, as
        rank sums would tell them.

    Returns
    -------
    pl.DataFrame
        The rows that may be told, in their order. Not suppressed.
    """
    shown = sizes.filter(told.means and told.policy.round is None).with_columns(
        pl.col("estimate", "lower", "upper").round(2)
    )
    hidden = gain.is_empty() or gain["n_up"].null_count() > 0
    return shown.filter(pl.col("definition") != DEFINITIONS["rank_biserial"]) if hidden else shown


def assumptions_to_tell(told: Told, assumptions: pl.DataFrame) -> pl.DataFrame:
    """The mean change in other ways, to two decimals: those of the pairs alone where few answered once.

    Parameters
    ----------
    told
        As `what_may_be_told` gives it.
    assumptions
        As `gain_under_assumptions` gives it.

    Returns
    -------
    pl.DataFrame
        The rows that may be told, in their order. Not suppressed.
    """
    of_all = pl.lit(told.once) | pl.col("assumption").is_in(OF_PAIRS)
    return assumptions.filter(told.means & of_all).with_columns(pl.col("estimate", "lower", "upper").round(2))


def answered_once_to_tell(told: Told, means: pl.DataFrame) -> pl.DataFrame:
    """The scores of those who answered once and twice, to two decimals; none where few answered once.

    Parameters
    ----------
    told
        As `what_may_be_told` gives it.
    means
        As `answered_once` gives it.

    Returns
    -------
    pl.DataFrame
        The rows that may be told, in their order. Not suppressed.
    """
    return means.filter(told.once and told.tells_no_count(means)).with_columns(
        pl.col("estimate", "lower", "upper").round(2)
    )


def follow_up_to_tell(
    told: Told, retention: pl.DataFrame, gains: pl.DataFrame, pairs: int, places: Sequence[pl.DataFrame]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What was left weeks later, where it tells of nobody: who answered again, and the changes.

    Parameters
    ----------
    told
        As `what_may_be_told` gives it.
    retention, gains
        As `follow_up_retention` and `follow_up_gains` give them, of sessions whose follow-up was due.
    pairs
        Pairs of all sessions.
    places
        As `Safe.frame` gives them, the gains by what a session is of: its district, its course, itself. Where the pairs
        of one are hidden, those of the sessions that were due would tell them.

    Returns
    -------
    tuple[pl.DataFrame, pl.DataFrame]
        Without rows where sessions not yet due hold few pairs, or nobody answered again. Not suppressed.
    """
    fewest = told.policy.minimum_mean
    hidden = any(table["n_pairs"].null_count() for table in places)
    left = pairs - retention["denominator"].sum()
    whole = told.means and not hidden and not 0 < left < fewest and retention["numerator"].sum() > 0
    apart = told_apart(told_apart(gains, pairs, fewest), int(retention["denominator"].sum()), fewest)
    return retention.filter(whole), apart.drop("n_pre", "n_post").filter(whole and told.tells_no_count(apart))


def means_tell_no_count(
    table: pl.DataFrame, lowest: float, highest: float, policy: Policy, *, squares: float | None = None
) -> bool:
    """Whether the means of a table may be shown: none is a small count in another form.

    Parameters
    ----------
    table
        Of shape mean_change with its rises and falls, or of shape estimate; not suppressed.
    lowest, highest
        Ends of the scale, points.
    policy
        The policy of the table: which counts are small, and of how many people a mean may be shown.
    squares
        Of a table of one row, the sum of the squares of all changes, where more of their spread is shown than the
        interval; without it, it is worked out where the interval tells it: of people all taught together.

    Returns
    -------
    bool
        False where the scale has fewer than 5 points, and where in a row that is large enough for a mean: all people
        together lack, or have, fewer points than so many people could, as the mean then says how many, at most, do not
        have all points, or none; fewer people than that changed at all; or mean and spread together leave no room for
        as many falls, or rises.

    Examples
    --------
    >>> row = {"n_pairs": 40, "mean_pre": 7.0, "mean_post": 9.975, "mean_change": 2.975, "n_up": 39, "n_down": 0}
    >>> gain = pl.DataFrame([row])
    >>> means_tell_no_count(gain, 0, 10, Policy.dfe()), means_tell_no_count(gain, 0, 20, Policy.dfe())
    (False, True)
    """
    if highest - lowest < FEWEST_STEPS:
        return False
    size, *means = ("n", "estimate") if "estimate" in table.columns else ("n_pairs", "mean_pre", "mean_post")
    points = [
        ends
        for name in means
        for ends in (pl.col(size) * (highest - pl.col(name)), pl.col(size) * (pl.col(name) - lowest))
    ]
    fewest = policy.threshold
    few = [(end > 10**-6) & (end < fewest - 10**-6) for end in points]
    if "n_up" in table.columns:
        changed = pl.col("n_up") + pl.col("n_down")
        few.append((changed > 0) & (changed < fewest))
    if "standard_error" in table.columns:
        n, change = pl.col(size), pl.col("mean_change")
        alone = pl.when(pl.col("n_clusters").fill_null(1) == 1).then(
            pl.col("standard_error") ** 2 * n * (n - 1) + n * change**2
        )
        small = pl.any_horizontal(pl.col("n_up", "n_same", "n_down").is_between(1, fewest - 1))
        room = pl.coalesce(pl.lit(squares, pl.Float64), alone) - (n * change).abs()
        few.append(small & (room < 2 * (fewest - 1) - 10**-6))
    return table.filter(pl.col(size) >= policy.minimum_mean, pl.any_horizontal(few)).is_empty()


def enough_answered_once(answers: pl.DataFrame, fewest: int) -> bool:
    """Whether means that take in people who answered once may be shown without telling of a few.

    Parameters
    ----------
    answers
        As `Safe.frame` of `knowledge.answers_given` gives it: hidden counts null.
    fewest
        People of whom a mean may be shown.

    Returns
    -------
    bool
        True where those who answered only before are none or so many, and those who answered only after as well; False
        where a count is hidden.

    Examples
    --------
    >>> rows = [("yes", "no", 12), ("no", "yes", 0), ("yes", "yes", 40)]
    >>> enough_answered_once(pl.DataFrame(rows, schema=["before", "after", "count"], orient="row"), 10)
    True
    """
    counts = [count_of_answers(answers, before=one, after=other) for one, other in (("yes", "no"), ("no", "yes"))]
    return all(count is not None and (count == 0 or count >= fewest) for count in counts)


def told_apart(gains: pl.DataFrame, pairs: int, fewest: int) -> pl.DataFrame:
    """Leave out the comparisons of people so nearly the same that their means together would tell of a few.

    Parameters
    ----------
    gains
        As `follow_up_gains` gives it.
    pairs
        People who answered before and after: the pairs of the gain on the day, which is shown too.
    fewest
        People of whom a mean may be shown.

    Returns
    -------
    pl.DataFrame
        The rows of those who answered all three times, and the others where their people differ by so many; none where
        nearly all pairs answered all three times.

    Examples
    --------
    >>> from safeguarding_analytics.follow_up import AFTER_LATER, BEFORE_LATER, COMPARISONS, OF_ALL_THREE
    >>> names = [BEFORE_LATER, AFTER_LATER, *(OF_ALL_THREE.format(name) for name in COMPARISONS)]
    >>> gains = pl.DataFrame({"comparison": names, "n_pairs": [41, 60, 40, 40, 40]})
    >>> told_apart(gains, 100, 10)["n_pairs"].to_list()
    [40, 40, 40]
    """
    sizes = gains["n_pairs"].to_list()
    of_all = pl.col("comparison").str.ends_with(OF_ALL_THREE[2:])
    few = [0 < size - min(sizes) < fewest for size in (*sizes, pairs)] if sizes else []
    if few and few[-1]:
        return gains.clear()
    return gains.filter(of_all) if any(few) or len(set(sizes)) == 1 else gains
