"""The examples are one file each, apply as they stand, and need nothing but the standard library."""

import ast
import hashlib
import hmac
import json
import sys
from pathlib import Path

import pytest

from wick_cli.project import read

EXAMPLES = Path(__file__).parents[3] / "examples"
PROJECT = read([EXAMPLES])
FILES = [
    pytest.param(authored.function.spec.source.inline, name, id=f"{key.name}-{name}")
    for key, authored in PROJECT.functions.items()
    for name in authored.function.spec.source.inline
]


def test_every_example_is_valid_and_has_calls_to_try():
    assert not PROJECT.problems
    for key, authored in PROJECT.functions.items():
        assert authored.document.file.stem == key.name
        assert json.loads((EXAMPLES / key.name / "calls.json").read_text())


@pytest.mark.parametrize(("files", "name"), FILES)
def test_an_example_imports_the_standard_library_and_its_own_files_only(files, name):
    own = {file.removesuffix(".py") for file in files}
    for node in ast.walk(ast.parse(files[name])):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            modules = [node.module]
        for module in modules:
            assert module.partition(".")[0] in own | sys.stdlib_module_names


def test_the_webhook_accepts_githubs_own_test_vector():
    """https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation"""
    secret = next(iter(PROJECT.secrets.values())).manifest["stringData"]["secret"]
    signature = hmac.new(secret.encode(), b"Hello, World!", hashlib.sha256).hexdigest()
    assert signature == "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
