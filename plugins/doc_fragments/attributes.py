# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes every module states, and what the kernel makes true for all of them."""

from __future__ import annotations


class ModuleDocFragment:
    """``attributes`` names them; ``.changes``, ``.reads`` and ``.actiongroup`` say what a module supports."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that the system controlled or queried by the module has not changed in a relevant way.
"""

    # A module that changes something: a plan, of which check mode leaves out only the applying.
    CHANGES = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - The plan is made the same way in both modes; check mode leaves out its applying.
  diff_mode:
    support: full
    details:
      - Shows the plan's before and after.
  idempotent:
    support: full
"""

    # A module that only reads.
    READS = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module does not modify state.
  diff_mode:
    support: N/A
    details:
      - This module does not modify state.
  idempotent:
    support: full
    details:
      - This module does not modify state.
"""

    ACTIONGROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/sysgenpro.odoo.odoo) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - sysgenpro.odoo.odoo
"""
