"""What a native handler gets: the request, cheap to make, decoded only where it is looked at."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from wick_runtime.http.message.refusal import Headers as RawHeaders


class Headers(Mapping[str, str]):
    """Header fields, by name in any case; several of one name are joined with a comma."""

    __slots__ = ("_fields", "raw")

    def __init__(self, raw: RawHeaders) -> None:
        self.raw = raw
        """The fields in their order, names in lower case, as bytes."""
        self._fields: dict[str, str] | None = None

    def _all(self) -> dict[str, str]:
        if self._fields is None:
            self._fields = {}
            for name, value in self.raw:
                key, text = name.decode("latin-1"), value.decode("latin-1")
                joint = "; " if key == "cookie" else ", "
                self._fields[key] = self._fields[key] + joint + text if key in self._fields else text
        return self._fields

    def __getitem__(self, name: str) -> str:
        return self._all()[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return f"Headers({self._all()!r})"


class Request:
    """One request with its whole body."""

    __slots__ = ("_headers", "_query", "_raw", "body", "method", "target")

    def __init__(self, method: str, target: bytes, headers: RawHeaders, body: bytes) -> None:
        self.method = method
        self.target = target
        """Path and query as they came, percent-encoded."""
        self.body = body
        self._raw = headers
        self._headers: Headers | None = None
        self._query: dict[str, str] | None = None

    @property
    def headers(self) -> Headers:
        """Header fields, by name in any case."""
        if self._headers is None:
            self._headers = Headers(self._raw)
        return self._headers

    @property
    def path(self) -> str:
        """The path below the function's own, percent-decoded; starts with ``/``."""
        path = split(self.target)[0].decode("latin-1")
        return unquote(path) if "%" in path else path

    @property
    def query_string(self) -> str:
        """What follows the question mark, as it came."""
        return split(self.target)[1].decode("latin-1")

    @property
    def query(self) -> dict[str, str]:
        """Query parameters; of several with one name the last. `query_all` keeps them all."""
        if self._query is None:
            self._query = dict(self.query_all)
        return self._query

    @property
    def query_all(self) -> list[tuple[str, str]]:
        """Query parameters in their order."""
        text = self.query_string
        return parse_qsl(text, keep_blank_values=True) if text else []

    def text(self) -> str:
        """The body as text, by the charset of its content type, UTF-8 if it names none."""
        _, _, charset = self.headers.get("content-type", "").partition("charset=")
        return self.body.decode(charset.split(";")[0].strip('" ') or "utf-8")

    def json(self) -> Any:
        """The body parsed as JSON; raises `ValueError` where it is not."""
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.target.decode('latin-1')}>"


class StreamingRequest(Request):
    """A request whose body is read as it arrives: ask for it by annotating the parameter with this name.

    In an ``async def`` handler iterate with ``async for chunk in request.stream()``, in a plain one with ``for``.
    """

    __slots__ = ("_source",)

    def __init__(
        self, method: str, target: bytes, headers: RawHeaders, source: AsyncIterator[bytes] | Iterator[bytes]
    ) -> None:
        super().__init__(method, target, headers, b"")
        self._source = source

    def stream(self) -> Any:
        """The body's chunks, in whatever sizes they come; once."""
        return self._source


def unquote(text: str) -> str:
    """Undo percent-encoding."""
    from urllib import parse  # noqa: PLC0415 - 3 ms that a request without a percent sign does not need

    return parse.unquote(text)


def parse_qsl(text: str, *, keep_blank_values: bool) -> list[tuple[str, str]]:
    """The parameters of a query string."""
    from urllib import parse  # noqa: PLC0415 - as above

    return parse.parse_qsl(text, keep_blank_values=keep_blank_values)


def split(target: bytes) -> tuple[bytes, bytes]:
    """Path and query of a request target, without scheme and authority where it has them."""
    if not target.startswith(b"/") and b"://" in target:
        _, _, rest = target.partition(b"://")
        _, slash, rest = rest.partition(b"/")
        target = slash + rest or b"/"
    path, _, query = target.partition(b"?")
    return path, query
