"""A disk that is full or can only be read, and two runs at once: one sentence, and what stood before stands.

The disks are real: small ones in memory, in a namespace of their own, which ends with its process.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import nbformat
import polars as pl
import pytest

from safeguarding_analytics import report
from safeguarding_analytics.board import read_board
from safeguarding_analytics.disclosure import Policy, suppress
from safeguarding_analytics.errors import DisclosureError
from safeguarding_analytics.release import Release, promote, publish
from safeguarding_analytics.report import make_report

NO_DISKS = subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode if sys.platform == "linux" else 1
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="disks and locks of Linux")

PUBLISHES = """
import polars as pl
from safeguarding_analytics import Policy, publish, suppress
safe = suppress(pl.DataFrame({"district": ["East"], "count": [23]}), Policy.dfe())
publish(safe, "children_by_district", into=release, title="T", definition="D", measure="children")
"""

OWN_NOTEBOOKS = """
import sys
from pathlib import Path
from safeguarding_analytics import report
from safeguarding_analytics.cli import main
report.NOTEBOOKS = Path(sys.argv.pop(1))
main()
"""


def write_notebook(folder):
    declared = nbformat.v4.new_code_cell('board: str = ""\nrelease: str = ""')
    declared.metadata["tags"] = ["parameters"]
    about = {"order": 1, "question": "Why?", "tables": ["ballots"]}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(
        cells=[declared, nbformat.v4.new_code_cell(PUBLISHES)],
        metadata={"title": "One", "safeguarding": about, "kernelspec": kernel},
    )
    folder.mkdir()
    nbformat.write(notebook, folder / "one.ipynb")


def make_release(place, name, columns, data_version="1"):
    built = place.with_name("built-by-hand")
    built.mkdir(parents=True)
    safe = suppress(pl.DataFrame(columns), Policy.dfe())
    publish(safe, name, into=built, title="T", definition="D", measure="children")
    return promote(built, place, about={"board": "B", "made_on": "2011-01-01", "data_version": data_version})


@pytest.fixture
def places(demo_board, tmp_path):
    """A board that holds ballots alone, a notebook, and a folder with a release."""
    (tmp_path / "board").mkdir()
    shutil.copy(demo_board / "ballots.csv", tmp_path / "board")
    write_notebook(tmp_path / "notebooks")
    make_release(tmp_path / "out" / "release", "earlier", {"agency": ["A"], "count": [10]})
    return tmp_path


def on_a_disk(places, mount, *, fill="true"):
    """Report onto a disk of its own that holds a copy of the release; what was said, and whether the copy is whole."""
    script = f"""
set -e
mkdir disk && mount -t tmpfs -o {mount.partition(" ")[0]} tmpfs disk
cp -r out disk/out
{fill}
{mount.partition(" ")[2] or "true"}
code=0
{sys.executable} -c "$1" notebooks report board --out disk/out > said 2>&1 || code=$?
diff -r out disk/out > differs
exit $code
"""
    command = ["unshare", "-rm", "sh", "-c", script, "sh", OWN_NOTEBOOKS]
    ended = subprocess.run(command, cwd=places, capture_output=True, text=True, timeout=120, check=False)
    assert (places / "differs").read_text() == "", ended.stderr
    return ended.returncode, (places / "said").read_text()


NO_ROOM = "there is no space left on the disk of the output, or on that of the temporary folder. Make room, and run it "
FULL = "dd if=/dev/zero of=disk/others bs=1k 2>dd.log || true"


@pytest.mark.skipif(NO_DISKS, reason="this system lets nobody mount a disk of his own")
@pytest.mark.parametrize(
    ("size", "fill", "said"),
    [
        ("300k", "true", f"Error: {NO_ROOM}again.\n"),  # a page with its charts takes more
        (
            "300k",
            FULL,  # not even the version of the data has room
            f"Error: {NO_ROOM}again.\n",
        ),
    ],
)
def test_full_disk_is_said_in_a_sentence_and_the_release_stands(places, size, fill, said):
    assert on_a_disk(places, f"size={size}", fill=fill) == (2, said)


@pytest.mark.skipif(NO_DISKS, reason="this system lets nobody mount a disk of his own")
def test_disk_that_can_only_be_read_is_said_to_be_one(places):
    code, said = on_a_disk(places, "size=9m mount -o remount,ro disk")
    assert code == 2
    assert said == "Error: disk/out/release: its disk can only be read. Choose another folder.\n"


def test_two_runs_at_once_make_one_whole_release(places):
    command = [sys.executable, "-c", OWN_NOTEBOOKS, "notebooks", "report", "board", "--out", "both"]
    runs = [subprocess.Popen(command, cwd=places, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [(run.communicate(timeout=120)[1], run.returncode) for run in runs] == [(b"", 0), (b"", 0)]
    assert [path.name for path in (places / "both").iterdir()] == ["release"]
    assert Release.open(places / "both" / "release").tables() == ["children_by_district"]


def test_run_that_waited_for_another_is_audited_beside_what_that_made(places, monkeypatch):
    """The other shows 20 of two halves and hides 3: the 23 of this run would give that away."""
    monkeypatch.setattr(report, "NOTEBOOKS", places / "notebooks")
    board, out = places / "board", places / "out"
    opened = os.open(out, os.O_RDONLY)
    fcntl.flock(opened, fcntl.LOCK_EX)
    with ThreadPoolExecutor(1) as pool:
        try:
            run = pool.submit(make_report, board, out, today=date(2011, 7, 2))
            written, until = [], time.monotonic() + 60
            while not written and time.monotonic() < until:
                written = [*out.glob(".release-being-built-*/tables.xlsx")]
                time.sleep(0.1)
            time.sleep(2)
            assert written
            assert not run.done()
            halves = {"district": ["East", "East"], "half": ["H1", "H2"], "count": [20, 3]}
            make_release(out / "release", "children_by_half", halves, read_board(board).data_version)
        finally:
            os.close(opened)
        with pytest.raises(DisclosureError, match="the release that stands: children_by_half, district=East, half=H2"):
            run.result(timeout=60)
    assert Release.open(out / "release").tables() == ["children_by_half"]
    assert [path.name for path in out.iterdir()] == ["release"]
