"""The rights the chart gives, as a real API server sees them: what the parts' READMEs list, and not one more."""

import json
import re
from pathlib import Path

import pytest

from cluster.kubectl import Refused, kubectl
from cluster.waiting import eventually

ROOT = Path(__file__).parents[3]
SYSTEM, SERVED, OTHER = "kubewick-system", "team-a", "team-b"

LISTED = {
    "functions.kubewick.dev": "get list watch",
    "functions.kubewick.dev/status": "patch",
    "deployments.apps": "get list watch create patch",
    "deployments.apps/scale": "patch",
    "replicasets.apps": "get list watch",
    "services": "get list watch create patch",
    "configmaps": "get list watch create patch delete",
    "secrets": "get list watch",
    "pods": "get list watch",
    "pods/log": "get",
    "events": "get list",
    "events.events.k8s.io": "create",
}
"""The table of operator/README.md."""
BEYOND = {
    "functions.kubewick.dev/finalizers": "update",  # owner references that block deletion
    "horizontalpodautoscalers.autoscaling": "get list watch",  # wick_operator.autoscaler.hpa
    "deployments.apps": "delete",  # pools
    "pods": "patch delete",  # warm pods: adopted, or removed
    "pods/resize": "patch",
}
"""What the autoscaler and the warm pool need besides."""
OPERATOR = {name: f"{LISTED.get(name, '')} {BEYOND.get(name, '')}" for name in LISTED | BEYOND}
OPERATOR_EVERYWHERE = OPERATOR | {"namespaces": "get list watch"}
OPERATOR_OWN = {"leases.coordination.k8s.io": "create", "pods": "get list watch"}
ROUTER = {
    "functions.kubewick.dev": "get list watch",
    "deployments.apps/scale": "patch",
    "replicasets.apps": "get list watch",
    "configmaps": "get",
    "pods": "get list watch patch",
    "pods/log": "get",
    "events": "list",
}
ROUTER_OWN: dict[str, str] = {}

EVERYWHERE = {}
BY_LABEL = {"routes": {"hosts": {"tenant=blue": ["*.blue.example"]}}}
NAMED = {"watchNamespaces": [SERVED]}
CASES = [
    pytest.param(EVERYWHERE, "operator", SERVED, OPERATOR_EVERYWHERE, id="operator-everywhere"),
    pytest.param(EVERYWHERE, "router", OTHER, ROUTER, id="router-everywhere"),
    pytest.param(BY_LABEL, "router", OTHER, ROUTER | {"namespaces": "get list watch"}, id="router-that-reads-labels"),
    pytest.param(NAMED, "operator", SERVED, OPERATOR, id="operator-in-its-namespace"),
    pytest.param(NAMED, "router", SERVED, ROUTER, id="router-in-its-namespace"),
    pytest.param(NAMED, "operator", OTHER, {}, id="operator-in-another-namespace"),
    pytest.param(NAMED, "router", OTHER, {}, id="router-in-another-namespace"),
    pytest.param(NAMED, "operator", SYSTEM, OPERATOR_OWN, id="operator-in-its-own-namespace"),
    pytest.param(NAMED, "router", SYSTEM, ROUTER_OWN, id="router-in-its-own-namespace"),
]


@pytest.mark.parametrize(("values", "part", "namespace", "wanted"), CASES)
def test_an_account_may_do_what_is_listed_and_nothing_else(rights, values, part, namespace, wanted):
    rights(values, part, namespace, {name: set(verbs.split()) for name, verbs in wanted.items()})


def test_the_lease_of_another_release_is_out_of_reach(plane_with_rights):
    user = plane_with_rights({})("operator")
    eventually(lambda: "not found" in refusal(user, "get", "lease", "kubewick-operator", "-n", SYSTEM))
    assert "leases" in refusal(user, "get", "lease", "others", "-n", SYSTEM)


def test_a_namespaced_installation_is_refused_the_whole_cluster(plane_with_rights, kubeconfig):
    forget(kubeconfig)
    user = plane_with_rights(NAMED)("router")
    eventually(lambda: "yes" in says(user, "auth", "can-i", "list", "functions", "-n", SERVED))
    eventually(lambda: "forbidden" in says(user, "get", "functions", "-A"))
    eventually(lambda: "forbidden" in says(user, "get", "functions", "-n", OTHER))


def test_the_operators_readme_lists_the_same_rights():
    listed = {}
    for group, resource, verbs in re.findall(
        r"^\| `([^`]*)` \| `([^`]+)` \| ([a-z, ]+) \|", (ROOT / "operator" / "README.md").read_text(), re.MULTILINE
    ):
        plural, _, part = resource.partition("/")
        name = f"{plural}.{group}".removesuffix('.""') + (f"/{part}" if part else "")
        listed[name] = listed.get(name, set()) | {verb.strip() for verb in verbs.split(",")}
    given = {name: set(verbs.split()) for name, verbs in LISTED.items()}
    assert listed == given | {"leases.coordination.k8s.io": {"get", "create", "patch"}}


@pytest.fixture
def rights(plane_with_rights, control_plane):
    """Wait until an account may do just this in a namespace, by resource, without what every account may.

    The API server learns of rights, given and taken, a moment after they are written.
    """

    def ask(values, part, namespace, wanted):
        forget(control_plane.kubeconfig)
        user = plane_with_rights(values)(part)
        nobody = control_plane.user(f"system:serviceaccount:{SYSTEM}:nobody")

        def allowed():
            found = review(user, namespace)
            for name, verbs in review(nobody, namespace).items():
                found[name] -= verbs
            assert {name: verbs for name, verbs in found.items() if verbs} == wanted
            return True

        eventually(allowed)

    return ask


def forget(kubeconfig):
    """Remove the rights of an earlier case."""
    label = "app.kubernetes.io/part-of=kubewick"
    kubectl(kubeconfig, "delete", "clusterroles,clusterrolebindings", "-l", label)
    kubectl(kubeconfig, "delete", "roles,rolebindings", "-A", "-l", label)


def review(user, namespace):
    """The API server's own list of what a user may do; rights to single objects left out."""
    question = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    answer = json.loads(
        kubectl(user, "create", "--validate=false", "-f", "-", "-o", "json", stdin=json.dumps(question))
    )
    assert not answer["status"]["incomplete"]
    found = {}
    for rule in answer["status"]["resourceRules"]:
        for group in rule["apiGroups"] if not rule.get("resourceNames") else []:
            for resource in rule["resources"]:
                plural, _, part = resource.partition("/")
                name = f"{plural}.{group}".removesuffix(".") + (f"/{part}" if part else "")
                found.setdefault(name, set()).update(rule["verbs"])
    return found


def refusal(user, *arguments):
    """What kubectl says when it is refused."""
    with pytest.raises(Refused) as refused:
        kubectl(user, *arguments)
    return str(refused.value)


def says(user, *arguments):
    """What kubectl says, refused or not."""
    try:
        return kubectl(user, *arguments)
    except Refused as refused:
        return str(refused)
