# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is released beside an image goes the same path: modules that come and go, languages, configuration, secrets."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from estate import Estate, sound
from estate.edge import ORDINARY, shop, unharmed
from estate.machine import ROOT, Ran
from estate.place import HOST, INSTANCE
from estate.sources import ADDON, EXTRA

pytestmark = [pytest.mark.slow, pytest.mark.dear]

ROLES = ("blue_web", "blue_cron", "green_web", "green_cron", "update")


@pytest.fixture
def plain(estate: Estate) -> Iterator[None]:
    """Before and after, the instance runs ``one-a`` as its inventory says, without the other add-on and its language."""
    estate.runs("one-a")
    yield
    estate.release("one-a", modules={"install": [ADDON], "uninstall": [EXTRA]}).ok()
    estate.machine.sql("update res_lang set active = false where code = 'fr_FR'")
    estate.runs("one-a")


def once(estate: Estate, kind: str, **wishes: Any) -> Ran:
    """Release ``one-a`` with these wishes. Fails unless it is of that class, and once more changes nothing."""
    ran = estate.release("one-a", **wishes).ok()
    assert ran.kind == kind, ran.result["plan"]
    again = estate.release("one-a", **wishes).ok()
    assert again.kind == "none" and not again.result["changed"], again.result["plan"]
    return ran


def state_of(estate: Estate, module: str) -> str:
    return estate.machine.sql(f"select state from ir_module_module where name = '{module}'")


def test_module_and_language_come_and_module_goes(
    estate: Estate, mark: str, plain: None, figure: Callable[[str], None], tmp_path: Path,
) -> None:
    """Installed with its data and in a language, kept by a release of code, uninstalled with all that it brought, and with nothing else."""
    sql = estate.machine.sql
    french = "select coalesce(active, false) from res_lang where code = 'fr_FR'"
    assert state_of(estate, EXTRA) != "installed" and sql(french) == "f"
    wishes: dict[str, Any] = {"modules": {"install": [ADDON, EXTRA]}, "languages": ["fr_FR"]}
    with shop(estate, HOST, tmp_path, ORDINARY) as load:
        came = once(estate, "update", **wishes)
        sound(estate, "one-a", mark)
        assert state_of(estate, EXTRA) == "installed" and sql(french) == "t"
        assert sql("select name->>'en_US', name->>'fr_FR' from fault_basket") == "Basket of the module|Panier du module"
        assert sql("select name->>'fr_FR' from res_country where code = 'DE'") == "Allemagne", "what was installed before is not translated"
        sql("insert into fault_basket (name) values ('{\"en_US\": \"somebody''s\"}')")
        assert estate.release("one-b", **wishes).ok().kind == "code"
        sound(estate, "one-b", mark)
        assert sql("select count(*) from fault_basket") == "2"
        estate.release("one-a", **wishes).ok()
        went = once(estate, "update", modules={"install": [ADDON], "uninstall": [EXTRA]}, languages=["fr_FR"])
    sound(estate, "one-a", mark)
    assert state_of(estate, EXTRA) == "uninstalled" and state_of(estate, ADDON) == "installed"
    assert sql("select to_regclass('fault_basket') is null") == "t", "its table is still there"
    assert sql(f"select count(*) from ir_model_data where module = '{EXTRA}'") == "0"
    assert sql("select count(*) from ir_model where model = 'fault.basket'") == "0"
    figure("installed in {:.1f} s, uninstalled in {:.1f} s of pause: {}".format(
        came.result["operation"]["pause"], went.result["operation"]["pause"], unharmed(load, ORDINARY)))


def test_configuration_alone(estate: Estate, mark: str, plain: None, figure: Callable[[str], None], tmp_path: Path) -> None:
    """A release of code: the new colour has it, and the database is not touched."""
    with shop(estate, HOST, tmp_path, ORDINARY) as load:
        ran = once(estate, "code", config={"limit_time_real": 333})
        seen = sound(estate, "one-a", mark)
        conf = estate.machine.sh(f"cat {ROOT}/{INSTANCE}/config/{seen.colour}-web/odoo.conf")
        assert "limit_time_real = 333" in conf.splitlines(), conf
        assert not ran.result["operation"]["pause"]
    figure(unharmed(load, ORDINARY))


def change_secrets(estate: Estate, keys: tuple[str, ...]) -> dict[str, str]:
    """Give the instance's vault file other values, as ``ansible-vault edit`` does. Returns them."""
    path = estate.state / "secrets" / "test" / f"{INSTANCE}.yml"
    vault = [str(Path(sys.executable).with_name("ansible-vault"))]
    identity = ["--vault-id", f"test@{estate.state / 'vault'}"]
    held = subprocess.run([*vault, "view", *identity, str(path)], capture_output=True, text=True, check=True, env=estate.environment()).stdout
    new = {key: f"Ö'{secrets.token_urlsafe(12)} \"$HOME {{{{ 1 }}}}" for key in keys}
    text = json.dumps({**yaml.safe_load(held), **new}, ensure_ascii=False)
    subprocess.run([*vault, "encrypt", *identity, "--encrypt-vault-id", "test", "--output", str(path), "-"], input=text, text=True, check=True,
                   capture_output=True, env=estate.environment())
    return new


def test_other_secrets(estate: Estate, mark: str, plain: None, figure: Callable[[str], None], tmp_path: Path) -> None:
    """Passwords of database and session store are changed by ``site`` and ``release``: nobody is logged out, and the old ones are of no use."""
    socket = f"/run/sysgenpro/{INSTANCE}/postgresql"
    role = "fault_one_{}".format

    def may_log_in(name: str, password: str) -> bool:
        address = f"host={socket} port=5501 dbname=fault_one user={role(name)}"
        return "1" in estate.machine.sh(f"PGPASSWORD=$(cat) psql -XAtw '{address}' -c 'select 1' 2>/dev/null", password, check=False)

    before = estate.machine.parameters({})
    old, name = before["database"]["passwords"], f"{sound(estate, 'one-a', mark).colour}_web"
    assert may_log_in(name, old[name]), "the test's own way to log in does not work"
    with shop(estate, HOST, tmp_path, ORDINARY) as load:
        new = change_secrets(estate, (*(f"database_{each}" for each in ROLES), "session"))
        estate.play("site")
        estate.play("release", instance_release="one-a", release_reason="other secrets")
        seen = sound(estate, "one-a", mark)
        assert estate.machine.sql("select class from sysgenpro.applied order by id desc limit 1") == "code"
    estate.take()
    again = estate.play("release", instance_release="one-a")
    assert again.changed == 0, again.output[-1000:]
    name = f"{seen.colour}_web"
    assert may_log_in(name, new[f"database_{name}"]) and not may_log_in(name, old[name])
    held = estate.machine.sh(f"cat {ROOT}/{INSTANCE}/config/{seen.colour}-web/session-password")
    assert held.strip() == new["session"] != before["session"]["password"]
    figure(unharmed(load, ORDINARY))
