"""The ranking of priorities: issues in order, and what becomes of each when the same ballots are counted otherwise.

They keep the conventions of `charts`: a `Safe` table in, an Altair chart out. Names stand to the left of the
marks where there is room, and above them on a telephone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl

import safeguarding_analytics.charts  # noqa: F401 - enables the theme and the renderer
from safeguarding_analytics.answers import column_heading
from safeguarding_analytics.chart_figures import of_tested_parts
from safeguarding_analytics.chart_lanes import Lanes, one_group, pixels, words_at
from safeguarding_analytics.chart_marks import COLOURS, INK, in_digits, nothing
from safeguarding_analytics.chart_pairs import name_lines
from safeguarding_analytics.chart_rows import extremes, note_of, opened, sentence, within, without_number
from safeguarding_analytics.errors import ParameterError, shorten
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.shapes import RANKING, RULE_CHECK

PLACES = {True: "selected", False: "not selected", None: "tied at the cut"}
RULES = {
    "rank": "As fixed",
    "copeland_rank": "Copeland",
    "schulze_rank": "Schulze",
    "ranked_pairs_rank": "Ranked pairs",
    "kemeny_rank": "Kemeny",
    "other_weight_rank": "Other weighting",
    "other_unranked_rank": "Issues left off",
}
"""The columns of a check of rules that are places, and what each is called."""

_MOST_LEVEL = 3  # columns whose names need not stand upright on a telephone
_TURNED = 13  # letters of a line of a name that stands upright
_WORD = 62  # pixels of a word behind the marks of a row
_MOST_COLUMNS = 16  # of places, so that two digits fit on a telephone


@of_tested_parts
def plot_ranking(table: Safe, *, title: str, seats: int | None = None, group: str | None = None) -> alt.LayerChart:
    """Draw the issues in rank order with their points, the cut, and how firm their places are.

    Parameters
    ----------
    table
        A safe table of shape ranking.
    title
        Title of the chart: what it shows.
    seats
        How many issues are to be selected; named where a tie straddles the cut.
    group
        Group column, such as ``"weight"`` or ``"agency"``: the places of each issue in all of its groups stand side by
        side, in the order of the first of them, without points.

    Returns
    -------
    alt.LayerChart
        One bar per issue, filled where it is among the seats, with its points. Beside it stands the band in words and
        how often the issue is among the seats when the board is resampled, in steps of five boards in a hundred. A
        place that is shared has "=".

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, or has groups and none is named.
    """
    frame = opened(table, RANKING)
    if frame.is_empty():
        return nothing(title)
    column = one_group(frame, RANKING, group, "plot_ranking")
    if column is not None:
        return _ranking_by_group(frame, column, title)
    frame = frame.sort("rank", "issue", nulls_last=True)
    # There are no points where unranked issues are ignored.
    value = "score" if frame["score"].count() and not frame["points"].count() else "points"
    drawn, known = _ranked(frame, value), frame.filter(pl.col(value).is_not_null())
    chosen = known.filter(pl.col("selected"))["issue"].to_list()
    ties = known["selected"].null_count() > 0
    cut = ("a tie straddles the cut" + (f" of {seats}" if seats else "")) if ties else f"cut after {len(chosen)}"
    has_cut = len(chosen) < known.height
    lanes = Lanes(frame["issue"].to_list(), indent=34, head=26, cut=len(chosen), gap=26 if has_cut else 0)
    what = "Points" if value == "points" else "Wins minus losses"
    said = [
        sentence(title),
        f"Bars in rank order: {within(what)}.",
        *([f"Selected: {', '.join(chosen) or 'none'}; {cut}."] if known.height else []),
        *extremes(drawn),
        *without_number(drawn),
    ]
    layers = [*_ranked_bars(lanes, drawn, what), *(lanes.cut_line(cut) if has_cut else [])]
    return lanes.finished(layers, drawn, title=title, said=" ".join(said))


def _ranked(frame: pl.DataFrame, value: str) -> pl.DataFrame:
    """What bars in rank order draw of each issue."""
    note = note_of(value)
    lines = list(frame.iter_rows(named=True))
    boards = ["" if line.get("p_selected") is None else in_boards(line["p_selected"]) for line in lines]
    bands = [line.get("firmness") or PLACES[line["selected"]] for line in lines]
    seen = note == ""
    return frame.select(
        row=pl.col("issue").cast(pl.String),
        rank="rank",
        tied=pl.col("rank").is_duplicated() & pl.col("rank").is_not_null(),
        value=value,
        series=pl.when(seen).then(pl.Series([PLACES[line["selected"]] for line in lines], dtype=pl.String)),
        note=note,
        shown=pl.when(seen).then(pl.Series(bands, dtype=pl.String)).otherwise(note),
        boards=pl.when(seen).then(pl.Series(boards, dtype=pl.String)).otherwise(pl.lit("")),
    )


def _ranked_bars(lanes: Lanes, drawn: pl.DataFrame, what: str) -> list[alt.Chart]:
    """Places, names, bars with their points, and how firm each place is."""
    numbers = [0.0, *drawn["value"].drop_nulls()]
    low, most = min(numbers), max(max(numbers) - min(numbers), 1e-9)
    begin, room = "(left + (roomy ? 8 : 0))", "(width - left - (roomy ? 220 : 150))"
    seen = lanes.put(
        where="datum.note == ''",
        zero=f"{begin} + {-low / most!r} * {room}",
        end=f"{begin} + (datum.value - {low!r}) / {most!r} * {room}",
        upper=f"datum.middle - (roomy ? {lanes.height * 0.28} : 8)",
        lower=f"datum.middle + (roomy ? {lanes.height * 0.28} : 8)",
        points=in_digits("datum.value", "',.1~f'"),
        numeral="datum.rank + (datum.tied ? '=' : '')",
        beside="roomy ? datum.middle : datum.top + 11",
        over="roomy && datum.boards != '' ? datum.middle - 9 : datum.middle",
        under="datum.middle + 9",
        last="max(datum.zero, datum.end)",
    )
    hover = [
        alt.Tooltip("row:N", title="Issue"),
        alt.Tooltip("numeral:N", title="Place"),
        alt.Tooltip("points:N", title=what),
        alt.Tooltip("series:N", title="Outcome"),
        alt.Tooltip("shown:N", title="How firm"),
        alt.Tooltip("boards:N", title="Among the seats"),
    ]
    look = f"datum.series == '{PLACES[True]}' ? '{COLOURS[0]}' : datum.series == '{PLACES[None]}'"
    bar = seen.mark_rect(
        fill=alt.expr(f"{look} ? '{COLOURS[3]}' : 'white'"),
        stroke=alt.expr(f"{look} ? '{COLOURS[3]}' : '{COLOURS[0]}'"),
        strokeWidth=1.5,
        description=alt.expr("datum.row + ', place ' + datum.numeral + ': ' + datum.points + ', ' + datum.shown"),
    ).encode(x=pixels("zero", alt.X), x2=alt.X2("end"), y=pixels("upper"), y2=alt.Y2("lower"), tooltip=hover)
    points = seen.mark_text(align="left", baseline="middle", dx=6, fontWeight="bold")
    numeral = seen.mark_text(align="left", baseline="middle", fontWeight="bold", color=COLOURS[0], fontSize=15)
    edge = alt.XValue(alt.expr("width"))
    band = seen.mark_text(align="right", baseline="middle", fontWeight="bold", fontSize=alt.expr("roomy ? 15 : 13"))
    boards = seen.transform_filter("roomy").mark_text(align="right", baseline="middle")
    words: dict[str, Any] = {"y": 8, "baseline": "middle", "fontStyle": "italic"}
    return [
        words_at(what, "left + (roomy ? 8 : 0)", align="left", **words),
        words_at("How firm", "width", align="right", **words),
        bar,
        points.encode(x=pixels("last", alt.X), y=pixels("middle"), text=alt.Text("points:N")),
        numeral.encode(x=alt.XValue(0), y=pixels("beside"), text=alt.Text("numeral:N")),
        *lanes.labels("Issue"),
        band.encode(x=edge, y=pixels("over"), text=alt.Text("shown:N")),
        boards.encode(x=edge, y=pixels("under"), text=alt.Text("boards:N")),
        lanes.notes(),
    ]


def in_boards(share: float) -> str:
    """Say how often an issue is among the seats when the board is resampled; resampling supports no finer steps.

    Examples
    --------
    >>> in_boards(0.934), in_boards(0.999), in_boards(0.01)
    ('in 95 of 100 boards', 'in nearly all boards', 'in hardly any board')
    """
    if share >= 0.975:
        return "in nearly all boards"
    return "in hardly any board" if share < 0.025 else f"in {5 * round(share * 20)} of 100 boards"


def _ranking_by_group(frame: pl.DataFrame, group: str, title: str) -> alt.LayerChart:
    """The places of each issue in each group, and whether it is among its seats."""
    note = note_of("rank")
    cells = frame.select(
        row=pl.col("issue").cast(pl.String),
        series=pl.col(group).cast(pl.String).fill_null("not stated"),
        value="rank",
        outcome=pl.when(pl.col("rank").is_not_null()).then(
            pl.col("selected").replace_strict(PLACES, return_dtype=pl.String, default=PLACES[None])
        ),
        note=note,
        word=pl.lit(""),
    )
    # Groups of which nothing is shown come last.
    empty = pl.col("value").is_null().all().over("series")
    columns = cells.sort(empty, maintain_order=True)["series"].unique(maintain_order=True).to_list()
    first = cells.filter(pl.col("series") == columns[0]).sort("value", "row", nulls_last=True)["row"].to_list()
    order = list(dict.fromkeys([*first, *cells["row"]]))
    return _place_grid(cells, order, columns, title=title, what=f"by {group}", counted=column_heading(group))


@of_tested_parts
def plot_rule_check(table: Safe, *, title: str, seats: int | None = None) -> alt.LayerChart:
    """Draw the place of each issue under each rule, and which issues are not among the seats under all of them.

    Parameters
    ----------
    table
        A safe table of shape rule_check.
    title
        Title of the chart: what it shows.
    seats
        How many issues are to be selected; as many as the fixed rule selects where it is not given.

    Returns
    -------
    alt.LayerChart
        A grid with a row per issue and a column per rule; the cell of an issue among the seats is filled, that of one
        tied at the cut has a thick edge. "discuss" stands at an issue on which not all agree.

    Raises
    ------
    ParameterError
        When the table is not safe, has another shape, or has groups.
    """
    frame = opened(table, RULE_CHECK)
    if frame.is_empty():
        return nothing(title)
    one_group(frame, RULE_CHECK, None, "plot_rule_check")
    frame = frame.sort("rank", "issue", nulls_last=True)
    known = frame.filter(pl.col("rank").is_not_null())
    ties = known["selected"].null_count() > 0
    most = seats or (None if ties else known.filter("selected").height)
    rules = {name: words for name, words in RULES.items() if name in frame.columns and frame[name].count()}
    rules = rules or {"rank": RULES["rank"]}
    cells = pl.concat(
        frame.select(
            row=pl.col("issue").cast(pl.String),
            series=pl.lit(words),
            value=name,
            outcome=_fixed() if name == "rank" else _outcome(name, most),
            note=note_of(name),
            word=pl.when(pl.lit(name == "rank") & ~pl.col("agreed")).then(pl.lit("discuss")).otherwise(pl.lit("")),
        )
        for name, words in rules.items()
    )
    cut = known.filter("selected").height
    label = "a tie straddles the cut" if ties else f"cut after {cut}"
    disputed = known.filter(~pl.col("agreed"))["issue"].to_list()
    said = [
        *([f"Discuss: {', '.join(disputed)}."] if disputed else []),
        *([f"Selected as fixed: {', '.join(known.filter('selected')['issue']) or 'none'}."] if known.height else []),
    ]
    order, columns = frame["issue"].to_list(), list(rules.values())
    return _place_grid(cells, order, columns, title=title, what="by rule", cut=(cut, label), said=said)


def _fixed() -> pl.Expr:
    """Whether an issue is among the seats by the rule that was fixed, which the table says itself."""
    said = pl.when("selected").then(pl.lit(PLACES[True])).when(~pl.col("selected")).then(pl.lit(PLACES[False]))
    return pl.when(pl.col("rank").is_not_null()).then(said.otherwise(pl.lit(PLACES[None])))


def _outcome(rank: str, seats: int | None) -> pl.Expr:
    """Whether a place is among the seats; equal places that straddle the cut are tied there.

    Null where nothing says how many seats there are.
    """
    if seats is None:
        return pl.lit(None, pl.String)
    place = pl.col(rank)
    last = place + pl.len().over(place) - 1
    said = pl.when(last <= seats).then(pl.lit(PLACES[True])).when(place > seats).then(pl.lit(PLACES[False]))
    return pl.when(place.is_not_null()).then(said.otherwise(pl.lit(PLACES[None])))


def _place_grid(
    cells: pl.DataFrame,
    order: list[str],
    columns: list[str],
    *,
    title: str,
    what: str,
    cut: tuple[int, str] = (0, ""),
    said: Sequence[str] = (),
    counted: str = "Counted",
) -> alt.LayerChart:
    """A grid of places: filled where an issue is among the seats, thick-edged where it is tied at the cut."""
    if len(columns) > _MOST_COLUMNS:
        raise ParameterError(
            f"a chart has room for {_MOST_COLUMNS} columns of places. Found: {len(columns)} "
            f"({shorten(columns, most=3)}). Keep fewer."
        )
    # A row of which nothing is shown has its mark once.
    empty = pl.col("value").is_null().all().over("row")
    cells = cells.filter(~empty | pl.struct("row").is_first_distinct())
    heads = _Heads(columns, counted)
    lanes = Lanes(order, head=34 + heads.height, cut=cut[0], gap=26 if 0 < cut[0] < len(order) else 0)
    worded = bool((cells["word"] != "").any())
    # On a telephone, where names take the whole width, a word stands behind the marks of its row.
    step = f"((width - left - (roomy ? 0 : {_WORD if worded else 0})) / {len(columns)})"
    at = f"left + indexof({json.dumps(columns)}, datum.series) * {step}"
    seen = lanes.put(
        where="isValid(datum.value)",
        begin=f"{at} + 2",
        end=f"{at} + {step} - 2",
        upper=f"datum.middle - (roomy ? {lanes.height / 2 - 3} : {lanes.marks / 2})",
        lower=f"datum.middle + (roomy ? {lanes.height / 2 - 3} : {lanes.marks / 2})",
        centre=f"{at} + {step} / 2",
    )
    chosen, tied = f"datum.outcome == '{PLACES[True]}'", f"datum.outcome == '{PLACES[None]}'"
    hover = [
        alt.Tooltip("row:N", title="Issue"),
        alt.Tooltip("series:N", title=counted),
        alt.Tooltip("value:Q", title="Place"),
        alt.Tooltip("outcome:N", title="Outcome"),
    ]
    box = seen.mark_rect(
        fill=alt.expr(f"{chosen} ? '{COLOURS[0]}' : 'white'"),
        stroke=alt.expr(f"{tied} ? '{COLOURS[3]}' : {chosen} ? '{COLOURS[0]}' : '{INK}'"),
        strokeWidth=alt.expr(f"{tied} ? 4 : 1"),
        strokeOpacity=alt.expr(f"{tied} || {chosen} ? 1 : 0.35"),
        description=alt.expr("datum.row + ', ' + datum.series + ': place ' + datum.value + ', ' + datum.outcome"),
    ).encode(x=pixels("begin", alt.X), x2=alt.X2("end"), y=pixels("upper"), y2=alt.Y2("lower"), tooltip=hover)
    number = seen.mark_text(
        baseline="middle",
        fontSize=alt.expr("roomy ? 16 : 13"),
        fontWeight=alt.expr(f"{chosen} ? 'bold' : 'normal'"),
        color=alt.expr(f"{chosen} ? 'white' : '{INK}'"),
    ).encode(x=pixels("centre", alt.X), y=pixels("middle"), text=alt.Text("value:Q"))
    word = lanes.put(where="datum.word != ''", at=f"roomy ? {lanes.below} + 6 : datum.middle").mark_text(
        align=alt.expr("roomy ? 'left' : 'right'"),
        baseline="middle",
        fontStyle="italic",
        color=COLOURS[2],
        fontWeight="bold",
    )
    one = lanes.put(where="datum.note != '' && datum.series != ''", centre=f"{at} + {step} / 2")
    notes = one.mark_text(baseline="middle").encode(
        x=pixels("centre", alt.X), y=pixels("middle"), text=alt.Text("note:N")
    )
    key = "Filled: among the priorities"
    key += "; thick edge: tied at the cut" if (cells["outcome"] == PLACES[None]).any() else ""
    layers = [
        words_at(key, "0", 8, align="left", baseline="middle", fontStyle="italic"),
        *heads.drawn(lanes.head - 8, step),
        box,
        number,
        *([notes]),
        *lanes.labels("Issue"),
        word.encode(x=alt.XValue(alt.expr("roomy ? 0 : width")), y=pixels("at"), text=alt.Text("word:N")),
        *(lanes.cut_line(cut[1]) if lanes.gap else []),
    ]
    told = [sentence(title), f"Grid of places, {what}.", *said, *without_number(cells)]
    return lanes.finished(layers, cells, title=title, said=" ".join(told))


@dataclass(frozen=True)
class _Heads:
    """The names above columns: level where there is room, else upright."""

    columns: list[str]
    counted: str

    @property
    def _level(self) -> list[list[str]]:
        return [name_lines(name, 11, 4) for name in self.columns]

    @property
    def _upright(self) -> list[list[str]]:
        return [name_lines(name, _TURNED, 3) for name in self.columns]

    @property
    def _short(self) -> list[tuple[int, list[list[str]]]]:
        """Names in two lines, and in one, cut off where they are longer: for columns that have no room for more."""
        one = [[name if len(name) <= _TURNED else f"{name[: _TURNED - 1].rstrip()}…"] for name in self.columns]
        return [(2, [name_lines(name, _TURNED, 2) for name in self.columns]), (1, one)]

    @property
    def height(self) -> int:
        """Pixels of the highest of both kinds."""
        upright = max(len(line) for lines in self._upright for line in lines) if len(self.columns) > _MOST_LEVEL else 0
        return max(round(7.2 * upright), 15 * max(map(len, self._level)))

    def drawn(self, y: float, step: str) -> list[alt.Chart]:
        """The names, which end above a height; ``step`` is the width of a column."""
        place = f"indexof({json.dumps(self.columns)}, datum.series)"
        rows = alt.Chart(alt.InlineData(values=[{"series": name} for name in self.columns]))
        heads = rows.transform_calculate(centre=f"left + ({place} + 0.5) * {step}")
        room = 7.2 * max(len(line) for lines in self._level for line in lines)
        level = heads.transform_filter(f"{step} >= {room}").mark_text(
            baseline="bottom", lineHeight=15, dy=_back(self._level, 15, place), text=_found(self._level, place)
        )
        # Turned text runs upwards; its lines stand beside each other. The pointer shows a name that is cut off whole.
        drawn, below = [level], room
        most = max(map(len, self._upright))
        for count, lines in [(most, self._upright), *(each for each in self._short if each[0] < most)]:
            least = 14 * count + 1 if count > 1 else 0
            turned = heads.transform_filter(f"{step} < {below} && {step} >= {least}").mark_text(
                angle=270,
                align="left",
                baseline="middle",
                lineHeight=14,
                dy=_back(lines, 7, place),
                text=_found(lines, place),
            )
            drawn.append(
                turned if count == most else turned.encode(tooltip=[alt.Tooltip("series:N", title=self.counted)])
            )
            below = least
        return [each.encode(x=pixels("centre", alt.X), y=alt.YValue(y)) for each in drawn]


def _found(lines: list[list[str]], place: str) -> Any:
    """The lines of a name, by its place."""
    return alt.expr(f"{json.dumps(lines)}[{place}]")


def _back(lines: list[list[str]], step: int, place: str) -> Any:
    """How far a block of lines is moved back, so that it ends, or has its middle, where one line would."""
    return alt.expr(f"{json.dumps([-step * (len(each) - 1) for each in lines])}[{place}]")
