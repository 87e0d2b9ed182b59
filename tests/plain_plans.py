"""Repeat plans counted one plan at a time, in dictionaries, dates and fractions: what the measure must agree with."""

import math
import random
from calendar import monthrange
from collections import defaultdict
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from itertools import combinations
from statistics import NormalDist

TOTAL = "Total"
CATEGORIES = ("NEG", "PHY", "SAB", "EMO", "MUL")


# Days.


def months_before(day, months):
    """The same day of the month so many months before, or the last of a month that has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def reporting_year(day):
    return str(day.year + (day >= date(day.year, 4, 1)))


def quarter(day):
    first = {1: 1, 2: 1, 3: 1, 4: 4, 5: 4, 6: 4, 7: 7, 8: 7, 9: 7, 10: 10, 11: 10, 12: 10}[day.month]
    return f"{day.year}-{first:02} to {day.year}-{first + 2:02}"


def birthday(birth, year):
    """The birthday in a year: 1 March where there is no 29 February."""
    try:
        return birth.replace(year=year)
    except ValueError:
        return date(year, 3, 1)


def age_band(birth, day):
    if birth is None:
        return None
    if birth > day:
        return "Unborn"
    age = sum(birthday(birth, year) <= day for year in range(birth.year + 1, day.year + 1))
    if age < 1:
        return "Under 1"
    return next((f"{low} to {high}" for low, high in ((1, 4), (5, 9), (10, 15)) if age <= high), "16 and over")


COMPUTED = {
    "time_period": lambda row: reporting_year(row["start_date"]),
    "quarter": lambda row: quarter(row["start_date"]),
    "month": lambda row: row["start_date"].isoformat()[:7],
    "age_band": lambda row: age_band(row["birth_date"], row["start_date"]),
}


def group_of(row, by):
    return tuple(COMPUTED[name](row) if name in COMPUTED else row[name] for name in by)


# The measure.


def is_counted(row, within_months, complete_from, complete_to):
    since = row["start_date"] if within_months is None else months_before(row["start_date"], within_months)
    known = complete_from is None or since >= complete_from
    return known and (complete_to is None or row["start_date"] <= complete_to)


def is_repeat(row, earlier, within_months):
    if within_months is None:
        return row["previous_plans"] > 0 or bool(earlier)
    since = months_before(row["start_date"], within_months)
    return any(other["end_date"] is None or other["end_date"] >= since for other in earlier)


def cluster_of(row, cluster):
    if cluster == "family" and row["family"] is not None:
        return (row.get("authority"), "family", row["family"])
    return (row.get("authority"), "child", row["child"])


def repeat_plans(
    rows,
    by,
    within_months=None,
    *,
    cluster="child",
    totals=False,
    complete_from=None,
    complete_to=None,
    confidence=0.95,
):
    """The rows of the result: groups, numerator, denominator, share, both intervals."""
    plans_of = defaultdict(list)
    for row in rows:
        plans_of[row.get("authority"), row["child"]].append(row)
    counted = defaultdict(list)  # of each group, of each of its plans: whose it is, and whether it is a repeat
    if not by:
        counted[()] = []
    for row in rows:
        if not is_counted(row, within_months, complete_from, complete_to):
            continue
        group = group_of(row, by)
        counted[group] += []
        if row["previous_plans"] is not None:
            place = (row["start_date"], row["plan"])
            own = plans_of[row.get("authority"), row["child"]]
            earlier = [other for other in own if (other["start_date"], other["plan"]) < place]
            counted[group].append((cluster_of(row, cluster), is_repeat(row, earlier, within_months)))
    if totals:
        counted = with_totals(counted)
    found = []
    for group in sorted(counted, key=lambda group: [(value is not None, value) for value in group]):
        plans = counted[group]
        numerator, denominator = sum(repeat for _, repeat in plans), len(plans)
        share = numerator / denominator if denominator else None
        ends = wilson(numerator, denominator, confidence)
        clustered = clustered_interval(plans, confidence) if cluster else ()
        found.append((*group, numerator, denominator, share, *ends, *clustered))
    return found


def with_totals(counted):
    """Every plan once more in the total of each of its groups, and of each combination of them."""
    found = defaultdict(list)
    for group, plans in counted.items():
        named = tuple(None if value is None else str(value) for value in group)
        for size in range(len(group) + 1):
            for places in combinations(range(len(group)), size):
                found[tuple(TOTAL if place in places else value for place, value in enumerate(named))] += plans
    return found


# The intervals.


def wilson(numerator, denominator, confidence):
    if not denominator:
        return (None, None)
    return score_ends(Fraction(numerator, denominator), denominator, NormalDist().inv_cdf(0.5 + confidence / 2))


def score_ends(share, size, quantile):
    """The shares q with (share - q)² = quantile² q (1 - q) / size: where a score test turns."""
    p, width = float(share), quantile * quantile / float(size)
    root = math.sqrt(width * p * (1 - p) + width * width / 4)
    lower, upper = ((p + width / 2 + sign * root) / (1 + width) for sign in (-1, 1))
    return (0.0 if share == 0 else lower, 1.0 if share == 1 else upper)


def clustered_interval(plans, confidence):
    """As Korn and Graubard 1998, with Wilson's interval in place of the exact one and no more plans than there are."""
    clusters = defaultdict(list)
    for whose, repeat in plans:
        clusters[whose].append(repeat)
    count, size = len(clusters), len(plans)
    if count < 10:
        return (None, None)
    share = Fraction(sum(repeat for _, repeat in plans), size)
    residuals = [sum(repeats) - share * len(repeats) for repeats in clusters.values()]
    variance = Fraction(count, count - 1) * sum(residual * residual for residual in residuals) / size**2
    if share in (0, 1):
        effective = Fraction(count)
    elif variance == 0:
        effective = Fraction(size)
    else:
        effective = min(share * (1 - share) / variance, Fraction(size))
    lower, upper = score_ends(share, effective, student_quantile(0.5 + confidence / 2, count - 1))
    steps = 100 if size < 100 else 1000
    return (math.floor(lower * steps + 1e-9) / steps, math.ceil(upper * steps - 1e-9) / steps)


@cache
def student_quantile(probability, freedom):
    """Student's quantile, by bisection of the finite sums in Abramowitz & Stegun 26.7.3 and 26.7.4."""
    low, high = 0.0, 1e6
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if student_within(middle, freedom) < 2 * probability - 1 else (low, middle)
    return (low + high) / 2


def student_within(quantile, freedom):
    """The probability that Student's t lies between minus and plus a number."""
    angle = math.atan(quantile / math.sqrt(freedom))
    square = math.cos(angle) ** 2
    if freedom == 1:
        return 2 * angle / math.pi
    term, total = (math.cos(angle), 0.0) if freedom % 2 else (1.0, 0.0)
    for number in range(3 if freedom % 2 else 2, freedom + 1, 2):
        total += term
        term *= square * (number - 1) / number
    return 2 / math.pi * (angle + math.sin(angle) * total) if freedom % 2 else math.sin(angle) * total


# The plans.


def random_plans(seed, size, *, older=False):
    """Plans of few children: ties, overlaps, open ends, month ends, 29 February, what is unknown; two authorities.

    With `older`, some records know of plans that ended before 2008 and do not stand in the table.
    """
    chance = random.Random(seed)
    turns = [date(2008, 2, 29), date(2012, 2, 29), date(2012, 8, 31), date(2013, 2, 28), date(2013, 3, 31)]
    families = max(size // 6, 1)
    births = {}
    rows = []
    for number in range(size):
        child, authority = chance.randrange(max(size // 3, 1)), chance.choice(["Kent", "Kent", "Medway"])
        start = chance.choice(turns) if chance.random() < 0.2 else date(2008, 1, 1) + timedelta(chance.randrange(2200))
        ends = [start, months_before(chance.choice(turns), 6), start + timedelta(chance.randrange(700))]
        end = None if chance.random() < 0.1 else max(start, chance.choice(ends))
        if child not in births:
            born = chance.choice([date(2004, 2, 29), date(2008, 2, 29), date(1996, 1, 1), date(2011, 5, 31)])
            born += timedelta(chance.choice([0, 0, -1, 1, 400]))
            births[child] = None if chance.random() < 0.05 else born
        rows.append(
            {
                "plan": f"plan{number:06}",
                "child": f"child{child}",
                "authority": authority,
                "district": chance.choice(["Dover", "Swale", None]),
                "category": chance.choice(CATEGORIES),
                "start_date": start,
                "end_date": end,
                "birth_date": births[child],
                "family": None if child % 4 == 0 else f"family{child % families}",
            }
        )
    rows.sort(key=lambda row: (row["start_date"], row["plan"]))
    seen = defaultdict(int)
    for row in rows:
        known = seen[row["authority"], row["child"]]
        before = chance.randrange(2) if older and int(row["child"][5:]) % 5 == 0 else 0
        row["previous_plans"] = chance.choice([None, 0, *[known + before] * 18])
        seen[row["authority"], row["child"]] += 1
    chance.shuffle(rows)
    return rows
