"""A large census is checked in a process beside this one, which gives the same and is never left running."""

import subprocess
import sys
import textwrap
from itertools import islice

import psutil
import pytest

from census_files import census, child, details, plan
from safeguarding_analytics.errors import TableError
from safeguarding_analytics.sources import census_check
from safeguarding_analytics.sources.census_check import CHECKED, CODEC, DIGEST, LARGE, REFUSED, check_file, check_parts
from safeguarding_analytics.sources.census_xml import read_rows
from safeguarding_analytics.sources.cin_records import LAYOUT

SOON = 10
"""Seconds in which a process that has nothing to do any more must have ended."""


@pytest.fixture
def large(tmp_path):
    """A census of more than `LARGE` bytes."""
    one = child("C1", details(plan("2023-07-03", reviews=["2023-09-06"])))
    top, bottom = census("¦").split("¦")
    path = tmp_path / "census.xml"
    path.write_text(top + one * (1 + 2 * LARGE // len(one)) + bottom, encoding="utf-8")
    return path


def running():
    """Processes that this one has started and that still run."""
    return {each for each in psutil.Process().children() if each.status() != psutil.STATUS_ZOMBIE}


@pytest.fixture
def beside():
    """Tells which of them were started since: other tests may keep a server or a database running."""
    earlier = running()
    return lambda: [*(running() - earlier)]


def test_a_large_file_is_checked_beside_this_process_and_a_small_one_is_not(beside, large, tmp_path):
    parts = check_file(large)
    assert next(parts) == (CODEC, b"utf-8")
    assert len(beside()) == 1
    parts.close()
    assert beside() == []
    small = tmp_path / "small.xml"
    small.write_text("<Message/>", encoding="utf-8")
    parts = check_file(small)
    next(parts)
    assert beside() == []
    assert next(parts) == (CHECKED, b"<Message/>")


def test_both_ways_give_the_bytes_of_the_file(beside, large):
    there, here = [*check_file(large)], [*check_parts([large.read_bytes()], large.name)]
    for parts in (there, here):
        assert parts[0] == (CODEC, b"utf-8")
        assert b"".join(content for kind, content in parts if kind == CHECKED) == large.read_bytes()
        assert {kind for kind, _ in parts[1:-1]} == {CHECKED}
        assert parts[-1][0] == DIGEST
    assert there[-1] == here[-1]
    assert beside() == []


def test_nothing_that_is_not_checked_comes_out(large):
    content = large.read_bytes()
    at = content.rindex(b"</Child>")
    large.write_bytes(content[:at] + b"</Chill>" + content[at + 8 :])
    *parts, last = check_file(large)
    assert content.startswith(b"".join(content for kind, content in parts if kind == CHECKED))
    line = 1 + content.count(b"\n", 0, at)
    said = f"census.xml, line {line:,}: an element is closed that is not the last one opened. Export the census again."
    assert last == (REFUSED, said.encode())


def test_the_process_ends_when_the_census_is_refused(beside, large):
    large.write_bytes(large.read_bytes().replace(b"C1", b"<b/>", 1))
    with pytest.raises(TableError, match="an element that holds a value has others in it"):
        read_rows(large, LAYOUT)
    assert beside() == []


def test_a_process_that_is_killed_gives_a_sentence_and_no_table(beside, large):
    parts = check_file(large)
    next(parts)
    (process,) = beside()
    process.kill()
    with pytest.raises(TableError, match=r"^census\.xml: the process that checks it was ended from outside"):
        list(parts)


def test_a_file_that_vanishes_has_its_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(census_check, "LARGE", 0)
    ((kind, said),) = check_file(tmp_path)
    assert (kind, said) == (
        REFUSED,
        f"{tmp_path.name}: this is a folder, not a file. Name the XML file in it.".encode(),
    )
    ((kind, said),) = check_file(tmp_path / "none.xml")
    assert kind == REFUSED
    assert said.startswith(b"none.xml: file not found in ")


@pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
@pytest.mark.parametrize("signal", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_it_does_not_outlive_the_process_that_asked(large, signal):
    program = """
        import sys, time, psutil
        from pathlib import Path
        from safeguarding_analytics.sources.census_check import check_file
        parts = check_file(Path(sys.argv[1]))
        next(parts)
        print(psutil.Process().children()[0].pid, flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(large)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as asking:
        checking = psutil.Process(int(next(islice(asking.stdout, 1))))
        psutil.Process(asking.pid).send_signal(getattr(__import__("signal"), signal))
        asking.wait(SOON)
        psutil.wait_procs([checking], SOON)
        assert not checking.is_running()
