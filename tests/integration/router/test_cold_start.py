"""From zero, through trouble, to an answer; or to a reason at once."""

import asyncio
import json
from datetime import UTC, datetime

import aiohttp
import pytest
from static import function

from wick_api.function import parse
from wick_api.names import Key
from wick_api.reason import Reason
from wick_kube.cluster import Cluster
from wick_kube.resource import FUNCTIONS
from wick_operator.autoscaler.cold_starts import ColdStarts
from wick_operator.leader.fenced_writer import FencedWriter

GET = b"GET /function/default/hello/x HTTP/1.1\r\nHost: any\r\n\r\n"
POST = b"POST /function/default/hello HTTP/1.1\r\nHost: a\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HELLO = Key("default", "hello")


def error(body):
    return json.loads(body)["error"]


def counting(most, all_run=None):
    """A script that notes how many ran at once, and answers once `all_run` is set."""
    running = 0

    async def script(connection):
        nonlocal running
        while True:
            await connection.head()
            running += 1
            most.append(running)
            if all_run:
                await all_run.wait()
            running -= 1
            connection.send(OK)

    return script


async def test_a_function_in_an_excluded_namespace_is_refused_at_once_and_says_why(world):
    await world.router(function("hello"), excluded_namespaces=("default",))
    for _ in range(2):
        status, head, body = await world.request(GET)
        assert status == 503
        assert b"\r\nRetry-After: " in head
        assert error(body)["reason"] == "NamespaceExcluded"
        assert "namespace default (excludedNamespaces)" in error(body)["message"]
        world.later(30)
    assert world.backend.activations == []


async def test_the_first_request_activates_and_is_carried_by_the_connection_that_proved_ready(world):
    await world.router()
    client = await world.client()
    client.send(GET)
    await world.eventually(lambda: world.backend.activations == [HELLO])
    upstream = await world.upstream(counting([]))
    world.instances(upstream.instance(ready=False, origin="warm-pool", phases=(("claim", 8.0),)))
    status, head, _ = await client.answer()
    assert status == 200
    assert b"\r\nKubewick-Cold-Start: " in head
    assert b"claim;dur=8.0" in head
    assert len(upstream.connections) == 1
    assert world.lane.cold_starts["warm-pool"].count == 1
    assert b"first-byte;dur=" in head
    assert {name: found.count for name, found in world.lane.phases.items()} == {
        "activate": 1,
        "claim": 1,
        "first-byte": 1,
    }


async def test_many_requests_at_zero_activate_once_and_keep_to_the_capacity(world):
    await world.router(function("hello", concurrency=1))
    clients = [await world.client() for _ in range(60)]
    for client in clients:
        client.send(GET)
    await world.eventually(lambda: len(world.lane.dispatch.queue) == 60)
    assert world.backend.activations == [HELLO]
    most, all_run = [[], [], []], asyncio.Event()
    upstreams = [await world.upstream(counting(each, all_run)) for each in most]
    world.instances(*(upstream.instance(f"i{n}", ready=False) for n, upstream in enumerate(upstreams)))
    await world.eventually(lambda: all(most))  # each of the three has a request
    all_run.set()
    assert [(await client.answer())[0] for client in clients] == [200] * 60
    assert max(map(max, most)) == 1
    await world.quiet()


async def test_a_new_address_is_dialled_until_it_listens(world):
    await world.router()
    held, instance = world.closed(ready=False)
    client = await world.client()
    client.send(GET)
    world.instances(instance)
    await world.rounds(2)  # so that it has been refused
    await world.upstream(counting([]), held)
    assert (await client.answer())[0] == 200


async def test_a_body_survives_the_wait_byte_for_byte(world):
    await world.router(function("hello", maxRequestBytes=10**8), queue_bytes=1 << 20)
    body = bytes(range(256)) * 16384
    client = await world.client()
    client.send(POST + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    await world.eventually(lambda: world.lane.buffered > 1 << 20)
    held = world.lane.buffered
    await asyncio.sleep(0.05)
    assert world.lane.buffered == held < 3 << 20
    got = asyncio.get_running_loop().create_future()

    async def script(connection):
        await connection.head()
        got.set_result(await connection.exactly(len(body)))
        connection.send(OK)

    world.instances((await world.upstream(script)).instance(ready=False))
    assert (await client.answer())[0] == 200
    assert got.result() == body
    await world.quiet()


async def test_a_failure_is_told_to_everyone_who_waits_at_once(world):
    await world.router()
    clients = [await world.client() for _ in range(20)]
    for client in clients:
        client.send(GET)
    await world.eventually(lambda: len(world.lane.dispatch.queue) == 20)
    world.r.plane.failed(HELLO, Reason.IMAGE_PULL, "image example/none:1 does not exist")
    for client in clients:
        status, head, body = await client.answer()
        assert status == 503
        assert b"Retry-After" in head
        assert error(body)["code"] == "cannot-start"
        assert error(body)["reason"] == "ImagePull"
        assert error(body)["message"] == "image example/none:1 does not exist"
        assert error(body)["function"] == "default/hello"
    assert (await world.request(GET))[0] == 503
    await world.quiet()


async def test_a_request_past_its_deadline_in_the_queue_gets_504(world):
    await world.router(function("hello", timeout="100ms"))
    status, _, body = await world.request(GET)
    assert (status, error(body)["code"]) == (504, "deadline")
    await world.quiet()


async def test_a_request_past_its_deadline_at_the_instance_gets_504(world):
    async def never(connection):
        await connection.head()
        await asyncio.sleep(30)

    await world.router(function("hello", timeout="100ms"))
    world.instances((await world.upstream(never)).instance())
    assert (await world.request(GET))[0] == 504
    await world.quiet()


async def test_an_answer_past_its_deadline_is_broken_off(world):
    async def slow(connection):
        await connection.head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        await asyncio.sleep(30)

    await world.router(function("hello", timeout="60s"))
    world.instances((await world.upstream(slow)).instance())
    client = await world.client()
    client.send(GET)
    await client.head()
    world.later(61)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await client.exactly(9)
    await world.quiet()


async def test_a_full_queue_refuses_with_retry_after(world):
    await world.router(queue=2)
    clients = [await world.client() for _ in range(2)]
    for client in clients:
        client.send(GET)
    await world.eventually(lambda: len(world.lane.dispatch.queue) == 2)
    status, head, body = await world.request(GET)
    assert (status, error(body)["code"]) == (503, "queue-full")
    assert b"Retry-After: 1" in head


async def test_a_client_that_leaves_while_queued_frees_its_place(world):
    await world.router()
    clients = [await world.client() for _ in range(3)]
    for client in clients:
        client.send(GET)
    await world.eventually(lambda: len(world.lane.dispatch.queue) == 3)
    await clients[0].close()
    clients[1].reset()
    await world.eventually(lambda: len(world.lane.dispatch.queue) == 1)


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_client_that_leaves_while_served_frees_its_slot(world, how):
    async def never(connection):
        await connection.head()
        await asyncio.sleep(30)

    await world.serve(never)
    client = await world.client()
    client.send(GET)
    await world.eventually(lambda: world.lane.dispatch.in_flight == 1)
    if how == "close":
        await client.close()
    else:
        client.reset()
    await world.quiet()


async def test_a_client_that_only_closed_its_sending_side_gets_its_answer(world):
    gate = asyncio.Event()

    async def gated(connection):
        await connection.head()
        await gate.wait()
        connection.send(OK)

    await world.serve(gated)
    client = await world.client()
    client.send(GET)
    client.writer.write_eof()
    assert (await client.head()).startswith(b"HTTP/1.1 102 ")
    await world.rounds(3)
    assert world.lane.dispatch.in_flight == 1
    gate.set()
    assert (await client.answer())[0] == 200
    await world.quiet()


@pytest.mark.parametrize("why", ["concurrency", "draining", "loading"])
async def test_a_refused_request_moves_on_with_its_body(world, why):
    bodies = []

    async def refusing(connection):
        while True:
            await connection.head()
            await connection.exactly(5)
            status = 429 if why == "concurrency" else 503
            connection.send(
                b"HTTP/1.1 %d X\r\nKubewick-Refused: %b\r\nContent-Length: 3\r\n\r\nnot" % (status, why.encode())
            )

    async def willing(connection):
        while True:
            await connection.head()
            bodies.append(await connection.exactly(5))
            connection.send(OK)

    await world.router()
    a, b = await world.upstream(refusing), await world.upstream(willing)
    world.instances(a.instance("a"), b.instance("b"))
    for _ in range(4):
        answer = await world.request(POST + b"Content-Length: 5\r\n\r\nhello")
        assert answer[0] == 200
    assert bodies == [b"hello"] * 4
    assert world.lane.retries[why] >= 1
    await world.quiet()


async def test_a_sole_instance_at_its_limit_is_tried_again_soon(world):
    answers = [b"HTTP/1.1 429 X\r\nKubewick-Refused: concurrency\r\nContent-Length: 0\r\n\r\n"] * 5 + [OK]

    async def script(connection):
        while True:
            await connection.head()
            connection.send(answers.pop(0))

    await world.serve(script)
    assert (await world.request(GET))[0] == 200
    await world.quiet()


async def test_a_load_error_is_passed_on_and_not_tried_again(world):
    refusal = (
        b"HTTP/1.1 503 Service Unavailable\r\nKubewick-Refused: failed\r\nContent-Length: 16\r\n\r\nSyntaxError: oh!"
    )
    heads = []

    async def script(connection):
        while True:
            heads.append(await connection.head())
            connection.send(refusal)

    await world.serve(script)
    status, head, body = await world.request(GET)
    assert (status, body) == (503, b"SyntaxError: oh!")
    assert b"Kubewick-Refused" not in head
    assert len(heads) == 1


async def test_an_unreachable_instance_does_not_lose_the_request(world):
    await world.router()
    _, dead = world.closed("dead")
    alive = await world.upstream(counting([]))
    world.instances(dead, alive.instance("alive"))
    for _ in range(6):
        assert (await world.request(GET))[0] == 200
    await world.quiet()


def hanging_up(requests):
    """A script that answers one request a connection and hangs up when it sees the second."""

    async def script(connection):
        requests.append(await connection.head())
        connection.send(OK)
        requests.append(await connection.head())
        await connection.close()

    return script


async def test_a_stale_connection_costs_an_idempotent_request_nothing(world):
    requests = []
    await world.serve(hanging_up(requests))
    client = await world.client()
    for _ in range(2):
        client.send(GET)
        assert (await client.answer())[0] == 200
    assert b"Kubewick-Attempt: 2" in requests[2]
    await world.quiet()


async def test_what_may_have_run_is_not_sent_again(world):
    requests = []
    await world.serve(hanging_up(requests))
    client = await world.client()
    client.send(GET)
    assert (await client.answer())[0] == 200
    client.send(GET.replace(b"GET", b"POST"))
    assert (await client.answer())[0] == 502
    assert len(requests) == 2
    await world.quiet()


async def test_a_request_that_kills_a_fresh_instance_is_not_given_to_the_next(world):
    requests = []

    async def dying(connection):
        requests.append(await connection.head())
        connection.reset()

    await world.router()
    upstreams = [await world.upstream(dying) for _ in range(3)]
    world.instances(*(upstream.instance(f"i{n}") for n, upstream in enumerate(upstreams)))
    assert (await world.request(GET))[0] == 502
    assert len(requests) == 1


async def test_a_deleted_function_is_unknown_to_those_who_wait(world):
    await world.router()
    client = await world.client()
    client.send(GET)
    await world.eventually(lambda: len(world.lane.dispatch.queue) == 1)
    world.r.plane.function_gone(HELLO)
    assert (await client.answer())[0] == 404
    assert (await world.request(GET))[0] == 404


async def test_instances_that_outlive_their_function_serve_nobody_and_leave_nothing(world):
    await world.router()
    left = (await world.upstream(counting([]))).instance()
    world.instances(left)
    assert (await world.request(GET))[0] == 200
    world.r.plane.function_gone(HELLO)
    world.instances(left)
    world.r.plane.failed(HELLO, Reason.CRASH_LOOP, "it ends")
    world.instances()
    assert (await world.request(GET))[0] == 404
    assert world.r.plane.upstreams == {}


async def test_a_body_larger_than_the_function_takes_is_refused(world):
    await world.router(function("hello", maxRequestBytes=1000))
    world.instances((await world.upstream(counting([]))).instance())
    head = POST
    assert (await world.request(head + b"Content-Length: 1001\r\n\r\n"))[0] == 413
    chunks = b"".join(b"64\r\n" + b"x" * 100 + b"\r\n" for _ in range(11))
    assert (await world.request(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks))[0] == 413
    await world.quiet()


async def test_the_operator_tells_the_function_of_its_last_cold_start_once(world, kubeconfig, namespace):
    await world.router(function("hello", namespace=namespace), admin_port=0)
    key, target = Key(namespace, "hello"), f"http://127.0.0.1:{world.r.admin_port}/metrics"
    manifest = {"apiVersion": "kubewick.dev/v1alpha1", "kind": "Function", "spec": {"image": "x"}}
    about = {"name": "hello", "namespace": namespace}
    async with await Cluster.connect(str(kubeconfig)) as cluster, aiohttp.ClientSession() as session:
        made = parse(await cluster.create({**manifest, "metadata": about}, field_manager="test")).metadata
        fence = FencedWriter(cluster, lambda: 9.0, 9.0)
        starts = ColdStarts(lambda: [target], fence, lambda _key: made, lambda: datetime.now(UTC))
        await starts.look(session)
        client = await world.client()
        client.send(GET.replace(b"default", namespace.encode()))
        await world.eventually(lambda: world.backend.activations == [key])
        upstream = await world.upstream(counting([]))
        world.instances(upstream.instance(ready=False, origin="warm-pool"), key=key)
        await client.answer()
        await starts.look(session)
        told = await cluster.get(FUNCTIONS, *key)
        await starts.look(session)
        again = await cluster.get(FUNCTIONS, *key)
    assert told["status"]["lastColdStart"]["path"] == "warm-pool"
    assert told["status"]["lastColdStart"]["milliseconds"] >= 0
    assert again["metadata"]["resourceVersion"] == told["metadata"]["resourceVersion"]
