"""Folders in the temporary folder that are gone with their process: if it was killed, the next one removes them.

Each holds a file that its process keeps locked. The system takes the lock away when that process ends, however that is,
so nothing hangs on numbers of processes, which are given again, and which other containers do not see.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir, mkdtemp

BEGINNING = "sg"
"""How the names of such folders begin: in few characters, because the path of a socket may not have many."""

OWNED = ".safeguarding-process"
"""Name of the locked file. A folder without it is not one of ours."""

CLEARINGS = 50
"""Attempts to clear a folder, a tenth of a second apart."""


@dataclass(frozen=True)
class TemporaryFolder:
    """A folder that only this user may read, and the open file that is locked in it."""

    path: Path
    owned: int

    def remove(self) -> None:
        """Remove the folder with all that is in it, also where something that is being stopped still writes into it."""
        os.close(self.owned)  # Windows removes no open file
        for _ in range(CLEARINGS):
            shutil.rmtree(self.path, ignore_errors=True)
            if not self.path.exists():
                break
            time.sleep(0.1)


def make_folder() -> TemporaryFolder:
    """Make such a folder, after removing those whose processes are gone."""
    sweep_folders()
    while True:
        path = Path(mkdtemp(prefix=BEGINNING))
        file = os.open(path / OWNED, os.O_RDWR | os.O_CREAT, 0o600)
        lock(file)
        if (path / OWNED).exists():
            return TemporaryFolder(path, file)
        os.close(file)  # another process swept it before it was locked


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Such a folder, removed afterwards."""
    folder = make_folder()
    try:
        yield folder.path
    finally:
        folder.remove()


def sweep_folders() -> None:
    """Remove the folders of this user whose processes are gone; those of other users are left alone."""
    if os.name != "posix":
        return
    for path in Path(gettempdir()).glob(f"{BEGINNING}*"):
        if _is_own(path, stat.S_ISDIR) and _is_own(path / OWNED, stat.S_ISREG):
            with contextlib.suppress(OSError):  # another process has swept it meanwhile
                file = os.open(path / OWNED, os.O_RDWR)
                if lock(file, wait=False):
                    shutil.rmtree(path, ignore_errors=True)
                os.close(file)


def _is_own(path: Path, is_kind: Callable[[int], bool]) -> bool:
    """Whether this is there, of that kind and no link, and of this user."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return is_kind(found.st_mode) and found.st_uid == os.geteuid()


def lock(file: int, *, wait: bool = True) -> bool:
    """Lock an open file or folder; whether it is now: another process may have it, or the system have no locks."""
    try:
        import fcntl
    except ImportError:  # Windows, where nothing is swept
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
