# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import textwrap

# Once for all modules that take a repository, on whatever level of their options.
_SUBOPTIONS = r"""
suboptions:
  location:
    description: A directory, or C(s3:https://host[:port]/bucket[/prefix]). It is made at the first capture.
    type: str
    required: true
  password:
    description: Password of the restic repository. Without it nothing in it can be read, so keep a copy off the machine.
    type: str
    required: true
  access_key:
    description: S3 access key of the writer, which needs to delete only under C(locks/).
    type: str
  secret_key:
    description: Its secret.
    type: str
  region:
    description: S3 region.
    type: str
    default: us-east-1
  ca_path:
    description: File with the certificate authority to trust. Default is the machine's own trust store.
    type: path
  lock_mode:
    description: Object Lock's mode for the documents, where the bucket has Object Lock. Data objects follow the bucket's own rule.
    type: str
    choices: [governance, compliance]
  lock_days:
    description: For how many days the documents are locked.
    type: int
    default: 0
"""


def _indented(spaces: int) -> str:
    return textwrap.indent(_SUBOPTIONS.strip("\n"), " " * spaces) + "\n"


_DOCUMENTATION = r"""
options:
  repository:
    description: The tenant's repository. What it holds is encrypted; the documents beside it are signed and can be read.
    type: dict
    required: true
""" + _indented(4)

# Of odoo_release, which takes two: its own instance's and another one's.
_RELEASE = (r"""
options:
  recovery:
    description:
      - Where the instance's recovery points lie; see M(sysgenpro.odoo.pg_recovery_point).
      - With it, an update takes a recovery point and verifies it before any request is held, and V(rolled_back) can go back across an update.
    type: dict
    suboptions:
      repository:
        description: The repository, as O(sysgenpro.odoo.pg_recovery_point#module:repository).
        type: dict
        required: true
""" + _indented(8) + r"""      trusted_signers:
        description: Public keys whose recovery points are believed, beside the machine's own.
        type: list
        elements: str
        default: []
      before_update:
        description: Whether an update takes a recovery point first. V(never) leaves no way back across it.
        type: str
        choices: [always, never]
        default: always
      keep_abandoned:
        description:
          - For how many days a database that was gone back from is kept. A later release drops what is older.
          - The recovery point before an update is held for as long.
        type: int
        default: 14
      jobs:
        description: How many processes dump and load.
        type: int
        default: 2
      secret_names:
        description: Names, never values, of the secrets that a rebuild of the instance needs. Recorded in each point's manifest.
        type: list
        elements: str
        default: []
      accepted_losses:
        description: As O(sysgenpro.odoo.pg_recovery_point#module:accepted_losses).
        type: list
        elements: str
        default: []
  from_point:
    description:
      - Another instance's recovery point that a new instance is made from, with the release that ran there. O(release) is not needed then.
      - The point must hold data of this instance's O(data_class).
      - Where the database exists already nothing is done if it came from that point, and it is refused with V(target_exists) if it did not.
        V(latest_verified) means the newest one of now.
    type: dict
    suboptions:
      source:
        description: The instance whose point it is.
        type: str
        required: true
      point:
        description: Id, or V(latest_verified). It must be verified.
        type: str
        default: latest_verified
      repository:
        description: The source's repository, as O(recovery.repository).
        type: dict
        required: true
""" + _indented(8) + r"""      trusted_signers:
        description: Public keys whose recovery points are believed, beside the machine's own.
        type: list
        elements: str
        default: []
      neutralize:
        description:
          - Whether mail, scheduled actions, webhooks and payments are switched off before any process starts.
          - V(false) only where the source is gone for good and this instance takes its place.
        type: bool
        default: true
""")


class ModuleDocFragment:
    """Its texts are put together, so they are no constants in its body, which ansible-test reads without running it."""


ModuleDocFragment.DOCUMENTATION = _DOCUMENTATION
ModuleDocFragment.RELEASE = _RELEASE
