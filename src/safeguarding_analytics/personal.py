"""Names of columns that could identify people, and of columns in which anything may be written."""

from __future__ import annotations

import re
from functools import lru_cache

from safeguarding_analytics.tables import IDENTIFYING

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


@lru_cache(maxsize=10_000)
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
