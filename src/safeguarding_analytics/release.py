"""A release: a folder of safe tables with a manifest. What is in it may be seen by anyone.

Notebooks `publish` their safe tables into a folder that is being built; `promote` audits all of them together and only
then puts the folder in the place of the previous release. The dashboards open a release and nothing else.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from safeguarding_analytics import __version__
from safeguarding_analytics.auditing import audit
from safeguarding_analytics.disclosure import Policy, Safe
from safeguarding_analytics.errors import DisclosureError, ParameterError, SafeguardingError, nearest

MANIFEST = "manifest.json"
PACKAGE = "safeguarding_analytics"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True)
class Entry:
    """What a release says about one of its tables."""

    name: str
    title: str
    definition: str
    headline: str
    measure: str
    shape: str
    rows: int
    hidden: int
    source: str
    policy: dict[str, Any] | None
    columns: dict[str, str] = field(default_factory=dict)
    sha256: str = ""


def publish(
    table: Safe, name: str, *, into: str | Path, title: str, definition: str, measure: str, headline: str = ""
) -> None:
    """Write a safe table into the release that is being built.

    Parameters
    ----------
    table
        A table that went through `suppress` (or `already_public`).
    name
        Name of the table in the release: small letters, digits and underscores.
    into
        Folder of the release being built. Empty: nothing is written (an analyst tries the notebook out).
    title, definition
        For readers: what the table shows, and how its numbers are defined.
    measure
        What is counted. Tables of the same measure are audited together, as one system.
    headline
        The table in one sentence, made by a function of `sentences` from the same safe table.

    Raises
    ------
    DisclosureError
        When the table is anything else than a `Safe`.
    ParameterError
        When the name is not a plain one, or the release already has a table of that name.
    """
    if not isinstance(table, Safe):
        raise DisclosureError("only a table that went through suppress() can be published.")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ParameterError(f'"{name}" cannot name a table. Use small letters, digits and underscores.')
    if str(into) == "":
        return
    frame = table.frame().with_columns((cs.categorical() | cs.enum() | cs.temporal()).cast(pl.String))
    text = to_csv(frame)
    entry = Entry(
        name=name,
        title=title,
        definition=definition,
        headline=headline,
        measure=measure,
        shape=table.shape.name,
        rows=frame.height,
        hidden=table.hidden,
        source=table.source,
        policy=asdict(table.policy) if table.policy else None,
        columns={column: str(dtype) for column, dtype in frame.schema.items()},
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )
    folder = Path(into) / "tables"
    folder.mkdir(exist_ok=True)  # not parents: a run that was stopped has removed the folder and must not get it back
    try:
        with (folder / f"{name}.csv").open("xb") as file:  # two notebooks may publish at the same moment
            file.write(text.encode())
    except FileExistsError:
        raise ParameterError(
            f'this run has already published a table "{name}". Give each table a name of its own.'
        ) from None
    (folder / f"{name}.json").write_text(json.dumps(asdict(entry), indent=1, ensure_ascii=False), encoding="utf-8")


def to_csv(frame: pl.DataFrame) -> str:
    r"""A frame as CSV text that Excel opens as it is: UTF-8 with a mark, and no cell that starts a formula.

    Examples
    --------
    >>> to_csv(pl.DataFrame({"agency": ["=1+1", "Police"], "count": [7, None]}))
    "\ufeffagency,count\r\n'=1+1,7\r\nPolice,\r\n"
    """
    out = io.StringIO()
    writer = csv.writer(out)  # with its own line ends: before Python 3.13 it quotes no others, and a name may hold them
    writer.writerow(map(_cell, frame.columns))
    writer.writerows([_cell(value) for value in row] for row in frame.rows())
    return "\ufeff" + out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    # A cell that has such an apostrophe of its own gets another one, so that reading takes away no more than was added.
    if isinstance(value, str) and value.lstrip("'").startswith(FORMULA):
        return f"'{value}"
    return value


def _uncell(value: str) -> str:
    return value[1:] if value.startswith("'") and value.lstrip("'").startswith(FORMULA) else value


@dataclass(frozen=True)
class Release:
    """A folder of safe tables. ``release["training_reach_by_agency"]`` is a `Safe`."""

    folder: Path
    manifest: dict[str, Any]

    @classmethod
    def open(cls, folder: str | Path) -> Release:
        """Open a release. Its tables are read, and compared with the audited ones, when they are asked for.

        Parameters
        ----------
        folder
            The folder that holds `manifest.json`.

        Raises
        ------
        SafeguardingError
            When there is no complete release, or its manifest is damaged.
        """
        path = Path(folder)
        place = path if (path / MANIFEST).exists() else previous(path)
        if place != path and not is_release(place):
            raise SafeguardingError(
                f"{path}: this is not a release (it has no {MANIFEST}). Make one with: safeguarding report"
            )
        try:
            manifest = _manifest(place)
            for entry in manifest["tables"].values():
                Entry(**entry)
        except (ValueError, TypeError, KeyError, AttributeError):  # not JSON, or JSON of something else
            raise SafeguardingError(
                f"{path}: {MANIFEST} cannot be read as that of a release. "
                "Move the folder away and make the release again."
            ) from None
        return cls(place, manifest)

    def tables(self) -> list[str]:
        """Names of the tables, in alphabetical order."""
        return sorted(self.manifest["tables"])

    def entry(self, name: str) -> Entry:
        """What the manifest says about a table."""
        if name not in self.manifest["tables"]:
            raise ParameterError(
                f'this release has no table "{name}".{nearest(name, self.tables())} It has: {", ".join(self.tables())}.'
            )
        return Entry(**self.manifest["tables"][name])

    def __getitem__(self, name: str) -> Safe:
        """A table; a `SafeguardingError` when it is missing or was changed after the audit."""
        entry = self.entry(name)
        path = self.folder / "tables" / f"{name}.csv"
        try:
            content = path.read_bytes()
        except OSError:
            raise SafeguardingError(
                f"{path.name}: the table is missing from the release. Make the release again."
            ) from None
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise SafeguardingError(
                f"{path.name}: the table was changed after the release was audited. Make the release again."
            )
        return _safe(entry, _from_csv(content.decode(), entry.columns))


def _from_csv(text: str, columns: dict[str, str]) -> pl.DataFrame:
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    types = {column: getattr(pl, dtype) for column, dtype in columns.items()}
    frame = pl.DataFrame(
        {column: [_uncell(row[position]) for row in rows[1:]] for position, column in enumerate(columns)},
        schema=dict.fromkeys(columns, pl.String),
    )
    return frame.select(
        pl.col(column)
        if dtype == pl.String and column == "mark"
        else pl.when(pl.col(column) != "")
        .then(pl.col(column) == "true" if dtype == pl.Boolean else pl.col(column))
        .cast(dtype)
        for column, dtype in types.items()
    )


def _safe(entry: Entry, frame: pl.DataFrame) -> Safe:
    return Safe(frame, Policy(**entry.policy) if entry.policy else None, entry.source)


def _manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder; a `ValueError` when it is not one of ours, as many programs write a manifest.json."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if not isinstance(manifest, dict) or not str(manifest.get("package")).startswith(f"{PACKAGE} "):
        raise ValueError(f"{MANIFEST} is not that of a release")
    return manifest


def is_release(folder: Path) -> bool:
    """Whether a folder has the manifest of a release."""
    try:
        _manifest(folder)
    except (OSError, ValueError):
        return False
    return True


def previous(folder: Path) -> Path:
    """Where the previous release waits while a new one is moved into its place."""
    place = Path(os.path.abspath(folder))  # the name of "." is empty
    return place.parent / f"{place.name}.previous"


def joint_audit(tables: dict[str, Safe], measures: dict[str, str], *, one_run: bool = False) -> pl.DataFrame:
    """Audit all tables of a release, those of one measure as one system.

    Parameters
    ----------
    tables
        Safe tables by name.
    measures
        Measure of each table. Tables of different measures share no people and cannot be combined.
    one_run
        Whether all tables were made in one run, so that those of one measure must not contradict each other.
    """
    groups: dict[str, dict[str, Safe]] = {}
    for name, table in tables.items():
        if not table.source:
            groups.setdefault(measures[name], {})[name] = table
    found = [audit(group, one_system=one_run) for _, group in sorted(groups.items())]
    return pl.concat(found) if found else audit([])


def audit_releases(folders: Sequence[Path]) -> pl.DataFrame:
    """Audit several releases together: what one hides, another may show.

    Parameters
    ----------
    folders
        Folders of releases. One release alone is audited as the gate audited it.
    """
    tables: dict[str, Safe] = {}
    measures: dict[str, str] = {}
    for folder in folders:
        release = Release.open(folder)
        prefix = f"{folder}: " if len(folders) > 1 else ""
        for name in release.tables():
            tables[f"{prefix}{name}"] = release[name]
            measures[f"{prefix}{name}"] = release.entry(name).measure
    return joint_audit(tables, measures)


def promote(built: Path, release: Path, *, about: dict[str, Any]) -> Release:
    """Audit a built release as a whole and, if nothing can be worked out, put it in the place of the previous one.

    Parameters
    ----------
    built
        Folder into which the notebooks published.
    release
        Where the release shall stand. What stands there stays until the last moment.
    about
        What the manifest says of the run: board, date, parameters, data version.

    Raises
    ------
    DisclosureError
        When a hidden number could be worked out; the previous release stays.
    ParameterError
        When something else than a release stands in its place, or in that of the previous one.
    """
    entries = {
        path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((built / "tables").glob("*.json"))
    }
    manifest = {"package": f"{PACKAGE} {__version__}", **about, "tables": entries}
    draft = Release(built, manifest)
    found = joint_audit(
        {name: draft[name] for name in draft.tables()},
        {name: draft.entry(name).measure for name in draft.tables()},
        one_run=True,
    )
    if not found.is_empty():
        numbers = "number" if found.height == 1 else "numbers"
        raise DisclosureError(
            f"the release was not made: {found.height:,} hidden {numbers} could be worked out.\n"
            + "\n".join(f"- {row['table']}, {row['cell']}: {row['because']}" for row in found.to_dicts())
        )
    for path in (built / "tables").glob("*.json"):
        path.unlink()
    (built / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")
    replace_folder(built, release)
    return Release.open(release)


def refuse_other_folders(place: Path) -> None:
    """Raise a `ParameterError` when something else than a release stands where one is to be put: it would be lost."""
    for folder in (place, previous(place)):
        if folder.exists() and not is_release(folder) and any(folder.iterdir()):
            raise ParameterError(
                f"{folder} holds something that is not a release and would be lost. "
                "Choose another folder with --out, or move it away."
            )


def replace_folder(built: Path, place: Path) -> None:
    """Move a finished release into its place; `Release.open` finds the old one if this is stopped half-way.

    Raises
    ------
    ParameterError
        When something else than a release would be lost.
    OSError
        When the system refuses, as Windows does while another program has a file open; the old release is put back.
    """
    refuse_other_folders(place)
    old = previous(place)
    if place.exists():
        _remove(old)
        place.rename(old)
    try:
        built.rename(place)
    except OSError:
        with suppress(OSError):  # where even this is refused, the old release opens from where it is
            old.rename(place)
        raise
    _remove(old)


def _remove(release: Path) -> None:
    """Remove a release, its manifest last: what is left when this is stopped is still known as ours."""
    if release.exists():
        for folder in release.iterdir():
            if folder.name != MANIFEST:
                shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(release, ignore_errors=True)
