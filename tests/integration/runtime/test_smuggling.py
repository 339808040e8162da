"""Malformed and smuggling requests: refused or answered, and never out of step, hanging or deadly.

Every case is one connection: its bytes, then the statuses of the answers it must get, in order. After each the same
instance must answer a plain request on a new connection. The contract between the two parsers is that the same cases
hold for both.
"""

import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: a\r\n"
SNEAK = b"GET /sneaked HTTP/1.1\r\nHost: a\r\n\r\n"

CASES = {
    # framing
    "both lengths": (POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", [400]),
    "both lengths, other order": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nG", [400]),
    "two lengths that differ": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", [400]),
    "two lengths that agree": (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na", [400]),
    "a list of lengths": (POST + b"Content-Length: 1, 1\r\n\r\na", [400]),
    "a signed length": (POST + b"Content-Length: +1\r\n\r\na", [400]),
    "a negative length": (POST + b"Content-Length: -1\r\n\r\na", [400]),
    "a length in hex": (POST + b"Content-Length: 0x1\r\n\r\na", [400]),
    "an empty length": (POST + b"Content-Length:\r\n\r\na", [400]),
    "a length of 30 digits": (POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\na", [400]),
    "a length with a space inside": (POST + b"Content-Length: 1 2\r\n\r\na", [400]),
    "a length with an underscore": (POST + b"Content-Length: 1_0\r\n\r\n0123456789", [400]),
    "a length with a fraction": (POST + b"Content-Length: 1.0\r\n\r\na", [400]),
    "an unknown coding": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", [400]),
    "chunked twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", [400]),
    "chunked in two headers": (POST + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n", [400]),
    "chunked not last": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", [400]),
    "a coding before chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", [400]),
    "identity": (POST + b"Transfer-Encoding: identity\r\n\r\n", [400]),
    "an empty coding": (POST + b"Transfer-Encoding:\r\n\r\n", [400]),
    "a coding with a tab inside": (POST + b"Transfer-Encoding: chun\tked\r\n\r\n0\r\n\r\n", [400]),
    "a coding after a vertical tab": (POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n", [400]),
    "a quoted coding": (POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n', [400]),
    "chunked in HTTP/1.0": (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
    "a coding with a space before the colon": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", [400]),
    "a length with a space before the colon": (POST + b"Content-Length : 1\r\n\r\na", [400]),
    "a folded coding": (POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", [400]),
    "a folded header": (POST + b"A: b\r\n c\r\n\r\n", [400]),
    "a header that begins with a space": (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", [400]),
    # chunks
    "a chunk size that is no number": (CHUNKED + b"zz\r\n\r\n", [400]),
    "a chunk size in 0x": (CHUNKED + b"0x1\r\na\r\n0\r\n\r\n", [400]),
    "a negative chunk size": (CHUNKED + b"-1\r\na\r\n0\r\n\r\n", [400]),
    "a signed chunk size": (CHUNKED + b"+1\r\na\r\n0\r\n\r\n", [400]),
    "an empty chunk size": (CHUNKED + b"\r\na\r\n0\r\n\r\n", [400]),
    "a chunk size of 20 digits": (CHUNKED + b"f" * 20 + b"\r\na", [400]),
    "a chunk longer than it says": (CHUNKED + b"1\r\nab\r\n0\r\n\r\n", [400]),
    "a chunk shorter than it says": (CHUNKED + b"5\r\nab\r\n0\r\n\r\n" + SNEAK, [400]),
    "a bare LF after a chunk size": (CHUNKED + b"1\na\r\n0\r\n\r\n", [400]),
    "a bare LF after a chunk": (CHUNKED + b"1\r\na\n0\r\n\r\n", [400]),
    "a bare CR in a chunk extension": (CHUNKED + b"1;a\rb\r\na\r\n0\r\n\r\n", [400]),
    "a NUL in a chunk extension": (CHUNKED + b"1;a\0\r\na\r\n0\r\n\r\n", [400]),
    "a broken trailer": (CHUNKED + b"0\r\na b\r\n\r\n", [400]),
    "a length in the trailers": (CHUNKED + b"0\r\nContent-Length: 5\r\n\r\nabcde", [400]),
    "a coding in the trailers": (CHUNKED + b"0\r\nTransfer-Encoding: chunked\r\n\r\n", [400]),
    # lines
    "a bare LF after the request line": (b"GET / HTTP/1.1\nHost: a\r\n\r\n", [400]),
    "a bare LF after a header": (b"GET / HTTP/1.1\r\nHost: a\n\r\n", [400]),
    "a bare LF at the end": (b"GET / HTTP/1.1\r\nHost: a\r\n\n", [400]),
    "a bare CR in a header": (b"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", [400]),
    "a bare CR after the request line": (b"GET / HTTP/1.1\rHost: a\r\n\r\n", [400]),
    "a NUL in a header": (b"GET / HTTP/1.1\r\nHost: a\r\nB: \0\r\n\r\n", [400]),
    "a NUL in a header's name": (b"GET / HTTP/1.1\r\nHost: a\r\nB\0: c\r\n\r\n", [400]),
    "a header without a colon": (b"GET / HTTP/1.1\r\nHost: a\r\nB\r\n\r\n", [400]),
    "a header without a name": (b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", [400]),
    "a space in a header's name": (b"GET / HTTP/1.1\r\nHost: a\r\nB c: d\r\n\r\n", [400]),
    "a control character in a value": (b"GET / HTTP/1.1\r\nHost: a\r\nB: \x01\r\n\r\n", [400]),
    "a DEL in a value": (b"GET / HTTP/1.1\r\nHost: a\r\nB: \x7f\r\n\r\n", [400]),
    # the request line
    "two spaces after the method": (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", [200]),
    "two spaces before the version": (b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", [200]),
    "a tab for a space": (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "no version": (b"GET /\r\nHost: a\r\n\r\n", [400, 505]),
    "a version of two digits": (b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", [400]),
    "another version": (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", [400]),
    "HTTP/2 in the clear": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
    "HTTP/2.0": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", [505]),
    "lower case HTTP": (b"GET / http/1.1\r\nHost: a\r\n\r\n", [400]),
    "an unknown method": (b"FROB / HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "a method in lower case": (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "a NUL in the target": (b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "a target that is no path": (b"GET x HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "CONNECT": (b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", [501]),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 40, [400]),
    "a response": (b"HTTP/1.1 200 OK\r\n\r\n", [400]),
    # hosts
    "no host": (b"GET / HTTP/1.1\r\n\r\n", [400]),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", [400]),
    "the same host twice": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", [400]),
    # what must go on
    "another expectation": (POST + b"Content-Length: 1\r\nExpect: miracles\r\n\r\na", [417]),
    "a target that is too long": (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", [414]),
    "good, then garbage": (GET + b"\x00\x01\x02\r\n\r\n", [200, 400]),
    "good, then both lengths": (
        GET + POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SNEAK, [200, 400],
    ),
    "empty lines before a request": (b"\r\n\r\n" + GET, [200]),
    "a GET with a body": (b"GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + GET, [200, 200]),
    "a body that looks like a request": (POST + b"Content-Length: %d\r\n\r\n" % len(SNEAK) + SNEAK + GET, [200, 200]),
    "an upgrade nobody offers": (
        b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n" + GET, [200, 200],
    ),
    "an upgrade with a body": (
        POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n" % len(SNEAK) + SNEAK, [400],
    ),
    "high bytes in a value": (b"GET /x HTTP/1.1\r\nHost: a\r\nB: \xe4\xff\r\n\r\n", [200]),
    "an absolute target": (b"GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n", [200]),
    "every chunk a byte": (
        CHUNKED + b"1\r\na\r\n" * 100 + b"0\r\n\r\n" + GET, [200, 200],
    ),
    "chunk sizes with zeros before them": (
        CHUNKED + b"0003\r\nabc\r\n000\r\n\r\n" + GET, [200, 200],
    ),
    "coding names in any case": (POST + b"Transfer-Encoding: CHUNKED\r\n\r\n1\r\na\r\n0\r\n\r\n", [200]),
    "nothing at all": (b"", []),
    "half a request": (b"GET / HT", []),
    "half a body": (POST + b"Content-Length: 10\r\n\r\nabc", []),
}  # fmt: skip

CODE = """
    async def handle(request):
        assert request.path != "/sneaked"
        return request.path + " " + request.body.decode("latin-1")
"""
VARIANTS = ("uvloop-httptools", "asyncio-python")


def exchange(instance, pieces):
    """Send the pieces, say that no more comes, and read to the end."""
    with instance.connect() as sock:
        try:
            for piece in pieces:
                sock.sendall(piece)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        data = b""
        try:
            while piece := sock.recv(65536):
                data += piece
        except ConnectionResetError:
            pass
        return data


def statuses(data):
    """Statuses of the responses in `data`, which must be nothing but whole responses."""
    found = []
    while data:
        head, end, rest = data.partition(b"\r\n\r\n")
        assert end, f"not a whole head: {data!r}"
        assert head.startswith(b"HTTP/1.1 "), f"out of step: {data!r}"
        found.append(int(head[9:12]))
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = int(lengths[0].split(b":")[1]) if lengths else 0
        assert len(rest) >= length
        data = rest[length:]
    return found


@pytest.fixture(scope="module", params=VARIANTS)
def instance(request, tmp_path_factory, launch):
    from textwrap import dedent

    folder = tmp_path_factory.mktemp("smuggling")
    (folder / "code").mkdir()
    (folder / "code" / "main.py").write_text(dedent(CODE))
    loop, parser = request.param.split("-")
    instance = launch(folder, {"KUBEWICK_LOOP": loop, "KUBEWICK_PARSER": parser, "KUBEWICK_CONCURRENCY": "1000"})
    yield instance
    instance.stop()


def test_there_are_enough_cases():
    assert len(CASES) >= 60


@pytest.mark.parametrize("name", list(CASES))
def test_a_malformed_request_is_refused_and_the_next_connection_served(instance, name):
    data, expected = CASES[name]
    got = statuses(_patient(instance, data, len(expected)))
    assert got == expected or (expected == [400, 505] and got in ([400], [505])), got
    assert statuses(_patient(instance, GET, 1)) == [200]


def _patient(instance, data, count):
    """Send `data` and read until as many answers as expected came, or the connection ended."""
    with instance.connect() as sock:
        sock.sendall(data)
        if not count:
            sock.settimeout(0.2)
        seen = b""
        try:
            while piece := sock.recv(65536):
                seen += piece
                if count and _whole(seen) >= count and statuses(seen)[-1] == 200:
                    break
        except (ConnectionResetError, TimeoutError):
            assert not count or _whole(seen) >= count, f"hangs after {seen!r}"
        return seen


def _whole(data):
    try:
        return len(statuses(data))
    except AssertionError:
        return 0


@pytest.mark.parametrize("name", list(CASES))
def test_a_case_ends_the_same_however_it_is_cut(instance, name):
    data, expected = CASES[name]
    if len(data) > 2000 or not expected:
        return
    with instance.connect() as sock:
        seen = b""
        try:
            for i in range(len(data)):
                sock.sendall(data[i : i + 1])
            while piece := sock.recv(65536):
                seen += piece
                if _whole(seen) >= len(expected):
                    break
        except OSError:
            pass
        got = statuses(seen) if seen else expected
    assert got == expected or (expected == [400, 505] and got in ([400], [505])), got


good = st.builds(
    lambda method, path, body, how: (method, path, body, how),
    st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE"]),
    st.integers(0, 9999),
    st.binary(max_size=40),
    st.sampled_from(["length", "chunked", "bytes"]),
)


def encoded(request):
    method, path, body, how = request
    head = b"%b /%d HTTP/1.1\r\nHost: a\r\n" % (method, path)
    if how == "length":
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    parts = [body] if how == "chunked" else [body[i : i + 1] for i in range(len(body))]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=st.lists(good, min_size=1, max_size=8), cuts=st.lists(st.integers(1, 60), min_size=1, max_size=30))
def test_pipelines_cut_anywhere_are_answered_one_to_one(instance, requests, cuts):
    data = b"".join(map(encoded, requests))
    pieces, at, turn = [], 0, 0
    while at < len(data):
        size = cuts[turn % len(cuts)]
        pieces.append(data[at : at + size])
        at, turn = at + size, turn + 1
    with instance.connect() as sock:
        for piece in pieces:
            sock.sendall(piece)
        file = sock.makefile("rb")
        for _, path, body, _ in requests:
            assert file.readline().startswith(b"HTTP/1.1 200 ")
            length = 0
            while (line := file.readline()) != b"\r\n":
                if line.startswith(b"content-length"):
                    length = int(line.split(b":")[1])
            assert file.read(length).decode().encode("latin-1") == b"/%d " % path + body
        file.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(list(CASES)), at=st.integers(0, 200), noise=st.binary(max_size=4), before=st.integers(0, 3))
def test_mutated_cases_never_hang_or_kill_it(instance, name, at, noise, before):
    data = CASES[name][0]
    at = min(at, len(data))
    statuses(exchange(instance, [GET * before, data[:at] + noise + data[at:]]))
    assert statuses(_patient(instance, GET, 1)) == [200]
