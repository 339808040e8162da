"""The operator's admin port keeps a bounded part of what it is sent."""

import asyncio
import urllib.error
import urllib.request

from operating.flood import BOUND, flood, forget_peak, peak
from wick_operator.admin import Probes, serving


async def healthy():
    return ""


async def test_a_poke_without_end_is_refused_and_not_kept():
    poked = []
    async with serving(Probes(healthy, lambda: "", poked.append), "127.0.0.1", 0) as port:
        forget_peak()
        before = peak()
        for line in ("POST /poke", "GET /metrics", "POST /nothing"):
            await asyncio.to_thread(flood, ("127.0.0.1", port), line)
        assert peak() - before < BOUND
        assert await asyncio.to_thread(poke, port, b"x" * (1024 * 1024 + 1)) == 413
        assert await asyncio.to_thread(poke, port, b'{"functions": ["a/b"]}') == 202
    assert [[str(key) for key in keys] for keys in poked] == [["a/b"]]


def poke(port, body):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/poke", body, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
