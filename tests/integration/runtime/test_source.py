"""A function whose files came by the environment, as pods get them."""

import json

import pytest

TELLS = """
import os, subprocess, sys
from lib.words import greeting

CHILD = "import json, os; print(json.dumps(sorted(os.environ)))"
{at_import}

{kind} handle():
    child = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    return {{"greeting": greeting, "own": sorted(os.environ), "child": child.stdout}}
"""
THREAD = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
FORKS = {
    "from a template": {"kind": "def", "at_import": ""},
    "each importing the code": {"kind": "def", "at_import": THREAD},
    "in its loop": {"kind": "async def", "at_import": ""},
}


def given(files):
    texts = {f"KUBEWICK_SOURCE_{index}": text for index, text in enumerate(files.values())}
    return {"KUBEWICK_SOURCE": json.dumps(list(files)), **texts}


@pytest.mark.parametrize("how", FORKS)
def test_it_serves_and_neither_it_nor_what_it_starts_sees_these_variables(start, how):
    files = {"main.py": TELLS.format(**FORKS[how]), "lib/words.py": "greeting = 'grüß dich'\r\n", "empty.txt": ""}
    answer = start(**given(files)).request().json
    assert answer["greeting"] == "grüß dich"
    seen = {*answer["own"], *json.loads(answer["child"])}
    assert {name for name in seen if "KUBEWICK" in name} == {
        "KUBEWICK_FUNCTION", "KUBEWICK_NAMESPACE", "KUBEWICK_REVISION",
    }  # fmt: skip


def test_a_module_loaded_ahead_in_the_first_process_does_not_see_them_either(start, tmp_path):
    (tmp_path / "nosy.py").write_text("import os; open(os.environ['SEEN'], 'w').write(' '.join(os.environ))")
    seen = tmp_path / "seen"
    start(KUBEWICK_PRELOAD="nosy", PYTHONPATH=tmp_path, SEEN=seen, **given({"main.py": "def handle(): pass\n"}))
    assert "KUBEWICK_PRELOAD" in seen.read_text()
    assert "KUBEWICK_SOURCE" not in seen.read_text()


def test_the_files_arrive_byte_for_byte(start, tmp_path):
    files = {
        "main.py": "def handle():\r\n    return 'ok'\r\n",
        "data/a_b.txt": "\ufeff\t\u2028$(PORT)\n\n",
        "empty": "",
    }
    start(KUBEWICK_CODE=tmp_path / "written", **given(files))
    assert {path: (tmp_path / "written" / path).read_bytes().decode() for path in files} == files


def test_started_again_over_its_own_files_it_serves_what_it_is_told_now(start, tmp_path):
    for word in ("one", "two"):
        source = given({"main.py": f"def handle():\n    return {word!r}\n"})
        assert start(KUBEWICK_CODE=tmp_path / "written", **source).request().text == word


def test_a_folder_that_cannot_be_written_is_told_on_both_ports_and_in_the_log_with_the_remedy(start, tmp_path):
    (tmp_path / "file").touch()  # no folder can be made below it, not even by root
    instance = start(KUBEWICK_CODE=tmp_path / "file" / "function", **given({"main.py": "def handle(): pass\n"}))
    ready = instance.control("/readyz")
    assert (ready.status, ready.json["state"], ready.json["reason"]) == (503, "failed", "LoadFailed")
    answer = instance.request()
    assert (answer.status, answer.headers["Kubewick-Refused"]) == (503, "failed")
    (logged,) = [line for line in instance.output if "the code cannot be written" in line]
    for text in (ready.json["message"], answer.message, logged):
        assert str(tmp_path / "file") in text
        assert "functions.imageVolumes" in text
    assert instance.stop() == 0
