"""How much the operator holds, against a real API server with controllers: `make bench-operator`.

1. 1,000 Functions created at once: time from each one's creation to its first whole status, and what each cost in
   calls and in CPU of every process.
2. 5,000 Functions at rest: memory and CPU of the operator's process, with autoscaler and warm pools and without.
3. Drift repaired while 5,000 are known.
4. A restart with 5,000 known: seconds until it leads and is quiet, and the writes that takes (wanted: none).

etcd, the API server and the controllers run on the same cores as the operator, so times are theirs as much as its own;
CPU seconds are each process's own. The controllers are allowed more calls a second than Kubernetes's default of 20,
because with that they would go on for a quarter of an hour and nothing would be at rest. Functions beyond the first
burst are created as fast as they are reconciled, for `GROWING` seconds at most: a slow machine makes fewer, and the
table says how many.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from cluster import flags
from cluster.control_plane import ControlPlane
from cluster.kubectl import establish, kubectl
from cluster.waiting import eventually_async
from operating.world import function, world
from wick_kube.cluster import Cluster
from wick_kube.reflector import Reflector
from wick_kube.resource import FUNCTIONS, SERVICES

CRDS = Path(__file__).parents[2] / "crds"
README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- operator -->", "<!-- /operator -->"
NAMESPACE = "scale"
RECONCILES = "kubewick_operator_reconcile_seconds_count"
ALONE = str(Path(__file__).parent / "alone.py")
GROWING = 270
"""Seconds for Functions beyond the first burst: all is to take twelve minutes, so a slow machine makes fewer."""
PATIENT = {"lease_retry": 0.5, "lease_deadline": 100, "lease_duration": 110}
"""There is no second operator to take over, and a machine so busy that a Lease is lost is not what is measured."""
BEHIND = 300
"""Functions that may wait for their status while more are created."""


class Stopwatch:
    """When each Function was created and first had a whole status."""

    def __init__(self, process):
        self.process = process
        self.created, self.done, self.event = {}, {}, asyncio.Event()

    def changed(self, address, new, old):  # noqa: ARG002 - the reflector's listener
        name = address[1]
        if name in self.created and name not in self.done and new.get("status", {}).get("conditions"):
            self.done[name] = time.monotonic()
            self.event.set()

    def deleted(self, address, old):
        pass

    async def all_but(self, number):
        """Return once no more than so many have no status yet; fail with the operator's last words where it ended."""
        while len(self.created) - len(self.done) > number:
            self.event.clear()
            try:
                async with asyncio.timeout(30):
                    await self.event.wait()
            except TimeoutError:
                missing = sorted(self.created.keys() - self.done)[:5]
                print(f"nothing for 30 s; still without a status: {missing}", flush=True)
            if self.process.child.poll() is not None:
                raise SystemExit(f"the operator ended: {self.process.tail()}")

    def latencies(self):
        return sorted(self.done[name] - at for name, at in self.created.items())


async def create(cluster, names, watch, behind):
    """As fast as twenty connections do it, and no more than `behind` ahead of the operator."""
    queue = iter(names)

    async def worker():
        for name in queue:
            await watch.all_but(behind)
            manifest = function(name)
            manifest["metadata"]["namespace"] = NAMESPACE
            watch.created[name] = time.monotonic()
            await cluster.create(manifest, field_manager="bench")

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(worker())


async def timed(process, kubeconfig, names, behind=sys.maxsize):
    """Create these and wait for their statuses; seconds of the creation, and each one's until its status."""
    watch = Stopwatch(process)
    async with await Cluster.connect(str(kubeconfig)) as cluster:
        reflector = Reflector(cluster, FUNCTIONS, watch, namespace=NAMESPACE)
        running = asyncio.create_task(reflector.run())
        await reflector.synced.wait()
        began = time.monotonic()
        async with asyncio.timeout(600):
            await create(cluster, names, watch, behind)
            created = time.monotonic() - began
            await watch.all_but(0)
        running.cancel()
    return created, watch.latencies()


def quiet(process, known, within=120):
    """Wait until all known Functions are reconciled and nothing is due; seconds since the call."""
    began = time.monotonic()
    while time.monotonic() - began < within:
        try:
            reconciled = process.metric(RECONCILES)
            waiting = process.metric("kubewick_operator_queue_depth")
            if process.metric("kubewick_operator_leading") and reconciled >= known and waiting == 0:
                return time.monotonic() - began
        except OSError:
            pass
        time.sleep(0.25)
    raise SystemExit("the operator does not come to rest")


def controllers(kubeconfig, authority, address):
    """The controllers, with more calls allowed."""
    allowed = ["--kube-api-qps=500", "--kube-api-burst=1000", "--concurrent-deployment-syncs=20"]
    return [*flags.controller_manager(kubeconfig, authority, address), *allowed]


def cpu(pid):
    """CPU seconds of a process, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def usage(process):
    """Resident bytes and CPU seconds."""
    pid = process.child.pid
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(status["VmRSS"].split()[0]) * 1024, cpu(pid)


class Bill:
    """What everybody spends from now on."""

    def __init__(self, plane, process):
        self.process = process
        self.pids = {"operator": process.child.pid}
        self.pids |= {name: server.process.pid for name, server in plane.servers.items()}
        self.before = self._now()

    def _now(self):
        calls = "kubewick_operator_api_calls_total"
        looks, writes = self.process.metric(RECONCILES), self.process.writes()
        return {name: cpu(pid) for name, pid in self.pids.items()} | {
            "looks": looks,
            "writes": writes,
            "calls": self.process.metric(calls),
            "429": self.process.metric(calls, code="429"),
        }

    def each(self, count):
        """The same for one of `count` Functions."""
        spent = {name: now - self.before[name] for name, now in self._now().items()}
        milliseconds = ", ".join(f"{name} {1000 * spent[name] / count:.0f}" for name in self.pids)
        one = {name: f"{spent[name] / count:.1f}" for name in ("looks", "calls", "writes")}
        return (
            f"{one['looks']} looks, {one['calls']} calls, {one['writes']} of them writes to it and its children; "
            f"{spent['429']:.0f} calls in all answered with 429; milliseconds of CPU: {milliseconds}"
        )


def percentile(values, share):
    return values[min(len(values) - 1, int(len(values) * share))]


def settled(process, within=60):
    """Wait until the controllers' work no longer reaches the operator: five seconds with little beyond resync."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        before = process.metric(RECONCILES)
        time.sleep(5)
        if process.metric(RECONCILES) - before < 100:
            return


def at_rest(process, seconds):
    """Megabytes, and per cent of a core, over `seconds`."""
    (_, before), began, reconciled = usage(process), time.monotonic(), process.metric(RECONCILES)
    time.sleep(seconds)
    memory, after = usage(process)
    share = 100 * (after - before) / (time.monotonic() - began)
    return f"{memory / 1e6:.0f} MB, {share:.2f} % of a core, {process.metric(RECONCILES) - reconciled:.0f} looks"


def burst(process, kubeconfig, count):
    """Create this many at once."""
    created, latencies = asyncio.run(timed(process, kubeconfig, [f"a{number}" for number in range(count)]))
    p50, p95 = percentile(latencies, 0.5), percentile(latencies, 0.95)
    errors = process.metric("kubewick_operator_reconcile_errors_total")
    return (
        f"created in {created:.1f} s; reconciled after p50 {p50:.1f} s, p95 {p95:.1f} s, last {latencies[-1]:.1f} s; "
        f"{process.writes():.0f} writes, {errors:.0f} errors, {usage(process)[1]:.1f} s of CPU"
    )


async def harmed(kubeconfig, names):
    """Seconds until the Service of each of these is there again after it was deleted."""
    seconds = []
    async with await Cluster.connect(str(kubeconfig)) as cluster:
        for name in names:
            await cluster.delete(SERVICES, NAMESPACE, name)
            began = time.monotonic()
            await eventually_async(lambda name=name: cluster.find(SERVICES, NAMESPACE, name), within=60, every=0.02)
            seconds.append(time.monotonic() - began)
    return sorted(seconds)


def repaired(kubeconfig, count=20):
    seconds = asyncio.run(harmed(kubeconfig, [f"a{number}" for number in range(count)]))
    return f"p50 {percentile(seconds, 0.5):.2f} s, longest of {count} {seconds[-1]:.2f} s"


def grow(process, kubeconfig, have, want, seconds):
    """Create more, as many as there is time for; how many there are then."""
    end = time.monotonic() + seconds

    def names():
        nonlocal have
        while have < want and time.monotonic() < end:
            have += 1
            yield f"b{have}"

    asyncio.run(timed(process, kubeconfig, names(), BEHIND))
    return have


def measure(made, wanted):
    """Rows of the table: what was asked, the goal, and the answer."""
    kubeconfig = made.plane.kubeconfig
    settings = {**PATIENT, "pool_key": "bench"}
    process = made.operator(identity="first", **settings)
    process.wait_until_it_leads()
    bill = Bill(made.plane, process)
    yield f"{wanted.burst:,} created at once", "p95 < 60 s", burst(process, kubeconfig, wanted.burst)
    settled(process)
    yield "what each of them cost", "", bill.each(wanted.burst)
    began = time.monotonic()
    known = grow(process, kubeconfig, wanted.burst, wanted.total, GROWING)
    print(f"grown to {known:,} in {time.monotonic() - began:.0f} s", flush=True)
    quiet(process, known)
    settled(process)
    yield f"{known:,} at rest", "< 250 MB, < 2 %", at_rest(process, wanted.seconds)
    yield "a deleted Service of one of them is there again", "< 1 s", repaired(kubeconfig)
    process.stop()
    process = made.operator(identity="second", **settings)
    seconds = quiet(process, known)
    answer = f"{seconds:.1f} s, {process.writes():.0f} writes, {usage(process)[1]:.1f} s of CPU"
    yield f"restart with {known:,}: leads and is quiet", "< 30 s, 0 writes", answer
    yield f"{known:,} at rest after it", "< 250 MB, < 2 %", at_rest(process, wanted.seconds)
    process.stop()
    process = made.operator(identity="third", program=[ALONE], **PATIENT)
    quiet(process, known)
    yield "the same without autoscaler and warm pools", "", at_rest(process, wanted.seconds / 2)


def table(rows):
    lines = ["| what | goal | measured |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    notes = (
        f"{os.cpu_count()} cores, shared with etcd, API server and controllers; load average {os.getloadavg()[0]:.1f}."
    )
    return "\n".join([*lines, "", notes])


def write(text):
    """Between the marks in `benchmarks/README.md`."""
    before, rest = README.read_text().split(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--burst", type=int, default=1000)
    parser.add_argument("--total", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=45)
    parser.add_argument("--write", action="store_true", help="write the table to benchmarks/README.md")
    wanted, rows = parser.parse_args(), []
    with (
        ControlPlane.start() as plane,
        ExitStack() as stack,
        tempfile.TemporaryDirectory() as folder,
        world(plane, Path(folder)) as made,
    ):
        plane.run(stack, "kube-controller-manager", controllers)
        establish(plane.kubeconfig, CRDS)
        kubectl(plane.kubeconfig, "create", "namespace", NAMESPACE)
        for row in measure(made, wanted):
            rows.append(row)
            print(*row, sep=" | ", flush=True)
    if wanted.write:
        write(table(rows))


if __name__ == "__main__":
    main()
