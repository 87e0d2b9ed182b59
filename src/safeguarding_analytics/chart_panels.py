"""Small panels, one per row of a chart: they fill the width they are given, as facets cannot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from safeguarding_analytics.chart_marks import COLOURS, INK, extent, finish, heading, nothing
from safeguarding_analytics.chart_rows import Rows, lines_of, looked_up
from safeguarding_analytics.dates import month_in_words

_GUTTER, _BELOW = 16, 38  # pixels between panels, and below the baseline of a panel
_NUMBER = 20  # pixels of the height of a number with what is left free around it


@dataclass(frozen=True)
class _Panels:
    """Where the marks of small panels stand, in pixels: Vega expressions, as Vega alone knows the width."""

    rows: Rows
    head: int
    most: float
    aimed: bool

    @property
    def above(self) -> int:
        """Pixels above the bars: the name, the target, and the number on a bar that fills the panel."""
        return self.head + (18 if self.aimed else 0) + 22

    @property
    def number(self) -> str:
        """The panel of a row."""
        return f"indexof({json.dumps(self.rows.order)}, datum.row)"

    @property
    def place(self) -> str:
        """The place of a row among those of its panel."""
        return f"indexof({json.dumps(self.rows.series)}, datum.series)"

    @property
    def step(self) -> str:
        """The room of a bar."""
        return f"(panel_width / {len(self.rows.series)})"

    @property
    def top(self) -> str:
        """Where a value stands."""
        return f"datum.base - datum.value / {self.most!r} * (panel_height - {self.above + _BELOW})"

    @property
    def height(self) -> int:
        """Of all panels together, so that those of a telephone are high enough."""
        count = len(self.rows.order)
        return -(-count // min(2, count)) * (self.above + _BELOW + 60)

    @property
    def parameters(self) -> list[alt.Parameter]:
        count = len(self.rows.order)
        return [
            alt.param("panels_abreast", expr=f"min({count}, width < 440 ? 2 : 3)"),
            alt.param("panel_width", expr=f"(width - {_GUTTER} * (panels_abreast - 1)) / panels_abreast"),
            alt.param("panel_height", expr=f"height / ceil({count} / panels_abreast)"),
        ]

    def put(self, data: alt.InlineData | None = None, number: str = "", **more: str) -> alt.Chart:
        """Rows with the left edge, the right edge and the baseline of their panel, and more that is worked out."""
        chart = alt.Chart() if data is None else alt.Chart(data)
        if number:
            chart = chart.transform_window(position="row_number()")
        edges = {
            "panel": number or self.number,
            "left": f"(datum.panel % panels_abreast) * (panel_width + {_GUTTER})",
            "right": "datum.left + panel_width",
            "base": f"(floor(datum.panel / panels_abreast) + 1) * panel_height - {_BELOW}",
            "head": f"datum.base + {_BELOW} - panel_height",
        }
        for name, expression in {**edges, **more}.items():
            chart = chart.transform_calculate(**{name: expression})
        return chart


def panels(rows: Rows, *, title: str, axis: str, said: str, targets: Sequence[float | None]) -> alt.LayerChart:
    """A small panel per row of bars over the series, as many abreast as there is room for, all of one scale.

    Facets cannot fill the width they are given. So this is one chart without axes, in which every mark is put into its
    panel. ``targets`` are in the order of the rows.
    """
    if rows.frame.is_empty():
        return nothing(title)
    aimed = [target for target in targets if target is not None]
    head = 18 * max(len(lines_of(name)) for name in rows.order)
    panel = _Panels(rows, head, float(max(extent(rows)[1], *aimed, 1)), bool(aimed))
    layers = [
        heading(axis, 16),
        *_panel_frames(panel),
        *(_panel_targets(panel, targets) if aimed else []),
        *_panel_bars(panel, targets),
    ]
    return finish(layers, rows.frame, title=title, said=said, height=panel.height, worked_out=panel.parameters)


def _pixels(field: str, channel: type[alt.X | alt.Y]) -> Any:
    return channel(f"{field}:Q", scale=None, axis=None)


def _panel_frames(panel: _Panels) -> list[alt.Chart]:
    """The name, the baseline and the months of each panel."""
    rows = panel.rows
    one_each = panel.put(alt.InlineData(values=[{"row": name} for name in rows.order]))
    name = one_each.mark_text(
        align="left", baseline="top", fontWeight="bold", text=alt.expr(looked_up(rows.order, rows.order, "datum.row"))
    )
    base = one_each.mark_rule(color=INK, opacity=0.5, aria=False)
    every = alt.InlineData(values=[{"row": name, "series": one} for name in rows.order for one in rows.series])
    middle = f"datum.left + ({panel.place} + 0.5) * {panel.step}"
    long, short = (json.dumps([month_in_words(one, form) for one in rows.series]) for form in ("%b %Y", "%b"))
    narrow, last = f"{panel.step} < 34", f"{panel.place} == {len(rows.series) - 1}"
    labels: list[tuple[str, Literal["left", "center", "right"], str, str]] = [
        (f"{panel.step} >= 66", "center", "middle", long),
        (f"{panel.step} < 66 && !({narrow})", "center", "middle", short),
        (f"{narrow} && {panel.place} == 0", "left", "left", long),
        (f"{narrow} && {last}", "right", "right", long),
    ]
    months = [
        panel.put(every, middle=middle)
        .transform_filter(where)
        .mark_text(align=align, baseline="top", dy=5, text=alt.expr(f"{texts}[{panel.place}]"))
        .encode(x=_pixels(at, alt.X), y=_pixels("base", alt.Y))
        for where, align, at, texts in labels
    ]
    return [
        base.encode(x=_pixels("left", alt.X), x2=alt.X2("right"), y=_pixels("base", alt.Y)),
        name.encode(x=_pixels("left", alt.X), y=_pixels("head", alt.Y)),
        *months,
    ]


def _panel_bars(panel: _Panels, targets: Sequence[float | None]) -> list[alt.Chart]:
    """The bars with their numbers, or what stands in place of a number.

    A number stands above its bar; where the line of the target is there, in the bar, or above the line if the bar is
    too small for it.
    """
    rows, half = panel.rows, f"min({panel.step} - 2, 44) / 2"
    middle = f"datum.left + ({panel.place} + 0.5) * {panel.step}"
    seen = panel.put(middle=middle, top=panel.top, start=f"datum.middle - {half}", end=f"datum.middle + {half}")
    spoken = alt.expr("datum.row + ', ' + datum.series + ': ' + datum.shown")
    bar = seen.transform_filter("isValid(datum.value)").mark_rect(color=COLOURS[0], description=spoken)
    # Where bars are narrow only the last one that is shown has its number.
    roomy = f"{panel.step} > {8 * len(f'{int(panel.most):,}')}"
    aim = f"datum.base - datum.target / {panel.most!r} * (panel_height - {panel.above + _BELOW})"
    struck = f"isValid(datum.target) && datum.top > datum.aim && datum.top - datum.aim < {_NUMBER}"
    label = (
        seen.transform_filter(f"isValid(datum.value) && (datum.last || {roomy})")
        .transform_calculate(target=f"{json.dumps(list(targets))}[datum.panel]")
        .transform_calculate(aim=aim)
        .transform_calculate(struck=struck)
        .transform_calculate(within=f"datum.struck && {roomy} && datum.base - datum.top > {_NUMBER}")
        .transform_calculate(at=f"datum.within ? datum.top + {_NUMBER} : datum.struck ? datum.aim : datum.top")
    )
    note = panel.put(middle=middle).transform_filter("datum.note != ''").mark_text(baseline="bottom", dy=-3)
    x, y = _pixels("middle", alt.X), _pixels("top", alt.Y)
    edges = {"x": _pixels("start", alt.X), "x2": alt.X2("end"), "y": y, "y2": alt.Y2("base")}
    hover = [alt.Tooltip("row:N", title=rows.row_name), alt.Tooltip("series:N", title=rows.series_name)]
    number = label.mark_text(baseline="bottom", dy=-3, color=alt.expr(f"datum.within ? 'white' : '{INK}'"))
    return [
        bar.encode(**edges, tooltip=[*hover, alt.Tooltip("shown:N", title="Shown")]),
        number.encode(x=x, y=_pixels("at", alt.Y), text=alt.Text("shown:N")),
        note.encode(x=x, y=_pixels("base", alt.Y), text=alt.Text("note:N")),
    ]


def _panel_targets(panel: _Panels, targets: Sequence[float | None]) -> list[alt.Chart]:
    """The target of each panel: a level line, and its number under the name. They do not come from the table."""
    values = [{"value": one, "note": "" if one is None else f"target {one:,g}"} for one in targets]
    level = panel.put(
        alt.InlineData(values=values), "datum.position - 1", top=panel.top, under=f"datum.head + {panel.head}"
    )
    seen = level.transform_filter("isValid(datum.value)")
    left = _pixels("left", alt.X)
    line = seen.mark_rule(color=INK, strokeDash=[6, 4], aria=False).encode(
        x=left, x2=alt.X2("right"), y=_pixels("top", alt.Y)
    )
    text = seen.mark_text(align="left", baseline="top").encode(
        x=left, y=_pixels("under", alt.Y), text=alt.Text("note:N")
    )
    return [line, text]
