"""A rehearsal plays a start from its order to an answer, and leaves the process as it found it."""

import json
import subprocess
import sys

from wick_runtime.worker.warmup import FOLDER

CODE = """
import json, logging, os, signal, socket, sys, threading
from wick_runtime.instance import supervisor
from wick_runtime.worker import fork_safety, warmup, worker

def seen():
    return {
        "environ": dict(os.environ),
        "modules": sorted(sys.modules),
        "path": sys.path[:],
        "finders": list(map(repr, sys.meta_path)),
        "streams": [repr(sys.stdout), repr(sys.stderr)],
        "handlers": [*map(repr, logging.root.handlers), logging.root.level],
        "interrupt": repr(signal.getsignal(signal.SIGUSR1)),
        "files": list(fork_safety.open_files()),
        "threads": threading.active_count(),
        "unfit": fork_safety.reasons(fork_safety.observe(fork_safety.open_files(), fork_safety.shared_mappings())),
    }

calls = []
played = warmup.rehearse

def watched(play):
    def noted(order, sock):
        calls.append(order["env"])
        play(order, sock)
    played(noted)

warmup.rehearse = watched
before = seen()
worker._rehearse()
print(json.dumps([before, seen(), calls]))
"""


def test_a_rehearsal_leaves_nothing_behind():
    environ = {"PYTHONPATH": FOLDER.rpartition("/")[0], "KUBEWICK_POOL": "1", "PORT": "0", "PYTHONHASHSEED": "0"}
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env=environ)
    before, after, calls = json.loads(done.stdout)
    assert calls == [{"NAME": ""}]
    assert after == before
