"""The processes of an instance: which were ordered, which live, and what their forkers say of them.

An order goes to the supervisor, or to a template that forks for itself; the answer names the order by its number:

    order --forked--> lives, known by its pid --exited--> gone
       +---unforked--------------------------------------> gone
"""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from wick_runtime.instance.connection_backup import ConnectionBackup
from wick_runtime.ipc.channel import Channel
from wick_runtime.run.handler_process_client import HandlerProcessClient
from wick_runtime.worker.forker import end_group

if TYPE_CHECKING:
    from wick_runtime.http.message.refusal import ErrorAnswer

STUCK: Final = 1.0
"""Seconds a worker's loop may leave a ping unanswered."""


class WorkerProcess:
    """The process that loaded the code: a worker with a loop, or the template of handler processes."""

    def __init__(self, channel: Channel, keeper: ConnectionBackup, ordered: float) -> None:
        self.channel = channel
        self.keeper = keeper
        self.ordered = ordered
        self.pid = 0
        self.kind = ""
        self.forkable = False
        self.loaded_at = 0.0
        self.closed = False
        self.status: int | None = None
        self.failed = False
        self.stands: dict[str, Any] | None = None
        """Where loading stood when its deadline had passed, as far as it has said."""
        self.verdict: ErrorAnswer | None = None
        """Why we killed it, if we did."""
        self.first: tuple[int, socket.socket] | None = None
        """Number and socket of the handler process that was ordered along with the code, until it is known whether
        the code takes one."""
        self.worker: HandlerProcessClient | None = None
        """The first handler process, where it is this one itself."""
        self.pings: dict[int, float] = {}
        """Moments at which its loop was asked whether it turns, by the number of each question still open."""

        self.locates = False
        """Whether its loop, once it serves, can be asked where it stands."""
        self.blocked_since = 0.0
        """The event loop's time of the question that it has left unanswered for too long; 0 while it turns."""

    def becomes(self, worker: HandlerProcessClient) -> None:
        """It is itself the handler process."""
        self.worker = worker
        if self.pid:
            worker.forked(self.pid)

    def ping(self, number: int, now: float) -> None:
        """Ask its loop whether it turns; one that has hung up leaves the question open."""
        self.pings[number] = now
        if not self.closed:
            self.channel.send({"op": "ping", "id": number})

    def turned(self, number: int, now: float) -> float:
        """Its loop has answered; for how many seconds it had been blocked, 0 if it was not known to be."""
        self.pings.pop(number, None)
        if self.pings or not self.blocked_since:
            return 0.0
        since, self.blocked_since = self.blocked_since, 0.0
        return now - since

    def locate(self) -> None:
        """Have it say where it stands."""
        if self.locates and self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGUSR2)

    def close(self) -> None:
        """It has hung up."""
        self.closed = True
        self.channel.close()
        self.drop_first()

    def drop_first(self) -> None:
        """Its code takes no handler process."""
        if self.first is not None:
            self.first[1].close()
            self.first = None

    def stuck(self, now: float) -> bool:
        """Whether a ping has waited too long."""
        return any(now - sent > STUCK for sent in self.pings.values())

    def kill(self) -> None:
        """At once, or as soon as its number is known; what it started goes when it is reaped."""
        if self.pid and self.status is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended, and the word of that is on its way
                os.kill(self.pid, signal.SIGKILL)


class Family:
    """See the module; `died` is told of each `WorkerProcess` that ended, with its wait status."""

    def __init__(self, died: Callable[[WorkerProcess, int], None]) -> None:
        self._died = died
        self._orders: dict[int, WorkerProcess | HandlerProcessClient] = {}
        self._by_pid: dict[int, WorkerProcess | HandlerProcessClient] = {}
        self._last = 0

    @property
    def pids(self) -> Iterable[int]:
        """Of those that live."""
        return self._by_pid

    def kill(self) -> None:
        """End all that live, with what they started."""
        for pid in self._by_pid:
            end_group(pid)

    def number(self) -> int:
        """One that was not used before, for an order or a ping."""
        self._last += 1
        return self._last

    def order(
        self, channel: Channel, one: WorkerProcess | HandlerProcessClient, order: dict[str, Any], *socks: socket.socket
    ) -> None:
        """Have a process forked that holds the other ends of `socks`."""
        number = self.number()
        self.expect(number, one)
        channel.send({"op": "fork", "id": number, **order}, [sock.fileno() for sock in socks])

    def expect(self, number: int, one: WorkerProcess | HandlerProcessClient) -> None:
        """The process of an order with this number was asked for by other means."""
        self._orders[number] = one

    def said(self, message: dict[str, Any]) -> None:
        """What a forker tells."""
        if message["op"] == "forked":
            one = self._orders.pop(message["id"], None)
            if one is not None:
                self._forked(one, message["pid"])
        elif message["op"] == "unforked":
            sys.stderr.write(f"wick_runtime: {message['message']}\n")
            self._exited(self._orders.pop(message["id"], None), os.EX_OSERR)
        elif message["op"] == "exited":
            self._exited(self._by_pid.pop(message["pid"], None), message["status"])

    def _forked(self, one: WorkerProcess | HandlerProcessClient, pid: int) -> None:
        self._by_pid[pid] = one
        if isinstance(one, HandlerProcessClient):
            one.forked(pid)
        else:
            one.pid = pid
            if one.worker is not None:
                one.worker.forked(pid)
            if one.verdict is not None:  # condemned before anybody knew its number
                one.kill()

    def _exited(self, one: WorkerProcess | HandlerProcessClient | None, status: int) -> None:
        if isinstance(one, HandlerProcessClient):
            one.exited(status)
        elif one is not None:
            if one.worker is not None:
                one.worker.exited(status)
            self._died(one, status)
