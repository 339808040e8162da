"""Where the client called, as the router says it."""

import pytest

from wick_runtime.call.origin import origin

ROUTER = [
    (b"host", b"shop.example"),
    (b"x-forwarded-for", b"192.0.2.7, 10.0.0.1"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-prefix", b"/function/default/shop"),
]


def test_the_router_s_words_are_taken():
    assert origin(ROUTER) == ("https", "192.0.2.7", b"/function/default/shop", ("shop.example", 443))


def test_without_a_router_the_host_says_what_it_can():
    assert origin([(b"host", b"[::1]:8080")]) == ("http", "", b"", ("[::1]", 8080))
    assert origin([(b"host", b"[::1]")]).server == ("[::1]", 80)
    assert origin([]) == ("http", "", b"", None)


@pytest.mark.parametrize(
    "value", [b"//evil.example", b"evil", b"/", b"/a/", b"/a//b", b"/a?b", b"/a b", b"/%2e", b"/a\\b"]
)
def test_a_prefix_that_no_router_writes_is_none(value):
    assert origin([(b"x-forwarded-prefix", value)]).prefix == b""


@pytest.mark.parametrize(
    ("value", "scheme"), [(b"HTTPS", "https"), (b"wss", "https"), (b"ws", "http"), (b"ftp", "http"), (b"", "http")]
)
def test_schemes_are_http_and_https(value, scheme):
    assert origin([(b"x-forwarded-proto", value)]).scheme == scheme
