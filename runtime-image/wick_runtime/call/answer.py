"""From what a handler returned to what goes over the wire.

| returned | status | content type |
|---|---|---|
| ``None`` | 204 | none |
| ``str`` | 200 | ``text/plain; charset=utf-8`` |
| ``bytes`` | 200 | ``application/octet-stream`` |
| ``dict``, ``list``, number, ``bool`` | 200 | ``application/json`` |
| ``(body, status)``, ``(body, status, headers)`` | as said | by the body, unless the headers say |
| `Response` | as said | by the body, unless the headers say |
| iterator, generator, async iterator | 200 | ``application/octet-stream``, streamed; ``str`` pieces as UTF-8 |
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from json import JSONEncoder
from typing import Any, Final, NamedTuple

from wick_runtime.http.head import checked
from wick_runtime.http.message.refusal import Headers

TEXT: Final[Headers] = [(b"content-type", b"text/plain; charset=utf-8")]
_BYTES = (b"content-type", b"application/octet-stream")
_JSON = (b"content-type", b"application/json")
_LONGEST_TUPLE = 3
_encode = JSONEncoder(ensure_ascii=False, allow_nan=False).encode

Body = bytes | Iterator[Any] | AsyncIterator[Any]


class Unsuitable(TypeError):
    """A handler returned what cannot be sent; the message says what could be."""


class Response:
    """What a handler returns to say more than a body."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self, body: Any = b"", status: int = 200, headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    ) -> None:
        self.body = body
        self.status = status
        self.headers = headers


class Answer(NamedTuple):
    """A response ready to send."""

    status: int
    headers: Headers
    body: Body


def answer(result: Any) -> Answer:
    """Raises `Unsuitable`, or `InvalidHeader`, naming what is wrong."""
    kind = type(result)
    if kind is str:
        return Answer(200, TEXT, result.encode())
    if kind is tuple:
        return _of_tuple(result)
    if isinstance(result, Response):
        return _assembled(result.body, result.status, result.headers)
    headers, body = _body(result)
    return Answer(204 if result is None else 200, headers, body)


def chunk(piece: Any) -> bytes:
    """One piece of a streamed body."""
    if isinstance(piece, bytes):
        return piece
    if isinstance(piece, str):
        return piece.encode()
    if isinstance(piece, bytearray | memoryview):
        return bytes(piece)
    raise Unsuitable(f"a streamed piece must be str or bytes, not {type(piece).__name__}")


def as_json(value: Any) -> bytes:
    """RFC 8259, section 6: NaN and Infinity are no JSON, though Python's module writes them."""
    try:
        text = _encode(value)
    except ValueError as error:
        raise Unsuitable(f"the value cannot be sent as JSON, which has no NaN, Infinity or cycles: {error}") from error
    return text.encode()


def first(pieces: Iterator[Any]) -> bytes | None:
    """The first piece of a stream, before the head is sent: what is raised until then is a 500. None at the end."""
    for piece in pieces:
        return chunk(piece)
    return None


def _of_tuple(result: tuple[Any, ...]) -> Answer:
    if not 1 < len(result) <= _LONGEST_TUPLE:
        raise Unsuitable("a returned tuple is (body, status) or (body, status, headers)")
    return _assembled(*result)


def _assembled(body: Any, status: Any, headers: Any = ()) -> Answer:
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:  # noqa: PLR2004 - final ones
        raise Unsuitable(f"the status must be a whole number from 200 to 599, not {status!r}")
    implied, content = _body(body)
    given = checked(encoded(headers))
    names = {name.lower() for name, _ in given}
    given = [pair for pair in given if pair[0].lower() != b"content-length" or not isinstance(content, bytes)]
    return Answer(int(status), given if b"content-type" in names else implied + given, content)


def encoded(headers: Mapping[str, Any] | Sequence[tuple[str, Any]] | None) -> Headers:
    """Headers as bytes, from a mapping (a list of values repeats the field) or pairs."""
    found: Headers = []
    for name, value in headers.items() if isinstance(headers, Mapping) else headers or ():
        for one in value if isinstance(value, list | tuple) else (value,):
            found.append((_bytes(name), _bytes(one)))
    return found


def _bytes(text: Any) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode("latin-1", "strict")


def _body(result: Any) -> tuple[Headers, Body]:
    if isinstance(result, str):
        return TEXT, result.encode()
    if result is None:
        return [], b""
    if isinstance(result, bytes | bytearray | memoryview):
        return [_BYTES], bytes(result)
    if isinstance(result, dict | list | int | float):
        return [_JSON], as_json(result)
    if isinstance(result, Iterator | AsyncIterator):
        return [_BYTES], result
    raise Unsuitable(
        f"the handler returned {type(result).__name__}; it may return str, bytes, dict, list, a number, None, "
        "(body, status), (body, status, headers), Response or a generator"
    )
