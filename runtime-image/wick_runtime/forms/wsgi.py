"""WSGI applications (PEP 3333), each request in a handler process."""

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, Final
from urllib.parse import unquote_to_bytes

from wick_runtime.call.answer import Answer
from wick_runtime.call.frame import HandlerCall
from wick_runtime.call.origin import origin
from wick_runtime.call.request import split
from wick_runtime.http.head import checked
from wick_runtime.run.context import Context
from wick_runtime.run.handler_process import Handle

IN_MEMORY: Final = 1_048_576
"""Bytes of a chunked body that are kept in memory; a longer one lies in a temporary file."""
_CGI = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def in_process(app: App) -> Handle:
    """The application for a handler process."""

    def run(call: HandlerCall, body: Iterator[bytes], context: Context) -> Answer:
        started: list[tuple[int, list[tuple[bytes, bytes]]]] = []
        written: list[bytes] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], None]:
            if started and exc_info is None:
                raise AssertionError("start_response was called twice")
            given = checked([(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers])
            started[:] = [(int(status.split(" ", 1)[0]), given)]
            return written.append

        pieces = app(environ(call, body, context), start_response)
        return _answer(pieces, started, written)

    return run


def _answer(
    pieces: Iterable[bytes], started: list[tuple[int, list[tuple[bytes, bytes]]]], written: list[bytes]
) -> Answer:
    """Whole when it is a list, which most are; else in the pieces the application makes."""
    if isinstance(pieces, list | tuple):
        body = b"".join([*written, *pieces])
        status, headers = started[0]
        return Answer(status, [pair for pair in headers if pair[0].lower() != b"content-length"], body)
    stream = _Stream(pieces, written)
    stream.prime()  # start_response may wait for the first piece
    status, headers = started[0]
    return Answer(status, headers, stream)


class _Stream(Iterator[bytes]):
    """The application's iterable, closed whatever happens."""

    def __init__(self, pieces: Iterable[bytes], written: list[bytes]) -> None:
        self._pieces = pieces
        self._iterator = iter(pieces)
        self._first = written

    def prime(self) -> None:
        for piece in self._iterator:
            self._first.append(piece)
            if piece:
                return

    def __next__(self) -> bytes:
        if self._first:
            return self._first.pop(0)
        return next(self._iterator)

    def close(self) -> None:
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()


def environ(call: HandlerCall, body: Iterator[bytes], context: Context) -> dict[str, Any]:
    """The environment of a request."""
    path, query = split(call.target)
    said = origin(call.headers)
    server, port = said.server or ("localhost", 80)
    prefix = said.prefix.decode("latin-1")
    found: dict[str, Any] = {
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": prefix,
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "RAW_URI": prefix + call.target.decode("latin-1"),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": server,
        "SERVER_PORT": str(port),
        "REMOTE_ADDR": said.client or "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": said.scheme,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "kubewick.context": context,
    }
    chunked = False
    for name, value in call.headers:
        if b"_" in name:
            continue  # "x_y" and "x-y" would be the same variable: a way to forge the second
        if name == b"transfer-encoding":
            chunked = True  # and undone: what is read is the body itself, and its length is known
            continue
        key = _CGI.get(name) or "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        found[key] = found[key] + "," + text if key in found and key not in _CGI.values() else text
    if chunked and not call.complete:
        found["wsgi.input"], size = spooled(body)
        found["CONTENT_LENGTH"] = str(size)
    else:
        found["wsgi.input"] = io.BufferedReader(Input(body), 65536)
        if chunked:
            found["CONTENT_LENGTH"] = str(len(call.body))
    return found


def spooled(body: Iterator[bytes]) -> tuple[IO[bytes], int]:
    """A body of unknown length, whole and ready to be read, and how long it is; `maxRequestBytes` bounds it."""
    from tempfile import SpooledTemporaryFile  # noqa: PLC0415 - few bodies are chunked

    file: IO[bytes] = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - it is gone with the request's environment
    file.writelines(body)
    size = file.tell()
    file.seek(0)
    return file, size


class Input(io.RawIOBase):
    """``wsgi.input`` over the body's pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
