"""A chunked body whose head another parser has read: body, trailers and the requests behind it are heard, no more."""

from wick_router.http.remainder import within_chunked_body


class Heard:
    """What was called."""

    def __init__(self):
        self.calls = []

    def on_url(self, url):
        self.calls.append(("url", url))

    def on_header(self, name, value):
        self.calls.append(("header", name, value))

    def on_headers_complete(self):
        self.calls.append("head")

    def on_body(self, data):
        self.calls.append(("body", data))

    def on_message_complete(self):
        self.calls.append("end")


def test_what_follows_the_head_is_heard_from_its_first_byte():
    heard = Heard()
    parser = within_chunked_body(heard)
    assert heard.calls == []
    parser.feed_data(b"2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n")
    assert heard.calls == [
        ("body", b"ab"),
        ("header", b"X-Sum", b"1"),
        "end",
        ("url", b"/next"),
        ("header", b"Host", b"a"),
        "head",
        "end",
    ]
