# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What acts outside, by the names and types of columns: for add-ons that nobody here knows. Pure.

``Columns`` is ``{table: {column: type}}`` as information_schema tells them; ``Selections`` the values that a field may have, as Odoo tells them
(ir_model_fields_selection, from 13.0 on).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .neutral_list import JOB_STATES, JOBS, NOWHERE, PARAMETER_SWITCHES, SWITCHES, WITHOUT, Switch, column

Columns = Mapping[str, Mapping[str, str]]
Selections = Mapping[tuple[str, str], Sequence[str]]

TEXT = ("character varying", "text", "character")
# A secret of somebody else's service: a password, a key, a token that lets in there.
SECRET = re.compile(
    r"(.+_)?(password|passwd|passphrase|passcode|pwd|secret|client_secret|secret_key|api_?key|private_key|access_key|access_key_id|hmac_key|signature_key"
    r"|merchant_key|consumer_key|server_env_defaults|key_secret|(refresh|auth|bearer|api|oauth|bot|iap|security)_token|.+_access_token)"
    r"|.+_(access|refresh)_token")
# A company's own login to a government.
_COMPANY_SECRET = re.compile(r"l10n_.+_(key|token|password|secret|pin|username)")
# Tables that are nothing but logins: everything in them that names one.
_PROVIDERS = ("payment_acquirer", "payment_provider", "pos_payment_method", "pos_payment_provider")
_PROVIDER_SECRET = re.compile(
    r".+_(key|token|secret|pass|pspid|login|userid|user|client|client_id|client_key|merchant|merchant_id|merchant_code|merchant_account|merchant_terminal"
    r"|merchant_identifier|site_identifier|merchant_partner_id|account_id|email_account|seller_account|access_code|sha_request|sha_response|shakey_in"
    r"|shakey_out|secure_hash_\w+|key_id|service_ref|salt|username|publishable_key|iv)|.+_access_token_expiry")
# Who may come in, not where this goes: people's own passwords, and what guards a page of the website.
_NOT = {"res_users": re.compile(r"password|totp_secret|new_password"), "res_users_apikeys": re.compile(r".*"), "auth_totp_device": re.compile(r".*"),
        "ir_ui_view": re.compile(r".*"), "iap_account": re.compile(r"account_token"), "ir_mail_server": re.compile(r"server_env_defaults"),
        "ir_config_parameter": re.compile(r".*"), "hr_employee": re.compile(r".*"), "sysgenpro": re.compile(r".*")}
_TEST = re.compile(r"(.+_)?(test|demo|sandbox|staging)_(mode|env|environment)|(.+_)?(is|use)_(sandbox|staging|test_env)|.+_sandbox")
_LIVE = re.compile(r"(.+_)?(prod|production|live)_(mode|env|environment)")
_MODE = re.compile(r"(.+_)?(mode|env|environment)")
_WEBHOOK = re.compile(r"(.+_)?webhook_url")
LIVE_VALUES = ("prod", "production", "live", "real")
# The best first.
TEST_VALUES = ("demo", "sandbox", "test", "testing", "staging", "preprod", "pre_production", "preproduction")


def switches(columns: Columns, selections: Selections) -> list[Switch]:
    """All that may act outside in a database with these columns."""
    given = [*SWITCHES, *PARAMETER_SWITCHES, *(switch for lacking, switch in WITHOUT if lacking not in columns.get(switch.table, ()))]
    found = [switch for switch in given if switch.table in columns and set(switch.needs) <= set(columns[switch.table])]
    known = {(switch.table, name) for switch in found for name in switch.needs}
    for table in sorted(columns):
        for name in sorted(columns[table]):
            switch = None if (table, name) in known else _by_shape(table, name, columns[table], selections)
            if switch:
                found.append(switch)
    if "state" in columns.get("queue_job", {}):
        found.append(_jobs(selections))
    return found


def _jobs(selections: Selections) -> Switch:
    states = selections.get(("queue_job", "state"), JOB_STATES)
    end = next((state for state in JOB_STATES if state in states), JOB_STATES[-1])
    return Switch("queue_job", JOBS, (f"state = '{end}'", "delete"), ("state",))


def _by_shape(table: str, name: str, there: Mapping[str, str], selections: Selections) -> Switch | None:
    kind, quoted = there[name], f'"{name}"'
    if table in _NOT and _NOT[table].fullmatch(name):
        return None
    if kind == "boolean":
        if _TEST.fullmatch(name):
            return column(table, quoted, "true")
        return column(table, quoted, "false", "null") if _LIVE.fullmatch(name) else None
    if kind in TEXT and _WEBHOOK.fullmatch(name):
        return column(table, quoted, f"'{NOWHERE}'", "null", where=f"{quoted} <> ''")
    if kind in TEXT and _MODE.fullmatch(name):
        return _mode(table, name, selections)
    return _secret(table, name, kind, there)


def _mode(table: str, name: str, selections: Selections) -> Switch | None:
    values = selections.get((table, name), ())
    tests = [value for value in TEST_VALUES if value in values]
    live = ", ".join(f"'{value}'" for value in values if value in LIVE_VALUES)
    if not live or not tests:
        return None
    return Switch(table, f'"{name}" in ({live})', tuple(f"\"{name}\" = '{value}'" for value in tests), (name,))


def _secret(table: str, name: str, kind: str, there: Mapping[str, str]) -> Switch | None:
    is_secret = (SECRET.fullmatch(name) or ((table == "res_company" or table.endswith("_config")) and _COMPANY_SECRET.fullmatch(name))
                 or (table in _PROVIDERS and _PROVIDER_SECRET.fullmatch(name)))
    if not is_secret:
        return None
    quoted = f'"{name}"'
    if kind in TEXT:
        other = (f"left('neutralized-' || id, {SHORT})",) if "id" in there else ()
        return Switch(table, f"coalesce({quoted}, '') <> '' and {quoted} not like 'neutralized-%'",
                      tuple(f"{quoted} = {value}" for value in ("null", "''", *other)), (name,))
    empty = {"bytea": "''::bytea", "jsonb": "'{}'::jsonb", "json": "'{}'::json"}.get(kind)
    if empty:
        return Switch(table, f"coalesce({quoted}::text, '') not in ('', '{{}}', 'null', '\\x')", (f"{quoted} = null", f"{quoted} = {empty}"), (name,))
    return Switch(table, f"{quoted} is not null", (f"{quoted} = null",), (name,)) if kind.startswith(("timestamp", "date")) else None


# What a column with a limit takes at the least.
SHORT = 32
