import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WICK = Path(sys.executable).with_name("wick")


class Ran:
    """What one `wick` command printed and how it ended."""

    def __init__(self, finished):
        self.code, self.out, self.err = finished.returncode, finished.stdout, finished.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit code {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


@pytest.fixture
def wick(kubeconfig, namespace):
    """Run the real command against the real API server, in a namespace of the test's own."""

    def run(*words, stdin=None, within=60, where=("-n", namespace)):
        command = [str(WICK), *map(str, words), *where]
        environ = os.environ | {"KUBECONFIG": str(kubeconfig)}
        return Ran(
            subprocess.run(
                command, env=environ, input=stdin, capture_output=True, text=True, timeout=within, check=False
            )
        )

    return run
