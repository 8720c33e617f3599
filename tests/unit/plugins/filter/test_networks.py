# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.sysgenpro.odoo.plugins.filter.networks import networks_overlap


@pytest.mark.parametrize(
    ("networks", "others", "found"),
    [
        (["172.29.0.0/16"], ["172.28.0.0/16"], []),
        (["172.28.9.0/24"], ["172.28.0.0/16"], ["172.28.9.0/24 overlaps 172.28.0.0/16"]),
        (["172.16.0.0/12"], ["172.28.0.0/16"], ["172.16.0.0/12 overlaps 172.28.0.0/16"]),
        (["fd00::/8"], ["172.28.0.0/16"], []),
        ([], ["172.28.0.0/16"], []),
    ],
)
def test_names_each_overlap(networks: list[str], others: list[str], found: list[str]) -> None:
    assert networks_overlap(networks, others) == found


@pytest.mark.parametrize("wrong", ["10.0.0.0/33", "10.0.0.1/24", "here", ""])
def test_refuses_what_is_no_network(wrong: str) -> None:
    with pytest.raises(AnsibleFilterError, match="no network in CIDR notation"):
        networks_overlap([wrong], ["172.28.0.0/16"])
