# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
{
    "name": "SysGenPro sessions in Redis",
    "summary": "Keeps HTTP sessions in Redis, so that both colours share them and no restart logs anybody out",
    "version": "1.0",
    "category": "Hidden",
    "author": "SysGenPro",
    "license": "GPL-3 or any later version",
    "depends": ["base"],
    "external_dependencies": {"python": ["redis"]},
    "installable": True,
    "auto_install": False,
    "post_load": "post_load",
}
