# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of hosts in the form that requests carry: ASCII, lower case, without the dot at the end.

A name with other letters is mapped as browsers map it: UTS 46, not transitional, with the rules of IDNA 2008. Python's own codec is IDNA 2003, to which
``straße`` is ``strasse``: another domain, and somebody else's.
"""

from __future__ import annotations

import re
import unicodedata

from .._kernel.errors import DomainError

try:
    import idna as _idna

    HAS_IDNA = True
except ImportError:
    HAS_IDNA = False

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# All that UTS 46 takes for the dot between labels.
_DOTS = re.compile("[.\u3002\uff0e\uff61]")
# Its mapping changed from ss to ß with Unicode 15.1, so which domain it names depends on who reads it. No other letter's did (idna 2.10 to 3.20).
_CAPITAL_SHARP_S = "\u1e9e"
_UNCHANGED = "Nothing was changed"


def host_name(route: str, value: str) -> str:
    """The name that a request for a host carries.

    :raises DomainError: ``bad_input``, or ``missing_library`` where only a library could tell; both name what to write instead, if there is something.
    """
    text = value.strip()
    if text and _DOTS.match(text[-1]):
        text = text[:-1]
    # Longer ones are none, and take the library long (CVE-2024-3651).
    name = "" if len(text) > 253 else text.lower() if text.isascii() else _ascii(route, text, value)
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise _refused(route, value, "host names of letters, digits, dashes and dots")
    return name


def likely(value: str) -> str:
    """The A-labels of a name whose letters no standard maps to others; empty where there are others, or the name is none."""
    text = value.strip()
    plain = text == text.lower() == unicodedata.normalize("NFKC", text)
    if len(text) > 253 or not plain or not all(char in "-." or unicodedata.category(char)[0] in "LMN" for char in text):
        return ""
    return _labels(text)


def _ascii(route: str, text: str, value: str) -> str:
    if _CAPITAL_SHARP_S in text:
        one, other = (likely(text.lower().replace("ß", letters)) for letters in ("ß", "ss"))
        raise _refused(route, value, "a name without the capital \u1e9e, which older and newer programs take for two domains", one, other)
    if not HAS_IDNA:
        raise _refused(route, value, "a name in ASCII, as Python's library idna is not installed on the machine", likely(text), code="missing_library")
    try:
        return _idna.encode(text, uts46=True, std3_rules=True).decode("ascii")
    except UnicodeError as error:
        raise _refused(route, value, "a name that IDNA 2008 allows ({0})".format(error), _mapped(text)) from None


def _mapped(text: str) -> str:
    """The A-labels that a name would have if its letters were allowed in one: browsers go there all the same."""
    try:
        return _labels(_idna.uts46_remap(text, std3_rules=True))
    except UnicodeError:
        return ""


def _labels(text: str) -> str:
    found = ".".join(label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii") for label in _DOTS.split(text))
    return found if all(_LABEL.fullmatch(label) for label in found.split(".")) else ""


def _refused(route: str, value: str, expected: str, *instead: str, code: str = "bad_input") -> DomainError:
    names = " or ".join(name for name in instead if name)
    advice = "If it is meant, write {0}".format(names) if names else ""
    if code == "missing_library":
        advice = "The role sysgenpro.odoo.traefik installs it (python3-idna)" + (", or write {0}".format(names) if names else "")
    return DomainError(code, "route {0}: hosts must be {1}, not {2!r}".format(route, expected, value), unchanged=_UNCHANGED, advice=advice,
                       route=route, field="hosts")
