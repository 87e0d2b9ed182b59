"""Tables on paper: they can be read, and nothing of them is lost without a word."""

import re

from safeguarding_analytics.page_parts import WIDEST, blocks_of
from safeguarding_analytics.paper_tables import SMALLER, for_paper


def placed(heads, rows, caption="Issues"):
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{each}</td>" for each in row) + "</tr>" for row in rows)
    table = f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return for_paper(blocks_of(f'<main id="main">{table}</main>'), "Priorities")


def texts(table):
    return [["".join(run["text"] for run in cell["runs"]) for cell in row] for row in table["body"]]


def text_of(runs):
    return "".join(run["text"] for run in runs)


def test_very_long_table_is_printed_in_part_and_says_how_much_is_left_out_and_where_it_stands():
    table, note = placed(["Agency"], [[f"row {n}"] for n in range(1210)])
    assert texts(table) == [[f"row {n}"] for n in range(12)]
    assert text_of(note["runs"]) == (
        "These are the first 12 of 1,210 rows. All 1,210 are on the page “Priorities” of the board pack, in the "
        "workbook tables.xlsx and in the CSV files of the release."
    )
    assert note["kind"] == "note"


def test_of_a_long_table_of_months_the_last_ones_are_printed():
    months = [f"{year}-{month:02d}" for year in range(2004, 2008) for month in range(1, 13)]
    table, note = placed(["Month", "Number"], [[month, "7"] for month in months])
    assert [row[0] for row in texts(table)] == [f"2007-{month:02d}" for month in range(1, 13)]
    assert text_of(note["runs"]).startswith("These are the last 12 of 48 rows.")


def test_table_of_forty_rows_is_printed_in_full():
    (table,) = placed(["Agency"], [[f"row {n}"] for n in range(40)])
    assert len(table["body"]) == 40


def test_table_in_an_entry_of_a_list_is_printed_in_part_too():
    rows = "".join(f"<tr><td>{n}</td></tr>" for n in range(41))
    (listed,) = for_paper(blocks_of(f"<main><ul><li><table>{rows}</table></li></ul></main>"), "Priorities")
    table, note = listed["entries"][0]
    assert len(table["body"]) == 12
    assert "12 of 41 rows" in text_of(note["runs"])


def test_columns_that_have_no_room_stand_in_parts_with_the_first_one_in_each():
    heads = ["Issue", *(f"check {n}" for n in range(1, 18))]
    parts = placed(heads, [["Neglect", *map(str, range(1, 18))]])
    assert [text_of(part["caption"]) for part in parts] == ["Issues, part 1 of 2", "Issues, part 2 of 2"]
    assert [part["columns"] for part in parts] == [9, 10]  # 17 columns, as evenly as they can be, and the first twice
    assert [row[0] for part in parts for row in texts(part)] == ["Neglect", "Neglect"]
    assert [each for part in parts for row in texts(part) for each in row[1:]] == [str(n) for n in range(1, 18)]


def test_no_word_is_wider_than_its_column_and_no_letter_smaller_than_eight_points():
    names = ["Issue", "As fixed", "Selected", "Copeland", "Schulze", "Kemeny", "Agreed by all", "Absent members"] * 2
    parts = placed(names, [[n or "long words here and there, one after the other" for n in range(16)]])
    # "Copeland" in Arial bold: C 722, o 611, p 611, e 556, l 278, a 556, n 611 and d 611 thousandths of 8 points.
    room = WIDEST - parts[0]["gap"] * (parts[0]["columns"] - 1)
    assert parts[0]["shares"][3] * room / sum(parts[0]["shares"]) >= 4.556 * 8
    for part in parts:
        assert part["size"] >= SMALLER == 8.0
        assert not part["crowded"]
        assert sum(part["shares"]) <= WIDEST - part["gap"] * (part["columns"] - 1) + 0.5


def test_short_texts_stand_in_one_line_where_a_long_one_has_several():
    (table,) = placed(
        ["Board", "Theme", "Urgency"],
        [["Community Safety Partnership", "Domestic abuse, " * 9, "9"], ["Safeguarding Adults Board", "Gangs", "5"]],
    )
    # "Community Safety Partnership" in Arial: 28 letters of 0.5 of 8.5 points each, or 12.1 times 8.5 points.
    assert table["shares"][0] > 12.1 * 8.5
    assert table["shares"][1] > table["shares"][0] > table["shares"][2]


def test_table_with_cells_over_several_columns_is_not_taken_apart():
    heads = "".join(f"<th>averylonghead{n}</th>" for n in range(14))
    body = f'<tr><td colspan="14">one</td></tr><tr>{"<td>x</td>" * 14}</tr>'
    (table,) = for_paper(
        blocks_of(f"<main><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></main>"), "Title"
    )
    assert table["columns"] == 14
    assert table["crowded"]
    assert re.fullmatch(r"[\d.]+", str(table["gap"]))
