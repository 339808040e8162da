import importlib
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from wick_cli.main import COMMANDS, main

HEAVY = {
    "aiohttp",
    "asyncio",
    "fastapi",
    "httptools",
    "kopf",
    "kubernetes",
    "msgspec",
    "rich",
    "uvicorn",
    "uvloop",
    "yaml",
}


def test_help_names_every_command_and_imports_nothing_heavy():
    code = (
        "import sys\nfrom wick_cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(f"  {name} " in ran.stdout for name in COMMANDS)
    assert HEAVY.isdisjoint(ran.stderr.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches_by_example(name):
    shown = CliRunner().invoke(main, [name, "--help"])
    assert shown.exit_code == 0
    assert "Examples:" in shown.output
    assert f"wick {name}" in shown.output


@pytest.mark.parametrize("entry", COMMANDS.values(), ids=COMMANDS)
def test_the_table_agrees_with_the_command(entry):
    assert isinstance(importlib.import_module(entry.module).command, click.Command)
    assert entry.help.endswith(".")


def test_an_unknown_command_is_wrong_usage():
    assert CliRunner().invoke(main, ["launch"]).exit_code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_the_shell(shell):
    shown = CliRunner().invoke(main, ["completion", shell])
    assert shown.exit_code == 0
    assert f"_WICK_COMPLETE={shell}_complete" in shown.output
