"""Each trigger meets each failure: what is written, what is told, and that the next look makes it good."""

import itertools
from types import SimpleNamespace

import pytest

from operating.stage import staged
from operating.world import condition
from wick_kube.resource import CONFIG_MAPS, DEPLOYMENTS, FUNCTIONS, SERVICES
from wick_operator.leader.fenced_writer import NotLeading

# Triggers: what is there, and what has just happened


async def created(stage, **spec):
    await stage.put(**spec)


async def updated(stage, **spec):
    await stage.put(**spec)
    await stage.settle()
    await stage.put(source={"inline": {"main.py": "def handle(): return 'new'"}}, **spec)


async def resumed(stage):
    await stage.put()
    await stage.settle()


async def child_changed(stage):
    await stage.put()
    await stage.settle()
    change = {"spec": {"minReadySeconds": 3, "template": {"spec": {"terminationGracePeriodSeconds": 1}}}}
    await stage.cluster.patch(DEPLOYMENTS, *stage.key, change, field_manager="somebody")


async def child_deleted(stage):
    await stage.put()
    await stage.settle()
    await stage.cluster.delete(SERVICES, *stage.key)


async def secret_changed(stage):
    await stage.keep("Secret", A="MQ==")
    await stage.put(envFrom=[{"secretRef": {"name": f"{stage.key.name}-config"}}])
    await stage.settle()
    await stage.keep("Secret", A="Mg==")


async def source_changed(stage):
    await stage.keep("ConfigMap", **{"main.py": "def handle(): return 1"})
    await stage.put(source={"configMap": {"name": f"{stage.key.name}-config"}})
    await stage.settle()
    await stage.keep("ConfigMap", **{"main.py": "def handle(): return 2"})


TRIGGERS = {
    created: ["configmaps", "services", "deployments", "status"],
    updated: ["configmaps", "deployments", "deployments", "status"],
    resumed: [],
    child_changed: ["deployments", "deployments"],
    child_deleted: ["services"],
    secret_changed: ["deployments", "deployments", "status"],
    source_changed: ["configmaps", "deployments", "deployments", "status"],
}
"""And the writes that answer it, `deployments` twice where replicas are handed over."""

TOLD, REPEATED, HIDDEN = "told in the status, and tried again", "tried again", "waited out by the client"
FAILURES = {
    "403": ({"status": 403}, TOLD),
    "422": ({"status": 422}, TOLD),
    "404": ({"status": 404}, REPEATED),
    "409": ({"status": 409}, REPEATED),
    "500": ({"status": 500}, REPEATED),
    "429": ({"status": 429, "headers": {"Retry-After": "0"}, "times": 1}, HIDDEN),
    "timeout": ({"delay": 2, "cut": "before"}, REPEATED),
    "disconnect": ({"cut": "before"}, REPEATED),
    "lost answer": ({"cut": "after"}, REPEATED),
}


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: trigger.__name__)
async def test_each_trigger_meets_each_failure_and_ends_right(control_plane, tmp_path, trigger):
    wanted, cases = TRIGGERS[trigger], SimpleNamespace(told=[])
    async with staged(control_plane, tmp_path) as make:
        for name, (fault, answer) in {"none": ({"times": 0}, HIDDEN), **FAILURES}.items():
            stage = make()
            await trigger(stage)
            first = f"/{wanted[0]}/" if wanted else "/nothing is written/"
            with stage.between.failing(lambda call, first=first: call.verb == "apply" and first in call.path, **fault):
                error = await stage.look(patience=0.3 if name == "timeout" else 9)
            failed = answer is not HIDDEN and bool(wanted)
            assert (error is not None) == failed, (name, error)
            if not failed:
                again = wanted[:1] if name == "429" else []
                assert stage.writes() == again + wanted, name
            elif answer is TOLD:
                status = await stage.status()
                assert condition(status, "Ready")["reason"] == "ClusterError", name
                assert "the proxy says" in status["why"], name
                cases.told.append(name)
            await stage.settle()
            assert condition(await stage.status(), "Ready")["reason"] == "Idle", name
    assert cases.told == (["403", "422"] if wanted else [])


async def test_a_new_function_costs_one_read_and_four_writes_and_the_next_look_nothing(control_plane, tmp_path):
    async with staged(control_plane, tmp_path) as make:
        stage = make()
        await stage.put()
        assert await stage.look() is None
        assert [call.verb for call in stage.between.seen[stage.before :]] == ["get"] + ["apply"] * 4
        assert await stage.look() is None
        assert stage.between.seen[stage.before :] == []


async def test_replicas_set_before_they_were_handed_over_are_not_taken_back(control_plane, tmp_path):
    """The view is from before the router's write, as a mirror's may be."""
    async with staged(control_plane, tmp_path) as make:
        stage = make()
        await updated(stage)
        await stage.read()
        await stage.cluster.scale(stage.key.namespace, stage.key.name, 1, field_manager="kubewick-router")
        assert await stage.act() is None
        assert (await stage.cluster.get(DEPLOYMENTS, *stage.key))["spec"]["replicas"] == 1
        assert len((await stage.status())["revisions"]) == 2


STEPS = {
    created: ["configmaps", "services", "deployments", "status"],
    updated: ["configmaps", "deployments", "deployments", "status", "delete"],
}
"""Every write of a new Function and of a rollout that outlives the history's limit."""


@pytest.mark.parametrize("heard", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("trigger", STEPS, ids=lambda trigger: trigger.__name__)
async def test_killed_at_any_step_of_a_rollout_the_next_one_ends_it_right(control_plane, tmp_path, trigger, heard):
    """Killed just before the API server hears of a write, or before its answer; the next one has no memory."""
    spec = {"scale": {"initial": 2}, "revisionHistoryLimit": 0}
    async with staged(control_plane, tmp_path) as make:
        for step, kind in enumerate(STEPS[trigger]):
            stage, writes = make(), itertools.count()
            await trigger(stage, **spec)

            def at_the_step(call, step=step, writes=writes):
                return call.verb in {"apply", "delete"} and next(writes) >= step  # it sends no more either

            with stage.between.failing(at_the_step, cut="after" if heard else "before"):
                assert await stage.look(), kind
            done = [*stage.writes(), *(call.verb for call in stage.between.seen[stage.before :] if call.is_("delete"))]
            assert done[: step + 1] == STEPS[trigger][: step + 1]
            await stage.settle()
            deployment, status = await stage.cluster.get(DEPLOYMENTS, *stage.key), await stage.status()
            kept = await stage.cluster.list(CONFIG_MAPS, stage.key.namespace, f"kubewick.dev/function={stage.key.name}")
            named = [each["metadata"]["labels"]["kubewick.dev/revision"] for each in (*kept, deployment)]
            assert (deployment["spec"]["replicas"], named) == (2, [status["wantedRevision"]] * 2), kind


async def test_a_replica_whose_time_is_up_writes_nothing(control_plane, tmp_path):
    async with staged(control_plane, tmp_path) as make:
        stage = make()
        await stage.put()
        assert isinstance(await stage.look(patience=0), NotLeading)
        assert stage.writes() == []
        await stage.settle()


ASIDE = {"the Function is read": ("get", "/functions/"), "an Event": ("create", "/events"), "tidying": ("delete", "/")}


@pytest.mark.parametrize("call", ASIDE)
async def test_what_fails_beside_the_children_is_made_good_too(control_plane, tmp_path, call):
    """Reading the Function before its first child, posting an Event, deleting an old revision."""
    verb, part = ASIDE[call]
    async with staged(control_plane, tmp_path) as make:
        for name, (fault, _) in FAILURES.items():
            stage = make()
            await stage.put(revisionHistoryLimit=0)
            if verb == "delete":
                await stage.settle()
                await stage.put(revisionHistoryLimit=0, source={"inline": {"main.py": "x = 2"}})
            if verb == "create":
                await stage.put(revisionHistoryLimit=0, rollbackTo="0000000000")  # there is none such, which is news
            with stage.between.failing(lambda each: each.is_(verb, part), **fault) as met:
                for _ in range(2):
                    await stage.look()
            assert met.hits, name
            await stage.put(revisionHistoryLimit=0)
            await stage.settle()
            kept = await stage.cluster.list(CONFIG_MAPS, stage.key.namespace, f"kubewick.dev/function={stage.key.name}")
            assert [each["metadata"]["labels"]["kubewick.dev/revision"] for each in kept] == [
                (await stage.status())["wantedRevision"]
            ], name


@pytest.mark.parametrize("fate", ["gone", "going", "made anew"])
async def test_nothing_is_made_for_a_function_that_is_gone_though_nobody_told(control_plane, tmp_path, fate):
    async with staged(control_plane, tmp_path) as make:
        stage = make()
        await stage.put()
        await stage.read()
        path = FUNCTIONS.path(*stage.key)
        policy = "Foreground" if fate == "going" else "Background"  # no controller finishes the first here
        await stage.cluster.call("DELETE", path, body={"propagationPolicy": policy})
        if fate == "made anew":
            await stage.put()
        assert await stage.act() is None
        assert stage.writes() == []
