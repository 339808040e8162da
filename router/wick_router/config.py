"""The router's configuration: one frozen value, read once from the environment.

Every variable is ``WICK_ROUTER_`` plus the field's name in capitals. Times are in seconds, sizes in bytes. A value
that cannot be read raises `RouterSettingInvalid` with the variable's name. The prefix is not ``KUBEWICK_ROUTER_``
because Kubernetes makes variables of that form from a Service called ``kubewick-router``.
"""

import json
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Self

from wick_api import names
from wick_api.hosts import Rule, parse_hosts
from wick_api.routing import HostPolicy

PREFIX = "WICK_ROUTER_"

Network = IPv4Network | IPv6Network


class RouterSettingInvalid(ValueError):
    """A variable that cannot be read; the message names it."""


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
        values = {
            field.name: _read(field, environment[PREFIX + field.name.upper()])
            for field in fields(cls)
            if PREFIX + field.name.upper() in environment
        }
        known = {PREFIX + field.name.upper() for field in fields(cls)}
        unknown = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
        if unknown:
            raise RouterSettingInvalid(f"{unknown[0]}: no such setting")
        config = cls(**values)
        config.check()
        return config

    def check(self) -> None:
        """Refuse values that make no sense; `RouterSettingInvalid` names the variable."""
        for name in ("port", "tls_port", "poke_port"):
            _between(name, getattr(self, name), 0, 65535)
        for name in ("admin_port", "public_port"):
            _between(name, getattr(self, name), -1, 65535)
        if self.public_serves not in {"public", "all"}:
            raise RouterSettingInvalid(f"{PREFIX}PUBLIC_SERVES: {self.public_serves!r} is neither public nor all")
        _between("processes", self.processes, 1, 256)
        _between("access_log", self.access_log, 0, 1)
        _between("header_bytes", self.header_bytes, 1024, 16 * 1024 * 1024)
        for name in ("header_count", "connections", "queue", "queue_bytes", "total_queue_bytes"):
            _between(name, getattr(self, name), 1, 1 << 40)
        for name in ("header_timeout", "body_timeout", "idle_timeout", "connect_timeout", "instance_idle_timeout"):
            _between(name, getattr(self, name), 0.001, 86400)
        for name in ("drain_delay", "grace", "replay_bytes", "image_idle_timeout"):
            _between(name, getattr(self, name), 0, 1 << 30)
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise RouterSettingInvalid(f"{PREFIX}TLS_CERTIFICATE and {PREFIX}TLS_KEY: set both or neither")


def _between(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise RouterSettingInvalid(f"{PREFIX}{name.upper()}: {value} is not between {least} and {most}")


def _hosts(text: str) -> tuple[Rule, ...]:
    rules = json.loads(text) if text.strip() else {}
    if not isinstance(rules, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004 - told as all that cannot be read
    return parse_hosts(rules)


def _read(field: "Field[Any]", text: str) -> Any:
    kind = field.type if isinstance(field.type, type) else type(field.default)
    items = [item.strip() for item in text.split(",")] if text.strip() else []
    try:
        if field.name == "trusted_proxies":
            return tuple(ip_network(item) for item in items)
        if field.name == "hosts":
            return _hosts(text)
        if kind is tuple or isinstance(field.default, tuple):
            return tuple(items)
        return kind(text)
    except ValueError as error:
        raise RouterSettingInvalid(f"{PREFIX}{field.name.upper()}: {text!r}: {error}") from error
