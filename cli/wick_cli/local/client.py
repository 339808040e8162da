"""The running ``wick up`` of this machine, as a `Platform`; its side of the talk is `wick_cli.local.control`."""

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wick_api.names import Key
from wick_cli.document.manifest import Document
from wick_cli.failure import CommandFailed, FunctionNotFound, InvalidFile, PlatformUnreachable
from wick_cli.local.address import socket_file
from wick_cli.platform import FunctionAnswer, FunctionCall, Shown

TIMEOUT = 10.0  # s
_CHUNK = 65536
_FOLLOW_SECONDS = 0.3


class LocalPlatform:
    """Functions of the ``wick up`` that listens on one port."""

    def __init__(self, port: int, namespace: str) -> None:
        self._port = port
        self.namespace = namespace

    def functions(self, namespace: str | None) -> list[Shown]:
        """All of one namespace, or of all."""
        items = self._ask("GET", "/functions")["items"]
        return [shown for shown in items if namespace in (None, shown["metadata"]["namespace"])]

    def function(self, key: Key) -> Shown:
        """One of them."""
        return dict(self._ask("GET", f"/functions/{key}")["function"])

    def instances(self, key: Key) -> list[Shown]:
        """Its processes."""
        return list(self._ask("GET", f"/functions/{key}")["instances"])

    def apply(self, document: Document) -> str:
        """Have the document's file served, or its folder when it is a function folder."""
        path = document.file.parent if document.file.name == "function.yaml" else document.file
        problems = self._ask("POST", "/paths", {"paths": [str(Path(path).resolve())]})["problems"]
        if problems:
            raise InvalidFile("\n".join(problems))
        return "served"

    def call(self, key: Key, call: FunctionCall) -> FunctionAnswer:
        """Send one request to the router's port."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=call.timeout)
        path = f"/function/{key.namespace}/{key.name}/{call.path.removeprefix('/')}"
        try:
            connection.request(call.method, path, body=call.body or None, headers=dict(call.headers))
            response = connection.getresponse()
        except OSError as error:
            raise PlatformUnreachable(
                f"nothing answers at port {self._port} of this machine: {error}; "
                "run `wick up`, or give its port by --port"
            ) from error
        if response.status == 404:  # noqa: PLR2004 - HTTP's own number
            with contextlib.suppress(PlatformUnreachable):
                self.function(key)  # raises where it is the router's answer and not the function's
        return FunctionAnswer(response.status, dict(response.getheaders()), _chunks(response))

    def lines(self, key: Key, tail: int, *, follow: bool) -> Iterator[str]:
        """Lines kept by ``wick up``; with `follow`, asked for again and again."""
        found = self._ask("GET", f"/functions/{key}/logs")
        yield from found["lines"][-tail:] if tail else []
        while follow:
            time.sleep(_FOLLOW_SECONDS)
            found = self._ask("GET", f"/functions/{key}/logs?since={found['next']}")
            yield from found["lines"]

    def rest(self, key: Key, within: float) -> None:
        """Bring it to zero at once; `within` is a cluster's worry."""
        del within
        self._ask("POST", f"/functions/{key}/rest")

    def delete(self, key: Key) -> None:
        """Stop serving it; the files stay."""
        self._ask("DELETE", f"/functions/{key}")

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        connection = _UnixConnection(socket_file(self._port))
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, body=text, headers={"content-type": "application/json"})
            response = connection.getresponse()
            said = response.read()
        except OSError as error:
            raise PlatformUnreachable(
                f"no `wick up` runs at port {self._port} of this machine ({error}); "
                "start one, or give its port by --port"
            ) from error
        finally:
            connection.close()
        if response.status == 404:  # noqa: PLR2004 - HTTP's own number
            raise FunctionNotFound(said.decode())
        if response.status != 200:  # noqa: PLR2004 - HTTP's own number
            raise CommandFailed(said.decode())
        return dict(json.loads(said))


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, file: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._file = file

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._file))


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body as it arrives; `CommandFailed` when it breaks off."""
    try:
        while chunk := response.read1(_CHUNK):
            yield chunk
    except (http.client.HTTPException, OSError) as error:
        raise CommandFailed(f"the answer broke off: {error!r}") from error
