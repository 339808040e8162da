"""The manifests of a function's children; complete in the fields Kubewick owns, silent in all others.

`replicas` is not among them: the autoscaler owns that field (see `wick_operator.replicas`).
"""

from typing import Any

from wick_api import names
from wick_api.function import Function
from wick_api.revision import INPUT, Revision, pack
from wick_operator.config import OperatorConfig
from wick_operator.function.decisions.desired.choice import with_checksum

Manifest = dict[str, Any]

_OLD_REPLICA_SETS = 2  # enough for kubectl rollout undo in need; what Kubewick rolls back to are its own revisions
_PROGRESS_DEADLINE = 300  # seconds until Kubernetes calls a rollout stuck; status tells the reason long before


def children(
    function: Function, config: OperatorConfig, revision: Revision, input_now: str, checksum: str
) -> list[Manifest]:
    """All children, in the order in which they are applied: what others refer to comes first."""
    return [
        config_map(function, revision, input_now),
        service(function, config),
        deployment(function, revision, checksum),
    ]


def deployment(function: Function, revision: Revision, checksum: str) -> Manifest:
    """Runs the pods; an update starts a new one and waits for its readiness before an old one goes."""
    key = function.key
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(function, names.deployment(key), revision.name),
        "spec": {
            "selector": {"matchLabels": names.selector(key)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
            "revisionHistoryLimit": _OLD_REPLICA_SETS,
            "progressDeadlineSeconds": _PROGRESS_DEADLINE,
            "template": with_checksum(revision.template, checksum),
        },
    }


def config_map(function: Function, revision: Revision, input_now: str) -> Manifest:
    """Keeps a revision: its source, mounted into the pods, and its pod template."""
    metadata = _metadata(function, names.source(function.key, revision.name), revision.name)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {**metadata, "annotations": {INPUT: input_now}},
        "immutable": True,
        "data": pack(revision),
    }


def service(function: Function, config: OperatorConfig) -> Manifest:
    """An alias of the routers, so that the function's own DNS name works even while nothing runs."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(function, names.service(function.key)),
        "spec": {
            "type": "ExternalName",
            "externalName": config.router_host,
            "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        },
    }


def _metadata(function: Function, name: str, revision: str = "") -> Manifest:
    return {
        "name": name,
        "namespace": function.key.namespace,
        "labels": {**names.labels(function.key), **({names.REVISION: revision} if revision else {})},
        "ownerReferences": [
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "name": function.key.name,
                "uid": function.metadata.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
