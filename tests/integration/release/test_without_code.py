# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that live in the database only, made by Odoo itself: a zip imported in the list of apps, Studio's, one whose mark is gone.

They are released over, rehearsed, adopted, and stay what they are; what only looks like one of them is refused.
"""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterator

import pytest
from estate import Estate, sound
from estate.office import made, office
from estate.place import HOST
from estate.sources import ADDON

pytestmark = [pytest.mark.slow, pytest.mark.dear]

THEME, BARE = "shop_theme", "shop_bare"
_MANIFEST = "{{'name': 'Theme of the shop', {version}'license': 'LGPL-3', 'author': 'the shop', 'depends': ['{depends}'], 'data': ['data.xml']}}"
_DATA = """<odoo>
    <record id="thing" model="ir.model">
        <field name="name">Shelf</field>
        <field name="model">x_shelf_{name}</field>
        <field name="state">manual</field>
    </record>
    <record id="page" model="ir.ui.view">
        <field name="name">Shop</field>
        <field name="type">qweb</field>
        <field name="arch" type="xml"><t t-name="{name}.page"><p>Made by the shop</p></t></field>
    </record>
</odoo>"""


def archive(name: str, depends: str, version: str = "'version': '1.2', ") -> str:
    """A module's zip as people import it, base64."""
    made_ = io.BytesIO()
    with zipfile.ZipFile(made_, "w") as files:
        files.writestr(f"{name}/__manifest__.py", _MANIFEST.format(version=version, depends=depends))
        files.writestr(f"{name}/data.xml", _DATA.format(name=name))
    return base64.b64encode(made_.getvalue()).decode()


def import_zip(estate: Estate, content: str) -> None:
    """By base_import_module, as an administrator does it."""
    wizard = made(office(estate, HOST, "fault_one", ("base.import.module", "create", [{"module_file": content}]))[0])
    office(estate, HOST, "fault_one", ("base.import.module", "import_module", [[wizard]]))


def states(estate: Estate) -> dict[str, str]:
    rows = estate.machine.sql(f"select name, state from ir_module_module where name in ('{THEME}', '{BARE}', 'studio_customization')")
    return dict(row.split("|") for row in rows.splitlines())


def still_there(estate: Estate) -> None:
    """Their records, which an uninstallation would have taken along."""
    assert states(estate) == {THEME: "installed", BARE: "installed", "studio_customization": "installed"}
    assert estate.machine.sql(f"select count(*) from ir_model_data where module in ('{THEME}', '{BARE}') and name in ('thing', 'page')") == "4"
    assert estate.machine.sql("select count(*) from ir_ui_view where arch_db::text like '%Made by the shop%'") == "2"


@pytest.fixture(scope="module")
def customized(estate: Estate) -> Iterator[Estate]:
    """An instance with one module on top of ours, one beside it, and Studio's, which web_studio makes just so."""
    estate.runs("one-a")
    estate.release("one-a", modules={"install": [ADDON, "base_import_module"]}).ok()
    sql = estate.machine.sql
    import_zip(estate, archive(THEME, ADDON))
    import_zip(estate, archive(BARE, "web", version=""))
    sql("insert into ir_module_module (name, state, imported, shortdesc) values ('studio_customization', 'installed', true, '{\"en_US\": \"Studio\"}')"
        if estate.series != "14.0" else
        "insert into ir_module_module (name, state, imported, shortdesc) values ('studio_customization', 'installed', true, 'Studio')")
    still_there(estate)
    yield estate
    estate.release("one-a", modules={"install": [ADDON], "uninstall": [THEME, BARE, "studio_customization"]}).ok()
    assert not sql(f"select 1 from ir_module_module where name in ('{THEME}', '{BARE}') and state = 'installed'")
    estate.runs("one-a")


def test_released_over(customized: Estate, mark: str) -> None:
    """Other code, another schema, rehearsed, the same again, and back."""
    planned = customized.release("one-b", state="planned").ok()
    assert planned.result["plan"]["without_code"] == [BARE, THEME, "studio_customization"]
    assert customized.release("one-b").ok().kind == "code"
    sound(customized, "one-b", mark)
    assert customized.release("two", state="rehearsed").ok().result["rehearsal"]["ok"]
    assert customized.release("two").ok().kind == "update"
    sound(customized, "two", mark)
    still_there(customized)
    again = customized.release("two").ok()
    assert again.kind == "none" and not again.result["changed"]
    assert customized.release("one-a").ok().kind == "update"
    still_there(customized)


def test_left_to_upgrade(customized: Estate, mark: str) -> None:
    """As Odoo leaves one where nothing takes that back, and scheduled actions stand still: a release that has nothing else to do mends it."""
    customized.runs("one-a")
    customized.machine.sql(f"update ir_module_module set state = 'to upgrade' where name = '{THEME}';"
                           " insert into ir_config_parameter (key, value) values ('base.partially_updated_database', '1')")
    ran = customized.release("one-a").ok()
    assert ran.kind == "cron" and ran.result["changed"]
    still_there(customized)
    assert not customized.machine.sql("select 1 from ir_config_parameter where key = 'base.partially_updated_database'"), "the next start would be an update"
    customized.machine.sql(f"update ir_module_module set state = 'to upgrade' where name = '{THEME}'")
    assert customized.release("one-b").ok().kind == "code"
    sound(customized, "one-b", mark)
    still_there(customized)


def test_the_mark_is_gone(customized: Estate, mark: str) -> None:
    """base_import_module is uninstalled, and its column with it: refused until the operator says it, then updated and mended."""
    customized.runs("one-a")
    gone = {"install": [ADDON], "uninstall": ["base_import_module"]}
    unsaid = customized.release("one-a", modules=gone)
    assert unsaid.error == "module_needed" and THEME in unsaid.message
    customized.release("one-a", modules={**gone, "without_code": [THEME, BARE]}).ok()
    try:
        refused = customized.release("two")
        assert refused.error == "module_missing" and THEME in refused.message and BARE in refused.message
        assert "studio_customization" not in refused.message and "instance_modules_without_code" in refused.message
        assert customized.release("two", modules={"install": [ADDON], "without_code": [THEME]}).error == "module_missing"
        wishes = {"modules": {"install": [ADDON], "without_code": [THEME, BARE]}}
        assert customized.release("two", **wishes).ok().kind == "update"
        sound(customized, "two", mark)
        still_there(customized)
        needed = customized.release("two", modules={"install": [], "uninstall": [ADDON], "without_code": [THEME, BARE]})
        assert needed.error == "module_needed" and THEME in needed.message
        assert customized.release("one-a", **wishes).ok().kind == "update"
        still_there(customized)
    finally:
        customized.release("one-a", modules={"install": [ADDON, "base_import_module"], "without_code": [THEME, BARE]}).ok()
        customized.machine.sql(f"update ir_module_module set imported = true where name in ('{THEME}', '{BARE}', 'studio_customization')")


def test_what_has_code_is_none(customized: Estate) -> None:
    """A mark on a module that the running release holds, and one whose Python made models, are not believed."""
    customized.runs("one-a")
    sql = customized.machine.sql
    sql("insert into ir_module_module (name, state, latest_version, imported) values ('lost_module', 'installed', '1.0', true)")
    model = sql("select id from ir_model where model = 'res.partner'")
    sql(f"insert into ir_model_data (name, module, model, res_id) values ('model_res_partner', 'lost_module', 'ir.model', {model})")
    try:
        refused = customized.release("one-b", modules={"install": [ADDON], "without_code": ["lost_module"]})
        assert refused.error == "module_missing" and "its Python made" in refused.message
    finally:
        sql("delete from ir_module_module where name = 'lost_module'; delete from ir_model_data where module = 'lost_module'")


def test_adopted(customized: Estate, mark: str) -> None:
    """As an Odoo that ran otherwise so far: nothing was ever released on it."""
    customized.runs("one-a")
    sql = customized.machine.sql
    sql("create table kept as table sysgenpro.applied; delete from sysgenpro.applied")
    try:
        assert customized.release("one-a", adopt=True).ok().kind == "adopt"
        sound(customized, "one-a", mark)
        still_there(customized)
    finally:
        sql("drop table kept")
