"""kill -9 at any moment, over and over, while Functions come, change and go: the end is right and nothing is left over.

`make soak-operator` runs it for minutes (`KUBEWICK_SOAK` seconds); here it is short.
"""

import itertools
import os
import random
import time

import pytest

from cluster.kubectl import fresh_namespace, kubectl
from cluster.waiting import eventually
from operating.world import condition, function

SECONDS = float(os.environ.get("KUBEWICK_SOAK", "15"))
SEED = int(os.environ.get("KUBEWICK_SEED", "7"))
LOOKS = "kubewick_operator_reconcile_seconds_count"
NAMES = [f"f{number}" for number in range(6)]


def change(dice, world, namespace, present):
    """One thing a user does."""
    name = dice.choice(NAMES)
    if name in present and dice.random() < 0.25:
        kubectl(world.plane.kubeconfig, "delete", f"fn/{name}", "-n", namespace)
        del present[name]
        return
    present[name] = {
        "source": {"inline": {"main.py": f"x = {dice.randint(0, 3)}"}},
        "scale": {"initial": dice.randint(0, 2), "max": 3},
        "revisionHistoryLimit": 1,
    }
    world.apply(namespace, function(name, **present[name]))


def right(world, namespace, present):
    """Everything is as the Functions ask and nothing else is there."""
    functions = {each["metadata"]["name"]: each for each in world.list("fn", namespace)}
    deployments = {each["metadata"]["name"]: each for each in world.list("deploy", namespace)}
    services = {each["metadata"]["name"]: each for each in world.list("svc", namespace)}
    assert set(functions) == set(deployments) == set(services) == set(present)
    for name, seen in functions.items():
        uid, status = seen["metadata"]["uid"], seen["status"]
        assert status["observedGeneration"] == seen["metadata"]["generation"]
        assert condition(status, "SourceResolved")["status"] == "True"
        template = deployments[name]["spec"]["template"]["metadata"]["labels"]
        assert template["kubewick.dev/revision"] == status["wantedRevision"]
        assert deployments[name]["metadata"]["ownerReferences"][0]["uid"] == uid
        assert services[name]["metadata"]["ownerReferences"][0]["uid"] == uid
    kept = world.list("cm", namespace, "-l", "kubewick.dev/function")
    owners = {each["metadata"]["uid"] for each in functions.values()}
    assert {each["metadata"]["ownerReferences"][0]["uid"] for each in kept} == owners
    for name in present:
        mine = [each for each in kept if each["metadata"]["labels"]["kubewick.dev/function"] == name]
        pods = world.list("pod", namespace, "-l", f"kubewick.dev/function={name}")
        run = {pod["metadata"]["labels"]["kubewick.dev/revision"] for pod in pods}
        assert len(mine) <= 2 + len(run)
    for deployment in deployments.values():
        assert deployment["spec"]["replicas"] <= 3
    return True


def rests(world, process, namespace, count, number):
    """Whether a look at every Function writes nothing; first the statuses follow what the controllers do."""
    before, looked = process.writes(), process.metric(LOOKS)
    note = f"kubewick.example/note={number}"
    kubectl(world.plane.kubeconfig, "annotate", "fn", "--all", "--overwrite", "-n", namespace, note)
    eventually(lambda: process.metric(LOOKS) >= looked + count)
    return process.writes() == before


@pytest.mark.timeout(SECONDS + 900)
def test_killed_at_random_it_ends_in_the_right_state_with_nothing_left_over(own_world):
    dice, world, present = random.Random(SEED), own_world, {}
    namespace = fresh_namespace(world.plane.kubeconfig, "chaos")
    settings = {"lease_duration": 2, "lease_deadline": 1.5, "lease_retry": 0.3}
    process, kills, changes, end = world.operator(identity="0", **settings), 0, 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        live = time.monotonic() + dice.uniform(1.5, 4.5)  # from before it leads to well after
        while time.monotonic() < live:
            change(dice, world, namespace, present)
            changes += 1
        process.kill()
        kills += 1
        process = world.operator(identity=str(kills), **settings)
    process.kill()
    process = world.operator(identity="last")  # with time enough to keep its Lease, however busy the machine is
    process.wait_until_it_leads()
    eventually(lambda: right(world, namespace, present), every=1)
    passes = itertools.count()
    eventually(lambda: rests(world, process, namespace, len(present), next(passes)))
    print(f"{changes} changes, {kills} kills in {SECONDS:g} s (seed {SEED})")
