"""Router and instance always agree on where a request ends, and what cannot be agreed on never reaches one."""

import asyncio
import os
import re
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.waiting import PATIENCE
from corpus.http.case import HELLO, HOST, SMUGGLED
from corpus.http.corpus import CASES, REFUSED, SERVED

LAST = b"GET /last HTTP/1.1\r\nHost: hello.default\r\nConnection: close\r\n\r\n"
SILENCE = 1.0
"""Seconds without a byte after which a server is taken to wait for more."""


async def read_all(port, data, silence=SILENCE):
    """What a server answers to these bytes, until it closes or falls silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    answer = b""
    try:
        writer.write(data)
        while piece := await asyncio.wait_for(reader.read(1 << 20), silence):
            answer += piece
    except (TimeoutError, OSError):
        pass
    writer.transport.abort()
    return answer


def final(answer):
    """Statuses of the answers that are not interim."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([2-5]\d\d) ", answer)]


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_no_clear_request_is_refused_and_reaches_no_instance(world, name):
    heads = []

    async def recording(connection):
        while True:
            heads.append(await connection.head())
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    await world.serve(recording)
    case = REFUSED[name]
    answer = await read_all(world.r.port, case.data)
    assert final(answer) == [200] * len(case.requests) + [case.router]
    await world.quiet()
    assert not any(b"/smuggled" in head for head in heads)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    """A real instance whose function says what it was asked."""
    folder = tmp_path_factory.mktemp("echo")
    (folder / "main.py").write_text(
        "def handle(request):\n    return f'<{request.method} {request.target.decode()} {request.body.hex()}>'\n"
    )
    return folder


@pytest.fixture
async def pair(world, runtime):
    """A router in front of the instance; the ports of both."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KUBEWICK_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "wick_runtime",
        env=environment
        | {"PORT": "0", "KUBEWICK_CONTROL_PORT": "0", "KUBEWICK_CODE": str(runtime), "KUBEWICK_CONCURRENCY": "100"},
        stderr=asyncio.subprocess.STDOUT,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        while not (found := re.search(rb"port (\d+), control port", await process.stdout.readline())):
            pass
    port = int(found.group(1))
    await world.router()
    world.instances(_instance(port))
    await world.eventually(world.lane.dispatch.serving)
    yield world.r.port, port
    process.terminate()
    await process.wait()


def _instance(port):
    from wick_router.backend import Instance

    return Instance(id="runtime", host="127.0.0.1", port=port, revision="r", ready=False)


async def both(pair, data, silence=SILENCE):
    """The function's own words on the same bytes, through the router and without it."""
    through, direct = await asyncio.gather(*(read_all(port, data + LAST, silence) for port in pair))
    # a router forwards the origin form (RFC 9112, 3.2.1)
    direct = re.sub(rb"(?i) http://hello\.default/", b" /", direct)
    return [re.findall(rb"<[^>]*>", answer) for answer in (through, direct)]


async def of_all(pair, cases, silence=SILENCE):
    """`both` for every case, some at a time."""
    limit = asyncio.Semaphore(16)

    async def one(data):
        async with limit:
            return await both(pair, data, silence)

    return dict(zip(cases, await asyncio.gather(*map(one, cases.values())), strict=True))


def agree(through, direct):
    """One may refuse earlier than the other; what both accepted is the same."""
    count = min(len(through), len(direct))
    return through[:count] == direct[:count]


async def test_router_and_runtime_read_every_case_the_same_way(pair):
    for name, (through, direct) in (await of_all(pair, bytes_of(CASES))).items():
        assert agree(through, direct), name


async def test_what_is_accepted_arrives_whole(pair):
    whole = {name: case for name, case in SERVED.items() if case.goes_on}
    for name, (through, direct) in (await of_all(pair, bytes_of(whole), silence=20.0)).items():
        wanted = [f"<{r.method} {r.target} {r.body.hex()}>".encode() for r in SERVED[name].requests]
        assert through == direct == [*wanted, b"<GET /last >"], name


def bytes_of(cases):
    return {name: case.data for name, case in cases.items()}


PIECES = st.sampled_from(
    [
        b"GET /a HTTP/1.1\r\n", b"POST /b HTTP/1.1\r\n", HOST,
        b"\r\n", b"\n", b"\r", b" ", b"\t", b"\x00",
        b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length: 11\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: identity\r\n", b"Connection: close\r\n", b"Connection: keep-alive, content-length\r\n",
        b"Connection: transfer-encoding\r\n", b"Connection: upgrade\r\nUpgrade: x\r\n", b"Expect: 100-continue\r\n",
        b"hello", b"5\r\nhello\r\n", b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", HELLO, SMUGGLED,
        b"HTTP/1.0\r\n", b"TE: trailers\r\n",
        b"POST /c HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello",
        b"POST /d HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + HELLO,
        b"GET /e HTTP/1.0\r\nConnection: keep-alive\r\n" + HOST + b"\r\n",
    ]
)  # fmt: skip


async def test_router_and_runtime_agree_on_any_mixture(pair):
    """Hypothesis draws, the loop of this test sends; forty mixtures a run."""
    drawn = []

    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(PIECES, min_size=2, max_size=9).map(b"".join))
    def draw(data):
        drawn.append(data)

    draw()
    for data, (through, direct) in (await of_all(pair, {data: data for data in drawn})).items():
        assert agree(through, direct), data
