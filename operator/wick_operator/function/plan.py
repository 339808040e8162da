"""What a function is to run, or why that can't be told: the reading half of a reconcile."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from wick_api.function import Function
from wick_api.names import Key
from wick_api.reason import Reason
from wick_api.revision import LENGTH, Revision, digest, unpack
from wick_kube.cluster import Cluster
from wick_kube.resource import CONFIG_MAPS
from wick_operator.cache.store import FunctionEntry, Store
from wick_operator.config import OperatorConfig
from wick_operator.function.decisions.desired import choice, environment
from wick_operator.function.decisions.desired.choice import Running
from wick_operator.function.decisions.desired.source import Unresolved, resolve
from wick_operator.function.decisions.status import ReconcileProblem
from wick_operator.observed import snapshot
from wick_operator.observed.reference import Reference
from wick_operator.observed.snapshot import KeptRevision


class ReconcilePlan(Struct, frozen=True):
    """The outcome: a revision to apply, a problem to report, or both (it is applied, but cannot start yet)."""

    revision: Revision | None = None
    input: str = ""
    checksum: str = ""
    problem: ReconcileProblem | None = None


async def make(entry: FunctionEntry, view: Store, cluster: Cluster, config: OperatorConfig) -> ReconcilePlan:
    """Read what is needed, then decide."""
    function = entry.function
    if entry.invalid:
        return ReconcilePlan(problem=ReconcileProblem(Reason.INVALID_SPEC, f"{entry.invalid}; correct the spec."))
    view.uses(function.key, _depends_on(function))
    digests = _digests(function, view)
    try:
        revision, input_now = await _revision(function, view, cluster, config)
    except Unresolved as error:
        return ReconcilePlan(problem=ReconcileProblem(error.reason, str(error)))
    return ReconcilePlan(revision, input_now, checksum(function, digests), missing(function, digests))


async def _revision(function: Function, view: Store, cluster: Cluster, config: OperatorConfig) -> tuple[Revision, str]:
    kept = view.revisions(function.key, function.metadata.uid)
    if function.spec.rollback_to is not None:
        return await _kept_revision(function, function.spec.rollback_to, kept, cluster)
    if function.spec.image is None and function.spec.runtime not in config.runtimes:
        offered = ", ".join(sorted(config.runtimes))
        message = f"spec.runtime: {function.spec.runtime!r} is not offered here; choose one of {offered}."
        raise Unresolved(Reason.RUNTIME_UNKNOWN, message)
    files = resolve(function, await _source(function, cluster))
    new, input_now = choice.new(function, config, files), choice.input_of(function, files)
    running = running_now(function.key, view, kept)
    if running and running.revision != new.name and choice.keeps(running, input_now):
        return await _kept_revision(function, running.revision, kept, cluster)
    return new, input_now


async def _kept_revision(
    function: Function, name: str, kept: Sequence[KeptRevision], cluster: Cluster
) -> tuple[Revision, str]:
    """A revision from its ConfigMap."""
    record = next((each for each in kept if each.revision == name), None)
    if record:
        config_map = await cluster.find(CONFIG_MAPS, function.key.namespace, record.name)
        if config_map:
            return unpack(config_map), record.input
    there = ", ".join(each.revision for each in kept) or "none"
    raise Unresolved(Reason.REVISION_NOT_FOUND, f"spec.rollbackTo: revision {name} is not kept; kept are {there}.")


async def _source(function: Function, cluster: Cluster) -> Mapping[str, object] | None:
    source = function.spec.source
    if source is None or source.config_map is None:
        return None
    return await cluster.find(CONFIG_MAPS, function.key.namespace, source.config_map.name)


def running_now(key: Key, view: Store, kept: Sequence[KeptRevision]) -> Running | None:
    """What the Deployment names, as far as it is ours to know."""
    deployment = view.deployments.get(key)
    if deployment is None:
        return None
    record = next((each for each in kept if each.revision == deployment.revision), None)
    at_rest = deployment.wanted == 0 and not view.live_pods(key)
    return Running(deployment.revision, record.input if record else "", at_rest)


def _depends_on(function: Function) -> list[Reference]:
    source = function.spec.source
    references = list(environment.needed(function.spec))
    if source and source.config_map:
        references.append(Reference("ConfigMap", source.config_map.name))
    return references


Digests = Mapping[Reference, str | None]


def _digests(function: Function, view: Store) -> Digests:
    namespace = function.key.namespace
    return {each: view.config.get((each.kind, namespace, each.name)) for each in environment.needed(function.spec)}


def checksum(function: Function, digests: Digests) -> str:
    """Digest of all that becomes environment; empty where nothing does."""
    used = {(each.kind, each.name) for each in environment.in_environment(function.spec)}
    found = [[each.kind, each.name, digests[each]] for each in sorted(digests) if (each.kind, each.name) in used]
    return digest(found)[:LENGTH] if found else ""


def missing(function: Function, digests: Digests) -> ReconcileProblem | None:
    """What must exist before an instance can start, and does not."""
    absent = [f"{each.kind} {each.name}" for each in sorted(digests) if digests[each] is None and not each.optional]
    if not absent:
        return None
    verb = "does" if len(absent) == 1 else "do"
    message = f"{' and '.join(absent)} {verb} not exist in namespace {function.key.namespace}; create what is missing."
    return ReconcileProblem(Reason.CONFIG_MISSING, message)


def in_use(
    function: Function,
    plan: ReconcilePlan,
    deployment: snapshot.Deployment | None,
    pods: Iterable[snapshot.PodSnapshot],
) -> set[str]:
    """Revisions that must be kept whatever the limit."""
    candidates = [
        plan.revision.name if plan.revision else "",
        deployment.revision if deployment else "",
        function.spec.rollback_to or "",
        *(pod.revision for pod in pods),
    ]
    return {name for name in candidates if name}
