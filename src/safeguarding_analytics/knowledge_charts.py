"""Charts of what people learned: who answered, how much they gained, and which questions changed.

They keep the conventions of `charts`: a `Safe` table in, an Altair chart out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

import safeguarding_analytics.charts  # noqa: F401 - enables the theme and the renderer
from safeguarding_analytics.answers import column_heading
from safeguarding_analytics.cells import rounded, with_minus
from safeguarding_analytics.chart_figures import of_tested_parts
from safeguarding_analytics.chart_marks import nothing
from safeguarding_analytics.chart_pairs import (
    AFTER,
    BEFORE,
    PARTS,
    dumbbells,
    forest,
    gain_beside_means,
    part_bars,
    stages,
)
from safeguarding_analytics.chart_rows import NO_FIGURE, note_of, opened, sentence, split_groups, within, without_number
from safeguarding_analytics.errors import ParameterError, numbered
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.sentences import percent
from safeguarding_analytics.shapes import COUNT, ITEM_CHANGE, MEAN_CHANGE, Shape
from safeguarding_analytics.tables import TOTAL

ALL_PAIRS = "All pairs"
NO_INTERVAL = "no interval"
YES = "yes"
STAGES_ANSWERED = {
    "Attended": (),
    "Answered before": ("before",),
    "Answered after": ("after",),
    "Answered both times": ("before", "after"),
    "Answered at follow-up": ("follow_up",),
    "Answered all three times": ("before", "after", "follow_up"),
}
"""The bars of `plot_participation`, and the columns of its table that say "yes" in the row of each."""

VERDICTS = {
    "clearly at least": "clearly at least that much",
    "could be either": "could be either",
    "clearly less": "clearly less",
}


@of_tested_parts
def plot_participation(answers: Safe, *, title: str, second: str = "after", who: str = "attended") -> alt.LayerChart:
    """Draw how many of those who attended answered before, after and both times.

    Parameters
    ----------
    answers
        A safe table of shape count with the group columns before and after, and follow_up where people were asked
        again; their values are "yes", "no" and "Total". The row of all totals counts those who attended.
    title
        Title of the chart: what it shows.
    second
        When the second answer was given.
    who
        What all of them did: attended, or attended or answered.

    Returns
    -------
    alt.LayerChart
        A bar each for those who attended, answered before, after and both times, and with follow_up at the follow-up
        and all three times; with its number and what share it is of those who attended. Hidden numbers have "[c]".

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape or other group columns.
    """
    frame = opened(answers, COUNT)
    if frame.is_empty():
        return nothing(title)
    groups = COUNT.group_columns(frame.columns)
    if groups not in (["before", "after"], ["before", "after", "follow_up"]):
        raise ParameterError(
            "plot_participation draws counts by before and after, or by before, after and follow_up. "
            f"Found: {', '.join(groups) or 'none'}."
        )
    wanted = [
        {
            "row": {("after",): f"Answered {second}", (): who.capitalize()}.get(said, name),
            **{group: YES if group in said else TOTAL for group in groups},
        }
        for name, said in STAGES_ANSWERED.items()
        if {*said} <= {*groups}
    ]
    drawn = (
        pl.DataFrame(wanted)
        .join(frame.with_columns(pl.col(groups).cast(pl.String)), on=groups, how="left", maintain_order="left")
        .with_columns(pl.col("mark").fill_null(""))
        .select("row", *groups, value="count", note=note_of("count"))
    )
    said = [sentence(title), "Bars from one baseline: attendances.", *_answered_in_words(drawn), *without_number(drawn)]
    return stages(drawn, groups, title=title, axis=f"Number who {who}, at each session", said=" ".join(said))


def _answered_in_words(drawn: pl.DataFrame) -> list[str]:
    """How many attended, and how many said yes to having answered."""
    shown = dict(drawn.filter(pl.col("note") == "").select("row", "value").iter_rows())
    return [
        f"{name}: {count:,}." if name.startswith("Attended") else f"{name}: yes, {count:,}."
        for name, count in shown.items()
    ]


@of_tested_parts
def plot_paired_gain(
    gain: Safe,
    *,
    title: str,
    unit: str,
    meaningful_gain: float | None = None,
    scale: tuple[float, float] | None = None,
    second: str = AFTER,
) -> alt.LayerChart:
    """Draw the mean before and after, and beside them the mean gain with its interval.

    Parameters
    ----------
    gain
        A safe table of shape mean_change with one row.
    title
        Title of the chart: what it shows.
    unit
        Unit of the score, such as ``"points out of 20"``.
    meaningful_gain
        The gain, in points, that was fixed beforehand as worth having: a dashed line.
    scale
        Lowest and highest score of the questionnaire, which the axis then shows; where it is not given the axis runs
        from 0 to a little above the numbers.
    second
        What the later of the two times is called, such as ``"at follow-up"``.

    Returns
    -------
    alt.LayerChart
        A line from the mean before to the mean after, on the scale of the score; to the right, on a scale of its own,
        the gain with its interval against no change. There are no dots of people: what is public are means. A hidden
        gain has "[c]".

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, or has more than one row.

    References
    ----------
    Gardner & Altman 1986, British Medical Journal 292:746: intervals rather than P values, and this kind of figure.
    """
    frame = opened(gain, MEAN_CHANGE)
    if frame.is_empty():
        return nothing(title)
    if frame.height > 1:
        raise ParameterError(f"plot_paired_gain draws one row. Found: {frame.height} rows. Use plot_forest for more.")
    row = frame.row(0, named=True)
    names = ("mean_pre", "mean_post", "mean_change")
    _require_columns(frame, names, "plot_paired_gain")
    known = all(row[name] is not None for name in names)
    note = "" if known else row["mark"] or NO_FIGURE
    numbers = {
        "before": row["mean_pre"],
        "after": row["mean_post"],
        "value": row["mean_change"],
        "lower": row.get("lower"),
        "upper": row.get("upper"),
    }
    words = {
        "before_words": with_minus(row["mean_pre"]) if known else "",
        "after_words": with_minus(row["mean_post"]) if known else "",
        "aside": _with_interval(row["mean_change"], row.get("lower"), row.get("upper")) if known else "",
        "words": _gain_in_words(row, unit, second) if known else "",
    }
    cells = {"row": ALL_PAIRS, **(numbers if known else dict.fromkeys(numbers)), **words, "note": note}
    schema = {"row": pl.String, **dict.fromkeys(numbers, pl.Float64), **dict.fromkeys((*words, "note"), pl.String)}
    drawn = pl.DataFrame([cells], schema=schema)
    verdict = VERDICTS.get(str(row.get("verdict") or ""))
    said = [
        sentence(title),
        f"A line from the mean before to the mean {second}, and beside it the gain with its interval.",
        words["words"],
        f"Against the meaningful gain: {meaningful_gain:g}, the verdict is: {verdict}."
        if known and verdict and meaningful_gain is not None
        else "",
        *without_number(drawn),
    ]
    return gain_beside_means(
        drawn,
        title=title,
        unit=unit,
        aim=meaningful_gain,
        ends=scale or _span(drawn, meaningful_gain),
        second=second,
        said=" ".join(filter(None, said)),
    )


def _span(drawn: pl.DataFrame, aim: float | None) -> tuple[float, float]:
    """From 0, or the smallest number, to a little above the largest."""
    (row,) = drawn.iter_rows(named=True)
    if row["value"] is None:
        return 0.0, 1.0
    gains = [gain for gain in (row["value"], row["lower"], row["upper"], aim) if gain is not None]
    heights = [0.0, row["before"], row["after"], *(row["before"] + gain for gain in gains)]
    return min(heights), max(*heights, min(heights) + 1.0) * 1.08


def _gain_in_words(row: Mapping[str, Any], unit: str, second: str) -> str:
    """The change, its interval, the means and how many pairs they are of."""
    change, lower, upper = row["mean_change"], row.get("lower"), row.get("upper")
    size = f"{rounded(abs(change), 1)}"
    moved = "changed by less than 0.1" if size == "0.0" else f"{'rose' if change > 0 else 'fell'} by {size}"
    ends = ", without an interval"
    if lower is not None and upper is not None:
        ends = f" (95% interval {with_minus(lower)} to {with_minus(upper)})"
    pairs = f", {numbered(row['n_pairs'], 'pair')}" if row["n_pairs"] is not None else ""
    means = f"{with_minus(row['mean_pre'])} {BEFORE}, {with_minus(row['mean_post'])} {second}"
    return f"Scores {moved} {unit}{ends}: {means}{pairs}."


def _with_interval(value: float, lower: float | None, upper: float | None, decimals: int = 1) -> str:
    """A number with its interval.

    Examples
    --------
    >>> _with_interval(-1.61, -2.04, -1.18), _with_interval(0.5, None, None), _with_interval(0.761, 0.6, 0.92, 2)
    ('−1.6 (−2.0 to −1.2)', '0.5', '0.76 (0.60 to 0.92)')
    """
    said = with_minus(value, decimals)
    if lower is None or upper is None:
        return said
    return f"{said} ({with_minus(lower, decimals)} to {with_minus(upper, decimals)})"


@of_tested_parts
def plot_rose_same_fell(gain: Safe, *, title: str) -> alt.LayerChart:
    """Draw how many pairs rose, stayed the same and fell, as one bar of 100% per row.

    Parameters
    ----------
    gain
        A safe table of shape mean_change with n_up, n_same and n_down; one row, or one group column.
    title
        Title of the chart: what it shows.

    Returns
    -------
    alt.LayerChart
        A bar per row in the order of the table, the "Total" first, with share and number of each part in words. Where
        one part is hidden all three are, with "[c]": the room left in a stack would give a hidden part away.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, lacks a column, or has several group columns.
    """
    frame, row = _by_row(opened(gain, MEAN_CHANGE), MEAN_CHANGE, "plot_rose_same_fell")
    counts = ["n_up", "n_same", "n_down"]
    _require_columns(frame, counts, "plot_rose_same_fell")
    known = pl.all_horizontal(pl.col([*counts, "n_pairs"]).is_not_null()) & (pl.col("n_pairs") > 0)
    kept = frame.with_columns(
        row=_name(row, ALL_PAIRS),
        **{name: pl.when(known).then(name) for name in counts},
        pairs=pl.when(known).then("n_pairs"),
    ).with_columns(note=note_of("n_up"))
    long = kept.unpivot(counts, index=["row", "pairs", "note"], variable_name="series").select(
        "row",
        pl.col("series").replace_strict(dict(zip(counts, PARTS, strict=True)), return_dtype=pl.String),
        "value",
        "pairs",
        # One mark per bar, not one per part.
        note=pl.when(pl.col("series") == counts[0]).then("note").otherwise(pl.lit("")),
    )
    drawn = long.filter((pl.col("note") != "") | pl.col("value").is_not_null())
    said = [
        sentence(title),
        f"Bars of 100%{_by(row)}: pairs of answers that {', stayed the '.join(PARTS[:2])} or {PARTS[2]}.",
        *(_parts_in_words(line) for line in kept.filter(pl.col("note") == "").iter_rows(named=True)),
        *without_number(kept),
    ]
    return part_bars(
        drawn,
        kept["row"].to_list(),
        title=title,
        axis="Share of pairs (%)",
        row_name=column_heading(row or "all"),
        said=" ".join(said),
    )


def _parts_in_words(line: Mapping[str, Any]) -> str:
    parts = f"{line['n_up']:,} rose, {line['n_same']:,} stayed the same, {line['n_down']:,} fell"
    return f"{line['row']}: {numbered(line['pairs'], 'pair')}, {parts}."


@of_tested_parts
def plot_question_changes(table: Safe, *, title: str, second: str = AFTER) -> alt.LayerChart:
    """Draw the share of right answers to each question before and after.

    Parameters
    ----------
    table
        A safe table of shape item_change by question. Ratings, which have no right answer, are left out.
    title
        Title of the chart: what it shows.
    second
        What the later of the two times is called, such as ``"at follow-up"``.

    Returns
    -------
    alt.LayerChart
        Two symbols per question in the order of the table, the newly right and the newly wrong answers in words. A
        question of which a number is hidden has "[c]" and nothing else. Long questions are cut short; the pointer shows
        them whole.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, or other group columns than question.
    """
    frame = opened(table, ITEM_CHANGE)
    if frame.is_empty():
        return nothing(title)
    frame, _ = _by_row(frame, ITEM_CHANGE, "plot_question_changes", "question")
    parts = ["share_before", "share_after", *ITEM_CHANGE.parts]
    _require_columns(frame, parts, "plot_question_changes")
    known = pl.all_horizontal(pl.col([*parts, "n_pairs"]).is_not_null())
    # A rating has counts and no shares.
    right = frame.filter(pl.any_horizontal(pl.col(parts[:2]).is_not_null()) | (pl.col("mark") != ""))
    lines = [
        {
            "row": line["question"],
            "before": line["share_before"],
            "after": line["share_after"],
            "words": f"newly right {line['n_up']:,}, newly wrong {line['n_down']:,} of {line['n_pairs']:,}",
            "aside": "",
            "note": "",
        }
        if shown
        else {"row": line["question"], "words": "", "aside": "", "note": line["mark"] or NO_FIGURE}
        for line, shown in zip(right.iter_rows(named=True), right.select(known).to_series(), strict=True)
    ]
    drawn = pl.DataFrame(lines, schema=_DUMBBELL)
    said = [
        sentence(title),
        f"Two symbols, by question: share of right answers before and {second}.",
        *_changes_in_words(drawn, right, second),
        *without_number(drawn),
    ]
    return dumbbells(
        drawn,
        title=title,
        axis="Right answers (%)",
        row_name="Question",
        number_format=".0%",
        ends=(0.0, 1.0),
        second=second,
        said=" ".join(said),
    )


_DUMBBELL = {
    "row": pl.String,
    **dict.fromkeys((BEFORE, AFTER), pl.Float64),
    **dict.fromkeys(("words", "aside", "note"), pl.String),
}


def _changes_in_words(drawn: pl.DataFrame, right: pl.DataFrame, second: str) -> list[str]:
    """The largest and the smallest change of the questions that are shown, with their shares."""
    sizes = drawn.with_columns(pairs=right["n_pairs"], change=(pl.col(AFTER) - pl.col(BEFORE)).round(10))
    ranked = sizes.filter(pl.col("note") == "").sort("change", maintain_order=True)
    ends = {"Largest change": -1, "Smallest change": 0} if ranked.height > 1 else {"Change": 0}
    said = []
    for name, place in ends.items() if ranked.height else ():
        row = ranked.row(place, named=True)
        shares = f"{percent(row[BEFORE], row['pairs'])} {BEFORE}, {percent(row[AFTER], row['pairs'])} {second}"
        said.append(f"{name}: {row['row']}: {shares}, {row['words']}.")
    return said


@of_tested_parts
def plot_forest(
    table: Safe,
    *,
    title: str,
    group: str | None = None,
    meaningful_gain: float | None = None,
    standardised: bool = False,
) -> alt.LayerChart:
    """Draw the mean gain of each group with its interval, one beneath the other, and that of all.

    Parameters
    ----------
    table
        A safe table of shape mean_change with one group column, such as course.
    title
        Title of the chart: what it shows.
    group
        The group column, where several have more than one value each.
    meaningful_gain
        The gain, in points, that was fixed beforehand as worth having: a dashed line.
    standardised
        Draw g_av in place of points, so that courses of different questionnaires can be compared.

    Returns
    -------
    alt.LayerChart
        A dot with its interval per group, the largest gain first, then groups without an interval, which have their
        number of pairs alone; hidden ones have "[c]". The "Total" stands last, as a diamond.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape or several group columns; when it has no g_av to draw, or a
        meaningful gain in points is to be drawn beside it.
    """
    frame, row = _by_row(opened(table, MEAN_CHANGE), MEAN_CHANGE, "plot_forest", group)
    value, lower, upper = ("g_av", "g_av_lower", "g_av_upper") if standardised else ("mean_change", "lower", "upper")
    _require_columns(frame, [value, lower, upper], "plot_forest")
    if standardised and meaningful_gain is not None:
        raise ParameterError("plot_forest: a meaningful gain is in points, and g_av is not. Leave one of them out.")
    decimals = 2 if standardised else 1
    drawn = _with_intervals(frame, row, (value, lower, upper), lambda line: _ends_in_words(line, decimals))
    drawn = drawn.sort(pl.col("row") == TOTAL, -pl.col("value"), "row", nulls_last=True)
    worded = pl.col("words") != ""  # with their pairs: beside a long name there is no room on a telephone
    drawn = drawn.with_columns(
        words=pl.when(worded, pl.col("aside") != "")
        .then(pl.concat_str("words", pl.lit(", "), "aside"))
        .otherwise("words"),
        aside=pl.when(worded).then(pl.lit("")).otherwise("aside"),
    )
    what = "mean gain in units of the spread of scores" if standardised else "mean gain in points"
    return _as_forest(
        drawn,
        title=title,
        what=f"Dots with intervals{_by(row)}: {what}",
        axis="Mean gain, by spread of scores (0 = no change)" if standardised else "Mean gain, points (0 = no change)",
        row_name=column_heading(row or "all"),
        aim=None if meaningful_gain is None else ("meaningful gain", meaningful_gain),
    )


@of_tested_parts
def plot_waves(table: Safe, *, title: str) -> alt.LayerChart:
    """Draw how the mean score changed between each two of the times at which people were asked.

    Parameters
    ----------
    table
        A safe table of shape mean_change with one group column, such as comparison.
    title
        Title of the chart: what it shows.

    Returns
    -------
    alt.LayerChart
        A dot with its interval per comparison, in the order of the table, and its two means in words. They are not one
        line over the waves: each comparison is of the people who answered both of its times, and these differ.
        Comparisons without an interval have their number of pairs alone; hidden ones have "[c]".

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, or several group columns.
    """
    frame, row = _by_row(opened(table, MEAN_CHANGE), MEAN_CHANGE, "plot_waves")
    columns = ("mean_change", "lower", "upper")
    _require_columns(frame, [*columns, "mean_pre", "mean_post"], "plot_waves")
    return _as_forest(
        _with_intervals(frame, row, columns, _waves_in_words),
        title=title,
        what=f"Dots with intervals{_by(row)}: change of the mean score in points",
        axis="Change of the mean, points (0 = no change)",
        row_name=column_heading(row or "all"),
        aim=None,
    )


def _ends_in_words(line: Mapping[str, Any], decimals: int) -> str:
    return _with_interval(line["value"], line["lower"], line["upper"], decimals)


def _waves_in_words(line: Mapping[str, Any]) -> str:
    means = f"{with_minus(line['mean_pre'])} to {with_minus(line['mean_post'])}"
    return f"{means}: change {_ends_in_words(line, 1)}"


def _with_intervals(frame: pl.DataFrame, row: str | None, columns: Sequence[str], words: Any) -> pl.DataFrame:
    """The fields of a chart of intervals; a row without an interval has no number but its pairs."""
    value, lower, upper = (pl.col(name) for name in columns)
    whole = pl.all_horizontal(one.is_not_null() for one in (value, lower, upper))
    note = pl.when(value.is_not_null()).then(pl.lit(NO_INTERVAL)).otherwise(note_of(columns[0]))
    kept = frame.select(
        _name(row, "All").alias("row"),
        *(pl.when(whole).then(one).alias(name) for name, one in zip(("value", "lower", "upper"), columns, strict=True)),
        *(name for name in ("mean_pre", "mean_post") if name in frame.columns),
        "n_pairs",
        note=pl.when(whole).then(pl.lit("")).otherwise(note),
    )
    lines = list(kept.iter_rows(named=True))
    texts = [words(line) if line["note"] == "" else "" for line in lines]
    asides = ["" if line["n_pairs"] is None else numbered(line["n_pairs"], "pair") for line in lines]
    return kept.select(
        *("row", "value", "lower", "upper", "note"),
        words=pl.Series(texts, dtype=pl.String),
        aside=pl.Series(asides, dtype=pl.String),
    )


def _as_forest(
    drawn: pl.DataFrame, *, title: str, what: str, axis: str, row_name: str, aim: tuple[str, float] | None
) -> alt.LayerChart:
    said = [
        sentence(title),
        sentence(what),
        *(
            f"{line['row']}: {', '.join(filter(None, (line['words'] or line['note'], line['aside'])))}."
            for line in drawn.iter_rows(named=True)
            if line["note"] in ("", NO_INTERVAL)
        ),
        *without_number(drawn.with_columns(pl.col("note").replace(NO_INTERVAL, ""))),
    ]
    return forest(
        drawn,
        title=title,
        axis=axis,
        row_name=row_name,
        number_format=",.6~g",
        overall=TOTAL,
        aim=aim,
        said=" ".join(said),
    )


@of_tested_parts
def plot_before_after(
    table: Safe, *, title: str, group: str | None = None, scale: tuple[float, float] | None = None, second: str = AFTER
) -> alt.LayerChart:
    """Draw the mean before and after of each group, with its shrunken gain in words.

    Parameters
    ----------
    table
        A safe table of shape mean_change with one group column, such as agency or district.
    title
        Title of the chart: what it shows.
    group
        The group column, where several have more than one value each.
    scale
        Lowest and highest score of the questionnaire, which the axis then shows; where it is not given the axis fits
        the numbers.
    second
        What the later of the two times is called, such as ``"at follow-up"``.

    Returns
    -------
    alt.LayerChart
        Two symbols per group in the order of the table, the "Total" first: so few pairs each cannot rank groups, so
        they are not sorted by their gain and have no intervals. Hidden groups have "[c]".

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, lacks a mean, or has several group columns.
    """
    frame, row = _by_row(opened(table, MEAN_CHANGE), MEAN_CHANGE, "plot_before_after", group)
    _require_columns(frame, ["mean_pre", "mean_post"], "plot_before_after")
    known = pl.all_horizontal(pl.col("mean_pre", "mean_post").is_not_null())
    kept = frame.with_columns(
        row=_name(row, "All"), note=pl.when(known).then(pl.lit("")).otherwise(note_of("mean_pre"))
    )
    lines = [
        {
            "row": line["row"],
            "before": line["mean_pre"] if line["note"] == "" else None,
            "after": line["mean_post"] if line["note"] == "" else None,
            "words": _means_in_words(line) if line["note"] == "" else "",
            "aside": "" if line["note"] == "" or line["n_pairs"] is None else numbered(line["n_pairs"], "pair"),
            "note": line["note"],
        }
        for line in kept.iter_rows(named=True)
    ]
    drawn = pl.DataFrame(lines, schema=_DUMBBELL)
    said = [
        sentence(title),
        f"Two symbols{_by(row)}: mean score before and {second}, in points.",
        *(f"{line['row']}: {line['words']}." for line in lines if line["note"] == ""),
        *without_number(drawn),
    ]
    means = [number for name in (BEFORE, AFTER) for number in drawn[name].drop_nulls()] or [0.0, 1.0]
    room = max(max(means) - min(means), 1.0) * 0.1
    return dumbbells(
        drawn,
        title=title,
        axis="Mean score, points",
        row_name=column_heading(row or "all"),
        number_format=",.6~g",
        ends=scale or (min(means) - room, max(means) + room),
        second=second,
        said=" ".join(said),
    )


def _means_in_words(line: Mapping[str, Any]) -> str:
    """The two means, what is left of their difference once chance is allowed for, and how many pairs they are of."""
    shrunken, pairs = line.get("shrunken"), line["n_pairs"]
    means = f"{with_minus(line['mean_pre'])} to {with_minus(line['mean_post'])}"
    likely = "" if shrunken is None else f"likely gain {with_minus(shrunken)}"
    return "; ".join(filter(None, [means, likely, "" if pairs is None else numbered(pairs, "pair")]))


def _by_row(frame: pl.DataFrame, shape: Shape, plot: str, group: str | None = None) -> tuple[pl.DataFrame, str | None]:
    """The rows with the "Total" first, and their one group column; None where there is none."""
    row, other = split_groups(frame, shape, group)
    if other is not None:
        raise ParameterError(
            f"{plot} draws one group column. Found: {row}, {other}. Keep one value of {other}, or work it out without."
        )
    if row is None and frame.height > 1:
        raise ParameterError(f"{plot} draws one row per group. Found: {frame.height} rows without a group column.")
    return (frame if row is None else frame.sort(_name(row, "") != TOTAL, maintain_order=True)), row


def _name(row: str | None, without: str) -> pl.Expr:
    return pl.lit(without) if row is None else pl.col(row).cast(pl.String).fill_null("not stated")


def _by(row: str | None) -> str:
    return "" if row is None else f", by {within(column_heading(row))}"


def _require_columns(frame: pl.DataFrame, columns: Sequence[str], plot: str) -> None:
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ParameterError(f"{plot} draws {', '.join(columns)}. Missing: {', '.join(missing)}.")
