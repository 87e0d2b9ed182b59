"""Forms as Microsoft Forms exports them → scores as text, with pseudonyms instead of people.

Addresses, codes and names are dropped here, and so are the key and whatever else people wrote. Rows keep the numbers of
their file, columns the headings of the form. Who cannot be paired is counted; nobody is joined by likeness.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from safeguarding_analytics.config import Words
from safeguarding_analytics.contracts import EMPTY, PROBLEMS, no_problems, problem, say_values
from safeguarding_analytics.errors import TableError, numbered, shorten
from safeguarding_analytics.export_settings import FormSection, FormsSection
from safeguarding_analytics.pseudonyms import Key, pseudonyms
from safeguarding_analytics.sources.bookings import ANONYMOUS
from safeguarding_analytics.sources.export_dates import Order, clock_seconds, parse_days
from safeguarding_analytics.sources.files import ROW
from safeguarding_analytics.sources.form_answers import plain_answer, score_answers
from safeguarding_analytics.sources.form_people import (
    CODED,
    kept_of_repeated,
    plain_address,
    plain_code,
    say_swapped,
    say_unmatched,
)
from safeguarding_analytics.sources.form_sheets import (
    FormHeader,
    cells_below,
    find_form_header,
    is_no_header,
    plain_heading,
    points_heading,
    quoted_headings,
    read_form_sheet,
    short_heading,
)
from safeguarding_analytics.sources.learners import hide_personal, identifying_texts, personal_cells, rare_cells
from safeguarding_analytics.sources.worksheets import FILLED, Grid, Mistake, say_rows
from safeguarding_analytics.tables import PLACEHOLDERS, Sessions

TABLE = "scores"
OF_FORMS = ("id", "start_time", "completion_time", "email", "name", "last_modified_time", "language", "total_points")
OF_QUIZZES = ("points_", "feedback_", "quiz_feedback")
"""Headings, and beginnings of headings, that forms have of themselves."""

PEOPLE = {
    **dict.fromkeys(("name_of_form", "wave", "questions", "typed", "person", "name", "session", "agency"), pl.String),
    **dict.fromkeys(("form", "row_of_form", "submitted"), pl.Int64),
    **dict.fromkeys((CODED, "answered"), pl.Boolean),
    "day": pl.Date,
}
"""Columns of those who filled a form in: ``typed`` is the address or code as typed, ``submitted`` a time in seconds."""

ANSWERS = {
    **dict.fromkeys(("form", "row_of_form"), pl.Int64),
    **dict.fromkeys(("item", "question", "answer", "points"), pl.String),
    "has_points": pl.Boolean,
}
"""Columns of answers; ``question`` is what a report calls it."""

HEADINGS = dict.fromkeys(("form", "ours", "heading"), pl.String)


@dataclass(frozen=True)
class Forms:
    """Forms as read: scores as text, what is wrong with them, and what was taken for granted.

    ``people`` has one row per questionnaire: session, person (a pseudonym), wave, name_of_form, row_of_form, day, coded
    (whether people made up a code). ``places`` tells where a score stands: its number, form, row_of_form, question.
    ``headings`` are those of each form by our names, ``personal`` and ``rare`` cells that no report may show,
    ``heights`` rows by form, ``digests`` those of the files. Without the key, which is not in it, nothing tells whose a
    pseudonym is.
    """

    scores: pl.DataFrame
    people: pl.DataFrame
    places: pl.DataFrame
    problems: pl.DataFrame
    notes: tuple[str, ...]
    headings: pl.DataFrame
    personal: frozenset[str]
    rare: frozenset[str]
    heights: Mapping[str, int]
    digests: Mapping[str, str]

    def in_its_words(self, problems: pl.DataFrame) -> pl.DataFrame:
        """Problems of the table of scores by form, row and heading, together with those found in reading.

        An answer to ten questions is ten rows of the table and one of the form: what is said of all is said once.
        """
        whole = problems.filter(pl.col("row").is_null())
        if self.scores.is_empty():
            rule = "forms must hold an answer of somebody who can be told from others; see the notes"
            whole = no_problems() if self.problems.height else problem(TABLE, rule)
        placed = problems.join(self.places, left_on="row", right_on=ROW).join(
            self.headings, left_on=["form", "column"], right_on=["form", "ours"], how="left"
        )
        of_form = (pl.col("column") == "session") & pl.col("heading").is_null()
        of_question = pl.when(pl.col("column").is_in(["item", "score"])).then("question")
        named = placed.select(
            pl.col("form").alias("table"),
            pl.when(~of_form).then("row_of_form").alias("row"),
            pl.coalesce(of_question, "heading", "column").alias("column"),
            "rule",
            "found",
        )
        found = pl.concat([self.problems, named, whole]).unique(maintain_order=True)
        return hide_personal(found, self.personal, self.rare).sort("table", "row", "column", "rule")


@dataclass(frozen=True)
class _Form:
    """One form as read: who answered, people and all, and what they answered."""

    people: pl.DataFrame
    answers: pl.DataFrame
    problems: pl.DataFrame
    notes: tuple[str, ...]
    headings: Mapping[str, str]
    height: int
    digest: str


def names_of(settings: FormsSection) -> list[str]:
    """What each form is called in messages: the name of its file, with folder or sheet where there are several.

    Parameters
    ----------
    settings
        Section ``[forms]`` of `board.toml`.

    Examples
    --------
    >>> names_of(FormsSection())
    []
    """
    files = {form.file for form in settings.files}
    bases = [Path(file).name for file in files]
    return [
        (form.file if bases.count(Path(form.file).name) > 1 else Path(form.file).name)
        + (f", sheet {form.sheet}" if form.sheet else "")
        for form in settings.files
    ]


def table_of(name: str) -> str:
    """What a form is called in a report on tables.

    Examples
    --------
    >>> table_of("before.xlsx")
    'scores: before.xlsx'
    """
    return f"{TABLE}: {name}"


def read_forms(
    folder: Path, settings: FormsSection, key: Key, items: pl.DataFrame, words: Mapping[str, Words]
) -> Forms:
    """Read all forms of a board.

    Parameters
    ----------
    folder
        The board's folder.
    settings
        Section ``[forms]`` of `board.toml`.
    key
        Key of the pseudonyms. It is not kept.
    items
        The table of items: item, kind, minimum, maximum.
    words
        The board's words for session and agency, aliases of agencies among the latter.

    Returns
    -------
    Forms
        A file that cannot be read is one of its problems. Row-level data: nothing of it may be printed or published.

    Notes
    -----
    People are told by an e-mail address or number, which gets the same pseudonym as in an export of bookings, or by a
    code of their own making, of which only letters and digits count ("ab-12" is "AB 12"). Two codes that differ are two
    people, however alike they are.
    """
    names = names_of(settings)
    read = [_try_form(folder, form, settings, name) for form, name in zip(settings.files, names, strict=True)]
    forms = {number: form for number, form in enumerate(read) if isinstance(form, _Form)}
    called = {number: table_of(name) for number, name in enumerate(names)}
    people = _all_people(forms, names, words)
    kept, repeated = kept_of_repeated(people, settings.repeated)
    answers = _all_answers(forms, kept)
    scored = score_answers(answers, items, settings)
    wrong = _placed(scored.mistakes, answers, called)
    told = kept.with_columns(_pseudonyms(kept, key))
    scores = answers.drop("person").join(scored.scores, on=ROW).join(told, on=["form", "row_of_form"]).sort(ROW)
    quoted = wrong["found"].drop_nulls().str.extract('^"([^"]*)"').drop_nulls()
    fixed = {form.session.lower() for form in settings.files if form.session}
    return Forms(
        scores.select("session", "person", "agency", "wave", "item", pl.col("score").cast(pl.String), ROW),
        told.select("session", "person", "wave", "name_of_form", "row_of_form", "day", CODED),
        answers.select(ROW, _called(called), "row_of_form", "question"),
        pl.concat([no_problems(), *(each.problems if isinstance(each, _Form) else each for each in read), wrong]),
        (
            *dict.fromkeys(f"{names[number]}: {note}" for number, form in forms.items() for note in form.notes),
            *repeated,
            *say_swapped(kept),
            *say_unmatched(kept),
            *(f"scores: {note}" for note in (*scored.notes, *_not_asked(items, settings))),
        ),
        _headings(forms, called),
        personal_cells(people, [people["session"], people["agency"], quoted], pl.Series([], dtype=pl.String)),
        rare_cells(people, [people["session"], people["agency"]]) - fixed,
        {called[number]: form.height for number, form in forms.items()},
        {settings.files[number].file: form.digest for number, form in forms.items()},
    )


def identities_in_forms(folder: Path, settings: FormsSection) -> dict[str, str]:
    """Addresses, codes and names in all forms, to look for where they must not stand; each with its column.

    Parameters
    ----------
    folder
        The board's folder.
    settings
        Section ``[forms]`` of `board.toml`.
    """
    found: dict[str, str] = {}
    for form, name in zip(settings.files, names_of(settings), strict=True):
        read = _try_form(folder, form, settings, name)
        if isinstance(read, _Form):
            typed = pl.when(pl.col("person").is_not_null()).then("typed").alias("person")
            found |= identifying_texts(read.people.select("name", typed, learner=pl.lit("local")))
    return found


def _try_form(folder: Path, form: FormSection, settings: FormsSection, name: str) -> _Form | pl.DataFrame:
    """A form, or a report why it cannot be read: the others are read all the same."""
    path = folder / form.file
    try:
        return _read_form(path, form, settings, name)
    except TableError as error:
        said = str(error).removeprefix(f"{path.name}: ").replace("[bookings_export]", "[forms]")
        return problem(table_of(name), said.replace("row per booking", "row per person who answered"))


def _read_form(path: Path, form: FormSection, settings: FormsSection, name: str) -> _Form:
    """Read one form, people and all."""
    grid = read_form_sheet(path, form.sheet)
    columns, items = settings.columns_of(form), settings.items_of(form)
    explicit = {item: headings for item, headings in settings.points.items() if item in items}
    header = find_form_header(grid, columns, items, explicit)
    rows = grid.cells.filter((pl.col(ROW) > header.row) & (pl.col(FILLED) > 0)).filter(is_no_header(header, items))
    if rows.is_empty():
        raise TableError(
            f"{path.name}: there is no answer below the header in row {header.row}. "
            "Leave the form out of [forms] until somebody has answered."
        )
    answers, differing = _answers_of(rows, header, items, explicit)
    asked = columns.get("submitted")
    days, submitted, mistakes, day_notes = _submitted(rows, header, asked, form.date_order)
    people = _people_of(rows, header, columns).with_columns(
        pl.lit(form.wave).alias("wave"),
        pl.lit(" ".join(sorted(items))).alias("questions"),
        pl.col("row_of_form").is_in(answers["row_of_form"].implode()).alias("answered"),
        days.alias("day"),
        submitted.alias("submitted"),
    )
    if form.session is not None:
        people = people.with_columns(pl.lit(form.session).alias("session"))
    notes = [*grid.notes, *_say_people(people, form, "code" in columns), *day_notes]
    notes += _say_unused(header, grid, _used(form, settings))
    headings = {ours: short_heading(" and ".join(found)) for ours, found in columns.items()}
    if "code" in headings:
        headings["person"] = headings["code"]
    problems = [_report(name, *each) for each in differing]
    if mistakes is not None and asked:
        problems.append(
            mistakes.with_columns(pl.lit(table_of(name)).alias("table"), pl.lit(headings["submitted"]).alias("column"))
        )
    return _Form(
        people, answers, pl.concat([no_problems(), *problems]), tuple(notes), headings, rows.height, grid.digest
    )


def _people_of(rows: pl.DataFrame, header: FormHeader, columns: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Who filled the form in; person is empty where that is not known, and where a word stands for nobody."""
    coded = "code" in columns
    texts = rows.select(
        pl.col(ROW).alias("row_of_form"),
        cells_below(header, columns["code" if coded else "person"]).alias("typed"),
        cells_below(header, columns.get("name", ["Name"])).alias("name"),
        *(cells_below(header, columns.get(name, [])).alias(name) for name in ("session", "agency")),
    ).with_columns(pl.lit(coded).alias(CODED), pl.col("typed").alias("person"))
    person = texts["person"] if coded else texts.select(plain_address()).to_series()
    different = person.drop_nulls().unique().to_list()
    plain = [(plain_code(text) if coded else text.casefold()) or None for text in different]
    told = texts.with_columns(person.replace_strict(different, plain, default=None, return_dtype=pl.String))
    nobody = pl.any_horizontal(pl.col("typed", "person").str.to_lowercase().is_in((*PLACEHOLDERS, *ANONYMOUS)))
    return told.with_columns(pl.when(~nobody).then("person"))


def _answers_of(
    rows: pl.DataFrame,
    header: FormHeader,
    items: Mapping[str, Sequence[str]],
    points: Mapping[str, Sequence[str]],
) -> tuple[pl.DataFrame, list[tuple[str, str, list[int]]]]:
    """Answers of a form, and questions that have two: question, rule, rows. A question left out has no row."""
    answers, differing = [pl.DataFrame(schema=ANSWERS).drop("form")], []
    for item, headings in items.items():
        found = {heading: str(header.column(heading)) for heading in headings if header.column(heading)}
        question = (
            f"{item} ({short_heading(' and '.join(header.written[plain_heading(heading)] for heading in found))})"
        )
        given = [pl.col(column) for column in found.values()]
        quiz = [
            [column for each in points.get(item, [points_heading(heading)]) if (column := header.column(each))]
            for heading in found
        ]
        worth = [
            pl.when(answer.is_not_null()).then(pl.coalesce(*columns) if columns else pl.lit(None, pl.String))
            for answer, columns in zip(given, quiz, strict=True)
        ]
        has = [pl.when(answer.is_not_null()).then(pl.lit(bool(each))) for answer, each in zip(given, quiz, strict=True)]
        both = [number for number, *texts in rows.select(ROW, *found.values()).iter_rows() if _disagree(texts)]
        if both:
            rule = f"one answer, where {quoted_headings(found)} hold different ones. Empty the cell that does not count"
            differing.append((question, rule, both))
        answers.append(
            rows.filter(~pl.col(ROW).is_in(both))
            .select(
                pl.col(ROW).alias("row_of_form"),
                pl.lit(item).alias("item"),
                pl.lit(question).alias("question"),
                pl.coalesce(given).alias("answer"),
                pl.coalesce(worth).alias("points"),
                pl.coalesce(has).alias("has_points"),
            )
            .filter(pl.col("answer").is_not_null())
        )
    return pl.concat(answers), differing


def _disagree(texts: Sequence[str | None]) -> bool:
    return len({plain_answer(text) for text in texts if text is not None}) > 1


def _submitted(
    rows: pl.DataFrame, header: FormHeader, headings: Sequence[str] | None, order: Order | None
) -> tuple[pl.Series, pl.Series, pl.DataFrame | None, list[str]]:
    """Day and second at which each row was submitted, cells that are no time, and what was taken for granted."""
    if headings is None:
        nothing = pl.Series([None] * rows.height, dtype=pl.Int64)
        return nothing.cast(pl.Date), nothing, None, []
    texts = rows.select(ROW, cells_below(header, headings).alias("date"))
    called = {"date": f'"{short_heading(" and ".join(headings))}"'}
    days, notes = parse_days(texts, called, order), []
    if any(not mistake.rows for mistake in days.mistakes):  # no number in the column tells days from months
        days = parse_days(texts, called, "month_first")
        notes.append(
            f"column {called['date']} is read with the month first, as forms write it, because no number in it tells "
            "days from months; if that is wrong, set date_order under [[forms.files]]"
        )
    dated = texts.with_columns(days.frame["date"].alias("day"))
    time = dated.select(clock_seconds(pl.col("day"), pl.col("date"))).to_series()
    return days.frame["date"], time, _wrong_days(texts, days.mistakes), [*notes, *days.notes]


def _wrong_days(texts: pl.DataFrame, mistakes: Sequence[Mistake]) -> pl.DataFrame:
    """Cells that are no time, as a report."""
    reports = [no_problems()]
    for mistake in mistakes:
        cells = texts.filter(pl.col(ROW).is_in(mistake.rows))
        found = say_values(cells["date"].unique().to_list(), "date", Sessions, cells, [])
        reports.append(
            cells.select(
                pl.lit(TABLE).alias("table"),
                pl.col(ROW).alias("row"),
                pl.lit("").alias("column"),
                pl.lit(mistake.rule.replace("[bookings_export]", "[[forms.files]]")).alias("rule"),
                pl.col("date").replace_strict(found, default=EMPTY, return_dtype=pl.String).alias("found"),
            )
        )
    return pl.concat(reports)


def _say_people(people: pl.DataFrame, form: FormSection, coded: bool) -> list[str]:
    """How many questionnaires count, and how many do not, and why."""
    nobody = people.filter(pl.col("person").is_null())["row_of_form"].to_list()
    silent = people.filter(pl.col("person").is_not_null() & ~pl.col("answered"))["row_of_form"].to_list()
    notes = [f"{numbered(people.height - len(nobody) - len(silent), 'questionnaire')} of the wave {form.wave}"]
    if nobody:
        what, advice = (
            ("a code", "")
            if coded
            else ("an address", ". If the form is anonymous, ask in it for a code that people make up and remember")
        )
        notes.append(
            f"{numbered(len(nobody), 'row')} without {what} cannot be paired, and {_is(nobody)} left out: "
            f"{say_rows(nobody)}{advice}"
        )
    if silent:
        notes.append(f"{numbered(len(silent), 'row')} without an answer {_is(silent)} left out: {say_rows(silent)}")
    return notes


def _is(rows: Sequence[int]) -> str:
    return "is" if len(rows) == 1 else "are"


def _used(form: FormSection, settings: FormsSection) -> list[list[str]]:
    """Headings of a sheet that are used, in whichever wave."""
    listed = [other for other in settings.files if (other.file, other.sheet) == (form.file, form.sheet)]
    asked = [[*settings.columns_of(other).values(), *settings.items_of(other).values()] for other in listed]
    return [headings for each in asked for headings in each] + list(settings.points.values())


def _say_unused(header: FormHeader, grid: Grid, used: Iterable[Sequence[str]]) -> list[str]:
    """Columns of which nothing is taken, by position and the beginning of their heading."""
    known = {plain_heading(each) for found in used for each in found}
    others = {
        grid.columns.index(column) + 1: header.written[plain]
        for plain, columns in header.columns.items()
        for column in columns
        if plain not in known and plain not in OF_FORMS and not plain.startswith(OF_QUIZZES)
    }
    if not others:
        return []
    listed = shorten([f'{place} "{short_heading(others[place])}"' for place in sorted(others)], most=30)
    them = "it" if len(others) == 1 else "them"
    return [
        f"{numbered(len(others), 'column')} {_is([*others])} not used, and nothing of {them} goes further: {listed}"
    ]


def _report(name: str, question: str, rule: str, rows: Sequence[int]) -> pl.DataFrame:
    report = [(table_of(name), row, question, rule, None) for row in rows]
    return pl.DataFrame(report, schema=PROBLEMS, orient="row")


def _all_people(forms: Mapping[int, _Form], names: Sequence[str], words: Mapping[str, Words]) -> pl.DataFrame:
    """Who answered, of all forms, with sessions and agencies in the words of the board."""
    people = [
        form.people.with_columns(pl.lit(number, pl.Int64).alias("form"), pl.lit(names[number]).alias("name_of_form"))
        for number, form in forms.items()
    ]
    together = pl.concat([pl.DataFrame(schema=PEOPLE), *(each.select(*PEOPLE) for each in people)])
    answered = together.filter(pl.col("answered") & pl.col("person").is_not_null())
    return answered.with_columns(_reworded(name, words.get(name, {})) for name in ("session", "agency"))


def _reworded(name: str, words: Words) -> pl.Expr:
    lower = {found.casefold(): wanted for found, wanted in words.items()}
    text = pl.col(name)
    plain = text.str.to_lowercase().str.replace_all(r"\s+", " ")
    return plain.replace_strict(list(lower), list(lower.values()), default=text, return_dtype=pl.String).alias(name)


def _all_answers(forms: Mapping[int, _Form], kept: pl.DataFrame) -> pl.DataFrame:
    """Answers that count, of all forms, each with a number of its own and who gave it."""
    answers = [form.answers.with_columns(pl.lit(number, pl.Int64).alias("form")) for number, form in forms.items()]
    together = pl.concat([pl.DataFrame(schema=ANSWERS), *(each.select(*ANSWERS) for each in answers)])
    counting = together.join(kept.select("form", "row_of_form", "person"), on=["form", "row_of_form"])
    return counting.sort("form", "row_of_form", maintain_order=True).with_columns(
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW)
    )


def _pseudonyms(people: pl.DataFrame, key: Key) -> pl.Series:
    """A pseudonym for everybody. A code is no address, and stands for somebody else even where it reads the same."""
    named = people.select(pl.when(CODED).then(pl.format("a code: {}", "person")).otherwise("person").alias("person"))
    return pseudonyms(named["person"], key)


def _called(called: Mapping[int, str]) -> pl.Expr:
    return pl.col("form").replace_strict(dict(called), default=None, return_dtype=pl.String)


def _placed(mistakes: pl.DataFrame, answers: pl.DataFrame, called: Mapping[int, str]) -> pl.DataFrame:
    """Mistakes in answers by form, row and question."""
    questions = answers.select("form", "item", "question").unique(["form", "item"])
    return (
        mistakes.join(answers.select(ROW, "row_of_form"), on=ROW, how="left", maintain_order="left")
        .join(questions, on=["form", "item"], how="left", maintain_order="left")
        .select(
            _called(called).alias("table"),
            pl.col("row_of_form").alias("row"),
            pl.col("question").alias("column"),
            "rule",
            "found",
        )
    )


def _headings(forms: Mapping[int, _Form], called: Mapping[int, str]) -> pl.DataFrame:
    rows = [(called[number], ours, found) for number, form in forms.items() for ours, found in form.headings.items()]
    return pl.DataFrame(rows, schema=HEADINGS, orient="row").unique(["form", "ours"], maintain_order=True)


def _not_asked(items: pl.DataFrame, settings: FormsSection) -> list[str]:
    """Questions of the table of items that no form of a wave asks: nobody's answers are complete without them."""
    notes = []
    for wave in ("pre", "post", "follow_up"):
        forms = [form for form in settings.files if form.wave == wave]
        asked = {item for form in forms for item in settings.items_of(form)}
        missing = [item for item in items["item"].drop_nulls().to_list() if item not in asked]
        if forms and missing:
            notes.append(f"no form of the wave {wave} asks {shorten(missing, most=30)} of the table items")
    return notes
