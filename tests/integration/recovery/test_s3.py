# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository in S3 with Object Lock: the line, least privilege, and S3 gone at each step."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from rig.instance import Instance
from rig.machine import PASSWORD, PLACE, Machine
from rig.s3 import DATA, KEYS, ObjectStore

PRUNING = {"access_key": KEYS["pruner"][0], "secret_key": KEYS["pruner"][1]}
STOP = "systemctl stop object-store"


@pytest.fixture
def store(machine: Machine) -> Iterator[ObjectStore]:
    made = ObjectStore(machine)
    yield made
    made.stop()


@pytest.fixture
def bodega(machine: Machine, store: ObjectStore) -> Iterator[Instance]:
    made = Instance(machine, "bodega", store.start("recovery-bodega"))
    made.drop_target()
    made.small()
    made.attach("invoice", b"content" * 1000)
    made.machine.sql(made.database, "insert into work (what, amount) select 'order', g from generate_series(1, 2000) g")
    yield made
    made.drop_target()
    made.drop()


def test_line_with_least_privilege(bodega: Instance, store: ObjectStore) -> None:
    first = bodega.run("captured").ok().point["id"]
    bodega.run("verified").ok()
    before = bodega.contents()
    bodega.attach("later", b"later")
    second = bodega.run("captured").ok().point["id"]
    target = bodega.target()
    bodega.run("restored", point=first, target=target).ok()
    assert bodega.contents(target["database"], target["filestore"]) == before
    manifest = f"points/{bodega.name}/{first}/manifest.json"
    said = store.boto("writer", f's3.delete_object(Bucket="recovery-bodega", Key="{manifest}")')
    assert said == "AccessDenied", "the writer deletes nothing but restic's locks"
    said = store.boto("writer", 'key = s3.list_objects_v2(Bucket="recovery-bodega", Prefix="restic/data/")["Contents"][0]["Key"]\n'
                                's3.delete_object(Bucket="recovery-bodega", Key=key)')
    assert said == "AccessDenied"
    version = (f's3.delete_object(Bucket="recovery-bodega", Key="{manifest}", VersionId=s3.list_object_versions(Bucket="recovery-bodega",'
               f' Prefix="{manifest}")["Versions"][0]["VersionId"])')
    assert store.boto("root", version) in ("AccessDenied", "InvalidRequest"), "Object Lock holds even the owner back"
    # What is locked stays, by policy and by name.
    kept = bodega.run("absent", retention={"last": 1}, pruning=PRUNING).ok()
    assert not kept.result["changed"] and "locked" in str(kept.result["plan"]["keep"][first])
    bodega.run("absent", points=[second], pruning=PRUNING).fails("point_protected", "locked until")


def test_expired_with_the_pruning_key_only(bodega: Instance, store: ObjectStore) -> None:
    bodega.repository.pop("lock_mode")
    first = bodega.run("captured").ok().point["id"]
    second = bodega.run("captured").ok().point["id"]
    denied = bodega.run("absent", retention={"last": 1})
    assert (denied.failed and "AccessDenied" in denied.message) or "denied" in denied.message.lower()
    assert {p["id"] for p in bodega.info()["points"]} == {first, second}
    done = bodega.run("absent", retention={"last": 1}, pruning=PRUNING).ok()
    assert done.result["plan"]["remove"] == {first: "outside the policy"}
    assert [p["id"] for p in done.result["points"]] == [second]
    assert not bodega.run("absent", retention={"last": 1}, pruning=PRUNING).ok().result["changed"]
    bodega.run("verified").ok()


_SIGN_ANEW = """
import json, sys
sys.path.insert(0, {place!r})
from ansible_collections.sysgenpro.odoo.plugins.module_utils._documents.signing import Signer
signer = Signer({key!r})
manifest = signer.open(sys.argv[1].encode())
manifest["locked_until"] = "2026-01-01T00:00:00+00:00"
print(signer.seal(manifest).decode())
"""


def expired_lock(bodega: Instance, store: ObjectStore, point: str) -> None:
    """As if the point had been captured long ago: its lock is over."""
    name = f"points/{bodega.name}/{point}/manifest.json"
    read = store.boto("writer", f's3.get_object(Bucket="recovery-bodega", Key="{name}")["Body"].read().decode()', show=True)
    sealed = bodega.machine.python(_SIGN_ANEW.format(place=PLACE, key=f"{bodega.directory}/state/recovery_key"), read)
    store.boto("root", f's3.put_object(Bucket="recovery-bodega", Key="{name}", Body={sealed.encode()!r})')
    assert bodega.info(manifests=True)["manifests"][point]["locked_until"].startswith("2026-01-01")


@pytest.mark.parametrize("harm", ["flipped", "truncated", "deleted"])
def test_harmed_after_its_lock_was_over(bodega: Instance, store: ObjectStore, harm: str) -> None:
    """S3 refuses to lock until a moment that is past: that it went bad is written down all the same, and so is a hold."""
    point = bodega.run("captured").ok().point["id"]
    expired_lock(bodega, store, point)
    bodega.run("verified").ok()
    bodega.run("held", keep_until="2099-01-01T00:00:00+00:00").ok()
    index = f"{DATA}/recovery-bodega/restic/index"
    bodega.machine.harm(f"{index}/" + bodega.machine.sh(f"ls {index}").split()[0], harm)
    time.sleep(1.1)
    bodega.run("verified", point=point, max_age=1).fails("not_verified", point)
    assert "written down" not in bodega.info()["points"][0]["verification"]["reason"]
    assert bodega.info()["points"][0]["state"] == "failed" and bodega.info()["points"][0]["hold"].startswith("2099")


def test_repository_that_could_not_be_made_whole(bodega: Instance, store: ObjectStore) -> None:
    """The writer may not delete: what it began it goes on with, and what restic itself left is named."""
    with store.denied("s3:PutObject", "restic/config"):
        bodega.run("captured").fails("store_failed", "AccessDenied")
    (key,) = store.keys()
    with bodega.machine.instead_of_restic('/usr/bin/restic "$@"; kill -9 $PPID'):
        assert bodega.run("captured").code == -9, "restic is asked for the first time where the repository is there"
    assert store.keys() == [key]
    bodega.run("captured").ok()
    bodega.run("verified").ok()


def test_what_restic_left_half_made(bodega: Instance, store: ObjectStore) -> None:
    with store.denied("s3:PutObject", "restic/config"):
        bodega.machine.sh("AWS_ACCESS_KEY_ID='{}' AWS_SECRET_ACCESS_KEY='{}' RESTIC_PASSWORD='{}' timeout 20 restic -r {}/restic init".format(
            *KEYS["writer"], PASSWORD, bodega.repository["location"]), check=False)
    (key,) = store.keys()
    bodega.run("captured").fails("repository_half_made", key)
    store.boto("pruner", f's3.delete_object(Bucket="recovery-bodega", Key="{key}")')
    bodega.run("captured").ok()
    bodega.run("verified").ok()


def test_wrong_key(bodega: Instance) -> None:
    point = bodega.run("captured").ok().point["id"]
    for wrong in ({"secret_key": "another for this test"}, {"access_key": "nobody"}):
        repository = {**bodega.repository, **wrong}
        for state in ("captured", "verified", "restored"):
            bodega.run(state, repository=repository, target=bodega.target()).fails("store_failed")
    bodega.run("verified", repository={**bodega.repository, "password": "another"}).fails("wrong_key")
    assert [(p["id"], p["state"]) for p in bodega.info()["points"]] == [(point, "captured")]
    bodega.run("verified").ok()


def test_reading_denied_proves_nothing(bodega: Instance, store: ObjectStore) -> None:
    point = bodega.run("captured").ok().point["id"]
    with store.denied("s3:GetObject", "restic/data/*"):
        failed = bodega.run("verified", bounds={"call": 30, "transfer": 30})
        assert failed.error in ("repository_failed", "repository_slow"), failed.message
    assert bodega.info()["points"][0]["state"] == "captured"
    bodega.run("verified", point=point).ok()


def test_s3_away_for_a_moment_while_reading(bodega: Instance, store: ObjectStore) -> None:
    bodega.run("captured").ok()
    away = STOP + "; setsid sh -c 'sleep 6; systemctl start object-store' &"
    bodega.run("verified", at=[{"event": "begin", "step": "read", "do": away}])
    store.go_on()
    assert bodega.info()["points"][0]["state"] != "failed"
    bodega.run("verified").ok()


@pytest.mark.parametrize("step", ["prepare", "dump", "store", "record"])
def test_s3_gone_while_capturing(bodega: Instance, store: ObjectStore, step: str) -> None:
    first = bodega.run("captured").ok().point["id"]
    bounds = {"call": 15, "transfer": 15}
    failed = bodega.run("captured", bounds=bounds, at=[{"event": "begin", "step": step, "do": STOP}])
    assert failed.error in ("store_failed", "repository_slow", "repository_failed"), failed.message
    failed = bodega.run("captured", bounds=bounds).fails("store_failed")
    store.go_on()
    assert [p["id"] for p in bodega.info()["points"]] == [first]
    second = bodega.run("captured").ok().point["id"]
    assert bodega.run("verified", point=second).ok().point["state"] == "verified"


@pytest.mark.parametrize("state", ["verified", "restored"])
def test_s3_gone_while_reading(bodega: Instance, store: ObjectStore, state: str) -> None:
    first = bodega.run("captured").ok().point["id"]
    step = {"verified": "read", "restored": "load"}[state]
    bodega.machine.sh(f"rm -rf {bodega.directory}/recovery/cache")
    failed = bodega.run(state, target=bodega.target(), bounds={"call": 15, "transfer": 15}, at=[{"event": "begin", "step": step, "do": STOP}])
    assert failed.failed and failed.error != "not_verified", "a repository out of reach proves nothing about the point"
    store.go_on()
    assert bodega.info()["points"][0]["state"] == "captured"
    bodega.run(state, point=first, target=bodega.target()).ok()


def test_s3_slow(bodega: Instance, store: ObjectStore) -> None:
    """It answers in one tenth of the time only. What is patient gets through, what is not says so; neither harms what there is."""
    first = bodega.run("captured").ok().point["id"]
    with store.slow():
        impatient = bodega.run("captured", bounds={"call": 1, "transfer": 1})
        assert impatient.error == "repository_slow", impatient.message
        second = bodega.run("captured").ok().point["id"]
        bodega.run("verified", point=second).ok()
    assert [p["id"] for p in bodega.info()["points"]] == [second, first]
    bodega.run("verified", point=first).ok()
    bodega.run("restored", point=second, target=bodega.target()).ok()


def test_clock_too_far_from_the_stores(bodega: Instance) -> None:
    """S3 refuses what is signed by a clock that is a quarter of an hour off."""
    first = bodega.run("captured").ok().point["id"]
    bodega.machine.cluster_clock(0)
    bodega.run("captured", clock=3600).fails("store_failed", "clock")
    assert [p["id"] for p in bodega.info()["points"]] == [first]
    bodega.run("captured").ok()
