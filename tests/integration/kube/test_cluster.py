"""Calls on a real API server."""

import pytest

from wick_kube.cluster import Cluster
from wick_kube.error import ApiConflict, ApiNotFound, ApiRefused, ApiUnreachable
from wick_kube.resource import CONFIG_MAPS, DEPLOYMENTS


@pytest.fixture
async def cluster(kubeconfig):
    async with await Cluster.connect(str(kubeconfig)) as connected:
        yield connected


def config_map(namespace, name="c", **data):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


async def test_what_is_applied_is_there_and_applying_it_again_changes_nothing(cluster, namespace):
    first = await cluster.apply(config_map(namespace, a="1"), field_manager="one")
    again = await cluster.apply(config_map(namespace, a="1"), field_manager="one")
    assert (again["data"], again["metadata"]["resourceVersion"]) == ({"a": "1"}, first["metadata"]["resourceVersion"])


async def test_a_field_of_another_manager_is_a_conflict_unless_forced(cluster, namespace):
    await cluster.apply(config_map(namespace, a="1"), field_manager="one")
    with pytest.raises(ApiConflict, match="one"):
        await cluster.apply(config_map(namespace, a="2"), field_manager="two", force=False)
    assert (await cluster.apply(config_map(namespace, a="2"), field_manager="two"))["data"] == {"a": "2"}


async def test_a_failed_test_of_a_json_patch_is_refused_and_changes_nothing(cluster, namespace):
    await cluster.create(config_map(namespace, a="1"), field_manager="one")
    change = [{"op": "test", "path": "/data/a", "value": "0"}, {"op": "replace", "path": "/data/a", "value": "2"}]
    with pytest.raises(ApiRefused):
        await cluster.patch(CONFIG_MAPS, namespace, "c", change, field_manager="one")
    assert (await cluster.get(CONFIG_MAPS, namespace, "c"))["data"] == {"a": "1"}


async def test_a_patch_with_an_old_resource_version_is_a_conflict(cluster, namespace):
    old = await cluster.create(config_map(namespace, a="1"), field_manager="one")
    await cluster.patch(CONFIG_MAPS, namespace, "c", {"data": {"a": "2"}}, field_manager="one")
    change = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}, "data": {"a": "3"}}
    with pytest.raises(ApiConflict):
        await cluster.patch(CONFIG_MAPS, namespace, "c", change, field_manager="one")


async def test_what_is_not_there_is_not_found_and_deleting_it_is_no_error(cluster, namespace):
    with pytest.raises(ApiNotFound):
        await cluster.get(DEPLOYMENTS, namespace, "missing")
    assert await cluster.find(DEPLOYMENTS, namespace, "missing") is None
    await cluster.delete(DEPLOYMENTS, namespace, "missing")


async def test_a_namesake_made_since_is_not_deleted(cluster, namespace):
    await cluster.create(config_map(namespace), field_manager="one")
    with pytest.raises(ApiConflict):
        await cluster.delete(CONFIG_MAPS, namespace, "c", uid="00000000-0000-0000-0000-000000000000")


async def test_a_list_holds_what_the_labels_select(cluster, namespace):
    marked = config_map(namespace, "marked")
    marked["metadata"]["labels"] = {"x": "y"}
    for manifest in (marked, config_map(namespace, "plain")):
        await cluster.create(manifest, field_manager="one")
    listed = await cluster.list(CONFIG_MAPS, namespace, labels="x=y")
    assert [item["metadata"]["name"] for item in listed] == ["marked"]
    assert listed[0]["kind"] == "ConfigMap"


async def test_a_server_that_does_not_answer_is_unreachable(cluster, namespace):
    with pytest.raises(ApiUnreachable):
        await cluster.call("GET", CONFIG_MAPS.path(namespace), timeout=0)
