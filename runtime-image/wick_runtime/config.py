"""What an instance is told, read once from the environment; every variable and its default is listed here.

The table with meanings and units is in ``docs/contracts.md``, "Inside an instance".
"""

import json
from collections.abc import Mapping
from typing import NamedTuple

SOURCE = "KUBEWICK_SOURCE"
"""The function's files: this variable is the JSON list of their paths, ``KUBEWICK_SOURCE_0`` the first one's text."""
DORMANT = "KUBEWICK_DORMANT"
WOKEN = "KUBEWICK_WOKEN"
"""Set by `dormant`, for the runtime it becomes."""
INTERFACES = ("auto", "native", "asgi", "wsgi", "cloudevent", "lambda", "functions-framework")
LAMBDA_EVENTS = ("url", "api-v1", "api-v2", "alb")
MAX_CONCURRENCY = 1000
MAX_TIMEOUT = 86_400.0  # s; a day, longer than any function platform allows
MAX_BODY = 1 << 40  # bytes
MAX_FD = 1 << 30  # more than any system lets a process have
MAX_UPTIME = 1e12  # s


class RuntimeSettingInvalid(Exception):
    """A setting that cannot be used; the message names it."""


class RequestLimits(NamedTuple):
    """What one request, and all of them together, may take."""

    concurrency: int = 10
    """Requests in flight at once, 1 to 1000."""
    timeout: float = 60.0
    """Seconds a request may take when its deadline header does not say less."""
    max_request_bytes: int = 10_485_760
    start_timeout: float = 300.0
    """Seconds that import and `init` may take together."""


class Patience(NamedTuple):
    """How long a client may keep a connection without a whole request on it, in seconds."""

    head: float = 30.0
    """From a request's first byte to the end of its head."""
    idle: float = 620.0
    """Between two requests: longer than the usual load balancer's 600, so that they close first."""


class FunctionTarget(NamedTuple):
    """Which code to run, and who it is."""

    code: str = "/function"
    handler: str = "main:handle"
    interface: str = "auto"
    function: str = ""
    namespace: str = ""
    revision: str = ""
    lambda_event: str = ""
    """The event that a Lambda handler gets, one of `LAMBDA_EVENTS`; empty where nobody chose."""
    debug: bool = False
    """Tracebacks go into answers, not only into the log."""


class Woken(NamedTuple):
    """What an instance that was dormant has from its former life."""

    listener: int
    """The control port's descriptor."""
    connection: int
    """Descriptor of the connection whose order woke it; nothing has been read from it."""
    accepted: float
    """Monotonic seconds at which that came."""


class RuntimeConfig(NamedTuple):
    """The whole configuration of an instance."""

    target: FunctionTarget = FunctionTarget()
    files: Mapping[str, str] = {}
    """Path below the code directory to text; empty where the files lie there already."""
    limits: RequestLimits = RequestLimits()
    port: int = 8080
    control_port: int = 8081
    host: str = "127.0.0.1"
    grace: float = 30.0
    """Seconds to finish what is in flight after SIGTERM."""
    patience: Patience = Patience()
    preload: tuple[str, ...] = ()
    """Modules the zygote imports, so that every fork has them."""
    pool: bool = False
    """No function yet: wait for ``POST /specialize``."""
    dormant: bool = False
    """In the pool: wait for it as a process with nothing loaded."""
    woken: Woken | None = None
    """It did, and the order is here."""
    token_sha256: str = ""
    """Of the bearer token that ``specialize`` takes, in hex: nothing a function could use may lie in its own pod."""
    parser: str = ""
    """``httptools`` or ``python`` to insist on one; empty for the best installed. For tests."""
    loop: str = ""
    """``uvloop`` or ``asyncio`` to insist on one; empty for the best installed. For tests."""


def read(environ: Mapping[str, str]) -> RuntimeConfig:
    """Parse the environment; raises `RuntimeSettingInvalid` for the first variable that cannot be read."""
    pool = _flag(environ, "KUBEWICK_POOL")
    token_sha256 = environ.get("KUBEWICK_TOKEN_SHA256", "")
    if pool and not token_sha256:
        raise RuntimeSettingInvalid(
            "KUBEWICK_TOKEN_SHA256: needed with KUBEWICK_POOL=1, or anybody could specialize this instance"
        )
    return RuntimeConfig(
        target=_target(environ),
        files=_files(environ),
        limits=_limits(environ),
        port=int(_number(environ, "PORT", 8080, 0, 65535)),
        control_port=int(_number(environ, "KUBEWICK_CONTROL_PORT", 8081, 0, 65535)),
        host=environ.get("KUBEWICK_HOST", "") or "127.0.0.1",
        grace=_number(environ, "KUBEWICK_GRACE", 30, 0, MAX_TIMEOUT, whole=False),
        patience=Patience(
            head=_number(environ, "KUBEWICK_HEAD_TIMEOUT", 30, 0.1, MAX_TIMEOUT, whole=False),
            idle=_number(environ, "KUBEWICK_IDLE_TIMEOUT", 620, 0.1, MAX_TIMEOUT, whole=False),
        ),
        preload=tuple(name.strip() for name in environ.get("KUBEWICK_PRELOAD", "").split(",") if name.strip()),
        pool=pool,
        dormant=_dormant(environ, pool=pool),
        woken=_woken(environ),
        token_sha256=token_sha256,
        parser=_choice(environ, "KUBEWICK_PARSER", ("", "httptools", "python")),
        loop=_choice(environ, "KUBEWICK_LOOP", ("", "uvloop", "asyncio")),
    )


def safe(path: str) -> bool:
    """Whether a relative path stays below its root."""
    parts = path.split("/")
    return bool(path) and "\0" not in path and all(part not in ("", ".", "..") for part in parts)


def handler_name(text: str, name: str) -> str:
    """Check ``module:attribute``."""
    module, colon, attribute = text.partition(":")
    dotted = [*module.split("."), *attribute.split(".")]
    if not colon or not all(part.isidentifier() for part in dotted):
        raise RuntimeSettingInvalid(f"{name}: {text!r} is not module:attribute, like main:handle")
    return text


def interface_name(text: str, name: str) -> str:
    """Check one of `INTERFACES`."""
    if text not in INTERFACES:
        raise RuntimeSettingInvalid(f"{name}: {text!r} is none of {', '.join(INTERFACES)}")
    return text


def lambda_choice(event: str, interface: str, name: str) -> tuple[str, str]:
    """The event and the interface: whoever chooses an event has a Lambda handler."""
    if event and event not in LAMBDA_EVENTS:
        raise RuntimeSettingInvalid(f"{name}: {event!r} is none of {', '.join(LAMBDA_EVENTS)}")
    if event and interface not in ("auto", "lambda"):
        raise RuntimeSettingInvalid(f"{name}: is for the interface lambda, not {interface}")
    return event, "lambda" if event else interface


def number(value: object, name: str, low: float, high: float, *, whole: bool = True) -> float:
    """Check a number between `low` and `high`, both allowed."""
    kind = "a whole number" if whole else "a number"
    problem = RuntimeSettingInvalid(f"{name}: {value!r} is not {kind} from {low:g} to {high:g}")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise problem
    try:
        found: float = int(value) if whole else float(value)
    except (ValueError, OverflowError):
        raise problem from None
    if not low <= found <= high or (whole and isinstance(value, float) and value != found):
        raise problem
    return found


def _target(environ: Mapping[str, str]) -> FunctionTarget:
    wanted = interface_name(environ.get("KUBEWICK_INTERFACE", "") or "auto", "KUBEWICK_INTERFACE")
    event, interface = lambda_choice(environ.get("KUBEWICK_LAMBDA_EVENT", ""), wanted, "KUBEWICK_LAMBDA_EVENT")
    return FunctionTarget(
        code=environ.get("KUBEWICK_CODE", "") or "/function",
        handler=handler_name(environ.get("KUBEWICK_HANDLER", "") or "main:handle", "KUBEWICK_HANDLER"),
        interface=interface,
        function=environ.get("KUBEWICK_FUNCTION", ""),
        namespace=environ.get("KUBEWICK_NAMESPACE", ""),
        revision=environ.get("KUBEWICK_REVISION", ""),
        lambda_event=event,
        debug=_flag(environ, "KUBEWICK_DEBUG"),
    )


def _files(environ: Mapping[str, str]) -> dict[str, str]:
    listed = environ.get(SOURCE, "")
    if not listed:
        return {}
    try:
        paths = json.loads(listed)
    except ValueError as error:
        raise RuntimeSettingInvalid(f"{SOURCE}: not JSON: {error}") from error
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise RuntimeSettingInvalid(f"{SOURCE}: not a list of paths")
    found = {}
    for index, path in enumerate(paths):
        if not safe(path):
            raise RuntimeSettingInvalid(f"{SOURCE}: {path!r} is not a path inside the code directory")
        if f"{SOURCE}_{index}" not in environ:
            raise RuntimeSettingInvalid(f"{SOURCE}_{index}: missing, though {SOURCE} lists {path!r}")
        found[path] = environ[f"{SOURCE}_{index}"]
    return found


def _dormant(environ: Mapping[str, str], *, pool: bool) -> bool:
    dormant = _flag(environ, DORMANT)
    if dormant and not pool:
        raise RuntimeSettingInvalid(
            f"{DORMANT}: needs KUBEWICK_POOL=1, since only an instance of the pool waits for its function"
        )
    return dormant


def _woken(environ: Mapping[str, str]) -> Woken | None:
    text = environ.get(WOKEN, "")
    if not text:
        return None
    fields = text.split(",")
    if len(fields) != len(Woken._fields):
        raise RuntimeSettingInvalid(f"{WOKEN}: {text!r} is not two descriptors and a time")
    listener, connection = (int(number(field, WOKEN, 0, MAX_FD)) for field in fields[:2])
    return Woken(listener, connection, number(fields[2], WOKEN, 0, MAX_UPTIME, whole=False))


def _limits(environ: Mapping[str, str]) -> RequestLimits:
    return RequestLimits(
        concurrency=int(_number(environ, "KUBEWICK_CONCURRENCY", 10, 1, MAX_CONCURRENCY)),
        timeout=_number(environ, "KUBEWICK_TIMEOUT", 60, 0.001, MAX_TIMEOUT, whole=False),
        max_request_bytes=int(_number(environ, "KUBEWICK_MAX_REQUEST_BYTES", 10_485_760, 0, MAX_BODY)),
        start_timeout=_number(environ, "KUBEWICK_START_TIMEOUT", 300, 0.001, MAX_TIMEOUT, whole=False),
    )


def _number(
    environ: Mapping[str, str], name: str, default: float, low: float, high: float, *, whole: bool = True
) -> float:
    return number(environ.get(name, "") or default, name, low, high, whole=whole)


def _choice(environ: Mapping[str, str], name: str, offered: tuple[str, ...]) -> str:
    text = environ.get(name, "")
    if text not in offered:
        raise RuntimeSettingInvalid(f"{name}: {text!r} is none of {', '.join(filter(None, offered))}")
    return text


def _flag(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "")
    if text not in ("", "0", "1"):
        raise RuntimeSettingInvalid(f"{name}: {text!r} is neither 1 nor 0")
    return text == "1"
