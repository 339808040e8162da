"""Malformed and smuggling requests: refused or answered, and never out of step, hanging or deadly.

The cases are those of `tests/corpus/http`, one connection each. After each the same instance must answer a plain
request on a new connection.
"""

import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.http.corpus import CASES

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
LONG = 2_000
"""Bytes of a case above which it is not sent byte by byte."""
CODE = """
    async def handle(request):
        assert request.path != "/smuggled"
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
    """Statuses of the final responses in `data`, which must be nothing but whole responses."""
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
    return [status for status in found if status >= 200]


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


@pytest.mark.parametrize("name", list(CASES))
def test_a_malformed_request_is_refused_and_the_next_connection_served(instance, name):
    data, wanted = CASES[name].data, expected(CASES[name])
    assert statuses(_patient(instance, data, len(wanted))) == wanted
    assert statuses(_patient(instance, GET, 1)) == [200]


def test_a_target_longer_than_16_kib_is_told_as_that(instance):
    assert statuses(_patient(instance, b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 1)) == [414]


def expected(case):
    """The statuses of a case's answers."""
    return [200] * len(case.requests) + ([case.status] if case.status else [])


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


def test_a_case_ends_the_same_however_it_is_cut(instance):
    """Whole cases in one test: each is a hundred writes."""
    for name, case in CASES.items():
        if len(case.data) > LONG or not (case.requests or case.status):
            continue
        wanted = expected(case)
        with instance.connect() as sock:
            seen = b""
            try:
                for i in range(len(case.data)):
                    sock.sendall(case.data[i : i + 1])
                while piece := sock.recv(65536):
                    seen += piece
                    if _whole(seen) >= len(wanted):
                        break
            except OSError:
                pass
            got = statuses(seen) if seen else wanted
        assert got == wanted, name


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
    data = CASES[name].data
    at = min(at, len(data))
    statuses(exchange(instance, [GET * before, data[:at] + noise + data[at:]]))
    assert statuses(_patient(instance, GET, 1)) == [200]
