# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the lab machine: the module as Ansible sent it there, and something done to it when its journal says so.

Standard input is JSON: ``payload`` (directory of the exploded module), ``module`` (its Python name), ``parameters``, ``journal`` (path),
``at`` (list of ``{"event", "step", "do"}``; ``do`` is ``kill`` or a shell command that runs while the module stands still, or, with
``"beside": true``, beside it), ``count`` (whether to count its calls). Standard output is JSON: ``result`` of the module (null when it was killed), ``seen`` (the entries of
the journal), ``did`` (what was done when), ``calls`` (requests to Docker in order, and how often nft was started).
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

LOOK = 0.0005

_MAIN = """
import json, runpy, sys
spec = json.load(open(sys.argv[1]))
sys.path.insert(0, spec["payload"])
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": spec["parameters"]}).encode()
basic._ANSIBLE_PROFILE = spec["profile"]
sys.argv = sys.argv[:1]
runpy.run_module(spec["module"], run_name="__main__", alter_sys=True)
"""


def entries(path, skip):
    """All whole entries of the journal beyond the first ``skip``."""
    try:
        with open(path, encoding="utf-8") as stream:
            lines = stream.read().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines[skip:]:
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found


DOCKER = "/run/docker.sock"
REQUEST = re.compile(rb"^(?:GET|HEAD|POST|PUT|DELETE) (\S+) HTTP/1", re.MULTILINE)


class Counter:
    """Stands between the module and Docker, and before nft, and counts."""

    def __init__(self, directory):
        self.docker = []
        self.nft = os.path.join(directory, "nft-calls")
        self.path = os.path.join(directory, "docker.sock")
        self.programs = os.path.join(directory, "bin")
        os.mkdir(self.programs)
        wrapper = os.path.join(self.programs, "nft")
        with open(wrapper, "w", encoding="utf-8") as stream:
            stream.write('#!/bin/sh\necho "$*" >>{0}\nexec /usr/sbin/nft "$@"\n'.format(self.nft))
        os.chmod(wrapper, 0o700)
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(self.path)
        self._server.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def environment(self):
        return {**os.environ, "DOCKER_HOST": "unix://" + self.path, "PATH": self.programs + ":" + os.environ["PATH"]}

    def calls(self):
        try:
            with open(self.nft, encoding="utf-8") as stream:
                nft = stream.read().splitlines()
        except FileNotFoundError:
            nft = []
        return {"docker": self.docker, "nft": nft}

    def _accept(self):
        while True:
            client, _address = self._server.accept()
            daemon = socket.socket(socket.AF_UNIX)
            daemon.connect(DOCKER)
            threading.Thread(target=self._pass, args=(client, daemon, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(daemon, client, False), daemon=True).start()

    def _pass(self, source, target, counted):
        while True:
            part = source.recv(65536)
            if not part:
                target.shutdown(socket.SHUT_WR)
                return
            if counted:
                self.docker += [found.decode() for found in REQUEST.findall(part)]
            target.sendall(part)


def main():
    spec = json.load(sys.stdin)
    wanted, did, seen, beside = list(spec.get("at") or []), [], [], []
    first = len(entries(spec["journal"], 0))
    with tempfile.TemporaryDirectory() as directory:
        path, output = os.path.join(directory, "spec.json"), os.path.join(directory, "output")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as stream:
            json.dump(spec, stream)
        counter = Counter(directory) if spec.get("count") else None
        environment = counter.environment() if counter else None
        with open(output, "w+b") as stream:
            module = subprocess.Popen([sys.executable, "-c", _MAIN, path], stdout=stream, stderr=subprocess.STDOUT,
                                      env=environment, start_new_session=True)
            started = time.monotonic()
            while wanted and module.poll() is None:
                for entry in entries(spec["journal"], first + len(seen)):
                    seen.append(entry)
                    for each in [each for each in wanted if (each["event"], each.get("step")) == (entry["event"], entry.get("step"))]:
                        wanted.remove(each)
                        did.append({"do": each["do"], "after": round(time.monotonic() - started, 3), "entry": entry})
                        if each["do"] == "kill":
                            os.killpg(module.pid, signal.SIGKILL)
                        elif each.get("beside"):
                            beside.append(subprocess.Popen(["sh", "-c", each["do"]], stdout=sys.stderr, stderr=sys.stderr))
                        else:
                            os.kill(module.pid, signal.SIGSTOP)
                            did[-1]["code"] = subprocess.run(["sh", "-c", each["do"]], stdout=sys.stderr, stderr=sys.stderr, check=False).returncode
                            os.kill(module.pid, signal.SIGCONT)
                time.sleep(LOOK)
            code = module.wait()
            calls = counter.calls() if counter else {}
            for each in beside:
                each.wait()
            stream.seek(0)
            text = stream.read().decode(errors="replace")
    start = text.find("{")
    try:
        result = json.loads(text[start:]) if start >= 0 else None
    except ValueError:
        result = None
    print(json.dumps({"result": result, "code": code, "text": "" if result else text[-4000:], "did": did, "left": wanted, "calls": calls}))


main()
