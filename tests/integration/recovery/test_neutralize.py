# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy acts nowhere outside, whatever constraint, trigger or add-on is in its database; on a real one of Odoo 19 with all that has such an add-on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rig.machine import Machine
from rig.outside import Outside, modules_of, scripts, told, touched

# What tells people, and no way out: when a calendar was read last.
NO_WAY_OUT = {("ir_ui_view", "active"), ("res_users_settings", "microsoft_last_sync_date")}
SECRET = "loud secret"


@pytest.fixture(scope="module")
def all_add_ons(machine: Machine) -> Iterator[Outside]:
    made = Outside(machine)
    yield made
    made.drop()


@pytest.fixture
def outside(all_add_ons: Outside) -> Outside:
    all_add_ons.anew()
    return all_add_ons


def active(outside: Outside) -> str:
    return outside.sql("select count(*) from ir_cron where active")


def test_all_that_the_images_scripts_switch_off_is_switched_off_without_them(outside: Outside) -> None:
    """Every column and key that one of them names, on and with a value; the list and the shapes alone turn it off."""
    told = touched(outside.text)
    assert len(modules_of(outside.text)) >= 70 and ("res_company", "l10n_sa_api_mode") in told.columns
    outside.add_lacking(told.columns)
    outside.rows(*{table for table, _column in told.columns} | told.tables)
    kinds = {(table, name): (kind, values) for table, name, kind, values in (line.split("|") for line in outside.sql(
        "select c.table_name, c.column_name, c.data_type, (select string_agg(s.value, ',' order by s.sequence) from ir_model_fields f"
        " join ir_model_fields_selection s on s.field_id = f.id where replace(f.model, '.', '_') = c.table_name and f.name = c.column_name)"
        " from information_schema.columns c where table_schema = 'public'").splitlines())}
    loud: dict[tuple[str, str], str] = {}
    for table, name in sorted((told.columns - NO_WAY_OUT) & set(kinds)):
        kind, values = kinds[table, name]
        chosen = [value for value in values.split(",") if value.startswith(("prod", "active", "enabled"))] or values.split(",")[-1:]
        quiet = any(word in name for word in ("test", "demo", "staging", "stopped"))
        loud[table, name] = {"boolean": str(not quiet).lower(), "integer": "1", "character varying": f"'{chosen[0] or SECRET}'", "text": f"'{SECRET}'",
                             "bytea": "'secret'::bytea"}.get(kind, "now()")
    outside.sql("set session_replication_role = replica; " + " ".join(f"update {t} set {c} = {v};" for (t, c), v in loud.items())
                + "update delivery_carrier set delivery_type = 'mondialrelay'; update account_edi_proxy_client_user set active = true;"
                + " ".join(f"delete from ir_config_parameter where key = '{k}'; insert into ir_config_parameter (key, value) values ('{k}', '{SECRET}');"
                           for k in told.keys))
    assert outside.run()["done"] > 60
    left = [f"{t}.{c}" for (t, c), v in loud.items() if outside.sql(f"select 1 from {t} where {c} = {v} limit 1")
            and not outside.sql(f"select 1 from information_schema.columns where table_name = '{t}' and column_name = 'active' limit 1")]
    kept = [line for line in outside.sql(f"select key from ir_config_parameter where value = '{SECRET}'").splitlines() if line in told.keys]
    removed = [table for table in sorted(told.tables) if outside.sql(f"select 1 from {table} limit 1")]
    assert (left, kept, removed) == ([], [], [])
    for table in ("account_edi_proxy_client_user", "delivery_carrier", "fetchmail_server", "ir_cron"):
        assert outside.sql(f"select count(*) from {table} where active") == "0", table
    assert outside.sql("select name, smtp_host from ir_mail_server where active") == "neutralization - disable emails|invalid"
    assert outside.run()["done"] >= 0, "a second time it is as well"


def test_with_the_images_scripts(outside: Outside) -> None:
    """What Odoo itself would do is done, and more: type pdp in test, which is a server, and twilio's calls."""
    outside.sql("insert into ir_config_parameter (key, value) values ('mail.twilio_account_sid', 'x'), ('base_geolocalize.google_map_api_key', 'y')")
    assert outside.run(outside.text)["done"] > 20
    assert outside.sql("select count(*) from ir_config_parameter where key in ('mail.twilio_account_sid', 'base_geolocalize.google_map_api_key')") == "0"
    assert outside.sql("select value from ir_config_parameter where key = 'account_peppol.edi.mode'") == "demo"


USERS = """
alter table account_edi_proxy_client_user drop constraint account_edi_proxy_client_user_company_id_fkey,
  drop constraint account_edi_proxy_client_user_private_key_id_fkey;
insert into account_edi_proxy_client_user (id, id_client, company_id, edi_identification, private_key_id, proxy_type, edi_mode, active) values
  (1, 'a', 1, 'BE1', 1, 'peppol', 'demo', true), (2, 'b', 1, 'BE1', 1, 'peppol', 'prod', true), (3, 'c', 1, 'BE1', 1, 'peppol', 'test', true),
  (4, 'd', 2, 'FR1', 1, 'pdp', 'prod', true), (5, 'e', 2, 'FR1', 1, 'pdp', 'test', true), (6, 'f', 1, 'MY1', 1, 'l10n_my_edi', 'prod', true),
  (7, 'g', 1, 'X1', 1, 'of_tomorrow', 'prod', true), (8, 'h', 1, 'X1', 1, 'of_tomorrow', 'test', true);
"""


@pytest.mark.parametrize("with_scripts", [True, False])
def test_users_of_e_invoicing_of_one_identification(outside: Outside, with_scripts: bool) -> None:
    """One of each that has a mode in which Odoo calls nobody is left, all others are archived."""
    outside.sql(USERS)
    assert "done" in outside.run(outside.text if with_scripts else "")
    assert outside.sql("select proxy_type, edi_mode, count(*) from account_edi_proxy_client_user where active group by 1, 2 order by 1") == \
        "pdp|demo|1\npeppol|demo|1"
    assert outside.sql("select count(*) from account_edi_proxy_client_user") == "8", "none is lost"


JOBS = """
create table queue_job (id serial primary key, uuid varchar unique not null, state varchar, check (state <> 'failed' or uuid <> 'w1'));
insert into queue_job (uuid, state) select s || n, s from unnest(array['pending', 'enqueued', 'started', 'wait_dependencies', 'done', 'failed']) s, generate_series(1, 2) n;
create function queue_job_notify() returns trigger language plpgsql as $$ begin raise exception 'nobody listens'; end $$;
create trigger queue_job_notify after insert or update on queue_job for each row execute function queue_job_notify();
"""


@pytest.mark.parametrize(("states", "expected"), [("pending,cancelled,failed", "cancelled|8\ndone|2\nfailed|2"), ("pending,failed", "done|2\nfailed|10"), ("", "cancelled|8\ndone|2\nfailed|2")])
def test_unfinished_jobs_end(outside: Outside, states: str, expected: str) -> None:
    """By the state that the add-on of that series has; whatever its trigger does, which is there again afterwards."""
    outside.as_owner(JOBS)
    if states:
        outside.sql("set session_replication_role = replica; insert into ir_model_fields (id, name, model, model_id, ttype, state, field_description)"
                    " values (900001, 'state', 'queue.job', 1, 'selection', 'base', '{}');" + "".join(
                        f"insert into ir_model_fields_selection (field_id, value, name, sequence) values (900001, '{value}', '{{}}', {number});"
                        for number, value in enumerate(states.split(","))))
    assert "done" in outside.run()
    assert outside.sql("select state, count(*) from queue_job group by 1 order by 1") == expected
    assert outside.sql("select tgenabled from pg_trigger where tgname = 'queue_job_notify'") == "O"


GUARDS = {
    "a trigger that raises": "create function f() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;"
                             " create trigger t before update or delete on {0} for each row execute function f(); alter table {0} enable always trigger t;",
    "a trigger that skips": "create function f() returns trigger language plpgsql as $$ begin return null; end $$;"
                            " create trigger t before update or delete on {0} for each row execute function f();",
    "a trigger that puts back": "create function f() returns trigger language plpgsql as $$ begin return old; end $$;"
                                " create trigger t before update on {0} for each row execute function f();",
    "a rule that skips": "create rule r as on update to {0} do instead nothing;",
    "a trigger that is somebody's code": "create function f() returns trigger language plpgsql as $$ begin execute 'create role owned superuser'; return new; end $$;"
                                         " create trigger t before update on {0} for each row execute function f(); alter table {0} enable always trigger t;",
}


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("table", ["ir_cron", "payment_provider"])
def test_triggers_and_rules_of_the_shop(outside: Outside, guard: str, table: str) -> None:
    outside.sql("update payment_provider set state = 'enabled', stripe_secret_key = 'x'")
    outside.as_owner(GUARDS[guard].format(table))
    before = outside.sql("select tgname, tgenabled from pg_trigger where not tgisinternal union all select rulename, ev_enabled from pg_rewrite where rulename = 'r'")
    assert "done" in outside.run(outside.text)
    assert (active(outside), outside.sql("select count(*) from payment_provider where state = 'enabled' or stripe_secret_key <> ''")) == ("0", "0")
    assert outside.sql("select tgname, tgenabled from pg_trigger where not tgisinternal union all"
                       " select rulename, ev_enabled from pg_rewrite where rulename = 'r'") == before != ""
    assert outside.sql("select count(*) from pg_roles where rolname = 'owned'") == "0"


@pytest.mark.parametrize(("made", "proof"), [
    # A key that must be there and is unique.
    ("create table acme_connector (id serial primary key, api_key varchar not null unique check (api_key <> ''), acme_test_mode boolean);"
     " insert into acme_connector (api_key) values ('a'), ('b'), ('c')",
     "select count(*) from acme_connector where api_key in ('a', 'b', 'c') or acme_test_mode is not true"),
    ("create table acme_hook (id serial primary key, webhook_url varchar not null); insert into acme_hook (webhook_url) values ('https://example.com/x')",
     "select count(*) from acme_hook where webhook_url like '%example.com%'"),
    ("create table acme_carrier (id serial primary key, prod_environment boolean not null, password varchar, private_key bytea not null);"
     " insert into acme_carrier (prod_environment, password, private_key) values (true, 'x', 'y')",
     "select count(*) from acme_carrier where prod_environment or password <> '' or private_key <> ''"),
    ("create domain secret as text; create table acme_sms (id serial primary key, auth_token secret, settings_access_token jsonb);"
     " insert into acme_sms (auth_token, settings_access_token) values ('x', '{\"1\": \"y\"}')",
     "select count(*) from acme_sms where auth_token is not null or settings_access_token is not null"),
    ("create table social_account (id serial primary key, active boolean, unique (active)); insert into social_account (active) values (true)",
     "select count(*) from social_account where active"),
    # A foreign key that looks late.
    ("create table mail_notification_web_push (id serial primary key, parent integer references mail_notification_web_push deferrable initially deferred);"
     " insert into mail_notification_web_push (parent) values (1), (1)", "select count(*) from mail_notification_web_push"),
])
def test_tables_that_nobody_here_knows(outside: Outside, made: str, proof: str) -> None:
    outside.as_owner(made)
    assert outside.sql(proof) != "0", "it acts before"
    assert "done" in outside.run()
    assert outside.sql(proof) == "0"


def test_a_mode_by_what_odoo_says_of_it(outside: Outside) -> None:
    """A field with a real and a test value of its own goes to the test one, one that is called alike and has none stays."""
    outside.as_owner("create table acme_edi (id serial primary key, acme_server_mode varchar, cost_mode varchar); insert into acme_edi (acme_server_mode, cost_mode)"
                     " values ('live', 'production')")
    outside.sql("set session_replication_role = replica; insert into ir_model_fields (id, name, model, model_id, ttype, state, field_description) values"
                " (900001, 'acme_server_mode', 'acme.edi', 1, 'selection', 'base', '{}'), (900002, 'cost_mode', 'acme.edi', 1, 'selection', 'base', '{}');"
                " insert into ir_model_fields_selection (field_id, value, name, sequence) values (900001, 'live', '{}', 1), (900001, 'staging', '{}', 2),"
                " (900002, 'production', '{}', 1), (900002, 'actual', '{}', 2)")
    assert "done" in outside.run()
    assert outside.sql("select acme_server_mode, cost_mode from acme_edi") == "staging|production"


@pytest.mark.parametrize(("made", "script", "acting"), [
    # Nothing but the real side is allowed.
    ("alter table payment_provider add constraint c check (state = 'enabled') not valid; update payment_provider set state = 'enabled'", "", "payment_provider.state"),
    ("create table acme_gateway (id integer, sandbox_mode boolean check (not sandbox_mode)); insert into acme_gateway values (1, false)", "", "acme_gateway.sandbox_mode"),
    # Of an image's script: a table that only its add-on knows, and something that is not even a table.
    ("create table acme_gate (id integer, open boolean check (open)); insert into acme_gate values (1, true)", "update acme_gate set open = false;", "acme_gate"),
    ("", "do $$ begin raise exception 'acme'; end $$;", "do $$"),
    # A condition that cannot be asked.
    ("", "update res_company set name = name where acme_open;", "res_company"),
])
def test_what_cannot_be_switched_off_is_named_and_nothing_is_changed(outside: Outside, made: str, script: str, acting: str) -> None:
    outside.as_owner(made or "select 1")
    before = active(outside)
    said = outside.run(script)
    assert said.get("code") == "not_neutralized" and any(name.startswith(acting) for name in said["details"]["acting"]), said
    assert active(outside) == before != "0"


@pytest.mark.parametrize(("made", "script", "proof"), [
    # One row of a table that only its add-on knows keeps its value: it is archived.
    ("create table acme_shop (id serial primary key, active boolean, live_url varchar unique); insert into acme_shop (active, live_url) values (true, 'a'), (true, 'b')",
     "update acme_shop set live_url = 'nowhere' where live_url is not null and (active);", "select count(*) from acme_shop where active and live_url <> 'nowhere'"),
    # Its table is not there, as after a part of it was uninstalled.
    ("select 1", "update acme_gone set x = 1;", "select 0"),
    # A column of it is not there, as Odoo's own script for Poland names one; the others are.
    ("create table acme_gate (id serial primary key, open boolean); insert into acme_gate (open) values (true)",
     "update acme_gate set gone = null, open = false where id > 0; update acme_gate set gone = null;", "select count(*) from acme_gate where open"),
    # The index that ON CONFLICT needs was lost.
    ("alter table ir_config_parameter drop constraint ir_config_parameter_key_uniq",
     "insert into ir_config_parameter (key, value) values ('acme.mode', 'off') on conflict (key) do update set value = 'off';",
     "select count(*) - 1 from ir_config_parameter where key = 'acme.mode' and value = 'off'"),
    # Of two scripts the first fails, as OCA's mail_environment makes base's do.
    ("alter table ir_mail_server drop column smtp_host, add column server_env_defaults text; update ir_mail_server set active = true",
     "update ir_mail_server set smtp_host = 'x';", "select count(*) - 1 from ir_mail_server where active and server_env_defaults like '%\"invalid\"%'"),
])
def test_a_script_that_fails_takes_nothing_else_with_it(outside: Outside, made: str, script: str, proof: str) -> None:
    outside.as_owner(made)
    assert "done" in outside.run(script + outside.text), "it is carried out"
    assert (outside.sql(proof), active(outside)) == ("0", "0")


def test_logins_at_other_servers(outside: Outside) -> None:
    """Of foreign tables: gone, and no event trigger of the shop's runs as the superuser meanwhile."""
    outside.sql("create extension postgres_fdw; create server far foreign data wrapper postgres_fdw options (host 'far.example.com');"
                " create user mapping for public server far options (user 'x', password 'y'); create user mapping for neutral_owner server far options (user 'z');"
                " create foreign table far_orders (id integer) server far;"
                " create function ev() returns event_trigger language plpgsql as $$ begin raise exception 'runs as %', current_user; end $$;"
                " create event trigger ev on ddl_command_start execute function ev(); alter event trigger ev enable always;")
    assert (outside.cut_off(), outside.cut_off()) == (2, 0)
    assert outside.sql("select count(*) || ' ' || (select evtenabled::text from pg_event_trigger where evtname = 'ev') from pg_user_mappings") == "0 A"
    assert "user mapping not found" in outside.machine.sh("psql -h /var/run/postgresql -p 5501 -U postgres -d neutral -c 'select * from far_orders' 2>&1", check=False)


def test_the_image_tells_its_scripts(tmp_path: Path) -> None:
    """By Odoo's own command, each script whole and nothing that it logs; 14.0 has neither scripts nor command. What a later image has more than is
    known here, the first test tells."""
    text = scripts("19.0")
    found = told("19.0", ["/usr/bin/odoo", "neutralize", "--stdout", "-d", "told"], modules_of(text), tmp_path)
    assert touched(found) == touched(text) and "INFO" not in found
    assert modules_of(scripts("14.0")) == []
