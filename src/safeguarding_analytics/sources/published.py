"""Figures typed in from public documents (`data/published`), as text, nothing added."""

from __future__ import annotations

import polars as pl

from safeguarding_analytics.errors import ParameterError, nearest
from safeguarding_analytics.package_files import folder_of

FILES = folder_of("published", "data/published")
"""Folder of the files."""


def read_published(name: str) -> pl.DataFrame:
    """Read one of the files of published figures.

    Parameters
    ----------
    name
        Name of the file without its ending, such as ``"kent_indicators_2007_08"``.

    Returns
    -------
    pl.DataFrame
        One row per row of the file, all columns as text as printed; an empty cell (nothing printed) is null.

    Raises
    ------
    ParameterError
        When there is no such file.

    References
    ----------
    The documents are named in ``data/published/README.md``.

    Examples
    --------
    >>> read_published("kirklees_priorities_2015")["priority"].to_list()[:2]
    ['Neglect', 'Child Sexual Exploitation']
    """
    names = sorted(path.stem for path in FILES.glob("*.csv"))
    if name not in names:
        raise ParameterError(f'there is no file of published figures "{name}".{nearest(name, names)}')
    return pl.read_csv(FILES / f"{name}.csv", infer_schema=False)
