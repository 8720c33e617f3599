#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resolve a release source."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_source
short_description: Check a release source, resolve it and pack its add-ons
version_added: 1.0.0
author: [SysGenPro (@sysgenpro)]
description:
  - Turns a release source into what its image depends on and nothing else, Git by commit, folders and the Python lock by digest.
    Two sources that resolve to equal values make the same image.
  - With O(archive) it also packs the add-ons, with owners, permissions and times that depend only on the content.
    The times are made from the content, since Odoo names asset bundles by them.
  - Runs where the add-ons lie, which is the controller, so that credentials for Git need not leave it.
extends_documentation_fragment: [sysgenpro.odoo.attributes]
attributes:
  check_mode:
    support: full
    details: [Check mode leaves out O(archive).]
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  source:
    description:
      - The release source. C(name), C(series), C(base) (an image by digest, or a name from O(bases)), C(addons) (a list of
        C(name) with C(path), or C(name) with C(url), C(commit) and perhaps C(subdirectory)), C(python_lock) (a requirements
        file with hashes), C(system_packages) (a list of C(name) or C(name=version)) and C(command).
    type: dict
    required: true
  directory:
    description: What relative paths in the source start from.
    type: path
    required: true
  platform:
    description: Directory with the platform's own add-ons.
    type: path
    required: true
  bases:
    description: Base images by short name.
    type: dict
    default: {}
  checkouts:
    description: Directory with the add-ons from Git, each checked out under its name. Needed only with O(archive).
    type: path
  commit_signers:
    description:
      - List of the people whose SSH keys may sign commits, as ssh-keygen(1) has it (ALLOWED SIGNERS). With it every add-on from Git has to stand at a
        commit that one of them signed, and O(checkouts) is looked into with Git.
      - Git reads it, so its lines may also have patterns and the namespace C(git).
    type: path
  archive:
    description: Write the add-ons there, as an image layer (a tar.gz).
    type: path
"""

EXAMPLES = r"""
- name: What would r3 be made from?
  sysgenpro.odoo.odoo_source:
    source: "{{ lookup('ansible.builtin.file', 'releases/r3.yml') | from_yaml }}"
    directory: "{{ playbook_dir }}/releases"
    platform: /usr/share/ansible/collections/ansible_collections/sysgenpro/odoo/addons
  delegate_to: localhost
"""

RETURN = r"""
digest:
  description: SHA-256 of the resolved source.
  returned: success
  type: str
  sample: sha256:6d0f2c3b…
resolved:
  description: What the release record will say about its source.
  returned: success
  type: dict
lock:
  description: The text of the Python lock.
  returned: success
  type: str
materials:
  description:
    - What was seen of each add-on from Git, by name. C(digest) of what is packed; with O(commit_signers) also C(signed_by), C(key) (its fingerprint),
      C(reviewed) (whether it is a merge that one person signed and all of what it brings others) and C(signers) (the list's SHA-256).
  returned: with O(checkouts)
  type: dict
git:
  description: What has to be checked out before the add-ons can be packed, with C(name), C(url) and C(commit).
  returned: success
  type: list
  elements: dict
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.commits import (
    seen,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.layers import (
    addons_layer,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.source import (
    resolve,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import (
    DomainError,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.run import (
    fail,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "dict", "required": True},
            "directory": {"type": "path", "required": True},
            "platform": {"type": "path", "required": True},
            "bases": {"type": "dict", "default": {}},
            "checkouts": {"type": "path"},
            "commit_signers": {"type": "path"},
            "archive": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params = module.params
    archive = params["archive"]
    try:
        source = resolve(
            params["source"], params["directory"], params["platform"], params["bases"], params["checkouts"] or ""
        )
        materials = seen(source, params["checkouts"] or "", params["commit_signers"] or "")
        changed = bool(archive) and not os.path.exists(archive)
        if changed and not module.check_mode:
            addons_layer(archive, [(folder.path, folder.place) for folder in source.folders], source.series)
    except DomainError as error:
        fail(module, error)
    git = [{"name": f.name, "url": f.url, "commit": f.commit} for f in source.folders if f.commit]
    module.exit_json(changed=changed, digest=source.digest, resolved=source.resolved, lock=source.lock, git=git, materials=materials)


if __name__ == "__main__":
    main()
