"""The limit of requests in flight, and what is counted of those that ran."""

from types import SimpleNamespace

import pytest

from wick_runtime.config import RequestLimits
from wick_runtime.ipc.request_counter import FLUSH, Tally
from wick_runtime.ipc.shared_table import BUCKET, BUCKETS, OUTCOME, SUM, SharedTable
from wick_runtime.run.admission import ERROR, OK, REFUSED, Admission


@pytest.fixture
async def admission():
    return Admission(RequestLimits(concurrency=2), SharedTable())


def ran(begun):
    return SimpleNamespace(begun=begun)


async def test_no_more_are_let_in_than_the_limit_says_and_each_that_leaves_makes_room(admission):
    assert [admission.enter(), admission.enter()] == [None, None]
    full = admission.enter()
    assert (full.status, full.refused) == (429, "concurrency")
    admission.leave()
    assert admission.enter() is None
    assert admission.in_flight == 2


async def test_who_comes_while_it_drains_is_sent_on(admission):
    admission.draining = True
    refused = admission.enter()
    assert (refused.status, refused.refused, admission.in_flight) == (503, "draining", 0)


async def test_one_that_ran_makes_room_and_is_counted(admission):
    admission.enter()
    admission.done(ran(10.0), ERROR, 10.5)
    assert admission.in_flight == 0
    admission.flush()
    assert admission.table.counters[OUTCOME + ERROR] == 1
    assert admission.table.counters[SUM] == 0.5


async def test_counts_reach_the_table_by_themselves_and_once():
    import asyncio

    table = SharedTable()
    tally = Tally(table)
    for seconds in (0.0, BUCKETS[0], BUCKETS[0] * 1.01, 1e9):
        tally.count(OK, seconds)
    assert table.counters[OUTCOME + OK] == 0
    await asyncio.sleep(FLUSH * 2)
    tally.flush()
    assert table.counters[OUTCOME + OK] == 4
    assert table.counters[OUTCOME + REFUSED] == 0
    assert [table.counters[BUCKET + n] for n in (0, 1, len(BUCKETS))] == [2, 1, 1]
