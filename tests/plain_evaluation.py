"""The measures of knowledge gain once more, in plain Python: dictionaries, loops and fractions, and random boards.

Written from the definitions (docstrings and the publications they name), not from the code. Scores are fractions, so
that 0.1 + 0.2 is 0.3 and two gains are the same or not; floats appear only where a root or a quantile is taken.
"""

import math
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from statistics import NormalDist
from typing import NamedTuple

import polars as pl

WAVES = ("pre", "post", "follow_up", "then")
Z95 = NormalDist().inv_cdf(0.975)


class Item(NamedTuple):
    item: str
    text: str
    kind: str
    minimum: int
    maximum: int
    reversed: bool
    course: str | None = None


class Answer(NamedTuple):
    session: str | None
    person: str
    agency: str | None
    course: str | None
    wave: str
    item: str
    score: Fraction | None


class Booking(NamedTuple):
    session: str | None
    person: str
    status: str
    learner: str | None


@dataclass
class Board:
    """Answers, the questions they are to, and who was booked."""

    answers: list[Answer]
    items: list[Item]
    bookings: list[Booking] = field(default_factory=list)

    @property
    def scores(self):
        kinds = dict.fromkeys(Answer._fields, pl.String) | {"score": pl.Float64}
        rows = [(*one[:6], None if one.score is None else float(one.score)) for one in self.answers]
        return pl.DataFrame(rows, schema=kinds, orient="row")

    @property
    def questions(self):
        return frame_of(self.items)

    @property
    def booked(self):
        return pl.DataFrame(self.bookings, schema=dict.fromkeys(Booking._fields, pl.String), orient="row")


def frame_of(items):
    kinds = dict.fromkeys(("item", "text", "kind", "course"), pl.String)
    kinds |= {"minimum": pl.Float64, "maximum": pl.Float64, "reversed": pl.Boolean}
    return pl.DataFrame(items, schema={name: kinds[name] for name in Item._fields}, orient="row")


# People and their scores.


def scored(items):
    choice = [one for one in items if one.kind == "choice"]
    return choice or list(items)


def rated(items):
    return [one for one in items if one.kind == "likert"]


def points(item, score):
    return item.minimum + item.maximum - score if item.reversed else score


def answered(answers, items, wave):
    """Session and person → item → points, of the questions that were answered in a wave."""
    by_name = {one.item: one for one in items}
    found = defaultdict(dict)
    for one in answers:
        if one.wave == wave and one.item in by_name and one.score is not None:
            found[one.session, one.person][one.item] = points(by_name[one.item], one.score)
    return found


def totals(answers, items, wave):
    """Session and person → sum of points, of those who answered every question of a wave."""
    return {
        who: sum(given.values(), Fraction(0))
        for who, given in answered(answers, items, wave).items()
        if len(given) == len(items)
    }


def label(answers, name, waves):
    """Session and person → the largest value of a column among their answers in these waves."""
    found = {}
    for one in answers:
        if one.wave in waves:
            who, value = (one.session, one.person), getattr(one, name)
            known = found.get(who)
            found[who] = known if value is None else value if known is None else max(known, value)
    return found


# A mean change and its interval.


def t_quantile(freedom, confidence):
    from scipy.stats import t

    return float(t.ppf(0.5 + confidence / 2, float(freedom)))


def variance(values):
    """Fraction; None of fewer than two."""
    n = len(values)
    if n < 2:
        return None
    mean = Fraction(sum(values)) / n
    return sum((value - mean) ** 2 for value in values) / (n - 1)


def by_cluster(values, clusters):
    found = defaultdict(list)
    for value, cluster in zip(values, clusters, strict=True):
        found[cluster].append(value)
    return list(found.values())


def cr2(values, clusters):
    """Squared standard error and Satterthwaite's degrees of freedom of Bell & McCaffrey, as fractions."""
    n = len(values)
    mean = Fraction(sum(values)) / n
    parts = by_cluster(values, clusters)
    squared = sum(sum(value - mean for value in part) ** 2 / (1 - Fraction(len(part), n)) for part in parts)
    sizes = [len(part) for part in parts]
    freed = [1 / (1 - Fraction(size, n)) for size in sizes]
    total = Fraction(0)
    for j, k in product(range(len(sizes)), repeat=2):
        inner = (sizes[k] if j == k else 0) - Fraction(sizes[j] * sizes[k], n)
        total += freed[j] * freed[k] * inner**2
    return squared / n**2, Fraction(n**2) / total


def interval(values, clusters, confidence=0.95):
    """Squared standard error, degrees of freedom, lower and upper; clusters None or all the same: Student's t."""
    n = len(values)
    mean = float(Fraction(sum(values)) / n)
    if clusters is None or len(set(clusters)) == 1:
        squared, freedom = variance(values) / n, n - 1
    else:
        squared, freedom = cr2(values, clusters)
    reach = t_quantile(freedom, confidence) * math.sqrt(squared)
    return squared, float(freedom), mean - reach, mean + reach


def hedges(m):
    """Γ(m/2) ÷ (√(m/2) Γ((m − 1)/2)), by the product of the ratios two at a time."""
    ratio, at = (math.sqrt(math.pi) / 2, 3) if m % 2 else (1 / math.sqrt(math.pi), 2)
    while at < m:
        ratio *= at / (at - 1)
        at += 2
    return ratio / math.sqrt(m / 2)


def mean_change(first, second, cluster, meaningful_gain=None, confidence=0.95):
    """The row of `mean_change` of people with their first and second score: dictionaries by session and person."""
    both = [who for who in first if who in second]
    gains = [second[who] - first[who] for who in both]
    clusters = None if cluster is None else [cluster[who] for who in both]
    n = len(both)
    row = dict.fromkeys(("mean_pre", "mean_post", "mean_change", "lower", "upper", "degrees_of_freedom"))
    row |= dict.fromkeys(("standard_error", "verdict", "g_av", "g_av_lower", "g_av_upper"))
    row |= {"n_pairs": n, "n_pre": len(first), "n_post": len(second)}
    row |= {"n_up": sum(gain > 0 for gain in gains), "n_same": sum(gain == 0 for gain in gains)}
    row |= {"n_down": sum(gain < 0 for gain in gains), "n_clusters": None if clusters is None else len(set(clusters))}
    if n == 0:
        return row
    row["mean_pre"] = float(sum(first[who] for who in both) / n)
    row["mean_post"] = float(sum(second[who] for who in both) / n)
    row["mean_change"] = float(sum(gains) / n)
    if n > 1 and len(set(gains)) == 1:
        row["standard_error"] = 0.0
    elif n >= 10:
        squared, freedom, lower, upper = interval(gains, clusters, confidence)
        if squared > 0:
            row |= {"standard_error": math.sqrt(squared), "degrees_of_freedom": freedom}
            row |= {"lower": lower, "upper": upper}
    if row["lower"] is not None and meaningful_gain is not None:
        row["verdict"] = "could be either"
        if row["lower"] >= meaningful_gain:
            row["verdict"] = "clearly at least"
        if row["upper"] < meaningful_gain:
            row["verdict"] = "clearly less"
    if n >= 3:
        spread = (variance([first[who] for who in both]) + variance([second[who] for who in both])) / 2
        if spread > 0:
            factor = hedges(n - 1) / math.sqrt(spread)
            for name, of in (("g_av", "mean_change"), ("g_av_lower", "lower"), ("g_av_upper", "upper")):
                row[name] = None if row[of] is None else row[of] * factor
    return row


def knowledge_gain(answers, items, by=(), cluster="session", meaningful_gain=None, waves=WAVES[:2], confidence=0.95):
    """One row per group, as dictionaries, sorted by the groups with unknown first."""
    first, second = (totals(answers, items, wave) for wave in waves)
    labels = {name: label(answers, name, waves) for name in by}
    clusters = None if cluster is None else label(answers, cluster, waves)
    groups = defaultdict(set)
    for one in answers:
        if one.wave in waves:
            who = (one.session, one.person)
            groups[tuple(labels[name][who] for name in by)].add(who)
    if not by:
        groups[()] |= set()
    rows = []
    for group in sorted(groups, key=lambda values: [(value is not None, value) for value in values]):
        ours = [{who: score for who, score in of.items() if who in groups[group]} for of in (first, second)]
        row = mean_change(*ours, clusters, meaningful_gain, confidence)
        rows.append(dict(zip(by, group, strict=True)) | row)
    return rows


# Effect sizes and tests.


def doubled_ranks(sizes):
    """Twice the mid-rank of each."""
    return [sum(2 * (other < one) + (other == one) for other in sizes) + 1 for one in sizes]


def rank_biserial(gains):
    moved = [gain for gain in gains if gain != 0]
    ranks = doubled_ranks([abs(gain) for gain in moved])
    if not moved:
        return None
    up = sum(rank for rank, gain in zip(ranks, moved, strict=True) if gain > 0)
    return float(Fraction(2 * up - sum(ranks), sum(ranks)))


def sign_p(gains):
    up, down = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
    n = up + down
    if n == 0:
        return None
    tail = sum(math.comb(n, k) for k in range(min(up, down) + 1))
    return float(min(Fraction(1), Fraction(2 * tail, 2**n)))


def wilcoxon_p(gains):
    """Two-sided, by counting the ways of giving signs to the ranks; zeros left out. Whole numbers throughout."""
    moved = [gain for gain in gains if gain != 0]
    if not moved:
        return None
    ranks = doubled_ranks([abs(gain) for gain in moved])
    up = sum(rank for rank, gain in zip(ranks, moved, strict=True) if gain > 0)
    ways = Counter({0: 1})
    for rank in ranks:
        more = Counter(ways)
        for total, count in ways.items():
            more[total + rank] += count
        ways = more
    fewer = min(up, sum(ranks) - up)
    tail = sum(count for total, count in ways.items() if total <= fewer)
    return float(min(Fraction(1), Fraction(2 * tail, 2 ** len(moved))))


def over(number, of):
    return None if number is None or not of else float(number) / float(of)


def root(squared):
    return None if squared is None else math.sqrt(squared)


def paired_sizes(first, second, minimum, maximum):
    """All effect sizes of two lists of fractions."""
    n = len(first)
    gains = [after - before for before, after in zip(first, second, strict=True)]
    if n == 0:
        return {"n_pairs": 0, "undefined_changes": 0}
    change, before, after = Fraction(sum(gains)) / n, Fraction(sum(first)) / n, Fraction(sum(second)) / n
    of_first, of_second, of_gain = variance(first), variance(second), variance(gains)
    sizes = {"n_pairs": n, "mean_change": float(change)}
    sizes |= {"sd_pre": root(of_first), "sd_post": root(of_second), "sd_gain": root(of_gain)}
    average = None if of_first is None else math.sqrt((of_first + of_second) / 2)
    sizes["d_av"] = over(change, average)
    sizes["g_av"] = None if n < 3 or sizes["d_av"] is None else sizes["d_av"] * hedges(n - 1)
    sizes["d_pre"], sizes["d_z"] = over(change, root(of_first)), over(change, root(of_gain))
    if of_first and of_second:
        together = sum((x - before) * (y - after) for x, y in zip(first, second, strict=True)) / (n - 1)
        sizes["correlation"] = float(together) / math.sqrt(of_first * of_second)
        if sizes["d_z"] is not None:
            left = 1 - sizes["correlation"]
            sizes["d_rm"] = sizes["d_z"] * math.sqrt(max(0.0, 2 * left))
    sizes["rank_biserial"] = rank_biserial(gains)
    sizes["normalised_gain"] = over(change, maximum - before)
    changes = []
    for x, y in zip(first, second, strict=True):
        if x == y and x in (minimum, maximum):
            continue
        changes.append(Fraction(0) if x == y else (y - x) / (maximum - x if y > x else x - minimum))
    sizes["undefined_changes"] = n - len(changes)
    sizes["normalised_change"] = over(Fraction(sum(changes)), len(changes)) if changes else None
    return sizes


# Random effects and skew.


def criterion(ratio, parts):
    """Minus twice the restricted log-likelihood of a one-way layout but for a constant, and what it estimates."""
    n = sum(len(part) for part in parts)
    means = [sum(part) / len(part) for part in parts]
    spreads = [ratio + 1 / len(part) for part in parts]
    weight = sum(1 / spread for spread in spreads)
    mean = sum(own / spread for own, spread in zip(means, spreads, strict=True)) / weight
    within = sum((value - own) ** 2 for part, own in zip(parts, means, strict=True) for value in part)
    left = within + sum((own - mean) ** 2 / spread for own, spread in zip(means, spreads, strict=True))
    value = (n - 1) * math.log(left) + sum(math.log(spread) for spread in spreads) + math.log(weight)
    return value, mean, math.sqrt(left / (n - 1) / weight), means


def random_effects(parts):
    """Ratio of variances, mean, standard error and shrunken means: a grid, then ever finer around its lowest point."""
    parts = [[float(value) for value in part] for part in parts]
    grid = [0.0] + [10 ** (place / 40) for place in range(-280, 281)]
    lowest = min(range(len(grid)), key=lambda place: criterion(grid[place], parts)[0])
    low, high = grid[max(lowest - 1, 0)], grid[min(lowest + 1, len(grid) - 1)]
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(120):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if criterion(left, parts)[0] <= criterion(right, parts)[0]:
            high = right
        else:
            low = left
    ratio = (low + high) / 2
    if criterion(0.0, parts)[0] <= criterion(ratio, parts)[0]:
        ratio = 0.0
    _, mean, error, means = criterion(ratio, parts)
    kept = [ratio / (ratio + 1 / len(part)) for part in parts]
    shrunken = [mean + share * (own - mean) for share, own in zip(kept, means, strict=True)]
    return ratio, mean, error, shrunken


def abc(gains, confidence=0.95):
    """DiCiccio & Efron's interval of a mean."""
    reach = NormalDist().inv_cdf(0.5 + confidence / 2)
    n = len(gains)
    mean = Fraction(sum(gains)) / n
    squares = float(sum((gain - mean) ** 2 for gain in gains))
    cubes = float(sum((gain - mean) ** 3 for gain in gains))
    a, sigma = cubes / (6 * squares**1.5), math.sqrt(squares) / n
    return tuple(float(mean) + sigma * (a + z) / (1 - a * (a + z)) ** 2 for z in (-reach, reach))


def wilson(count, of, z=Z95):
    """Lower and upper end: the shares p with |p̂ − p| = z √(p (1 − p) / n)."""
    if not of:
        return None, None
    share = count / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def holm(p_values):
    """Each p times the number of those at least as large, as they come in order; never smaller than one before."""
    known = sorted(p for p in p_values if p is not None)
    steps = [min(1.0, (len(known) - place) * p) for place, p in enumerate(known)]
    corrected = {}
    for place, p in enumerate(known):
        corrected[p] = max(steps[: place + 1]) if p not in corrected else max(corrected[p], max(steps[: place + 1]))
    return [None if p is None else corrected[p] for p in p_values]


# Random boards.

KINDS = {
    "right or wrong": ("choice", 0, 1, 1),
    "partial credit": ("choice", 0, 2, 1),
    "quarter points": ("choice", 1, 2, Fraction(1, 4)),
    "tenths": ("choice", 0, 3, Fraction(1, 10)),
    "five": ("likert", 1, 5, 1),
    "ten": ("likert", 1, 10, 1),
    "around nought": ("likert", -2, 2, 1),
}
"""Kind, minimum, maximum and step of a question."""

AGENCIES = ("Health", "Police", "School", None)


def random_items(dice, kinds=tuple(KINDS), most=4):
    found = []
    for number in range(dice.randint(1, most)):
        kind, least, most_points, _ = KINDS[dice.choice(kinds)]
        text = "The same?" if dice.random() < 0.2 else f"Question {number}?"
        found.append(Item(f"q{number}", text, kind, least, most_points, dice.random() < 0.3))
    return found


def random_score(dice, item, rise):
    """A score as answered; those who rise lean to the end that counts more."""
    steps = {(kind, least, most): step for kind, least, most, step in KINDS.values()}
    step = steps.get((item.kind, item.minimum, item.maximum), 1)
    number = int((item.maximum - item.minimum) / step)
    drawn = max(dice.randint(0, number) for _ in range(2 if rise else 1))
    given = item.minimum + drawn * Fraction(step)
    return item.minimum + item.maximum - given if item.reversed else given


def random_board(seed, *, items=None, people=14, sessions=4, open_share=0.05, labels=True):
    """Sessions of unequal size, people who answered now and then, questions left open, agencies filled in now and then.

    With ``labels`` False everybody's agency is the same in each answer.
    """
    dice = random.Random(seed)
    items = random_items(dice) if items is None else items
    answers, bookings, known = [], [], set()
    given_share = dice.choice((0.4, 0.8, 1.0))
    for session in range(dice.randint(1, sessions)):
        for person in range(dice.randint(0, people)):
            who = (f"s{session}", f"p{dice.randint(0, 3) if dice.random() < 0.02 else person + 20 * (session % 2)}")
            if who in known:
                continue
            known.add(who)
            agency = dice.choice(AGENCIES)
            for wave, share in zip(WAVES, (given_share, given_share, given_share / 2, given_share / 2), strict=True):
                if dice.random() > share:
                    continue
                for item in items:
                    there = dice.random()
                    if there < open_share / 2:
                        continue
                    score = None if there < open_share else random_score(dice, item, wave == "post")
                    own = dice.choice((agency, agency, "Aid", None)) if labels else agency
                    answers.append(Answer(*who, own, "Core", wave, item.item, score))
            status = dice.choice(("attended", "attended", "attended", "did_not_attend"))
            learner = dice.choice((None, None, "local", "trainer", "test", "out_of_area"))
            bookings += [Booking(*who, status, learner)] * dice.choice((0, 1, 1, 1, 2))
    dice.shuffle(answers)
    return Board(answers, items, bookings)


def close(found, wanted, tolerance=1e-9):
    """Whether two values are the same: numbers to a tolerance, relative where they are large."""
    if found is None or wanted is None or isinstance(wanted, str | bool):
        return found == wanted
    return math.isclose(found, wanted, rel_tol=tolerance, abs_tol=tolerance)


def assert_rows(found, wanted, tolerance=1e-9):
    """Compare a frame with rows as dictionaries, naming what differs."""
    rows = found.to_dicts()
    assert len(rows) == len(wanted), f"{len(rows)} rows, wanted {len(wanted)}"
    wrong = [
        f"row {place}, {name}: {row.get(name)!r}, wanted {value!r}"
        for place, (row, want) in enumerate(zip(rows, wanted, strict=True))
        for name, value in want.items()
        if name not in row or not close(row[name], value, tolerance)
    ]
    assert not wrong, "; ".join(wrong[:5])
