# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program of somebody else's that writes to the instance's database all the time."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from .place import Estate
from .steps import moment

_PROGRAM = """
import os, psycopg2, time
print("pid", os.getpid(), flush=True)
number = 0
connection = None
while True:
    number += 1
    text = "outside %d" % number
    try:
        if connection is None:
            connection = psycopg2.connect(host="/run/sysgenpro/fault-one/postgresql", port=5501, dbname="fault_one", user="fault_outside",
                                          password="outside", application_name="accounting", connect_timeout=5)
            connection.autocommit = True
        cursor = connection.cursor()
        began = time.time()
        cursor.execute("insert into fault_thing (name) values (%s)", (text,))
        print("kept", began, text, flush=True)
    except psycopg2.Error as error:
        connection = None
        print("refused", time.time(), str(error).split("\\n")[0], flush=True)
    time.sleep(0.05)
"""


class Writer:
    """Writes rows ``outside <n>``; keeps what the database acknowledged, with the time at which each began."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._pid = 0
        self.acknowledged: list[tuple[float, str]] = []
        self.refused: list[tuple[float, str]] = []

    def __enter__(self) -> Writer:
        machine = self._estate.machine
        machine.sql("delete from fault_thing where name like 'outside %'")
        machine.sql(
            "do $$ begin if not exists (select from pg_roles where rolname = 'fault_outside') then create role fault_outside login; end if; end $$;"
            " alter role fault_outside password 'outside'; grant connect on database fault_one to fault_outside;"
            " grant insert on fault_thing to fault_outside; grant usage on sequence fault_thing_id_seq to fault_outside")
        machine.write("/var/lib/sysgenpro/fault-outside.py", _PROGRAM.encode())
        self._process = subprocess.Popen(
            ["docker", "exec", "-i", f"sgp-lab-{machine.name}", "sh", "-c", "exec timeout 900 python3 -u /var/lib/sysgenpro/fault-outside.py"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            kind, _blank, rest = line.strip().partition(" ")
            if kind == "pid":
                self._pid = int(rest)
            elif kind in ("kept", "refused"):
                when, _blank, text = rest.partition(" ")
                (self.acknowledged if kind == "kept" else self.refused).append((float(when), text))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._estate.machine.sh(f"kill {self._pid}", check=False)
        self._process.wait(30)
        self._reader.join(10)
        self._estate.machine.sql(
            "revoke all on fault_thing from fault_outside; revoke all on sequence fault_thing_id_seq from fault_outside;"
            " revoke connect on database fault_one from fault_outside; drop role fault_outside", check=kind is None)

    @staticmethod
    def window(steps: Sequence[Mapping[str, Any]], first: str, last: str) -> tuple[float, float]:
        """From the end of one step to the beginning of another, in epoch seconds."""
        return moment(steps, "done", first), moment(steps, "begin", last)
