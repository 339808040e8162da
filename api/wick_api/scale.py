"""`spec.scale`: how many instances a Function may have and what decides it; parsed with the Function, frozen.

`scale_rules` are the CRD's CEL rules for this part, one yield a rule: what the API server refuses, a file read by
``wick up`` is refused for, in the same words.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct

from wick_api.duration import Duration


class Metric(Struct, frozen=True, rename="camel", kw_only=True):
    """One signal to scale on; what `target` counts for one instance depends on `type`.

    concurrency: requests in flight plus waiting (default `spec.concurrency`); rps: requests a second (200);
    cpu, memory: per cent of what an instance requests (80); queue: requests waiting (10);
    prometheus: whatever `query` returns (no default), asked of `server` or of the one the installation names.
    """

    type: Literal["concurrency", "rps", "cpu", "memory", "queue", "prometheus"] = "concurrency"
    target: Annotated[float, Meta(gt=0)] | None = None
    query: Annotated[str, Meta(max_length=4096)] = ""
    server: Annotated[str, Meta(max_length=1024)] = ""
    secret: Annotated[str, Meta(max_length=253)] = ""
    """Secret beside the Function with `token`, or `username` and `password`; `ca.crt`, `tls.crt`, `tls.key`."""
    activation_threshold: Annotated[float, Meta(ge=0)] = 0.0
    """A prometheus value up to this is no demand, so the function may go to zero."""


class Panic(Struct, frozen=True, rename="camel", kw_only=True):
    """When a burst outruns the stable window; both in per cent, as in Knative."""

    window: Annotated[float, Meta(ge=1, le=100)] = 10.0
    """The short window, as a share of `Scale.window`; at least a second."""
    threshold: Annotated[float, Meta(ge=110, le=1000)] = 200.0
    """Load over what the ready instances were meant to carry from which the short window counts."""


class ScaleSchedule(Struct, frozen=True, rename="camel", kw_only=True):
    """Another `min` for a while: from each time `start` names, for `duration`."""

    start: Annotated[str, Meta(max_length=128)]
    """Five cron fields: minute, hour, day of month, month, day of week."""
    duration: Duration
    min: Annotated[int, Meta(ge=0, le=10_000)]
    time_zone: Annotated[str, Meta(max_length=64)] = "UTC"


class Prediction(Struct, frozen=True, rename="camel", kw_only=True):
    """Raise `min` ahead of a peak that came at the same time of earlier seasons; it only ever adds, within `max`."""

    enabled: bool = False
    season: Literal["hour", "day", "week"] = "day"
    ahead: Duration = Duration(120)


class Scale(Struct, frozen=True, rename="camel", kw_only=True):
    """Bounds and behaviour of the autoscaler for one function; times in seconds.

    The autoscaler's README has a table of these beside Knative's names for them.
    """

    min: Annotated[int, Meta(ge=0, le=10_000)] = 0
    max: Annotated[int, Meta(ge=1, le=10_000)] = 10
    initial: Annotated[int, Meta(ge=0, le=10_000)] = 0
    activation: Annotated[int, Meta(ge=1, le=10_000)] = 1
    """Instances as soon as there is any load at all."""
    metric: Literal["concurrency", "rps", "cpu", "memory", "queue"] = "concurrency"
    target: Annotated[float, Meta(gt=0)] | None = None
    utilization: Annotated[int, Meta(ge=1, le=100)] = 70
    """Per cent of `target` to aim for, for concurrency and rps."""
    metrics: Annotated[tuple[Metric, ...], Meta(max_length=8)] = ()
    """Several signals, the largest answer wins; replaces `metric` and `target`."""
    window: Duration = Duration(60)
    average: Literal["linear", "exponential"] = "linear"
    panic: Panic = Panic()
    up_rate: Annotated[float, Meta(gt=1)] = 1000.0
    """At most this many times the ready instances in one step."""
    down_rate: Annotated[float, Meta(gt=1)] = 2.0
    """At least one this-many-th of the ready instances is left by one step."""
    down_delay: Duration = Duration(0)
    """Fewer instances only after wanting fewer for so long."""
    idle: Duration = Duration(60)
    """How long without demand before `min` (zero, by default)."""
    schedules: Annotated[tuple[ScaleSchedule, ...], Meta(max_length=16)] = ()
    prediction: Prediction = Prediction()


_CRON_FIELDS = ("[1-5]?[0-9]", "1?[0-9]|2[0-3]", "[1-9]|[12][0-9]|3[01]", "[1-9]|1[0-2]", "[0-7]")


def _cron_pattern() -> str:
    """A regular expression for five cron fields of numbers in range, lists, spans and steps."""

    def field(number: str) -> str:
        span = f"(\\*|({number})(-({number}))?)(/[1-9][0-9]?)?"
        return f"{span}(,{span})*"

    return " ".join(field(number) for number in _CRON_FIELDS)


CRON_PATTERN = f"^{_cron_pattern()}$"
TIME_ZONE_PATTERN = r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"
LONGEST_WINDOW = LONGEST_DELAY = 3600
LONGEST_SEASON_AHEAD = 3600
LONGEST_IDLE = 7 * 24 * 3600
LONGEST_SCHEDULE = 24 * 3600


def scale_rules(scale: Scale) -> Iterator[tuple[bool, str]]:
    """Rules of `spec.scale` that cross fields or need a duration read."""
    at = "spec.scale"
    yield scale.max < scale.min, f"{at}.max: must be at least spec.scale.min"
    yield scale.initial > scale.max, f"{at}.initial: must be at most spec.scale.max"
    yield scale.activation > scale.max, f"{at}.activation: must be at most spec.scale.max"
    yield not 1 <= scale.window <= LONGEST_WINDOW, f"{at}.window: must be from 1s to 1h"
    yield scale.idle > LONGEST_IDLE, f"{at}.idle: must be at most 168h"
    yield scale.down_delay > LONGEST_DELAY, f"{at}.downDelay: must be at most 1h"
    yield (
        not 0 < scale.prediction.ahead <= LONGEST_SEASON_AHEAD,
        f"{at}.prediction.ahead: must be more than 0s and at most 1h",
    )
    for position, metric in enumerate(scale.metrics):
        where, named = f"{at}.metrics[{position}]", metric.type == "prometheus"
        yield named and not (metric.query and metric.target), f"{where}: prometheus needs query and target"
        others = metric.query or metric.server or metric.secret or metric.activation_threshold
        yield (
            not named and bool(others),
            f"{where}: query, server, secret and activationThreshold belong to type prometheus",
        )
        yield (
            metric.server != "" and not re.match(r"https?://[^/]", metric.server),
            f"{where}.server: must start with http:// or https://",
        )
    yield (
        any(schedule.min > scale.max for schedule in scale.schedules),
        f"{at}.schedules: min must be at most spec.scale.max",
    )
    for position, schedule in enumerate(scale.schedules):
        where = f"{at}.schedules[{position}]"
        yield not re.match(CRON_PATTERN, schedule.start), f"{where}.start: {schedule.start!r} is not five cron fields"
        yield not _is_time_zone(schedule.time_zone), f"{where}.timeZone: is not the name of a time zone"
        yield not 0 < schedule.duration <= LONGEST_SCHEDULE, f"{where}.duration: must be more than 0s and at most 24h"


def _is_time_zone(name: str) -> bool:
    if not re.match(TIME_ZONE_PATTERN, name):
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):  # a folder of the database, such as "Europe", is an OSError
        return False
    return True
