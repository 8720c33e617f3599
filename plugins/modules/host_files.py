#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: host_files
short_description: Keep many small files and directories in one call
version_added: 0.1.0
author: [SysGenPro (@sysgenpro)]
description:
  - Writes, adjusts or removes a list of files and directories on a machine. One call serves all instances of a machine,
    where a loop over M(ansible.builtin.template) would cost one connection and one Python start for each file.
  - Every file is replaced atomically. Parent directories are not made by themselves; list them before their files.
  - Check mode works on a machine where neither directories nor users exist yet.
attributes:
  check_mode:
    support: full
    description: Returns what would change and writes nothing.
  diff_mode:
    support: full
    description: Shows old and new text, but not of files whose O(files[].secret) is true.
options:
  files:
    description: The files and directories, in the order in which they are to be made.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      state:
        description:
          - V(file) has O(files[].content); V(directory) exists; V(link) leads to O(files[].target); V(absent) does not exist.
          - V(absent) removes a directory only where it is empty.
        type: str
        choices: [file, directory, link, absent]
        default: file
      content:
        description:
          - The whole text of a file, written as UTF-8. Required for V(file).
          - Where it is a secret, also set C(no_log) on the task.
        type: str
      target:
        description:
          - Where a symbolic link leads. Required for V(link).
          - A unit that leads to C(/dev/null) is one that systemd never starts.
        type: str
      mode:
        description: Permissions as four octal digits in quotes. A link has none of its own.
        type: str
      owner:
        description: User name or number.
        type: str
        default: root
      group:
        description: Group name or number.
        type: str
        default: root
      secret:
        description: Keep the text out of the diff.
        type: bool
        default: false
"""

EXAMPLES = r"""
- name: Two files in one call
  sysgenpro.odoo.host_files:
    files:
      - {path: /etc/sysgenpro, state: directory, mode: "0755"}
      - {path: /etc/sysgenpro/a.conf, content: "a = 1\n"}
      - {path: /etc/sysgenpro/b.conf, content: "b = 2\n", mode: "0640", group: adm}
"""

RETURN = r"""
paths:
  description: What was, or in check mode would be, made, changed or removed.
  returned: always
  type: list
  elements: str
  sample: [/etc/sysgenpro/a.conf]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sysgenpro.odoo.plugins.module_utils._host.files import (
    FILE,
    FilesOperation,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.run import (
    run,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": FILE,
                "required_if": [("state", "file", ["content"]), ("state", "link", ["target"])],
            }
        },
        supports_check_mode=True,
    )
    run(module, lambda: FilesOperation(module.params["files"], module.check_mode))


if __name__ == "__main__":
    main()
