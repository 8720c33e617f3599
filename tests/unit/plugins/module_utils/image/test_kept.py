# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Digests with what was kept of the base's modules: equal to those without it, and nothing of the base is parsed."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image import container, digests, kept
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.digests import describe, found_in

BASE = {
    "release.py": "series = '19.0'\n",
    "http.py": "import x\n",
    "models.py": "class BaseModel:\n    def write(self):\n        return 1\n",
    "addons/base/__manifest__.py": "{'name': 'Base', 'data': ['data.xml', 'missing.xml']}",
    "addons/base/__init__.py": "from . import partner\n",
    "addons/base/data.xml": "<odoo><function model='res.partner' name='fill'/></odoo>",
    "addons/base/partner.py": """
class Partner(models.Model):
    _name = 'res.partner'
    kind = fields.Char(default=lambda self: self._kind())
    def _kind(self): return helper()
    def fill(self): return self._filled()
    def _filled(self): return 2
    def quiet(self): return self._deep()
    def _deep(self): return 3
def helper(): return 4
def lent(): return inner()
def inner(): return 5
""",
    "addons/base/old.py": "print 'x'\n",
    "addons/base/i18n/fr.po": 'msgid ""\nmsgstr ""\n"x"\n\nmsgid "a"\nmsgstr "b"\n',
    "addons/shop/__manifest__.py": "{'name': 'Shop', 'version': '1.0', 'depends': ['base'], 'post_init_hook': 'hook'}",
    "addons/shop/__init__.py": "from odoo.addons.base.partner import lent\ndef hook(env): return lent()\n",
    "addons/shop/order.py": "class Order(Model):\n    _name = 'order'\n    def init(self): return 6\n    def _quiet(self): return 7\n",
}
ADDON = {"addon/__manifest__.py": "{'name': 'A', 'data': ['data.xml']}", "addon/data.xml": "<odoo/>"}
ADDONS = {
    "none": {},
    "plain": ADDON,
    "data calls a method of the base": {**ADDON, "addon/data.xml": "<odoo><function model='res.partner' name='quiet'/></odoo>"},
    "a field's default calls a method of the base": {
        **ADDON, "addon/a.py": "class P(Model):\n    _inherit = 'res.partner'\n    f = F(default=lambda self: self.quiet())\n"},
    "extends a method that the base calls": {
        **ADDON, "addon/a.py": "class P(Model):\n    _inherit = 'res.partner'\n    def _filled(self): return self.quiet()\n"},
    "a hook calls a function of a base module": {
        **ADDON, "addon/__manifest__.py": "{'name': 'A', 'post_init_hook': 'go'}",
        "addon/__init__.py": "from odoo.addons.base.partner import inner as i\ndef go(env): i()\n"},
    "bears the name of a base module": {"shop/__manifest__.py": "{'name': 'Other', 'version': '9'}", "shop/a.py": "x = 1\n"},
    "has notes of its own": {**ADDON, "addon/__manifest__.py": "{'data': ['none.xml']}", "addon/a.py": "print 'y'\n"},
}  # fmt: skip


def laid(root: Path, files: dict[str, str]) -> Path:
    root.mkdir(exist_ok=True)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def odoo(tmp_path):
    return laid(tmp_path / "odoo", BASE)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "base.kept"


@pytest.fixture
def parsed(monkeypatch):
    """What ast.parse was given so far."""
    seen: list[bytes] = []
    parse = ast.parse
    monkeypatch.setattr(ast, "parse", lambda content, *further, **named: seen.append(content) or parse(content, *further, **named))
    return seen


def asked(odoo, file, addons=(), **further):
    return describe(found_in(str(odoo), [str(path) for path in addons]), kept_file=str(file), **further)


@pytest.mark.parametrize("made_for", ["none", "data calls a method of the base"])
@pytest.mark.parametrize("title", ADDONS)
def test_the_digests_are_those_without_it(odoo, file, tmp_path, title, made_for):
    first, second = laid(tmp_path / "first", ADDONS[made_for]), laid(tmp_path / "second", ADDONS[title])
    plain = [describe(found_in(str(odoo), [str(path)])) for path in (first, second)]
    assert asked(odoo, file, [first]) == plain[0]
    before = file.read_bytes()
    assert asked(odoo, file, [second]) == plain[1]
    assert asked(odoo, file, [first]) == plain[0]
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("title", "of_base"),
    [("none", 0), ("plain", 0), ("data calls a method of the base", 1), ("a field's default calls a method of the base", 1),
     ("extends a method that the base calls", 1), ("a hook calls a function of a base module", 0)],
)  # fmt: skip
def test_of_the_base_only_what_is_asked_for_is_parsed(odoo, file, tmp_path, parsed, title, of_base):
    asked(odoo, file)
    addons = laid(tmp_path / "addons", ADDONS[title])
    parsed.clear()
    asked(odoo, file, [addons])
    python = [path for path in ADDONS[title] if path.endswith(".py") and not path.endswith("__manifest__.py")]
    trees = [content for content in parsed if isinstance(content, bytes)]  # manifests come as text
    assert len(trees) == of_base + len(python)


def test_what_an_addon_asked_for_is_not_in_the_file(odoo, file, tmp_path):
    """The file is the same whichever release was built first."""
    addons = laid(tmp_path / "addons", ADDONS["data calls a method of the base"])
    asked(odoo, file, [addons])
    modules, notes = digests.own_modules(str(odoo), (), str(file))
    rendered = {function.name for unit in modules["base"].units for function in unit.functions if function.rendered}
    assert rendered == {"_kind", "fill", "_filled", "helper", "lent", "inner"}
    assert sorted(modules) == ["base", "shop"]
    assert len(notes) == 2


def damaged(content: bytes) -> dict[str, bytes]:
    head, _line_end, rest = content.partition(b"\n")
    return {
        "empty": b"", "foreign": b"\x80\x04N.", "cut": content[:-1], "cut in the first line": content[:40], "longer": content + b"x",
        "a flipped bit": content[:-50] + bytes([content[-50] ^ 1]) + content[-49:],
        "another signature": head.replace(head.split()[1], b"0" * 64) + b"\n" + rest, "no pickle": head + b"\nx",
    }  # fmt: skip


@pytest.mark.parametrize("kind", damaged(b"a b c\n" + bytes(99)))
def test_any_other_file_is_made_anew(odoo, file, kind):
    said = asked(odoo, file)
    good = file.read_bytes()
    file.write_bytes(damaged(good)[kind])
    assert asked(odoo, file) == said
    assert kept.body(file.read_bytes(), good.split(b" ")[1].decode()) is not None


@pytest.mark.parametrize(
    "change",
    [
        lambda odoo: (odoo / "addons/base/partner.py").write_text("class X(Model):\n    _name = 'x'\n"),
        lambda odoo: (odoo / "addons/base/data.xml").write_text("<odoo><data/></odoo>"),
        lambda odoo: (odoo / "addons/base/i18n/fr.po").write_text(""),
        lambda odoo: (odoo / "models.py").write_text("x = 1\n"),
        lambda odoo: (odoo / "addons/shop/order.py").unlink(),
        lambda odoo: (odoo / "addons/shop/new.py").write_text("x = 1\n"),
        lambda odoo: laid(odoo, {"addons/new/__manifest__.py": "{}"}),
        lambda odoo: (odoo / "addons/shop/nowhere").symlink_to("/does/not/exist"),
        lambda odoo: swap(odoo / "addons/shop/order.py", "return 6", "return 8"),
    ],
    ids=["model", "data", "translation", "framework", "file gone", "new file", "new module", "dead link", "same size, other time"],
)
def test_another_base_is_read_anew(odoo, file, change):
    asked(odoo, file)
    change(odoo)
    assert asked(odoo, file) == describe(found_in(str(odoo), []))


def swap(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


@pytest.mark.parametrize(
    "change",
    [lambda patch: patch.setattr(sys, "version", "3.99"), lambda patch: patch.setattr(digests, "VERSION", 2),
     lambda patch: patch.setattr(digests.declarations, "__file__", __file__)],
    ids=["Python", "VERSION", "rules"],
)  # fmt: skip
def test_another_python_or_other_rules_read_anew(odoo, file, parsed, monkeypatch, change):
    asked(odoo, file)
    change(monkeypatch)
    parsed.clear()
    asked(odoo, file)
    assert b"print 'x'\n" in parsed


def test_byte_code_is_no_change(odoo, file, parsed):
    asked(odoo, file)
    (odoo / "__pycache__").mkdir()
    (odoo / "__pycache__/http.pyc").write_bytes(b"x")
    parsed.clear()
    asked(odoo, file)
    assert not [content for content in parsed if isinstance(content, bytes)]


def test_a_choice_of_modules_neither_reads_nor_writes_it(odoo, file):
    assert sorted(asked(odoo, file, only=["shop"])["modules"]) == ["shop"]
    assert not file.exists()


def test_addons_with_a_base_of_their_own(tmp_path, file):
    """An Odoo whose add-ons, base among them, all lie elsewhere."""
    odoo = laid(tmp_path / "odoo", {name: text for name, text in BASE.items() if not name.startswith("addons/")})
    addons = laid(tmp_path / "x", {name[7:]: text for name, text in BASE.items() if name.startswith("addons/")})
    said = [asked(odoo, file, [addons]) for _time in range(2)]
    assert said[0] == said[1] == describe(found_in(str(odoo), [str(addons)]))
    assert "framework" in said[0]["modules"]["base"]["parts"]


def test_as_a_script_with_its_companions(odoo, file, tmp_path):
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for name, text in container.companions().items():
        (scripts / name).write_bytes(text)
    command = [sys.executable, str(scripts / "digests.py"), "--odoo", str(odoo), "--kept", str(file)]
    said = [json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) for _time in range(2)]
    assert said == [json.loads(json.dumps(describe(found_in(str(odoo), []))))] * 2
    assert kept.body(file.read_bytes())
