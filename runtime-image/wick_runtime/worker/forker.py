"""A process that only forks: waits for orders on a channel, forks, reaps, reports. No thread, no event loop.

Both the supervisor (PID 1, with the runtime loaded) and a function's template (with the function's code loaded) are
one. What it is told and what it tells::

    <- {"op": "fork", "id": 7, ...} + descriptors      -> {"op": "forked", "id": 7, "pid": 123}
                                                       -> {"op": "unforked", "id": 7, "message": "..."}
    <- {"op": "stop"}                                  -> {"op": "exited", "pid": 123, "status": -11}
                                                       -> {"op": "signal", "signal": 15}

Each child leads a process group of its own. So what it started is ended with it, a signal for the terminal's or the
instance's group does not reach it, and what it does to its own group reaches nobody else. What leaves the group
(``setsid``) lives on until the instance ends.
"""

import contextlib
import gc
import os
import select
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from types import FrameType
from typing import Any, Final

from wick_runtime.ipc.channel import Channel, Closed, Message
from wick_runtime.run.finalization import finalize

Start = Callable[[dict[str, Any], list[int]], int]
"""What a forked child does with its order; its result is the exit code."""

_STOPPERS = (signal.SIGTERM, signal.SIGINT)
_DEFAULTS: Final[Mapping[int, Any]] = {
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
    signal.SIGCHLD: signal.SIG_DFL,
}
"""What a Python program begins with."""


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
        before: dict[int, Any] = {number: signal.signal(number, _noticed) for number in (*_STOPPERS, signal.SIGCHLD)}
        # A template's children get what the function's code set at import; the supervisor's, what Python starts with.
        self._dispositions = _DEFAULTS if self._report else {**_DEFAULTS, **before}
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
        """Kill and reap every child that is left, and what it started."""
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)  # its group may not be there yet
            end_group(pid)
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
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            if ended.si_pid in self._children:
                end_group(ended.si_pid)  # before it is reaped: until then its number is nobody else's
            pid, status = os.waitpid(ended.si_pid, 0)
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
        frozen = sys.maxsize
        try:
            os.setpgid(0, 0)
            self._channel.close()
            signal.set_wakeup_fd(-1)
            for fd in self._pipe:
                os.close(fd)
            for number, disposition in self._dispositions.items():
                signal.signal(number, disposition)
            gc.enable()
            frozen = gc.get_freeze_count()
            code = self._start(message, fds)
        except BaseException:  # noqa: BLE001 - the last frame of this process: show it and end
            sys.excepthook(*sys.exc_info())
        try:
            finalize(frozen)
        finally:
            os._exit(code)

    def _tell(self, message: dict[str, Any]) -> None:
        try:
            self._channel.send(message)
        except Closed:
            if self._watched is None:
                self._result = 0


def end_group(leader: int) -> None:
    """Kill what a child of ours left behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _noticed(_signal: int, _frame: FrameType | None) -> None:
    """Do nothing: the wake-up descriptor carries the news."""
