"""Boards with everything that goes wrong in questionnaires, from their files to the page: released and audited, or one
clear sentence; every sentence by arithmetic; and nothing of a few people to be worked out of what is released."""

from __future__ import annotations

import csv
import math
import random
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from html import unescape
from itertools import combinations
from pathlib import Path
from statistics import mean

import polars as pl
import pytest

from safeguarding_analytics import knowledge_gain, say_mean_change
from safeguarding_analytics.errors import SafeguardingError
from safeguarding_analytics.release import Release
from safeguarding_analytics.report import make_report
from safeguarding_analytics.safe import already_public

pytestmark = pytest.mark.long

TODAY = date(2011, 7, 2)
BOARD = '[board]\nname = "Board of the test"\nas_at = 2011-07-01\n'
PLAN = "[knowledge]\nmeaningful_gain = 2.0\n[evaluation]\nreport_dates = [2011-07-01]\n"
AGENCIES = ("Health", "Police", "Schools", "Probation")
DISTRICTS = ("Dover", "Swale", "Ashford", "Dartford")
COURSE = "Threshold workshop"
T7 = 2.3646242515927853
"""Student's t, 7 degrees of freedom, 97.5% (Fisher & Yates 1963, table III: 2.365)."""

COUNTS = ("count", "numerator", "denominator", "n", "n_pairs", "n_up", "n_same", "n_down", "n_same_high", "n_same_low")
TEXTS = (
    '<b>Bold</b> & "quoted" <script>alert(1)</script>?',
    "It's 5 > 3 and 2 < 4, isn't it?",
    "A very long question " * 30 + "?",
    "The same text?",
    "The same text?",
    "Fünf Größen, comma | pipe; 100% of 3 children",
)


def choices(count, points=2, **more):
    """Questions with a right answer."""
    of_scale = {"kind": "choice", "minimum": 0, "maximum": points, "reversed": "false"}
    return [{"item": f"Q{at}", "text": f"Question {at}?", **of_scale, **more} for at in range(1, count + 1)]


def ratings(count, reversed_ones=()):
    """Questions by which people rate themselves from 1 to 5."""
    of_scale = {"kind": "likert", "minimum": 1, "maximum": 5}
    return [
        {"item": f"R{at}", "text": f"I am sure of {at}", **of_scale, "reversed": str(at in reversed_ones).lower()}
        for at in range(1, count + 1)
    ]


def held(count, course=COURSE, first="S", weeks=9):
    return [
        {
            "session": f"{first}{at}",
            "course": course,
            "training_level": 2,
            "district": DISTRICTS[at % 4],
            "area": "East",
            "venue": "Hall",
            "date": date(2011, 7, 1) - timedelta(weeks=weeks),
            "half_day": "morning",
            "capacity": 40,
            "cost": 400,
        }
        for at in range(count)
    ]


def board_of(items, people, sessions):
    """Tables of a board: `people` are (session, agency, answers by wave), answers the scores by item."""
    bookings, scores = [], []
    for number, (session, agency, answers) in enumerate(people):
        person = f"Px{number:04}"
        booking = {"session": session, "person": person, "agency": agency or "Health", "target_group": 2}
        bookings.append({**booking, "status": "attended", "booked": "true", "learner": ""})
        scores += [
            {"session": session, "person": person, "agency": agency, "wave": wave, "item": item, "score": score}
            for wave, given in answers.items()
            for item, score in given.items()
        ]
    sectors = [{"agency": agency, "sector": "Health", "aliases": ""} for agency in AGENCIES]
    return {"agencies": sectors, "sessions": sessions, "bookings": bookings, "items": items, "scores": scores}


WAVES_OF_A_SESSION = (
    *[("pre", "post", "follow_up", "then")] * 8,
    *[("pre", "post", "then")] * 7,
    *[("pre",)] * 2,
    *[("post", "then")] * 2,
    (),
)
"""Of 20 people at a session: 15 pairs, 8 of them again at follow-up; 2 answer only before, 2 only after, 1 never."""


def drawn(items, waves=WAVES_OF_A_SESSION, sessions=8, rise=0.22, seed=1, agencies=AGENCIES):
    """A board of sessions of equal size, people of all agencies, answers drawn."""
    draw = random.Random(seed)
    level = {"pre": 0.42, "post": 0.42 + rise, "follow_up": 0.42 + rise / 2, "then": 0.3}
    places, people = held(sessions), []
    for place in places:
        for at, answered in enumerate(waves):
            able = draw.gauss(0, 0.1)
            people.append(
                (
                    place["session"],
                    agencies[at % len(agencies)],
                    {
                        wave: {item["item"]: answer(draw, item, level[wave] + able) for item in items}
                        for wave in answered
                    },
                )
            )
    return board_of(items, people, places)


def answer(draw, item, share):
    """A score that is `share` of the way up the scale, more or less."""
    low, high = item["minimum"], item["maximum"]
    points = round(low + min(1, max(0, draw.gauss(share, 0.35))) * (high - low))
    return low + high - points if item["reversed"] == "true" else points


def paired(before, after, sessions=4, points=10):
    """A board of one question: scores before and after, None where somebody did not answer."""
    places = held(sessions)
    people = [
        (
            places[at % sessions]["session"],
            AGENCIES[at % 2],
            {wave: {"Q1": score} for wave, score in (("pre", one), ("post", other)) if score is not None},
        )
        for at, (one, other) in enumerate(zip(before, after, strict=True))
    ]
    return board_of(choices(1, points), people, places)


def write(folder, tables, settings=BOARD + PLAN):
    folder.mkdir(parents=True)
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(column for row in rows for column in row)))
            writer.writeheader()
            writer.writerows(rows)
    (folder / "board.toml").write_text(settings, encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Made:
    """A released page."""

    folder: Path
    html: str

    @property
    def text(self):
        """The page as it is read: without scripts and styles, a line per paragraph or row."""
        bare = re.sub(r"<(script|style)\b.*?</\1>", "", self.html, flags=re.DOTALL)
        lines = re.sub(r"</(tr|p|li|h\d|dd|dt|caption)>", "\n", re.sub(r"</t[dh]>", " | ", bare))
        return unescape(re.sub(r"<[^>]+>", "", lines))

    def table(self, name):
        return pl.read_parquet(self.folder / "tables" / f"{name}.parquet")

    @property
    def tables(self):
        return {path.stem: pl.read_parquet(path) for path in sorted((self.folder / "tables").glob("*.parquet"))}

    def row(self, name, **where):
        """The one row of a published table with these group values."""
        (row,) = self.table(name).filter(**where).to_dicts()
        return row


def outcome(folder, parameters):
    """Run the page on a board: what was released, or why there is nothing."""
    out = folder.with_name(f"{folder.name}_out")
    try:
        made = make_report(folder, out, only=("knowledge_gain",), parameters=parameters, jobs=1, today=TODAY)
    except SafeguardingError as error:
        return error
    assert [page.why_not for page in made.pages] == [""]
    release = Release.open(made.release.folder)
    assert release.manifest["audit"]["findings"] == 0
    return Made(release.folder, (release.folder / "pack" / "knowledge_gain.html").read_text(encoding="utf-8"))


# The boards


def usual():
    """Six questions whose texts are awkward, two ratings of which one is turned round, some people without agency."""
    items = [{**item, "text": text} for item, text in zip(choices(6), TEXTS, strict=True)] + ratings(2, {2})
    tables = drawn(items)
    for row in tables["scores"]:
        if int(row["person"][2:]) % 20 in (0, 3):  # of 15 pairs of each of 8 sessions 2: 16 pairs
            row["agency"] = ""
    return tables


def falls():
    return drawn(choices(6), waves=[("pre", "post")] * 15, rise=-0.15)


def with_few(count=3):
    """Ratings alone; a few people came to another course, late, and were not asked how they had been "then"."""
    tables = drawn(ratings(3), waves=[("pre", "post", "follow_up", "then")] * 8 + [("pre", "post", "then")] * 7)
    tables["sessions"] += held(1, "Neglect", "L", weeks=1)
    few = {f"Px{at:04}" for at in range(8, 8 + count)}
    for row in tables["bookings"] + tables["scores"]:
        if row["person"] in few:
            row["session"] = "L0"
    tables["scores"] = [row for row in tables["scores"] if row["person"] not in few or row["wave"] in ("pre", "post")]
    return tables


def answered_only_after(count=3):
    """104 pairs, 8 who answered only before, a few who answered only after, and 8 who did not answer."""
    waves = [("pre", "post")] * 13 + [("pre",), ()]
    tables = drawn(choices(6), waves=waves)
    few = {row["person"] for row in tables["bookings"][:count]}
    tables["scores"] = [row for row in tables["scores"] if row["person"] not in few or row["wave"] == "post"]
    return tables


def two_questionnaires():
    """Two courses with questions of their own: 120 pairs of the one, 30 of the other, whose name has an apostrophe."""
    ours = [{**item, "course": COURSE} for item in choices(6)]
    other = [{**item, "item": f"N{item['item']}", "course": "Parents' views"} for item in choices(5, 1)]
    tables = drawn(ours, waves=[("pre", "post")] * 15)
    more = drawn(other, waves=[("pre", "post")] * 15, sessions=2, seed=2)
    for row in more["sessions"] + more["bookings"] + more["scores"]:
        row["session"] = row["session"].replace("S", "N")
    for row in more["sessions"]:
        row["course"] = "Parents' views"
    for row in more["bookings"] + more["scores"]:
        row["person"] = row["person"].replace("Px", "Qx")
    return {name: tables[name] + (more[name] if name != "agencies" else []) for name in tables}


def own_codes():
    """Codes that people made up match no booking; no session has a district; 5 answered at follow-up."""
    tables = drawn(choices(6), waves=[("pre", "post")] * 14 + [()])
    for row in tables["scores"]:
        row["person"] = row["person"].replace("Px", "Qx")
    for row in tables["sessions"]:
        row["district"] = ""
    again = {f"Qx{at * 15:04}" for at in range(5)}
    later = [
        {**row, "wave": "follow_up"} for row in tables["scores"] if row["person"] in again and row["wave"] == "pre"
    ]
    tables["scores"] += later
    return tables


def one_question():
    """One question of one point: 3 of 60 had it right before, 40 after."""
    return paired([1] * 3 + [0] * 57, [1] * 40 + [0] * 20, points=1)


def hardly_changed():
    """Of 40 people of one session 3 gained a point, and nobody else changed."""
    before = [3, 4, 5, 6] * 10
    return paired(before, [score + (at in (3, 13, 23)) for at, score in enumerate(before)], sessions=1)


def ceiling():
    return paired([10] * 40, [10] * 40)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Every board is run once, two at a time: its page, or why there is none."""
    shelf = tmp_path_factory.mktemp("boards")
    nhs, round10 = (f'[policy.staff]\npreset = "{name}"\n' for name in ("nhs", "round10"))
    runs = {
        "usual": (write(shelf / "usual", usual()), {}),
        "falls": (write(shelf / "falls", falls()), {"cluster": "district", "group": "district"}),
        "few": (write(shelf / "few", with_few()), {}),
        "after": (write(shelf / "after", answered_only_after(), BOARD), {}),
        "courses": (write(shelf / "courses", two_questionnaires()), {"meaningful_gain": "1.5"}),
        "codes": (write(shelf / "codes", own_codes()), {"group": "district"}),
        "point": (write(shelf / "point", one_question()), {}),
        "hardly": (write(shelf / "hardly", hardly_changed()), {}),
        "ceiling": (write(shelf / "ceiling", ceiling()), {}),
        "constant": (write(shelf / "constant", paired([3, 4, 5, 6] * 10, [4, 5, 6, 7] * 10)), {}),
        "one": (write(shelf / "one", paired([3], [5], sessions=1)), {}),
        "unpaired": (write(shelf / "unpaired", paired([3] * 20 + [None] * 20, [None] * 20 + [5] * 20)), {}),
        "nhs": (write(shelf / "nhs", usual(), BOARD + PLAN + nhs), {"group": "course"}),
        "round10": (write(shelf / "round10", usual(), BOARD + PLAN + round10), {"wave": "follow_up"}),
        "person": (write(shelf / "person", falls()), {"group": "person"}),
        "then": (write(shelf / "then", falls()), {"wave": "follow_up"}),
        "course": (write(shelf / "course", two_questionnaires()), {"course": "Parents views"}),
        "year": (write(shelf / "year", falls()), {"time_period": "2009"}),
    }
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(runs, pool.map(lambda run: outcome(*run), runs.values()), strict=True))


REFUSED = {"person", "then", "course", "year"}
ROUNDED = {"nhs", "round10"}


def page(pages, name):
    """A page that must have been made."""
    found = pages[name]
    assert isinstance(found, Made), found
    return found


# The same numbers in plain Python


def totals(tables, kind="choice"):
    """The score of each person by wave: the sum of all questions of a kind, reversed ones turned round."""
    scale = {row["item"]: row for row in tables["items"] if row["kind"] == kind}
    found = {}
    for row in tables["scores"]:
        item = scale.get(row["item"])
        if item:
            turned = item["minimum"] + item["maximum"] - row["score"]
            points = turned if item["reversed"] == "true" else row["score"]
            waves = found.setdefault((row["session"], row["person"]), {})
            waves[row["wave"]] = waves.get(row["wave"], 0) + points
    return found


def pairs_of(tables, first="pre", second="post", kind="choice"):
    """(session, score before, score after) of everybody who answered both times."""
    return [
        (session, waves[first], waves[second])
        for (session, _), waves in totals(tables, kind).items()
        if first in waves and second in waves
    ]


def said_change(pairs):
    changes = [after - before for _, before, after in pairs]
    return mean(changes), [sum(sign * change > 0 for change in changes) for sign in (1, -1)]


def one_decimal(value):
    """As it is printed: a half goes away from 0."""
    tenths = math.floor(abs(value) * 10 + 0.5 + 1e-9)
    return f"{'-' if value < 0 and tenths else ''}{tenths // 10}.{tenths % 10}"


def interval_of_8_sessions(pairs):
    """Cluster-robust (CR1) interval of the mean change of 8 sessions of equal size, 7 degrees of freedom."""
    change, _ = said_change(pairs)
    residuals = {}
    for session, before, after in pairs:
        residuals[session] = residuals.get(session, 0) + after - before - change
    error = math.sqrt(8 / 7 * sum(sums**2 for sums in residuals.values())) / len(pairs)
    return change - T7 * error, change + T7 * error


# Every board


def test_every_board_ends_with_a_page_or_with_words_for_its_owner(pages):
    for name, found in pages.items():
        if not isinstance(found, Made):
            assert not re.search(r"code cell|Traceback|Error: |None|not stated", str(found)), f"{name}: {found}"
    assert {name for name, found in pages.items() if not isinstance(found, Made)} == REFUSED


def made_pages(pages):
    return {name: made for name, made in pages.items() if isinstance(made, Made)}


def test_no_page_says_none_or_nan_or_shows_a_chart_without_rows(pages):
    for name, made in made_pages(pages).items():
        assert re.search(r"\b(?:None(?! fell)|nan|NaN|null|inf)\b", made.text) is None, name
        assert "No rows to draw" not in made.text, name


def test_no_code_of_a_person_stands_in_a_release(pages):
    for name, made in made_pages(pages).items():
        for path in made.folder.rglob("*"):
            if path.is_file():
                assert re.search(rb"[PQ]x\d{4}", path.read_bytes()) is None, (name, path.name)


def test_no_count_from_1_to_5_is_released(pages):
    for name, made in made_pages(pages).items():
        for of, table in made.tables.items():
            counts = {count for column in COUNTS if column in table.columns for count in table[column].drop_nulls()}
            assert not counts & {1, 2, 3, 4, 5}, (name, of)


def test_no_sentence_counts_1_to_5_people(pages):
    words = (
        r"(?:pairs?|people|answered|rose(?! beyond| on balance| and \d+ fell)|stayed|fell(?! beyond| on balance)|had)"
    )
    small = rf"(?<![\d.,%])\b[1-5] (?:\(\d+%\) )?{words}\b|Of [1-5] who"
    for name, made in made_pages(pages).items():
        assert re.search(small, made.text) is None, (name, re.search(small, made.text))


def test_every_heading_has_a_sentence_a_chart_or_a_table_below_it(pages):
    for name, made in made_pages(pages).items():
        for one, other in zip(*(re.split(r"<h2\b", made.html)[at:] for at in (1, 2)), strict=False):
            below = re.sub(r"^.*?</h2>", "", one, count=1, flags=re.DOTALL)
            read = re.sub(r"<p>Read .*?</p>", "", below, flags=re.DOTALL)
            assert re.search(r"<svg|<table|\w{3,}", re.sub(r"<(?!svg|table)[^>]+>", "", read)), (
                name,
                one[:80],
                other[:20],
            )
        for table in re.findall(r"<table.*?</table>", made.html, flags=re.DOTALL):
            assert "<td" in table or "<tbody" not in table or table.count("<tr") > 1, (name, table[:200])


# What is released tells nothing of fewer than 10 people


def sets_of_pairs(made):
    """Sizes of all sets of pairs of which a mean over everybody is shown."""
    rows = [
        *made.table("knowledge_gain").iter_rows(named=True),
        *made.table("follow_up_changes").iter_rows(named=True),
        *made.table("rating_changes").iter_rows(named=True),
    ]
    sizes = {row["n_pairs"] for row in rows if row["mean_change"] is not None}
    return sizes | set(made.table("follow_up_retention")["denominator"].drop_nulls())


def test_no_two_means_are_of_nearly_the_same_people(pages):
    for name, made in made_pages(pages).items():
        if name not in ROUNDED:
            for one, other in combinations(sorted(sets_of_pairs(made)), 2):
                assert other - one >= 10, name


def test_no_mean_of_few_is_left_when_groups_are_taken_from_all(pages):
    for name, made in made_pages(pages).items():
        for of, table in made.tables.items():
            every = made.table("knowledge_gain")["mean_change"].drop_nulls().len()
            if re.match("knowledge_gain_by_|courses_of_one", of) and every and name not in ROUNDED:
                (pairs,) = made.table("knowledge_gain")["n_pairs"]
                shown = table.filter(pl.col("mean_change").is_not_null())["n_pairs"].sum()
                assert pairs - shown == 0 or pairs - shown >= 10 or not shown, (name, of)


def test_course_of_three_people_is_not_worked_out_from_all_courses(pages):
    made = page(pages, "few")
    courses = [table for name, table in made.tables.items() if "course" in table.columns]
    assert pl.concat([table.select("course", "n_pairs") for table in courses])["n_pairs"].drop_nulls().is_empty()
    assert made.table("knowledge_gain")["n_pairs"].to_list() == [120]


def test_session_that_is_not_due_does_not_tell_how_many_answered_in_it(pages):
    retained = page(pages, "few").table("follow_up_retention")["denominator"].drop_nulls().to_list()
    assert 117 not in retained


def test_ratings_of_three_who_were_not_asked_how_they_had_been_then_are_not_worked_out(pages):
    made = page(pages, "few")
    assert set(made.table("rating_changes")["n_pairs"].drop_nulls().to_list()) <= {120}


def test_people_who_answered_only_after_are_not_worked_out_and_the_gain_is_shown(pages):
    made, tables = page(pages, "after"), answered_only_after()
    pairs = pairs_of(tables)
    assert len(pairs) == 101  # 8 × 13 − 3
    (row,) = made.table("knowledge_gain").to_dicts()
    assert row["n_pairs"] == 101
    assert row["mean_change"] == pytest.approx(said_change(pairs)[0])
    cells = {(one["before"], one["after"]): one["count"] for one in made.table("answers").iter_rows(named=True)}
    assert cells["yes", "yes"] == 101
    # 104 answered after (3 of them only then), so who knows that number knows the 3.
    assert cells["no", "yes"] is None
    assert cells["Total", "yes"] is None


def test_mean_of_one_question_of_one_point_is_a_count_and_is_not_shown(pages):
    made = page(pages, "point")
    assert made.table("knowledge_gain")["mean_pre"].drop_nulls().is_empty()  # 3 of 60 is 0.05
    for name, table in made.tables.items():
        if name == "question_changes":
            # right before: 3 = newly wrong + the same and right
            assert table["share_before"].drop_nulls().is_empty()
        for column in ("estimate", "mean_pre", "proportion"):
            if column in table.columns:
                assert 0.05 not in table[column].drop_nulls().round(6).to_list(), (name, column)


def test_one_question_of_one_point_is_counted_in_one_table_alone(pages):
    made = page(pages, "point")
    # 3 right before = 40 right after − 37 newly right + 0 newly wrong
    after = made.table("all_points").filter(pl.col("wave") == "after")["numerator"].drop_nulls()
    rose = made.table("knowledge_gain")["n_up"].drop_nulls()
    assert after.is_empty() or rose.is_empty()


def test_three_who_changed_alone_are_not_worked_out_of_the_spread(pages):
    made = page(pages, "hardly")
    (row,) = made.table("knowledge_gain").to_dicts() or ({},)
    assert row.get("n_up") is None
    # Sum of changes 3 and sum of squares 3 would say: three people, one point each.
    assert row.get("standard_error") is None
    assert row.get("lower") is None
    assert not [name for name in made.table("effect_sizes")["definition"].to_list() if re.match("d_[zr]|Rank", name)]
    assert made.table("gain_under_assumptions")["lower"].drop_nulls().is_empty()


# The usual board: every sentence by arithmetic


def test_answers_are_said_from_attending_to_answering_both_times(pages):
    # 8 sessions × 20 people; 8 × 15 pairs, 8 × 2 only before, 8 × 2 only after; 120 ÷ 136 = 88.2%
    assert (
        "Of 160 attendances, 136 answered before and 136 after; 120 answered both times (88.2% of those who answered "
        "before). 16 answered only before and 16 only after: their gain is not known."
    ) in page(pages, "usual").text


def test_headline_is_that_of_the_pairs_with_the_interval_of_8_sessions(pages):
    made, pairs = page(pages, "usual"), pairs_of(usual())
    change, (rose, fell) = said_change(pairs)
    lower, upper = interval_of_8_sessions(pairs)
    (row,) = made.table("knowledge_gain").to_dicts()
    assert row["n_pairs"] == len(pairs) == 120
    assert (row["mean_change"], row["lower"], row["upper"]) == pytest.approx((change, lower, upper))
    assert (
        f"In 120 pairs of answers, before and after, scores rose by {one_decimal(change)} points out of 12 on average "
        f"(95% interval {one_decimal(lower)} to {one_decimal(upper)}, allowing for 8 sessions)."
    ) in made.text
    same = len(pairs) - rose - fell
    if min(rose, same, fell) > 5:
        assert (row["n_up"], row["n_same"], row["n_down"]) == (rose, same, fell)
    verdict = "clearly at least" if lower >= 2 else "clearly less than" if upper < 2 else "more or less than"
    assert re.search(
        f"The board said beforehand that 2 points would matter: the change (?:is|could be) {verdict} that", made.text
    )


def test_assumptions_about_those_who_answered_once_are_arithmetic(pages):
    made, tables = page(pages, "usual"), usual()
    pairs, every = pairs_of(tables), totals(tables)
    change, _ = said_change(pairs)
    before = [waves["pre"] for waves in every.values() if "pre" in waves and "post" not in waves]
    after = [waves["post"] for waves in every.values() if "post" in waves and "pre" not in waves]
    assert (len(before), len(after)) == (16, 16)
    expected = {
        "nothing": 120 * change / 152,
        "half": (120 + 16) * change / 152,
        "badly": (120 * change - sum(before) + sum(score - 12 for score in after)) / 152,
        "well": (120 * change + sum(12 - score for score in before) + sum(after)) / 152,
    }
    table = made.table("gain_under_assumptions")
    for word, value in expected.items():
        (row,) = table.filter(pl.col("assumption").str.contains(word)).to_dicts()
        assert (row["n"], row["estimate"]) == (152, pytest.approx(value, abs=0.0051)), word


def test_texts_of_questions_are_text_and_equal_ones_stay_apart(pages):
    made = page(pages, "usual")
    questions = made.table("question_changes")["question"].to_list()
    assert len(set(questions)) == len(questions) == 8
    assert sum("The same text?" in question for question in questions) == 2
    assert "<b>Bold" not in made.html
    assert "<script>alert" not in made.html
    assert "&lt;b&gt;Bold&lt;/b&gt; &amp; " in made.html


def test_question_is_counted_by_right_answers_of_all_points(pages):
    tables = usual()
    of = {(row["person"], row["wave"]): row["score"] for row in tables["scores"] if row["item"] == "Q2"}
    both = [
        person
        for person in {row["person"] for row in tables["scores"]}
        if {(person, w) for w in ("pre", "post")} <= set(of)
    ]
    right = [(of[person, "pre"] == 2, of[person, "post"] == 2) for person in both]
    counts = {way: right.count(way) for way in ((False, True), (True, True), (False, False), (True, False))}
    row = page(pages, "usual").row("question_changes", question=TEXTS[1])
    assert row["n_pairs"] == sum(counts.values()) == 120
    if min(counts.values()) > 5:
        assert [row[name] for name in ("n_up", "n_same_high", "n_same_low", "n_down")] == list(counts.values())


def test_people_without_agency_are_a_group_of_their_own(pages):
    (row,) = page(pages, "usual").table("knowledge_gain_by_agency").filter(pl.col("agency").is_null()).to_dicts()
    missing = {row["person"] for row in usual()["scores"] if row["agency"] == ""}
    pairs = [
        (session, waves["pre"], waves["post"])
        for (session, person), waves in totals(usual()).items()
        if person in missing and {"pre", "post"} <= set(waves)
    ]
    assert row["n_pairs"] == len(pairs) == 16
    assert row["mean_change"] == pytest.approx(said_change(pairs)[0])


def test_follow_up_says_first_who_answered_again_and_compares_the_same_people(pages):
    made, tables = page(pages, "usual"), usual()
    # 8 sessions × 8 of 15: 64 of 120 is 53.3%
    said = "Of 120 who answered before and after where a follow-up was due, 64 (53.3%) answered again"
    assert said in made.text
    whole = [waves for waves in totals(tables).values() if {"pre", "post", "follow_up"} <= set(waves)]
    for first, second, words in (
        ("pre", "post", "Before to after"),
        ("pre", "follow_up", "Before to follow-up"),
        ("post", "follow_up", "After to follow-up"),
    ):
        change = mean(waves[second] - waves[first] for waves in whole)
        rows = made.table("follow_up_changes").filter(pl.col("comparison").str.starts_with(words))
        assert rows["n_pairs"].unique().to_list() == [64]
        assert rows["mean_change"].unique().to_list() == pytest.approx([change])


def test_reversed_rating_counts_from_the_other_end_and_then_stands_beside_the_real_one(pages):
    tables = usual()
    whole = [waves for waves in totals(tables, "likert").values() if {"pre", "post", "then"} <= set(waves)]
    assert len(whole) == 120
    table = page(pages, "usual").table("rating_changes")
    assert table["n_pairs"].to_list() == [120, 120]
    assert table["mean_pre"].to_list() == pytest.approx(
        [mean(waves[wave] for waves in whole) for wave in ("pre", "then")]
    )
    assert table["mean_post"].to_list() == pytest.approx([mean(waves["post"] for waves in whole)] * 2)


def test_report_date_is_set_beside_the_sessions(pages):
    # 9 weeks after 29 April, the only day of all sessions: 63 days
    assert "The report of 1 July 2011 is due 63 days after the last session" in page(pages, "usual").text


# Falls, ceilings, constants


def test_fall_is_called_a_fall_and_allows_for_the_clusters_that_were_named(pages):
    made, pairs = page(pages, "falls"), pairs_of(falls())
    change, (rose, _) = said_change(pairs)
    assert change < -0.5
    fall = one_decimal(-change)
    said = rf"In 120 pairs of answers, before and after, scores fell by {fall} points out of 12 on average "
    assert re.search(rf"{said}\(95% interval −[\d.]+ to −?[\d.]+, allowing for 4 (?:clusters|districts)\)", made.text)
    assert f"{rose} ({rose / 120:.1%}) rose" in made.text or f"{rose} ({round(100 * rose / 120)}%) rose" in made.text
    assert "Scores fell: the whole interval lies below 0." in made.text
    assert not re.search(r"scores rose by", made.text)


def test_everybody_at_the_maximum_both_times_is_a_test_too_easy(pages):
    made = page(pages, "ceiling")
    said = (
        "Everybody had all 10 points both times (40 pairs of answers, before and after): the test is too easy to show"
    )
    assert said in made.text
    assert "40 of 40 had all points before (100%) and could not gain: the test was too easy to show more." in made.text


def test_everybody_who_gained_exactly_1_has_no_spread(pages):
    made = page(pages, "constant")
    said = (
        "Everybody gained exactly 1 point (40 pairs of answers, before and after): no spread, so there is no interval."
    )
    assert said in made.text
    assert made.row("knowledge_gain")["lower"] is None


def test_nobody_who_answered_twice_is_said_to_be_nobody(pages):
    made = page(pages, "unpaired")
    assert "Of 40 attendances, 20 answered before and 20 after; 0 answered both times" in made.text
    assert "Nobody answered both before and after, so nothing can be said about a gain." in made.text


def test_one_person_is_hidden_everywhere(pages):
    made = page(pages, "one")
    for name, table in made.tables.items():
        numbers = [value for column in table.columns if table[column].dtype.is_numeric() for value in table[column]]
        assert {value for value in numbers if value} == set(), name
    # The points of that person, 3 and 5, would stand in the name of a band.
    assert made.table("knowledge_gain_by_starting_score").is_empty()


# Courses, codes, policies


def test_course_with_most_answers_is_shown_where_courses_ask_different_questions(pages):
    made, tables = page(pages, "courses"), two_questionnaires()
    ours = {row["session"] for row in tables["sessions"] if row["course"] == COURSE}
    pairs = [pair for pair in pairs_of(tables) if pair[0] in ours]
    row = made.row("knowledge_gain")
    assert (row["n_pairs"], row["mean_change"]) == (120, pytest.approx(said_change(pairs)[0]))
    assert f"{COURSE}, all sessions" in made.text
    assert "For this page, and not beforehand, it was set that 1.5 points would matter" in made.text
    courses = made.table("courses_of_several_questionnaires")
    assert sorted(courses["course"].to_list()) == ["Parents' views", COURSE]
    other = [pair for pair in pairs_of(tables) if pair[0] not in ours]
    assert made.row("courses_of_several_questionnaires", course="Parents' views")["mean_change"] == pytest.approx(
        said_change(other)[0]
    )


def test_without_a_gain_fixed_beforehand_one_question_right_is_taken(pages):
    made = page(pages, "after")
    assert (
        "The board fixed no gain beforehand; by default, one question right, it is taken that 2 points would matter"
        in made.text
    )
    assert "No date of a report is set in board.toml ([evaluation] report_dates)." in made.text


def test_codes_that_people_made_up_are_counted_beside_those_who_attended(pages):
    made = page(pages, "codes")
    # 8 sessions × 15 attended, 8 × 14 answered twice
    assert "Of 120 attendances, 112 answered before and 112 after; 112 answered both times" in made.text
    assert "Too few districts have enough pairs to compare them." in made.text
    assert made.table("knowledge_gain_by_district")["district"].to_list() == [None]
    assert made.table("follow_up_changes")["mean_change"].drop_nulls().is_empty()  # 5 answered at follow-up


def test_counts_are_rounded_where_the_board_rounds(pages):
    for name, base in (("nhs", 5), ("round10", 10)):
        counts = [
            count
            for table in page(pages, name).tables.values()
            for column in COUNTS
            if column in table.columns
            for count in table[column].drop_nulls()
        ]
        assert {count % base for count in counts} == {0}, name
        assert max(counts) > 50
        assert f"Counts are rounded to multiples of {base}" in page(pages, name).text


def test_tests_of_counts_are_not_said_where_counts_are_rounded(pages):
    for name in ROUNDED:
        assert "sign test" not in page(pages, name).text, name
        assert "by more than chance would explain" not in page(pages, name).text, name


def test_page_of_one_group_alone_needs_no_comparison(pages):
    assert isinstance(pages["nhs"], Made)  # group = course, of which there is one


def test_follow_up_can_be_compared_with_before(pages):
    made = page(pages, "round10")
    assert "before and at follow-up" in made.text
    assert "before and after, scores" not in made.text
    assert not re.search(r"answered before and [\d,]+ after", made.text)


# What is refused


def test_people_are_no_group(pages):
    assert str(pages["person"]).splitlines()[0].startswith('knowledge_gain: by: "person" names people one by one.')


def test_follow_up_that_nobody_answered_cannot_be_compared(pages):
    said = "knowledge_gain: wave: nobody answered follow_up, so there is nothing to compare with before. Use post."
    assert str(pages["then"]).splitlines()[0] == said


def test_course_that_nobody_held_is_refused_with_the_nearest_name(pages):
    said = str(pages["course"]).splitlines()[0]
    assert said.startswith('knowledge_gain: course: no answers belong to "Parents views". Answers are of: ')
    assert "Parents' views" in said


def test_scores_without_a_row_are_refused_before_a_page_is_begun(tmp_path):
    folder = write(tmp_path / "board", falls() | {"scores": []}, BOARD)
    header = "session,person,agency,wave,item,score\n"
    (folder / "scores.csv").write_text(header, encoding="utf-8")
    said = str(outcome(folder, {}))
    assert said == "scores.csv: the file must hold at least one row below its header."


def test_gain_that_is_no_number_is_refused_in_one_sentence(tmp_path):
    folder = write(tmp_path / "board", falls())
    assert str(outcome(folder, {"meaningful_gain": "two"})) == 'meaningful_gain must be a number. Found: "two".'


# Answers of every ugly kind, and the whole sentence each gets


def said_of(before, after, sessions=2):
    """What is said of people of one question of 10 points, 2 of which would matter; nothing is hidden."""
    rows = [
        (f"s{at % sessions}", f"p{at}", wave, "Q1", float(score))
        for at, pair in enumerate(zip(before, after, strict=True))
        for wave, score in zip(("pre", "post"), pair, strict=True)
        if score is not None
    ]
    names = dict.fromkeys(("session", "person", "wave", "item"), pl.String) | {"score": pl.Float64}
    items = pl.DataFrame({"item": ["Q1"], "minimum": [0.0], "maximum": [10.0], "reversed": [False]})
    table = knowledge_gain(pl.DataFrame(rows, schema=names, orient="row"), items, meaningful_gain=2)
    return say_mean_change(already_public(table, "synthetic"), unit="points out of 10", meaningful_gain=2, maximum=10)


BOTH = "pairs of answers, before and after"
UGLY = {
    "empty": ([], [], "Nobody answered, at either time: there is nothing to measure."),
    "no pairs": (
        [3, 4, None],
        [None, None, 5],
        "Nobody answered both before and after (2 the first time, 1 the second), so nothing can be said about a gain.",
    ),
    "one person": (
        [3],
        [5],
        "1 pair of answers, before and after: too few for an interval, so no mean is given. 1 rose, 0 stayed the same, "
        "0 fell.",
    ),
    "two people": (
        [3, 4],
        [5, 4],
        f"2 {BOTH}: too few for an interval, so no mean is given. 1 rose, 1 stayed the same, 0 fell.",
    ),
    "nobody changed": (
        [3, 4, 5, 6] * 3,
        [3, 4, 5, 6] * 3,
        f"Nobody's score changed (12 {BOTH}): no gain and no fall, and no spread to make an interval of.",
    ),
    "constant scores": (
        [4] * 6,
        [4] * 6,
        f"Nobody's score changed (6 {BOTH}): no gain and no fall, and no spread to make an interval of.",
    ),
    "constant gain": (
        [3, 4, 5, 6],
        [4, 5, 6, 7],
        f"Everybody gained exactly 1 point (4 {BOTH}): no spread, so there is no interval.",
    ),
    "constant fall": (
        [3, 4, 5, 6],
        [2, 3, 4, 5],
        f"Everybody lost exactly 1 point (4 {BOTH}): no spread, so there is no interval.",
    ),
    "all at the ceiling": (
        [10] * 4,
        [10] * 4,
        f"Everybody had all 10 points both times (4 {BOTH}): the test is too easy to show a gain.",
    ),
    # Gains 3, 2, 1, 2 in sessions of 5: each session alike, means 3, 2, 1, 2; standard error of 4 means 0.408248,
    # t of 3 degrees of freedom 3.182446: 2 ± 1.299228.
    "all at the ceiling after": (
        [7, 8, 9, 8] * 5,
        [10] * 20,
        f"In 20 {BOTH}, scores rose by 2.0 points out of 10 on average (95% interval 0.7 to 3.3, allowing for 4 "
        "sessions). 20 rose, 0 stayed the same, 0 fell. Everybody had all points afterwards: the true gain may be "
        "larger than this test can show. The board said beforehand that 2 points would matter: the change could be "
        "more or less than that.",
    ),
    # Of 8 people each in 3 sessions 6, 8 and 4 fell by 1: sums of residuals 0, -2 and 2; standard error
    # √(3/2 × 8) ÷ 24 = 0.144338, t of 2 degrees of freedom 4.302653: -0.75 ± 0.621034.
    "fall": (
        [7] * 24,
        [7 - (at // 3 < (6, 8, 4)[at % 3]) for at in range(24)],
        f"In 24 {BOTH}, scores fell by 0.8 points out of 10 on average (95% interval −1.4 to −0.1, allowing for 3 "
        "sessions). 0 rose, 6 stayed the same, 18 fell. Scores fell: the whole interval lies below 0. The board said "
        "beforehand that 2 points would matter: the change is clearly less than that.",
    ),
    # Of 35 people each in 2 sessions 8 rose and 7 fell, or 7 and 8: sums of residuals 1 and -1; standard error
    # √(2 × 2) ÷ 70 = 0.028571, t of 1 degree of freedom 12.706205: 0 ± 0.363034.
    "ties": (
        [5] * 70,
        [6] * 15 + [5] * 40 + [4] * 15,
        f"In 70 {BOTH}, scores stayed, at a change of 0.0 points out of 10 on average (95% interval −0.4 to 0.4, "
        "allowing for 2 sessions). 15 (21%) rose, 40 (57%) stayed the same, 15 (21%) fell. The board said beforehand "
        "that 2 points would matter: the change is clearly less than that.",
    ),
}
SESSIONS = {"all at the ceiling after": 4, "fall": 3}


@pytest.mark.parametrize("kind", UGLY)
def test_ugly_answers_get_their_whole_sentence(kind):
    before, after, sentence = UGLY[kind]
    assert said_of(before, after, SESSIONS.get(kind, 2)) == sentence
