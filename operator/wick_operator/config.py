"""The operator's configuration: one frozen value, read once from the environment.

Every variable is ``KUBEWICK_OPERATOR_`` plus the field's name in capitals. Times are in seconds. Lists are separated by
commas, mappings are JSON. A value that cannot be read raises `SettingInvalid` with the variable's name, and so
does a variable nobody knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from wick_api import names
from wick_api.hosts import by_label, parse_hosts
from wick_api.routing import HostPolicy
from wick_api.settings import LOG_LEVELS, SettingInvalid, between, one_of, read

PREFIX = "KUBEWICK_OPERATOR_"


@dataclass(frozen=True, kw_only=True)
class OperatorConfig:
    """See the module."""

    release: str = "kubewick"
    """The Helm release; names of the router's Service and of the Lease follow from it."""
    namespace: str = "kubewick-system"
    """Where operator and routers run."""
    namespaces: tuple[str, ...] = ()
    """Namespaces whose Functions are served; empty: all."""
    excluded_namespaces: tuple[str, ...] = ()
    """Namespaces whose Functions are left alone, when all are served."""
    cluster_domain: str = "cluster.local"
    domains: tuple[str, ...] = ()
    """The routers' own, beside the cluster's: under each ``<name>.<namespace>.<domain>`` is a function."""
    hosts: Mapping[str, Any] = field(default_factory=dict)
    """Which namespaces may use which hosts in routes, the same as the routers': `wick_api.hosts`. Empty: all, every."""
    identity: str = "operator"
    """Name of this replica in the Lease; the chart sets the pod's name."""

    runtimes: Mapping[str, str] = field(default_factory=lambda: {"python": "kubewick/runtime:latest"})
    """Offered runtimes: name to image."""
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    """Secrets in the functions' namespaces with credentials for the runtime images."""
    default_resources: Mapping[str, Any] = field(
        default_factory=lambda: {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}
    )
    """Resources of functions that name none; each entry on its own."""

    image_volumes: bool = True
    """Functions' pods write to the folders their image declares as volumes, and get their source as environment, so
    that they need no volumes of their own."""
    host_users: bool = True
    """Functions' pods share the node's user namespace; else each has its own (`hostUsers: false`), where nodes can."""

    prometheus: str = ""
    """URL of the Prometheus-compatible server that `spec.scale` queries go to when they name none."""
    pools: str = '{"python": {"min": 1, "max": 10}}'
    """Warm pools by runtime, as JSON; see `wick_operator.pool_settings`."""
    anti_affinity: bool = True
    """No node takes a function's own pods while a warm one stands in for them.

    See `wick_operator.function.decisions.desired.placement`.
    """
    pool_key: str = ""
    """Secret from which warm pods' tokens are derived, the same as the routers'; empty: no warm pools."""

    log_level: str = "info"
    """``debug``, ``info``, ``warning`` or ``error``; ``debug`` tells of each reconcile and each write, and why."""
    admin_host: str = "0.0.0.0"  # noqa: S104 - probed and scraped from other pods
    admin_port: int = names.OPERATOR_ADMIN_PORT
    """0: any free port."""
    lease_duration: float = 13.0
    """After this without renewal another replica may lead; a failover takes at most this and one `lease_retry`."""
    lease_deadline: float = 11.0
    """A leader that could not renew for so long stops; what remains of the duration covers clocks that drift."""
    lease_retry: float = 1.5
    """Between two attempts to get or renew the Lease."""
    workers: int = 16
    """Functions reconciled at once."""
    rate: float = 500.0
    """Reconciles begun a second on average, in bursts of `burst`; most of them write nothing."""
    burst: int = 1000
    resync: float = 600.0
    """Each Function is looked at again this often, whatever happened; spread evenly over the time."""
    request_timeout: float = 5.0
    """Of one call to the API server; never longer than the Lease is still ours."""
    grace: float = 10.0
    """After SIGTERM, for what is being reconciled."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read what is set; the rest are the defaults above."""
        config = read(cls, PREFIX, environment)
        config.check()
        return config

    def check(self) -> None:
        """Refuse values that make no sense; `SettingInvalid` names the variable."""
        bounds = {
            "admin_port": (0, 65535),
            "workers": (1, 100),
            "rate": (0.1, 10_000),
            "burst": (1, 100_000),
            "resync": (10, 86400),
            "request_timeout": (0.1, 60),
            "lease_retry": (0.1, 60),
            "grace": (0, 600),
        }
        between(PREFIX, self, bounds)
        if not self.lease_retry < self.lease_deadline < self.lease_duration:
            raise SettingInvalid(f"{PREFIX}LEASE_DEADLINE: must lie between LEASE_RETRY and LEASE_DURATION")
        one_of(PREFIX, self, {"image_pull_policy": ("Always", "IfNotPresent", "Never"), "log_level": LOG_LEVELS})
        try:
            rules = parse_hosts(self.hosts)
        except ValueError as error:
            raise SettingInvalid(f"{PREFIX}HOSTS: {error}") from error
        if self.namespaces and by_label(rules):
            raise SettingInvalid(
                f"{PREFIX}HOSTS: goes by labels, which takes rights on all namespaces: NAMESPACES must be empty"
            )

    @property
    def policy(self) -> HostPolicy:
        """What the routers too decide by; see `wick_api.routing`."""
        return HostPolicy(
            domains=(*self.domains, f"svc.{self.cluster_domain}", "svc", ""),
            hosts=parse_hosts(self.hosts),
            services=tuple(f"{self.release}-{name}.{self.namespace}" for name in ("router", "router-internal")),
            excluded=self.excluded_namespaces,
        )

    @property
    def router_host(self) -> str:
        """DNS name of the routers' internal Service, which serves every function."""
        return f"{self.release}-router-internal.{self.namespace}.svc.{self.cluster_domain}"
