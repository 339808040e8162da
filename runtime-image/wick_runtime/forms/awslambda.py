"""AWS Lambda handlers: ``lambda_handler(event, context)`` with the Function URL payload, format 2.0, both ways.

A body that is itself a Lambda event (content type ``application/json`` and no ``http`` in sight) is not guessed at:
what arrives over HTTP becomes a Function URL event. With the header ``Kubewick-Lambda-Payload: raw`` the body's JSON
is the event and the returned value the body's JSON, for queue consumers; ``batchItemFailures`` goes through intact.
"""

import base64
import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import unquote

from wick_runtime.call.answer import Answer, Response, answer
from wick_runtime.call.frame import HandlerCall
from wick_runtime.call.request import split
from wick_runtime.http.message.refusal import Headers
from wick_runtime.run.context import Context
from wick_runtime.run.handler_process import Handle

RAW: Final = b"kubewick-lambda-payload"
_TEXT: Final = (
    "text/",
    "application/json",
    "application/xml",
    "application/javascript",
    "application/x-www-form-urlencoded",
)


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


def in_process(handler: Callable[[Any, Any], Any]) -> Handle:
    """A Lambda handler for a process of its own, as Lambda runs it."""

    def run(call: HandlerCall, body: Iterator[bytes], context: Context) -> Answer:
        data = b"".join(body)
        if any(name == RAW and value == b"raw" for name, value in call.headers):
            returned = handler(json.loads(data or b"null"), LambdaContext(context))
            return answer(Response(json.dumps(returned).encode(), 200, {"content-type": "application/json"}))
        return answer(response(handler(event(call, data, context), LambdaContext(context))))

    return run


def event(call: HandlerCall, body: bytes, context: Context) -> dict[str, Any]:
    """The Function URL event of a request."""
    path, query = split(call.target)
    fields = _fields(call.headers)
    cookies = [part.strip() for part in fields.pop("cookie", "").split(";") if part.strip()]
    encoded = bool(body) and not _is_text(fields.get("content-type", ""), fields.get("content-encoding", ""), body)
    now = time.time()
    host = fields.get("host", "")
    found: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": unquote(path.decode("latin-1")),
        "rawQueryString": query.decode("latin-1"),
        "headers": fields,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": context.function,
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": call.method,
                "path": unquote(path.decode("latin-1")),
                "protocol": "HTTP/1.1",
                "sourceIp": fields.get("x-forwarded-for", "").split(",")[0].strip() or "127.0.0.1",
                "userAgent": fields.get("user-agent", ""),
            },
            "requestId": context.request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": encoded,
    }
    if cookies:
        found["cookies"] = cookies
    if query:
        found["queryStringParameters"] = parameters(query)
    if body:
        found["body"] = base64.b64encode(body).decode() if encoded else body.decode()
    return found


def parameters(query: bytes) -> dict[str, str]:
    """Query parameters; values of one name are joined with a comma, as the payload format says."""
    found: dict[str, str] = {}
    for part in query.decode("latin-1").split("&"):
        name, _, value = part.partition("=")
        if part:
            key, text = unquote(name.replace("+", " ")), unquote(value.replace("+", " "))
            found[key] = f"{found[key]},{text}" if key in found else text
    return found


def response(returned: Any) -> Response:
    """What a handler returned, by the rules of format 2.0: without a ``statusCode`` all of it is the JSON body."""
    if not isinstance(returned, dict) or "statusCode" not in returned:
        whole = returned if isinstance(returned, str) else json.dumps(returned)
        return Response(whole.encode(), 200, {"content-type": "application/json"})
    body = returned.get("body", "")
    if not isinstance(body, str | bytes):
        body = json.dumps(body)
    content = body.encode() if isinstance(body, str) else body
    if returned.get("isBase64Encoded"):
        content = base64.b64decode(content)
    headers: list[tuple[str, str]] = [(name, str(value)) for name, value in (returned.get("headers") or {}).items()]
    for name, values in (returned.get("multiValueHeaders") or {}).items():
        headers += [(name, str(value)) for value in values]
    headers += [("set-cookie", cookie) for cookie in returned.get("cookies") or ()]
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("content-type", "application/json"))
    return Response(content, int(returned["statusCode"]), headers)


def _fields(headers: Headers) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers:
        key, content = name.decode("latin-1"), value.decode("latin-1")
        joint = "; " if key == "cookie" else ","
        found[key] = found[key] + joint + content if key in found else content
    return found


def _is_text(kind: str, coding: str, body: bytes) -> bool:
    if coding or not (kind.lower().startswith(_TEXT) or "charset=" in kind.lower() or "+json" in kind.lower()):
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
