# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a copy quiet, by the tables and columns that its series has. That Odoo then sends nothing is in tests/integration/release."""

from __future__ import annotations

import sqlite3

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._odoo import neutralize
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.odoo import samples

# Of ir.mail_server, as its fields say: what is required there has no default in the database.
SERVERS = {
    14: ("name text not null", "smtp_host text not null", "smtp_port integer not null", "smtp_encryption text not null", "smtp_user text",
         "smtp_pass text", "active boolean"),
    15: ("name text not null", "smtp_host text not null", "smtp_port integer not null", "smtp_encryption text not null",
         "smtp_authentication text not null", "smtp_user text", "smtp_pass text", "from_filter text", "active boolean"),
    19: ("name text not null", "smtp_host text", "smtp_port integer", "smtp_encryption text not null", "smtp_authentication text not null",
         "smtp_user text", "smtp_pass text", "from_filter text", "active boolean"),
}


@pytest.mark.parametrize("series", SERVERS)
@pytest.mark.parametrize("before", ["none", "a shop's own", "Odoo's barrier too"])
def test_one_mail_server_is_left_and_leads_nowhere(series: int, before: str) -> None:
    """Without an active one Odoo sends by the configuration's ``smtp_server``."""
    database = sqlite3.connect(":memory:")
    database.execute(f"create table ir_mail_server ({', '.join(SERVERS[series])})")
    own, odoos = ("mail.example.com", True, "shop", "secret"), ("invalid", True, None, None)
    rows = {"none": [], "a shop's own": [("Shop", *own)], "Odoo's barrier too": [("Shop", *own), (neutralize.BARRIER, *odoos)]}[before]
    further = ("smtp_authentication", "login") if series > 14 else ()
    for name, host, active, user, password in rows:
        given = {"name": name, "smtp_host": host, "smtp_port": 25, "smtp_encryption": "none", "active": active, "smtp_user": user, "smtp_pass": password,
                 **dict([further] if further else [])}
        database.execute(f"insert into ir_mail_server ({', '.join(given)}) values ({', '.join('?' * len(given))})", list(given.values()))
    columns = {column.split()[0] for column in SERVERS[series]}
    for _twice in range(2):
        for statement in neutralize.statements({"ir_mail_server": columns}):
            # SQLite wants a list after select, PostgreSQL none.
            database.execute(statement.replace("(select from", "(select 1 from"))
    assert database.execute("select name, smtp_host from ir_mail_server where active").fetchall() == [(neutralize.BARRIER, "invalid")]
    assert not database.execute("select 1 from ir_mail_server where smtp_host <> 'invalid' or smtp_user is not null or smtp_pass is not null").fetchall()


@pytest.mark.parametrize(("there", "expected"), [
    ({}, []),
    ({"delivery_carrier": {"name"}}, []),
    ({"delivery_carrier": {"active", "delivery_type", "prod_environment"}},
     ["update delivery_carrier set active = false where delivery_type not in ('fixed', 'base_on_rule')",
      "update delivery_carrier set prod_environment = false"]),
    ({"payment_acquirer": {"state", "stripe_secret_key"}},
     ["update payment_acquirer set state = 'disabled' where state = 'enabled'", "update payment_acquirer set stripe_secret_key = null"]),
    ({"res_users": {"login", "google_calendar_rtoken"}}, ["update res_users set google_calendar_rtoken = null"]),
    ({"google_calendar_credentials": {"calendar_rtoken", "synchronization_stopped"}},
     ["update google_calendar_credentials set calendar_rtoken = null, synchronization_stopped = true"]),
    ({"mail_push": {"id"}, "mail_push_device": {"id"}}, ["delete from mail_push", "delete from mail_push_device"]),
    ({"base_automation": {"active", "trigger"}}, ["update base_automation set active = false where trigger = 'on_webhook'"]),
    ({"website": {"domain", "cdn_activated"}}, ["update website set domain = null, cdn_activated = false"]),
    ({"fetchmail_server": {"active", "password"}}, ["update fetchmail_server set active = false, password = null"]),
    ({"ir_act_server": {"state"}}, []),
    ({"ir_cron": {"active"}}, ["update ir_cron set active = false"]),
])
def test_only_what_is_there_is_touched(there: dict[str, set[str]], expected: list[str]) -> None:
    assert neutralize.statements(there) == expected


def test_series_that_neutralize_themselves() -> None:
    assert neutralize.command(samples.record(series="19.0"), "acme") == ["/usr/bin/odoo", "neutralize", "-d", "acme"]
    assert neutralize.command(samples.record(series="14.0"), "acme") is None
