"""Ballots counted while they still come in: what may be shown of them, and files that are not yet as they should be."""

import json
from datetime import datetime
from itertools import combinations, pairwise
from pathlib import Path
from random import Random

import polars as pl
import pytest
import xlsxwriter

from safeguarding_analytics.errors import TableError
from safeguarding_analytics.live_count import BY_AGENCY, NOT_COUNTED, RULE_CHANGED, LiveCount
from safeguarding_analytics.pseudonyms import write_key
from safeguarding_analytics.release import Release
from safeguarding_analytics.vote_pages import (
    NOT_LIVE,
    NOT_YET,
    WITH_ALL,
    say_missing,
    show_chosen,
    show_issues,
    show_recount,
    show_rule,
    show_standing,
)
from safeguarding_analytics.vote_standing import (
    Standing,
    ballots_to_show,
    differing,
    next_state,
    say_standing,
    standing_of,
)

ISSUES = ["Bullying", "Neglect", "Radicalisation", "Self-harm"]
NAMES = [f"{first} Fictional{last}" for first in ("Aled", "Bronwen", "Carys", "Dylan") for last in "abc"]
"""Twelve members, by names that may stand nowhere."""

AGENCIES = ["Health", "Police", "Education"]
CONFIG = '[board]\nname = "A <board>"\n[priorities]\nseats = 2\nresamples = 100\nmembers = 12\n'


# Which ballots may be counted


@pytest.mark.parametrize("minimum", [3, 4, 5])
@pytest.mark.parametrize("members", [None, 1, 2, 3, 4, 7, 8, 12, 16])
def test_any_two_counts_of_any_arrivals_differ_by_none_or_by_a_block(minimum, members):
    """Ballots come one by one and pages are loaded at any times: those are all pairs of numbers of ballots."""
    for early, late in combinations(range(31), 2):
        shown, then = ballots_to_show(early, minimum, members), ballots_to_show(late, minimum, members)
        complete = members is not None and early >= members
        if shown and not complete:  # of no ballots nothing is shown; of further ballots than members: `next_state`
            assert shown % minimum == 0
            assert then == shown or then - shown >= minimum
            assert late - shown >= minimum  # the report that is made in the end counts all that have come


def test_numbers_of_ballots_shown_are_multiples_with_a_block_held_back():
    assert [ballots_to_show(cast, 3) for cast in range(13)] == [0, 0, 0, 0, 0, 0, 3, 3, 3, 6, 6, 6, 9]
    assert [ballots_to_show(cast, 3, 8) for cast in range(10)] == [0, 0, 0, 0, 0, 0, 3, 3, 8, 9]
    assert [ballots_to_show(cast, 4, 2) for cast in range(4)] == [0, 0, 2, 3]


def walk(steps, minimum, members):
    """Every state that pages show while a file goes through the steps, each of them all ballots by member."""
    shown = []
    for cast in steps:
        following = next_state(shown, cast, minimum, members)
        if following is not None:
            shown.append(following)
    return shown


def assert_no_two_tell_a_ballot(shown, minimum):
    for one, other in combinations([{}, *shown], 2):
        different = {member for member in {*one, *other} if one.get(member) != other.get(member)}
        assert not 0 < len(different) < minimum


@pytest.mark.parametrize("members", [None, 7, 9])
def test_one_ballot_replaced_at_any_time_is_never_told(members):
    """All histories of nine arrivals in which one member of them sends a second ballot at some moment."""
    names = list("abcdefghi")
    for who in names:
        for moment in range(len(names) + 1):
            cast, steps = {}, []
            for number, name in enumerate(names):
                if number == moment and who in cast:
                    cast = {**cast, who: "second"}
                    steps.append(cast)
                cast = {**cast, name: "first"}
                steps.append(cast)
            if moment == len(names):
                steps.append({**cast, who: "second"})
            shown = walk(steps, 3, members)
            assert_no_two_tell_a_ballot(shown, 3)
            assert len(shown[0]) == 3


def test_histories_with_any_changes_never_tell_fewer_than_a_block():
    """Ballots come, are replaced, put back and taken away at random: 300 histories, seeded."""
    draw = Random(7)
    longest = 0
    for _ in range(300):
        minimum, members = draw.choice([3, 4]), draw.choice([None, 10, 20])
        cast, steps = {}, []
        for number in range(60):
            kind = draw.random()
            if kind < 0.6 or not cast:
                cast = {**cast, f"m{number}": "first"}
            elif kind < 0.9:
                cast = {**cast, draw.choice(sorted(cast)): draw.choice(["first", "second"])}
            else:
                gone = draw.choice(sorted(cast))
                cast = {member: ballot for member, ballot in cast.items() if member != gone}
            steps.append(cast)
        shown = walk(steps, minimum, members)
        longest = max(longest, len(shown))
        assert_no_two_tell_a_ballot(shown, minimum)
        assert all(len(one) <= len(other) for one, other in pairwise(shown))
    assert longest > 5


def test_ballots_stay_counted_whatever_the_order_of_the_file():
    first = dict.fromkeys("fedcba", "1")
    (state,) = walk([first], 3, None)
    assert list(state) == ["f", "e", "d"]
    later = dict.fromkeys(sorted([*first, "A", "B", "C"]), "1")
    assert set(walk([first, later], 3, None)[-1]) == {*"fed", *"ABC"}


def test_a_counted_ballot_that_changes_is_taken_up_with_the_next_block():
    six = dict.fromkeys("abcdef", "1")
    changed = {**six, "a": "2"}
    (state,) = walk([six, changed], 3, None)
    assert state["a"] == "1"
    assert walk([six, changed, {**changed, **dict.fromkeys("ghi", "1")}], 3, None)[-1] == {
        "a": "2",
        "b": "1",
        "c": "1",
        **dict.fromkeys("def", "1"),
    }


def test_a_ballot_that_changes_after_the_full_count_stays_as_it_was():
    all_in = dict.fromkeys("abcd", "1")
    assert walk([all_in, {**all_in, "a": "2"}], 3, 4) == [all_in]
    others = {**dict.fromkeys("abc", "2"), "d": "1"}
    assert walk([all_in, others], 3, 4) == [all_in, others]


def test_differing_counts_members_and_not_versions():
    assert differing({"a": "1", "b": "1"}, {"a": "2", "c": "1"}) == 3


# What is said of it


def standing(**others):
    return Standing(**{"minimum": 3, "seats": 2, "rule": "Add up.", "members": 30, **others})


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (
            {"cast": 8, "counted": 3, "counted_at": "14:32"},
            "This is a state and not the result: 8 of 30 members have voted. 3 ballots are counted, at 14:32, and 5 "
            "held back: two states that differ by fewer than 3 ballots would tell what is on one of them.",
        ),
        (
            {"cast": 8, "counted": 3, "changed": 1, "counted_at": "14:32", "members": None},
            "This is a state and not the result until all members have voted. 3 ballots are counted, at 14:32, and 6 "
            "held back (1 of them replaced or taken away since): two states that differ by fewer than 3 ballots would "
            "tell what is on one of them.",
        ),
        (
            {"cast": 5},
            "This is a state and not the result: 5 of 30 members have voted. A first state is shown from 6 ballots on: "
            "ballots are counted 3 at a time and the newest 3 are held back, so that nobody's ballot can be told.",
        ),
        (
            {"cast": 30, "counted": 30, "counted_at": "15:00"},
            "All 30 ballots are counted, at 15:00: every member has voted.",
        ),
    ],
)
def test_standing_is_said_in_plain_words(others, said):
    assert " ".join(say_standing(standing(**others))) == said


def test_a_full_count_is_no_longer_said_to_be_complete_once_a_ballot_changes():
    said = say_standing(standing(cast=30, counted=30, changed=1, counted_at="15:00"))
    assert said[0] == "This is a state and not the result: 30 of 30 members have voted."


def test_trouble_stands_on_the_page_as_text():
    html = show_standing(standing(cast=8, counted=3, counted_at="14:32", trouble=("votes.csv: <b>row 4</b>.",))).html
    assert '<div class="message"><p>votes.csv: &lt;b&gt;row 4&lt;/b&gt;.</p>' in html
    assert "<p>The last count is shown.</p></div>" in html
    assert '<a href="">Count again</a>' in html


# A file that is filling


def ballot(number, order=ISSUES):
    """The rows of one member."""
    return [f'"{NAMES[number]}",{AGENCIES[number % 3]},{issue},{rank}\n' for rank, issue in enumerate(order, 1)]


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "board"
    place.mkdir()
    (place / "board.toml").write_text(CONFIG)
    (place / "issues.csv").write_text("issue,description\n" + "".join(f"{issue},\n" for issue in ISSUES))
    (place / "agencies.csv").write_text(
        "agency,sector,aliases\n" + "".join(f"{agency},Other,\n" for agency in AGENCIES)
    )
    return place


@pytest.fixture
def count(folder, tmp_path):
    (tmp_path / "shelf").mkdir()
    times = (datetime(2026, 11, 22, 14, minute) for minute in range(60))
    return LiveCount(folder, tmp_path / "shelf", lambda: next(times))


def write(folder, ballots, more=""):
    text = "member,agency,issue,rank\n" + "".join(row for rows in ballots for row in rows) + more
    (folder / "ballots.csv").write_text(text)


def shown(count):
    """The release that a page opens."""
    place, found = standing_of(count.status)
    release = Release.open(place)
    return Release(release.folder, {**release.manifest, "live": found})


def test_states_are_shown_in_blocks_until_all_have_voted(count, folder):
    seen = []
    for number in range(1, len(NAMES) + 1):
        write(folder, map(ballot, range(number)))
        found = count.refresh()
        assert found.trouble == ()
        seen.append((found.cast, found.counted))
        tables = shown(count).tables()
        assert bool(tables) == (found.counted > 0)
        if tables:
            assert shown(count)["priorities"].frame()["n_ballots"].to_list() == [found.counted] * len(ISSUES)
        assert set(BY_AGENCY) <= set(tables) or not found.complete
        assert set(BY_AGENCY).isdisjoint(tables) or found.complete
    assert seen == [
        *((1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 3), (7, 3), (8, 3), (9, 6), (10, 6), (11, 6), (12, 12)),
    ]
    assert found.complete


def test_the_count_is_that_of_the_ballots_in_it_alone(count, folder):
    """Three members: Neglect first, then Bullying. Those held back say the contrary."""
    ours = ["Neglect", "Bullying", "Self-harm", "Radicalisation"]
    write(
        folder, [*(ballot(number, ours) for number in range(3)), *(ballot(number, ours[::-1]) for number in (3, 4, 5))]
    )
    count.refresh()
    rows = shown(count)["priorities"].frame().select("issue", "score", "points", "selected").rows()
    assert rows == [
        ("Neglect", 9.0, 12.0, True),
        ("Bullying", 3.0, 9.0, True),
        ("Self-harm", -3.0, 6.0, False),
        ("Radicalisation", -9.0, 3.0, False),
    ]
    assert show_chosen(shown(count)).text == "1. Neglect\n2. Bullying"


def test_nothing_of_agencies_is_told_before_the_full_count(count, folder):
    write(folder, map(ballot, range(9)))
    count.refresh()
    release = shown(count)
    assert release["priorities_checks"].frame().select("other_weight_rank", "without_agency").null_count().row(0) == (
        4,
        4,
    )
    assert release["priorities_polarisation"].frame()["eta_squared"].null_count() == 4
    assert say_missing(release, "priorities_agencies") == WITH_ALL
    assert say_missing(release, "shared_themes") == NOT_LIVE


def test_a_reload_without_a_new_block_counts_nothing_anew(count, folder):
    write(folder, map(ballot, range(6)))
    first = count.refresh()
    place = shown(count).folder
    write(folder, map(ballot, range(8)))
    assert count.refresh().counted_at == first.counted_at
    assert shown(count).folder == place


def test_the_state_that_a_page_still_reads_stays_when_the_next_one_is_counted(count, folder):
    write(folder, map(ballot, range(6)))
    count.refresh()
    before = shown(count)
    write(folder, map(ballot, range(9)))
    count.refresh()
    assert before["priorities"].frame()["n_ballots"][0] == 3
    assert shown(count)["priorities"].frame()["n_ballots"][0] == 6


def test_no_name_of_a_member_is_in_what_is_written(count, folder, tmp_path):
    for number in (6, 9, 12):
        write(folder, map(ballot, range(number)))
        assert count.refresh().trouble == ()
    files = [path for path in (tmp_path / "shelf").rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path.name for path in files if b"Fictional" in path.read_bytes()] == []


def half_a_workbook(folder):
    path = folder / "ballots.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write_row(0, 0, ["member", "agency", "issue", "rank"])
    path.write_bytes(path.read_bytes()[:900])
    (folder / "ballots.csv").unlink()


TROUBLES = {
    "torn in a row": (lambda folder: write(folder, map(ballot, range(9)), '"Aled Fictionalz",Hea'), "ballots.csv: "),
    "torn in a name": (lambda folder: write(folder, map(ballot, range(9)), '"Aled Fictionalz'), "ballots.csv: "),
    "torn in an issue": (
        lambda folder: write(folder, map(ballot, range(9)), '"Aled Fictionalz",Health,Negl,1'),
        "ballots.csv, column issue: 1 of 37 rows: row 38.",
    ),
    "a name for an issue": (
        lambda folder: write(folder, map(ballot, range(9)), '"Aled Fictionalz",Health,Aled Fictionalz,1'),
        "ballots.csv, column issue: 1 of 37 rows: row 38.",
    ),
    "no agency": (
        lambda folder: write(folder, map(ballot, range(9)), '"Aled Fictionalz",,Neglect,1'),
        "ballots.csv, column agency: 1 of 37 rows: row 38.",
    ),
    "unknown agency": (
        lambda folder: write(folder, map(ballot, range(9)), '"Aled Fictionalz",Helth,Neglect,1'),
        "ballots.csv, column agency: 1 of 37 rows: row 38.",
    ),
    "zero bytes": (lambda folder: (folder / "ballots.csv").write_bytes(b""), "ballots.csv: the file is empty."),
    "header alone": (lambda folder: write(folder, []), "ballots.csv: the file must hold at least one row"),
    "header alone, torn": (lambda folder: (folder / "ballots.csv").write_text("member,age"), "ballots.csv"),
    "zeros": (lambda folder: (folder / "ballots.csv").write_bytes(b"\x00" * 512), "ballots.csv: "),
    "missing": (lambda folder: (folder / "ballots.csv").unlink(), "ballots.csv: the file is not there yet."),
    "half a workbook": (half_a_workbook, "ballots.xlsx: "),
    "a folder": (
        lambda folder: [(folder / "ballots.csv").unlink(), (folder / "ballots.csv").mkdir()],
        "ballots.csv: this is a folder, not a file.",
    ),
    "settings being saved": (lambda folder: (folder / "board.toml").write_text("[prior"), "board.toml"),
    "no settings in them": (lambda folder: (folder / "board.toml").write_bytes(b"\xff\x00"), "board.toml"),
    "another rule": (
        lambda folder: (folder / "board.toml").write_text(CONFIG.replace("seats = 2", "seats = 1")),
        RULE_CHANGED,
    ),
    "another issue": (
        lambda folder: (folder / "issues.csv").open("a").write("Domestic abuse,\n"),
        RULE_CHANGED,
    ),
}


@pytest.mark.parametrize("name", TROUBLES)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_cannot_be_read_is_said_and_the_last_state_stays_until_it_can(count, folder, tmp_path, name):
    spoil, said = TROUBLES[name]
    write(folder, map(ballot, range(6)))
    good, before = count.refresh(), shown(count)
    spoil(folder)
    found = count.refresh()
    assert found.trouble
    assert found.trouble[0].startswith(said)
    text = " ".join(found.trouble)
    assert [word for word in ("Fictional", "Traceback", "Helth", str(tmp_path)) if word in text] == []
    assert NOT_COUNTED not in text
    assert (found.counted, found.counted_at) == (good.counted, good.counted_at)
    assert shown(count).folder == before.folder
    assert shown(count)["priorities"].frame().equals(before["priorities"].frame())
    for path in (folder / "ballots.xlsx", folder / "ballots.csv"):
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
    (folder / "board.toml").write_text(CONFIG)
    (folder / "issues.csv").write_text("issue,description\n" + "".join(f"{issue},\n" for issue in ISSUES))
    write(folder, map(ballot, range(9)))
    assert count.refresh().trouble == ()
    assert shown(count)["priorities"].frame()["n_ballots"][0] == 6


def test_a_page_has_something_to_say_before_there_is_a_file(count):
    found = count.refresh()
    assert found.trouble == ("ballots.csv: the file is not there yet.",)
    release = shown(count)
    assert [show(release).text for show in (show_chosen, show_issues, show_recount)] == [NOT_YET] * 3
    assert show_rule(release).text.endswith(
        "The rule stands in the board's settings, and cannot be changed while this count goes on."
    )


def test_a_file_that_is_torn_at_the_start_stops_nothing(folder, tmp_path):
    (tmp_path / "shelf").mkdir()
    write(folder, map(ballot, range(6)), '"Aled Fictionalz",Hea')
    count = LiveCount(folder, tmp_path / "shelf", lambda: datetime(2026, 11, 22, 14, 0))
    assert count.refresh().trouble
    write(folder, map(ballot, range(6)))
    assert count.refresh().counted == 3


def test_ballots_of_an_export_are_counted_too(folder, tmp_path):
    """A form as it was exported, with addresses and times; the first three answers put the issues in their order."""
    (tmp_path / "shelf").mkdir()
    settings = (
        'files = ["votes.csv"]\n[ballots_export.columns]\nmember = "Email"\nagency = "Agency"\nranking = "Rank"\n'
    )
    (folder / "board.toml").write_text(f"{CONFIG}[ballots_export]\n{settings}")
    write_key(folder / "pseudonym.key")
    rows = [(f"m{number}@example.org", AGENCIES[number % 3], ISSUES[:: 1 if number < 3 else -1]) for number in range(7)]
    form = "".join(f"{email},{agency},{';'.join(order)};\n" for email, agency, order in rows)
    (folder / "votes.csv").write_text(f"Email,Agency,Rank\n{form}")
    count = LiveCount(folder, tmp_path / "shelf", lambda: datetime(2026, 11, 22, 14, 0))
    found = count.refresh()
    assert (found.trouble, found.cast, found.counted) == ((), 7, 3)
    assert show_chosen(shown(count)).text == f"1. {ISSUES[0]}\n2. {ISSUES[1]}"
    (folder / "votes.csv").write_text(f"Email,Agency,Rank\n{form}m8@example.org,Health,Neglekt;m8@example.org;")
    trouble = " ".join(count.refresh().trouble)
    assert trouble.startswith("votes.csv, column Rank: ")
    assert "rows 9" in trouble
    assert "example.org" not in trouble


def test_what_the_vote_does_not_need_is_not_in_its_way(count, folder):
    (folder / "bookings.csv").write_text("not,a\ntable")
    (folder / "plans.csv").write_bytes(b"")
    write(folder, map(ballot, range(6)))
    assert count.refresh().trouble == ()
    assert shown(count).tables()


def test_an_error_of_another_kind_ends_in_a_sentence(folder, tmp_path):
    (tmp_path / "shelf").mkdir()
    times = iter([datetime(2026, 11, 22)])
    count = LiveCount(folder, tmp_path / "shelf", lambda: next(times))
    write(folder, map(ballot, range(6)))
    assert count.refresh().trouble == (NOT_COUNTED,)  # the clock has stopped


def test_a_folder_that_is_none_is_refused_at_once(tmp_path):
    with pytest.raises(TableError):
        LiveCount(tmp_path / "none", tmp_path, datetime.now)


def test_agencies_that_weigh_the_same_are_counted_so(count, folder, tmp_path):
    (folder / "board.toml").write_text(CONFIG + 'weight = "agency"\n')
    weighing = LiveCount(folder, tmp_path / "shelf", lambda: datetime(2026, 11, 22, 14, 0))
    write(folder, map(ballot, range(6)))
    assert weighing.refresh().trouble == ()
    ranking = shown(weighing)["priorities"].frame()
    assert ranking["rank"].to_list() == [1, 2, 3, 4]
    assert ranking["score"].null_count() == 4  # fractions of agencies would tell single ballots
    assert set(BY_AGENCY).isdisjoint(shown(weighing).tables())


# What a page shows


def test_issues_have_bars_that_end_where_all_put_it_first(count, folder):
    write(folder, map(ballot, range(6)))
    count.refresh()
    html = show_issues(shown(count)).html
    assert [row.partition('"')[2].partition('"')[0] for row in html.split("<tr class=")[1:]]
    assert [f"--share: {share}%" in html for share in ("100.0", "75.0", "50.0", "25.0")] == [True] * 4
    assert html.count('class="in') == 2
    assert html.count('class="in cut"') == 1


def test_a_tie_at_the_cut_is_said_loudly(count, folder):
    """Of three members each of two issues is second once, and both are third once; the first is the same."""
    orders = [
        ["Neglect", "Bullying", "Self-harm", "Radicalisation"],
        ["Neglect", "Self-harm", "Bullying", "Radicalisation"],
    ]
    even = "".join(f'"{NAMES[2]}",Health,{issue},{rank}\n' for issue, rank in zip(orders[0], (1, 2, 2, 3), strict=True))
    write(folder, [ballot(0, orders[0]), ballot(1, orders[1]), even, *map(ballot, (3, 4, 5))])
    count.refresh()
    answer = show_chosen(shown(count))
    tie = "A tie at the cut: Bullying and Self-harm for 1 further place. The board decides."
    assert answer.text == f"1. Neglect\n{tie}"
    assert f'<div class="message"><p>{tie}</p></div>' in answer.html
    assert show_issues(shown(count)).html.count('class="tied') == 2


def test_without_one_scale_of_places_there_are_no_bars(folder, tmp_path):
    (tmp_path / "shelf").mkdir()
    (folder / "board.toml").write_text(CONFIG + 'unranked = "ignore"\n')
    count = LiveCount(folder, tmp_path / "shelf", lambda: datetime(2026, 11, 22, 14, 0))
    write(folder, map(ballot, range(6)))
    assert count.refresh().trouble == ()
    assert show_issues(shown(count)).html.count("--share: 0.0%") == len(ISSUES)


def test_the_status_is_one_file_of_words_and_numbers(count, folder):
    write(folder, map(ballot, range(6)))
    count.refresh()
    found = json.loads(count.status.read_text(encoding="utf-8"))
    assert set(found) == {"release", "standing"}
    assert set(found["standing"]) == {
        *("minimum", "seats", "rule", "members", "cast", "counted", "changed", "counted_at", "trouble", "closed"),
    }
    assert Path(found["release"]).is_dir()


def test_a_thousand_members_are_counted_in_blocks_too(folder, tmp_path):
    (tmp_path / "shelf").mkdir()
    (folder / "board.toml").write_text(CONFIG.replace("members = 12\n", ""))
    count = LiveCount(folder, tmp_path / "shelf", lambda: datetime(2026, 11, 22, 14, 0))
    rows = [
        (f"m{number}", AGENCIES[number % 3], issue, rank)
        for number in range(1000)
        for rank, issue in enumerate(Random(number % 6).sample(ISSUES, len(ISSUES)), 1)
    ]
    pl.DataFrame(rows, schema=["member", "agency", "issue", "rank"], orient="row").write_csv(folder / "ballots.csv")
    found = count.refresh()
    assert (found.trouble, found.cast, found.counted) == ((), 1000, 996)


def test_how_firm_the_choice_is_is_not_said_before_all_have_voted(folder, count):
    write(folder, [ballot(number) for number in range(1, 8)])
    count.refresh()
    ranking = shown(count)["priorities"].frame()
    assert ranking["firmness"].null_count() == ranking["p_selected"].null_count() == ranking.height > 0
    assert "How firm the choice is, is said when all members have voted" in shown(count).entry("priorities").headline


def test_a_closed_vote_is_counted_in_full_though_members_are_absent(folder, tmp_path):
    write(folder, [ballot(number) for number in range(1, 8)])
    shelf = tmp_path / "closed"
    shelf.mkdir()
    count = LiveCount(folder, shelf, lambda: datetime(2026, 11, 22, 14, 0), closed=True)
    standing = count.refresh()
    assert (standing.cast, standing.counted, standing.complete) == (7, 7, True)
    assert say_standing(standing)[0].endswith("the vote is closed.")
    assert shown(count)["priorities"].frame()["firmness"].null_count() == 0
