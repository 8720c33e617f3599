# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record: what is accepted, what is refused and how it is named."""

from __future__ import annotations

import copy
import json

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.record import (
    Record,
    Release,
    parse_record,
    parse_reference,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.plan import digest_of

MODULE = {
    "version": "1.1", "depends": ["web"], "installable": True, "auto_install": False,
    "schema": "0" * 32, "code": "1" * 32, "parts": {"python": "2" * 8}, "i18n": {"fr": "3" * 16},
}  # fmt: skip
RECORD = {
    "format": 1,
    "series": "19.0",
    "digests": 1,
    "source": {"name": "r1", "base": "x"},
    "addons_path": ["/a"],
    "command": ["/usr/bin/odoo"],
    "wkhtmltopdf": None,
    "modules": {"base": MODULE, "stöck": MODULE},
    "of a later format": {"kept": [1.5, None]},
}
HEX = "ab" * 32


def changed(path, value):
    record = copy.deepcopy(RECORD)
    *way, last = path.split("/")
    inner = record
    for key in way:
        inner = inner[key]
    if value is KeyError:
        del inner[last]
    else:
        inner[last] = value
    return record


def test_typed():
    record = Record.parse(RECORD)
    assert (record.name, record.series, record.command) == ("r1", "19.0", ("/usr/bin/odoo",))
    assert record.modules["stöck"].depends == ("web",)
    assert record.modules["base"].i18n == {"fr": "3" * 16}


def test_id_survives_json_whatever_the_order_of_keys():
    release = Release("sha256:" + HEX, "r", Record.parse(RECORD))
    shuffled = json.dumps(dict(reversed(list(RECORD.items()))), indent=3)
    again = Release("sha256:" + HEX, "elsewhere", parse_record(shuffled.encode()))
    assert again.id == release.id == digest_of({"image": "sha256:" + HEX, "record": RECORD})
    assert Release("sha256:" + "cd" * 32, "r", release.record).id != release.id


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("format", 2, "format"),
        ("format", True, "format"),
        ("series", "19", "series"),
        ("series", KeyError, "series"),
        ("digests", "1", "digests"),
        ("source", [], "source"),
        ("addons_path", "/a", "addons_path"),
        ("addons_path", [1], "addons_path"),
        ("command", [], "command"),
        ("wkhtmltopdf", 12, "wkhtmltopdf"),
        ("modules", {}, "modules"),
        ("modules", [], "modules"),
        ("modules/base", "x", "modules.base"),
        ("modules/base/version", 1.1, "modules.base.version"),
        ("modules/base/depends", None, "modules.base.depends"),
        ("modules/base/installable", 1, "modules.base.installable"),
        ("modules/base/auto_install", KeyError, "modules.base.auto_install"),
        ("modules/base/schema", "0" * 31, "modules.base.schema"),
        ("modules/base/schema", "G" * 32, "modules.base.schema"),
        ("modules/base/code", None, "modules.base.code"),
        ("modules/base/parts", {"python": "zz"}, "modules.base.parts.python"),
        ("modules/base/i18n", {"fr": 1}, "modules.base.i18n.fr"),
        ("modules/base/i18n", {1: "x"}, "modules.base.i18n"),
    ],
)
def test_malformed_names_the_field(path, value, field):
    with pytest.raises(DomainError) as caught:
        Record.parse(changed(path, value))
    assert (caught.value.code, caught.value.details["field"]) == ("malformed_record", field)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"null", b'{"format": NaN}', b"[" * 100_000])
def test_malformed_bytes(content):
    with pytest.raises(DomainError) as caught:
        parse_record(content)
    assert caught.value.code == "malformed_record"


@pytest.mark.parametrize("host", ["h:5000", "registry.example.test", "127.0.0.1:5", "localhost", "[::1]:5000"])
def test_reference(host):
    text = f"{host}/team/odoo-19_x@sha256:{HEX}"
    reference = parse_reference(text)
    assert (reference.registry, reference.repository, reference.digest) == (host, "team/odoo-19_x", "sha256:" + HEX)
    assert str(reference) == text


@pytest.mark.parametrize(
    "text",
    [
        "odoo:19.0", "h:5000/odoo:r3", "h:5000/odoo", f"h:5000/odoo:r3@sha256:{HEX}", f"odoo@sha256:{HEX}",
        f"h:5000/odoo@sha256:{HEX[:-1]}", f"h:5000/odoo@sha256:{HEX.upper()}", f"h:5000/Odoo@sha256:{HEX}",
        f"h:5000/odoo@sha512:{HEX}", f"h:5000//odoo@sha256:{HEX}", f"https://h/odoo@sha256:{HEX}",
        f"h:5000/odoo@sha256:{HEX}\n", f"h:5000/../odoo@sha256:{HEX}", "", None, 3,
    ],
)  # fmt: skip
def test_only_a_digest_is_a_reference(text):
    with pytest.raises(DomainError) as caught:
        parse_reference(text)
    assert caught.value.code == "not_a_digest"


@pytest.mark.parametrize("digest", ["", "sha256:" + HEX + "0", "md5:x"])
def test_release_needs_an_image_digest(digest):
    with pytest.raises(DomainError):
        Release(digest, "r", Record.parse(RECORD))
