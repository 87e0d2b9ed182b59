"""The settings of ballots in `board.toml`: files of other programs in which members ranked the issues."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from safeguarding_analytics.export_settings import Headings, Section
from safeguarding_analytics.sources.files import plain_name

BallotFormat = Literal["forms", "columns", "sheets", "preflib"]
"""How ballots stand in a file: all places in one cell, a column per issue, a sheet per member, or as PrefLib does."""


def _with_time(written: Any) -> Any:
    """A day alone would end before it began: every ballot of that day would be late."""
    found = written
    if isinstance(written, str):
        try:
            found = datetime.fromisoformat(written.strip()) if len(written.strip()) > len("2015-09-25") else None
        except ValueError:
            found = None
    if not isinstance(found, datetime) or found.tzinfo is not None:
        what = "a day without a time" if isinstance(found, date) and not isinstance(found, datetime) else "otherwise"
        raise ValueError(
            f"input should be a day with a time and without a time zone, such as 2015-09-25T17:00:00. Found {what}"
        )
    return found


Closing = Annotated[datetime, BeforeValidator(_with_time)]
"""The moment after which a ballot is late."""


class BallotColumnsSection(Section):
    """Our names of what an export of ballots says of the member, and its headings."""

    member: Headings | None = None
    name: Headings | None = None
    agency: Headings | None = None
    submitted: Headings | None = None
    ranking: Headings | None = None

    def headings(self) -> dict[str, list[str]]:
        """Headings of the columns that the export has, by our names."""
        return self.model_dump(exclude_none=True)


class BallotsExportSection(Section):
    """Files from which ballots are read, and which of them count: fixed before they are opened."""

    files: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)
    format: BallotFormat | None = None
    sheet: str | None = None
    date_order: Literal["day_first", "month_first"] | None = None
    second_ballot: Literal["last", "first", "refuse"] = "last"
    closes: Closing | None = None
    worst_first: bool = False
    form_order: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)
    unchanged: Literal["count", "leave_out"] = "count"
    blank_agency: str | None = Field(default=None, min_length=1)
    columns: BallotColumnsSection = BallotColumnsSection()

    @model_validator(mode="after")
    def _says_what_is_needed(self) -> Self:
        mistakes = [] if self.files else self._without_files()
        if len(set(self.files)) < len(self.files):
            mistakes.append("files names a file twice")
        if self.closes and self.files and "submitted" not in self.columns.headings() and self.format != "sheets":
            mistakes.append(
                'closes needs the heading of submitted under [ballots_export.columns], or format = "sheets"'
            )
        if self.unchanged == "leave_out" and not self.form_order:
            mistakes.append("unchanged needs form_order, the issues in the order in which the form listed them")
        mistakes += self._headings_of_two()
        if mistakes:
            raise ValueError("; ".join(mistakes))
        return self

    def _without_files(self) -> list[str]:
        """The order of a form is of use for a table of ballots as well."""
        if not self.model_fields_set - {"files", "form_order", "columns"} and not self.columns.headings():
            return []
        return ['files must be set, such as files = ["votes.xlsx"], where ballots are to be read from an export']

    def _headings_of_two(self) -> list[str]:
        owners: dict[str, str] = {}
        mistakes = []
        for name, headings in self.columns.headings().items():
            for plain in dict.fromkeys(map(plain_name, headings)):
                other = owners.setdefault(plain, name)
                if other != name:
                    mistakes.append(f"{other} and {name} under [ballots_export.columns] have the same heading")
        return mistakes
