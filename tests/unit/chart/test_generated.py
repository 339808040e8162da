"""What of the chart can be checked without helm."""

import pytest

import generate


def test_generated_files_are_what_the_values_and_the_parts_configurations_make_them():
    stale = [path.name for path, text in generate.texts().items() if not path.exists() or path.read_text() != text]
    assert not stale, "run `make chart` and commit what it writes"


def test_every_crd_of_the_repository_is_in_the_chart_and_no_other():
    ours = {path.name: path.read_text() for path in (generate.HERE.parent / "crds").glob("*.yaml")}
    assert ours == {path.name: path.read_text() for path in (generate.HERE / "kubewick" / "crds").iterdir()}


def test_every_value_says_what_it_does():
    schema = generate.chart_schema(generate.VALUES.read_text())
    assert [path for path, _, text in generate.rows(schema) if not text] == []


def test_a_comment_belongs_to_the_key_below_it():
    text = "# One.\n# Two.\na:\n  # Three.\n  b: 1\n\n# Four.\nc: 2\n"
    assert list(generate.comments(text)) == [("a", "One. Two."), ("a.b", "Three."), ("c", "Four.")]


def test_a_blank_line_ends_a_comment():
    assert list(generate.comments("# About the file.\n\na: 1\n")) == [("a", "")]


def test_a_default_that_tells_no_type_is_refused_with_its_path():
    with pytest.raises(ValueError, match=r"a\.b: say in KNOWN"):
        generate.chart_schema("a: {b: null}\n" + "runtimes: {python: {}}\n")
