"""Releases of the areas of one board, and of the board, audited as one system; and what must be hidden besides.

What the whole hides an area must not show, and of what a total leaves when all areas but one are taken from it nobody
may learn either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from safeguarding_analytics.areas import as_it_was
from safeguarding_analytics.auditing import audit
from safeguarding_analytics.dimensions import fitted
from safeguarding_analytics.errors import DisclosureError, numbered
from safeguarding_analytics.placed_folders import previous
from safeguarding_analytics.release import PLACE, STANDING, Release, effort_for, is_release, lookups_of
from safeguarding_analytics.repairs import repair
from safeguarding_analytics.safe import Safe

MOST_SHOWN = 20
"""Rows that are named where there are many."""

_NO_REPAIR = (
    "numbers could be worked out of the reports together, and nothing more of them can be hidden. "
    "Make the reports of fewer areas, or move the releases away that stand, if nobody has seen them."
)


class Placed(NamedTuple):
    """A table of a release as one of the whole board, and whether it is public already."""

    release: Release
    name: str
    table: Safe
    is_public: bool


def standing_in(out: Path, data_version: str) -> list[Release]:
    """The releases of some data that stand in a folder: that of the whole board, and those of areas.

    Parameters
    ----------
    out
        Folder that may hold ``release``, and ``NAME/release`` for areas.
    data_version
        The data that they must be of.

    Raises
    ------
    SafeguardingError
        When one of them cannot be read: nobody knows what it hides.
    """
    folders = [out, *sorted(path for path in out.iterdir() if path.is_dir())] if out.is_dir() else []
    found = [Release.open(each / PLACE) for each in folders if _stands(each / PLACE)]
    return [release for release in found if release.manifest.get("data_version") == data_version]


def standing_around(place: Path, data_version: str) -> list[Release]:
    """The releases of some data beside which one that is put here must be audited, but for the one it replaces.

    They are those of areas in the same folder and, where this one is that of an area beside a whole board, all those.

    Parameters
    ----------
    place
        Where it is to be put.
    data_version
        See `standing_in`.
    """
    out = place.absolute().parent
    found = [*standing_in(out, data_version)]
    if _stands(out.parent / PLACE):
        found += standing_in(out.parent, data_version)
    return [release for release in found if release.folder.absolute() != place.absolute()]


def _stands(place: Path) -> bool:
    return is_release(place) or is_release(previous(place))


def refuse_found(found: pl.DataFrame, first: str, advice: str) -> None:
    """Raise a `DisclosureError` that names the rows of what could be worked out, if anything; it names no count.

    Parameters
    ----------
    found
        As `audit_areas` says it.
    first, advice
        What did not happen, and what to do.
    """
    if found.is_empty():
        return
    rows = found.select("table", "cell").unique(maintain_order=True).rows()
    shown = [f"- {table}, {cell}" for table, cell in rows[:MOST_SHOWN]]
    more = [f"- and {len(rows) - MOST_SHOWN:,} more"] if len(rows) > MOST_SHOWN else []
    counted = f"{numbered(found.height, 'hidden number')} could be worked out of"
    raise DisclosureError("\n".join([f"{first}: {counted} them together, in these rows:", *shown, *more, advice]))


def measures_of(releases: Sequence[Release]) -> list[str]:
    """What is counted in releases of the same board, that with the most tables first: it takes the longest to audit."""
    entries = [release.entry(name) for release in releases for name in release.tables()]
    tables = Counter(entry.measure for entry in entries if not entry.source)
    return sorted(tables, key=lambda measure: (-tables[measure], measure))


def clean_measures(releases: Sequence[Release], public: Sequence[Release], measures: Collection[str]) -> list[str]:
    """Those of some measures of whose tables nothing can be worked out. See `audit_areas`."""
    lookups = _lookups([*public, *releases])
    found = _by_measure(releases, public, lambda measure: measure in measures)
    return [
        measure for measure, tables in found.items() if all(made.is_empty() for _, made in _audited(tables, lookups))
    ]


def audit_areas(
    releases: Sequence[Release], public: Sequence[Release] = (), clean: Collection[str] = ()
) -> pl.DataFrame:
    """What can be worked out of the tables of all areas and of the whole board together.

    Parameters
    ----------
    releases
        New releases of the same board and data: of its areas, and perhaps of the whole.
    public
        Those that stand already. A table that is the same in both is looked at once.
    clean
        Measures that are known to tell nothing (see `clean_measures`), and are left out.

    Returns
    -------
    pl.DataFrame
        As `audit` says it; a table is named with its area before it, such as ``district=Thanet: repeat_plans``.

    Raises
    ------
    DisclosureError
        See `audit`.

    Notes
    -----
    Tables of one measure are one system, whichever release they stand in: what is counted in an area is counted in the
    whole. Where that is not so, as for people who are paired across areas, the whole is less than its areas together,
    nothing can be taken from it, and the areas are audited without it.
    """
    lookups = _lookups([*public, *releases])
    left = _by_measure(releases, public, lambda measure: measure not in clean)
    found = [made for tables in left.values() for _, made in _audited(tables, lookups)]
    return pl.concat([audit([]), *found])


def repair_areas(
    releases: Sequence[Release], public: Sequence[Release] = (), clean: Collection[str] = ()
) -> list[dict[str, Safe]]:
    """The tables of new releases that must hide more, so that nothing can be worked out of all of them together.

    Parameters
    ----------
    releases, public, clean
        See `audit_areas`.

    Returns
    -------
    list[dict[str, Safe]]
        For each of the new releases, the tables that change, by name.

    Raises
    ------
    DisclosureError
        When they cannot be repaired: what is public gives a number away, whatever the others hide.
    """
    changed: list[dict[str, Safe]] = [{} for _ in releases]
    number = {id(release): place for place, release in enumerate(releases)}
    lookups = _lookups([*public, *releases])
    for tables in _by_measure(releases, public, lambda measure: measure not in clean).values():
        for system, made in _audited(tables, lookups):
            more = [] if made.is_empty() else _repaired(system, lookups)
            if not made.is_empty() and not more:
                raise DisclosureError(_NO_REPAIR)
            for one, table in more:
                changed[number[id(one.release)]][one.name] = table
    return changed


def _repaired(system: Mapping[str, Placed], lookups: Sequence[pl.DataFrame]) -> list[tuple[Placed, Safe]]:
    """The tables of a system that change, as their releases have them."""
    frames = {name: one.table for name, one in system.items()}
    fixed = [name for name, one in system.items() if one.is_public]
    done = repair(frames, within=_fitted(frames, lookups), fixed=fixed, one_system=True)
    changed = [(one, done[name]) for name, one in system.items() if done[name].hidden != one.table.hidden]
    return [
        (one, as_it_was(one.release[one.name], table, one.release.area) if one.release.area else table)
        for one, table in changed
    ]


def _by_measure(
    releases: Sequence[Release], public: Sequence[Release], wanted: Callable[[str], bool]
) -> dict[str, dict[str, Placed]]:
    """The tables of all releases by what they count, by name; those of other publishers are left out."""
    found: dict[str, dict[str, Placed]] = {}
    seen = set[tuple[str, str, str]]()
    for release in (*public, *releases):
        is_public = release in public
        of = str(release.area or "the whole board")
        for entry in map(release.entry, release.tables()):
            if entry.source or not wanted(entry.measure) or (of, entry.name, entry.sha256) in seen:
                continue
            seen.add((of, entry.name, entry.sha256))
            named = f"{STANDING}, {of}: {entry.name}" if is_public else f"{of}: {entry.name}"
            tables = found.setdefault(entry.measure, {})
            if named in tables:  # another that stands is of the same area, made with other parameters
                named = f"{named} ({release.folder})"
            tables[named] = Placed(release, entry.name, release.in_the_whole(entry.name), is_public)
    return {measure: found[measure] for measure in sorted(found)}


def _lookups(releases: Sequence[Release]) -> list[pl.DataFrame]:
    return lookups_of(release.entry(name) for release in releases for name in release.tables())


def _fitted(tables: Mapping[str, Safe], lookups: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    return fitted(lookups, [table.frame() for table in tables.values()])


def _audited(
    tables: Mapping[str, Placed], lookups: Sequence[pl.DataFrame]
) -> list[tuple[Mapping[str, Placed], pl.DataFrame]]:
    """The tables of one measure as systems, and what was found in each: one system, if they add up."""
    parts = [
        {name: one for name, one in tables.items() if (one.release.area is not None) == own} for own in (True, False)
    ]
    try:
        made = _audit(tables, lookups)
    except DisclosureError:
        return [(part, _audit(part, lookups)) for part in parts if part]
    if made["low"].has_nulls():  # no numbers fit all of them
        return [(part, _audit(part, lookups)) for part in parts if part]
    return [(tables, made)]


def _audit(tables: Mapping[str, Placed], lookups: Sequence[pl.DataFrame]) -> pl.DataFrame:
    frames = {name: one.table for name, one in tables.items()}
    own = _fitted(frames, lookups)
    return audit(frames, within=own, effort=effort_for(frames, own, one_run=True), one_system=True)
