"""What a public listener shows: public functions, and of all others nothing at all."""

import asyncio
import re
import sys
from pathlib import Path

import pytest
import trustme
from static import function

from cluster.process import free_ports
from cluster.waiting import PATIENCE, eventually_async
from wick_api.reason import Reason
from wick_router.admin.exposition import write
from wick_router.admin.group import Group
from wick_router.config import RouterConfig

HOST = {"host": "shop.example"}
PUBLIC = {"visibility": "public"}
FUNCTIONS = (
    function("hidden", routes=[{**HOST, "path": "/admin", "methods": ["POST"]}, {"path": "/metrics"}]),
    function("shown", **PUBLIC, routes=[{**HOST, "path": "/"}, {**HOST, "path": "/pay", "methods": ["POST"]}]),
)
HIDDEN, SHOWN = (each.key for each in FUNCTIONS)
ID = b"X-Request-Id: 0123456789abcdef\r\n"


async def always(connection):
    """An instance: any request is complete with its head, or with five bytes of a body."""
    while True:
        head = await connection.head()
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        await connection.exactly(int(length[1]) if length else 0)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def ask(world, port, request):
    """All that comes back to one request on a connection of its own."""
    connection = await world.client(port)
    connection.send(request)
    return await connection.rest()


@pytest.fixture
async def served(world):
    """Both functions serve, on both ports."""
    await world.router(*FUNCTIONS, public_port=0)
    upstream = await world.upstream(always)
    for key in (HIDDEN, SHOWN):
        world.instances(upstream.instance(), key=key)
    return world


def request(line, host="any", *fields, body=b""):
    lines = [line, f"Host: {host}", *fields, "Connection: close", "", ""]
    return "\r\n".join(lines).encode().replace(b"Connection", ID + b"Connection", 1) + body


NAMED = {
    "by its path": ("GET /function/default/{}/x?y HTTP/1.1", "any"),
    "by its path without a slash": ("GET /function/default/{} HTTP/1.1", "any"),
    "by its host": ("GET / HTTP/1.1", "{}.default.svc.cluster.local"),
    "by its short host": ("GET / HTTP/1.1", "{}.default:8080"),
    "by its host in capitals": ("GET / HTTP/1.1", "{}.DEFAULT.svc."),
    "by an absolute target": ("GET http://{}.default.svc.cluster.local/x HTTP/1.1", "shop.example"),
    "by an absolute target with its path": ("GET http://any/function/default/{}/ HTTP/1.1", "any"),
    "with a method of its own": ("PURGE /function/default/{}/ HTTP/1.1", "any"),
    "OPTIONS of all": ("OPTIONS * HTTP/1.1", "{}.default"),
    "with HEAD": ("HEAD /function/default/{}/ HTTP/1.1", "any"),
    "over HTTP/1.0": ("GET /function/default/{}/ HTTP/1.0", "any"),
    "a WebSocket": (
        "GET /function/default/{}/ HTTP/1.1", "any",
        "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ),
    "with a body that is too large for it": ("POST /function/default/{}/ HTTP/1.1", "any", "Content-Length: 99999999"),
    "with a body to be asked for": (
        "POST /function/default/{}/ HTTP/1.1", "any", "Content-Length: 5", "Expect: 100-continue",
    ),
    "with headers that claim to be from inside": (
        "GET /function/default/{}/ HTTP/1.1", "any", "Kubewick-Visibility: cluster", "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-Port: 8080", "Forwarded: for=127.0.0.1", "X-Forwarded-Host: {}.default.svc.cluster.local",
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", NAMED)
async def test_a_public_listener_answers_for_a_hidden_function_as_for_one_that_does_not_exist(served, how):
    answers = {}
    for name in ("hidden", "nobody"):
        line, host, *fields = (part.format(name) for part in NAMED[how])
        answers[name] = await ask(served, served.r.public_port, request(line, host, *fields))
    assert b" 404 " in answers["hidden"].partition(b"\r\n")[0]
    assert answers["hidden"] == resized(answers["nobody"])
    assert (served.r.plane.upstreams[HIDDEN].dispatch.in_flight, served.backend.activations) == (0, [])


def resized(answer):
    """What was said of `nobody`, of a function called `hidden`: the names are of the same length."""
    return answer.replace(b"nobody", b"hidden").replace(b"NOBODY", b"HIDDEN")


@pytest.mark.parametrize("how", [name for name in NAMED if name != "a WebSocket"])
async def test_the_same_requests_reach_both_functions_on_the_internal_listener(served, how):
    line, host, *fields = (part.format("hidden") for part in NAMED[how])
    answer = await ask(served, served.r.port, request(line, host, *fields, body=b"12345" if fields else b""))
    assert b" 404 " not in answer.partition(b"\r\n")[0]


@pytest.mark.parametrize(
    ("line", "host"),
    [
        ("GET /function/default/shown/ HTTP/1.1", "any"),
        ("GET / HTTP/1.1", "shown.default.svc.cluster.local"),
        ("GET /any/path HTTP/1.1", "shop.example"),
        ("GET http://shop.example/ HTTP/1.1", "shop.example"),
    ],
)
async def test_a_public_function_answers_on_both_listeners(served, line, host):
    for port in (served.r.port, served.r.public_port):
        assert (await ask(served, port, request(line, host))).endswith(b"\r\n\r\nok")


async def test_a_hidden_function_keeps_what_its_routes_name_and_lends_no_method_to_the_answer(served):
    """Nobody else receives what is meant for it, and no 405 tells that it is there."""
    public = served.r.public_port
    assert b" 404 " in await ask(served, public, request("POST /admin HTTP/1.1", "shop.example"))
    assert b" 404 " in await ask(served, public, request("GET /metrics HTTP/1.1"))
    assert b" 200 " in await ask(served, public, request("GET /admin HTTP/1.1", "shop.example"))
    await served.router(
        function("hidden", routes=[{"host": "a.example", "methods": ["POST"]}]),
        function("shown", visibility="public", routes=[{"host": "a.example", "methods": ["PUT"]}]),
        public_port=0,
    )
    wrong = await ask(served, served.r.public_port, request("GET / HTTP/1.1", "a.example"))
    assert b" 405 " in wrong
    assert b"\r\nAllow: PUT\r\n" in wrong
    wrong = await ask(served, served.r.port, request("GET / HTTP/1.1", "a.example"))
    assert b"\r\nAllow: POST, PUT\r\n" in wrong


async def test_each_request_of_a_kept_connection_is_decided_for_itself(served):
    client = await served.client(served.r.public_port)
    for name, status in (("shown", 200), ("hidden", 404), ("shown", 200), ("shown", 200), ("hidden", 404)):
        client.send(b"GET /function/default/%b/ HTTP/1.1\r\nHost: any\r\n\r\n" % name.encode())
        assert (await client.answer())[0] == status
    client.send(b"".join(b"GET / HTTP/1.1\r\nHost: %b.default\r\n\r\n" % name for name in (b"shown", b"hidden") * 2))
    assert [(await client.answer())[0] for _ in range(4)] == [200, 404, 200, 404]


async def test_a_kept_connection_follows_a_function_that_becomes_public_and_ceases_to_be(served):
    client = await served.client(served.r.public_port)
    for visibility, status in (("public", 200), ("cluster", 404), ("public", 200), ("cluster", 404)):
        served.r.plane.function(function("hidden", visibility=visibility))
        await asyncio.sleep(0)
        client.send(b"GET / HTTP/1.1\r\nHost: hidden.default\r\n\r\n")
        assert (await client.answer())[0] == status


async def test_a_hidden_function_is_neither_started_nor_told_of_when_it_cannot_start(world):
    await world.router(*FUNCTIONS, public_port=0)
    world.r.plane.failed(HIDDEN, Reason.LOAD_FAILED, "secret.py, line 7: password")
    inside = await ask(world, world.r.port, request("GET /function/default/hidden/ HTTP/1.1"))
    outside = await ask(world, world.r.public_port, request("GET /function/default/hidden/ HTTP/1.1"))
    unknown = await ask(world, world.r.public_port, request("GET /function/default/nobody/ HTTP/1.1"))
    assert b"password" in inside
    assert outside == resized(unknown)
    assert world.backend.activations.count(HIDDEN) <= 1


async def test_a_router_that_knows_nothing_yet_says_the_same_of_all(world):
    await world.router(*FUNCTIONS, public_port=0)
    world.r.plane.informed = False
    outside = await ask(world, world.r.public_port, request("GET /function/default/hidden/ HTTP/1.1"))
    unknown = await ask(world, world.r.public_port, request("GET /function/default/nobody/ HTTP/1.1"))
    assert b" 503 " in outside
    assert outside == resized(unknown)


async def test_tls_is_public(world, tmp_path):
    made = trustme.CA().issue_cert("router.example")
    made.private_key_pem.write_to_path(tmp_path / "tls.key")
    for each in made.cert_chain_pems:
        each.write_to_path(tmp_path / "tls.crt", append=True)
    files = {"tls_certificate": str(tmp_path / "tls.crt"), "tls_key": str(tmp_path / "tls.key")}
    await world.router(*FUNCTIONS, **files)
    upstream = await world.upstream(always)
    for key in (HIDDEN, SHOWN):
        world.instances(upstream.instance(), key=key)
    assert await curl(world.r.tls_port, "shown") == "200"
    assert await curl(world.r.tls_port, "hidden") == "404"


async def curl(port, name):
    url = f"https://127.0.0.1:{port}/function/default/{name}/"
    command = ("curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", url)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    return (await asyncio.wait_for(process.communicate(), PATIENCE))[0].decode()


@pytest.mark.parametrize(("serves", "status"), [("public", 404), ("all", 200)])
async def test_requests_from_outside_for_hidden_functions_are_counted_each(world, serves, status):
    """So that before and after an upgrade an administrator sees which functions want `visibility: public`."""
    await world.router(*FUNCTIONS, public_port=0, public_serves=serves)
    upstream = await world.upstream(always)
    for key in (HIDDEN, SHOWN):
        world.instances(upstream.instance(), key=key)
    client = await world.client(world.r.public_port)
    for name in (b"hidden", b"hidden", b"shown", b"nobody"):
        client.send(b"GET / HTTP/1.1\r\nHost: %b.default\r\n\r\n" % name)
        found, _, _ = await client.answer()
        assert name != b"hidden" or found == status
    await ask(world, world.r.port, request("GET / HTTP/1.1", "hidden.default"))
    (*_, page) = write(world.r.plane)
    counted = [line for lines in page.families.values() for line in lines if "not_public" in line]
    assert counted == ['kubewick_function_not_public_total{namespace="default",function="hidden"} 2\n']


CHILD = """
import asyncio, os, signal, sys
sys.path.insert(0, {static!r})
from static import StaticBackend, function
from wick_router.config import RouterConfig
from wick_router.backend import Instance
from wick_router.router import Router

async def main():
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    both = [function("hidden"), function("shown", visibility="public")]
    instance = Instance(id="a", host="127.0.0.1", port={upstream}, revision="r1", ready=True)
    backend = StaticBackend(both, {{each.key: [instance] for each in both}})
    await Router(RouterConfig.from_environment(os.environ), backend).run(stopping)

asyncio.run(main())
"""


async def test_every_process_of_a_router_tells_the_two_ports_apart(world, tmp_path, monkeypatch):
    upstream = await world.upstream(always)
    script = tmp_path / "child.py"
    static = Path(__file__).parents[3] / "benchmarks" / "router"
    script.write_text(CHILD.format(static=str(static), upstream=upstream.port))
    inside, outside = free_ports(2)
    settings = {"host": "127.0.0.1", "port": inside, "public_port": outside, "drain_delay": 0, "grace": PATIENCE}
    for name, value in settings.items():
        monkeypatch.setenv(f"WICK_ROUTER_{name.upper()}", str(value))
    config = RouterConfig(**settings, processes=2, admin_host="127.0.0.1", admin_port=0)
    group, stopping = Group(config, (sys.executable, str(script))), asyncio.Event()
    running = asyncio.create_task(group.run(stopping))

    async def healthy():
        return b" 200 " in await ask(world, group.admin_port, b"GET /healthz HTTP/1.0\r\nHost: a\r\n\r\n")

    async def status(port, name):
        answer = await ask(world, port, request(f"GET /function/default/{name}/ HTTP/1.1"))
        return int(answer.split()[1])

    await eventually_async(healthy)
    for _ in range(12):  # the kernel spreads connections over the two
        assert [await status(outside, name) for name in ("hidden", "shown")] == [404, 200]
        assert await status(inside, "hidden") == 200
    stopping.set()
    await asyncio.wait_for(running, PATIENCE)
