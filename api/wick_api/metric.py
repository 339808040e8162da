"""Names of the Prometheus series that parts, dashboards and rules share.

The demand signal is `INFLIGHT_SECONDS`: the integral over time of requests in flight plus waiting.
Its rate over any window is the exact mean concurrency of that window, whatever the scrape interval.

Routers count what users see (``kubewick_function_*`` below); instances count what their handlers did
(``kubewick_function_handler_*``, ``kubewick_function_start_*``), under other names so that a sum over all
targets never counts a request twice.
"""

# Router, labels {namespace, function, revision}
INFLIGHT_SECONDS = "kubewick_function_inflight_seconds_total"
REQUESTS = "kubewick_function_requests_total"  # + code
# Router, labels {namespace, function}
DURATION = "kubewick_function_request_duration_seconds"  # + phase: queue | connect | upstream | total
IN_FLIGHT = "kubewick_function_in_flight"
QUEUE_DEPTH = "kubewick_function_queue_depth"
COLD_STARTS = "kubewick_function_cold_starts_total"  # + path: warm-pool | deployment | process
COLD_START_SECONDS = "kubewick_function_cold_start_seconds"  # + path
COLD_START_PHASE_SECONDS = "kubewick_function_cold_start_phase_seconds"
"""+ phase: activate | transfer | wake | fork | import | init | first-byte; those of the backend as it names them."""
COLD_START_FALLBACKS = "kubewick_function_cold_start_fallbacks_total"  # + reason: `warm.Obstacle`
REFUSED = "kubewick_function_refused_total"  # + reason
RETRIES = "kubewick_function_retries_total"  # + reason
NOT_PUBLIC = "kubewick_function_not_public_total"  # requests to a public listener for a function that is not
# Router, no function label
CONNECTIONS = "kubewick_router_connections"  # + side: client | instance
POKES = "kubewick_router_pokes_total"  # + outcome: sent | failed | unresolved
CERTIFICATES = "kubewick_router_certificates_total"  # + outcome: taken | refused
CERTIFICATE_REFUSED = "kubewick_router_certificate_refused"
ROUTER_FAULTS = "kubewick_router_faults_total"  # + border: where a function's trouble was caught
TRACES_DROPPED = "kubewick_router_traces_dropped_total"  # requests that were to be traced and became no spans
LOOP_LAG_SECONDS = "kubewick_router_loop_lag_seconds"

# Runtime, labels {namespace, function, revision}
HANDLED = "kubewick_function_handler_requests_total"  # + outcome: ok | error | timeout | crash | refused | disconnect
HANDLER_SECONDS = "kubewick_function_handler_duration_seconds"
HANDLER_IN_FLIGHT = "kubewick_function_handler_in_flight"
START_SECONDS = "kubewick_function_start_seconds"  # + phase: fork | import | init
CPU_SECONDS = "kubewick_function_cpu_seconds_total"
MEMORY_BYTES = "kubewick_function_memory_bytes"

# Autoscaler, labels {namespace, function}
DESIRED_REPLICAS = "kubewick_autoscaler_desired_replicas"
PANIC = "kubewick_autoscaler_panic"
DECISIONS = "kubewick_autoscaler_decisions_total"  # + reason
