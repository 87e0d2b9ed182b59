"""A return of the council in place of the tables of plans: the children in need census, or Ofsted's lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from safeguarding_analytics.config import ChildProtectionSection, Words
from safeguarding_analytics.contracts import CONFIG, PROBLEMS, no_problems
from safeguarding_analytics.errors import TableError, numbered, shorten
from safeguarding_analytics.plan_conflicts import MEND
from safeguarding_analytics.pseudonyms import Key
from safeguarding_analytics.sources.annex_a import AnnexA, identities_in_annex_a, read_annex_a
from safeguarding_analytics.sources.census_steps import LINE
from safeguarding_analytics.sources.cin_census import CinCensus, read_cin_census, table_of
from safeguarding_analytics.sources.cin_records import CHILD_NUMBER, CensusYear, identities_in_census
from safeguarding_analytics.sources.cin_rules import BROKEN, broken_rules
from safeguarding_analytics.sources.files import ROW

FROM_CENSUS = ("plans", "conferences", "reviews")
FROM_ANNEX_A = ("plans", "conferences")

MISCOUNTED = {
    "8720": "start_date",
    "8915": "start_date",
    "8920": "end_date",
    "8925": "end_date",
    "8935": "end_date",
    "8940": "start_date",
}
"""Rules of the Department without which plans are counted wrongly, and the column each is about."""


@dataclass(frozen=True)
class PlanReturn:
    """A return as read: tables of text with pseudonyms, and the days for which they are complete.

    ``rules`` are the census's own rules that are broken, row by row; without rows for other returns.
    """

    source: CinCensus | AnnexA
    rules: pl.DataFrame

    @property
    def notes(self) -> tuple[str, ...]:
        """What was taken for granted in reading, what the return cannot answer, and rules that stop no report."""
        return (*self.source.notes, *say_rules(self.rules.filter(~_stops_a_report())))

    @property
    def digests(self) -> Mapping[str, str]:
        """Digests of the bytes read, by file."""
        return self.source.digests

    @property
    def days(self) -> tuple[date | None, date | None]:
        """First and last day for which starts and ends of plans are complete."""
        if isinstance(self.source, CinCensus):
            return self.source.complete_from, self.source.complete_to
        return self.source.window or (None, None)

    @property
    def names(self) -> Mapping[str, str]:
        """What is told by file and line, or by row of a list, as messages call it."""
        if isinstance(self.source, AnnexA):
            return self.source.files
        return {
            table_of(table, year.file): f"{year.file} ({table}, by line)"
            for table in FROM_CENSUS
            for year in self.source.years
        }

    @property
    def heights(self) -> Mapping[str, int]:
        """Records of each file of the census, by the keys of `names`."""
        if isinstance(self.source, AnnexA):
            return {}
        return {
            table_of(table, year.file): rows for year in self.source.years for table, rows in _records(year).items()
        }

    @property
    def noted(self) -> pl.DataFrame:
        """Rows that break a rule of the Department which stops no report, with the columns of a report of problems."""
        level = pl.col("level")
        grave = pl.when(level == "error").then(pl.lit("error that stops no report")).otherwise(level)
        return _as_problems(self.rules.filter(~_stops_a_report()), pl.concat_str(_whose(), grave, separator=", "))

    def holds(self, table: str) -> bool:
        """Whether there are rows of a table, or cells that should have been: an Annex A may come without list 5."""
        if isinstance(self.source, AnnexA):
            return table in self.source.files
        return not self.table(table).is_empty() or not self.source.in_its_words(table, no_problems()).is_empty()

    def table(self, name: str) -> pl.DataFrame:
        """One of its tables as text."""
        found: pl.DataFrame = getattr(self.source, name)
        return found

    def places(self, table: str) -> pl.DataFrame | None:
        """Where each row stands, as ``place``; None where a row keeps its number of the sheet."""
        if isinstance(self.source, AnnexA):
            return None
        place = pl.format("line {} of {}", LINE, "file").alias("place")
        return self.source.places.filter(pl.col("table") == table).select(ROW, place)

    def in_its_words(self, table: str, problems: pl.DataFrame) -> pl.DataFrame:
        """Problems of a table as the return calls its rows and columns.

        With those rules of the Department without which plans are counted wrongly, but for rows of which the same is
        said already.
        """
        named = self.source.in_its_words(table, problems)
        if table != "plans" or self.rules.is_empty():
            return named
        column, rule = pl.col("column"), pl.col("rule")
        said = named.select(
            "table",
            "row",
            pl.coalesce(
                rule.str.extract(r"^(\d{4}): "),
                pl.when(column.is_null()).then(pl.lit("8925")),
                pl.when(column == "start_date").then(pl.lit("8720")),
            ).alias("code"),
        )
        more = _as_problems(self.rules.filter(_stops_a_report()), _whose())
        unsaid = more.with_columns(rule.str.extract(r"^(\d{4}): ").alias("code")).join(
            said, on=["table", "row", "code"], how="anti"
        )
        return pl.concat([named, unsaid.drop("code")]).sort("table", "row", "column", "rule")


def returned_tables(settings: ChildProtectionSection) -> tuple[str, ...]:
    """Tables that may be read from a return; none where `board.toml` names no return."""
    if settings.cin_census:
        return FROM_CENSUS
    return FROM_ANNEX_A if settings.annex_a else ()


def return_paths(folder: Path, settings: ChildProtectionSection) -> list[Path]:
    """The files of the return that `board.toml` names; lists may lie in a folder."""
    named = settings.cin_census or ([settings.annex_a] if settings.annex_a else [])
    return [folder / name for name in named]


def return_files(folder: Path, settings: ChildProtectionSection) -> list[Path]:
    """Every file of the return, also those of a folder of lists."""
    paths = return_paths(folder, settings)
    return [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]


def read_plan_return(
    folder: Path,
    settings: ChildProtectionSection,
    key: Key,
    *,
    authority: str | None,
    words: Mapping[str, Mapping[str, Words]],
) -> PlanReturn:
    """Read the return that `board.toml` names.

    Parameters
    ----------
    folder
        The board's folder.
    settings
        ``[child_protection]`` of `board.toml`.
    key
        Key of the pseudonyms.
    authority
        Name of the authority.
    words
        The board's words by table and column.

    Returns
    -------
    PlanReturn
        Row-level data, not suppressed.

    Raises
    ------
    TableError
        When two returns are named, no authority is, two files have one name, or a file cannot be read.
    """
    if settings.cin_census and settings.annex_a:
        raise TableError(
            f"plans must come from one place, and [child_protection] in {CONFIG} names two: cin_census and annex_a. "
            "Keep one of them."
        )
    paths = return_paths(folder, settings)
    if authority is None:
        raise TableError(
            f"{paths[0].name}: set authority under [board] in {CONFIG} to the local authority's name, as the "
            "Department's tables spell it: the return does not say it."
        )
    if settings.cin_census:
        _refuse_same_names(paths)
        census = read_cin_census(paths, key, authority=authority)
        return PlanReturn(census, broken_rules(census.years))
    annex = read_annex_a(
        paths[0],
        key,
        authority=authority,
        words=words,
        extract_date=settings.plans_to,
        date_order=settings.annex_a_date_order,
    )
    return PlanReturn(annex, pl.DataFrame(schema=BROKEN))


def identities_in_return(folder: Path, settings: ChildProtectionSection) -> dict[str, str]:
    """What stands in the return and must stand nowhere else, with its column."""
    paths = return_paths(folder, settings)
    if settings.cin_census:
        return identities_in_census(paths)
    return identities_in_annex_a(paths[0]) if paths else {}


def say_rules(rules: pl.DataFrame) -> list[str]:
    """Broken rules of the Department, a sentence per file and rule: its number and level, how many rows, which lines.

    Parameters
    ----------
    rules
        As `broken_rules` gives them.

    Examples
    --------
    >>> broken = [("c.xml", 12, "8842Q", "query", "reviews", 1, "a review has a date")]
    >>> say_rules(pl.DataFrame(broken, BROKEN, orient="row"))
    ['c.xml: DfE rule 8842Q (query): 1 row of reviews, line 12. Wanted: a review has a date']
    """
    said = []
    for (file, code, level, records, wanted), group in rules.group_by(
        "file", "code", "level", "records", "wanted", maintain_order=True
    ):
        lines = group[LINE].drop_nulls().unique(maintain_order=True).to_list()
        where = f", {'line' if len(lines) == 1 else 'lines'} {shorten(lines)}" if lines else ""
        what = f"{numbered(group.height, 'row')} of {records}{where}" if lines else f"of {records}"
        said.append(f"{file}: DfE rule {code} ({level}): {what}. Wanted: {wanted}")
    return said


def _refuse_same_names(paths: Sequence[Path]) -> None:
    """Refuse files that messages could not tell apart."""
    same = [name for name, count in Counter(path.name for path in paths).items() if count > 1]
    if same:
        raise TableError(f"{same[0]}: several files of cin_census in {CONFIG} have this name. Give each its own.")


def _records(year: CensusYear) -> dict[str, int]:
    """How many records of a file can be reported, by table."""
    of_details = year.details.filter(pl.col("conference_date").is_not_null()).height
    unread = year.unread.filter((pl.col("records") == "details") & (pl.col("column") == "conference_date")).height
    conferences = year.enquiries.height + of_details + unread
    return {"plans": year.plans.height, "conferences": conferences, "reviews": year.reviews.height}


def _stops_a_report() -> pl.Expr:
    return pl.col("code").is_in(list(MISCOUNTED)) & (pl.col("level") == "error")


def _whose() -> pl.Expr:
    return pl.format("child {} of the file", CHILD_NUMBER)


def _as_problems(rules: pl.DataFrame, found: pl.Expr) -> pl.DataFrame:
    """Broken rules of the Department as a report of problems: the table, and what is wanted behind its number."""
    of_table = {"details": "conferences", "enquiries": "conferences"}
    return rules.select(
        pl.format("{}: {}", pl.col("records").replace(of_table), "file").alias("table"),
        pl.col(LINE).alias("row"),
        pl.col("code").replace_strict(MISCOUNTED, default=None, return_dtype=pl.String).alias("column"),
        pl.when(_stops_a_report())
        .then(pl.format("{}: {}. {}", "code", "wanted", pl.lit(MEND)))
        .otherwise(pl.format("{}: {}", "code", "wanted"))
        .alias("rule"),
        found.alias("found"),
    ).match_to_schema(PROBLEMS)
