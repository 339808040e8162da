"""One function's trouble stays its own: a raise at each border is caught there, told and counted, and others go on."""

import asyncio
import logging
from types import SimpleNamespace

import msgspec
import pytest

from arbitrary.functions import make
from cluster.meanwhile import meanwhile
from wick_api.fault import Faults, sentence
from wick_api.names import Key
from wick_api.reason import Condition, Reason
from wick_autoscaler.collector import Look
from wick_autoscaler.decisions import exporter
from wick_autoscaler.decisions.function_state import Track
from wick_autoscaler.decisions.scaler import Replicas
from wick_autoscaler.external_metrics import ExternalMetricsPoller, Sources
from wick_autoscaler.loop import Autoscaler, AutoscalerSettings
from wick_kube.error import ApiNotFound
from wick_kube.reflector import Reflector
from wick_kube.resource import SERVICES
from wick_operator.autoscaler.cold_starts import ColdStarts
from wick_operator.autoscaler.report import Report
from wick_operator.config import OperatorConfig
from wick_operator.function.decisions import status
from wick_operator.function.decisions.status import ObservedState
from wick_operator.pool.adopter import Adopter
from wick_operator.pool.controller import PoolController
from wick_operator.pool.decisions.users import Users
from wick_operator.pool.update import Updates
from wick_router.admin import exposition
from wick_router.admin.api import _views
from wick_router.config import RouterConfig
from wick_router.kubernetes.activation import Activation
from wick_router.kubernetes.backend import KubernetesBackend
from wick_router.kubernetes.claim_writer import ClaimWriter, PendingClaim
from wick_router.kubernetes.config import KubernetesConfig
from wick_router.proxy.data_plane import DataPlane

BAD, GOOD = Key("default", "bad"), Key("default", "good")


class Defect(Exception):
    """What no code expects."""


def defect(*_args, **_more):
    raise Defect("boom")


@pytest.fixture(autouse=True)
def _quietly():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def faults():
    return Faults()


def told(faults, border):
    """The one that fails is told by its border; the other is not."""
    return f"({border}): Defect: boom" in faults.of(BAD) and not faults.of(GOOD) and faults.counts[border] >= 1


class Platform:
    """Two functions on an autoscaler; `broken` names what fails for one of them."""

    def __init__(self, broken=""):
        self.broken = broken
        self.all = {key: make(key.name, scale={"min": 1, "metrics": [{"type": "cpu"}]}) for key in (BAD, GOOD)}
        self.counts = dict.fromkeys(self.all, 0)

    def functions(self):
        return self.all.values()

    def changed(self):
        return None

    def _fails(self, what, key):
        if what == self.broken and key == BAD:
            defect()

    def replicas(self, key):
        self._fails("replicas", key)
        return Replicas(self.counts[key], self.counts[key])

    def instances(self, key):
        self._fails("instances", key)
        return []

    async def scale(self, key, decision, _replicas):
        self._fails("scale", key)
        self.counts[key] = decision.replicas


def breaking(monkeypatch, owner, name):
    """Let a method of a track, or of what it holds, fail for one of the functions."""
    whole = getattr(owner, name)

    def half(self, *args, **more):
        if getattr(self, "function", None) is None or self.function.key == BAD:
            defect()
        return whole(self, *args, **more)

    monkeypatch.setattr(owner, name, half)


BORDERS = {"seen": "scaling decision", "remember": "scaling decision", "count": "demand", "scale": "scaling write"}


@pytest.mark.parametrize("broken", BORDERS)
async def test_the_autoscaler_scales_the_others(faults, monkeypatch, broken):
    platform = Platform(broken)
    if broken != "scale":
        breaking(monkeypatch, Track, broken)
    autoscaler = Autoscaler(platform, list, lambda: 0.0, AutoscalerSettings(), faults=faults)
    async with asyncio.TaskGroup() as writers:
        for moment in (1.0, 2.0):
            changes = [{key: [1.0, 1.0, 0.0, 0.0] for key in platform.all}] if moment == 2 else []
            autoscaler.decide(Look(moment - 1, moment, changes, complete=True), moment, writers)
            await asyncio.sleep(0)
    assert platform.counts[GOOD] == 1
    assert told(faults, BORDERS[broken])


async def test_a_policy_that_fails_is_its_functions_and_passes_when_it_is_mended(faults, monkeypatch):
    platform = Platform()
    autoscaler = Autoscaler(platform, list, lambda: 0.0, AutoscalerSettings(), faults=faults)
    with monkeypatch.context() as broken:
        broken.setattr(
            "wick_autoscaler.loop.Track",
            lambda function, now: defect() if function.key == BAD else Track(function, now),
        )
        async with asyncio.TaskGroup() as writers:
            autoscaler.decide(Look(0.0, 1.0, [], complete=True), 1.0, writers)
    assert told(faults, "scaling policy")
    assert set(autoscaler.tracks) == {GOOD}
    async with asyncio.TaskGroup() as writers:
        autoscaler.decide(Look(1.0, 2.0, [], complete=True), 2.0, writers)
    assert faults.of(BAD) == ""
    assert not faults._sentences


async def test_a_schedule_that_fails_is_its_functions(faults, monkeypatch):
    platform = Platform()
    autoscaler = Autoscaler(platform, list, lambda: 0.0, AutoscalerSettings(round=0.5), faults=faults)
    async with asyncio.TaskGroup() as writers:
        autoscaler.decide(Look(0.0, 1.0, [], complete=True), 1.0, writers)
        floor = autoscaler.tracks[BAD].floor
        monkeypatch.setattr(type(floor), "look", lambda self, _now: defect() if self is floor else False)
        autoscaler.decide(Look(1.0, 2.0, [], complete=True), 2.0, writers)
    assert told(faults, "schedule")


async def test_metrics_from_outside_of_the_others_are_read(faults):
    platform, heard = Platform("instances"), []
    tracks = {key: Track(function, 0.0) for key, function in platform.all.items()}
    watcher = ExternalMetricsPoller(platform, tracks, lambda: 1.0, Sources(), heard.append, faults)
    for key, track in tracks.items():
        await watcher._track(None, key, track)
    assert heard == [GOOD]
    assert told(faults, "metrics from outside")


def test_series_of_the_others_are_on_the_autoscaler_s_page(faults):
    tracks = {BAD: type("Broken", (), {"__getattr__": defect})(), GOOD: Track(make("good"), 0.0)}
    tracks[GOOD].counts["steady"] += 1
    page = "".join(exporter.lines(tracks, faults))
    assert 'function="good"' in page
    assert told(faults, "metrics")


async def test_what_is_reported_of_one_ends_no_report(faults, monkeypatch):
    written = []

    async def write(key, *_args, **_more):
        written.append(key)

    report = Report(SimpleNamespace(status=write), None, lambda: 1.0, lambda _function: "1", faults)
    monkeypatch.setattr(
        "wick_operator.autoscaler.report.status", lambda track: defect() if track.function.key == BAD else {}
    )
    for key in (BAD, GOOD):
        await report._tell(key, Track(make(key.name), 0.0), 1.0)
    assert written == [GOOD]
    assert told(faults, "report of scaling")


async def test_a_start_from_zero_that_cannot_be_told_ends_no_look(faults):
    starts = ColdStarts(list, None, lambda key: defect() if key == BAD else None, None, faults)
    for key in (BAD, GOOD):
        await starts._tell(None, key, set())
    assert told(faults, "report of a start from zero")


def test_a_pool_is_sized_for_the_others(faults):
    functions = {GOOD: make("good")}
    users = Users(lambda key: functions[key] if key in functions else defect(), lambda _key: None, {"python"}, faults)
    for key in (BAD, GOOD):
        users.touch(key)
    assert users.look(0.0) == []
    assert users.pools == {("default", "python")}
    assert told(faults, "warm pool's users")


@pytest.mark.parametrize("broken", ["decode", "changed", "deleted"])
def test_a_mirror_goes_on_with_the_next_object(faults, broken):
    heard = []

    def take(what, address):
        if what == broken and address == BAD:
            defect()
        heard.append((what, Key(*address)))

    def decode(raw):
        found = msgspec.json.decode(raw)
        take("decode", (found["metadata"]["namespace"], found["metadata"]["name"]))
        return found

    listener = SimpleNamespace(
        changed=lambda address, *_: take("changed", address), deleted=lambda address, _old: take("deleted", address)
    )
    cluster = SimpleNamespace(fault=lambda _resource, address, error: faults.caught("mirror", Key(*address), error))
    mirror = Reflector(cluster, SERVICES, listener, decode=decode)
    for kind in ("ADDED", "DELETED"):
        for key in (BAD, GOOD):
            metadata = {"name": key.name, "namespace": key.namespace, "uid": key.name, "resourceVersion": "1"}
            line = msgspec.json.encode({"type": kind, "object": {"metadata": metadata}})
            mirror._take(line, None)
    assert [what for what, key in heard if key == GOOD] == ["decode", "changed", "deleted"]
    assert told(faults, "mirror")
    assert len(mirror) == 0


async def test_a_pool_that_cannot_be_sized_ends_no_other(faults):
    keeper = PoolController(None, None, OperatorConfig(), make, lambda _key: None, None, lambda: 0.0, faults)
    kept = []

    async def keep(part, *_):
        if part.namespace == "bad":
            defect()
        kept.append(part.namespace)

    keeper._keep = keep
    keeper._users = SimpleNamespace(
        look=lambda _now: [], pools=[("bad", "python"), ("good", "python")], starting=(), resting=lambda _pool: 0
    )
    await keeper._look()
    assert set(kept) == {"good"}
    assert faults.counts["warm pool's size"] == 1
    assert faults.of(Key("bad", "python")) == ""


async def test_an_update_that_fails_holds_no_other_up(faults, monkeypatch):
    monkeypatch.setattr("wick_operator.pool.update.AT_ONCE", 1)
    asked, done = [], asyncio.Event()

    def function(key):
        asked.append(key)
        if key == BAD:
            defect()
        done.set()

    updates = Updates(None, None, function, "", faults)
    for key in (BAD, GOOD):
        updates._waiting.put_nowait(SimpleNamespace(key=key, revision="r"))
    async with meanwhile(updates.run()):
        await asyncio.wait_for(done.wait(), 30)
    assert asked == [BAD, GOOD]
    assert told(faults, "update from the warm pool")


async def test_a_claim_that_fails_holds_no_other_up(faults):
    registrar = Adopter(None, None, None, None, None, (), lambda: 0.0, faults)
    caught, followed = faults.caught, asyncio.Event()

    async def facts(pod, _course):
        if pod["metadata"]["name"] == "bad":
            defect()
        registrar._claimed.clear()
        followed.set()
        raise ApiNotFound(404, "", "")

    def end(*about):
        registrar._claimed.pop(tuple(BAD), None)
        return caught(*about)

    registrar._facts, faults.caught = facts, end
    for key in (BAD, GOOD):
        labels = {"kubewick.dev/claimed-by": key.name}
        pod = {"metadata": {"name": key.name, "namespace": key.namespace, "uid": key.name, "labels": labels}}
        registrar._claimed[tuple(key)] = pod
    async with asyncio.TaskGroup() as group:
        for key in (BAD, GOOD):
            registrar._tasks[tuple(key)] = group.create_task(registrar._follow(tuple(key)))
    assert followed.is_set()
    assert told(faults, "claim of a warm pod")


# The router


async def test_routes_and_series_of_the_others_stay():
    plane = DataPlane(RouterConfig(), None)
    plane.synced(in_touch=True)
    broken = make("bad")
    spec = msgspec.structs.replace(broken.spec, routes=(None,))
    plane.function(msgspec.structs.replace(broken, spec=spec))
    plane.function(make("good", routes=[{"host": "good.example"}]))
    assert plane.table.find(b"good.example", b"GET", b"/").key == GOOD
    plane.upstreams[BAD].dispatch = None
    *_, page = exposition.write(plane)
    text = b"".join(page.pieces())
    assert b'function="good"' in text
    assert b'kubewick_router_faults_total{border="route table"} 1' in text
    assert b'kubewick_router_faults_total{border="metrics"} 1' in text


class Waiting:
    """A router's backend with one function that cannot be looked up."""

    def __init__(self, faults):
        self.failed, self.fault = {}, faults.caught

    def wanted(self, key):
        return defect() if key == BAD else None

    def cannot_start(self, key, found):
        self.failed[key] = found

    def fell_back(self, key, obstacle):
        self.failed[key] = obstacle


async def test_a_start_from_zero_that_fails_is_told_to_those_who_wait(faults):
    backend = Waiting(faults)
    activation = Activation(SimpleNamespace(patch=_ok), backend, None)
    for key in (BAD, GOOD):
        activation.start(key)
    await asyncio.gather(*activation._tasks.values())
    assert backend.failed[BAD].reason is Reason.INTERNAL_ERROR
    assert "Defect: boom" in backend.failed[BAD].message
    assert told(faults, "start from zero")
    await activation.close()


async def test_a_claim_that_a_router_owes_and_cannot_write_ends_no_other(faults):
    registered = []

    async def register(taken):
        if taken == "bad":
            defect()
        registered.append(taken)
        return True

    registrations = ClaimWriter(SimpleNamespace(register=register), _ok, None, faults.caught)
    for key in (BAD, GOOD):
        await registrations._register(PendingClaim(key, key.name, 0.0))
    await registrations.close()
    assert registered == ["good"]
    assert told(faults, "claim of a warm pod")


async def test_pods_that_cannot_be_judged_leave_the_other_functions_judged(faults):
    backend, judged = KubernetesBackend(KubernetesConfig()), asyncio.Event()
    backend._faults, backend._sink = faults, SimpleNamespace(synced=lambda _in_touch: None)
    backend.judge = lambda key: defect() if key == BAD else judged.set()
    backend._troubled = {BAD, GOOD}
    async with meanwhile(backend._tick()):
        await asyncio.wait_for(judged.wait(), 30)
        await asyncio.wait_for(_until(lambda: faults.of(BAD)), 30)
    assert told(faults, "judgement of its pods")


async def test_views_of_the_others_are_on_the_admin_page():
    plane = DataPlane(RouterConfig(), None)
    for key in (BAD, GOOD):
        plane.function(make(key.name))
    plane.upstreams[BAD].dispatch = None
    assert [view.name for view in await _views(plane, None)] == ["good"]
    assert plane.faults.counts["view"] == 1


async def _until(condition):
    while not condition():  # noqa: ASYNC110 - a plain value changes
        await asyncio.sleep(0)


async def _ok(*_args, **_more):
    return {}


# What the status says


def test_what_failed_beside_the_reconcile_is_told_in_the_status():
    function = make("bad")
    made = status.status(function, ObservedState(fault="Kubewick failed."), "u", "2026-01-01T00:00:00Z")
    scaled = next(each for each in made["conditions"] if each["type"] == Condition.SCALED)
    assert (scaled["status"], scaled["reason"], made["why"]) == ("False", "InternalError", "Kubewick failed.")


def test_a_reconcile_that_failed_is_told_and_keeps_what_was_known():
    before = {"revision": "abc", "conditions": [{"type": "Scaled", "status": "True"}], "scale": {"replicas": 1}}
    function = msgspec.structs.replace(make("bad"), status=before)
    made = status.faulty(function, sentence("reconcile", Defect("boom")), "2026-01-01T00:00:00Z")
    assert [each["type"] for each in made["conditions"]] == ["Ready", "Scaled"]
    assert made["revision"] == "abc"
    assert "scale" not in made
    assert "Defect: boom" in made["why"]


def test_an_exception_whose_text_fails_has_a_sentence():
    class Worse(Exception):
        __str__ = defect

    assert "(x): Worse." in sentence("x", Worse())


def test_a_function_that_is_gone_is_forgotten(faults):
    faults.caught("x", BAD, Defect())
    faults.forget(BAD)
    assert faults.of(BAD) == ""
    assert not faults._sentences
