"""A dormant instance of the pool: a small listener that becomes the runtime when its order comes."""

import contextlib
import functools
import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cluster import waiting
from cluster.waiting import PATIENCE

POOL = {"KUBEWICK_POOL": "1", "KUBEWICK_TOKEN_SHA256": hashlib.sha256(b"secret").hexdigest()}
DORMANT = POOL | {"KUBEWICK_DORMANT": "1"}
BEARER = {"Authorization": "Bearer secret"}
CODE = """
import os
LINKS = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
FILES = [os.readlink(link).partition(":")[0].rpartition("/")[2] for link in LINKS if os.path.lexists(link)]
def handle(request, context):
    return {"who": context.function, "environment": dict(os.environ), "files": sorted(FILES)}
"""
ORDER = {"function": "hello", "namespace": "default", "revision": "r1", "files": {"main.py": CODE}}


eventually = functools.partial(waiting.eventually, every=0.002)
"""The moments looked for here are short: a Python starts in 20 ms."""


@pytest.fixture
def dormant(start):
    return start(wait=False, **DORMANT)


def specialize(instance, headers=BEARER, **change):
    answer = instance.control("/specialize", "POST", json.dumps(ORDER | change), headers)
    instance.port = answer.json.get("port", 0)
    return answer


def asleep(instance):
    """It is the listener, and no other process."""
    return instance.pids() == [instance.process.pid] and "doze" in command(instance.process.pid)


def command(pid):
    return Path(f"/proc/{pid}/cmdline").read_text()


def knock(instance, said=b""):
    """A connection that the instance has in its hands."""
    eventually(lambda: sockets(instance.process.pid) == 1)
    sock = socket.create_connection(("127.0.0.1", instance.control_port), timeout=PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    eventually(lambda: sockets(instance.process.pid) == 2)
    sock.sendall(said)
    return sock


def sockets(pid):
    """How many a process holds; a dormant one its port, and whom it talks to."""
    found = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found += str(link.readlink()).startswith("socket:")
    return found


def test_probes_get_the_answers_of_a_waiting_instance_and_wake_nobody(dormant, start):
    awake = start(wait=False, **POOL)
    eventually(lambda: awake.state() == "pool")
    for path, method in [("/readyz", "GET"), ("/readyz?verbose", "GET"), ("/healthz", "GET"), ("/healthz", "HEAD")]:
        theirs, ours = awake.control(path, method), dormant.control(path, method)
        assert (ours.status, ours.body) == (theirs.status, theirs.body)
        for name in ("content-type", "content-length"):
            assert ours.headers[name] == theirs.headers[name]
        assert ours.headers["connection"] == "close"
    assert asleep(dormant)


def test_metrics_are_an_empty_page_and_other_paths_are_not_there(dormant, start):
    awake = start(wait=False, **POOL)
    theirs, ours = awake.control("/metrics"), dormant.control("/metrics")
    assert (ours.status, ours.headers["content-type"], ours.body) == (200, theirs.headers["content-type"], b"")
    for path, method in [("/", "GET"), ("/readyzz", "GET"), ("/specialize", "GET")]:
        assert dormant.control(path, method).status == 404
    assert dormant.control("/", "POST", b"x" * 1_000_000).status == 404  # unread bytes would reset the answer
    theirs, ours = awake.control("/nothing").json["error"], dormant.control("/nothing").json["error"]
    assert ours == theirs | {"requestId": ""}
    assert asleep(dormant)


def test_a_dormant_instance_takes_less_than_half_of_a_waiting_ones_memory(dormant, start):
    awake = start(wait=False, **POOL)
    eventually(lambda: len(awake.pids()) == 3)
    dormant.control("/readyz")
    assert memory(dormant) < memory(awake) / 2


def memory(instance):
    """KiB of all its processes, shared pages by share."""
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() for pid in instance.pids()]
    return sum(int(line.split()[1]) for lines in rollups for line in lines if line.startswith("Pss:"))


def test_the_order_that_wakes_it_is_answered_and_the_function_serves(start, variant):
    instance = start(wait=False, **DORMANT, **variant)
    answer = specialize(instance)
    assert (answer.status, answer.json["state"]) == (200, "ready")
    assert set(answer.json["phases"]) == {"wake", "fork", "import", "init"}
    assert answer.json["phases"]["wake"] > 1  # no Python starts in less
    assert instance.request("/").json["who"] == "hello"
    assert instance.state() == "ready"
    assert instance.metric("kubewick_function_start_seconds", phase="wake", function="hello") > 0
    assert specialize(instance).json == answer.json, "the same order again: the same answer"
    assert specialize(instance, function="other").status == 409


def test_an_asynchronous_function_wakes_it_as_well(dormant):
    assert specialize(dormant, files={"main.py": "async def handle():\n    return 'here'\n"}).status == 200
    assert dormant.request("/").text == "here"


def test_a_wrong_token_wakes_it_for_a_401_and_the_right_one_still_works(dormant):
    assert specialize(dormant, {"Authorization": "Bearer other"}).status == 401
    assert dormant.state() == "pool"
    assert not asleep(dormant)
    answer = specialize(dormant)
    assert answer.status == 200
    assert "wake" not in answer.json["phases"]  # this order found it awake
    assert dormant.request("/").json["who"] == "hello"


def test_of_two_orders_at_once_one_is_taken(start, variant):
    instance = start(wait=False, **DORMANT, **variant)
    together = threading.Barrier(2)

    def one(name):
        together.wait()
        return specialize(instance, function=name)

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(one, ["first", "second"]))
    assert sorted(answer.status for answer in answers) == [200, 409]
    (taken,) = [answer for answer in answers if answer.status == 200]
    instance.port = taken.json["port"]
    assert instance.request("/").json["who"] == ["first", "second"][answers.index(taken)]


def test_an_order_in_many_small_pieces_wakes_it(dormant):
    body = json.dumps(ORDER | {"files": {"main.py": "def handle():\n    return 'whole'\n"}}).encode()
    head = b"POST /specialize HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nContent-Length: %d\r\n\r\n"
    order = head % len(body) + body
    with knock(dormant) as sock:
        for i in range(len(order)):
            sock.sendall(order[i : i + 1])
        assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")


def last_word(sock):
    """What it is told before it is left; one whose bytes nobody read is reset."""
    try:
        return sock.recv(4096)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("said", [b"", b"POST /speci", b"GET /readyz HTTP/1.1\r\n"])
def test_a_client_that_says_no_more_is_left_and_the_next_one_answered(dormant, said):
    with knock(dormant, said) as sock:
        assert dormant.state() == "pool"
        assert last_word(sock)[:13] in (b"", b"HTTP/1.1 200 ")
    assert asleep(dormant)


def test_a_client_that_goes_on_for_ever_is_cut_off(dormant):
    done = threading.Event()

    def drip(sock):
        try:
            while not done.wait(0.1):
                sock.send(b"x")
        except OSError:
            return "reset"
        return "held"

    with knock(dormant, b"GET /readyz HTTP/1.1\r\n") as sock, ThreadPoolExecutor(1) as thread:
        dripping = thread.submit(drip, sock)
        try:
            assert dormant.state() == "pool"
            assert dripping.result(PATIENCE) == "reset"
        finally:
            done.set()


@pytest.mark.parametrize("said", [b"", b"POST /speci", b"GET /readyz HTTP/1.1\r\n\r\n"])
def test_a_client_that_resets_does_no_harm(dormant, said):
    sock = knock(dormant, said)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    assert dormant.state() == "pool"
    assert asleep(dormant)


def test_sigterm_ends_a_dormant_instance_at_once(dormant):
    dormant.control("/readyz")
    with knock(dormant):  # not even a client keeps it
        assert dormant.stop() == 128 + signal.SIGTERM


def test_sigterm_ends_an_instance_that_was_dormant_politely(dormant):
    assert specialize(dormant).status == 200
    assert dormant.stop() == 0


def test_sigterm_on_the_way_to_sleep_is_obeyed(tmp_path):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # inherited, as from the image's `env --block-signal`
    try:
        env = DORMANT | {"KUBEWICK_CONTROL_PORT": "0", "PATH": os.environ["PATH"]}
        with (
            (tmp_path / "log").open("wb") as log,
            subprocess.Popen([sys.executable, "-m", "wick_runtime"], env=env, stderr=log) as early,
        ):
            eventually(lambda: "doze" in command(early.pid))
            early.send_signal(signal.SIGTERM)
            assert early.wait(PATIENCE) == 128 + signal.SIGTERM  # PID 1 would never see one that was not blocked
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def test_sigterm_on_the_way_to_being_awake_is_obeyed(dormant):
    with knock(dormant, b"POST /specialize HTTP/1.1\r\nHost: x\r\n"):
        eventually(lambda: "doze" not in command(dormant.process.pid))
        dormant.terminate()
        assert dormant.process.wait(PATIENCE) in (0, 128 + signal.SIGTERM)


def test_a_function_sees_nothing_of_its_instances_sleep(dormant, start, variant):
    assert specialize(dormant).status == 200
    who = {"KUBEWICK_FUNCTION": "hello", "KUBEWICK_NAMESPACE": "default", "KUBEWICK_REVISION": "r1"}
    cold = start(CODE, **who, **variant)
    assert dormant.request("/").json == cold.request("/").json


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"KUBEWICK_POOL": "0"}, "KUBEWICK_DORMANT"),
        ({"KUBEWICK_DORMANT": "yes"}, "KUBEWICK_DORMANT"),
        ({"KUBEWICK_TIMEOUT": "soon"}, "KUBEWICK_TIMEOUT"),
        ({"KUBEWICK_TOKEN_SHA256": ""}, "KUBEWICK_TOKEN_SHA256"),
        ({"KUBEWICK_HOST": "192.0.2.1"}, "KUBEWICK_CONTROL_PORT"),
        ({"KUBEWICK_DORMANT": "", "KUBEWICK_WOKEN": "98,99,1.5"}, "KUBEWICK_WOKEN"),
    ],
)
def test_what_cannot_be_used_is_told_before_it_sleeps(change, named):
    env = DORMANT | {"PORT": "0", "KUBEWICK_CONTROL_PORT": "0"} | change
    done = subprocess.run(
        [sys.executable, "-m", "wick_runtime"], env=env, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"{named}: ")
