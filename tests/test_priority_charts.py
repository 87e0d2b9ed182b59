"""Charts of priorities: what they show, what they hide, and that they show nothing that is not published."""

import json
import re
import shutil
from functools import cache

import nbformat
import polars as pl
import pytest
import vl_convert

from safeguarding_analytics import member_charts, priority_charts, quadrant_charts
from safeguarding_analytics.chart_figures import figure_html
from safeguarding_analytics.chart_marks import COLOURS
from safeguarding_analytics.disclosure import Policy, already_public, suppress
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.leaks import find_leaks
from safeguarding_analytics.pages import page_html
from safeguarding_analytics.release import publish

POLICY = Policy.dfe()
NEGLECT, ABUSE, BULLYING = "Neglect", "Domestic abuse", "Bullying"
LONG = "Early intervention and prevention in all of the districts together"
BALLOTS = 12

RANKED = pl.DataFrame(
    {
        "issue": [NEGLECT, LONG, ABUSE, BULLYING],
        "score": [26.0, 4.0, -5.0, -25.0],
        "points": [43.0, 32.0, 27.5, 17.5],
        "rank": [1, 2, 3, 4],
        "tied": [False, False, False, False],
        "selected": [True, True, False, False],
        "p_selected": [1.0, 0.7, 0.3, 0.0],
        "firmness": ["firmly in", "toss-up", "toss-up", "firmly out"],
        "n_ballots": [BALLOTS] * 4,
    }
)
TIED = RANKED.with_columns(
    score=pl.Series([26.0, -0.5, -0.5, -25.0]),
    points=pl.Series([43.0, 29.75, 29.75, 17.5]),
    rank=pl.Series([1, 2, 2, 4]),
    tied=pl.Series([False, True, True, False]),
    selected=pl.Series([True, None, None, False]),
    p_selected=pl.Series([1.0, 0.5, 0.5, 0.0]),
)
WEIGHED = pl.concat(
    table.select(pl.lit(weight).alias("weight"), *RANKED.columns)
    for weight, table in (("One member, one vote", RANKED), ("Each agency the same", TIED))
)
# (issue, opponent): of twelve members, those who put the issue above, and those who put it below; the rest tie the two.
WINS = {
    (NEGLECT, ABUSE): (5, 7),  # the ranking leaves domestic abuse out, and it beats the first
    (NEGLECT, BULLYING): (11, 1),
    (NEGLECT, LONG): (8, 4),
    (ABUSE, BULLYING): (6, 6),
    (ABUSE, LONG): (4, 7),
    (BULLYING, LONG): (2, 10),
}
PAIRS = pl.DataFrame(
    [
        {"issue": i, "opponent": j, "wins": float(a), "losses": float(b), "margin": float(a - b), "n_ballots": BALLOTS}
        for (one, other), (won, lost) in WINS.items()
        for i, j, a, b in ((one, other, won, lost), (other, one, lost, won))
    ]
).sort("issue", "opponent")
CHECKED = pl.DataFrame(
    {
        "issue": [NEGLECT, LONG, ABUSE, BULLYING],
        "rank": [1, 2, 3, 4],
        "selected": [True, True, False, False],
        "copeland_rank": [1, 3, 2, 4],
        "schulze_rank": [1, 2, 2, 4],
        "kemeny_rank": [1, 2, 3, 4],
        "p_copeland": [1.0, 0.6, 0.4, 0.0],
        "agreed": [True, False, False, True],
        "depends_on": [None, "Copeland", "Copeland", None],
        "n_ballots": [BALLOTS] * 4,
    }
)
DIVIDED = pl.DataFrame(
    {
        "issue": [NEGLECT, LONG, ABUSE, BULLYING],
        "n_ballots": [BALLOTS] * 4,
        "mean_place": [1.4, 2.3, 2.7, 3.55],
        "share_top": [11 / 12, 0.5, 0.5, 1 / 12],
        "share_bottom": [1 / 12, 0.25, 0.5, 11 / 12],
        "polarised": [0.17, 0.5, 1.0, 0.17],
        "divided": [False, False, True, False],
        "eta_squared": [0.113, 0.127, 0.131, 0.149],
        "p_value": [0.21, 0.22, 0.23, 0.24],
        "p_holm": [0.84, 0.84, 0.84, 0.84],
    }
)
# Probation has too few ballots, and Housing is hidden with it.
AGENCIES = pl.DataFrame(
    {
        "agency": ["Education", "Health", "Housing", "Police", "Probation"],
        "n_ballots": [5, 4, None, 3, None],
        "agreement": [0.62, 1.0, None, -0.33, None],
        "in_common": [2, 2, None, 1, None],
        "p_value": [0.8, 0.9, None, 0.01, None],
        "p_holm": [1.0, 1.0, None, 0.03, None],
        "mark": ["", "", "[c]", "", "[c]"],
    }
)
THEMES = pl.DataFrame(
    {
        "theme": ["Forced marriage", "Gangs", LONG, "Prevent"],
        "boards": [3, 3, 3, 3],
        "urgency": [4.0, 4.0, 9.0, 7.0],
        "urgency_lowest": [3.0, 4.0, 8.0, 5.0],
        "urgency_highest": [4.0, 5.0, 10.0, 9.0],
        "importance": [5.0, 5.0, 9.0, 6.0],
        "importance_lowest": [4.0, 3.0, 8.0, 3.0],
        "importance_highest": [8.0, 5.0, 9.0, 7.0],
        "quadrant": ["neither", "neither", "do first", "do first"],
        "urgent_from": [5.5] * 4,
        "important_from": [5.5] * 4,
        "boards_in_quadrant": [2, 3, 3, 1],
        "agreed": [False, True, True, False],
    }
)
PLACED = pl.DataFrame(
    {
        "board": ["Adults", "Adults", "Children", "Children"],
        "theme": ["Gangs", "Prevent", "Gangs", "Prevent"],
        "urgency": [3.0, 7.0, 3.5, 6.0],
        "importance": [5.0, 3.0, 3.0, 6.0],
        "quadrant": ["neither", "urgent, less important", "neither", "do first"],
        "urgent_from": [5.5] * 4,
        "important_from": [5.5] * 4,
    }
)


def public(table):
    return already_public(table, "made up")


def safe(table):
    return suppress(table, POLICY)


TABLES = {
    "ranking": safe(RANKED),
    "ranking_tied": safe(TIED),
    "ranking_by_weight": safe(WEIGHED),
    "head_to_head": safe(PAIRS),
    "rule_check": safe(CHECKED),
    "polarisation": safe(DIVIDED),
    "agency_order": public(AGENCIES),
    "quadrants": safe(THEMES),
    "quadrants_by_board": safe(PLACED),
}
ORDER = [NEGLECT, LONG, ABUSE, BULLYING]
PLOTS = {
    "ranking": (priority_charts.plot_ranking, {"seats": 2}),
    "ranking_tied": (priority_charts.plot_ranking, {"seats": 2}),
    "ranking_by_weight": (priority_charts.plot_ranking, {"group": "weight"}),
    "head_to_head": (member_charts.plot_head_to_head, {"order": ORDER, "selected": ORDER[:2]}),
    "rule_check": (priority_charts.plot_rule_check, {"seats": 2}),
    "polarisation": (member_charts.plot_polarisation, {}),
    "agency_order": (member_charts.plot_agency_order, {}),
    "quadrants": (quadrant_charts.plot_quadrants, {}),
    "quadrants_by_board": (quadrant_charts.plot_quadrants, {}),
}
TITLE = "What comes first?"
NAMES = list(PLOTS)
OF_BALLOTS = [name for name in NAMES if not name.startswith("quadrants")]


@cache
def drawn(name):
    """The specification of a chart."""
    plot, options = PLOTS[name]
    return specified(plot(TABLES[name], title=TITLE, **options))


def specified(chart):
    """What is drawn. Vega-Lite reads it as it is; Altair would take a second to look at each."""
    return chart if isinstance(chart, dict) else chart.to_dict(validate=False)


def said_of(chart):
    return specified(chart)["description"]


def rows_of(chart):
    specification = specified(chart)
    return specification["datasets"][specification["data"]["name"]]


def picture(chart, width=680):
    """The chart as it is drawn at a width, in pixels, as SVG; without its title, which the page prints."""
    specification = {name: value for name, value in specified(chart).items() if name != "title"}
    fixed = {"width": width, "autosize": {"type": "fit-x", "contains": "padding"}}
    return _svg(json.dumps({**specification, **fixed}))


@cache
def _svg(specification):
    return vl_convert.vegalite_to_svg(specification, "6.4")


def texts_of(chart, width=680):
    """What a chart prints at a width: text → places from the left and the top."""
    found = {}
    for x, y, said in re.findall(
        r"<text[^>]*translate\(([-\d.]+),([-\d.]+)\)[^>]*>(.*?)</text>", picture(chart, width)
    ):
        said = " ".join(re.sub(r"<[^>]+>", " ", said).replace("&amp;", "&").split())
        found.setdefault(said, []).append((float(x), float(y)))
    return found


def boxes_of(chart, width=680):
    """The boxes of a chart by what is said of them: left end, width and fill."""
    found = {}
    for path in re.findall(r'<path aria-label="[^"]*"[^>]*>', picture(chart, width)):
        said = re.search(r'aria-label="([^"]*)"', path)[1]
        place = re.search(r' d="M([-\d.]+),[-\d.]+h([-\d.]+)', path)
        fill = re.search(r' fill="([^"]*)"', path)
        if place and fill:
            found[said] = (float(place[1]), float(place[2]), fill[1])
    return found


def hidden(table):
    """The same table, all of it hidden."""
    frame = table.frame()
    kept = {*table.shape.group_columns(frame.columns), *table.shape.names, "mark"}
    nulls = [pl.lit(None, kind).alias(one) for one, kind in frame.schema.items() if one not in kept]
    return public(frame.with_columns(*nulls, mark=pl.lit("[c]")))


# Conventions


@pytest.mark.parametrize("name", NAMES)
def test_a_chart_carries_exactly_the_fields_it_draws(name):
    chart = drawn(name)
    layers = json.dumps({**specified(chart), "datasets": {}})
    used = {one for pair in re.findall(r'"field": "(\w+)"|datum\.(\w+)', layers) for one in pair}
    assert {field for row in rows_of(chart) for field in row} <= used


@pytest.mark.parametrize("name", NAMES)
def test_every_chart_is_described_by_its_title_and_how_many_are_hidden(name):
    said = said_of(drawn(name))
    assert said.startswith("What comes first? ")
    assert ("Hidden ([c]): 2 of 5." if name == "agency_order" else "Hidden: 0 of ") in said


@pytest.mark.parametrize("name", NAMES)
def test_no_letter_is_smaller_than_12_pixels(name):
    sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)px"', picture(drawn(name), 318))]
    assert min(sizes) >= 12


@pytest.mark.parametrize("name", NAMES)
def test_colours_are_those_of_the_palette(name):
    text = json.dumps({**drawn(name), "config": {}})
    assert set(re.findall(r"#[0-9A-Fa-f]{6}", text)) <= {*COLOURS, "#3D3D3D"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [318, 860])
def test_every_chart_fills_its_width_and_nothing_stands_outside(name, width):
    assert drawn(name)["width"] == "container"
    svg = picture(drawn(name), width)
    assert abs(float(re.search(r'<svg[^>]* width="([\d.]+)"', svg)[1]) - width) <= 1
    assert all(-1 <= x <= width for places in texts_of(drawn(name), width).values() for x, _ in places)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("table", [RANKED, None])
def test_only_tables_that_went_through_suppress_are_drawn(name, table):
    with pytest.raises(ParameterError, match=r"charts draw only tables that went through suppress\(\)"):
        PLOTS[name][0](table, title="x")


@pytest.mark.parametrize("name", NAMES)
def test_table_of_another_shape_is_refused(name):
    counts = safe(pl.DataFrame({"agency": ["A"], "count": [9]}))
    with pytest.raises(ParameterError, match="Found: count"):
        PLOTS[name][0](counts, title="x")


@pytest.mark.parametrize("name", NAMES)
def test_empty_table_says_that_there_are_no_rows(name):
    empty = public(TABLES[name].frame().clear())
    assert said_of(PLOTS[name][0](empty, title="Who came")) == "Who came. No rows to draw."


@pytest.mark.parametrize("name", OF_BALLOTS)
def test_what_is_wholly_hidden_has_its_marks_and_no_number_of_the_table(name):
    plot, options = PLOTS[name]
    chart = plot(hidden(TABLES[name]), title="x", **options)
    rows = rows_of(chart)
    assert {row["note"] for row in rows} == {"[c]"}
    numbers = [value for row in rows for value in row.values() if isinstance(value, int | float)]
    assert [number for number in numbers if not isinstance(number, bool)] == []
    assert len(texts_of(chart)["[c]"]) == len({row["row"] for row in rows}) == len(rows)
    assert not re.search(r"Selected|Discuss|beats|divided|Most alike|Largest", said_of(chart))


@pytest.mark.parametrize("name", OF_BALLOTS)
def test_order_of_hidden_rows_is_by_name(name):
    if name == "head_to_head":  # in the order that is asked for
        chart = member_charts.plot_head_to_head(hidden(TABLES[name]), title="x")
    else:
        chart = PLOTS[name][0](hidden(TABLES[name]), title="x", **PLOTS[name][1])
    places = {text: min(y for _, y in found) for text, found in texts_of(chart, 318).items()}
    names = sorted(row["row"] for row in rows_of(chart))
    firsts = [next(y for text, y in places.items() if text and one.startswith(text[:12])) for one in names]
    assert firsts == sorted(firsts)


@pytest.mark.parametrize(
    ("name", "grouped"),
    [
        ("ranking", {}),
        ("head_to_head", {}),
        ("rule_check", {}),
        ("polarisation", {}),
    ],
)
def test_groups_that_are_not_named_are_refused(name, grouped):
    frame = TABLES[name].frame().drop("mark")
    both = pl.concat(frame.select(pl.lit(one).alias("weight"), *frame.columns) for one in ("member", "agency"))
    with pytest.raises(ParameterError, match="Found groups by weight"):
        PLOTS[name][0](public(both), title="x")


# The ranking


def test_ranking_draws_the_points_of_each_issue_in_order():
    chart = drawn("ranking")
    assert [(row["row"], row["rank"], row["value"], row["shown"], row["boards"]) for row in rows_of(chart)] == [
        (NEGLECT, 1, 43.0, "firmly in", "in nearly all boards"),
        (LONG, 2, 32.0, "toss-up", "in 70 of 100 boards"),
        (ABUSE, 3, 27.5, "toss-up", "in 30 of 100 boards"),
        (BULLYING, 4, 17.5, "firmly out", "in hardly any board"),
    ]
    texts = texts_of(chart)
    assert {"43", "32", "27.5", "17.5", "firmly in", "in 70 of 100 boards", "cut after 2"} <= set(texts)
    places = [texts[text][0][1] for text in ("43", "32", "cut after 2", "27.5", "17.5")]
    assert places == sorted(places)
    assert f"Selected: {NEGLECT}, {LONG}; cut after 2." in said_of(chart)


def test_bars_of_a_ranking_begin_at_nothing_and_are_as_long_as_their_points():
    boxes = boxes_of(drawn("ranking"))
    lengths = [boxes[said][1] for said in boxes]
    assert [length / lengths[0] for length in lengths] == pytest.approx([1, 32 / 43, 27.5 / 43, 17.5 / 43], abs=0.01)
    assert [fill for _, _, fill in boxes.values()] == [COLOURS[0], COLOURS[0], "white", "white"]


def test_tie_at_the_cut_is_drawn_and_said():
    chart = drawn("ranking_tied")
    texts = texts_of(chart)
    assert len(texts["2="]) == 2
    assert "a tie straddles the cut of 2" in texts
    assert f"Selected: {NEGLECT}; a tie straddles the cut of 2." in said_of(chart)
    assert [row["series"] for row in rows_of(chart)] == [
        "selected",
        "tied at the cut",
        "tied at the cut",
        "not selected",
    ]


def test_ranking_without_points_is_drawn_by_wins_minus_losses():
    table = RANKED.with_columns(points=pl.lit(None, pl.Float64))
    chart = priority_charts.plot_ranking(safe(table), title="x", seats=2)
    assert [row["value"] for row in rows_of(chart)] == [26.0, 4.0, -5.0, -25.0]
    boxes = boxes_of(chart)
    ends = [(left, left + width) for left, width, _ in boxes.values()]
    zero = ends[0][0]
    assert ends[1][0] == pytest.approx(zero, abs=0.5)
    assert ends[2][1] == ends[3][1] == pytest.approx(zero, abs=0.5)  # losses lie to the left
    assert "Wins minus losses" in texts_of(chart)


def test_ranking_that_selects_all_has_no_cut():
    chart = priority_charts.plot_ranking(safe(RANKED.with_columns(selected=pl.lit(True))), title="x", seats=4)
    assert not [text for text in texts_of(chart) if "cut" in text]


def test_ranking_without_bands_says_how_often_or_whether():
    frame = RANKED.drop("firmness")
    assert [row["shown"] for row in rows_of(priority_charts.plot_ranking(safe(frame), title="x"))] == [
        *("selected", "selected", "not selected", "not selected")
    ]


def test_ranking_by_group_stands_side_by_side_in_the_order_of_the_first():
    chart = drawn("ranking_by_weight")
    cells = {(row["row"], row["series"]): (row["value"], row["outcome"]) for row in rows_of(chart)}
    assert cells[LONG, "One member, one vote"] == (2, "selected")
    assert cells[LONG, "Each agency the same"] == (2, "tied at the cut")
    assert cells[ABUSE, "One member, one vote"] == (3, "not selected")
    boxes = boxes_of(chart)
    assert (
        boxes[f"{NEGLECT}, One member, one vote: place 1, selected"][0]
        < (boxes[f"{NEGLECT}, Each agency the same: place 1, selected"][0])
    )


def test_unknown_group_gets_the_nearest_name():
    with pytest.raises(ParameterError, match='Did you mean "weight"'):
        priority_charts.plot_ranking(TABLES["ranking_by_weight"], title="x", group="weights")


# One against one


def test_head_to_head_prints_wins_and_losses_of_every_pair():
    chart = drawn("head_to_head")
    assert {(row["row"], row["series"]): (row["wins"], row["losses"]) for row in rows_of(chart)} == {
        **WINS,
        **{(other, one): (lost, won) for (one, other), (won, lost) in WINS.items()},
    }
    assert {"11 : 1", "1 : 11", "6 : 6", "5 : 7"} <= set(texts_of(chart, 860))


def test_left_out_issue_that_beats_a_selected_one_is_outlined_and_said():
    chart = drawn("head_to_head")
    assert [(row["row"], row["series"]) for row in rows_of(chart) if row["outlined"]] == [(ABUSE, NEGLECT)]
    assert f"{ABUSE} is left out and beats {NEGLECT}, 7 : 5." in said_of(chart)
    without = member_charts.plot_head_to_head(TABLES["head_to_head"], title="x")
    assert not [row for row in rows_of(without) if row["outlined"]]


def lines_upright(svg):
    """The upright dashed lines of a picture: top and bottom."""
    lines = [part for part in re.findall(r"<line[^>]*>", svg) if "stroke-dasharray" in part and ' y2="0"' not in part]
    tops = [float(re.search(r"translate\([-\d.]+,([-\d.]+)\)", line)[1]) for line in lines]
    return [
        tuple(sorted((top, top + float(re.search(r' y2="([-\d.]+)"', line)[1]))))
        for top, line in zip(tops, lines, strict=True)
    ]


def test_line_of_the_cut_runs_through_no_name_on_a_telephone():
    chart = drawn("head_to_head")
    lines = lines_upright(picture(chart, 318))
    assert len(lines) == len(ORDER)
    names = [y for text in (NEGLECT, ABUSE, BULLYING) for _, y in texts_of(chart, 318)[text]]
    assert names
    for y in names:  # letters are 10 pixels high
        assert not any(top < y and y - 10 < bottom for top, bottom in lines)


@pytest.mark.parametrize("width", [620, 660])
def test_names_end_before_the_first_column(width):
    name = "Parental substance misuse"
    renamed = PAIRS.with_columns(pl.col("issue", "opponent").replace(ABUSE, name))
    chart = member_charts.plot_head_to_head(safe(renamed), title="x")
    (x, _) = texts_of(chart, width)[name][0]
    first = min(left for left, _, _ in boxes_of(chart, width).values())
    assert x + 187 <= first  # as wide as Arial bold of 15 pixels draws it


def test_upright_names_of_many_columns_stand_in_one_line_on_a_telephone():
    agencies = [f"{name} and all its many services" for name in "ABCDEFGHIJKLMN"]
    each = WEIGHED.filter(pl.col("weight") == WEIGHED["weight"][0])
    many = pl.concat(each.with_columns(weight=pl.lit(name)) for name in agencies)
    svg = picture(
        priority_charts.plot_ranking(public(many.with_columns(mark=pl.lit(""))), title="x", group="weight"), 318
    )
    turned = re.findall(r"<text[^>]*rotate\(270\)[^>]*>(.*?)</text>", svg)
    assert sorted(turned) == [f"{name} and all it…" for name in "ABCDEFGHIJKLMN"]


def test_head_to_head_is_ordered_by_margins_where_no_order_is_given():
    # Margins: Neglect -2 + 10 + 4 = 12; the long one -4 + 3 + 8 = 7; Domestic abuse 2 + 0 - 3 = -1; Bullying -18.
    chart = member_charts.plot_head_to_head(TABLES["head_to_head"], title="x")
    texts = texts_of(chart)
    places = [next(found[0][1] for text, found in texts.items() if text[:8] == one[:8]) for one in ORDER]
    assert places == sorted(places)


def test_wins_and_losses_differ_in_colour_and_ties_have_neither():
    boxes = boxes_of(drawn("head_to_head"), 860)
    assert boxes[f"{NEGLECT} against {BULLYING}: 11 : 1"][2] == COLOURS[0]
    assert boxes[f"{BULLYING} against {NEGLECT}: 1 : 11"][2] == COLOURS[3]
    assert boxes[f"{ABUSE} against {BULLYING}: 6 : 6"][2] == "#3D3D3D"


def test_issue_that_beats_all_others_is_said():
    won = [{"issue": i, "opponent": j, "wins": w, "losses": 12 - w} for i, j, w in (("A", "B", 8.0), ("B", "A", 4.0))]
    table = pl.DataFrame(won).with_columns(margin=pl.col("wins") - pl.col("losses"), n_ballots=pl.lit(BALLOTS))
    assert "A beats every other issue." in said_of(member_charts.plot_head_to_head(safe(table), title="x"))


@pytest.mark.parametrize(("option", "given"), [("order", ["Neglekt"]), ("selected", ["Neglekt"])])
def test_unknown_issue_gets_the_nearest_name(option, given):
    with pytest.raises(ParameterError, match=f'{option}: .*Did you mean "Neglect"'):
        member_charts.plot_head_to_head(TABLES["head_to_head"], title="x", **{option: given})


def test_forty_issues_are_shaded_without_numbers_and_losses_are_narrow():
    names = [f"Issue {letter}{place}" for letter in "ABCD" for place in range(10)]
    pairs = pl.DataFrame(
        [
            {"issue": one, "opponent": other, "wins": 8.0 if i < j else 4.0, "losses": 4.0 if i < j else 8.0}
            for i, one in enumerate(names)
            for j, other in enumerate(names)
            if i != j
        ]
    ).with_columns(margin=pl.col("wins") - pl.col("losses"), n_ballots=pl.lit(BALLOTS))
    svg = picture(member_charts.plot_head_to_head(safe(pairs), title="x"), 318)
    assert svg.count(">8</text>") == 1  # the number of a row: the columns name every fifth
    heights = {
        said: float(re.search(rf'aria-label="{said}"[^>]* d="M[-\d.,]+h[-\d.]+v([-\d.]+)', svg)[1])
        for said in ("Issue A0 against Issue A1: 8 : 4", "Issue A1 against Issue A0: 4 : 8")
    }
    won, lost = heights.values()
    assert lost < won / 2


# Other rules


def test_rule_check_draws_every_place_and_whether_it_is_among_the_seats():
    cells = {(row["row"], row["series"]): (row["value"], row["outcome"]) for row in rows_of(drawn("rule_check"))}
    assert {series for _, series in cells} == {"As fixed", "Copeland", "Schulze", "Kemeny"}
    assert [cells[LONG, rule] for rule in ("As fixed", "Copeland", "Schulze", "Kemeny")] == [
        (2, "selected"),
        (3, "not selected"),
        (2, "tied at the cut"),  # two issues share the second of two seats
        (2, "selected"),
    ]
    assert len(cells) == 4 * 4


def test_issues_on_which_not_all_rules_agree_are_to_be_discussed():
    chart = drawn("rule_check")
    assert f"Discuss: {LONG}, {ABUSE}." in said_of(chart)
    assert len(texts_of(chart)["discuss"]) == 2


def test_rule_check_with_a_tie_at_the_cut_says_so_where_nobody_names_the_seats():
    """A is selected, B and C tie for the second of two seats: other rules are not judged by a guess of the seats."""
    table = CHECKED.head(3).with_columns(
        rank=pl.Series([1, 2, 2]), selected=pl.Series([True, None, None]), copeland_rank=pl.Series([2, 1, 3])
    )
    found = {
        (row["series"], row["value"]): row.get("outcome")
        for row in rows_of(priority_charts.plot_rule_check(safe(table), title=TITLE))
    }
    assert (found["As fixed", 1], found["As fixed", 2]) == ("selected", "tied at the cut")
    assert found["Copeland", 1] is None


def test_seats_of_a_rule_check_are_as_many_as_the_fixed_rule_selects():
    without = priority_charts.plot_rule_check(TABLES["rule_check"], title=TITLE)
    assert rows_of(without) == rows_of(drawn("rule_check"))


def test_rule_that_was_not_counted_has_no_column():
    table = CHECKED.with_columns(kemeny_rank=pl.lit(None, pl.Int64)).drop("copeland_rank")
    chart = priority_charts.plot_rule_check(safe(table), title="x", seats=2)
    assert {row["series"] for row in rows_of(chart)} == {"As fixed", "Schulze"}


# Divided members


def test_polarisation_draws_both_shares_with_the_most_divided_issue_first():
    rows = rows_of(drawn("polarisation"))
    assert [(row["row"], row["first"], row["last"], row["place_on_average"]) for row in rows] == [
        (ABUSE, 0.5, 0.5, 2.7),
        (LONG, 0.5, 0.25, 2.3),
        (BULLYING, 1 / 12, 11 / 12, 3.55),
        (NEGLECT, 11 / 12, 1 / 12, 1.4),
    ]
    assert [row["word"] for row in rows] == ["divided", "", "", ""]
    texts = texts_of(drawn("polarisation"))
    assert len(texts["92%"]) == 2  # 11 / 12 of one issue's first and of another's last
    assert {"2.7", "divided", "Among their first", "Among their last"} <= set(texts)


def test_divided_issue_is_said_and_what_lies_between_agencies_is_not_carried():
    chart = drawn("polarisation")
    assert f"{ABUSE} is divided: 50% among their first, 50% among their last." in said_of(chart)
    assert "0.131" not in json.dumps(chart)


# Agencies


def test_agencies_are_drawn_from_the_most_alike_with_hidden_ones_last_by_name():
    rows = rows_of(drawn("agency_order"))
    assert [(row["row"], row["value"], row["common"], row["differs"], row["note"]) for row in rows] == [
        ("Health", 1.0, 2, False, ""),
        ("Education", 0.62, 2, False, ""),
        ("Police", -0.33, 1, True, ""),
        ("Housing", None, None, None, "[c]"),
        ("Probation", None, None, None, "[c]"),
    ]
    texts = texts_of(drawn("agency_order"))
    assert {"1.00", "0.62", "−0.33", "2 priorities in common", "1 priority in common; differs"} <= set(texts)
    assert len(texts["[c]"]) == 2


def test_agency_that_differs_by_more_than_chance_is_said():
    said = said_of(drawn("agency_order"))
    assert "Most alike: Health, 1.00. Least alike: Police, −0.33. Differs by more than chance: Police." in said


def test_two_group_columns_of_agencies_are_refused():
    frame = AGENCIES.with_columns(weight=pl.Series(["a", "b", "a", "b", "a"])).select("weight", *AGENCIES.columns)
    with pytest.raises(ParameterError, match=r"plot_agency_order draws one group column\. Found: weight and agency"):
        member_charts.plot_agency_order(public(frame), title="x")


# Urgency and importance


def test_themes_are_numbered_in_the_order_of_the_quadrants():
    chart = drawn("quadrants")
    assert [row["row"] for row in rows_of(chart)] == [LONG, "Prevent", "Forced marriage", "Gangs"]
    first = rows_of(chart)[0]
    assert [first[name] for name in ("urgency", "urgency_lowest", "urgency_highest")] == [9.0, 8.0, 10.0]
    assert [row["differ"] for row in rows_of(chart)] == [False, True, True, False]
    said = said_of(chart)
    assert f"Do first: {LONG}, Prevent. Neither: Forced marriage, Gangs." in said
    assert "The boards differ on Prevent, Forced marriage." in said


def test_quadrants_are_named_only_where_both_lines_are_known():
    assert {"Do first", "Plan ahead", "Neither", "Urgent, less important"} <= set(texts_of(drawn("quadrants")))
    without = safe(THEMES.with_columns(important_from=pl.lit(None, pl.Float64)))
    assert "Do first" not in texts_of(quadrant_charts.plot_quadrants(without, title="x"))


@pytest.mark.parametrize("width", [318, 860])
def test_dots_of_themes_at_the_same_place_do_not_lie_on_each_other(width):
    texts = texts_of(drawn("quadrants"), width)
    key_left = 0.6 * width if width >= 600 else width
    marriage, gangs = (
        [place for place in texts[number] if place[0] < key_left and place[0] > 45] for number in ("3", "4")
    )
    assert min(abs(x - other) + abs(y - below) for x, y in marriage for other, below in gangs) >= 20


def test_placements_of_boards_are_drawn_by_theme_with_a_symbol_each():
    chart = drawn("quadrants_by_board")
    assert {(row["row"], row["series"]): (row["urgency"], row["importance"]) for row in rows_of(chart)} == {
        ("Gangs", "Adults"): (3.0, 5.0),
        ("Gangs", "Children"): (3.5, 3.0),
        ("Prevent", "Adults"): (7.0, 3.0),
        ("Prevent", "Children"): (6.0, 6.0),
    }
    assert {"Gangs", "Prevent", "Adults", "Children"} <= set(texts_of(chart))
    assert "In more than one quadrant: Prevent." in said_of(chart)


def test_five_boards_are_refused():
    boards = [f"Board {letter}" for letter in "ABCDE"]
    frame = pl.concat(PLACED.head(1).with_columns(board=pl.lit(name)) for name in boards)
    with pytest.raises(ParameterError, match=r"at most 4 boards apart\. Found: 5"):
        quadrant_charts.plot_quadrants(safe(frame), title="x")


# Everything a chart shows stands in the table that is published


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A release of all tables, each with a page of its chart."""
    folder = tmp_path_factory.mktemp("release")
    (folder / "pack").mkdir()
    for name in NAMES:
        shown = {"text/html": figure_html(drawn(name))}
        cell = nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", shown)])
        page = page_html(nbformat.v4.new_notebook(cells=[cell]), title="All", bundle="", navigation=[])
        (folder / "pack" / f"{name}.html").write_text(page, encoding="utf-8")
    for name, table in TABLES.items():
        publish(table, name, into=folder, title=name, definition="x", measure=name)
    return folder


def test_charts_of_published_tables_are_no_leak(release):
    assert find_leaks(release).rows() == []


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("ranking", '"value":27.5', '"value":27.25'),
        ("ranking_by_weight", '"value":3,', '"value":9,'),
        ("head_to_head", '"wins":11.0', '"wins":9.0'),
        ("rule_check", '"value":4,', '"value":9,'),
        ("polarisation", '"place_on_average":3.55', '"place_on_average":3.5'),
        ("agency_order", '"value":0.62', '"value":0.63'),
        ("quadrants", '"urgency_highest":10.0', '"urgency_highest":11.0'),
        ("quadrants_by_board", '"urgency":3.5', '"urgency":3.6'),
    ],
)
def test_wrong_number_in_a_chart_is_found(release, tmp_path, name, right, wrong):
    shutil.copytree(release / "tables", tmp_path / "tables")
    text = (release / "pack" / f"{name}.html").read_text(encoding="utf-8")
    assert right in text
    (tmp_path / "page.html").write_text(text.replace(right, wrong), encoding="utf-8")
    assert ("page.html", "number") in {(row[0], row[3]) for row in find_leaks(tmp_path).rows()}
