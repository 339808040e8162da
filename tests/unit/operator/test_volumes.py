"""A pod has a volume only for what it cannot be given otherwise: each costs its start a quarter of a second."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary.functions import functions, make
from wick_api.revision import Revision, pack
from wick_operator.config import OperatorConfig
from wick_operator.function.decisions.desired.template import render
from wick_operator.function.decisions.desired.volumes import (
    LARGEST_FILE,
    LARGEST_SOURCE,
    MOST_FILES,
    fit_the_environment,
)

PLAIN, OLD, POOLED = OperatorConfig(), OperatorConfig(image_volumes=False), OperatorConfig(pool_key="k")
COUNTED = {"limits": {"ephemeral-storage": "1Gi"}}
LARGE = {"source": {"inline": {"main.py": "x" * (LARGEST_FILE + 1)}}}


def files_of(function):
    return dict(function.spec.source.inline) if function.spec.source else {}


def pod(function, config):
    return render(function, config, files_of(function), "0123456789")["spec"]


def volumes(config=PLAIN, **spec):
    return [volume["name"] for volume in pod(make(**spec), config)["volumes"]]


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ({}, []),
        ({"env": [{"name": "A", "value": "b"}], "resources": {"limits": {"cpu": "1"}}}, []),
        (LARGE, ["source"]),
        ({"resources": COUNTED}, ["tmp"]),
        ({"resources": {"requests": {"ephemeral-storage": "1Gi"}}}, ["tmp"]),
        ({"image": "x"}, ["tmp"]),
        ({"secrets": [{"name": "s", "mountPath": "/s"}]}, ["mount-0"]),
        (
            {**LARGE, "resources": COUNTED, "configMaps": [{"name": "c", "mountPath": "/c"}]},
            ["tmp", "source", "mount-0"],
        ),
    ],
)
def test_a_volume_is_there_only_for_what_would_be_lost_without_it(spec, names):
    assert volumes(**spec) == names


def test_where_folders_of_images_are_not_used_everything_is_a_volume():
    assert volumes(OLD) == ["tmp", "source"]
    assert volumes(OLD, image="x") == ["tmp"]


def test_storage_that_the_installation_counts_for_all_is_counted_for_each():
    assert volumes(OperatorConfig(default_resources=COUNTED)) == ["tmp"]


@pytest.mark.parametrize(
    ("files", "fit"),
    [
        ({"a": "x" * LARGEST_FILE}, True),
        ({"a": "x" * (LARGEST_FILE + 1)}, False),
        ({"a": "ß" * (LARGEST_FILE // 2)}, True),
        ({"a": "ß" * (LARGEST_FILE // 2) + "x"}, False),
        ({str(number): "x" * LARGEST_FILE for number in range(LARGEST_SOURCE // LARGEST_FILE)}, True),
        ({str(number): "x" * LARGEST_FILE for number in range(LARGEST_SOURCE // LARGEST_FILE)} | {"b": "x"}, False),
        ({str(number): "" for number in range(MOST_FILES)}, True),
        ({str(number): "" for number in range(MOST_FILES + 1)}, False),
        ({"a": "x\0y"}, False),
        ({}, True),
    ],
)
def test_the_bounds_of_what_goes_into_the_environment(files, fit):
    assert fit_the_environment(files) == fit


sizes = st.integers(0, LARGEST_FILE + 2) | st.sampled_from([LARGEST_FILE, LARGEST_FILE + 1])
large = st.lists(sizes, max_size=8).map(lambda found: {f"f{number}": "ß" * (n // 2) for number, n in enumerate(found)})


@given(large | st.dictionaries(st.text(), st.text()))
def test_what_fits_can_be_given_to_a_process_of_linux(files):
    if fit_the_environment(files):
        variables = [f"KUBEWICK_SOURCE_{number}={text}\0".encode() for number, text in enumerate(files.values())]
        assert max(map(len, variables), default=0) < 128 * 1024
        assert sum(map(len, variables)) < 512 * 1024
        assert all(variable.count(b"\0") == 1 for variable in variables)


@given(functions, st.sampled_from([PLAIN, OLD, POOLED]))
def test_every_mount_has_its_volume_and_every_volume_its_mount(function, config):
    spec = pod(function, config)
    named = [each["name"] for each in spec["volumes"]]
    assert named == [each["name"] for each in spec["containers"][0]["volumeMounts"]]
    assert len(set(named)) == len(named)


@given(functions, st.sampled_from([PLAIN, OLD, POOLED]))
def test_the_source_comes_one_way_and_whole(function, config):
    spec, files = pod(function, config), files_of(function)
    data = pack(Revision("0123456789", files, {}))
    sources = [each["configMap"] for each in spec["volumes"] if each["name"] == "source"]
    variables = {each["name"]: each for each in spec["containers"][0]["env"]}
    given_by_name = {name for name in variables if name.startswith("KUBEWICK_SOURCE")}
    if not files:
        assert (sources, given_by_name) == ([], set())
    elif sources:
        assert {item["path"]: data[item["key"]] for item in sources[0]["items"]} == files
        assert given_by_name == set()
    else:
        paths = json.loads(variables["KUBEWICK_SOURCE"]["value"])
        keys = [variables[f"KUBEWICK_SOURCE_{n}"]["valueFrom"]["configMapKeyRef"] for n in range(len(paths))]
        assert {path: data[key["key"]] for path, key in zip(paths, keys, strict=True)} == files
        assert {key["name"] for key in keys} == {f"{function.key.name}-0123456789"}
        assert len(given_by_name) == len(files) + 1
