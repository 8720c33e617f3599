# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module detached from the connection and shows the journal's steps as they happen.

A lost SSH session or a killed controller then costs nothing: the operation goes on, and the next run finds its result in the
journal.
"""

from __future__ import annotations

import json
import shlex
import time

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

display = Display()

# Seconds between two looks at the journal. The first come quickly, since a converged run takes no longer.
LOOKS = (0.2, 0.3, 0.5)
LOOK = 1.0
# An operation is bounded by its own steps; this bounds all of them together, in seconds.
LONGEST = 6 * 3600
# Looks in a row that may fail before the machine counts as lost; the operation itself goes on.
PATIENCE = 120
# Looks in a row that must find no process of the job before it counts as dead: it may be writing its result.
DEAD = 3
# What async_status says where the file of the job is gone; it takes that for an end, though the operation goes on without it.
NO_JOB = "could not find job"
KILLED = "its process was killed, by hand or for want of memory"
# Whether a process of the job lives (its name is an argument of each), the start of the machine, that of a container's first process (proc(5)), and
# the journal.
LOOK_AT = ("grep -qsa {1} /proc/[0-9]*/cmdline && echo alive || echo dead;"
           " cat /proc/sys/kernel/random/boot_id; cut -d' ' -f22 /proc/1/stat; cat {0} 2>/dev/null || true")
# The journal, or where there is none the last entry of the newest operation that has ended.
WHERE = "cd {0} && {{ cat journal.jsonl 2>/dev/null || cat history/\"$(ls history | tail -n 1)\"; }} 2>/dev/null || true"
WORDS = {"failed": "failed", "undo": "undoing", "undone": "undone", "recover": "going on with what was interrupted",
         "undo_failed": "undo failed"}


class ActionModule(ActionBase):
    """``odoo_release``, detached."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        del tmp
        quick = self._task.check_mode or self._task.async_val or self._task.args.get("state") == "planned"
        if quick:
            result.update(self._execute_module(task_vars=task_vars, wrap_async=bool(self._task.async_val)))
            return result
        planned = self._planned(task_vars)
        if planned.get("failed") or not planned.get("changed", True):
            result.update(planned)
        else:
            result.update(self._detached(task_vars))
        return result

    def _planned(self, task_vars):
        """The plan first, over one call: where there is nothing to do, or it cannot be done, a job of its own would cost four."""
        self._task.check_mode = True
        try:
            return self._execute_module(task_vars=task_vars)
        finally:
            self._task.check_mode = False

    def _detached(self, task_vars):
        self._task.async_val = LONGEST
        try:
            started = self._execute_module(task_vars=task_vars, wrap_async=True)
        finally:
            self._task.async_val = 0
        job = started.get("ansible_job_id")
        if not job:
            return started
        looks, lost, boots, end = 0, 0, set(), time.monotonic() + LONGEST
        lived, dead, gone, ended = False, 0, False, ""
        self._shown = {}
        while time.monotonic() < end and len(boots) < 2 and dead < DEAD and not ended:
            time.sleep(LOOKS[looks] if looks < len(LOOKS) else LOOK)
            looks += 1
            try:
                status = self._status(job, task_vars)
                gone = bool(status.get("finished")) and status.get("msg") == NO_JOB
                if gone or (not status.get("finished") and looks >= len(LOOKS)):
                    alive, boot = self._show_new(job, task_vars)
                    boots.add(boot)
                    lived = lived or alive
                    dead = dead + 1 if (lived or gone) and not alive else 0
                lost = 0
            except Exception as error:
                lost += 1
                if lost > PATIENCE:
                    raise
                display.vv("{0}: no answer, the operation goes on: {1}".format(self._host(task_vars), error))
                continue
            if status.get("finished") and not gone:
                self._clean_up(job, task_vars)
                ended = _without_result(status)
                if ended:
                    continue
                self._show(*self._operation_of(status), task_vars)
                for key in ("ansible_job_id", "started", "finished", "results_file", "stdout", "stderr", "stdout_lines",
                            "stderr_lines"):
                    status.pop(key, None)
                return status
        place = "toolbox" if self._task.args.get("runtime") == "kubernetes" else "machine"
        said = ended or (f"the {place} was started anew" if len(boots) > 1 else "the file that bears its result is gone, and so is its process" if gone
                         else "its process died" if dead else "nothing was heard of its end")
        return self._interrupted(said, task_vars)

    def _interrupted(self, said, task_vars):
        """What people must know who have no result: whether their customers wait."""
        path = self._journal_path().rsplit("/", 1)[0]
        try:
            answer = self._low_level_execute_command(WHERE.format(shlex.quote(path)))
            where = _where(_parsed(answer.get("stdout", "").splitlines()), set(self._shown) - {None})
        except Exception as error:
            display.vv("{0}: the journal could not be read: {1}".format(self._host(task_vars), error))
            where = {"said": "What it had come to could not be read"}
        return {"failed": True, "code": "interrupted", "unchanged": "", "details": {key: value for key, value in where.items() if key != "said"},
                "advice": "Run the same command again: it finishes or undoes it",
                "msg": "The operation was interrupted: {0}. {1}. Run the same command again: it finishes or undoes it.".format(said, where["said"])}

    def _clean_up(self, job, task_vars):
        """What is left over on the machine is no reason to lose the result."""
        try:
            self._status(job, task_vars, "cleanup")
        except Exception as error:
            display.vv("{0}: the job's file was left: {1}".format(self._host(task_vars), error))

    def _status(self, job, task_vars, mode="status"):
        async_dir = self.get_shell_option("async_dir", default="~/.ansible_async")
        return self._execute_module(
            module_name="ansible.builtin.async_status", task_vars=task_vars,
            module_args={"jid": job, "mode": mode, "_async_dir": async_dir})

    def _journal_path(self):
        args = self._task.args
        root = args.get("root") or "/var/lib/sysgenpro/instances"
        return "{0}/{1}/state/journal.jsonl".format(root, args.get("instance", ""))

    def _show_new(self, job, task_vars):
        """Show what is new in the journal. Returns whether the job lives, and what tells one start of the machine from another."""
        # The first letter in brackets, so that who looks does not find himself.
        name = str(job).split(".", 1)[0]
        answer = self._low_level_execute_command(LOOK_AT.format(
            shlex.quote(self._journal_path()), shlex.quote("[{0}]{1}".format(name[:1], name[1:]))))
        lines = answer.get("stdout", "").splitlines()
        if answer.get("rc") or len(lines) < 3:
            raise AnsibleConnectionFailure(answer.get("stderr") or "no answer")
        entries = _parsed(lines[3:])
        if entries:
            self._show(entries[0].get("operation"), entries[1:], task_vars)
        return lines[0] == "alive", tuple(lines[1:3])

    @staticmethod
    def _operation_of(status):
        operation = status.get("operation") or (status.get("details") or {}).get("operation") or {}
        return (operation.get("id"), operation.get("steps", [])) if isinstance(operation, dict) else (None, [])

    def _show(self, operation, entries, task_vars):
        """An operation's entries that were not shown yet: a run may end one that was interrupted before its own."""
        shown = self._shown.get(operation, 0)
        self._shown[operation] = max(shown, len(entries))
        for entry in entries[shown:]:
            line = _line(entry)
            if line:
                display.display("    {0:<20} {1:>7.1f}s  {2}".format(self._host(task_vars), entry["seconds"], line))

    @staticmethod
    def _host(task_vars):
        return str((task_vars or {}).get("inventory_hostname", ""))


def _parsed(lines):
    entries = []
    for line in lines:
        try:
            entries.append(json.loads(line))
        except ValueError:
            continue
    return entries


def _without_result(status):
    """Why what async_status gives is not the module's own result, which has a plan or an error's code; nothing where it is."""
    if not status.get("failed") or "code" in status or "plan" in status:
        return ""
    if "data" not in status and "outdata" not in status:
        return "" if "invocation" in status else "what it returned cannot be read"
    complaint = [line for line in str(status.get("stderr") or "").splitlines() if line.strip()]
    return "its process ended without a result: {0}".format(complaint[-1].strip()) if complaint else KILLED


def _where(entries, operations):
    """What a journal says of an operation that nobody has a result of."""
    if not entries:
        return {"said": "It had not begun to change anything"}
    name, end = entries[0].get("operation"), entries[-1]
    if end.get("event") == "close":
        if name not in operations:
            return {"said": "It had not begun to change anything"}
        return {"said": "Its journal says that it ended: {0}".format(end.get("outcome")), "operation": name, "outcome": end.get("outcome")}
    begun = [entry for entry in entries if entry.get("event") == "begin"]
    steps = [(entry.get("event"), entry.get("step")) for entry in entries]
    held = ("begin", "hold") in steps and not {("done", "let_go"), ("undone", "hold")} & set(steps)
    said = "It had come to '{0}'".format(begun[-1].get("title", begun[-1].get("step"))) if begun else "It had done nothing yet"
    waits = "requests wait until it is run again" if entries[0].get("strategy") != "maintenance" else "the maintenance page is shown until it is run again"
    return {"said": "{0}, and {1}".format(said, waits) if held else "{0}; nobody waits".format(said), "operation": name, "held": held,
            "step": begun[-1].get("step") if begun else None}


def _line(entry):
    """One line for people; only what begins, and what goes wrong."""
    event = entry.get("event")
    if event == "begin":
        return entry.get("title", entry.get("step", ""))
    if event in WORDS:
        said = entry.get("message") or entry.get("title") or entry.get("step", "")
        return "{0}: {1}".format(WORDS[event], said) if said else WORDS[event]
    return ""
