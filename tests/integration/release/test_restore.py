# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A recovery point becomes a new instance, and nothing of it acts outside; and back across several releases, with documents that people made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from estate import Estate, sound
from estate.edge import get
from estate.machine import ROOT, Ran
from estate.office import HOOK, MAIL, documents, made, office, sink
from estate.place import HOST, INSTANCE, NEIGHBOUR, NEIGHBOUR_HOST
from estate.sources import ADDON

pytestmark = pytest.mark.slow

# It takes a while until that is installed.
SELLING: dict[str, Any] = {"modules": {"install": [ADDON, "sale"]}, "bounds": {"update": 800, "max_pause": 800}}
TWO = {"database": "fault_two", "port": 5502}
OUTSIDE = {"instance_mail_outside": True, "instance_config": {"smtp_server": "127.0.0.1", "smtp_port": MAIL}}
STORED = f"cd {ROOT}/{INSTANCE}/data/filestore/fault_one && while read f; do [ \"$(sha1sum $f | cut -d' ' -f1)\" = ${{f#*/}} ] || echo $f; done"


def point_of(ran: Ran) -> str:
    """The recovery point that a release took before its update."""
    return str(next(entry["data"]["point"] for entry in ran.result["operation"]["steps"]
                    if entry.get("step") == "recovery_point" and entry["event"] == "done"))


def manifests(estate: Estate) -> dict[str, Any]:
    """Of all points of the instance."""
    repository = estate.machine.parameters({})["recovery"]["repository"]
    ran = estate.machine.other_module("pg_recovery_point_info", {"instance": INSTANCE, "repository": repository, "manifests": True})
    return dict(ran.ok().result["manifests"])


@pytest.fixture(scope="module")
def empty(estate: Estate) -> Iterator[str]:
    """The instance sells. Returns the recovery point of before, to which it goes back in the end."""
    estate.runs("one-a")
    point = point_of(estate.release("one-a", **SELLING).ok())
    yield point
    if estate.machine.sql("select 1 from ir_module_module where name = 'sale' and state = 'installed'"):
        asked = estate.machine.module({"state": "rolled_back", "release": None, "point": point})
        estate.machine.module({"state": "rolled_back", "release": None, "point": point,
                               "expected_plan_digest": asked.result["details"]["plan"]["digest"]}).ok()
    for name in estate.machine.sql("select datname from pg_database where datname like 'fault_one_was_%'", "postgres").split():
        estate.machine.sql(f"drop database {name} with (force)", "postgres")
        estate.machine.sh(f"rm -rf {ROOT}/{INSTANCE}/data/filestore/{name}")


@pytest.fixture
def scratch(estate: Estate) -> Iterator[None]:
    """The place of a second instance, empty again afterwards."""
    yield
    estate.play("release", limit=NEIGHBOUR, release_state="absent", release_purge=NEIGHBOUR)


def test_restored_copy_acts_nowhere(estate: Estate, empty: str, scratch: None) -> None:
    """A mail server is configured and may be reached, mail is queued, actions are scheduled, a webhook is set: nothing leaves."""
    machine = estate.machine
    (model,) = office(estate, HOST, "fault_one", ("ir.model", "search", [[["model", "=", "res.partner"]]]))[0]
    mail = {"subject": "queued", "email_from": "shop@example.test", "email_to": "customer@example.test", "body_html": "x"}
    queued, hook = map(made, office(
        estate, HOST, "fault_one", ("mail.mail", "create", [{**mail, "state": "outgoing"}]),
        ("ir.actions.server", "create", [{"name": "Tell", "model_id": model, "state": "webhook", "webhook_url": f"http://127.0.0.1:{HOOK}/"}])))
    assert machine.sql("select count(*) from ir_cron where active") != "0"
    estate.play("recovery_point", limit=INSTANCE)
    estate.play("restore", limit=NEIGHBOUR, restore_source=INSTANCE, **OUTSIDE)
    assert machine.sql("select count(*) from ir_cron where active", **TWO) == "0"
    assert machine.sql("select distinct smtp_host from ir_mail_server where active", **TWO) == "invalid"
    colour = "blue" if machine.sh("docker ps -q --filter name=fault-two-blue-web") else "green"

    def act() -> None:
        again = made(office(estate, NEIGHBOUR_HOST, "fault_two", ("mail.mail", "create", [{**mail, "state": "outgoing"}]))[0])
        office(estate, NEIGHBOUR_HOST, "fault_two", ("mail.mail", "process_email_queue", []), ("mail.mail", "send", [[queued, again]]),
               ("ir.actions.server", "run", [[hook]], {"context": {"active_model": "res.partner", "active_id": 1, "active_ids": [1]}}))
        time.sleep(3)

    with sink(estate, f"fault-two-{colour}-web") as seen:
        act()
        assert seen.seen() == []
        # That something listens, and that Odoo is configured to send there: without what neutralizing left it does.
        machine.sql(f"update ir_mail_server set active = false; update ir_act_server set webhook_url = 'http://127.0.0.1:{HOOK}/' where id = {hook}", **TWO)
        act()
        assert set(seen.seen()) == {"mail", "hook"}


def test_a_restore_onto_what_is_there(estate: Estate, empty: str, scratch: None) -> None:
    """The same point: nothing to do. Another: refused, and what is there goes on. The points name the instance's secrets, and the one that an
    update took is held."""
    estate.play("recovery_point", limit=INSTANCE)
    estate.play("restore", limit=NEIGHBOUR, restore_source=INSTANCE)
    again = estate.play("restore", limit=NEIGHBOUR, restore_source=INSTANCE)
    assert "changed=0" in again.output.split("PLAY RECAP")[1]
    estate.play("recovery_point", limit=INSTANCE)
    refused = estate.play("restore", fails=True, limit=NEIGHBOUR, restore_source=INSTANCE)
    assert "target_exists" in refused.output and "fault-two exists already" in refused.output, refused.output[-2000:]
    assert get(estate, NEIGHBOUR_HOST, "/web/login")[0] == 200
    found = manifests(estate)
    assert found[empty]["keep_until"] > found[empty]["taken"]["at"]
    for point in (empty, max(found)):
        assert found[point]["secrets"] == sorted(["recovery", "session", "database_update", *(
            f"database_{colour}_{kind}" for colour in ("blue", "green") for kind in ("web", "cron", "queue"))]), found[point]["taken"]


def test_back_across_several_releases(estate: Estate, empty: str, mark: str) -> None:
    """Each with an update, each with documents of its own: all are priced and exported, and the oldest database comes back whole."""
    machine = estate.machine
    numbers = [documents(estate, HOST, "fault_one", f"{mark} 1")]
    for count, name in enumerate(("two", "one-b"), 2):
        assert estate.release(name, **SELLING).ok().kind == "update"
        numbers.append(documents(estate, HOST, "fault_one", f"{mark} {count}"))
    asked = machine.module({"state": "rolled_back", "release": None, "point": empty})
    assert asked.error == "confirmation_needed", asked.message
    price = {item["name"]: item for item in asked.result["details"]["plan"]["price"]["documents"]}
    orders, invoices = [order for order, _invoice in numbers], [invoice for _order, invoice in numbers]
    assert set(orders) <= set(price["orders"]["numbers"]) and price["orders"]["given_out"] == price["orders"]["made"], price
    assert set(invoices) <= set(price["invoices"]["numbers"]), price
    ran = machine.module({"state": "rolled_back", "release": None, "point": empty,
                          "expected_plan_digest": asked.result["details"]["plan"]["digest"]}).ok()
    assert ran.kind == "restore"
    sound(estate, "one-a")
    assert not machine.sql("select 1 from ir_module_module where name = 'sale' and state = 'installed'")
    export = next(entry["data"] for entry in ran.result["operation"]["steps"] if entry.get("step") == "export" and entry["event"] == "done")
    found = machine.sh(f"cd {export['export']} && cat sale_order.csv account_move.csv")
    assert all(number in found for number in orders + invoices), found
    told = {item["name"]: item["made"] for item in export["loss"]["documents"]}
    assert told["orders"] == price["orders"]["made"] and told["invoices"] == price["invoices"]["made"], told
    stored = machine.sql("select distinct store_fname from ir_attachment where store_fname is not null")
    assert stored and not machine.sh(STORED, stored + "\n"), "files that the database names are not there, or are torn"
