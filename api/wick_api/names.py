"""Every name, label, annotation and port, in one place.

A Function's children carry its own name where Kubernetes lets them, so that ``kubectl get deploy hello`` is the
answer to "what runs hello?". What belongs to one revision ends in the revision's name.
"""

from typing import NamedTuple

GROUP = "kubewick.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "Function"
PLURAL = "functions"
FINALIZER = f"{GROUP}/finalizer"

# Labels
FUNCTION = f"{GROUP}/function"
REVISION = f"{GROUP}/revision"
POOL = f"{GROUP}/pool"  # a warm pod's runtime, while nobody has claimed it
CLAIMED_BY = f"{GROUP}/claimed-by"  # the function that claimed a warm pod
STANDS_IN_FOR = f"{GROUP}/stands-in-for"  # the function whose own pods no node takes while this one serves it
LISTENER = f"{GROUP}/listener"  # of the routers' Services: `internal` on the one that serves every function
COMPONENT = "app.kubernetes.io/component"  # operator | router | function | pool | dormant
MANAGED_BY = "app.kubernetes.io/managed-by"
NAME = "app.kubernetes.io/name"
PART_OF = "app.kubernetes.io/part-of"

# Field managers: who may write what. The router writes only 0 -> 1; the autoscaler owns replicas otherwise.
OPERATOR = "kubewick-operator"
AUTOSCALER = "kubewick-autoscaler"
ROUTER = "kubewick-router"

# Inside an instance
CODE_PATH = "/function"
HTTP_PORT = 8080
CONTROL_PORT = 8081
HTTP_PORT_NAME = "http"
CONTROL_PORT_NAME = "control"
CONTAINER = "function"

# The control plane's own ports
ROUTER_HTTP_PORT = 8080  # internal: every function
ROUTER_PUBLIC_PORT = 8082  # functions with visibility: public alone
ROUTER_ADMIN_PORT = 9401
OPERATOR_ADMIN_PORT = 9402

# Longest Function name: `<name>-<10 hex>` (ReplicaSet, ConfigMap) must stay a legal 63-character label value.
MAX_NAME = 52

# Prefixes of the warm pools' Deployments, ``<prefix><runtime>``: no Function's names
POOL_PREFIX = "kubewick-pool-"
DORMANT_PREFIX = "kubewick-dormant-"
RESERVED_NAMES = (POOL_PREFIX, DORMANT_PREFIX)

RESERVED_ENV = ("PORT",)
RESERVED_ENV_PREFIX = "KUBEWICK_"
SOURCE_ENV = "KUBEWICK_SOURCE"  # the files' paths; with a number appended, the file of that place in the list


class Key(NamedTuple):
    """Which Function: hashable, ordered, prints as ``namespace/name``."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def selector(key: Key) -> dict[str, str]:
    """Labels that pick one Function's pods; immutable for the Function's life."""
    return {FUNCTION: key.name}


def labels(key: Key) -> dict[str, str]:
    """Labels of every child of a Function."""
    return {
        FUNCTION: key.name,
        NAME: key.name,
        COMPONENT: "function",
        MANAGED_BY: "kubewick",
        PART_OF: "kubewick",
    }


def deployment(key: Key) -> str:
    """Name of the Function's Deployment."""
    return key.name


def service(key: Key) -> str:
    """Name of the Function's Service, an alias of the router, so that ``http://<name>.<namespace>.svc`` works."""
    return key.name


def source(key: Key, revision: str) -> str:
    """Name of the immutable ConfigMap with one revision's source."""
    return f"{key.name}-{revision}"
