# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets made at first use: with real playbooks, since vault, templating and check mode are Ansible's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import ansible_collections.sysgenpro.odoo.plugins.lookup as lookups
import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

TREE = Path(next(iter(lookups.__path__))).parents[4]
AWKWARD = """it's "q" {{ 1/0 }} $HOME \\ %s {% x %} Ö東#; """
KEY = VaultSecret(b"the password of uat")


@pytest.fixture
def place(tmp_path):
    """An inventory with an instance, a vault password, and a play that writes what the lookup gives to ``seen.json``."""
    (tmp_path / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")
    (tmp_path / "vault").write_bytes(KEY.bytes + b"\n")
    hosts = {"acme-uat": {"instance_environment": "uat", "base": str(tmp_path), "sysgenpro_secrets_path": "{{ base }}/secrets"}}
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    copy = {
        "content": "{{ lookup('sysgenpro.odoo.secrets', inventory_hostname) | to_json }}",
        "dest": "{{ base }}/{{ seen | default('seen.json') }}", "mode": "0600",
    }
    play = [{"hosts": "all", "gather_facts": False, "connection": "local", "tasks": [
        {"ansible.builtin.copy": copy, "check_mode": False}]}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
    return tmp_path


def _start(place, *arguments, vault_id="uat"):
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "hosts.yml", "play.yml", *arguments]
    if vault_id:
        command += ["--vault-id", f"{vault_id}@vault"]
    outer = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment = {**outer, "ANSIBLE_COLLECTIONS_PATH": str(TREE), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CONFIG": str(place / "ansible.cfg"),
                   "ANSIBLE_PYTHON_INTERPRETER": sys.executable, "ANSIBLE_LOCAL_TEMP": str(place / "tmp")}
    return subprocess.Popen(command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _run(place, *arguments, **options):
    with _start(place, *arguments, **options) as process:
        output = process.communicate()[0]
    return process.returncode, output


def _seen(place, name="seen.json"):
    return json.loads((place / name).read_text(encoding="utf-8"))


def _seal(place, text):
    path = place / "secrets" / "uat" / "acme-uat.yml"
    path.parent.mkdir(parents=True)
    path.write_bytes(VaultLib([("uat", KEY)]).encrypt(text, KEY, "uat"))
    return path


def test_they_are_made_once_and_kept_encrypted(place):
    assert _run(place)[0] == 0
    first = _seen(place)
    assert len(set(first.values())) == 10 and all(len(value) == 32 for value in first.values())
    path = place / "secrets" / "uat" / "acme-uat.yml"
    assert path.read_bytes().startswith(b"$ANSIBLE_VAULT;1.2;AES256;uat")
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    assert _run(place)[0] == 0
    assert _seen(place) == first


def test_two_at_once_get_the_same(place):
    processes = [_start(place, "-e", f"seen={name}") for name in ("a.json", "b.json")]
    assert [process.communicate() and process.returncode for process in processes] == [0, 0]
    assert _seen(place, "a.json") == _seen(place, "b.json")


def test_what_a_person_chose_stays_as_it_is(place):
    _seal(place, json.dumps({"session": AWKWARD}, ensure_ascii=False))
    assert _run(place)[0] == 0
    assert _seen(place)["session"] == AWKWARD


def test_a_file_of_before_gets_what_is_new(place):
    """An instance that was made before its queue's process was known; nothing else of it changes."""
    old = {f"database_{login}": "kept " + login for login in ("blue_web", "blue_cron", "green_web", "green_cron", "update")}
    _seal(place, json.dumps({**old, "session": "s", "recovery": "r"}))
    assert _run(place)[0] == 0
    found = _seen(place)
    assert set(found) - set(old) == {"session", "recovery", "admin", "database_blue_queue", "database_green_queue"}
    assert {key: found[key] for key in old} == old


def test_check_mode_writes_nothing(place):
    assert _run(place, "--check")[0] == 0
    assert set(_seen(place).values()) == {"unknown in check mode"}
    assert not (place / "secrets").exists()


@pytest.mark.parametrize("vault_id", [None, "production"])
def test_without_the_environments_vault_id_nothing_is_written(place, vault_id):
    code, output = _run(place, vault_id=vault_id)
    assert code != 0 and "no vault secret with the id uat" in output
    assert not (place / "secrets").exists()


def test_a_plain_file_is_refused(place):
    path = _seal(place, "{}")
    path.write_text("session: open\n", encoding="utf-8")
    code, output = _run(place)
    assert code != 0 and "is not encrypted" in output
    assert path.read_text(encoding="utf-8") == "session: open\n"


@pytest.mark.parametrize("text", ["[1]", "session: 1", "a: b: c"])
def test_another_shape_is_refused(place, text):
    _seal(place, text)
    code, output = _run(place)
    assert code != 0 and "acme-uat.yml" in output


def test_a_relative_path_is_refused(place):
    code, output = _run(place, "-e", "sysgenpro_secrets_path=secrets")
    assert code != 0 and "expected an absolute path" in output
