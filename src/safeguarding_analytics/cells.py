"""What stands in a cell: how a number is rounded for readers, what stands in its place, and what that says.

Decided here alone, for sentences, tables and charts of a page, the PDF that is made of it, and files.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import ROUND_HALF_UP, Decimal

HIDDEN_NOTE = "hidden because the number is small, or because it would give a small number away"
"""What the mark of any policy says."""

NOT_AVAILABLE = "[x]"
"""In files, for a number that is not known and not hidden."""

NOT_APPLICABLE = "[z]"
"""In files, where there is nothing to say, such as the rule that a month of ordinary variation meets."""

NO_NUMBER = "–"
"""On pages, for a number that is not known and not hidden."""

NOT_STATED = "not stated"
"""For a group without a name."""

MARKS = {
    NOT_AVAILABLE: "not available: not known, not settled, or nothing to divide by",
    NOT_APPLICABLE: "not applicable: there is nothing to say",
    "[u]": "too unreliable to publish",
    "[low]": "rounds to 0",
    "[-]": "not published (the source does not say why)",
    "[:]": "not available",
    "[k]": "rounds to 0",
    NO_NUMBER: "not known, or nothing to divide by",
}
"""What those say that do not hide a small number, as DfE uses them. A page's script reads a meaning up to its stop."""


def meaning_of(mark: str) -> str:
    """What a mark says; one that is not in `MARKS` is the mark of a policy, and hides a small number.

    Examples
    --------
    >>> meaning_of("[u]")
    'too unreliable to publish'
    >>> meaning_of("*") == meaning_of("[c]") == HIDDEN_NOTE
    True
    """
    return MARKS.get(mark, HIDDEN_NOTE)


def meanings_of(marks: Collection[str]) -> list[str]:
    """A sentence for each mark that stands in a table, in the order of the marks.

    Examples
    --------
    >>> meanings_of({"[u]", "", "[low]"})
    ['[low] = rounds to 0.', '[u] = too unreliable to publish.']
    """
    return [f"{mark} = {meaning_of(mark)}." for mark in sorted(marks) if mark]


def rounded(value: float, decimals: int = 0) -> Decimal:
    """A number with so many decimals, as it is printed: a half of the decimal number goes away from 0.

    Spreadsheets round what a cell shows alike, and the expressions of charts do (`chart_marks.in_digits`). Python's
    own formats round the binary number instead, which falls short of many a half.

    Parameters
    ----------
    value
        A finite number. What it has beyond nine decimals is taken for the noise of reckoning.
    decimals
        0 or more.

    Returns
    -------
    Decimal
        With so many decimals, also where they are noughts; 0 has no sign. ``f"{rounded(value, 1):,}"`` prints it with
        thousands separators.

    Examples
    --------
    >>> [str(rounded(value, 1)) for value in (10.85, 0.05, -0.25, -0.04)]
    ['10.9', '0.1', '-0.3', '0.0']
    >>> f"{rounded(2.675, 2)}, {rounded(1249.5):,}"
    '2.68, 1,250'
    """
    shown = Decimal(repr(round(float(value), 9))).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return shown + 0  # -0.0 becomes 0.0


def with_minus(value: float, decimals: int = 1) -> str:
    """A number with so many decimals, and a minus sign where it is below 0, as axes have it.

    Parameters
    ----------
    value
        The number.
    decimals
        0 or more.

    Examples
    --------
    >>> with_minus(-1.64), with_minus(0.456, 2), with_minus(-0.04)
    ('−1.6', '0.46', '0.0')
    """
    return f"{rounded(value, decimals):,}".replace("-", "−")
