from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from wick_cli.document.dump import dump
from wick_cli.document.manifest import read

FILE = Path("f.yaml")

TWO = """\
kind: Function
metadata:
  name: one
---
kind: Function
metadata: {name: two}
spec:
  env:
    - name: A
    - name: B
      value: x
"""


def test_a_field_is_found_on_its_line():
    (_, second), problems = read(FILE, TWO)
    assert not problems
    lines = {
        field: second.line(field) for field in ("", "metadata.name", "spec.env[1].value", "spec.env[9]", "spec.x.y")
    }
    assert lines == {"": 5, "metadata.name": 6, "spec.env[1].value": 11, "spec.env[9]": 8, "spec.x.y": 7}


def test_a_problem_prints_file_line_and_message():
    (_, second), _ = read(FILE, TWO)
    assert str(second.problem("spec.env[0]: wrong")) == "f.yaml:9: spec.env[0]: wrong"


def test_a_broken_document_is_placed_and_those_before_it_count():
    documents, (problem,) = read(FILE, "kind: A\n---\nkind: [\n---\nkind: C\n")
    assert [document.manifest["kind"] for document in documents] == ["A"]
    assert problem.line in (3, 4)


def test_a_key_given_twice_counts_with_its_last_value_as_in_kubectl_and_is_told():
    (document,), problems = read(FILE, "spec:\n  a: 1\n  a: 2\n")
    assert (document.manifest, problems) == ({"spec": {"a": 2}}, [])
    assert [str(warning) for warning in document.warnings] == ["f.yaml:3: 'a' is given twice; the last one counts"]


def test_a_date_stays_text():
    (document,), _ = read(FILE, "day: 2026-01-01\n")
    assert document.manifest == {"day": "2026-01-01"}


def test_text_that_is_no_object_is_an_error():
    _, (problem,) = read(FILE, "\n\nhello\n")
    assert "f.yaml:3: expected an object" in str(problem)


def test_a_control_character_is_placed():
    _, (problem,) = read(FILE, "a: b\nc: \x07\n")
    assert problem.line == 2


TEXT = st.characters(exclude_categories=["Cs"])

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(TEXT),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(TEXT, min_size=1), inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(st.dictionaries(st.text(TEXT, min_size=1), JSON, min_size=1, max_size=4), max_size=4))
def test_what_is_written_is_read_back(objects):
    documents, problems = read(FILE, "\n---\n".join(dump(each) for each in objects))
    assert not problems
    assert [document.manifest for document in documents] == objects


@given(st.text())
def test_any_text_is_read_or_refused_with_a_line_of_it(text):
    _, problems = read(FILE, text)
    assert all(1 <= problem.line <= text.count("\n") + text.count("\r") + 2 for problem in problems)
