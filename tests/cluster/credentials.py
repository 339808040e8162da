"""The cluster's own certificate authority, its certificates, keys and kubeconfigs, as files in one folder."""

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import trustme

ADMINS = "system:masters"


@dataclass(frozen=True)
class Authority:
    """A certificate authority for one cluster; it serves clients, servers and the aggregation layer alike."""

    folder: Path
    ca: trustme.CA

    @classmethod
    def create(cls, folder: Path) -> "Authority":
        folder.mkdir(parents=True, exist_ok=True)
        ca = trustme.CA(organization_name="kubewick-tests")
        ca.cert_pem.write_to_path(folder / "ca.crt")
        ca.private_key_pem.write_to_path(folder / "ca.key")
        subprocess.run(
            ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder / "service-account.key"],
            check=True,
        )
        subprocess.run(
            ["openssl", "ec", "-in", folder / "service-account.key", "-pubout", "-out", folder / "service-account.pub"],
            check=True,
            capture_output=True,
        )
        return cls(folder, ca)

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.crt"

    def issue(self, user: str, *hosts: str, group: str | None = None) -> tuple[Path, Path]:
        """Certificate and key files for a client or server called `user`."""
        leaf = self.ca.issue_cert(*(hosts or (user.rsplit(":", 1)[-1],)), common_name=user, organization_name=group)
        certificate, key = self._files(user)
        certificate.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(key)
        return certificate, key

    def _files(self, user: str) -> tuple[Path, Path]:
        stem = user.replace(":", "-")
        return self.folder / f"{stem}.crt", self.folder / f"{stem}.key"

    def kubeconfig(self, user: str, server: str, *, group: str | None = None) -> Path:
        """A kubeconfig file that makes its bearer `user`, all in one file so that it can be copied about."""
        certificate, key = self.issue(user, group=group)
        file = self.folder / f"{user.replace(':', '-')}.kubeconfig"
        file.write_text(json.dumps(_config(server, self.certificate, certificate, key), indent=1))
        file.chmod(0o600)
        return file


def _config(server: str, ca: Path, certificate: Path, key: Path) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority-data": _base64(ca)}}],
        "users": [
            {"name": "test", "user": {"client-certificate-data": _base64(certificate), "client-key-data": _base64(key)}}
        ],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "default"}}],
        "current-context": "test",
    }


def _base64(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
