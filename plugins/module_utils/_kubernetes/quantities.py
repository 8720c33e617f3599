# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantities as Kubernetes writes them: ``500m``, ``2Gi``, ``1e3``.

Source: the Kubernetes API reference, "Quantity" (apimachinery/pkg/api/resource/quantity.go).
"""

from __future__ import annotations

import re
from decimal import Decimal

from .._kernel.errors import bad_input

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([eE][+-]?[0-9]+|m|u|n|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_UNITS = {"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
          **{unit + "i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)}}


def parse(field: str, text: str | int | float) -> Decimal:
    """The number that a quantity is.

    :param field: its path in the parameters, for the error.
    :raises DomainError: ``bad_input``.
    """
    found = _QUANTITY.fullmatch(str(text))
    if not found:
        raise bad_input(field, text, "a quantity, such as 500m, 2, 1.5Gi or 100M")
    number, unit = found[1], found[2] or ""
    return Decimal(number + unit) if unit[:1] in ("e", "E") and len(unit) > 1 and unit[1:] not in ("i",) else Decimal(number) * _UNITS.get(unit, Decimal(1))


def same(one: str | int | float, other: str | int | float) -> bool:
    """Whether two quantities are the same number, however they are written: the API server writes ``1000m`` as ``1``."""
    return parse("quantity", one) == parse("quantity", other)
