# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping a copy of a shop from acting as the shop: no mail, no scheduled action, no webhook, no payment.

From 16.0 on Odoo brings ``odoo neutralize`` with a script in each module; it leaves logins of mail servers behind and passes over modules whose
code is not there. Before 16.0, and for a backup that is imported before there is an image, there is nothing. What is here comes on top, for
every series, table by table where the table is there.
"""

from __future__ import annotations

from collections.abc import Mapping

from .database import Database
from .record import Record
from .series import series_of

# The server that Odoo's own script makes. Without an active one Odoo sends by the configuration's smtp_server.
BARRIER = "neutralization - disable emails"
_NO_SERVER = "where not exists (select from ir_mail_server where active)"

# Statement by the table it needs, and the columns of it that it needs.
STATEMENTS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("ir_cron", ("active",), "update ir_cron set active = false"),
    # A template or a mail may name its server, and 14.0 and 15.0 then send by one that is archived: all lead nowhere.
    ("ir_mail_server", ("active", "smtp_host"),
     " ".join(("update ir_mail_server set smtp_host = 'invalid', active =", f"(name = '{BARRIER}')"))),
    # The column is required where it is there, from 15.0 on.
    ("ir_mail_server", ("active", "smtp_authentication"),
     "insert into ir_mail_server (name, smtp_port, smtp_host, smtp_encryption, active, smtp_authentication)"
     f" select '{BARRIER}', 1025, 'invalid', 'none', true, 'login' {_NO_SERVER}"),
    ("ir_mail_server", ("active",),
     "insert into ir_mail_server (name, smtp_port, smtp_host, smtp_encryption, active)"
     f" select '{BARRIER}', 1025, 'invalid', 'none', true {_NO_SERVER}"),
    ("mail_mail", ("state",), "update mail_mail set state = 'cancel' where state in ('outgoing', 'exception')"),
    ("mail_message_schedule", (), "delete from mail_message_schedule"),
    ("mail_scheduled_message", (), "delete from mail_scheduled_message"),
    ("mailing_mailing", ("state",), "update mailing_mailing set state = 'draft' where state in ('in_queue', 'sending')"),
    ("sms_sms", ("state",), "delete from sms_sms where state in ('outgoing', 'process', 'pending')"),
    ("snailmail_letter", ("state",), "update snailmail_letter set state = 'canceled' where state in ('pending', 'in_progress')"),
    ("social_post", ("state",), "update social_post set state = 'draft' where state in ('scheduled', 'posting')"),
    # Push notifications: 17.0, then 18.0 and on.
    ("mail_notification_web_push", (), "delete from mail_notification_web_push"),
    ("mail_partner_device", (), "delete from mail_partner_device"),
    ("mail_push", (), "delete from mail_push"),
    ("mail_push_device", (), "delete from mail_push_device"),
    ("payment_acquirer", ("state",), "update payment_acquirer set state = 'disabled' where state = 'enabled'"),
    ("payment_provider", ("state",), "update payment_provider set state = 'disabled' where state = 'enabled'"),
    ("ir_act_server", ("state", "webhook_url"), "update ir_act_server set webhook_url = 'http://neutralized.invalid/' where webhook_url is not null"),
    ("base_automation", ("active", "trigger"), "update base_automation set active = false where trigger = 'on_webhook'"),
    ("iap_account", ("account_token",), "update iap_account set account_token = account_token || '+disabled' where account_token not like '%+disabled'"),
    ("iap_account", (), "insert into ir_config_parameter (key, value) values ('iap.endpoint', 'http://neutralized.invalid')"
                        " on conflict (key) do update set value = excluded.value"),
    ("delivery_carrier", ("active", "delivery_type"),
     "update delivery_carrier set active = false where delivery_type not in ('fixed', 'base_on_rule')"),
    # Documents that a government or a network gets.
    ("account_edi_proxy_client_user", ("proxy_type", "edi_mode"),
     "update account_edi_proxy_client_user set edi_mode = case when proxy_type in ('l10n_it_edi', 'peppol', 'nemhandel') then 'demo' else 'test' end"
     " where proxy_type <> 'l10n_my_edi'"),
    ("account_edi_proxy_client_user", ("proxy_type", "active"),
     "update account_edi_proxy_client_user set active = false where proxy_type = 'l10n_my_edi'"),
    ("account_edi_proxy_client_user", (), "insert into ir_config_parameter (key, value) values ('account_edi_proxy_client.demo', 'demo')"
                                          " on conflict (key) do update set value = excluded.value"),
    ("ir_config_parameter", ("key",),
     "update ir_config_parameter set value = 'test' where key in ('account_peppol.edi.mode', 'l10n_dk_nemhandel.edi.mode', 'l10n_pl_edi_ksef.mode')"),
    ("ir_config_parameter", ("key",),
     "delete from ir_config_parameter where key in ('database.enterprise_code', 'mail.catchall.domain', 'cloud_storage_provider', 'mail.sfu_server_key',"
     " 'mail.web_push_vapid_private_key', 'mail.web_push_vapid_public_key')"),
    ("ir_config_parameter", ("key",), "update ir_config_parameter set value = gen_random_uuid()::text where key = 'database.uuid'"),
    # Odoo tells people from 17.0 on.
    ("ir_config_parameter", ("key",), "insert into ir_config_parameter (key, value) values ('database.is_neutralized', 'true')"
                                      " on conflict (key) do update set value = excluded.value"),
    ("ir_ui_view", ("key", "active"), "update ir_ui_view set active = true where key in ('web.neutralize_banner', 'website.neutralize_ribbon')"),
)
_MAIL_LOGINS = (
    "google_gmail_refresh_token", "google_gmail_access_token", "microsoft_outlook_refresh_token", "microsoft_outlook_access_token")
# Of users before 15.0, in a table of their own after, of users' settings from 17.0 and 18.0 on.
_CALENDARS = {
    **dict.fromkeys(("google_calendar_rtoken", "google_calendar_token", "microsoft_calendar_rtoken", "microsoft_calendar_token"), "null"),
    **dict.fromkeys(("google_synchronization_stopped", "microsoft_synchronization_stopped"), "true"),
}
_PAYMENT_KEYS = (
    "adyen_api_key", "adyen_hmac_key", "adyen_merchant_account", "authorize_login", "authorize_transaction_key", "authorize_signature_key",
    "buckaroo_secret_key", "flutterwave_secret_key", "mercado_pago_access_token", "mollie_api_key", "paypal_client_secret", "paypal_email_account",
    "razorpay_key_secret", "stripe_secret_key", "stripe_publishable_key", "stripe_webhook_secret", "worldline_api_secret", "xendit_secret_key")
# What a column becomes in every row, by table: logins, keys, and switches between a provider's real and its test side.
VALUES: Mapping[str, Mapping[str, str]] = {
    "ir_mail_server": dict.fromkeys(("smtp_user", "smtp_pass", *_MAIL_LOGINS), "null"),
    "fetchmail_server": {"active": "false", **dict.fromkeys(("password", *_MAIL_LOGINS), "null")},
    "mail_template": {"mail_server_id": "null"},
    "auth_oauth_provider": {"enabled": "false"},
    "delivery_carrier": {"prod_environment": "false"},
    "website": {"domain": "null", "cdn_activated": "false", "robots_txt": r"E'User-agent: *\nDisallow: /'"},
    "res_users": _CALENDARS,
    "res_users_settings": _CALENDARS,
    "google_calendar_credentials": {"calendar_rtoken": "null", "calendar_token": "null", "synchronization_stopped": "true"},
    "microsoft_calendar_credentials": {"synchronization_stopped": "true"},
    "social_account": {"active": "false"},
    "account_online_link": {"client_id": "'duplicate'", "refresh_token": "null", "provider_data": "null"},
    "payment_acquirer": dict.fromkeys(_PAYMENT_KEYS, "null"),
    "payment_provider": dict.fromkeys(_PAYMENT_KEYS, "null"),
    "pos_payment_method": {
        **dict.fromkeys(("adyen_test_mode", "viva_com_test_mode", "viva_wallet_test_mode", "razorpay_test_mode", "pine_labs_test_mode"), "true"),
        **dict.fromkeys(("adyen_api_key", "razorpay_api_key", "mp_bearer_token", "mp_webhook_secret_key", "qfpay_pos_key", "pine_labs_security_token"),
                        "null")},
    "res_company": {
        **dict.fromkeys(("l10n_it_edi_register", "l10n_in_edi_production_env", "l10n_eg_production_env"), "false"),
        **dict.fromkeys(("l10n_es_edi_test_env", "l10n_es_sii_test_env", "l10n_es_tbai_test_env", "l10n_es_edi_verifactu_test_environment",
                         "l10n_ro_edi_test_env", "l10n_gr_edi_test_env", "l10n_mx_edi_pac_test_env"), "true"),
        **dict.fromkeys(("l10n_in_edi_password", "l10n_ro_edi_access_token", "l10n_ro_edi_refresh_token", "sms_twilio_auth_token", "gelato_api_key",
                         "gelato_webhook_secret"), "null")},
}
COLUMNS = (
    "select table_name, array_agg(column_name::text) from information_schema.columns where table_schema = 'public' and table_name = any(%s)"
    " group by 1"
)


def statements(there: Mapping[str, set[str]]) -> list[str]:
    """What is to be carried out on a database with these columns, by table. Pure."""
    found = [statement for table, columns, statement in STATEMENTS if table in there and set(columns) <= there[table]]
    for table, values in VALUES.items():
        changes = [f"{column} = {value}" for column, value in values.items() if column in there.get(table, ())]
        if changes:
            found.append(" ".join(("update", table, "set", ", ".join(changes))))
    return found


def neutralize(database: Database) -> int:
    """Carry out what fits the database in one transaction. Returns how many statements that were."""
    tables = {table for table, _columns, _statement in STATEMENTS} | set(VALUES)
    with database.session() as cursor:
        cursor.execute(COLUMNS, (sorted(tables),))
        todo = statements({table: set(columns) for table, columns in cursor.fetchall()})
        cursor.execute("begin")
        for statement in todo:
            cursor.execute(statement)
        cursor.execute("commit")
    return len(todo)


def command(record: Record, database: str) -> list[str] | None:
    """What the one-off container runs; None where the series has no such command."""
    if series_of(record.series).number < 16:
        return None
    return [*record.command, "neutralize", "-d", database]
