"""The `wick` command as a person runs it: a process of its own, against the cluster of a kubeconfig."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from cluster.waiting import PATIENCE

WICK = Path(sys.executable).with_name("wick")


class Ran:
    """What one command printed and how it ended."""

    def __init__(self, finished: "subprocess.CompletedProcess[str]") -> None:
        self.code, self.out, self.err = finished.returncode, finished.stdout, finished.stderr

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"exit code {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


class Wick:
    """Call it with a command's words; each runs in the namespace given here, unless `where` says otherwise."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self._environ = os.environ | {"KUBECONFIG": str(kubeconfig)}
        self._where = ("-n", namespace)

    def __call__(
        self, *words: object, stdin: str | None = None, within: float = PATIENCE, where: tuple[str, ...] | None = None
    ) -> Ran:
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

    def running(self, *words: object) -> "subprocess.Popen[str]":
        """Start a command, to look at what it prints while it runs."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(self._command(words, None), env=self._environ, text=True, **pipes)

    def _command(self, words: tuple[object, ...], where: tuple[str, ...] | None) -> list[str]:
        return [str(WICK), *map(str, words), *(self._where if where is None else where)]
