# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd, API server, controller manager and scheduler, on the host."""

from __future__ import annotations

import json
import ssl
import urllib.request
from pathlib import Path

from ..base import run
from . import processes
from .place import API, DOMAIN, HOST, PODS, SERVICES, Place
from .programs import program

_ETCD, _ETCD_PEERS = "http://127.0.0.1:12379", "http://127.0.0.1:12380"


def commands(place: Place) -> dict[str, list[str]]:
    """Return every daemon's command, in the order in which they start."""
    keys = place.keys
    return {
        "etcd": [program("etcd"), *_etcd(place)],
        "kube-apiserver": [program("kube-apiserver"), *_api_server(keys)],
        "kube-controller-manager": [program("kube-controller-manager"), *_controller_manager(keys)],
        "kube-scheduler": [program("kube-scheduler"), *_kubeconfigs(keys / "kube-scheduler.conf"), "--leader-elect=false", "--bind-address=127.0.0.1"],
    }


def _etcd(place: Place) -> list[str]:
    # What a test cluster loses with the host's power nobody misses.
    return [
        "--unsafe-no-fsync", f"--name={place.name}", f"--data-dir={place.root / 'etcd'}", "--log-level=warn", f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}", f"--listen-peer-urls={_ETCD_PEERS}", f"--initial-advertise-peer-urls={_ETCD_PEERS}",
        f"--initial-cluster={place.name}={_ETCD_PEERS}",
    ]  # fmt: skip


def _api_server(keys: Path) -> list[str]:
    return [
        f"--etcd-servers={_ETCD}", f"--bind-address={HOST}", f"--advertise-address={HOST}", "--secure-port=6443",
        f"--tls-cert-file={keys / 'apiserver.crt'}", f"--tls-private-key-file={keys / 'apiserver.key'}", f"--client-ca-file={keys / 'ca.crt'}",
        f"--kubelet-client-certificate={keys / 'apiserver-kubelet.crt'}", f"--kubelet-client-key={keys / 'apiserver-kubelet.key'}",
        f"--kubelet-certificate-authority={keys / 'ca.crt'}", "--kubelet-preferred-address-types=InternalIP", f"--service-cluster-ip-range={SERVICES}",
        "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", f"--service-account-issuer=https://kubernetes.default.svc.{DOMAIN}",
        f"--service-account-key-file={keys / 'sa.pub'}", f"--service-account-signing-key-file={keys / 'sa.key'}",
        # Aggregation: without it there are no metrics.
        f"--requestheader-client-ca-file={keys / 'front-ca.crt'}", "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-", f"--proxy-client-cert-file={keys / 'front-proxy.crt'}",
        f"--proxy-client-key-file={keys / 'front-proxy.key'}",
    ]  # fmt: skip


def _kubeconfigs(path: Path) -> list[str]:
    return [f"--kubeconfig={path}", f"--authentication-kubeconfig={path}", f"--authorization-kubeconfig={path}"]


def _controller_manager(keys: Path) -> list[str]:
    return [
        *_kubeconfigs(keys / "kube-controller-manager.conf"), f"--root-ca-file={keys / 'ca.crt'}", f"--service-account-private-key-file={keys / 'sa.key'}",
        "--use-service-account-credentials", f"--cluster-signing-cert-file={keys / 'ca.crt'}", f"--cluster-signing-key-file={keys / 'ca.key'}",
        "--allocate-node-cidrs", f"--cluster-cidr={PODS}", f"--service-cluster-ip-range={SERVICES}",
        f"--requestheader-client-ca-file={keys / 'front-ca.crt'}", "--leader-elect=false", "--bind-address=127.0.0.1",
        # A test cannot wait as long as people can: 40 s, 15 s, 5 min and 30 s by default.
        "--node-monitor-grace-period=20s", "--horizontal-pod-autoscaler-sync-period=5s", "--horizontal-pod-autoscaler-cpu-initialization-period=15s",
        "--horizontal-pod-autoscaler-initial-readiness-delay=5s",
    ]  # fmt: skip


def ready(place: Place, path: str = "/readyz") -> bool:
    """Whether the API server says that it is ready."""
    context = ssl.create_default_context(cafile=str(place.keys / "ca.crt"))
    context.load_cert_chain(place.keys / "admin.crt", place.keys / "admin.key")
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)).open(API + path, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def ensure(place: Place) -> None:
    """Have all four run, and the API server ready."""
    for name, command in commands(place).items():
        processes.ensure(place, name, command)
        # The others would only complain until it is there.
        if name == "kube-apiserver":
            processes.wait(place, name, lambda: ready(place))


def kubectl(place: Place, *arguments: str, data: object = None, check: bool = True) -> str:
    """Run kubectl as the administrator and return its output. ``data`` becomes its input: text as it is, anything else as JSON."""
    text = data if isinstance(data, str) or data is None else json.dumps(data)
    return run([program("kubectl"), "--kubeconfig", str(place.admin), *arguments], data=text, check=check).stdout
