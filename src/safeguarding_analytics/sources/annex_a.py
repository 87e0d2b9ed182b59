"""Ofsted's Annex A, lists 7 and 5, as authorities fill them in → plans and conferences as text, without the children.

Numbers and dates of birth of children, and names of their workers, are in no message. What comes out goes through the
same contract as a clean file; rows keep the numbers of the sheet, columns its headings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from safeguarding_analytics.contracts import NOT_SHOWN, PROBLEMS, no_problems
from safeguarding_analytics.dates import day_in_words
from safeguarding_analytics.errors import TableError, numbered
from safeguarding_analytics.personal import looks_personal
from safeguarding_analytics.pseudonyms import Key, pseudonyms
from safeguarding_analytics.sources.annex_a_sheets import LISTS, NUMBERS, FoundList, ListSheet, find_list, list_sheets
from safeguarding_analytics.sources.export_dates import Days, Order, parse_days
from safeguarding_analytics.sources.files import ROW, plain_name
from safeguarding_analytics.sources.learners import identifying_texts
from safeguarding_analytics.sources.plan_categories import category_of, looks_like_a_category, yes_no_of
from safeguarding_analytics.sources.worksheets import Grid, Header, Mistake, learner_rows, say_rows
from safeguarding_analytics.tables import PLACEHOLDERS

Words = Mapping[str, Mapping[str, Mapping[str, str]]]

WINDOW_MONTHS = 6
"""So many months before the day of the extract a plan that has ended still stands in list 7."""

MOST_ROWS = {"plans": 5, "conferences": 12}
"""A number of a child on more rows of a list than these stands for nobody."""

LONGEST_GAP_DAYS, OLDEST_YEARS, UNBORN_DAYS = 62, 19, 300
UNREADABLE = "(cannot be read)"
"""Stands where a cell could not be read, so that it breaks the rule of the contract and nothing of it is told."""

NO_REVIEWS = (
    "Annex A list 7 holds the latest review conference of each plan only: reviews on time cannot be worked out from it."
)
NO_HISTORY = (
    "Annex A list 7 counts the previous plans of a child and does not say when they ended: repeats within so many "
    "months cannot be worked out from it."
)

DATES = {"plans": ("start_date", "end_date", "birth_date"), "conferences": ("section_47_start", "conference_date")}


@dataclass(frozen=True)
class AnnexA:
    """Lists 7 and 5 as read: plans and conferences as text, what is wrong with them, and what was taken for granted.

    ``window`` is the first and last day of the six months that list 7 covers, null where no date could be read.
    ``headings`` are those of the lists by table and by our names, ``files`` says where each table stands, ``digests``
    are those of the bytes read, by file. Without the key, which is not in it, nothing tells whose a pseudonym is.
    """

    plans: pl.DataFrame
    conferences: pl.DataFrame
    problems: pl.DataFrame
    notes: tuple[str, ...]
    window: tuple[date, date] | None
    headings: Mapping[str, Mapping[str, str]]
    files: Mapping[str, str]
    digests: Mapping[str, str]

    @property
    def complete_from(self) -> date | None:
        """The day from which every plan that started is in the list."""
        return self.window[0] if self.window else None

    def in_its_words(self, table: str, problems: pl.DataFrame) -> pl.DataFrame:
        """Problems of a table under the headings of its list, together with those found in reading.

        A cell that could not be read breaks a rule of the contract too, and is not reported twice.
        """
        called = self.headings.get(table, {})
        rule = pl.col("rule")
        for ours, heading in called.items():
            rule = rule.str.replace_all(rf"\b{ours}\b", heading.replace("$", "$$"))
        whole_row = pl.when(pl.col("column").is_null()).then(rule).otherwise("rule").alias("rule")
        named = problems.with_columns(whole_row, pl.col("column").replace(dict(called)))
        own = self.problems.filter(pl.col("table") == table)
        whole = own.filter(pl.col("row").is_null())["column"].to_list()
        others = named.join(own, on=["row", "column"], how="anti").filter(
            ~pl.col("column").is_in(whole).fill_null(value=False)
        )
        return pl.concat([own, others]).sort("row", "column", "rule")


@dataclass(frozen=True)
class _Rows:
    """The rows of a list that are a child's, as text under our names; headings, dates, and what is to be said."""

    texts: pl.DataFrame
    days: pl.DataFrame
    headings: Mapping[str, str]
    mistakes: tuple[Mistake, ...]
    notes: tuple[str, ...]
    place: str


def read_annex_a(
    path: Path | Sequence[Path],
    key: Key,
    *,
    authority: str,
    words: Words | None = None,
    extract_date: date | None = None,
    date_order: Order | None = None,
) -> AnnexA:
    """Read lists 7 and 5 of an Annex A.

    Parameters
    ----------
    path
        The workbook, or a folder or several files with one list each (CSV, XLSX or Parquet).
    key
        Key of the pseudonyms. It is not kept.
    authority
        Name of the local authority that filled it in.
    words
        The board's words by table and column, such as those of ``plans`` and ``category``.
    extract_date
        Day up to which the lists run; None for the latest start or end in them.
    date_order
        Order of day and month; None to work it out, and day first where nothing tells.

    Returns
    -------
    AnnexA
        One row per plan and one per section 47 enquiry, in the order of the lists, with pseudonyms: not suppressed.
        Cells that cannot be read hold `UNREADABLE`, and are listed in ``problems``.

    Raises
    ------
    TableError
        When a file cannot be read or is not what its name says, list 7 is not there or stands twice, headings are
        missing or fit several columns, or there is no row.

    Notes
    -----
    Lists are found by their number in the name of a sheet or file, else by their headings. Headings as the inspectorate
    writes them come first, others that mean the same second; two columns for one heading are an error. Ages serve to
    check dates of birth, and are not kept. A conference on a day after the extract is not held yet, and has no date.

    References
    ----------
    Ofsted, Inspecting local authority children's services, Annex A: child-level data, lists 5 and 7.
    """
    sheets = list_sheets([path] if isinstance(path, Path) else list(path))
    where = path.name if isinstance(path, Path) else "Annex A"
    grids: dict[ListSheet, Grid | None] = {}
    lists: dict[str, _Rows] = {}
    missing: list[str] = []
    month_first = False
    for table in LISTS:
        try:
            if found := find_list(sheets, table, grids, where):
                lists[table] = _read_rows(*found, table, date_order, words or {}, assume=not month_first)
                month_first |= any("with the month first" in note for note in lists[table].notes)
        except TableError as error:
            missing.append(str(error))
    if missing:
        raise TableError("\n".join(missing))
    plans = lists["plans"]
    conferences = lists.get("conferences", _no_rows("conferences"))
    window, notes, too_late = _window(lists, extract_date)
    last = window[1] if window else date.max
    read = {"plans": _plan_cells(plans, words or {}), "conferences": _conference_cells(conferences, last, words or {})}
    found_wrong = {
        "plans": [*plans.mistakes, *read["plans"][1], *too_late["plans"], *_shared(plans, "plans")],
        "conferences": [
            *conferences.mistakes,
            *read["conferences"][1],
            *too_late["conferences"],
            *_shared(conferences, "conferences"),
        ],
    }
    problems = [_problem(table, each, lists[table]) for table in lists for each in found_wrong[table]]
    no_list_5 = () if "conferences" in lists else (f"{where}: there is no list 5, so no conferences are read from it",)
    notes_of_lists = [note for each in lists.values() for note in each.notes]
    more = [*read["plans"][2], *read["conferences"][2], *_say_ages(plans, window)]
    return AnnexA(
        _with_pseudonyms(read["plans"][0], key, authority, "plan", ("start_date",)),
        _with_pseudonyms(read["conferences"][0], key, authority, "conference", ("section_47_start", "conference_date")),
        pl.concat([no_problems(), *problems]),
        (*notes, NO_HISTORY, NO_REVIEWS, *no_list_5, *notes_of_lists, *more),
        window,
        {table: _headings_of(table, each.headings) for table, each in lists.items()},
        {table: each.place for table, each in lists.items()},
        {sheet.path.name: grid.digest for sheet, grid in grids.items() if grid is not None},
    )


def identities_in_annex_a(path: Path | Sequence[Path]) -> dict[str, str]:
    """Numbers of children and names of people in lists 7 and 5, to look for where they must not stand; with the column.

    Dates of birth are not among them: every day of 18 years is somebody's, and would be found in any chart over time.

    Raises
    ------
    TableError
        When the file cannot be read, or list 7 is not in it.
    """
    texts: dict[str, str] = {}
    grids: dict[ListSheet, Grid | None] = {}
    sheets = list_sheets([path] if isinstance(path, Path) else list(path))
    for table in LISTS:
        chosen = find_list(sheets, table, grids, "Annex A")
        if chosen is None:
            continue
        found = chosen[1]
        ours = set(found.columns.values())
        people = [place for place, text in found.written.items() if place not in ours and _names_somebody(text)]
        header = Header(found.row, {f"column_{place}": str(place) for place in {*ours, *people}})
        rows, _ = learner_rows(found.grid, header, [f"column_{found.columns['child']}"])
        child = _child(pl.col(f"column_{found.columns['child']}")).alias("person")
        for place in [*people, None]:
            name = pl.lit(None, pl.String) if place is None else pl.col(f"column_{place}")
            somebody = pl.when(~name.str.contains(_NOBODYS)).then(name).alias("name")
            texts |= identifying_texts(rows.select(child, somebody, pl.lit("local").alias("learner")))
    return {text: column for text, column in texts.items() if text.casefold() not in PLACEHOLDERS}


_NOBODYS = r"(?i)\b(team|duty|unallocated|not allocated|allocated|pool|service|vacant|agency|unknown)\b"


def _names_somebody(heading: str) -> bool:
    """Whether a column beyond ours may hold a person's name, number or address; dates of birth are left out."""
    told = looks_personal(heading) or re.search(r"(?i)\b(worker|chair|practitioner|manager)\b", heading) is not None
    return told and re.search(r"(?i)birth|\bdob\b", heading) is None


def _read_rows(
    sheet: ListSheet, found: FoundList, table: str, order: Order | None, words: Words, *, assume: bool
) -> _Rows:
    """The rows of a list that are a child's, with its dates."""
    number = NUMBERS[table]
    headings = {name: found.written[place] for name, place in found.columns.items()}
    header = Header(found.row, {plain_name(headings[name]): str(place) for name, place in found.columns.items()})
    cells, left_out = learner_rows(found.grid, header, [headings["child"]])
    if cells.is_empty() and table == "plans":
        raise TableError(
            f"{sheet.place}: there is no plan below the header of list {number} in row {found.row}. "
            "Wanted one row per plan of the last six months."
        )
    columns = {
        name: pl.col(plain_name(headings[name])) if name in headings else pl.lit(None, pl.String)
        for name in LISTS[table]
    }
    texts = cells.select(ROW, *(cell.alias(name) for name, cell in columns.items())).with_columns(
        _child(pl.col("child")).alias("child")
    )
    if "birth_date" in texts.columns:
        unborn = pl.col("birth_date").str.to_lowercase() == "unborn"
        texts = texts.with_columns(pl.when(~unborn).then("birth_date").alias("birth_date"))
    own = {name: meant for name, meant in words.get(table, {}).items() if name in ("previous_plans", "not_required")}
    texts = texts.with_columns(_reworded(name, meant) for name, meant in own.items() if name in texts.columns and meant)
    present = {name: headings[name] for name in DATES[table] if name in headings}
    days = _days(texts, present, order, assume=assume)
    nothing = [pl.lit(None, pl.Date).alias(name) for name in DATES[table] if name not in present]
    read = f"list {number} is read from {sheet.place}, header in row {found.row}, {numbered(texts.height, 'row')}"
    inner = [
        *(note for note in found.grid.notes if not note.startswith("only its sheet")),
        *(note.replace(" no booking but ", " no child's but ") for note in left_out),
        *(note.replace("booking system", "case system") for note in days.notes),
    ]
    notes = (read, *(f"list {number}: {note}" for note in inner))
    return _Rows(texts, days.frame.with_columns(nothing), headings, days.mistakes, notes, sheet.place)


def _no_rows(table: str) -> _Rows:
    texts = pl.DataFrame(schema={ROW: pl.Int64} | dict.fromkeys(LISTS[table], pl.String))
    days = pl.DataFrame(schema={ROW: pl.Int64} | dict.fromkeys(DATES[table], pl.Date))
    return _Rows(texts, days, {}, (), (), "")


def _child(number: pl.Expr) -> pl.Expr:
    """The number of a child, without what a spreadsheet puts behind a number and what nobody can see."""
    return number.str.replace_all("[\u200b-\u200d\u2060\ufeff\u00ad]", "").str.replace(r"^(\d+)\.0+$", "${1}")


def _reworded(name: str, words: Mapping[str, str]) -> pl.Expr:
    lower = {found.casefold(): meant for found, meant in words.items()}
    return pl.col(name).str.to_lowercase().replace(lower).alias(name)


def _days(texts: pl.DataFrame, headings: Mapping[str, str], order: Order | None, *, assume: bool) -> Days:
    """The dates of a list; day first, as the inspectorate asks, where no number in it tells days from months."""
    days = parse_days(texts, headings, order)
    if assume and order is None and any(not mistake.rows for mistake in days.mistakes):
        wrong = {(mistake.column, row) for mistake in days.mistakes for row in mistake.rows}
        again = parse_days(texts, headings, "day_first")
        if {(mistake.column, row) for mistake in again.mistakes for row in mistake.rows} <= wrong:
            note = "its dates are read with the day first, as Annex A asks, because no number in them tells otherwise"
            days = Days(again.frame, again.mistakes, (*again.notes, note))
    said = [
        Mistake(
            each.column,
            each.rule.replace("date_order", "annex_a_date_order").replace("[bookings_export]", "[child_protection]"),
            each.rows,
        )
        for each in days.mistakes
    ]
    return Days(days.frame, tuple(said), days.notes)


def _window(
    lists: Mapping[str, _Rows], extract_date: date | None
) -> tuple[tuple[date, date] | None, list[str], dict[str, list[Mistake]]]:
    """The six months that list 7 covers, what is to be said of them, and days that cannot be in them."""
    wrong: dict[str, list[Mistake]] = {"plans": [], "conferences": []}
    told = [
        (table, name, lists[table].days.select(ROW, pl.col(name).alias("day")).drop_nulls())
        for table, name in (("plans", "start_date"), ("plans", "end_date"), ("conferences", "section_47_start"))
        if table in lists
    ]
    every = pl.concat([days["day"] for _, _, days in told]).unique().sort()
    last = extract_date or (every[-1] if len(every) else None)
    if last is None:
        return None, [], wrong
    setting = "plans_to under [child_protection] in board.toml"
    notes = []
    if extract_date is None:
        notes.append(
            f"no day of the extract is given: the latest start or end in the lists, {day_in_words(last)}, is taken for "
            f"it. Set {setting} if that is wrong"
        )
    gap = (last - every[-2]).days if extract_date is None and len(every) > 1 else 0
    oldest = date(last.year - OLDEST_YEARS, last.month, min(last.day, 28))
    for table, name, days in told:
        for rule, condition in (
            (f"a day up to that of the extract, {day_in_words(last)} ({setting})", pl.col("day") > last),
            (f"a day of the last {OLDEST_YEARS} years", pl.col("day") < oldest),
            (
                f"a day near the others: this one is {gap} days later than all of them, so that it hardly is the last "
                f"of the extract. Correct it, or set {setting}",
                (pl.col("day") == last) & pl.lit(gap > LONGEST_GAP_DAYS),
            ),
        ):
            rows = days.filter(condition)[ROW].to_list()
            wrong[table] += [Mistake(name, rule, tuple(rows))] if rows else []
    day_after = pl.Series([last]).dt.offset_by("1d")
    first: date = day_after.dt.offset_by(f"-{WINDOW_MONTHS}mo")[0]
    notes.insert(
        0,
        f"Annex A list 7 covers six months: the rate is of the six months from {day_in_words(first)} to "
        f"{day_in_words(last)}, not a year's, and must not be set beside annual figures.",
    )
    plans = lists["plans"].days
    early = plans.filter(pl.col("end_date") < first)[ROW].to_list()
    if early:
        notes.append(
            f"{numbered(len(early), 'plan')} of list 7 ended before these six months, and should not be in it: "
            f"{say_rows(early)}. Compare the day of the extract"
        )
    if plans.filter(pl.col("start_date").is_between(first, last)).is_empty():
        notes.append("no plan of list 7 started in these six months. Compare the day of the extract")
    return (first, last), notes, wrong


_Cells = tuple[pl.DataFrame, list[Mistake], list[str]]


def _plan_cells(rows: _Rows, words: Words) -> _Cells:
    """Plans with their codes, days and counts; what cannot be read, and what is not known."""
    texts, own = rows.texts, words.get("plans", {})
    wanted = (
        "a category of abuse: neglect, physical, sexual, emotional or multiple, in words, codes or flags. Correct the "
        "cell, or say what its word stands for under [plans.category] in board.toml"
    )
    kinds = own.get("category", {})
    several = {"category": kinds, "latest_category": {**kinds, **own.get("latest_category", {})}}
    columns, mistakes = [], []
    for name, meant in several.items():
        different = texts[name].drop_nulls().unique().to_list()
        known = {text: category_of(text, meant) for text in different}
        columns.append(_coded(texts, name, known))
        mistakes += _unread(texts, name, known, wanted)
    is_count = pl.col("previous_plans").str.contains(r"^\d{1,2}(\.0+)?$")
    counts = texts.filter(~is_count)[ROW].to_list()
    if counts:
        mistakes.append(
            Mistake("previous_plans", "a whole number of earlier plans, 0 where there was none", (*counts,))
        )
    count = pl.when(is_count | pl.col("previous_plans").is_null()).then("previous_plans").otherwise(pl.lit(UNREADABLE))
    frame = texts.select(ROW, "child", *columns, count.alias("previous_plans"), *_iso(rows, "plans"))
    unknown = texts.filter(pl.col("previous_plans").is_null())[ROW].to_list()
    notes = [
        f"{numbered(len(unknown), 'plan')} of list 7 without a number of previous plans: not known is not 0, and such "
        f"plans are in no rate of repeats: {say_rows(unknown)}"
    ]
    return frame, mistakes, notes if unknown else []


def _conference_cells(rows: _Rows, last: date, words: Words) -> _Cells:
    """Conferences with their days; one that is still to be held counts as not held."""
    texts = rows.texts
    known = {text: yes_no_of(text) for text in texts["not_required"].drop_nulls().unique().to_list()}
    wanted = "yes or no, or a word that stands for one under [conferences.not_required] in board.toml"
    planned = rows.days.filter(pl.col("conference_date") > last)[ROW].to_list()
    answer = pl.col("not_required")
    frame = (
        texts.select(ROW, "child", _coded(texts, "not_required", known), *_iso(rows, "conferences"))
        .with_columns(pl.when(answer != "unknown").then(answer).alias("not_required"))
        .with_columns(pl.when(~pl.col(ROW).is_in(planned)).then("conference_date").alias("conference_date"))
    )
    notes = [
        f"{numbered(len(planned), 'conference')} of list 5 with a day after the extract: not held yet: "
        f"{say_rows(planned)}"
    ]
    return frame, _unread(texts, "not_required", known, wanted), notes if planned else []


def _coded(texts: pl.DataFrame, name: str, known: Mapping[str, str | None]) -> pl.Series:
    meant = {text: code or UNREADABLE for text, code in known.items()}
    return texts[name].replace_strict(list(meant), list(meant.values()), default=None, return_dtype=pl.String)


def _unread(texts: pl.DataFrame, name: str, known: Mapping[str, str | None], wanted: str) -> list[Mistake]:
    rows = texts.filter(pl.col(name).is_in([text for text, code in known.items() if code is None]))[ROW].to_list()
    return [Mistake(name, wanted, tuple(rows))] if rows else []


def _iso(rows: _Rows, table: str) -> list[pl.Series]:
    """Days as text; what holds something else cannot be read, and is not empty."""
    return [
        pl.select(
            pl.when(rows.days[name].is_null() & rows.texts[name].is_not_null())
            .then(pl.lit(UNREADABLE))
            .otherwise(rows.days[name].cast(pl.String))
            .alias(name)
        ).to_series()
        for name in DATES[table]
    ]


def _shared(rows: _Rows, table: str) -> list[Mistake]:
    """Rows of a number that so many share that it stands for nobody."""
    most = MOST_ROWS[table]
    many = rows.texts.filter(pl.col("child").is_not_null() & (pl.len().over("child") > most))[ROW].to_list()
    rule = f"a number of one child: this one stands on more than {most} rows, as one does that stands for nobody"
    return [Mistake("child", rule, tuple(many))] if many else []


def _problem(table: str, mistake: Mistake, rows: _Rows) -> pl.DataFrame:
    """A mistake as report rows. Only words of categories are ever quoted."""
    texts = dict(rows.texts.select(ROW, mistake.column).iter_rows())

    def say(row: int) -> str:
        text = texts[row] or ""
        shown = mistake.column in ("category", "latest_category") and looks_like_a_category(text)
        return f'"{text}"' if shown else NOT_SHOWN

    numbers = mistake.rows or (None,)
    heading = rows.headings[mistake.column]
    return pl.DataFrame(
        [(table, row, heading, mistake.rule, None if row is None else say(row)) for row in numbers],
        schema=PROBLEMS,
        orient="row",
    )


def _with_pseudonyms(cells: pl.DataFrame, key: Key, authority: str, thing: str, days: Sequence[str]) -> pl.DataFrame:
    """A table fit for its contract: pseudonyms of children, and of plans or conferences by child and days."""
    child = cells["child"]
    nobody = child.str.to_lowercase().is_in(PLACEHOLDERS)
    somebody = pl.when(nobody).then(pl.lit("unknown")).otherwise(pseudonyms(child, key)).alias("child")
    row = pl.format("row {}", ROW)
    told = pl.concat_str(
        [
            pl.lit(thing),
            pl.coalesce("child", row),
            *(pl.when(pl.col(day) == UNREADABLE).then(row).otherwise(pl.col(day).fill_null("no day")) for day in days),
        ],
        separator=" | ",
    )
    district = [pl.lit(None, pl.String).alias("district")] if thing == "plan" else []
    return cells.select(
        pseudonyms(cells.select(told.alias(thing)).to_series(), key),
        somebody,
        pl.lit(authority).alias("authority"),
        *district,
        pl.exclude("child", ROW),
        ROW,
    )


def _headings_of(table: str, headings: Mapping[str, str]) -> dict[str, str]:
    """Headings by our names, also of what tells plans and conferences apart."""
    thing, days = ("plan", ("start_date",)) if table == "plans" else ("conference", DATES["conferences"])
    return {**headings, thing: " and ".join(headings[name] for name in ("child", *days))}


def _say_ages(rows: _Rows, window: tuple[date, date] | None) -> list[str]:
    """Rows whose ages or days do not fit the date of birth, as where day and month are swapped."""
    if window is None:
        return []
    text = pl.col("age").str.to_lowercase()
    years = text.str.extract(r"^(\d{1,2}(?:\.\d+)?) *(?:y(?:(?:ea)?rs?\.?(?: old)?)?)?$").cast(pl.Float64)
    months = text.str.extract(r"^(\d{1,2}) *m(?:(?:on)?ths?)?$").cast(pl.Float64) / 12
    table = rows.texts.select(ROW, text, pl.coalesce(years, months).alias("years")).with_columns(
        rows.days["birth_date"], rows.days["start_date"]
    )
    born, start = pl.col("birth_date"), pl.col("start_date")
    age = (pl.lit(window[1]) - born).dt.total_days() / 365.25
    unborn = pl.col("age").is_in(["unborn", "u", "-"])
    found = (
        ("an age that cannot be read", pl.col("years").is_null() & pl.col("age").is_not_null() & ~unborn),
        ("an age that does not fit the date of birth", ~age.is_between(pl.col("years") - 0.1, pl.col("years") + 1.1)),
        (
            "a plan that started long before the child was born, or after the 18th birthday",
            ((born - start).dt.total_days() > UNBORN_DAYS) | (start >= born.dt.offset_by("18y")),
        ),
    )
    said = [(what, table.filter(condition)[ROW].to_list()) for what, condition in found]
    return [
        f"{numbered(len(numbers), 'row')} of list 7 with {what}: {say_rows(numbers)}. Compare with the case system"
        for what, numbers in said
        if numbers
    ]
