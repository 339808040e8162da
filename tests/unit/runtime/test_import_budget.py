"""What an instance has imported before the user's code: every module there costs each start."""

import json
import subprocess
import sys

HEAVY = {
    "aiohttp", "click", "cloudevents", "dataclasses", "django", "email", "fastapi", "flask", "hashlib", "http.client",
    "http.server", "inspect", "ipaddress", "kubernetes", "linecache", "logging", "msgspec", "multiprocessing",
    "pathlib", "pickle", "pydantic", "requests", "ssl", "starlette", "tokenize", "traceback", "unittest",
    "urllib.parse", "urllib.request", "uuid", "wick_api", "wick_cli", "wick_operator", "wick_router", "yaml",
}  # fmt: skip
ADAPTERS = {"asgi", "awslambda", "cloudevent", "events", "functionsframework", "websocket", "wsgi"}
OWN = {
    "", "adapters", "admission", "answer", "channel", "config", "context", "control", "control_port", "deadlines",
    "deferred", "ending", "failure", "family", "finalization", "fork_safety", "forker", "frame", "generators", "http",
    "http.connection", "http.exchange", "http.gate", "http.head", "http.parser", "http.refusal", "http.request_id",
    "http.rules", "http.server", "inline", "instance", "integrity", "interface", "keeper", "leftover", "load", "loop",
    "metric", "native", "output", "pool", "port", "process", "request", "serving", "source", "specialize", "stand_in",
    "standing", "state", "supervisor", "table", "tally", "worker",
}  # fmt: skip
CODE = """
import json, sys
before = set(sys.modules)
from wick_runtime.config import Config
from wick_runtime.deferred import deferred
with deferred():
    import wick_runtime.supervisor
    wick_runtime.supervisor.preload(Config(loop="uvloop", parser="httptools"))
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def loaded():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env=path())
    return set(json.loads(done.stdout))


def path():
    import wick_runtime

    return {"PYTHONPATH": wick_runtime.__path__[0].rpartition("/")[0]}


def test_before_the_users_code_only_these_modules_are_there():
    modules = loaded()
    own = {name.removeprefix("wick_runtime").lstrip(".") for name in modules if name.startswith("wick_runtime")}
    assert own == OWN
    assert not modules & HEAVY
    assert not own & ADAPTERS
    assert len(modules - {name for name in modules if name.startswith("wick_runtime")}) < 125


def test_a_dormant_instance_has_loaded_next_to_nothing():
    code = (
        "import sys; sys.path.append(sys.argv[1]); import wick_runtime.dormant; print(len(sys.modules), *sys.modules)"
    )
    command = [sys.executable, "-SP", "-c", code, path()["PYTHONPATH"]]
    count, *names = subprocess.run(command, capture_output=True, text=True, check=True, env={}).stdout.split()
    assert {name for name in names if name.startswith("wick_runtime")} == {"wick_runtime", "wick_runtime.dormant"}
    assert not {"enum", "json", "re", "signal", "site", "socket", "typing"} & set(names)
    assert int(count) < 45
