# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odoo backups (zip) on the machine, made of a real database of Odoo 19, and an instance to import them into."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from sgplab import template

from .machine import PORT, ROOT, SOCKET, UID, Machine, Ran

PLACE = "/var/tmp/backups"
# A database with Odoo's tables as far as they are read, for what needs no Odoo; rows name the stored files given.
_SMALL = """--
-- Dumped from database version 17.6
--
SET standard_conforming_strings = on;
CREATE TABLE public.ir_module_module (id integer, name varchar, state varchar, latest_version varchar);
CREATE TABLE public.ir_config_parameter (id integer, key varchar, value text);
CREATE TABLE public.res_lang (code varchar, active boolean);
CREATE TABLE public.ir_cron (id integer, active boolean);
CREATE TABLE public.ir_attachment (id integer, store_fname varchar);
{extra}
COPY public.ir_module_module (id, name, state, latest_version) FROM stdin;
1\tbase\tinstalled\t19.0.1.3
\\.

COPY public.ir_cron (id, active) FROM stdin;
1\tt
\\.

COPY public.ir_attachment (id, store_fname) FROM stdin;
{rows}\\.

CREATE FUNCTION public.doubled(n integer) RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN n > 0 THEN n * 2 END; END;
"""
# Standard input is the recipe: dump, files and what is done to them.
_ZIP = """
import json, os, sys, zipfile
recipe = json.load(sys.stdin)
with zipfile.ZipFile(recipe["path"], "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
    for name, source in recipe["dumps"].items():
        archive.write(source, name)
    archive.writestr("manifest.json", json.dumps(recipe["manifest"]))
    for directory, _names, files in os.walk(recipe["filestore"]):
        for name in files:
            path = os.path.join(directory, name)
            stored = os.path.relpath(path, recipe["filestore"])
            if stored in recipe["leave_out"] or recipe["only"] and stored not in recipe["only"]:
                continue
            if stored in recipe["tear"]:
                archive.writestr("filestore/" + stored, b"torn")
            else:
                archive.write(path, "filestore/" + stored)
"""


class Backups:
    """Backups of the lab's template, under ``/var/tmp/backups``."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        source = Path(template.ensure("19.0", template.MODULES.split(",")))
        content = subprocess.run(["tar", "c", "-C", str(source), "database.dump", "filestore"], capture_output=True, check=True).stdout
        machine.sh(f"mkdir -p {PLACE}")
        subprocess.run(["docker", "exec", "-i", machine.container, "tar", "x", "-C", PLACE, "--no-same-owner"], input=content, check=True)
        machine.sh(f"cd {PLACE} && pg_restore -f dump.sql database.dump && gzip -1 -k -f dump.sql")
        # As a cluster with roles of its own dumps it, and as pg_dump since 17.6 frames it.
        machine.sh(f"""cd {PLACE} && {{ printf '%s\n' '\\restrict abc'; sed -e 's/^ALTER TABLE ONLY public.res_users$/ALTER TABLE public.res_users OWNER TO p_shop;\\n&/' dump.sql
            cat <<'END'
CREATE EXTENSION IF NOT EXISTS pg_stat_statements WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
COMMENT ON EXTENSION pg_trgm IS 'text similarity';
CREATE SCHEMA sysgenpro;
CREATE TABLE sysgenpro.identity (instance text);
GRANT SELECT ON TABLE public.res_users TO p_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE p_shop IN SCHEMA public GRANT SELECT ON TABLES TO p_reader;
\\unrestrict abc
END
            }} > foreign.sql""")

        self.named = machine.sh(f"cd {PLACE}/filestore && find . -type f -path './??/*' -printf '%P\\n' | sort").split()[:20]
        self.small("small")

    def small(self, name: str, extra: str = "") -> str:
        """Write a small dump. Returns its name."""
        rows = "".join(f"{number}\t{stored}\n" for number, stored in enumerate(self.named))
        self.machine.sh(f"cat > {PLACE}/{name}.sql", data=_SMALL.format(extra=extra, rows=rows))
        return f"{name}.sql"

    def make(self, name: str, dumps: dict[str, str] | None = None, leave_out: Any = (), tear: Any = (), manifest: Any = None) -> str:
        """A zip of a dump and the files that it names. Returns its path."""
        small = dumps is not None and list(dumps.values()) not in (["dump.sql"], ["dump.sql.gz"], ["database.dump"], ["foreign.sql"])
        path = f"{PLACE}/{name}.zip"
        recipe = {"path": path, "filestore": f"{PLACE}/filestore", "dumps": {k: f"{PLACE}/{v}" for k, v in ({"dump.sql": "dump.sql"} if dumps is None else dumps).items()},
                  "leave_out": list(leave_out), "tear": list(tear), "only": self.named if small else [], "manifest": manifest or {"odoo_dump": "1", "major_version": "19.0"}}
        self.machine.sh(f"python3 -c '{_ZIP}'", data=json.dumps(recipe))
        return path


class Bodega:
    """An instance without database."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.name, self.database = "bodega-production", "bodega_production"
        self.directory = f"{ROOT}/{self.name}"
        self.filestore = f"{self.directory}/data/filestore/{self.database}"
        self.clear()

    def clear(self) -> None:
        self.machine.sql("postgres", f"drop database if exists {self.database} with (force)")
        self.machine.sql("postgres", f"drop role if exists {self.database}_import")
        self.machine.sh(f"rm -rf {self.directory}; install -d -m 0711 {self.directory}; install -d -m 0700 {self.directory}/state;"
                        f" install -d -m 0700 -o {UID} -g {UID} {self.directory}/data")

    def run(self, archive: str, *, at: Any = (), check: bool = False, **changes: Any) -> Ran:
        given = {"instance": self.name, "archive": archive, "uid": UID, "requested_by": "test",
                 "database": {"name": self.database, "port": PORT, "socket": SOCKET}, **changes}
        return self.machine.module(given, at=at, module="odoo_import", check=check)

    def is_clear(self) -> bool:
        """Nothing is left of an import that failed."""
        there = self.machine.sql("postgres", f"select count(*) from pg_database where datname like '{self.database}%'")
        roles = self.machine.sql("postgres", f"select count(*) from pg_roles where rolname = '{self.database}_import'")
        files = self.machine.sh(f"find {self.directory} -mindepth 1 -not -name lock -not -path '*/state' -not -path '*/recovery' -not -path '*/data*'"
                                f" -o -path '*/data/filestore/*'")
        return (there, roles, files) == ("0", "0", "")
