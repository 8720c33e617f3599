# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

# Once for all modules that log in to an instance's PostgreSQL.
_SUBOPTIONS = r"""
      name:
        description: Name of the database. Role names derive from it.
        type: str
        required: true
      port:
        description: Port, which names the socket as well.
        type: int
        default: 5432
      socket:
        description: Directory of the cluster's socket, where it runs on the same machine. One of this and O(database.host).
        type: path
      host:
        description: Host of a cluster that is reached by TCP with TLS, such as a managed one.
        type: str
      sslmode:
        description: How its certificate is looked at, as libpq's C(sslmode). Only with O(database.host).
        type: str
        choices: [require, verify-ca, verify-full]
        default: verify-full
      ca_path:
        description: File with the authorities that are trusted for it. Default is the trust store of wherever the module runs.
        type: path
      admin:
        description: >-
          Role that the module logs in as with O(database.host); by a socket it is C(postgres). It need not be a superuser: C(CREATEDB), C(CREATEROLE) and
          membership in C(pg_signal_backend) and C(pg_monitor) do. Then rehearsals compare the schema before and after, C(unaccent) cannot be used in
          indexes, and sessions of superusers in the database stop a release.
        type: str
        default: postgres
      admin_password:
        description: Its password.
        type: str
"""
_LOGIN = "The module logs in as C(postgres) by its socket (peer), or by TCP as O(database.admin)."

_DOCUMENTATION = rf"""
options:
  database:
    description: The instance's PostgreSQL cluster and database. {_LOGIN}
    type: dict
    required: true
    suboptions:
""" + _SUBOPTIONS.lstrip("\n")

_RELEASE = _DOCUMENTATION + r"""
      passwords:
        description:
          - Passwords of the login roles; keys V(blue_web), V(blue_cron), V(green_web), V(green_cron), V(update).
          - Where C(queue_job) is installed, V(blue_queue), V(green_queue), too.
          - The incoming colour's are set when it is staged, so a changed password takes effect without an outage.
        type: dict
        required: true
""".lstrip("\n")

_RECOVERY = rf"""
options:
  database:
    description:
      - The instance's PostgreSQL cluster and database. {_LOGIN}
      - Required with O(state=captured) and O(state=restored), and with O(state=verified) unless O(load_schema=false).
    type: dict
    suboptions:
""" + _SUBOPTIONS.lstrip("\n")


class ModuleDocFragment:
    """Its texts are put together, so they are no constants in its body, which ansible-test reads without running it."""


ModuleDocFragment.DOCUMENTATION = _DOCUMENTATION
ModuleDocFragment.RELEASE = _RELEASE
ModuleDocFragment.RECOVERY = _RECOVERY
