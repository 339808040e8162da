"""What the kubelet is told of an operator whose loop is stuck."""

import signal
import urllib.error
from pathlib import Path

from cluster.waiting import eventually
from operating import stuck

PATIENT = {"lease_duration": 60, "lease_deadline": 50}
"""It keeps its Lease while it is stuck, so that it recovers rather than ends."""


def health(process, timeout):
    """What a probe hears, in a word or two."""
    try:
        return process.ask("/healthz", timeout)
    except TimeoutError:
        return "silence"
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode()}"


def test_a_loop_that_is_stuck_fails_liveness_until_it_turns_again(own_world, tmp_path):
    go_on = tmp_path / "go-on"
    one = own_world.operator(program=[str(Path(stuck.__file__)), str(go_on)], **PATIENT)
    one.wait_until_it_leads()
    cases = ((signal.SIGUSR1, 2, "silence"), (signal.SIGUSR2, 10, "500 kopf's loop does not answer"))
    for loop, timeout, heard in cases:
        eventually(lambda: health(one, 10) == "ok")
        one.child.send_signal(loop)
        eventually(lambda timeout=timeout, heard=heard: health(one, timeout) == heard)
        go_on.touch()
        eventually(lambda: health(one, 10) == "ok")
        go_on.unlink()
