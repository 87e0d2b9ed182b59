"""Published tables, of releases or as files, audited together: what one hides, another may show. And their repair.

What is public stays as it is: a repair hides more of the last release, and of no other.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from safeguarding_analytics.areas import as_it_was
from safeguarding_analytics.auditing import HIDING_MARKS, Effort, audit
from safeguarding_analytics.build_folders import being_built, sweep
from safeguarding_analytics.dimensions import fitted, read_lookups
from safeguarding_analytics.disclosure import check_adds_up
from safeguarding_analytics.errors import DisclosureError, ParameterError, nearest, numbered
from safeguarding_analytics.exports import parquet_bytes, plain, to_csv
from safeguarding_analytics.leaks import refuse_leaks
from safeguarding_analytics.ledger import open_ledger, sheet_of
from safeguarding_analytics.left_out_pages import leave_out_pages, write_json
from safeguarding_analytics.placed_folders import previous, replace_folder
from safeguarding_analytics.release import MANIFEST, RELEASE, Release, lookups_of
from safeguarding_analytics.release_workbook import WORKBOOK, write_release_workbook
from safeguarding_analytics.repairs import repair
from safeguarding_analytics.safe import Safe, already_public, number_columns
from safeguarding_analytics.shapes import shape_of
from safeguarding_analytics.sources.files import READABLE, ROW, read_table
from safeguarding_analytics.sources.published_tables import read_published

BEING_REPAIRED = ".release-being-repaired-"
"""How the copy of a release begins that is being repaired."""

_PUBLIC = "public: "
_FEW_COUNTS = 4


class Published(NamedTuple):
    """A published table: ``name`` in findings, ``place`` that holds it; a file's ``measure`` is not known."""

    name: str
    table: Safe | pl.DataFrame
    place: Path
    measure: str | None


@dataclass(frozen=True)
class Collection:
    """What is audited together: tables, in the order in which their places were named, and what lies within what.

    ``left_out`` are the tables that no audit looks at: rankings, and figures that others have published. ``not_read``
    has a sentence for each column of numbers and each sheet of a file that no audit looks at.
    """

    places: tuple[Path, ...]
    tables: tuple[Published, ...]
    left_out: tuple[str, ...]
    lookups: tuple[pl.DataFrame, ...]
    not_read: tuple[str, ...] = ()

    @property
    def releases(self) -> list[Path]:
        """The places that are releases."""
        return [place for place in self.places if not _is_file(place)]


@dataclass(frozen=True)
class Audit:
    """What was found, as `audit` says it, and how thoroughly was looked: ``"full"`` only if all tables could be."""

    found: pl.DataFrame
    effort: Effort


@dataclass(frozen=True)
class Repair:
    """What a repair changed: per table the rows of which more is hidden, and the pages that were left out."""

    rows: Mapping[str, int]
    pages: tuple[str, ...]


def open_published(places: Sequence[Path], *, within: Sequence[pl.DataFrame] = ()) -> Collection:
    """Open releases and files to audit them together.

    Parameters
    ----------
    places
        Folders of releases, and published tables as `read_published_table` reads them, in any mix. One that is named
        twice is opened once.
    within
        Lookups as `audit` takes them, beside those that the releases hold.

    Raises
    ------
    SafeguardingError
        When a place is neither, or one of its tables cannot be read.
    """
    once = tuple({os.path.abspath(place): place for place in places}.values())
    for place in once:
        _require_readable(place)
    folders = [place for place in once if not _is_file(place)]
    opened = {place: Release.open(place) for place in folders}
    by_place = {
        place: _tables_of(release, f"{place}: " if len(folders) > 1 else "", place) for place, release in opened.items()
    }
    taken = {one.name for tables in by_place.values() for one in tables}
    files = read_published([place for place in once if _is_file(place)])
    for one in files:
        alone = sum(other.file == one.file for other in files) == 1
        apart = str(one.file) if alone else f"{one.file}: {one.name}"
        name = apart if one.name in taken else one.name
        by_place.setdefault(one.file, []).append(Published(name, one.table, one.file, None))
    every = [one for place in once for one in by_place[place]]
    return Collection(
        places=once,
        tables=tuple(one for one in every if _is_audited(one.table)),
        left_out=tuple(one.name for one in every if not _is_audited(one.table)),
        lookups=(*within, *_lookups_of(opened.values())),
        not_read=tuple(sentence for one in files if _is_audited(one.table) for sentence in one.not_read),
    )


def audit_published(
    collection: Collection, *, rounded: Mapping[str, int] | None = None, effort: Effort = "full"
) -> Audit:
    """What a reader can work out about hidden numbers from everything in a collection together.

    Parameters
    ----------
    collection
        What `open_published` opened.
    rounded
        To which multiple the counts of a file were rounded, by the name of its table or of the file. A release knows.
    effort
        See `audit`. Tables whose groups have too many combinations for the full audit get the fast one.

    Returns
    -------
    Audit
        One row per table and count that is known too well, in the order of the tables.

    Raises
    ------
    ParameterError
        When there is no such file to be rounded.
    DisclosureError
        See `audit`.

    Notes
    -----
    Tables of one measure are audited together, whichever release they stand in; those of two measures that stand
    beside each other in a release never are. A measure that another release does not have may be any of its measures,
    and a file may be of any: there contradiction decides. One release alone is audited as the gate did.
    """
    bases = _bases(collection, rounded or {})
    one_system = len(collection.places) == len(collection.releases) == 1
    audits = [
        made
        for group in _groups(collection.tables)
        for _, made in _audit_apart(group, collection.lookups, bases, effort, one_system)
    ]
    order = {one.name: position for position, one in enumerate(collection.tables)}
    found = (
        pl.concat([audit([]), *(one.found for one in audits)])
        .unique(["table", "cell", "column"], keep="first", maintain_order=True)
        .sort(pl.col("table").replace_strict(order, return_dtype=pl.Int64), maintain_order=True)
    )
    return Audit(found, "full" if all(one.effort == "full" for one in audits) else "fast")


def repair_tables(
    folder: Path,
    *,
    fixed: Mapping[str, Safe] | None = None,
    measures: Mapping[str, str] | None = None,
    within: Sequence[pl.DataFrame] = (),
) -> list[str]:
    """Hide more in the tables of a folder until nothing can be worked out of them together.

    Parameters
    ----------
    folder
        The folder of a release that is being built, or one with a manifest. Its tables and what is said of them are
        written anew where more is hidden: without a headline, as that may hold what is hidden now.
    fixed
        Tables that are public already, by name.
    measures
        What the fixed tables count, by name. One that is left out may count the same as any table of the folder.
    within
        Lookups as `audit` takes them, beside those that the folder holds.

    Returns
    -------
    list[str]
        Names of the tables that changed, in alphabetical order.

    Raises
    ------
    DisclosureError
        When it cannot be repaired: what is fixed gives a number away. Nothing has been changed then.
    """
    public = [Published(name, table, Path(), (measures or {}).get(name)) for name, table in (fixed or {}).items()]
    return sorted(_repair_tables(folder, public, within))


def entangled(collection: Collection, found: pl.DataFrame) -> list[str]:
    """Names of the tables that findings speak of, in the order of the collection."""
    words = " ".join([*found["table"], *found["because"]])
    return [one.name for one in collection.tables if re.search(rf"(?<!\w){re.escape(one.name)}(?!\w)", words)]


def seemingly_rounded(collection: Collection, rounded: Mapping[str, int]) -> dict[str, int]:
    """Files of which all counts are multiples of 10 or 5, four of them other than 0, and of which nobody said so.

    Returns
    -------
    dict[str, int]
        The multiple by the name of the table, in the order of the collection.
    """
    bases = _bases(collection, rounded)
    found = {}
    for one in collection.tables:
        if isinstance(one.table, Safe) or one.name in bases:
            continue
        columns = [name for name in shape_of(one.table.columns).all_counts if name in one.table.columns]
        counts = [count for name in columns for count in one.table[name].drop_nulls() if count]
        base = next((base for base in (10, 5) if all(count % base == 0 for count in counts)), None)
        if base and len(counts) >= _FEW_COUNTS:
            found[one.name] = base
    return found


def wrong_totals(collection: Collection, rounded: Mapping[str, int]) -> list[str]:
    """A sentence for each total of a file that is not the sum of its rows. None shows a count."""
    bases = _bases(collection, rounded)
    found = []
    for one in collection.tables:
        if isinstance(one.table, Safe) or one.name in bases:
            continue
        sheet = sheet_of(one.table, one.name, shape_of(one.table.columns), HIDING_MARKS)
        try:
            check_adds_up(open_ledger([sheet]))
        except DisclosureError as error:
            found += [f"{one.name}: {line}" for line in str(error).splitlines()]
    return found


def release_to_repair(collection: Collection) -> Path:
    """The last place of a collection; a `ParameterError` when that is a file."""
    last = collection.places[-1]
    if _is_file(last):
        raise ParameterError(
            f"{last}: a file cannot be repaired, and the last that is named is changed. "
            "Name last the release that may still be changed; all others count as public."
        )
    return last


def repair_release(collection: Collection, *, rounded: Mapping[str, int] | None = None) -> Repair:
    """Hide more in the last release of a collection until nothing can be worked out of everything in it together.

    Parameters
    ----------
    collection
        What `open_published` opened, a release last. The others are public and stay as they are.
    rounded
        See `audit_published`.

    Returns
    -------
    Repair
        What was changed. Pages of the pack that showed tables that changed now say that they are left out.

    Raises
    ------
    ParameterError
        When the last place is a file.
    DisclosureError
        When it cannot be repaired, or another file in the release would still show what is hidden now. The release
        stands as it was.

    Notes
    -----
    A copy is repaired beside the release, looked through, audited from its files, and then moved into place: whoever
    stops it leaves the old release or the repaired one.
    """
    last = release_to_repair(collection)
    bases = _bases(collection, rounded or {})
    place = Path(os.path.abspath(last))  # the name of "." is empty
    others = [one for one in collection.tables if one.place != last]
    sweep(place.parent, BEING_REPAIRED)
    beside = being_built(place, BEING_REPAIRED)
    try:
        shutil.copytree(Release.open(last).folder, beside, symlinks=True)
        # A rounded file would be taken at its word here; the audit below is the judge of it.
        exact = [one for one in others if one.name not in bases]
        rows = _repair_tables(beside, exact, collection.lookups, others_first=True)
        pages = leave_out_pages(beside, rows)
        if (beside / WORKBOOK).exists():
            write_release_workbook(Release.open(beside), beside / WORKBOOK)
        refuse_leaks(
            beside,
            refused=f"other files in {last} would still show what would be hidden.",
            advice="Move these files away, or make the release again with: safeguarding report --repair",
        )
        repaired = [one for one in _tables_of(Release.open(beside), "", last) if _is_audited(one.table)]
        together = replace(collection, tables=(*map(_apart, others), *repaired))
        left = audit_published(together, rounded={f"{_PUBLIC}{name}": base for name, base in bases.items()}).found
        if not left.is_empty():
            raise DisclosureError(
                f"{numbered(left.height, 'hidden number')} could still be worked out, because tables that are public "
                "already give them away. Make the release again with fewer or wider groups."
            )
        if rows:
            replace_folder(beside, place, RELEASE)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Repair(rows, tuple(pages))


def read_lookup(path: Path) -> pl.DataFrame:
    """Which groups lie within which others, from a file whose first column lies within each of the others.

    Raises
    ------
    SafeguardingError
        When the file cannot be read, or has fewer than two columns or a cell without a value.
    """
    lookup = read_table(path).frame.drop(ROW)
    try:
        read_lookups(lookup)
    except ParameterError as error:
        raise ParameterError(f"{path.name}: {error}") from None
    return lookup


def write_findings(found: pl.DataFrame, path: Path) -> None:
    """Write findings as CSV; a file that is there is replaced as a whole or, if this is stopped, not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(to_csv(found).encode())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _is_file(place: Path) -> bool:
    """Whether a place is meant as a file. A release may be away for a moment: then it waits beside as the previous."""
    return not place.is_dir() and not previous(place).is_dir() and place.suffix.lower() in READABLE


def _require_readable(place: Path) -> None:
    """Raise a `ParameterError` where there is nothing, or a file or folder that is not what is audited."""
    if previous(place).is_dir():
        return
    if not place.exists():
        raise ParameterError(
            f"there is no such file or folder: {place}. Name a release (a folder) or a published table (a file)."
        )
    if place.is_dir() and not (place / MANIFEST).exists() and (place / "release" / MANIFEST).exists():
        raise ParameterError(f"{place}: this is not a release. Did you mean {place / 'release'}?")
    if place.is_file() and place.suffix.lower() not in READABLE:
        mend = "Save it as .xlsx" if place.suffix.lower() == ".xls" else "Save it as .xlsx or .csv"
        raise ParameterError(f"{place}: a file of this kind cannot be read. {mend}.")


def _is_audited(table: Safe | pl.DataFrame) -> bool:
    if isinstance(table, Safe):
        return not table.source and bool(table.shape.all_counts)
    return bool(shape_of(table.columns).all_counts)


def _tables_of(release: Release, prefix: str, place: Path) -> list[Published]:
    return [
        Published(f"{prefix}{name}", release.in_the_whole(name), place, release.entry(name).measure)
        for name in release.tables()
    ]


def _lookups_of(releases: Iterable[Release]) -> list[pl.DataFrame]:
    return lookups_of(release.entry(name) for release in releases for name in release.tables())


def _bases(collection: Collection, rounded: Mapping[str, int]) -> dict[str, int]:
    """To which multiple the counts of each rounded file were rounded, by the name of its table."""
    files = [one for one in collection.tables if one.measure is None]
    found: dict[str, int] = {}
    for name, base in rounded.items():
        meant = [one.name for one in files if name in (one.name, one.place.name, str(one.place))]
        if not meant:
            raise ParameterError(
                f'rounded: there is no file "{name}".{nearest(name, [one.name for one in files])} '
                "Name a published table that is a file; a release says itself how it was rounded."
            )
        found |= dict.fromkeys(meant, base)
    return found


def _audit_apart(
    group: list[Published], lookups: Sequence[pl.DataFrame], bases: Mapping[str, int], effort: Effort, one_system: bool
) -> list[tuple[list[Published], Audit]]:
    """Audit tables together; those of places that contradict each other are of different topics, and audited apart."""
    made = _audit(group, lookups, bases, effort, one_system)
    places = list(dict.fromkeys(one.place for one in group))
    if one_system or len(places) == 1 or not _is_contradiction(made):
        return [(group, made)]
    kept = places[:1]
    for place in places[1:]:
        together = [one for one in group if one.place in (*kept, place)]
        if not _is_contradiction(_audit(together, lookups, bases, effort, one_system)):
            kept.append(place)
    parts = [[one for one in group if (one.place in kept) == inside] for inside in (True, False)]
    return [each for part in parts for each in _audit_apart(part, lookups, bases, effort, one_system)]


def _frames(tables: Iterable[Safe | pl.DataFrame]) -> list[pl.DataFrame]:
    return [table.frame() if isinstance(table, Safe) else table for table in tables]


def _is_contradiction(made: Audit) -> bool:
    return made.found["low"].null_count() > 0


def _audit(
    group: Sequence[Published],
    lookups: Sequence[pl.DataFrame],
    bases: Mapping[str, int],
    effort: Effort,
    one_system: bool,
) -> Audit:
    tables = {one.name: one.table for one in group}
    lookups = fitted(lookups, _frames(tables.values()))
    rounded = {name: base for name, base in bases.items() if name in tables}
    try:
        return Audit(audit(tables, within=lookups, rounded=rounded, effort=effort, one_system=one_system), effort)
    except DisclosureError:
        if effort == "fast":
            raise
        # Too many combinations; if it is anything else, the fast audit says it again.
        return _audit(group, lookups, bases, "fast", one_system)


def _groups(tables: Sequence[Published]) -> list[list[Published]]:
    """The tables that may be laid side by side; a table may stand in several groups. See `audit_published`."""
    measures: dict[Path, set[str]] = {}
    for one in tables:
        if one.measure is not None:
            measures.setdefault(one.place, set()).add(one.measure)
    beside: dict[str, set[str | None]] = {}
    for together in measures.values():
        for measure in together:
            beside.setdefault(measure, set()).update(together - {measure})
    groups = [[one for one in tables if one.measure not in others] for _, others in sorted(beside.items())]
    by_names = {tuple(one.name for one in group): group for group in groups}
    return list(by_names.values()) or [list(tables)]


def _repair_tables(
    folder: Path, others: Sequence[Published], within: Sequence[pl.DataFrame], *, others_first: bool = False
) -> dict[str, int]:
    """Repair and rewrite the tables of a folder; how many rows of each hide more than before.

    The order matters where tables contradict each other: each goes with the first that it does not contradict.
    """
    release = _opened(folder)
    lookups = [*within, *_lookups_of([release])]
    own = [one for one in _tables_of(release, "", folder) if _is_audited(one.table)]
    public = [_apart(one) for one in others]
    now = {one.name: _as_safe(one.table, one.name) for one in (*own, *public)}
    before = {one.name: now[one.name] for one in own}
    for group in _groups([*public, *own] if others_first else [*own, *public]):
        standing = [one._replace(table=now[one.name]) for one in group]
        for part, made in _audit_apart(standing, lookups, {}, "full", one_system=not public):
            if not made.found.is_empty():
                named = {one.name: now[one.name] for one in part}
                fits = fitted(lookups, _frames(named.values()))
                fixed = named.keys() - before.keys()
                now |= repair(named, within=fits, fixed=fixed, one_system=not public)
    rows = {name: _newly_hidden(table, now[name]) for name, table in before.items()}
    changed = {name: number for name, number in sorted(rows.items()) if number}
    rewrite(release, {name: _as_of_area(release, name, now[name]) for name in changed})
    return changed


def _opened(folder: Path) -> Release:
    """The release in a folder, also one that is being built."""
    if (folder / MANIFEST).exists():
        return Release.open(folder)
    parts = sorted((folder / "tables").glob("*.json"))
    return Release(folder, {"tables": {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in parts}})


def _as_of_area(release: Release, name: str, table: Safe) -> Safe:
    """A table that was laid beside those of other areas, as its own release has it."""
    return as_it_was(release[name], table, release.area) if release.area else table


def rewrite(release: Release, tables: Mapping[str, Safe]) -> None:
    """Write tables of a release that hide more, and what is said of them.

    Parameters
    ----------
    release
        One that nobody has seen; it may still be in the making.
    tables
        Those that change, by name.
    """
    entries = dict(release.manifest["tables"])
    for name, table in tables.items():
        entries[name] |= _rewritten(release.folder, name, table)
    _write_entries(release.folder, entries, tables)


def hide_in_release(place: Path, tables: Mapping[str, Safe]) -> list[str]:
    """Put tables that hide more into a release that nobody has seen; titles of the pages that are left out for it."""
    rewrite(Release.open(place), tables)
    pages = leave_out_pages(place, tables)
    if (place / WORKBOOK).exists():
        write_release_workbook(Release.open(place), place / WORKBOOK)
    return pages


def _apart(public: Published) -> Published:
    """A public table under a name that no table of a release can have."""
    return public._replace(name=f"{_PUBLIC}{public.name}")


def _as_safe(table: Safe | pl.DataFrame, name: str) -> Safe:
    """A file as a table that is safe: of a row in which something is hidden, all numbers are taken to be."""
    if isinstance(table, Safe):
        return table
    hidden = pl.col("mark").is_in(sorted(HIDING_MARKS))
    numbers = number_columns(table, shape_of(table.columns))
    return already_public(
        table.with_columns(
            *(pl.when(~hidden).then(column).alias(column) for column in numbers),
            pl.when(hidden).then("mark").otherwise(pl.lit("")).alias("mark"),
        ),
        name,
    )


def _newly_hidden(before: Safe, now: Safe) -> int:
    """In how many rows a number is hidden that was shown."""
    old, new = before.frame(), now.frame()
    columns = number_columns(old, before.shape)
    return sum(
        any(row[column] is not None and hidden[column] is None for column in columns)
        for row, hidden in zip(old.to_dicts(), new.to_dicts(), strict=True)
    )


def _write_entries(folder: Path, entries: Mapping[str, Any], changed: Iterable[str]) -> None:
    if not (folder / MANIFEST).exists():
        for name in changed:
            write_json(folder / "tables" / f"{name}.json", entries[name])
        return
    manifest = Release.open(folder).manifest
    write_json(folder / MANIFEST, {**manifest, "tables": entries})


def _rewritten(folder: Path, name: str, table: Safe) -> dict[str, Any]:
    """Write the files of a table anew; what is said of it changes so."""
    frame = plain(table)
    content, parquet = to_csv(frame).encode(), parquet_bytes(frame)
    (folder / "tables" / f"{name}.csv").write_bytes(content)
    (folder / "tables" / f"{name}.parquet").write_bytes(parquet)
    digests = {"sha256": hashlib.sha256(content), "parquet_sha256": hashlib.sha256(parquet)}
    said = {one: digest.hexdigest() for one, digest in digests.items()}
    return {"headline": "", "hidden": table.hidden, "repaired": True, **said}
