"""`helm test`: apply a Function, call it from zero, look at the answer, and remove it again."""

import os
import sys
import urllib.request
from urllib.error import HTTPError, URLError

from api import APPLY, Api, eventually, say

ANSWER = "Kubewick works"
WITHIN = 120  # seconds from applying to the answer, image pull included


def main(api, router, namespace, name):
    """`router` is its URL."""
    functions = f"/apis/kubewick.dev/v1alpha1/namespaces/{namespace}/functions"
    api.call("PATCH", f"{functions}/{name}?fieldManager=helm-test&force=true", function(name), APPLY)
    try:
        say(f"applied Function {namespace}/{name}")
        answer, waited = eventually(lambda: call(f"{router}/function/{namespace}/{name}/"), within=WITHIN)
        say(f"it answered {answer!r}; the cold start took {waited or 'no'} ms")
    finally:
        why = (api.call("GET", f"{functions}/{name}") or {}).get("status", {}).get("why", "nothing")
        say(f"its status says: {why}")
        api.call("DELETE", f"{functions}/{name}")
    if answer != ANSWER:
        raise SystemExit(f"the answer should have been {ANSWER!r}")


def function(name):
    """A Function that needs nothing."""
    code = f"def handle(request):\n    return {ANSWER!r}\n"
    return {
        "apiVersion": "kubewick.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": name},
        "spec": {"source": {"inline": {"main.py": code}}},
    }


def call(url):
    """The answer and its cold start; None while the router does not know the function, or is not up."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.read().decode(), answer.headers.get("Kubewick-Cold-Start")
    except HTTPError as error:
        if error.code == 404:
            return None
        raise SystemExit(f"{url}: {error.code}: {error.read().decode(errors='replace')}") from error
    except URLError as error:
        say(f"{url}: {error.reason}")
        return None


if __name__ == "__main__":
    router, namespace, *where = sys.argv[1:]
    main(Api(*where), router, namespace, os.environ.get("NAME", "helm-test"))
