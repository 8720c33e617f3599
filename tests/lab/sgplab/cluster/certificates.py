# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's authorities and who everybody is to it: certificates (P-256, by openssl) and kubeconfigs.

Names and groups: https://kubernetes.io/docs/setup/best-practices/certificates/.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path

from ..base import run
from .place import API, API_SERVICE, DOMAIN, HOST, Node, Place

_DAYS = "825"
_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
API_NAMES = (
    *(f"DNS:{name}" for name in ("kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{DOMAIN}", "localhost")),
    *(f"IP:{address}" for address in (API_SERVICE, "127.0.0.1", HOST)),
)
#: Client: subject. The API server takes CN as the user and O as the groups.
CLIENTS = {
    "admin": "/O=system:masters/CN=admin",
    "kube-controller-manager": "/CN=system:kube-controller-manager",
    "kube-scheduler": "/CN=system:kube-scheduler",
    "kube-proxy": "/O=system:node-proxier/CN=system:kube-proxy",
    "apiserver-kubelet": "/O=system:masters/CN=kube-apiserver-kubelet-client",
}


def ensure(place: Place) -> None:
    """Make all that is not there but the nodes' own."""
    # Without keyUsage Python 3.13 refuses an authority.
    for name, subject in (("ca", "/CN=lab kubernetes"), ("front-ca", "/CN=lab front proxy")):
        if not (place.keys / f"{name}.crt").exists():
            run(["openssl", "req", "-x509", *_EC, "-days", _DAYS, "-subj", subject, "-addext", "basicConstraints=critical,CA:TRUE",
                 "-addext", "keyUsage=critical,digitalSignature,keyCertSign,cRLSign", "-keyout", str(place.keys / f"{name}.key"),
                 "-out", str(place.keys / f"{name}.crt")])  # fmt: skip
    leaf(place, "apiserver", "/CN=kube-apiserver", "serverAuth", API_NAMES)
    leaf(place, "front-proxy", "/CN=front-proxy-client", "clientAuth", authority="front-ca")
    for name, subject in CLIENTS.items():
        leaf(place, name, subject, "clientAuth")
        kubeconfig(place, name)
    if not (place.keys / "sa.pub").exists():
        run(["openssl", "genrsa", "-out", str(place.keys / "sa.key"), "2048"])
        run(["openssl", "rsa", "-in", str(place.keys / "sa.key"), "-pubout", "-out", str(place.keys / "sa.pub")])


def ensure_node(place: Place, node: Node) -> None:
    """Make what a node needs: who its kubelet is, and with what it serves."""
    leaf(place, f"kubelet-{node.name}", f"/O=system:nodes/CN=system:node:{node.name}", "clientAuth")
    kubeconfig(place, f"kubelet-{node.name}")
    leaf(place, f"serving-{node.name}", f"/O=system:nodes/CN=system:node:{node.name}", "serverAuth", (f"DNS:{node.name}", f"IP:{node.address}"))


def extensions(usage: str, names: Sequence[str] = ()) -> str:
    """Return a leaf's extensions, as openssl reads them."""
    lines = ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature,keyEncipherment", f"extendedKeyUsage={usage}",
             "subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid"]  # fmt: skip
    return "\n".join(lines + ([f"subjectAltName={','.join(names)}"] if names else [])) + "\n"


def leaf(place: Place, name: str, subject: str, usage: str, names: Sequence[str] = (), authority: str = "ca") -> None:
    """Make a certificate and its key, ``NAME.crt`` and ``NAME.key``, if there are none."""
    certificate, request, wanted = (place.keys / f"{name}.{suffix}" for suffix in ("crt", "csr", "ext"))
    if certificate.exists():
        return
    wanted.write_text(extensions(usage, names), encoding="utf-8")
    run(["openssl", "req", "-new", *_EC, "-subj", subject, "-keyout", str(place.keys / f"{name}.key"), "-out", str(request)])
    run(["openssl", "x509", "-req", "-in", str(request), "-CA", str(place.keys / f"{authority}.crt"), "-CAkey", str(place.keys / f"{authority}.key"),
         "-CAcreateserial", "-days", _DAYS, "-extfile", str(wanted), "-out", str(certificate)])  # fmt: skip
    request.unlink()
    wanted.unlink()


def kubeconfig(place: Place, name: str) -> Path:
    """Write the kubeconfig of a client, ``NAME.conf``, with all that it needs inside, and return it. JSON, which every reader of YAML takes."""
    path = place.keys / f"{name}.conf"
    if not path.exists():
        inside = {kind: base64.b64encode((place.keys / kind_of).read_bytes()).decode()
                  for kind, kind_of in (("ca", "ca.crt"), ("crt", f"{name}.crt"), ("key", f"{name}.key"))}  # fmt: skip
        content = {
            "apiVersion": "v1", "kind": "Config", "current-context": place.name, "preferences": {},
            "clusters": [{"name": place.name, "cluster": {"server": API, "certificate-authority-data": inside["ca"]}}],
            "users": [{"name": name, "user": {"client-certificate-data": inside["crt"], "client-key-data": inside["key"]}}],
            "contexts": [{"name": place.name, "context": {"cluster": place.name, "user": name}}],
        }  # fmt: skip
        path.touch(mode=0o600)
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path
