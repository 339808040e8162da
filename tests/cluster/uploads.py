"""Functions that tell what they were given of a request's body, in every form; and clients that check it.

The path says what to do: `/WHAT/SECONDS` reads `all` of the body, `part` of it or `nothing`, after so many seconds.
The answer is how many bytes were read and their SHA-256.
"""

import asyncio
import contextlib
import hashlib
import random
from pathlib import Path

from cluster.waiting import PATIENCE

CODE = """
import asyncio
import hashlib
import time


def plan(path):
    _, what, seconds = path.rsplit("/", 2)
    return what, float(seconds)


def told(pieces):
    body = b"".join(pieces)
    return f"{len(body)} {hashlib.sha256(body).hexdigest()}"


def native(request):
    what, seconds = plan(request.path)
    time.sleep(seconds)
    return told({"all": [request.body], "part": [request.body[:1000]], "nothing": []}[what])


async def native_async(request):
    what, seconds = plan(request.path)
    await asyncio.sleep(seconds)
    return told({"all": [request.body], "part": [request.body[:1000]], "nothing": []}[what])


def streaming(request: "StreamingRequest"):
    what, seconds = plan(request.path)
    time.sleep(seconds)
    if what == "nothing":
        return told([])
    return told(request.stream() if what == "all" else [next(request.stream())])


async def streaming_async(request: "StreamingRequest"):
    what, seconds = plan(request.path)
    await asyncio.sleep(seconds)
    if what == "nothing":
        return told([])
    if what == "part":
        return told([await anext(request.stream())])
    return told([piece async for piece in request.stream()])


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    what, seconds = plan(scope["path"])
    await asyncio.sleep(seconds)
    pieces, more = [], what != "nothing"
    while more:
        message = await receive()
        assert message["type"] == "http.request", message
        pieces.append(message["body"])
        more = message["more_body"] and what == "all"
    body = told(pieces).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def wsgi(environ, start_response):
    what, seconds = plan(environ["PATH_INFO"])
    time.sleep(seconds)
    source = environ["wsgi.input"]
    body = told({"all": source.read, "part": lambda: source.read(1000), "nothing": lambda: b""}[what]() for _ in "1")
    start_response("200 OK", [])
    return [body.encode()]
"""
"""A main.py with one handler for each form."""
FORMS = ("native", "native_async", "streaming", "streaming_async", "asgi", "wsgi")
READS = ("all", "part", "nothing")


def data(size, seed=0):
    """Bytes that are wrong wherever one is missing, doubled or elsewhere."""
    return random.Random(f"{size} {seed}").randbytes(size)


class Client:
    """One kept connection."""

    def __init__(self, reader, writer, prefix):
        self._reader, self._writer, self._prefix = reader, writer, prefix

    async def post(self, path, body=b"", *, chunked=False):
        """Status, head and body of the answer."""
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
        self._writer.write(f"POST {self._prefix}{path} HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n".encode())
        if chunked:
            for at in range(0, len(body), 50_000):
                piece = body[at : at + 50_000]
                self._writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self._writer.write(b"0\r\n\r\n")
        else:
            self._writer.write(body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("\r\ncontent-length:")[2].split("\r\n")[0])
        return int(head.split()[1]), head, (await self._reader.readexactly(length)).decode()

    async def close(self):
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


async def connect(port, prefix=""):
    """`prefix` is the function's path at a router."""
    return Client(*await asyncio.open_connection("127.0.0.1", port), prefix)


async def upload(client, path, body, *, chunked=False):
    """Send one, and check what the function says it was given. Returns whether the connection is kept."""
    status, head, answer = await asyncio.wait_for(client.post(path, body, chunked=chunked), PATIENCE)
    assert status == 200, (path, len(body), answer)
    count, _, digest = answer.partition(" ")
    what = path.split("/")[1]
    assert (what == "all") <= (int(count) == len(body)), (path, len(body), answer)
    assert (what == "nothing") <= (count == "0"), (path, len(body), answer)
    assert digest == hashlib.sha256(body[: int(count)]).hexdigest(), (path, len(body), answer)
    return "connection: close" not in head


async def together(count, run):
    """`count` runs of `run(number)` at the same time; a failure of one ends all."""
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(run(number))


def half_closed(pids):
    """How many sockets of these processes wait to be closed though the other side is gone."""
    inodes = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for fd in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    inodes.add(str(fd.readlink()))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[3] == "08" and f"socket:[{row[9]}]" in inodes for row in rows)


def family(pid):
    """A process and all that come of it."""
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found
