"""AWS Lambda handlers: ``lambda_handler(event, context)``, with the event of what `spec.lambda.event` names.

A body that is itself a Lambda event (content type ``application/json`` and no ``http`` in sight) is not guessed at:
what arrives over HTTP becomes an event of HTTP. With the header ``Kubewick-Lambda-Payload: raw`` the body's JSON
is the event and the returned value the body's JSON, for queue consumers; ``batchItemFailures`` goes through intact.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from wick_runtime.call.answer import Answer, answer
from wick_runtime.call.frame import HandlerCall
from wick_runtime.call.request import split
from wick_runtime.forms.lambda_event import Received, event
from wick_runtime.forms.lambda_response import raw, response
from wick_runtime.http.message.refusal import bad_request
from wick_runtime.run.context import Context
from wick_runtime.run.handler_process import Handle

RAW: Final = b"kubewick-lambda-payload"


class ClientContext:
    """As the AWS runtime has it."""

    __slots__ = ("client", "custom", "env")

    def __init__(self) -> None:
        self.custom = None
        self.env = None
        self.client = None


class CognitoIdentity:
    """As the AWS runtime has it."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self) -> None:
        self.cognito_identity_id = None
        self.cognito_identity_pool_id = None


class LambdaContext:
    """The context object of AWS's Python runtime, with this platform's facts."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.aws_request_id = context.request_id
        self.function_name = context.function
        self.function_version = context.revision or "$LATEST"
        self.invoked_function_arn = f"arn:aws:lambda:local:{context.namespace or 'default'}:function:{context.function}"
        self.memory_limit_in_mb = str(memory_limit() // 1_048_576)
        self.log_group_name = f"/kubewick/{context.namespace}/{context.function}"
        self.log_stream_name = os.uname().nodename
        self.identity = CognitoIdentity()
        self.client_context = None
        self.tenant_id = None

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the work is stopped."""
        return int(self._context.remaining_time() * 1000)

    def log(self, message: object) -> None:
        """Write a line to the log."""
        print(message)  # noqa: T201 - standard output is the function's log

    def __repr__(self) -> str:
        return f"LambdaContext([aws_request_id={self.aws_request_id},function_name={self.function_name}])"


def memory_limit() -> int:
    """Bytes the container may use, by its cgroup; all of the machine's where there is no limit."""
    try:
        with open("/sys/fs/cgroup/memory.max", "rb") as file:  # noqa: PTH123 - pathlib costs 5 ms to import
            text = file.read().strip()
    except OSError:
        text = b"max"
    return int(text) if text.isdigit() else os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def in_process(handler: Callable[[Any, Any], Any], kind: str) -> Handle:
    """A Lambda handler for a process of its own, as Lambda runs it; `kind` is one of `config.LAMBDA_EVENTS`."""
    resources = _resources(handler)

    def run(call: HandlerCall, body: Iterator[bytes], context: Context) -> Answer:
        data = b"".join(body)
        if any(name == RAW and value == b"raw" for name, value in call.headers):
            try:
                given = json.loads(data or b"null")
            except ValueError as error:
                refusal = bad_request(f"the body is no JSON, as {RAW.decode()}: raw asks for: {error}")
                return Answer(400, refusal.headers(), refusal.body(context.function, context.request_id))
            return answer(raw(handler(given, LambdaContext(context))))
        path, query = split(call.target)
        received = Received(
            call.method, path, query, call.headers, data, context.request_id, context.function, time.time(), resources
        )
        return answer(response(handler(event(kind, received), LambdaContext(context)), kind))

    return run


def _resources(handler: Any) -> tuple[str, ...]:
    """The routes of an object that tells them (Chalice's application): API Gateway is configured from these."""
    routes = getattr(handler, "routes", None)
    return tuple(each for each in routes if isinstance(each, str)) if isinstance(routes, dict) else ()
