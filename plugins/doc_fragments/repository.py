# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  repository:
    description: The tenant's repository. What it holds is encrypted; the documents beside it are signed and can be read.
    type: dict
    required: true
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
