"""Random choices of the synthetic board: the same from the same seed, everywhere."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import accumulate
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Draws:
    """Random choices that are the same on every platform and version of Python.

    Only ``Random.random`` promises that; ``shuffle``, ``choice`` and ``gauss`` do not, and ``sum`` of decimals changed
    in Python 3.12. So everything is built from that one function, whole numbers and `math.fsum`.
    """

    def __init__(self, seed: int, table: str) -> None:
        self._uniform = Random(f"{seed} {table}").random

    def chance(self, percent: int) -> bool:
        """Whether something so likely happens."""
        return self._uniform() * 100 < percent

    def whole(self, lowest: int, highest: int) -> int:
        """One of the whole numbers from lowest to highest."""
        return lowest + int(self._uniform() * (highest - lowest + 1))

    def one(self, values: Sequence[T]) -> T:
        """One of the values, each as likely."""
        return values[self.whole(0, len(values) - 1)]

    def weighted(self, weights: Mapping[T, int]) -> T:
        """One of the values, as likely as its weight."""
        reached = list(accumulate(weights.values()))
        return list(weights)[bisect(reached, self.whole(0, reached[-1] - 1))]

    def shuffled(self, values: Iterable[T]) -> list[T]:
        """The values in another order."""
        return sorted(values, key=lambda _: self._uniform())

    def bell(self) -> float:
        """Nearly standard normal: no logarithm or sine, which differ between platforms in the last digit."""
        return math.fsum(self._uniform() for _ in range(12)) - 6.0

    def working_day(self, first: date, last: date) -> date:
        """One of the days from Monday to Friday between two, which must hold one."""
        while (day := first + timedelta(days=self.whole(0, (last - first).days))).weekday() > 4:
            pass
        return day
