"""Writes of one turn of the loop are gathered; each peer gets its bytes in order, whatever happens between."""

from hypothesis import given
from hypothesis import strategies as st

from wick_router.proxy.corked_writer import MUCH, Outbox, Outlet

PEERS = 3
PEER = st.integers(0, PEERS - 1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), PEER, st.sampled_from([1, 5, MUCH - 1, MUCH, 3 * MUCH])),
        st.tuples(st.sampled_from(["flush", "close"]), PEER),
        st.tuples(st.just("turn")),
    ),
    max_size=30,
)


class Socket:
    """What the kernel was given, one write after the other."""

    def __init__(self):
        self.writes, self.closing = [], False

    def write(self, data):
        assert not self.closing
        self.writes.append(data)

    def is_closing(self):
        return self.closing


class Loop:
    """Keeps what is due in the next turn."""

    def __init__(self):
        self.due = []

    def call_soon(self, call):
        self.due.append(call)

    def turn(self):
        due, self.due = self.due, []
        for call in due:
            call()


def outlets():
    loop = Loop()
    outbox = Outbox(loop)
    made = [Outlet(outbox) for _ in range(PEERS)]
    for outlet in made:
        outlet.transport = Socket()
    return loop, made


def letters():
    """Bytes that tell what was lost or came twice: each next letter another one."""
    number = 0
    while True:
        yield bytes([number % 251])
        number += 1


@given(STEPS)
def test_each_peer_gets_what_was_written_in_order(steps):
    loop, made = outlets()
    letter = letters()
    wanted, waiting = [b""] * PEERS, [b""] * PEERS
    for what, *more in steps:
        if what == "turn":
            loop.turn()
            wanted, waiting = [a + b for a, b in zip(wanted, waiting, strict=True)], [b""] * PEERS
            assert [b"".join(each.transport.writes) for each in made] == wanted
            continue
        peer, outlet = more[0], made[more[0]]
        if outlet.transport.closing:
            continue
        if what == "write":
            data = next(letter) * more[1]
            outlet.write(data)
            waiting[peer] += data
            if len(waiting[peer]) >= MUCH:
                wanted[peer], waiting[peer] = wanted[peer] + waiting[peer], b""
        else:
            outlet.flush()
            wanted[peer] += waiting[peer]
            waiting[peer] = b""
            outlet.transport.closing = what == "close"
        assert b"".join(outlet.transport.writes) == wanted[peer], "much, and what is flushed, goes at once"


@given(st.lists(PEER, min_size=1, max_size=20))
def test_a_turn_writes_once_to_each_peer_and_asks_for_one_more_turn_at_most(peers):
    loop, made = outlets()
    for peer in peers:
        made[peer].write(b"x")
    assert len(loop.due) == 1
    loop.turn()
    assert [len(each.transport.writes) for each in made] == [int(peer in peers) for peer in range(PEERS)]
    assert loop.due == []


def test_nothing_is_written_to_a_socket_that_closed_meanwhile():
    loop, made = outlets()
    made[0].write(b"late")
    made[0].transport.closing = True
    loop.turn()
    assert made[0].transport.writes == []
