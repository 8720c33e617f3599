# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository that is harmed, half-made or lost: what is bad is called bad, what only could not be read is not."""

from __future__ import annotations

import time

import pytest
from rig.instance import Instance, filled, sound


@pytest.mark.parametrize("what", ["data", "tree", "index", "snapshot", "key", "config"])
def test_what_is_harmed_in_the_store_is_not_verified(bodega: Instance, what: str) -> None:
    """Although this machine has whole copies of trees, indexes and snapshots in restic's cache."""
    point, place = filled(bodega), bodega.repository["location"]
    bodega.machine.sh(f"cp -a {place} {place}.kept; ls {bodega.directory}/recovery/cache/*/")
    for harm in ("flipped", "truncated", "deleted"):
        assert bodega.info()["latest_verified"]["id"] == point
        bodega.machine.harm(bodega.stored(point, what), harm)
        time.sleep(1.1)
        bodega.run("verified", point=point, max_age=1).fails("not_verified", point)
        found = bodega.info()
        assert found["latest_verified"] is None and found["points"][0]["state"] == "failed", harm
        if what == "data":
            assert bodega.run("restored", point=point, target=bodega.target()).failed
            assert bodega.machine.sql("postgres", "select count(*) from pg_database where datname = 'bodega_scratch'") == "0"
        bodega.machine.sh(f"rm -rf {place} && cp -a {place}.kept {place}")
    bodega.machine.sh(f"rm -rf {place}.kept")


@pytest.mark.parametrize(("script", "code"), [
    ('case " $* " in *" dump "*) kill -9 $$;; esac; exec /usr/bin/restic "$@"', "repository_failed"),
    ('case " $* " in *" dump "*) exec /nowhere/restic;; esac; exec /usr/bin/restic "$@"', "restic_missing")])
def test_verification_that_could_not_run_proves_nothing(bodega: Instance, script: str, code: str) -> None:
    point = filled(bodega)
    time.sleep(1.1)
    with bodega.machine.instead_of_restic(script):
        bodega.run("verified", point=point, max_age=1).fails(code)
    assert bodega.info()["latest_verified"]["id"] == point
    missing = bodega.run("verified", point=point, max_age=1, at=[{"event": "begin", "step": "read_dump", "do": "mv /usr/lib/postgresql/17/bin/pg_restore /root/"}])
    bodega.machine.sh("mv /root/pg_restore /usr/lib/postgresql/17/bin/")
    missing.fails("program_missing")
    assert bodega.info()["latest_verified"]["id"] == point


def test_repository_killed_while_it_is_made(bodega: Instance) -> None:
    """Inside restic's own making, after it, and between the key and the config in the store."""
    restic = f"{bodega.repository['location']}/restic"
    for script in ('/usr/bin/restic "$@"; rm -f "$4/config"; kill -9 $PPID', '/usr/bin/restic "$@"; kill -9 $PPID'):
        with bodega.machine.instead_of_restic(script.replace("$4", f"{bodega.directory}/recovery/new-repository")):
            assert bodega.run("captured").code == -9
        assert bodega.machine.sh(f"test -e {restic} || echo none").strip() == "none"
    bodega.machine.sh(f"mkdir -p {restic} && mount -t tmpfs -o size=4k none {restic}")
    bodega.run("captured").fails("store_failed", f"{restic}/config", "No space")
    (key,) = bodega.machine.sh(f"ls {restic}/keys").split()
    bodega.machine.sh(f"cp -a {restic} {restic}.kept && umount {restic} && cp -a {restic}.kept/. {restic}/ && rm -rf {restic}.kept")
    point = bodega.run("captured").ok().point["id"]
    assert bodega.machine.sh(f"ls {restic}/keys").split() == [key]
    assert not bodega.machine.sh(f"ls -d {bodega.directory}/recovery/new-repository 2>/dev/null", check=False)
    bodega.run("verified").ok()
    sound(bodega, point)


def test_what_restic_left_half_made(bodega: Instance) -> None:
    """A key without a config: restic refuses such a place, or puts a second key there that opens nothing."""
    bodega.restic("init")
    bodega.machine.sh(f"rm {bodega.repository['location']}/restic/config")
    point = bodega.run("captured").ok().point["id"]
    bodega.run("verified").ok()
    sound(bodega, point)


def test_config_lost(bodega: Instance) -> None:
    """Also where this machine never used the repository: it is not made anew over what is in it."""
    point, config = filled(bodega), f"{bodega.repository['location']}/restic/config"
    bodega.machine.sh(f"mv {config} /root/config; rm {bodega.directory}/state/recovery-repository.json")
    bodega.run("captured").fails("repository_damaged", "no config")
    bodega.machine.sh(f"mv /root/config {config}")
    bodega.run("captured").ok()
    sound(bodega, point)
