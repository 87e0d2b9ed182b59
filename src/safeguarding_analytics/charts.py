"""Charts: one function per shape of table, a `Safe` table in, an Altair chart out.

Importing this module enables the Altair theme ``safeguarding`` and the renderer of `chart_figures`, so that a chart
looks the same in JupyterLab, in a board pack and on paper.

A chart carries what it draws and nothing more: the fields of `chart_rows.Rows`, each of them in a mark, a tooltip or
a filter.
"""

from __future__ import annotations

import altair as alt
import polars as pl

from safeguarding_analytics.chart_figures import enable_renderer, of_tested_parts
from safeguarding_analytics.chart_marks import (
    COLOURS,
    INK,
    LINE_COLOURS,
    bars,
    dots,
    lines,
    upright,
)
from safeguarding_analytics.chart_rows import (
    arrange,
    number_in_words,
    opened,
    share_in_words,
    split_groups,
)
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.sentences import percent, with_wider_interval
from safeguarding_analytics.shapes import ATTENDANCE, COUNT, MEAN_CHANGE, PROPORTION, RATE

OUTCOMES = {
    "attended": "attended",
    "did_not_attend": "did not attend",
    "cancelled": "cancelled",
    "walk_ins": "walk-ins",
}


@alt.theme.register("safeguarding", enable=True)
def theme() -> alt.theme.ThemeConfig:
    """The look of every chart: title on the left, no letter below 12 pixels, light grid, British numbers."""
    return {
        "config": {
            "background": "white",
            "font": "Arial, Helvetica, sans-serif",
            "locale": {"number": {"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["£", ""]}},
            "view": {"stroke": None},
            "title": {
                "anchor": "start",
                "frame": "bounds",
                "color": COLOURS[0],
                "fontSize": 16,
                "subtitleColor": INK,
                "subtitleFontSize": 13,
                "subtitlePadding": 6,
                "offset": 22,
            },
            "axis": {
                "aria": False,  # what is read out is the description of the chart, each mark, and the table
                "labelColor": INK,
                "titleColor": INK,
                "labelFontSize": 13,
                "titleFontSize": 13,
                "titleFontWeight": "normal",
                "titlePadding": 10,
                "gridColor": "#E6E6E6",
                "domainColor": "#8C8C8C",
                "tickColor": "#8C8C8C",
                "labelLimit": 200,
                "labelSeparation": 8,
            },
            "legend": {
                "labelColor": INK,
                "titleColor": INK,
                "labelFontSize": 13,
                "titleFontSize": 13,
                "orient": "top",
                "symbolSize": 90,
            },
            "text": {"fontSize": 13, "color": INK},
        }
    }


enable_renderer()


@of_tested_parts
def plot_count(table: Safe, *, title: str, group: str | None = None, measure: str = "people") -> alt.LayerChart:
    """Draw how many there are of each group, as horizontal bars.

    Parameters
    ----------
    table
        A safe table of shape count. Its margins ("Total") are left out: a bar of everybody would dwarf the others.
    title
        Title of the chart: what it shows.
    group
        Group column that makes the rows; the first where it is not given. A second group column makes the colours.
    measure
        What is counted; stands under the axis.

    Returns
    -------
    alt.LayerChart
        One bar per group, the largest first; hidden groups last, with "[c]" at the baseline.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, or has more groups than a chart can tell apart.
    """
    frame = opened(table, COUNT)
    row, series = split_groups(frame, COUNT, group)
    rows = arrange(frame, "count", row, series, lambda line: f"{line['count']:,}", margins=False)
    return bars(rows, title=title, axis=f"Number of {measure}")


@of_tested_parts
def plot_proportion(
    table: Safe,
    *,
    title: str,
    group: str | None = None,
    measure: str,
    reference: tuple[str, float] | None = None,
    over: str | None = None,
) -> alt.LayerChart:
    """Draw a share of each group with its interval: dots by group, or lines over the years.

    Parameters
    ----------
    table
        A safe table of shape proportion.
    title
        Title of the chart: what it shows.
    group
        Group column that makes the rows (with ``over``, the lines); the first where it is not given.
        A second group column makes the colours.
    measure
        What the share is of, such as ``"Eligible staff trained"``; stands at the axis, with "%".
    reference
        Name and value (0 to 1) of a number to compare with, such as ``("England", 0.232)``: a dashed line.
    over
        Column of periods, such as ``"time_period"``: draws one line per group, with its interval as a band; dots where
        there is one period, of which a line shows nothing.

    Returns
    -------
    alt.LayerChart
        The axis is in per cent and starts at 0. Hidden groups have "[c]" at the baseline. Where the table has an
        interval that allows for siblings and repeats, the wider ends of the two are drawn.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, or has more groups than a chart can tell apart.
    """
    frame = with_wider_interval(opened(table, PROPORTION))
    if group is not None:
        split_groups(frame, PROPORTION, group)
    row, series = split_groups(frame, PROPORTION, over or group)
    rows = arrange(
        frame, "proportion", row, series, share_in_words, most_series=4 if over is None else len(LINE_COLOURS)
    )
    axis = f"{measure} (%)"
    if over is not None and len(rows.order) > 1:
        return lines(rows, title=title, axis=axis, reference=reference)
    marker = [] if reference is None else upright(f"{reference[0]} {percent(reference[1])}", reference[1])
    return dots(rows, title=title, axis=axis, number_format=".0%", behind=marker)


@of_tested_parts
def plot_rate(table: Safe, *, title: str, group: str | None = None, over: str | None = None) -> alt.LayerChart:
    """Draw a rate per 10,000 children of each group with its interval.

    Parameters
    ----------
    table
        A safe table of shape rate.
    title
        Title of the chart: what it shows.
    group
        Group column that makes the rows (with ``over``, the lines); the first where it is not given.
        A second group column makes the colours.
    over
        Column of periods, such as ``"time_period"``: draws one line per group, with its interval as a band; dots where
        there is one period, of which a line shows nothing.

    Returns
    -------
    alt.LayerChart
        One dot per group, the largest first; hidden groups last, with "[c]" at the baseline.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, or has more groups than a chart can tell apart.
    """
    frame = opened(table, RATE)
    if group is not None:
        split_groups(frame, RATE, group)
    row, series = split_groups(frame, RATE, over or group)
    most = 4 if over is None else len(LINE_COLOURS)
    rows = arrange(frame, "rate", row, series, lambda line: number_in_words(line, "rate"), most_series=most)
    axis = "Rate per 10,000 children aged 0 to 17"
    if over is not None and len(rows.order) > 1:
        return lines(rows, title=title, axis=axis, reference=None, number_format=",f")
    return dots(rows, title=title, axis=axis, number_format=",f")


@of_tested_parts
def plot_mean_change(
    table: Safe, *, title: str, group: str | None = None, meaningful_gain: float | None = None
) -> alt.LayerChart:
    """Draw the mean change of each group with its interval, against no change and against a meaningful gain.

    Parameters
    ----------
    table
        A safe table of shape mean_change.
    title
        Title of the chart: what it shows.
    group
        Group column that makes the rows; the first where it is not given. A second group column makes the colours.
    meaningful_gain
        The gain, in points, that was fixed beforehand as worth having: a dashed line.

    Returns
    -------
    alt.LayerChart
        One dot per group, the largest first; hidden groups last, with "[c]" at the left edge.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, or has more groups than a chart can tell apart.
    """
    frame = opened(table, MEAN_CHANGE)
    row, series = split_groups(frame, MEAN_CHANGE, group)
    rows = arrange(
        frame,
        "mean_change",
        row,
        series,
        lambda line: f"{number_in_words(line, 'mean_change')}, {line['n_pairs']:,} pairs",
    )
    behind = upright("", 0, dashed=False)
    if meaningful_gain is not None:
        behind += upright(f"meaningful gain: {meaningful_gain:g}", meaningful_gain)
    axis = "Mean change, points (after minus before; 0 = no change)"
    return dots(rows, title=title, axis=axis, number_format=",f", behind=behind)


@of_tested_parts
def plot_changes(table: Safe, *, title: str) -> alt.LayerChart:
    """Draw how many pairs rose, stayed the same and fell, as horizontal bars.

    Parameters
    ----------
    table
        A safe table of shape mean_change with one row.
    title
        Title of the chart: what it shows.

    Returns
    -------
    alt.LayerChart
        Three bars; where one of the counts is small all three are hidden.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, or has more than one row.
    """
    frame = opened(table, MEAN_CHANGE)
    if frame.height > 1:
        raise ParameterError(f"plot_changes draws one row. Found: {frame.height} rows.")
    words = {"n_up": "rose", "n_same": "stayed the same", "n_down": "fell"}
    long = frame.unpivot(list(words), index="mark", variable_name="change", value_name="number").with_columns(
        pl.col("change").replace_strict(words)
    )
    rows = arrange(long, "number", "change", None, lambda line: f"{line['number']:,}", margins=False)
    return bars(rows, title=title, axis="Number of pairs of answers")


@of_tested_parts
def plot_attendance(table: Safe, *, title: str, group: str | None = None) -> alt.LayerChart:
    """Draw what became of the bookings of each group: attended, did not attend, cancelled, and who walked in.

    Parameters
    ----------
    table
        A safe table of shape attendance with one group column. Its margin ("Total") is left out.
    title
        Title of the chart: what it shows.
    group
        The group column.

    Returns
    -------
    alt.LayerChart
        Four bars per group, side by side and not stacked: in a stack, the room that is left gives a hidden part away.
        Walk-ins are counted among the attended as well.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, or has more than one group column.
    """
    frame = opened(table, ATTENDANCE)
    row, other = split_groups(frame, ATTENDANCE, group)
    if other is not None:
        raise ParameterError(f"plot_attendance draws one group column. Found: {row}, {other}.")
    long = frame.unpivot(
        list(OUTCOMES), index=[*([row] if row else []), "mark"], variable_name="outcome", value_name="number"
    ).with_columns(pl.col("outcome").replace_strict(OUTCOMES))
    rows = arrange(long, "number", row, "outcome", lambda line: f"{line['number']:,}", margins=False)
    return bars(rows, title=title, axis="Number of bookings and walk-ins")
