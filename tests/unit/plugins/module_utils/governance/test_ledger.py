# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forgeries of a ledger, each tried on a chain of real signatures; and that an auditor with public tools sees the same."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._documents.signing import Signer
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance import audit as audit_module
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance import signers as signers_module
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.signers import LEDGER, Signers
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.statements import opened, sealed, statement
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.governance.house import (
    INSTANCE,
    LEDGERS,
    NOW,
    PLAN,
    House,
)

HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A ledger of five entries."""
    house = House(tmp_path)
    for number in range(4):
        house.ledger().append("release", {"plan": PLAN}, {"operation": f"20261130T2{number}0000-released", "outcome": "undone", "plan": PLAN})
        house.now += HOUR
    house.decide("anna@example.com")
    return house


def write(path: Path, content: bytes) -> None:
    if path.exists():
        os.chmod(path, 0o600)
    path.write_bytes(content)


def edit(house: House) -> None:
    envelope = json.loads(house.path(3).read_text())
    text = json.dumps(opened(envelope).predicate | {"body": {"outcome": "done"}})
    envelope["payload"] = __import__("base64").b64encode(text.encode()).decode()
    write(house.path(3), json.dumps(envelope).encode())


def one_letter(house: House) -> None:
    write(house.path(3), house.path(3).read_bytes().replace(b'"payload": "e', b'"payload": "f'))


def drop(house: House) -> None:
    house.path(3).unlink()


def reorder(house: House) -> None:
    third, fourth = house.path(3).read_bytes(), house.path(4).read_bytes()
    write(house.path(3), fourth)
    write(house.path(4), third)


def cut_off(house: House) -> None:
    house.path(5).unlink()


def replay(house: House) -> None:
    """An entry of another instance in the place of one of this."""
    other = house.governance().ledger("acme-uat")
    for number in range(3):
        other.append("release", {"plan": PLAN}, {"operation": str(number), "outcome": "done"})
    write(house.path(3), house.path(3, "acme-uat").read_bytes())


def entry(house: House, sequence: int, key: str, previous: str, at: datetime.datetime, writer: str = "ledger@vm-1") -> bytes:
    value = statement("urn:sysgenpro:ledger-entry:1", {"plan": PLAN}, {
        "instance": INSTANCE, "sequence": sequence, "previous": previous, "at": at.isoformat(), "kind": "release", "writer": writer,
        "body": {"operation": "forged", "outcome": "done", "plan": PLAN}})
    return (json.dumps(sealed(value, Signer(key, namespace=LEDGER.format(INSTANCE)).sign), indent=0) + "\n").encode()


def other_key(house: House) -> None:
    key = Signer(str(house.directory / "stranger"))
    key.make_key()
    write(house.path(5), entry(house, 5, key.key, house.ledger().entry(4).digest, house.now))


def persons_key(house: House) -> None:
    """Somebody who may approve writes entries: the namespace is not theirs."""
    write(house.path(5), entry(house, 5, str(house.directory / "keys" / "anna@example.com"), house.ledger().entry(4).digest, house.now, "anna@example.com"))


def moved_time(house: House) -> None:
    """Who has the machine's key itself dates an entry back."""
    write(house.path(5), entry(house, 5, str(house.kept / "ledger_key"), house.ledger().entry(4).digest, NOW - HOUR))


def fork(house: House) -> None:
    """Who has the machine's key itself writes the last entry anew."""
    write(house.path(5), entry(house, 5, str(house.kept / "ledger_key"), house.ledger().entry(4).digest, house.now))


def written_anew(house: House) -> None:
    """Who has the machine's key itself writes an entry in the middle anew."""
    write(house.path(3), entry(house, 3, str(house.kept / "ledger_key"), house.ledger().entry(2).digest, NOW + 2 * HOUR))


def empty(house: House) -> None:
    shutil.rmtree(house.path(1).parent)


FORGERIES: list[tuple[Callable[[House], None], int, str]] = [
    (edit, 3, "no signed in-toto statement"), (one_letter, 3, ""), (drop, 3, "it is missing"), (reorder, 3, "it was written as number 4"), (cut_off, 5, "cut off at its end"),
    (replay, 3, "it is an entry of acme-uat"), (other_key, 5, "not signed by a key that ledger@vm-1 has"),
    (persons_key, 5, "no key of anna@example.com may write into the ledger of acme-production"), (moved_time, 5, "before the entry before it"),
    (fork, 5, "forked or written anew"), (written_anew, 4, "does not name the entry before it"), (empty, 5, "cut off at its end")]


@pytest.mark.parametrize(("forge", "sequence", "said"), FORGERIES, ids=[case[0].__name__ for case in FORGERIES])
def test_forged(house: House, forge: Callable[[House], None], sequence: int, said: str) -> None:
    head = house.ask("ledger")["head"]
    assert head["sequence"] == 5
    forge(house)
    found = house.ask("ledger", checkpoints=[head])["findings"]
    assert any(finding["sequence"] == sequence and said in finding["problem"] for finding in found), found
    with pytest.raises(DomainError) as error:
        list(house.ledger().newest_first())
    assert error.value.code == "ledger_broken"
    if sequence == 5:  # writing looks as far back as this machine has seen
        with pytest.raises(DomainError) as error:
            house.ledger().append("release", {"plan": PLAN}, {"operation": "x"})
        assert error.value.code == "ledger_broken"


def test_an_audit_needs_files_and_public_keys_and_nothing_else(house: House, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "store", copy)
    signers = (house.place / "allowed_signers").read_text()
    shutil.rmtree(house.place)
    found = house.ask("ledger", ledger={"location": str(copy)}, allowed_signers=signers)
    assert (found["findings"], found["head"]["sequence"], found["checkpoints"]) == ([], 5, 0)
    assert [line["kind"] for line in found["entries"]] == ["release"] * 4 + ["decision"]


def test_without_a_checkpoint_nobody_can_tell_that_the_end_is_missing(house: House, tmp_path: Path) -> None:
    head = house.ask("ledger")["head"]
    signers = (house.place / "allowed_signers").read_text()
    house.path(5).unlink()
    asked: dict[str, Any] = {"ledger": {"location": str(tmp_path / "store")}, "allowed_signers": signers}
    assert house.ask("ledger", **asked)["findings"] == []
    assert [found["sequence"] for found in house.ask("ledger", checkpoints=[head], **asked)["findings"]] == [5]


def test_what_was_released_without_a_gate_is_told(house: House) -> None:
    def append(kind: str, **body: Any) -> None:
        house.ledger().append(kind, {"plan": PLAN}, {"plan": PLAN, "state": "released", **body})

    append("gate", outcome="passed", passed=True, gates=[])
    append("release", operation="one", outcome="undone")
    append("release", operation="two", outcome="done")
    assert house.ask("ledger")["findings"] == []
    append("gate", outcome="failed", passed=False, gates=[])
    append("release", operation="three", outcome="done")
    assert house.ask("ledger")["findings"] == [{"sequence": 10, "problem": "it was released, and no gate let its plan pass"}]


def test_a_file_beside_the_entries_is_told(house: House) -> None:
    write(house.path(3).with_name("00000003b.json"), b"{}")
    assert [found["problem"] for found in house.ask("ledger")["findings"]] == [f"ledger/{INSTANCE}/00000003b.json is no entry's name"]


@pytest.mark.parametrize(("bounds", "fits"), [
    (',valid-after="20261130Z",valid-before="20261202Z"', True), (',valid-before="20261130210000Z"', False), (',valid-after="20261201Z"', False)])
def test_key_before_and_after_its_validity(house: House, bounds: str, fits: bool) -> None:
    """The entries are of 30 November, 21:00 to 1 December, 01:00."""
    house.lines[-1] = house.lines[-1].replace(f'"{LEDGERS}"', f'"{LEDGERS}"{bounds}')
    house.write()
    assert (house.ask("ledger")["findings"] == []) == fits


def test_two_writers_at_once(house: House) -> None:
    """Each gets a number of its own, and the chain holds."""
    def append(number: int) -> int:
        return house.ledger().append("release", {"plan": PLAN}, {"operation": f"writer {number}", "outcome": "undone"}).sequence

    with ThreadPoolExecutor(4) as pool:
        numbers = sorted(pool.map(append, range(8)))
    assert numbers == list(range(6, 14))
    found = house.ask("ledger")
    assert (found["findings"], found["head"]["sequence"]) == ([], 13)


def test_a_clock_that_was_set_back(house: House) -> None:
    house.now = NOW
    with pytest.raises(DomainError) as error:
        house.ledger().append("release", {"plan": PLAN}, {"operation": "x"})
    assert error.value.code == "clock_behind"
    house.now = NOW + 4 * HOUR - datetime.timedelta(seconds=30)
    assert house.ledger().append("release", {"plan": PLAN}, {"operation": "x"}).at == NOW + 4 * HOUR, "two clocks may differ by a little"


def test_a_machine_whose_key_nobody_lists(house: House) -> None:
    house.lines.pop()
    house.lines.append(house.line("ledger@vm-1", LEDGERS))
    house.write()
    (house.kept / "heads" / f"{INSTANCE}.json").unlink()
    house.directory = house.directory / "other"
    house.directory.mkdir()
    house.write()
    with pytest.raises(DomainError) as error:
        house.ledger().append("release", {"plan": PLAN}, {"operation": "x"})
    assert error.value.code == "ledger_key_unknown"
    assert not house.path(1).exists()


@pytest.mark.parametrize(("text", "said"), [
    ("jane@example.com ssh-ed25519 AAAA", "namespaces of"), ("jane ssh-ed25519 AAAA", "lines such as"), ("*@example.com namespaces=\"release-app@sysgenpro\" ssh-ed25519 AAAA", "lines such as"),
    ("jane@example.com namespaces=\"git\" ssh-ed25519 AAAA", "namespaces of"), ("jane@example.com cert-authority,namespaces=\"release-app@sysgenpro\" ssh-ed25519 AAAA", "lines such as"),
    ("jane@example.com namespaces=\"release-app@sysgenpro\",valid-before=\"20270101\" ssh-ed25519 AAAA", "a moment in UTC"),
    ("jane@example.com namespaces=\"release-app@sysgenpro\",valid-before=\"20271301Z\" ssh-ed25519 AAAA", "a moment in UTC"),
    ("jane@example.com namespaces=\"release-app@sysgenpro\",valid-after=\"20270101Z\",valid-before=\"20260101Z\" ssh-ed25519 AAAA", "later than"),
    ("jane@example.com namespaces=\"release-app@sysgenpro\" AAAA", "lines such as")])
def test_a_list_of_signers_that_is_none(text: str, said: str) -> None:
    with pytest.raises(DomainError) as error:
        Signers("# people\n" + text)
    assert error.value.code == "bad_input" and "line 2" in error.value.message and said in error.value.message


def audit_script() -> str:
    """The script of the documentation, as an auditor copies it."""
    page = Path(__file__).parents[5] / "docs" / "guides" / "audit-without-our-software.md"
    return page.read_text().split("```text\n")[1].split("```")[0]


def outside(house: House) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", audit_script(), "audit", str(house.path(1).parent), str(house.place / "allowed_signers")],
                          capture_output=True, text=True, check=False, cwd=house.directory)


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not here; the lab has it")
def test_public_tools_say_the_same(house: House) -> None:
    done = outside(house)
    assert (done.returncode, done.stdout.split()[-1:]) == (0, [house.ask("ledger")["head"]["digest"]]), done.stdout + done.stderr
    one_letter(house)
    assert outside(house).returncode != 0


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not here; the lab has it")
@pytest.mark.parametrize("forge", [edit, drop, reorder, replay, other_key, persons_key, written_anew], ids=lambda forge: str(forge.__name__))
def test_public_tools_find_forgeries(house: House, forge: Callable[[House], None]) -> None:
    forge(house)
    assert outside(house).returncode != 0


# -- whose ledger ---------------------------------------------------------------------------------

def other_machine(house: House, pattern: str) -> bytes:
    """The next entry, by the key of another machine that shares the store. Returns it."""
    key = Signer(str(house.directory / "other_machine"))
    key.make_key()
    house.lines.append(f'ledger@vm-2 namespaces="{pattern}" {key.public}')
    house.write()
    return entry(house, 6, key.key, house.ledger().entry(5).digest, house.now, "ledger@vm-2")


@pytest.mark.parametrize(("pattern", "fits"), [
    ("ledger-acme-production@sysgenpro", True), ("ledger-*-production@sysgenpro", True), ("ledger-acme-productio?@sysgenpro", True),
    ("ledger-bodega-*@sysgenpro", False), ("ledger-acme@sysgenpro", False), ("ledger-acme-uat@sysgenpro", False)])
def test_a_machines_key_writes_into_its_own_ledgers(house: House, pattern: str, fits: bool) -> None:
    write(house.path(6), other_machine(house, pattern))
    found = house.ask("ledger")["findings"]
    assert found == ([] if fits else [{"sequence": 6, "problem": f"no key of ledger@vm-2 may write into the ledger of {INSTANCE}, or not at 2026-12-01T01:00:00+00:00"}])
    if shutil.which("jq"):
        assert (outside(house).returncode == 0) == fits, "ssh-keygen matches the pattern as we do"


def test_a_machine_does_not_write_where_its_key_may_not(house: House) -> None:
    with pytest.raises(DomainError) as error:
        house.ledger("bodega-production").append("release", {"plan": PLAN}, {"operation": "x"})
    assert error.value.code == "ledger_key_unknown"


# -- what an audit costs --------------------------------------------------------------------------

@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Programs that were run to verify a signature."""
    ran: list[str] = []
    real = signers_module.ended

    def counted(arguments: Any, **more: Any) -> Any:
        ran.append(arguments[0])
        return real(arguments, **more)

    monkeypatch.setattr(signers_module, "ended", counted)
    return ran


def test_an_audit_verifies_each_signature_once(house: House, processes: list[str]) -> None:
    found = house.ask("ledger")
    assert processes == ["ssh-keygen"] * 6 and found["verified"] == 6, "five entries, and the decision in one of them"


def test_after_a_checkpoint_only_what_is_new_is_verified(house: House, processes: list[str]) -> None:
    head = house.ask("ledger")["head"]
    house.ledger().append("release", {"plan": PLAN}, {"operation": "x", "outcome": "undone", "plan": PLAN})
    processes.clear()
    found = house.ask("ledger", checkpoints=[head], since_checkpoint=True)
    assert (found["findings"], found["verified"], len(processes), len(found["entries"])) == ([], 1, 1, 6)
    assert house.ask("ledger", checkpoints=[head])["verified"] == 7, "only where it is asked for"
    house.lines.append("# another list")
    house.write()
    assert house.ask("ledger", checkpoints=[head], since_checkpoint=True)["verified"] == 7


@pytest.mark.parametrize(("forge", "sequence", "said"), FORGERIES, ids=[case[0].__name__ for case in FORGERIES])
def test_forged_before_the_checkpoint(house: House, forge: Callable[[House], None], sequence: int, said: str) -> None:
    """The chain is held against the checkpoint without a signature, and then nothing differs from an audit of all."""
    head = house.ask("ledger")["head"]
    forge(house)
    found = house.ask("ledger", checkpoints=[head], since_checkpoint=True)
    assert any(finding["sequence"] == sequence and said in finding["problem"] for finding in found["findings"])
    assert found == house.ask("ledger", checkpoints=[head])


def test_an_audit_looks_at_few_entries_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded in processes by the processors, and in entries by a constant."""
    monkeypatch.setattr(audit_module, "AT_ONCE", 2)
    real, now, most = signers_module.ended, [0], [0]

    def counted(arguments: Any, **more: Any) -> Any:
        now[0] += 1
        most[0] = max(most[0], now[0])
        try:
            return real(arguments, **more)
        finally:
            now[0] -= 1

    monkeypatch.setattr(signers_module, "ended", counted)
    assert house.ask("ledger")["findings"] == []
    assert 1 <= most[0] <= len(os.sched_getaffinity(0))
