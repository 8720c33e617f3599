# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real changes to real modules, and the class each should get. Edits work on a copy of an Odoo tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Edit = Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """One change.

    :param module: that is changed. :param edit: does it, given the add-ons directory.
    :param expected: ``update``, ``code`` or ``none`` (not even the image's digests tell a difference).
    :param series: where the change can be made. :param why: where click-odoo-update chooses otherwise.
    """

    title: str
    module: str
    edit: Edit
    expected: str
    series: tuple[str, ...] = ("14.0", "19.0")
    why: str = ""


def replaced(path: str, pattern: str, by: str) -> Edit:
    def edit(addons: Path) -> None:
        file = addons / path
        text, count = re.subn(pattern, by, file.read_text(), count=1, flags=re.MULTILINE)
        assert count == 1, f"{path} has no {pattern}"
        file.write_text(text)

    return edit


def body(path: str, function: str) -> Edit:
    """Put a statement at the start of a function's body."""

    def edit(addons: Path) -> None:
        file = addons / path
        lines = file.read_text().splitlines(keepends=True)
        found = [n for n in ast.walk(ast.parse("".join(lines))) if isinstance(n, ast.FunctionDef) and n.name == function]
        first = found[0].body[0]
        lines.insert(first.lineno - 1, " " * first.col_offset + "changed = True\n")
        file.write_text("".join(lines))

    return edit


def added(path: str, text: str) -> Edit:
    def edit(addons: Path) -> None:
        (addons / path).parent.mkdir(parents=True, exist_ok=True)
        with open(addons / path, "a", encoding="utf-8") as stream:
            stream.write(text)

    return edit


def touched(path: str) -> Edit:
    def edit(addons: Path) -> None:
        (addons / path).touch()
        (addons / path).chmod(0o600)

    return edit


TEMPLATE = "product/models/product_template.py"
RUNTIME = "no table, view or record holds it, so an update would change nothing in the database"
CASES = [
    Case("a field is added", "product", replaced(TEMPLATE, r"^(    active = )", r"    shelf = fields.Char()\n\1"), "update"),
    Case("a field's default changes", "product", replaced(TEMPLATE, r"(sale_ok = .*)default=True", r"\1default=False"), "update"),
    Case("the function given as a default changes", "product", body(TEMPLATE, "_get_default_uom_id"), "update"),
    Case("a method's body changes", "product", body(TEMPLATE, "_compute_can_image_1024_be_zoomed"), "code", why=RUNTIME),
    Case("a method is added", "product", replaced(TEMPLATE, r"^(    @api.depends\('image_1920')", r"    def new(self):\n        pass\n\n\1"), "code", why=RUNTIME),
    Case("a comment and a docstring change", "product", replaced(TEMPLATE, r"^(class ProductTemplate\(.*\n)", r'\1    """New."""\n    # new\n'), "code", why=RUNTIME),
    Case("a decorator changes", "product", replaced(TEMPLATE, r"@api.depends\('image_1920', 'image_1024'\)", "@api.depends('image_1920')"), "update"),
    Case("a constant used by a field changes", "stock", replaced("stock/models/stock_move.py", r"'Urgent'", "'Very urgent'"), "update"),
    Case("a logger and an import nobody declares with are added", "stock", replaced("stock/models/stock_move.py", r"^(PROCUREMENT_PRIORITIES)", r"import logging\n_log = logging.getLogger(__name__)\n\1"), "code", why=RUNTIME),
    Case("a view is edited", "stock", replaced("stock/views/stock_menu_views.xml", r'name="', 'name="X '), "update"),
    Case("a data file is edited", "stock", replaced("stock/data/stock_data.xml", r"<odoo>", "<odoo><!-- x -->"), "update"),
    Case("access rights are edited", "stock", added("stock/security/ir.model.access.csv", "access_x,x,model_stock_move,base.group_user,1,0,0,0\n"), "update"),
    Case("an active language's translation changes", "stock", replaced("stock/i18n/fr.po", r'(?<=\n\n#. module: stock\n)((?:#.*\n)+msgid ".+"\n)msgstr ""?', r'\1msgstr "X'), "update"),
    Case("another language's translation changes", "stock", replaced("stock/i18n/de.po", r'(?<=\n\n#. module: stock\n)((?:#.*\n)+msgid ".+"\n)msgstr ""?', r'\1msgstr "X'), "none"),
    Case("a translation is exported anew (header only)", "stock", replaced("stock/i18n/fr.po", r'"POT-Creation-Date: [^\\]*', '"POT-Creation-Date: 2030-01-01 00:00+0000'), "none", why="only the export's date differs"),
    Case("a static file changes", "stock", added("stock/static/src/scss/new.scss", "a { color: red; }\n"), "code"),
    Case("the icon of the menu changes", "stock", added("stock/static/description/icon.png", "x"), "update", why="it ignores static/, but Odoo stores a copy of this file in the menu's row"),
    Case("a hook named in the manifest changes", "stock", body("stock/__init__.py", "pre_init_hook"), "update"),
    Case("a report's SQL view changes (method that init calls)", "sale", body("sale/report/sale_report.py", "_query"), "update", ("14.0",)),
    Case("the same, in an add-on that extends the report", "sale_stock", body("sale_stock/report/sale_report.py", "_query"), "update", ("14.0",)),
    Case("a report's query changes (_table_query)", "sale", body("sale/report/sale_report.py", "_select_sale"), "update", ("19.0",)),
    Case("only the version is bumped", "stock", replaced("stock/__manifest__.py", r"'version': '", "'version': '9."), "update"),
    Case("a dependency is added", "stock", replaced("stock/__manifest__.py", r"'depends': \[", "'depends': ['mail', "), "update"),
    Case("the manifest's summary changes", "stock", replaced("stock/__manifest__.py", r"'summary': '", "'summary': 'New "), "code", why="the text is in the list of apps only"),
    Case("an asset is added to the manifest", "stock", replaced("stock/__manifest__.py", r"'web.assets_backend': \[", "'web.assets_backend': ['stock/static/x.js', "), "code", ("19.0",), why="Odoo reads bundles from the manifest on disk since 15.0"),
    Case("demo data changes", "stock", replaced("stock/data/stock_demo.xml", r"<odoo>", "<odoo><!-- x -->"), "code", why="no retailer's database has demo data"),
    Case("a migration script is added", "stock", added("stock/migrations/9.9/pre-x.py", "def migrate(cr, version):\n    pass\n"), "update"),
    Case("a file with plain functions is added", "stock", added("stock/controllers/new.py", "def helper():\n    return 1\n"), "code", why=RUNTIME),
    Case("a test changes", "stock", added("stock/tests/common.py", "\nX = 1\n"), "code"),
    Case("a README is added", "stock", added("stock/README.rst", "new\n"), "code", why=RUNTIME),
    Case("file times and permissions change", "stock", touched("stock/models/stock_move.py"), "none"),
]  # fmt: skip
