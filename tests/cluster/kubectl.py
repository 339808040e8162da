"""kubectl, for tests: the errors it raises say what the API server said."""

import itertools
import json
import re
import subprocess
from pathlib import Path

from cluster import tools
from cluster.waiting import PATIENCE, eventually

_numbers = itertools.count(1)


class Refused(subprocess.CalledProcessError):
    """kubectl failed; unlike its base, the message says why."""

    def __str__(self) -> str:
        return f"{super().__str__()}\n{self.stderr}"


def kubectl(kubeconfig: Path, *arguments: str, stdin: str | None = None, timeout: float = PATIENCE) -> str:
    """kubectl's standard output; `Refused` when it fails. `timeout` in seconds."""
    command = [tools.path("kubectl"), f"--kubeconfig={kubeconfig}", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        raise Refused(done.returncode, command, done.stdout, done.stderr)
    return done.stdout


def fresh_namespace(kubeconfig: Path, test: str) -> str:
    """Make a namespace for one test and return its name, which tells the test's; nobody else uses it."""
    readable = re.sub(r"[^a-z0-9]+", "-", test.lower().removeprefix("test_")).strip("-")[:40].strip("-")
    name = f"t{next(_numbers)}-{readable}".strip("-")
    kubectl(kubeconfig, "create", "namespace", name)
    return name


def establish(kubeconfig: Path, crds: Path) -> None:
    """Apply the resource definitions in folder `crds` and wait until objects of theirs can be made.

    Not by ``kubectl wait``, which fails at once while the conditions of a new definition are null.
    """
    kubectl(kubeconfig, "apply", "--server-side", "-f", str(crds))
    eventually(lambda: _established(kubectl(kubeconfig, "get", "-f", str(crds), "--output=json")))


def _established(definitions: str) -> bool:
    """Whether all of them are, from the JSON of one definition or of a list."""
    read = json.loads(definitions)
    conditions = [each["status"]["conditions"] or () for each in read.get("items", [read])]
    return all(any(one["type"] == "Established" and one["status"] == "True" for one in each) for each in conditions)
