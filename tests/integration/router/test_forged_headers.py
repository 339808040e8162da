"""What the platform's parts tell one another in headers comes from them alone; a caller's word goes no further."""

import pytest

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
FORGED = {
    b"kubewick-deadline-ms": b"86400000",
    b"Kubewick-Attempt": b"7",
    b"KUBEWICK-COLD-START": b"1",
    b"Kubewick-Refused": b"concurrency",
    b"kubewick-anything": b"x",
}
LINES = b"".join(b"%b: %b\r\n" % each for each in FORGED.items())


def told(head):
    """Kubewick's own fields of a head."""
    fields = [line.partition(b": ") for line in head.strip().split(b"\r\n")[1:]]
    return {name.lower(): value for name, _, value in fields if name.lower().startswith(b"kubewick")}


@pytest.fixture
async def seen(world):
    """What an instance is sent, heads and trailers apart from bodies."""
    heads = []

    async def script(connection):
        while True:
            heads.append(await connection.head())
            if b"chunked" in heads[-1]:
                heads.append(await connection.until(b"0\r\n"))
                heads.append(b"trailers\r\n" + await connection.head())
            connection.send(OK)

    await world.serve(script)
    return heads


async def test_an_instance_hears_the_router_s_deadline_attempt_and_start_whatever_the_caller_says(world, seen):
    _, answer, _ = await world.request(b"GET /function/default/hello/ HTTP/1.1\r\nHost: a\r\n" + LINES + b"\r\n")
    (head,) = seen
    assert told(head).keys() <= {b"kubewick-deadline-ms", b"kubewick-attempt", b"kubewick-cold-start"}
    assert int(told(head)[b"kubewick-deadline-ms"]) <= 60_000
    assert told(head)[b"kubewick-attempt"] == b"1"
    assert b"kubewick-refused" not in told(answer)


async def test_nor_is_it_told_in_a_trailer(world, seen):
    await world.request(
        b"POST /function/default/hello/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1\r\nx\r\n0\r\nX-Kept: yes\r\n" + LINES + b"\r\n"
    )
    *_, trailers = seen
    assert b"X-Kept: yes" in trailers
    assert told(trailers) == {}


@pytest.mark.parametrize("spelling", [b"Kubewick_Attempt", b"kubewick_deadline_ms"])
async def test_another_spelling_is_another_field(world, seen, spelling):
    await world.request(b"GET /function/default/hello/ HTTP/1.1\r\nHost: a\r\n" + spelling + b": 7\r\n\r\n")
    assert told(seen[0])[b"kubewick-attempt"] == b"1"
    assert int(told(seen[0])[b"kubewick-deadline-ms"]) <= 60_000
