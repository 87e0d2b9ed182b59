"""An empty board is complete, explains itself, and never overwrites what stands there."""

from __future__ import annotations

import re
import tomllib

import pytest

from safeguarding_analytics.board import check_board, read_board
from safeguarding_analytics.config import Config
from safeguarding_analytics.demo_facts import SETTINGS as DEMO_SETTINGS
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.scaffold import SETTINGS, board_toml, write_empty_board
from safeguarding_analytics.tables import TABLES

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
    assert problems["table"].unique().to_list() == ["bookings"]  # the file named as an example is not there
    config = read_board(tmp_path).config
    assert (config.training.target, config.priorities.seats, config.policy.children.threshold) == (1200, 4, 10)
    assert config.own_columns("workforce") == ["district"]


def test_every_setting_the_program_knows_is_shown():
    shown = {f"{section}.{name}" for section, (_, settings) in SETTINGS.items() for name, _, _ in settings}
    known = set(names(Config)) - {"files", "columns", "words"}
    children = {f"policy.children.{name}" for name in ("preset", "threshold", "zeros")}
    assert known - shown == {
        f"policy.{population}.{name}" for population in ("staff", "board_members") for name in ("threshold", "zeros")
    }  # "as above"
    assert children <= shown
    assert shown - known == {
        "files.bookings",
        "columns.workforce",
        'bookings.status."Did Not Arrive"',
    }  # examples of names one gives oneself


def test_defaults_shown_are_the_defaults():
    shown = tomllib.loads(take_the_signs_away(board_toml("", {})))
    assert Config().priorities.model_dump() == shown["priorities"]
    defaults = Config().policy.model_dump()
    assert shown["policy"].pop("children") == defaults["children"] | {
        "threshold": 10
    }  # an example: the default is none
    for population, settings in shown["policy"].items():
        assert settings.items() <= defaults[population].items()


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
