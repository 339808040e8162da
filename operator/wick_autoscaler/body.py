"""Reading an answer's body with a bound."""

import aiohttp


class TooLarge(Exception):
    """The body has more bytes than allowed."""


async def read(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The whole body; `TooLarge` as soon as there is more than `most` bytes of it."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > most:
            raise TooLarge(f"more than {most} bytes")
    return b"".join(parts)
