# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An instance on the machine: Odoo's database and filestore, and what Odoo does to them."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sgplab import template

from .machine import PASSWORD, PLACE, PORT, ROOT, SOCKET, UID, Machine, Ran

_RECORD = """
import sys
sys.path.insert(0, {place!r})
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.database import Database
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.way_in import WayIn
name, instance, tenant = sys.argv[1:]
Database(name, WayIn({socket!r}, {port})).record_applied(
    dict(instance=instance, tenant=tenant, environment="production", data_class="synthetic"),
    dict(release="sha256:" + "1" * 64, image="sha256:" + "2" * 64, reference="registry:5000/odoo@sha256:" + "2" * 64, record={{}},
         config_digest="sha256:" + "3" * 64, operation="test", who="test", reason="test", **{{"class": "create"}}))
"""


class Instance:
    """``acme-production`` with database ``acme_production``, and the parameters of the module for it."""

    def __init__(self, machine: Machine, tenant: str, repository: Mapping[str, Any] | None = None) -> None:
        self.machine, self.tenant = machine, tenant
        self.name, self.database, self.owner = f"{tenant}-production", f"{tenant}_production", f"{tenant}_production_owner"
        self.directory = f"{ROOT}/{self.name}"
        self.filestore = f"{self.directory}/data/filestore/{self.database}"
        self.repository = dict(repository or {"location": f"/var/lib/recovery/{tenant}", "password": PASSWORD})

    # -- making ---------------------------------------------------------------------------------

    def from_odoo(self) -> None:
        """A real database of Odoo 19 and its filestore, from the lab's template."""
        source = Path(template.ensure("19.0", template.MODULES.split(",")))
        self._empty()
        container = self.machine.container
        with (source / "database.dump").open("rb") as stream:
            subprocess.run(["docker", "exec", "-i", container, "pg_restore", "-h", SOCKET, "-p", str(PORT), "-U", "postgres", "--no-owner",
                            "--role", self.owner, "-d", self.database], stdin=stream, check=True)
        archive = subprocess.run(["tar", "c", "-C", str(source / "filestore"), "."], capture_output=True, check=True).stdout
        subprocess.run(["docker", "exec", "-i", container, "tar", "x", "-C", self.filestore], input=archive, check=True)
        self.machine.sh(f"chown -R {UID}:{UID} {self.directory}/data")
        self.record()

    def small(self, locale: str = "") -> None:
        """A database with Odoo's tables as the module reads them, and an empty filestore: for what needs no Odoo.

        :param locale: the clause of ``create database`` that names a locale provider.
        """
        self._empty(locale)
        self.machine.sql(self.database, f"""
            set role {self.owner};
            create table ir_module_module (name varchar, state varchar, latest_version varchar);
            insert into ir_module_module values ('base', 'installed', '19.0.1.3');
            create table ir_config_parameter (key varchar, value text);
            create table res_lang (code varchar, active boolean);
            insert into res_lang values ('en_US', true);
            create table ir_attachment (id serial primary key, name varchar, res_model varchar, res_field varchar, res_id integer,
              store_fname varchar, file_size integer, checksum varchar(40), create_date timestamp default now());
            create index on ir_attachment (store_fname);
            create table work (id serial primary key, what text, amount numeric);
            create view work_by_what as select what, sum(amount) from work group by what;
            create function doubled(n integer) returns integer language sql immutable as 'select n * 2';
        """)
        self.record()

    def _empty(self, locale: str = "") -> None:
        self.drop()
        self.machine.sh(f"mkdir -p {self.filestore} && install -d -m 0700 {self.directory}/state && chown -R {UID}:{UID} {self.directory}/data")
        self.machine.sql("postgres", f"create database {self.database} owner {self.owner} encoding 'UTF8' lc_collate 'C' {locale} template template0")
        self.machine.sql("postgres", f"revoke connect, temporary on database {self.database} from public")
        self.machine.sql("postgres", f"alter database {self.database} set work_mem = '8MB'")
        self.machine.sql("postgres", f'alter database {self.database} set search_path = "$user", public')
        self.machine.sql("postgres", f"alter role {self.owner} in database {self.database} set statement_timeout = '1h'")

    def record(self) -> None:
        self.machine.python(_RECORD.format(place=PLACE, port=PORT, socket=SOCKET), self.database, self.name, self.tenant)

    def drop(self) -> None:
        """Database, files, repository and all that the module keeps."""
        self.machine.sql("postgres", f"drop database if exists {self.database} with (force)")
        self.machine.sh(f"rm -rf {self.directory} {self.repository['location'] if self.repository['location'].startswith('/') else ''}")

    # -- what Odoo does -------------------------------------------------------------------------

    def attach(self, name: str, content: bytes, torn: bytes | None = None) -> str:
        """Write an attachment as Odoo does: the file, the note for the garbage collector, the row."""
        stored = stored_name(content)
        self.machine.sh(
            f"cd {self.filestore} && mkdir -p {stored[:2]} checklist/{stored[:2]} && : > checklist/{stored} && python3 -c"
            f" 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' > {stored} && chown -R {UID}:{UID} {stored} checklist",
            data=(content if torn is None else torn).hex())
        self.machine.sql(self.database, "insert into ir_attachment (name, {0} store_fname, file_size, checksum) values ('{1}', {2} '{3}', {4}, '{5}')".format(
            "type," if self.real else "", name, "'binary'," if self.real else "", stored, len(content), stored[3:]))
        return stored

    @property
    def real(self) -> bool:
        return bool(int(self.machine.sql(self.database, "select count(*) from information_schema.columns where table_name = 'ir_attachment' and column_name = 'type'")))

    # -- the module -----------------------------------------------------------------------------

    def parameters(self, **changes: Any) -> dict[str, Any]:
        return {"instance": self.name, "repository": self.repository, "requested_by": "test", "reason": "trial",
                "database": {"name": self.database, "port": PORT, "socket": SOCKET}, **changes}

    def run(self, state: str, *, at: Any = (), check: bool = False, kill_after: float | None = None, clock: int = 0, **changes: Any) -> Ran:
        return self.machine.module(self.parameters(state=state, **changes), at=at, check=check, kill_after=kill_after, clock=clock)

    def info(self, **changes: Any) -> dict[str, Any]:
        given = {"instance": self.name, "repository": self.repository, **changes}
        return self.machine.module(given, module="pg_recovery_point_info").ok().result

    def target(self, name: str = "scratch", owner: str = "") -> dict[str, Any]:
        return {"database": f"{self.tenant}_{name}", "filestore": f"{self.directory}/data/filestore/{self.tenant}_{name}",
                "owner": owner or self.owner, "uid": UID}

    def drop_target(self, name: str = "scratch") -> None:
        target = self.target(name)
        self.machine.sql("postgres", "drop database if exists {} with (force)".format(target["database"]))
        self.machine.sh("rm -rf {0} {0}.restoring {1}/state/restoring-*".format(target["filestore"], self.directory))

    # -- what is --------------------------------------------------------------------------------

    def contents(self, database: str | None = None, filestore: str | None = None) -> dict[str, Any]:
        """Digest of all rows by table, and of the files that rows name."""
        database, filestore = database or self.database, filestore or self.filestore
        tables = self.machine.sql(database, "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables"
                                            " where schemaname not in ('pg_catalog', 'information_schema') order by 1").split()
        query = " union all ".join(
            f"select '{table}', count(*), md5(coalesce(string_agg(md5(t::text), '' order by md5(t::text)), '')) from {table} t" for table in tables)
        rows = dict(line.split("|", 1) for line in self.machine.sql(database, query).splitlines())
        named = self.machine.sql(database, "select distinct store_fname from ir_attachment where store_fname is not null")
        files = self.machine.sh(f"cd {filestore} && xargs -r sha1sum", data=named)
        return {"rows": rows, "files": dict(reversed(line.split(None, 1)) for line in files.splitlines())}

    def settings(self, database: str) -> str:
        """Settings of a database and of roles in it."""
        return self.machine.sql("postgres", "select setrole::regrole, c from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase,"
                                            f" unnest(setconfig) c where datname = '{database}' order by 1, 2")

    def restic(self, command: str, check: bool = True) -> str:
        """restic by hand, on the local repository."""
        return self.machine.sh(f"RESTIC_PASSWORD='{PASSWORD}' restic -q --no-cache -r {self.repository['location']}/restic {command}", check)

    def stored(self, point: str, what: str) -> str:
        """The path of an object of the local repository that a point needs: a ``data`` or ``tree`` pack, ``index``, ``snapshot``, ``key``, ``config``."""
        place = f"{self.repository['location']}/restic"
        if what in ("data", "tree"):
            for name in self.machine.sh(f"ls {place}/index").split():
                for pack in json.loads(self.restic(f"cat index {name}"))["packs"]:
                    if any(blob["type"] == what for blob in pack["blobs"]):
                        return f"{place}/data/{pack['id'][:2]}/{pack['id']}"
        snapshot = self.manifest(point)["repository"]["snapshot"]
        return self.machine.sh("ls {}/{}".format(place, {
            "index": "index/*", "snapshot": "snapshots/" + snapshot, "key": "keys/*", "config": "config"}[what])).split()[0]

    def manifest(self, point: str) -> dict[str, Any]:
        text = self.machine.sh(f"cat {self.repository['location']}/points/{self.name}/{point}/manifest.json")
        return dict(json.loads(json.loads(text)["document"]))


def stored_name(content: bytes) -> str:
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return f"{digest[:2]}/{digest}"


def filled(instance: Instance) -> str:
    """Some work, some files, one verified point of them. Returns its id."""
    for number in range(3):
        instance.attach(f"invoice {number}", f"content of {number}".encode() * 1000)
    instance.machine.sql(instance.database, "insert into work (what, amount) select 'order', g from generate_series(1, 2000) g")
    point = str(instance.run("captured").ok().point["id"])
    instance.run("verified").ok()
    return point


def sound(instance: Instance, point: str) -> None:
    """The earlier point is there, and is what it was."""
    found = instance.info()
    assert found["latest_verified"]["id"] == point
    instance.run("restored", point=point, target=instance.target("sound")).ok()
    instance.drop_target("sound")
