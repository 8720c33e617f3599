# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: a stable code, a sentence that names what was found, and nothing changed on the machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from estate import Estate, Seen, registry, sound
from estate.machine import ROOT
from estate.place import HOST, INSTANCE, NEIGHBOUR_HOST

pytestmark = pytest.mark.slow

NOWHERE = "sha256:" + "0" * 64
FILESTORE = f"{ROOT}/fault-one/data/filestore"


@pytest.fixture(scope="module")
def runs(estate: Estate) -> Iterator[Estate]:
    """The estate with ``one-a`` running, and still running at the end."""
    estate.runs("one-a")
    yield estate
    sound(estate, "one-a")


def refused(estate: Estate, code: str, *words: str, release: str = "two", database: bool = True, docker: bool = True, **parameters: Any) -> None:
    """Fail unless both the plan and the release are refused in the same words, and nothing differs afterwards."""
    before = Seen.look(estate, database) if docker else None
    for state in ("planned", "released"):
        ran = estate.release(release, state=state, **parameters)
        assert ran.error == code, f"{state}: {ran.error or 'not refused'}: {ran.message}"
        missing = [word for word in words if word not in ran.message]
        assert not missing, f"{state}: the message does not say {missing}: {ran.message}"
        assert "nothing was changed" in ran.message.lower(), ran.message
        assert "Traceback" not in ran.text and "Traceback" not in ran.message
    if before:
        Seen.look(estate, database).same_as(before)


PARAMETERS: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "name of the instance": ("bad_input", ("instance", "Fault_1"), {"instance": "Fault_1"}),
    "subnet": ("bad_input", ("subnet", "172.28.1.0/33"), {"subnet": "172.28.1.0/33"}),
    "small subnet": ("bad_input", ("subnet", "64 addresses"), {"subnet": "172.28.1.0/28"}),
    "option of the platform": ("bad_input", ("config", "db_host"), {"config": {"db_host": "elsewhere"}}),
    "secret among options": ("bad_input", ("config", "admin_passwd", "config_secrets"), {"config": {"admin_passwd": "plain"}}),
    "secret in the environment": ("bad_input", ("environment_variables", "API_TOKEN"), {"environment_variables": {"API_TOKEN": "plain"}}),
    "nobody's turn": ("bad_input", ("bounds.updates_at_once", "1 or more"), {"bounds": {"updates_at_once": 0}}),
    "language": ("bad_input", ("languages", "French"), {"languages": ["French"]}),
    "module's name": ("bad_input", ("modules.install", "stock; true"), {"modules": {"install": ["stock; true"]}}),
    "installed and not": ("bad_input", ("modules", "stock"), {"modules": {"install": ["stock"], "uninstall": ["stock"]}}),
    "memory": ("bad_input", ("processes.web_memory", "much"), {"processes": {"web_memory": "much"}}),
    "purge of another": ("bad_input", ("purge", "fault-two"), {"purge": "fault-two"}),
    "tag": ("not_a_digest", ("latest",), {"release": "fault-1.lab.test:5000/odoo:latest"}),
    "short digest": ("not_a_digest", ("sha256:abc",), {"release": "fault-1.lab.test:5000/odoo@sha256:abc"}),
    "unknown module": ("module_unknown", ("no_such_module",), {"modules": {"install": ["no_such_module"]}}),
    "no room": ("no_room", ("MB", "second colour"), {"processes": {"web_memory": "4000g"}}),
    "connection limit": ("connection_limit", ("connections", "max_connections"), {"processes": {"web_workers": 400}}),
    "production data wanted": ("data_class_mismatch", ("synthetic", "production"), {"data_class": "production"}),
    "another tenant's": ("foreign_database", ("tenant", "fault-one", "bodega"), {"tenant": "bodega"}),
    "another environment's": ("foreign_database", ("environment", "production"), {"environment": "production"}),
    "another plan approved": ("plan_changed", ("expected_plan_digest", NOWHERE), {"expected_plan_digest": NOWHERE}),
    "wrong session password": ("session_denied", ("session.password", "WRONGPASS"), {"session": {"password": "Ö'wrong"}}),
    "no session store": ("session_down", ("/nowhere.sock",), {"session": {"socket": "/run/sysgenpro/fault-one/redis/nowhere.sock"}}),
    "nobody listens": ("registry_unreachable", ("127.0.0.1:9",), {"release": f"127.0.0.1:9/odoo@{NOWHERE}"}),
    "wrong password": ("registry_denied", ("fault-1.lab.test:5000", "401"), {"registry": {"password": "Ö'wrong"}}),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(runs: Estate, name: str) -> None:
    code, words, given = PARAMETERS[name]
    real = runs.machine.name
    words = tuple(word.replace("fault-1.", f"{real}.") for word in words)
    given = {**given, **({"release": given["release"].replace("fault-1.", f"{real}.")} if "release" in given else {})}
    refused(runs, code, *words, **{"release": "two", **given})


def test_not_rehearsed(runs: Estate) -> None:
    """The plan says it, the release is refused."""
    before = Seen.look(runs)
    assert runs.release("two", state="planned", rehearsal="required").ok().result["plan"]["must_be_rehearsed"]
    ran = runs.release("two", rehearsal="required")
    assert ran.error == "not_rehearsed" and "rehears" in ran.message, ran.message
    Seen.look(runs).same_as(before)


def test_what_is_to_be_installed_where_the_release_stays(runs: Estate) -> None:
    refused(runs, "module_unknown", "no_such_module", release="one-a", modules={"install": ["no_such_module"]})


def test_a_language_is_rehearsed_where_the_release_stays(runs: Estate) -> None:
    """What was rehearsed is the language and nothing else."""
    more: dict[str, Any] = {"languages": ["pt_PT"], "rehearsal": "required"}
    assert runs.release("one-a", state="rehearsed", **more).ok().result["rehearsal"]["ok"]
    planned = runs.release("one-a", state="planned", **more).ok().result["plan"]
    assert planned["class"] == "update" and planned["rehearsal"]["ok"] and "must_be_rehearsed" not in planned
    assert runs.release("one-a", state="planned", rehearsal="required", languages=["pt_PT", "nl_NL"]).ok().result["plan"]["must_be_rehearsed"]
    sound(runs, "one-a")


def test_secret_options_show_nowhere(runs: Estate) -> None:
    """What runs differs by them, so they enter the plan; they are not in it, nor in what the module says it was called with."""
    before = Seen.look(runs)
    ran = runs.release("one-a", state="planned", config_secrets={"smtp_password": "hush-hush"}).ok()
    assert ran.kind == "code" and "hush" not in json.dumps(ran.result)
    Seen.look(runs).same_as(before)


def test_digest_that_the_registry_has_not(runs: Estate) -> None:
    refused(runs, "release_not_found", NOWHERE, release=runs.releases["two"].split("@")[0] + "@" + NOWHERE)


def test_base_image_alone(runs: Estate) -> None:
    """An image, but no release."""
    base = runs.machine.sh("docker images --digests --format '{{.Repository}}@{{.Digest}}' | grep odoo-base@sha256").split()[0]
    refused(runs, "not_a_release", "odoo-base", release=base)


RECORDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "no JSON": ("malformed_record", ()), "another format": ("malformed_record", ("format",)), "no modules": ("malformed_record", ("modules",)),
    "another label": ("release_damaged", ()), "another series": ("other_series", ("18.0", "19.0")),
    "a module is missing": ("module_missing", ("sgp_fault",)), "not installable": ("module_not_installable", ("sgp_away", "manifest")),
}


@pytest.mark.parametrize("name", RECORDS)
def test_record(runs: Estate, name: str) -> None:
    """Records that no builder writes, in images that the registry really has."""
    record = registry.record_of_what_runs(runs)
    text, label = "", ""
    if name == "no JSON":
        text = '{"format": 1,'
    elif name == "another format":
        text = json.dumps({**record, "format": 99})
    elif name == "no modules":
        text = json.dumps({key: value for key, value in record.items() if key != "modules"})
    elif name == "another label":
        text, label = json.dumps(record), NOWHERE
    elif name == "not installable":
        text = json.dumps({**record, "modules": {**record["modules"], "sgp_away": {**record["modules"]["sgp_fault"], "installable": False}}})
    elif name == "another series":
        text = json.dumps({**record, "series": "18.0"})
    else:
        text = json.dumps({**record, "modules": {key: value for key, value in record["modules"].items() if key != "sgp_fault"}})
    code, words = RECORDS[name]
    given: dict[str, Any] = {"a module is missing": {"modules": {"install": []}}, "not installable": {"modules": {"install": ["sgp_away"]}}}.get(name, {})
    refused(runs, code, *words, release=registry.push(runs, text, label), **given)


STATES: dict[str, tuple[str, tuple[str, ...], str, str]] = {
    "half-updated module": (
        "half_updated", ("base_import", "to upgrade"),
        "update ir_module_module set state = 'to upgrade' where name = 'base_import' and state = 'installed'",
        "update ir_module_module set state = 'installed' where name = 'base_import' and state = 'to upgrade'"),
    "mark of a half-update": (
        "half_updated", ("base.partially_updated_database",),
        "insert into ir_config_parameter (key, value) values ('base.partially_updated_database', '[\"web\"]')",
        "delete from ir_config_parameter where key = 'base.partially_updated_database'"),
    "module missing in the image": (
        "module_missing", ("lost_module",),
        "insert into ir_module_module (name, state, latest_version) values ('lost_module', 'installed', '19.0.1.0')",
        "delete from ir_module_module where name = 'lost_module'"),
    "subscription": (
        "replication", ("fault_one", "subscription fault_headquarters"),
        "create subscription fault_headquarters connection 'host=/nowhere dbname=hq' publication prices with (connect = false)",
        "alter subscription fault_headquarters set (slot_name = none); drop subscription fault_headquarters"),
    "production data below": (
        "data_class_mismatch", ("production", "synthetic"),
        "update sysgenpro.identity set data_class = 'production'", "update sysgenpro.identity set data_class = 'synthetic'"),
    "another instance's database": (
        "foreign_database", ("acme-production", "fault-one"),
        "update sysgenpro.identity set instance = 'acme-production'", "update sysgenpro.identity set instance = 'fault-one'"),
    "never released": (
        "not_adopted", ("fault_one", "adopt"),
        "alter schema sysgenpro rename to sysgenpro_away", "alter schema sysgenpro_away rename to sysgenpro"),
}


@pytest.mark.parametrize("name", STATES)
def test_state_of_the_database(runs: Estate, name: str) -> None:
    code, words, spoil, mend = STATES[name]
    if name == "never released":
        refused_away(runs, code, words, spoil, mend)
        return
    runs.machine.sql(spoil)
    try:
        refused(runs, code, *words)
    finally:
        runs.machine.sql(mend)


def refused_away(estate: Estate, code: str, words: tuple[str, ...], spoil: str, mend: str) -> None:
    """As ``refused``, where what was applied cannot be read meanwhile."""
    before = Seen.look(estate)
    estate.machine.sql(spoil)
    try:
        ran = estate.release("two")
    finally:
        estate.machine.sql(mend)
    assert ran.error == code and all(word in ran.message for word in words), ran.message
    Seen.look(estate).same_as(before)


def test_adoption_while_another_is_connected(runs: Estate) -> None:
    """As the Odoo that ran on it so far: told beforehand, refused when it is meant."""
    machine = runs.machine
    machine.sql("create role fault_bi login password 'fault_bi'; grant connect on database fault_one to fault_bi")
    other = machine.background(
        f"PGPASSWORD=fault_bi exec psql -X -h /run/sysgenpro/{INSTANCE}/postgresql -p 5501 -U fault_bi -d fault_one -c 'select pg_sleep(600)'")
    connected = "select count(*) from pg_stat_activity where usename = 'fault_bi'"
    machine.sh(f"for n in $(seq 100); do [ \"$(psql -XAtq -h /run/sysgenpro/{INSTANCE}/postgresql -p 5501 -U postgres -c \"{connected}\")\" = 1 ]"
               " && exit; sleep 0.1; done; exit 1")
    before = Seen.look(runs)
    machine.sql("alter schema sysgenpro rename to sysgenpro_away")
    try:
        planned = runs.release("one-a", state="planned", adopt=True).ok()
        ran = runs.release("one-a", adopt=True)
    finally:
        machine.sql("alter schema sysgenpro_away rename to sysgenpro")
        machine.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'fault_bi'")
        other.wait(30)
    assert planned.kind == "adopt" and planned.result["plan"]["in_use"] == ["fault_bi"], planned.result["plan"]
    assert ran.error == "in_use" and "fault_bi" in ran.message, ran.message
    Seen.look(runs).same_as(before)
    machine.sql("revoke connect on database fault_one from fault_bi; drop role fault_bi")


def test_neighbours_database(runs: Estate) -> None:
    """The whole cluster of a neighbour: he would be released into it."""
    refused(runs, "foreign_database", "fault-one", "fault-two", instance="fault-two", tenant="fault-two")


def test_filestore_missing(runs: Estate) -> None:
    runs.machine.sh(f"mv {FILESTORE} {FILESTORE}.away")
    try:
        refused(runs, "filestore_missing", FILESTORE)
    finally:
        runs.machine.sh(f"rm -rf {FILESTORE}; mv {FILESTORE}.away {FILESTORE}")


CLOSE = "alter database {0} allow_connections false; select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{0}'"


def test_database_missing(runs: Estate) -> None:
    """Its cluster's disk was not mounted, or somebody renamed it: no new one is made in its place, and the filestore stays."""
    machine, files = runs.machine, f"find {FILESTORE} | sort | sha256sum"
    before = machine.sh(files)
    machine.sql(CLOSE.format("fault_one"), "postgres")
    machine.sql("alter database fault_one rename to fault_one_elsewhere", "postgres")
    try:
        refused(runs, "database_missing", "fault_one", FILESTORE, database=False)
        assert machine.sql("select count(*) from pg_database where datname = 'fault_one'", "postgres") == "0"
    finally:
        machine.sql("alter database fault_one_elsewhere rename to fault_one", "postgres")
        machine.sql("alter database fault_one allow_connections true", "postgres")
    assert machine.sh(files) == before


def test_database_that_cannot_be_read(runs: Estate) -> None:
    """It is there, and somebody holds its table of modules: it is not taken for one that is missing."""
    machine = runs.machine
    machine.sql("alter database fault_one set lock_timeout = '300ms'")
    holder = machine.background(
        "exec psql -qX -h /run/sysgenpro/fault-one/postgresql -p 5501 -U postgres -d fault_one"
        " -c \"begin; lock table ir_module_module in access exclusive mode; select pg_sleep(60)\"")
    try:
        deadline = time.monotonic() + 30
        while machine.sql("select count(*) from pg_locks where relation = 'ir_module_module'::regclass::oid and mode = 'AccessExclusiveLock' and granted") == "0":
            assert time.monotonic() < deadline, "the table was never locked"
            time.sleep(0.1)
        refused(runs, "database_down", "fault_one", "cannot be read", "lock timeout", database=False)
    finally:
        machine.sql("select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(60)%' and pid <> pg_backend_pid()", "postgres")
        holder.wait(30)
        machine.sql("alter database fault_one reset lock_timeout")


def test_database_of_something_else(runs: Estate) -> None:
    """A table that is not Odoo's is somebody's: nothing is installed over it, and it is not dropped."""
    machine = runs.machine
    machine.sql("create database fault_other", "postgres")
    machine.sql("create table of_value (thing text); insert into of_value values ('kept')", "fault_other")
    try:
        before = Seen.look(runs)
        for state in ("planned", "released"):
            ran = runs.release("two", state=state, database={"name": "fault_other"})
            assert ran.error == "foreign_database" and "fault_other holds 1 tables" in ran.message, ran.message
        Seen.look(runs).same_as(before)
        assert machine.sql("select thing from of_value", "fault_other") == "kept"
    finally:
        machine.sql("drop database fault_other with (force)", "postgres")


def test_registry_down(runs: Estate) -> None:
    unit = runs.machine.sh("systemctl list-units --plain --no-legend '*registry*.service' | cut -d' ' -f1").split()[0]
    runs.machine.sh(f"systemctl stop {unit}")
    try:
        refused(runs, "registry_unreachable", f"{runs.machine.name}.lab.test:5000")
    finally:
        runs.machine.sh(f"systemctl start {unit}")


def test_database_down(runs: Estate) -> None:
    unit = runs.machine.sh("systemctl list-units --plain --no-legend 'postgresql@*fault_one.service' | cut -d' ' -f1").split()[0]
    runs.machine.sh(f"systemctl stop {unit}")
    try:
        refused(runs, "database_down", "5501", database=False)
    finally:
        runs.machine.sh(f"systemctl start {unit}")


def test_docker_down(runs: Estate) -> None:
    """The containers live on, and so do the requests."""
    before = Seen.look(runs)
    runs.machine.sh("systemctl stop docker.socket docker.service")
    try:
        ran = runs.release("two")
    finally:
        runs.machine.sh("systemctl start docker.socket docker.service")
    assert ran.error == "docker_down", ran.message
    Seen.look(runs).same_as(before)


def test_lock_is_held(runs: Estate) -> None:
    """By a process that lives: who it is and since when is said. Once it is gone nobody has to clear anything."""
    path = f"{ROOT}/fault-one/state/lock"
    holder = runs.machine.background(
        f"exec python3 -c \"import fcntl, json, time; s = open('{path}', 'w'); fcntl.flock(s, fcntl.LOCK_EX);"
        " s.write(json.dumps({'who': 'jane', 'operation': 'released', 'since': '2026-01-02T03:04:05', 'pid': 1})); s.flush();"
        " print('held', flush=True); time.sleep(600)\" & echo $!; wait")
    assert holder.stdout
    said = [holder.stdout.readline().strip(), holder.stdout.readline().strip()]
    before = Seen.look(runs)
    try:
        ran = runs.release("two")
    finally:
        runs.machine.sh("kill " + next(word for word in said if word.isdigit()))
        holder.wait(30)
    assert ran.error == "locked" and "jane" in ran.message and "2026-01-02T03:04:05" in ran.message, ran.message
    Seen.look(runs).same_as(before)


def test_short_name_that_nobody_knows(runs: Estate) -> None:
    """By the playbook: short names are the controller's."""
    before = Seen.look(runs)
    outcome = runs.play("release", fails=True, instance_release="r999")
    assert "r999" in outcome.output and "one-a" in outcome.output
    Seen.look(runs).same_as(before)


def test_host_of_another_tenant(runs: Estate) -> None:
    """``traefik_route`` refuses a host name that another instance serves, and the edge goes on as before."""
    before = Seen.look(runs)
    route = {"name": "intruder", "hosts": [HOST, "intruder.example.test"], "front": "172.28.9.2", "exposure": "public",
             "tls": {"resolver": "none"}}
    command = [shutil.which("ansible", path=str(Path(sys.executable).parent)) or "ansible", runs.machine.name, "-i", str(runs.state / "inventory"),
               "-m", "sysgenpro.odoo.traefik_route", "-a", json.dumps({"routes": [route]})]
    done = subprocess.run(command, env=runs.environment(), cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    assert done.returncode, done.stdout
    assert "host_taken" in done.stdout and HOST in done.stdout and "fault-one" in done.stdout, done.stdout
    Seen.look(runs).same_as(before)
    assert NEIGHBOUR_HOST != HOST
