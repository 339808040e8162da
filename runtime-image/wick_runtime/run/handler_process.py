"""A handler process: runs synchronous handlers, one request at a time, in its main thread, with no event loop.

It lives behind a socket pair whose other end the front holds; its end is this process's end. Being alone in its
process is what makes a deadline real: SIGUSR1 raises `Interrupted` in the handler, so that its ``finally`` blocks
run, and a handler that holds on nevertheless is killed.
"""

import contextlib
import contextvars
import os
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NamedTuple

from wick_runtime.call.answer import Answer, Unsuitable, chunk, first
from wick_runtime.call.frame import (
    BODY,
    BROKEN,
    END,
    LAST,
    REQUEST,
    FrameReader,
    HandlerCall,
    pack,
    pack_head,
    pack_response,
    unpack_call,
)
from wick_runtime.run.admission import ERROR, OK
from wick_runtime.run.context import Context, Identity, current
from wick_runtime.run.failure import answered, logged
from wick_runtime.run.integrity import broken, exhausted, tell
from wick_runtime.run.lines import finish

_READ = 262_144

Handle = Callable[["HandlerCall", Iterator[bytes], Context], Answer]
"""Turns a call, with what may still come of its body, into an answer; one for each interface."""


class Interrupted(BaseException):
    """The request's time is up, or its client is gone."""


class Setting(NamedTuple):
    """What every request of this process shares."""

    handle: Handle
    identity: Identity
    debug: bool


class Process:
    """See the module."""

    def __init__(self, sock: socket.socket, setting: Setting) -> None:
        self._sock = sock
        self._setting = setting
        self._frames = FrameReader()
        self._queue: list[tuple[int, bytes]] = []
        self._running = False
        self._interrupted = False
        """Told to stop, which may be before it has read the request that this is about."""
        self._begun = False
        self._serving: HandlerCall | None = None
        self._copy = False

    def run(self) -> None:
        """Until the front hangs up, or a request was interrupted."""
        signal.signal(signal.SIGUSR1, self._interrupt)
        os.register_at_fork(after_in_child=self._forked)
        while (frame := self._next()) is not None:
            if frame[0] == REQUEST and not self._serve(unpack_call(frame[1])):
                break
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)  # heard by the front also where a child holds the socket

    def _forked(self) -> None:
        """In a process that the handler forked: it has no part in what we and the front say to each other."""
        self._copy, self._running = True, False
        self._sock.close()
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)

    def _serve(self, call: HandlerCall) -> bool:
        setting = self._setting
        context = Context(call, setting.identity)
        current.set(context)
        self._begun = False
        self._serving = call
        fit = True
        try:
            self._running = True
            if self._interrupted:
                return False
            contextvars.copy_context().run(self._handled, call, context)
            self._running = False
        except Interrupted:
            return False  # a fresh process follows: this one's state is whatever the interruption left
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises
            self._running = False
            fit = self._failed(error, context)
        finally:
            self._running = False
            self._serving = None
            if context.unfinished:
                finish(context)
            current.set(None)
        return fit and not self._interrupted

    def _handled(self, call: HandlerCall, context: Context) -> None:
        """In a context of its own: variables that the handler sets are gone with the request."""
        self._answer(self._setting.handle(call, self._body(call), context))

    def _failed(self, error: BaseException, context: Context) -> bool:
        """Tell of the handler's failure; whether this process can take another request."""
        try:
            logged(error, context)
            fit = not exhausted()
            if not fit:
                self._send(pack(LAST))
            debug = self._setting.debug
            self._send(pack(BROKEN) if self._begun else pack_response(ERROR, *answered(error, context, debug=debug)))
        except BaseException as own:  # noqa: BLE001 - what the user's code replaced is what we would need
            broken(own)
        if not fit:
            tell("this process ends: it has no descriptor left")
        return fit

    def _answer(self, answer: Answer) -> None:
        if isinstance(answer.body, bytes):
            self._running = False  # from here on an interruption would cut our own frame
            self._send(pack_response(OK, answer.status, answer.headers, answer.body))
            return
        if not isinstance(answer.body, Iterator):
            raise Unsuitable("an async generator needs an 'async def' handler, or to be the handler itself")
        try:
            piece = first(answer.body)
            self._begun = True
            self._send(pack_head(answer.status, answer.headers))
            if piece is not None:
                self._send(pack(BODY, piece))
            for each in answer.body:
                self._send(pack(BODY, chunk(each)))
        finally:
            close = getattr(answer.body, "close", None)
            if close is not None:
                close()
        self._running = False
        self._send(pack(END))

    def _body(self, call: HandlerCall) -> Iterator[bytes]:
        if call.body:
            yield call.body
        complete = call.complete
        while not complete and self._serving is call:  # kept beyond its request, it must not take the next one's frames
            frame = self._next()
            if frame is None:  # the front is gone: part of a body must not pass for the whole
                raise Interrupted
            if frame[0] != BODY:
                return
            yield frame[1]

    def _next(self) -> tuple[int, bytes] | None:
        while not self._queue:
            data = self._sock.recv(_READ)
            if not data:
                return None
            self._queue.extend(self._frames.feed(data))
        return self._queue.pop(0)

    def _send(self, data: bytes) -> None:
        if self._copy:  # forked by the handler, it came back instead of ending
            os._exit(0)
        try:
            self._sock.sendall(data)
        except BrokenPipeError:  # the front is gone: nobody needs this process
            os._exit(0)

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        """The front gives no further request to a process that it has told to stop."""
        self._interrupted = True
        if self._running:
            self._running = False
            raise Interrupted
