"""Calls handlers of CloudEvents: ``handle(event, context)``, once for each event of the request.

A returned event is sent as one, in the mode the request had; anything else is answered as a native handler's.
"""

from collections.abc import Callable, Iterator
from typing import Any

from wick_runtime.call.answer import Answer, answer
from wick_runtime.call.frame import HandlerCall
from wick_runtime.call.interface import Form
from wick_runtime.forms.cloudevent import BATCHED, STRUCTURED, CloudEvent, NotAnEvent, decode, encode, encode_batch
from wick_runtime.forms.native import adapt, send
from wick_runtime.http.message.refusal import Headers, bad_request
from wick_runtime.run.async_handlers import AsyncRun
from wick_runtime.run.async_handlers import Call as InLoop
from wick_runtime.run.context import Context
from wick_runtime.run.handler_process import Handle


def in_loop(handler: Callable[..., Any], form: Form) -> InLoop:
    """An asynchronous handler of events."""
    handle = adapt(handler, form.arity)

    async def call(run: AsyncRun) -> None:
        exchange = run.exchange
        try:
            received = decode(exchange.headers, exchange.take_body())
        except NotAnEvent as problem:
            exchange.refuse(bad_request(str(problem)))
            return
        many = isinstance(received, list)
        results = []
        for one in received if isinstance(received, list) else [received]:
            result = handle(one, run.context)
            results.append(await result if hasattr(result, "__await__") else result)
        await send(run, replied(results, exchange.headers, many=many))

    return call


def in_process(handler: Callable[..., Any], form: Form) -> Handle:
    """A synchronous handler of events."""
    handle = adapt(handler, form.arity)

    def run(call: HandlerCall, body: Iterator[bytes], context: Context) -> Answer:
        try:
            received = decode(call.headers, b"".join(body))
        except NotAnEvent as problem:
            refusal = bad_request(str(problem))
            return Answer(400, refusal.headers(), refusal.body(context.function, context.request_id))
        if isinstance(received, list):
            return replied([handle(one, context) for one in received], call.headers, many=True)
        return replied([handle(received, context)], call.headers, many=False)

    return run


def replied(results: list[Any], headers: Headers, *, many: bool) -> Answer:
    """The answer to one event or to a batch."""
    kind = next((value for name, value in headers if name == b"content-type"), b"").decode("latin-1")
    if many:
        events = [event for event in map(as_event, results) if event is not None]
        return answer(encode_batch(events) if events else None)
    event = as_event(results[0])
    if event is None:
        return answer(results[0])
    return answer(encode(event, structured=kind.startswith((STRUCTURED, BATCHED))))


def as_event(result: Any) -> CloudEvent | None:
    """Our event, or one of the ``cloudevents`` package; None for anything else."""
    if isinstance(result, CloudEvent):
        return result
    if hasattr(result, "get_attributes") and hasattr(result, "get_data"):
        return CloudEvent(result.get_attributes(), result.get_data())
    return None
