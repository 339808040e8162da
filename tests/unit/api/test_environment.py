"""The kubelet's rules for a container's environment; those of its references are its own test's table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_api.environment import expand, pod_field

KNOWN = {"VAR_A": "A", "VAR_B": "B"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(VAR_A)", "A"),
        ("___$(VAR_B)___", "___B___"),
        ("$(VAR_A)-$(VAR_B)", "A-B"),
        ("$$(VAR_A)_$(VAR_A)", "$(VAR_A)_A"),
        ("$$$(VAR_A)", "$A"),
        ("$$$$(VAR_A)", "$$(VAR_A)"),
        ("a$$b", "a$b"),
        ("$(VAR_DNE)", "$(VAR_DNE)"),
        ("$VAR_A", "$VAR_A"),
        ("$(VAR_A", "$(VAR_A"),
        ("$(VAR_A$(VAR_B)", "$(VAR_A$(VAR_B)"),
        ("$()", "$()"),
        ("$", "$"),
        ("\n$(VAR_A)\n", "\nA\n"),
    ],
)
def test_references_are_expanded_as_the_kubelet_does(text, expanded):
    assert expand(text, KNOWN) == expanded


@given(st.text(alphabet="$()AVR_ab", max_size=30))
def test_expansion_agrees_with_the_kubelets_loop(text):
    assert expand(text, {"A": "1", "V": "2"}) == kubelets(text, {"A": "1", "V": "2"})


def test_a_pods_fields_are_read_and_unknown_ones_are_none():
    pod = {"metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"team": "blue"}}, "spec": {}}
    assert pod_field(pod, "metadata.name") == "p"
    assert pod_field(pod, "metadata.labels['team']") == "blue"
    assert pod_field(pod, "metadata.annotations['none']") == ""
    assert pod_field(pod, "status.moon") is None


def kubelets(text, known):
    """``expansion.Expand`` of Kubernetes, step by step."""
    out, position = [], 0
    while position < len(text):
        rest = text[position:]
        if rest.startswith("$$"):
            out.append("$")
            position += 2
        elif rest.startswith("$(") and ")" in rest:
            name = rest[2 : rest.index(")")]
            out.append(known.get(name, f"$({name})"))
            position += len(name) + 3
        else:
            out.append(rest[0])
            position += 1
    return "".join(out)
