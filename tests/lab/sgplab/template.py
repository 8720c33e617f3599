# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database with modules and demo data, made once per Odoo image and module list, as dump and filestore."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from . import images
from .base import LabError, cache, locked, run, say

MODULES = "point_of_sale,stock,sale_management"
DATABASE = "template"
#: Makes PostgreSQL inside the warm machine image, without systemd: this container lives for minutes.
_START = "pg_createcluster 17 lab -- --auth-local=trust --auth-host=trust -N && pg_ctlcluster 17 lab start -- -w -o '-c fsync=off -c max_locks_per_transaction=256' && runuser -u postgres -- createuser --superuser odoo && sleep infinity"


def ensure(series: str, modules: Sequence[str], demo: bool = True) -> Path:
    """Return the directory with ``database.dump`` (pg_dump -Fc), ``filestore/`` and ``template.json``; make it if needed.

    :param demo: with demo data.

    ``template.json`` holds database, modules, series and data_class; the user ``admin`` has the password ``admin``.
    """
    image = f"odoo-{series}"
    wanted = sorted(modules)
    key = hashlib.sha256(json.dumps([images.digest(image), wanted, *([] if demo else [demo])]).encode()).hexdigest()[:12]
    directory = cache() / "templates" / f"{series}-{key}"
    with locked(f"template-{key}"):
        if not (directory / "template.json").exists():
            _build(directory, series, wanted, demo)
    return directory


def _build(directory: Path, series: str, modules: list[str], demo: bool) -> None:
    say(f"installing {', '.join(modules)} with{'' if demo else 'out'} demo data into an Odoo {series} database")
    shutil.rmtree(directory, ignore_errors=True)
    work = directory.with_name(f"{directory.name}.tmp")
    shutil.rmtree(work, ignore_errors=True)
    (work / "socket").mkdir(parents=True)
    (work / "data").mkdir()
    (work / "socket").chmod(0o777)
    name = f"sgp-lab-template-{uuid.uuid4().hex[:8]}"
    try:
        _postgresql(name, work)
        _odoo(name, series, modules, work, demo)
        run(["docker", "exec", name, "runuser", "-u", "postgres", "--", "pg_dump", "--format=custom", "--no-owner", "--no-acl", "--file=/var/run/postgresql/database.dump", DATABASE])
        shutil.move(work / "socket" / "database.dump", work / "database.dump")
        os.chown(work / "database.dump", 0, 0)
        shutil.move(work / "data" / "filestore" / DATABASE, work / "filestore")
    finally:
        run(["docker", "rm", "--force", "--volumes", name, f"{name}-odoo"], check=False)
    shutil.rmtree(work / "socket")
    shutil.rmtree(work / "data")
    facts = {"database": DATABASE, "modules": modules, "series": series, "data_class": "synthetic"}
    (work / "template.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    work.rename(directory)
    say(f"made {directory}")


def _postgresql(name: str, work: Path) -> None:
    warm = images.ensure("debian13-warm")
    run(["docker", "run", "--detach", "--name", name, "--volume", f"{work / 'socket'}:/var/run/postgresql", warm, "sh", "-ec", _START])
    for _ in range(120):
        if run(["docker", "exec", name, "psql", "-U", "odoo", "-d", "postgres", "-c", "select 1"], check=False).returncode == 0:
            return
        time.sleep(0.5)
    raise LabError(f"PostgreSQL did not start: {run(['docker', 'logs', name], check=False).stderr[-2000:]}")


def _odoo(name: str, series: str, modules: list[str], work: Path, demo: bool) -> None:
    command = ["odoo", "--database", DATABASE, "--init", ",".join(modules), "--stop-after-init", "--db_host=/var/run/postgresql", "--db_user=odoo", "--data-dir=/var/lib/odoo", "--log-level=warn", "--max-cron-threads=0"]
    # Since 19 demo data is asked for; before, it came unless one refused.
    asked = int(series.split(".")[0]) >= 19
    if demo == asked:
        command.append("--with-demo" if demo else "--without-demo=all")
    done = subprocess.run(
        ["docker", "run", "--rm", "--name", f"{name}-odoo", "--network", "none", "--env", "HOME=/var/lib/odoo", "--volume", f"{work / 'socket'}:/var/run/postgresql",
         "--volume", f"{work / 'data'}:/var/lib/odoo", images.ensure(f"odoo-{series}"), *command],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise LabError(f"Odoo could not install {', '.join(modules)}:\n{(done.stdout + done.stderr)[-4000:]}")
