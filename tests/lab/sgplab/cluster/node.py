# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node: containerd, kubelet, kube-proxy and the network policies' program, on the host or in a network namespace beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..base import run
from . import certificates, control_plane, images, namespace, network, packages, processes
from .place import BRIDGE, DNS_SERVICE, DOMAIN, PODS, Node, Place
from .programs import program

#: Where the kubelet puts links to pods' logs, whatever it is told.
POD_LOG_LINKS = Path("/var/log/containers")
#: The pods' network, as the containers' network interface names it, and where that keeps what it gave to whom.
NETWORK, CNI_CACHE = "sgp-pods", Path("/var/lib/cni/results")


def containerd_config(place: Place, node: Node, networks: Path) -> str:
    """Return containerd's configuration: root, state and socket of its own, beside Docker's."""
    root = place.node(node)
    return f"""\
version = 2
root = "{root / 'containerd'}"
state = "{node.run / 'containerd'}"
[grpc]
  address = "{node.socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{root / 'opt'}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{images.PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{networks}"
    conf_dir = "{root / 'networks'}"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{place.root / 'registries'}"
"""


def network_config(place: Place, node: Node, pods: str) -> dict[str, Any]:
    """Return the pods' network on a node.

    Point to point, not a bridge, and without masquerading: every packet crosses the node's netfilter and bears its pod's address, which policies ask for.
    """
    addresses = {"type": "host-local", "dataDir": str(place.node(node) / "addresses"), "ranges": [[{"subnet": pods}]], "routes": [{"dst": "0.0.0.0/0"}]}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": NETWORK, "plugins": [{"type": "ptp", "ipMasq": False, "ipam": addresses}, ports]}


def kubelet_config(place: Place, node: Node) -> dict[str, Any]:
    """Return the kubelet's configuration."""
    keys, root = place.keys, place.node(node)
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", "address": node.address,
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}, "x509": {"clientCAFile": str(keys / "ca.crt")}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(keys / f"serving-{node.name}.crt"), "tlsPrivateKeyFile": str(keys / f"serving-{node.name}.key"),
        "containerRuntimeEndpoint": f"unix://{node.socket}", "clusterDNS": [DNS_SERVICE], "clusterDomain": DOMAIN, "resolvConf": str(root / "resolv.conf"),
        "podLogsDir": str(root / "pod-logs"), "volumePluginDir": str(root / "volume-plugins"),
        # Of cgroup v1 and v2 alike, and in a machine that may not raise a priority against being killed.
        "cgroupDriver": "cgroupfs", "failCgroupV1": False, "failSwapOn": False, "oomScoreAdj": 0,
        # A second kubelet of one kernel would remove the first one's pods.
        **({"cgroupRoot": f"/{node.namespace}"} if node.namespace else {}),
        # The disk is the host's, and images cannot be fetched again.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "nodefs.inodesFree": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100, "imageGCLowThresholdPercent": 99, "serializeImagePulls": False,
        # Else an image that was pulled once may not be used by the name under which it was loaded: the kubelet would ask a registry whether it may.
        "imagePullCredentialsVerificationPolicy": "NeverVerify",
    }  # fmt: skip


def proxy_config(place: Place, node: Node) -> dict[str, Any]:
    """Return kube-proxy's configuration."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(place.keys / "kube-proxy.conf")},
        "hostnameOverride": node.name, "mode": "iptables", "clusterCIDR": PODS, "oomScoreAdj": 0, "bindAddress": node.address,
        # The host's limits of connections are the host's affair.
        "conntrack": {"maxPerCore": 0},
    }  # fmt: skip


def _write(path: Path, content: object) -> str:
    text = content if isinstance(content, str) else json.dumps(content, indent=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return text


def begin(place: Place, node: Node, references: Sequence[str]) -> None:
    """Have containerd run with the images that the node needs. Needs no control plane."""
    root = place.node(node)
    for folder in (root, node.run, root / "networks"):
        folder.mkdir(parents=True, exist_ok=True)
    namespace.ensure(node)
    network.ensure_rules(node)
    text = _write(root / "containerd.toml", containerd_config(place, node, packages.path("containernetworking-plugins").parent))
    name = f"containerd-{node.name}"
    processes.ensure(place, name, [*node.enter(), "containerd", "--config", str(root / "containerd.toml")], text)
    processes.wait(place, name, lambda: run(["ctr", "--address", str(node.socket), "version"], check=False).returncode == 0)
    images.ensure(place, node, references)


def ensure(place: Place, node: Node) -> None:
    """Have the node's other programs run, and the node known to the cluster with its network. Needs the API server."""
    root = place.node(node)
    certificates.ensure_node(place, node)
    _write(root / "resolv.conf", "")
    kubelet, proxy = _write(root / "kubelet.json", kubelet_config(place, node)), _write(root / "kube-proxy.json", proxy_config(place, node))
    processes.ensure(place, f"kubelet-{node.name}", [
        *node.enter(), program("kubelet"), f"--config={root / 'kubelet.json'}", f"--kubeconfig={place.keys / f'kubelet-{node.name}.conf'}",
        # Without the socket no pod's processor time is seen.
        f"--hostname-override={node.name}", f"--node-ip={node.address}", f"--root-dir={root / 'kubelet'}", f"--containerd={node.socket}",
    ], kubelet)  # fmt: skip
    processes.ensure(place, f"kube-proxy-{node.name}", [*node.enter(), program("kube-proxy"), f"--config={root / 'kube-proxy.json'}"], proxy)
    _write(root / "networks" / "pods.conflist", network_config(place, node, _pods(place, node)))
    asked = [program("netpol"), f"--kubeconfig={place.admin}", f"--node={node.name}", f"--queue={network.QUEUE}"]
    processes.ensure(place, f"netpol-{node.name}", [*node.enter(), *asked])
    network.ensure_policies(node)


def _pods(place: Place, node: Node) -> str:
    """Wait until the node is known, and return the range of its pods."""
    found: list[str] = []

    def known() -> bool:
        found[:] = control_plane.kubectl(place, "get", "node", node.name, "--ignore-not-found", "-o", "jsonpath={.spec.podCIDR}").split()
        return bool(found)

    processes.wait(place, f"kubelet-{node.name}", known)
    return found[0]


def route(place: Place, nodes: Sequence[Node]) -> None:
    """Have every node know the way to the others' pods."""
    ranges = {node: _pods(place, node) for node in nodes}
    for node in nodes:
        for other in nodes:
            if other != node:
                run([*node.enter(), "ip", "route", "replace", ranges[other], "via", other.address, "dev", BRIDGE if not node.namespace else namespace.DEVICE])
