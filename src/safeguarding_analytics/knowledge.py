"""What people knew before and after a training day, and who of those who attended answered.

Frames may be anything Narwhals accepts (polars eager or lazy, a DuckDB relation, PySpark, pandas, pyarrow); answers are
added up where the frame lives, and the result is a polars frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import narwhals as nw
import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.errors import ParameterError, TableError, nearest
from safeguarding_analytics.groups import complete_sum, fetch, group_columns, open_frame
from safeguarding_analytics.intervals import normal_quantile, wilson
from safeguarding_analytics.paired import mean_changes, pairs_of
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.questionnaires import (
    NEEDED,
    PERSON,
    RESERVED,
    SCALE,
    Scored,
    answers_to,
    check_cluster,
    labels_of,
    open_answers,
    people_of,
    questionnaire_of,
    score_twice,
    scored_items,
)
from safeguarding_analytics.registers import taking_places
from safeguarding_analytics.shapes import MEAN_CHANGE
from safeguarding_analytics.tables import TOTAL, WAVES

OF_ANSWERS = {"pre": "before", "post": "after", "follow_up": "follow_up"}
"""Waves that are counted, and the columns that say whether they were answered."""


def knowledge_gain(
    scores: IntoFrame,
    items: IntoFrame,
    by: str | Sequence[str] = (),
    cluster: str | None = "session",
    meaningful_gain: float | None = None,
    *,
    waves: tuple[str, str] = ("pre", "post"),
    confidence: float = 0.95,
) -> pl.DataFrame:
    """Mean gain in points between two answers of the same people: before and after training, or later.

    Parameters
    ----------
    scores
        One row per person, session, wave and item: session, person, wave, item, score (points as answered), and the
        columns named in `by` and `cluster`. Other waves than the two compared are not used.
    items
        One row per question: item, minimum, maximum (points), reversed.
    by
        Columns of scores, other than wave, item, score and person; none for one row overall.
    cluster
        Column of scores that says who was taught together; None where nobody was.
    meaningful_gain
        The smallest gain that matters, in points, fixed before the answers were seen. None gives no verdict.
    waves
        The two answers compared, earlier first: of pre, post, follow_up (weeks later) and then (what people say,
        afterwards, that they would have answered before).
    confidence
        Of the interval, between 0 and 1.

    Returns
    -------
    pl.DataFrame
        One row per group, sorted by the group columns; without `by` one row, even of no answers. Not suppressed.

        n_pairs (people who answered both times); mean_pre, mean_post, mean_change, lower, upper (points, of the pairs);
        n_pre, n_post (people with complete answers before, after); n_up, n_same, n_down (pairs); n_clusters (clusters
        the pairs come from); degrees_of_freedom; standard_error (points); verdict ("clearly at least", "could be
        either", "clearly less", comparing the interval with `meaningful_gain`); g_av, g_av_lower, g_av_upper (mean
        change and interval ÷ √((s₁² + s₂²)/2), s₁ and s₂ the standard deviations before and after, × Hedges' exact
        correction of n_pairs − 1: comparable across questionnaires). A fall is a negative mean_change. With other
        waves, pre and post in these names mean the first and the second.

        Null: the means where there are no pairs; lower, upper, standard_error, degrees_of_freedom and verdict where
        there are fewer than 10 pairs (`FEWEST_PAIRS`), where all gained the same (then standard_error is 0), or where
        all clusters gained the same on average: no spread, no interval; n_clusters where `cluster` is None; verdict
        where `meaningful_gain` is None; g_av where there are fewer than 3 pairs or the scores have no spread.

    Raises
    ------
    TableError
        When a column is missing; a wave or an item is unknown, or a score outside of the range of its item; an item
        stands twice; a person is empty, answered an item twice in a wave, or has no cluster.
    ParameterError
        When `by` or `cluster` name a column that cannot be used, or `waves` are not two different ones.

    Notes
    -----
    A person's score in a wave is the sum of the points of all items; of a reversed item, minimum + maximum − score.
    Answers with an item missing or empty leave that wave, because their sum is not comparable. Before and after are
    matched by session and person, never by row: somebody who came to two sessions gives two pairs. A person whose rows
    hold different values of a group column is in one group, that of the largest value.

    The interval allows for people taught together, who answer alike: cluster-robust (CR2), Student's t with
    Satterthwaite's degrees of freedom; where all clusters have the same size that is CR1 on n_clusters − 1. With one
    cluster, or none, it is the one-sample t interval of persons, on n_pairs − 1: with one cluster it is too narrow, and
    n_clusters says so.

    A gain on the day, without a comparison group, is learning (Kirkpatrick level 2): it is not evidence that practice
    changed. Taking the same questions twice raises scores without teaching. People who answered once are counted, not
    used: look at n_pre and n_post beside n_pairs.

    References
    ----------
    Bell & McCaffrey 2002, Survey Methodology 28:169; Pustejovsky & Tipton 2018, J. Business & Economic Statistics
    36:672; Lakens 2013, Frontiers in Psychology 4:863 (average standard deviation); Hedges 1981, J. Educational
    Statistics 6:107 (correction). Falls do occur: Carpenter, Patsios, Szilassy & Hackett 2011, Social Work Education
    30:195.

    Examples
    --------
    >>> import polars as pl
    >>> scores = pl.DataFrame({
    ...     "session": ["s1"] * 5,
    ...     "person": ["p1", "p2", "p3", "p1", "p2"],
    ...     "wave": ["pre", "pre", "pre", "post", "post"],
    ...     "item": ["q1"] * 5,
    ...     "score": [2.0, 3.0, 1.0, 4.0, 3.0],
    ... })
    >>> items = pl.DataFrame({"item": ["q1"], "minimum": [1.0], "maximum": [5.0], "reversed": [False]})
    >>> knowledge_gain(scores, items).select("n_pairs", "mean_change", "lower", "n_pre", "n_up", "n_same").rows()
    [(2, 1.0, None, 3, 1, 1)]
    """
    normal_quantile(confidence)  # refuses what does not lie between 0 and 1
    _check_waves(waves)
    answers, questions = open_answers(scores, items)
    usable = labels_of(answers)
    groups = group_columns(by, usable, "scores that groups can be made of", [*MEAN_CHANGE.columns, *RESERVED])
    check_cluster(cluster, usable)
    people = people_of(answers, questions, [*groups, *([cluster] if cluster else [])], waves)
    first_and_second = people.rename(dict(zip(waves, ("first", "second"), strict=True)))
    return mean_changes(first_and_second, groups, cluster, meaningful_gain, confidence)


def _check_waves(waves: Sequence[str]) -> None:
    """Refuse waves that cannot be compared."""
    unknown = [wave for wave in waves if wave not in WAVES]
    if unknown or len(waves) != 2 or len(set(waves)) != 2:
        hint = nearest(str(unknown[0]), WAVES) if unknown else ""
        raise ParameterError(
            f"waves: two different ones are compared, such as pre and post. Found: {', '.join(map(str, waves))}. "
            f"Known: {', '.join(WAVES)}.{hint}"
        )


def one_question_right(items: pl.DataFrame) -> float | None:
    """The points of one question: the gain that matters where a board fixed none beforehand.

    Parameters
    ----------
    items
        The questions of the score, with kind, minimum and maximum (points).

    Returns
    -------
    float | None
        Maximum less minimum of the question with the most points; None where no question has a right answer.

    Examples
    --------
    >>> one_question_right(pl.DataFrame({"kind": ["choice"] * 2, "minimum": [0.0, 0.0], "maximum": [2.0, 1.0]}))
    2.0
    """
    steps = items.filter(pl.col("kind") == "choice").select((pl.col("maximum") - pl.col("minimum")).max())
    step = steps.item()
    return None if step is None else float(step)


def gain_by_course(
    scores: IntoFrame, items: IntoFrame, *, cluster: str | None = "session", confidence: float = 0.95
) -> pl.DataFrame:
    """Mean gain of each course in the points of its own questionnaire, and standardised, so that courses compare.

    Parameters
    ----------
    scores
        As for `knowledge_gain`, with a column course.
    items
        One row per question; with a column course where courses ask different questions.
    cluster, confidence
        As for `knowledge_gain`.

    Returns
    -------
    pl.DataFrame
        As `knowledge_gain` gives it, one row per course. Points of different questionnaires do not compare; g_av does.
        Not suppressed.

    Raises
    ------
    TableError, ParameterError
        As `knowledge_gain`.

    Examples
    --------
    >>> rows = [("s1", "p1", "pre", "Q1", 1, "Neglect"), ("s1", "p1", "post", "Q1", 2, "Neglect")]
    >>> scores = pl.DataFrame(rows, schema=["session", "person", "wave", "item", "score", "course"], orient="row")
    >>> items = pl.DataFrame({"item": ["Q1"], "kind": ["choice"], "minimum": [0], "maximum": [3], "reversed": [False]})
    >>> gain_by_course(scores, items).select("course", "n_pairs", "mean_change").rows()
    [('Neglect', 1, 1.0)]
    """
    answers = fetch(open_frame(scores, (*NEEDED, "course"), "scores"))
    questions = fetch(open_frame(items, (*SCALE, "kind"), "items"))
    courses = answers["course"].drop_nulls().unique().sort().to_list()
    if not courses:
        return knowledge_gain(answers.clear(), questions, by=("course",), cluster=cluster, confidence=confidence)
    found = []
    for course in courses:
        asked = questionnaire_of(questions, course)
        given = answers.filter(pl.col("course") == course)
        open_answers(given, asked)  # refuses answers to questions that the course does not ask
        scored = scored_items(asked)
        given, asked = answers_to(given, scored), scored
        found.append(knowledge_gain(given, asked, by=("course",), cluster=cluster, confidence=confidence))
    return pl.concat(found)


def gain_by_starting_score(
    scores: IntoFrame, items: IntoFrame, *, cluster: str | None = "session", confidence: float = 0.95
) -> pl.DataFrame:
    """Mean gain of those who began low, in the middle and high: a table that misleads unless it is read with care.

    Parameters
    ----------
    scores, items, cluster, confidence
        As for `knowledge_gain`.

    Returns
    -------
    pl.DataFrame
        As `knowledge_gain` gives it, one row per ``starting_score``: thirds of the pairs by their score before, fewer
        where scores are too alike. Not suppressed.

    Raises
    ------
    TableError, ParameterError
        As `knowledge_gain`.

    Notes
    -----
    Regression to the mean: who scored low by bad luck scores higher the second time, and who scored high lower, without
    any teaching. The lowest third rises and the highest falls in every test taken twice; this table shows how much, and
    is no evidence that a course helps some people more than others.

    Examples
    --------
    >>> rows = [("s1", f"p{n}", wave, "Q1", n // 2 + 1.0) for n in range(6) for wave in ("pre", "post")]
    >>> scores = pl.DataFrame(rows, schema=["session", "person", "wave", "item", "score"], orient="row")
    >>> items = pl.DataFrame({"item": ["Q1"], "minimum": [0], "maximum": [3], "reversed": [False]})
    >>> gain_by_starting_score(scores, items).select("starting_score", "n_pairs").rows()
    [('Lowest: 1 or less', 2), ('Middle: 2', 2), ('Top: 3 or more', 2)]
    """
    return by_starting_score(score_twice(scores, items, cluster), cluster, confidence)


def by_starting_score(scored: Scored, cluster: str | None, confidence: float) -> pl.DataFrame:
    """As `gain_by_starting_score`, of people whose answers are added up."""
    pairs = pairs_of(scored.people).sort("first")
    banded = pairs.with_columns(_thirds(pairs["first"]).alias("starting_score"))
    return mean_changes(banded, ["starting_score"], cluster, None, confidence)


def _thirds(first: pl.Series) -> pl.Series:
    """Name the third in which each score lies; equal scores lie in the same. Wants sorted scores."""
    if first.is_empty():
        return pl.Series(dtype=pl.String)
    low, high = (float(first[(len(first) - 1) * part // 3]) for part in (1, 2))
    middle = first.filter((first > low) & (first <= high))
    above = first.filter(first > high)
    names = {
        "low": f"Lowest: {low:.12g} or less",
        "middle": "" if middle.is_empty() else f"Middle: {_span(float(middle[0]), float(middle[-1]))}",
        "high": "" if above.is_empty() else f"Top: {float(above[0]):.12g} or more",
    }
    return first.to_frame("first").select(
        pl.when(pl.col("first") <= low)
        .then(pl.lit(names["low"]))
        .when(pl.col("first") <= high)
        .then(pl.lit(names["middle"]))
        .otherwise(pl.lit(names["high"]))
    )["literal"]


def _span(least: float, most: float) -> str:
    return f"{least:.12g}" if least == most else f"{least:.12g} to {most:.12g}"


def at_maximum(scores: IntoFrame, items: IntoFrame, *, confidence: float = 0.95) -> pl.DataFrame:
    """Share of those who answered twice that had all points, before and after: a test too easy shows no gain.

    Parameters
    ----------
    scores, items
        As for `knowledge_gain`.
    confidence
        Of the interval, between 0 and 1.

    Returns
    -------
    pl.DataFrame
        Two rows, ``wave`` "before" and "after": numerator (pairs with the maximum), denominator (pairs), proportion,
        lower, upper (Wilson). Not suppressed.

    Raises
    ------
    TableError
        As `knowledge_gain`.

    Notes
    -----
    More than 15% at the maximum before is by convention too easy a test to show more (Terwee et al. 2007, Journal of
    Clinical Epidemiology 60:34).

    Examples
    --------
    >>> rows = [("s1", "p1", "pre", "Q1", 3), ("s1", "p1", "post", "Q1", 3)]
    >>> scores = pl.DataFrame(rows, schema=["session", "person", "wave", "item", "score"], orient="row")
    >>> items = pl.DataFrame({"item": ["Q1"], "minimum": [0], "maximum": [3], "reversed": [False]})
    >>> at_maximum(scores, items).select("wave", "numerator", "denominator").rows()
    [('before', 1, 1), ('after', 1, 1)]
    """
    return with_all_points(score_twice(scores, items, None), confidence)


def with_all_points(scored: Scored, confidence: float) -> pl.DataFrame:
    """As `at_maximum`, of people whose answers are added up."""
    people, most = pairs_of(scored.people), scored.highest - 10**-6
    counts = pl.DataFrame(
        {
            "wave": ["before", "after"],
            "numerator": [int((people[wave] >= most).sum()) for wave in ("first", "second")],
            "denominator": [people.height] * 2,
        },
        schema={"wave": pl.String, "numerator": pl.Int64, "denominator": pl.Int64},
    )
    numerator, denominator = pl.col("numerator"), pl.col("denominator")
    return counts.with_columns(
        pl.when(denominator > 0).then(numerator / denominator).alias("proportion"),
        *wilson(numerator, denominator, confidence),
    )


def answers_given(bookings: IntoFrame, scores: IntoFrame, items: IntoFrame) -> pl.DataFrame:
    """How many of those who attended answered before, after, both times and never.

    Parameters
    ----------
    bookings
        One row per booking: session, person, status; learner where there is one.
    scores, items
        As for `knowledge_gain`. An answer counts where it is complete.

    Returns
    -------
    pl.DataFrame
        ``before`` and ``after`` ("yes" or "no"), ``count`` (Int64, people × sessions), and a row "Total", "Total": all
        who attended, and those who answered without standing in the bookings as attended (`all_attended`). Not
        suppressed; the totals of one column alone come after that, by `with_margins`, as a small number among these
        four would else hide the pairs too.

    Raises
    ------
    TableError
        As `knowledge_gain`; when a column of bookings is missing.

    Notes
    -----
    People are matched by session and person. Where none matches, as with codes that people made up, everybody who
    answered is taken to have attended, and those who did not answer are the rest of those who attended.

    Examples
    --------
    >>> bookings = pl.DataFrame({"session": ["s1"] * 2, "person": ["p1", "p2"], "status": ["attended"] * 2})
    >>> rows = [("s1", "p1", "pre", "Q1", 2), ("s1", "p1", "post", "Q1", 3)]
    >>> scores = pl.DataFrame(rows, schema=["session", "person", "wave", "item", "score"], orient="row")
    >>> items = pl.DataFrame({"item": ["Q1"], "minimum": [0], "maximum": [3], "reversed": [False]})
    >>> answers_given(bookings, scores, items).rows()
    [('yes', 'yes', 1), ('yes', 'no', 0), ('no', 'yes', 0), ('no', 'no', 1), ('Total', 'Total', 2)]
    """
    people = score_twice(scores, items, None).people
    before, after = people["first"].is_not_null(), people["second"].is_not_null()
    known = people.select(*PERSON, before.alias("before"), after.alias("after")).filter(before | after)
    attended = _attended(bookings, known)
    matched = known.join(attended, on=PERSON, how="semi").height
    silent = attended.height - (matched or min(known.height, attended.height))
    given = dict.fromkeys(((True, True), (True, False), (False, True)), 0)
    given |= {(one, other): count for one, other, count in known.group_by("before", "after").len().iter_rows()}
    words = {True: "yes", False: "no"}
    cells = [(words[one], words[other], count) for (one, other), count in given.items()]
    everybody = sum(given.values()) + silent
    kinds = {"before": pl.String, "after": pl.String, "count": pl.Int64}
    return pl.DataFrame([*cells, ("no", "no", silent), (TOTAL, TOTAL, everybody)], schema=kinds, orient="row")


def with_margins(answers: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Add how many answered before, and after, in all, where that follows from what is shown.

    Parameters
    ----------
    answers
        As `Safe.frame` of `answers_given` gives it: hidden counts null, and ``mark``.
    policy
        The policy of the table.

    Returns
    -------
    pl.DataFrame
        The same rows, and four with one "Total"; a count is null where one of its two parts is, unless it is what the
        other leaves of all (of rounded counts it is not).

    Examples
    --------
    >>> rows = [("yes", "yes", 40), ("yes", "no", 12), ("no", "yes", None), ("no", "no", 9), ("Total", "Total", 64)]
    >>> answers = pl.DataFrame(rows, schema=["before", "after", "count"], orient="row").with_columns(mark=pl.lit(""))
    >>> with_margins(answers, Policy.dfe()).tail(4).rows()
    [('yes', 'Total', 52, ''), ('no', 'Total', 12, ''), ('Total', 'yes', 43, ''), ('Total', 'no', 21, '')]
    """
    inner = answers.filter(pl.col("before") != TOTAL)
    everybody = answers.filter(pl.col("before") == TOTAL)["count"].max()
    rest = pl.lit(None if policy.round else everybody, pl.Int64) - pl.col("count").reverse()
    added = [
        inner.group_by(name, maintain_order=True)
        .agg(complete_sum("count"))
        .with_columns(pl.coalesce("count", rest), pl.lit(TOTAL).alias(other))
        .with_columns(pl.when(pl.col("count").is_null()).then(pl.lit(policy.mark)).otherwise(pl.lit("")).alias("mark"))
        .select(answers.columns)
        for name, other in (("before", "after"), ("after", "before"))
    ]
    return pl.concat([answers, *added])


def all_attended(bookings: IntoFrame, scores: IntoFrame) -> bool:
    """Whether everybody who answered stands in the bookings as somebody who attended.

    Parameters
    ----------
    bookings, scores
        As for `answers_given`.

    Returns
    -------
    bool
        True also where nobody matches, as with codes that people made up: then it cannot be known.

    Examples
    --------
    >>> bookings = pl.DataFrame({"session": ["s1"], "person": ["p1"], "status": ["attended"]})
    >>> scores = pl.DataFrame({"session": ["s1", "s1"], "person": ["p1", "p2"]})
    >>> all_attended(bookings, scores)
    False
    """
    answered = fetch(open_frame(scores, PERSON, "scores").select(*PERSON).unique())
    matched = answered.join(_attended(bookings, answered), on=PERSON, how="semi").height
    return matched in (0, answered.height)


def _attended(bookings: IntoFrame, people: pl.DataFrame) -> pl.DataFrame:
    """Session and person of each place taken, to be matched with people who answered."""
    booked = taking_places(open_frame(bookings, (*PERSON, "status"), "bookings"))
    booked = booked.with_columns(nw.col("status").cast(nw.String))
    found = fetch(booked.filter(nw.col("status") == "attended").select(*PERSON).unique())
    for name in PERSON:
        here, there = found.schema[name], people.schema[name]
        if here != there and found.height and people.height:
            raise TableError(
                f"{name}: bookings hold {here}, scores hold {there}. Give the column one type in both, so that people "
                "can be matched."
            )
    return found.cast({name: people.schema[name] for name in PERSON}) if people.height else found


def left_open(scores: IntoFrame, items: IntoFrame) -> pl.DataFrame:
    """Questionnaires with a question left open: they make no score, and are not in the gain.

    Parameters
    ----------
    scores, items
        As for `knowledge_gain`.

    Returns
    -------
    pl.DataFrame
        One row per wave that was answered by anybody, in their order: ``wave`` ("before", "after", "follow-up") and
        ``count`` (Int64). Not suppressed.

    Raises
    ------
    TableError
        As `knowledge_gain`.

    Examples
    --------
    >>> rows = [("s1", "p1", "pre", "Q1", 2), ("s1", "p2", "pre", "Q1", 1), ("s1", "p2", "pre", "Q2", 1)]
    >>> scores = pl.DataFrame(rows, schema=["session", "person", "wave", "item", "score"], orient="row")
    >>> items = pl.DataFrame({"item": ["Q1", "Q2"], "minimum": [0] * 2, "maximum": [3] * 2, "reversed": [False] * 2})
    >>> left_open(scores, items).rows()
    [('before', 1)]
    """
    answers, questions = open_answers(scores, items)
    people = people_of(answers, questions, (), tuple(OF_ANSWERS))
    there = [wave for wave in OF_ANSWERS if people[f"some_{wave}"].any()]
    counts = [int((people[f"some_{wave}"] & people[wave].is_null()).sum()) for wave in there]
    names = [OF_ANSWERS[wave].replace("_", "-") for wave in there]
    return pl.DataFrame({"wave": names, "count": counts}, schema={"wave": pl.String, "count": pl.Int64})
