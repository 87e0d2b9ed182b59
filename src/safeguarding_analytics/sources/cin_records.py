"""One file of the children in need census → its records with dates, children as pseudonyms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import polars as pl

from safeguarding_analytics.errors import TableError, numbered, shorten
from safeguarding_analytics.pseudonyms import AT_ONCE, Key, pseudonyms
from safeguarding_analytics.sources.census_steps import LINE, NUMBER, PARENT, DayNumbers, Place, Unread
from safeguarding_analytics.sources.census_xml import CensusRows, read_rows, say_left_out
from safeguarding_analytics.tables import PLACEHOLDERS

CHILD_NUMBER, DETAIL = "child_number", "detail"
"""Columns of records: the child's place in the file, and the number of the CINdetails a record stands in."""

_REVIEWS = Place(
    table="reviews", values=("CPPreviewDate",), days=frozenset(("CPPreviewDate",)), repeats="CPPreviewDate"
)
_DETAILS = Place(
    table="details",
    values=("CINreferralDate", "CINclosureDate", "ReasonForClosure", "DateOfInitialCPC", "ReferralNFA"),
    days=frozenset(("CINreferralDate", "CINclosureDate", "DateOfInitialCPC")),
    passed_over=("ReferralSource", "PrimaryNeedCode", "Assessments", "CINPlanDates"),
    inner={
        "Section47": Place(
            table="enquiries",
            values=("S47ActualStartDate", "InitialCPCtarget", "DateOfInitialCPC", "ICPCnotRequired"),
            days=frozenset(("S47ActualStartDate", "InitialCPCtarget", "DateOfInitialCPC")),
        ),
        "ChildProtectionPlans": Place(
            table="plans",
            values=(
                *("CPPstartDate", "CPPendDate", "InitialCategoryOfAbuse", "LatestCategoryOfAbuse"),
                "NumberOfPreviousCPP",
            ),
            days=frozenset(("CPPstartDate", "CPPendDate")),
            inner={"Reviews": _REVIEWS},
        ),
    },
)
_HEADER = Place(
    table="header",
    inner={
        "CollectionDetails": Place(values=("Collection", "Year", "ReferenceDate")),
        "Source": Place(values=("LEA", "SoftwareCode", "Release"), passed_over=("SourceLevel", "SerialNo", "DateTime")),
    },
)
_CHILD = Place(
    table="children",
    passed_over=("ChildCharacteristics",),
    inner={
        "ChildIdentifiers": Place(
            values=(
                *("LAchildID", "PersonBirthDate", "ExpectedPersonBirthDate", "Sex", "GenderCurrent"),
                "PersonDeathDate",
            ),
            days=frozenset(("PersonBirthDate", "ExpectedPersonBirthDate", "PersonDeathDate")),
            passed_over=("UPN", "FormerUPN", "UPNunknown"),
        ),
        "CINdetails": _DETAILS,
    },
)
LAYOUT = {"Message": Place(inner={"Header": _HEADER, "Children": Place(inner={"Child": _CHILD})})}
"""The census of 2021 to 2026: what is read of it, and what is passed over."""

_IDENTIFIERS = ("LAchildID", "UPN", "FormerUPN")
_ONLY_IDENTIFIERS = Place(table="children", inner={"ChildIdentifiers": Place(values=_IDENTIFIERS)})

NAMES = {
    "children": {
        "PersonBirthDate": "birth_date",
        "ExpectedPersonBirthDate": "expected_birth_date",
        "PersonDeathDate": "death_date",
    },
    "details": {
        "CINreferralDate": "referral_date",
        "CINclosureDate": "closure_date",
        "ReasonForClosure": "reason_for_closure",
        "DateOfInitialCPC": "conference_date",
        "ReferralNFA": "no_further_action",
    },
    "enquiries": {
        "S47ActualStartDate": "section_47_start",
        "InitialCPCtarget": "conference_target",
        "DateOfInitialCPC": "conference_date",
        "ICPCnotRequired": "not_required",
    },
    "plans": {
        "CPPstartDate": "start_date",
        "CPPendDate": "end_date",
        "InitialCategoryOfAbuse": "category",
        "LatestCategoryOfAbuse": "latest_category",
        "NumberOfPreviousCPP": "previous_plans",
    },
    "reviews": {"CPPreviewDate": "review_date"},
}
"""Our name of each element, per table of records."""

SEXES = {"m": "M", "f": "F", "u": "U", "1": "M", "2": "F", "0": "U", "9": "U"}
"""Codings of `Sex` and of the older `GenderCurrent`: male, female, unknown."""

YES_NO = {"1": True, "true": True, "0": False, "false": False}
"""Both spellings, which occur in one file."""

DATE_WANTED = "a date such as 2024-03-31, of the years 1900 to 2100"
UNKNOWN = "unknown"
"""Stands for a child without an identifier; no contract lets it pass."""


@dataclass(frozen=True)
class CensusYear:
    """The file of one year as read: its header, and its records with dates, children as pseudonyms.

    ``children``, ``details``, ``enquiries``, ``plans`` and ``reviews`` have one row per element, in the file's order,
    with `LINE`, `CHILD_NUMBER`, ``child``, and, but for children, the number of the `DETAIL` they stand in; reviews
    have the number of their ``plan``. ``unread`` are cells that hold no date.
    """

    file: str
    header: Mapping[str, str]
    reference_date: date
    children: pl.DataFrame
    details: pl.DataFrame
    enquiries: pl.DataFrame
    plans: pl.DataFrame
    reviews: pl.DataFrame
    unread: pl.DataFrame
    notes: tuple[str, ...]
    digest: str

    @property
    def first_day(self) -> date:
        """1 April of the census year, which ends on the 31 March on or after the reference date."""
        return date(self.ends_in - 1, 4, 1)

    @property
    def ends_in(self) -> int:
        """Year in which the census year ends."""
        return self.reference_date.year + (self.reference_date.month > 3)


def read_year(path: Path, key: Key | None) -> CensusYear:
    """One file: its records under our names, with dates and pseudonyms."""
    unread_cells: list[pl.DataFrame] = []
    rows = read_rows(path, LAYOUT, partial(_records, unread_cells))
    header = _header(rows, path.name)
    every = rows.tables["children"]
    some_children = [every.clear(), *every.iter_slices(AT_ONCE)]
    children = pl.concat([_children(some, key, header.get("LEA", "")) for some in some_children])
    details = _within(rows.tables["details"], CHILD_NUMBER, children.select("child"))
    of_detail = details.select(CHILD_NUMBER, "child")
    enquiries = _within(rows.tables["enquiries"], DETAIL, of_detail)
    plans = _within(rows.tables["plans"], DETAIL, of_detail)
    reviews = _within(rows.tables["reviews"], "plan", plans.select(DETAIL, *of_detail.columns))
    tables = {"children": children, "details": details, "enquiries": enquiries, "plans": plans, "reviews": reviews}
    unread = _placed(unread_cells, tables)
    reference_date, notes = _reference_date(header, path.name)
    return CensusYear(
        path.name,
        header,
        reference_date,
        **tables,
        unread=unread,
        notes=(
            *notes,
            *say_left_out(rows, path.name),
            *_say_children(children, path.name),
            *_say_unused(unread, path.name),
        ),
        digest=rows.digest,
    )


def _header(rows: CensusRows, file: str) -> dict[str, str]:
    header = rows.tables["header"]
    if header.is_empty():
        raise TableError(f"{file}: it has no Header, so its year is not known. Export the census with its header.")
    found = {name: text for name, text in header.row(0, named=True).items() if isinstance(text, str)}
    if found.get("Collection", "CIN").upper() != "CIN":
        raise TableError(
            f"{file}, line {header[LINE][0]:,}: the header names another collection than CIN, the children in need "
            "census. Name the file of that census."
        )
    return found


def _reference_date(header: Mapping[str, str], file: str) -> tuple[date, list[str]]:
    """The reference date: of the header, or 31 March of its year."""
    text, year = header.get("ReferenceDate", ""), header.get("Year", "")
    found = DayNumbers()[text]
    named = int(year) if year.isdecimal() and len(year) == 4 else None
    if found is None and (text or named is None):
        raise TableError(
            f"{file}: the header has no ReferenceDate that is {DATE_WANTED}"
            f"{'' if text else ', and no Year either'}, so its year is not known. Correct the header."
        )
    day = date(named or 0, 3, 31) if found is None else date(1970, 1, 1) + timedelta(days=found)
    ends_in = day.year + (day.month > 3)
    notes = []
    if named is not None and named != ends_in:
        notes.append(
            f"{file}: the header says year {named} and reference date {day}; the date counts, so this is the census "
            f"of the year to 31 March {ends_in}"
        )
    if (day.month, day.day) != (3, 31):
        notes.append(f"{file}: the reference date {day} is no 31 March; the year to 31 March {ends_in} ends early")
    return day, notes


def _children(children: pl.DataFrame, key: Key | None, number: str) -> pl.DataFrame:
    """Children with pseudonyms in place of identifiers."""
    identifier = children["LAchildID"]
    nobody = (identifier.is_null() | identifier.str.to_lowercase().is_in(PLACEHOLDERS)).fill_null(value=True)
    known = (number + "/" + identifier) if key else children[NUMBER].cast(pl.String)
    child = pl.when(nobody).then(pl.lit(UNKNOWN)).otherwise(pseudonyms(known, key) if key else "C" + known)
    return children.select(
        NUMBER,
        pl.col(NUMBER).alias(CHILD_NUMBER),
        LINE,
        child.alias("child"),
        *("sex", "birth_date", "expected_birth_date", "death_date"),
    )


def _within(records: pl.DataFrame, name: str, around: pl.DataFrame) -> pl.DataFrame:
    """Records with what is known of the record they stand in, whose number is its place in the file."""
    return records.rename({PARENT: name}).hstack(around[records[PARENT] - 1])


def _records(unread_cells: list[pl.DataFrame], table: str, rows: pl.DataFrame, unread: Unread) -> pl.DataFrame:
    """Some records under our names; cells that hold no date are told apart from the empty ones."""
    if table == "header":
        return rows
    records = rows.rename(NAMES[table])
    cells = {NAMES[table][name]: pl.col(NUMBER).is_in(numbers) for name, numbers in unread.items()}
    if table == "children":
        sex = pl.coalesce("Sex", "GenderCurrent").str.to_lowercase()
        unborn = pl.col("birth_date").is_null() & ~cells.get("birth_date", pl.lit(value=False))
        cells |= {name: unborn & cells[name] for name in ("expected_birth_date",) if name in cells}
        records = records.with_columns(
            sex.replace_strict(SEXES, default=None, return_dtype=pl.String).alias("sex"),
            pl.when(unborn).then("expected_birth_date"),
        )
    for name in (name for name in records.columns if name in cells):
        lost = rows.rename(NAMES[table]).filter(cells[name])
        if not lost.is_empty():
            unread_cells.append(lost.select(pl.lit(table).alias("records"), NUMBER, LINE, pl.lit(name).alias("column")))
    return records.drop("Sex", "GenderCurrent", strict=False)


def _placed(unread: Sequence[pl.DataFrame], tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Cells that hold no date, with the child they are of, table by table and column by column."""
    nothing = {"records": pl.String, LINE: pl.Int64, CHILD_NUMBER: pl.Int64, "column": pl.String}
    placed = [pl.DataFrame(schema=nothing)]
    for name, records in tables.items():
        for column in records.columns:
            for cells in unread:
                if (cells["records"][0], cells["column"][0]) == (name, column):
                    child = records[CHILD_NUMBER][cells[NUMBER] - 1]
                    placed.append(cells.with_columns(child.alias(CHILD_NUMBER)).select(*nothing))
    return pl.concat(placed)


def yes_no(name: str) -> pl.Expr:
    """A yes or no of the census, whichever way it is written; null where it is neither."""
    return pl.col(name).str.to_lowercase().replace_strict(YES_NO, default=None, return_dtype=pl.Boolean)


def identities_in_census(paths: Sequence[Path]) -> dict[str, str]:
    """Identifiers of children in the files, each with its element, to look for where they must not stand.

    Raises
    ------
    TableError
        When a file cannot be read.
    """
    layout = {"Message": Place(inner={"Children": Place(inner={"Child": _ONLY_IDENTIFIERS})})}
    found: dict[str, str] = {}
    for path in paths:
        children = read_rows(path, layout).tables["children"]
        found |= {text: name for name in _IDENTIFIERS for text in children[name].drop_nulls().unique()}
    return found


def is_used() -> pl.Expr:
    """Whether a cell that holds no date goes into a table of the board."""
    of_details = (pl.col("records") == "details") & (pl.col("column") == "conference_date")
    others = (pl.col("records") != "details") & (pl.col("column") != "conference_target")
    return of_details | others


def _say_unused(unread: pl.DataFrame, file: str) -> list[str]:
    """Notes on cells without a date that go into no table."""
    return [
        f"{file}: {numbered(group.height, 'value')} of {column} {'is' if group.height == 1 else 'are'} not "
        f"{DATE_WANTED}, and not used: {'line' if group.height == 1 else 'lines'} {shorten(group[LINE].to_list())}"
        for (column,), group in unread.filter(~is_used()).group_by("column", maintain_order=True)
    ]


def _say_children(children: pl.DataFrame, file: str) -> list[str]:
    """A note on children who stand in a file more than once, and so are taken as one."""
    if children["child"].hash().n_unique() == children.height:
        return []
    twice = children.filter(pl.col("child").is_duplicated() & (pl.col("child") != UNKNOWN))
    if twice.is_empty():
        return []
    return [
        f"{file}: {numbered(twice.height, 'Child element')} with an LAchildID that another one has too "
        f"(lines {shorten(twice[LINE].to_list())}): each identifier counts as one child"
    ]
