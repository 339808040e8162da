"""Environment variables of a function's container, in one order whatever order the author wrote.

Order carries meaning only where a value names another variable as ``$(NAME)``: Kubernetes expands those defined
before. So variables are sorted by name, except that two of which one names the other keep their order; moving others
around changes nothing and restarts nothing.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from wick_api import names
from wick_api.function import Function, FunctionSpec, Manifest

_REFERENCE = re.compile(r"\$\(([^()]+)\)")


class Reference(Struct, frozen=True, order=True):
    """A Secret or ConfigMap used as environment, so that a change of it rolls the pods."""

    kind: str
    """``Secret`` or ``ConfigMap``."""
    name: str


def canonical(variables: Sequence[Manifest]) -> list[Manifest]:
    """The variables in the order in which they are handed to Kubernetes."""
    given = [str(variable["name"]) for variable in variables]
    mentioned = [set(_REFERENCE.findall(str(variable.get("value", "")))) for variable in variables]
    behind = {
        name: {given[i] for i in range(index) if given[i] in mentioned[index] or name in mentioned[i]}
        for index, name in enumerate(given)
    }
    done: dict[str, None] = {}
    waiting = sorted(given)
    while waiting:
        ready = next(name for name in waiting if behind[name] <= done.keys())
        done[ready] = None
        waiting.remove(ready)
    position = {name: index for index, name in enumerate(given)}
    return [variables[position[name]] for name in done]


def of_kubewick(function: Function, revision: str, grace: int) -> list[dict[str, Any]]:
    """Kubewick's own variables (`docs/contracts.md`), first, so that the author's may refer to them."""
    spec, key = function.spec, function.key
    values = {
        "PORT": names.HTTP_PORT,
        "KUBEWICK_FUNCTION": key.name,
        "KUBEWICK_NAMESPACE": key.namespace,
        "KUBEWICK_REVISION": revision,
    }
    if spec.image is None:
        values |= {
            "KUBEWICK_CONTROL_PORT": names.CONTROL_PORT,
            "KUBEWICK_CODE": names.CODE_PATH,
            "KUBEWICK_HANDLER": spec.handler,
            "KUBEWICK_INTERFACE": spec.interface,
            "KUBEWICK_CONCURRENCY": spec.concurrency,
            "KUBEWICK_TIMEOUT": f"{float(spec.timeout):.12g}",
            "KUBEWICK_MAX_REQUEST_BYTES": spec.max_request_bytes,
            "KUBEWICK_GRACE": grace,
            **({"KUBEWICK_DEBUG": "1"} if spec.debug else {}),
        }
    return [{"name": name, "value": str(value)} for name, value in values.items()]


def references(spec: FunctionSpec) -> tuple[Reference, ...]:
    """Secrets and ConfigMaps whose content becomes environment; sorted, each once."""
    return tuple(sorted(set(_references(spec))))


def _references(spec: FunctionSpec) -> Iterator[Reference]:
    for variable in spec.env:
        origin = variable.get("valueFrom", {})
        for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
            if field in origin:
                yield Reference(kind, origin[field]["name"])
    for source in spec.env_from:
        for field, kind in (("secretRef", "Secret"), ("configMapRef", "ConfigMap")):
            if field in source:
                yield Reference(kind, source[field]["name"])
