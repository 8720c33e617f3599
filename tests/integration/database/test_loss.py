# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The price of a way back counts every row, whether its table is one that has a name for people or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.database import Database
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release import loss
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.lost_rows import Gap, bookkeeping
from cluster import NAME, Server

DATES = "create_date timestamp default (now() at time zone 'UTC'), write_date timestamp default (now() at time zone 'UTC')"
OLD = "'2020-01-01', '2020-01-01'"
# Tables that no document has a name for, of several add-ons, and how many rows are made in each.
PLAIN = {"product_template": 49, "product_product": 49, "product_pricelist": 3, "product_pricelist_item": 12, "resource_calendar": 1, "crm_lead": 7,
         "hr_employee": 2, "project_task": 5, "loyalty_card": 4, "mrp_bom": 1, "x_own_table": 6, "mail_message": 8}
RECEIPTS = 2
SCHEMA = f"""
create table res_partner (id serial primary key, name varchar, {DATES});
create table sale_order (id serial primary key, name varchar, {DATES});
create table account_move (id serial primary key, name varchar, move_type varchar, {DATES});
create table ir_cron (id serial primary key, name varchar, {DATES});
create table bus_bus (id serial primary key, {DATES});
create table product_tag_rel (tag_id integer, product_id integer);
create table stock_part (id serial, day date, create_date timestamp default (now() at time zone 'UTC')) partition by range (day);
create table stock_part_1 partition of stock_part for values from ('2020-01-01') to ('2030-01-01');
create schema warehouse;
create table warehouse.scans (id uuid default gen_random_uuid(), what varchar, create_date timestamptz default now());
create table warehouse.counts (id integer, create_date integer);
insert into res_partner (name, create_date, write_date) values ('old', {OLD}), ('older', {OLD});
insert into sale_order (name, create_date, write_date) values ('S0001', {OLD});
insert into product_tag_rel values (1, 1);
"""
WORK = f"""
insert into res_partner (name) values ('new');
insert into sale_order (name) values ('S0002'), ('S0003');
update sale_order set write_date = now() at time zone 'UTC' where name = 'S0001';
insert into account_move (name, move_type) values ('INV/1', 'out_invoice'), ('MISC/1', 'entry'){", ('R/1', 'stranger')" * RECEIPTS}, ('X/1', null);
insert into ir_cron (name) values ('mail'), ('mail');
insert into bus_bus select;
insert into product_tag_rel select 1, g from generate_series(2, 12) g;
insert into stock_part (day) select '2026-01-01' from generate_series(1, 3);
insert into warehouse.scans (what) values ('a'), ('b');
insert into warehouse.counts values (1, 5);
insert into product_template (name, create_date, write_date) values ('imported past the ORM', null, null);
"""
OTHERS = {**PLAIN, "product_template": PLAIN["product_template"] + 1, "account_move": RECEIPTS + 1, "product_tag_rel": 11, "stock_part": 3,
          "warehouse.scans": 2, "warehouse.counts": 1, "ir_cron": 2, "bus_bus": 1}
NAMED = {"orders": (2, 1), "invoices": (1, 0), "journal entries": (1, 0), "customers and contacts": (1, 0)}


@pytest.fixture
def shop(server: Server) -> Iterator[Database]:
    database = server.instance()
    database.create()
    server.sql(SCHEMA + "".join(f"create table {name} (id serial primary key, name varchar, {DATES});" for name in PLAIN), NAME)
    for name in PLAIN:
        server.sql(f"insert into {name} (name, create_date, write_date) select 'old', {OLD} from generate_series(1, 3)", NAME)
    yield database
    server.instance()


def point(server: Server) -> Gap:
    """What a recovery point of now notes."""
    taken, horizon, system = server.sql("select now()::text, txid_snapshot_xmin(txid_current_snapshot()) % (2::bigint ^ 32)::bigint,"
                                        " (select system_identifier::text from pg_control_system())", NAME)[0]
    taken = taken.replace(" ", "T") + ":00"
    return Gap(taken, taken, str(horizon), system)


def work(server: Server) -> None:
    server.sql(WORK, NAME)
    for name, rows in PLAIN.items():
        server.sql(f"insert into {name} (name) select 'new' from generate_series(1, {rows})", NAME)


def named(price: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {item["name"]: (item["made"], item["changed"]) for item in price["documents"]}


def test_every_row_is_counted(server: Server, shop: Database) -> None:
    gap = point(server)
    work(server)
    price = loss.price(shop, gap)
    assert named(price) == NAMED
    assert price["others"] == OTHERS and price["unknown"] == []
    own = OTHERS["ir_cron"] + OTHERS["bus_bus"]
    rows = sum(OTHERS.values()) - own
    assert price["summary"].endswith(
        f"; and {rows} rows in {len(OTHERS) - 2} other tables (product_template 50, product_product 49, product_pricelist_item 12, product_tag_rel 11, …);"
        f" {own} rows of Odoo's own bookkeeping in 2 tables")
    assert "2 orders" in price["summary"] and "changes lost to: 1 orders" in price["summary"]


def test_products_alone(server: Server, shop: Database) -> None:
    """What was seen: 98 products, told as one contact."""
    gap = point(server)
    server.sql("insert into res_partner (name) values ('one')", NAME)
    for table in ("product_template", "product_product"):
        server.sql(f"insert into {table} (name) select 'new' from generate_series(1, 49)", NAME)
    assert loss.price(shop, gap)["summary"] == (
        "made and lost: 1 customers and contacts; and 98 rows in 2 other tables (product_product 49, product_template 49)")


def test_nothing_is_nothing(server: Server, shop: Database) -> None:
    assert loss.price(shop, point(server))["summary"] == "nothing was made or changed since"


@pytest.mark.parametrize("system", ["another cluster's", ""])
def test_what_cannot_be_told_is_said(server: Server, shop: Database, system: str) -> None:
    """A point of another cluster, or an old one: rows that bear no date are not counted, and that is said."""
    gap = point(server)
    work(server)
    price = loss.price(shop, Gap(gap.taken, gap.since, gap.horizon if system else "", system))
    assert named(price) == NAMED and "product_tag_rel" not in price["others"]
    assert price["unknown"] == ["product_tag_rel", "warehouse.counts"] and "rows of 2 tables bear no date" in price["summary"]


@pytest.mark.usefixtures("programs")
def test_after_a_way_back_everything_looks_new(server: Server, shop: Database) -> None:
    """Loaded from a dump since the point: what bears no date is not told as made since."""
    gap = point(server)
    place = server.directory / "whole.dump"
    server.run("pg_dump", "--format", "custom", "--file", str(place), NAME)
    server.instance()
    shop.create()
    server.run("pg_restore", "-d", NAME, str(place))
    price = loss.price(shop, gap)
    assert price["others"] == {} and price["unknown"] == ["product_tag_rel"]


@pytest.mark.usefixtures("programs")
def test_what_was_abandoned_is_told_by_the_row(server: Server, shop: Database, tmp_path: Path) -> None:
    """Compared with what was restored: the same rows again, and all of people's work in the export."""
    gap = point(server)
    place = server.directory / "point.dump"
    server.run("pg_dump", "--format", "custom", "--file", str(place), NAME)
    work(server)
    shop.create(NAME + "_scratch")
    server.run("pg_restore", "-d", NAME + "_scratch", str(place))
    restored = Database(NAME + "_scratch", shop.way)
    told = loss.price(restored, gap, NAME, NAME + "_scratch")
    assert (named(told), told["others"], told["unknown"]) == (NAMED, OTHERS, [])
    rows = loss.export(restored, NAME, gap, str(tmp_path / "export"), told)
    work_rows = sum(rows for table, rows in OTHERS.items() if not bookkeeping(table)) + sum(made + changed for made, changed in NAMED.values())
    assert rows == work_rows
    assert len((tmp_path / "export" / "product_tag_rel.csv").read_text().splitlines()) == 1 + OTHERS["product_tag_rel"]
    assert "- 50 rows of product_template" in (tmp_path / "export" / "README.md").read_text()
