"""The synthetic board is what it says: reproducible, within its contracts, calibrated to the published boards.

Counts are made here in plain Python and polars, never by the measures. Published facts come from ``data/published``.
"""

from __future__ import annotations

import csv
import hashlib
import tomllib
from collections import Counter
from datetime import date
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics.board import check_board
from safeguarding_analytics.demo import demo_tables, write_demo_board
from safeguarding_analytics.demo_facts import NO_GAIN, NO_RETURN, NOBODY_CAME, RECORDS
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.tables import TABLES

DATA = Path(__file__).parents[1] / "data"
DEMO_BOARD = DATA / "demo_board"
BOARD = demo_tables()
OTHER_BOARD = demo_tables(7)


POINTS = ["Q01", "Q02", "Q03", "Q04", "Q05", "Q06", "Q07", "Q08", "Q09", "Q10"]
RATINGS = ["Q11", "Q12", "Q13"]
WAVES = ("pre", "post", "then", "follow_up")


def published(name):
    with (DATA / "published" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def attended(board):
    return board["bookings"].filter(pl.col("status") == "attended")


def year_starts(board, year):
    return board["plans"].filter(pl.col("start_date").is_between(date(year - 1, 4, 1), date(year, 3, 31)))


def totals():
    """One row per questionnaire before or after, with its points out of 20."""
    asked = pl.col("item").is_in(POINTS) & pl.col("wave").is_in(["pre", "post"])
    answers = BOARD["scores"].filter(asked)
    return answers.group_by("session", "person", "wave").agg(points=pl.col("score").sum(), answered=pl.len())


def pairs():
    """One row per person and session with both questionnaires."""
    both = totals().pivot("wave", index=["session", "person"], values="points").drop_nulls()
    return both.with_columns(gain=pl.col("post") - pl.col("pre")).join(BOARD["sessions"], on="session")


# The committed folder


def test_committed_board_is_regenerated_byte_for_byte_and_holds_nothing_else(tmp_path):
    write_demo_board(tmp_path)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_bytes() for path in DEMO_BOARD.iterdir()}
    assert sorted(committed) == sorted(["board.toml", *(f"{name}.csv" for name in TABLES)])
    assert [name for name in committed if committed[name] != written[name]] == []


def test_committed_board_is_small():
    sizes = {path.name: path.stat().st_size for path in DEMO_BOARD.iterdir()}
    assert sizes["scores.csv"] < 900_000
    assert sizes["staff.csv"] < 150_000
    assert sizes["training_records.csv"] < 400_000
    assert sum(sizes.values()) < 2_300_000


def test_committed_board_breaks_no_rule():
    assert check_board(DEMO_BOARD).is_empty()


def test_committed_files_are_utf_8_with_line_feeds_and_no_byte_order_mark():
    for path in DEMO_BOARD.iterdir():
        written = path.read_bytes()
        assert b"\r" not in written
        assert written.endswith(b"\n")
        assert not written.startswith(b"\xef\xbb\xbf")
        written.decode("utf-8")


@pytest.mark.parametrize("name", sorted(TABLES))
def test_committed_files_hold_the_tables_once_aliases_are_turned_into_names(name):
    names = {alias: row["agency"] for row in BOARD["agencies"].to_dicts() for alias in row["aliases"].split(";")}
    found = pl.read_csv(DEMO_BOARD / f"{name}.csv", schema_overrides=BOARD[name].schema)
    if name in ("scores", "staff", "training_records"):
        assert set(found["agency"]) <= set(names)
        found = found.with_columns(pl.col("agency").replace(names))
    if name == "items":
        assert "course" not in found.columns
        found = found.with_columns(course=pl.lit(None, pl.String))
    if name == "population":
        assert "district" not in found.columns
        found = found.with_columns(district=pl.lit(None, pl.String)).select(BOARD[name].columns)
    if name == "themes":
        assert "in_place" not in found.columns
        found = found.with_columns(in_place=pl.lit(None, pl.String))
    assert_frame_equal(found, BOARD[name])


def test_another_seed_gives_other_draws_and_the_same_facts():
    drawn = ["bookings", "staff", "training_records", "scores", "plans", "conferences", "reviews"]
    drawn += ["ballots", "themes"]
    assert [name for name in TABLES if not BOARD[name].equals(OTHER_BOARD[name])] == drawn


def test_seed_is_used_when_writing(tmp_path):
    write_demo_board(tmp_path / "new" / "folder", seed=7)
    assert (tmp_path / "new" / "folder" / "plans.csv").read_bytes() != (DEMO_BOARD / "plans.csv").read_bytes()


def test_an_earlier_synthetic_board_is_overwritten(tmp_path):
    write_demo_board(tmp_path, seed=7)
    write_demo_board(tmp_path)
    assert (tmp_path / "plans.csv").read_bytes() == (DEMO_BOARD / "plans.csv").read_bytes()


@pytest.mark.parametrize("name", ["bookings.csv", "board.toml"])
def test_a_real_boards_file_is_never_overwritten(tmp_path, name):
    (tmp_path / name).write_text("real", encoding="utf-8")
    with pytest.raises(ParameterError, match=f"already holds {name}"):
        write_demo_board(tmp_path)
    assert [(path.name, path.read_text(encoding="utf-8")) for path in tmp_path.iterdir()] == [(name, "real")]


def test_other_files_in_the_folder_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    write_demo_board(tmp_path)
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_board_toml_says_first_that_it_is_synthetic_and_holds_the_agreed_keys():
    text = (DEMO_BOARD / "board.toml").read_text(encoding="utf-8")
    assert text.startswith("# SYNTHETIC")
    assert "No real person, child" in text.splitlines()[0]
    assert tomllib.loads(text) == {
        "board": {
            "name": "Kent-like demonstration board (synthetic)",
            "authority": "Kent",
            "as_at": date(2011, 7, 1),
        },
        "files": {},
        "database": {"tables": {}},
        "bookings": {"status": {}},
        "bookings_export": {"columns": {}, "role": {}, "status": {}},
        "ballots_export": {"columns": {}},
        "columns": {},
        "forms": {"columns": {}, "items": {}, "key": {}, "labels": {}, "points": {}},
        "comparators": {"published_documents": True},
        "training": {
            "target": 1200,
            "target_date": date(2011, 6, 30),
            "together": {"Health and CFE": ["Health", "Children, families and education"]},
        },
        "knowledge": {"meaningful_gain": 2.0},
        "evaluation": {"report_dates": [date(2011, 7, 1), date(2011, 7, 15)]},
        "child_protection": {"plans_from": date(2003, 4, 1), "plans_to": date(2008, 3, 31)},
        "priorities": {
            "seats": 4,
            "weight": "member",
            "unranked": "share",
            "members": 32,
            "resamples": 2000,
            "seed": 20150925,
            "cut_urgency": 5.5,
            "cut_importance": 5.5,
        },
        "policy": {"children": {"preset": "dfe"}, "staff": {"preset": "dfe"}, "board_members": {"preset": "dfe"}},
    }


def test_every_key_of_board_toml_has_a_comment():
    lines = (DEMO_BOARD / "board.toml").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if " = " in line and "#" not in line] == []


# Contracts


@pytest.mark.parametrize("board", [BOARD, OTHER_BOARD], ids=["seed 2011", "seed 7"])
@pytest.mark.parametrize("name", sorted(TABLES))
def test_table_passes_its_contract(board, name):
    assert_frame_equal(TABLES[name].validate(board[name]), board[name])


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_reference_is_found(name):
    for column, definition in TABLES[name].columns().items():
        if reference := (definition.metadata or {}).get("references"):
            table, key = reference.split(".")
            assert set(BOARD[name][column].drop_nulls()) <= set(BOARD[table][key])


def test_aliases_stand_for_one_agency_each():
    aliases = [alias for text in BOARD["agencies"]["aliases"] for alias in text.split(";")]
    assert len(aliases) == len(set(aliases))
    assert not set(aliases) & set(BOARD["agencies"]["agency"])


def test_pseudonyms_are_of_the_kinds_said():
    for name in ("bookings", "staff", "training_records"):
        assert BOARD[name]["person"].str.contains(r"^P\d{4}$").all()
    assert BOARD["plans"]["child"].str.contains(r"^C\d{5}$").all()
    assert BOARD["plans"]["plan"].str.contains(r"^CP\d{5}$").all()
    assert BOARD["ballots"]["member"].str.contains(r"^M\d{2}$").all()


# Training


def test_sessions_are_the_published_district_workshops_morning_and_afternoon():
    planned = [
        (row["district"], row["date"], row["venue"], half)
        for row in published("kent_workshops_2011.csv")
        if row["kind"] == "district_workshop"
        for half in ("morning", "afternoon")
    ]
    found = BOARD["sessions"].select("district", pl.col("date").cast(pl.String), "venue", "half_day").rows()
    assert found == planned
    assert len(found) == 24
    assert len({district for district, *_ in found}) == 12


def test_twelve_hundred_places_are_offered_fifty_a_session():
    assert BOARD["sessions"]["capacity"].to_list() == [50] * 24


def test_each_area_has_four_districts():
    districts = BOARD["sessions"].select("district", "area").unique()
    assert Counter(districts["area"]) == {"East": 4, "Mid": 4, "West": 4}


@pytest.mark.parametrize("board", [BOARD, OTHER_BOARD], ids=["seed 2011", "seed 7"])
def test_health_and_cfe_take_seventy_six_per_cent_of_places(board):
    (row,) = [r for r in published("kent_training_2007_08.csv") if r["measure"] == "health_and_cfe_share_of_take_up"]
    sectors = attended(board).join(board["agencies"], on="agency")["sector"]
    share = 100 * sectors.is_in(["Health", "Children, families and education"]).sum() / sectors.len()
    assert abs(share - float(row["value"])) < 0.5


def test_places_taken_are_more_than_people_and_not_the_target():
    places, people = attended(BOARD).height, attended(BOARD)["person"].n_unique()
    assert 1053 <= places <= 1150
    assert people < places
    assert people < 1200


def test_every_session_has_45_to_58_bookings_with_an_outcome_and_one_is_over_filled():
    sessions = (
        BOARD["bookings"]
        .group_by("session")
        .agg(
            registered=(pl.col("booked") & (pl.col("status") != "waitlisted")).sum(),
            attended=(pl.col("status") == "attended").sum(),
        )
    )
    assert sessions.height == 24
    assert sessions["registered"].is_between(45, 58).all()
    assert sessions.filter(pl.col("attended") > 50).height == 1


def test_every_outcome_but_an_open_booking_occurs_and_there_are_walk_ins():
    assert set(BOARD["bookings"]["status"]) == {"attended", "did_not_attend", "cancelled", "waitlisted"}
    assert 24 <= (~BOARD["bookings"]["booked"]).sum() <= 110


def test_target_groups_are_mostly_two_to_four_and_some_are_not_known():
    groups = BOARD["bookings"]["target_group"]
    assert groups.is_in([2, 3, 4]).sum() / groups.len() > 0.9
    assert groups.null_count() > 0
    assert groups.drop_nulls().is_in([2, 3, 4]).not_().any()


def test_a_person_works_for_one_agency_and_is_of_one_group():
    people = BOARD["bookings"].select("person", "agency", "target_group").unique()
    assert people["person"].is_unique().all()


def test_people_who_came_are_never_more_than_the_eligible_staff_of_their_agency_and_group():
    came = attended(BOARD).group_by("agency", "target_group").agg(people=pl.col("person").n_unique())
    cells = BOARD["workforce"].join(came, on=["agency", "target_group"]).drop_nulls("eligible_staff")
    assert (cells["people"] <= cells["eligible_staff"]).all()


def test_reach_runs_from_a_twentieth_to_more_than_half_with_gaps():
    came = attended(BOARD).group_by("agency").agg(people=pl.col("person").n_unique())
    agencies = (
        BOARD["workforce"]
        .group_by("agency")
        .agg(staff=pl.col("eligible_staff").sum(), returned=pl.col("eligible_staff").count() > 0)
    )
    agencies = agencies.join(came, on="agency", how="left")
    assert agencies.filter(pl.col("people").is_null())["agency"].to_list() == [NOBODY_CAME]
    assert agencies.filter(~pl.col("returned"))["agency"].to_list() == [NO_RETURN]
    reach = agencies.filter("returned").drop_nulls("people").select(pl.col("people") / pl.col("staff"))["people"]
    assert 0.03 < reach.min() < 0.07
    assert 0.6 < reach.max() < 0.8


def test_workforce_is_level_two_of_the_year_the_workshops_fall_in():
    assert set(BOARD["workforce"].select("training_level", "time_period").rows()) == {(2, "2012")}
    assert BOARD["workforce"].height == 3 * BOARD["agencies"].height


def test_some_agencies_have_fewer_than_six_attendees():
    people = attended(BOARD).group_by("agency").agg(people=pl.col("person").n_unique())
    assert set(people.filter(pl.col("people") < 6)["agency"]) == {"CAFCASS", "Coroner's office", "Young carers project"}


def test_sessions_are_workshops_learners_local_and_no_agency_has_merged():
    assert BOARD["sessions"]["kind"].to_list() == ["workshop"] * 24
    assert BOARD["bookings"]["learner"].null_count() == BOARD["bookings"].height
    assert BOARD["agencies"].select("merged_into", "merged_on").null_count().row(0) == (18, 18)


# Staff records and training elsewhere

AS_AT = date(2011, 7, 1)
BOARDS = pytest.mark.parametrize("board", [BOARD, OTHER_BOARD], ids=["seed 2011", "seed 7"])
COMPLETE = sorted(agency for agency, recording in RECORDS.items() if recording.kept == 100)
NO_RECORDS = sorted(agency for agency, recording in RECORDS.items() if recording.kept == 0)


def employed(board):
    """Staff records of those who work there on 1 July 2011."""
    leaving = pl.col("leaving_date")
    return board["staff"].filter(leaving.is_null() | (leaving >= AS_AT))


def head_counts(board):
    """Staff on record by agency and target group."""
    return Counter(employed(board).select("agency", "target_group").iter_rows())


def returned(board):
    """Eligible staff by agency and target group; None = no return."""
    return {(agency, group): staff for agency, _, group, _, staff in board["workforce"].iter_rows()}


def trainings(board):
    """Level and day of everything a person attended or completed, by person."""
    found = {}
    for row in attended(board).join(board["sessions"], on="session").to_dicts():
        found.setdefault(row["person"], []).append((row["training_level"], row["date"]))
    for row in board["training_records"].to_dicts():
        found.setdefault(row["person"], []).append((row["training_level"], row["completed"]))
    return found


def test_agencies_differ_in_what_they_write_down():
    assert set(RECORDS) == set(BOARD["agencies"]["agency"])
    assert (len(COMPLETE), len(NO_RECORDS)) == (9, 4)
    assert {"Kent Police", "Kent Probation", "Youth Offending Service", "West Kent PCT"} < set(COMPLETE)
    assert {"Children, Families and Education", NO_RETURN} < set(NO_RECORDS)


@BOARDS
def test_complete_records_add_up_to_the_workforce_return_group_by_group(board):
    staff, eligible = head_counts(board), returned(board)
    assert {cell: staff[cell] for cell in eligible if cell[0] in COMPLETE} == {
        cell: size for cell, size in eligible.items() if cell[0] in COMPLETE
    }


@BOARDS
def test_partial_records_are_fewer_than_the_return_and_some_agencies_have_none(board):
    staff, eligible = head_counts(board), returned(board)
    assert all(count <= (eligible[cell] or 0) for cell, count in staff.items())
    partial = set(RECORDS) - set(COMPLETE) - set(NO_RECORDS)
    for agency in partial:
        on_record = sum(count for (name, _), count in staff.items() if name == agency)
        assert 0 < on_record < 0.7 * sum(size for (name, _), size in eligible.items() if name == agency)
    assert set(BOARD["staff"]["agency"]) == {*COMPLETE, *partial}


@BOARDS
def test_everybody_who_booked_from_an_agency_with_complete_records_is_on_record(board):
    on_record = dict(employed(board).select("person", pl.struct("agency", "target_group")).iter_rows())
    booked = board["bookings"].filter(pl.col("agency").is_in(COMPLETE)).to_dicts()
    assert len(booked) > 300
    for row in booked:
        record = on_record[row["person"]]
        assert record["agency"] == row["agency"]
        # The workforce return knows groups 2, 3 and 4 only: who gave another or none is on record in one of them.
        assert record["target_group"] == row["target_group"] or row["target_group"] not in (2, 3, 4)


@BOARDS
def test_a_pseudonym_is_one_person_of_one_agency_in_every_table(board):
    names = ("bookings", "staff", "training_records")
    people = pl.concat([board[name].select("person", "agency") for name in names]).unique()
    assert people["person"].is_unique().all()
    assert board["staff"]["person"].is_unique().all()


def test_pseudonyms_of_staff_who_never_booked_continue_the_numbering():
    booked = set(BOARD["bookings"]["person"])
    others = set(BOARD["staff"]["person"]) - booked
    assert max(booked) == f"P{len(booked):04d}"
    assert sorted(others) == [f"P{number:04d}" for number in range(len(booked) + 1, len(booked) + len(others) + 1)]


def test_all_staff_on_record_need_level_two():
    assert set(BOARD["staff"]["training_level"]) == {2}


@BOARDS
def test_staff_started_from_1985_to_the_year_before_the_evaluation_and_before_they_booked(board):
    starts = board["staff"]["start_date"]
    assert {start.year for start in starts} == set(range(1985, 2012))
    assert starts.max() < AS_AT
    booked = board["bookings"].join(board["sessions"], on="session").join(board["staff"], on="person")
    assert (booked["start_date"] <= booked["date"]).all()


def test_posts_start_with_the_job_or_later_and_some_days_are_not_known():
    staff = BOARD["staff"]
    later = staff.filter(pl.col("post_start_date") > pl.col("start_date"))
    assert (staff["post_start_date"].drop_nulls() >= staff.drop_nulls("post_start_date")["start_date"]).all()
    assert 0.2 < later.height / staff.height < 0.5
    assert 0 < staff["post_start_date"].null_count() / staff.height < 0.15


@BOARDS
def test_some_have_left_and_some_have_given_notice(board):
    leaving = board["staff"]["leaving_date"].drop_nulls()
    assert 40 < (leaving < AS_AT).sum() < 150
    assert 10 < (leaving > AS_AT).sum() < 80


@BOARDS
def test_new_starters_were_trained_within_three_months_or_late_or_never_or_have_time_left(board):
    found, taken = Counter(), trainings(board)
    for row in employed(board).filter(pl.col("start_date") > date(2010, 7, 1)).to_dicts():
        start = row["start_date"]
        month, year = (start.month + 2) % 12 + 1, start.year + (start.month > 9)
        within = date(year, month, min(start.day, 28 if month == 2 else 30))
        days = [day for level, day in taken.get(row["person"], []) if level >= 2]
        assert all(day >= start for day in days)
        if not days:
            found["time left" if within >= AS_AT else "never"] += 1
        else:
            found["in time" if min(days) <= within else "late"] += 1
    assert set(found) == {"in time", "late", "never", "time left"}
    assert min(found.values()) > 20


@BOARDS
def test_training_elsewhere_is_named_after_the_target_groups_and_lies_in_2006_to_2011(board):
    courses = dict(board["training_records"].select("course", "training_level").iter_rows())
    known = {
        "Awareness of Child Abuse and Neglect": 1,
        "Working Together": 2,
        "Working Together refresher": 2,
        "Making Positive Contributions to Child Protection Conferences and Core Groups": 3,
        "Single-agency training for the role": 3,
        "Lessons from serious case reviews": 3,
        "Managing Allegations against People who Work with Children": 4,
    }
    assert courses.items() <= known.items()  # few are of groups 5 and 6, so a seed may give no course of theirs
    assert set(known) - set(courses) <= set(list(known)[-2:])
    printed = " ".join(row["courses"] for row in published("kirklees_target_groups.csv")).lower()
    assert [name for name in courses if name.lower().removesuffix(" refresher") not in printed] == []
    assert {day.year for day in board["training_records"]["completed"]} == set(range(2006, 2012))
    assert board["training_records"]["completed"].max() < AS_AT


@BOARDS
def test_training_was_completed_on_a_weekday_while_the_person_worked_there(board):
    records = board["training_records"].join(board["staff"], on="person", how="left", suffix="_on_record")
    assert (records["completed"].dt.weekday() <= 5).all()
    assert (records["completed"] >= records["start_date"]).fill_null(value=True).all()
    assert (records["completed"] <= records["leaving_date"]).fill_null(value=True).all()
    assert (records["target_group"] == records["target_group_on_record"]).fill_null(value=True).all()


@BOARDS
def test_training_is_known_of_some_who_booked_from_agencies_without_records(board):
    unrecorded = board["training_records"].join(board["staff"], on="person", how="anti")
    booked = board["bookings"].select("person", "agency", "target_group").unique()
    assert unrecorded.join(booked, on=["person", "agency", "target_group"], how="anti", nulls_equal=True).is_empty()
    of_cfe = unrecorded.filter(pl.col("agency") == "Children, Families and Education")["person"].n_unique()
    assert 0.2 < of_cfe / booked.filter(pl.col("agency") == "Children, Families and Education").height < 0.6
    assert not unrecorded["agency"].is_in([NO_RETURN, "Coroner's office"]).any()


@BOARDS
def test_agencies_run_from_mostly_up_to_date_to_mostly_not(board):
    """Level 2 within 36 months; group 4 also level 3 within 12. Nobody's 36 or 12 months end on 1 July itself."""
    taken, stages = trainings(board), {}
    for row in employed(board).to_dicts():
        ends = [until(taken.get(row["person"], []), 2, 3)]
        if row["target_group"] == 4:
            ends.append(until(taken.get(row["person"], []), 3, 1))
        if None in ends:
            stage = "never"
        else:
            stage = "past" if min(ends) < AS_AT else "soon" if min(ends) <= date(2011, 10, 1) else "later"
        stages.setdefault(row["agency"], Counter())[stage] += 1
    assert {name for counts in stages.values() for name in counts} == {"never", "past", "soon", "later"}
    for agency in ("Eastern and Coastal Kent PCT", "West Kent PCT", "Kent Police"):
        assert min(stages[agency].values()) > 10
    shares = {name: (counts["soon"] + counts["later"]) / counts.total() for name, counts in stages.items()}
    assert shares["Youth Offending Service"] > 0.75
    assert 0.5 < shares["Kent Police"] < 0.75
    assert shares[NOBODY_CAME] < 0.4


def until(taken, level, years):
    """The day on which the last training of a level, or above, is so many years old (28th at most); None = none."""
    days = [day for reached, day in taken if reached >= level]
    last = max(days, default=None)
    return date(last.year + years, last.month, min(last.day, 28)) if last else None


# Knowledge


def test_questionnaire_has_ten_questions_worth_twenty_points_and_three_ratings():
    kinds = BOARD["items"].select("item", "kind", "minimum", "maximum", "reversed").rows()
    assert kinds == [(item, "choice", 0, 2, False) for item in POINTS] + [
        ("Q11", "likert", 1, 5, False),
        ("Q12", "likert", 1, 5, False),
        ("Q13", "likert", 1, 5, True),
    ]


@BOARDS
def test_scores_are_whole_points_or_ratings_within_the_range_of_the_question(board):
    scores = dict(board["scores"].group_by("item").agg(pl.col("score").unique()).iter_rows())
    assert {item: sorted(found) for item, found in scores.items()} == {
        **{item: [0, 1, 2] for item in POINTS},
        **{item: [1, 2, 3, 4, 5] for item in RATINGS},
    }


def questionnaires(board):
    """The questions answered, by wave, session and person."""
    asked = board["scores"].group_by("wave", "session", "person", maintain_order=True).agg("item")
    return {wave: {(s, p): items for w, s, p, items in asked.iter_rows() if w == wave} for wave in WAVES}


@BOARDS
def test_only_attendees_answered(board):
    came = attended(board).select("session", "person", "agency")
    assert board["scores"].join(came, on=["session", "person", "agency"], how="anti").is_empty()


@BOARDS
def test_every_question_is_answered_before_and_after_and_only_ratings_looking_back(board):
    given = questionnaires(board)
    for wave, asked in (("pre", POINTS + RATINGS), ("post", POINTS + RATINGS), ("then", RATINGS)):
        assert all(items == asked for items in given[wave].values())


def test_points_before_and_after_are_those_of_the_board_without_ratings():
    """SHA-256 of the rows of scores.csv as it was written before ratings and follow-up stood in it."""
    rows = (DEMO_BOARD / "scores.csv").read_text(encoding="utf-8").splitlines(keepends=True)[1:]
    kept = [row for row in rows if row.split(",")[3] in ("pre", "post") and row.split(",")[4] in POINTS]
    assert len(kept) == 19_080
    digest = hashlib.sha256("".join(kept).encode()).hexdigest()
    assert digest == "1d4ad8eb01d36b1116c3e10ac268d845a8da2d451fba0a5beb96e6cb13962c86"


def test_some_people_answered_only_before_some_only_after_and_some_never():
    waves = totals().group_by("session", "person").agg(pl.col("wave").sort().str.join("+"))["wave"]
    counts, places = Counter(waves), attended(BOARD).height
    assert set(counts) == {"pre", "post", "post+pre"}
    assert 0.09 < counts["pre"] / places < 0.15
    assert 0.04 < counts["post"] / places < 0.08
    assert waves.len() < places


@BOARDS
def test_most_of_those_who_answered_after_and_nobody_else_rated_looking_back(board):
    given = questionnaires(board)
    assert set(given["then"]) < set(given["post"])
    assert 0.85 < len(given["then"]) / len(given["post"]) < 0.95


@BOARDS
def test_follow_up_is_of_the_sessions_six_weeks_or_more_before_the_evaluation(board):
    """20 May 2011 is 42 days before 1 July: the workshops of 10, 11, 13, 17 and 18 May, morning and afternoon."""
    days = dict(board["sessions"].select("session", "date").iter_rows())
    due = {session for session, day in days.items() if day <= date(2011, 5, 20)}
    assert len(due) == 10
    assert {session for session, _ in questionnaires(board)["follow_up"]} == due


@BOARDS
def test_about_half_of_the_attendees_answered_the_follow_up_and_some_of_them_not_after(board):
    given = questionnaires(board)
    due = {session for session, _ in given["follow_up"]}
    came = set(attended(board).filter(pl.col("session").is_in(due)).select("session", "person").iter_rows())
    answered = set(given["follow_up"])
    assert 0.42 < len(answered) / len(came) < 0.58
    assert 10 < len(answered - set(given["post"])) < 50
    assert answered - set(given["pre"]) - set(given["post"])
    after = came & set(given["post"])
    assert len(answered & after) / len(after) > len(answered - after) / len(came - after)


@BOARDS
def test_a_few_follow_ups_leave_one_question_open(board):
    answered = Counter(len(items) for items in questionnaires(board)["follow_up"].values())
    assert set(answered) == {12, 13}
    assert 0 < answered[12] / answered.total() < 0.1


def ratings(board):
    """One row per person, session and rating, a column per wave; the last question turned round."""
    turned = pl.when(pl.col("item") == "Q13").then(6 - pl.col("score")).otherwise("score")
    found = board["scores"].filter(pl.col("item").is_in(RATINGS)).with_columns(score=turned)
    return found.pivot("wave", index=["session", "person", "item"], values="score")


def changes(board, earlier, later):
    """Mean change of those who answered both times, by rating."""
    change = (pl.col(later) - pl.col(earlier)).mean()
    return ratings(board).group_by("item").agg(change).sort("item")[later].to_list()


@BOARDS
def test_ratings_rise_by_about_half_a_step_and_some_fall(board):
    assert all(0.3 < change < 0.7 for change in changes(board, "pre", "post"))
    rises = ratings(board).select(pl.col("post") - pl.col("pre")).drop_nulls()["post"]
    assert (rises > 0).mean() > 0.4
    assert 0.05 < (rises < 0).mean() < 0.15


@BOARDS
def test_ratings_looking_back_are_lower_than_the_real_ones_before(board):
    assert all(-0.55 < change < -0.25 for change in changes(board, "pre", "then"))


@BOARDS
def test_ratings_lose_part_of_their_rise_until_the_follow_up(board):
    assert all(change > 0 for change in changes(board, "pre", "follow_up"))
    assert all(change < 0 for change in changes(board, "post", "follow_up"))


@BOARDS
def test_confidence_rises_where_nothing_was_taught(board):
    there = board["sessions"].filter(pl.col("district") == NO_GAIN)["session"].to_list()
    found = ratings(board).filter(pl.col("session").is_in(there))
    assert 0.3 < found.select(pl.col("post") - pl.col("pre"))["post"].mean() < 0.7


@BOARDS
def test_part_of_the_gain_is_lost_until_the_follow_up(board):
    answers = board["scores"].filter(pl.col("item").is_in(POINTS))
    found = answers.group_by("session", "person", "wave").agg(pl.col("score").sum(), answered=pl.len())
    points = found.filter(pl.col("answered") == 10).pivot("wave", index=["session", "person"], values="score")
    assert points.drop_nulls().height > 150
    means = points.drop_nulls().select("pre", "post", "follow_up").mean().row(0)
    assert means[0] + 1 < means[2] < means[1] - 0.5


def test_gain_is_about_two_and_a_half_points_and_some_people_fall():
    gains = pairs()["gain"]
    assert 2.4 < gains.mean() < 2.8
    assert 0.7 < (gains > 0).mean() < 0.85
    assert (gains == 0).any()
    assert 0.08 < (gains < 0).mean() < 0.2


def test_one_districts_workshops_taught_next_to_nothing():
    districts = pairs().group_by("district").agg(pl.col("gain").mean()).sort("gain")
    assert districts["district"][0] == NO_GAIN
    assert abs(districts["gain"][0]) < 0.5
    assert districts["gain"][1] > 2


def test_people_of_one_session_answer_a_little_alike():
    """One-way analysis of variance: ICC = (MSB - MSW) / (MSB + (n - 1) MSW), n the average size of a session."""
    gains = [group["gain"].to_list() for _, group in pairs().group_by("session")]
    size, mean = sum(map(len, gains)), sum(map(sum, gains)) / sum(map(len, gains))
    means = [sum(group) / len(group) for group in gains]
    between = sum(len(g) * (m - mean) ** 2 for g, m in zip(gains, means, strict=True)) / (len(gains) - 1)
    within = sum((x - m) ** 2 for g, m in zip(gains, means, strict=True) for x in g) / (size - len(gains))
    assert 0.02 < (between - within) / (between + (size / len(gains) - 1) * within) < 0.1


# Plans


def repeats(plans, year):
    """Plans of the year whose child had one before, by the recorded count or by an earlier row: brute force."""
    rows = plans.to_dicts()
    return [
        row
        for row in rows
        if date(year - 1, 4, 1) <= row["start_date"] <= date(year, 3, 31)
        and (
            row["previous_plans"] > 0
            or any(r["child"] == row["child"] and r["start_date"] < row["start_date"] for r in rows)
        )
    ]


@pytest.mark.parametrize("board", [BOARD, OTHER_BOARD], ids=["seed 2011", "seed 7"])
def test_177_of_920_plans_of_2007_08_are_second_or_subsequent(board):
    (row,) = [
        r
        for r in published("kent_indicators_2007_08.csv")
        if r["indicator"] == "second_or_subsequent_plan" and r["area"] == "Kent"
    ]
    found = len(repeats(board["plans"], 2008)), year_starts(board, 2008).height
    assert found == (177, 920)
    assert round(100 * found[0] / found[1], 1) == float(row["value"])


def test_rate_of_the_year_before_is_slightly_higher():
    assert (len(repeats(BOARD["plans"], 2007)), year_starts(BOARD, 2007).height) == (190, 972)
    assert 177 / 920 < 190 / 972


def test_plan_starts_are_the_published_new_registrations():
    starts = {
        row["period"]: int(row["count"])
        for row in published("kent_child_protection_register.csv")
        if row["area"] == "Kent" and row["measure"] == "new_registrations"
    }
    assert starts == {"2006/07": year_starts(BOARD, 2007).height, "2007/08": year_starts(BOARD, 2008).height}


def open_on(board, day):
    started = board["plans"].filter(pl.col("start_date") <= day)
    return started.filter(pl.col("end_date").is_null() | (pl.col("end_date") > day)).height


@pytest.mark.parametrize("board", [BOARD, OTHER_BOARD])
def test_plan_ends_are_the_published_de_registrations_and_the_register_adds_up_where_the_report_does_not(board):
    ends = {
        row["period"]: int(row["count"])
        for row in published("kent_child_protection_register.csv")
        if row["area"] == "Kent" and row["measure"] == "de_registrations"
    }
    ended = pl.col("end_date")
    assert ends == {
        "2006/07": board["plans"].filter(ended.is_between(date(2006, 4, 1), date(2007, 3, 31))).height,
        "2007/08": board["plans"].filter(ended.is_between(date(2007, 4, 1), date(2008, 3, 31))).height,
    }
    assert open_on(board, date(2007, 3, 31)) == 864
    assert open_on(board, date(2008, 3, 31)) == 864 + 920 - 813 == 971


def test_register_is_as_it_stood_on_its_last_day():
    plans = BOARD["plans"]
    for column in ("start_date", "end_date", "death_date", "moved_date"):
        assert plans[column].max() <= date(2008, 3, 31)
    assert plans.filter(pl.col("start_date") < date(2003, 4, 1))["end_date"].drop_nulls().min() >= date(2003, 4, 1)


def test_children_move_away_or_die_only_after_their_last_plan():
    left = pl.coalesce("moved_date", "death_date")
    last = BOARD["plans"].sort("start_date").group_by("child").last().filter(left.is_not_null())
    assert 100 < last.height < 300
    assert last.filter(left <= pl.col("end_date")).is_empty()


def test_every_plan_of_two_years_starts_with_its_conference_and_most_are_in_time():
    held = BOARD["conferences"].filter(pl.col("conference_date").is_not_null())
    starts = pl.concat([year_starts(BOARD, 2007), year_starts(BOARD, 2008)])
    joined = starts.join(held, left_on=["child", "start_date"], right_on=["child", "conference_date"], how="semi")
    assert joined.height == starts.height == 1892
    days = (held["conference_date"] - held["section_47_start"]).dt.total_days()
    assert 0.6 < days.is_between(0, 21).sum() / held.height < 0.9
    assert days.null_count() > 0
    assert (days.drop_nulls() < 0).any()


def test_reviews_are_of_plans_that_are_open_then():
    of = BOARD["reviews"].join(BOARD["plans"], on="plan", how="left")
    assert of["start_date"].null_count() == 0
    assert of.filter(
        (pl.col("review_date") <= pl.col("start_date")) | (pl.col("review_date") > pl.col("end_date"))
    ).is_empty()
    assert of["review_date"].max() <= date(2008, 3, 31)


def test_recorded_earlier_plans_count_at_least_those_in_the_table():
    for _, plans in BOARD["plans"].sort("child", "start_date").group_by("child"):
        counts = plans.sort("start_date")["previous_plans"].to_list()
        assert counts == list(range(counts[0], counts[0] + len(counts)))


def test_some_history_is_in_the_table_and_some_only_in_the_count():
    earlier = set(BOARD["plans"].filter(pl.col("start_date") < date(2007, 4, 1))["child"])
    found = [row["child"] in earlier for row in repeats(BOARD["plans"], 2008)]
    assert 60 < sum(found) < 130


def test_the_same_child_twice_in_a_year_occurs():
    assert year_starts(BOARD, 2008)["child"].n_unique() < 920


def test_no_two_plans_of_a_child_overlap():
    for _, plans in BOARD["plans"].group_by("child"):
        ordered = plans.sort("start_date").to_dicts()
        for before, after in pairwise(ordered):
            assert before["end_date"] is not None
            assert before["end_date"] < after["start_date"]


def test_plans_start_and_end_on_weekdays_before_the_evaluation_and_most_within_two_years():
    plans = BOARD["plans"]
    for column in ("start_date", "end_date"):
        assert (plans[column].drop_nulls().dt.weekday() <= 5).all()
        assert plans[column].max() <= date(2011, 7, 1)
    days = (plans["end_date"] - plans["start_date"]).dt.total_days()
    assert (days.drop_nulls() < 730).mean() > 0.9
    assert days.min() > 0
    assert plans["end_date"].null_count() == 971


def test_about_eighty_per_cent_of_plans_are_for_neglect_or_emotional_abuse():
    for year in (2007, 2008):
        assert 0.76 < year_starts(BOARD, year)["category"].is_in(["NEG", "EMO"]).mean() < 0.84


def test_all_districts_have_plans_and_small_numbers_of_repeats_occur():
    assert set(BOARD["plans"]["district"]) == set(BOARD["sessions"]["district"])
    assert set(BOARD["plans"]["authority"]) == {"Kent"}
    found = repeats(BOARD["plans"], 2008)
    districts = Counter(row["district"] for row in found)
    cells = Counter((row["district"], row["category"]) for row in found)
    assert any(1 <= count <= 5 for count in districts.values())
    assert sum(1 <= count <= 5 for count in cells.values()) > 10


def test_siblings_start_on_the_same_day_in_the_same_district():
    together = BOARD["plans"].group_by("start_date", "district").len()
    assert (together["len"] > 1).sum() > 300


# Priorities


def ballots():
    """One dictionary per member: issue to place."""
    members = {}
    for row in BOARD["ballots"].to_dicts():
        members.setdefault(row["member"], {})[row["issue"]] = row["rank"]
    return list(members.values())


def test_fifteen_issues_hold_the_four_published_priorities():
    issues = set(BOARD["issues"]["issue"])
    assert len(issues) == 15
    assert {row["priority"] for row in published("kirklees_priorities_2015.csv")} < issues


def test_thirty_members_of_fourteen_agencies_vote_and_agencies_differ_in_number():
    members = BOARD["ballots"].select("member", "agency").unique()
    assert members.height == members["member"].n_unique() == 30
    assert Counter(Counter(members["agency"]).values()) == {1: 4, 2: 6, 3: 3, 5: 1}


def test_some_ballots_are_incomplete_and_some_are_tied():
    lengths = Counter(map(len, ballots()))
    assert set(lengths) == {5, 8, 15}
    assert lengths[15] > 10
    assert 5 <= sum(len(set(ballot.values())) < len(ballot) for ballot in ballots()) <= 15


def test_places_are_one_more_than_the_issues_put_above():
    for ballot in ballots():
        assert all(place == 1 + sum(r < place for r in ballot.values()) for place in ballot.values())


def test_the_published_priorities_win_and_the_cut_is_close():
    """Wins minus losses over all pairs, unranked issues tied below the ranked ones."""
    issues = BOARD["issues"]["issue"].to_list()
    score = dict.fromkeys(issues, 0)
    for ballot in ballots():
        for issue in issues:
            for other in issues:
                mine, theirs = ballot.get(issue, 99), ballot.get(other, 99)
                score[issue] += (mine < theirs) - (mine > theirs)
    order = sorted(issues, key=lambda issue: -score[issue])
    assert set(order[:4]) == {row["priority"] for row in published("kirklees_priorities_2015.csv")}
    # One member who moves one issue from first to last place changes a score by 28.
    assert 0 < score[order[3]] - score[order[4]] < 28


def test_three_boards_place_the_eight_published_themes_from_one_to_ten():
    themes = [row["theme"] for row in published("kirklees_shared_themes_2015.csv")]
    assert BOARD["themes"]["theme"].to_list() == themes * 3
    assert BOARD["themes"]["board"].n_unique() == 3
    for column in ("urgency", "importance"):
        assert BOARD["themes"][column].is_between(1, 10).all()
