"""A reverse proxy as one would write it on aiohttp: `aiohttp_proxy.py PORT UPSTREAM_PORT`."""

import sys

import aiohttp
import uvloop
from aiohttp import web


async def application(upstream):
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False)

    async def handle(request):
        body = await request.read() if request.can_read_body else None
        async with session.request(request.method, upstream + request.path_qs, data=body) as answer:
            response = web.StreamResponse(status=answer.status, headers={"Content-Length": str(answer.content_length)})
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    return app


if __name__ == "__main__":
    uvloop.install()
    web.run_app(
        application(f"http://127.0.0.1:{sys.argv[2]}"),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        access_log=None,
        print=None,
    )
