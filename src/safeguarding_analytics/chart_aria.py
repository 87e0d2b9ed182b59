"""What a screen reader says of the marks of a chart: what their tooltips show, and nothing twice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import altair as alt


def spoken(layer: Any) -> Any:
    """A layer whose marks are read out as their tooltips are, and not field by field with the numbers behind them.

    Parameters
    ----------
    layer
        A chart of one mark, or several layers. A mark with data of its own, with words of its own, or without a
        tooltip stays as it is.

    Returns
    -------
    Any
        The same with a description of each mark: a line goes by its series, as its dots say the numbers; a number that
        is written beside its mark is not said again.
    """
    if isinstance(layer, alt.LayerChart):
        whole = layer.copy(deep=False)
        whole.layer = [spoken(each) for each in layer.layer]
        return whole
    mark = mark_of(layer)
    said = {} if "description" in mark else _said_of(layer, mark["type"])
    if not said:
        return layer
    named = layer.copy(deep=False)
    named.mark = alt.MarkDef(**{**mark, **said})
    return named


def mark_of(drawing: alt.Chart) -> dict[str, Any]:
    """The kind of a mark and all that is said of how it looks."""
    if isinstance(drawing.mark, str):
        return {"type": drawing.mark}
    return dict(drawing.mark.to_dict(validate=False))


def _said_of(layer: alt.Chart, kind: str) -> dict[str, Any]:
    """What a mark is given to be read out; nothing where it stays as it is."""
    tips, written = _fields_in(layer, "tooltip"), _fields_in(layer, "text")
    if kind in ("line", "area"):
        return {"description": {"expr": f"isValid(datum.series) ? datum.series : '{kind}'"}}  # no mark without a name
    if written and written[0] in ("value", "shown"):
        return {"aria": False}
    if tips:
        return {"description": {"expr": _joined(tips)}}
    if written and written[0] in ("note", "words") and _fields_in(layer, "y") == ["row"]:
        return {"description": {"expr": _joined(["row", written[0]])}}
    return {}


def _joined(fields: Sequence[str]) -> str:
    """An expression that joins what fields hold: the first one, and those of the others that hold something."""
    first, *others = (f"datum[{json.dumps(field)}]" for field in fields)
    return " + ".join([first, *(f"(isValid({each}) && {each} !== '' ? ', ' + {each} : '')" for each in others)])


def _fields_in(drawing: alt.Chart, channel: str) -> list[str]:
    """The fields of the rows that a channel of a mark shows; none of data of its own."""
    if drawing.data is not alt.Undefined or drawing.encoding is alt.Undefined:
        return []
    found = drawing.encoding[channel]
    shown = found if isinstance(found, list) else [found]
    named = [each if isinstance(each, str) else getattr(each, "shorthand", None) for each in shown]
    return [name.split(":")[0] for name in named if isinstance(name, str)]
