#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kernel.errors import DomainError
from ..module_utils._kernel.run import fail
from ..module_utils._tenancy import arguments, info


def main() -> None:
    module = AnsibleModule(argument_spec=arguments.info_spec(), supports_check_mode=True)
    try:
        found = info.gather(arguments.open_api(module.params), module.params["names"], module.params["network_proven"])
    except DomainError as error:
        fail(module, error)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
