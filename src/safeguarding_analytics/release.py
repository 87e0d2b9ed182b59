"""A release: a folder of safe tables with a manifest. What is in it may be seen by anyone.

Notebooks `publish` their safe tables into a folder that is being built; `promote` audits all of them together, and
beside the release that stands, and only then puts the folder in its place. The dashboards open a release and nothing
else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from safeguarding_analytics import __version__, linked
from safeguarding_analytics.areas import Area, in_the_whole
from safeguarding_analytics.auditing import Effort, audit, systems_of
from safeguarding_analytics.dimensions import fitted, read_lookups, values_of
from safeguarding_analytics.disclosure import Within
from safeguarding_analytics.errors import DisclosureError, ParameterError, SafeguardingError, in_words, nearest
from safeguarding_analytics.exports import from_csv, parquet_bytes, plain, to_csv
from safeguarding_analytics.ledger import MOST_ATOMS, open_ledger
from safeguarding_analytics.placed_folders import Kind, previous, replace_folder
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.safe import Binding, Safe, refuse_identifying

MANIFEST = "manifest.json"
PACKAGE = "safeguarding_analytics"
PLACE = "release"
"""Name of the folder in which the release stands."""

RUNS = "runs"
"""Folder, inside that of a run, in which each notebook has a folder of its own to publish into."""

DATA_VERSION = "data_version"
"""File among these folders that says of what data the run is."""

BEING_BUILT = ".release-being-built-"
"""How the folder of a run, beside the release that stands, begins."""

STAGED = ".areas-being-made"
"""Folder in which reports of areas wait for the others. It is private, and removed when all are in place."""

STANDING = "the release that stands"
"""What stands before the name of a table of the previous release, where both are audited together."""


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
    parquet_sha256: str = ""
    notebook: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    data_version: str = ""
    package: str = ""
    within: list[dict[str, list[str]]] = field(default_factory=list)
    repaired: bool = False


def publish(
    table: Safe,
    name: str,
    *,
    into: str | Path,
    title: str,
    definition: str,
    measure: str,
    headline: str = "",
    within: Within = (),
) -> None:
    """Write a safe table into the release that is being built, as CSV and as Parquet.

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
    within
        The lookups that the table was protected with (see `suppress`). They are written into the release, each row
        once, and used when it is audited.

    Raises
    ------
    DisclosureError
        When the table is anything else than a `Safe`, or a lookup has an identifying column.
    ParameterError
        When the name is not a plain one, the release already has a table of that name, or a lookup is not what it
        should be.
    """
    if not isinstance(table, Safe):
        raise DisclosureError("only a table that went through suppress() can be published.")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ParameterError(f'"{name}" cannot name a table. Use small letters, digits and underscores.')
    lookups = _written_lookups(within)
    if str(into) == "":
        return
    frame = plain(table)
    content, parquet = to_csv(frame).encode(), parquet_bytes(frame)
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
        sha256=hashlib.sha256(content).hexdigest(),
        parquet_sha256=hashlib.sha256(parquet).hexdigest(),
        package=f"{PACKAGE} {__version__}",
        within=lookups,
    )
    folder = Path(into) / "tables"
    folder.mkdir(exist_ok=True)  # not parents: a run that was stopped has removed the folder and must not get it back
    try:
        with (folder / f"{name}.csv").open("xb") as file:  # two notebooks may publish at the same moment
            file.write(content)
    except FileExistsError:
        raise _name_is_taken(name) from None
    (folder / f"{name}.parquet").write_bytes(parquet)
    (folder / f"{name}.json").write_text(json.dumps(asdict(entry), indent=1, ensure_ascii=False), encoding="utf-8")


def _name_is_taken(name: str) -> ParameterError:
    return ParameterError(f'this run has already published a table "{name}". Give each table a name of its own.')


def _written_lookups(within: Within) -> list[dict[str, list[str]]]:
    """Lookups as the manifest holds them: each row once, so that nothing can be counted in them."""
    frames = [within] if isinstance(within, pl.DataFrame) else list(within or ())
    read_lookups(frames)
    for frame in frames:
        refuse_identifying(frame)
    rows = [(frame.columns, sorted({values_of(row) for row in frame.rows()})) for frame in frames]
    texts = [pl.DataFrame(found, dict.fromkeys(names, pl.String), orient="row") for names, found in rows]
    return [text.to_dict(as_series=False) for text in texts]


def lookups_of(entries: Iterable[Entry]) -> list[pl.DataFrame]:
    """The lookups that tables of a release were protected with, each once."""
    found = [pl.DataFrame(lookup) for entry in entries for lookup in entry.within]
    return [one for place, one in enumerate(found) if not any(one.equals(before) for before in found[:place])]


def gather(built: Path, runs: Path, about: Mapping[str, Mapping[str, Any]]) -> None:
    """Put the tables that notebooks published, each into a folder of its own, into the release being built.

    Parameters
    ----------
    built
        Folder of the release being built.
    runs
        Folder of the notebooks' folders. It is removed, with whatever else it holds.
    about
        What the manifest says of the tables of each notebook besides, by its name.

    Raises
    ------
    ParameterError
        When two notebooks published a table of one name.

    Notes
    -----
    A table of which a repair hid more stays known as ``repaired`` in later releases of the same data: each hides that
    again (see `published_before`).
    """
    folder = built / "tables"
    before = _repaired_before(built)
    for notebook, more in about.items():
        for path in sorted((runs / notebook / "tables").glob("*.json")):
            folder.mkdir(exist_ok=True)
            again = (path.stem, more.get("data_version")) in before
            entry = json.loads(path.read_text(encoding="utf-8")) | {"notebook": notebook, "repaired": again, **more}
            if (folder / path.name).exists():
                raise _name_is_taken(path.stem)
            for kind in ("csv", "parquet"):
                table = path.with_suffix(f".{kind}")
                table.rename(folder / table.name)
            (folder / path.name).write_text(json.dumps(entry, indent=1, ensure_ascii=False), encoding="utf-8")
    shutil.rmtree(runs)


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
                f"{path}: {_say_no_release(path)}. Make one with: safeguarding report FOLDER{_say_inside(path)}"
            )
        try:
            manifest = _manifest(place)
            for entry in manifest["tables"].values():
                _entry(entry)
        except (ValueError, TypeError, KeyError, AttributeError):  # not JSON, or JSON of something else
            raise SafeguardingError(
                f"{path}: {MANIFEST} cannot be read as that of a release. "
                "Move the folder away and make the release again."
            ) from None
        return cls(place, manifest)

    @property
    def area(self) -> Area | None:
        """The area of the board that it is of; None where it is of the whole."""
        said = self.manifest.get("area")
        return Area.of(said) if said else None

    def in_the_whole(self, name: str) -> Safe:
        """A table as one of the whole board, to lay it beside those of other areas."""
        return in_the_whole(self[name], self.area) if self.area and not self.entry(name).source else self[name]

    def tables(self) -> list[str]:
        """Names of the tables, in alphabetical order."""
        return sorted(self.manifest["tables"])

    def entry(self, name: str) -> Entry:
        """What the manifest says about a table."""
        if name not in self.manifest["tables"]:
            raise ParameterError(
                f'this release has no table "{name}".{nearest(name, self.tables())} It has: {", ".join(self.tables())}.'
            )
        return _entry(self.manifest["tables"][name])

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
        return _safe(entry, from_csv(content.decode(), entry.columns))


def _say_no_release(folder: Path) -> str:
    return f"this is not a release (it has no {MANIFEST})" if folder.is_dir() else "there is no such folder"


def _say_inside(folder: Path) -> str:
    """The release in a folder of a report, which may be what was meant."""
    inside = folder / PLACE
    return f". Did you mean {inside}?" if is_release(inside) else ""


def _entry(found: Mapping[str, Any]) -> Entry:
    """What a manifest says of a table, without what only a later version of the package knows."""
    known = {each.name for each in fields(Entry)}
    return Entry(**{name: value for name, value in found.items() if name in known})


def _safe(entry: Entry, frame: pl.DataFrame) -> Safe:
    try:
        policy = Policy(**entry.policy) if entry.policy else None
    except TypeError:
        raise SafeguardingError(
            f"{entry.name}: its policy has settings that this version does not know. It was made with {entry.package}."
        ) from None
    return Safe(frame, policy, entry.source)


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


RELEASE = Kind("a release", MANIFEST, is_release, "Choose another folder with --out")


def published_before(into: str | Path, measure: str) -> list[Safe]:
    """The tables of one measure in the release that stands, for `suppress` to hide again what they hide.

    Parameters
    ----------
    into
        Folder of the release being built, as `publish` takes it. Empty: there is none that stands.
    measure
        What is counted.

    Returns
    -------
    list[Safe]
        In the order of their names; one of which more was hidden in a repair, for data that are those of this run, is a
        `Binding`. None where no release stands, where it cannot be opened, or where the folder is not
        that of a run; without tables that are missing, that were changed, or that are not safe by today's rules: a
        damaged release does not stop a run, it is only not looked at. Any other error is raised.

    Examples
    --------
    >>> published_before("", "plans started")
    []
    """
    path = Path(os.path.abspath(into))
    runs = [folder for folder in (path, *path.parents) if folder.name.startswith(BEING_BUILT)]
    if str(into) == "" or not runs:
        return []
    try:
        release = Release.open(_stands_for(runs[0]))
    except SafeguardingError:
        return []
    found = []
    for name in release.tables():
        with contextlib.suppress(SafeguardingError):
            entry = release.entry(name)
            if entry.measure == measure and not entry.source:
                same = bool(entry.data_version) and entry.data_version == _data_version(runs[0])
                found.append(_binding(release[name]) if entry.repaired and same else release[name])
    return found


def _repaired_before(built: Path) -> set[tuple[str, str]]:
    """Tables of which more is hidden in the release that stands than notebooks hid, and the data they are of."""
    try:
        release = Release.open(_stands_for(built))
    except SafeguardingError:
        return set()
    entries = [release.entry(name) for name in release.tables()]
    return {(entry.name, entry.data_version) for entry in entries if entry.repaired and entry.data_version}


def _stands_for(built: Path) -> Path:
    """Where the release stands whose place that of a run takes; that of an area waits in a folder of its own before."""
    place = built.with_name(PLACE)
    staged = place.parent.parent
    waits = is_release(place) or is_release(previous(place))  # more of it was hidden, and it is made again
    return place if waits or staged.name != STAGED else staged.parent / place.parent.name / PLACE


def _binding(table: Safe) -> Binding:
    return Binding(table.frame(), table.policy, table.source)


def _data_version(built: Path) -> str:
    """The data of a run, which says so to its notebooks."""
    file = built / RUNS / DATA_VERSION
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _standing(
    place: Path, data_version: str | None, published: set[tuple[str, str, str]]
) -> dict[str, tuple[Entry, Safe]]:
    """The tables that the release of a run must not contradict: those that stand, of the same version of the data.

    Raises
    ------
    SafeguardingError
        When one of them cannot be read, or it cannot be read whether there are any.
    """
    if not data_version or not (is_release(place) or is_release(previous(place))):
        return {}
    try:
        release = Release.open(place)
    except SafeguardingError:
        raise _unreadable(place, [MANIFEST]) from None
    if release.manifest.get("data_version") != data_version:
        return {}
    found, damaged = {}, []
    for entry in map(release.entry, release.tables()):
        if entry.source or (entry.name, entry.measure, entry.sha256) in published:
            continue
        try:
            found[f"{STANDING}: {entry.name}"] = entry, release[entry.name]
        except SafeguardingError:
            damaged.append(f"{entry.name}.csv")
    if damaged:
        raise _unreadable(place, damaged)
    return found


def _unreadable(place: Path, files: list[str]) -> SafeguardingError:
    return SafeguardingError(
        f"{place}: {in_words(files)} of {STANDING} cannot be read, so nothing says what it hides. The new release "
        "could give that away. Put back what it held or, if nobody has seen that release, move it away."
    )


def _by_measure(tables: Mapping[str, Safe], measures: Mapping[str, str]) -> list[dict[str, Safe]]:
    """The tables that were suppressed here, by what they count; those of other publishers have a source."""
    groups: dict[str, dict[str, Safe]] = {}
    for name, table in tables.items():
        if not table.source:
            groups.setdefault(measures[name], {})[name] = table
    return [groups[measure] for measure in sorted(groups)]


def effort_for(tables: Mapping[str, Safe], within: Within, one_run: bool) -> Effort:
    """How thoroughly tables of one measure can be audited: fully, unless their groups have too many combinations."""
    lookups = read_lookups(within)
    members = [
        (linked.sheet_of_safe(table, name), table.policy or Policy.dfe())
        for name, table in tables.items()
        if table.shape.all_counts
    ]
    systems = [[sheet for sheet, _ in system] for system in systems_of(members, lookups, one_run) if len(system) > 1]
    fits = all(linked.atoms(open_ledger(sheets, lookups)) <= MOST_ATOMS for sheets in systems)
    return "full" if fits else "fast"


def joint_audit(
    tables: Mapping[str, Safe], measures: Mapping[str, str], *, within: Within = (), one_run: bool = False
) -> tuple[pl.DataFrame, Effort]:
    """Audit all tables of a release, those of one measure as one system, and each system as thoroughly as can be.

    Parameters
    ----------
    tables
        Safe tables by name.
    measures
        Measure of each table. Tables of different measures are not audited together: whoever publishes them
        makes sure that they tell nothing of each other.
    within
        The lookups that they were protected with.
    one_run
        Whether all tables were made in one run, so that those of one measure must not contradict each other.

    Returns
    -------
    tuple[pl.DataFrame, Effort]
        What `audit` finds, and how thorough it was: fully only if it was for every measure.
    """
    found, efforts = [audit([])], set[Effort]()
    for group in _by_measure(tables, measures):
        lookups = fitted(within, [table.frame() for table in group.values()])
        effort = effort_for(group, lookups, one_run)
        found.append(audit(group, within=lookups, effort=effort, one_system=one_run))
        efforts.add(effort)
    return pl.concat(found), "fast" if "fast" in efforts else "full"


@dataclass(frozen=True)
class Verdict:
    """What an audit found, how thorough it was, and what stands for the tables that it is of."""

    digest: str
    found: pl.DataFrame
    effort: Effort


@dataclass(frozen=True)
class Draft:
    """A release that is being built, and the tables of the one that stands that it must not contradict."""

    release: Release
    standing: Mapping[str, tuple[Entry, Safe]]

    @classmethod
    def open(cls, built: Path, place: Path, data_version: str | None) -> Draft:
        """Open what notebooks published, with the tables that stand if they are of the same version of the data.

        A table that is the same in both tells nothing new, and figures of other publishers are not audited: both are
        left out.

        Raises
        ------
        SafeguardingError
            When what stands may be of the same data and cannot be read.
        """
        paths = sorted((built / "tables").glob("*.json"))
        entries = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}
        published = {(name, entry["measure"], entry["sha256"]) for name, entry in entries.items()}
        return cls(Release(built, {"tables": entries}), _standing(place, data_version, published))

    @property
    def entries(self) -> dict[str, Entry]:
        """What is said of the tables of both, by name."""
        own = {name: self.release.entry(name) for name in self.release.tables()}
        return own | {name: entry for name, (entry, _) in self.standing.items()}

    @property
    def measures(self) -> dict[str, str]:
        """What the tables of both count, by name."""
        return {name: entry.measure for name, entry in self.entries.items()}

    @property
    def fixed(self) -> dict[str, Safe]:
        """The tables that stand, and cannot be changed, by name."""
        return {name: table for name, (_, table) in self.standing.items()}

    @property
    def digest(self) -> str:
        """What stands for the tables that are audited: others have another one."""
        said = {name: asdict(entry) for name, entry in self.entries.items()}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @cached_property
    def _tables(self) -> dict[str, Safe]:
        return {name: self.release[name] for name in self.release.tables()}

    def verdict(self) -> Verdict:
        """What could be worked out from the tables of the run or, if nothing, from them and those that stand.

        The tables that stand were made with other parameters, perhaps of another year: those that contradict the new
        ones are of another topic. How thorough it was is said of the tables of the run.
        """
        tables, lookups = self._tables, lookups_of(self.entries.values())
        found, effort = joint_audit(tables, self.measures, within=lookups, one_run=True)
        if found.is_empty() and self.standing:
            found, _ = joint_audit({**tables, **self.fixed}, self.measures, within=lookups)
        return Verdict(self.digest, found, effort)


def promote(built: Path, release: Path, *, about: dict[str, Any], audited: Verdict | None = None) -> Release:
    """Audit a built release as a whole and, if nothing can be worked out, put it in the place of the previous one.

    Parameters
    ----------
    built
        Folder into which the notebooks published.
    release
        Where the release shall stand. What stands there stays until the last moment.
    about
        What the manifest says of the run: board, date, parameters, data version.
    audited
        The audit, if it was made already. It counts only if it is of the very tables that are published, and of those
        that stand now; else they are audited here.

    Raises
    ------
    DisclosureError
        When a hidden number could be worked out; the previous release stays.
    ParameterError
        When something else than a release stands in its place, or in that of the previous one.
    SafeguardingError
        When the release that stands may be of the same data and cannot be read.

    Notes
    -----
    Tables of one measure are one system. If the release that stands was made from the same data (its ``data_version``
    is the same, so other parameters were given), its tables are audited with the new ones: what it hides the new one
    must not show, nor the other way round. If the data differ nothing is compared: another number in the same place is
    then news and not a leak. ``safeguarding audit OLD NEW`` compares any two releases.

    The manifest says under ``audit`` how thoroughly the tables were audited: ``"full"``, or ``"fast"`` where the groups
    of one measure have too many combinations for that.
    """
    draft = Draft.open(built, release, about.get("data_version"))
    verdict = audited if audited and audited.digest == draft.digest else draft.verdict()
    if not verdict.found.is_empty():
        raise DisclosureError("\n".join([*_say_findings(verdict.found), *_say_repair(verdict.found, draft, release)]))
    tables = draft.release.manifest["tables"]
    passed = {"effort": verdict.effort, "tables": len(tables), "findings": 0}
    manifest = {"package": f"{PACKAGE} {__version__}", **about, "audit": passed, "tables": tables}
    for path in (built / "tables").glob("*.json"):
        path.unlink()
    (built / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")
    replace_folder(built, release, RELEASE)
    return Release.open(release)


def _say_findings(found: pl.DataFrame) -> list[str]:
    numbers = "number" if found.height == 1 else "numbers"
    return [
        f"the release was not made: {found.height:,} hidden {numbers} could be worked out.",
        *(f"- {row['table']}, {row['cell']}: {row['because']}" for row in found.to_dicts()),
    ]


def _say_repair(found: pl.DataFrame, draft: Draft, place: Path) -> list[str]:
    """What to do about findings: which tables to protect together, and the command that does it."""
    named = " ".join([*found["table"], *found["because"]])
    if STANDING in named:
        first = f"They were compared with {STANDING}, of the same data. If nobody has seen it, move {place} away."
    else:
        involved = [name for name in draft.release.tables() if re.search(rf"\b{name}\b", named)]
        groups = _by_measure({name: draft.release[name] for name in involved}, draft.measures)
        calls = [f"suppress([{', '.join(group)}], policy)" for group in groups]
        first = f"Protect these tables together: {in_words(calls)}."
    return [first, "Or hide more of them until nothing can be worked out: safeguarding report FOLDER --repair"]
