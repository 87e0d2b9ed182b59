"""Times training reach and attendance over many bookings against SQL that is written by hand for DuckDB."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import polars as pl
import polars.selectors as cs
from measuring import Cost, Way, compared, cost_of, run, started, surroundings, tell

from safeguarding_analytics.intervals import normal_quantile
from safeguarding_analytics.tables import STATUSES
from safeguarding_analytics.training import attendance, training_reach

ABOUT = """\
Count training reach by agency, and attendance by course and district, over bookings in Parquet files, in these ways:

  ours, polars       training_reach and attendance on a polars LazyFrame
  ours, DuckDB       the same functions on a DuckDB relation
  SQL                written by hand for DuckDB: the same numbers, and the same checks of the rows
  SQL, no checks     the same without the checks
  scan               polars reads the columns that are needed, and does nothing with them

Every run is a fresh interpreter. Seconds are those of the call, without imports; memory is the most that the process
ever held, imports included. The ways take turns, in an order that is turned round every time. An answer that differs
from that of SQL stops the benchmark. The bookings are made from a fixed seed. Needs Linux or macOS."""

PACKAGES = ("safeguarding-analytics", "polars", "narwhals", "duckdb", "pyarrow")
SEED = 20110510
AGENCIES, SESSIONS, COURSES, DISTRICTS = 3_000, 20_000, 60, 40
BOOKINGS_PER_PERSON = 20
ROWS_PER_FILE = 5_000_000
PEER, BARE, FLOOR = "SQL", "SQL, no checks", "scan"
BROKEN = ("wrong_status", "no_booked")
COLUMNS = {
    "training_reach": ("person", "agency", "status", "learner"),
    "attendance": ("session", "status", "booked", "learner"),
}
GROUPS = {"training_reach": ["agency"], "attendance": ["course", "district"]}

Answer = pl.DataFrame | None


# The bookings.


def write_register(folder: Path, rows: int) -> None:
    """Write bookings, sessions and workforce: agencies and sessions of all sizes, people who come often or seldom."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(SEED)
    people = max(rows // BOOKINGS_PER_PERSON, 100)
    agency_names = pl.Series([f"Agency {number:04}" for number in range(AGENCIES)])
    session_names = pl.Series([f"S{number:05}" for number in range(SESSIONS)])
    pseudonyms = pseudonyms_of(people)
    home = skewed(chance, 1 / np.arange(1, AGENCIES + 1) ** 0.8, people)
    second = np.where(chance.random(people) < 0.03, skewed(chance, np.ones(AGENCIES), people), home)
    target_group = chance.integers(1, 9, people)
    size = chance.lognormal(0, 0.6, SESSIONS)

    write_sessions(folder, chance, session_names, np.ceil(size / size.sum() * rows * 0.9).astype(int))
    write_workforce(folder, chance, agency_names, np.bincount(home, minlength=AGENCIES))
    edges = np.cumsum(size) / size.sum()
    parts = max(2, -(-rows // ROWS_PER_FILE))
    for part in range(parts):
        first, last = part / parts, (part + 1) / parts
        count = round(rows * last) - round(rows * first)
        # As a booking system writes them: session after session, in the order of their dates.
        session = np.searchsorted(edges, first + np.sort(chance.random(count)) * (last - first)).clip(0, SESSIONS - 1)
        person = (people * chance.random(count) ** 1.5).astype(int)
        status = picked(chance, STATUSES, (0.78, 0.08, 0.09, 0.03, 0.02), count)
        pl.DataFrame(
            {
                "session": session_names.gather(session),
                "person": pseudonyms.gather(person),
                "agency": agency_names.gather(np.where(chance.random(count) < 0.5, home[person], second[person])),
                "target_group": target_group[person],
                "status": status,
                "booked": (status != "attended") | (pl.Series(chance.random(count)) > 0.06),
                "learner": picked(chance, (None, "trainer", "test", "out_of_area"), (0.974, 0.005, 0.001, 0.02), count),
            }
        ).write_parquet(folder / f"bookings_{part:03}.parquet")
    (folder / "complete").touch()


def write_sessions(folder: Path, chance: np.random.Generator, names: pl.Series, capacity: Any) -> None:
    """All sessions but twenty, which stand in the bookings alone; some without a district or a capacity."""
    frame = pl.DataFrame(
        {
            "session": names,
            "course": [f"Course {number:02}" for number in chance.integers(0, COURSES, SESSIONS)],
            "district": [f"District {number:02}" for number in chance.integers(0, DISTRICTS, SESSIONS)],
            "capacity": capacity,
            "day": np.sort(chance.integers(0, 5 * 365, SESSIONS)),
        }
    ).with_columns(
        date=pl.date(2006, 4, 1) + pl.duration(days="day"),
        district=pl.when(pl.Series(chance.random(SESSIONS)) > 0.02).then("district"),
        capacity=pl.when(pl.Series(chance.random(SESSIONS)) > 0.001).then("capacity"),
    )
    frame.drop("day").head(-20).write_parquet(folder / "sessions.parquet")


def write_workforce(folder: Path, chance: np.random.Generator, names: pl.Series, staff: Any) -> None:
    """The staff of all agencies but ten; some made no return."""
    frame = pl.DataFrame({"agency": names, "time_period": "2011", "eligible_staff": staff}).with_columns(
        eligible_staff=pl.when(pl.Series(chance.random(AGENCIES)) > 0.01).then("eligible_staff")
    )
    frame.head(-10).write_parquet(folder / "workforce.parquet")


def pseudonyms_of(people: int) -> pl.Series:
    """Sixteen hexadecimal digits each, all different, in no order: numbers mixed as in Vigna's splitmix64."""
    number = np.arange(people, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    digits = (number ^ (number >> np.uint64(31))).astype(">u8").tobytes().hex()
    return pl.Series([digits[start : start + 16] for start in range(0, len(digits), 16)])


def skewed(chance: np.random.Generator, weights: Any, count: int) -> Any:
    """Draw numbers from 0 on, in proportion to their weights."""
    return np.searchsorted(np.cumsum(weights) / np.sum(weights), chance.random(count)).clip(0, len(weights) - 1)


def picked(chance: np.random.Generator, words: Sequence[str | None], shares: Sequence[float], count: int) -> pl.Series:
    """Draw words in given shares."""
    return pl.Series(words, dtype=pl.String).gather(skewed(chance, np.array(shares), count))


# The ways.


def ours_on_polars(measure: str, folder: Path) -> Answer:
    """Our measure on files that polars scans."""
    frames = [pl.scan_parquet(folder / f"{name}.parquet") for name in ("bookings_*", "sessions", "workforce")]
    return ours(measure, *frames)


def ours_on_duckdb(measure: str, folder: Path) -> Answer:
    """Our measure on files that DuckDB reads."""
    frames = [duckdb.read_parquet(str(folder / f"{name}.parquet")) for name in ("bookings_*", "sessions", "workforce")]
    return ours(measure, *frames)


def ours(measure: str, bookings: Any, sessions: Any, workforce: Any) -> pl.DataFrame:
    """Call the measure as a user does."""
    if measure == "training_reach":
        return training_reach(bookings, sessions, workforce, by="agency")
    return attendance(bookings, sessions, by=("course", "district"))


def in_sql(measure: str, folder: Path, *, checks: bool) -> Answer:
    """The measure as SQL, with or without what ours refuses."""
    with duckdb.connect() as connection:
        for name in ("bookings", "sessions", "workforce"):
            path = folder / f"{'bookings_*' if name == 'bookings' else name}.parquet"
            connection.execute(f"CREATE VIEW {name} AS FROM read_parquet('{path}')")
        if checks:
            require_none(connection, CHECKS[measure])
        query = REACH if measure == "training_reach" else attendance_query(checks=checks)
        answer = pl.DataFrame(connection.execute(query).to_arrow_table())
    wrong = answer.select(cs.by_name(BROKEN, require_all=False).sum()).rows()
    if any(map(any, wrong)):
        sys.exit(f"the bookings break a rule: {wrong}")
    return answer.select(pl.exclude(BROKEN))


def require_none(connection: duckdb.DuckDBPyConnection, queries: Sequence[str]) -> None:
    """Stop where a query finds rows that ours would refuse."""
    for query in queries:
        found = connection.execute(query).fetchall()
        if found != [(0,)]:
            sys.exit(f"the tables break a rule: {found} from {query}")


def scan(measure: str, folder: Path) -> Answer:
    """Read the columns that the measure needs."""
    columns = pl.scan_parquet(folder / "bookings_*.parquet").select(COLUMNS[measure])
    columns.select(pl.all().is_null().sum()).collect(engine="streaming")
    return None


WORDS = ", ".join(f"'{word}'" for word in STATUSES)
SESSIONS_ONCE = "SELECT count(*) FROM (SELECT session FROM sessions GROUP BY session HAVING count(*) > 1)"
CHECKS = {
    "training_reach": [
        SESSIONS_ONCE,
        f"SELECT count(*) FROM bookings WHERE status NOT IN ({WORDS}) OR status IS NULL",
        "SELECT count(*) FROM bookings WHERE person IS NULL",
        "SELECT count(DISTINCT time_period) - 1 FROM workforce",
    ],
    "attendance": [SESSIONS_ONCE],  # the others are counted on the way
}
REACH = f"""
WITH people AS (
  SELECT DISTINCT agency, person FROM bookings
  WHERE status = 'attended' AND (learner IS NULL OR learner NOT IN ('trainer', 'test', 'out_of_area'))
), came AS (
  SELECT agency, count(*) AS numerator FROM people GROUP BY agency
), staff AS (
  SELECT agency, CASE WHEN count(*) = count(eligible_staff) THEN sum(eligible_staff)::BIGINT END AS denominator
  FROM workforce GROUP BY agency
), counts AS (
  SELECT coalesce(came.agency, staff.agency) AS agency, coalesce(numerator, 0) AS numerator, denominator
  FROM came FULL JOIN staff ON came.agency IS NOT DISTINCT FROM staff.agency
), known AS (
  SELECT *, numerator::DOUBLE AS x, {normal_quantile(0.95)}::DOUBLE AS z,
         CASE WHEN denominator > 0 AND numerator <= denominator THEN denominator::DOUBLE END AS n FROM counts
)
SELECT agency, numerator, denominator, x / n AS proportion,
       CASE WHEN n > 0 AND x = 0 THEN 0
            ELSE (2 * x + z * z - z * sqrt(z * z + 4 * x * (1 - x / n))) / (2 * (n + z * z)) END AS lower,
       CASE WHEN x = n THEN 1
            ELSE (2 * x + z * z + z * sqrt(z * z + 4 * x * (1 - x / n))) / (2 * (n + z * z)) END AS upper
FROM known ORDER BY agency NULLS FIRST"""


def attendance_query(*, checks: bool) -> str:
    """Count per session, status and booked, then join the sessions and sum: it takes half of the other order."""
    counts = {
        "registered": "booked AND status IN ('attended', 'did_not_attend', 'cancelled')",
        "attended": "status = 'attended'",
        "walk_ins": "status = 'attended' AND NOT booked",
        "did_not_attend": "status = 'did_not_attend' AND booked",
        "cancelled": "status = 'cancelled' AND booked",
    }
    if checks:
        counts |= {"wrong_status": f"status NOT IN ({WORDS}) OR status IS NULL", "no_booked": "booked IS NULL"}
    sums = ", ".join(f"sum(bookings) FILTER ({rule})::BIGINT AS {name}" for name, rule in counts.items())
    return f"""
WITH outcomes AS (
  SELECT session, status, booked, count(*) AS bookings
  FROM bookings WHERE learner IS NULL OR learner NOT IN ('trainer', 'test') GROUP BY session, status, booked
), counts AS (
  SELECT course, district, {sums}
  FROM outcomes LEFT JOIN sessions USING (session) GROUP BY course, district
), places AS (
  SELECT course, district, CASE WHEN count(*) = count(capacity) THEN sum(capacity)::BIGINT END AS capacity
  FROM sessions GROUP BY course, district
), found AS (
  SELECT coalesce(counts.course, places.course) AS course, coalesce(counts.district, places.district) AS district,
         {", ".join(f"coalesce({name}, 0) AS {name}" for name in counts)}, capacity
  FROM counts FULL JOIN places
    ON counts.course IS NOT DISTINCT FROM places.course AND counts.district IS NOT DISTINCT FROM places.district
)
SELECT course, district, registered, attended, walk_ins, did_not_attend, cancelled,
       CASE WHEN registered > 0 THEN (attended - walk_ins) / registered END AS attendance_rate, capacity,
       CASE WHEN capacity > 0 THEN attended / capacity END AS take_up,
       attended / nullif(sum(attended) OVER (), 0) AS share_of_places
       {"".join(f", {name}" for name in counts if name in BROKEN)}
FROM found ORDER BY course NULLS FIRST, district NULLS FIRST"""


WAYS: dict[str, Callable[[str, Path], Answer]] = {
    "ours, polars": ours_on_polars,
    "ours, DuckDB": ours_on_duckdb,
    PEER: lambda measure, folder: in_sql(measure, folder, checks=True),
    BARE: lambda measure, folder: in_sql(measure, folder, checks=False),
    FLOOR: scan,
}


# The measuring.


def worker(way: Callable[[], Answer], answer: Path) -> None:
    """Go one way once: write the answer, print the cost."""
    found: list[Answer] = []
    cost = cost_of(lambda: found.append(way()))
    if found[0] is not None:
        found[0].write_parquet(answer)
    tell(cost)


def measured(
    measure: str, folder: Path, repeat: int, ways: Sequence[str] = tuple(WAYS), more: Mapping[str, Way] | None = None
) -> dict[str, list[Cost]]:
    """Let these ways and those of others take turns, and compare their answers."""
    ours = {way: partial(started, sys.executable, __file__, "--run", way, measure, folder) for way in ways}
    return compared(measure, ours | dict(more or {}), repeat, PEER, GROUPS[measure])


def made(folder: Path, rows: int) -> Path:
    """The folder of so many bookings, which are written unless they are there."""
    register = folder / f"bookings_{rows}"
    if not (register / "complete").exists():
        print(f"writing {rows:,} bookings", file=sys.stderr, flush=True)
        run(sys.executable, __file__, "--write", register, rows)
    return register


def spread(numbers: Sequence[float], digits: int = 1) -> str:
    """Say the median, and the smallest and largest if there are several.

    Examples
    --------
    >>> spread([9.0]), spread([9.0, 8.0, 12.5])
    ('9.0', '9.0 (8.0–12.5)')
    """
    most = f" ({min(numbers):.{digits}f}–{max(numbers):.{digits}f})" if len(numbers) > 1 else ""
    return f"{median(numbers):.{digits}f}{most}"


def ratios(costs: dict[str, list[Cost]], way: str, kind: str) -> str:
    """A way as a multiple of the peer, turn by turn."""
    if way == PEER:
        return "1 ×"
    pairs = zip(costs[way], costs[PEER], strict=True)
    return f"{spread([getattr(mine, kind) / getattr(theirs, kind) for mine, theirs in pairs], 2)} ×"


def table(costs: dict[str, list[Cost]]) -> str:
    """One line per way, in Markdown."""
    lines = [
        f"| way | wall seconds | of {PEER} | CPU seconds | of {PEER} | memory, MiB |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for way, taken in costs.items():
        wall, processor = spread([cost.wall for cost in taken], 2), spread([cost.processor for cost in taken], 2)
        memory = f"{max(cost.memory for cost in taken):,.0f}"
        cells = (wall, ratios(costs, way, "wall"), processor, ratios(costs, way, "processor"), memory)
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(lines)


def report(folder: Path, rows: int, repeat: int, measures: Sequence[str]) -> None:
    """Make the bookings unless they are there, measure, and print a table per measure."""
    about, register = surroundings(PACKAGES), made(folder, rows)
    size = sum(path.stat().st_size for path in register.iterdir()) / 2**20
    print(f"{rows:,} bookings of {max(rows // BOOKINGS_PER_PERSON, 100):,} people, {size:,.0f} MiB of Parquet.")
    print(f"Turns: {repeat}. Medians (smallest–largest); memory: the largest.")
    for measure in measures:
        costs = measured(measure, register, repeat)
        print(f"\n{measure} by {' and '.join(GROUPS[measure])}:\n\n{table(costs)}", flush=True)
    print(f"\n{about}")


def main() -> None:
    """Read the arguments, measure, and print a table per measure."""
    if sys.argv[1:2] == ["--run"]:
        way, measure, folder, answer = sys.argv[2:]
        return worker(partial(WAYS[way], measure, Path(folder)), Path(answer))
    if sys.argv[1:2] == ["--write"]:
        return write_register(Path(sys.argv[2]), int(sys.argv[3]))
    parser = argparse.ArgumentParser(description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=float, default=1e6, metavar="N", help="bookings, 1e3 to 1e8 (default: 1e6)")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="turns of each way, 1 or more (default: 3)")
    parser.add_argument("--only", choices=list(COLUMNS), help="one of the measures (default: both)")
    parser.add_argument(
        "--folder", type=Path, help="where the bookings are kept for the next time (default: a temporary folder)"
    )
    given = parser.parse_args()
    if not 1e3 <= given.rows <= 1e8:
        parser.error(f"--rows must lie between 1e3 and 1e8. Found: {given.rows:g}.")
    if given.repeat < 1:
        parser.error(f"--repeat must be 1 or more. Found: {given.repeat}.")
    measures = [given.only] if given.only else list(COLUMNS)
    if given.folder:
        return report(given.folder, int(given.rows), given.repeat, measures)
    with TemporaryDirectory(prefix="benchmark") as folder:
        return report(Path(folder), int(given.rows), given.repeat, measures)


if __name__ == "__main__":
    main()
