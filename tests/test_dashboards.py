import asyncio
import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from shutil import copytree

import polars as pl
import psutil
import pytest
from jupyter_client.session import Session
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from safeguarding_analytics import charts
from safeguarding_analytics.dashboards import SERVED, served_release, show_answer, show_release
from safeguarding_analytics.disclosure import already_public
from safeguarding_analytics.errors import SafeguardingError
from safeguarding_analytics.pages import NOT_WORKED_OUT
from safeguarding_analytics.quiet_connection import QuietConnection
from safeguarding_analytics.release import Release, promote, publish

NOTEBOOK = Path(__file__).parents[1] / "dashboards" / "overview.ipynb"
NAME = "Aled Fictional"
"""A name that errors hold here, and nobody may see."""

HEADLINES = {
    "training_reach_by_agency": "Of 400 staff 210 came: <b>Police</b> & others.",
    "knowledge_gain": "The 60 people who answered both times rose by 2.1 points.",
    "repeat_plans": "In 2008, 177 of 920 plans were a second or subsequent plan: 19.2%.",
    "priorities": "The first is Neglect; the board's other one is not.",
}
ABOUT = {
    "board": "Kent & <i>Medway</i>",
    "made_on": "2026-11-22",
    "as_at": "2011-07-01",
    "data_version": "08104d23e8d5",
}

shares = {"numerator": [210, 177], "denominator": [400, 920], "proportion": [0.525, 0.192]}
ends = {"lower": [0.48, 0.17], "upper": [0.57, 0.22]}
TABLES = {
    "training_reach_by_agency": pl.DataFrame({"agency": ["<b>Police</b>", "Health"], **shares, **ends}),
    "knowledge_gain": pl.DataFrame(
        {
            "n_pairs": [60],
            "mean_change": [2.1],
            "lower": [1.2],
            "upper": [3.0],
            "n_up": [40],
            "n_same": [8],
            "n_down": [12],
        }
    ),
    "repeat_plans": pl.DataFrame({"time_period": ["2007", "2008"], **shares, **ends}),
    "priorities": pl.DataFrame(
        {
            "issue": ["Neglect", "Missing Children"],
            "score": [4, -4],
            "points": [9.0, 5.0],
            "rank": [1, 2],
            "selected": [True, False],
            "p_selected": [0.9, 0.1],
            "n_ballots": [9, 9],
        }
    ),
}


def make_release(folder, names=tuple(TABLES), about=ABOUT):
    built = folder / "built"
    built.mkdir()
    for name in names:
        publish(
            already_public(TABLES[name], "made up"),
            name,
            into=built,
            title=f"Table of {name}",
            definition=f"How {name} is counted & why.",
            measure=name,
            headline=HEADLINES[name],
        )
    return promote(built, folder / "release", about=about)


def without_scripts(html):
    return re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return make_release(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def served(serve, release):
    return serve(release.folder)


@pytest.fixture(scope="module")
def answers(served):
    """The page as three viewers get it who come at once, one asking for another template; a fourth does not wait."""
    paths = ["/", "/?template=lab&theme=dark&voila-template=lab", "/"]
    with socket.create_connection(("127.0.0.1", served.port)) as gone:
        gone.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        gone.recv(100)
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(served.ask, paths))
    assert len(served.kernels) >= len(paths)
    return answers


@pytest.fixture(scope="module")
def html(answers):
    return answers[0][1]


# The page


def test_page_gives_the_four_headlines_of_the_release(answers, release):
    status, html, headers = answers[0]
    assert status == 200
    assert "no-store" in headers["Cache-Control"]
    assert [release.entry(name).headline for name in HEADLINES] == list(HEADLINES.values())
    assert re.findall(r'<p class="headline">(.*?)</p>', html) == [escape(text) for text in HEADLINES.values()]


def test_page_gives_chart_numbers_and_definition_of_each_answer(html):
    assert html.count('<figure class="chart">') == html.count("<details>") == 4
    for name in TABLES:
        assert f"<caption>Table of {name}</caption>" in html
        assert f"Definition: How {name} is counted &amp; why." in html
    assert NOT_WORKED_OUT not in html


def test_page_says_whose_figures_these_are(html):
    said = "Kent & <i>Medway</i>, as at 1 July 2011. Release made on 22 November 2026 from data version 08104d23e8d5."
    assert escape(said) in html


def test_page_shows_no_source_of_a_cell(html):
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    lines = [line.strip() for cell in cells if cell["cell_type"] == "code" for line in cell["source"]]
    telling = [line for line in lines if re.search("[_=]", line)]  # a bracket alone, or "release,", is in any page
    assert len(telling) > 5
    assert [line for line in telling if line in html or escape(line) in html] == []
    names = ("served_release", "show_answer", "show_release", "plot_", "from safeguarding_analytics import")
    assert [name for name in names if name in html] == []


def test_page_has_language_title_and_one_heading(html):
    assert '<html lang="en-GB">' in html
    assert "<title>Overview of the release</title>" in html
    assert re.findall(r"<h1[^>]*>(.*?)</h1>", html) == ["Overview"]
    assert without_scripts(html).count("<h2") == 4


def test_page_loads_nothing_and_links_nowhere(html):
    addresses = re.findall(r"""\s(?:src|srcset|href|action|data|poster|ping)=["']([^"']*)""", without_scripts(html))
    assert [address for address in addresses if not address.startswith("#")] == []
    assert not re.search(r"<(link|iframe|object|embed|base|form)\b", html)
    assert not re.search(r"<script[^>]*\ssrc", html)
    assert "url(" not in without_scripts(html)
    assert "@import" not in without_scripts(html)


def test_policy_of_the_page_allows_its_own_two_scripts_and_no_connection(html):
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1].replace("&#39;", "'")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"  # covers connect-src: no websocket
    assert re.fullmatch(r"'sha256-\S+' 'sha256-\S+'", rules["script-src"])
    assert "connect-src" not in rules


def test_page_names_no_kernel(html):
    assert re.findall(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", html) == []
    assert "kernel" not in without_scripts(html).lower()


def test_viewers_at_once_get_the_same_page_and_no_other_template(answers):
    assert [status for status, _, _ in answers] == [200, 200, 200]
    assert len({html for _, html, _ in answers}) == 1


# Attacks


@pytest.mark.parametrize(
    "path",
    [
        "/voila/files/overview.ipynb",
        "/voila/files/../pyproject.toml",
        "/voila/files/%2e%2e/pyproject.toml",
        "/voila/files//etc/passwd",
        "/voila/static/../../../../../../etc/passwd",
        "/voila/templates/dashboard/index.html.j2",
        "/voila/templates/dashboard/static/../index.html.j2",
        "/api/kernels/00000000-0000-0000-0000-000000000000",
        "/api/kernels/00000000-0000-0000-0000-000000000000/channels",
    ],
)
def test_files_and_kernels_are_refused(served, path):
    status, text, _ = served.ask(path)
    assert status in (403, 404, 500)  # 500 where Voilà stumbles over the address
    assert len(text) < 200


@pytest.mark.parametrize(
    "path",
    [
        "/api/kernels",
        "/api/contents",
        "/api/contents/overview.ipynb",
        "/api/sessions",
        "/api/terminals",
        "/metrics",
        "/files/overview.ipynb",
        "/voila/render/overview.ipynb",
        "/voila/api/contents",
        "/tree",
    ],
)
def test_other_addresses_of_jupyter_lead_to_a_refused_file(served, path):
    status, text, headers = served.ask(path)
    assert (status, text) == (302, "")
    assert headers["Location"] == f"/voila/files{path}"
    assert served.ask(headers["Location"])[0] == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/api/kernels", "/voila/api/shutdown/00000000-0000-0000-0000-000000000000"])
def test_nothing_can_be_written(served, method, path):
    assert served.ask(path, method)[0] in (403, 405)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "10.0.0.1"])
def test_page_answers_to_no_other_name_than_this_computer_s(served, host):
    """A page of another site could otherwise read this one, by giving its own name the address 127.0.0.1."""
    assert served.ask("/", Host=host)[0] == 403


def test_refusals_leave_no_word_in_the_log(served):
    served.ask("/voila/templates/lab")  # Voilà stumbles over this one, with a traceback
    assert served.log == f"The dashboard is at http://127.0.0.1:{served.port}/  (Ctrl-C stops it)\n"


# A release that is broken, and a viewer who knows the name of the kernel


async def listen(served, kernel, until):
    """What a viewer hears who somehow knows the kernel's name, and who asks it to run code."""
    address = f"ws://127.0.0.1:{served.port}/api/kernels/{kernel}/channels"
    with pytest.raises(HTTPClientError) as refused:
        await websocket_connect(HTTPRequest(address, headers={"Origin": "http://evil.example"}))
    assert refused.value.code == 403
    connection = await websocket_connect(address)
    trace = served.folder / "trace"
    for channel in ("shell", "control"):
        message = Session().msg("execute_request", {"code": f"open({str(trace)!r}, 'w').close()", "silent": False})
        message = {**message, "channel": channel, "buffers": []}
        await connection.write_message(json.dumps(message, default=str))
    heard = []
    while not until():
        try:
            message = await asyncio.wait_for(connection.read_message(), 0.2)
        except TimeoutError:
            continue
        if message is None:
            break
        heard.append(message)
    connection.close()
    while await connection.read_message() is not None:  # the other side closes it too
        pass
    assert not trace.exists()
    return heard


@pytest.fixture(scope="module")
def broken(serve, release, tmp_path_factory):
    """Page, log and overheard messages of a release whose tables were changed by hand."""
    folder = tmp_path_factory.mktemp("broken") / "release"
    copytree(release.folder, folder)
    table = folder / "tables" / "repeat_plans.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("177", "178"), encoding="utf-8")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["tables"]["knowledge_gain"]["columns"]["n_pairs"] = NAME  # ends in AttributeError: … "Aled Fictional"
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(AttributeError, match=NAME):
        Release.open(folder)["knowledge_gain"]
    served = serve(folder)
    with ThreadPoolExecutor() as pool:
        page = pool.submit(served.ask, "/")
        while not (found := list(served.folder.glob("tmp/voila_*/kernel-*.json"))):
            assert not page.done()
            time.sleep(0.02)
        kernel = found[0].stem.removeprefix("kernel-")
        while served.ask(f"/api/kernels/{kernel}")[0] == 404:  # not yet known to the server
            assert not page.done()
            time.sleep(0.02)
        heard = asyncio.run(listen(served, kernel, page.done))
        status, html, _ = page.result()
    assert status == 200
    return served, html, heard


def test_answer_that_cannot_be_read_is_replaced_by_a_sentence_and_the_others_stay(broken):
    _, html, _ = broken
    said = re.findall(r'<p class="(?:headline|message)">(.*?)</p>', html)
    first, _, _, last = HEADLINES.values()
    assert said == [escape(first), NOT_WORKED_OUT, NOT_WORKED_OUT, escape(last)]


def test_errors_reach_neither_page_nor_log(broken, release):
    served, html, _ = broken
    for word in (NAME, "Traceback", "AttributeError", "SafeguardingError", "repeat_plans.csv", "Voil", "--show"):
        assert word not in without_scripts(html)
    assert release.entry("repeat_plans").sha256[:12] not in html
    assert served.log == f"The dashboard is at http://127.0.0.1:{served.port}/  (Ctrl-C stops it)\n"


def test_viewer_who_knows_the_kernel_hears_of_its_state_and_nothing_else(broken):
    _, _, heard = broken
    kinds = {json.loads(message)["msg_type"] for message in heard}
    assert "status" in kinds  # the line was open while the cells ran
    assert kinds <= {"status", "kernel_info_reply", "comm_info_reply"}
    assert not any(
        word in message for message in heard for word in (NAME, "Traceback", "show_answer", "AttributeError")
    )


def test_stopping_the_dashboard_ends_its_kernels_and_leaves_no_file(broken):
    served, _, _ = broken
    assert served.ask("/")[0] == 200
    kernels = served.kernels
    assert kernels
    assert served.stop() == 0
    assert psutil.wait_procs(kernels, timeout=10)[1] == []
    assert list((served.folder / "tmp").iterdir()) == []


# Kernels


def test_kernels_end_soon_after_their_page_also_when_the_viewer_has_gone(served, answers):
    until = time.monotonic() + 30
    while served.kernels and time.monotonic() < until:
        time.sleep(0.2)
    assert served.kernels == []


# The command


def test_taken_port_is_named(run_command, release):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = run_command("dashboards", release.folder, "--port", port)
    assert done.returncode == 2
    assert done.stderr == f"Error: port {port} is taken by another program. Choose another one with --port.\n"


def test_folder_without_a_release_is_named(run_command, tmp_path):
    done = run_command("dashboards", tmp_path)
    assert done.returncode == 2
    sentence = "this is not a release (it has no manifest.json). Make one with: safeguarding report"
    assert done.stderr == f"Error: {tmp_path}: {sentence}\n"


# The pieces


def test_answer_the_release_does_not_hold_is_a_sentence(tmp_path):
    release = make_release(tmp_path, ["priorities"])
    answer = show_answer(release, "repeat_plans", charts.plot_proportion, title="x", measure="y")
    sentence = "This release does not answer this question: the board's folder did not hold the tables for it."
    assert answer.text == sentence
    assert answer.html == f'<p class="headline">{escape(sentence)}</p>'


def test_answer_is_found_by_the_beginning_of_its_table_s_name(release):
    answer = show_answer(release, "training_reach", charts.plot_proportion, title="Reach", measure="Staff")
    assert answer.text.splitlines() == [
        HEADLINES["training_reach_by_agency"],
        "Table of training_reach_by_agency",
        "Agency | Number | Out of | Share | 95% interval",
        "<b>Police</b> | 210 | 400 | 52.5% | 48.0% to 57.0%",
        "Health | 177 | 920 | 19.2% | 17.0% to 22.0%",
        "Source: made up.",
        "Definition: How training_reach_by_agency is counted & why.",
    ]
    assert "<b>Police" not in answer.html


def test_release_without_a_day_is_described_without_it(tmp_path):
    release = make_release(tmp_path, ["priorities"], {**ABOUT, "as_at": None})
    assert show_release(release).text == (
        "Kent & <i>Medway</i>. Release made on 22 November 2026 from data version 08104d23e8d5."
    )


def test_dashboard_started_in_another_way_says_how_to_start_it(monkeypatch):
    monkeypatch.delenv(SERVED, raising=False)
    with pytest.raises(SafeguardingError, match="Start the dashboard with: safeguarding dashboards RELEASE"):
        served_release()


class Forwarded(ZMQChannelsWebsocketConnection):
    """Stands where Jupyter's own class sends a message to the page."""

    def handle_outgoing_message(self, stream, outgoing_msg):
        self.sent = [*getattr(self, "sent", []), outgoing_msg]


class Overheard(QuietConnection, Forwarded):
    """`QuietConnection` with `Forwarded` behind it."""


@pytest.fixture
def connection():
    return Overheard(session=Session(key=b"secret"))


@pytest.mark.parametrize(
    ("kind", "passes"),
    [
        ("status", True),
        ("kernel_info_reply", True),
        ("comm_msg", True),
        ("execute_input", False),
        ("execute_reply", False),
        ("execute_result", False),
        ("display_data", False),
        ("stream", False),
        ("error", False),
        ("inspect_reply", False),
        ("history_reply", False),
        ("input_request", False),
        ("debug_event", False),
        ("STATUS", False),
        ("a kind of tomorrow", False),
    ],
)
def test_only_named_kinds_of_message_are_forwarded(connection, kind, passes):
    message = connection.session.serialize(connection.session.msg(kind, {"code": NAME}), ident=b"kernel.status")
    connection.handle_outgoing_message(None, message)
    assert getattr(connection, "sent", []) == ([message] if passes else [])


@pytest.mark.parametrize(
    "parts",
    [[b"not json"], [b"[]"], [b'"status"'], [b"null"], [b"{}"], [b"\xff\xfe"], []],
)
def test_messages_that_cannot_be_read_are_dropped(connection, parts):
    connection.handle_outgoing_message(None, [b"<IDS|MSG>", b"signature", *parts])
    assert not hasattr(connection, "sent")
