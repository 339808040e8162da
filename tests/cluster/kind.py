"""The test cluster on Docker, by kind. The tests see the same: a kubeconfig, the project's images, a router URL."""

import subprocess
from pathlib import Path

from cluster import tools
from cluster.images import IMAGES, PROJECT, Built, digest
from cluster.tools import say

NAME = "kubewick"
NODE_PORT = 30080
URL = f"http://127.0.0.1:{NODE_PORT}"


def up(kubeconfig: Path) -> None:
    """Make the cluster unless it runs, and write its kubeconfig."""
    if not runs():
        say("making a kind cluster")
        _kind("create", "cluster", f"--config={Path(__file__).parent / 'kind.yaml'}", "--wait=120s")
    _kind("export", "kubeconfig", f"--name={NAME}", f"--kubeconfig={kubeconfig}")


def runs() -> bool:
    """Whether the cluster is there."""
    return NAME in _kind("get", "clusters").split()


def down() -> None:
    """Delete the cluster; does nothing without one."""
    _kind("delete", "cluster", f"--name={NAME}")


def build() -> dict[str, Built]:
    """Build the images with Docker, whose own layer cache makes an unchanged tree cheap."""
    built = {}
    for image in IMAGES:
        made = Built(f"localhost/{image.name}", digest(image.sources(), PROJECT), Path())
        dockerfile = f"--file={image.folder}/Dockerfile"
        subprocess.run(
            ["docker", "build", "--quiet", dockerfile, f"--tag={made.reference}", "."], cwd=PROJECT, check=True
        )
        built[image.name] = made
    return built


def load(images: dict[str, Built]) -> None:
    """Hand the images to the node."""
    _kind("load", "docker-image", f"--name={NAME}", *(image.reference for image in images.values()))


def tag(reference: str, another: str) -> None:
    """Give an image one more name, and the node the image by it."""
    subprocess.run(["docker", "tag", reference, another], check=True)
    _kind("load", "docker-image", f"--name={NAME}", another)


def _kind(*arguments: str) -> str:
    tools.ensure("kind")
    return subprocess.run([tools.path("kind"), *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout
