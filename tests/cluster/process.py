"""Child processes that end with whoever started them.

Each writes to a log file of its own. On Linux the kernel kills them when their starter dies, however it dies
(`setpriv --pdeathsig`), so a killed test run leaves no server behind. SIGTERM would not do: an API server whose etcd
goes with it waits for what cannot come any more.
"""

import contextlib
import random
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class Died(Exception):
    """A server ended by itself; the message carries the end of its log."""


@dataclass(frozen=True)
class Server:
    """A running child process."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise `Died` unless it runs."""
        if (code := self.process.poll()) is not None:
            raise Died(f"{self.name} ended with {code}; end of {self.log}:\n{self.tail()}")

    def tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, grace: float = 10) -> None:
        """SIGTERM, and SIGKILL after `grace` seconds."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(grace)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def start(name: str, command: Sequence[str | Path], log: Path, *, bound: bool = True) -> Server:
    """Start a server. `bound`: the kernel ends it when the calling thread ends."""
    leash = [shutil.which("setpriv"), "--pdeathsig", "KILL", "--"] if bound and shutil.which("setpriv") else []
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*map(str, leash), *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Server(name, process, log)


OURS = range(10_000, 30_000)
"""Ports that nobody gets who asks for any (Linux gives those from 32768), nor a Service's node port."""


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Ports nobody listened on just now, and that only another choice of ours could take before they are used."""
    found: list[int] = []
    for port in random.sample(OURS, len(OURS)):
        with contextlib.suppress(OSError), socket.create_server((host, port)):
            found.append(port)
        if len(found) == count:
            return found
    raise Died(f"{host} has no {count} free ports")
