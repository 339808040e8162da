"""The admin port takes no bodies, and keeps none."""

import asyncio

import pytest

from operating.flood import BOUND, flood, forget_peak, peak


@pytest.mark.parametrize("line", ["GET /metrics", "POST /api/v1/functions", "POST /nothing"])
async def test_a_body_without_end_is_not_kept(world, line):
    await world.router(admin_port=0)
    forget_peak()
    before = peak()
    await asyncio.to_thread(flood, ("127.0.0.1", world.r.admin_port), line)
    assert peak() - before < BOUND
    assert await asyncio.to_thread(flood, ("127.0.0.1", world.r.admin_port), "GET /healthz") in {200, 0}
