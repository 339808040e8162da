"""A whole one-node Kubernetes on this machine: control plane, kubelet, containers, Services, DNS.

    nothing --up--> running --down--> nothing
       ^              |
       +-- replaced --+   (`up` when what runs is broken, half started, or made from other settings)

There is one per machine, whoever started it (`machine.py`); `up` and `down` hold the machine's lock. Servers are not
tied to their starter: they stay until `down`. Every step of `down` is safe on whatever is there, so `up` after a
crash begins with it.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cluster import containers, flags, machine, network, process, tools
from cluster.control_plane import ready
from cluster.credentials import ADMINS, Authority
from cluster.flags import Address, Node
from cluster.images import Built
from cluster.kubectl import Refused, kubectl
from cluster.machine import STATE
from cluster.tools import say
from cluster.waiting import eventually

NODE = Node("kubewick-node", network.NODE_IP, STATE)
API = Address(network.NODE_IP, 6443)
URL = f"https://{API.host}:{API.port}"
KUBECONFIG = STATE / "pki" / "admin.kubeconfig"
FINGERPRINT = STATE / "made-from"
STARTED_WITHIN = 90.0  # seconds for any one step; a few are usual
LOGS = STATE / "logs"


def up(pause: Path) -> None:
    """Have a healthy cluster: the one that runs, or else a new one. `pause` is the archive of the sandbox image."""
    if usable():
        say(f"taking over the cluster that runs in {STATE}")
        return
    if STATE.exists() or machine.processes():
        say("replacing what an earlier run left")
        down()
    started = time.monotonic()
    _start(pause)
    say(f"node ready in {time.monotonic() - started:.0f} s")


def load(built: Iterable[Built]) -> None:
    """Hand the node those images it does not have."""
    there = containers.loaded()
    for image in built:
        if image.reference not in there:
            say(f"loading {image.reference}")
            containers.load(image.archive)


def usable() -> bool:
    """Whether a complete cluster, made as this checkout would make it, runs and is healthy."""
    wanted = {*machine.SERVERS, *machine.SERVERS_AFTER}
    if not wanted <= set(machine.processes().values()) or not KUBECONFIG.exists():
        return False
    if not FINGERPRINT.exists() or FINGERPRINT.read_text() != fingerprint():
        return False
    return _node_ready()


def fingerprint() -> str:
    """Changes with the version or the settings of anything the cluster is made of."""
    sources = [Path(__file__).parent / f"{name}.py" for name in ("flags", "containers", "network", "node")]
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
    return json.dumps([digest.hexdigest(), *(str(tools.path(name)) for name in tools.NODE)])


def down() -> None:
    """Stop and remove everything of the cluster, in whatever state it is."""
    machine.stop(("kubelet",))
    machine.stop_containers()
    machine.stop((machine.SHIM, "containerd"))
    machine.stop((*machine.SERVERS, *machine.SERVERS_AFTER), grace=3)
    machine.unmount()
    _forget_rules()
    network.remove()
    _remove_log_links()
    if STATE.exists():
        shutil.rmtree(STATE)


def _forget_rules() -> None:
    config = STATE / "kube-proxy.json"
    if config.exists() and tools.path("kube-proxy").exists():
        machine.run(tools.path("kube-proxy"), f"--config={config}", "--cleanup")
    network.forget_firewall()


def _remove_log_links() -> None:
    """The kubelet's links in /var/log/containers, whose folder can't be set."""
    for link in Path("/var/log/containers").glob("*.log"):
        if link.is_symlink() and str(link.readlink()).startswith(str(STATE)):
            link.unlink()


def _start(pause: Path) -> None:
    LOGS.mkdir(parents=True)
    authority = Authority.create(STATE / "pki")
    network.create()
    (STATE / "cni").mkdir()
    (STATE / "cni" / "10-kubewick.conflist").write_text(network.cni(STATE))
    _start_control_plane(authority)
    _start_containers(pause)
    _start_node(authority)
    eventually(_node_ready, within=STARTED_WITHIN)
    FINGERPRINT.write_text(fingerprint())


def _start_control_plane(authority: Authority) -> None:
    _serve("etcd", *flags.etcd(STATE / "etcd", NODE.ip, 2379, 2380))
    etcd = f"http://{NODE.ip}:2379"
    _serve("kube-apiserver", *flags.api_server(authority, API, etcd, service_accounts=True))
    eventually(lambda: ready(URL, authority), within=STARTED_WITHIN, every=0.2)
    authority.kubeconfig("admin", URL, group=ADMINS)
    for name, arguments, port in (
        ("kube-controller-manager", flags.controller_manager, 10257),
        ("kube-scheduler", flags.scheduler, 10259),
    ):
        kubeconfig = authority.kubeconfig(f"system:{name}", URL)
        _serve(name, *arguments(kubeconfig, authority, Address(NODE.ip, port)))


def _start_containers(pause: Path) -> None:
    configured = containers.config(STATE, tools.path("containerd-shim-runc-v2"), tools.path("runc"))
    (STATE / "containerd.toml").write_text(configured)
    _serve("containerd", f"--config={STATE / 'containerd.toml'}")
    eventually(containers.SOCKET.exists, within=STARTED_WITHIN)
    containers.load(pause)


def _start_node(authority: Authority) -> None:
    machine.make_cgroups()
    (STATE / "kubelet.json").write_text(flags.kubelet_config(NODE, authority, machine.CGROUP))
    kubeconfig = authority.kubeconfig(f"system:node:{NODE.name}", URL, group="system:nodes")
    _serve("kubelet", *flags.kubelet(NODE, kubeconfig, STATE / "kubelet.json"))

    kubeconfig = authority.kubeconfig("system:kube-proxy", URL)
    (STATE / "kube-proxy.json").write_text(flags.kube_proxy_config(NODE, kubeconfig))
    _serve("kube-proxy", f"--config={STATE / 'kube-proxy.json'}")

    kubeconfig = authority.kubeconfig("coredns", URL, group=ADMINS)
    (STATE / "Corefile").write_text(flags.corefile(NODE, kubeconfig))
    _serve("coredns", "-conf", str(STATE / "Corefile"))


def _serve(name: str, *arguments: str) -> None:
    process.start(name, [tools.path(name), *arguments], LOGS / f"{name}.log", bound=False)


def _node_ready() -> bool:
    with suppress(Refused):
        query = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
        return kubectl(KUBECONFIG, "get", "node", NODE.name, "-o", query, "--request-timeout=5s") == "True"
    return False
