"""What must not stand in a release: a look into every file of it, before anybody else looks."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from safeguarding_analytics.board import Board
from safeguarding_analytics.disclosure import Safe
from safeguarding_analytics.errors import DisclosureError, ParameterError, SafeguardingError
from safeguarding_analytics.figures import Figures
from safeguarding_analytics.leak_pages import look_into_page
from safeguarding_analytics.leak_search import TRACEBACK, UNKNOWN, Identities, Search
from safeguarding_analytics.pages import TEMPLATES, vega_bundle
from safeguarding_analytics.release import MANIFEST, Release
from safeguarding_analytics.tables import SHAPES

_MOST_SAID = 20
_BROKEN = (ValueError, TypeError, LookupError, AttributeError, RecursionError, csv.Error, pl.exceptions.PolarsError)
"""What reading a file raises that is not what it should be."""

_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def find_leaks(release_folder: str | Path, board: Board | None = None, secrets: Iterable[str] = ()) -> pl.DataFrame:
    """Look for what must not stand in a release, in every file of its folder.

    Parameters
    ----------
    release_folder
        A release, or the folder of one that is being built.
    board
        The board it was made from. Without it no identifying values are known, so none are looked for.
    secrets
        Further texts that must stand nowhere, such as names.

    Returns
    -------
    pl.DataFrame
        One row per place, by file and in its order: ``file``, ``where``, ``what``, ``rule``. No identifying value and
        no number is printed in it. No row = nothing found.

    Raises
    ------
    ParameterError
        When there is no such folder.
    TableError
        When a table of the board breaks a rule.

    Notes
    -----
    Looked for, by ``rule``:

    - *identifying column*: a column that identifies people heads a table, is a key of JSON or a field of a chart;
    - *identifying value*: a value of such a column stands somewhere as a whole word. Values of fewer than 4 letters,
      5 digits, or 3 letters and digits would be found by chance: they are looked for where names stand alone (in the
      group columns of a table, the rows and series of a chart, the row headings of a page). A value that also stands
      in a text column that does not identify, such as the name of an agency, is not looked for;
    - *number*: the numbers of a row of a chart, or of a table on a page, with those in its words, are not all in one
      row of one table of the release under the same names; or a sentence (a headline, or any other output of a
      notebook) holds a number that is not in the rows it names, a total or a table of one row, and does not follow
      from them (see `figures`). A displayed number may be rounded, a share in per cent. Figures of ``data/published``
      are public and count as tables. A line that a chart draws for all groups alike may stand where its label says;
    - *path*, *traceback*, *request*: a path of the computer, an error, something that is loaded from elsewhere (a link
      that a reader may follow is not);
    - *unknown content*: a file, picture or script whose content is not known, or a table that cannot be opened.

    Not looked at: numbers in prose, titles, definitions, axes and expressions of charts, and in the pictures of
    charts, which are drawn from the specifications beside them.
    """
    folder = Path(release_folder)
    if not folder.is_dir():
        raise ParameterError(f"{folder}: there is no such folder. Name the folder of a release.")
    entries = _entries(folder)
    tables = dict(_tables(folder, entries))
    figures = Figures.of([table for table in tables.values() if table is not None])
    search = Search(Identities(board, secrets), figures, str(board.folder.resolve()) if board else "")
    for path in sorted(folder.rglob("*")):
        search.file = path.relative_to(folder).as_posix()
        search.text(search.file, "its name")
        if path.is_symlink() or not path.is_dir():
            _look_into(path, search, entries)
    for name in (name for name, table in tables.items() if table is None):
        search.file = f"tables/{name}.csv"
        search.add("the file", UNKNOWN, "a table that cannot be opened, or was changed after it was published")
    return search.findings()


def refuse_leaks(release_folder: str | Path, board: Board | None = None) -> None:
    """Raise a `DisclosureError` that lists what `find_leaks` finds; for the gate, before a release is promoted."""
    found = find_leaks(release_folder, board)
    if found.is_empty():
        return
    lines = [f"- {row['file']}, {row['where']}: {row['what']}." for row in found.head(_MOST_SAID).iter_rows(named=True)]
    more = [f"- and {found.height - _MOST_SAID:,} more."] if found.height > _MOST_SAID else []
    raise DisclosureError(
        "\n".join(["the release was not made: it would hold what must not be published.", *lines, *more])
        + "\nShow only tables that went through suppress(), and publish every table that is shown."
    )


def _entries(folder: Path) -> dict[str, Any]:
    """What the manifest says of each table; before the release is complete, what stands beside the tables."""
    try:
        if (folder / MANIFEST).exists():
            return dict(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["tables"])
        parts = sorted((folder / "tables").glob("*.json"))
        return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in parts}
    except _BROKEN:  # the file is found again, and reported
        return {}


def _tables(folder: Path, entries: dict[str, Any]) -> Iterator[tuple[str, Safe | None]]:
    """The tables of a release, as anybody would open them; None for one that cannot be opened."""
    release = Release(folder, {"tables": entries})
    for name in entries:
        try:
            yield name, release[name]
        except (SafeguardingError, *_BROKEN):
            yield name, None


def _look_into(path: Path, search: Search, entries: dict[str, Any]) -> None:
    """Look into a file; of a kind that is not known, nothing is known."""
    inside_tables = search.file == f"tables/{path.name}"
    entry = entries.get(path.stem) if inside_tables else None
    try:
        text = "" if path.is_symlink() else path.read_bytes().decode("utf-8-sig")
        if path.is_symlink():
            search.add("the file", UNKNOWN, "a link to another place")
        elif path.suffix == ".html":
            look_into_page(_without_own_scripts(text), search)
        elif path.suffix == ".csv" and entry:
            _look_into_table(text, entry, search)
        elif path.suffix == ".json" and (entry or search.file == MANIFEST):
            search.document(json.loads(text), "")
        elif path.suffix == ".ipynb":
            _look_into_notebook(json.loads(text), search)
        else:
            search.add("the file", UNKNOWN, "a file that a release does not have")
            search.text(text, "the file")
    except _BROKEN:
        search.add("the file", UNKNOWN, "a file that cannot be read")


def _look_into_table(text: str, entry: Mapping[str, Any], search: Search) -> None:
    columns = dict(entry["columns"])
    groups = SHAPES[entry["shape"]].group_columns(list(columns))
    numbers = {each for each, kind in columns.items() if kind.startswith(("Int", "Float")) and each not in groups}
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    for name in header:
        search.column(name, "header")
        search.text(name, "header")
    for number, row in enumerate(rows, 2):
        for name, cell in zip(header, row, strict=True):
            if name not in numbers:
                search.text(cell, f"row {number}, column {name}")
                search.name(cell, f"row {number}, column {name}")


def _look_into_notebook(notebook: dict[str, Any], search: Search) -> None:
    """An executed notebook: its sources and settings as text, its outputs as a page shows them."""
    search.document({key: part for key, part in notebook.items() if key != "cells"}, "notebook")
    for number, cell in enumerate(notebook["cells"], 1):
        search.document({key: part for key, part in cell.items() if key != "outputs"}, f"cell {number}")
        if cell.get("attachments"):
            search.add(f"cell {number}", UNKNOWN, "a picture")
        for output in cell.get("outputs", []):
            _look_into_output(output, f"cell {number}, output", search)


def _look_into_output(output: dict[str, Any], where: str, search: Search) -> None:
    search.document({key: part for key, part in output.items() if key != "data"}, where)
    if output["output_type"] == "error":
        search.add(where, TRACEBACK)
    contents = {"text/plain": output.get("text", ""), **output.get("data", {})}
    for kind, content in contents.items():
        if kind.startswith("application/vnd.vegalite"):
            search.chart(content, where)
            continue
        text = "".join(content)
        if kind == "text/html":
            look_into_page(text, search, before=f"{where}, ", said=True)
        elif kind in ("text/plain", "text/markdown"):
            search.text(text, where)
            for line in text.splitlines() if len(contents) == 1 else ():  # else it stands for what is looked at anyway
                search.sentence(line, where)
        else:
            search.add(where, UNKNOWN, "an output of a kind that is not known")


def _without_own_scripts(page: str) -> str:
    """A page without the scripts of this package; any other stays, and is not known."""
    if "<script>" not in page:
        return page
    own = {vega_bundle(), (TEMPLATES / "page.js").read_text(encoding="utf-8")}
    return _SCRIPT.sub(lambda found: "\n" * found[0].count("\n") if found[1] in own else found[0], page)
