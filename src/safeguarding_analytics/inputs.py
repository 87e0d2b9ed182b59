"""What may be put into disclosure control: all that is wrong with it in one message, and no count in that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, ValuesView

import polars as pl

from safeguarding_analytics.errors import (
    DisclosureError,
    ParameterError,
    SafeguardingError,
    TableError,
    nearest,
    shorten,
)
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.safe import (
    CORRECT,
    Safe,
    count_problems,
    extra_problems,
    identifying_columns,
    identifying_problems,
    in_rows,
    margin_problems,
    nested_problems,
    of_rows,
    repeat_problems,
)
from safeguarding_analytics.shapes import SHAPES, Shape, shape_of
from safeguarding_analytics.shares import SHARES, half_a_unit
from safeguarding_analytics.systems import KNOWLEDGE, RETURNED
from safeguarding_analytics.tables import IDENTIFYING

Problem = tuple[type[SafeguardingError], str]

OF_SHAPES = frozenset(name for shape in SHAPES.values() for name in shape.columns)
"""Every column of every shape: none of them can name a group."""

OF_RETURNS = frozenset(name for name, shape in SHAPES.items() if not RETURNED.isdisjoint(shape.counts))

OF_SHOWN_COUNTS = frozenset({"control_chart"})
"""Shapes that are worked out of counts as they are shown, never of others."""

COLLECT = "Collect or convert it first, such as with table.collect() or polars.from_pandas(table)."
GROUP_OR_RENAME = (
    "Group with a measure of this package, or rename the columns: count; numerator, denominator and proportion; count, "
    "population and rate; n_pairs and mean_change; n_pairs and n_same_high; n and estimate; issue, score and rank; "
    "registered and attended."
)


def check_effort(effort: object, allowed: tuple[str, ...]) -> None:
    """Raise a `ParameterError` when an effort is none of those that are allowed."""
    if effort not in allowed:
        words = " or ".join(f'"{word}"' for word in allowed)
        raise ParameterError(f"effort must be {words}. Found: {effort!r}.{nearest(str(effort), allowed)}")


def check_policy(policy: object) -> None:
    """Raise a `ParameterError` when a policy is none."""
    if not isinstance(policy, Policy):
        raise ParameterError(f"policy must be a Policy, such as Policy.dfe(). Found: {type(policy).__name__}.")


def check_rounding(policy: Policy, effort: str) -> None:
    """Raise a `ParameterError` when a proof is wanted of a policy that rounds: none is tried."""
    if policy.round and effort == "exact":
        raise ParameterError('no proof is tried for rounded tables. Use effort="greedy".')


def previous_tables(previous: object) -> list[Safe]:
    """Last period's tables as a list.

    Raises
    ------
    ParameterError
        When one of them is no `Safe`.
    """
    tables = [] if previous is None else _listed(previous)
    safes = [table for table in tables if isinstance(table, Safe)]
    if len(safes) < len(tables):
        found = dict.fromkeys(type(table).__name__ for table in tables if not isinstance(table, Safe))
        raise ParameterError(
            "previous must be tables that went through suppress(), or "
            'already_public(read_published_table("last_year.csv"), "2024") for a published file. '
            f"Found: {shorten(list(found))}."
        )
    return safes


def tables_to_suppress(table: object, *, to_round: bool = False) -> tuple[list[pl.DataFrame], list[Shape]]:
    """Tables that can be suppressed, and their shapes.

    Parameters
    ----------
    table
        What was given.
    to_round
        Whether shares will be worked out anew of rounded counts: then they must follow from the counts now, or their
        unit would change.

    Raises
    ------
    DisclosureError
        When a column is identifying, or would be shown as it is; when counts are no whole numbers of 0 or more, or
        contradict each other or a share within a row; when a group stands twice, or a margin is misspelled.
    TableError
        When nothing else is wrong than that something is no polars DataFrame, or has none of the shapes.
    """
    tables = _listed(table)
    frames = [one for one in tables if isinstance(one, pl.DataFrame)]
    problems: list[Problem] = []
    for number, one in enumerate(tables, 1):
        found = _to_suppress(one, to_round) if isinstance(one, pl.DataFrame) else [_no_table(one)]
        problems += _named(f"table {number}" if len(tables) > 1 else "", found)
    _report(problems)
    return frames, [shape_of(frame.columns) for frame in frames]


def tables_to_audit(tables: object) -> dict[str, Safe | pl.DataFrame]:
    """Published tables by name, "table 1" where they have none; a column ``mark`` of a frame is text without nulls.

    Raises
    ------
    DisclosureError
        When a column is identifying or nested, nobody can tell what is hidden, counts are no whole numbers of 0 or
        more, a group stands twice, or a margin is misspelled.
    TableError
        When nothing else is wrong than that something is no table, or has none of the shapes.
    """
    named = tables if isinstance(tables, Mapping) else {f"table {n}": one for n, one in enumerate(_listed(tables), 1)}
    problems: list[Problem] = []
    found: dict[str, Safe | pl.DataFrame] = {}
    for name, table in named.items():
        if isinstance(table, Safe):
            problems += _named(name, _to_audit(table.frame(), public=table.policy is None))
            found[name] = table
        elif isinstance(table, pl.DataFrame):
            problems += _named(name, _to_audit(table))
            found[name] = _with_full_mark(table)
        else:
            problems += _named(name, [_no_table(table)])
    _report(problems)
    return found


def check_bases(bases: object, names: Sequence[str]) -> None:
    """Raise a `ParameterError` when bases of rounding are no whole numbers of 1 or more by the name of a table."""
    if not isinstance(bases, Mapping):
        raise ParameterError(
            f'rounded must name tables and their bases, such as {{"table 1": 5}}. Found: {type(bases).__name__}.'
        )
    wrong = []
    for name, base in bases.items():
        if name not in names:
            wrong.append(f'rounded: there is no table "{name}".{nearest(str(name), names)}')
        if isinstance(base, bool) or not isinstance(base, int) or base < 1:
            wrong.append(f"rounded: the base of {name} must be a whole number, such as 5. Found: {base!r}.")
    if wrong:
        raise ParameterError("\n".join(wrong))


def _listed(tables: object) -> list[object]:
    """Tables as a list. A text, a column of a frame and a mapping could be gone through too, and are no tables."""
    if isinstance(tables, Sequence | ValuesView | Iterator) and not isinstance(tables, str | bytes):
        return list(tables)
    return [tables]


def _named(name: str, problems: Sequence[Problem]) -> list[Problem]:
    return [(kind, f"{name}: {text}" if name else text) for kind, text in problems]


def _report(problems: list[Problem]) -> None:
    if problems:
        kind = DisclosureError if any(kind is DisclosureError for kind, _ in problems) else TableError
        raise kind("\n".join(text for _, text in problems))


def _no_table(found: object) -> Problem:
    step = "Suppress the table that it was made from." if isinstance(found, Safe) else COLLECT
    if isinstance(found, Mapping) and any(isinstance(one, pl.DataFrame) for one in found.values()):
        step = "Give the tables as a list: list(tables.values())."
    return TableError, f"found {type(found).__name__} where a polars DataFrame is wanted. {step}"


def _shape(frame: pl.DataFrame) -> tuple[Shape | None, list[Problem]]:
    """The shape of a table, or what to do where it has none."""
    try:
        return shape_of(frame.columns), []
    except TableError as error:
        return None, [(TableError, f"{error} {GROUP_OR_RENAME}")]


def _to_suppress(frame: pl.DataFrame, to_round: bool) -> list[Problem]:
    """All that keeps a table from being suppressed."""
    shape, problems = _shape(frame)
    texts = [*identifying_problems(frame), *nested_problems(frame)]
    if "mark" in frame.columns:
        texts.append('this table already has a column "mark". Suppress the table it was made from.')
    if shape and shape.name in OF_SHOWN_COUNTS:
        texts.append(
            "the mean and the limits of a control chart tell the counts they are worked out of, also hidden ones. "
            "Suppress the counts, chart what is shown of them, and publish the chart with already_public()."
        )
    if shape:
        early = [name for name in shape.group_columns(frame.columns) if _is_number(frame.schema[name], name)]
        texts += [
            f"{name} stands before the numbers of the table, where the names of groups stand, and would be shown as it "
            f"is. Drop it{'' if name in OF_SHAPES else ', or make it text if it names a group'}."
            for name in early
        ]
        texts += _problems_of_the_rest(frame, shape, early, to_round=to_round)
    return [*problems, *((DisclosureError, text) for text in texts)]


def _is_number(dtype: pl.DataType, name: str) -> bool:
    return dtype.is_float() or dtype.is_decimal() or name in OF_SHAPES


def _to_audit(frame: pl.DataFrame, *, public: bool = False) -> list[Problem]:
    """All that keeps a table that its reader sees as it is from being audited."""
    shape, problems = _shape(frame)
    texts = [*identifying_problems(frame), *nested_problems(frame)]
    if shape:
        rest = _problems_of_the_rest(frame, shape, (), published=True, public=public)
        texts += [*_unclear_marks(frame, shape), *rest]
    return [*problems, *((DisclosureError, text) for text in texts)]


def _problems_of_the_rest(
    frame: pl.DataFrame,
    shape: Shape,
    early: Sequence[str],
    *,
    published: bool = False,
    public: bool = False,
    to_round: bool = False,
) -> list[str]:
    """What is wrong with a table beside the columns that are refused as such."""
    nested = [name for name in frame.columns if nested_problems(frame.select(name))]
    personal = identifying_columns(frame.columns)
    rest = frame.drop({*personal, "mark", *early, *nested} & set(frame.columns))
    if not set(rest.columns) & set(shape.columns):
        return []
    counts = _count_problems(rest, shape, published=published)
    # What is made text, taken apart or given another name may tell rows from each other.
    renamed = set(personal) - set(IDENTIFYING)
    mended = ({*early, *nested, *renamed} - OF_SHAPES) & set(shape.group_columns(frame.columns))
    groups = [*([] if mended else repeat_problems(rest, shape)), *margin_problems(rest, shape, public=public)]
    if published:
        return [*counts, *groups]
    beside = [] if counts else [*_contradictions(rest, shape), *_wrong_shares(rest, shape, to_round)]
    return [*counts, *beside, *extra_problems(rest, shape), *groups]


def _count_problems(frame: pl.DataFrame, shape: Shape, *, published: bool) -> list[str]:
    """What is wrong with the columns that count people. Who publishes a table may hide any of its counts."""
    return [
        problem
        for column in (*shape.all_counts, "n_ballots")
        if column in frame.columns
        for problem in count_problems(
            frame[column], may_be_unknown=published or shape.name in OF_RETURNS or column not in shape.counts
        )
    ]


def _contradictions(frame: pl.DataFrame, shape: Shape) -> list[str]:
    """Rows whose counts cannot all be true.

    More people trained than are eligible can be: the two come from different sources. All other counts of a row do not.
    """
    knowledge = KNOWLEDGE.get(shape.name)
    if knowledge is None:
        return []
    problems = []
    for link in knowledge.always_nothing:
        wrong = _sum(frame, link) != 0
        if wrong.any():
            one, other = (" + ".join(name for name, by in link.items() if by * sign > 0) for sign in (1, -1))
            problems.append(f"{one} is not {other}: {of_rows(wrong)} wrong ({in_rows(wrong)}). {CORRECT}")
    for link in knowledge.never_negative:
        if not RETURNED.isdisjoint(link):
            continue
        wrong = _sum(frame, link) < 0
        if wrong.any():
            larger, smaller = sorted(link, key=lambda name: -link[name])
            problems.append(f"{smaller} is more than {larger}: {of_rows(wrong)} wrong ({in_rows(wrong)}). {CORRECT}")
    return problems


def _wrong_shares(frame: pl.DataFrame, shape: Shape, to_round: bool) -> list[str]:
    """Shares and rates that are no numbers, or do not follow from the counts of their rows, such as 11.9 for 0.119.

    They may be printed to fewer decimals than they have. A share of nobody follows from nothing.
    """
    problems = []
    for column, above, (below, per) in SHARES.get(shape.name, ()):
        if column not in frame.columns or below not in frame.columns:
            continue
        shares = _as_numbers(frame[column])
        whole = frame[below].cast(pl.Float64)
        expected = _sum(frame, {name: int(factor) for name, factor in above.items()}) / whole * per
        most = half_a_unit(shares.fill_nan(None)) + _imprecision(frame.schema[column], expected)
        unreadable = (shares.is_null() & frame[column].is_not_null()) | ~shares.is_finite() | (shares < 0)
        off = (shares - expected).abs() > most if to_round else pl.repeat(False, frame.height, eager=True)
        wrong = ((whole != 0) & expected.is_not_null() & (unreadable | off)).fill_null(False)
        if wrong.any():
            problems.append(
                f"{column} is not {_formula(above, below, per)} in {wrong.sum():,} of {frame.height:,} rows "
                f"({in_rows(wrong)}). Work it out of the counts beside it, or leave it empty."
            )
    return problems


def _as_numbers(shares: pl.Series) -> pl.Series:
    """Shares as numbers; null where a text is none."""
    if shares.dtype == pl.Float32:  # through text: 0.3 is not 0.30000001
        shares = shares.cast(pl.String)
    return (shares if shares.dtype.is_numeric() else shares.cast(pl.String)).cast(pl.Float64, strict=False)


def _imprecision(dtype: pl.DataType, expected: pl.Series) -> pl.Series:
    """How far a share may be off for want of digits."""
    digits = 1e-6 if dtype == pl.Float32 else 1e-9
    return (expected.abs() * digits).fill_null(0.0) + 1e-9


def _formula(above: Mapping[str, float], below: str, per: float) -> str:
    """How a share is worked out, in words.

    Examples
    --------
    >>> _formula({"attended": 1.0, "walk_ins": -1.0}, "registered", 1.0)
    '(attended − walk_ins) ÷ registered'
    """
    top = "".join(f" {'−' if by < 0 else '+'} {name}" for name, by in above.items())[3:]
    return f"{f'({top})' if len(above) > 1 else top} ÷ {below}{f' × {per:,.0f}' if per != 1 else ''}"


def _sum(frame: pl.DataFrame, link: dict[str, int]) -> pl.Series:
    """A sum of counts by row, of which some are taken away; null where one of them is unknown."""
    terms = [
        pl.col(name).cast(pl.Float64) * factor if name in frame.columns else pl.lit(None, pl.Float64) * factor
        for name, factor in link.items()
    ]
    sums = pl.sum_horizontal(*terms, ignore_nulls=False)
    return frame.select(sums.alias("sum"))["sum"]


def _unclear_marks(frame: pl.DataFrame, shape: Shape) -> list[str]:
    """Whether a reader can tell hidden counts from unknown ones."""
    if "mark" in frame.columns:
        kind = frame.schema["mark"]
        if kind in (pl.String, pl.Categorical, pl.Enum, pl.Null):
            return []
        return [f'mark: the column holds {kind}. Wanted: text, "[c]" where a number is hidden, else "".']
    if not any(frame[column].null_count() for column in shape.all_counts if column in frame.columns):
        return []
    return [
        'no column "mark", so nobody can tell hidden from unknown. Add it: "[c]" where a number is hidden, else "".'
    ]


def _with_full_mark(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with its marks as text without nulls, and last: before the counts they would name groups."""
    if "mark" not in frame.columns:
        return frame
    return frame.select(pl.exclude("mark"), pl.col("mark").cast(pl.String, strict=False).fill_null(""))
