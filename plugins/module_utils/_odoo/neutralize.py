# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping a copy of a shop from acting as the shop: no mail, no scheduled action, no webhook, no payment.

From 16.0 on Odoo brings ``odoo neutralize`` with a script in each module; it leaves logins of mail servers behind and passes over modules whose
code is not there. What is here comes on top, for every series, table by table where the table is there.
"""

from __future__ import annotations

from .database import Database
from .record import Record
from .series import series_of

# Statement by the table it needs, and the columns of it that it needs.
STATEMENTS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("ir_cron", ("active",), "update ir_cron set active = false"),
    ("ir_mail_server", ("active",), "update ir_mail_server set active = false"),
    ("ir_mail_server", ("smtp_user", "smtp_pass"), "update ir_mail_server set smtp_user = null, smtp_pass = null"),
    ("fetchmail_server", ("active",), "update fetchmail_server set active = false"),
    ("fetchmail_server", ("password",), "update fetchmail_server set password = null"),
    ("mail_mail", ("state",), "update mail_mail set state = 'cancel' where state in ('outgoing', 'exception')"),
    ("sms_sms", ("state",), "delete from sms_sms where state in ('outgoing', 'process', 'pending')"),
    ("payment_acquirer", ("state",), "update payment_acquirer set state = 'disabled' where state = 'enabled'"),
    ("payment_provider", ("state",), "update payment_provider set state = 'disabled' where state = 'enabled'"),
    ("ir_act_server", ("state", "webhook_url"), "update ir_act_server set webhook_url = 'http://neutralized.invalid/' where webhook_url is not null"),
    ("base_automation", ("active", "url"), "update base_automation set active = false where url is not null"),
    ("iap_account", ("account_token",), "update iap_account set account_token = account_token || '+disabled' where account_token not like '%+disabled'"),
    ("auth_oauth_provider", ("enabled",), "update auth_oauth_provider set enabled = false"),
    ("ir_config_parameter", ("key",), "delete from ir_config_parameter where key in ('database.enterprise_code', 'mail.catchall.domain')"),
    ("ir_config_parameter", ("key",), "update ir_config_parameter set value = gen_random_uuid()::text where key = 'database.uuid'"),
)
COLUMNS = (
    "select table_name, array_agg(column_name::text) from information_schema.columns where table_schema = 'public' and table_name = any(%s)"
    " group by 1"
)


def neutralize(database: Database) -> int:
    """Carry out ``STATEMENTS`` in one transaction. Returns how many."""
    done = 0
    with database.session() as cursor:
        cursor.execute(COLUMNS, ([table for table, _columns, _statement in STATEMENTS],))
        there = {table: set(columns) for table, columns in cursor.fetchall()}
        cursor.execute("begin")
        for table, columns, statement in STATEMENTS:
            if set(columns) <= there.get(table, set()):
                cursor.execute(statement)
                done += 1
        cursor.execute("commit")
    return done


def command(record: Record, database: str) -> list[str] | None:
    """What the one-off container runs; None where the series has no such command."""
    if series_of(record.series).number < 16:
        return None
    return [*record.command, "neutralize", "-d", database]
