"""The sockets clients come to: TCP, TLS and Unix.

A listener is internal, and serves every function, or public, and serves those with ``visibility: public``. Which one a
connection came to is all that decides: nothing a request says does.
"""

import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, cast

from wick_router.proxy.certificate import Certificate
from wick_router.proxy.client_connection import ClientConnection

if TYPE_CHECKING:
    import asyncio

    from wick_router.proxy.data_plane import DataPlane

BACKLOG = 4096
"""Connections the kernel keeps until they are accepted; Linux cuts it to net.core.somaxconn (4096)."""


class Listeners:
    """All listening sockets of one process."""

    def __init__(self, plane: "DataPlane") -> None:
        self._plane = plane
        self._servers: list[asyncio.Server] = []
        self.port = 0
        """The internal data port in use."""
        self.public_port = 0
        self.tls_port = 0

    async def open(self) -> None:
        """Listen on all that is configured; `OSError` says which address is taken."""
        plane, config = self._plane, self._plane.config
        self.port = await self._tcp(config.port, None, public=False)
        if config.public_port >= 0:
            self.public_port = await self._tcp(config.public_port, None, public=True)
        if config.tls_certificate:
            plane.certificate = Certificate(Path(config.tls_certificate), Path(config.tls_key))
            self.tls_port = await self._tcp(config.tls_port, plane.certificate.context, public=True)
        if config.unix:
            self._servers.append(
                await plane.loop.create_unix_server(
                    lambda: cast("asyncio.Protocol", ClientConnection(plane, b"http", public=False)), config.unix
                )
            )

    async def _tcp(self, port: int, context: ssl.SSLContext | None, *, public: bool) -> int:
        plane = self._plane
        listening = bound(plane.config.host, port, shared=plane.config.processes > 1)
        scheme = b"https" if context else b"http"
        server = await plane.loop.create_server(
            lambda: cast("asyncio.Protocol", ClientConnection(plane, scheme, public=public)),
            sock=listening,
            ssl=context,
            backlog=BACKLOG,
        )
        self._servers.append(server)
        return int(listening.getsockname()[1])

    def close(self) -> None:
        """Accept nobody any more; connections go on."""
        for server in self._servers:
            server.close()
        self._servers.clear()


def bound(host: str, port: int, *, shared: bool) -> socket.socket:
    """A TCP socket bound to the address; `shared` lets other processes bind the same one and share the load."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)  # noqa: FBT003 - its only form
    return listening
