"""What the chart renders under each of its toggles, judged by helm and by a real API server."""

import json

import pytest
import yaml

from cluster.kubectl import Refused

OTHERS = ("monitoring.coreos.com", "gateway.networking.k8s.io")
"""Groups whose CRDs are somebody else's; the API server of these tests does not know them."""

TOGGLES = {
    "defaults": {},
    "named namespaces": {"watchNamespaces": ["team-a", "team-b"]},
    "no admission": {"admission": {"enabled": False}},
    "strict admission": {
        "admission": {
            "optIn": True,
            "forbiddenFields": ["serviceAccountName", "tolerations"],
            "imagePrefixes": ["registry.example.com/team/", "ghcr.io/us/"],
        }
    },
    "no network policies": {"networkPolicies": {"enabled": False}},
    "network policies that let Prometheus in": {
        "watchNamespaces": ["team-a"],
        "networkPolicies": {"monitoring": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]},
    },
    "network policies that let nodes call": {"networkPolicies": {"callers": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}},
    "an upgrade from one data port": {"router": {"settings": {"publicServes": "all"}}},
    "limits and quotas": {
        "namespaces": {
            "team-a": {"quota": {"requests.cpu": 4, "pods": "20"}},
            "team-b": {"limits": [{"type": "Container", "default": {"memory": "128Mi"}}]},
        }
    },
    "one replica each": {"operator": {"replicas": 1}, "router": {"replicas": 1}},
    "no disruption budgets": {
        "operator": {"podDisruptionBudget": {"enabled": False}},
        "router": {"podDisruptionBudget": {"enabled": False}},
    },
    "TLS": {"router": {"tls": {"secretName": "router-tls"}}},
    "load balancer": {
        "router": {
            "service": {
                "type": "LoadBalancer",
                "annotations": {"a": "b"},
                "externalTrafficPolicy": "Local",
                "loadBalancerSourceRanges": ["192.0.2.0/24"],
                "trafficDistribution": "PreferSameZone",
            }
        }
    },
    "node port": {"router": {"service": {"type": "NodePort", "nodePort": 30080}}},
    "ingress": {
        "router": {
            "ingress": {
                "enabled": True,
                "className": "nginx",
                "annotations": {"a": "b"},
                "hosts": ["functions.example.com", "*.functions.example.com"],
                "tls": [{"hosts": ["functions.example.com"], "secretName": "s"}],
            }
        }
    },
    "gateway": {
        "router": {
            "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": ["functions.example.com"]}
        }
    },
    "hosts for tenants": {
        "routes": {"hosts": {"shop": ["shop.example.com"], "tenant=blue": ["*.blue.example.com", "*"]}}
    },
    "private registry": {
        "image": {"registry": "registry.example.com/mirror", "pullSecrets": ["pull"]},
        "functions": {"imagePullSecrets": ["pull"]},
    },
    "digests": {
        "operator": {"image": {"digest": "sha256:" + "0" * 64}},
        "router": {"image": {"digest": "sha256:" + "1" * 64}},
        "runtimes": {"python": {"image": {"digest": "sha256:" + "2" * 64}}},
    },
    "two runtimes": {"runtimes": {"science": {"image": {"repository": "me/science", "tag": "1"}}}},
    "another runtime alone": {"runtimes": {"python": None, "mine": {"image": {"repository": "me/mine", "tag": "1"}}}},
    "monitoring": {
        "monitoring": {
            "podMonitors": {"enabled": True, "labels": {"release": "prometheus"}},
            "rules": {"enabled": True, "labels": {"release": "prometheus"}},
            "dashboards": {"enabled": True, "annotations": {"folder": "Kubewick"}},
        }
    },
    "prepull": {"prepull": {"enabled": True, "tolerations": [{"operator": "Exists"}]}},
    "placement": {
        part: {
            "priorityClassName": "system-cluster-critical",
            "nodeSelector": {"a": "b"},
            "tolerations": [{"key": "a", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "podAnnotations": {"a": "b"},
            "podLabels": {"a": "b"},
            "serviceAccount": {"annotations": {"a": "b"}},
        }
        for part in ("operator", "router")
    },
    "volumes of their own for functions": {"functions": {"imageVolumes": False}},
    "user namespaces": {"functions": {"hostUsers": False}},
    "no anti-affinity": {"warmPool": {"antiAffinity": False}},
    "no hooks": {"crds": {"upgrade": False}, "uninstall": {"cleanup": False}},
}


@pytest.mark.parametrize("values", TOGGLES.values(), ids=TOGGLES.keys())
def test_an_api_server_takes_what_is_rendered(render, judge, values):
    judge([each for each in render(values) if not each["apiVersion"].startswith(OTHERS)])


@pytest.mark.parametrize("values", TOGGLES.values(), ids=TOGGLES.keys())
def test_every_pod_meets_restricted_pod_security_and_has_a_memory_limit(render, values):
    for manifest in render(values):
        for pod in pods(manifest):
            assert pod["securityContext"]["runAsNonRoot"]
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            for container in pod["containers"]:
                security = container["securityContext"]
                assert security["capabilities"] == {"drop": ["ALL"]}
                assert security["allowPrivilegeEscalation"] is False
                assert security["readOnlyRootFilesystem"] is True
                assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("values", TOGGLES.values(), ids=TOGGLES.keys())
def test_everything_carries_the_releases_labels(render, values):
    for manifest in render(values):
        labels = manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "kubewick"
        assert labels["app.kubernetes.io/instance"] == "kubewick"


def test_the_linter_has_nothing_to_say(helm, chart):
    assert "0 chart(s) failed" in helm("lint", "--strict", chart, "--kube-version=1.37.0")


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"router": {"replicas": 0}}, "/router/replicas"),
        ({"router": {"setings": {}}}, "'setings' not allowed"),
        ({"router": {"settings": {"queue_bytes": 1}}}, "'queue_bytes' not allowed"),
        ({"operator": {"image": {"digest": "sha1:abc"}}}, "/operator/image/digest"),
        ({"watchNamespaces": "team-a"}, "/watchNamespaces"),
        ({"routes": {"hosts": {"shop": ["Shop.example"]}}}, "/routes/hosts/shop/0"),
        ({"routes": {"hosts": {"shop": "*"}}}, "/routes/hosts/shop"),
        ({"watchNamespaces": ["Team A"]}, "/watchNamespaces/0"),
        ({"namespaces": {"team-a": {"quotas": {}}}}, "'quotas' not allowed"),
    ],
)
def test_a_wrong_value_is_refused_by_its_path(render, values, complaint):
    with pytest.raises(AssertionError, match=complaint):
        render(values)


def test_numbers_reach_the_processes_as_they_were_written(render, environment):
    values = {"router": {"settings": {"queueBytes": 33554432, "accessLog": 0.25, "trustedProxies": ["10.0.0.0/8"]}}}
    said = environment(render(values), "router")
    assert said["WICK_ROUTER_QUEUE_BYTES"] == "33554432"
    assert said["WICK_ROUTER_ACCESS_LOG"] == "0.25"
    assert said["WICK_ROUTER_TRUSTED_PROXIES"] == "10.0.0.0/8"


KUBE = ("--kube-version", "1.37.0")


def test_numbers_may_be_set_on_the_command_line(helm, chart, environment):
    settings = ("router.settings.accessLog=0.01", "router.settings.queueBytes=33554432", "operator.settings.grace=5")
    flags = [flag for each in settings for flag in ("--set", each)]
    manifests = [each for each in yaml.safe_load_all(helm("template", "kubewick", str(chart), *KUBE, *flags)) if each]
    router, operator = (environment(manifests, part) for part in ("router", "operator"))
    assert (router["WICK_ROUTER_ACCESS_LOG"], router["WICK_ROUTER_QUEUE_BYTES"]) == ("0.01", "33554432")
    assert operator["KUBEWICK_OPERATOR_GRACE"] == "5"
    with pytest.raises(AssertionError, match="/router/settings/accessLog"):
        helm("template", "kubewick", str(chart), *KUBE, "--set", "router.settings.accessLog=some")


def test_routers_get_variables_by_their_own_names(render, environment):
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_SAMPLER_ARG": 0.05}
    said = environment(render({"router": {"env": told}}), "router")
    assert {name: said[name] for name in told} == {name: str(value) for name, value in told.items()}
    with pytest.raises(AssertionError, match="env"):
        render({"router": {"env": {"not a name": "x"}}})


def test_a_digest_wins_over_the_tag_everywhere(render, container, environment):
    manifests = render(TOGGLES["digests"])
    assert container(manifests, "operator")["image"].endswith("@sha256:" + "0" * 64)
    assert json.loads(environment(manifests, "operator")["KUBEWICK_OPERATOR_RUNTIMES"])["python"].endswith("2" * 64)


def test_a_runtime_set_to_null_is_not_offered(render, environment):
    said = environment(render(TOGGLES["another runtime alone"]), "operator")
    assert json.loads(said["KUBEWICK_OPERATOR_RUNTIMES"]) == {"mine": "me/mine:1"}


@pytest.mark.parametrize(
    ("without", "variable"),
    [
        ("volumes of their own for functions", "KUBEWICK_OPERATOR_IMAGE_VOLUMES"),
        ("no anti-affinity", "KUBEWICK_OPERATOR_ANTI_AFFINITY"),
    ],
)
def test_what_functions_pods_have_is_switched_by_a_value_that_may_be_false(render, environment, without, variable):
    said = [environment(render(TOGGLES[each]), "operator") for each in ("defaults", without)]
    assert [each[variable] for each in said] == ["true", "false"]


def test_the_parts_can_read_the_environment_the_chart_gives_them(render, environment):
    router = pytest.importorskip("wick_router.config").RouterConfig
    operator = pytest.importorskip("wick_operator.config").OperatorConfig
    for values in TOGGLES.values():
        manifests = render(values)
        router.from_environment(environment(manifests, "router"))
        operator.from_environment(environment(manifests, "operator"))


def test_operator_and_routers_decide_by_the_same_policy(render, environment):
    router = pytest.importorskip("wick_router.config").RouterConfig
    operator = pytest.importorskip("wick_operator.config").OperatorConfig
    for values in ({}, {**TOGGLES["hosts for tenants"], "router": {"domains": ["fn.example"]}, "clusterDomain": "x.y"}):
        manifests = render(values)
        routers = router.from_environment(environment(manifests, "router")).policy
        assert operator.from_environment(environment(manifests, "operator")).policy == routers
        services = ("kubewick-router.kubewick-system", "kubewick-router-internal.kubewick-system")
        assert routers.services == services
        assert bool(routers.hosts) == bool(values)


def test_labels_of_namespaces_cannot_be_asked_for_without_rights_on_all_of_them(render):
    with pytest.raises(AssertionError, match="with watchNamespaces name the namespace"):
        render({**TOGGLES["hosts for tenants"], "watchNamespaces": ["shop"]})


def test_named_namespaces_bring_no_right_beyond_them(render):
    rights = [each for each in render(TOGGLES["named namespaces"]) if each["kind"] in {"ClusterRole", "Role"}]
    rights = [each for each in rights if "helm.sh/hook" not in each["metadata"].get("annotations", {})]
    assert {each["kind"] for each in rights} == {"Role"}
    assert {each["metadata"]["namespace"] for each in rights} == {"team-a", "team-b", "kubewick-system"}


def test_a_mistake_in_a_template_is_noticed_by_the_judge(judge):
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"port": []}}
    with pytest.raises(Refused, match=r"spec\.port: field not declared"):
        judge([wrong])


def pods(manifest):
    """The pod specs in a manifest."""
    match manifest["kind"]:
        case "Deployment" | "DaemonSet" | "Job":
            return [manifest["spec"]["template"]["spec"]]
        case "Pod":
            return [manifest["spec"]]
        case _:
            return []
