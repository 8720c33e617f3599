#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_release_info
short_description: What runs on an Odoo instance, since when, and what the way back is
version_added: 0.1.0
description:
  - Reads what M(sysgenpro.odoo.odoo_release) observes and recorded. Writes nothing.
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
  - sysgenpro.odoo.database
options:
  instance:
    description: Name of the instance.
    type: str
    required: true
  runtime:
    description: Where the instance's processes run. With V(kubernetes) the module runs in the instance's toolbox.
    type: str
    choices: [docker, kubernetes]
    default: docker
  subnet:
    description: The instance's Docker network, from which the addresses of front and colours derive. Required with O(runtime=docker).
    type: str
  namespace:
    description: The instance's namespace, with O(runtime=kubernetes). Default is the instance's name.
    type: str
  root:
    description: Directory of all instances on the machine.
    type: path
    default: /var/lib/sysgenpro/instances
  history:
    description: How many of the newest releases and operations to return.
    type: int
    default: 10
requirements:
  - python3-docker
  - python3-psycopg2
  - nftables
author:
  - SysGenPro (@sysgenpro)
"""

EXAMPLES = r"""
- name: See what runs
  sysgenpro.odoo.odoo_release_info:
    instance: acme-production
    subnet: 172.28.1.0/24
    database:
      name: acme_production
      port: 5501
      socket: /run/sysgenpro/acme-production/postgresql
  register: acme_now
"""

RETURN = r"""
instance:
  description: What runs.
  returned: always
  type: dict
  contains:
    name:
      description: The instance.
      type: str
      sample: acme-production
    identity:
      description: Instance, tenant, environment and data class as the database has them.
      type: dict
      sample: {tenant: acme}
    colour:
      description: The colour the front leads to; null while it refuses or shows the maintenance page.
      type: str
      sample: blue
    release:
      description: The newest row of what was applied.
      type: dict
      sample: {release: sha256:2c26b46b68ffc68f, name: r3}
    since:
      description: When it was applied.
      type: str
      sample: "2026-11-21T10:15:00+00:00"
    way_back:
      description: C(class) V(code), V(data) or V(none), a sentence, and with the first two C(release) and C(name); null where nothing was released.
      type: dict
      sample: {class: code, name: r2}
    processes:
      description: State of each container by name.
      type: dict
      sample: {acme-production-blue-web: running}
    lock:
      description: Who holds the instance's lock, what for and since when; null where nobody does.
      type: dict
      sample: null
    interrupted:
      description: The operation that was interrupted, or is under way; null where there is none.
      type: dict
      sample: null
    undo_database:
      description: The database as it was before the last update; null where there is none.
      type: str
      sample: acme_production_undo
places:
  description: What is there of each place, whether it is C(running), of which C(image), and C(hands), whose hand else was in it.
  returned: always
  type: dict
  sample: {blue-web: {running: true, image: "sha256:2c26b46b68ffc68f", made: "", hands: ""}}
recorded:
  description: What the last operation that ended well left to run, by its journal; null where none is among the operations that were read.
  returned: always
  type: dict
  sample: {name: r3, image: "sha256:2c26b46b68ffc68f", colour: blue, who: jane}
history:
  description: What was applied, newest first; C(here) is false for what ran elsewhere, where the database was made from another instance's recovery point.
  returned: always
  type: list
  elements: dict
  sample: [{release: sha256:2c26b46b68ffc68f, class: update, here: true}]
operations:
  description: Journals of the newest operations, newest first, each a list of entries.
  returned: always
  type: list
  elements: list
  sample: [[{event: open}, {event: close}]]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.arguments import (
    CLUSTER,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import (
    DomainError,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.run import (
    fail,
    unexpected,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.arguments import (
    WHERE,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.moved import check_place
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.parts import opened
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.status import (
    status,
)


def main():
    module = AnsibleModule(
        argument_spec={
            **WHERE,
            "database": {"type": "dict", "required": True, "options": CLUSTER},
            "history": {"type": "int", "default": 10},
        },
        required_if=[("runtime", "docker", ["subnet"])],
        supports_check_mode=True,
    )
    try:
        if module.params["runtime"] == "docker":
            check_place(module.params)
        found = status(module.params, **opened(module.params))
    except DomainError as error:
        fail(module, error)
    except Exception as error:
        fail(module, unexpected(error))
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
