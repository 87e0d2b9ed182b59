"""Times the dashboards and the published site beside stock Voilà on the same notebook, in a real browser."""

from __future__ import annotations

import argparse
import asyncio
import gzip
import math
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import urlopen

import psutil
from measuring import Highest

ABOUT = """\
Serve one release of the synthetic board (or RELEASE) in these ways, and look at its overview in Chromium:

  ours     safeguarding dashboards RELEASE
  stock    python -m voila overview.ipynb: the same notebook, with Voilà's own settings and template
  site     safeguarding publish RELEASE OUT, then python -m http.server

one viewer   first byte, first chart visible, all charts visible: at once after the server's start (cold), and when it
             has nothing left to do (pre-heated; stock Voilà: --preheat_kernel=True, with its pool filled)
crowd        20 viewers at once, each with a browser context of its own: until the last has all charts; memory a viewer
site         all charts of each page; requests a second for every file in turn, from python -m http.server and nginx

A chart is visible when its picture is; ours must also have been drawn by the page's script, so that it answers to the
pointer, to meet an aim. The ways take turns, in an order that is turned round every time. A way that does not show all
charts in three minutes has no figures. Browser and servers share this computer. Needs Linux, playwright and Chromium.
README.md beside this file says what is and what is not compared."""

OURS = (sys.executable, "-c", "from safeguarding_analytics.cli import main; main()")
NOTEBOOK = Path(__file__).resolve().parents[1] / "dashboards" / "overview.ipynb"
RELEASE_VARIABLE = "SAFEGUARDING_RELEASE"
"""What `safeguarding dashboards` sets for the notebook; stock Voilà is given it by us."""

BLOCKED = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
PACKAGES = ("safeguarding-analytics", "voila", "ipykernel", "polars", "altair", "playwright")
FIGURE = '<figure class="chart"'
FAILED = "This part could not be worked out."
BEING_WORKED_OUT = 202
"""Status of the page that says so."""

PATIENCE = 180
"""Seconds after which something that does not happen is given up."""

QUIET = 4
"""Half seconds in turn without work after which a server is taken to be pre-heated."""

CONNECTIONS = 4
LOAD_SECONDS = 8
MIB = 2**20
AIM_TIME, AIM_MEMORY, AIM_STATIC, AIM_REQUESTS = 0.4, 60, 1.0, 500

WATCH = """
(() => {
  const seen = (window.benchmark = {});
  const visible = (picture) =>
    picture.checkVisibility({ visibilityProperty: true }) && picture.getBoundingClientRect().height > 0;
  const look = (done) => {
    const charts = [...document.querySelectorAll("figure.chart")];
    const shown = charts.filter((chart) => [...chart.querySelectorAll("svg")].some(visible)).length;
    const drawn = charts.filter((chart) => chart.matches(".drawn")).length;
    const now = performance.now();
    if (shown && !seen.first) seen.first = now;
    if (shown >= CHARTS && !seen.every) seen.every = now;
    if (drawn >= CHARTS && !seen.drawn) seen.drawn = now;
    if (seen.LAST && document.readyState === "complete") done();
    else requestAnimationFrame(() => look(done));
  };
  seen.ended = new Promise((done) => requestAnimationFrame(() => look(done)));
})();
"""
"""Notes, frame by frame, when charts become visible, in milliseconds from the beginning of the navigation."""

READ = """
window.benchmark.ended.then(() => {
  const [page] = performance.getEntriesByType("navigation");
  const { first, every, drawn } = window.benchmark;
  return { began: performance.timeOrigin, byte: page.responseStart, delivered: page.responseEnd, first, every, drawn };
})
"""
"""Tells when what was to be seen was seen, once all of it is there."""


class BenchmarkError(Exception):
    """What stops the benchmark: a way that does less would look quick."""


class TooSlowError(Exception):
    """Something did not happen in time: the way has no figures in this turn, and the others go on."""


@dataclass(frozen=True)
class Way:
    """A way to serve the overview."""

    name: str
    command: tuple[str, ...]
    heated: bool = False
    port: int = 0
    """Port that its command has by itself; 0: it is given one."""

    pool: int = 0
    """Kernels that stock Voilà keeps ready."""

    scripted: bool = True
    """Whether a script of the page draws the charts again."""

    @property
    def last(self) -> str:
        """What is seen last: charts that answer to the pointer, or pictures."""
        return "drawn" if self.scripted else "every"


@dataclass(frozen=True)
class View:
    """What one viewer saw, in seconds from when it was asked for."""

    byte: float
    delivered: float
    first: float
    every: float
    drawn: float | None
    processor: float
    """CPU seconds of the thread that reads, lays out and draws the page."""


@dataclass(frozen=True)
class Visit:
    """One server started, and viewers at once; seconds, and MiB of memory that its processes do not share."""

    listening: float
    heating: float | None
    views: tuple[View, ...]
    processor: float
    alone: float
    highest: float

    def latest(self, what: str) -> float:
        """When the last viewer had something."""
        return max(float(getattr(view, what)) for view in self.views)

    @property
    def memory_each(self) -> float:
        """MiB that a viewer costs, beside the server itself."""
        return (self.highest - self.alone) / len(self.views)


# A server, and what it takes.


class Server:
    """A command that answers on a port of this computer, and all processes that it starts."""

    def __init__(self, way: Way, folder: Path, release: Path) -> None:
        self.port, self.way, self.log = way.port or free_port(), way, folder / "server.log"
        empty = {"JUPYTER_CONFIG_DIR": str(folder / "config"), "IPYTHONDIR": str(folder / "ipython")}
        command = [part.format(port=self.port, release=release) for part in way.command]
        self.begun = time.perf_counter()
        with self.log.open("wb") as log:
            self.process = psutil.Popen(
                command, stdout=log, stderr=log, env={**os.environ, **empty, RELEASE_VARIABLE: str(release)}
            )
        self.address = f"http://127.0.0.1:{self.port}/"

    def listening(self) -> float:
        """Seconds from the start until it takes connections; nothing is asked of it, as that would start a kernel."""
        while time.perf_counter() - self.begun < PATIENCE:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return time.perf_counter() - self.begun
            except OSError:
                time.sleep(0.01)
        raise BenchmarkError(f"{self.way.name} does not answer:\n{self.log.read_text(errors='replace')[-2000:]}")

    def heated(self) -> float:
        """Seconds from the start until it has nothing left to do and its pool, if any, is filled."""
        quiet = 0
        while time.perf_counter() - self.begun < PATIENCE:
            before = self.processor()
            time.sleep(0.5)
            quiet = quiet + 1 if self.processor() - before < 0.05 and self.kernels() >= self.way.pool else 0
            if quiet == QUIET:
                return time.perf_counter() - self.begun - QUIET * 0.5
        raise TooSlowError(f"not at rest after {PATIENCE} seconds")

    def tree(self) -> list[psutil.Process]:
        """The server and all that it started."""
        return [self.process, *self.process.children(recursive=True)]

    def kernels(self) -> int:
        """How many kernels run."""
        return sum("ipykernel" in " ".join(told(each, "cmdline", [])) for each in self.tree())

    def memory(self) -> float:
        """MiB of all processes, what they share counted once (PSS)."""
        told_by_each = [each for process in self.tree() if (each := told(process, "memory_full_info"))]
        return float(sum(each.pss for each in told_by_each)) / MIB

    def processor(self) -> float:
        """CPU seconds of all processes, those too that have ended."""
        times = [each for process in self.tree() if (each := told(process, "cpu_times"))]
        return float(sum(each.user + each.system + each.children_user + each.children_system for each in times))

    def stop(self) -> None:
        """End it and what it started."""
        if self.process.poll() is not None:
            return
        started = self.tree()
        self.process.terminate()
        _, left = psutil.wait_procs(started, timeout=5)
        for process in left:
            told(process, "kill")
        psutil.wait_procs(left, timeout=5)


def told(process: psutil.Process, what: str, otherwise: Any = None) -> Any:
    """What a process tells of itself; something else if it has just ended."""
    try:
        return getattr(process, what)()
    except psutil.Error:
        return otherwise


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(way: Way, release: Path) -> Iterator[Server]:
    """A server in a folder of its own, stopped in the end."""
    with TemporaryDirectory(prefix="bench", ignore_cleanup_errors=True) as folder:
        server = Server(way, Path(folder), release)
        try:
            yield server
        finally:
            server.stop()


# The viewers.


async def views_of(browser: Any, address: str, *, viewers: int, charts: int, last: str) -> tuple[View, ...]:
    """So many viewers, each with a cache of its own, open an address at once."""
    contexts = [await browser.new_context(viewport={"width": 1280, "height": 900}) for _ in range(viewers)]
    try:
        pages = [await context.new_page() for context in contexts]
        for page in pages:
            await page.add_init_script(WATCH.replace("CHARTS", str(charts)).replace("LAST", last))
        asked = time.time()
        async with asyncio.TaskGroup() as group:
            seen = [group.create_task(view_of(page, address, asked)) for page in pages]
        return tuple(task.result() for task in seen)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    finally:
        await asyncio.gather(*(context.close() for context in contexts))


async def view_of(page: Any, address: str, asked: float) -> View:
    """What one of them saw, and when."""
    from playwright.async_api import TimeoutError as NoAnswer

    try:
        async with asyncio.timeout(PATIENCE):
            session = await page.context.new_cdp_session(page)
            await session.send("Performance.enable", {"timeDomain": "threadTicks"})
            answer = await page.goto(address, wait_until="commit", timeout=PATIENCE * 1000)
            while answer is not None and answer.status == BEING_WORKED_OUT:  # what is asked for opens by itself
                async with page.expect_navigation(wait_until="commit", timeout=PATIENCE * 1000) as opened:
                    pass
                answer = await opened.value
            if answer is not None and answer.status != 200:
                raise BenchmarkError(f"a viewer was answered with {answer.status}")
            seen: Mapping[str, float] = await page.evaluate(READ)
            measured = await session.send("Performance.getMetrics")
    except (TimeoutError, NoAnswer):
        raise TooSlowError(f"not all charts were shown within {PATIENCE} seconds") from None
    late = seen["began"] / 1000 - asked  # the last of many begins later than the first
    byte, delivered, first, every = (seen[name] / 1000 + late for name in ("byte", "delivered", "first", "every"))
    drawn = seen["drawn"] / 1000 + late if seen.get("drawn") else None
    [processor] = [each["value"] for each in measured["metrics"] if each["name"] == "TaskDuration"]
    return View(byte, delivered, first, every, drawn, processor)


async def visit(browser: Any, way: Way, release: Path, *, viewers: int, charts: int) -> Visit:
    """Start a server, let viewers look at the overview, stop it."""
    with running(way, release) as server:
        listening = server.listening()
        alone = server.process.memory_full_info().pss / MIB
        heating = server.heated() if way.heated else None
        before = server.processor()
        with Highest(server.memory) as highest:
            views = await views_of(browser, server.address, viewers=viewers, charts=charts, last=way.last)
        return Visit(listening, heating, views, server.processor() - before, alone, highest.most)


async def turns(
    browser: Any, ways: Sequence[Way], release: Path, *, repeat: int, viewers: int, charts: int
) -> dict[str, list[Visit]]:
    """Let the ways take turns."""
    visits: dict[str, list[Visit]] = {way.name: [] for way in ways}
    for turn in range(repeat):
        for way in ways[:: -1 if turn % 2 else 1]:
            here = f"turn {turn + 1} of {repeat}, {viewers} at once, {way.name}"
            try:
                made = await visit(browser, way, release, viewers=viewers, charts=charts)
            except TooSlowError as error:
                print(f"\n{here}: {error}; it has no figures.")
                continue
            visits[way.name].append(made)
            say(f"{here}: {made.latest(way.last):.1f} s")
    return visits


# The published site.


async def pages_of(browser: Any, way: Way, site: Path, release: Path, repeat: int) -> dict[str, list[View]]:
    """What a viewer sees of each page of a site that has charts, each time with an empty cache."""
    found = {page.name: page.read_text("utf-8").count(FIGURE) for page in sorted(site.glob("*.html"))}
    charts = {name: count for name, count in found.items() if count}
    views: dict[str, list[View]] = {name: [] for name in charts}
    with running(way, release) as server:
        server.listening()
        for turn in range(repeat + 1):
            for name, count in charts.items():
                seen = await views_of(browser, server.address + name, viewers=1, charts=count, last="drawn")
                views[name] += seen if turn else ()  # the first time is for the browser to start its processes
    return {f"{name} ({charts[name]} charts)": each for name, each in views.items()}


def requests_a_second(port: int, site: Path, seconds: float) -> tuple[int, float, float]:
    """Ask for every file of a site in turn over a few connections; gives requests, requests and MB a second."""
    files = [(f"/{path.relative_to(site).as_posix()}", path.stat().st_size) for path in files_of(site)]
    begun = time.perf_counter()

    def ask(offset: int) -> tuple[int, int]:
        asked = size = 0
        connection = connected(port)
        while time.perf_counter() - begun < seconds:
            path, length = files[(offset + asked) % len(files)]
            if not fetch(connection, path, length):
                connection.close()
                connection = connected(port)
            asked, size = asked + 1, size + length
        connection.close()
        return asked, size

    with ThreadPoolExecutor(CONNECTIONS) as workers:
        counts = list(workers.map(ask, range(0, len(files), -(-len(files) // CONNECTIONS))))
    took = time.perf_counter() - begun
    asked, size = (sum(each) for each in zip(*counts, strict=True))
    return asked, asked / took, size / took / 1e6


def connected(port: int) -> socket.socket:
    """A connection to a server on this computer."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def fetch(connection: socket.socket, path: str, length: int) -> bool:
    """Ask for a file over a connection, and read all of it; says whether the connection stays open."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    answer = connection.makefile("rb")
    status = answer.readline()
    stated = [line for line in takewhile(bytes.strip, answer) if line.lower().startswith(b"content-length:")]
    if b" 200 " not in status or len(stated) != 1 or int(stated[0].split(b":")[1]) != length:
        raise BenchmarkError(f"{path} is not served as it is")
    if len(answer.read(length)) != length:
        raise BenchmarkError(f"{path} is cut off")
    return status.startswith(b"HTTP/1.1")


def files_of(site: Path) -> list[Path]:
    """Every file of a site, but for those that are others, compressed."""
    return sorted(path for path in site.rglob("*") if path.is_file() and path.suffix != ".gz")


def nginx_way(site: Path, folder: Path) -> Way | None:
    """Nginx with one worker and connections that stay open; None where it is not installed."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        return None
    places = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    types = "text/html html; text/css css; text/javascript js; text/csv csv;"
    port = free_port()
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n"
        f"events {{}}\nhttp {{ access_log off; sendfile on; keepalive_requests 1000000; types {{ {types} }}\n"
        f"{places}server {{ listen 127.0.0.1:{port}; root {site}; }}\n}}\n"
    )
    return Way(f"nginx {nginx_version(program)}", (program, "-c", str(folder / "nginx.conf")), port=port)


def nginx_version(program: str) -> str:
    """The version that nginx says it has."""
    return (
        subprocess.run([program, "-v"], capture_output=True, text=True, check=False).stderr.rpartition("/")[2].strip()
    )


def megabytes(paths: Sequence[Path]) -> tuple[float, float]:
    """Size of files in million bytes, as they are and each compressed by itself."""
    texts = [path.read_bytes() for path in paths]
    return sum(map(len, texts)) / 1e6, sum(min(len(text), len(gzip.compress(text, 6))) for text in texts) / 1e6


# What is printed.


def spread(values: Sequence[float | None], digits: int = 2) -> str:
    """Say the median, and the smallest and largest if there are several; a dash if there is none.

    Examples
    --------
    >>> spread([9.0]), spread([9.0, 8.0, 12.5], 1), spread([None])
    ('9.00', '9.0 (8.0–12.5)', '–')
    """
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    most = f" ({min(known):.{digits}f}–{max(known):.{digits}f})" if len(known) > 1 else ""
    return f"{median(known):.{digits}f}{most}"


def show_one(visits: Mapping[str, Sequence[Visit]]) -> None:
    """A line per way: what one viewer waits for."""
    print("| way | listens after | at rest after | first byte | first chart | all charts | all interactive | CPU |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for name, made in visits.items():
        views = [each.views[0] for each in made]
        seen = [spread([getattr(view, what) for view in views]) for what in ("byte", "first", "every", "drawn")]
        started = [spread([each.listening for each in made], 1), spread([each.heating for each in made], 1)]
        print(f"| {name} | {' | '.join([*started, *seen])} | {spread([each.processor for each in made], 1)} |")


def show_crowd(visits: Mapping[str, Sequence[Visit]], ways: Sequence[Way]) -> None:
    """A line per way: what the last of many viewers waits for, and what they cost."""
    print("| way | first byte | page delivered | all charts | all interactive | CPU | MiB a viewer | server alone |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for way in ways:
        made = visits[way.name]
        last = [spread([each.latest(what) for each in made], 1) for what in ("byte", "delivered", "every")]
        last.append(spread([each.latest("drawn") for each in made], 1) if way.scripted else "–")
        costs = ([each.processor for each in made], [each.memory_each for each in made], [each.alone for each in made])
        print(f"| {way.name} | {' | '.join(last + [spread(cost, 1) for cost in costs])} |")


def aim(said: str, found: float, limit: float, *, least: bool = False) -> None:
    """Say whether an aim is met."""
    met = found >= limit if least else found <= limit
    print(f"* {said}: {found:,.2f} ({'at least' if least else 'at most'} {limit:g}: {'met' if met else 'NOT met'})")


def show_aims(visits: Mapping[str, Sequence[Visit]], pairs: Sequence[tuple[Way, Way]], viewers: int) -> None:
    """Set ours beside stock Voilà: until all charts of ours answer to the pointer, against its pictures."""
    for ours, stock in pairs:
        if not (visits[ours.name] and visits[stock.name]):
            print(f"* {ours.name} beside {stock.name}: not counted, as one has no figures")
            continue
        times = [median(each.latest(way.last) for each in visits[way.name]) for way in (ours, stock)]
        aim(f"{ours.name}, {viewers} viewers, of the time of {stock.name}", times[0] / times[1], AIM_TIME)
    for ours, _ in pairs:
        memory = max((made.memory_each for made in visits[ours.name]), default=math.inf)
        aim(f"{ours.name}, {viewers} viewers, MiB a viewer", memory, AIM_MEMORY)


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


def surroundings(begun: float) -> str:
    """Describe the computer and the versions."""
    cores = len(os.sched_getaffinity(0))
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    load = f"load {begun:.1f} at the start, {os.getloadavg()[0]:.1f} at the end"
    system = f"{platform.system()} {platform.machine()}, {cores} cores, {load}"
    return f"{system}; Python {platform.python_version()}; {versions}"


# All of it.


def run(*command: str | Path) -> float:
    """Run a command to its end; gives its seconds, and stops the benchmark with its last words if it fails."""
    begun = time.perf_counter()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(
            f"{' '.join(map(str, command))}\nended with exit code {done.returncode}:\n{done.stderr[-2000:]}"
        )
    return time.perf_counter() - begun


def count_charts(way: Way, release: Path) -> int:
    """How many charts the overview has; a first start of the server, which is not counted."""
    with running(way, release) as server:
        server.listening()
        with urlopen(server.address, timeout=PATIENCE) as answer:
            page = answer.read().decode()
    if FAILED in page or FIGURE not in page:
        raise BenchmarkError("the overview of this release has no charts, or parts that could not be worked out")
    return int(page.count(FIGURE))


def served_ways(site: Path, notebook: Path, viewers: int) -> tuple[list[Way], list[tuple[Way, Way]]]:
    """The ways, and those that are set beside one another."""
    ours = (*OURS, "dashboards", "{release}", "--port", "{port}")
    stock = (sys.executable, "-m", "voila", str(notebook), "--no-browser", "--port={port}", "--Voila.port_retries=0")
    pool = (*stock, "--preheat_kernel=True", f"--pool_size={viewers}")
    pairs = [
        (Way("ours, cold", ours), Way("stock Voilà, cold", stock, scripted=False)),
        (
            Way("ours, pre-heated", ours, heated=True),
            Way(f"stock Voilà, pool of {viewers}", pool, heated=True, pool=viewers, scripted=False),
        ),
    ]
    return [way for pair in pairs for way in pair] + [site_way(site)], pairs


def site_way(site: Path) -> Way:
    """A published site on the web server that comes with Python."""
    command = (sys.executable, "-m", "http.server", "{port}", "--bind", "127.0.0.1")
    return Way("published site", (*command, "--directory", str(site)))


async def measure_site(browser: Any, site: Path, release: Path, repeat: int, folder: Path) -> None:
    """Print what the published site takes."""
    size, compressed = megabytes(files_of(site))
    print(f"\n### The published site\n\n{len(files_of(site))} files, {size:.2f} MB, {compressed:.2f} MB with gzip.\n")
    pages = await pages_of(browser, site_way(site), site, release, repeat)
    print("| page | first chart | all charts | all interactive | CPU of the page |\n|---|--:|--:|--:|--:|")
    for name, views in pages.items():
        seen = [[getattr(view, what) for view in views] for what in ("first", "every", "drawn", "processor")]
        print(f"| {name} | {' | '.join(map(spread, seen))} |")
    rates = {}
    print("\n| server | requests | requests a second | MB a second |\n|---|--:|--:|--:|")
    for way in filter(None, (site_way(site), nginx_way(site, folder))):
        with running(way, release) as server:
            server.listening()
            asked, rate, volume = requests_a_second(server.port, site, LOAD_SECONDS)
        name = "python -m http.server" if way.name == "published site" else way.name
        rates[name] = rate
        print(f"| {name} | {asked:,} | {rate:,.0f} | {volume:,.0f} |")
    print()
    for said, what in (("visible", "every"), ("interactive", "drawn")):
        slowest = max(median(getattr(view, what) for view in views) for views in pages.values())
        aim(f"all charts {said}, seconds, the slowest page's median", slowest, AIM_STATIC)
    for name, rate in rates.items():
        aim(f"requests a second, {name}", rate, AIM_REQUESTS, least=True)


async def measure(chosen: argparse.Namespace, release: Path, site: Path, folder: Path) -> None:
    """Open the browser, and print the tables."""
    from playwright.async_api import async_playwright

    notebook = Path(shutil.copy(NOTEBOOK, folder))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chosen.chromium, args=["--no-sandbox", BLOCKED])
        print(f"Chromium {browser.version}. Seconds are medians (smallest–largest).", flush=True)
        alone, _ = served_ways(site, notebook, 1)
        charts = count_charts(alone[0], release)
        say(f"the overview has {charts} charts")
        if "one" in chosen.only:
            made = await turns(browser, alone, release, repeat=chosen.repeat, viewers=1, charts=charts)
            print(f"\n### One viewer, {charts} charts, {chosen.repeat} turns\n")
            show_one(made)
        if "crowd" in chosen.only:
            ways, pairs = served_ways(site, notebook, chosen.viewers)
            crowd = {"repeat": chosen.crowds, "viewers": chosen.viewers, "charts": charts}
            made = await turns(browser, ways, release, **crowd)
            print(f"\n### {chosen.viewers} viewers at once, {charts} charts each: the last of them\n")
            show_crowd(made, ways)
            print()
            show_aims(made, pairs, chosen.viewers)
        if "site" in chosen.only:
            await measure_site(browser, site, release, chosen.repeat, folder)
        await browser.close()


def main() -> None:
    """Read the arguments, make what is missing, measure, and print the tables."""
    parser = argparse.ArgumentParser(description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "release", nargs="?", type=Path, help="a release (default: that of the synthetic board, made anew)"
    )
    parser.add_argument(
        "--site", type=Path, metavar="OUT", help="a site published of it already (default: published anew)"
    )
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="turns of one viewer (default: 3)")
    parser.add_argument("--crowds", type=int, default=1, metavar="N", help="turns of many viewers (default: 1)")
    parser.add_argument("--viewers", type=int, default=20, metavar="N", help="how many those are (default: 20)")
    parser.add_argument("--only", nargs="+", choices=("one", "crowd", "site"), default=("one", "crowd", "site"))
    parser.add_argument("--chromium", default=shutil.which("chromium"), metavar="PATH", help="where Chromium is")
    chosen = parser.parse_args()
    if min(chosen.repeat, chosen.crowds, chosen.viewers) < 1:
        parser.error("--repeat, --crowds and --viewers must be 1 or more.")
    if not chosen.chromium:
        parser.error("Chromium is not found. Name it with --chromium PATH.")
    if find_spec("playwright") is None:
        parser.error("playwright is not installed. It is one of the extras: pip install -e .[test]")
    begun = os.getloadavg()[0]
    with TemporaryDirectory(prefix="benchmark") as folder:
        try:
            release, site = made(chosen, Path(folder))
            asyncio.run(measure(chosen, release, site, Path(folder)))
        except BenchmarkError as error:
            sys.exit(str(error))
    print(f"\n{surroundings(begun)}")


def made(chosen: argparse.Namespace, folder: Path) -> tuple[Path, Path]:
    """The release and the site that are looked at; what is not given is made."""
    release, site = chosen.release or folder / "out" / "release", chosen.site or folder / "site"
    if chosen.release is None:
        from safeguarding_analytics.demo import write_demo_board

        write_demo_board(folder / "board")
        say(f"release made in {run(*OURS, 'report', folder / 'board', '--out', folder / 'out'):.0f} s")
    if chosen.site is None:
        print(f"Site published in {run(*OURS, 'publish', release, site):.1f} s.")
    return release.resolve(), site.resolve()


if __name__ == "__main__":
    main()
