"""What was measured, written down: one table, the targets, a chart of growth, and how to do it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

import altair as alt
import polars as pl
from measures import KERNEL, SCAN, SITE, SQL, STOCK, Measured
from measuring import Cost
from priorities import short, spread

NAME = "RESULTS"
GIB = 1024


@dataclass(frozen=True)
class Target:
    """What was promised: at most so much of a peer's time at a size, and at most so much memory in MiB."""

    measure: str
    size: int
    peer: str
    ratio: float
    memory: float | None = None


TARGETS = (
    Target("training_reach", 100_000_000, SQL, 1.3, 5 * GIB),
    Target("repeat_plan_rate, ever", 10_000_000, SQL, 1.3),
    Target("repeat_plan_rate, within 24 months", 10_000_000, SQL, 1.3),
    Target("board pack", 4, STOCK, 0.25),
    Target("report of each district", 12, STOCK, 0.2),
)

COLUMNS = (
    "measure",
    "size",
    "peer",
    "ours, s",
    "peer, s",
    "ours ÷ peer",
    "CPU: ours ÷ peer",
    "growth",
    "floor, s",
    "ours ÷ floor",
    "memory, ours",
    "memory, peer",
)
LEFT = 3
"""Columns of words."""


def table(found: Sequence[Measured]) -> str:
    """One line per measure, size and peer, in Markdown."""
    head = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * LEFT + "--:|" * (len(COLUMNS) - LEFT)]
    return "\n".join([*head, *(line for each in found for line in lines_of(each, before(each, found)))])


def before(measured: Measured, found: Sequence[Measured]) -> Measured | None:
    """The same measure at the size before."""
    smaller = [each for each in found if each.measure == measured.measure and each.size < measured.size]
    return max(smaller, key=lambda each: each.size, default=None)


def lines_of(measured: Measured, smaller: Measured | None) -> list[str]:
    """A line per peer; one for ours alone where there is none."""
    said = f"{measured.size:,} {measured.unit}"
    floor = measured.floor_costs
    own = {
        "ours": spread(walls(measured.ours)),
        "growth": growth(measured, smaller),
        "floor": f"{spread(walls(floor))} ({measured.floor})" if floor else "–",
        "of floor": ratio(measured.ours, floor) if floor else "–",
        "memory": f"{highest(measured.ours):,.0f}",
    }
    lines = []
    for peer in (*measured.peers, *measured.absent):
        theirs = measured.peers.get(peer)
        time = spread(walls(theirs)) if theirs else measured.absent[peer]
        ratios = [ratio(measured.ours, theirs, kind) if theirs else "–" for kind in ("wall", "processor")]
        memory = f"{highest(theirs):,.0f}" if theirs else "–"
        cells = [measured.measure, said, peer, own["ours"], time, *ratios]
        cells += [own["growth"], own["floor"], own["of floor"], own["memory"], memory]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def walls(costs: Sequence[Cost]) -> list[float]:
    """Seconds by the clock."""
    return [cost.wall for cost in costs]


def highest(costs: Sequence[Cost]) -> float:
    """The most memory of several runs, in MiB."""
    return max(cost.memory for cost in costs)


def ratio(ours: Sequence[Cost], theirs: Sequence[Cost], kind: str = "wall") -> str:
    """Ours as a multiple of theirs, turn by turn."""
    return f"{spread(ratios(ours, theirs, kind))} ×"


def ratios(ours: Sequence[Cost], theirs: Sequence[Cost], kind: str = "wall") -> list[float]:
    """The multiples of the turns; where one had fewer turns, of the first ones."""
    return [getattr(mine, kind) / max(getattr(their, kind), 1e-9) for mine, their in zip(ours, theirs, strict=False)]


def growth(measured: Measured, smaller: Measured | None) -> str:
    """How much longer ours takes than at the size before, and how much larger that is."""
    if smaller is None:
        return "–"
    longer = median(walls(measured.ours)) / median(walls(smaller.ours))
    return f"{short(longer)} × for {short(measured.size / smaller.size)} ×"


def targets(found: Sequence[Measured]) -> str:
    """Each target with what was measured of it: met, not met, or not measured."""
    return "\n".join(f"- {verdict(target, found)}" for target in TARGETS)


def verdict(target: Target, found: Sequence[Measured]) -> str:
    """One target in words."""
    memory = f", and under {target.memory / GIB:g} GiB" if target.memory else ""
    at = next((each for each in found if (each.measure, each.size) == (target.measure, target.size)), None)
    size = f"{target.size:,}{f' {at.unit}' if at else ''}"
    wanted = f"{target.measure}, {size}: at most {target.ratio:g} × {target.peer}{memory}"
    theirs = at.peers.get(target.peer) if at else None
    if at is None or theirs is None:
        return f"{wanted}: **not measured in this run**."
    times = median(ratios(at.ours, theirs))
    held = highest(at.ours)
    met = times <= target.ratio and (target.memory is None or held < target.memory)
    used = f", {held / GIB:.1f} GiB" if target.memory else ""
    return f"{wanted}: **{'met' if met else 'not met'}** ({times:.2f} ×{used})."


def chart(found: Sequence[Measured]) -> alt.FacetChart | None:
    """Seconds by size, both on scales on which ten times is one step, of measures with several sizes."""
    rows = [
        {"measure": each.measure, "unit": each.unit, "size": each.size, "way": way, "seconds": median(walls(costs))}
        for each in found
        if sum(other.measure == each.measure for other in found) > 1
        for way, costs in {"ours": each.ours, **each.peers, "floor": list(each.floor_costs)}.items()
        if costs
    ]
    if not rows:
        return None
    frame = pl.DataFrame(rows).with_columns(
        panel=pl.format("{} ({})", "measure", "unit"), seconds=pl.col("seconds").clip(1e-6)
    )
    ways = frame["way"].unique(maintain_order=True).to_list()
    ordered = ["ours", *(way for way in ways if way not in ("ours", "floor")), *({"floor"} & set(ways))]
    step = alt.Scale(type="log")
    drawn = (
        alt.Chart(frame)
        .mark_line(point=True)
        .encode(
            x=alt.X("size:Q", scale=step, axis=alt.Axis(format="~s", title="size", tickCount=5)),
            y=alt.Y("seconds:Q", scale=step, axis=alt.Axis(format="~g", title="seconds", tickCount=6)),
            color=alt.Color("way:N", sort=ordered, title=None, scale=alt.Scale(scheme="tableau20")),
            shape=alt.Shape("way:N", sort=ordered, legend=None),
            strokeDash=alt.StrokeDash("way:N", sort=ordered, legend=None),
        )
        .properties(width=260, height=180)
    )
    panels = frame["panel"].unique(maintain_order=True).to_list()
    apart = drawn.facet(alt.Facet("panel:N", sort=panels, title=None), columns=2)
    both: alt.FacetChart = apart.resolve_scale(x="independent", y="independent")
    return both


HOW = f"""\
## How to read it

- **ours ÷ peer**: seconds by the clock, ours as a multiple of the peer's in the same turn; under 1 ours is the quicker
  one. Of several turns: the median, then the smallest and largest. "CPU" is the same for the seconds of all cores,
  which other work on the computer disturbs less.
- **growth**: how much longer ours takes than at the size before, and how much larger that was.
- **floor**: what no program can do without. {SCAN}: polars reads the columns that are needed, and does nothing with
  them. {KERNEL}: an ordinary kernel, without a notebook. {SITE}: the same overview as files. Where nothing is said,
  there is none that means something.
- **memory**: the most that a process held, in MiB, imports included; of pack and dashboard that of all processes
  together, what they share counted once.
- Ways take turns, in an order that is turned round every time, each in a fresh interpreter. Answers of SQL and pandas
  are compared with ours, and one that differs stops the benchmark.
- pandas gives the counts and the share, without intervals and without checks of the rows; acro and suppress do not
  promise the same; pref_voting and votekit do some of the rules, and of their resamples ten are timed. What each pair
  does and does not show stands in [README.md](README.md).
"""


def page(
    found: Sequence[Measured], about: str, command: str, days: tuple[date, date], peers: str, picture: bool
) -> str:
    """The whole of RESULTS.md."""
    first, last = (f"{day.day} {day:%B %Y}" for day in days)
    when = f"on {first}" if first == last else f"in parts, from {first} to {last},"
    seen = "Seconds by size: ours, peers and floor, a panel for each measure, both scales in steps of ten"
    return f"""\
# Results

Measured {when} with `{command}`.
Another computer gives other seconds; the ratios are what to compare.

{about}

## Targets

{targets(found)}

## Measured

{table(found)}

{f"![{seen}]({NAME}.svg)" if picture else "No measure was taken at several sizes, so there is no chart of growth."}

{HOW}
## How to do it again

```shell
pip install -e '.[test]'
python -m venv peers && peers/bin/pip install --only-binary :all: {peers}   # 1 GB, no part of this package
{command}
```
"""


def write(
    folder: Path, found: Sequence[Measured], about: str, command: str, peers: str, days: tuple[date, date]
) -> list[Path]:
    """Write the page, and the chart beside it if something was measured at several sizes."""
    folder.mkdir(parents=True, exist_ok=True)
    text, drawn = folder / f"{NAME}.md", chart(found)
    picture = folder / f"{NAME}.svg"
    if drawn is not None:
        drawn.save(str(picture))
    else:
        picture.unlink(missing_ok=True)
    text.write_text(page(found, about, command, days, peers, drawn is not None), encoding="utf-8")
    return [text] if drawn is None else [text, picture]
