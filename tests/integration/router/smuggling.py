"""Requests that two readers could understand in two ways, or that are none at all.

Each is what a client sends; ``{}`` of `REFUSED` never reaches an instance. Sources: the corner cases of RFC 9112, the
public write-ups of request smuggling (CL.TE, TE.CL, TE.TE, CL.0, h2c upgrades), and llhttp's own tests.
"""

HOST = b"Host: hello.default\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: hello.default\r\n\r\n"
CHUNKED = b"5\r\nhello\r\n0\r\n\r\n"


def _post(*lines, body=b""):
    return b"POST /x HTTP/1.1\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def _te(value, name=b"Transfer-Encoding"):
    return _post(name + b": " + value, body=CHUNKED + SMUGGLED)


def _chunks(body):
    return _post(b"Transfer-Encoding: chunked", body=body + SMUGGLED)


def _line(line):
    return line + b"\r\n" + HOST + b"\r\n"


def _field(field):
    return b"GET /x HTTP/1.1\r\n" + HOST + field + b"\r\n\r\n"


REFUSED = {
    # Two lengths
    "length and chunked": _post(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED),
    "chunked and length": _post(b"Transfer-Encoding: chunked", b"Content-Length: 6", body=b"0\r\n\r\n" + SMUGGLED),
    "two different lengths": _post(b"Content-Length: 5", b"Content-Length: 60", body=b"hello" + SMUGGLED),
    "two equal lengths": _post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
    "a list of lengths": _post(b"Content-Length: 5, 5", body=b"hello"),
    "a list of different lengths": _post(b"Content-Length: 5, 60", body=b"hello" + SMUGGLED),
    "chunked twice": _post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=CHUNKED),
    "chunked and identity": _post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=CHUNKED),
    "identity and chunked": _post(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked", body=CHUNKED),
    # Lengths that are none
    "negative length": _post(b"Content-Length: -5", body=SMUGGLED),
    "signed length": _post(b"Content-Length: +5", body=b"hello" + SMUGGLED),
    "hexadecimal length": _post(b"Content-Length: 0x5", body=b"hello" + SMUGGLED),
    "fractional length": _post(b"Content-Length: 5.0", body=b"hello" + SMUGGLED),
    "length with a word": _post(b"Content-Length: 5 bytes", body=b"hello" + SMUGGLED),
    "length in two words": _post(b"Content-Length: 5 6", body=b"hello" + SMUGGLED),
    "empty length": _post(b"Content-Length: ", body=SMUGGLED),
    "overflowing length": _post(b"Content-Length: 99999999999999999999999999", body=SMUGGLED),
    "length with a tab inside": _post(b"Content-Length: 5\t6", body=b"hello" + SMUGGLED),
    "underscored digits": _post(b"Content-Length: 1_0", body=b"hello" + SMUGGLED),
    "length with NUL": _post(b"Content-Length: 5\x00", body=b"hello" + SMUGGLED),
    "length in other digits": _post(b"Content-Length: \xd9\xa5", body=b"hello" + SMUGGLED),
    # Codings
    "coding xchunked": _te(b"xchunked"),
    "coding chunkedx": _te(b"chunkedx"),
    "coding in quotes": _te(b'"chunked"'),
    "coding chunked, identity": _te(b"chunked, identity"),
    "coding identity, chunked": _te(b"identity, chunked"),
    "coding gzip, chunked": _te(b"gzip, chunked"),
    "coding identity": _te(b"identity"),
    "coding gzip": _te(b"gzip"),
    "coding empty": _te(b""),
    "coding with vertical tab": _te(b"\x0bchunked"),
    "coding with form feed": _te(b"chunked\x0c"),
    "coding with NUL": _te(b"chunked\x00"),
    "coding with parameter": _te(b"chunked;q=1"),
    "coding after comma": _te(b", chunked"),
    "coding on a folded line": _post(b"Transfer-Encoding:\r\n chunked", body=CHUNKED + SMUGGLED),
    "space before the colon": _post(b"Transfer-Encoding : chunked", body=CHUNKED + SMUGGLED),
    "tab before the colon": _post(b"Transfer-Encoding\t: chunked", body=CHUNKED + SMUGGLED),
    "space before the name": _post(b"X: y\r\n Transfer-Encoding: chunked", body=CHUNKED + SMUGGLED),
    "space before the first field": b"GET /x HTTP/1.1\r\n Host: hello.default\r\n\r\n",
    "chunked in HTTP/1.0": b"POST /x HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED + SMUGGLED,
    # Chunks
    "chunk of negative size": _chunks(b"-5\r\nhello\r\n0\r\n\r\n"),
    "chunk of signed size": _chunks(b"+5\r\nhello\r\n0\r\n\r\n"),
    "chunk of 0x size": _chunks(b"0x5\r\nhello\r\n0\r\n\r\n"),
    "chunk of no size": _chunks(b"\r\nhello\r\n0\r\n\r\n"),
    "chunk of overflowing size": _chunks(b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    "chunk size with space before": _chunks(b" 5\r\nhello\r\n0\r\n\r\n"),
    "chunk size with space behind": _chunks(b"5 \r\nhello\r\n0\r\n\r\n"),
    "chunk size with bare line feed": _chunks(b"5\nhello\r\n0\r\n\r\n"),
    "chunk size with bare carriage return": _chunks(b"5\rhello\r\n0\r\n\r\n"),
    "chunk data without line end": _chunks(b"5\r\nhello0\r\n\r\n"),
    "chunk data with bare line feed": _chunks(b"5\r\nhello\n0\r\n\r\n"),
    "chunk longer than its size": _chunks(b"3\r\nhello\r\n0\r\n\r\n"),
    "chunk extension with line feed": _chunks(b"5;a=\nb\r\nhello\r\n0\r\n\r\n"),
    "chunk extension with NUL": _chunks(b"5;a=\x00\r\nhello\r\n0\r\n\r\n"),
    "last chunk with bare line feeds": _chunks(b"5\r\nhello\r\n0\n\n"),
    "trailer with space before colon": _chunks(b"0\r\nX : y\r\n\r\n"),
    # Lines
    "bare line feed after the request line": b"GET /x HTTP/1.1\n" + HOST + b"\r\n",
    "bare line feed after a field": b"GET /x HTTP/1.1\r\nHost: hello.default\nX: y\r\n\r\n",
    "bare line feed at the end": b"GET /x HTTP/1.1\r\n" + HOST + b"\n",
    "bare carriage return in a field": _field(b"X: a\rTransfer-Encoding: chunked"),
    "NUL in a field": _field(b"X: a\x00b"),
    "control byte in a field": _field(b"X: a\x01b"),
    "DEL in a field": _field(b"X: a\x7fb"),
    "field without a name": _field(b": value"),
    "field without a colon": _field(b"Transfer-Encoding chunked"),
    "brackets in a name": _field(b"X[y]: z"),
    "byte above 127 in a name": _field(b"X\xff: z"),
    "folded field": _field(b"X: a\r\n b"),
    # Request line
    "no version": _line(b"GET /x"),
    "HTTP/0.9": _line(b"GET /x HTTP/0.9"),
    "HTTP/1.2": _line(b"GET /x HTTP/1.2"),
    "HTTP/2.0": _line(b"GET /x HTTP/2.0"),
    "HTTP/1.10": _line(b"GET /x HTTP/1.10"),
    "http in lower case": _line(b"GET /x http/1.1"),
    "space in the target": _line(b"GET /x y HTTP/1.1"),
    "tab in the request line": _line(b"GET\t/x HTTP/1.1"),
    "line feed in the target": _line(b"GET /x\ny HTTP/1.1"),
    "byte above 127 in the target": _line(b"GET /\xff HTTP/1.1"),
    "NUL in the target": _line(b"GET /\x00 HTTP/1.1"),
    "fragment in the target": _line(b"GET /x#y HTTP/1.1"),
    "target without a slash": _line(b"GET x HTTP/1.1"),
    "star for another method": _line(b"GET * HTTP/1.1"),
    "unknown method": _line(b"SMUGGLE /x HTTP/1.1"),
    "method in lower case": _line(b"get /x HTTP/1.1"),
    "CONNECT": _line(b"CONNECT hello.default:80 HTTP/1.1"),
    "foreign scheme": _line(b"GET ftp://hello.default/x HTTP/1.1"),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 50,
    "not HTTP": b"EHLO example.com\r\n\r\n",
    # Host
    "no Host": b"GET /x HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /x HTTP/1.1\r\n" + HOST + b"Host: other\r\n\r\n",
    "two equal Hosts": b"GET /x HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "Host with a path": b"GET /x HTTP/1.1\r\nHost: hello.default/x\r\n\r\n",
    "Host with a user": b"GET /x HTTP/1.1\r\nHost: a@hello.default\r\n\r\n",
    "Host with a space": b"GET /x HTTP/1.1\r\nHost: hello.default x\r\n\r\n",
    "Host with a quote": b'GET /x HTTP/1.1\r\nHost: hello.default"\r\n\r\n',
    "Host list": b"GET /x HTTP/1.1\r\nHost: hello.default, other\r\n\r\n",
    # Size
    "endless request line": b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "endless field": _field(b"X: " + b"a" * 200_000),
    "too many fields": b"GET /x HTTP/1.1\r\n" + HOST + b"".join(b"X-%d: y\r\n" % n for n in range(1000)) + b"\r\n",
    "unknown expectation": _post(b"Expect: 200-ok", b"Content-Length: 5", body=b"hello"),
}

ACCEPTED = {
    "plain": b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n",
    "counted": _post(b"Content-Length: 5", body=b"hello"),
    "counted with leading zero": _post(b"Content-Length: 05", body=b"hello"),
    "counted with spaces before": _post(b"Content-Length:   5", body=b"hello"),
    "chunked": _post(b"Transfer-Encoding: chunked", body=CHUNKED),
    "chunked in capitals": _post(b"TRANSFER-ENCODING: CHUNKED", body=CHUNKED),
    "chunked with extension": _post(b"Transfer-Encoding: chunked", body=b"5;a=b\r\nhello\r\n0\r\n\r\n"),
    "chunked with quoted extension": _post(b"Transfer-Encoding: chunked", body=b'5;a="b c"\r\nhello\r\n0\r\n\r\n'),
    "chunked with leading zeros": _post(b"Transfer-Encoding: chunked", body=b"0005\r\nhello\r\n0\r\n\r\n"),
    "chunked with trailer": _post(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\nX: y\r\n\r\n"),
    "a body that looks like a request": _post(b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED),
    "a chunk that looks like a request": _post(
        b"Transfer-Encoding: chunked", body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
    ),
    "GET with a body": b"GET /x HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello",
    "absolute target": b"GET http://hello.default/x HTTP/1.1\r\n" + HOST + b"\r\n",
    "empty line before": b"\r\nGET /x HTTP/1.1\r\n" + HOST + b"\r\n",
    "field without a value": _field(b"X:"),
    "value above 127": _field(b"X: \xff"),
    "three at once": (b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n") * 2 + _post(b"Content-Length: 5", body=b"hello"),
}
