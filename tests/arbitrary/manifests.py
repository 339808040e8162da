"""Any Function that a real API server accepts: drawn from the CRD's own schema, so a new field is drawn as well.

What the schema's types, patterns and bounds say is read from it; what its CEL rules say stands here, by the field's
path. `tests/integration/crd/test_draws.py` asks a real API server whether it accepts what is drawn.
"""

import re
from pathlib import Path

import yaml
from hypothesis import strategies as st

CRD = yaml.safe_load((Path(__file__).parents[2] / "crds/functions.kubewick.dev.yaml").read_text())
SPEC = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
MOST_ENTRIES, MOST_CHARACTERS = 3, 24
INT64 = 2**63 - 1

_characters = st.characters(codec="utf-8")
_words = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,8}", re.ASCII)


def pattern(text, longest=None):
    """Texts that match a pattern as the API server reads it: as a whole, `$` is the end and not a line's."""
    found = st.from_regex(re.compile(text.removeprefix("^").removesuffix("$"), re.ASCII), fullmatch=True)
    return found if longest is None else found.filter(lambda each: len(each) <= longest)


def durations(least, most):
    """Texts of so many milliseconds, written in every way."""

    def text(milliseconds):
        return st.sampled_from(
            [f"{milliseconds}ms", f"{milliseconds // 1000}s{milliseconds % 1000}ms", f"{milliseconds / 1000:.3f}s"]
        )

    return st.integers(least, most).flatmap(text) | st.sampled_from([f"{most}ms", f"{most // 1000}s", f"{least}ms"])


quantities = st.integers(0, INT64) | pattern(
    SPEC["properties"]["resources"]["properties"]["limits"]["additionalProperties"]["pattern"], 64
)
_texts = st.text(_characters, min_size=1, max_size=MOST_CHARACTERS)
_duration = {
    ".timeout": durations(1, 86_400_000),
    ".startTimeout": durations(1, 86_400_000),
    ".scale.window": durations(1000, 3_600_000),
    ".scale.downDelay": durations(0, 3_600_000),
    ".scale.idle": durations(0, 604_800_000),
    ".scale.prediction.ahead": durations(1, 3_600_000),
    ".scale.schedules.duration": durations(1, 86_400_000),
}
_mount = pattern(r"/[^:.]{1,20}").filter(
    lambda path: path.split("/")[1] not in {"function", "tmp", "proc", "sys", "dev"}
)
_name = st.builds(
    ":".join, st.tuples(*[st.lists(st.from_regex(_words, fullmatch=True), min_size=1, max_size=2).map(".".join)] * 2)
)


def _cron(least, most):
    """One field of a cron expression."""
    number = st.integers(least, most).map(str)
    return (
        st.sampled_from(["*", "*/2", f"{most}", f"{least}-{most}/3"])
        | number
        | st.builds(",".join, st.lists(number, min_size=2, max_size=3))
    )


RULES = {
    **_duration,
    ".scale.schedules.start": st.builds(
        " ".join, st.tuples(*(_cron(*bounds) for bounds in [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]))
    ),
    ".handler": _name,
    ".source.inline": st.dictionaries(
        pattern(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,9}(/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,9}){0,2}"),
        _texts,
        min_size=1,
        max_size=3,
    ),
    ".secrets.mountPath": _mount,
    ".configMaps.mountPath": _mount,
    ".scale.schedules.timeZone": st.sampled_from(
        ["UTC", "Europe/Lisbon", "America/Argentina/Ushuaia", "Asia/Kathmandu"]
    ),
    ".scale.metrics.server": st.just("") | pattern(r"https?://[^/\n].{0,9}"),
}
"""What CEL says of single fields."""


def anything(schema, path=""):
    """Whatever the schema of the field at a path allows."""
    if path in RULES:
        return RULES[path]
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return quantities
    return {
        "object": _object,
        "array": _array,
        "string": _string,
        "boolean": lambda *_: st.booleans(),
        "integer": _integer,
        "number": _number,
    }[schema["type"]](schema, path)


def _object(schema, path):
    if "additionalProperties" in schema:
        keys = st.text(st.characters(codec="ascii", categories=["Ll"]), min_size=1, max_size=8)
        if path.startswith(".resources"):
            keys = st.sampled_from(["cpu", "memory", "ephemeral-storage"])
        inner = anything(schema["additionalProperties"], path)
        return st.dictionaries(keys, inner, min_size=schema.get("minProperties", 0), max_size=MOST_ENTRIES)
    fields = {name: anything(each, f"{path}.{name}") for name, each in schema.get("properties", {}).items()}
    needed = {name: fields.pop(name) for name in schema.get("required", ())}
    if schema.get("maxProperties") == 1:
        return st.one_of([field.map(lambda value, name=name: {name: value}) for name, field in fields.items()])
    return st.fixed_dictionaries(needed, optional=fields).map(lambda value: _ruled(path, value))


def _array(schema, path):
    keys, inner = schema.get("x-kubernetes-list-map-keys"), anything(schema["items"], path)
    unique = {"unique_by": lambda each: tuple(each[key] for key in keys)} if keys else {}
    if schema.get("x-kubernetes-list-type") == "set":
        unique = {"unique": True}
    return st.lists(inner, max_size=min(schema["maxItems"], MOST_ENTRIES), **unique)


def _string(schema, _path):
    longest = min(schema.get("maxLength", MOST_CHARACTERS), 120 if "pattern" in schema else MOST_CHARACTERS)
    if "pattern" in schema:
        return pattern(schema["pattern"], longest)
    return st.text(_characters, min_size=schema.get("minLength", 0), max_size=longest)


def _integer(schema, _path):
    most = 2**31 - 1 if schema.get("format") == "int32" else INT64
    return st.integers(schema.get("minimum", -most), schema.get("maximum", most))


def _number(schema, _path):
    return st.floats(
        schema.get("minimum"),
        schema.get("maximum"),
        exclude_min=schema.get("exclusiveMinimum", False),
        exclude_max=schema.get("exclusiveMaximum", False),
        allow_nan=False,
        allow_infinity=False,
    )


def _ruled(path, value):
    """What CEL says of several fields at once, made so."""
    rule = {
        "": _rule_spec,
        ".source": lambda value: _one_of(value, "inline", configMap={"name": "c"}),
        ".env": _rule_variable,
        ".envFrom": lambda value: _one_of(value, "configMapRef", secretRef={"name": "s"}),
        ".scale.metrics": _rule_metric,
        ".scale": _rule_scale,
    }.get(path)
    if rule is not None:
        rule(value)
    return value


def _one_of(value, first, **other):
    """Exactly one of two fields."""
    (name,) = other
    value.setdefault(name, other[name])
    if first in value:
        value.pop(name)


def _rule_spec(value):
    _one_of(value, "source", image="i")
    if value.get("interface", "auto") not in ("auto", "lambda"):
        value.pop("lambda", None)
    taken = set()
    for field in ("secrets", "configMaps"):
        for number, mount in enumerate(value.get(field, ())):
            if (place := mount["mountPath"].rstrip("/")) in taken:
                mount["mountPath"] = place = f"/of/{field}/{number}"
            taken.add(place)


def _rule_variable(value):
    value["name"] = f"E{value['name']}"
    if "value" in value:
        value.pop("valueFrom", None)


def _rule_scale(value):
    least = [value.get("min", 0), value.get("initial", 0), value.get("activation", 1)]
    value["max"] = max(value.get("max", 1), *least, *(each["min"] for each in value.get("schedules", ())))


def _rule_metric(value):
    if value.get("type") == "prometheus":
        value["query"] = value.get("query") or "up"
        value.setdefault("target", 1)
    else:
        for field in ("query", "server", "secret", "activationThreshold"):
            value.pop(field, None)


specs = anything(SPEC)
