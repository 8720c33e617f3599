# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A world in memory: front, places, roles and databases, on which the real operation, steps, journal, lock and SQL of a release work. It can be
killed, or fail, at its n-th effect, and after each effect it looks at what must hold.

Its places are either the real ``DockerRuntime`` on a daemon that is in memory, with the real ``MachineFront``, or in memory altogether (``memory``).
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance import given
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.database import Database, DatabaseState, Origins
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.daemon import (
    Container,
    ContainerSpec,
    Daemon,
    NotFound,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.docker import DockerRuntime
from psycopg2 import errors, sql

NAME = "acme_production"
INSTANCE = "acme-production"
COLOURS = {"172.28.1.11": "blue", "172.28.1.21": "green"}
SETTINGS = {"version": 170000, "max_connections": 300, "reserved": 3}


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


class Broken(BaseException):
    """Something that must always hold did not. No step's error, so that nothing handles it."""


@dataclass
class Box:
    """A process.

    :param image: reference of its image. :param database: what its odoo.conf names.
    """

    name: str
    labels: Mapping[str, str]
    image: str
    command: Sequence[str]
    address: str
    database: str
    files: str = ""
    state: str = "created"
    ending: bool = False
    restart: bool = True
    by_hand: bool = False
    waits: bool = False
    work: int = 0

    def label(self, name: str) -> str:
        return self.labels.get("org.sysgenpro." + name, "")

    @property
    def running(self) -> bool:
        return self.state == "running"


@dataclass
class Data:
    """A database: which release's schema it has, and how many orders customers placed in it."""

    schema: str = ""
    half: bool = False
    orders: int = 0
    open: bool = True
    connect: set[str] = field(default_factory=lambda: {NAME + "_owner"})
    identity: dict[str, str] | None = None
    applied: list[dict[str, Any]] = field(default_factory=list)
    modules: dict[str, tuple[str, str]] = field(default_factory=dict)
    restored: str = ""
    comment: str = ""
    why: str = ""
    keep_until: str = ""
    extensions: dict[str, Any] = field(default_factory=dict)


class World:
    """:param schemas: the schema each release brings, by its image reference."""

    def __init__(self, root: Path, releases: Mapping[str, Any], schemas: Mapping[str, str]) -> None:
        self.root, self.releases, self.schemas = root, releases, schemas
        self.map: dict[tuple[str, int], str] = {}
        self.boxes: dict[str, Box] = {}
        self.roles = {f"{NAME}_{c}_{k}": True for c in ("blue", "green") for k in ("web", "cron")}
        self.roles[NAME + "_update"] = False
        self.databases: dict[str, Data] = {}
        self.leading: set[str] = set()
        self.proven: set[str] = set()
        self.networks: set[str] = set()
        self.accepted = 0
        self.clock = 0.0
        self.kept: dict[str, Data] | None = None
        self.effects: list[str] = []
        self.fault: tuple[int, str] | None = None
        self.update_ends = "well"
        self.exit_code = 1
        self.not_ready: set[str] = set()
        # Images that were proven once, and are not ready any more since somebody spoilt what lies in the database.
        self.spoilt: set[str] = set()
        self.busy_cron: list[str] = []
        # Whether queue_job is among what updates install, and the jobs that do not end.
        self.jobs = False
        self.busy_jobs: list[str] = []
        self.open_requests = 0
        # Whether the disk that the journal lies on is full, and after which work it gets so.
        self.journal_full = False
        self.fills_journal = False
        self.purging = False
        self.first_password = ""
        self.called: list[str] = []
        # What a place wrote, where a test says so.
        self.logs: dict[str, str] = {}
        # What the cluster's packages offer.
        self.offered = ["pg_trgm", "unaccent"]
        self.points: dict[str, Data] = {}

    def with_jobs(self) -> None:
        """As the role ``postgresql`` makes the cluster, and an image that brings jobs."""
        self.jobs = True
        self.roles.update({f"{NAME}_{colour}_queue": False for colour in ("blue", "green")})

    # -- faults and what must hold -----------------------------------------------------------

    @contextmanager
    def effect(self, what: str) -> Any:
        """One change of the world: it may be killed before, or fail before or after."""
        self.effects.append(what)
        number, how = self.fault or (0, "")
        now = number == len(self.effects)
        if now and how == "kill":
            raise Killed(what)
        if now and how == "error":
            raise OSError(f"no {what}")
        if now and how == "domain":
            raise DomainError("test_fault", f"no {what}")
        yield
        if self.kept is None:
            self.look()
        if now and how == "late":
            raise OSError(f"{what}: the answer was lost")

    def look(self) -> None:
        """What must hold at every moment."""
        for kind in ("cron", "queue"):
            twice = [name for name, box in self.boxes.items() if box.label("kind") == kind and box.running]
            if len(twice) > 1:
                raise Broken(f"two {kind} processes: {twice}")
            if kind == "queue" and any(self.front_colour() not in (None, self.boxes[name].label("colour")) for name in twice):
                raise Broken(f"jobs run in {twice}, the front leads to {self.front_colour()}")
        data = self.databases.get(NAME)
        for name, box in self.boxes.items():
            if box.label("kind") in ("web", "cron", "queue") and box.running and not box.ending and not box.waits and data and self.may_connect(box):
                if data.half:
                    raise Broken(f"{name} is in a database that is half-updated")
                if data.schema != self.schemas[box.image]:
                    raise Broken(f"{name} works on the schema {data.schema}")
        self._serve(data)
        if self.purging:
            return
        whole = [d for d in self.databases.values() if not d.half and d.orders == self.accepted and d.schema]
        if self.accepted and not whole:
            raise Broken("what customers did is lost")

    def _serve(self, data: Data | None) -> None:
        colour = self.front_colour()
        if colour is None:
            return
        box = self.boxes.get(f"{INSTANCE}-{colour}-web")
        if not box or not box.running or box.ending:
            raise Broken(f"the front leads to {colour}, which does not run")
        if box.name not in self.proven and box.image not in self.spoilt:
            raise Broken(f"the front leads to {colour}, which was not proven")
        if data is None or not self.may_connect(box):
            raise Broken(f"{colour} serves and cannot reach the database")
        if data.restored:
            # What was lost was confirmed; from here on nothing may be.
            self.accepted, data.restored = data.orders, ""
        if data.orders != self.accepted:
            raise Broken("what customers did is lost")
        data.orders += 1
        self.accepted += 1

    def front_colour(self) -> str | None:
        found = {COLOURS.get(target.split(":")[0]) for target in self.map.values()}
        return next(iter(found)) if len(found) == 1 else None

    def may_connect(self, box: Box, database: str = NAME) -> bool:
        role = "{}_{}_{}".format(NAME, box.label("colour"), box.label("kind"))
        data = self.databases[database]
        return self.roles.get(role, False) and data.open and bool(data.connect & {"", role, NAME + "_owner"})

    def snapshot(self) -> dict[str, Any]:
        """What an operation that was undone must leave as it was."""
        data = self.databases.get(NAME)
        return {
            "front": dict(self.map), "leading": set(self.leading),
            "running": {name: box.label("release") for name, box in self.boxes.items() if box.running},
            "restart": {name: box.restart for name, box in self.boxes.items() if box.running},
            "logins": {role for role, may in self.roles.items() if may},
            "data": data and (data.schema, data.half, data.open, frozenset(data.connect), len(data.applied), data.modules),
            "front_file": self.front_file(),
        }

    def front_file(self) -> str:
        path = self.root / (INSTANCE + ".nft")
        return path.read_text() if path.exists() else ""

    # -- time, and what happens by itself ------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        self.clock += max(seconds, 0.001)
        for box in self.boxes.values():
            busy = {"cron": self.busy_cron, "queue": self.busy_jobs}.get(box.label("kind"))
            if box.ending and box.running and not busy:
                box.state, box.ending = "exited", False
            elif box.running and box.label("kind") == "update" and box.work:
                self._work(box)

    def monotonic(self) -> float:
        return self.clock

    def _target(self, box: Box) -> str:
        return box.database

    def begin_work(self, box: Box) -> None:
        data = self.databases[self._target(box)]
        if not self.roles[NAME + "_update"] or not data.connect & {"", NAME + "_owner", NAME + "_update"}:
            box.state = "exited"
            box.work = -1
            return
        data.half, box.work = True, 3
        self.journal_full = self.fills_journal
        data.modules = {**data.modules, "stock": ("to upgrade", data.modules.get("stock", ("", "19.0.1.1"))[1])}

    def _work(self, box: Box) -> None:
        if self.update_ends == "never":
            return
        box.work -= 1
        if box.work > 0:
            return
        box.state, box.work = "exited", -1 if self.update_ends == "badly" else 0
        if self.update_ends == "well":
            data = self.databases[self._target(box)]
            (self.root / "instances" / INSTANCE / "data" / "filestore" / self._target(box)).mkdir(parents=True, exist_ok=True)
            data.half, data.schema = False, self.schemas[box.image]
            data.modules = {"base": ("installed", "19.0.1.3"), "stock": ("installed", "19.0.1.1"),
                            **({"queue_job": ("installed", "19.0.1.0")} if self.jobs else {})}

    def pass_time(self) -> None:
        """The process is dead and a while goes by: what it started goes on."""
        for _ in range(10):
            self.sleep(1)

    def reboot(self) -> None:
        """Containers come back by their restart policy, the front by its file."""
        for box in self.boxes.values():
            if box.running and not box.restart:
                box.state = "exited"
            box.ending = False
        self.map = {}
        for line in self.front_file().splitlines():
            self.nft_line(line)

    # -- processes -----------------------------------------------------------------------------

    def start(self, name: str) -> None:
        box = self.boxes.get(name)
        if box is None:
            raise DomainError("place_missing", f"there is no container {name}")
        with self.effect("start " + name):
            if not box.running or box.waits:
                box.state, box.ending, box.by_hand, box.waits = "running", False, False, False
                self.proven.discard(name)
                if "update" in name or ("rehearsal" in name and "sh" in box.command):
                    self.begin_work(box)

    def warm(self, name: str) -> None:
        with self.effect("warm " + name):
            box = self.boxes[name]
            box.state, box.ending, box.waits = "running", False, True

    def ask_to_end(self, name: str) -> None:
        box = self.boxes.get(name)
        if box is None:
            return
        with self.effect("terminate " + name):
            box.restart = False
            box.ending = box.running

    def stop(self, name: str) -> None:
        box = self.boxes.get(name)
        if box:
            with self.effect("stop " + name):
                box.state, box.ending, box.by_hand = ("exited" if box.running else box.state), False, True

    def remove(self, name: str) -> None:
        if name in self.boxes:
            with self.effect("remove " + name):
                del self.boxes[name]
                self.proven.discard(name)

    def tell(self, colour: str, leads: bool) -> None:
        with self.effect("tell"):
            (self.leading.add if leads else self.leading.discard)(colour)

    # -- nftables --------------------------------------------------------------------------------

    def nft(self, arguments: list[str], script: str | None = None) -> str:
        if arguments[0] == "-j":
            elements = [[{"concat": list(key)}, {"concat": [target.split(":")[0], int(target.split(":")[1])]}]
                        for key, target in self.map.items()]
            return json.dumps({"nftables": [{"metainfo": {}}, {"map": {"name": "fronts", "elem": elements}}]})
        with self.effect("nft"):
            for line in (script or "").splitlines():
                self.nft_line(line)
        return ""

    def nft_line(self, line: str) -> None:
        found = re.fullmatch(r"(add|delete) element ip sysgenpro fronts \{ (\S+) \. (\d+) : (\S+) \. (\d+) \}", line)
        assert found, line
        key = (found[2], int(found[3]))
        if found[1] == "delete":
            assert self.map.pop(key) == f"{found[4]}:{found[5]}"
        else:
            assert key not in self.map
            self.map[key] = f"{found[4]}:{found[5]}"


class FakeDaemon(Daemon):
    """Docker; what is above its calls is the real thing."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._client = self
        self.api = self

    def update_container(self, name: str, restart_policy: Mapping[str, str]) -> None:
        if name not in self.world.boxes:
            raise NotFound("no such container")
        with self.world.effect("restart policy"):
            self.world.boxes[name].restart = restart_policy["Name"] != "no"

    def inspect_container(self, name: str) -> dict[str, Any]:
        box = self.world.boxes.get(name)
        if box is None:
            raise NotFound("no such container")
        return {"State": {"Running": box.running}, "HostConfig": {"RestartPolicy": {"Name": "unless-stopped" if box.restart else "no"}}}

    def observe(self, instance: str) -> list[Container]:
        return [Container(name, box.state, box.labels) for name, box in self.world.boxes.items()]

    def pull(self, *_arguments: Any) -> None:
        with self.world.effect("pull"):
            pass

    def create(self, spec: ContainerSpec) -> None:
        self.remove(spec.name)
        files = spec.mounts["/etc/odoo"][0]
        config = (Path(files) / "odoo.conf").read_text()
        with self.world.effect("create " + spec.name):
            self.world.boxes[spec.name] = Box(spec.name, spec.labels, spec.image, spec.command, spec.address or "", named_in(config), files=files, restart=spec.restart)

    def start(self, name: str) -> None:
        box = self.world.boxes.get(name)
        if box and os.path.exists(os.path.join(box.files, "wait")):
            self.world.warm(name)
        else:
            self.world.start(name)

    def terminate(self, name: str) -> None:
        self.world.ask_to_end(name)

    def stop(self, name: str, seconds: float) -> None:
        self.world.stop(name)

    def state(self, name: str) -> dict[str, Any]:
        box = self.world.boxes.get(name)
        if box is None:
            return {}
        return {"Running": box.running, "Status": box.state, "ExitCode": self.world.exit_code if box.work < 0 else 0, "Pid": 1}

    def remove(self, name: str) -> None:
        self.world.remove(name)

    def logs(self, name: str, tail: int = 0, seconds: int = 0) -> str:
        return "ValueError: it cannot be"

    def connections(self, name: str, port: int) -> int:
        return self.world.open_requests

    def ensure_network(self, name: str, subnet: str, internal: bool) -> None:
        with self.world.effect("network"):
            self.world.networks.add(name)

    def remove_network(self, name: str) -> None:
        self.world.networks.discard(name)


class WorldDocker(DockerRuntime):
    """Docker's places, on that daemon. Which colour leads is told to the world, and memory is as it says."""

    def __init__(self, world: World, instance: str, directory: str, subnet: str, uid: int) -> None:
        super().__init__(FakeDaemon(world), instance, directory, subnet, uid, {}, str(world.root / "run"))
        self.daemon.logs_to = ""
        self.world = world

    def room(self) -> int:
        return 8 * 1024 ** 3

    def share(self) -> list[dict[str, Any]]:
        return []

    def mark_leading(self, colour: str, leads: bool) -> None:
        self.world.tell(colour, leads)


def named_in(config: str) -> str:
    """The database that an odoo.conf names."""
    return next(line.split(" = ")[1] for line in config.splitlines() if line.startswith("db_name = "))


class FakeDatabase(Database):
    """PostgreSQL; fence, undo copy, swap and grants are the real SQL, read by ``Cursor``."""

    world: World

    @contextmanager
    def session(self, database: str | None = None, patience: float = 0) -> Any:
        cursor = Cursor(self.world)
        try:
            yield cursor
        finally:
            cursor.close()

    def observe(self) -> DatabaseState:
        data = self.world.databases.get(self.name)
        there = sorted(self.world.databases)
        if data is None:
            return DatabaseState(False, settings=SETTINGS, roles=dict(self.world.roles), databases=there)
        return DatabaseState(
            True, bool(data.schema), SETTINGS, dict(self.world.roles), there, self.owner, (), dict(data.modules), None, (),
            data.identity, data.applied[-1] if data.applied else None, extensions=data.extensions)

    def offered_extensions(self) -> list[str]:
        return self.world.offered

    def give_extensions(self, unaccent: bool, name: str | None = None) -> list[str]:
        with self.world.effect("extensions"):
            data = self.world.databases[name or self.name]
            lacks = given.lacking(data.extensions, unaccent)
            data.extensions = {"there": {"pg_trgm": "public", **({"unaccent": "public"} if unaccent else {})}, "unaccent": "i" if unaccent else None}
            return lacks

    def applied_record(self) -> dict[str, Any]:
        found: dict[str, Any] = self.world.databases[self.name].applied[-1]["record"]
        return found

    def since_another(self) -> list[dict[str, Any]]:
        rows = self.world.databases[self.name].applied[::-1]
        end = next((number for number, row in enumerate(rows) if row["image"] != rows[0]["image"]), 0)
        return rows[: end + 1]

    def comment(self) -> str:
        return self.world.databases[self.name].comment

    def module_states(self) -> tuple[dict[str, str], str | None]:
        data = self.world.databases[self.name]
        return {name: state for name, (state, _) in data.modules.items() if state != "uninstalled"}, None

    def with_origins(self, state: DatabaseState) -> DatabaseState:
        return replace(state, origins=Origins(languages=("en_US", "fr_FR")))

    def mark_installed(self, names: Sequence[str]) -> None:
        with self.world.effect("mark"):
            self._settle("to upgrade", "installed", names)

    def mark_uninstalled(self, names: Sequence[str]) -> None:
        with self.world.effect("mark"):
            self._settle("to install", "uninstalled", names)

    def _settle(self, before: str, after: str, names: Sequence[str]) -> None:
        modules = self.world.databases[self.name].modules
        modules.update({name: (after, modules[name][1]) for name in names if modules.get(name, ("", ""))[0] == before})

    def running_cron(self) -> list[str]:
        return self.world.busy_cron

    def running_jobs(self) -> list[str]:
        return self.world.busy_jobs

    def blockers(self, role: str) -> list[str]:
        return []

    def set_password(self, role: str, password: str) -> None:
        with self.world.effect("password"):
            pass

    def record_applied(self, identity: Mapping[str, str], row: Mapping[str, Any]) -> None:
        with self.world.effect("record"):
            data = self.world.databases[self.name]
            data.identity = data.identity or dict(identity)
            if row["operation"] not in [r["operation"] for r in data.applied]:
                data.applied.append({**row, "id": len(data.applied) + 1, "at": "2026-11-21"})

    def forget_applied(self, operation: str) -> None:
        with self.world.effect("forget"):
            data = self.world.databases[self.name]
            data.applied = [row for row in data.applied if row["operation"] != operation]


def text_of(query: Any) -> str:
    """The text of a query without a connection to quote for."""
    if isinstance(query, sql.Composed):
        return "".join(text_of(part) for part in query.seq)
    if isinstance(query, sql.SQL):
        return query.string
    if isinstance(query, sql.Identifier):
        return ".".join(query.strings)
    return str(query)


class Cursor:
    """Understands the statements of ``Database`` that change what a release depends on."""

    connection = type("Connection", (), {"server_version": 170000})()

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows: list[tuple[Any, ...]] = []
        self.began = False

    def close(self) -> None:
        """A transaction that was not committed never was."""
        if self.began and self.world.kept is not None:
            self.world.databases, self.world.kept = self.world.kept, None

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.rows

    def fetchone(self) -> tuple[Any, ...] | None:
        return self.rows[0] if self.rows else None

    def execute(self, query: Any, values: Any = ()) -> None:
        text = " ".join(text_of(query).split())
        self.began = self.began or text == "begin"
        for pattern, handler in _STATEMENTS:
            found = re.match(pattern, text, re.IGNORECASE)
            if found:
                self.rows = handler(self.world, found, values) or []
                return
        raise AssertionError(f"the world does not know this statement: {text}")


def _changes(what: str, change: Callable[[World, Any], None]) -> Callable[[World, Any, Any], None]:
    def handler(world: World, found: Any, values: Any) -> None:
        with world.effect(what):
            change(world, found)

    return handler


def _create(world: World, found: Any) -> None:
    world.databases[found[1]] = Data(connect={"", NAME + "_owner"})


def _copy(world: World, found: Any) -> None:
    if found[1] in world.databases:
        raise errors.DuplicateDatabase(found[1])
    made = copy.deepcopy(world.databases[found[2]])
    made.connect, made.open = {"", NAME + "_owner"}, "allow_connections false" not in found[0]
    world.databases[found[1]] = made


def _rename(world: World, found: Any) -> None:
    if found[2] in world.databases:
        raise errors.DuplicateDatabase(found[2])
    world.databases[found[2]] = world.databases.pop(found[1])


def _grants(world: World, found: Any, values: Any) -> list[tuple[Any, ...]]:
    return [(who, "CONNECT", False) for who in sorted(world.databases[values[0]].connect)]


def _connect(allowed: bool) -> Callable[[World, Any], None]:
    def change(world: World, found: Any) -> None:
        if found[1].lower() in ("connect", "all"):
            who = "" if found[3] == "public" else found[3].split(" ")[0]
            data = world.databases[found[2]]
            data.connect = data.connect | {who} if allowed else data.connect - {who}

    return change


_STATEMENTS: list[tuple[str, Callable[[World, Any, Any], Any]]] = [
    (r"alter role (\S+) (login|nologin)", _changes("login", lambda w, f: w.roles.__setitem__(f[1], f[2] == "login"))),
    (r"drop database if exists (\S+) with", _changes("drop", lambda w, f: w.databases.pop(f[1], None))),
    (r"select rolname from pg_roles", lambda w, f, v: [(name,) for name in v[0] if name in w.roles]),
    (r"select 1 from pg_database", lambda w, f, v: [(1,)] if v[0] in w.databases else []),
    (r"create database (\S+) template (\S+) .*", _changes("copy", _copy)),
    (r"create database (\S+) owner", _changes("create database", _create)),
    (r"(revoke) connect, temporary on database (\S+) from (public)",
     _changes("close", lambda w, f: w.databases[f[2]].connect.discard(""))),
    (r"revoke (\S+) on database (\S+) from (.+)", _changes("revoke", _connect(False))),
    (r"grant (\S+) on database (\S+) to (.+)", _changes("grant", _connect(True))),
    (r"select coalesce\(r.rolname, ''\), x.privilege_type", _grants),
    (r"select coalesce\(r.rolname, ''\), split_part", lambda w, f, v: []),
    (r"select pid, usename, pg_terminate_backend", lambda w, f, v: []),
    (r"select pg_terminate_backend", lambda w, f, v: []),
    (r"select pg_database_size", lambda w, f, v: [(1,)]),
    (r"select datname from pg_database where starts_with", lambda w, f, v: [(n,) for n in sorted(w.databases) if n.startswith(v[0])]),
    (r"select shobj_description", lambda w, f, v: [("",)]),
    (r"alter database (\S+) allow_connections (true|false)",
     _changes("connections", lambda w, f: setattr(w.databases[f[1]], "open", f[2] == "true"))),
    (r"alter database (\S+) rename to (\S+)", _changes("rename", _rename)),
    (r"create schema sysgenpro_rehearsal|drop event trigger|select c.relname", lambda w, f, v: []),
    (r"select tag, object, command", lambda w, f, v: [("CREATE TABLE", "public.x", "create table x ()")]),
    (r"begin", lambda w, f, v: setattr(w, "kept", copy.deepcopy(w.databases))),
    (r"commit", lambda w, f, v: setattr(w, "kept", None)),
]
