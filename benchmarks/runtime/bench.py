"""Our runtime beside functions-framework, uvicorn, granian and gunicorn with Flask, in one run on this machine.

Each server runs alone, pinned to one core, one worker; the load (wrk, keep-alive, 32 connections) to another. Measured:

- start: from exec to the first 200, polled each millisecond; the median of `STARTS`
- fork: from `POST /specialize` to an instance of the pool to the first 200; the median of `STARTS`
- CPU: user and system time of the server's whole process tree over a load, by request; the median of `LOADS`
- memory: the proportional set size of the process tree, idle after one request

Ours runs from a compiled copy, as in its image: pip compiles the peers when it installs them.

Run by `make bench-runtime`; prints a Markdown table.
"""

import argparse
import compileall
import contextlib
import hashlib
import http.client
import json
import os
import py_compile
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
APPS = HERE / "apps"
ROOT = HERE.parents[1]
STARTS = 9
LOADS = 5
SECONDS = 3
CONNECTIONS = 32
BEGIN, END = "<!-- bench-runtime -->", "<!-- /bench-runtime -->"
TOKEN = hashlib.sha256(b"t").hexdigest()
TICK = os.sysconf("SC_CLK_TCK")


def compiled(folder):
    """A copy of our runtime with its bytecode, made the way the Dockerfile makes it; where to import it from."""
    shutil.copytree(ROOT / "runtime-image" / "wick_runtime", Path(folder) / "wick_runtime")
    compileall.compile_dir(folder, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    return folder


def servers(python, port, packages):
    """Command and environment by name; `packages` has our runtime."""
    bin_ = Path(python).parent
    ours = {"PORT": str(port), "KUBEWICK_CONTROL_PORT": str(port + 1), "KUBEWICK_CODE": str(APPS)}
    ours |= {"PYTHONPATH": str(packages), "KUBEWICK_CONCURRENCY": "100"}
    run = [python, "-m", "wick_runtime"]
    return {
        "kubewick, async": (run, ours | {"KUBEWICK_HANDLER": "native:handle"}),
        "kubewick, sync": (run, ours | {"KUBEWICK_HANDLER": "plain:handle"}),
        "kubewick, async, no uvloop or httptools": (
            run, ours | {"KUBEWICK_HANDLER": "native:handle", "KUBEWICK_LOOP": "asyncio", "KUBEWICK_PARSER": "python"},
        ),
        "kubewick, bare ASGI": (run, ours | {"KUBEWICK_HANDLER": "asgi:app"}),
        "uvicorn, bare ASGI": (
            [str(bin_ / "uvicorn"), "--port", str(port), "--no-access-log", "--log-level", "error", "asgi:app"], {},
        ),
        "granian, bare ASGI": (
            [str(bin_ / "granian"), "--interface", "asgi", "--port", str(port), "--no-log", "asgi:app"], {},
        ),
        "gunicorn + Flask": (
            [str(bin_ / "gunicorn"), "-b", f"127.0.0.1:{port}", "-k", "gthread", "--threads", "8", "flaskapp:app"], {},
        ),
        "functions-framework": (
            [str(bin_ / "functions-framework"), "--target", "hello", "--source", str(APPS / "google.py"),
             "--port", str(port), "--host", "127.0.0.1"], {},
        ),
    }  # fmt: skip


class Server:
    """One server, running."""

    def __init__(self, command, env, port, core):
        self.port = port
        base = {name: value for name, value in os.environ.items() if not name.startswith("KUBEWICK_")}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), *command], env=base | env, cwd=APPS, stdout=self._log, stderr=self._log,
            start_new_session=True,
        )  # fmt: skip

    def first_answer(self, began=None):
        """Seconds from the start to the first 200."""
        began = began or self.began
        while time.perf_counter() < began + 20:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/")
                if connection.getresponse().read() == b"hello":
                    return time.perf_counter() - began
            except OSError:
                time.sleep(0.001)
            finally:
                connection.close()
        self._log.seek(0)
        raise SystemExit(f"{self.process.args} did not answer: {self._log.read().decode()[-500:]}")

    def tree(self):
        pids = [self.process.pid]
        for pid in pids:
            try:
                for thread in Path(f"/proc/{pid}/task").iterdir():
                    pids += [int(child) for child in (thread / "children").read_text().split()]
            except FileNotFoundError:
                continue
        return pids

    def cpu(self):
        """Seconds used by the tree so far."""
        return sum(sum(map(int, stat(pid)[11:13])) for pid in self.tree()) / TICK

    def memory(self):
        """Proportional set size of the tree, MB."""
        found = 0
        for pid in self.tree():
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            found += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1])
        return found / 1024

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._log.close()


def stat(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return ["0"] * 20


def load(port, core):
    """Requests a load got through, and requests a second."""
    command = [
        "taskset",
        "-c",
        str(core),
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{SECONDS}s",
        f"http://127.0.0.1:{port}/",
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    failed = re.search(r"Non-2xx.*: (\d+)", text)
    if failed:
        raise SystemExit(f"{failed[0]} under load")
    return int(re.search(r"(\d+) requests in", text)[1]), float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])


def measure(command, env, port, cores):
    starts = []
    for _ in range(STARTS):
        with Server(command, env, port, cores[0]) as server:
            starts.append(server.first_answer() * 1000)
    costs, rates = [], []
    with Server(command, env, port, cores[0]) as server:
        server.first_answer()
        memory = server.memory()
        load(port, cores[1])
        for _ in range(LOADS):
            before = server.cpu()
            requests, rate = load(port, cores[1])
            costs.append((server.cpu() - before) / requests * 1e6)
            rates.append(rate)
    return statistics.median(starts), statistics.median(costs), statistics.median(rates), memory


def specialized(server, order):
    """Seconds from the order to the first 200."""
    while not answers(server.port + 1):
        time.sleep(0.005)
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", server.port + 1, timeout=10)
    connection.request("POST", "/specialize", order, {"Authorization": "Bearer t"})
    said = connection.getresponse()
    if said.status != 200:
        raise SystemExit(f"specialize: {said.read().decode()}")
    connection.close()
    return server.first_answer(began)


def fork(python, port, core, packages):
    """Milliseconds from `specialize` to the first 200, in an instance of the pool."""
    env = dict(servers(python, port, packages)["kubewick, async"][1])
    code = (APPS / "native.py").read_text()
    order = json.dumps({"handler": "main:handle", "files": {"main.py": code}, "concurrency": 100})
    found = []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as folder:
            pooled = {"KUBEWICK_POOL": "1", "KUBEWICK_TOKEN_SHA256": TOKEN, "KUBEWICK_CODE": f"{folder}/function"}
            run = [python, "-m", "wick_runtime"]
            with Server(run, env | pooled, port, core) as server:
                found.append(specialized(server, order) * 1000)
    return statistics.median(found)


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def table(python, port, only, packages):
    """The result, line by line."""
    version, busy = sys.version.split()[0], os.getloadavg()[0]
    yield f"Python {version}, {os.cpu_count()} cores, load average {busy:.1f} at the start.\n"
    yield "| server | exec to first 200, ms | CPU a request, µs | requests/s on one core | idle memory, MB |"
    yield "|---|---|---|---|---|"
    cores = (0, 1) if os.cpu_count() > 1 else (0, 0)
    for name, (command, env) in servers(python, port, packages).items():
        if only in name:
            start, cost, rate, memory = measure(command, env, port, cores)
            yield f"| {name} | {start:.0f} | {cost:.1f} | {rate:,.0f} | {memory:.1f} |"
    yield f"\nFork to first 200, in an instance of the pool: {fork(python, port, cores[0], packages):.1f} ms."


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", help="the interpreter of the benchmark's environment")
    parser.add_argument("--port", type=int, default=18480)
    parser.add_argument("--only", default="", help="servers whose name contains this")
    parser.add_argument("--write", type=Path, help="a Markdown file with the marks to put the result between")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no server stays behind
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for line in table(given.python, given.port, given.only, compiled(folder)):
            lines.append(line)
            print(line, flush=True)
    if given.write:
        before, mark, rest = given.write.read_text().partition(BEGIN)
        _, end, after = rest.partition(END)
        given.write.write_text(before + mark + "\n" + "\n".join(lines) + "\n" + end + after)


if __name__ == "__main__":
    main()
