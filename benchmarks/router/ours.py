"""Our router with a static backend, for benchmarks: `ours.py PORT UPSTREAM_PORT FUNCTIONS [CERT KEY]`."""

import asyncio
import sys

import uvloop
from static import StaticBackend, function

from wick_router.backend import Instance
from wick_router.config import RouterConfig
from wick_router.main import SWITCH_INTERVAL
from wick_router.router import Router


async def serve(port, upstream, count, tls):
    functions = [function(f"f{number}", concurrency=1000) for number in range(count)]
    instances = {
        each.key: [Instance(id="a", host="127.0.0.1", port=upstream, revision="r1", ready=True)] for each in functions
    }
    config = RouterConfig(
        host="127.0.0.1",
        port=port,
        admin_host="127.0.0.1",
        admin_port=0,
        **({"tls_port": port + 1, "tls_certificate": tls[0], "tls_key": tls[1]} if tls else {}),
    )
    router = Router(config, StaticBackend(functions, instances))
    await router.start()
    print(router.admin_port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    sys.setswitchinterval(SWITCH_INTERVAL)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:6]))
