"""Reports for many areas: made side by side, kept until all are there, audited as one system, and then put in place."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from safeguarding_analytics import __version__
from safeguarding_analytics.area_audit import audit_areas, measures_of, refuse_found, repair_areas, standing_in
from safeguarding_analytics.area_runs import AreaRun
from safeguarding_analytics.area_worker import AuditJob, ReportJob, Workers
from safeguarding_analytics.board import check_all, read_board
from safeguarding_analytics.build_folders import being_built, sweep
from safeguarding_analytics.errors import SafeguardingError, numbered
from safeguarding_analytics.kept_tables import told
from safeguarding_analytics.placed_folders import previous, refuse_other_folders, replace_folder
from safeguarding_analytics.release import (
    BEING_BUILT,
    PLACE,
    RELEASE,
    STAGED,
    Release,
    is_release,
)
from safeguarding_analytics.release_audit import audit_published, hide_in_release, open_published
from safeguarding_analytics.report import NOTEBOOKS

STATE = "made.json"
"""Says of a report that waits that it is finished, and of what it was made."""

ROUNDS = 3
"""How often reports are made again after more of them is hidden, before pages that show it are left out."""

HIDE_MORE = "Hide more until nothing can be worked out: safeguarding report FOLDER --for-each … --repair"

IN_SEVERAL_RUNS = (
    "The reports differ in more than their area, and no more is hidden in such reports together. Make those that are "
    "alike in one run and the others in runs of their own, into the same OUT: "
    "safeguarding report FOLDER --for-each … --repair"
)

Done = Callable[[int, int], None]
Say = Callable[[str], None]


@dataclass(frozen=True)
class AreaReports:
    """What became of the reports: releases by name, sentences on what failed, and the areas that hide more."""

    releases: Mapping[str, Release]
    failed: Mapping[str, tuple[str, ...]]
    repaired: tuple[str, ...]
    kept: int


@dataclass(frozen=True)
class Wanted:
    """What every report of a run is made with."""

    out: Path
    only: tuple[str, ...]
    today: date
    jobs: int
    pdf: bool
    repair: bool

    @property
    def staged(self) -> Path:
        """Where reports wait for the others."""
        return self.out / STAGED


def make_reports(runs: Sequence[AreaRun], wanted: Wanted, *, progress: Done, say: Say) -> AreaReports:
    """Make reports, audit them together, and put their releases into ``out/NAME/release``.

    Parameters
    ----------
    runs
        See `area_runs`.
    wanted
        ``jobs`` is how many are made at once; what comes out does not depend on it.
    progress
        Called with the number of reports done and of all.
    say
        Called with sentences on what goes on.

    Returns
    -------
    AreaReports
        ``failed`` are reports that were not made, or lack pages; the others stand. One that lacks pages does not take
        the place of one that stands. ``kept`` were finished before.

    Raises
    ------
    ParameterError
        When something else than a release stands where one is to be put.
    DisclosureError
        When a hidden number could be worked out of the reports together, or with those that stand and are of the same
        data, and they are not to be repaired, or cannot be. Nothing is put in place.

    Notes
    -----
    A report that is finished waits in a private folder, also when the run is stopped or another report failed: the next
    run of the same data, parameters, day and version takes it from there.
    """
    for run in runs:
        refuse_other_folders(wanted.out / run.name / PLACE, RELEASE)
    wanted.staged.mkdir(parents=True, exist_ok=True, mode=0o700)
    versions = {folder: read_board(folder).data_version for folder in {run.board.resolve() for run in runs}}
    states = {run.name: _state(run, versions[run.board.resolve()], wanted) for run in runs}
    due = [run for run in runs if not _is_made(wanted.staged / run.name, states[run.name])]
    with ExitStack() as meanwhile:
        workers = meanwhile.enter_context(Workers(min(wanted.jobs, len(runs))))  # they import while tables are checked
        for folder in versions:
            _keep_tables(folder, meanwhile)
        failed = _make(due, wanted, states, workers, progress=progress, before=len(runs) - len(due))
        made = [
            run for run in runs if is_release(wanted.staged / run.name / PLACE) and not _would_lose(run, wanted, failed)
        ]
        repaired = _protect(made, wanted, states, workers, say)
    for run in made:
        _put(wanted.staged / run.name / PLACE, wanted.out / run.name / PLACE)
    if not any(failed.values()):
        shutil.rmtree(wanted.staged)
    releases = {run.name: Release.open(wanted.out / run.name / PLACE) for run in made}
    return AreaReports(releases, failed, repaired, len(runs) - len(due))


def _keep_tables(folder: Path, kept: ExitStack) -> None:
    """Check the tables of a board once for all its reports; where they break a rule, every report says so."""
    with suppress(SafeguardingError):
        board, problems = check_all(folder)
        if problems.is_empty():
            kept.enter_context(board.kept_for_a_run())


def _put(made: Path, place: Path) -> None:
    """Put a copy of a report in place; the report itself waits on until none fails, so that it is made once."""
    place.parent.mkdir(exist_ok=True)
    sweep(place.parent, BEING_BUILT)
    copy = being_built(place, BEING_BUILT)
    shutil.copytree(made, copy)
    replace_folder(copy, place, RELEASE)


def _would_lose(run: AreaRun, wanted: Wanted, failed: Mapping[str, Sequence[str]]) -> bool:
    """Whether a report that lacks pages would take the place of one that stands."""
    place = wanted.out / run.name / PLACE
    return bool(failed.get(run.name)) and (is_release(place) or is_release(previous(place)))


def _state(run: AreaRun, data_version: str, wanted: Wanted) -> str:
    """A digest of all that a report is made of."""
    notebooks = {path.name: _digest(path.read_bytes()) for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
    of_what = {
        "package": __version__,
        "notebooks": notebooks,
        "board": str(run.board.resolve()),
        "data_version": data_version,
        "parameters": dict(run.parameters),
        "only": wanted.only,
        "today": wanted.today.isoformat(),
        "pdf": wanted.pdf,
    }
    return _digest(json.dumps(of_what, sort_keys=True).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _is_made(folder: Path, state: str) -> bool:
    """Whether a report waits that was made of the same; one that was made of something else is removed."""
    file = folder / STATE
    if file.is_file() and file.read_text(encoding="utf-8") == state and is_release(folder / PLACE):
        return True
    shutil.rmtree(folder, ignore_errors=True)
    return False


def _make(
    runs: Sequence[AreaRun],
    wanted: Wanted,
    states: Mapping[str, str],
    workers: Workers,
    *,
    progress: Done = lambda *_: None,
    before: int = 0,
) -> dict[str, tuple[str, ...]]:
    """Make reports side by side; of those that failed, or lack pages, why."""
    progress(before, before + len(runs))
    failed: dict[str, tuple[str, ...]] = {}
    for number, (name, said) in enumerate(workers.answers({run.name: _job(run, wanted) for run in runs}), before + 1):
        failed[name] = said
        if not said:
            (wanted.staged / name / STATE).write_text(states[name], encoding="utf-8")
        progress(number, before + len(runs))
    return {run.name: failed[run.name] for run in runs if failed[run.name]}


def _job(run: AreaRun, wanted: Wanted) -> ReportJob:
    report = {
        "folder": str(run.board),
        "out": str(wanted.staged / run.name),
        "only": wanted.only,
        "parameters": dict(run.parameters),
        "today": wanted.today.isoformat(),
        "pdf": wanted.pdf,
        "repair": wanted.repair,
    }
    return {"report": report, "kept": told()}


def _protect(
    runs: Sequence[AreaRun], wanted: Wanted, states: Mapping[str, str], workers: Workers, say: Say
) -> tuple[str, ...]:
    """Audit the reports of each board together, and hide more where that is wanted; names of those that hide more."""
    boards: dict[Path, list[AreaRun]] = {}
    for run in runs:
        boards.setdefault(run.board.resolve(), []).append(run)
    return tuple(name for each in boards.values() for name in _protect_together(each, wanted, states, workers, say))


def _protect_together(
    runs: Sequence[AreaRun], wanted: Wanted, states: Mapping[str, str], workers: Workers, say: Say
) -> Iterator[str]:
    """The same for the reports of one board."""
    staged = [wanted.staged / run.name / PLACE for run in runs]
    public = standing_in(wanted.out, Release.open(staged[0]).manifest["data_version"])
    if len(staged) + len(public) == 1:
        return
    beside = (
        f", beside {numbered(len(public), 'release')} that stand{'s' if len(public) == 1 else ''}" if public else ""
    )
    say(f"Auditing {numbered(len(staged), 'report')} as one system{beside}.")
    if not _are_alike(staged):
        places = [*(release.folder for release in public), *staged]
        _refuse(audit_published(open_published(places)).found, IN_SEVERAL_RUNS)
        return
    changed = set[str]()
    if not wanted.repair:
        releases = [Release.open(place) for place in staged]
        _refuse(audit_areas(releases, public, _clean(releases, public, workers)))
        return
    for again in range(ROUNDS + 1):
        releases = [Release.open(place) for place in staged]
        changes = repair_areas(releases, public, _clean(releases, public, workers))
        more = {run.name: tables for run, tables in zip(runs, changes, strict=True) if tables}
        due = [run for run in runs if run.name in more]
        if not due:
            break
        for run in due:
            (wanted.staged / run.name / STATE).unlink(missing_ok=True)
            hide_in_release(wanted.staged / run.name / PLACE, more[run.name])
        if again < ROUNDS:
            say(f"Hiding more in {numbered(len(due), 'report')}, and making them again.")
            for name, sentences in _make(due, wanted, states, workers).items():
                say(f"{name}: pages are left out, as they cannot be made again: {' '.join(sentences)}")
        changed |= more.keys()
    yield from (run.said for run in runs if run.name in changed)


def _clean(releases: Sequence[Release], public: Sequence[Release], workers: Workers) -> set[str]:
    """Measures that tell nothing, as the workers find, each of some of them; the others are left to who asks."""
    measures = measures_of([*releases, *public])
    places = {"releases": [str(each.folder) for each in releases], "public": [str(each.folder) for each in public]}
    parts = [measures[number :: workers.count] for number in range(workers.count)]
    jobs: dict[str, AuditJob] = {" ".join(part): {"audit": {**places, "measures": part}} for part in parts if part}
    return {measure for _, said in workers.answers(jobs) for measure in said}


def _are_alike(places: Sequence[Path]) -> bool:
    """Whether releases were made with the same parameters but for the area."""
    given = [dict(Release.open(place).manifest["parameters"]) for place in places]
    return all({**each, "area": ""} == {**given[0], "area": ""} and each.get("area") for each in given)


def _refuse(found: pl.DataFrame, advice: str = HIDE_MORE) -> None:
    """Say what could be worked out, if anything, and what to do."""
    refuse_found(found, "no report was put in place", advice)
