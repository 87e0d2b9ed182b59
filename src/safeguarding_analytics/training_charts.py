"""Charts of a training programme: each answers one question that a board asks of it.

They keep the conventions of `charts`: a `Safe` table in, an Altair chart out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import altair as alt
import polars as pl

import safeguarding_analytics.charts  # noqa: F401 - enables the theme and the renderer
from safeguarding_analytics.chart_figures import of_tested_parts
from safeguarding_analytics.chart_marks import bars, bars_with_words, dots, nothing, pairs, steps
from safeguarding_analytics.chart_pairs import funnel_bars
from safeguarding_analytics.chart_panels import panels
from safeguarding_analytics.chart_rows import (
    NO_FIGURE,
    Rows,
    arrange,
    extremes,
    opened,
    sentence,
    share_in_words,
    split_groups,
    within,
    without_number,
)
from safeguarding_analytics.dates import day_in_words, month_in_words
from safeguarding_analytics.errors import ParameterError, nearest
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.sentences import percent
from safeguarding_analytics.shapes import ATTENDANCE, COUNT, COVERAGE, MIX, NEED, PROGRESS, Shape
from safeguarding_analytics.tables import STAGES, TOTAL

SHARE, REACH = "of all places taken", "of eligible staff reached"
AIMS = {
    "need": {"eligible_staff": "eligible staff", "current": "up to date"},
    "progress": {"target": "target", "reached": "reached"},
}
"""By shape, the two numbers of a table of what is needed, and what they are called beside one another."""

EFFECTIVE, PRESENT = "mixed like this many", "agencies that came"
"""How many agencies of equal size would make a room as mixed, and how many there were."""


@of_tested_parts
def plot_funnel(table: Safe, *, title: str) -> alt.LayerChart:
    """Draw what became of the places offered and of those who had registered, from one baseline.

    Parameters
    ----------
    table
        A safe table of shape attendance with one row.
    title
        Title of the chart: what it shows.

    Returns
    -------
    alt.LayerChart
        Seven bars: places offered, registered, attended as booked, did not attend, cancelled, walk-ins, attended in
        all. The share stands beside each number with what it is a share of: those who had booked are measured against
        the registered, all who attended against the places offered. Hidden numbers have "[c]".

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, or has more than one row.

    Notes
    -----
    Attended as booked = attended − walk-ins; attendance rate = attended as booked ÷ registered; take-up = attended ÷
    places offered. Walk-ins never stand in the attendance rate.
    """
    frame = opened(table, ATTENDANCE)
    if frame.is_empty():
        return nothing(title)
    if frame.height != 1:
        raise ParameterError(f"plot_funnel draws one row. Found: {frame.height} rows. Use attendance(..., by=()).")
    (line,) = frame.iter_rows(named=True)
    registered, capacity, mark = line["registered"], line.get("capacity"), line["mark"]
    as_booked = None if line["walk_ins"] is None else line["attended"]
    rate, take_up = line.get("attendance_rate"), line.get("take_up")
    lines = [
        _funnel_bar("Places offered", capacity, "", outline=True),  # never hidden
        _funnel_bar("Registered", registered, mark),
        _funnel_bar(
            *("Attended as booked (attendance rate)", as_booked, mark, registered, "registered", rate),
            less=line["walk_ins"],
        ),
        _funnel_bar("Did not attend", line["did_not_attend"], mark, registered, "registered"),
        _funnel_bar("Cancelled", line["cancelled"], mark, registered, "registered"),
        _funnel_bar("Walk-ins, without a booking", line["walk_ins"], mark),
        _funnel_bar("Attended in all (take-up)", line["attended"], mark, capacity, "places offered", take_up),
    ]
    drawn = pl.DataFrame(lines, schema=_FUNNEL)
    said = [sentence(title), "Bars from one baseline: bookings and places.", _funnel_in_words(line)]
    return funnel_bars(
        drawn,
        title=title,
        axis="Number of bookings, walk-ins and places",
        said=" ".join(filter(None, [*said, *without_number(drawn)])),
    )


_FUNNEL = {
    **dict.fromkeys(("row", "of", "note"), pl.String),
    **dict.fromkeys(("value", "less", "whole"), pl.Int64),
    "share": pl.Float64,
    "outline": pl.Boolean,
}


def _funnel_bar(
    row: str,
    value: int | None,
    mark: str,
    whole: int | None = None,
    of: str = "",
    share: float | None = None,
    *,
    less: int | None = None,
    outline: bool = False,
) -> dict[str, Any]:
    """A bar with what it is a share of; without its number it has none of the others either."""
    numbers = {"less": less, "whole": whole, "share": share} if value is not None else {}
    note = "" if value is not None else mark or NO_FIGURE
    return {"row": row, "value": value, **numbers, "of": of, "note": note, "outline": outline}


def _funnel_in_words(line: Mapping[str, Any]) -> str:
    """The numbers of the funnel in one sentence each; how those who had booked are counted is written out."""
    if any(line[name] is None for name in ATTENDANCE.counts):
        return ""
    registered, attended, walk_ins = line["registered"], line["attended"], line["walk_ins"]
    as_booked = f"{attended:,} attended − {walk_ins:,} walk-ins = {attended - walk_ins:,} as booked"
    said = [f"{registered:,} registered; {as_booked}"]
    if line.get("attendance_rate") is not None:
        said[0] += f": {percent(line['attendance_rate'], registered)} attendance rate"
    said.append(f"{line['did_not_attend']:,} did not attend; {line['cancelled']:,} cancelled")
    if line.get("take_up") is not None:
        said.append(
            f"{attended:,} of {line['capacity']:,} places offered: {percent(line['take_up'], line['capacity'])} take-up"
        )
    return "; ".join(said) + "."


@of_tested_parts
def plot_to_date(
    table: Safe, *, title: str, measure: str = "people reached", target: int | None = None, by_day: date | None = None
) -> alt.LayerChart:
    """Draw how many people had been reached by each day, against the target.

    Parameters
    ----------
    table
        A safe table of shape count with the group column to_date (days); of further group columns the "Total" is drawn.
    title
        Title of the chart: what it shows.
    measure
        What is counted; stands above the axis.
    target
        How many are to be reached: a dashed level line.
    by_day
        Day by which they are to be reached: a dotted upright line.

    Returns
    -------
    alt.LayerChart
        Steps with dots over the days themselves, from 0. At a day whose number is hidden stands "[c]" at the baseline,
        and the steps are interrupted from the day shown before it to the next that is shown.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, has no column to_date of days, or has several rows of a day.
    """
    frame = _at_total(opened(table, COUNT), COUNT, ["to_date"])
    if frame["to_date"].dtype == pl.String:  # as a release holds days
        frame = frame.with_columns(pl.col("to_date").str.to_date("%Y-%m-%d", strict=False))
    frame = frame.sort("to_date")
    days = frame["to_date"]
    if days.dtype != pl.Date or days.null_count() or days.is_duplicated().any():
        raise ParameterError(
            "plot_to_date draws one row per day of the column to_date. "
            f"Found: {days.dtype}, {days.n_unique()} days in {frame.height} rows."
        )
    rows = arrange(frame, "count", "to_date", None, lambda line: f"{line['count']:,}")
    told = [day for day in (_last_shown(frame), _last_shown(frame, by_day)) if day]
    until = pl.Series([f" by {day_in_words(day)}" for day in frame["to_date"]], dtype=pl.String)
    drawn = rows.frame.with_columns(
        label=pl.when(frame["to_date"].is_in(told)).then("shown").otherwise(pl.lit("")), shown=pl.col("shown") + until
    )
    said = [
        *(sentence(text) for text in (title, f"Steps: {measure} to date, by day")),
        *_days_in_words(frame, rows, target, by_day),
        *without_number(rows.frame),
    ]
    return steps(
        Rows(drawn, rows.order, [], "Day of the session", ""),
        title=title,
        axis=f"{measure[:1].upper()}{measure[1:]} to date",
        said=" ".join(said),
        level=None if target is None else (f"target {target:,}", target),
        day=None if by_day is None else (f"by {day_in_words(by_day)}", by_day),
    )


def _days_in_words(frame: pl.DataFrame, rows: Rows, target: int | None, by_day: date | None) -> list[str]:
    """The first and the last number with their days, the target, and what was reached by its day."""
    days = [*frame["to_date"], *([by_day] if by_day else [])]
    # A year may be the name of a row elsewhere, to which the numbers would then seem to belong.
    end = -5 if len({day.year for day in days}) == 1 else None
    words = [day_in_words(day)[:end] for day in days]
    named = rows.frame.with_columns(row=pl.Series(words[: frame.height], dtype=pl.String))
    if target is None:
        return extremes(named)
    then = _last_shown(frame, by_day) if by_day else None
    reached = frame.filter(pl.col("to_date") == then)["count"].to_list() if then else []
    aim = [f"The target was {target:,}{f' by {words[-1]}' if by_day else ''}", *(f"{one:,}" for one in reached)]
    return [*extremes(named), sentence("; reached by then: ".join(aim))]


def _last_shown(frame: pl.DataFrame, until: date | None = None) -> date | None:
    """The last day with a number, until a day; None where the number of that day itself is hidden or there is none."""
    days = frame if until is None else frame.filter(pl.col("to_date") <= until).tail(1)
    shown = days.filter(pl.col("count").is_not_null())["to_date"]
    return shown[-1] if len(shown) else None


@of_tested_parts
def plot_panels(
    table: Safe,
    *,
    title: str,
    panel: str = "district",
    measure: str = "people reached",
    target: int | Mapping[str, int] | None = None,
) -> alt.LayerChart:
    """Draw how many people of each district had been reached by the end of each month: one small panel per district.

    Parameters
    ----------
    table
        A safe table of shape count with the group columns panel and month, cumulative over the months. Its margins
        ("Total") are left out.
    title
        Title of the chart: what it shows.
    panel
        Group column that makes the panels.
    measure
        What is counted; stands above the panels.
    target
        How many are to be reached in each panel, or by panel: a dashed level line with its number above the panel.

    Returns
    -------
    alt.LayerChart
        Panels in alphabetical order, all of one scale that starts at 0: two abreast on a telephone, three on a wide
        screen. Hidden months have "[c]" at the baseline.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, or lacks one of the columns.
    """
    frame = _at_total(opened(table, COUNT), COUNT, [panel, "month"])
    rows = arrange(
        frame.sort(panel, "month", nulls_last=True),
        "count",
        panel,
        "month",
        lambda line: f"{line['count']:,}",
        margins=False,
        most_series=frame.height,
    )
    by_panel = target if isinstance(target, Mapping) else dict.fromkeys(rows.order, target)
    # A district that has a target and nobody yet is not left out.
    order = sorted({*rows.order, *by_panel} - {TOTAL}, key=lambda name: (name == "not stated", name.casefold()))
    months = sorted(rows.series)
    last = rows.frame.filter(pl.col("series").is_in(months[-1:]))
    named = last.with_columns(row=pl.concat_str("row", pl.lit(", "), "series"))
    each = f"The target was {target:,} each." if isinstance(target, int) else ""
    said = [
        sentence(title),
        f"Small panels, by {within(rows.row_name)}: {measure} to date, by month.",
        *extremes(named),
    ]
    shown = pl.col("value").is_not_null()
    last_shown = shown & (pl.col("series") == pl.col("series").filter(shown).max().over("row"))
    return panels(
        Rows(rows.frame.with_columns(last=last_shown), order, months, rows.row_name, rows.series_name),
        title=title,
        axis=f"{measure[:1].upper()}{measure[1:]} to date{_span(months)}",
        targets=[by_panel.get(name) for name in order],
        said=" ".join(filter(None, [*said, each, *without_number(rows.frame)])),
    )


def _span(months: Sequence[str]) -> str:
    """From which month to which: the year once, where it is the same."""
    if len(set(months)) < 2:
        return "".join(f", {month_in_words(one)}" for one in months[:1])
    same_year = months[0][:4] == months[-1][:4]
    first, last = ("%B", "%B %Y") if same_year else ("%b %Y", "%b %Y")
    return f", {month_in_words(months[0], first)} to {month_in_words(months[-1], last)}"


@of_tested_parts
def plot_ageing(table: Safe, *, title: str, measure: str = "people") -> alt.LayerChart:
    """Draw how many people are up to date with their training, soon due, and out of date.

    Parameters
    ----------
    table
        A safe table of shape count with the group column stage, and standing where what the stages add up to shall make
        the colours. Of a further group column the "Total" is drawn where there is one, else its values make the
        colours. The margins over the stages are left out.
    title
        Title of the chart: what it shows.
    measure
        What is counted; stands under the axis.

    Returns
    -------
    alt.LayerChart
        One bar per stage, in the order of the stages and whatever their numbers; hidden ones have "[c]".

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, has no column stage, or more groups than a chart can tell apart.
    """
    frame = opened(table, COUNT)
    _require(frame, COUNT, ["stage"])
    others = [name for name in _groups(frame, COUNT) if name not in ("stage", "standing")]
    if any((frame[name].cast(pl.String) == TOTAL).any() for name in others):
        frame = _at_total(frame, COUNT, [name for name in _groups(frame, COUNT) if name not in others])
    place = {name: number for number, name in enumerate(STAGES)}
    stages = frame.filter(pl.col("stage").cast(pl.String) != TOTAL).sort(
        pl.col("stage").replace_strict(place, default=len(place), return_dtype=pl.Int64), maintain_order=True
    )
    standing = "standing" in stages.columns
    apart = [name for name in others if stages[name].n_unique() > 1]
    row, series = split_groups(stages.drop("standing") if standing and apart else stages, COUNT, "stage")
    rows = arrange(stages, "count", row, series, lambda line: f"{line['count']:,}", margins=False)
    if apart or series != "standing":
        return bars(rows, title=title, axis=f"Number of {measure}")
    named = rows.frame.with_columns(row=pl.concat_str("row", "series", separator=", "))
    said = [sentence(title), f"Bars: number of {measure}, by stage.", *extremes(named), *without_number(named)]
    rows = replace(rows, series_name="Training")
    return bars(rows, title=title, axis=f"Number of {measure}", one_each=True, said=" ".join(said))


@of_tested_parts
def plot_coverage(table: Safe, *, title: str, group: str | None = None) -> alt.LayerChart:
    """Draw the share of the places that each group took beside the share of its eligible staff who were reached.

    Parameters
    ----------
    table
        A safe table of shape coverage.
    title
        Title of the chart: what it shows.
    group
        Group column that makes the rows; the first where it is not given. Of others the "Total" is drawn.

    Returns
    -------
    alt.LayerChart
        Two dots per group, the reach with its interval; the group with the largest share of the places first. Groups
        whose eligible staff are not known have "no figure" for the reach. The "Total" has only a reach: its share of
        the places is all of them.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, or several group columns without a "Total".
    """
    frame, row = _by_one(opened(table, COVERAGE), COVERAGE, group)
    # A share of all places has no interval: all of them are known.
    share = frame.with_columns(pl.lit(None, pl.Float64).alias(end) for end in ("lower", "upper"))
    shares = arrange(share, "share_of_places", row, None, _places_in_words, margins=False)
    reach = arrange(frame, "reach", row, None, _reach_in_words)
    total = [name for name in reach.order if name == TOTAL]
    parts = [shares.frame.with_columns(series=pl.lit(SHARE)), reach.frame.with_columns(series=pl.lit(REACH))]
    said = [
        sentence(title),
        f"Dots, by {within(shares.row_name)}: the share {SHARE}, and the share {REACH} with intervals.",
        *(text for part in parts for text in _said_of(part)),
        *without_number(pl.concat(parts)),
    ]
    return dots(
        Rows(pl.concat(parts), [*total, *shares.order], [SHARE, REACH], shares.row_name, "Share"),
        title=title,
        axis="Share of places, and of eligible staff (%)",
        number_format=".0%",
        said=" ".join(said),
    )


def _said_of(part: pl.DataFrame) -> list[str]:
    """The extremes of one of two measures, which are no larger or smaller than those of the other."""
    said = extremes(part)
    return [f"{part['series'][0][:1].upper()}{part['series'][0][1:]}: {within(said[0])}"] if said else []


def _places_in_words(line: Mapping[str, Any]) -> str:
    places = f", {line['places']:,} places" if line["places"] is not None else ""
    return f"{percent(line['share_of_places'])}{places}"


def _reach_in_words(line: Mapping[str, Any]) -> str:
    named = {"numerator": line["people"], "denominator": line["eligible_staff"], "proportion": line["reach"]}
    return share_in_words({**line, **named})


@of_tested_parts
def plot_need(table: Safe, *, title: str, group: str | None = None, sessions: bool = True) -> alt.LayerChart:
    """Draw how many people are to be trained and how many have been, and say what is still needed.

    Parameters
    ----------
    table
        A safe table of shape need or progress.
    title
        Title of the chart: what it shows.
    group
        Group column that makes the rows; the first where it is not given. Of others the "Total" is drawn.
    sessions
        Whether to say how many sessions each group would need by itself. Where groups share sessions, they need fewer.

    Returns
    -------
    alt.LayerChart
        Two bars per group, side by side and not stacked, and under them the need in words: people and sessions. The
        group with the greatest need first; hidden groups last, with "[c]". The "Total" would dwarf them: it is left
        out.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, or several group columns without a "Total".
    """
    shape = PROGRESS if isinstance(table, Safe) and table.shape.name == "progress" else NEED
    frame, row = _by_one(opened(table, shape), shape, group)
    lacking = "still_needed" if shape is PROGRESS else "need"
    frame = frame if sessions else frame.drop("sessions_needed", strict=False)
    needs = arrange(frame.rename({lacking: "need"}), "need", row, None, _need_in_words, margins=False)
    # Where the need is hidden nothing is said of it; where it is not known, that is said.
    unknown = pl.when(pl.col("note") == NO_FIGURE).then(pl.lit(f"need: {NO_FIGURE}")).otherwise(pl.lit(""))
    words = needs.frame.select(words=pl.when(pl.col("note") == "").then("shown").otherwise(unknown))["words"]
    first, second = AIMS[shape.name]
    parts = [
        _aim_bars(frame, first, row).with_columns(words, series=pl.lit(AIMS[shape.name][first])),
        _aim_bars(frame, second, row).with_columns(words=pl.lit(""), series=pl.lit(AIMS[shape.name][second])),
    ]
    names = list(AIMS[shape.name].values())
    said = [
        *(
            sentence(text)
            for text in (title, f"Bars, by {within(needs.row_name)}: number of people, {names[0]} and {names[1]}")
        ),
        *extremes(needs.frame),
        *without_number(needs.frame),
    ]
    return bars_with_words(
        Rows(pl.concat(parts), needs.order, names, needs.row_name, "People"),
        title=title,
        axis="Number of people",
        said=" ".join(said),
    )


def _aim_bars(frame: pl.DataFrame, name: str, row: str | None) -> pl.DataFrame:
    # What is hidden of a row may be one of its numbers: another that is shown has no mark.
    return arrange(frame, name, row, None, lambda line: f"{line[name]:,}", margins=False).frame


def _need_in_words(line: Mapping[str, Any]) -> str:
    """What is still needed, in people and in sessions, as far as it is known."""
    sessions = line.get("sessions_needed")
    held = "" if not sessions else f": {sessions:,} {'session' if sessions == 1 else 'sessions'}"
    return f"need {line['need']:,}{held}"


@of_tested_parts
def plot_mix(table: Safe, *, title: str, group: str | None = None) -> alt.LayerChart:
    """Draw how many agencies came to each session, and how many of equal size would have made it as mixed.

    Parameters
    ----------
    table
        A safe table of shape mix.
    title
        Title of the chart: what it shows.
    group
        Group column that makes the rows; the first where it is not given. Of others the "Total" is drawn.

    Returns
    -------
    alt.LayerChart
        Two symbols per session: the effective number of agencies, and the agencies present, which is never smaller. The
        most mixed session first; sessions of one agency say so; hidden sessions last, with "[c]".

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, or several group columns without a "Total".
    """
    frame, row = _by_one(opened(table, MIX), MIX, group)
    effective, present = (
        arrange(frame, f"{name}", row, None, _mix_in_words) for name in ("effective_agencies", "agencies_present")
    )
    alone = pl.col("agencies_present").eq_missing(1)
    words = frame.select(words=pl.when(alone).then(pl.lit("one agency alone")).otherwise(pl.lit("")))["words"]
    drawn = pl.concat(
        [
            effective.frame.with_columns(words, series=pl.lit(EFFECTIVE)),
            present.frame.with_columns(series=pl.lit(PRESENT), words=pl.lit("")).select(
                *effective.frame.columns, "words", "series"
            ),
        ]
    )
    single = effective.frame.filter(words != "")["row"].to_list()
    said = [
        sentence(title),
        f"Two symbols, by {within(effective.row_name)}: {PRESENT}, and how many of equal size mix a room as well.",
        *extremes(effective.frame),
        *([f"One agency alone: {', '.join(single)}."] if single else []),
        *without_number(effective.frame),
    ]
    return pairs(
        Rows(drawn, effective.order, [EFFECTIVE, PRESENT], effective.row_name, "Agencies"),
        title=title,
        axis="Number of agencies",
        said=" ".join(said),
    )


def _mix_in_words(line: Mapping[str, Any]) -> str:
    agencies = "agency" if line["effective_agencies"] == 1 else "agencies"
    return (
        f"mixed like {line['effective_agencies']:,} {agencies}, {line['agencies_present']:,} came, "
        f"{line['attended']:,} people"
    )


def _groups(frame: pl.DataFrame, shape: Shape) -> list[str]:
    return shape.group_columns([name for name in frame.columns if name != "mark"])


def _require(frame: pl.DataFrame, shape: Shape, columns: Sequence[str]) -> None:
    found = _groups(frame, shape)
    missing = [name for name in columns if name not in found]
    if missing:
        raise ParameterError(
            f"{' and '.join(missing)}: not among the group columns of the table. "
            f"Found: {', '.join(found) or 'none'}.{nearest(missing[0], found)}"
        )


def _at_total(frame: pl.DataFrame, shape: Shape, keep: Sequence[str]) -> pl.DataFrame:
    """The rows of the groups that are kept; of every other group column its one value, or its "Total"."""
    _require(frame, shape, keep)
    for name in _groups(frame, shape):
        if name not in keep and frame[name].n_unique() > 1:
            totals = frame.filter(pl.col(name).cast(pl.String) == TOTAL)
            if totals.is_empty():
                raise ParameterError(
                    f"{name}: {frame[name].n_unique()} values and no {TOTAL!r}; this chart draws {' by '.join(keep)}. "
                    f"Keep one value of {name}, or work the table out with totals=True."
                )
            frame = totals
    return frame


def _by_one(frame: pl.DataFrame, shape: Shape, group: str | None) -> tuple[pl.DataFrame, str | None]:
    """The rows of one group column, and its name; None for a table without groups."""
    found = _groups(frame, shape)
    row = group or next((name for name in found if frame[name].n_unique() > 1), next(iter(found), None))
    if row is not None and frame[row].n_unique() == frame.height:  # the others say more of the same rows
        return frame, row
    return _at_total(frame, shape, [] if row is None else [row]), row
