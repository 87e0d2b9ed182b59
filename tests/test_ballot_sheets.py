"""Ballots to hand out: what stands on the sheet and in the workbook, what is never overwritten, the command."""

from __future__ import annotations

import os
import re
import shutil
from base64 import b64encode
from contextlib import redirect_stderr, redirect_stdout
from hashlib import sha256
from html.parser import HTMLParser
from io import BytesIO, StringIO
from zipfile import ZipFile

import pytest

from safeguarding_analytics.ballot_sheets import (
    Ballot,
    ballot_of,
    sheet_html,
    shuffled_orders,
    tell_voter,
    workbook_bytes,
    write_ballots,
)
from safeguarding_analytics.board import read_board
from safeguarding_analytics.cli import main
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.sources.ballot_workbooks import is_ballot_workbook, read_ballot_workbook
from safeguarding_analytics.sources.files import read_sheet

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NASTY = ["=1+1", "+44", "-5", "@SUM(A1)", "<script>alert(1)</script>", 'Girls & "boys"', "https://example.org"]
FIFTEEN = tuple(
    (
        f"An issue of the board, number {number}",
        "What it covers, in a sentence that is about as long as two lines are, no more",
    )
    for number in range(15)
)
BALLOT = Ballot("Kirklees & others", FIFTEEN, ("Police", "Health"))


def ballot(*issues, **own):
    return Ballot("Ours", tuple((issue, None) for issue in issues), **own)


def names_in(order):
    return [issue for issue, _ in order]


class Page(HTMLParser):
    """The tags of a page, and the texts of its row headings per ballot."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ballots, self.inside = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "article":
            self.ballots.append([])
        self.inside = tag == "th" and ("scope", "row") in attrs
        if self.inside:
            self.ballots[-1].append("")

    def handle_data(self, data):
        if self.inside:
            self.ballots[-1][-1] += data

    def handle_endtag(self, tag):
        self.inside = False


def parts_of(content):
    with ZipFile(BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def fill_in(path, value="<v>1</v>"):
    """Write a place into a workbook."""
    parts = parts_of(path.read_bytes())
    name = "xl/worksheets/sheet1.xml"
    row = re.search(r'sqref="B(\d+):B\d+"', parts[name]).group(1)
    parts[name] = re.sub(rf'<c r="B{row}" s="(\d+)"/>', rf'<c r="B{row}" s="\1">{value}</c>', parts[name])
    with ZipFile(path, "w") as archive:
        for each, part in parts.items():
            archive.writestr(each, part)


# The orders


def test_each_copy_lists_every_issue_once_in_an_order_of_its_own():
    orders = shuffled_orders(BALLOT, 20, seed=1)
    assert all(sorted(order) == sorted(FIFTEEN) for order in orders)
    assert len({tuple(order) for order in orders}) == 20


def test_the_same_seed_gives_the_same_orders_whatever_the_number_of_copies_and_the_order_of_the_table():
    orders = shuffled_orders(BALLOT, 5, seed=1)
    assert shuffled_orders(BALLOT, 8, seed=1)[:5] == orders
    assert shuffled_orders(Ballot("Ours", FIFTEEN[::-1]), 5, seed=1) == orders
    assert shuffled_orders(BALLOT, 5, seed=2) != orders


def test_over_many_copies_each_issue_stands_first_about_as_often():
    first = [order[0][0] for order in shuffled_orders(BALLOT, 1000, seed=3)]
    # 1,000 draws of 1 in 15: 66.7 on average, standard deviation 7.9; 40 to 94 is more than three of them
    assert all(40 <= first.count(issue) <= 94 for issue, _ in FIFTEEN)


@pytest.mark.parametrize(("copies", "seed"), [(0, 1), (1001, 1), (-1, 1), (1, -1)])
def test_copies_and_seed_out_of_range_are_refused(copies, seed):
    with pytest.raises(ParameterError, match=r"Found: -?1?,?\d"):
        shuffled_orders(BALLOT, copies, seed)


# The rule


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ({"seats": 4}, "The 4 issues with the highest scores become the priorities of the board."),
        ({"seats": 1}, "The issue with the highest score becomes the priority of the board."),
        ({"weight": "member"}, "The scores of all ballots are added up, and every member counts the same."),
        (
            {"weight": "agency"},
            "The scores of all ballots are added up, and every agency counts the same, shared by its members.",
        ),
        (
            {"unranked": "share"},
            "Issues you leave blank count as tied with each other, below all those you ranked.",
        ),
        (
            {"unranked": "ignore"},
            "Issues you leave blank are not compared: they neither score nor lose on your ballot.",
        ),
    ],
)
def test_the_rule_of_the_board_is_printed_on_the_sheet_and_in_the_workbook(own, sentence):
    made = ballot("Neglect", "Bullying", **own)
    assert sentence in tell_voter(made)
    assert sentence in sheet_html(made, [made.issues])
    cells = read_sheet(workbook_bytes(made, made.issues), "b.xlsx", "Ballot")[0].rows()
    assert sentence in " ".join(row[0] for row in cells if row[0])


# The sheet to print


def test_every_ballot_of_the_sheet_lists_the_issues_in_its_order():
    orders = shuffled_orders(BALLOT, 3, seed=1)
    assert Page(sheet_html(BALLOT, orders)).ballots == [names_in(order) for order in orders]


def test_the_sheet_needs_nothing_from_outside_and_has_no_script():
    text = sheet_html(BALLOT, shuffled_orders(BALLOT, 2, seed=1))
    page = Page(text)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img", "link", "iframe", "object", "form", "input"})
    assert not [
        name
        for _, attributes in page.tags
        for name in attributes
        if name in ("src", "href", "style") or name[:2] == "on"
    ]
    assert not re.search(r"https?:|url\(|@import", text)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL).group(1)
    policy = next(each["content"] for _, each in page.tags if each.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    assert f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in policy


def test_names_stand_on_the_sheet_as_text():
    made = Ballot("<b>Ours</b>", tuple((issue, f"{issue}?") for issue in NASTY))
    text = sheet_html(made, [made.issues])
    assert Page(text).ballots == [NASTY]
    assert "<b>Ours" not in text
    assert "<script" not in text


def test_the_sheet_is_marked_up_for_screen_readers():
    page = Page(sheet_html(BALLOT, shuffled_orders(BALLOT, 2, seed=1)))
    tags = [tag for tag, _ in page.tags]
    assert ("html", {"lang": "en-GB"}) in page.tags
    assert (tags.count("h1"), tags.count("h2"), tags.count("main"), tags.count("title")) == (1, 2, 1, 1)
    assert [each["scope"] for tag, each in page.tags if tag == "th"].count("col") == 6
    labelled = [each["aria-labelledby"] for tag, each in page.tags if tag == "article"]
    assert labelled == [each["id"] for tag, each in page.tags if tag == "h2"]


def test_an_issue_without_a_description_leaves_its_cell_empty_and_none_at_all_no_column():
    some = Ballot("Ours", (("Neglect", "Recognising it"), ("Bullying", None)))
    assert "What it covers" in sheet_html(some, [some.issues])
    assert ">None<" not in sheet_html(some, [some.issues])
    assert "What it covers" not in sheet_html(ballot("Neglect", "Bullying"), [ballot("Neglect", "Bullying").issues])


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: no pages can be printed")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_fifteen_issues_fit_on_one_page_and_forty_on_two_with_the_headings_on_both(tmp_path):
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    forty = Ballot(
        "Ours", tuple((f"{issue} {number}", covers) for number in range(3) for issue, covers in FIFTEEN)[:40]
    )
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
        ) as browser,
    ):
        page = browser.new_page(viewport={"width": 794, "height": 1123})
        for made, pages in ((BALLOT, 1), (forty, 2)):
            page.set_content(sheet_html(made, shuffled_orders(made, 2, seed=1)))
            assert Axe().run(page).violations_count == 0
            assert page.evaluate("document.documentElement.scrollWidth") <= 794
            printed = page.pdf(prefer_css_page_size=True, tagged=True)
            assert len(re.findall(rb"/Type\s*/Page\b(?!s)", printed)) == 2 * pages
            assert page.evaluate("getComputedStyle(document.querySelector('thead')).display") == "table-header-group"
            sizes = page.evaluate(
                "[...document.querySelectorAll('td, th, li')].map(e => parseFloat(getComputedStyle(e).fontSize))"
            )
            assert min(sizes) * 72 / 96 >= 11


# The workbook


def test_a_workbook_holds_texts_and_only_one_formula():
    made = Ballot("=Ours", tuple((issue, issue) for issue in NASTY), tuple(NASTY))
    parts = parts_of(workbook_bytes(made, made.issues))
    sheets = parts["xl/worksheets/sheet1.xml"] + parts["xl/worksheets/sheet2.xml"]
    assert re.findall(r"<f>(.*?)</f>", sheets) == [
        f'COUNT(B{row}:B{row + 6})&amp;" of 7 issues ranked"' for row in [18]
    ]
    assert "<hyperlink" not in sheets
    found = read_sheet(workbook_bytes(made, made.issues), "b.xlsx", "Ballot")[0].rows()
    assert [(row[0], row[2]) for row in found[-7:]] == [(issue, issue) for issue in NASTY]
    assert parts["xl/styles.xml"].count('quotePrefix="1"') >= 3  # the title, and two columns


def test_a_workbook_takes_whole_places_up_to_the_number_of_issues_and_agencies_of_the_list():
    agencies = tuple(f"Agency {number} with a long name" for number in range(60))
    made = Ballot("Ours", FIFTEEN, agencies)
    parts = parts_of(workbook_bytes(made, made.issues))
    sheet, lists = parts["xl/worksheets/sheet1.xml"], parts["xl/worksheets/sheet2.xml"]
    rules = re.findall(r"<dataValidation .*?(?:</dataValidation>|/>)", sheet)
    places, agency = (next(each for each in rules if f'type="{kind}"' in each) for kind in ("whole", "list"))
    assert re.search(r"<formula1>1</formula1><formula2>15</formula2>", places)
    for rule in (places, agency):
        assert 'allowBlank="1"' in rule
        assert 'showErrorMessage="1"' in rule
        assert 'showInputMessage="1"' in rule
        assert "errorStyle" not in rule  # that is, it stops
    assert "<formula1>Lists!$A$3:$A$62</formula1>" in agency
    assert [row[0] for row in read_sheet(workbook_bytes(made, made.issues), "b", "Lists")[0].rows()[2:]] == list(
        agencies
    )
    assert '<sheet name="Lists" sheetId="2" state="hidden"' in parts["xl/workbook.xml"]
    assert "<sheetProtection" in lists


def test_a_workbook_is_locked_but_for_the_cells_to_fill_in_and_has_no_password():
    parts = parts_of(workbook_bytes(BALLOT, FIFTEEN))
    sheet = parts["xl/worksheets/sheet1.xml"]
    assert '<sheetProtection sheet="1" objects="1" scenarios="1"' in sheet
    assert "password" not in sheet
    formats = parts["xl/styles.xml"].partition("<cellXfs")[2].partition("</cellXfs")[0].split("<xf ")[1:]
    unlocked = {number for number, each in enumerate(formats) if 'locked="0"' in each}
    open_cells = [cell for cell, style in re.findall(r'<c r="(\w+)" s="(\d+)"', sheet) if int(style) in unlocked]
    first, last = map(int, re.search(r'sqref="B(\d+):B(\d+)"', sheet).groups())
    assert last - first == 14
    assert open_cells == [f"B{first - 6}", f"B{first - 5}", *(f"B{row}" for row in range(first, last + 1))]


def test_a_workbook_is_set_up_for_printing_and_for_screen_readers():
    parts = parts_of(workbook_bytes(BALLOT, FIFTEEN))
    sheet = parts["xl/worksheets/sheet1.xml"]
    assert "<mergeCell" not in sheet
    assert 'paperSize="9"' in sheet
    assert 'fitToHeight="0"' in sheet
    assert "Kirklees &amp;&amp; others" in sheet  # one & would begin a code of the footer
    header = int(re.search(r'sqref="B(\d+):', sheet).group(1)) - 1
    assert f"Ballot!${header}:${header}</definedName>" in parts["xl/workbook.xml"]
    assert f"Ballot!$A${header}:$C${header + 15}</definedName>" in parts["xl/workbook.xml"]
    assert "<dc:title>Ballot: Kirklees &amp; others</dc:title>" in parts["docProps/core.xml"]
    assert 'name="safeguarding_ballot"' in parts["docProps/custom.xml"]


def test_a_workbook_without_agencies_takes_any():
    sheet = parts_of(workbook_bytes(ballot("A", "B"), ballot("A", "B").issues))["xl/worksheets/sheet1.xml"]
    assert 'type="list"' not in sheet


def test_a_text_too_long_for_a_cell_is_refused():
    made = Ballot("Ours", (("Neglect", "x" * 32_768), ("Bullying", None)))
    with pytest.raises(ParameterError, match="too long for the cell"):
        workbook_bytes(made, made.issues)


# The files


def test_one_copy_makes_one_workbook_and_more_are_numbered(tmp_path):
    one = write_ballots(BALLOT, tmp_path / "one")
    assert [path.name for path in one.written] == ["ballot_sheet.html", "ballot.xlsx"]
    several = write_ballots(BALLOT, tmp_path / "deep" / "several", copies=3)
    names = ["ballot_sheet.html", "ballot_01.xlsx", "ballot_02.xlsx", "ballot_03.xlsx"]
    assert [path.name for path in several.written] == names
    assert sorted(path.name for path in (tmp_path / "deep").rglob("*") if path.is_file()) == sorted(names)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["several"]


def test_paper_and_workbook_of_a_copy_have_the_same_order(tmp_path):
    made = write_ballots(BALLOT, tmp_path / "x", copies=2, seed=9)
    on_paper = Page(made.written[0].read_text(encoding="utf-8")).ballots
    for path, order in zip(made.written[1:], on_paper, strict=True):
        rows = read_sheet(path.read_bytes(), path.name, "Ballot")[0].rows()
        assert [row[0] for row in rows[-15:]] == order
        assert is_ballot_workbook(path)


def test_the_same_ballots_are_the_same_bytes(tmp_path):
    first, second = (write_ballots(BALLOT, tmp_path / name, copies=2).written for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_ballots_not_filled_in_are_replaced_as_a_set(tmp_path):
    write_ballots(BALLOT, tmp_path, copies=3)
    (tmp_path / "letter.docx").write_bytes(b"Dear member")
    changed = Ballot("Ours", FIFTEEN[:5])
    made = write_ballots(changed, tmp_path, copies=2)
    assert [path.name for path in made.removed] == ["ballot_03.xlsx"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("ballot_01.xlsx", "ballot_02.xlsx", "ballot_sheet.html", "letter.docx"),
    ]
    assert read_ballot_workbook(made.written[1], [issue for issue, _ in FIFTEEN[:5]], []).problems.is_empty()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("ballot_02.xlsx", None, r"ballot_02.xlsx: filled in, or no ballot of this kind"),
        ("ballot_07.xlsx", None, r"ballot_07.xlsx: filled in, or no ballot of this kind"),
        ("ballot_sheet.html", b"<p>the board's own</p>", "ballot_sheet.html: filled in, or no ballot"),
        ("ballot_01.xlsx", b"PK broken", "ballot_01.xlsx: filled in, or no ballot"),
        ("~$ballot_01.xlsx", b"lock", "ballot_01.xlsx: open in a program"),
    ],
)
def test_a_filled_or_foreign_or_open_file_is_never_replaced(tmp_path, name, content, why):
    write_ballots(BALLOT, tmp_path, copies=2)
    path = tmp_path / name
    if content is None:
        path.write_bytes((tmp_path / "ballot_01.xlsx").read_bytes())
        fill_in(path)
    else:
        path.write_bytes(content)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    with pytest.raises(ParameterError, match=why) as refused:
        write_ballots(Ballot("Ours", FIFTEEN[:3]), tmp_path, copies=2)
    assert "Nothing was written." in str(refused.value)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(ParameterError, match="this is a file, not a folder"):
        write_ballots(BALLOT, tmp_path / "out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_a_clean_message(tmp_path):
    (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(ParameterError, match="cannot be written there"):
        write_ballots(BALLOT, tmp_path / "out")


# The board


def board(folder, issues="issue,description\nNeglect,Early\nBullying,\nSelf-harm,\n", toml="", agencies=None):
    folder.mkdir(exist_ok=True)
    (folder / "board.toml").write_text(f'[board]\nname = "Ours"\nas_at = 2015-09-25\n{toml}', encoding="utf-8")
    if issues:
        (folder / "issues.csv").write_text(issues, encoding="utf-8")
    if agencies:
        (folder / "agencies.csv").write_text(agencies, encoding="utf-8")
    return folder


SEATS = "[priorities]\nseats = 2\n"


def test_the_ballot_of_a_board_has_its_issues_rule_and_agencies_that_have_not_merged(tmp_path):
    agencies = (
        "agency,sector,aliases,merged_into,merged_on\nPolice,Police,,,\nWest,Health,,North,2014-04-01\n"
        "North,Health,,,\nEast,Health,,North,2016-04-01\n"
    )
    toml = '[priorities]\nseats = 2\nweight = "agency"\nunranked = "ignore"\n'
    found = ballot_of(read_board(board(tmp_path / "b", toml=toml, agencies=agencies)))
    issues = (("Neglect", "Early"), ("Bullying", None), ("Self-harm", None))
    assert found == Ballot("Ours", issues, ("East", "North", "Police"), 2, "agency", "ignore")


@pytest.mark.parametrize(
    ("issues", "toml", "message"),
    [
        (None, SEATS, "there is no table of issues. Write issues.csv"),
        ("issue,description\nNeglect,\n", SEATS, "issues.csv: a ballot needs at least 2 issues. Found: 1."),
        ("issue,description\nA,\nB,\nC,\n", "", "must be no more than the issues, 3. Found: 4."),
        ("issue,description\nA,\nA,\n", SEATS, "one row per issue"),
    ],
)
def test_a_board_that_lacks_what_a_ballot_needs_is_told_so(tmp_path, issues, toml, message):
    ended = run("ballots", board(tmp_path / "b", issues, toml))
    assert (ended[0], ended[1]) == (2, "")
    assert ended[2].startswith("Error: ")
    assert message in ended[2]
    assert not (tmp_path / "b" / "ballots_to_hand_out").exists()


# The command


def run(*arguments):
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        patch.setattr("sys.argv", ["safeguarding", *map(str, arguments)])
        patch.setenv("COLUMNS", "100")
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
    return code, out.getvalue(), err.getvalue()


def test_the_command_says_what_it_wrote_and_what_to_do_next(tmp_path):
    folder = board(tmp_path / "b", toml=SEATS)
    code, out, err = run("ballots", folder, "--copies", 12)
    assert (code, err) == (0, "")
    place = folder / "ballots_to_hand_out"
    assert len(list(place.iterdir())) == 13
    assert f"Wrote 12 ballots to {place}\n" in out
    assert (place / "ballot_sheet.html").resolve().as_uri() in out
    assert "ballot_01.xlsx to ballot_12.xlsx" in out
    assert 'files = ["ballots/*.xlsx"]' in out
    assert str(folder / "ballots") in out
    assert "take the file of ballots out" not in out
    assert "Took away" not in out
    (folder / "ballots.csv").write_text("member,agency,issue,rank\n")
    again = run("ballots", folder)[1]
    assert "Took away 12 ballots of an earlier set, not filled in." in again
    assert "take the file of ballots out of the folder" in again


def test_the_seed_is_the_boards_unless_it_is_given(tmp_path):
    folder = board(tmp_path / "b", toml=f"{SEATS}seed = 7\n")
    for name, own in (("own", []), ("seven", ["--seed", 7]), ("eight", ["--seed", 8])):
        assert run("ballots", folder, "--copies", 6, "--out", tmp_path / name, *own)[0] == 0
    sheets = {name: (tmp_path / name / "ballot_sheet.html").read_bytes() for name in ("own", "seven", "eight")}
    assert sheets["own"] == sheets["seven"] != sheets["eight"]


def test_a_filled_ballot_in_the_way_is_one_clean_message(tmp_path):
    folder = board(tmp_path / "b", toml=SEATS)
    assert run("ballots", folder, "--out", folder / "ballots")[0] == 0
    fill_in(folder / "ballots" / "ballot.xlsx")
    code, out, err = run("ballots", folder, "--out", folder / "ballots")
    assert (code, out) == (2, "")
    assert "holds 1 file that may not be replaced (ballot.xlsx: filled in" in err


@pytest.mark.parametrize("arguments", [["--copies", "0"], ["--copies", "1001"], ["--seed", "-1"], ["--copies", "x"]])
def test_a_wrong_option_is_a_usage_error(tmp_path, arguments):
    code, _, err = run("ballots", board(tmp_path / "b", toml=SEATS), *arguments)
    assert code == 2
    assert "Traceback" not in err


def test_the_help_says_what_is_written_and_that_nothing_filled_in_is_lost():
    code, out, _ = run("ballots", "--help")
    assert code == 0
    for words in ("ballot_sheet.html", "ballot_30.xlsx", "nothing is written", "[default: FOLDER/ballots_to_hand_out]"):
        assert words in " ".join(out.split())
