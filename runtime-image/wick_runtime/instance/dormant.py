"""An instance of the pool that sleeps: a listener of 7 MB instead of a runtime of 28, until its order comes.

The idea is inetd's. The process that read the configuration binds the control port, and replaces itself by a Python
that has next to nothing loaded: no `site`, and of what is imported most is written in C. It answers probes, one
connection at a time. When the first bytes of one are an order, it replaces itself by the runtime, which finds both
sockets open and the order unread. It is one process all the time, so PID 1 of its pod stays PID 1::

    python -m wick_runtime              dormant                             python -m wick_runtime
    every setting is checked,  --exec-> accept, look at 16 bytes  --exec->  serves the connection that woke it,
    the port bound                        |   POST /specialize              and those that wait to be accepted
                                          +-- a probe: answer, close
                                          +-- SIGTERM: end at once

- **Nothing is lost on the way.** The first bytes are only peeked at, and whoever else connects waits in the listening
  socket, which is never closed. SIGTERM is blocked across each exec, since PID 1 would not see it, and obeyed after.
- **Nobody holds the line.** A connection has `PATIENCE` for its request and its goodbye together, then it is closed.
- **Any order wakes, also one without the right token**, which then gets its 401 from a runtime that stays awake:
  to check it here would load OpenSSL's hashes, and with the parsing of a head cost what sleeping saves.

`socket` and `signal` would be 1.2 MB more, for their enumerations (measured on 3.11 and 3.13); the C modules below
them have all that is needed. Hence also no `typing`, and no import of this package's other modules.
"""

import _socket
import os
import struct
import sys
import time

TYPE_CHECKING = False  # of `typing`, which costs 0.8 MB
if TYPE_CHECKING:
    import signal as _signal
    from types import FrameType
else:
    import _signal

ORDER = b"POST /specialize"
LOOK = len(ORDER)
"""Bytes to look at; each of the control port's paths ends within them."""
PATIENCE = 1.0
"""Seconds a client may take for all it does."""
TICK = 0.001
"""Seconds below which no time is left: none at all would mean for ever to the kernel."""
BACKLOG = 128
"""Connections that wait meanwhile; the runtime raises it."""
JSON = b"application/json"
TEXT = b"text/plain; version=0.0.4; charset=utf-8"
PAGES = {
    b"/healthz": (b"200 OK", JSON, b'{"state": "pool"}'),
    b"/readyz": (b"200 OK", JSON, b'{"state": "pool", "message": "waiting for POST /specialize"}'),
    b"/metrics": (b"200 OK", TEXT, b""),
}
"""What an instance of the pool says that is awake; nobody shall tell the two apart."""
MISSING = (
    b"404 Not Found",
    JSON,
    (
        b'{"error": {"code": "not-found", "message": "the control port has /healthz, /readyz, /metrics, /specialize", '
        b'"function": "", "requestId": ""}}'
    ),
)
START = "import sys; sys.path.append(sys.argv[1]); from wick_runtime.instance.dormant import doze; doze()"
"""`-m` would import three modules more, and a script be compiled at each start."""


def fall_asleep(listener: _socket.socket) -> None:
    """Become the dormant process; does not return. `listener` is bound."""
    listener.listen(BACKLOG)
    sys.stderr.write(f"wick_runtime: dormant, control port {listener.getsockname()[1]}\n")
    sys.stderr.flush()
    os.set_inheritable(listener.fileno(), True)  # noqa: FBT003 - takes no names
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))  # noqa: PTH120 - pathlib costs 5 ms to import
    _exec(["-SP", "-c", START, root, str(listener.fileno()), *sys.orig_argv[1:]])


def doze() -> None:
    """The dormant process. Its arguments: the package's folder, the listening socket, and what to become."""
    for number in (_signal.SIGTERM, _signal.SIGINT):
        _signal.signal(number, _leave)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {_signal.SIGTERM})
    listener = _socket.socket(fileno=int(sys.argv[2]))
    while True:
        try:
            fd, _ = listener._accept()  # type: ignore[attr-defined]  # noqa: SLF001 - below `socket.socket.accept`
        except ConnectionAbortedError:
            continue
        accepted = time.monotonic()
        client = _socket.socket(fileno=fd)
        if _orders(client, accepted + PATIENCE):
            _wake(listener.fileno(), fd, accepted)
        client.close()


def _orders(client: _socket.socket, until: float) -> bool:
    """Whether it brings an order, of which nothing is read then; what else it asks is answered."""
    try:
        head = _receive(client, LOOK, _socket.MSG_PEEK | _socket.MSG_WAITALL, until)
        if head == ORDER:
            return True
        if len(head) == LOOK:
            client.send(reply(head))  # a kernel's smallest buffer is larger
            client.shutdown(_socket.SHUT_WR)
            while _receive(client, 65536, 0, until):  # closed with bytes unread, it would be reset, the answer lost
                pass
    except OSError:  # it is slow, or gone
        pass
    return False


def _receive(client: _socket.socket, size: int, flags: int, until: float) -> bytes:
    """Bytes, or nothing at the end; raises `OSError` where that takes longer than to `until`."""
    left = until - time.monotonic()
    if left < TICK:
        raise TimeoutError
    timeval = struct.pack("ll", int(left), int(left % 1 * 1_000_000))
    client.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVTIMEO, timeval)
    return client.recv(size, flags)


def reply(head: bytes) -> bytes:
    """The whole answer to a request that begins with `head`."""
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    status, kind, body = PAGES.get(path, MISSING) if method in (b"GET", b"HEAD") else MISSING
    return b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (
        status, kind, len(body), b"" if method == b"HEAD" else body,
    )  # fmt: skip


def _wake(listener: int, client: int, accepted: float) -> None:
    """Become the runtime; does not return."""
    os.environ["KUBEWICK_WOKEN"] = f"{listener},{client},{accepted!r}"
    os.set_inheritable(client, True)  # noqa: FBT003 - as above
    _exec(sys.argv[3:])


def _exec(arguments: list[str]) -> None:
    _signal.pthread_sigmask(_signal.SIG_BLOCK, {_signal.SIGTERM})
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - it is Python itself


def _leave(number: int, _frame: "FrameType | None") -> None:
    os._exit(128 + number)
