# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules wherever Odoo finds them: a real OCA add-on out of the Python lock, one in a virtual environment, an editable one. And Odoo runs with them.

Needs Docker with the lab's images, docker-registry, PostgreSQL on this host, and pip's index for the add-on.
"""

from __future__ import annotations

import grp
import hashlib
import io
import json
import os
import pwd
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image import installing
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.database import Database
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release import odoo_run
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.config import odoo_conf
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.model import desired
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.samples import params

from .test_build import BINARY, Builder

PYTHON = "/opt/sysgenpro/python/odoo/addons"
#: A small add-on of OCA's that needs nothing beside Odoo; up to 14.0 its wheels bear the series in their name.
WHEELS = {"19.0": "odoo-addon-partner-firstname==19.0.1.0.3", "14.0": "odoo14-addon-partner-firstname==14.0.1.1.0"}
SERIES = [series for series in (os.environ.get("SYSGENPRO_TEST_SERIES") or "19.0,14.0").split(",") if series in WHEELS]
IMAGE = os.environ.get("SYSGENPRO_ODOO_IMAGE", "sgp-lab/odoo-{}:latest")
#: What OCA's and Enterprise's repositories have many of: bridges that install themselves, to modules that are in another repository.
BROKEN = {"sgp_bridge": {"depends": ["base", "not_in_this_image"], "auto_install": True}, "sgp_on_top": {"depends": ["sgp_bridge"], "auto_install": True},
          "sgp_further": {"depends": ["base", "not_in_this_image"], "auto_install": ["base"]}}  # fmt: skip
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not BINARY, reason="needs the Debian package docker-registry")]


def addons(folder: Path, modules: dict[str, dict[str, Any]]) -> Path:
    for name, manifest in modules.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").touch()
        (folder / name / "__manifest__.py").write_text(repr({"name": name, "license": "LGPL-3", "author": "x", **manifest}))
    return folder


@dataclass
class Cluster:
    """A PostgreSQL of this host's own version, by its socket only."""

    directory: Path
    binaries: Path
    user: Any

    def run(self, *command: str) -> str:
        return subprocess.run(["setpriv", f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}", "--clear-groups", *command], check=True,
                              capture_output=True, text=True, cwd="/").stdout.strip()  # fmt: skip

    def sql(self, query: str, database: str) -> str:
        return self.run("psql", "-XAtq", "-h", str(self.directory / "run"), "-p", "5999", "-d", database, "-c", query)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("needs PostgreSQL on this host")
    # Not below pytest's own, which every run that begins closes to others.
    directory = Path(tempfile.mkdtemp(prefix="sgp-found-"))
    directory.chmod(0o755)
    user = pwd.getpwnam("postgres")
    made = Cluster(directory, found[-1].parent, user)
    (directory / "run").mkdir()
    shutil.chown(directory, "postgres", grp.getgrgid(user.pw_gid).gr_name)
    (directory / "files").mkdir()
    shutil.chown(directory / "run", "postgres")
    shutil.chown(directory / "files", 20001, 20001)
    made.run(str(made.binaries / "initdb"), "-D", f"{directory}/data", "-A", "trust", "-N", "-E", "UTF8", "--locale=C.UTF-8")
    options = f"-p 5999 -c listen_addresses='' -c unix_socket_directories='{directory}/run' -c fsync=off -c unix_socket_permissions=0777"
    made.run(str(made.binaries / "pg_ctl"), "-D", f"{directory}/data", "-w", "-l", f"{directory}/log", "-o", options, "start")
    try:
        made.sql("create role odoo superuser login", "postgres")
        yield made
    finally:
        made.run(str(made.binaries / "pg_ctl"), "-D", f"{directory}/data", "-m", "immediate", "stop")
        shutil.rmtree(directory)


def run_odoo(cluster: Cluster, image: str, conf: str, *command: str) -> tuple[int, str]:
    """Run the image's Odoo on the cluster, with an odoo.conf as the product writes it."""
    place = cluster.directory / "odoo.conf"
    place.write_text(conf)
    place.chmod(0o644)
    done = subprocess.run(
        ["docker", "run", "--rm", "--network=none", "--user=20001:20001", f"--volume={cluster.directory}/files:/var/lib/odoo", "--env=HOME=/var/lib/odoo", "--env=USER=odoo",
         "--env=PGUSER=odoo", f"--volume={cluster.directory}/run:/run/postgresql-instance", f"--volume={place}:/etc/odoo/odoo.conf:ro",
         "--env=ODOO_RC=/etc/odoo/odoo.conf", image, *command], capture_output=True, text=True, check=False)  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("series", SERIES)
def test_an_addon_out_of_the_lock_is_recorded_and_loaded(tmp_path: Path, cluster: Cluster, series: str, figure: Any) -> None:
    """And what the record says that a new database gets by itself is what it gets; the broken bridges are left out of it."""
    wheels = tmp_path / "wheels"
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(wheels), WHEELS[series]], check=True)
    (wheel,) = wheels.iterdir()
    (tmp_path / "lock.txt").write_text(f"{WHEELS[series]} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    builder = Builder(tmp_path, IMAGE.format(series), series)
    try:
        further = [{"name": "broken", "path": str(addons(tmp_path / "broken", BROKEN))}]
        built = builder.build(builder.source("locked", python_lock="lock.txt", addons=further), "locked")
        record, release = built.release.record, built.release
        module = record.modules["partner_firstname"]
        assert module.installable and module.schema and module.code and module.i18n and module.version.startswith(("1.", series))
        assert PYTHON in record.addons_path and len(record.addons_path) == len(set(record.addons_path)) == 4
        assert sorted(note.split(":")[0] for note in record.raw["notes"] if "left out of new databases" in note) == sorted(BROKEN)
        database = f"found_{series[:2]}"
        cluster.sql(f"create database {database} owner odoo encoding 'UTF8' template template0", "postgres")
        given = params(database__name=database, database__port=5999)
        code, output = run_odoo(cluster, release.reference, odoo_conf(given, record, "update", "odoo", database),
                                *odoo_run.command(record, {"install": ["base", "partner_firstname"]}, database))  # fmt: skip
        assert code == 0, output[-3000:]
        assert cluster.sql("select latest_version from ir_module_module where name = 'partner_firstname' and state = 'installed'", database).startswith(series)
        assert cluster.sql("select 1 from information_schema.columns where table_name = 'res_partner' and column_name = 'firstname'", database) == "1"
        marked = set(cluster.sql("select name from ir_module_module where state in ('installed', 'to install')", database).split())
        expected = installing.of_a_new_database(record)
        assert marked == expected | installing.beside(record.modules, expected, ["partner_firstname"], [])
        left = set(cluster.sql("select name from ir_module_module where state = 'to install'", database).split())
        assert left == set(BROKEN) == set(installing.left_out(record)), "this is what held a new database up"
        said = Base(cluster, database)
        with pytest.raises(DomainError, match="to install"):
            odoo_run.check(said, {"install": ["partner_firstname"]})
        warnings = odoo_run.settle(said, desired(given), record, {"install": ["partner_firstname"]})
        odoo_run.check(said, {"install": ["partner_firstname"]})
        assert all(name in warnings[0] for name in BROKEN)
        figure(f"{series}: {len(marked)} modules by themselves as told, {len(left)} left out")
    finally:
        builder.close()


class Base(Database):
    """The product's own, on this cluster."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        super().__init__(name, 5999, str(cluster.directory / "run"))


_ENV = "home = /usr/bin\ninclude-system-site-packages = false\n"
_ODOO = '#!/opt/venv/bin/python3\nimport re\nimport sys\nfrom odoo.cli import main\nmain()\n'
_SITE = "opt/venv/lib/python3.13/site-packages"
_MANIFEST = "{'name': 'x', 'license': 'LGPL-3', 'author': 'x'}"


def context() -> io.BytesIO:
    """A base image whose Odoo is started out of a virtual environment, with one add-on installed there, an editable one, and some in a data directory."""
    files = {
        "Dockerfile": f"FROM {IMAGE.format('19.0')}\nCOPY root/ /\nRUN ln -s /usr/bin/python3 /opt/venv/bin/python3\nENV PYTHONPATH=/opt/named\n",
        "root/opt/venv/pyvenv.cfg": _ENV, "root/opt/venv/bin/odoo": _ODOO, f"root/{_SITE}/debian.pth": "/usr/lib/python3/dist-packages\n",
        f"root/{_SITE}/editable.pth": "/opt/src\n", f"root/{_SITE}/odoo/addons/in_venv/__manifest__.py": _MANIFEST,
        "root/opt/src/odoo/addons/editable/__manifest__.py": _MANIFEST, "root/opt/named/odoo/addons/named/__manifest__.py": _MANIFEST,
        "root/root/.local/share/Odoo/addons/19.0/stray/__manifest__.py": _MANIFEST, "root/var/lib/odoo/addons/19.0/stray/__manifest__.py": _MANIFEST,
    }  # fmt: skip
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text), 0o755 if name.endswith("bin/odoo") else 0o644
            archive.addfile(member, io.BytesIO(text.encode()))
            if name.endswith("__manifest__.py"):
                archive.addfile(tarfile.TarInfo(name.replace("__manifest__", "__init__")))
    made.seek(0)
    return made


def test_odoo_in_a_virtual_environment_with_editable_addons(tmp_path: Path) -> None:
    """What the system's own Python finds does not count, nor does a data directory, which is the instance's at run time."""
    tag = "sgp-lab/odoo-venv:test"
    subprocess.run(["docker", "build", "--quiet", "--tag", tag, "-"], input=context().getvalue(), check=True, capture_output=True)
    builder = Builder(tmp_path, tag)
    try:
        built = builder.build(builder.source("venv", command=["/opt/venv/bin/odoo"]), "venv")
        record = built.release.record
        assert {"in_venv", "editable", "named", "base", "web", "sysgenpro_ready"} <= set(record.modules) and "stray" not in record.modules
        assert f"/{_SITE}/odoo/addons" in record.addons_path and "/opt/src/odoo/addons" in record.addons_path
        said = subprocess.run(["docker", "run", "--rm", "--network=none", f"--env=ODOO_RC={os.devnull}", built.release.reference, "/opt/venv/bin/python3", "-c",
                               "import json, odoo.addons; print(json.dumps(list(odoo.addons.__path__)))"], check=True, capture_output=True, text=True).stdout  # fmt: skip
        order = [path for path in record.addons_path if path in json.loads(said)]
        assert order == json.loads(said), "the record's order is that of Odoo"
    finally:
        builder.close()
        subprocess.run(["docker", "image", "rm", "--force", tag], check=False, capture_output=True)
