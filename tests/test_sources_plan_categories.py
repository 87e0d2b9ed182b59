"""Words of case systems for categories of abuse: own examples, and every synonym of the published lists."""

import json
from pathlib import Path

import pytest

from safeguarding_analytics.sources.plan_categories import (
    DOUBTFUL,
    category_of,
    looks_like_a_category,
    plain_text,
    yes_no_of,
)

SYNONYMS = Path(__file__).parents[2] / "shared" / "data" / "annex_a" / "annex_a_lists_3_to_7_columns_and_synonyms.json"
needs_shared = pytest.mark.skipif(not SYNONYMS.exists(), reason="../shared is not beside the project")

CODES = {
    "a) Neglect": "NEG",
    "b) Physical Abuse": "PHY",
    "c) Sexual Abuse": "SAB",
    "d) Emotional Abuse": "EMO",
    "e) Multiple": "MUL",
}
YES_NO = {"False": "no", "True": "yes", "Unknown": "unknown"}


def synonyms(number, column):
    """Every synonym of a coded column with the code it stands for."""
    described = json.loads(SYNONYMS.read_text(encoding="utf-8"))[f"list_{number}"][column]
    return [(word, category["code"]) for category in described["category"] for word in category["synonyms"]]


@needs_shared
@pytest.mark.parametrize("column", ["Initial Category of Abuse", "Latest Category of Abuse"])
def test_every_published_synonym_gives_its_one_category(column):
    published = synonyms(7, column)
    assert len(published) > 130
    wrong = {
        word: category_of(word)
        for word, code in published
        if plain_text(word) not in DOUBTFUL and category_of(word) != CODES[code]
    }
    assert wrong == {}


@needs_shared
def test_every_doubtful_spelling_is_read_otherwise_elsewhere_and_says_why():
    published = {plain_text(word): CODES[code] for word, code in synonyms(7, "Initial Category of Abuse")}
    for spelling, (meant, reason) in DOUBTFUL.items():
        assert published[spelling] != meant
        assert len(reason) > 40


@needs_shared
def test_case_spaces_and_hard_spaces_around_a_synonym_do_not_matter():
    for word, _ in synonyms(7, "Initial Category of Abuse"):
        for changed in (word.upper(), word.lower(), f"\xa0{word} ", word.replace(" ", "\xa0"), f"{word}\u200b"):
            assert category_of(changed) == category_of(word)


@needs_shared
@pytest.mark.parametrize(
    ("number", "column"),
    [
        (5, "Was an Initial Child Protection Conference deemed unnecessary?"),
        (5, "Did the Initial Child Protection Conference Result in a Child Protection Plan"),
        (7, "Subject to Emergency Protection Order or Protected Under Police Powers in Last Six Months (Y/N)"),
    ],
)
def test_every_published_synonym_of_yes_and_no_gives_its_one_answer(number, column):
    wrong = {word: code for word, code in synonyms(number, column) if yes_no_of(word) != YES_NO[code]}
    assert wrong == {}


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("NEG", "NEG"),
        ("Likelihood of neglect", "NEG"),
        ("PA", "PHY"),
        ("PHYSAB", "PHY"),
        ("(b) Physical injury", "PHY"),
        ("c: Sexual", "SAB"),
        ("Sexual abuse only", "SAB"),
        ("EMO - Emotional abuse", "EMO"),
        ("Emotional\xa0abuse", "EMO"),
        ("e) Multiple/not recommended", "MUL"),
        ("Not recommended", "MUL"),
        ("Muliple", "MUL"),
        ("Multiple: Neglect, Physical Abuse", "MUL"),
        ("Neglect\nEmotional", "MUL"),
        ("Neglect & Sexual", "MUL"),
        ("NEGLECT/PHYSICAL/EMOTIONAL ABU", "MUL"),
        ("PHYSICAL/EMOTIONAL/NEGL", "MUL"),
        ("Neglect; neglect", "NEG"),
        ("Neglect, Physical and Emotional", "MUL"),
    ],
)
def test_words_and_codes_are_read(text, category):
    assert category_of(text) == category


@pytest.mark.parametrize(
    ("flags", "category"),
    [
        ("YNNN", "NEG"),
        ("NYNN", "PHY"),
        ("nnyn", "SAB"),
        ("NNNY", "EMO"),
        ("Y N N N", "NEG"),
        ("YNYN", "MUL"),
        ("YYYY", "MUL"),
        ("NNNN", None),
        ("YNN", None),
        ("YNNNN", None),
    ],
)
def test_flags_are_those_of_neglect_physical_sexual_and_emotional_abuse(flags, category):
    assert category_of(flags) == category


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "abuse", "a)", "a", "b) Neglect", "a) Multiple", "1", "1000", "N1", "Neglect?Smith", "No neglect"),
        *("Multiple: Neglect", "Neglect, not recommended", "Neglect/P", "Negl", "Domestic violence", "Unknown", "2024"),
    ],
)
def test_what_is_not_understood_or_contradicts_itself_is_none(text):
    assert category_of(text) is None


def test_words_of_the_board_come_first_whatever_their_case_and_spaces():
    words = {"Faltering  growth": "NEG", "Neglect/Physical": "PHY"}
    assert category_of("faltering\xa0GROWTH", words) == "NEG"
    assert category_of("NEGLECT/PHYSICAL", words) == "PHY"
    assert category_of("Neglect", words) == "NEG"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("No", "no"),
        ("b) No", "no"),
        ("(b) no", "no"),
        ("0 - No", "no"),
        ("0", "no"),
        ("FALSE", "no"),
        ("a)\xa0Yes", "yes"),
        ("1 - Yes", "yes"),
        ("true", "yes"),
        ("c) Unknown", "unknown"),
        ("a) No", None),
        ("1 - No", None),
        ("", None),
        ("maybe", None),
    ],
)
def test_yes_and_no_are_read_with_and_without_their_letter(text, answer):
    assert yes_no_of(text) == answer


@pytest.mark.parametrize(
    ("text", "shown"),
    [("Neglect - other", True), ("Neglect Jones", False), ("Ann Jones", False), ("Neglect 12", False), ("", False)],
)
def test_only_words_that_categories_are_written_with_may_be_quoted(text, shown):
    assert looks_like_a_category(text) is shown
