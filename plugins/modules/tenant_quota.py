#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kernel.run import run
from ..module_utils._tenancy import arguments


def main() -> None:
    module = AnsibleModule(argument_spec=arguments.module_spec(), supports_check_mode=True)
    run(module, lambda: arguments.operation(module.params))


if __name__ == "__main__":
    main()
