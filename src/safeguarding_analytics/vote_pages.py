"""What a dashboard shows of a vote: the issues that are in, all of them in order, the rule, and the sum to do again."""

from __future__ import annotations

from html import escape
from typing import Any

import polars as pl

from safeguarding_analytics.answers import Html, show_text
from safeguarding_analytics.errors import in_words
from safeguarding_analytics.priority_sentences import HIDDEN_RANKING, say_recount
from safeguarding_analytics.release import Release
from safeguarding_analytics.vote_standing import Standing, say_standing

RANKING, PAIRS = "priorities", "priorities_head_to_head"
NOT_YET = "Nothing is shown here yet: it waits for more ballots."
WITH_ALL = "This is shown once all members have voted: two states would tell what a member of a small agency put first."
NO_TALLIES = "This release does not hold the tallies of a vote."
NOT_LIVE = "This is not counted while ballots come in: a report of the board answers it."


def show_standing(standing: Standing) -> Html:
    """Say how far a count has come, and what is wrong with the ballots, with a link that counts them again.

    Parameters
    ----------
    standing
        How far the count has come.
    """
    first, *others = say_standing(standing)
    trouble = list(standing.trouble)
    if trouble and standing.counted:
        trouble.append("The last count is shown.")
    state = f'<p class="state"><strong>{escape(first)}</strong> {escape(" ".join(others))}</p>'
    html = f'{_message(trouble)}{state}<p class="again"><a href="">Count again</a></p>'
    return Html(html, "\n".join([*trouble, first, *others]))


def say_missing(release: Release, name: str) -> str:
    """Say why a table is not there while ballots still come in.

    Parameters
    ----------
    release
        The release of the state that is shown.
    name
        Name of the table.
    """
    if not name.startswith(RANKING):
        return NOT_LIVE
    return WITH_ALL if RANKING in release.tables() else NOT_YET


def show_chosen(release: Release) -> Html:
    """Name the issues that a vote selects, as a numbered list, and say loudly which ones a tie at the cut leaves open.

    Parameters
    ----------
    release
        An open release.
    """
    rows = _ranked(release)
    if rows.is_empty():
        return _nothing(release)
    chosen = rows.filter(pl.col("selected"))
    tied = rows.filter(pl.col("selected").is_null())["issue"].to_list()
    names = "".join(f'<li value="{row["rank"]}">{escape(row["issue"])}</li>' for row in chosen.iter_rows(named=True))
    said = [f"{row['rank']}. {row['issue']}" for row in chosen.iter_rows(named=True)]
    tie = [f"A tie at the cut: {in_words(tied)}{_places(release, chosen.height)}. The board decides."] if tied else []
    return Html(f'<ol class="chosen">{names}</ol>{_message(tie)}' if said else _message(tie), "\n".join([*said, *tie]))


def show_issues(release: Release) -> Html:
    """Show all issues of a vote in order: whether each is in, its points as a bar, and how firm that is in words.

    Parameters
    ----------
    release
        An open release.

    Returns
    -------
    Html
        A table. A bar ends at the right where every member has put the issue first; there is none where issues left off
        are not compared, since ballots do not share one scale then.
    """
    rows = _ranked(release)
    if rows.is_empty():
        return _nothing(release)
    weight = (2 * pl.col("points") - pl.col("score")) / (rows.height + 1)
    shown = rows.with_columns(share=(pl.col("points") / (weight * rows.height)).fill_null(0.0))
    lines = list(shown.iter_rows(named=True))
    last = max((place for place, line in enumerate(lines) if line["selected"] is not False), default=-1)
    body = "".join(_line(line, at_cut=place == last < len(lines) - 1) for place, line in enumerate(lines))
    firm = '<th scope="col">How firm</th>' if rows["firmness"].count() else ""
    head = f'<tr><th scope="col">Place</th><th scope="col">Issue</th>{firm}</tr>'
    html = f'<table class="issues"><thead>{head}</thead><tbody>{body}</tbody></table>'
    said = [
        ", ".join(filter(None, [f"{line['rank']}. {line['issue']}: {_state(line)}", line["firmness"]]))
        for line in lines
    ]
    return Html(html, "\n".join(said))


def show_rule(release: Release) -> Html:
    """Say how ballots are counted, and where that is fixed.

    Parameters
    ----------
    release
        An open release, of ballots that are counted as they come in.
    """
    standing: Standing = release.manifest["live"]
    said = f"{standing.rule} The rule stands in the board's settings, and cannot be changed while this count goes on."
    return Html(f"<p>{escape(said)}</p>", said)


def show_recount(release: Release) -> Html:
    """Work out one score from the published tallies, as a member can do for every issue.

    Parameters
    ----------
    release
        An open release.
    """
    if PAIRS not in release.tables() or not {"above", "below"} <= set(release[RANKING].frame().columns):
        return show_text(NOT_YET if "live" in release.manifest else NO_TALLIES)
    said = say_recount(release[RANKING])
    return Html(f"<p>{escape(said)}</p>", said)


def _ranked(release: Release) -> pl.DataFrame:
    """The issues in order; no rows where there is no ranking, or it is hidden."""
    if RANKING not in release.tables():
        return pl.DataFrame()
    return release[RANKING].frame().drop_nulls("rank").sort("rank", "issue")


def _nothing(release: Release) -> Html:
    return show_text(HIDDEN_RANKING if RANKING in release.tables() else NOT_YET)


def _places(release: Release, chosen: int) -> str:
    """How many places a tie is about, where that is known."""
    standing = release.manifest.get("live")
    left = standing.seats - chosen if standing else 0
    return f" for {left} further {'place' if left == 1 else 'places'}" if left else ""


def _line(line: dict[str, Any], *, at_cut: bool) -> str:
    classes = [{True: "in", None: "tied"}.get(line["selected"], "out"), *(["cut"] if at_cut else [])]
    issue, state = escape(line["issue"]), _state(line)
    firm = f"<td>{escape(line['firmness'])}</td>" if line["firmness"] else ""
    return (
        f'<tr class="{" ".join(classes)}"><td class="number">{line["rank"]}</td>'
        f'<th scope="row" style="--share: {line["share"]:.1%}">{issue}<span class="unseen">, {state}</span></th>'
        f"{firm}</tr>"
    )


def _state(line: dict[str, Any]) -> str:
    return {True: "in", False: "out"}.get(line["selected"], "tied at the cut")


def _message(lines: list[str]) -> str:
    return f'<div class="message">{"".join(f"<p>{escape(line)}</p>" for line in lines)}</div>' if lines else ""
