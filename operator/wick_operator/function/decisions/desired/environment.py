"""Environment variables of a function's container, in one order whatever order the author wrote.

Order carries meaning only where a value names another variable as ``$(NAME)``: Kubernetes expands those defined
before. So variables are sorted by name, except that two of which one names the other keep their order; moving others
around changes nothing and restarts nothing.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from wick_api import names
from wick_api.function import START_TIMEOUT, Function, FunctionSpec, Manifest
from wick_api.revision import to_key
from wick_operator.observed.reference import Reference

_REFERENCE = re.compile(r"\$\(([^()]+)\)")


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
            **({} if spec.lambda_ is None else {"KUBEWICK_LAMBDA_EVENT": spec.lambda_.event}),
            "KUBEWICK_CONCURRENCY": spec.concurrency,
            "KUBEWICK_TIMEOUT": f"{float(spec.timeout):.12g}",
            "KUBEWICK_MAX_REQUEST_BYTES": spec.max_request_bytes,
            "KUBEWICK_GRACE": grace,
            **({"KUBEWICK_DEBUG": "1"} if spec.debug else {}),
            **_start_timeout(spec),
        }
    return [{"name": name, "value": str(value)} for name, value in values.items()]


def _start_timeout(spec: FunctionSpec) -> dict[str, str]:
    """Nothing where it is the runtime's default: templates of before the field was there stay what they are."""
    given = spec.start_timeout
    return {} if given == START_TIMEOUT else {"KUBEWICK_START_TIMEOUT": f"{float(given):.12g}"}


def of_source(function: Function, revision: str, files: Mapping[str, str]) -> list[dict[str, Any]]:
    """The files as variables, from the revision's ConfigMap; the runtime writes them out and withdraws the variables.

    For files that `volumes.fit_the_environment`.
    """
    paths = sorted(files)
    config_map = names.source(function.key, revision)
    texts = [{"configMapKeyRef": {"name": config_map, "key": to_key(path)}} for path in paths]
    return [
        {"name": names.SOURCE_ENV, "value": json.dumps(paths)},
        *({"name": f"{names.SOURCE_ENV}_{index}", "valueFrom": text} for index, text in enumerate(texts)),
    ]


def in_environment(spec: FunctionSpec) -> tuple[Reference, ...]:
    """What becomes environment, so that a change of it rolls the pods; sorted, each object once."""
    return _once(_in_environment(spec))


def needed(spec: FunctionSpec) -> tuple[Reference, ...]:
    """All that must exist before an instance can start: environment, mounts and the source."""
    mounts = [
        *(Reference("Secret", mount.name, mount.optional) for mount in spec.secrets),
        *(Reference("ConfigMap", mount.name, mount.optional) for mount in spec.config_maps),
    ]
    return _once([*_in_environment(spec), *mounts])


def _in_environment(spec: FunctionSpec) -> Iterator[Reference]:
    for variable in spec.env:
        origin = variable.get("valueFrom", {})
        for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
            if field in origin:
                yield Reference(kind, origin[field]["name"], bool(origin[field].get("optional")))
    for source in spec.env_from:
        for field, kind in (("secretRef", "Secret"), ("configMapRef", "ConfigMap")):
            if field in source:
                yield Reference(kind, source[field]["name"], bool(source[field].get("optional")))


def _once(references: Iterable[Reference]) -> tuple[Reference, ...]:
    """Each object once, optional only where all who name it say so."""
    optional: dict[tuple[str, str], bool] = {}
    for each in references:
        optional[each.kind, each.name] = optional.get((each.kind, each.name), True) and each.optional
    return tuple(Reference(*which, optional[which]) for which in sorted(optional))
