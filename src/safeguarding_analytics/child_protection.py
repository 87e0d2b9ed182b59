"""Child protection plans: how many are a child's second or later."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import Any, Literal, TypeAlias

import narwhals as nw
import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.dates import age_band, month, quarter, reporting_year
from safeguarding_analytics.errors import ParameterError, TableError, nearest
from safeguarding_analytics.groups import divide, fetch, group_columns, open_frame, with_totals
from safeguarding_analytics.intervals import normal_quantile, wilson
from safeguarding_analytics.shapes import PROPORTION
from safeguarding_analytics.tables import PLACEHOLDERS, TOTAL

Frame: TypeAlias = nw.LazyFrame[Any]

TIME_PERIOD = "time_period"
COMPUTED = (TIME_PERIOD, "quarter", "month", "age_band")
"""Group columns that are worked out from the dates of a plan."""
PEOPLE = ("child", "family")
"""What plans may be clustered by."""
MOST_PLANS = 100
"""Of one child: more are those of many children who share an identifier."""
OPEN = date(9999, 12, 31)
"""Stands for the end of a plan that is still open, so that it is the latest of all ends."""
START, PREVIOUS = nw.col("start_date"), nw.col("previous_plans")

END, EARLIER, LATEST_END, PLANS, ALONE = "_end", "_earlier_plans", "_latest_end", "_plans", "_alone"
BROKEN, IN_PERIOD, COUNTABLE, RECORDED = "_broken", "_in_period", "_countable", "_recorded"
REPEAT, LOST, MARGIN, CLUSTERS, OF_SEVERAL = "_repeat", "_lost", "_margin", "_clusters", "_of_several"
REPEAT_SQUARED, REPEAT_BY_PLANS, PLANS_SQUARED = "_repeat_squared", "_repeat_by_plans", "_plans_squared"
ALONE_REPEATS, ALONE_PLANS = "_alone_repeats", "_alone_plans"
"""Columns of our own beside those of the caller."""

FEWEST_CLUSTERS = 10
"""Children or families below which there is no clustered interval: it would tell how many they are."""

ROUNDING = 1e-9
"""So far from a thousandth an end may be for the arithmetic of a computer."""


@dataclass(frozen=True)
class _Question:
    """What is asked of the plans: checked parameters."""

    groups: list[str]
    keys: list[str]
    within_months: int | None
    cluster: str | None
    totals: bool
    complete_from: date | None
    complete_to: date | None

    @property
    def needs_all_earlier_plans(self) -> bool:
        """Whether a plan can be judged only where the table holds as many earlier plans as its record says."""
        return self.within_months is not None and self.complete_from is None

    @property
    def cluster_keys(self) -> list[str]:
        """Columns that make two plans those of one cluster."""
        if self.cluster == "family":
            return [*(name for name in self.keys if name != "child"), "family", ALONE]
        return self.keys if self.cluster else []

    def in_period(self) -> nw.Expr:
        """Whether a plan starts on a day for which the table can tell whether it is a repeat."""
        start = START
        within = ~start.is_null()
        if self.complete_from is not None:
            within = within & (start >= nw.lit(_months_after(self.complete_from, self.within_months or 0)))
        if self.complete_to is not None:
            within = within & (start <= nw.lit(self.complete_to))
        return within


def repeat_plan_rate(
    plans: IntoFrame,
    by: str | Sequence[str] = ("time_period",),
    within_months: int | None = None,
    *,
    cluster: str | None = "child",
    confidence: float = 0.95,
    totals: bool = False,
    complete_from: date | None = None,
    complete_to: date | None = None,
) -> pl.DataFrame:
    """Share of the plans that started which are a second or subsequent plan of their child.

    Parameters
    ----------
    plans
        One row per plan: ``plan``, ``child``, ``start_date``, ``previous_plans`` (earlier plans of the child, as
        recorded at the start), and ``end_date`` (null while the plan is open) where `within_months` is given. With a
        column ``authority``, an earlier plan counts only in the authority of the later one.
    by
        Group columns: columns of `plans` such as ``category`` or ``district``, or what is worked out of the day the
        plan started: ``time_period`` (reporting year), ``quarter``, ``month``, and ``age_band`` (of the child on that
        day, which needs ``birth_date``; in `AGE_BANDS`). A column of `plans` that is called like one of these four is
        not used. None of them for one row overall.
    within_months
        None counts a repeat however long ago the earlier plan was. A number k of months counts it only when an earlier
        plan of the child ended within k months before the start, or had not ended by then.
    cluster
        Whose plans belong together in the clustered interval: ``"child"``, or ``"family"`` (column ``family``; where it
        is null, the child stands alone). None leaves that interval out.
    confidence
        Of both intervals, between 0 and 1.
    totals
        Whether to add rows "Total" for every group column.
    complete_from
        Day from which the table is complete: every plan that was open on it, or started later, is there. Earlier plans
        are history and not counted; with `within_months`, nor are those of the first k months, since what came before
        them is not known. None takes all plans for counted, and asks for more with `within_months` (see Raises).
    complete_to
        Last day for which the table is complete, such as that of the extract. Plans that start later are not counted.

    Returns
    -------
    pl.DataFrame
        One row per group in which a plan started, sorted by the group columns. Not suppressed.

        - ``numerator``: second or subsequent plans; ``denominator``: plans that can be counted
        - ``proportion``: numerator ÷ denominator, 0 to 1; null where the denominator is 0
        - ``lower``, ``upper``: its interval, 0 to 1; null where the denominator is 0
        - ``lower_clustered``, ``upper_clustered``: the interval that allows for children or families who count several
          times, 0 to 1, rounded outwards to 0.001 (to 0.01 where there are fewer than 100 plans); null with fewer than
          ten of them

    Raises
    ------
    TableError
        A column is missing or holds no dates, a plan stands twice, a plan has no identifier, child or start (or
        authority, where there is such a column), an identifier is a placeholder, or a child has more than 100 plans.
    ParameterError
        A group column is unknown; `within_months` is below 1; or it is given without the history that it needs: there
        is no ``end_date``, or, without `complete_from`, fewer earlier plans of a child stand in the table than
        ``previous_plans`` says.

    Notes
    -----
    The Department's definition (no `within_months`) counts plans, not children: a child with two plans in a year
    counts twice. A plan is second or subsequent when ``previous_plans`` is above 0 or an earlier plan of the child (by
    start, then identifier) of the same authority stands in the table. A plan with unknown ``previous_plans`` is in
    neither count: unknown is not 0. Of one district alone, pass plans whose ``previous_plans`` count those in other
    districts too, as a board's own tables do (`areas.with_history`).

    `within_months` needs the history of each child, since a count of earlier plans says nothing about when they
    ended; the two definitions must not be mixed in one series. Months are calendar months, a day that the month lacks
    becomes its last: 6 months before 31 August is 28 or 29 February. An earlier plan that ended on that very day
    counts. From `complete_from` on the answer is known for a plan that starts k months later or more: whatever ended
    within k months before its start was open on `complete_from` or later, so it is in the table. The first and the last
    group of a series may hold a part of their plans only, where the table is not complete for all of them.

    ``lower`` and ``upper`` take plans as independent. Siblings start plans together, and one child may have several.
    ``lower_clustered`` and ``upper_clustered`` allow for that. Of K clusters c with x_c repeats among n_c plans, the
    variance of p = x/n is V = K/(K−1) · Σ(x_c − p·n_c)²/n², the linearised variance of a ratio. The effective number of
    plans is m = p(1−p)/V, at most n, and the interval is Wilson's with m in place of n and the quantile t of Student's
    distribution with K−1 degrees of freedom in place of z: (p + t²/2m ∓ t·√(p(1−p)/m + t²/4m²)) ÷ (1 + t²/m). So it is
    never narrower than the plain one. Where p is 0 or 1 no variance can be seen, and m = K, as if the plans of one
    cluster always shared their answer. The ends are rounded outwards, and there are none with few clusters, so that
    they do not tell how many children or families a group has, or how often they count. A "Total" has its own clusters:
    a child in two groups is one child in their total.

    A high share is not simply bad: it may show that risk is noticed again, a low one that plans run long. The
    definition knows only an authority's own plans. Without a column ``authority``, give those of one: a child who moved
    would count as a repeat, and pseudonyms of two authorities may clash.

    References
    ----------
    DfE, Children in need statistics, table D3; formerly national indicator 65. The clustered interval: Korn & Graubard
    1998, Survey Methodology 24:193 (effective size, degrees of freedom); Franco, Little, Louis & Slud 2019, Journal of
    Survey Statistics and Methodology 7:334 (Wilson at the effective size); Parker et al. 2017, Vital and Health
    Statistics 2(175) (at most n).

    Examples
    --------
    Of four plans that started in the year to 31 March 2008, one is a second plan, and one cannot be counted.

    >>> from datetime import date
    >>> plans = pl.DataFrame(
    ...     {
    ...         "plan": ["p1", "p2", "p3", "p4"],
    ...         "child": ["a", "a", "b", "c"],
    ...         "start_date": [date(2007, 4, 2), date(2008, 3, 3), date(2007, 6, 1), date(2007, 7, 1)],
    ...         "previous_plans": [0, 1, 0, None],
    ...     }
    ... )
    >>> repeat_plan_rate(plans).select("time_period", "numerator", "denominator").row(0)
    ('2008', 1, 3)
    """
    if within_months is not None and within_months < 1:
        raise ParameterError(f"within_months must be 1 or more, or None for ever. Found: {within_months}.")
    if cluster not in (None, *PEOPLE):
        raise ParameterError(f'cluster must be "child", "family" or None. Found: "{cluster}".')
    if complete_from is not None and complete_to is not None and complete_from > complete_to:
        raise ParameterError(f"complete_from, {complete_from}, is later than complete_to, {complete_to}.")
    table = open_frame(plans, ["plan", "child", "start_date", "previous_plans"], "plans")
    names = table.collect_schema().names()
    known = [*names, *(name for name in COMPUTED if name not in names)]
    groups = group_columns(by, known, "plans", list(PROPORTION.columns))
    keys = ["child", *({"authority"} & set(names))]
    question = _Question(groups, keys, within_months, cluster, totals, complete_from, complete_to)
    _check_columns(table, question)
    rows = _prepared(table, question)
    counts = _by_group(table, rows, question)
    linked = _linked(rows, question)
    found = _counted(counts, linked.filter(pl.col(MARGIN) == 0), question)
    if totals:
        found = with_totals(found, groups)
        linked = _named(linked, groups)
    numerator, denominator = pl.col("numerator"), pl.col("denominator")
    shares = found.with_columns(
        divide(numerator, denominator).alias("proportion"), *wilson(numerator, denominator, confidence)
    )
    if cluster is not None:
        shares = _with_clustered_ends(shares, linked, groups, confidence)
    shares = shares.select(*groups, *(name for name in PROPORTION.columns if name in shares.columns))
    return shares.sort(groups) if groups else shares


def _check_columns(table: Frame, question: _Question) -> None:
    """Make sure that what the question needs is there, and is what it must be."""
    schema = table.collect_schema()
    if question.within_months is not None and "end_date" not in schema:
        raise ParameterError(
            "within_months: plans has no column end_date, and how many plans a child had before does not say how long "
            "ago they ended. Give the ends of the plans, or leave within_months out."
            f"{nearest('end_date', list(schema))}"
        )
    if "age_band" in question.groups and "birth_date" not in schema:
        raise ParameterError('by: "age_band" is worked out of birth_date, which is no column of plans. Add it.')
    if question.cluster == "family" and "family" not in schema:
        raise ParameterError('cluster: "family" needs the column family, which plans lacks. Add it, or take "child".')
    used = {"start_date": True, "end_date": question.within_months is not None}
    for name, is_used in (used | {"birth_date": "age_band" in question.groups}).items():
        if is_used and schema[name] not in (nw.Date, nw.Datetime):
            raise TableError(f"plans: {name} must hold dates. Found: {schema[name]}. Parse it before.")
    if not schema["previous_plans"].is_integer():
        raise TableError(f"plans: previous_plans must hold whole numbers. Found: {schema['previous_plans']}.")


def _prepared(table: Frame, question: _Question) -> Frame:
    """The columns used: dates as days, an end for every plan, the groups, and what may be counted (1 or 0)."""
    end = nw.lit(OPEN) if question.within_months is None else nw.col("end_date").cast(nw.Date)
    broken = _broken(table, question).values()
    rows = table.with_columns(
        START.cast(nw.Date),
        nw.when(end.is_null()).then(nw.lit(OPEN)).otherwise(end).alias(END),
        nw.any_horizontal(*broken, ignore_nulls=True).cast(nw.Int64).alias(BROKEN),
    )
    if question.cluster == "family":
        rows = rows.with_columns(nw.when(nw.col("family").is_null()).then(nw.col("child")).alias(ALONE))
    ways = {TIME_PERIOD: reporting_year(START), "quarter": quarter(START), "month": month(START)}
    if "age_band" in question.groups:
        ways["age_band"] = age_band(nw.col("birth_date").cast(nw.Date), START)
    in_period = question.in_period()
    rows = rows.with_columns(
        *(way.alias(name) for name, way in ways.items() if name in question.groups),
        in_period.cast(nw.Int64).alias(IN_PERIOD),
        (in_period & ~PREVIOUS.is_null()).cast(nw.Int64).alias(COUNTABLE),
        (in_period & (PREVIOUS > 0)).fill_null(False).cast(nw.Int64).alias(RECORDED),
    )
    ours = (END, BROKEN, IN_PERIOD, COUNTABLE, RECORDED)
    used = [*question.groups, *question.keys, *question.cluster_keys, "plan", "start_date", "previous_plans", *ours]
    return rows.select(*dict.fromkeys(used))


def _broken(table: Frame, question: _Question) -> dict[str, nw.Expr]:
    """What is wrong with rows that would be counted wrongly without a sign, and how such a row is known."""
    empty = {f"no {name}": nw.col(name).is_null() for name in (*question.keys, "plan", "start_date")}
    schema, people = table.collect_schema(), {"child", *question.cluster_keys} & set(PEOPLE)
    words = {
        f'a placeholder such as "unknown" for {name}': nw.col(name).str.to_lowercase().is_in(PLACEHOLDERS)
        for name in sorted(people)
        if schema[name] == nw.String
    }
    return empty | words


def _by_group(table: Frame, rows: Frame, question: _Question) -> pl.DataFrame:
    """Count the plans of every group that may be counted; refuse rows that cannot be, and plans that stand twice."""
    sums = [nw.len().alias(PLANS), nw.col(BROKEN, IN_PERIOD, COUNTABLE, RECORDED).sum()]
    counts = fetch(_per_group(rows, question.groups, sums)).with_columns(
        pl.exclude(question.groups).cast(pl.Int64).fill_null(0)
    )
    size = counts[PLANS].sum()
    if counts[BROKEN].sum():
        wrong = _broken(table, question)
        found = fetch(table.select(*(each.cast(nw.Int64).sum().alias(what) for what, each in wrong.items())))
        said = [f"{count:,} of {size:,} rows have {what}" for what, count in found.row(0, named=True).items() if count]
        raise TableError(f"plans: {'; '.join(said)}. Complete them, or leave these rows out and say so.")
    different = fetch(rows.select(nw.col("plan").n_unique())).item() if size else 0
    if size > different:
        raise TableError(f"plans: {size:,} rows stand for {different:,} different plans. Keep one row per plan.")
    return counts.filter(pl.col(IN_PERIOD) > 0) if question.groups else counts


def _per_group(rows: Frame, groups: Sequence[str], aggregates: Sequence[nw.Expr]) -> Frame:
    return rows.group_by(*groups).agg(*aggregates) if groups else rows.select(*aggregates)


def _with_repeats(rows: Frame, question: _Question) -> Frame:
    """The plans of children who have several (of all, where families are the clusters), and which are repeats.

    By a self-join, which gives the same rows on every engine and needs no ordered window.
    """
    keys = question.keys
    several = rows.group_by(*keys).agg(nw.len().alias(PLANS)).filter(nw.col(PLANS) > 1)
    every: Literal["left", "inner"] = "left" if question.cluster == "family" else "inner"
    linked = _worked_out(rows.drop(BROKEN, IN_PERIOD).join(several, on=keys, how=every))
    joined = linked.filter(nw.col(PLANS) <= MOST_PLANS)
    earlier = joined.select(
        *keys,
        nw.col("plan").alias("_earlier_plan"),
        nw.col("start_date").alias("_earlier_start"),
        nw.col(END).alias(LATEST_END),
    )
    same_day = nw.col("_earlier_start") == START
    in_doubt = (nw.col(COUNTABLE) == 1) & (nw.col(RECORDED) == 0)
    found = (
        joined.filter(in_doubt if question.within_months is None else nw.col(COUNTABLE) == 1)
        .select(*keys, "plan", "start_date")
        .join(earlier, on=keys, how="inner")
        .filter((nw.col("_earlier_start") < START) | (same_day & (nw.col("_earlier_plan") < nw.col("plan"))))
        .group_by("plan")
        .agg(nw.len().alias(EARLIER), nw.col(LATEST_END).max())
    )
    if question.within_months is None:
        is_repeat = (nw.col(RECORDED) == 1) | ~nw.col(EARLIER).is_null()
    else:
        is_repeat = _ended_within(question.within_months).fill_null(False)
    lost = (nw.col(RECORDED) == 1) & (nw.col(EARLIER).fill_null(0) < PREVIOUS)
    return (
        linked.filter(nw.col(COUNTABLE) == 1)
        .join(found, on="plan", how="left")
        .with_columns(is_repeat.cast(nw.Int64).alias(REPEAT), lost.cast(nw.Int64).alias(LOST))
    )


def _worked_out(frame: Frame) -> Frame:
    """On polars, which would work it out for each of its uses, the frame in memory; elsewhere as it is."""
    return frame.collect("polars", engine="streaming").lazy() if frame.implementation.is_polars() else frame


def _linked(rows: Frame, question: _Question) -> pl.DataFrame:
    """Count those plans by group, and what the variance needs of their clusters; with totals, for every margin too."""
    groups = question.groups
    sums = [nw.col(COUNTABLE, RECORDED, REPEAT, LOST).sum(), nw.col(PLANS).max()]
    repeats = _with_repeats(rows, question)
    if question.cluster is None:
        counted = fetch(_per_group(repeats, groups, sums)).with_columns(pl.lit(0, pl.Int64).alias(MARGIN))
        return counted.with_columns(pl.exclude(groups).cast(pl.Int64).fill_null(0))
    own = [name for name in question.cluster_keys if name not in groups]
    clusters = _as_whole(repeats.group_by(*groups, *own).agg(*sums)).with_columns(nw.lit(0).alias(MARGIN))
    if question.totals and groups:
        # A cluster keeps its authority where the authority is what a margin adds up.
        kept = {name: f"_{name}" for name in question.cluster_keys if name in groups}
        clusters = clusters.with_columns(nw.col(name).alias(copy) for name, copy in kept.items())
        margins = nw.concat(
            [
                clusters.with_columns(
                    nw.lit(number).alias(MARGIN),
                    *(nw.when(nw.lit(False)).then(nw.col(name)).alias(name) for name in summed),
                )
                for number, summed in enumerate(_margins(groups))
                if summed
            ]
        )
        merged = _as_whole(margins.group_by(*groups, *own, *kept.values(), MARGIN).agg(*sums))
        clusters = nw.concat([clusters, merged.select(clusters.collect_schema().names())])
    repeat, size = nw.col(REPEAT), nw.col(COUNTABLE)
    moments = clusters.with_columns(
        (repeat * repeat).alias(REPEAT_SQUARED),
        (repeat * size).alias(REPEAT_BY_PLANS),
        (size * size).alias(PLANS_SQUARED),
    )
    sums += [nw.len().alias(CLUSTERS), nw.col(REPEAT_SQUARED, REPEAT_BY_PLANS, PLANS_SQUARED).sum()]
    return fetch(_per_group(moments, [*groups, MARGIN], sums)).with_columns(
        pl.exclude(groups).cast(pl.Int64).fill_null(0)
    )


def _margins(groups: Sequence[str]) -> list[tuple[str, ...]]:
    """The groups that each kind of row adds up: none first, all last."""
    return [summed for size in range(len(groups) + 1) for summed in combinations(groups, size)]


def _as_whole(clusters: Frame) -> Frame:
    """Sums as Int64, whatever the engine makes of them."""
    return clusters.with_columns(nw.col(COUNTABLE, RECORDED, REPEAT, LOST, PLANS).cast(nw.Int64))


def _counted(counts: pl.DataFrame, linked: pl.DataFrame, question: _Question) -> pl.DataFrame:
    """Numerator and denominator by group, and the part of children with one plan: each is a cluster of its own."""
    rows = counts.with_columns(pl.lit(0, pl.Int64).alias(MARGIN)).join(
        linked, on=[*question.groups, MARGIN], how="left", nulls_equal=True, suffix=OF_SEVERAL
    )
    rows = rows.with_columns(pl.exclude(question.groups).cast(pl.Int64).fill_null(0))
    most = rows.select(pl.col(PLANS + OF_SEVERAL).max().fill_null(0)).item()
    if most > MOST_PLANS:
        raise TableError(
            f"plans: one child has {most:,} plans, and no child has more than {MOST_PLANS}. An identifier that stands "
            "for many children, such as a word for unknown, counts them as one. Give each child its own."
        )
    plans, recorded = (pl.col(name) - pl.col(name + OF_SEVERAL) for name in (COUNTABLE, RECORDED))
    if question.needs_all_earlier_plans:
        lost, of = rows.select((recorded + pl.col(LOST)).sum(), pl.col(COUNTABLE).sum().alias(PLANS)).row(0)
        if lost:
            raise ParameterError(
                f"within_months: {lost:,} of {of:,} plans had earlier plans (previous_plans above 0) that are not all "
                "in the table, so it is not known how long ago the last of them ended. Give the earlier plans too, say "
                "in complete_from from which day on the table holds every plan, or leave within_months out."
            )
    repeats = recorded if question.within_months is None else pl.lit(0, pl.Int64)
    return rows.select(
        *question.groups,
        (pl.col(REPEAT) + repeats).alias("numerator"),
        pl.col(COUNTABLE).alias("denominator"),
        repeats.alias(ALONE_REPEATS),
        plans.alias(ALONE_PLANS),
    )


def _named(linked: pl.DataFrame, groups: Sequence[str]) -> pl.DataFrame:
    """Call what a margin adds up "Total"."""
    return pl.concat(
        linked.filter(pl.col(MARGIN) == number)
        .with_columns(pl.col(groups).cast(pl.String))
        .with_columns(pl.lit(TOTAL).alias(name) for name in summed)
        for number, summed in enumerate(_margins(groups))
    )


def _with_clustered_ends(
    shares: pl.DataFrame, linked: pl.DataFrame, groups: Sequence[str], confidence: float
) -> pl.DataFrame:
    """Add the ends of Wilson's interval at the effective number of plans, rounded outwards."""
    from scipy.special import stdtrit

    ours = [CLUSTERS, REPEAT_SQUARED, REPEAT_BY_PLANS, PLANS_SQUARED]
    everywhere = pl.lit(0).alias(MARGIN)  # a column to join by where there are no groups
    rows = (
        shares.with_columns(everywhere)
        .join(linked.select(*groups, everywhere, *ours), on=[*groups, MARGIN], how="left", nulls_equal=True)
        .with_columns(pl.col(ours).fill_null(0))
        .with_columns(pl.col(CLUSTERS) + pl.col(ALONE_PLANS))
    )
    freedom = (rows[CLUSTERS] - 1).clip(1).cast(pl.Float64)
    quantile = pl.lit(pl.Series(stdtrit(freedom.to_numpy(), 0.5 + confidence / 2), dtype=pl.Float64))
    repeats, plans, clusters = (pl.col(name).cast(pl.Float64) for name in ("numerator", "denominator", CLUSTERS))
    share = repeats / plans
    squares = (
        (pl.col(REPEAT_SQUARED) + pl.col(ALONE_REPEATS))
        - 2 * share * (pl.col(REPEAT_BY_PLANS) + pl.col(ALONE_REPEATS))
        + share * share * (pl.col(PLANS_SQUARED) + pl.col(ALONE_PLANS))
    )
    spread = squares * clusters / (clusters - 1)  # n² times the variance of the share
    by_chance = plans * share * (1 - share)  # the same, were plans independent
    effective = (
        pl.when((repeats == 0) | (repeats == plans))
        .then(clusters)
        .when(spread <= by_chance)
        .then(plans)
        .otherwise(plans * by_chance / spread)
    )
    # Student's t in place of z, by a size that is smaller still: only z²/m stands in Wilson's interval.
    size = effective * (normal_quantile(confidence) / quantile) ** 2
    lower, upper = wilson(share * size, size, confidence)
    known = clusters >= FEWEST_CLUSTERS
    steps = pl.when(plans < 100).then(100).otherwise(1000)
    return rows.with_columns(
        pl.when(known).then((lower * steps + ROUNDING).floor() / steps).alias("lower_clustered"),
        pl.when(known).then((upper * steps - ROUNDING).ceil() / steps).alias("upper_clustered"),
    )


def _months_after(day: date, months: int) -> date:
    """The first day that is so many months after a day or later: the same day of the month, or the next month's first.

    Examples
    --------
    >>> _months_after(date(2005, 8, 31), 6), _months_after(date(2005, 4, 1), 24)
    (datetime.date(2006, 3, 1), datetime.date(2007, 4, 1))
    """
    years, month_before = divmod(day.month - 1 + months, 12)
    year, number = day.year + years, month_before + 1
    if day.day <= monthrange(year, number)[1]:
        return date(year, number, day.day)
    return date(year, number + 1, 1)  # December, the last, has a 31st


def _ended_within(months: int) -> nw.Expr:
    """Whether the latest end of an earlier plan is not before the start less some calendar months.

    Compared as month and day of month, because engines do not agree on subtracting months: the day that many months
    back is the start's day of the month, or the month's last where it has no such day.
    """
    end = nw.col(LATEST_END)
    month_back = _month_number(START) - months
    late_enough = (end.dt.day() >= START.dt.day()) | _is_last_of_month(end)
    return (_month_number(end) > month_back) | ((_month_number(end) == month_back) & late_enough)


def _month_number(day: nw.Expr) -> nw.Expr:
    return day.dt.year().cast(nw.Int64) * 12 + day.dt.month().cast(nw.Int64)


def _is_last_of_month(day: nw.Expr) -> nw.Expr:
    year, month, number = day.dt.year(), day.dt.month(), day.dt.day()
    leap_year = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    return (
        (number == 31)
        | ((number == 30) & month.is_in([4, 6, 9, 11]))
        | ((month == 2) & ((number == 29) | ((number == 28) & ~leap_year)))
    )
