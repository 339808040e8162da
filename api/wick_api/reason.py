"""Machine-readable reasons: one vocabulary for conditions, Events, refusals and metrics."""

from enum import StrEnum


class Condition(StrEnum):
    """Types of the conditions in a Function's status."""

    READY = "Ready"  # requests are answered by the revision the spec asks for
    SOURCE_RESOLVED = "SourceResolved"  # the source exists and can be used
    DEPLOYMENT_AVAILABLE = "DeploymentAvailable"  # the Deployment carries the current revision and its pods can run
    SCALED = "Scaled"  # the autoscaler has the number of instances it asks for, with the reason of its last decision
    ROUTE_READY = "RouteReady"  # every host and path of the spec leads to this function


class Reason(StrEnum):
    """Why a condition holds or a function cannot serve; the message beside it says what to do."""

    # well
    READY = "Ready"  # requests are answered by the revision the spec asks for
    IDLE = "Idle"  # at zero by choice; the next request starts it
    # on its way
    STARTING = "Starting"  # instances are being made; none has answered yet
    ROLLING_OUT = "RollingOut"  # a new revision starts while the old one serves
    # the user's to mend
    INVALID_SPEC = "InvalidSpec"  # the spec breaks a rule; the message names the field
    SOURCE_NOT_FOUND = "SourceNotFound"  # the ConfigMap with the source, or the handler's file in it, does not exist
    RUNTIME_UNKNOWN = "RuntimeUnknown"  # the installation offers no runtime of that name
    LOAD_FAILED = "LoadFailed"  # the code does not import, or its init fails: file and line in the message
    CRASH_LOOP = "CrashLoop"  # the container ends again and again; its last output is in the message
    OUT_OF_MEMORY = "OutOfMemory"  # the kernel ended it at the container's memory limit
    EVICTED = "Evicted"  # the node ended it for what it used, such as more ephemeral storage than its limit
    IMAGE_PULL = "ImagePull"  # the node cannot fetch the image
    MOUNT_FAILED = "MountFailed"  # a volume cannot be mounted
    NOT_LISTENING = "NotListening"  # an image's container runs but does not answer on $PORT
    REVISION_NOT_FOUND = "RevisionNotFound"  # rollbackTo names a revision that is not kept
    CONFIG_MISSING = "ConfigMissing"  # a Secret or ConfigMap the pod's environment names does not exist
    NOT_OWNED = "NotOwned"  # a child's name is taken by somebody else's object
    ROUTE_CONFLICT = "RouteConflict"  # an older function has the host and path already
    HOST_NOT_ALLOWED = "HostNotAllowed"  # the host is another function's, or the namespace has no leave for it
    ROUTE_UNREACHABLE = "RouteUnreachable"  # no request can match the route
    NAMESPACE_EXCLUDED = "NamespaceExcluded"  # the installation leaves the Function's namespace alone
    SCALED_BY_OTHERS = "ScaledByOthers"  # somebody else writes the number of replicas, for example an HPA
    # the cluster's
    UNSCHEDULABLE = "Unschedulable"  # no node takes the pod; the scheduler's words are in the message
    QUOTA = "QuotaExceeded"  # the namespace's ResourceQuota or LimitRange refuses the pod
    TERMINATING = "Terminating"  # the Function or its namespace is being deleted: no instance is started any more
    CLUSTER_ERROR = "ClusterError"  # the API server refused or failed a write; it is repeated
    # ours
    INTERNAL_ERROR = "InternalError"  # a defect of Kubewick that this function brings out; the message names it


class Refusal(StrEnum):
    """Why the router answered a request itself; the `code` of the error body and a metric label."""

    UNKNOWN_FUNCTION = "unknown-function"  # 404: no function has this host and path
    METHOD_NOT_ALLOWED = "method-not-allowed"  # 405: routes exist for the path, none for the method
    BAD_REQUEST = "bad-request"  # 400: not a well-formed HTTP/1.1 request
    BODY_TOO_LARGE = "body-too-large"  # 413: above the function's maxRequestBytes
    HEADERS_TOO_LARGE = "headers-too-large"  # 431: too many header lines or bytes
    TOO_MANY_REQUESTS = "too-many-requests"  # 429: all instances are at their concurrency limit
    QUEUE_FULL = "queue-full"  # 503, with Retry-After: too many requests wait already
    INSTANCE_FAILED = "instance-failed"  # 502: the instance broke off
    CANNOT_START = "cannot-start"  # 503: no instance can start; the message has the reason of the pod
    DEADLINE = "deadline"  # 504: the function's timeout passed
    SHUTTING_DOWN = "shutting-down"  # 503: this router is ending; another one answers the next try
