"""Charts of child protection indicators over time: counts beside their limits, time to the next plan.

They keep the conventions of `charts`: a `Safe` table in, an Altair chart out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from textwrap import wrap
from typing import Any, NamedTuple

import altair as alt
import polars as pl

import safeguarding_analytics.charts  # noqa: F401 - enables the theme and the renderer
from safeguarding_analytics.answers import column_heading
from safeguarding_analytics.cells import rounded
from safeguarding_analytics.chart_figures import of_tested_parts
from safeguarding_analytics.chart_marks import COLOURS, DASHES, INK, SYMBOLS, Drawn, finish, nothing
from safeguarding_analytics.chart_pairs import where
from safeguarding_analytics.chart_rows import (
    extremes,
    note_of,
    opened,
    sentence,
    within,
    without_number,
)
from safeguarding_analytics.dates import period_in_words
from safeguarding_analytics.errors import ParameterError, shorten
from safeguarding_analytics.process_control import FEWEST
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.sentences import percent
from safeguarding_analytics.shapes import CONTROL_CHART, ESTIMATE, Shape
from safeguarding_analytics.tables import TOTAL

HEIGHT = 340
"""Of a chart, in pixels."""

ORDINARY = "ordinary variation"
DIRECTIONS = {
    ORDINARY: ("circle", INK),
    "improvement": ("square", COLOURS[0]),
    "concern": ("diamond", COLOURS[3]),
    "high": ("triangle-up", COLOURS[2]),
    "low": ("triangle-down", COLOURS[1]),
}
"""What a point of a control chart says, with its symbol and its colour."""

PERIODS = {"month": "Month", "quarter": "Quarter", "time_period": "Year to 31 March"}
"""By group column, what the periods of a control chart are."""

LEVELS = {"upper": "upper", "mean": "mean", "lower": "lower"}
"""The lines of a control chart, by the columns they are drawn from, and their names."""


class Upwards(NamedTuple):
    """The axis of a chart from 0 to its top, for every mark that stands on it."""

    top: float
    number_format: str

    def of(self, field: str) -> alt.Y:
        """The height of a field."""
        # Counts have no half steps, and no axis of theirs is so short that others need them.
        least = 1 if self.number_format == ",d" else alt.Undefined
        axis = alt.Axis(title=None, format=self.number_format, tickCount=6, tickMinStep=least)
        return alt.Y(f"{field}:Q", scale=alt.Scale(domain=[0, self.top], nice=False), axis=axis)


@of_tested_parts
def plot_control_chart(table: Safe, *, title: str, measure: str) -> alt.LayerChart:
    """Draw counts of equal periods with their mean and limits, and mark those that stand out.

    Parameters
    ----------
    table
        A safe table of shape control_chart with one group column, the periods, in their order.
    title
        Title of the chart: what it shows.
    measure
        What is counted, such as ``"Plans that started"``; stands above the chart.

    Returns
    -------
    alt.LayerChart
        A line with a symbol per period, by whether it is ordinary variation and otherwise its direction; mean solid,
        limits dashed, of each phase. Limits below 0 are not drawn. Hidden periods have "[c]" at the baseline. Where a
        phase has fewer than 12 points, the chart says that its limits are trial limits.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, or has not exactly one group column.
    """
    frame = opened(table, CONTROL_CHART)
    if frame.is_empty():
        return nothing(title)
    groups = CONTROL_CHART.group_columns(frame.columns)
    if len(groups) != 1:
        raise ParameterError(
            "plot_control_chart draws counts by one column of periods. "
            f"Found: {', '.join(groups) or 'none'}. Keep one value of the others, and drop them."
        )
    drawn, period = _control_rows(frame, groups[0]), PERIODS.get(groups[0]) or column_heading(groups[0])
    order = drawn["row"].to_list()
    top = max([0.0, *(number for name in ("value", "upper") for number in drawn[name].drop_nulls())]) * 1.12 or 1.0
    y = Upwards(top, ",d")
    names = [period_in_words(one) for one in order]
    looked_up = f"{json.dumps(names)}[indexof({json.dumps(order)}, datum.{{}})]"
    label = looked_up.format("label")
    axis = alt.Axis(title=period, labelAngle=0, labelOverlap="greedy", labelExpr=label, grid=False)
    x = alt.X("row:O", sort=order, axis=axis)
    trial = drawn.group_by("phase").len()["len"].min()
    is_trial = isinstance(trial, int) and trial < FEWEST
    layers = [
        *_levels(x, y),
        alt.Chart().mark_line(strokeWidth=1.5, color=INK, aria=False).encode(x=x, y=y.of("value")),
        *_control_points(x, y, drawn, alt.Tooltip("name:N", title=period), looked_up.format("row")),
        *_notes_at_the_baseline(x),
    ]
    subtitle = measure + (f"; trial limits: fewer than {FEWEST} points" if is_trial else "")
    described = [
        sentence(title),
        f"Line with limits: {within(measure)}, by {within(period)}.",
        *_limits_in_words(drawn),
        f"Trial limits: fewer than {FEWEST} points." if is_trial else "",
        *_standing_out(drawn),
        *extremes(drawn.with_columns(row=pl.Series([period_in_words(one, "%B") for one in order], dtype=pl.String))),
        *without_number(drawn),
    ]
    said = " ".join(filter(None, described))
    both = [Drawn(layer=layers), *_level_names(drawn, y)]
    return finish(both, drawn, title=title, said=said, height=HEIGHT, subtitle=subtitle, own_scales=True)


def _control_rows(frame: pl.DataFrame, period: str) -> pl.DataFrame:
    """What is drawn: one row per period, with the phase its limits belong to and the direction in words."""
    rows = frame.filter(pl.col(period).cast(pl.String).ne_missing(TOTAL))
    note = note_of("value")
    # A hidden period is one of the phase around it.
    limits = pl.struct(pl.col("mean", "lower", "upper").forward_fill().backward_fill())
    direction = pl.when(pl.col("direction").fill_null("") == "").then(pl.lit(ORDINARY)).otherwise("direction")
    return rows.select(
        row=pl.col(period).cast(pl.String).fill_null("not stated"),
        value="value",
        mean="mean",
        lower="lower",
        upper="upper",
        phase=limits.rle_id().map_elements(_phase_name, return_dtype=pl.String),
        rule=pl.col("rule").fill_null(""),
        direction=pl.when(note == "").then(direction),
        note=note,
        shown=pl.when(note == "").then(_thousands("value")).otherwise(note),
    )


def _phase_name(place: int) -> str:
    """The name of a phase: letters, since a chart holds no number but those of its table.

    Examples
    --------
    >>> _phase_name(0), _phase_name(27)
    ('a', 'bb')
    """
    return chr(ord("a") + place % 26) * (place // 26 + 1)


def _thousands(column: str) -> pl.Expr:
    return pl.col(column).map_elements(lambda number: f"{number:,}", return_dtype=pl.String)


def _levels(x: alt.X, y: Upwards) -> list[alt.Chart]:
    """The mean and the limits of each phase."""
    return [
        where(f"isValid(datum.{name}) && datum.{name} >= 0")
        .mark_line(color=COLOURS[0], strokeWidth=1.5, strokeDash=[1, 0] if name == "mean" else [6, 4], aria=False)
        .encode(x=x, y=y.of(name), detail=alt.Detail("phase:N"))
        for name in LEVELS
    ]


def _level_names(drawn: pl.DataFrame, y: Upwards) -> list[alt.Chart]:
    """The latest mean and limits, named at their right end: an axis, as text beyond the plot would be cut off."""
    known = drawn.filter(pl.col("mean").is_not_null())
    if known.is_empty():
        return []
    last = known.row(-1, named=True)
    far = 2 * 17 * y.top / HEIGHT  # two lines of text
    places = {
        name: last[name]
        for name in LEVELS
        if name == "mean" or (last[name] is not None and last[name] >= 0 and abs(last[name] - last["mean"]) >= far)
    }
    labels = [[LEVELS[name], f"{rounded(number, 1):,}"] for name, number in places.items()]
    axis = alt.Axis(
        orient="right",
        values=list(places.values()),
        labelExpr=f"{json.dumps(labels)}[indexof({json.dumps(list(places.values()))}, datum.value)]",
        labelOverlap=False,
        labelBaseline="middle",
        labelOffset=-8,
        labelLineHeight=16,
        title=None,
        grid=False,
        ticks=False,
        domain=False,
    )
    unseen = alt.Chart().mark_point(opacity=0, aria=False)
    named = unseen.encode(y=alt.Y("mean:Q", scale=alt.Scale(domain=[0, y.top], nice=False), axis=axis))
    return [named]


def _control_points(x: alt.X, y: Upwards, drawn: pl.DataFrame, period: alt.Tooltip, name: str) -> list[alt.Chart]:
    found = [name for name in DIRECTIONS if name in drawn["direction"].to_list()]
    if not found:
        return []
    looks = [DIRECTIONS[name] for name in found]
    legend = alt.Legend(title=None, columns=len(found), symbolOpacity=1) if len(found) > 1 else None
    hover = [
        period,
        alt.Tooltip("shown:N", title="Shown"),
        alt.Tooltip("direction:N", title="What stands out"),
        alt.Tooltip("rule:N", title="Rule"),
    ]
    point = where("isValid(datum.value)").transform_calculate(name=name).mark_point(filled=True, opacity=1)
    ordinary: Any = {"test": f"datum.direction == '{ORDINARY}'", "value": 45}
    return [
        point.encode(
            x=x,
            y=y.of("value"),
            tooltip=hover,
            # Those that stand out are larger as well.
            size=alt.SizeValue(120, condition=ordinary),
            shape=alt.Shape(
                "direction:N", scale=alt.Scale(domain=found, range=[symbol for symbol, _ in looks]), legend=legend
            ),
            color=alt.Color(
                "direction:N", scale=alt.Scale(domain=found, range=[colour for _, colour in looks]), legend=legend
            ),
        )
    ]


def _notes_at_the_baseline(x: alt.X) -> list[alt.Chart]:
    # Only the rows of time to the next plan go by numbers.
    note = (
        where("datum.note != ''").transform_calculate(months="toNumber(datum.row)").mark_text(baseline="bottom", dy=-4)
    )
    return [note.encode(x=x, y=alt.YValue(HEIGHT), text=alt.Text("note:N"))]


def _limits_in_words(drawn: pl.DataFrame) -> list[str]:
    """The mean and the limits of the last phase."""
    known = drawn.filter(pl.col("mean").is_not_null(), pl.col("lower").is_not_null(), pl.col("upper").is_not_null())
    if known.is_empty():
        return []
    last = known.row(-1, named=True)
    lower = "below zero" if last["lower"] < 0 else f"{rounded(last['lower'], 1):,}"
    which = "Latest mean and limits" if known["phase"].n_unique() > 1 else "Mean and limits"
    return [f"{which}: {rounded(last['mean'], 1):,}, {lower} to {rounded(last['upper'], 1):,}."]


def _standing_out(drawn: pl.DataFrame) -> list[str]:
    """Which periods stand out, by direction and rule."""
    found = drawn.filter(pl.col("note") == "", pl.col("rule") != "")
    if found.is_empty():
        return [f"Nothing but {ORDINARY}." if (drawn["note"] == "").any() else ""]
    said = []
    for (direction, rule), rows in found.group_by("direction", "rule", maintain_order=True):
        months = [period_in_words(one, "%B") for one in rows["row"]]
        said.append(f"{str(direction).capitalize()}, {rule}: {', '.join(months)}.")
    return said


@of_tested_parts
def plot_time_to_next(table: Safe, *, title: str, measure: str = "Share of ends of protection") -> alt.LayerChart:
    """Draw how many had another plan, died or moved away within so many months, and how many were still followed.

    Parameters
    ----------
    table
        A safe table of shape estimate with the group columns event and months.
    title
        Title of the chart: what it shows.
    measure
        What the shares are of; stands above the chart, with "%".

    Returns
    -------
    alt.LayerChart
        A line per event with the band of its interval. Under each month stands the number still followed just before
        it, where it is the same for every event. Hidden months have "[c]" at the baseline.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape or other group columns, or more events than a chart can tell
        apart.
    """
    frame = opened(table, ESTIMATE)
    if frame.is_empty():
        return nothing(title)
    require_groups(frame, ESTIMATE, ["event", "months"], "plot_time_to_next")
    drawn = _time_rows(frame)
    events = drawn["series"].unique(maintain_order=True).to_list()
    if len(events) > len(COLOURS):
        raise ParameterError(
            f"a chart tells at most {len(COLOURS)} events apart. Found: {len(events)} ({shorten(events, most=3)})."
        )
    numbers = [number for name in ("value", "upper") for number in drawn[name].drop_nulls()]
    top = min(max([0.01, *numbers]) * 1.08, 1.0)
    y = Upwards(top, ".0%")
    x = _months_axis(drawn)
    looks = _event_looks(events)
    # Months are names of rows, and become numbers where they are drawn.
    months = {"months": "toNumber(datum.row)"}
    band = (
        where("isValid(datum.lower) && isValid(datum.upper)")
        .transform_calculate(**months)
        .mark_area(opacity=0.15, aria=False)
    )
    seen = where("isValid(datum.value)").transform_calculate(**months)
    line = seen.mark_line(strokeWidth=2.5, aria=False)
    point = seen.mark_point(filled=True, size=70, opacity=1)
    hover = [
        alt.Tooltip("series:N", title="What followed"),
        alt.Tooltip("row:N", title="Months"),
        alt.Tooltip("shown:N", title="Shown"),
        alt.Tooltip("n:Q", title="Still followed", format=","),
    ]
    layers = [
        band.encode(x=x, y=y.of("lower"), y2=alt.Y2("upper:Q"), color=looks["color"]),
        line.encode(x=x, y=y.of("value"), color=looks["color"], strokeDash=looks["strokeDash"]),
        point.encode(x=x, y=y.of("value"), tooltip=hover, color=looks["color"], shape=looks["shape"]),
        *_notes_at_the_baseline(x),
    ]
    described = [
        sentence(title),
        f"Lines with interval bands: {within(measure)} (%), by months, for each event.",
        *_last_in_words(drawn),
        *without_number(drawn),
    ]
    said = " ".join(filter(None, described))
    return finish(layers, drawn, title=title, said=said, height=HEIGHT, subtitle=f"{measure} (%)")


def _time_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """What is drawn, each event in the order of its months."""
    ends = [pl.col(end) if end in frame.columns else pl.lit(None, pl.Float64).alias(end) for end in ("lower", "upper")]
    note = note_of("estimate")
    rows = frame.with_columns(ends)
    words = [
        "" if line["estimate"] is None else _share_with_interval(line["estimate"], line["lower"], line["upper"])
        for line in rows.iter_rows(named=True)
    ]
    return rows.select(
        series=pl.col("event").cast(pl.String),
        row=pl.col("months").cast(pl.Int64).cast(pl.String),
        n="n",
        value="estimate",
        lower="lower",
        upper="upper",
        note=note,
        shown=pl.when(note == "").then(pl.Series(words, dtype=pl.String)).otherwise(note),
    ).sort("series", pl.col("row").cast(pl.Int64))


def _share_with_interval(share: float, lower: float | None, upper: float | None) -> str:
    """A share with its interval.

    Examples
    --------
    >>> _share_with_interval(0.213, 0.18, 0.25), _share_with_interval(0.0, None, None)
    ('21.3% (18.0% to 25.0%)', '0.0%')
    """
    ends = f" ({percent(lower)} to {percent(upper)})" if lower is not None and upper is not None else ""
    return f"{percent(share)}{ends}"


def _months_axis(drawn: pl.DataFrame) -> alt.X:
    """The months that are told, each with the number still followed below it, where it is one number."""
    by_month = drawn.group_by(months=pl.col("row").cast(pl.Int64)).agg(
        pl.col("n").n_unique().alias("numbers"), pl.col("n").first(), pl.col("note").first()
    )
    months = by_month.sort("months")
    one_number = bool((months["numbers"] == 1).all())
    below = [
        f"{line['n']:,}" if line["n"] is not None else line["note"] or "–" for line in months.iter_rows(named=True)
    ]
    places = months["months"].to_list()
    labels = [[str(place), *([number] if one_number else [])] for place, number in zip(places, below, strict=True)]
    title = ["Months since protection ended", *(["below: number still followed"] if one_number else [])]
    axis = alt.Axis(
        title=title,
        values=places,
        labelExpr=f"{json.dumps(labels)}[indexof({json.dumps(places)}, datum.value)]",
        labelOverlap="greedy",
        labelLineHeight=17,
        grid=False,
    )
    last = max(places)
    scale = alt.Scale(domain=[min(0, *places), last], nice=False, padding=14)
    return alt.X("months:Q", scale=scale, axis=axis)


def _event_looks(events: Sequence[str]) -> dict[str, Any]:
    """Colour, dash and symbol of each event, with one legend of names in lines that fit on a telephone."""
    lines = json.dumps([wrap(name, 36) for name in events])
    legend = alt.Legend(
        title=None,
        columns=1,
        labelLimit=330,
        labelExpr=f"{lines}[indexof({json.dumps(list(events))}, datum.label)]",
        symbolOpacity=1,
    )
    make: dict[str, tuple[Callable[..., Any], Sequence[Any]]] = {
        "color": (alt.Color, COLOURS),
        "strokeDash": (alt.StrokeDash, DASHES),
        "shape": (alt.Shape, SYMBOLS),
    }
    return {
        name: channel(
            "series:N", scale=alt.Scale(domain=list(events), range=list(values[: len(events)])), legend=legend
        )
        for name, (channel, values) in make.items()
    }


def _last_in_words(drawn: pl.DataFrame) -> list[str]:
    """The last number of each event, with its months."""
    seen = drawn.filter(pl.col("note") == "")
    return [
        f"{str(event)[:1].upper()}{str(event)[1:]}: {rows['shown'][-1]} within {rows['row'][-1]} months."
        for (event,), rows in seen.group_by("series", maintain_order=True)
    ]


def require_groups(frame: pl.DataFrame, shape: Shape, wanted: Sequence[str], plot: str) -> None:
    """Refuse a table by other columns than those a chart draws."""
    found = shape.group_columns(frame.columns)
    if sorted(found) != sorted(wanted):
        raise ParameterError(
            f"{plot} draws tables by {' and '.join(wanted)}. Found: {', '.join(found) or 'none'}. "
            "Keep one value of the others, and drop them."
        )
