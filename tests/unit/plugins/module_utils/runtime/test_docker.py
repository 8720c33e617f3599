# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes as Docker takes them."""

from __future__ import annotations

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.docker import parse_memory
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(("text", "size"), [
    ("2g", 2 * 1024 ** 3), ("512m", 512 * 1024 ** 2), ("1.5G", 1536 * 1024 ** 2), ("64k", 65536), ("6291456b", 6291456)])
def test_sizes(text: str, size: int) -> None:
    assert parse_memory("processes.web_memory", text) == size


@pytest.mark.parametrize("text", ["", "g", ".g", "2", "2gb", "-1g", "1.2.3g", "²g", "1_0m", " 2g", "0g", "2 g", "infg"])
def test_what_is_no_size_names_the_field(text: str) -> None:
    with pytest.raises(DomainError) as error:
        parse_memory("processes.web_memory", text)
    assert error.value.code == "bad_input" and error.value.message.startswith("processes.web_memory is")


@given(st.text(max_size=6))
def test_any_text_gives_a_size_or_the_error(text: str) -> None:
    try:
        assert parse_memory("x", text) > 0
    except DomainError as error:
        assert error.code == "bad_input"
