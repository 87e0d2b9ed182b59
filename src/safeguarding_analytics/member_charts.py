"""What members think of issues one against one, where they are divided, and which agencies see things otherwise.

They keep the conventions of `charts`: a `Safe` table in, an Altair chart out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

import safeguarding_analytics.charts  # noqa: F401 - enables the theme and the renderer
from safeguarding_analytics.cells import rounded
from safeguarding_analytics.chart_figures import of_tested_parts
from safeguarding_analytics.chart_lanes import LINE, Lanes, one_group, pixels, words_at
from safeguarding_analytics.chart_marks import COLOURS, INK, in_digits, nothing
from safeguarding_analytics.chart_rows import note_of, opened, sentence, split_groups, without_number
from safeguarding_analytics.errors import ParameterError, in_words, nearest, shorten
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.shapes import AGENCY_ORDER, HEAD_TO_HEAD, POLARISATION

CERTAIN = 0.05
"""An agency is said to differ where chance would make it differ as far less often than this (Holm)."""

_MOST_TOLD = 24  # issues one against one, so that there is room for numbers


@of_tested_parts
def plot_head_to_head(
    table: Safe, *, title: str, order: Sequence[str] | None = None, selected: Sequence[str] = ()
) -> alt.LayerChart:
    """Draw how many members put each issue above each other one, and how many below.

    Parameters
    ----------
    table
        A safe table of shape head_to_head.
    title
        Title of the chart: what it shows.
    order
        The issues from the first, such as those of the ranking; those that are not named follow. By their margins over
        all others where it is not given.
    selected
        The issues that are selected: a cell in which one that is left out beats one of them is outlined.

    Returns
    -------
    alt.LayerChart
        A grid with a row and a column per issue. A cell holds the wins of the row above its losses (or "23 : 14", where
        there is room), shaded by the margin: blue where the row wins, orange where it loses. Where there is no room for
        numbers, wins are full cells and losses narrow ones.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape or groups, or has no such issue.
    """
    frame = opened(table, HEAD_TO_HEAD)
    if frame.is_empty():
        return nothing(title)
    one_group(frame, HEAD_TO_HEAD, None, "plot_head_to_head")
    strength = frame.group_by("issue").agg(pl.col("margin").sum(), pl.col("margin").count().alias("known"))
    found = strength.sort(pl.col("known") == 0, -pl.col("margin"), "issue")["issue"].to_list()
    for name, given in (("order", order or ()), ("selected", selected)):
        if unknown := [issue for issue in given if issue not in found]:
            raise ParameterError(f"{name}: {shorten(unknown)} not in the table.{nearest(unknown[0], found)}")
    issues = list(dict.fromkeys([*(order or ()), *found]))
    beaten = pl.col("opponent").is_in(list(selected)) & ~pl.col("issue").is_in(list(selected)) & (pl.col("margin") > 0)
    cells = frame.select(
        row=pl.col("issue").cast(pl.String),
        series=pl.col("opponent").cast(pl.String),
        wins="wins",
        losses="losses",
        note=note_of("wins"),
        outlined=(beaten & pl.lit(bool(selected))).fill_null(False),
    )
    empty = pl.col("wins").is_null().all().over("row")
    cells = cells.filter(~empty | pl.struct("row").is_first_distinct())
    exceptions = cells.filter("outlined")
    said = [
        sentence(title),
        "Grid of issues one against one: members who put the row above the column, and below.",
        *_unbeaten(cells, issues),
        *(
            f"{line['row']} is left out and beats {line['series']}, {line['wins']:,.5g} : {line['losses']:,.5g}."
            for line in exceptions.iter_rows(named=True)
        ),
        *without_number(cells),
    ]
    cut = len(selected) if selected and set(issues[: len(selected)]) == set(selected) else 0
    return _duels(cells, issues, cut, title=title, said=" ".join(said))


def _unbeaten(cells: pl.DataFrame, issues: Sequence[str]) -> list[str]:
    """The issues that beat every other."""
    lost = set(cells.filter(pl.col("wins").is_null() | (pl.col("wins") <= pl.col("losses")))["row"])
    unbeaten = [issue for issue in issues if issue not in lost]
    return [f"{in_words(unbeaten)} beats every other issue."] if unbeaten and len(issues) > 1 else []


def _duels(cells: pl.DataFrame, issues: list[str], cut: int, *, title: str, said: str) -> alt.LayerChart:
    """The grid of issues one against one."""
    told = len(issues) <= _MOST_TOLD
    lanes = Lanes(issues, marks=30 if told else 10, names=0.3, indent=24, head=80)
    numbers = [f"{number:,.5g}" for number in (*cells["wins"].drop_nulls(), *cells["losses"].drop_nulls())]
    letters = max(map(len, numbers), default=1)
    step = f"((width - left) / {len(issues)})"
    margins = (cells["wins"] - cells["losses"]).drop_nulls().abs().to_list()
    largest = max([*margins, 1e-9])
    fits = f"({step} >= {7 * letters + 3})" if told else "false"
    half = lanes.height / 2 if told else lanes.height / 2 - 2
    seen = lanes.put(
        where="isValid(datum.wins)",
        ahead="round((datum.wins - datum.losses) * 1e6) / 1e6",
        strength=f"abs(datum.ahead) > {largest * 2 / 3!r} ? 2 : abs(datum.ahead) > {largest / 3!r} ? 1 : 0",
        from_left=f"left + indexof({json.dumps(issues)}, datum.series) * {step}",
        centre=f"datum.from_left + {step} / 2",
        # Without numbers a lost pair is a narrow cell, so that it is told apart without colour.
        half=f"(roomy ? {half} : {lanes.marks / 2}) * ({fits} || datum.ahead >= 0 ? 1 : 0.35)",
        upper="datum.middle - datum.half + 1",
        lower="datum.middle + datum.half - 1",
        begin="datum.from_left + 1",
        end=f"datum.from_left + {step} - 1",
        words="format(datum.wins, ',.5~g') + ' : ' + format(datum.losses, ',.5~g')",
    )
    hover = [
        alt.Tooltip("row:N", title="Issue"),
        alt.Tooltip("series:N", title="Against"),
        alt.Tooltip("words:N", title="Above : below"),
    ]
    box = seen.mark_rect(
        fill=alt.expr(f"datum.ahead > 0 ? '{COLOURS[0]}' : datum.ahead < 0 ? '{COLOURS[3]}' : '{INK}'"),
        fillOpacity=alt.expr(
            "datum.ahead == 0 ? 0.12 : (datum.ahead > 0 ? [0.15, 0.4, 1] : [0.15, 0.4, 0.75])[datum.strength]"
        ),
        description=alt.expr("datum.row + ' against ' + datum.series + ': ' + datum.words"),
    ).encode(x=pixels("begin", alt.X), x2=alt.X2("end"), y=pixels("upper"), y2=alt.Y2("lower"), tooltip=hover)
    edge = (
        seen.transform_filter("datum.outlined")
        .mark_rect(fillOpacity=0, stroke=COLOURS[2], strokeWidth=3.5, aria=False)
        .encode(x=pixels("begin", alt.X), x2=alt.X2("end"), y=pixels("upper"), y2=alt.Y2("lower"))
    )
    ink = alt.expr(f"datum.ahead > 0 && datum.strength == 2 ? 'white' : '{INK}'")
    wide = f"{step} >= {14 * letters + 26}"
    inside = (
        [
            seen.transform_filter(f"{fits} && {wide}")
            .mark_text(baseline="middle", fontSize=14, color=ink)
            .encode(x=pixels("centre", alt.X), y=pixels("middle"), text=alt.Text("words:N")),
            *(
                seen.transform_filter(f"{fits} && !({wide})")
                .mark_text(
                    baseline="middle",
                    dy=dy,
                    color=ink,
                    fontSize=12,
                    fontWeight=alt.expr(f"{more} && {step} >= {9 * letters + 6} ? 'bold' : 'normal'"),
                )
                .encode(x=pixels("centre", alt.X), y=pixels("middle"), text=alt.Text(f"{name}:Q", format=",.5~g"))
                for name, dy, more in (("wins", -8, "datum.ahead > 0"), ("losses", 8, "datum.ahead < 0"))
            ),
        ]
        if told
        else []
    )
    heads = (
        alt.Chart(alt.InlineData(values=[{"row": name} for name in issues]))
        .transform_calculate(
            place=f"indexof({json.dumps(issues)}, datum.row)", centre=f"left + (datum.place + 0.5) * {step}"
        )
        .transform_filter(f"{step} >= 16 || datum.place % 5 == 4 || datum.place == 0")
    )
    number = heads.mark_text(baseline="bottom", text=alt.expr("datum.place + 1")).encode(
        x=pixels("centre", alt.X), y=alt.YValue(lanes.head - 6), tooltip=[alt.Tooltip("row:N", title="Against")]
    )
    words: dict[str, Any] = {"align": "left", "baseline": "middle", "fontStyle": "italic"}
    first = f"{'How many' if told else 'Whether'} members put the issue of the row"
    second = f"above that of the column, {'and' if told else 'or'} below it"
    layers = [
        words_at(first, "0", 8, **words),
        words_at(second, "0", 25, **words),
        words_at("Blue: more above. Orange: more below", "0", 42, **words),
        number,
        box,
        edge,
        *inside,
        *lanes.labels("Issue", numbered=True),
        lanes.notes(),
        *(_cut_cross(lanes, step, cut) if cut else []),
    ]
    return lanes.finished(layers, cells, title=title, said=said)


def _cut_cross(lanes: Lanes, step: str, cut: int) -> list[alt.Chart]:
    """A level and an upright line between the issues that are selected and those that are not.

    Where names stand above the cells, the upright line is left out there.
    """
    data = alt.Chart(alt.InlineData(values=[{}]))
    y, x = lanes.head + cut * lanes.height, alt.XValue(alt.expr(f"left + {cut} * {step}"))
    line: dict[str, Any] = {"color": INK, "strokeDash": [6, 4], "strokeWidth": 1.5, "aria": False}
    whole = data.transform_filter("roomy").mark_rule(**line)
    half = lanes.marks / 2
    parts = lanes.put(
        alt.InlineData(values=[{"row": name} for name in lanes.order]),
        where="!roomy",
        begin=f"datum.middle - {half}",
        end=f"datum.middle + {half}",
    ).mark_rule(**line)
    return [
        data.mark_rule(**line).encode(x=alt.XValue(0), x2=alt.X2Value(alt.expr("width")), y=alt.YValue(y)),
        whole.encode(x=x, y=alt.YValue(lanes.head - 4), y2=alt.Y2Value(lanes.all)),
        parts.encode(x=x, y=pixels("begin"), y2=alt.Y2("end")),
    ]


@of_tested_parts
def plot_polarisation(table: Safe, *, title: str) -> alt.LayerChart:
    """Draw how many members put each issue among their first and how many among their last.

    Parameters
    ----------
    table
        A safe table of shape polarisation.
    title
        Title of the chart: what it shows.

    Returns
    -------
    alt.LayerChart
        Bars to the right for those who put it among their first and to the left for those who put it among their last,
        the most divided issue at the top; the average place as a number.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, or has groups.
    """
    frame = opened(table, POLARISATION)
    if frame.is_empty():
        return nothing(title)
    one_group(frame, POLARISATION, None, "plot_polarisation")
    frame = frame.sort(
        pl.col("share_top").is_null(), -pl.col("divided").cast(pl.Int8), -pl.col("polarised"), "issue", nulls_last=True
    )
    drawn = frame.select(
        row=pl.col("issue").cast(pl.String),
        first="share_top",
        last="share_bottom",
        place_on_average="mean_place",
        word=pl.when("divided").then(pl.lit("divided")).otherwise(pl.lit("")),
        note=note_of("share_top"),
    )
    most = max([0.1, *drawn["first"].drop_nulls(), *drawn["last"].drop_nulls()])
    lanes = Lanes(drawn["row"].to_list(), head=48)
    zero, half = "((left + 46 + width - 46 - (roomy ? 150 : 0)) / 2)", "((width - left - 92 - (roomy ? 150 : 0)) / 2)"
    seen = lanes.put(
        where="isValid(datum.first)",
        zero=zero,
        right=f"{zero} + datum.first / {most!r} * {half}",
        to_left=f"{zero} - datum.last / {most!r} * {half}",
        upper=f"datum.middle - (roomy ? {lanes.height * 0.28} : 9)",
        lower=f"datum.middle + (roomy ? {lanes.height * 0.28} : 9)",
        aside="roomy ? datum.middle : datum.top + 11",
        first_words=in_digits("datum.first", "'.0%'"),
        last_words=in_digits("datum.last", "'.0%'"),
        average_words=in_digits("datum.place_on_average", "'.1f'"),
        words="datum.first_words + ' among their first, ' + datum.last_words + ' among their last'",
    )
    hover = [
        alt.Tooltip("row:N", title="Issue"),
        alt.Tooltip("words:N", title="Members"),
        alt.Tooltip("average_words:N", title="Average place"),
    ]
    y: dict[str, Any] = {"y": pixels("upper"), "y2": alt.Y2("lower"), "tooltip": hover}
    spoken = alt.expr("datum.row + ': ' + datum.words")
    text: dict[str, Any] = {"baseline": "middle", "fontSize": alt.expr("roomy ? 15 : 13")}
    layers = [
        words_at("Average place", "width", 8, align="right", baseline="middle", fontStyle="italic"),
        words_at("Among their last", f"{zero} - 8", 32, align="right", baseline="middle", fontWeight="bold"),
        words_at("Among their first", f"{zero} + 8", 32, align="left", baseline="middle", fontWeight="bold"),
        seen.mark_rect(fill=COLOURS[0], description=spoken).encode(x=pixels("zero", alt.X), x2=alt.X2("right"), **y),
        seen.mark_rect(fill=COLOURS[3], aria=False).encode(x=pixels("to_left", alt.X), x2=alt.X2("zero"), **y),
        lanes.upright(zero),
        seen.mark_text(align="left", dx=5, **text).encode(
            x=pixels("right", alt.X), y=pixels("middle"), text=alt.Text("first_words:N")
        ),
        seen.mark_text(align="right", dx=-5, **text).encode(
            x=pixels("to_left", alt.X), y=pixels("middle"), text=alt.Text("last_words:N")
        ),
        seen.mark_text(align="right", **text).encode(
            x=alt.XValue(alt.expr("width")), y=pixels("aside"), text=alt.Text("average_words:N")
        ),
        seen.mark_text(
            align="right", baseline="middle", fontStyle="italic", fontWeight="bold", color=COLOURS[2]
        ).encode(x=alt.XValue(alt.expr("width - 38")), y=pixels("aside"), text=alt.Text("word:N")),
        *lanes.labels("Issue"),
        lanes.notes(),
    ]
    said = [
        sentence(title),
        "Bars to the right: members who put it among their first; to the left: among their last.",
        *(
            f"{line['row']} is divided: {rounded(line['first'] * 100)}% among their first, "
            f"{rounded(line['last'] * 100)}% among their last."
            for line in drawn.filter(pl.col("word") != "").iter_rows(named=True)
        ),
        *without_number(drawn),
    ]
    return lanes.finished(layers, drawn, title=title, said=" ".join(said))


@of_tested_parts
def plot_agency_order(table: Safe, *, title: str) -> alt.LayerChart:
    """Draw how far the order of each agency is that of all others.

    Parameters
    ----------
    table
        A safe table of shape agency_order with one group column.
    title
        Title of the chart: what it shows.

    Returns
    -------
    alt.LayerChart
        A dot per agency between -1 (the opposite order) and 1 (the same), the largest first, a diamond where it differs
        by more than chance. Hidden agencies are last and have their mark.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, or has more than one group column.
    """
    frame = opened(table, AGENCY_ORDER)
    if frame.is_empty():
        return nothing(title)
    group, other = split_groups(frame, AGENCY_ORDER, None)
    if group is None or other is not None:
        found = in_words(AGENCY_ORDER.group_columns(frame.columns)) or "none"
        raise ParameterError(f"plot_agency_order draws one group column. Found: {found}.")
    note, seen = note_of("agreement"), pl.col("agreement").is_not_null()
    frame = frame.with_columns(pl.col(group).cast(pl.String).fill_null("not stated")).sort(
        -pl.col("agreement"), group, nulls_last=True
    )
    differs = (pl.col("p_holm") < CERTAIN) & (pl.col("agreement") < 1)
    drawn = frame.select(
        row=group,
        value="agreement",
        common="in_common",
        differs=pl.when(seen).then(differs.fill_null(False)),
        note=note,
    )
    stand_out = bool(drawn["differs"].any())
    lanes = Lanes(drawn["row"].to_list(), marks=22, words=True, head=62 if stand_out else 44)
    begin, span = "(left + 46)", "(width - left - 92)"  # a number behind a dot fits at both ends
    agreed = in_digits("datum.value", "'.2f'")
    zero = f"({begin} + {span} / 2)"
    placed = lanes.put(
        where="isValid(datum.value)",
        zero=zero,
        at=f"{begin} + (datum.value + 1) / 2 * {span}",
        agreed=f"replace({agreed}, '-', '−')",
        shared="!isValid(datum.common) ? '' : "
        "datum.common + (datum.common == 1 ? ' priority' : ' priorities') + ' in common'",
        words="datum.shared + (datum.differs ? (datum.shared ? '; ' : '') + 'differs' : '')",
        below=f"roomy ? {lanes.below} : datum.top + 11 + {LINE} * {lanes.name_lines}",
    )
    hover = [
        alt.Tooltip("row:N", title="Agency"),
        alt.Tooltip("agreed:N", title="Agreement"),
        alt.Tooltip("words:N", title="Priorities"),
    ]
    x = pixels("at", alt.X)
    head: dict[str, Any] = {"y": lanes.head - 18, "baseline": "middle"}
    line: dict[str, Any] = {"align": "left", "baseline": "middle", "fontStyle": "italic"}
    layers = [
        words_at("How like the order of all others it is", "0", 8, **line),
        *([words_at("Diamond: differs by more than chance", "0", 25, **line)] if stand_out else []),
        words_at("−1: opposite", f"{begin} - 10", align="left", **head),
        words_at("0", zero, **head),
        words_at("1: the same", f"{begin} + {span} + 10", align="right", **head),
        *(lanes.upright(x, opacity=opacity) for x, opacity in ((begin, 0.25), (zero, 1), (f"{begin} + {span}", 0.25))),
        placed.mark_rule(color=COLOURS[0], strokeWidth=4, aria=False).encode(
            x=pixels("zero", alt.X), x2=alt.X2("at"), y=pixels("middle")
        ),
        placed.mark_point(
            filled=True,
            opacity=1,
            size=alt.expr("datum.differs ? 260 : 170"),
            shape=alt.expr("datum.differs ? 'diamond' : 'circle'"),
            fill=alt.expr(f"datum.differs ? '{COLOURS[3]}' : '{COLOURS[0]}'"),
            description=alt.expr("datum.row + ': ' + datum.agreed"),
        ).encode(x=x, y=pixels("middle"), tooltip=hover),
        placed.mark_text(
            align=alt.expr("datum.value < 0 ? 'right' : 'left'"),
            dx=alt.expr("datum.value < 0 ? -14 : 14"),
            baseline="middle",
            fontWeight="bold",
        ).encode(x=x, y=pixels("middle"), text=alt.Text("agreed:N")),
        placed.mark_text(align="left", baseline="middle").encode(
            x=alt.XValue(0), y=pixels("below"), text=alt.Text("words:N")
        ),
        *lanes.labels("Agency"),
        lanes.notes(20),
    ]
    said = [
        sentence(title),
        "Dots by agency, from the opposite order to the same order as all others.",
        *_alike(drawn),
        *without_number(drawn),
    ]
    return lanes.finished(layers, drawn, title=title, said=" ".join(said))


def _alike(drawn: pl.DataFrame) -> list[str]:
    """The agencies whose orders are most and least like that of all others, and those that differ."""
    seen = drawn.filter(pl.col("value").is_not_null())
    if seen.is_empty():
        return []
    ends = [f"{row}, {rounded(value, 2)}".replace("-", "−") for row, value in seen.select("row", "value").rows()]
    differ = seen.filter("differs")["row"].to_list()
    return [
        f"Most alike: {ends[0]}." + (f" Least alike: {ends[-1]}." if len(ends) > 1 else ""),
        *([f"Differs by more than chance: {', '.join(differ)}."] if differ else []),
    ]
