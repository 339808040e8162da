"""kopf, used for what it does well: telling of Functions, as they are, again after every reconnect.

It runs in a thread and loop of its own (it cancels every task it sees when it ends) and hands each object over with
`tell`. Only `on.event` is used, so it writes nothing: no finalizer, no annotation, no progress.

Known hole: after a list it had to repeat, it does not tell of objects that vanished meanwhile;
`wick_operator.cache.audit` does.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import kopf
from kubernetes.aio.client.configuration import Configuration

from wick_api import names

log = logging.getLogger(__name__)

Tell = Callable[[dict[str, Any], bool], None]
"""Called in kopf's thread with a Function's manifest and whether it is gone."""


class Informer:
    """Tells of every Function in these namespaces (none: in all), from `start` until `stop`."""

    def __init__(self, configuration: Configuration, namespaces: tuple[str, ...], tell: Tell) -> None:
        self._configuration, self._namespaces, self._tell = configuration, namespaces, tell
        self._stop = threading.Event()
        self._ended: asyncio.Future[None] | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self) -> None:
        """Inform until cancelled; raises what ends kopf otherwise."""
        here = asyncio.get_running_loop()
        ended: asyncio.Future[None] = here.create_future()

        def body() -> None:
            error: BaseException | None = None
            try:
                asyncio.run(self._operate())
            except BaseException as raised:  # noqa: BLE001 - whatever it is, the main thread answers it
                error = raised
            here.call_soon_threadsafe(_settle, ended, error)

        self._thread = threading.Thread(target=body, name="kopf", daemon=True)
        self._thread.start()
        try:
            await ended
            raise RuntimeError("kopf ended by itself")
        finally:
            self._stop.set()

    async def heartbeat(self, within: float) -> bool:
        """Whether kopf's loop still turns: it answers `within` seconds."""
        if self._loop is None:
            return True
        try:
            future = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop)
            async with asyncio.timeout(within):
                await asyncio.wrap_future(future)
        except TimeoutError:
            return False
        return True

    async def _operate(self) -> None:
        self._loop = asyncio.get_running_loop()
        await kopf.operator(
            registry=self._registry(),
            settings=_settings(),
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            stop_flag=self._stop,
        )

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(id="login", registry=registry)
        async def login(**_: Any) -> kopf.ConnectionInfo:
            return await _credentials(self._configuration)

        @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, id="functions", registry=registry)
        async def told(event: Any, **_: Any) -> None:
            self._tell(dict(event["object"]), event["type"] == "DELETED")

        return registry


def _settle(ended: "asyncio.Future[None]", error: BaseException | None) -> None:
    if ended.done():
        return
    if error is None:
        ended.set_result(None)
    else:
        ended.set_exception(error)


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True  # the CRD is there: no need to watch kinds and namespaces, nor the rights to
    settings.posting.enabled = False
    settings.watching.server_timeout = 300
    settings.watching.connect_timeout = 10
    settings.watching.inactivity_timeout = 75  # bookmarks come about each minute
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 30
    # kopf keeps a worker an object until it has been idle for so long: this many objects over this many seconds is the
    # rate at which it tells of what exists, 2,000 a second; with kopf's idea of a second, 5,000 Functions took minutes.
    settings.queueing.worker_limit = 100
    settings.queueing.idle_timeout = 0.05
    settings.execution.max_workers = 1
    return settings


async def _credentials(configuration: Configuration) -> kopf.ConnectionInfo:
    """What the official client found, for kopf; asked again whenever the API server says 401."""
    token = None
    settings: Mapping[str, Any] = await configuration.auth_settings()
    for setting in settings.values():
        scheme, _, value = str(setting["value"]).partition(" ")
        token = value if scheme.lower() == "bearer" else None
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        token=token,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
    )
