"""A Kubernetes control plane of real processes, on loopback: etcd, kube-apiserver and, if asked, more.

    with ControlPlane.start() as plane:                       # 3 s: an API server, nothing that acts on objects
        kubectl(plane.kubeconfig, "get", "namespaces")
    with ControlPlane.start(controllers=True) as plane: ...   # Deployments make ReplicaSets, owners collect children
    with ControlPlane.start(nodes=3) as plane: ...            # and pods get scheduled and "run", simulated by kwok

Several can run at once: each has its own ports, folder and certificate authority. Leaving the block ends it, and so
does the death of the process that started it.
"""

import json
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from ssl import create_default_context
from typing import Any
from urllib.error import URLError

from cluster import flags, process, tools
from cluster.credentials import ADMINS, Authority
from cluster.process import Died, Server
from cluster.release import NAMESPACE
from cluster.simulated import simulate

READY_WITHIN = 180.0  # seconds; 3 on a quiet machine, more when every core is busy
AUDIT = "audit.log"
ATTEMPTS = 3  # another process may take a port between its choice and its use


@dataclass(frozen=True)
class ControlPlane:
    """A running control plane."""

    folder: Path
    authority: Authority
    server: str
    """The API server's URL."""
    kubeconfig: Path
    """The administrator's."""
    etcd: str
    """etcd's URL."""
    servers: dict[str, Server]
    """Its processes by name: ``etcd``, ``kube-apiserver``, ..."""

    @classmethod
    @contextmanager
    def start(cls, *, controllers: bool = False, nodes: int = 0, more: Sequence[str] = ()) -> Iterator["ControlPlane"]:
        """Start one and wait until it answers; `nodes` simulated nodes need `controllers` and bring them.

        `more` are further flags of the API server.
        """
        controllers = controllers or nodes > 0
        tools.ensure(*_programs(controllers=controllers, nodes=nodes))
        with ExitStack() as stack:
            plane = _first_that_starts(stack, controllers=controllers, more=more)
            if controllers:
                manager = flags.controller_manager if nodes else flags.controller_manager_without_nodes
                plane.run(stack, "kube-controller-manager", manager)
            if nodes:
                plane.run(stack, "kube-scheduler", flags.scheduler)
                simulate(plane, stack, nodes)
            yield plane

    def run(
        self, stack: ExitStack, name: str, arguments: Callable[[Path, Authority, flags.Address], Sequence[str]]
    ) -> Server:
        """Start one more component as the user Kubernetes gives it, until `stack` closes."""
        kubeconfig = self.authority.kubeconfig(f"system:{name}", self.server)
        (port,) = process.free_ports(1)
        command = [tools.path(name), *arguments(kubeconfig, self.authority, flags.Address("127.0.0.1", port))]
        server = process.start(name, command, self.folder / f"{name}.log")
        stack.callback(server.stop)
        self.servers[name] = server
        return server

    def user(self, name: str, group: str | None = None) -> Path:
        """A kubeconfig for another user, to test with exactly their rights."""
        return self.authority.kubeconfig(name, self.server, group=group)

    def audited(self) -> list[dict[str, Any]]:
        """What ServiceAccounts of `release.NAMESPACE` asked of the API server so far, as audit events."""
        text = (self.folder / AUDIT).read_text()
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def answers(self) -> bool:
        """Whether the API server says it is ready."""
        return ready(self.server, self.authority)


def _programs(*, controllers: bool, nodes: int) -> list[str]:
    names = ["etcd", "kube-apiserver", "kubectl"]
    if controllers:
        names.append("kube-controller-manager")
    if nodes:
        names += ["kube-scheduler", "kwok"]
    return names


def _first_that_starts(stack: ExitStack, *, controllers: bool, more: Sequence[str]) -> ControlPlane:
    for attempt in range(1, ATTEMPTS + 1):
        with ExitStack() as trial:
            try:
                plane = _api_server(trial, controllers=controllers, more=more)
            except Died as error:
                if attempt == ATTEMPTS or "address already in use" not in str(error):
                    raise
                continue
            stack.push(trial.pop_all())
            return plane
    raise AssertionError("unreachable")


def _api_server(stack: ExitStack, *, controllers: bool, more: Sequence[str]) -> ControlPlane:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kubewick-control-plane-", dir=_memory())))
    authority = Authority.create(folder / "pki")
    client_port, peer_port, port = process.free_ports(3)
    server = f"https://127.0.0.1:{port}"

    servers: dict[str, Server] = {}
    for name, command in (
        (
            "etcd",
            [
                tools.path("etcd"),
                "--unsafe-no-fsync",
                *flags.etcd(folder / "etcd", "127.0.0.1", client_port, peer_port),
            ],
        ),
        (
            "kube-apiserver",
            [
                tools.path("kube-apiserver"),
                *flags.api_server(
                    authority,
                    flags.Address("127.0.0.1", port),
                    f"http://127.0.0.1:{client_port}",
                    service_accounts=controllers,
                ),
                *_audit(folder),
                *more,
            ],
        ),
    ):
        servers[name] = process.start(name, command, folder / f"{name}.log")
        stack.callback(servers[name].stop)
    wait_until_ready(server, authority, list(servers.values()))
    kubeconfig = authority.kubeconfig("admin", server, group=ADMINS)
    return ControlPlane(folder, authority, server, kubeconfig, f"http://127.0.0.1:{client_port}", servers)


def _audit(folder: Path) -> list[str]:
    rules = [{"level": "Metadata", "userGroups": [f"system:serviceaccounts:{NAMESPACE}"]}, {"level": "None"}]
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": rules}
    (folder / "audit-policy.json").write_text(json.dumps(policy))
    (folder / AUDIT).touch()
    return [
        f"--audit-policy-file={folder / 'audit-policy.json'}",
        f"--audit-log-path={folder / AUDIT}",
        "--audit-log-mode=blocking",
    ]


def _memory() -> str | None:
    """A folder in memory for etcd's many small synchronous writes, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def ready(server: str, authority: Authority) -> bool:
    context = create_default_context(cafile=authority.certificate)
    try:
        with urllib.request.urlopen(f"{server}/readyz", context=context, timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, TimeoutError, ConnectionError):
        return False


def wait_until_ready(server: str, authority: Authority, servers: Sequence[Server]) -> None:
    """Wait for the API server, failing at once when a process died."""
    deadline = time.monotonic() + READY_WITHIN
    while not ready(server, authority):
        for child in servers:
            child.check()
        if time.monotonic() > deadline:
            raise Died(f"{server} not ready in {READY_WITHIN:g} s; end of its log:\n{servers[-1].tail()}")
        time.sleep(0.1)
