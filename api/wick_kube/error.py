"""What the API server says when it refuses, as a small tree: catch the case you can answer."""

from http import HTTPStatus

import msgspec


class ApiError(Exception):
    """The API server answered with an error; `reason` and `message` are its own words."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


class ApiNotFound(ApiError):
    """404: no such object, or no such kind."""


class ApiConflict(ApiError):
    """409: somebody else changed, created or owns it first."""


class Gone(ApiError):
    """410: the resource version is too old to continue from; list again."""


class ApiRefused(ApiError):
    """400, 403, 422 and some 500s: the request itself is wrong, forbidden or invalid; repeating it will not help."""


class Throttled(ApiError):
    """429: not executed; safe to repeat after `retry_after` seconds."""


class ApiUnreachable(Exception):
    """The API server could not be reached, or the connection broke: whether the call took effect is unknown."""


_BY_STATUS = {
    HTTPStatus.BAD_REQUEST: ApiRefused,
    HTTPStatus.FORBIDDEN: ApiRefused,
    HTTPStatus.NOT_FOUND: ApiNotFound,
    HTTPStatus.CONFLICT: ApiConflict,
    HTTPStatus.GONE: Gone,
    HTTPStatus.UNPROCESSABLE_ENTITY: ApiRefused,
    HTTPStatus.TOO_MANY_REQUESTS: Throttled,
}


_REFUSED_AS_500 = (
    "failed to create typed patch object",  # server-side apply: a key twice in a map list, a field nobody declares
    "etcdserver: request is too large",
    "trying to send message larger than max",
)
"""How messages begin, or what they hold, of 500s that are the request's own fault: repeating it will not help."""


class Status(msgspec.Struct, frozen=True):
    """The part of a metav1.Status that says what went wrong."""

    code: int = 0
    reason: str = ""
    message: str = ""


def from_status(status: Status, retry_after: float | None = None) -> ApiError:
    """The error a metav1.Status describes."""
    kind = _BY_STATUS.get(HTTPStatus(status.code), ApiError) if status.code in _BY_STATUS else ApiError
    if status.code == HTTPStatus.INTERNAL_SERVER_ERROR and any(said in status.message for said in _REFUSED_AS_500):
        kind = ApiRefused
    return kind(status.code, status.reason, status.message, retry_after)


def from_response(code: int, body: bytes, retry_after: str | None) -> ApiError:
    """The error an HTTP answer describes, whether or not its body is a metav1.Status."""
    try:
        status = msgspec.json.decode(body, type=Status)
    except (msgspec.DecodeError, msgspec.ValidationError):
        status = Status(message=body[:500].decode(errors="replace"))
    seconds = float(retry_after) if retry_after is not None and retry_after.isdigit() else None
    return from_status(Status(code, status.reason or str(code), status.message), seconds)
