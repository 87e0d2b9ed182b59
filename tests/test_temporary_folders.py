"""Folders in the temporary folder: gone with their process, swept where it was killed, and never another's."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from safeguarding_analytics.temporary_folders import OWNED, make_folder, sweep_folders, temporary_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="nothing is swept on Windows")

HOLDS = """
import time
from safeguarding_analytics.temporary_folders import make_folder
made = make_folder()
(made.path / "socket").write_text("in use")
print(made.path, flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def shelf(tmp_path, monkeypatch):
    """The temporary folder of these tests, and of the processes that they start."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@contextmanager
def holder():
    """A process that holds a folder, and the name of the folder."""
    with subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, os.path.basename(process.stdout.readline().strip())
        finally:
            process.kill()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def left_by_a_killed_process():
    with holder() as (process, name):
        process.send_signal(signal.SIGKILL)
    return name


def test_folder_is_this_user_s_alone_and_gone_afterwards(shelf):
    with temporary_folder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "inner").mkdir()
    assert names(shelf) == []


def test_folder_of_a_killed_process_is_swept_by_the_next_and_that_of_a_running_one_is_kept(shelf):
    left = left_by_a_killed_process()
    assert names(shelf) == [left]
    with holder() as (_, name):
        assert names(shelf) == [name]
        with temporary_folder():
            assert (shelf / name / "socket").read_text() == "in use"


def test_folder_of_this_process_is_kept_when_it_makes_another():
    first, second = make_folder(), make_folder()
    assert first.path.exists()
    for each in (first, second):
        each.remove()


def test_folder_of_another_user_is_kept(shelf, monkeypatch):
    left, own = left_by_a_killed_process(), os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    sweep_folders()
    assert names(shelf) == [left]


def test_folder_of_another_program_is_kept(shelf):
    (shelf / "sg-papers").mkdir(mode=0o700)
    (shelf / "sgfile").touch()
    sweep_folders()
    assert names(shelf) == ["sg-papers", "sgfile"]


def test_nothing_is_swept_through_a_link(shelf, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / OWNED).touch()
    (shelf / "sgfolder").symlink_to(elsewhere)
    (shelf / "sgother").mkdir()
    (shelf / "sgother" / OWNED).symlink_to(elsewhere / OWNED)
    sweep_folders()
    assert names(shelf) == ["sgfolder", "sgother"]
    assert names(elsewhere) == [OWNED]
