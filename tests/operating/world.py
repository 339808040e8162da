"""The real operator process against a real API server."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cluster.control_plane import ControlPlane
from cluster.kubectl import Refused, kubectl
from cluster.process import free_ports
from cluster.waiting import PATIENCE, eventually

SYSTEM = "kubewick-system"


class Process:
    """``python -m wick_operator`` as a child; `stop` is SIGTERM, `kill` is SIGKILL."""

    def __init__(self, kubeconfig, log, program=("-m", "wick_operator"), **settings):
        (self.port,) = free_ports(1)
        named = {f"KUBEWICK_OPERATOR_{name.upper()}": str(value) for name, value in settings.items()}
        environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "KUBEWICK_OPERATOR_ADMIN_HOST": "127.0.0.1",
            "KUBEWICK_OPERATOR_ADMIN_PORT": str(self.port),
            **named,
        }
        self.log = Path(log)
        with self.log.open("ab") as out:
            command = ["setpriv", "--pdeathsig", "KILL", sys.executable, *program]
            self.child = subprocess.Popen(command, env=environment, stdout=out, stderr=out)

    def ask(self, path, timeout=PATIENCE):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=timeout) as answer:
            return answer.read().decode()

    def metric(self, name, **labels):
        """The sum of a metric's series with these labels; 0 where it has none."""
        lines = [line for line in self.ask("/metrics").splitlines() if line.split("{")[0].split(" ")[0] == name]
        lines = [line for line in lines if all(f'{label}="{value}"' in line for label, value in labels.items())]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def writes(self):
        """Writes sent to the API server so far, those to the Lease left out."""
        return self.metric("kubewick_operator_writes_total")

    def leads(self):
        try:
            return self.metric("kubewick_operator_leading") == 1
        except OSError:
            return False

    def wait_until_it_leads(self):
        eventually(lambda: self.leads() or (self.child.poll() is not None and self.tail()))
        assert self.child.poll() is None, self.tail()

    def tail(self):
        return self.log.read_text()[-3000:]

    def stop(self):
        """SIGTERM; the exit code."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self):
        self.child.kill()
        self.child.wait(PATIENCE)


@dataclass
class World:
    """A control plane, its objects, and the operators a test starts on it."""

    plane: ControlPlane
    folder: Path
    started: list = field(default_factory=list)

    def operator(self, *, kubeconfig=None, **settings):
        process = Process(
            kubeconfig or self.plane.kubeconfig, self.folder / f"operator-{len(self.started)}.log", **settings
        )
        self.started.append(process)
        return process

    def apply(self, namespace, *manifests):
        for manifest in manifests:
            kubectl(self.plane.kubeconfig, "apply", "-n", namespace, "-f", "-", stdin=json.dumps(manifest))

    def get(self, kind, name, namespace, **more):
        """An object, None where there is none."""
        flags = ["--show-managed-fields"] if more.get("fields") else []
        try:
            text = kubectl(self.plane.kubeconfig, "get", kind, name, "-n", namespace, "-o", "json", *flags)
        except Refused as error:
            if "NotFound" in error.stderr:
                return None
            raise
        return json.loads(text)

    def list(self, kind, namespace, *flags):
        text = kubectl(self.plane.kubeconfig, "get", kind, "-n", namespace, "-o", "json", *flags)
        return json.loads(text)["items"]

    def patch(self, kind, name, namespace, patch, *flags):
        arguments = ["patch", kind, name, "-n", namespace, "--type=merge", "-p", json.dumps(patch), *flags]
        kubectl(self.plane.kubeconfig, *arguments)

    def status(self, name, namespace, until):
        """The Function's status once `until(status)` holds."""

        def look():
            status = (self.get("fn", name, namespace) or {}).get("status") or {}
            assert until(status), status.get("why") or status
            return status

        return eventually(look, every=0.1)

    def ready(self, name, namespace, reason="Idle"):
        """The status once its condition Ready has this reason."""
        return self.status(name, namespace, lambda status: condition(status, "Ready").get("reason") == reason)

    def outlive_the_second_of(self, name, namespace):
        """Wait until what is created next is younger: ages are whole seconds, and of two as old a uid decides."""
        created = datetime.fromisoformat(self.get("fn", name, namespace)["metadata"]["creationTimestamp"])
        eventually(lambda: time.time() >= created.timestamp() + 1)


def condition(status, kind):
    return next((each for each in status.get("conditions", ()) if each["type"] == kind), {})


@contextmanager
def world(plane, folder):
    """A world whose operators end with it."""
    try:
        kubectl(plane.kubeconfig, "create", "namespace", SYSTEM)
    except Refused as error:
        if "AlreadyExists" not in error.stderr:
            raise
    made = World(plane, folder)
    try:
        yield made
    finally:
        for process in made.started:
            process.stop()


def function(name="hello", **spec):
    if "image" not in spec and "source" not in spec:
        spec = {"source": {"inline": {"main.py": "def handle(): return 'hi'"}}, **spec}
    return {"apiVersion": "kubewick.dev/v1alpha1", "kind": "Function", "metadata": {"name": name}, "spec": spec}
