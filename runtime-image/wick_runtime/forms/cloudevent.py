"""CloudEvents 1.0 over HTTP: binary, structured and batched mode, in and out. No IO.

An own codec of the two hundred lines it takes, because the ``cloudevents`` package is in the middle of a rewrite and
the versions people's code pins would clash with ours.
"""

import base64
import codecs
import json
import uuid
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote

from wick_runtime.call.answer import Response, as_json
from wick_runtime.http.message.refusal import Headers

STRUCTURED: Final = "application/cloudevents+json"
BATCHED: Final = "application/cloudevents-batch+json"
REQUIRED: Final = ("id", "source", "type", "specversion")
_NO_CHARSETS: Final = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"})
"""Encodings of Python alone; some take time that grows with the square of the text."""
_UNESCAPED: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


class NotAnEvent(ValueError):
    """The request carries no valid event; the message says what is missing."""


class CloudEvent:
    """One event: attributes by name (``event["type"]``, ``event.type``) and ``data``.

    `data` is the parsed JSON where the content type says JSON, text for ``text/*``, else bytes; bytes also where the
    charset is unknown, or the data is not in it.
    """

    def __init__(self, attributes: Mapping[str, Any], data: Any = None) -> None:
        given = {name.lower(): value for name, value in attributes.items() if value is not None}
        given.setdefault("specversion", "1.0")
        given.setdefault("id", str(uuid.uuid4()))
        missing = [name for name in REQUIRED if not given.get(name)]
        if missing:
            raise NotAnEvent(f"the event has no {', '.join(missing)}")
        if given["specversion"] != "1.0":
            raise NotAnEvent(f"specversion {given['specversion']!r} is not 1.0")
        bad = [name for name in given if not (name.isascii() and name.isalnum())]
        if bad:
            raise NotAnEvent(f"{bad[0]!r} is not an attribute's name: lower-case letters and digits")
        self.attributes: dict[str, Any] = given
        self.data = data

    def __getitem__(self, name: str) -> Any:
        return self.attributes[name]

    def __contains__(self, name: object) -> bool:
        return name in self.attributes

    def get(self, name: str, default: Any = None) -> Any:
        return self.attributes.get(name, default)

    def get_attributes(self) -> dict[str, Any]:
        """As the ``cloudevents`` package calls it."""
        return self.attributes

    def get_data(self) -> Any:
        """As the ``cloudevents`` package calls it."""
        return self.data

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["attributes"][name]
        except KeyError:
            raise AttributeError(f"the event has no attribute {name!r}") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CloudEvent) and (self.attributes, self.data) == (other.attributes, other.data)

    __hash__ = None  # type: ignore[assignment] # events are mutable

    def __repr__(self) -> str:
        return f"CloudEvent({self.attributes!r}, {self.data!r})"


def decode(headers: Headers, body: bytes) -> CloudEvent | list[CloudEvent]:
    """The event of a request, or the list of a batch; raises `NotAnEvent`."""
    fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    kind = fields.get("content-type", "").partition(";")[0].strip().lower()
    if kind in (STRUCTURED, BATCHED):
        whole = _json(body, fields["content-type"])
        if isinstance(whole, bytes):
            raise NotAnEvent(f"the body is not in the charset {_charset(fields['content-type'])!r}, or that is unknown")
    if kind == STRUCTURED:
        return _structured(whole)
    if kind == BATCHED:
        batch = whole
        if not isinstance(batch, list):
            raise NotAnEvent("a batch is a JSON array")
        return [_structured(one) for one in batch]
    attributes = {name[3:]: _unescaped(value) for name, value in fields.items() if name.startswith("ce-")}
    if not attributes:
        raise NotAnEvent(
            "there are neither ce- headers nor a body of type application/cloudevents+json "
            "(a handler written for AWS Lambda needs spec.interface: lambda)"
        )
    content = fields.get("content-type")
    if content:
        attributes["datacontenttype"] = content
    return _complete(attributes, _data(body, content or ""))


def encode(event: CloudEvent, *, structured: bool = False) -> Response:
    """A response that carries the event."""
    attributes = {name: _written(value) for name, value in event.attributes.items()}
    kind = str(attributes.get("datacontenttype", ""))
    if structured:
        return Response(as_json(to_json(event)), 200, {"content-type": STRUCTURED})
    attributes.pop("datacontenttype", None)
    body, implied = _body(event.data, kind)
    headers = [("content-type", kind or implied)] if kind or implied else []
    headers += [(f"ce-{name}", quote(str(value), safe=_UNESCAPED + " ")) for name, value in attributes.items()]
    return Response(body, 200, headers)


def encode_batch(events: list[CloudEvent]) -> Response:
    """A response that carries several events."""
    return Response(as_json([to_json(one) for one in events]), 200, {"content-type": BATCHED})


def to_json(event: CloudEvent) -> dict[str, Any]:
    """The JSON event format."""
    found = {
        name: value if isinstance(value, bool | int) else _written(value) for name, value in event.attributes.items()
    }
    if isinstance(event.data, bytes | bytearray):
        found["data_base64"] = base64.b64encode(event.data).decode()
    elif event.data is not None:
        found["data"] = event.data
    return found


def _structured(given: Any) -> CloudEvent:
    if not isinstance(given, dict):
        raise NotAnEvent("an event is a JSON object")
    attributes = {name: value for name, value in given.items() if name not in ("data", "data_base64")}
    if "data_base64" in given:
        try:
            content = base64.b64decode(given["data_base64"], validate=True)
        except (ValueError, TypeError) as error:
            raise NotAnEvent(f"data_base64: {error}") from error
        kind = attributes.get("datacontenttype")
        return _complete(attributes, _data(content, kind if isinstance(kind, str) else ""))
    return _complete(attributes, given.get("data"))


def _complete(attributes: Mapping[str, Any], data: Any) -> CloudEvent:
    """An event that came, with the attributes its sender owes; one that is made here may leave out two of them."""
    lower = {name.lower(): value for name, value in attributes.items()}
    missing = [name for name in REQUIRED if lower.get(name) in (None, "")]
    if missing:
        raise NotAnEvent(f"the event has no {', '.join(missing)}")
    for name in REQUIRED:
        if not isinstance(lower[name], str):
            raise NotAnEvent(f"{name} is {lower[name]!r}, which is no text")
    return CloudEvent(lower, data)


def _json(body: bytes, kind: str) -> Any:
    """Parsed; the body itself where its charset is unknown, or not that of the body."""
    charset = _charset(kind)
    if charset in ("", "utf-8", "utf8"):
        return _parsed(body)
    text = _text(body, charset)
    return body if text is None else _parsed(text)


def _charset(kind: str) -> str:
    for parameter in kind.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return ""


def _text(body: bytes, charset: str) -> str | None:
    try:
        return None if codecs.lookup(charset).name in _NO_CHARSETS else body.decode(charset)
    except (LookupError, ValueError):
        return None


def _parsed(body: bytes | str) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise NotAnEvent(f"the body is not JSON: {error}") from error


def _data(body: bytes, kind: str) -> Any:
    if not body:
        return None
    if _is_json(kind):
        return _json(body, kind)
    if kind.lower().startswith("text/"):
        text = _text(body, _charset(kind) or "utf-8")
        return body if text is None else text
    return body


def _is_json(kind: str) -> bool:
    media = kind.partition(";")[0].strip().lower()
    return media in ("application/json", "text/json") or media.endswith("+json")


def _written(value: Any) -> str:
    """The specification's text for an attribute's value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    moment = getattr(value, "isoformat", None)
    return str(value) if moment is None else moment().replace("+00:00", "Z")


def _body(data: Any, kind: str) -> tuple[bytes, str]:
    if data is None:
        return b"", ""
    if isinstance(data, bytes | bytearray):
        return bytes(data), "application/octet-stream"
    if isinstance(data, str) and not _is_json(kind):
        return data.encode(), "text/plain; charset=utf-8"
    return as_json(data), "application/json"


def _unescaped(value: str) -> str:
    try:
        return unquote(value.strip('"') if value.startswith('"') else value, errors="strict")
    except UnicodeDecodeError as error:
        raise NotAnEvent(f"a ce- header is not percent-encoded UTF-8: {value!r}") from error
