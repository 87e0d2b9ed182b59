"""The audit in a process of its own: it counts only for the tables that it is of, and nothing hangs on it."""

import json
import os
import signal
import time
from pathlib import Path

import polars as pl
import psutil
import pytest

from safeguarding_analytics import audit_aside, release, warm_kernels
from safeguarding_analytics.audit_aside import audited_aside
from safeguarding_analytics.disclosure import Policy, suppress
from safeguarding_analytics.errors import DisclosureError
from safeguarding_analytics.forked_answers import answered_aside
from safeguarding_analytics.release import Draft, promote, publish
from safeguarding_analytics.warm_kernels import KIND, end_server, kernel_name, socket_of_server

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there are no forks on Windows")

ABOUT = {"board": "B", "made_on": "2011-01-01", "data_version": "1"}
COUNTS = {"agency": ["Education", "Health", "Police", "Total"], "count": [41, 52, 3, 96]}


@pytest.fixture
def warm(monkeypatch):
    monkeypatch.setenv(KIND, "warm")
    kernel_name()
    yield
    end_server()


def build(folder, name="staff", **more):
    folder.mkdir(parents=True, exist_ok=True)
    table = suppress(pl.DataFrame({**COUNTS, **more}), Policy.dfe())
    publish(table, name, into=folder, title="t", definition="d", measure="staff")
    return folder


def pid_of_this_process():
    return str(os.getpid())


def forked_by_the_server():
    (server,) = warm_kernels._server
    return psutil.Process(server.process.pid).children()


def test_answer_of_a_function_arrives(warm):
    with answered_aside(audit_aside.audit_in_words, "nowhere", "nowhere", "1") as answer:
        said = json.loads(answer())
    assert said == {"digest": Draft.open(Path("nowhere"), Path("nowhere"), "1").digest, "effort": "full"}


def test_function_of_others_is_not_called(warm):
    assert not pid_of_this_process.__module__.startswith("safeguarding_analytics")
    with answered_aside(pid_of_this_process) as answer:
        assert answer() is None


def test_function_that_fails_has_no_answer(warm, tmp_path):
    (tmp_path / "built" / "tables").mkdir(parents=True)
    (tmp_path / "built" / "tables" / "broken.json").write_text("{", encoding="utf-8")
    with answered_aside(audit_aside.audit_in_words, str(tmp_path / "built"), str(tmp_path), "1") as answer:
        assert answer() is None


def test_without_a_server_there_is_no_answer(monkeypatch):
    end_server()
    assert socket_of_server() is None
    with answered_aside(audit_aside.audit_in_words, "nowhere", "nowhere", "1") as answer:
        assert answer() is None


def test_process_ends_with_the_context_and_is_not_waited_for(warm, tmp_path):
    # The server forks what it is asked for: here the audit of tables that it waits for, as nobody writes into the pipe.
    built = build(tmp_path / "built")
    os.mkfifo(built / "tables" / "another.json")
    start = time.monotonic()
    with audited_aside(built, tmp_path / "release", "1"):
        forks = forked_by_the_server()
        assert len(forks) == 1
    assert time.monotonic() - start < 20
    _, alive = psutil.wait_procs(forks, timeout=20)
    assert not alive


def test_audit_that_is_killed_is_made_again(warm, tmp_path):
    built = build(tmp_path / "built")
    os.mkfifo(built / "tables" / "another.json")
    with audited_aside(built, tmp_path / "release", "1") as verdict:
        for each in forked_by_the_server():
            each.send_signal(signal.SIGKILL)
        assert verdict() is None
    (built / "tables" / "another.json").unlink()
    assert promote(built, tmp_path / "release", about=ABOUT, audited=None).manifest["audit"]["findings"] == 0


def test_audit_aside_is_the_one_that_is_made_here(warm, tmp_path):
    built = build(tmp_path / "built")
    with audited_aside(built, tmp_path / "release", "1") as verdict:
        found = verdict()
    here = Draft.open(built, tmp_path / "release", "1").verdict()
    assert (found.digest, found.effort, found.found.rows()) == (here.digest, here.effort, here.found.rows())


def test_audit_that_finds_something_is_left_to_the_gate(warm, tmp_path):
    # One table hides two agencies, the other shows one of them: with the total, the small number is 96 - 41 - 52.
    built = build(tmp_path / "built")
    shown = pl.DataFrame({"agency": ["Education", "Health"], "count": [41, 52]})
    publish(suppress(shown, Policy.dfe()), "shown", into=built, title="t", definition="d", measure="staff")
    with audited_aside(built, tmp_path / "release", "1") as verdict:
        assert verdict() is None
    with pytest.raises(DisclosureError, match="could be worked out"):
        promote(built, tmp_path / "release", about=ABOUT, audited=None)


def test_audit_of_other_tables_does_not_count(tmp_path):
    safe = Draft.open(build(tmp_path / "one"), tmp_path / "release", "1").verdict()
    assert safe.found.is_empty()
    built = build(tmp_path / "built")
    shown = pl.DataFrame({"agency": ["Education", "Health"], "count": [41, 52]})
    publish(suppress(shown, Policy.dfe()), "shown", into=built, title="t", definition="d", measure="staff")
    with pytest.raises(DisclosureError):
        promote(built, tmp_path / "release", about=ABOUT, audited=safe)


def test_audit_beside_another_release_does_not_count(tmp_path):
    # It was made while nothing stood; meanwhile another run has put its release there, which shows what is hidden here.
    built = build(tmp_path / "built")
    before = Draft.open(built, tmp_path / "release", "1").verdict()
    assert before.found.is_empty()
    other = tmp_path / "other"
    other.mkdir()
    shown = pl.DataFrame({"agency": ["Education", "Health"], "count": [41, 52]})
    publish(suppress(shown, Policy.dfe()), "shown", into=other, title="t", definition="d", measure="staff")
    promote(other, tmp_path / "release", about=ABOUT)
    with pytest.raises(DisclosureError, match="the release that stands"):
        promote(built, tmp_path / "release", about=ABOUT, audited=before)


def test_audit_counts_for_its_own_tables(tmp_path, monkeypatch):
    built = build(tmp_path / "built")
    verdict = Draft.open(built, tmp_path / "release", "1").verdict()
    monkeypatch.setattr(release, "joint_audit", lambda *_, **__: pytest.fail("audited twice"))
    made = promote(built, tmp_path / "release", about=ABOUT, audited=verdict)
    assert made.manifest["audit"] == {"effort": verdict.effort, "tables": 1, "findings": 0}
