"""A table that may be published: the only kind that charts, exports and releases take."""

from __future__ import annotations

import math
import re
from dataclasses import InitVar, dataclass, field

import polars as pl

from safeguarding_analytics.errors import DisclosureError, ParameterError, TableError, in_words, numbered, shorten
from safeguarding_analytics.exact_tests import holm
from safeguarding_analytics.personal import PERSONAL, looks_personal
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.shapes import Shape, shape_of
from safeguarding_analytics.tables import IDENTIFYING, TOTAL

WORKED_OUT_OF: dict[str, dict[str, tuple[str, ...]]] = {
    "proportion": dict.fromkeys(
        ("proportion", "lower", "upper", "lower_clustered", "upper_clustered"), ("numerator", "denominator")
    ),
    "rate": dict.fromkeys(("rate", "lower", "upper"), ("count", "population")),
    "funnel": {"value": ("observed", "size")},
    "attendance": {
        "attendance_rate": ("attended", "registered"),
        "take_up": ("attended", "capacity"),
        "share_of_places": ("attended",),
    },
    "coverage": {
        **dict.fromkeys(("reach", "lower", "upper"), ("people", "eligible_staff")),
        "share_of_places": ("places",),
    },
    "need": dict.fromkeys(("sessions_needed", "cost"), ("need",)),
    "progress": dict.fromkeys(("still_needed", "sessions_needed", "cost"), ("reached",)),
    "cost": {"cost_per_place": ("places",), "cost_per_person": ("people",)},
    "mean_change": {"degrees_of_freedom": ("mean_change",)},
    "item_change": {
        "share_before": ("n_pairs", "n_same_high", "n_down"),
        "share_after": ("n_pairs", "n_same_high", "n_up"),
        "p_value": ("n_up", "n_down"),
        "p_holm": ("p_value", "n_up", "n_down"),
    },
}
"""Per shape, what is worked out of a row, such as its shares and rates, and what must be shown with each."""

WANTED_COUNTS = "Wanted: whole numbers of 0 or more."
CORRECT = "Correct or leave out what is wrong."
_NEARLY = 1e-9

USE_SUPPRESS = "Use suppress(table, policy) to make the table safe."


@dataclass(frozen=True, eq=False, repr=False)
class Safe:
    """A table that may be published: hidden numbers are null, and nothing in it remembers them.

    Parameters
    ----------
    table
        A table of one of the shapes with a column ``mark``: the policy's mark where a number is hidden, else ``""``.
    policy
        The policy it was made under; its shown counts are checked against it.
    source
        Where an already public table comes from. A table needs a policy or a source.

    Raises
    ------
    DisclosureError
        When the table has an identifying column, a column of nested values, no full mark column, a marked row with
        numbers in it, or counts that are no whole numbers of 0 or more. Under a policy also when a group stands twice,
        a margin is misspelled, whole numbers stand in a column that is not of the shape, a mark is not the policy's, a
        shown count is small or not rounded, a number is shown without those it is worked out of, or a mean of fewer
        than ``minimum_mean`` people. The message says all that is wrong, and shows no count.
    TableError
        When it is no polars DataFrame, or has none of the shapes.
    ParameterError
        When the policy is no `Policy`.
    """

    table: InitVar[pl.DataFrame]
    policy: Policy | None = None
    source: str = ""
    shape: Shape = field(init=False)
    _frame: pl.DataFrame = field(init=False)

    def __post_init__(self, table: pl.DataFrame) -> None:
        _require_frame(table)
        if self.policy is not None and not isinstance(self.policy, Policy):
            raise ParameterError(
                f"policy must be a Policy, such as Policy.dfe(). Found: {type(self.policy).__name__}. {USE_SUPPRESS}"
            )
        shape = shape_of(table.columns)
        if self.policy is None and not self.source.strip():
            raise DisclosureError(
                f"a table is safe under a policy or from a public source. Found: none. {USE_SUPPRESS}"
            )
        problems = _problems(table, shape, self.policy)
        if problems:
            raise DisclosureError("\n".join(problems))
        object.__setattr__(self, "shape", shape)
        # Rebuilt value by value: a null made by polars may keep the old number in the memory beneath it.
        columns = [pl.Series(one.name, one.to_list(), dtype=one.dtype) for one in table.get_columns()]
        object.__setattr__(self, "_frame", pl.DataFrame(columns))

    def frame(self) -> pl.DataFrame:
        """The table as it may be published: same rows and columns, hidden numbers null, and ``mark``."""
        return self._frame.clone()

    @property
    def hidden(self) -> int:
        """Number of rows in which something is hidden."""
        return int((self._frame["mark"] != "").sum())

    def __repr__(self) -> str:
        return f"Safe({self.shape.name}, {self._frame.height:,} rows, {self.hidden:,} hidden)"


class Binding(Safe):
    """A table of the same data of which more was hidden for the sake of others: all it hides must be hidden again."""


def already_public(table: pl.DataFrame, source: str) -> Safe:
    """Wrap figures that a publisher has already controlled; nothing is hidden and nothing is proven.

    Parameters
    ----------
    table
        A table of one of the shapes. A column ``mark`` is kept (``"[c]"``, ``"[x]"``, else ``""``); rows with a mark
        must have no numbers.
    source
        Publication, table and year.

    Returns
    -------
    Safe
        The same rows and columns and ``mark``; ``policy`` is None.

    Raises
    ------
    DisclosureError
        When a column is identifying or holds nested values, a marked row has numbers in it, or counts are no whole
        numbers of 0 or more.
    TableError
        When it is no polars DataFrame, or has none of the shapes.
    ParameterError
        When the source is empty.

    Examples
    --------
    >>> england = pl.DataFrame({"place": ["England"], "numerator": [None], "denominator": [None], "proportion": [0.22]})
    >>> already_public(england, "DfE, Children in need 2024, table D3")
    Safe(proportion, 1 rows, 0 hidden)
    """
    _require_frame(table)
    if not source.strip():
        raise ParameterError('source is empty. Say where the figures are published, such as "DfE, table D3, 2024".')
    mark = pl.col("mark").fill_null("") if "mark" in table.columns else pl.lit("").alias("mark")
    return Safe(table.with_columns(mark.cast(pl.String)), None, source)


def _require_frame(table: object) -> None:
    if not isinstance(table, pl.DataFrame):
        raise TableError(
            f"a safe table is made of a polars DataFrame. Found: {type(table).__name__}. "
            "Collect or convert it first, such as with polars.from_pandas(table)."
        )


def number_columns(frame: pl.DataFrame, shape: Shape) -> list[str]:
    """The columns that are hidden with a row: all but the names of the group and the context."""
    others = {*shape.group_columns(frame.columns), *shape.context, *shape.names, "mark"}
    return [column for column in frame.columns if column not in others]


def refuse_identifying(table: pl.DataFrame) -> None:
    """Raise a `DisclosureError` when a column of a table identifies people."""
    problems = identifying_problems(table)
    if problems:
        raise DisclosureError("\n".join(problems))


def identifying_columns(columns: list[str]) -> list[str]:
    """The columns that identify people, or by their names could: a note is text and hidden with its row."""
    return [column for column in columns if looks_personal(column, words=PERSONAL)]


def identifying_problems(table: pl.DataFrame) -> list[str]:
    """One sentence where columns of a table identify people and one where by their names they could, else none.

    Examples
    --------
    >>> identifying_problems(pl.DataFrame(schema=["UPN", "course_name", "count"]))[0]
    'UPN looks like a column that identifies people. Count by other columns first, or rename it if it does not.'
    """
    found = identifying_columns(table.columns)
    sure = [column for column in found if column in IDENTIFYING]
    likely = [column for column in found if column not in IDENTIFYING]
    problems = []
    if sure:
        verb = "identifies" if len(sure) == 1 else "identify"
        problems.append(f"{shorten(sure)} {verb} people and cannot be published. Count by other columns first.")
    if likely:
        looks, rename = (
            ("looks like a column that identifies", "it if it does")
            if len(likely) == 1
            else ("look like columns that identify", "them if they do")
        )
        problems.append(f"{shorten(likely)} {looks} people. Count by other columns first, or rename {rename} not.")
    return problems


def count_problems(counts: pl.Series, *, may_be_unknown: bool = True) -> list[str]:
    """What is wrong with a column that counts people: a sentence per kind of mistake, none of which shows a count.

    Examples
    --------
    >>> count_problems(pl.Series("count", [-3.0, 2.5, 7.0, None]))[0]
    'count: 1 of 4 rows is negative (row 1). Wanted: whole numbers of 0 or more. Correct or leave out what is wrong.'
    >>> count_problems(pl.Series("count", [0, 7]))
    []
    """
    if not counts.dtype.is_numeric() and counts.dtype != pl.Null:
        found = "text" if counts.dtype == pl.String else str(counts.dtype)
        rows = numbered(len(counts), "row")
        return [f"{counts.name}: the column holds {found} in {rows}. {WANTED_COUNTS} Cast it to Int64 first."]
    if counts.dtype.is_integer() and not (counts < 0).any() and (may_be_unknown or not counts.null_count()):
        return []  # as nearly always: every table is looked at several times on its way
    numbers = counts.cast(pl.Float64)
    mistakes = {
        "negative": numbers.is_finite() & (numbers < 0),
        "fractional": numbers.is_finite() & (numbers != numbers.round()),
        "infinite or not a number": ~numbers.is_finite(),
        "missing": numbers.is_null() & (not may_be_unknown),
    }
    return [
        f"{counts.name}: {of_rows(wrong)} {what} ({in_rows(wrong)}). {WANTED_COUNTS} {CORRECT}"
        for what, wrong in mistakes.items()
        if wrong.any()
    ]


def repeat_problems(table: pl.DataFrame, shape: Shape) -> list[str]:
    """One sentence where a group stands in more than one row, else none."""
    groups = [*shape.group_columns(table.columns), *(name for name in shape.names if name in table.columns)]
    repeated = (
        ~table.select(pl.struct(groups).is_first_distinct()).to_series()
        if groups
        else pl.int_range(table.height, eager=True) > 0
    )
    if not repeated.any():
        return []
    verb = "repeats" if repeated.sum() == 1 else "repeat"
    return [
        f"{repeated.sum():,} of {table.height:,} rows {verb} a group that stands above: {in_rows(repeated)}, by "
        f"{', '.join(groups) or 'no column'}. Wanted: one row per group. Add them up, or group by one more column."
    ]


PROPER_NAMES = ("saints", "souls", "hallows")
"""What follows "All" in the names of schools and churches."""

PEOPLE = ("children", "people", "staff", "men", "women")
"""Plurals and collectives that do not end in s."""


def reads_as_total(value: str) -> bool:
    """Whether the name of a group says that it adds up others, in any case, spacing and punctuation.

    So do all, any, sum, overall, total, subtotal and grand total, whatever ends in "total", and "all" before a plural:
    a word that ends in s, or one of `PEOPLE`. "All" before one of `PROPER_NAMES` begins a name.

    Examples
    --------
    >>> [reads_as_total(name) for name in ("Grand Total", "ALL", "All children", "District total", "Sub-totals")]
    [True, True, True, True, True]
    >>> [reads_as_total(name) for name in ("All Saints", "Allerton", "Any other group", "Totally Kids", "Total Care")]
    [False, False, False, False, False]
    """
    words = re.sub(r"[\W_]+", " ", value.casefold()).split()
    plain = " ".join(words)
    if len(words) > 1 and words[0] == "all":
        return words[1] not in PROPER_NAMES and (words[-1].endswith("s") or words[-1] in PEOPLE)
    return plain in ("all", "any", "sum", "overall") or re.fullmatch(r"(.* )?(sub)?totals?", plain) is not None


def margin_problems(table: pl.DataFrame, shape: Shape, *, public: bool = False) -> list[str]:
    """One sentence per group column with a total of another name: as a group of its own it gives hidden rows away.

    Public tables have their publisher's names; of them only "total" in other letters is named.
    """
    problems = []
    for column in shape.group_columns(table.columns):
        if table.schema[column] in (pl.String, pl.Categorical, pl.Enum):
            values = table[column].cast(pl.String)
            distinct = values.drop_nulls().unique(maintain_order=True).to_list()
            found = [
                value
                for value in distinct
                if value != TOTAL and reads_as_total(value) and not (public and value.strip().casefold() != "total")
            ]
            if found:
                names = shorten([f'"{value}"' for value in found])
                wrong = values.is_in(found)
                says, step = (
                    ("reads as a total", f'If it is one, call it "{TOTAL}"; if not, name the group otherwise.')
                    if wrong.sum() == 1
                    else ("read as totals", f'If they are, call them "{TOTAL}"; if not, name the groups otherwise.')
                )
                problems.append(f"{column}: {in_rows(wrong)} ({names}) {says}. {step}")
    return problems


def of_rows(wrong: pl.Series) -> str:
    """How many rows have a flag set, and the verb.

    Examples
    --------
    >>> of_rows(pl.Series([True, False, None]))
    '1 of 3 rows is'
    """
    return f"{wrong.sum():,} of {len(wrong):,} rows {'is' if wrong.sum() == 1 else 'are'}"


def in_rows(wrong: pl.Series) -> str:
    """Where a flag is set, as rows counted from 1."""
    places = [place + 1 for place in wrong.fill_null(False).arg_true().to_list()]
    return f"{'row' if len(places) == 1 else 'rows'} {shorten(places)}"


def _problems(table: pl.DataFrame, shape: Shape, policy: Policy | None) -> list[str]:
    """All that keeps a table from being safe, a sentence each."""
    counts = [column for column in (*shape.all_counts, "n_ballots") if column in table.columns]
    wrong_counts = [problem for column in counts for problem in count_problems(table[column])]
    wrong_marks = _mark_problems(table, policy)
    found = [*identifying_problems(table), *nested_problems(table), *wrong_counts, *wrong_marks]
    if not wrong_marks:
        found += _marked_row_problems(table, shape)
    if policy is not None and not wrong_counts and not wrong_marks:
        found += [*repeat_problems(table, shape), *margin_problems(table, shape), *extra_problems(table, shape)]
        found += _few_ballots_problems(table, policy) if shape.of_ballots else []
        found += [problem for column in shape.all_counts for problem in _shown_problems(table, column, policy)]
        found += [*_share_problems(table, shape), *([] if shape.of_ballots else _correction_problems(table))]
        found += _mean_problems(table, shape, policy)
    return found


def nested_problems(table: pl.DataFrame) -> list[str]:
    """One sentence per column of lists, structures or objects: they could carry hidden numbers past every check."""
    nested = [name for name, dtype in table.schema.items() if dtype.is_nested() or dtype in (pl.Object, pl.Binary)]
    return [
        f"{name}: the column holds {table.schema[name]}. Wanted: text, numbers, yes/no or dates. Take it out, or apart."
        for name in nested
    ]


def extra_problems(table: pl.DataFrame, shape: Shape) -> list[str]:
    """One sentence per column of numbers that is not of the shape: nothing checks what it would give away.

    Examples
    --------
    >>> extra_problems(pl.DataFrame({"agency": ["A"], "count": [9], "girls": [2], "note": ["b"]}), shape_of(["count"]))
    ['girls is no column of a count table and would be shown as it is. Drop it.']
    """
    known = {*shape.group_columns(table.columns), *shape.columns, "mark"}
    article = "an" if shape.name[0] in "aeiou" else "a"
    return [
        f"{name} is no column of {article} {shape.name} table and would be shown as it is. Drop it."
        for name, dtype in table.schema.items()
        if name not in known and dtype.is_numeric()
    ]


def _mark_problems(table: pl.DataFrame, policy: Policy | None) -> list[str]:
    if "mark" not in table.columns or table["mark"].null_count() or table.schema["mark"] != pl.String:
        return [f'this table has no full column "mark" of text. {USE_SUPPRESS}']
    other = table["mark"].is_in(["", policy.mark]).not_() if policy else pl.Series([False])
    if not other.any():
        return []
    return [
        f"mark: {of_rows(other)} marked otherwise ({in_rows(other)}). Wanted: the one mark of the policy in every row "
        f"with a hidden number, and an empty text in all others. {USE_SUPPRESS}"
    ]


def _marked_row_problems(table: pl.DataFrame, shape: Shape) -> list[str]:
    marked = table["mark"] != ""
    full = ~_all_null(number_columns(table, shape))
    if shape.parts or shape.means:
        # A row that shows its first count may be marked for its parts or its means, hidden together, or for one count.
        own = [[column] for column in shape.own]
        present = [[one for one in columns if one in table.columns] for columns in (shape.parts, shape.means, *own)]
        partly = pl.any_horizontal(pl.lit(False), *(_all_null(columns) for columns in present if columns))
        full &= pl.col(shape.counts[0]).is_null() | ~partly
    wrong = marked & table.select(full.alias("full"))["full"]
    if not wrong.any():
        return []
    return [
        f"{wrong.sum():,} of {marked.sum():,} marked rows still have numbers in them: {in_rows(wrong)}. "
        f"Wanted: no number beside a mark. {USE_SUPPRESS}"
    ]


def _all_null(columns: list[str]) -> pl.Expr:
    return pl.all_horizontal(pl.lit(True), *(pl.col(column).is_null() for column in columns))


def _few_ballots_problems(table: pl.DataFrame, policy: Policy) -> list[str]:
    if "n_ballots" not in table.columns:
        return [
            'this ranking has no column "n_ballots", so nobody can tell whether enough people voted. '
            f"Wanted: {policy.minimum_ballots} ballots or more. {USE_SUPPRESS}"
        ]
    enough = (table["n_ballots"] >= policy.minimum_ballots).fill_null(False)
    small = (table["mark"] == "") & ~enough
    if not small.any():
        return []
    return [
        f"n_ballots: {of_rows(small)} shown that the policy hides ({in_rows(small)}). "
        f"Wanted: {policy.minimum_ballots} ballots or more. {USE_SUPPRESS}"
    ]


def _shown_problems(table: pl.DataFrame, column: str, policy: Policy) -> list[str]:
    """Whether shown counts are large enough, and rounded where the policy rounds."""
    if column not in table.columns:
        return []
    counts = table[column].cast(pl.Int64)
    small = (counts > 0) & (counts < _smallest_shown(policy))
    if policy.zeros == "hidden" and not policy.controlled:
        small |= counts == 0
    unrounded = counts % policy.round != 0 if policy.round else counts.is_null() & False
    problems = []
    if small.any():
        problems.append(f"{column}: {of_rows(small)} shown that the policy hides ({in_rows(small)}). {USE_SUPPRESS}")
    if unrounded.any():
        wanted = f"Wanted: multiples of {policy.round}, as the policy says."
        problems.append(f"{column}: {of_rows(unrounded)} not rounded ({in_rows(unrounded)}). {wanted} {USE_SUPPRESS}")
    return problems


def _smallest_shown(policy: Policy) -> int:
    """The smallest number that a count may show: the threshold, or a multiple that it may be rounded to.

    With a threshold of 6 and a base of 5, a 5 stands for 6 or 7: smaller counts are hidden.
    """
    base = policy.round
    return policy.threshold if base is None else math.ceil(policy.threshold / base - 0.5) * base


def _share_problems(table: pl.DataFrame, shape: Shape) -> list[str]:
    """Shares and rates that are shown in rows where a count they are worked out of is not."""
    problems = []
    for column, counts in WORKED_OUT_OF.get(shape.name, {}).items():
        if column in table.columns:
            unseen = [pl.col(count).is_null() if count in table.columns else pl.lit(True) for count in counts]
            alone = table.select((pl.col(column).is_not_null() & pl.any_horizontal(unseen)).alias("alone"))["alone"]
            if alone.any():
                problems.append(
                    f"{column}: {of_rows(alone)} shown without {in_words(list(counts))} ({in_rows(alone)}). "
                    f"Wanted: a number only where all is shown that it is worked out of. {USE_SUPPRESS}"
                )
    return problems


def corrected_by_what_is_shown(table: pl.DataFrame) -> pl.Series:
    """Holm's correction of p-values by those that are shown: the hidden ones are taken for 1.

    Corrected with them, the p-values of other rows would tell how small the hidden ones are. Taken for 1 they count as
    tests, and no corrected p-value comes out smaller than with the true ones.

    Examples
    --------
    Three tests, one of them hidden: 3 × 0.01 and 2 × 0.04.

    >>> table = pl.DataFrame({"p_value": [0.04, None, 0.01], "mark": ["", "[c]", ""]})
    >>> corrected_by_what_is_shown(table).to_list()
    [0.08, None, 0.03]
    """
    marked = (table["mark"] != "").to_list()
    known = table["p_value"].to_list() if "p_value" in table.columns else [None] * table.height
    corrected = holm([1.0 if flag else p for flag, p in zip(marked, known, strict=True)])
    values = [None if flag else p for flag, p in zip(marked, corrected, strict=True)]
    return pl.Series("p_holm", values, dtype=pl.Float64)


def _correction_problems(table: pl.DataFrame) -> list[str]:
    """Corrected p-values that tell of the p-values of hidden rows."""
    if "p_holm" not in table.columns or not (table["mark"] != "").any():
        return []
    off = (table["p_holm"] - corrected_by_what_is_shown(table)).abs() > _NEARLY
    wrong = table["p_holm"].is_not_null() & off.fill_null(True)
    if not wrong.any():
        return []
    return [
        f"p_holm: {of_rows(wrong)} corrected with p-values that are hidden ({in_rows(wrong)}). "
        f"Wanted: a correction that takes hidden p-values for 1. {USE_SUPPRESS}"
    ]


def _mean_problems(table: pl.DataFrame, shape: Shape, policy: Policy) -> list[str]:
    """Means that are shown of too few people, or of nobody knows how many."""
    means = [column for column in shape.means if column in table.columns]
    if not means:
        return []
    enough = (table[shape.counts[0]] >= policy.minimum_mean).fill_null(False)
    few = ~enough & table.select((~_all_null(means)).alias("shown"))["shown"]
    if not few.any():
        return []
    return [
        f"{shape.counts[0]}: {of_rows(few)} too small for the mean that is shown, or empty ({in_rows(few)}). "
        f"Wanted: {policy.minimum_mean} people or more beside {shorten(means, most=len(means))}. {USE_SUPPRESS}"
    ]
