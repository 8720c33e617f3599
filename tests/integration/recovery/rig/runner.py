# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the lab machine: the module, and something done to it at a step.

Standard input is JSON: ``module`` (its name), ``parameters``, ``check``, ``at`` (list of ``{"event", "step", "do"}``; ``do`` is ``kill`` or a
shell command that the module waits for), ``kill_after`` (seconds, or null) and ``clock`` (seconds that its clock is ahead). Standard output is JSON: ``result`` (null when it was killed), ``code``,
``text``, ``peak`` (KiB of memory that the module had at most).
"""

from __future__ import annotations

import glob
import json
import os
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

_MAIN = """
import json, os, runpy, signal, subprocess, sys
spec = json.load(open(sys.argv[1]))
sys.path.insert(0, spec["path"])
from ansible.module_utils import basic
arguments = dict(spec["parameters"], _ansible_check_mode=bool(spec.get("check")), _ansible_diff=True)
basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
basic._ANSIBLE_PROFILE = "legacy"
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery import import_archive, operation
class Told(operation._Silent):
    def write(self, event, **data):
        for each in spec.get("at") or ():
            if (each["event"], each["step"]) == (event, data.get("step")):
                if each["do"] == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                subprocess.run(["sh", "-c", each["do"]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
operation._Silent = import_archive._Silent = Told
import atexit, resource
atexit.register(lambda: open(sys.argv[0], "w").write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)))
sys.argv = [sys.argv[1] + ".peak"]
runpy.run_module("ansible_collections.sysgenpro.odoo.plugins.modules." + spec["module"], run_name="__main__", alter_sys=True)
"""


def environment(ahead):
    """With a clock that is ahead, except of programs that ask the kernel themselves (Go's)."""
    if not ahead:
        return None
    library = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")[0]
    return {**os.environ, "LD_PRELOAD": library, "FAKETIME": "{:+d}".format(ahead), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def main():
    spec = {**json.load(sys.stdin), "path": HERE}
    with tempfile.TemporaryDirectory() as directory, open(os.path.join(directory, "output"), "w+b") as output:
        path = os.path.join(directory, "spec.json")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as stream:
            json.dump(spec, stream)
        module = subprocess.Popen([sys.executable, "-c", _MAIN, path], stdout=output, stderr=subprocess.STDOUT, env=environment(spec.get("clock")))
        try:
            module.wait(spec.get("kill_after"))
        except subprocess.TimeoutExpired:
            os.kill(module.pid, signal.SIGKILL)
            module.wait()
        try:
            with open(path + ".peak", encoding="utf-8") as stream:
                peak = int(stream.read())
        except FileNotFoundError:
            peak = 0
        output.seek(0)
        text = output.read().decode(errors="replace")
    start = text.find("{")
    try:
        result = json.loads(text[start:]) if start >= 0 else None
    except ValueError:
        result = None
    print(json.dumps({"result": result, "code": module.returncode, "text": "" if result else text[-4000:], "peak": peak}))


main()
