"""Applications by path, by their own host and by a route: what they link and redirect to leads back to them.

By path the router takes ``/function/<namespace>/<name>`` off and tells it; nobody else may tell it.
"""

import contextlib
import http.client
import http.cookies
import json
import re
import socket
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

import pytest

from cluster.waiting import PATIENCE


class Page(HTMLParser):
    """What a page links to, and the fields of its forms."""

    def __init__(self, text):
        super().__init__()
        self.links, self.fields = [], {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if tag == "input" and found.get("name"):
            self.fields[found["name"]] = found.get("value", "")


@dataclass
class Browser:
    """Keeps cookies, follows redirects, and never leaves its host."""

    port: int
    host: str
    root: str
    cookies: dict = field(default_factory=dict)
    at: str = ""
    headers: dict = field(default_factory=dict)

    def open(self, where, form=None):
        """The answer at the end of all redirects; `where` is relative to the page it is at."""
        method, body = ("POST", urlencode(form)) if form is not None else ("GET", None)
        self.at = urljoin(self.at or f"http://{self.host}{self.root}/", where)
        for _ in range(5):
            parts = urlsplit(self.at)
            assert (parts.scheme, parts.netloc) == ("http", self.host)
            assert parts.path.startswith(self.root + "/"), f"{parts.path} has left the function"
            headers = {
                "Host": self.host,
                "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()),
            } | self.headers
            if body is not None:
                headers |= {"Content-Type": "application/x-www-form-urlencoded", "Referer": self.at}
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            with contextlib.closing(connection):
                connection.request(method, parts.path + ("?" + parts.query if parts.query else ""), body, headers)
                response = connection.getresponse()
                text = response.read().decode()
            for line in response.headers.get_all("set-cookie", ()):
                self.cookies |= {k: v.value for k, v in http.cookies.SimpleCookie(line).items()}
            if response.status not in (301, 302, 303, 307, 308):
                assert response.status == 200, (self.at, response.status, text[:500])
                return text
            self.at = urljoin(self.at, response.headers["Location"])
            method, body = "GET", None
        raise AssertionError(f"redirects without an end at {self.at}")


@pytest.fixture(params=["path", "host", "route"])
def browse(request, applications):
    """`browse(function)`: a browser that reaches it by path, by its own host, or by a route."""

    def begin(name, **headers):
        host = {"path": f"127.0.0.1:{applications.port}", "host": f"{name}.default", "route": f"{name}.shop.example"}
        root = f"/function/default/{name}" if request.param == "path" else ""
        return Browser(applications.port, host[request.param], root, headers=headers)

    return begin


def test_what_the_page_of_fastapi_s_docs_loads_is_there(browse):
    browser = browse("fastapi")
    page = browser.open("docs")
    described = re.search(r"url: '([^']+)'", page).group(1)
    api = json.loads(browser.open(described))
    assert "/items/" in api["paths"]
    server = api.get("servers", [{"url": "/"}])[0]["url"]
    browser.open(server.rstrip("/") + "/items/")  # as "Try it out" calls it


@pytest.mark.parametrize("name", ["fastapi", "flask"])
def test_redirects_login_and_pagination_stay_with_the_function(browse, name):
    browser = browse(name)
    assert json.loads(browser.open("secret")) == {"who": "Ada"}
    assert urlsplit(browser.at).path == f"{browser.root}/secret"
    first = json.loads(browser.open(f"{browser.root}/items"))  # a redirect to the one with a slash
    assert first["next"] == f"http://{browser.host}{browser.root}/items/?page=2"
    browser.open(first["next"])
    assert first.get("raw", f"{browser.root}/items/") == f"{browser.root}/items/"


def test_a_websocket_knows_its_place_and_its_scheme(browse):
    browser = browse("fastapi")
    with socket.create_connection(("127.0.0.1", browser.port), timeout=PATIENCE) as sock, sock.makefile("rb") as file:
        sock.sendall(
            f"GET {browser.root}/ws?x=1 HTTP/1.1\r\nHost: {browser.host}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert b" 101 " in file.readline()
        while file.readline() != b"\r\n":
            pass
        size = file.read(2)[1]
        said = json.loads(file.read(int.from_bytes(file.read(2)) if size == 126 else size))
    path = f"{browser.root}/ws"
    assert said == {"scheme": "ws", "path": path, "raw_path": str(path.encode()), "root_path": browser.root}


def test_a_mounted_application_knows_its_place(browse):
    browser = browse("fastapi")
    leaf = json.loads(browser.open("below/leaf?x=1"))
    path = f"{browser.root}/below/leaf"
    assert leaf == {"self": f"http://{browser.host}{path}", "scope": [path, str(path.encode())]}


@pytest.mark.parametrize("name", ["django-wsgi", "django-asgi"])
def test_one_can_log_in_to_django_s_admin_and_walk_through_it(browse, name):
    browser = browse(name)
    page = Page(browser.open("admin"))
    assert urlsplit(browser.at).path == f"{browser.root}/admin/login/"
    page = Page(browser.open("", {**page.fields, "username": "ada", "password": "secret"}))
    assert urlsplit(browser.at).path == f"{browser.root}/admin/"
    for link in (f"{browser.root}/admin/auth/user/", f"{browser.root}/admin/auth/group/add/"):
        assert link in page.links
        assert browser.open(link)
    form = Page(browser.open(f"{browser.root}/admin/auth/group/add/"))
    fields = {name: value for name, value in form.fields.items() if not name.startswith("_")}  # but for its buttons
    browser.open("", {**fields, "name": f"readers by {browser.host}"})
    assert urlsplit(browser.at).path == f"{browser.root}/admin/auth/group/"


def test_functions_framework_and_plain_wsgi_know_their_root(browse):
    browser = browse("framework")
    said = json.loads(browser.open("a/b"))
    assert said == {"root": browser.root, "path": "/a/b", "url": f"http://{browser.host}{browser.root}/a/b"}
    browser = browse("wsgi")
    assert browser.open("a%20b?x").startswith(f"['{browser.root}', '/a b', 'http', ")


def test_a_native_handler_s_path_is_below_its_root(browse):
    assert json.loads(browse("native").open("a%20b?x")) == ["/a b", "/a%20b?x"]


@pytest.mark.parametrize("forged", [{"X-Forwarded-Prefix": "/evil"}, {"X_Forwarded_Prefix": "/evil"}])
@pytest.mark.parametrize("more", [{}, {"Connection": "x-forwarded-prefix"}])
def test_a_client_cannot_say_where_the_application_is(browse, forged, more):
    for name in ("fastapi", "flask"):
        browser = browse(name, **forged, **more)
        assert json.loads(browser.open("items/"))["next"] == f"http://{browser.host}{browser.root}/items/?page=2"
    assert "evil" not in browse("wsgi", **forged, **more).open("")
