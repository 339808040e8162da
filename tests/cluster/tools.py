"""The programs a cluster is made of, built from Go modules once per machine.

Each folder of `tools/` is a Go module that pins one project by `go.mod` and `go.sum`. What is built from it lies in
``$XDG_CACHE_HOME/kubewick/<program>-<version>/<program>`` (``~/.cache`` without the variable), outside the work tree,
so every checkout on a machine shares it. A program is built beside its place and renamed into it, under a lock, so
that an interrupted build leaves nothing half made and two test runs build it once.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path

MODULES = Path(__file__).parent / "tools"


class Missing(Exception):
    """Something this machine lacks; the message names it and what would bring it."""


@dataclass(frozen=True)
class Program:
    """One Go program: `package` is its import path, `project` the module that is pinned (our own: empty)."""

    name: str
    module: str
    project: str
    package: str
    tags: str = ""

    @property
    def output(self) -> str:
        """What `go build` calls the file: the last element of the path that is no version."""
        return next(part for part in reversed(self.package.split("/")) if not re.fullmatch(r"v\d+", part))


KUBERNETES = ("1.37", "1.36", "1.35")
"""The minor versions Kubewick is tested with, each a module `tools/kubernetes-<minor>`."""
USUAL = "1.37"
KUBERNETES_VARIABLE = "KUBEWICK_KUBERNETES"


def _kubernetes(name: str) -> Program:
    return Program(name, "kubernetes", "k8s.io/kubernetes", f"k8s.io/kubernetes/cmd/{name}")


def _containerd(name: str) -> Program:
    project = "github.com/containerd/containerd/v2"
    return Program(name, "containerd", project, f"{project}/cmd/{name}")


PROGRAMS = {
    program.name: program
    for program in (
        _kubernetes("kube-apiserver"),
        _kubernetes("kube-controller-manager"),
        _kubernetes("kube-scheduler"),
        _kubernetes("kubelet"),
        _kubernetes("kube-proxy"),
        _kubernetes("kubectl"),
        _containerd("containerd"),
        _containerd("containerd-shim-runc-v2"),
        _containerd("ctr"),
        Program("runc", "runc", "github.com/opencontainers/runc", "github.com/opencontainers/runc", "seccomp"),
        Program("etcd", "etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3"),
        Program("helm", "helm", "helm.sh/helm/v3", "helm.sh/helm/v3/cmd/helm"),
        Program("coredns", "coredns", "github.com/coredns/coredns", "github.com/coredns/coredns"),
        Program("kind", "kind", "sigs.k8s.io/kind", "sigs.k8s.io/kind"),
        Program("kwok", "kwok", "sigs.k8s.io/kwok", "sigs.k8s.io/kwok/cmd/kwok"),
        Program("pause", "pause", "", "kubewick.dev/tests/cluster/tools/pause"),
    )
}
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
CONTAINERS = ("containerd", "containerd-shim-runc-v2", "ctr", "runc")
NODE = (*CONTROL_PLANE, *CONTAINERS, "kubelet", "kube-proxy", "coredns", "helm", "pause")


def cache() -> Path:
    """Where built things are kept on this machine."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kubewick"


def pinned(go_mod: str, project: str) -> str:
    """The version of `project` that a go.mod requires."""
    found = re.search(rf"^(?:require)?\s*{re.escape(project)} (v\S+)", go_mod, re.MULTILINE)
    if not found:
        raise ValueError(f"go.mod requires no {project}")
    return found.group(1)


def kubernetes(environment: Mapping[str, str]) -> str:
    """The minor version of Kubernetes that the test cluster shall be."""
    wanted = environment.get(KUBERNETES_VARIABLE) or USUAL
    if wanted not in KUBERNETES:
        raise Missing(f"Kubernetes {wanted}, which {KUBERNETES_VARIABLE} asks for; there are {', '.join(KUBERNETES)}")
    return wanted


def folder(module: str, release: str) -> Path:
    """Where the Go module lies that pins `module`; Kubernetes has one for each `release`."""
    return MODULES / (f"{module}-{release}" if module == "kubernetes" else module)


def linker_flags(project: str, wanted: str) -> str:
    """Strips symbols; Kubernetes without its version set calls itself v0.0.0 and clients refuse it."""
    if project != "k8s.io/kubernetes":
        return "-s -w"
    major, minor, _ = wanted.removeprefix("v").split(".", 2)
    said = {"gitVersion": wanted, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return " ".join(["-s -w", *(f"-X k8s.io/component-base/version.{name}={value}" for name, value in said.items())])


def version(program: Program) -> str:
    """The pinned version, or for a program of our own a digest of its source."""
    sources = folder(program.module, kubernetes(os.environ))
    if program.project:
        return pinned((sources / "go.mod").read_text(), program.project)
    return "v" + sha256((sources / "main.go").read_bytes()).hexdigest()[:10]


def path(name: str) -> Path:
    """Where the program `name` is, or will be once `ensure` has built it."""
    return cache() / f"{name}-{version(PROGRAMS[name])}" / name


def ensure(*names: str) -> None:
    """Build those of `names` that are not there yet. Kubernetes takes minutes the first time."""
    missing = sorted((name for name in names if not path(name).exists()), key=lambda name: PROGRAMS[name].module)
    for module, group in groupby(missing, key=lambda name: PROGRAMS[name].module):
        _build(module, list(group))


def _build(module: str, names: Sequence[str]) -> None:
    cache().mkdir(parents=True, exist_ok=True)
    with locked(cache() / f"{module}.lock"):
        names = [name for name in names if not path(name).exists()]
        if not names:
            return
        go = shutil.which("go")
        if go is None:
            raise Missing(f"Go 1.26 or newer, to build {', '.join(names)}")
        say(f"building {', '.join(names)} (once per machine, up to 5 minutes)")
        started = time.monotonic()
        sources = folder(module, kubernetes(os.environ))
        with tempfile.TemporaryDirectory(dir=cache(), prefix=f"{module}-") as built:
            packages = [PROGRAMS[name] for name in names]
            flags = linker_flags(packages[0].project, version(packages[0]))
            command = [go, "build", "-trimpath", "-buildvcs=false", "-ldflags", flags]
            command += [f"-tags={packages[0].tags}", "-o", f"{built}/"]
            subprocess.run([*command, *(program.package for program in packages)], cwd=sources, check=True)
            for program in packages:
                path(program.name).parent.mkdir(parents=True, exist_ok=True)
                (Path(built) / program.output).rename(path(program.name))
        say(f"built {', '.join(names)} in {time.monotonic() - started:.0f} s")


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold `file`'s lock, saying so when somebody else has it; the kernel frees it when the holder dies."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that holds {file}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def say(line: str) -> None:
    """One line of progress, where a person or a CI log sees it at once."""
    print(f"[cluster] {line}", file=sys.stderr, flush=True)
