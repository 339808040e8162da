import json
from pathlib import Path

import pytest

from .conftest import running

EXAMPLES = Path(__file__).parents[3] / "examples"
CALLS = [
    pytest.param(folder.name, call, id=f"{folder.name}-{number}")
    for folder in sorted(file.parent for file in EXAMPLES.glob("*/calls.json"))
    for number, call in enumerate(json.loads((folder / "calls.json").read_text()))
]


@pytest.fixture(scope="module")
def examples():
    with running(EXAMPLES) as up:
        yield up


def sent(folder, call):
    if "bodyFile" in call:
        return (folder / call["bodyFile"]).read_bytes()
    return call["body"].encode() if "body" in call else None


@pytest.mark.parametrize(("name", "call"), CALLS)
def test_an_example_answers_its_calls_as_written_down(examples, name, call):
    folder = EXAMPLES / name
    answer = examples.call(
        name, call["path"], call.get("method"), sent(folder, call), headers=call.get("headers", {}).items()
    )
    assert answer.status == call["status"], answer
    wanted = (folder / call["answerFile"]).read_text() if "answerFile" in call else call["answer"]
    if isinstance(wanted, str) and "json" not in answer.headers["content-type"]:
        assert answer.body.decode() == wanted
    else:
        assert answer.json == (json.loads(wanted) if isinstance(wanted, str) else wanted)
