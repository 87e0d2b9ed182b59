"""Sentences of a vote: expected words are written out, numbers come from small tables made by hand."""

import polars as pl
import pytest

from safeguarding_analytics.disclosure import suppress
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.priority_sentences import (
    HIDDEN_RANKING,
    say_absent,
    say_agencies,
    say_agreement,
    say_ballots_to_change,
    say_bands,
    say_bracket,
    say_checks,
    say_divided,
    say_head_to_head,
    say_kemeny,
    say_orders,
    say_quadrants,
    say_ranking,
    say_recount,
    say_rule,
    say_weighting,
    say_without_one,
)
from safeguarding_analytics.safe import already_public
from safeguarding_analytics.vote_figures import CountingRule


def ranking(selected, ballots=12, bands=None):
    """Issues A, B, C, … in order; equal scores where the selection is unknown."""
    names = [chr(65 + number) for number in range(len(selected))]
    tied = [value is None for value in selected]
    first = next((place for place, value in enumerate(tied) if value), None)
    places = [first + 1 if value else place for place, value in enumerate(tied, 1)]
    table = pl.DataFrame(
        {
            "issue": names,
            "score": [-float(place) for place in places],
            "rank": places,
            "tied": tied,
            "selected": pl.Series(selected, dtype=pl.Boolean),
            "firmness": pl.Series(bands or ["toss-up"] * len(names), dtype=pl.String),
            "n_ballots": pl.Series([ballots] * len(names), dtype=pl.Int64),
        },
        schema_overrides={"issue": pl.String},
    )
    return suppress(table, Policy.dfe())


def pairs(rows, ballots=12):
    """One against one: issue, opponent, wins, losses; the other direction is added."""
    both = [*rows, *((opponent, issue, losses, wins) for issue, opponent, wins, losses in rows)]
    table = pl.DataFrame(both, schema=["issue", "opponent", "wins", "losses"], orient="row").select(
        "issue", "opponent", pl.col("wins", "losses").cast(pl.Float64)
    )
    return suppress(
        table.with_columns(margin=pl.col("wins") - pl.col("losses"), n_ballots=pl.lit(ballots, pl.Int64)), Policy.dfe()
    )


CHECK = {
    "issue": "A",
    "rank": 1,
    "selected": True,
    "kemeny_rank": 1,
    "other_weight_rank": 1,
    "in_bracket": False,
    "without_member": False,
    "without_agency": False,
    "safe": None,
    "agreed": True,
    "depends_on": "",
    "n_ballots": 12,
}


def checks(*rows):
    schema = {
        name: pl.String if isinstance(value, str) else pl.Int64 if type(value) is int else pl.Boolean
        for name, value in CHECK.items()
    }
    return suppress(pl.DataFrame([CHECK | row for row in rows], schema=schema), Policy.dfe())


def figures(values, ballots=12, about="B instead of A"):
    table = pl.DataFrame(
        {
            "figure": list(values),
            "about": [about] * len(values),
            "value": pl.Series(list(values.values()), dtype=pl.Float64),
            "n_ballots": pl.Series([ballots] * len(values), dtype=pl.Int64),
        },
        schema_overrides={"figure": pl.String, "about": pl.String},
    )
    return suppress(table, Policy.dfe())


FEW = ranking([True, False], ballots=2)
ENOUGH = ranking([True, False])


def test_rule_is_said_so_that_it_can_be_done_with_a_pencil():
    assert say_rule(CountingRule(seats=4)) == (
        "An issue scores one for each issue a member puts it above, and loses one for each it is put below; add up. "
        "Issues on the same place neither score nor lose against each other. Issues left off a ballot share its last "
        "places. Every member counts the same. The first 4 are chosen; a tie across the cut is shown and left to the "
        "board."
    )
    assert "Every agency counts the same, shared equally by its members who voted. The first issue is chosen" in (
        say_rule(CountingRule(seats=1, weight="agency", unranked="ignore"))
    )


def test_selected_issues_are_named_in_their_order():
    assert say_ranking(ranking([True, True, False, False], 1234), seats=2) == (
        "By 1,234 ballots the first 2 are A and B."
    )


def test_tie_at_the_cut_is_left_to_the_board():
    assert say_ranking(ranking([True, None, None, False]), seats=2) == (
        "By 12 ballots these are in: A. B and C tie for 1 further place: the board decides."
    )


def test_tie_of_all_issues_selects_none_outright():
    assert say_ranking(ranking([None, None, None]), seats=2) == (
        "By 12 ballots these are in: none outright. A, B and C tie for 2 places: the board decides."
    )


def test_single_seat_is_said_in_the_singular():
    assert say_ranking(ranking([True, False]), seats=1) == "By 12 ballots the first is A."


def test_fewer_issues_than_seats_are_all_named_and_counted():
    assert say_ranking(ranking([True, True]), seats=4) == "By 12 ballots the first 2 are A and B."


@pytest.mark.parametrize("table", [FEW, ranking([])], ids=["few ballots", "no issue"])
def test_hidden_ranking_hides_every_sentence_made_from_it(table):
    one_against_one = pairs([("A", "B", 7, 5)])
    assert say_ranking(table, seats=4) == HIDDEN_RANKING
    assert say_bands(table) == HIDDEN_RANKING
    assert say_head_to_head(table, one_against_one) == HIDDEN_RANKING
    assert say_recount(table) == HIDDEN_RANKING


def test_few_ballots_hide_what_is_worked_out_of_them():
    hidden = figures({"agreement of all ballots": 0.5, "ballots turned upside down": 3}, ballots=2)
    assert say_agreement(hidden) == HIDDEN_RANKING
    assert say_ballots_to_change(hidden) == HIDDEN_RANKING
    assert say_kemeny(hidden) == HIDDEN_RANKING
    few = checks({"n_ballots": 2})
    for say in (say_checks, say_bracket, say_without_one):
        assert say(few) == HIDDEN_RANKING
    assert say_absent(few, hidden) == HIDDEN_RANKING
    assert say_weighting(hidden, CountingRule()) == ""


def test_issues_are_named_by_how_often_they_would_be_in():
    bands = ["firmly in", "probably in", "toss-up", "toss-up", "firmly out"]
    assert say_bands(ranking([True, True, True, False, False], bands=bands)) == (
        "In boards made of members like these A is firmly in; B is probably in; C and D are a toss-up; all others are "
        "firmly out. Firmly means 95 of 100 such boards or more, probably 80 or more; a toss-up lies between 20 "
        "and 80."
    )


def test_chosen_issue_that_loses_one_against_one_is_an_exception_to_discuss():
    table = pairs([("A", "B", 5, 7), ("A", "C", 9, 3), ("B", "C", 6, 6)])
    assert say_head_to_head(ranking([True, False, False]), table) == (
        "B was left out, and more put it above A than below (7 to 5). These are points to discuss."
    )
    assert say_head_to_head(ranking([True, True, False]), table) == (
        "One against one, no issue that was left out beats one that was chosen; some are level."
    )
    assert say_head_to_head(ranking([True, False, False]), pairs([("A", "B", 8, 4), ("A", "C", 9, 3)])) == (
        "One against one, each issue that was chosen beats each one that was left out."
    )
    assert say_head_to_head(ranking([None, None, None]), table) == (
        "No issue was chosen outright, so none is compared with those left out."
    )
    assert say_head_to_head(ranking([True, True, True]), table) == "No issue was left out."


def test_score_of_the_first_issue_is_worked_out_again():
    first = ranking([True, False, False]).frame().drop("mark")
    told = first.with_columns(
        above=pl.Series([16.0, 11.0, 9.0]), below=pl.Series([8.0, 13.0, 15.0]), score=pl.Series([8.0, -2.0, -6.0])
    ).select("issue", "above", "below", pl.exclude("issue", "above", "below"))
    assert say_recount(suppress(told, Policy.dfe())) == (
        "Take A: in the first rows of the table of issues one against one, it was put above the others 16 times in all "
        "and below them 8 times; the "
        "difference is its score, 8. Any other issue can be counted again in the same way."
    )
    drawn = told.with_columns(points=(pl.col("score") + 12 * 4) / 2)  # 12 ballots of 3 issues: 3, 2 and 1 points
    assert "its score, 8. Charts draw that as 28 points, which give the same order. Any other issue" in say_recount(
        suppress(drawn, Policy.dfe())
    )


def test_all_checks_agree():
    assert say_checks(checks({}, {"issue": "B", "rank": 2, "selected": False})) == (
        "Every way of counting chooses the same issues. Tried were five rules (Borda, Copeland, Schulze, ranked pairs "
        "and Kemeny), both weights (each member the same, each agency the same) and both conventions for issues left "
        "off a ballot."
    )


def test_issues_on_which_checks_differ_are_to_be_discussed_with_the_reason():
    said = say_checks(
        checks(
            {},
            {"issue": "B", "rank": 2, "agreed": False, "depends_on": "the rule", "other_weight_rank": None},
        )
    )
    assert said.startswith(
        "Not every way of counting chooses the same issues: B depends on the rule. Discuss it. Tried were five rules ("
    )
    none = say_checks(checks({"other_weight_rank": None}))
    assert "one weight (agencies are not told apart)" in none


def test_issues_level_across_the_cut_are_left_to_discussion():
    out = {"issue": "C", "rank": 3, "selected": False}
    level = [{"in_bracket": True}, {"issue": "B", "rank": 2, "in_bracket": True}, out]
    assert say_bracket(checks(*level)) == (
        "It is not clear beyond doubt which of A and B belong above the cut: a stricter test, which compares every "
        "issue above it with every issue below it, leaves that open. What is said to be firmly in or out looks at each "
        "issue by itself; this allows for all comparisons at once."
    )
    assert say_bracket(checks({}, out)).startswith("The cut is clear")
    assert say_bracket(checks({})) == "There is no cut: all issues are chosen."
    assert say_bracket(checks({"in_bracket": None}, out | {"in_bracket": None})) == (
        "How clear the cut is cannot be told: boards drawn at random from one agency are all the same."
    )


def test_member_or_agency_whose_absence_would_matter_is_never_named():
    said = say_without_one(checks({"without_member": True}, {"issue": "B", "rank": 2}))
    assert said == (
        "Leaving out a single member can change whether A is chosen. "
        "The same issues are chosen whichever agency is left out."
    )
    either = {"without_member": True, "without_agency": True}
    assert say_without_one(checks(either, {"issue": "B", "rank": 2})) == (
        "Leaving out a single member or agency can change whether A is chosen."
    )
    assert say_without_one(checks({})) == "The same issues are chosen whichever member or agency is left out."
    assert say_without_one(checks({"without_agency": None})) == (
        "The same issues are chosen whichever member is left out."
    )


def test_fewest_ballots_that_would_change_the_list_are_said():
    found = figures({"ballots turned upside down": 3, "ballots replaced by others": 2, "ballots taken away": 4})
    assert say_ballots_to_change(found) == (
        "B would overtake A with any one of these changes (ballots replaced by others: 2; ballots turned upside down: "
        "3; ballots taken away: 4). With fewer of any one kind no other issue would get ahead, though one may draw "
        "level."
    )


def test_list_that_no_ballots_can_change_is_said_to_be_so():
    assert say_ballots_to_change(figures({"ballots taken away": None})) == (
        "No change of ballots would put another issue among the priorities."
    )


def test_what_was_not_worked_out_is_not_said_to_be_impossible():
    assert say_ballots_to_change(figures({"agreement of all ballots": 1.0})) == (
        "How few ballots would change the list is worked out only where issues left off share the last places."
    )
    assert say_absent(checks({"safe": None}), figures({"ballots still to come": 2})) == (
        "What absent members could change is worked out only where issues left off share the last places."
    )


def test_absent_members_and_what_they_could_decide():
    rows = (
        {"safe": True},
        {"issue": "B", "rank": 2, "safe": False},
        {"issue": "C", "rank": 3, "selected": False, "safe": False},
    )
    said = say_absent(checks(*rows), figures({"ballots still to come": 2}))
    assert said == "With 2 ballots still to come, A stays in whatever they say; they could decide about B and C."
    one = say_absent(checks(*rows), figures({"ballots still to come": 1}))
    assert one == "Ballots still to come: 1. A stays in whatever it says; it could decide about B and C."
    tie = {"selected": None, "safe": None}
    assert say_absent(checks(tie, {"issue": "B", **tie}), figures({"ballots still to come": 1})) == (
        "Ballots still to come: 1. No issue is certain to stay in; it could decide about A and B."
    )
    assert say_absent(checks({"safe": True}), figures({"ballots still to come": 0})) == (
        "There are 0 ballots still to come: all members have voted."
    )
    assert say_absent(checks({}), figures({"agreement of all ballots": 1.0})) == ""


@pytest.mark.parametrize(
    ("w", "words"),
    # Schmidt 1997 names 0.1, 0.3, 0.5, 0.7 and 0.9; the limits stand half-way between.
    [
        (0.0, "0.00 (…): very weak"),
        (0.1, "0.10 (…): very weak"),
        (0.19, "0.19 (…): very weak"),
        (0.2, "0.20 (…): weak"),
        (0.3, "0.30 (…): weak"),
        (0.5, "0.50 (…): moderate"),
        (0.7, "0.70 (…): strong"),
        (0.8, "0.80 (…): very strong"),
        (1.0, "1.00 (…): very strong"),
    ],
)
def test_agreement_is_put_into_words(w, words):
    number, strength = words.split(" (…): ")
    assert say_agreement(figures({"agreement of all ballots": w})) == (
        f"Members' rankings show {strength} agreement: the agreement of all ballots is {number} (0 = not at all, 1 = "
        "all the same)."
    )


@pytest.mark.parametrize(("p", "often"), [(0.0005, "hardly ever"), (0.02, "seldom"), (0.4, "easily")])
def test_agreement_is_set_beside_chance(p, often):
    found = {
        "agreement of all ballots": 0.31,
        "agreement of ballots filled in at random": 0.08,
        "chance of as much agreement at random": p,
        "mean agreement of two members": -0.2,
    }
    assert say_agreement(figures(found)) == (
        "Members' rankings show weak agreement: the agreement of all ballots is 0.31 (0 = not at all, 1 = all "
        f"the same). The agreement of ballots filled in at random is about 0.08: chance alone {often} gives as much "
        "as this vote shows. The mean agreement of two members is −0.20 on a like scale, where opposite orders count "
        "as negative."
    )


def test_unknown_agreement_is_said_to_be_unknown():
    assert say_agreement(figures({"mean agreement of two members": 1.0})) == (
        "How far members agree cannot be worked out from these ballots."
    )


def test_equal_weight_of_agencies_is_told_by_effective_ballots():
    assert say_weighting(figures({"effective ballots": 8.4}, ballots=30), CountingRule()) == (
        "This vote counts every member the same. If each agency weighed the same, the 30 ballots would be worth 8.4 "
        "effective ballots (ballots of equal weight): the more unequal the agencies are in size, the fewer."
    )
    assert say_weighting(figures({"agreement of all ballots": 0.5}), CountingRule()) == ""
    assert say_weighting(figures({"effective ballots": 8.4}, ballots=30), CountingRule(weight="agency")) == (
        "This vote counts every agency the same. So the 30 ballots are worth 8.4 effective ballots (ballots of equal "
        "weight): the more unequal the agencies are in size, the fewer."
    )


def test_number_of_tied_kemeny_orders_is_always_said():
    cost, orders = "disagreements", "orders with the fewest disagreements"
    assert say_kemeny(figures({cost: 235, orders: 36})) == (
        "Counted over every pair of issues on every ballot, the best order has 235 disagreements with the ballots; "
        "there are 36 orders with the fewest disagreements."
    )
    assert "; no other order has so few." in say_kemeny(figures({cost: 235, orders: 1}))
    assert "how many are as good is not counted" in say_kemeny(figures({cost: 235}))


def test_divided_issues_are_named_with_both_shares():
    table = pl.DataFrame(
        {
            "issue": ["A", "B"],
            "n_ballots": [12, 12],
            "mean_place": [2.0, 2.0],
            "share_top": [0.5, 0.25],
            "share_bottom": [0.42, 0.1],
            "polarised": [0.42, 0.1],
            "divided": [True, False],
        }
    )
    assert say_divided(suppress(table, Policy.dfe())) == (
        "Members are divided on A (among the first of 50%, among the last of 42%): points to discuss before the list "
        "is agreed."
    )
    calm = suppress(table.with_columns(divided=pl.lit(value=False)), Policy.dfe())
    assert say_divided(calm) == (
        "No issue is among the first of a third of the members and among the last of another third."
    )
    not_judged = suppress(table.with_columns(divided=pl.lit(None, pl.Boolean)), Policy.dfe())
    assert say_divided(not_judged).startswith("Whether an issue divides the members is judged only where there are")


def test_agencies_apart_are_named_and_small_ones_are_not():
    table = pl.DataFrame(
        {
            "agency": ["Health", "Police", "School", "Youth"],
            "n_ballots": [9, 8, 2, 1],
            "agreement": [0.7, -0.1, 0.9, 0.9],
            "in_common": [3.0, 1.0, 4.0, 4.0],
            "p_value": [0.4, 0.001, 0.5, 0.5],
            "p_holm": [0.8, 0.002, 1.0, 1.0],
        }
    )
    assert say_agencies(suppress(table, Policy.dfe())) == (
        "Police ranks the issues otherwise than the others do. Agencies with few ballots are not shown, nor any whose "
        "numbers would give those away."
    )
    assert say_agencies(suppress(table.clear(), Policy.dfe())) == ""


def orders(**of):
    """A ranking of the issues A to D by agency, by the places of each; None where the agency has few ballots."""
    rows = [
        (agency, issue, None if places is None else places[at], "[c]" if places is None else "")
        for agency, places in of.items()
        for at, issue in enumerate("ABCD")
    ]
    frame = pl.DataFrame(rows, schema=["agency", "issue", "rank", "mark"], orient="row").cast({"rank": pl.Int64})
    empty = pl.lit(None, pl.Float64)
    ballots = pl.when(pl.col("mark") == "").then(9).cast(pl.Int64)
    return already_public(
        frame.select(
            *("agency", "issue"),
            score=empty,
            points=empty,
            rank="rank",
            tied=pl.lit(None, pl.Boolean),
            selected=pl.lit(None, pl.Boolean),
            n_ballots=ballots,
            mark="mark",
        ),
        "By hand",
    )


def test_orders_of_agencies_say_which_issue_each_puts_first():
    first = orders(Health=[2, 1, 3, 4], Housing=[1, 2, 3, 4], Police=[4, 1, 2, 3], Schools=None)
    assert say_orders(first) == (
        "Each agency counted by itself: Health and Police put B first; Housing puts A first. Agencies with few ballots "
        "are not shown, nor any whose numbers would give those away."
    )


def test_orders_of_agencies_say_which_issues_are_level_unless_they_are_many():
    assert say_orders(orders(Health=[1, 1, 3, 4], Police=[1, 1, 1, 1])) == (
        "Each agency counted by itself: Health puts A and B first; Police puts several issues first."
    )


def test_orders_of_agencies_of_few_ballots_alone_are_not_shown():
    assert say_orders(orders(Health=None, Police=None)) == (
        "No agency's own order is shown: agencies with few ballots are not shown, nor any whose numbers would give "
        "those away."
    )
    assert say_orders(orders()) == ""


def test_urgent_and_important_themes_are_named_with_the_lines():
    table = pl.DataFrame(
        {
            "theme": ["Gangs", "Neglect"],
            "boards": [3, 3],
            "urgency": [3.0, 8.0],
            "importance": [3.0, 9.0],
            "quadrant": ["neither", "do first"],
            "urgent_from": [5.5, 5.5],
            "important_from": [6.0, 6.0],
            "agreed": [False, True],
        }
    )
    assert say_quadrants(suppress(table, Policy.dfe())) == (
        "With the lines drawn at 5.5 (urgency) and 6 (importance), Neglect is both urgent and important, by "
        "the middle of the boards' judgements. "
        "Boards place Gangs in different quadrants."
    )
    unknown = table.with_columns(urgent_from=pl.lit(None, pl.Float64))
    assert say_quadrants(suppress(unknown, Policy.dfe())) == ""
