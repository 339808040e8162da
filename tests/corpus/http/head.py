"""Request lines, fields and hosts (RFC 9112, 2 to 5; RFC 9110, 5 and 7.2), and what cannot be told from HTTP."""

from corpus.http.case import GET, HELLO, HOST, SMUGGLED, Request, get, post, posted, refused, served, unfinished


def _line(line: bytes) -> bytes:
    return line + b"\r\n" + HOST + b"\r\n"


def _host(value: bytes) -> bytes:
    return b"GET /x HTTP/1.1\r\nHost:" + value + b"\r\n\r\n"


LINES = {
    "bare line feed after the request line": refused(b"GET /x HTTP/1.1\n" + HOST + b"\r\n"),
    "bare line feed after a field": refused(b"GET /x HTTP/1.1\r\nHost: hello.default\nX: y\r\n\r\n"),
    "bare line feed at the end": refused(b"GET /x HTTP/1.1\r\n" + HOST + b"\n"),
    "bare carriage return after the request line": refused(b"GET /x HTTP/1.1\r" + HOST + b"\r\n"),
    "bare carriage return in a field": refused(get(b"X: a\rTransfer-Encoding: chunked")),
    "NUL in a field": refused(get(b"X: a\x00b")),
    "NUL in a name": refused(get(b"X\x00: a")),
    "control byte in a field": refused(get(b"X: a\x01b")),
    "vertical tab behind a field": refused(get(b"X: a\x0b")),
    "DEL in a field": refused(get(b"X: a\x7fb")),
    "field without a name": refused(get(b": value")),
    "field without a colon": refused(get(b"Transfer-Encoding chunked")),
    "space in a name": refused(get(b"X y: z")),
    "space before the colon": refused(get(b"X : z")),
    "brackets in a name": refused(get(b"X[y]: z")),
    "byte above 127 in a name": refused(get(b"X\xff: z")),
    "folded field": refused(get(b"X: a\r\n b")),
    "space before the first field": refused(b"GET /x HTTP/1.1\r\n Host: hello.default\r\n\r\n"),
    "good, then garbage": refused(GET + b"\x00\x01\x02\r\n\r\n", after=(Request(),)),
    "good, then two lengths": refused(
        GET + post(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED),
        after=(Request(),),
    ),
    "field without a value": served(get(b"X:")),
    "value above 127": served(get(b"X: \xe4\xff")),
    "empty line before": served(b"\r\n" + GET),
    "empty lines before": served(b"\r\n\r\n" + GET),
    "empty line between": served(
        post(b"Content-Length: 5", body=b"hello") + b"\r\n" + GET, posted(b"hello"), Request()
    ),
    "nothing at all": unfinished(b""),
    "half a request line": unfinished(b"GET / HT"),
    "half a head": unfinished(GET[:-2]),
}
REQUEST_LINES = {
    "no version": refused(_line(b"GET /x"), 505),
    "HTTP/0.9": refused(_line(b"GET /x HTTP/0.9"), 505),
    "HTTP/1.2": refused(_line(b"GET /x HTTP/1.2")),
    "HTTP/2.0": refused(_line(b"GET /x HTTP/2.0"), 505),
    "HTTP/3.0": refused(_line(b"GET /x HTTP/3.0")),
    "HTTP/1.10": refused(_line(b"GET /x HTTP/1.10")),
    "http in lower case": refused(_line(b"GET /x http/1.1")),
    "space in the target": refused(_line(b"GET /x y HTTP/1.1")),
    "tab in the request line": refused(_line(b"GET\t/x HTTP/1.1")),
    "line feed in the target": refused(_line(b"GET /x\ny HTTP/1.1")),
    "byte above 127 in the target": refused(_line(b"GET /\xff HTTP/1.1")),
    "NUL in the target": refused(_line(b"GET /\x00 HTTP/1.1")),
    "fragment in the target": refused(_line(b"GET /x#y HTTP/1.1")),
    "target without a slash": refused(_line(b"GET x HTTP/1.1")),
    "star for another method": refused(_line(b"GET * HTTP/1.1")),
    "foreign scheme": refused(_line(b"GET ftp://hello.default/x HTTP/1.1")),
    "unknown method": refused(_line(b"SMUGGLE /x HTTP/1.1")),
    "method in lower case": refused(_line(b"get /x HTTP/1.1")),
    "CONNECT to an authority": refused(_line(b"CONNECT hello.default:80 HTTP/1.1"), 501),
    "CONNECT to a path": refused(_line(b"CONNECT /x HTTP/1.1"), 501),
    "CONNECT to a URL": refused(_line(b"CONNECT http://hello.default/x HTTP/1.1"), 501),
    "CONNECT with a body": refused(
        b"CONNECT /x HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED, 501
    ),
    "CONNECT behind a request": refused(GET + _line(b"CONNECT /x HTTP/1.1") + SMUGGLED, 501, after=(Request(),)),
    "HTTP/2 preface": refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "TLS hello": refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 50),
    "not HTTP": refused(b"EHLO example.com\r\n\r\n"),
    "an answer": refused(b"HTTP/1.1 200 OK\r\n\r\n"),
    "plain": served(GET),
    "two spaces after the method": served(_line(b"GET  /x HTTP/1.1")),
    "two spaces before the version": served(_line(b"GET /x  HTTP/1.1")),
    "absolute target": served(_line(b"GET http://hello.default/x HTTP/1.1")),
    "absolute target in capitals": served(_line(b"GET HTTP://hello.default/x HTTP/1.1")),
    "HTTP/1.0": unfinished(_line(b"GET /x HTTP/1.0"), Request()),
    "three at once": served(
        GET * 2 + post(b"Content-Length: 5", body=b"hello"), Request(), Request(), posted(b"hello")
    ),
}
HOSTS = {
    "no Host": refused(b"GET /x HTTP/1.1\r\n\r\n"),
    "two Hosts": refused(get(b"Host: other")),
    "two equal Hosts": refused(get(HOST[:-2])),
    "Host with a path": refused(_host(b" hello.default/x")),
    "Host with a user": refused(_host(b" a@hello.default")),
    "Host with a space": refused(_host(b" hello.default x")),
    "Host with a tab": refused(_host(b" hello.default\tx")),
    "Host with a quote": refused(_host(b' hello.default"')),
    "Host with a byte above 127": refused(_host(b" hello.d\xe9fault")),
    "Host with two ports": refused(_host(b" hello.default:80:80")),
    "Host with a port that is no number": refused(_host(b" hello.default:http")),
    "Host list": refused(_host(b" hello.default, other")),
    "Host with a space in HTTP/1.0": refused(b"GET /x HTTP/1.0\r\nHost: hello default\r\n\r\n"),
    "Host with a port": served(_host(b" hello.default:8080")),
    "Host with an empty port": served(_host(b" hello.default:")),
    "Host in capitals": served(_host(b" HELLO.default")),
}
WHITE_SPACE = {
    "spaces around a length": served(post(b"Content-Length:   5  ", body=b"hello") + GET, posted(b"hello"), Request()),
    "tabs around a length": served(post(b"Content-Length:\t5\t", body=b"hello") + GET, posted(b"hello"), Request()),
    "no space before a length": served(post(b"Content-Length:5", body=b"hello"), posted(b"hello")),
    "spaces around a coding": served(
        post(b"Transfer-Encoding:  chunked  ", body=HELLO) + GET, posted(b"hello"), Request()
    ),
    "tab before a coding": served(post(b"Transfer-Encoding:\tchunked", body=HELLO), posted(b"hello")),
    "spaces around a Host": served(_host(b"   hello.default  ")),
    "tabs around a Host": served(_host(b"\thello.default\t")),
    "spaces around an expectation": served(
        post(b"Expect:  100-continue  ", b"Content-Length: 5", body=b"hello"), posted(b"hello")
    ),
    "spaces around Connection": unfinished(get(b"Connection:  close  ") + SMUGGLED, Request()),
    "value of white space": served(get(b"X: \t ")),
}
LIMITS = {
    "endless request line": refused(_line(b"GET /" + b"a" * 200_000 + b" HTTP/1.1"), 431),
    "endless field": refused(get(b"X: " + b"a" * 200_000), 431),
    "too many fields": refused(get(*(b"X-%d: y" % n for n in range(1000))), 431),
    "unknown expectation": refused(post(b"Expect: 200-ok", b"Content-Length: 5", body=b"hello"), 417),
}
CASES = {**LINES, **REQUEST_LINES, **HOSTS, **WHITE_SPACE, **LIMITS}
