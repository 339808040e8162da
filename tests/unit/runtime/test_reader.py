"""The runtime's own parser alone refuses what frames a body twice, whatever the rules behind it would say."""

from types import SimpleNamespace

import pytest

from wick_runtime.http.message.reader import BadRequest, Reader


def reader():
    """One whose callbacks do nothing."""
    names = ("message_begin", "url", "header", "headers_complete", "body", "message_complete")
    return Reader(SimpleNamespace(**{f"on_{name}": lambda *_: None for name in names}))


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_a_body_that_is_framed_twice_is_no_request_and_ends_the_stream(rest):
    parser = reader()
    with pytest.raises(BadRequest):
        parser.feed_data(b"POST / HTTP/1.1\r\nHost: a\r\n" + rest)
    with pytest.raises(BadRequest, match="already broken"):
        parser.feed_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
