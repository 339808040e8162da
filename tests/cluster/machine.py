"""The one node-level cluster a machine can have: where its state lies, which processes are its own.

The state folder's name is in the command line of each of its processes, so they are found by looking, not by
remembering: a cluster whose starter was killed half-way, or that another checkout started, is found the same way.
Containers are found by their control group.
"""

import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

STATE = Path("/var/lib/kubewick-test-cluster")
LOCK = Path("/run/lock/kubewick-test-cluster.lock")
CGROUP = "kubewick-test-cluster"
SERVERS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "containerd", "kubelet")
SERVERS_AFTER = ("kube-proxy", "coredns")
SHIM = "containerd-shim-runc-v2"


def processes() -> dict[int, str]:
    """Process id -> program name, of the cluster's own servers and container shims."""
    ours = {}
    names = {*SERVERS, *SERVERS_AFTER, SHIM}
    for pid, arguments in _command_lines():
        name = Path(arguments[0]).name
        if name in names and any(str(STATE) in argument for argument in arguments[1:]):
            ours[pid] = name
    return ours


def _command_lines() -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_text(errors="replace").split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
            yield int(entry.name), arguments


def stop(names: tuple[str, ...], grace: float = 10) -> None:
    """End the cluster's processes of these names: SIGTERM, SIGKILL after `grace` seconds."""
    _end(lambda: [pid for pid, name in processes().items() if name in names], grace)


def contained() -> list[int]:
    """Process ids inside the cluster's containers."""
    found: set[int] = set()
    for root in _cgroups():
        for folder, _, _ in os.walk(root):  # unlike glob, it does not mind a folder that goes away meanwhile
            try:
                found.update(map(int, Path(folder, "cgroup.procs").read_text().split()))
            except OSError:
                continue  # the group went away while we looked
    return sorted(found)


def stop_containers() -> None:
    """Kill what runs in the cluster's containers, then remove their control groups."""
    _end(contained, 0)
    for root in _cgroups():
        for folder, _, _ in os.walk(root, topdown=False):
            _remove_group(Path(folder))


def _remove_group(folder: Path) -> None:
    """Remove one control group; the kernel calls it busy for a moment after its last process."""
    deadline = time.monotonic() + 5
    while True:
        try:
            return folder.rmdir()
        except FileNotFoundError:
            return None  # containerd's shim was faster
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def make_cgroups() -> None:
    """The control group that holds all pods, in every hierarchy the machine has.

    A group weighs as much as one process beside it, so on a machine that does other work all pods together would get
    a sliver of its cores. Ours weighs eight times that: more like the node of its own that it stands for.
    """
    for hierarchy in _hierarchies():
        group = hierarchy / CGROUP
        group.mkdir(exist_ok=True)
        for file in ("cpuset.cpus", "cpuset.mems"):  # cgroup v1: empty until copied from the parent
            if (group / file).exists() and not (group / file).read_text().strip():
                (group / file).write_text((hierarchy / file).read_text())
        for file, weight in (("cpu.shares", "8192"), ("cpu.weight", "800")):  # v1, v2
            if (group / file).exists():
                (group / file).write_text(weight)


def _hierarchies() -> list[Path]:
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return [root]
    return [path for path in root.iterdir() if path.is_dir() and not path.is_symlink()]


def _cgroups() -> list[Path]:
    return [path for hierarchy in _hierarchies() if (path := hierarchy / CGROUP).is_dir()]


def run(*command: str | Path) -> None:
    """Run a command of the cluster's; its output is in the error when it fails."""
    done = subprocess.run([*map(str, command)], check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed with {done.returncode}: {done.stderr.strip()}")


def _end(find: Callable[[], list[int]], grace: float) -> None:
    for pid in find():
        _signal(pid, signal.SIGTERM if grace else signal.SIGKILL)
    deadline = time.monotonic() + grace
    while find() and time.monotonic() < deadline:
        time.sleep(0.05)
    for _ in range(200):
        left = find()
        if not left:
            return
        for pid in left:
            _signal(pid, signal.SIGKILL)
        time.sleep(0.05)
    raise RuntimeError(f"processes {find()} do not end")


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it ended by itself
        os.kill(pid, number)


def unmount() -> None:
    """Unmount everything below the state folder, deepest first."""
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in sorted((point for point in mounted if point.startswith(f"{STATE}/")), reverse=True):
        subprocess.run(["umount", "--lazy", point], check=True)
