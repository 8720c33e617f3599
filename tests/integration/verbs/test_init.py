# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``init`` writes is taken by ``site`` as it is, once and for all, and no file that somebody changed is lost. So are the inventories of this repository."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from cryptography import x509
from cryptography.hazmat.primitives import serialization

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENTS = sorted(path.name for path in (ROOT / "inventories").iterdir() if (path / "10-hosts.yml").exists())
GIVEN = {"init_environment": "production", "init_address": "192.0.2.10", "init_tenant": "acme", "init_domain": "shop.example.test"}
NOT_REACHED = "-o ProxyCommand=false -o BatchMode=yes"
"""For ssh: that no machine is asked for anything."""


class Place:
    """A directory to work in, and a home."""

    def __init__(self, path: Path) -> None:
        self.here, self.home = path / "shop", path / "home"
        self.here.mkdir()
        self.kept = self.home / ".config" / "sysgenpro"

    def play(self, verb: str, *arguments: str, **more: str) -> tuple[int, str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_") or name == "ANSIBLE_COLLECTIONS_PATH"}
        environment |= {"HOME": str(self.home), "PWD": str(self.here), "ANSIBLE_NOCOLOR": "true", "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FATAL": "true", **more}
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), f"sysgenpro.odoo.{verb}", *arguments], cwd=self.here, env=environment, check=False,
            capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout + done.stderr

    def init(self, *arguments: str, **given: str) -> tuple[int, str]:
        return self.play("init", "-e", json.dumps({**GIVEN, **given}), *arguments)

    def files(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.here.parent)): path.read_bytes() for top in (self.here, self.kept) for path in top.rglob("*") if path.is_file()}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def changes(output: str) -> int:
    return sum(int(number) for number in re.findall(r"\bchanged=(\d+)", output))


def stopped_at_the_machines(code: int, output: str) -> bool:
    """Every check before the first task of a machine was passed."""
    return code != 0 and "UNREACHABLE" in output and "FAILED!" not in output and not changes(output)


def test_begun_once_and_for_all(place: Place) -> None:
    code, output = place.init("--check", "--diff")
    assert code == 0 and changes(output) and not place.files(), output

    code, output = place.init()
    assert code == 0, output
    made = place.files()
    assert {name for name in made if name.startswith("shop/")} == {"shop/ansible.cfg", "shop/releases/r1.yml", *(
        f"shop/inventories/production/{name}" for name in ("10-hosts.yml", "90-constructed.yml", *(
            f"group_vars/{group}.yml" for group in ("all", "builders", "instances", "machines", "registries"))))}
    assert max(text.count(b"\n") for text in made.values()) < 30, "to be read in a minute"
    assert all(path.stat().st_mode & 0o077 == 0 for path in (place.kept, place.kept / "vault/production", *place.kept.rglob("*.key")))
    password = (place.kept / "vault/production").read_text(encoding="utf-8").strip()
    assert len(password) == 40 and password not in output and "PRIVATE" not in output

    code, output = place.init()
    assert code == 0 and not changes(output) and place.files() == made, output

    code, output = place.play("site", "-i", "inventories/production", "-e", f'ansible_ssh_common_args="{NOT_REACHED}"')
    assert stopped_at_the_machines(code, output), output

    hosts = place.here / "inventories/production/10-hosts.yml"
    hosts.write_text(hosts.read_text(encoding="utf-8").replace("number: 1", "number: 2"), encoding="utf-8")
    before = place.files()
    code, output = place.init()
    assert code and "10-hosts.yml is there and differs" in output and place.files() == before, output


def test_its_certificates_are_for_their_names_and_their_keys_fit(place: Place) -> None:
    assert place.init()[0] == 0
    secret = VaultSecret((place.kept / "vault/production").read_bytes().strip())
    for name, host in (("registry", "192.0.2.10"), ("shop.example.test", "shop.example.test")):
        path = place.kept / "certificates/production" / name
        certificate = x509.load_pem_x509_certificate(path.with_name(name + ".crt").read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert [str(found.value) for found in names] == [host]
        key = serialization.load_pem_private_key(VaultLib([("production", secret)]).decrypt(path.with_name(name + ".key").read_bytes()), None)
        form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        assert key.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form)


def test_a_second_environment_uses_the_first_ones_registry(place: Place) -> None:
    assert place.init()[0] == 0
    before = place.files()
    trusted = "~/.config/sysgenpro/certificates/production/registry.crt"
    code, output = place.init(init_environment="uat", init_address="vm-uat.example.test", init_domain="uat.example.test", init_registry="192.0.2.10:5000",
                              init_registry_certificate=trusted)
    assert code == 0, output
    after = place.files()
    assert {name for name in before if before[name] != after[name]} == {"shop/ansible.cfg"}
    settings = after["shop/ansible.cfg"].decode()
    assert "vault_identity_list = production@~/.config/sysgenpro/vault/production, uat@~/.config/sysgenpro/vault/uat" in settings
    assert not [name for name in after if name.startswith("shop/inventories/uat") and ("builders" in name or "registries" in name)]
    code, output = place.play("site", "-i", "inventories/uat", "-e", f'ansible_ssh_common_args="{NOT_REACHED}"')
    assert stopped_at_the_machines(code, output), output


def test_by_acme_no_certificate_is_made_for_the_shop(place: Place) -> None:
    code, output = place.init(init_acme_email="ops@example.test")
    assert code == 0 and [path.name for path in place.kept.rglob("*.crt")] == ["registry.crt"], output
    code, output = place.play("site", "-i", "inventories/production", "-e", f'ansible_ssh_common_args="{NOT_REACHED}"')
    assert stopped_at_the_machines(code, output), output


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_site_takes_the_inventories_that_are_here(place: Place, name: str) -> None:
    """As far as the machines, which are nobody's. Certificates are of whoever takes them; only a registry's is looked at before machines are."""
    (place.here / "vault").write_text("of a test\n", encoding="utf-8")
    for file, text in (("registry.crt", "-----BEGIN CERTIFICATE-----"), ("registry.key", "-----BEGIN PRIVATE KEY-----")):
        path = place.kept / "certificates" / "ops" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    code, output = place.play("site", "-i", str(ROOT / "inventories" / name), "-e", f'ansible_ssh_common_args="{NOT_REACHED}"',
                              ANSIBLE_VAULT_IDENTITY_LIST=",".join(f"{name}@{place.here / 'vault'}" for name in ENVIRONMENTS))
    assert stopped_at_the_machines(code, output), output
