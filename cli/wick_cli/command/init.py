"""`wick init`: a function folder that runs, deploys and tests as it stands."""

import re
from pathlib import Path

import click

from wick_api import names
from wick_cli.failure import CommandFailed, InvalidFile
from wick_cli.folder import FUNCTION_FILE

FUNCTION = """\
# All fields: kubectl explain function.spec
apiVersion: kubewick.dev/v1alpha1
kind: Function
metadata:
  name: {name}
spec:
  # The files beside this one are the source: `wick up` and `wick deploy` put them here.
  handler: main:handle
  visibility: public # callers outside the cluster too; cluster: inside alone
  concurrency: 10 # requests at once in one instance
  timeout: 30s
  scale:
    max: 10
    idle: 60s # without a request; then nothing runs
"""

MAIN = '''\
"""{name}: greets whoever asks."""


def handle(request, context):
    """Answer one request. Return text, bytes, a dict (JSON), or (body, status, headers)."""
    who = request.query.get("name", "world")
    print("greeting", who)  # in `wick logs {name}`, with the request's id
    return {{"message": f"Hello, {{who}}!"}}
'''

TEST = '''\
"""Run with: python -m unittest, or pytest."""

import unittest
from types import SimpleNamespace

from main import handle


class Greeting(unittest.TestCase):
    def test_the_caller_is_greeted_by_name(self):
        request = SimpleNamespace(query={"name": "Ada"})
        self.assertEqual(handle(request, None), {"message": "Hello, Ada!"})


if __name__ == "__main__":
    unittest.main()
'''

FILES = {FUNCTION_FILE: FUNCTION, "main.py": MAIN, "test_main.py": TEST}


def scaffold(name: str) -> dict[str, str]:
    """Texts of a new function's files, by file name."""
    return {file: text if file == "test_main.py" else text.format(name=name) for file, text in FILES.items()}


@click.command(
    epilog="""\b
Examples:
  wick init hello                 writes hello/function.yaml, hello/main.py, hello/test_main.py
  wick init functions/csv-report  the function's name is the folder's
  wick up hello                   runs it"""
)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def command(folder: Path) -> None:
    """Write a new function, with a test, into FOLDER; its last part becomes the function's name."""
    name = folder.resolve().name
    if not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name) or len(name) > names.MAX_NAME:
        raise InvalidFile(
            f"{name!r} cannot name a function: lower case letters, digits and '-', at most {names.MAX_NAME} characters"
        )
    taken = [file for file in FILES if (folder / file).exists()]
    if taken:
        raise CommandFailed(f"{folder / taken[0]} exists; wick init never overwrites")
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in scaffold(name).items():
        (folder / file).write_text(text, encoding="utf-8")
        click.echo(f"wrote {folder / file}")
    click.echo(
        f"\nRun it:   wick up {folder}\nCall it:  curl 'http://127.0.0.1:8080/function/default/{name}/?name=Ada'"
    )
