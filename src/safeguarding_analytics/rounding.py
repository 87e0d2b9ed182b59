"""Rounding instead of hiding: counts that still add up, and what is worked out anew from them.

Nothing here decides what is rounded: `controlled_rounding` knows numbers and relations, `recomputed` one table.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import polars as pl

from safeguarding_analytics.attacker import NEARLY, Flags, Floats
from safeguarding_analytics.errors import DisclosureError
from safeguarding_analytics.groups import divide, sessions_for
from safeguarding_analytics.intervals import byar, wilson
from safeguarding_analytics.safe import number_columns
from safeguarding_analytics.shapes import Shape
from safeguarding_analytics.tables import TOTAL

Number = TypeVar("Number", float, pl.Expr)

MOST_BRANCHES = 500
"""Branches after which the search for a rounding gives up: fixed, so that a result never depends on the clock."""

GOLDEN = (5**0.5 - 1) / 2
"""Its multiples, less their whole part, never repeat: prices that no two choices share."""

PROVEN_UP_TO = 2_000
"""Numbers up to which the smallest change is proven."""

NEAR_ENOUGH = 2e-3
"""Share of the whole change by which the rounding of a larger table may miss the smallest."""

MOST_MISSED = 19
"""How many people fewer than a rounded count there may be: base 10, one further multiple down."""

SHORTENED = {
    "mean_change": ("mean_pre", "mean_post", "mean_change", "lower", "upper", "shrunken"),
    "estimate": ("estimate", "lower", "upper"),
}
"""Of each shape the means that have fewer decimals the fewer people they are of."""

STANDARDISED = ("g_av", "g_av_lower", "g_av_upper")
"""Means in standard deviations: two decimals. Their unit is printed nowhere, so that no sum of points follows."""

ROOM = 4
"""How many units of the last decimal the sum of a mean must have room for. See `decimals_of_mean`."""


def controlled_rounding(values: Floats, relations: Any, base: int, free: Flags) -> Floats:
    """Numbers rounded to multiples of a base so that everything that added up still does.

    Parameters
    ----------
    values
        True numbers, whole and 0 or more.
    relations
        A sparse matrix (``csr_matrix``), one row per relation and one column per number: its product with the values
        is 0 (a total minus its children).
    base
        5 or 10.
    free
        Which numbers are printed nowhere and only carry an inequality (denominator - numerator - free = 0): they stay
        any number of 0 or more.

    Returns
    -------
    Floats
        In the order of the values: multiples of the base, except for free numbers. The product of the relations with
        them is 0.

    Raises
    ------
    DisclosureError
        When no rounding adds up.

    Notes
    -----
    Every number goes to one of the two multiples next to it, and a multiple stays as it is (zero-restricted rounding),
    so it is off by less than the base. In tables of three dimensions and in linked tables no such rounding need exist:
    then every number may go to one further multiple either way, is off by less than twice the base, and a multiple by
    at most the base. Of all roundings it is the one with the smallest sum of absolute changes; between several of the
    same change the order of the numbers decides, and the order of relations does not. With more than 2,000 numbers it
    is one within 0.2 % of the smallest change; after 500 branches it is the best found so far. The search is limited by
    its steps and not by the clock, so that the same input gives the same result; 8,800 numbers (150 authorities in nine
    regions x 10 x 4, with margins) take half a minute to a minute.

    References
    ----------
    Cox 1987, JASA 82:520; Hundepool et al., Handbook on Statistical Disclosure Control, chapter 5.

    Examples
    --------
    12 and 12 are 24. To the nearest 5 they would be 10, 10 and 25:

    >>> from scipy.sparse import csr_matrix
    >>> found = controlled_rounding(np.array([24.0, 12.0, 12.0]), csr_matrix([[1, -1, -1]]), 5, np.zeros(3, np.bool_))
    >>> found.tolist() in ([25.0, 10.0, 15.0], [25.0, 15.0, 10.0])
    True
    """
    for further in (False, True):
        found = _smallest_change(values, relations, base, free, further)
        if found is not None:
            return found
    raise DisclosureError(
        f"these tables cannot be rounded to multiples of {base} so that their totals still add up. "
        "Publish fewer group columns, or hide small counts instead: Policy.dfe()."
    )


def _smallest_change(values: Floats, relations: Any, base: int, free: Flags, further: bool) -> Floats | None:
    """The rounding with the smallest sum of absolute changes; None where none was found.

    The programme starts from the multiple below each number and decides on steps of one multiple. The step to the
    multiple above changes a number by base - 2 x its rest; a step ``further``, up or down, costs a whole base.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_matrix

    below = np.where(free, 0.0, np.floor(values / base))
    rest = np.where(free, 0.0, values - base * below)
    unbound, between = np.flatnonzero(free), np.flatnonzero(rest)
    ends = np.flatnonzero(~free & further)
    sizes = [len(unbound), len(between), len(ends), len(ends)]
    moved = np.concatenate([unbound, between, ends, ends])
    sign = np.repeat([1.0, 1.0, 1.0, -1.0], sizes)
    whole = np.repeat([0, 1, 1, 1], sizes)
    small = len(values) <= PROVEN_UP_TO
    # Less than half a unit in all, so that it only decides between roundings of the same change. Small tables are
    # solved faster for it, large ones (where the best is not searched to the end) more slowly.
    trace = small * whole * (np.arange(1, len(moved) + 1) * GOLDEN % 1) / (2 * max(len(moved), 1))
    # The last step moves nothing and is always taken: with it the cost is the whole change, of which the solver may
    # miss a share.
    changes = np.concatenate([0 * rest[unbound], base - 2 * rest[between], np.full(2 * len(ends), float(base))])
    costs = np.append(changes + trace, rest.sum())
    least = np.append(np.zeros(len(moved)), 1.0)
    most = np.append(np.repeat([np.inf, 1.0, 1.0, 1.0], sizes), 1.0)
    if further:
        most[len(moved) - len(ends) : len(moved)] = np.minimum(below[ends], 1.0)
    steps = csr_matrix((sign, (moved, np.arange(len(moved)))), shape=(len(values), len(moved) + 1))
    goal = -(relations @ below)
    found = milp(
        costs,
        constraints=LinearConstraint(relations @ steps, goal, goal),
        bounds=Bounds(least, most),
        integrality=np.append(whole, 1),
        # Presolving costs large tables more than it saves.
        options={"node_limit": MOST_BRANCHES, "mip_rel_gap": 0.0 if small else NEAR_ENOUGH, "presolve": small},
    ).x
    if found is None:
        return None
    nearly = np.abs(found - np.rint(found)) < NEARLY
    return np.asarray(base * (below + steps @ np.where(nearly, np.rint(found), found)) + 0.0)


def nearest_multiple(value: Number, base: int) -> Number:
    """The multiple of a base nearest to a number, the upper one where two are equally near.

    Parameters
    ----------
    value
        A number, or an expression; null stays null.
    base
        5 or 10.

    Returns
    -------
    Number
        Of the same kind; fractional (Float64) in type.

    Examples
    --------
    >>> [nearest_multiple(value, 5) for value in (7.0, 8.0)], nearest_multiple(15.0, 10)
    ([5.0, 10.0], 20.0)
    >>> pl.select(nearest_multiple(pl.lit(3), 5)).item()
    5.0
    """
    return (value + base / 2) // base * base


def percentage_decimals(denominator: float, values: int = 5) -> int | None:
    """How many decimals a percentage may have beside its denominator, so that it does not give its numerator back.

    Parameters
    ----------
    denominator
        As published.
    values
        The numerators 1 to this one must all print the same; 2 or more.

    Returns
    -------
    int | None
        1, 0, or None where not even a percentage without decimals is safe.

    Notes
    -----
    The numerators 1 to v print the same, and then as 0, if v / denominator is less than half a unit of the last
    decimal: denominator > 2 v x 100 x 10^decimals. For v = 5 that is more than 1,000 without decimals and more than
    10,000 with one. Every other percentage is then printed by at least v numerators: all units of the last decimal are
    more than 2 v numerators wide, the last one (100 %) half as wide. It holds however halves are rounded. Up to a
    denominator of 1,000 (100 without decimals) one decimal even gives every numerator back.

    Examples
    --------
    >>> [percentage_decimals(denominator) for denominator in (1_000, 1_001, 10_000, 10_001)]
    [None, 0, 0, 1]
    """
    return next((decimals for decimals in (1, 0) if denominator > 2 * values * 10 ** (2 + decimals)), None)


def decimals_of_mean(count: float) -> int:
    """How many decimals a mean may have beside the rounded number of people it is of.

    Parameters
    ----------
    count
        People, rounded to a multiple of 5 or 10.

    Returns
    -------
    int
        0 or more.

    Notes
    -----
    Answers are whole points, so n people have a whole sum: a mean with many decimals is that of few n. Printed to d
    decimals it leaves the sum a window of n / 10^d. One mean needs a window of 1 for every n to have a sum in it. Means
    before and after, their difference and the middle of its interval are tied: in the worst case the two sums must find
    a place in a right triangle whose legs are half a window, and there is one for certain where the legs are 2. So
    n > `ROOM` x 10^d = 4 x 10^d is enough, for the smallest n there may be: the rounded count - `MOST_MISSED`. One
    decimal from 60 people on, two from 420. The standard error of the interval must not be shown: the two give
    the degrees of freedom, which are n - 1 where all were taught together.

    Examples
    --------
    >>> [decimals_of_mean(count) for count in (10, 55, 60, 415, 420)]
    [0, 0, 1, 1, 2]
    """
    decimals = 0
    while ROOM * 10 ** (decimals + 1) < count - MOST_MISSED:
        decimals += 1
    return decimals


def recomputed(frame: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """A table of rounded counts with every other number worked out anew from them, so that none tells the true counts.

    Parameters
    ----------
    frame
        A table of the shape whose counts have been rounded; null where they are hidden or unknown.
    shape
        Shape of the table.

    Returns
    -------
    pl.DataFrame
        The same rows in the same order and the same columns.

        Shares and rates are those of the rounded counts, with intervals of 95 %. Means, estimates and the ends of their
        interval are as they were, with no more decimals than `decimals_of_mean` allows, those in standard deviations
        with two; ``verdict`` is as it was. Null: what needs a count that is null, or a denominator that is null, 0 or
        smaller than its numerator; the mean of 0; ``standard_error``, ``degrees_of_freedom`` and ``n_clusters``, which
        would give counts away that are too small to be rounded; ``p_value`` and ``p_holm``, which few counts give, and
        which nobody could check against rounded ones; and every number that the shape does not know, as nobody can
        tell what it is worked out of.

    Notes
    -----
    proportion = numerator / denominator, Wilson interval. rate = count / population x 10,000, Byar's interval, the
    population as it is. attendance_rate = (attended - walk_ins) / registered, take_up = attended / capacity (as it is),
    share_of_places = places / the sum of the rounded places of all rows that are no margin: with a hidden one among
    them that sum is unknown. share_before = (n_same_high + n_down) / n_pairs, share_after with n_up instead of n_down,
    1 at most. The intervals take the rounded counts for true ones and know nothing of the rounding.

    Examples
    --------
    >>> from safeguarding_analytics.shapes import PROPORTION
    >>> rounded = pl.DataFrame({"agency": ["Health"], "numerator": [5], "denominator": [20], "proportion": [0.2273]})
    >>> recomputed(rounded, PROPORTION)["proportion"].to_list()
    [0.25]
    """
    if not shape.all_counts:
        return frame
    anew = _worked_out(frame, shape)
    numbers = [name for name in number_columns(frame, shape) if name not in shape.all_counts]
    return frame.with_columns(anew.get(name, pl.lit(None)).cast(frame.schema[name]).alias(name) for name in numbers)


def _worked_out(frame: pl.DataFrame, shape: Shape) -> dict[str, pl.Expr]:
    """How each column of a shape is worked out, of those for which the table has what it takes."""
    if shape.name in SHORTENED:
        columns = _shortened(frame, shape)
    else:
        ways = {
            "proportion": _of_proportion,
            "rate": _of_rate,
            "attendance": _of_attendance,
            "coverage": _of_coverage,
            "need": _of_need,
            "progress": _of_progress,
            "cost": _of_cost,
            "mix": _of_mix,
            "item_change": _of_item_change,
        }
        groups = shape.group_columns(frame.columns)
        columns = ways[shape.name](groups) if shape.name in ways else {}
    return {name: way for name, way in columns.items() if set(way.meta.root_names()) <= set(frame.columns)}


def _of_proportion(_groups: list[str]) -> dict[str, pl.Expr]:
    numerator, denominator = pl.col("numerator"), pl.col("denominator")
    lower, upper = wilson(numerator, denominator)
    share = pl.when(numerator <= denominator).then(divide(numerator, denominator))
    return {"proportion": share, "lower": lower, "upper": upper}


def _of_rate(_groups: list[str]) -> dict[str, pl.Expr]:
    count, population = pl.col("count"), pl.col("population")
    lower, upper = byar(count)
    events = {"rate": count, "lower": lower, "upper": upper}
    return {name: divide(number, population) * 10_000 for name, number in events.items()}


def _of_attendance(groups: list[str]) -> dict[str, pl.Expr]:
    attended, registered = pl.col("attended").cast(pl.Int64), pl.col("registered").cast(pl.Int64)
    as_booked = attended - pl.col("walk_ins").cast(pl.Int64)
    return {
        "attendance_rate": pl.when(as_booked.is_between(0, registered)).then(divide(as_booked, registered)),
        "take_up": divide(attended, pl.col("capacity")),
        "share_of_places": _share_of_all(attended, groups),
    }


def _share_of_all(places: pl.Expr, groups: list[str]) -> pl.Expr:
    """Share of the sum of all rows that are no margin; null where one of them is hidden."""
    no_margin = pl.all_horizontal(
        pl.lit(value=True), *(pl.col(name).cast(pl.String).ne_missing(TOTAL) for name in groups)
    )
    everyone = places.filter(no_margin)
    share = divide(places, everyone.sum())  # a rounded total may be more than the sum of its rounded parts
    return pl.when(everyone.null_count() == 0).then(share.clip(upper_bound=1.0))


def _of_coverage(groups: list[str]) -> dict[str, pl.Expr]:
    people, staff = pl.col("people"), pl.col("eligible_staff")
    lower, upper = wilson(people, staff)
    reach = pl.when(people <= staff).then(divide(people, staff))
    share = _share_of_all(pl.col("places").cast(pl.Int64), groups)
    return {"reach": reach, "lower": lower, "upper": upper, "share_of_places": share}


def _of_need(_groups: list[str]) -> dict[str, pl.Expr]:
    return _what_it_takes("need")


def _of_progress(_groups: list[str]) -> dict[str, pl.Expr]:
    missing = (pl.col("target").cast(pl.Int64) - pl.col("reached").cast(pl.Int64)).clip(0)
    return {"still_needed": pl.when(pl.col("still_needed").is_not_null()).then(missing)} | _what_it_takes(
        "still_needed"
    )


def _what_it_takes(need: str) -> dict[str, pl.Expr]:
    """The sessions and the money that a need takes, and by how many people and how much that is reckoned."""
    sessions = sessions_for(pl.col(need), pl.col("per_session"))
    fixed = {name: pl.col(name) for name in ("per_session", "cost_per_session")}
    return fixed | {"sessions_needed": sessions, "cost": sessions * pl.col("cost_per_session")}


def _of_mix(_groups: list[str]) -> dict[str, pl.Expr]:
    """Numbers of agencies, not of people, and whole ones: they are as they were."""
    return {name: pl.col(name) for name in ("agencies_present", "share_of_agencies", "effective_agencies")}


def _of_cost(_groups: list[str]) -> dict[str, pl.Expr]:
    cost = pl.col("total_cost")
    return {
        "cost_per_place": divide(cost, pl.col("places")),
        "cost_per_person": divide(cost, pl.col("people")),
    }


def _of_item_change(_groups: list[str]) -> dict[str, pl.Expr]:
    """Shares of those who were right, where a question has them; parts that are rounded alone may exceed the pairs."""
    same, pairs = pl.col("n_same_high"), pl.col("n_pairs")
    right = {"share_before": same + pl.col("n_down"), "share_after": same + pl.col("n_up")}
    return {
        share: pl.when(pl.col(share).is_not_null()).then(divide(people, pairs).clip(upper_bound=1.0))
        for share, people in right.items()
    }


def _shortened(frame: pl.DataFrame, shape: Shape) -> dict[str, pl.Expr]:
    """Means and interval with the decimals they may have, by the number of people of each row."""
    sizes = frame[shape.counts[0]].to_list()
    scale = pl.lit(pl.Series([10.0 ** decimals_of_mean(size) if size else None for size in sizes], dtype=pl.Float64))
    shortened = {name: _to_scale(name, scale) for name in SHORTENED[shape.name]}
    standardised = {name: _to_scale(name, pl.when(scale.is_not_null()).then(100.0)) for name in STANDARDISED}
    return shortened | standardised | {"verdict": pl.when(scale.is_not_null()).then(pl.col("verdict"))}


def _to_scale(name: str, scale: pl.Expr) -> pl.Expr:
    """A column in whole parts of a scale, 10 being one decimal; null where the scale is."""
    return (pl.col(name) * scale).round() / scale + 0.0
