# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may act in a database with these columns. That it is then quiet is in tests/integration/recovery, that Odoo then sends nothing in release."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance import neutral_list, neutralize
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.neutral_shapes import switches
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError

CHAR, BOOLEAN, TIME = "character varying", "boolean", "timestamp without time zone"
MODES = ("prod", "production", "test")
# Columns of other series and of add-ons that the lab has no image of: where each is told, and the columns by table. Names only.
TOLD: list[tuple[str, Mapping[str, Mapping[str, str]]]] = [
    # odoo/odoo, 16.0 to 18.0: addons/*/data/neutralize.sql, as addons/payment_sips at f83c64f, addons/mail at 494d491, and models/payment_*.py
    ("16.0 to 18.0", {
        "payment_provider": dict.fromkeys((
            "state", "sips_merchant_id", "sips_secret", "ogone_pspid", "ogone_userid", "ogone_password", "ogone_shakey_in", "ogone_shakey_out",
            "alipay_merchant_partner_id", "alipay_md5_signature_key", "payulatam_merchant_id", "payulatam_account_id", "payulatam_api_key",
            "payumoney_merchant_key", "payumoney_merchant_salt", "paypal_pdt_token"), CHAR),
        "res_company": {"l10n_es_edi_test_env": BOOLEAN, "l10n_eg_production_env": BOOLEAN, "l10n_in_edi_production_env": BOOLEAN},
        "google_calendar_credentials": {"calendar_rtoken": CHAR, "calendar_token": CHAR, "synchronization_stopped": BOOLEAN},
        "microsoft_calendar_credentials": {"calendar_sync_token": CHAR, "synchronization_stopped": BOOLEAN},
        "res_users": {"microsoft_synchronization_stopped": BOOLEAN, "microsoft_calendar_token": CHAR, "microsoft_calendar_rtoken": CHAR},
        "fetchmail_server": {"active": BOOLEAN, "password": CHAR}, "mail_notification_web_push": {"id": "integer"}, "mail_partner_device": {"id": "integer"},
        "pos_payment_method": {"viva_wallet_test_mode": BOOLEAN, "paytm_test_mode": BOOLEAN, "paytm_merchant_key": CHAR, "paytm_mid": ""},
    }),
    # odoo/odoo after 19.0: addons/pos_paytm and pos_viva_wallet at 050457a, l10n_es_edi_sii at 0508f4a, l10n_hu_edi and l10n_vn_edi_viettel at 2e5eebe
    ("after 19.0", {
        "pos_payment_provider": {"mode": CHAR, "paytm_merchant_key": CHAR}, "l10n_es_edi_sii_config": {"l10n_es_sii_test_env": BOOLEAN},
        "l10n_vn_edi_viettel_config": {"l10n_vn_edi_username": CHAR}, "l10n_hu_edi_config": {"l10n_hu_edi_server_mode": CHAR, "l10n_hu_edi_username": CHAR},
    }),
    # odoo/odoo, 14.0 and 15.0: models of payment_*, google_calendar, microsoft_calendar
    ("14.0 and 15.0", {
        "payment_acquirer": dict.fromkeys((
            "state", "paypal_email_account", "paypal_pdt_token", "paypal_seller_account", "sips_secret", "stripe_secret_key", "stripe_publishable_key",
            "ogone_userid", "payumoney_merchant_salt", "adyen_merchant_account", "authorize_login"), CHAR),
        "res_users": {"google_calendar_rtoken": CHAR, "google_calendar_token": CHAR, "microsoft_calendar_rtoken": CHAR, "oauth_access_token": CHAR},
    }),
    # Tests of Odoo's own add-ons for their neutralization (l10n_pe_edi, l10n_co_edi, l10n_mx_edi), and public add-ons: OCA's storage_backend,
    # server_environment, webservice, queue_job; connectors.
    ("add-ons", {
        "res_company": {"l10n_pe_edi_test_env": BOOLEAN, "l10n_co_edi_test_mode": BOOLEAN, "l10n_mx_edi_pac_test_env": BOOLEAN, "edi_ediversa_password": CHAR,
                        "l10n_uy_edi_ucfe_env": CHAR, "l10n_ec_production_env": BOOLEAN},
        "storage_backend": {"aws_secret_access_key": CHAR, "server_env_defaults": "text"}, "fs_storage": {"options": "text", "eval_options_from_env": BOOLEAN},
        "webservice_backend": {"password": CHAR, "api_key": CHAR, "oauth2_client_secret": CHAR}, "queue_job": {"state": CHAR},
        "prestashop_backend": {"webservice_key": ""}, "woo_instance_ept": {"woo_consumer_key": CHAR, "woo_consumer_secret": CHAR},
        "shopify_instance": {"shopify_api_key": CHAR, "shopify_password": CHAR, "webhook_url": CHAR}, "voip_provider": {"mode": CHAR},
        "social_account": {"active": BOOLEAN, "linkedin_access_token": CHAR}, "account_online_link": {"client_id": CHAR, "refresh_token": CHAR, "provider_data": CHAR},
    }),
]


def covered(there: Mapping[str, Mapping[str, str]]) -> set[tuple[str, str]]:
    modes = {(table, name): MODES for table, names in there.items() for name in names if re.search("mode|env", name)}
    return {(switch.table, name) for switch in switches(there, modes) for name in switch.needs or ("id",)}


@pytest.mark.parametrize(("series", "told"), TOLD, ids=[row[0] for row in TOLD])
def test_what_other_series_and_add_ons_switch_off(series: str, told: Mapping[str, Mapping[str, str]]) -> None:
    there = {table: {name: kind or CHAR for name, kind in names.items()} for table, names in told.items()}
    wanted = {(table, name) for table, names in told.items() for name, kind in names.items() if kind}
    assert wanted - covered(there) == set()


# What looks alike and is the shop's own: who may come in, what a page looks like, work.
OWN: Mapping[str, Mapping[str, str]] = {
    "res_users": {"password": CHAR, "totp_secret": CHAR, "login": CHAR}, "res_users_apikeys": {"key": CHAR}, "auth_totp_device": {"key": CHAR},
    "ir_ui_view": {"visibility_password": CHAR, "mode": CHAR, "active": BOOLEAN}, "sale_order": {"access_token": CHAR, "state": CHAR}, "mail_guest": {"access_token": CHAR},
    "stock_location": {"usage": CHAR}, "mrp_production": {"is_production": BOOLEAN, "product_expiry_mode": "integer"}, "mrp_workorder": {"cost_mode": "integer"},
    "survey_user_input": {"test_entry": BOOLEAN, "invite_token": CHAR}, "ir_module_module": {"demo": BOOLEAN}, "hr_employee": {"pin": CHAR, "barcode": CHAR},
    "pos_config": {"access_token": CHAR}, "res_partner": {"signup_token": CHAR, "active": BOOLEAN}, "res_company": {"active": BOOLEAN, "name": CHAR},
    "product_template": {"active": BOOLEAN}, "iap_account": {"name": CHAR}, "website": {"name": CHAR}, "mailing_trace": {"is_test_trace": BOOLEAN},
    "account_move": {"access_token": CHAR, "state": CHAR, "secure_sequence_number": "integer"},
}


def test_what_is_the_shops_own_stays() -> None:
    assert covered(OWN) == set()


def test_a_mode_needs_a_test_value() -> None:
    there = {"acme_edi": {"server_mode": CHAR, "cost_mode": CHAR, "env": CHAR}}
    found = switches(there, {("acme_edi", "server_mode"): ("live", "staging", "demo"), ("acme_edi", "cost_mode"): ("production", "actual"), ("acme_edi", "env"): ("test",)})
    assert [(switch.needs, switch.ways) for switch in found] == [(("server_mode",), ("\"server_mode\" = 'demo'", "\"server_mode\" = 'staging'"))]


@pytest.mark.parametrize(("there", "tables"), [
    ({}, []), ({"delivery_carrier": {"name": CHAR}}, []), ({"queue_job": {"state": CHAR}}, ["queue_job"]), ({"ir_cron": {"active": BOOLEAN}}, ["ir_cron"]),
    ({"account_edi_proxy_client_user": {"proxy_type": CHAR, "active": BOOLEAN}}, ["account_edi_proxy_client_user"]),
    ({"account_edi_proxy_client_user": {"proxy_type": CHAR, "edi_mode": CHAR}}, ["account_edi_proxy_client_user"]),
])
def test_only_what_is_there_is_touched(there: Mapping[str, Mapping[str, str]], tables: list[str]) -> None:
    assert [switch.table for switch in switches(there, {})] == tables


@pytest.mark.parametrize(("key", "secret"), [
    ("google_gmail_client_secret", True), ("mail.twilio_account_token", True), ("unsplash.access_key", True), ("cloud_storage_google_account_info", True),
    ("pos_urban_piper.urbanpiper_apikey", True), ("sale_ebay.token", True), ("base_geolocalize.google_map_api_key", True),
    ("web.base.url", False), ("password.hashing.rounds", False), ("portal.allow_api_keys", False), ("crm.pls_fields", False), ("mail.catchall.alias", False),
])
def test_which_parameters_hold_a_secret(key: str, secret: bool) -> None:
    assert bool(re.search(neutral_list._HIDDEN, key)) == secret


@pytest.mark.parametrize(("statement", "parts"), [
    (b"update t set a = 1;", ([("a", "a = 1")], b"")),
    (b"UPDATE ONLY public.t SET a = 'x, where y', b = (select 1, 2 where 2 = 3) WHERE c in ('d', 'e');",
     ([("a", "a = 'x, where y'"), ("b", "b = (select 1, 2 where 2 = 3)")], b" c in ('d', 'e')")),
    (b"update t set a = 1, -- where, from\n B = null where b;", ([("a", "a = 1"), ("b", "B = null")], b" b")),
    (b"update t set (a, b) = (1, 2);", None), (b"update t set a = u.a from u where u.b = t.b;", None), (b"delete from t;", None)])
def test_an_update_taken_apart(statement: bytes, parts: tuple[list[tuple[str, str]], bytes] | None) -> None:
    assert neutralize._update_parts(statement) == parts


def test_series_that_tell_their_scripts() -> None:
    assert neutralize.command("19.0", ["/usr/bin/odoo"], "acme") == ["/usr/bin/odoo", "neutralize", "--stdout", "-d", "acme"]
    assert neutralize.command("14.0", ["/usr/bin/odoo"], "acme") is None


@pytest.mark.parametrize("output", ["", "BEGIN;\nupdate x set y = 1;\n", "COMMIT;\n"])
def test_scripts_that_were_not_told(output: str) -> None:
    with pytest.raises(DomainError) as caught:
        neutralize.scripts_in(output)
    assert caught.value.code == "neutralize_unread"


def test_what_an_add_on_prints_is_no_script() -> None:
    assert neutralize.scripts_in("hello\nBEGIN;\nupdate x set y = 1;\nCOMMIT;\nbye\n") == "\nupdate x set y = 1;\n"
