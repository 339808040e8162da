"""A real `wick up` with real files, sockets and processes."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cluster.waiting import PATIENCE, eventually
from corpus.applications import HANDLERS

WICK = Path(sys.executable).with_name("wick")


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def cold(self):
        return "kubewick-cold-start" in self.headers


@dataclass
class Up:
    """One running `wick up`, its port and what it has printed."""

    process: subprocess.Popen
    port: int
    printed: list = field(default_factory=list)

    def read(self):
        self.printed.extend(line.rstrip() for line in self.process.stdout)

    def says(self, words):
        """Wait until a line with these words has been printed; the line."""

        def look():
            found = [line for line in self.printed if words in line]
            if not found and self.process.poll() is not None:
                raise RuntimeError("wick up ended:\n" + "\n".join(self.printed))
            assert found, "\n".join(self.printed)
            return found[0]

        return eventually(look)

    def call(self, name, path="/", method=None, body=None, headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            method = method or ("GET" if body is None else "POST")
            connection.request(method, f"/function/default/{name}{path}", body=body, headers=dict(headers))
            response = connection.getresponse()
            headers = {key.lower(): value for key, value in response.getheaders()}
            return Answer(response.status, headers, response.read())

    def wick(self, *words, stdin=None, code=0):
        """Another `wick` command, with --local."""
        command = [str(WICK), *map(str, words), "--local", "--port", str(self.port)]
        ran = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert ran.returncode == code, ran
        return ran

    def shown(self, name):
        return json.loads(self.wick("describe", name, "-o", "json").stdout)

    def instances(self, name):
        return [each["id"] for each in self.shown(name)["instances"] if each["state"] == "ready"]

    def stop(self, number=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout=PATIENCE)
        finally:
            self.process.kill()


@contextlib.contextmanager
def running(*paths, options=()):
    process = subprocess.Popen(
        [str(WICK), "up", *map(str, paths), "--port", "0", "--admin-port", "0", "--plain", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    up = Up(process, 0)
    reader = threading.Thread(target=up.read)
    reader.start()
    try:
        up.port = int(re.search(r"serving at http://[^:]+:(\d+)", up.says("serving at")).group(1))
        yield up
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            up.stop()
        reader.join()
        process.stdout.close()


@pytest.fixture(scope="session")
def launch():
    """What runs `wick up`, for fixtures that keep one for many tests."""
    return running


@pytest.fixture
def up():
    """Start `wick up` on paths; it is stopped at the end of the test."""
    with contextlib.ExitStack() as stack:
        yield lambda *paths, options=(): stack.enter_context(running(*paths, options=options))


@pytest.fixture
def write(tmp_path):
    """Write a function's YAML with its code into a file of its own."""

    def function(name, code, spec="", folder=tmp_path):
        indented = "".join(f"        {line}\n" for line in code.splitlines())
        extra = "".join(f"  {line}\n" for line in spec.splitlines())
        file = folder / f"{name}.yaml"
        text = (
            f"apiVersion: kubewick.dev/v1alpha1\nkind: Function\nmetadata:\n  name: {name}\nspec:\n{extra}"
            f"  source:\n    inline:\n      main.py: |\n{indented}"
        )
        fresh = file.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(file)
        return file

    return function


def processes_of(group):
    """Processes whose command line names the work folder or the runtime, under one session leader."""
    listed = subprocess.run(["ps", "-eo", "pid=,sid=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if re.search(rf"^\s*\d+\s+{group}\s", line)]


@pytest.fixture(scope="module")
def applications(launch, tmp_path_factory, libraries):
    """`wick up` that serves them all, each by a route of its own too."""
    folder = tmp_path_factory.mktemp("prefix")
    for name, (code, attribute) in HANDLERS.items():
        text = f"import os, sys\nFOLDER = {str(folder)!r}\nsys.path.append({str(libraries)!r})\n"
        function = {
            "apiVersion": "kubewick.dev/v1alpha1",
            "kind": "Function",
            "metadata": {"name": name},
            "spec": {
                "handler": f"main:{attribute}",
                "env": [{"name": "SELF", "value": name}],
                "routes": [{"host": f"{name}.shop.example"}],
                "source": {"inline": {"main.py": text + code}},
            },
        }
        (folder / f"{name}.yaml").write_text(json.dumps(function))
    with launch(folder) as up:
        yield up
