"""Every table in or out: the contracts. `data/README.md` is generated from this module.

Input tables are dataframely schemas; a column's ``description`` says what it means and its ``metadata`` holds

- ``unit``: what a value counts or measures,
- ``identifying``: a value must never be printed, logged, drawn or published,
- ``allowed``: the words a choice column may hold,
- ``references``: ``table.column`` that must hold the value,
- ``says``: the rule in words, for reports of broken rules.

Output tables have one of a few shapes, so that disclosure control and charts know shapes and not topics.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import dataframely as dy
import polars as pl

from safeguarding_analytics.errors import TableError

STATUSES = ("attended", "did_not_attend", "cancelled", "booked", "waitlisted")
WAVES = ("pre", "post", "follow_up", "then")
CATEGORIES = ("NEG", "PHY", "SAB", "EMO", "MUL")
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
}
"""Rules about several columns of a row, in words."""


def _text(meaning: str, *, identifying: bool = False, references: str = "", **options: Any) -> dy.String:
    metadata = {"unit": "text", "identifying": identifying, "references": references}
    return dy.String(description=meaning, metadata=metadata, min_length=1, **options)


def _identifier(meaning: str, **options: Any) -> dy.String:
    """A pseudonym of a person or child: never shown, never a placeholder."""
    metadata = {"unit": "pseudonym", "identifying": True, "references": "", "says": "an identifier, not a placeholder"}
    return dy.String(
        description=meaning,
        metadata=metadata,
        check=lambda value: ~value.str.to_lowercase().is_in(PLACEHOLDERS),
        **options,
    )


def _choice(meaning: str, allowed: tuple[str, ...], **options: Any) -> dy.String:
    metadata = {"unit": "choice", "identifying": False, "references": "", "allowed": allowed}
    metadata["says"] = f"one of: {', '.join(allowed)}"
    return dy.String(description=meaning, metadata=metadata, check=lambda value: value.is_in(allowed), **options)


def _whole(meaning: str, unit: str, **options: Any) -> dy.Int64:
    return dy.Int64(description=meaning, metadata={"unit": unit, "identifying": False, "references": ""}, **options)


def _number(meaning: str, unit: str, **options: Any) -> dy.Float64:
    return dy.Float64(description=meaning, metadata={"unit": unit, "identifying": False, "references": ""}, **options)


def _date(meaning: str, **options: Any) -> dy.Date:
    return dy.Date(description=meaning, metadata={"unit": "date", "identifying": False, "references": ""}, **options)


def _yes_no(meaning: str, **options: Any) -> dy.Bool:
    return dy.Bool(description=meaning, metadata={"unit": "yes/no", "identifying": False, "references": ""}, **options)


class Agencies(dy.Schema):
    """One row per agency."""

    agency = _text("Name of the agency, as it shall be printed", primary_key=True)
    sector = _text("Sector the agency belongs to", nullable=True)
    aliases = _text("Other names found in exports, separated by ';'", nullable=True)


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
    cost = _number("Cost of the session", "£", min=0, nullable=True)


class Bookings(dy.Schema):
    """One row per person and session: booked, walked in, or both."""

    session = _text("Session booked or attended", primary_key=True, references="sessions.session")
    person = _identifier("Pseudonym of the person", primary_key=True)
    agency = _text("Agency the person works for", references="agencies.agency")
    target_group = _whole("Target group of the person", "group", min=1, max=8, nullable=True)
    status = _choice("What became of the booking", STATUSES)
    booked = _yes_no("Whether the place was booked; no = a walk-in")

    @dy.rule()
    def walk_in_attended(cls) -> pl.Expr:
        """See `ROW_RULES`."""
        return pl.col("booked") | (pl.col("status") == "attended")


class Items(dy.Schema):
    """One row per question of the questionnaire."""

    item = _text("Identifier of the question", primary_key=True)
    text = _text("Wording of the question")
    kind = _choice("Kind of question", ("choice", "likert"))
    minimum = _number("Lowest score", "points")
    maximum = _number("Highest score", "points")
    reversed = _yes_no("Whether a high score means little knowledge")

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

    @dy.rule()
    def ends_after_start(cls) -> pl.Expr:
        """See `ROW_RULES`."""
        return pl.col("end_date").is_null() | (pl.col("end_date") >= pl.col("start_date"))


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


TABLES: dict[str, type[dy.Schema]] = {
    "agencies": Agencies,
    "workforce": Workforce,
    "sessions": Sessions,
    "bookings": Bookings,
    "items": Items,
    "scores": Scores,
    "plans": Plans,
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

PERSONAL = (
    *("name", "names", "initials", "signature", "email", "e_mail", "email_address", "phone", "telephone", "mobile"),
    *("first_name", "forename", "forenames", "given_name", "middle_name", "last_name", "surname", "family_name"),
    *("full_name", "known_as", "child_name", "person_name", "staff_name", "member_name", "parent_name", "mother_name"),
    *("dob", "date_of_birth", "birth_date", "birthday", "address", "address_1", "address_line_1", "postcode"),
    *("post_code", "upn", "uln", "upi", "nhs_number", "nhs_no", "ni_number", "national_insurance_number", "child_id"),
    *("person_id", "member_id", "staff_id", "employee_id", "employee_number", "payroll_number", "case_number"),
    *("pupil", "pupil_id", "pupil_name", "pupil_number", "student_id", "learner_id", "patient_id", "client_id"),
)
"""Names of columns that could identify people, as they stand or behind another word: "postcode", "home_postcode"."""

FREE_TEXT = ("comment", "comments", "note", "notes", "free_text")
"""Names of columns in which anything may be written, also a name."""


def looks_personal(column: str, *, words: tuple[str, ...] = (*PERSONAL, *FREE_TEXT)) -> bool:
    """Whether a column, by its name in any case and with any signs between its words, could identify a person.

    Examples
    --------
    >>> [looks_personal(name) for name in ("child", "home_postcode", "UPN", "Date of birth", "NHSNumber")]
    [True, True, True, True, True]
    >>> [looks_personal(name) for name in ("course_name", "district", "funding_per_pupil")]
    [False, False, False]
    """
    plain = re.sub(r"[\W_]+", "_", column.casefold()).strip("_")
    # The name of a course is nobody's, and what is counted per pupil is no pupil.
    endings = [word for word in words if word not in ("name", "names", "pupil")]
    whole = {word.replace("_", "") for word in (*IDENTIFYING, *words)}
    return plain.replace("_", "") in whole or any(plain.endswith(f"_{word}") for word in endings)


@dataclass(frozen=True)
class Shape:
    """What disclosure control and charts need to know about an output table.

    ``counts`` are whole numbers of people or plans, in the order in which they are printed; ``parts`` are counts that
    add up to the first count of their row; ``own`` are counts of their own, hidden by themselves where small;
    ``context`` is never hidden (a population, a capacity); ``means`` are hidden where the first count is too small for
    them. All other columns are worked out from the counts and hidden with them.
    """

    name: str
    meaning: str
    columns: dict[str, str]
    counts: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    means: tuple[str, ...] = ()

    @property
    def all_counts(self) -> tuple[str, ...]:
        """Every column of the shape that counts people or plans and may be hidden."""
        return (*self.counts, *self.parts, *self.own)

    def group_columns(self, columns: list[str]) -> list[str]:
        """The columns that name the group: all that stand before the first column of the shape."""
        first = next(name for name in columns if name in self.columns)
        return columns[: columns.index(first)]


COUNT = Shape("count", "How many, by group", {"count": "people, plans or places"}, counts=("count",))
PROPORTION = Shape(
    "proportion",
    "A share with its counts and its interval",
    {
        "numerator": "count: those who have it",
        "denominator": "count: those who could",
        "proportion": (
            "numerator ÷ denominator (as published, where published counts are rounded), 0 to 1; null if unknown"
        ),
        "lower": "lower end of the interval, 0 to 1",
        "upper": "upper end of the interval, 0 to 1",
    },
    counts=("numerator", "denominator"),
)
RATE = Shape(
    "rate",
    "A rate per 10,000 with its counts and its interval",
    {
        "count": "count of events",
        "population": "children aged 0 to 17",
        "rate": "count ÷ population × 10,000",
        "lower": "lower end of the interval, per 10,000",
        "upper": "upper end of the interval, per 10,000",
    },
    counts=("count",),
    context=("population",),
)
MEAN_CHANGE = Shape(
    "mean_change",
    "A mean change between two answers of the same people, with its counts and its interval",
    {
        "n_pairs": "people who answered both times",
        "mean_pre": "mean score before, points; of the pairs",
        "mean_post": "mean score after, points; of the pairs",
        "mean_change": "mean of after minus before, points",
        "lower": "lower end of the interval, points",
        "upper": "upper end of the interval, points",
        "n_pre": "people who answered before",
        "n_post": "people who answered after",
        "n_up": "pairs whose score rose",
        "n_same": "pairs whose score stayed the same",
        "n_down": "pairs whose score fell",
        "n_clusters": "sessions (or other clusters) the pairs come from",
        "degrees_of_freedom": "degrees of freedom of the interval",
        "standard_error": "standard error of the mean change, points",
        "verdict": "the interval against the meaningful gain that was fixed beforehand",
    },
    counts=("n_pairs",),
    parts=("n_up", "n_same", "n_down"),
    own=("n_pre", "n_post"),
    means=("mean_pre", "mean_post", "mean_change", "lower", "upper", "standard_error", "verdict"),
)
RANKING = Shape(
    "ranking",
    "Issues in order",
    {
        "issue": "issue ranked",
        "score": "wins minus losses over all pairs of issues",
        "points": "n for a first place down to 1, tied places averaged; null where unranked issues are ignored",
        "rank": "place, 1 = first; equal scores share the smaller place",
        "tied": "whether another issue has the same score",
        "selected": "whether it is among the seats; null where a tie straddles the cut",
        "p_selected": "share of resampled boards in which it is among the seats, 0 to 1",
        "n_ballots": "ballots counted",
    },
)
ATTENDANCE = Shape(
    "attendance",
    "What became of bookings and places",
    {
        "registered": "bookings with an outcome: attended as booked, did not attend, cancelled",
        "attended": "people × sessions that attended, booked or not",
        "walk_ins": "attended without a booking",
        "did_not_attend": "booked and did not come",
        "cancelled": "booked and cancelled",
        "attendance_rate": "attended as booked ÷ registered, 0 to 1",
        "capacity": "places offered",
        "take_up": "attended ÷ capacity, 0 to 1 (above 1 where a session was over-filled)",
        "share_of_places": "attended ÷ all attended, 0 to 1",
    },
    counts=("registered", "attended", "walk_ins", "did_not_attend", "cancelled"),
    context=("capacity",),
)
SHAPES: dict[str, Shape] = {shape.name: shape for shape in (COUNT, PROPORTION, RATE, MEAN_CHANGE, RANKING, ATTENDANCE)}


def shape_of(columns: list[str]) -> Shape:
    """Recognise the shape of an output table by its columns.

    Raises
    ------
    TableError
        When the columns fit none of the shapes.

    Examples
    --------
    >>> shape_of(["agency", "numerator", "denominator", "proportion", "lower", "upper"]).name
    'proportion'
    """
    marks = {
        "attendance": {"registered", "attended"},
        "mean_change": {"n_pairs", "mean_change"},
        "ranking": {"issue", "score", "rank"},
        "proportion": {"numerator", "denominator", "proportion"},
        "rate": {"count", "population", "rate"},
        "count": {"count"},
    }
    for name, needed in marks.items():
        if needed <= set(columns):
            return SHAPES[name]
    raise TableError(
        f"this table has none of the known shapes ({', '.join(SHAPES)}). Found columns: {', '.join(columns) or 'none'}."
    )
