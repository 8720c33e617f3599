# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are lost: told until somebody accepts it, remembered from then on, and never a reason to have no recovery point."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from rig.backup import Backups, Bodega
from rig.instance import Instance, filled, sound, stored_name
from rig.machine import PORT, SOCKET, UID

ROW = "insert into ir_attachment (name, store_fname, file_size) values ('{}', '{}', 13);"
# Ways in which a stored file is not there as its name says. ``{}`` is its path.
WAYS = {
    "torn.pdf": "truncate -s 3 {}", "wrong.pdf": "echo other > {}", "link.pdf": "ln -sf /etc/hostname {}", "gone.pdf": "rm {}",
    "directory.pdf": "rm {0} && mkdir {0}", "dangling.pdf": "ln -sf /nowhere {}", "pipe.pdf": "rm {0} && mkfifo {0}", "empty.pdf": "truncate -s 0 {}",
}


def losses(bodega: Instance) -> dict[str, dict[str, str]]:
    return dict(json.loads(bodega.machine.sh(f"cat {bodega.directory}/state/recovery-losses.json 2>/dev/null || echo '{{}}'")))


def test_each_way_to_lose_a_file(bodega: Instance) -> None:
    """A point of everything else, marked; accepted once, remembered, inherited; and told anew where a file came back and is lost again."""
    before = filled(bodega)
    lost = {}
    for name, way in WAYS.items():
        content = name.encode() * 9
        lost[name] = bodega.attach(name, content)
        bodega.machine.sh(way.format(f"{bodega.filestore}/{lost[name]}"))
    done = bodega.run("captured").ok()
    assert all(name in done.warnings for name in WAYS), done.warnings
    assert sorted([*done.result["losses"]["torn"], *done.result["losses"]["missing"]]) == sorted(lost.values())
    assert done.result["losses"]["missing"] == [lost["gone.pdf"]]
    assert done.point["losses"] == {"accepted": 0, "new": len(WAYS)}
    assert bodega.run("verified").ok().point["state"] == "verified"
    restored = bodega.run("restored", point=done.point["id"], target=bodega.target()).ok()
    assert f"{len(WAYS)} files" in restored.warnings and losses(bodega) == {}
    bodega.drop_target()
    kept = bodega.run("absent", retention={"last": 1}, check=True).ok().result["plan"]["keep"]
    assert any("without losses" in why for why in kept[before]), kept

    named = bodega.run("captured", accepted_losses=[lost["gone.pdf"]], requested_by="jana").ok()
    assert named.point["losses"] == {"accepted": 1, "new": len(WAYS) - 1}
    accepted = bodega.run("captured", accept_losses=True, requested_by="piet").ok()
    assert not accepted.warnings and accepted.point["losses"] == {"accepted": len(WAYS), "new": 0}
    remembered = losses(bodega)
    assert set(remembered) == set(lost.values()) and remembered[lost["gone.pdf"]]["who"] == "jana" and remembered[lost["torn.pdf"]]["who"] == "piet"
    assert all(entry["at"] for entry in remembered.values())
    again = bodega.run("captured").ok()
    assert not again.warnings and again.result["losses"]["accepted"] == remembered, "a timer knows it"

    later = stored_name(b"another")
    bodega.machine.sql(bodega.database, ROW.format("later.pdf", later))
    told = bodega.run("captured").ok()
    assert "later.pdf" in told.warnings and "gone.pdf" not in told.warnings and told.point["losses"] == {"accepted": len(WAYS), "new": 1}
    bodega.machine.sql(bodega.database, "delete from ir_attachment where name = 'later.pdf'")

    path = f"{bodega.filestore}/{lost['torn.pdf']}"
    bodega.machine.sh(f"printf '%s' '{'torn.pdf' * 9}' > {path}")
    healed = bodega.run("captured").ok()
    assert healed.point["losses"] == {"accepted": len(WAYS) - 1, "new": 0} and lost["torn.pdf"] not in losses(bodega)
    bodega.machine.sh(f"truncate -s 2 {path}")
    assert "torn.pdf" in bodega.run("captured").ok().warnings, "what came back and is lost again is a new loss"
    bodega.run("restored", point=before, target=bodega.target()).ok()


def test_a_filestore_that_is_not_there_is_no_loss(bodega: Instance) -> None:
    """Nor does accepting make it one."""
    bodega.attach("invoice", b"content")
    bodega.machine.sh(f"mv {bodega.filestore} {bodega.filestore}.away")
    bodega.run("captured", accept_losses=True).fails("filestore_missing", bodega.filestore)
    bodega.machine.sh(f"mv {bodega.filestore}.away {bodega.filestore}")
    assert bodega.run("captured").ok().point["losses"] == {"accepted": 0, "new": 0} and losses(bodega) == {}


def test_file_torn_in_place_after_it_was_captured(bodega: Instance) -> None:
    """The pin is the same file: what was proven once is read again when its time says that somebody wrote to it."""
    point = filled(bodega)
    stored = stored_name(b"content of 1" * 1000)
    bodega.machine.sh(f"truncate -s 100 {bodega.filestore}/{stored}")
    done = bodega.run("captured").ok()
    assert "invoice 1" in done.warnings and done.result["losses"]["torn"] == [stored]
    sound(bodega, point)


def test_what_the_shop_lost_and_its_points_have(bodega: Instance) -> None:
    """The pin is a file of its own name: the point is whole, and the shop is told what it cannot serve."""
    filled(bodega)
    stored = stored_name(b"content of 1" * 1000)
    bodega.machine.sh(f"rm {bodega.filestore}/{stored}")
    done = bodega.run("captured").ok()
    assert "the filestore lacks" in done.warnings and "invoice 1" in done.warnings and done.point["losses"] == {"accepted": 0, "new": 0}
    bodega.machine.sql(bodega.database, "delete from ir_attachment where name = 'invoice 1'")
    assert not bodega.run("captured").ok().warnings, "what no row names is nobody's loss"


def test_what_was_accepted_cannot_be_read(bodega: Instance) -> None:
    bodega.machine.sql(bodega.database, ROW.format("gone.pdf", stored_name(b"never")))
    bodega.run("captured", accept_losses=True).ok()
    bodega.machine.sh(f"echo '{{\"x' > {bodega.directory}/state/recovery-losses.json")
    bodega.run("captured").fails("losses_unreadable", "recovery-losses.json")


def test_an_old_point_names_what_it_lacks(bodega: Instance) -> None:
    """Its manifest says the names alone; what is restored of it knows them as accepted."""
    gone = stored_name(b"never written")
    bodega.machine.sql(bodega.database, ROW.format("gone.pdf", gone))
    code = "/opt/recovery-test/ansible_collections/sysgenpro/odoo/plugins/module_utils/_recovery/capture.py"
    bodega.machine.sh(f"cp {code} /root/capture.py; sed -i 's/, \"losses\": self.accepted}}/}}/' {code}; ! cmp -s {code} /root/capture.py")
    try:
        point = bodega.run("captured", accept_losses=True, requested_by="jana").ok().point
    finally:
        bodega.machine.sh(f"mv /root/capture.py {code}")
    assert point["losses"] == {"accepted": 1, "new": 0}
    bodega.machine.sh(f"rm {bodega.directory}/state/recovery-losses.json")
    bodega.run("restored", point=point["id"], target=bodega.target()).ok()
    assert losses(bodega)[gone]["who"] == "jana"


@pytest.fixture
def imported(bodega: Instance) -> Iterator[tuple[Instance, Bodega, Backups]]:
    machine = bodega.machine
    machine.sh("grep -q _import /etc/postgresql/17/rp/pg_hba.conf || sed -i '1i local all /_import$ scram-sha-256' /etc/postgresql/17/rp/pg_hba.conf;"
               " pg_ctlcluster 17 rp reload")
    made = Bodega(machine)
    yield bodega, made, Backups(machine)
    made.clear()


def test_what_an_import_accepted_every_later_capture_knows(imported: tuple[Instance, Bodega, Backups]) -> None:
    """150 of them, as in the case; also the timer's program, which nobody asks."""
    instance, made, backups = imported
    rows = "".join("insert into public.ir_attachment values ({}, '{}');\n".format(1000 + n, stored_name(b"old %d" % n)) for n in range(150))
    archive = backups.make("lost", {"dump.sql": backups.small("lost", rows)}, tear=backups.named[:1])
    refused = made.run(archive, neutralize=False)
    assert refused.error == "files_lost" and len(refused.result["details"]["losses"]["missing_names"]) == 150, "all names at once"
    made.run(archive, accept_losses=True, neutralize=False, requested_by="jana").ok()
    instance.machine.sh(f"chown -R {UID}:{UID} {instance.directory}/data")
    done = instance.run("captured", requested_by="timer").ok()
    assert not done.warnings and done.point["losses"] == {"accepted": 151, "new": 0}
    assert {entry["who"] for entry in done.result["losses"]["accepted"].values()} == {"jana"}
    assert instance.run("verified").ok().point["state"] == "verified"
    instance.machine.sql(instance.database, ROW.format("new.pdf", stored_name(b"newly lost")).replace("(name, store_fname, file_size)", "(id, store_fname)")
                         .replace("'new.pdf'", "7").replace(", 13)", ")"))
    told = instance.run("captured").ok()
    assert told.point["losses"] == {"accepted": 151, "new": 1}


def test_the_timers_say_it_and_go_on(bodega: Instance) -> None:
    """Capture and verify end well; the check fails until somebody accepts."""
    gone = stored_name(b"never written")
    bodega.machine.sql(bodega.database, ROW.format("gone.pdf", gone))
    settings = {"params": {"instance": bodega.name, "database": {"name": bodega.database, "port": PORT, "socket": SOCKET}, "repository": bodega.repository},
                "oldest": 0, "reread": 0, "schedule": {}, "retention": {"last": 1}, "pruning": None, "metrics": "/root/metrics"}
    run = ("import json, sys; sys.path.insert(0, '/opt/recovery-test'); from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery import unattended as u;"
           " u.SETTINGS = '/root/settings'; u.read_settings.__defaults__ = ('/root/settings',); sys.exit(u.main(sys.argv[1:]))")
    bodega.machine.sh("mkdir -p /root/settings /root/metrics; cat > /root/settings/bodega-production.json", data=json.dumps(settings))

    def verb(name: str) -> str:
        return bodega.machine.sh(f"python3 -c \"{run}\" {name} {bodega.name} 2>&1; echo ended with $?")

    said = verb("capture")
    assert "gone.pdf" in said and "ended with 0" in said
    assert "ended with 0" in verb("verify")
    said = verb("check")
    assert "attachments_lost" in said and gone in said and "ended with 1" in said
    metrics = "cat /root/metrics/sysgenpro-recovery-bodega-production-check.prom"
    assert 'sysgenpro_recovery_losses{instance_name="bodega-production",kind="new"} 1' in bodega.machine.sh(metrics)
    bodega.run("captured", accept_losses=True).ok()
    assert "warning" not in verb("capture") and "ended with 0" in verb("verify") and "ended with 0" in verb("check")
    assert 'kind="accepted"} 1' in bodega.machine.sh(metrics)
