"""The marks of charts whose names stand above them: from stage to stage, before beside after, parts, intervals by row.

Each row has its name and its words above its marks. There they have the whole width, so that a question can be read on
a telephone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import TextWrapper
from typing import Any

import altair as alt
import polars as pl

from safeguarding_analytics.chart_marks import COLOURS, INK, Drawn, finish, heading, in_digits, nothing

BEFORE, AFTER = "before", "after"
PARTS = ("rose", "same", "fell")
"""What becomes of a pair of answers, from the left to the right of a bar."""

_LETTERS, _MORE_LETTERS = 36, 88  # of a line of a name: as many as fit on a telephone, and on a wide screen
_WIDE = 700  # pixels from which on a screen is wide
_LINE = 18  # pixels of a line of text
_GAP, _MARKS = 14, 26  # pixels above the name of a row, and of its marks
_MANY_ROWS = 12
_CLOSER = (4, 20)  # the same where there are more rows, so that letters are not too small on one page of paper
_PERCENT = "datum.whole < 100 || width < 440 ? '.0%' : '.1%'"
"""One decimal only where there are a hundred or more, and where there is room."""


def name_lines(name: str, letters: int = _LETTERS, most: int = 3) -> list[str]:
    """A name in lines that fit on a telephone; what does not fit into the last of them is cut off.

    Examples
    --------
    >>> name_lines("Which of these is a sign of neglect?")
    ['Which of these is a sign of neglect?']
    >>> name_lines("Whom do you tell first when a child tells you something that worries you?", most=2)
    ['Whom do you tell first when a child', 'tells you something that worries…']
    """
    lines = TextWrapper(width=letters, break_on_hyphens=False).wrap(name) or [name]
    if len(lines) <= most:
        return lines
    last = lines[most - 1]
    # An ellipsis needs room, and stands behind a whole word.
    last = last if len(last) < letters else last.rpartition(" ")[0] or last[: letters - 1]
    return [*lines[: most - 1], f"{last}…"]


@dataclass(frozen=True)
class Blocks:
    """Rows one above the other: name, words and marks, in pixels from the middle of the row."""

    order: list[str]
    marks: int
    words: bool = True

    @property
    def height(self) -> int:
        """Of one row."""
        gap = _GAP if len(self.order) <= _MANY_ROWS else _CLOSER[0]
        return gap + _LINE * (self._most + self.words) + self.marks

    @property
    def _most(self) -> int:
        return max(len(name_lines(name)) for name in self.order)

    @property
    def all(self) -> int:
        """Pixels of all rows."""
        return self.height * len(self.order)

    @property
    def y(self) -> alt.Y:
        """The place of a row."""
        return alt.Y("row:N", sort=self.order, axis=None, scale=alt.Scale(type="band", padding=0))

    @property
    def middle(self) -> float:
        """Where the middle of the marks is."""
        return self.height / 2 - self.marks / 2

    @property
    def above(self) -> float:
        """Where the first line of words begins."""
        return self.height / 2 - self.marks - _LINE * self.words

    def names(self, row_name: str) -> list[alt.Chart]:
        """The name of each row, above its words; the pointer shows it whole."""
        narrow, wide = ([name_lines(name, letters) for name in self.order] for letters in (_LETTERS, _MORE_LETTERS))
        tops = ([self.above - _LINE * len(lines) for lines in names] for names in (narrow, wide))
        found = f"[indexof({json.dumps(self.order)}, datum.row)]"
        texts, places = (
            alt.expr(f"(width < {_WIDE} ? {json.dumps(one)} : {json.dumps(other)}){found}")
            for one, other in ((narrow, wide), tuple(tops))
        )
        return _haloed(
            alt.Chart(alt.InlineData(values=[{"row": name} for name in self.order])),
            {"x": alt.XValue(0), "y": self.y, "tooltip": [alt.Tooltip("row:N", title=row_name)]},
            align="left",
            baseline="top",
            dy=places,
            lineHeight=_LINE,
            fontWeight="bold",
            text=texts,
        )

    def text(self, chart: alt.Chart, words: str, *, beside_name: bool = False, align: str = "left") -> list[alt.Chart]:
        """A line of words of each row: under the name at the left, or beside it at the right end."""
        place = "right" if beside_name else align
        x = {"left": "0", "center": "width / 2", "right": "width"}[place]
        return _haloed(
            chart,
            {"x": alt.XValue(alt.expr(x)), "y": self.y, "text": alt.Text(f"{words}:N")},
            align=place,
            baseline="top",
            dy=self.above - _LINE * beside_name,
        )

    def notes(self) -> list[alt.Chart]:
        """What stands at the baseline in place of a number."""
        words = {"x": alt.XValue(0), "y": self.y, "text": alt.Text("note:N")}
        return _haloed(where("datum.note != ''"), words, align="left", dy=self.middle)


def _one_below_the_other(order: list[str]) -> Blocks:
    """Blocks of symbols, which need less room than bars where there are many."""
    return Blocks(order, _MARKS if len(order) <= _MANY_ROWS else _CLOSER[1])


def where(condition: str) -> alt.Chart:
    """The rows that are drawn by a mark."""
    return alt.Chart().transform_filter(condition)


def _haloed(chart: alt.Chart, encoding: dict[str, Any], **mark: Any) -> list[alt.Chart]:
    """Text with a white edge, which keeps it readable where a line runs through it."""
    edge = {name: value for name, value in encoding.items() if name != "tooltip"}
    return [
        chart.mark_text(**mark, stroke="white", strokeWidth=4, aria=False).encode(**edge),
        chart.mark_text(**mark).encode(**encoding),
    ]


def stages(drawn: pl.DataFrame, groups: Sequence[str], *, title: str, axis: str, said: str) -> alt.LayerChart:
    """Bars from one baseline, each with its name, its number, and what share it is of the row of all totals."""
    blocks = Blocks(drawn["row"].to_list(), _MARKS)
    everybody = " && ".join(f"datum.{name} == 'Total'" for name in groups)
    share = in_digits("datum.value / datum.whole", _PERCENT)
    worked_out = (
        alt.Chart()
        .transform_calculate(all=f"{everybody} ? datum.value : null")
        .transform_joinaggregate(whole="max(all)")
        .transform_filter("isValid(datum.value)")
        .transform_calculate(
            words=f"format(datum.value, ',') + ({everybody} || !(datum.whole > 0) ? '' : ' of ' + "
            f"format(datum.whole, ',') + ': ' + {share})"
        )
    )
    end = max([1, *drawn["value"].drop_nulls()])
    ticks = alt.Axis(title=axis, format=",d", tickMinStep=1, tickCount=6, grid=False)
    x = alt.X("value:Q", axis=ticks, scale=alt.Scale(domain=[0, end], nice=False))
    hover = [alt.Tooltip("row:N", title="Counted"), alt.Tooltip("words:N", title="Shown")]
    bar = worked_out.mark_bar(
        height=18, yOffset=blocks.middle, color=COLOURS[0], description=alt.expr("datum.row + ': ' + datum.words")
    ).encode(x=x, y=blocks.y, tooltip=hover)
    layers = [bar, *blocks.names("Counted"), *blocks.text(worked_out, "words"), *blocks.notes()]
    return finish(layers, drawn, title=title, said=said, height=blocks.all, filtered=["row"])


def funnel_bars(drawn: pl.DataFrame, *, title: str, axis: str, said: str) -> alt.LayerChart:
    """Bars from one baseline in the order of the rows, each with its name and its numbers above it.

    What a bar shows is ``value`` without ``less``. Numbers that follow from those of the table are worked out where
    they are drawn, so that the chart holds no number but those of the table.
    """
    order = drawn["row"].to_list()
    share = in_digits(
        "isValid(datum.share) ? datum.share : datum.number / datum.whole", "datum.whole < 100 ? '.0%' : '.1%'"
    )
    words = (
        "datum.note != '' ? datum.note : format(datum.number, ',') + (!(datum.whole > 0) ? '' : "
        f"' of ' + format(datum.whole, ',') + ' ' + datum.of + ': ' + {share})"
    )
    counted = alt.Chart().transform_calculate(number="isValid(datum.value) ? datum.value - datum.less : null")
    worked_out = counted.transform_calculate(words=words)
    y = alt.Y("row:N", sort=order, axis=None, scale=alt.Scale(padding=0))
    end = max([1, *drawn["value"].drop_nulls()])
    ticks = alt.Axis(title=axis, format=",d", tickMinStep=1, tickCount=6, grid=False)
    x = alt.X("number:Q", axis=ticks, scale=alt.Scale(domain=[0, end], nice=False))
    hover = [alt.Tooltip("row:N", title="Counted"), alt.Tooltip("words:N", title="Shown")]
    outlined: Any = {"test": "datum.outline", "value": "white"}
    colour = alt.ColorValue(COLOURS[0], condition=outlined)
    bar = worked_out.transform_filter("isValid(datum.number)").mark_bar(
        height=18, yOffset=18, stroke=COLOURS[0], strokeWidth=2, description=alt.expr("datum.row + ': ' + datum.words")
    )
    name = (
        alt.Chart()
        .mark_text(align="left", dy=-19, fontWeight="bold")
        .encode(x=alt.XValue(0), y=y, text=alt.Text("row:N"))
    )
    text = worked_out.mark_text(align="left", dy=-2).encode(x=alt.XValue(0), y=y, text=alt.Text("words:N"))
    layers = [bar.encode(x=x, y=y, color=colour, tooltip=hover), name, text]
    return finish(layers, drawn, title=title, said=said, height=68 * len(order))


def part_bars(
    drawn: pl.DataFrame, order: list[str], *, title: str, axis: str, row_name: str, said: str
) -> alt.LayerChart:
    """A bar of 100% per row in three parts, with the words of each part above it at the same place in every row."""
    if drawn.is_empty():
        return nothing(title)
    blocks = Blocks(order, _MARKS)
    share = in_digits("datum.value / datum.whole", _PERCENT)
    worked_out = (
        where("isValid(datum.value)")
        .transform_joinaggregate(whole="sum(value)", groupby=["row"])
        .transform_calculate(
            place=f"indexof({json.dumps(PARTS)}, datum.series)",
            words=f"datum.series + ' ' + {share} + ' (' + format(datum.value, ',') + ')'",
            counted="format(datum.pairs, ',') + (datum.pairs == 1 ? ' pair' : ' pairs')",
        )
    )
    ticks = alt.Axis(title=axis, format=".0%", tickCount=5, grid=False)
    x = alt.X("value:Q", stack="normalize", axis=ticks)
    hover = [alt.Tooltip("row:N", title=row_name), alt.Tooltip("words:N", title="Shown")]
    # Dark, white, and between: they can be told apart in grey too, and stand in the order of their words.
    colour = alt.Color(
        "series:N",
        scale=alt.Scale(domain=list(PARTS), range=[COLOURS[0], "white", COLOURS[3]]),
        legend=alt.Legend(title=None, symbolStrokeColor=INK, symbolStrokeWidth=1, symbolOpacity=1, columns=3),
    )
    bar = worked_out.mark_bar(
        height=20,
        yOffset=blocks.middle,
        stroke=INK,
        strokeWidth=1,
        description=alt.expr("datum.row + ': ' + datum.words"),
    ).encode(x=x, y=blocks.y, color=colour, order=alt.Order("place:Q"), tooltip=hover)
    words = [
        layer
        for place, (part, align) in enumerate(zip(PARTS, ("left", "center", "right"), strict=True))
        for layer in blocks.text(worked_out.transform_filter(f"datum.place == {place}"), "words", align=align)
    ]
    first = worked_out.transform_filter("datum.place == 0")
    pairs = blocks.text(first, "counted", beside_name=True)
    layers = [bar, *blocks.names(row_name), *words, *pairs, *blocks.notes()]
    return finish(layers, drawn, title=title, said=said, height=blocks.all, filtered=["row"])


def dumbbells(
    drawn: pl.DataFrame,
    *,
    title: str,
    axis: str,
    row_name: str,
    number_format: str,
    ends: tuple[float, float],
    second: str,
    said: str,
) -> alt.LayerChart:
    """Two symbols by row, ``before`` and ``after``, on one line; ``words`` above them, ``aside`` beside the name.

    ``second`` is what the later of the two times is called.
    """
    if drawn.is_empty():
        return nothing(title)
    blocks = _one_below_the_other(drawn["row"].to_list())
    ticks = alt.Axis(title=axis, format=number_format, tickCount=6)
    scale = alt.Scale(domain=list(ends), nice=False, zero=False)
    seen = where("isValid(datum.before) && isValid(datum.after)")
    hover = [alt.Tooltip("row:N", title=row_name), alt.Tooltip("words:N", title="Shown")]
    line = seen.mark_rule(strokeWidth=3, opacity=0.5, color=INK, yOffset=blocks.middle, y2Offset=blocks.middle)
    called = f"? {json.dumps(BEFORE)} : {json.dumps(second)}"
    label = f"datum.label == '{BEFORE}' {called}"
    legend = alt.Legend(title=None, symbolOpacity=1, columns=2, labelExpr=label)
    looks = {
        "color": alt.Color(
            "when:N", scale=alt.Scale(domain=[BEFORE, AFTER], range=[COLOURS[3], COLOURS[0]]), legend=legend
        ),
        "shape": alt.Shape(
            "when:N", scale=alt.Scale(domain=[BEFORE, AFTER], range=["diamond", "circle"]), legend=legend
        ),
    }
    # The diamond is larger, so that it is seen behind a circle at the same place.
    point = seen.transform_fold([BEFORE, AFTER], as_=["when", "at"]).mark_point(
        filled=True,
        opacity=1,
        size=alt.expr(f"datum.when == '{BEFORE}' ? 230 : 90"),
        yOffset=blocks.middle,
        description=alt.expr(f"datum.row + ', ' + (datum.when == '{BEFORE}' {called}) + ': ' + datum.words"),
    )
    layers = [
        line.encode(x=alt.X("before:Q", axis=ticks, scale=scale), x2=alt.X2("after:Q"), y=blocks.y),
        point.encode(x=alt.X("at:Q", axis=ticks, scale=scale), y=blocks.y, tooltip=hover, **looks),
        *blocks.names(row_name),
        *blocks.text(where("datum.words != ''"), "words"),
        *blocks.text(where("datum.aside != ''"), "aside", beside_name=True),
        *blocks.notes(),
    ]
    return finish(layers, drawn, title=title, said=said, height=blocks.all, filtered=["row"])


def forest(
    drawn: pl.DataFrame,
    *,
    title: str,
    axis: str,
    row_name: str,
    number_format: str,
    overall: str,
    aim: tuple[str, float] | None,
    said: str,
) -> alt.LayerChart:
    """A symbol by row on the line of its interval; the row of all has a diamond. ``words`` and ``aside`` above."""
    if drawn.is_empty():
        return nothing(title)
    blocks = _one_below_the_other(drawn["row"].to_list())
    columns = ("value", "lower", "upper")
    numbers = [0.0, *([aim[1]] if aim else []), *(number for name in columns for number in drawn[name].drop_nulls())]
    least, most = min(numbers), max(max(numbers), min(numbers) + 0.1)
    room = (most - least) * 0.05
    scale = alt.Scale(domain=[least - room, most + room], nice=False, zero=False)
    ticks = alt.Axis(title=axis, format=number_format, tickCount=6)
    hover = [alt.Tooltip("row:N", title=row_name), alt.Tooltip("words:N", title="Shown")]
    seen = where("isValid(datum.value)")
    interval = seen.mark_rule(
        strokeWidth=3, opacity=0.6, color=COLOURS[0], yOffset=blocks.middle, y2Offset=blocks.middle
    )
    total = f"datum.row == {json.dumps(overall)}"
    point = seen.mark_point(
        filled=True,
        opacity=1,
        color=COLOURS[0],
        size=alt.expr(f"{total} ? 260 : 110"),
        shape=alt.expr(f"{total} ? 'diamond' : 'circle'"),
        yOffset=blocks.middle,
        description=alt.expr("datum.row + ': ' + datum.words"),
    )
    behind = [*fixed_line(blocks, 0, "", scale)]
    if aim:
        behind += fixed_line(blocks, aim[1], f"{aim[0]}: {aim[1]:g}", scale, left=aim[1] < (least + most) / 2)
    layers = [
        *behind,
        interval.encode(x=alt.X("lower:Q", axis=ticks, scale=scale), x2=alt.X2("upper:Q"), y=blocks.y, tooltip=hover),
        point.encode(x=alt.X("value:Q", axis=ticks, scale=scale), y=blocks.y, tooltip=hover),
        *blocks.names(row_name),
        *blocks.text(where("datum.words != ''"), "words"),
        *blocks.text(where("datum.aside != ''"), "aside", beside_name=True),
        *blocks.notes(),
    ]
    return finish(layers, drawn, title=title, said=said, height=blocks.all, filtered=["row"])


def fixed_line(blocks: Blocks, value: float, label: str, scale: alt.Scale, *, left: bool = True) -> list[alt.Chart]:
    """An upright line at a value that does not come from the table; its label runs to the side where there is room.

    It is drawn through the marks of the rows alone, so that no line runs through a name or a number.
    """
    data = alt.InlineData(values=[{"value": value, **({"note": label} if label else {})}])
    x = alt.X("value:Q", scale=scale)
    rows = alt.Chart(alt.InlineData(values=[{"row": name} for name in blocks.order]))
    bottom = blocks.height / 2
    line = rows.transform_calculate(value=f"{value!r}").mark_rule(
        color=INK, strokeDash=[6, 4] if label else [1, 0], yOffset=bottom - blocks.marks, y2Offset=bottom, aria=False
    )
    rule = line.encode(x=x, y=blocks.y, y2=alt.Y2("row:N"))
    text = alt.Chart(data).mark_text(align="left" if left else "right", baseline="bottom", dx=-3 if left else 3, dy=-2)
    return [rule, text.encode(x=x, y=alt.YValue(0), text=alt.Text("note:N"))] if label else [rule]


def gain_beside_means(
    drawn: pl.DataFrame, *, title: str, unit: str, aim: float | None, ends: tuple[float, float], second: str, said: str
) -> alt.LayerChart:
    """The mean before and after on the left; on the right, on a scale of its own, the gain with its interval.

    The frame has one row: ``row`` (its name), ``before``, ``after``, ``value``, ``lower``, ``upper``, ``note``, and in
    words ``before_words``, ``after_words``, ``aside`` (the gain) and ``words`` (all of it).
    """
    if drawn["value"].null_count():
        note = where("datum.note != ''").mark_text(align="left", baseline="bottom")
        baseline = note.encode(x=alt.XValue(0), y=alt.YValue(40), text=alt.Text("note:N"))
        return finish([baseline], drawn.select("note"), title=title, said=said, height=40)
    height = 300 + 20 * (aim is not None)
    foot = 240
    before, after, gain = (_part_of_width(part) for part in (0.1, 0.36, 0.74))
    under = [
        *_under(before, "Before", "before_words", foot),
        *_under(after, f"{second[:1].upper()}{second[1:]}", "after_words", foot),
        *_under(gain, "Gain", "aside", foot),
    ]
    if aim is not None:
        label = alt.Chart(alt.InlineData(values=[{"note": f"dashed: meaningful gain: {aim:g}"}]))
        below = label.mark_text(baseline="top").encode(x=gain, y=alt.YValue(foot + 54), text=alt.Text("note:N"))
        under.append(below)
    means = _slope(before, after, alt.Scale(domain=list(ends), range=[foot, 0], nice=False, zero=False))
    right = alt.Chart(alt.InlineData(values=[{"note": "Gain"}]))
    head = right.mark_text(align="right", baseline="bottom", fontStyle="italic")
    heads = [heading(f"Mean, {unit}", 8), head.encode(x=_part_of_width(1), y=alt.YValue(-8), text=alt.Text("note:N"))]
    layers = [Drawn(layer=[*means, *under, *heads]), Drawn(layer=_gain(gain, _gain_scale(drawn, aim, foot), aim))]
    return finish(layers, drawn.drop("note"), title=title, said=said, height=height, own_scales=True)


def _part_of_width(part: float) -> Any:
    return alt.value(alt.expr(f"width * {part}"))


def _slope(before: Any, after: Any, scale: alt.Scale) -> list[alt.Chart]:
    """A line from the mean before to the mean after."""
    axis = alt.Axis(title=None, tickCount=6, format=",.6~g", grid=False)
    y = {name: alt.Y(f"{name}:Q", scale=scale, axis=axis) for name in (BEFORE, AFTER)}
    row, hover = alt.Chart(), [alt.Tooltip("words:N", title="Shown")]
    line = row.mark_rule(color=COLOURS[0], strokeWidth=2.5, aria=False)
    first = row.mark_point(filled=True, size=170, opacity=1, shape="diamond", color=COLOURS[3], aria=False)
    second = row.mark_point(filled=True, size=110, opacity=1, color=COLOURS[0], aria=False)
    return [
        line.encode(x=before, x2=after, y=y[BEFORE], y2=alt.Y2("after:Q")),
        first.encode(x=before, y=y[BEFORE], tooltip=hover),
        second.encode(x=after, y=y[AFTER], tooltip=hover),
    ]


def _gain_scale(drawn: pl.DataFrame, aim: float | None, foot: float) -> alt.Scale:
    """From below all numbers to above them; 0 is among them."""
    found = [*drawn.select("value", "lower", "upper").row(0), aim, 0.0]
    numbers = [number for number in found if number is not None]
    room = max(max(numbers) - min(numbers), 0.1) * 0.1
    return alt.Scale(domain=[min(numbers) - room, max(numbers) + room], range=[foot, 0], nice=False, zero=False)


def _gain(x: Any, scale: alt.Scale, aim: float | None) -> list[alt.Chart]:
    """A dot with its interval, against the line of no change and a dashed one of the gain that was to matter."""
    signed = "datum.value == 0 ? '0' : format(datum.value, '+,.6~g')"
    axis = alt.Axis(title=None, orient="right", tickCount=6, labelExpr=signed, grid=False)
    levels = [(0.0, [1, 0], {}), *([(aim, [6, 4], {"note": f"meaningful gain: {aim:g}"})] if aim is not None else [])]
    lines = [
        alt.Chart(alt.InlineData(values=[{"value": value, **label}]))
        .mark_rule(color=INK, strokeDash=dash, aria=False)
        .encode(x=_part_of_width(0.52), x2=_part_of_width(1), y=alt.Y("value:Q", scale=scale, axis=axis))
        for value, dash, label in levels
    ]
    hover = [alt.Tooltip("words:N", title="Shown")]
    interval = where("isValid(datum.lower) && isValid(datum.upper)").mark_rule(
        strokeWidth=4, opacity=0.6, color=COLOURS[0], aria=False
    )
    point = alt.Chart().mark_point(
        filled=True, size=130, opacity=1, color=COLOURS[0], description=alt.expr("datum.row + ': ' + datum.words")
    )
    return [
        *lines,
        interval.encode(x=x, y=alt.Y("lower:Q", scale=scale, axis=axis), y2=alt.Y2("upper:Q")),
        point.encode(x=x, y=alt.Y("value:Q", scale=scale, axis=axis), tooltip=hover),
    ]


def _under(x: Any, name: str, words: str, top: float) -> list[alt.Chart]:
    """The name of a place and its number, under the marks."""
    label = alt.Chart(alt.InlineData(values=[{"note": name}])).mark_text(baseline="top", fontWeight="bold")
    number = alt.Chart().mark_text(baseline="top")
    return [
        label.encode(x=x, y=alt.YValue(top + 14), text=alt.Text("note:N")),
        number.encode(x=x, y=alt.YValue(top + 34), text=alt.Text(f"{words}:N")),
    ]
