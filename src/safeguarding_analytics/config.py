"""The settings of a board, `board.toml`: what may stand in it, and what is wrong with it, all at once."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from safeguarding_analytics.contracts import CONFIG, no_problems, problem
from safeguarding_analytics.errors import TableError, nearest
from safeguarding_analytics.tables import TABLES

Words = dict[str, str]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BoardSection(_Section):
    """Who the board is, and the date of the evaluation."""

    name: str = "Safeguarding board"
    authority: str | None = None
    as_at: date | None = None


class TrainingSection(_Section):
    """The target of the programme."""

    target: int | None = Field(default=None, ge=1)
    target_date: date | None = None


class KnowledgeSection(_Section):
    """What gain would matter, fixed before the workshops."""

    meaningful_gain: float | None = Field(default=None, gt=0)


class PrioritiesSection(_Section):
    """How ballots are counted, fixed before they are opened."""

    seats: int = Field(default=4, ge=1)
    weight: Literal["member", "agency"] = "member"
    unranked: Literal["share", "ignore"] = "share"
    resamples: int = Field(default=2000, ge=1)
    seed: int = Field(default=20150925, ge=0)


class PolicySection(_Section):
    """Which numbers are hidden for one population."""

    preset: Literal["dfe", "nhs"] = "dfe"
    threshold: int | None = Field(default=None, ge=2)


class PoliciesSection(_Section):
    """One policy per population."""

    children: PolicySection = PolicySection()
    staff: PolicySection = PolicySection()
    board_members: PolicySection = PolicySection()


class ComparatorsSection(_Section):
    """Files of the Department for Education to compare with."""

    second_or_subsequent_plans: str | None = None
    statistical_neighbours: str | None = None


class Config(_Section):
    """All of `board.toml`; a section named after a table holds its words: ``[bookings.status]``."""

    board: BoardSection = BoardSection()
    files: dict[str, str] = Field(default_factory=dict)
    training: TrainingSection = TrainingSection()
    knowledge: KnowledgeSection = KnowledgeSection()
    priorities: PrioritiesSection = PrioritiesSection()
    policy: PoliciesSection = PoliciesSection()
    comparators: ComparatorsSection = ComparatorsSection()
    words: dict[str, dict[str, Words]] = Field(default_factory=dict)


def read_config(folder: Path) -> tuple[Config, pl.DataFrame]:
    """Read `board.toml`; sections that break a rule are reported and left at their defaults."""
    if not folder.is_dir():
        raise TableError(f"{folder}: there is no such folder. Make one with: safeguarding init {folder.name}")
    path = folder / CONFIG
    if not path.exists():
        return Config(), no_problems()
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return Config(), problem(CONFIG, f"the file must be valid TOML: {error}")
    words = {name: found.pop(name) for name in list(found) if name in TABLES}
    reports = [no_problems(), *_check_files(found.get("files")), *_check_words(words)]
    sections = {name: value for name, value in found.items() if name in Config.model_fields and name != "words"}
    for name in found.keys() - sections.keys():
        known = [section for section in (*Config.model_fields, *TABLES) if section != "words"]
        reports.append(problem(CONFIG, f"a section this program knows.{nearest(name, known)}", found=f"[{name}]"))
    clean = all(report.is_empty() for report in reports)
    try:
        config = Config(**sections, words=words if clean else {})
    except ValidationError as error:
        reports.extend(_explain_setting(mistake) for mistake in error.errors())
        wrong = {mistake["loc"][0] for mistake in error.errors()}
        config = Config(**{name: value for name, value in sections.items() if name not in wrong})
    return config, pl.concat(reports)


def _check_files(files: Any) -> list[pl.DataFrame]:
    if not isinstance(files, dict):
        return []
    return [
        problem(CONFIG, f"the name of a table.{nearest(name, list(TABLES))}", column=f"files.{name}", found=f'"{name}"')
        for name in files
        if name not in TABLES
    ]


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
    return reports


def _explain_setting(mistake: Any) -> pl.DataFrame:
    where = ".".join(str(part) for part in mistake["loc"])
    if mistake["type"] == "extra_forbidden":
        known = _settings(mistake["loc"][:-1])
        name = str(mistake["loc"][-1])
        return problem(
            CONFIG, f"a setting this program knows ({', '.join(known)}).{nearest(name, known)}", column=where
        )
    wanted = str(mistake["msg"])[0].lower() + str(mistake["msg"])[1:]
    return problem(CONFIG, wanted, column=where, found=str(mistake["input"]))


def _settings(path: tuple[Any, ...]) -> list[str]:
    """Names of the settings of a section of `board.toml`."""
    model: Any = Config
    for part in path:
        model = model.model_fields[part].annotation
        model = next((kind for kind in get_args(model) if isinstance(kind, type)), model)
    return [name for name in model.model_fields if name != "words"]
