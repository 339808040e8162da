"""A tick costs what is awake, not what there is: functions at rest are not touched."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from wick_api.function import parse
from wick_autoscaler.collector import Look
from wick_autoscaler.decisions.scaler import Replicas
from wick_autoscaler.loop import Autoscaler, AutoscalerSettings

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NEVER = AutoscalerSettings(round=1e9)


def function(number=0, **scale):
    return parse(
        {
            "apiVersion": "kubewick.dev/v1alpha1",
            "kind": "Function",
            "metadata": {"name": f"f{number}"},
            "spec": {"image": "x", "scale": {"idle": "10s", "window": "10s", **scale}},
        }
    )


class Platform:
    """Gives what is asked for at once, tells what changed, and counts how often it is asked about each function."""

    def __init__(self, *functions, replicas=0):
        self.all = {each.key: each for each in functions}
        self.counts = dict.fromkeys(self.all, replicas)
        self.news, self.looks, self.listed = None, Counter(), 0

    def functions(self):
        self.listed += 1
        return list(self.all.values())

    def changed(self):
        news, self.news = self.news, {}
        return news

    def replicas(self, key):
        self.looks[key.name] += 1
        count = self.counts.get(key)
        return None if count is None else Replicas(count, count)

    def instances(self, _key):
        return []

    async def scale(self, key, decision, _replicas):
        self.counts[key] = decision.replicas
        self.news[key] = self.all[key]


async def ticks(platform, seconds, *, demand=(), settings=NEVER, then=lambda _second: None, complete=True):
    """One tick a second; `demand` maps a second to the change of the first function."""
    now = 0.0
    autoscaler = Autoscaler(platform, list, lambda: now, settings, wall=lambda: NOON + timedelta(seconds=now))
    first = next(iter(platform.all))
    async with asyncio.TaskGroup() as writers:
        for second in range(seconds):
            then(second)
            now = float(second)
            level = dict(demand).get(second)
            changes = [{first: [level, level, 0.0, 0.0]}] if level else []
            autoscaler.decide(Look(now - 1, now, changes, complete=complete), now, writers)
            await asyncio.sleep(0)  # the writes of this platform take one turn of the loop
    return autoscaler


@pytest.mark.parametrize("complete", [True, False], ids=["routers answer", "no router answers"])
async def test_functions_at_rest_are_not_touched_by_a_tick(complete):
    platform = Platform(*(function(number) for number in range(100)))
    await ticks(platform, 30, complete=complete)
    settled = platform.looks.total()
    platform = Platform(*(function(number) for number in range(100)))
    await ticks(platform, 300, complete=complete)
    assert platform.looks.total() == settled
    assert platform.listed == 1


async def test_only_the_one_with_demand_is_touched():
    platform = Platform(*(function(number) for number in range(100)))
    await ticks(platform, 60, demand=dict.fromkeys(range(30, 40), 5.0))
    awake = platform.looks.pop("f0")
    assert awake > 20
    assert max(platform.looks.values()) <= 3


async def test_an_idle_function_goes_to_zero_though_nothing_new_is_seen():
    platform = Platform(function(), replicas=1)
    await ticks(platform, 30)
    assert set(platform.counts.values()) == {0}


async def test_a_schedule_raises_a_function_at_rest_in_time():
    schedule = {"start": "5 12 * * *", "duration": "5m", "timeZone": "UTC", "min": 3}
    platform = Platform(function(schedules=[schedule]))
    counts = []
    await ticks(platform, 700, then=lambda _second: counts.extend(platform.counts.values()))
    assert counts.index(3) - 300 in {1, 2}  # seen by the tick at 12:05:00, shown after it
    assert counts[590] == 3
    assert counts[-1] == 0


async def test_what_nobody_told_is_found_in_a_round():
    platform = Platform(function(), function(1))

    def secretly(second):
        if second == 100:
            platform.counts = dict.fromkeys(platform.counts, 7)

    await ticks(platform, 100, settings=AutoscalerSettings(round=20), then=secretly)
    assert set(platform.counts.values()) == {0}
    platform.news = None
    await ticks(platform, 160, settings=AutoscalerSettings(round=20), then=secretly)
    assert set(platform.counts.values()) == {0}


@pytest.mark.parametrize("told", [True, False])
async def test_a_function_that_came_later_or_went_is_followed(told):
    late = function(1)
    platform = Platform(function())

    def change(second):
        if second == 20:
            platform.all[late.key], platform.counts[late.key] = late, 4
            platform.news = {late.key: late} if told else None
        if second == 60:
            del platform.all[late.key], platform.counts[late.key]
            platform.news = {late.key: None} if told else None

    counts = []
    autoscaler = await ticks(
        platform, 70, then=lambda second: (counts.append(platform.counts.get(late.key)), change(second))
    )
    assert counts[21] == 4
    assert 0 in counts
    assert late.key not in autoscaler.tracks
