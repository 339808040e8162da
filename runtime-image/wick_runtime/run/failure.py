"""What an exception of the user's code becomes: a 500 with its type and message, and a record in the log."""

import json
import os
from types import TracebackType

from wick_runtime.http.message.refusal import Headers
from wick_runtime.run.context import Context

_DEPARTURES = frozenset(
    (
        "CancelledError",
        "ClientDisconnect",
        "ClientDisconnected",
        "Disconnected",
        "RequestAborted",
        "WebSocketDisconnect",
    )
)
"""Ours and asyncio's for a client that left, and what frameworks make of the message ``http.disconnect``."""


def answered(error: BaseException, context: Context, *, debug: bool) -> tuple[int, Headers, bytes]:
    """The 500 answer; with `debug` the traceback goes with it."""
    kind = type(error).__name__
    body: dict[str, object] = {
        "code": "function-error",
        "message": f"{kind}: {text(error)}".removesuffix(": "),
        "type": kind,
        "function": context.function,
        "requestId": context.request_id,
    }
    if debug:
        body["traceback"] = trace(error)
    return 500, [(b"content-type", b"application/json")], json.dumps({"error": body}).encode()


def logged(error: BaseException, context: Context) -> None:
    """Write one record with the exception itself, so that handlers of `logging` see its type and its frames.

    The function's own handlers run here, and may raise anything: then the exception's name is all that is written.
    """
    kind = type(error).__name__
    try:
        import logging  # noqa: PLC0415 - loaded already in a worker; kept out of the processes that need none

        about = {"request_id": context.request_id, **context.identity._asdict()}
        found = (type(error), error, own_frames(error))
        logging.getLogger("wick_runtime").error("the handler raised %s", kind, exc_info=found, extra=about)
    except BaseException as again:  # noqa: BLE001 - see above
        said = f"wick_runtime: the handler raised {kind}: {text(error)}; logging it raised {type(again).__name__}\n"
        os.write(2, said.encode("utf-8", "backslashreplace"))


def departed(error: BaseException) -> bool:
    """Whether an exception raised after the client has left says no more than that."""
    found: BaseException | None = error
    for _ in range(16):  # a chain of causes may be a circle
        if found is None:
            return False
        if isinstance(found, BaseExceptionGroup):
            return all(map(departed, found.exceptions))
        if type(found).__name__ in _DEPARTURES:
            return True
        found = found.__cause__
    return False


def text(error: BaseException) -> str:
    """What it says, which its class may refuse to."""
    try:
        return str(error)
    except BaseException as again:  # noqa: BLE001 - the user's `__str__`
        return f"(its __str__ raised {type(again).__name__})"


def trace(error: BaseException) -> str:
    """The traceback without the runtime's own frames at its start."""
    import traceback  # noqa: PLC0415 - 3 ms that a function without a fault does not need

    try:
        return "".join(traceback.format_exception(type(error), error, own_frames(error))).rstrip("\n")
    except BaseException as again:  # noqa: BLE001 - the user's `__str__` or `__repr__`
        return f"(formatting it raised {type(again).__name__})"


def own_frames(error: BaseException) -> TracebackType | None:
    """The traceback from the first frame that is not the runtime's; all of it where every one is."""
    tb = error.__traceback__
    while tb is not None and str(tb.tb_frame.f_globals.get("__name__", "")).startswith("wick_runtime"):
        tb = tb.tb_next
    return tb or error.__traceback__
