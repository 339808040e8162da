"""A process that only forks: waits for orders on a channel, forks, reaps, reports. No thread, no event loop.

Both the supervisor (PID 1, with the runtime loaded) and a function's template (with the function's code loaded) are
one. What it is told and what it tells::

    <- {"op": "fork", "id": 7, ...} + descriptors      -> {"op": "forked", "id": 7, "pid": 123}
                                                       -> {"op": "unforked", "id": 7, "message": "..."}
    <- {"op": "stop"}                                  -> {"op": "exited", "pid": 123, "status": -11}
                                                       -> {"op": "signal", "signal": 15}
"""

import gc
import os
import select
import signal
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from wick_runtime.channel import Channel, Closed, Message

Start = Callable[[dict[str, Any], list[int]], int]
"""What a forked child does with its order; its result is the exit code."""

_STOPPERS = (signal.SIGTERM, signal.SIGINT)


class Forker:
    """Carries out the orders of one channel until told to stop or the channel closes."""

    def __init__(self, channel: Channel, start: Start, *, signals: bool) -> None:
        """With `signals`, SIGTERM and SIGINT are reported instead of ignored."""
        self._channel = channel
        self._start = start
        self._report = signals
        self._children: set[int] = set()
        self._watched: int | None = None
        self._result: int | None = None

    def run(self, orders: Iterable[Message] = (), watched: int | None = None) -> int:
        """Until told to stop; with `watched`, until that child ends. Returns its exit code, else 0.

        `orders` to fork are carried out before any is read.
        """
        self._watched = watched
        wake, waker = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(waker, False)
        self._pipe = (wake, waker)
        for number in (*_STOPPERS, signal.SIGCHLD):
            signal.signal(number, _noticed)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        poll.register(self._channel.fileno(), select.POLLIN)
        for order in orders:
            self._fork(*order)
        self._reap()
        while self._result is None:
            for fd, _ in poll.poll():
                self._woken(os.read(wake, 4096)) if fd == wake else self._orders(poll)
        return self._result

    def end(self) -> None:
        """Kill and reap every child that is left."""
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        for pid in self._children:
            os.waitpid(pid, 0)
        self._children.clear()

    def _woken(self, numbers: bytes) -> None:
        if signal.SIGCHLD in numbers:
            self._reap()
        for number in numbers:
            if number in _STOPPERS and self._report:
                self._tell({"op": "signal", "signal": number})

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            if pid == self._watched:
                self._result = code if code >= 0 else 128 - code
            else:  # ours, or as PID 1 an orphan's: a handler process outlives its template
                self._children.discard(pid)
                self._tell({"op": "exited", "pid": pid, "status": code})

    def _orders(self, poll: select.poll) -> None:
        try:
            messages = self._channel.receive(wait=False)
        except Closed:
            poll.unregister(self._channel.fileno())
            if self._watched is None:
                self._result = 0
            return
        for message, fds in messages:
            if message["op"] == "stop":
                self._result = 0
            else:
                self._fork(message, fds)

    def _fork(self, message: dict[str, Any], fds: list[int]) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            self._tell({"op": "unforked", "id": message["id"], "message": f"cannot fork: {error.strerror}"})
            pid = -1
        if pid == 0:
            self._child(message, fds)
        for fd in fds:
            os.close(fd)
        if pid > 0:
            self._children.add(pid)
            self._tell({"op": "forked", "id": message["id"], "pid": pid})

    def _child(self, message: dict[str, Any], fds: list[int]) -> None:
        code = 70  # EX_SOFTWARE, if `start` raises
        try:
            self._channel.close()
            signal.set_wakeup_fd(-1)
            for fd in self._pipe:
                os.close(fd)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # A Python handler, not SIG_IGN: what the function starts with exec gets the default back.
            gc.enable()
            code = self._start(message, fds)
        except BaseException:  # noqa: BLE001 - the last frame of this process: show it and end
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)

    def _tell(self, message: dict[str, Any]) -> None:
        try:
            self._channel.send(message)
        except Closed:
            if self._watched is None:
                self._result = 0


def _noticed(_signal: int, _frame: FrameType | None) -> None:
    """Do nothing: the wake-up descriptor carries the news."""
