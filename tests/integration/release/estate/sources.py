# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Release sources made for the faults: one small add-on in four variants, and beside it one that is installed and uninstalled.

``one-a`` and ``one-b`` differ in a method's body (class ``code``); either and ``two`` differ in a field (class ``update``, there and back
again); ``blank`` updates like ``two``, but its web client does not come up. What an update does beside that, a test says in the database
(``fault.during_update``), so that one image can fail in many ways.
"""

from __future__ import annotations

from pathlib import Path

ADDON = "sgp_fault"
EXTRA = "sgp_extra"
NAMES = ("one-a", "one-b", "two", "blank")
FIELD = {"one-a": "alpha", "one-b": "alpha", "two": "beta", "blank": "beta"}

_INIT = "from . import controllers\nfrom . import models\n"

_CONTROLLERS = '''\
import time

from odoo import http


class Fault(http.Controller):
    @http.route("/fault/release", type="http", auth="none", methods=["GET"], save_session=False)
    def release(self):
        return http.Response("{name}", content_type="text/plain")

    @http.route("/fault/slow", type="http", auth="none", methods=["GET"], save_session=False)
    def slow(self, seconds="1"):
        time.sleep(float(seconds))
        return http.Response("{name}", content_type="text/plain")
'''

_MODELS = '''\
import time

from odoo import api, fields, models


class FaultThing(models.Model):
    _name = "fault.thing"
    _description = "What must not be lost"

    name = fields.Char(required=True)
    {field} = fields.Char()

    def _parameter(self, key):
        return self.env["ir.config_parameter"].sudo().get_param("fault." + key) or ""

    @api.model
    def _during_update(self):
        """What a release's own data and migrations may do in an update."""
        what, _blank, value = self._parameter("during_update").partition(" ")
        if what == "sleep":
            time.sleep(float(value))
        elif what == "raise":
            self.search([]).write({{"name": "torn"}})
            self.env.cr.commit()
            raise ValueError("the shelves of 3 products cannot be told: " + value)
        elif what == "fill":
            self.env.cr.execute("create table fault_filler as select repeat(md5(g::text), 60) t from generate_series(1, %s) g", [int(value)])

    @api.model
    def _cron_sleep(self):
        """Says when it begins, whatever becomes of it, and when it has come to its end."""
        with self.env.registry.cursor() as beginning:
            beginning.execute("insert into fault_thing (name) values ('shelves begun')")
        time.sleep(float(self._parameter("cron_seconds") or 0))
        self.env.cr.execute("insert into fault_thing (name) values ('shelves counted')")
'''

_DATA = """\
<?xml version="1.0" encoding="utf-8"?>
<odoo>
    <function model="fault.thing" name="_during_update"/>
    <record id="cron_sleep" model="ir.cron" forcecreate="True">
        <field name="name">Count the shelves</field>
        <field name="model_id" ref="model_fault_thing"/>
        <field name="state">code</field>
        <field name="code">model._cron_sleep()</field>
        <field name="interval_number">1</field>
        <field name="interval_type">days</field>
        <field name="active" eval="False"/>{numbercall}
    </record>
</odoo>
"""

# Before 18.0 a scheduled action ran once unless it said otherwise.
_NUMBERCALL = '\n        <field name="numbercall" eval="-1"/>'

_MANIFEST = """\
{{
    "name": "Faults",
    "version": "1.0",
    "license": "LGPL-3",
    "author": "SysGenPro",
    "depends": ["web", "bus"],
    "data": ["security/ir.model.access.csv", "data/fault.xml"],
    "assets": {{{assets}}},
}}
"""

_ACCESS = "id,name,model_id:id,group_id:id,perm_read,perm_write,perm_create,perm_unlink\nthing,thing,model_fault_thing,base.group_user,1,1,1,1\n"

# Beside it, and the same in every variant: a module with a table, a record and a translation of its own.
_EXTRA_FILES = {
    "__init__.py": "from . import models\n",
    "models/__init__.py": "from . import basket\n",
    "models/basket.py": """\
from odoo import fields, models


class FaultBasket(models.Model):
    _name = "fault.basket"
    _description = "What comes and goes with its module"

    name = fields.Char(required=True, translate=True)
""",
    "security/ir.model.access.csv":
        "id,name,model_id:id,group_id:id,perm_read,perm_write,perm_create,perm_unlink\nbasket,basket,model_fault_basket,base.group_user,1,1,1,1\n",
    "data/basket.xml": """\
<?xml version="1.0" encoding="utf-8"?>
<odoo>
    <record id="first" model="fault.basket">
        <field name="name">Basket of the module</field>
    </record>
</odoo>
""",
    "i18n/fr.po": """\
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Language: fr\\n"

#. module: sgp_extra
#: model:fault.basket,name:sgp_extra.first
msgid "Basket of the module"
msgstr "Panier du module"
""",
    "__manifest__.py": """\
{
    "name": "Baskets",
    "version": "1.0",
    "license": "LGPL-3",
    "author": "SysGenPro",
    "depends": ["sgp_fault"],
    "data": ["security/ir.model.access.csv", "data/basket.xml"],
}
""",
}

_BLANK_ASSETS = '"web.assets_web": [("replace", "web/static/src/main.js", "sgp_fault/static/src/main.js")]'
_BLANK_MAIN = 'import { startWebClient } from "@web/start";\nimport { Client } from "@sgp_fault/forgotten";\n\nstartWebClient(Client);\n'


def names(series: str) -> tuple[str, ...]:
    """The variants there are for a series: before 15.0 a manifest names no assets, so there is no ``blank``."""
    return NAMES if int(series.split(".")[0]) >= 15 else NAMES[:-1]


def write(directory: Path, series: str, further: str = "") -> list[Path]:
    """Write all variants below ``directory`` and return their source files.

    :param series: of Odoo. :param further: what each source says beside its own.
    """
    found = []
    number = int(series.split(".")[0])
    for name in names(series):
        addon = directory / "addons" / name / ADDON
        files = {
            "__init__.py": _INIT, "controllers/__init__.py": "from . import main\n", "models/__init__.py": "from . import thing\n",
            "controllers/main.py": _CONTROLLERS.format(name=name), "models/thing.py": _MODELS.format(field=FIELD[name]),
            "data/fault.xml": _DATA.format(numbercall=_NUMBERCALL if number < 18 else ""), "security/ir.model.access.csv": _ACCESS,
            "__manifest__.py": _MANIFEST.format(assets=_BLANK_ASSETS if name == "blank" else ""),
        }
        if name == "blank":
            files["static/src/main.js"] = _BLANK_MAIN
        for path, text in files.items():
            _write(addon / path, text)
        for path, text in _EXTRA_FILES.items():
            _write(addon.parent / EXTRA / path, text)
        source = directory / f"{name}.yml"
        _write(source, f'name: {name}\nseries: "{series}"\nbase: odoo-{series}\naddons:\n  - name: fault\n    path: addons/{name}\n{further}')
        found.append(source)
    return found


def _write(path: Path, text: str) -> None:
    """Leave a file that says the same alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
