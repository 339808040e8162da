"""YAML is read as kubectl reads it: held to what the real one and a real API server made of tests/corpus/yaml."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from corpus.yaml.record import DOCUMENTS, EXPECTED, SCALARS, scalar_document
from wick_cli.document import manifest
from wick_cli.document.dump import dump
from wick_cli.failure import InvalidFile
from wick_cli.main import main
from wick_cli.project import read

EXPECTATIONS = json.loads(EXPECTED.read_text())


def found_in(file):
    """Objects that wick reads in a file in order, or None where it refuses something; namespaces filled in."""
    project = read([file])
    if project.problems or project.others:
        return None
    functions = [authored.document for authored in project.functions.values()]
    found = [*project.config_maps.values(), *project.secrets.values(), *functions]
    return [document.manifest for document in found]


def named(objects):
    """Without what kubectl fills in, in a fixed order."""
    return sorted(objects, key=lambda each: each["metadata"]["name"]) if objects is not None else None


@pytest.mark.parametrize("name", EXPECTATIONS)
def test_a_document_is_accepted_or_refused_and_read_as_by_kubectl_and_the_api_server(name):
    file = next(each for each in DOCUMENTS if each.name == name)
    assert named(found_in(file)) == named(EXPECTATIONS[name])


@pytest.mark.parametrize("name", [name for name, objects in EXPECTATIONS.items() if objects])
def test_what_deploy_prints_is_read_back_as_the_same(name, tmp_path):
    found = found_in(next(each for each in DOCUMENTS if each.name == name))
    (tmp_path / "a.yaml").write_text("\n---\n".join(map(dump, found)) + "\n")
    assert named(found_in(tmp_path / "a.yaml")) == named(found)


@pytest.mark.parametrize("name", EXPECTATIONS)
def test_the_command_refuses_what_is_refused_and_prints_what_is_read(name, tmp_path):
    file = next(each for each in DOCUMENTS if each.name == name)
    ran = CliRunner().invoke(main, ["deploy", "--dry-run", str(file)])
    if not any(each["kind"] == "Function" for each in EXPECTATIONS[name] or ()):
        assert ran.exit_code == InvalidFile.exit_code
        assert "Traceback" not in ran.output
        return
    assert ran.exit_code == 0, ran.output
    (tmp_path / "printed.yaml").write_text(ran.stdout)
    assert named(found_in(tmp_path / "printed.yaml")) == named(EXPECTATIONS[name])


def read_scalar(text):
    documents, problems = manifest.read(Path("a.yaml"), scalar_document(text))
    return [False, None] if problems else [True, documents[0].manifest["spec"].get("v", "MISSING")]


def as_float(value):
    """An integer beyond 64 bits is a float to Kubernetes, of which kubectl prints the shortest digits."""
    return float(value) if isinstance(value, int) and abs(value) >= 2**63 - 1 else value


def test_every_scalar_has_kubectls_value_and_type():
    rows = json.loads(SCALARS.read_text())
    assert len(rows) > 200
    wrong = []
    for text, *expected in rows:
        read_as = read_scalar(text)
        read_as[1], expected[1] = as_float(read_as[1]), as_float(expected[1])
        if read_as != expected or type(read_as[1]) is not type(expected[1]):
            wrong.append((text, read_as, expected))
    assert not wrong
