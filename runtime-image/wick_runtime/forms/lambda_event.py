"""The events of AWS Lambda for a request over HTTP. Pure.

| kind | what AWS puts before the function | path | query values | header names |
|---|---|---|---|---|
| ``url`` | a Function URL, payload format 2.0 | as it came | decoded | lower case |
| ``api-v1`` | API Gateway's REST API, the proxy integration | as it came | decoded | ``Content-Type`` |
| ``api-v2`` | API Gateway's HTTP API, payload format 2.0 | decoded | decoded | lower case |
| ``alb`` | an Application Load Balancer without multi-value headers | as it came | as they came | lower case |
"""

import base64
from collections.abc import Collection
from time import gmtime
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, unquote_plus

from wick_runtime.http.message.refusal import Headers

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TEXT: Final = (
    "text/",
    "application/json",
    "application/xml",
    "application/javascript",
    "application/x-www-form-urlencoded",
)
_ACCOUNT: Final = "000000000000"
_PROXY: Final = "/{proxy+}"


class Received(NamedTuple):
    """A request, and what the platform knows about it."""

    method: str
    path: bytes
    query: bytes
    headers: Headers
    body: bytes
    request_id: str
    function: str
    time: float
    """Seconds of the epoch."""
    resources: Collection[str] = ()
    """The paths that API Gateway is configured with, such as ``/users/{name}``; empty for a proxy of all."""


def event(kind: str, received: Received) -> dict[str, Any]:
    """`kind` is one of `config.LAMBDA_EVENTS`."""
    if kind == "api-v1":
        return _rest(received)
    if kind == "alb":
        return _load_balancer(received)
    path = received.path.decode("latin-1")
    return _format_2(received, unquote(path) if kind == "api-v2" else path, "anonymous" if kind == "url" else _ACCOUNT)


def _format_2(received: Received, path: str, account: str) -> dict[str, Any]:
    fields = {name: ",".join(values) for name, values in _fields(received.headers).items()}
    cookies = [part.strip() for part in fields.pop("cookie", "").split(";") if part.strip()]
    body, encoded = _body(received, fields)
    host = fields.get("host", "")
    found: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": received.query.decode("latin-1"),
        "headers": fields,
        "requestContext": {
            "accountId": account,
            "apiId": received.function,
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": received.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": _source(fields),
                "userAgent": fields.get("user-agent", ""),
            },
            "requestId": received.request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": _time(received.time),
            "timeEpoch": int(received.time * 1000),
        },
        "isBase64Encoded": encoded,
    }
    if cookies:
        found["cookies"] = cookies
    if received.query:
        found["queryStringParameters"] = {name: ",".join(values) for name, values in _query(received.query).items()}
    if body:
        found["body"] = body
    return found


def _rest(received: Received) -> dict[str, Any]:
    lower = _fields(received.headers)
    flat = {name: ",".join(values) for name, values in lower.items()}
    fields = {"-".join(part.capitalize() for part in name.split("-")): values for name, values in lower.items()}
    query = _query(received.query)
    body, encoded = _body(received, flat)
    path = received.path.decode("latin-1")
    resource, parameters = _resource(path, received.resources)
    host = flat.get("host", "")
    return {
        "resource": resource,
        "path": path,
        "httpMethod": received.method,
        "headers": {name: values[-1] for name, values in fields.items()},
        "multiValueHeaders": fields,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": _ACCOUNT,
            "apiId": received.function,
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "extendedRequestId": received.request_id,
            "httpMethod": received.method,
            "identity": {"sourceIp": _source(flat), "userAgent": flat.get("user-agent", "")},
            "path": path,
            "protocol": "HTTP/1.1",
            "requestId": received.request_id,
            "requestTime": _time(received.time),
            "requestTimeEpoch": int(received.time * 1000),
            "resourceId": "",
            "resourcePath": resource,
            "stage": "$default",
        },
        "body": body or None,
        "isBase64Encoded": encoded,
    }


def _load_balancer(received: Received) -> dict[str, Any]:
    fields = {name: values[-1] for name, values in _fields(received.headers).items()}
    body, encoded = _body(received, fields)
    group = f"arn:aws:elasticloadbalancing:local:{_ACCOUNT}:targetgroup/{received.function}/0"
    return {
        "requestContext": {"elb": {"targetGroupArn": group}},
        "httpMethod": received.method,
        "path": received.path.decode("latin-1"),
        "queryStringParameters": dict(_pairs(received.query)),
        "headers": fields,
        "body": body,
        "isBase64Encoded": encoded,
    }


def _resource(path: str, resources: Collection[str]) -> tuple[str, dict[str, str]]:
    """The template a path matches and its parameters; one without parameters goes first, as in API Gateway."""
    parts = path.split("/")
    for resource in sorted(resources, key=lambda each: (each.count("{"), each)):
        names = resource.split("/")
        pairs = list(zip(names, parts, strict=False))
        if len(names) == len(parts) and all(name == part or (_is_parameter(name) and part) for name, part in pairs):
            return resource, {name[1:-1]: unquote(part) for name, part in pairs if _is_parameter(name)}
    return ("/", {}) if path == "/" else (_PROXY, {"proxy": unquote(path[1:])})


def _is_parameter(segment: str) -> bool:
    return segment.startswith("{") and segment.endswith("}")


def _pairs(query: bytes) -> list[tuple[str, str]]:
    """Names and values as they came."""
    parts = (part.partition("=") for part in query.decode("latin-1").split("&") if part)
    return [(name, value) for name, _, value in parts]


def _query(query: bytes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in _pairs(query):
        found.setdefault(unquote_plus(name), []).append(unquote_plus(value))
    return found


def _fields(headers: Headers) -> dict[str, list[str]]:
    """Values by name, in lower case; several lines of cookies are one (RFC 6265, 5.4)."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    if "cookie" in found:
        found["cookie"] = ["; ".join(found["cookie"])]
    return found


def _source(fields: dict[str, str]) -> str:
    return fields.get("x-forwarded-for", "").split(",")[0].strip() or "127.0.0.1"


def _time(seconds: float) -> str:
    """``28/Nov/2026:09:05:00 +0000``; `strftime` would write the months of the process's locale."""
    at = gmtime(seconds)
    return f"{at.tm_mday:02}/{_MONTHS[at.tm_mon - 1]}/{at.tm_year}:{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} +0000"


def _body(received: Received, fields: dict[str, str]) -> tuple[str, bool]:
    """The body as text, and whether that is base64."""
    body = received.body
    if not body or _is_text(fields.get("content-type", ""), fields.get("content-encoding", ""), body):
        return body.decode(), False
    return base64.b64encode(body).decode(), True


def _is_text(kind: str, coding: str, body: bytes) -> bool:
    if coding or not (kind.lower().startswith(_TEXT) or "charset=" in kind.lower() or "+json" in kind.lower()):
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
