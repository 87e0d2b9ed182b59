"""Ten linked tables of a made-up board, and a reader who lays tables side by side without the library.

The reader holds every table of whole numbers possible that agrees with all that is published: one unknown number of
children per atom (district × agency × quarter × age band), one line per published cell. It shares no code with the
library; where the linear programme answers in fractions, the search goes on in whole numbers.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix

TOTAL = "Total"
THRESHOLD = 6
AREA = {"D01": "North", "D02": "North", "D03": "Mid", "D04": "Mid", "D05": "South", "D06": "South"}
OLD_AREA = {district: "North 2019" if district < "D04" else "South 2019" for district in AREA}
AGENCIES = ("Education", "Health", "Police", "Probation", "Social care")
QUARTERS = ("Q1", "Q2", "Q3", "Q4")
AGES = ("0 to 9", "10 to 17")
BASE = ("district", "agency", "quarter", "age_band")
ATOMS = list(itertools.product(AREA, AGENCIES, QUARTERS, AGES))
PLACES = (*(("district", district) for district in AREA), *(("area", area) for area in ("Mid", "North", "South")))
PLACES += (("old_area", "North 2019"), ("old_area", "South 2019"), ("district", TOTAL))


def lookup() -> pl.DataFrame:
    """One row per district: the area it lies in now, and the one it lay in until 2019."""
    return pl.DataFrame({"district": list(AREA), "area": list(AREA.values()), "old_area": list(OLD_AREA.values())})


def children(seed: int = 225, size: int = 800) -> pl.DataFrame:
    """One row per made-up child: D03 is a small rural district, and in D05 few are counted in the last quarter."""
    of_district = dict(zip(AREA, (28, 22, 0.6, 20, 16, 14), strict=True))
    of_agency = dict(zip(AGENCIES, (20, 34, 28, 5, 13), strict=True))
    of_quarter = dict(zip(QUARTERS, (27, 26, 25, 22), strict=True))
    of_age = dict(zip(AGES, (60, 40), strict=True))
    few = {("D05", "Q4"): 1.5}
    weights = [
        of_district[district] * of_agency[agency] * of_age[age] * few.get((district, quarter), of_quarter[quarter])
        for district, agency, quarter, age in ATOMS
    ]
    rows = random.Random(seed).choices(ATOMS, weights, k=size)
    frame = pl.DataFrame(rows, schema=list(BASE), orient="row")
    return frame.with_row_index("child").join(lookup(), on="district", how="left", maintain_order="left")


def count_by(frame: pl.DataFrame, by: Sequence[str], summed: Sequence[str] | None = None) -> pl.DataFrame:
    """Children per group with a margin over every combination of the columns that are summed, and 0 where nobody is."""
    summed = by if summed is None else summed
    everywhere = {"district": sorted(AREA), "agency": AGENCIES}
    names = {column: everywhere.get(column) or sorted(set(frame[column])) for column in by}
    values = [[*names[column], *([TOTAL] if column in summed else [])] for column in by]
    rows = [(*cell, true_count(frame, dict(zip(by, cell, strict=True)))) for cell in itertools.product(*values)]
    return pl.DataFrame(rows, schema={**dict.fromkeys(by, pl.String), "count": pl.Int64}, orient="row")


def ten_tables(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """What a board would publish of these children in a year, each table by itself and with its margins."""
    quarters = {
        f"quarter_{number}_by_district": count_by(part, ["quarter", "district"], ["district"])
        for number in (1, 2, 3)
        for part in [frame.filter(quarter=f"Q{number}")]
    }
    return {
        "year_by_district_and_agency": count_by(frame, ["district", "agency"]),
        **quarters,
        "year_by_district": count_by(frame, ["district"]),
        "year_by_area_and_agency": count_by(frame, ["area", "agency"]),
        "year_by_old_area": count_by(frame, ["old_area"]),
        "year_by_old_area_and_agency": count_by(frame, ["old_area", "agency"]),
        "year_by_district_and_age": count_by(frame, ["district", "age_band"]),
        # Three of four quarters: a total of them would not be the year, so there is none.
        "quarters_by_agency": count_by(frame.filter(pl.col("quarter") != "Q4"), ["agency", "quarter"], ["agency"]),
    }


def groups_of(frame: pl.DataFrame) -> list[str]:
    return [column for column in frame.columns if column not in ("count", "mark")]


def in_words(cell: Mapping[str, str]) -> str:
    """A cell as the audit names it."""
    return ", ".join(f"{column}={value}" for column, value in cell.items())


def true_count(frame: pl.DataFrame, cell: Mapping[str, str]) -> int:
    """How many children a cell really has."""
    inside = [pl.col(column) == value for column, value in cell.items() if value != TOTAL]
    return frame.filter(pl.lit(True), *inside).height


def from_words(words: str) -> dict[str, str]:
    """A cell from the name the audit gives it; a part that names no group value is left out."""
    return dict(part.split("=", 1) for part in words.split(", ") if "=" in part)


_LABELS = {column: np.array([atom[place] for atom in ATOMS]) for place, column in enumerate(BASE)}
_LABELS["area"] = np.array([AREA[atom[0]] for atom in ATOMS])
_LABELS["old_area"] = np.array([OLD_AREA[atom[0]] for atom in ATOMS])


def mask_of(cell: Mapping[str, str]) -> np.ndarray:
    """The atoms that a cell counts."""
    parts = [_LABELS[column] == value for column, value in cell.items() if value != TOTAL]
    return np.logical_and.reduce([np.ones(len(ATOMS), dtype=bool), *parts])


class Published(NamedTuple):
    """A cell of a published table: ``count`` is None where it is hidden."""

    table: str
    cell: dict[str, str]
    mask: np.ndarray
    count: int | None


def published_cells(tables: Mapping[str, pl.DataFrame]) -> list[Published]:
    """Every cell of these tables, hidden or not."""
    return [
        Published(name, cell := {group: row[group] for group in groups_of(frame)}, mask_of(cell), row["count"])
        for name, frame in tables.items()
        for row in frame.iter_rows(named=True)
    ]


def unpublished_cells(tables: Mapping[str, pl.DataFrame]) -> list[dict[str, str]]:
    """Every cell of place × agency × quarter × age band, margins included, that stands in none of these tables."""
    printed = {one.mask.tobytes() for one in published_cells(tables)}
    found = {}
    crossed = itertools.product(PLACES, (*AGENCIES, TOTAL), (*QUARTERS, TOTAL), (*AGES, TOTAL))
    for (kind, place), agency, quarter, age in crossed:
        named = {kind: place, "agency": agency, "quarter": quarter, "age_band": age}
        cell = {column: value for column, value in named.items() if value != TOTAL}
        found.setdefault(mask_of(cell).tobytes(), cell)
    return [cell for mask, cell in found.items() if mask not in printed]


class Reader:
    """Somebody who has all these tables, knows which district lies where, and that a zero would have been shown."""

    def __init__(self, cells: Iterable[Published], rounded: Mapping[str, int] | None = None) -> None:
        ends: dict[bytes, tuple[np.ndarray, float, float]] = {}
        for one in cells:
            slack = (rounded or {}).get(one.table, 0) / 2
            low, high = (1.0, np.inf) if one.count is None else (one.count - slack, one.count + slack)
            _, before_low, before_high = ends.get(one.mask.tobytes(), (one.mask, 0.0, np.inf))
            ends[one.mask.tobytes()] = one.mask, max(low, before_low), min(high, before_high)
        masks, self.low, self.high = map(np.array, zip(*ends.values(), strict=True))
        self.matrix = csr_matrix(masks.astype(float))
        self.witnesses: list[np.ndarray] = []

    @property
    def facts(self) -> int:
        """Number of different cells."""
        return self.matrix.shape[0]

    def _solve(self, costs: np.ndarray, whole: bool) -> np.ndarray | None:
        found = milp(
            costs,
            constraints=LinearConstraint(self.matrix, self.low, self.high),
            bounds=Bounds(0, np.inf),
            integrality=np.full(len(ATOMS), int(whole)),
        )
        if found.status == 3:  # unbounded
            return None
        assert found.status == 0, found.message
        return found.x

    def end(self, mask: np.ndarray, sign: int, whole: bool = True) -> int | None:
        """The smallest (sign 1) or largest (-1) number of children a set of atoms can have; None where unbounded."""
        atoms = self._solve(sign * mask.astype(float), whole=False)
        if atoms is not None and whole and np.abs(atoms - np.rint(atoms)).max() > 1e-6:
            atoms = self._solve(sign * mask.astype(float), whole=True)
        if atoms is None:
            return None
        self.witnesses.append(atoms)
        value = float(mask @ atoms)
        return int(np.ceil(value - 1e-6) if sign > 0 else np.floor(value + 1e-6))

    def interval(self, mask: np.ndarray) -> tuple[int, int | None]:
        """The smallest and the largest number of children a set of atoms can have."""
        low = self.end(mask, 1)
        assert low is not None
        return low, self.end(mask, -1)

    def exactly_known(self, masks: Sequence[np.ndarray], seed: int = 1) -> list[int | None]:
        """Per set of atoms the only number it can have, or None; by linear programmes alone, so a few may be missed."""
        chance = np.random.default_rng(seed)
        for _ in range(20):
            self.witnesses.append(self._solve(chance.uniform(0, 1, len(ATOMS)), whole=False))
        found: list[int | None] = []
        for mask in masks:
            values = np.array(self.witnesses) @ mask
            if values.max() - values.min() >= 1:
                found.append(None)
                continue
            low, high = self.end(mask, 1, whole=False), self.end(mask, -1, whole=False)
            found.append(low if low == high else None)
        return found


class Leak(NamedTuple):
    """A hidden cell of which a reader knows more than its mark says."""

    table: str
    cell: str
    low: int
    high: int


def least_known(cells: Sequence[Published]) -> Reader:
    """A reader to whom everything but the zeros is hidden: what is known however much is hidden."""
    return Reader([one if one.count == 0 else one._replace(count=None) for one in cells])


def hidden_leaks(tables: Mapping[str, pl.DataFrame], rounded: Mapping[str, int] | None = None) -> list[Leak]:
    """Every hidden cell that is known exactly, or surely small and narrower than its mark says.

    Surely small is what can be at most 5. The mark says 1 to 5, or from the number of parts on that nobody can hide.
    """
    cells = published_cells(tables)
    reader, least = Reader(cells, rounded), least_known(cells)
    found, known = [], {}
    for one in (one for one in cells if one.count is None):
        key = one.mask.tobytes()
        if key not in known:
            known[key] = (*reader.interval(one.mask), least.end(one.mask, 1))
        low, high, first = known[key]
        if high is None:
            continue
        narrow = high < THRESHOLD and not (low <= first and high >= max(THRESHOLD - 1, first + 1))
        if low == high or narrow:
            found.append(Leak(one.table, in_words(one.cell), low, high))
    return found


def broken_promises(tables: Mapping[str, pl.DataFrame], truth: pl.DataFrame) -> list[Leak]:
    """Every hidden cell that is known exactly, or truly small and cannot have all the values its mark promises."""
    cells = published_cells(tables)
    reader, least = Reader(cells), least_known(cells)
    found = []
    for one in {one.mask.tobytes(): one for one in cells if one.count is None}.values():
        low, high = reader.interval(one.mask)
        first = least.end(one.mask, 1)
        small = true_count(truth, one.cell) < THRESHOLD
        wide = low <= first and (high is None or high >= max(THRESHOLD - 1, first + 1))
        if low == high or (small and not wide):
            found.append(Leak(one.table, in_words(one.cell), low, -1 if high is None else high))
    return found


class Difference(NamedTuple):
    """Two shown cells, one of which lies in the other and has a few children fewer."""

    whole: str
    part: str
    left: int
    mask: np.ndarray


def small_differences(tables: Mapping[str, pl.DataFrame]) -> list[Difference]:
    """Every pair of shown cells, one within the other, that differ by 1 to 5 children."""
    first: dict[bytes, Published] = {}
    for one in published_cells(tables):
        if one.count is not None:
            first.setdefault(one.mask.tobytes(), one)
    shown = first.values()
    return [
        Difference(in_words(one.cell), in_words(other.cell), one.count - other.count, one.mask & ~other.mask)
        for one, other in itertools.permutations(shown, 2)
        if 0 < one.count - other.count < THRESHOLD and not (other.mask & ~one.mask).any()
    ]


def small_unpublished(tables: Mapping[str, pl.DataFrame]) -> dict[str, int]:
    """Every cell that is printed nowhere and yet known to have exactly 1 to 5 children."""
    cells = unpublished_cells(tables)
    known = Reader(published_cells(tables)).exactly_known([mask_of(cell) for cell in cells])
    return {
        in_words(cell): count
        for cell, count in zip(cells, known, strict=True)
        if count is not None and 0 < count < THRESHOLD
    }
