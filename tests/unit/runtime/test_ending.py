"""How a process ended, in words."""

import os
import signal

import pytest

from wick_runtime.ipc.exit_status import died, exceeded


@pytest.mark.parametrize(
    ("status", "words"),
    [(3, "exited with code 3"), (-signal.SIGSEGV, "was killed by SIGSEGV"), (os.EX_UNAVAILABLE, "ended")],
)
def test_an_end_is_told_by_its_code_or_signal(status, words):
    assert died(status) == words


@pytest.mark.parametrize(
    ("events", "limit", "found"),
    [
        ("low 0\noom 4\noom_kill 1\n", "268435456\n", 268435456),
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", "1048576", 1048576),
        ("oom 0\noom_kill 0\n", "268435456\n", 0),
        ("oom_kill 1\n", "max\n", 0),
        ("oom_kill 1\n", str(1 << 62), 0),
    ],
)
def test_a_kill_for_memory_is_known_by_the_groups_counter_and_limit(tmp_path, events, limit, found):
    (tmp_path / "events").write_text(events)
    (tmp_path / "limit").write_text(limit)
    assert exceeded(((str(tmp_path / "events"), str(tmp_path / "limit")),)) == found


def test_without_control_groups_nothing_was_exceeded(tmp_path):
    assert exceeded(((str(tmp_path / "none"), str(tmp_path / "none")),)) == 0
