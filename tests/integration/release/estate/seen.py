# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on the machine, by other means than the collection's own, and what has to be so after everything."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .edge import get
from .machine import ROOT
from .place import HOST, INSTANCE, Estate
from .sources import FIELD

COLOURS = {"172.28.1.11": "blue", "172.28.1.21": "green"}
_CONTAINERS = "docker ps -aq --no-trunc --filter label=org.sysgenpro.instance | xargs -r docker inspect"
_FILES = (
    f"find {ROOT} /etc/sysgenpro /etc/tmpfiles.d /etc/traefik /var/lib/traefik -xdev -type f "
    "-not -path '*/state/lock' -not -path '*/data/*' -not -name '*.log' -printf '%p %T@ %s\\n' 2>/dev/null | sort; true"
)
_ROLES = "select rolname || ' ' || rolcanlogin from pg_roles where rolname like 'fault\\_one%' order by 1"
_GRANTS = "select coalesce(datacl::text, '') from pg_database where datname = 'fault_one'"
_DATABASES = "select datname from pg_database where datname not in ('postgres', 'template0', 'template1') order by 1"
_APPLIED = "select id, image, operation from sysgenpro.applied order by id"


@dataclass(frozen=True)
class Seen:
    """One look at the instance."""

    containers: dict[str, dict[str, Any]]
    front: dict[int, str]
    roles: dict[str, bool]
    grants: str
    databases: list[str]
    applied: list[str]
    journal: str
    files: list[str]
    other_fronts: str

    @classmethod
    def look(cls, estate: Estate, database: bool = True) -> Seen:
        """Look.

        :param database: whether PostgreSQL can be asked. Without it Docker starts Odoo's processes again and again.
        """
        machine = estate.machine
        containers = {
            item["Name"].lstrip("/"): {
                "id": item["Id"], "running": item["State"]["Running"], "started": item["State"]["StartedAt"] if database else "",
                **{key.removeprefix("org.sysgenpro."): value for key, value in item["Config"]["Labels"].items() if "org.sysgenpro." in key},
            }
            for item in json.loads(machine.sh(_CONTAINERS) or "[]")
        }
        front, others = {}, []
        for item in json.loads(machine.sh("nft -j list map ip sysgenpro fronts"))["nftables"]:
            for key, value in item.get("map", {}).get("elem", []):
                address, port = key["concat"]
                if address == "172.28.1.2":
                    front[int(port)] = "{}:{}".format(*value["concat"])
                else:
                    others.append(f"{key} {value}")
        roles = dict(line.rsplit(" ", 1) for line in machine.sql(_ROLES, "postgres").splitlines()) if database else {}
        return cls(
            containers, front, {name: value == "true" for name, value in roles.items()},
            machine.sql(_GRANTS, "postgres") if database else "", machine.sql(_DATABASES, "postgres").split() if database else [],
            machine.sql(_APPLIED).splitlines() if database else [],
            machine.sh(f"cat {ROOT}/{INSTANCE}/state/journal.jsonl 2>/dev/null || true"),
            machine.sh(_FILES).splitlines(), str(sorted(others)))

    @property
    def colour(self) -> str | None:
        """The colour that the front leads to, or None where it refuses."""
        found = {COLOURS.get(target.split(":")[0], target) for target in self.front.values()}
        assert len(found) < 2, f"the front leads to two places: {self.front}"
        return found.pop() if found else None

    def running(self, kind: str) -> list[str]:
        """Names of the running containers of a kind."""
        return sorted(name for name, found in self.containers.items() if found.get("kind") == kind and found["running"])

    def same_as(self, before: Seen) -> None:
        """Fail unless nothing differs."""
        for what in ("containers", "front", "roles", "grants", "databases", "applied", "journal", "files", "other_fronts"):
            one, other = getattr(before, what), getattr(self, what)
            if one != other:
                gone = [item for item in one if item not in other] if isinstance(one, list) else one
                new = [item for item in other if item not in one] if isinstance(one, list) else other
                raise AssertionError(f"{what} changed from\n{gone}\nto\n{new}")


def leave_mark(estate: Estate, mark: str) -> None:
    """A row that no release may lose or change."""
    estate.machine.sql(f"insert into fault_thing (name) values ('{mark}')")


def sound(estate: Estate, release: str, *marks: str) -> Seen:
    """Fail unless the instance runs ``release`` as every test must leave it: exactly one colour leads, serves, may log in and runs cron;
    nothing is left open; ``marks`` are there, once each.
    """
    seen = Seen.look(estate)
    image = estate.releases[release].split("@")[1]
    assert not seen.journal, f"an operation is open: {seen.journal}"
    colour = seen.colour
    assert colour in ("blue", "green"), f"the front leads to {seen.front}"
    assert seen.front == {port: f"172.28.1.{11 if colour == 'blue' else 21}:{port}" for port in (8069, 8072)}, seen.front
    assert seen.running("web") == [f"{INSTANCE}-{colour}-web"], seen.containers
    assert seen.running("cron") == [f"{INSTANCE}-{colour}-cron"], seen.containers
    assert seen.running("queue") == ([f"{INSTANCE}-{colour}-queue"] if estate.jobs else []), seen.containers
    assert not seen.running("update") and f"{INSTANCE}-update" not in seen.containers, seen.containers
    kinds = ("web", "cron", *(["queue"] if estate.jobs else []))
    for kind in kinds:
        assert seen.containers[f"{INSTANCE}-{colour}-{kind}"]["image"] == image, f"{kind} of {colour} runs another release than {release}"
    logins = {name.removeprefix("fault_one_") for name, allowed in seen.roles.items() if allowed}
    assert logins == {f"{colour}_{kind}" for kind in kinds}, f"{colour} leads, but these may log in: {logins}"
    assert [name for name in seen.databases if not name.startswith("fault_one_was_")] == ["fault_one"], seen.databases
    assert seen.applied[-1].split("|")[1] == image, f"the database says {seen.applied[-1]}, not {release}"
    assert not estate.machine.sql("select name from ir_module_module where state like 'to %'")
    columns = estate.machine.sql("select column_name from information_schema.columns where table_name = 'fault_thing' order by 1").split()
    assert FIELD[release] in columns, f"{release} runs on the columns {columns}"
    found = estate.machine.sql("select name from fault_thing").split("\n")
    assert all(found.count(mark) == 1 for mark in marks), f"of {marks} there is {found}"
    assert "torn" not in found, "what an update committed before it failed is still there"
    status, body = get(estate, HOST, "/fault/release")
    assert (status, body) == (200, release), f"the edge answers {status} {body[:200]}"
    status, body = get(estate, HOST, "/web/login")
    assert status == 200 and "csrf_token" in body, f"the login page answers {status}"
    return seen
