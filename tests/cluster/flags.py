"""What each program of a cluster is started with: pure functions from facts to arguments."""

from dataclasses import dataclass
from pathlib import Path

from cluster.credentials import Authority

SERVICES = "10.214.0.0/16"
PODS = "10.213.0.0/16"


@dataclass(frozen=True)
class Address:
    """Where a server listens."""

    host: str
    port: int


def etcd(data: Path, host: str, client_port: int, peer_port: int) -> list[str]:
    client, peer = f"http://{host}:{client_port}", f"http://{host}:{peer_port}"
    return [
        "--name=test",
        f"--data-dir={data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=test={peer}",
        "--logger=zap",
    ]


def api_server(authority: Authority, address: Address, etcd_url: str, *, service_accounts: bool) -> list[str]:
    """`service_accounts`: whether a controller manager will make each namespace's default ServiceAccount.

    Without one no pod could be created, so the admission plugin that wants the account is left out.
    """
    certificate, key = authority.issue("kube-apiserver", address.host, "10.214.0.1", "localhost", *_service_names())
    kubelet_certificate, kubelet_key = authority.issue("kube-apiserver-kubelet-client", group="system:masters")
    proxy_certificate, proxy_key = authority.issue("front-proxy")
    loopback = address.host.startswith("127.")
    return [
        f"--etcd-servers={etcd_url}",
        f"--bind-address={address.host}",
        f"--secure-port={address.port}",
        f"--cert-dir={authority.folder}",
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        f"--client-ca-file={authority.certificate}",
        f"--service-cluster-ip-range={SERVICES}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={authority.folder / 'service-account.pub'}",
        f"--service-account-signing-key-file={authority.folder / 'service-account.key'}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        f"--kubelet-client-certificate={kubelet_certificate}",
        f"--kubelet-client-key={kubelet_key}",
        "--kubelet-preferred-address-types=InternalIP",  # names of nodes are in no DNS
        f"--requestheader-client-ca-file={authority.certificate}",
        "--requestheader-allowed-names=front-proxy",  # the one authority signs clients too
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={proxy_certificate}",
        f"--proxy-client-key-file={proxy_key}",
        # An endpoint may not have a loopback address, so there the `kubernetes` Service stays without.
        *(["--endpoint-reconciler-type=none"] if loopback else [f"--advertise-address={address.host}"]),
        *([] if service_accounts else ["--disable-admission-plugins=ServiceAccount"]),
    ]


def _service_names() -> list[str]:
    return ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]


def controller_manager(kubeconfig: Path, authority: Authority, port: int) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={authority.folder}",
        f"--root-ca-file={authority.certificate}",
        f"--service-account-private-key-file={authority.folder / 'service-account.key'}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        f"--cluster-cidr={PODS}",
        f"--service-cluster-ip-range={SERVICES}",
    ]


def scheduler(kubeconfig: Path, authority: Authority, port: int) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={authority.folder}",
        "--leader-elect=false",
    ]
