"""A board whose scores come from forms: several files for one table, people as in the bookings, settings in words."""

import hashlib
import pickle
import re

import polars as pl
import pytest

from safeguarding_analytics.board import check_all, check_board, read_board
from safeguarding_analytics.config import read_config
from safeguarding_analytics.contracts import say_problems
from safeguarding_analytics.errors import TableError
from safeguarding_analytics.sources.form_people import plain_code, say_swapped, say_unmatched

SECRET = bytes(range(32))
BOARD = """
[forms]
files = [
  { file = "before.csv", wave = "pre" },
  { file = "after.csv", wave = "post" },
]
[forms.columns]
person = "Email"
agency = "Organisation"
session = "Workshop"
submitted = "Completion time"
[forms.items]
Q01 = "Which tier is this?"
Q02 = "How confident are you?"
[forms.key]
Q01 = "Tier 1"
"""
ITEMS = "item,text,kind,minimum,maximum,reversed\nQ01,Tier?,choice,0,1,false\nQ02,Confident?,likert,1,5,false\n"
AGENCIES = "agency,sector,aliases\nKent Police,Police,KP\nKent County Council,Council,KCC\n"
SESSIONS = (
    "session,course,training_level,district,area,venue,date,half_day,capacity,cost\n"
    "S01,Core,2,,,,2011-05-10,,50,\nS02,Core,2,,,,2011-05-24,,50,\n"
)
BOOKINGS = """session,person,agency,target_group,status,booked
S01,ann@kent.uk,Kent County Council,2,attended,yes
S01,bo@police.uk,Kent Police,2,did_not_attend,yes
"""
HEADER = "Id,Completion time,Email,Name,Organisation,Workshop,Which tier is this?,How confident are you?\n"
BEFORE = (
    HEADER + "1,2011-05-10 09:00:00,ann@kent.uk,Ann Lee,KCC,S01,Tier 1,2\n"
    "2,2011-05-10 09:01:00,bo@police.uk,Bo Li,KP,S01,Tier 2,Agree\n"
)
AFTER = HEADER + "1,2011-05-10 16:00:00,Ann@kent.uk,Ann Lee,KCC,S01,Tier 1,4\n"


def pseudonym(address):
    return "P" + hashlib.blake2b(address.encode(), key=SECRET, digest_size=10).hexdigest()


def write(folder, **files):
    for name, text in files.items():
        path = folder / {"board": "board.toml", "key": "pseudonym.key"}.get(name, f"{name}.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
    return folder


def with_forms(folder, **files):
    clean = {
        "board": BOARD,
        "items": ITEMS,
        "agencies": AGENCIES,
        "sessions": SESSIONS,
        "before": BEFORE,
        "after": AFTER,
    }
    return write(folder, **(clean | {"key": SECRET.hex()} | files))


def sentences(folder):
    board, problems = check_all(folder)
    return say_problems(problems, board.file_names, board.heights(board.tables))


def test_several_forms_make_one_table(tmp_path):
    board = read_board(with_forms(tmp_path))
    found = board.tables["scores"]
    assert "scores" in board.tables
    assert found.group_by("wave").len().sort("wave").rows() == [("post", 2), ("pre", 4)]
    assert found.filter(pl.col("wave") == "post")["person"].unique().to_list() == [pseudonym("ann@kent.uk")]
    assert sentences(tmp_path) == []


def test_scores_come_from_one_place(tmp_path):
    with_forms(tmp_path, scores="session,person,agency,wave,item,score\nS01,P1,,pre,Q01,1\n")
    assert sentences(tmp_path) == [
        "before.csv, after.csv: scores must come from one place, and there are two: the forms that [forms] in "
        "board.toml names, and scores.csv. Delete scores.csv or take it out of [files], or take away [forms]."
    ]
    with pytest.raises(TableError, match="there are two"):
        read_board(tmp_path).tables["scores"]
    (tmp_path / "scores.csv").unlink()
    write(tmp_path, board='[files]\nscores = "mine.csv"\n' + BOARD)
    assert "there are two" in sentences(tmp_path)[0]


def test_form_may_have_the_name_of_the_table(tmp_path):
    with_forms(tmp_path, board=BOARD.replace("before.csv", "scores.csv"), scores=BEFORE)
    (tmp_path / "before.csv").unlink()
    assert read_board(tmp_path).tables["scores"].height == 6


def test_missing_key_and_missing_items_are_reported(tmp_path):
    with_forms(tmp_path)
    (tmp_path / "pseudonym.key").unlink()
    (said,) = sentences(tmp_path)
    assert f"safeguarding key {tmp_path.name}" in said
    with_forms(tmp_path)
    (tmp_path / "items.csv").unlink()
    assert sentences(tmp_path) == [
        "before.csv, after.csv: what an answer is worth stands in the table items. Put items.csv into the folder."
    ]


def test_key_may_lie_elsewhere_where_no_bookings_are_exported(tmp_path):
    with_forms(tmp_path, board=BOARD + '[bookings_export]\nkey_file = "keys/ours.key"\n')
    (tmp_path / "keys").mkdir()
    (tmp_path / "pseudonym.key").rename(tmp_path / "keys" / "ours.key")
    assert read_board(tmp_path).tables["scores"].height == 6


def test_key_that_others_can_read_is_pointed_out_once(tmp_path):
    with_forms(tmp_path, bookings=BOOKINGS)
    (tmp_path / "pseudonym.key").chmod(0o644)
    board = read_board(tmp_path)
    found = [note for name in board.tables for note in board.notes_of(name) if "can read the key" in note]
    assert found == ["scores: others on this computer can read the key pseudonym.key. Take that right away."]


def test_problems_name_the_right_form_and_its_rows(tmp_path):
    before = BEFORE.replace("Agree", "Somewhut")
    after = (
        HEADER + "1,,ann@kent.uk,,KCC,S01,Tier 1,4\n2,,cy@kent.uk,,KCC,S01,Tier 1,9\n3,,di@kent.uk,,KCC,S01,Tier 1,0\n"
    )
    with_forms(tmp_path, before=before, after=after)
    column = "Q02 (How confident are you?)"
    scale = "points between 1 and 5, as the table items says of Q02"
    assert sentences(tmp_path) == [
        f'after.csv, column {column}: 2 of 3 rows: rows 3, 4. Found: "9", "0". Wanted: {scale}.',
        f'before.csv, column {column}: 1 of 2 rows: row 3. Found: "Somewhut" (Did you mean "somewhat"?). '
        "Wanted: a number between 1 and 5, as the table items says of Q02, or a label that is known. Say what it "
        "stands for under [forms.labels] in board.toml.",
    ]
    assert set(check_board(tmp_path)["table"]) == {"scores: before.csv", "scores: after.csv"}


def test_forms_of_the_same_name_are_told_by_their_folders(tmp_path):
    board = BOARD.replace("before.csv", "may/form.csv").replace("after.csv", "june/form.csv")
    with_forms(tmp_path, board=board)
    for name, text in (("may", BEFORE), ("june", AFTER.replace(",4\n", ",44\n"))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "form.csv").write_text(text, encoding="utf-8")
    (said,) = sentences(tmp_path)
    assert said.startswith("june/form.csv, column Q02 (How confident are you?): 1 of 1 rows: row 2.")
    assert read_board(tmp_path).notes_of("scores")[0] == "may/form.csv: 2 questionnaires of the wave pre."


def test_form_that_cannot_be_read_does_not_hide_what_is_wrong_with_the_others(tmp_path):
    with_forms(tmp_path, after=AFTER.replace(",4\n", ",9\n"))
    (tmp_path / "before.csv").unlink()
    said = sentences(tmp_path)
    assert len(said) == 2
    assert said[0].startswith("after.csv, column Q02")
    assert re.fullmatch(
        r"before.csv: file not found in .*\. Put it there, or name another file in board.toml\.", said[1]
    )
    with pytest.raises(TableError, match="file not found"):
        read_board(tmp_path).tables["scores"]
    (tmp_path / "after.csv").unlink()
    assert [each.partition(":")[0] for each in sentences(tmp_path)] == ["after.csv", "before.csv"]


def test_data_version_is_that_of_every_form_and_not_of_the_key(tmp_path):
    versions = [read_board(with_forms(tmp_path)).data_version]
    for name, text in (("before", BEFORE), ("after", AFTER)):
        write(tmp_path, **{name: text + "\n"})
        versions.append(read_board(tmp_path).data_version)
    assert len(set(versions)) == 3
    write(tmp_path, key="ff" * 32)
    assert read_board(tmp_path).data_version == versions[-1]


def test_form_that_changes_after_the_board_was_opened_is_refused(tmp_path):
    board = read_board(with_forms(tmp_path))
    assert board.data_version
    write(tmp_path, after=AFTER + "\n")
    with pytest.raises(TableError, match=r"after\.csv: the file has changed since the board's folder was opened"):
        board.tables["scores"]


def test_people_of_forms_are_those_of_the_bookings_by_the_same_key(tmp_path):
    board = read_board(with_forms(tmp_path, bookings=BOOKINGS))
    people = set(board.tables["scores"]["person"])
    assert people == set(board.tables["bookings"]["person"]) == {pseudonym("ann@kent.uk"), pseudonym("bo@police.uk")}
    assert (
        "scores: 1 questionnaire of people who have no attended booking of the session: before.csv row 3."
        in board.notes_of("scores")
    )


def test_people_of_forms_are_those_of_an_export_of_bookings(tmp_path):
    export = (
        '[bookings_export]\nfile = "learners.csv"\n[bookings_export.columns]\nsession = "Event"\nperson = "E-mail"\n'
        'agency = "Organisation"\nstatus = "Outcome"\n'
    )
    learners = "Event,E-mail,Organisation,Outcome\nS01,ANN@kent.uk,KCC,Attended\nS01,bo@police.uk,KP,Attended\n"
    board = read_board(with_forms(tmp_path, board=BOARD + export, learners=learners))
    assert set(board.tables["scores"]["person"]) == set(board.tables["bookings"]["person"])
    assert not any("no attended booking" in note for note in board.notes_of("scores"))
    assert {"ann@kent.uk", "ANN@kent.uk", "Ann Lee", SECRET.hex()} <= set(board.identities())


def test_bookings_say_nothing_of_people_told_by_a_code(tmp_path):
    board = BOARD.replace('person = "Email"', 'code = "Email"')
    assert not any(
        "booking" in note
        for note in read_board(with_forms(tmp_path, board=board, bookings=BOOKINGS)).notes_of("scores")
    )


def test_answers_on_the_wrong_side_of_the_session_are_pointed_out(tmp_path):
    before = BEFORE.replace("2011-05-10 09:01", "2011-05-11 09:01")
    after = AFTER.replace("2011-05-10", "2011-05-09")
    found = read_board(with_forms(tmp_path, before=before, after=after)).notes_of("scores")
    assert (
        "scores: 1 questionnaire called before, and submitted after the day of the session: before.csv row 3." in found
    )
    assert (
        "scores: 1 questionnaire called after, and submitted before the day of the session: after.csv row 2." in found
    )


def test_how_many_answered_only_once_is_told(tmp_path):
    found = read_board(with_forms(tmp_path)).notes_of("scores")
    assert "scores: 1 person answered only before the session, so that gain is not known." in found


def test_neither_key_nor_people_are_kept(tmp_path):
    board = read_board(with_forms(tmp_path))
    board.tables["scores"]
    kept = pickle.dumps(board._cache) + repr(board._cache).encode()
    for word in ("ann@kent", "Ann Lee", "bo@police", SECRET.hex()):
        assert word.encode() not in kept
        assert word.lower().encode() not in kept


def test_what_identifies_people_is_what_a_release_is_searched_for(tmp_path):
    board = BOARD.replace('person = "Email"', 'code = "Email"')
    found = read_board(
        with_forms(tmp_path, board=board, before=BEFORE.replace("bo@police.uk", "anonymous"))
    ).identities()
    assert {"ann@kent.uk": "person", "Ann Lee": "name", "Lee, Ann": "name"}.items() <= found.items()
    assert "anonymous" not in found


def test_unknown_agencies_of_forms_are_proposed_unless_they_may_be_somebody(tmp_path):
    before = BEFORE.replace("KCC", "Kent County Counsil").replace("KP", "Jim Jones")
    found = read_board(with_forms(tmp_path, before=before, after=AFTER)).unknown_agencies()
    assert found["name"].to_list() == ["Kent County Counsil"]
    assert found["proposal"].to_list() == ["Kent County Council"]


def test_board_without_forms_is_read_as_it_was(tmp_path):
    scores = "session,person,agency,wave,item,score\nS01,P1,,pre,Q01,1\n"
    write(tmp_path, items=ITEMS, agencies=AGENCIES, sessions=SESSIONS, scores=scores)
    board = read_board(tmp_path)
    assert board.tables["scores"]["person"].to_list() == ["P1"]
    assert board.foreign() == []
    assert board.identities() == {}


@pytest.mark.parametrize(
    ("text", "column", "rule"),
    [
        (
            "[forms.items]\nQ01 = 'Tier?'",
            "forms",
            'files must be set, such as files = [{ file = "before.xlsx", wave = "pre" }]',
        ),
        ("[forms]\nfiles = [{ file = 'a.csv' }]", "forms.files.1.wave", "field required"),
        (
            "[forms]\nfiles = [{ file = 'a.csv', wave = 'before' }]",
            "forms.files.1.wave",
            "input should be 'pre', 'post', ",
        ),
        (
            "[forms]\nfiles = [{ file = 'a.csv', wave = 'pre' }, { file = 'b.csv', wave = 'post', weave = 1 }]",
            "forms.files.2.weave",
            "a setting this program knows (file, wave, session, sheet, date_order, columns, items). Did you mean",
        ),
        ("[forms]\nrepeated = 'all'", "forms.repeated", "input should be 'first' or 'last'"),
        (
            "[forms.columns]\nperson = ' '",
            "forms.columns.person",
            "input should be a heading of the export, or several",
        ),
        ("[forms.columns]\nemail = 'E'", "forms.columns.email", "a setting this program knows (person, code, name, "),
        ("[forms.items]\nQ01 = []", "forms.items.Q01", "input should be a heading of the export, or several"),
        ("[forms.key]\nQ01 = 3", "forms.key.Q01", 'input should be the right answer, such as "Tier 1", or all that'),
        ("[forms.key]\nQ01 = [['A'], 'B']", "forms.key.Q01", "input should be the right answer"),
        ("[forms.key]\nQ01 = ' ; '", "forms.key.Q01", "input should be the right answer"),
        (
            "[forms.labels]\nAgree = 'four'",
            "forms.labels",
            'a label stands for a number, or for "no answer". Found otherwise: Agree',
        ),
        ("[forms.labels]\nAgree = true", "forms.labels", "a label stands for a number"),
        ("[forms.labels.Q01]\nAgree = [4]", "forms.labels", "a label stands for a number"),
        ("[forms.labels]\nAgree = inf", "forms.labels", "a label stands for a number"),
    ],
)
def test_wrong_setting_of_forms_is_reported_in_words(tmp_path, text, column, rule):
    write(tmp_path, board=text)
    _, problems, _ = read_config(tmp_path)
    assert problems["column"].to_list() == [column]
    assert problems["rule"][0].startswith(rule)


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (
            'person = "Email"',
            "",
            "before.csv needs the heading of person (an e-mail address) or of code (that people made up)",
        ),
        ('person = "Email"', 'person = "Email"\ncode = "Code"', "before.csv needs the heading of person"),
        (
            'session = "Workshop"',
            "",
            'before.csv needs session = "…", or the heading of session in its columns, and not both',
        ),
        ('Q01 = "Tier 1"', 'Q1 = "Tier 1"', 'Q1 under [forms.key] is not under [forms.items]. Did you mean "Q01"?'),
        ("[forms.key]", "[forms.labels.Q9]\nA = 1\n[forms.key]", "Q9 under [forms.labels] is not under [forms.items]."),
        (
            "[forms.key]",
            "[forms.points]\nQ01 = 'P'\n[forms.key]",
            "Q01 is under [forms.key] and [forms.points]: keep one of them",
        ),
        (
            "[forms.key]",
            "[forms.labels.Q01]\nA = 1\n[forms.key]",
            "Q01 is under [forms.key] and [forms.labels]: keep one",
        ),
        ('"How confident are you?"', '"WHICH tier is this? "', "Q01 and Q02 of before.csv have the same heading"),
        ("after.csv", "before.csv", ""),
        ('wave = "post"', 'wave = "pre"', ""),
    ],
)
def test_settings_of_forms_that_do_not_fit_together_are_reported(tmp_path, old, new, rule):
    write(tmp_path, board=BOARD.replace(old, new, 1))
    _, problems, _ = read_config(tmp_path)
    assert problems["column"].to_list() == (["forms"] if rule else [])
    assert not rule or rule in problems["rule"][0]


def test_form_listed_twice_for_a_wave_is_reported_with_everything_else(tmp_path):
    text = (
        BOARD.replace("after.csv", "before.csv")
        .replace('"post"', '"pre"')
        .replace('agency = "Organisation"', 'agency = "Email"')
    )
    write(tmp_path, board=text)
    _, problems, _ = read_config(tmp_path)
    assert problems["rule"].to_list() == [
        "before.csv is listed 2 times with the wave pre; person and agency of before.csv have the same heading"
    ]


def test_setting_of_a_list_is_counted_from_one(tmp_path):
    write(tmp_path, board="[training]\nrules = [{ target_group = 4, training_level = 2, months = 3 }]\n")
    _, problems, _ = read_config(tmp_path)
    assert problems["column"].to_list() == ["training.rules.1.months"]
    assert problems["rule"][0].startswith(
        "a setting this program knows (target_group, training_level, refresh_months, "
    )


def test_form_has_settings_of_its_own_before_those_of_all(tmp_path):
    own = 'wave = "post", session = "S01", columns = { code = "Code" }, items = { Q02 = "Sure?" }'
    write(tmp_path, board=BOARD.replace('wave = "post"', own))
    config, problems, _ = read_config(tmp_path)
    assert problems.is_empty()
    before, after = config.forms.files
    assert config.forms.columns_of(before)["person"] == ["Email"]
    assert config.forms.columns_of(after) == {
        "agency": ["Organisation"],
        "submitted": ["Completion time"],
        "code": ["Code"],
    }
    assert config.forms.items_of(after) == {"Q02": ["Sure?"]}


def test_codes_are_compared_in_the_same_session_only():
    people = pl.DataFrame(
        {"session": ["S1", "S2"], "person": ["ab12", "ab13"], "wave": ["pre", "post"], "coded": [True, True]}
    ).with_columns(pl.lit("a.csv").alias("name_of_form"), pl.lit(2).alias("row_of_form"))
    assert say_unmatched(people) == []
    (said,) = say_unmatched(people.with_columns(pl.lit("S1").alias("session")))
    assert said.startswith("scores: 1 code after the session differs in one letter or digit from a code before it")


def test_addresses_are_alike_in_their_letters_and_never_in_their_digits():
    pairs = [  # of which the first answered before and the second after, and whether it is likely to be the same one
        ("first12.last12@kent.uk", "first12.lost12@kent.uk", True),  # a letter changed
        ("jo.li@kent.uk", "jo.l@kent.uk", True),  # left out
        ("jolene.li@kent.uk", "joleen.li@kent.uk", True),  # two letters the other way round
        ("jolene.li@kent.uk", "jolene.li@knet.uk", True),
        ("jolene.li@kent.uk", "jalane.lu@kent.uk", False),  # three letters
        ("al@kent.uk", "bo@kent.uk", False),  # all two letters of a short name
        ("j.smith1@kent.uk", "j.smith2@kent.uk", False),  # two people of one name
        ("j.smith@kent.uk", "j.smith2@kent.uk", False),
        ("10234", "10235", False),  # numbers of staff
    ]
    for before, after, alike in pairs:
        people = pl.DataFrame({"person": [before, after], "wave": ["pre", "post"], "row_of_form": [2, 7]})
        rest = {"session": "S1", "coded": False, "name_of_form": "a.csv"}
        said = say_unmatched(people.with_columns(pl.lit(value).alias(name) for name, value in rest.items()))
        wanted = (
            "scores: 1 address after the session differs in one or two letters from an address before it that has no "
            "partner. Nobody is joined; look at them yourself: a.csv rows 2, 7"
        )
        assert said == ([wanted] if alike else []), (before, after)


def test_addresses_that_have_a_partner_or_another_session_are_not_compared():
    people = pl.DataFrame(
        {
            "session": ["S1", "S1", "S1", "S2"],
            "person": ["ann.lee@kent.uk", "ann.lee@kent.uk", "ann.leo@kent.uk", "ann.les@kent.uk"],
            "wave": ["pre", "post", "post", "pre"],
            "row_of_form": [2, 3, 4, 5],
        }
    ).with_columns(pl.lit("a.csv").alias("name_of_form"), pl.lit(value=False).alias("coded"))
    assert say_unmatched(people) == []


def timed(first, second, *, waves=("pre", "post"), forms=("a.csv", "b.csv")):
    """Questionnaires of two waves by the times at which each person submitted them."""
    rows = [
        ("S1", f"p{number}", wave, form, time)
        for wave, form, times in zip(waves, forms, (first, second), strict=True)
        for number, time in enumerate(times)
    ]
    schema = ["session", "person", "wave", "name_of_form", "submitted"]
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.lit(value=False).alias("coded"))


def test_waves_answered_in_the_wrong_order_by_most_are_pointed_out():
    assert say_swapped(timed([9, 9, 9], [8, 8, 10])) == [
        "a.csv and b.csv: 2 of 3 people answered the wave pre after the wave post. Are the waves of the two swapped "
        "under [forms] in board.toml? If not, nothing need be done"
    ]
    assert say_swapped(timed([9, 9], [8, 10])) == []  # half is not most
    assert say_swapped(timed([9, 9], [9, 9])) == []  # the same time, or the same day where the time is not known
    assert say_swapped(timed([9], [8])) == []  # one person may have been late
    assert say_swapped(timed([9, 9, None], [8, None, 8])) == []  # the time of both is known of one person only


def test_follow_up_answered_before_the_session_is_pointed_out_for_its_own_form():
    late = timed([9, 9], [8, 8], waves=("post", "follow_up"), forms=("b.csv", "c.csv"))
    early = timed([1, 1], [], forms=("a.csv", "b.csv"))
    (said,) = say_swapped(pl.concat([late, early]))
    assert said.startswith("b.csv and c.csv: 2 of 2 people answered the wave post after the wave follow_up.")


def test_swapped_files_are_named_by_a_check_that_holds(tmp_path):
    bo = "2,2011-05-10 16:01:00,bo@police.uk,Bo Li,KP,S01,Tier 1,Agree\n"
    board = BOARD.replace('"pre"', '"?"').replace('"post"', '"pre"').replace('"?"', '"post"')
    found = read_board(with_forms(tmp_path, board=board, after=AFTER + bo)).notes_of("scores")
    assert (
        "after.csv and before.csv: 2 of 2 people answered the wave pre after the wave post. Are the waves of the two "
        "swapped under [forms] in board.toml? If not, nothing need be done."
    ) in found
    assert sentences(tmp_path) == []
    assert not any("swapped" in note for note in read_board(with_forms(tmp_path)).notes_of("scores"))


@pytest.mark.parametrize(("typed", "plain"), [("ÄB 1²", "äb12"), ("ＡＢ１２", "ab12"), ("a.b/1-2", "ab12"), ("--", "")])
def test_plain_code_is_letters_and_digits(typed, plain):
    assert plain_code(typed) == plain
