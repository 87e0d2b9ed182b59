"""The answers about child protection plans in words, from a `Safe` alone.

Each says the counts, the interval and what the number does not show; a fall is called a fall only where it is clear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from safeguarding_analytics.cells import rounded
from safeguarding_analytics.dates import month_in_words
from safeguarding_analytics.errors import ParameterError, in_words, numbered, shorten
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.sentences import HIDDEN, percent, row_of, say_proportion, with_wider_interval
from safeguarding_analytics.tables import CATEGORY_WORDS, TOTAL

NEXT_PLAN = "second or subsequent plan"
LEFT = "died or moved away"
OPEN_AT_END = "open at the end"
_NEARLY = 1e-9


def say_repeat_plans(
    table: Safe,
    *,
    where: Mapping[str, str] | None = None,
    months: int | None = None,
    allowing: str = "siblings and repeats",
    if_empty: str = "",
) -> str:
    """How many of the plans that started were a second or subsequent one, with both intervals.

    Parameters
    ----------
    table
        Of shape ``proportion``, as `repeat_plan_rate` gives it.
    where
        Group values of the row, as for `say_proportion`.
    months
        Within how many months of the end of the plan before; None for whenever.
    allowing
        What the clustered interval allows for; without known families only for children who count several times.
    if_empty
        What to say where the table has no such row, as a year that may not be told.

    Raises
    ------
    ParameterError
        When no row, or more than one, has those group values, and nothing is to be said where there is none.

    Notes
    -----
    The interval that allows for siblings and repeats is left out where it reads like the other one.

    Examples
    --------
    >>> from safeguarding_analytics.safe import already_public
    >>> row = {"time_period": "2008", "numerator": 177, "denominator": 920, "proportion": 177 / 920}
    >>> table = already_public(pl.DataFrame([row | {"lower": 0.168, "upper": 0.219, "mark": ""}]), "a report")
    >>> say_repeat_plans(table, where={"time_period": "2008"}).partition(": ")[2]
    '19.2% (95% interval 16.8% to 21.9%).'
    """
    if if_empty and _has_no_row(table, where):
        return if_empty
    have = "were a second or subsequent plan"
    if months is not None:
        have = f"came within {numbered(months, 'month')} of the end of the child's plan before"
    said = say_proportion(table, of="plans that started with a known history", have=have, where=where)
    row = row_of(table, where)
    size = row["denominator"]
    ends = [row["lower"], row["upper"], row.get("lower_clustered"), row.get("upper_clustered")]
    if row["mark"] or any(end is None for end in ends):
        return said
    plain_lower, plain_upper, lower, upper = (percent(end, size) for end in ends)
    if (plain_lower, plain_upper) == (lower, upper):
        return f"{said.removesuffix(').')}, no wider when allowing for {allowing})."
    return f"{said.removesuffix(').')}; {lower} to {upper} allowing for {allowing})."


def say_apart(table: Safe, *, group: str, groups: str) -> str:
    """From where to where the shares of some groups run, and which of them lie apart from the share of all.

    Parameters
    ----------
    table
        Of shape ``proportion`` with a column of that group and a row of the total, as `repeat_plan_rate` gives it.
    group
        The column.
    groups
        What its values are, such as ``"districts"``.

    Returns
    -------
    str
        Empty where the table has no rows.

    Notes
    -----
    A group lies apart where its whole interval, the wider one as it is drawn, lies above or below the share of all.
    The groups are parts of all, and one in twenty such intervals misses by chance: this says where to look, and tests
    nothing.

    Examples
    --------
    >>> from safeguarding_analytics.safe import already_public
    >>> ages = {"age_band": ["Under 1", "5 to 9", "Total"], "numerator": [0, 90, 150], "denominator": [62, 330, 900]}
    >>> shares = {"proportion": [0.0, 0.273, 0.167], "lower": [0.0, 0.227, 0.144], "upper": [0.058, 0.322, 0.192]}
    >>> table = already_public(pl.DataFrame(ages | shares).with_columns(mark=pl.lit("")), "an example")
    >>> say_apart(table, group="age_band", groups="ages").partition(". ")[0]
    'Among the 2 ages whose figures can be shown, the share runs from 0% (Under 1) to 27.3% (5 to 9)'
    """
    frame = with_wider_interval(table.frame())
    if frame.is_empty():
        return ""
    is_total = pl.col(group).cast(pl.String) == TOTAL
    shown = frame.filter(~is_total, pl.col("proportion").is_not_null()).sort("proportion", group)
    if shown.height < 2:
        return f"Too few {groups} have a figure that can be shown to compare them."
    low, high = (
        f"{percent(row['proportion'], row['denominator'])} ({row[group]})"
        for row in (shown.row(0, named=True), shown.row(-1, named=True))
    )
    said = f"Among the {shown.height:,} {groups} whose figures can be shown, the share runs from {low} to {high}."
    of_all = frame.filter(is_total, pl.col("proportion").is_not_null())
    if of_all.is_empty():
        return said
    level = of_all["proportion"][0]
    share = f"the share of all ({percent(level, of_all['denominator'][0])})"
    sides = {"above": shown.filter(pl.col("lower") > level), "below": shown.filter(pl.col("upper") < level)}
    apart = [
        f"Wholly {side} {share} {'lies the interval' if rows.height == 1 else 'lie the intervals'} of "
        f"{shorten(rows[group].cast(pl.String).to_list())}."
        for side, rows in sides.items()
        if rows.height
    ]
    if not apart:
        return f"{said} All intervals reach {share}: none lies clearly apart."
    return f"{said} {' '.join(apart)} One interval in twenty does so by chance."


def say_control_chart(table: Safe) -> str:
    """In how many months a count varied as it ordinarily does, and which months stand out.

    Parameters
    ----------
    table
        Of shape ``control_chart``, a row per month.

    Returns
    -------
    str
        Empty where the table has no rows.

    Examples
    --------
    >>> from safeguarding_analytics.safe import already_public
    >>> ends = {"mean": 70.0, "lower": 50.0, "upper": 90.0, "near_lower": 57.0, "near_upper": 83.0}
    >>> may = {"month": "2011-05", "value": 95, "direction": "high", "rule": "beyond a limit"}
    >>> rows = pl.DataFrame([month | ends | {"mark": ""} for month in ({"month": "2011-04", "value": 71}, may)])
    >>> say_control_chart(already_public(rows, "an example")).partition(". ")[2]
    'It stands out as high in May 2011 (beyond a limit).'
    """
    frame = table.frame().sort("month")
    if frame.is_empty():
        return ""
    ordinary = frame["direction"].null_count()
    if ordinary == frame.height:
        return f"In all {numbered(frame.height, 'month')} the number lies within its ordinary variation."
    runs = frame.with_columns(run=pl.struct("direction", "rule").rle_id()).drop_nulls("direction")
    ends = runs.group_by("run", maintain_order=True).agg(
        pl.col("direction", "rule", "month").first(), pl.col("month").last().alias("last")
    )
    parts = []
    for direction in ends["direction"].unique(maintain_order=True):
        spans = [
            f"{month_in_words(first)}{'' if first == last else f' to {month_in_words(last)}'} ({rule})"
            for rule, first, last in ends.filter(direction=direction).select("rule", "month", "last").iter_rows()
        ]
        parts.append(f"as {direction} in {shorten(spans)}")
    return (
        f"In {ordinary:,} of {numbered(frame.height, 'month')} the number lies within its ordinary variation. "
        f"It stands out {'; '.join(parts)}."
    )


def say_long_plans(table: Safe, *, time_period: str) -> str:
    """How many plans lasted two years or longer, of those open at the end of a year and of those that ended in it.

    Parameters
    ----------
    table
        Of shape ``proportion`` with the groups time_period and measure, as `long_plans` gives it.
    time_period
        The year.

    Returns
    -------
    str
        Empty where the table has no rows of that year.

    Examples
    --------
    >>> from safeguarding_analytics.safe import already_public
    >>> row = {"time_period": "2008", "measure": "open at 31 March", "numerator": 43, "denominator": 971}
    >>> row |= {"proportion": 43 / 971, "lower": 0.033, "upper": 0.059, "mark": ""}
    >>> table = already_public(pl.DataFrame([row]), "an example")
    >>> say_long_plans(table, time_period="2008").partition(": ")[0]
    '43 of 971 plans open at 31 March 2008 had lasted two years or longer'
    """
    year = f"31 March {time_period}"
    of = {"open at 31 March": f"plans open at {year}", "ended in the year": f"plans that ended in the year to {year}"}
    rows = {words: {"time_period": time_period, "measure": measure} for measure, words in of.items()}
    return " ".join(
        say_proportion(table, of=words, have="had lasted two years or longer", where=row)
        for words, row in rows.items()
        if not _has_no_row(table, row)
    )


def say_year_on_year(table: Safe, compared: pl.DataFrame, *, time_period: str) -> str:
    """How far a year's share lies from that of the year before, and whether that is clear.

    Parameters
    ----------
    table
        The safe table of shape ``proportion`` by year that was compared.
    compared
        As `compare_years` gives it of ``table.frame()``.
    time_period
        The year, such as ``"2008"``; nothing is said where it was not compared.

    Raises
    ------
    ParameterError
        When the table has other groups than years, or a year was compared that it hides or shows otherwise.

    Examples
    --------
    >>> from safeguarding_analytics.contrasts import compare_years
    >>> from safeguarding_analytics.safe import already_public
    >>> counts = {"time_period": ["2007", "2008"], "numerator": [300, 200], "denominator": [1000, 1000]}
    >>> ends = {"proportion": [0.3, 0.2], "lower": [0.272, 0.176], "upper": [0.329, 0.226], "mark": ["", ""]}
    >>> table = already_public(pl.DataFrame(counts | ends), "an example")
    >>> said = say_year_on_year(table, compare_years(table.frame()), time_period="2008")
    >>> said.partition(" (")[0]
    'In the year to 31 March 2008 it is 10.0 points lower than in the year to 31 March 2007'
    """
    frame = table.frame()
    groups = table.shape.group_columns(frame.columns)
    if groups != ["time_period"]:
        raise ParameterError(f"table: years are compared in a table by time_period alone. Found: {shorten(groups)}.")
    shown = dict(frame.filter(pl.col("proportion").is_not_null()).select("time_period", "proportion").iter_rows())
    both = (("time_period", "proportion"), ("year_before", "before"))
    pairs = [pair for year, share in both for pair in compared.select(year, share).iter_rows()]
    if any(year not in shown or abs(shown[year] - share) > _NEARLY for year, share in pairs):
        raise ParameterError(
            "compared: a year stands in it that the table hides or shows otherwise. Compare what table.frame() shows."
        )
    rows = compared.filter(pl.col("time_period") == time_period)
    if rows.is_empty():
        return ""
    row = rows.row(0, named=True)
    ends = f"95% interval of the change {_points(row['lower'])} to {_points(row['upper'])} points"
    change = f"{_size(row['difference'])} the year to 31 March {row['year_before']} ({ends})"
    if row["verdict"] == "could be either":
        said = f"In the year to 31 March {time_period} it is {change}"
        return f"{said}: chance alone could make it, so it is neither a clear fall nor a clear rise."
    kind = "fall" if row["verdict"] == "clearly lower" else "rise"
    return (
        f"In the year to 31 March {time_period} it is {change}: a clear {kind}, whose reasons the numbers do not show."
    )


def _points(difference: float) -> str:
    """Percentage points with their sign, which nothing has that reads as 0."""
    size = f"{rounded(abs(difference) * 100, 1)}"
    return size if size == "0.0" else f"{'−' if difference < 0 else '+'}{size}"


def _size(difference: float) -> str:
    """How much lower or higher, up to the name of the year before."""
    size = f"{rounded(abs(difference) * 100, 1)}"
    if abs(difference) < _NEARLY:
        return "the same share as in"
    points = "less than 0.1 points" if size == "0.0" else f"{size} points"
    return f"{points} {'lower' if difference < 0 else 'higher'} than in"


def say_next_plans(table: Safe, *, months: Sequence[int] = (12, 24), if_empty: str = "") -> str:
    """How many of those whose protection ended had another plan within so many months.

    Parameters
    ----------
    table
        Of shape ``estimate`` with the groups event and months, as numbers or text, as `time_to_next_plan` gives it.
    months
        The times to say, at least one; those that the table does not show are said not to be told.
    if_empty
        What to say of a table without rows.

    Notes
    -----
    The shares are estimates: not everybody was followed so long, and those who were not are taken to be like the
    others.

    Examples
    --------
    >>> from safeguarding_analytics.safe import already_public
    >>> event = {"event": [NEXT_PLAN] * 2, "months": [0, 12], "n": [900, 610], "estimate": [0.0, 0.123]}
    >>> ends = {"lower": [None, 0.102], "upper": [None, 0.148], "mark": ["", ""]}
    >>> print(say_next_plans(already_public(pl.DataFrame(event | ends), "an example"), months=[12]))
    Of 900 ends of protection, the estimated share followed by a second or subsequent plan is 12.3% within 12 months \
(95% interval 10.2% to 14.8%; 610 still followed).
    """
    frame = table.frame().with_columns(pl.col("months").cast(pl.Int64))
    if frame.is_empty():
        return if_empty
    start = frame.filter(pl.col("months") == 0, pl.col("n").is_not_null())
    size = int(start["n"][0]) if start.height else None
    told = [_by(frame, NEXT_PLAN, month, size) for month in months]
    times = [numbered(month, "month") for month, said in zip(months, told, strict=True) if not said]
    if not any(told):
        return f"Another plan within {in_words(times)}: the share cannot be told, as the numbers are too small."
    left = [said for month in months if (said := _by(frame, LEFT, month, size))]
    others = f" Of the same, the share who had died or moved away is {in_words(left)}." if left else ""
    gap = f" Within {in_words(times)} it cannot be told, as the numbers are too small." if times else ""
    counted = "the ends of protection" if size is None else f"{size:,} ends of protection"
    shares = "; ".join(said for said in told if said)
    return f"Of {counted}, the estimated share followed by a second or subsequent plan is {shares}.{gap}{others}"


def _by(frame: pl.DataFrame, event: str, months: int, size: int | None) -> str:
    """One share and its time, of next plans with the interval; empty where it is not told."""
    rows = frame.filter(pl.col("event") == event, pl.col("months") == months, pl.col("estimate").is_not_null())
    if rows.is_empty():
        return ""
    row = rows.row(0, named=True)
    share = f"{percent(row['estimate'], size)} within {numbered(months, 'month')}"
    if event != NEXT_PLAN:
        return share
    ends = [] if row["lower"] is None or row["upper"] is None else [row["lower"], row["upper"]]
    beside = [f"95% interval {' to '.join(percent(end, size) for end in ends)}"] if ends else []
    beside += [] if row["n"] is None else [f"{row['n']:,} still followed"]
    return f"{share} ({'; '.join(beside)})" if beside else share


def say_register(table: Safe, *, time_period: str) -> str:
    """Whether the register adds up: those open before, plus started, less ended, is those open after.

    Parameters
    ----------
    table
        Of shape ``rate`` with the groups time_period and flow ("started", "ended", "open at the end").
    time_period
        The year, such as ``"2008"``; nothing is said where the table lacks one of its four counts.

    Notes
    -----
    A gap has ordinary causes as well as slips: late recording, moves between authorities, counts taken on other days.
    Under a policy that rounds, the counts are said to be rounded and a gap that this alone may make is no finding.

    Examples
    --------
    >>> from safeguarding_analytics.safe import already_public
    >>> rows = [("2007", "open at the end", 864), ("2008", "started", 920), ("2008", "ended", 813)]
    >>> columns = ["time_period", "flow", "count"]
    >>> counts = pl.DataFrame([*rows, ("2008", "open at the end", 960)], schema=columns, orient="row")
    >>> rates = counts.with_columns(population=None, rate=None, lower=None, upper=None, mark=pl.lit(""))
    >>> print(say_register(already_public(rates, "Kent Safeguarding Children Board"), time_period="2008"))
    864 plans open at the end of 31 March 2007 + 920 started − 813 ended = 971, but 960 were open on 31 March 2008: \
11 fewer.
    """
    counts = _flows(table.frame(), time_period)
    if len(counts) < len(_FLOWS):
        return ""
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        return "Whether starts and ends account for the register cannot be shown: one of the counts is hidden."
    before, started, ended, after = known
    total = before + started - ended
    year_before = f"{before:,} plans open at the end of 31 March {int(time_period) - 1}"
    flows = f"{year_before} + {started:,} started − {ended:,} ended = {total:,}"
    gap, rounded = abs(after - total), bool(table.policy and table.policy.round)
    if gap == 0:
        ending = " as far as rounded counts can show" if rounded else ""
        return f"{flows}, which is the number open on 31 March {time_period}: the register adds up{ending}."
    counted = f"{flows}, but {after:,} were open on 31 March {time_period}"
    if gap <= _rounding(table):
        return f"{counted}, which rounding alone may do."
    return f"{counted}: {gap:,} {'more' if after > total else 'fewer'}."


_FLOWS = ((1, OPEN_AT_END), (0, "started"), (0, "ended"), (0, OPEN_AT_END))
"""What a year's register is made of: years back, and kind of count."""


def _flows(frame: pl.DataFrame, time_period: str) -> list[int | None]:
    """Those counts that the table has a row of, null where one is hidden; none for what is no year."""
    if not time_period.isdecimal():
        return []
    found = {(row["time_period"], row["flow"]): row["count"] for row in frame.iter_rows(named=True)}
    keys = [(str(int(time_period) - back), flow) for back, flow in _FLOWS]
    return [found[key] for key in keys if key in found]


def _rounding(table: Safe) -> int:
    """The largest gap that rounding may make of four counts that add up."""
    policy = table.policy
    if policy is None or policy.round is None:
        return 0
    return len(_FLOWS) * (2 * policy.round - 1 if policy.controlled else policy.round // 2)


def say_beside(table: Safe) -> str:
    """An authority and what it is compared with, in the latest year published.

    Parameters
    ----------
    table
        Of shape ``proportion`` or ``rate`` with the groups time_period and area, as `comparator_rates` gives it.

    Returns
    -------
    str
        One sentence without a judgement; empty where the table has no figure.

    Examples
    --------
    >>> from safeguarding_analytics.safe import already_public
    >>> areas = {"time_period": ["2025"] * 2, "area": ["Kent", "England"], "numerator": [310, None]}
    >>> shares = {"denominator": [1274, None], "proportion": [310 / 1274, 0.245], "mark": ["", ""]}
    >>> say_beside(already_public(pl.DataFrame(areas | shares), "an example"))
    'Year to 31 March 2025: Kent 24.3%, England 24.5%.'
    """
    value = "rate" if table.shape.name == "rate" else "proportion"
    known = table.frame().filter(pl.col(value).is_not_null())
    if known.is_empty():
        return ""
    latest = known.filter(pl.col("time_period") == pl.col("time_period").max())
    said = [
        f"{area} {percent(number) if value == 'proportion' else f'{rounded(number, 1):,}'}"
        for area, number in latest.select("area", value).iter_rows()
    ]
    return f"Year to 31 March {latest['time_period'][0]}: {', '.join(said)}."


def say_known_history(rates: Safe, years: Safe, *, time_period: str) -> str:
    """How many of the plans that started are in neither number of the share, as their history is not recorded.

    Parameters
    ----------
    rates
        Of shape ``rate`` with the groups time_period and flow, as for `say_register`.
    years
        Of shape ``proportion`` by ``time_period``: second or subsequent plans.
    time_period
        The year, such as ``"2008"``.

    Returns
    -------
    str
        A sentence; empty where every plan is counted, or one of the two numbers is not shown.

    Examples
    --------
    >>> from safeguarding_analytics.safe import already_public
    >>> flow = {"time_period": ["2008"], "flow": ["started"], "count": [920], "population": [None], "rate": [None]}
    >>> share = {"time_period": ["2008"], "numerator": [177], "denominator": [900], "proportion": [177 / 900]}
    >>> tables = [already_public(pl.DataFrame(each | {"mark": [""]}), "an example") for each in (flow, share)]
    >>> say_known_history(*tables, time_period="2008")
    'Of 920 plans started in the year to 31 March 2008, 900 have a known history; the others are in neither number.'
    """
    of_year = pl.col("time_period") == time_period
    started = rates.frame().filter(of_year, pl.col("flow") == "started")["count"].drop_nulls().to_list()
    known = years.frame().filter(of_year)["denominator"].drop_nulls().to_list()
    if not started or not known or started == known:
        return ""
    return (
        f"Of {started[0]:,} plans started in the year to 31 March {time_period}, {known[0]:,} have a known history; "
        "the others are in neither number."
    )


def say_rate(table: Safe, *, of: str, where: Mapping[str, str] | None = None, if_empty: str = "") -> str:
    """One row of a table of rates in words: the count, the rate and its interval.

    Parameters
    ----------
    table
        Of shape ``rate``.
    of
        What is counted, such as ``"plans open on 31 March 2008"``.
    where
        Group values of the row, as for `say_proportion`.
    if_empty
        What to say where the table has no such row.

    Raises
    ------
    ParameterError
        When no row, or more than one, has those group values, and nothing is to be said where there is none.

    Examples
    --------
    >>> from safeguarding_analytics.safe import already_public
    >>> row = {"time_period": "2008", "count": 960, "population": 309_677, "rate": 31.0}
    >>> table = already_public(pl.DataFrame([row | {"lower": 29.07, "upper": 33.02, "mark": ""}]), "a report")
    >>> say_rate(table, of="plans open on 31 March 2008")
    '960 plans open on 31 March 2008: 31.0 per 10,000 children (95% interval 29.1 to 33.0), of 309,677 children.'
    """
    if if_empty and _has_no_row(table, where):
        return if_empty
    row = row_of(table, where)
    if row["mark"] or (row["count"] is None and row["rate"] is None):
        return HIDDEN
    counted = of[:1].upper() + of[1:] if row["count"] is None else f"{row['count']:,} {of}"
    if row["rate"] is None:
        return f"{counted}; without the number of children at the mid-year before there is no rate."
    known = row["lower"] is not None and row["upper"] is not None
    ends = f" (95% interval {rounded(row['lower'], 1)} to {rounded(row['upper'], 1)})" if known else ""
    children = "" if row["population"] is None else f", of {row['population']:,} children"
    return f"{counted}: {rounded(row['rate'], 1)} per 10,000 children{ends}{children}."


def say_categories(table: Safe, *, time_period: str) -> str:
    """Which categories of abuse the open plans are for, most frequent first, of those that can be shown.

    Parameters
    ----------
    table
        Of shape ``count`` with the groups time_period and category, and flow of which one is that of open plans.
    time_period
        The year, or other period of the table, whose last day is meant.

    Raises
    ------
    ParameterError
        The table has no total of that period.

    Examples
    --------
    >>> from safeguarding_analytics.safe import already_public
    >>> counts = {"category": ["EMO", "NEG", "Total"], "count": [40, 80, 120], "mark": ["", "", ""]}
    >>> table = already_public(pl.DataFrame({"time_period": ["2008"] * 3, **counts}), "an example")
    >>> say_categories(table, time_period="2008")
    'Of 120 plans open on 31 March 2008: neglect 80 (66.7%), emotional abuse 40 (33.3%).'
    """
    stock = {"time_period": time_period, "flow": OPEN_AT_END}
    total = row_of(table, stock)["count"]
    if total is None:
        return HIDDEN
    day = f"on 31 March {time_period}" if time_period.isdecimal() else f"on the last day of {time_period}"
    if total == 0:
        return f"No plan was open {day}."
    category = pl.col("category").cast(pl.String)
    frame = table.frame()
    rows = frame.filter(*(pl.col(name) == value for name, value in stock.items() if name in frame.columns))
    rows = rows.filter(category != TOTAL)
    shown = rows.filter(pl.col("count") > 0).sort("count", "category", descending=[True, False])
    parts = [
        f"{_in_a_sentence(CATEGORY_WORDS.get(name, name))} {count:,} ({percent(count / total, total)})"
        for name, count in shown.select(category, "count").iter_rows()
    ]
    hidden = rows["count"].null_count()
    others = "How many were for other categories is hidden, as that would tell of small numbers." if hidden else ""
    if not parts:
        return f"{total:,} plans were open {day}. {others}".rstrip()
    return f"Of {total:,} plans open {day}: {shorten(parts, most=len(parts))}. {others}".rstrip()


def _has_no_row(table: Safe, where: Mapping[str, str] | None) -> bool:
    """Whether a table has no row of some groups."""
    frame = table.frame()
    wanted = [pl.col(name).cast(pl.String) == value for name, value in (where or {}).items() if name in frame.columns]
    return frame.filter(*wanted).is_empty() if wanted else frame.is_empty()


def _in_a_sentence(word: str) -> str:
    """A word as it is written within a sentence."""
    return word[:1].lower() + word[1:]
