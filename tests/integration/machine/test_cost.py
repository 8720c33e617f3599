# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of ``site`` costs where nothing is to be done: counted in tasks; not timed. And that what differs is found in spite of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import ONE, Site, both, counted

TASKS = 52
"""Of one machine with two instances, at the most."""
EACH = 3
"""Of each further instance."""

# What is broken by hand, and what tells that it is whole again: at most one thing of a role in each round, since one would hide another.
ROUNDS: list[dict[str, tuple[str, str]]] = [
    {
        "container_host": ("nft delete table ip sysgenpro", "nft list chain ip sysgenpro output | grep -q fronts"),
        "postgresql": ("systemctl stop postgresql@17-shop_one", "systemctl is-active --quiet postgresql@17-shop_one"),
        "redis": ("systemctl stop redis-server@shop-one", "systemctl is-active --quiet redis-server@shop-one"),
        "recovery_point": ("systemctl disable --now --quiet sysgenpro-recovery-check@shop-one.timer",
                           "systemctl is-active --quiet sysgenpro-recovery-check@shop-one.timer"),
        "traefik": ("systemctl stop traefik-pages", "systemctl is-active --quiet traefik-pages"),
        "odoo_instance": ("chown 0:0 /var/lib/sysgenpro/instances/shop-one/data", "test $(stat -c %u /var/lib/sysgenpro/instances/shop-one/data) = 20001"),
    },
    {
        "container_host": ("echo >>/etc/sysctl.d/60-sysgenpro.conf", "tail -n 1 /etc/sysctl.d/60-sysgenpro.conf | grep -q ."),
        "postgresql": ("cd /; runuser -u postgres -- psql -qp 5501 -c 'alter role shop_one_green_web createrole'",
                       "cd /; runuser -u postgres -- psql -qXAtp 5501 -c \"select rolcreaterole from pg_roles where rolname = 'shop_one_green_web'\" | grep -qx f"),
        "redis": ("chmod 0644 /etc/sysgenpro/redis/shop-two.acl", "test $(stat -c %a /etc/sysgenpro/redis/shop-two.acl) = 640"),
        "recovery_point": ("echo '# mine' >>/opt/sysgenpro/recovery/sysgenpro_odoo/_recovery/plan.py",
                           "! grep -q '# mine' /opt/sysgenpro/recovery/sysgenpro_odoo/_recovery/plan.py"),
        "traefik": ("rm /etc/traefik-pages/en/503.html", "test -s /etc/traefik-pages/en/503.html"),
        "odoo_instance": ("nft delete table inet sysgenpro_mail_1", "nft list table inet sysgenpro_mail_1 | grep -q reject"),
    },
    {
        "container_host": ("systemctl disable --quiet docker", "systemctl is-enabled --quiet docker"),
        "postgresql": ("echo disabled >/etc/postgresql/17/shop_two/start.conf", "! grep -qx disabled /etc/postgresql/17/shop_two/start.conf"),
        "redis": ("touch /etc/redis/redis-shop-one.conf", "test -z \"$(/usr/local/sbin/sysgenpro-redis differs)\""),
        "recovery_point": ("rm /etc/sysgenpro/recovery/shop-two.json", "test -s /etc/sysgenpro/recovery/shop-two.json"),
        "traefik": ("ln -sfn /dev/zero /etc/systemd/system/nginx.service", "test $(readlink /etc/systemd/system/nginx.service) = /dev/null"),
        "odoo_instance": ("docker network rm shop-two >/dev/null", "docker network inspect shop-two >/dev/null"),
    },
    {
        "container_host": ("nft delete table inet sysgenpro_host", "nft list chain inet sysgenpro_host input | grep -q 'policy drop'"),
        "postgresql": ("cd /; runuser -u postgres -- psql -qp 5502 -c 'drop role shop_two_update'",
                       "cd /; runuser -u postgres -- psql -qXAtp 5502 -c \"select count(*) from pg_roles where rolname = 'shop_two_update'\" | grep -qx 1"),
        "redis": ("chmod 0700 /run/sysgenpro/shop-one/redis", "test $(stat -c %a /run/sysgenpro/shop-one/redis) = 2750"),
        "recovery_point": ("sed -i s/Persistent=true/Persistent=false/ /etc/systemd/system/sysgenpro-recovery-capture@shop-one.timer; systemctl daemon-reload",
                           "grep -q Persistent=true /etc/systemd/system/sysgenpro-recovery-capture@shop-one.timer"),
        "traefik": ("touch /etc/traefik/traefik.yml",
                    "test $(date -d \"$(systemctl show -P InactiveExitTimestamp traefik)\" +%s) -ge $(stat -c %Z /etc/traefik/traefik.yml)"),
        "odoo_instance": ("ip address del 172.28.2.2/32 dev lo", "ip -o address show dev lo to 172.28.2.2/32 | grep -q ."),
    },
    {
        "container_host": ("dpkg --remove --force-depends --no-triggers pigz >/dev/null 2>&1", "command -v pigz >/dev/null"),
        "postgresql": ("rm -r /run/sysgenpro/shop-two/postgresql; systemctl stop postgresql@17-shop_two", "test -S /run/sysgenpro/shop-two/postgresql/.s.PGSQL.5502"),
        "redis": ("systemctl disable --quiet redis-server@shop-two", "systemctl is-enabled --quiet redis-server@shop-two"),
        "traefik": ("usermod --shell /bin/sh traefik", "getent passwd traefik | grep -q nologin$"),
        "odoo_instance": ("systemctl disable --quiet sysgenpro-mail-shop-two", "systemctl is-enabled --quiet sysgenpro-mail-shop-two"),
    },
]


@pytest.fixture(scope="module")
def converged(site: Site) -> Site:
    site.play(both(site))
    return site


def test_nothing_to_do_costs_few_tasks(converged: Site, figure: Callable[[str], None]) -> None:
    tasks, changed = counted(converged.play(both(converged)))
    fewer, _changed = counted(converged.play(both(converged), "--limit", f"{converged.name},{ONE}"))
    figure(f"site with nothing to do, one machine and two instances: {tasks} tasks, of which {tasks - fewer} for the second instance")
    assert changed == 0 and tasks <= TASKS and tasks - fewer <= EACH


def test_the_verbs_that_only_look_cost_few_tasks(converged: Site, figure: Callable[[str], None]) -> None:
    tasks, changed = counted(converged.play(both(converged), verb="status"))
    fewer, _changed = counted(converged.play(both(converged), "--limit", ONE, verb="status"))
    figure(f"status of two instances: {tasks} tasks, of which {tasks - fewer} for the second instance")
    assert changed == 0 and tasks - fewer <= 6


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(ROUNDS)))
def test_what_differs_is_found_and_mended(converged: Site, number: int) -> None:
    """Also in check mode, which says so and mends nothing."""
    for broken, whole in ROUNDS[number].values():
        converged.sh(f"{{ {broken}; }} && ! {{ {whole}; }}")
    _tasks, would = counted(converged.play(both(converged), "--check"))
    for role, (_broken, whole) in ROUNDS[number].items():
        converged.sh(f"! {{ {whole}; }} || {{ echo check mode mended {role} >&2; exit 1; }}")
    _tasks, changed = counted(converged.play(both(converged)))
    assert would > 0 and changed >= len(ROUNDS[number])
    for role, (_broken, whole) in ROUNDS[number].items():
        converged.sh(f"{{ {whole}; }} || {{ echo {role} was not mended >&2; exit 1; }}")
    tasks, changed = counted(converged.play(both(converged)))
    assert changed == 0 and tasks <= TASKS
