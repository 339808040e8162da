import subprocess
import sys

import pytest
from click.testing import CliRunner

from wick_cli.command.init import command
from wick_cli.project import read


def test_a_new_function_is_valid_and_its_own_test_passes(tmp_path):
    made = CliRunner().invoke(command, [str(tmp_path / "hello")])
    assert made.exit_code == 0
    project = read([tmp_path])
    assert not project.problems
    (authored,) = project.functions.values()
    assert authored.function.metadata.name == "hello"
    assert set(authored.function.spec.source.inline) == {"main.py"}
    subprocess.run(
        [sys.executable, "-B", "-m", "unittest", "-q"], cwd=tmp_path / "hello", check=True, capture_output=True
    )


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "main.py").write_text("mine")
    refused = CliRunner().invoke(command, [str(tmp_path)])
    assert refused.exit_code != 0
    assert (tmp_path / "main.py").read_text() == "mine"
    assert [file.name for file in tmp_path.iterdir()] == ["main.py"]


@pytest.mark.parametrize("name", ["Hello", "a_b", "1a", "a" * 53])
def test_a_name_no_function_can_have_is_refused(tmp_path, name):
    refused = CliRunner().invoke(command, [str(tmp_path / name)])
    assert refused.exit_code == 3
    assert name in refused.output
