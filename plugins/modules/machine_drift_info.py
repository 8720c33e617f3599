#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_drift_info
short_description: Say what of a machine's instances runs otherwise than it was released, and than the inventory declares
version_added: 0.1.0
author: [SysGenPro (@sysgenpro)]
description:
  - Compares what the last operation of each instance left to run, by its journal, with the containers and fronts that are there, and with the image and the
    settings that the inventory declares. Files that its processes were given are compared by digest. Writes nothing.
  - Asks Docker once and nftables once, however many instances there are; the rest is files. No database is asked.
  - An instance with an operation under way, or one that was interrupted, is told as C(under_way) and not compared.
extends_documentation_fragment:
  - sysgenpro.odoo.attributes
  - sysgenpro.odoo.attributes.reads
options:
  instances:
    description: What the inventory has on this machine.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The instance's name.
        type: str
        required: true
      subnet:
        description: Its Docker network, from which the addresses of front and colours derive.
        type: str
        required: true
      page:
        description: C(address:port) of the maintenance page.
        type: str
        default: ""
      image:
        description: Digest of the image that the inventory declares. Empty where it declares none.
        type: str
        default: ""
      settings:
        description:
          - What the inventory declares that is no secret, as an operation records it. It has C(config), C(processes) and the names of C(environment_variables).
          - Left out, settings are not compared.
        type: dict
  root:
    description: Directory of all instances on the machine.
    type: path
    default: /var/lib/sysgenpro/instances
requirements:
  - python3-docker
  - nftables
"""

EXAMPLES = r"""
- name: See what differs
  sysgenpro.odoo.machine_drift_info:
    instances:
      - {name: acme-production, subnet: 172.28.1.0/24}
  register: drift
"""

RETURN = r"""
instances:
  description:
    - By instance what was C(recorded), the C(places) that are there, the colour that C(leads), the operation that is C(under_way), and C(drift).
    - Each difference in C(drift) is C(between) V(declared) or V(running) and what is recorded, and has C(what), C(recorded), C(found), C(who) and C(at).
  returned: success
  type: dict
  sample:
    acme-production:
      recorded: {name: r3, image: "sha256:2c26b46b68ffc68f", colour: blue, who: jane, at: "2026-11-21T10:15:00+00:00"}
      leads: blue
      under_way: ""
      drift:
        - between: running
          what: blue-web
          recorded: image sha256:2c26b46b68ff
          found: image sha256:9f86d081884c
          who: nobody recorded it
          at: "2026-11-22T03:10:00+00:00"
calls:
  description: How often Docker and nftables were asked.
  returned: success
  type: dict
  sample: {docker: 1, nft: 1}
"""

import ipaddress

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sysgenpro.odoo.plugins.module_utils._estate.machine import World, observe
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.names import NAME, NAME_SAID
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError, bad_input
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.run import fail, unexpected

INSTANCE = {
    "name": {"type": "str", "required": True},
    "subnet": {"type": "str", "required": True},
    "page": {"type": "str", "default": ""},
    "image": {"type": "str", "default": ""},
    "settings": {"type": "dict"},
}


def check_instances(instances):
    """Refuse names and networks that cannot be, before anything is asked. Raises DomainError: bad_input."""
    for number, one in enumerate(instances):
        if not NAME.fullmatch(one["name"]):
            raise bad_input(f"instances[{number}].name", one["name"], NAME_SAID)
        try:
            ipaddress.IPv4Network(one["subnet"])
        except ValueError:
            raise bad_input(f"instances[{number}].subnet", one["subnet"], "an IPv4 network, such as 172.28.1.0/24") from None


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "instances": {"type": "list", "elements": "dict", "required": True, "options": INSTANCE},
            "root": {"type": "path", "default": "/var/lib/sysgenpro/instances"},
        },
        supports_check_mode=True,
    )
    world = World()
    try:
        check_instances(module.params["instances"])
        found = observe(module.params["instances"], module.params["root"], world)
    except DomainError as error:
        fail(module, error)
    except Exception as error:
        fail(module, unexpected(error))
    module.exit_json(changed=False, instances=found, calls=world.calls)


if __name__ == "__main__":
    main()
