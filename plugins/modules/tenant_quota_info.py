#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tenant_quota_info
short_description: Tell what the tenants of a cluster or of a machine may use, use, and have left
version_added: 1.0.0
author: SysGenPro (@sysgenpro)
description:
  - Reads the shares that M(sysgenpro.odoo.tenant_quota) made in a cluster or on a machine, and what is used of them.
  - On a machine it calls C(systemctl) once and C(docker) twice, and writes nothing.
  - In a cluster it makes four calls of the API, and one more for each further page of 500 namespaces, quotas or nodes.
options:
  runtime:
    description: As the option of M(sysgenpro.odoo.tenant_quota).
    type: str
    choices: [kubernetes, docker]
    default: kubernetes
  releases_at_once:
    description: As the option of M(sysgenpro.odoo.tenant_quota).
    type: int
    default: 1
  measure:
    description: Whether to count the bytes on disk now, on a machine. Otherwise they are told as M(sysgenpro.odoo.tenant_quota) last counted them.
    type: bool
    default: false
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

- name: Look at the shares of a machine
  sysgenpro.odoo.tenant_quota_info:
    runtime: docker
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
      description: Its namespace, in a cluster. So are isolation, pool, hosts, confined and metered.
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
      description: Its limits, in the words of a ResourceQuota, or on a machine of O(sysgenpro.odoo.tenant_quota#module:tenants[].limits) in cores and bytes.
      type: dict
      sample: {"requests.cpu": "4"}
    usage:
      description: What is used of them.
      type: dict
      sample: {"requests.cpu": "1700m"}
    second_colour:
      description:
        - Whether a second colour fits, and what is free and needed for it in cores and bytes. On a machine it is C(memory) of the machine, and C(connections)
          of its PostgreSQL.
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
    forecast:
      description:
        - Of C(data), C(storage) and C(wal), how many bytes a day they grow by, and when the limit is reached if that goes on, or null where that is more
          than ten years away. By a straight line through the samples of a machine's history. What does not grow, or has too few samples, is left out.
      type: dict
      sample: {"data": {"per_day": 52428800, "reached": "2027-08-14T09:00:00Z"}}
    unlimited:
      description: Parts that have no limits, on a machine, since they are not there or the roles did not yet make them so, C(database) or C(session_store).
      type: list
      elements: str
      sample: []
    waits_for_restart:
      description: Whether its PostgreSQL has to be started anew to take its number of connections, on a machine.
      type: bool
      sample: false
    noisy:
      description: As RV(noisy), of this tenant.
      type: list
      elements: dict
      sample: []
noisy:
  description:
    - Who of them uses more than nine tenths of its CPU, memory, ephemeral space or pods, or more CPU than its pods ask for, and by what.
    - On a machine it is nine tenths of any limit but those of space on disk. C(web_cpu_throttled) is who spent a fifth of its time slowed, and
      C(database_out_of_memory) who lost processes, since the last sample.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "acme-production", "by": "cpu_time", "uses": "2.4", "of": "1.7", "is": "metered"}]
kinds_of_limit:
  description: Which limits hold, by name, as M(sysgenpro.odoo.tenant_quota) returns it.
  returned: success
  type: dict
  sample: {"requests.cpu": "enforced"}
machine:
  description: What is promised of the machine to all tenants, and what there is, in cores and bytes.
  returned: O(runtime=docker)
  type: dict
  sample: {"cgroup": 2, "cpu": {"promised": "5", "there": "8"}, "memory": {"promised": "21474836480", "there": "33554432000", "available": "9663676416"}}
calls:
  description: How often each program was called.
  returned: O(runtime=docker)
  type: dict
  sample: {"systemctl": 1, "docker": 2}
nodes:
  description: By pool of nodes, what is promised to tenants and what there is, in cores and bytes.
  returned: O(runtime=kubernetes)
  type: list
  elements: dict
  sample: [{"pool": "", "cpu": {"promised": "12", "there": "16"}, "memory": {"promised": "68719476736", "there": "137438953472"}}]
metrics_error:
  description: Why it is not known what pods take, or empty.
  returned: O(runtime=kubernetes)
  type: str
  sample: ""
api_calls:
  description: Calls of the cluster's API, by method.
  returned: O(runtime=kubernetes)
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
