"""Whose is this object, and who writes its `replicas`? Read from owner references and managed fields.

Server-side apply and `replicas`: a Deployment made without that field gets 1, which would start a pod nobody asked
for; one made with it makes the operator its owner, and dropping it later would reset it to 1. So

1. the operator creates the Deployment with `replicas: scale.initial`, and owns that field until somebody writes another
   number (the router, the autoscaler, a person), who owns it then;
2. before the operator applies that Deployment again while it still owns the field alone (`replicas_are_ours`), it
   applies the same number as the autoscaler, without force, so that both own it: a number that was just changed is a
   conflict, and has an owner;
3. every later apply of the operator leaves it out and touches it no more.

A crash anywhere in between leaves a state that 2 knows. Most Functions are started before they are changed, so 2 is
rare, and a new Function costs a write less.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any

from wick_api import names
from wick_api.function import Function

Manifest = Mapping[str, Any]

_OURS = frozenset({names.OPERATOR, names.AUTOSCALER, names.ROUTER})


class Owner(Enum):
    """Who controls an object that has a name one of our children should have."""

    THIS = "this Function"
    PREDECESSOR = "a Function of the same name that was deleted"
    ANOTHER = "somebody else"


def owner(function: Function, child: Manifest) -> Owner:
    """Who controls `child`."""
    controller = _controller(child)
    if controller.get("uid") == function.metadata.uid:
        return Owner.THIS
    is_function = str(controller.get("apiVersion", "")).startswith(f"{names.GROUP}/")
    if is_function and controller.get("kind") == names.KIND and controller.get("name") == function.key.name:
        return Owner.PREDECESSOR
    return Owner.ANOTHER


def describe_owner(child: Manifest) -> str:
    """Words for the condition `NotOwned`."""
    controller = _controller(child)
    return f"{controller.get('kind')} {controller.get('name')}" if controller else "nobody Kubewick knows"


def _controller(child: Manifest) -> Manifest:
    references = child.get("metadata", {}).get("ownerReferences", ())
    return next((reference for reference in references if reference.get("controller")), {})


def replicas_are_ours(managers: Iterable[str]) -> bool:
    """Whether the operator alone owns `spec.replicas`, so that leaving it out would reset it to 1."""
    return set(managers) == {names.OPERATOR}


def replicas_set_by_others(managers: Iterable[str]) -> str:
    """The manager outside Kubewick that last set `spec.replicas`, or nothing."""
    return next((manager for manager in managers if manager not in _OURS), "")


def replicas_managers(deployment: Manifest) -> Iterator[str]:
    """Field managers of `spec.replicas`."""
    for entry in deployment.get("metadata", {}).get("managedFields", ()):
        if "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {}):
            yield entry.get("manager", "")
