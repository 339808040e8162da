"""CPU and memory are what all instances used together, in terms of what one of them requests."""

import pytest

from wick_api.function import FunctionSpec
from wick_autoscaler.decisions.usage import Usage, Used, read, requested

TEXT = b"""# TYPE kubewick_function_cpu_seconds_total counter
kubewick_function_cpu_seconds_total{namespace="n",function="f",revision="r"} 1.50
# TYPE kubewick_function_memory_bytes gauge
kubewick_function_memory_bytes{namespace="n",function="f",revision="r"} 1048576
"""


def test_the_runtimes_series_are_read():
    assert read(TEXT) == Used(1.5, 1048576)
    assert read(b"") is None


def test_a_new_instance_brings_no_cpu_and_a_restarted_one_takes_none_away():
    usage = Usage()
    assert usage.feed({"a": Used(10, 1)}) == (0, 1)
    assert usage.feed({"a": Used(11, 1), "b": Used(50, 2)}) == (1, 3)
    assert usage.feed({"a": Used(0.5, 1), "b": Used(52, 2)}) == (2, 3)


@pytest.mark.parametrize(
    ("resources", "cores"),
    [
        ({}, 1.0),
        ({"requests": {"cpu": "250m"}}, 0.25),
        ({"limits": {"cpu": 2}}, 2.0),
        ({"requests": {"cpu": "500m"}, "limits": {"cpu": 2}}, 0.5),
    ],
)
def test_a_share_is_of_the_request_else_of_the_limit(resources, cores):
    assert requested(FunctionSpec(image="x", resources=resources), "cpu", 1.0) == cores
