"""`wick simulate` compares policies on made and recorded loads."""

import json
from pathlib import Path

from click.testing import CliRunner

from wick_cli.main import main

TRACES = Path(__file__).parents[3] / "examples" / "traces"
QUICK = ["simulate", "--length", "60", "--peak", "20"]


def run(*arguments):
    return CliRunner().invoke(main, [*QUICK, *arguments])


def test_the_defaults_are_set_beside_knatives():
    shown = run()
    assert shown.exit_code == 0
    assert "defaults" in shown.output
    assert "knative" in shown.output


def test_policies_are_functions_from_files_and_the_result_can_be_json(tmp_path):
    file = tmp_path / "f.yaml"
    file.write_text("apiVersion: kubewick.dev/v1alpha1\nkind: Function\nmetadata: {name: mine}\nspec: {image: x}\n")
    shown = run("-p", str(file), "--no-knative", "--shape", "flash", "-o", "json")
    assert [row["policy"] for row in json.loads(shown.output)] == ["mine"]


def test_a_policy_that_is_wrong_is_named_with_its_line(tmp_path):
    file = tmp_path / "f.yaml"
    file.write_text(
        "apiVersion: kubewick.dev/v1alpha1\nkind: Function\nmetadata: {name: mine}\n"
        "spec:\n  image: x\n  scale:\n    window: 2h\n"
    )
    shown = run("-p", str(file))
    assert shown.exit_code == 3
    assert "f.yaml:7: spec.scale.window" in shown.output


def test_a_recorded_load_is_replayed_and_drawn(tmp_path):
    drawn = tmp_path / "run.svg"
    shown = run("--trace", str(TRACES / "azure-2021.txt"), "--svg", str(drawn))
    assert shown.exit_code == 0
    assert drawn.read_text().startswith("<svg")


def test_a_function_the_trace_does_not_have_is_said():
    assert "no request of nobody" in run("--trace", str(TRACES / "azure-2021.txt"), "--function", "nobody").output
