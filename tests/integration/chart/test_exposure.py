"""What of the routers can be reached from outside by what the chart renders, and what functions' own names lead to."""

import pytest

from wick_operator.config import OperatorConfig
from wick_router.config import RouterConfig

INGRESS = {"enabled": True, "hosts": ["functions.example.com"]}
ROUTE = {"enabled": True, "parentRefs": [{"name": "public"}]}
OUTSIDE = {
    "nothing": {},
    "ingress": {"router": {"ingress": INGRESS}},
    "gateway": {"router": {"httpRoute": ROUTE}},
    "load balancer": {"router": {"service": {"type": "LoadBalancer"}}},
    "node port": {"router": {"service": {"type": "NodePort", "nodePort": 30080}}},
    "all with TLS": {
        "router": {
            "ingress": INGRESS,
            "httpRoute": ROUTE,
            "service": {"type": "LoadBalancer"},
            "tls": {"secretName": "router-tls"},
        }
    },
}
BEFORE = {"http": 8080, "admin": 9401}
"""Ports of routers from before there were two data ports."""


@pytest.mark.parametrize("values", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_what_is_exposed_leads_to_public_listeners_alone(render, container, environment, values):
    manifests = render(values)
    config = RouterConfig.from_environment(environment(manifests, "router"))
    public = {config.public_port, config.tls_port} - {0}
    ports = {each["name"]: each["containerPort"] for each in container(manifests, "router")["ports"]}
    assert config.port not in public
    for service in exposed(manifests):
        assert {reached(port, ports) for port in service["spec"]["ports"]} <= public


@pytest.mark.parametrize("values", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_functions_names_lead_to_every_function_by_a_service_that_nothing_exposes(
    render, container, environment, values
):
    manifests = render(values)
    name = OperatorConfig(namespace="kubewick-system").router_host.partition(".")[0]
    internal = services(manifests)[name]
    ports = {each["name"]: each["containerPort"] for each in container(manifests, "router")["ports"]}
    config = RouterConfig.from_environment(environment(manifests, "router"))
    assert [(port["port"], reached(port, ports)) for port in internal["spec"]["ports"]] == [(80, config.port)]
    assert internal["spec"]["type"] == "ClusterIP"
    assert internal not in exposed(manifests)


def test_while_routers_are_replaced_each_service_has_endpoints_in_old_and_new_ones(render, container):
    """A Service's port is found in each pod for itself, so it must have a meaning in both."""
    manifests = render({})
    now = {each["name"]: each["containerPort"] for each in container(manifests, "router")["ports"]}
    for name, new in (("kubewick-router", 8082), ("kubewick-router-internal", 8080)):
        (port,) = services(manifests)[name]["spec"]["ports"]
        assert (reached(port, BEFORE), reached(port, now)) == (8080, new)


def services(manifests):
    return {each["metadata"]["name"]: each for each in manifests if each["kind"] == "Service"}


def exposed(manifests):
    """Services that something leads to from outside; the routers' own for outsiders always."""
    found = services(manifests)
    names = {"kubewick-router"}
    names |= {name for name, each in found.items() if each["spec"].get("type") in {"LoadBalancer", "NodePort"}}
    for each in manifests:
        if each["kind"] == "Ingress":
            paths = [path for rule in each["spec"]["rules"] for path in rule["http"]["paths"]]
            names |= {path["backend"]["service"]["name"] for path in paths}
        if each["kind"] == "HTTPRoute":
            names |= {backend["name"] for rule in each["spec"]["rules"] for backend in rule["backendRefs"]}
    return [found[name] for name in names]


def reached(port, ports):
    """The number a Service's port means in a pod with these named ports; None where it has none such."""
    target = port["targetPort"]
    return target if isinstance(target, int) else ports.get(target)
