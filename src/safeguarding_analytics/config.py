"""The settings of a board, `board.toml`: what may stand in it, and what is wrong with it, all at once."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import polars as pl
from pydantic import AfterValidator, Field, ValidationError, model_validator

from safeguarding_analytics.ballot_settings import BallotsExportSection
from safeguarding_analytics.contracts import CONFIG, no_problems, problem
from safeguarding_analytics.errors import ParameterError, TableError, nearest
from safeguarding_analytics.export_settings import BookingsExportSection, FormsSection, Section
from safeguarding_analytics.personal import looks_personal
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.sources.database_address import KEEP_OUT, check_uri, split_relation
from safeguarding_analytics.sources.files import digest_of, plain_name
from safeguarding_analytics.tables import TABLES

Words = dict[str, str]

WANTED = {"string_pattern_mismatch": 'input should be a text that can be seen, such as "[c]"'}
"""What a setting should be, where pydantic would show a pattern."""


class BoardSection(Section):
    """Who the board is, and the date of the evaluation."""

    name: str = "Safeguarding board"
    authority: str | None = None
    as_at: date | None = None


class RuleSection(Section):
    """What the people of a target group must have attended."""

    target_group: int = Field(ge=1, le=8)
    training_level: int = Field(ge=1, le=4)
    refresh_months: int = Field(default=36, ge=1)
    yearly_level: int | None = Field(default=None, ge=1, le=4)


class TrainingSection(Section):
    """The target of the programme, and the rules of training."""

    target: int | None = Field(default=None, ge=1)
    target_date: date | None = None
    district_targets: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    together: dict[str, list[str]] = Field(default_factory=dict)
    rules: list[RuleSection] = Field(default_factory=list)


class KnowledgeSection(Section):
    """What gain would matter, fixed before the workshops."""

    meaningful_gain: float | None = Field(default=None, gt=0)


def _two_weeks(weeks: list[int]) -> list[int]:
    if len(weeks) != 2 or not 1 <= weeks[0] <= weeks[1] <= 520:
        raise ValueError("input should be the fewest and the most weeks, such as [6, 12], up to 520")
    return weeks


class EvaluationSection(Section):
    """How an evaluation is planned: when its reports are due, and what is expected of the sessions and the gains."""

    report_dates: list[date] = Field(default_factory=list)
    follow_up_weeks: Annotated[list[int], AfterValidator(_two_weeks)] = Field(default_factory=lambda: [6, 12])
    sessions: int | None = Field(default=None, ge=1)
    places_per_session: int | None = Field(default=None, ge=1)
    answer_both_times: float | None = Field(default=None, gt=0, le=1)
    sd_gain: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    icc: float = Field(default=0.05, ge=0, lt=1)
    power: float = Field(default=0.8, ge=0.5, le=0.99)


def _two_limits(days: list[int]) -> list[int]:
    if len(days) != 2 or not all(1 <= each <= 366 for each in days):
        raise ValueError("input should be the days until the first review and between later ones, such as [91, 183]")
    return days


class ChildProtectionSection(Section):
    """From when to when the register is complete, the limits of timeliness, and the returns it is read from."""

    plans_from: date | None = None
    plans_to: date | None = None
    within_months: int = Field(default=12, ge=1, le=240)
    conference_working_days: int = Field(default=15, ge=1, le=100)
    review_days: Annotated[list[int], AfterValidator(_two_limits)] = Field(default_factory=lambda: [91, 183])
    comparator_set: Literal["all", "neighbours", "region"] = "all"
    cin_census: list[str] = Field(default_factory=list)
    annex_a: str | None = Field(default=None, min_length=1)
    annex_a_date_order: Literal["day_first", "month_first"] | None = None

    @model_validator(mode="after")
    def _settings_fit_together(self) -> Self:
        if self.plans_from and self.plans_to and self.plans_from > self.plans_to:
            raise ValueError("plans_from must not be later than plans_to")
        if len(set(self.cin_census)) < len(self.cin_census):
            raise ValueError("cin_census names a file twice")
        return self


class PrioritiesSection(Section):
    """How ballots are counted, fixed before they are opened."""

    seats: int = Field(default=4, ge=1)
    weight: Literal["member", "agency"] = "member"
    unranked: Literal["share", "ignore"] = "share"
    members: int | None = Field(default=None, ge=1)
    resample: Literal["member", "agency"] | None = None
    resamples: int = Field(default=2000, ge=100)
    seed: int = Field(default=20150925, ge=0)
    cut_urgency: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    cut_importance: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class PolicySection(Section):
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


class PoliciesSection(Section):
    """One policy per population."""

    children: PolicySection = PolicySection()
    staff: PolicySection = PolicySection()
    board_members: BoardMembersPolicySection = BoardMembersPolicySection()


class ComparatorsSection(Section):
    """Files of the Department for Education to compare with."""

    second_or_subsequent_plans: str | None = None
    statistical_neighbours: str | None = None
    interactive_tool: str | None = None
    population: str | None = None
    published_documents: bool = False

    @property
    def files(self) -> list[str]:
        """The files that are named."""
        named = (self.second_or_subsequent_plans, self.statistical_neighbours, self.interactive_tool, self.population)
        return [file for file in named if file]


class DatabaseSection(Section):
    """A PostgreSQL database from which tables are read instead of files. No mistake in it is shown as it was found."""

    uri: str | None = None
    tables: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _keeps_no_secret(cls, written: Any) -> Any:
        """What is wrong, before anything else could show what was written: it may be a password."""
        section = written if isinstance(written, dict) else {"uri": None}
        uri, tables = section.get("uri"), section.get("tables", {})
        texts = tables if isinstance(tables, dict) else {"": None}
        mistakes = []
        if any("pass" in str(name).casefold() for name in section):
            mistakes.append(f"no password may stand in {CONFIG}: {KEEP_OUT}")
        if ("uri" in section and not isinstance(uri, str)) or not all(isinstance(text, str) for text in texts.values()):
            mistakes.append(
                'uri should be a text such as "postgresql://reader@host/records", and [database.tables] should name '
                'tables such as plans = "child_protection.plans"'
            )
        elif tables and uri is None:
            mistakes.append('uri must be set, such as uri = "postgresql://reader@host/records"')
        for check, text in ((check_uri, uri), *((split_relation, text) for text in texts.values())):
            try:
                if isinstance(text, str):
                    check(text)
            except ParameterError as error:
                mistakes.append(str(error))
        if mistakes:
            raise ValueError("; ".join(dict.fromkeys(mistakes)))
        return written


class Config(Section):
    """All of `board.toml`; a section named after a table holds its words: ``[bookings.status]``."""

    board: BoardSection = BoardSection()
    files: dict[str, str] = Field(default_factory=dict)
    columns: dict[str, list[str]] = Field(default_factory=dict)
    database: DatabaseSection = DatabaseSection()
    bookings_export: BookingsExportSection = BookingsExportSection()
    forms: FormsSection = FormsSection()
    ballots_export: BallotsExportSection = BallotsExportSection()
    training: TrainingSection = TrainingSection()
    knowledge: KnowledgeSection = KnowledgeSection()
    evaluation: EvaluationSection = EvaluationSection()
    child_protection: ChildProtectionSection = ChildProtectionSection()
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
    database = found.get("database")
    if isinstance(database, dict):
        reports.extend(_check_tables(database.get("tables"), "database.tables"))
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
