"""Alerts, judged by Prometheus's own tool: what makes each fire, and what looks alike and must not."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
RULES = sorted((ROOT / "charts" / "kubewick" / "files" / "rules").glob("*.yaml"))
FN = 'namespace="n",function="f"'
LEADS = 'kubewick_operator_leading{pod="%s"}'
ALIVE = {LEADS % "a": "1x9000", 'kubewick_router_connections{side="client"}': "1x9000"}


@dataclass(frozen=True)
class Case:
    alert: str
    fires: dict[str, str]
    quiet: dict[str, str]
    at: str = "40m"
    every: str = "1m"


def requests(good: float, bad: float) -> dict[str, str]:
    """Requests a minute answered well, and with a server error."""
    return {
        f'kubewick_function_requests_total{{{FN},revision="r",code="200"}}': f"0+{good}x9000",
        f'kubewick_function_requests_total{{{FN},revision="r",code="503"}}': f"0+{bad}x9000",
    }


def latency(fast: float, slow: float, promised: float = 0.3) -> dict[str, str]:
    """Requests a step within and beyond 250 ms, of which 99 % were promised within `promised` seconds."""
    name = "kubewick_function_request_duration_seconds"
    total = fast + slow
    return {
        **{
            f'{name}_bucket{{{FN},phase="total",le="{le}"}}': f"0+{count}x9000"
            for le, count in (("0.1", 0), ("0.25", fast), ("0.5", fast), ("1.0", fast), ("2.5", total), ("+Inf", total))
        },
        f'{name}_count{{{FN},phase="total"}}': f"0+{total}x9000",
        f"kubewick_function_slo_latency_seconds{{{FN}}}": f"{promised}x9000",
        f"kubewick_function_slo_latency_ratio{{{FN}}}": "0.99x9000",
        **requests(total, 0),
    }


PROMISED = {f"kubewick_function_slo_availability_ratio{{{FN}}}": "0.999x9000"}
SLOW_BURN = {**PROMISED, **requests(9985, 15)}
DEPTH = f"kubewick_function_queue_depth{{{FN}}}"
LATE = "kubewick_operator_queue_late_seconds"
LAG = 'kubewick_router_loop_lag_seconds_bucket{pod="a",le="%s"}'
COLD = 'kubewick_function_cold_start_seconds_bucket{namespace="n",function="f",path="deployment",le="%s"}'
CRASH = f'kubewick_function_handler_requests_total{{{FN},outcome="%s"}}'

CASES = [
    Case("KubewickNoLeader", {LEADS % "a": "0x90"}, {}),
    Case("KubewickNoLeader", {LEADS % "a": "_x90"}, {LEADS % "b": "0x90"}),
    Case("KubewickNoRouter", {'kubewick_router_connections{side="client"}': "_x90"}, {}),
    Case("KubewickOperatorBehind", {LATE: "90x90"}, {LATE: "30x90"}),
    Case(
        "KubewickReconcileErrors",
        {'kubewick_operator_reconcile_errors_total{reason="Unreachable"}': "0+30x90"},
        {'kubewick_operator_reconcile_errors_total{reason="Conflict"}': "0+1x90"},
    ),
    Case(
        "KubewickRouterOverloaded",
        {LAG % "0.1": "0+10x90", LAG % "1.0": "0+100x90", LAG % "+Inf": "0+100x90"},
        {LAG % "0.1": "0+100x90", LAG % "1.0": "0+100x90", LAG % "+Inf": "0+100x90"},
    ),
    Case("KubewickRequestsStuck", {DEPTH: "5x90", **requests(0, 3)}, {DEPTH: "5x90", **requests(3, 0)}),
    Case("KubewickRequestsQueue", {DEPTH: "5x90"}, {DEPTH: " ".join(["5x3 0"] * 18)}),
    Case(
        "KubewickFunctionsNotReady",
        {'kubewick_operator_functions_not_ready{reason="ImagePull"}': "2x90"},
        {'kubewick_operator_functions_not_ready{reason="ImagePull"}': "2x10 0x80"},
    ),
    Case("KubewickFunctionCrashes", {CRASH % "crash": "0+1x90"}, {CRASH % "error": "0+1x90"}),
    Case(
        "KubewickColdStartsSlow",
        {COLD % "5.0": "0+1x90", COLD % "10.0": "0+9x90", COLD % "+Inf": "0+9x90"},
        {COLD % "5.0": "0+9x90", COLD % "10.0": "0+9x90", COLD % "+Inf": "0+9x90"},
        at="80m",
    ),
    # 2 % of errors where 0.1 % are allowed: 20 times the budget.
    Case("KubewickErrorBudgetBurns", {**PROMISED, **requests(98, 2)}, {**PROMISED, **requests(99.95, 0.05)}, at="70m"),
    # The same share, of too few requests to say anything; and of a function that promised nothing.
    Case("KubewickErrorBudgetBurns", {**PROMISED, **requests(98, 2)}, {**PROMISED, **requests(0.2, 0.004)}, at="70m"),
    Case("KubewickErrorBudgetBurns", {**PROMISED, **requests(98, 2)}, requests(98, 2), at="70m"),
    # A slow burn, of 1.5 times the budget, shows only over days.
    Case("KubewickErrorBudgetBurns", SLOW_BURN, {**PROMISED, **requests(9995, 5)}, at="80h", every="10m"),
    # 20 % slower than a promised 300 ms, which counts as 250.
    Case("KubewickLatencyBudgetBurns", latency(80, 20), latency(999, 1), at="70m"),
    Case("KubewickLatencyBudgetBurns", latency(80, 20, promised=1.0), latency(80, 20, promised=2.5), at="70m"),
]  # fmt: skip


def test_prometheus_takes_the_rules(promtool):
    done = promtool("check", "rules", *map(str, RULES))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case.alert}" for number, case in enumerate(CASES)])
def test_an_alert_fires_for_its_trouble_and_for_nothing_like_it(promtool, tmp_path, case):
    file = tmp_path / "test.yaml"
    tests = [check(case, {**ALIVE, **case.fires}, firing=True), check(case, {**ALIVE, **case.quiet}, firing=False)]
    spec = {
        "evaluation_interval": case.every,
        # Left out, promtool takes the groups in an order of chance; an alert then may not see what was recorded for it
        # at this step, and what was recorded 10 minutes ago is stale.
        "group_eval_order": [group["name"] for group in groups()],
        "rule_files": [str(rule) for rule in RULES],
        "tests": tests,
    }
    file.write_text(yaml.safe_dump(spec))
    done = promtool("test", "rules", str(file))
    assert done.returncode == 0, done.stderr + done.stdout


def test_every_alert_has_a_case():
    assert {case.alert for case in CASES} == {rule["alert"] for rule in alerts()}


def test_every_alert_says_what_to_do_and_has_its_section_in_the_handbook():
    handbook = (ROOT / "docs" / "operations.md").read_text()
    for rule in alerts():
        assert {"summary", "description", "runbook"} <= rule["annotations"].keys()
        assert f"docs/operations.md#{rule['alert'].lower()}" in rule["annotations"]["runbook"]
        assert f"#### {rule['alert']}\n" in handbook
        assert rule["labels"]["severity"] in {"critical", "warning"}


def test_rules_use_no_series_that_nobody_writes(written):
    used = set(re.findall(r"(?<![:\w])kubewick_\w+", "".join(rule.read_text() for rule in RULES)))
    stems = {re.sub(r"_(bucket|count|sum)$", "", name) for name in used}
    assert stems <= written


def groups():
    """All groups of rules, in the order of their files."""
    return [group for file in RULES for group in yaml.safe_load(file.read_text())["groups"]]


def alerts():
    """All alerting rules."""
    return [rule for group in groups() for rule in group["rules"] if "alert" in rule]


def check(case: Case, series: dict[str, str], *, firing: bool):
    """One of promtool's tests."""
    expression = f'count(ALERTS{{alertname="{case.alert}",alertstate="firing"}} > 0) > bool 0'
    return {
        "interval": case.every,
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": expression, "eval_time": case.at, "exp_samples": [{"labels": "{}", "value": 1}] if firing else []}
        ],
    }
