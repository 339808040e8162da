"""Log lines as JSON, with one set of keys for every process of Kubewick (the runtime writes the same by itself).

``time`` (RFC 3339), ``level``, ``logger``, ``message``; and where they are known ``namespace``, ``function``,
``revision``, ``requestId``, ``traceparent``, ``traceback``. A record names its function by ``extra={"function": key}``,
the key being ``<namespace>/<name>``.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

QUIET = ("kopf", "aiohttp.access", "asyncio", "uvicorn.error")
"""Loggers of libraries that say little to an operator of Kubewick below warnings."""
KNOWN = {"revision": "revision", "request_id": "requestId", "traceparent": "traceparent"}
"""Attributes of a record that have a key of their own."""


class JsonLines(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if function := getattr(record, "function", None):
            namespace, slash, name = str(function).partition("/")
            line |= {"namespace": namespace, "function": name} if slash else {"function": namespace}
        line |= {key: str(value) for name, key in KNOWN.items() if (value := getattr(record, name, None))}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure(level: str) -> None:
    """Write everything from `level` (of `wick_api.settings.LOG_LEVELS`) on to standard error.

    As JSON lines, on a terminal as text.
    """
    handler = logging.StreamHandler(sys.stderr)
    if sys.stderr.isatty():
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    else:
        handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
