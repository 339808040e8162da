"""Offers to change protocols (RFC 9110, 7.8): ignored with a body, and nothing hides behind one.

Java's `HttpClient` offers ``h2c`` with every request, and sends bodies of unknown length in chunks.
"""

from corpus.http.case import GET, HELLO, HOST, SMUGGLED, Case, Request, get, post, posted, refused, served, unfinished

H2C = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQ")
ECHO = (b"Connection: Upgrade", b"Upgrade: echo")
WEBSOCKET = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
TE = b"Transfer-Encoding: chunked"
_HIDDEN = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)


def _offers(name: str, offer: tuple[bytes, ...]) -> dict[str, Case]:
    length = b"Content-Length: %d" % len(SMUGGLED)
    return {
        f"{name} with a counted body": served(post(*offer, length, body=SMUGGLED) + GET, posted(SMUGGLED), Request()),
        f"{name} with a chunked body": served(post(*offer, TE, body=HELLO) + GET, posted(b"hello"), Request()),
        f"{name} with a request in its chunk": served(
            post(*offer, TE, body=_HIDDEN) + GET, posted(SMUGGLED), Request()
        ),
        f"{name} with trailers": served(
            post(*offer, TE, body=b"5\r\nhello\r\n0\r\nX: y\r\n\r\n") + GET, posted(b"hello"), Request()
        ),
        f"{name} with no chunk": served(post(*offer, TE, body=b"0\r\n\r\n") + GET, posted(b""), Request()),
        f"{name} twice with chunked bodies": served(
            post(*offer, TE, body=HELLO) * 2 + GET, posted(b"hello"), posted(b"hello"), Request()
        ),
        f"{name} behind a request, with a chunked body": served(
            GET + post(*offer, TE, body=_HIDDEN) + GET, Request(), posted(SMUGGLED), Request()
        ),
        f"{name} behind a request, with a counted body": served(
            GET + post(*offer, length, body=SMUGGLED) + GET, Request(), posted(SMUGGLED), Request()
        ),
        f"{name} that expects, with a chunked body": served(
            post(*offer, TE, b"Expect: 100-continue", body=HELLO) + GET, posted(b"hello"), Request()
        ),
        f"{name} with white space, with a chunked body": served(
            post(*offer, b"Transfer-Encoding:  chunked ", body=HELLO) + GET, posted(b"hello"), Request()
        ),
        f"{name} with a tab behind its coding": served(
            post(*offer, b"Transfer-Encoding: chunked\t", body=HELLO) + GET, posted(b"hello"), Request()
        ),
        f"{name} with length and chunked": refused(
            post(*offer, b"Content-Length: 5", TE, body=b"0\r\n\r\n" + SMUGGLED)
        ),
        f"{name} with two lengths": refused(
            post(*offer, b"Content-Length: 5", b"Content-Length: 5", body=b"hello" + SMUGGLED)
        ),
        f"{name} with an unknown coding": refused(
            post(*offer, b"Transfer-Encoding: gzip, chunked", body=HELLO + SMUGGLED)
        ),
        f"{name} with a broken chunk": refused(post(*offer, TE, body=b"5\r\nhelloX\r\n0\r\n\r\n" + SMUGGLED)),
        f"{name} with a length in the trailers": refused(
            post(*offer, TE, body=b"0\r\nContent-Length: 5\r\n\r\nhello" + SMUGGLED)
        ),
        f"{name} chunked in HTTP/1.0": refused(
            b"POST /x HTTP/1.0\r\n" + HOST + b"".join(line + b"\r\n" for line in (*offer, TE)) + b"\r\n" + HELLO
        ),
        f"{name} with half a chunk": unfinished(post(*offer, TE, body=b"5\r\nhe")),
    }


CASES = {
    **_offers("h2c", H2C),
    **_offers("unknown protocol", ECHO),
    **_offers("WebSocket", WEBSOCKET),
    "h2c without a body": served(get(*H2C) + GET, Request(), Request()),
    "h2c, then garbage": refused(get(*H2C) + b"\x00\x01\x02\r\n\r\n", after=(Request(),)),
    "h2c, then two lengths": refused(
        get(*H2C) + post(b"Content-Length: 6", TE, body=b"0\r\n\r\n" + SMUGGLED), after=(Request(),)
    ),
    "h2c with an empty counted body": served(post(*H2C, b"Content-Length: 0") + GET, posted(b""), Request()),
    "Upgrade that Connection does not name, chunked": served(
        post(b"Upgrade: h2c", TE, body=HELLO) + GET, posted(b"hello"), Request()
    ),
}
