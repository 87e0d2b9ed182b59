"""The settings of exports in `board.toml`: of a booking system, and of forms."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from safeguarding_analytics.errors import nearest, shorten
from safeguarding_analytics.sources.files import plain_name


class Section(BaseModel):
    """A section of `board.toml`: nothing may stand in it that the program does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


class ExportColumnsSection(Section):
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


class BookingsExportSection(Section):
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


class FormColumnsSection(Section):
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


class FormSection(Section):
    """One exported form: its file, when it was answered, and where it differs from the others."""

    file: str = Field(min_length=1)
    wave: Literal["pre", "post", "follow_up", "then"]
    session: str | None = Field(default=None, min_length=1)
    sheet: str | None = None
    date_order: Literal["day_first", "month_first"] | None = None
    columns: FormColumnsSection = FormColumnsSection()
    items: dict[str, Headings] = Field(default_factory=dict)


class FormsSection(Section):
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
