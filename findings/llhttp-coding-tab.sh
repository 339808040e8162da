#!/bin/sh
# llhttp refuses a valid request: a tab behind the transfer coding "chunked".
#
# Seen with:  httptools 0.9.0 with the llhttp it brings, Python 3.11.
# Expected:   white space behind a field's value, spaces and tabs alike, is no part of it (RFC 9110, 5.5 and 5.6.3), so
#             "Transfer-Encoding: chunked<TAB>" is "Transfer-Encoding: chunked".
# Seen:       a space there is read past; a tab is refused with "Request has invalid `Transfer-Encoding`", and only after
#             `on_headers_complete` was called. "Content-Length: 5<TAB>" is taken.
# So:         the router and both parsers of the runtime refuse it too (`coding with a tab behind` in tests/corpus/http).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check httptools==0.9.0
"$folder/venv/bin/python" - <<'PYTHON'
from httptools import HttpParserError, HttpRequestParser


class Body:
    def __init__(self):
        self.body = b""
        self.heads = 0

    def on_headers_complete(self):
        self.heads += 1

    def on_body(self, data):
        self.body += data


def read(line, body):
    got = Body()
    try:
        HttpRequestParser(got).feed_data(b"POST / HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n" + body)
    except HttpParserError as error:
        return f"refused: {error}", got.heads
    return got.body, got.heads


chunks = b"5\r\nhello\r\n0\r\n\r\n"
assert read(b"Transfer-Encoding: chunked", chunks) == (b"hello", 1)
assert read(b"Transfer-Encoding: chunked ", chunks) == (b"hello", 1)
assert read(b"Content-Length: 5\t", b"hello") == (b"hello", 1)
assert read(b"Transfer-Encoding: chunked\t", chunks) == ("refused: Request has invalid `Transfer-Encoding`", 1)
print("as written: a tab behind 'chunked' is refused")
PYTHON
