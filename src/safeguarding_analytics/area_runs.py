"""Which reports are to be made for many areas: one for each value of a column, or one for each row of a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from safeguarding_analytics.areas import AREA_COLUMNS
from safeguarding_analytics.board import read_board
from safeguarding_analytics.errors import ParameterError, SafeguardingError, in_words
from safeguarding_analytics.sources.files import READABLE, ROW, read_table

NAME, FOLDER = "name", "folder"
"""Columns of a file of reports: what each is called, and the board's folder, as seen from the file."""

NOT_A_NAME = frozenset({"release", "pack", "tables"})
"""Names that folders beside the areas have."""


@dataclass(frozen=True)
class AreaRun:
    """One of the reports: ``name`` is that of its folder, ``said`` what people call it."""

    name: str
    said: str
    board: Path
    parameters: Mapping[str, str] = field(default_factory=dict)


def area_runs(
    folder: Path, each: str, common: Mapping[str, str], check: Callable[[Mapping[str, str]], None]
) -> list[AreaRun]:
    """The reports that are to be made.

    Parameters
    ----------
    folder
        A board's folder.
    each
        A column of areas, for a report of each of its values; or a CSV, XLSX or Parquet file, for one of each of its
        rows: ``name``, perhaps ``folder`` (else that of the board), and parameters of the notebooks. An empty cell sets
        no parameter.
    common
        Parameters of all reports.
    check
        Raises a `ParameterError` where parameters are not known, or of the wrong type.

    Returns
    -------
    list[AreaRun]
        In the order of the file, or sorted by value.

    Raises
    ------
    TableError
        When the file cannot be read.
    ParameterError
        When no table has the column; or with everything that is wrong with the file: a row without a name, a name that
        stands twice, a folder that is not there, a parameter that is not known.
    """
    if Path(each).suffix.lower() in READABLE:
        return _of_file(Path(each), folder, common, check)
    if each not in AREA_COLUMNS:
        raise ParameterError(
            f'--for-each: "{each}" is neither a column ({", ".join(AREA_COLUMNS)}) nor a file '
            f"({', '.join(sorted(READABLE))}). Name one of them."
        )
    found = read_board(folder).areas(each)
    if not found:
        raise ParameterError(f'--for-each: no table of {folder} has a column "{each}" with values in it.')
    check({**common, "area": f"{each}={found[0]}"})
    runs = [AreaRun(_file_name(one), one, folder, {**common, "area": f"{each}={one}"}) for one in found]
    _refuse([f"{each} {sentence}" for sentence in _same_names(runs)])
    return runs


def _of_file(
    path: Path, folder: Path, common: Mapping[str, str], check: Callable[[Mapping[str, str]], None]
) -> list[AreaRun]:
    frame = read_table(path).frame
    if NAME not in frame.columns:
        raise ParameterError(f'{path.name}: there is no column "{NAME}". Add one: it names the folder of each report.')
    runs, problems = [], []
    for row in frame.to_dicts():
        place, said = f"{path.name}, row {row.pop(ROW)}", row.pop(NAME)
        board = path.parent / row.pop(FOLDER) if row.get(FOLDER) else folder
        parameters = {**common, **{name: text for name, text in row.items() if text is not None and name != FOLDER}}
        if not said or not _file_name(said):
            problems.append(f"{place}: the name is empty. Write one with letters or digits.")
        if not board.is_dir():
            problems.append(f"{place}: there is no folder {board.name}. Write where the board's folder is.")
        try:
            check(parameters)
        except SafeguardingError as error:
            problems.append(f"{place}: {error}")
        runs.append(AreaRun(_file_name(said or ""), said or "", board, parameters))
    if not runs:
        problems.append(f"{path.name}: it has no row below its header.")
    _refuse([*problems, *(f"{path.name}: {sentence}" for sentence in _same_names(runs))])
    return runs


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise ParameterError("\n".join(problems))


def _same_names(runs: Sequence[AreaRun]) -> list[str]:
    """A sentence for each folder that two reports would have, or that is another one's."""
    names = [run.name for run in runs]
    found = []
    for name in dict.fromkeys(names):
        said = [run.said for run in runs if run.name == name]
        if name and len(said) > 1:
            found.append(f"{in_words(said)} would be put into one folder, {name}. Give them different names.")
        if name in NOT_A_NAME:
            found.append(f"{said[0]} cannot name a folder of a report. Give it another name.")
    return found


def _file_name(said: str) -> str:
    """The name of a folder for what people call an area.

    Examples
    --------
    >>> _file_name("Tonbridge & Malling")
    'tonbridge_malling'
    """
    return re.sub(r"[\W_]+", "_", said.casefold()).strip("_")
