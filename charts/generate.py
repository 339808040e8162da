"""Write what in the chart follows from elsewhere: its CRDs, `values.schema.json`, and the table in `docs/values.md`.

    ../crds          the source of truth               --------------> kubewick/crds/
                     the schema alone                  --------------> ../cli/wick_cli/document/function.schema.json
    values.yaml      comments -> descriptions, defaults -> types  --+--> kubewick/values.schema.json  (strict)
    config.py's      fields of the processes' configurations      --+--> ../docs/values.md
    burnrate.py      spec.slo's alerts                             --------------> kubewick/files/rules/slo.yaml
    dashboards.py    panels                                        --------------> kubewick/files/dashboards/

`make chart` runs it; a unit test fails while what is committed differs from what it would write. So a new field in a
part's `config.py` becomes a value of the chart by running it once.
"""

import ast
import importlib
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

import burnrate
import dashboards

HERE = Path(__file__).parent
VALUES = HERE / "kubewick" / "values.yaml"
SCHEMA = HERE / "kubewick" / "values.schema.json"
FUNCTION_SCHEMA = HERE.parent / "cli" / "wick_cli" / "document" / "function.schema.json"
TABLE = HERE.parent / "docs" / "values.md"
SLO_RULES = HERE / "kubewick" / "files" / "rules" / "slo.yaml"
DASHBOARDS = HERE / "kubewick" / "files" / "dashboards"

Schema = dict[str, Any]

PARTS = {
    "operator": ("wick_operator.config", "OperatorConfig", "KUBEWICK_OPERATOR_"),
    "router": ("wick_router.config", "RouterConfig", "WICK_ROUTER_"),
}
GIVEN = {
    "operator": {
        "admin_host",
        "admin_port",
        "anti_affinity",
        "cluster_domain",
        "default_resources",
        "domains",
        "excluded_namespaces",
        "hosts",
        "host_users",
        "identity",
        "image_pull_policy",
        "image_pull_secrets",
        "image_volumes",
        "namespace",
        "namespaces",
        "pool_key",
        "pools",
        "release",
        "runtimes",
    },
    "router": {
        "admin_host",
        "admin_port",
        "domains",
        "excluded_namespaces",
        "host",
        "hosts",
        "poke_host",
        "poke_port",
        "port",
        "public_port",
        "services",
        "tls_certificate",
        "tls_key",
        "tls_port",
        "unix",
    },
}
"""Settings that follow from other values or from the chart's own ports, so they are no values themselves."""

NAME: Schema = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"}
TEXT: Schema = {"type": "string"}
OBJECT: Schema = {"type": "object"}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
OBJECTS: Schema = {"type": "array", "items": OBJECT}
PULL: Schema = {"type": "string", "enum": ["Always", "IfNotPresent", "Never"]}
QUANTITIES: Schema = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
RESOURCES: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"requests": QUANTITIES, "limits": QUANTITIES},
}

LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
HOSTS: Schema = {"type": "array", "items": {"type": "string", "pattern": rf"^(\*|(\*\.)?{LABEL}(\.{LABEL})*)$"}}

KNOWN: dict[str, Schema] = {
    r"routes\.hosts": {"type": "object", "additionalProperties": {**HOSTS, "type": ["array", "null"]}},
    r".*\.resources|.*Resources": RESOURCES,
    r".*\.(nodeSelector|annotations|podAnnotations|podLabels|labels)": TEXTS,
    r".*\.affinity": OBJECT,
    r"router\.env": {
        "type": "object",
        "patternProperties": {"^[A-Za-z_][A-Za-z0-9_]*$": {"type": ["string", "number", "boolean"]}},
        "additionalProperties": False,  # not `propertyNames`, of which Helm tells another path
    },
    r".*\.tolerations": OBJECTS,
    r".*[pP]ullPolicy": PULL,
    r"watchNamespaces|excludedNamespaces|.*[pP]ullSecrets": {"type": "array", "items": NAME, "uniqueItems": True},
    r".*\.digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    r"router\.ingress\.tls|.*\.parentRefs|networkPolicies\.(monitoring|callers)": OBJECTS,
    r"admission\.forbiddenFields": {
        "type": "array",
        "items": {"type": "string", "pattern": "^[a-zA-Z]+(\\.[a-zA-Z]+)*$"},
        "uniqueItems": True,
    },
    r"warmPool\.runtimes": {
        "type": "object",
        "additionalProperties": {
            "type": ["object", "null"],
            "additionalProperties": False,
            "properties": {
                "min": {"type": "integer", "minimum": 0, "maximum": 1000},
                "max": {"type": "integer", "minimum": 0, "maximum": 1000},
                "dormant": {"type": "integer", "minimum": 0, "maximum": 1000},
                "preload": {"type": "array", "items": TEXT},
                "resources": RESOURCES,
            },
        },
    },
    r"namespaces": {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"quota": QUANTITIES, "limits": OBJECTS},
        },
    },
    r".*\.interval": {"type": "string", "pattern": "^[0-9]+(ms|s|m)$"},
    r".*\.replicas": {"type": "integer", "minimum": 1},
    r".*\.service\.type": {"type": "string", "enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    r".*\.nodePort": {"type": ["integer", "null"], "minimum": 1, "maximum": 65535},
    r".*\.trafficDistribution": {"type": "string", "enum": ["", "PreferSameZone", "PreferSameNode", "PreferClose"]},
    r".*\.externalTrafficPolicy": {"type": "string", "enum": ["", "Cluster", "Local"]},
}
"""What a default alone does not tell, by the value's path."""


def main() -> None:
    """Write every generated file."""
    for path, text in texts().items():
        path.write_text(text)


def texts() -> dict[Path, str]:
    """What each generated file holds."""
    schema = chart_schema(VALUES.read_text())
    crds = {
        HERE / "kubewick" / "crds" / crd.name: crd.read_text() for crd in sorted((HERE.parent / "crds").glob("*.yaml"))
    }
    boards = {DASHBOARDS / name: text for name, text in dashboards.dashboards().items()}
    text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    crd = (HERE.parent / "crds" / "functions.kubewick.dev.yaml").read_text()
    return {
        **crds,
        FUNCTION_SCHEMA: function_schema(crd),
        SCHEMA: text,
        TABLE: table(schema),
        SLO_RULES: burnrate.rules(),
        **boards,
    }


def function_schema(crd: str) -> str:
    """The schema of a Function without its descriptions and rules, for the command line."""
    (version,) = yaml.safe_load(crd)["spec"]["versions"]
    return json.dumps(_bare(version["schema"]["openAPIV3Schema"]), indent=1, ensure_ascii=False) + "\n"


def _bare(schema: Schema) -> Schema:
    kept = {key: value for key, value in schema.items() if key not in ("description", "x-kubernetes-validations")}
    if "properties" in kept:
        kept["properties"] = {name: _bare(below) for name, below in kept["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(kept.get(key), dict):
            kept[key] = _bare(kept[key])
    return kept


def chart_schema(values: str) -> Schema:
    """The schema of a values file: nothing passes that is not in it."""
    schema = _schema(yaml.safe_load(values), "", dict(comments(values)))
    # Helm gives every chart `global`, as soon as it is somebody's dependency.
    schema["properties"]["global"] = OBJECT
    return {"$schema": "http://json-schema.org/draft-07/schema#", **schema}


def comments(values: str) -> Iterator[tuple[str, str]]:
    """Each key's path and the comment above it."""
    path: list[tuple[int, str]] = []
    words: list[str] = []
    for line in values.splitlines():
        if found := re.match(r"\s*# ?(.*)", line):
            words.append(found[1])
        elif found := re.match(r"(\s*)([A-Za-z][\w.]*):", line):
            path = [each for each in path if each[0] < len(found[1])]
            path.append((len(found[1]), found[2]))
            yield ".".join(name for _, name in path), " ".join(words)
            words = []
        else:
            words = []


def _schema(default: Any, path: str, said: dict[str, str]) -> Schema:
    about = {"description": said[path]} if said.get(path) else {}
    if path in {f"{part}.settings" for part in PARTS}:
        return {**about, **_settings(path.partition(".")[0])}
    if path == "runtimes":
        python = _schema(default["python"], "runtimes.python", said)
        return {**about, "type": "object", "additionalProperties": {**python, "type": ["object", "null"]}}
    known = next((schema for pattern, schema in KNOWN.items() if re.fullmatch(pattern, path)), None)
    if known is None and isinstance(default, dict):
        below = {name: _schema(value, f"{path}.{name}".lstrip("."), said) for name, value in default.items()}
        return {**about, "type": "object", "additionalProperties": False, "properties": below}
    return {**about, **(known or _of(default, path)), "default": default}


def _of(default: Any, path: str) -> Schema:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    if type(default) in kinds:
        return {"type": kinds[type(default)]}
    if isinstance(default, list):
        return {"type": "array", "items": TEXT}
    raise ValueError(f"{path}: say in KNOWN what may stand there, {default!r} does not tell")


def _settings(part: str) -> Schema:
    module, name, prefix = PARTS[part]
    config = importlib.import_module(module)
    defaults = getattr(config, name)()
    said = _docstrings(Path(str(config.__file__)), name)
    properties = {}
    for field in fields(defaults):
        if field.name in GIVEN[part]:
            continue
        default = getattr(defaults, field.name)
        variable = f"{prefix}{field.name.upper()}"
        properties[_camel(field.name)] = {
            "description": f"{said.get(field.name, '')} ({variable})".strip(),
            **_setting(default),
        }
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _setting(default: Any) -> Schema:
    if isinstance(default, tuple):
        return {"type": "array", "items": TEXT, "default": [str(item) for item in default]}
    if isinstance(default, bool | int | str):
        return {**_of(default, ""), "default": default}
    if isinstance(default, float):
        # `--set` passes a number with a point as text. The process holds both to the setting's bounds.
        return {"type": ["number", "string"], "pattern": "^[0-9]+(\\.[0-9]+)?$", "default": default}
    return {"type": "object", "default": default}


def _docstrings(source: Path, name: str) -> dict[str, str]:
    """The text below each field of this class, on one line."""
    tree = ast.parse(source.read_text())
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    found = {}
    for field, after in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(after, ast.Expr):
            found[field.target.id] = " ".join(str(ast.literal_eval(after.value)).split())
    return found


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def table(schema: Schema) -> str:
    """Every value with its default and what it does, as Markdown."""
    lines = "".join(
        f"| `{path}` | `{json.dumps(default, ensure_ascii=False)}` | {text} |\n" for path, default, text in rows(schema)
    )
    return (
        "# The chart's values\n\n"
        "Written by `make chart` from `values.yaml` and the parts' `config.py`.\n"
        "How to use them: [operations](operations.md).\n\n"
        "| value | default | what it does |\n|---|---|---|\n" + lines
    )


def rows(schema: Schema, path: str = "") -> Iterator[tuple[str, Any, str]]:
    if "default" in schema:
        yield path, schema["default"], schema.get("description", "").replace("|", "\\|")
    below = dict(schema.get("properties", {}))
    if isinstance(schema.get("additionalProperties"), dict) and "properties" in schema["additionalProperties"]:
        below["<name>"] = schema["additionalProperties"]
    for name, each in below.items():
        yield from rows(each, f"{path}.{name}".lstrip("."))


if __name__ == "__main__":
    main()
