"""What was meant for a Function that is gone does not land on the one made with its name."""

import asyncio

import pytest

from operating.stage import staged
from operating.world import condition, function
from wick_api import names
from wick_kube.cluster import Cluster
from wick_kube.error import ApiRefused
from wick_kube.reflector import Reflector
from wick_kube.resource import DEPLOYMENTS, FUNCTIONS
from wick_operator.leader.fenced_writer import FencedWriter


async def made_anew(stage, **spec):
    """The Function is deleted and made again; its children, which no controller collects here, are left."""
    await stage.cluster.delete(FUNCTIONS, *stage.key)
    await stage.put(**spec)


async def test_a_status_is_not_written_to_a_namesake(control_plane, tmp_path):
    async with staged(control_plane, tmp_path) as make:
        stage = make()
        await stage.put()
        await stage.settle()
        await stage.cluster.scale(stage.key.namespace, stage.key.name, 1, field_manager="somebody")
        await stage.read()
        await made_anew(stage, image="another")
        assert await stage.act() is None
        assert await stage.status() == {}


async def test_a_status_whose_version_is_old_is_written_to_its_own_function(control_plane, tmp_path):
    async with staged(control_plane, tmp_path) as make:
        stage = make()
        await stage.put()
        await stage.settle()
        await stage.cluster.scale(stage.key.namespace, stage.key.name, 1, field_manager="somebody")
        await stage.read()
        change = {"metadata": {"annotations": {"x": "y"}}}
        await stage.cluster.patch(FUNCTIONS, *stage.key, change, field_manager="somebody")
        assert await stage.act() is None
        assert condition(await stage.status(), "Scaled")["reason"] != "Idle"


@pytest.mark.parametrize("manager", [names.OPERATOR, names.AUTOSCALER])
async def test_no_version_and_no_function_write_nothing(control_plane, tmp_path, manager):
    async with staged(control_plane, tmp_path) as make:
        stage = make()
        await stage.put()
        first = await stage.cluster.get(FUNCTIONS, *stage.key)
        version, uid = first["metadata"]["resourceVersion"], first["metadata"]["uid"]
        fence = FencedWriter(stage.cluster, lambda: 9.0, 9.0)
        told = {"scale": {"desired": 1}} if manager == names.AUTOSCALER else {"why": "a"}
        assert await fence.status(stage.key, told, uid=uid, version="", manager=manager)
        await made_anew(stage)
        for known in ("", version):
            assert await fence.status(stage.key, told, uid=uid, version=known, manager=manager) is None
        await stage.cluster.delete(FUNCTIONS, *stage.key)
        assert await fence.status(stage.key, told, uid=uid, version=version, manager=manager) is None


async def test_a_child_that_another_made_in_the_place_of_ours_is_left_alone_and_told(control_plane, tmp_path):
    async with staged(control_plane, tmp_path) as make:
        stage = make()
        await stage.put()
        await stage.settle()
        change = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}}
        await stage.cluster.patch(DEPLOYMENTS, *stage.key, change, field_manager="somebody")
        await stage.read()
        ours = await stage.cluster.get(DEPLOYMENTS, *stage.key)
        await stage.cluster.delete(DEPLOYMENTS, *stage.key)
        spec = {field: ours["spec"][field] for field in ("selector", "template")}
        metadata = {"name": stage.key.name, "namespace": stage.key.namespace}
        another = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
        theirs = await stage.cluster.create(another, field_manager="somebody")
        await stage.act()
        assert condition(await stage.status(), "Ready")["reason"] == "NotOwned"
        now = await stage.cluster.get(DEPLOYMENTS, *stage.key)
        assert now["metadata"]["resourceVersion"] == theirs["metadata"]["resourceVersion"]


async def test_a_child_that_vanished_unseen_is_made_again(control_plane, tmp_path):
    async with staged(control_plane, tmp_path) as make:
        stage = make()
        await stage.put()
        await stage.settle()
        change = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}}
        await stage.cluster.patch(DEPLOYMENTS, *stage.key, change, field_manager="somebody")
        await stage.read()
        await stage.cluster.delete(DEPLOYMENTS, *stage.key)
        assert await stage.act() is None
        assert await stage.cluster.get(DEPLOYMENTS, *stage.key)


async def test_a_number_of_instances_is_not_written_to_a_namesake_s_deployment(control_plane, tmp_path):
    async with staged(control_plane, tmp_path) as make:
        stage = make()
        await stage.put()
        await stage.settle()
        ours = await stage.cluster.get(DEPLOYMENTS, *stage.key)
        fence = FencedWriter(stage.cluster, lambda: 9.0, 9.0)
        with pytest.raises(ApiRefused):
            await fence.scale(*stage.key, 3, seen=0, uid="another")
        await fence.scale(*stage.key, 3, seen=0, uid=ours["metadata"]["uid"])
        assert (await stage.cluster.get(DEPLOYMENTS, *stage.key))["spec"]["replicas"] == 3


async def test_what_apply_answers_with_500_for_a_fault_of_the_request_is_refused(control_plane, tmp_path):
    async with staged(control_plane, tmp_path) as make:
        stage = make()
        await stage.put()
        await stage.settle()
        ours = await stage.cluster.get(DEPLOYMENTS, *stage.key)
        metadata = {"name": stage.key.name, "namespace": stage.key.namespace}
        twice = {"containers": [{"name": "function", "env": [{"name": "A", "value": "1"}] * 2}]}
        for spec in ({"template": {"spec": twice}}, {"replica": 3}):
            manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
            with pytest.raises(ApiRefused, match="failed to create typed patch object"):
                await stage.cluster.apply(manifest, field_manager="test")
        now = await stage.cluster.get(DEPLOYMENTS, *stage.key)
        assert now["metadata"]["resourceVersion"] == ours["metadata"]["resourceVersion"]


async def until(read):
    """Read again until there is a status; the deletion that follows meets the operator at work."""
    async with asyncio.timeout(60):
        while not (await read()).get("status"):  # noqa: ASYNC110 - the API server is asked, nobody tells
            await asyncio.sleep(0.02)


class Versions:
    """What every version of every Function wants and is told to want, as a watch tells them."""

    def __init__(self):
        self.told = set()

    def changed(self, _address, new, _old):
        if revision := new.get("status", {}).get("wantedRevision"):
            self.told.add((new["spec"]["image"], revision))

    def deleted(self, _address, _old):
        pass


async def test_made_and_deleted_in_turns_each_function_has_only_its_own_status(operated, controlled_namespace):
    """Status by status, of five names that are deleted and made again as soon as they have one."""
    kubeconfig, versions = operated.plane.kubeconfig, Versions()
    async with await Cluster.connect(str(kubeconfig)) as cluster, asyncio.TaskGroup() as tasks:
        mirror = Reflector(cluster, FUNCTIONS, versions, namespace=controlled_namespace)
        watching = tasks.create_task(mirror.run())

        async def turns(name):
            for number in range(8):
                manifest = function(name, image=f"image-{name}-{number}")
                manifest["metadata"]["namespace"] = controlled_namespace
                made = await cluster.create(manifest, field_manager="user")
                if number % 2 == 0:
                    await until(lambda: cluster.get(FUNCTIONS, controlled_namespace, name))
                if number < 7:
                    await cluster.delete(FUNCTIONS, controlled_namespace, name, uid=made["metadata"]["uid"])

        await asyncio.gather(*(turns(f"n{number}") for number in range(5)))
        await asyncio.to_thread(lambda: [operated.ready(f"n{number}", controlled_namespace) for number in range(5)])
        watching.cancel()
    told = versions.told
    assert len({image for image, _ in told}) == len({revision for _, revision in told}) == len(told) >= 20
