"""Calls native handlers: ``handle(request, context)`` and its shorter forms."""

from collections.abc import AsyncIterator, Callable, Iterator
from types import CoroutineType
from typing import Any

from wick_runtime.call.answer import TEXT, Answer, answer, chunk, first
from wick_runtime.call.frame import HandlerCall
from wick_runtime.call.interface import Form
from wick_runtime.call.request import Request, StreamingRequest
from wick_runtime.run.async_handlers import AsyncRun
from wick_runtime.run.async_handlers import Call as InLoop
from wick_runtime.run.context import Context
from wick_runtime.run.handler_process import Handle


def adapt(handler: Callable[..., Any], arity: int) -> Callable[[Any, Any], Any]:
    """The handler with two parameters, whatever it has."""
    if arity == 0:
        return lambda _request, _context: handler()
    if arity == 1:
        return lambda request, _context: handler(request)
    return handler


def in_loop(handler: Callable[..., Any], form: Form) -> InLoop:
    """An asynchronous native handler as the event loop's application."""
    handle = adapt(handler, form.arity)
    streams = form.streams

    async def call(run: AsyncRun) -> None:
        exchange = run.exchange
        if streams:
            run.seed()
            request: Request = StreamingRequest(exchange.method, exchange.target, exchange.headers, incoming(run))
        else:
            request = Request(exchange.method, exchange.target, exchange.headers, exchange.take_body())
        result = handle(request, run.context)
        if type(result) is CoroutineType or hasattr(result, "__await__"):
            result = await result
        if type(result) is str:  # the commonest answer, without the steps the others need
            exchange.respond(200, TEXT, result.encode())
        else:
            await send(run, answer(result))

    return call


async def incoming(run: AsyncRun) -> AsyncIterator[bytes]:
    """The body as it arrives."""
    while piece := await run.receive():
        yield piece


async def send(run: AsyncRun, ready: Answer) -> None:
    """Whole or in pieces; a stream whose client left is closed, so that its ``finally`` runs now."""
    exchange = run.exchange
    if isinstance(ready.body, bytes):
        exchange.respond(ready.status, ready.headers, ready.body)
        return
    if isinstance(ready.body, Iterator):
        begin = first(ready.body)
        exchange.start(ready.status, ready.headers)
        exchange.write(begin or b"")
        for piece in ready.body:
            await run.drained()
            exchange.write(chunk(piece))
        await run.drained()
    else:
        try:
            await _pieces(run, ready, ready.body)
        finally:
            await _close(ready.body)
    exchange.end()


async def _pieces(run: AsyncRun, ready: Answer, body: AsyncIterator[Any]) -> None:
    """The head goes out with the first piece, so that what is raised before it is a 500."""
    exchange = run.exchange
    begun = False
    async for piece in body:
        data = chunk(piece)
        if not begun:
            begun = True
            exchange.start(ready.status, ready.headers)
        exchange.write(data)
        await run.drained()
    if not begun:
        exchange.start(ready.status, ready.headers)


async def _close(stream: AsyncIterator[Any]) -> None:
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()


def in_process(handler: Callable[..., Any], form: Form) -> Handle:
    """A synchronous native handler for a process of its own."""
    handle = adapt(handler, form.arity)

    def run(call: HandlerCall, body: Iterator[bytes], context: Context) -> Answer:
        if form.streams:
            request: Request = StreamingRequest(call.method, call.target, call.headers, body)
        else:
            request = Request(call.method, call.target, call.headers, b"".join(body))
        return answer(handle(request, context))

    return run
