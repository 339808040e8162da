"""One number from a Prometheus-compatible server: its instant query API, with the failures told apart."""

import math
import ssl
from collections.abc import Mapping

import aiohttp
import msgspec
from msgspec import Struct

from wick_autoscaler import body

_WITH_AN_ANSWER = frozenset({200, 400, 422})
LARGEST = 1024 * 1024
"""Bytes of an answer; a single number needs far less."""


class Unanswered(Exception):
    """No number came, for the reason in the message; never the server's body, which may not be the author's to read."""


class Access(Struct, frozen=True):
    """How to reach a server that wants to know who asks; from the Secret a metric names."""

    headers: Mapping[str, str] = {}
    tls: ssl.SSLContext | None = None


class _Data(Struct):
    resultType: str  # noqa: N815 - the API's spelling
    result: msgspec.Raw


class _Answer(Struct):
    status: str
    data: _Data | None = None


class _Series(Struct):
    value: tuple[float, str]


_ANSWER = msgspec.json.Decoder(_Answer)
_VECTOR = msgspec.json.Decoder(list[_Series])
_SCALAR = msgspec.json.Decoder(tuple[float, str])


async def ask(session: aiohttp.ClientSession, server: str, query: str, access: Access) -> float:
    """The value of a PromQL expression now; `Unanswered` when there is not exactly one finite number."""
    url = f"{server.rstrip('/')}/api/v1/query"
    try:
        async with session.post(
            url, data={"query": query}, headers=access.headers, ssl=access.tls or True, allow_redirects=False
        ) as response:
            if response.status not in _WITH_AN_ANSWER:
                raise Unanswered(f"{server} answers {response.status}")
            text = await body.read(response, LARGEST)
    except TimeoutError as error:
        raise Unanswered(f"{server} did not answer in time") from error
    except (aiohttp.ClientError, ValueError) as error:
        raise Unanswered(f"{server} cannot be reached: {type(error).__name__}") from error
    except body.TooLarge as error:
        raise Unanswered(f"{server} answers {error}") from error
    return number(text)


def number(text: bytes) -> float:
    """The one number in an answer of the instant query API."""
    try:
        answer = _ANSWER.decode(text)
        if answer.status != "success" or answer.data is None:
            raise Unanswered("the server refuses the query; try it in its own console")
        value = _only(answer.data)
    except (msgspec.DecodeError, ValueError) as error:
        raise Unanswered("the answer is not that of a Prometheus server") from error
    if not math.isfinite(value):
        raise Unanswered(f"the query returns {value}")
    return value


def _only(data: _Data) -> float:
    if data.resultType == "scalar":
        return float(_SCALAR.decode(data.result)[1])
    if data.resultType != "vector":
        raise Unanswered(f"the query returns a {data.resultType}; it must be a scalar or one series")
    series = _VECTOR.decode(data.result)
    if not series:
        raise Unanswered("the query returns nothing; add 'or vector(0)' if that means zero")
    if len(series) > 1:
        raise Unanswered(f"the query returns {len(series)} series; put sum() or max() around it")
    return float(series[0].value[1])
