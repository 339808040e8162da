"""Real instances: `python -m wick_runtime` with ports of its own, stopped and reaped by the fixture."""

import functools
import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from cluster import tools, waiting
from cluster.waiting import PATIENCE

HERE = Path(__file__).parent
VARIANTS = {
    "uvloop-httptools": {"KUBEWICK_LOOP": "uvloop", "KUBEWICK_PARSER": "httptools"},
    "asyncio-python": {"KUBEWICK_LOOP": "asyncio", "KUBEWICK_PARSER": "python"},
}

eventually = functools.partial(waiting.eventually, every=0.005)
"""An instance starts in less than a tenth of a second: ask often."""


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def message(self):
        return self.json["error"]["message"]


class Instance:
    """A running instance."""

    def __init__(self, folder, env, *, python=sys.executable):
        self.folder = folder
        self.log = folder / "log"
        base = {name: value for name, value in os.environ.items() if not name.startswith(("KUBEWICK_", "PYTEST_"))}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [python, "-m", "wick_runtime"],
                env=base | {"PORT": "0", "KUBEWICK_CONTROL_PORT": "0", "KUBEWICK_CODE": str(folder / "code")} | env,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        line = eventually(lambda: next((x for x in self.output if "control port" in x), None) or self.process.poll())
        assert isinstance(line, str), self.output
        words = line.replace(",", "").split()
        self.port = 0 if "dormant" in words else int(words[3])
        self.control_port = int(words[-1])
        if not any("POOL" in name for name in env):
            eventually(lambda: self.state() != "loading" or "GO" in env)

    @property
    def output(self):
        return self.log.read_text().splitlines()

    @property
    def lines(self):
        """What the function printed, parsed, but for a line that is being written."""
        whole = self.log.read_text().rpartition("\n")[0].splitlines()
        return [json.loads(line) for line in whole if line.startswith("{")]

    def control(self, path, method="GET", body=None, headers=None):
        return call(self.control_port, path, method, body, headers)

    def request(self, path="/", method="GET", body=None, headers=None):
        return call(self.port, path, method, body, headers)

    def state(self):
        return self.control("/readyz").json["state"]

    def known(self):
        """Wait until the outcome of loading is known."""
        eventually(lambda: self.state() not in ("loading", "pool"))
        return self

    def connect(self):
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def metric(self, name, **labels):
        """The sum of a series over what `labels` leave open."""
        found = 0.0
        for line in self.control("/metrics").text.splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] == name and all(f'{k}="{v}"' in series for k, v in labels.items()):
                found += float(value)
        return found

    def pids(self):
        """Every process of the instance, the supervisor first."""
        found = [self.process.pid]
        for pid in found:
            try:
                found += [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
            except FileNotFoundError:
                continue
        return found

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        if self.process.poll() is None:
            self.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(PATIENCE)
        return self.process.returncode


def call(port, path, method="GET", body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return Answer(response, response.read())
    finally:
        connection.close()


@pytest.fixture(name="eventually")
def _eventually():
    return eventually


@pytest.fixture(scope="session")
def launch():
    """The class, for fixtures that keep one instance for many tests and stop it themselves."""
    return Instance


@pytest.fixture
def start(tmp_path):
    """`start(code, **env)`: an instance with `code` as its main.py (or a mapping of files), loaded or failed."""
    running = []

    def begin(code=None, *, wait=True, **env):
        folder = tmp_path / f"instance{len(running)}"
        (folder / "code").mkdir(parents=True)
        files = code if isinstance(code, dict) else {"main.py": code} if code is not None else {}
        for name, text in files.items():
            path = folder / "code" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        instance = Instance(folder, {name: str(value) for name, value in env.items()})
        running.append(instance)
        return instance.known() if wait else instance

    yield begin
    for instance in running:
        instance.stop()


@pytest.fixture
def start_quick(start):
    """`start`, repeated while the machine stalls: the code is loaded quickly enough to be served by who loaded it."""

    def begin(code, **env):
        def look():
            instance = start(code, **env)
            if "loads the code for itself, which takes" in instance.control("/readyz").json["forking"]:
                return instance
            return instance.stop()

        return eventually(look)

    return begin


@pytest.fixture(params=list(VARIANTS))
def variant(request):
    """Both loops and both parsers."""
    return VARIANTS[request.param]


@pytest.fixture(scope="session")
def libraries():
    """A folder with the frameworks, beside the project's environment and not in it; made once per machine."""
    return installed("frameworks", ["-r", HERE / "frameworks.txt"], ["--no-deps", "-r", HERE / "bare.txt"])


@pytest.fixture(scope="session")
def install():
    """`install(name, [requirement, ...])`: a folder with what pip makes of it."""
    return installed


def installed(name, *wanted):
    """A folder with what pip makes of each of `wanted`, its arguments; made once per machine."""
    texts = [
        argument.read_bytes() if isinstance(argument, Path) else argument.encode()
        for each in wanted
        for argument in each
    ]
    digest = hashlib.sha256(b" ".join(texts)).hexdigest()[:12]
    folder = tools.cache() / f"{name}-{sys.implementation.cache_tag}-{digest}"
    with tools.locked(folder.with_suffix(".lock")):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}-") as made:
                whole = Path(made) / "whole"
                for arguments in wanted:
                    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", whole, *arguments]
                    subprocess.run(command, check=True, timeout=300)
                whole.rename(folder)
    return folder
