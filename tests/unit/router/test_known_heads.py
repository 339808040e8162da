"""Answers read through the memory of heads are the answers the parser reads."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from wick_api.function import parse
from wick_api.names import API_VERSION, KIND
from wick_router.backend import Instance
from wick_router.config import RouterConfig
from wick_router.proxy.client_connection import ClientConnection
from wick_router.proxy.data_plane import DataPlane
from wick_router.proxy.instance_connection import InstanceConnection

FUNCTION = parse(
    {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": "f", "namespace": "n"},
        "spec": {"image": "i", "concurrency": 10},
    }
)


class Backend:
    """Starts nothing."""

    async def run(self, sink):
        pass

    def activate(self, key):
        pass


class Wire:
    """A transport that records."""

    def __init__(self):
        self.wrote = b""
        self.closed = False

    def write(self, data):
        self.wrote += data

    def abort(self):
        self.closed = True

    close = write_eof = abort

    def is_closing(self):
        return self.closed

    def can_write_eof(self):
        return True

    def get_extra_info(self, name):
        return ("127.0.0.1", 1) if name == "peername" else None

    def set_write_buffer_limits(self, high):
        pass

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass


async def _converse(story, *, remembering):
    """What the client reads and whether each connection stayed open, answer by answer."""
    plane = DataPlane(RouterConfig(), Backend())
    plane.function(FUNCTION)
    plane.instances(FUNCTION.key, [Instance(id="a", host="127.0.0.1", port=1, revision="", ready=True)])
    await asyncio.sleep(0)
    endpoint = next(iter(plane.upstreams[FUNCTION.key].endpoints.values()))
    seen = []
    conn, upstream = None, Wire()
    for number, (method, answer, cut) in enumerate(story):
        if conn is None or not conn.open:
            conn, upstream = InstanceConnection(endpoint), Wire()
            conn.connection_made(upstream)
            endpoint.put(conn)
        client, wire = ClientConnection(plane, b"http", public=False), Wire()
        client.connection_made(wire)
        client.data_received(b"%b / HTTP/1.1\r\nHost: f.n\r\nX-Request-Id: r%d\r\n\r\n" % (method, number))
        for piece in (answer[:cut], answer[cut:]):
            if piece and conn.open:
                conn.data_received(piece)
        plane.outbox.flush()
        seen.append((wire.wrote, wire.closed, conn.open, upstream.closed))
        if client.exchange is not None:
            client.connection_lost(None)
        if not remembering:
            endpoint.known_heads.clear()
    for task in list(plane._tasks):
        task.cancel()
    return seen


BODIES = st.sampled_from([b"", b"x", b"hello", b"hello!", b"\r\n\r\n"])
LINES = st.sampled_from(
    [
        b"Content-Length: 5\r\n", b"Content-Length: 5\r\n", b"content-length: 05\r\n", b"Content-Length: 0\r\n",
        b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Connection: X-A\r\n", b"X-A: 1\r\n",
        b"Kubewick-Refused: failed\r\n", b"Kubewick-Refused: concurrency\r\n", b"Date: now\r\n", b"Bad Name: 1\r\n",
    ]
)  # fmt: skip
STATUS = st.sampled_from([b"200 OK", b"200 OK", b"204 None", b"304 Same", b"500 No", b"103 Early", b"429 Busy"])
VERSION = st.sampled_from([b"HTTP/1.1 ", b"HTTP/1.1 ", b"HTTP/1.0 "])
ANSWERS = st.builds(
    lambda version, status, lines, body: version + status + b"\r\n" + b"".join(lines) + b"\r\n" + body,
    VERSION,
    STATUS,
    st.lists(LINES, max_size=3),
    BODIES,
)
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nhello"
STORIES = st.lists(
    st.tuples(
        st.sampled_from([b"GET", b"GET", b"POST", b"HEAD"]),
        st.sampled_from([PLAIN, PLAIN, PLAIN[:-5], PLAIN + b"more"]) | ANSWERS,
        st.sampled_from([0, 0, 0, 10, 60]),
    ),
    max_size=8,
).map(lambda story: story + story)


@given(STORIES)
def test_answers_do_not_depend_on_what_was_remembered(story):
    assert asyncio.run(_converse(story, remembering=True)) == asyncio.run(_converse(story, remembering=False))


def test_a_repeated_plain_answer_is_passed_on_each_time():
    told = asyncio.run(_converse([(b"GET", PLAIN, 0)] * 3, remembering=True))
    assert [wrote.endswith(b"\r\n\r\nhello") for wrote, *_ in told] == [True] * 3


def _heads_and_bodies(*answers):
    """What the client read of each answer, after the head of a plain one was remembered."""
    story = [(b"GET", PLAIN, 0), (b"GET", PLAIN, 0), *((b"GET", answer, 0) for answer in answers)]
    return asyncio.run(_converse(story, remembering=True))[2:]


def test_a_refusal_is_never_passed_on_from_memory():
    refusal = PLAIN.replace(b"X-A: 1", b"Kubewick-Refused: failed").replace(b"200 OK", b"503 No")
    declined = refusal.replace(b"failed", b"concurrency")
    told = _heads_and_bodies(refusal, refusal, declined)
    assert [wrote.count(b"hello") for wrote, *_ in told] == [1, 1, 0], (
        "the instance's reason, twice, and a try elsewhere"
    )
    assert not any(b"Kubewick-Refused" in wrote for wrote, *_ in told)


def test_an_answer_that_ends_its_connection_ends_it_each_time():
    closing = PLAIN.replace(b"X-A: 1", b"Connection: close")
    old = PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0")
    told = _heads_and_bodies(closing, closing, old, old)
    assert [(wrote.endswith(b"hello"), instance_open) for wrote, _, instance_open, _ in told] == [(True, False)] * 4


def test_the_same_head_with_another_length_is_another_head():
    lengths = (5, 4, 5, 0, 5)
    told = _heads_and_bodies(*(PLAIN[:-5].replace(b"5", b"%d" % each) + b"hello"[:each] for each in lengths))
    bodies = [wrote.partition(b"\r\n\r\n") for wrote, *_ in told]
    assert [body for _, _, body in bodies] == [b"hello"[:each] for each in lengths]
    assert all(head.endswith(b"Content-Length: %d" % each) for each, (head, *_) in zip(lengths, bodies, strict=True))


def test_a_known_head_with_less_or_more_behind_it_is_read_as_it_is():
    (less, *_), (more, _, instance_open, _) = _heads_and_bodies(PLAIN[:-2], PLAIN + b"!")
    assert less.endswith(b"hel")
    assert (more.endswith(b"hello"), instance_open) == (True, False)
