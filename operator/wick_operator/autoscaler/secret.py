"""Secrets that `prometheus` metrics name: a token or a password, a server's CA, a client certificate."""

import base64
import binascii
import ssl
import tempfile
from collections.abc import Callable, Mapping

import aiohttp

from wick_autoscaler.prometheus import Access, Unanswered
from wick_kube.cluster import Cluster
from wick_kube.error import ApiError, ApiUnreachable
from wick_kube.resource import SECRETS

KEPT = 30.0
"""Seconds until a Secret is read again."""


class SecretReader:
    """Reads a Secret when a metric needs it; `clock` is monotonic seconds."""

    def __init__(self, cluster: Cluster, clock: Callable[[], float]) -> None:
        self._cluster, self._clock = cluster, clock
        self._known: dict[tuple[str, str], tuple[float, Access]] = {}

    async def access(self, namespace: str, secret: str) -> Access:
        """How to present oneself; `Unanswered` when the Secret is missing or unusable."""
        read, known = self._known.get((namespace, secret), (0.0, None))
        if known is not None and self._clock() - read < KEPT:
            return known
        try:
            manifest = await self._cluster.get(SECRETS, namespace, secret)
        except (ApiError, ApiUnreachable) as error:
            raise Unanswered(f"secret {secret}: {error}") from error
        try:
            data = {key: base64.b64decode(value) for key, value in (manifest.get("data") or {}).items()}
            usable = access(data)
        except (binascii.Error, ssl.SSLError, UnicodeDecodeError, ValueError) as error:
            raise Unanswered(f"secret {secret}: {error}") from error
        self._known[namespace, secret] = self._clock(), usable
        return usable


def access(data: Mapping[str, bytes]) -> Access:
    """Headers and TLS from a Secret's keys; `ValueError` for half of a pair."""
    headers = {}
    if token := data.get("token"):
        headers["Authorization"] = f"Bearer {token.decode().strip()}"
    elif "username" in data or "password" in data:
        user, password = data.get("username", b"").decode(), data.get("password", b"").decode()
        headers["Authorization"] = aiohttp.BasicAuth(user.strip(), password.strip()).encode()
    if ("tls.crt" in data) != ("tls.key" in data):
        raise ValueError("tls.crt and tls.key come together")
    if not {"ca.crt", "tls.crt"} & data.keys():
        return Access(headers)
    context = ssl.create_default_context(cadata=data["ca.crt"].decode() if "ca.crt" in data else None)
    if "tls.crt" in data:
        with tempfile.NamedTemporaryFile() as pair:  # the ssl module reads certificates from files alone
            pair.write(data["tls.key"] + b"\n" + data["tls.crt"])
            pair.flush()
            context.load_cert_chain(pair.name)
    return Access(headers, context)
