"""The shapes of results: disclosure control and charts know these few, and not topics.

`data/README.md` is generated from this module and from `tables`.
"""

from __future__ import annotations

from dataclasses import dataclass

from safeguarding_analytics.errors import TableError


@dataclass(frozen=True)
class Shape:
    """What disclosure control and charts need to know about an output table.

    ``counts`` are whole numbers of people or plans, in the order in which they are printed; ``parts`` are counts that
    add up to the first count of their row; ``own`` are counts of their own, hidden by themselves where small;
    ``context`` is never hidden (a population, a capacity); ``means`` are hidden where the first count is too small for
    them. ``names`` are columns of the shape that name a row within its group, such as the issue that is ranked. All
    other columns are worked out from the counts and hidden with them. A shape without counts is in no audit: it is
    worked out of ballots, or holds judgements that are public themselves.
    """

    name: str
    meaning: str
    columns: dict[str, str]
    counts: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    means: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def of_ballots(self) -> bool:
        """Whether it is worked out of ballots, and hidden where fewer than a policy's minimum were cast."""
        return "n_ballots" in self.columns

    @property
    def all_counts(self) -> tuple[str, ...]:
        """Every column of the shape that counts people or plans and may be hidden."""
        return (*self.counts, *self.parts, *self.own)

    def group_columns(self, columns: list[str]) -> list[str]:
        """The columns that name the group: all that stand before the first column of the shape."""
        first = next(name for name in columns if name in self.columns)
        return columns[: columns.index(first)]


COUNT = Shape("count", "How many, by group", {"count": "people, plans or places"}, counts=("count",))
PROPORTION = Shape(
    "proportion",
    "A share with its counts and its interval",
    {
        "numerator": "count: those who have it",
        "denominator": "count: those who could",
        "proportion": (
            "numerator ÷ denominator (as published, where published counts are rounded), 0 to 1; null if unknown"
        ),
        "lower": "lower end of the interval, 0 to 1",
        "upper": "upper end of the interval, 0 to 1",
        "lower_clustered": "lower end of the interval that allows for children and siblings who count several times",
        "upper_clustered": "its upper end, 0 to 1; both rounded outwards to 0.001",
    },
    counts=("numerator", "denominator"),
)
SHARE = ("numerator", "denominator", "proportion", "lower", "upper")
"""The columns that every table of shares has."""

RATE = Shape(
    "rate",
    "A rate per 10,000 with its counts and its interval",
    {
        "count": "count of events",
        "population": "children aged 0 to 17",
        "rate": "count ÷ population × 10,000",
        "lower": "lower end of the interval, per 10,000",
        "upper": "upper end of the interval, per 10,000",
    },
    counts=("count",),
    context=("population",),
)
MEAN_CHANGE = Shape(
    "mean_change",
    "A mean change between two answers of the same people, with its counts and its interval",
    {
        "n_pairs": "people who answered both times",
        "mean_pre": "mean score before, points; of the pairs",
        "mean_post": "mean score after, points; of the pairs",
        "mean_change": "mean of after minus before, points",
        "lower": "lower end of the interval, points",
        "upper": "upper end of the interval, points",
        "n_pre": "people who answered before",
        "n_post": "people who answered after",
        "n_up": "pairs whose score rose",
        "n_same": "pairs whose score stayed the same",
        "n_down": "pairs whose score fell",
        "n_clusters": "sessions (or other clusters) the pairs come from",
        "degrees_of_freedom": "degrees of freedom of the interval",
        "standard_error": "standard error of the mean change, points",
        "verdict": "the interval against the meaningful gain that was fixed beforehand",
        "g_av": "mean change ÷ average standard deviation of before and after, corrected for few pairs (Hedges)",
        "g_av_lower": "lower end of the interval of g_av",
        "g_av_upper": "upper end of the interval of g_av",
        "shrunken": "mean change drawn towards that of all groups, the more the fewer pairs, points",
    },
    counts=("n_pairs",),
    parts=("n_up", "n_same", "n_down"),
    own=("n_pre", "n_post"),
    means=(
        *("mean_pre", "mean_post", "mean_change", "lower", "upper", "standard_error", "verdict"),
        *("g_av", "g_av_lower", "g_av_upper", "shrunken"),
    ),
)
ITEM_CHANGE = Shape(
    "item_change",
    "How the answers of the same people to one question changed",
    {
        "n_pairs": "people who answered it both times",
        "n_up": "answers that rose: newly right, or a higher rating",
        "n_same_high": "the same answer both times: right, or above the middle of the scale",
        "n_same_low": "the same answer both times: not right, or not above the middle of the scale",
        "n_down": "answers that fell: newly wrong, or a lower rating",
        "share_before": "right before ÷ pairs, 0 to 1; null for ratings",
        "share_after": "right after ÷ pairs, 0 to 1; null for ratings",
        "p_value": "exact sign test of rises against falls (McNemar's where an answer is right or wrong)",
        "p_holm": "the same, corrected for the number of questions (Holm)",
    },
    counts=("n_pairs",),
    parts=("n_up", "n_same_high", "n_same_low", "n_down"),
)
ESTIMATE = Shape(
    "estimate",
    "A number worked out of the answers of so many people, with its interval",
    {
        "n": "people it is worked out of",
        "estimate": "the number; its group says which, and its unit",
        "lower": "lower end of the interval, or of the range",
        "upper": "upper end of the interval, or of the range",
    },
    counts=("n",),
    means=("estimate", "lower", "upper"),
)
FUNNEL = Shape(
    "funnel",
    "Published figures of many areas, each beside the limits within which chance and ordinary variation keep them",
    {
        "observed": "count: those who have it, or events",
        "size": "count: those who could, or the population",
        "value": "observed ÷ size: a share 0 to 1, or per 10,000",
        "average": "that of all areas together",
        "lower_95": "lower 95% limit at this size",
        "upper_95": "upper 95% limit at this size",
        "lower_998": "lower 99.8% limit at this size",
        "upper_998": "upper 99.8% limit at this size",
        "plain_lower_998": "lower 99.8% limit of chance alone",
        "plain_upper_998": "upper 99.8% limit of chance alone",
        "position": "inside, or below or above the 95% or 99.8% limits",
    },
    counts=("observed", "size"),
)
CONTROL_CHART = Shape(
    "control_chart",
    "Counts of equal periods beside the limits within which they varied so far (XmR)",
    {
        "value": "count of the period",
        "mean": "mean of the baseline",
        "lower": "lower limit, three sigma; may be below 0",
        "upper": "upper limit, three sigma",
        "near_lower": "lower limit, two sigma",
        "near_upper": "upper limit, two sigma",
        "rule": "first rule that the period meets; null = ordinary variation",
        "direction": "of what the rule found: improvement, concern, high or low",
    },
    counts=("value",),
)
RANKING = Shape(
    "ranking",
    "Issues in order",
    {
        "issue": "issue ranked",
        "above": "how often members put it above another issue, over all pairs",
        "below": "how often they put it below one",
        "score": "wins minus losses over all pairs of issues: above − below",
        "points": "n for a first place down to 1, tied places averaged; null where unranked issues are ignored",
        "rank": "place, 1 = first; equal scores share the smaller place",
        "tied": "whether another issue has the same score",
        "selected": "whether it is among the seats; null where a tie straddles the cut",
        "p_selected": "share of resampled boards in which it is among the seats, 0 to 1",
        "firmness": "the same in words: firmly in, probably in, toss-up, probably out, firmly out",
        "n_ballots": "ballots counted",
    },
    names=("issue",),
)
HEAD_TO_HEAD = Shape(
    "head_to_head",
    "Issues one against one",
    {
        "issue": "issue",
        "opponent": "the issue it is compared with",
        "wins": "members (or weights of agencies) who put the issue above the opponent",
        "losses": "those who put it below",
        "margin": "wins − losses",
        "n_ballots": "ballots counted",
    },
    names=("issue", "opponent"),
)
RULE_CHECK = Shape(
    "rule_check",
    "What becomes of each issue when the same ballots are counted otherwise",
    {
        "issue": "issue ranked",
        "rank": "place by the rule that was fixed",
        "selected": "whether it is among the seats by that rule; null where a tie straddles the cut",
        "copeland_rank": "place by issues beaten one against one less those lost to (Copeland)",
        "schulze_rank": "place by the strongest paths of wins, on margins (Schulze)",
        "ranked_pairs_rank": "place when the clearest wins are locked in first (ranked pairs)",
        "kemeny_rank": "first place it takes in an order with the fewest disagreements (Kemeny)",
        "other_weight_rank": "place under the other weighting: each agency the same, or each member",
        "other_unranked_rank": "place under the other convention for issues left off a ballot",
        "p_copeland": "share of resampled boards in which Copeland's rule puts it among the seats, 0 to 1",
        "p_schulze": "share of resampled boards in which Schulze's rule puts it among the seats, 0 to 1",
        "in_bracket": "whether it is level with an issue across the cut, as far as resampled boards can tell",
        "without_member": "whether leaving out some one member would change whether it is selected",
        "without_agency": "whether leaving out some one agency would change whether it is selected",
        "safe": "whether it stays in or out however the absent members would have voted",
        "agreed": "whether all rules, weightings and conventions agree on it; false where a tie leaves it open",
        "depends_on": "what it depends on, in words",
        "n_ballots": "ballots counted",
    },
    names=("issue",),
)
POLARISATION = Shape(
    "polarisation",
    "How divided members are on each issue",
    {
        "issue": "issue ranked",
        "n_ballots": "ballots counted",
        "mean_place": "average place, 1 = first, tied places averaged",
        "share_top": "share of members who put it among their first, as many as there are seats, 0 to 1",
        "share_bottom": "share of members who put it among their last, as many as there are seats, 0 to 1",
        "polarised": "how far places are heaped at both ends, 0 to 1",
        "divided": "whether many put it first and many last",
        "eta_squared": "share of the spread of its places that lies between agencies, 0 to 1",
        "p_value": "permutation test of the difference between agencies",
        "p_holm": "the same, corrected for the number of issues (Holm)",
    },
    names=("issue",),
)
AGENCY_ORDER = Shape(
    "agency_order",
    "How far the order of each agency is that of all others",
    {
        "n_ballots": "ballots counted",
        "agreement": "Kendall's tau-b between the order of the agency and that of all others, -1 to 1",
        "in_common": "how many of the board's priorities are among the agency's first",
        "p_value": "permutation test: as far from the others as members drawn at random",
        "p_holm": "the same, corrected for the number of agencies (Holm)",
    },
)
VOTE_FIGURE = Shape(
    "vote_figure",
    "Single numbers worked out of all ballots",
    {"figure": "what it is", "about": "what it is about", "value": "the number", "n_ballots": "ballots counted"},
    names=("figure",),
)
QUADRANT = Shape(
    "quadrant",
    "Themes by urgency and importance, as boards placed them",
    {
        "theme": "theme placed",
        "boards": "boards that placed it",
        "urgency": "urgency, or the median of the boards, points",
        "urgency_lowest": "lowest of the boards, points",
        "urgency_highest": "highest of the boards, points",
        "importance": "importance, or the median of the boards, points",
        "importance_lowest": "lowest of the boards, points",
        "importance_highest": "highest of the boards, points",
        "quadrant": "side of both cut lines on which it lies",
        "urgent_from": "cut line: points from which a theme is urgent",
        "important_from": "cut line: points from which a theme is important",
        "boards_in_quadrant": "boards that placed it in this quadrant",
        "agreed": "whether all boards placed it in one quadrant",
        "lead_board": "board that leads on it",
        "linkages": "boards that are to be linked in",
        "in_place": "procedures and activity that are in place already",
    },
    names=("theme",),
)
ATTENDANCE = Shape(
    "attendance",
    "What became of bookings and places",
    {
        "registered": "bookings with an outcome: attended as booked, did not attend, cancelled",
        "attended": "people × sessions that attended, booked or not",
        "walk_ins": "attended without a booking",
        "did_not_attend": "booked and did not come",
        "cancelled": "booked and cancelled",
        "attendance_rate": "attended as booked ÷ registered, 0 to 1",
        "capacity": "places offered",
        "take_up": "attended ÷ capacity, 0 to 1 (above 1 where a session was over-filled)",
        "share_of_places": "attended ÷ all attended, 0 to 1",
    },
    counts=("registered", "attended", "walk_ins", "did_not_attend", "cancelled"),
    context=("capacity",),
)
COVERAGE = Shape(
    "coverage",
    "Places, people and eligible staff side by side",
    {
        "places": "places taken: people × sessions that attended",
        "people": "distinct people who attended",
        "eligible_staff": "head-count of those who are to be trained; null where it is not known",
        "share_of_places": "places ÷ all places taken, 0 to 1",
        "reach": "people ÷ eligible staff, 0 to 1; null where more came than are eligible",
        "lower": "lower end of the interval of the reach, 0 to 1",
        "upper": "upper end of the interval of the reach, 0 to 1",
    },
    counts=("places", "people", "eligible_staff"),
)
NEED = Shape(
    "need",
    "How many eligible staff are still to be trained, and what that takes",
    {
        "eligible_staff": "head-count of those who are to be trained; null where it is not known",
        "current": "people among them whose training is up to date",
        "need": "eligible staff − current; null where more are current than the return says are eligible",
        "per_session": "people one session trains",
        "sessions_needed": "need ÷ people a session trains, rounded up",
        "cost_per_session": "£; null where no cost is known",
        "cost": "sessions needed × cost of one, £",
    },
    counts=("eligible_staff", "current", "need"),
    context=("per_session", "cost_per_session"),
)
PROGRESS = Shape(
    "progress",
    "People reached against a target, and what is still missing",
    {
        "target": "people to be reached",
        "reached": "distinct people who attended",
        "still_needed": "target − reached, 0 where the target is passed",
        "per_session": "people one session trains",
        "sessions_needed": "still needed ÷ people a session trains, rounded up",
        "cost_per_session": "£; null where no cost is known",
        "cost": "sessions needed × cost of one, £",
    },
    counts=("reached",),
    context=("target", "per_session", "cost_per_session"),
)
MIX = Shape(
    "mix",
    "How mixed the agencies of a session were",
    {
        "attended": "people who attended",
        "agencies_present": "agencies they came from",
        "share_of_agencies": "agencies present ÷ all agencies of the board, 0 to 1",
        "effective_agencies": "1 ÷ sum of squared shares: as mixed as so many agencies of equal size, whole number",
    },
    counts=("attended",),
    means=("agencies_present", "share_of_agencies", "effective_agencies"),
)
COST = Shape(
    "cost",
    "What a place and a person reached cost",
    {
        "places": "places taken in sessions whose cost is known",
        "people": "distinct people who attended them",
        "sessions": "sessions held",
        "sessions_costed": "sessions whose cost is known",
        "total_cost": "£ of those sessions",
        "cost_per_place": "total cost ÷ places, £",
        "cost_per_person": "total cost ÷ people, £",
    },
    counts=("places", "people"),
    context=("sessions", "sessions_costed", "total_cost"),
)
SHAPES: dict[str, Shape] = {
    shape.name: shape
    for shape in (
        *(COUNT, PROPORTION, RATE, MEAN_CHANGE, RANKING, ATTENDANCE, COVERAGE, NEED, PROGRESS, MIX, COST),
        *(ITEM_CHANGE, ESTIMATE, FUNNEL, CONTROL_CHART),
        *(HEAD_TO_HEAD, RULE_CHECK, POLARISATION, AGENCY_ORDER, VOTE_FIGURE, QUADRANT),
    )
}


def shape_of(columns: list[str]) -> Shape:
    """Recognise the shape of an output table by its columns.

    Raises
    ------
    TableError
        When the columns fit none of the shapes.

    Examples
    --------
    >>> shape_of(["agency", "numerator", "denominator", "proportion", "lower", "upper"]).name
    'proportion'
    """
    marks = {
        "attendance": {"registered", "attended"},
        "mix": {"attended", "agencies_present"},
        "coverage": {"places", "people", "eligible_staff"},
        "need": {"eligible_staff", "current", "need"},
        "progress": {"target", "reached", "still_needed"},
        "cost": {"places", "people", "total_cost"},
        "mean_change": {"n_pairs", "mean_change"},
        "item_change": {"n_pairs", "n_same_high"},
        "estimate": {"n", "estimate"},
        "ranking": {"issue", "score", "rank"},
        "head_to_head": {"issue", "opponent", "wins"},
        "rule_check": {"issue", "kemeny_rank"},
        "polarisation": {"issue", "share_top"},
        "agency_order": {"agreement", "in_common"},
        "vote_figure": {"figure", "value", "n_ballots"},
        "quadrant": {"theme", "urgency", "importance"},
        "funnel": {"observed", "size", "value", "average"},
        "control_chart": {"value", "mean", "near_lower", "near_upper"},
        "proportion": {"numerator", "denominator", "proportion"},
        "rate": {"count", "population", "rate"},
        "count": {"count"},
    }
    for name, needed in marks.items():
        if needed <= set(columns):
            return SHAPES[name]
    raise TableError(
        f"this table has none of the known shapes ({', '.join(SHAPES)}). Found columns: {', '.join(columns) or 'none'}."
    )
