"""The operator's own metrics; only `SLO_*` carry a function's name, so their number hardly grows with functions."""

from prometheus_client import Counter, Gauge, Histogram

RECONCILE_SECONDS = Histogram(
    "kubewick_operator_reconcile_seconds",
    "Time one reconcile took",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
RECONCILE_ERRORS = Counter("kubewick_operator_reconcile_errors_total", "Reconciles that will be repeated", ["reason"])
FAULTS = Counter(
    "kubewick_operator_faults_total", "Defects that one function brought out, caught at its border", ["border"]
)
QUEUE_DEPTH = Gauge("kubewick_operator_queue_depth", "Functions that wait to be reconciled")
QUEUE_LATE_SECONDS = Gauge("kubewick_operator_queue_late_seconds", "How long the longest waiting one has been due")
WRITES = Counter("kubewick_operator_writes_total", "Writes sent to the API server", ["verb", "kind"])
WRITE_SECONDS = Histogram("kubewick_operator_write_seconds", "Time such a write took")
API_CALLS = Counter(
    "kubewick_operator_api_calls_total",
    "Calls to the API server, watches left out; code 0: no answer",
    ["method", "code"],
)
FUNCTIONS = Gauge("kubewick_operator_functions", "Functions known")
NOT_READY = Gauge(
    "kubewick_operator_functions_not_ready", "Functions that cannot serve what their spec asks", ["reason"]
)
LEADING = Gauge("kubewick_operator_leading", "1 while this replica leads")
SLO_AVAILABILITY = Gauge(
    "kubewick_function_slo_availability_ratio", "spec.slo.availability, from 0 to 1", ["namespace", "function"]
)
SLO_LATENCY = Gauge("kubewick_function_slo_latency_seconds", "spec.slo.latency", ["namespace", "function"])
SLO_LATENCY_RATIO = Gauge(
    "kubewick_function_slo_latency_ratio", "spec.slo.latencyPercentage, from 0 to 1", ["namespace", "function"]
)
POOL_SIZE = Gauge("kubewick_pool_size", "Warm pods wanted", ["namespace", "runtime"])
POOL_READY = Gauge("kubewick_pool_ready", "Warm pods that wait for a function", ["namespace", "runtime"])
DORMANT_SIZE = Gauge("kubewick_pool_dormant_size", "Dormant pods wanted", ["namespace", "runtime"])
DORMANT_READY = Gauge("kubewick_pool_dormant_ready", "Dormant pods that wait for a function", ["namespace", "runtime"])
ADOPTIONS = Counter("kubewick_pool_adoptions_total", "Claimed pods made their function's own")
UPDATES = Counter("kubewick_pool_updates_total", "New revisions of running functions that a warm pod served first")


def called(method: str, code: int) -> None:
    """Count a call to the API server."""
    API_CALLS.labels(method, code).inc()
