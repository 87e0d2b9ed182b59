"""Every table that is read: the contracts. `data/README.md` is generated from this module.

Input tables are dataframely schemas; a column's ``description`` says what it means and its ``metadata`` holds

- ``unit``: what a value counts or measures,
- ``identifying``: a value must never be printed, logged, drawn or published,
- ``allowed``: the words a choice column may hold,
- ``references``: ``table.column`` that must hold the value,
- ``optional``: a file may lack the column; then it is empty,
- ``says``: the rule in words, for reports of broken rules.
"""

from __future__ import annotations

from typing import Any

import dataframely as dy
import polars as pl

STATUSES = ("attended", "did_not_attend", "cancelled", "booked", "waitlisted")
KINDS = ("workshop", "mop_up", "conference", "e_learning")
LEARNERS = ("local", "out_of_area", "trainer", "test")
WAVES = ("pre", "post", "follow_up", "then")
CATEGORIES = ("NEG", "PHY", "SAB", "EMO", "MUL")
"""Neglect, physical, sexual and emotional abuse, multiple: as the children in need census writes them."""

UP_TO_DATE = "up to date beyond three months"
DUE = "due within three months"
STARTER = "in the first three months"
LATE = "out of date for up to a year"
LONG = "out of date for longer"
OTHER = "other training only"
NONE = "no training recorded"
NO_RULE = "no rule"
STAGES = (UP_TO_DATE, DUE, STARTER, LATE, LONG, OTHER, NONE)
"""How current somebody's training is, in order. The first three break no rule."""

CURRENT = (UP_TO_DATE, DUE, STARTER)
STANDING, NOT_CURRENT = "up to date", "not up to date"
"""What the stages add up to."""

CATEGORY_WORDS = {
    "NEG": "Neglect",
    "PHY": "Physical abuse",
    "SAB": "Sexual abuse",
    "EMO": "Emotional abuse",
    "MUL": "Multiple",
}
"""What the children in need census calls its categories."""

PLACEHOLDERS = (
    *("unknown", "unk", "not known", "none", "nil", "null", "missing", "tbc", "tba", "test", "n/k", "nk"),
    *("-", "--", "?", "??", "x", "xx", "xxx", "xxxx", "0", "00", "000", "0000", "999", "9999", "99999", "unborn"),
)
"""Words that stand for "no identifier", in lower case. Shared by thousands of rows they would count as one person."""

TOTAL = "Total"
"""The group value of a margin row."""


ROW_RULES = {
    "walk_in_attended": "a walk-in (booked = no) has the status attended",
    "maximum_above_minimum": "maximum is larger than minimum",
    "ends_after_start": "end_date is not before start_date",
    "says_what_happened": "section_47_start or conference_date is given",
    "leaves_after_start": "leaving_date is not before start_date",
    "merges_whole": "merged_into and merged_on stand together, and merged_into is another agency",
    "one_row_each": "one row per authority, district and mid_year",
}
"""Rules about several columns of a row, in words."""


def _text(
    meaning: str, *, identifying: bool = False, references: str = "", optional: bool = False, **options: Any
) -> dy.String:
    metadata = {"unit": "text", "identifying": identifying, "references": references, "optional": optional}
    return dy.String(description=meaning, metadata=metadata, min_length=1, **options)


def _identifier(meaning: str, *, references: str = "", optional: bool = False, **options: Any) -> dy.String:
    """A pseudonym of a person or child: never shown, never a placeholder."""
    metadata: dict[str, Any] = {"unit": "pseudonym", "identifying": True, "references": references}
    metadata |= {"optional": optional, "says": "an identifier, not a placeholder"}
    return dy.String(
        description=meaning,
        metadata=metadata,
        check=lambda value: ~value.str.to_lowercase().is_in(PLACEHOLDERS),
        **options,
    )


def _choice(meaning: str, allowed: tuple[str, ...], *, optional: bool = False, **options: Any) -> dy.String:
    metadata: dict[str, Any] = {"unit": "choice", "identifying": False, "references": "", "allowed": allowed}
    metadata["optional"] = optional
    metadata["says"] = f"one of: {', '.join(allowed)}"
    return dy.String(description=meaning, metadata=metadata, check=lambda value: value.is_in(allowed), **options)


def _whole(meaning: str, unit: str, **options: Any) -> dy.Int64:
    return dy.Int64(description=meaning, metadata={"unit": unit, "identifying": False, "references": ""}, **options)


def _number(meaning: str, unit: str, **options: Any) -> dy.Float64:
    return dy.Float64(description=meaning, metadata={"unit": unit, "identifying": False, "references": ""}, **options)


def _date(meaning: str, *, optional: bool = False, identifying: bool = False, **options: Any) -> dy.Date:
    metadata = {"unit": "date", "identifying": identifying, "references": "", "optional": optional}
    return dy.Date(description=meaning, metadata=metadata, **options)


def _yes_no(meaning: str, *, optional: bool = False, **options: Any) -> dy.Bool:
    metadata = {"unit": "yes/no", "identifying": False, "references": "", "optional": optional}
    return dy.Bool(description=meaning, metadata=metadata, **options)


class Agencies(dy.Schema):
    """One row per agency."""

    agency = _text("Name of the agency, as it shall be printed", primary_key=True)
    sector = _text("Sector the agency belongs to", nullable=True)
    aliases = _text("Other names found in exports, separated by ';'", nullable=True)
    merged_into = _text(
        "Agency it became part of; its staff and bookings count there",
        nullable=True,
        references="agencies.agency",
        optional=True,
    )
    merged_on = _date("Day of the merger", nullable=True, optional=True)

    @dy.rule()
    def merges_whole(cls) -> pl.Expr:
        """See `ROW_RULES`."""
        together = pl.col("merged_into").is_null() == pl.col("merged_on").is_null()
        return together & (pl.col("merged_into").is_null() | (pl.col("merged_into") != pl.col("agency")))


class Workforce(dy.Schema):
    """One row per agency, training level, target group and period: the staff who are to be trained.

    Each member of staff is counted in one row of a period: the level and group they need.
    """

    agency = _text("Agency that employs the staff", primary_key=True, references="agencies.agency")
    training_level = _whole("Level of training the staff need", "level", min=1, max=4, primary_key=True)
    target_group = _whole("Target group the staff belong to", "group", min=1, max=8, primary_key=True)
    time_period = _text(
        "Reporting year, named by the year it ends in",
        primary_key=True,
        regex=r"^\d{4}$",
    )
    eligible_staff = _whole(
        "Head-count of eligible staff; empty where the agency made no return", "people", min=0, nullable=True
    )


class Sessions(dy.Schema):
    """One row per session held or planned."""

    session = _text("Identifier of the session", primary_key=True)
    course = _text("Course the session belongs to")
    training_level = _whole("Level of the training", "level", min=1, max=4)
    district = _text("District served", nullable=True)
    area = _text("Area the district belongs to", nullable=True)
    venue = _text("Venue", nullable=True)
    date = _date("Day the session is held")
    half_day = _choice("Half of the day", ("morning", "afternoon"), nullable=True)
    capacity = _whole("Places offered", "places", min=0, nullable=True)
    cost = _number("Cost of the session; 0 = given in kind, empty = not known", "£", min=0, nullable=True)
    kind = _choice("Kind of session; empty = workshop", KINDS, nullable=True, optional=True)


class Bookings(dy.Schema):
    """One row per person and session: booked, walked in, or both."""

    session = _text("Session booked or attended", primary_key=True, references="sessions.session")
    person = _identifier("Pseudonym of the person", primary_key=True)
    agency = _text("Agency the person works for", references="agencies.agency")
    target_group = _whole("Target group of the person", "group", min=1, max=8, nullable=True)
    status = _choice("What became of the booking", STATUSES)
    booked = _yes_no("Whether the place was booked; no = a walk-in")
    learner = _choice(
        "Who took the place; empty = local. Trainers and test users take none; learners from out of the area take a "
        "place and are nobody's eligible staff",
        LEARNERS,
        nullable=True,
        optional=True,
    )

    @dy.rule()
    def walk_in_attended(cls) -> pl.Expr:
        """See `ROW_RULES`."""
        return pl.col("booked") | (pl.col("status") == "attended")


class Staff(dy.Schema):
    """One row per person and agency: the staff record of those who are to be trained."""

    person = _identifier("Pseudonym of the person, as in bookings", primary_key=True)
    agency = _text("Agency that employs the person", primary_key=True, references="agencies.agency")
    training_level = _whole("Level of training the person needs", "level", min=1, max=4)
    target_group = _whole("Target group of the person", "group", min=1, max=8)
    start_date = _date("First day with the organisation; induction runs from it")
    post_start_date = _date("First day in this post", nullable=True, optional=True)
    leaving_date = _date("Last day with the organisation; empty = still there", nullable=True)

    @dy.rule()
    def leaves_after_start(cls) -> pl.Expr:
        """See `ROW_RULES`."""
        return pl.col("leaving_date").is_null() | (pl.col("leaving_date") >= pl.col("start_date"))


class TrainingRecords(dy.Schema):
    """One row per person and course completed elsewhere: single-agency training, e-learning, earlier years."""

    person = _identifier("Pseudonym of the person, as in bookings", primary_key=True)
    agency = _text("Agency the person worked for", references="agencies.agency")
    target_group = _whole("Target group of the person", "group", min=1, max=8, nullable=True)
    course = _text("Course completed", primary_key=True)
    training_level = _whole("Level of the training", "level", min=1, max=4)
    completed = _date("Day it was completed", primary_key=True)


class Items(dy.Schema):
    """One row per question of the questionnaire."""

    item = _text("Identifier of the question", primary_key=True)
    text = _text("Wording of the question")
    kind = _choice("Kind of question", ("choice", "likert"))
    minimum = _number("Lowest score", "points")
    maximum = _number("Highest score", "points")
    reversed = _yes_no("Whether a high score means little knowledge")
    course = _text("Course whose questionnaire asks it; empty = that of every course", nullable=True, optional=True)

    @dy.rule()
    def maximum_above_minimum(cls) -> pl.Expr:
        """See `ROW_RULES`."""
        return pl.col("maximum") > pl.col("minimum")


class Scores(dy.Schema):
    """One row per person, session, wave and question answered."""

    session = _text("Session the questionnaire belongs to", primary_key=True, references="sessions.session")
    person = _identifier("Pseudonym of the person, or the code the person made up", primary_key=True)
    agency = _text("Agency the person works for", references="agencies.agency", nullable=True)
    wave = _choice("When it was answered", WAVES, primary_key=True)
    item = _text("Question answered", primary_key=True, references="items.item")
    score = _number("Points as answered, before reversing", "points")


class Plans(dy.Schema):
    """One row per child protection plan."""

    plan = _identifier("Pseudonym of the plan", primary_key=True)
    child = _identifier("Pseudonym of the child")
    authority = _text("Local authority that holds the plan")
    district = _text("District the child lives in", nullable=True)
    category = _choice("Initial category of abuse", CATEGORIES, nullable=True)
    start_date = _date("Day the plan started")
    end_date = _date("Day the plan ended; empty while it is open", nullable=True)
    previous_plans = _whole("Earlier plans of the child, as recorded at the start", "plans", min=0, nullable=True)
    latest_category = _choice("Latest category of abuse", CATEGORIES, nullable=True, optional=True)
    family = _identifier("Pseudonym of the family: siblings share it", nullable=True, optional=True)
    birth_date = _date("Day the child was born, or is expected", nullable=True, optional=True, identifying=True)
    death_date = _date("Day the child died", nullable=True, optional=True, identifying=True)
    moved_date = _date(
        "Day the child moved to another authority, after this plan", nullable=True, optional=True, identifying=True
    )

    @dy.rule()
    def ends_after_start(cls) -> pl.Expr:
        """See `ROW_RULES`."""
        return pl.col("end_date").is_null() | (pl.col("end_date") >= pl.col("start_date"))


class Conferences(dy.Schema):
    """One row per section 47 enquiry with or without an initial child protection conference, or conference alone."""

    conference = _identifier("Pseudonym of the enquiry or conference", primary_key=True)
    child = _identifier("Pseudonym of the child, as in plans")
    authority = _text("Local authority that held it")
    district = _text("District the child lives in", nullable=True, optional=True)
    section_47_start = _date("Day of the strategy discussion that started the section 47 enquiry", nullable=True)
    conference_date = _date("Day of the initial child protection conference; empty = none held", nullable=True)
    not_required = _yes_no("Whether a conference was found not to be required", nullable=True)

    @dy.rule()
    def says_what_happened(cls) -> pl.Expr:
        """See `ROW_RULES`."""
        return pl.col("section_47_start").is_not_null() | pl.col("conference_date").is_not_null()


class Reviews(dy.Schema):
    """One row per review of a child protection plan."""

    plan = _identifier("Pseudonym of the plan", primary_key=True, references="plans.plan")
    review_date = _date("Day of the review conference", primary_key=True)


class Population(dy.Schema):
    """One row per authority, or district of it, and mid-year: children who live there."""

    authority = _text("Local authority")
    district = _text("District; empty = the whole authority", nullable=True, optional=True)
    mid_year = _text("Year of the mid-year estimate", regex=r"^\d{4}$")
    children = _whole("Children aged 0 to 17", "children", min=1)

    @dy.rule()
    def one_row_each(cls) -> pl.Expr:
        """See `ROW_RULES`; a key would need a district in every row."""
        return pl.len().over("authority", "district", "mid_year") == 1


class Issues(dy.Schema):
    """One row per issue to be ranked."""

    issue = _text("Name of the issue", primary_key=True)
    description = _text("What the issue covers", nullable=True)


class Ballots(dy.Schema):
    """One row per board member and issue ranked. Ties are allowed; an issue that is absent is unranked."""

    member = _identifier("Pseudonym of the board member", primary_key=True)
    agency = _text("Agency the member sits for", references="agencies.agency")
    issue = _text("Issue ranked", primary_key=True, references="issues.issue")
    rank = _whole("Place given, 1 = most important", "place", min=1)


class Themes(dy.Schema):
    """One row per board and theme."""

    board = _text("Board that placed the theme", primary_key=True)
    theme = _text("Theme placed", primary_key=True)
    urgency = _number("Urgency given", "points", min=0)
    importance = _number("Importance given", "points", min=0)
    leads = _yes_no("Whether this board leads on the theme", nullable=True, optional=True)
    linked = _yes_no("Whether this board is to be linked in", nullable=True, optional=True)
    in_place = _text("Procedures and activity that are in place already", nullable=True, optional=True)


TABLES: dict[str, type[dy.Schema]] = {
    "agencies": Agencies,
    "workforce": Workforce,
    "sessions": Sessions,
    "bookings": Bookings,
    "staff": Staff,
    "training_records": TrainingRecords,
    "items": Items,
    "scores": Scores,
    "plans": Plans,
    "conferences": Conferences,
    "reviews": Reviews,
    "population": Population,
    "issues": Issues,
    "ballots": Ballots,
    "themes": Themes,
}
"""The tables of a board's folder, by name."""

IDENTIFYING = tuple(
    sorted(
        {
            name
            for schema in TABLES.values()
            for name, column in schema.columns().items()
            if (column.metadata or {}).get("identifying")
        }
    )
)
"""Names of columns whose values must never be shown."""
