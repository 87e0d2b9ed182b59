"""Whatever is planted in a release is found, by its kind and place, and a clean release is clean."""

import json
import shutil
from datetime import date
from zipfile import ZipFile

import nbformat
import polars as pl
import pytest

from safeguarding_analytics import (
    already_public,
    plot_count,
    plot_mean_change,
    plot_proportion,
    plot_ranking,
    say_agreement,
    say_ballots_to_change,
    say_proportion,
    say_range,
    say_stock_and_flow,
    say_target,
    show_table,
    show_text,
)
from safeguarding_analytics.board import read_board
from safeguarding_analytics.disclosure import Policy, suppress
from safeguarding_analytics.errors import DisclosureError, ParameterError
from safeguarding_analytics.exports import write_workbook
from safeguarding_analytics.figures import Figures
from safeguarding_analytics.leaks import find_leaks, refuse_leaks
from safeguarding_analytics.pages import index_html, message_html, page_html, vega_bundle
from safeguarding_analytics.release import promote, publish
from safeguarding_analytics.safe import Safe

ABOUT = {"board": "A board", "made_on": "2011-07-01", "as_at": None, "data_version": "0123456789ab", "parameters": {}}
PLANS = """plan,child,authority,district,category,start_date,end_date,previous_plans
CP00001,C00017,Kent,Swale,NEG,2007-05-01,,0
CP00002,10234,Kent,Swale,NEG,2007-05-01,,0
CP00003,Rosebud,Kent,Dover,NEG,2007-05-01,,0
CP00004,J.S. 1975,Kent,Dover,NEG,2007-05-01,,0
CP00005,M10,Kent,Dover,NEG,2007-05-01,,0
CP00006,12,Kent,Dover,NEG,2007-05-01,,0
CP00007,of,Kent,Dover,NEG,2007-05-01,,0
CP00008,Swale,Kent,Dover,NEG,2007-05-01,,0
"""
"""Children named as boards name them. "12", "of" and "Swale" stand in every release, as other things."""

DISTRICTS = pl.DataFrame({"district": ["Dover", "Swale", "Thanet", "Ashford"], "count": [3, 1_240, 12, 2]})
PAGE = """<!DOCTYPE html>
<html lang="en-GB"><head><title>Plans</title><style>p { color: #12436D }</style></head><body>
<p class="headline">Of all districts, Swale has the most: 1,240 plans.</p>
<div class="output"><figure class="chart"><figcaption><strong>The 3 districts</strong></figcaption>
<svg aria-label="NAME" xmlns="http://www.w3.org/2000/svg"><path d="M10,5L20,7" fill="#12436D"/><text>12</text></svg>
<script type="application/json" class="vega-lite-spec">SPEC</script></figure></div>
<div class="output"><table><caption>The 3 districts</caption><tr><th scope="col">District</th><th>Number</th></tr>
<tr><th scope="row">Swale</th><td>1,240</td></tr>
<tr><th scope="row">Dover</th><td>[c]</td></tr>
</table></div>
<div class="prose"><p>Counted over 12 months, in 7 ways. <a href="https://www.gov.uk/">Definition</a></p></div>
</body></html>
"""
SPEC = {
    "$schema": "https://vega.github.io/schema/vega-lite/v6.4.1.json",
    "description": "The 3 districts. Largest: Swale, 1,240. Smallest: Thanet, 12. Hidden ([c]): 2 of 4.",
    "layer": [
        {
            "data": {"name": "rows"},
            "mark": {"type": "bar", "height": 14},
            "transform": [{"filter": "isValid(datum.value)"}],
            "encoding": {"x": {"field": "value", "scale": {"domain": [0, 1550]}}, "color": {"value": "#12436D"}},
        },
        {"data": {"values": [{"value": 2.0, "note": "meaningful gain: 2"}, {"value": 0}]}, "mark": "rule"},
    ],
    "datasets": {
        "rows": [
            {"row": "Swale", "value": 1240, "note": "", "shown": "1,240"},
            {"row": "Thanet", "value": 12, "note": "", "shown": "12"},
            {"row": "Dover", "value": None, "note": "[c]", "shown": "[c]"},
            {"row": "Ashford", "value": None, "note": "[c]", "shown": "[c]"},
        ]
    },
}
TITLED = {**SPEC, "title": ["The 3", "districts"]}
NOTEBOOK = {
    "metadata": {"papermill": {"duration": 1.5}},
    "cells": [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Plans in 7 ways"]},
        {
            "cell_type": "code",
            "metadata": {},
            "source": ["suppress(plans)"],
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": ["Swale has 1,240\n"]},
                {"output_type": "display_data", "data": {"text/html": ["<p>Swale has 1,240</p>"], "text/plain": ["7"]}},
                {"output_type": "display_data", "data": {"application/vnd.vegalite.v6+json": TITLED}},
            ],
        },
    ],
    "nbformat": 4,
}
CSV, HTML, BOOK = "tables/plans_by_district.csv", "pack/page.html", "pack/plans.ipynb"
SAYS_NUMBER = "a number that stands in no table of the release, or not in this row"
CHANGED = "a table that cannot be opened, or was changed after it was published"
SAYS_PATH = "a path of the computer on which it was made"


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    folder = tmp_path_factory.mktemp("board of Kent")
    (folder / "plans.csv").write_text(PLANS, encoding="utf-8")
    return read_board(folder)


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    publish(
        suppress(DISTRICTS, Policy.dfe()),
        "plans_by_district",
        into=folder,
        title="Plans",
        definition="Plans of 12 months.",
        measure="plans",
        headline="Swale has 1,240 plans.",
    )
    (folder / "pack").mkdir()
    (folder / HTML).write_text(
        PAGE.replace("NAME", SPEC["description"]).replace("SPEC", json.dumps(SPEC)), encoding="utf-8"
    )
    (folder / BOOK).write_text(json.dumps(NOTEBOOK), encoding="utf-8")
    return folder


@pytest.fixture
def release(clean, tmp_path):
    return shutil.copytree(clean, tmp_path / "release")


def plant(release, file, old, new):
    path = release / file
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode())


def found(*arguments, **options):
    return find_leaks(*arguments, **options).rows()


@pytest.mark.parametrize("complete", [False, True], ids=["being built", "complete"])
def test_clean_release_has_no_leaks(release, board, complete, tmp_path):
    place = promote(release, tmp_path / "promoted", about=ABOUT).folder if complete else release
    assert found(place, board) == []
    refuse_leaks(place, board)


VALUES = [
    ("C00017", "child"),
    ("c00017", "child"),
    ("10234", "child"),
    ("Rosebud", "child"),
    ("J.S. 1975", "child"),
    ("M10", "child"),
    ("CP00006", "plan"),
]


@pytest.mark.parametrize(("value", "column"), VALUES)
@pytest.mark.parametrize(
    ("file", "old", "new", "where"),
    [
        (HTML, "Counted over", "Counted {}, over", "line 11"),
        (HTML, '<a href="', '<a title="x {}" href="', "line 11, title"),
        (HTML, '<path d="M10', '<path aria-label="{}" d="M10', "line 5, aria-label"),
        (HTML, "<text>12", "<text>({})", "line 5"),
        (HTML, "</body>", "<!-- {} --></body>", "line 12"),
        (HTML, "p { color", "p.x-{} {{ color", "line 2"),
        (HTML, '"row": "Dover"', '"row": "{}"', "chart 1"),
        (HTML, '"note": "[c]"', '"note": "of {}"', "chart 1"),
        (HTML, '{{"name": "rows"}}', '{{"name": "rows", "{}": 1}}', "chart 1, a key"),
        (BOOK, "suppress(plans)", "show({})", "cell 2.source, 1"),
        (BOOK, '["7"]', '["<Child {}>"]', "cell 2, output"),
        (BOOK, "<p>Swale", "<p title='{}'>Swale", "cell 2, output, line 1, title"),
        ("tables/plans_by_district.json", '"definition": "', '"definition": "{} ', "definition"),
    ],
)
def test_identifying_value_is_found_wherever_it_stands(release, board, file, old, new, where, value, column):
    plant(release, file, old.replace("{{", "{").replace("}}", "}"), new.format(value))
    expected = (file, where, f"a value of the column {column}", "identifying value")
    rows = found(release, board)
    assert expected in rows
    assert value.casefold() not in str(rows).casefold()


def test_identifying_value_is_found_in_a_published_table(release, board):
    table = pl.DataFrame({"district": ["Swale", "C00017"], "count": [7, 8]})
    publish(already_public(table, "x"), "more", into=release, title="x", definition="x", measure="x")
    what = ("a value of the column child", "identifying value")
    expected = [("tables/more.csv", "row 3, column district", *what), ("tables/more.parquet", "row 3", *what)]
    assert found(release, board) == expected


@pytest.mark.parametrize("child", ["12", "of"])
@pytest.mark.parametrize(
    ("file", "old", "new", "where"),
    [
        (HTML, '"row": "Dover"', '"row": "{}"', "chart 1, row 3"),
        (HTML, '<th scope="row">Dover', '<th scope="row">{}', "table 1, row 3"),
    ],
)
def test_short_value_is_found_where_it_names_a_row(release, board, file, old, new, where, child):
    plant(release, file, old, new.format(child))
    assert found(release, board) == [(file, where, "a value of the column child", "identifying value")]


def test_short_value_is_found_in_a_group_column_and_not_among_counts(release, board):
    table = pl.DataFrame({"target_group": [11, 12], "count": [12, 13]})
    publish(already_public(table, "x"), "more", into=release, title="x", definition="x", measure="x")
    what = ("a value of the column child", "identifying value")
    expected = [("tables/more.csv", "row 3, column target_group", *what), ("tables/more.parquet", "row 3", *what)]
    assert found(release, board) == expected


def test_file_named_by_an_identifying_value_is_not_named(release, board):
    (release / "pack" / "C00017.html").write_text("", encoding="utf-8")
    assert found(release, board) == [("(not shown)", "its name", "a value of the column child", "identifying value")]


def test_key_that_is_an_identifying_value_is_not_named(release, board):
    plant(release, "tables/plans_by_district.json", '"policy": {', '"policy": {"C00017": 1,')
    rows = [row for row in found(release, board) if row[3] == "identifying value"]
    assert rows == [
        ("tables/plans_by_district.json", "(not shown)", "a value of the column child", "identifying value")
    ]


def test_secret_is_found_however_short(release):
    plant(release, HTML, "Counted over", "Counted by Jo, over")
    assert found(release, secrets=["Jo"]) == [(HTML, "line 11", "a secret", "identifying value")]


def test_without_a_board_values_are_not_known(release):
    plant(release, HTML, "Counted over", "Counted C00017, over")
    assert found(release) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "where", "column"),
    [
        (HTML, '"field": "value"', '"field": "child"', "chart 1, a field", "child"),
        (HTML, "isValid(datum.value)", "isValid(datum.person)", "chart 1, a field", "person"),
        (HTML, "isValid(datum.value)", "isValid(datum['plan'])", "chart 1, a field", "plan"),
        (HTML, '"row": "Dover"', '"row": "Dover", "member": null', "chart 1, a key", "member"),
        (HTML, '<th scope="col">District', '<th scope="col">child', "table 1, row 1", "child"),
        (BOOK, '"duration"', '"person"', "notebook.metadata.papermill.person", "person"),
        ("tables/plans_by_district.json", '"district": "String"', '"plan": "String"', "columns.plan", "plan"),
    ],
)
def test_identifying_column_is_found(release, file, old, new, where, column):
    for name in ("row", "field"):  # json.dumps writes no other spaces
        old, new = old.replace(f'"{name}":"', f'"{name}": "'), new.replace(f'"{name}":"', f'"{name}": "')
    plant(release, file, old, new)
    assert (file, where, f"the column {column}", "identifying column") in found(release)


def test_identifying_column_of_a_table_is_found_though_it_cannot_be_opened(release):
    plant(release, CSV, "district", "child")
    assert [row for row in found(release) if row[0] == CSV] == [
        (CSV, "header", "the column child", "identifying column"),
        (CSV, "the file", CHANGED, "unknown content"),
    ]


@pytest.mark.parametrize(
    ("file", "old", "new", "where"),
    [
        # 3 plans of Dover and 2 of Ashford are hidden; 12 is the figure of Thanet, 4 and 2 count rows
        (HTML, '{"row": "Dover", "value": null', '{"row": "Dover", "value": 3', "chart 1, row 3"),
        (HTML, '{"row": "Dover", "value": null', '{"row": "Dover", "value": 12', "chart 1, row 3"),
        (HTML, '{"row": "Dover", "value": null', '{"row": "All others", "value": 5', "chart 1, row 3"),
        (HTML, '{"row": "Dover", "value": null', '{"row": "Dover", "value": null, "hidden": 3', "chart 1, row 3"),
        (HTML, '"value": 1240', '"value": 1240.5', "chart 1, row 1"),
        (HTML, '"shown": "1,240"', '"shown": "1,240 of 1,257"', "chart 1, row 1"),
        (HTML, '"note": "[c]", "shown": "[c]"', '"note": "[c]", "shown": "3"', "chart 1, row 3"),
        (HTML, '{"value": 0}', '{"value": 3}', "chart 1, row 2"),
        (HTML, '{"value": 0}', '{"value": 3, "note": "Dover 3"}', "chart 1, row 2"),
        (HTML, '"x": {', '"y": {"datum": 3}, "x": {', "chart 1"),
        (HTML, '"description": "The 3 districts. Largest: Swale, 1,240', '"description": "Largest: Dover, 3', ""),
        (HTML, "<td>[c]</td>", "<td>3</td>", "table 1, row 3"),
        (HTML, "<td>1,240</td>", "<td>1,257</td>", "table 1, row 2"),
        (HTML, "most: 1,240 plans", "most: 1,240 plans, and Dover 3", "line 3, a sentence"),
        (HTML, "1,240 plans", "1,257 plans", "line 3, a sentence"),
        (HTML, '<div class="prose">', "<pre>3</pre>", "line 11, a sentence"),
        ("tables/plans_by_district.json", "Swale has 1,240", "Dover has 3", "headline"),
        (BOOK, "Swale has 1,240\\n", "Dover has 3\\n", "cell 2, output"),
        (BOOK, "<p>Swale has 1,240", "<p>Dover has 3", "cell 2, output, line 1, a sentence"),
        (BOOK, '"value": 1240', '"value": 1257', "cell 2, output, row 1"),
    ],
)
def test_number_of_no_table_is_found(release, file, old, new, where):
    plant(release, file, old, new)
    rows = found(release)
    assert (file, where or "chart 1, description", SAYS_NUMBER, "number") in rows
    assert {row[3] for row in rows} <= {"number", "unknown content"}


@pytest.mark.parametrize(
    ("file", "old", "new", "where"),
    [
        (HTML, "Counted over", "Read ~home/jo/kent/plans.csv, counted over".replace("~", "/"), "line 11"),
        (HTML, "Counted over", r"Read C:\Users\jo\plans.csv, counted over", "line 11"),
        (HTML, "Counted over", "Read file:///plans.csv, counted over", "line 11"),
        (BOOK, "suppress(plans)", "board = 'BOARD'", "cell 2.source, 1"),
        ("tables/plans_by_district.json", '"source": "', '"source": "BOARD/plans.csv', "source"),
    ],
)
def test_path_of_the_computer_is_found(release, board, file, old, new, where):
    plant(release, file, old, new.replace("BOARD", str(board.folder)))
    assert (file, where, SAYS_PATH, "path") in found(release, board)


def test_text_of_an_error_is_found(release):
    plant(release, HTML, "Counted over", "Traceback (most recent call last): counted over")
    plant(release, BOOK, '"output_type": "stream"', '"output_type": "error"')
    expected = [(HTML, "line 11"), (BOOK, "cell 2, output")]
    assert found(release) == [(*place, "the text of an error", "traceback") for place in expected]


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("Counted over", '<img src="https://example.org/a.png">', "line 11"),
        ("Counted over", '<img src="a.png">', "line 11"),
        ("<style>", '<link rel="stylesheet" href="//example.org/a.css"><style>', "line 2"),
        ("p { color", "p { background: url(https://example.org/a.png); color", "line 2"),
        ("<title>", '<meta http-equiv="refresh" content="1; url=https://example.org"><title>', "line 2"),
        ('{"name": "rows"}', '{"name": "rows", "url": "https://example.org/a.csv"}', "chart 1"),
    ],
)
def test_request_is_found(release, old, new, where):
    plant(release, HTML, old, new)
    assert found(release) == [(HTML, where, "something that asks for a file or an address", "request")]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("</body>", "<script>let a = 3</script></body>", "a script that is not of this package"),
        ("</body>", '<script type="application/json">{"a": 3}</script></body>', "a script that is not of this package"),
        ("</body>", "<script>let a = 3", "a script without an end"),
        ("Counted over", '<img src="data:image/png;base64,AAAA">', "a picture"),
        ("Counted over", "<svg><text>3</text></svg>", "a picture without the specification it was drawn from"),
        ("Counted over", "<iframe></iframe>", "content of a kind that is not known"),
    ],
)
def test_content_that_is_not_known_is_found(release, old, new, what):
    plant(release, HTML, old, new)
    assert [(row[0], *row[2:]) for row in found(release)] == [(HTML, what, "unknown content")]


def test_file_that_a_release_does_not_have_is_found(release, tmp_path):
    for name in ("notes.txt", "more.csv", "tables/more.csv", "pack/page.json", "pack/figure.png"):
        (release / name).write_bytes(b"a,b\n")
    (release / "pack" / "link.html").symlink_to(tmp_path / "outside.html")
    (release / "pack" / "bad.html").write_bytes(b"\xff\xfe")
    not_here, unknown = "a file that a release does not have", "unknown content"
    assert found(release) == [
        ("more.csv", "the file", not_here, unknown),
        ("notes.txt", "the file", not_here, unknown),
        ("pack/bad.html", "the file", "a file that cannot be read", unknown),
        ("pack/figure.png", "the file", not_here, unknown),
        ("pack/link.html", "the file", "a link to another place", unknown),
        ("pack/page.json", "the file", not_here, unknown),
        ("tables/more.csv", "the file", not_here, unknown),
    ]


def test_table_that_was_changed_is_found_and_proves_nothing(release):
    plant(release, CSV, "Dover,,[c]", "Dover,3,")
    plant(release, HTML, '{"row": "Dover", "value": null', '{"row": "Dover", "value": 3')
    rows = found(release)
    assert (CSV, "the file", CHANGED, "unknown content") in rows
    assert (HTML, "chart 1, row 3", SAYS_NUMBER, "number") in rows


def test_findings_of_a_folder_that_is_empty_or_missing(tmp_path):
    text = pl.String
    assert find_leaks(tmp_path).schema == {"file": text, "where": text, "what": text, "rule": text}
    with pytest.raises(ParameterError, match="there is no such folder"):
        find_leaks(tmp_path / "missing")


def test_refusal_lists_places_and_prints_no_value(release, board):
    plant(release, HTML, "Counted over", "Counted C00017, over")
    plant(release, HTML, "<td>1,240</td>", "<td>1,257</td>")
    with pytest.raises(DisclosureError) as refused:
        refuse_leaks(release, board)
    assert str(refused.value) == (
        "the release was not made: it would hold what must not be published.\n"
        f"- pack/page.html, table 1, row 2: {SAYS_NUMBER}.\n"
        "- pack/page.html, line 11: a value of the column child.\n"
        "Show only tables that went through suppress(), and publish every table that is shown."
    )


# Charts by themselves

CHART = "pack/chart.json"


def test_chart_by_itself_is_looked_into(release):
    (release / CHART).write_text(json.dumps(TITLED), encoding="utf-8")
    assert found(release) == []
    (release / CHART).write_text(json.dumps(TITLED).replace('"value": 1240', '"value": 1257'), encoding="utf-8")
    assert found(release) == [(CHART, "chart, row 1", SAYS_NUMBER, "number")]


@pytest.mark.parametrize(
    "spec",
    [
        {"$schema": "https://vega.github.io/schema/vega/v6.json", "marks": [{"type": "text", "text": "3"}]},
        {"layer": []},
        [SPEC],
        "3",
    ],
    ids=["Vega", "no schema", "list", "text"],
)
def test_drawing_of_another_kind_is_not_known(release, spec):
    (release / CHART).write_text(json.dumps(spec), encoding="utf-8")
    assert found(release) == [(CHART, "the file", "a file that a release does not have", "unknown content")]


@pytest.mark.parametrize(
    ("values", "row", "what", "rule"),
    [
        ("district,count\nDover,3", "", "data that are not a list of rows", "unknown content"),
        ({"Dover": 3}, "", "data that are not a list of rows", "unknown content"),
        ([{"note": "3"}], ", row 1", SAYS_NUMBER, "number"),
        (["3"], ", row 1", SAYS_NUMBER, "number"),
    ],
)
def test_data_of_a_chart_in_another_form_hide_nothing(release, values, row, what, rule):
    (release / CHART).write_text(json.dumps({**TITLED, "data": {"values": values}}), encoding="utf-8")
    assert found(release) == [(CHART, f"chart{row}", what, rule)]


# Parquet and workbooks

PARQUET, SHEETS = "tables/plans_by_district.parquet", "pack/plans.xlsx"
NO_ROW = "a row that stands in no table of the release"
NO_CELL = "a formula, a picture, or something else that is no cell"
SAFE = suppress(DISTRICTS, Policy.dfe())


@pytest.fixture
def sheets(release):
    write_workbook({"Plans": SAFE}, release / SHEETS, title="The 7 districts", notes=["Counted in 12 months."])
    return release


@pytest.mark.parametrize(
    ("change", "rows"),
    [
        (lambda frame: frame.with_columns(count=pl.col("count").fill_null(3)), ["row 2", "row 5"]),
        (lambda frame: frame.with_columns(count=pl.col("count") + 1), ["row 3", "row 4"]),
        # Dover and Ashford are hidden alike
        (lambda frame: frame.with_columns(pl.col("district").reverse()), ["row 3", "row 4"]),
        (lambda frame: frame.with_columns(more=1), ["header", "row 2", "row 3", "row 4", "row 5"]),
        (lambda frame: frame.select(note=pl.lit("Dover has 3")), ["header", "row 2"]),
        (lambda frame: frame.reverse(), []),
        (lambda frame: frame.cast({"count": pl.Float32}), []),
    ],
    ids=["hidden", "changed", "other names", "more columns", "prose", "other order", "other type"],
)
def test_row_of_parquet_that_stands_in_no_table_is_found(release, change, rows):
    change(SAFE.frame()).write_parquet(release / "pack" / "plans.parquet")
    assert found(release) == [("pack/plans.parquet", where, NO_ROW, "number") for where in rows]


def test_parquet_that_was_changed_or_is_missing_is_found(release):
    SAFE.frame().write_parquet(release / PARQUET)  # the same rows, packed in another way
    assert found(release) == [(PARQUET, "the file", CHANGED, "unknown content")]
    (release / PARQUET).unlink()
    assert found(release) == [(PARQUET, "the file", CHANGED, "unknown content")]


def test_parquet_with_metadata_is_found(release):
    SAFE.frame().write_parquet(release / "pack" / "plans.parquet", metadata={"pandas": "Dover 3"})
    what = "something beside the rows of a table"
    assert found(release) == [("pack/plans.parquet", "the file", what, "unknown content")]


def test_identifying_columns_and_values_are_found_in_parquet(release, board):
    frame = pl.DataFrame({"child": ["C00017", "of"], "count": [1240, 12]})
    frame.write_parquet(release / "pack" / "plans.parquet")
    rows = [row[1:] for row in found(release, board) if row[2] != NO_ROW]
    assert rows == [
        ("header", "the column child", "identifying column"),
        ("row 2", "a value of the column child", "identifying value"),
        ("row 3", "a value of the column child", "identifying value"),
    ]


@pytest.mark.parametrize("name", ["pack/plans.parquet", SHEETS])
@pytest.mark.parametrize("content", [b"", b"PAR1", b"PK\x03\x04", b"\x00" * 100])
def test_damaged_file_is_found(release, name, content):
    (release / name).write_bytes(content)
    assert found(release) == [(name, "the file", "a file that cannot be read", "unknown content")]


def test_workbook_of_published_tables_is_clean(sheets, board):
    every = {name: Safe(table.with_columns(mark=pl.lit("")), Policy.dfe()) for name, table in TABLES.items()}
    for name, table in every.items():
        publish(table, name, into=sheets, title=name, definition="x", measure=name)
    write_workbook(every, sheets / "pack" / "all.xlsx", notes=["Dover, after 12 months"])
    assert found(sheets, board) == []


def test_workbook_of_a_table_that_was_not_published_is_found(release):
    other = DISTRICTS.with_columns(pl.col("count") + 10, mark=pl.lit(""))
    write_workbook(Safe(other, Policy.dfe()), release / SHEETS)
    place = "xl/worksheets/sheet1.xml"
    assert found(release) == [(SHEETS, f"{place}, row {row}", NO_ROW, "number") for row in range(2, 6)]


SHEET, WORDS, BOOK_XML, CORE = (
    "xl/worksheets/sheet1.xml",
    "xl/sharedStrings.xml",
    "xl/workbook.xml",
    "docProps/core.xml",
)


def alter(path, part, old, new):
    """Change a part of a workbook, or add one."""
    with ZipFile(path) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert old in parts.setdefault(part, "")
    parts[part] = parts[part].replace(old, new, 1)
    with ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)


@pytest.mark.parametrize(
    ("part", "old", "new", "expected"),
    [
        (SHEET, "<v>1240</v>", "<v>1257</v>", (f"{SHEET}, row 5", NO_ROW, "number")),
        (
            SHEET,
            "</row></sheetData>",
            '<c r="H9"><v>3</v></c></row></sheetData>',
            (f"{SHEET}, row 8", NO_ROW, "number"),
        ),
        (SHEET, "</sheetData>", '<row r="9"><c><v>3</v></c></row></sheetData>', (f"{SHEET}, row 9", NO_ROW, "number")),
        (
            SHEET,
            "</sheetData>",
            '<row r="9"><c t="str"><v>3</v></c></row></sheetData>',
            (f"{SHEET}, row 9", NO_ROW, "number"),
        ),
        (WORDS, "[c]</t>", "3</t>", (f"{SHEET}, row 4", NO_ROW, "number")),
        (
            WORDS,
            "</sst>",
            "<si><t>Dover: 3</t></si></sst>",
            (WORDS, "a text that stands in no cell", "unknown content"),
        ),
        (SHEET, "<v>1240</v>", "<f>1237+3</f><v>1240</v>", (SHEET, NO_CELL, "unknown content")),
        (SHEET, "</worksheet>", "<legacyDrawing/></worksheet>", (SHEET, NO_CELL, "unknown content")),
        (BOOK_XML, "</sheets>", "</sheets><definedNames/>", (BOOK_XML, NO_CELL, "unknown content")),
        (
            "xl/pivotCache/pivotCacheRecords1.xml",
            "",
            "<r/>",
            ("xl/pivotCache/pivotCacheRecords1.xml", NO_CELL, "unknown content"),
        ),
        ("xl/vbaProject.bin", "", "a", ("the file", "a file that cannot be read", "unknown content")),
        (
            SHEET,
            "<worksheet",
            '<!DOCTYPE a [<!ENTITY b "3">]><worksheet',
            ("the file", "a file that cannot be read", "unknown content"),
        ),
        (CORE, "<dc:creator>", "<dc:creator>Jo Smith", (CORE, "the name of who made it", "identifying value")),
        (CORE, "The 7 districts", "Rosebud", (CORE, "a value of the column child", "identifying value")),
        (
            BOOK_XML,
            'name="Plans"',
            'name="Plans of C00017"',
            (BOOK_XML, "a value of the column child", "identifying value"),
        ),
        (
            WORDS,
            "Counted in 12 months",
            "Counted C00017",
            (f"{SHEET}, row 8", "a value of the column child", "identifying value"),
        ),
        (WORDS, "Dover", "of", (f"{SHEET}, row 4", "a value of the column child", "identifying value")),
        (WORDS, "<t>district</t>", "<t>child</t>", (f"{SHEET}, row 3", "the column child", "identifying column")),
        (WORDS, "Counted in", "Read C:\\Users\\jo, counted in", (f"{SHEET}, row 8", SAYS_PATH, "path")),
        (
            "xl/_rels/workbook.xml.rels",
            'Target="worksheets',
            'TargetMode="External" Target="http://a/worksheets',
            ("xl/_rels/workbook.xml.rels", "something that asks for a file or an address", "request"),
        ),
    ],
)
def test_what_is_planted_in_a_workbook_is_found(sheets, board, part, old, new, expected):
    alter(sheets / SHEETS, part, old, new)
    rows = found(sheets, board)
    assert (SHEETS, *expected) in rows
    assert {row[0] for row in rows} == {SHEETS}


# What the package itself prints must never be taken for a leak.

SHARES = pl.DataFrame(
    {
        "agency": ["A", "B", "C", "D", "Total"],
        "numerator": [7, 240, 3, 8, 258],
        "denominator": [38, 920, 42, 70, 1070],
        "proportion": [7 / 38, 240 / 920, 3 / 42, 8 / 70, 258 / 1070],
        "lower": [0.0921, 0.2336, 0.0246, 0.0590, 0.2164],
        "upper": [0.3342, 0.2902, 0.1901, 0.2099, 0.2676],
    }
)
RANKING = pl.DataFrame(
    {
        "issue": ["Neglect", "Bullying"],
        "score": [4.0, -4.0],
        "points": [17.5, 9.5],
        "rank": [1, 2],
        "tied": [False, False],
        "selected": [True, False],
        "p_selected": [0.934, 0.066],
        "n_ballots": [9, 9],
    }
)
FIGURES = pl.DataFrame(
    {
        "figure": ["Kendall's W", "ballots turned upside down"],
        "about": ["from none to full agreement", "Bullying instead of Neglect"],
        "value": [0.47, 1.0],
        "n_ballots": [9, 9],
    }
)
CHANGES = pl.DataFrame(
    {
        "agency": ["A", "B"],
        "n_pairs": [20, 30],
        "mean_pre": [11.1, 12.0],
        "mean_post": [13.36, 11.9],
        "mean_change": [2.26, -0.1],
        "lower": [1.04, None],
        "upper": [3.48, None],
        "n_pre": [40, 50],
        "n_post": [30, 36],
        "n_up": [10, 13],
        "n_same": [10, 7],
        "n_down": [0, 10],
    }
)


TABLES = {"shares": SHARES.drop_nulls().filter(pl.col("numerator") > 5), "ranking": RANKING, "changes": CHANGES}


def said(*parts):
    """A notebook that shows these, as if it had been run."""
    cells = []
    for part in parts:
        shown = part._repr_mimebundle_() if hasattr(part, "to_dict") else {"text/html": part._repr_html_()}
        cells.append(nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", shown)]))
    return nbformat.v4.new_notebook(cells=cells)


def test_whole_way_from_tables_to_a_promoted_release_with_its_pack(tmp_path, board):
    built = tmp_path / "built"
    (built / "pack").mkdir(parents=True)
    shares, ranking, changes, districts = suppress([SHARES, RANKING, CHANGES, DISTRICTS], Policy.dfe())
    assert [table.hidden for table in (shares, ranking, changes, districts)] == [2, 0, 0, 2]
    figures = suppress(FIGURES, Policy.dfe())
    england = ("England", 0.232)
    notebook = said(
        show_text(say_proportion(shares, of="staff", have="came")),
        show_text(say_range(shares, groups="agencies")),
        show_text(say_target(shares, target=1_200, by_day=None, first=date(2011, 5, 10), last=date(2011, 6, 24))),
        show_text(say_agreement(figures)),
        show_text(say_ballots_to_change(figures)),
        show_text("On the register: " + say_stock_and_flow(864, 920, 813, 960, -11)),
        plot_proportion(shares, title="The 7 agencies", measure="Staff who came", reference=england),
        plot_ranking(ranking, title="Issues", seats=1),
        plot_mean_change(changes, title="Gain", meaningful_gain=1.5),
        plot_count(districts, title="Plans"),
        *(show_table(table, caption="The 7 tables") for table in (shares, ranking, changes, districts)),
    )
    navigation = [("index.html", "Contents")]
    page = page_html(notebook, title="All", bundle=vega_bundle(), navigation=navigation)
    (built / "pack" / "all.html").write_text(page, encoding="utf-8")
    message = message_html("This page needs plans.csv.", title="Plans", navigation=navigation)
    (built / "pack" / "plans.html").write_text(message, encoding="utf-8")
    tables = {"shares": shares, "ranking": ranking, "figures": figures, "changes": changes, "districts": districts}
    for name, table in tables.items():
        publish(table, name, into=built, title=name, definition="2 of 3", measure=name, headline="")
    index = index_html(board="A board", pages=[], made_on="1 July 2011", notes=["Data version 0123456789ab."])
    (built / "pack" / "index.html").write_text(index, encoding="utf-8")
    refuse_leaks(built, board)
    release = promote(built, tmp_path / "release", about=ABOUT).folder
    assert found(release, board) == []
    # The same pack beside a table that was not published: everything that shows it is found.
    for kind in ("csv", "parquet"):
        (release / "tables" / f"districts.{kind}").unlink()
    manifest = json.loads((release / "manifest.json").read_text(encoding="utf-8"))
    del manifest["tables"]["districts"]
    (release / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert {row[1] for row in found(release, board)} == {
        *("chart 4, row 2", "chart 4, row 3", "chart 4, description"),
        *("table 4, row 3", "table 4, row 4"),
    }


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("A: 7 of 38 staff.", True),
        ("A: 18% (9% to 33%).", True),
        ("A: 19%.", False),  # 7 / 38 = 18.4 %
        ("A: 8 of 70 staff.", False),  # these are the figures of D
        ("C: 3 of 42.", False),  # hidden
        ("258 of 1,070 staff, 24.1%.", True),
        ("A and D: 7 of 38 and 8 of 70, together 15 of 108, 1 more in D.", True),  # 7 + 8, 38 + 70, 8 - 7
        ("A: 7 of 38. 31 fewer in C.", True),  # 38 - 7, which everybody can see
        ("A: 7 of 38. C: 8 of 70.", False),  # each sentence by the names in it
        ("A: 18% and 24 people.", False),  # no count follows from a share
        ("A and D: 7 and 8 of 70 staff, 10%.", True),  # 7 / 70, both of which are said
        ("A and D: 7 and 8 of 70 staff, 12%.", False),  # 8 / 70 = 11.4 %
        ("A: 7 came, 10%.", False),  # 70 is not said
        ("A: 7 of 38, so 82% stayed away.", False),  # 31 is no figure
        ("Total: 258 − 7 + 8 = 259.", False),  # names no row of 7 or 8
        ("A, D: 38 + 70 − 8 = 100.", True),
        ("A, D: 38, 70 and 8, hence 100.", False),  # no equation
        ("On 31 March 2008 and in 2007/08, 258 came.", True),
        ("1999 came.", True),  # taken for a year: our sentences write 1,999
        ("1,999 came.", False),
    ],
)
def test_sentence_says_figures_of_the_rows_it_names(sentence, expected):
    assert Figures.of([suppress(SHARES, Policy.dfe())]).says(sentence) is expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [(24, True), (25, False)],
)
def test_name_of_two_sentences_is_one_name(count, expected):
    frame = pl.DataFrame({"question": ["He may be in danger. Who is told?", "Who is asked?"], "count": [24, 31]})
    figures = Figures.of([already_public(frame, "By hand")])
    said = f'Right in these: "He may be in danger. Who is told?" ({count} people) and "Who is asked?" (31 people).'
    assert figures.says(said) is expected


ANSWERED = pl.DataFrame(
    {
        "before": ["yes", "yes", "yes", "no", "Total"],
        "after": ["yes", "no", "Total", "Total", "Total"],
        "count": [40, 12, 52, 8, 60],
    }
)
WAVES = pl.DataFrame({"wave": ["before", "after"], "count": [45, 33]})
GAIN = pl.DataFrame({"n_pairs": [40], "mean_pre": [10.5], "mean_change": [2.5]})
ANSWERS = Figures.of([already_public(table, "By hand") for table in (ANSWERED, WAVES, GAIN)])


@pytest.mark.parametrize(
    ("labels", "texts", "expected"),
    [
        (["yes", "Total"], ["52"], True),
        (["yes"], ["40 (77%)"], True),  # 40 / 52 = 76.9 %
        (["yes"], ["40 (66.7%)"], True),  # 40 / 60
        (["yes"], ["40 (88%)"], False),  # 40 / 45, which stands in another table
        (["no"], ["8 (13%)"], True),  # 8 / 60 = 13.3 %
        (["no"], ["8 (77%)"], False),  # the share of another row
        (["yes"], ["40 (76)"], False),  # no percentage, and no figure
    ],
)
def test_percentage_of_a_row_is_a_share_of_counts_of_its_table(labels, texts, expected):
    assert ANSWERS.has_row(labels, [], texts) is expected


def test_answers_and_waves_are_no_names_that_a_sentence_goes_by():
    assert ANSWERS.names_in("Before and after: yes or no, before, after, Total.") == ["Total"]
    assert ANSWERS.says("Of 60, 52 answered before and 40 also after (77% of 52), no more than that.")
    assert not ANSWERS.says("Of 60, 52 answered before and 41 also after, no more than that.")


def test_row_called_before_or_after_may_be_that_of_the_one_row_there_is():
    assert ANSWERS.has_row(["before"], [10.5])  # the mean before, of the table of one row
    assert ANSWERS.has_row(["before"], [45.0])
    assert not ANSWERS.has_row(["before"], [33.0])  # that is after
    assert not ANSWERS.has_row(["Total"], [10.5])  # a name of rows elsewhere
