"""Charts answer to what a reader of a page chooses, and look as ever where nothing is chosen."""

import json
import re
from pathlib import Path

import polars as pl
import pytest
import vl_convert

from safeguarding_analytics import charts, knowledge_charts, pages, priority_charts
from safeguarding_analytics.chart_rows import TO_CHOOSE
from safeguarding_analytics.disclosure import already_public

VL = "6.4"
NASTY = 'O\'Hara "&" Sons</script><b>\\'
SCRIPT = (Path(pages.__file__).parent / "templates" / "page.js").read_text(encoding="utf-8")


def public(**columns):
    return already_public(pl.DataFrame(columns), "made up")


COUNTS = public(agency=["Education", "Health", "Police", NASTY], count=[500, 400, 300, 200])
SHARES = public(
    agency=["Total", "Education", "Health", "Police"],
    numerator=[460, 410, 50, None],
    denominator=[900, 820, 80, None],
    proportion=[0.511, 0.5, 0.625, None],
    lower=[0.48, 0.466, 0.51, None],
    upper=[0.54, 0.534, 0.72, None],
    mark=["", "", "", "[c]"],
)
YEARS = public(
    area=["Kent"] * 3 + ["England"] * 3,
    time_period=["2023", "2024", "2025"] * 2,
    numerator=[100, 110, 210, 11_000, 12_000, 12_900],
    denominator=[900, 920, 940, 60_000, 60_000, 60_000],
    proportion=[0.111, 0.12, 0.223, 0.183, 0.2, 0.215],
    lower=[0.09, 0.1, 0.198, 0.18, 0.197, 0.212],
    upper=[0.13, 0.14, 0.251, 0.187, 0.203, 0.218],
)
APART = public(
    area=["Kent"] * 2 + ["England"] * 2,
    time_period=["2024", "2025"] * 2,
    numerator=None,
    denominator=None,
    proportion=[0.2, 0.5, 0.2, 0.1],
)
PLACES = public(
    district=["Ashford", "Dover"],
    registered=[300, 200],
    attended=[240, 150],
    walk_ins=[12, 13],
    did_not_attend=[50, 40],
    cancelled=[22, 21],
)
GAINS = public(
    agency=["Education", "Police"],
    n_pairs=[60, 20],
    mean_pre=[11.0, 12.0],
    mean_post=[13.1, 12.5],
    mean_change=[2.1, 0.5],
    lower=[1.2, -1.0],
    upper=[3.0, 2.0],
)
RANKED = public(
    issue=["Neglect", "Online harm"],
    score=[4, -4],
    points=[9.0, 5.0],
    rank=[1, 2],
    selected=[True, False],
    p_selected=[0.9, 0.1],
    n_ballots=[9, 9],
)
OF_AGENCIES = public(
    agency=["Health", "Health", "Police", "Police"],
    issue=["Neglect", "Online harm"] * 2,
    score=[4, -4, -2, 2],
    points=[9.0, 5.0, 5.0, 7.0],
    rank=[1, 2, 2, 1],
    selected=[True, False, False, True],
    p_selected=[0.9, 0.1, 0.2, 0.8],
    n_ballots=[9] * 4,
)
AGES = public(age_band=["0 to 4", "5 to 9"], count=[30, 40])

CHARTS = {
    "bars": charts.plot_count(COUNTS, title="Who came"),
    "dots": charts.plot_proportion(SHARES, title="Reach", measure="Staff"),
    "lines": charts.plot_proportion(YEARS, title="Plans", measure="Plans", over="time_period"),
    "named lines": charts.plot_proportion(APART, title="Plans", measure="Plans", over="time_period"),
    "dots in colours": charts.plot_proportion(YEARS, title="Plans", measure="Plans", group="area"),
    "attendance": charts.plot_attendance(PLACES, title="Bookings"),
    "before and after": knowledge_charts.plot_before_after(GAINS, title="Gain", scale=(0, 20)),
    "ranking": priority_charts.plot_ranking(RANKED, title="Priorities", seats=1),
    "orders": priority_charts.plot_ranking(OF_AGENCIES, title="Orders", group="agency"),
}
CHOICES = {
    "bars": {"row": "Agency"},
    "dots": {"row": "Agency"},
    "lines": {"row": "Year to 31 March", "series": "Area"},
    "named lines": {"row": "Year to 31 March", "series": "Area"},
    "dots in colours": {"row": "Area", "series": "Year to 31 March"},
    "attendance": {"row": "District"},
    "before and after": {"row": "Agency"},
    "ranking": {"row": "Issue"},
    "orders": {"row": "Issue", "series": "Agency"},
}


def picture(specification, width=680):
    fixed = {**specification, "width": width, "autosize": {"type": "fit-x", "contains": "padding"}}
    return vl_convert.vegalite_to_svg(fixed, VL)


def chosen(name, **values):
    """The picture of a chart once its parameters have other values."""
    specification = CHARTS[name].to_dict()
    for parameter in specification["params"]:
        parameter["value"] = values.pop(parameter["name"], parameter.get("value"))
    assert values == {}
    return picture(specification)


def without_choices(part):
    """A specification as it would be if nothing could be chosen."""
    if isinstance(part, dict) and "chosen_" in str(part.get("expr")):  # the colour of words on filled marks
        return {"expr": re.fullmatch(r".* \? '#\w+' : \((.*)\)", part["expr"])[1]}
    if isinstance(part, list):
        return [without_choices(one) for one in part if "_chosen" not in json.dumps(one) or not is_own(one)]
    if not isinstance(part, dict):
        return part
    return {
        key: without_choices(value)
        for key, value in part.items()
        if key != "usermeta"
        and not (key.startswith("label") and "chosen_" in json.dumps(value))
        and not (key == "opacity" and isinstance(value, dict))
    }


def is_own(one):
    return isinstance(one, dict) and ("filter" in one or "name" in one)


def without_parameters(specification):
    kept = [one for one in specification.get("params", []) if "chosen" not in one["name"]]
    return {**without_choices({**specification, "params": []}), "params": kept}


def marks(svg, role):
    """The opacity of every mark of a kind, by what is said of it."""
    found = re.findall(rf'<path [^>]*aria-label="([^"]*)"[^>]*aria-roledescription="{role}"([^>]*)>', svg)
    opacities = [(said, re.search(r' opacity="([\d.]+)"', rest)) for said, rest in found]
    return {said: float(opacity[1]) if opacity else 1.0 for said, opacity in opacities}


def words(svg):
    found = re.findall(r"<text[^>]*>(.*?)</text>", svg, re.DOTALL)
    return [" ".join(re.sub("<[^>]+>", " ", text).split()) for text in found]


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_says_of_which_heading_its_rows_and_series_are(name):
    specification = CHARTS[name].to_dict()
    assert specification["usermeta"]["choices"] == CHOICES[name]
    named = {one["name"]: one.get("value") for one in specification["params"] if "chosen" in one["name"]}
    filters = {"only_chosen": False} if specification["usermeta"]["filtered"] else {}
    assert named == {**{f"chosen_{field}": "" for field in CHOICES[name]}, **filters}


def test_rows_of_a_heading_that_nobody_looks_for_cannot_be_chosen():
    specification = charts.plot_count(AGES, title="Ages").to_dict()
    assert "usermeta" not in specification
    assert "chosen" not in json.dumps(specification)


def test_agency_district_and_year_can_be_chosen():
    assert {"Agency", "District", "Area", "Year to 31 March"} <= set(TO_CHOOSE)


@pytest.mark.parametrize("width", [318, 860])
@pytest.mark.parametrize("name", CHARTS)
def test_where_nothing_is_chosen_the_picture_is_as_if_nothing_could_be(name, width):
    specification = CHARTS[name].to_dict()
    plain = without_parameters(specification)
    assert "chosen" not in json.dumps(plain)
    one, other = (
        re.sub(r"clip\d+", "clip", picture(each, width)).replace(' font-weight="normal"', "")
        for each in (specification, plain)
    )
    assert one == other


@pytest.mark.parametrize("name", CHARTS)
def test_nothing_in_a_picture_is_not_a_number(name):
    assert "NaN" not in picture(CHARTS[name].to_dict())


def test_bars_of_others_are_dimmed_and_the_name_of_the_chosen_one_is_bold():
    svg = chosen("bars", chosen_row="Police")
    assert sorted(marks(svg, "bar").values()) == [0.3, 0.3, 0.3, 1.0]
    assert [opacity for said, opacity in marks(svg, "bar").items() if "Police" in said] == [1.0]
    assert re.findall(r'font-weight="bold"[^>]*>([^<]*)<', svg) == ["Police", "Who came"]  # the title is bold anyway


def test_words_of_others_can_still_be_read():
    svg = chosen("bars", chosen_row="Police")
    shown = {text: float(opacity) for opacity, text in re.findall(r'opacity="([\d.]+)">([\d,]+)</text>', svg)}
    ink, opacity = 0x3D / 255, shown["500"]
    assert opacity < 1
    # WCAG 2.2, contrast ratio: (L1 + 0.05) / (L2 + 0.05), with L of grey = ((c + 0.055) / 1.055) ** 2.4.
    grey = ink * opacity + 1 - opacity
    assert 1.05 / (((grey + 0.055) / 1.055) ** 2.4 + 0.05) >= 4.5


def test_white_words_on_a_dark_cell_are_dark_where_the_cell_is_pale():
    # Every rule puts Neglect first: its places are white on dark blue.
    issues = ["Neglect", "Online harm"]
    places = {f"{name}_rank": [1, 2] for name in ("copeland", "schulze", "ranked_pairs", "kemeny")}
    ranks = public(
        issue=issues,
        rank=[1, 2],
        selected=[True, False],
        **places,
        agreed=[True, True],
        depends_on=["", ""],
        n_ballots=[9, 9],
    )
    specification = priority_charts.plot_rule_check(ranks, title="Rules").to_dict()

    def colours(name):
        for parameter in specification["params"]:
            parameter["value"] = name if parameter["name"] == "chosen_row" else parameter.get("value")
        found = re.findall(r'<text[^>]*fill="([^"]*)"[^>]*>([12])</text>', picture(specification, 860))
        return {colour for colour, place in found if place == "1"}

    assert colours("") == colours("Neglect") == {"white"}
    assert colours("Online harm") == {"#3D3D3D"}


def test_a_filter_leaves_the_chosen_row_alone():
    svg = chosen("bars", chosen_row="Police", only_chosen=True)
    assert list(marks(svg, "bar").values()) == [1.0]
    assert "Police" in words(svg)
    assert "Education" not in words(svg)


def test_a_filter_leaves_the_total_where_it_is():
    svg = chosen("dots", chosen_row="Health", only_chosen=True)
    assert {"Total", "Health"} <= set(words(svg))
    assert {"Education", "Police"}.isdisjoint(words(svg))


def test_a_hidden_row_that_is_chosen_has_its_mark_and_nothing_else():
    svg = chosen("dots", chosen_row="Police", only_chosen=True)
    assert words(svg).count("[c]") == 1
    assert len(marks(svg, "point")) == 1  # that of the total


def test_a_chosen_agency_dims_the_places_and_the_names_of_the_others():
    svg = chosen("orders", chosen_series="Police")
    place = r'aria-label="(\w[^"]*: place \d)[^"]*"([^>]*)'
    assert {said: ' opacity="0.3"' in looks for said, looks in re.findall(place, svg)} == {
        "Neglect, Health: place 1": True,
        "Online harm, Health: place 2": True,
        "Neglect, Police: place 2": False,
        "Online harm, Police: place 1": False,
    }
    heads = re.findall(r"<text([^>]*)>(Health|Police)</text>", svg)
    assert {name: ' opacity="0.75"' in looks for looks, name in heads} == {"Health": True, "Police": False}


def test_a_filter_without_a_choice_leaves_everything():
    assert chosen("bars", only_chosen=True) == chosen("bars")


def test_names_of_rows_in_data_of_their_own_are_left_out_too():
    assert "Education" in words(chosen("before and after"))
    assert "Education" not in words(chosen("before and after", chosen_row="Police", only_chosen=True))


@pytest.mark.parametrize("name", ["lines", "named lines"])
def test_a_chosen_series_dims_the_line_and_the_band_of_the_other(name):
    svg = chosen(name, chosen_series="Kent")
    line = re.findall(r'aria-roledescription="line mark"[^>]*?stroke="(#\w+)"[^>]*?(opacity="[\d.]+"|/)', svg)
    assert [(colour, shown.startswith("opacity")) for colour, shown in line] == [("#12436D", False), ("#28A197", True)]


def test_a_chosen_year_dims_points_and_no_line():
    svg = chosen("lines", chosen_row="2024")
    assert sorted(marks(svg, "point").values()) == [0.3] * 4 + [1.0] * 2
    assert not re.search(r'aria-roledescription="line mark"[^>]*?opacity="0\.3"', svg)


def test_a_line_that_is_left_out_has_no_name_at_its_end():
    svg = chosen("named lines", chosen_series="Kent", only_chosen=True)
    shown = {text: opacity for opacity, text in re.findall(r'opacity="(\d)">(Kent|England)</text>', svg)}
    assert shown == {"Kent": "1", "England": "0"}
    assert len(re.findall('aria-roledescription="line mark"', svg)) == 1


def test_years_are_never_left_out_of_a_line():
    assert len(marks(chosen("lines", chosen_row="2024", only_chosen=True), "point")) == 6


def test_row_and_series_can_be_chosen_together():
    svg = chosen("dots in colours", chosen_row="Kent", chosen_series="2025", only_chosen=True)
    assert list(marks(svg, "point").values()) == [1.0]


def test_a_name_with_markup_and_quotes_is_chosen_like_any_other():
    svg = chosen("bars", chosen_row=NASTY)
    assert sorted(marks(svg, "bar").values()) == [0.3, 0.3, 0.3, 1.0]
    specification = json.dumps({**CHARTS["bars"].to_dict(), "datasets": {}})
    tests = re.findall(r'"(?:test|filter)": "((?:[^"\\]|\\.)*chosen(?:[^"\\]|\\.)*)"', specification)
    assert tests
    assert not [test for test in tests if "Hara" in test]


def test_the_script_makes_no_markup_and_keeps_nothing():
    for word in ("</script", "innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "Storage", "cookie"):
        assert word not in SCRIPT
