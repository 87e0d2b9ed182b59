"""Dashboards behind a real nginx, with the block of its configuration that README gives."""

import gzip
import http.client
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from conftest import free_port
from safeguarding_analytics.viewers import LINK_NEEDED, NO_PAGE, NOT_SHOWN
from test_serving_attack import ANSWER, BASE, NAVIGATION, TOKEN, Quick, tells_of_the_board

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed: no proxy can be put before the pages")

README = Path(__file__).parents[1] / "README.md"
BLOCK = """\
location /figures/ {
    proxy_pass http://127.0.0.1:8866;
    proxy_set_header Authorization "Bearer the-token";
}
"""
"""What README says is enough where viewers need a token that the proxy has."""

ALL = """\
{user}
daemon off;
pid {folder}/pid;
error_log {folder}/errors;
events {{}}
http {{
    access_log off;
    gzip on;
    root {folder}/nothing;
    {paths}
    server {{
        listen 127.0.0.1:{port} default_server;
        return 444;
    }}
    server {{
        listen 127.0.0.1:{port};
        server_name figures.example;
        {block}
    }}
    server {{
        listen 127.0.0.1:{port};
        server_name bare.example;
        {bare}
    }}
    server {{
        listen 127.0.0.1:{port};
        server_name passing.example;
        {passing}
    }}
}}
"""
PATHS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    """A guarded dashboard behind an nginx that has the token, one that has not, and one that passes the host on."""
    folder, quick, port = tmp_path_factory.mktemp("nginx"), Quick(TOKEN), free_port()
    block = BLOCK.replace("8866", str(quick.port)).replace("the-token", TOKEN)
    bare = "\n".join(line for line in block.splitlines() if "Authorization" not in line)
    settings = ALL.format(
        folder=folder,
        user="user root;" if os.geteuid() == 0 else "",  # another user could not read the folder of a test
        port=port,
        paths=" ".join(f"{name}_temp_path {folder}/{name};" for name in PATHS),
        block=block,
        bare=bare,
        passing=block.replace("}", "    proxy_set_header Host $host;\n}"),
    )
    (folder / "nginx.conf").write_text(settings)
    command = [NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", str(folder / "errors")]
    process = subprocess.Popen(command)
    try:
        until = time.monotonic() + 20
        while True:
            assert process.poll() is None, (folder / "errors").read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < until, "nginx did not start"
            time.sleep(0.05)
        yield SimpleNamespace(port=port, quick=quick)
    finally:
        process.terminate()
        process.wait(20)
        quick.close()


def ask(proxied, path, server="figures.example", method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", proxied.port, timeout=20)
    try:
        connection.request(method, path, headers={"Host": server, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def test_block_of_the_configuration_stands_in_the_readme():
    """The one that is tested here, so that it cannot be another."""
    if "proxy_pass" not in README.read_text(encoding="utf-8"):
        pytest.skip("README gives no block for nginx")
    assert BLOCK in README.read_text(encoding="utf-8")


@pytest.mark.parametrize(("path", "title"), NAVIGATION)
def test_page_comes_through_with_the_token_of_the_proxy_and_links_that_lead_on(proxied, path, title):
    status, html, headers = ask(proxied, path)
    assert (status, ANSWER.encode() in html) == (200, True)
    links = re.findall(r'<a href="([^"]*)"[^>]*>([^<]*)</a>', html.decode())
    assert [link for link in links if link[0] != "#main"] == NAVIGATION
    assert "Set-Cookie" not in headers


def test_headers_that_seal_a_page_come_through(proxied):
    _, _, headers = ask(proxied, BASE)
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Server"].startswith("nginx")


def test_nginx_compresses_the_page(proxied):
    _, plain, _ = ask(proxied, BASE)
    _, packed, headers = ask(proxied, BASE, **{"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed) == plain
    assert len(packed) < len(plain) / 2


def test_address_without_its_last_slash_leads_to_the_pages(proxied):
    status, _, headers = ask(proxied, "/figures")
    assert (status, headers["Location"].partition("figures.example")[2].endswith("/figures/")) == (301, True)


@pytest.mark.parametrize("path", [f"{BASE}nothing", f"{BASE}api/kernels", f"{BASE}training.ipynb"])
def test_other_addresses_under_the_block_are_refused_by_us(proxied, path):
    status, html, _ = ask(proxied, path)
    assert (status, NO_PAGE.encode() in html) == (404, True)


@pytest.mark.parametrize(
    "path", ["/", "/training", "/voila/tree", f"{BASE}../voila/tree", "/figures/%2e%2e/api/kernels"]
)
def test_other_addresses_never_reach_the_dashboard(proxied, path):
    status, html, _ = ask(proxied, path)
    assert status == 404
    assert NO_PAGE.encode() not in html


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "10.1.2.3", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "figures.example"},
        {"X-Forwarded-For": "::1, evil", "X-Real-IP": "x", "X-Scheme": "gopher", "Forwarded": "for=1;host=evil"},
    ],
    ids=["usual", "odd"],
)
def test_what_proxies_say_of_the_viewer_changes_nothing(proxied, headers):
    assert ask(proxied, BASE, **headers)[:2] == ask(proxied, BASE)[:2]


def test_foreign_name_gets_no_answer_from_nginx_and_a_refusal_where_nginx_passes_it_on(proxied):
    with pytest.raises(http.client.RemoteDisconnected):
        ask(proxied, BASE, "evil.example")
    status, html, _ = ask(proxied, BASE, "passing.example")
    assert (status, NOT_SHOWN.encode() in html) == (403, True)
    assert tells_of_the_board(html.decode()) == []


def test_page_of_another_site_gets_none(proxied):
    assert ask(proxied, BASE, Origin="https://evil.example")[0] == 403


def test_without_the_token_of_the_proxy_viewers_need_their_own(proxied):
    status, html, _ = ask(proxied, BASE, "bare.example")
    assert (status, LINK_NEEDED.encode() in html) == (403, True)
    status, _, headers = ask(proxied, f"{BASE}?token={TOKEN}", "bare.example", **{"X-Forwarded-Proto": "https"})
    cookie, *settings = headers["Set-Cookie"].split("; ")
    assert (status, headers["Refresh"]) == (200, f"0; url={BASE}")
    assert {f"Path={BASE}", "Secure"} <= set(settings)
    status, html, _ = ask(proxied, BASE, "bare.example", Cookie=cookie)
    assert (status, ANSWER.encode() in html) == (200, True)


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_pages_can_be_read_and_nothing_else(proxied, method):
    assert ask(proxied, BASE, method=method)[0] == 405


def test_handshake_of_a_websocket_is_refused(proxied):
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    assert ask(proxied, f"{BASE}api/kernels/00000000-0000-0000-0000-000000000000/channels", **headers)[0] == 404
