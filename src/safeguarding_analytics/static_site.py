"""Writes a release as a static site: the pages of the dashboard without a kernel, to open from a folder or any server.

Every page is a notebook of ``dashboards``, run against a copy of the release. The site is built beside its place,
looked through for numbers that stand in no table of the release, and moved into its place as a whole; until then the
previous one stands.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from safeguarding_analytics import __version__
from safeguarding_analytics.build_folders import being_built, sweep
from safeguarding_analytics.cells import meaning_of
from safeguarding_analytics.dashboards import LIVE, PAGES, SERVED, DashboardPage, pages_in
from safeguarding_analytics.dates import day_in_words
from safeguarding_analytics.errors import ParameterError, SafeguardingError, numbered
from safeguarding_analytics.kernels import Progress, Task, run_notebooks
from safeguarding_analytics.leaks import refuse_leaks
from safeguarding_analytics.pages import (
    SCRIPT,
    STYLE,
    VEGA,
    asset_files,
    from_template,
    page_html,
    text_html,
    vega_bundle,
)
from safeguarding_analytics.placed_folders import Kind, refuse_other_folders, replace_folder
from safeguarding_analytics.release import MANIFEST, PACKAGE, Entry, Release
from safeguarding_analytics.release_workbook import WORKBOOK
from safeguarding_analytics.report import notebooks
from safeguarding_analytics.safe import Safe

MARKER = "site.json"
"""File that says that a folder is a site of ours, of which release, and with which files."""

ASSETS = "assets"
DOWNLOADS = ("downloads.html", "Download the tables")
ACCESSIBILITY = ("accessibility.html", "Accessibility statement")
NO_ROWS = (
    "Empty: what it takes was not in the board's folder, was not asked, or cannot be shown. It holds headings only."
)
"""Beside a table without rows, which a reader need not open."""

BIG = 1024
"""Bytes from which a page, style or script has a compressed copy beside it, for servers that send such copies."""

_TO_COMPRESS = (".html", ".css", ".js")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_DAMAGED = (ValueError, TypeError, LookupError, AttributeError, pl.exceptions.PolarsError)
"""What opening a table raises whose entry in the manifest is not what it should be."""

_DAYS = ("made_on", "as_at")
_OTHER_TABLES = "Other tables"


@dataclass(frozen=True)
class Site:
    """A published site.

    ``size`` is that of what readers can load, in bytes, and ``compressed`` that of the same where a server sends the
    compressed copies of pages, style and scripts. Neither counts the copies twice, nor ``site.json``.
    """

    folder: Path
    pages: tuple[str, ...]
    tables: tuple[str, ...]
    size: int
    compressed: int

    @property
    def index(self) -> Path:
        """The page to open first."""
        return self.folder / "index.html"


def publish_site(
    folder: str | Path,
    out: str | Path,
    *,
    jobs: int = 4,
    contact: str = "",
    progress: Progress = lambda _done, _all: None,
) -> Site:
    """Write the pages of a release, with its tables to download, as a static site.

    Parameters
    ----------
    folder
        A release. It is only read.
    out
        Folder of the site. A previous site there stays until the new one is complete.
    jobs
        How many pages are worked out at once.
    contact
        Whom readers write to or call about the pages, for the accessibility statement; empty: the board's name alone.
    progress
        Called with the number of cells done and the number of all cells.

    Returns
    -------
    Site
        Where it is, its pages and tables, and how large it is.

    Raises
    ------
    ParameterError
        When ``out`` holds something else than such a site, or lies in the release.
    DisclosureError
        When a page holds a number that stands in no table of the release.
    SafeguardingError
        When there is no complete release, it was changed after the audit, or a page could not be worked out.

    Notes
    -----
    The same release gives the same bytes. Nothing in the site tells of the computer on which it was made, nor of the
    time: the only day is that of the release.

    On Linux the new site changes places with the old one in a single step. Elsewhere there are two steps, with an
    instant between them at which the server finds no page.
    """
    place, release = Path(out).resolve(), Release.open(folder)
    if release.folder.resolve() in (place, *place.parents):
        raise ParameterError(f"{place} lies in the release itself. Choose another folder for the site.")
    refuse_other_folders(place, SITE)
    beginning = f".{place.name}-being-built-"
    sweep(place.parent, beginning)
    beside = being_built(place, beginning)
    try:
        copied = _copy(release, beside / "release")
        tables = _opened(copied)
        files = _pages(copied, tables, jobs, contact, progress)
        pages = tuple(files)
        _refuse_leaks(copied, files)
        files |= {f"{ASSETS}/{name}": text.encode() for name, text in asset_files().items()}
        files |= _downloads(copied)
        copies = _compressed(files)
        _write({**files, **copies}, copied, beside / "site")
        _move(beside / "site", place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    sent = sum(len(copies.get(f"{path}.gz", content)) for path, content in files.items())
    return Site(place, pages, tuple(tables), sum(map(len, files.values())), sent)


# The release


def _copy(release: Release, place: Path) -> Release:
    """A release as it is now: one that takes its place meanwhile must not get into some of the pages."""
    names = release.tables()
    odd = [name for name in names if not _NAME.fullmatch(name) or release.entry(name).name != name]
    if odd:
        raise _damaged(f"{numbered(len(odd), 'table')} in it with a name that no table can have")
    (place / "tables").mkdir(parents=True)
    (place / MANIFEST).write_text(json.dumps(release.manifest, ensure_ascii=False), encoding="utf-8")
    for path in [*(f"tables/{name}.{kind}" for name in names for kind in ("csv", "parquet")), WORKBOOK]:
        if (release.folder / path).is_file():
            shutil.copyfile(release.folder / path, place / path)
    return Release(place, release.manifest)


def _opened(release: Release) -> dict[str, Safe]:
    """All tables by name, each as it was audited, if the manifest says of them and the run all that the pages say."""
    for name in ("board", "data_version", "made_on", *(["as_at"] if release.manifest.get("as_at") else [])):
        found = release.manifest.get(name)
        if not isinstance(found, str) or not found.strip() or (name in _DAYS and not _is_day(found)):
            raise _damaged(f'no "{name}" that can be read')
    opened = {}
    for name in release.tables():
        entry = release.entry(name)
        texts = (entry.title, entry.definition, entry.headline, entry.measure, entry.source, entry.notebook)
        try:
            opened[name] = release[name]
            fits = all(isinstance(text, str) for text in texts)
        except _DAMAGED:
            fits = False
        if not fits:
            raise _damaged(f"an entry of the table {name} that does not fit its file")
    return opened


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _damaged(found: str) -> SafeguardingError:
    return SafeguardingError(f"{MANIFEST}: there is {found}. Make the release again with: safeguarding report")


# The pages


def _pages(
    release: Release, tables: Mapping[str, Safe], jobs: int, contact: str, progress: Progress
) -> dict[str, bytes]:
    """Every page of the site by the name of its file."""
    found = pages_in(PAGES)
    executed = _run_all(found, release.folder, jobs, progress)
    board = release.manifest["board"]
    around: dict[str, Any] = {
        "board": board,
        "navigation": [(_file_of(page), page.title) for page in found],
        "assets": ASSETS,
        "more": [DOWNLOADS, ACCESSIBILITY],
    }
    pages = {
        _file_of(page): page_html(notebook, title=page.title, bundle="", **around)
        for page, notebook in zip(found, executed, strict=True)
    }
    made_on = day_in_words(date.fromisoformat(release.manifest["made_on"]))
    bodies = {
        DOWNLOADS: from_template("site_downloads.html.j2", **_offered(release, tables)),
        ACCESSIBILITY: from_template(
            "site_accessibility.html.j2", board=board, contact=contact, made_on=made_on, version=__version__
        ),
    }
    pages |= {name: text_html(body, title=title, **around) for (name, title), body in bodies.items()}
    return {name: html.encode() for name, html in pages.items()}


def _file_of(page: DashboardPage) -> str:
    return f"{page.address.removeprefix('/') or 'index'}.html"


def _run_all(pages: Sequence[DashboardPage], release: Path, jobs: int, progress: Progress) -> list[Any]:
    """The executed notebooks of the pages, each of a kernel of its own; all failures in one error."""
    tasks = {page.title: Task(page.notebook, None) for page in pages}
    with _served(release):
        outcomes = run_notebooks(tasks, jobs=jobs, progress=progress, beside=vega_bundle)
    lines = [f"{title}: {outcome.why_not}" for title, outcome in outcomes.items() if outcome.why_not]
    if lines:
        last = "No site was made; the previous one, if there is one, stays. Make the release again with this version."
        raise SafeguardingError("\n".join([*lines, last]))
    return [outcome.executed for outcome in outcomes.values()]


@contextmanager
def _served(release: Path) -> Iterator[None]:
    """Tell the kernels that start meanwhile which release to open."""
    before = {name: os.environ.pop(name, None) for name in (SERVED, LIVE)}
    os.environ[SERVED] = str(release)
    try:
        yield
    finally:
        del os.environ[SERVED]
        os.environ.update({name: value for name, value in before.items() if value is not None})


# The tables to download


def _offered(release: Release, tables: Mapping[str, Safe]) -> dict[str, Any]:
    """What the page of downloads says: every table under the page of the board pack that it belongs to."""
    titles = {notebook.name: notebook.title for notebook in notebooks()}
    groups: dict[str, list[dict[str, str]]] = {title: [] for title in (*titles.values(), _OTHER_TABLES)}
    for name, table in tables.items():
        entry = release.entry(name)
        groups[titles.get(entry.notebook, _OTHER_TABLES)].append(_offer(entry, table, release.folder))
    marks = sorted({mark for table in tables.values() for mark in table.frame()["mark"].drop_nulls()} - {""})
    book = release.folder / WORKBOOK
    return {
        "groups": [(heading, offers) for heading, offers in groups.items() if offers],
        "marks": [(mark, meaning_of(mark)) for mark in marks],
        "workbook": {"address": WORKBOOK, "size": _in_words(book.stat().st_size)} if book.is_file() else None,
    }


def _offer(entry: Entry, table: Safe, folder: Path) -> dict[str, str]:
    address = f"tables/{entry.name}.csv"
    hidden = f", {table.hidden:,} of them with a hidden number" if table.hidden else ""
    rows = table.frame().height
    return {
        "address": address,
        "title": entry.title,
        "definition": entry.definition,
        "rows": f"{numbered(rows, 'row')}{hidden}." if rows else NO_ROWS,
        "source": entry.source.rstrip("."),
        "size": _in_words((folder / address).stat().st_size),
    }


def _in_words(size: int) -> str:
    """The size of a file, rounded up.

    Examples
    --------
    >>> _in_words(1), _in_words(2001), _in_words(1_200_001)
    ('1 kB', '3 kB', '1.3 MB')
    """
    return f"{-(-size // 1000):,} kB" if size <= 1_000_000 else f"{-(-size // 100_000) / 10:.1f} MB"


def _downloads(release: Release) -> dict[str, bytes]:
    paths = [f"tables/{name}.csv" for name in release.tables()]
    book = [WORKBOOK] if (release.folder / WORKBOOK).is_file() else []
    return {path: (release.folder / path).read_bytes() for path in [*paths, *book]}


# The site


def _refuse_leaks(release: Release, pages: Mapping[str, bytes]) -> None:
    """Look into every page as into those of a board pack, but for the files that all pages share."""
    shared = [f'<link rel="stylesheet" href="{ASSETS}/{STYLE}">']
    shared += [f'<script src="{ASSETS}/{name}"></script>' for name in (VEGA, SCRIPT)]
    pack = release.folder / "pack"
    pack.mkdir()
    for name, content in pages.items():
        html = content.decode()
        for element in shared:
            html = html.replace(element, "", 1)
        (pack / name).write_bytes(html.encode())
    refuse_leaks(
        release.folder,
        refused="the site was not made: it would hold what must not be published.",
        advice="Make the release again with: safeguarding report. The previous site, if there is one, stays.",
    )


def _compressed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Copies of the big files, for servers that send such copies, by the names that these look for."""
    big = [path for path, content in files.items() if path.endswith(_TO_COMPRESS) and len(content) >= BIG]
    return {f"{path}.gz": gzip.compress(files[path], 9, mtime=0) for path in big}


def _write(files: Mapping[str, bytes], release: Release, place: Path) -> None:
    """Write all files, and what says that the folder is a site of ours."""
    about = {name: release.manifest.get(name) for name in ("board", "made_on", "as_at", "data_version")}
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in sorted(files.items())}
    marker = {"package": f"{PACKAGE} {__version__}", "release": about, "files": digests}
    for path, content in {**files, MARKER: json.dumps(marker, indent=1, ensure_ascii=False).encode()}.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(content)


def _move(built: Path, place: Path) -> None:
    try:
        replace_folder(built, place, SITE)
    except OSError:
        if not is_site(place):
            raise
        replace_folder(built, place, SITE)  # another run made the first site there a moment ago


def is_site(folder: Path) -> bool:
    """Whether a folder is a site of ours and holds nothing else, so that nothing is lost with it."""
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        ours = str(marker["package"]).startswith(f"{PACKAGE} ") and isinstance(marker["files"], dict)
        known = {*marker["files"], MARKER}
    except (OSError, *_DAMAGED):
        return False
    return ours and all(
        path.relative_to(folder).as_posix() in known
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    )


SITE = Kind("part of a site made by safeguarding publish", MARKER, is_site, "Choose another folder", at_once=True)
