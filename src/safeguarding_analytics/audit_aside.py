"""The audit of a release that is being built, in a process of its own while its pages are written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from safeguarding_analytics.auditing import audit
from safeguarding_analytics.forked_answers import answered_aside
from safeguarding_analytics.release import Draft, Verdict


@contextmanager
def audited_aside(built: Path, place: Path, data_version: str) -> Iterator[Callable[[], Verdict | None]]:
    """Audit what notebooks published, beside what this process does.

    Parameters
    ----------
    built
        Folder of the release being built. Its tables must not change any more.
    place
        Where the release shall stand.
    data_version
        Of what data it is.

    Yields
    ------
    Callable
        Waits for the audit. None where it could not be made aside, or found something: `promote` then makes it, and
        says what it found.
    """
    with answered_aside(audit_in_words, str(built), str(place), data_version) as answer:

        def verdict() -> Verdict | None:
            said = answer()
            return Verdict(**json.loads(said), found=audit([])) if said else None

        yield verdict


def audit_in_words(built: str, place: str, data_version: str) -> str:
    """How thorough the audit of a release that is being built was, and of which tables; nothing where it found any.

    Parameters
    ----------
    built, place, data_version
        As for `audited_aside`.

    Raises
    ------
    SafeguardingError
        As `Draft.open` does.
    """
    verdict = Draft.open(Path(built), Path(place), data_version).verdict()
    return json.dumps({"digest": verdict.digest, "effort": verdict.effort}) if verdict.found.is_empty() else ""
