# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is planned for which backup and which machine, and what is asked for in vain."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import stat
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.importing.archive import Archive, Contents
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.importing.operation import (
    ARGUMENTS,
    Seen,
    make_plan,
    space,
    wish,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.importing.steps import MARK, Import
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.verify import MARGIN
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.recovery.samples import defaults

DIGEST = "a" * 64
CONTENTS = Contents(DIGEST, 1000, "dump.sql", "sql", 5000, 17, {}, 700, 0, {"major_version": "19.0"})
NOTHING = {"version": 170006, "data": "/var/lib/postgresql", "roles": ["postgres", "bodega_owner"], "mark": None, "closed": None, "filestore": False,
           "interrupted": None}
NOTE = {"archive": DIGEST, "database": "bodega", "filestore": "/srv/bodega/data/filestore/bodega"}
ALL = ["claim", "load", "compare", "neutralize", "open"]


def params(**changes: Any) -> dict[str, Any]:
    return {**defaults(ARGUMENTS), "instance": "bodega", "archive": "/var/tmp/x.zip", "root": "/srv", "uid": 20001,
            "database": {"name": "bodega", "port": 5501, "socket": "/run/x"}, **changes}


TABLE: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("a new one", {}, {}, ALL), ("that may act", {"neutralize": False}, {}, ["claim", "load", "compare", "open"]),
    ("of the series", {"series": "19.0"}, {}, ALL), ("into a newer PostgreSQL", {}, {"version": 180001}, ALL),
    ("killed before the database", {}, {"interrupted": NOTE}, ["clean_up", *ALL]),
    ("killed within", {}, {"interrupted": NOTE, "mark": "", "filestore": True}, ["clean_up", *ALL]),
    ("killed at the end", {}, {"interrupted": NOTE, "mark": MARK.format(DIGEST), "filestore": True}, ["open"]),
    ("done", {}, {"mark": MARK.format(DIGEST), "filestore": True}, []),
    ("done without the role", {}, {"mark": MARK.format(DIGEST), "filestore": True, "roles": []}, [])]


@pytest.mark.parametrize(("wished", "found", "steps"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_is_planned(wished: dict[str, Any], found: dict[str, Any], steps: list[str]) -> None:
    plan = make_plan(wish(params(**wished)), Seen(CONTENTS, {**NOTHING, **found}))
    assert [step.name for step in plan.steps] == steps
    assert plan.facts["archive"]["digest"] == "sha256:" + DIGEST
    json.dumps(plan.as_dict())
    if steps and steps != ["open"]:
        assert plan.before != plan.after
    else:
        assert plan.before == plan.after


REFUSED: list[tuple[str, str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("a database", "target_exists", {}, {"mark": ""}, {}), ("a filestore", "target_exists", {}, {"filestore": True}, {}),
    ("another archive's", "target_exists", {}, {"mark": MARK.format("b" * 64), "filestore": True}, {}),
    ("another archive's, with a note", "target_exists", {}, {"mark": MARK.format("b" * 64), "filestore": True, "interrupted": NOTE}, {}),
    ("without its filestore", "target_exists", {}, {"mark": MARK.format(DIGEST)}, {}),
    ("a newer dump", "newer_postgresql", {}, {"version": 160004}, {}), ("no role", "no_owner", {}, {"roles": None}, {}),
    ("another series", "other_series", {"series": "18.0"}, {}, {})]


@pytest.mark.parametrize(("code", "wished", "found", "contents"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_refused(code: str, wished: dict[str, Any], found: dict[str, Any], contents: dict[str, Any]) -> None:
    with pytest.raises(DomainError) as caught:
        make_plan(wish(params(**wished)), Seen(dataclasses.replace(CONTENTS, **contents), {**NOTHING, **found}))
    assert caught.value.code == code and caught.value.unchanged == "Nothing was changed"


@pytest.mark.parametrize(("field", "changes"), [
    ("instance", {"instance": "../x"}), ("archive", {"archive": "x.zip"}), ("uid", {"uid": 0}), ("series", {"series": "19"}), ("series", {"series": "19.0.1"}),
    ("database.name", {"database": {"name": "x; drop", "port": 1, "socket": "/"}}), ("bounds.load", {"bounds": {"load": 0}})])
def test_bad_input_names_the_field(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(DomainError) as caught:
        wish(params(**changes))
    assert caught.value.code == "bad_input" and caught.value.message.startswith(field + " is")


def test_an_approval_covers_what_matters() -> None:
    def digest(contents: Contents = CONTENTS, **changes: Any) -> str:
        return make_plan(wish(params(**changes)), Seen(contents, NOTHING)).digest

    assert digest() == digest(requested_by="another", reason="other")
    assert len({digest(), digest(neutralize=False), digest(accept_losses=True), digest(dataclasses.replace(CONTENTS, digest="b" * 64))}) == 4


def test_room_is_asked_for_what_is_declared() -> None:
    wanted = wish(params())
    assert space(wanted, CONTENTS, "/pg") == {"/pg": 5000 + MARGIN, "/srv/bodega/recovery": MARGIN, "/srv/bodega": 700}
    assert space(wanted, dataclasses.replace(CONTENTS, kind="custom"), "/pg")["/srv/bodega/recovery"] == 5000 + MARGIN


def test_files_are_proven_by_their_names(tmp_path: Path) -> None:
    """One that is whole, one that is empty, one with another content, one whose bits were turned, one that no database could name."""
    contents = [b"whole", b"", b"other", os.urandom(4000)]
    names = [hashlib.sha1(content, usedforsecurity=False).hexdigest() for content in contents]
    names = [f"{name[:2]}/{name}" for name in names]
    contents[2] = b"torn"
    path = tmp_path / "backup.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("dump.sql", "")
        for name, content in zip(names, contents):
            archive.writestr("filestore/" + name, content)
        archive.writestr("filestore/zz/" + "z" * 40, b"")
    data = bytearray(path.read_bytes())
    data[data.index(contents[3]) + 2000] ^= 0xff
    path.write_bytes(data)

    filestore = tmp_path / "data" / "filestore" / "bodega"
    (tmp_path / "data").mkdir()
    wanted = wish(params(root=str(tmp_path), uid=os.getuid() or 20001))
    target = SimpleNamespace(filestore=str(filestore), database=SimpleNamespace(name="bodega"))
    steps = Import(wanted, Archive(str(path)), target)  # type: ignore[arg-type]
    steps._files()
    assert steps.whole == set(names[:2]) and sorted(steps.torn) == sorted(names[2:])
    found = {str(each.relative_to(filestore)): each.read_bytes() for each in filestore.rglob("*") if each.is_file()}
    assert found == dict(zip(names[:2], contents[:2]))
    for each in (filestore, *filestore.rglob("*")):
        assert each.stat().st_uid == wanted.params["uid"] and stat.S_IMODE(each.stat().st_mode) == (0o700 if each.is_dir() else 0o600)
    assert [each.name for each in filestore.parent.iterdir()] == ["bodega"], "nothing under another name is left"
