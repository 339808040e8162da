"""WebSockets of an ASGI application: how they begin and end (RFC 6455, 4.2, 5.5.1 and 7.4)."""

import contextlib
import struct

import pytest

APP = """
    async def app(scope, receive, send):
        if scope["type"] == "http":
            message = await receive()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"<" + message["body"] + b">"})
            return
        if scope["type"] != "websocket":
            raise NotImplementedError
        await receive()
        await send({"type": "websocket.accept"})
        message = await receive()
        if message["type"] == "websocket.receive":
            await send({"type": "websocket.close", "code": int(message["text"]), "reason": "€" * 50})
        else:
            print(f"left with {message['code']} {message['reason']}", flush=True)
"""
SHAKE = (
    b"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
NO_MASK = b"\0\0\0\0"


@pytest.fixture(scope="module", params=["uvloop-httptools", "asyncio-python"])
def instance(request, tmp_path_factory, launch):
    from textwrap import dedent

    folder = tmp_path_factory.mktemp("websocket")
    (folder / "code").mkdir()
    (folder / "code" / "main.py").write_text(dedent(APP))
    loop, parser = request.param.split("-")
    instance = launch(folder, {"KUBEWICK_HANDLER": "main:app", "KUBEWICK_LOOP": loop, "KUBEWICK_PARSER": parser})
    yield instance
    instance.stop()


@contextlib.contextmanager
def asking(instance, version=b"1.1", more=b"", body=b"", shake=SHAKE):
    """The reader of a connection that has sent a handshake, and the status line of its answer."""
    with instance.connect() as sock, sock.makefile("rwb", buffering=0) as file:
        file.write(b"GET / HTTP/" + version + b"\r\nHost: a\r\n" + shake + more + b"\r\n" + body)
        status = int(file.readline().split()[1])
        while file.readline() != b"\r\n":
            pass
        yield file, status


def closed_with(file):
    """Code and reason of the close frame that comes, behind which nothing may."""
    first, size = file.read(2)
    assert first == 0x88
    body = file.read(size) if size else b""
    assert file.read(1) == b""
    return struct.unpack("!H", body[:2])[0], body[2:].decode()


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ((1000).to_bytes(2) + b"bye", 1000),
        ((4321).to_bytes(2), 4321),
        (b"", 1000),
        (b"\x03", 1002),
        ((1005).to_bytes(2), 1002),
        ((1006).to_bytes(2), 1002),
        ((1015).to_bytes(2), 1002),
        ((999).to_bytes(2), 1002),
        ((2999).to_bytes(2), 1002),
        ((5000).to_bytes(2), 1002),
        ((1000).to_bytes(2) + b"\xff", 1007),
    ],
)
def test_a_close_frame_is_answered_by_what_it_says(instance, body, answer):
    with asking(instance) as (file, status):
        assert status == 101
        file.write(bytes([0x88, 0x80 | len(body)]) + NO_MASK + body)
        assert closed_with(file)[0] == answer


def test_an_application_closes_with_its_code_and_a_reason_cut_between_characters(instance):
    with asking(instance) as (file, _):
        file.write(b"\x81\x84" + NO_MASK + b"4000")
        assert closed_with(file) == (4000, "€" * 41)


def test_a_code_that_no_application_may_send_is_an_error_of_the_application(instance):
    with asking(instance) as (file, _):
        file.write(b"\x81\x84" + NO_MASK + b"1006")
        assert closed_with(file)[0] == 1011
    assert any("1006 is no code to close a WebSocket with" in line for line in instance.output)


@pytest.mark.parametrize(
    "how",
    [
        {"version": b"1.0"},
        {"shake": SHAKE.replace(b"dGhl", b"dG!l")},
        {"shake": SHAKE.replace(b"Sec-WebSocket-Key", b"X")},
    ],
)
def test_a_handshake_that_is_none_in_http_1_1_is_refused(instance, how):
    with asking(instance, **how) as (_, status):
        assert status == 400


@pytest.mark.parametrize("shake", [SHAKE.replace(b"13", b"12"), SHAKE.replace(b"Version", b"Ver")])
def test_a_handshake_of_another_version_is_told_which_one_is_spoken(instance, shake):
    with instance.connect() as sock, sock.makefile("rb", buffering=0) as file:
        for _ in range(2):  # the connection stays one of HTTP
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n" + shake + b"\r\n")
            assert file.readline() == b"HTTP/1.1 426 Upgrade Required\r\n"
            lines = dict(line.strip().lower().split(b": ", 1) for line in iter(file.readline, b"\r\n"))
            assert (lines[b"sec-websocket-version"], lines[b"upgrade"]) == (b"13", b"websocket")
            assert lines[b"connection"] == b"upgrade"
            file.read(int(lines[b"content-length"]))


@pytest.mark.parametrize(("old", "new"), [(b"Upgrade\r\n", b"x-upgrade-x\r\n"), (b"websocket\r", b"web\r")])
def test_what_offers_no_websocket_is_plain_http(instance, old, new):
    with asking(instance, shake=SHAKE.replace(old, new)) as (_, status):
        assert status == 200


def test_a_handshake_with_a_body_is_plain_http(instance):
    chunked = {"more": b"Transfer-Encoding: chunked\r\n", "body": b"2\r\nhi\r\n0\r\n\r\n"}
    with asking(instance, **chunked) as (file, status):
        assert (status, file.read(4)) == (200, b"<hi>")
