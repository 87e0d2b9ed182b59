"""Times reading children in need census XML against the usual ways to read large XML in Python."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from xml.parsers import expat

import polars as pl
import psutil

from safeguarding_analytics.pseudonyms import Key
from safeguarding_analytics.sources.census_check import CHUNK
from safeguarding_analytics.sources.census_steps import LINE, NUMBER, PARENT
from safeguarding_analytics.sources.census_xml import read_rows
from safeguarding_analytics.sources.cin_census import read_cin_census
from safeguarding_analytics.sources.cin_records import LAYOUT

ABOUT = """\
Read a made-up children in need census in these ways:

  ours, to tables    read_cin_census: plans, conferences and reviews of a board, children as pseudonyms, notes
  ours, to records   read_rows: children, details, enquiries, plans and reviews as frames, with dates and line numbers
  lxml iterparse     the same records, elements cleared as they end
  stdlib iterparse   the same with xml.etree.ElementTree
  scan               expat walks through the file and calls nothing: what no reader in Python can beat with it

Every run is a fresh interpreter. Seconds are those of the call, without imports, CPU seconds those of all its threads
and of the process in which ours checks a large file; memory is the most that the process ever held, imports included,
and what the one beside it held; "beyond the result" is how much that is above what it held before the call, without the
frames that come out. The ways take turns, in an order that is turned round
every time. Records that differ stop the benchmark. The census is made from a fixed seed. Needs Linux or macOS; without
lxml its way is left out."""

SEED = 20240331
EVERY = 0.05
"""Seconds between two looks at the memory of the process beside."""

PACKAGES = ("safeguarding-analytics", "polars", "lxml")
TO_TABLES, OURS, LXML, STDLIB, SCAN = (
    "ours, to tables",
    "ours, to records",
    "lxml iterparse",
    "stdlib iterparse",
    "scan",
)
COLUMNS: dict[str, tuple[str, ...]] = {
    "children": (
        *("LAchildID", "PersonBirthDate", "ExpectedPersonBirthDate", "Sex", "GenderCurrent"),
        "PersonDeathDate",
    ),
    "details": ("CINreferralDate", "CINclosureDate", "ReasonForClosure", "DateOfInitialCPC", "ReferralNFA"),
    "enquiries": ("S47ActualStartDate", "InitialCPCtarget", "DateOfInitialCPC", "ICPCnotRequired"),
    "plans": (
        *("CPPstartDate", "CPPendDate", "InitialCategoryOfAbuse", "LatestCategoryOfAbuse"),
        "NumberOfPreviousCPP",
    ),
}
CATEGORIES = ("NEG", "PHY", "SAB", "EMO", "MUL")


@dataclass(frozen=True)
class Cost:
    """What one run took: seconds, seconds of all cores together, MiB at most, of the frames, and beyond these."""

    wall: float
    processor: float
    memory: float
    result: float
    beyond: float


# The census.


def write_census(path: Path, size: int) -> int:
    """Write a census of about so many bytes, laid out as case systems do; gives the number of children."""
    chance = random.Random(SEED)
    written = children = 0
    with path.open("w", encoding="utf-8") as file:
        written += file.write(HEAD)
        while written < size:
            children += 1
            written += file.write(a_child(chance, children))
        file.write("    </Children>\n</Message>\n")
    return children


HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<Message>
    <Header>
        <CollectionDetails>
            <Collection>CIN</Collection>
            <Year>2024</Year>
            <ReferenceDate>2024-03-31</ReferenceDate>
        </CollectionDetails>
        <Source>
            <SourceLevel>L</SourceLevel>
            <LEA>383</LEA>
            <SoftwareCode>made up</SoftwareCode>
            <Release>1</Release>
            <SerialNo>001</SerialNo>
            <DateTime>2024-05-23T11:14:05</DateTime>
        </Source>
    </Header>
    <Children>
"""


def a_child(chance: random.Random, number: int) -> str:
    """A child with one or two referrals; about every third led to a section 47 enquiry, every sixth to a plan."""
    inside = "".join(some_details(chance) for _ in range(1 + (chance.random() < 0.2)))
    born = day(chance, 2006, 6200)
    return f"""        <Child>
            <ChildIdentifiers>
                <LAchildID>C{number:09}</LAchildID>
                <UPN>A{number:012}</UPN>
                <PersonBirthDate>{born}</PersonBirthDate>
                <Sex>{chance.choice("MFU")}</Sex>
            </ChildIdentifiers>
            <ChildCharacteristics>
                <Ethnicity>WBRI</Ethnicity>
                <Disabilities>
                    <Disability>NONE</Disability>
                </Disabilities>
            </ChildCharacteristics>
{inside}        </Child>
"""


def some_details(chance: random.Random) -> str:
    """Details of a referral, with assessment and plan as child in need."""
    referral = day(chance, 2023, 300)
    held = some_enquiry(chance, referral) if chance.random() < 0.35 else ("", "")
    closed = f"<CINclosureDate>{day(chance, 2024, 80)}</CINclosureDate>\n                " if not held[1] else ""
    return f"""            <CINdetails>
                <CINreferralDate>{referral}</CINreferralDate>
                <ReferralSource>6</ReferralSource>
                <PrimaryNeedCode>N1</PrimaryNeedCode>
                {closed}<Assessments>
                    <AssessmentActualStartDate>{referral}</AssessmentActualStartDate>
                    <AssessmentAuthorisationDate>{day(chance, 2024, 80)}</AssessmentAuthorisationDate>
                    <FactorsIdentifiedAtAssessment>
                        <AssessmentFactors>1C</AssessmentFactors>
                        <AssessmentFactors>16A</AssessmentFactors>
                        <AssessmentFactors>17A</AssessmentFactors>
                    </FactorsIdentifiedAtAssessment>
                </Assessments>
                <CINPlanDates>
                    <CINPlanStartDate>{referral}</CINPlanStartDate>
                </CINPlanDates>
{held[0]}                <ReferralNFA>0</ReferralNFA>
{held[1]}            </CINdetails>
"""


def some_enquiry(chance: random.Random, referral: date) -> tuple[str, str]:
    """A section 47 enquiry with its conference, and about every other time a plan with two reviews."""
    start, held = referral + timedelta(days=1), referral + timedelta(days=chance.randrange(8, 30))
    enquiry = f"""                <Section47>
                    <S47ActualStartDate>{start}</S47ActualStartDate>
                    <InitialCPCtarget>{start + timedelta(days=21)}</InitialCPCtarget>
                    <DateOfInitialCPC>{held}</DateOfInitialCPC>
                    <ICPCnotRequired>{chance.choice(("0", "false"))}</ICPCnotRequired>
                </Section47>
"""
    if chance.random() < 0.5:
        return enquiry, ""
    category = chance.choice(CATEGORIES)
    plan = f"""                <ChildProtectionPlans>
                    <CPPstartDate>{held}</CPPstartDate>
                    <InitialCategoryOfAbuse>{category}</InitialCategoryOfAbuse>
                    <LatestCategoryOfAbuse>{category}</LatestCategoryOfAbuse>
                    <NumberOfPreviousCPP>{chance.choice((0, 0, 0, 1, 2))}</NumberOfPreviousCPP>
                    <Reviews>
                        <CPPreviewDate>{held + timedelta(days=80)}</CPPreviewDate>
                        <CPPreviewDate>{held + timedelta(days=240)}</CPPreviewDate>
                    </Reviews>
                </ChildProtectionPlans>
"""
    return enquiry, plan


def day(chance: random.Random, year: int, days: int) -> date:
    """A day in so many from 1 April of a year on."""
    return date(year, 4, 1) + timedelta(days=chance.randrange(days))


# The ways.


def read_by_us(path: Path) -> dict[str, pl.DataFrame]:
    """Records by our reader."""
    return {name: frame.drop(LINE) for name, frame in read_rows(path, LAYOUT).tables.items() if name != "header"}


def read_by_lxml(path: Path) -> dict[str, pl.DataFrame]:
    """Records by lxml, which drops what is before an element once it has ended."""
    from lxml import etree

    def ended() -> Iterator[Any]:
        for _, element in etree.iterparse(str(path), tag="Child", resolve_entities=False, no_network=True):
            yield element
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]

    return records(ended())


def read_by_stdlib(path: Path) -> dict[str, pl.DataFrame]:
    """Records by ElementTree."""
    from xml.etree.ElementTree import iterparse

    def ended() -> Iterator[Any]:
        events = iterparse(path, events=("start", "end"))
        children: Any = None
        for event, element in events:
            if event == "start" and element.tag == "Children":
                children = element
            elif event == "end" and element.tag == "Child":
                yield element
                children.clear()

    return records(ended())


def records(children: Iterator[Any]) -> dict[str, pl.DataFrame]:
    """Rows of text per table, numbered, with the number of the row they stand within."""
    rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in (*COLUMNS, "reviews")}
    for child in children:
        identifiers = child.find("ChildIdentifiers")
        rows["children"].append((len(rows["children"]) + 1, None, *texts(identifiers, "children")))
        for details in child.iterfind("CINdetails"):
            parent = len(rows["children"])
            rows["details"].append((len(rows["details"]) + 1, parent, *texts(details, "details")))
            at = len(rows["details"])
            for enquiry in details.iterfind("Section47"):
                rows["enquiries"].append((len(rows["enquiries"]) + 1, at, *texts(enquiry, "enquiries")))
            for plan in details.iterfind("ChildProtectionPlans"):
                rows["plans"].append((len(rows["plans"]) + 1, at, *texts(plan, "plans")))
                for review in plan.iterfind("Reviews/CPPreviewDate"):
                    rows["reviews"].append((len(rows["reviews"]) + 1, len(rows["plans"]), review.text))
    return {
        name: pl.DataFrame(
            dict(zip((NUMBER, PARENT, *columns), zip(*rows[name], strict=True), strict=True)),
            schema={NUMBER: pl.Int64, PARENT: pl.Int64} | dict.fromkeys(columns, pl.String),
        )
        for name, columns in (*COLUMNS.items(), ("reviews", ("CPPreviewDate",)))
    }


def texts(element: Any, table: str) -> list[str | None]:
    """Values of one record, in one pass over what is in it."""
    found = {inner.tag: inner.text for inner in element}
    return [found.get(name) for name in COLUMNS[table]]


def read_to_tables(path: Path) -> dict[str, pl.DataFrame]:
    """Tables of a board, by our reader, and the records and places that are kept beside them."""
    census = read_cin_census([path], Key(bytes(32)), authority="Made up")
    tables = {"plans": census.plans, "conferences": census.conferences, "reviews": census.reviews}
    kept = {f"records of {name}": getattr(year, name) for year in census.years for name in (*COLUMNS, "reviews")}
    return tables | kept | {"places": census.places}


def scan(path: Path) -> dict[str, pl.DataFrame]:
    """Nothing, after expat has walked through the file."""
    parser = expat.ParserCreate()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            parser.Parse(chunk, False)
    parser.Parse(b"", True)
    return {}


WAYS: dict[str, Callable[[Path], dict[str, pl.DataFrame]]] = {
    TO_TABLES: read_to_tables,
    OURS: read_by_us,
    LXML: read_by_lxml,
    STDLIB: read_by_stdlib,
    SCAN: scan,
}
SAME = (OURS, LXML, STDLIB)
"""Ways that must give the same records."""


# One run, and all of them.


def run_here(way: str, path: Path) -> None:
    """Read once in this process, and print what it took and what came out."""
    if way == LXML:
        __import__("lxml.etree")
    at_first = most_memory()
    begin, before = time.perf_counter(), processor_seconds()
    with watched_beside() as held:
        tables = WAYS[way](path)
    wall, processor = time.perf_counter() - begin, processor_seconds() - before
    most, result = most_memory() + max(held), size_of(tables)
    said = {name: [frame.height, fingerprint(frame)] for name, frame in sorted(tables.items())}
    print(json.dumps({"cost": [wall, processor, most, result, most - at_first - result], "tables": said}))


def processor_seconds() -> float:
    """Seconds of all cores so far, of this process and of those it has waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def most_memory() -> float:
    """The most that this process has held so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


@contextmanager
def watched_beside() -> Iterator[list[float]]:
    """MiB that processes beside this one hold, look by look: what they say of themselves begins with what we hold."""
    held, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(EVERY):
            with suppress(psutil.Error):  # it may end while it is looked at
                held.append(sum(each.memory_info().rss for each in psutil.Process().children()) / 1024**2)

    watch = threading.Thread(target=look)
    watch.start()
    try:
        yield held
    finally:
        over.set()
        watch.join()


def size_of(tables: dict[str, pl.DataFrame]) -> float:
    """MiB that frames hold: of text 16 bytes a cell, which hold up to 12 letters, and each longer text once."""
    size = 0.0
    longer: set[int] = set()
    for column in (column for frame in tables.values() for column in frame):
        if column.dtype == pl.String:
            long = column.filter(column.str.len_bytes() > 12).unique()
            new = long.filter(pl.Series([number not in longer for number in long.hash()], dtype=pl.Boolean))
            longer.update(new.hash())
            size += 16 * len(column) + int(new.str.len_bytes().sum() or 0)
        else:
            size += column.estimated_size()
    return size / 1024**2


def fingerprint(frame: pl.DataFrame) -> str:
    """Digest of every cell of a frame, columns by name."""
    return hashlib.sha256(frame.select(sorted(frame.columns)).write_csv().encode()).hexdigest()


def run(way: str, path: Path) -> tuple[Cost, dict[str, Any]]:
    """Read once in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", way, "--file", str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{way} failed:\n{done.stderr}")
    answer = json.loads(done.stdout)
    return Cost(*answer["cost"]), answer["tables"]


def measure(path: Path, ways: Sequence[str], repeat: int) -> dict[str, list[Cost]]:
    """Take turns, in an order that is turned round every time, and compare what comes out."""
    costs: dict[str, list[Cost]] = {way: [] for way in ways}
    records: dict[str, Any] | None = None
    for turn in range(repeat):
        for way in ways if turn % 2 == 0 else reversed(ways):
            cost, tables = run(way, path)
            costs[way].append(cost)
            if way in SAME:
                records = records or tables
                if tables != records:
                    raise SystemExit(f"{way} gives other records: {tables} instead of {records}")
            print(
                f"  turn {turn + 1}, {way}: {cost.wall:.1f} s, CPU {cost.processor:.1f} s, {cost.memory:,.0f} MiB",
                file=sys.stderr,
                flush=True,
            )
    if records:
        print("records, the same in all ways: " + ", ".join(f"{n[0]:,} {name}" for name, n in records.items()) + "\n")
    return costs


def show(costs: dict[str, list[Cost]], size: float) -> None:
    """Print a table: medians (slowest to fastest), the most memory."""
    print(
        "| way | MB per second | wall seconds | MB per CPU second | memory, MiB | of which result | beyond the result |"
        "\n|---|--:|--:|--:|--:|--:|--:|"
    )
    for way, runs in costs.items():
        walls, processor = [run.wall for run in runs], [run.processor for run in runs]
        speeds = [
            f"{size / median(each):.0f} ({size / max(each):.0f}–{size / min(each):.0f})" for each in (walls, processor)
        ]
        memory = " | ".join(
            f"{max(each):,.0f}" for each in zip(*((run.memory, run.result, run.beyond) for run in runs), strict=True)
        )
        print(f"| {way} | {speeds[0]} | {median(walls):.2f} | {speeds[1]} | {memory} |")


def installed(name: str) -> str | None:
    """Version of a package; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main() -> None:
    """Make the census, read it in every way, print the table."""
    parser = argparse.ArgumentParser(description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=80, help="size of the census, in million bytes")
    parser.add_argument("--repeat", type=int, default=3, help="turns")
    parser.add_argument("--ways", nargs="*", choices=list(WAYS), default=list(WAYS), help="which ways")
    parser.add_argument("--one", choices=list(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        run_here(chosen.one, chosen.file)
        return
    ways = [way for way in chosen.ways if way != LXML or installed("lxml")]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "census.xml"
        children = write_census(path, int(chosen.megabytes * 1e6))
        size = path.stat().st_size / 1e6
        print(f"{size:,.0f} MB, {children:,} children; {chosen.repeat} turns\n", flush=True)
        show(measure(path, ways, chosen.repeat), size)
    packages = ", ".join(f"{name} {installed(name)}" for name in PACKAGES if installed(name))
    print(
        f"\n{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the "
        f"end; Python {platform.python_version()}, expat {expat.EXPAT_VERSION.removeprefix('expat_')}; {packages}."
    )


if __name__ == "__main__":
    main()
