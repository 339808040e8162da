"""How much the operator holds, against a real API server with controllers: `make bench-operator`.

1. 1,000 Functions created at once: time from each one's creation to its first whole status.
2. Up to 5,000 Functions at rest: memory and CPU of the operator's process over a minute.
3. A restart with 5,000 known: time until it leads and is quiet, and the writes that takes (wanted: none).
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from cluster.control_plane import ControlPlane
from cluster.kubectl import kubectl
from operating.world import function, world
from wick_kube.cluster import Cluster
from wick_kube.reflector import Reflector
from wick_kube.resource import FUNCTIONS

CRDS = Path(__file__).parents[2] / "crds"
NAMESPACE = "scale"


class Stopwatch:
    """When each Function was created and first had a whole status."""

    def __init__(self):
        self.created, self.done, self.event = {}, {}, asyncio.Event()

    def changed(self, address, new, old):  # noqa: ARG002 - the reflector's listener
        name = address[1]
        if name in self.created and name not in self.done and new.get("status", {}).get("conditions"):
            self.done[name] = time.monotonic()
            self.event.set()

    def deleted(self, address, old):
        pass

    async def all(self):
        while len(self.done) < len(self.created):
            self.event.clear()
            await self.event.wait()

    def latencies(self):
        return sorted(self.done[name] - at for name, at in self.created.items())


async def create(cluster, names, watch):
    """As fast as twenty connections do it."""
    queue = iter(names)

    async def worker():
        for name in queue:
            manifest = function(name)
            manifest["metadata"]["namespace"] = NAMESPACE
            watch.created[name] = time.monotonic()
            await cluster.create(manifest, field_manager="bench")

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(worker())


async def timed(kubeconfig, names):
    """Create these and wait for their statuses."""
    watch = Stopwatch()
    async with await Cluster.connect(str(kubeconfig)) as cluster:
        reflector = Reflector(cluster, FUNCTIONS, watch, namespace=NAMESPACE)
        running = asyncio.create_task(reflector.run())
        await reflector.synced.wait()
        began = time.monotonic()
        await create(cluster, names, watch)
        created = time.monotonic() - began
        async with asyncio.timeout(900):
            await watch.all()
        running.cancel()
    return created, watch.latencies()


def quiet(process, known, within=300):
    """Wait until all known Functions are reconciled and nothing is due; seconds since the call."""
    began = time.monotonic()
    while time.monotonic() - began < within:
        try:
            reconciled = process.metric("kubewick_operator_reconcile_seconds_count")
            waiting = process.metric("kubewick_operator_queue_depth")
            if process.metric("kubewick_operator_leading") and reconciled >= known and waiting == 0:
                return time.monotonic() - began
        except OSError:
            pass
        time.sleep(0.25)
    raise SystemExit("the operator does not come to rest")


def usage(process):
    """Resident bytes and CPU seconds."""
    pid = process.child.pid
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return int(status["VmRSS"].split()[0]) * 1024, (int(fields[11]) + int(fields[12])) / 100


def percentile(values, share):
    return values[min(len(values) - 1, int(len(values) * share))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--burst", type=int, default=1000)
    parser.add_argument("--total", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=60)
    wanted = parser.parse_args()
    report = {}
    with (
        ControlPlane.start(controllers=True) as plane,
        tempfile.TemporaryDirectory() as folder,
        world(plane, Path(folder)) as made,
    ):
        kubectl(plane.kubeconfig, "apply", "--server-side", "-f", str(CRDS))
        kubectl(plane.kubeconfig, "wait", "--for=condition=Established", "--timeout=30s", "-f", str(CRDS))
        kubectl(plane.kubeconfig, "create", "namespace", NAMESPACE)
        process = made.operator(identity="first")
        process.wait_until_it_leads()
        created, latencies = asyncio.run(timed(plane.kubeconfig, [f"a{number}" for number in range(wanted.burst)]))
        report["burst"] = {
            "functions": wanted.burst,
            "created in s": round(created, 1),
            "p50 s": round(percentile(latencies, 0.5), 1),
            "p95 s": round(percentile(latencies, 0.95), 1),
            "max s": round(latencies[-1], 1),
            "writes": process.writes(),
            "errors": process.metric("kubewick_operator_reconcile_errors_total"),
        }
        print(json.dumps(report["burst"]), flush=True)
        rest = [f"b{number}" for number in range(wanted.total - wanted.burst)]
        if rest:
            asyncio.run(timed(plane.kubeconfig, rest))
        quiet(process, wanted.total)
        for label in ("grown", "restarted"):
            if label == "restarted":
                process.stop()
                process = made.operator(identity="second")
                report["restart"] = {
                    "quiet after s": round(quiet(process, wanted.total), 1),
                    "writes": process.writes(),
                }
                print(json.dumps(report["restart"]), flush=True)
            (_, before), began = usage(process), time.monotonic()
            time.sleep(wanted.seconds)
            memory, after = usage(process)
            report[label] = {
                "functions": wanted.total,
                "memory MB": round(memory / 1e6),
                "CPU % of a core": round(100 * (after - before) / (time.monotonic() - began), 2),
            }
            print(json.dumps({label: report[label]}), flush=True)


if __name__ == "__main__":
    main()
