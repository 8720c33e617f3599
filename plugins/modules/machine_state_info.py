#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_state_info
short_description: Say in one call what of a machine is not as it should be
version_added: 0.1.0
author: [SysGenPro (@sysgenpro)]
description:
  - Compares packages, files, units of systemd and what a script finds with what they should be. A role asks this first, and does nothing further
    where nothing differs.
  - It never fails because of what it finds, so that the tasks which mend it run.
extends_documentation_fragment:
  - sysgenpro.odoo.attributes
  - sysgenpro.odoo.attributes.reads
options:
  packages:
    description: Debian packages that should be installed, in whatever version.
    type: list
    elements: str
    default: []
  files:
    description: Files, directories and links as the module M(sysgenpro.odoo.host_files) takes them.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      state:
        description: What should lie there.
        type: str
        choices: [file, directory, link, absent]
        default: file
      content:
        description: The whole text of a file. Required for V(file), unless O(files[].sha256) is given.
        type: str
      sha256:
        description: SHA-256 of a file's text in hexadecimal digits, in place of O(files[].content). It keeps a long text off the line.
        type: str
      target:
        description: Where a link should lead. Required for V(link).
        type: str
      mode:
        description: Permissions as four octal digits in quotes.
        type: str
      owner:
        description: User name or number. One that does not exist is a difference, and no error.
        type: str
        default: root
      group:
        description: Group name or number. One that does not exist is a difference, and no error.
        type: str
        default: root
      secret:
        description: Accepted, so that the same list serves both modules. Text is never part of what this one returns.
        type: bool
        default: false
  units:
    description: Units of systemd that should be loaded.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The unit's full name.
        type: str
        required: true
      enabled:
        description: Whether it should start at boot. With V(false) that is not looked at.
        type: bool
        default: true
      active:
        description: Whether it should be active. With V(false) that is not looked at.
        type: bool
        default: true
      reads:
        description: Files that it reads when it starts. One that was changed since then is a difference. One that is missing is none.
        type: list
        elements: path
        default: []
  script:
    description:
      - Script for bash that prints a line for each thing that is not as it should be. It must write nothing.
      - It is an argument of a process, so it must not hold secrets.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Compare the machine with what was asked for
  sysgenpro.odoo.machine_state_info:
    packages: [nginx]
    files:
      - {path: /etc/nginx/conf.d/shop.conf, content: "{{ shop_configuration }}"}
    units:
      - {name: nginx.service, reads: [/etc/nginx/conf.d/shop.conf]}
    script: |
      nft list table inet shop >/dev/null 2>&1 || echo "the table inet shop is not loaded"
  register: shop_state

- name: Bring it up
  ansible.builtin.include_tasks: present.yml
  when: shop_state.differs | length > 0
"""

RETURN = r"""
differs:
  description: What is not as it should be, a sentence each. Empty where nothing differs.
  returned: success
  type: list
  elements: str
  sample: ["package nginx is not installed", "/etc/nginx/conf.d/shop.conf: absent", "nginx.service: not-found"]
daemon_reload:
  description: Whether systemd has yet to read the files of a unit.
  returned: success
  type: bool
  sample: false
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sysgenpro.odoo.plugins.module_utils._host.state import (
    COMPARED,
    UNIT,
    compare,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import (
    DomainError,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.run import (
    fail,
    unexpected,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "packages": {"type": "list", "elements": "str", "default": []},
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": COMPARED,
                "required_if": [("state", "file", ["content", "sha256"], True), ("state", "link", ["target"])],
                "mutually_exclusive": [("content", "sha256")],
            },
            "units": {"type": "list", "elements": "dict", "default": [], "options": UNIT},
            "script": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    try:
        found = compare(module.params, module.run_command)
    except DomainError as error:
        fail(module, error)
    except Exception as error:
        fail(module, unexpected(error))
    module.exit_json(changed=False, differs=found.sentences, daemon_reload=found.daemon_reload)


if __name__ == "__main__":
    main()
