#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tenant_quota_info
short_description: Tell what the tenants of a cluster may use, use, and have left
version_added: 1.0.0
author: SysGenPro (@sysgenpro)
description:
  - Reads the shares that M(sysgenpro.odoo.tenant_quota) made in a cluster, and what is used of them.
  - Makes four calls of the API, and one more for each further page of 500 namespaces, quotas or nodes.
options:
  names:
    description: Only these tenants.
    type: list
    elements: str
  network_proven:
    description: As the option of M(sysgenpro.odoo.tenant_quota).
    type: bool
    default: false
extends_documentation_fragment:
  - sysgenpro.odoo.attributes
  - sysgenpro.odoo.attributes.reads
  - sysgenpro.odoo.attributes.actiongroup
  - sysgenpro.odoo.cluster
seealso:
  - module: sysgenpro.odoo.tenant_quota
"""

EXAMPLES = r"""
- name: Look at the shares
  sysgenpro.odoo.tenant_quota_info:
    context: k8s-eu-1
  register: shares

- name: Everybody has room for a release
  ansible.builtin.assert:
    that: shares.tenants | rejectattr('second_colour.fits') | length == 0
"""

RETURN = r"""
tenants:
  description: The tenants, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The tenant.
      type: str
      sample: acme-production
    namespace:
      description: Its namespace.
      type: str
      sample: acme-production
    profile:
      description: Its profile, or empty.
      type: str
      sample: medium
    isolation:
      description: Its isolation class.
      type: str
      sample: shared
    pool:
      description: Its pool of nodes, empty for the shared ones.
      type: str
      sample: ""
    hosts:
      description: Its host names.
      type: list
      elements: str
      sample: [shop.example.com]
    confined:
      description: Whether its namespace has its quota.
      type: bool
      sample: true
    limits:
      description: Its limits, in the words of a ResourceQuota.
      type: dict
      sample: {"requests.cpu": "4"}
    usage:
      description: What is used of them.
      type: dict
      sample: {"requests.cpu": "1700m"}
    second_colour:
      description: Whether a second colour fits, and what is free and needed for it in cores and bytes.
      type: dict
      sample: {"fits": true, "cpu": {"free": "2.3", "needs": "1.5"}, "memory": {"free": "17179869184", "needs": "8589934592"}}
    fullest:
      description: The limit that is nearest to its end, and how much of it is used, 0 to 1.
      type: dict
      sample: {"limit": "requests.memory", "used": 0.52}
    metered:
      description: Cores (C(cpu_time)) and bytes (C(memory)) that its pods take at the moment, where the cluster measures them.
      type: dict
      sample: {"cpu_time": "0.41", "memory": "3221225472"}
    noisy:
      description: As RV(noisy), of this tenant.
      type: list
      elements: dict
      sample: []
noisy:
  description: Who of them uses more than nine tenths of its CPU, memory, ephemeral space or pods, or more CPU than its pods ask for, and by what.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "acme-production", "by": "cpu_time", "uses": "2.4", "of": "1.7", "is": "metered"}]
kinds_of_limit:
  description: Which limits hold, by name, as M(sysgenpro.odoo.tenant_quota) returns it.
  returned: success
  type: dict
  sample: {"requests.cpu": "enforced"}
nodes:
  description: By pool of nodes, what is promised to tenants and what there is, in cores and bytes.
  returned: success
  type: list
  elements: dict
  sample: [{"pool": "", "cpu": {"promised": "12", "there": "16"}, "memory": {"promised": "68719476736", "there": "137438953472"}}]
metrics_error:
  description: Why it is not known what pods take, or empty.
  returned: success
  type: str
  sample: ""
api_calls:
  description: Calls of the cluster's API, by method.
  returned: success
  type: dict
  sample: {"GET": 4}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kernel.errors import DomainError
from ..module_utils._kernel.run import fail
from ..module_utils._tenancy import arguments


def main() -> None:
    module = AnsibleModule(argument_spec=arguments.info_spec(), supports_check_mode=True)
    try:
        found = arguments.information(module.params)
    except DomainError as error:
        fail(module, error)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
