"""The Department's validation rules about child protection, record by record of the children in need census.

Each rule is a function of one year's file that gives the records which break it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import polars as pl

from safeguarding_analytics.sources.census_steps import LINE, NUMBER
from safeguarding_analytics.sources.cin_records import CHILD_NUMBER, DETAIL, UNKNOWN, CensusYear, yes_no
from safeguarding_analytics.tables import CATEGORIES
from safeguarding_analytics.working_days import FIRST, LAST, bank_holidays

CONFERENCE_WORKING_DAYS = 15
NEVER = date(1, 1, 1)
"""Stands for the end of what lasts for no day."""

BROKEN = {
    "file": pl.String,
    "line": pl.Int64,
    "code": pl.String,
    "level": pl.String,
    "records": pl.String,
    "child_number": pl.Int64,
    "wanted": pl.String,
}
"""Columns of a report on the rules."""

Records = Literal["details", "enquiries", "plans", "reviews"]


@dataclass(frozen=True)
class CensusRule:
    """A rule: the Department's number, whether it is an error or a query, what it wants, and who breaks it."""

    code: str
    level: Literal["error", "query"]
    records: Records
    wanted: str
    broken: Callable[[CensusYear], pl.DataFrame]


def broken_rules(years: Sequence[CensusYear]) -> pl.DataFrame:
    """Every record of census files that breaks a validation rule about child protection.

    Parameters
    ----------
    years
        Files as `read_cin_census` gives them (``years``). Each is checked by itself, against its own census year.

    Returns
    -------
    pl.DataFrame
        One row per rule and record that breaks it, sorted by file (in the given order), line and rule. Not suppressed,
        but no value of the file is in it.

        - ``file``, ``line``: where the record begins; ``child_number``: place of its child in the file
        - ``code``: the Department's number, with Q for a query; ``level``: error, query, or "not checked" where the
          reference date lies outside the calendar of bank holidays (then without line)
        - ``records``: details (CINdetails), enquiries (Section47), plans (ChildProtectionPlans) or reviews
        - ``wanted``: what the rule wants

    Notes
    -----
    The census year runs from 1 April to the reference date. A date that cannot be read counts as missing. What is open
    runs to the reference date. Overlap is meant as the Department writes it: a plan may not start on the day another
    one of the child ends (8940), nor an enquiry on the day of another one's conference in the same details (8890).
    "No conference required" is taken in both spellings, and a flag that is missing as no.

    2884 is broken wherever a conference stands at an enquiry and at its details; Data to Insight's validator says so
    only where both are of the same day. 8740 and 8675Q count "false" as well as 0; theirs takes one spelling each.
    The working days of 8675Q leave out bank holidays.

    References
    ----------
    DfE, Children in need census: validation rules; Data to Insight, csc-validator-be-cin (rules of 2022 to 2023).
    """
    found = [_report(year, rule) for year in years for rule in RULES]
    order = {year.file: place for place, year in enumerate(years)}
    everything = pl.concat([pl.DataFrame(schema=BROKEN), *found])
    place = pl.col("file").replace_strict(order, default=None, return_dtype=pl.Int64)
    return everything.sort(place, LINE, "code", "records", CHILD_NUMBER, nulls_last=True)


def _report(year: CensusYear, rule: CensusRule) -> pl.DataFrame:
    checked = rule.code != "8675Q" or FIRST <= year.reference_date <= LAST
    nobody = pl.DataFrame({LINE: None, CHILD_NUMBER: None}, schema={LINE: pl.Int64, CHILD_NUMBER: pl.Int64})
    return (rule.broken(year) if checked else nobody).select(
        pl.lit(year.file).alias("file"),
        LINE,
        pl.lit(rule.code).alias("code"),
        pl.lit(rule.level if checked else "not checked").alias("level"),
        pl.lit(rule.records).alias("records"),
        CHILD_NUMBER,
        pl.lit(rule.wanted).alias("wanted"),
    )


def _within(column: str, year: CensusYear) -> pl.Expr:
    return pl.col(column).is_between(year.first_day, year.reference_date)


def _is_weekend(column: str) -> pl.Expr:
    return pl.col(column).dt.weekday() > 5


def _whose() -> pl.Expr:
    """Whom a record is of: children without an identifier are told by their place."""
    place = pl.format("child {}", CHILD_NUMBER)
    return pl.when(pl.col("child") == UNKNOWN).then(place).otherwise("child").alias("whose")


def _no_conference() -> pl.Expr:
    """Whether an enquiry has led to no conference, and none was found not to be required."""
    return pl.col("conference_date").is_null() & ~yes_no("not_required").fill_null(value=False)


def _starts_during_another(records: pl.DataFrame, whose: str, start: str, end: pl.Expr) -> pl.DataFrame:
    """Records that start on a day from the start to the end of another one, first and last day included.

    By the latest end of those before, so that thousands of records under one identifier take no thousand times longer.
    """
    known = records.filter(pl.col(start).is_not_null()).with_columns(end.fill_null(NEVER).alias("_end"))
    ordered = known.sort(whose, start, NUMBER)
    latest_before = pl.col("_end").cum_max().shift(1).over(whose)
    lasts = (pl.col("_end") >= pl.col(start)).cast(pl.Int64)
    others_of_that_day = lasts.sum().over(whose, start) - lasts
    return ordered.filter((latest_before >= pl.col(start)).fill_null(value=False) | (others_of_that_day > 0))


def start_missing_or_late(year: CensusYear) -> pl.DataFrame:
    """Plans of 8720."""
    start = pl.col("start_date")
    return year.plans.filter(start.is_null() | (start > year.reference_date))


def previous_plans_missing(year: CensusYear) -> pl.DataFrame:
    """Plans of 8730."""
    return year.plans.filter(~pl.col("previous_plans").str.contains(r"^\+?\d{1,4}$").fill_null(value=False))


def same_day_plan(year: CensusYear) -> pl.DataFrame:
    """Plans of 8840."""
    return year.plans.filter(pl.col("start_date") == pl.col("end_date"))


def review_before_plan(year: CensusYear) -> pl.DataFrame:
    """Reviews of 8841."""
    starts = year.plans.select(pl.col(NUMBER).alias("plan"), "start_date")
    return year.reviews.join(starts, on="plan").filter(pl.col("review_date") <= pl.col("start_date"))


def review_without_date(year: CensusYear) -> pl.DataFrame:
    """Reviews of 8842Q."""
    return year.reviews.filter(pl.col("review_date").is_null())


def category_missing(year: CensusYear) -> pl.DataFrame:
    """Plans of 8905."""
    return year.plans.filter(~pl.col("category").is_in(CATEGORIES).fill_null(value=False))


def latest_category_missing(year: CensusYear) -> pl.DataFrame:
    """Plans of 8910."""
    return year.plans.filter(~pl.col("latest_category").is_in(CATEGORIES).fill_null(value=False))


def start_after_death(year: CensusYear) -> pl.DataFrame:
    """Plans of 8915."""
    return _with_death(year).filter(pl.col("start_date") > pl.col("death_date"))


def end_after_death(year: CensusYear) -> pl.DataFrame:
    """Plans of 8920."""
    return _with_death(year).filter(pl.col("end_date") > pl.col("death_date"))


def _with_death(year: CensusYear) -> pl.DataFrame:
    return year.plans.join(year.children.select(CHILD_NUMBER, "death_date"), on=CHILD_NUMBER)


def end_before_start(year: CensusYear) -> pl.DataFrame:
    """Plans of 8925."""
    return year.plans.filter(pl.col("end_date") < pl.col("start_date"))


def end_outside_year(year: CensusYear) -> pl.DataFrame:
    """Plans of 8930."""
    return year.plans.filter(~_within("end_date", year))


def several_open_plans(year: CensusYear) -> pl.DataFrame:
    """Plans of 8935: all open ones of the child."""
    still_open = year.plans.filter(pl.col("end_date").is_null()).with_columns(_whose())
    return still_open.filter(pl.col("whose").is_duplicated())


def overlapping_plans(year: CensusYear) -> pl.DataFrame:
    """Plans of 8940: those that start during another one."""
    end = pl.coalesce("end_date", pl.lit(year.reference_date))
    return _starts_during_another(year.plans.with_columns(_whose()), "whose", "start_date", end)


def conference_outside_year(year: CensusYear) -> pl.DataFrame:
    """Enquiries of 8715."""
    return year.enquiries.filter(~_within("conference_date", year))


def conference_of_details_outside_year(year: CensusYear) -> pl.DataFrame:
    """Details of 8715."""
    return year.details.filter(~_within("conference_date", year))


def conference_on_weekend(year: CensusYear) -> pl.DataFrame:
    """Enquiries of 8875."""
    return year.enquiries.filter(_is_weekend("conference_date"))


def conference_of_details_on_weekend(year: CensusYear) -> pl.DataFrame:
    """Details of 8875."""
    return year.details.filter(_is_weekend("conference_date"))


def target_on_weekend(year: CensusYear) -> pl.DataFrame:
    """Enquiries of 8870Q."""
    return year.enquiries.filter(_is_weekend("conference_target"))


def conference_at_both(year: CensusYear) -> pl.DataFrame:
    """Details of 2884."""
    held = year.enquiries.filter(pl.col("conference_date").is_not_null()).select(pl.col(DETAIL).alias(NUMBER))
    return year.details.filter(pl.col("conference_date").is_not_null()).join(held, on=NUMBER, how="semi")


def start_is_no_conference_day(year: CensusYear) -> pl.DataFrame:
    """Plans of 2885."""
    days = pl.concat(
        [
            year.enquiries.select(DETAIL, "conference_date"),
            year.details.select(pl.col(NUMBER).alias(DETAIL), "conference_date"),
        ]
    ).rename({"conference_date": "start_date"})
    return year.plans.filter(_within("start_date", year)).join(days, on=[DETAIL, "start_date"], how="anti")


def enquiry_before_referral(year: CensusYear) -> pl.DataFrame:
    """Enquiries of 2889."""
    referrals = year.details.select(pl.col(NUMBER).alias(DETAIL), "referral_date")
    return year.enquiries.join(referrals, on=DETAIL).filter(pl.col("section_47_start") < pl.col("referral_date"))


def enquiry_during_another(year: CensusYear) -> pl.DataFrame:
    """Enquiries of 8890: those that start during another one of the same details."""
    still_open = pl.when(_no_conference()).then(pl.lit(year.reference_date))
    return _starts_during_another(
        year.enquiries, DETAIL, "section_47_start", pl.coalesce("conference_date", still_open)
    )


def conference_overdue(year: CensusYear) -> pl.DataFrame:
    """Enquiries of 8675Q."""
    free = bank_holidays()
    days = pl.date_range(FIRST, year.reference_date, closed="left", eager=True)
    working = days.filter((days.dt.weekday() <= 5) & ~days.is_in(free))
    latest: date = working[-CONFERENCE_WORKING_DAYS]
    return year.enquiries.filter(_no_conference() & (pl.col("section_47_start") < latest))


def old_enquiry_without_conference(year: CensusYear) -> pl.DataFrame:
    """Enquiries of 8740."""
    return year.enquiries.filter(_no_conference() & ~_within("section_47_start", year))


def plan_without_action(year: CensusYear) -> pl.DataFrame:
    """Plans of 8832."""
    closed = year.details.filter(yes_no("no_further_action")).select(pl.col(NUMBER).alias(DETAIL))
    return year.plans.join(closed, on=DETAIL, how="semi")


RULES = (
    CensusRule(
        "8720", "error", "plans", "a plan starts on a day that is known, by the reference date", start_missing_or_late
    ),
    CensusRule(
        "8730", "error", "plans", "the number of previous plans is known, and 0 or more", previous_plans_missing
    ),
    CensusRule("8840", "error", "plans", "a plan ends on another day than it starts", same_day_plan),
    CensusRule("8841", "error", "reviews", "a review is held after the day the plan started", review_before_plan),
    CensusRule("8842Q", "query", "reviews", "a review has a date", review_without_date),
    CensusRule(
        "8905", "error", "plans", f"the initial category of abuse is one of {', '.join(CATEGORIES)}", category_missing
    ),
    CensusRule(
        "8910",
        "error",
        "plans",
        f"the latest category of abuse is one of {', '.join(CATEGORIES)}",
        latest_category_missing,
    ),
    CensusRule("8915", "error", "plans", "a plan starts no later than the child died", start_after_death),
    CensusRule("8920", "error", "plans", "a plan ends no later than the child died", end_after_death),
    CensusRule("8925", "error", "plans", "a plan does not end before it starts", end_before_start),
    CensusRule("8930", "error", "plans", "a plan that ended did so within the census year", end_outside_year),
    CensusRule("8935", "error", "plans", "a child has at most one open plan", several_open_plans),
    CensusRule("8940", "error", "plans", "no plan starts while another one of the child lasts", overlapping_plans),
    CensusRule("8715", "error", "enquiries", "a conference is held within the census year", conference_outside_year),
    CensusRule(
        "8715", "error", "details", "a conference is held within the census year", conference_of_details_outside_year
    ),
    CensusRule("8875", "error", "enquiries", "a conference is not held at a weekend", conference_on_weekend),
    CensusRule("8875", "error", "details", "a conference is not held at a weekend", conference_of_details_on_weekend),
    CensusRule("8870Q", "query", "enquiries", "the target date of a conference is not at a weekend", target_on_weekend),
    CensusRule(
        "2884",
        "error",
        "details",
        "a conference is recorded at its enquiry or at the details, not at both",
        conference_at_both,
    ),
    CensusRule(
        "2885",
        "error",
        "plans",
        "a plan that starts in the census year starts on the day of its conference",
        start_is_no_conference_day,
    ),
    CensusRule("2889", "error", "enquiries", "an enquiry does not start before the referral", enquiry_before_referral),
    CensusRule(
        "8890",
        "error",
        "enquiries",
        "no enquiry starts while another one of the same details lasts",
        enquiry_during_another,
    ),
    CensusRule(
        "8675Q",
        "query",
        "enquiries",
        f"an enquiry that started more than {CONFERENCE_WORKING_DAYS} working days before the year's end has its "
        "conference, or needed none",
        conference_overdue,
    ),
    CensusRule(
        "8740",
        "error",
        "enquiries",
        "an enquiry without a conference, which needed one, started within the census year",
        old_enquiry_without_conference,
    ),
    CensusRule(
        "8832", "error", "plans", "there is no plan where the referral led to no further action", plan_without_action
    ),
)
"""The rules: of plans first, then of enquiries and conferences."""
