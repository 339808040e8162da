"""Apply the chart's CRDs, which Helm never does after the first installation."""

import sys
from pathlib import Path

from api import APPLY, Api, eventually, say

PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MANAGER = "?fieldManager=kubewick-crds&force=true"


def main(api, folder):
    """Apply each file named after its CRD, and wait until the API server serves it."""
    for file in sorted(Path(folder).glob("*.yaml")):
        api.call("PATCH", f"{PATH}/{file.stem}{MANAGER}", file.read_bytes(), APPLY)
        eventually(lambda name=file.stem: established(api.call("GET", f"{PATH}/{name}")), within=60)
        say(f"{file.stem} is up to date")


def established(crd):
    """Whether the API server serves it."""
    conditions = crd.get("status", {}).get("conditions", [])
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


if __name__ == "__main__":
    main(Api(*sys.argv[2:]), sys.argv[1])
