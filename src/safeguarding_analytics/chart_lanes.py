"""Rows of a chart one below the other: names beside the marks where there is room, above them on a telephone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl

from safeguarding_analytics.chart_marks import INK, finish
from safeguarding_analytics.chart_pairs import name_lines
from safeguarding_analytics.errors import ParameterError, in_words, nearest
from safeguarding_analytics.shapes import Shape

ROOMY = 600
"""Pixels of width from which names stand beside the marks."""

LINE = 18
"""Pixels of a line of text."""

_LETTER = 9.4
"""Pixels of a letter of a bold name, on the whole, with room to spare."""

_ABOVE, _BESIDE = (36, 2), (25, 3)  # letters of a line of a name, and lines: above its marks, and beside them


@dataclass(frozen=True)
class Lanes:
    """Rows one below the other, in pixels: Vega expressions, as Vega alone knows the width.

    ``names`` is the share of the width that names take where they stand beside the marks, or more where they need it;
    ``indent`` is the room for what stands before them. ``cut`` is the number of rows above a line, with ``gap`` pixels
    for it.
    """

    order: list[str]
    marks: int = 26
    names: float = 0.32
    indent: int = 0
    head: int = 0
    words: bool = False
    cut: int = 0
    gap: int = 0

    @property
    def name_lines(self) -> int:
        """Lines of the longest name above its marks."""
        return max(len(name_lines(name, *_ABOVE)) for name in self.order)

    @property
    def _lines(self) -> int:
        return self.name_lines + self.words

    @property
    def height(self) -> int:
        """Of one row."""
        return LINE * self._lines + self.marks + 10

    @property
    def all(self) -> int:
        """Pixels of all rows with their head."""
        return self.head + self.gap + self.height * len(self.order)

    @property
    def parameters(self) -> list[alt.Parameter]:
        """Whether there is room, and where the marks begin."""
        letters = max(len(line) for name in self.order for line in name_lines(name, *_BESIDE))
        least = self.indent + round(_LETTER * letters) + 4
        return [
            alt.param("roomy", expr=f"width >= {ROOMY}"),
            alt.param("left", expr=f"width >= {ROOMY} ? max({least}, round(width * {self.names})) : 0"),
        ]

    def put(self, data: alt.InlineData | None = None, where: str = "", **more: str) -> alt.Chart:
        """Rows with their top, the middle of their marks, and more that is worked out."""
        chart = alt.Chart() if data is None else alt.Chart(data)
        if where:
            chart = chart.transform_filter(where)
        place = f"indexof({json.dumps(self.order)}, datum.row)"
        places = {
            "place": place,
            "top": f"{self.head} + datum.place * {self.height} + (datum.place >= {self.cut} ? {self.gap} : 0)",
            "middle": f"datum.top + (roomy ? {self.height / 2} : {4 + LINE * self._lines + self.marks / 2})",
        }
        for name, expression in {**places, **more}.items():
            chart = chart.transform_calculate(**{name: expression})
        return chart

    def labels(self, row_name: str, *, numbered: bool = False) -> list[alt.Chart]:
        """The name of each row; the pointer shows it whole."""
        narrow, wide = ([name_lines(name, *room) for name in self.order] for room in (_ABOVE, _BESIDE))
        up = [LINE / 2 * (len(lines) - 1 + self.words) for lines in wide]
        rows = self.put(
            alt.InlineData(values=[{"row": name} for name in self.order]),
            at=f"roomy ? datum.middle - {json.dumps(up)}[datum.place] : datum.top + 11",
        )
        name = rows.mark_text(
            align="left",
            baseline="middle",
            dx=self.indent,
            lineHeight=LINE,
            fontWeight="bold",
            fontSize=alt.expr("roomy ? 15 : 14"),
            text=alt.expr(f"(roomy ? {json.dumps(wide)} : {json.dumps(narrow)})[datum.place]"),
        ).encode(x=alt.XValue(0), y=pixels("at"), tooltip=[alt.Tooltip("row:N", title=row_name)])
        if not numbered:
            return [name]
        number = rows.mark_text(align="left", baseline="middle", text=alt.expr("datum.place + 1"))
        return [name, number.encode(x=alt.XValue(0), y=pixels("at"))]

    @property
    def below(self) -> str:
        """Where words under the name of a row stand, where names stand beside the marks."""
        lines = [len(name_lines(name, *_BESIDE)) for name in self.order]
        return f"datum.middle + {LINE // 2} * {json.dumps(lines)}[datum.place]"

    def notes(self, indent: int = 2) -> alt.Chart:
        """What stands at the baseline in place of a number."""
        text = self.put(where="datum.note != ''").mark_text(align="left", dx=indent)
        drawn: alt.Chart = text.encode(x=alt.XValue(alt.expr("left")), y=pixels("middle"), text=alt.Text("note:N"))
        return drawn

    def upright(self, x: str, *, opacity: float = 1) -> alt.Chart:
        """An upright line through the marks of all rows, which leaves out the names above them."""
        rows = self.put(
            alt.InlineData(values=[{"row": name} for name in self.order]),
            begin="roomy ? datum.top : datum.middle - 14",
            end=f"roomy ? datum.top + {self.height} : datum.middle + 14",
        )
        drawn: alt.Chart = rows.mark_rule(color=INK, opacity=opacity, aria=False).encode(
            x=alt.XValue(alt.expr(x)), y=pixels("begin"), y2=alt.Y2("end")
        )
        return drawn

    def cut_line(self, label: str) -> list[alt.Chart]:
        """A labelled level line above the first row behind the cut."""
        y = self.head + self.cut * self.height + self.gap / 2 + 3
        data = alt.Chart(alt.InlineData(values=[{"note": label}]))
        rule = data.mark_rule(color=INK, strokeDash=[6, 4], aria=False).encode(
            x=alt.XValue(0), x2=alt.X2Value(alt.expr("width")), y=alt.YValue(y)
        )
        text = data.mark_text(align="right", baseline="bottom", dy=-3, fontStyle="italic")
        return [rule, text.encode(x=alt.XValue(alt.expr("width")), y=alt.YValue(y), text=alt.Text("note:N"))]

    def finished(self, layers: Sequence[Any], drawn: pl.DataFrame, *, title: str, said: str) -> alt.LayerChart:
        """The layers over the rows they draw."""
        return finish(layers, drawn, title=title, said=said, height=self.all, worked_out=self.parameters)


def pixels(field: str, channel: type[alt.X | alt.Y] = alt.Y) -> Any:
    """A place in pixels that was worked out."""
    return channel(f"{field}:Q", scale=None, axis=None)


def words_at(text: str, x: str, y: str | float, **mark: Any) -> alt.Chart:
    """Words of the chart itself at a place, both in pixels."""
    chart = alt.Chart(alt.InlineData(values=[{}])).mark_text(text=text, **mark)
    drawn: alt.Chart = chart.encode(x=alt.XValue(alt.expr(x)), y=alt.YValue(alt.expr(str(y))))
    return drawn


def one_group(frame: pl.DataFrame, shape: Shape, group: str | None, plot: str) -> str | None:
    """The group column whose groups are drawn, if any; groups that are not named are refused."""
    columns = shape.group_columns([name for name in frame.columns if name != "mark"])
    if group is not None and group not in columns:
        raise ParameterError(
            f"{group} is not a group column of the table. "
            f"Found: {', '.join(columns) or 'none'}.{nearest(group, columns)}"
        )
    others = [name for name in columns if name != group and frame[name].n_unique() > 1]
    if others:
        raise ParameterError(f"{plot} draws one group. Found groups by {in_words(others)}. Keep one value of each.")
    return group
