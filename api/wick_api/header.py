"""HTTP headers the parts speak to each other and to users.

Headers that start with ``kubewick-`` are internal unless listed under "to the user": the router removes them from
what clients send and from what instances answer.

| header | from -> to | value |
|---|---|---|
| ``x-request-id`` | everyone | opaque text, at most 128 visible ASCII characters |
| ``kubewick-deadline-ms`` | router -> runtime | milliseconds left for this request, an integer, at least 1 |
| ``kubewick-attempt`` | router -> runtime | 1 for the first try |
| ``kubewick-cold-start`` | router -> runtime | ``1`` on the request that started the instance |
| ``kubewick-trace`` | user -> router -> runtime | ``1``: tell where the time went; on internal ports only |
| ``kubewick-timing`` | runtime -> router | ``wait`` and ``handler`` of such a request, as in ``server-timing`` |
| ``kubewick-refused`` | runtime -> router | why the request never reached user code, so another instance may be tried |
| ``kubewick-cold-start`` | router -> user | milliseconds the request waited for an instance to start |
| ``server-timing`` | router -> user | the phases of a cold start, or of a request with ``kubewick-trace`` |
| ``kubewick-clock`` | router's ``/metrics`` -> autoscaler | the router's monotonic seconds when it wrote the page |
"""

from enum import StrEnum

REQUEST_ID = "x-request-id"
DEADLINE_MS = "kubewick-deadline-ms"
ATTEMPT = "kubewick-attempt"
COLD_START = "kubewick-cold-start"
REFUSED = "kubewick-refused"
SERVER_TIMING = "server-timing"
CLOCK = "kubewick-clock"
INTERNAL_PREFIX = "kubewick-"


class RefusedBy(StrEnum):
    """Values of ``kubewick-refused``; in every case no user code has run for the request."""

    CONCURRENCY = "concurrency"  # 429: the instance is at its limit
    DRAINING = "draining"  # 503: the instance is shutting down
    LOADING = "loading"  # 503: the function's code is not loaded yet
    FAILED = "failed"  # 503: the function's code could not be loaded; the body says why
