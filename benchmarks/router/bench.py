"""Our router beside its peers, on this machine, in one run; `bench.py --help` lists the options.

The proxy has core 0 to itself; wrk and the nginx it proxies to share core 1. Every number is the median of the rounds,
which go through all proxies in turn, so that a noisy minute hurts everyone. CPU per request is user plus system time
of the proxy's processes from /proc, divided by wrk's requests. `--write` puts the tables into benchmarks/README.md.
"""

import argparse
import asyncio
import contextlib
import os
import platform
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from peers import commands, prepare, upstream

from wick_router.router import FORM

UPSTREAM_PORT = 18800
CASES = [
    ("13 B", "13", 1, False),
    ("13 B", "13", 50, False),
    ("13 B", "13", 1000, False),
    ("13 B, no two heads alike", "differ", 50, False),
    ("10 KB", "10k", 50, False),
    ("10 KB", "10k", 1000, False),
    ("1 MB", "1m", 1, False),
    ("1 MB", "1m", 50, False),
    ("1 MB", "1m", 1000, False),
    ("13 B", "13", 50, True),
    ("10 KB", "10k", 50, True),
]
MARK = "<!-- router -->"


def wait_for(port):
    for _ in range(400):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    sys.exit(f"nothing listens on {port}")


def family(pid):
    """A process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in family(int(child)))]


def cpu(pid):
    """Seconds of CPU a process and its children have used."""
    total = 0
    for each in family(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def memory(pid):
    """MB resident, of a process and its children."""
    pages = sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in family(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def load(port, path, connections, seconds, *, tls):
    url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/{path}"
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
    out = subprocess.run([*command, "-H", "Host: f0.default", url], capture_output=True, text=True, check=True).stdout
    requests, took = re.search(r"(\d+) requests in ([\d.]+)", out).groups()
    errors = sum(map(int, re.findall(r"(?:Non-2xx or 3xx responses: |connect |read |write |timeout )(\d+)", out)))
    return int(requests), float(took), errors


def measure(pid, ports, case, seconds):
    _, path, connections, tls = case
    if (path, connections) == ("1m", 1000):
        seconds *= 3  # each answer takes a second or more, and what is half done at the end does not count
    before = cpu(pid)
    requests, took, errors = load(ports[tls], path, connections, seconds, tls=tls)
    return requests / took, (cpu(pid) - before) / max(1, requests) * 1e6, errors


async def paced(port, rate, seconds, connections=50):
    """Latencies in ms at a fixed rate, counted from the moment each request was due."""
    streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(connections)]
    free = asyncio.Queue()
    for stream in streams:
        free.put_nowait(stream)
    loop, taken = asyncio.get_running_loop(), []
    began = loop.time()

    async def one(due):
        reader, writer = await free.get()
        writer.write(b"GET /13 HTTP/1.1\r\nHost: f0.default\r\n\r\n")
        await reader.readuntil(b"Hello, world!")
        taken.append((loop.time() - due) * 1000)
        free.put_nowait((reader, writer))

    tasks = []
    for number in range(int(rate * seconds)):
        due = began + number / rate
        if (pause := due - loop.time()) > 0:
            await asyncio.sleep(pause)
        tasks.append(asyncio.create_task(one(due)))
    await asyncio.gather(*tasks)
    for _, writer in streams:
        writer.close()
    taken.sort()
    return statistics.median(taken), taken[int(len(taken) * 0.99)]


def hold_idle(port, pid, count):
    """MB that `count` idle connections add to a proxy."""
    before = memory(pid)
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 5))
        time.sleep(2)
        return memory(pid) - before, memory(pid)


def table(title, header, rows):
    lines = [f"### {title}", "", "| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows), ""])


def run(options):
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        folder = Path(scratch)
        folder.chmod(0o755)
        prepare(folder)

        def start(command, core):
            process = subprocess.Popen(["taskset", "-c", core, *command], stdout=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.send_signal, signal.SIGTERM)
            return process.pid

        start(upstream(folder, UPSTREAM_PORT), "1")
        proxies = {
            peer: (start(command, "0"), (port, tls))
            for peer, (command, port, tls) in commands(folder, UPSTREAM_PORT).items()
            if not options.only or peer in options.only
        }
        for port in (UPSTREAM_PORT, *(ports[0] for _, ports in proxies.values())):
            wait_for(port)
        time.sleep(1)
        seen = {}
        for _ in range(options.rounds):
            for case in CASES:
                for name, (pid, ports) in proxies.items():
                    if ports[case[3]]:
                        seen.setdefault((name, case), []).append(measure(pid, ports, case, options.seconds))
                        print(name, case, [round(x, 1) for x in seen[name, case][-1]], file=sys.stderr, flush=True)
        report = [conditions(options), throughput(proxies, seen)]
        report.append(latency(proxies, seen, options.rounds, options.seconds))
        pid, ports = proxies["kubewick"]
        added, whole = hold_idle(ports[0], pid, 10_000)
        report.append(f"10,000 idle connections to our router add {added:.0f} MB (resident then: {whole:.0f} MB).\n")
        return "\n".join(report)


def conditions(options):
    ours = [sys.executable, Path(__file__).with_name("hotpath.py")]
    own = subprocess.run(ours, capture_output=True, text=True, check=True, timeout=60).stdout
    return (
        f"Our router's warm path is {FORM} (`router/compile.py`) and takes {own.strip()} by itself (`hotpath.py`). "
        f"{platform.python_implementation()} {platform.python_version()} of {platform.python_build()[1]}, "
        f"{os.cpu_count()} cores, load average "
        f"{os.getloadavg()[0]:.1f} at the end; medians of {options.rounds} rounds of {options.seconds} s.\n"
    )


def throughput(proxies, seen):
    rows = []
    for case in CASES:
        size, _, connections, tls = case
        for name in proxies:
            if (name, case) in seen:
                rate, each, errors = (statistics.median(column) for column in zip(*seen[name, case], strict=True))
                what = f"{size}, {connections} conn.{', TLS' if tls else ''}"
                rows.append((what, name, f"{rate:,.0f}", f"{each:.1f}", f"{errors:.0f}"))
    return table("Throughput, one core", ("load", "proxy", "requests/s", "CPU µs/request", "errors"), rows)


def latency(proxies, seen, rounds, seconds):
    """At half of our own highest rate with 50 connections; medians of the rounds.

    The generator is Python and has core 1 with the upstream: a direct request at the same rate tells what it adds.
    """
    most = statistics.median(rate for rate, _, _ in seen["kubewick", CASES[1]])
    rate = max(1, int(most / 2))
    ports = {"direct": UPSTREAM_PORT, **{name: ports[0] for name, (_, ports) in proxies.items()}}
    os.sched_setaffinity(0, {1})
    taken = {}
    for _ in range(rounds):
        for name, port in ports.items():
            with contextlib.suppress(TimeoutError):
                round_trip = asyncio.run(asyncio.wait_for(paced(port, rate, seconds), 4 * seconds))
                taken.setdefault(name, []).append(round_trip)
    os.sched_setaffinity(0, range(os.cpu_count()))
    middle = {name: tuple(map(statistics.median, zip(*each, strict=True))) for name, each in taken.items()}
    rows = [("direct", *(f"{value:.2f}" for value in middle.get("direct", ())))]
    for name in proxies:
        if name not in middle or "direct" not in middle:
            rows.append((name, "cannot keep up", ""))
        else:
            rows.append((name, *(f"+{a - b:.2f}" for a, b in zip(middle[name], middle["direct"], strict=True))))
    return table(f"Latency in ms at {rate:,} requests/s, half of our highest rate", ("proxy", "p50", "p99"), rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    report = run(options)
    print(report)
    if options.write:
        path = Path(__file__).parents[1] / "README.md"
        before, _, rest = path.read_text().partition(MARK)
        after = rest.partition(MARK)[2]
        path.write_text(f"{before}{MARK}\n{report}\n{MARK}{after}")


if __name__ == "__main__":
    main()
