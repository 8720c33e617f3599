#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gc

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kernel.run import run
from ..module_utils._tenancy import arguments


def main() -> None:
    # A short life with a hundred thousand objects and no circles: to look for those takes a third of the time.
    gc.disable()
    module = AnsibleModule(argument_spec=arguments.module_spec(), supports_check_mode=True)
    run(module, lambda: arguments.operation(module.params))


if __name__ == "__main__":
    main()
