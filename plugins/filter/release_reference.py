# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a release's short name to its reference by digest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

REFERENCE = re.compile(r"\S+/\S+@sha256:[0-9a-f]{64}\Z")


def release_reference(value: Any, names: Mapping[str, Any] | None = None) -> str:
    """A reference by digest as it is, or the one that a short name stands for.

    :param names: short name to reference.
    :raises AnsibleFilterError: for a tag, an unknown name, or a name that stands for no reference by digest.
    """
    text = str(value or "")
    if REFERENCE.match(text):
        return text
    if "/" in text or "@" in text or ":" in text:
        raise AnsibleFilterError(
            f"release is {text!r}, expected a reference by digest (registry/repository@sha256:...) or a short name; "
            "a tag may stand for another image tomorrow"
        )
    known = names or {}
    if text not in known:
        raise AnsibleFilterError(
            f"release is {text!r}, expected a reference by digest or one of {', '.join(sorted(known)) or 'no names known yet'}"
        )
    reference = str(known[text])
    if not REFERENCE.match(reference):
        raise AnsibleFilterError(f"release {text} stands for {reference!r}, expected a reference by digest")
    return reference


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"release_reference": release_reference}
