"""The bytes of a watch, as events.

A watch answer is one JSON object a line, of any length: so lines are joined here, without a limit a reader buffer
would set.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import msgspec
from msgspec import Raw, Struct


class Event(Struct, frozen=True):
    """One line of a watch; `object` stays undecoded until somebody wants it."""

    type: str
    object: Raw


class ObjectMetadata(Struct, frozen=True, rename="camel"):
    """What the watch itself needs to know of any object."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    annotations: dict[str, str] | None = None


class Head(Struct, frozen=True):
    """An object, as far as the watch reads it."""

    metadata: ObjectMetadata


_event = msgspec.json.Decoder(Event)
_head = msgspec.json.Decoder(Head)
_any = msgspec.json.Decoder(dict[str, Any])


def metadata(raw: Raw) -> ObjectMetadata:
    """The identity and version of an undecoded object."""
    return _head.decode(raw).metadata


def plain(raw: Raw | bytes) -> dict[str, Any]:
    """An undecoded object as a plain dict; the default `decode` of a reflector."""
    return _any.decode(raw)


async def lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Split a stream at newlines; a last line without one is dropped, because the stream broke inside it."""
    kept: list[bytes] = []
    async for chunk in chunks:
        first, *rest = chunk.split(b"\n")
        kept.append(first)
        for part in rest:
            line = b"".join(kept)
            kept = [part]
            if line:
                yield line


def event(line: bytes) -> Event:
    """Decode one line; ``msgspec.DecodeError`` where it is not a watch event."""
    return _event.decode(line)
