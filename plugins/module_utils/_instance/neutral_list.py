# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What acts outside, by table: what is known by name. What is known by its shape is in neutral_shapes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# The server that Odoo's own script makes. Without an active one Odoo sends by the configuration's smtp_server.
BARRIER = "neutralization - disable emails"
NOWHERE = "http://neutralized.invalid/"


@dataclass(frozen=True)
class Switch:
    """Rows of a table that act outside, and what makes them quiet.

    :param loud: which rows act. Asked again at the end, so a row that is quiet must not be one of them.
    :param ways: what is set, the best first: where a constraint forbids one, the next is tried, row by row.
        ``delete`` removes them.
    """

    table: str
    loud: str
    ways: tuple[str, ...]
    needs: tuple[str, ...] = ()


def column(table: str, name: str, *values: str, where: str = "", also: str = "") -> Switch:
    """A column that shall be ``values[0]``, or one of the others, in every row or in those of ``where``, which names the column ``also``."""
    loud = " and ".join(f"{name} is distinct from {value}" for value in values)
    ways = tuple(f"{name} = {value}" for value in values)
    return Switch(table, f"({where}) and {loud}" if where else loud, ways, (name.strip('"'), *([also] if also else [])))


def _cleared(table: str, *names: str) -> list[Switch]:
    return [column(table, name, "null", "''") for name in names]


def _emptied(table: str, where: str = "true", *needs: str) -> Switch:
    return Switch(table, where, ("delete",), needs)


# Types of e-invoicing users that have a mode in which Odoo itself keeps from calling anybody; of others ``test`` is a server as well.
_DEMO_TYPES = "('l10n_it_edi', 'peppol', 'nemhandel', 'pdp')"
_MAIL_LOGINS = (
    "google_gmail_refresh_token", "google_gmail_access_token", "microsoft_outlook_refresh_token", "microsoft_outlook_access_token")
_CALENDAR_TOKENS = ("google_calendar_rtoken", "google_calendar_token", "google_calendar_sync_token", "microsoft_calendar_rtoken",
                    "microsoft_calendar_token", "microsoft_calendar_sync_token", "calendar_rtoken", "calendar_token", "calendar_sync_token")
_STOPPED = ("google_synchronization_stopped", "microsoft_synchronization_stopped", "synchronization_stopped")
# Of users before 15.0, in a table of their own after, of users' settings from 17.0 and 18.0 on.
_CALENDARS = ("res_users", "res_users_settings", "google_calendar_credentials", "microsoft_calendar_credentials")
# Rows that are a connection: archived.
_ARCHIVED = ("fetchmail_server", "social_account", "amazon_account", "whatsapp_account", "shopee_account", "lazada_account", "ebay_site_account")
# What waits to be sent. Of 17.0, then of 18.0 and on: push notifications and the devices they go to.
_EMPTIED = ("mail_message_schedule", "mail_scheduled_message", "mail_notification_web_push", "mail_partner_device", "mail_push", "mail_push_device")
# Companies' switches and logins that no shape tells.
_COMPANY: Mapping[str, tuple[str, ...]] = {
    "l10n_it_edi_register": ("false", "null"), "l10n_hr_mer_connection_state": ("'inactive'",), "l10n_ke_cu_proxy_address": ("null", "''"),
    "l10n_cl_dte_service_provider": ("'SIITEST'", "null"), "l10n_tr_nilvera_purchase_journal_id": ("null",),
    **dict.fromkeys((
        "l10n_hr_mer_username", "l10n_hr_mer_company_ident", "l10n_hr_mer_software_ident", "l10n_hu_edi_username", "l10n_in_edi_username",
        "l10n_in_edi_token_validity", "l10n_in_ewaybill_username", "l10n_in_ewaybill_auth_validity", "l10n_jo_edi_client_identifier",
        "l10n_pl_edi_certificate", "l10n_pl_edi_session_id", "l10n_pl_edi_session_iv", "l10n_ro_edi_client_id", "l10n_vn_edi_username"), ("null",)),
}

SWITCHES: tuple[Switch, ...] = (
    column("ir_cron", "active", "false"),
    # A template or a mail may name its server, and 14.0 and 15.0 then send by one that is archived: all lead nowhere.
    Switch("ir_mail_server", f"active is distinct from (name = '{BARRIER}')", (f"active = (name = '{BARRIER}')",), ("active", "name")),
    column("ir_mail_server", "smtp_host", "'invalid'"),
    # OCA's server_environment keeps the values there, and the columns are gone.
    column("ir_mail_server", "server_env_defaults", """'{"x_smtp_host_env_default": "invalid"}'"""),
    *_cleared("ir_mail_server", "smtp_user", "smtp_pass", *_MAIL_LOGINS),
    *_cleared("fetchmail_server", *_MAIL_LOGINS),
    column("mail_template", "mail_server_id", "null"),
    *(column(table, "active", "false") for table in _ARCHIVED),
    column("mail_mail", "state", "'cancel'", where="state in ('outgoing', 'exception')"),
    column("mailing_mailing", "state", "'draft'", where="state in ('in_queue', 'sending')"),
    column("snailmail_letter", "state", "'canceled'", where="state in ('pending', 'in_progress')"),
    column("social_post", "state", "'draft'", where="state in ('scheduled', 'posting')"),
    _emptied("sms_sms", "state in ('outgoing', 'process', 'pending')", "state"),
    *(_emptied(table) for table in _EMPTIED),
    *_cleared("mail_ice_server", "credential"),
    # What Odoo's own script leaves in state test is what somebody set up for trials.
    column("payment_acquirer", "state", "'disabled'", where="state not in ('test', 'disabled')"),
    column("payment_provider", "state", "'disabled'", where="state not in ('test', 'disabled')"),
    column("base_automation", "active", "false", where="trigger = 'on_webhook'", also="trigger"),
    Switch("iap_account", "account_token not like '%+disabled'",
           ("account_token = left(split_part(account_token, '+', 1), 33) || '+disabled'", "account_token = id || '+disabled'", "account_token = null"),
           ("account_token",)),
    column("auth_oauth_provider", "enabled", "false"),
    column("delivery_carrier", "active", "false", where="delivery_type not in ('fixed', 'base_on_rule')", also="delivery_type"),
    column("delivery_carrier", "mondialrelay_brand", "'BDTEST  '", "null"),
    column("website", "domain", "null"),
    column("website", "cdn_activated", "false"),
    column("website", "robots_txt", r"E'User-agent: *\nDisallow: /'"),
    *(switch for table in _CALENDARS for name in _CALENDAR_TOKENS for switch in _cleared(table, name)),
    *(column(table, name, "true") for table in _CALENDARS for name in _STOPPED),
    *_cleared("account_online_link", "provider_data"),
    column("account_online_link", "client_id", "'duplicate'", "('duplicate-' || id)", "null"),
    column("pos_payment_method", "glory_websocket_address", "'0.0.0.0'", "null"),
    *(column("res_company", name, *values) for name, values in _COMPANY.items()),
    # OCA's storages: an attachment that is removed in the copy would be removed from the shop's bucket.
    *_cleared("fs_storage", "options", "eval_options_from_env"),
    *_cleared("whatsapp_account", "token"),
    # Documents that a government or a network gets.
    Switch("account_edi_proxy_client_user", f"active and (proxy_type not in {_DEMO_TYPES} or edi_mode is distinct from 'demo')",
           (f"edi_mode = 'demo', active = active and proxy_type in {_DEMO_TYPES}", "edi_mode = 'demo', active = false", "active = false"),
           ("active", "proxy_type", "edi_mode")),
)
# Only where the first column is not there, which another series has.
WITHOUT: tuple[tuple[str, Switch], ...] = (
    ("edi_mode", column("account_edi_proxy_client_user", "active", "false")),
    ("active", column("account_edi_proxy_client_user", "edi_mode", "'demo'", "null")),
)
# Jobs of OCA's queue_job begin with the first process. Before its state ``cancelled`` the end of a job is ``failed``.
JOBS = "state in ('pending', 'enqueued', 'started', 'wait_dependencies')"
JOB_STATES = ("cancelled", "failed")

# -- ir_config_parameter ------------------------------------------------------------------------------

# Set where the table and column are there: (key, value).
PARAMETERS: tuple[tuple[str, str, str, str], ...] = (
    ("iap_account", "", "iap.endpoint", NOWHERE.rstrip("/")),
    ("account_edi_proxy_client_user", "", "account_edi_proxy_client.demo", "demo"),
    ("res_company", "account_peppol_proxy_state", "account_peppol.edi.mode", "demo"),
    ("res_company", "l10n_dk_nemhandel_proxy_state", "l10n_dk_nemhandel.edi.mode", "demo"),
    ("res_company", "l10n_pl_edi_access_token", "l10n_pl_edi_ksef.mode", "test"),
    # Odoo tells people from 17.0 on.
    ("ir_config_parameter", "key", "database.is_neutralized", "true"),
)
# Whose value goes.
_KEYS = ("database.enterprise_code", "mail.catchall.domain", "cloud_storage_provider", "cloud_storage_azure_account_name",
         "cloud_storage_azure_container_name", "cloud_storage_azure_tenant_id", "cloud_storage_azure_client_id", "cloud_storage_google_bucket_name",
         "mail.sfu_server_key", "mail.sfu_local_key", "mail.web_push_vapid_private_key", "mail.web_push_vapid_public_key", "mail.twilio_account_sid",
         "recaptcha_public_key", "cf.turnstile_site_key")
_HIDDEN = (r"(^|[._])(password|passwd|secret|secret_?key|api_?key|api_?secret|private_key|access_key|access_key_id|account_info|credentials?|"
           r"(access|refresh|auth|bearer|api|account)_?token|token)$")
# Of Odoo's own: rules for passwords of people, and what signs sessions and links.
_OWN = "key not in ('database.secret') and key not like 'auth\\_%'"
PARAMETER_SWITCHES: tuple[Switch, ...] = (
    Switch("ir_config_parameter", "key in ({})".format(", ".join(f"'{key}'" for key in _KEYS)) + " and coalesce(value, '') <> ''",
           ("delete", "value = null", "value = ''"), ("key", "value")),
    # A switch or a number is no secret.
    Switch("ir_config_parameter", f"key ~* '{_HIDDEN}' and {_OWN} and coalesce(value, '') !~* '^(true|false|[0-9.]{{0,6}})$'",
           ("delete", "value = null", "value = ''"), ("key", "value")),
    # Another store of attachments: what is removed in the copy would be removed from the shop's.
    Switch("ir_config_parameter", "key = 'ir_attachment.location' and value not in ('file', 'db')", ("delete", "value = 'file'"), ("key", "value")),
    Switch("ir_config_parameter", r"key ~ '[._]edi[._]mode$' and value is distinct from 'demo'", ("value = 'demo'",), ("key", "value")),
)
