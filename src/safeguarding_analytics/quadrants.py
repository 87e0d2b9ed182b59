"""Shared themes by urgency and importance, as several boards placed them: in which quadrant each lies."""

from __future__ import annotations

import math
from typing import NamedTuple

import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.errors import ParameterError, TableError, numbered, shorten
from safeguarding_analytics.groups import fetch, open_frame

QUADRANTS = ("do first", "plan ahead", "urgent, less important", "neither")
"""Urgent and important; important; urgent; neither of them. In the order in which they are dealt with."""

OPTIONAL = {"leads": pl.Boolean, "linked": pl.Boolean, "in_place": pl.String}
"""What a table of themes may say besides: who leads, who is to be linked in, what there is already."""

DECIMALS = 9
"""Points are compared with a cut line after rounding to this, so that 1.7 lies on a line at (1.1 + 2.3) / 2."""


class CutLines(NamedTuple):
    """From which urgency a theme is urgent, and from which importance it is important; None where nothing says so."""

    urgency: float | None
    importance: float | None


def cut_lines(themes: IntoFrame, *, cut_urgency: float | None = None, cut_importance: float | None = None) -> CutLines:
    """Where the lines between the quadrants run: as stated, or in the middle of what was placed.

    Parameters
    ----------
    themes, cut_urgency, cut_importance
        As in `theme_quadrants`.

    Returns
    -------
    CutLines
        ``urgency`` and ``importance`` in points. A line that is not stated is the middle between the smallest and the
        largest value that any board gave; None where these are the same, or there are none, so that nothing lies on
        two sides.

    Raises
    ------
    ParameterError, TableError
        As `theme_quadrants`.

    Notes
    -----
    Lines are to be stated before anybody places a theme. The middle of what was placed moves with what was placed: who
    gives one theme a very large value moves others out of "do first". Say so where it is used.

    Examples
    --------
    >>> import polars as pl
    >>> placed = {"board": ["Adults", "Children"], "theme": ["Gangs"] * 2, "urgency": [2, 9], "importance": [4, 4]}
    >>> cut_lines(pl.DataFrame(placed))
    CutLines(urgency=5.5, importance=None)
    """
    return _lines_of(_checked(themes), cut_urgency, cut_importance)


def theme_quadrants(
    themes: IntoFrame,
    *,
    cut_urgency: float | None = None,
    cut_importance: float | None = None,
    by_board: bool = False,
) -> pl.DataFrame:
    """In which quadrant of urgency and importance each shared theme lies, and whether the boards agree on it.

    Parameters
    ----------
    themes
        One row per board and theme placed: ``board``, ``theme``, ``urgency`` and ``importance`` (points on any scale
        that starts at 0, the same for all boards). Besides, if there are such columns: ``leads`` and ``linked``
        (true or false: whether this board leads on the theme, and whether it must be linked in) and ``in_place``
        (procedures and activity that the board has in place already).
    cut_urgency, cut_importance
        From how many points a theme is urgent, and from how many it is important: to be stated before the themes are
        placed. Without it, the middle between the smallest and the largest value placed: see `cut_lines`.
    by_board
        One row per board and theme in place of one row per theme.

    Returns
    -------
    pl.DataFrame
        Without ``by_board`` one row per theme, sorted by theme. Not suppressed: boards are bodies, not people.

        - ``theme``
        - ``boards``: how many boards placed it
        - ``urgency``, ``urgency_lowest``, ``urgency_highest``: median, smallest and largest of the boards, points
        - ``importance``, ``importance_lowest``, ``importance_highest``: the same of importance
        - ``quadrant``: that of the two medians, in the words of `QUADRANTS`; null where a line is neither stated nor
          to be found, because all placements are alike
        - ``urgent_from``, ``important_from``: the cut lines, points; null where there is none
        - ``boards_in_quadrant``: how many boards placed it in that quadrant
        - ``agreed``: whether all did; null where only one board placed it
        - ``lead_board``: the board that leads; names joined by ``"; "`` where several say that they do, which they
          have to settle; null where none does
        - ``linkages``: boards that must be linked in, joined by ``"; "``; null where there are none
        - ``in_place``: what is in place already, as ``board: text``, joined by ``"; "``; null where nothing is written

        With ``by_board`` one row per board and theme, sorted by board, then theme: ``board``, ``theme``, ``urgency``,
        ``importance``, ``quadrant``, ``urgent_from``, ``important_from`` and ``in_place`` (null where nothing is
        written).

    Raises
    ------
    ParameterError
        When a cut line is below 0 or no number.
    TableError
        When a column is missing or of the wrong kind, a cell is empty, a value is below 0 or infinite, or a board
        places a theme twice. All at once.

    Notes
    -----
    "do first" is urgent and important, "plan ahead" important and not urgent, "urgent, less important" and "neither"
    are what their names say. A value exactly on a line counts as above it.

    The medians of urgency and of importance may come from different boards, so the quadrant of the medians may be one
    in which no board placed the theme: ``boards_in_quadrant`` is 0 then. With two boards a median is their mean.

    Three boards are three placements, not a sample: there is no interval and no ellipse to be drawn around them, as
    there would not be below about eight raters. What can be shown are the placements, and lines between them.

    A quadrant is a judgement of need. It does not say what is in place already, which is why that is asked for beside
    it, nor who can do most about a theme.

    References
    ----------
    Covey 1989, The 7 Habits of Highly Effective People, habit 3. Three boards that placed eight themes so: Kirklees
    Safeguarding Children Board, newsletter of January 2016, 3 Board Shared Priorities (4 November 2015).

    Examples
    --------
    >>> import polars as pl
    >>> placed = {"board": ["Adults", "Children"] * 2, "theme": ["Gangs"] * 2 + ["Prevent"] * 2}
    >>> themes = pl.DataFrame({**placed, "urgency": [2, 9, 7, 8], "importance": [6, 8, 2, 3]})
    >>> found = theme_quadrants(themes, cut_urgency=5, cut_importance=5)
    >>> found.select("theme", "boards", "urgency", "importance", "quadrant", "boards_in_quadrant", "agreed").rows()
    [('Gangs', 2, 5.5, 7.0, 'do first', 1, False), ('Prevent', 2, 7.5, 2.5, 'urgent, less important', 2, True)]
    """
    rows = _checked(themes)
    lines = _lines_of(rows, cut_urgency, cut_importance)
    urgency, importance = pl.col("urgency"), pl.col("importance")
    placed = rows.with_columns(quadrant=_quadrant(urgency, importance, lines)).sort("board", "theme")
    cuts = {f"{name}_from": pl.lit(cut, pl.Float64) for name, cut in zip(("urgent", "important"), lines, strict=True)}
    if by_board:
        return placed.with_columns(**cuts).select(
            "board", "theme", "urgency", "importance", "quadrant", *cuts, "in_place"
        )
    medians = _quadrant(urgency.median().over("theme"), importance.median().over("theme"), lines)
    same = (pl.col("quadrant") == pl.col("of_medians")).sum().cast(pl.Int64)
    per_theme = placed.with_columns(of_medians=medians).group_by("theme", maintain_order=True)
    found = per_theme.agg(
        pl.len().cast(pl.Int64).alias("boards"),
        *_points("urgency"),
        *_points("importance"),
        pl.when(pl.col("of_medians").first().is_not_null()).then(same).alias("boards_in_quadrant"),
        pl.col("of_medians").first().alias("quadrant"),
        _joined(pl.col("board").filter("leads")).alias("lead_board"),
        _joined(pl.col("board").filter("linked")).alias("linkages"),
        _joined((pl.col("board") + ": " + pl.col("in_place")).drop_nulls()).alias("in_place"),
    )
    return (
        found.with_columns(**cuts)
        .select(
            *("theme", "boards", "urgency", "urgency_lowest", "urgency_highest"),
            *("importance", "importance_lowest", "importance_highest", "quadrant", *cuts, "boards_in_quadrant"),
            pl.when(pl.col("boards") > 1).then(pl.col("boards_in_quadrant") == pl.col("boards")).alias("agreed"),
            *("lead_board", "linkages", "in_place"),
        )
        .sort("theme")
    )


def _points(name: str) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """Median, smallest and largest value of the boards."""
    points = pl.col(name)
    return points.median(), points.min().alias(f"{name}_lowest"), points.max().alias(f"{name}_highest")


def _joined(names: pl.Expr) -> pl.Expr:
    """Names of a group as one text; null where there are none."""
    return pl.when(names.len() > 0).then(names.str.join("; "))


def _quadrant(urgency: pl.Expr, importance: pl.Expr, lines: CutLines) -> pl.Expr:
    """Quadrant in which a theme lies; null where a line is missing."""
    if lines.urgency is None or lines.importance is None:
        return pl.lit(None, pl.String)
    urgent = urgency.round(DECIMALS) >= round(lines.urgency, DECIMALS)
    important = importance.round(DECIMALS) >= round(lines.importance, DECIMALS)
    first, plan, less_important, neither = (pl.lit(name) for name in QUADRANTS)
    return (
        pl.when(urgent & important)
        .then(first)
        .when(important)
        .then(plan)
        .when(urgent)
        .then(less_important)
        .otherwise(neither)
    )


def _lines_of(rows: pl.DataFrame, cut_urgency: float | None, cut_importance: float | None) -> CutLines:
    """The cut lines, stated or in the middle of what was placed."""
    stated = {"cut_urgency": cut_urgency, "cut_importance": cut_importance}
    wrong = [
        f"{name} must be a number of points, 0 or more. Found: {value}."
        for name, value in stated.items()
        if value is not None and not 0 <= value < math.inf
    ]
    if wrong:
        raise ParameterError(" ".join([*wrong, "State it on the scale on which the boards placed the themes."]))
    return CutLines(
        _middle(rows["urgency"]) if cut_urgency is None else float(cut_urgency),
        _middle(rows["importance"]) if cut_importance is None else float(cut_importance),
    )


def _middle(values: pl.Series) -> float | None:
    """Middle between the smallest and the largest value; None where they are the same."""
    numbers = values.to_list()
    if not numbers or min(numbers) == max(numbers):
        return None
    return float(min(numbers) + max(numbers)) / 2


def _checked(themes: IntoFrame) -> pl.DataFrame:
    """The table of themes in polars, every optional column there.

    Raises
    ------
    TableError
        As `theme_quadrants`.
    """
    needed = ["board", "theme", "urgency", "importance"]
    opened = open_frame(themes, needed, "themes")
    known = opened.collect_schema().names()
    rows = fetch(opened.select(*needed, *(name for name in OPTIONAL if name in known)))
    rows = rows.with_columns(pl.lit(None, kind).alias(name) for name, kind in OPTIONAL.items() if name not in known)
    wrong = [
        *(_wrong_cells(rows[name]) for name in needed),
        *(_wrong_points(rows[name]) for name in ("urgency", "importance")),
        *(_wrong_kind(rows[name], kind) for name, kind in OPTIONAL.items()),
        _placed_twice(rows),
    ]
    if any(wrong):
        raise TableError("\n".join(f"themes: {problem}" for problem in wrong if problem))
    return rows.select(
        pl.col("board", "theme").cast(pl.String),
        pl.col("urgency", "importance").cast(pl.Float64),
        *(pl.col(name).cast(kind) for name, kind in OPTIONAL.items()),
    )


def _wrong_cells(column: pl.Series) -> str:
    empty = column.null_count()
    if not empty:
        return ""
    return f"{empty:,} of {len(column):,} rows have no {column.name}. Complete them, or leave these rows out."


def _wrong_points(column: pl.Series) -> str:
    if not column.dtype.is_numeric():
        return "" if column.null_count() == len(column) else f"{column.name} must be a number. Found: {column.dtype}."
    points = column.drop_nulls().cast(pl.Float64)
    wrong = points.filter(~points.is_between(0, math.inf, closed="left"))  # NaN is not between
    if wrong.is_empty():
        return ""
    return (
        f"{len(wrong):,} of {len(column):,} rows have a value of {column.name} below 0 or that is no number. "
        f"Found: {shorten(wrong.unique().sort().to_list())}. Give points on a scale that starts at 0."
    )


def _wrong_kind(column: pl.Series, kind: type[pl.DataType]) -> str:
    if column.dtype == kind or column.null_count() == len(column):
        return ""
    wanted = "text" if kind == pl.String else "true or false"
    return f"{column.name} must be {wanted}. Found: {column.dtype}."


def _placed_twice(rows: pl.DataFrame) -> str:
    keys = rows.select("board", "theme").drop_nulls()
    twice = keys.filter(keys.is_duplicated()).unique().sort("board", "theme")
    if twice.is_empty():
        return ""
    named = shorten([f"{theme} ({board})" for board, theme in twice.rows()])
    count = numbered(twice.height, "theme")
    return f"{count} placed more than once by a board: {named}. Keep one row per board and theme."
