"""The marks of a chart: dots with intervals, bars, lines with bands, and the lines that stand for a fixed number."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import altair as alt
import polars as pl

from safeguarding_analytics.chart_aria import mark_of, spoken
from safeguarding_analytics.chart_rows import (
    TO_CHOOSE,
    Rows,
    bold_if_chosen,
    describe,
    left_out,
    lines_of,
    looked_up,
    names_at_the_ends,
    not_chosen,
    sentence,
    within,
    wrapped,
)
from safeguarding_analytics.sentences import percent

COLOURS = ("#12436D", "#28A197", "#801650", "#F46A25")
"""Government Analysis Function colours, by role: the first is the board. A reader tells no more than four apart."""

INK = "#3D3D3D"
LINE_COLOURS = (*COLOURS, INK)
"""Lines have a neutral fifth: a board, its region, England, and two summaries of its neighbours."""

SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross")
DASHES = ([1, 0], [8, 4], [2, 3], [10, 3, 2, 3], [4, 4])

_FIELDS = ("row", "series")
_DIM, _DIM_TEXT = 0.3, 0.75  # opacity of what is not chosen: words stay dark enough to be read (4.5 : 1)
_LABEL_ROOM = 1.25  # the axis of bars ends this far beyond the longest, so that its number fits behind it
_MANY_ROWS = 12
_LETTER = 8  # pixels of a letter, with room to spare


class Drawn(alt.LayerChart):
    """Layers as this package puts them together: only the whole has data, parameters and a size.

    So Altair need not look for those in every layer each time. It is shown without being compared with Vega-Lite's
    schema, which takes longer than all else: the tests have done that.
    """

    def __init__(self, data: Any = alt.Undefined, layer: Sequence[Any] = (), **more: Any) -> None:
        super(alt.LayerChart, self).__init__(data=data, layer=list(layer), **more)

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> Any:
        show = alt.renderers.get()
        return show(self.to_dict(validate=False, context={"pre_transform": False})) if show else {}


def finish(
    layers: Sequence[Any],
    drawn: pl.DataFrame,
    *,
    title: str,
    said: str,
    height: float,
    subtitle: str | None = None,
    filtered: Sequence[str] = (),
    worked_out: Sequence[alt.Parameter] = (),
    own_scales: bool = False,
) -> alt.LayerChart:
    """Layers over the rows they draw, with the title and the description, as wide as there is room.

    Where a row or a series is something that a reader may choose, the chart answers to that: marks of others are
    dimmed, and those of the fields ``filtered`` are left out if the reader asks for it. Where rows are left out, the
    script of the page makes the chart lower. Marks may use parameters ``worked_out`` from the width. With
    ``own_scales`` each layer has an upright scale of its own.
    """
    chosen = _choices(layers)
    above = alt.Title(wrapped(title, 60), subtitle=wrapped(subtitle, 70) if subtitle else alt.Undefined)
    apart = alt.Resolve(scale=alt.ScaleResolveMap(y="independent")) if own_scales else alt.Undefined
    asked = _to_choose(chosen, [field for field in filtered if field in chosen])
    # All at once: each later change of a chart copies every layer of it.
    return Drawn(
        layer=[spoken(_answering(layer, chosen, filtered)) for layer in layers],
        data=drawn,
        title=above,
        description=said,
        width="container",
        height=height,
        resolve=apart,
        **{**asked, "params": [each.param for each in (*asked.get("params", ()), *worked_out)] or alt.Undefined},
    )


def _to_choose(chosen: Mapping[str, str], filtered: Sequence[str]) -> dict[str, Any]:
    """The parameters that the script of a page sets, which heading each is of, and the rows that are left out then."""
    if not chosen:
        return {}
    asked = [alt.param(name=f"chosen_{field}", value="") for field in chosen]
    about = {"usermeta": {"choices": dict(chosen), "filtered": list(filtered)}}
    if not filtered:
        return {**about, "params": asked}
    out = alt.FilterTransform(f"!({left_out(filtered)})")
    return {**about, "params": [*asked, alt.param(name="only_chosen", value=False)], "transform": [out]}


def _choices(layers: Sequence[Any]) -> dict[str, str]:
    """The headings that a reader may choose one group of: those by which tooltips call the rows and the series."""
    of_the_table = (layer for layer in _drawings(layers) if layer.data is alt.Undefined)
    called = dict(pair for layer in of_the_table for pair in _called(layer).items())
    return {field: called[field] for field in _FIELDS if called.get(field) in TO_CHOOSE}


def _drawings(layers: Sequence[Any]) -> Iterator[alt.Chart]:
    for layer in layers:
        if isinstance(layer, alt.LayerChart):
            yield from _drawings(layer.layer)
        else:
            yield layer


def _called(drawing: alt.Chart) -> dict[str, str]:
    """What the tooltip of a mark calls its row and its series."""
    encoding = drawing.encoding
    tips = [] if encoding is alt.Undefined or encoding.tooltip is alt.Undefined else encoding.tooltip
    found = {str(tip.shorthand).split(":")[0]: tip["title"] for tip in tips if isinstance(tip, alt.Tooltip)}
    return {field: found[field] for field in _FIELDS if field in found}


def _answering(layer: Any, chosen: Mapping[str, str], filtered: Sequence[str]) -> Any:
    """A layer whose marks are dimmed where they are of another group than the chosen one."""
    if isinstance(layer, alt.LayerChart):
        whole = layer.copy(deep=False)
        whole.layer = [_answering(each, chosen, filtered) for each in layer.layer]
        return whole
    fields = _fields_of(layer, chosen)
    mark = mark_of(layer)
    base = mark.get("opacity", 1)
    # A line runs through rows: it is of a series alone. The white edge of words hides what is behind them.
    told = [field for field in fields if field != "row" or mark["type"] not in ("line", "area")]
    if told and base and mark.get("stroke") != "white":
        layer = _dimmed(layer, mark, base, not_chosen(told))
    out = [field for field in fields if field in filtered]
    if out and layer.data is not alt.Undefined:  # the rows of the table are filtered above all layers
        layer = layer.copy(deep=False)
        before = [] if layer.transform is alt.Undefined else layer.transform
        layer.transform = [alt.FilterTransform(f"!({left_out(out)})"), *before]
    return layer


def _dimmed(layer: alt.Chart, mark: dict[str, Any], base: float, where: str) -> alt.Chart:
    """A mark that is paler where it is not of the chosen group; words on a filled mark are dark there instead."""
    colour = mark.get("color")
    if mark["type"] == "text" and isinstance(colour, dict):
        drawn = layer.copy(deep=False)
        drawn.mark = alt.MarkDef(**{**mark, "color": {"expr": f"{where} ? '{INK}' : ({colour['expr']})"}})
        return drawn
    dim = round(base * (_DIM_TEXT if mark["type"] == "text" else _DIM), 3)
    dimmed: Any = {"test": where, "value": dim}
    paler: alt.Chart = layer.encode(opacity=alt.OpacityValue(mark.get("opacity", alt.Undefined), condition=dimmed))
    return paler


def _fields_of(drawing: alt.Chart, chosen: Mapping[str, str]) -> list[str]:
    """Which of the fields that are chosen from a layer has: in the rows of the table, or in data of its own."""
    own = drawing.data.values[0] if isinstance(drawing.data, alt.InlineData) else chosen
    called = _called(drawing)
    return [field for field, heading in chosen.items() if field in own and called.get(field, heading) == heading]


def in_digits(number: str, form: str) -> str:
    """An expression that prints a number as `cells.rounded` does: a half goes away from 0.

    A chart formats the binary number, which falls short of many a half, such as 10.85. So it is drawn out by less than
    any decimal that is printed.

    Parameters
    ----------
    number, form
        Expressions of a number and of its format, such as ``"datum.value"`` and ``"'.1f'"``.

    Examples
    --------
    >>> in_digits("datum.value", "'.1f'")
    "format((datum.value) * (1 + 1e-12), '.1f')"
    """
    return f"format(({number}) * (1 + 1e-12), {form})"


def nothing(title: str) -> alt.LayerChart:
    """What is drawn of a table without rows."""
    data = alt.InlineData(values=[{"note": "No rows to draw"}])
    text = alt.Chart(data).mark_text(align="left").encode(text=alt.Text("note:N"), x=alt.XValue(0))
    description = f"{sentence(title)} No rows to draw."
    return Drawn(layer=[text], title=wrapped(title, 60), description=description, width="container", height=40)


def _row_height(rows: Rows, least: int) -> int:
    return max(least, 18 * max(len(lines_of(name)) for name in rows.order))


def _row_axis(rows: Rows) -> alt.Y:
    # Vega puts the first line of a name beside its row; the block is moved up so that its middle is.
    moved = [
        {"test": f"indexof({json.dumps(names)}, datum.label) >= 0", "value": -7.5 * (count - 1)}
        for count in range(2, 6)
        if (names := [name for name in rows.order if len(lines_of(name)) == count])
    ]
    axis = alt.Axis(
        labelOffset={"condition": moved, "value": 0} if moved else 0,
        title=None,
        ticks=False,
        domain=False,
        labelPadding=10,
        labelExpr=looked_up(rows.order, rows.order, "datum.label"),
        **bold_if_chosen("row", rows.row_name, "datum.label"),
    )
    return alt.Y("row:N", sort=rows.order, axis=axis, scale=alt.Scale(padding=0.2))


def _scale(rows: Rows, values: Sequence[Any]) -> alt.Scale:
    return alt.Scale(domain=rows.series, range=list(values[: len(rows.series)]))


def _colour(rows: Rows) -> dict[str, Any]:
    """Colour by series; the first colour for all where there are none."""
    if not rows.series:
        return {"color": alt.ColorValue(COLOURS[0])}
    # Long names stand in two columns, two of them in one, or they would not fit on a telephone.
    count, letters = len(rows.series), len("".join(rows.series))
    columns = (1 if letters > 20 else 2) if count == 2 else 2 if letters > 24 else count
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
    drawn: alt.Chart = text.encode(y=y, x=alt.XValue(0), text=alt.Text("note:N"), **beside)
    return drawn


def dots(
    rows: Rows,
    *,
    title: str,
    axis: str,
    number_format: str,
    behind: Sequence[alt.Chart] = (),
    said: str | None = None,
) -> alt.LayerChart:
    """Dots by row, each with the line of its interval. ``said`` is the description, where the usual one will not do."""
    if rows.frame.is_empty():
        return nothing(title)
    y, colour, beside, hover = _row_axis(rows), _colour(rows), _beside(rows), _hover(rows)
    x_axis = alt.Axis(title=wrapped(axis, 30), titleAnchor="end", format=number_format, tickCount=6)
    # Where all is hidden, Vega finds no ends for the axis.
    scale = alt.Undefined if rows.frame["value"].count() else alt.Scale(domain=[0, 1])
    shape = {"shape": alt.Shape("series:N", scale=_scale(rows, SYMBOLS), title=rows.series_name)} if rows.series else {}
    interval = (
        _where("isValid(datum.lower) && isValid(datum.upper)")
        .mark_rule(strokeWidth=3, opacity=0.6)
        .encode(x=alt.X("lower:Q", axis=x_axis), x2=alt.X2("upper:Q"), y=y, tooltip=hover, **colour, **beside)
    )
    point = (
        _where("isValid(datum.value)")
        .mark_point(filled=True, size=120, opacity=1)
        .encode(x=alt.X("value:Q", axis=x_axis, scale=scale), y=y, tooltip=hover, **colour, **beside, **shape)
    )
    height = len(rows.order) * _row_height(rows, max(38, 20 * len(rows.series) + 14))
    what = f"Dots with intervals: {axis}, by {within(rows.row_name)}"
    intervals = [interval] if "lower" in rows.frame.columns and rows.frame["lower"].count() else []
    layers = [*behind, *intervals, point, _notes(y, beside)]
    said = said or describe(rows, title, what)
    return finish(layers, rows.frame, title=title, said=said, height=height, filtered=_FIELDS)


def bars(rows: Rows, *, title: str, axis: str, one_each: bool = False, said: str | None = None) -> alt.LayerChart:
    """Bars by row, each with its number at its end; side by side by series, unless a row has one bar only.

    ``said`` is the description, where the usual one will not do.
    """
    if rows.frame.is_empty():
        return nothing(title)
    y, beside = _row_axis(rows), {} if one_each else _beside(rows)
    x = _bar_axis(rows, axis)
    seen = _where("isValid(datum.value)")
    bar = seen.mark_bar().encode(x=x, y=y, tooltip=_hover(rows), **_colour(rows), **beside)
    label = seen.mark_text(align="left", dx=6).encode(x=x, y=y, text=alt.Text("shown:N"), **beside)
    height = len(rows.order) * _row_height(rows, max(36, 18 * (1 if one_each else len(rows.series)) + 14))
    what = f"Bars: {within(axis)}, by {within(rows.row_name)}"
    layers = [bar, label, _notes(y, beside)]
    said = said or describe(rows, title, what)
    return finish(layers, rows.frame, title=title, said=said, height=height, filtered=_FIELDS)


def bars_with_words(rows: Rows, *, title: str, axis: str, said: str) -> alt.LayerChart:
    """Bars of two series by row, each with its number at its end, and under them the ``words`` of the row."""
    if rows.frame.is_empty():
        return nothing(title)
    y, x = _row_axis(rows), _bar_axis(rows, axis)
    lanes = alt.Scale(domain=[*rows.series, ""])
    beside = {"yOffset": alt.YOffset("series:N", scale=lanes)}
    seen = _where("isValid(datum.value)")
    bar = seen.mark_bar().encode(x=x, y=y, tooltip=_hover(rows), **_colour(rows), **beside)
    label = seen.mark_text(align="left", dx=6).encode(x=x, y=y, text=alt.Text("value:Q", format=",d"), **beside)
    words = _where("datum.words != ''").mark_text(align="left", dx=2)
    below = words.encode(x=alt.XValue(0), y=y, yOffset=alt.YOffsetDatum("", scale=lanes), text=alt.Text("words:N"))
    # Many rows are closer together, so that the letters of the chart are not too small on one page of paper.
    line, apart = (20, 14) if len(rows.order) <= _MANY_ROWS else (16, 8)
    height = len(rows.order) * _row_height(rows, line * len(lanes.domain) + apart)
    layers = [bar, label, below, _notes(y, beside)]
    return finish(layers, rows.frame, title=title, said=said, height=height, filtered=_FIELDS)


def pairs(rows: Rows, *, title: str, axis: str, said: str) -> alt.LayerChart:
    """Two symbols by row on one line, the second one hollow and around the first, and the ``words`` of the row."""
    if rows.frame.is_empty():
        return nothing(title)
    y, hover = _row_axis(rows), _hover(rows)
    end = extent(rows)[1] * _LABEL_ROOM or 5.0
    ticks = alt.Axis(title=axis, format=",d", tickMinStep=1, tickCount=6)
    x = alt.X("value:Q", axis=ticks, scale=alt.Scale(domain=[0, end], nice=False))
    first, second = (f"datum.series == {json.dumps(name)}" for name in rows.series)
    between = alt.Chart().mark_rule(color=INK, opacity=0.5)
    line = between.encode(x=alt.X("min(value):Q", axis=ticks), x2=alt.X2("max(value):Q"), y=y)
    legend = alt.Legend(title=None, columns=1)  # two beside each other would not fit on a telephone
    colour = alt.Color("series:N", scale=_scale(rows, COLOURS), legend=legend)
    shape = alt.Shape("series:N", scale=_scale(rows, SYMBOLS), legend=legend)
    looks = {"x": x, "y": y, "tooltip": hover, "color": colour, "shape": shape}
    inner = _where(f"{first} && isValid(datum.value)").mark_point(filled=True, size=90, opacity=1).encode(**looks)
    outer = _where(f"{second} && isValid(datum.value)").mark_point(size=220, strokeWidth=2, opacity=1).encode(**looks)
    words = _where("datum.words != ''").mark_text(align="left", dx=16).encode(x=x, y=y, text=alt.Text("words:N"))
    notes = _where(f"{first} && datum.note != ''").mark_text(align="left", dx=6)
    note = notes.encode(x=alt.XValue(0), y=y, text=alt.Text("note:N"))
    height, layers = len(rows.order) * _row_height(rows, 30), [line, outer, inner, words, note]
    return finish(layers, rows.frame, title=title, said=said, height=height, filtered=_FIELDS)


def steps(
    rows: Rows,
    *,
    title: str,
    axis: str,
    said: str,
    level: tuple[str, float] | None,
    day: tuple[str, date] | None,
) -> alt.LayerChart:
    """Steps with dots over the days of the rows, against a level line and the upright line of a day.

    The steps stop at a day whose number is hidden and begin again with the next that is shown. ``label`` stands at the
    dots that matter most.
    """
    if rows.frame.is_empty():
        return nothing(title)
    height = 340
    top = max(extent(rows)[1], level[1] if level else 0.0, 1.0) * 1.12
    scale = alt.Scale(domain=[0, top], nice=False)
    y = alt.Y("value:Q", scale=scale, axis=alt.Axis(title=None, format=",d", tickMinStep=1, tickCount=6))
    # A day is the same day in every time zone.
    x = alt.X("row:T", scale=alt.Scale(type="utc", padding=24), axis=_day_axis(rows, day[1] if day else None))
    line = alt.Chart().mark_line(interpolate="step-after", strokeWidth=2.5, color=COLOURS[0]).encode(x=x, y=y)
    seen = _where("isValid(datum.value)")
    hover = [alt.Tooltip("shown:N", title="Shown")]
    point = seen.mark_point(filled=True, size=60, opacity=1, color=COLOURS[0]).encode(x=x, y=y, tooltip=hover)
    last = _where("datum.label != ''").mark_text(align="right", baseline="bottom", dx=2, dy=-8, fontWeight="bold")
    told = (rows.frame["label"] != "").any()
    layers = [
        *(_level_line(level[0], level[1], scale) if level else []),
        *(_day_line(*day, *(date.fromisoformat(rows.order[end]) for end in (0, -1))) if day else []),
        line,
        *([point] if rows.frame["value"].count() else []),
        *([last.encode(x=x, y=y, text=alt.Text("label:N"))] if told else []),  # Vega complains of a scale of no rows
        *_day_notes(x, height, rows.frame.filter(pl.col("note") != "").height),
    ]
    return finish([heading(axis, 24 if day else 8), *layers], rows.frame, title=title, said=said, height=height)


def _day_notes(x: alt.X, height: int, count: int) -> list[alt.Chart]:
    """What stands at the baseline in place of numbers: beside its day, as the next may be close, and in two rows."""
    every = _where("datum.note != ''").transform_window(place="row_number()")
    return [
        every.transform_filter(f"datum.place % 2 == {1 - row}")
        .mark_text(align="right", baseline="bottom", dx=-3, dy=-4 - 15 * row)
        .encode(x=x, y=alt.YValue(height), text=alt.Text("note:N"))
        for row in range(min(count, 2))
    ]


def _day_axis(rows: Rows, more: date | None) -> alt.Axis:
    """Days without their year where it is the same, so that there is room for more of them; then the title has it."""
    years = {day[:4] for day in [*rows.order, *([more.isoformat()] if more else [])]}
    title, form = (f"{rows.row_name}, {min(years)}", "%-d %b") if len(years) == 1 else (rows.row_name, "%-d %b %Y")
    return alt.Axis(title=title, format=form, tickCount=8, labelOverlap="greedy", labelFlush=48, grid=False)


def heading(text: str, above: int) -> alt.Chart:
    """What is drawn, in words above the chart: on a telephone there is no room for a title beside the axis."""
    data = alt.InlineData(values=[{"note": text}])
    drawn: alt.Chart = alt.Chart(data).mark_text(align="left", baseline="bottom", fontStyle="italic")
    return drawn.encode(x=alt.XValue(0), y=alt.YValue(-above), text=alt.Text("note:N"))


def _day_line(label: str, day: date, first: date, last: date) -> list[alt.Chart]:
    """A labelled upright line at a day that does not come from the table; the label stands where there is room."""
    data = alt.InlineData(values=[{"row": day.isoformat(), "note": label}])
    early = day - first < last - day
    text = alt.Chart(data).mark_text(
        align="left" if early else "right", baseline="bottom", dx=-4 if early else 4, dy=-2
    )
    x = alt.X("row:T", scale=alt.Scale(type="utc"))  # the same day in every time zone
    return [
        alt.Chart(data).mark_rule(color=INK, strokeDash=[2, 3]).encode(x=x),
        text.encode(x=x, y=alt.YValue(0), text=alt.Text("note:N")),
    ]


def _bar_axis(rows: Rows, axis: str) -> alt.X:
    longest = extent(rows)[1] or 1.0 / _LABEL_ROOM
    shown = rows.frame.filter(pl.col("value").is_not_null())["shown"]
    letters = max(map(len, shown), default=0)
    # On a telephone a number takes more than its share of the width.
    end = alt.expr(f"max({longest * _LABEL_ROOM!r}, {longest!r} * width / max(width - {_LETTER * letters + 10}, 1))")
    return alt.X(
        "value:Q",
        axis=alt.Axis(title=wrapped(axis, 30), titleAnchor="end", format=",d", tickMinStep=1, tickCount=6),
        scale=alt.Scale(domain=[0, end], nice=False),
    )


def lines(
    rows: Rows, *, title: str, axis: str, reference: tuple[str, float] | None, number_format: str = ".0%"
) -> alt.LayerChart:
    """A line per series over the rows, each with the band of its interval and its name at its end or in the legend."""
    if rows.frame.is_empty():
        return nothing(title)
    height = 340
    top = max(extent(rows)[1], reference[1] if reference else 0.0, 0.01) * 1.05
    scale = alt.Scale(domain=[0, top], nice=False)
    y_axis = alt.Axis(title=None, format=number_format, tickCount=6)
    x = alt.X("row:O", sort=rows.order, axis=alt.Axis(title=rows.row_name, labelAngle=0, labelOverlap="greedy"))
    y = alt.Y("value:Q", scale=scale, axis=y_axis)
    colour: dict[str, Any] = {"color": alt.ColorValue(COLOURS[0])}
    dash: dict[str, Any] = {}
    symbol: dict[str, Any] = {}
    ends = names_at_the_ends(rows, top, height) if rows.series else None
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
        .encode(x=x, y=alt.Y("lower:Q", scale=scale, axis=y_axis), y2=alt.Y2("upper:Q"), **colour)
    )
    line = alt.Chart().mark_line(strokeWidth=2.5).encode(x=x, y=y, **colour, **dash)
    seen = _where("isValid(datum.value)")
    point = seen.mark_point(filled=True, size=70, opacity=1).encode(x=x, y=y, tooltip=_hover(rows), **colour, **symbol)
    note = _where("datum.note != ''").mark_text(baseline="bottom", dy=-4)
    notes = note.encode(x=x, y=alt.YValue(height), text=alt.Text("note:N"))
    behind = [] if reference is None else _level_line(f"{reference[0]} {percent(reference[1])}", reference[1], scale)
    bands = [band] if "lower" in rows.frame.columns else []
    drawn = Drawn(layer=[*behind, *bands, line, point, notes])
    what = f"Lines with interval bands: {axis}, by {within(rows.row_name)}"
    names = [_line_names(ends, scale, rows.series_name)] if ends else []
    said = describe(rows, title, what)
    # A line of one period says nothing: periods are never left out.
    layers = [drawn, *names]
    return finish(
        layers, rows.frame, title=title, said=said, height=height, subtitle=axis, filtered=["series"], own_scales=True
    )


def _line_names(heights: dict[str, float], scale: alt.Scale, heading: str) -> alt.Chart:
    """Name each line at its end: an axis on the right, as text marks beyond the plot would be cut off."""
    places = list(heights.values())
    name = f"{json.dumps(list(heights))}[indexof({json.dumps(places)}, datum.value)]"
    look = bold_if_chosen("series", heading, name)
    if look:  # a line that is left out has no name either
        gone = left_out(["series"]).replace("datum.series", name)
        look["labelOpacity"] = {"condition": {"test": gone, "value": 0}, "value": 1}
    axis = alt.Axis(
        orient="right",
        values=places,
        labelExpr=looked_up(list(heights), places, "datum.value"),
        labelOverlap=False,
        title=None,
        grid=False,
        ticks=False,
        domain=False,
        **look,
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
        text.encode(x=alt.XValue(0), y=y, text=alt.Text("note:N")),
    ]


def upright(label: str, value: float, *, dashed: bool = True) -> list[alt.Chart]:
    """An upright line at a value that does not come from the table, with its label above, where there is one."""
    data = alt.InlineData(values=[{"value": value, **({"note": label} if label else {})}])
    rule = alt.Chart(data).mark_rule(color=INK, strokeDash=[6, 4] if dashed else [1, 0]).encode(x=alt.X("value:Q"))
    # To the left there is always room: above the names of the rows.
    text = alt.Chart(data).mark_text(align="right", baseline="bottom", dx=4, dy=-2)
    return [rule, text.encode(x=alt.X("value:Q"), y=alt.YValue(0), text=alt.Text("note:N"))] if label else [rule]


def extent(rows: Rows) -> tuple[float, float]:
    """The smallest and the largest number drawn; an axis holds 0 as well."""
    columns = [name for name in ("value", "lower", "upper") if name in rows.frame.columns]
    numbers = [0.0, *(number for name in columns for number in rows.frame[name].drop_nulls())]
    return min(numbers), max(numbers)
