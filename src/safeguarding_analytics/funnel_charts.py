"""The funnel of areas: every authority by its size, with the limits within which ordinary variation keeps them.

It keeps the conventions of `charts`: a `Safe` table in, an Altair chart out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import floor, log10
from textwrap import wrap
from typing import Any

import altair as alt
import polars as pl

from safeguarding_analytics.cells import rounded
from safeguarding_analytics.chart_figures import of_tested_parts
from safeguarding_analytics.chart_marks import COLOURS, INK, finish, nothing
from safeguarding_analytics.chart_pairs import where
from safeguarding_analytics.chart_rows import extremes, note_of, opened, sentence, within, without_number
from safeguarding_analytics.errors import ParameterError, nearest, shorten
from safeguarding_analytics.indicator_charts import HEIGHT, Upwards, require_groups
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.sentences import percent
from safeguarding_analytics.shapes import FUNNEL

NARROW = 440
"""Pixels below which a chart is on a telephone."""

ADJUSTED, ADJUSTED_NEAR = "outer limits (99.8%), adjusted", "inner limits (95%), adjusted"
PLAIN, AVERAGE = "limits of chance alone (99.8%)", "average of all areas"
ADJUSTED_MEANS = "Adjusted limits allow for areas that differ by more than chance alone"
LIMITS = {
    "average": AVERAGE,
    **dict.fromkeys(("lower_998", "upper_998"), ADJUSTED),
    **dict.fromkeys(("lower_95", "upper_95"), ADJUSTED_NEAR),
    **dict.fromkeys(("plain_lower_998", "plain_upper_998"), PLAIN),
}
"""What the lines of a funnel are, by the columns they are drawn from."""

LIMIT_DASHES = {ADJUSTED: [1, 0], ADJUSTED_NEAR: [7, 4], PLAIN: [2, 4], AVERAGE: [14, 3, 2, 3]}
LIMIT_COLOURS = {ADJUSTED: COLOURS[0], ADJUSTED_NEAR: COLOURS[0], PLAIN: INK, AVERAGE: COLOURS[1]}

WITHIN, BEYOND = "inside the limits", "beyond the inner limits"
ABOVE, BELOW = "above the outer limits", "below the outer limits"
PLACES = {
    "inside": WITHIN,
    "above 95%": BEYOND,
    "below 95%": BEYOND,
    "above 99.8%": ABOVE,
    "below 99.8%": BELOW,
}
PLACE_LOOKS = {
    WITHIN: ("circle", INK),
    BEYOND: ("diamond", COLOURS[1]),
    ABOVE: ("triangle-up", COLOURS[2]),
    BELOW: ("triangle-down", COLOURS[3]),
}


@of_tested_parts
def plot_funnel_of_areas(
    funnel: Safe, *, title: str, measure: str, of: str = "", highlight: str | None = None
) -> alt.LayerChart:
    """Draw the figures of all areas by their size, with the limits within which ordinary variation keeps them.

    Parameters
    ----------
    funnel
        A safe table of shape funnel with the group column area.
    title
        Title of the chart: what it shows.
    measure
        What is measured, such as ``"Second or subsequent plans"``; stands above the chart with its unit.
    of
        What the size is, such as ``"plans that started in the year"``; stands under the axis. Where it is not given:
        "number of which the share is taken", or "children aged 0 to 17" of rates.
    highlight
        The area that has its name beside a large symbol.

    Returns
    -------
    alt.LayerChart
        One symbol per area, by where it lies; sizes on a logarithmic scale. Limits that allow for ordinary variation
        between areas are drawn solid and dashed, those of chance alone dotted. Areas without a number are counted in
        the description; a highlighted one has its mark at the baseline.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape or other group columns, or has no such area.
    """
    frame = opened(funnel, FUNNEL)
    if frame.is_empty():
        return nothing(title)
    require_groups(frame, FUNNEL, ["area"], "plot_funnel_of_areas")
    areas = frame["area"].to_list()
    if highlight is not None and highlight not in areas:
        raise ParameterError(
            f'highlight: there is no area "{highlight}" in the table.{nearest(highlight, areas)} '
            f"Found: {shorten(areas)}."
        )
    drawn, is_share = _funnel_rows(frame, highlight)
    seen = drawn.filter(pl.col("note") == "")
    unit, form = ("%", ".0%") if is_share else ("per 10,000", ",f")
    y = Upwards(_funnel_top(seen), form)
    size = of or ("number of which the share is taken" if is_share else "children aged 0 to 17")
    x = _size_axis(seen["size"].to_list(), size)
    layers = [
        _funnel_lines(x, y),
        *_funnel_points(x, y, size, seen),
        *_own_area(x, y, drawn.filter(pl.col("own")), seen["size"].to_list()),
    ]
    described = [
        sentence(title),
        f"Points with limits: {measure} ({unit}), by {within(size)}.",
        sentence(ADJUSTED_MEANS),
        *_position_in_words(seen, highlight, is_share),
        *extremes(seen),
        *without_number(drawn),
    ]
    said = " ".join(filter(None, described))
    return finish(layers, drawn, title=title, said=said, height=HEIGHT, subtitle=f"{measure} ({unit})")


def _funnel_rows(frame: pl.DataFrame, highlight: str | None) -> tuple[pl.DataFrame, bool]:
    """What is drawn, the smallest first, and whether it is shares rather than numbers per 10,000."""
    known = frame.filter(pl.col("value") > 0, pl.col("size") > 0, pl.col("observed") > 0)
    # Of the largest, where rounded counts tell the two apart best.
    best = known.sort("observed").tail(1).row(0, named=True) if not known.is_empty() else None
    is_share = best is None or best["value"] < 100 * best["observed"] / best["size"]
    words = [
        _number(line["value"], is_share)
        + (f", {line['observed']:,} of {line['size']:,}" if None not in (line["observed"], line["size"]) else "")
        if line["value"] is not None
        else ""
        for line in frame.iter_rows(named=True)
    ]
    note = note_of("value")
    drawn = frame.select(
        row=pl.col("area").cast(pl.String),
        size="size",
        value="value",
        place=pl.col("position").replace_strict(PLACES, default=None, return_dtype=pl.String),
        own=pl.col("area").cast(pl.String).eq_missing(pl.lit(highlight, pl.String)),
        note=note,
        shown=pl.when(note == "").then(pl.Series(words, dtype=pl.String)).otherwise(note),
        **{name: pl.col(name) for name in LIMITS},
    )
    return drawn.sort("size", "row", nulls_last=True), is_share


def _number(value: float, is_share: bool) -> str:
    return percent(value) if is_share else f"{rounded(value, 1):,}"


def _funnel_top(seen: pl.DataFrame) -> float:
    """The end of the axis: above all values, and above most of the limits, which are far apart for small areas."""
    usual = seen["upper_998"].drop_nulls().median()
    numbers = [*seen["value"], *([usual] if isinstance(usual, float) else []), *seen["average"].head(1)]
    return max([number for number in numbers if number is not None], default=1.0) * 1.08 or 1.0


def _size_axis(sizes: Sequence[int], size: str) -> alt.X:
    """A logarithmic axis with marks at 1, 2 and 5 of each power of ten."""
    low, high = (min(sizes), max(sizes)) if sizes else (1, 10)
    powers = range(floor(log10(max(low, 1))), floor(log10(max(high, 1))) + 1)
    values = [step * 10**power for power in powers for step in (1, 2, 5) if low <= step * 10**power <= high]
    axis = alt.Axis(
        title=[f"{size[:1].upper()}{size[1:]}", "(small numbers are spread out)"],
        values=values or [low],
        format=",d",
        grid=False,
        labelOverlap="greedy",
    )
    scale = alt.Scale(type="log", domain=[max(low, 1) * 0.93, max(high, 2) * 1.08], nice=False)
    return alt.X("size:Q", scale=scale, axis=axis)


def _legend_columns(most: int) -> Any:
    """Entries below each other on a telephone."""
    return alt.expr(f"width < {NARROW} ? 1 : {most}")


def _funnel_lines(x: alt.X, y: Upwards) -> alt.Chart:
    """The limits and the average over the sizes."""
    kinds = json.dumps(LIMITS)
    names = list(LIMIT_DASHES)
    legend = alt.Legend(
        title=wrap(ADJUSTED_MEANS, 40),
        titleFontWeight="normal",
        titleLimit=300,
        labelLimit=280,
        orient="bottom",
        columns=_legend_columns(2),
        symbolType="stroke",
        symbolSize=350,
        symbolStrokeWidth=2,
    )
    lines = (
        where("datum.note == ''")
        .transform_fold(list(LIMITS), as_=["limit", "at"])
        .transform_calculate(kind=f"{kinds}[datum.limit]")
    )
    drawn: alt.Chart = lines.mark_line(clip=True, interpolate="monotone", strokeWidth=1.5, aria=False).encode(
        x=x,
        y=y.of("at"),
        detail=alt.Detail("limit:N"),
        strokeDash=alt.StrokeDash(
            "kind:N", scale=alt.Scale(domain=names, range=list(LIMIT_DASHES.values())), legend=legend
        ),
        stroke=alt.Stroke(
            "kind:N", scale=alt.Scale(domain=names, range=[LIMIT_COLOURS[name] for name in names]), legend=legend
        ),
    )
    return drawn


def _funnel_points(x: alt.X, y: Upwards, size: str, seen: pl.DataFrame) -> list[alt.Chart]:
    """The symbols of the areas, by where they lie."""
    if seen.is_empty():
        return []
    found = [name for name in PLACE_LOOKS if name in seen["place"].to_list()]
    legend = alt.Legend(title=None, columns=_legend_columns(2), labelLimit=280, symbolOpacity=1, offset=30)
    hover = [
        alt.Tooltip("row:N", title="Area"),
        alt.Tooltip("shown:N", title="Shown"),
        alt.Tooltip("place:N", title="Limits"),
        alt.Tooltip("size:Q", title=f"{size[:1].upper()}{size[1:]}", format=","),
    ]
    looks = [PLACE_LOOKS[name] for name in found]
    ordinary: Any = {"test": f"datum.place == '{WITHIN}'", "value": 50}
    points = where("datum.note == ''").mark_point(filled=True, opacity=0.8, clip=True)
    return [
        points.encode(
            x=x,
            y=y.of("value"),
            tooltip=hover,
            # Those that stand out are larger as well.
            size=alt.SizeValue(95, condition=ordinary),
            shape=alt.Shape(
                "place:N", scale=alt.Scale(domain=found, range=[symbol for symbol, _ in looks]), legend=legend
            ),
            color=alt.Color(
                "place:N", scale=alt.Scale(domain=found, range=[colour for _, colour in looks]), legend=legend
            ),
        )
    ]


def _own_area(x: alt.X, y: Upwards, own: pl.DataFrame, sizes: Sequence[int]) -> list[alt.Chart]:
    """A ring around the symbol of the highlighted area, and its name with its number; or its mark at the baseline."""
    if own.is_empty():
        return []
    name, note = own.row(0, named=True)["row"], own["note"][0]
    if note:
        text = where("datum.own").mark_text(align="left", baseline="bottom", dx=6, dy=-4, fontWeight="bold")
        words = where("datum.own").mark_text(align="left", baseline="bottom", dx=6, dy=-20, fontWeight="bold")
        at = {"x": alt.XValue(0), "y": alt.YValue(HEIGHT)}
        return [text.encode(**at, text=alt.Text("note:N")), words.encode(**at, text=alt.Text("row:N"))]
    # The words stand where there is more room.
    left = own["size"][0] ** 2 > min(sizes) * max(sizes)
    ring = where("datum.own && datum.note == ''").mark_point(size=260, strokeWidth=3, opacity=1, stroke=COLOURS[0])
    labelled = where("datum.own && datum.note == ''").transform_calculate(
        words=f"{json.dumps(name)} + ' ' + split(datum.shown, ', ')[0]"
    )
    place: dict[str, Any] = {"align": "right" if left else "left", "dx": -15 if left else 15, "fontWeight": "bold"}
    return [
        ring.encode(x=x, y=y.of("value")),
        *_haloed(labelled, {"x": x, "y": y.of("value"), "text": alt.Text("words:N")}, **place, fontSize=14),
    ]


def _haloed(chart: alt.Chart, encoding: Mapping[str, Any], **mark: Any) -> list[alt.Chart]:
    """Text with a white edge, which keeps it readable where marks lie under it."""
    return [
        chart.mark_text(**mark, stroke="white", strokeWidth=5, strokeJoin="round", aria=False).encode(**encoding),
        chart.mark_text(**mark).encode(**encoding),
    ]


def _position_in_words(seen: pl.DataFrame, highlight: str | None, is_share: bool) -> list[str]:
    """The average, the highlighted area, and which areas lie beyond the limits."""
    if seen.is_empty():
        return []
    own = seen.filter(pl.col("own"))
    places = {name: seen.filter(pl.col("place") == name)["row"].to_list() for name in (ABOVE, BELOW)}
    return [
        f"Average of all areas: {_number(seen['average'][0], is_share)}.",
        *(f"{highlight}: {line['shown']}, {line['place']}." for line in own.iter_rows(named=True)),
        *(f"{place[:1].upper()}{place[1:]}: {', '.join(names)}." for place, names in places.items() if names),
    ]
