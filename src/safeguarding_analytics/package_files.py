"""Where the files are that come with the package: inside it once it is installed, else in its repository."""

from __future__ import annotations

from pathlib import Path

PACKAGE_FOLDER = Path(__file__).parent
REPOSITORY = PACKAGE_FOLDER.parents[1]


def folder_of(installed: str, in_repository: str) -> Path:
    """The folder of files that come with the package.

    Parameters
    ----------
    installed
        Its name inside the installed package (see ``force-include`` in ``pyproject.toml``).
    in_repository
        Its path inside the repository, of which there is none where the package was installed from a wheel.
    """
    inside = PACKAGE_FOLDER / installed
    return inside if inside.is_dir() else REPOSITORY / in_repository
