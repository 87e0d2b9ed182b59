"""Questionnaires as they were answered → one row per person and session: the points before, after and later.

Scores may be anything Narwhals accepts (polars eager or lazy, a DuckDB relation, PySpark, pandas, pyarrow); answers are
added up where the frame lives. What comes out is about people one by one: it stays inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.errors import ParameterError, TableError, nearest, shorten
from safeguarding_analytics.groups import fetch, open_frame
from safeguarding_analytics.tables import TOTAL, WAVES

DECIMALS = 10
"""Sums of decimal points differ in their last digits; two scores are the same when they agree to this many places."""

ANSWER = ("wave", "item", "score")
RESERVED = (
    *("first", "second", "gain", "pre", "post", "follow_up", "then", "points", "given", "times", "rows", "nobody"),
    *("some_pre", "some_post", "some_follow_up", "some_then", "variance_pre", "variance_post"),
    *("total", "size", "squares", "least", "most", "centre", "above", "spread", "starting_score", "comparison"),
)
"""Names that measures give to columns while they work: a column of a board's own must be called otherwise."""

NEEDED = ("session", "person", *ANSWER)
PERSON = ("session", "person")
BITS = 40
"""Questions whose powers of two add up without a digit lost."""

SCALE = ("item", "minimum", "maximum", "reversed")


def questionnaire_of(items: pl.DataFrame, course: str = "") -> pl.DataFrame:
    """The questions that a course asks.

    Parameters
    ----------
    items
        One row per question; where there is a column course, a question without one is asked in every course.
    course
        Name of the course; empty for all questions.

    Returns
    -------
    pl.DataFrame
        The rows of these questions, in their order.

    Raises
    ------
    ParameterError
        When the course has no question.

    Examples
    --------
    >>> items = pl.DataFrame({"item": ["Q1", "Q2"], "course": ["Neglect", None]})
    >>> questionnaire_of(items, "Thresholds")["item"].to_list()
    ['Q2']
    """
    if not course or "course" not in items.columns:
        return items
    found = items.filter(pl.col("course").is_null() | (pl.col("course") == course))
    if found.is_empty():
        known = items["course"].drop_nulls().unique().sort().to_list()
        raise ParameterError(
            f'course: no question is asked in "{course}". Questions are of: {shorten(known)}.{nearest(course, known)}'
        )
    return found


def scored_items(items: pl.DataFrame) -> pl.DataFrame:
    """The questions whose points make the score: those with a right answer, or all where none has one.

    Parameters
    ----------
    items
        One row per question, with its kind: "choice" (a right answer) or "likert" (a rating).

    Returns
    -------
    pl.DataFrame
        The rows of these questions, in their order.

    Notes
    -----
    Ratings of one's own confidence are not knowledge: they shift with what people have learned to expect of themselves
    (response shift), so they are shown beside the score and are no part of it.

    Examples
    --------
    >>> items = pl.DataFrame({"item": ["Q1", "Q2"], "kind": ["choice", "likert"]})
    >>> scored_items(items)["item"].to_list(), scored_items(items.filter(pl.col("kind") == "likert"))["item"].to_list()
    (['Q1'], ['Q2'])
    """
    choice = items.filter(pl.col("kind") == "choice")
    return items if choice.is_empty() else choice


def rated_items(items: pl.DataFrame) -> pl.DataFrame:
    """The questions that are ratings: of kind "likert".

    Parameters
    ----------
    items
        One row per question, with its kind.

    Returns
    -------
    pl.DataFrame
        The rows of these questions, in their order; none where no question is a rating.

    Examples
    --------
    >>> rated_items(pl.DataFrame({"item": ["Q1", "Q2"], "kind": ["choice", "likert"]}))["item"].to_list()
    ['Q2']
    """
    return items.filter(pl.col("kind") == "likert")


def answers_to(scores: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """The answers to some questions only.

    Parameters
    ----------
    scores
        One row per person, session, wave and item.
    items
        The questions to keep.

    Returns
    -------
    pl.DataFrame
        The rows of `scores` whose item is among `items`, in their order.

    Examples
    --------
    >>> scores = pl.DataFrame({"item": ["Q1", "Q2"], "score": [1.0, 4.0]})
    >>> answers_to(scores, pl.DataFrame({"item": ["Q2"]}))["score"].to_list()
    [4.0]
    """
    return scores.filter(pl.col("item").is_in(items["item"].to_list()))


def waves_compared(scores: pl.DataFrame, wave: str = "post") -> pl.DataFrame:
    """The answers before and in one other wave, which then stands where those after do.

    Parameters
    ----------
    scores
        One row per person, session, wave and item.
    wave
        What is compared with before: ``"post"``, or ``"follow_up"`` for what is left weeks later.

    Returns
    -------
    pl.DataFrame
        For post the rows as they are. Else the rows of pre and of the wave, which is called post.

    Raises
    ------
    ParameterError
        When the wave is another one, or nobody answered it.

    Examples
    --------
    >>> scores = pl.DataFrame({"wave": ["pre", "post", "follow_up"], "score": [1, 3, 2]})
    >>> waves_compared(scores, "follow_up").rows()
    [('pre', 1), ('post', 2)]
    """
    known = ("post", "follow_up")
    if wave not in known:
        raise ParameterError(
            f'wave: the answers that are set against those before are post or follow_up. Found: "{wave}".'
            f"{nearest(wave, known)}"
        )
    if wave == "post":
        return scores
    if not (scores["wave"] == wave).any():
        raise ParameterError(f"wave: nobody answered {wave}, so there is nothing to compare with before. Use post.")
    return scores.filter(pl.col("wave").is_in(["pre", wave])).with_columns(pl.col("wave").replace({wave: "post"}))


def main_course(scores: pl.DataFrame, items: pl.DataFrame, course: str = "") -> str:
    """The course whose questionnaire a page shows.

    Parameters
    ----------
    scores
        One row per person, session, wave and item, with a column course.
    items
        One row per question; with a column course where courses ask different questions.
    course
        A course asked for; empty: the one with most answers, where courses ask different questions.

    Returns
    -------
    str
        Empty for all courses together: where none is asked for and all ask the same questions.

    Raises
    ------
    ParameterError
        When nobody answered a questionnaire of the course.

    Examples
    --------
    >>> scores = pl.DataFrame({"course": ["Neglect", "Neglect", "Thresholds"]})
    >>> main_course(scores, pl.DataFrame({"item": ["Q1"], "course": ["Neglect"]}))
    'Neglect'
    >>> main_course(scores, pl.DataFrame({"item": ["Q1"]}))
    ''
    """
    found = scores.group_by("course").len().drop_nulls().sort("len", "course", descending=[True, False])
    known = found["course"].to_list()
    if course and course not in known:
        raise ParameterError(
            f'course: no answers belong to "{course}". Answers are of: {shorten(known)}.{nearest(course, known)}'
        )
    differ = "course" in items.columns and items["course"].null_count() < items.height
    return course or (known[0] if differ and known else "")


def count_of_answers(answers: pl.DataFrame, **where: str) -> int | None:
    """One count of a table of who answered.

    Parameters
    ----------
    answers
        As `knowledge.answers_given` gives it, or `Safe.frame` of it.
    where
        Of before and after, "yes" or "no"; one that is not named is taken together.

    Returns
    -------
    int | None
        None where it is hidden.

    Examples
    --------
    >>> rows = [("yes", "yes", 40), ("yes", "no", 12), ("yes", "Total", 52)]
    >>> count_of_answers(pl.DataFrame(rows, schema=["before", "after", "count"], orient="row"), before="yes")
    52
    """
    wanted = (pl.col(name) == where.get(name, TOTAL) for name in ("before", "after"))
    found = answers.filter(*wanted)["count"].to_list()
    return None if len(found) != 1 or found[0] is None else int(found[0])


def open_answers(scores: IntoFrame, items: IntoFrame) -> tuple[nw.LazyFrame[Any], pl.DataFrame]:
    """Open answers and questions, and refuse those that no score can be made of.

    Raises
    ------
    TableError
        When a column is missing or of another kind, a wave or an item is unknown, a score is no number or lies outside
        of the scale of its item, a person is empty, or an item stands twice.
    """
    answers = open_frame(scores, NEEDED, "scores")
    questions = fetch(open_frame(items, SCALE, "items"))
    if questions.is_empty():
        questions = questions.cast(
            {"item": pl.String, "minimum": pl.Float64, "maximum": pl.Float64, "reversed": pl.Boolean}
        )
    _check_kinds(answers, questions)
    answers = _with_kinds(answers)
    _check_items(questions)
    _check_answers(answers, questions)
    return answers, questions


def _with_kinds(answers: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Columns of no kind, as in a table without rows, as the kind they must have."""
    found = answers.collect_schema()
    kinds = dict.fromkeys(("session", "person", "wave", "item"), nw.String) | {"score": nw.Float64}
    unknown = {name: kind for name, kind in kinds.items() if found[name] == nw.Unknown}
    return answers.with_columns(nw.col(name).cast(kind) for name, kind in unknown.items()) if unknown else answers


def _check_kinds(answers: nw.LazyFrame[Any], questions: pl.DataFrame) -> None:
    """Refuse columns that hold another kind of values than they must. An empty table may hold any."""
    found = answers.collect_schema()
    problems = []
    if not (found["score"].is_numeric() or found["score"] == nw.Unknown):
        problems.append(f"scores: column score holds {found['score']}. Wanted: numbers.")
    text = (nw.String, nw.Categorical, nw.Enum, nw.Unknown)
    problems += [
        f"scores: column {name} holds {found[name]}. Wanted: text."
        for name in ("wave", "item")
        if found[name] not in text
    ]
    if questions.height:
        scale = [name for name in ("minimum", "maximum") if not questions.schema[name].is_numeric()]
        problems += [f"items: column {name} holds {questions.schema[name]}. Wanted: numbers." for name in scale]
        if questions.schema["reversed"] != pl.Boolean:
            problems.append(f"items: column reversed holds {questions.schema['reversed']}. Wanted: true or false.")
        if questions.schema["item"] != pl.String:
            problems.append(f"items: column item holds {questions.schema['item']}. Wanted: text.")
    if problems:
        raise TableError("\n".join(problems))


def labels_of(answers: nw.LazyFrame[Any]) -> list[str]:
    """The columns of scores that can name a group or a cluster."""
    return [name for name in answers.collect_schema().names() if name not in ANSWER]


def check_cluster(cluster: str | None, usable: Sequence[str]) -> None:
    """Refuse a cluster that is not a column of scores."""
    if cluster is not None and cluster in RESERVED:
        raise ParameterError(f'cluster: "{cluster}" is a name the measure uses itself. Rename the column.')
    if cluster is not None and cluster not in usable:
        raise ParameterError(
            f'cluster: "{cluster}" is not a column of scores that people can be taught together by. '
            f"Found: {', '.join(usable)}.{nearest(cluster, usable)} Or give None."
        )


def people_of(
    answers: nw.LazyFrame[Any], questions: pl.DataFrame, labels: Sequence[str], waves: Sequence[str]
) -> pl.DataFrame:
    """The score of each person, session and wave: the sum of the points of all questions.

    Returns
    -------
    pl.DataFrame
        One row per session and person: session, person, a column per wave with the sum of points, null where a
        question was left open or the wave was not answered, for each wave ``some_<wave>``, whether any question was
        answered, and the labels (the largest value where they differ). Sorted by labels and score. About people one by
        one: never published.

    Raises
    ------
    TableError
        When a questionnaire holds an item more than once.
    """
    others = [name for name in dict.fromkeys(labels) if name not in PERSON]
    parts = [f"bits from {start}" for start in range(0, max(questions.height, 1), BITS)]
    opened = answers.filter(nw.col("wave").is_in(list(waves))).with_columns(
        points_of(questions).alias("points"),
        *(_bits(questions["item"][start * BITS : (start + 1) * BITS]).alias(part) for start, part in enumerate(parts)),
    )
    beside = {f"{name} {wave}": (name, wave) for name in ("points", *parts) for wave in waves}
    found = fetch(
        opened.with_columns(
            nw.when(nw.col("wave") == wave).then(nw.col(name)).alias(both) for both, (name, wave) in beside.items()
        )
        .group_by(*PERSON)
        .agg(
            *(nw.col(both).sum() for both in beside),
            *(nw.col(f"points {wave}").count().alias(f"given {wave}") for wave in waves),
            *(nw.col(f"{parts[0]} {wave}").count().alias(f"rows {wave}") for wave in waves),
            *(nw.col(name).max() for name in others),
        )
    )
    _check_once(found, waves, parts)
    _check_named(found["person"])
    scores = [
        pl.when(pl.col(f"given {wave}") == questions.height).then(pl.col(f"points {wave}").round(DECIMALS)).alias(wave)
        for wave in waves
    ]
    some = [(pl.col(f"given {wave}") > 0).alias(f"some_{wave}") for wave in waves]
    # Sums depend on their order, which no engine keeps: so the same numbers stand in the same order in each group.
    return found.select(*PERSON, *scores, *some, *others).sort([*dict.fromkeys(labels), *waves], nulls_last=True)


def _bits(items: pl.Series) -> nw.Expr:
    """A power of two for each of these items, 0 for others: in a sum of them each item is a binary digit of its own."""
    bits = nw.lit(0.0)
    for place, item in enumerate(items):
        bits = nw.when(nw.col("item") == item).then(nw.lit(2.0**place)).otherwise(bits)
    return bits


def _check_once(people: pl.DataFrame, waves: Sequence[str], parts: Sequence[str]) -> None:
    """Refuse questionnaires that hold an item more than once: then a sum of powers of two has fewer ones than rows."""
    again = given = 0
    for wave in waves:
        ones = pl.sum_horizontal(
            pl.col(f"{part} {wave}").fill_null(0).cast(pl.Int64).bitwise_count_ones().cast(pl.Int64) for part in parts
        )
        rows = pl.col(f"rows {wave}")
        counts = people.select((ones < rows).sum().alias("again"), (rows > 0).sum().alias("given")).row(0)
        again, given = again + counts[0], given + counts[1]
    if again:
        raise TableError(
            f"scores: {again:,} of {given:,} questionnaires hold an item more than once. "
            "Keep one answer per session, person, wave and item."
        )


def _check_named(people: pl.Series) -> None:
    """Refuse people whose pseudonym is blank: they would all be one."""
    if people.dtype == pl.String:
        blank = (people.str.strip_chars() == "").sum()
        if blank:
            raise TableError(
                f"scores: {blank:,} of {len(people):,} questionnaires have a blank person. Answers without a pseudonym "
                "cannot be paired: leave them out and say so."
            )


@dataclass(frozen=True)
class Scored:
    """People with their scores before and after, ``first`` and ``second``, and the ends of the scale, points.

    About people one by one: never published.
    """

    people: pl.DataFrame
    lowest: float
    highest: float


def score_twice(scores: IntoFrame, items: IntoFrame, cluster: str | None) -> Scored:
    """Open, check and add up the answers before and after, once for all that is made of them."""
    answers, questions = open_answers(scores, items)
    check_cluster(cluster, labels_of(answers))
    people = people_of(answers, questions, [cluster] if cluster else [], ("pre", "post"))
    ends = (float(questions[end].sum()) for end in ("minimum", "maximum"))
    return Scored(people.rename({"pre": "first", "post": "second"}), *ends)


def answers_twice(
    answers: nw.LazyFrame[Any], questions: pl.DataFrame, waves: tuple[str, str] = ("pre", "post")
) -> pl.DataFrame:
    """The points of each question both times, of the people who answered all questions both times.

    Returns
    -------
    pl.DataFrame
        One row per session, person and item: session, person, item, first, second (points, reversed items turned
        round). Not sorted. About people one by one: never published.
    """
    sides = dict(zip(("first", "second"), waves, strict=True))
    opened = answers.filter(nw.col("wave").is_in(list(waves))).with_columns(points_of(questions).alias("points"))
    found = fetch(
        opened.with_columns(
            *(nw.when(nw.col("wave") == wave).then(nw.col("points")).alias(side) for side, wave in sides.items()),
            *((nw.col("wave") == wave).cast(nw.Int64).alias(f"times_{side}") for side, wave in sides.items()),
        )
        .group_by(*PERSON, "item")
        .agg(nw.col(*sides).max(), *(nw.col(f"times_{side}").sum() for side in sides))
    )
    _check_named(found.select(PERSON).unique()["person"])
    for side in sides:
        _check_times(
            found.filter(pl.col(f"times_{side}") > 0)
            .group_by(PERSON)
            .agg(pl.col(f"times_{side}").max())[f"times_{side}"]
        )
    both = found.select(*PERSON, "item", *sides).drop_nulls(list(sides))
    whole = both.group_by(PERSON).len().filter(pl.col("len") == questions.height)
    return both.join(whole, on=PERSON, how="semi", nulls_equal=True)


def points_of(questions: pl.DataFrame) -> nw.Expr:
    """The points of an answer: of a reversed item, counted from the other end of its scale."""
    score = nw.col("score").cast(nw.Float64)
    points = score
    reversed_ = questions.filter("reversed").select("item", (pl.col("minimum") + pl.col("maximum")).alias("ends"))
    for (ends,), some in reversed_.group_by("ends"):
        points = nw.when(nw.col("item").is_in(some["item"].to_list())).then(ends - score).otherwise(points)
    return points


def _check_times(times: pl.Series) -> None:
    """Refuse answers to one question that stand in a questionnaire more than once."""
    again = (times > 1).sum()
    if again:
        raise TableError(
            f"scores: {again:,} of {len(times):,} questionnaires hold an item more than once. "
            "Keep one answer per session, person, wave and item."
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
    endless = 0
    if questions.height:
        ends = pl.col("minimum", "maximum").cast(pl.Float64)
        endless = questions.filter(~pl.all_horizontal(ends.is_finite())).height
    if endless:
        raise TableError(
            f"items: {endless:,} of {questions.height:,} rows have an end of the scale that is no number. Correct them."
        )


def _check_answers(answers: nw.LazyFrame[Any], questions: pl.DataFrame) -> None:
    """Refuse answers that no score can be made of, by what is found for each wave and item."""
    score = nw.col("score").cast(nw.Float64)
    nobody = nw.col("person").is_null()
    found = fetch(
        answers.with_columns(
            nobody.cast(nw.Int64).alias("nobody"),
            (~score.is_finite()).cast(nw.Int64).alias("endless"),
            score.alias("score"),
        )
        .group_by("wave", "item")
        .agg(
            nw.len().alias("rows"),
            nw.col("nobody", "endless").sum(),
            nw.col("score").min().alias("least"),
            nw.col("score").max().alias("most"),
        )
    )
    of_all = f"of {found['rows'].sum():,} rows"
    if found["endless"].sum():
        raise TableError(
            f"scores: {found['endless'].sum():,} {of_all} have a score that is no number (NaN, infinite). "
            "Correct them, or leave the score empty."
        )
    if found["nobody"].sum():
        raise TableError(
            f"scores: {found['nobody'].sum():,} {of_all} have no person. Answers without a pseudonym cannot be paired: "
            "leave them out and say so."
        )
    _check_words(found, "wave", WAVES, of_all)
    _check_words(found, "item", questions["item"].to_list(), of_all)
    scales = found.with_columns(pl.col("item").cast(pl.String)).join(questions, on="item")
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
