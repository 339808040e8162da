"""One HTTP/1.1 connection that times requests from the first byte sent to the last byte received."""

import asyncio
import time
from typing import NamedTuple


class Answer(NamedTuple):
    """What came back, and when."""

    status: int
    milliseconds: float
    headers: dict[str, str]
    body: bytes


class Connection:
    """Keep-alive; open it before the clock runs."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, host: str, port: int) -> "Connection":
        return cls(*await asyncio.open_connection(host, port))

    def close(self) -> None:
        self._writer.close()

    async def get(self, path: str, within: float = 90) -> Answer:
        async with asyncio.timeout(within):
            began = time.perf_counter()
            self._writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            body = await self._body(headers)
            took = (time.perf_counter() - began) * 1000
        return Answer(int(head[0].split(" ")[1]), took, headers, body)

    async def _body(self, headers: dict[str, str]) -> bytes:
        if "content-length" in headers:
            return await self._reader.readexactly(int(headers["content-length"]))
        whole = b""
        while size := int(await self._reader.readline(), 16):
            whole += await self._reader.readexactly(size)
            await self._reader.readline()
        await self._reader.readline()
        return whole
