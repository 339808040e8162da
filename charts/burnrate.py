"""Alerts from what Functions promise in `spec.slo`: burn rates over several windows, as Google's SRE workbook has them.

    requests, errors --> ratio over 5m ... 3d --+
    spec.slo (the operator's gauges) -----------+--> alert when a long and a short window burn the budget too fast

The long window says that it matters, the short one that it goes on. Ratios are recorded once and used four times.
"""

from typing import Any

import yaml

from wick_router.http.histogram import LATENCY_BUCKETS

Rule = dict[str, Any]

BURNS = (
    # severity, budget's share burnt within the long window, long window, short window, burn rate
    ("critical", "2 %", "1h", "5m", 14.4),
    ("critical", "5 %", "6h", "30m", 6),
    ("warning", "10 %", "1d", "2h", 3),
    ("warning", "10 %", "3d", "6h", 1),
)
"""Google's SRE workbook, chapter 5, table 5-8: a 30-day budget."""
ENOUGH = 20
"""Requests within the long window below which a ratio says nothing."""
BOUND = "namespace_function_le:kubewick_slo_latency_bound:group"
BY = "by (namespace, function)"
REQUESTS = "kubewick_function_requests_total"
LATENCY = "kubewick_function_request_duration_seconds"


def rules() -> str:
    """Prometheus rules that turn `spec.slo` into multi-window burn-rate alerts."""
    windows = sorted({window for burn in BURNS for window in burn[2:4]}, key=_seconds)
    recorded = [rule for window in windows for rule in (_errors(window), _slow(window))]
    groups = [
        {"name": "kubewick.slo.recorded", "rules": [_bound(), *recorded]},
        {"name": "kubewick.slo.alerts", "rules": [_burn(kind, burn) for kind in _KINDS for burn in BURNS]},
    ]
    head = "# Written by `make chart`.\n"
    return head + yaml.safe_dump({"groups": groups}, sort_keys=False, width=1000, allow_unicode=True)


_KINDS = {
    "errors": ("KubewickErrorBudgetBurns", "kubewick_function_slo_availability_ratio", "fails"),
    "slow": ("KubewickLatencyBudgetBurns", "kubewick_function_slo_latency_ratio", "is slower than promised for"),
}
"""Alert, what was promised as a share of requests, and words."""


def _errors(window: str) -> Rule:
    failed = f'sum {BY} (rate({REQUESTS}{{code=~"5.."}}[{window}]))'
    all_of_them = f"sum {BY} (rate({REQUESTS}[{window}]))"
    return {"record": f"namespace_function:kubewick_errors:ratio_rate{window}", "expr": f"{failed} / {all_of_them}"}


def _bound() -> Rule:
    """The promised latency as label `le`: the largest bound of the histogram that does not exceed it.

    PromQL cannot compare a label with a number, so there is a clause for each bound.
    """
    promised = f"max {BY} (kubewick_function_slo_latency_seconds)"
    ends = [*(f" < {bound}" for bound in LATENCY_BUCKETS[1:]), ""]
    clauses = " or ".join(
        f'label_replace({promised} >= {bound}{end}, "le", "{bound}", "", "")'
        for bound, end in zip(LATENCY_BUCKETS, ends, strict=True)
    )
    return {"record": BOUND, "expr": f"group by (namespace, function, le) ({clauses})"}


def _slow(window: str) -> Rule:
    buckets = f'sum by (namespace, function, le) (rate({LATENCY}_bucket{{phase="total"}}[{window}]))'
    in_time = f"sum {BY} ({buckets} * on (namespace, function, le) {BOUND})"
    all_of_them = f'sum {BY} (rate({LATENCY}_count{{phase="total"}}[{window}]))'
    return {
        "record": f"namespace_function:kubewick_slow:ratio_rate{window}",
        "expr": f"1 - {in_time} / ({all_of_them} > 0)",
    }


def _burn(kind: str, burn: tuple[str, str, str, str, float]) -> Rule:
    alert, promise, words = _KINDS[kind]
    severity, share, long, short, rate = burn
    budget = f"{rate:g} * (1 - max {BY} ({promise}))"
    ratio = f"namespace_function:kubewick_{kind}:ratio_rate"
    enough = f"sum {BY} (increase({REQUESTS}[{long}])) >= {ENOUGH}"
    return {
        "alert": alert,
        "expr": f"{ratio}{long} > {budget} and {ratio}{short} > {budget} and {enough}",
        "labels": {"severity": severity, "window": long},
        "annotations": {
            "summary": f"{{{{ $labels.namespace }}}}/{{{{ $labels.function }}}} {words} "
            f"{{{{ $value | humanizePercentage }}}} of its requests.",
            "description": f"At this rate {share} of what spec.slo allows in 30 days goes within {long}.",
            "runbook": "kubectl describe function {{ $labels.function }} -n {{ $labels.namespace }}; "
            f"see docs/operations.md#{alert.lower()}",
        },
    }


def _seconds(window: str) -> int:
    return int(window[:-1]) * {"m": 60, "h": 3600, "d": 86400}[window[-1]]
