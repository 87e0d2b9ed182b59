"""The data dictionary as Markdown, written from the contracts in `tables`."""

from __future__ import annotations

from inspect import cleandoc

import dataframely as dy

from safeguarding_analytics.shapes import SHAPES
from safeguarding_analytics.tables import ROW_RULES, TABLES

KINDS = {"String": "text", "Int64": "whole number", "Float64": "number", "Date": "date", "Bool": "yes/no"}
HEAD = """# Data dictionary

Generated from `src/safeguarding_analytics/tables.py` by `safeguarding dictionary`; do not edit by hand.

- `demo_board/`: a synthetic board, written by `safeguarding demo` from one seed. No person, child or ballot is real.
- `published/`: figures typed in from public documents; its own README is their dictionary.

A file is CSV (UTF-8 or Windows-1252), XLSX or Parquet, named after its table unless `board.toml` says otherwise.
Dates are written 2011-05-10 or 10/05/2011 (day first). Other columns are not used unless
`[columns]` in `board.toml` names them; none may be renamed.
A column marked *identifying* is never printed, drawn, logged or published.
"""


def data_dictionary() -> str:
    """Every table of a board's folder and every shape of a result, as Markdown."""
    tables = "".join(_table(name, schema) for name, schema in TABLES.items())
    shapes = "".join(
        f"\n### {shape.name}\n\n{shape.meaning}. Group columns first.\n\n| column | meaning |\n|---|---|\n"
        + "".join(f"| {column} | {meaning} |\n" for column, meaning in shape.columns.items())
        for shape in SHAPES.values()
    )
    return f"{HEAD}\n## Tables of a board's folder\n{tables}\n## Shapes of results\n{shapes}"


def _table(name: str, schema: type[dy.Schema]) -> str:
    columns = schema.columns()
    key = ", ".join(column for column, rule in columns.items() if rule.primary_key)
    rules = [f"Rule: {words}." for rule, words in ROW_RULES.items() if rule in schema.__dict__]
    said = " ".join([*([f"Key: {key}."] if key else []), *rules])
    head = f"\n### {name}\n\n{cleandoc(schema.__doc__ or '')}\n\n{said}\n\n"
    rows = "".join(_row(column, rule) for column, rule in columns.items())
    return f"{head}| column | kind | unit | meaning | rules |\n|---|---|---|---|---|\n{rows}"


def _row(name: str, column: dy.Column) -> str:
    metadata = column.metadata or {}
    limits = (("at least", getattr(column, "min", None)), ("at most", getattr(column, "max", None)))
    rules = [
        "may be missing" if metadata.get("optional") else "",
        "may be empty" if column.nullable else "",
        "*identifying*" if metadata.get("identifying") else "",
        f"listed in {metadata['references']}" if metadata.get("references") else "",
        str(metadata.get("says", "")),
        *(f"{words} {limit}" for words, limit in limits if limit is not None),
    ]
    kind = KINDS[type(column).__name__]
    return (
        f"| {name} | {kind} | {metadata.get('unit', '')} | {column.description} | {'; '.join(filter(None, rules))} |\n"
    )
