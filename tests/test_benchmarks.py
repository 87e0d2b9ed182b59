"""`benchmarks/run`: what it is told, what it writes, and how it judges; the seconds themselves are nobody's promise."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
BENCHMARKS = PROJECT / "benchmarks"
RUN = BENCHMARKS / "run"
sys.path.append(str(BENCHMARKS))

import measures  # noqa: E402
import results  # noqa: E402
import run_all  # noqa: E402
from measuring import Cost  # noqa: E402


def cost(wall, memory=100.0):
    return Cost(wall, wall, memory)


def measured(measure, size, ours, peers, absent=None, memory=100.0):
    costs = {peer: [cost(wall) for wall in walls] for peer, walls in peers.items()}
    return measures.Measured(measure, size, "rows", [cost(wall, memory) for wall in ours], costs, absent or {})


def test_small_run_prints_one_table_and_writes_it_with_a_date(tmp_path):
    words = ["--largest", "10000", "--repeat", "1", "--only", "training_reach", "ranks", "--out", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, RUN, *words], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "step 1 of 3, 0 min so far: training_reach, 10,000" in done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["RESULTS.md", "RESULTS.svg"]
    page = (tmp_path / "out" / "RESULTS.md").read_text(encoding="utf-8")
    table = [line for line in page.splitlines() if line.startswith("| ")]
    assert done.stdout.count("| measure | size |") == 1
    assert [line for line in done.stdout.splitlines() if line.startswith("| ")] == table
    assert [line.split(" | ")[:3] for line in table[1:]] == [
        ["| training_reach", "10,000 bookings", "DuckDB, SQL by hand"],
        ["| training_reach", "10,000 bookings", "pandas"],
        ["| training_reach, on DuckDB", "10,000 bookings", "DuckDB, SQL by hand"],
        ["| wilcoxon", "1,200 gains", "scipy.stats.wilcoxon"],
        ["| wilcoxon", "10,000 gains", "scipy.stats.wilcoxon"],
    ]
    assert "not measured: no --peer-python" in table[2]
    assert "`benchmarks/run --only training_reach ranks --largest 10000 --repeat 1`" in page
    assert "**not measured in this run**" in page
    assert str(tmp_path) not in page
    assert "<svg" in (tmp_path / "out" / "RESULTS.svg").read_text(encoding="utf-8")


def test_run_that_was_stopped_goes_on_behind_the_last_step(tmp_path, monkeypatch, capsys):
    # Stopped in the second of three steps: the first one is taken as it was measured, and its seconds stand.
    taken = []

    def run(size, setting):
        taken.append(size)
        if len(taken) == 2:
            raise KeyboardInterrupt
        return [measured("reach", size, [0.5 + len(taken)], {"SQL": [1.0]})]

    monkeypatch.setattr(measures, "MEASURES", {"reach": measures.Measure("r", (10, 100, 1000), run)})
    setting = measures.Setting(1, tmp_path, None, {}, None)
    steps = [("reach", 10), ("reach", 100), ("reach", 1000)]
    monkeypatch.setattr(os, "getloadavg", lambda: (0.5, 0.0, 0.0))
    with pytest.raises(KeyboardInterrupt):
        run_all.measured(steps, setting)
    monkeypatch.setattr(os, "getloadavg", lambda: (2.0, 0.0, 0.0))
    found, days, loads = run_all.measured(steps, setting)
    assert taken == [10, 100, 100, 1000]
    assert [(each.size, each.ours[0].wall) for each in found] == [(10, 1.5), (100, 3.5), (1000, 4.5)]
    assert found[0] == measured("reach", 10, [1.5], {"SQL": [1.0]})
    assert days == (date.today(), date.today())
    assert loads == [0.5, 2.0]  # when it was begun, and when it went on
    assert "reach, 10 (measured before)" in capsys.readouterr().err
    monkeypatch.setattr(run_all, "digest_of_the_code", lambda: "another")
    run_all.measured(steps[:1], setting)
    assert taken[-1] == 10  # other code: measured anew


def test_page_says_when_it_was_measured_in_parts():
    days = date(2026, 11, 23), date(2026, 12, 1)
    found = [measured("reach", 10, [1.5], {"SQL": [1.0]})]
    whole, parts = (results.page(found, "", "benchmarks/run", each, "", False) for each in (days[:1] * 2, days))
    assert "Measured on 23 November 2026 with" in whole
    assert "Measured in parts, from 23 November 2026 to 1 December 2026, with" in parts


def test_help_names_every_measure_and_its_sizes():
    done = subprocess.run([sys.executable, RUN, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    for name, measure in measures.MEASURES.items():
        assert name in done.stdout
        assert f"{measure.sizes[-1]:,}" in done.stdout
    assert (
        "training_reach    people reached, by agency (10,000, 100,000, 1,000,000, 10,000,000, 100,000,000)"
        in done.stdout
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--repeat", "0"], "--repeat must be 1 or more. Found: 0."),
        (["--largest", "10", "--only", "training_reach"], "--largest 10 leaves nothing to measure"),
        (["--only", "nothing"], "invalid choice: 'nothing'"),
    ],
)
def test_what_cannot_be_measured_is_refused(words, said, capsys):
    with pytest.raises(SystemExit):
        run_all.arguments(words)
    assert said in capsys.readouterr().err


def test_largest_leaves_out_larger_sizes():
    assert measures.plan(["training_reach", "votes"], 100_000) == [
        ("training_reach", 10_000),
        ("training_reach", 100_000),
        ("votes", 40),
        ("votes", 1_000),
    ]


def test_ratio_is_taken_turn_by_turn():
    # 2/4, 3/3 and 8/4: median 1, from 0.5 to 2. The quotient of the medians would be 3/4.
    assert results.ratio([cost(2), cost(3), cost(8)], [cost(4), cost(3), cost(4)]) == "1.0 (0.5–2.0) ×"


def test_growth_is_beside_the_growth_of_the_size():
    small, large = (measured("reach", size, [wall], {"SQL": [1]}) for size, wall in ((10_000, 0.5), (100_000, 4)))
    assert results.before(large, [large, small]) is small
    assert results.growth(large, small) == "8.0 × for 10 ×"
    assert results.growth(small, None) == "–"


@pytest.mark.parametrize(
    ("ours", "memory", "verdict"),
    [
        (1.3, 5119.0, "**met** (1.30 ×, 5.0 GiB)"),
        (1.31, 2048.0, "**not met** (1.31 ×, 2.0 GiB)"),
        (1.0, 5120.0, "**not met** (1.00 ×, 5.0 GiB)"),
    ],
)
def test_target_is_met_by_time_and_memory_together(ours, memory, verdict):
    target = results.Target("training_reach", 100, "SQL", 1.3, 5 * 1024)
    found = [measured("training_reach", 100, [ours], {"SQL": [1.0]}, memory=memory)]
    assert results.verdict(target, found) == f"training_reach, 100 rows: at most 1.3 × SQL, and under 5 GiB: {verdict}."


def test_target_of_another_size_or_an_absent_peer_is_not_measured():
    target = results.Target("pack", 4, "papermill", 0.25)
    for found in (
        [],
        [measured("pack", 3, [1], {"papermill": [9]})],
        [measured("pack", 4, [1], {}, {"papermill": "–"})],
    ):
        assert "**not measured in this run**" in results.verdict(target, found)


def test_absent_peer_says_why_in_its_line():
    [line] = results.lines_of(measured("votes", 40, [2.0], {}, {"votekit": "not measured: votekit is not there"}), None)
    assert (
        line == "| votes | 40 rows | votekit | 2.0 | not measured: votekit is not there | – | – | – | – | – | 100 | – |"
    )


def test_targets_are_of_measures_at_sizes_that_are_taken():
    sizes = {
        "training_reach": measures.MEASURES["training_reach"],
        "repeat_plan_rate, ever": measures.MEASURES["repeat_plan_rate"],
        "repeat_plan_rate, within 24 months": measures.MEASURES["repeats_within"],
        "board pack": measures.MEASURES["pack"],
        "report of each district": measures.MEASURES["districts"],
    }
    assert [target.measure for target in results.TARGETS] == list(sizes)
    assert all(target.size in sizes[target.measure].sizes for target in results.TARGETS)


def test_ways_take_turns_and_a_peer_that_fails_is_given_up():
    gone = []

    def way(name, fails=False):
        def go(answer):
            gone.append(name)
            if fails:
                raise measures.PeerError("no memory")
            return cost(1)

        return go

    costs = measures.in_turns("x", {"ours": way("ours"), "peer": way("peer", fails=True), "floor": way("floor")}, 2)
    assert gone == ["ours", "peer", "floor", "floor", "ours"]
    assert costs == {"ours": [cost(1)] * 2, "peer": [], "floor": [cost(1)] * 2}
