"""Runs the notebooks with a board's parameters, renders the board pack, and hands the release to the gate."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from safeguarding_analytics.answers import tables_answering
from safeguarding_analytics.area_audit import audit_areas, refuse_found, repair_areas, standing_around
from safeguarding_analytics.areas import Area
from safeguarding_analytics.audit_aside import audited_aside
from safeguarding_analytics.board import Board, check_all
from safeguarding_analytics.board_pdf import BOARD_PDF, Chapter, digests_of, pack_pdf
from safeguarding_analytics.build_folders import being_built, sweep
from safeguarding_analytics.contracts import say_problems
from safeguarding_analytics.dates import day_in_words, evaluation_day
from safeguarding_analytics.errors import (
    DisclosureError,
    ParameterError,
    SafeguardingError,
    TableError,
    in_words,
    nearest,
    numbered,
)
from safeguarding_analytics.kernels import Outcome, Progress, Task, run_notebooks
from safeguarding_analytics.leaks import refuse_leaks
from safeguarding_analytics.package_files import folder_of
from safeguarding_analytics.page_parts import outline_of
from safeguarding_analytics.placed_folders import previous, refuse_other_folders
from safeguarding_analytics.release import (
    BEING_BUILT,
    DATA_VERSION,
    PLACE,
    RELEASE,
    RUNS,
    Draft,
    Release,
    Verdict,
    gather,
    is_release,
    lookups_of,
    promote,
)
from safeguarding_analytics.release_audit import repair_tables, rewrite
from safeguarding_analytics.release_workbook import WORKBOOK, write_release_workbook
from safeguarding_analytics.temporary_folders import lock

NOTEBOOKS = folder_of("notebooks", "notebooks")
"""Folder of the notebooks of the pack."""

OF_THE_MACHINE = ("board", "release")
"""Parameters that name places of the computer; they never stand in a release."""

WHOLE_FIRST = (
    "The report of the whole board comes first, and those of its areas hide what it hides. If nobody has seen the "
    "releases that stand, move them away, make that of the whole board, and then theirs: --for-each … --repair"
)

FAILED = "This page could not be made. Whoever made the others has been told why."

LEFT_OUT = "Left out: numbers on this page were hidden when the tables were protected together; see the tables."


@dataclass(frozen=True)
class Notebook:
    """An analysis: its file, its title, the tables it needs, and the parameters it declares: their types and values."""

    path: Path
    title: str
    question: str
    tables: tuple[str, ...]
    parameters: Mapping[str, str]
    defaults: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the notebook, and of its page."""
        return self.path.stem


@dataclass(frozen=True)
class PackPage:
    """What became of one notebook: an executed one, or the sentence that says why not."""

    notebook: Notebook
    executed: Any = None
    why_not: str = ""
    failed: bool = False


@dataclass(frozen=True)
class Report:
    """What a run made; ``repaired`` are the tables of which more was hidden than the notebooks hid."""

    release: Release
    pages: tuple[PackPage, ...]
    repaired: tuple[str, ...] = ()

    @property
    def index(self) -> Path:
        """The page to open first."""
        return self.release.folder / "pack" / "index.html"

    @property
    def pdf(self) -> Path | None:
        """The pack as a PDF, if it was made."""
        path = self.release.folder / "pack" / BOARD_PDF
        return path if path.is_file() else None


def notebooks(only: Sequence[str] = ()) -> list[Notebook]:
    """The notebooks of the package, in the order of the pack.

    Parameters
    ----------
    only
        Names of those that are wanted; empty for all.

    Raises
    ------
    ParameterError
        When a name is unknown.
    """
    found = sorted((_describe(path) for path in NOTEBOOKS.glob("*.ipynb")), key=lambda each: (each[0], each[1].name))
    every = [notebook for _, notebook in found]
    names = [notebook.name for notebook in every]
    for name in only:
        if name not in names:
            raise ParameterError(f'there is no notebook "{name}".{nearest(name, names)} Known: {", ".join(names)}.')
    return [notebook for notebook in every if not only or notebook.name in only]


def _describe(path: Path) -> tuple[int, Notebook]:
    import nbformat

    notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]  # nbformat
    about = notebook.metadata["safeguarding"]
    parameters = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    lines = [line for line in ast.parse(parameters.source).body if isinstance(line, ast.AnnAssign) and line.value]
    return about["order"], Notebook(
        path=path,
        title=notebook.metadata["title"],
        question=about["question"],
        tables=tuple(about["tables"]),
        parameters={ast.unparse(line.target): ast.unparse(line.annotation) for line in lines},
        defaults={ast.unparse(line.target): ast.literal_eval(line.value) for line in lines if line.value},
    )


def make_report(
    folder: str | Path,
    out: str | Path,
    *,
    only: Sequence[str] = (),
    parameters: Mapping[str, Any] | None = None,
    jobs: int = 4,
    today: date,
    progress: Progress = lambda _done, _all: None,
    repair: bool = False,
    pdf: bool = False,
) -> Report:
    """Run the notebooks on a board's folder and put the audited release with its pack into ``out/release``.

    Parameters
    ----------
    folder
        A board's folder. It is only read.
    out
        Folder that holds, or shall hold, ``release``. A previous release there stays until the new one is complete.
    only
        Names of the notebooks to run; empty for all.
    parameters
        Values for the notebooks' parameters, or their texts. A notebook gets those it declares.
    jobs
        How many notebooks run at once. More of them than processors pay: a kernel waits at times for this process.
    today
        Date printed on the pack.
    progress
        Called with the number of cells done and the number of all cells.
    repair
        Whether more is hidden where a hidden number could be worked out of the tables together. Pages of notebooks
        whose tables changed are then left out, and say so: what they showed may be hidden now.
    pdf
        Whether the pack is made as a PDF, too. It is made of the pages once they have passed the search for leaks, and
        before the release is promoted: where it cannot be made, no release is.

    Returns
    -------
    Report
        The new release and what became of each page.

    Raises
    ------
    TableError
        When the board's tables break a rule (every problem is listed).
    ParameterError
        When a notebook or parameter is unknown, a value is not of the declared type, or ``out/release`` holds
        something else than a release.
    DisclosureError
        When the tables, together or with those of the release that stands (see `promote`) or of those around it (see
        `standing_around`), would give a hidden number away and are not to be repaired, or cannot be; or a page holds an
        identifying value or a number that stands in no published table.
    SafeguardingError
        When a notebook failed and a release stands, which stays, or no notebook was left; or the PDF cannot be made.

    Notes
    -----
    Where no release stands and a notebook fails, the others are published, and its page says that it could not be made.
    """
    wanted = notebooks(only)
    given = dict(parameters or {})
    check_parameters(wanted, given)
    area = Area.of(str(given["area"])) if given.get("area") else None
    place = Path(out) / PLACE
    refuse_other_folders(place, RELEASE)
    _refuse_another_area(place, area)
    _refuse_to_lose_pages(place, wanted)
    board, problems = check_all(folder)
    if not problems.is_empty():
        heights = board.heights(board.tables)
        raise TableError("\n".join(say_problems(problems, board.file_names, heights)))
    board = board.of(area)
    sweep(place.parent, BEING_BUILT)
    built = being_built(place, BEING_BUILT)
    runs = built / RUNS
    try:
        for notebook in wanted:
            (runs / notebook.name).mkdir(parents=True)
        (runs / DATA_VERSION).write_text(board.data_version, encoding="utf-8")
        with board.kept_for_a_run():
            pages = _run_all(board, wanted, runs, given, jobs, progress)
        _refuse_failures(pages, place)
        gather(built, runs, {notebook.name: _about(notebook, given, board) for notebook in wanted})
        repaired, verdict = _repaired(built, place, board) if repair else ([], None)
        pages = _without_what_is_hidden(pages, built, repaired)
        with nullcontext(lambda: verdict) if verdict else audited_aside(built, place, board.data_version) as audited:
            notes = _notes(board, str(given.get("as_at") or ""))
            chapters = _write_pack(board, pages, built, today, notes, pdf=pdf)
            about = {
                "board": board.config.board.name,
                "made_on": today.isoformat(),
                "as_at": board.config.board.as_at.isoformat() if board.config.board.as_at else None,
                "data_version": board.data_version,
                "area": str(area) if area else None,
                "parameters": {name: str(value) for name, value in given.items()},
                "pages": [notebook.name for notebook in wanted],
            }
            _write_workbook(built, about)
            refuse_leaks(built, board)
            if pdf:
                about["pdf"] = _write_pdf(board, chapters, built / "pack", today, notes)
            with _one_at_a_time(place.parent):
                _refuse_to_lose_pages(place, wanted)
                _refuse_beside_areas(built, place, board)
                return Report(promote(built, place, about=about, audited=audited()), tuple(pages), tuple(repaired))
    finally:
        _remove(built)


def check_parameters(wanted: Sequence[Notebook], given: Mapping[str, Any]) -> None:
    """Raise a `ParameterError` when a parameter is none of these notebooks', or its value is not of the declared type.

    Parameters
    ----------
    wanted
        The notebooks that are to run.
    given
        Values by the name of the parameter, or by that of its notebook, a dot, and its own.
    """
    own = {name for notebook in wanted for name in notebook.parameters} - {*OF_THE_MACHINE}
    known = [*sorted(own), *sorted(f"{each.name}.{name}" for each in wanted for name in each.parameters if name in own)]
    for name in given:
        if name not in known:
            raise ParameterError(
                f'no notebook has a parameter "{name}".{nearest(name, known)} Known: {", ".join(sorted(own))}; '
                "to set it for one notebook alone, write its name and a dot before it."
            )
    for notebook in wanted:
        _values(notebook, given)
    if given.get("as_at"):
        evaluation_day(str(given["as_at"]))


def _about(notebook: Notebook, given: Mapping[str, Any], board: Board) -> dict[str, Any]:
    """What the manifest says of the tables of a notebook: the values it ran with, and the data."""
    values = {**notebook.defaults, **_values(notebook, given)}
    texts = {name: str(value) for name, value in values.items() if name not in OF_THE_MACHINE}
    return {"parameters": texts, "data_version": board.data_version}


def _repaired(built: Path, place: Path, board: Board) -> tuple[list[str], Verdict | None]:
    """Hide more in the tables of a run, if it would be refused; names of those that changed, or the audit."""
    draft = Draft.open(built, place, board.data_version)
    verdict = draft.verdict()
    changed = set[str]()
    if not verdict.found.is_empty():
        lookups = lookups_of(draft.entries.values())
        changed |= {*repair_tables(built, fixed=draft.fixed, measures=draft.measures, within=lookups)}
    if around := standing_around(place, board.data_version):
        made = _in_the_making(built, board)
        try:
            (more,) = repair_areas([made], around)
        except DisclosureError as error:
            raise DisclosureError(f"{error}\n{WHOLE_FIRST}") from None
        rewrite(made, more)
        changed |= more.keys()
    return sorted(changed), None if changed else verdict


def _refuse_beside_areas(built: Path, place: Path, board: Board) -> None:
    """What the whole board hides its areas may show, and the other way round: refuse what tells it."""
    around = standing_around(place, board.data_version)
    if not around:
        return
    found = audit_areas([_in_the_making(built, board)], around)
    advice = f"Hide more of this one: safeguarding report FOLDER --repair\n{WHOLE_FIRST}"
    refuse_found(found, f"the release was not made beside {numbered(len(around), 'other')}", advice)


def _in_the_making(built: Path, board: Board) -> Release:
    """What a run has published, as a release of its area or of the whole board."""
    tables = {path.stem: _said_of_table(path) for path in sorted((built / "tables").glob("*.json"))}
    return Release(built, {"tables": tables, "area": str(board.area) if board.area else None})


def _without_what_is_hidden(pages: list[PackPage], built: Path, repaired: Sequence[str]) -> list[PackPage]:
    """The pages, but of notebooks whose tables hide more now, the sentence that says so."""
    changed = {_said_of_table(built / "tables" / f"{name}.json")["notebook"] for name in repaired}
    return [replace(page, executed=None, why_not=LEFT_OUT) if page.notebook.name in changed else page for page in pages]


def _said_of_table(path: Path) -> dict[str, Any]:
    """What a notebook wrote down of a table that it published."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _refuse_to_lose_pages(place: Path, wanted: list[Notebook]) -> None:
    """A run of some notebooks must not take the place of a release that has more pages."""
    if not is_release(place) and not is_release(previous(place)):
        return
    lost = sorted({*Release.open(place).manifest.get("pages", ())} - {notebook.name for notebook in wanted})
    if lost:
        raise ParameterError(
            f"{place} also has {in_words(lost)}, which would be lost. "
            "Run all notebooks, or name another folder with --out."
        )


def _refuse_another_area(place: Path, area: Area | None) -> None:
    """A release of one area must not take the place of that of another, or of all."""
    if not is_release(place) and not is_release(previous(place)):
        return
    stands = Release.open(place).manifest.get("area")
    if stands != (str(area) if area else None):
        raise ParameterError(
            f"{place} holds a release of {stands or 'the whole board'}, not of {area or 'the whole board'}. "
            "Name another folder with --out."
        )


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait while another run moves its release into this folder, so that each is audited beside the one that stands."""
    if os.name != "posix":
        yield
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        lock(opened)
        yield
    finally:
        os.close(opened)


def _remove(built: Path) -> None:
    """Remove the folder of a run, if it has not become the release."""
    stopped = built.with_name(f"{built.name}-stopped")
    with contextlib.suppress(OSError):  # it is not there, or a file is open on Windows: the next run sweeps
        # Under another name first: a notebook that still runs finds no folder to publish into meanwhile.
        shutil.rmtree(built.rename(stopped))


def _run_all(
    board: Board, wanted: list[Notebook], runs: Path, given: dict[str, Any], jobs: int, progress: Progress
) -> list[PackPage]:
    """Run the notebooks whose tables the board has; a page for each notebook, in the order of the pack."""
    from safeguarding_analytics.pages import vega_bundle

    lacking = {each.name: missing for each in wanted if (missing := [t for t in each.tables if t not in board.tables])}
    folder = str(board.folder.resolve())
    tasks = {
        each.name: Task(
            each.path,
            {"board": folder, "release": str((runs / each.name).resolve()), **_values(each, given)},
        )
        for each in wanted
        if each.name not in lacking
    }
    outcomes = run_notebooks(tasks, jobs=jobs, progress=progress, beside=vega_bundle)
    return [
        _page_without(each, lacking[each.name], board) if each.name in lacking else _page_of(each, outcomes[each.name])
        for each in wanted
    ]


def _page_without(notebook: Notebook, missing: list[str], board: Board) -> PackPage:
    absent = [board.path(table).name for table in missing if not board.holds(table)]
    if absent:
        why_not = f"This page needs {in_words(absent)}, which the board's folder does not hold."
    else:
        files = in_words([board.path(table).name for table in missing])
        column = board.area.column if board.area else ""
        why_not = f"This page needs {files}, where no row says its {column}."
    return PackPage(notebook, why_not=why_not)


def _page_of(notebook: Notebook, outcome: Outcome) -> PackPage:
    return PackPage(notebook, outcome.executed, outcome.why_not, failed=outcome.executed is None)


def _values(notebook: Notebook, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the parameters a notebook declares, each of the declared type; its own before those for all."""
    chosen = {name: given.get(f"{notebook.name}.{name}", given.get(name)) for name in notebook.parameters}
    return {name: _typed(name, value, notebook.parameters[name]) for name, value in chosen.items() if value is not None}


def _typed(name: str, value: Any, kind: str) -> Any:
    """A value as it is declared: a text such as "2008" stays a text where one is wanted."""
    if kind == "str":
        return str(value)
    types: dict[str, tuple[Callable[[str], Any], str]] = {
        "int": (int, "a whole number"),
        "float": (float, "a number"),
        "bool": ({"true": True, "false": False}.__getitem__, "true or false"),
    }
    if kind not in types or not isinstance(value, str):
        return value
    read, wanted = types[kind]
    try:
        return read(value)
    except (ValueError, KeyError):
        raise ParameterError(f'{name} must be {wanted}. Found: "{value}".') from None


def _refuse_failures(pages: list[PackPage], place: Path) -> None:
    """Where a notebook failed, a release that stands is not given up for one that lacks its page."""
    failed = [page for page in pages if page.failed]
    nothing_lost = not is_release(place) and not is_release(previous(place)) and any(page.executed for page in pages)
    if failed and not nothing_lost:
        raise SafeguardingError(
            "\n".join(f"{page.notebook.name}: {page.why_not}" for page in failed)
            + "\nNo release was made; the previous one, if there is one, stays."
        )
    if all(page.executed is None for page in pages):
        raise TableError("\n".join(f"{page.notebook.name}: {page.why_not}" for page in pages))


def _notes(board: Board, what_if: str) -> list[str]:
    """Sentences about the data of a pack."""
    as_at = board.config.board.as_at
    return [
        *([f"As at {day_in_words(as_at)}."] if as_at else []),
        *([f"Pages that ask what if were made as at {day_in_words(evaluation_day(what_if))}."] if what_if else []),
        f"Data version {board.data_version}.",
    ]


def _write_pack(
    board: Board, pages: list[PackPage], built: Path, today: date, notes: Sequence[str], *, pdf: bool
) -> list[Chapter]:
    """Write the pages and their contents; the pages as chapters of the PDF."""
    from safeguarding_analytics.pages import OVERVIEW, index_html, message_html, page_html, vega_bundle

    name = board.config.board.name
    pack = built / "pack"
    pack.mkdir()
    navigation = [("index.html", OVERVIEW), *((f"{page.notebook.name}.html", page.notebook.title) for page in pages)]
    published = [_said_of_table(path) for path in sorted((built / "tables").glob("*.json"))]
    chapters = []
    for number, page in enumerate(pages, 1):
        notebook = page.notebook
        why_not = FAILED if page.failed else page.why_not
        if page.executed is None:
            html = message_html(why_not, title=notebook.title, navigation=navigation, board=name)
        else:
            html = page_html(
                page.executed,
                title=notebook.title,
                bundle=vega_bundle(),
                navigation=navigation,
                board=name,
                chapter=number,
            )
        (pack / f"{notebook.name}.html").write_text(html, encoding="utf-8")
        headline = why_not or _headline(notebook.name, published)
        chapters.append(Chapter(notebook.title, notebook.question, headline, html))
    entries = [_contents(page.notebook.name, chapter) for page, chapter in zip(pages, chapters, strict=True)]
    index = index_html(
        board=name,
        pages=entries,
        made_on=day_in_words(today),
        notes=notes,
        tables=[(f"../tables/{each['name']}.csv", each["title"]) for each in published],
        pdf=BOARD_PDF if pdf else "",
        workbook=f"../{WORKBOOK}" if published else "",
    )
    (pack / "index.html").write_text(index, encoding="utf-8")
    return chapters


def _contents(name: str, chapter: Chapter) -> dict[str, Any]:
    """What the contents of a pack say of a page, and what is on it."""
    outline = outline_of(chapter.html)
    about = {"title": chapter.title, "question": chapter.question, "headline": chapter.headline}
    return {"href": f"{name}.html", **about, "sections": outline.sections, "figures": outline.figures}


def _write_pdf(
    board: Board, chapters: Sequence[Chapter], pack: Path, today: date, notes: Sequence[str]
) -> dict[str, str]:
    """Write the pages as one PDF; its digest and that of the pages, by which it is known again."""
    content = pack_pdf(chapters, board=board.config.board.name, made_on=today, notes=notes)
    (pack / BOARD_PDF).write_bytes(content)
    return digests_of(pack)


def _write_workbook(built: Path, about: Mapping[str, Any]) -> None:
    """All tables of the run in one workbook, from the same files that anybody will open."""
    entries = {path.stem: _said_of_table(path) for path in sorted((built / "tables").glob("*.json"))}
    if entries:
        write_release_workbook(Release(built, {**about, "tables": entries}), built / WORKBOOK)


def _headline(name: str, published: list[dict[str, Any]]) -> str:
    """Headline of a notebook: that of the table that answers it, else of the first of its tables that has one."""
    own = {each["name"]: str(each["headline"]) for each in published if each["notebook"] == name and each["headline"]}
    return next((own[each] for each in [*tables_answering(name, own), *own]), "")
