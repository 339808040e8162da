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


class Wick:
    """The real command against the real API server, in a namespace of the test's own."""

    def __init__(self, kubeconfig, namespace):
        self._environ = os.environ | {"KUBECONFIG": str(kubeconfig)}
        self._where = ("-n", namespace)

    def __call__(self, *words, stdin=None, within=60, where=None):
        return Ran(
            subprocess.run(
                self._command(words, where),
                env=self._environ,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=within,
                check=False,
            )
        )

    def running(self, *words):
        """Start a command, to look at what it prints while it runs."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(self._command(words, None), env=self._environ, text=True, **pipes)

    def _command(self, words, where):
        return [str(WICK), *map(str, words), *(self._where if where is None else where)]


@pytest.fixture
def wick(kubeconfig, namespace):
    return Wick(kubeconfig, namespace)
