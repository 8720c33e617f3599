# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator may ask for."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.names import other
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.text import joined
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.model import RESERVED, desired
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.daemon import Daemon
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.docker import DockerRuntime
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.front import MachineFront
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.samples import (
    PASSWORDS,
    params,
    release,
)
from hypothesis import given
from hypothesis import strategies as st

R1 = release("r1")
WITHOUT_GREEN = {key: value for key, value in PASSWORDS.items() if key != "green_web"}
BAD: list[tuple[str, Any, str]] = [
    ("instance", "Acme", "instance"), ("instance", "a" * 41, "instance"), ("instance", "../etc", "instance"),
    ("instance", "", "instance"), ("instance", "acme\n", "instance"),
    ("subnet", "172.28.1.5/24", "subnet"), ("subnet", "fd00::/64", "subnet"), ("subnet", "172.28.1.0/28", "subnet"),
    ("subnet", "here", "subnet"),
    ("uid", 0, "uid"), ("uid", -1, "uid"),
    ("database__name", "acme; drop", "database.name"), ("database__name", "a" * 49, "database.name"),
    ("database__name", "$(id)", "database.name"), ("database__port", 0, "database.port"),
    ("database__passwords", WITHOUT_GREEN, "database.passwords"),
    ("database__passwords", {**PASSWORDS, "update": ""}, "database.passwords"),
    ("config", {"db_host": "x"}, "config"), ("config", {"DB_HOST": "x"}, "config"), ("config", {"db_host ": "x"}, "config"),
    ("config", {"a\ndb_password": "x"}, "config"), ("config", {"[options]": "x"}, "config"),
    *(("config", {name: "secret of it"}, "config") for name in (
        "admin_passwd", "smtp_password", "password", "proxy_token", "my_secret", "key_passphrase")),
    ("config_secrets", {"db_password": "secret of it"}, "config_secrets"), ("config_secrets", {"A": "secret of it"}, "config_secrets"),
    ("environment_variables", {"SMTP_PASSWORD": "secret of it"}, "environment_variables"),
    ("environment_variables", {"TOKEN": "secret of it"}, "environment_variables"),
    ("processes__web_memory", "much", "processes.web_memory"), ("processes__cron_memory", "", "processes.cron_memory"),
    ("processes__web_workers", 0, "processes.web_workers"), ("processes__db_maxconn", 0, "processes.db_maxconn"),
    ("processes__cron_threads", -1, "processes.cron_threads"), ("processes__web_cpus", -0.5, "processes.web_cpus"),
    ("bounds__drain", -1, "bounds.drain"), ("bounds__max_pause", -1, "bounds.max_pause"),
    ("languages", ["french"], "languages"), ("languages", ["fr_FR; rm"], "languages"), ("languages", ["fr-FR"], "languages"),
    ("languages", ["FR_fr"], "languages"), ("languages", ["fr_FR@"], "languages"), ("languages", ["fr_FR'"], "languages"),
    ("modules__install", ["stock,sale"], "modules.install"), ("modules__uninstall", ["a b"], "modules.uninstall"),
    ("modules__install", ["$(id)"], "modules.install"),
    ("bounds__updates_at_once", 0, "bounds.updates_at_once"),
    ("purge", "another", "purge"),
]


@pytest.mark.parametrize(("field", "value", "named"), BAD)
def test_bad_input_names_the_field(field: str, value: Any, named: str) -> None:
    with pytest.raises(DomainError) as error:
        desired(params(release=R1.reference, **{field: value}))
    assert error.value.code == "bad_input"
    assert error.value.message.startswith(named + " is ") and ", expected " in error.value.message
    assert error.value.unchanged == "Nothing was changed"
    assert "secret of" not in str(error.value)


@pytest.mark.parametrize("option", sorted(RESERVED))
def test_what_the_platform_sets_itself_is_refused(option: str) -> None:
    with pytest.raises(DomainError, match=option):
        desired(params(config={option: "x"}))


def test_a_module_in_both_lists() -> None:
    with pytest.raises(DomainError, match="modules is 'stock', expected a module in one of"):
        desired(params(modules__install=["stock", "sale"], modules__uninstall=["stock"]))


@pytest.mark.parametrize("text", ["registry:5000/odoo:r1", "odoo", R1.reference[:-1], R1.reference + "0", ""])
def test_only_a_digest_names_a_release(text: str) -> None:
    if text:
        with pytest.raises(DomainError) as error:
            desired(params(release=text))
        assert error.value.code == "not_a_digest"
    else:
        assert desired(params(release=text)).reference is None


@pytest.mark.parametrize("state", ["planned", "absent"])
def test_a_plan_needs_no_passwords(state: str) -> None:
    assert desired(params(database__passwords={}, state=state)).state == state


def test_addresses_follow_the_number() -> None:
    wanted = desired(params(subnet="172.28.7.0/24"))
    runtime = DockerRuntime(Daemon.__new__(Daemon), wanted.instance, wanted.directory, wanted.params["subnet"], 20007, {})
    assert (runtime.address("green-web"), runtime.address("update"), runtime.address("rehearsal")) == ("172.28.7.21", "172.28.7.31", "172.29.7.41")
    assert MachineFront(wanted.instance, wanted.params["subnet"]).address == "172.28.7.2"
    assert wanted.filestore == "/var/lib/sysgenpro/instances/acme-production/data/filestore/acme_production"


def test_the_other_colour() -> None:
    assert (other("blue"), other("green"), other(None)) == ("green", "blue", "blue")


def test_names_for_a_sentence() -> None:
    assert joined(["a", "b"]) == "a, b"
    assert joined(list("abcdefghij"), 3) == "a, b, c and 7 more"


CHANGES: list[dict[str, Any]] = [
    {"config": {"limit_time_real": 1}}, {"environment_variables": {"A": "1"}}, {"config_secrets": {"smtp_password": "x"}}, {"processes__web_workers": 3},
    {"session__password": "another"}, {"session__socket": "/run/other.sock"}, {"database__port": 5502}, {"uid": 20009},
    {"database__passwords": {**PASSWORDS, "blue_web": "another"}}, {"subnet": "172.28.9.0/24"}, {"session": None},
]


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_of_configuration_is_seen(change: dict[str, Any]) -> None:
    assert desired(params(**change)).config_digest != desired(params()).config_digest


@pytest.mark.parametrize("change", [
    {"release": R1.reference}, {"bounds__drain": 9}, {"requested_by": "bob"}, {"state": "planned"}, {"reason": "x"}])
def test_what_no_container_is_given_changes_nothing(change: dict[str, Any]) -> None:
    assert desired(params(**change)).config_digest == desired(params()).config_digest


def test_secrets_are_in_no_digest_by_themselves() -> None:
    """Two instances with the same secret show different digests, and a plain hash of it is none of them."""
    one, two = (desired(params(instance=name)) for name in ("acme", "bodega"))
    assert one.config_digest != two.config_digest
    for key in ("config_secrets", "environment_variables"):
        given = [desired(params(instance=name, **{key: {"dsn": "x"}})).config_digest for name in ("acme", "bodega")]
        assert given[0] != given[1] != desired(params(instance="bodega", **{key: {"dsn": "y"}})).config_digest


def test_an_option_is_given_once() -> None:
    with pytest.raises(DomainError, match="config is 'dsn', expected an option in one of"):
        desired(params(config={"dsn": "x"}, config_secrets={"dsn": "x"}))


@pytest.mark.parametrize("name", ["smtp_server", "smtp_ssl_private_key_filename", "limit_time_real", "passwordless", "tokens_per_minute"])
def test_what_is_no_secret_by_its_name(name: str) -> None:
    desired(params(config={name: "x"}, environment_variables={name.upper(): "x", "PROBE_TOKEN_FILE": "/x"}))


@given(st.text(max_size=50))
def test_any_instance_name_is_taken_or_refused(name: str) -> None:
    try:
        assert desired(params(instance=name)).instance == name
        assert "/" not in name and name.islower()
    except DomainError as error:
        assert error.code == "bad_input"
