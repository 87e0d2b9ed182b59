"""What people knew before and after a training day: paired gains with an interval that allows for sessions.

Frames may be anything Narwhals accepts (polars eager or lazy, a DuckDB relation, PySpark, pandas, pyarrow); answers are
added up where the frame lives, and the result is a polars frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.errors import ParameterError, TableError, nearest, shorten
from safeguarding_analytics.groups import fetch, group_columns, join_groups, open_frame, per_group
from safeguarding_analytics.intervals import clustered_mean, normal_quantile
from safeguarding_analytics.tables import MEAN_CHANGE, WAVES

FEWEST_PAIRS = 10
"""Below so many pairs there are counts and means, and no interval."""

DECIMALS = 10
"""Sums of decimal points differ in their last digits; two scores are the same when they agree to this many places."""

ANSWER = ("wave", "item", "score")
COUNTS = ("n_pairs", "n_pre", "n_post", "n_up", "n_same", "n_down")
INTERVAL = ("standard_error", "degrees_of_freedom", "lower", "upper")


def knowledge_gain(
    scores: IntoFrame,
    items: IntoFrame,
    by: str | Sequence[str] = (),
    cluster: str | None = "session",
    meaningful_gain: float | None = None,
    *,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """Mean gain in points between the answers before and after training, of the people who gave both.

    Parameters
    ----------
    scores
        One row per person, session, wave and item: session, person, wave, item, score (points as answered), and the
        columns named in `by` and `cluster`. Waves follow_up and then are not used here.
    items
        One row per question: item, minimum, maximum (points), reversed.
    by
        Columns of scores, other than wave, item, score and person; none for one row overall.
    cluster
        Column of scores that says who was taught together; None where nobody was.
    meaningful_gain
        The smallest gain that matters, in points, fixed before the answers were seen. None gives no verdict.
    confidence
        Of the interval, between 0 and 1.

    Returns
    -------
    pl.DataFrame
        One row per group, sorted by the group columns; without `by` one row, even of no answers. Not suppressed.

        n_pairs (people who answered both times); mean_pre, mean_post, mean_change, lower, upper (points, of the pairs);
        n_pre, n_post (people with complete answers before, after); n_up, n_same, n_down (pairs); n_clusters (clusters
        the pairs come from); degrees_of_freedom; standard_error (points); verdict ("clearly at least", "could be
        either", "clearly less", comparing the interval with `meaningful_gain`). A fall is a negative mean_change.

        Null: the means where there are no pairs; lower, upper, standard_error, degrees_of_freedom and verdict where
        there are fewer than 10 pairs (`FEWEST_PAIRS`), where all gained the same, or where all clusters gained the same
        on average: no spread, no interval; n_clusters where `cluster` is None; verdict where `meaningful_gain` is None.

    Raises
    ------
    TableError
        When a column is missing; a wave or an item is unknown, or a score outside of the range of its item; an item
        stands twice; a person is empty, answered an item twice in a wave, or has no cluster.
    ParameterError
        When `by` or `cluster` name a column that cannot be used.

    Notes
    -----
    A person's score in a wave is the sum of the points of all items; of a reversed item, minimum + maximum − score.
    Answers with an item missing or empty leave that wave, because their sum is not comparable. Before and after are
    matched by session and person, never by row: somebody who came to two sessions gives two pairs. A person whose rows
    hold different values of a group column is in one group, that of the largest value.

    The interval is cluster-robust (CR1) with Student's t on n_clusters − 1 degrees of freedom, as people taught
    together answer alike. With one cluster, or none, it is the one-sample t interval of persons, on n_pairs − 1:
    with one cluster it is too narrow, and n_clusters says so.

    A gain on the day, without a comparison group, is learning (Kirkpatrick level 2): it is not evidence that practice
    changed. Taking the same questions twice raises scores without teaching. People who answered once are counted, not
    used: look at n_pre and n_post beside n_pairs.

    References
    ----------
    Liang & Zeger 1986, Biometrika 73:13; Cameron & Miller 2015, J. Human Resources 50:317. Falls do occur: Carpenter,
    Patsios, Szilassy & Hackett 2011, Social Work Education 30:195.

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
    answers = open_frame(scores, ["session", "person", "wave", "item", "score"], "scores")
    questions = fetch(open_frame(items, ["item", "minimum", "maximum", "reversed"], "items"))
    usable = [name for name in answers.collect_schema().names() if name not in ANSWER]
    groups = group_columns(by, usable, "scores that groups can be made of", list(MEAN_CHANGE.columns))
    _check_cluster(cluster, usable)
    _check_items(questions)
    _check_answers(answers, questions)

    people = _people(answers, questions, [*groups, *([cluster] if cluster else [])])
    pairs = people.drop_nulls(["pre", "post"]).with_columns(
        (pl.col("post") - pl.col("pre")).round(DECIMALS).alias("gain")
    )
    answered = per_group(people, groups, pl.col("pre").count().alias("n_pre"), pl.col("post").count().alias("n_post"))
    counts = join_groups(answered, _gains(pairs, groups), groups).with_columns(
        pl.col(COUNTS).fill_null(0).cast(pl.Int64)
    )
    found = _with_intervals(counts, _clusters(pairs, groups, cluster), groups, confidence).with_columns(
        pl.col("n_clusters") if cluster else pl.lit(None, pl.Int64).alias("n_clusters"),
        _verdict(meaningful_gain).alias("verdict"),
    )
    found = found.select(*groups, *MEAN_CHANGE.columns)
    return found.sort(groups) if groups else found


def _points(questions: pl.DataFrame) -> nw.Expr:
    """The points of an answer: of a reversed item, counted from the other end of its scale."""
    points = nw.col("score").cast(nw.Float64)
    for item, ends in questions.filter("reversed").select("item", pl.col("minimum") + pl.col("maximum")).iter_rows():
        points = nw.when(nw.col("item") == item).then(ends - nw.col("score")).otherwise(points)
    return points


def _people(answers: nw.LazyFrame[Any], questions: pl.DataFrame, labels: Sequence[str]) -> pl.DataFrame:
    """One row per session and person: the complete scores before and after, and the columns to group or cluster by."""
    person = ["session", "person"]
    others = [name for name in dict.fromkeys(labels) if name not in person]
    largest = [nw.col(name).max() for name in others]
    points, given, times = nw.col("points"), nw.col("given"), nw.col("times")
    by_item = (
        answers.filter(nw.col("wave").is_in(["pre", "post"]))
        .with_columns(_points(questions).alias("points"))
        .group_by(*person, "wave", "item")
        .agg(points.sum(), points.count().alias("given"), nw.len().alias("times"), *largest)
    )
    by_wave = fetch(by_item.group_by(*person, "wave").agg(points.sum(), given.sum(), times.max(), *largest))
    again = by_wave.filter(pl.col("times") > 1).height
    if again:
        raise TableError(
            f"scores: {again:,} of {by_wave.height:,} questionnaires hold an item more than once. "
            "Keep one answer per session, person, wave and item."
        )
    score = pl.when(pl.col("given") == questions.height).then("points")
    return by_wave.group_by(person).agg(
        score.filter(pl.col("wave") == "pre").first().alias("pre"),
        score.filter(pl.col("wave") == "post").first().alias("post"),
        *(pl.col(name).max() for name in others),
    )


def _gains(pairs: pl.DataFrame, groups: Sequence[str]) -> pl.DataFrame:
    """Count and average the pairs of each group."""
    gain = pl.col("gain")
    return per_group(
        pairs,
        groups,
        pl.len().alias("n_pairs"),
        pl.col("pre").mean().alias("mean_pre"),
        pl.col("post").mean().alias("mean_post"),
        gain.mean().alias("mean_change"),
        (gain > 0).sum().alias("n_up"),
        (gain == 0).sum().alias("n_same"),
        (gain < 0).sum().alias("n_down"),
    )


def _clusters(pairs: pl.DataFrame, groups: Sequence[str], cluster: str | None) -> pl.DataFrame:
    """Sums of the gains of each cluster in each group; of each group where there are no clusters."""
    if cluster and pairs[cluster].null_count():
        raise TableError(
            f"scores: {pairs[cluster].null_count():,} of {pairs.height:,} pairs have no {cluster}, so nobody knows "
            "who was taught together. Fill the column, or give another cluster."
        )
    gain = pl.col("gain")
    return per_group(
        pairs,
        list(dict.fromkeys([*groups, *([cluster] if cluster else [])])),
        gain.sum().alias("total"),
        gain.len().alias("size"),
        (gain * gain).sum().alias("squares"),
        gain.min().alias("least"),
        gain.max().alias("most"),
    )


def _with_intervals(
    counts: pl.DataFrame, clusters: pl.DataFrame, groups: Sequence[str], confidence: float
) -> pl.DataFrame:
    """Add number of clusters, standard error, degrees of freedom and interval to each group."""
    parts = clusters.partition_by(groups, as_dict=True) if groups else {(): clusters}
    keys = counts.select(groups).rows() if groups else [()]
    empty = clusters.clear()
    found = [_interval(parts.get(key, empty), confidence) for key in keys]
    kinds = {"n_clusters": pl.Int64} | dict.fromkeys(INTERVAL, pl.Float64)
    return counts.hstack(pl.DataFrame(found, schema=kinds, orient="row"))


def _interval(clusters: pl.DataFrame, confidence: float) -> tuple[float | None, ...]:
    """Number of clusters, standard error, degrees of freedom, lower and upper end, of one group."""
    least, most = clusters["least"].min(), clusters["most"].max()
    if clusters["size"].sum() < FEWEST_PAIRS or least == most:
        return clusters.height, None, None, None, None
    mean = clustered_mean(
        clusters["total"].to_list(), clusters["size"].to_list(), float(clusters["squares"].sum()), confidence
    )
    if mean.standard_error is None or mean.standard_error < 10**-DECIMALS:
        return clusters.height, None, None, None, None
    return clusters.height, mean.standard_error, mean.degrees_of_freedom, mean.lower, mean.upper


def _verdict(meaningful_gain: float | None) -> pl.Expr:
    """Compare the interval with the gain that was to matter."""
    if meaningful_gain is None:
        return pl.lit(None, pl.String)
    return (
        pl.when(pl.col("lower") >= meaningful_gain)
        .then(pl.lit("clearly at least"))
        .when(pl.col("upper") < meaningful_gain)
        .then(pl.lit("clearly less"))
        .when(pl.col("lower").is_not_null())
        .then(pl.lit("could be either"))
    )


def _check_cluster(cluster: str | None, usable: Sequence[str]) -> None:
    """Refuse a cluster that is not a column of scores."""
    if cluster is not None and cluster not in usable:
        raise ParameterError(
            f'cluster: "{cluster}" is not a column of scores that people can be taught together by. '
            f"Found: {', '.join(usable)}.{nearest(cluster, usable)} Or give None."
        )


def _check_items(questions: pl.DataFrame) -> None:
    """Refuse items that stand twice or have no scale."""
    twice = questions.filter(pl.col("item").is_duplicated())["item"].unique().sort()
    if len(twice):
        raise TableError(
            f"items: {len(twice):,} stand in more than one row: {shorten(twice.to_list())}. Keep one each."
        )
    bare = questions.filter(pl.any_horizontal(pl.col("item", "minimum", "maximum", "reversed").is_null())).height
    if bare:
        raise TableError(
            f"items: {bare:,} of {questions.height:,} rows lack item, minimum, maximum or reversed. Fill them."
        )


def _check_answers(answers: nw.LazyFrame[Any], questions: pl.DataFrame) -> None:
    """Refuse answers that no score can be made of, by what is found for each wave and item."""
    if not answers.collect_schema()["score"].is_numeric():
        raise TableError(f"scores: column score holds {answers.collect_schema()['score']}. Wanted: numbers.")
    score = nw.col("score")
    found = fetch(
        answers.with_columns(nw.col("person").is_null().cast(nw.Int64).alias("nobody"))
        .group_by("wave", "item")
        .agg(nw.len().alias("rows"), nw.col("nobody").sum(), score.min().alias("least"), score.max().alias("most"))
    )
    of_all = f"of {found['rows'].sum():,} rows"
    if found["nobody"].sum():
        raise TableError(
            f"scores: {found['nobody'].sum():,} {of_all} have no person. Answers without a pseudonym cannot be paired: "
            "leave them out and say so."
        )
    _check_words(found, "wave", WAVES, of_all)
    _check_words(found, "item", questions["item"].to_list(), of_all)
    scales = found.join(questions, on="item")
    outside = scales.filter((pl.col("least") < pl.col("minimum")) | (pl.col("most") > pl.col("maximum")))
    if outside.height:
        names = outside["item"].unique().sort().to_list()
        raise TableError(
            f"scores: answers lie outside of minimum to maximum of their item. Items: {shorten(names)}. "
            "Correct the answers, or the scale in items."
        )


def _check_words(found: pl.DataFrame, column: str, allowed: Sequence[str], of_all: str) -> None:
    """Refuse waves and items that are not known."""
    unknown = found.filter(~pl.col(column).is_in(list(allowed)).fill_null(value=False))
    if unknown.height:
        words = sorted({"" if word is None else str(word) for word in unknown[column]})
        quoted = [f'"{word}"' if word else "empty" for word in words]
        raise TableError(
            f"scores: {unknown['rows'].sum():,} {of_all} have {'an' if column == 'item' else 'a'} {column} that is not "
            f"known. Found: {shorten(quoted)}. Allowed: {shorten(list(allowed), most=10)}."
            f"{nearest(words[-1], allowed)}"
        )


def participation(attended: int, gain: pl.DataFrame) -> pl.DataFrame:
    """How many attended, answered before, answered after, and did both: what the gain stands on.

    Parameters
    ----------
    attended
        People × sessions that attended, as `training.attendance` counts them.
    gain
        Result of `knowledge_gain` without groups: one row with ``n_pre``, ``n_post``, ``n_pairs``.

    Returns
    -------
    pl.DataFrame
        Four rows in the order of the stages: ``stage``, ``count`` (Int64, people × sessions). Not suppressed.

    Raises
    ------
    ParameterError
        When ``gain`` has not exactly one row.

    Examples
    --------
    >>> gain = pl.DataFrame({"n_pre": [10], "n_post": [9], "n_pairs": [8]})
    >>> participation(12, gain).rows()
    [('Attended', 12), ('Answered before', 10), ('Answered after', 9), ('Answered both times', 8)]
    """
    if gain.height != 1:
        raise ParameterError(f"participation needs the gain of everybody in one row. Found: {gain.height} rows.")
    row = gain.row(0, named=True)
    stages = {
        "Attended": attended,
        "Answered before": row["n_pre"],
        "Answered after": row["n_post"],
        "Answered both times": row["n_pairs"],
    }
    return pl.DataFrame(
        {"stage": list(stages), "count": list(stages.values())}, schema={"stage": pl.String, "count": pl.Int64}
    )
