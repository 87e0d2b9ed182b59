"""A table of text against its contract: parsed columns, and every broken rule with its row."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dataframely as dy
import polars as pl

from safeguarding_analytics.errors import nearest, nearest_of, shorten
from safeguarding_analytics.sources.files import ROW
from safeguarding_analytics.tables import ROW_RULES

PROBLEMS = {"table": pl.String, "row": pl.Int64, "column": pl.String, "rule": pl.String, "found": pl.String}
"""Columns of a report of broken rules."""

CONFIG = "board.toml"
MUST = "the column must be there"
EMPTY = "(empty)"
NOT_SHOWN = "(not shown: it could identify a person)"
STRAY = "(not shown: it also stands in a column that identifies people)"
MAIL = "(not shown: it is a mail address)"
LONELY = "(not shown: it stands in one row only and resembles no allowed word)"
WORDY = "(not shown: it holds letters, so it could be a name)"
LONG = "(not shown: it has more digits than a date, so it could be somebody's number)"
DATE_RULE = "a date such as 2011-05-10 or 10/05/2011 (day first)"


@dataclass(frozen=True)
class Checked:
    """A table after its contract: typed columns, and one row per broken rule and row."""

    frame: pl.DataFrame
    problems: pl.DataFrame
    renamed: tuple[str, ...] = ()
    """Columns of the file of which a problem says that they may be those that are missing."""


def no_problems() -> pl.DataFrame:
    """An empty report of broken rules."""
    return pl.DataFrame(schema=PROBLEMS)


def problem(table: str, rule: str, *, column: str | None = None, found: str | None = None) -> pl.DataFrame:
    """A report of one broken rule that belongs to no row."""
    return pl.DataFrame([(table, None, column, rule, found)], schema=PROBLEMS, orient="row")


def check_table(
    table: str,
    raw: pl.DataFrame,
    schema: type[dy.Schema],
    aliases: Mapping[str, Mapping[str, str]],
    own: Sequence[str] = (),
) -> Checked:
    """Parse a table of text and check every rule of its schema on every row.

    Parameters
    ----------
    table
        Name of the table, for the report.
    raw
        Text columns and `ROW`, as `sources.files.read_table` gives them.
    schema
        The contract.
    aliases
        Per column, words found in exports → words of the contract (case does not matter).
    own
        Columns beyond the contract that are kept, as text. All others are left out.

    Returns
    -------
    Checked
        The typed frame (columns of the contract, then the own ones; cells that did not parse are null) and the
        problems, sorted by row. A value that could identify a person is never in the report. Without a header the
        frame has no rows, and nothing of the file is in the report.
    """
    columns = schema.columns()
    if not has_header(raw, schema):
        rule = f"the first row does not look like a header of this table. Wanted the columns: {', '.join(columns)}"
        empty = pl.DataFrame(schema={name: column.dtype for name, column in columns.items()} | {ROW: pl.Int64})
        return Checked(empty, problem(table, rule))
    missing = [name for name in columns if name not in raw.columns]
    wanted = [name for name in missing if not _metadata(columns[name]).get("optional")]
    others = [name for name in raw.columns if name not in columns and name != ROW]
    must = dict.fromkeys(wanted, MUST)
    must |= {name: f"{MUST}, because [columns] in board.toml names it" for name in own if name not in others}
    alike = {name: nearest_of(name, [other for other in others if other not in own]) for name in must}
    reports = [problem(table, f"{rule}.{_say_renamed(name, alike[name])}", column=name) for name, rule in must.items()]
    if raw.is_empty():
        reports.append(problem(table, "the file must hold at least one row below its header"))
    words = {name: _allowed_as_written(column) | dict(aliases.get(name, {})) for name, column in columns.items()}
    replaced = raw.with_columns(_replace(name, words[name]) for name in columns if name in raw.columns and words[name])
    parsed = replaced.with_columns(
        *(_parse(name, column) for name, column in columns.items() if name not in missing),
        *(pl.lit(None, column.dtype).alias(name) for name, column in columns.items() if name in missing),
    )
    for name, column in columns.items():
        if name not in missing:
            lost = parsed.filter(pl.col(name).is_null() & replaced[name].is_not_null()).select(ROW)
            cells = lost.join(raw.select(ROW, name), on=ROW)
            reports.append(_rows(table, name, schema, _wanted(column), cells, raw))
    broken = _broken_rules(parsed, schema)
    for rule, rows in broken.items():
        reports.append(_explain(table, rule, schema, missing, raw, rows))
    renamed = tuple(filter(None, alike.values()))
    return Checked(
        parsed.select(*columns, *(name for name in own if name in others), ROW),
        pl.concat(reports).unique(maintain_order=True).sort("row", "column", "rule") if reports else no_problems(),
        renamed,
    )


def _say_renamed(wanted: str, found: str) -> str:
    return f' Found "{found}": if that is it, rename it to "{wanted}"' if found else ""


def has_header(raw: pl.DataFrame, schema: type[dy.Schema]) -> bool:
    """Whether at least half of a contract's columns are found: if not, the names may be cells of somebody's row."""
    columns = [name for name, column in schema.columns().items() if not _metadata(column).get("optional")]
    return 2 * sum(name in raw.columns for name in columns) >= len(columns)


def check_references(
    table: str, frame: pl.DataFrame, column: str, known: pl.Series, referenced: str, schema: type[dy.Schema]
) -> pl.DataFrame:
    """Report every row whose value is not among the known values of the table it refers to.

    Checked on all rows by itself, so that a row that breaks another rule as well is reported for both.
    """
    words = known.drop_nulls().unique().to_list()
    if not words:  # an empty table is reported by itself, not once more by every row that refers to it
        return no_problems()
    rule = f"{column} listed in the table {referenced}"
    bad = frame.filter(pl.col(column).is_not_null() & ~pl.col(column).is_in(words)).select(ROW, column)
    return _rows(table, column, schema, rule, bad, frame, words)


def _allowed_as_written(column: dy.Column) -> dict[str, str]:
    """The words of a choice column, so that "Attended" stands for "attended"."""
    return {word: word for word in _metadata(column).get("allowed", ())}


def _replace(name: str, words: Mapping[str, str]) -> pl.Expr:
    lower = {found.casefold(): wanted for found, wanted in words.items()}
    text = pl.col(name)
    return (
        text.str.to_lowercase()
        .replace_strict(list(lower), list(lower.values()), default=text, return_dtype=pl.String)
        .alias(name)
    )


def _parse(name: str, column: dy.Column) -> pl.Expr:
    text = pl.col(name)
    match column:
        case dy.Int64():
            whole = text.str.extract(r"^([+-]?\d{1,15})(?:\.0+)?$", 1)
            return whole.cast(pl.Int64, strict=False).alias(name)
        case dy.Float64():
            number = text.cast(pl.Float64, strict=False)
            return pl.when(number.is_finite()).then(number).alias(name)
        case dy.Date():
            return _parse_date(text).alias(name)
        case dy.Bool():
            words = {
                "true": True,
                "yes": True,
                "y": True,
                "1": True,
                "false": False,
                "no": False,
                "n": False,
                "0": False,
            }
            return text.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Boolean).alias(name)
        case _:
            return text.alias(name)


def _parse_date(text: pl.Expr) -> pl.Expr:
    """ISO or day-first, with or without a midnight behind it; a year outside 1900 to 2100 is a slip of the pen."""
    day = text.str.replace(r"[ T]00:00(:00(\.0+)?)?$", "")
    parsed = pl.coalesce(
        day.str.to_date("%Y-%m-%d", strict=False),
        day.str.to_date("%d/%m/%Y", strict=False),
        day.str.to_date("%d-%m-%Y", strict=False),
        day.str.to_date("%d.%m.%Y", strict=False),
    )
    return pl.when(parsed.dt.year().is_between(1900, 2100)).then(parsed)


def _wanted(column: dy.Column) -> str:
    if isinstance(column, dy.Date):
        return DATE_RULE
    return {dy.Int64: "a whole number", dy.Float64: "a number", dy.Bool: "yes or no"}.get(type(column), "text")


def _metadata(column: dy.Column) -> dict[str, Any]:
    return column.metadata or {}


def _rows(
    table: str,
    name: str,
    schema: type[dy.Schema],
    rule: str,
    cells: pl.DataFrame,
    everything: pl.DataFrame,
    allowed: Sequence[str] = (),
) -> pl.DataFrame:
    """One report row per cell of ``cells`` (`ROW` and the column as text) of the table ``everything``."""
    values = cells[name].drop_nulls().unique(maintain_order=True).to_list()
    found = say_values(values, name, schema, everything, allowed)
    return cells.select(
        pl.lit(table).alias("table"),
        pl.col(ROW).alias("row"),
        pl.lit(name).alias("column"),
        pl.lit(rule).alias("rule"),
        pl.col(name).replace_strict(found, default=EMPTY, return_dtype=pl.String).alias("found"),
    )


MOST_WORDS = 25
"""More different words than this that are not allowed are hardly slips of the pen."""

SWAPPED = "(not shown: so many different values. Are two columns swapped, or is their heading wrong?)"


def say_values(
    values: Sequence[str], column: str, schema: type[dy.Schema], table: pl.DataFrame, allowed: Sequence[str]
) -> dict[str, str]:
    """What a report says of values that break a rule: the value itself only where it is hardly one person's.

    A row shifted by a cell puts a name or a pseudonym where a status or a date should be. So a word is shown where it
    resembles an allowed one or stands in several rows, and none at all where there are so many that two columns may
    have been swapped; anything else where it is short, or has no letters and no more digits than a date; and nothing
    that also stands in an identifying column.

    Parameters
    ----------
    values
        The values found, each once.
    column
        Their column.
    schema
        The contract of the table.
    table
        All rows, identifying columns as text.
    allowed
        The words the column may hold; none for dates, numbers and yes or no.

    Examples
    --------
    >>> from safeguarding_analytics.tables import Bookings
    >>> rows = pl.DataFrame({"person": ["P1"], "status": ["Jane Smith"]})
    >>> say_values(["Jane Smith"], "status", Bookings, rows, ["attended"])["Jane Smith"]
    '(not shown: it stands in one row only and resembles no allowed word)'
    """
    if not values:
        return {}
    if _metadata(schema.columns()[column]).get("identifying"):
        return dict.fromkeys(values, NOT_SHOWN)
    names = [name for name, other in schema.columns().items() if _metadata(other).get("identifying")]
    people = {
        value.casefold() for name in names if name in table.columns for value in table[name].drop_nulls().unique()
    }
    several = set(table[column].filter(table[column].is_duplicated()).drop_nulls()) if allowed else set()
    if allowed and len(values) > MOST_WORDS:
        return dict.fromkeys(values, SWAPPED)

    def say(value: str) -> str:
        parts = {value.casefold(), *re.split(r"[\s,;]+", value.casefold())}
        if "@" in value:
            return MAIL
        if parts & people:
            return STRAY
        if allowed:
            hint = nearest(value, allowed)
            return f'"{value}"{hint}' if hint or value in several else LONELY
        day = re.sub(r"[ T]\d\d:\d\d(:\d\d(\.\d+)?)?$", "", value)
        if len(value) > 3 and any(character.isalpha() for character in day):
            return WORDY
        return LONG if sum(character.isdigit() for character in day) > 8 else f'"{value}"'

    return {value: say(value) for value in values}


def _broken_rules(parsed: pl.DataFrame, schema: type[dy.Schema]) -> dict[str, pl.Series]:
    """Row numbers per broken rule of the schema."""
    if parsed.is_empty():
        return {}
    numbered: Any = type(schema.__name__, (schema,), {ROW: dy.Int64(), "__doc__": schema.__doc__})
    details = numbered.filter(parsed.select(*schema.columns(), ROW)).failure.details()
    rules = [name for name in details.columns if name not in parsed.columns]
    found = {rule: details.filter(pl.col(rule) == "invalid")[ROW] for rule in rules}
    return {rule: rows for rule, rows in found.items() if len(rows)}


def _explain(
    table: str,
    rule: str,
    schema: type[dy.Schema],
    missing: list[str],
    raw: pl.DataFrame,
    rows: pl.Series,
) -> pl.DataFrame:
    columns = schema.columns()
    if "|" not in rule:
        if rule == "primary_key" and any(columns[name].primary_key for name in missing):
            return no_problems()  # rows differ in what is missing
        return _explain_whole_row(table, rule, schema, rows)
    name, kind = rule.split("|", 1)
    column = columns[name]
    if name in missing:
        return no_problems()
    cells = raw.select(ROW, name).filter(pl.col(ROW).is_in(rows.implode()))
    if kind == "nullability":  # a cell that did not parse is null too, and has been reported for what it is
        empty = cells.filter(pl.col(name).is_null())
        return _rows(table, name, schema, "a value: the cell must not be empty", empty, raw)
    says = {
        "min_length": "some text",
        "regex": "a year of four digits, such as 2012",
        "check": str(_metadata(column).get("says", "")),
    }
    wanted = _limits(column) if kind in ("min", "max") else says[kind]
    return _rows(table, name, schema, wanted, cells, raw, _metadata(column).get("allowed", ()))


def _limits(column: dy.Column) -> str:
    """Limits of a number in words."""
    low, high = getattr(column, "min", None), getattr(column, "max", None)
    if low is not None and high is not None:
        return f"between {low} and {high}"
    return f"at most {high}" if low is None else f"at least {low}"


def _explain_whole_row(table: str, rule: str, schema: type[dy.Schema], rows: pl.Series) -> pl.DataFrame:
    if rule == "primary_key":
        keys = [name for name, column in schema.columns().items() if column.primary_key]
        column, wanted, found = keys[-1], f"one row per {' and '.join(keys)}", "the same more than once"
    else:
        column, wanted, found = "", ROW_RULES[rule], ""
    return pl.DataFrame(
        {
            "table": [table] * len(rows),
            "row": rows,
            "column": [column or None] * len(rows),
            "rule": [wanted] * len(rows),
            "found": [found or None] * len(rows),
        },
        schema=PROBLEMS,
    )


def say_problems(problems: pl.DataFrame, files: Mapping[str, str], heights: Mapping[str, int]) -> list[str]:
    """Broken rules as sentences: one per table, column and rule, with counts, rows, what was found and what to do.

    Parameters
    ----------
    problems
        A report of broken rules.
    files
        File name per table.
    heights
        Number of rows per table.
    """
    sentences = []
    for (table, column, rule), group in problems.group_by("table", "column", "rule", maintain_order=True):
        name = files.get(str(table), str(table))
        kind = "setting" if str(table) == CONFIG else "column"
        where = f", {kind} {column}" if column else ""
        found = group["found"].drop_nulls().unique(maintain_order=True).to_list()
        rows = group["row"].drop_nulls().to_list()
        seen = f" Found: {shorten(found)}".rstrip(".") + ("" if str(found[-1]).endswith("?") else ".") if found else ""
        if rows:
            what = (
                f"{len(rows):,} of {heights.get(str(table), len(rows)):,} rows: "
                f"{'row' if len(rows) == 1 else 'rows'} {shorten(rows)}."
            )
            sentences.append(f"{name}{where}: {what}{seen} Wanted: {rule}.{_hint(str(table), str(column), str(rule))}")
        else:
            sentences.append(f"{name}{where}: {rule}{'' if str(rule).endswith(('.', '?')) else '.'}{seen}")
    return sentences


def _hint(table: str, column: str, rule: str) -> str:
    if rule.startswith("one of: "):
        return f" Hint: correct the file, or add an alias under [{table}.{column}] in board.toml."
    if rule == "agency listed in the table agencies":
        return " Hint: add the agency to the agencies table, or the name to the aliases of one."
    return ""
