import contextlib
import csv
import gzip
import io
import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from hashlib import sha256
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import nbformat
import polars as pl
import psutil
import pytest
from click.testing import CliRunner

from safeguarding_analytics import placed_folders, static_site
from safeguarding_analytics.cli import commands
from safeguarding_analytics.dashboards import pages_in
from safeguarding_analytics.disclosure import already_public, suppress
from safeguarding_analytics.errors import DisclosureError, ParameterError, SafeguardingError, say_system_error
from safeguarding_analytics.exports import write_workbook
from safeguarding_analytics.pages import OVERVIEW
from safeguarding_analytics.placed_folders import exchange, previous, replace_folder
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.release import Release, promote, publish
from safeguarding_analytics.release_workbook import write_release_workbook
from safeguarding_analytics.report import notebooks
from safeguarding_analytics.static_site import SITE, is_site, publish_site

PAGES = Path(__file__).parents[1] / "dashboards"
BOARD = "Kent & <i>Medway</i>"
ALERT = "<img src=x onerror=alert(1)>"
NAME = "Aled Fictional"
"""A name that an error holds here, and nobody may see."""

ABOUT = {"board": BOARD, "made_on": "2011-07-02", "as_at": "2011-07-01", "data_version": "08104d23e8d5"}
COUNTS = pl.DataFrame({"district": ["D01", "D02", "D03", "=1+1"], "count": [40, 2, 3, 50]})
SHARES = pl.DataFrame(
    {
        "agency": ["Health", f"Police {ALERT}"],
        "numerator": [210, 177],
        "denominator": [400, 920],
        "proportion": [0.525, 177 / 920],
        "lower": [0.48, 0.17],
        "upper": [0.57, 0.22],
    }
)
POLICY = (
    "default-src 'none'; script-src {}; style-src 'self' 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)


def make_release(folder):
    built = folder / "built"
    built.mkdir()
    said = {"into": built, "definition": f"Of all. {ALERT}"}
    publish(suppress(COUNTS, Policy.dfe()), "plans", title=f"Plans {ALERT}", measure="plans", **said)
    reach = suppress(SHARES, Policy.dfe())
    publish(reach, "training_reach_by_agency", title="Training reach", measure="reach", **said)
    made = promote(built, folder / "release", about=ABOUT)
    write_release_workbook(made, made.folder / "tables.xlsx")
    return made.folder


def one_page(folder, code, name="overview", title="Overview", order=1):
    """A folder with a notebook of one cell; that called overview is the first page."""
    cells = [nbformat.v4.new_markdown_cell(f"# {title}"), nbformat.v4.new_code_cell(code)]
    for number, cell in enumerate(cells):
        cell["id"] = str(number)
    kernel = {"name": "python3", "display_name": "Python 3"}
    about = {"title": title, "safeguarding": {"order": order}, "kernelspec": kernel}
    folder.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=about), folder / f"{name}.ipynb")
    return folder


@contextlib.contextmanager
def pages_of(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(static_site, "PAGES", folder)
        yield


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return make_release(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """The page with one answer of each kind, and one without any."""
    shelf = tmp_path_factory.mktemp("shelf")
    shutil.copyfile(PAGES / "overview.ipynb", shelf / "overview.ipynb")
    return one_page(shelf, "None", name="second_page", title="Second page", order=2)


CONTACT = ("--contact", "figures@example.org <img src=x>")


@pytest.fixture(scope="module")
def published(release, shelf, tmp_path_factory):
    """A site, and what the command said."""
    place = tmp_path_factory.mktemp("web") / "site"
    with pages_of(shelf):
        told = CliRunner().invoke(commands, ["publish", str(release), str(place), *CONTACT], catch_exceptions=False)
    return SimpleNamespace(folder=place, files=contents(place), told=told)


@pytest.fixture
def site(published, tmp_path):
    """A site that stands, of which something may be lost."""
    shutil.copytree(published.folder, tmp_path / "site")
    return tmp_path / "site"


@pytest.fixture
def damaged(release, tmp_path):
    shutil.copytree(release, tmp_path / "release")
    return tmp_path / "release"


class Elements(HTMLParser):
    """The start tags of a page, each with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def html_pages(published):
    return {name: content.decode() for name, content in published.files.items() if name.endswith(".html")}


# What a site holds


def test_site_holds_the_pages_the_tables_and_what_the_pages_share(published):
    pages = ["accessibility.html", "downloads.html", "index.html", "second_page.html"]
    tables = ["tables/plans.csv", "tables/training_reach_by_agency.csv", "tables.xlsx"]
    assets = ["assets/page.css", "assets/page.js", "assets/vega.js"]
    plain = [name for name in published.files if not name.endswith(".gz")]
    assert sorted(plain) == sorted([*pages, *tables, *assets, "site.json"])


def test_site_says_which_files_it_has_and_of_which_release(published):
    marker = json.loads(published.files["site.json"])
    others = {name: content for name, content in published.files.items() if name != "site.json"}
    assert marker["files"] == {name: sha256(content).hexdigest() for name, content in others.items()}
    assert marker["release"] == ABOUT


def test_big_pages_styles_and_scripts_have_a_compressed_copy_that_is_the_same(published):
    copies = {name for name in published.files if name.endswith(".gz")}
    big = {
        f"{name}.gz"
        for name, content in published.files.items()
        if name.endswith((".html", ".css", ".js")) and len(content) >= 1024
    }
    assert copies == big
    assert {"index.html.gz", "assets/vega.js.gz"} <= copies
    for copy in copies:
        assert gzip.decompress(published.files[copy]) == published.files[copy.removesuffix(".gz")]
        assert published.files[copy][3:8] == bytes(5)  # neither a name nor a time


def test_tables_are_those_of_the_release_and_no_cell_starts_a_formula(published, release):
    for name in ("plans", "training_reach_by_agency"):
        assert published.files[f"tables/{name}.csv"] == (release / "tables" / f"{name}.csv").read_bytes()
    assert published.files["tables.xlsx"] == (release / "tables.xlsx").read_bytes()
    rows = list(csv.reader(io.StringIO(published.files["tables/plans.csv"].decode("utf-8-sig"))))
    assert ["'=1+1", "50", ""] in rows
    assert [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))] == []


def test_same_release_gives_the_same_bytes_wherever_it_lies(published, release, shelf, tmp_path):
    shutil.copytree(release, tmp_path / "elsewhere")
    with pages_of(shelf):
        made = publish_site(tmp_path / "elsewhere", tmp_path / "another" / "name", jobs=1, contact=CONTACT[1])
    again = contents(made.folder)
    assert sorted(again) == sorted(published.files)
    assert [name for name in again if again[name] != published.files[name]] == []
    assert made.pages == ("index.html", "second_page.html", "downloads.html", "accessibility.html")
    assert made.tables == ("plans", "training_reach_by_agency")
    plain = {name: content for name, content in again.items() if not name.endswith(".gz") and name != "site.json"}
    assert made.size == sum(map(len, plain.values()))
    assert made.compressed == sum(len(again.get(f"{name}.gz", content)) for name, content in plain.items())


def test_page_asks_for_nothing_but_what_the_pages_of_the_site_share(published):
    for name, text in html_pages(published).items():
        elements = Elements(text).found
        loaded = [given["src"] for _, given in elements if "src" in given]
        loaded += [given["href"] for tag, given in elements if tag == "link"]
        drawn = ["assets/vega.js", "assets/page.js"] if name in ("index.html", "second_page.html") else []
        assert loaded == [*drawn, "assets/page.css"]
        policy = [given["content"] for _, given in elements if given.get("http-equiv") == "Content-Security-Policy"]
        assert policy == [POLICY.format("'self'" if drawn else "'none'")]
        assert [given for tag, given in elements if tag == "script" and not {"src", "type"} & set(given)] == []
        assert [key for _, given in elements for key in given if key.startswith("on")] == []


def test_every_link_leads_to_a_file_of_the_site_or_to_two_public_pages(published):
    seen = set()
    for text in html_pages(published).values():
        elements = Elements(text).found
        names = {given["id"] for _, given in elements if "id" in given}
        seen |= {
            link for tag, given in elements if tag == "a" and (link := given["href"]).removeprefix("#") not in names
        }
    outside = {"https://www.equalityadvisoryservice.com/", "https://www.w3.org/TR/WCAG22/"}
    assert outside < seen
    assert seen - outside <= set(published.files)
    assert {
        "index.html",
        "second_page.html",
        "downloads.html",
        "accessibility.html",
        "tables/plans.csv",
        "tables.xlsx",
    } <= seen


def test_no_page_tells_of_the_computer_or_of_the_time(published, release):
    for name, content in published.files.items():
        if not name.startswith("assets/"):
            content = gzip.decompress(content) if name.endswith(".gz") else content
            for word in (str(release), os.uname().nodename, os.path.expanduser("~"), sys.prefix, "/tmp/"):
                assert word.encode() not in content, (name, word)
    days = {day for text in html_pages(published).values() for day in re.findall(r"\d{1,2} [A-Z][a-z]+ \d{4}", text)}
    assert days == {"1 July 2011", "2 July 2011"}  # as at, and made on


def test_markup_in_titles_and_names_is_text(published):
    for text in html_pages(published).values():
        assert [tag for tag, _ in Elements(text).found if tag in ("img", "i")] == []
    assert f"Plans {escape(ALERT)} (CSV" in html_pages(published)["downloads.html"]
    assert f"Police {escape(ALERT)}" in html_pages(published)["index.html"]
    contact = f"contact the board that published them: {escape(BOARD)}, {escape(CONTACT[1])}."
    assert contact in html_pages(published)["accessibility.html"]


def test_downloads_say_of_each_table_its_definition_its_rows_and_how_many_are_hidden(published):
    text = re.sub(r"<[^>]*>", "", html_pages(published)["downloads.html"])
    assert "[c] = hidden because the number is small, or because it would give a small number away" in text
    assert (
        f"Plans {escape(ALERT)} (CSV, 1 kB)\nOf all. {escape(ALERT)}\n4 rows, 2 of them with a hidden number." in text
    )
    assert f"Training reach (CSV, 1 kB)\nOf all. {escape(ALERT)}\n2 rows." in text
    assert re.search(r"All tables with their definitions \(XLSX, \d+ kB\)", text)


def test_downloads_say_of_a_table_without_rows_that_it_is_empty(shelf, tmp_path):
    (tmp_path / "built").mkdir()
    said = {"into": tmp_path / "built", "definition": "Of all.", "measure": "plans"}
    publish(suppress(COUNTS, Policy.dfe()), "plans", title="Plans", **said)
    publish(suppress(COUNTS.clear(), Policy.dfe()), "plans_compared", title="Plans compared", **said)
    made = promote(tmp_path / "built", tmp_path / "release", about=ABOUT)
    with pages_of(shelf):
        site = publish_site(made.folder, tmp_path / "site")
    text = re.sub(r"<[^>]*>", "", (site.folder / "downloads.html").read_text(encoding="utf-8"))
    assert "Plans compared (CSV, 1 kB)\nOf all.\nEmpty: " in text
    assert "Plans (CSV, 1 kB)\nOf all.\n4 rows, " in text


def test_accessibility_statement_has_what_the_regulations_ask_for(published):
    text = html_pages(published)["accessibility.html"]
    headings = re.findall(r"<h[123]>(.*?)</h[123]>", text)
    assert headings == [
        *("Accessibility statement", "How accessible these pages are", "Feedback and contact", "Enforcement procedure"),
        *("Technical information", "Compliance status", "What is not within the scope of this statement"),
        *("How these pages were tested", "Preparation of this statement"),
    ]
    assert "prepared on 2 July 2011" in text


def test_command_says_what_was_made_and_how_to_open_it(published):
    assert published.told.exit_code == 0
    plain = {name: content for name, content in published.files.items() if not name.endswith(".gz")}
    size = sum(len(content) for name, content in plain.items() if name != "site.json") / 1e6
    lines = published.told.output.splitlines()
    assert lines[:2] == ["Published 4 pages and 2 tables.", f"Site: {published.folder}"]
    assert lines[2].startswith(f"Size: {size:.1f} MB; ")
    assert lines[3] == f"Open it in a browser: {published.folder.as_uri()}/index.html"
    assert shlex.split(lines[5]) == [
        *(sys.executable, "-m", "http.server", "8000", "--bind", "127.0.0.1", "--directory", str(published.folder))
    ]


@pytest.mark.skipif(os.name != "posix", reason="a folder in a file is another error elsewhere")
def test_folder_that_cannot_be_written_is_named_as_it_was_given(release, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory") as refused:
        publish_site(release, "file/site")
    assert say_system_error(refused.value) == (
        f"{tmp_path}/file/site: a file stands where a folder should be. Choose another folder."
    )


def test_nothing_is_left_beside_a_site(published):
    assert [path.name for path in published.folder.parent.iterdir()] == ["site"]


# Releases that are not as they should be


def change(path, text):
    path.write_text(text, encoding="utf-8")


def change_manifest(folder, edit):
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    edit(manifest)
    change(folder / "manifest.json", json.dumps(manifest))


def rename_table(name):
    def edit(manifest):
        manifest["tables"][name] = {**manifest["tables"].pop("plans"), "name": name}

    return lambda folder: change_manifest(folder, edit)


def setting(name, value):
    return lambda folder: change_manifest(folder, lambda manifest: manifest.update({name: value}))


def of_plans(name, value):
    return lambda folder: change_manifest(folder, lambda manifest: manifest["tables"]["plans"].update({name: value}))


ODD_NAME = "manifest.json: there is 1 table in it with a name that no table can have"
ODD_ENTRY = "manifest.json: there is an entry of the table plans that does not fit its file"
BROKEN = {
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "this is not a release"),
    "half a manifest": (
        lambda folder: os.truncate(folder / "manifest.json", 300),
        "manifest.json cannot be read as that of a release",
    ),
    "table changed": (
        lambda folder: change(folder / "tables" / "plans.csv", "district,count,mark\r\nD02,2,\r\n"),
        "plans.csv: the table was changed after the release was audited",
    ),
    "table missing": (
        lambda folder: (folder / "tables" / "plans.csv").unlink(),
        "plans.csv: the table is missing from the release",
    ),
    "name that climbs": (rename_table("../tables/plans"), ODD_NAME),
    "name with markup": (rename_table(ALERT), ODD_NAME),
    "name of another": (of_plans("name", "training_reach_by_agency"), ODD_NAME),
    "no board": (setting("board", ""), 'manifest.json: there is no "board" that can be read'),
    "board that is no text": (setting("board", {"a": 1}), 'no "board" that can be read'),
    "day that is none": (setting("made_on", "yesterday"), 'no "made_on" that can be read'),
    "last day that is none": (setting("as_at", "31 July"), 'no "as_at" that can be read'),
    "columns that do not fit": (
        of_plans("columns", {"district": "Int64", "count": "Int64", "mark": "String"}),
        ODD_ENTRY,
    ),
    "columns of no type": (of_plans("columns", {"district": "read_csv"}), ODD_ENTRY),
    "title that is no text": (of_plans("title", [ALERT]), ODD_ENTRY),
    "policy that is none": (of_plans("policy", {"threshold": "many"}), "plans|threshold"),
}


@pytest.mark.parametrize("way", BROKEN)
def test_damaged_release_is_refused_in_a_sentence_and_the_site_stands(damaged, site, way):
    harm, message = BROKEN[way]
    harm(damaged)
    before = contents(site)
    with pytest.raises(SafeguardingError, match=message) as refused:
        publish_site(damaged, site)
    assert "<img" not in str(refused.value)
    assert contents(site) == before
    assert sorted(path.name for path in site.parent.iterdir()) == ["release", "site"]


def test_release_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SafeguardingError, match="there is no such folder"):
        publish_site(tmp_path / "nowhere", tmp_path / "site")
    assert list(tmp_path.iterdir()) == []


# Pages that are not as they should be


def test_page_that_fails_makes_no_site_and_its_error_is_not_shown(release, site, tmp_path):
    before = contents(site)
    with (
        pages_of(one_page(tmp_path / "pages", f"raise ValueError('{NAME}')")),
        pytest.raises(SafeguardingError) as told,
    ):
        publish_site(release, site)
    assert str(told.value).startswith(
        "Overview: code cell 1 ended with ValueError. Open the notebook in JupyterLab to see why.\n"
        "No site was made; the previous one"
    )
    assert NAME not in str(told.value)
    assert contents(site) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pages", "site"]


def test_number_that_stands_in_no_table_makes_no_site(damaged, site, tmp_path):
    before = contents(site)
    shown = already_public(COUNTS.with_columns(count=pl.Series([40, 2, 3, 51])), "made up")
    write_workbook({"plans": shown}, damaged / "tables.xlsx")
    said = '<p class="headline">In D02, 2 plans were started.</p>'
    code = f"from IPython.display import HTML\nHTML({said!r})"
    with pages_of(one_page(tmp_path / "pages", code)), pytest.raises(DisclosureError) as told:
        publish_site(damaged, site)
    first, *found, _ = str(told.value).splitlines()
    assert first == "the site was not made: it would hold what must not be published."
    assert any(
        re.match(r"- pack/index\.html, line \d+, a sentence: a number that stands in no table", one) for one in found
    )
    assert any(re.match(r"- tables\.xlsx, .*: a row that stands in no table of the release\.", one) for one in found)
    assert contents(site) == before


# What stands where a site is to be put


def test_folder_of_others_is_not_touched(release, tmp_path):
    place = tmp_path / "thesis"
    place.mkdir()
    (place / "index.html").write_text("years of work")
    with pytest.raises(ParameterError) as told:
        publish_site(release, place)
    assert str(told.value) == (
        f"{place} holds something that is not part of a site made by safeguarding publish and would be lost. "
        "Choose another folder, or move it away."
    )
    assert (place / "index.html").read_text() == "years of work"


@pytest.mark.parametrize("name", [".htaccess", "assets/logo.svg", "tables/notes.docx"])
def test_site_with_a_file_of_others_is_not_replaced(release, site, name):
    (site / name).write_text("not ours")
    before = contents(site)
    with pytest.raises(ParameterError, match="would be lost"):
        publish_site(release, site)
    assert contents(site) == before


@pytest.mark.parametrize("marker", ["", "[]", '{"package": "another 1.0", "files": {}}', '{"files": {}}'])
def test_folder_whose_marker_is_not_that_of_a_site_is_not_replaced(release, site, marker):
    (site / "site.json").write_text(marker)
    with pytest.raises(ParameterError, match="would be lost"):
        publish_site(release, site)
    assert (site / "site.json").read_text() == marker


@pytest.mark.parametrize("where", ["", "site", "tables", ".."])
def test_release_is_never_in_the_way_of_its_site(damaged, where):
    before = contents(damaged)
    with pytest.raises(ParameterError, match=r"lies in the release itself|would be lost"):
        publish_site(damaged, damaged / where)
    assert contents(damaged) == before


def test_file_in_the_place_of_the_folder_is_refused(release, tmp_path):
    (tmp_path / "site").write_text("a file")
    told = CliRunner().invoke(commands, ["publish", str(release), str(tmp_path / "site")])
    assert told.exit_code == 2
    assert "is a file" in told.output
    assert (tmp_path / "site").read_text() == "a file"


# Moving a site into its place


def test_new_site_takes_the_place_of_the_old_one_as_a_whole(site, published, tmp_path):
    shutil.copytree(published.folder, tmp_path / "built")
    marker = json.loads((site / "site.json").read_text())
    (site / "old.html").write_text("of the old one")
    (site / "site.json").write_text(json.dumps({**marker, "files": {**marker["files"], "old.html": ""}}))
    replace_folder(tmp_path / "built", site, SITE)
    assert contents(site) == published.files
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize("stands", [True, False])
def test_system_that_cannot_exchange_folders_moves_them(site, published, tmp_path, monkeypatch, stands):
    monkeypatch.setattr(placed_folders, "exchange", lambda one, other: False)
    shutil.copytree(published.folder, tmp_path / "built")
    if not stands:
        shutil.rmtree(site)
        shutil.copytree(published.folder, previous(site))  # a run was killed between the two moves
    replace_folder(tmp_path / "built", site, SITE)
    assert contents(site) == published.files
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_folders_of_which_one_is_missing_are_not_exchanged(tmp_path):
    (tmp_path / "one").mkdir()
    assert not exchange(tmp_path / "one", tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


MOVES_FOR_EVER = """
import shutil, sys
from itertools import count
from pathlib import Path
from safeguarding_analytics.placed_folders import replace_folder
from safeguarding_analytics.static_site import SITE
finished, place = map(Path, sys.argv[1:])
print("ready", flush=True)
for number in count():
    built = place.with_name(f"built-{number}")
    shutil.copytree(finished, built)
    replace_folder(built, place, SITE)
"""


def can_exchange(folder):
    for name in ("one", "other"):
        (folder / name).mkdir()
    done = exchange(folder / "one", folder / "other")
    for name in ("one", "other"):
        (folder / name).rmdir()
    return done


@pytest.mark.skipif(os.name != "posix", reason="kills a process with a signal")
def test_site_is_there_at_every_moment_also_when_the_run_is_killed(tmp_path):
    if not can_exchange(tmp_path):
        pytest.skip("this system cannot exchange two folders in one step")
    finished, place = tmp_path / "finished", tmp_path / "site"
    finished.mkdir()
    (finished / "index.html").write_text("a page")
    (finished / "site.json").write_text('{"package": "safeguarding_analytics 1.0", "files": {"index.html": ""}}')
    shutil.copytree(finished, place)
    draws = random.Random(8)
    for _ in range(2):
        command, moved = [sys.executable, "-c", MOVES_FOR_EVER, str(finished), str(place)], set()
        with subprocess.Popen(command, stdout=subprocess.PIPE) as run:
            assert run.stdout.readline() == b"ready\n"
            until = time.monotonic() + 60
            while len(moved) < 10 and time.monotonic() < until:
                assert (place / "index.html").read_text() == "a page"
                moved.add((place.stat().st_ino, place.stat().st_ctime_ns))
            time.sleep(draws.uniform(0, 0.01))
            run.send_signal(signal.SIGKILL)
        assert len(moved) == 10
        assert is_site(place)
        assert contents(place) == contents(finished)
        for left_over in tmp_path.glob("built-*"):
            shutil.rmtree(left_over)


PUBLISHES = """
import sys
from pathlib import Path
from safeguarding_analytics import static_site
from safeguarding_analytics.static_site import publish_site
static_site.PAGES = Path(sys.argv[1])
print("ready", flush=True)
publish_site(*sys.argv[2:])
"""


@pytest.mark.skipif(os.name != "posix", reason="kills a process with a signal")
def test_run_that_is_killed_leaves_the_old_site_and_two_that_follow_at_once_make_one(release, site, tmp_path):
    sleeps = one_page(tmp_path / "sleeps", "import pathlib, time\npathlib.Path('begun').touch()\ntime.sleep(60)")
    before = contents(site)
    command = [sys.executable, "-c", PUBLISHES]
    with subprocess.Popen([*command, str(sleeps), str(release), str(site)], cwd=tmp_path) as run:
        until = time.monotonic() + 60
        while not (tmp_path / "begun").exists():
            assert run.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        kernels = psutil.Process(run.pid).children(recursive=True)
        run.kill()
    for kernel in kernels:
        with contextlib.suppress(psutil.NoSuchProcess):
            kernel.kill()
    assert contents(site) == before
    assert len([*tmp_path.glob(".site-being-built-*")]) == 1

    shutil.rmtree(site)
    quick = one_page(tmp_path / "quick", "None", title="Anew")
    arguments = [*command, str(quick), str(release), str(site)]
    with subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.PIPE) as other, pages_of(quick):
        assert other.stdout.readline() == b"ready\n"
        publish_site(release, site)
    assert other.returncode == 0
    assert is_site(site)
    assert b"<h1" in (site / "index.html").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["begun", "quick", "site", "sleeps"]


def test_release_that_was_moved_away_half_way_is_published_from_there(release, tmp_path):
    shutil.copytree(release, previous(tmp_path / "release"))
    assert Release.open(tmp_path / "release").folder == previous(tmp_path / "release")
    with pages_of(one_page(tmp_path / "pages", "None")):
        assert publish_site(tmp_path / "release", tmp_path / "site").tables == ("plans", "training_reach_by_agency")


def test_site_that_another_run_put_there_a_moment_ago_is_replaced(site, published, tmp_path, monkeypatch):
    shutil.copytree(published.folder, tmp_path / "built")
    exists, asked = Path.exists, []

    def not_yet(self):
        asked.append(self)
        return len(asked) > 3 and exists(self)  # it appears after the first run looked for it three times

    monkeypatch.setattr(Path, "exists", not_yet)
    static_site._move(tmp_path / "built", site)
    assert contents(site) == published.files
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


# One name for one thing


def test_pack_and_site_call_the_same_pages_by_the_same_names_in_the_same_order():
    site = [page.title for page in pages_in(PAGES)]
    assert site == [OVERVIEW, *(notebook.title for notebook in notebooks())]
