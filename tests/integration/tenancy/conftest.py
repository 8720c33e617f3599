# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants in a real cluster, that of ``KUBECONFIG``; each test has tenants of its own, and takes them away again."""

from __future__ import annotations

import io
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import Api
from ansible_collections.sysgenpro.odoo.plugins.modules import tenant_quota, tenant_quota_info

REGISTRY = "registry.example.test:5000"
DIGEST = "sha256:" + "0123456789abcdef" * 4
GOOD = f"{REGISTRY}/odoo@{DIGEST}"
"""An image that may be named; nothing pulls it, since these pods are only offered to the API server."""
UNBOUND = {"cpu": 0, "memory": 0}


class Cluster:
    """A cluster as its administrator sees it, and what this test made in it."""

    def __init__(self, api: Api, directory: Path) -> None:
        self.api, self.directory = api, directory
        self.prefix = "quota-" + secrets.token_hex(3)
        self.made: set[str] = set()

    def name(self, ending: str = "a") -> str:
        return f"{self.prefix}-{ending}"

    def tenant(self, ending: str = "a", **more: Any) -> dict[str, Any]:
        name = self.name(ending)
        return {"name": name, "profile": "small", "registries": [REGISTRY], "hosts": [f"{name}.example.test"], "database": {"address": "192.0.2.10"},
                "redis": {"address": "192.0.2.11"}, "ci": {"service_accounts": ["ci"]}, "people": {"groups": [name]}, **more}

    def quota(self, *tenants: dict[str, Any], **options: Any) -> dict[str, Any]:
        self.made |= {tenant["name"] for tenant in tenants}
        return module(tenant_quota, tenants=list(tenants), **{"overcommit": UNBOUND, **options})

    def account(self, namespace: str, name: str = "ci") -> Api:
        """A service account of a namespace, and the API as it sees it."""
        self.api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}})
        token = self.api.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", None,
                              {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}})["status"]["token"]
        settings = self.api._client.configuration
        path = self.directory / f"{namespace}-{name}.json"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": settings.host, "certificate-authority": settings.ssl_ca_cert}}],
            "users": [{"name": "it", "user": {"token": token}}], "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}]}))
        return Api.open(str(path))

    def clean(self) -> None:
        if self.made:
            names = sorted(self.made)
            found = module(tenant_quota, state="absent", tenants=[{"name": name} for name in names], purge=names, timeout=180)
            assert found["residue"]["namespaces"] == []


def module(which: Any, **arguments: Any) -> dict[str, Any]:
    """What a module returns."""
    output = io.StringIO()
    with patch_module_args({"kubeconfig": os.environ["KUBECONFIG"], **arguments}), redirect_stdout(output), pytest.raises(SystemExit):
        which.main()
    found: dict[str, Any] = json.loads(output.getvalue())
    return found


def info(**arguments: Any) -> dict[str, Any]:
    return module(tenant_quota_info, **arguments)


@pytest.fixture(scope="session")
def administrator() -> Api:
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster")
    try:
        api = Api.open()
        api.patience = 5
        api.call("GET", "/readyz", plain=True)
    except DomainError as error:
        pytest.skip(f"no cluster: {error}")
    api.patience = 90
    return api


@pytest.fixture
def cluster(administrator: Api, tmp_path: Path) -> Iterator[Cluster]:
    found = Cluster(administrator, tmp_path)
    try:
        yield found
    finally:
        found.clean()


@pytest.fixture(scope="module")
def two(administrator: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two tenants that do not trust each other, for tests that change neither."""
    found = Cluster(administrator, tmp_path_factory.mktemp("two"))
    try:
        assert "msg" not in found.quota(found.tenant("a"), found.tenant("b", isolation="dedicated"))
        yield found
    finally:
        found.clean()


def pod(namespace: str, name: str = "it", **spec: Any) -> dict[str, Any]:
    """A pod as ``restricted`` asks, of an image that the tenant may use."""
    confined = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": {
        "automountServiceAccountToken": False, "securityContext": {"runAsNonRoot": True, "runAsUser": 20001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "it", "image": GOOD, "securityContext": confined}], **spec}}


Offer = Callable[[Api, dict[str, Any]], dict[str, Any]]


def offer(api: Api, item: dict[str, Any], plural: str, group: str = "api/v1") -> dict[str, Any]:
    """Have the API server look at an object, with every check that it has, and keep nothing of it."""
    found: dict[str, Any] = api.call("POST", f"/{group}/namespaces/{item['metadata']['namespace']}/{plural}", {"dryRun": "All"}, item)
    return found
