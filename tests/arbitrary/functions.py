"""Arbitrary Functions, as the API server would let them in."""

import re

from hypothesis import strategies as st

from wick_api.function import parse
from wick_operator.config import OperatorConfig

name = st.from_regex(re.compile(r"[a-z]([-a-z0-9]{0,50}[a-z0-9])?", re.ASCII), fullmatch=True)
variable = st.from_regex(re.compile(r"[A-E]", re.ASCII), fullmatch=True).filter(
    lambda text: text != "PORT" and not text.startswith("KUBEWICK_")
)
text = st.text(max_size=40)
file = st.sampled_from(["main.py", "a_b.py", "pkg/util.py", "pkg/sub/x_y.py"])
value = text | st.lists(variable, max_size=2).map(lambda names: " ".join(f"$({name})" for name in names))
env = st.lists(
    st.builds(lambda name, value: {"name": name, "value": value}, variable, value)
    | st.builds(
        lambda name, other: {"name": name, "valueFrom": {"secretKeyRef": {"name": other, "key": "k"}}}, variable, name
    ),
    max_size=5,
    unique_by=lambda entry: entry["name"],
)
mounts = st.lists(
    st.builds(lambda name, path: {"name": name, "mountPath": f"/{path}"}, name, name),
    max_size=3,
    unique_by=lambda mount: mount["mountPath"],
)
code = st.fixed_dictionaries({"source": st.dictionaries(file, text, min_size=1).map(lambda files: {"inline": files})})
image = st.fixed_dictionaries({"image": text.filter(bool)})
rest = st.fixed_dictionaries(
    {},
    optional={
        "handler": st.sampled_from(["main:handle", "pkg.util:app.run"]),
        "env": env,
        "envFrom": st.lists(st.builds(lambda name: {"configMapRef": {"name": name}}, name), max_size=2),
        "secrets": mounts,
        "serviceAccountName": name,
        "nodeSelector": st.dictionaries(name, text, max_size=2),
        "concurrency": st.integers(1, 1000),
        "timeout": st.sampled_from(["250ms", "1s", "1m30s", "24h"]),
        "resources": st.fixed_dictionaries(
            {}, optional={part: st.just({"cpu": "1"}) for part in ("requests", "limits")}
        ),
        "debug": st.booleans(),
    },
)


def manifest(name, spec, *, namespace="default", uid="u-1", **metadata):
    return {
        "apiVersion": "kubewick.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": name, "namespace": namespace, "uid": uid, "generation": 1, **metadata},
        "spec": spec,
    }


specs = st.builds(lambda what, other: {**what, **other}, code | image, rest)


functions = st.builds(lambda name, spec: parse(manifest(name, spec)), name, specs)
config = OperatorConfig()


def make(name="hello", **spec):
    """A small Function with these fields of its spec."""
    if "image" not in spec:
        spec = {"source": {"inline": {"main.py": "def handle(): return 'hi'"}}, **spec}
    return parse(manifest(name, spec))
