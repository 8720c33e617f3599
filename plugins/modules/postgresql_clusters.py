#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_clusters
short_description: Have running PostgreSQL clusters take their settings, roles and passwords
version_added: 0.1.0
author: [SysGenPro (@sysgenpro)]
description:
  - Looks at all clusters of a machine in one call, by one connection each, and brings them to what was asked for.
  - Reloads a cluster whose files are newer than what it runs with; never restarts one, but returns which settings wait for it.
  - Creates for each instance the owner role and a login role per colour and kind. LOGIN and NOLOGIN of a role that exists
    are runtime state of M(sysgenpro.odoo.odoo_release) and are never touched.
  - A password is set only where the stored SCRAM verifier does not belong to it, and as a verifier, never in clear.
requirements: [psycopg2]
attributes:
  check_mode:
    support: full
    description: Returns what would change. A cluster that does not run yet counts as empty.
  diff_mode:
    support: full
    description: Shows the steps by instance. No secrets.
options:
  clusters:
    description: The clusters.
    type: list
    elements: dict
    required: true
    suboptions:
      instance:
        description: The instance's name.
        type: str
        required: true
      database:
        description: The instance's database; also the cluster's name and the beginning of its roles' names.
        type: str
        required: true
      port:
        description: The cluster's port.
        type: int
        required: true
      major:
        description: Major version of PostgreSQL; required for a cluster of this machine, whose files are named by it.
        type: int
      host:
        description:
          - Host of a cluster that is reached by TCP, such as a managed one. Default is the machine's own, by its socket as C(postgres).
          - Its files are nobody's business here, so nothing is reloaded.
        type: str
      sslmode:
        description: How its certificate is looked at, as libpq's C(sslmode).
        type: str
        choices: [require, verify-ca, verify-full]
        default: verify-full
      ca_path:
        description: File with the authorities that are trusted for it. Default is the machine's own trust store.
        type: path
      admin:
        description: Role that makes roles there.
        type: str
        default: postgres
      admin_password:
        description: Its password.
        type: str
      passwords:
        description:
          - Passwords by login role C(blue_web), C(blue_cron), C(green_web), C(green_cron), C(update). Any text.
          - C(blue_queue), C(green_queue) make the roles of the process that runs jobs; without them there are none.
        type: dict
        required: true
      connection_limit:
        description:
          - Connections of each login role of a colour, so that one colour leaves the other its own. V(-1) is none. Default is to leave it as it is.
        type: int
  watched_files:
    description: Further files that clusters read when they reload, such as the certificate.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Roles of one instance
  sysgenpro.odoo.postgresql_clusters:
    clusters:
      - instance: acme-production
        database: acme_production
        port: 5501
        major: 17
        passwords: "{{ acme_passwords }}"
"""

RETURN = r"""
clusters:
  description: What each instance's cluster runs with - version, data_checksums, ssl, max_connections, errors in its files.
  returned: always
  type: dict
  sample: {acme-production: {version: "17.5", data_checksums: "on", ssl: "on", max_connections: 96, errors: []}}
pending_restart:
  description: Names of settings by instance that wait for a restart.
  returned: always
  type: dict
  sample: {acme-production: [shared_buffers]}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.arguments import (
    CLUSTER as WAY,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.run import (
    run,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._postgresql.io import (
    ClustersOperation,
)

CLUSTER = {
    "instance": {"type": "str", "required": True},
    "database": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "major": {"type": "int"},
    "connection_limit": {"type": "int"},
    "passwords": {"type": "dict", "required": True, "no_log": True},
    **{key: WAY[key] for key in ("host", "sslmode", "ca_path", "admin", "admin_password")},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "clusters": {"type": "list", "elements": "dict", "required": True, "options": CLUSTER},
            "watched_files": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    run(module, lambda: ClustersOperation(module.params["clusters"], module.params["watched_files"], module.check_mode))


if __name__ == "__main__":
    main()
