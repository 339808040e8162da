"""The fault-injecting proxy changes nothing unless it is told to: the same calls with and without it."""

import asyncio

import pytest

from cluster.waiting import PATIENCE
from operating.proxy import proxy
from wick_kube.cluster import Cluster
from wick_kube.error import ApiError, ApiUnreachable
from wick_kube.reflector import Reflector
from wick_kube.resource import CONFIG_MAPS


def config_map(namespace, value="1"):
    metadata = {"name": "a", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"x": value}}


async def story(cluster, namespace):
    """One call of each kind; what the caller saw."""
    path = CONFIG_MAPS.path(namespace)
    seen = [(await cluster.create(config_map(namespace), field_manager="t"))["data"]]
    seen.append((await cluster.apply(config_map(namespace, "é"), field_manager="t"))["data"])
    patched = await cluster.patch(CONFIG_MAPS, namespace, "a", {"data": {"y": "2"}}, field_manager="t")
    seen.extend((patched["data"], len(await cluster.list(CONFIG_MAPS, namespace, fields="metadata.name=a"))))
    for manifest in (config_map(namespace), {**config_map(namespace), "data": {"x": 1}}):
        try:
            await cluster.create(manifest, field_manager="t")
        except ApiError as error:
            seen.append((type(error).__name__, error.reason, error.message))
    await cluster.delete(CONFIG_MAPS, namespace, "a")
    seen.append(await cluster.find(CONFIG_MAPS, namespace, "a"))
    return [*seen, len(await cluster.call("GET", path)) > 0]


class Heard:
    def __init__(self):
        self.names = []

    def changed(self, address, new, old):  # noqa: ARG002 - the reflector's listener
        self.names.append(address[1])

    def deleted(self, address, old):  # noqa: ARG002 - likewise
        self.names.append(f"-{address[1]}")


async def heard(cluster, namespace, act):
    """What a watch told while `act` ran."""
    listener = Heard()
    mirror = Reflector(cluster, CONFIG_MAPS, listener, namespace=namespace, fields="metadata.name=a")
    task = asyncio.create_task(mirror.run())
    async with asyncio.timeout(PATIENCE):
        await mirror.synced.wait()
        await act()
        while "-a" not in listener.names:  # noqa: ASYNC110 - a plain list
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    return listener.names


async def test_without_a_fault_calls_refusals_and_watches_are_the_same_with_and_without_it(
    control_plane, namespace, tmp_path
):
    with proxy(control_plane) as between:
        outcomes = []
        for kubeconfig in (control_plane.kubeconfig, between.kubeconfig(tmp_path)):
            async with await Cluster.connect(str(kubeconfig)) as cluster:
                outcomes.append(await story(cluster, namespace))
                outcomes.append(await heard(cluster, namespace, lambda: story(cluster, namespace)))
    assert outcomes[:2] == outcomes[2:]
    assert outcomes[1] == ["a", "a", "a", "-a"]


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_cut_call_is_done_or_not_as_asked_and_its_caller_hears_nothing(control_plane, namespace, tmp_path, cut):
    with proxy(control_plane) as between:
        async with await Cluster.connect(str(between.kubeconfig(tmp_path))) as cluster:
            with between.failing(lambda call: call.is_("create"), cut=cut) as fault, pytest.raises(ApiUnreachable):
                await cluster.create(config_map(namespace), field_manager="t")
            assert fault.hits == 1
            assert (await cluster.find(CONFIG_MAPS, namespace, "a") is not None) == (cut == "after")
