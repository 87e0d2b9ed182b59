"""Ballots of other programs → one ballot per member, with pseudonyms instead of people.

Names and addresses are dropped here, and so is the key. Which ballots count is fixed in `board.toml`, and said with how
many were left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from glob import glob
from pathlib import Path

import polars as pl

from safeguarding_analytics.ballot_settings import BallotsExportSection
from safeguarding_analytics.config import Words
from safeguarding_analytics.contracts import no_problems, problem
from safeguarding_analytics.errors import TableError, numbered, shorten
from safeguarding_analytics.pseudonyms import Key
from safeguarding_analytics.sources.ballot_cells import IssueNames, issue_names, read_ballot_sheet
from safeguarding_analytics.sources.ballot_columns import issue_headings, read_ballot_columns
from safeguarding_analytics.sources.ballot_forms import ranking_headings, read_ballot_form, refuse_split_rankings
from safeguarding_analytics.sources.ballot_people import PAPER, count_papers, is_preflib
from safeguarding_analytics.sources.ballot_rows import BALLOT_ROWS, PAPERS, BallotFile, report_rows, table_of
from safeguarding_analytics.sources.ballot_workbooks import LOCK, is_ballot_workbook, read_ballot_workbook
from safeguarding_analytics.sources.files import ROW
from safeguarding_analytics.sources.form_sheets import short_heading
from safeguarding_analytics.sources.learners import hide_personal, identifying_texts, personal_cells, rare_cells
from safeguarding_analytics.sources.preflib import preflib_issues, read_preflib
from safeguarding_analytics.sources.worksheets import Grid

TABLE = "ballots"

MOST_NOTES = 3
"""Files with one and the same note that are named one by one."""


@dataclass(frozen=True)
class BallotExport:
    """Ballots as read: text for the table of ballots, what is wrong with them, and what was taken for granted.

    ``places`` tells where a row stands: its number, table_of_file, row_of_file, heading. ``headings`` are those of
    member and agency by our names, ``personal`` and ``rare`` cells that no report may show, ``heights`` rows
    by file, ``digests`` those of the files by label. Without the key, which is not in it, nothing tells whose a
    pseudonym is.
    """

    ballots: pl.DataFrame
    places: pl.DataFrame
    problems: pl.DataFrame
    notes: tuple[str, ...]
    headings: Mapping[str, str]
    personal: frozenset[str]
    rare: frozenset[str]
    heights: Mapping[str, int]
    digests: Mapping[str, str]

    def in_its_words(self, problems: pl.DataFrame) -> pl.DataFrame:
        """Problems of the table of ballots by file, row and heading, together with those found in reading.

        An agency stands in the table once for each issue ranked, and on the ballot once: so it is said once.
        """
        whole = problems.filter(pl.col("row").is_null())
        if self.ballots.is_empty():
            rule = "there must be a ballot that ranks an issue and counts; see the notes"
            whole = no_problems() if self.problems.height else problem(TABLE, rule)
        placed = problems.join(self.places, left_on="row", right_on=ROW).select(
            pl.col("table_of_file").alias("table"),
            pl.col("row_of_file").alias("row"),
            pl.when(pl.col("column").is_in(["issue", "rank"]))
            .then(pl.coalesce("heading", "column"))
            .otherwise(pl.col("column").replace(dict(self.headings)))
            .alias("column"),
            "rule",
            "found",
        )
        found = pl.concat([self.problems, placed, whole]).unique(maintain_order=True)
        return hide_personal(found, self.personal, self.rare).sort("table", "row", "column", "rule")

    def in_words(self) -> pl.DataFrame:
        """Where each row stands, as ``place``."""
        file = pl.col("table_of_file").str.strip_prefix(table_of(""))
        return self.places.select(ROW, pl.format("row {} of {}", "row_of_file", file).alias("place"))


@dataclass(frozen=True)
class BallotFiles:
    """Files of ballots by label, the first one that is there or was named, and notes on those left out."""

    files: Mapping[str, Path]
    path: Path
    notes: tuple[str, ...]

    @property
    def list_issues(self) -> bool:
        """Whether every file lists the issues it holds votes on, as those of PrefLib do."""
        return bool(self.files) and all(is_preflib(path.name) for path in self.files.values())

    def names(self) -> dict[str, str]:
        """Labels of the files, together and one by one, as messages need them."""
        together = shorten(list(self.files), most=2) or self.path.name
        return {TABLE: together} | {table_of(label): label for label in self.files}

    def issues(self) -> pl.DataFrame:
        """The alternatives of files of PrefLib as a table of issues; a file that cannot be read has none."""
        found: dict[str, None] = {}
        for path in self.files.values():
            with suppress(TableError, OSError):
                found |= dict.fromkeys(preflib_issues(path))
        issues = pl.DataFrame({"issue": list(found)}, schema={"issue": pl.String})
        rows = pl.int_range(2, pl.len() + 2, dtype=pl.Int64).alias(ROW)
        return issues.with_columns(pl.lit(None, pl.String).alias("description"), rows)

    def identities(self, settings: BallotsExportSection, issues: Sequence[str] | None) -> dict[str, str]:
        """Members as typed in all files, to look for where they must not stand; each with its column."""
        names = None if issues is None else issue_names(issues, {})
        found: dict[str, str] = {}
        for label, path in self.files.items():
            read = None if is_preflib(label) else _try_file(label, path, settings, names, [])
            if isinstance(read, BallotFile):
                found |= identifying_texts(_who_is_told([read]).with_columns(pl.lit("local").alias("learner")))
        return found


def ballot_files(folder: Path, names: Sequence[str]) -> BallotFiles:
    """Files that `board.toml` names, as they are called in messages: by name, with the folder where two share one.

    Parameters
    ----------
    folder
        The board's folder.
    names
        Names of files, or patterns such as ``ballots/*.xlsx``: those of a pattern are sorted by name.

    Notes
    -----
    Of a pattern, files that a program keeps beside one that is open are left out: their names begin with ``~$`` or
    with a dot.
    """
    files: dict[Path, None] = {}
    locks, notes = 0, []
    for name in names:
        if (folder / name).exists() or not any(sign in name for sign in "*?["):
            files[folder / name] = None
            continue
        found = [folder / each for each in sorted(glob(name, root_dir=folder))]
        kept = [path for path in found if not path.name.startswith(LOCK) and path.is_file()]
        locks += sum(path.name.startswith(LOCK) for path in found)
        files |= dict.fromkeys(kept)
        notes += [] if kept else [f'ballots: no file matches "{name}"']
    if locks:
        is_open = "1 ballot is" if locks == 1 else f"{locks:,} ballots are"
        notes.insert(0, f"ballots: {is_open} open in a program, and what is not saved yet is not counted")
    times = [path.name for path in files]
    inside = [path.relative_to(folder) if path.is_relative_to(folder) else path for path in files]
    labels = [
        path.name if times.count(path.name) == 1 else short.as_posix()
        for path, short in zip(files, inside, strict=True)
    ]
    first = next((path for path in files if path.exists()), next(iter(files), folder / names[0] if names else folder))
    return BallotFiles(dict(zip(labels, files, strict=True)), first, tuple(notes))


def read_ballots(
    files: BallotFiles,
    settings: BallotsExportSection,
    key: Key,
    *,
    issues: Sequence[str] | None,
    agencies: Sequence[str] | None,
    words: Mapping[str, Words],
) -> BallotExport:
    """Read all files of ballots.

    Parameters
    ----------
    files
        The files, as `ballot_files` finds them.
    settings
        Section ``[ballots_export]`` of `board.toml`.
    key
        Key of the pseudonyms. It is not kept.
    issues
        All issues; None to take the alternatives of files of PrefLib.
    agencies
        All agencies; None where the board has no table of them.
    words
        The board's words for issue and agency, aliases of agencies among the latter.

    Returns
    -------
    BallotExport
        A file that cannot be read is one of its problems. Row-level data: nothing of it may be printed or published.

    Raises
    ------
    TableError
        When there is no file, no table of issues, or two issues read the same.

    Notes
    -----
    Members are told by what stands below the heading of member, whatever its case and spaces; an e-mail address gets
    the pseudonym that it has in an export of bookings. Papers that rank nothing are left out first, then late ones,
    those left in the order of the form if the board says so, and last all but one of each member's. A mistake on a
    ballot that does not count is not reported.
    """
    if not files.files or (issues is None and not files.list_issues):
        lacking = "which issues there are stands in the table issues. Put issues.csv into the folder."
        unmatched = "; ".join(note.removeprefix(f"{TABLE}: ") for note in files.notes)
        raise TableError(lacking if files.files else f"{unmatched}. Look at files under [ballots_export].")
    names = None if issues is None else issue_names(issues, words.get("issue", {}))
    known = [*(agencies or ()), *words.get("agency", {})]
    tried = {label: _try_file(label, path, settings, names, known) for label, path in files.files.items()}
    read, copies = _without_copies({label: each for label, each in tried.items() if isinstance(each, BallotFile)})
    papers, ranked = _together(read.values())
    refused = [each for each in tried.values() if isinstance(each, pl.DataFrame)]
    problems = _with_papers(pl.concat([no_problems(), *refused, *(each.problems for each in read.values())]), papers)
    broken = set(problems[PAPER].drop_nulls())
    counted = count_papers(papers, ranked, broken, settings, key, agencies=agencies, words=words.get("agency", {}))
    rows = ranked.join(counted.papers.select(PAPER, "member", pl.col("agency").alias("agency_of")), on=PAPER)
    rows = rows.drop_nulls(["member", "agency_of"])  # such papers are refused as a whole, and not once more row by row
    if settings.worst_first:
        rows, partial = _turned_round(rows, len(issues) if issues is not None else ranked["issue"].n_unique())
        counted.problems.append(partial)
    rows = rows.sort(PAPER, "rank", "issue").with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW))
    time = short_heading(" and ".join(settings.columns.submitted or []))
    needed = ~pl.col(PAPER).is_in(sorted(counted.left_out)).fill_null(value=False) | (pl.col("column") == time)
    typed = _who_is_told(each for label, each in read.items() if not is_preflib(label))
    return BallotExport(
        rows.select("member", pl.col("agency_of").alias("agency"), "issue", pl.col("rank").cast(pl.String), ROW),
        rows.select(
            ROW,
            pl.concat_str(pl.lit(table_of("")), "file").alias("table_of_file"),
            pl.col("row").alias("row_of_file"),
            pl.col("column").alias("heading"),
        ),
        pl.concat([problems.filter(needed).drop(PAPER), *counted.problems]),
        (*files.notes, *_say_files(read), *copies, *_say_places(rows, settings), *counted.notes),
        {ours: short_heading(" and ".join(found)) for ours, found in settings.columns.headings().items()},
        personal_cells(typed, [papers["agency"]], pl.Series([], dtype=pl.String)),
        rare_cells(papers.select(pl.col("member").alias("person")), [papers["agency"]]),
        {table_of(label): each.height for label, each in read.items()},
        {label: each.digest for label, each in tried.items() if isinstance(each, BallotFile)},
    )


def _who_is_told(files: Iterable[BallotFile]) -> pl.DataFrame:
    """Whatever tells people in files: as person, and as name."""
    texts = [pl.Series(dtype=pl.String)]
    for file in files:
        texts += [file.papers["member"], pl.Series(file.names, dtype=pl.String)]
    every = pl.concat([each.alias("person") for each in texts])
    return every.to_frame().with_columns(pl.col("person").alias("name"))


def _try_file(
    label: str, path: Path, settings: BallotsExportSection, names: IssueNames | None, agencies: Sequence[str]
) -> BallotFile | pl.DataFrame:
    """A file, or a report why it cannot be read: the others are read all the same."""
    try:
        return _relabelled(_read_file(path, settings, names, agencies), label)
    except TableError as error:
        said = str(error).removeprefix(f"{path.name}: ")
        for found, wanted in (
            ("[bookings_export]", "[ballots_export]"),
            ("[forms.columns]", "[ballots_export.columns]"),
            ("[forms.items]", "the table issues"),
            ("row per booking", "row per ballot"),
            ("row per person who answered", "row per ballot"),
            ("stand in the form", "stand in the file"),
        ):
            said = said.replace(found, wanted)
        torn = any(each in said for each in ("cannot be opened", "cannot be split"))
        writing = " If it is still being written, read it again in a moment." if torn else ""
        return problem(table_of(label), said + writing)
    except OSError as error:
        why = (error.strerror or "unknown reason").lower()
        return problem(
            table_of(label), f"the file cannot be read ({why}). If it is open in another program, close it there."
        )


def _read_file(
    path: Path, settings: BallotsExportSection, names: IssueNames | None, agencies: Sequence[str]
) -> BallotFile:
    """Read one file by its format, or by what is in it."""
    if settings.format == "preflib" or (settings.format is None and is_preflib(path.name)):
        return read_preflib(path, names)
    if names is None:
        raise TableError("which issues there are stands in the table issues. Put issues.csv into the folder.")
    if settings.format == "sheets" or (settings.format is None and is_ballot_workbook(path)):
        return read_ballot_workbook(path, names, agencies)
    grid = read_ballot_sheet(path, settings.sheet)
    refuse_split_rankings(grid, names)
    if (settings.format or _format_of(grid, settings, names)) == "forms":
        return read_ballot_form(path, settings, names, grid)
    return read_ballot_columns(path, settings, names, grid)


def _format_of(grid: Grid, settings: BallotsExportSection, names: IssueNames) -> str:
    """Whether all issues stand in one cell or in a column each."""
    if settings.columns.ranking:
        return "forms"
    in_cells, above_columns = bool(ranking_headings(grid, names)), len(issue_headings(grid, names))
    in_columns = above_columns > 1 and 2 * above_columns >= len(names.issues)
    if in_cells != in_columns:
        return "forms" if in_cells else "columns"
    what = (
        "some cells hold several issues, and there are columns with issues as headings"
        if in_cells
        else "no cell holds several issues with semicolons between them, and no columns have issues as headings"
    )
    raise TableError(
        f'how the ballots stand in it is not known: {what}. Set format = "forms", "columns" or "sheets" under '
        "[ballots_export] in board.toml, and compare the names of the issues with those of the table issues."
    )


def _relabelled(file: BallotFile, label: str) -> BallotFile:
    named = pl.lit(label).alias("file")
    problems = file.problems.with_columns(pl.lit(table_of(label)).alias("table"))
    return file._replace(
        ballots=file.ballots.with_columns(named).select(*BALLOT_ROWS),
        papers=file.papers.with_columns(named).select(*PAPERS),
        problems=problems,
    )


def _without_copies(read: Mapping[str, BallotFile]) -> tuple[dict[str, BallotFile], list[str]]:
    """Files but for those that are another one byte by byte, and a note on these."""
    first: dict[str, str] = {}
    copies = {
        label: other
        for label, each in read.items()
        if each.digest and (other := first.setdefault(each.digest, label)) != label
    }
    notes = [f"{label}: the same file as {other}, byte by byte, and read once" for label, other in copies.items()]
    return {label: each for label, each in read.items() if label not in copies}, notes


def _together(files: Iterable[BallotFile]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Papers of all files, each with a number, and the issues ranked on them.

    The only paper of a file has all its rows; otherwise a paper is a row, and of one row those of one member.
    """
    ranked_columns = ("file", "row", "column", "issue", "rank")
    papers = [pl.DataFrame(schema=PAPERS | {PAPER: pl.Int64})]
    ranked = [pl.DataFrame(schema={PAPER: pl.Int64} | {name: BALLOT_ROWS[name] for name in ranked_columns})]
    first = 0
    for file in files:
        own = file.papers.with_columns(pl.int_range(first, first + pl.len(), dtype=pl.Int64).alias(PAPER))
        keys = [] if own.height == 1 else ["row", "member"]
        numbers = own.select(*keys, PAPER)
        rows = (
            file.ballots.join(numbers, on=keys, nulls_equal=True) if keys else file.ballots.join(numbers, how="cross")
        )
        papers.append(own)
        ranked.append(rows.select(PAPER, *ranked_columns))
        first += own.height
    return pl.concat(papers), pl.concat(ranked)


def _with_papers(problems: pl.DataFrame, papers: pl.DataFrame) -> pl.DataFrame:
    """Problems with the number of the paper each is of; null where it is the file's."""
    table = pl.concat_str(pl.lit(table_of("")), "file").alias("table")
    single = papers.filter(pl.len().over("file") == 1).select(table, pl.col(PAPER).alias("only"))
    by_row = papers.unique(["file", "row"], keep="first").select(table, "row", PAPER)
    found = problems.join(by_row, on=["table", "row"], how="left", maintain_order="left")
    found = found.join(single, on="table", how="left", maintain_order="left")
    return found.with_columns(pl.coalesce(PAPER, "only").alias(PAPER)).drop("only")


def _turned_round(rows: pl.DataFrame, issues: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Places counted from the other end, and ballots of which that cannot be done."""
    partial = rows.filter(pl.col("issue").n_unique().over(PAPER) < issues).unique(PAPER, maintain_order=True)
    rule = (
        "all issues ranked, because worst_first is set under [ballots_export]: whether those left out are more or less "
        "important than the others cannot be told"
    )
    reports = [
        report_rows(str(file), None, rule, [(row, f"{ranked} of {issues}") for row, ranked in group])
        for file, group in _by_file(partial, rows)
    ]
    rank = pl.col("rank")
    return rows.with_columns((rank.max().over(PAPER) + 1 - rank).alias("rank")), pl.concat([no_problems(), *reports])


def _by_file(partial: pl.DataFrame, rows: pl.DataFrame) -> list[tuple[str, list[tuple[int, int]]]]:
    ranked = rows.group_by(PAPER).agg(pl.col("issue").n_unique().cast(pl.Int64).alias("ranked"))
    counted = partial.join(ranked, on=PAPER, maintain_order="left")
    return [
        (str(file), list(group.select("row", "ranked").iter_rows()))
        for (file,), group in counted.group_by("file", maintain_order=True)
    ]


def _say_files(read: Mapping[str, BallotFile]) -> list[str]:
    """Notes on reading; one that holds for many files is said once."""
    of_note: dict[str, list[str]] = {}
    for label, file in read.items():
        for note in file.notes:
            of_note.setdefault(note, []).append(label)
    notes = []
    for note, labels in of_note.items():
        every = labels if len(labels) <= MOST_NOTES else [f"{len(labels):,} files"]
        notes += [f"{label}: {note}" for label in every]
    return notes


def _say_places(rows: pl.DataFrame, settings: BallotsExportSection) -> list[str]:
    """What a place is taken for: no file tells it by itself."""
    if rows.is_empty():
        return []
    what = "least" if settings.worst_first else "most"
    how = "worst_first = true" if settings.worst_first else "worst_first is not set"
    count = numbered(rows[PAPER].n_unique(), "ballot")
    return [f"ballots: {count} counted, place 1 as the {what} important ({how} under [ballots_export])"]
