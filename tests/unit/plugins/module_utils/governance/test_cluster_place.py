# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Governance in a cluster: what a pod has mounted counts only where the namespace says so, and without it nothing passes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.cluster_place import found_in
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.place import Governance, fingerprint
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import ApiError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.labels import GOVERNED
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.governance.house import House

NAMESPACE = "acme-production"


class Cluster:
    """One namespace. :ivar refuses: the status with which it answers instead."""

    def __init__(self, mark: str = "", refuses: int = 0) -> None:
        self.mark, self.refuses = mark, refuses

    def get(self, kind: str, namespace: str | None, name: str) -> dict[str, Any] | None:
        assert (kind, namespace, name) == ("Namespace", None, NAMESPACE)
        if self.refuses:
            raise ApiError(self.refuses, "Forbidden", "cluster_forbidden", "the cluster answers 403", "")
        return {"metadata": {"name": name, "annotations": {GOVERNED: self.mark} if self.mark else {}}}


class Pod:
    """A toolbox with the Secret mounted as a kubelet does: links to a directory that is changed as a whole."""

    def __init__(self, tmp_path: Path) -> None:
        self.house = House(tmp_path)
        self.place, self.cluster = tmp_path / "mounted", Cluster()
        behind = self.place / "..2026"
        behind.mkdir(parents=True)
        (self.place / "..data").symlink_to("..2026")
        for name in ("policy.json", "allowed_signers", "ledger.json"):
            shutil.copy(self.house.place / name, behind / name)
            (self.place / name).symlink_to(f"..data/{name}")
        (behind / "keys.json").write_text(json.dumps({"access_key": "a", "secret_key": "b", "location": "s3:https://mine.example.com/mine"}))
        (self.place / "keys.json").symlink_to("..data/keys.json")
        self.cluster.mark = self.fingerprint()

    def fingerprint(self) -> str:
        return str(fingerprint({path.name: path.read_text() for path in self.place.iterdir() if path.is_file() and path.name != "keys.json"}))

    def found(self) -> Governance | None:
        return found_in(self.cluster, NAMESPACE, str(self.place), str(self.house.kept), lambda: self.house.now)


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def test_what_the_namespace_names_counts(pod: Pod) -> None:
    found = pod.found()
    assert found and found.policy.default == "production"
    assert found.key == str(pod.place / "ledger_key") and found.kept == str(pod.house.kept)


def test_a_calendar_whose_lines_end_with_two_letters(pod: Pod) -> None:
    text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//\r\nEND:VCALENDAR\r\n"
    (pod.place / "freeze.ics").write_bytes(text.encode())
    texts = {name: (pod.place / name).read_text() for name in ("policy.json", "allowed_signers", "ledger.json")}
    pod.cluster.mark = fingerprint({**texts, "freeze.ics": text})
    assert pod.found()


def test_only_keys_come_from_the_file_that_is_not_in_the_fingerprint(pod: Pod) -> None:
    found = pod.found()
    assert found and found.settings["secret_key"] == "b" and found.settings["location"] == str(pod.house.directory / "store")


def test_a_namespace_without_any_of_it_is_not_governed(pod: Pod) -> None:
    shutil.rmtree(pod.place)
    pod.cluster.mark = ""
    assert pod.found() is None
    pod.place.mkdir()  # as an optional Secret that is not there is mounted
    assert pod.found() is None
    (pod.place / "ledger_key").write_text("kept when it was taken away")
    assert pod.found() is None


def nothing_mounted(pod: Pod) -> None:
    shutil.rmtree(pod.place)


def empty(pod: Pod) -> None:
    nothing_mounted(pod)
    pod.place.mkdir()


def no_signers(pod: Pod) -> None:
    (pod.place / "allowed_signers").unlink()


def no_mark(pod: Pod) -> None:
    pod.cluster.mark = ""


def own_policy(pod: Pod) -> None:
    pod.house.policy["classes"]["production"]["gates"] = []
    (pod.place / "policy.json").unlink()
    (pod.place / "policy.json").write_text(json.dumps(pod.house.policy))


def own_signer(pod: Pod) -> None:
    path = pod.place / "..2026" / "allowed_signers"
    path.write_text(path.read_text() + pod.house.line("mallory@example.com", "release-app@sysgenpro"))


def own_ledger(pod: Pod) -> None:
    (pod.place / "..2026" / "ledger.json").write_text(json.dumps({"location": "/tmp/mine", "writer": "ledger@vm-1"}))


def one_calendar_more(pod: Pod) -> None:
    (pod.place / "open.ics").write_text("BEGIN:VCALENDAR\nEND:VCALENDAR\n")


def one_authority_more(pod: Pod) -> None:
    (pod.place / "store.crt").write_text("-----BEGIN CERTIFICATE-----\n")


def no_right(pod: Pod) -> None:
    pod.cluster.refuses = 403


@pytest.mark.parametrize(("harm", "code", "said"), [
    (nothing_mounted, "governance_incomplete", "has no policy.json, and the namespace acme-production is governed"),
    (empty, "governance_incomplete", "has no policy.json"), (no_signers, "governance_incomplete", "has no allowed_signers"),
    (no_mark, "governance_incomplete", "does not say that it is governed"), (own_policy, "governance_unsafe", "cannot be believed: it has sha256:"),
    (own_signer, "governance_unsafe", "cannot be believed"), (own_ledger, "governance_unsafe", "cannot be believed"),
    (one_calendar_more, "governance_unsafe", "cannot be believed"), (one_authority_more, "governance_unsafe", "cannot be believed"),
    (no_right, "governance_unknown", "cannot be asked: the cluster answers 403"),
], ids=lambda value: getattr(value, "__name__", None))
def test_nothing_passes(pod: Pod, harm: Callable[[Pod], None], code: str, said: str) -> None:
    harm(pod)
    with pytest.raises(DomainError, match=said) as error:
        pod.found()
    assert error.value.code == code


def test_the_fingerprint_is_what_sha256sum_tells(tmp_path: Path) -> None:
    texts = {"policy.json": '{"ü": 1}\n', "allowed_signers": "jane\n", "b.ics": "x", "a.ics": "y"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    said = subprocess.run("LC_ALL=C; export LC_ALL; sha256sum -- * | sha256sum", shell=True, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert fingerprint(texts) == "sha256:" + said.split()[0]
