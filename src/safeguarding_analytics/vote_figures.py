"""The rule by which a vote is counted, and what the single numbers of a count are called."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from safeguarding_analytics.config import PrioritiesSection

TURNED = "ballots turned upside down"
REWRITTEN = "ballots replaced by others"
TAKEN_AWAY = "ballots taken away"
CAME_LATER = "further ballots that put it first and the other last"
INSTEAD_OF = " instead of "
"""Between the issue that would come in and the one that would go out."""

ABSENT = "ballots still to come"
W, TAU = "agreement of all ballots", "mean agreement of two members"
W_BY_CHANCE, W_P = "agreement of ballots filled in at random", "chance of as much agreement at random"
EFFECTIVE = "effective ballots"
DISAGREEMENTS, OPTIMAL_ORDERS = "disagreements", "orders with the fewest disagreements"
"""What the single numbers of a vote are called, in tables and in sentences."""

EQUAL_AGENCIES = {"member": "if each agency weighed the same", "agency": "as each agency weighs the same"}
"""What effective ballots are about, by the weight that was fixed."""


@dataclass(frozen=True)
class CountingRule:
    """How ballots are counted, fixed before they are opened.

    Parameters
    ----------
    seats
        How many issues become priorities.
    weight
        ``"member"``: each member weighs 1; ``"agency"``: each agency does.
    unranked
        ``"share"``: issues left off a ballot share its last places; ``"ignore"``: they are not compared.
    resamples, seed
        Boards drawn at random to see how firm the choice is, and where the drawing starts.
    resample
        What boards are drawn from: ``"member"`` or ``"agency"``; None: as `weight`.
    members
        Members who may vote; None where that is not stated.
    stated
        Whether `board.toml` states seats, weight and unranked, or leaves some of them to the program.
    """

    seats: int = 4
    weight: Literal["member", "agency"] = "member"
    unranked: Literal["share", "ignore"] = "share"
    resamples: int = 2000
    seed: int = 20150925
    resample: Literal["member", "agency"] | None = None
    members: int | None = None
    stated: bool = True

    @classmethod
    def of(cls, settings: PrioritiesSection) -> CountingRule:
        """The rule that ``[priorities]`` of `board.toml` fixes."""
        asked = settings.model_dump(include={field.name for field in fields(cls)})
        return cls(**asked, stated={"seats", "weight", "unranked"} <= settings.model_fields_set)

    def but(self, **asked: Any) -> CountingRule:
        """The rule with what was asked for otherwise; what is empty or 0 stays as it is.

        Examples
        --------
        >>> CountingRule(seats=4).but(seats=0, weight="agency").weight
        'agency'
        """
        return replace(self, **{name: value for name, value in asked.items() if value})
