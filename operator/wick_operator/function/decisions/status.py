"""A Function's status, judged from what was seen. Pure: the present status and the time come in.

    Ready                  requests are answered by the revision the spec asks for, or would be on the next one
     |- SourceResolved     spec and source can be read, the runtime is known
     |- DeploymentAvailable some revision's instances answer, or the function is at rest
     |- RouteReady         its Service exists and all its routes lead to it
    Scaled                 the instances asked for are there (not part of Ready: too few still serve)

`Ready` goes through: Unknown (starting, or rolling out beside an older revision) -> True (ready or idle), or False with
the reason of `wick_api.diagnosis`. What kept a revision from serving stays in the status when the function is scaled to
zero, until it serves, the spec changes, or the reason was the cluster's. `why` is the message of what matters most.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from wick_api import diagnosis, names
from wick_api.diagnosis import Trouble
from wick_api.function import Function
from wick_api.reason import Condition, Reason
from wick_api.routing import RouteLost
from wick_operator.observed.snapshot import KeptRevision, owned

Status = dict[str, Any]

KEPT_AT_REST = frozenset(
    {
        Reason.LOAD_FAILED,
        Reason.CRASH_LOOP,
        Reason.OUT_OF_MEMORY,
        Reason.IMAGE_PULL,
        Reason.CONFIG_MISSING,
        Reason.NOT_LISTENING,
    }
)


SLOW_START = 10.0
"""Seconds that the first instance may take to start while a function that was Ready, at rest or not, still is."""


class ReconcileProblem(Struct, frozen=True):
    """Why a step of the reconcile could not be taken."""

    reason: Reason
    message: str


class PodSummary(Struct, frozen=True):
    """One instance as far as the status needs it; those that are going away are left out."""

    revision: str
    ready: bool
    unready_for: float = 0.0
    """Seconds for which it has not been ready."""


class ObservedState(Struct, frozen=True):
    """All that one reconcile has seen of a function."""

    wanted: str = ""
    """Revision the spec asks for; empty when that is not known."""
    source: ReconcileProblem | None = None
    """Why spec or source can't be used."""
    blocked: ReconcileProblem | None = None
    """Why children could not be applied: somebody else's, refused by the API server."""
    replicas_wanted: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    set_by_others: str = ""
    """Manager outside Kubewick that set the number of replicas."""
    pods: Sequence[PodSummary] = ()
    troubles: Sequence[Trouble] = ()
    evicted: Trouble | None = None
    """The latest eviction of the wanted revision's instances, if it was of late."""
    short: Trouble | None = None
    """Why an instance from the warm pool cannot have the resources that the function asks for."""
    service: bool = False
    lost: Sequence[RouteLost] = ()
    """Routes that do not lead to it."""
    kept: Sequence[KeptRevision] = ()
    config_checksum: str = ""
    fault: str = ""
    """What of Kubewick's other work for it failed by a defect: its scaling, its part of the warm pool."""


class Verdict(Struct, frozen=True):
    """One condition before it has a time."""

    status: str
    reason: Reason
    message: str


def status(function: Function, observed: ObservedState, url: str, now: str) -> Status:
    """The status to write; equal to `owned(function.status)` where nothing is to be written. `now` is RFC 3339."""
    previous: Mapping[str, Any] = function.status
    verdicts = conditions(function, observed)
    serving = _serving(observed)
    generation = function.metadata.generation
    wanted = {
        "observedGeneration": generation,
        "conditions": [
            _condition(kind, verdict, previous, generation=generation, now=now) for kind, verdict in verdicts.items()
        ],
        "why": why(verdicts, observed),
        "url": url,
        "replicas": observed.replicas,
        "readyReplicas": observed.ready_replicas,
        "revision": serving,
        "wantedRevision": observed.wanted,
        "revisions": [{"name": each.revision, "created": each.created} for each in observed.kept],
        "configChecksum": observed.config_checksum,
    }
    return {field: value for field, value in wanted.items() if value not in ("", [])}


def faulty(function: Function, told: str, now: str) -> Status:
    """The status where the reconcile itself failed by a defect: as it was, but not Ready."""
    previous: Mapping[str, Any] = function.status
    verdict, generation = Verdict("False", Reason.INTERNAL_ERROR, told), function.metadata.generation
    ready = _condition(Condition.READY, verdict, previous, generation=generation, now=now)
    others = [each for each in previous.get("conditions", ()) if each.get("type") != Condition.READY]
    return {**owned(previous), "observedGeneration": generation, "conditions": [ready, *others], "why": told}


def conditions(function: Function, observed: ObservedState) -> dict[Condition, Verdict]:
    """Every condition's verdict."""
    source = _source(observed)
    deployment = _deployment(observed)
    route = _route(observed)
    ready = _ready(function, observed, (source, route), deployment)
    return {
        Condition.READY: ready,
        Condition.SOURCE_RESOLVED: source,
        Condition.DEPLOYMENT_AVAILABLE: deployment,
        Condition.SCALED: _scaled(observed),
        Condition.ROUTE_READY: route,
    }


def why(verdicts: Mapping[Condition, Verdict], observed: ObservedState) -> str:
    """The sentence that matters most: what Ready says; while all is well, what else a person should know."""
    ready, scaled = verdicts[Condition.READY], verdicts[Condition.SCALED]
    if ready.status != "False" and scaled.reason == Reason.INTERNAL_ERROR:
        return scaled.message
    if ready.status != "True":
        return ready.message
    if scaled.status == "False":
        lacking = "the resources" if observed.short and observed.short.message == scaled.message else "all instances"
        said = f"It serves, but not with {lacking} asked for. {scaled.message}"
    elif scaled.reason == Reason.SCALED_BY_OTHERS:
        said = f"{ready.message} {scaled.message}"
    else:
        said = ready.message
    evicted = observed.evicted.message if observed.evicted else ""
    return f"{said} {evicted}" if evicted and evicted not in said else said


def _source(observed: ObservedState) -> Verdict:
    if observed.source:
        return Verdict("False", observed.source.reason, observed.source.message)
    return Verdict("True", Reason.READY, "Spec and source are complete.")


def _route(observed: ObservedState) -> Verdict:
    if observed.lost:
        first, others = observed.lost[0], len(observed.lost) - 1
        more = f" {others} more of its routes do not lead here either." if others else ""
        return Verdict("False", first.reason, first.message + more)
    if not observed.service:
        return Verdict("Unknown", Reason.STARTING, "The Service is not there yet.")
    return Verdict("True", Reason.READY, "Requests are routed.")


def _deployment(observed: ObservedState) -> Verdict:
    """Whether some revision answers."""
    serving = _serving(observed)
    if any(pod.ready for pod in observed.pods):
        return Verdict("True", Reason.READY, f"Revision {serving} serves.")
    if observed.blocked:
        return Verdict("False", observed.blocked.reason, observed.blocked.message)
    trouble = diagnosis.worst(observed.troubles)
    if trouble:
        return Verdict("False", trouble.reason, trouble.message)
    if observed.replicas_wanted == 0 and not observed.pods:
        if not observed.wanted:
            return Verdict("Unknown", Reason.STARTING, "Nothing is deployed yet.")
        return Verdict("True", Reason.IDLE, "At rest; the next request starts an instance.")
    slow = f", and has been for more than {SLOW_START:g} s" if _starts_slowly(observed) else ""
    return Verdict("Unknown", Reason.STARTING, f"An instance is starting{slow}.")


def _ready(function: Function, observed: ObservedState, parts: Sequence[Verdict], deployment: Verdict) -> Verdict:
    broken = next((part for part in parts if part.status == "False"), None)
    if broken is None and observed.blocked:
        broken = Verdict("False", observed.blocked.reason, observed.blocked.message)
    if broken:
        return Verdict("False", broken.reason, _though_others_serve(broken.message, observed))
    if _serves(observed, observed.wanted):
        return Verdict("True", Reason.READY, f"Revision {observed.wanted} serves.")
    return _not_yet(function, observed, deployment)


def _not_yet(function: Function, observed: ObservedState, deployment: Verdict) -> Verdict:
    """All is applied, but no instance of the wanted revision serves."""
    trouble = diagnosis.worst(trouble for trouble in observed.troubles if trouble.revision in {"", observed.wanted})
    if trouble:
        return Verdict("False", trouble.reason, _though_others_serve(trouble.message, observed))
    remembered = _remembered(function, observed)
    if any(pod.ready for pod in observed.pods):
        message = f"Revision {observed.wanted} is starting; {_serving(observed)} serves until it is ready."
        return Verdict("Unknown", Reason.ROLLING_OUT, message)
    if remembered and deployment.reason in {Reason.IDLE, Reason.STARTING}:
        return remembered
    if deployment.reason == Reason.IDLE and function.spec.scale.min and not observed.set_by_others:
        return Verdict("Unknown", Reason.STARTING, "The autoscaler has yet to ask for the first instance.")
    return deployment


def _remembered(function: Function, observed: ObservedState) -> Verdict | None:
    """What was known of this very revision before its instances went, or while the next one starts."""
    present: Mapping[str, Any] = function.status
    before: Sequence[Mapping[str, Any]] = present.get("conditions", ())
    ready = next((condition for condition in before if condition.get("type") == Condition.READY), {})
    same = present.get("wantedRevision") == observed.wanted != "" and (
        present.get("configChecksum", "") == observed.config_checksum
    )
    if not same or ready.get("reason") not in set(Reason):
        return None
    reason, message = Reason(ready["reason"]), str(ready.get("message", ""))
    at_rest = observed.replicas_wanted == 0 and not observed.pods
    if ready.get("status") == "False" and reason in KEPT_AT_REST:
        return Verdict("False", reason, message)
    if ready.get("status") == "True" and not at_rest and not _starts_slowly(observed):
        return Verdict("True", reason, message)  # it is expected to serve in a moment
    return None


def _starts_slowly(observed: ObservedState) -> bool:
    """Whether an instance of the wanted revision loads, or waits, for so long that it may never serve."""
    return any(pod.revision == observed.wanted and pod.unready_for > SLOW_START for pod in observed.pods)


def _scaled(observed: ObservedState) -> Verdict:
    if observed.fault:
        return Verdict("False", Reason.INTERNAL_ERROR, observed.fault)
    if observed.set_by_others:
        message = (
            f"The number of instances is set by {observed.set_by_others}; Kubewick leaves it alone until that lets go."
        )
        return Verdict("True", Reason.SCALED_BY_OTHERS, message)
    if observed.ready_replicas >= observed.replicas_wanted and observed.short:
        return Verdict("False", observed.short.reason, observed.short.message)
    if observed.ready_replicas >= observed.replicas_wanted:
        at_rest = observed.replicas_wanted == 0
        return Verdict(
            "True", Reason.IDLE if at_rest else Reason.READY, "At rest." if at_rest else "All instances are there."
        )
    trouble = diagnosis.worst(observed.troubles)
    if trouble:
        return Verdict("False", trouble.reason, trouble.message)
    return Verdict("Unknown", Reason.STARTING, "Instances are starting.")


def _though_others_serve(message: str, observed: ObservedState) -> str:
    serving = _serving(observed)
    if serving and _serves(observed, serving) and serving != observed.wanted:
        return f"{message} Revision {serving} goes on serving."
    return message


def unloadable(function: Function) -> str:
    """The revision whose code does not load, where the Function's status says so of its present one; else empty."""
    present: Mapping[str, Any] = function.status
    before: Sequence[Mapping[str, Any]] = present.get("conditions", ())
    ready = next((condition for condition in before if condition.get("type") == Condition.READY), {})
    failed = ready.get("status") == "False" and ready.get("reason") == Reason.LOAD_FAILED
    return str(present.get("wantedRevision", "")) if failed else ""


def _serves(observed: ObservedState, revision: str) -> bool:
    return any(pod.ready and pod.revision == revision for pod in observed.pods)


def _serving(observed: ObservedState) -> str:
    """The revision that answers now, or would on the next request."""
    if _serves(observed, observed.wanted):
        return observed.wanted
    return max((pod.revision for pod in observed.pods if pod.ready), default=observed.wanted)


def _condition(
    kind: Condition, verdict: Verdict, present: Mapping[str, Any], *, generation: int, now: str
) -> dict[str, Any]:
    """As the API shows it; the time is that of the last change of `status`."""
    before: Sequence[Mapping[str, Any]] = present.get("conditions", ())
    same = next((each for each in before if each.get("type") == kind and each.get("status") == verdict.status), {})
    return {
        "type": kind.value,
        "status": verdict.status,
        "reason": verdict.reason.value,
        "message": verdict.message,
        "observedGeneration": generation,
        "lastTransitionTime": same.get("lastTransitionTime", now),
    }


def url(function: Function, cluster_domain: str) -> str:
    """Where the function answers inside the cluster."""
    return f"http://{names.service(function.key)}.{function.key.namespace}.svc.{cluster_domain}"
