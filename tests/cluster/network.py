"""The node's network on this machine: one address for the node, one bridge for its pods, one masquerading rule.

    pods 10.213.0.0/16 --- bridge kubewick0 (10.213.0.1) --- this machine --- kubewick-node (10.215.0.1)
                                                                              API server, DNS, kubelet

Both devices are ours alone, so nothing here depends on, or listens on, the machine's real interfaces.
"""

import json
import subprocess
from pathlib import Path

from cluster.flags import PODS

NODE_IP = "10.215.0.1"
NODE_DEVICE = "kubewick-node"
POD_BRIDGE = "kubewick0"
FIREWALL = "KUBE-FIREWALL"
"""The chain that Kubernetes puts before everything else."""
MASQUERADE = [
    *("POSTROUTING", "--source", PODS, "!", "--destination", PODS),
    *("-m", "comment", "--comment", "kubewick-test-cluster", "-j", "MASQUERADE"),
]


def cni(state: Path) -> str:
    """containerd's network configuration: a bridge, no rule per pod (one masquerading rule serves all)."""
    bridge = {
        "type": "bridge",
        "bridge": POD_BRIDGE,
        "isGateway": True,
        "hairpinMode": True,
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            "dataDir": str(state / "addresses"),
            "ranges": [[{"subnet": PODS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return json.dumps({"cniVersion": "0.4.0", "name": "kubewick", "plugins": [bridge]}, indent=1)


def create() -> None:
    """Make the node's device and address, and let the machine forward for its pods."""
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    filtering = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if filtering.exists():
        filtering.write_text("1")
    _run("ip", "link", "add", NODE_DEVICE, "type", "bridge")
    _run("ip", "address", "add", f"{NODE_IP}/32", "dev", NODE_DEVICE)
    _run("ip", "link", "set", NODE_DEVICE, "up")
    _run("iptables", "-w", "-t", "nat", "-A", *MASQUERADE)


def remove() -> None:
    """Take away what `create` and the pods made; whatever of it is there."""
    for device in (NODE_DEVICE, POD_BRIDGE):
        if Path(f"/sys/class/net/{device}").exists():
            _run("ip", "link", "delete", device)
    while _succeeds("iptables", "-w", "-t", "nat", "-D", *MASQUERADE):
        pass


def forget_firewall() -> None:
    """Kubernetes leaves an empty chain behind that every packet of the machine still takes, a third of a small request.

    A chain with rules is somebody else's, and stays.
    """
    for program in ("iptables", "ip6tables"):
        listed = subprocess.run([program, "-w", "-S", FIREWALL], check=False, capture_output=True, text=True)
        if listed.stdout.split() == ["-N", FIREWALL]:
            for chain in ("INPUT", "OUTPUT"):
                _succeeds(program, "-w", "-D", chain, "-j", FIREWALL)
            _run(program, "-w", "-X", FIREWALL)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
