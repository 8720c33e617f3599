# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release whose gates ask how its image came to be: let pass as it was signed, refused where a document beside the image was changed, and never in the way of a way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.attached import Attached
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.record import Record, Reference, Release
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.model import Desired
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.parts import Parts
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.governance.house import House, key_of
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.image.documents import IMAGE, SOURCE, described
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.rig import R1, R2, released
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.test_governed import (
    GovernedRig,
    house_of,
    kinds,
    planned,
    refused,
)

GATES = [{"gate": "provenance"}, {"gate": "sbom"}, {"gate": "image_signature"}, {"gate": "commit_signatures"}]
BY = "build@example.com"
BUILT = Release(R2.image_digest, R2.reference, Record.parse({**R2.record.raw, "source": SOURCE}))


class BuiltRig(GovernedRig):
    """:ivar beside: what the registry has beside each image."""

    beside: Callable[[Reference], Attached]

    def parts(self, wanted: Desired) -> Parts:
        return replace(super().parts(wanted), attached=lambda reference: self.beside(reference))


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuiltRig:
    rig = BuiltRig(tmp_path / "rig", monkeypatch)
    rig.world.releases = {**rig.world.releases, R2.reference: BUILT}
    rig.run(rig.params(R1))
    rig.house = House(tmp_path, None)
    rig.house.policy["classes"]["production"]["gates"] = GATES
    house_of(rig).write()
    image = replace(IMAGE, digest=R2.image_digest)
    documents = described(key_of(tmp_path, BY), BY, image=image, record={**BUILT.record.raw, "source": SOURCE})
    rig.beside = lambda reference: Attached(documents, BY) if reference.digest == R2.image_digest else Attached()
    return rig


def closed(rig: BuiltRig) -> list[str]:
    return [gate["gate"] for gate in planned(rig, R2).facts["gates"]["gates"] if not gate["passed"]]


def change(rig: BuiltRig, harm: Callable[[dict[str, bytes]], dict[str, bytes]]) -> None:
    before = rig.beside

    def beside(reference: Reference) -> Attached:
        found = before(reference)
        return Attached(harm(dict(found.documents)), found.by)

    rig.beside = beside


def test_released_as_it_was_signed(rig: BuiltRig) -> None:
    assert closed(rig) == []
    rig.run(rig.params(R2))
    assert released(rig.world, BUILT) == [] and kinds(rig) == [("gate", "passed"), ("release", "done")]
    entry = next(entry for entry in house_of(rig).ledger().newest_first() if entry.kind == "gate")
    facts = entry.body["facts"]
    assert facts["provenance"]["by"] == BY and facts["sbom"]["by"] == BY and [one["signed_by"] for one in facts["sources"]] == ["", "vera@example.com"]


@pytest.mark.parametrize(("name", "shut"), [
    ("provenance.dsse.json", ["provenance", "sbom", "commit_signatures"]), ("sbom.dsse.json", ["sbom"]), ("image.sig", ["image_signature"])])
def test_refused_where_one_was_changed(rig: BuiltRig, name: str, shut: list[str]) -> None:
    change(rig, lambda found: {**found, name: found[name].replace(b"e", b"f", 9)})
    assert closed(rig) == shut
    assert "there" in refused(rig, "gates_closed", rig.params(R2)).message or shut == ["image_signature"]


def test_refused_where_the_image_is_another(rig: BuiltRig) -> None:
    """A registry whose owner puts the documents of one image beside another."""
    before = rig.beside
    rig.beside = lambda _reference: before(replace(IMAGE, digest=R2.image_digest))
    rig.run(rig.params(R2))
    gates = planned(rig, R1).facts["gates"]["gates"]
    assert [gate["gate"] for gate in gates if not gate["passed"]] == ["provenance", "sbom", "image_signature", "commit_signatures"]
    assert "it is about another image" in gates[0]["reason"]


def test_refused_where_the_record_says_another_source(rig: BuiltRig) -> None:
    rig.world.releases[R2.reference] = R2
    assert closed(rig) == ["provenance", "sbom", "commit_signatures"]
    assert "another source than the record" in refused(rig, "gates_closed", rig.params(R2)).message


def test_changed_between_plan_and_release(rig: BuiltRig) -> None:
    assert closed(rig) == []
    change(rig, lambda found: {name: content for name, content in found.items() if name != "sbom.dsse.json"})
    refused(rig, "gates_closed", rig.params(R2))


def test_a_registry_that_does_not_answer_closes_those_gates_and_no_others(rig: BuiltRig) -> None:
    def away(_reference: Reference) -> Attached:
        raise DomainError("registry_unreachable", "the registry cannot be reached", unchanged="Nothing was changed")

    rig.run(rig.params(R2))
    rig.beside = away
    house_of(rig).policy["classes"]["production"]["gates"] = [{"gate": "freeze", "states": ["released", "rolled_back"]}, *GATES]
    house_of(rig).write()
    assert "it cannot be read: the registry cannot be reached" in refused(rig, "gates_closed", rig.params(R1)).message
    rig.run(rig.params(state="rolled_back"))
    assert released(rig.world, R1) == []


def test_nobody_is_asked_where_no_gate_asks(rig: BuiltRig) -> None:
    def never(_reference: Reference) -> Attached:
        raise AssertionError("the registry was asked")

    rig.beside = never
    house_of(rig).policy["classes"]["production"]["gates"] = [{"gate": "freeze"}]
    house_of(rig).write()
    rig.run(rig.params(R2))
    assert released(rig.world, BUILT) == []
