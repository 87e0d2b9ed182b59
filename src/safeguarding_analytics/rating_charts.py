"""Ratings before and after training: how the answers of a scale lie around its middle.

They keep the conventions of `charts`: a `Safe` table in, an Altair chart out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

import safeguarding_analytics.charts  # noqa: F401 - enables the theme and the renderer
from safeguarding_analytics.chart_figures import of_tested_parts
from safeguarding_analytics.chart_marks import COLOURS, INK, finish, in_digits, nothing
from safeguarding_analytics.chart_pairs import AFTER, BEFORE, Blocks, fixed_line, where
from safeguarding_analytics.chart_rows import NO_FIGURE, opened, sentence, without_number
from safeguarding_analytics.errors import ParameterError, nearest, numbered, shorten
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.shapes import COUNT
from safeguarding_analytics.tables import TOTAL

_BAR = 26  # pixels from bar to bar
_MOST_ANSWERS = 11  # of a scale: 0 to 10
_WAVES = {name: place for place, name in enumerate(("then", BEFORE, AFTER, "follow_up", "follow-up"))}


@of_tested_parts
def plot_diverging(
    table: Safe,
    *,
    title: str,
    question_order: Sequence[str] | None = None,
    answer_order: Sequence[str] | None = None,
    second: str = AFTER,
) -> alt.LayerChart:
    """Draw how each question was answered before and after, around the middle of the scale.

    Parameters
    ----------
    table
        A safe table of shape count with the group columns question, wave and answer; its totals are left out. The
        questions have one scale of answers: those of another are for a chart of their own.
    title
        Title of the chart: what it shows.
    question_order
        The questions from the top; those that are not named follow. The order of the table where it is not given.
    answer_order
        The whole scale from the lowest answer to the highest, 2 to 11 of them. Where it is not given answers must be
        whole numbers, and the scale of every question runs from the same smallest to the same largest.
    second
        What the later of the two times is called, such as ``"at follow-up"``.

    Returns
    -------
    alt.LayerChart
        A bar per question and wave. Answers below the middle of the scale stand to the left of 0, those above it to the
        right, the middle itself (of a scale of odd length) half on each side; the shares below and above stand at the
        ends. A bar of which a number is hidden is replaced by "[c]".

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape or other group columns; when a question or an answer is not
        known, or the order of the answers is not.
    """
    frame = opened(table, COUNT)
    if frame.is_empty():
        return nothing(title)
    groups = COUNT.group_columns(frame.columns)
    if groups != ["question", "wave", "answer"]:
        raise ParameterError(
            f"plot_diverging draws counts by question, wave and answer. Found: {', '.join(groups) or 'none'}."
        )
    cells = frame.with_columns(pl.col(groups).cast(pl.String)).filter(
        *(pl.col(name).is_not_null() & (pl.col(name) != TOTAL) for name in groups)
    )
    if cells.is_empty():
        return nothing(title)
    answers = _answers_in_order(cells, answer_order)
    found = cells["question"].unique(maintain_order=True).to_list()
    unknown = [name for name in question_order or () if name not in found]
    if unknown:
        raise ParameterError(
            f"question_order: {shorten(unknown)} not among the questions of the table.{nearest(unknown[0], found)}"
        )
    order = list(dict.fromkeys([*(question_order or ()), *found]))
    waves = sorted(cells["wave"].unique().to_list(), key=lambda wave: (_WAVES.get(wave, len(_WAVES)), wave))
    hidden = ((pl.col("count").is_null()) | (pl.col("mark") != "")).any().over("question", "wave")
    nobody = pl.col("count").sum().over("question", "wave") == 0
    mark = pl.col("mark").sort(descending=True).first().over("question", "wave")
    note = pl.when(hidden).then(pl.when(mark != "").then(mark).otherwise(pl.lit(NO_FIGURE)))
    drawn = cells.select(
        pl.col("question").alias("row"),
        pl.col("wave").alias("series"),
        "answer",
        pl.when(~hidden & ~nobody).then("count").alias("value"),
        note.when(nobody).then(pl.lit(NO_FIGURE)).otherwise(pl.lit("")).alias("note"),
    )
    # One mark for a bar, not one for each of its answers.
    seen = pl.col("note") == ""
    drawn = drawn.filter(seen | pl.struct("row", "series").is_first_distinct()).with_columns(
        pl.when(seen).then("answer")
    )
    sums = _below_and_above(drawn, answers)
    bars = drawn.group_by("row", "series", maintain_order=True).agg(pl.col("note").first())
    said = [
        sentence(title),
        "Bars around the middle of the scale, by question and wave: shares of the answers.",
        *_direction_in_words(sums, order, second),
        *without_number(bars),
    ]
    return _diverging_bars(
        drawn,
        order,
        waves,
        answers,
        title=title,
        ends=(-max([0.1, *sums["left"]]), max([0.1, *sums["right"]])),
        second=second,
        said=" ".join(said),
    )


def _answers_in_order(cells: pl.DataFrame, given: Sequence[str] | None) -> list[str]:
    """The scale from its lowest answer to its highest."""
    found = cells["answer"].unique(maintain_order=True).to_list()
    if given is not None:
        unknown = [name for name in found if name not in given]
        if unknown:
            raise ParameterError(
                f"answer_order lacks answers of the table: {shorten(unknown)}. Found in answer_order: {shorten(given)}."
            )
        scale = list(given)
    elif all(name.isdecimal() for name in found):
        number = pl.col("answer").cast(pl.Int64)
        ends = cells.group_by("question").agg(low=number.min(), high=number.max()).select("low", "high").unique()
        if ends.height > 1:
            scales = [f"{low} to {high}" for low, high in sorted(ends.rows())]
            raise ParameterError(
                f"plot_diverging draws questions of one scale. Found: {shorten(scales)}. "
                "Draw those of each by themselves, or give the whole scale as answer_order."
            )
        scale = [str(each) for each in range(ends["low"][0], ends["high"][0] + 1)]
    else:
        raise ParameterError(
            f"the order of the answers is not known: {shorten(found)}. "
            "Name them in answer_order, from the lowest to the highest."
        )
    if not 2 <= len(scale) <= _MOST_ANSWERS:
        raise ParameterError(
            f"plot_diverging draws scales of 2 to {_MOST_ANSWERS} answers. Found: {numbered(len(scale), 'answer')}."
        )
    return scale


def _below_and_above(drawn: pl.DataFrame, answers: Sequence[str]) -> pl.DataFrame:
    """How far each bar that is shown reaches to the left and to the right, as shares; ``rest`` is right less left."""
    place = pl.col("answer").replace_strict(
        {name: place - (len(answers) - 1) / 2 for place, name in enumerate(answers)}, return_dtype=pl.Float64
    )
    count = pl.col("value")
    middle = count.filter(place == 0).sum() / 2
    return (
        drawn.filter(pl.col("note") == "")
        .group_by("row", "series", maintain_order=True)
        .agg(
            left=(count.filter(place < 0).sum() + middle) / count.sum(),
            right=(count.filter(place > 0).sum() + middle) / count.sum(),
        )
        .with_columns(rest=(pl.col("right") - pl.col("left")).round(10))
    )


def _direction_in_words(sums: pl.DataFrame, order: Sequence[str], second: str) -> list[str]:
    """Which questions were answered higher after than before, and which lower."""
    rest = {(row, series): rest for row, series, rest in sums.select("row", "series", "rest").iter_rows()}
    both = [name for name in order if (name, BEFORE) in rest and (name, AFTER) in rest]
    moved = {name: rest[name, AFTER] - rest[name, BEFORE] for name in both}
    kinds = {
        f"Higher answers {second} than before": [name for name in both if moved[name] > 0],
        f"Lower answers {second} than before": [name for name in both if moved[name] < 0],
        f"As high {second} as before": [name for name in both if moved[name] == 0],
    }
    said = {kind: "; ".join(name.removesuffix(".") for name in names) for kind, names in kinds.items()}
    return [sentence(f"{kind}: {names}") for kind, names in said.items() if names]


def tints(colour: str, count: int) -> list[str]:
    """A colour in so many steps, from itself to a light one.

    Examples
    --------
    >>> tints("#000000", 2)
    ['#000000', '#B2B2B2']
    """
    parts = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    lightest = 0.7
    steps = [lightest * place / max(1, count - 1) for place in range(count)]
    return ["#" + "".join(f"{round(part + (255 - part) * step):02X}" for part in parts) for step in steps]


def scale_colours(count: int) -> list[str]:
    """Colours of a scale of answers: two ramps that meet in the middle, which is white where there is one.

    Examples
    --------
    >>> scale_colours(5)[0], scale_colours(5)[2], scale_colours(5)[4], len(scale_colours(10))
    ('#F46A25', 'white', '#12436D', 10)
    """
    half = count // 2
    return [*tints(COLOURS[3], half), *(["white"] if count % 2 else []), *reversed(tints(COLOURS[0], half))]


def _diverging_bars(
    drawn: pl.DataFrame,
    order: list[str],
    waves: list[str],
    answers: list[str],
    *,
    title: str,
    ends: tuple[float, float],
    second: str,
    said: str,
) -> alt.LayerChart:
    """A bar per row and wave of the shares of its answers, those below the middle to the left of 0."""
    blocks = Blocks(order, _BAR * len(waves), words=False)
    room = (ends[1] - ends[0]) * 0.14  # for the shares at the ends of the bars
    called = {AFTER: second}
    lane = 14 + 7 * max(len(called.get(wave, wave)) for wave in waves)  # pixels left of the bars, for their names
    scale = alt.Scale(domain=[ends[0] - room, ends[1] + room], nice=False, range=[lane, alt.expr("width")])
    layers = fixed_line(blocks, 0, "", scale)
    for place, wave in enumerate(waves):
        offset = blocks.height / 2 - _BAR * (len(waves) - place - 0.5)
        here = f"datum.series == {json.dumps(wave)}"
        asked = drawn.filter(pl.col("series") == wave)["row"].unique(maintain_order=True).to_list()
        name = alt.Chart(alt.InlineData(values=[{"row": row} for row in asked]))
        note = where(f"{here} && datum.note != ''").mark_text(align="left", dy=offset)
        layers += [
            *_bars_of_answers(_stacked(here, answers), answers, blocks.y, scale, offset),
            name.mark_text(align="left", dy=offset, text=called.get(wave, wave)).encode(x=alt.XValue(0), y=blocks.y),
            note.encode(x=alt.XValue(lane), y=blocks.y, text=alt.Text("note:N")),
        ]
    return finish([*layers, *blocks.names("Question")], drawn, title=title, said=said, height=blocks.all)


def _stacked(here: str, answers: Sequence[str]) -> alt.Chart:
    """The bars of a wave with the ends of each answer, worked out where they are drawn.

    A chart holds no number but those of the table.
    """
    by: list[Any] = ["row", "series"]
    half, odd = len(answers) // 2, len(answers) % 2
    middle = f"datum.place == {half} ? datum.share / 2 : 0" if odd else "0"
    stacked: alt.Chart = (
        where(f"{here} && isValid(datum.value)")
        .transform_joinaggregate(whole="sum(value)", groupby=by)
        .transform_calculate(place=f"indexof({json.dumps(answers)}, datum.answer)", share="datum.value / datum.whole")
        .transform_calculate(
            under=f"datum.place < {half} ? datum.share : 0",
            over=f"datum.place >= {half + odd} ? datum.share : 0",
            left=f"datum.place < {half} ? datum.share : {middle}",
        )
        .transform_joinaggregate(left_of_middle="sum(left)", groupby=by)
        .transform_window(end="sum(share)", sort=[alt.SortField("place")], groupby=by, frame=[None, 0])
        .transform_calculate(stop="datum.end - datum.left_of_middle")
        .transform_calculate(start="datum.stop - datum.share")
    )
    return stacked


def _bars_of_answers(
    stacked: alt.Chart, answers: list[str], y: alt.Y, scale: alt.Scale, offset: float
) -> list[alt.Chart]:
    """Bars in the colours of their answers, with the shares below and above the middle at their ends."""
    letters = max(map(len, answers))
    legend = alt.Legend(
        title="Answer, low to high",
        columns=1 if letters > 18 else 2 if letters > 4 else 5,
        symbolStrokeColor=INK,
        symbolStrokeWidth=0.5,
        symbolOpacity=1,
    )
    colours = alt.Scale(domain=answers, range=scale_colours(len(answers)))
    colour = alt.Color("answer:N", sort=answers, scale=colours, legend=legend)
    hover = [
        alt.Tooltip("row:N", title="Question"),
        alt.Tooltip("series:N", title="When"),
        alt.Tooltip("answer:N", title="Answer"),
        alt.Tooltip("value:Q", title="Answers", format=",d"),
        alt.Tooltip("share_words:N", title="Share"),
    ]
    spoken = alt.expr("datum.row + ', ' + datum.series + ', answer ' + datum.answer + ': ' + format(datum.value, ',')")
    words = {name: in_digits(f"datum.{name}", "'.0%'") for name in ("share", "under", "over")}
    each = stacked.transform_calculate(share_words=words["share"])
    bar = each.mark_bar(height=20, yOffset=offset, stroke=INK, strokeWidth=0.5, description=spoken)
    ticks = alt.Axis(title="Share of answers (%)", labelExpr="format(abs(datum.value), '.0%')", tickCount=6)
    ends = stacked.transform_aggregate(
        under="sum(under)", over="sum(over)", first="min(start)", last="max(stop)", groupby=["row", "series"]
    ).transform_calculate(under_words=words["under"], over_words=words["over"])
    left, right = ends.mark_text(align="right", dx=-5, dy=offset), ends.mark_text(align="left", dx=5, dy=offset)
    x = {name: alt.X(f"{name}:Q", axis=ticks, scale=scale) for name in ("start", "first", "last")}
    return [
        bar.encode(x=x["start"], x2=alt.X2("stop:Q"), y=y, color=colour, tooltip=hover),
        left.encode(x=x["first"], y=y, text=alt.Text("under_words:N")),
        right.encode(x=x["last"], y=y, text=alt.Text("over_words:N")),
    ]
