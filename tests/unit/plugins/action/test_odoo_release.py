# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop that looks at a detached release, through lost connections, restarts and its end."""

from __future__ import annotations

import json
import types
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.sysgenpro.odoo.plugins.action import odoo_release
from ansible_collections.sysgenpro.odoo.plugins.action.odoo_release import ActionModule

BOOT = "5a4e4b56-0000\n100"
OPEN = {"event": "open", "operation": "one", "seconds": 0.0}
STEPS = [
    {"event": "begin", "step": "pull", "title": "Have the image on the machine", "seconds": 0.1},
    {"event": "done", "step": "pull", "seconds": 2.0},
    {"event": "begin", "step": "stage", "title": "Start green beside what runs", "seconds": 2.1},
    {"event": "failed", "step": "stage", "code": "x", "message": "no memory", "seconds": 3.0},
    {"event": "undo", "step": "stage", "title": "Start green beside what runs", "seconds": 3.1},
    {"event": "undone", "step": "stage", "seconds": 3.2},
]


class Machine:
    """What answers the plugin: a script of states, each for one look."""

    def __init__(self, looks: list[Any]) -> None:
        self.looks, self.calls, self.now, self.current = looks, list[Any](), 0.0, dict[str, Any]()
        self.started: dict[str, Any] = {"ansible_job_id": "j1", "started": 1, "finished": 0}
        self.cleanup: Exception | None = None
        self.planned: dict[str, Any] = {"changed": True, "sync": True}
        self.left: Any = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def monotonic(self) -> float:
        return self.now

    def execute(self, plugin: ActionModule, module_name: Any = None, module_args: Any = None, wrap_async: bool = False,
                **_further: Any) -> dict[str, Any]:
        if module_name is None:
            self.calls.append("plan" if plugin._task.check_mode else ("release", wrap_async, plugin._task.async_val))
            return self.started if wrap_async else self.planned
        assert module_name == "ansible.builtin.async_status" and module_args["jid"] == "j1"
        self.calls.append(module_args["mode"])
        if module_args["mode"] == "cleanup":
            if self.cleanup:
                raise self.cleanup
            return {}
        self.current = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if self.current.get("lost"):
            raise AnsibleConnectionFailure("no route to host")
        return {"finished": 1, **self.current["result"]} if "result" in self.current else {"finished": 0, "started": 1}

    def low_level(self, command: str) -> dict[str, Any]:
        if command.startswith("cd /srv/acme/state && "):
            self.calls.append("where")
            if self.left is None:
                raise AnsibleConnectionFailure("gone")
            return {"rc": 0, "stdout": "\n".join(json.dumps(entry) for entry in self.left), "stderr": ""}
        assert "/srv/acme/state/journal.jsonl" in command and "grep -qsa '[j]1' " in command
        self.calls.append("journal")
        if self.current.get("torn"):
            raise AnsibleConnectionFailure("connection reset")
        entries = [json.dumps(entry) for entry in self.current.get("journal", [])]
        return {"rc": 0, "stdout": "\n".join([self.current.get("process", "alive"), self.current.get("boot", BOOT), *entries]), "stderr": ""}


class Run:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, looks: list[Any], check: bool = False, async_val: int = 0,
                 **arguments: Any) -> None:
        self.machine, self.shown = Machine(looks), list[str]()
        monkeypatch.setattr(odoo_release, "time", self.machine)
        monkeypatch.setattr(odoo_release.display, "display", self.shown.append)
        monkeypatch.setattr(odoo_release.ActionBase, "run", lambda *_arguments: {})
        self.plugin = ActionModule.__new__(ActionModule)
        self.plugin._task = types.SimpleNamespace(
            check_mode=check, async_val=async_val, args={"instance": "acme", "root": "/srv", **arguments})
        self.plugin._execute_module = lambda **further: self.machine.execute(self.plugin, **further)
        self.plugin._low_level_execute_command = self.machine.low_level
        self.plugin.get_shell_option = lambda _name, default=None: default

    def __call__(self) -> dict[str, Any]:
        result: dict[str, Any] = self.plugin.run(task_vars={"inventory_hostname": "acme-production"})
        return result


WAITING: dict[str, Any] = {}
DONE = {"result": {"changed": True, "operation": {"id": "one", "steps": STEPS[:2]}, "ansible_job_id": "j1",
                   "results_file": "/x", "stdout": "", "stderr": ""}}


@pytest.mark.parametrize(("options", "called"), [
    ({"check": True}, "plan"), ({"state": "planned"}, ("release", False, 0)),
    ({"async_val": 60}, ("release", True, 60))])
def test_what_is_quick_or_detached_already_is_called_once(
        monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], called: Any) -> None:
    run = Run(monkeypatch, [], **options)
    run()
    assert run.machine.calls == [called]


@pytest.mark.parametrize("planned", [{"changed": False}, {"failed": True, "code": "locked"}])
def test_where_nothing_is_to_be_done_the_plan_is_the_one_call(monkeypatch: pytest.MonkeyPatch, planned: dict[str, Any]) -> None:
    run = Run(monkeypatch, [])
    run.machine.planned = planned
    assert run() == planned
    assert run.machine.calls == ["plan"]
    assert not run.plugin._task.check_mode and run.shown == []


def test_a_quick_run_never_reads_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [WAITING, {"result": {"changed": False}}])
    assert run() == {"changed": False}
    assert run.machine.calls == ["plan", ("release", True, odoo_release.LONGEST), "status", "status", "cleanup"]
    assert run.plugin._task.async_val == 0 and run.shown == []


def test_steps_show_once_each_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    look = {"journal": [OPEN, *STEPS[:1]]}
    run = Run(monkeypatch, [WAITING, WAITING, look, look, {"journal": [OPEN, *STEPS[:4]]},
                            {"result": {"failed": True, "code": "no_room", "details": {"operation": {"id": "one", "steps": STEPS}}}}])
    assert run()["failed"]
    assert run.shown == [
        "    acme-production          0.1s  Have the image on the machine",
        "    acme-production          2.1s  Start green beside what runs",
        "    acme-production          3.0s  failed: no memory",
        "    acme-production          3.1s  undoing: Start green beside what runs",
        "    acme-production          3.2s  undone: stage",
    ]


def test_an_interrupted_operation_is_shown_and_then_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = [{**OPEN, "operation": "earlier"}, *STEPS[:3], {"event": "recover", "title": "Undo earlier", "forward": False, "seconds": 9.0}]
    run = Run(monkeypatch, [WAITING, WAITING, {"journal": earlier}, {"journal": [OPEN, *STEPS[:1]]}, DONE])
    run()
    assert [line.split("s  ", 1)[1] for line in run.shown] == [
        "Have the image on the machine", "Start green beside what runs",
        "going on with what was interrupted: Undo earlier", "Have the image on the machine"]


def test_a_lost_connection_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = {"lost": True}
    run = Run(monkeypatch, [lost, WAITING, {"torn": True}, *[lost] * (odoo_release.PATIENCE - 1), WAITING, DONE])
    result = run()
    assert result == {"changed": True, "operation": {"id": "one", "steps": STEPS[:2]}}
    assert run.machine.calls.count(("release", True, odoo_release.LONGEST)) == 1
    assert len(run.shown) == 1


def test_a_machine_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [{"lost": True}])
    with pytest.raises(AnsibleConnectionFailure):
        run()
    assert run.machine.calls.count("status") == odoo_release.PATIENCE + 1


def test_a_restart_of_the_machine_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [WAITING, WAITING, WAITING, {"lost": True}, {"boot": "5a4e4b56-0000\n999"}])
    result = run()
    assert result["failed"] and result["code"] == "interrupted" and "started anew" in result["msg"]


def test_a_job_that_died_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = {"process": "dead"}
    run = Run(monkeypatch, [*[WAITING] * 4, gone, WAITING, *[gone] * odoo_release.DEAD])
    result = run()
    assert result["failed"] and result["code"] == "interrupted" and "its process died" in result["msg"]
    assert run.machine.now < 20


@pytest.mark.parametrize("looks", [
    [WAITING, WAITING, WAITING, {"process": "dead"}, DONE],
    [*[{"process": "dead"}] * 9, DONE]], ids=["it was writing its result", "its processes cannot be seen"])
def test_a_job_that_did_not_die(monkeypatch: pytest.MonkeyPatch, looks: list[Any]) -> None:
    assert Run(monkeypatch, looks)()["changed"]


def test_the_waiting_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [WAITING])
    assert run()["code"] == "interrupted"
    assert run.machine.now < odoo_release.LONGEST + 2


def test_a_result_outlives_its_cleaning_up(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [DONE])
    run.machine.cleanup = AnsibleConnectionFailure("gone")
    assert run()["changed"]


def test_a_module_that_could_not_start_is_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [])
    run.machine.started = {"failed": True, "msg": "no python"}
    assert run() == {"failed": True, "msg": "no python"}


@pytest.mark.parametrize(("entry", "line"), [
    ({"event": "begin", "step": "pull", "title": "Pull"}, "Pull"), ({"event": "begin", "step": "pull"}, "pull"),
    ({"event": "done", "step": "pull"}, ""), ({"event": "close", "outcome": "done"}, ""), ({}, ""),
    ({"event": "undo_failed", "step": "hold", "message": "no nft"}, "undo failed: no nft"),
    ({"event": "recover", "forward": True}, "going on with what was interrupted")])
def test_lines(entry: dict[str, Any], line: str) -> None:
    assert odoo_release._line(entry) == line


# What async_wrapper and async_status give where the module gave nothing.
TRACEBACK = {"failed": True, "cmd": "python3 AnsiballZ_odoo_release.py", "data": "", "stderr": "", "msg": "Traceback (most recent call last): ..."}
NO_JOB = {"failed": True, "msg": "could not find job", "started": True, "finished": True}
OPENED = {"event": "open", "operation": "one", "strategy": "hold", "seconds": 0.0}
HELD = [OPENED, {"event": "begin", "step": "hold", "title": "Let requests wait", "seconds": 1.0}, {"event": "done", "step": "hold", "seconds": 1.1},
        {"event": "begin", "step": "update", "title": "Update stock", "seconds": 2.0}]
LET_GO = [*HELD, {"event": "done", "step": "let_go", "seconds": 9.0}]
CLOSED = [OPENED, {"event": "close", "outcome": "done", "seconds": 9.0}]


@pytest.mark.parametrize(("result", "left", "said"), [
    (TRACEBACK, HELD, ["was killed", "'Update stock', and requests wait"]), (TRACEBACK, HELD[:1], ["had done nothing yet; nobody waits"]),
    (TRACEBACK, [], ["had not begun to change anything"]), (TRACEBACK, LET_GO, ["'Update stock'; nobody waits"]),
    ({**TRACEBACK, "stderr": "Traceback ...\nMemoryError: no\n"}, HELD, ["ended without a result: MemoryError: no"]),
    ({**TRACEBACK, "data": None, "outdata": "", "msg": "[Errno 12] Cannot allocate memory"}, HELD, ["was killed"]),
    ({"failed": True, "msg": "Could not parse job output: {"}, HELD, ["cannot be read"]),
    (TRACEBACK, [{**OPENED, "strategy": "maintenance"}, *HELD[1:]], ["the maintenance page is shown"]),
    (TRACEBACK, [*HELD, {"event": "undone", "step": "hold", "seconds": 3.0}], ["nobody waits"]), (TRACEBACK, None, ["could not be read"])])
def test_a_module_that_gave_no_result(monkeypatch: pytest.MonkeyPatch, result: dict[str, Any], left: Any, said: list[str]) -> None:
    """Never a traceback of the wrapper's: whether customers wait, and what to do."""
    run = Run(monkeypatch, [WAITING, {"result": result}])
    run.machine.left = left
    answer = run()
    assert answer["failed"] and answer["code"] == "interrupted" and "Traceback" not in json.dumps(answer)
    assert all(text in answer["msg"] for text in said), answer["msg"]
    assert answer["msg"].endswith("Run the same command again: it finishes or undoes it.")


@pytest.mark.parametrize("result", [
    {"failed": True, "msg": "missing required arguments: uid", "invocation": {}}, {"failed": True, "msg": "x", "code": "locked"},
    {"changed": True, "plan": {}}])
def test_its_own_result_is_its_own(monkeypatch: pytest.MonkeyPatch, result: dict[str, Any]) -> None:
    assert Run(monkeypatch, [{"result": result}])() == result


def test_a_job_whose_file_is_gone_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody cleaned up: its steps are shown as they come, and its journal is asked how it ended."""
    lost = {"result": NO_JOB}
    run = Run(monkeypatch, [WAITING, {**lost, "journal": [OPENED, *STEPS[:1]]}, *[lost] * 5, *[{**lost, "process": "dead"}] * odoo_release.DEAD])
    run.machine.left = CLOSED
    answer = run()
    assert answer["code"] == "interrupted" and "Its journal says that it ended: done" in answer["msg"] and answer["details"]["outcome"] == "done"
    assert len(run.shown) == 1 and run.machine.calls.count("journal") == 6 + odoo_release.DEAD


def test_an_older_operation_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [{"result": TRACEBACK}])
    run.machine.left = [{**OPENED, "operation": "older"}, CLOSED[1]]
    assert "had not begun to change anything" in run()["msg"]
