"""A report for each area: of its rows alone, the same however it is made, and nothing given away by all of them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import date

import nbformat
import polars as pl
import psutil
import pytest

from safeguarding_analytics import area_reports, area_worker, report
from safeguarding_analytics.area_audit import audit_areas, clean_measures, measures_of, repair_areas
from safeguarding_analytics.area_reports import STAGED, Wanted, make_reports
from safeguarding_analytics.area_runs import AreaRun, area_runs
from safeguarding_analytics.area_worker import ENDED, Worker, done
from safeguarding_analytics.areas import Area, as_it_was, in_the_whole, told_apart
from safeguarding_analytics.board import read_board
from safeguarding_analytics.child_protection import repeat_plan_rate
from safeguarding_analytics.disclosure import Policy, suppress
from safeguarding_analytics.errors import DisclosureError, ParameterError, SafeguardingError
from safeguarding_analytics.plan_register import next_plans_of, open_register
from safeguarding_analytics.register_days import RegisterDays
from safeguarding_analytics.register_months import plans_within
from safeguarding_analytics.release import Release
from safeguarding_analytics.release_audit import audit_published, open_published
from safeguarding_analytics.report import make_report

TODAY = date(2011, 7, 2)
SIZES = {"East": 20, "Mid": 7, "West": 3}
"""A table of all hides West (below 5), and East for its sake: East's own report must not tell 30 - 7 - 20 = 3."""

COUNTS = """
import polars as pl
from safeguarding_analytics import Policy, publish, published_before, read_board, show_table, suppress
plans = read_board(board, area=area).tables["plans"]
of_all = pl.DataFrame({"district": ["Total"], "count": [plans.height]})
counted = plans.group_by("district").agg(count=pl.len().cast(pl.Int64)).sort("district")
safe = suppress(pl.concat([counted, of_all]), Policy.dfe(), previous=published_before(release, "plans"))
publish(safe, "plans", into=release, title="Plans", definition="D", measure="plans", headline="")
show_table(safe, caption="Plans")
"""


@pytest.fixture
def board(tmp_path):
    """A board with plans in three districts."""
    districts = [name for name, size in SIZES.items() for _ in range(size)]
    folder = tmp_path / "board"
    folder.mkdir()
    rows = [
        {"plan": f"CP{n}", "child": f"C{n}", "authority": "Shire", "district": district, "category": "NEG"}
        | {"start_date": "2010-05-01", "end_date": None, "previous_plans": 0}
        for n, district in enumerate(districts)
    ]
    pl.DataFrame(rows).write_csv(folder / "plans.csv")
    return folder


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Notebooks of one's own in the place of those of the package, run by this process."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(report, "NOTEBOOKS", folder)
    monkeypatch.setattr(area_reports, "NOTEBOOKS", folder)
    monkeypatch.setattr(area_worker, "Worker", Here)

    def add(name, *cells, tables=("plans",)):
        declared = nbformat.v4.new_code_cell('board: str = ""\nrelease: str = ""\narea: str = ""\nyear: int = 0')
        declared.metadata["tags"] = ["parameters"]
        about = {"order": len(list(folder.iterdir())), "question": "Why?", "tables": list(tables)}
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        metadata = {"title": name.title(), "safeguarding": about, "kernelspec": spec}
        notebook = nbformat.v4.new_notebook(cells=[declared, *map(nbformat.v4.new_code_cell, cells)], metadata=metadata)
        nbformat.write(notebook, folder / f"{name}.ipynb")

    return add


class Here:
    """A worker that works in the process of the test, and counts what it makes."""

    made: list[str]

    def __init__(self):
        Here.made = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def ask(self, job):
        if "report" in job:
            Here.made.append(job["report"]["parameters"]["area"])
        return tuple(done(job))


def runs_of(board, each="district", **common):
    return area_runs(board, each, common, lambda given: report.check_parameters(report.notebooks(()), given))


def wanted(out, **options):
    return Wanted(**({"out": out, "only": (), "today": TODAY, "jobs": 1, "pdf": False, "repair": False} | options))


def make(board, out, each="district", said=None, **options):
    return make_reports(
        runs_of(board, each),
        wanted(out, **options),
        progress=lambda *_: None,
        say=(said if said is not None else []).append,
    )


def counts(release):
    return dict(release["plans"].frame().select("district", "count").rows())


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# The board of an area


def test_an_area_is_a_column_and_a_value():
    assert Area.of("district=Tunbridge Wells") == Area("district", "Tunbridge Wells")
    assert str(Area.of(" district = East ")) == "district=East"
    for text in ("East", "district=", ""):
        with pytest.raises(ParameterError, match="a column and a value, such as district=Thanet"):
            Area.of(text)
    with pytest.raises(ParameterError, match='"person" is no column by which reports are made'):
        Area.of("person=P0001")


def test_tables_are_told_apart_by_their_column_or_by_what_they_belong_to():
    columns = {
        "agencies": ["agency"],
        "workforce": ["agency", "eligible_staff"],
        "sessions": ["session", "district"],
        "bookings": ["session", "agency"],
        "scores": ["session", "item", "agency"],
        "items": ["item"],
        "plans": ["plan", "district"],
        "reviews": ["plan", "review_date"],
        "themes": ["theme"],
    }
    # Nobody can tell the district of eligible staff or of a theme; agencies and questions are the same everywhere.
    assert told_apart(columns, "district") == {
        "sessions": "",
        "plans": "",
        "bookings": "session",
        "scores": "session",
        "reviews": "plan",
        "agencies": "agencies",
        "items": "items",
    }
    assert told_apart(columns, "agency") == {
        "agencies": "",
        "workforce": "",
        "bookings": "",
        "scores": "",
        "sessions": "sessions",
        "items": "items",
    }


def test_the_board_of_an_area_has_its_rows_alone(board):
    pl.DataFrame(
        {"plan": ["CP0", "CP21", "CP21"], "review_date": ["2010-07-01", "2010-07-02", "2010-07-03"]}
    ).write_csv(board / "reviews.csv")
    pl.DataFrame({"authority": ["Shire"], "mid_year": [2009], "children": [1000]}).write_csv(board / "population.csv")
    (board / "board.toml").write_text('[board]\nname = "Shire"\n[training]\ntarget = 90\n')
    mid, whole = read_board(board, area="district=Mid"), read_board(board)
    assert mid.tables["plans"]["plan"].to_list() == [f"CP{n}" for n in range(20, 27)]
    assert mid.tables["reviews"]["plan"].to_list() == ["CP21", "CP21"]
    assert list(mid.tables) == ["plans", "reviews"]  # of the population nobody can tell the district
    assert mid.tables.or_empty("population").is_empty()
    with pytest.raises(
        ParameterError, match=r"population\.csv: no row says its district, so district=Mid alone has none"
    ):
        mid.tables["population"]
    assert mid.config.board.name == "Shire: Mid"
    assert mid.config.training.target is None  # it is that of the whole board
    assert mid.data_version == whole.data_version
    assert whole.areas("district") == ["East", "Mid", "West"]
    assert mid.register_days("Shire") == whole.register_days("Shire")


def test_plans_of_an_authority_are_those_of_that_one_also_where_the_board_has_another(board):
    (board / "board.toml").write_text('[board]\nname = "Shires"\nauthority = "Shire"\n')
    plans = (board / "plans.csv").read_text()
    (board / "plans.csv").write_text(plans + "CP99,C99,Other,Mid,NEG,2010-05-01,,0\n")
    assert read_board(board, area="authority=Other").config.board.authority == "Other"
    assert read_board(board, area="district=Mid").config.board.authority == "Shire"


def test_a_plan_is_a_later_one_also_after_a_plan_in_another_area(board):
    """C1 moved from East to Mid; of C2 nobody knows the plans before; p3 says itself that there were two."""
    rows = {
        "plan": ["p1", "p2", "p3", "p4", "p5"],
        "child": ["C1", "C1", "C1", "C2", "C2"],
        "authority": ["Shire"] * 5,
        "district": ["East", "Mid", "East", "East", "Mid"],
        "category": ["NEG"] * 5,
        "start_date": ["2008-05-01", "2009-05-01", "2010-05-01", "2008-05-01", "2009-05-01"],
        "end_date": ["2008-09-01", "2009-09-01", None, "2008-09-01", None],
        "previous_plans": [0, 0, 4, None, None],
    }
    pl.DataFrame(rows).write_csv(board / "plans.csv")
    of = {name: read_board(board, area=f"district={name}").tables["plans"] for name in ("East", "Mid")}
    assert of["East"].select("plan", "previous_plans").rows() == [("p1", 0), ("p3", 4), ("p4", None)]
    assert of["Mid"].select("plan", "previous_plans").rows() == [("p2", 1), ("p5", None)]
    rate = repeat_plan_rate(of["Mid"], by="district", cluster=None)
    assert rate.select("numerator", "denominator").rows() == [(1, 1)]


def test_the_time_between_two_plans_is_not_told_of_an_area(board):
    plans = read_board(board, area="district=East").tables["plans"]
    days = RegisterDays(date(2009, 4, 1), date(2011, 3, 31))
    register = open_register(plans, days, area="district=East")
    for table, why in (plans_within(register, 12), next_plans_of(register, Policy.dfe())):
        assert table.is_empty()
        assert (
            why == "Not told for one area: the plan before or after may have been in another, and is not among these."
        )


def test_an_area_that_is_not_there_is_refused(board):
    with pytest.raises(
        ParameterError, match=r'no row has district "Wst"\. Did you mean "West"\? Known: East, Mid, West'
    ):
        read_board(board, area="district=Wst")


# Tables of areas laid side by side


def test_a_table_of_an_area_stands_beside_those_of_others_and_goes_back_as_it_was():
    policy = Policy.dfe()
    frame = pl.DataFrame({"district": ["Mid", "Total"], "count": [7, 7]})
    table, area = suppress(frame, policy), Area("district", "Mid")
    assert in_the_whole(table, area).frame().rows() == [("Mid", 7, "")]
    halves = suppress(pl.DataFrame({"half": ["H1", "H2"], "count": [20, 30]}), policy)
    assert in_the_whole(halves, area).frame().rows() == [("Mid", "H1", 20, ""), ("Mid", "H2", 30, "")]
    hidden = suppress(pl.DataFrame({"district": ["Mid"], "count": [3]}), policy)
    assert as_it_was(table, hidden, area).frame().rows() == [("Mid", None, "[c]"), ("Total", None, "[c]")]


def test_what_the_whole_hides_an_area_may_not_show(board, shelf, tmp_path):
    shelf("plans", COUNTS)
    whole = make_report(board, tmp_path / "whole", today=TODAY).release
    assert counts(whole) == {"East": None, "Mid": 7, "West": None, "Total": 30}
    areas = [
        make_report(board, tmp_path / name, today=TODAY, parameters={"area": f"district={name}"}).release
        for name in SIZES
    ]
    assert [counts(one) for one in areas] == [
        {"East": 20, "Total": 20},
        {"Mid": 7, "Total": 7},
        {"West": None, "Total": None},
    ]
    found = audit_areas(areas, [whole])
    assert "the release that stands, the whole board: plans" in found["table"].to_list()
    assert found.filter(pl.col("cell") == "district=East").select("low", "high").unique().rows() == [(20, 20)]
    assert found.filter(pl.col("cell") == "district=West").select("low", "high").unique().rows() == [(3, 3)]
    assert audit_areas(areas).is_empty()  # nobody has a total to take them from
    assert [[*tables] for tables in repair_areas(areas, [whole])] == [["plans"], [], []]
    assert measures_of([*areas, whole]) == ["plans"]
    assert clean_measures(areas, [], ["plans", "other"]) == ["plans"]
    assert clean_measures(areas, [whole], ["plans"]) == []
    assert audit_areas(areas, [whole], clean=["plans"]).is_empty()  # it is not looked at
    # Where those that stand tell it already, nothing in the last one can hide it.
    east, _, west = areas
    with pytest.raises(DisclosureError, match="worked out"):
        repair_areas([west], [whole, east])
    # Whoever audits the folders by hand finds the same.
    together = audit_published(open_published([whole.folder, *(one.folder for one in areas)]))
    assert "district=East" in together.found["cell"].to_list()


# Which reports


def test_a_report_for_each_value_of_a_column(board, shelf):
    shelf("plans", COUNTS)
    runs = runs_of(board, year="2010")
    assert [(run.name, run.said) for run in runs] == [("east", "East"), ("mid", "Mid"), ("west", "West")]
    assert runs[1] == AreaRun("mid", "Mid", board, {"year": "2010", "area": "district=Mid"})


@pytest.mark.parametrize(
    ("each", "said"),
    [
        ("person", r'"person" is neither a column \(district, area, agency, authority\) nor a file'),
        ("agency", r'no table of .* has a column "agency" with values in it'),
    ],
)
def test_another_column_is_refused(board, shelf, each, said):
    shelf("plans", COUNTS)
    with pytest.raises(ParameterError, match=said):
        runs_of(board, each)


def test_a_report_for_each_row_of_a_file(board, shelf, tmp_path):
    shelf("plans", COUNTS)
    sets = tmp_path / "sets.csv"
    sets.write_text("name,folder,year,plans.area\nNorth & South,,2010,\nOld,board,,district=East\n")
    assert runs_of(board, str(sets)) == [
        AreaRun("north_south", "North & South", board, {"year": "2010"}),
        AreaRun("old", "Old", tmp_path / "board", {"plans.area": "district=East"}),
    ]


def test_everything_that_is_wrong_with_a_file_is_said_at_once(board, shelf, tmp_path):
    shelf("plans", COUNTS)
    sets = tmp_path / "sets.csv"
    sets.write_text("name,folder,year\nOne,,x\none,none,2010\nRelease,,\n,,\n&,,2010\n")
    with pytest.raises(ParameterError) as error:
        runs_of(board, str(sets))
    assert str(error.value).splitlines() == [
        'sets.csv, row 2: year must be a whole number. Found: "x".',
        "sets.csv, row 3: there is no folder none. Write where the board's folder is.",
        "sets.csv, row 6: the name is empty. Write one with letters or digits.",
        "sets.csv: One and one would be put into one folder, one. Give them different names.",
        "sets.csv: Release cannot name a folder of a report. Give it another name.",
    ]
    sets.write_text("district\nEast\n")
    with pytest.raises(ParameterError, match='there is no column "name"'):
        runs_of(board, str(sets))


# What a run makes


def test_each_area_has_a_release_of_its_own_rows(board, shelf, tmp_path):
    shelf("plans", COUNTS)
    made = make(board, tmp_path / "out")
    assert {name: counts(release) for name, release in made.releases.items()} == {
        "east": {"East": 20, "Total": 20},
        "mid": {"Mid": 7, "Total": 7},
        "west": {"West": None, "Total": None},
    }
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["east", "mid", "west"]
    assert made.releases["mid"].manifest["area"] == "district=Mid"
    assert (made.failed, made.repaired, made.kept) == ({}, (), 0)


def test_beside_the_whole_board_what_would_tell_is_refused_or_hidden(board, shelf, tmp_path):
    shelf("plans", COUNTS)
    out, said = tmp_path / "out", []
    make_report(board, out, today=TODAY)
    with pytest.raises(DisclosureError, match=r"no report was put in place: .* could be worked out") as error:
        make(board, out)
    assert "district=East" in str(error.value)
    assert "20" not in str(error.value)
    assert sorted(path.name for path in out.iterdir()) == [STAGED, "release"]
    made = make(board, out, said=said, repair=True)
    assert Here.made == ["district=East"]  # the others were finished, and only this one must hide more
    assert made.repaired == ("East",)
    assert made.kept == 3
    assert counts(made.releases["east"]) == {"East": None, "Total": None}
    assert counts(made.releases["mid"]) == {"Mid": 7, "Total": 7}
    page = (out / "east" / "release" / "pack" / "plans.html").read_text(encoding="utf-8")
    assert "[c]" in page  # it was made again, and not left out
    assert "Left out" not in page
    assert said[0] == "Auditing 3 reports as one system, beside 1 release that stands."
    assert audit_areas(list(made.releases.values()), [Release.open(out / "release")]).is_empty()
    assert sorted(path.name for path in out.iterdir()) == ["east", "mid", "release", "west"]


def test_the_whole_board_made_after_its_areas_is_refused_with_what_to_do(board, shelf, tmp_path):
    shelf("plans", COUNTS)
    out, away = tmp_path / "out", tmp_path / "away"
    make(board, out)
    before = files(out)
    with pytest.raises(DisclosureError, match=r"the release was not made beside 3 others: .* worked out") as error:
        make_report(board, out, today=TODAY)
    assert "- the whole board: plans, district=East" in str(error.value)
    assert "20" not in str(error.value)
    with pytest.raises(DisclosureError, match="whole board comes first") as error:  # East shows what it hides
        make_report(board, out, today=TODAY, repair=True)
    assert files(out) == before
    # As the sentence says:
    out.rename(away)
    whole = make_report(board, out, today=TODAY).release
    areas = make(board, out, repair=True).releases
    assert audit_published(open_published([whole.folder, *(one.folder for one in areas.values())])).found.is_empty()
    # Made again beside them it is as it was; with data that changed nothing is compared.
    assert counts(make_report(board, out, today=TODAY).release) == counts(whole)
    (board / "plans.csv").write_text((board / "plans.csv").read_text() + "CP99,C99,Shire,Mid,NEG,2010-05-01,,0\n")
    assert counts(make_report(board, out, today=TODAY).release)["Total"] == 31


def test_what_was_hidden_last_time_is_hidden_again_without_being_asked(board, shelf, tmp_path):
    shelf("plans", COUNTS)
    out = tmp_path / "out"
    make_report(board, out, today=TODAY)
    first = make(board, out, repair=True)
    assert first.repaired == ("East",)
    make(board, out)
    again = make(board, out)  # nor does it forget what it was told twice ago
    assert again.repaired == ()
    assert counts(again.releases["east"]) == {"East": None, "Total": None}
    assert "Left out" not in (out / "east" / "release" / "pack" / "plans.html").read_text(encoding="utf-8")


def test_reports_of_different_parameters_are_repaired_in_runs_of_their_own(board, shelf, tmp_path):
    shelf("plans", COUNTS)
    out, rows = tmp_path / "out", ("East,district=East,1", "Mid,district=Mid,2")
    make_report(board, out, today=TODAY)

    def each(*chosen):
        sets = tmp_path / "sets.csv"
        sets.write_text("\n".join(["name,area,year", *chosen]))
        return str(sets)

    for repair in (False, True):
        with pytest.raises(DisclosureError, match="and the others in runs of their own, into the same OUT"):
            make(board, out, each(*rows), repair=repair)
    for row in rows:
        make(board, out, each(row), repair=True)
    releases = [Release.open(out / name / "release") for name in ("east", "mid")]
    assert [counts(one) for one in releases] == [{"East": None, "Total": None}, {"Mid": 7, "Total": 7}]


def test_one_area_made_again_is_audited_beside_the_whole_board_and_the_others(board, shelf, tmp_path):
    shelf("plans", COUNTS)
    out, east = tmp_path / "out", {"area": "district=East"}
    make_report(board, out, today=TODAY)
    with pytest.raises(DisclosureError, match="the release was not made beside 1 other"):
        make_report(board, out / "east", today=TODAY, parameters=east)
    made = make_report(board, out / "east", today=TODAY, parameters=east, repair=True)
    assert counts(made.release) == {"East": None, "Total": None}
    # Two that stand may be of one area, made with other parameters: neither is overlooked.
    again = make_report(board, out / "again", today=TODAY, parameters={**east, "year": 1}, repair=True)
    assert counts(again.release) == {"East": None, "Total": None}
    apart = make_report(board, tmp_path / "apart" / "east", today=TODAY, parameters=east).release
    whole = Release.open(out / "release")
    for public in ([apart, again.release, made.release], [made.release, again.release, apart]):
        assert "district=East" in audit_areas([whole], public)["cell"].to_list()


def test_what_no_worker_has_audited_is_audited_all_the_same(board, shelf, tmp_path, monkeypatch):
    shelf("plans", COUNTS)
    make_report(board, tmp_path / "out", today=TODAY)
    work = Here.ask
    monkeypatch.setattr(Here, "ask", lambda self, job: work(self, job) if "report" in job else (ENDED,))
    with pytest.raises(DisclosureError, match=r"no report was put in place: .* could be worked out"):
        make(board, tmp_path / "out")


def test_a_table_that_was_changed_is_said_by_who_asked_for_the_audit(board, shelf, tmp_path, monkeypatch):
    shelf("plans", COUNTS)
    work = Here.ask

    def ask(self, job):
        if "audit" in job:
            with (tmp_path / "out" / STAGED / "mid" / "release" / "tables" / "plans.csv").open("a") as file:
                file.write("West,9,\n")
        return work(self, job)

    monkeypatch.setattr(Here, "ask", ask)
    with pytest.raises(SafeguardingError, match=r"plans\.csv: the table was changed after the release was audited"):
        make(board, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [STAGED]


def test_a_run_that_was_stopped_goes_on_where_it_was(board, shelf, tmp_path, monkeypatch):
    shelf("plans", COUNTS)
    out, whole = tmp_path / "out", tmp_path / "whole"
    make(board, whole)

    def stop(self, job):
        if job["report"]["parameters"]["area"] == "district=West":
            raise KeyboardInterrupt
        return tuple(done(job))

    with monkeypatch.context() as patched:
        patched.setattr(Here, "ask", stop)
        with pytest.raises(KeyboardInterrupt):
            make(board, out)
    assert [path.name for path in out.iterdir()] == [STAGED]
    made = make(board, out)
    assert Here.made == ["district=West"]
    assert made.kept == 2
    assert files(out) == files(whole)


def test_what_was_finished_of_other_data_or_parameters_is_made_again(board, shelf, tmp_path):
    shelf("plans", COUNTS)
    out = tmp_path / "out"
    make_report(board, out, today=TODAY)
    with pytest.raises(DisclosureError):
        make(board, out)
    plans = (board / "plans.csv").read_text()
    (board / "plans.csv").write_text(plans.replace("2010-05-01", "2010-05-02"))
    made = make(board, out)  # what stands is of other data, so that nothing can be taken from it
    assert Here.made == ["district=East", "district=Mid", "district=West"]
    assert made.kept == 0


def test_a_failing_page_or_area_stops_no_other(board, shelf, tmp_path):
    shelf("plans", COUNTS)
    shelf("bad", "if area == 'district=Mid': raise ValueError('C21 of Mid')")
    made = make(board, tmp_path / "out")
    assert made.failed == {
        "mid": ("bad: code cell 2 ended with ValueError. Open the notebook in JupyterLab to see why.",)
    }
    assert sorted(made.releases) == ["east", "mid", "west"]
    page = (tmp_path / "out" / "mid" / "release" / "pack" / "bad.html").read_text(encoding="utf-8")
    assert "This page could not be made." in page
    assert "ValueError" not in page
    assert made.releases["mid"].tables() == ["plans"]
    before = files(tmp_path / "out" / "east")
    again = make(board, tmp_path / "out")
    assert (again.kept, list(again.failed)) == (2, ["mid"])
    assert files(tmp_path / "out" / "east") == before


def test_a_report_that_lacks_a_page_does_not_take_the_place_of_one_that_stands(board, shelf, tmp_path):
    shelf("plans", COUNTS)
    shelf("bad", "if area == 'district=Mid' and year: raise ValueError('C21 of Mid')")
    whole = make(board, tmp_path / "out")
    before = files(tmp_path / "out" / "mid")
    runs = [AreaRun(run.name, run.said, run.board, {**run.parameters, "year": "1"}) for run in runs_of(board)]
    made = make_reports(runs, wanted(tmp_path / "out"), progress=lambda *_: None, say=lambda _: None)
    assert list(made.failed) == ["mid"]
    assert sorted(made.releases) == ["east", "west"]
    assert files(tmp_path / "out" / "mid") == before
    assert whole.failed == {}


def test_nothing_of_others_is_lost(board, shelf, tmp_path):
    shelf("plans", COUNTS)
    (tmp_path / "out" / "mid" / "release").mkdir(parents=True)
    (tmp_path / "out" / "mid" / "release" / "thesis.txt").write_text("mine")
    with pytest.raises(ParameterError, match="holds something that is not a release"):
        make(board, tmp_path / "out")
    assert (tmp_path / "out" / "mid" / "release" / "thesis.txt").read_text() == "mine"


def test_a_release_of_one_area_does_not_take_the_place_of_another(board, shelf, tmp_path):
    shelf("plans", COUNTS)
    make_report(board, tmp_path / "out", today=TODAY)
    with pytest.raises(ParameterError, match="holds a release of the whole board, not of district=Mid"):
        make_report(board, tmp_path / "out", today=TODAY, parameters={"area": "district=Mid"})


# Processes


@pytest.fixture
def real(demo_board, tmp_path):
    """The ballots of the synthetic board alone, and three ways to count them."""
    folder = tmp_path / "small"
    folder.mkdir()
    shutil.copy(demo_board / "ballots.csv", folder)
    (tmp_path / "sets.csv").write_text("name,seats\nFour,4\nThree,3\nFive,5\n")
    return folder


def test_the_same_bytes_however_many_are_made_at_once(real, tmp_path, monkeypatch, run_command):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1309564800")
    outs = [tmp_path / "one", tmp_path / "two"]
    for jobs, out in enumerate(outs, 1):
        done = run_command(
            *("report", real, "--out", out, "--only", "priorities", "--for-each", tmp_path / "sets.csv", "--jobs", jobs)
        )
        assert done.returncode == 0, done.stderr
        assert "Published 3 reports; the audit found nothing that can be worked out." in done.stdout
        assert "- Four: " in done.stdout
    assert sorted(path.name for path in outs[0].iterdir()) == ["five", "four", "three"]
    assert files(outs[0]) == files(outs[1])


def test_a_worker_that_is_killed_is_said_and_another_takes_its_place(board, tmp_path):
    job = {"folder": str(tmp_path / "none"), "out": str(tmp_path / "o"), "only": [], "parameters": {}}
    job = {"report": job | {"today": "2011-07-02", "pdf": False, "repair": False}, "kept": ""}
    with Worker() as worker:
        worker._process.kill()
        worker._process.wait()
        assert worker.ask(job) == (ENDED,)
        (sentence,) = worker.ask(job)
        assert "there is no such folder" in sentence or "not found" in sentence or "no folder" in sentence


@pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_running(real, tmp_path, sign):
    program = [sys.executable, "-c", "from safeguarding_analytics.cli import main; main()", "report", str(real)]
    arguments = ["--out", str(tmp_path / "out"), "--only", "priorities", "--for-each", str(tmp_path / "sets.csv")]
    with subprocess.Popen([*program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        own, until = psutil.Process(run.pid), time.monotonic() + 60
        while len(begun := own.children(recursive=True)) < 4 and time.monotonic() < until:
            time.sleep(0.1)
        os.kill(run.pid, sign)
        text = run.communicate(timeout=60)[0]
        _gone, alive = psutil.wait_procs(begun, timeout=20)
    assert len(begun) >= 4
    assert [each for each in alive if each.status() != psutil.STATUS_ZOMBIE] == []
    if sign == signal.SIGINT:
        assert run.returncode == 130
        assert "reports that were finished are kept: run it again to go on." in text
        assert "Traceback" not in text
