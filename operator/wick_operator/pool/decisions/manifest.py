"""A pool's Deployment: generic runtime pods, made from the very template functions get; pure.

Deriving it from `desired.template` is what keeps warm and cold pods the same: the shape is that of a function that asks
for nothing, and only what a claim changes is different here.
"""

from typing import Any

from wick_api import names, quantity, warm
from wick_api.function import Function, FunctionMetadata, FunctionSpec, Source
from wick_api.revision import LENGTH, digest
from wick_operator.config import OperatorConfig
from wick_operator.function.decisions.desired import volumes
from wick_operator.function.decisions.desired.template import render
from wick_operator.pool_settings import PoolSettings

GRACE = 310
"""Seconds a warm pod's function may take to stop; functions with a `timeout` over 300 s take the Deployment path."""
DORMANT_MEMORY = "12Mi"
"""Asked for by a pod that only listens; it uses 5 to 7, and pause 1."""
CODE_ROOM = "16Mi"
"""Memory the code may take where it is kept in a volume; by the CRD it is less than 1 MiB, wherever it is kept."""

Manifest = dict[str, Any]

TEMPLATE = f"{names.GROUP}/template"
"""Annotation of a pool's Deployment: digest of its pod template as applied, so that what was left out since shows."""


def name(runtime: str, *, dormant: bool) -> str:
    """Name of a runtime's pool in each namespace, or of its dormant part."""
    return f"{names.DORMANT_PREFIX if dormant else names.POOL_PREFIX}{runtime}"


def deployment(
    namespace: str,
    runtime: str,
    settings: PoolSettings,
    config: OperatorConfig,
    replicas: int,
    *,
    dormant: bool = False,
) -> Manifest:
    """The Deployment of the pool's warm pods, or of its dormant ones."""
    component = warm.DORMANT if dormant else "pool"
    labels = {
        names.POOL: runtime,
        names.COMPONENT: component,
        names.MANAGED_BY: "kubewick",
        names.PART_OF: "kubewick",
    }
    template = _template(namespace, runtime, settings, config, labels)
    if dormant:
        _put_to_sleep(template["spec"]["containers"][0])
    whole = {TEMPLATE: digest(template)[:LENGTH]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name(runtime, dormant=dormant),
            "namespace": namespace,
            "labels": labels,
            "annotations": whole,
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {names.POOL: runtime, names.COMPONENT: component}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "50%", "maxSurge": "50%"}},
            "revisionHistoryLimit": 1,
            "template": template,
        },
    }


def _template(
    namespace: str, runtime: str, settings: PoolSettings, config: OperatorConfig, labels: dict[str, str]
) -> Manifest:
    blank = Function(
        metadata=FunctionMetadata(name="pool", namespace=namespace, creation_timestamp=""),
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
    waiting = {
        **container,
        "env": [{"name": variable, "value": value} for variable, value in variables.items()],
        "resources": settings.resources,
        "volumeMounts": _with_room(container["volumeMounts"], config, {"mountPath": names.CODE_PATH}),
    }
    room = {"emptyDir": {"medium": "Memory", "sizeLimit": CODE_ROOM}}
    spec = {
        **{field: value for field, value in template["spec"].items() if field != "affinity"},
        "containers": [waiting],
        "volumes": _with_room(template["spec"]["volumes"], config, room),
        "terminationGracePeriodSeconds": GRACE,
    }
    return {"metadata": {"labels": {**labels, warm.SHAPE: warm.shape(template)}}, "spec": spec}


def _put_to_sleep(container: Manifest) -> None:
    """Make of a warm pod's container a dormant one's, which preloads nothing: its first start would wait for that."""
    container["env"] = [
        *(each for each in container["env"] if each["name"] != "KUBEWICK_PRELOAD"),
        {"name": "KUBEWICK_DORMANT", "value": "1"},
    ]
    given = container["resources"]
    asked = given.get("requests", {})
    if "memory" in asked and quantity.parse(asked["memory"]) > quantity.parse(DORMANT_MEMORY):
        container["resources"] = {**given, "requests": {**asked, "memory": DORMANT_MEMORY}}


def _with_room(entries: list[Manifest], config: OperatorConfig, room: Manifest) -> list[Manifest]:
    """Volumes or mounts with an empty place for the source, whose text comes with a claim; the image may have one."""
    kept = [entry for entry in entries if entry["name"] != volumes.SOURCE]
    return kept if config.image_volumes else [*kept, {"name": volumes.SOURCE, **room}]
