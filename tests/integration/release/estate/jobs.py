# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OCA's real ``queue_job``, an add-on whose jobs write down each execution, and somebody who asks for jobs by the clock."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from .edge import fetch

if TYPE_CHECKING:
    from .place import Estate

ADDON = "sgp_jobs"
WHEELS = {
    "14.0": "odoo14-addon-queue-job==14.0.3.15.1",
    "15.0": "odoo-addon-queue-job==15.0.2.3.13.2",
    "16.0": "odoo-addon-queue-job==16.0.3.0.2.2",
    "17.0": "odoo-addon-queue-job==17.0.1.5.4",
    "18.0": "odoo-addon-queue-job==18.0.4.1.2.2",
    "19.0": "odoo-addon-queue-job==19.0.2.4.0.1",
}
# What the add-on's manifest needs beside what Debian's Odoo brings.
_NEEDS = {"14.0": (), "19.0": ("openupgradelib==3.13.7", "cssselect==1.6.0")}

_FILES = {
    "__init__.py": "from . import controllers, models\n",
    "controllers/__init__.py": "from . import main\n",
    "controllers/main.py": '''\
from odoo import SUPERUSER_ID, http
from odoo.http import request


class Jobs(http.Controller):
    @http.route("/fault/job", type="http", auth="public", methods=["GET"], save_session=False)
    def job(self, number, seconds="0"):
        request.env["fault.run"].with_user(SUPERUSER_ID).with_delay(description="job " + number)._work(int(number), float(seconds))
        return http.Response("asked", content_type="text/plain")
''',
    "models/__init__.py": "from . import run\n",
    "models/run.py": '''\
import time

from odoo import fields, models


class FaultRun(models.Model):
    _name = "fault.run"
    _description = "One execution of a job: that it began, whatever became of it, and that it came to its end"

    number = fields.Integer()
    what = fields.Char()
    who = fields.Char()

    def _work(self, number, seconds):
        query = "insert into fault_run (number, what, who, create_date) values (%s, %s, session_user, now() at time zone 'utc')"
        with self.env.registry.cursor() as beginning:
            beginning.execute(query, (number, "begun"))
        time.sleep(seconds)
        self.env.cr.execute(query, (number, "done"))
''',
    "security/ir.model.access.csv":
        "id,name,model_id:id,group_id:id,perm_read,perm_write,perm_create,perm_unlink\nrun,run,model_fault_run,base.group_user,1,1,1,1\n",
    "__manifest__.py": """\
{
    "name": "Jobs that are counted",
    "version": "1.0",
    "license": "LGPL-3",
    "author": "SysGenPro",
    "depends": ["queue_job"],
    "data": ["security/ir.model.access.csv"],
}
""",
}


def _download(wheels: Path, *requirements: str) -> None:
    if requirements:
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(wheels), *requirements], check=True)


def unpack(series: str, target: Path, wheels: Path) -> Path:
    """The real add-on of a series. Returns its directory."""
    _download(wheels, WHEELS[series])
    name, version = WHEELS[series].split("==")
    with zipfile.ZipFile(wheels / f"{name.replace('-', '_')}-{version}-py3-none-any.whl") as archive:
        archive.extractall(target)
    return target / "odoo" / "addons" / "queue_job"


def libraries(directory: Path) -> Path:
    """What the lock names, unpacked beside the add-ons that ``write`` wrote."""
    target = directory / "libraries"
    target.mkdir(exist_ok=True)
    for wheel in (directory / "wheels").glob("*.whl"):
        if "queue_job" not in wheel.name:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(target)
    return target


def write(directory: Path, series: str) -> str:
    """Write add-ons and lock below ``directory``. Returns what a release source says of them."""
    wheels = directory / "wheels"
    unpack(series, directory / "queue", wheels)
    _download(wheels, *_NEEDS[series])
    for path, text in _FILES.items():
        target = directory / "jobs" / ADDON / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    said = "  - name: queue\n    path: queue/odoo/addons\n  - name: jobs\n    path: jobs\n"
    if not _NEEDS[series]:
        return said
    found = {need: next(wheels.glob(need.replace("==", "-") + "-*.whl")) for need in _NEEDS[series]}
    lock = "".join(f"{need} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n" for need, path in found.items())
    (directory / "jobs.txt").write_text(lock, encoding="utf-8")
    return said + "python_lock: jobs.txt\n"


class Asking:
    """Asks for jobs by the clock, whether or not those before were answered; each request has its own connection.

    :ivar asked: numbers that the shop said yes to. :ivar failed: what it said to others.
    """

    def __init__(self, estate: Estate, host: str, every: float, seconds: float) -> None:
        self._estate, self._host, self._every, self._seconds = estate, host, every, seconds
        self.asked: list[int] = []
        self.failed: list[str] = []
        self._numbers = itertools.count(int(time.time() * 1000) % 10**9)
        self._end = threading.Event()
        self._clock = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Asking:
        self._clock.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        self._clock.join()

    def _run(self) -> None:
        with ThreadPoolExecutor(400) as many:
            while not self._end.wait(self._every):
                many.submit(self._one, next(self._numbers))

    def _one(self, number: int) -> None:
        try:
            status, body, _headers = fetch(self._estate, self._host, f"/fault/job?number={number}&seconds={self._seconds}")
        except OSError as error:
            status, body = 0, repr(error)
        if status == 200:
            self.asked.append(number)
        else:
            self.failed.append(f"{number}: {status} {body[:200]}")


def ask(estate: Estate, host: str, number: int, seconds: float) -> None:
    """Ask for one job."""
    status, body, _headers = fetch(estate, host, f"/fault/job?number={number}&seconds={seconds}")
    assert status == 200, f"{status} {body[:300]}"


def executions(estate: Estate, number: int) -> list[str]:
    """What was written down of a job, in its order."""
    return estate.machine.sql(f"select what from fault_run where number = {number} order by id").split()


def once_each(estate: Estate, numbers: list[int]) -> None:
    """Fail unless each of these jobs was executed exactly once, none torn, and none is left."""
    rows = [line.split("|") for line in estate.machine.sql("select number, what, count(*) from fault_run group by 1, 2").splitlines()]
    found = {(int(number), what): int(count) for number, what, count in rows}
    wrong = {number: (found.get((number, "begun"), 0), found.get((number, "done"), 0)) for number in numbers
             if (found.get((number, "begun")), found.get((number, "done"))) != (1, 1)}
    assert not wrong, f"begun and done otherwise than once: {wrong}"
    left = estate.machine.sql("select state, count(*) from queue_job where state <> 'done' group by 1")
    assert not left, f"jobs are left: {left}"


def workers(estate: Estate) -> set[str]:
    """The login roles that executed jobs, without the database's name."""
    return {name.removeprefix("fault_one_") for name in estate.machine.sql("select distinct who from fault_run").split()}
