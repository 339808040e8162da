"""One runtime process: started empty, given a function once, stopped.

::

    start() -> waits on its control port for `specialize` -> serves on its data port -> stop() drains -> ended()

Each runs in a session of its own, so Ctrl-C in the terminal reaches ``wick up`` alone, and the whole session can be
killed. It adopts the daemons its function makes and reaps them, as PID 1 of a pod does. A signal to stop goes to the
first process alone, as a kubelet sends it to a pod's. It gets none of the shell's variables but `PASSED_ON`: a pod
would not have them either.
"""

import asyncio
import contextlib
import hashlib
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from wick_api.reason import Reason
from wick_cli.local.guardian import kill_family
from wick_cli.local.orphans import become_subreaper
from wick_kube import control_port

HOST = "127.0.0.1"
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
START_SECONDS = 20.0
"""For the interpreter to come up; ten times what a loaded laptop needs."""
LOAD_SECONDS = 60.0
"""For a function's imports and `init`."""
GRACE_SECONDS = 30.0
LAST_WORDS = 2.0
"""For the output of one that was killed; a daemon may hold its pipe for ever."""
MAX_LINE = 64 * 1024
"""Bytes of a log line; the rest of a longer one is dropped."""
_POLL_SECONDS = 0.01

Line = Callable[[str], None]


class Unstartable(Exception):
    """The runtime itself did not come up: not the function's fault."""


class LoadFailed(Exception):
    """The function's code does not load; the message names file and line."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Runtime:
    """A process of ``python -m wick_runtime``."""

    def __init__(self, process: asyncio.subprocess.Process, ports: tuple[int, int], token: str) -> None:
        self.process = process
        self.port, self.control_port = ports
        self._token = token
        self._last = "it printed nothing"
        self.forking = ""
        """How the function's handler processes come to be, and why so; empty where there are none."""
        self.line: Line = lambda _line: None
        """Called with each line it prints; set by whoever gives it a function."""
        self.silent = asyncio.Event()
        """All that it printed before its end has gone to `line`."""

    @property
    def pid(self) -> int:
        return self.process.pid

    async def wait_until_empty(self, session: aiohttp.ClientSession) -> None:
        """Return once it waits for a function; `Unstartable` when it ended or took too long."""
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await self._waits(session):
                    if self.process.returncode is not None:
                        message = f"the runtime ended with {self.process.returncode}; {self._last}"
                        raise Unstartable(message)
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            raise Unstartable(f"the runtime did not come up in {START_SECONDS:g} s; {self._last}") from error

    async def _waits(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"http://{HOST}:{self.control_port}/readyz") as answer:
                return bool((await answer.json(content_type=None)).get("state") == "pool")
        except aiohttp.ClientConnectionError:
            return False

    async def specialize(self, body: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
        """Make it this function; the phases of the start in ms. `LoadFailed` is the author's, `Unstartable` ours."""
        order = msgspec.json.encode(body)
        try:
            status, answer = await control_port.post(
                HOST, self.control_port, "/specialize", self._token, order, LOAD_SECONDS
            )
            said = msgspec.json.decode(answer, type=dict[str, Any])
        except TimeoutError as error:
            raise LoadFailed(Reason.LOAD_FAILED, f"the code did not load within {LOAD_SECONDS:g} s") from error
        except (control_port.ControlPortBroken, OSError, ValueError) as error:
            raise Unstartable(f"the runtime broke off while loading the function: {error}") from error
        if status == 200:  # noqa: PLR2004 - HTTP's own number
            self.forking = str(said.get("forking", ""))
            return tuple((str(name), float(took)) for name, took in said.get("phases", {}).items())
        raise LoadFailed(Reason.LOAD_FAILED, load_error(said))

    async def read_lines(self) -> None:
        """Pass on what it prints until it ends."""
        stream = self.process.stdout
        if stream is None:
            raise RuntimeError("the runtime was started without a pipe for its output")
        try:
            while data := await _line(stream):
                self._last = data.decode(errors="replace").rstrip()
                self.line(self._last)
        finally:
            self.silent.set()

    def stop(self) -> None:
        """Ask it to finish what it has and end."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it ended by itself, and `wait` is about to say so
                self.process.terminate()

    async def end(self) -> None:
        """Kill it, and wait until its last line was read, for `LAST_WORDS` at most."""
        self.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await self.silent.wait()

    def kill(self) -> None:
        """End it and everything it started, now; what is left of its session, where it has ended."""
        kill_family(self.pid)


def load_error(said: Mapping[str, Any]) -> str:
    """Say what `specialize` refused in one line, the place first when it names one."""
    message = str(said.get("message") or said.get("error") or said)
    file, line = said.get("file"), said.get("line")
    place = f"{file}:{line}: " if file and line else ""
    return message if message.startswith(place) else place + message


async def start(folder: Path) -> Runtime:
    """Start an empty runtime that keeps its files under `folder`; `Unstartable` when the machine refuses it."""
    try:
        return await _spawn(folder)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unstartable(f"this machine cannot start a process: {error}") from error


async def _spawn(folder: Path) -> Runtime:
    token = secrets.token_urlsafe(24)
    ports = _free_ports()
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - microseconds, on a local disk
    environ = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {
        "PORT": str(ports[0]),
        "KUBEWICK_CONTROL_PORT": str(ports[1]),
        "KUBEWICK_HOST": HOST,
        "KUBEWICK_CODE": str(folder / "function"),
        "KUBEWICK_POOL": "1",
        "KUBEWICK_TOKEN_SHA256": hashlib.sha256(token.encode()).hexdigest(),
        "KUBEWICK_GRACE": f"{GRACE_SECONDS:g}",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wick_runtime"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env=environ,
        limit=MAX_LINE,
        start_new_session=True,
        preexec_fn=become_subreaper,
    )
    return Runtime(process, ports, token)


def _free_ports() -> tuple[int, int]:
    """Two ports free a moment ago; whoever takes one in between makes the start fail, and another is started."""
    with socket.create_server((HOST, 0)) as data, socket.create_server((HOST, 0)) as control:
        return data.getsockname()[1], control.getsockname()[1]


async def _line(stream: asyncio.StreamReader) -> bytes:
    """One line, cut at `MAX_LINE`; empty at the end."""
    try:
        return await stream.readline()
    except ValueError:  # longer than the limit: asyncio has dropped what it held of it
        return b"(a line too long to show)\n"
