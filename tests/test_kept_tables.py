"""Tables that are kept while one run lasts."""

import os
import shutil

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics import kept_tables, origins
from safeguarding_analytics.board import check_all, read_board
from safeguarding_analytics.kept_tables import PLACE


@pytest.fixture
def whole(demo_board, tmp_path, monkeypatch):
    """A board with every table."""
    monkeypatch.delenv(PLACE, raising=False)
    return shutil.copytree(demo_board, tmp_path / "whole")


@pytest.fixture
def board(demo_board, tmp_path, monkeypatch):
    """A board of a few tables: they are read and checked again and again."""
    monkeypatch.delenv(PLACE, raising=False)
    (tmp_path / "board").mkdir()
    for name in ("agencies.csv", "board.toml", "plans.csv", "staff.csv"):
        shutil.copy(demo_board / name, tmp_path / "board")
    return tmp_path / "board"


def refuse_to_read(monkeypatch):
    def refuse(*_):
        pytest.fail("the file was read again")

    monkeypatch.setattr(origins, "read_table", refuse)


def test_kept_tables_are_the_ones_that_were_read(whole, monkeypatch):
    here = read_board(whole)
    read = {name: here.tables[name] for name in here.tables}
    assert len(read) > 10
    with check_all(whole)[0].kept_for_a_run():
        refuse_to_read(monkeypatch)
        again = read_board(whole)
        assert list(again.tables) == list(read)
        for name, frame in read.items():
            assert_frame_equal(again.tables[name], frame)
        assert check_all(whole)[1].is_empty()


def test_kept_tables_are_those_of_an_area(whole, monkeypatch):
    here = read_board(whole, area="district=Thanet")
    plans, scores = here.tables["plans"], here.tables["scores"]
    assert 0 < plans.height < read_board(whole).tables["plans"].height
    with check_all(whole)[0].kept_for_a_run():
        refuse_to_read(monkeypatch)
        again = read_board(whole, area="district=Thanet")
        assert_frame_equal(again.tables["plans"], plans)
        assert_frame_equal(again.tables["scores"], scores)
        assert "workforce" not in again.tables


@pytest.mark.parametrize("changed", ["plans.csv", "board.toml"])
def test_other_data_are_read_anew(board, changed):
    with check_all(board)[0].kept_for_a_run():
        assert read_board(board).kept is not None
        with (board / changed).open("a", encoding="utf-8") as file:
            file.write("\n")
        assert read_board(board).kept is None


def test_rule_that_is_broken_meanwhile_is_found(board):
    with check_all(board)[0].kept_for_a_run():
        lines = (board / "plans.csv").read_text(encoding="utf-8").splitlines()
        (board / "plans.csv").write_text("\n".join([*lines, lines[1]]) + "\n", encoding="utf-8")
        assert not check_all(board)[1].is_empty()


def test_only_this_user_may_read_them_and_none_are_left(board):
    whole = check_all(board)[0]
    with whole.kept_for_a_run():
        (folder,) = os.environ[PLACE].split(os.pathsep)
        assert os.stat(folder).st_mode & 0o077 == 0
        assert len(list(whole.kept.iterdir())) == len(whole.tables)
        with read_board(board).kept_for_a_run():  # once is enough
            assert os.environ[PLACE] == folder
    assert not os.path.exists(folder)
    assert PLACE not in os.environ


def test_tables_of_two_boards_are_kept_beside_each_other(board, tmp_path):
    other = shutil.copytree(board, tmp_path / "other")
    rows = pl.read_csv(other / "staff.csv", infer_schema=False)
    rows.head(rows.height - 5).write_csv(other / "staff.csv")
    with check_all(board)[0].kept_for_a_run(), check_all(other)[0].kept_for_a_run():
        kept = [read_board(each) for each in (board, other)]
        assert [one.tables["staff"].height for one in kept] == [rows.height, rows.height - 5]
        assert kept[0].kept != kept[1].kept
    assert PLACE not in os.environ


def test_where_they_cannot_be_written_every_process_reads(board, monkeypatch):
    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    whole = check_all(board)[0]
    monkeypatch.setattr(kept_tables.pl.DataFrame, "write_parquet", refuse)
    with whole.kept_for_a_run():
        assert PLACE not in os.environ
        assert read_board(board).kept is None


def test_runs_in_threads_keep_and_take_back_their_own_whichever_ends_first(board, tmp_path):
    """As when a program makes two reports at once: what the first to end leaves is what the other one told."""
    other = shutil.copytree(board, tmp_path / "other")
    with (other / "board.toml").open("a", encoding="utf-8") as file:
        file.write("\n")
    boards = [check_all(each)[0] for each in (board, other)]
    first, second = (each.kept_for_a_run() for each in boards)
    first.__enter__()
    second.__enter__()
    assert all(read_board(each).kept for each in (board, other))
    first.__exit__(None, None, None)
    assert [read_board(each).kept is not None for each in (board, other)] == [False, True]
    second.__exit__(None, None, None)
    assert PLACE not in os.environ


def test_who_used_the_tables_of_a_run_that_has_ended_reads_them(board):
    """Two runs on the same board: the second finds its tables kept by the first, which then ends."""
    first, second = (check_all(board)[0].kept_for_a_run() for _ in range(2))
    first.__enter__()
    second.__enter__()
    begun, told = read_board(board), os.environ[PLACE]
    assert begun.kept is not None
    first.__exit__(None, None, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PLACE, told)  # as a kernel that was started before still has it
        assert begun.tables["plans"].height == read_board(board).tables["plans"].height > 0
    second.__exit__(None, None, None)
    assert PLACE not in os.environ
