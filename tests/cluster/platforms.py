"""The two platforms a story can be told to: Kubewick on a cluster, and `wick up`. Stories need not know which."""

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from cluster import calling
from cluster.calling import Answer
from cluster.kubectl import kubectl
from cluster.waiting import PATIENCE, eventually
from cluster.wick import WICK

Manifest = dict[str, Any]


class Platform(Protocol):
    """Where functions run."""

    def deploy(self, *functions: Manifest) -> None:
        """Apply these Functions, new or changed; waits until calls find them."""

    def call(self, name: str, path: str = "/", **options: Any) -> Answer:
        """Call a function; options as of `calling.call`."""

    def instances(self, name: str) -> list[str]:
        """Ids of the function's instances that can take requests."""

    def delete(self, name: str) -> None:
        """Remove a Function."""

    def shown(self, name: str) -> Manifest:
        """The Function with its status."""


def function(name: str, code: str, **spec: Any) -> Manifest:
    """A Function with inline source; the other fields of its spec by name."""
    return {
        "apiVersion": "kubewick.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": name},
        "spec": {"source": {"inline": {"main.py": code}}, **spec},
    }


class OnCluster:
    """Kubewick on a cluster; every story has a namespace of its own."""

    def __init__(self, kubeconfig: Path, router: str, namespace: str) -> None:
        self.kubeconfig = kubeconfig
        self.router = router
        self.namespace = namespace

    def kubectl(self, *arguments: str, **options: Any) -> str:
        return kubectl(self.kubeconfig, *arguments, "--namespace", self.namespace, **options)

    def get(self, *arguments: str) -> Manifest:
        """`kubectl get` as JSON."""
        found: Manifest = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return found

    def deploy(self, *functions: Manifest) -> None:
        self.apply(*functions)
        for each in functions:
            if each["kind"] == "Function":
                name = each["metadata"]["name"]
                eventually(lambda name=name: self._reconciled(name))

    def _reconciled(self, name: str) -> bool:
        shown = self.shown(name)
        return bool(shown.get("status", {}).get("observedGeneration") == shown["metadata"]["generation"])

    def apply(self, *objects: Manifest) -> None:
        """Apply and return at once."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(listed))

    def call(self, name: str, path: str = "/", **options: Any) -> Answer:
        return calling.call(f"{self.router}/function/{self.namespace}/{name}{path}", **options)

    def pods(self, name: str) -> list[Manifest]:
        """The function's pods that are not on their way out."""
        items = self.get("pods", "--selector", f"kubewick.dev/function={name}")["items"]
        return [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]

    def instances(self, name: str) -> list[str]:
        return [pod["metadata"]["name"] for pod in self.pods(name) if _ready(pod)]

    def delete(self, name: str) -> None:
        self.kubectl("delete", "function", name)

    def shown(self, name: str) -> Manifest:
        return self.get("function", name)

    def why(self, name: str) -> str:
        return str(self.shown(name).get("status", {}).get("why", ""))


def _ready(pod: Manifest) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


class Local:
    """A real `wick up` on a folder of one's own, in the namespace `default`."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.printed: list[str] = []
        self.port = 0
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator["Local"]:
        """Start it and wait until it serves; however the block ends, it is stopped."""
        (folder / "resident.yaml").write_text(json.dumps(function("resident", "")))  # it wants at least one Function
        command = [str(WICK), "up", str(folder), "--port", "0", "--admin-port", "0", "--plain"]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        local = cls(process, folder)
        try:
            local.port = int(eventually(local._announced))
            yield local
        finally:
            local.stop()

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        self.process.send_signal(number)
        try:
            self.process.wait(timeout=PATIENCE)
        finally:
            self.process.kill()
            self._reader.join()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            self.printed.extend(line.rstrip() for line in lines)

    def _announced(self) -> str:
        found = re.search(r"serving at http://[^:]+:(\d+)", "\n".join(self.printed))
        if self.process.poll() is not None:
            raise RuntimeError(f"wick up ended: {self.printed}")
        assert found, self.printed
        return found.group(1)

    def deploy(self, *functions: Manifest) -> None:
        for each in functions:
            file = self.folder / f"{each['metadata']['name']}.yaml"
            fresh = file.with_suffix(".new")
            fresh.write_text(json.dumps(each))
            fresh.replace(file)
        for each in functions:
            eventually(lambda name=each["metadata"]["name"]: self._known(name))

    def _known(self, name: str) -> bool:
        return self._describe(name).returncode == 0

    def call(self, name: str, path: str = "/", **options: Any) -> Answer:
        return calling.call(f"http://127.0.0.1:{self.port}/function/default/{name}{path}", **options)

    def instances(self, name: str) -> list[str]:
        return [each["id"] for each in self.shown(name)["instances"] if each["state"] == "ready"]

    def delete(self, name: str) -> None:
        (self.folder / f"{name}.yaml").unlink()

    def shown(self, name: str) -> Manifest:
        shown: Manifest = json.loads(self._describe(name).stdout)
        return shown

    def _describe(self, name: str) -> "subprocess.CompletedProcess[str]":
        command = [str(WICK), "describe", name, "-o", "json", "--local", "--port", str(self.port)]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
