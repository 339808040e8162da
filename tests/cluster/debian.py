"""Debian's part of the test cluster: the one list of packages, and where this machine gets them."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cluster.tools import Missing, say


@dataclass(frozen=True)
class Need:
    """A command some size of the test cluster runs, or a file it is built from, and the Debian package that has it."""

    command: str
    package: str


CONTROL_PLANE = (Need("openssl", "openssl"),)
BUILD = (  # runc is partly C
    Need("gcc", "gcc"),
    Need("pkg-config", "pkg-config"),
    Need("/usr/include/stdlib.h", "libc6-dev"),
    Need("/usr/include/seccomp.h", "libseccomp-dev"),
)
NODE = (
    *CONTROL_PLANE,
    *BUILD,
    Need("/usr/lib/cni/bridge", "containernetworking-plugins"),
    Need("iptables", "iptables"),
    Need("conntrack", "conntrack"),
    Need("ip", "iproute2"),
    Need("mount", "mount"),
    Need("socat", "socat"),
    Need("buildah", "buildah"),
    Need("debootstrap", "debootstrap"),
)
METRICS = (Need("prometheus", "prometheus"),)
BROWSER = (Need("chromium", "chromium"),)


def missing(needs: Iterable[Need]) -> list[Need]:
    """Those whose command is not on the path (nor in the folders only root has there), or whose file is not there."""
    return [need for need in needs if not _there(need.command)]


def _there(command: str) -> bool:
    if command.startswith("/"):
        return Path(command).is_file()
    return shutil.which(command, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is not None


def ensure(needs: Iterable[Need]) -> None:
    """Install what is missing when this is root on Debian, otherwise say what is missing."""
    lacking = missing(needs)
    if not lacking:
        return
    packages = sorted({need.package for need in lacking})
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Missing(f"the Debian packages {' '.join(packages)} (only root on Debian gets them installed by itself)")
    say(f"installing {' '.join(packages)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # A package's service must not start: a system etcd or containerd is nothing to do with us.
    with _no_services():
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
            check=True,
            env=quiet,
            stdout=subprocess.DEVNULL,
        )
    if left := missing(lacking):
        raise Missing(", ".join(need.command for need in left))


class _no_services:  # noqa: N801 - reads as a verb
    """While inside, installed packages do not start their services (Debian's policy-rc.d)."""

    policy = Path("/usr/sbin/policy-rc.d")

    def __enter__(self) -> None:
        self.ours = not self.policy.exists()
        if self.ours:
            self.policy.write_text("#!/bin/sh\nexit 101\n")
            self.policy.chmod(0o755)

    def __exit__(self, *_: object) -> None:
        if self.ours:
            self.policy.unlink(missing_ok=True)


def mirror(sources: Iterable[str]) -> str:
    """The first mirror of Debian's main archive in the texts of apt's source lists, of either format."""
    for text in sources:
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        uncommented = "\n".join(lines)
        for stanza in re.split(r"\n\s*\n", uncommented):
            suites = re.search(r"^Suites:\s*(.+)$", stanza, re.MULTILINE)
            uris = re.search(r"^URIs:\s*(\S+)", stanza, re.MULTILINE)
            if suites and uris and _is_archive(suites.group(1).split()[0], uris.group(1)):
                return uris.group(1)
        for line in lines:
            if (one := re.match(r"deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+main", line)) and _is_archive(
                one.group(2), one.group(1)
            ):
                return one.group(1)
    raise Missing("a mirror of Debian in apt's source lists")


def _is_archive(suite: str, uri: str) -> bool:
    return uri.rstrip("/").endswith("debian") and "/" not in suite and "security" not in suite


def machines_mirror() -> str:
    """This machine's."""
    folder = Path("/etc/apt")
    files = [folder / "sources.list", *sorted(folder.glob("sources.list.d/*"))]
    return mirror(file.read_text() for file in files if file.is_file())
