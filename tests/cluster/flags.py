"""What each program of a cluster is started with: pure functions from facts to arguments."""

import json
from dataclasses import dataclass
from pathlib import Path

from cluster.credentials import Authority

SERVICES = "10.214.0.0/16"
PODS = "10.213.0.0/16"
PROCESSES_OF_A_POD = 1024


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


def controller_manager(kubeconfig: Path, authority: Authority, address: Address) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={address.host}",
        f"--secure-port={address.port}",
        f"--cert-dir={authority.folder}",
        f"--root-ca-file={authority.certificate}",
        f"--service-account-private-key-file={authority.folder / 'service-account.key'}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        f"--cluster-cidr={PODS}",
        f"--service-cluster-ip-range={SERVICES}",
    ]


def controller_manager_without_nodes(kubeconfig: Path, authority: Authority, address: Address) -> list[str]:
    """For tests that play the kubelet: pods on a node that is none are kept, which else are removed now and then."""
    return [
        *controller_manager(kubeconfig, authority, address),
        "--controllers=*,-pod-garbage-collector-controller",
    ]


def scheduler(kubeconfig: Path, authority: Authority, address: Address) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={address.host}",
        f"--secure-port={address.port}",
        f"--cert-dir={authority.folder}",
        "--leader-elect=false",
    ]


@dataclass(frozen=True)
class Node:
    """The one node: its name, its address and where its state lies."""

    name: str
    ip: str
    state: Path


def kubelet(node: Node, kubeconfig: Path, config: Path) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        f"--config={config}",
        f"--hostname-override={node.name}",
        f"--node-ip={node.ip}",
        f"--root-dir={node.state / 'kubelet'}",
        f"--cert-dir={node.state / 'kubelet' / 'pki'}",
    ]


def kubelet_config(node: Node, authority: Authority, cgroup: str) -> str:
    certificate, key = authority.issue("kubelet", node.name, node.ip)
    return json.dumps(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": node.ip,
            "authentication": {"x509": {"clientCAFile": str(authority.certificate)}, "anonymous": {"enabled": False}},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{cgroup}",
            "clusterDNS": [node.ip],
            "clusterDomain": "cluster.local",
            "containerRuntimeEndpoint": f"unix://{node.state}/containerd.sock",
            "enforceNodeAllocatable": [],
            "evictionHard": {},
            "failCgroupV1": False,
            "failSwapOn": False,
            "healthzBindAddress": node.ip,
            "imageGCHighThresholdPercent": 100,
            "makeIPTablesUtilChains": False,  # they would outlive the cluster
            "maxPods": 500,
            "podPidsLimit": PROCESSES_OF_A_POD,
            "podLogsDir": str(node.state / "logs" / "pods"),
            "serializeImagePulls": False,
            "tlsCertFile": str(certificate),
            "tlsPrivateKeyFile": str(key),
            "volumePluginDir": str(node.state / "volume-plugins"),
        },
        indent=1,
    )


def kube_proxy_config(node: Node, kubeconfig: Path) -> str:
    return json.dumps(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "bindAddress": node.ip,
            "clientConnection": {"kubeconfig": str(kubeconfig)},
            "clusterCIDR": PODS,
            "conntrack": {"maxPerCore": 0, "min": 0},
            "healthzBindAddress": f"{node.ip}:10256",
            "hostnameOverride": node.name,
            "iptables": {"localhostNodePorts": False},  # else it adds a firewall that outlives the cluster
            "metricsBindAddress": f"{node.ip}:10249",
            "mode": "iptables",
        },
        indent=1,
    )


def corefile(node: Node, kubeconfig: Path) -> str:
    """CoreDNS for the cluster's names; everything else goes where this machine's own questions go."""
    return f"""\
.:53 {{
    bind {node.ip}
    errors
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig} test
        pods insecure
        ttl 5
    }}
    forward . /etc/resolv.conf
    cache 5
}}
"""
