"""A cluster with Kubewick on it, brought up and taken down again: what `make cluster-up` and `make e2e` do."""

import os
import shutil
import subprocess
import sys

from cluster import choice, containers, debian, images, kind, machine, node, release, tools
from cluster.choice import Cluster
from cluster.images import PROJECT
from cluster.tools import Missing, locked, say

KUBECONFIG = PROJECT / ".cluster" / "kubeconfig"
SLOWEST = "--durations=15"
LONGEST = 900  # seconds for one story: it ends one that hangs


def up() -> None:
    """Bring up the chosen cluster with the current tree's images and chart; again and again does no harm."""
    chosen = choice.choose(choice.look())
    say(f"{chosen.cluster.value}, because {chosen.because}")
    KUBECONFIG.parent.mkdir(exist_ok=True)
    if chosen.cluster is Cluster.NODE:
        _up_node()
    elif chosen.cluster is Cluster.KIND:
        _up_kind()
    elif chosen.cluster is Cluster.NONE:
        raise Missing(f"a cluster: {chosen.because}")
    else:
        return  # somebody else's: nothing of ours to bring up
    say(f"ready: export KUBECONFIG={KUBECONFIG}")


def _up_node() -> None:
    debian.ensure(debian.NODE)
    tools.ensure(*tools.NODE)
    with locked(machine.LOCK):
        built = images.build()
        node.up(images.pause())
        node.load(built.values())
        shutil.copy(node.KUBECONFIG, KUBECONFIG)
        _install(release.values(built))


def _up_kind() -> None:
    tools.ensure("kubectl", "helm", "kind")
    built = kind.build()
    kind.up(KUBECONFIG)
    kind.load(built)
    _install(release.values(built, kind.NODE_PORT))


def _install(values: dict[str, object]) -> None:
    if not release.CHART.is_dir():
        say("no chart yet: the cluster is up without Kubewick")
        return
    release.apply_crds(KUBECONFIG)
    release.make_namespace(KUBECONFIG)
    say("helm upgrade --install kubewick charts/kubewick")
    release.install(KUBECONFIG, values)


def down() -> None:
    """Leave nothing running, whichever cluster it was and whoever started it."""
    offer = choice.look()
    if offer.linux and offer.root:
        with locked(machine.LOCK):
            node.down()
    if offer.docker and not offer.kubeconfig:
        kind.down()
    shutil.rmtree(KUBECONFIG.parent, ignore_errors=True)


def e2e(arguments: list[str]) -> int:
    """Run the end-to-end tests; what was not running before is not left running. Returns pytest's exit code.

    Without a cluster the stories still run on the local platform, and those of the cluster are skipped, loudly.
    """
    chosen = choice.choose(choice.look())
    started = False
    environment = dict(os.environ)
    environment.pop("KUBECONFIG_E2E", None)
    try:
        if chosen.cluster is Cluster.GIVEN:
            environment["KUBECONFIG_E2E"] = os.environ["KUBECONFIG_E2E"]
        else:
            started = not _runs(chosen.cluster)
            up()
            environment["KUBECONFIG_E2E"] = str(KUBECONFIG)
        if chosen.cluster is Cluster.KIND:
            environment["KUBEWICK_URL"] = kind.URL
    except Missing as missing:
        environment["KUBEWICK_NO_CLUSTER"] = str(missing)
        started = False
        _shout(f"END-TO-END TESTS ON A CLUSTER ARE SKIPPED: this machine lacks {missing}")
    try:
        command = [sys.executable, "-m", "pytest", f"--timeout={LONGEST}", *stories(arguments)]
        return subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode
    finally:
        if started:
            down()


def stories(arguments: list[str]) -> list[str]:
    """pytest's arguments: those given, on all stories unless they name files of their own."""
    named = any(argument.startswith("tests/") for argument in arguments)
    return [SLOWEST, *arguments] if named else [SLOWEST, *arguments, "tests/e2e"]


def _runs(cluster: Cluster) -> bool:
    return kind.runs() if cluster is Cluster.KIND else node.usable()


def retag(reference: str, suffix: str) -> str:
    """The same image by another tag, as a new version's would be; the same tag where the nodes are out of reach."""
    another = f"{reference}{suffix}"
    if os.environ.get("KUBEWICK_URL") == kind.URL:
        kind.tag(reference, another)
    elif containers.SOCKET.exists():
        containers.tag(reference, another)
    else:
        return reference
    return another


def _shout(line: str) -> None:
    say("=" * len(line))
    say(line)
    say("=" * len(line))
