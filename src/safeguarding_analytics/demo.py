"""The synthetic board: every table of a board's folder, made up from one seed.

Calibrated to what the Kent and Kirklees documents print (see ``data/published/README.md``): the workshops' districts,
dates and venues, the 76% of places that went to health and CFE, the 920 plan starts of 2007/08 with 19.2% second or
subsequent, the 15 issues and the four agreed priorities, the eight themes of three boards. The rest is invented:
areas, costs, head-counts, agencies' other shares, the other issues, two boards' names, every question, answer, ballot,
booking and plan, and every staff and training record. Of the 18 agencies nine keep a record of all eligible staff, five
of some and four of none: the first needs analysis of Kirklees found records lacking, but printed no figures. Courses
taken elsewhere are named as in the Kirklees table of target groups. The workshops of five districts lie six weeks back
on 1 July 2011 and have a follow-up, made up like all that is answered. The three extra dates of July 2011 are left out:
the board is as it stood on 1 July, before the first of them.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from safeguarding_analytics.demo_answers import item_rows, score_rows
from safeguarding_analytics.demo_draws import Draws
from safeguarding_analytics.demo_facts import (
    AGENCIES,
    BOARDS,
    FIRST_LINES,
    ISSUES,
    LEADS,
    POPULATION,
    SETTINGS,
    THEMES,
)
from safeguarding_analytics.demo_plans import conference_rows, plan_history, plan_rows, review_rows
from safeguarding_analytics.demo_training import (
    Row,
    booking_rows,
    session_rows,
    staff_rows,
    training_record_rows,
    workforce_rows,
)
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.placed_folders import previous
from safeguarding_analytics.release import Release, is_release
from safeguarding_analytics.scaffold import board_toml
from safeguarding_analytics.tables import TABLES

NOT_WRITTEN = {"items": ["course"], "population": ["district"], "themes": ["in_place"]}
"""Optional columns that a file lacks: there is one course, and so one questionnaire; districts have no estimate."""

BY_ALIAS = ("scores", "staff", "training_records")
"""Files that name agencies by their first alias."""


def _ballots(draws: Draws) -> list[Row]:
    """Rows of the ballots table: a third of the members see no more than a few steps, so they tie."""
    rows: list[Row] = []
    for member, agency in enumerate((p.agency for p in AGENCIES for _ in range(p.seats)), 1):
        steps = draws.weighted({1000: 2, 3: 1})
        appeal = {issue: math.floor((average + 0.9 * draws.bell()) * steps) for issue, _, average in ISSUES}
        ranked = sorted(draws.shuffled(appeal), key=lambda issue: -appeal[issue])
        for issue in ranked[: draws.weighted({15: 50, 8: 30, 5: 20})]:
            place = 1 + sum(other > appeal[issue] for other in appeal.values())
            rows.append((f"M{member:02d}", agency, issue, place))
    return rows


def _themes(draws: Draws) -> list[Row]:
    def near(average: int) -> float:
        return float(min(10, max(1, average + draws.whole(-2, 2))))

    return [
        (board, theme, near(urgent), near(important), LEADS[theme][0] == place, place in LEADS[theme][1], None)
        for place, board in enumerate(BOARDS)
        for theme, urgent, important in THEMES
    ]


def demo_tables(seed: int = 2011) -> dict[str, pl.DataFrame]:
    """Every table of the synthetic board, by name.

    Parameters
    ----------
    seed
        Where the drawing starts. The same seed gives the same tables on every platform and version.

    Returns
    -------
    dict[str, pl.DataFrame]
        The fifteen tables of `safeguarding_analytics.tables.TABLES`, each in a fixed row order and within its contract.
        Synthetic, so nothing is suppressed.

    Notes
    -----
    Whatever the seed: 24 sessions of 50 places on the published days; health and CFE take 76% of the places attended;
    177 of 920 plans that start in the year to 31 March 2008 are second or subsequent, 813 end in it, and 864 + 920 -
    813 = 971 are open on its last day (Kent's report printed 960); nine agencies keep a record of all their eligible
    staff. What depends on the seed: who gains how much, who is up to date, and which issues win.

    References
    ----------
    Kent district safeguarding workshops plan, 2011; Kent Safeguarding Children Board, Annual Report 2007-08; Kirklees
    Safeguarding Children Board, newsletter 14, January 2016, and
    Multi-agency Learning and Development Strategy, 2011-14 (names of courses).

    Examples
    --------
    >>> tables = demo_tables()
    >>> tables["sessions"].select("session", "district", "date", "half_day").row(0)
    ('S01', 'Tunbridge Wells', datetime.date(2011, 5, 10), 'morning')
    >>> tables["plans"].height  # 700 open on 1 April 2003, and 800 + 840 + 880 + 972 + 920 that started in five years
    5112
    """
    sessions = session_rows()
    bookings = booking_rows(Draws(seed, "bookings"), {str(row[0]): str(row[4]) for row in sessions})
    days = {str(row[0]): row[6] for row in sessions}
    staff = staff_rows(Draws(seed, "staff"), bookings, days)
    plans = plan_rows(plan_history(Draws(seed, "plans")), Draws(seed, "categories"))
    rows: dict[str, Sequence[Row]] = {
        "agencies": [(profile.agency, profile.sector, ";".join(profile.aliases), None, None) for profile in AGENCIES],
        "workforce": workforce_rows(),
        "sessions": sessions,
        "bookings": bookings,
        "staff": staff,
        "training_records": training_record_rows(Draws(seed, "training_records"), bookings, staff),
        "items": item_rows(),
        "scores": score_rows(seed, bookings, sessions),
        "plans": plans,
        "conferences": conference_rows(plans, Draws(seed, "conferences")),
        "reviews": review_rows(plans, Draws(seed, "reviews")),
        "population": [("Kent", None, str(year), children) for year, children in POPULATION],
        "issues": [(issue, description) for issue, description, _ in ISSUES],
        "ballots": _ballots(Draws(seed, "ballots")),
        "themes": _themes(Draws(seed, "themes")),
    }
    return {
        name: pl.DataFrame(rows[name], {key: column.dtype for key, column in schema.columns().items()}, orient="row")
        for name, schema in TABLES.items()
    }


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def write_demo_board(folder: Path, seed: int = 2011) -> None:
    """Write the synthetic board: ``board.toml`` and one CSV per table, the same bytes for the same seed.

    Parameters
    ----------
    folder
        Made if it does not exist. May hold an earlier synthetic board, which is overwritten.
    seed
        As for `demo_tables`.

    Raises
    ------
    ParameterError
        When the folder holds such a file but no synthetic ``board.toml``: real data is never overwritten.

    Notes
    -----
    ``scores.csv``, ``staff.csv`` and ``training_records.csv`` name agencies by their first alias ("CFE"), as
    questionnaires and agencies' own systems do; the reader of a board's folder turns aliases into names.
    """
    config = folder / "board.toml"
    names = [config.name, *(f"{name}.csv" for name in TABLES)]
    first_line = FIRST_LINES.split("\n", 1)[0]
    ours = config.is_file() and config.read_text(encoding="utf-8", errors="replace").startswith(first_line)
    in_the_way = [name for name in names if (folder / name).exists()]
    if in_the_way and not ours:
        raise ParameterError(
            f"{folder} already holds {in_the_way[0]}, which the demonstration did not write. "
            "Wanted: an empty or new folder, so that no real data is overwritten. Choose another folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    config.write_text(board_toml(FIRST_LINES, SETTINGS), encoding="utf-8", newline="\n")
    short = {profile.agency: profile.aliases[0] for profile in AGENCIES}
    for name, frame in demo_tables(seed).items():
        written = frame.with_columns(pl.col("agency").replace(short)) if name in BY_ALIAS else frame
        written = written.drop(NOT_WRITTEN.get(name, []))
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(written.columns)
            writer.writerows([_as_text(value) for value in row] for row in written.iter_rows())


def refuse_real_release(place: Path) -> None:
    """Refuse to put the demonstration's release where another board's release stands.

    Parameters
    ----------
    place
        Where the release is to stand.

    Raises
    ------
    ParameterError
        When a release stands there that the demonstration did not make.
    """
    there = is_release(place) or is_release(previous(place))
    if there and Release.open(place).manifest.get("board") != SETTINGS["board.name"].strip('"'):
        raise ParameterError(f"{place} is the release of another board and would be lost. Choose another folder.")
