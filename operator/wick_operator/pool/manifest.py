"""A pool's Deployment: generic runtime pods, made from the very template functions get; pure.

Deriving it from `desired.template` is what keeps warm and cold pods the same: the shape is that of a function that asks
for nothing, and only what a claim changes is different here.
"""

from typing import Any

from wick_api import names, warm
from wick_api.function import Function, FunctionSpec, Metadata, Source
from wick_api.revision import LENGTH, digest
from wick_operator.config import Config
from wick_operator.desired.template import render
from wick_operator.pool.settings import Settings

GRACE = 310
"""Seconds a warm pod's function may take to stop; functions with a `timeout` over 300 s take the Deployment path."""
CODE_ROOM = "16Mi"
"""Memory the code of a function may take: a ConfigMap's 1 MiB, its bytecode, and room."""

Manifest = dict[str, Any]

TEMPLATE = f"{names.GROUP}/template"
"""Annotation of a pool's Deployment: digest of its pod template as applied, so that what was left out since shows."""


def name(runtime: str) -> str:
    """Name of a runtime's pool in each namespace."""
    return f"kubewick-pool-{runtime}"


def deployment(namespace: str, runtime: str, settings: Settings, config: Config, replicas: int) -> Manifest:
    """The pool's Deployment."""
    labels = {
        names.POOL: runtime,
        names.COMPONENT: "pool",
        names.MANAGED_BY: "kubewick",
        names.PART_OF: "kubewick",
    }
    template = _template(namespace, runtime, settings, config, labels)
    whole = {TEMPLATE: digest(template)[:LENGTH]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name(runtime), "namespace": namespace, "labels": labels, "annotations": whole},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {names.POOL: runtime, names.COMPONENT: "pool"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "50%", "maxSurge": "50%"}},
            "revisionHistoryLimit": 1,
            "template": template,
        },
    }


def _template(namespace: str, runtime: str, settings: Settings, config: Config, labels: dict[str, str]) -> Manifest:
    blank = Function(
        metadata=Metadata(name="pool", namespace=namespace, creation_timestamp=""),
        spec=FunctionSpec(source=Source(inline={}), runtime=runtime),
    )
    template = render(blank, config, {}, "")
    container = template["spec"]["containers"][0]
    token = warm.token_digest(warm.token(config.pool_key, namespace, runtime))
    variables = {
        "PORT": str(names.HTTP_PORT),
        "KUBEWICK_CONTROL_PORT": str(names.CONTROL_PORT),
        "KUBEWICK_CODE": names.CODE_PATH,
        "KUBEWICK_GRACE": str(GRACE - 10),
        "KUBEWICK_POOL": "1",
        "KUBEWICK_TOKEN_SHA256": token,
        **({"KUBEWICK_PRELOAD": ",".join(settings.preload)} if settings.preload else {}),
    }
    mounts = [
        {key: value for key, value in mount.items() if key != "readOnly"} if mount["name"] == "source" else mount
        for mount in container["volumeMounts"]
    ]
    volumes = [
        {"name": "source", "emptyDir": {"medium": "Memory", "sizeLimit": CODE_ROOM}}
        if volume["name"] == "source"
        else volume
        for volume in template["spec"]["volumes"]
    ]
    waiting = {
        **container,
        "env": [{"name": variable, "value": value} for variable, value in variables.items()],
        "resources": settings.resources,
        "volumeMounts": mounts,
    }
    spec = {**template["spec"], "containers": [waiting], "volumes": volumes, "terminationGracePeriodSeconds": GRACE}
    return {"metadata": {"labels": {**labels, warm.SHAPE: warm.shape(template)}}, "spec": spec}
