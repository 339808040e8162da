"""Kinds of objects and the paths they live at."""

from typing import NamedTuple
from urllib.parse import quote


class Resource(NamedTuple):
    """A kind as the API's paths name it; `group` is empty for core/v1."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Path of the collection, of one object, or of a part of it; no namespace means all, or a cluster kind.

        ``ValueError`` for a name that no object has and that, in a path, would lead elsewhere.
        """
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [root]
        if namespace:
            parts += ["namespaces", _segment(namespace)]
        parts.append(self.plural)
        if name:
            parts.append(_segment(name))
        if subresource:
            parts.append(subresource)
        return "/".join(parts)


def _segment(name: str) -> str:
    """The rule of `IsValidPathSegmentName` in apimachinery, which the API server holds names to."""
    if name in {".", ".."} or "/" in name or "%" in name:
        raise ValueError(f"{name!r} is not the name of an object")
    return quote(name, safe="")


FUNCTIONS = Resource("kubewick.dev", "v1alpha1", "functions", "Function")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet")
PODS = Resource("", "v1", "pods", "Pod")
SERVICES = Resource("", "v1", "services", "Service")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
SECRETS = Resource("", "v1", "secrets", "Secret")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace")
NODES = Resource("", "v1", "nodes", "Node")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
CORE_EVENTS = Resource("", "v1", "events", "Event")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
AUTOSCALERS = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
ENDPOINT_SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")

_BY_KIND = {
    (resource.api_version, resource.kind): resource
    for resource in (
        FUNCTIONS,
        DEPLOYMENTS,
        REPLICA_SETS,
        PODS,
        SERVICES,
        CONFIG_MAPS,
        SECRETS,
        NAMESPACES,
        NODES,
        EVENTS,
        CORE_EVENTS,
        LEASES,
        AUTOSCALERS,
        ENDPOINT_SLICES,
    )
}


def of(api_version: str, kind: str) -> Resource:
    """The resource a manifest's apiVersion and kind name; ``KeyError`` for a kind Kubewick never writes."""
    return _BY_KIND[api_version, kind]
