"""Calls handlers of CloudEvents: ``handle(event, context)``, once for each event of the request.

A returned event is sent as one, in the mode the request had; anything else is answered as a native handler's.

Of a batch the events are handled one after another. Returned events are answered together, as a batch; where there
are none the answer is a 204. The first that is answered with a status of 400 and above, or raises, ends the batch:
that is the answer, what follows is not handled, and a sender that repeats the batch repeats what was handled as well.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from wick_runtime.call.answer import Answer, Unsuitable, answer, chunk
from wick_runtime.call.frame import HandlerCall
from wick_runtime.call.interface import Form
from wick_runtime.forms.cloudevent import STRUCTURED, CloudEvent, NotAnEvent, decode, encode, encode_batch
from wick_runtime.forms.cloudevent_sdk import Convert, conversion
from wick_runtime.forms.native import adapt, send
from wick_runtime.http.message.refusal import Headers, bad_request
from wick_runtime.run.async_handlers import AsyncRun
from wick_runtime.run.async_handlers import Call as InLoop
from wick_runtime.run.context import Context
from wick_runtime.run.handler_process import Handle

_FAILURE = 400
"""Statuses from here on end a batch."""


def in_loop(handler: Callable[..., Any], form: Form) -> InLoop:
    """An asynchronous handler of events."""
    handle, convert = adapt(handler, form.arity), conversion(handler)

    async def call(run: AsyncRun) -> None:
        exchange = run.exchange
        try:
            events, many = _received(exchange.headers, exchange.take_body(), convert)
        except NotAnEvent as problem:
            exchange.refuse(bad_request(str(problem)))
            return
        replies = []
        for event in events:
            result = handle(event, run.context)
            result = await result if hasattr(result, "__await__") else result
            if not many:
                await send(run, _answered(result, exchange.headers))
                return
            reply = _of_batch(result)
            if isinstance(reply, Answer) and reply.status >= _FAILURE:
                await send(run, reply)
                return
            if isinstance(reply, Answer) and isinstance(reply.body, AsyncIterator):
                async for piece in reply.body:
                    chunk(piece)
            replies.append(reply)
        await send(run, _together(replies))

    return call


def in_process(handler: Callable[..., Any], form: Form) -> Handle:
    """A synchronous handler of events."""
    handle, convert = adapt(handler, form.arity), conversion(handler)

    def run(call: HandlerCall, body: Iterator[bytes], context: Context) -> Answer:
        try:
            events, many = _received(call.headers, b"".join(body), convert)
        except NotAnEvent as problem:
            refusal = bad_request(str(problem))
            return Answer(400, refusal.headers(), refusal.body(context.function, context.request_id))
        replies = []
        for event in events:
            result = handle(event, context)
            if not many:
                return _answered(result, call.headers)
            reply = _of_batch(result)
            if isinstance(reply, Answer) and reply.status >= _FAILURE:
                return reply
            if isinstance(reply, Answer) and isinstance(reply.body, AsyncIterator):
                raise Unsuitable("an async generator needs an 'async def' handler")
            replies.append(reply)
        return _together(replies)

    return run


def _received(headers: Headers, body: bytes, convert: Convert) -> tuple[list[Any], bool]:
    """The events as the handler takes them, and whether they came as a batch."""
    received = decode(headers, body)
    if isinstance(received, list):
        return [convert(event) for event in received], True
    return [convert(received)], False


def _answered(result: Any, headers: Headers) -> Answer:
    kind = next((value for name, value in headers if name == b"content-type"), b"").decode("latin-1")
    event = as_event(result)
    if event is None:
        return answer(result)
    return answer(encode(event, structured=kind.lower().startswith(STRUCTURED)))


def _of_batch(result: Any) -> CloudEvent | Answer:
    """What one event of a batch came to; a stream is run to its end, since nobody gets it."""
    event = as_event(result)
    if event is not None:
        return event
    reply = answer(result)
    if reply.status < _FAILURE and isinstance(reply.body, Iterator):
        for piece in reply.body:
            chunk(piece)
    return reply


def _together(replies: list[CloudEvent | Answer]) -> Answer:
    events = [reply for reply in replies if isinstance(reply, CloudEvent)]
    return answer(encode_batch(events) if events else None)


def as_event(result: Any) -> CloudEvent | None:
    """Our event, or one of the ``cloudevents`` package; None for anything else."""
    if isinstance(result, CloudEvent):
        return result
    if hasattr(result, "get_attributes") and hasattr(result, "get_data"):
        return CloudEvent(result.get_attributes(), result.get_data())
    return None
