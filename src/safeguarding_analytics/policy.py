"""Which numbers are hidden, how they are marked, and how well they are protected."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.tables import TOTAL


@dataclass(frozen=True)
class Policy:
    """Which counts are hidden, how they are marked, and how well they are protected.

    Parameters
    ----------
    threshold
        The smallest count that may be shown: 1 to threshold - 1 are hidden. A threshold of 1 hides nothing.
    zeros
        Whether a count of 0 is shown. Where zeros are shown, a reader knows that a hidden count is 1 or more.
    mark
        What is printed in place of every hidden number, small ones and those that protect them alike.
    protect
        ``"symbol"``: a reader must hold every value from 1 to threshold - 1 possible. ``"point"``: at least two values.
    round
        Base (5 or 10) to which counts are rounded, or None. With a threshold of 1 nothing is hidden and rounded totals
        still add up; with one of more than half the base, what is not hidden is rounded to the nearest multiple, each
        number by itself. One between them is refused: it would print people as 0.
    minimum_mean
        A mean of fewer people is hidden; how many they are may be shown.
    minimum_ballots
        What was worked out of fewer ballots is hidden.

    Examples
    --------
    >>> Policy.dfe().threshold, Policy.nhs().threshold, Policy.round10().threshold
    (6, 8, 1)
    """

    threshold: int = 6
    zeros: Literal["shown", "hidden"] = "shown"
    mark: str = "[c]"
    protect: Literal["symbol", "point"] = "symbol"
    round: Literal[5, 10] | None = None
    minimum_mean: int = 10
    minimum_ballots: int = 3

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be a whole number of 1 or more, such as 6. Found: {value!r}."
            for name in ("threshold", "minimum_mean", "minimum_ballots")
            if not _is_whole(value := getattr(self, name)) or value < 1
        ]
        words: tuple[tuple[str, str, tuple[str, str]], ...] = (
            ("zeros", self.zeros, ("shown", "hidden")),
            ("protect", self.protect, ("symbol", "point")),
        )
        problems += [
            f'{name} must be "{allowed[0]}" or "{allowed[1]}". Found: {word!r}.'
            for name, word, allowed in words
            if word not in allowed
        ]
        if self.round is not None and not (_is_whole(self.round) and self.round in (5, 10)):
            problems.append(f"round must be 5, 10 or None. Found: {self.round!r}.")
        elif self.round is not None and _is_whole(self.threshold) and 1 < self.threshold <= self.round // 2:
            problems.append(
                f"threshold must be {self.round // 2 + 1} or more where counts are rounded to the nearest "
                f"{self.round}, or people could be printed as 0. Found: {self.threshold!r}."
            )
        if not isinstance(self.mark, str) or not _seen_of(self.mark):
            problems.append(f'mark must be a text that can be seen, such as "[c]". Found: {self.mark!r}.')
        elif _reads_as_a_number(self.mark):
            problems.append(f'mark must not read as a number, but be such as "[c]". Found: {self.mark!r}.')
        if problems:
            raise ParameterError("\n".join(problems))

    @classmethod
    def dfe(cls) -> Policy:
        """Hide 1 to 5, as the Department for Education does for local authorities.

        References
        ----------
        DfE, Children in need 2021, data guidance: 1 to 5 replaced by c, secondary suppression where necessary.
        """
        return cls()

    @classmethod
    def nhs(cls) -> Policy:
        """Hide 1 to 7 and round the rest to the nearest 5, as NHS England does below national level.

        References
        ----------
        NHS England, Hospital Episode Statistics, disclosure control since September 2018: 1 to 7 replaced by ``*``,
        other counts rounded to the nearest 5, zeros shown.
        """
        return cls(threshold=8, mark="*", round=5)

    @classmethod
    def round5(cls) -> Policy:
        """Hide nothing and round every count to a multiple of 5 next to it, so that totals still add up.

        References
        ----------
        Hundepool et al., Handbook on Statistical Disclosure Control, chapter 5: controlled rounding.
        """
        return cls(threshold=1, round=5)

    @classmethod
    def round10(cls) -> Policy:
        """Hide nothing and round every count to a multiple of 10 next to it, so that totals still add up.

        References
        ----------
        Hundepool et al., Handbook on Statistical Disclosure Control, chapter 5: controlled rounding.
        """
        return cls(threshold=1, round=10)

    @property
    def controlled(self) -> bool:
        """Whether counts are rounded so that totals add up, instead of being hidden."""
        return self.round is not None and self.threshold == 1

    def hides(self, count: float | None) -> bool:
        """Whether a count is small.

        Examples
        --------
        >>> [Policy().hides(count) for count in (0, 1, 5, 6, None)]
        [False, True, True, False, False]
        """
        return count is not None and (0 if self.zeros == "hidden" else 1) <= count < self.threshold


def groups_of_few_ballots(ballots: Mapping[tuple[str, ...], int], minimum: int) -> set[tuple[str, ...]]:
    """The groups whose votes are hidden: of few ballots, and the next smallest, as long as the rest tells of them.

    Scores add up: who takes all other groups from the ranking of everybody has that of the hidden ones together.

    Examples
    --------
    >>> sorted(groups_of_few_ballots({("A",): 1, ("B",): 5, ("C",): 9, ("Total",): 15}, 3))
    [('A',), ('B',)]
    """
    inner = sorted((count, group) for group, count in ballots.items() if TOTAL not in group)
    few = {group for group, count in ballots.items() if count < minimum}
    for count, group in inner:
        together = [count for count, group in inner if group in few]
        if few and group and group not in few and (len(together) < 2 or sum(together) < minimum):
            few.add(group)
    return few


def _is_whole(value: object) -> bool:
    """Whether a value is a whole number, and not one that only equals it: 5.0 would be written down as 5.0."""
    return isinstance(value, int) and not isinstance(value, bool)


def _seen_of(text: str) -> str:
    """The characters of a text that can be seen: no spaces, control or format characters.

    Examples
    --------
    >>> _seen_of("\u200b [c]\ufeff")
    '[c]'
    """
    return "".join(character for character in text if unicodedata.category(character)[0] not in "CZ")


def _reads_as_a_number(text: str) -> bool:
    """Whether a reader, or a program that reads a table, may take a text for a number, a range, or none.

    Examples
    --------
    >>> [_reads_as_a_number(text) for text in ("1,234", "-", "NaN", "½", "[c]", "*", "c")]
    [True, True, True, True, False, False, False]
    """
    plain = re.sub(r"[-+−–—,.'’%()]", "", _seen_of(text))
    return plain.isnumeric() or plain.casefold() in ("", "nan", "inf", "infinity")
