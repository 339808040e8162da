"""Which revision a function is to run: a new one, the one it runs already, or the one it is rolled back to.

    spec.rollbackTo set -------------------------------> that one, as it was kept
    same input as the present one, and pods run it ----> the present one, as it was kept
    else ----------------------------------------------> rendered anew

"Same input" is the author's part alone. So an upgrade of Kubewick, with another runtime image or other probes, restarts
no instance: a function takes what is new when its author changes it, when it is at rest, or when the annotation
``kubewick.dev/refresh`` gets another value.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from wick_api import names
from wick_api.function import START_TIMEOUT, Function
from wick_api.revision import LENGTH, Revision, digest
from wick_operator.config import OperatorConfig
from wick_operator.function.decisions.desired.environment import canonical
from wick_operator.function.decisions.desired.template import render

REFRESH = f"{names.GROUP}/refresh"
_UNNAMED = "0" * LENGTH

_DECIDING = (
    "image",
    "runtime",
    "handler",
    "interface",
    "env_from",
    "resources",
    "secrets",
    "config_maps",
    "service_account_name",
    "image_pull_secrets",
    "node_selector",
    "tolerations",
    "priority_class_name",
    "concurrency",
    "timeout",
    "max_request_bytes",
    "debug",
)
"""Fields of the spec that decide what runs, besides `env` (in canonical order) and the source."""


class Running(Struct, frozen=True):
    """The revision the function's Deployment names now."""

    revision: str
    input: str
    """Of its ConfigMap; empty when that is gone."""
    at_rest: bool
    """No pod runs it, and none was asked for."""


def new(function: Function, config: OperatorConfig, files: Mapping[str, str]) -> Revision:
    """The revision that spec and source describe, named by its content."""
    name = digest(files, render(function, config, files, _UNNAMED))[:LENGTH]
    return Revision(name, dict(files), render(function, config, files, name))


def input_of(function: Function, files: Mapping[str, str]) -> str:
    """Digest of the author's part of a revision."""
    spec = function.spec
    fields = {name: msgspec.to_builtins(getattr(spec, name), enc_hook=float) for name in _DECIDING}
    if spec.start_timeout != START_TIMEOUT:  # else the input is what it was before the field was there
        fields["start_timeout"] = float(spec.start_timeout)
    if spec.lambda_ is not None:  # as above
        fields["lambda"] = spec.lambda_.event
    refresh = function.metadata.annotations.get(REFRESH, "")
    return digest(fields, canonical(spec.env), files, refresh)[:LENGTH]


def keeps(running: Running | None, input_now: str) -> bool:
    """Whether the function goes on with what it runs although it would be rendered otherwise today."""
    return running is not None and not running.at_rest and running.input == input_now


def with_checksum(template: Mapping[str, Any], checksum: str) -> dict[str, Any]:
    """The template with the digest of what is used as environment, so that a change of that rolls the pods."""
    if not checksum:
        return dict(template)
    metadata = {**template["metadata"], "annotations": {f"{names.GROUP}/config": checksum}}
    return {**template, "metadata": metadata}
