#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: traefik_route_info
short_description: Tell which instances are routed at the edge and whether Traefik serves them
version_added: 1.0.0
author: SysGenPro (@sysgenpro)
description:
  - Reads the files of M(sysgenpro.odoo.traefik_route) and Traefik's API, and says for each route whether what is
    served is what
    is written.
  - Makes three calls of Traefik's API, and one more for every further 1000 routers, services or middlewares. In a cluster it makes one of each pod of Traefik,
    and looks at each certificate.
options:
  name:
    description: Only these instances.
    type: list
    elements: str
extends_documentation_fragment:
  - sysgenpro.odoo.attributes
  - sysgenpro.odoo.attributes.reads
  - sysgenpro.odoo.attributes.actiongroup
  - sysgenpro.odoo.edge
requirements:
  - Python's kubernetes, for O(provider=kubernetes), where the module runs
  - Python's cryptography, to tell the certificates' validity
seealso:
  - module: sysgenpro.odoo.traefik_route
"""

EXAMPLES = r"""
- name: Look at the edge of the machine
  sysgenpro.odoo.traefik_route_info:
  register: edge

- name: Every route is served, and no certificate ends within three weeks
  ansible.builtin.assert:
    that:
      - edge.routes | rejectattr('served') | length == 0
      - edge.routes | selectattr('certificate') | selectattr('certificate.days_left', 'lt', 21) | length == 0
"""

RETURN = r"""
routes:
  description: The routes, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The instance.
      type: str
      sample: acme-production
    hosts:
      description: Its host names.
      type: list
      elements: str
      sample: [shop.example.test]
    namespace:
      description: The namespace, in a cluster.
      type: str
      sample: acme-production
    output:
      description: What the route is in a cluster, V(ingress_route) or V(http_route).
      type: str
      sample: ingress_route
    file:
      description: The file, on a machine.
      type: str
      sample: /etc/traefik/dynamic/acme-production.yml
    service:
      description: Traefik's name of the service for HTTP.
      type: str
      sample: acme-production@file
    served:
      description: Whether Traefik serves what is written; null where its API does not answer.
      type: bool
      sample: true
    differences:
      description: What is not served as it is written; of an HTTPRoute also what Traefik says in its status.
      type: list
      elements: str
      sample: []
    certificate:
      description: The given certificate with C(days_left), or null.
      type: dict
      sample: {"not_after": "2026-12-30T00:00:00+00:00", "days_left": 39}
api_calls:
  description: Calls of Traefik's API that were made.
  returned: success
  type: int
  sample: 3
api_error:
  description: Why Traefik's API did not answer, or empty.
  returned: success
  type: str
  sample: ""
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kernel.errors import DomainError
from ..module_utils._kernel.run import fail
from ..module_utils._routing import arguments, info


def main() -> None:
    spec = {**arguments.place_spec(), "name": {"type": "list", "elements": "str"}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    try:
        if arguments.in_cluster(module.params):
            found = info.gather_cluster(arguments.cluster(module.params), module.params["name"])
        else:
            found = info.gather(arguments.place(module.params), module.params["api"]["url"], module.params["name"])
    except DomainError as error:
        fail(module, error)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
