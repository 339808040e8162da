"""The Grafana dashboards, as data: what is on them, in which order, asked of which series.

Grafana's own JSON is ten times this long and nobody can review it; `make chart` writes it from here.
"""

import json
from typing import Any

from wick_api import metric

Panel = dict[str, Any]

WIDE = 24  # Grafana's grid
HIGH = 8
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
ONE = '{namespace="$namespace",function="$function"}'
BY = "by (namespace, function)"


def dashboards() -> dict[str, str]:
    """File name to JSON."""
    built = {"installation": installation(), "function": function()}
    return {f"kubewick-{name}.json": json.dumps(each, indent=1, sort_keys=True) + "\n" for name, each in built.items()}


def installation() -> Panel:
    """The whole platform: what it serves, what it waits for, how its own parts are."""
    lag = f"histogram_quantile(0.99, sum by (le, pod) (rate({metric.LOOP_LAG_SECONDS}_bucket[$__rate_interval])))"
    work = "histogram_quantile(0.95, sum by (le) (rate(kubewick_operator_reconcile_seconds_bucket[$__rate_interval])))"
    return _dashboard(
        "Kubewick",
        "kubewick-installation",
        [
            _numbers("Functions", "short", ("known", "max(kubewick_operator_functions)")),
            _numbers("Not ready", "short", ("{{reason}}", "max by (reason) (kubewick_operator_functions_not_ready)")),
            _numbers("Leaders", "short", ("leaders", "sum(kubewick_operator_leading)")),
            _numbers("Requests waiting", "short", ("waiting", f"sum({metric.QUEUE_DEPTH})")),
            _lines(
                "Requests by status",
                "reqps",
                ("{{code}}", f"sum by (code) (rate({metric.REQUESTS}[$__rate_interval]))"),
            ),
            _lines("Busiest functions", "reqps", ("{{namespace}}/{{function}}", _top(metric.REQUESTS))),
            _lines("Latency", "s", *_quantiles(metric.DURATION, 'phase="total"')),
            _lines("Cold starts", "ops", ("{{path}}", f"sum by (path) (rate({metric.COLD_STARTS}[$__rate_interval]))")),
            _lines("Time of a cold start", "s", *_quantiles(metric.COLD_START_SECONDS, "", more="path")),
            _lines(
                "Refused by routers",
                "reqps",
                ("{{reason}}", f"sum by (reason) (rate({metric.REFUSED}[$__rate_interval]))"),
            ),
            _lines("Instances wanted", "short", ("all functions", f"sum(max {BY} ({metric.DESIRED_REPLICAS}))")),
            _lines("Routers: connections", "short", ("{{side}}", f"sum by (side) ({metric.CONNECTIONS})")),
            _lines("Routers: how late the loop is, p99", "s", ("{{pod}}", lag)),
            _lines(
                "Operator: time of a reconcile, and the queue's delay",
                "s",
                ("reconcile, p95", work),
                ("delay", "max(kubewick_operator_queue_late_seconds)"),
            ),
            _lines(
                "Operator: failed reconciles",
                "ops",
                ("{{reason}}", "sum by (reason) (rate(kubewick_operator_reconcile_errors_total[$__rate_interval]))"),
            ),
            _lines(
                "Operator: writes to the API server",
                "ops",
                ("{{verb}} {{kind}}", "sum by (verb, kind) (rate(kubewick_operator_writes_total[$__rate_interval]))"),
            ),
        ],
        [],
    )


def function() -> Panel:
    """One function: its demand, its instances, its answers, its promises."""
    labels = ONE[1:-1]
    concurrency = f"sum(rate({metric.INFLIGHT_SECONDS}{ONE}[$__rate_interval]))"
    latency = [("promised", f"max(kubewick_function_slo_latency_seconds{ONE})")]
    errors = f'(sum(rate({metric.REQUESTS}{{{labels},code=~"5.."}}[$__rate_interval])) or vector(0))'
    return _dashboard(
        "Kubewick function",
        "kubewick-function",
        [
            _lines(
                "Requests by status",
                "reqps",
                ("{{code}}", f"sum by (code) (rate({metric.REQUESTS}{ONE}[$__rate_interval]))"),
            ),
            _lines(
                "Requests by revision",
                "reqps",
                ("{{revision}}", f"sum by (revision) (rate({metric.REQUESTS}{ONE}[$__rate_interval]))"),
            ),
            _lines("Latency", "s", *_quantiles(metric.DURATION, f'{labels},phase="total"'), *latency),
            _lines("Latency by phase, p95", "s", *_quantiles(metric.DURATION, labels, (0.95,), more="phase")),
            _lines(
                "Demand and instances",
                "short",
                ("concurrency", concurrency),
                ("waiting", f"sum({metric.QUEUE_DEPTH}{ONE})"),
                ("instances wanted", f"max({metric.DESIRED_REPLICAS}{ONE})"),
                ("panicking", f"max({metric.PANIC}{ONE})"),
            ),
            _lines(
                "Scaling decisions",
                "ops",
                ("{{reason}}", f"sum by (reason) (rate({metric.DECISIONS}{ONE}[$__rate_interval]))"),
            ),
            _lines(
                "Errors and what was promised",
                "percentunit",
                ("errors", f"{errors} / sum(rate({metric.REQUESTS}{ONE}[$__rate_interval]))"),
                ("allowed", f"1 - max(kubewick_function_slo_availability_ratio{ONE})"),
            ),
            _lines("Time of a cold start", "s", *_quantiles(metric.COLD_START_SECONDS, labels, more="path")),
            _lines(
                "Handlers by outcome",
                "ops",
                ("{{outcome}}", f"sum by (outcome) (rate({metric.HANDLED}{ONE}[$__rate_interval]))"),
            ),
            _lines("CPU", "short", ("{{pod}}", f"sum by (pod) (rate({metric.CPU_SECONDS}{ONE}[$__rate_interval]))")),
            _lines("Memory", "bytes", ("{{pod}}", f"sum by (pod) ({metric.MEMORY_BYTES}{ONE})")),
            _lines(
                "Retries and refusals",
                "ops",
                ("retried: {{reason}}", f"sum by (reason) (rate({metric.RETRIES}{ONE}[$__rate_interval]))"),
                ("refused: {{reason}}", f"sum by (reason) (rate({metric.REFUSED}{ONE}[$__rate_interval]))"),
            ),
        ],
        [
            _choice("namespace", f"label_values({metric.REQUESTS}, namespace)"),
            _choice("function", f'label_values({metric.REQUESTS}{{namespace="$namespace"}}, function)'),
        ],
    )


def _top(name: str) -> str:
    return f"topk(10, sum {BY} (rate({name}[$__rate_interval])))"


def _quantiles(
    name: str, labels: str, shares: tuple[float, ...] = (0.5, 0.95, 0.99), more: str = ""
) -> list[tuple[str, str]]:
    """A query for each quantile, told apart by `more` if that is given."""
    by = ", ".join(("le", more) if more else ("le",))
    legend = f"{{{{{more}}}}} " if more else ""
    inner = f"sum by ({by}) (rate({name}_bucket{{{labels}}}[$__rate_interval]))"
    return [(f"{legend}p{share * 100:g}", f"histogram_quantile({share}, {inner})") for share in shares]


def _lines(title: str, unit: str, *queries: tuple[str, str]) -> Panel:
    return _panel("timeseries", title, unit, queries, WIDE // 2, HIGH)


def _numbers(title: str, unit: str, *queries: tuple[str, str]) -> Panel:
    return _panel("stat", title, unit, queries, WIDE // 4, HIGH // 2)


def _panel(kind: str, title: str, unit: str, queries: tuple[tuple[str, str], ...], width: int, height: int) -> Panel:
    targets = [
        {"datasource": SOURCE, "expr": expression, "legendFormat": legend, "refId": chr(ord("A") + number)}
        for number, (legend, expression) in enumerate(queries)
    ]
    return {
        "type": kind,
        "title": title,
        "datasource": SOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "gridPos": {"w": width, "h": height},
    }


def _choice(name: str, query: str) -> Panel:
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
    }


def _dashboard(title: str, uid: str, panels: list[Panel], choices: list[Panel]) -> Panel:
    source = {"name": "datasource", "type": "datasource", "query": "prometheus"}
    return {
        "title": title,
        "uid": uid,
        "tags": ["kubewick"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [source, *choices]},
        "panels": _placed(panels),
    }


def _placed(panels: list[Panel]) -> list[Panel]:
    """Panels side by side, row after row."""
    placed, x, y, high = [], 0, 0, 0
    for number, panel in enumerate(panels, start=1):
        size = panel["gridPos"]
        if x + size["w"] > WIDE:
            x, y, high = 0, y + high, 0
        placed.append({**panel, "id": number, "gridPos": {**size, "x": x, "y": y}})
        x, high = x + size["w"], max(high, size["h"])
    return placed
