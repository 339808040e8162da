"""The node's containerd: its own root, socket and CNI folder, so that the machine's own is not disturbed."""

import subprocess
from pathlib import Path

from cluster import tools
from cluster.machine import STATE

SOCKET = STATE / "containerd.sock"
PAUSE = "localhost/kubewick-pause:1"


def config(state: Path, shim: Path, runc: Path) -> str:
    """containerd's configuration (version 3, containerd 2.0 and newer)."""
    cri = "[plugins.'io.containerd.cri.v1"
    return f"""\
version = 3
root = "{state}/containerd"
state = "{state}/containerd-run"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{state}/containerd.sock"
[ttrpc]
  address = "{state}/containerd.sock.ttrpc"
[plugins.'io.containerd.internal.v1.opt']
  path = "{state}/containerd-opt"
{cri}.images'.pinned_images]
  sandbox = "{PAUSE}"
{cri}.runtime']
  restrict_oom_score_adj = true  # without CAP_SYS_RESOURCE every sandbox fails otherwise
  netns_mounts_under_state_dir = true
  disable_apparmor = true
{cri}.runtime'.cni]
  bin_dirs = ["/usr/lib/cni"]
  conf_dir = "{state}/cni"
{cri}.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  runtime_path = "{shim}"
{cri}.runtime'.containerd.runtimes.runc.options]
  BinaryName = "{runc}"
  SystemdCgroup = false
"""


def load(archive: Path) -> None:
    """Put an image, given as an archive, where the kubelet finds it."""
    _ctr("images", "import", str(archive))


def tag(reference: str, another: str) -> None:
    """Give an image that the node has one more name."""
    _ctr("images", "tag", "--force", reference, another)


def loaded() -> set[str]:
    """Names of the images the node has."""
    return set(_ctr("images", "list", "--quiet").split())


def _ctr(*arguments: str) -> str:
    command = [tools.path("ctr"), "--address", str(SOCKET), "--namespace", "k8s.io", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
