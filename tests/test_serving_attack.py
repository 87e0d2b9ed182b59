"""Dashboards under attack: what is asked of them, by whom, and what becomes of the release behind them meanwhile."""

import asyncio
import contextlib
import http.client
import json
import os
import pty
import re
import socket
import subprocess
import threading
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from urllib.parse import urljoin

import polars as pl
import psutil
import pytest
from click.testing import CliRunner
from tornado.web import Application

from conftest import COMMAND, LOOSE, Served, assert_log_tells_of_pages_alone, free_port
from safeguarding_analytics import viewers
from safeguarding_analytics.access import (
    GAP,
    LONGEST,
    Access,
    checked_base_url,
    checked_site,
    checked_token,
    is_own_name,
    is_own_origin,
    new_token,
)
from safeguarding_analytics.cli_pages import dashboards
from safeguarding_analytics.disclosure import already_public
from safeguarding_analytics.drawn_pages import Drawn, DrawnPages
from safeguarding_analytics.errors import ParameterError, SafeguardingError
from safeguarding_analytics.pages import message_html
from safeguarding_analytics.release import promote, publish
from safeguarding_analytics.viewers import (
    BUSY,
    LET_IN,
    LINK_NEEDED,
    MANY_VIEWERS,
    NO_PAGE,
    NOT_SHOWN,
    NOT_THERE,
    Refusals,
    handlers_of,
)

TOKEN = "a-token-of-a-made-up-board_0123"
BASE = "/figures/"
BOARD = "Board of <b>Nowhere</b>"
NAVIGATION = [(BASE, "Overview"), (f"{BASE}training", "Training")]
ANSWER = "Nine of ten came."
MARKUP = "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{ 6 * 7 }}{% raw %}-->"
"""What would be run or shown as something else, were it not written as text."""

FOREIGN = [
    {"Host": "board.example"},
    {"Host": "board.example:8866"},
    {"Host": "127.0.0.1.board.example"},
    {"Host": "10.0.0.1"},
    {"Host": "127.0.0.1@board.example"},
    {"Host": ""},
    {"Origin": "https://board.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1"},  # another port of this computer
]
BEARER = {"Authorization": f"Bearer {TOKEN}"}


# Handlers with pages that need no kernel


class Quick:
    """The handlers of dashboards in a thread, with pages that need no kernel."""

    def __init__(self, token, patience=5.0):
        self.runs, self.present, self.hold, self.fault = [], "one", threading.Event(), None
        self.board = BOARD
        self.port, self.patience = free_port(), patience
        self.loop = asyncio.new_event_loop()
        started = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(token, started))
        self.thread.start()
        assert started.wait(10)

    def _run(self, token, started):
        asyncio.set_event_loop(self.loop)
        shared = {
            "access": Access(token),
            "refusals": Refusals(NAVIGATION, self._board, "https://site.example/a?b=1&c=2" if token else ""),
            "base_url": BASE,
            "pages": DrawnPages(self._draw, self._state, kernels=2, patience=self.patience),
        }
        names = {BASE: "overview", f"{BASE}training": "training"}
        application = Application(handlers_of(names, **shared), log_function=lambda handler: None)
        server = application.listen(self.port, "127.0.0.1")
        self.loop.call_soon(started.set)
        self.loop.run_forever()
        server.stop()
        self.loop.run_until_complete(server.close_all_connections())
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0.01))
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def _board(self):
        self._state()
        return self.board

    def _state(self):
        if self.present is None:
            raise SafeguardingError("Aled Fictional: there is no release in /a/secret/place.")
        return self.present

    async def _draw(self, name):
        self.runs.append(name)
        while self.hold.is_set():
            await asyncio.sleep(0.01)
        if self.fault:
            raise self.fault
        page = message_html(ANSWER, title=name, navigation=NAVIGATION, board=BOARD).encode()
        return Drawn(page + b"\n" * 1_200_000)  # as long as a page with charts

    def ask(self, path, method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.putrequest(method, path, skip_host="Host" in headers)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers
        finally:
            connection.close()

    def close(self):
        self.hold.clear()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)


@pytest.fixture(scope="module")
def free():
    """Pages for everybody."""
    quick = Quick("", patience=0.2)
    yield quick
    quick.close()


@pytest.fixture(scope="module")
def guarded():
    """Pages for those who have the token."""
    quick = Quick(TOKEN, patience=0.2)
    yield quick
    quick.close()


def tells_of_the_board(text):
    return [word for word in ("Nowhere", "Training", "Overview", ANSWER, NO_PAGE, BASE) if word in text]


# The token


@pytest.mark.parametrize("path", [BASE, f"{BASE}training", f"{BASE}nothing", "/", "/api/kernels", "/login"])
def test_without_the_token_every_address_is_refused_and_says_nothing_of_the_board(guarded, path):
    status, text, headers = guarded.ask(path)
    assert (status, LINK_NEEDED in text) == (403, True)
    assert tells_of_the_board(text) == []
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_without_the_token_no_method_says_more(guarded, method):
    status, text, headers = guarded.ask(BASE, method)
    assert status == 403
    assert tells_of_the_board(text) == []
    assert "Allow" not in headers


def test_token_in_the_address_is_exchanged_for_a_cookie_and_the_address_without_it(guarded):
    status, text, headers = guarded.ask(f"{BASE}training?token={TOKEN}")
    assert (status, LET_IN in text) == (200, True)
    assert headers["Refresh"] == f"0; url={BASE}training"
    assert ANSWER not in text
    cookie, *settings = headers["Set-Cookie"].split("; ")
    assert sorted(settings) == ["HttpOnly", f"Path={BASE}", "SameSite=Strict"]  # until the browser ends
    assert TOKEN not in str(headers) + text
    assert guarded.ask(f"{BASE}training", Cookie=cookie)[1].count(ANSWER) == 1
    assert guarded.ask(f"{BASE}nothing", Cookie=cookie)[0] == 404


def test_cookie_is_for_encrypted_connections_alone_where_the_proxy_says_so(guarded):
    _, _, headers = guarded.ask(f"{BASE}?token={TOKEN}", **{"X-Forwarded-Proto": "https"})
    assert "; Secure" in headers["Set-Cookie"]


@pytest.mark.parametrize("path", ["//board.example/", "/nothing", "/%0d%0aSet-Cookie:a=b", "/\\board.example"])
def test_token_leads_to_no_address_but_those_of_the_pages(guarded, path):
    status, _, headers = guarded.ask(f"{path}?token={TOKEN}")
    assert (status, headers["Refresh"]) == (200, f"0; url={BASE}")
    assert len(headers.get_all("Set-Cookie")) == 1


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_token_in_a_header_is_let_in_without_a_cookie(guarded, scheme):
    status, text, headers = guarded.ask(BASE, Authorization=f"{scheme} {TOKEN}")
    assert (status, ANSWER in text) == (200, True)
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize(
    ("header", "query", "cookies"),
    [
        ("", [b""], {}),
        ("", [b"wrong"], {}),
        ("", [f"{TOKEN}x".encode()], {}),
        ("", [TOKEN[:-1].encode()], {}),
        ("", [TOKEN.upper().encode()], {}),
        ("", [b"\xff\xfe"], {}),
        ("Bearer wrong", [], {}),
        ("Bearer", [], {}),
        ("Bearer w\xf6rong", [], {}),
        (f"Bearer x{TOKEN}", [], {}),
        ("", [], {"safeguarding_": TOKEN}),
        ("", [], {"safeguarding_00000000": ""}),
    ],
)
def test_what_is_almost_the_token_is_a_wrong_one(header, query, cookies):
    assert Access(TOKEN).judge(header, query, cookies) == "wrong token"


@pytest.mark.parametrize("given", [{}, {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}])
@pytest.mark.parametrize("query", ["", f"?Token={TOKEN}", "?token[]=1"])
def test_what_is_no_token_is_refused_at_once(guarded, given, query):
    began = time.monotonic()
    status, text, headers = guarded.ask(BASE + query, Cookie=f"token={TOKEN}; =; ;;", **given)
    assert (status, LINK_NEEDED in text) == (403, True)
    assert "Set-Cookie" not in headers
    assert time.monotonic() - began < GAP


def test_cookie_of_one_token_is_none_of_another():
    ours, other = Access(TOKEN), Access(new_token())
    assert ours.judge("", [], dict([ours.cookie])) == "let in"
    assert other.judge("", [], dict([ours.cookie])) == "wrong token"
    assert other.judge("", [], dict([ours.cookie, other.cookie])) == "let in"


def test_wrong_tokens_are_answered_one_after_the_other_and_the_right_one_at_once():
    quick = Quick(TOKEN)
    try:
        quick.ask(BASE, **BEARER)
        with ThreadPoolExecutor(5) as pool:
            began = time.monotonic()
            wrong = [pool.submit(quick.ask, f"{BASE}?token=wrong-{number}") for number in range(4)]
            time.sleep(0.1)
            asked = time.monotonic()
            assert quick.ask(BASE, **BEARER)[0] == 200
            assert time.monotonic() - asked < GAP
            assert not any(each.done() for each in wrong[1:])
            assert {each.result()[0] for each in wrong} == {403}
            assert time.monotonic() - began >= 4 * GAP
    finally:
        quick.close()


def test_answers_to_wrong_tokens_wait_ever_longer_up_to_a_bound_and_not_for_ever():
    access = Access(TOKEN)
    waits = [access.wait(100.0) for _ in range(40)]
    told = [each for each in waits if each is not None]
    assert told[:3] == [GAP, 2 * GAP, 3 * GAP]
    assert max(told) == LONGEST
    assert waits[-1] is None
    assert access.wait(200.0) == GAP


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("", "has 0 characters and needs at least 16"),
        ("letmein", "has 7 characters and needs at least 16"),
        ("a secret with spaces in it", "characters that an address cannot hold"),
        ("geheimnis-mit-ümlaut", "characters that an address cannot hold"),
    ],
)
def test_token_that_is_too_short_or_cannot_be_in_an_address_is_refused_without_being_told(token, said):
    with pytest.raises(ParameterError, match=said) as refused:
        checked_token(token)
    assert not token or token not in str(refused.value)


def test_new_tokens_are_long_and_differ():
    tokens = {new_token() for _ in range(50)}
    assert len(tokens) == 50
    assert {checked_token(token) for token in tokens} == tokens
    assert min(map(len, tokens)) >= 32  # 24 random bytes


def test_without_a_token_everybody_is_let_in_whatever_they_bring(free):
    for headers in ({}, BEARER, {"Cookie": "safeguarding_x=y"}):
        assert free.ask(BASE, **headers)[0] == 200
    assert "Set-Cookie" not in free.ask(f"{BASE}?token=x")[2]


# Who asks, for what, and how


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("path", [BASE, f"{BASE}nothing", f"{BASE}?token={TOKEN}"])
def test_foreign_names_and_pages_are_refused_with_the_token_too(guarded, path, headers):
    status, text, answered = guarded.ask(path, **headers, **BEARER)
    assert status in (400, 403)  # 400: what is no name at all
    assert tells_of_the_board(text) == []
    assert "Set-Cookie" not in answered


def test_own_origin_is_accepted_under_each_name_of_this_computer(guarded):
    for name in ("127.0.0.1", "localhost", "[::1]"):
        host = f"{name}:{guarded.port}"
        assert guarded.ask(BASE, Host=host, Origin=f"http://{host}", **BEARER)[0] == 200


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "X"])
@pytest.mark.parametrize("path", [BASE, f"{BASE}nothing"])
def test_pages_can_be_read_and_nothing_else(free, method, path):
    status, text, _ = free.ask(path, method)
    assert (status, tells_of_the_board(text)) == (405, [])


def test_what_is_sent_along_is_refused_before_it_has_come(free):
    with socket.create_connection(("127.0.0.1", free.port), timeout=10) as sender:
        sender.sendall(b"POST /figures/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 90000000\r\n\r\nabc")
        assert sender.recv(100).startswith(b"HTTP/1.1 405")


WITHIN = [
    *("overview", "overview.ipynb", "training/", "Training", "%74raining", "../figures/training", "./training"),
    *("/training", "training%00", "training;x", "training%2f", "overview.html", ".env", "favicon.ico", "robots.txt"),
    *("../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "..%5c..%5cpyproject.toml"),
    *("%252e%252e%252fetc%252fpasswd", "..;/..;/etc/passwd", "%c0%ae%c0%ae/etc/passwd", "....//....//etc/passwd"),
    *(
        "/etc/passwd",
        "static/etc/passwd",
        "static//etc/passwd",
        "voila/static/etc/passwd",
        "voila/static/%2fetc/passwd",
    ),
    *("voila/static/../../../../etc/passwd", "voila/templates/lab/static/../../..", "voila/files/overview.ipynb"),
    *("voila/files/../pyproject.toml", "voila/files/%2e%2e/pyproject.toml", "voila/files/tables/x.svg", "voila/tree"),
    *(
        "voila/render/overview.ipynb",
        "voila/api/contents",
        "voila/api/themes/",
        "voila/labextensions/",
        "voila/query/x",
    ),
    *(
        "api",
        "api/kernels",
        "api/contents",
        "api/contents/overview.ipynb",
        "api/sessions",
        "api/terminals",
        "api/spec.yaml",
    ),
    *("files/overview.ipynb", "edit/overview.ipynb", "tree", "login", "logout", "metrics", "nbextensions/", "custom/"),
    *("release/manifest.json", "manifest.json", "tables/training_reach.csv", "pack/index.html", "live.json"),
    *("kernelspecs/python3/logo-64x64.png", "template.html", "view", "http://board.example/", "*"),
]
"""Addresses that are none: files, other spellings of pages, interfaces of Voilà and Jupyter."""


@pytest.mark.parametrize("start", [BASE, "/"])
@pytest.mark.parametrize("path", WITHIN)
def test_every_other_address_is_the_same_refusal_under_the_base_url_and_beside_it(free, start, path):
    status, text, _ = free.ask(start + path)
    assert (status, NO_PAGE in text) == (404, True)
    assert text == free.ask("/nothing")[1]


@pytest.mark.parametrize(("path", "to"), [("index.html", BASE), ("training.html", f"{BASE}training")])
def test_address_of_a_page_in_the_static_site_leads_to_the_page_here(free, guarded, path, to):
    for query in ("", "?next=//board.example/", "?token=x"):
        status, text, headers = free.ask(f"{BASE}{path}{query}")
        assert (status, ANSWER in text) == (302, False)
        assert urljoin(f"https://proxy.example{BASE}{path}", headers["Location"]) == f"https://proxy.example{to}"
        assert not re.match("/|[a-z]+:", headers["Location"])  # a proxy may have the pages at another address
        assert SEALED.items() <= dict(headers).items()
    status, text, headers = guarded.ask(f"{BASE}{path}")
    assert (status, headers["Location"], tells_of_the_board(text)) == (403, None, [])
    status, _, headers = guarded.ask(f"{BASE}{path}?token={TOKEN}")
    assert (status, headers["Refresh"]) == (200, f"0; url={BASE}{path}")
    cookie = headers["Set-Cookie"].split("; ")[0]
    assert guarded.ask(f"{BASE}{path}", Cookie=cookie)[0] == 302


@pytest.mark.parametrize("path", ["//board.example/training.html", "/training.html", f"{BASE}/training.html"])
def test_no_other_address_leads_anywhere(free, path):
    status, _, headers = free.ask(path)
    assert (status, headers["Location"]) == (404, None)


def test_refusals_name_the_board_whose_figures_are_shown_at_the_moment_and_none_where_none_are(free):
    said = []
    for free.present, free.board in (("one", BOARD), ("other", "Board of Erewhon"), (None, ""), ("one", BOARD)):
        said.append(re.findall("<title>(.*?)</title>", free.ask("/nothing")[1])[0])
    here, there = "Page not found – Board of &lt;b&gt;Nowhere&lt;/b&gt;", "Page not found – Board of Erewhon"
    assert [said[0], said[1], said[3]] == [here, there, here]
    assert not re.search("Nowhere|Erewhon", said[2])


@pytest.mark.parametrize("path", ["/", "/training", "/figures", "/Figures/", "/figures//", "http://127.0.0.1/figures/"])
def test_pages_are_under_the_base_url_alone(free, path):
    assert free.ask(path)[0] == 404


SEALED = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Type": "text/html; charset=utf-8",
}
ANSWERED = {
    "page": (BASE, "GET", BEARER, 200),
    "no page": (f"{BASE}nothing", "GET", BEARER, 404),
    "let in": (f"{BASE}?token={TOKEN}", "GET", {}, 200),
    "no token": (BASE, "GET", {}, 403),
    "foreign": (BASE, "GET", {"Host": "board.example"}, 403),
    "method": (BASE, "POST", BEARER, 405),
    "unknown method": (BASE, "SPY", BEARER, 405),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_every_answer_is_sealed(guarded, name):
    path, method, headers, expected = ANSWERED[name]
    status, _, answered = guarded.ask(path, method, **headers)
    assert status == expected
    assert {name: answered[name] for name in SEALED} == SEALED
    rules = dict(rule.strip().split(" ", 1) for rule in answered["Content-Security-Policy"].split(";"))
    assert rules["default-src"] == rules["frame-ancestors"] == rules["form-action"] == rules["base-uri"] == "'none'"
    assert rules["script-src"] == "'none'"  # these pages have no charts
    assert "unsafe-eval" not in str(rules)
    assert "Server" not in answered
    assert "Etag" not in answered
    assert not any(word in str(answered) for word in ("Tornado", "Jupyter", "Voil", "Python", "Anonymous", "_xsrf"))


def test_page_that_is_not_ready_says_where_the_static_site_is(guarded, free):
    for quick, instead in (
        (guarded, 'at <a href="https://site.example/a?b=1&amp;c=2">https://site.example/a?b=1&amp;c=2</a>.'),
        (free, MANY_VIEWERS),
    ):
        quick.present = "busy"
        quick.hold.set()
        status, text, headers = quick.ask(BASE, **BEARER)
        quick.hold.clear()
        assert (status, headers["Retry-After"]) == (503, "30")
        assert BUSY in text
        assert instead in text
        assert SEALED.items() <= dict(headers).items()


def test_browser_is_told_that_its_page_is_being_worked_out_and_asks_again_by_itself(guarded, monkeypatch):
    monkeypatch.setattr(viewers, "SOON", 0.1)
    guarded.present = "worked out for a browser"
    guarded.hold.set()
    status, text, headers = guarded.ask(BASE, Accept="text/html,application/xhtml+xml,*/*;q=0.8", **BEARER)
    assert (status, headers["Refresh"]) == (202, f"15; url={BASE}")
    script = "setTimeout(() => location.reload(), 5000);"
    assert re.findall(r"<script>(.*?)</script>", text) == [script]
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in headers["Content-Security-Policy"]
    assert "This page is being worked out. It opens here by itself as soon as it is ready." in text
    assert "https://site.example/a?b=1&amp;c=2" in text
    assert SEALED.items() <= dict(headers).items()
    guarded.hold.clear()
    status, text, headers = guarded.ask(BASE, Accept="text/html", **BEARER)
    assert (status, headers["Refresh"], ANSWER in text) == (200, None, True)


def test_browser_that_may_not_look_is_not_told_that_a_page_is_being_worked_out(guarded):
    status, text, headers = guarded.ask(BASE, Accept="text/html")
    assert (status, headers["Refresh"]) == (403, None)
    assert "worked out" not in text


def test_page_that_breaks_down_tells_neither_why_nor_whom_it_was_about(free):
    free.present, free.fault = "broken", ValueError("Aled Fictional")
    status, text, headers = free.ask(BASE)
    free.fault, free.present = None, "mended"
    assert (status, NOT_SHOWN in text) == (500, True)
    assert "Aled" not in text + str(headers)
    assert tells_of_the_board(text) == []
    assert SEALED.items() <= dict(headers).items()
    assert free.ask(BASE)[0] == 200


def test_release_that_is_not_there_is_a_sentence_without_its_place(free):
    assert free.ask(BASE)[0] == 200
    kept, free.present = free.present, None
    status, text, headers = free.ask(BASE)
    free.present = kept
    assert (status, headers["Retry-After"]) == (503, "30")
    assert NOT_THERE in text
    assert not any(word in text for word in ("secret", "Aled", ANSWER, "Traceback"))
    assert free.ask(BASE)[0] == 200


@pytest.mark.parametrize(
    ("host", "own"),
    [
        *(("127.0.0.1", True), ("127.0.0.1:1", True), ("127.9.9.9", True), ("LOCALHOST:8866", True), ("[::1]", True)),
        *(("", False), ("127.0.0.1:", False), ("127.1", False), ("0.0.0.0", False), ("localhost.example", False)),
        *(("2130706433", False), ("[::ffff:10.0.0.1]", False), ("127.0.0.1 ", False), ("a@127.0.0.1", False)),
    ],
)
def test_names_of_this_computer(host, own):
    assert is_own_name(host) is own


def test_origins_of_this_dashboard():
    host = "127.0.0.1:8866"
    own = [origin for origin in (None, f"http://{host}", f"https://{host}") if is_own_origin(origin, host)]
    assert len(own) == 3
    foreign = ["", "null", host, f"http://{host}.example", "http://127.0.0.1:8867", f"file://{host}"]
    assert [origin for origin in foreign if is_own_origin(origin, host)] == []


@pytest.mark.parametrize("text", ["/", "/figures/", "/a/b_c/~d-1.2/"])
def test_base_url(text):
    assert checked_base_url(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "figures", "/figures", "figures/", "//", "//figures/", "/figures//", "/../", "/./", "/.../", "/a b/"),
        *("/(.*)/", "/a?b/", "/a#b/", "/%2e/", "/ä/", "http://a.example/", "/a\\b/", '/"><script>/', "/a\n/"),
    ],
)
def test_base_url_that_cannot_be_is_named_with_one_that_can(text):
    with pytest.raises(ParameterError, match="such as /figures/"):
        checked_base_url(text)


@pytest.mark.parametrize("text", ["", "https://figures.example.org/", "http://intranet/board/index.html"])
def test_address_of_a_static_site(text):
    assert checked_site(text) == text


@pytest.mark.parametrize(
    "text",
    ["figures.example.org", "/srv/site", "javascript:alert(1)", "https://", 'https://a"b/', "https://[/", "file:///x"],
)
def test_address_that_is_none_of_a_website_is_refused(text):
    with pytest.raises(ParameterError, match=re.escape("such as https://figures.example.org/")):
        checked_site(text)


# A dashboard with kernels


class Reader(HTMLParser):
    """What a browser makes of a page: its elements with their attributes."""

    def __init__(self):
        super().__init__()
        self.elements = []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))


def make_release(folder, *, text=MARKUP, board=BOARD):
    """A release whose every text is markup."""
    folder.mkdir()
    (built := folder / "built").mkdir()
    shares = {"numerator": [210, 177], "denominator": [400, 920], "proportion": [0.525, 0.192]}
    ends = {"lower": [0.48, 0.17], "upper": [0.57, 0.22]}
    table = already_public(pl.DataFrame({"agency": [text, f"={text}"], **shares, **ends}), text)
    publish(
        table,
        "training_reach_by_agency",
        into=built,
        title=f"Title {text}",
        definition=f"Definition {text}",
        measure="reach",
        headline=f"Headline {text}",
    )
    about = {"board": board, "made_on": "2026-11-22", "as_at": "2011-07-01", "data_version": text}
    return promote(built, folder / "release", about=about).folder


def start(folder, release, *options, **environment):
    """Start ``safeguarding dashboards`` as a user would; it is left to the test to wait for it and to end it."""
    (folder / "tmp").mkdir(parents=True)
    port = free_port()
    (folder / "voila.json").write_text(LOOSE)
    own = {**os.environ, "TMPDIR": str(folder / "tmp"), "JUPYTER_CONFIG_DIR": str(folder), **environment}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*COMMAND, "dashboards", str(release), "--port", str(port), *options],
            stdout=log,
            stderr=log,
            env=own,
            cwd=folder,
        )
    return Served(process, port, folder)


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.05)
    return found


def page_of(served):
    """The first page, however long a busy computer takes for it."""
    until = time.monotonic() + 240
    while time.monotonic() < until:
        with contextlib.suppress(TimeoutError):
            found = served.ask(BASE, **BEARER)
            if found[0] == 200:
                return found
            assert (found[0], BUSY in found[1]) == (503, True)
    raise AssertionError("the page was not worked out")


def is_up(served):
    assert served.process.poll() is None, served.log
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", served.port)) == 0


@pytest.fixture(scope="module")
def shelf():
    with TemporaryDirectory(prefix="sg") as folder:  # tmp_path is too long a name for the sockets of the kernels
        yield Path(folder)


@pytest.fixture(scope="module")
def real(shelf):
    """A guarded dashboard under a base URL, and what its first page was when somebody attacked the kernel meanwhile."""
    release = make_release(shelf / "board")
    served = start(shelf / "served", release, "--base-url", BASE, SAFEGUARDING_TOKEN=TOKEN)
    try:
        wait_for(lambda: is_up(served))
        found = wait_for(lambda: list(served.folder.glob("tmp/*/voila_*/kernel-*.json")))
        kernel = found[0].stem.removeprefix("kernel-")
        with ThreadPoolExecutor() as pool:
            page = pool.submit(page_of, served)
            answers = speak_with(served, kernel)
            assert not page.done()
        yield SimpleNamespace(served=served, release=release, page=page.result(), answers=answers, shelf=shelf)
    finally:
        if served.process.poll() is None:
            served.stop()
    assert TOKEN not in served.log


def frame(message):
    """A text frame of a websocket, as a browser sends it."""
    data = json.dumps(message).encode()
    return b"\x81\xfe" + len(data).to_bytes(2, "big") + b"\0\0\0\0" + data


MESSAGES = {
    "execute_request": {"code": "open('touched', 'w').close()", "silent": False, "store_history": True},
    "complete_request": {"code": "rel", "cursor_pos": 3},
    "inspect_request": {"code": "release", "cursor_pos": 7, "detail_level": 1},
    "history_request": {"hist_access_type": "tail", "n": 99, "output": True, "raw": True},
    "debug_request": {"type": "request", "seq": 1, "command": "initialize", "arguments": {}},
    "interrupt_request": {},
    "shutdown_request": {"restart": False},
    "kernel_info_request": {},
    "comm_info_request": {},
    "input_reply": {"value": "x"},
}


def speak_with(served, kernel):
    """What one hears who knows the name of a kernel and speaks with it without being let in, by way and origin."""
    heard = {}
    own = f"http://127.0.0.1:{served.port}"
    for place in (f"{BASE}api/kernels/{kernel}/channels", f"/api/kernels/{kernel}/channels", BASE):
        for query in ("", f"?token={TOKEN}"):
            for origin in (None, own, "https://board.example"):
                lines = [
                    f"GET {place}{query} HTTP/1.1",
                    f"Host: 127.0.0.1:{served.port}",
                    *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                    "Sec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org",
                    *([f"Origin: {origin}"] if origin else []),
                    *([] if query or place == BASE else [f"Authorization: Bearer {TOKEN}"]),
                ]
                with socket.create_connection(("127.0.0.1", served.port), timeout=20) as line:
                    line.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
                    said = line.recv(65536)
                    for channel in ("shell", "control", "stdin", "iopub"):
                        for kind, content in MESSAGES.items():
                            header = {"msg_id": "1", "msg_type": kind, "session": "s", "username": "", "version": "5.3"}
                            message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
                            with contextlib.suppress(OSError):
                                line.sendall(frame({**message, "channel": channel, "buffers": []}))
                    with contextlib.suppress(OSError):
                        line.shutdown(socket.SHUT_WR)
                        while more := line.recv(65536):
                            said += more
                heard[place.replace(kernel, "ID"), query, origin] = said.decode("utf-8", "replace")
    return heard


def test_viewer_who_knows_the_kernel_s_name_hears_nothing_of_it_on_any_channel(real):
    assert len(real.answers) == 18
    for (place, query, origin), said in real.answers.items():
        status = int(said.split(" ", 2)[1])
        if origin == "https://board.example" or (place == BASE and not query):
            assert status == 403
        else:
            assert status == (200 if query else 404)  # with the token in the address one is let in, and led to a page
        assert "HTTP/1.1 101" not in said
        assert not re.search("Sec-WebSocket|msg_type|parent_header|execute_|traceback|served_release", said)
    assert list(real.shelf.rglob("touched")) == []


def test_markup_in_titles_cells_and_names_is_text(real):
    status, html, _ = real.page
    assert status == 200
    reader = Reader()
    reader.feed(html)
    scripts = [attributes.get("type") for tag, attributes in reader.elements if tag == "script"]
    assert sorted(filter(None, scripts)) == ["application/json"]  # the chart
    assert scripts.count(None) == 2  # those of the page
    assert not any(tag in ("img", "iframe", "object", "form", "b") for tag, _ in reader.elements)
    assert not any(name.startswith("on") for _, attributes in reader.elements for name in attributes)
    for shown in ("Title", "Headline", "Definition"):
        assert f"{shown} &lt;/script&gt;&lt;script&gt;alert(1)" in html
    assert html.count("{{ 6 * 7 }}{% raw %}") >= 5
    assert "42" not in re.sub(r"<script.*?</script>|<svg.*?</svg>|<style.*?</style>", "", html, flags=re.DOTALL)


def test_page_s_own_scripts_are_the_only_ones_its_header_allows(real):
    _, html, headers = real.page
    policy = headers["Content-Security-Policy"]
    inside = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1].replace("&#39;", "'")
    assert policy == f"{inside}; frame-ancestors 'none'"
    assert re.search(r"script-src 'sha256-\S+' 'sha256-\S+';", policy)


def test_links_and_refusals_stand_under_the_base_url(real):
    _, html, _ = real.page
    pages = [BASE, *(BASE + name for name in ("training", "knowledge", "child_protection", "priorities"))]
    navigation = re.search(r"<nav .*?</nav>", html, flags=re.DOTALL)[0]
    assert re.findall(r'href="([^"]*)"', navigation) == pages
    status, text, _ = real.served.ask("/training", **BEARER)
    assert status == 404
    assert re.findall(r'href="(/[^"]*)"', text) == pages


@pytest.mark.parametrize("size", [20_000, 200_000])
def test_oversized_addresses_and_headers_are_refused_and_the_others_served_on(real, size):
    for path, headers in (
        (f"{BASE}{'x' * size}", BEARER),
        (f"{BASE}?token={'x' * size}", {}),
        (BASE, {"Cookie": f"safeguarding_x={'x' * size}"}),
        (BASE, {"X": "x" * size}),
    ):
        try:
            status, text, _ = real.served.ask(path, **headers)
        except (OSError, http.client.HTTPException):
            continue  # the line was cut
        assert status in (400, 403, 404, 414, 429, 431)
        assert "Traceback" not in text
    assert real.served.ask(BASE, **BEARER)[0] == 200


def test_log_holds_the_address_and_nothing_else(real):
    real.served.ask(f"{BASE}?token=wrong-{TOKEN}")
    real.served.ask(f"{BASE}?token={TOKEN}")
    assert_log_tells_of_pages_alone(real.served.log, f"http://127.0.0.1:{real.served.port}{BASE}")


def test_kernels_do_not_know_the_token(real):
    kernels = real.served.kernels
    for kernel in kernels:
        with contextlib.suppress(psutil.Error):
            assert TOKEN not in str(kernel.environ())
    assert TOKEN not in " ".join(psutil.Process(real.served.process.pid).cmdline())


def test_release_that_is_missing_half_written_or_replaced_is_never_a_traceback_nor_an_old_page(real):
    """Last of those with this dashboard, whose process is killed in the end."""
    served, place = real.served, real.release
    away, previous = place.with_name("away"), place.with_name("release.previous")
    page = real.page[1]

    place.rename(previous)  # half-way: the new one is about to take its place
    assert served.ask(BASE, **BEARER)[:2] == (200, page)
    previous.rename(away)
    gone = served.ask(BASE, **BEARER)
    assert gone[0] == 503
    assert NOT_THERE in gone[1]
    copytree(away, place)
    manifest = (place / "manifest.json").read_text(encoding="utf-8")
    for torn in (manifest[: len(manifest) // 2], "", "null", '{"tables": 1}'):
        (place / "manifest.json").write_text(torn, encoding="utf-8")
        assert served.ask(BASE, **BEARER)[:2] == gone[:2]
    (place / "manifest.json").write_text(manifest, encoding="utf-8")
    assert served.ask(BASE, **BEARER)[:2] == (200, page)

    other = make_release(real.shelf / "other", text="Next year.", board="Another name")
    place.rename(away.with_name("old"))
    other.rename(place)
    _, text, _ = page_of(served)
    assert '<p class="headline">Headline Next year.</p>' in text
    assert "<title>Overview – Another name</title>" in text
    assert "alert(1)" not in text

    kernels = wait_for(lambda: served.kernels)  # of the other pages of the new release
    served.process.kill()
    assert psutil.wait_procs(kernels, timeout=30)[1] == []
    served.process.wait(10)
    assert "Traceback" not in served.log


# Its beginning and its end


@pytest.mark.parametrize(
    ("options", "environment", "said"),
    [
        (["--base-url", "figures"], {}, "begins and ends with a slash"),
        (["--static-site", "figures"], {}, "no address of a website"),
        ([], {"SAFEGUARDING_TOKEN": "short"}, "has 5 characters"),
        ([], {"SAFEGUARDING_TOKEN": ""}, "has 0 characters"),
        (["--token"], {}, "Set SAFEGUARDING_TOKEN to one of your own"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_served(tmp_path, options, environment, said):
    release = make_release(tmp_path / "board")
    arguments = [str(release), "--port", str(free_port()), *options]
    done = CliRunner().invoke(dashboards, arguments, env=environment)
    assert isinstance(done.exception, ParameterError)
    assert said in str(done.exception)
    assert done.output == ""


def test_address_is_shown_when_it_answers_and_a_new_token_on_a_terminal_alone(shelf, real):
    (shelf / "tmp").mkdir()
    port, (screen, terminal) = free_port(), pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "dashboards", str(real.release), "--port", str(port), "--token"],
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "TMPDIR": str(shelf / "tmp")},
    )
    os.close(terminal)
    said = os.read(screen, 1000).decode()
    assert Served(process, port, shelf).ask("/nothing")[0] == 403  # at once
    process.terminate()
    process.wait(60)
    with contextlib.suppress(OSError):  # the other end of the terminal has gone
        said += os.read(screen, 1000).decode()
    os.close(screen)
    first, _, rest = said.partition("\r\n")
    token = re.fullmatch(rf"The dashboard is at http://127\.0\.0\.1:{port}/\?token=(\S+)  \(Ctrl-C stops it\)", first)[
        1
    ]
    assert checked_token(token) == token
    assert "Traceback" not in rest
    assert token not in rest
    assert list((shelf / "tmp").iterdir()) == []


def test_ending_while_it_starts_leaves_no_file_and_shows_no_address(shelf, real):
    served = start(shelf / "early", real.release)
    wait_for(lambda: list((served.folder / "tmp").iterdir()))
    served.process.terminate()
    assert served.process.wait(60) != 0
    assert list((served.folder / "tmp").iterdir()) == []
    assert "Traceback" not in served.log
    assert "http" not in served.log
