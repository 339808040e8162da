"""What an exception of the user's code becomes: a 500 with its type and message, and a traceback in the log."""

import json
import sys

from wick_runtime.context import Context
from wick_runtime.http.refusal import Headers


def answered(error: BaseException, context: Context, *, debug: bool) -> tuple[int, Headers, bytes]:
    """The 500 answer; with `debug` the traceback goes with it."""
    body: dict[str, object] = {
        "code": "function-error",
        "message": f"{type(error).__name__}: {error}".removesuffix(": "),
        "type": type(error).__name__,
        "function": context.function,
        "requestId": context.request_id,
    }
    if debug:
        body["traceback"] = trace(error)
    return 500, [(b"content-type", b"application/json")], json.dumps({"error": body}).encode()


def logged(error: BaseException) -> None:
    """Write the traceback to the log, as one record."""
    import logging  # noqa: PLC0415 - loaded already in a worker; kept out of the processes that need none

    logging.getLogger("wick_runtime").error("%s", trace(error))


def trace(error: BaseException) -> str:
    """The traceback without the runtime's own frames at its start."""
    import traceback  # noqa: PLC0415 - 3 ms that a function without a fault does not need

    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_globals.get("__name__", "").startswith("wick_runtime"):
        tb = tb.tb_next
    return "".join(traceback.format_exception(type(error), error, tb or error.__traceback__)).rstrip("\n")


def show(message: str) -> None:
    """One line of the runtime's own on standard error."""
    sys.stderr.write(message + "\n")
