# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one ``main()``: observe, plan, guard, apply, return. Check mode leaves out ``apply`` and nothing else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from .errors import DomainError
from .plan import Plan

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


class Operation(Protocol):
    """What a domain gives to the kernel.

    ``perform`` carries a plan out (journal, lock and undo are its own) and returns further facts for the result;
    it raises DomainError when the state asked for was not reached. ``writes`` is false where only a plan is wanted.
    """

    writes: bool

    def plan(self) -> Plan: ...

    def perform(self, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]: ...

    def facts(self) -> Mapping[str, Any]: ...


def run(module: AnsibleModule, build: Callable[[], Operation]) -> NoReturn:
    """Run one operation as an Ansible module and exit.

    :param build: makes the operation from the module's parameters; may raise DomainError.
    """
    timings: dict[str, float] = {}
    started = time.monotonic()
    performing = False
    try:
        operation = build()
        plan = operation.plan()
        timings["plan"] = round(time.monotonic() - started, 3)
        if not plan.recovers:
            guard_digest(plan, module.params.get("expected_plan_digest"))
        further: Mapping[str, Any] = {}
        if plan.steps and operation.writes and not module.check_mode:
            performing = True
            further = operation.perform(plan, timings)
    except DomainError as error:
        fail(module, error)
    except Exception as error:
        fail(module, unexpected(error, performing))
    timings["total"] = round(time.monotonic() - started, 3)
    result: dict[str, Any] = {
        "changed": bool(plan.steps) and operation.writes,
        "plan": plan.as_dict(),
        "timings": timings,
        **operation.facts(),
        **further,
    }
    if module._diff:
        result["diff"] = {"before": _readable(plan.before), "after": _readable(plan.after)}
    module.exit_json(**result)
    raise AssertionError("exit_json returns to nobody")


def guard_digest(plan: Plan, expected: str | None) -> None:
    """Refuse a plan other than the one that was approved.

    :raises DomainError: ``plan_changed``.
    """
    if expected and plan.steps and plan.digest != expected:
        raise DomainError(
            "plan_changed",
            f"expected_plan_digest is {expected}, but the plan computed now is {plan.digest}",
            unchanged="Nothing was changed",
            advice="Look at the new plan and have it approved",
            plan=plan.as_dict(),
        )


def unexpected(error: Exception, performing: bool = False) -> DomainError:
    """What a service of the machine, or a damaged file, said that nothing is made for: a sentence in place of a traceback."""
    text = str(error).strip()
    said = "{}: {}".format(type(error).__name__, text.splitlines()[0]) if text else type(error).__name__
    if performing:
        return DomainError("unexpected", f"this was not expected: {said}", advice="Run the same command again: it finishes or undoes what was begun")
    return DomainError("unexpected", f"the machine could not be looked at: {said}", unchanged="Nothing was changed",
                       advice="Mend what it names; ANSIBLE_DISPLAY_TRACEBACK=error shows where it was met")


def fail(module: AnsibleModule, error: DomainError) -> NoReturn:
    """The one place where a domain error becomes a failed module."""
    module.fail_json(msg=str(error), **error.result())
    raise AssertionError("fail_json returns to nobody")


def _readable(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
