"""Published tables as their publishers write them: shorthand, percentages, totals, and everything that may be wrong."""

import csv
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics.disclosure import Policy, already_public, suppress
from safeguarding_analytics.errors import DisclosureError, TableError
from safeguarding_analytics.exports import write_workbook
from safeguarding_analytics.shapes import SHAPES, shape_of
from safeguarding_analytics.sources.published_tables import (
    WANTED,
    published_tables,
    read_published,
    read_published_table,
)


def write(folder, text, name="published.csv"):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", newline="")
    return file


def read(folder, *lines):
    return read_published_table(write(folder, "".join(f"{line}\n" for line in lines)))


def problems_of(folder, *lines):
    with pytest.raises(TableError) as caught:
        read(folder, *lines)
    return str(caught.value).splitlines()


# What is read


def test_numbers_are_whole_or_decimal_and_groups_are_text(tmp_path):
    found = read(
        tmp_path,
        "Time period,District,Numerator,Denominator,Proportion,Lower,Upper",
        '2024,01,125,"1,000",0.125,0.1061,0.1469',
        '2024,02,0,"1,234,567",0,0,0.0001',
    )
    expected = pl.DataFrame(
        {
            "time_period": ["2024", "2024"],
            "district": ["01", "02"],
            "numerator": [125, 0],
            "denominator": [1000, 1234567],
            "proportion": [0.125, 0.0],
            "lower": [0.1061, 0.0],
            "upper": [0.1469, 0.0001],
            "mark": ["", ""],
        }
    )
    assert_frame_equal(found, expected)


@pytest.mark.parametrize("heading", ["count", "COUNT", " Count ", "n", "N", "Number", "number"])
def test_case_and_obvious_synonyms_of_a_count_do_not_matter(tmp_path, heading):
    expected = pl.DataFrame({"agency": ["Police"], "count": [7], "mark": [""]})
    assert_frame_equal(read(tmp_path, f"Agency,{heading}", "Police,7"), expected)


def test_spaces_in_headings_stand_for_underscores(tmp_path):
    found = read(
        tmp_path, "Course,Registered,Attended,Did not attend,Attendance rate,Capacity", "Level 1,20,17,3,85%,24"
    )
    expected = pl.DataFrame(
        {
            "course": ["Level 1"],
            "registered": [20],
            "attended": [17],
            "did_not_attend": [3],
            "attendance_rate": [0.85],
            "capacity": [24],
            "mark": [""],
        }
    )
    assert_frame_equal(found, expected)


def test_synonym_gives_way_to_the_word_itself(tmp_path):
    # The three-digit number of an authority stands beside the count.
    found = read(tmp_path, "number,la_name,count", "886,Kent,12")
    assert found.rows(named=True) == [{"number": "886", "la_name": "Kent", "count": 12, "mark": ""}]


@pytest.mark.parametrize("heading", ["Percentage", "percent", "%"])
def test_percentages_become_proportions_with_their_interval(tmp_path, heading):
    found = read(tmp_path, f"agency,numerator,denominator,{heading},lower,upper", "Police,125,1000,12.5,10.6,14.7%")
    assert found.row(0) == ("Police", 125, 1000, 0.125, 0.106, 0.147, "")
    assert found.columns[3] == "proportion"


def test_percent_sign_says_so_itself_under_proportion(tmp_path):
    found = read(tmp_path, "agency,numerator,denominator,proportion", "Police,573,1000,57.3%", "Health,1,4,0.25")
    assert found["proportion"].to_list() == [0.573, 0.25]


def test_ends_of_an_interval_of_a_rate_are_no_shares(tmp_path):
    found = read(tmp_path, "area,count,population,rate,lower,upper", "Kent,1274,338000,37.7,35.7,39.8")
    assert found.row(0) == ("Kent", 1274, 338000, 37.7, 35.7, 39.8, "")


@hypothesis_settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0, 1, 2, 3]))
def test_percentage_keeps_the_decimals_that_are_printed(tmp_path_factory, tenths, decimals):
    printed = Decimal(tenths) / 10
    text = f"{printed:.{decimals}f}"
    file = write(tmp_path_factory.mktemp("law"), f"agency,count,percentage\nPolice,7,{text}\n")
    share = read_published_table(file)["proportion"][0]
    # A float is written with the fewest digits that tell it apart: no more than two beyond those printed.
    digits = Decimal(repr(share)).normalize()
    assert digits == Decimal(text) / 100
    assert -digits.as_tuple().exponent <= max(decimals, 0) + 2


@pytest.mark.parametrize("cell", ["-3.5", "−3.5", "+2", "1e-05", "2.50", ".5"])
def test_means_may_be_negative_or_written_by_a_program(tmp_path, cell):
    found = read(tmp_path, "course,n_pairs,mean_change,lower,upper", f"A,12,{cell},,")
    assert found["mean_change"].to_list() == [float(cell.replace("−", "-"))]


@pytest.mark.parametrize("total", ["Total", "total", "TOTAL", "All", "all", "All agencies", "ALL AGENCIES"])
def test_totals_have_one_name(tmp_path, total):
    found = read(tmp_path, "agency,count", "Police,7", f"{total},7")
    assert found["agency"].to_list() == ["Police", "Total"]


@pytest.mark.parametrize("name", ["England", "England total", "Allington", "Total of all", "Overall"])
def test_other_words_stay_names(tmp_path, name):
    assert read(tmp_path, "agency,count", f"{name},7")["agency"].to_list() == [name]


def test_all_saints_stays_a_name_where_its_column_has_a_total(tmp_path):
    found = read(tmp_path, "school,sex,count", "All Saints,All pupils,7", "Total,All pupils,9")
    assert found.select("school", "sex").rows() == [("All Saints", "Total"), ("Total", "Total")]


def test_columns_stand_groups_first_and_then_those_of_the_shape(tmp_path):
    found = read(tmp_path, "mark,agency,population,percentage,count,note", ",Police,900,0.8,7,a")
    expected = pl.DataFrame(
        {
            "agency": ["Police"],
            "count": [7],
            "mark": [""],
            "population": [900],
            "proportion": [0.008],
            "note": ["a"],
        }
    )
    assert_frame_equal(found, expected)
    assert shape_of(found.columns).group_columns(found.columns) == ["agency"]


def test_other_columns_after_the_numbers_are_numbers_where_all_their_cells_are(tmp_path):
    found = read(tmp_path, "agency,count,seats,price,note,share", "Police,7,30,2.5,c,5%", "Health,9,x,1,12,6%")
    assert found.drop("agency", "count").to_dict(as_series=False) == {
        "seats": [30, None],
        "price": [2.5, 1.0],
        "note": [None, 12],
        "share": ["5%", "6%"],
        "mark": ["", ""],
    }


def test_one_number_without_a_group_is_a_table(tmp_path):
    assert_frame_equal(read(tmp_path, "count", "7"), pl.DataFrame({"count": [7], "mark": [""]}))


def test_ranking_is_read_with_its_issues(tmp_path):
    found = read(
        tmp_path,
        "issue,score,points,rank,tied,selected,p_selected",
        "Neglect,12,4,1,false,TRUE,0.98",
        "7,-3,1.5,2,no,,0",
    )
    expected = pl.DataFrame(
        {
            "issue": ["Neglect", "7"],
            "score": [12.0, -3.0],
            "points": [4.0, 1.5],
            "rank": [1, 2],
            "tied": [False, False],
            "selected": [True, None],
            "p_selected": [0.98, 0.0],
            "mark": ["", "[x]"],
        }
    )
    assert_frame_equal(found, expected)


# Shorthand


@pytest.mark.parametrize(
    "cell",
    ["c", "[c]", "C", "[C]", "*", "<5", "< 5", "<=5", "≤5", ">95", "Fewer than 6", "less than 10", "1-5", "1 to 5"],
)
def test_shorthand_that_protects_people_is_c(tmp_path, cell):
    expected = pl.DataFrame(
        {"agency": ["Police"], "count": [None], "mark": ["[c]"]}, schema_overrides={"count": pl.Int64}
    )
    assert_frame_equal(read(tmp_path, "agency,count", f"Police,{cell}"), expected)


@pytest.mark.parametrize(
    "cell",
    [
        *("x", "[x]", "X", "z", "[z]", ":", "..", "-", "–", "~", "low", "[low]", "Low", "k", "[k]", "u", "[u]", ""),
        "n/a",
    ],
)
def test_all_other_shorthand_is_x(tmp_path, cell):
    expected = pl.DataFrame(
        {"agency": ["Police"], "count": [None], "mark": ["[x]"]}, schema_overrides={"count": pl.Int64}
    )
    assert_frame_equal(read(tmp_path, "agency,count", f"Police,{cell}"), expected)


def test_zero_is_a_number(tmp_path):
    assert read(tmp_path, "agency,count", "Police,0").row(0) == ("Police", 0, "")


def test_row_of_which_some_cells_are_hidden_shows_the_others(tmp_path):
    found = read(
        tmp_path,
        "agency,numerator,denominator,percentage",
        "Police,c,20,c",
        "Health,c,c,z",
        "Schools,x,20,x",
        "Probation,5,20,25.0",
    )
    assert found.rows() == [
        ("Police", None, 20, None, "[c]"),
        ("Health", None, None, None, "[c]"),
        ("Schools", None, 20, None, "[x]"),
        ("Probation", 5, 20, 0.25, ""),
    ]


def test_open_data_file_is_one_table_with_margins(tmp_path):
    # Headings and levels of an open-data file of the Department; the figures are made up.
    found = read(
        tmp_path,
        "time_period,time_identifier,geographic_level,country_code,country_name,region_code,region_name,old_la_code,"
        "new_la_code,la_name,category,number,percentage",
        '202425,Reporting year,National,E92000001,England,"","",,"","",Total,1030,100',
        "202425,Reporting year,Regional,E92000001,England,E12000008,South East,,,,Total,1030,100",
        "202425,Reporting year,Local authority,E92000001,England,E12000008,South East,886,E10000016,Kent,Total,1027,99",
        "202425,Reporting year,Local authority,E92000001,England,E12000008,South East,887,E06000035,Medway,Total,c,c",
        "202425,Reporting year,Local authority,E92000001,England,E12000008,South East,867,E06000036,Slough,Total,z,low",
    )
    columns = ["time_period", "region_name", "la_name", "category", "count", "proportion", "mark"]
    expected = pl.DataFrame(
        [
            ("202425", "Total", "Total", "Total", 1030, 1.0, ""),
            ("202425", "South East", "Total", "Total", 1030, 1.0, ""),
            ("202425", "South East", "Kent", "Total", 1027, 0.99, ""),
            ("202425", "South East", "Medway", "Total", None, None, "[c]"),
            ("202425", "South East", "Slough", "Total", None, None, "[x]"),
        ],
        schema=columns,
        orient="row",
    )
    assert_frame_equal(found, expected)


# Tables of our own releases


def test_table_of_a_release_is_read_back_as_it_was(tmp_path):
    # As a release writes it: byte order mark, CRLF, an apostrophe before what a spreadsheet takes for a formula, and a
    # second one before a name that has an apostrophe of its own.
    text = (
        "\ufeffagency,numerator,denominator,proportion,lower,upper,mark\r\n"
        "'=1+1,7,12,0.58,0.32,0.81,\r\n"
        "''-dash,0,0,,,,\r\n"
        "'@home,,,,,,[c]\r\n"
        "'twas,8,30,0.27,0.14,0.44,\r\n"
        "Total,,,,,,[c]\r\n"
    )
    expected = pl.DataFrame(
        {
            "agency": ["=1+1", "'-dash", "@home", "'twas", "Total"],
            "numerator": [7, 0, None, 8, None],
            "denominator": [12, 0, None, 30, None],
            "proportion": [0.58, None, None, 0.27, None],
            "lower": [0.32, None, None, 0.14, None],
            "upper": [0.81, None, None, 0.44, None],
            "mark": ["", "", "[c]", "", "[c]"],
        }
    )
    assert_frame_equal(read_published_table(write(tmp_path, text)), expected)


@pytest.mark.parametrize(
    ("mark", "expected"),
    [("[c]", "[c]"), ("*", "[c]"), ("[REDACTED]", "[c]"), ("'-hidden", "[c]"), ("z", "[x]"), ("", "")],
)
def test_mark_of_a_release_is_whatever_its_policy_prints(tmp_path, mark, expected):
    assert read(tmp_path, "agency,count,mark", f"Police,,{mark}").row(0) == ("Police", None, expected)


def test_mark_beside_numbers_that_are_there_says_nothing_is_hidden(tmp_path):
    assert read(tmp_path, "agency,count,mark", "Police,12,[r]").row(0) == ("Police", 12, "")


def test_column_behind_the_mark_stays_there(tmp_path):
    found = read(tmp_path, "area,count,mark,neighbours", "Kent,,[c],", "Region,12,,Surrey")
    assert found.columns == ["area", "count", "mark", "neighbours"]
    assert found.rows() == [("Kent", None, "[c]", None), ("Region", 12, "", "Surrey")]


def test_table_of_a_release_may_have_no_rows(tmp_path):
    expected = pl.DataFrame(schema={"agency": pl.String, "count": pl.Int64, "mark": pl.String})
    assert_frame_equal(read(tmp_path, "agency,count,mark"), expected)


def test_shorthand_in_a_cell_counts_where_the_mark_is_empty(tmp_path):
    assert read(tmp_path, "agency,count,mark", "Police,c,", "Health,c,x")["mark"].to_list() == ["[c]", "[c]"]


GROUPS = (
    st.text(st.sampled_from("abAZ=+-@'\"; ,é"), min_size=1, max_size=6)
    .map(str.strip)
    .filter(lambda name: name and name.casefold() != "all" and not name.casefold().startswith("all "))
)


@hypothesis_settings(max_examples=50, deadline=None)
@given(st.dictionaries(GROUPS, st.one_of(st.none(), st.integers(6, 10**9)), min_size=1, max_size=6))
def test_any_count_table_of_a_release_comes_back(tmp_path_factory, counts):
    file = tmp_path_factory.mktemp("law") / "table.csv"
    with file.open("w", encoding="utf-8-sig", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["agency", "count", "mark"])
        for name, count in counts.items():
            guarded = f"'{name}" if name.lstrip("'").startswith(("=", "+", "-", "@")) else name
            writer.writerow([guarded, count, "[c]" if count is None else ""])
    expected = pl.DataFrame(
        {
            "agency": list(counts),
            "count": list(counts.values()),
            "mark": ["[c]" if n is None else "" for n in counts.values()],
        },
        schema={"agency": pl.String, "count": pl.Int64, "mark": pl.String},
    )
    assert_frame_equal(read_published_table(file), expected)


# Other files


def test_workbook_is_read_like_a_csv(tmp_path):
    file = tmp_path / "published.xlsx"
    pl.DataFrame(
        {"Year": [2024, 2024], "Agency": ["Police", "All agencies"], "Number": ["7", "c"], "%": ["12.5", "[z]"]}
    ).write_excel(file)
    expected = pl.DataFrame(
        {
            "year": ["2024", "2024"],
            "agency": ["Police", "Total"],
            "count": [7, None],
            "proportion": [0.125, None],
            "mark": ["", "[c]"],
        }
    )
    assert_frame_equal(read_published_table(file), expected)


def test_numbers_of_a_workbook_may_be_cells_of_numbers(tmp_path):
    file = tmp_path / "published.xlsx"
    pl.DataFrame({"year": [2024.0], "n": [7.0], "percentage": [12.5]}).write_excel(file)
    assert read_published_table(file).rows() == [("2024", 7, 0.125, "")]


def test_parquet_file_is_read_like_a_csv(tmp_path):
    file = tmp_path / "published.parquet"
    table = pl.DataFrame({"agency": ["Police", "Health"], "count": [7, None], "mark": ["", "[c]"]})
    table.write_parquet(file)
    assert_frame_equal(read_published_table(str(file)), table)


# Workbooks with several sheets, titles and notes


def workbook(folder, **sheets):
    import xlsxwriter

    file = folder / "book.xlsx"
    with xlsxwriter.Workbook(file) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for line, row in enumerate(rows):
                sheet.write_row(line, 0, ["" if cell is None else cell for cell in row])
    return file


REACH = pl.DataFrame({"agency": ["A", "B", "C", "Total"], "count": [3, 10, 40, 53]})
SHARE = pl.DataFrame({"agency": ["A", "B"], "numerator": [30, 10], "denominator": [60, 40], "proportion": [0.5, 0.25]})


def test_workbook_that_was_written_here_comes_back(tmp_path):
    reach, share = suppress(REACH, Policy.dfe()), suppress(SHARE, Policy.dfe())
    one = already_public(pl.DataFrame({"count": [70]}), "DfE, table D3")
    file = tmp_path / "book.xlsx"
    write_workbook({"Reach": reach, "Share": share, "One": one}, file, title="Count", notes=["Draft", "Of 2024."])
    found = published_tables(file)
    assert list(found) == ["Reach", "Share", "One"]
    assert_frame_equal(found["Reach"], reach.frame())
    assert_frame_equal(found["Share"], share.frame())
    assert found["One"].rows() == [(70, "")]


def test_workbook_of_one_table_is_named_after_its_file(tmp_path):
    file = tmp_path / "reach_2024.xlsx"
    write_workbook(suppress(REACH, Policy.dfe()), file)
    assert list(published_tables(file)) == ["reach_2024"]


def test_sheet_is_told_from_a_file_of_its_name(tmp_path):
    rows = [["agency", "count"], ["A", 7]]
    files = [workbook(tmp_path, reach=rows, gain=rows), write(tmp_path, "count\n7\n", "reach.csv")]
    assert list(published_tables(files)) == ["book: reach", "gain", "reach"]


def test_rows_of_a_sheet_are_numbered_as_the_spreadsheet_does(tmp_path):
    rows = [[], ["Children"], [], ["agency", "count"], ["A", 7], [], ["B", "many"], ["A note."]]
    with pytest.raises(TableError, match=r"^book\.xlsx: 1 of 2 rows have a count .*: row 7\."):
        read_published_table(workbook(tmp_path, reach=rows))


def test_sheet_without_a_table_is_said_to_be_left_out(tmp_path):
    rows = [["agency", "n"], ["A", 7]]
    (found,) = read_published(workbook(tmp_path, Cover=[["Read me"]], Reach=rows, Later=rows[:1], Empty=[]))
    assert (found.name, found.not_read) == (
        "book",
        (
            "book.xlsx: sheet Cover was not audited: no table was found in it.",
            "book.xlsx: sheet Later was not audited: no table was found in it.",
        ),
    )


def test_sheet_of_people_beside_a_table_is_refused(tmp_path):
    file = workbook(tmp_path, Reach=[["agency", "n"], ["A", 7]], People=[["person", "age"], ["P1234", 7]])
    with pytest.raises(DisclosureError, match=r"^book\.xlsx: person identifies people") as caught:
        read_published_table(file)
    assert "P1234" not in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [["agency", "count", "", "agency", "count"], ["A", 7, "", "B", 8]],
            "columns A, B, C, D, E have no heading of",
        ),
        ([["agency", "count"], ["A", 7, "", 8]], "row 2 have cells to the right of the table, under no heading"),
    ],
)
def test_two_tables_side_by_side_are_refused(tmp_path, rows, said):
    with pytest.raises(TableError) as caught:
        read_published_table(workbook(tmp_path, reach=rows))
    assert said in str(caught.value)


def test_problems_of_all_sheets_are_told_at_once(tmp_path):
    file = workbook(tmp_path, a=[["agency", "n"], ["A", -1]], b=[["agency", "n"], ["A", 7]], c=[["n", "%"], [2.5, 1]])
    with pytest.raises(TableError) as caught:
        published_tables(file)
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "book.xlsx, sheet a",
        "book.xlsx, sheet c",
    ]


# What is not read


@pytest.mark.parametrize("heading", ["percentage", "proportion", "%"])
def test_share_of_a_columns_total_is_said_not_to_be_read(tmp_path, heading):
    file = write(tmp_path, f"agency,count,{heading}\nA,[c],6%\nB,9,18%\nC,38,76%\n", "v.csv")
    (found,) = read_published(file)
    assert found.not_read == (
        f"v.csv: column {heading} was not audited: a share of the column's total is not read. "
        "Add its numerator and denominator.",
    )


def test_other_columns_of_numbers_are_said_not_to_be_read_and_words_are_none(tmp_path):
    file = write(tmp_path, "agency,count,change,with_share,note\nA,9,-2,9 (18%),new\nB,c,x,c,\n", "v.csv")
    (found,) = read_published(file)
    assert found.not_read == (
        "v.csv: columns change and with_share were not audited: no column so called is read beside the others.",
    )


def test_table_of_which_all_is_read_says_nothing(tmp_path):
    text = "agency,numerator,denominator,percentage,lower,upper,mark\nA,30,60,50,40,60,\n"
    (found,) = read_published(write(tmp_path, text))
    assert found.not_read == ()


# What is refused


def test_all_wrong_cells_are_named_at_once(tmp_path):
    found = problems_of(
        tmp_path,
        "agency,numerator,denominator,percentage",
        "Police,-4,20,12.5",
        "Health,2.5,20,112.5",
        "Schools,5%,q,25",
        "Police,Jane Smith,9990001234,25",
        ",5,20,25",
        'Probation,"12,34",20,-1',
    )
    mend = "Correct them, or write [c] where a number is hidden and [x] where there is none."
    assert found == [
        "published.csv: 5 of 6 rows have a numerator that is not a whole number of 0 or more: rows 2, 3, 4, 5, 7. "
        f'Found: "-4", "2.5", "5%", (words, not shown), "12,34". {mend}',
        "published.csv: 1 of 6 rows have a denominator that is not a whole number of 0 or more: row 4. "
        f'Found: "q". {mend}',
        "published.csv: 2 of 6 rows have a percentage that is not a percentage of 0 to 100: rows 3, 7. "
        f'Found: "112.5", "-1". {mend}',
        "published.csv: 1 of 6 rows have nothing in column A, which names the group: row 6. Write the name into every "
        "row, Total where the row is a total; delete notes below the table.",
        "published.csv: 1 of 6 rows stand for the group of an earlier row: row 5 (as row 2). Keep one row of each "
        "group. Columns that name the group must stand before the numbers; cells that say Total, All or All ... mean "
        "the same.",
    ]


@pytest.mark.parametrize(
    "cell", ["12,5", "0,125", "1,23", "1 234", "1e400", "9999999999999999999", "1.2.3", "£5", "--"]
)
def test_what_is_no_plain_number_is_not_guessed(tmp_path, cell):
    (found,) = problems_of(tmp_path, "area,count,population,rate", f'Kent,7,900,"{cell}"')
    assert "1 of 1 rows have a rate that is not a number: row 2." in found


@pytest.mark.parametrize(("cell", "said"), [("85.2", '"85.2"'), ("-0.1", '"-0.1"'), ("1.01", '"1.01"')])
def test_proportion_outside_0_to_1_is_refused(tmp_path, cell, said):
    (found,) = problems_of(tmp_path, "agency,numerator,denominator,proportion", f"Police,5,20,{cell}")
    assert f"is not a proportion of 0 to 1, or a percentage with its sign: row 2. Found: {said}." in found


def test_take_up_may_be_above_1(tmp_path):
    found = read(tmp_path, "course,registered,attended,capacity,take_up", "A,20,26,20,1.3")
    assert found["take_up"].to_list() == [1.3]


@pytest.mark.parametrize(
    ("heading", "row"),
    [
        ("agency,numerator,denominator,percentage", "Police,125,1000,0.125"),  # a workbook's cell formatted as per cent
        ("agency,numerator,denominator,proportion", "Police,1,1000,0.1"),
        ("agency,registered,attended,capacity,take_up", "Police,20,17,20,85"),
    ],
)
def test_share_that_is_a_hundredfold_of_its_counts_is_refused(tmp_path, heading, row):
    (found,) = problems_of(tmp_path, heading, row)
    assert "a hundred times" in found
    assert "row 2" in found


@pytest.mark.parametrize("row", ["10,1000,0.5", "10,1000,1", "0,1000,0", "1,3000,0", "c,10,20", "5,0,"])
def test_rounded_counts_and_percentages_are_no_hundredfold(tmp_path, row):
    # Ten may be a rounded 5 of 1,000, and one of 3,000 is 0 per cent.
    assert read(tmp_path, "agency,numerator,denominator,percentage", f"Police,{row}").height == 1


def test_two_totals_of_one_group_are_refused(tmp_path):
    (found,) = problems_of(tmp_path, "agency,count", "All,7", "Police,7", "Total,7")
    assert "1 of 3 rows stand for the group of an earlier row: row 4 (as row 2)" in found


def test_group_column_behind_the_numbers_is_found_out(tmp_path):
    (found,) = problems_of(tmp_path, "year,count,agency", "2024,7,Police", "2024,9,Health")
    assert "Columns that name the group must stand before the numbers" in found


def test_rows_without_any_group_column_are_one_group(tmp_path):
    (found,) = problems_of(tmp_path, "count", "7", "8")
    assert "row 3 (as row 2)" in found


def test_two_headings_of_one_meaning_are_refused(tmp_path):
    found = problems_of(tmp_path, "agency,n,number,percent,%", "Police,7,8,1,2")
    assert found == ["published.csv: columns n, number, percent and % mean the same. Keep one of them."]


def test_table_without_number_columns_is_refused_without_quoting_its_headings(tmp_path):
    found = problems_of(tmp_path, "Jane Smith,P1234", "John Smith,P1235")
    assert found == [
        "published.csv: its headings are not those of a table that can be audited. Found: no number column. "
        f"Wanted, beside the group columns, one of: {WANTED}. "
        "Name the columns so in row 1, and delete what stands above the headings."
    ]


def test_table_of_half_a_shape_is_told_what_is_missing_and_what_is_wrong(tmp_path):
    found = problems_of(tmp_path, "agency,numerator,denominater", "Police,-1,20")
    assert len(found) == 2
    assert "Found: numerator. Wanted" in found[0]
    assert 'Column C: Did you mean "denominator"?' in found[0]
    assert 'rows have a numerator that is not a whole number of 0 or more: row 2. Found: "-1".' in found[1]


def test_every_wanted_set_of_columns_makes_a_table():
    for wanted in WANTED.replace(" (or percentage)", "").split("; "):
        assert shape_of(wanted.replace(" and ", ", ").split(", ")).name in SHAPES


def test_column_of_an_open_data_file_is_named_by_its_place_in_the_file(tmp_path):
    (found,) = problems_of(tmp_path, "geographic_level,country_code,category,count", "National,E92000001,,7")
    assert "nothing in column C" in found


@pytest.mark.parametrize("heading", ["child", "Child", " PERSON ", "plan", "member"])
def test_identifying_column_is_refused_and_none_of_its_values_shown(tmp_path, heading):
    with pytest.raises(DisclosureError) as caught:
        read(tmp_path, f"district,{heading},count", "D01,P1234,-1", "D01,P1234,many")
    name = heading.strip().lower()
    assert str(caught.value) == (
        f"published.csv: {name} identifies people and cannot be published. Count by other columns first."
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("agency,count\n", "the file has a header and no rows. Wanted one row per group."),
        ("agency,count\nPolice\n", "1 of 1 rows have not as many cells"),
    ],
)
def test_file_without_a_table_is_refused(tmp_path, text, said):
    with pytest.raises(TableError, match=r"^published\.csv: ") as caught:
        read_published_table(write(tmp_path, text))
    assert said in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(TableError, match=r"nowhere\.csv: file not found"):
        read_published_table(tmp_path / "nowhere.csv")


# Several files


def test_tables_are_named_after_their_files(tmp_path):
    files = [write(tmp_path, "agency,count\nPolice,7\n", name) for name in ("reach_2024.csv", "reach_2023.csv")]
    found = published_tables(files)
    assert list(found) == ["reach_2024", "reach_2023"]
    assert found["reach_2023"].row(0) == ("Police", 7, "")


def test_files_of_one_name_are_told_apart_by_ending_folder_or_path(tmp_path):
    names = ["a/reach.csv", "b/reach.csv", "c/reach.tsv", "d/x/take_up.csv", "e/x/take_up.csv", "f/gain.csv"]
    files = [write(tmp_path, "count\n7\n", name) for name in names]
    assert list(published_tables(files)) == [
        "a/reach.csv",
        "b/reach.csv",
        "reach.tsv",
        str(Path(tmp_path, "d/x/take_up.csv")),
        str(Path(tmp_path, "e/x/take_up.csv")),
        "gain",
    ]


def test_file_given_twice_is_read_once_and_one_file_need_not_be_a_list(tmp_path):
    file = write(tmp_path, "count\n7\n")
    assert list(published_tables([file, str(file)])) == ["published"]
    assert list(published_tables(str(file))) == ["published"]
    assert published_tables([]) == {}


def test_problems_of_all_files_are_told_at_once(tmp_path):
    files = [write(tmp_path, f"agency,count\nPolice,{cell}\n", f"{cell}.csv") for cell in ("-1", "7", "2.5")]
    with pytest.raises(TableError) as caught:
        published_tables(files)
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["-1.csv", "2.5.csv"]
