"""An empty board is complete, explains itself, and never overwrites what stands there."""

from __future__ import annotations

import re
import tomllib

import pytest

from safeguarding_analytics.board import check_board, read_board
from safeguarding_analytics.config import Config, PolicySection, read_config
from safeguarding_analytics.demo_facts import SETTINGS as DEMO_SETTINGS
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.scaffold import SETTINGS, board_toml, write_empty_board
from safeguarding_analytics.tables import TABLES

POPULATIONS = ("children", "staff", "board_members")
LINE = re.compile(r'(# )?(?P<setting>("[^"]*"|\w+) = .+?) +#.*|(# )?(?P<alone>("[^"]*"|\w+) = "[^"]*") *')


def take_the_signs_away(text):
    """Every setting of a `board.toml` in use, as a board would have it that takes the # away from each line."""
    return "\n".join(
        (found["setting"] or found["alone"]) if (found := LINE.fullmatch(line)) else line for line in text.splitlines()
    )


def names(model, prefix=""):
    """Names of all settings a configuration knows, such as ``policy.staff.preset``."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if hasattr(kind, "model_fields"):
            yield from names(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def board_with(folder, settings):
    """A board with these settings and one table."""
    folder.mkdir(exist_ok=True)
    (folder / "board.toml").write_text(settings, encoding="utf-8")
    (folder / "themes.csv").write_text("board,theme,urgency,importance\nB,T,1,2\n", encoding="utf-8")
    return read_board(folder)


def wrong_settings(folder, settings):
    """What a check says of these settings."""
    folder.mkdir(exist_ok=True)
    (folder / "board.toml").write_text(settings, encoding="utf-8")
    return read_config(folder)[1]


def test_empty_board_has_settings_and_a_header_per_table(tmp_path):
    paths = write_empty_board(tmp_path / "new" / "board")
    assert [path.name for path in paths] == ["board.toml", *(f"{name}.csv" for name in TABLES)]
    assert sorted(paths) == sorted((tmp_path / "new" / "board").iterdir())
    headers = {path.stem: path.read_bytes().decode() for path in paths[1:]}
    assert headers == {name: ",".join(schema.columns()) + "\n" for name, schema in TABLES.items()}
    assert headers["ballots"] == "member,agency,issue,rank\n"


def test_empty_board_has_the_settings_a_board_without_any_would_have(tmp_path):
    write_empty_board(tmp_path)
    config = read_board(tmp_path).config
    assert config.model_dump(exclude={"words"}) == Config().model_dump(exclude={"words"})
    assert config.words == {"bookings": {"status": {}}}  # an example of a section, without a word in it


def test_empty_board_is_told_that_its_tables_are_empty_and_nothing_else(tmp_path):
    write_empty_board(tmp_path)
    problems = check_board(tmp_path)
    assert problems["table"].to_list() == list(TABLES)
    assert problems["rule"].unique().to_list() == ["the file must hold at least one row below its header"]


def test_every_setting_shown_is_one_the_program_knows_and_takes(tmp_path):
    text = take_the_signs_away(board_toml("# Ours", {}))
    (tmp_path / "board.toml").write_text(text, encoding="utf-8")
    (tmp_path / "themes.csv").write_text("board,theme,urgency,importance\nB,T,1,2\n", encoding="utf-8")
    found = tomllib.loads(text)
    assert found["board"]["name"] == "Our safeguarding children partnership"  # the signs were taken away
    assert found["bookings"]["status"] == {"Did Not Arrive": "did_not_attend"}
    problems = check_board(tmp_path)
    found_wrong = problems["table"].unique().sort().to_list()
    assert found_wrong == ["ballots", "bookings", "plans", "scores"]  # the files named as examples are not there
    config = read_board(tmp_path).config
    assert (config.training.target, config.priorities.seats, config.policy.children.threshold) == (1200, 4, 10)
    assert config.own_columns("workforce") == ["district"]
    assert config.bookings_export.columns.headings()["session"] == ["Event", "Start date"]
    assert config.bookings_export.status == {"Came late": "partly_attended", "On the door": "walk_in"}


def test_every_setting_the_program_knows_is_shown():
    shown = {f"{section}.{name}" for section, (_, settings) in SETTINGS.items() for name, _, _ in settings}
    known = set(names(Config)) - {"files", "columns", "words", "bookings_export.status", "bookings_export.role"}
    known -= {"database.tables"}
    known -= {"forms.items", "forms.key", "forms.labels", "forms.points", "forms.columns.code"}
    assert {f"policy.children.{name}" for name in PolicySection.model_fields} <= shown
    assert known - shown == {
        f"policy.{population}.{name}"
        for population in ("staff", "board_members")
        for name in PolicySection.model_fields
        if name != "preset"
    }  # "as above"
    assert shown - known == {
        "files.bookings",
        "columns.workforce",
        "database.tables.plans",
        'bookings.status."Did Not Arrive"',
        'bookings_export.status."Came late"',
        'bookings_export.status."On the door"',
        'bookings_export.role."Course lead"',
        *("forms.items.Q01", "forms.items.Q02", "forms.items.Q11", "forms.key.Q01", "forms.points.Q02"),
        'forms.labels."Quite sure"',
        'forms.labels."Prefer not to say"',
    }  # examples of names one gives oneself


def test_defaults_shown_are_the_defaults():
    shown = tomllib.loads(take_the_signs_away(board_toml("", {})))
    given = {name: value for name, value in Config().priorities.model_dump().items() if value is not None}
    assert given.items() <= shown["priorities"].items()
    defaults = Config().policy.model_dump()
    children = shown["policy"].pop("children")
    assert (children.pop("threshold"), children.pop("round")) == (10, 5)  # examples: the defaults are the preset's
    assert children.pop("preset") == defaults["children"]["preset"]
    assert children == {name: getattr(Policy.dfe(), name) for name in children}
    for population, settings in shown["policy"].items():
        assert settings.items() <= defaults[population].items()


@pytest.mark.parametrize("population", POPULATIONS)
@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('preset = "dfe"', Policy(threshold=6, mark="[c]", zeros="shown", protect="symbol", minimum_mean=10)),
        ('preset = "nhs"', Policy(threshold=8, mark="*", round=5)),
        ('preset = "round5"', Policy(threshold=1, round=5)),
        ('preset = "round10"', Policy(threshold=1, round=10)),
        ("threshold = 10", Policy(threshold=10)),
        ('zeros = "hidden"', Policy(zeros="hidden")),
        ('mark = "c"', Policy(mark="c")),
        ('protect = "point"', Policy(protect="point")),
        ("round = 10", Policy(round=10)),
        ("minimum_mean = 20", Policy(minimum_mean=20)),
        ('preset = "nhs"\nmark = "[c]"\nround = 10', Policy(threshold=8, mark="[c]", round=10)),
    ],
)
def test_every_setting_of_a_policy_reaches_its_population_and_no_other(tmp_path, population, written, expected):
    board = board_with(tmp_path, f"[policy.{population}]\n{written}\n")
    assert board.policy(population) == expected
    assert [board.policy(other) for other in POPULATIONS if other != population] == [Policy.dfe()] * 2


def test_smallest_ballot_reaches_board_members_only(tmp_path):
    board = board_with(tmp_path, "[policy.board_members]\nminimum_ballots = 5\n")
    assert board.policy("board_members") == Policy(minimum_ballots=5)
    problems = wrong_settings(tmp_path / "other", "[policy.staff]\nminimum_ballots = 5\n")
    assert problems.select("column", "rule").rows() == [
        (
            "policy.staff.minimum_ballots",
            "a setting this program knows (preset, threshold, zeros, mark, protect, round, minimum_mean)."
            ' Did you mean "minimum_mean"?',
        )
    ]


@pytest.mark.parametrize("population", POPULATIONS)
@pytest.mark.parametrize(
    ("written", "rule", "found"),
    [
        ('preset = "dff"', "input should be 'dfe', 'nhs', 'round5' or 'round10'", "dff"),
        ("threshold = 0", "input should be greater than or equal to 2", "0"),
        ("threshold = 1", "input should be greater than or equal to 2", "1"),
        ("threshold = -1", "input should be greater than or equal to 2", "-1"),
        ("threshold = 2.5", "input should be a valid integer, got a number with a fractional part", "2.5"),
        ("threshold = true", "input should be greater than or equal to 2", "True"),
        ('zeros = "maybe"', "input should be 'shown' or 'hidden'", "maybe"),
        ('mark = " "', 'input should be a text that can be seen, such as "[c]"', " "),
        ('protect = "all"', "input should be 'symbol' or 'point'", "all"),
        ("round = 3", "input should be 5 or 10", "3"),
        ('round = "5"', "input should be 5 or 10", "5"),
        ("round = true", "input should be 5 or 10", "True"),
        ("minimum_mean = 2", "input should be greater than or equal to 3", "2"),
    ],
)
def test_wrong_setting_of_a_policy_is_reported_in_words(tmp_path, population, written, rule, found):
    problems = wrong_settings(tmp_path, f"[policy.{population}]\n{written}\n")
    name = f"policy.{population}.{written.split()[0]}"
    assert problems.select("column", "rule", "found").rows() == [(name, rule, found)]


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ('mark = "5"', "mark must not read as a number, but be such as \"[c]\". Found: '5'."),
        (
            "threshold = 4\nround = 10",
            "threshold must be 6 or more where counts are rounded to the nearest 10, "
            "or people could be printed as 0. Found: 4.",
        ),
    ],
)
def test_settings_that_no_policy_can_have_are_reported_with_the_others(tmp_path, written, rule):
    problems = wrong_settings(tmp_path, f"[policy.staff]\n{written}\n[policy.children]\nround = 3\n")
    assert sorted(problems.select("column", "rule").rows()) == [
        ("policy.children.round", "input should be 5 or 10"),
        ("policy.staff", rule),
    ]


def test_all_wrong_settings_of_policies_are_reported_at_once(tmp_path):
    text = '[policy.children]\nround = 3\nmark = ""\n[policy.staff]\nthresold = 5\n'
    problems = wrong_settings(tmp_path, text)
    assert sorted(problems["column"]) == ["policy.children.mark", "policy.children.round", "policy.staff.thresold"]
    assert 'Did you mean "threshold"?' in " ".join(problems["rule"])


@pytest.mark.parametrize(
    ("written", "column", "rule"),
    [
        ("sheet = 'Report'", "", 'file must be set, such as file = "export.xlsx", where an export is to be read'),
        (
            "[bookings_export.columns]\nname = 'N'",
            "",
            'file must be set, such as file = "export.xlsx", where an export',
        ),
        ("file = ''", ".file", "string should have at least 1 character"),
        (
            "file = 'a.csv'",
            "",
            "[bookings_export.columns] must name the headings of session, person, status, agency, as they stand in the",
        ),
        ("file = 'a.csv'\ndays = 'some'", ".days", "input should be 'all' or 'any'"),
        ("file = 'a.csv'\ndate_order = 'uk'", ".date_order", "input should be 'day_first' or 'month_first'"),
        (
            "home_area = ['Kent']",
            ".home_area",
            "a setting this program knows (file, sheet, key_file, date_order, days, ",
        ),
        (
            "[bookings_export.columns]\nsesion = 'E'",
            ".columns.sesion",
            "a setting this program knows (session, person, ",
        ),
        ("[bookings_export.columns]\nsession = []", ".columns.session", "input should be a heading of the export, or "),
        (
            "[bookings_export.columns]\nsession = ' '",
            ".columns.session",
            "input should be a heading of the export, or ",
        ),
        ("[bookings_export.columns]\nsession = 3", ".columns.session", "input should be a valid list"),
        ("[bookings_export.status]\nX = 'came'", ".status.X", "input should be 'attended', 'did_not_attend', "),
        ("[bookings_export.role]\nX = 'boss'", ".role.X", "input should be 'learner' or 'trainer'"),
    ],
)
def test_wrong_setting_of_an_export_is_reported_in_words(tmp_path, written, column, rule):
    problems = wrong_settings(tmp_path, f"[bookings_export]\n{written}\n")
    assert problems["column"].to_list() == [f"bookings_export{column}"]
    assert problems["rule"][0].startswith(rule)


def test_home_areas_need_a_column_that_says_where_learners_live(tmp_path):
    columns = "[bookings_export.columns]\nsession = 'E'\nperson = 'P'\nstatus = 'S'\nagency = 'A'\n"
    text = f"[bookings_export]\nfile = 'a.csv'\nhome_areas = ['Kent']\n{columns}"
    assert "home_areas needs the heading of home" in wrong_settings(tmp_path, text)["rule"][0]
    assert wrong_settings(tmp_path / "other", text + "home = 'H'\n").is_empty()


def test_export_without_agencies_needs_one_for_blank_rows(tmp_path):
    columns = "[bookings_export.columns]\nsession = 'E'\nperson = 'P'\nstatus = 'S'\n"
    text = f"[bookings_export]\nfile = 'a.csv'\nblank_agency = 'X'\n{columns}"
    assert wrong_settings(tmp_path, text).is_empty()


def test_written_values_stand_beside_the_others_as_examples():
    text = board_toml("# Ours", {"training.target": "1000"})
    assert text.startswith("# Ours\n\n# who the board is\n[board]\n# name = ")
    assert tomllib.loads(text)["training"] == {"target": 1000}
    assert "\n# target_date = 2011-06-30 " in text


def test_settings_of_the_demonstration_are_all_written():
    known = {f"{section}.{name}" for section, (_, settings) in SETTINGS.items() for name, _, _ in settings}
    assert set(DEMO_SETTINGS) <= known  # an unknown one would be left out in silence


@pytest.mark.parametrize("name", ["board.toml", "plans.csv"])
def test_file_that_stands_there_is_not_overwritten(tmp_path, name):
    (tmp_path / name).write_bytes(b"ours")
    with pytest.raises(ParameterError) as caught:
        write_empty_board(tmp_path)
    assert str(caught.value) == (f"{tmp_path} already holds {name}. Nothing was written. Name a new or empty folder.")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {name: b"ours"}


def test_other_files_of_the_folder_stay(tmp_path):
    (tmp_path / "notes.txt").write_bytes(b"ours")
    write_empty_board(tmp_path)
    assert (tmp_path / "notes.txt").read_bytes() == b"ours"
