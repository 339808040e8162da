"""The stories of the cluster, told to `wick up`: zero to one and back, load, edits, broken code, the end."""

import concurrent.futures
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cluster.waiting import PATIENCE, eventually

ECHO = "def handle(request):\n    return request.body"
PID = "import os\ndef handle():\n    return str(os.getppid())"
QUICK = "scale:\n  idle: 1s\n  window: 6s"


def answers(number):
    return f"def handle():\n    return {number!r}"


def refused(call):
    with pytest.raises(ConnectionError):
        call()


def test_the_first_request_starts_a_function_and_the_next_finds_it_running(up, write):
    running = up(write("echo", ECHO))
    assert running.instances("echo") == []
    first, second = running.call("echo", body=b"a"), running.call("echo", body=b"b")
    assert (first.status, first.cold) == (200, True)
    assert (second.status, second.cold) == (200, False)
    assert len(running.instances("echo")) == 1


def test_a_lambda_handler_gets_the_event_that_its_function_chooses(up, write):
    code = "def handler(event, context):\n    return {'statusCode': 200, 'body': event['resource']}"
    running = up(write("rest", code, "handler: main:handler\nlambda: {event: api-v1}"))
    assert running.call("rest").body == b"/"


def test_fifty_simultaneous_first_requests_are_all_answered(up, write):
    running = up(write("echo", ECHO, "concurrency: 100"))
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        found = list(pool.map(lambda number: running.call("echo", body=str(number).encode()), range(50)))
    assert [answer.status for answer in found] == [200] * 50
    assert {answer.body for answer in found} == {str(number).encode() for number in range(50)}
    assert len(running.instances("echo")) == 1


def test_a_megabyte_posted_at_zero_comes_through_byte_for_byte(up, write):
    running = up(write("echo", ECHO))
    body = os.urandom(1_000_000)
    assert running.call("echo", body=body).body == body


def test_a_function_sent_to_zero_stays_there_until_its_next_request_whatever_its_load_was(up, write):
    running = up(write("echo", ECHO))
    for _ in range(20):
        running.call("echo")
    # The autoscaler looks each second, and would have an instance for what it saw before.
    assert "not counted" not in running.wick("cold-start", "echo", "--times", 2, "--pause", 2.5).stdout


def test_load_adds_instances_and_idleness_takes_all_of_them_away_until_the_next_request(up, write):
    slow = "import time\ndef handle():\n    time.sleep(0.2)\n    return 'ok'"
    running = up(write("slow", slow, "concurrency: 2\n" + QUICK), options=("--pool", "2"))
    stop = threading.Event()

    def load():
        statuses = []
        while not stop.is_set():
            statuses.append(running.call("slow").status)
        return statuses

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        loads = [pool.submit(load) for _ in range(8)]
        try:
            eventually(lambda: len(running.instances("slow")) >= 3)
        finally:
            stop.set()
        assert {status for each in loads for status in each.result()} == {200}
    eventually(lambda: running.instances("slow") == [])
    assert running.call("slow").cold


def test_an_edit_under_a_trickle_of_requests_fails_none_and_serves_the_new_code(up, write):
    running = up(write("f", answers("old")))
    stop, statuses, bodies = threading.Event(), [], []

    def trickle():
        while not stop.is_set():
            answer = running.call("f")
            statuses.append(answer.status)
            bodies.append(answer.body)

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        eventually(lambda: b"old" in bodies)
        for generation in range(5):
            text = f"new{generation}"
            write("f", answers(text))
            eventually(lambda text=text: text.encode() in bodies)
    finally:
        stop.set()
        thread.join()
    assert set(statuses) == {200}


def test_code_that_does_not_load_leaves_the_old_serving_and_says_where(up, write):
    running = up(write("f", answers("good")))
    assert running.call("f").body == b"good"
    write("f", "def handle(:\n    pass")
    why = eventually(lambda: re.search("main.py.*", running.shown("f")["status"]["why"]))
    assert "1" in why[0]
    assert running.call("f").body == b"good"
    write("f", answers("better"))
    eventually(lambda: running.call("f").body == b"better")
    assert running.shown("f")["status"]["conditions"][0]["status"] == "True"


def test_a_broken_function_at_zero_answers_at_once_with_the_reason_and_works_once_mended(up, write):
    running = up(write("f", "import no_such_module\ndef handle():\n    return 1"))
    answer = running.call("f")
    assert answer.status == 503
    assert "no_such_module" in answer.json["error"]["message"]
    write("f", answers("mended"))
    eventually(lambda: running.call("f").body == b"mended")


def test_a_broken_file_is_named_with_its_line_and_the_others_serve_on(up, write, tmp_path):
    good = write("good", answers("good"))
    bad = write("bad", answers("bad"))
    running = up(tmp_path)
    assert running.call("bad").body == b"bad"
    bad.write_text(bad.read_text().replace("spec:", "spec:\n  concurency: 5"))
    running.says(f"{bad}:6: spec.concurency: no such field; did you mean 'concurrency'?")
    assert running.call("good").body == b"good"
    assert running.call("bad").body == b"bad"
    assert good.exists()


def test_a_file_that_cannot_be_used_is_told_by_list_and_its_function_stays_whatever_else_is_deployed(
    up, write, tmp_path
):
    (tmp_path / "served").mkdir()
    (tmp_path / "later").mkdir()
    write("good", answers("good"), folder=tmp_path / "served")
    bad = write("bad", answers("bad"), folder=tmp_path / "served")
    running = up(tmp_path / "served")
    bad.write_text(bad.read_text().replace("spec:", "spec:\n  concurency: 5"))
    eventually(lambda: "spec.concurency: no such field" in running.shown("bad")["status"]["why"])
    assert running.shown("bad")["status"]["conditions"][0]["reason"] == "InvalidSpec"
    assert running.shown("good")["status"]["conditions"][0]["status"] == "True"
    running.wick("deploy", write("more", answers("more"), folder=tmp_path / "later"))
    assert running.call("bad").body == b"bad"
    bad.write_text(bad.read_text().replace("concurency", "concurrency"))
    eventually(lambda: running.shown("bad")["status"]["conditions"][0]["status"] == "True")


def test_functions_come_and_go_with_their_files(up, write, tmp_path):
    first = write("first", answers("1"))
    running = up(tmp_path)
    write("second", answers("2"))
    eventually(lambda: running.call("second").body == b"2")
    first.unlink()
    eventually(lambda: running.call("first").status == 404)
    assert running.call("second").body == b"2"


def test_source_from_a_configmap_and_environment_from_a_secret(up, tmp_path):
    (tmp_path / "all.yaml").write_text(
        """\
apiVersion: v1
kind: ConfigMap
metadata: {name: code}
data:
  main.py: |
    import os
    def handle():
        return {"token": os.environ["TOKEN"], "home": "WICK_TEST_SECRET" in os.environ}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {token: s3cret}
---
apiVersion: kubewick.dev/v1alpha1
kind: Function
metadata: {name: f}
spec:
  source: {configMap: {name: code}}
  env:
    - name: TOKEN
      valueFrom: {secretKeyRef: {name: keys, key: token}}
"""
    )
    os.environ["WICK_TEST_SECRET"] = "of the shell"
    try:
        running = up(tmp_path)
    finally:
        del os.environ["WICK_TEST_SECRET"]
    assert running.call("f").json == {"token": "s3cret", "home": False}


def test_an_image_function_says_that_only_a_cluster_runs_it(up, write, tmp_path):
    write("ok", answers("ok"))
    (tmp_path / "image.yaml").write_text(
        "apiVersion: kubewick.dev/v1alpha1\nkind: Function\nmetadata: {name: image}\nspec: {image: nginx}\n"
    )
    running = up(tmp_path)
    answer = running.call("image")
    assert answer.status == 503
    assert "spec.image" in answer.json["error"]["message"]


def test_an_instance_that_is_killed_is_replaced(up, write):
    running = up(write("f", PID))
    supervisor = int(running.instances("f")[0].partition("-")[2]) if running.call("f").status == 200 else 0
    eventually(lambda: os.kill(supervisor, 0) is None)
    eventually(lambda: running.printed)
    os.killpg(supervisor, signal.SIGKILL)
    eventually(lambda: running.call("f").status == 200)
    eventually(lambda: supervisor not in [int(each.partition("-")[2]) for each in running.instances("f")])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_it_ends_no_process_and_no_file_is_left(up, write, number):
    running = up(write("f", "import os\ndef handle():\n    return str(os.getsid(0)) + ' ' + os.getcwd()"))
    group, folder = running.call("f").body.decode().split()
    code = running.stop(number)
    assert code == (0 if number != signal.SIGKILL else -signal.SIGKILL)
    eventually(lambda: not sessions(group))
    eventually(lambda: not Path(folder).parent.exists())
    refused(lambda: running.call("f"))


PENDING = """import atexit, os, pathlib
done = []
def write(): pathlib.Path(os.environ["OUT"], str(os.getpid())).write_text("".join(done))
atexit.register(write)
def handle(request): done.append(request.query["n"])
"""


def test_scale_to_zero_an_edit_and_the_end_lose_nothing_that_was_pending(up, write, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    code = PENDING.replace('os.environ["OUT"]', repr(str(out)))
    running = up(write("f", code))

    def kept():
        return sorted("".join(file.read_text() for file in out.iterdir()))

    running.call("f", "/?n=1")
    running.wick("cold-start", "f", "--times", "1", "--pause", "0", "--path", "/?n=0")
    eventually(lambda: "1" in kept())
    running.call("f", "/?n=2")
    before = running.instances("f")
    write("f", code + "# edited")
    eventually(lambda: running.instances("f") != before)
    eventually(lambda: "2" in kept())
    running.call("f", "/?n=3")
    assert running.stop() == 0
    assert {"1", "2", "3"} <= set(kept())


def sessions(group):
    listed = subprocess.run(["ps", "-eo", "sid="], capture_output=True, text=True, check=True).stdout.split()
    return group in listed


def test_a_port_in_use_is_one_line_and_no_traceback(write):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        wick = Path(sys.executable).with_name("wick")
        ran = subprocess.run(
            [wick, "up", write("f", ECHO), "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert ran.returncode == 1
    assert (
        ran.stderr
        == f"Error: port {port} of 127.0.0.1 is in use, perhaps by another `wick up`; choose one with --port\n"
    )


def test_functions_that_are_not_public_answer_on_the_one_port_and_are_unknown_on_the_other(up, write):
    write("inside", ECHO)
    running = up(write("outside", ECHO, "visibility: public").parent)
    line = running.says("public functions at")
    public = int(re.search(r"public functions at http://127.0.0.1:(\d+)", line).group(1))
    shared, running.port = running.port, public
    assert [running.call(name).status for name in ("outside", "inside", "nobody")] == [200, 404, 404]
    running.port = shared
    assert [running.call(name).status for name in ("outside", "inside", "nobody")] == [200, 200, 404]
    shown = {line.split()[0]: line.split()[3] for line in running.wick("list").stdout.splitlines()}
    assert shown == {"NAME": "VISIBILITY", "inside": "cluster", "outside": "public"}


def test_the_other_commands_find_it(up, write, tmp_path):
    running = up(write("f", "def handle(request):\n    print('seen', request.query['a'])\n    return request.query"))
    invoked = running.wick("invoke", "f", "--path", "/?a=1")
    assert json.loads(invoked.stdout) == {"a": "1"}
    assert "handler" in running.wick("invoke", "f", "--path", "/?a=1", "--trace").stderr
    assert "f" in running.wick("list").stdout
    described = running.wick("describe", "f").stdout
    assert "INSTANCE" in described
    assert "loads the code for itself, which takes" in described
    eventually(lambda: "seen 1" in running.wick("logs", "f").stdout)
    other = tmp_path / "other"
    other.mkdir()
    deployed = running.wick("deploy", write("g", answers("g"), folder=other))
    assert "Function default/g served" in deployed.stdout
    assert running.wick("invoke", "g").stdout == "g"
    running.wick("delete", "f")
    assert running.wick("describe", "f", code=4).stdout == ""
    running.wick("invoke", "f", code=4)


def run(*words):
    """`wick` with no cluster to be found."""
    wick, nowhere = Path(sys.executable).with_name("wick"), os.environ | {"KUBECONFIG": os.devnull, "HOME": os.devnull}
    return subprocess.run([wick, *words], capture_output=True, text=True, timeout=PATIENCE, check=False, env=nowhere)


@pytest.mark.parametrize("words", [["list"], ["invoke", "f"], ["logs", "f"]], ids=" ".join)
def test_without_a_running_platform_local_commands_say_so_and_name_the_option(words):
    ran = run(*words, "--local", "--port", "1")
    assert ran.returncode == 5
    assert "port 1 of this machine" in ran.stderr
    assert "give its port by --port" in ran.stderr


def test_without_a_cluster_a_command_says_what_to_give_it(write):
    ran = run("deploy", str(write("f", ECHO)))
    assert ran.returncode == 5
    assert "give a kubeconfig by KUBECONFIG or --context, or run `wick up PATH` and give --local" in ran.stderr


def test_logs_name_the_request_that_a_line_belongs_to(up, write):
    running = up(write("f", "def handle():\n    print('greeting')"))
    running.call("f", headers={"X-Request-Id": "mine-1"}.items())
    running.call("f", headers={"X-Request-Id": "mine-2"}.items())
    eventually(lambda: "greeting [mine-2]" in running.wick("logs", "f").stdout.splitlines())
    assert "greeting [mine-1]" in running.wick("logs", "f").stdout.splitlines()


def test_a_binary_file_beside_the_code_is_refused_by_its_name_with_what_to_do(tmp_path):
    (tmp_path / "function.yaml").write_text("apiVersion: kubewick.dev/v1alpha1\nkind: Function\nmetadata: {name: f}\n")
    (tmp_path / "main.py").write_text(ECHO)
    (tmp_path / "logo.png").write_bytes(b"\x89PNG\xff")
    ran = run("up", str(tmp_path))
    assert ran.returncode != 0
    assert (
        "logo.png is not UTF-8 text, and a function's files are; mount data from a ConfigMap's binaryData" in ran.stderr
    )
    assert len(ran.stderr.splitlines()) == 1, "nothing that only follows from it"


def test_a_missing_function_is_told_by_its_name_and_an_exit_code_of_its_own(up, write):
    running = up(write("f", "def handle():\n    return 'mine', 404"))
    ran = running.wick("invoke", "nobody", code=4)
    assert ran.stderr == "Error: Function default/nobody not found\n"
    assert running.wick("invoke", "f", code=1).stderr == "Error: f answered 404\n"


def test_a_function_that_does_not_come_to_zero_ends_the_measurement_with_what_to_do(up, write):
    running = up(write("f", ECHO))
    assert "2 starts: " in running.wick("cold-start", "f", "--times", "2").stdout
    ran = running.wick("cold-start", "f", "--times", "500", "--timeout", "2")
    assert "--timeout gives it longer" in ran.stderr
