"""The project's images, built from its own Dockerfiles and kept as archives under a digest of all that went in.

    Debian base (debootstrap) --\
    Dockerfile, requirements -----> buildah --> cache/images/<name>-<digest>.tar --> containerd
    packages --------------------/

An unchanged tree builds nothing. A tag is the digest too, so a changed image is a changed Deployment.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster import containers, debian, tools
from cluster.tools import locked, say

PROJECT = Path(__file__).parents[2]
CERTIFICATES = Path("/etc/ssl/certs")
PYTHON = "python3,python3-venv,ca-certificates"
BASES = {
    "BASE": ("localhost/kubewick-base:trixie", PYTHON),
    "COMPILER": ("localhost/kubewick-compiler:trixie", f"{PYTHON},python3-dev,gcc,libc6-dev"),
}
"""Arguments of the Dockerfiles: images of Debian's, and their packages."""
LOOPBACK = {"localhost", "127.0.0.1"}
"""Registries that need no TLS, as for Docker."""
KEPT = 2  # archives of each image, the newest


@dataclass(frozen=True)
class Image:
    """One image of the project: its name, its Dockerfile's folder and the packages that go into it."""

    name: str
    folder: str
    packages: tuple[str, ...]
    compiling: tuple[str, ...] = ()
    """Further files of its folder, with which a part of it is compiled; empty where nothing is."""

    @property
    def files(self) -> list[str]:
        """What goes in beside the packages."""
        return [f"{self.folder}/{name}" for name in ("requirements.txt", *self.compiling)]

    def sources(self) -> list[Path]:
        """Every file whose change changes the image."""
        files = [PROJECT / self.folder / "Dockerfile", *(PROJECT / file for file in self.files)]
        for package in self.packages:
            files += (path for path in (PROJECT / package).rglob("*") if path.is_file() and path.suffix != ".pyc")
        return sorted(files)


IMAGES = (
    Image(
        "kubewick-operator",
        "operator",
        ("api/wick_api", "api/wick_kube", "operator/wick_autoscaler", "operator/wick_operator"),
    ),
    Image(
        *("kubewick-router", "router", ("api/wick_api", "api/wick_kube", "router/wick_router")),
        compiling=("compile.py", "requirements-compile.txt"),
    ),
    Image("kubewick-runtime", "runtime-image", ("runtime-image/wick_runtime",)),
)


@dataclass(frozen=True)
class Built:
    """An image that lies in an archive."""

    repository: str
    tag: str
    archive: Path

    @property
    def reference(self) -> str:
        return f"{self.repository}:{self.tag}"


def digest(files: Iterable[Path], root: Path, *more: str) -> str:
    """Of names and contents, in order; 12 hex digits."""
    total = hashlib.sha256("\0".join(more).encode())
    for file in files:
        total.update(f"{file.relative_to(root)}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\0".encode())
    return total.hexdigest()[:12]


def build() -> dict[str, Built]:
    """Build what changed; the result is by image name."""
    with locked(_folder() / "lock"):
        _buildah("rm", "--all")  # what an interrupted build left
        bases = {name: _base(*base) for name, base in BASES.items()}
        return {image.name: _build(image, bases) for image in IMAGES}


def push(built: Mapping[str, Built], registry: str, tag: str) -> list[str]:
    """Put the images where the chart looks for them with `image.registry`; their references there."""
    pushed = []
    for source, target in destinations(built, registry, tag):
        say(f"pushing {target}")
        host = registry.partition("/")[0].rpartition(":")[0] or registry.partition("/")[0]
        insecure = ["--tls-verify=false"] if host in LOOPBACK else []
        with locked(_folder() / "lock"):
            _buildah("push", "--quiet", *insecure, source, f"docker://{target}")
        pushed.append(target)
    return pushed


def destinations(built: Mapping[str, Built], registry: str, tag: str) -> list[tuple[str, str]]:
    """Each image's name here and in a registry; the repositories there are the chart's."""
    return [(made.reference, f"{registry.strip('/')}/kubewick/{name}:{tag}") for name, made in built.items()]


def version() -> str:
    """The tag that the chart asks for where nothing else is said."""
    chart = (PROJECT / "charts" / "kubewick" / "Chart.yaml").read_text()
    (found,) = re.findall(r"^appVersion: (\S+)$", chart, re.MULTILINE)
    return str(found)


def pause() -> Path:
    """The archive of the image that holds a pod's namespaces."""
    program = tools.path("pause")
    archive = _folder() / f"{program.parent.name}.tar"
    if not archive.exists():
        with locked(_folder() / "lock"), _scratch() as name:
            _buildah("copy", name, str(program), "/pause")
            _buildah("config", "--entrypoint", '["/pause"]', name)
            _buildah("commit", "--quiet", name, containers.PAUSE)
            _archive(containers.PAUSE, archive)
    return archive


def _folder() -> Path:
    folder = tools.cache() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _build(image: Image, bases: dict[str, str]) -> Built:
    used = {name: base for name, base in bases.items() if name == "BASE" or image.compiling}
    tag = digest(image.sources(), PROJECT, *used.values())
    repository = f"localhost/{image.name}"
    built = Built(repository, tag, _folder() / f"{image.name}-{tag}.tar")
    if built.archive.exists():
        built.archive.touch()
        return built
    say(f"building {built.reference}")
    started = time.monotonic()
    with _lent_pip_configuration() as lent:
        _buildah(
            *("build", "--quiet", "--layers", "--isolation", "chroot", "--tag", built.reference),
            *(f"--build-arg={name}={BASES[name][0]}" for name in used),
            *(f"--file={image.folder}/Dockerfile", *lent),
            str(PROJECT),
        )
    _archive(built.reference, built.archive)
    for old in sorted(_folder().glob(f"{image.name}-*.tar"), key=lambda file: file.stat().st_mtime)[:-KEPT]:
        old.unlink()
    say(f"built {built.reference} in {time.monotonic() - started:.0f} s")
    return built


def _base(reference: str, packages: str) -> str:
    """Make sure a base image is there; returns its id."""
    if reference not in _buildah("images", "--format", "{{.Name}}:{{.Tag}}").split():
        say(f"making {reference} from Debian's packages (once per machine, about 40 s)")
        with tempfile.TemporaryDirectory(prefix="kubewick-base-") as root, _scratch() as name:
            include = f"--include={packages}"
            subprocess.run(
                ["debootstrap", "--variant=minbase", include, "trixie", root, debian.machines_mirror()],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            for unneeded in ("var/cache/apt/archives", "var/lib/apt/lists"):
                shutil.rmtree(Path(root) / unneeded)
            _buildah("add", "--quiet", name, root, "/")
            _buildah("commit", "--quiet", name, reference)
    return _buildah("images", "--quiet", "--no-trunc", reference).strip()


@contextmanager
def _scratch() -> Iterator[str]:
    name = _buildah("from", "scratch").strip()
    try:
        yield name
    finally:
        _buildah("rm", name)


def _archive(reference: str, archive: Path) -> None:
    """Write an image to a file, complete or not at all. Docker's format: not compressed, which took half the time."""
    partial = archive.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    _buildah("push", "--quiet", reference, f"docker-archive:{partial}:{reference}")
    partial.rename(archive)


@contextmanager
def _lent_pip_configuration() -> Iterator[list[str]]:
    """How this machine's pip is set up and whom it trusts, lent to a build and left in no layer."""
    folders = [CERTIFICATES, *(Path(item) for item in os.environ.get("PIP_FIND_LINKS", "").split())]
    lent = [f"--volume={folder}:{folder}:ro" for folder in folders if folder.is_dir()]
    with tempfile.NamedTemporaryFile("w", prefix="kubewick-pip-", suffix=".conf") as file:
        file.write(pip_configuration(_pip_settings()))
        file.flush()
        yield [*lent, f"--secret=id=pip,src={file.name}"]


def _pip_settings() -> dict[str, str]:
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    return dict(_setting(line) for line in listed.splitlines() if "=" in line)


def _setting(line: str) -> tuple[str, str]:
    """A line of `pip config list`: ``global.cert='...'`` or ``:env:.cert='...'``."""
    name, _, value = line.partition("=")
    return name.rpartition(".")[2], value.strip("'\"")


def pip_configuration(settings: dict[str, str]) -> str:
    """A pip.conf with these settings."""
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in sorted(settings.items()))


def _buildah(*arguments: str) -> str:
    store = tools.cache() / "buildah"
    command = ["buildah", f"--root={store}", "--runroot=/run/kubewick-buildah", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"buildah {arguments[0]} failed with {done.returncode}:\n{done.stderr[-4000:]}")
    return done.stdout
