"""The pod template of a function: everything that decides what runs, and so what its revision is named after."""

import math
from collections.abc import Mapping
from typing import Any

from wick_api import names, quantity
from wick_api.function import Function, FunctionSpec
from wick_operator.config import OperatorConfig
from wick_operator.function.decisions.desired import environment, placement, volumes

_TIME_TO_STOP = 10  # seconds beyond the grace: to run shutdown hooks and end
_LONGEST_GRACE = 3600

Template = dict[str, Any]


def render(function: Function, config: OperatorConfig, files: Mapping[str, str], revision: str) -> Template:
    """The pod template of one revision."""
    key = function.key
    return {
        "metadata": {"labels": {**names.labels(key), names.REVISION: revision}},
        "spec": _pod(function, config, files, revision),
    }


def grace(spec: FunctionSpec) -> int:
    """Seconds an instance gets to finish what is in flight: as long as one request may take."""
    return max(1, min(_LONGEST_GRACE, math.ceil(spec.timeout)))


def _pod(function: Function, config: OperatorConfig, files: Mapping[str, str], revision: str) -> Template:
    spec = function.spec
    resources = _resources(spec, config)
    needed = volumes.needed(spec, config, files, resources)
    source = [] if spec.image is not None or needed.source else environment.of_source(function, revision, files)
    container = {
        **_container(function, config, [*environment.of_kubewick(function, revision, grace(spec)), *source]),
        "resources": resources,
        "volumeMounts": volumes.mounts(spec, needed),
    }
    pull = [*({"name": name} for name in config.image_pull_secrets), *spec.image_pull_secrets]
    optional = {
        "serviceAccountName": spec.service_account_name,
        "imagePullSecrets": sorted(pull, key=lambda secret: str(secret["name"])),
        "nodeSelector": dict(spec.node_selector),
        "affinity": placement.affinity(function.key, spec, config, resources),
        "tolerations": list(spec.tolerations),
        "priorityClassName": spec.priority_class_name,
    }
    return {
        "automountServiceAccountToken": spec.service_account_name is not None,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace(spec) + _TIME_TO_STOP,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": volumes.volumes(function, needed, files, revision),
        **({} if config.host_users else {"hostUsers": False}),
        **{field: value for field, value in optional.items() if value},
    }


def _container(function: Function, config: OperatorConfig, own: list[Template]) -> Template:
    """The container; `own` are Kubewick's variables."""
    spec = function.spec
    ports = [{"name": names.HTTP_PORT_NAME, "containerPort": names.HTTP_PORT, "protocol": "TCP"}]
    if spec.image is None:
        ports.append({"name": names.CONTROL_PORT_NAME, "containerPort": names.CONTROL_PORT, "protocol": "TCP"})
    container: Template = {
        "name": names.CONTAINER,
        "image": spec.image if spec.image is not None else config.runtimes[spec.runtime],
        "imagePullPolicy": config.image_pull_policy,
        "ports": ports,
        "env": [*own, *environment.canonical(spec.env)],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        **_probes(spec),
    }
    if spec.env_from:
        container["envFrom"] = list(spec.env_from)
    return container


def _probes(spec: FunctionSpec) -> Template:
    """The kubelet's view, for rollouts and restarts; the router finds out sooner by itself."""
    if spec.image is not None:
        return {"readinessProbe": {"tcpSocket": {"port": names.HTTP_PORT_NAME}, "periodSeconds": 2}}
    return {
        "readinessProbe": {
            "httpGet": {"path": "/readyz", "port": names.CONTROL_PORT_NAME},
            "periodSeconds": 2,
            "timeoutSeconds": 2,
        },
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": names.CONTROL_PORT_NAME},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
        },
    }


def _resources(spec: FunctionSpec, config: OperatorConfig) -> Template:
    """The author's, and the installation's defaults where they are silent; no request above its own limit."""
    merged = {
        part: {**config.default_resources.get(part, {}), **spec.resources.get(part, {})}
        for part in ("requests", "limits")
    }
    for name, limit in spec.resources.get("limits", {}).items():
        requested = merged["requests"].get(name)
        if requested is None or name in spec.resources.get("requests", {}):
            continue
        if quantity.parse(requested) > quantity.parse(limit):
            del merged["requests"][name]  # Kubernetes then requests the limit
    for name in list(merged["limits"]):
        if name in spec.resources.get("requests", {}) and name not in spec.resources.get("limits", {}):
            del merged["limits"][name]  # a default limit must not fall below what the author asks for
    return {part: values for part, values in merged.items() if values}
