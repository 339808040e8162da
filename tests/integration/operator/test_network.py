"""The operator's process against a real API server behind a network that fails: it ends right, and leaks nothing.

The API server runs without its watch cache, so that a compaction of etcd makes a watch's version too old, as it would
on a busy cluster.
"""

import json
import urllib.request

import pytest

from cluster.control_plane import ControlPlane
from cluster.images import PROJECT
from cluster.kubectl import establish, fresh_namespace, kubectl
from cluster.waiting import PATIENCE, eventually
from operating.proxy import proxy
from operating.world import SYSTEM, function, world

BRISK = {"lease_duration": 10, "lease_deadline": 8, "lease_retry": 0.5}
"""For those whose end is waited for."""
LASTING = {"lease_duration": 60, "lease_deadline": 50}
"""For all others: time enough to keep their Lease, whatever the network and the machine do."""


@pytest.fixture(scope="module")
def plane():
    with ControlPlane.start(controllers=True, more=["--watch-cache=false"]) as plane:
        establish(plane.kubeconfig, PROJECT / "crds")
        yield plane


@pytest.fixture(scope="module")
def far(plane, tmp_path_factory):
    """A world whose operator reaches the API server through `far.between`."""
    folder = tmp_path_factory.mktemp("far")
    with proxy(plane) as between, world(plane, folder) as made:
        made.between = between
        made.process = made.operator(kubeconfig=between.kubeconfig(folder), identity="far", resync=10, **LASTING)
        made.process.wait_until_it_leads()
        yield made


@pytest.fixture
def home(far, request):
    return fresh_namespace(far.plane.kubeconfig, request.node.name)


def children(far, home):
    return kubectl(
        far.plane.kubeconfig, "get", "deploy,svc,cm", "-n", home, "-l", "kubewick.dev/function", "-o", "name"
    ).split()


def written(call, part=""):
    return call.verb in {"apply", "create", "patch", "delete"} and part in call.path


def compact(plane):
    """Forget all of etcd's history but the present."""

    def ask(path, body):
        request = urllib.request.Request(plane.etcd + path, json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    revision = ask("/v3/kv/range", {"key": "AA=="})["header"]["revision"]
    ask("/v3/kv/compaction", {"revision": revision, "physical": True})


def test_what_happened_before_a_compaction_is_seen_by_listing_anew(far, home):
    far.apply(home, function("stays"), function("goes"))
    for name in ("stays", "goes"):
        far.ready(name, home)
    expired = far.between.expired
    with far.between.failing(lambda call: call.verb == "watch", status=500):
        far.between.cut_watches()
        kubectl(far.plane.kubeconfig, "delete", "fn/goes", "svc/stays", "-n", home)
        far.apply(home, function("comes"))
        compact(far.plane)
    far.ready("comes", home)
    eventually(lambda: far.get("svc", "stays", home))
    eventually(lambda: {name.split("/")[1].split("-")[0] for name in children(far, home)} == {"stays", "comes"})
    assert far.between.expired > expired
    far.ready("stays", home)


def test_nothing_is_missed_over_watches_that_break_again_and_again(far, home):
    for number in range(6):
        far.apply(home, function("hello", env=[{"name": "A", "value": str(number)}]))
        far.between.cut_watches()
    generation = far.get("fn", "hello", home)["metadata"]["generation"]
    status = far.status("hello", home, lambda seen: seen.get("observedGeneration") == generation)
    labels = far.get("deploy", "hello", home)["spec"]["template"]["metadata"]["labels"]
    assert labels["kubewick.dev/revision"] == status["wantedRevision"]


def test_a_server_that_throttles_is_waited_for_and_no_error_comes_of_it(far, home):
    refused, fault = set(), {"status": 429, "headers": {"Retry-After": "1"}}

    def once(call):
        new = written(call, home) and call not in refused
        refused.update([call] * new)
        return new

    with far.between.failing(once, **fault) as met:
        far.apply(home, *(function(f"f{number}") for number in range(3)))
        for number in range(3):
            far.ready(f"f{number}", home)
    assert met.hits
    assert far.process.metric("kubewick_operator_reconcile_errors_total", reason="TooManyRequests") == 0


def test_a_slow_server_costs_time_and_not_the_lead(far, home):
    with far.between.failing(lambda call: call.verb != "watch", delay=0.7) as met:
        far.apply(home, function())
        far.ready("hello", home)
    assert met.hits
    assert far.process.leads()


def test_a_server_that_is_gone_for_a_while_is_waited_for(far, home):
    with far.between.failing(lambda _: True, cut="before") as met:
        far.between.cut_watches()
        far.apply(home, function())
        eventually(lambda: met.hits > 5)
    far.ready("hello", home)
    assert far.process.leads()


@pytest.mark.parametrize("kind", ["configmaps", "services", "deployments"])
def test_a_function_deleted_while_it_is_made_leaves_nothing(far, home, kind):
    with far.between.failing(lambda call: written(call, f"/{home}/{kind}"), delay=1, times=1) as met:
        far.apply(home, function())
        eventually(lambda: met.hits)
        kubectl(far.plane.kubeconfig, "delete", "fn/hello", "-n", home)
    far.apply(home, function("other"))
    far.ready("other", home)
    eventually(lambda: not [name for name in children(far, home) if "hello" in name])


def test_a_namespace_that_goes_while_functions_are_made_takes_all_with_it(far, home):
    with far.between.failing(lambda call: written(call, f"/{home}/"), delay=0.3):
        far.apply(home, *(function(f"f{number}") for number in range(4)))
        kubectl(far.plane.kubeconfig, "delete", "namespace", home, "--timeout=120s", timeout=PATIENCE + 10)
    assert not far.get("namespace", home, "default")
    assert far.process.leads()


def test_of_two_that_start_at_once_over_a_bad_network_one_leads_and_the_other_follows_it(far, home):
    folder = far.folder
    with far.between.failing(lambda call: call.is_("create", "/leases"), cut="after", times=1) as met:
        settings = {"kubeconfig": far.between.kubeconfig(folder), "release": "second", **BRISK}
        pair = [far.operator(identity=name, namespaces=home, **settings) for name in ("one", "other")]
        leading = eventually(lambda: [each for each in pair if each.leads()])
    assert len(leading) == 1
    assert met.hits
    (follower,) = [each for each in pair if each not in leading]
    leading[0].kill()
    eventually(follower.leads)
    holder = far.get("lease", "second-operator", SYSTEM)["spec"]["holderIdentity"]
    assert holder == ("other" if leading[0] is pair[0] else "one")
    follower.stop()
