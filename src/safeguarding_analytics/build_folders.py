"""Where a run builds what will stand beside it, and what runs that were killed have left there."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from pathlib import Path
from tempfile import TemporaryFile

_ONE_DAY = 24 * 60 * 60


def being_built(place: Path, beginning: str) -> Path:
    """Where this run builds what will stand at a place: beside it, under a name that no other run has.

    Parameters
    ----------
    place
        What is built.
    beginning
        How the folders of such runs begin. A digest of this computer's name follows, as a drive may be shared by
        computers, and the number of this process.
    """
    return place.with_name(f"{beginning}{_computer()}-{os.getpid()}")


def _computer() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def sweep(folder: Path, beginning: str) -> None:
    """Remove what runs that were killed have left beside a place: it was never audited.

    Parameters
    ----------
    folder
        Folder that holds the place.
    beginning
        How the folders of runs begin (see `being_built`). Those of processes that run on this computer are kept, and
        those of other computers for a day: whether their processes run cannot be told from here.
    """
    own = f"{beginning}{_computer()}-"
    for left in folder.iterdir() if folder.is_dir() else ():
        ours = left.name.startswith(own)
        if left.name.startswith(beginning) and (not _runs(left.name.removeprefix(own)) if ours else _is_old(left)):
            shutil.rmtree(left, ignore_errors=True)


def _runs(process: str) -> bool:
    """Whether another process of this computer has that number."""
    import psutil

    return process.isdigit() and int(process) != os.getpid() and psutil.pid_exists(int(process))


def _is_old(left: Path) -> bool:
    """Whether a folder is older than a day, by the clock of the drive that it is on."""
    try:
        with TemporaryFile(dir=left.parent) as now:
            return os.fstat(now.fileno()).st_mtime - left.stat().st_mtime > _ONE_DAY
    except OSError:  # it has gone meanwhile, or is on a drive that cannot be written to
        return False
