# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every verb asks for what it needs before it does anything: its playbook is run against machines that cannot be reached, and must end by naming what
is missing or wrong, and not by having tried to reach one.
"""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = "registry.example.test:5000/odoo@sha256:" + "0" * 64
# Nothing listens there, so whatever contacts a machine says so at once.
NOWHERE = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_user": "root", "ansible_ssh_common_args": "-o BatchMode=yes -o ConnectTimeout=2"}
SHOP: dict[str, Any] = {
    **NOWHERE, "instance_machine": "vm-1", "instance_number": 1, "instance_tenant": "shop", "instance_environment": "test",
    "instance_data_class": "synthetic", "instance_hosts": ["shop.example.test"], "instance_tls": {"resolver": "acme"}}
OTHER = {**SHOP, "instance_number": 2, "instance_hosts": ["other.example.test"]}
BUILDER = {"odoo_image_registry": "vm-1:5000", "odoo_image_releases_file": "{{ lookup('ansible.builtin.env', 'PLACE') }}/releases.yml",
           "odoo_image_sources": ["{{ lookup('ansible.builtin.env', 'PLACE') }}/source.yml"]}
INIT = {"init_environment": "test", "init_address": "192.0.2.10", "init_tenant": "acme", "init_domain": "shop.example.test",
        "init_directory": "{{ lookup('ansible.builtin.env', 'PLACE') }}", "init_secrets": "{{ lookup('ansible.builtin.env', 'PLACE') }}/kept"}
IMPORT = {"import_archive": "/var/tmp/shop.zip", "instance_release": REFERENCE}
GONE = None  # for a variable of the inventory that is taken away


def verb(name: str, said: str, given: dict[str, Any] | None = None, shop: dict[str, Any] | None = None, limit: str = "shop", **more: Any) -> Any:
    return pytest.param(name, said, given or {}, shop or {}, limit, more, id=f"{name}: {said[:40]}")


def without(given: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key != name}


# Verb, what it must say, extra variables, changes of the instance's own variables. Every required argument of each verb is taken away once.
SWEEP = [
    *[verb("init", f"missing required arguments: {name}", without(INIT, name), limit="") for name in (
        "init_environment", "init_address", "init_tenant", "init_domain")],
    *[verb("init", f"{name} is {value}, expected", {**INIT, name: value}, limit="") for name, value in (
        ("init_environment", "Test"), ("init_environment", "../test"), ("init_address", "root@192.0.2.10"), ("init_address", "192.0.2.10:22"),
        ("init_tenant", "acme ltd"), ("init_domain", "shop"), ("init_domain", "192.0.2.10"), ("init_domain", "https://shop.example.test"),
        ("init_machine", "acme-test"), ("init_series", "nineteen"), ("init_registry", "registry"), ("init_directory", "/nowhere"))],
    verb("init", "expected a name of at most 40", {**INIT, "init_tenant": "a" * 40}, limit=""),
    verb("init", "init_data_class", {**INIT, "init_data_class": "real"}, limit=""),
    verb("init", "expected a file of the controller", {**INIT, "init_registry": "r:5000", "init_registry_certificate": "/nowhere.crt"}, limit=""),
    verb("import", "import_archive", without(IMPORT, "import_archive")), verb("import", "instance_release", without(IMPORT, "instance_release")),
    verb("import", "a tag may stand for another image", {**IMPORT, "instance_release": "registry:5000/odoo:latest"}),
    verb("import", "release is 'r7', expected a reference", {**IMPORT, "instance_release": "r7"}),
    verb("import", "release is '', expected a reference", {**IMPORT, "instance_release": ""}),
    verb("import", "import_archive is shop.zip", {**IMPORT, "import_archive": "shop.zip"}),
    verb("import", "import_archive is ", {**IMPORT, "import_archive": ""}),
    verb("import", "a file of the controller", {**IMPORT, "import_archive": "/nowhere/shop.zip", "import_copy": True}),
    verb("import", "import_series is 'nineteen'", {**IMPORT, "import_series": "nineteen"}),
    verb("import", "import_neutralize", {**IMPORT, "import_neutralize": "perhaps"}),
    verb("import", "import_accept_losses", {**IMPORT, "import_accept_losses": "some"}),
    verb("import", "name it with --limit", IMPORT, limit="instances"),
    verb("import", "instance_number is missing", IMPORT, {"instance_number": GONE}),
    verb("import", "instance_recovery has place", IMPORT, {"instance_recovery": {"place": "/x"}}),
    verb("import", "no vault secret with the id test", IMPORT, vault=False),
    verb("plan", "instance_release"), verb("plan", "release is 'r7', expected", {"instance_release": "r7", "plan_rehearse": True}),
    verb("plan", "plan_rehearse", {"instance_release": REFERENCE, "plan_rehearse": "perhaps"}),
    verb("release", "release is '', expected a reference"), verb("release", "release_state", {"instance_release": REFERENCE, "release_state": "gone"}),
    verb("release", "a tag may stand for", {"instance_release": "registry:5000/odoo:19.0"}),
    verb("release", "no vault secret with the id test", {"instance_release": REFERENCE}, vault=False),
    verb("restore", "restore_source"), verb("restore", "no instance of the inventory", {"restore_source": "nobody"}),
    verb("restore", "name it with --limit", {"restore_source": "shop"}), verb("restore", "name it with --limit", {"restore_source": "shop"}, limit="instances"),
    verb("restore", "repository", {"restore_source": "other"}, other={"instance_recovery": False}),
    verb("restore", "restore_neutralize", {"restore_source": "other", "restore_neutralize": "perhaps"}),
    verb("rollback", "instance_recovery has place", shop={"instance_recovery": {"place": "/x"}}),
    verb("expire", "expire_retention", {"expire_retention": "all"}), verb("expire", "has no recovery points", shop={"instance_recovery": False}),
    verb("recovery_point", "recovery_point_max_age", {"recovery_point_max_age": "soon"}),
    verb("recovery_point", "has no recovery points", shop={"instance_recovery": False}),
    verb("logs", "logs_kinds", {"logs_kinds": ["database"]}), verb("logs", "logs_since and logs_until are", {"logs_since": "yesterday"}),
    verb("logs", "logs_lines is 1 or more", {"logs_lines": 0}), verb("logs", "logs_match", {"logs_match": "["}),
    verb("report", "report_requests_path is /nowhere", {"report_requests_path": "/nowhere"}), verb("report", "report_history", {"report_history": "all"}),
    verb("status", "status_directory is /nowhere", {"status_directory": "/nowhere"}), verb("status", "status_history", {"status_history": "all"}),
    verb("build", "odoo_image_registry", builder={"odoo_image_registry": GONE}, limit="all"),
    verb("build", "odoo_image_releases_file", builder={"odoo_image_releases_file": GONE}, limit="all"),
    verb("build", "a directory that is there", builder={"odoo_image_releases_file": "/nowhere/releases.yml"}, limit="all"),
    verb("build", "nowhere.yml", builder={"odoo_image_sources": ["/nowhere.yml"]}, limit="all"),
    verb("build", "odoo_image_sources", builder={"odoo_image_sources": {"a": "b"}}, limit="all"),
    *[verb("site", f"{name} is missing", shop={name: GONE}, limit="all") for name in (
        "instance_number", "instance_tenant", "instance_environment", "instance_data_class", "instance_tls")],
    verb("site", "expected a host of the group machines", shop={"instance_machine": "vm-2"}, limit="all"),
    verb("site", "is taken by", shop={"instance_number": 2}, limit="all"), verb("site", "no vault secret with the id test", vault=False, limit="all"),
    verb("site", "instance_recovery is 'nightly'", shop={"instance_recovery": "nightly"}, limit="all"),
    verb("site", "registry_tls_certificate", groups=("registries",), limit="all"),
    verb("site", "object_store_tls_certificate", groups=("object_stores",), limit="all"),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "source.yml").write_text("name: r1\n", encoding="utf-8")
    (tmp_path / "vault").write_text("a vault's password\n", encoding="utf-8")
    return tmp_path


def changed(variables: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**copy.deepcopy(variables), **changes}.items() if value is not GONE}


def run(place: Path, name: str, given: dict[str, Any], shop: dict[str, Any], limit: str, more: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    here = {"vm-1": dict(NOWHERE)}
    groups = {group: {"hosts": {"vm-1": {}}} for group in more.get("groups", ())}
    inventory = {"all": {
        "vars": {"sysgenpro_secrets_path": str(place / "secrets"), "sysgenpro_releases_path": str(place / "none.yml")},
        "children": {
            "machines": {"hosts": here}, **groups,
            "builders": {"hosts": {"vm-1": {}}, "vars": changed(BUILDER, more.get("builder", {}))},
            "instances": {"hosts": {"shop": changed(SHOP, shop), "other": changed(OTHER, more.get("other", {}))}}}}}
    (place / "hosts.json").write_text(json.dumps(inventory), encoding="utf-8")
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "true", "PLACE": str(place), "USER": "alice",
                   "ANSIBLE_VAULT_IDENTITY_LIST": f"{'test' if more.get('vault', True) else 'other'}@{place / 'vault'}"}
    return subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), f"sysgenpro.odoo.{name}", "-i", str(place / "hosts.json"),
         *(["--limit", limit] if limit else []), "--extra-vars", json.dumps(given)], cwd=ROOT, env=environment, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize(("name", "said", "given", "shop", "limit", "more"), SWEEP)
def test_it_is_asked_for_before_anything_is_done(
        place: Path, name: str, said: str, given: dict[str, Any], shop: dict[str, Any], limit: str, more: dict[str, Any]) -> None:
    done = run(place, name, given, shop, limit, more)
    output = done.stdout + done.stderr
    assert done.returncode, output
    assert said in re.sub(r"\s+", " ", output), output
    assert "UNREACHABLE" not in output and "refused" not in output, f"a machine was asked for something first:\n{output}"
    assert set(re.findall(r"\bchanged=(\d+)", output)) <= {"0"}, output


def test_the_sweep_is_of_every_verb() -> None:
    verbs = {path.stem for path in (ROOT / "playbooks").glob("*.yml") if not path.stem.endswith(".meta")}
    assert {param.values[0] for param in SWEEP} == verbs


@pytest.mark.parametrize(("name", "given"), [("import", IMPORT), ("release", {"instance_release": REFERENCE}), ("status", {}), ("site", {})])
def test_what_is_right_gets_as_far_as_the_machine(place: Path, name: str, given: dict[str, Any]) -> None:
    """So that the others ended for what they said."""
    done = run(place, name, given, {}, "all" if name == "site" else "shop", {})
    assert done.returncode and "UNREACHABLE" in done.stdout, done.stdout + done.stderr
