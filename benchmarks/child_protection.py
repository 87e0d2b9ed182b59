"""Times the share of repeat plans among many plans against SQL that is written by hand for DuckDB."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import polars as pl
from measuring import Cost, Way, compared, run, started, surroundings
from training import PACKAGES, PEER, pseudonyms_of, skewed, table, worker

from safeguarding_analytics.child_protection import repeat_plan_rate
from safeguarding_analytics.intervals import normal_quantile
from safeguarding_analytics.tables import PLACEHOLDERS

ABOUT = """\
Count second or subsequent child protection plans by reporting year and authority, over plans in Parquet files, with
Wilson's interval and the one that allows for children who count several times, in these ways:

  ours, polars       repeat_plan_rate on a polars LazyFrame
  ours, DuckDB       the same function on a DuckDB relation
  SQL                written by hand for DuckDB: the same numbers, and the same checks of the rows
  SQL, no checks     the same without the checks
  scan               polars reads the columns that are needed, and does nothing with them

Every run is a fresh interpreter. Seconds are those of the call, without imports; memory is the most that the process
ever held, imports included. The ways take turns, in an order that is turned round every time. An answer that differs
from that of SQL stops the benchmark. The plans are made from a fixed seed. Needs Linux or macOS."""

SEED = 20080331
AUTHORITIES = 150
FIRST_DAY, LAST_DAY = np.datetime64("2000-04-01"), np.datetime64("2025-03-31")
ROWS_PER_FILE = 2_500_000
BARE, FLOOR = "SQL, no checks", "scan"
GROUPS = ["time_period", "authority"]
MEASURES: dict[str, int | None] = {"ever": None, "within 24 months": 24}

Answer = pl.DataFrame | None


# The plans.


def write_plans(folder: Path, rows: int) -> None:
    """Write plans as a register keeps them, by the day they start: four children in five have one, some have many."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(SEED)
    children = max(rows, 100)  # with 1.3 plans each, of which one in six starts after the last day
    plans = np.minimum(chance.geometric(0.77, children), 12)
    child = np.repeat(np.arange(children), plans)
    first = np.cumsum(plans) - plans
    number = np.arange(len(child)) - first[child]
    days = int((LAST_DAY - FIRST_DAY).astype(int))
    lasted = np.ceil(chance.lognormal(5.5, 0.7, len(child))).astype(int)
    gap = np.where(chance.random(len(child)) < 0.01, 0, np.ceil(chance.lognormal(6.2, 1.0, len(child))).astype(int))
    passed = np.cumsum(lasted + gap)
    start = chance.integers(0, days + 1, children)[child] + (passed - lasted) - (passed - lasted)[first[child]]
    kept = np.flatnonzero(start <= days)
    kept = kept[np.argsort(start[kept], kind="stable")][:rows]  # the latest are left out, so that no history is cut
    child, number, start, end = child[kept], number[kept], start[kept], (start + lasted)[kept]
    authority = skewed(chance, 1 / np.arange(1, AUTHORITIES + 1) ** 0.5, children)
    names, authorities = pseudonyms_of(children), pl.Series([f"Authority {each:03}" for each in range(AUTHORITIES)])
    plan = pseudonyms_of(len(kept)).reverse()
    unknown = chance.random(len(kept)) < 0.01
    for part, begins in enumerate(range(0, len(kept), ROWS_PER_FILE)):
        rows_of_it = slice(begins, begins + ROWS_PER_FILE)
        pl.DataFrame(
            {
                "plan": "P" + plan[rows_of_it],
                "child": names.gather(child[rows_of_it]),
                "authority": authorities.gather(authority[child[rows_of_it]]),
                "start_date": FIRST_DAY + start[rows_of_it],
                "end_date": FIRST_DAY + end[rows_of_it],
                "previous_plans": number[rows_of_it],
                "unknown": unknown[rows_of_it],
            }
        ).select(
            "plan",
            "child",
            "authority",
            pl.col("start_date").cast(pl.Date),
            pl.when(pl.col("end_date") <= pl.lit(LAST_DAY)).then(pl.col("end_date").cast(pl.Date)).alias("end_date"),
            pl.when(~pl.col("unknown")).then("previous_plans").alias("previous_plans"),
        ).write_parquet(folder / f"plans_{part:03}.parquet")
    (folder / "complete").touch()


# The ways.


def ours_on_polars(measure: str, folder: Path) -> Answer:
    """Our measure on files that polars scans."""
    return repeat_plan_rate(pl.scan_parquet(folder / "plans_*.parquet"), GROUPS, MEASURES[measure])


def ours_on_duckdb(measure: str, folder: Path) -> Answer:
    """Our measure on files that DuckDB reads."""
    return repeat_plan_rate(duckdb.read_parquet(str(folder / "plans_*.parquet")), GROUPS, MEASURES[measure])


def in_sql(measure: str, folder: Path, *, checks: bool) -> Answer:
    """The measure as SQL, with or without what ours refuses."""
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW plans AS FROM read_parquet('{folder / 'plans_*.parquet'}')")
        if checks:
            for query in CHECKS:
                found = connection.execute(query).fetchall()
                if found != [(0,)]:
                    sys.exit(f"the plans break a rule: {found} from {query}")
        connection.execute(f"CREATE TEMP TABLE groups AS {moments(MEASURES[measure], checks=checks)}")
        if checks and connection.sql("SELECT sum(lost), max(plans) > 100 FROM groups").fetchall() != [(0, False)]:
            sys.exit("the plans break a rule: earlier plans are missing, or a child has too many")
        connection.register("quantiles", quantiles(connection.execute("SELECT DISTINCT clusters FROM groups")))
        return pl.DataFrame(connection.execute(ENDS).to_arrow_table())


def quantiles(found: Any) -> Any:
    """Student's quantiles, which DuckDB does not have, for numbers of clusters."""
    from scipy.special import stdtrit

    clusters = pl.DataFrame(found.to_arrow_table())
    freedom = (clusters["clusters"] - 1).clip(1).cast(pl.Float64).to_numpy()
    return clusters.with_columns(quantile=stdtrit(freedom, 0.975)).to_arrow()


def scan(measure: str, folder: Path) -> Answer:
    """Read the columns that the measure needs."""
    columns = ["plan", "child", "authority", "start_date", "previous_plans"]
    needed = columns if MEASURES[measure] is None else [*columns, "end_date"]
    plans = pl.scan_parquet(folder / "plans_*.parquet").select(needed)
    plans.select(pl.all().is_null().sum()).collect(engine="streaming")
    return None


WORDS = ", ".join(f"'{word}'" for word in PLACEHOLDERS)
CHECKS = [
    "SELECT count(*) - count(DISTINCT plan) FROM plans",
    "SELECT count(*) FROM plans WHERE child IS NULL OR authority IS NULL OR plan IS NULL OR start_date IS NULL "
    f"OR lower(child) IN ({WORDS})",
]


def moments(within_months: int | None, *, checks: bool) -> str:
    """Which plans are repeats, then counts by child and group, then by group what the variance needs of them."""
    history = "(PARTITION BY authority, child ORDER BY start_date, plan"
    if within_months is None:
        repeat = f"previous_plans > 0 OR row_number() OVER {history}) > 1"
    else:
        ends = "max(coalesce(end_date, DATE '9999-12-31'))"
        latest = f"{ends} OVER {history} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
        repeat = f"coalesce({latest} >= start_date - INTERVAL {within_months} MONTH, false)"
    needs_history = checks and within_months is not None
    lost = f"coalesce(previous_plans > row_number() OVER {history}) - 1, false)" if needs_history else "false"
    number = f"row_number() OVER {history})" if checks else "0"
    return f"""
WITH judged AS (
  SELECT authority, child, previous_plans, {repeat} AS repeat, {lost} AS lost, {number} AS number,
         year(start_date) + CASE WHEN month(start_date) > 3 THEN 1 ELSE 0 END AS reporting_year
  FROM plans
), children AS (
  SELECT reporting_year, authority, child, count(*) FILTER (previous_plans IS NOT NULL AND repeat) AS x,
         count(previous_plans) AS n, count(*) FILTER (lost) AS lost, max(number) AS number
  FROM judged GROUP BY ALL
)
SELECT reporting_year::VARCHAR AS time_period, authority, sum(x)::BIGINT AS numerator, sum(n)::BIGINT AS denominator,
       count(*) FILTER (n > 0) AS clusters,
       sum(x * x)::DOUBLE AS xx, sum(x * n)::DOUBLE AS xn, sum(n * n)::DOUBLE AS nn,
       sum(lost)::BIGINT AS lost, max(number) AS plans
FROM children GROUP BY ALL"""


ENDS = f"""
WITH shares AS (
  SELECT *, numerator::DOUBLE AS x, denominator::DOUBLE AS n, clusters::DOUBLE AS k,
         numerator / nullif(denominator, 0) AS p, {normal_quantile(0.95)}::DOUBLE AS z,
         CASE WHEN denominator < 100 THEN 100 ELSE 1000 END AS steps
  FROM groups JOIN quantiles USING (clusters)
), sizes AS (
  SELECT *, CASE WHEN x = 0 OR x = n THEN k
                 WHEN k = 1 OR (xx - 2 * p * xn + p * p * nn) * k / (k - 1) <= n * p * (1 - p) THEN n
                 ELSE n * n * p * (1 - p) / ((xx - 2 * p * xn + p * p * nn) * k / (k - 1)) END AS m,
         quantile AS t
  FROM shares
), ends AS (
  SELECT *, (2 * x + z * z) / (2 * (n + z * z)) AS middle,
         z * sqrt(z * z + 4 * x * (1 - p)) / (2 * (n + z * z)) AS half,
         (2 * p * m + t * t) / (2 * (m + t * t)) AS middle_m,
         t * sqrt(t * t + 4 * p * m * (1 - p)) / (2 * (m + t * t)) AS half_m
  FROM sizes
)
SELECT time_period, authority, numerator, denominator, p AS proportion,
       CASE WHEN n = 0 THEN NULL WHEN x = 0 THEN 0 ELSE middle - half END AS lower,
       CASE WHEN n = 0 THEN NULL WHEN x = n THEN 1 ELSE middle + half END AS upper,
       CASE WHEN k < 10 THEN NULL WHEN x = 0 THEN 0
            ELSE floor((middle_m - half_m) * steps + 1e-9) / steps END AS lower_clustered,
       CASE WHEN k < 10 THEN NULL WHEN x = n THEN 1
            ELSE ceil((middle_m + half_m) * steps - 1e-9) / steps END AS upper_clustered
FROM ends ORDER BY time_period, authority"""


WAYS: dict[str, Callable[[str, Path], Answer]] = {
    "ours, polars": ours_on_polars,
    "ours, DuckDB": ours_on_duckdb,
    PEER: lambda measure, folder: in_sql(measure, folder, checks=True),
    BARE: lambda measure, folder: in_sql(measure, folder, checks=False),
    FLOOR: scan,
}


# The measuring.


def measured(
    measure: str, folder: Path, repeat: int, ways: Sequence[str] = tuple(WAYS), more: Mapping[str, Way] | None = None
) -> dict[str, list[Cost]]:
    """Let these ways and those of others take turns, and compare their answers."""
    ours = {way: partial(started, sys.executable, __file__, "--run", way, measure, folder) for way in ways}
    return compared(f"repeat_plan_rate {measure}", ours | dict(more or {}), repeat, PEER, GROUPS)


def made(folder: Path, rows: int) -> Path:
    """The folder of so many plans, which are written unless they are there."""
    register = folder / f"plans_{rows}"
    if not (register / "complete").exists():
        print(f"writing {rows:,} plans", file=sys.stderr, flush=True)
        run(sys.executable, __file__, "--write", register, rows)
    return register


def repeat_plans(folder: Path, rows: int, repeat: int, measures: Sequence[str]) -> None:
    """Make the plans unless they are there, measure, and print a table per measure."""
    about, register = surroundings(PACKAGES), made(folder, rows)
    plans = pl.scan_parquet(register / "plans_*.parquet")
    children = plans.select(pl.col("child").n_unique()).collect().item()
    size = sum(path.stat().st_size for path in register.iterdir()) / 2**20
    print(f"{plans.select(pl.len()).collect().item():,} plans of {children:,} children, {size:,.0f} MiB of Parquet.")
    print(f"Turns: {repeat}. Medians (smallest–largest); memory: the largest.")
    for measure in measures:
        costs = measured(measure, register, repeat)
        print(f"\nrepeat_plan_rate, {measure}, by {' and '.join(GROUPS)}:\n\n{table(costs)}", flush=True)
    print(f"\n{about}")


def main() -> None:
    """Read the arguments, measure, and print a table per measure."""
    if sys.argv[1:2] == ["--run"]:
        way, measure, folder, answer = sys.argv[2:]
        return worker(partial(WAYS[way], measure, Path(folder)), Path(answer))
    if sys.argv[1:2] == ["--write"]:
        return write_plans(Path(sys.argv[2]), int(sys.argv[3]))
    parser = argparse.ArgumentParser(description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=float, default=1e6, metavar="N", help="plans, 1e3 to 3e7 (default: 1e6)")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="turns of each way, 1 or more (default: 3)")
    parser.add_argument("--only", choices=list(MEASURES), help="one of the measures (default: both)")
    parser.add_argument(
        "--folder", type=Path, help="where the plans are kept for the next time (default: a temporary folder)"
    )
    given = parser.parse_args()
    if not 1e3 <= given.rows <= 3e7:
        parser.error(f"--rows must lie between 1e3 and 3e7. Found: {given.rows:g}.")
    if given.repeat < 1:
        parser.error(f"--repeat must be 1 or more. Found: {given.repeat}.")
    measures = [given.only] if given.only else list(MEASURES)
    if given.folder:
        return repeat_plans(given.folder, int(given.rows), given.repeat, measures)
    with TemporaryDirectory(prefix="benchmark") as folder:
        return repeat_plans(Path(folder), int(given.rows), given.repeat, measures)


if __name__ == "__main__":
    main()
