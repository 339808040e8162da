"""An instance is probed for as long as it lives: what a probe takes, it gives back."""

import re
from pathlib import Path

import pytest

PROBES = 600
ROOM = 512
"""KiB by which the control process may grow over so many probes; each left 3.4 behind where nothing freed them."""


def resident(pid):
    """KiB."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


@pytest.mark.parametrize("path", ["/readyz", "/healthz", "/metrics"])
def test_the_control_process_does_not_grow_with_its_probes(start, variant, path):
    instance = start("async def handle(): return 'x'", **variant)
    control = instance.pids()[1]
    for _ in range(PROBES // 3):
        instance.control(path)
    before = resident(control)
    for _ in range(PROBES):
        instance.control(path)
    assert resident(control) - before < ROOM


def test_the_front_of_a_sync_function_does_not_grow_with_its_connections(start, variant):
    instance = start("def handle(): return 'x'", **variant)
    control = instance.pids()[1]
    for _ in range(PROBES // 3):
        instance.request()
    before = resident(control)
    for _ in range(PROBES):
        instance.request()
    assert resident(control) - before < ROOM
