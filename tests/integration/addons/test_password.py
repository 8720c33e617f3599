# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first password of a new database, as real Odoo takes it; and that those which everybody knows open nothing any more."""

from __future__ import annotations

from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.way_in import WayIn

import re
from collections.abc import Iterator

import pytest
import rig as rigs
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.database import Database
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.people import first_password

# As the lookup makes them, and as people write them.
WORDS = ["kX3v-_9QpL0aZt7WmRbYc2Nf4hGdUeSj", "Größe: 'süß' {{ x }} $HOME \\ 東京"]


@pytest.fixture
def kept(rig: rigs.Rig, blue: rigs.Odoo) -> Iterator[None]:
    """What the other tests log in with comes back."""
    rig.sql("create table sgp_kept as select id, password from res_users")
    yield
    rig.sql("update res_users u set password = k.password from sgp_kept k where k.id = u.id; drop table sgp_kept")


def logs_in(odoo: rigs.Odoo, login: str, password: str) -> bool:
    browser = rigs.Browser()
    form = browser.request("GET", f"{odoo.url}/web/login").text
    token = re.search(r'name="csrf_token"\s+value="([^"]+)', form)
    assert token
    answer = browser.request("POST", f"{odoo.url}/web/login", data={"csrf_token": token.group(1), "login": login, "password": password})
    return answer.status_code in (302, 303)


@pytest.mark.parametrize("word", WORDS)
def test_who_may_log_in(rig: rigs.Rig, blue: rigs.Odoo, kept: None, word: str) -> None:
    known = [("admin", "admin"), ("demo", "demo")]
    assert logs_in(blue, *known[0])
    told = first_password(Database(rigs.DATABASE, WayIn(str(rig.directory / "sock"), 5432)), word)
    assert told["administrator"] == ["admin"] and "demo" in told["without_password"]
    assert logs_in(blue, "admin", word)
    assert not any(logs_in(blue, *each) for each in known)
    assert rig.sql("select count(*) from res_users where password is not null") == "1"
    assert rig.sql(f"select count(*) from res_users where password like '%{WORDS[0]}%'") == "0"
    # Once more, as after a kill in between.
    first_password(Database(rigs.DATABASE, WayIn(str(rig.directory / "sock"), 5432)), word)
    assert logs_in(blue, "admin", word)


def test_without_an_administrator(rig: rigs.Rig, blue: rigs.Odoo, kept: None) -> None:
    """Nothing is changed where it is not known whose it would be."""
    rig.sql("update ir_model_data set name = 'x_user_admin' where module = 'base' and name = 'user_admin'")
    try:
        with pytest.raises(DomainError) as error:
            first_password(Database(rigs.DATABASE, WayIn(str(rig.directory / "sock"), 5432)), WORDS[0])
    finally:
        rig.sql("update ir_model_data set name = 'user_admin' where module = 'base' and name = 'x_user_admin'")
    assert error.value.code == "no_administrator" and logs_in(blue, "admin", "admin")
