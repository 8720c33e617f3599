# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guide, read and done word by word: what its blocks say is typed on a bare controller, put into files, or expected to be seen.

A comment on the line before a block says what a reader takes from the sentence there: ``<!-- file: PATH -->`` write it, ``<!-- set: PATH -->`` its keys
take the place of those that the file has, ``<!-- stdin: TEXT -->`` type this meanwhile, ``<!-- not here: WHY -->`` nothing is done.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

LAB = Path(__file__).resolve().parents[2] / "lab" / "lab"
BLOCK = re.compile(r"^(?P<indent> *)(?:<!-- (?P<word>[a-z ]+): (?P<rest>.*?) -->\n\n? *)?```(?P<kind>\w+)\n(?P<text>.*?)\n(?P=indent)```$", re.MULTILINE | re.DOTALL)
USER = "alice"

# What one shell keeps from block to block, and the first command that fails.
RUN = """set -E -o pipefail; trap 'echo "FAILED: $BASH_COMMAND"' ERR
[ ! -f ~/.walked ] || . ~/.walked
. ~/.block
{ declare -p PATH VIRTUAL_ENV; echo "cd $PWD"; } 2>/dev/null >~/.walked
"""


@dataclass(frozen=True)
class Block:
    """One fenced block: console, text or yaml."""

    section: str
    kind: str
    word: str
    rest: str
    text: str

    @property
    def title(self) -> str:
        return f"{self.section}: {self.text.splitlines()[0]}"


def blocks(guide: str) -> Iterator[Block]:
    """The blocks of a guide, in order."""
    for match in BLOCK.finditer(guide):
        section = re.findall(r"^## (.+)$", guide[: match.start()], re.MULTILINE)[-1:] or [""]
        lines = [line.removeprefix(match["indent"]) for line in match["text"].splitlines()]
        yield Block(section[0], match["kind"], match["word"] or "", match["rest"] or "", "\n".join(lines))


def on(machine: str, command: str, given: str = "") -> tuple[int, str]:
    """Run a command as root on a machine."""
    done = subprocess.run([sys.executable, str(LAB), "ssh", machine, "--", command], input=given, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def done(machine: str, command: str, given: str = "") -> str:
    """The same, and it has to work."""
    code, output = on(machine, command, given)
    assert code == 0, f"{machine}: {command}: {output}"
    return output


def set_keys(text: str, new: str) -> str:
    """Give a YAML file the top-level keys of ``new``, in the place of those it has."""
    for key in re.findall(r"^(\w+):", new, re.MULTILINE):
        text = re.sub(rf"^{key}:.*\n(?:[ -].*\n)*", "", text, flags=re.MULTILINE)
    return text.rstrip("\n") + "\n" + new + "\n"


class Walk:
    """Somebody at a controller."""

    def __init__(self, controller: str, names: Mapping[str, str]) -> None:
        """:param names: what is written in the guide, and what it is here."""
        self._controller, self._names, self.output = controller, names, ""

    def here(self, text: str) -> str:
        for name, real in self._names.items():
            text = text.replace(name, real)
        return text

    def do(self, block: Block) -> None:
        """One block. :raises AssertionError: with what was seen instead."""
        text = self.here(block.text)
        if block.word == "not here":
            return
        if block.kind == "console":
            self._type(text, self.here(block.rest).replace("\\n", "\n") if block.word == "stdin" else "")
        elif block.kind == "text":
            for line in text.splitlines():
                assert line in self.output, f"{line!r} is not in what was seen:\n{self.output}"
        elif block.kind == "yaml" and block.word == "file":
            self._write(block.rest, text + "\n")
        elif block.kind == "yaml" and block.word == "set":
            self._write(block.rest, set_keys(self._as_user(f"cat ~/shop/{shlex.quote(block.rest)}"), text))
        else:
            raise AssertionError(f"nobody says what to do with {block}")

    def _type(self, text: str, given: str) -> None:
        done(self._controller, f"cat >/home/{USER}/.block", text + "\n")
        code, self.output = on(self._controller, f"su - {USER} -c {shlex.quote('bash -c ' + shlex.quote(RUN))}", given)
        assert code == 0 and "FAILED: " not in self.output, f"{text}\n{self.output}"

    def _as_user(self, command: str) -> str:
        return done(self._controller, f"su - {USER} -c {shlex.quote(command)}")

    def _write(self, path: str, text: str) -> None:
        done(self._controller, f"su - {USER} -c {shlex.quote(f'cat >~/shop/{shlex.quote(path)}')}", text)
