"""Tables that broke no rule, kept while one run lasts, so that each of its processes need not check them again.

They hold rows about people, and stand in a folder that only this user may read and that is gone with its process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from safeguarding_analytics.contracts import Checked, no_problems
from safeguarding_analytics.temporary_folders import temporary_folder

PLACE = "SAFEGUARDING_CHECKED"
"""Environment variable that tells the processes of a run where the tables are."""


@contextmanager
def tables_kept(version: str, tables: Iterable[str], checked: Callable[[str], Checked]) -> Iterator[None]:
    """Keep tables for this process and for those that it starts, until the end of the context.

    Parameters
    ----------
    version
        Of what data they are. Tables of other data are kept beside them.
    tables
        Their names. None of them may have broken a rule.
    checked
        Gives a table by name.

    Notes
    -----
    Where they cannot be written, as the disk is full, every process checks them itself.
    """
    if kept_at(version) is not None:
        yield
        return
    with temporary_folder() as folder:
        place = folder / version
        try:
            place.mkdir()
            for name in tables:
                checked(name).frame.write_parquet(_file(place, name))
        except OSError:
            yield
            return
        tell(os.pathsep.join([str(folder), *_folders()]))
        try:
            yield
        finally:
            tell(os.pathsep.join(each for each in _folders() if each != str(folder)))


def told() -> str:
    """What says where tables are kept, for `tell`; empty where none are."""
    return os.environ.get(PLACE, "")


def tell(said: str) -> None:
    """Tell the processes that start from now on; runs beside this one, in other threads, tell of their own."""
    if said:
        os.environ[PLACE] = said
    else:
        os.environ.pop(PLACE, None)


def _folders() -> list[str]:
    return [each for each in told().split(os.pathsep) if each]


def kept_at(version: str) -> Path | None:
    """Where the tables of such data are kept; None where they are not."""
    return next((place for folder in _folders() if (place := Path(folder) / version).is_dir()), None)


def kept_table(place: Path, table: str) -> Checked:
    """A table as it was kept."""
    return Checked(pl.read_parquet(_file(place, table)), no_problems())


def _file(place: Path, table: str) -> Path:
    return place / f"{table}.parquet"
