# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S3 is not one protocol: what a store does otherwise works, or is refused before anything is captured, with what is needed named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rig.dialect import PORT, Dialect
from rig.instance import Instance
from rig.machine import Machine
from rig.s3 import URL, ObjectStore

# What works in spite of it; and what is refused, with what its error names.
TAKEN = ["as it is", "400 checksums", "411 trailers", "409 once", "lock without integrity"]
REFUSED = {
    "501 condition": ("store_lacks", "If-None-Match"), "ignores": ("store_lacks", "ignores the condition"), "400 lock": ("store_lacks", "Object Lock"),
    "no versions": ("store_lacks", "no versions"), "501 list": ("store_failed", "listing"), "409 always": ("store_failed", "ConditionalRequestConflict"),
}


@pytest.fixture
def store(machine: Machine) -> Iterator[ObjectStore]:
    made = ObjectStore(machine)
    yield made
    made.stop()


@pytest.fixture
def dialect(machine: Machine) -> Iterator[Dialect]:
    made = Dialect(machine)
    yield made
    made.stop()


@pytest.fixture
def bodega(machine: Machine, store: ObjectStore) -> Iterator[Instance]:
    repository = store.start("recovery-bodega")
    made = Instance(machine, "bodega", {**repository, "location": repository["location"].replace(URL, f"http://127.0.0.1:{PORT}")})
    made.drop_target()
    made.small()
    made.attach("invoice", b"content" * 1000)
    yield made
    made.drop_target()
    made.drop()


def trials(store: ObjectStore) -> str:
    return store.boto("root", 's3.list_objects_v2(Bucket="recovery-bodega", Prefix="restic/locks/").get("Contents", [])', show=True, each='each["Key"]')


def test_dialects_that_are_taken(bodega: Instance, store: ObjectStore, dialect: Dialect) -> None:
    for number, name in enumerate(TAKEN):
        dialect.speak(name)
        # As where the store was never tried.
        bodega.machine.sh(f"sed -i 's/\"tried\": \"[^\"]*\"/\"tried\": \"\"/' {bodega.directory}/state/recovery-repository.json 2>/dev/null; true")
        done = bodega.run("captured").ok()
        assert next(step["name"] for step in done.result["plan"]["steps"]) == "probe", name
        assert trials(store) == "", f"{name}: the trial is taken away"
        assert len(bodega.info()["points"]) == number + 1, name
        if name == "409 once":
            assert dialect.said().count("409") >= 2
    dialect.speak("as it is")
    planned = bodega.run("captured", check=True).ok()
    assert next(step["name"] for step in planned.result["plan"]["steps"]) == "prepare", "what was tried once is not tried again"
    assert bodega.run("verified").ok().point["state"] == "verified"
    bodega.repository.pop("lock_mode")
    assert bodega.run("captured", check=True).ok().result["plan"]["steps"][0]["name"] == "probe", "without a lock it is another trial"


def test_dialects_that_are_refused(bodega: Instance, store: ObjectStore, dialect: Dialect) -> None:
    """Before anything is captured; and nothing of the trial stays."""
    for name, (code, said) in REFUSED.items():
        dialect.speak(name)
        failed = bodega.run("captured").fails(code, said)
        assert failed.result["unchanged"], name
        assert trials(store) == "", f"{name}: the trial is taken away"
        assert store.boto("root", 's3.list_objects_v2(Bucket="recovery-bodega").get("Contents", [])', show=True, each='each["Key"]') == "", name
    dialect.speak("as it is")
    bodega.run("captured").ok()


def test_a_store_that_changed_after_it_was_tried(bodega: Instance, dialect: Dialect) -> None:
    """A document that cannot be written says what is needed, too."""
    dialect.speak("as it is")
    first = bodega.run("captured").ok().point["id"]
    for name in ("501 condition", "400 lock"):
        dialect.speak(name)
        bodega.run("captured").fails("store_lacks", "If-None-Match", "Content-MD5", "Object Lock")
    dialect.speak("as it is")
    assert [point["id"] for point in bodega.info()["points"]] == [first]
