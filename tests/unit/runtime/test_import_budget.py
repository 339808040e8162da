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
ADAPTERS = {
    "forms.asgi", "forms.awslambda", "forms.cloudevent", "forms.cloudevent_handlers", "forms.cloudevent_sdk",
    "forms.functionsframework",
    "forms.lambda_event", "forms.lambda_json", "forms.lambda_response", "forms.websocket", "forms.wsgi",
}  # fmt: skip
OWN = {
    "", "call", "call.answer", "call.frame", "call.interface", "call.request", "config", "forms", "forms.adapters",
    "forms.native", "http", "http.connection", "http.exchange", "http.gate", "http.head", "http.message",
    "http.message.callbacks", "http.message.parser", "http.message.refusal", "http.message.rules", "http.request_id",
    "http.server", "instance", "instance.children", "instance.connection_backup", "instance.control",
    "instance.control_port", "instance.decisions", "instance.decisions.state", "instance.error_app",
    "instance.lifecycle", "instance.metric", "instance.order", "instance.supervisor", "ipc", "ipc.channel",
    "ipc.deadlines", "ipc.exit_status", "ipc.last_words", "ipc.port",
    "ipc.request_counter", "ipc.shared_table", "loop", "run",
    "run.admission", "run.async_handlers", "run.context", "run.deferred", "run.failure", "run.finalization",
    "run.handler_pool", "run.handler_process", "run.handler_process_client", "run.heap", "run.integrity",
    "run.leftover", "run.lines", "run.load", "run.load_position", "run.output", "source", "worker", "worker.code",
    "worker.fork_safety", "worker.forker", "worker.generators", "worker.serving", "worker.worker",
}  # fmt: skip
CODE = """
import json, sys
before = set(sys.modules)
from wick_runtime.config import RuntimeConfig
from wick_runtime.run.deferred import deferred
with deferred():
    import wick_runtime.instance.supervisor
    wick_runtime.instance.supervisor.preload(RuntimeConfig(loop="uvloop", parser="httptools"))
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
    code = "import sys; sys.path.append(sys.argv[1]); import wick_runtime.instance.dormant; print(*sys.modules)"
    command = [sys.executable, "-SP", "-c", code, path()["PYTHONPATH"]]
    names = subprocess.run(command, capture_output=True, text=True, check=True, env={}).stdout.split()
    assert {name for name in names if name.startswith("wick_runtime")} == {
        "wick_runtime",
        "wick_runtime.instance",
        "wick_runtime.instance.dormant",
    }
    assert not {"enum", "json", "re", "signal", "site", "socket", "typing"} & set(names)
    assert len(names) < 45
