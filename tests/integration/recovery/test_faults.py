# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong on purpose. After each: earlier points are as they were, no point is called verified that cannot be restored,
and the same command goes on."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator

import pytest
from rig.instance import Instance, filled, sound
from rig.machine import PASSWORD, PLACE, Machine

CAPTURE = ("prepare", "pin", "freeze", "dump", "store", "record")
RESTORE = ("claim", "load", "compare", "mark")
VERIFY = ("read", "read_dump", "note")
EXPIRE = ("remove", "forget", "prune")


@pytest.mark.parametrize("step", CAPTURE)
def test_capture_killed_at_a_step_goes_on(bodega: Instance, step: str) -> None:
    first = filled(bodega)
    bodega.attach("new", b"new")
    killed = bodega.run("captured", at=[{"event": "begin", "step": step, "do": "kill"}])
    assert killed.code == -9
    assert [point["id"] for point in bodega.info()["points"]] == [first]
    again = bodega.run("captured").ok()
    assert again.point["files"] == 4
    assert not bodega.machine.sh(f"ls {bodega.directory}/recovery/tree/database 2>/dev/null; ls {bodega.directory}/recovery/incoming", check=False).strip()
    assert bodega.machine.sql("postgres", "select count(*) from pg_stat_activity where application_name in ('sysgenpro', 'pg_dump')") == "0"
    if step == CAPTURE[-1]:
        bodega.run("verified").ok()
        sound(bodega, again.point["id"])


def test_capture_killed_at_any_moment_goes_on(bodega: Instance, chance: random.Random) -> None:
    first = filled(bodega)
    for _try in range(4):
        bodega.attach(f"new {_try}", f"new {_try}".encode())
        bodega.run("captured", kill_after=chance.uniform(0.2, 3.0))
        assert all(point["state"] != "untrusted" for point in bodega.info()["points"])
    done = bodega.run("captured").ok()
    bodega.run("verified").ok()
    before = bodega.contents()
    target = bodega.target()
    bodega.run("restored", target=target, point=done.point["id"]).ok()
    assert bodega.contents(target["database"], target["filestore"]) == before
    assert first in {point["id"] for point in bodega.info()["points"]}


@pytest.mark.parametrize("step", RESTORE)
def test_restore_killed_at_a_step_goes_on(bodega: Instance, step: str) -> None:
    point, target = filled(bodega), bodega.target()
    killed = bodega.run("restored", point=point, target=target, at=[{"event": "begin", "step": step, "do": "kill"}])
    assert killed.code == -9
    bodega.run("restored", point=point, target=target).ok()
    assert bodega.contents(target["database"], target["filestore"]) == bodega.contents()


@pytest.mark.parametrize("step", VERIFY)
def test_verification_killed_at_a_step_goes_on(bodega: Instance, step: str) -> None:
    filled(bodega)
    point = bodega.run("captured").ok().point["id"]
    killed = bodega.run("verified", point=point, at=[{"event": "begin", "step": step, "do": "kill"}])
    assert killed.code == -9 and bodega.info()["points"][0]["state"] == "captured"
    assert bodega.run("verified", point=point).ok().point["state"] == "verified"
    assert not bodega.machine.sh(f"ls {bodega.directory}/recovery/verify 2>/dev/null", check=False)
    sound(bodega, point)


@pytest.mark.parametrize("step", EXPIRE)
def test_expiry_killed_at_a_step_goes_on(bodega: Instance, step: str) -> None:
    filled(bodega)
    bodega.attach("new", b"new")
    kept = bodega.run("captured").ok().point["id"]
    bodega.run("verified").ok()
    killed = bodega.run("absent", retention={"last": 1}, at=[{"event": "begin", "step": step, "do": "kill"}])
    assert killed.code == -9
    again = bodega.run("absent", retention={"last": 1}).ok()
    assert [point["id"] for point in again.result["points"]] == [kept]
    bodega.run("verified", point=kept, max_age=1).ok()
    sound(bodega, kept)


def test_restore_that_fails_removes_what_it_made(bodega: Instance) -> None:
    point, target = filled(bodega), bodega.target()
    bodega.run("restored", point=point, target=target,
               at=[{"event": "begin", "step": "compare", "do": f"find {target['filestore']} -type f | head -1 | xargs rm"}]).fails("files_differ")
    assert bodega.machine.sql("postgres", f"select count(*) from pg_database where datname = '{target['database']}'") == "0"
    assert "gone" in bodega.machine.sh(f"test -e {target['filestore']} || test -e {target['filestore']}.restoring || echo gone")
    bodega.run("restored", point=point, target=target).ok()


def test_wrong_key(bodega: Instance) -> None:
    point = filled(bodega)
    wrong = {**bodega.repository, "password": "another"}
    bodega.run("captured", repository=wrong).fails("wrong_key")
    bodega.run("verified", point=point, repository=wrong, max_age=1).fails("wrong_key")
    bodega.run("restored", point=point, repository=wrong, target=bodega.target()).fails("wrong_key")
    sound(bodega, point)


def exclusive_lock(instance: Instance, signal: str) -> str:
    """Stop a prune that has the repository's exclusive lock: ``KILL`` leaves a stale lock, ``STOP`` a living one. Returns its pid."""
    place = f"{instance.repository['location']}/restic"
    return instance.machine.sh(
        f"RESTIC_PASSWORD='{PASSWORD}' setsid restic -q --no-cache -r {place} prune >/dev/null 2>&1 & p=$!;"
        f" for i in $(seq 1000); do ls {place}/locks | grep -q . && break; sleep 0.01; done; kill -{signal} $p; echo $p; ls {place}/locks | grep -q .").strip()


def test_stale_lock(bodega: Instance) -> None:
    filled(bodega)
    exclusive_lock(bodega, "KILL")
    bodega.run("captured").ok()
    bodega.run("verified").ok()


@pytest.mark.slow
def test_living_lock(bodega: Instance) -> None:
    point = filled(bodega)
    holder = exclusive_lock(bodega, "STOP")
    bodega.run("captured").fails("repository_locked")
    bodega.machine.sh(f"kill -KILL {holder}")
    bodega.run("captured").ok()
    sound(bodega, point)


def test_expired_and_held(bodega: Instance) -> None:
    held = filled(bodega)
    bodega.run("held", point=held, keep_until="2099-01-01T00:00:00+00:00").ok()
    assert not bodega.run("held", point=held, keep_until="2099-01-01T00:00:00+00:00").ok().result["changed"]
    second, third = (bodega.run("captured").ok().point["id"] for _number in range(2))
    bodega.run("verified", point=third).ok()
    # What a crash left long ago, and the snapshot of somebody else.
    bodega.restic(f"backup --time '2026-01-01 00:00:00' --host {bodega.name} --tag sysgenpro --tag point=20260101T000000-00000000 /etc/hostname")
    bodega.restic("backup --host elsewhere --tag sysgenpro --tag point=20260101T000000-00000001 --time '2026-01-01 00:00:00' /etc/hostname")
    said = bodega.run("absent", retention={"last": 1}, check=True).ok()
    assert said.result["plan"]["remove"] == {second: "outside the policy"} and len(said.result["plan"]["abandoned"]) == 1
    assert "held until 2099" in said.result["plan"]["keep"][held][0]
    assert len(bodega.info()["points"]) == 3, "check mode removes nothing"
    bodega.run("absent", retention={"last": 1}, at=[{"event": "begin", "step": "forget", "do": "kill"}])
    assert len(bodega.info()["points"]) == 2
    done = bodega.run("absent", retention={"last": 1})
    assert {point["id"] for point in done.ok().result["points"]} == {held, third}
    assert len(json.loads(bodega.restic("snapshots --json"))) in (3, 4), "a snapshot younger than a day may be a capture under way"
    bodega.run("verified", point=held, max_age=1).ok()
    bodega.run("verified", point=third, max_age=1).ok()


def test_documents_gone_is_no_reason_to_remove_everything(bodega: Instance) -> None:
    point, place = filled(bodega), bodega.repository["location"]
    bodega.restic(f"backup --time '2026-01-01 00:00:00' --host {bodega.name} --tag sysgenpro --tag point=20260101T000000-00000000 /etc/hostname")
    bodega.machine.sh(f"mv {place}/points {place}/points.away")
    bodega.run("absent", retention={"last": 1}).fails("removes_everything", bodega.name)
    bodega.machine.sh(f"mv {place}/points.away {place}/points")
    bodega.run("absent", points=[point]).fails("point_protected")
    bodega.run("absent", retention={"last": 1}).ok()
    sound(bodega, point)


def test_looking_at_an_expiry_writes_nothing(bodega: Instance) -> None:
    filled(bodega)
    bodega.machine.sh(f"rm -rf {bodega.directory}/recovery/cache")
    bodega.run("absent", retention={"last": 1}, check=True).ok()
    assert bodega.machine.sh(f"test -e {bodega.directory}/recovery/cache || echo none").strip() == "none"


def test_repository_gone_is_not_made_anew(bodega: Instance) -> None:
    point = filled(bodega)
    place = bodega.repository["location"]
    bodega.machine.sh(f"mv {place} {place}.away")
    bodega.run("captured").fails("repository_gone", place)
    assert "none" in bodega.machine.sh(f"test -e {place} || echo none")
    bodega.machine.sh(f"mv {place}.away {place}")
    sound(bodega, point)


def test_attachments_elsewhere(bodega: Instance) -> None:
    filled(bodega)
    bodega.machine.sql(bodega.database, "insert into ir_attachment (name, store_fname) values ('x', '../../../../etc/passwd')")
    bodega.run("captured").fails("attachment_elsewhere", "etc/passwd")


def test_manifest_tampered(bodega: Instance) -> None:
    point = filled(bodega)
    path = f"{bodega.repository['location']}/points/{bodega.name}/{point}/manifest.json"
    bodega.machine.sh(f"chmod u+w {path}; sed -i 's/trial/truth/' {path}")
    found = bodega.info()
    assert found["points"][0]["state"] == "untrusted" and "signature" in found["points"][0]["problem"]
    for state in ("verified", "restored"):
        bodega.run(state, point=point, target=bodega.target()).fails("untrusted_point", "manifest.json")
    bodega.run("verified").fails("unknown_point")
    bodega.machine.sh(f"sed -i 's/truth/trial/' {path}")
    sound(bodega, point)


def test_point_of_another_key(bodega: Instance) -> None:
    """Another machine believes this one's points only where it was told its key."""
    point = filled(bodega)
    signer = bodega.info()["signer"]
    other = {"instance": "elsewhere", "source": bodega.name}
    bodega.run("verified", point=point, **other).fails("untrusted_point", "trusted_signers")
    assert not bodega.run("verified", point=point, trusted_signers=[signer], **other).ok().result["changed"]
    time.sleep(1.1)
    assert bodega.run("verified", point=point, trusted_signers=[signer], max_age=1, **other).ok().result["changed"]
    found = bodega.info()
    assert found["latest_verified"]["id"] == point and len(found["points"][0]["ignored"]) == 1, "what the other one says is not believed, and harms nothing"
    bodega.machine.sh("rm -rf /var/lib/sysgenpro/instances/elsewhere")


def test_bad_input(bodega: Instance) -> None:
    point = filled(bodega)
    bodega.run("verified", point="20200101T000000-00000000").fails("unknown_point", "20200101T000000-00000000")
    bodega.run("verified", point="../x").fails("bad_input", "point")
    bodega.run("restored", point=point).fails("bad_input", "target")
    bodega.run("restored", target={**bodega.target(), "database": bodega.database}).fails("target_exists", bodega.database)
    bodega.run("restored", target={**bodega.target(), "filestore": bodega.filestore}).fails("target_exists", "filestore")
    bodega.run("restored", target=bodega.target(owner="nobody_here")).fails("no_owner", "nobody_here")
    bodega.run("absent", retention={"last": 0}).fails("keeps_nothing")
    bodega.run("absent", points=[point]).fails("point_protected", "newest verified")
    bodega.run("captured", tenant="other").fails("foreign_data", "bodega")
    bodega.run("captured", expected_plan_digest="sha256:0").fails("plan_changed")
    assert [p["id"] for p in bodega.info()["points"]] == [point]


def test_two_captures_at_once_and_a_release(bodega: Instance) -> None:
    filled(bodega)
    second = json.dumps({"module": "pg_recovery_point", "parameters": bodega.parameters(state="captured")})
    bodega.machine.sh("umask 077; cat > /root/second.json", data=second)
    bodega.run("captured", at=[{"event": "begin", "step": "dump", "do": f"python3 {PLACE}/runner.py < /root/second.json > /root/second.out"}]).ok()
    assert '"code": "locked"' in bodega.machine.sh("cat /root/second.out").replace('\\"', '"')
    bodega.machine.sh(f"echo '{{\"event\": \"open\"}}' > {bodega.directory}/state/journal.jsonl")
    bodega.run("captured").fails("release_interrupted")
    bodega.machine.sh(f"rm {bodega.directory}/state/journal.jsonl")
    bodega.run("captured").ok()


_PSQL = "psql -XAtq -h /var/run/postgresql -p 5501 -U postgres"


def held_up(instance: Instance, seconds: int) -> str:
    """A command from which on pg_dump waits so long for a table; /root/held is there when that went well."""
    instance.machine.sh("rm -f /root/held; cat > /root/hold.sh", data=f"""
        export PGOPTIONS='-c transaction_timeout=0 -c idle_in_transaction_session_timeout=0'
        {_PSQL} -d {instance.database} -c 'begin; lock table work in access exclusive mode; select pg_sleep({seconds})' && touch /root/held""")
    return "setsid sh /root/hold.sh & sleep 1"


def test_postgresql_restarted_while_dumping(bodega: Instance) -> None:
    point = filled(bodega)
    seen = f"{_PSQL} -d postgres -c \"select count(*) from pg_locks join pg_stat_activity using (pid) where application_name = 'pg_dump' and not granted\""
    bodega.machine.sh("cat > /root/restart.sh; rm -f /root/hit", data=f"""
        for i in $(seq 600); do {seen} | grep -q '[1-9]' && touch /root/hit && break; sleep 0.05; done
        pg_ctlcluster 17 rp restart -m immediate""")
    bodega.run("captured", at=[{"event": "begin", "step": "dump", "do": held_up(bodega, 60) + "; setsid sh /root/restart.sh &"}]).fails("dump_failed")
    bodega.machine.sh(f"test -e /root/hit && for i in $(seq 100); do {_PSQL} -d postgres -c 'select 1' && exit; sleep 0.2; done; exit 1")
    bodega.run("captured").ok()
    bodega.run("verified", point=point, max_age=1).ok()


def test_timeouts_of_the_database_do_not_end_the_snapshot(bodega: Instance) -> None:
    filled(bodega)
    for setting in ("transaction_timeout", "idle_in_transaction_session_timeout"):
        bodega.machine.sql("postgres", f"alter database {bodega.database} set {setting} = '3s'")
    bodega.run("captured", at=[{"event": "begin", "step": "dump", "do": held_up(bodega, 6)}]).ok()
    bodega.machine.sh("test -e /root/held")
    bodega.run("verified").ok()


@pytest.fixture
def cluster_clock(machine: Machine) -> Iterator[Callable[[int], None]]:
    yield machine.cluster_clock
    machine.cluster_clock(0)


@pytest.mark.parametrize("ahead", [3600, -3600])
def test_clock_an_hour_off(bodega: Instance, cluster_clock: Callable[[int], None], ahead: int) -> None:
    """A point that such a clock dated is neither young for ever nor the newest for ever, and it can be restored."""
    first = bodega.run("captured").ok().point["id"]
    bodega.run("verified").ok()
    cluster_clock(ahead)
    bodega.attach("by the wrong clock", b"wrong")
    wrong = bodega.run("captured", clock=ahead).ok().point["id"]
    assert bodega.run("verified", point=wrong, clock=ahead).ok().point["state"] == "verified"
    before = bodega.contents()
    cluster_clock(0)
    bodega.attach("by the right clock", b"right")
    again = bodega.run("captured", max_age=1800 if ahead > 0 else 0).ok()
    assert again.result["changed"], "a point of an hour to come counts as young"
    bodega.run("verified", point=again.point["id"]).ok()
    assert [point["id"] for point in bodega.info()["points"]] == [again.point["id"], wrong, first]
    assert bodega.info()["latest_verified"]["id"] == again.point["id"]
    target = bodega.target()
    bodega.run("restored", point=wrong, target=target).ok()
    assert bodega.contents(target["database"], target["filestore"]) == before
    gone = bodega.run("absent", retention={"last": 1}).ok()
    assert [point["id"] for point in gone.result["points"]] == [again.point["id"]]


@pytest.mark.parametrize("where", ["work", "repository", "target"])
def test_disk_full(bodega: Instance, where: str) -> None:
    point = filled(bodega)
    bodega.machine.sql(bodega.database, "insert into work (what, amount) select md5(g::text) || md5((g * 7)::text), g from generate_series(1, 60000) g")
    tree, restic, target = f"{bodega.directory}/recovery/tree/database", bodega.repository["location"], bodega.target()
    if where == "work":
        # The dump's own directory cannot be a mount, since pg_dump makes it: its parent is one while it runs.
        bodega.run("captured", at=[{"event": "begin", "step": "dump", "do": f"mkdir {tree} && mount -t tmpfs -o size=256k none {tree}"}]).fails("dump_failed")
        bodega.machine.sh(f"umount {tree}; rmdir {tree} 2>/dev/null; true")
    elif where == "repository":
        bodega.machine.sh(f"cp -a {restic} {restic}.kept && mount -t tmpfs -o size=$(( $(du -sk {restic} | cut -f1) + 400 ))k none {restic} && cp -a {restic}.kept/. {restic}/")
        assert bodega.run("captured", bounds={"call": 60, "transfer": 20}).error in ("repository_failed", "repository_slow", "store_failed")
        found = bodega.info()
        assert [p["id"] for p in found["points"]] == [point], "a capture into a full repository made no point"
        bodega.machine.sh(f"umount {restic} && rm -rf {restic}.kept")
    else:
        done = bodega.run("captured").ok()
        place = f"{bodega.directory}/data/small"
        bodega.machine.sh(f"mkdir -p {place} && mount -t tmpfs -o size=1m none {place}")
        full = {**target, "filestore": f"{place}/{target['database']}"}
        bodega.run("restored", point=done.point["id"], target=full).fails("no_space", place)
        bodega.machine.sh(f"umount {place}; rmdir {place}")
    bodega.run("captured").ok()
    sound(bodega, point)
