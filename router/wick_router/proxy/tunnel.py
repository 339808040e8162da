"""Two sockets joined byte for byte after ``101 Switching Protocols``: WebSocket, or whatever the two agreed on.

The exchange stays in flight, and keeps its slot, until both directions have ended. Its deadline no longer counts: the
timeout is for requests, and a WebSocket that is cut in the middle is a complaint other platforms are known for.
"""

import asyncio
from typing import TYPE_CHECKING

from wick_router.http.websocket import FrameCounter

if TYPE_CHECKING:
    from wick_router.proxy.exchange import ProxyExchange


class TunnelSide(asyncio.Protocol):
    """One of the two sockets; `other` is where its bytes go."""

    other: "TunnelSide"

    def __init__(self, exchange: "ProxyExchange", transport: asyncio.Transport) -> None:
        self.exchange = exchange
        self.transport = transport
        self.lost = False
        self.ended = False
        """Its peer sends no more."""
        self.frames: FrameCounter | None = None
        """Where frames begin and end in what this side sends; None where the protocol is not WebSocket."""

    def data_received(self, data: bytes) -> None:
        if self.frames is not None:
            self.frames.feed(data)
        if not self.other.lost:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        self.ended = True
        if (
            self.other.ended
            or self.other.lost
            or not self.other.transport.can_write_eof()
            or self.other.transport.is_closing()
        ):
            return False
        self.other.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        if not self.other.lost:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self.other.lost and not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.exchange.client.plane.tunnels.discard(self)
        if not self.other.lost:
            if exc is None:
                self.other.transport.close()
            else:
                self.other.transport.abort()
        self.exchange.client_left()

    def say_goodbye(self) -> None:
        """Tell this side's peer that the router goes away, where the protocol has a word for it, and close."""
        if self.other.frames is not None and self.other.frames.at_boundary and not self.lost:
            self.transport.write(self.other.frames.close_frame())
        self.transport.close()


def open_tunnel(exchange: "ProxyExchange", instance: asyncio.Transport, rest: bytes) -> None:
    """Join the exchange's client to `instance`; `rest` came from the instance behind its 101."""
    client = exchange.client
    a, b = TunnelSide(exchange, client.transport), TunnelSide(exchange, instance)
    a.other, b.other = b, a
    if exchange.upgrade.lower() == b"websocket":
        a.frames, b.frames = FrameCounter(masked=True), FrameCounter(masked=False)
    client.plane.tunnels |= {a, b}
    exchange.conn = None
    exchange.deadline = float("inf")
    client.handed_over(a)
    instance.set_protocol(b)
    if rest:
        b.data_received(rest)
    if exchange.tail:
        a.data_received(exchange.tail)
    client.transport.resume_reading()
    instance.resume_reading()
