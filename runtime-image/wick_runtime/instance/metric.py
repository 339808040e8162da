"""The runtime's Prometheus series, as text; names as in ``wick_api.metric``, which this package may not import."""

import os
from typing import NamedTuple

from wick_runtime.ipc.shared_table import BUCKET, BUCKETS, OUTCOME, OUTCOMES, SUM, SharedTable

HANDLED = "kubewick_function_handler_requests_total"
SECONDS = "kubewick_function_handler_duration_seconds"
IN_FLIGHT = "kubewick_function_handler_in_flight"
START = "kubewick_function_start_seconds"
CPU = "kubewick_function_cpu_seconds_total"
MEMORY = "kubewick_function_memory_bytes"


class InstanceFacts(NamedTuple):
    """What the table does not know."""

    namespace: str
    function: str
    revision: str
    phases: dict[str, float]
    """Milliseconds of the last start's steps."""
    pids: tuple[int, ...]


def render(table: SharedTable, facts: InstanceFacts) -> str:
    """All series."""
    who = ",".join(
        f'{name}="{escape(value)}"'
        for name, value in (
            ("namespace", facts.namespace),
            ("function", facts.function),
            ("revision", facts.revision),
        )
    )
    counters = table.counters
    lines = [f"# TYPE {HANDLED} counter"]
    lines += [f'{HANDLED}{{{who},outcome="{name}"}} {counters[OUTCOME + i]:.0f}' for i, name in enumerate(OUTCOMES)]
    lines += [f"# TYPE {SECONDS} histogram", *_histogram(table, who)]
    lines += [f"# TYPE {IN_FLIGHT} gauge", f"{IN_FLIGHT}{{{who}}} {table.in_flight()}"]
    lines += [f"# TYPE {START} gauge"]
    lines += [f'{START}{{{who},phase="{phase}"}} {value / 1000:.6f}' for phase, value in facts.phases.items()]
    usage = [_usage(pid) for pid in facts.pids]
    lines += [f"# TYPE {CPU} counter", f"{CPU}{{{who}}} {sum(cpu for cpu, _ in usage):.2f}"]
    lines += [f"# TYPE {MEMORY} gauge", f"{MEMORY}{{{who}}} {sum(memory for _, memory in usage)}"]
    return "\n".join(lines) + "\n"


def _histogram(table: SharedTable, who: str) -> list[str]:
    lines, total = [], 0.0
    for i, bound in enumerate((*BUCKETS, None)):
        total += table.counters[BUCKET + i]
        lines.append(f'{SECONDS}_bucket{{{who},le="{"+Inf" if bound is None else f"{bound:g}"}"}} {total:.0f}')
    return [*lines, f"{SECONDS}_sum{{{who}}} {table.counters[SUM]:.6f}", f"{SECONDS}_count{{{who}}} {total:.0f}"]


def _usage(pid: int) -> tuple[float, int]:
    """CPU seconds and proportional memory of a process, with the children it has reaped; zeros where unknown."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - pathlib costs 5 ms to import
            fields = file.read().rpartition(b")")[2].split()
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:  # noqa: PTH123 - as above
            pss = next((int(line.split()[1]) for line in file if line.startswith(b"Pss:")), 0)
    except OSError:  # gone, or no /proc
        return 0.0, 0
    ticks = sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime
    return ticks / os.sysconf("SC_CLK_TCK"), pss * 1024


def escape(value: str) -> str:
    """A label's value, by the exposition format."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
