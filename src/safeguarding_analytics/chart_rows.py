"""From a safe table to the fields a chart draws, their order, and the description that stands for the chart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from textwrap import TextWrapper
from typing import Any

import polars as pl

from safeguarding_analytics.answers import column_heading
from safeguarding_analytics.cells import rounded
from safeguarding_analytics.dates import period_in_words
from safeguarding_analytics.errors import ParameterError, nearest, shorten
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.sentences import percent
from safeguarding_analytics.shapes import Shape
from safeguarding_analytics.tables import TOTAL

NO_FIGURE = "no figure"
MARGINS = (TOTAL, "All")
"""Rows of everybody: they stay where the rows of others are left out."""

TO_CHOOSE = tuple(
    column_heading(name)
    for name in (
        *("agency", "sector_group", "district", "area", "time_period", "course", "category"),
        *("issue", "theme"),
    )
)
"""Headings of groups that a reader of a page may choose one of, in charts and tables alike."""

IN_ORDER = (
    *("time_period", "quarter", "month", "training_level", "target_group", "stage", "change"),
    *("age_band", "band", "flow", "months", "day"),
)
"""Groups that have an order of their own; the rows of others are sorted by the number drawn."""

SHOWN_BY = {
    "progress": "plot_need",
    "cost": "show_table",
    "item_change": "plot_question_changes",
    "estimate": "show_table",
    "funnel": "plot_funnel_of_areas",
}
"""What shows a shape that has no chart of its own name."""

_NAME_WIDTH = 22  # letters; a longer name is broken into lines, so that it fits beside the chart on a telephone

Shown = Callable[[dict[str, Any]], str]
"""Puts the numbers of one row into words."""


@dataclass(frozen=True)
class Rows:
    """What a chart draws.

    ``frame`` has the columns ``row``, ``series`` (where there are any), ``value``, ``lower`` and ``upper`` (where the
    shape has them), ``note`` (what stands in place of a number) and ``shown`` (the numbers in words).
    """

    frame: pl.DataFrame
    order: list[str]
    series: list[str]
    row_name: str
    series_name: str


def opened(table: Safe, shape: Shape) -> pl.DataFrame:
    """The visible values of a safe table of this shape; anything else is refused."""
    if not isinstance(table, Safe):
        raise ParameterError(
            f"charts draw only tables that went through suppress(). Found: {type(table).__name__}. "
            "Call suppress(table, policy) and draw what it returns."
        )
    if table.shape.name != shape.name:
        raise ParameterError(
            f"this chart draws tables of shape {shape.name}. Found: {table.shape.name}. "
            f"Use {SHOWN_BY.get(table.shape.name, f'plot_{table.shape.name}')} instead."
        )
    return table.frame()


def split_groups(frame: pl.DataFrame, shape: Shape, group: str | None) -> tuple[str | None, str | None]:
    """The group column of the rows, and the one of the series; None where there is none.

    A group column that has the same value everywhere tells nothing apart and is left out.
    """
    columns = shape.group_columns([name for name in frame.columns if name != "mark"])
    if group is not None and group not in columns:
        raise ParameterError(
            f"{group} is not a group column of the table. "
            f"Found: {', '.join(columns) or 'none'}.{nearest(group, columns)}"
        )
    row = group or next((name for name in columns if frame[name].n_unique() > 1), next(iter(columns), None))
    others = [name for name in columns if name != row and frame[name].n_unique() > 1]
    if len(others) > 1:
        raise ParameterError(
            f"a chart shows two group columns at most. Found: {', '.join(columns)}. Keep one value of the others."
        )
    return row, others[0] if others else None


def arrange(
    frame: pl.DataFrame,
    value: str,
    row: str | None,
    series: str | None,
    shown: Shown,
    *,
    margins: bool = True,
    most_series: int = 4,
) -> Rows:
    """Keep what is drawn and nothing else, in an order in which hidden numbers have no part.

    Rows are sorted from the largest visible number down, the margin first, rows without a visible number last and by
    name. Groups that have an order of their own, such as years, keep the order of the table.
    """
    row_label, series_label = (_label(name) for name in (row, series))
    if not margins:
        frame = frame.filter(row_label != TOTAL, series_label != TOTAL)
    words = [shown(line) if line[value] is not None else "" for line in frame.iter_rows(named=True)]
    note = note_of(value)
    drawn = frame.select(
        row_label.alias("row"),
        series_label.alias("series"),
        pl.col(value).alias("value"),
        *(pl.col(end) for end in ("lower", "upper") if end in frame.columns),
        note.alias("note"),
        pl.when(note == "").then(pl.Series(words, dtype=pl.String)).otherwise(note).alias("shown"),
    )
    found = drawn["series"].unique(maintain_order=True).to_list() if series else []
    if len(found) > most_series:
        raise ParameterError(
            f"a chart tells at most {most_series} values of {series} apart. Found: {len(found)} "
            f"({shorten(found, most=3)}). Keep fewer, or make {series} the group."
        )
    return Rows(
        frame=drawn if series else drawn.drop("series"),
        order=_order(drawn, by_value=row not in IN_ORDER),
        series=found,
        row_name=column_heading(row or "all"),
        series_name=column_heading(series or ""),
    )


def not_chosen(fields: Iterable[str]) -> str:
    """A Vega expression: whether a mark is of another row, or of another series, than the one a reader has chosen.

    A name is never part of the expression: it is compared with what was chosen.
    """
    return " || ".join(
        f"(chosen_{field} != '' && isValid(datum.{field}) && datum.{field} != chosen_{field})" for field in fields
    )


def left_out(fields: Iterable[str]) -> str:
    """A Vega expression: whether something is to be left out, since only what is chosen, and margins, are shown."""
    others = (f"({not_chosen([field])} && indexof({json.dumps(MARGINS)}, datum.{field}) < 0)" for field in fields)
    return f"only_chosen && ({' || '.join(others)})"


def bold_if_chosen(field: str, heading: str, label: str) -> dict[str, Any]:
    """The look of labels that are names: bold where it is the chosen one."""
    if heading not in TO_CHOOSE:
        return {}
    return {
        "labelFontWeight": {"condition": {"test": f"{label} == chosen_{field}", "value": "bold"}, "value": "normal"}
    }


def wrapped(text: str, letters: int) -> list[str]:
    """A text in lines of so many letters."""
    return TextWrapper(width=letters, break_on_hyphens=False, break_long_words=False).wrap(text) or [text]


def lines_of(name: str) -> list[str]:
    """The name of a row, broken into lines."""
    return wrapped(name, _NAME_WIDTH)


def looked_up(names: Sequence[str], keys: Sequence[str] | Sequence[float], label: str) -> str:
    """A Vega expression that finds the name of a key and breaks it into lines."""
    return f"{json.dumps([lines_of(name) for name in names])}[indexof({json.dumps(keys)}, {label})]"


def names_at_the_ends(rows: Rows, top: float, height: int) -> dict[str, float] | None:
    """The value at which each line ends, from the lowest; None where the names would overlap there."""
    seen = rows.frame.filter(pl.col("value").is_not_null())
    ends = dict(seen.group_by("series").agg(pl.last("value")).sort("value", "series").iter_rows())
    room = [(15 * len(lines_of(name)) + 3) * top / height for name in ends]
    places = list(ends.values())
    apart = all(places[n + 1] - places[n] >= (room[n] + room[n + 1]) / 2 for n in range(len(places) - 1))
    return ends if apart else None


def note_of(value: str) -> pl.Expr:
    """What stands where there is no number: the mark of a hidden one, or that there is none."""
    hidden = pl.when(pl.col("mark") != "").then(pl.col("mark")).otherwise(pl.lit(NO_FIGURE))
    return pl.when(pl.col(value).is_null()).then(hidden).otherwise(pl.lit(""))


def describe(rows: Rows, title: str, what: str) -> str:
    """The accessible name: title, what is drawn, largest and smallest with their groups, how many are hidden."""
    return " ".join(
        [sentence(title), sentence(what), *extremes(rows.frame, rows.row_name), *without_number(rows.frame)]
    )


def extremes(drawn: pl.DataFrame, row_name: str = "") -> list[str]:
    """Say the largest and the smallest number drawn, with their groups; the one number, where there is one."""
    one_each = drawn["row"].n_unique() == drawn.height
    # A bare numeral says nothing: "target group 2".
    numeral = pl.col("row").str.contains(r"^\d{1,2}$")
    row = pl.concat_str(pl.when(numeral).then(pl.lit(f"{within(row_name)} ".lstrip())).otherwise(pl.lit("")), "row")
    name = row if one_each else pl.concat_str(row, "series", separator=", ")
    seen = drawn.with_columns(name.alias("name")).filter(pl.col("value").is_not_null()).sort("value", "name")
    if seen.height == 1:
        return [f"{seen['name'][0]}: {seen['shown'][0]}."]
    if seen.is_empty():
        return []
    low, high = seen.row(0, named=True), seen.row(-1, named=True)
    return [f"Largest: {high['name']}, {high['shown']}. Smallest: {low['name']}, {low['shown']}."]


def without_number(drawn: pl.DataFrame) -> list[str]:
    """Say how many rows are hidden, and for how many there is no figure."""
    without = drawn.filter(pl.col("note") != "")
    marks = without.filter(pl.col("note") != NO_FIGURE)["note"]
    in_which = f" ({', '.join(sorted(set(marks)))})" if len(marks) else ""
    missing = without.height - len(marks)
    hidden = f"Hidden{in_which}: {len(marks)} of {drawn.height:,}."
    return [hidden, f"No figure: {missing}."] if missing else [hidden]


def sentence(text: str) -> str:
    """End a text with a full stop, unless it ends already.

    Examples
    --------
    >>> sentence("Who came?"), sentence("Who came")
    ('Who came?', 'Who came.')
    """
    return text if text.endswith((".", "?", "!")) else f"{text}."


def within(heading: str) -> str:
    """Write a heading inside a sentence.

    Examples
    --------
    >>> within("Year to 31 March")
    'year to 31 March'
    """
    return heading[:1].lower() + heading[1:]


def share_in_words(row: dict[str, Any]) -> str:
    """A share with its interval and its counts.

    Examples
    --------
    >>> share_in_words({"numerator": 177, "denominator": 920, "proportion": 0.1924, "lower": 0.1682, "upper": 0.2191})
    '19.2% (16.8% to 21.9%), 177 of 920'
    """
    size = row["denominator"]
    ends = [percent(row[end], size) for end in ("lower", "upper") if row.get(end) is not None]
    interval = f" ({' to '.join(ends)})" if len(ends) == 2 else ""
    counts = f", {row['numerator']:,} of {size:,}" if None not in (row["numerator"], size) else ""
    return f"{percent(row['proportion'], size)}{interval}{counts}"


def number_in_words(row: dict[str, Any], value: str) -> str:
    """A number with its interval, to one decimal.

    Examples
    --------
    >>> number_in_words({"rate": 31.24, "lower": 29.0, "upper": 33.51}, "rate")
    '31.2 (29.0 to 33.5)'
    """
    ends = [f"{rounded(row[end], 1):,}" for end in ("lower", "upper") if row.get(end) is not None]
    return f"{rounded(row[value], 1):,}" + (f" ({' to '.join(ends)})" if len(ends) == 2 else "")


def _label(column: str | None) -> pl.Expr:
    if column is None:
        return pl.lit("All")
    written = pl.col(column).cast(pl.String).fill_null("not stated")
    # Charts of months sort by their names, and write them in words where they draw them.
    return written.map_elements(period_in_words, return_dtype=pl.String) if column == "quarter" else written


def _order(drawn: pl.DataFrame, *, by_value: bool) -> list[str]:
    if not by_value:
        return drawn["row"].unique(maintain_order=True).to_list()
    largest = drawn.group_by("row").agg(pl.col("value").max())
    return largest.sort(pl.col("row") != TOTAL, -pl.col("value"), "row", nulls_last=True)["row"].to_list()
