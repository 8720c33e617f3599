#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_instances_info
short_description: Say which instances a machine carries, and refuse an inventory that would run one as another
version_added: 0.1.0
author: [SysGenPro (@sysgenpro)]
description:
  - Looks at containers by their label, fronts, routes, clusters, session stores, timers, mail blocks and directories, and tells of which instances they are.
  - Warns of each instance that is on the machine and not in O(instances). Nothing here or in the playbook C(site) takes anything of it away.
  - Fails where an instance of O(instances) is here under another number (C(number_changed)), another database (C(database_changed)) or another address of
    its front (C(front_changed)), and where its number is that of an instance that is not in O(instances) (C(number_taken)), as after a change of its name.
  - Fails where O(absent) names what is still there but for route and timers (C(still_there)), or what O(instances) has (C(not_absent)).
extends_documentation_fragment:
  - sysgenpro.odoo.attributes
  - sysgenpro.odoo.attributes.reads
options:
  instances:
    description: What the inventory has on this machine.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The instance's name.
        type: str
        required: true
      number:
        description: Its number.
        type: int
        required: true
      front:
        description: The address of its front.
        type: str
      database:
        description: The name of its database.
        type: str
  elsewhere:
    description: Machines by the instances that the inventory has on others.
    type: dict
    default: {}
  absent:
    description: Instances that were taken away, and whose route and timers may go.
    type: list
    elements: str
    default: []
  check_only:
    description: Whether to say nothing of instances that are not in O(instances). For a call that knows one instance only.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: See what runs here
  sysgenpro.odoo.machine_instances_info:
    instances:
      - {name: acme-production, number: 1}
  register: here
"""

RETURN = r"""
instances:
  description: What is there of each instance, by name.
  returned: success
  type: dict
  sample:
    acme-production:
      parts: {containers: acme-production-blue-web running, front: 172.28.1.2, cluster: "acme_production, port 5501"}
      numbers: [1]
      front: 172.28.1.2
      database: acme_production
unknown:
  description: What is there of instances that O(instances) does not have, a sentence for each.
  returned: success
  type: list
  elements: str
  sample: ["old-shop is on this machine and in no inventory given: front (172.28.3.2). It is left as it is"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sysgenpro.odoo.plugins.module_utils._host import (
    instances,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import (
    DomainError,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.run import (
    fail,
    unexpected,
)

INSTANCE = {
    "name": {"type": "str", "required": True},
    "number": {"type": "int", "required": True},
    "front": {"type": "str"},
    "database": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "instances": {"type": "list", "elements": "dict", "default": [], "options": INSTANCE},
            "elsewhere": {"type": "dict", "default": {}},
            "absent": {"type": "list", "elements": "str", "default": []},
            "check_only": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        found = instances.observe()
        instances.check(found, params["instances"], params["absent"])
    except DomainError as error:
        fail(module, error)
    except Exception as error:
        fail(module, unexpected(error))
    unknown = [] if params["check_only"] else instances.unknown(found, params["instances"], params["elsewhere"], params["absent"])
    for sentence in unknown:
        module.warn(sentence)
    module.exit_json(changed=False, instances={name: one.as_dict() for name, one in found.items()}, unknown=unknown)


if __name__ == "__main__":
    main()
