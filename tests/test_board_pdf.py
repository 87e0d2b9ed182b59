"""The board pack as a PDF: what the pages say, to be read by eyes and by ears, the same every time."""

from __future__ import annotations

import json
import re
import shutil
import zlib
from datetime import date
from functools import cache
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import polars as pl
import pytest

from safeguarding_analytics import answers, board_pdf, charts, pages, report
from safeguarding_analytics.board_pdf import BOARD_PDF, Chapter, digests_of, pack_pdf
from safeguarding_analytics.disclosure import Policy, already_public, suppress
from safeguarding_analytics.errors import SafeguardingError
from safeguarding_analytics.leaks import find_leaks
from safeguarding_analytics.page_parts import blocks_of, outline_of
from safeguarding_analytics.pages import PROTECTION
from safeguarding_analytics.release import promote, publish

PROJECT = Path(__file__).parents[1]
DAY = date(2011, 7, 2)
NASTY = r'#panic("x") $f$ *Fry* _& Sons_ `raw` @here <b> [c] \u{41} // ~ "#"'
BOARD = f"Board of {NASTY}"
HEADLINE = f"Half of {NASTY} came."
OPERATORS = re.compile(r"(\()|(\[|\bBT\b)|(\]TJ|Tj)|/(f\d+) [\d.]+ Tf|/(x\d+) Do")
CMAP = re.compile(rb"beginbf(char|range)(.*?)endbf", re.DOTALL)


class Pdf:
    """What a reader of PDF finds: objects, texts of pages through their fonts, and tags."""

    def __init__(self, content):
        self.content = content
        parts = re.finditer(rb"\n(\d+) 0 obj\n(.*?)\nendobj", content, re.DOTALL)
        self.objects = {int(part[1]): part[2] for part in parts}
        self.pages = [self.objects[int(number)] for number in re.findall(rb"(\d+) 0 R", self.of(b"Pages")[0])]
        self.pages = [each for each in self.pages if b"/Type/Page" in each]

    def of(self, kind):
        return [each for each in self.objects.values() if re.search(rb"/Type/%s\b" % kind, each)]

    def tags(self):
        return re.findall(r"/S/(\w+)", " ".join(each.decode("latin-1") for each in self.of(b"StructElem")))

    def stream(self, number):
        raw = self.objects[number]
        content = re.search(rb"stream\r?\n(.*)\nendstream", raw, re.DOTALL)[1]
        return zlib.decompress(content) if b"/FlateDecode" in raw else content

    def resource(self, owner, kind):
        """Numbers of the objects that an object names under a kind of resource."""
        held = re.search(rb"/Resources (\d+) 0 R", owner)
        text = self.objects[int(held[1])] if held else owner
        found = re.search(rb"/%s<<(.*?)>>" % kind, text, re.DOTALL)
        return {name.decode(): int(n) for name, n in re.findall(rb"/(\w+) (\d+) 0 R", found[1])} if found else {}

    def letters(self, font):
        """Texts by the two bytes that stand for them in a font."""
        letters = {}
        mapped = self.stream(int(re.search(rb"/ToUnicode (\d+) 0 R", self.objects[font])[1]))
        for kind, lines in CMAP.findall(mapped):
            for line in lines.split(b"\n"):
                codes = [int(code, 16) for code in re.findall(rb"<([0-9A-Fa-f]+)>", line)]
                texts = [bytes.fromhex(code.decode()).decode("utf-16-be") for code in re.findall(rb"<(\w+)>", line)]
                if kind == b"char" and codes:
                    letters[codes[0]] = texts[-1]
                elif codes:
                    letters |= {code: chr(codes[2] + code - codes[0]) for code in range(codes[0], codes[1] + 1)}
        return letters

    @cache  # noqa: B019 - for as long as the tests run
    def text(self, number, *, pictures=False):
        """Text of a page, counted from 1, with a space between any two lines."""
        page = self.pages[number - 1]
        return " ".join(" ".join(self.shown(page, int(re.search(rb"/Contents (\d+)", page)[1]), pictures)).split())

    def shown(self, owner, contents, pictures):
        fonts, forms = self.resource(owner, b"Font"), self.resource(owner, b"XObject")
        letters, raw, stream, place = {}, b"", self.stream(contents).decode("latin-1"), 0
        while found := OPERATORS.search(stream, place):
            place = found.end()
            begins, line, ends, font, form = found.groups()
            if begins:
                text, place = string_at(stream, place)
                raw += text
            elif line:  # what stood before it is the language of a text, or another property
                raw = b""
            elif font:
                letters = self.letters(fonts[font])
            elif form and pictures:
                yield from self.shown(self.objects[forms[form]], forms[form], pictures)
            elif ends:
                yield "".join(letters[int.from_bytes(raw[first : first + 2])] for first in range(0, len(raw), 2))

    def alternatives(self):
        """Alternative texts of the figures."""
        for element in (each.decode("latin-1") for each in self.of(b"StructElem") if b"/Alt" in each):
            begins = re.search(r"/Alt\s*(\(|<([0-9A-Fa-f]+)>)", element)
            raw = bytes.fromhex(begins[2]) if begins[2] else string_at(element, begins.end())[0]
            yield raw.decode("utf-16") if raw.startswith(b"\xfe\xff") else raw.decode("latin-1")


class Labels(HTMLParser):
    """The names of the pictures of a page."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "svg":
            self.found.append(dict(attrs)["aria-label"])


def plain(text):
    """The bytes of a string as PDF writes it."""
    named = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}

    def one(found):
        return chr(int(found[1], 8)) if found[1].isdigit() else named.get(found[1], found[1])

    return re.sub(r"\\([0-7]{1,3}|.)", one, text, flags=re.DOTALL).encode("latin-1")


def string_at(text, place):
    """The bytes of the string that begins there, and where it ends; parentheses in pairs are part of it."""
    depth, first = 1, place
    while depth:
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        place += 2 if text[place] == "\\" else 1
    return plain(text[first : place - 1]), place


def shares(*agencies):
    frame = pl.DataFrame({"agency": agencies, "numerator": 30, "denominator": 60, "proportion": 0.5})
    return already_public(frame.with_columns(lower=0.4, upper=0.6, mark=pl.lit("")), "DfE, table D3")


def notebook(*parts):
    """A notebook whose cells are Markdown, or show a chart or HTML."""
    cells = []
    for part in parts:
        if isinstance(part, str):
            cells.append(nbformat.v4.new_markdown_cell(part))
            continue
        data = part._repr_mimebundle_() if hasattr(part, "to_dict") else {"text/html": part._repr_html_()}
        output = nbformat.v4.new_output("display_data", data=data)
        cells.append(nbformat.v4.new_code_cell("plot_it()", outputs=[output]))
    return nbformat.v4.new_notebook(cells=cells)


def chapter(number, title, headline, *parts):
    html = pages.page_html(notebook(*parts), title=title, bundle="", navigation=[], chapter=number, board=BOARD)
    return Chapter(title, f"What of {title}?", headline, html)


def html_chapter(body, title="Title"):
    return Chapter(title, "", "", f'<main id="main"><h1>{title}</h1>{body}</main>')


def pdf_of(*bodies):
    return Pdf(pack_pdf([html_chapter(body) for body in bodies], board="B", made_on=DAY))


def said(pdf):
    return " ".join(pdf.text(number) for number in range(1, len(pdf.pages) + 1))


@pytest.fixture(scope="module")
def chapters():
    safe = shares("Police", NASTY)
    wide = pl.DataFrame({f"column_{n}": [f"cell {n}"] for n in range(18)})
    cells = "".join(f"<th>{name}</th>" for name in wide.columns)
    row = "".join(f"<td>{text}</td>" for text in wide.row(0))
    across = f"<table><caption>Wide</caption><thead><tr>{cells}</tr></thead><tbody><tr>{row}</tr></tbody></table>"
    return [
        chapter(
            1,
            "Training reach",
            HEADLINE,
            "# Training reach\n\nWho came.\n\n## Who came?\n",
            charts.plot_proportion(safe, title="Reach of all", measure="Staff"),
            answers.show_text(HEADLINE),
            answers.show_table(safe, caption="Reach by agency"),
            "## Who came?\n\nAgain, with *stress*.\n\n- one\n- two\n",
            answers.show_table(safe, caption="Folded table", folded=True),
        ),
        chapter(
            2,
            "Repeat plans",
            "A third came again.",
            "# Repeat plans\n\n## Who came again?\n",
            charts.plot_proportion(safe, title="First of the second", measure="Plans"),
            charts.plot_proportion(shares("Health"), title="Second of the second", measure="Plans"),
            across,
        ),
    ]


@pytest.fixture(scope="module")
def content(chapters):
    return pack_pdf(chapters, board=BOARD, made_on=DAY, notes=["As at 31 March 2011."])


@pytest.fixture(scope="module")
def pdf(content):
    return Pdf(content)


# For eyes


def test_cover_says_whose_figures_they_are_and_of_when(pdf):
    cover = pdf.text(1)
    assert "Safeguarding figures Board pack" in cover
    assert BOARD in cover
    assert "Made on 2 July 2011. As at 31 March 2011." in cover


def test_summary_has_every_page_with_its_question_and_headline(pdf):
    summary = pdf.text(2)
    assert f"1 Training reach What of Training reach? {HEADLINE} 2 Repeat plans What of Repeat plans?" in summary
    assert "A third came again." in summary
    assert " ".join(PROTECTION.split()) in summary


def test_contents_name_the_page_on_which_each_section_and_figure_stands(pdf):
    contents = pdf.text(3)
    for words in ("Who came?", "Who came again?", "Figure 1.1", "Figure 2.1", "Figure 2.2"):
        listed = re.findall(rf"{re.escape(words)}[^0-9]*?[. ]+(\d+)", contents)
        assert listed, words
        for number in listed:
            assert words in pdf.text(int(number)), words
    assert len(re.findall(r"Who came\?", contents)) == 2


def test_every_page_but_the_cover_says_its_number_of_how_many(pdf):
    every = len(pdf.pages)
    assert f"/Count {every}/" in pdf.of(b"Pages")[0].decode("latin-1")
    assert "Page 1 of" not in pdf.text(1)
    for number in range(2, every + 1):
        assert f"Page {number} of {every}" in pdf.text(number)


def test_figures_have_the_number_of_their_page_and_their_place_on_it(pdf, chapters):
    text = said(pdf)
    assert re.findall(r"Figure (\d\.\d)\. (\w+)", text) == [("1.1", "Reach"), ("2.1", "First"), ("2.2", "Second")]
    for number, each in enumerate(chapters, 1):
        assert f'data-chapter="{number}"' in each.html
        for place, (_, figure, title) in enumerate(outline_of(each.html).figures, 1):
            assert figure == f"{number}.{place}"
            assert f"Figure {figure}. {title}" in text


def test_names_are_printed_as_they_are_and_never_read_as_typst(pdf):
    text = said(pdf)
    assert text.count(f"Half of {NASTY} came.") == 2  # in the summary, and on its page
    assert text.count(BOARD) == len(pdf.pages)


def test_names_in_charts_are_printed_too(pdf):
    first = next(n for n in range(4, len(pdf.pages) + 1) if "Figure 1.1" in pdf.text(n))
    assert "Police" in pdf.text(first, pictures=True)
    assert "#panic" in pdf.text(first, pictures=True)


def test_every_font_is_embedded_and_is_the_one_of_the_package(pdf):
    descriptors = pdf.of(b"FontDescriptor")
    assert descriptors
    for each in descriptors:
        assert re.search(rb"/FontFile[23] \d+ 0 R", each)
        assert re.search(rb"/FontName/[A-Z]{6}\+Arimo", each)


def test_table_of_many_columns_is_printed_in_parts_that_have_the_first_one_and_every_cell_is_printed(pdf):
    text = said(pdf)
    assert re.findall(r"Wide, part (\d) of (\d)", text) == [("1", "3"), ("2", "3"), ("3", "3")]
    assert re.findall(r"cell (\d+)", text) == [str(n) for n in (*range(7), 0, *range(7, 12), 0, *range(12, 18))]
    assert not any(re.search(rb"/MediaBox\[0 0 8", each) for each in pdf.pages)  # none lies across


def test_folded_table_is_open_and_named_once(pdf):
    assert said(pdf).count("Folded table") == 1


def test_headings_of_a_long_table_stand_on_each_of_its_pages():
    rows = "".join(f"<tr><th>row {n}</th><td>{n}</td></tr>" for n in range(40))
    before = "<p>Before.</p>" * 30
    pdf = pdf_of(
        f"{before}<table><thead><tr><th>Agency</th><th>Number here</th></tr></thead><tbody>{rows}</tbody></table>"
    )
    texts = [pdf.text(number) for number in range(1, len(pdf.pages) + 1)]
    with_rows = [text for text in texts if re.search(r"row \d", text)]
    assert len(with_rows) > 1
    assert all("Agency Number here" in text for text in with_rows)
    assert re.findall(r"row (\d+) (\d+)", " ".join(texts)) == [(str(n), str(n)) for n in range(40)]


def test_rows_with_cells_missing_or_going_through_do_not_shift_those_below():
    body = (
        "<table><thead><tr><th>A</th><th>B</th><th>C</th></tr></thead><tbody>"
        '<tr><td rowspan="2">deep</td><td>b1</td></tr><tr><td>b2</td><td>c2</td></tr>'
        '<tr><td colspan="2">wide</td><td>c3</td></tr></tbody></table>'
    )
    (table,) = blocks_of(html_chapter(body).html)
    texts = [["".join(run["text"] for run in cell["runs"]) for cell in row] for row in table["body"]]
    assert texts == [["deep", "b1", ""], ["", "b2", "c2"], ["wide", "c3"]]
    assert [sum(cell["columns"] for cell in row) for row in table["body"]] == [3, 3, 3]
    assert "deep b1 b2 c2 wide c3" in said(pdf_of(body))


# For ears


def test_pdf_is_accessible_by_the_standard_and_has_a_title_and_a_language(pdf, content):
    metadata = content[content.index(b"<?xpacket") :].decode("utf-8", errors="replace")
    assert "<pdfuaid:part>1</pdfuaid:part>" in metadata
    title = re.search(r"<dc:title>.*?<rdf:li[^>]*>(.*?)</rdf:li>", metadata)[1]
    assert unescape(title) == f"Safeguarding figures – {BOARD}"
    catalog = pdf.of(b"Catalog")[0]
    for said_of_it in (b"/Lang(en-GB)", b"/Marked true", b"/DisplayDocTitle true", b"/StructTreeRoot", b"/Outlines"):
        assert said_of_it in catalog


def test_every_chart_has_the_description_of_the_page_as_its_alternative(pdf, chapters):
    wanted = [label for page in chapters for label in Labels(page.html).found]
    assert len(wanted) == 3
    assert sorted(pdf.alternatives()) == sorted(wanted)


def test_tables_are_tagged_with_their_captions_and_headings(pdf):
    tags = pdf.tags()
    assert tags.count("Table") == 5
    assert tags.count("THead") == 5
    # Agency, number, out of, share and interval; and the 18 columns of the wide one in three parts, its first in each.
    assert tags.count("TH") == 5 + 5 + 18 + 2
    assert {"Caption", "Figure", "L", "TOC", "Title"} <= set(tags)


def test_levels_of_headings_go_down_one_at_a_time():
    page = html_chapter("<h3>Deep</h3><h1>Again</h1><h2>A</h2><h4>B</h4><h2>C</h2><h3>D</h3>")
    levels = [block["level"] for block in blocks_of(page.html)]
    assert levels == [2, 2, 2, 3, 2, 3]
    assert {"H1", "H2", "H3"} <= set(pdf_of("<h3>Deep</h3><h2>A</h2><h4>B</h4>").tags())


# What pages can hold


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<p></p><ul></ul><ol><li></li></ol><dl></dl><table></table><table><tr></tr></table><h2></h2>",
        "<table><tr><td></td></tr></table><p> \n <br> </p><details><summary></summary></details>",
        f"<ul><li><p>{escape(NASTY)}</p><ul><li>in</li></ul><table><tr>{'<td>x</td>' * 14}</tr></table></li></ul>",
        "<p>open <strong>never closed</p></em></main><h2>after",
    ],
)
def test_pages_with_next_to_nothing_on_them_or_broken_ones_are_printed(body):
    assert len(pdf_of(body).pages) >= 4


def test_manner_of_text_is_kept_and_links_of_the_pack_are_text():
    page = html_chapter('<p>It is <strong>so</strong> <em>very</em> <a href="x.html">there</a>.\n A  line.<br>New.</p>')
    (paragraph,) = blocks_of(page.html)
    assert paragraph["runs"] == [
        {"text": "It is "},
        {"text": "so", "strong": True},
        {"text": " "},
        {"text": "very", "emphasis": True},
        {"text": " "},
        {"text": "there"},
        {"text": ". A line."},
        {"new_line": True},
        {"text": "New."},
    ]


def test_scripts_styles_and_forms_are_no_part_of_the_pdf():
    body = '<style>p{}</style><script>secret()</script><form><button>Press</button></form><p class="note">A note.</p>'
    assert [block["kind"] for block in blocks_of(html_chapter(body).html)] == ["note"]


def test_character_that_the_font_does_not_have_is_printed_as_a_question_mark():
    text = said(pdf_of("<p>Łódź, Gŵyl, Жанна, \u6f22\u5b57 \U0001f600 \ue000 \u202e.</p>"))
    assert "Łódź, Gŵyl, Жанна, ?? ? ? ?." in text


def test_section_and_figure_can_be_found_by_anchors_that_no_other_has(chapters):
    outline = outline_of(chapters[0].html)
    assert [text for _, text in outline.sections] == ["Who came?", "Who came?"]
    assert outline.figures == (("figure-1", "1.1", "Reach of all"),)
    anchors = re.findall(r' id="([^"]*)"', re.sub(r"<svg.*?</svg>", "", chapters[0].html, flags=re.DOTALL))
    assert len(anchors) == len(set(anchors)) == 6  # main, the title, two sections, one figure and its title


# Always the same, or not at all


def test_pdf_of_the_same_pages_is_the_same_to_the_byte_and_tells_the_day_of_the_report(chapters, content):
    assert pack_pdf(chapters, board=BOARD, made_on=DAY, notes=["As at 31 March 2011."]) == content
    assert b"2011-07-02T00:00:00" in content


def test_pdf_that_cannot_be_made_is_a_plain_error():
    broken = '<figure class="chart"><svg width="10" height="10" aria-label="x"><<</svg></figure>'
    with pytest.raises(SafeguardingError, match="Run the report without --pdf to get the pages alone"):
        pdf_of(broken)


# In a release

SHOWS = """
import polars as pl
from safeguarding_analytics import Policy, publish, show_table, suppress
safe = suppress(pl.DataFrame({"district": ["East"], "count": [23]}), Policy.dfe())
publish(safe, "years", into=release, title="T", definition="D", measure="children", headline="There were 23.")
show_table(safe, caption="Children")
"""


@pytest.fixture
def board(tmp_path, monkeypatch):
    """A board with ballots alone, and one notebook of one's own for it."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(report, "NOTEBOOKS", tmp_path / "notebooks")
    declared = nbformat.v4.new_code_cell('board: str = ""\nrelease: str = ""', metadata={"tags": ["parameters"]})
    about = {"order": 1, "question": "How many?", "tables": ["ballots"]}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [declared, nbformat.v4.new_markdown_cell("## How many were there?"), nbformat.v4.new_code_cell(SHOWS)]
    metadata = {"title": "Children", "safeguarding": about, "kernelspec": kernel}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), tmp_path / "notebooks" / "years.ipynb")
    (tmp_path / "board").mkdir()
    shutil.copy(PROJECT / "data" / "demo_board" / "ballots.csv", tmp_path / "board")
    return tmp_path / "board"


def test_report_puts_the_pdf_beside_the_pages_and_the_contents_lead_to_it(board, tmp_path):
    made = report.make_report(board, tmp_path / "out", today=DAY, pdf=True)
    pack = made.release.folder / "pack"
    assert made.pdf == pack / BOARD_PDF
    pdf = Pdf(made.pdf.read_bytes())
    assert "1 Children How many? There were 23." in pdf.text(2)
    assert "Children District Number East 23" in pdf.text(len(pdf.pages))
    index = (pack / "index.html").read_text(encoding="utf-8")
    assert f'<a href="{BOARD_PDF}">' in index
    anchor = re.search(r'href="years.html#([^"]*)">How many were there\?</a>', index)[1]
    assert f'id="{anchor.replace("%3F", "?")}"' in (pack / "years.html").read_text(encoding="utf-8")
    assert made.release.manifest["pdf"] == digests_of(pack)
    assert find_leaks(made.release.folder).is_empty()


def test_no_release_is_made_where_the_pdf_cannot_be(board, tmp_path, monkeypatch):
    (tmp_path / "built").mkdir()
    table = suppress(pl.DataFrame({"agency": ["A", "B"], "count": [10, 20]}), Policy.dfe())
    publish(table, "earlier", into=tmp_path / "built", title="T", definition="D", measure="people")
    (tmp_path / "out").mkdir()
    promote(tmp_path / "built", tmp_path / "out" / "release", about={})
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    monkeypatch.setattr(board_pdf, "TEMPLATES", tmp_path / "nowhere")  # as where an installation is damaged
    with pytest.raises(SafeguardingError, match="No release was made; the previous one, if there is one, stays"):
        report.make_report(board, tmp_path / "out", today=DAY, pdf=True)
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


@pytest.fixture
def release(tmp_path, content, chapters):
    """A release with a pack of one page, and the PDF of it."""
    built = tmp_path / "built"
    (built / "pack").mkdir(parents=True)
    table = suppress(pl.DataFrame({"agency": ["A", "B"], "count": [10, 20]}), Policy.dfe())
    publish(table, "agencies", into=built, title="T", definition="D", measure="people")
    message = pages.message_html("Nothing is known.", title="Reach", navigation=[])
    (built / "pack" / "reach.html").write_text(message, encoding="utf-8")
    (built / "pack" / BOARD_PDF).write_bytes(content)
    promote(built, tmp_path / "release", about={"pdf": digests_of(built / "pack")})
    return tmp_path / "release"


def test_pdf_that_the_report_made_of_the_pages_is_no_leak(release):
    assert find_leaks(release).is_empty()


@pytest.mark.parametrize("what", ["the PDF", "a page", "another page", "the manifest", "another PDF", "elsewhere"])
def test_any_other_pdf_is_found(release, what):
    pack = release / "pack"
    if what == "the PDF":
        (pack / BOARD_PDF).write_bytes((pack / BOARD_PDF).read_bytes() + b"\n% more")
    elif what == "a page":
        message = pages.message_html("Less is known.", title="Reach", navigation=[])
        (pack / "reach.html").write_text(message, encoding="utf-8")
    elif what == "another page":
        (pack / "more.html").write_bytes((pack / "reach.html").read_bytes())
    elif what == "the manifest":
        manifest = json.loads((release / "manifest.json").read_text(encoding="utf-8"))
        del manifest["pdf"]
        (release / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    elif what == "another PDF":
        (pack / "minutes.pdf").write_bytes((pack / BOARD_PDF).read_bytes())
    else:
        (pack / BOARD_PDF).rename(release / BOARD_PDF)
    found = find_leaks(release)
    assert found["rule"].to_list() == ["unknown content"]
    assert found["what"].to_list() == ["a PDF that was not made of the pages beside it"]
