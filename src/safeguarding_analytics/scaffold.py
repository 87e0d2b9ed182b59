"""An empty board: `board.toml` with a comment on every setting, and one CSV per table with its header."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safeguarding_analytics.contracts import CONFIG
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.tables import TABLES

# section → (what it is for, its settings as (name, an example, what it means))
SETTINGS: dict[str, tuple[str, tuple[tuple[str, str, str], ...]]] = {
    "board": (
        "who the board is",
        (
            ("name", '"Our safeguarding children partnership"', "stands at the top of every page"),
            ("authority", '"Kent"', "the local authority, as the plans and the DfE files spell it"),
            ("as_at", "2011-07-01", "date the evaluation is made"),
        ),
    ),
    "files": (
        "only where a file is not <table>.csv in this folder",
        (("bookings", '"export_2011.xlsx"', "CSV, XLSX or Parquet"),),
    ),
    "columns": (
        "columns of your own to group by, per table; others that the contract of the table lacks are not used",
        (("workforce", '["district"]', "never one that could identify a person"),),
    ),
    "database": (
        "a PostgreSQL database to read tables from, instead of files; its password is kept in .pgpass, never here",
        (("uri", '"postgresql://reader@host/records"', "needs the extra database of this package"),),
    ),
    "database.tables": (
        "tables or views of the database, by schema and name; take their files out of the folder then",
        (("plans", '"child_protection.plans"', "any table; only the columns of its contract are read"),),
    ),
    "bookings.status": (
        "words of your booking system and the status they stand for; any column of any table can have such a section",
        (('"Did Not Arrive"', '"did_not_attend"', ""),),
    ),
    "bookings_export": (
        "an export of your booking system, as it is, instead of a file of bookings; people become pseudonyms",
        (
            ("file", '"export.xlsx"', "CSV, XLSX or Parquet; take bookings.csv out of the folder then"),
            ("sheet", '"Report"', "its sheet; the first one if not named"),
            ("key_file", '"pseudonym.key"', "made once with: safeguarding key FOLDER"),
            ("date_order", '"day_first"', 'or "month_first"; worked out from all dates if not set'),
            ("days", '"all"', 'a course of several days is attended if all days were; or "any": if any was'),
            (
                "blank_agency",
                '"Not known"',
                "agency of rows without one, also in agencies.csv; not set: a broken rule",
            ),
            ("home_areas", '["Kent", "Medway"]', "learners whose column home holds another area are out of area"),
            (
                "out_of_area_agencies",
                '["Other authorities"]',
                "and so are those of these agencies, also in agencies.csv",
            ),
            (
                "test_users",
                '["Training Room"]',
                "marks a test user in a name or address, as test and dummy do",
            ),
        ),
    ),
    "bookings_export.columns": (
        "headings of the export; several in [ ] are read together, such as first name and surname",
        (
            ("session", '["Event", "Start date"]', "what tells one session from another: a code, or several columns"),
            ("person", '"E-mail"', "address or number of the learner"),
            ("name", '["First name", "Surname"]', "only to find people with two addresses, and test users"),
            ("agency", '"Organisation"', ""),
            ("target_group", '"Group"', ""),
            ("status", '"Booking status"', ""),
            ("booked", '"Booking type"', "yes or no, or words such as walk-in; all are booked if not named"),
            ("role", '"Role"', "to tell trainers from learners"),
            ("home", '"Authority"', "where the learner lives or works"),
            ("attended_on", '"Completed"', "day of attendance, if it is recorded"),
            ("date", '"Start date"', "day of the session; one row per day of a course is one booking"),
            ("end_date", '"End date"', ""),
            ("course", '"Course"', "with course, training_level and date, sessions are read from the export too"),
            ("training_level", '"Level"', ""),
            ("district", '"District"', ""),
            ("area", '"Area"', ""),
            ("venue", '"Venue"', ""),
            ("half_day", '"AM/PM"', ""),
            ("capacity", '"Places"', ""),
            ("cost", '"Cost"', "of the whole session"),
            ("kind", '"Type"', "workshop, mop_up, conference or e_learning"),
        ),
    ),
    "bookings_export.status": (
        "words of your booking system beside the usual ones, and what they stand for",
        (('"Came late"', '"partly_attended"', ""), ('"On the door"', '"walk_in"', "attended without a booking")),
    ),
    "bookings_export.role": (
        "words of its column role",
        (('"Course lead"', '"trainer"', ""),),
    ),
    "forms": (
        "forms as Microsoft Forms exports them, instead of a file of scores; people become pseudonyms",
        (
            (
                "files",
                '[{ file = "before.xlsx", wave = "pre" }, { file = "after.xlsx", wave = "post" }]',
                "also session, sheet, date_order, columns, items of a form",
            ),
            ("repeated", '"last"', 'the answers that count of somebody who answered twice; or "first"'),
        ),
    ),
    "forms.columns": (
        "headings of the forms; instead of person, code: one that people made up",
        (
            ("person", '"Email"', "address or number, as in the bookings"),
            ("name", '"Name"', "only to search a release for it"),
            ("agency", '"Which organisation do you work for?"', ""),
            ("session", '"Which workshop do you attend?"', "not where each file has its session"),
            ("submitted", '"Completion time"', ""),
        ),
    ),
    "forms.items": (
        "questions as they stand in the forms; an edited question may have several headings in [ ]",
        (
            ("Q01", '"A child has no need … Which tier is this?"', ""),
            ("Q02", '["How soon?", "How soon? (edited)"]', ""),
            ("Q11", '"How confident are you?"', ""),
        ),
    ),
    "forms.key": (
        "right answers; all of several, and no other, where several are to be selected",
        (("Q01", '"Tier 1"', "the maximum of the item; anything else its minimum"),),
    ),
    "forms.labels": (
        "what answers in words stand for, beside the usual labels of agreement, confidence and frequency",
        (('"Quite sure"', "4", ""), ('"Prefer not to say"', '"no answer"', "")),
    ),
    "forms.points": (
        "columns that hold points; those of a quiz are found where a question has no key",
        (("Q02", '["Points - How soon?", "Points - How soon? (edited)"]', ""),),
    ),
    "ballots_export": (
        "ballots as a form or a spreadsheet holds them, instead of ballots.csv; people become pseudonyms",
        (
            ("files", '["votes.xlsx"]', 'one or more; "ballots/*.xlsx" stands for all that match'),
            ("format", '"forms"', 'all issues in one cell; or "columns", "sheets", "preflib"; worked out if not set'),
            ("sheet", '"Sheet1"', "its sheet; the first one if not named"),
            ("date_order", '"day_first"', 'or "month_first"; worked out from all dates if not set'),
            ("second_ballot", '"last"', 'the ballot that counts of a member who sent several; or "first", "refuse"'),
            ("closes", "2015-09-25T17:00:00", "ballots submitted later are left out, and counted"),
            ("worst_first", "false", "true where members gave 1 to the least important issue"),
            (
                "form_order",
                '["Neglect", "Domestic abuse"]',
                "all issues as the form lists them, to see who left it so",
            ),
            ("unchanged", '"count"', 'ballots left in that order count; or "leave_out"'),
            ("blank_agency", '"Not known"', "agency of ballots without one, also in agencies.csv"),
        ),
    ),
    "ballots_export.columns": (
        "headings of the export",
        (
            ("member", '"Email"', "who voted; without it every ballot counts as another member's"),
            ("name", '"Name"', "only to search a release for it"),
            ("agency", '"Which agency do you sit for?"', ""),
            ("submitted", '"Completion time"', ""),
            ("ranking", '"Rank these issues, the most important first"', "where all places stand in one cell"),
        ),
    ),
    "training": (
        "the target of the programme, and the rules of training",
        (
            ("target", "1200", "people to be trained"),
            ("target_date", "2011-06-30", "day by which they are to be trained"),
            ("district_targets", '{ "Dover" = 100 }', "instead of shares of the target by places offered"),
            ("together", '{ "Health and police" = ["Health", "Police and justice"] }', "sectors shown as one group"),
            (
                "rules",
                "[{ target_group = 4, training_level = 2, refresh_months = 36, yearly_level = 3 }]",
                "instead of the Kirklees rules: all groups that have one",
            ),
        ),
    ),
    "knowledge": (
        "fixed before the workshops",
        (("meaningful_gain", "2.0", "points that would matter"),),
    ),
    "evaluation": (
        "when reports on the workshops are due, and what is expected of them: fixed before the workshops",
        (
            ("report_dates", "[2011-07-01, 2011-07-15]", "days by which reports are due"),
            ("follow_up_weeks", "[6, 12]", "from a session to its follow-up: the fewest weeks and the most"),
            ("sessions", "24", "sessions to be held"),
            ("places_per_session", "50", "people who are expected at a session"),
            ("answer_both_times", "0.75", "share of them expected to answer before and after, 0 to 1"),
            ("sd_gain", "3.0", "standard deviation of the gains of single people, such as an earlier course's"),
            ("icc", "0.05", "share of the variance of gains that lies between sessions, 0 to 1"),
            ("power", "0.8", "share of such programmes in which a gain is to be seen, 0.5 to 0.99"),
        ),
    ),
    "child_protection": (
        "the register of child protection plans: what it holds, the limits of timeliness, and returns it is read from",
        (
            ("plans_from", "2003-04-01", "every plan open on this day, or started later, is there"),
            ("plans_to", "2008-03-31", "day of the extract"),
            ("within_months", "12", "a repeat within so many months of the end of the plan before"),
            ("conference_working_days", "15", "from the start of a section 47 enquiry to the conference"),
            ("review_days", "[91, 183]", "days until the first review, and between later ones"),
            ("comparator_set", '"all"', 'whom to compare with, beside England: "neighbours", "region" or "all"'),
            ("cin_census", '["CIN_2024.xml", "CIN_2025.xml"]', "children in need census files, instead of plans.csv"),
            ("annex_a", '"annex_a.xlsx"', "Ofsted's child-level lists, instead of plans.csv: six months only"),
            ("annex_a_date_order", '"day_first"', 'or "month_first"; worked out from all dates if not set'),
        ),
    ),
    "priorities": (
        "fixed before the ballots are opened",
        (
            ("seats", "4", "how many issues become priorities"),
            ("weight", '"member"', 'every member counts the same; or "agency": every agency does'),
            ("unranked", '"share"', 'issues left off a ballot share its last places; or "ignore"'),
            ("members", "24", "how many may vote, to see what those who did not could change"),
            ("resample", '"member"', 'boards are drawn from members; or "agency": from agencies; as weight if not set'),
            ("resamples", "2000", "boards drawn at random to see how firm it is; 100 or more"),
            ("seed", "20150925", "where the drawing starts: the same seed gives the same numbers"),
            ("cut_urgency", "3", "themes from this on are urgent; the middle of what was placed if not set"),
            ("cut_importance", "3", "themes from this on are important; the middle of what was placed if not set"),
        ),
    ),
    "policy.children": (
        "which numbers of children or plans are hidden",
        (
            ("preset", '"dfe"', '"dfe" hides 1 to 5; "nhs" hides 1 to 7 and rounds; "round5", "round10" only round'),
            ("threshold", "10", "instead of the preset's: the smallest count that is shown; 2 or more"),
            ("zeros", '"shown"', 'or "hidden": then a 0 is hidden as a small count is'),
            ("mark", '"[c]"', "what stands in place of a hidden number"),
            ("protect", '"symbol"', 'every small value stays possible; or "point": at least two values do'),
            ("round", "5", "or 10: shown counts are rounded to multiples of it"),
            ("minimum_mean", "10", "a mean of fewer people is hidden; 3 or more"),
        ),
    ),
    "policy.staff": (
        "which numbers of staff are hidden",
        (("preset", '"dfe"', "as above, and so is every other setting of [policy.children]"),),
    ),
    "policy.board_members": (
        "which numbers of board members are hidden",
        (
            ("preset", '"dfe"', "as above, and so is every other setting of [policy.children]"),
            ("minimum_ballots", "3", "a ranking of fewer ballots is hidden; 3 or more"),
        ),
    ),
    "comparators": (
        "open-data files of the Department for Education, to compare with England and statistical neighbours",
        (
            ("second_or_subsequent_plans", '"d3_cpps_subsequent_plan.csv"', "from the Children in need release"),
            ("statistical_neighbours", '"sn_model_2025_wide.csv"', "the model of statistical neighbours"),
            ("interactive_tool", '"lait_child_protection.csv"', "measures of the Local Authority Interactive Tool"),
            ("population", '"ons_mid-year_population_estimates.csv"', "children of every authority at mid-year"),
            ("published_documents", "false", "show figures of the public Kent and Kirklees documents, as examples"),
        ),
    ),
}


def board_toml(first_lines: str, values: Mapping[str, str]) -> str:
    """The text of `board.toml`: every setting with its comment; those without a value are commented out.

    Parameters
    ----------
    first_lines
        Comment lines for the top.
    values
        Written values by full name, such as ``{"board.authority": '"Kent"'}``.

    Examples
    --------
    >>> print(board_toml("# Ours", {"training.target": "1200"})[:6])
    # Ours
    """
    parts = [first_lines]
    for section, (meaning, settings) in SETTINGS.items():
        parts.append(f"\n# {meaning}\n[{section}]")
        for name, example, comment in settings:
            given = values.get(f"{section}.{name}")
            line = f"{name} = {given}" if given is not None else f"# {name} = {example}"
            parts.append(f"{line:<48}  # {comment}" if comment else line)
    return "\n".join(parts) + "\n"


def write_empty_board(folder: Path) -> list[Path]:
    """Write an empty board into a folder that holds none yet.

    Parameters
    ----------
    folder
        Made if it does not exist.

    Returns
    -------
    list[Path]
        The files written.

    Raises
    ------
    ParameterError
        When a file of a board already stands there; nothing is written then.
    """
    texts = {CONFIG: board_toml("# A board's settings. Take the # away from a line to use it.", {})}
    texts |= {f"{name}.csv": ",".join(schema.columns()) + "\n" for name, schema in TABLES.items()}
    in_the_way = [name for name in texts if (folder / name).exists()]
    if in_the_way:
        raise ParameterError(
            f"{folder} already holds {', '.join(in_the_way)}. Nothing was written. Name a new or empty folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in texts.items():
        path = folder / name
        path.write_text(text, encoding="utf-8", newline="\n")
        paths.append(path)
    return paths
