"""The little of the Kubernetes API that the chart's jobs need; the standard library alone."""

import json
import ssl
import sys
import time
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SERVER = "https://kubernetes.default.svc"
TIMEOUT = 10  # seconds of one call
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class Api:
    """Calls as the pod's own account."""

    def __init__(self, server=SERVER, account=ACCOUNT):
        self._server, self._account = server, Path(account)
        self._context = ssl.create_default_context(cafile=str(self._account / "ca.crt"))

    def call(self, method, path, body=None, content_type="application/json"):
        """The answer as JSON; None where there is no such object; HTTPError for any other refusal."""
        token = (self._account / "token").read_text().strip()
        request = urllib.request.Request(self._server + path, method=method, data=_bytes(body))
        request.add_header("Authorization", f"Bearer {token}")
        request.add_header("Content-Type", content_type)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT, context=self._context) as answer:
                return json.load(answer)
        except HTTPError as error:
            if error.code == 404:
                return None
            said = error.read().decode(errors="replace")
            raise SystemExit(f"{method} {path}: {error.code}: {said}") from error


def eventually(look, within):
    """Wait until `look` returns something true; gives up after so many seconds."""
    end = time.monotonic() + within
    while not (seen := look()):
        if time.monotonic() > end:
            raise SystemExit(f"gave up after {within} s")
        time.sleep(0.5)
    return seen


def say(text):
    """Print at once, for kubectl logs -f."""
    print(text, file=sys.stderr, flush=True)


def _bytes(body):
    if body is None or isinstance(body, bytes):
        return body
    return json.dumps(body).encode()
