"""The settings of a board, `board.toml`: what may stand in it, and what is wrong with it, all at once."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import polars as pl
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from safeguarding_analytics.contracts import CONFIG, no_problems, problem
from safeguarding_analytics.errors import ParameterError, TableError, nearest, shorten
from safeguarding_analytics.personal import looks_personal
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.sources.files import digest_of, plain_name
from safeguarding_analytics.tables import TABLES

Words = dict[str, str]

WANTED = {"string_pattern_mismatch": 'input should be a text that can be seen, such as "[c]"'}
"""What a setting should be, where pydantic would show a pattern."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BoardSection(_Section):
    """Who the board is, and the date of the evaluation."""

    name: str = "Safeguarding board"
    authority: str | None = None
    as_at: date | None = None


class RuleSection(_Section):
    """What the people of a target group must have attended."""

    target_group: int = Field(ge=1, le=8)
    training_level: int = Field(ge=1, le=4)
    refresh_months: int = Field(default=36, ge=1)
    yearly_level: int | None = Field(default=None, ge=1, le=4)


class TrainingSection(_Section):
    """The target of the programme, and the rules of training."""

    target: int | None = Field(default=None, ge=1)
    target_date: date | None = None
    district_targets: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    together: dict[str, list[str]] = Field(default_factory=dict)
    rules: list[RuleSection] = Field(default_factory=list)


class KnowledgeSection(_Section):
    """What gain would matter, fixed before the workshops."""

    meaningful_gain: float | None = Field(default=None, gt=0)


def _two_weeks(weeks: list[int]) -> list[int]:
    if len(weeks) != 2 or not 1 <= weeks[0] <= weeks[1] <= 520:
        raise ValueError("input should be the fewest and the most weeks, such as [6, 12], up to 520")
    return weeks


class EvaluationSection(_Section):
    """How an evaluation is planned: when its reports are due, and what is expected of the sessions and the gains."""

    report_dates: list[date] = Field(default_factory=list)
    follow_up_weeks: Annotated[list[int], AfterValidator(_two_weeks)] = [6, 12]
    sessions: int | None = Field(default=None, ge=1)
    places_per_session: int | None = Field(default=None, ge=1)
    answer_both_times: float | None = Field(default=None, gt=0, le=1)
    sd_gain: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    icc: float = Field(default=0.05, ge=0, lt=1)
    power: float = Field(default=0.8, ge=0.5, le=0.99)


class PrioritiesSection(_Section):
    """How ballots are counted, fixed before they are opened."""

    seats: int = Field(default=4, ge=1)
    weight: Literal["member", "agency"] = "member"
    unranked: Literal["share", "ignore"] = "share"
    resamples: int = Field(default=2000, ge=1)
    seed: int = Field(default=20150925, ge=0)


class PolicySection(_Section):
    """Which numbers are hidden for one population."""

    preset: Literal["dfe", "nhs", "round5", "round10"] = "dfe"
    threshold: int | None = Field(default=None, ge=2)
    zeros: Literal["shown", "hidden"] | None = None
    mark: str | None = Field(default=None, pattern=r"\S")
    protect: Literal["symbol", "point"] | None = None
    round: Literal[5, 10] | None = None
    minimum_mean: int | None = Field(default=None, ge=3)

    def policy(self) -> Policy:
        """The preset with what is set otherwise."""
        preset: Policy = getattr(Policy, self.preset)()
        return replace(preset, **self.model_dump(exclude={"preset"}, exclude_none=True))

    @model_validator(mode="after")
    def _settings_fit_together(self) -> Self:
        try:
            self.policy()
        except ParameterError as error:
            raise ValueError(str(error)) from None
        return self


class BoardMembersPolicySection(PolicySection):
    """Which numbers are hidden of ballots."""

    minimum_ballots: int = Field(default=3, ge=3)


class PoliciesSection(_Section):
    """One policy per population."""

    children: PolicySection = PolicySection()
    staff: PolicySection = PolicySection()
    board_members: BoardMembersPolicySection = BoardMembersPolicySection()


class ComparatorsSection(_Section):
    """Files of the Department for Education to compare with."""

    second_or_subsequent_plans: str | None = None
    statistical_neighbours: str | None = None
    published_documents: bool = False


def _several(headings: Any) -> Any:
    return [headings] if isinstance(headings, str) else headings


def _not_blank(headings: list[str]) -> list[str]:
    if not headings or not all(plain_name(heading) for heading in headings):
        raise ValueError('input should be a heading of the export, or several, such as ["Event", "Start date"]')
    return headings


Headings = Annotated[list[str], BeforeValidator(_several), AfterValidator(_not_blank)]
"""Headings of an export whose cells together hold a value."""

Outcome = Literal["attended", "did_not_attend", "cancelled", "booked", "waitlisted", "walk_in", "partly_attended"]
"""What a word of a booking system can stand for."""


class ExportColumnsSection(_Section):
    """Our names of the columns of an export of bookings, and their headings there."""

    session: Headings | None = None
    person: Headings | None = None
    name: Headings | None = None
    agency: Headings | None = None
    target_group: Headings | None = None
    status: Headings | None = None
    booked: Headings | None = None
    role: Headings | None = None
    home: Headings | None = None
    attended_on: Headings | None = None
    date: Headings | None = None
    end_date: Headings | None = None
    course: Headings | None = None
    training_level: Headings | None = None
    district: Headings | None = None
    area: Headings | None = None
    venue: Headings | None = None
    half_day: Headings | None = None
    capacity: Headings | None = None
    cost: Headings | None = None
    kind: Headings | None = None

    def headings(self) -> dict[str, list[str]]:
        """Headings of the columns that the export has, by our names."""
        return self.model_dump(exclude_none=True)


class BookingsExportSection(_Section):
    """An export of a booking system from which bookings, and sessions where no file has them, are read."""

    file: str | None = Field(default=None, min_length=1)
    sheet: str | None = None
    key_file: str = Field(default="pseudonym.key", min_length=1)
    date_order: Literal["day_first", "month_first"] | None = None
    days: Literal["all", "any"] = "all"
    blank_agency: str | None = Field(default=None, min_length=1)
    home_areas: list[str] = Field(default_factory=list)
    out_of_area_agencies: list[str] = Field(default_factory=list)
    test_users: list[str] = Field(default_factory=list)
    columns: ExportColumnsSection = ExportColumnsSection()
    status: dict[str, Outcome] = Field(default_factory=dict)
    role: dict[str, Literal["learner", "trainer"]] = Field(default_factory=dict)

    @property
    def holds_sessions(self) -> bool:
        """Whether the export says of what course a session is, so that sessions can be read from it."""
        return self.columns.course is not None

    @model_validator(mode="after")
    def _says_what_is_needed(self) -> Self:
        mapped = self.columns.headings()
        if self.file is None and (mapped or self.model_fields_set - {"columns", "status", "role", "key_file"}):
            raise ValueError('file must be set, such as file = "export.xlsx", where an export is to be read')
        needed = [name for name in ("session", "person", "status") if name not in mapped]
        if "agency" not in mapped and self.blank_agency is None:
            needed.append("agency")
        if self.file is not None and needed:
            raise ValueError(
                f"[bookings_export.columns] must name the headings of {', '.join(needed)}, as they stand in the export"
            )
        if self.home_areas and "home" not in mapped:
            raise ValueError("home_areas needs the heading of home under [bookings_export.columns]")
        return self


def _right_answers(written: Any) -> Any:
    """A right answer, several that are right together, or several such sets of which any is right → those sets."""
    several = [written] if isinstance(written, str) else written
    if isinstance(several, list) and several and all(isinstance(each, str) for each in several):
        several = [several]
    sets = several if isinstance(several, list) and several else [[]]
    if not all(isinstance(each, list) and each and all(isinstance(word, str) for word in each) for each in sets) or any(
        not word.strip(" ;") for each in sets for word in each
    ):
        raise ValueError(
            'input should be the right answer, such as "Tier 1", or all that are right together, such as ["A", "B"]; '
            'where any of several is right: [["A"], ["B"]]'
        )
    return sets


def _labels(written: Any) -> Any:
    """Labels of one question stand in a table of their own."""
    whole = written if isinstance(written, dict) else {}
    tables = [whole, *(each for each in whole.values() if isinstance(each, dict))]
    wrong = [
        label
        for table in tables
        for label, value in table.items()
        if value != NO_ANSWER
        and not (isinstance(value, dict) and table is whole)
        and (isinstance(value, bool) or not isinstance(value, int | float) or not -1e9 < value < 1e9)
    ]
    if wrong:
        raise ValueError(f'a label stands for a number, or for "{NO_ANSWER}". Found otherwise: {shorten(wrong)}')
    return written


NO_ANSWER = "no answer"
"""What a label such as "Prefer not to say" stands for."""

RightAnswers = Annotated[list[list[str]], BeforeValidator(_right_answers)]
Labels = Annotated[dict[str, Any], BeforeValidator(_labels)]


class FormColumnsSection(_Section):
    """Our names of what a form says of the person, and the headings of its export."""

    person: Headings | None = None
    code: Headings | None = None
    name: Headings | None = None
    agency: Headings | None = None
    session: Headings | None = None
    submitted: Headings | None = None

    def headings(self) -> dict[str, list[str]]:
        """Headings of the columns that the export has, by our names."""
        return self.model_dump(exclude_none=True)


class FormSection(_Section):
    """One exported form: its file, when it was answered, and where it differs from the others."""

    file: str = Field(min_length=1)
    wave: Literal["pre", "post", "follow_up", "then"]
    session: str | None = Field(default=None, min_length=1)
    sheet: str | None = None
    date_order: Literal["day_first", "month_first"] | None = None
    columns: FormColumnsSection = FormColumnsSection()
    items: dict[str, Headings] = Field(default_factory=dict)


class FormsSection(_Section):
    """Exported forms from which scores are read: what their questions and answers stand for."""

    files: list[FormSection] = Field(default_factory=list)
    repeated: Literal["first", "last"] = "last"
    columns: FormColumnsSection = FormColumnsSection()
    items: dict[str, Headings] = Field(default_factory=dict)
    key: dict[str, RightAnswers] = Field(default_factory=dict)
    labels: Labels = Field(default_factory=dict)
    points: dict[str, Headings] = Field(default_factory=dict)

    def columns_of(self, form: FormSection) -> dict[str, list[str]]:
        """Headings of a form by our names: its own before those of all forms."""
        own, shared = form.columns.headings(), self.columns.headings()
        if "person" in own or "code" in own:
            shared = {name: found for name, found in shared.items() if name not in ("person", "code")}
        if form.session is not None:
            shared.pop("session", None)
        return shared | own

    def items_of(self, form: FormSection) -> dict[str, list[str]]:
        """Headings of the questions that a form asks: its own, or those of all forms."""
        return form.items or self.items

    def labels_of(self, item: str) -> dict[str, float | str]:
        """Labels of the board for the answers to one question: its own before those of all."""
        shared = {label: value for label, value in self.labels.items() if not isinstance(value, dict)}
        own: dict[str, float | str] = self.own_labels().get(item, {})
        return shared | own

    def own_labels(self) -> dict[str, dict[str, float | str]]:
        """Labels that stand for something at one question alone, by question."""
        return {item: words for item, words in self.labels.items() if isinstance(words, dict)}

    @model_validator(mode="after")
    def _says_what_is_needed(self) -> Self:
        mistakes = [] if self.files else self._without_files()
        for form in self.files:
            mistakes += self._mistakes_of(form)
        asked = sorted({item for form in self.files for item in self.items_of(form)})
        for name, settings in (("key", self.key), ("points", self.points), ("labels", self.own_labels())):
            mistakes += [
                f"{item} under [forms.{name}] is not under [forms.items].{nearest(item, asked)}"
                for item in settings
                if self.files and item not in asked
            ]
        mistakes += [
            f"{item} is under [forms.{name}] and [forms.{other}]: keep one of them"
            for name, one, other, two in (
                ("key", self.key, "points", self.points),
                ("key", self.key, "labels", self.own_labels()),
                ("points", self.points, "labels", self.own_labels()),
            )
            for item in one
            if item in two
        ]
        if mistakes:
            raise ValueError("; ".join(dict.fromkeys(mistakes)))
        return self

    def _without_files(self) -> list[str]:
        if not self.model_fields_set - {"files", "repeated"} or not any(
            (self.columns.headings(), self.items, self.key, self.labels, self.points)
        ):
            return []
        return [
            'files must be set, such as files = [{ file = "before.xlsx", wave = "pre" }], where forms are to be read'
        ]

    def _mistakes_of(self, form: FormSection) -> list[str]:
        columns, items = self.columns_of(form), self.items_of(form)
        mistakes = []
        if ("person" in columns) == ("code" in columns):
            mistakes.append(
                f"{form.file} needs the heading of person (an e-mail address) or of code (that people made up) "
                "under [forms.columns], and not of both"
            )
        if ("session" in columns) == (form.session is not None):
            mistakes.append(f'{form.file} needs session = "…", or the heading of session in its columns, and not both')
        if not items:
            mistakes.append(f"{form.file} needs the headings of its questions under [forms.items]")
        twice = sum(other.file == form.file and other.wave == form.wave for other in self.files)
        if twice > 1:
            mistakes.append(f"{form.file} is listed {twice} times with the wave {form.wave}")
        owners: dict[str, str] = {}
        for name, headings in (columns | items).items():
            for plain in dict.fromkeys(map(plain_name, headings)):
                other = owners.setdefault(plain, name)
                if other != name:
                    mistakes.append(f"{other} and {name} of {form.file} have the same heading")
        return mistakes


class Config(_Section):
    """All of `board.toml`; a section named after a table holds its words: ``[bookings.status]``."""

    board: BoardSection = BoardSection()
    files: dict[str, str] = Field(default_factory=dict)
    columns: dict[str, list[str]] = Field(default_factory=dict)
    bookings_export: BookingsExportSection = BookingsExportSection()
    forms: FormsSection = FormsSection()
    training: TrainingSection = TrainingSection()
    knowledge: KnowledgeSection = KnowledgeSection()
    evaluation: EvaluationSection = EvaluationSection()
    priorities: PrioritiesSection = PrioritiesSection()
    policy: PoliciesSection = PoliciesSection()
    comparators: ComparatorsSection = ComparatorsSection()
    words: dict[str, dict[str, Words]] = Field(default_factory=dict)

    def own_columns(self, table: str) -> list[str]:
        """Columns of a table beyond its contract that the board uses, spelled as in the tables read."""
        names = dict.fromkeys(map(plain_name, self.columns.get(table, [])))
        return [name for name in names if name not in TABLES[table].columns()]


def read_config(folder: Path) -> tuple[Config, pl.DataFrame, str]:
    """Read `board.toml`: its settings, its broken rules, and the digest of its bytes ("" where there is no file).

    Sections that break a rule are reported and left at their defaults.
    """
    if not folder.is_dir():
        raise TableError(f"{folder}: there is no such folder. Make one with: safeguarding init {folder.name}")
    path = folder / CONFIG
    if not path.exists():
        return Config(), no_problems(), ""
    content = path.read_bytes()
    try:
        found = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return Config(), problem(CONFIG, f"the file must be valid TOML: {error}"), digest_of(content)
    config, problems = _take(found)
    return config, problems, digest_of(content)


def _take(found: dict[str, Any]) -> tuple[Config, pl.DataFrame]:
    """Take the settings that keep the rules, and report the others."""
    words = {name: found.pop(name) for name in list(found) if name in TABLES}
    wrong_words, wrong_columns = _check_words(words), _check_columns(found.get("columns"))
    reports = [no_problems(), *_check_tables(found.get("files"), "files"), *wrong_words, *wrong_columns]
    if wrong_columns:
        del found["columns"]
    sections = {name: value for name, value in found.items() if name in Config.model_fields and name != "words"}
    for name in found.keys() - sections.keys():
        known = [section for section in (*Config.model_fields, *TABLES) if section != "words"]
        reports.append(problem(CONFIG, f"a section this program knows.{nearest(name, known)}", found=f"[{name}]"))
    try:
        config = Config(**sections, words={} if wrong_words else words)
    except ValidationError as error:
        reports.extend(_explain_setting(mistake) for mistake in error.errors())
        wrong = {mistake["loc"][0] for mistake in error.errors()}
        config = Config(**{name: value for name, value in sections.items() if name not in wrong})
    return config, pl.concat(reports)


def _check_tables(settings: Any, section: str) -> list[pl.DataFrame]:
    """Report every setting of a section that is not named after a table."""
    if not isinstance(settings, dict):
        return []
    return [
        problem(
            CONFIG, f"the name of a table.{nearest(name, list(TABLES))}", column=f"{section}.{name}", found=f'"{name}"'
        )
        for name in settings
        if name not in TABLES
    ]


def _check_columns(columns: Any) -> list[pl.DataFrame]:
    """Report unknown tables, and columns that could identify a person; other mistakes are those of any setting."""
    reports = _check_tables(columns, "columns")
    for table, names in columns.items() if isinstance(columns, dict) else ():
        found = (
            [str(name) for name in names if looks_personal(plain_name(str(name)))] if isinstance(names, list) else []
        )
        reports.extend(
            problem(
                CONFIG,
                "columns to group by, never one that could identify a person. Leave it out, "
                "or rename the column if it holds something else",
                column=f"columns.{table}",
                found=f'"{name}"',
            )
            for name in found
        )
    return reports


def _check_words(words: dict[str, Any]) -> list[pl.DataFrame]:
    reports = []
    for table, columns in words.items():
        for column, replacements in columns.items() if isinstance(columns, dict) else ():
            known = list(TABLES[table].columns())
            where = f"{table}.{column}"
            if column not in known:
                reports.append(problem(CONFIG, f"a column of {table}.{nearest(column, known)}", column=where))
            elif not isinstance(replacements, dict) or not all(isinstance(word, str) for word in replacements.values()):
                reports.append(problem(CONFIG, 'pairs of words, such as "Attnded" = "attended"', column=where))
            else:
                reports.extend(_check_targets(table, column, replacements))
    return reports


def _check_targets(table: str, column: str, replacements: dict[str, str]) -> list[pl.DataFrame]:
    """Words are to be replaced by words the column may hold."""
    allowed = (TABLES[table].columns()[column].metadata or {}).get("allowed", ())
    return [
        problem(
            CONFIG,
            f"one of: {', '.join(allowed)}.{nearest(word, allowed)}",
            column=f"{table}.{column}",
            found=f'"{found}" = "{word}"',
        )
        for found, word in replacements.items()
        if allowed and word not in allowed
    ]


def _explain_setting(mistake: Any) -> pl.DataFrame:
    where = ".".join(str(part + 1) if isinstance(part, int) else part for part in mistake["loc"])
    if mistake["type"] == "extra_forbidden":
        known = _settings(mistake["loc"][:-1])
        name = str(mistake["loc"][-1])
        return problem(
            CONFIG, f"a setting this program knows ({', '.join(known)}).{nearest(name, known)}", column=where
        )
    if mistake["type"] == "value_error":  # of settings that do not fit together: it says itself what was found
        return problem(CONFIG, str(mistake["ctx"]["error"]), column=where)
    wanted = WANTED.get(mistake["type"], str(mistake["msg"])[0].lower() + str(mistake["msg"])[1:])
    return problem(CONFIG, wanted, column=where, found=str(mistake["input"]))


def _settings(path: tuple[Any, ...]) -> list[str]:
    """Names of the settings of a section of `board.toml`."""
    model: Any = Config
    for part in path:
        if isinstance(part, int):  # of a list, whose kind has been found
            continue
        model = model.model_fields[part].annotation
        model = next((kind for kind in get_args(model) if isinstance(kind, type)), model)
    return [name for name in model.model_fields if name != "words"]
