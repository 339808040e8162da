"""How large a source the API server and its etcd really keep, in a Function or a ConfigMap, and that `wick` refuses no
less and little more."""

import base64
import json

import pytest

from cluster.kubectl import Refused, kubectl
from wick_cli.document.objects import MAX_VALUES, supporting_problems
from wick_cli.document.stored import MAX_STORED, source_problem, stored_size

WITHIN = 0.05
"""Share of the limit that `wick` may be stricter by: the object's metadata and its managed fields need room too."""
FILLINGS = {
    "markup": "<b>&amp;</b>\n",
    "text": "plain text, a line of it\n",
    "control": "\x01\x02\n",
    "emoji": "\U0001f600\n",
}
WHOLE = 900_000
"""Bytes that the CRD lets the files have together."""


def filled(filling, size):
    """Files of so many stored bytes, or of as many bytes as the CRD allows."""
    one = stored_size({"main.py": filling}) - stored_size({"main.py": ""})
    files = {"main.py": filling * (size // one)}
    files["main.py"] = files["main.py"].encode()[: WHOLE - 10].decode(errors="ignore")
    return files


def apply(kubeconfig, namespace, files):
    manifest = {
        "apiVersion": "kubewick.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": "large"},
        "spec": {"source": {"inline": files}},
    }
    command = ("--namespace", namespace, "apply", "--server-side", "--filename", "-")
    return kubectl(kubeconfig, *command, stdin=json.dumps(manifest))


@pytest.mark.parametrize("filling", FILLINGS.values(), ids=FILLINGS)
def test_the_largest_source_that_wick_lets_through_is_kept(kubeconfig, namespace, filling):
    files = filled(filling, MAX_STORED - 100)
    assert not source_problem(files)
    apply(kubeconfig, namespace, files)
    kept = kubectl(kubeconfig, "--namespace", namespace, "get", "function/large", "--output", "json")
    assert json.loads(kept)["spec"]["source"]["inline"] == files


def test_what_wick_refuses_is_refused_by_the_server_but_for_a_small_share(kubeconfig, namespace):
    files = filled(FILLINGS["markup"], int(MAX_STORED * (1 + WITHIN)))
    assert "spec.source.inline" in source_problem(files)
    with pytest.raises(Refused, match="too large"):
        apply(kubeconfig, namespace, files)


def holding(kind, field, size):
    """An object with values of so many bytes, in two keys."""
    values = {"a.py": b"x" * (size // 2), "b.py": b"y" * (size - size // 2)}
    binary = field == "binaryData" or (kind, field) == ("Secret", "data")
    written = {key: (base64.b64encode(value) if binary else value).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "large"}, field: written}


@pytest.mark.parametrize(
    ("kind", "field"),
    [("ConfigMap", "data"), ("ConfigMap", "binaryData"), ("Secret", "data"), ("Secret", "stringData")],
)
def test_wick_takes_values_up_to_the_byte_that_the_server_takes(kubeconfig, namespace, kind, field):
    def write(manifest):
        kubectl(kubeconfig, "--namespace", namespace, "create", "--filename", "-", stdin=json.dumps(manifest))

    largest, larger = holding(kind, field, MAX_VALUES), holding(kind, field, MAX_VALUES + 1)
    assert list(supporting_problems(largest)) == []
    write(largest)
    [problem] = supporting_problems({**larger, "metadata": {"name": "larger"}})
    assert "data: the values are 1,048,577 bytes" in problem
    with pytest.raises(Refused, match="Too long"):
        write({**larger, "metadata": {"name": "larger"}})


def test_a_secret_s_text_takes_the_place_of_its_data(kubeconfig, namespace):
    manifest = holding("Secret", "data", MAX_VALUES) | {"stringData": holding("Secret", "stringData", 2)["stringData"]}
    assert list(supporting_problems(manifest)) == []
    kubectl(kubeconfig, "--namespace", namespace, "create", "--filename", "-", stdin=json.dumps(manifest))
