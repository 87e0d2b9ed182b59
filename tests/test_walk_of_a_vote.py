"""One score of a vote, from the file of ballots to a release, as README.md tells it; the expected count is plain."""

import csv
from datetime import date
from pathlib import Path
from shutil import copytree

import pytest

from safeguarding_analytics.report import make_report

PROJECT = Path(__file__).parents[1]
DEMO = PROJECT / "data" / "demo_board"


def rows_of(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def plain_tally(issue):
    """How often members put an issue above and below another one; what is left off a ballot shares its last places."""
    ballots, issues = {}, [row["issue"] for row in rows_of(DEMO / "issues.csv")]
    for row in rows_of(DEMO / "ballots.csv"):
        ballots.setdefault(row["member"], {})[row["issue"]] = int(row["rank"])
    places = [{name: ballot.get(name, 10**6) for name in issues} for ballot in ballots.values()]
    above = sum(ballot[issue] < ballot[other] for ballot in places for other in issues)
    below = sum(ballot[issue] > ballot[other] for ballot in places for other in issues)
    return above, below


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vote")
    board = Path(copytree(DEMO, folder / "board"))
    made = make_report(board, folder / "out", only=["priorities"], today=date(2026, 1, 31))
    return made.release.folder


def test_score_of_neglect_is_the_one_that_a_plain_count_gives(release):
    assert plain_tally("Neglect") == (374, 42)
    (row,) = [row for row in rows_of(release / "tables" / "priorities.csv") if row["issue"] == "Neglect"]
    assert (float(row["above"]), float(row["below"]), float(row["score"])) == (374, 42, 332)
    page = (release / "pack" / "priorities.html").read_text(encoding="utf-8")
    assert "put above the others 374 times in all and below them 42 times; the difference is its score, 332." in page


def test_score_can_be_counted_again_from_the_published_tallies_of_any_issue(release):
    pairs = rows_of(release / "tables" / "priorities_head_to_head.csv")
    scores = {row["issue"]: float(row["score"]) for row in rows_of(release / "tables" / "priorities.csv")}
    counted = {
        issue: sum(float(row["wins"]) - float(row["losses"]) for row in pairs if row["issue"] == issue)
        for issue in scores
    }
    assert counted == scores
    assert len(scores) == 15


def test_files_that_the_readme_names_on_the_way_are_there():
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    said = readme.partition("Neglect's score, 332")[2].partition("follow them.")[0]
    for name in ("pairwise", "priorities", "vote_count", "priority_charts", "priority_sentences", "vote_release"):
        assert f"src/safeguarding_analytics/{name}.py" in said
        assert (PROJECT / "src" / "safeguarding_analytics" / f"{name}.py").is_file()
