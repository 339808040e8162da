"""A reflector's copy against a real API server, through cuts, silence and compaction."""

import asyncio
import contextlib

import pytest

from cluster.kubectl import fresh_namespace
from cluster.meanwhile import meanwhile
from cluster.waiting import PATIENCE, eventually_async
from wick_kube.cluster import Cluster
from wick_kube.reflector import Reflector
from wick_kube.resource import CONFIG_MAPS


class Heard:
    """Writes down what a reflector says."""

    def __init__(self):
        self.words = []

    def changed(self, address, new, old):
        self.words.append(("changed" if old else "added", address[1], (new.get("data") or {}).get("v")))

    def deleted(self, address, _):
        self.words.append(("deleted", address[1]))


@pytest.fixture
async def cluster(kubeconfig):
    async with await Cluster.connect(str(kubeconfig)) as connected:
        yield connected


@contextlib.asynccontextmanager
async def watching(cluster, namespace, *, streams_lists=True):
    heard = Heard()
    reflector = Reflector(cluster, CONFIG_MAPS, heard, namespace=namespace, labels="watched=yes")
    reflector._streams_lists = streams_lists
    async with meanwhile(reflector.run()):
        await asyncio.wait_for(reflector.synced.wait(), PATIENCE)
        yield reflector, heard


async def put(cluster, namespace, name, value):
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": {"watched": "yes"}},
        "data": {"v": value},
    }
    await cluster.apply(manifest, field_manager="test")


async def hears(heard, *words):
    async def look():
        return [word for word in words if word not in heard.words] == []

    await eventually_async(look)


async def test_what_exists_is_added_and_later_changes_follow_in_order(cluster, namespace):
    await put(cluster, namespace, "a", "1")
    async with watching(cluster, namespace) as (reflector, heard):
        await put(cluster, namespace, "a", "2")
        await put(cluster, namespace, "b", "1")
        await cluster.delete(CONFIG_MAPS, namespace, "a")
        await hears(heard, ("deleted", "a"))
        assert heard.words == [("added", "a", "1"), ("changed", "a", "2"), ("added", "b", "1"), ("deleted", "a")]
        assert [item["metadata"]["name"] for item in reflector.values()] == ["b"]


async def test_a_server_without_streamed_lists_is_read_in_pages(cluster, namespace):
    for number in range(7):
        await put(cluster, namespace, f"c{number}", "1")
    async with watching(cluster, namespace, streams_lists=False) as (reflector, heard):
        assert len(reflector) == 7
        await put(cluster, namespace, "c0", "2")
        await hears(heard, ("changed", "c0", "2"))


async def test_what_vanished_while_nobody_could_watch_is_reported_as_deleted(control_plane, cluster):
    namespace = fresh_namespace(control_plane.kubeconfig, "vanished")
    await put(cluster, namespace, "stays", "1")
    await put(cluster, namespace, "goes", "1")
    async with watching(cluster, namespace) as (reflector, heard):
        await hears(heard, ("added", "goes", "1"))
        # The state in which a 410 leaves a reflector: what it knew, and no version to go on from.
        reflector._objects[namespace, "ghost"] = next(iter(reflector._objects.values()))
        reflector._version = ""
        await reflector._list_in_pages()
        assert ("deleted", "ghost") in heard.words
        assert len(reflector) == 2
