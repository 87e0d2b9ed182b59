"""What stands on which page: pages are filled, and nothing is torn or lost."""

from safeguarding_analytics.paper_flow import PAGE, Part, arranged, parts_of

WIDE = 481.0


def text(height, name="text"):
    return Part("text", ({"block": "paragraph", "kind": "", "name": name},), height)


def heading(name):
    return Part("heading", ({"block": "heading", "name": name},), 14.0)


def chart(height, *, least=WIDE, name="chart"):
    block = {"block": "chart", "width": WIDE, "least": least, "slope": height / WIDE, "name": name}
    return Part("chart", (block,), height)


def table(rows, *, height=12.0, name="table"):
    return Part("table", ({"block": "table", "name": name},), 30.0 + rows * height, (height,) * rows, 30.0)


def names(parts):
    return [part.blocks[0]["name"] for part in parts]


def test_chart_and_how_to_read_it_are_one_part_and_so_are_a_table_and_its_marks():
    read, more = ({"block": "paragraph", "kind": "", "runs": [{"text": each}]} for each in ("Read it.", "More."))
    headline = {"block": "paragraph", "kind": "headline", "runs": []}
    marks = {"block": "paragraph", "kind": "note", "runs": []}
    blocks = [{"block": "heading"}, {"block": "chart"}, read, more, headline, {"block": "table"}, marks, marks]
    parts = parts_of(blocks)
    assert [part.kind for part in parts] == ["heading", "chart", "text", "headline", "table"]
    assert [len(part.blocks) for part in parts] == [1, 2, 1, 1, 3]
    assert [block for part in parts for block in part.blocks] == blocks


def test_parts_that_fit_stay_in_their_order_and_as_large_as_they_are():
    given = [text(40), heading("one"), chart(200, least=300), table(5), heading("two"), text(30)]
    assert arranged(given, title=40.0) == given


def test_chart_that_has_no_room_stands_behind_the_table_that_has():
    # 300 are taken; the chart of 600 has no room in the 445 that are left, but the table of 390 has.
    found = arranged([text(300, "begin"), heading("one"), chart(600), table(30), heading("two"), text(60)], title=0.0)
    assert names(found) == ["begin", "one", "table", "chart", "two", "text"]
    assert [part.blocks[0]["name"] for part in found if part.begins] == ["chart"]


def test_nothing_leaves_its_section():
    given = [heading("one"), chart(500, name="a"), heading("two"), chart(500, name="b"), table(10, name="c")]
    found = names(arranged(given, title=100.0))
    assert found.index("one") < found.index("a") < found.index("two") < found.index("b")
    assert sorted(found) == sorted(names(given))


def test_chart_becomes_smaller_where_it_then_has_room_but_not_below_its_letters():
    # 645 and a chart of 110 are more than a page of 745; nine tenths of it, 99 and what stands between them, are not.
    begin = text(PAGE - 130, "begin")
    (_, smaller) = arranged([begin, chart(120, least=400)], title=0.0)
    assert 400 <= smaller.blocks[0]["width"] < WIDE
    assert smaller.height < 120
    (_, same) = arranged([begin, chart(120)], title=0.0)
    assert same.blocks[0]["width"] == WIDE


def test_long_table_goes_on_on_the_next_page_and_a_short_one_does_not():
    (_, long) = arranged([text(150, "a"), table(60)], title=0.0)
    assert long.torn  # 30 and 60 times 12 are 750, more than any page
    (_, short) = arranged([text(PAGE - 60, "a"), table(7)], title=0.0)
    assert not short.torn  # 60 points are room for two of its rows


def test_heading_without_anything_after_it_is_kept():
    assert names(arranged([heading("one"), heading("two")], title=0.0)) == ["one", "two"]
    assert arranged([], title=0.0) == []
