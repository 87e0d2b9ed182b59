"""ENGINES.md as a reader follows it: its scripts are run as they stand, and the answers of all engines are the same."""

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PAGE = (PROJECT / "ENGINES.md").read_text(encoding="utf-8")
SCRIPTS = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
[SUBMIT] = re.findall(r"^spark-submit .*$", PAGE, re.MULTILINE)
ANSWERS = {"attendance.csv", "reach.csv", "repeats.csv"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the scripts of the page beside the synthetic board, as a store of Parquet files."""
    made = tmp_path_factory.mktemp("engines")
    shutil.copytree(PROJECT / "data" / "demo_board", made / "data" / "demo_board")
    for name, script in SCRIPTS.items():
        (made / name).write_text(script, encoding="utf-8")
    run(made, sys.executable, "make_store.py")
    run(made, sys.executable, "on_polars.py")
    return made


def run(folder, *command, **settings):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, **settings})
    assert done.returncode == 0, done.stderr[-3000:]


def answers(folder, name):
    return {path.name: path.read_bytes() for path in (folder / name).iterdir()}


def rows(folder, name):
    with (folder / "answers_polars" / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def read(name):
    with (PROJECT / "data" / "demo_board" / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_page_has_a_script_for_each_engine():
    assert list(SCRIPTS) == ["make_store.py", "three_numbers.py", "on_polars.py", "on_duckdb.py", "on_spark.py"]


def test_answers_on_polars_are_what_the_files_of_the_board_say(folder):
    assert set(answers(folder, "answers_polars")) == ANSWERS
    police = {
        booking["person"]
        for booking in read("bookings")
        if booking["agency"] == "Kent Police"
        and booking["status"] == "attended"
        and booking.get("learner", "") not in ("trainer", "test", "out_of_area")
    }
    staff = sum(int(row["eligible_staff"]) for row in read("workforce") if row["agency"] == "Kent Police")
    [reach] = [row for row in rows(folder, "reach.csv") if row["agency"] == "Kent Police"]
    assert (int(reach["numerator"]), int(reach["denominator"])) == (len(police), staff)
    in_2008 = [plan for plan in read("plans") if "2007-04-01" <= plan["start_date"] <= "2008-03-31"]
    known = [plan for plan in in_2008 if plan["previous_plans"]]
    [repeats] = [row for row in rows(folder, "repeats.csv") if row["time_period"] == "2008"]
    assert int(repeats["denominator"]) == len(known)
    assert int(repeats["numerator"]) == sum(int(plan["previous_plans"]) > 0 for plan in known)


def test_a_duckdb_file_gives_the_same_answers(folder):
    run(folder, sys.executable, "on_duckdb.py")
    assert answers(folder, "answers_duckdb") == answers(folder, "answers_polars")


@pytest.mark.spark
def test_spark_submit_as_the_page_has_it_gives_the_same_answers(folder):
    pytest.importorskip("pyspark", reason="PySpark is not installed: install the extra spark")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("PySpark needs Java 17 or later, and there is none")
    assert '--master "local[2]"' in SUBMIT
    assert "spark.sql.shuffle.partitions=4" in SUBMIT
    run(
        folder,
        "bash",
        "-c",
        SUBMIT,
        PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        PYSPARK_DRIVER_PYTHON=sys.executable,
        PYSPARK_PYTHON="there-is-no-python-on-the-workers",
        SPARK_LOCAL_IP="127.0.0.1",
        JDK_JAVA_OPTIONS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # a table is small: compiling well takes longer
    )
    assert answers(folder, "answers_spark") == answers(folder, "answers_polars")
