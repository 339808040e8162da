"""`wick up` takes, refuses and reads each document of tests/corpus/yaml as kubectl and the API server do."""

import json

from click.testing import CliRunner

from corpus.yaml.record import DOCUMENTS, EXPECTED
from wick_cli.failure import InvalidFile
from wick_cli.main import main


def wick(running, *words):
    return CliRunner().invoke(main, [*map(str, words), "--local", "--port", str(running.port)])


def served(running, key):
    namespace, name = key
    shown = wick(running, "describe", name, "--namespace", namespace, "--output", "json")
    return json.loads(shown.stdout)["spec"]


def test_every_document_is_served_or_refused_as_on_a_cluster(up, write):
    running = up(write("first", "def handle(): return 1"), options=("--no-reload",))
    wrong = []
    for file in DOCUMENTS:
        expected = json.loads(EXPECTED.read_text())[file.name] or ()
        functions = [each for each in expected if each["kind"] == "Function"]
        ran = wick(running, "deploy", file, "--no-wait")
        if ran.exit_code != (0 if functions else InvalidFile.exit_code):
            wrong.append((file.name, ran.output))
        for each in functions:
            key = each["metadata"].get("namespace", "default"), each["metadata"]["name"]
            if served(running, key) != each["spec"]:
                wrong.append((file.name, served(running, key), each["spec"]))
            wick(running, "delete", key[1], "--namespace", key[0])
    assert not wrong


def test_a_key_given_twice_is_warned_of_with_its_line(up, write):
    file = write("f", "def handle(): return 1", "timeout: 1s\ntimeout: 2s")
    running = up(file)
    running.says(f"Warning: {file}:7: 'timeout' is given twice; the last one counts")


def test_what_is_deployed_last_is_served_also_from_another_file(up, write, tmp_path):
    (tmp_path / "other").mkdir()
    running = up(write("f", "def handle(): return 'first'"), options=("--no-reload",))
    running.wick("deploy", write("f", "def handle(): return 'second'", folder=tmp_path / "other"))
    assert running.call("f").body == b"second"
    running.wick("delete", "f")
    running.wick("deploy", tmp_path / "f.yaml")
    assert running.call("f").body == b"first"


def test_a_function_that_another_file_serves_along_with_others_is_not_served_twice(up, write, tmp_path):
    (tmp_path / "both").mkdir()
    for name in "fg":
        write(name, "def handle(): return 'first'", folder=tmp_path / "both")
    running = up(tmp_path / "both", options=("--no-reload",))
    ran = running.wick("deploy", write("f", "def handle(): return 'second'"), code=3)
    assert "Function default/f is already in" in ran.stderr
    assert running.call("f").body == running.call("g").body == b"first"
