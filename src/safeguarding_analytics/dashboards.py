"""What the notebooks of a dashboard are made with: the release that is served, and the answer to each question.

A page is a notebook in ``dashboards``, and nothing else: its address is the name of its file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

import polars as pl

from safeguarding_analytics.answers import (
    NOT_ANSWERED,
    NUMBERS_BEHIND,
    Html,
    show_table,
    show_text,
    tables_answering,
)
from safeguarding_analytics.cells import meanings_of
from safeguarding_analytics.chart_rows import sentence
from safeguarding_analytics.dates import day_in_words
from safeguarding_analytics.errors import ParameterError, SafeguardingError
from safeguarding_analytics.package_files import folder_of
from safeguarding_analytics.release import Entry, Release
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.tables import TOTAL
from safeguarding_analytics.vote_pages import say_missing, show_standing
from safeguarding_analytics.vote_standing import standing_of

SERVED = "SAFEGUARDING_RELEASE"
"""Environment variable that tells a dashboard's kernel which release to open."""

LIVE = "SAFEGUARDING_LIVE"
"""Environment variable that tells it, where ballots are counted as they come in, which file names the release."""

PAGES = folder_of("dashboard_pages", "dashboards")
"""Folder of the notebooks that pages are made of."""

FIRST = "overview"
"""The notebook whose address is the server itself."""

PROJECTOR = "priorities_live"
"""The notebook that takes its place while ballots are counted as they come in; no release shows it."""

OF_THE_VOTE = (PROJECTOR, "priorities")
"""The notebooks that are shown then."""


@dataclass(frozen=True)
class DashboardPage:
    """A notebook of a dashboard, and where it is found."""

    notebook: Path
    title: str
    address: str


def served_release() -> Release:
    """The release that this dashboard serves.

    Returns
    -------
    Release
        Opened anew, so that a reload shows a release that was promoted meanwhile. While ballots are counted as they
        come in, the release of the state that may be shown; its manifest then has ``live``, the `Standing` of the
        count.

    Raises
    ------
    SafeguardingError
        When the dashboard was not started with ``safeguarding dashboards RELEASE`` or ``safeguarding live FOLDER``.
    """
    live, folder = os.environ.get(LIVE, ""), os.environ.get(SERVED, "")
    if live:
        place, standing = standing_of(Path(live))
        release = Release.open(place)
        return Release(release.folder, {**release.manifest, "live": standing})
    if not folder:
        raise SafeguardingError("no release is served. Start the dashboard with: safeguarding dashboards RELEASE")
    return Release.open(folder)


def show_release(release: Release) -> Html:
    """Say whose figures these are, as at when, and which version of the data they come from.

    Parameters
    ----------
    release
        An open release.

    Returns
    -------
    Html
        One sentence. Of ballots that are counted as they come in: how many are counted, how many are held back and why,
        what is wrong with their file, and a link that counts again.
    """
    about, day = release.manifest, _as_at(release)
    if "live" in about:
        return show_standing(about["live"])
    as_at = f", as at {day}" if day else ""
    made = day_in_words(date.fromisoformat(about["made_on"]))
    said = f"{about['board']}{as_at}. Release made on {made} from data version {about['data_version']}."
    return Html(f"<p>{escape(said)}</p>", said)


def show_answer(
    release: Release,
    name: str,
    draw: Callable[..., Any] | None = None,
    *,
    target_from: str = "",
    order_from: str = "",
    also: tuple[Callable[..., Any], str] | None = None,
    columns: Sequence[str] = (),
    **options: Any,
) -> Html:
    """The answer to one question: its headline, its chart, the table behind it, the definition, and its day, if any.

    Parameters
    ----------
    release
        An open release.
    name
        Name of the table, or how it begins (``"training_reach"`` finds ``"training_reach_by_agency"``). Of several that
        begin so, one with a headline is shown.
    draw
        A chart function, such as those of `charts`. Without one, or where it cannot draw the table, the table
        itself is the answer.
    target_from
        Name of a table of shape progress, of the same release: the chart's ``target`` is taken from it, of each group
        where the chart shows its groups, else in all.
    order_from
        Name of a table of shape ranking, of the same release: the chart's ``order`` of the issues, and those that are
        ``selected``, are taken from it.
    also
        Another chart function, for a second chart of the same table, and its title.
    columns
        Columns to show of a table that is wider than a page, where it has them, in this order; the note names the file
        that has all of them. Empty for all.
    options
        Passed to the first chart function; its title is that of the table if it is not given.

    Returns
    -------
    Html
        The answer, without a headline where the table has none; a sentence where the release has no such table.
    """
    headlines = {each: release.entry(each).headline for each in release.tables()}
    found = [each for each in tables_answering(name, headlines) if not release[each].frame().is_empty()]
    if not found:
        said = next((headlines[each] for each in tables_answering(name, headlines) if headlines[each]), NOT_ANSWERED)
        return show_text(say_missing(release, name) if "live" in release.manifest else said)
    entry, table = release.entry(found[0]), release[found[0]]
    options.setdefault("title", entry.title)
    if target_from in release.tables():
        aim = _target(release[target_from], table)
        # Districts with targets of their own need not add up to that of the programme, which the headline names.
        if not (isinstance(aim, int) and entry.headline and f"{aim:,}" not in entry.headline):
            options["target"] = aim
    if order_from in release.tables():
        ranked = release[order_from].frame().sort("rank", "issue", nulls_last=True)
        options["order"] = ranked["issue"].to_list()
        options["selected"] = ranked.filter("selected")["issue"].to_list()
    there = [each for each in columns if each in table.frame().columns]
    headline, numbers = show_text(entry.headline), show_table(table, caption=entry.title, columns=there)
    day = _day_of(entry, release)
    hidden = "".join(f" {meaning}" for meaning in meanings_of({*table.frame()["mark"]}))
    more = f" The file {found[0]}.csv of the release has more columns." if there else ""
    note = f"Definition: {sentence(entry.definition)}{f' As at {day}.' if day else ''}{hidden}{more}"
    charts = _shown(table, numbers, draw, options, also)
    html = f'{headline.html}{charts}<p class="note">{escape(note)}</p>'
    return Html(html, "\n".join(filter(None, [headline.text, numbers.text, note])))


def asked_for(release: Release, name: str, parameter: str) -> str:
    """The value of a parameter with which the notebook of a table ran.

    Parameters
    ----------
    release
        An open release.
    name
        Name of the table.
    parameter
        Name of the parameter.

    Returns
    -------
    str
        Empty where the release has no such table, or does not say.
    """
    return release.entry(name).parameters.get(parameter, "") if name in release.tables() else ""


def _shown(
    table: Safe,
    numbers: Html,
    draw: Callable[..., Any] | None,
    options: Mapping[str, Any],
    also: tuple[Callable[..., Any], str] | None = None,
) -> str:
    """A chart with its numbers folded behind it; the numbers alone where there is no chart of them."""
    if draw is None:
        return numbers.html
    try:
        figure = draw(table, **options)._repr_mimebundle_()["text/html"]
        if also:
            draw_also, title = also
            figure += draw_also(table, title=title)._repr_mimebundle_()["text/html"]
    except ParameterError:  # such as more groups than a chart can tell apart
        return numbers.html
    return f"{figure}<details><summary>{NUMBERS_BEHIND}</summary>{numbers.html}</details>"


def _target(progress: Safe, drawn: Safe) -> int | dict[str, int] | None:
    """What is to be reached: of each group, where a drawn table has the groups of the progress, else in all."""
    frame = progress.frame()
    group, *_ = progress.shape.group_columns(frame.columns)  # a further one, such as the month, tells as at when
    targets = dict(frame.select(pl.col(group).cast(pl.String), "target").drop_nulls().iter_rows())
    if group in drawn.frame().columns:
        return targets
    return targets.get(TOTAL, sum(targets.values()) if len(targets) == frame.height else None)


def pages_in(folder: Path, *, live: bool = False) -> list[DashboardPage]:
    """The pages that a folder of notebooks makes, in the order that the notebooks give themselves.

    Parameters
    ----------
    folder
        Folder of the notebooks.
    live
        Whether ballots are counted as they come in: then there are the pages of the vote alone, that for the projector
        first, which a release has not.
    """
    paths = [path for path in folder.glob("*.ipynb") if (path.stem in OF_THE_VOTE if live else path.stem != PROJECTOR)]
    read = {path: json.loads(path.read_text(encoding="utf-8"))["metadata"] for path in paths}
    first = PROJECTOR if live else FIRST
    return [
        DashboardPage(path, about["title"], "/" if path.stem == first else f"/{path.stem}")
        for path, about in sorted(
            read.items(), key=lambda each: (each[0].stem != first, each[1]["safeguarding"]["order"])
        )
    ]


def _day_of(entry: Entry, release: Release) -> str:
    """The day of the evaluation that a table was asked for, or that of the board, in words; empty where it has none."""
    if "as_at" not in entry.parameters:  # such as a year of plans, or a vote
        return ""
    asked = str(entry.parameters["as_at"]).strip()
    return day_in_words(date.fromisoformat(asked)) if asked else _as_at(release)


def _as_at(release: Release) -> str:
    """The day on which the numbers of a release hold, in words; empty where it does not say."""
    day = release.manifest.get("as_at", "")
    return day_in_words(date.fromisoformat(day)) if day else ""
