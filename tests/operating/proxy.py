"""An HTTP proxy before an API server that fails as it is told, so that the operator meets what networks and servers do.

    operator --http--> proxy --TLS, the administrator's certificate--> kube-apiserver

Without faults it changes nothing (`test_proxy.py` holds that). A fault applies to the requests its `when` is true of,
once or until it is lifted. It runs in a thread with a loop of its own and ends with its block.
"""

import asyncio
import json
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from cluster.credentials import ADMINS
from cluster.waiting import PATIENCE

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "content-encoding"}


@dataclass(frozen=True)
class Call:
    """One request, as a rule sees it."""

    verb: str
    """get, list, watch, create, apply, patch, delete, as Kubernetes calls them."""
    path: str

    def is_(self, verb="", part=""):
        return self.verb == (verb or self.verb) and part in self.path


@dataclass
class Fault:
    """What happens to the calls `when` is true of: an answer, a cut, or a wait before the real one."""

    when: object
    status: int = 0
    """Answer with this instead of asking the server."""
    headers: dict = field(default_factory=dict)
    cut: str = ""
    """``before``: the server never hears of it; ``after``: it did it, and the answer is lost."""
    delay: float = 0.0
    """Seconds before anything happens."""
    times: int = 1_000_000
    hits: int = 0

    def takes(self, call):
        if self.hits >= self.times or not self.when(call):
            return False
        self.hits += 1
        return True


REASONS = {403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Expired", 422: "Invalid", 429: "TooManyRequests"}


def refusal(status):
    """The body the API server sends with this status."""
    reason = REASONS.get(status, "InternalError")
    said = {"status": "Failure", "code": status, "reason": reason, "message": f"the proxy says {reason}"}
    return json.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, **said}).encode()


def verb(request):
    kind = request.headers.get("Content-Type", "")
    if request.method == "PATCH":
        return "apply" if "apply" in kind else "patch"
    if request.method == "GET":
        named = request.path.rstrip("/").rsplit("/", 1)[-1]
        plural = named in {"functions", "deployments", "services", "configmaps", "secrets", "pods", "replicasets"}
        return ("watch" if "watch" in request.query else "list") if plural else "get"
    return {"POST": "create", "DELETE": "delete"}.get(request.method, request.method.lower())


class Proxy:
    """See the module; `seen` are the calls so far."""

    def __init__(self, plane):
        self.plane, self.seen, self.faults, self._open = plane, [], [], set()
        self.expired = 0
        """Answers by which the server said that a version is too old to go on from."""
        self._ready, self._loop, self._stop = threading.Event(), None, None
        self.port = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def kubeconfig(self, folder):
        """A kubeconfig file that leads through here."""
        path = folder / "through-the-proxy.kubeconfig"
        about = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": self.url}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        }
        path.write_text(json.dumps(about))
        return path

    @contextmanager
    def failing(self, when, **how):
        """While the block runs."""
        fault = Fault(when, **how)
        self.faults.append(fault)
        try:
            yield fault
        finally:
            self.faults.remove(fault)

    def cut_watches(self):
        """Break every answer that is being streamed."""
        self._loop.call_soon_threadsafe(lambda: [transport.abort() for transport in list(self._open)])

    def _context(self):
        context = ssl.create_default_context(cafile=self.plane.authority.certificate)
        certificate, key = self.plane.authority.issue("proxy", group=ADMINS)
        context.load_cert_chain(certificate, key)
        return context

    async def _main(self):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        connector = aiohttp.TCPConnector(ssl=self._context(), limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as self._session:
            app = web.Application(client_max_size=16 * 1024 * 1024)
            app.router.add_route("*", "/{path:.*}", self._handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = runner.addresses[0][1]
            self._ready.set()
            await self._stop.wait()
            self.cut_watches()
            await runner.cleanup()

    async def _handle(self, request):
        call = Call(verb(request), request.path)
        self.seen.append(call)
        fault = next((each for each in self.faults if each.takes(call)), None)
        if fault and fault.delay:
            await asyncio.sleep(fault.delay)
        if fault and fault.cut == "before":
            request.transport.abort()
            return web.Response()
        if fault and fault.status:
            return web.Response(
                status=fault.status, body=refusal(fault.status), headers=fault.headers, content_type="application/json"
            )
        return await self._forward(request, lose=bool(fault and fault.cut == "after"))

    async def _forward(self, request, *, lose):
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
        body = await request.read()
        url = f"{self.plane.server}{request.path_qs}"
        try:
            async with self._session.request(request.method, url, data=body or None, headers=headers) as answer:
                try:
                    if lose:
                        request.transport.abort()
                        return web.Response()
                    return await self._pass_on(request, answer)
                finally:
                    # What was not read to its end is cut here: a polite TLS goodbye would outlive the proxy.
                    if answer.connection is not None and answer.connection.transport is not None:
                        answer.connection.transport.abort()
        except aiohttp.ClientError:
            if request.transport:
                request.transport.abort()  # the server is gone: so are we
            return web.Response()

    async def _pass_on(self, request, answer):
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP - {"content-encoding"}}
        response = web.StreamResponse(status=answer.status, headers=kept)
        await response.prepare(request)
        self._open.add(request.transport)
        try:
            async for chunk in answer.content.iter_any():
                self.expired += chunk.count(b'"code":410')
                await response.write(chunk)
            await response.write_eof()
        except ConnectionError:
            pass  # the client went, or was cut off
        finally:
            self._open.discard(request.transport)
        return response


@contextmanager
def proxy(plane):
    """A proxy while the block runs."""
    made = Proxy(plane)
    thread = threading.Thread(target=lambda: asyncio.run(made._main()), name="proxy", daemon=True)
    thread.start()
    try:
        assert made._ready.wait(PATIENCE)
        yield made
    finally:
        made._loop.call_soon_threadsafe(made._stop.set)
        thread.join(PATIENCE)
        assert not thread.is_alive()
