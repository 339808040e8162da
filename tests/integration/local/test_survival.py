"""What a function or a tight machine does to `wick up` ends with that function: the platform lives on."""

import os
import re
import resource
import signal
from pathlib import Path

import pytest

from cluster.waiting import eventually

PID = "import os\ndef handle():\n    return str(os.getpid())"

DAEMON = """
import os, time

def daemon():
    # the classic double fork: a session of its own, its parent gone, and it ignores what asks it to stop
    if os.fork():
        os.wait()
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with open(FILE + ".new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(FILE + ".new", FILE)
    while True:
        time.sleep(1)

def handle():
    daemon()
    return str(os.getpid())
"""


def state_of(pid):
    """One letter of a process, as in ps; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def children_of(pid):
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdecimal():
            try:
                _, _, rest = (each / "stat").read_text().rpartition(")")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if rest.split()[1] == str(pid):
                found.append(int(each.name))
    return found


@pytest.fixture
def daemon(up, write, tmp_path):
    """A `wick up` with a function that has left a daemon behind; and the daemon's number."""
    file = tmp_path / "daemon.pid"
    running = up(write("f", f"FILE = {str(file)!r}\n{DAEMON}"), write("g", PID))
    assert running.call("f").status == 200
    return running, int(eventually(lambda: file.exists() and file.read_text()))


def test_a_daemon_ends_with_its_instance_and_is_reaped(daemon):
    running, pid = daemon
    assert state_of(pid) not in ("", "Z")
    assert running.call("g").status == 200
    running.wick("delete", "f")
    eventually(lambda: not state_of(pid))
    assert running.call("g").status == 200
    assert [state_of(child) for child in children_of(running.process.pid)].count("Z") == 0


def test_a_daemon_ends_with_an_instance_that_was_killed(daemon):
    running, pid = daemon
    supervisor = int(running.instances("f")[0].partition("-")[2])
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: not state_of(pid))
    eventually(lambda: running.call("f").status == 200)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_daemon_ends_with_the_platform_however_that_ends(daemon, number):
    running, pid = daemon
    running.stop(number)
    eventually(lambda: not state_of(pid))


def test_a_machine_without_descriptors_refuses_a_start_and_the_platform_lives_on(up, write):
    running = up(write("f", PID), write("g", PID), options=("--pool", "1"))
    assert running.call("f").status == 200
    supervisors = [int(each.partition("-")[2]) for each in running.instances("f")]
    pid = running.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    open_now = max(int(each.name) for each in Path(f"/proc/{pid}/fd").iterdir())
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_now + 2, before[1]))
    for supervisor in supervisors:
        os.killpg(supervisor, signal.SIGKILL)
    running.says("Too many open files")
    assert running.process.poll() is None
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    eventually(lambda: running.call("g").status == 200)
    eventually(lambda: running.call("f").status == 200)


BROKEN_SOON = "import os\nopen('FILE', 'a').write('x')\nraise RuntimeError('the new code is broken')"


def test_deploy_waits_for_the_new_code_and_fails_with_its_error(up, write):
    running = up(file := write("f", PID), options=("--no-reload",))
    assert running.call("f").status == 200
    write("f", BROKEN_SOON)
    assert "the new code is broken" in running.wick("deploy", file, code=1).stderr
    assert running.call("f").status == 200  # by the code before it
    write("f", "import time\ntime.sleep(1)\ndef handle():\n    return 'new'")
    assert re.search(r"f: .*starting", running.wick("deploy", file).stderr)
    assert running.call("f").body == b"new"


def test_a_failure_is_told_once_however_often_the_start_is_tried_again(up, write, tmp_path):
    tries = tmp_path / "tries"
    wordy = "print(*range(500), sep='\\n')\n" + BROKEN_SOON.replace("FILE", str(tries))
    running = up(write("f", wordy, "scale:\n  min: 1"))
    running.says("the new code is broken")
    eventually(lambda: len(tries.read_text()) >= 3)
    assert len([line for line in running.printed if line.startswith("f | ")]) == 501
    assert len([line for line in running.printed if line.startswith("f: failed")]) == 1
    ready = next(each for each in running.shown("f")["status"]["conditions"] if each["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "LoadFailed")


HOSTILE = r"""
import sys
def handle():
    print("\x1b]0;owned\x07\x1b[2J\x9b31m\rplain\u202e")
    print('{"message": "\\ud800\\u001b[2J\\nother | forged"}')
    raise RuntimeError("\x1b[2Jfailed")
"""


def test_what_a_function_prints_cannot_drive_the_terminal(up, write):
    running = up(write("f", HOSTILE))
    running.call("f")
    running.says("forged")
    running.says("failed")
    shown = "\n".join(running.printed) + running.wick("logs", "f").stdout
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", shown), repr(shown)
    assert r"\x1b]0;owned\x07\x1b[2J\x9b31m\rplain\u202e" in shown
    assert all(line.startswith("f | ") for line in running.printed if "forged" in line)
    assert r"\u001b[2J" in running.wick("logs", "f", "--raw").stdout
