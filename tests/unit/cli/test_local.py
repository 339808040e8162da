"""Small pure pieces of the local platform."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_api.names import Key
from wick_cli.document import manifest
from wick_cli.document.manifest import ManifestProblem
from wick_cli.local.guardian import left_behind
from wick_cli.local.lines import KEPT, Lines, readable
from wick_cli.local.reload import keep_serving
from wick_cli.local.runtime import load_error
from wick_cli.project import assemble, read

KEY = Key("default", "f")


@given(st.lists(st.tuples(st.sampled_from("+-"), st.integers(1, 5)), max_size=20))
def test_the_guardian_ends_what_was_started_and_has_not_ended(events):
    last = {pid: sign for sign, pid in events}
    assert left_behind(f"{sign}{pid}\n" for sign, pid in events) == {pid for pid, sign in last.items() if sign == "+"}


@given(st.integers(0, 3 * KEPT), st.integers(0, KEPT))
def test_a_reader_that_keeps_up_sees_every_line_once(first, more):
    lines = Lines(lambda _key, _line: None)
    for number in range(first):
        lines.add(KEY, str(number))
    following, seen = lines.since(KEY, 0)
    assert seen == [str(number) for number in range(max(0, first - KEPT), first)]
    for number in range(first, first + more):
        lines.add(KEY, str(number))
    assert lines.since(KEY, following) == (first + more, [str(number) for number in range(first, first + more)])


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain", "plain"),
        ('{"level": "info", "message": "hi", "requestId": "1"}', "hi"),
        ('{"level": "error", "message": "bad"}', "error: bad"),
        ('{"no": "message"}', '{"no": "message"}'),
        ("{broken", "{broken"),
    ],
)
def test_log_lines_are_shown_as_people_read_them(line, shown):
    assert readable(line) == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('{"message": "hi", "requestId": "5f3a"}', "hi [5f3a]"),
        ('{"level": "error", "message": "bad", "requestId": "5f3a", "traceback": "in f"}', "error: bad [5f3a]\nin f"),
        ('{"message": "raised\\nTraceback", "requestId": "5f3a"}', "raised [5f3a]\nTraceback"),
        ('{"message": "of no request"}', "of no request"),
        ("plain", "plain"),
    ],
)
def test_a_log_line_has_its_request_s_id_where_that_is_asked_for(line, shown):
    assert readable(line, request=True) == shown


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"message": "invalid syntax", "file": "main.py", "line": 3}, "main.py:3: invalid syntax"),
        ({"message": "main.py:3: invalid syntax", "file": "main.py", "line": 3}, "main.py:3: invalid syntax"),
        ({"message": "no module", "file": "", "line": 0}, "no module"),
    ],
)
def test_a_load_error_names_its_place_once(said, text):
    assert load_error(said) == text


def project(*names, broken=()):
    problems = [ManifestProblem(Path(f"{name}.yaml"), 1, "broken") for name in broken]
    documents = []
    for name in names:
        text = f"apiVersion: kubewick.dev/v1alpha1\nkind: Function\nmetadata: {{name: {name}}}\nspec: {{image: i}}\n"
        documents += manifest.read(Path(f"{name}.yaml"), text)[0]
    return assemble(documents, problems, "default")


def served(found):
    return sorted(key.name for key in found.functions)


def test_a_function_whose_file_is_broken_just_now_is_served_as_it_was():
    assert served(keep_serving(project("a", "b"), project("a", broken=["b"]))) == ["a", "b"]


def test_of_a_function_that_is_served_as_it_was_it_is_known_what_broke():
    kept = keep_serving(project("a", "b"), project("a", broken=["b"]))
    assert {key.name: str(problem) for key, problem in kept.outdated.items()} == {"b": "b.yaml:1: broken"}
    assert keep_serving(kept, project("a", "b")).outdated == {}


def test_a_problem_of_a_file_as_a_whole_names_no_line(tmp_path):
    assert [str(problem) for problem in read([tmp_path / "no"]).problems] == [f"{tmp_path}/no: no such file or folder"]


def test_a_function_whose_file_is_gone_is_not():
    assert served(keep_serving(project("a", "b"), project("a"))) == ["a"]
