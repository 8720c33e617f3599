#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_recovery_point_info
short_description: The recovery points of an Odoo instance, how old, how large, and how far each can be believed
version_added: 0.1.0
description:
  - Reads the signed documents that M(sysgenpro.odoo.pg_recovery_point) wrote beside the repository. Asks restic nothing and writes nothing.
attributes:
  check_mode:
    support: full
    description: Writes nothing in any mode.
  diff_mode:
    support: N/A
    description: Nothing is changed.
  idempotent:
    support: full
    description: Reads only.
extends_documentation_fragment:
  - sysgenpro.odoo.attributes
  - sysgenpro.odoo.attributes.actiongroup
  - sysgenpro.odoo.repository
options:
  instance:
    description: Name of the instance, as in the inventory.
    type: str
    required: true
  root:
    description: Directory of all instances on the machine.
    type: path
    default: /var/lib/sysgenpro/instances
  source:
    description: The instance whose points are meant, where it is another one.
    type: str
  trusted_signers:
    description:
      - Public keys (C(ssh-ed25519 AAAA...)) of other machines whose documents are to be believed. This machine's own always is.
    type: list
    elements: str
    default: []
  manifests:
    description: Whether to return whole manifests too.
    type: bool
    default: false
requirements:
  - openssh-client
  - python3-boto3 (for S3 only)
author:
  - SysGenPro (@sysgenpro)
"""

EXAMPLES = r"""
- name: See what there is to go back to
  sysgenpro.odoo.pg_recovery_point_info:
    instance: acme-production
    repository:
      location: /var/lib/sysgenpro/recovery/acme
      password: "{{ acme_repository_password }}"
  register: acme_points

- name: Stop where the newest verified one is too old
  ansible.builtin.assert:
    that: acme_points.latest_verified.age < 86400
"""

RETURN = r"""
points:
  description: All recovery points, newest first, as in RV(sysgenpro.odoo.pg_recovery_point#module:points).
  returned: always
  type: list
  elements: dict
  sample: [{id: 20261121T101500-0a1b2c3d, state: verified, age: 3600}]
latest:
  description: The newest that did not fail its verification; null where there is none.
  returned: always
  type: dict
  sample: {id: 20261121T101500-0a1b2c3d, state: captured, age: 60}
latest_verified:
  description: The newest that is verified; null where there is none.
  returned: always
  type: dict
  sample: {id: 20261121T091500-0a1b2c3d, state: verified, age: 3660}
signer:
  description: This machine's public key, for O(trusted_signers) elsewhere. Empty before the first capture.
  returned: always
  type: str
  sample: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample
manifests:
  description: With O(manifests=true), manifests by id.
  returned: always
  type: dict
  sample: {}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import (
    DomainError,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.run import (
    fail,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.arguments import (
    SHARED,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.operation import (
    information,
)


def main():
    module = AnsibleModule(argument_spec={**SHARED, "manifests": {"type": "bool", "default": False}}, supports_check_mode=True)
    try:
        found = information(module.params)
    except DomainError as error:
        fail(module, error)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
