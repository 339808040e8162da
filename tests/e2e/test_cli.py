"""`wick` against a real cluster: from an empty folder to a function that is called, watched, measured and removed."""

import pytest
import yaml

from cluster.waiting import eventually
from cluster.wick import Wick

PRINTING = (
    "def handle(request):\n    print('said', request.query['word'])\n    return 'hello ' + request.query['word']\n"
)


@pytest.fixture
def wick(cluster):
    return Wick(cluster.kubeconfig, cluster.namespace)


def written(wick, folder, code, **scale):
    """What `wick init` writes, with this code and scaling."""
    if not folder.exists():
        assert wick("init", folder, where=()).code == 0
    shown = yaml.safe_load((folder / "function.yaml").read_text())
    shown["spec"]["scale"] = scale
    (folder / "function.yaml").write_text(yaml.safe_dump(shown))
    (folder / "main.py").write_text(code)
    return folder


def test_a_function_from_its_first_file_to_its_last_breath(wick, cluster, tmp_path):
    folder = written(wick, tmp_path / "hello", PRINTING, idle="10m")

    deployed = wick("deploy", folder)
    assert (deployed.code, deployed.out) == (0, f"Function {cluster.namespace}/hello created\n"), deployed
    assert "unchanged" in wick("deploy", folder).out

    invoked = wick("invoke", "hello", "--path", "/?word=Ada", "--include")
    assert (invoked.code, invoked.out) == (0, "hello Ada"), invoked
    assert "kubewick-cold-start" in invoked.err.lower()
    traced = wick("invoke", "hello", "--path", "/?word=Ada", "--trace")
    assert traced.code == 0, traced
    assert [name in traced.err for name in ("route", "first-byte", "handler", "your code")] == [True] * 4, traced
    eventually(lambda: "said Ada" in wick("logs", "hello").out)

    (listed,) = wick("list", "-o", "json").json
    assert listed["metadata"]["name"] == "hello"
    described = wick("describe", "hello")
    assert f"{cluster.namespace}/hello" in described.out
    assert described.code == 0

    written(wick, folder, PRINTING, idle="1s", window="6s")
    assert "configured" in wick("deploy", folder).out
    starts = wick("cold-start", "hello", "--times", "2", "--path", "/?word=Bo", "-o", "json")
    assert all(start["waited"] > 0 and start["phases"] for start in starts.json), starts

    assert wick("delete", "hello").code == 0
    assert wick("describe", "hello").code == 4
    eventually(lambda: wick("invoke", "hello").code == 4)


def test_a_function_that_does_not_load_ends_the_deployment_with_file_and_line(wick, tmp_path):
    deployed = wick("deploy", written(wick, tmp_path / "broken", "def handle(:\n    pass\n", min=1))
    assert deployed.code == 1, deployed
    assert "main.py" in deployed.err
    assert "SyntaxError" in deployed.err
