"""From what a Lambda handler returned to a response, as a Function URL, API Gateway or a load balancer reads it."""

import base64
from collections.abc import Iterator
from typing import Any, Final

from wick_runtime.call.answer import Response, Unsuitable
from wick_runtime.forms.lambda_json import encode, fields

_JSON: Final = {"content-type": "application/json"}
_INFERRED: Final = ("url", "api-v2")
"""Payload format 2.0: whatever has no ``statusCode`` is the body of a 200."""


def raw(returned: Any) -> Response:
    """The value itself, for a caller that speaks no HTTP."""
    return Response(returned if isinstance(returned, bytes) else encode(returned), 200, _JSON)


def response(returned: Any, kind: str) -> Response:
    """Raises `Unsuitable` for what AWS answers with a 502."""
    returned = fields(returned)
    if not isinstance(returned, dict) or returned.get("statusCode") is None:
        if kind not in _INFERRED:
            raise Unsuitable(
                f"with spec.lambda.event: {kind} a handler returns a dict with statusCode, as AWS has it; "
                f"this one returned {type(returned).__name__}"
            )
        return Response(returned.encode(), 200, _JSON) if isinstance(returned, str) else raw(returned)
    encode({name: value for name, value in returned.items() if name != "body"})  # all of it has to be JSON
    headers = list(_headers(returned))
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers += _JSON.items()
    return Response(_body(returned), _status(returned["statusCode"]), headers)


def _status(given: Any) -> int:
    try:
        return int(given)
    except (TypeError, ValueError):
        raise Unsuitable(f"statusCode is {given!r}, not a whole number") from None


def _body(returned: dict[str, Any]) -> bytes:
    body = returned.get("body")
    if body is None:
        return b""
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else encode(body)
    if not returned.get("isBase64Encoded"):
        return content
    try:
        return base64.b64decode(content)
    except ValueError as error:
        raise Unsuitable(f"isBase64Encoded is set, and the body is no base64: {error}") from error


def _headers(returned: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Both kinds together, a pair that stands in both once, as API Gateway merges them."""
    several = [
        (str(name), _text(value))
        for name, values in (returned.get("multiValueHeaders") or {}).items()
        for value in ([values] if isinstance(values, str) else values or ())
    ]
    for name, value in (returned.get("headers") or {}).items():
        if (str(name), _text(value)) not in several:
            yield str(name), _text(value)
    yield from several
    yield from (("set-cookie", _text(cookie)) for cookie in returned.get("cookies") or ())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else encode(value).decode()
