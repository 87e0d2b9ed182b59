"""A chart as a figure of a page: its title, a picture that needs no script, and what the script of the page draws.

Charts show themselves so wherever they are shown. In a run of many notebooks, the kernels leave the pictures open, and
the process that runs them draws them all: what draws takes a second to start, and longer for its first pictures.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from html import escape
from threading import Lock
from typing import Any, ParamSpec, TypeVar

from safeguarding_analytics.errors import ParameterError

STATIC_WIDTH = 680
"""Pixels of a chart where no script draws it: on paper, in JupyterLab."""

LOW, TALL = 0.6, 1.35
"""Height of a picture by its width: below the first it stands with its question, above the second it has a page."""

PICTURES, LATER = "SAFEGUARDING_PICTURES", "later"
"""Environment variable, and its value where the process that runs the notebook draws the pictures."""

_Asked = ParamSpec("_Asked")
_Chart = TypeVar("_Chart")
_lock = Lock()
_running: list[str] = []
_OPEN = re.compile(
    r'<div class="picture"></div>'
    r'(?P<script><script type="application/json" class="vega-lite-spec">(?P<spec>.*?)</script></figure>)',
    re.DOTALL,
)


def enable_renderer() -> None:
    """Make Altair show charts as figures of our own, in notebooks and pages alike. Calling it twice does no harm."""
    import altair as alt

    alt.renderers.register("safeguarding", _render)
    alt.renderers.enable("safeguarding")


def of_tested_parts(plot: Callable[_Asked, _Chart]) -> Callable[_Asked, _Chart]:
    """A function that makes charts, without Altair comparing each part with Vega-Lite's schema: the tests have done so.

    The comparison takes longer than to make the chart. Charts of others are compared as ever.
    """

    @wraps(plot)
    def unchecked(*asked: _Asked.args, **more: _Asked.kwargs) -> _Chart:
        from altair.utils.schemapi import debug_mode

        with debug_mode(False):
            return plot(*asked, **more)

    return unchecked


@contextmanager
def pictures_later() -> Iterator[None]:
    """Let charts that are shown in notebooks meanwhile leave their pictures open, for `with_pictures`."""
    with _lock:  # runs may stand beside each other, in threads: the last one to end puts it back
        _running.append(LATER)
        os.environ[PICTURES] = LATER
    try:
        yield
    finally:
        with _lock:
            _running.pop()
            if not _running:
                os.environ.pop(PICTURES, None)


def figure_html(spec: Mapping[str, Any]) -> str:
    """A chart as a figure: a picture that needs no script, and its specification for the script of the page.

    Parameters
    ----------
    spec
        A Vega-Lite specification that holds its data and a ``description``.

    Raises
    ------
    ParameterError
        When the chart has no description: the picture would have no name for those who cannot see it.
    """
    return with_pictures(_without_picture(spec))


def with_pictures(html: str) -> str:
    """HTML whose figures have their pictures; those that have them already keep them.

    Parameters
    ----------
    html
        What a notebook shows.
    """
    return _OPEN.sub(lambda found: _picture_html(json.loads(found["spec"])) + found["script"], html)


def vega_lite_version() -> str:
    """The Vega-Lite version Altair writes, as vl_convert names it."""
    from altair.vegalite.v6 import SCHEMA_VERSION

    return ".".join(SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def _render(spec: dict[str, Any], **_: object) -> dict[str, str]:
    shown = _without_picture if os.environ.get(PICTURES) == LATER else figure_html
    return {"text/html": shown(spec)}


def _without_picture(spec: Mapping[str, Any]) -> str:
    """The figure, with its picture left open."""
    if not spec.get("description"):
        raise ParameterError("a chart needs a description. Set it with .properties(description=...).")
    drawn = {name: value for name, value in spec.items() if name != "title"}
    data = json.dumps(drawn, ensure_ascii=False, separators=(",", ":")).replace("<", r"\u003c")
    return (
        f'<figure class="chart">{_caption_html(spec.get("title", ""))}<div class="picture"></div>'
        f'<script type="application/json" class="vega-lite-spec">{data}</script></figure>'
    )


def _picture_html(drawn: Mapping[str, Any]) -> str:
    """The picture of a chart, named by its description."""
    import vl_convert

    # A chart that fills the width it is given gets a number here, as nothing gives vl_convert a width.
    fixed = {"width": STATIC_WIDTH, "autosize": {"type": "fit-x", "contains": "padding"}}
    sized = {**drawn, **fixed} if drawn.get("width") == "container" else dict(drawn)
    svg = vl_convert.vegalite_to_svg(sized, vega_lite_version())
    named = f'<svg role="img" aria-label="{escape(str(drawn["description"]))}" '
    return f'<div class="{_form(svg)}">{svg.replace("<svg ", named, 1)}</div>'


def _form(svg: str) -> str:
    """The classes of a picture: whether it is low or tall, which decides where it may stand on paper."""
    sides = dict(re.findall(r'\s(width|height)="([0-9.]+)"', svg[: svg.index(">")]))
    width, height = float(sides["width"]), float(sides["height"])
    return f"picture{' low' if height < LOW * width else ' tall' if height > TALL * width else ''}"


def _caption_html(title: Any) -> str:
    """The title as text of the page: there it wraps to any width, which it would not in the chart."""
    given = title if isinstance(title, Mapping) else {"text": title}
    lines = [given.get("text") or "", given.get("subtitle") or ""]
    head, below = (escape(text if isinstance(text, str) else " ".join(text)) for text in lines)
    return f"<figcaption><strong>{head}</strong>{f'<br>{below}' if below else ''}</figcaption>"
