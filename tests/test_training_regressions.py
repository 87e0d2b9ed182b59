"""Training tables where they once went wrong: words of exports, mergers, days, areas, hidden numbers that follow."""

from __future__ import annotations

import itertools
import re
from datetime import date

import polars as pl
import pytest

from safeguarding_analytics.auditing import audit
from safeguarding_analytics.board import check_all, check_board, read_board
from safeguarding_analytics.contracts import say_problems
from safeguarding_analytics.dates import held_by, latest_period
from safeguarding_analytics.disclosure import suppress
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.ledger import common_keys, sheet_of
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.programme import coverage_needed, inter_agency_mix, programme_targets, progress_by
from safeguarding_analytics.registers import with_sector
from safeguarding_analytics.shapes import shape_of
from safeguarding_analytics.training import attendance, training_coverage

DFE, NHS, ROUND5 = Policy.dfe(), Policy.nhs(), Policy.round5()
EVERY_POLICY = pytest.mark.parametrize("policy", [DFE, NHS, ROUND5], ids=["dfe", "nhs", "round5"])

# Exports of booking systems

AGENCIES = "agency,sector,aliases\nKent Police,Police,\nKent County Council,Council,KCC\n"
HEADINGS = ["Event", "Title", "Level", "Start", "E-mail", "Organisation", "Outcome"]
COLUMNS = dict(
    zip(["session", "course", "training_level", "date", "person", "agency", "status"], HEADINGS, strict=True)
)
JANE = ("E1", "Core", "2", "17/05/2011", "jane.smith@kent.gov.uk", "KCC", "Attended")
BO = ("E1", "Core", "2", "17/05/2011", "bo.li@police.uk", "Kent Police", "DNA")


def with_export(folder, *rows, more="", words="", **extra):
    """A board with an export: the usual columns, further ones by our name of them, and words of board.toml."""
    headings = COLUMNS | extra
    mapped = [f'{name} = "{heading}"' for name, heading in headings.items()]
    board = ["[bookings_export]", 'file = "export.csv"', more, "[bookings_export.columns]", *mapped, words]
    (folder / "board.toml").write_text("\n".join(board) + "\n", encoding="utf-8")
    (folder / "agencies.csv").write_text(AGENCIES, encoding="utf-8")
    key = folder / "pseudonym.key"
    key.write_text("0123456789abcdef" * 4, encoding="ascii")
    key.chmod(0o600)
    lines = [",".join(row) for row in [[*headings.values()], *rows]]
    (folder / "export.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def said(folder):
    """Every broken rule and every note of a board, as its user reads them."""
    board, problems = check_all(folder)
    rules = say_problems(problems, board.file_names, {name: board.height(name) for name in board.tables})
    return [*rules, *(note for name in board.tables for note in board.notes_of(name))]


def test_words_of_the_board_for_a_column_of_booked_places_are_honoured_in_an_export(tmp_path):
    words = '[bookings.booked]\n"Pre-enrolled" = "yes"\n"Off the street" = "no"\n'
    rows = [(*JANE, "Pre-enrolled"), (*BO[:6], "Attended", "off the street")]
    board = read_board(with_export(tmp_path, *rows, words=words, booked="Type"))
    assert board.tables["bookings"]["booked"].to_list() == [True, False]
    assert check_board(tmp_path).is_empty()


@pytest.mark.parametrize("kind", ["export", "clean"])
def test_words_that_follow_one_another_are_applied_once_and_not_as_a_chain(tmp_path, kind):
    words = '[sessions.course]\n"Core 2009" = "Core 2010"\n"Core 2010" = "Core 2011"\n'
    if kind == "export":
        with_export(tmp_path, ("E1", "Core 2009", *JANE[2:]), ("E2", "Core 2010", *BO[2:]), words=words)
    else:
        (tmp_path / "board.toml").write_text(words, encoding="utf-8")
        (tmp_path / "sessions.csv").write_text(
            "session,course,training_level,district,area,venue,date,half_day,capacity,cost\n"
            "E1,Core 2009,2,,,,2011-05-17,,50,\nE2,Core 2010,2,,,,2011-05-17,,50,\n",
            encoding="utf-8",
        )
    assert read_board(tmp_path).tables["sessions"]["course"].to_list() == ["Core 2010", "Core 2011"]


def test_words_of_the_board_for_kinds_of_sessions_are_honoured_in_an_export(tmp_path):
    words = '[sessions.kind]\n"Web seminar" = "e_learning"\n'
    rows = [(*JANE, "Web seminar"), ("E2", *BO[1:], "Mop-up")]
    board = read_board(with_export(tmp_path, *rows, words=words, kind="How"))
    assert board.tables["sessions"]["kind"].to_list() == ["e_learning", "mop_up"]
    assert check_board(tmp_path).is_empty()


def test_walk_in_who_stayed_for_a_part_attended_though_all_days_count_and_breaks_no_rule(tmp_path):
    rows = [(*JANE[:6], "Partially attended", "Walk-in"), (*BO[:6], "Partially attended", "Booked")]
    board = read_board(with_export(tmp_path, *rows, more='days = "all"', booked="Type"))
    assert check_board(tmp_path).is_empty()
    # A place that was not booked cannot be missed; a booked one of which a part was missed is.
    assert board.tables["bookings"].select("status", "booked").rows() == [
        ("attended", False),
        ("did_not_attend", True),
    ]


@pytest.mark.parametrize("first", ["Total", "Grand total", "Totals:"])
def test_row_of_totals_that_counts_bookings_in_the_column_of_people_is_left_out_and_told(tmp_path, first):
    with_export(tmp_path, JANE, BO, (first, "", "", "", "424 bookings", "", ""))
    assert read_board(tmp_path).tables["bookings"].height == 2
    assert said(tmp_path) == ["export.csv: 1 row is no booking but totals, and left out: row 4."]


def test_person_with_an_address_at_an_event_called_total_is_no_row_of_totals(tmp_path):
    with_export(tmp_path, JANE, ("Total", *BO[1:]))
    assert read_board(tmp_path).tables["bookings"]["session"].to_list() == ["E1", "Total"]


@pytest.mark.parametrize(
    ("address", "learner"),
    [
        ("ann@example.org", "local"),
        ("ann@mail.example.org", "local"),
        ("ann@system.test", "test"),
        ("ann@SYSTEM.TEST", "test"),
    ],
)
def test_people_at_a_domain_of_examples_are_learners_and_at_one_of_tests_test_users(tmp_path, address, learner):
    with_export(tmp_path, (*JANE[:4], address, *JANE[5:]))
    assert read_board(tmp_path).tables["bookings"]["learner"].to_list() == [learner]


# Agencies that merge

MERGED = (
    "agency,sector,aliases,merged_into,merged_on\n"
    "East PCT,Health,,Kent PCT,2010-04-01\nKent PCT,Health,,Kent CCG,2011-04-01\nKent CCG,Health,,,\n"
)


def merged_board(folder, as_at="", workforce=""):
    (folder / "agencies.csv").write_text(MERGED, encoding="utf-8")
    if as_at:
        (folder / "board.toml").write_text(f"[board]\nas_at = {as_at}\n", encoding="utf-8")
    if workforce:
        header = "agency,training_level,target_group,time_period,eligible_staff\n"
        (folder / "workforce.csv").write_text(header + workforce, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("as_at", "merged_into", "returned_by"),
    [
        ("2010-03-31", [None, None, None], ["East PCT", "Kent PCT"]),
        ("2011-03-31", ["Kent PCT", None, None], ["Kent PCT"]),
        ("2011-04-01", ["Kent PCT", "Kent CCG", None], ["Kent CCG"]),
    ],
)
def test_agency_that_merges_after_the_day_of_the_evaluation_is_its_own_in_every_table(
    tmp_path, as_at, merged_into, returned_by
):
    workforce = "East PCT,2,3,2010,100\nKent PCT,2,3,2010,50\n"
    board = read_board(merged_board(tmp_path, as_at, workforce))
    agencies = board.tables["agencies"]
    assert agencies["agency"].to_list() == ["East PCT", "Kent PCT", "Kent CCG"]
    assert agencies["merged_into"].to_list() == merged_into
    days = {None: None, "Kent PCT": date(2010, 4, 1), "Kent CCG": date(2011, 4, 1)}
    assert agencies["merged_on"].to_list() == [days[into] for into in merged_into]
    assert sorted(board.tables["workforce"]["agency"].to_list()) == returned_by


def test_returns_of_a_year_that_ended_before_the_merger_are_added_up(tmp_path):
    # The year 2011 ended on 31 March 2011, the day before the merger: 120 + 30 different people.
    board = read_board(merged_board(tmp_path, workforce="Kent PCT,2,3,2011,120\nKent CCG,2,3,2011,30\n"))
    assert check_board(tmp_path).is_empty()
    assert board.tables["workforce"].rows() == [("Kent CCG", 2, 3, "2011", 150)]


def test_returns_of_a_year_with_the_merger_in_it_may_hold_the_same_staff_and_are_refused(tmp_path):
    merged_board(tmp_path, workforce="Kent PCT,2,3,2012,120\nKent CCG,2,3,2012,30\n")
    with pytest.raises(TableError, match="are these staff counted twice"):
        read_board(tmp_path).tables["workforce"]


# Days


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2011, 3, 31), "2011"),  # the session of the year 2012 is still to come
        (date(2011, 4, 1), "2012"),
        (date(2012, 12, 31), "2012"),  # nothing was held in the year 2013
        (date(2010, 4, 30), "2013"),  # nothing was held at all: the latest return
    ],
)
def test_latest_period_is_the_last_one_returned_in_which_a_session_had_been_held(day, expected):
    sessions = pl.DataFrame({"date": [date(2011, 3, 31), date(2011, 4, 1)]})
    assert latest_period(pl.Series(["2013", "2011", None, "2012", "2011"]), sessions, day) == expected


def test_sessions_held_by_a_day_include_those_of_the_day():
    sessions = pl.DataFrame({"session": ["S2", "S1"], "date": [date(2011, 5, 11), date(2011, 5, 10)]})
    assert held_by(sessions, date(2011, 5, 10))["session"].to_list() == ["S1"]


def test_no_session_held_by_the_day_is_refused_with_the_day_and_that_of_the_first_session():
    sessions = pl.DataFrame({"date": [date(2011, 6, 14), date(2011, 5, 10)]})
    with pytest.raises(ParameterError) as told:
        held_by(sessions, date(2011, 5, 3))
    assert "3 May 2011" in str(told.value)
    assert "The first is on 10 May 2011." in str(told.value)
    with pytest.raises(ParameterError, match="3 May 2011"):
        held_by(sessions.head(0), date(2011, 5, 3))


# Districts, areas and sectors

WITHIN = pl.DataFrame({"district": ["Dover", "Swale", "Ashford"], "area": ["East", "East", "South"]})


def progress_of(*rows):
    """(district, target, reached, still needed), 20 people and £100 a session."""
    kinds = {"district": pl.String} | dict.fromkeys(("target", "reached", "still_needed"), pl.Int64)
    return pl.DataFrame(rows, schema=kinds, orient="row").with_columns(per_session=20.0, cost_per_session=100.0)


def test_area_with_a_district_that_is_not_known_is_not_known_and_others_are():
    progress = progress_of(("Dover", 100, 70, 30), ("Swale", 80, None, None), ("Ashford", 60, 35, 25))
    found = progress_by(progress, WITHIN).select("area", "target", "reached", "still_needed", "sessions_needed", "cost")
    assert found.rows() == [
        ("East", 180, None, None, None, None),
        ("South", 60, 35, 25, 2, 200.0),  # 25 ÷ 20, rounded up
    ]


def test_area_with_a_hidden_district_is_hidden_too():
    sizes = {"Dover": 30, "Swale": 3, "Ashford": 35}
    came = [(place, f"{place} {n}", "Health", "attended") for place, size in sizes.items() for n in range(size)]
    bookings = pl.DataFrame(came, schema=["session", "person", "agency", "status"], orient="row")
    sessions = pl.DataFrame({"session": list(sizes), "district": list(sizes)})
    targets = pl.DataFrame({"district": list(sizes), "target": [100, 80, 60]})
    districts = suppress(coverage_needed(bookings, sessions, targets), DFE).frame()
    assert dict(districts.select("district", "reached").rows()) == {"Ashford": 35, "Dover": 30, "Swale": None}
    areas = progress_by(districts, WITHIN)
    assert areas.select("area", "target", "reached", "still_needed", "mark").rows() == [
        ("East", 180, None, None, "[c]"),
        ("South", 60, 35, 25, ""),
    ]


def test_district_in_two_areas_is_refused_by_name():
    twice = pl.concat([WITHIN, pl.DataFrame({"district": ["Swale"], "area": ["North"]})])
    with pytest.raises(TableError, match=r"district Swale lies in more than one area") as told:
        progress_by(progress_of(("Dover", 100, 70, 30), ("Swale", 80, 30, 50)), twice)
    assert "Dover" not in str(told.value)


def test_own_target_of_a_district_without_a_session_is_refused_by_name():
    sessions = pl.DataFrame({"district": ["Dover", "Swale"], "capacity": [50, 50]})
    with pytest.raises(ParameterError, match=re.escape("no session is in the district 'Dovr'.")) as told:
        programme_targets(sessions, None, own={"Dovr": 60, "Swale": 40})
    assert "Known: Dover, Swale." in str(told.value)
    own = programme_targets(sessions, None, own={"Swale": 40, "Dover": 60})
    assert own.rows() == [("Dover", 60), ("Swale", 40)]


def test_sectors_shown_together_are_refused_where_no_agency_has_a_sector():
    agencies = pl.DataFrame(
        {"agency": ["Kent Police", "Kent PCT"], "sector": [None, None]}, schema_overrides={"sector": pl.String}
    )
    with pytest.raises(ParameterError, match="no agency has a sector"):
        with_sector(agencies.select("agency"), agencies, {"Health": ["Health"]})
    plain = with_sector(agencies.select("agency"), agencies)
    assert plain["sector_group"].to_list() == ["Sector not stated"] * 2


# Hidden numbers


def three_tables():
    """Places by district, the mix of sessions and attendance overall; everybody registered came."""
    sizes = {"s1": 30, "s2": 3, "s3": 25, "s4": 20}
    agencies = ["Health", "Police", "School"]
    rows = [
        (session, f"{session} {number}", agencies[number % 3], "attended", True)
        for session, size in sizes.items()
        for number in range(size)
    ]
    bookings = pl.DataFrame(rows, schema=["session", "person", "agency", "status", "booked"], orient="row")
    districts = ["Dover", "Dover", "Swale", "Swale"]
    sessions = pl.DataFrame({"session": list(sizes), "district": districts, "capacity": [50] * 4})
    places = attendance(bookings, sessions, by="district", totals=True).select("district", count="attended")
    overall = attendance(bookings, sessions, by=()).drop("share_of_places")
    assert overall.select("registered", "attended").rows() == [(78, 78)]  # 30 + 3 + 25 + 20
    mix = inter_agency_mix(bookings, sessions, pl.DataFrame({"agency": agencies}))
    return {"places": places, "mix": mix, "overall": overall}, sessions.select("session", "district")


@pytest.mark.parametrize("order", list(itertools.permutations(["places", "mix", "overall"])), ids="-".join)
def test_session_of_a_few_follows_from_no_order_of_the_tables_it_stands_in(order):
    tables, within = three_tables()
    safes = suppress([tables[name] for name in order], DFE, within=within)
    found = {name: safe.frame() for name, safe in zip(order, safes, strict=True)}
    districts = dict(found["places"].select("district", "count").rows())
    rooms = dict(found["mix"].select("session", "attended").rows())
    assert rooms["s2"] is None
    assert None in (districts["Dover"], rooms["s1"])
    everyone = [districts["Total"], found["overall"]["attended"][0], found["overall"]["registered"][0]]
    for total in everyone:
        assert None in (total, districts["Swale"], rooms["s1"])
        assert None in (total, rooms["s1"], rooms["s3"], rooms["s4"])
    assert audit(dict(zip(order, safes, strict=True)), within=within).is_empty()


@pytest.mark.parametrize("order", list(itertools.permutations(["places", "mix", "overall"])), ids="-".join)
def test_column_that_counts_the_same_as_two_others_makes_them_count_the_same_in_any_order(order):
    tables, _ = three_tables()
    keys = common_keys([sheet_of(tables[name], name, shape_of(tables[name].columns)) for name in order])
    assert keys["count", "count"] == keys["mix", "attended"]
    # Registered and attended are two things of one table, though they come to the same number.
    of_attendance = [keys["attendance", "registered"], keys["attendance", "attended"]]
    assert of_attendance.count(keys["mix", "attended"]) == 1


@pytest.mark.parametrize("measure", ["attendance", "coverage"])
def test_share_of_places_of_a_rounded_total_is_never_more_than_all_of_them(measure):
    # Three agencies of 11 are 10 each to the nearest 5, and all 33 are 35: 35 of 30 would be 117%.
    agencies = ["Health", "Police", "School"]
    rows = [("s1", f"{agency} {number}", agency, "attended", True) for agency in agencies for number in range(11)]
    bookings = pl.DataFrame(rows, schema=["session", "person", "agency", "status", "booked"], orient="row")
    sessions = pl.DataFrame({"session": ["s1"], "capacity": [50]})
    if measure == "attendance":
        table = attendance(bookings, sessions, by="agency", totals=True)
    else:
        table = training_coverage(bookings, sessions, by="agency", totals=True)
    found = suppress(table, NHS).frame()
    places = "attended" if measure == "attendance" else "places"
    shown = dict(found.select("agency", places).rows())
    assert shown == {"Health": 10, "Police": 10, "School": 10, "Total": 35}
    shares = dict(found.select("agency", "share_of_places").rows())
    assert shares["Total"] == 1.0
    assert [shares[agency] for agency in agencies] == pytest.approx([1 / 3] * 3)


def need_of(by, *rows):
    """(group, eligible staff, up to date); nobody knows the need where more are up to date than are eligible."""
    kinds = {by: pl.String} | dict.fromkeys(("eligible_staff", "current", "need"), pl.Int64)
    kinds |= {"per_session": pl.Float64, "sessions_needed": pl.Int64, "cost_per_session": pl.Float64}
    full = []
    for group, staff, current in rows:
        need = staff - current if current <= staff else None
        full.append((group, staff, current, need, 20.0, None if need is None else -(-need // 20), None))
    cost = pl.lit(None, pl.Float64).alias("cost")
    return pl.DataFrame(full, schema=kinds, orient="row").with_columns(cost)


def proportion_of(by, *rows):
    kinds = {by: pl.String, "numerator": pl.Int64, "denominator": pl.Int64, "proportion": pl.Float64}
    full = [(group, of, staff, of / staff if staff and of <= staff else None) for group, staff, of in rows]
    return pl.DataFrame(full, schema=kinds, orient="row")


def assert_protected(tables, policy):
    """Suppressed together they crash nothing, and neither audit works anything out or finds them at odds."""
    found = dict(zip(tables, suppress(list(tables.values()), policy), strict=True))
    assert audit(found).is_empty()
    assert audit(found, effort="full").is_empty()
    return found


# Nobody is eligible in Fire, and more are up to date than eligible in School; Housing is small.
CURRENT = [("Health", 204, 102), ("School", 20, 30), ("Fire", 0, 9), ("Housing", 40, 3), ("Police", 60, 31)]


@EVERY_POLICY
@pytest.mark.parametrize("turned", [False, True])
def test_more_up_to_date_than_eligible_in_two_tables_are_hidden_alike_and_contradict_nothing(policy, turned):
    tables = {"need": need_of("agency", *CURRENT), "currency": proportion_of("agency", *CURRENT)}
    found = assert_protected(dict(reversed(tables.items())) if turned else tables, policy)
    need, currency = found["need"].frame(), found["currency"].frame()
    assert need["current"].to_list() == currency["numerator"].to_list()
    assert need["eligible_staff"].to_list() == currency["denominator"].to_list()
    over = need.filter(pl.col("agency").is_in(["School", "Fire"]))
    assert over["need"].to_list() == [None, None]
    assert currency.filter(pl.col("agency").is_in(["School", "Fire"]))["proportion"].to_list() == [None, None]
    if policy.round is None:
        assert need.filter(agency="Housing")["current"].to_list() == [None]


@EVERY_POLICY
def test_more_up_to_date_than_eligible_in_one_of_two_groupings_crash_no_audit(policy):
    # The same people by target group: 204 + 20 + 0 + 40 + 60 = 324 eligible, 102 + 30 + 9 + 3 + 31 = 175 up to date.
    by_group = proportion_of("target_group", ("2", 100, 110), ("3", 224, 65), ("Total", 324, 175))
    by_agency = need_of("agency", *CURRENT, ("Total", 324, 175))
    of_one_agency = pl.col("agency") != "Total"
    by_agency = by_agency.with_columns(pl.when(of_one_agency).then(pl.col("need", "sessions_needed")))
    assert_protected({"agency": by_agency, "group": by_group}, policy)


@EVERY_POLICY
def test_nobody_eligible_in_a_small_group_crashes_nothing(policy):
    # 0 + 7 + 15 = 22 up to date, 1 + 0 + 5 = 6 eligible.
    by_agency = need_of("agency", ("Health", 6, 22), ("Total", 6, 22))
    by_group = proportion_of("target_group", ("2", 1, 0), ("3", 0, 7), ("4", 5, 15), ("Total", 6, 22))
    assert_protected({"agency": by_agency, "group": by_group}, policy)


@EVERY_POLICY
def test_needs_not_known_for_some_agencies_do_not_contradict_those_by_target_group(policy):
    # 29 + 43 + 4 + 45 = 121 = 47 + 43 + 31 eligible; 43 + 39 + 13 + 32 = 127 = 22 + 60 + 45 up to date.
    by_agency = need_of(
        "agency", ("Health", 29, 43), ("Police", 43, 39), ("Housing", 4, 13), ("Fire", 45, 32), ("Total", 121, 127)
    )
    by_group = need_of("target_group", ("2", 47, 22), ("3", 43, 60), ("4", 31, 45))
    assert_protected({"agency": by_agency, "group": by_group}, policy)


def published():
    agencies = pl.DataFrame({"agency": ["Health", "Police"], "count": [40, 31], "mark": ["", ""]})
    groups = pl.DataFrame({"target_group": ["2", "3"], "count": [50, 21], "mark": ["", ""]})
    return {"agencies": agencies, "groups": groups}


def test_column_of_a_lookup_that_no_table_has_is_not_taken_for_another_misspelt():
    within = pl.DataFrame({"agency": ["Health", "Police"], "sector_group": ["Health", "Other sectors"]})
    assert audit(published(), within=within).is_empty()


def test_column_of_a_lookup_that_is_one_of_a_table_misspelt_is_refused():
    tables = {"places": pl.DataFrame({"district": ["Dover", "Swale"], "count": [40, 31], "mark": ["", ""]})}
    within = pl.DataFrame({"distrct": ["Dover", "Swale"], "area": ["East", "North"]})
    with pytest.raises(ParameterError, match=r'no table has a column "distrct"\..*district'):
        audit(tables, within=within)
