"""An instance of the warm pool becomes a function once."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

CODE = "import os\ndef handle(request, context):\n    return dict(os.environ) | {'who': context.function}\n"
BEARER = {"Authorization": "Bearer secret"}
ORDER = {
    "function": "hello", "namespace": "default", "revision": "r1", "handler": "main:handle",
    "files": {"main.py": CODE, "lib/__init__.py": ""}, "env": {"COLOUR": "red"}, "concurrency": 2, "timeout": 60,
}  # fmt: skip


@pytest.fixture
def pooled(start, variant, eventually):
    instance = start(
        KUBEWICK_POOL=1, KUBEWICK_TOKEN_SHA256=hashlib.sha256(b"secret").hexdigest(), wait=False, **variant
    )
    eventually(lambda: instance.state() == "pool")
    return instance


def specialize(instance, order, headers=BEARER):
    return instance.control("/specialize", "POST", json.dumps(order), headers)


def test_a_pool_instance_becomes_the_function_it_is_told(pooled):
    with pytest.raises(ConnectionRefusedError):
        pooled.request("/")
    answer = specialize(pooled, ORDER)
    assert (answer.status, answer.json["state"]) == (200, "ready")
    assert set(answer.json["phases"]) == {"fork", "import", "init"}
    seen = pooled.request("/").json
    assert (seen["COLOUR"], seen["who"], seen["KUBEWICK_FUNCTION"]) == ("red", "hello", "hello")
    assert "KUBEWICK_TOKEN_SHA256" not in seen
    assert pooled.metric("kubewick_function_start_seconds", phase="fork", function="hello") > 0


def test_no_start_waits_for_a_fork_of_the_supervisor(pooled, eventually):
    eventually(lambda: len(pooled.pids()) == 3)  # supervisor, control process, and the one forked ahead
    os.kill(pooled.process.pid, signal.SIGSTOP)
    try:
        assert specialize(pooled, ORDER).status == 200
        assert pooled.request("/").json["who"] == "hello"
    finally:
        os.kill(pooled.process.pid, signal.SIGCONT)


def test_a_sigterm_that_came_before_the_interpreter_is_obeyed_once_it_runs():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # inherited, as from the image's `env --block-signal`
    try:
        with subprocess.Popen([sys.executable, "-m", "wick_runtime"], env={"KUBEWICK_POOL": "1"}) as early:
            early.send_signal(signal.SIGTERM)
            assert early.wait(30) == 128 + signal.SIGTERM  # by `wick_runtime`, not by the signal itself
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def test_where_the_process_forked_ahead_died_the_order_forks_another(pooled, eventually):
    *_, ahead = eventually(lambda: len(found := pooled.pids()) == 3 and found)
    os.kill(ahead, signal.SIGKILL)
    eventually(lambda: ahead not in pooled.pids())
    assert specialize(pooled, ORDER).status == 200
    assert pooled.request("/").json["who"] == "hello"


def test_becoming_a_function_imports_nothing_the_function_did_not_ask_for(pooled):
    listing = "import sys\nLOADED = sorted(sys.modules)\ndef handle():\n    return LOADED\n"
    specialize(pooled, ORDER | {"files": {"main.py": listing}})
    loaded = set(pooled.request("/").json)
    assert not loaded & {"importlib.metadata", "importlib.resources", "email", "pathlib", "tempfile", "zipfile"}


def test_an_order_is_met_by_memory_that_its_process_owns_already(pooled, eventually):
    *_, ahead = eventually(lambda: len(found := pooled.pids()) == 3 and found)
    eventually(lambda: asleep(ahead))  # its rehearsal is over
    rehearsed = faults(ahead)
    assert specialize(pooled, ORDER).status == 200
    assert faults(ahead) - rehearsed < rehearsed / 5  # it was half as many as before without a rehearsal


def test_a_function_may_have_the_name_of_what_was_rehearsed_and_sees_nothing_of_it(pooled):
    code = "import sys\nimport wick_runtime\ndef handle():\n    return [__file__, *sys.path]\n"
    assert specialize(pooled, ORDER | {"handler": "rehearsed:handle", "files": {"rehearsed.py": code}}).status == 200
    own, *path = pooled.request("/").json
    assert own.endswith("/code/rehearsed.py")
    assert not any(entry.endswith("wick_runtime") for entry in path)


def asleep(pid):
    """It waits for something that may take long."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def faults(pid):
    """Pages that were mapped or copied for a process without reading from a disk."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])


def test_only_the_token_specializes_and_only_once(pooled):
    assert specialize(pooled, ORDER, {}).status == 401
    assert specialize(pooled, ORDER, {"Authorization": "Bearer other"}).status == 401
    assert pooled.state() == "pool"
    assert specialize(pooled, ORDER).status == 200
    assert specialize(pooled, ORDER | {"function": "other"}).status == 409
    assert pooled.request("/").json["who"] == "hello"


def test_the_order_for_the_revision_it_has_is_answered_as_the_first_was(pooled):
    first = specialize(pooled, ORDER)
    again = specialize(pooled, ORDER)
    assert (again.status, again.json) == (200, first.json)
    assert specialize(pooled, ORDER | {"revision": "r2"}).status == 409
    assert specialize(pooled, ORDER | {"namespace": "other"}).status == 409
    assert specialize(pooled, ORDER | {"concurrency": 0}).status == 409


def test_an_order_that_comes_while_the_code_loads_is_answered_when_it_has_loaded(pooled, tmp_path, eventually):
    gate = tmp_path / "gate"
    code = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n{CODE}"
    order = ORDER | {"files": {"main.py": code}}
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(specialize, pooled, order) for _ in range(2)]
        eventually(lambda: pooled.state() == "loading")
        assert specialize(pooled, order | {"function": "other"}).status == 409
        assert not any(each.done() for each in both)
        gate.touch()
        assert [each.result().status for each in both] == [200, 200]


def test_code_that_does_not_load_is_told_to_everybody_who_ordered_it(pooled):
    order = ORDER | {"files": {"main.py": "import nothing_of_the_kind\n"}}
    first, again = specialize(pooled, order), specialize(pooled, order)
    assert (again.status, again.json) == (422, first.json)


def test_code_that_does_not_load_is_told_with_its_place(pooled):
    answer = specialize(pooled, ORDER | {"files": {"main.py": "import os\n\ndef handle(:\n"}})
    assert (answer.status, answer.json["state"], answer.json["reason"]) == (422, "failed", "LoadFailed")
    assert (answer.json["file"], answer.json["line"]) == ("main.py", 3)
    assert pooled.request("/").status == 503


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"files": {"../main.py": ""}}, "files"),
        ({"files": {"/etc/x": ""}}, "files"),
        ({"handler": "main"}, "handler"),
        ({"interface": "cgi"}, "interface"),
        ({"lambdaEvent": "sqs"}, "lambdaEvent"),
        ({"interface": "asgi", "lambdaEvent": "url"}, "lambdaEvent"),
        ({"concurrency": 0}, "concurrency"),
        ({"timeout": "soon"}, "timeout"),
        ({"env": {"A": 1}}, "env"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_refused_and_names_the_member(pooled, change, named):
    answer = specialize(pooled, ORDER | change)
    assert answer.status == 422
    assert answer.json["message"].startswith(named)


def test_a_pool_instance_and_a_cold_one_give_the_function_the_same_environment(pooled, start, variant):
    specialize(pooled, ORDER)
    cold = start(
        CODE, COLOUR="red", KUBEWICK_FUNCTION="hello", KUBEWICK_NAMESPACE="default", KUBEWICK_REVISION="r1", **variant
    )
    assert pooled.request("/").json == cold.request("/").json


def test_an_instance_that_has_a_function_refuses_another(start):
    assert specialize(start("def handle(): pass\n"), ORDER).status == 409


# Import statements are audited; `import_module`, by which the function's own module comes, is not.
HOOK = """
import os, sys
def note(event, details):
    if event == "import":
        with open(os.environ["SEEN"], "a") as file:
            print(details[0], file=file)
sys.addaudithook(note)
"""


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_specializing_imports_what_the_function_imports_and_the_runtime_nothing(start, tmp_path, kind, eventually):
    (tmp_path / "sitecustomize.py").write_text(HOOK)
    seen = tmp_path / "seen"
    digest = hashlib.sha256(b"secret").hexdigest()
    instance = start(wait=False, SEEN=seen, PYTHONPATH=tmp_path, KUBEWICK_POOL=1, KUBEWICK_TOKEN_SHA256=digest)
    eventually(lambda: instance.state() == "pool")
    before = len(seen.read_text().splitlines())
    order = {
        "files": {"main.py": f"import colorsys, json, logging\n{kind} handle(request, context):\n    return 'ok'\n"}
    }
    assert specialize(instance, order).status == 200
    assert instance.request().text == "ok"
    assert seen.read_text().splitlines()[before:] == ["colorsys"]


def test_what_is_preloaded_is_there_before_the_function_and_what_cannot_be_is_told(
    start, tmp_path, variant, eventually
):
    (tmp_path / "wrecked.py").write_text("1 / 0\n")
    digest = hashlib.sha256(b"secret").hexdigest()
    instance = start(
        wait=False,
        PYTHONPATH=tmp_path,
        KUBEWICK_POOL=1,
        KUBEWICK_TOKEN_SHA256=digest,
        KUBEWICK_PRELOAD="wrecked, not_there, colorsys",
        **variant,
    )
    eventually(lambda: instance.state() == "pool")
    source = (
        "import sys\nBEFORE = set(sys.modules)\n\ndef handle():\n    return sorted(BEFORE & {'colorsys', 'wrecked'})\n"
    )
    assert specialize(instance, ORDER | {"files": {"main.py": source}}).status == 200
    assert instance.request("/").json == ["colorsys"]
    assert [line for line in instance.output if "KUBEWICK_PRELOAD" in line] == [
        "KUBEWICK_PRELOAD: wrecked: ZeroDivisionError: division by zero; going on without it",
        "KUBEWICK_PRELOAD: not_there: ModuleNotFoundError: No module named 'not_there'; going on without it",
    ]


LARGEST = 1024 * 1024
"""Bytes of source a Function may carry: a ConfigMap's limit."""


def test_code_of_the_largest_size_arrives_byte_for_byte(pooled):
    files = {
        "main.py": READER,
        "empty.txt": "",
        "windows.txt": "one\r\ntwo\r\n\rthree",
        "deep/er/and/deeper.txt": "no line end",
        "wörter/日本.txt": "naïve \N{SNOWMAN} \N{GRINNING FACE} \0 \x7f\n",
        "data/half.bin": "0123456789abcdef" * (LARGEST // 32),
    }
    files["data/rest.txt"] = "é" * ((LARGEST - sum(len(text.encode()) for text in files.values())) // 2)
    assert LARGEST - 1 <= sum(len(text.encode()) for text in files.values()) <= LARGEST
    assert specialize(pooled, ORDER | {"files": files}).status == 200
    found = pooled.request("/").json
    assert found == {path: hashlib.sha256(text.encode()).hexdigest() for path, text in files.items()}


READER = """
import hashlib, pathlib

ROOT = pathlib.Path(__file__).parent

def handle():
    found = [path for path in ROOT.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {path.relative_to(ROOT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}
"""


UNSENT = {"Content-Length": "9000000"}
"""Of a body that does not come: who is answered all the same was refused by the head."""
CHUNKS = {"Transfer-Encoding": "chunked"}


@pytest.mark.parametrize("announced", [UNSENT, CHUNKS])
def test_who_has_no_token_is_refused_before_its_body(pooled, announced):
    assert head_alone(pooled, "POST /specialize", announced) == 401
    assert head_alone(pooled, "POST /specialize", announced | {"Authorization": "Bearer other"}) == 401
    assert head_alone(pooled, "GET /metrics", announced) == 413
    assert head_alone(pooled, "POST /specialize", BEARER | {"Content-Length": "16777217"}) == 413
    assert specialize(pooled, ORDER).status == 200


def test_an_instance_of_no_pool_takes_no_body_at_its_control_port(start):
    assert head_alone(start("def handle(): pass\n"), "POST /specialize", UNSENT) == 409


def test_of_two_orders_at_once_one_is_carried_out(pooled):
    with ThreadPoolExecutor() as pool:
        orders = [ORDER | {"function": name} for name in ("one", "two", "three")]
        answers = list(pool.map(lambda order: specialize(pooled, order).status, orders))
    assert sorted(answers) == [200, 409, 409]
    assert pooled.request("/").json["who"] == orders[answers.index(200)]["function"]


def test_an_order_that_failed_has_used_the_token_up(pooled):
    assert specialize(pooled, ORDER | {"files": {"main.py": "import nothing_of_that_name\n"}}).status == 422
    assert specialize(pooled, ORDER | {"revision": "r2"}).status == 409


def head_alone(instance, line, headers):
    """The status of the answer to a head whose body is not sent."""
    with socket.create_connection(("127.0.0.1", instance.control_port), timeout=20) as sock:
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        sock.sendall(f"{line} HTTP/1.1\r\nHost: x\r\n{fields}\r\n".encode())
        return int(sock.recv(65536).split()[1])
