"""What a notebook shows in answer to a question: sentences, tables, and what stands behind them, as HTML."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from safeguarding_analytics import __version__
from safeguarding_analytics.cells import NO_NUMBER, NOT_STATED, meanings_of, rounded
from safeguarding_analytics.dates import period_in_words
from safeguarding_analytics.errors import ParameterError, require_columns
from safeguarding_analytics.rounding import decimals_of_mean
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.sentences import decimals_of_share, percent
from safeguarding_analytics.shapes import Shape
from safeguarding_analytics.tables import TOTAL
from safeguarding_analytics.vote_figures import W_P

if TYPE_CHECKING:
    from safeguarding_analytics.board import Board

HEADINGS = {
    "numerator": "Number",
    "denominator": "Out of",
    "proportion": "Share",
    "count": "Number",
    "population": "Children aged 0 to 17",
    "rate": "Rate per 10,000 children",
    "n_pairs": "Pairs of answers",
    "n_pre": "Answered before",
    "n_post": "Answered after",
    "mean_pre": "Mean before (points)",
    "mean_post": "Mean after (points)",
    "mean_change": "Mean change (points)",
    "n_up": "Rose",
    "n_same": "Stayed the same",
    "n_down": "Fell",
    "n_clusters": "Sessions",
    "standard_error": "Standard error (points)",
    "g_av": "Standardised gain (g_av)",
    "g_av_lower": "95% interval of g_av",
    "shrunken": "Likely change (points)",
    "n": "People",
    "share_before": "Right before",
    "share_after": "Right after",
    "p_value": "p-value",
    "p_holm": "p-value for several comparisons",
    "p_selected": "Chosen in boards drawn at random",
    "n_ballots": "Ballots",
    "above": "Put above another issue",
    "below": "Put below another issue",
    "score": "Wins minus losses",
    "wins": "Put above",
    "losses": "Put below",
    "margin": "Difference",
    "rank": "Place",
    "copeland_rank": "Copeland",
    "schulze_rank": "Schulze",
    "ranked_pairs_rank": "Ranked pairs",
    "kemeny_rank": "Kemeny",
    "other_weight_rank": "Other weighting",
    "other_unranked_rank": "Issues left off counted otherwise",
    "p_copeland": "Chosen by Copeland in boards drawn at random",
    "p_schulze": "Chosen by Schulze in boards drawn at random",
    "in_bracket": "Level across the cut",
    "without_member": "Changes without some one member",
    "without_agency": "Changes without some one agency",
    "safe": "Safe from absent members",
    "agreed": "Agreed by all",
    "share_top": "Among the first",
    "share_bottom": "Among the last",
    "polarised": "Heaped at both ends (0 to 1)",
    "eta_squared": "Spread between agencies",
    "agreement": "Agreement with the others (−1 to 1)",
    "in_common": "Priorities in common",
    "urgent_from": "Urgent from",
    "important_from": "Important from",
    "boards_in_quadrant": "Boards that place it so",
    "urgency_lowest": "Lowest urgency",
    "urgency_highest": "Highest urgency",
    "importance_lowest": "Lowest importance",
    "importance_highest": "Highest importance",
    "walk_ins": "Walked in",
    "attendance_rate": "Attendance rate",
    "take_up": "Take-up of places",
    "share_of_places": "Share of places taken",
    "lower_clustered": "95% interval that allows for repeats, and for siblings if known",
    "time_period": "Year to 31 March",
    "age_band": "Age at the start",
    "quarter": "Months",
    "flow": "Plans",
    "measure": "Plans",
    "band": "Working days",
    "observed": "Number",
    "size": "Out of",
    "average": "Average of all",
    "lower_95": "95% limits",
    "lower_998": "99.8% limits",
    "plain_lower_998": "99.8% limits of chance alone",
    "near_lower": "Near limits",
    "capacity": "Places offered",
    "places": "Places taken",
    "people": "People reached",
    "eligible_staff": "Eligible staff",
    "reach": "Reach of eligible staff",
    "to_date": "By",
    "session_in_district": "Session",
    "month": "By the end of",
    "current": "Up to date",
    "need": "Still to be trained",
    "target": "Target",
    "reached": "People reached",
    "still_needed": "Still to be reached",
    "per_session": "People a session",
    "sessions_needed": "Sessions needed",
    "cost_per_session": "Cost of a session",
    "cost": "Cost of those sessions",
    "agencies_present": "Agencies present",
    "share_of_agencies": "Share of the agencies",
    "effective_agencies": "Mixed like this many",
    "sessions": "Sessions held",
    "sessions_costed": "Sessions whose cost is known",
    "total_cost": "Cost of those",
    "cost_per_place": "Cost of a place",
    "cost_per_person": "Cost of a person reached",
}
"""Headings of columns whose name would not do in plain words."""

HEADINGS_OF = {
    "item_change": {
        "n_up": "Newly right or higher",
        "n_same_high": "Same: right or high",
        "n_same_low": "Same: not right or low",
        "n_down": "Newly wrong or lower",
    },
    "estimate": {"lower": "95% interval, or range"},
    "ranking": {"firmness": "In boards like this one"},
    "rule_check": {"rank": "As fixed"},
    "control_chart": {"month": "Month", "value": "Number", "lower": "Limits"},
}
"""By shape, headings of columns that mean something else in other shapes."""

PER_CENT = {
    "proportion": "denominator",
    "p_selected": "n_ballots",
    "p_copeland": "n_ballots",
    "p_schulze": "n_ballots",
    "share_top": "n_ballots",
    "share_bottom": "n_ballots",
    "eta_squared": "n_ballots",
    "attendance_rate": "registered",
    "take_up": "capacity",
    "share_of_places": "attended",
    "reach": "eligible_staff",
    "share_of_agencies": "agencies_present",
    "share_before": "n_pairs",
    "share_after": "n_pairs",
}
"""Columns shown as per cent, and the column that limits their decimals."""

MONEY = ("cost_per_session", "cost", "total_cost", "cost_per_place", "cost_per_person")
"""Columns in pounds."""

TALLIES = (
    *("score", "above", "below", "wins", "losses", "margin", "value", "in_common", "polarised", "agreement"),
    *("urgency", "urgency_lowest", "urgency_highest", "importance", "importance_lowest", "importance_highest"),
)
"""Columns that hold whole numbers unless weights are shared: no decimals, or two."""

NOTHING_TO_SAY = ("rule", "direction", "depends_on", "about", "in_place", "neighbours")
"""Columns in which a cell without a value says that there is nothing to say."""

CHANCES = ("p_value", "p_holm")
"""Columns of p-values."""

SMALLEST_CHANCE = 0.001
"""Smaller p-values are printed as smaller than this."""

UPPER_OF = {
    "lower": "upper",
    "g_av_lower": "g_av_upper",
    "lower_clustered": "upper_clustered",
    "lower_95": "upper_95",
    "lower_998": "upper_998",
    "plain_lower_998": "plain_upper_998",
    "near_lower": "near_upper",
}
"""Lower ends of intervals, and the upper ones that are printed with them."""

PERIODS = ("month", "quarter")
"""Group columns of periods that files write as "2003-04"."""

OF_SHARES = "event"
"""Group column of estimates that are shares: how many something had happened to by so many months."""

HEADINGS_OF_EVENTS = {"event": "What followed", "months": "Months", "n": "Still followed", "estimate": "Share"}
"""Headings of estimates by event."""

A_YEAR = rf"^(\d{{4}}|{TOTAL})$"
"""A reporting year; another period is named by its days."""

ENDS = (*UPPER_OF, *UPPER_OF.values())
"""Columns with an end of an interval."""

SIZES = {"proportion": "denominator", "coverage": "eligible_staff"}
"""By shape, what the decimals of an interval of shares depend on."""

NUMBERS_BEHIND = "The numbers behind the chart"
"""Unfolds the table of a chart; a page says the number of the figure instead."""

NOT_ANSWERED = (
    "This release does not answer this question: the board's folder did not hold what it takes, or it was not asked."
)
"""Stands where an answer is not in a release; a question with nothing else is named at the end of a page."""

NO_TESTS = "Tests are not shown where counts are rounded: they would tell the counts."
"""Beside a rounded table that has p-values."""


@dataclass(frozen=True)
class Html:
    """A piece of a page. A notebook shows it as it is; elsewhere its text stands for it."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def show_text(sentence: str) -> Html:
    """A sentence that stands out: the answer of a page.

    Parameters
    ----------
    sentence
        Plain text; markup in it is shown as it is. Empty: nothing is shown.

    Returns
    -------
    Html
        One paragraph.
    """
    return Html(f'<p class="headline">{escape(sentence)}</p>' if sentence else "", sentence)


def show_list(sentences: Sequence[str]) -> Html:
    """Several sentences that belong together, such as what to keep in mind.

    Parameters
    ----------
    sentences
        Plain texts; markup in them is shown as it is. Empty ones, and what was said already, are left out.

    Returns
    -------
    Html
        A list with one entry per sentence; nothing where there is none.
    """
    said = list(dict.fromkeys(filter(None, sentences)))
    entries = "".join(f"<li>{escape(sentence)}</li>" for sentence in said)
    return Html(f"<ul>{entries}</ul>" if said else "", "\n".join(said))


def unless_empty(table: Safe, shown: Any) -> Any:
    """Show something only if a table has rows: a page leaves out a question to which nothing is shown.

    Parameters
    ----------
    table
        The table it depends on.
    shown
        What is shown of it: a chart, a table or a sentence.

    Returns
    -------
    Any
        The same, or an empty `Html`.
    """
    return Html("", "") if table.frame().is_empty() else shown


def show_table(table: Safe, *, caption: str, columns: Sequence[str] = (), folded: bool = False) -> Html:
    """A safe table for readers, with headings in plain words.

    Parameters
    ----------
    table
        A table that went through `suppress`.
    caption
        What the table shows.
    columns
        The columns to show, in this order; empty for all.
    folded
        Whether only its caption is seen until a reader opens it: for long tables behind a chart.

    Returns
    -------
    Html
        Shares in per cent (no decimals under a denominator of 100), counts with thousands separators, the two ends of
        an interval in one column, "[c]" for a hidden number and "–" for one that is not known, each explained below.

    Raises
    ------
    ParameterError
        When the table did not go through `suppress`, or lacks a column.
    """
    if not isinstance(table, Safe):
        raise ParameterError(
            f"show_table shows only tables that went through suppress(). Found: {type(table).__name__}. "
            "Call suppress(table, policy) and show what it returns."
        )
    frame, shape = table.frame(), table.shape
    require_columns(frame.columns, columns, "the table to show")
    shown = [name for name in columns or frame.columns if name not in ("mark", *UPPER_OF.values())]
    groups = shape.group_columns(frame.columns)
    names = [*groups, *shape.names]
    if groups:  # a reader looks for the total at the end
        weights = {name: 2**place for place, name in enumerate(reversed(groups))}
        totals = pl.sum_horizontal((pl.col(name).cast(pl.String) == TOTAL) * weight for name, weight in weights.items())
        frame = frame.sort(totals, maintain_order=True)
    lines = [[_cell(name, row, table) for name in shown] for row in frame.iter_rows(named=True)]
    right = [frame[name].dtype.is_numeric() and name not in names for name in shown]
    headings = [heading_in(table, name) for name in shown]
    printed = {cell for line in lines for cell in line}
    over = any(_more_than_all(row) for row in frame.iter_rows(named=True)) and NO_NUMBER in printed
    notes = [
        *meanings_of({*frame["mark"], NO_NUMBER} & printed),
        *(["Where more people are counted than the return says are eligible, nothing is worked out."] if over else []),
        *notes_on_rounding(table, shown),
        *([f"Source: {table.source}."] if table.source else []),
    ]
    text = "\n".join([caption, " | ".join(headings), *(" | ".join(line) for line in lines), *notes])
    rows = "".join(_row_html(line, shown, names, right) for line in lines)
    html = _table_html(caption, headings, right, rows, notes)
    return Html(f"<details><summary>{escape(caption)}</summary>{html}</details>" if folded else html, text)


def if_shown(table: Safe, column: str, shown: Any, otherwise: str = "") -> Any:
    """Show something only if a table shows a number in a column: a chart of nothing but hidden numbers says nothing.

    Parameters
    ----------
    table
        The table it depends on.
    column
        The column, such as ``"mean_change"``.
    shown
        What is shown of it: a chart, a table or a sentence.
    otherwise
        A sentence that stands in its place; empty for nothing.

    Returns
    -------
    Any
        The same, or the sentence as `Html`.
    """
    frame = table.frame()
    return shown if column in frame.columns and frame[column].count() else show_text(otherwise)


def show_gaps(gaps: pl.DataFrame) -> Html:
    """What is not known, what that means, and of which agencies.

    Parameters
    ----------
    gaps
        As `training_gaps` gives it: gap, agency, consequence. It holds no numbers.

    Returns
    -------
    Html
        A list with one entry per gap; a sentence where nothing is missing.
    """
    if gaps.is_empty():
        return show_text("No gap was found in the returns and records.")
    grouped = gaps.group_by("gap", "consequence", maintain_order=True).agg("agency")
    terms = [
        (f"{gap[0].upper()}{gap[1:]}: {consequence}.", "; ".join(agencies))
        for gap, consequence, agencies in grouped.select("gap", "consequence", "agency").iter_rows()
    ]
    rows = "".join(f"<dt>{escape(term)}</dt><dd>{escape(named)}</dd>" for term, named in terms)
    return Html(f"<dl>{rows}</dl>", "\n".join(f"{term} {named}" for term, named in terms))


def show_versions(board: Board, definition: str) -> Html:
    """What stands behind a page: the version of the data and of this package, and the definition used.

    Parameters
    ----------
    board
        The board whose data the page shows.
    definition
        How the numbers of the page are defined.

    Returns
    -------
    Html
        A list of three terms.
    """
    lines = {
        "Definition": definition,
        "Data version": board.data_version,
        "Package version": f"safeguarding_analytics {__version__}",
    }
    rows = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in lines.items())
    return Html(f'<dl class="versions">{rows}</dl>', "\n".join(f"{term}: {text}" for term, text in lines.items()))


def tables_answering(question: str, headlines: Mapping[str, str]) -> list[str]:
    """Names of the tables that answer a question, the best first; decided here alone, for pages and contents.

    Parameters
    ----------
    question
        Name of a table, or how the names of several begin.
    headlines
        The headline of each table by its name; empty where it has none.

    Returns
    -------
    list[str]
        The table of that name, else those that begin so: first those with a headline, each kind in the order given.

    Examples
    --------
    >>> tables_answering("reach", {"cost": "", "reach_by_area": "", "reach_by_agency": "5 of 9."})
    ['reach_by_agency', 'reach_by_area']
    """
    alike = [question] if question in headlines else [name for name in headlines if name.startswith(question)]
    return sorted(alike, key=lambda name: not headlines[name])


def column_heading(name: str) -> str:
    """Head a column in plain words, with its unit.

    Examples
    --------
    >>> column_heading("proportion"), column_heading("did_not_attend"), column_heading("lower")
    ('Share', 'Did not attend', '95% interval')
    """
    if name == "lower":
        return "95% interval"
    return HEADINGS.get(name, name.replace("_", " ").capitalize())


def name_in_words(column: str, name: str) -> str:
    """Write the name of a row for readers: months and quarters in words, all else as it is.

    Examples
    --------
    >>> name_in_words("month", "2003-04"), name_in_words("course", "2003-04")
    ('Apr 2003', '2003-04')
    """
    return period_in_words(name) if column in PERIODS else name


def heading_in(table: Safe, name: str) -> str:
    """Head a column of a table in plain words: a period that is no year is not called one."""
    frame = table.frame()
    if name == "time_period" and not frame[name].cast(pl.String).str.contains(A_YEAR).all():
        return "Period"
    return heading_of(name, table.shape, of_events=OF_SHARES in frame.columns)


def heading_of(name: str, shape: Shape, *, of_events: bool = False) -> str:
    """Head a column of tables of a shape in plain words, of those by event otherwise."""
    own = HEADINGS_OF_EVENTS if of_events else HEADINGS_OF.get(shape.name, {})
    return own.get(name) or column_heading(name)


def notes_on_rounding(table: Safe, columns: Collection[str]) -> list[str]:
    """What is said of a table whose counts are rounded, and of which some columns are shown."""
    base = table.policy.round if table.policy and table.shape.all_counts else None  # ballots are hidden, never rounded
    return [
        *([f"Counts are rounded to multiples of {base}; shares are worked out of them."] if base else []),
        *([NO_TESTS] if base and not set(CHANCES).isdisjoint(columns) else []),
    ]


@dataclass(frozen=True)
class Manner:
    """How a number is shown, on a page as in a workbook. A name, such as a year, has no thousands separators."""

    kind: Literal["per cent", "chance", "pounds", "number", "name"]
    decimals: int = 0
    out_of: int | None = None
    """What a share was divided by, where that is known."""


def manner_of(name: str, row: Mapping[str, Any], table: Safe) -> Manner:
    """How a number of a table is shown; decided here alone.

    Parameters
    ----------
    name
        Its column.
    row
        Its row.
    table
        The table, with its shape and policy.

    Returns
    -------
    Manner
        What it is, and with how many decimals it is printed.
    """
    value, shape = row[name], table.shape
    whole = _whole_of(name, row, shape)
    if whole:
        out_of = row.get(whole)
        return Manner("per cent", decimals_of_share(out_of), out_of)
    if name in CHANCES or (name == "value" and row.get("figure") == W_P):
        return Manner("chance", 3)
    if name in MONEY:
        return Manner("pounds", 2)
    if isinstance(value, int):
        return Manner("number" if name in shape.columns else "name")
    if name in TALLIES and shape.name != "funnel":
        return Manner("number", 0 if value == round(value) else 2)
    return Manner("number", _decimals_of(name, table, row.get("n")))


def _whole_of(name: str, row: Mapping[str, Any], shape: Shape) -> str:
    """The column with what a share was divided by; empty for a number that is no share."""
    if name in PER_CENT:
        return PER_CENT[name]
    if OF_SHARES in row and name in ("estimate", "lower", "upper"):
        return "n"
    if name in ENDS and shape.name in SIZES:
        return SIZES[shape.name]
    return "size" if shape.name == "funnel" and name in ("value", "average", *ENDS) and is_share_of(row) else ""


def why_missing(
    name: str, row: Mapping[str, Any], shape: Shape
) -> Literal["", "unnamed", "hidden", "nothing", "unknown"]:
    """Why a cell holds no number and no text; empty if it holds one.

    Parameters
    ----------
    name
        Its column.
    row
        Its row, with the column ``mark``.
    shape
        The shape of the table.

    Returns
    -------
    str
        ``"unnamed"``: a group without a name; ``"hidden"``: the mark of the row stands in its place; ``"nothing"``:
        there is nothing to say; ``"unknown"``: it is not known.
    """
    value = row[name]
    if name in shape.names or (name not in shape.columns and name not in NOTHING_TO_SAY):
        return "unnamed" if value is None or value == "" else ""
    if value is not None and not (isinstance(value, float) and not isfinite(value)):
        return ""
    if row["mark"] and name not in shape.context:
        return "hidden"
    return "nothing" if name in NOTHING_TO_SAY else "unknown"


def _cell(name: str, row: Mapping[str, Any], table: Safe) -> str:
    value, missing = row[name], why_missing(name, row, table.shape)
    if missing:
        unknown = "tied at the cut" if name == "selected" else NO_NUMBER
        return {"unnamed": NOT_STATED, "hidden": str(row["mark"]), "nothing": "", "unknown": unknown}[missing]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return name_in_words(name, str(value))
    columns = (name, UPPER_OF[name]) if name in UPPER_OF else (name,)
    return " to ".join(_written(row[column], manner_of(column, row, table)) for column in columns)


def _written(value: float, manner: Manner) -> str:
    if manner.kind == "per cent":
        return percent(value, manner.out_of)
    if manner.kind == "chance":
        return f"< {SMALLEST_CHANCE}" if value < SMALLEST_CHANCE else f"{rounded(value, manner.decimals)}"
    if manner.kind == "pounds":
        return f"£{rounded(value, manner.decimals):,}"
    return f"{rounded(value, manner.decimals):,}" if manner.kind == "number" else str(value)


def is_share_of(row: Mapping[str, Any]) -> bool:
    """Whether the numbers of a row of a funnel are shares from 0 to 1, and not numbers per 10,000.

    Examples
    --------
    >>> is_share_of({"value": 0.2, "observed": 40, "size": 200, "upper_998": 0.3})
    True
    >>> is_share_of({"value": 40.1, "observed": 920, "size": 229_000, "upper_998": 45.0})
    False
    """
    value, count, size = row.get("value"), row.get("observed"), row.get("size")
    if all(isinstance(number, int | float) for number in (value, count, size)) and count and size:
        return bool(value < 100 * count / size)
    ends = [row.get(name) for name in ("average", "upper_998")]
    return all(end <= 1 for end in ends if isinstance(end, int | float))


def _decimals_of(name: str, table: Safe, people: int | None) -> int:
    """How many decimals a number is printed with that is neither a count, a share nor money.

    An estimate has two, and beside a rounded number of people no more than it was shortened to.
    """
    if table.shape.name == "estimate":
        is_rounded = table.policy is not None and table.policy.round is not None
        return min(2, decimals_of_mean(people or 0)) if is_rounded else 2
    return 2 if name in ("standard_error", "g_av", "g_av_lower", "g_av_upper") else 1


def _more_than_all(row: Mapping[str, Any]) -> bool:
    """Whether more people are counted in a row than there are said to be."""
    pairs = (("numerator", "denominator"), ("people", "eligible_staff"), ("current", "eligible_staff"))
    counts = [(row.get(part), row.get(whole)) for part, whole in pairs]
    return any(part > whole for part, whole in counts if part is not None and whole is not None)


def _row_html(line: Sequence[str], columns: Sequence[str], names: Sequence[str], right: Sequence[bool]) -> str:
    cells = [
        f'<th scope="row">{escape(cell)}</th>'
        if column in names
        else f'<td class="number">{escape(cell)}</td>'
        if is_number
        else f"<td>{escape(cell)}</td>"
        for cell, column, is_number in zip(line, columns, right, strict=True)
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _table_html(caption: str, headings: Sequence[str], right: Sequence[bool], rows: str, notes: Sequence[str]) -> str:
    head = "".join(
        f'<th scope="col" class="number">{escape(heading)}</th>'
        if is_number
        else f'<th scope="col">{escape(heading)}</th>'
        for heading, is_number in zip(headings, right, strict=True)
    )
    below = f'<p class="note">{" ".join(escape(note) for note in notes)}</p>' if notes else ""
    table = f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f"{scroll_region(table, caption)}{below}"


def scroll_region(table: str, name: str) -> str:
    """A wide table scrolls by itself, with the keyboard too, and the page stays put."""
    return f'<div class="wide" role="region" tabindex="0" aria-label="{escape(name)}">{table}</div>'
