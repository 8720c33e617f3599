# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What decides before anything is made: whose database it is, which repository, whether a target can be made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.database import DatabaseState
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.likeness import provider
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.capture import check_identity
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.model import Point, desired
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.moment import checked
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.remembered import Remembered
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.restore import MARK, check_target
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.space import check_space
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.recovery.samples import params, point

IDENTITY = {"instance": "acme-production", "tenant": "acme", "environment": "production", "data_class": "production"}


@pytest.mark.parametrize(("state", "changes", "code"), [
    (DatabaseState(False), {}, "no_database"), (DatabaseState(True), {}, "no_database"),
    (DatabaseState(True, True, identity={**IDENTITY, "instance": "bodega-production"}), {}, "foreign_data"),
    (DatabaseState(True, True, identity=IDENTITY), {"data_class": "masked"}, "foreign_data"),
])
def test_whose_database(state: DatabaseState, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(DomainError) as error:
        check_identity(desired(params(**changes)), state)
    assert error.value.code == code


def test_a_database_without_identity_is_taken() -> None:
    check_identity(desired(params(tenant="acme")), DatabaseState(True, True))
    check_identity(desired(params(tenant="acme")), DatabaseState(True, True, identity=IDENTITY))


@pytest.mark.parametrize(("found", "code"), [(None, "repository_gone"), ("two", "repository_changed")])
def test_the_repository_is_remembered(tmp_path: Path, found: str | None, code: str) -> None:
    wanted = desired(params(root=str(tmp_path)))
    Path(wanted.state_directory).mkdir(parents=True)
    Remembered(wanted).check(found)
    Remembered(wanted).keep("one", "")
    Remembered(wanted).check("one")
    with pytest.raises(DomainError) as error:
        Remembered(wanted).check(found)
    assert error.value.code == code
    Remembered(desired(params(root=str(tmp_path), repository__location="/elsewhere"))).check(found)


@pytest.mark.parametrize("name", ["../../etc/passwd", "ab/../../x", "s3://bucket/x", "ab/" + "g" * 40, "", "ab/" + "0" * 40 + "\n"])
def test_names_that_are_no_files_of_the_store(name: str) -> None:
    with pytest.raises(DomainError) as error:
        list(checked([name]))
    assert error.value.code == "attachment_elsewhere"


def restorable() -> Point:
    made = point(0)
    manifest = {**made.manifest, "postgresql": {"major": 17, "extensions": {"plpgsql": "1.0", "unaccent": "1.1"}},
                "database": {"owner": "acme_owner", "bytes": 1, "collate": "C", "ctype": "C.UTF-8", "provider": "c", "locale": None, "encoding": "UTF8"},
                "dump": {"bytes": 1},
                "files": {"bytes": 1}, "roles": [{"name": "acme_owner"}, {"name": "acme_reader"}]}
    return Point(made.id, manifest)


def target(**changes: Any) -> dict[str, Any]:
    return {"version": 170005, "data": "/", "roles": ["acme_owner", "acme_reader", "scratch_owner"], "mark": None, "closed": None, "filestore": False,
            "interrupted": None, "icu": True, "extensions": ["plpgsql", "unaccent", "pg_trgm"], **changes}


def here(seen: dict[str, Any], place: Path) -> dict[str, Any]:
    """The note of an interrupted restore into this very target."""
    note = seen["interrupted"]
    return {**seen, "interrupted": {"filestore": str(place / "f")} if note and note["filestore"] == "HERE" else note}


@pytest.mark.parametrize(("seen", "owner", "code"), [
    (target(mark=""), "acme_owner", "target_exists"), (target(filestore=True), "acme_owner", "target_exists"),
    (target(mark=MARK.format("20200101T000000-00000000"), closed=True, filestore=True), "acme_owner", "target_exists"),
    (target(mark="", closed=False, filestore=True, interrupted={"filestore": "HERE"}), "acme_owner", "target_exists"),
    (target(mark="", closed=True, filestore=True, interrupted={"filestore": "/elsewhere"}), "acme_owner", "target_exists"),
    (target(version=160009), "acme_owner", "newer_postgresql"), (target(roles=[]), "acme_owner", "no_owner"),
    (target(roles=["acme_owner"]), "acme_owner", "no_owner"), (target(extensions=["plpgsql"]), "acme_owner", "extension_missing"),
])
def test_targets_refused(seen: dict[str, Any], owner: str, code: str, tmp_path: Path) -> None:
    wanted = desired(params(state="restored", root=str(tmp_path), target={
        "database": "acme_scratch", "filestore": str(tmp_path / "f"), "owner": owner, "uid": 1}))
    with pytest.raises(DomainError) as error:
        check_target(wanted, restorable(), here(seen, tmp_path))
    assert error.value.code == code and error.value.unchanged


@pytest.mark.parametrize(("seen", "expected"), [
    (target(), True), (target(version=180001), True), (target(mark="", closed=True, filestore=True, interrupted={"filestore": "HERE"}), True),
    (target(roles=["scratch_owner"]), True),
    (target(mark=MARK.format(restorable().id), closed=True, filestore=True), False),
])
def test_targets_taken(seen: dict[str, Any], expected: bool, tmp_path: Path) -> None:
    owner = "scratch_owner" if seen["roles"] == ["scratch_owner"] else "acme_owner"
    wanted = desired(params(state="restored", root=str(tmp_path), target={
        "database": "acme_scratch", "filestore": str(tmp_path / "f"), "owner": owner, "uid": 1}))
    assert check_target(wanted, restorable(), here(seen, tmp_path)) is expected


@pytest.mark.parametrize(("like", "seen"), [
    ({"collate": "xx_XX.UTF-8"}, {}), ({"ctype": "xx_XX.UTF-8"}, {}), ({"provider": "i", "locale": "de-DE"}, {"icu": False})])
def test_locales_that_a_machine_has_not(like: dict[str, Any], seen: dict[str, Any], tmp_path: Path) -> None:
    wanted = desired(params(state="restored", root=str(tmp_path), target={
        "database": "acme_scratch", "filestore": str(tmp_path / "f"), "owner": "acme_owner", "uid": 1}))
    found = restorable()
    found.manifest["database"].update(like)
    with pytest.raises(DomainError) as error:
        check_target(wanted, found, target(**seen))
    assert error.value.code == "locale_missing" and error.value.unchanged


def test_space_of_one_file_system_is_added_up(tmp_path: Path) -> None:
    half = 10 ** 18
    with pytest.raises(DomainError) as error:
        check_space({str(tmp_path / "not" / "yet"): half, str(tmp_path): half})
    assert error.value.code == "no_space" and str(2 * half >> 20) in error.value.message


def said(clause: Any) -> str:
    parts = getattr(clause, "seq", [clause])
    return "".join(getattr(part, "string", None) or repr(part.wrapped) for part in parts if getattr(part, "string", None) != "")


@pytest.mark.parametrize(("like", "version", "expected"), [
    ({"provider": None, "locale": None}, 140000, ""), ({"provider": None, "locale": None}, 170000, " locale_provider libc"),
    ({"provider": "c", "locale": None}, 150000, " locale_provider libc"),
    ({"provider": "i", "locale": "de-DE"}, 150000, " locale_provider icu icu_locale 'de-DE'"),
    ({"provider": "i", "locale": "de-DE", "icu_rules": "&a < g"}, 170000, " locale_provider icu icu_locale 'de-DE' icu_rules '&a < g'"),
    ({"provider": "i", "locale": "de-DE", "icu_rules": None}, 170000, " locale_provider icu icu_locale 'de-DE'"),
    ({"provider": "b", "locale": "C.UTF-8"}, 170000, " locale_provider builtin builtin_locale 'C.UTF-8'"),
])
def test_the_locale_provider_is_the_one_recorded(like: dict[str, Any], version: int, expected: str) -> None:
    """Also where the cluster's default is another one."""
    assert said(provider(like, version)) == expected
