# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A zip imported by Odoo's own wizard, and what an update of what it depends on leaves: the oldest series beside the newest, without a machine around."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release import odoo_run
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.config import odoo_conf
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.model import desired
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.without_code import without_code
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.samples import module, params, record

from .test_found import IMAGE, SERIES, Base, Cluster, cluster, run_odoo  # noqa: F401

pytestmark = pytest.mark.slow

_IMPORT = """
import base64
with open("/run/postgresql-instance/theme.zip", "rb") as stream:
    env["base.import.module"].create({"module_file": base64.b64encode(stream.read())}).import_module()
env.cr.commit()
"""


def theme() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("shop_theme/__manifest__.py", "{'name': 'Theme', 'license': 'LGPL-3', 'author': 'x', 'depends': ['base_setup'], 'data': ['data.xml']}")
        archive.writestr("shop_theme/data.xml", "<odoo><record id='one' model='res.partner'><field name='name'>Shop</field></record></odoo>")
    return made.getvalue()


@pytest.mark.parametrize("series", SERIES)
def test_what_an_update_leaves_is_settled(cluster: Cluster, series: str) -> None:  # noqa: F811
    database = f"imported_{series[:2]}"
    names = {name: module(depends=()) for name in ("base_setup", "web", "base_import_module", "bus", "mail")}
    offered = record("it", series, **{"stock": None, **names})
    given = params(database__name=database, database__port=5999)
    conf = odoo_conf(given, offered, "update", "odoo", database).replace(",/opt/sysgenpro/addons", "")

    def odoo(**change: Any) -> None:
        code, output = run_odoo(cluster, IMAGE.format(series), conf, *odoo_run.command(offered, change, database))
        assert code == 0, output[-3000:]

    cluster.sql(f"create database {database} owner odoo encoding 'UTF8' template template0", "postgres")
    odoo(install=["base", "base_setup", "base_import_module"])
    (cluster.directory / "run" / "theme.zip").write_bytes(theme())
    (cluster.directory / "run" / "import.py").write_text(_IMPORT)
    code, output = run_odoo(cluster, IMAGE.format(series), conf, "sh", "-ec", f"odoo shell -d {database} --no-http < /run/postgresql-instance/import.py")
    assert code == 0, output[-3000:]
    base, wanted = Base(cluster, database), desired(given)
    state = base.with_origins(base.observe())
    assert without_code(wanted, state, offered.modules) == {"shop_theme"}
    # 14.0 does not write down what an imported module depends on, so no update takes it along.
    assert state.origins.depends.get("shop_theme") == (None if series == "14.0" else ["base_setup"])
    assert {"base", "base_setup"} <= set(state.origins.with_models) and "shop_theme" not in state.origins.with_models
    assert "ar_001" in state.origins.languages
    odoo(update=["base_setup"])
    left = cluster.sql("select state from ir_module_module where name = 'shop_theme'", database)
    assert left == ("installed" if series == "14.0" else "to upgrade"), "this is what stopped scheduled actions"
    cluster.sql("update ir_module_module set state = 'to upgrade' where name = 'shop_theme'", database)
    with pytest.raises(DomainError, match="shop_theme"):
        odoo_run.check(base, {})
    odoo_run.settle(base, wanted, offered, {})
    odoo_run.check(base, {})
    assert cluster.sql("select count(*) from ir_model_data where module = 'shop_theme'", database) == "1"
