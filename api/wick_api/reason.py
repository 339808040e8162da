"""Machine-readable reasons: one vocabulary for conditions, Events, refusals and metrics."""

from enum import StrEnum


class Condition(StrEnum):
    """Types of the conditions in a Function's status."""

    READY = "Ready"
    SOURCE_RESOLVED = "SourceResolved"
    DEPLOYMENT_AVAILABLE = "DeploymentAvailable"
    SCALED = "Scaled"
    ROUTE_READY = "RouteReady"


class Reason(StrEnum):
    """Why a condition holds or a function cannot serve; the message beside it says what to do."""

    # well
    READY = "Ready"
    IDLE = "Idle"  # at zero by choice; the next request starts it
    # on its way
    STARTING = "Starting"
    ROLLING_OUT = "RollingOut"
    # the user's to mend
    INVALID_SPEC = "InvalidSpec"
    SOURCE_NOT_FOUND = "SourceNotFound"
    RUNTIME_UNKNOWN = "RuntimeUnknown"
    LOAD_FAILED = "LoadFailed"  # the code does not import, or its init fails: file and line in the message
    CRASH_LOOP = "CrashLoop"
    OUT_OF_MEMORY = "OutOfMemory"
    IMAGE_PULL = "ImagePull"
    MOUNT_FAILED = "MountFailed"
    NOT_LISTENING = "NotListening"  # an image's container runs but does not answer on $PORT
    REVISION_NOT_FOUND = "RevisionNotFound"  # rollbackTo names a revision that is not kept
    CONFIG_MISSING = "ConfigMissing"  # a Secret or ConfigMap the pod's environment names does not exist
    NOT_OWNED = "NotOwned"  # a child's name is taken by somebody else's object
    ROUTE_CONFLICT = "RouteConflict"
    SCALED_BY_OTHERS = "ScaledByOthers"
    # the cluster's
    UNSCHEDULABLE = "Unschedulable"
    QUOTA = "QuotaExceeded"
    CLUSTER_ERROR = "ClusterError"


class Refusal(StrEnum):
    """Why the router answered a request itself; the `code` of the error body and a metric label."""

    UNKNOWN_FUNCTION = "unknown-function"  # 404
    METHOD_NOT_ALLOWED = "method-not-allowed"  # 405
    BAD_REQUEST = "bad-request"  # 400
    BODY_TOO_LARGE = "body-too-large"  # 413
    HEADERS_TOO_LARGE = "headers-too-large"  # 431
    TOO_MANY_REQUESTS = "too-many-requests"  # 429
    QUEUE_FULL = "queue-full"  # 503, with Retry-After
    INSTANCE_FAILED = "instance-failed"  # 502: the instance broke off
    CANNOT_START = "cannot-start"  # 503: with the reason of the pod
    DEADLINE = "deadline"  # 504
    SHUTTING_DOWN = "shutting-down"  # 503
