"""Write the reference pages that follow from sources: `make docs` runs it, and a test holds what is committed to it.

crds/functions.kubewick.dev.yaml   --> docs/reference/function.md   every field, type, default, bounds, rules
wick_cli.main                      --> docs/reference/cli.md        every command and option, as `--help` has them
HELP of each part's metrics        --> docs/reference/metrics.md    every series
wick_api.reason                    --> docs/reference/errors.md     codes of error bodies, reasons of conditions
contracts in pyproject.toml        --> docs/reference/layers.md     which folder may import which, and which are pure
"""

import ast
import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import click
import yaml
from prometheus_client import REGISTRY

from wick_api import reason
from wick_autoscaler.decisions import exporter
from wick_cli.main import COMMANDS
from wick_cli.main import main as wick
from wick_operator import metrics as operator_metrics
from wick_router.admin import exposition

HERE = Path(__file__).parent
CRDS = HERE.parent / "crds"
RUNTIME_METRICS = HERE.parent / "runtime-image" / "wick_runtime" / "instance" / "metric.py"
MADE = "<!-- Made by docs/generate.py (`make docs`); change its sources instead. -->\n\n"
WIDTH = 100

Schema = Mapping[str, Any]


def pages() -> dict[Path, str]:
    """Every generated page with its text."""
    texts = {"function": function(), "cli": cli(), "metrics": metrics(), "errors": errors(), "layers": layers()}
    return {HERE / "reference" / f"{name}.md": MADE + text for name, text in texts.items()}


def function() -> str:
    """The Function resource as a table of fields."""
    crd = yaml.safe_load((CRDS / "functions.kubewick.dev.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    lines = ["# Function\n", f"`{crd['spec']['group']}/{crd['spec']['versions'][0]['name']}`, kind `Function`.\n"]
    for part in ("spec", "status"):
        lines += [f"\n## {part}\n", "| field | type | default | what it does |", "|---|---|---|---|"]
        lines += [_row(*field) for field in _fields(schema["properties"][part], part)]
    lines += ["\n## Rules across fields\n", "The API server refuses what breaks one of these, with the words below.\n"]
    lines += [f"- {_cell(rule['message'])}" for rule in _rules(schema)]
    return "\n".join(lines) + "\n"


def _fields(schema: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
    required = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner, name in required
        yield from _fields(inner, f"{path}.{name}")
        if "items" in inner:
            yield from _fields(inner["items"], f"{path}.{name}[]")


def _row(path: str, schema: Schema, required: bool) -> str:  # noqa: FBT001 - as `_fields` gives them
    default = "required" if required else f"`{schema['default']}`" if "default" in schema else ""
    bounds = ", ".join(f"{words} {schema[key]}" for key, words in _BOUNDS.items() if key in schema)
    choice = " or ".join(f"`{value}`" for value in schema.get("enum", ()))
    said = " ".join(
        filter(None, (schema.get("description", ""), choice and f"One of {choice}.", bounds and f"({bounds})"))
    )
    return f"| `{path}` | {_type(schema)} | {_cell(default)} | {_cell(said)} |"


_BOUNDS = {"minimum": "at least", "maximum": "at most", "maxLength": "characters at most", "maxItems": "items at most"}


def _type(schema: Schema) -> str:
    if schema.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    return str(schema.get("type", "any"))


def _rules(schema: Schema) -> Iterator[Schema]:
    yield from schema.get("x-kubernetes-validations", ())
    for inner in (*schema.get("properties", {}).values(), *filter(None, (schema.get("items"),))):
        yield from _rules(inner)


def cli() -> str:
    """Every command's help text."""
    context = click.Context(wick, info_name="wick", max_content_width=WIDTH, terminal_width=WIDTH)
    lines = ["# The `wick` command\n", "```text", wick.get_help(context), "```\n"]
    for name in COMMANDS:
        command = wick.get_command(context, name)
        if command is None:
            raise LookupError(name)
        inner = click.Context(command, info_name=name, parent=context, max_content_width=WIDTH, terminal_width=WIDTH)
        lines += [f"## `wick {name}`\n", "```text", command.get_help(inner), "```\n"]
    return "\n".join(lines)


def metrics() -> str:
    """Every Prometheus series by the process that serves it."""
    lines = ["# Metrics\n"]
    for title, families in (
        ("Router", [(name, kind, words) for name, (kind, words) in exposition.HELP.items()]),
        ("Instances", list(_runtime())),
        ("Operator", list(_operator())),
        ("Autoscaler (on the operator's port)", list(exporter.FAMILIES)),
    ):
        lines += [f"\n## {title}\n", "| series | type | what it counts |", "|---|---|---|"]
        lines += [f"| `{name}` | {kind} | {_cell(words)} |" for name, kind, words in families]
    return "\n".join(lines) + "\n"


def _operator() -> Iterator[tuple[str, str, str]]:
    ours = {metric for metric in vars(operator_metrics).values() if hasattr(metric, "describe")}
    for metric in REGISTRY._collector_to_names:
        if metric in ours:
            for family in metric.describe():
                yield family.name + ("_total" if family.type == "counter" else ""), family.type, family.documentation


def _runtime() -> Iterator[tuple[str, str, str]]:
    """From the literal that the runtime's page begins each family with."""
    for node in ast.parse(RUNTIME_METRICS.read_text()).body:
        name = node.value.value if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) else None
        if isinstance(name, str) and name.startswith("kubewick_"):
            kind = "counter" if name.endswith("_total") else "gauge"
            yield name, "histogram" if name.endswith("duration_seconds") else kind, _RUNTIME_WORDS.get(name, "")


_RUNTIME_WORDS = {
    "kubewick_function_handler_requests_total": "Requests a handler was given, by outcome.",
    "kubewick_function_handler_duration_seconds": "Seconds a handler took.",
    "kubewick_function_handler_in_flight": "Requests a handler works on now.",
    "kubewick_function_start_seconds": "Steps of the instance's start, in seconds.",
    "kubewick_function_cpu_seconds_total": "Processor seconds of all processes of the instance.",
    "kubewick_function_memory_bytes": "Memory of all processes of the instance.",
}


def errors() -> str:
    """Codes of the error body and reasons of conditions, with the comments beside them."""
    said = _comments(Path(reason.__file__))
    lines = ["# Errors and reasons\n"]
    for title, kinds, intro in (
        (
            "Codes of error bodies",
            reason.Refusal,
            "`error.code` of an answer that the router gave itself, and its status.",
        ),
        ("Conditions", reason.Condition, "Types in `status.conditions`."),
        ("Reasons", reason.Reason, "`reason` of a condition; `status.why` says the same in a sentence."),
    ):
        lines += [f"\n## {title}\n", intro + "\n", "| name | meaning |", "|---|---|"]
        lines += [
            f"| `{value}` | {_cell(said.get(f'{kinds.__name__}.{value.name}', ''))} |" for value in _members(kinds)
        ]
    return "\n".join(lines) + "\n"


def layers() -> str:
    """The import contracts as a picture a package, with what each folder is for, from its docstring."""
    linter = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["tool"]["importlinter"]
    pure = {
        module
        for contract in linter["contracts"]
        if "pure" in contract["name"]
        for module in contract["source_modules"]
    }
    lines = ["# Layers\n", LAYERS]
    for contract in linter["contracts"]:
        for package in contract.get("containers", ()):
            lines += [f"\n## {package}\n", "```text"]
            names = [line.split(" | ") for line in contract["layers"]]
            width = max(len(name) for line in names for name in line) + 1
            for number, line in enumerate(names):
                lines += ["    " + "-" * (width + 60)] * bool(number)
                lines += [_layer(package, name, pure, width) for name in line]
            lines += ["```"]
    return "\n".join(lines) + "\n"


LAYERS = """Each box may import only from boxes below it; what stands in one box imports nothing of its neighbours
there. `*` marks what is pure: no clock, loop, network, randomness or environment, so what it decides comes from its
arguments alone. `make check` holds both.

Between the packages: `wick_cli` stands on `wick_operator`, `wick_router` and `wick_runtime`, which know nothing of one
another; those on `wick_autoscaler`, that on `wick_kube` and `wick_api`. `wick_runtime` imports nothing of Kubewick.
"""


def _layer(package: str, name: str, pure: set[str], width: int) -> str:
    folder = next(path for path in HERE.parent.glob(f"*/{package}"))
    source = folder / name / "__init__.py" if (folder / name).is_dir() else folder / f"{name}.py"
    purpose = (ast.get_docstring(ast.parse(source.read_text())) or "").partition("\n\n")[0].replace("\n", " ")
    module = f"{package}.{name}"
    own = {each.removeprefix(f"{module}.") for each in pure if each.startswith(f"{module}.")}
    inner = f" (* {', '.join(sorted(own))}/)" if own else ""
    text = purpose.removesuffix(" Pure.") + inner
    return f"    {'*' if module in pure else ' '} {name:{width}}{text}"


def _members(kinds: type[StrEnum]) -> list[StrEnum]:
    return list(kinds)


def _comments(source: Path) -> dict[str, str]:
    """`Class.MEMBER` -> the comment on its line."""
    text = source.read_text()
    lines = text.splitlines()
    found = {}
    for node in ast.parse(text).body:
        for inner in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(inner, ast.Assign) and isinstance(inner.targets[0], ast.Name):
                _, hash_, comment = lines[inner.lineno - 1].partition("  # ")
                found[f"{node.name}.{inner.targets[0].id}"] = comment if hash_ else ""  # type: ignore[union-attr]
    return found


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def main() -> None:
    """Write what differs, and say so; with ``--print``, write nothing and print all pages as JSON."""
    if "--print" in sys.argv:
        print(json.dumps({str(path.relative_to(HERE)): text for path, text in pages().items()}))
        return
    for path, text in pages().items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            print(f"wrote {path.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()
