# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory no longer has, and a machine does: it is named, and nothing of it is lost by whatever part of site is run."""

from __future__ import annotations

from .conftest import ONE, TWO, Site, both

RENAMED = "corner-shop"


def without(site: Site, name: str) -> dict[str, object]:
    return {key: value for key, value in both(site).items() if key != name}


def test_an_instance_renamed_in_the_inventory_is_refused_and_named(site: Site) -> None:
    """Its number is the running one's, whatever part is asked for; what runs keeps all."""
    before = site.runs()
    inventory = {RENAMED: site.instance(1, "shop-one.example.test"), **without(site, ONE)}
    for arguments in (("--tags", "site_instances,site_routes", "--check"), ("--tags", "site_machines,site_routes")):
        said = site.play(inventory, *arguments, fails=True)
        assert f"instance {RENAMED}: instance_number 1 is {ONE}'s on this machine" in said and f"give it back its name {ONE}" in said, said[-3000:]
        assert site.runs() == before
    # The machine itself left out: the instance's own play refuses it, too.
    said = site.play(inventory, "--limit", RENAMED, "--tags", "site_instances", fails=True)
    assert f"instance_number 1 is {ONE}'s" in said and site.runs() == before


def test_an_instance_renamed_with_another_number_leaves_what_runs_as_it_was(site: Site) -> None:
    """Two inventories of one shop: the old one goes on with its route, so the new one does not get the host."""
    before = site.runs()
    inventory = {RENAMED: site.instance(3, "shop-one.example.test"), **without(site, ONE)}
    said = site.play(inventory, "--tags", "site_routes", "--check", fails=True)
    assert f"{ONE} is on this machine and in no inventory given" in said and "It is left as it is" in said
    assert "host_taken" in said or f"which route {ONE} already serves" in said, said[-3000:]
    assert site.runs() == before


def test_an_instance_that_the_inventory_lost_keeps_all(site: Site) -> None:
    """Also over a reboot: its socket directories are made as before."""
    before = site.runs()
    for arguments in (("--tags", "site_routes"), ("--tags", "site_machines")):
        said = site.play(without(site, TWO), *arguments)
        assert f"{TWO} is on this machine and in no inventory given: containers ({TWO}-blue-web created), front (172.28.2.2)" in said
        for part in ("route (shop-two.example.test)", "cluster (shop_two, port 5502)", "session store", "timers", "mail block", "files (uid 20002)"):
            assert part in said, said[-3000:]
        assert site.runs() == before
    site.sh("systemctl stop redis-server@shop-two postgresql@17-shop_two; rm -rf /run/sysgenpro/shop-two; systemd-tmpfiles --create;"
            " systemctl start postgresql@17-shop_two redis-server@shop-two")
    assert site.sh("ls /run/sysgenpro/shop-two/postgresql/.s.PGSQL.5502 /run/sysgenpro/shop-two/redis/redis.sock | wc -l") == "2"
    assert site.sh("stat -c %g /run/sysgenpro/shop-two/postgresql/. /run/sysgenpro/shop-two/redis/. | xargs") == "20002 20002"


def test_an_instance_that_the_inventory_has_on_another_machine_keeps_all_here(site: Site) -> None:
    before = site.runs()
    moved = {**both(site), TWO: site.instance(2, "shop-two.example.test", instance_machine="elsewhere")}
    said = site.play(moved, "--limit", f"{site.name},{ONE}", "--tags", "site_routes", machines_too={"elsewhere": {"ansible_host": "127.0.0.9"}})
    assert f"{TWO} is on this machine and the inventory has it on elsewhere" in said
    assert site.runs() == before


def test_another_number_is_refused_with_both_named(site: Site) -> None:
    before = site.runs()
    changed = {**both(site), ONE: site.instance(9, "shop-one.example.test")}
    for arguments in (("--tags", "site_machines,site_routes", "--check"), ("--limit", ONE, "--tags", "site_instances")):
        said = site.play(changed, *arguments, fails=True)
        assert f"instance {ONE}: instance_number is 9 in the inventory, and on the machine it is 1" in said, said[-3000:]
        assert "Give it back its number 1" in said and site.runs() == before
    # The verbs do not take what they cannot find for something that does not run.
    release = "registry.example.test:5000/odoo@sha256:" + "ab" * 32
    for verb, further in (("plan", ("-e", f"instance_release={release}")), ("status", ())):
        said = site.play(changed, "--limit", ONE, *further, verb=verb, fails=True)
        assert "is on this machine with number 1 (front 172.28.1.2, port 5501" in said and "looked for with number 9 (front 172.28.9.2, port 5509" in said, said[-3000:]
        assert "Start the cluster" not in said
    said = site.play(changed, "--limit", ONE, verb="recovery_point", fails=True)
    assert "a cluster answers on port 5501" in said and "Start the cluster" not in said


def test_another_database_or_subnet_is_refused(site: Site) -> None:
    before = site.runs()
    said = site.play({**both(site), ONE: site.instance(1, "shop-one.example.test", instance_database="other")}, "--tags", "site_routes", fails=True)
    assert "instance_database is other in the inventory, and on the machine it is shop_one" in said
    said = site.play({**both(site), ONE: site.instance(1, "shop-one.example.test", machine_subnet="10.9.0.0/16")}, "--tags", "site_routes", fails=True)
    assert "its front is 10.9.1.2 by the inventory, and 172.28.1.2 on the machine" in said
    assert site.runs() == before


def test_a_word_takes_away_what_is_left(site: Site) -> None:
    """site_absent is refused as long as the shop is there; then it ends route and timers, and nothing of its neighbour."""
    before = site.runs()
    absent = ("-e", '{"site_absent": ["shop-two"]}')
    said = site.play(without(site, TWO), "--tags", "site_routes", *absent, fails=True)
    assert f"instance {TWO}: it is to be absent, and here are still containers" in said and site.runs() == before
    said = site.play(both(site), "--tags", "site_routes", *absent, fails=True)
    assert "it is to be absent and the inventory has it on this machine" in said and site.runs() == before
    site.sh("docker rm shop-two-blue-web; systemctl disable --now redis-server@shop-two; systemctl stop postgresql@17-shop_two;"
            " pg_dropcluster 17 shop_two; rm -rf /etc/postgresql/17/shop_two /etc/redis/redis-shop-two.conf /etc/sysgenpro/redis/shop-two.acl"
            " /etc/sysgenpro/fronts.d/shop-two.ip; ip address del 172.28.2.2/32 dev lo")
    site.play(without(site, TWO), "--tags", "site_routes", *absent, "--check")
    assert site.sh("ls /etc/sysgenpro/recovery/shop-two.json /etc/traefik/dynamic/shop-two.yml | wc -l") == "2"
    site.play(without(site, TWO), "--tags", "site_routes", *absent)
    assert site.sh("ls /etc/traefik/dynamic /etc/sysgenpro/recovery | grep shop-two || true; systemctl list-timers --no-legend '*shop-two*'") == ""
    assert site.sh("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/api/http/routers/shop-two@file") == "404"
    assert site.sh("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/api/http/routers/shop-one@file") == "200"
    # A host taken from an instance of the inventory takes its route, and giving it back brings it.
    site.play({ONE: site.instance(1, "shop-one.example.test", instance_hosts=[])}, "--tags", "site_routes")
    assert site.sh("ls /etc/traefik/dynamic") == ""
    site.play(without(site, TWO), "--tags", "site_routes")
    assert site.sh("ls /etc/traefik/dynamic") == "shop-one.yml"
