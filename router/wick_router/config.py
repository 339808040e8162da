"""The router's configuration: one frozen value, read once from the environment.

Every variable is ``WICK_ROUTER_`` plus the field's name in capitals. Times are in seconds, sizes in bytes. A value
that cannot be read raises `SettingInvalid` with the variable's name. The prefix is not ``KUBEWICK_ROUTER_``
because Kubernetes makes variables of that form from a Service called ``kubewick-router``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Self

from wick_api import names
from wick_api.hosts import Rule, parse_hosts
from wick_api.routing import HostPolicy
from wick_api.settings import LOG_LEVELS, SettingInvalid, between, mapping, one_of, read

PREFIX = "WICK_ROUTER_"

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, kw_only=True)
class RouterConfig:
    """See the module."""

    host: str = "0.0.0.0"  # noqa: S104 - a router is there to be reached
    port: int = names.ROUTER_HTTP_PORT
    """Internal data port: every function. 0: any free port."""
    public_port: int = -1
    """Public data port: functions with ``visibility: public`` alone. 0: any free port; -1: none."""
    public_serves: str = "public"
    """What the public listeners serve: ``public`` functions, or ``all``, as before there was a visibility: for the time
    of an upgrade (docs/operations.md). Requests for functions that are not public are counted either way."""
    unix: str = ""
    """Path of a Unix socket to listen on too; internal."""
    tls_port: int = 0
    """Port for HTTPS; used when `tls_certificate` is set. A public listener, like `public_port`."""
    tls_certificate: str = ""
    """PEM file with the certificate chain; it and the key are read again when they change."""
    tls_key: str = ""
    admin_host: str = "0.0.0.0"  # noqa: S104 - scraped from other pods
    admin_port: int = names.ROUTER_ADMIN_PORT
    """0: any free port; -1: no admin API."""
    admin_unix: str = ""
    """Path of a Unix socket for the admin API instead of the port; set by the parent of several processes."""
    processes: int = 1
    """Processes that share the data port; one a core is best."""
    domains: tuple[str, ...] = ("svc.cluster.local", "svc", "")
    """Domains under which ``<name>.<namespace>.<domain>`` is a function; the empty one is ``<name>.<namespace>``."""
    services: tuple[str, ...] = ()
    """The routers' own Services, ``<name>.<namespace>``: their hosts are no function's, and no route may name them."""
    hosts: tuple[Rule, ...] = ()
    """Which namespaces may use which hosts in routes, as a JSON object: `wick_api.hosts`. Empty: all may use every."""
    excluded_namespaces: tuple[str, ...] = ()
    """Namespaces whose Functions are left alone: their routes do not count."""
    trusted_proxies: tuple[Network, ...] = ()
    """Peers whose ``X-Forwarded-*`` and ``Forwarded`` are kept and continued; from others they are replaced."""

    header_bytes: int = 65536
    """Most a request's or response's head may take: nginx 32 KiB, HAProxy 16 KiB, Go 1 MiB."""
    header_count: int = 200
    header_timeout: float = 10.0
    """From a request's first byte to the end of its head."""
    body_timeout: float = 30.0
    """Without a byte of a body that is awaited, or without progress of a reader that is sent to."""
    idle_timeout: float = 75.0
    """Between two requests of a client's connection."""
    connections: int = 20000
    """Client connections of one process; more are closed at once."""
    queue: int = 10000
    """Requests of one function that may wait at the same time; more get 503 with Retry-After."""
    queue_bytes: int = 16 * 1024 * 1024
    """Bodies of one function's waiting requests kept in memory; beyond it their clients are not read from."""
    total_queue_bytes: int = 256 * 1024 * 1024
    """The same of all functions together."""
    replay_bytes: int = 65536
    """Largest request body kept until the answer begins, so that a refused request can be sent elsewhere."""

    connect_timeout: float = 1.0
    """To connect to an instance that was said to be ready."""
    instance_idle_timeout: float = 30.0
    """Idle connections to instances are closed after this."""
    image_idle_timeout: float = 3.0
    """The same for `image` functions, whose servers may hang up early (uvicorn after 5 s)."""

    drain_delay: float = 5.0
    """After SIGTERM: not ready, but serving as before, until nobody sends new connections."""
    grace: float = 30.0
    """After the delay: for what is in flight; then WebSockets get a close frame and the rest is cut."""
    log_level: str = "info"
    """``debug``, ``info``, ``warning`` or ``error``; ``debug`` tells of each step of a start from zero."""
    access_log: float = 0.0
    """Share of requests logged as JSON lines on standard output, 0 to 1."""

    poke_host: str = ""
    """DNS name of the operators' headless Service, told when a queue grows faster than a scrape. Empty: nobody is."""
    poke_port: int = names.OPERATOR_ADMIN_PORT

    @property
    def policy(self) -> HostPolicy:
        """What the operator too decides by; see `wick_api.routing`."""
        return HostPolicy(self.domains, self.hosts, self.services, self.excluded_namespaces)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read what is set; the rest are the defaults above."""
        config = read(cls, PREFIX, environment, {"domains": _domains, "hosts": _rules, "trusted_proxies": _networks})
        config.check()
        return config

    def check(self) -> None:
        """Refuse values that make no sense; `SettingInvalid` names the variable."""
        one_of(PREFIX, self, {"public_serves": ("public", "all"), "log_level": LOG_LEVELS})
        ports, sizes = ("port", "tls_port", "poke_port"), ("header_count", "connections", "queue", "queue_bytes")
        waits = ("header_timeout", "body_timeout", "idle_timeout", "connect_timeout", "instance_idle_timeout")
        bounds = {
            **dict.fromkeys(ports, (0, 65535)),
            **dict.fromkeys(("admin_port", "public_port"), (-1, 65535)),
            "processes": (1, 256),
            "access_log": (0, 1),
            "header_bytes": (1024, 16 * 1024 * 1024),
            **dict.fromkeys((*sizes, "total_queue_bytes"), (1, 1 << 40)),
            **dict.fromkeys(waits, (0.001, 86400)),
            **dict.fromkeys(("drain_delay", "grace", "replay_bytes", "image_idle_timeout"), (0, 1 << 30)),
        }
        between(PREFIX, self, bounds)
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise SettingInvalid(f"{PREFIX}TLS_CERTIFICATE and {PREFIX}TLS_KEY: set both or neither")


def _domains(text: str) -> tuple[str, ...]:
    """Empty ones too, which stand for ``<name>.<namespace>``."""
    return tuple(item.strip() for item in text.split(",")) if text.strip() else ()


def _rules(text: str) -> tuple[Rule, ...]:
    return parse_hosts(mapping(text))


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ip_network(item.strip()) for item in text.split(",") if item.strip())
