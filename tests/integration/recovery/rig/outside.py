# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database of Odoo 19 with every add-on that brings a ``data/neutralize.sql``, and what those scripts switch off."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance import neutralize
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.daemon import ContainerSpec, Daemon
from sgplab import images, template

from .machine import PLACE, PORT, SOCKET, Machine

# Each script with its name before it.
_READ = ("import os; from odoo.tools import config; config.parse_config([]); from odoo.modules.module import initialize_sys_path as i; i(); import odoo.addons as a\n"
         "for p in a.__path__:\n for n in sorted(os.listdir(p)):\n  f = os.path.join(p, n, 'data/neutralize.sql')\n"
         "  if os.path.exists(f): print('-- MODULE', n, '\\n', open(f).read(), '\\n;')\n")
_RUN = f"""
import json, sys
sys.path.insert(0, {PLACE!r})
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._odoo import neutralize
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.database import Database
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.way_in import WayIn
name, role, scripts = json.load(open("/var/tmp/neutral.json"))
try:
    if role == "cut_off":
        print(json.dumps({{"done": neutralize.cut_off(Database(name, WayIn({SOCKET!r}, {PORT})))}}))
        sys.exit()
    with neutralize.as_owner(Database(name, WayIn({SOCKET!r}, {PORT})), role, "") as cursor:
        print(json.dumps({{"done": neutralize.neutralize(cursor, scripts)}}))
except DomainError as error:
    print(json.dumps({{**error.result(), "message": error.message}}))
"""
# What the lab's image cannot install, for want of phonenumbers and google-auth. Their columns are made by hand.
LACKING = ("account_peppol", "l10n_hr_edi", "cloud_storage_google")
# A row where there is none: what a column needs, by its type. Foreign keys are not looked at.
_ROW = """
set session_replication_role = replica;
do $$
declare wanted text[] := array[{tables}]; t text; names text; given text;
begin
  foreach t in array wanted loop
    execute format('select count(*) from %I', t) into names;
    continue when names <> '0';
    select string_agg(quote_ident(column_name), ', '), string_agg(case when data_type in ('integer', 'bigint', 'numeric', 'double precision') then '1'
        when data_type = 'boolean' then 'true' when data_type like 'timestamp%' or data_type = 'date' then 'now()' when data_type = 'jsonb' then '''{{}}'''
        else '''x''' end, ', ') into names, given
      from information_schema.columns where table_schema = 'public' and table_name = t and is_nullable = 'NO' and column_default is null;
    execute format('insert into %I (%s) values (%s)', t, names, given);
  end loop;
end $$;
"""


@dataclass
class Touched:
    """What scripts set, empty or remove: ``(table, column)``, tables, keys of ir_config_parameter."""

    columns: set[tuple[str, str]] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)


def scripts(series: str) -> str:
    """Of all add-ons in the lab's image, by its own Odoo."""
    done = subprocess.run(["docker", "run", "--rm", "--entrypoint", "python3", images.ensure(f"odoo-{series}"), "-c", _READ],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def modules_of(text: str) -> list[str]:
    return re.findall(r"^-- MODULE (\w+)", text, re.MULTILINE)


def touched(text: str) -> Touched:
    found = Touched()
    for statement in re.sub(r"--[^\n]*", "", text).split(";"):
        update = re.match(r"\s*update\s+(\w+)\s+set\s+(.*?)(?:\bwhere\b(.*))?$", statement, re.IGNORECASE | re.DOTALL)
        removal = re.match(r"\s*(?:delete\s+from|truncate)\s+(\w+)(.*)", statement, re.IGNORECASE | re.DOTALL)
        insert = re.match(r"\s*insert\s+into\s+ir_config_parameter.*?values\s*\(\s*'([\w.]+)'", statement, re.IGNORECASE | re.DOTALL)
        if update and update[1] != "ir_config_parameter":
            found.columns |= {(update[1], name.lower()) for name in re.findall(r"(\w+)\s*=\s*(?:'[^']*'|\w+)", update[2])}
        elif update or (removal and removal[1] == "ir_config_parameter"):
            found.keys |= set(re.findall(r"'([\w.]+)'", (update or removal)[3 if update else 2] or ""))  # type: ignore[index]
        elif removal:
            found.tables.add(removal[1])
        elif insert:
            found.keys.add(insert[1])
    return found


def told(series: str, command: list[str], modules: list[str], work: Path) -> str:
    """What ``odoo neutralize --stdout`` prints in the image, by the runtime's own way of reading it, where these modules are installed."""
    name = f"sgp-lab-told-{uuid.uuid4().hex[:8]}"
    (work / "socket").mkdir()
    (work / "socket").chmod(0o777)
    runtime = Daemon()
    try:
        template._postgresql(name, work)
        sql = "create table ir_module_module (name varchar, state varchar); insert into ir_module_module select unnest(string_to_array('{}', ',')), 'installed'"
        for arguments in (["-d", "postgres", "-c", "create database told"], ["-d", "told", "-c", sql.format(",".join(modules))]):
            subprocess.run(["docker", "exec", name, "psql", "-qU", "odoo", *arguments], check=True)
        runtime.create(ContainerSpec(
            name=name + "-odoo", image=images.ensure(f"odoo-{series}"), command=[*command, "--db_host=/var/run/postgresql", "--db_user=odoo"], labels={}, uid=0,
            mounts={"/var/run/postgresql": (str(work / "socket"), "rw")}, environment={"HOME": "/tmp"}, memory=2 << 30, restart=False))
        runtime.start(name + "-odoo")
        assert runtime.wait_end(name + "-odoo", 300) and runtime.state(name + "-odoo")["ExitCode"] == 0, runtime.logs(name + "-odoo")
        return neutralize.scripts_in(runtime.output(name + "-odoo"))
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", name, name + "-odoo"], check=False, capture_output=True)


class Outside:
    """The database ``neutral``, made anew from the one with all add-ons."""

    name, owner, role = "neutral", "neutral_owner", "neutral_update"

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.text = scripts("19.0")
        source = Path(template.ensure("19.0", [name for name in modules_of(self.text) if name not in LACKING], demo=False))
        for role, options in ((self.owner, "nologin"), (self.role, f"login in role {self.owner}")):
            machine.sql("postgres", f"create role {role} {options}", check=False)
        machine.sql("postgres", "drop database if exists neutral_all with (force)")
        machine.sql("postgres", f"create database neutral_all owner {self.owner} encoding 'UTF8' lc_collate 'C' template template0")
        with (source / "database.dump").open("rb") as stream:
            subprocess.run(["docker", "exec", "-i", machine.container, "pg_restore", "-h", SOCKET, "-p", str(PORT), "-U", "postgres", "--no-owner",
                            "--role", self.owner, "-d", "neutral_all"], stdin=stream, check=True)

    def anew(self) -> None:
        self.machine.sql("postgres", f"drop database if exists {self.name} with (force)")
        self.machine.sql("postgres", f"create database {self.name} template neutral_all owner {self.owner}")

    def add_lacking(self, columns: set[tuple[str, str]]) -> None:
        """Columns of add-ons that are not installed: a mode has a real and a test value. Fields that are kept as attachments have none."""
        there = set(self.sql("select table_name || '.' || column_name from information_schema.columns where table_schema = 'public'"
                             " union select replace(model, '.', '_') || '.' || name from ir_model_fields").split())
        for number, (table, name) in enumerate(sorted(columns), 800_001):
            if f"{table}.{name}" not in there:
                self.as_owner(f"alter table {table} add column {name} varchar")
                self.sql("set session_replication_role = replica; insert into ir_model_fields (id, name, model, model_id, ttype, state, field_description)"
                         f" values ({number}, '{name}', '{table.replace('_', '.')}', 1, 'char', 'base', '{{}}')")
                for value in ("prod", "test") if name.endswith("_mode") else ():
                    self.sql("set session_replication_role = replica; insert into ir_model_fields_selection (field_id, value, name)"
                             f" values ({number}, '{value}', '{{}}')")

    def drop(self) -> None:
        for name in (self.name, "neutral_all"):
            self.machine.sql("postgres", f"drop database if exists {name} with (force)")

    def sql(self, query: str, check: bool = True) -> str:
        return self.machine.sql(self.name, query, check)

    def as_owner(self, query: str) -> str:
        return self.sql(f"set role {self.owner}; {query}")

    def rows(self, *tables: str) -> None:
        self.sql(_ROW.format(tables=", ".join(f"'{table}'" for table in tables)))

    def run(self, text: str = "", role: str = "") -> dict[str, Any]:
        """What ``neutralize`` says."""
        self.machine.sh("cat > /var/tmp/neutral.json", data=json.dumps([self.name, role or self.role, text]))
        return dict(json.loads(self.machine.python(_RUN)))

    def cut_off(self) -> int:
        return int(self.run(role="cut_off")["done"])
