"""Kubewick on a cluster, installed by Helm from the project's chart with images of the project's own."""

import json
import os
import subprocess
from pathlib import Path

from cluster import tools
from cluster.images import PROJECT, Built
from cluster.kubectl import kubectl
from cluster.tools import say

NAME = "kubewick"
NAMESPACE = "kubewick-system"
CHART = PROJECT / "charts" / "kubewick"
PATIENCE = "240s"


def values(images: dict[str, Built], node_port: int | None = None) -> dict[str, object]:
    """What the test cluster sets of the chart's values: the images, and how the router is reached."""
    image = {name: {"repository": made.repository, "tag": made.tag} for name, made in images.items()}
    router: dict[str, object] = {"image": image["kubewick-router"]}
    if node_port:  # a Service of that type is the public one, and the tests' functions are not public
        router |= {
            "service": {"type": "NodePort", "nodePort": node_port},
            "settings": {"publicServes": "all"},
        }
    return {
        "operator": {"image": image["kubewick-operator"]},
        "router": router,
        "runtimes": {"python": {"image": image["kubewick-runtime"]}},
    }


def make_namespace(kubeconfig: Path, namespace: str = NAMESPACE) -> None:
    """The release's namespace, in which the API server refuses every pod that is not `restricted`."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
    kubectl(kubeconfig, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(made))


def install(
    kubeconfig: Path, chosen: dict[str, object], *, name: str = NAME, namespace: str = NAMESPACE, chart: Path = CHART
) -> None:
    """Install or upgrade the release and wait until its pods are ready."""
    try:
        _upgrade(kubeconfig, chosen, name, namespace, chart)
    except HelmFailed as error:
        raise HelmFailed(f"{error}\n{_what_its_pods_say(kubeconfig, namespace)}") from error


class HelmFailed(Exception):
    """With Helm's message and, for an installation, what the release's pods say."""


def _upgrade(kubeconfig: Path, chosen: dict[str, object], name: str, namespace: str, chart: Path) -> None:
    helm(
        kubeconfig,
        *("upgrade", "--install", name, str(chart), "--namespace", namespace, "--create-namespace"),
        *("--wait", "--timeout", PATIENCE, "--values", "-"),
        stdin=json.dumps(chosen),
    )


def _what_its_pods_say(kubeconfig: Path, namespace: str) -> str:
    pods = kubectl(kubeconfig, "get", "pods", "-n", namespace, "-o", "wide")
    said = ("--selector=app.kubernetes.io/part-of=kubewick", "--all-containers", "--prefix", "--tail=4")
    return pods + kubectl(kubeconfig, "logs", "-n", namespace, "--ignore-errors", *said)


def installed_values(kubeconfig: Path) -> dict[str, object]:
    """The values the release was installed with."""
    shown: dict[str, object] = json.loads(helm(kubeconfig, "get", "values", NAME, "-n", NAMESPACE, "-o", "json"))
    return shown


def router_url(kubeconfig: Path) -> str:
    """How this machine reaches every function: KUBEWICK_URL if set, else the routers' internal Service."""
    return os.environ.get("KUBEWICK_URL") or service_url(kubeconfig, f"{NAME}-router-internal")


def public_url(kubeconfig: Path) -> str:
    """How this machine reaches public functions: the routers' Service for what comes from outside."""
    return service_url(kubeconfig, f"{NAME}-router")


def service_url(kubeconfig: Path, name: str) -> str:
    """The address of a Service of the release."""
    service = ("get", "service", name, "-n", NAMESPACE, "-o", "jsonpath={.spec.clusterIP}")
    return f"http://{kubectl(kubeconfig, *service)}"


def roll_back(kubeconfig: Path) -> None:
    """Back to the revision before, and wait until its pods are ready."""
    helm(kubeconfig, "rollback", NAME, "--namespace", NAMESPACE, "--wait", "--timeout", PATIENCE)


def test(kubeconfig: Path) -> str:
    """`helm test`; what it said."""
    return helm(kubeconfig, "test", NAME, "--namespace", NAMESPACE, "--timeout", PATIENCE)


def leader(kubeconfig: Path) -> str:
    """The operator's pod that holds the Lease."""
    leases = json.loads(kubectl(kubeconfig, "get", "leases", "-n", NAMESPACE, "-o", "json"))["items"]
    return str(leases[0]["spec"]["holderIdentity"]).split("_")[0]


def uninstall(kubeconfig: Path, *, name: str = NAME, namespace: str = NAMESPACE) -> None:
    """Remove the release and wait until its objects are gone."""
    helm(kubeconfig, "uninstall", name, "--namespace", namespace, "--wait", "--ignore-not-found", "--timeout", PATIENCE)


def helm(kubeconfig: Path, *arguments: str, stdin: str | None = None) -> str:
    """Helm's output; `HelmFailed` when it fails."""
    command = [tools.path("helm"), f"--kubeconfig={kubeconfig}", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise HelmFailed(f"helm {arguments[0]} failed:\n{done.stderr.strip()}")
    return done.stdout


def apply_crds(kubeconfig: Path) -> None:
    """Helm installs CRDs once and never changes them, so an upgrade applies them first (as its README says)."""
    say("applying crds/")
    command = [tools.path("kubectl"), f"--kubeconfig={kubeconfig}", "apply", "--server-side", "--force-conflicts"]
    subprocess.run([*command, "-f", str(PROJECT / "crds")], check=True, stdout=subprocess.DEVNULL)
