# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error every module raises for something an operator can act on."""

from __future__ import annotations

from typing import Any, TypeVar

Known = TypeVar("Known")


def known(value: Known | None) -> Known:
    """A value that is there by how the code is built. :raises AssertionError: where that is not so, which is a defect."""
    if value is None:
        raise AssertionError("a value that must be known is missing")
    return value


class DomainError(Exception):
    """Something an operator can act on, mapped to ``fail_json`` in one place (``run.fail``).

    :param code: stable, machine-readable, snake_case; part of the public interface.
    :param message: what was wrong, naming the field or object and what was expected.
    :param unchanged: what was left untouched; empty where that would not be true.
    :param advice: what to do next.
    :param details: JSON-able facts returned beside the message. Never secrets.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        unchanged: str = "",
        advice: str = "",
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.unchanged = unchanged
        self.advice = advice
        self.details = details

    def __str__(self) -> str:
        parts = (self.message, self.unchanged, self.advice)
        return " ".join(part.rstrip(".") + "." for part in parts if part)

    def result(self) -> dict[str, Any]:
        """The keys that a failed module returns beside ``msg``."""
        return {
            "code": self.code,
            "unchanged": self.unchanged,
            "advice": self.advice,
            "details": self.details,
        }


def bad_input(field: str, value: object, expected: str, advice: str = "") -> DomainError:
    """The one error for a parameter that is not as it must be. Nothing was looked at or changed yet.

    :param field: its path in the parameters, such as ``processes.web_workers``. Never of a secret, since the value is shown.
    """
    return DomainError("bad_input", f"{field} is {value!r}, expected {expected}", unchanged="Nothing was changed", advice=advice)
