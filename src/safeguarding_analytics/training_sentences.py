"""What the tables of training say, in sentences: only a `Safe` is put into words, so nothing hidden is said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from safeguarding_analytics.cells import rounded
from safeguarding_analytics.dates import day_in_words
from safeguarding_analytics.errors import ParameterError, in_words, numbered
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.sentences import HIDDEN, percent, say_proportion
from safeguarding_analytics.tables import DUE, STANDING, TOTAL

if TYPE_CHECKING:
    from safeguarding_analytics.currency import TrainingRule

_FEW_GROUPS, _MOST_NAMED = 5, 3
"""How many groups are all named, and how many of more than that."""


def say_attendance(table: Safe) -> str:
    """Put what became of the bookings into words, each rate with its name and what it is of.

    Parameters
    ----------
    table
        Of shape ``attendance`` with one row, or with a "Total" row.

    Returns
    -------
    str
        How registered splits up, the attendance rate (of registered), walk-ins, and take-up (of places offered).
    """
    if table.frame().is_empty():
        return HIDDEN
    row = _total(table)
    counts = ("registered", "attended", "walk_ins", "did_not_attend", "cancelled")
    if any(row[name] is None for name in counts):
        return HIDDEN
    as_booked = row["attended"] - row["walk_ins"]
    sentence = (
        f"Of {row['registered']:,} registered, {as_booked:,} attended as booked, {row['did_not_attend']:,} did not "
        f"attend and {row['cancelled']:,} cancelled"
    )
    if row["attendance_rate"] is not None:
        sentence += f": an attendance rate of {percent(row['attendance_rate'], row['registered'])}"
    sentence += f". With {row['walk_ins']:,} who came without a booking, {row['attended']:,} places were taken"
    if row["take_up"] is None and row["capacity"] == 0:
        return f"{sentence}; no places were offered, so there is no take-up."
    if row["take_up"] is None:
        return f"{sentence}; how many places were offered is not known, so there is no take-up."
    share = percent(row["take_up"], row["capacity"])
    return f"{sentence}: {share} of the {row['capacity']:,} places offered, which is the take-up."


def say_over_reached(table: Safe) -> str:
    """Name the groups of which more people came than their return says are eligible: no share is shown of them.

    Parameters
    ----------
    table
        Of shape ``proportion`` or ``coverage`` with one group column.

    Returns
    -------
    str
        Empty where there is none.
    """
    people, staff = ("people", "eligible_staff") if table.shape.name == "coverage" else ("numerator", "denominator")
    column = _only_group(table)
    over = table.frame().filter(pl.col(people) > pl.col(staff), pl.col(column).cast(pl.String).ne_missing(TOTAL))
    over = over.sort(column)
    named = [
        f"{row[column] or 'not stated'} ({row[people]:,} people, {row[staff]:,} eligible)"
        for row in over.iter_rows(named=True)
    ]
    if not named:
        return ""
    return (
        f"More people than the return says are eligible: {in_words(named)}. The return is too low, or people gave the "
        "wrong agency; so no share is shown."
    )


def say_coverage(table: Safe) -> str:
    """Set the share of places of each group beside the reach of its staff.

    Parameters
    ----------
    table
        Of shape ``coverage`` with one group column; "Total" rows are left out.

    Returns
    -------
    str
        One sentence per group that is shown.
    """
    column = _only_group(table)
    rows = table.frame().filter(pl.col(column).cast(pl.String).ne_missing(TOTAL), pl.col("places").is_not_null())
    sentences = [_coverage_of(row, row[column] or "Not stated") for row in rows.iter_rows(named=True)]
    return " ".join(sentences) or HIDDEN


def _coverage_of(row: dict[str, Any], name: str) -> str:
    took = "" if row["share_of_places"] is None else f" ({percent(row['share_of_places'])} of all places taken)"
    sentence = f"{name}: {row['places']:,} places{took}"
    if row["people"] is None:
        return f"{sentence}."
    sentence += f", {row['people']:,} {'person' if row['people'] == 1 else 'people'}"
    if row["eligible_staff"] is None:
        return f"{sentence}; of how many eligible staff is not known."
    if row["reach"] is None:
        return f"{sentence}; {row['eligible_staff']:,} eligible staff are returned, so no reach can be worked out."
    staff = row["eligible_staff"]
    lower, upper = percent(row["lower"], staff), percent(row["upper"], staff)
    return f"{sentence}, {percent(row['reach'], staff)} of {staff:,} eligible staff (95% interval {lower} to {upper})."


def say_compared(table: Safe, compared: pl.DataFrame, *, groups: str) -> str:
    """Name the groups whose share lies clearly below that of all others together: those to ask about it.

    Parameters
    ----------
    table
        The safe table of shape ``proportion`` that was compared; only its visible groups are named.
    compared
        As `compare_with_others` gives it of ``table.frame()``.
    groups
        What the groups are, in the plural.

    Raises
    ------
    ParameterError
        When a group was compared that the table does not show.
    """
    column = _only_group(table)
    shown = table.frame().filter(pl.col("proportion").is_not_null())[column].to_list()
    if any(group not in shown for group in compared[column].to_list()):
        raise ParameterError("compared: a group stands in it that the table hides. Compare what table.frame() shows.")
    if compared.height < 2:
        return f"Too few {groups} have a figure that can be shown to compare them."
    below = compared.filter(pl.col("verdict") == "clearly below").sort("proportion", column)
    if below.is_empty():
        return f"None of the {groups} that are shown lies clearly below the others."
    named = [f"{row[column]} ({percent(row['proportion'], row['denominator'])})" for row in below.iter_rows(named=True)]
    return (
        f"Clearly below all others together: {in_words(named)}. For every other of the {groups} that are shown, the "
        "difference could be chance, or it lies above."
    )


def say_due(table: Safe, *, as_at: date, without: Sequence[str] = ()) -> str:
    """Say how many are up to date on a day, and how many of them fall out of date within three months.

    Parameters
    ----------
    table
        Of shape ``count`` with the group columns standing and stage, as `currency_ageing` gives it.
    as_at
        The day.
    without
        Agencies that are not counted, because they made no full return.
    """
    rows = {(row["standing"], row["stage"]): row for row in table.frame().iter_rows(named=True)}
    if not rows:
        return (
            "Whose training is up to date cannot be said: no agency made a full return of staff whose target groups "
            "are known and have a rule."
        )
    current, due, total = (rows.get(key, {}) for key in ((STANDING, TOTAL), (STANDING, DUE), (TOTAL, TOTAL)))
    when = f"On {day_in_words(as_at)}"
    left_out = f" Not counted, as they made no full return: {in_words(sorted(without))}." if without else ""
    if current.get("count") is None:
        return f"{when}, the number of those who are up to date is not shown.{left_out}"
    count = f"{current['count']:,}"
    if total.get("mark"):
        said = f"{when}, {count} eligible staff were up to date ({HIDDEN.lower().removesuffix('.')})"
    elif total.get("count") is None:
        said = f"{when}, {count} staff were up to date; of how many eligible staff is not known"
    else:
        said = f"{when}, {count} of {total['count']:,} eligible staff were up to date"
    soon = "" if due.get("count") is None else f", {due['count']:,} of them due within three months"
    return f"{said}{soon}.{left_out}"


def say_mergers(agencies: pl.DataFrame) -> str:
    """Name the agencies that became part of another one, under which they are counted.

    Parameters
    ----------
    agencies
        One row per agency: agency, merged_into, merged_on.

    Returns
    -------
    str
        Empty where none did.

    Examples
    --------
    >>> say_mergers(pl.DataFrame({"agency": ["A"], "merged_into": ["B"], "merged_on": [date(2011, 6, 1)]}))
    'A became part of B on 1 June 2011 and is counted there.'
    """
    merged = agencies.filter(pl.col("merged_into").is_not_null() & pl.col("merged_on").is_not_null()).sort("agency")
    return " ".join(
        f"{agency} became part of {into} on {day_in_words(day)} and is counted there."
        for agency, into, day in merged.select("agency", "merged_into", "merged_on").iter_rows()
    )


def say_need(table: Safe, *, what: str, sessions: bool = False, note: str = "") -> str:
    """Put what is still needed into words: in all, and in the groups that need most.

    Parameters
    ----------
    table
        Of shape ``need`` or ``progress``; of several group columns all but the first must be "Total" or one value.
    what
        Who is needed, such as ``"people still to be reached"``.
    sessions
        Whether to say how many sessions that takes: in all where there is a number for all, as groups share sessions;
        else group by group.
    note
        What must be known of these numbers; said only where there are any.

    Returns
    -------
    str
        Groups that need nothing are left out. Of more than five groups the three that need most are named.
    """
    column = "still_needed" if table.shape.name == "progress" else "need"
    frame = table.frame()
    group, *others = table.shape.group_columns(frame.columns) or [""]
    for other in others:
        frame = frame.filter((pl.col(other).cast(pl.String) == TOTAL) | (pl.col(other).n_unique() == 1))
    named = frame.with_columns((pl.col(group).cast(pl.String) if group else pl.lit(TOTAL)).alias("name"))
    total = pl.col("name").eq_missing(TOTAL)
    rows = named.filter(pl.col(column) > 0).sort(total, column, "name", descending=[True, True, False], nulls_last=True)
    shared = sessions and rows.filter(total)["sessions_needed"].count() > 0
    said = {
        row["name"]: f"{'in all' if row['name'] == TOTAL else row['name'] or 'not stated'} {row[column]:,}"
        f"{_sessions(row) if sessions and shared == (row['name'] == TOTAL) else ''}"
        for row in rows.to_dicts()
    }
    if not said:
        if (frame["mark"] != "").any():
            return HIDDEN
        if frame[column].null_count() == frame.height:
            missing = (
                "No target is set"
                if table.shape.name == "progress"
                else "How many eligible staff there are is not known"
            )
            return f"{missing}, so what is still needed cannot be said."
        return f"{what[0].upper()}{what[1:]}: none."
    each = [words for name, words in said.items() if name != TOTAL]
    if len(each) > _FEW_GROUPS:
        each = [*each[: _MOST_NAMED - 1], f"{each[_MOST_NAMED - 1]} and {len(each) - _MOST_NAMED} more"]
    listed = "; ".join(filter(None, [said.get(TOTAL), ", ".join(each)]))
    return f"{what[0].upper()}{what[1:]}: {listed}.{f' {note}' if note else ''}"


def _sessions(row: dict[str, Any]) -> str:
    return "" if row["sessions_needed"] is None else f" ({numbered(row['sessions_needed'], 'session')})"


def say_mix(table: Safe) -> str:
    """Say from how many agencies the learners of the sessions came, and which sessions were one agency's.

    Parameters
    ----------
    table
        Of shape ``mix`` with a row per session.
    """
    frame = table.frame()
    groups = table.shape.group_columns(frame.columns)
    shown = frame.filter(pl.col("agencies_present").is_not_null())
    if shown.is_empty():
        return HIDDEN
    present = shown["agencies_present"].sort().to_list()
    few, many = present[0], present[-1]
    noun = "agency" if many == 1 else "agencies"
    range_ = f"{few} to {many}" if few < many else f"{few}"
    sentence = f"In {numbered(shown.height, 'session')} that can be shown, learners came from {range_} {noun}."
    alone = shown.filter(pl.col("agencies_present") == 1)
    if alone.is_empty():
        return f"{sentence} None was of one agency alone."
    named = [", ".join(str(row[group] or "not stated") for group in groups) for row in alone.iter_rows(named=True)]
    return f"{sentence} Of one agency alone: {in_words(named)}."


def say_cost(table: Safe) -> str:
    """Say what a place and a person reached cost, and of how many sessions the cost is known.

    Parameters
    ----------
    table
        Of shape ``cost`` with one row, or with a "Total" row.
    """
    if table.frame().is_empty():
        return "What a place costs is not shown: no cost is given, or it would give a small number away."
    row = _total(table)
    if not row["sessions_costed"]:
        return "No cost of a session is given, so what a place costs cannot be said."
    known = f"The cost of {row['sessions_costed']:,} of {numbered(row['sessions'], 'session')} is known"
    if row["mark"]:
        return f"{known}. {HIDDEN}"
    if row["cost_per_place"] is None or row["cost_per_person"] is None:
        return f"{known}, and nobody attended those sessions."
    return (
        f"{known}: £{rounded(row['total_cost'], 2):,} for {row['places']:,} places and {row['people']:,} people, "
        f"£{rounded(row['cost_per_place'], 2):,} a place and £{rounded(row['cost_per_person'], 2):,} a person reached."
    )


def say_induction(table: Safe, *, as_at: date) -> str:
    """Say how many of those who started in the year before a day had training within three months.

    Parameters
    ----------
    table
        Of shape ``proportion``, as `induction_on_time` gives it.
    as_at
        The day.
    """
    if table.frame().is_empty():
        return "No staff records show who started in the year before, so induction cannot be judged."
    said = say_proportion(table, of="new staff", have="had training within three months of their first day")
    return f"In the year before {day_in_words(as_at)}: {said}"


def say_training_rules(rules: Sequence[TrainingRule]) -> str:
    """State the rules by which training is up to date.

    Parameters
    ----------
    rules
        One per target group, such as those of `training_rules`.

    Examples
    --------
    >>> from safeguarding_analytics.currency import KIRKLEES_2011
    >>> say_training_rules(KIRKLEES_2011[3:])
    'Target group 4: a course of level 2 or higher in the last 36 months and one of level 3 or higher in the last 12.'
    """
    return " ".join(
        f"Target group {rule.target_group}: a course of level {rule.training_level} or higher in the last "
        f"{rule.refresh_months} months"
        + (f" and one of level {rule.yearly_level} or higher in the last 12" if rule.yearly_level else "")
        + "."
        for rule in rules
    )


def _only_group(table: Safe) -> str:
    groups = table.shape.group_columns(table.frame().columns)
    if len(groups) != 1:
        raise ParameterError(f"the table must have one group column. Found: {', '.join(groups) or 'none'}.")
    return groups[0]


def _total(table: Safe) -> dict[str, Any]:
    """The one row of a table, or its row of totals."""
    frame = table.frame()
    groups = table.shape.group_columns(frame.columns)
    rows = frame if frame.height == 1 else frame.filter(*(pl.col(name).cast(pl.String) == TOTAL for name in groups))
    if rows.height != 1:
        raise ParameterError(f"the table must have one row, or one of totals. Found: {rows.height:,} such rows.")
    return dict(rows.row(0, named=True))
