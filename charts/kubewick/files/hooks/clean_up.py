"""Before the chart is removed: stop the operator, so that nothing is made anew, then delete its pools.

Functions and what runs for them stay as they are.
"""

import sys
from urllib.parse import quote

from api import MERGE, Api, eventually, say

DEPLOYMENTS = "/apis/apps/v1/deployments"
POOL = quote("app.kubernetes.io/part-of=kubewick,app.kubernetes.io/component in (pool,dormant)")


def main(api, release, namespace, namespaces):
    """`namespaces`: those served; empty for all."""
    stop(api, f"/apis/apps/v1/namespaces/{namespace}/deployments/{release}-operator")
    for path in [f"/apis/apps/v1/namespaces/{each}/deployments" for each in namespaces] or [DEPLOYMENTS]:
        for pool in (api.call("GET", f"{path}?labelSelector={POOL}") or {"items": []})["items"]:
            where = pool["metadata"]["namespace"], pool["metadata"]["name"]
            api.call("DELETE", "/apis/apps/v1/namespaces/{}/deployments/{}".format(*where))
            say("deleted pool {}/{}".format(*where))


def stop(api, operator):
    """Scale it to nothing, and wait until no replica is left to act."""
    if api.call("PATCH", f"{operator}/scale", {"spec": {"replicas": 0}}, MERGE) is None:
        return
    eventually(lambda: not (api.call("GET", operator) or {}).get("status", {}).get("replicas"), within=120)
    say("the operator has stopped")


if __name__ == "__main__":
    release, namespace, namespaces, *where = sys.argv[1:]
    main(Api(*where), release, namespace, [each for each in namespaces.split(",") if each])
