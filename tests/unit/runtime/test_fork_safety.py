"""What makes a process unfit to be forked: each entry of the README's list, opened for real in a process of its own."""

import json
import stat
import subprocess
import sys

import pytest

from wick_runtime.worker.fork_safety import File, ProcessResources, reasons, told

CODE = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from wick_runtime.worker import fork_safety
before, mapped = fork_safety.open_files(), fork_safety.shared_mappings()
exec(sys.argv[2])
print(json.dumps(fork_safety.reasons(fork_safety.observe(before, mapped))))
sys.stdout.flush()
os._exit(0)
"""


def unfit(code):
    """What a fresh process finds after it has run `code`."""
    import wick_runtime

    folder = wick_runtime.__path__[0].rpartition("/")[0]
    done = subprocess.run([sys.executable, "-c", CODE, folder, code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import socket; kept = socket.socket()", "a socket is open (descriptor "),
        ("import socket as s; port = s.create_server(('', 0)); kept = s.create_connection(port.getsockname())",
         ", connected to 127.0.0.1:"),
        ("kept = os.pipe()", "a pipe is open (descriptor "),
        ("kept = os.open(sys.executable, os.O_RDONLY)", "a file is open (descriptor "),
        ("import tempfile; kept = tempfile.TemporaryFile()", "a file is open (descriptor "),
        ("import sqlite3, tempfile as t; f = t.TemporaryDirectory(); kept = sqlite3.connect(f.name + '/rows')",
         "/rows"),
        ("import select; kept = select.epoll()", "eventpoll is open (descriptor "),
        ("kept = os.eventfd(0)", "eventfd is open (descriptor "),
        ("kept = os.memfd_create('kept')", "/memfd:kept"),
        ("import mmap; kept = mmap.mmap(-1, 4096)", "memory is shared (/dev/zero"),
        ("import multiprocessing; kept = multiprocessing.Value('i')", "memory is shared ("),
        ("import multiprocessing; kept = multiprocessing.Lock()", "memory is shared (/dev/shm/sem."),
        ("kept = os.open('/dev/shm', os.O_TMPFILE | os.O_RDWR)", "/dev/shm/"),
        ("import threading; threading.Thread(target=threading.Event().wait, name='flush', daemon=True).start()",
         "a thread runs (flush)"),
        ("import signal; signal.alarm(600)", "an interval timer runs"),
        ("import signal; signal.setitimer(signal.ITIMER_VIRTUAL, 600)", "an interval timer runs"),
        ("import signal; signal.setitimer(signal.ITIMER_PROF, 600)", "an interval timer runs"),
        ("kept = os.openpty()", "ptmx)"),
        ("os.fork() or os._exit(0)",
         "a child process runs"),
        ("import os; os.close(0); os.dup2(os.open('/proc/self/stat', os.O_RDONLY), 0)", "a file is open (descriptor 0"),
    ],
)  # fmt: skip
def test_a_copy_would_lack_or_share_it(code, reason):
    found = unfit(code)
    assert any(reason in each for each in found), found


@pytest.mark.parametrize(
    "code",
    [
        "pass",
        "import socket; socket.socket().close()",
        "kept = os.open('/dev/urandom', os.O_RDONLY)",
        "kept = os.open('/', os.O_RDONLY)",
        "import mmap; kept = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE)",
        "import sqlite3; kept = sqlite3.connect(':memory:')",
        "import threading; t = threading.Thread(); t.start(); t.join()",
        "import subprocess; subprocess.run(['true'])",
    ],
)
def test_what_is_gone_or_private_hinders_nothing(code):
    assert unfit(code) == []


def test_native_threads_and_devices_count_where_they_cannot_be_made_here():
    graphics = File(9, stat.S_IFCHR | 0o666, "/dev/nvidia0")
    assert reasons(ProcessResources(threads=("a",), native_threads=4, files=(graphics,))) == [
        "a thread runs (a)",
        "3 threads of native code run",
        "a device is open (descriptor 9, /dev/nvidia0)",
    ]
    assert reasons(ProcessResources(files=(File(9, stat.S_IFCHR, "/dev/pts/0", terminal=True),))) == []


def test_the_decision_is_told_with_its_reason():
    assert told([], None) == "handler processes are forked from one that has loaded the code"
    assert told([], 3.4).endswith("loads the code for itself, which takes 3 ms")
    assert told(["a", "b"], None).endswith("cannot be forked: a; b")
