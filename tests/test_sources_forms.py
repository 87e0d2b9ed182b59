"""Exports of Microsoft Forms, as messy as they come → the table of scores, with nobody in it."""

import hashlib
import random
import tempfile
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics.board import check_all, read_board
from safeguarding_analytics.contracts import say_problems
from safeguarding_analytics.errors import SafeguardingError, TableError

SECRET = bytes(range(32))
ITEMS = """item,text,kind,minimum,maximum,reversed
Q01,Which tier is this?,choice,0,2,false
Q02,What must be recorded?,choice,0,1,false
C01,How confident are you?,likert,1,5,false
C02,How useful was it?,likert,1,10,true
"""
SESSIONS = (
    "session,course,training_level,district,area,venue,date,half_day,capacity,cost\n"
    "S01,Core,2,,,,2011-05-10,,50,\nS02,Core,2,,,,2011-05-11,,50,\n"
)
AGENCIES = "agency,sector,aliases\nKent Police,Police,KP; Constabulary\nKent County Council,Council,KCC\n"

TIER = "A child has no need beyond what every service meets. Which tier is this?"
RECORD = "What must be recorded when information is shared? (Select all that apply)"
CONFIDENT = "How confident are you to make a referral?"
USEFUL = "How useful was the workshop, from 1 to 10?"
HEADINGS = ["Id", "Start time", "Completion time", "Email", "Name", "Organisation?", "Workshop?"]
QUESTIONS = {"Q01": TIER, "Q02": RECORD, "C01": CONFIDENT, "C02": USEFUL}
COLUMNS = {"person": "Email", "agency": "Organisation?", "session": "Workshop?", "submitted": "Completion time"}
KEY = {"Q01": "Tier 1", "Q02": ["Consent", "A reason"]}
ANN = ("1", "5/10/2011 9:20:00", "5/10/2011 9:30:00", "ann.lee@kent.gov.uk", "Ann Lee", "KCC", "S01")
BO = ("2", "5/10/2011 9:21:00", "5/10/2011 9:31:00", "bo.li@police.uk", "Bo Li", "KP", "S01")
ALL_RIGHT = ("Tier 1", "Consent;A reason;", "Agree", "7")


def pseudonym(address):
    return "P" + hashlib.blake2b(address.strip().casefold().encode(), key=SECRET, digest_size=10).hexdigest()


def toml(value):
    """A value as TOML writes it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml(str(name))} = {toml(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    return str(value)


def write_board(folder, files=None, *, asked=ITEMS, more="", **forms):
    """A board whose scores come from forms; settings of ``[forms]`` by name, None to leave one out."""
    forms = {
        "files": files or [{"file": "before.csv", "wave": "pre"}],
        "columns": COLUMNS,
        "items": QUESTIONS,
        "key": KEY,
    } | forms
    lines = ["[forms]", *(f"{name} = {toml(value)}" for name, value in forms.items() if value is not None)]
    (folder / "board.toml").write_text("\n".join([*lines, more]) + "\n", encoding="utf-8")
    (folder / "agencies.csv").write_text(AGENCIES, encoding="utf-8")
    (folder / "items.csv").write_text(asked, encoding="utf-8")
    (folder / "sessions.csv").write_text(SESSIONS, encoding="utf-8")
    (folder / "pseudonym.key").write_text(SECRET.hex(), encoding="ascii")
    (folder / "pseudonym.key").chmod(0o600)
    return folder


def quoted(cell):
    return '"' + str(cell).replace('"', '""') + '"' if cell is not None else ""


def write_csv(folder, *rows, headings=None, questions=None, encoding="utf-8", separator=",", file="before.csv"):
    header = [*(headings or HEADINGS), *(questions or QUESTIONS.values())]
    lines = [separator.join(map(quoted, row)) for row in [header, *rows]]
    (folder / file).write_bytes(("\r\n".join(lines) + "\r\n").encode(encoding))
    return folder


def write_sheet(folder, rows, file="before.xlsx", sheets=("Sheet1",)):
    """Rows with their cells, as Forms writes them: times as times, numbers as numbers, None for an empty cell."""
    workbook = xlsxwriter.Workbook(folder / file)
    times = workbook.add_format({"num_format": "m/d/yy h:mm:ss"})
    for name in sheets:
        sheet = workbook.add_worksheet(name)
        for number, row in enumerate(rows):
            for position, cell in enumerate(row):
                if isinstance(cell, datetime):
                    sheet.write_datetime(number, position, cell, times)
                elif isinstance(cell, str):
                    sheet.write_string(number, position, cell)
                elif cell is not None:
                    sheet.write_number(number, position, cell)
    workbook.close()
    return folder


def notes(folder):
    board = read_board(folder)
    return board.notes_of("scores")


def broken(folder):
    """Every broken rule as (table, row, column, rule, found)."""
    return check_all(folder)[1].rows()


def said(folder):
    """Every sentence a check says of a board: broken rules and notes."""
    board, problems = check_all(folder)
    sentences = say_problems(problems, board.file_names, board.heights(board.tables))
    return "\n".join([*sentences, *(note for name in board.tables for note in board.notes_of(name))])


def scores(*rows):
    """session, address or pseudonym, agency, wave, item, points."""
    made = [(s, p if p.startswith("P") else pseudonym(p), a, w, i, float(x)) for s, p, a, w, i, x in rows]
    schema = ["session", "person", "agency", "wave", "item", "score"]
    return pl.DataFrame(made, schema=schema, orient="row")


def points(folder, item, row=None):
    """Points of the answers to one question, in the order of the rows of the file."""
    found = read_board(folder).tables["scores"].filter(pl.col("item") == item)["score"].to_list()
    return found if row is None else found[row]


def answering(*answers, count=None):
    """A person and row for each set of answers."""
    return [
        (str(number), "", f"5/31/2011 9:{number:02}:00", f"p{number}@kent.gov.uk", f"Pat {number}", "KCC", "S01", *each)
        for number, each in enumerate(answers, 1)
    ]


def test_csv_becomes_scores(tmp_path):
    write_csv(write_board(tmp_path), (*ANN, *ALL_RIGHT), (*BO, "Tier 2", "Consent;", "strongly disagree ", "10"))
    expected = scores(
        ("S01", "ann.lee@kent.gov.uk", "Kent County Council", "pre", "Q01", 2),  # the right answer: the maximum
        ("S01", "ann.lee@kent.gov.uk", "Kent County Council", "pre", "Q02", 1),
        ("S01", "ann.lee@kent.gov.uk", "Kent County Council", "pre", "C01", 4),  # fourth of five steps from 1
        ("S01", "ann.lee@kent.gov.uk", "Kent County Council", "pre", "C02", 7),
        ("S01", "bo.li@police.uk", "Kent Police", "pre", "Q01", 0),
        ("S01", "bo.li@police.uk", "Kent Police", "pre", "Q02", 0),  # one of two right ones is not right
        ("S01", "bo.li@police.uk", "Kent Police", "pre", "C01", 1),
        ("S01", "bo.li@police.uk", "Kent Police", "pre", "C02", 10),  # as answered, though the question is reversed
    )
    assert_frame_equal(read_board(tmp_path).tables["scores"], expected, check_row_order=False)
    assert broken(tmp_path) == []


def test_workbook_as_forms_writes_it_becomes_scores(tmp_path):
    write_board(tmp_path, [{"file": "before.xlsx", "wave": "follow_up", "session": "S02"}], columns={"person": "Email"})
    header = [
        *("ID", "Start time", "Completion time", "Email", "Name"),
        "A child has no need beyond what every\r\nservice meets.\xa0\nWhich tier is this?\xa0",
        *(RECORD.replace(" ", "\xa0"), CONFIDENT.upper(), f" {USEFUL}\n"),
    ]
    when = datetime(2011, 7, 1, 9, 30, 5)
    write_sheet(
        tmp_path,
        [header, [1, when, when, "ann.lee@kent.gov.uk", "Ann Lee", "Tier\xa01", "A reason;Consent;", "AGREE", 3]],
    )
    expected = scores(
        *(
            ("S02", "ann.lee@kent.gov.uk", None, "follow_up", i, p)
            for i, p in (("Q01", 2), ("Q02", 1), ("C01", 4), ("C02", 3))
        )
    )
    found = read_board(tmp_path).tables["scores"]
    assert_frame_equal(found, expected.with_columns(pl.col("agency").cast(pl.String)), check_row_order=False)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_text_files_of_any_office_are_read(tmp_path, encoding, separator):
    question = "Does a family that earns £100 qualify – yes or no?"
    key, labels = {"Q01": "Yes – at £100"}, {"Q02": {"Consent;A reason;": 1}}
    write_board(tmp_path, items=QUESTIONS | {"Q01": question}, key=key, labels=labels)
    questions = [question, RECORD, CONFIDENT, USEFUL]
    rows = [(*ANN, "Yes – at £100", "Consent;A reason;", "Neutral", "7"), (*BO, "No", "Consent;A reason;", "", "")]
    write_csv(tmp_path, *rows, questions=questions, encoding=encoding, separator=separator)
    assert points(tmp_path, "Q01") == [2, 0]
    assert points(tmp_path, "Q02") == [1, 1]
    assert points(tmp_path, "C01") == [3]


def test_commas_stand_between_columns_though_answers_are_full_of_semicolons(tmp_path):
    many = "Consent;A reason;The time;The name;The agency;The day;The hour;The office;"
    write_csv(write_board(tmp_path), *answering(*[("Tier 1", many, "Agree", "7")] * 20))
    assert points(tmp_path, "Q02") == [0] * 20  # all right options, and wrong ones too


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Consent;A reason;", 1),
        ("A reason;Consent;", 1),
        ("a  REASON ; consent", 1),
        ("Consent;", 0),
        ("Consent;A reason;The weather;", 0),
        ("The weather;", 0),
        ("Don’t know", 0),
    ],
)
def test_several_options_are_right_together_or_wrong(tmp_path, answer, expected):
    write_csv(write_board(tmp_path), *answering(("Tier 1", answer, "Agree", "7")))
    assert points(tmp_path, "Q02") == [expected]


def test_one_of_several_right_answers_is_enough_where_the_key_says_so(tmp_path):
    write_board(tmp_path, key={"Q01": [["Tier 1"], ["Tier 1 (universal)"]], "Q02": "Don't know"})
    answers = [(tier, "Don’t know", "Agree", "7") for tier in ("Tier 1", "Tier 1 (universal)", "Tier 2")]
    write_csv(tmp_path, *answering(*answers))
    assert points(tmp_path, "Q01") == [2, 2, 0]
    assert points(tmp_path, "Q02") == [1, 1, 1]


def test_right_answer_that_nobody_gave_is_pointed_out(tmp_path):
    write_csv(write_board(tmp_path, key=KEY | {"Q01": "Tier one"}), *answering(ALL_RIGHT, ALL_RIGHT))
    assert points(tmp_path, "Q01") == [0, 0]
    assert (
        'scores: nobody gave the right answer of Q01 ("Tier one" under [forms.key] in board.toml). Compare its '
        "spelling with the form."
    ) in notes(tmp_path)


def test_answers_most_given_are_named_where_nobody_gave_the_right_one(tmp_path):
    own = "I would ask my manager what she thinks of it"  # given often, but too long: somebody's own words
    tiers = {"Tier 1 ": 3, "tier 1": 4, "Tier 2": 5, "Tier 3": 6, "Tier 4": 9, "Jim Jones": 4, "a@kent.uk": 5, own: 5}
    answers = [(tier, "Consent;A reason;", "Agree", "7") for tier, several in tiers.items() for _ in range(several)]
    write_board(tmp_path, key={"Q01": "Tier one", "Q02": ["Consent", "The reason"]})
    write_csv(tmp_path, *answering(*answers))
    nobody = "scores: nobody gave the right answer of"
    assert [note for note in notes(tmp_path) if note.startswith(nobody)] == [
        f'{nobody} Q01 ("Tier one" under [forms.key] in board.toml). The answers most given: "Tier 4", "Tier 1", '
        '"Tier 3".',
        f'{nobody} Q02 ("The reason" under [forms.key] in board.toml). The answers most given: "A reason".',
    ]
    fewer = [tier for tier in tiers if tier not in ("Tier 4", "Tier 3", "Tier 1 ", "tier 1")]
    write_csv(tmp_path, *answering(*[answer for answer in answers if answer[0] in fewer]))
    assert any('The answers most given: "Tier 2".' in note for note in notes(tmp_path))
    assert not any(word in said(tmp_path) for word in ("Jim", "@", "manager"))


def test_answers_of_one_person_in_several_sessions_are_not_called_most_given(tmp_path):
    people = [
        (*(ANN if number else BO)[:6], "S01" if number % 2 else "S02", "Tier 2", *ALL_RIGHT[1:]) for number in range(9)
    ]
    write_csv(write_board(tmp_path), *people)
    assert any('nobody gave the right answer of Q01 ("Tier 1"' in note for note in notes(tmp_path))
    assert not any("most given" in note for note in notes(tmp_path))


def test_answers_may_be_worth_some_points(tmp_path):
    labels = {"Q01": {"Tier 1": 2, "Tier 2": 1, "Tier 3": 0, "Not sure": "no answer"}}
    write_board(tmp_path, key={"Q02": KEY["Q02"]}, labels=labels)
    answers = [(tier, "Consent;A reason;", "Agree", "7") for tier in ("Tier 2", "tier 1 ", "Not sure", "Tier 3")]
    write_csv(tmp_path, *answering(*answers))
    assert points(tmp_path, "Q01") == [1, 2, 0]
    assert broken(tmp_path) == []


def test_points_of_a_quiz_are_found_by_themselves(tmp_path):
    write_board(tmp_path, key={"Q02": KEY["Q02"]})
    questions = [TIER, f"Points - {TIER}", f"Feedback - {TIER}", RECORD, CONFIDENT, USEFUL, "Total points"]
    rest = ("Consent;A reason;", "Agree", "7", "9")
    write_csv(tmp_path, *answering(("Tier 1", "2", "", *rest), ("Tier 2", "0.5", "", *rest)), questions=questions)
    assert points(tmp_path, "Q01") == [2, 0.5]
    assert not any("not used" in note for note in notes(tmp_path))


def test_points_of_an_edited_question_stand_behind_either_wording(tmp_path):
    edited = f"{TIER} (edited)"
    write_board(tmp_path, items=QUESTIONS | {"Q01": [TIER, edited]}, key={"Q02": KEY["Q02"]})
    questions = [TIER, f"Points - {TIER}", edited, f"Points - {edited}", RECORD, CONFIDENT, USEFUL]
    rest = ("Consent;A reason;", "Agree", "7")
    write_csv(
        tmp_path, *answering(("Tier 1", "2", "", "0", *rest), ("", "0", "Tier 2", "1", *rest)), questions=questions
    )
    assert points(tmp_path, "Q01") == [2, 1]


def test_form_that_is_no_quiz_is_told_from_one_that_is(tmp_path):
    files = [{"file": "before.csv", "wave": "pre"}, {"file": "after.csv", "wave": "post"}]
    write_board(tmp_path, files, key={"Q02": KEY["Q02"]})
    write_csv(tmp_path, *answering((*ALL_RIGHT, "2")), questions=[*QUESTIONS.values(), f"Points - {TIER}"])
    write_csv(tmp_path, *answering(ALL_RIGHT), file="after.csv")
    assert [(table, row) for table, row, *_ in broken(tmp_path)] == [("scores: after.csv", None)]


def test_points_may_be_named_and_must_be_points(tmp_path):
    write_board(tmp_path, key={"Q02": KEY["Q02"]}, points={"Q01": "Marked by the trainer"})
    questions = [*QUESTIONS.values(), "Marked by the trainer"]
    write_csv(tmp_path, *answering((*ALL_RIGHT, "1"), (*ALL_RIGHT, "3"), (*ALL_RIGHT, "good")), questions=questions)
    column = f"Q01 ({TIER[:59].rstrip()}…)"
    assert broken(tmp_path) == [
        ("scores: before.csv", 3, column, "points between 0 and 2, as the table items says of Q01", '"3"'),
        (
            "scores: before.csv",
            4,
            column,
            "a number of points between 0 and 2, as the table items says of Q01",
            "(not shown: fewer than 3 people answered so, and it resembles no known label)",
        ),
    ]


def test_choice_without_a_key_is_asked_for(tmp_path):
    write_csv(write_board(tmp_path, key={"Q02": KEY["Q02"]}), *answering(ALL_RIGHT))
    ((table, row, column, rule, found),) = broken(tmp_path)
    assert (table, row, found) == ("scores: before.csv", None, None)
    assert column.startswith("Q01 (A child has no need")
    assert rule.startswith("a question whose right answer is known. Name it under [forms.key] in board.toml")
    assert "[forms.labels.Q01]" in rule
    assert "[forms.points]" in rule


def test_question_left_out_has_no_row(tmp_path):
    write_csv(write_board(tmp_path), *answering(("Tier 1", "", "Agree", "n/a"), ("", "", "", " \xa0")))
    assert read_board(tmp_path).tables["scores"].select("item", "score").rows() == [("Q01", 2.0), ("C01", 4.0)]
    assert "before.csv: 1 row without an answer is left out: row 3." in notes(tmp_path)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["Strongly disagree", "Disagree", "Neither agree nor disagree", "Agree", "Strongly agree"], [1, 2, 3, 4, 5]),
        (["STRONGLY  AGREE ", "neutral", "agree"], [5, 3, 4]),
        (["Agree", "5", "1"], [4, 5, 1]),
        (["Never", "Rarely", "Sometimes", "Often", "Always"], [1, 2, 3, 4, 5]),
        (
            [f"{word} confident" for word in ("Not at all", "Slightly", "Moderately", "Very", "Extremely")],
            [1, 2, 3, 4, 5],
        ),
        (["Not at all confident", "Not very confident", "Fairly confident", "Very confident"], [1, 2, 4, 5]),
        (["Very unconfident", "Unconfident", "Neutral", "Confident", "Very confident"], [1, 2, 3, 4, 5]),
        (["1 - not at all", "2", "3.0", "5 (very confident)", "4: quite"], [1, 2, 3, 5, 4]),
    ],
)
def test_usual_labels_are_known_in_any_case(tmp_path, labels, expected):
    write_csv(write_board(tmp_path), *answering(*[("Tier 1", "Consent;A reason;", label, "7") for label in labels]))
    assert broken(tmp_path) == []
    assert points(tmp_path, "C01") == expected


def test_labels_that_two_usual_sets_number_otherwise_are_asked_for(tmp_path):
    labels = ["Not at all confident", "Very confident"]
    answers = [("Tier 1", "Consent;A reason;", label, "7") for label in labels]
    write_csv(write_board(tmp_path), *answering(*answers))
    assert broken(tmp_path) == [
        (
            "scores: before.csv",
            None,
            f"C01 ({CONFIDENT})",
            'it must be known what its labels stand for: "very" could be 4 or 5. Number all its labels under '
            "[forms.labels]",
            None,
        )
    ]
    write_board(tmp_path, labels={"Very confident": 4})  # then "not at all" is 1 in every set that agrees
    assert points(tmp_path, "C01") == [1, 4]


def test_labels_of_the_board_come_before_the_usual_ones(tmp_path):
    labels = {"Agree": 5, "C01": {"agree ": 3, "Don’t know": "no answer"}}
    write_board(tmp_path, labels=labels)
    write_csv(
        tmp_path, *answering(*[("Tier 1", "Consent;A reason;", label, "7") for label in ("AGREE", "don't know", "2")])
    )
    assert points(tmp_path, "C01") == [3, 2]


def test_labels_of_five_steps_are_not_stretched_over_ten(tmp_path):
    write_csv(write_board(tmp_path), *answering(("Tier 1", "Consent;A reason;", "Agree", "Agree")))
    ((_, row, column, rule, found),) = broken(tmp_path)
    assert (row, column) == (2, f"C02 ({USEFUL})")
    assert rule.startswith("a number between 1 and 10, as the table items says of C02, or a label that is known.")
    assert found == '"Agree"'  # a known label, though of another scale: nothing is proposed


@pytest.mark.parametrize("answer", ["0", "11", "10.5"])
def test_number_off_the_scale_is_a_broken_rule(tmp_path, answer):
    write_csv(write_board(tmp_path), *answering(ALL_RIGHT, ("Tier 1", "Consent;A reason;", "Agree", answer)))
    assert broken(tmp_path) == [
        (
            "scores: before.csv",
            3,
            f"C02 ({USEFUL})",
            "points between 1 and 10, as the table items says of C02",
            f'"{answer}"',
        )
    ]


def test_unknown_labels_are_reported_all_at_once_and_shown_where_they_are_nobodys_own(tmp_path):
    answers = ["Stronly agree", "My manager Jane Smith said no", "Somehow", "Somehow", "Somehow", "Agree"]
    write_csv(write_board(tmp_path), *answering(*[("Tier 1", "Consent;A reason;", each, "7") for each in answers]))
    found = {row: text for _, row, _, _, text in broken(tmp_path)}
    assert found == {
        2: '"Stronly agree" (Did you mean "strongly agree"?)',
        3: "(not shown: fewer than 3 people answered so, and it resembles no known label)",
        **dict.fromkeys((4, 5, 6), '"Somehow"'),
    }
    with pytest.raises(TableError, match="rows: rows 2, 3, 4, 5, 6"):
        read_board(tmp_path).tables["scores"]


@pytest.mark.parametrize(
    ("label", "proposal"),
    [
        ("Strongly agre", "strongly agree"),
        ("Aggree", "agree"),
        ("Neither agree not disagree", "neither agree nor disagree"),
        ("Moderatly confident", "moderately"),
        ("Quite agree", None),  # "disagree" is the nearest by its letters
        ("Disgree", "disagree"),
        ("Nagree", None),
        ("Not agree", None),
        ("Unsure", None),  # though the board knows "sure"
        ("Level 3", None),  # though the board knows "level 2"
        ("Lever 2", "level 2"),
        ("Firn", None),  # as near to "firm" as to "fire"
        ("Ever", None),
    ],
)
def test_label_is_proposed_for_a_slip_of_the_pen_and_never_the_opposite(tmp_path, label, proposal):
    write_board(tmp_path, labels={"C01": {"Sure": 5, "Level 2": 2, "Firm": 4, "Fire": 1}})
    write_csv(tmp_path, *answering(*[("Tier 1", "Consent;A reason;", label, "7")] * 3))
    found = {text for *_, text in broken(tmp_path)}
    assert found == {f'"{label}"' + (f' (Did you mean "{proposal}"?)' if proposal else "")}


def test_edited_question_is_one_question(tmp_path):
    edited = f"{TIER} (edited)"
    write_board(tmp_path, items=QUESTIONS | {"Q01": [TIER, edited, "a third wording, of another form"]})
    rest = ("Consent;A reason;", "Agree", "7")
    rows = answering(("Tier 1", "", *rest), ("", "Tier 2", *rest), ("tier 1", "Tier 1 ", *rest), ("", "Tier 1", *rest))
    questions = [TIER, edited, RECORD, CONFIDENT, USEFUL]
    write_csv(tmp_path, *rows, questions=questions)
    assert points(tmp_path, "Q01") == [2, 0, 2, 2]
    write_csv(tmp_path, *rows, *answering(("Tier 1", "Tier 2", *rest)), questions=questions)
    ((table, row, column, rule, found),) = broken(tmp_path)
    assert (table, row, found) == ("scores: before.csv", 6, None)
    assert column.startswith("Q01 (A child has no need")
    assert rule.startswith('one answer, where "A child has no need beyond')
    assert rule.endswith("hold different ones. Empty the cell that does not count")


def test_missing_headings_are_all_named_with_the_nearest_and_no_cell_of_a_person(tmp_path):
    write_board(tmp_path, columns=COLUMNS | {"person": "E-mail address", "session": "Event"})
    write_csv(
        tmp_path, (*ANN, *ALL_RIGHT), questions=[TIER, RECORD, "How confident are you to make referrals?", USEFUL]
    )
    text = said(tmp_path)
    assert 'row 1 looks like the header and lacks the headings "E-mail address" (person under [forms.columns])' in text
    assert '"Event" (session under [forms.columns])' in text
    assert f'"{CONFIDENT}" (C01 under [forms.items])' in text
    assert f'The nearest to "{CONFIDENT}" is "How confident are you to make referrals?".' in text
    assert "before.csv" in text
    assert "ann.lee" not in text.casefold()


def test_form_without_a_header_gives_nothing_of_its_rows_away(tmp_path):
    write_board(tmp_path)
    (tmp_path / "before.csv").write_text(",".join(map(quoted, (*ANN, *ALL_RIGHT))), encoding="utf-8")
    text = said(tmp_path)
    assert "no row of the first 500 holds the headings" in text
    assert not any(word in text.casefold() for word in ("ann", "lee", "tier 1", "s01"))


def test_heading_that_stands_twice_is_refused(tmp_path):
    questions = [TIER, f"{TIER}\n", RECORD, CONFIDENT, USEFUL]
    write_csv(write_board(tmp_path), (*ANN, "Tier 1", *ALL_RIGHT), questions=questions)
    ((table, row, column, rule, _),) = broken(tmp_path)
    assert (table, row, column) == ("scores: before.csv", None, None)
    assert rule.startswith('row 1 holds "A child has no need beyond what every service meets')
    assert "more than once, so it is not known which column is meant" in rule


@pytest.mark.parametrize("content", [b"", b"\r\n\r\n", b"\xef\xbb\xbf"])
def test_empty_file_is_reported(tmp_path, content):
    write_board(tmp_path)
    (tmp_path / "before.csv").write_bytes(content)
    ((table, row, _, rule, _),) = broken(tmp_path)
    assert (table, row) == ("scores: before.csv", None)
    assert "empty" in rule or "there is no row" in rule


def test_form_that_nobody_answered_is_reported(tmp_path):
    write_csv(write_board(tmp_path))
    ((table, _, _, rule, _),) = broken(tmp_path)
    assert (table, rule) == (
        "scores: before.csv",
        "there is no answer below the header in row 1. Leave the form out of [forms] until somebody has answered.",
    )


def test_header_that_is_repeated_and_blank_rows_are_no_answers_and_rows_keep_their_numbers(tmp_path):
    header = [*HEADINGS, *QUESTIONS.values()]
    blank = [""] * len(header)
    write_csv(write_board(tmp_path), (*ANN, *ALL_RIGHT), blank, header, (*BO, "Tier 1", "Consent;", "x", "7"))
    assert [row for _, row, *_ in broken(tmp_path)] == [5]
    assert "before.csv: 2 questionnaires of the wave pre." in notes(tmp_path)


@pytest.mark.parametrize("nobody", ["anonymous", "", "Anonymous ", "n/a", "unknown", "-"])
def test_anonymous_rows_are_left_out_and_told(tmp_path, nobody):
    row = ("1", "", "5/31/2011 9:00:00", nobody, "", "KCC", "S01", *ALL_RIGHT)
    write_csv(write_board(tmp_path), *answering(ALL_RIGHT), row, row)
    assert read_board(tmp_path).tables["scores"]["person"].unique().to_list() == [pseudonym("p1@kent.gov.uk")]
    assert (
        "before.csv: 2 rows without an address cannot be paired, and are left out: rows 3, 4. If the form is "
        "anonymous, ask in it for a code that people make up and remember."
    ) in notes(tmp_path)


def test_form_of_nobody_known_is_a_broken_rule(tmp_path):
    row = ("1", "", "5/31/2011 9:00:00", "anonymous", "", "KCC", "S01", *ALL_RIGHT)
    write_csv(write_board(tmp_path), row, row)
    assert broken(tmp_path) == [
        ("scores", None, None, "forms must hold an answer of somebody who can be told from others; see the notes", None)
    ]


@pytest.mark.parametrize(
    "address",
    ["ann.lee@kent.gov.uk", " Ann.Lee@Kent.gov.uk ", "Ann Lee <ann.lee@kent.gov.uk>", "mailto:ann.lee@kent.gov.uk"],
)
def test_address_has_the_pseudonym_it_has_in_bookings(tmp_path, address):
    row = ("1", "", "5/31/2011 9:00:00", address, "", "KCC", "S01", *ALL_RIGHT)
    write_csv(write_board(tmp_path), row)
    assert set(read_board(tmp_path).tables["scores"]["person"]) == {pseudonym("ann.lee@kent.gov.uk")}


@pytest.mark.parametrize(("repeated", "expected"), [("last", [1.0]), ("first", [2.0])])
def test_of_repeated_answers_one_counts_by_time_and_the_others_are_told(tmp_path, repeated, expected):
    def row(time, address, tier):
        return ("1", "", time, address, "", "KCC", "S01", tier, "Consent;A reason;", "Agree", "7")

    key = {"Q02": KEY["Q02"]}
    labels = {"Q01": {"Tier 1": 0, "Tier 2": 1, "Tier 3": 2}}
    write_csv(
        write_board(tmp_path, repeated=repeated, key=key, labels=labels),
        row("5/31/2011 2:30:00 PM", "Ann@a.uk", "Tier 2"),  # the last, though the first row
        row("5/31/2011 11:30:00 AM", "ann@a.uk", "Tier 1"),
        row("5/9/2011 12:05:00 AM", "ann@a.uk ", "Tier 3"),  # the first: 9 May comes before 31 May
    )
    assert points(tmp_path, "Q01") == expected
    rows = "3, 4" if repeated == "last" else "2, 3"
    assert (
        f"scores: 1 person answered the wave pre of one session more than once. The {repeated} answers count (repeated "
        f"under [forms]), and these do not: before.csv rows {rows}."
    ) in notes(tmp_path)


def test_without_times_the_order_of_rows_counts(tmp_path):
    columns = {name: heading for name, heading in COLUMNS.items() if name != "submitted"}
    first = (*ANN, "Tier 2", "Consent;", "Agree", "7")
    write_csv(write_board(tmp_path, columns=columns), first, (*ANN, *ALL_RIGHT))
    assert points(tmp_path, "Q01") == [2]


def test_answers_of_two_sessions_or_of_two_questionnaires_of_a_wave_are_not_repeated(tmp_path):
    write_board(
        tmp_path,
        [
            {"file": "before.csv", "wave": "pre", "items": {"Q01": TIER, "Q02": RECORD}},
            {"file": "confidence.csv", "wave": "pre", "items": {"C01": CONFIDENT}},
        ],
    )
    write_csv(
        tmp_path, (*ANN, "Tier 1", "Consent;"), (*ANN[:-1], "S02", "Tier 2", "Consent;"), questions=[TIER, RECORD]
    )
    write_csv(tmp_path, (*ANN, "Agree"), questions=[CONFIDENT], file="confidence.csv")
    assert read_board(tmp_path).tables["scores"].height == 5
    assert not any("more than once" in note for note in notes(tmp_path))


def test_us_order_of_times_is_told_by_the_column_and_otherwise_taken_for_granted(tmp_path):
    def asked(*times, order=None):
        file = {"file": "before.csv", "wave": "pre"} | ({"date_order": order} if order else {})
        write_board(tmp_path, [file])
        write_csv(
            tmp_path, *[(str(n), "", time, f"p{n}@a.uk", "", "KCC", "S01", *ALL_RIGHT) for n, time in enumerate(times)]
        )
        return [day.isoformat() for day in read_board(tmp_path).forms().people["day"]]

    assert asked("5/10/2011 9:30:00", "5/31/2011 9:30:00") == ["2011-05-10", "2011-05-31"]
    assert 'before.csv: column "Completion time" is read with the month first, as in 05/31/2011.' in notes(tmp_path)
    assert asked("5/10/2011 9:30:00") == ["2011-05-10"]
    assert any(
        "month first, as forms write it, because no number in it tells days from months" in n for n in notes(tmp_path)
    )
    assert asked("31/05/2011 9:30", "5/10/2011 9:30") == ["2011-05-31", "2011-10-05"]
    assert asked("5/10/2011 9:30:00", order="day_first") == ["2011-10-05"]
    assert asked("40673.3958") == ["2011-05-10"]  # days since 30 December 1899


def test_times_in_both_orders_and_no_times_are_broken_rules(tmp_path):
    rows = [
        (str(n), "", time, f"p{n}@a.uk", "", "KCC", "S01", *ALL_RIGHT)
        for n, time in enumerate(("5/31/2011 9:00:00", "6/30/2011 9:00:00", "31/5/2011 9:00:00", "yesterday"))
    ]
    write_csv(write_board(tmp_path), *rows)
    found = broken(tmp_path)
    assert [(row, column) for _, row, column, *_ in found] == [(4, "Completion time"), (5, "Completion time")]
    assert "set date_order under [[forms.files]] in board.toml" in found[0][3]
    assert "yesterday" not in str(found)


def test_self_made_codes_count_by_letters_and_digits_and_are_never_an_address(tmp_path):
    columns = {"code": "Your own code", "session": "Workshop?", "agency": "Organisation?"}
    headings = [*HEADINGS[:3], "Your own code", *HEADINGS[4:]]
    write_board(
        tmp_path, [{"file": "before.csv", "wave": "pre"}, {"file": "after.csv", "wave": "post"}], columns=columns
    )
    codes = ["ab-12", "CD 34", "x", "", "--"]
    write_csv(tmp_path, *[(*ANN[:3], code, *ANN[4:], *ALL_RIGHT) for code in codes], headings=headings)
    write_csv(
        tmp_path,
        *[(*ANN[:3], code, *ANN[4:], *ALL_RIGHT) for code in (" AB12", "cd.34.")],
        headings=headings,
        file="after.csv",
    )
    found = read_board(tmp_path).tables["scores"]
    before, after = (set(found.filter(pl.col("wave") == wave)["person"]) for wave in ("pre", "post"))
    assert before == after
    assert len(before) == 2
    assert before.isdisjoint({pseudonym("ab12"), pseudonym("ab-12")})
    assert "before.csv: 3 rows without a code cannot be paired, and are left out: rows 4, 5, 6." in notes(tmp_path)


def test_codes_that_nearly_agree_are_counted_and_not_joined(tmp_path):
    columns = {"code": "Your own code"}
    files = [
        {"file": f"{name}.csv", "wave": wave, "session": "S01"} for name, wave in (("before", "pre"), ("after", "post"))
    ]
    write_board(tmp_path, files, columns=columns)
    headings = ["Your own code"]
    before = ["AB12", "CD34", "EF56", "GH78", "IJ90"]
    after = ["AB12", "CD35", "EF5", "GH789", "JI90", "ZZ11"]  # the same, changed, left out, added, two changed, another
    write_csv(tmp_path, *[(code, *ALL_RIGHT) for code in before], headings=headings)
    write_csv(tmp_path, *[(code, *ALL_RIGHT) for code in after], headings=headings, file="after.csv")
    board = read_board(tmp_path)
    people = board.tables["scores"].group_by("person").agg(pl.col("wave").n_unique())
    assert sorted(people["wave"]) == [1] * 9 + [2]
    assert (
        "scores: 3 codes after the session differ in one letter or digit from a code before it that has no partner. "
        "Nobody is joined; look at them yourself: after.csv rows 3, 4, 5; before.csv rows 3, 4, 5."
    ) in board.notes_of("scores")
    assert not any(code.casefold() in said(tmp_path).casefold() for code in (*before, *after))


def test_code_of_two_agencies_may_be_of_two_people(tmp_path):
    columns = {"code": "Email", "session": "Workshop?", "agency": "Organisation?"}
    write_board(tmp_path, columns=columns)
    write_csv(tmp_path, *[(*ANN[:3], "AB12", "", agency, "S01", *ALL_RIGHT) for agency in ("KP", "KCC")])
    assert any("1 code stood with several agencies and may be of several people." in note for note in notes(tmp_path))


def test_people_who_answered_of_different_sessions_or_by_different_means_are_told(tmp_path):
    write_board(tmp_path, [{"file": "before.csv", "wave": "pre"}, {"file": "after.csv", "wave": "post"}])
    write_csv(tmp_path, (*ANN, *ALL_RIGHT), (*BO, *ALL_RIGHT))
    write_csv(tmp_path, (*ANN[:-1], "S02", *ALL_RIGHT), (*BO, *ALL_RIGHT), file="after.csv")
    assert (
        "scores: 1 person answered before the session and after the session under different sessions, and is not "
        "paired: after.csv row 2; before.csv row 2."
    ) in notes(tmp_path)
    coded = {"file": "after.csv", "wave": "post", "columns": {"code": "Email"}}
    write_board(tmp_path, [{"file": "before.csv", "wave": "pre"}, coded])
    assert any("by an address in some forms and by a code of their own in others" in note for note in notes(tmp_path))
    assert read_board(tmp_path).tables["scores"]["person"].n_unique() == 4


def test_questions_that_no_form_asks_are_told(tmp_path):
    write_board(tmp_path, [{"file": "before.csv", "wave": "pre", "items": {"Q01": TIER}}], key={"Q01": "Tier 1"})
    write_csv(tmp_path, (*ANN, *ALL_RIGHT))
    assert "scores: no form of the wave pre asks Q02, C01, C02 of the table items." in notes(tmp_path)


def test_question_that_is_no_item_is_reported_once(tmp_path):
    asked = f"{ITEMS.splitlines()[0]}\nC1,How confident?,likert,1,5,false\n"
    write_board(tmp_path, asked=asked, items={"C01": CONFIDENT}, key=None)
    write_csv(tmp_path, *answering(ALL_RIGHT, ALL_RIGHT))
    assert broken(tmp_path) == [
        (
            "scores: before.csv",
            None,
            f"C01 ({CONFIDENT})",
            'C01 is not in the table items, and [forms.items] names it. Did you mean "C1"? Add C01 to that table, or '
            "mend [forms.items]",
            None,
        )
    ]


def test_question_that_differs_from_items_in_a_digit_is_not_taken_for_one_of_them(tmp_path):
    write_board(tmp_path, asked=ITEMS.replace("Q02,", "Q03,"))
    write_csv(tmp_path, *answering(ALL_RIGHT))
    ((table, row, column, rule, found),) = broken(tmp_path)
    assert (table, row, found) == ("scores: before.csv", None, None)
    assert column.startswith("Q02 (What must be recorded")
    assert rule == (
        "Q02 is not in the table items, and [forms.items] names it. Add Q02 to that table, or mend [forms.items]"
    )


def test_columns_that_are_not_used_are_named_and_their_cells_are_not(tmp_path):
    questions = [
        *QUESTIONS.values(),
        "What will you do differently?",
        "Anything else\nyou want to tell us? " + "word " * 30,
    ]
    row = (*ANN, *ALL_RIGHT, "I will ring Jim Jones", "Our manager is unkind")
    write_csv(write_board(tmp_path), row, questions=questions)
    (note,) = [note for note in notes(tmp_path) if "not used" in note]
    assert note.startswith(
        'before.csv: 2 columns are not used, and nothing of them goes further: 12 "What will you do differently?", '
        '13 "Anything else you want to tell us? word'
    )
    assert not any(word in said(tmp_path) for word in ("Jim", "Jones", "unkind"))


def test_sheet_is_found_by_its_name(tmp_path):
    rows = [[*HEADINGS, *QUESTIONS.values()], [*ANN, *ALL_RIGHT]]
    write_sheet(tmp_path, rows, sheets=("Read me", "Before"))
    write_board(tmp_path, [{"file": "before.xlsx", "wave": "pre", "sheet": "Befor"}])
    ((table, *_, rule, _),) = broken(tmp_path)
    assert table == "scores: before.xlsx, sheet Befor"
    assert rule == (
        'there is no sheet "Befor" in it, as [forms] in board.toml names. Did you mean "Before"? '
        "Sheets: Read me, Before."
    )
    write_board(tmp_path, [{"file": "before.xlsx", "wave": "pre", "sheet": "Before"}])
    assert points(tmp_path, "Q01") == [2]


def test_one_form_may_hold_two_waves(tmp_path):
    then = "Looking back, how confident were you before?"
    files = [
        {"file": "after.csv", "wave": "post"},
        {"file": "after.csv", "wave": "then", "items": {"C01": then}},
    ]
    write_board(tmp_path, files)
    questions = [*QUESTIONS.values(), then]
    write_csv(tmp_path, (*ANN, *ALL_RIGHT, "Disagree"), questions=questions, file="after.csv")
    found = read_board(tmp_path).tables["scores"].filter(pl.col("item") == "C01").select("wave", "score").rows()
    assert sorted(found) == [("post", 4.0), ("then", 2.0)]
    assert not any("not used" in note for note in notes(tmp_path))  # each wave uses what the other one does not


def test_label_may_have_a_semicolon_behind_it(tmp_path):
    write_board(tmp_path, labels={"Very sure;": 5})
    write_csv(tmp_path, *answering(*[("Tier 1;", "Consent;A reason;", each, "7;") for each in ("Agree;", "very sure")]))
    assert points(tmp_path, "C01") == [4, 5]
    assert points(tmp_path, "Q01") == [2, 2]


def test_people_who_answered_at_the_follow_up_alone_are_told(tmp_path):
    write_board(tmp_path, [{"file": "before.csv", "wave": "pre"}, {"file": "later.csv", "wave": "follow_up"}])
    write_csv(tmp_path, (*ANN, *ALL_RIGHT))
    write_csv(tmp_path, (*ANN, *ALL_RIGHT), (*BO, *ALL_RIGHT), file="later.csv")
    assert "scores: 1 person answered at the follow-up and not before the session." in notes(tmp_path)


def test_words_for_sessions_and_agencies_are_those_of_the_board(tmp_path):
    more = (
        '[scores.session]\n"Tuesday  morning" = "S01"\n"10 May" = "S01"\n[scores.agency]\n"The Yard" = "Kent Police"\n'
    )
    write_board(tmp_path, more=more.replace("Tuesday  morning", "Tuesday morning"))
    rows = [
        ("1", "", "5/31/2011 9:00:00", "a@a.uk", "", "the yard", "TUESDAY MORNING", *ALL_RIGHT),
        ("2", "", "5/31/2011 9:00:01", "a@a.uk", "", "Constabulary", "10 May", *ALL_RIGHT),
    ]
    write_csv(tmp_path, *rows)
    found = read_board(tmp_path).tables["scores"]
    assert found.select("session", "agency").unique().rows() == [("S01", "Kent Police")]
    assert any("answered the wave pre of one session more than once" in note for note in notes(tmp_path))


def test_session_and_agency_that_are_not_known_are_reported_by_row_once(tmp_path):
    rows = [
        ("1", "", "5/31/2011 9:00:00", "a@a.uk", "", "Kent Polic", "S1", *ALL_RIGHT),
        ("2", "", "5/31/2011 9:01:00", "b@a.uk", "", "KP", "S1", *ALL_RIGHT),
        ("3", "", "5/31/2011 9:02:00", "c@a.uk", "", "KP", "", *ALL_RIGHT),
    ]
    write_csv(write_board(tmp_path), *rows)
    session = ("Workshop?", "session listed in the table sessions", '"S1" Did you mean "S01"?')
    agency = ("Organisation?", "agency listed in the table agencies", '"Kent Polic" Did you mean "Kent Police"?')
    assert broken(tmp_path) == [
        ("scores: before.csv", 2, *agency),
        ("scores: before.csv", 2, *session),
        ("scores: before.csv", 3, *session),
        ("scores: before.csv", 4, "Workshop?", "a value: the cell must not be empty", "(empty)"),
    ]


def test_session_of_a_whole_form_that_is_not_known_is_said_once(tmp_path):
    columns = {name: heading for name, heading in COLUMNS.items() if name != "session"}
    write_board(tmp_path, [{"file": "before.csv", "wave": "pre", "session": "S9"}], columns=columns)
    write_csv(tmp_path, *answering(*[ALL_RIGHT] * 5))
    assert [(table, row, column, rule) for table, row, column, rule, _ in broken(tmp_path)] == [
        ("scores: before.csv", None, "session", "session listed in the table sessions")
    ]


def test_shifted_row_does_not_put_a_name_into_a_report(tmp_path):
    row = (
        "1",
        "",
        "5/31/2011 9:00:00",
        "ann.lee@kent.gov.uk",
        "KCC",
        "Ann Lee",
        "Ann Lee",
        "ann.lee@kent.gov.uk",
        "",
        "Ann Lee",
        "Lee",
    )
    write_csv(write_board(tmp_path), *answering(ALL_RIGHT), row, row, row)
    text = said(tmp_path)
    assert "row" in text
    assert not any(word in text.casefold() for word in ("ann", "lee", "@"))


# Laws ---------------------------------------------------------------------------------------------------------------


def messy(text, chance):
    """The same text as two programs might write it."""
    return chance.choice([text, f" {text} ", text.replace(" ", "\xa0"), text.upper(), text.lower(), f"{text}\xa0"])


@pytest.mark.parametrize("seed", range(10))
def test_clean_scores_written_as_any_messy_form_come_back(tmp_path, seed):
    chance = random.Random(seed)
    steps = ["Strongly disagree", "Disagree", "Neither agree nor disagree", "Agree", "Strongly agree"]
    files, expected = [], []
    for wave in ("pre", "post"):
        file = f"{wave}.{chance.choice(['csv', 'xlsx'])}"
        files.append({"file": file, "wave": wave})
        order = chance.sample(list(QUESTIONS), 4)
        header = [*HEADINGS, *(messy(QUESTIONS[item], chance).replace(" is", "\nis") for item in order)]
        rows = []
        for number in range(chance.randrange(1, 30)):
            session, agency = chance.choice(["S01", "S02"]), chance.choice(["KP", "Kent Police"])
            address = f"p{number}@kent.gov.uk"
            right = {item: chance.random() < 0.5 for item in ("Q01", "Q02")}
            likert, useful = chance.randrange(5), chance.randrange(1, 11)
            answers = {
                "Q01": "Tier 1" if right["Q01"] else chance.choice(["Tier 2", "Tier 3", "Tier 1;Tier 2;"]),
                "Q02": ";".join(chance.sample(["Consent", "A reason"], 2)) + ";" if right["Q02"] else "Consent;",
                "C01": chance.choice([steps[likert], str(likert + 1), f"{likert + 1} - {steps[likert]}"]),
                "C02": str(useful),
            }
            worth = {"Q01": 2 * right["Q01"], "Q02": 1 * right["Q02"], "C01": likert + 1, "C02": useful}
            given = [item for item in order if chance.random() < 0.9]
            expected += [(session, address, "Kent Police", wave, item, worth[item]) for item in given]
            cells = [messy(answers[item], chance) if item in given else "" for item in order]
            rows.append([str(number), "", f"5/{10 + number % 20}/2011 9:00:00", address, "", agency, session, *cells])
        if file.endswith(".xlsx"):
            write_sheet(tmp_path, [header, *rows], file=file)
        else:
            separator, encoding = chance.choice(",;\t"), chance.choice(["utf-8", "utf-8-sig", "utf-16", "cp1252"])
            lines = [separator.join(map(quoted, row)) for row in [header, *rows]]
            (tmp_path / file).write_bytes("\n".join(lines).encode(encoding))
    write_board(tmp_path, files)
    if not expected:
        return
    assert_frame_equal(read_board(tmp_path).tables["scores"], scores(*expected), check_row_order=False)


ANY = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
CELL = st.one_of(
    ANY, st.sampled_from(["Tier 1", "A;B;", "Agree", "7", "5/31/2011 9:00", "anonymous", "a@b.uk", "S01", "KP"])
)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.lists(CELL, min_size=11, max_size=11), max_size=6), header=st.booleans())
def test_garbage_below_a_header_gives_reports_and_no_other_error(rows, header):
    with tempfile.TemporaryDirectory() as folder:
        place = write_board(Path(folder))
        first = [[*HEADINGS, *QUESTIONS.values()]] if header else []
        lines = [",".join(map(quoted, row)) for row in [*first, *rows]]
        (place / "before.csv").write_bytes("\n".join(lines).encode())
        said(place)
        with suppress(TableError):
            read_board(place).tables["scores"]


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(content=st.binary(max_size=200), file=st.sampled_from(["before.csv", "before.xlsx", "before.parquet"]))
def test_files_of_noise_are_refused_in_words(content, file):
    with tempfile.TemporaryDirectory() as folder:
        place = write_board(Path(folder), [{"file": file, "wave": "pre"}])
        (place / file).write_bytes(content)
        assert file in said(place)
        with pytest.raises(SafeguardingError):
            read_board(place).tables["scores"]


@pytest.mark.parametrize("seed", range(12))
def test_broken_workbooks_raise_nothing_but_errors_in_words(tmp_path, seed):
    chance = random.Random(seed)
    write_sheet(tmp_path, [[*HEADINGS, *QUESTIONS.values()], [*ANN, *ALL_RIGHT]])
    content = bytearray((tmp_path / "before.xlsx").read_bytes())
    for _ in range(chance.choice([1, 5, 50])):
        content[chance.randrange(len(content))] = chance.randrange(256)
    (tmp_path / "before.xlsx").write_bytes(content[: chance.choice([len(content), chance.randrange(1, len(content))])])
    write_board(tmp_path, [{"file": "before.xlsx", "wave": "pre"}])
    said(tmp_path)
    with suppress(TableError):
        read_board(tmp_path).tables["scores"]


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=1, max_size=5))
def test_nobody_is_named_however_cells_are_moved(rows):
    """Cells of a row change their places: none of what people are called or have written stands in a report."""
    with tempfile.TemporaryDirectory() as folder:
        place = write_board(Path(folder))
        made = []
        for number, (one, other) in enumerate(rows):
            row = [
                str(number),
                "",
                f"5/31/2011 9:00:{number:02}",
                f"xavier{number}@quux.uk",
                f"Xavier Quux{number}",
                "KP",
                "S01",
                *ALL_RIGHT,
            ]
            row[one], row[other] = row[other], row[one]
            made.append(row)
        write_csv(place, *made)
        text = said(place).casefold()
        assert "xavier" not in text
        assert "quux" not in text
