"""Themes by urgency and importance, as boards placed them.

They keep the conventions of `charts`: a `Safe` table in, an Altair chart out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import altair as alt
import polars as pl

import safeguarding_analytics.charts  # noqa: F401 - enables the theme and the renderer
from safeguarding_analytics.chart_figures import of_tested_parts
from safeguarding_analytics.chart_lanes import ROOMY, pixels, words_at
from safeguarding_analytics.chart_marks import COLOURS, INK, SYMBOLS, finish, in_digits, nothing
from safeguarding_analytics.chart_pairs import name_lines
from safeguarding_analytics.chart_rows import note_of, opened, sentence, without_number
from safeguarding_analytics.errors import ParameterError, shorten
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.sentences import cuts_of
from safeguarding_analytics.shapes import QUADRANT

QUADRANTS = ("do first", "plan ahead", "urgent, less important", "neither")
"""Urgent and important; important; urgent; neither of them. In the order in which they are dealt with."""

MOST_BOARDS = 4

_LINE = 18  # pixels of a line of text
_BADGE = 23  # pixels of a dot with a number in it
_OVER_PLOT, _UNDER_PLOT = 26, 62  # pixels above and below the plot, for names of quadrants and of the axis
_ONE_DECIMAL = "',.1~f'"
_PLACED = " + ".join(
    (
        "'urgency '",
        in_digits("datum.urgency", _ONE_DECIMAL),
        "', importance '",
        in_digits("datum.importance", _ONE_DECIMAL),
    )
)
_PLOT = {True: (430, 430), False: (262, 250)}  # pixels of the plot, where there is room and on a telephone
_SIZES = (330, 190, 90, 40)  # of the symbols of boards: those at the same place are seen around each other


@of_tested_parts
def plot_quadrants(table: Safe, *, title: str) -> alt.LayerChart:
    """Draw themes by urgency and importance, with the lines that make the quadrants, where the table says them.

    Parameters
    ----------
    table
        A safe table of shape quadrant: one row per theme, or one per board and theme (group column ``board``).
    title
        Title of the chart: what it shows.

    Returns
    -------
    alt.LayerChart
        By theme: a numbered dot at the medians of the boards, with thin lines from the lowest to the highest of them,
        filled where all boards placed the theme in one quadrant; a key names the numbers. Themes at the same place
        stand side by side, tied to their place by a line. By board: a small panel per theme with a symbol per board,
        joined by thin lines.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape or other group columns, or more boards than symbols.
    """
    frame = opened(table, QUADRANT)
    if frame.is_empty():
        return nothing(title)
    groups = QUADRANT.group_columns([name for name in frame.columns if name != "mark"])
    if groups not in ([], ["board"]):
        raise ParameterError(
            f"plot_quadrants draws themes, or themes by board. Found groups by {', '.join(groups)}. Keep one of each."
        )
    cuts = cuts_of(frame)
    return _by_board(frame, cuts, title) if groups else _by_theme(frame, cuts, title)


def _ends(frame: pl.DataFrame, what: str, cut: float | None) -> tuple[float, float]:
    """The ends of an axis: a little beyond all placements and the cut line."""
    columns = [name for name in (what, f"{what}_lowest", f"{what}_highest") if name in frame.columns]
    found = [float(value) for name in columns for value in frame[name].drop_nulls()]
    numbers = [*found, *([cut] if cut is not None else [])] or [0.0, 1.0]
    room = max(max(numbers) - min(numbers), 1.0) * 0.07
    return min(numbers) - room, max(numbers) + room


def _themes_in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """The theme to be dealt with first at the top."""
    place = {name: number for number, name in enumerate(QUADRANTS)}
    return frame.sort(
        pl.col("urgency").is_null(),
        pl.col("quadrant").replace_strict(place, default=len(place), return_dtype=pl.Int64),
        -(pl.col("urgency") + pl.col("importance")),
        "theme",
        nulls_last=True,
    )


def _in_words(frame: pl.DataFrame) -> list[str]:
    """Which themes lie in which quadrant."""
    themes = {name: frame.filter(pl.col("quadrant") == name)["theme"].to_list() for name in QUADRANTS}
    return [f"{name[:1].upper()}{name[1:]}: {', '.join(found)}." for name, found in themes.items() if found]


@dataclass(frozen=True)
class _Plane:
    """The plot and the key beside it, or under it on a telephone, in pixels: Vega expressions."""

    order: list[str]
    urgency: tuple[float, float]
    importance: tuple[float, float]

    @property
    def names(self) -> list[list[str]]:
        """The lines of the key."""
        return [name_lines(name, 34, 3) for name in self.order]

    @property
    def tops(self) -> list[int]:
        """Where the names of the key begin, from the top of the key."""
        heights = [_LINE * len(lines) + 8 for lines in self.names]
        return [30 + sum(heights[:place]) for place in range(len(heights) + 1)]

    @property
    def height(self) -> int:
        """Of all."""
        return _OVER_PLOT + _UNDER_PLOT + max(_PLOT[True][1], _PLOT[False][1] + self.tops[-1], self.tops[-1])

    @property
    def parameters(self) -> list[alt.Parameter]:
        """The edges of the plot, and where the key begins."""
        bottom = self.height - _UNDER_PLOT
        return [
            alt.param("roomy", expr=f"width >= {ROOMY}"),
            alt.param("plot_left", expr="34"),
            alt.param("plot_right", expr=f"width >= {ROOMY} ? width * 0.58 : width - 4"),
            alt.param("plot_bottom", expr=f"width >= {ROOMY} ? {bottom} : {bottom - self.tops[-1]}"),
            alt.param("key_left", expr=f"width >= {ROOMY} ? width * 0.62 : 0"),
            alt.param("key_top", expr=f"width >= {ROOMY} ? {_OVER_PLOT} : {self.height - self.tops[-1]}"),
        ]

    def x(self, value: str | float) -> str:
        """Where an urgency stands."""
        low, high = self.urgency
        return f"(plot_left + ({value} - {low!r}) / {high - low!r} * (plot_right - plot_left))"

    def y(self, value: str | float) -> str:
        """Where an importance stands."""
        low, high = self.importance
        return f"(plot_bottom - ({value} - {low!r}) / {high - low!r} * (plot_bottom - {_OVER_PLOT}))"

    def shifts(self, places: Sequence[tuple[float, float] | None], *, roomy: bool) -> list[int]:
        """How far each dot is moved to the right, or to the left, so that none lies on another."""
        wide, high = _PLOT[roomy]
        taken: list[tuple[float, float]] = []
        shifts = []
        for place in places:
            if place is None:
                shifts.append(0)
                continue
            across = (place[0] - self.urgency[0]) / (self.urgency[1] - self.urgency[0]) * wide
            up = (place[1] - self.importance[0]) / (self.importance[1] - self.importance[0]) * high
            steps = (side * step * _BADGE for step in range(len(places) + 1) for side in (1, -1))
            free = (
                step
                for step in steps
                if 0 <= across + step <= wide
                and all(abs(across + step - x) >= _BADGE or abs(up - y) >= _BADGE for x, y in taken)
            )
            shift = next(free, 0)
            taken.append((across + shift, up))
            shifts.append(shift)
        return shifts


def _by_theme(frame: pl.DataFrame, cuts: tuple[float | None, float | None], title: str) -> alt.LayerChart:
    """The medians of the boards."""
    frame = _themes_in_order(frame)
    ranges = [f"{what}_{end}" for what in ("urgency", "importance") for end in ("lowest", "highest")]
    drawn = frame.select(
        "urgency",
        "importance",
        *(name for name in ranges if name in frame.columns),
        row=pl.col("theme").cast(pl.String),
        differ=~pl.col("agreed").fill_null(True) if "agreed" in frame.columns else pl.lit(False),
        note=note_of("urgency"),
    )
    plane = _Plane(drawn["row"].to_list(), _ends(frame, "urgency", cuts[0]), _ends(frame, "importance", cuts[1]))
    differ = drawn.filter("differ")["row"].to_list()
    said = [
        sentence(title),
        "Themes by urgency, to the right, and importance, upwards: medians of the boards.",
        *_in_words(frame),
        *([f"The boards differ on {', '.join(differ)}."] if differ else []),
        *without_number(drawn),
    ]
    key = "Filled: boards agree. Hollow: they differ." if differ else ""
    layers = [
        *_ground(plane, cuts),
        *_spread(plane, drawn),
        *_badges(plane, drawn),
        *(
            [words_at(key, "key_left", "key_top + 8", align="left", baseline="middle", fontStyle="italic")]
            if key
            else []
        ),
    ]
    return finish(layers, drawn, title=title, said=" ".join(said), height=plane.height, worked_out=plane.parameters)


_CHANNELS: dict[str, Any] = {"x": alt.XValue, "x2": alt.X2Value, "y": alt.YValue, "y2": alt.Y2Value}


def _at(**places: str) -> dict[str, Any]:
    return {name: _CHANNELS[name](alt.expr(expression)) for name, expression in places.items()}


def _ground(plane: _Plane, cuts: tuple[float | None, float | None]) -> list[alt.Chart]:
    """The frame, the quadrant to be dealt with first in a tint, the cut lines, the names and the axes."""
    anything = alt.Chart(alt.InlineData(values=[{}]))
    urgent, important = cuts
    top, left, right, bottom = str(_OVER_PLOT), "plot_left", "plot_right", "plot_bottom"
    frame = anything.mark_rect(fillOpacity=0, stroke=INK, strokeOpacity=0.4, aria=False)
    layers = []
    if urgent is not None and important is not None:
        tint = anything.mark_rect(fill=COLOURS[0], fillOpacity=0.07, aria=False)
        layers.append(tint.encode(**_at(x=plane.x(urgent), x2=right, y=top, y2=plane.y(important))))
    layers.append(frame.encode(**_at(x=left, x2=right, y=top, y2=bottom)))
    line = anything.mark_rule(color=INK, strokeDash=[6, 4], strokeWidth=1.5, aria=False)
    if urgent is not None:
        layers.append(line.encode(**_at(x=plane.x(urgent), y=top, y2=bottom)))
    if important is not None:
        layers.append(line.encode(**_at(x=left, x2=right, y=plane.y(important))))
    first, plan, urgent_only, neither = (f"{name[:1].upper()}{name[1:]}" for name in QUADRANTS)
    # Where a line is not known there are no four quadrants to be named.
    corners: list[tuple[str, str, str | float, Any]] = [
        (plan, left, _OVER_PLOT - 12, "left"),
        (first, right, _OVER_PLOT - 12, "right"),
        (neither, left, f"{bottom} + 32", "left"),
        (urgent_only, right, f"{bottom} + 32", "right"),
    ]
    if None not in cuts:
        layers += [
            words_at(text, x, y, align=align, fontWeight="bold", baseline="middle") for text, x, y, align in corners
        ]
    return [*layers, *_axes(plane)]


def _axes(plane: _Plane) -> list[alt.Chart]:
    """Whole points along the edges, and what they are points of."""
    layers = [
        words_at("Urgency (points) →", "(plot_left + plot_right) / 2", "plot_bottom + 50", baseline="middle"),
        words_at("Importance (points) →", "6", f"(plot_bottom + {_OVER_PLOT}) / 2", angle=270, baseline="middle"),
    ]
    for (low, high), is_level in ((plane.urgency, True), (plane.importance, False)):
        every = ceil((high - low) / 11)
        points = [value for value in range(ceil(low), floor(high) + 1) if value % every == 0]
        data = alt.InlineData(values=[{"value": value, "note": f"{value}"} for value in points])
        place = plane.x("datum.value") if is_level else plane.y("datum.value")
        labels = alt.Chart(data).transform_calculate(at=place)
        level = labels.mark_text(baseline="middle").encode(
            x=pixels("at", alt.X), **_at(y="plot_bottom + 12"), text=alt.Text("note:N")
        )
        upright = labels.mark_text(align="right", baseline="middle").encode(
            **_at(x="plot_left - 6"), y=pixels("at"), text=alt.Text("note:N")
        )
        layers.append(level if is_level else upright)
    return layers


def _spread(plane: _Plane, drawn: pl.DataFrame) -> list[alt.Chart]:
    """Thin lines from the lowest to the highest of the boards."""
    layers = []
    rule: dict[str, Any] = {"color": COLOURS[0], "strokeWidth": 1.5, "opacity": 0.45, "aria": False}
    if "urgency_lowest" in drawn.columns:
        ends = {"begin": plane.x("datum.urgency_lowest"), "end": plane.x("datum.urgency_highest")}
        level = _worked_out({**ends, "at": plane.y("datum.importance")}, "isValid(datum.urgency_lowest)")
        layers.append(level.mark_rule(**rule).encode(x=pixels("begin", alt.X), x2=alt.X2("end"), y=pixels("at")))
    if "importance_lowest" in drawn.columns:
        ends = {"begin": plane.y("datum.importance_lowest"), "end": plane.y("datum.importance_highest")}
        upright = _worked_out({**ends, "at": plane.x("datum.urgency")}, "isValid(datum.importance_lowest)")
        layers.append(upright.mark_rule(**rule).encode(x=pixels("at", alt.X), y=pixels("begin"), y2=alt.Y2("end")))
    return layers


def _worked_out(places: Mapping[str, str], where: str) -> alt.Chart:
    chart = alt.Chart().transform_filter(where)
    for name, expression in places.items():
        chart = chart.transform_calculate(**{name: expression})
    return chart


def _badges(plane: _Plane, drawn: pl.DataFrame) -> list[alt.Chart]:
    """A numbered dot per theme, in the plot and before its name in the key."""
    places = [
        None if urgency is None or importance is None else (urgency, importance)
        for urgency, importance in drawn.select("urgency", "importance").rows()
    ]
    narrow, wide = (json.dumps(plane.shifts(places, roomy=roomy)) for roomy in (False, True))
    number = f"indexof({json.dumps(plane.order)}, datum.row)"
    found = {
        "place": number,
        "true_x": plane.x("datum.urgency"),
        "x": f"datum.true_x + (roomy ? {wide} : {narrow})[datum.place]",
        "y": plane.y("datum.importance"),
        "words": _PLACED,
    }
    listed = {
        "place": number,
        "x": "key_left + 11",
        "y": f"key_top + {json.dumps(plane.tops)}[datum.place] + {_LINE / 2}",
    }
    hover = [alt.Tooltip("row:N", title="Theme"), alt.Tooltip("words:N", title="Middle of the boards")]
    known = "isValid(datum.urgency) && isValid(datum.importance)"
    dots, key = _worked_out(found, known), _worked_out(listed, known)
    tie = dots.transform_filter("datum.x != datum.true_x")
    spot = tie.mark_point(filled=True, size=45, opacity=1, color=COLOURS[0], aria=False)
    link = tie.mark_rule(color=COLOURS[0], aria=False)
    names = _worked_out({**listed, "words": number}, "true").mark_text(
        align="left",
        baseline="middle",
        lineHeight=_LINE,
        dx=20,
        text=alt.expr(f"{json.dumps(plane.names)}[datum.place]"),
    )
    notes = _worked_out(listed, "datum.note != ''").mark_text(baseline="middle")
    at = {"x": pixels("x", alt.X), "y": pixels("y")}
    return [
        link.encode(x=pixels("true_x", alt.X), x2=alt.X2("x"), y=pixels("y")),
        spot.encode(x=pixels("true_x", alt.X), y=pixels("y")),
        *_numbered(dots, at, hover),
        *_numbered(key, at, []),
        names.encode(**at),
        notes.encode(**at, text=alt.Text("note:N")),
    ]


def _numbered(chart: alt.Chart, at: Mapping[str, Any], hover: list[alt.Tooltip]) -> list[alt.Chart]:
    """Dots with the number of their theme: filled, or hollow where the boards differ."""
    dot = chart.mark_point(
        shape="circle",
        size=400,
        opacity=1,
        strokeWidth=2,
        stroke=COLOURS[0],
        fill=alt.expr(f"datum.differ ? 'white' : '{COLOURS[0]}'"),
        aria=bool(hover),
        description=alt.expr("datum.row + ': ' + datum.words") if hover else alt.Undefined,
    )
    number = chart.mark_text(
        baseline="middle",
        fontWeight="bold",
        fontSize=12,
        color=alt.expr(f"datum.differ ? '{COLOURS[0]}' : 'white'"),
        text=alt.expr("datum.place + 1"),
        aria=False,
    )
    return [dot.encode(**at, **({"tooltip": hover} if hover else {})), number.encode(**at)]


def _by_board(frame: pl.DataFrame, cuts: tuple[float | None, float | None], title: str) -> alt.LayerChart:
    """A small panel per theme."""
    boards = frame["board"].cast(pl.String).unique(maintain_order=True).to_list()
    if len(boards) > MOST_BOARDS:
        raise ParameterError(
            f"a chart tells at most {MOST_BOARDS} boards apart. Found: {len(boards)} ({shorten(boards, most=3)}). "
            "Keep fewer, or draw the table by theme."
        )
    themes = frame["theme"].cast(pl.String).unique(maintain_order=True).to_list()
    drawn = frame.select(
        "urgency",
        "importance",
        row=pl.col("theme").cast(pl.String),
        series=pl.col("board").cast(pl.String),
        note=note_of("urgency"),
    )
    apart = frame.filter(pl.col("quadrant").n_unique().over("theme") > 1)["theme"].unique(maintain_order=True).to_list()
    said = [
        sentence(title),
        f"A panel per theme, a symbol per board ({', '.join(boards)}): urgency to the right, importance upwards.",
        *([f"In more than one quadrant: {', '.join(apart)}."] if apart else []),
        *without_number(drawn),
    ]
    head = 16 * max(len(name_lines(name, 20, 3)) for name in themes) + 6
    layers, parameters, height = _panels_of_themes(drawn, themes, boards, cuts, head)
    return finish(layers, drawn, title=title, said=" ".join(said), height=height, worked_out=parameters)


def _panels_of_themes(
    drawn: pl.DataFrame, themes: list[str], boards: list[str], cuts: tuple[float | None, float | None], head: int
) -> tuple[list[Any], list[alt.Parameter], int]:
    """The marks of all panels, what they are worked out of, and the height of all."""
    count, gutter, above = len(themes), 18, 46
    height = above + -(-count // min(2, count)) * (head + 142)
    parameters = [
        alt.param("abreast", expr=f"min({count}, width < 440 ? 2 : 3)"),
        alt.param("across", expr=f"(width - {gutter} * (abreast - 1)) / abreast"),
        alt.param("down", expr=f"(height - {above}) / ceil({count} / abreast)"),
    ]
    place = f"indexof({json.dumps(themes)}, datum.row)"
    edges = {
        "place": place,
        "left": f"(datum.place % abreast) * (across + {gutter})",
        "right": "datum.left + across",
        "over": f"{above} + floor(datum.place / abreast) * down",
        "top": f"datum.over + {head}",
        "bottom": "datum.over + down - 18",
    }
    (low, high), (least, most) = _ends(drawn, "urgency", cuts[0]), _ends(drawn, "importance", cuts[1])

    def level(value: str | float) -> str:
        return f"datum.left + ({value} - {low!r}) / {high - low!r} * across"

    def upright(value: str | float) -> str:
        return f"datum.bottom - ({value} - {least!r}) / {most - least!r} * (datum.bottom - datum.top)"

    def each(**more: str) -> alt.Chart:
        chart = alt.Chart(alt.InlineData(values=[{"row": name} for name in themes]))
        for name, expression in {**edges, **more}.items():
            chart = chart.transform_calculate(**{name: expression})
        return chart

    x, x2, y, y2 = pixels("left", alt.X), "right", pixels("top"), "bottom"
    lines = json.dumps([name_lines(name, 20, 3) for name in themes])
    name = each().mark_text(
        align="left", baseline="top", fontWeight="bold", lineHeight=16, text=alt.expr(f"{lines}[datum.place]")
    )
    ground: list[Any] = []
    if cuts[0] is not None and cuts[1] is not None:
        tint = each(cut=level(cuts[0]), line=upright(cuts[1])).mark_rect(fill=COLOURS[0], fillOpacity=0.08, aria=False)
        ground.append(tint.encode(x=pixels("cut", alt.X), x2=x2, y=y, y2=alt.Y2("line")))
    dashed: dict[str, Any] = {"color": INK, "strokeDash": [4, 3], "aria": False}
    if cuts[0] is not None:
        ground.append(each(cut=level(cuts[0])).mark_rule(**dashed).encode(x=pixels("cut", alt.X), y=y, y2=y2))
    if cuts[1] is not None:
        ground.append(each(line=upright(cuts[1])).mark_rule(**dashed).encode(x=x, x2=x2, y=pixels("line")))
    box = each().mark_rect(fillOpacity=0, stroke=INK, strokeOpacity=0.4, aria=False)
    places = {
        **edges,
        "x": level("datum.urgency"),
        "y": upright("datum.importance"),
        "words": _PLACED,
    }
    seen = _worked_out(places, "isValid(datum.urgency) && isValid(datum.importance)")
    at = {"x": pixels("x", alt.X), "y": pixels("y")}
    scale: dict[str, Any] = {"domain": boards}
    legend = alt.Legend(
        title=None, columns=alt.expr("width < 700 ? 1 : 3"), labelLimit=280, symbolOpacity=1, symbolSize=130
    )
    symbol = seen.mark_point(
        filled=True,
        opacity=1,
        stroke="white",
        strokeWidth=1,
        size=alt.expr(f"{json.dumps(_SIZES)}[indexof({json.dumps(boards)}, datum.series)]"),
        description=alt.expr("datum.row + ', ' + datum.series + ': ' + datum.words"),
    ).encode(
        **at,
        shape=alt.Shape("series:N", scale=alt.Scale(**scale, range=list(SYMBOLS[: len(boards)])), legend=legend),
        color=alt.Color("series:N", scale=alt.Scale(**scale, range=list(COLOURS[: len(boards)])), legend=legend),
        tooltip=[
            alt.Tooltip("row:N", title="Theme"),
            alt.Tooltip("series:N", title="Board"),
            alt.Tooltip("words:N", title="Points"),
        ],
    )
    joined = seen.mark_line(interpolate="linear-closed", color=INK, strokeWidth=1.5, opacity=0.55, aria=False)
    notes = _worked_out(
        {**edges, "at": f"datum.bottom - 8 - 15 * indexof({json.dumps(boards)}, datum.series)"}, "datum.note != ''"
    )
    note = notes.mark_text(align="left", dx=4)
    words: dict[str, Any] = {"align": "left", "baseline": "middle", "fontStyle": "italic"}
    layers = [
        words_at("Right: more urgent. Up: more important", "0", 6, **words),
        *([words_at(f"Tinted: {QUADRANTS[0]}", "0", 24, **words)] if None not in cuts else []),
        *ground,
        box.encode(x=x, x2=x2, y=y, y2=y2),
        name.encode(x=x, y=pixels("over")),
        joined.encode(**at, detail=alt.Detail("row:N")),
        symbol,
        note.encode(x=x, y=pixels("at"), text=alt.Text("note:N")),
    ]
    return layers, parameters, height
