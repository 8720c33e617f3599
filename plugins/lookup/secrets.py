# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of instances, made at first use, kept in vault-encrypted files outside Git."""

from __future__ import annotations

DOCUMENTATION = r"""
name: secrets
short_description: Secrets of instances, made at first use
version_added: 0.1.0
description:
  - Reads C(<path>/<environment>/<instance>.yml) on the controller. The file is encrypted as a whole with the vault id that
    bears the environment's name, so C(ansible-vault view) and C(ansible-vault edit) work on it.
  - What the file does not hold yet is generated and added under a lock. In check mode nothing is written, and what is
    missing is returned as V(unknown in check mode).
  - A value may hold any character; what is returned is never templated.
  - Without a vault secret for the environment nothing is written, and the lookup fails.
options:
  _terms:
    description: Names of instances, as in the inventory.
    type: list
    elements: str
    required: true
  path:
    description: Directory of the files, an absolute path or one that begins with C(~). Keep it outside Git, and in your backup.
    type: str
    default: ~/.config/sysgenpro/secrets
    vars:
      - name: sysgenpro_secrets_path
    env:
      - name: SYSGENPRO_SECRETS
  environment:
    description:
      - Environment whose directory and vault id are used. Default is the instance's C(instance_environment); give it for what is no
        instance, such as a registry.
    type: str
  keys:
    description: Which secrets an instance has.
    type: list
    elements: str
    default:
      - database_blue_web
      - database_blue_cron
      - database_blue_queue
      - database_green_web
      - database_green_cron
      - database_green_queue
      - database_update
      - session
      - recovery
      - admin
author:
  - SysGenPro (@sysgenpro)
"""

EXAMPLES = r"""
- name: Show that an instance has a session password
  ansible.builtin.assert:
    that: lookup('sysgenpro.odoo.secrets', 'acme-production').session | length > 20
  no_log: true
"""

RETURN = r"""
_raw:
  description: For each instance a dictionary with all its secrets.
  type: list
  elements: dict
"""

import fcntl
import json
import os
import secrets
import tempfile
from contextlib import contextmanager

import yaml
from ansible.errors import AnsibleLookupError
from ansible.parsing.vault import VaultLib, match_secrets
from ansible.plugins.lookup import LookupBase

BYTES = 24
"""Of randomness in a secret: 192 bits, 32 URL-safe characters."""


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms, variables=None, **kwargs):
        """One dictionary for each instance named by ``terms``."""
        self.set_options(var_options=variables, direct=kwargs)
        variables = variables or {}
        check_mode = bool(variables.get("ansible_check_mode"))
        return [self._instance(str(name), variables, check_mode) for name in terms]

    def _instance(self, name, variables, check_mode):
        environment = self._environment(name, variables)
        path = os.path.join(self._directory(), environment, name + ".yml")
        keys = self.get_option("keys")
        kept = self._read(path)
        if all(key in kept for key in keys):
            return kept
        if check_mode:
            return {**dict.fromkeys(keys, "unknown in check mode"), **kept}
        self._vault(environment)  # before anything is written
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with _locked(path):
            kept = self._read(path)
            missing = [key for key in keys if key not in kept]
            if missing:
                kept.update({key: secrets.token_urlsafe(BYTES) for key in missing})
                self._write(path, kept, environment)
        return kept

    def _directory(self):
        """The directory. An option that comes from a variable is handed over as it stands there, so it is templated here, and is
        of type str, since type path would make ``{{ … }}`` a path below the working directory first."""
        directory = os.path.expanduser(self._templar.template(self.get_option("path")))
        if not os.path.isabs(directory):
            raise AnsibleLookupError(f"secrets: path is {directory!r}, expected an absolute path. Nothing was written")
        return directory

    def _environment(self, name, variables):
        if self.get_option("environment"):
            return self.get_option("environment")
        try:
            return str(variables["hostvars"][name]["instance_environment"])
        except KeyError:
            raise AnsibleLookupError(f"secrets: {name} is no instance with instance_environment") from None

    def _vault(self, environment):
        found = match_secrets(self._loader._vault.secrets or [], [environment])
        if not found:
            raise AnsibleLookupError(
                f"secrets: there is no vault secret with the id {environment}. Nothing was written. "
                f"Give one with --vault-id {environment}@FILE"
            )
        return found[0]

    def _read(self, path):
        if not os.path.exists(path):
            return {}
        with open(path, "rb") as stream:
            sealed = stream.read()
        if not VaultLib.is_encrypted(sealed):
            raise AnsibleLookupError(f"secrets: {path} is not encrypted. Encrypt it with ansible-vault encrypt")
        try:
            kept = yaml.safe_load(self._loader._vault.decrypt(sealed))
        except yaml.YAMLError as error:
            raise AnsibleLookupError(f"secrets: {path} is not YAML") from error
        if not isinstance(kept, dict) or not all(isinstance(value, str) for value in kept.values()):
            raise AnsibleLookupError(f"secrets: {path}: expected a dictionary of strings")
        return kept

    def _write(self, path, kept, environment):
        vault_id, secret = self._vault(environment)
        plain = json.loads(json.dumps(kept))  # YAML's safe dumper knows no tagged strings
        text = yaml.safe_dump(plain, allow_unicode=True, default_flow_style=False)
        sealed = VaultLib([(vault_id, secret)]).encrypt(text.encode(), secret, vault_id)
        handle, staged = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(sealed)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(staged, path)
        except BaseException:
            os.unlink(staged)
            raise


@contextmanager
def _locked(path):
    with open(path + ".lock", "w", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
