"""The marks of a chart: dots with intervals, bars, lines with bands, and the lines that stand for a fixed number."""

from __future__ import annotations

import json
from collections.abc import Sequence
from textwrap import TextWrapper
from typing import Any

import altair as alt
import polars as pl

from safeguarding_analytics.chart_rows import Rows, describe, sentence, within
from safeguarding_analytics.sentences import percent

COLOURS = ("#12436D", "#28A197", "#801650", "#F46A25")
"""Government Analysis Function colours, by role: the first is the board. A reader tells no more than four apart."""

INK = "#3D3D3D"
LINE_COLOURS = (*COLOURS, INK)
"""Lines have a neutral fifth: a board, its region, England, and two summaries of its neighbours."""

SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross")
DASHES = ([1, 0], [8, 4], [2, 3], [10, 3, 2, 3], [4, 4])

_NAME_WIDTH = 22  # letters; a longer name is broken into lines, so that it fits beside the chart on a telephone
_LABEL_ROOM = 1.25  # the axis of bars ends this far beyond the longest, so that its number fits behind it


def _finish(
    layers: Sequence[Any], rows: Rows, *, title: str, what: str, height: float, subtitle: str | None = None
) -> alt.LayerChart:
    chart = alt.LayerChart(layer=list(layers), data=rows.frame)
    heading = alt.Title(_wrapped(title, 60), subtitle=_wrapped(subtitle, 70) if subtitle else alt.Undefined)
    drawn: alt.LayerChart = chart.properties(
        title=heading, description=describe(rows, title, what), width="container", height=height
    )
    return drawn


def _nothing(title: str) -> alt.LayerChart:
    data = alt.InlineData(values=[{"note": "No rows to draw"}])
    text = alt.Chart(data).mark_text(align="left").encode(text="note:N", x=alt.value(0))
    description = f"{sentence(title)} No rows to draw."
    chart: alt.LayerChart = alt.LayerChart(layer=[text]).properties(
        title=_wrapped(title, 60), description=description, width="container", height=40
    )
    return chart


def _wrapped(text: str, letters: int) -> list[str]:
    return TextWrapper(width=letters, break_on_hyphens=False, break_long_words=False).wrap(text) or [text]


def _lines_of(name: str) -> list[str]:
    return _wrapped(name, _NAME_WIDTH)


def _looked_up(names: Sequence[str], keys: Sequence[str] | Sequence[float], label: str) -> str:
    """A Vega expression that finds the name of a key and breaks it into lines."""
    return f"{json.dumps([_lines_of(name) for name in names])}[indexof({json.dumps(keys)}, {label})]"


def _row_height(rows: Rows, least: int) -> int:
    return max(least, 18 * max(len(_lines_of(name)) for name in rows.order))


def _row_axis(rows: Rows) -> alt.Y:
    # Vega puts the first line of a name beside its row; the block is moved up so that its middle is.
    moved = [
        {"test": f"indexof({json.dumps(names)}, datum.label) >= 0", "value": -7.5 * (count - 1)}
        for count in range(2, 6)
        if (names := [name for name in rows.order if len(_lines_of(name)) == count])
    ]
    axis = alt.Axis(
        labelOffset={"condition": moved, "value": 0} if moved else 0,
        title=None,
        ticks=False,
        domain=False,
        labelPadding=10,
        labelExpr=_looked_up(rows.order, rows.order, "datum.label"),
    )
    return alt.Y("row:N", sort=rows.order, axis=axis, scale=alt.Scale(padding=0.2))


def _scale(rows: Rows, values: Sequence[Any]) -> alt.Scale:
    return alt.Scale(domain=rows.series, range=list(values[: len(rows.series)]))


def _colour(rows: Rows) -> dict[str, Any]:
    """Colour by series; the first colour for all where there are none."""
    if not rows.series:
        return {"color": alt.value(COLOURS[0])}
    # Long names stand in two columns, or they would not fit on a telephone.
    columns = 2 if len("".join(rows.series)) > 24 else len(rows.series)
    legend = alt.Legend(title=rows.series_name, symbolOpacity=1, columns=columns)
    return {"color": alt.Color("series:N", scale=_scale(rows, COLOURS), legend=legend)}


def _beside(rows: Rows) -> dict[str, Any]:
    """Put the series of a row side by side."""
    return {"yOffset": alt.YOffset("series:N", sort=rows.series)} if rows.series else {}


def _hover(rows: Rows) -> list[alt.Tooltip]:
    series = [alt.Tooltip("series:N", title=rows.series_name)] if rows.series else []
    return [alt.Tooltip("row:N", title=rows.row_name), *series, alt.Tooltip("shown:N", title="Shown")]


def _where(condition: str) -> alt.Chart:
    return alt.Chart().transform_filter(condition)


def _notes(y: alt.Y, beside: dict[str, Any]) -> alt.Chart:
    text = _where("datum.note != ''").mark_text(align="left", dx=6)
    drawn: alt.Chart = text.encode(y=y, x=alt.value(0), text="note:N", **beside)
    return drawn


def dots(rows: Rows, *, title: str, axis: str, number_format: str, behind: Sequence[alt.Chart] = ()) -> alt.LayerChart:
    """Dots by row, each with the line of its interval."""
    if rows.frame.is_empty():
        return _nothing(title)
    y, colour, beside, hover = _row_axis(rows), _colour(rows), _beside(rows), _hover(rows)
    x_axis = alt.Axis(title=_wrapped(axis, 30), format=number_format, tickCount=6)
    shape = {"shape": alt.Shape("series:N", scale=_scale(rows, SYMBOLS), title=rows.series_name)} if rows.series else {}
    interval = (
        _where("isValid(datum.lower) && isValid(datum.upper)")
        .mark_rule(strokeWidth=3, opacity=0.6)
        .encode(x=alt.X("lower:Q", axis=x_axis), x2="upper:Q", y=y, tooltip=hover, **colour, **beside)
    )
    point = (
        _where("isValid(datum.value)")
        .mark_point(filled=True, size=120, opacity=1)
        .encode(x=alt.X("value:Q", axis=x_axis), y=y, tooltip=hover, **colour, **beside, **shape)
    )
    height = len(rows.order) * _row_height(rows, max(38, 20 * len(rows.series) + 14))
    what = f"Dots with intervals: {axis}, by {within(rows.row_name)}"
    intervals = [interval] if "lower" in rows.frame.columns else []
    return _finish([*behind, *intervals, point, _notes(y, beside)], rows, title=title, what=what, height=height)


def bars(rows: Rows, *, title: str, axis: str) -> alt.LayerChart:
    """Bars by row, each with its number at its end."""
    if rows.frame.is_empty():
        return _nothing(title)
    y, beside = _row_axis(rows), _beside(rows)
    x = _bar_axis(rows, axis)
    seen = _where("isValid(datum.value)")
    bar = seen.mark_bar().encode(x=x, y=y, tooltip=_hover(rows), **_colour(rows), **beside)
    label = seen.mark_text(align="left", dx=6).encode(x=x, y=y, text="shown:N", **beside)
    height = len(rows.order) * _row_height(rows, max(36, 18 * len(rows.series) + 14))
    what = f"Bars: {within(axis)}, by {within(rows.row_name)}"
    return _finish([bar, label, _notes(y, beside)], rows, title=title, what=what, height=height)


def _bar_axis(rows: Rows, axis: str) -> alt.X:
    end = _ends(rows)[1] * _LABEL_ROOM or 1.0
    return alt.X(
        "value:Q",
        axis=alt.Axis(title=_wrapped(axis, 30), format=",d", tickMinStep=1, tickCount=6),
        scale=alt.Scale(domain=[0, end], nice=False),
    )


def ranked_bars(rows: Rows, *, title: str, what: str, axis: str, cut: Sequence[alt.Chart]) -> alt.LayerChart:
    """Bars in the order of the rows, each with words under it."""
    if rows.frame.is_empty():
        return _nothing(title)
    y = _row_axis(rows)
    ticks = alt.Axis(title=axis, format=",f", tickCount=6)
    bar = (
        _where("isValid(datum.value)")
        .mark_bar(height=14, yOffset=-9)
        .encode(x=alt.X("value:Q", axis=ticks), y=y, tooltip=_hover(rows), **_colour(rows))
    )
    # The words stand under the bar: there they have the whole width, on a telephone too.
    words = _where("datum.note == ''").mark_text(align="left", dy=9, dx=2).encode(y=y, x=alt.value(0), text="shown:N")
    height = len(rows.order) * _row_height(rows, 58)
    return _finish([bar, words, _notes(y, {}), *cut], rows, title=title, what=what, height=height)


def lines(rows: Rows, *, title: str, axis: str, reference: tuple[str, float] | None) -> alt.LayerChart:
    """A line per series over the rows, each with the band of its interval and its name at its end or in the legend."""
    if rows.frame.is_empty():
        return _nothing(title)
    height = 340
    top = max(_ends(rows)[1], reference[1] if reference else 0.0, 0.01) * 1.05
    scale = alt.Scale(domain=[0, top], nice=False)
    y_axis = alt.Axis(title=None, format=".0%", tickCount=6)
    x = alt.X("row:O", sort=rows.order, axis=alt.Axis(title=rows.row_name, labelAngle=0, labelOverlap="greedy"))
    y = alt.Y("value:Q", scale=scale, axis=y_axis)
    colour: dict[str, Any] = {"color": alt.value(COLOURS[0])}
    dash: dict[str, Any] = {}
    symbol: dict[str, Any] = {}
    ends = _names_at_the_ends(rows, top, height) if rows.series else None
    if rows.series:
        legend = (
            None
            if ends
            else alt.Legend(title=rows.series_name, columns=1, labelLimit=280, symbolOpacity=1, symbolStrokeWidth=0)
        )
        colour = {"color": alt.Color("series:N", scale=_scale(rows, LINE_COLOURS), legend=legend)}
        dash = {"strokeDash": alt.StrokeDash("series:N", scale=_scale(rows, DASHES), legend=legend)}
        symbol = {"shape": alt.Shape("series:N", scale=_scale(rows, SYMBOLS), legend=legend)}
    band = (
        alt.Chart()
        .mark_area(opacity=0.15)
        .encode(x=x, y=alt.Y("lower:Q", scale=scale, axis=y_axis), y2="upper:Q", **colour)
    )
    line = alt.Chart().mark_line(strokeWidth=2.5).encode(x=x, y=y, **colour, **dash)
    seen = _where("isValid(datum.value)")
    point = seen.mark_point(filled=True, size=70, opacity=1).encode(x=x, y=y, tooltip=_hover(rows), **colour, **symbol)
    note = _where("datum.note != ''").mark_text(baseline="bottom", dy=-4)
    notes = note.encode(x=x, y=alt.value(height), text="note:N")
    behind = [] if reference is None else _level_line(f"{reference[0]} {percent(reference[1])}", reference[1], scale)
    bands = [band] if "lower" in rows.frame.columns else []
    drawn = alt.layer(*behind, *bands, line, point, notes)
    what = f"Lines with interval bands: {axis}, by {within(rows.row_name)}"
    names = [_line_names(ends, scale)] if ends else []
    chart = _finish([drawn, *names], rows, title=title, what=what, height=height, subtitle=axis)
    named: alt.LayerChart = chart.resolve_scale(y="independent")
    return named


def _names_at_the_ends(rows: Rows, top: float, height: int) -> dict[str, float] | None:
    """The value at which each line ends, from the lowest; None where the names would overlap there."""
    seen = rows.frame.filter(pl.col("value").is_not_null())
    ends = dict(seen.group_by("series").agg(pl.last("value")).sort("value", "series").iter_rows())
    room = [(15 * len(_lines_of(name)) + 3) * top / height for name in ends]
    places = list(ends.values())
    apart = all(places[n + 1] - places[n] >= (room[n] + room[n + 1]) / 2 for n in range(len(places) - 1))
    return ends if apart else None


def _line_names(heights: dict[str, float], scale: alt.Scale) -> alt.Chart:
    """Name each line at its end: an axis on the right, as text marks beyond the plot would be cut off."""
    places = list(heights.values())
    axis = alt.Axis(
        orient="right",
        values=places,
        labelExpr=_looked_up(list(heights), places, "datum.value"),
        labelOverlap=False,
        title=None,
        grid=False,
        ticks=False,
        domain=False,
    )
    unseen = alt.Chart().mark_point(opacity=0, aria=False)
    named: alt.Chart = unseen.encode(y=alt.Y("value:Q", scale=scale, axis=axis))
    return named


def _level_line(label: str, value: float, scale: alt.Scale) -> list[alt.Chart]:
    """A labelled level line at a value that does not come from the table."""
    data = alt.InlineData(values=[{"value": value, "note": label}])
    y = alt.Y("value:Q", scale=scale)
    text = alt.Chart(data).mark_text(align="left", baseline="bottom", dx=4, dy=-3)
    return [
        alt.Chart(data).mark_rule(color=INK, strokeDash=[6, 4]).encode(y=y),
        text.encode(x=alt.value(0), y=y, text="note:N"),
    ]


def upright(label: str, value: float, *, dashed: bool = True) -> list[alt.Chart]:
    """An upright line at a value that does not come from the table, with its label above, where there is one."""
    data = alt.InlineData(values=[{"value": value, **({"note": label} if label else {})}])
    rule = alt.Chart(data).mark_rule(color=INK, strokeDash=[6, 4] if dashed else [1, 0]).encode(x="value:Q")
    # To the left there is always room: above the names of the rows.
    text = alt.Chart(data).mark_text(align="right", baseline="bottom", dx=4, dy=-2)
    return [rule, text.encode(x="value:Q", y=alt.value(0), text="note:N")] if label else [rule]


def _ends(rows: Rows) -> tuple[float, float]:
    """The smallest and the largest number drawn; an axis holds 0 as well."""
    columns = [name for name in ("value", "lower", "upper") if name in rows.frame.columns]
    numbers = [0.0, *(number for name in columns for number in rows.frame[name].drop_nulls())]
    return min(numbers), max(numbers)


def cut_line(label: str, below: str, order: list[str]) -> list[alt.Chart]:
    """A labelled level line above the first issue that is not selected."""
    data = alt.InlineData(values=[{"row": below, "note": label}])
    y = alt.Y("row:N", sort=order, bandPosition=0)
    text = alt.Chart(data).mark_text(align="left", baseline="top", dx=2, dy=-7)
    return [
        alt.Chart(data)
        .mark_rule(color=INK, strokeDash=[6, 4], yOffset=-9)
        .encode(y=y, x=alt.value(0), x2=alt.value("width")),
        text.encode(y=y, x=alt.value(0), text="note:N"),
    ]
