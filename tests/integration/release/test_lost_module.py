# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators met: a module that is killed alone, a filestore of root's, a database without extensions, a new shop that does not come up."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from estate import Estate, Seen, sound
from estate.machine import ROOT
from estate.place import HOST, INSTANCE, NEIGHBOUR, NEIGHBOUR_HOST
from estate.place import ROOT as COLLECTION
from estate.steps import began
from load import Config, Records, Tenant
from load.browser import Browser

FILESTORE = f"{ROOT}/{INSTANCE}/data/filestore/fault_one"
# The module's own process, and not the wrapper around it.
KILL = "for p in $(grep -lsa AnsiballZ_odoo_release /proc/[0-9]*/cmdline | cut -d/ -f3); do" \
       " grep -qa async_wrapper /proc/$p/cmdline || kill -9 $p; done 2>/dev/null; true"
WORD = "a password with 'quotes' and ä"


def test_the_module_alone_is_killed(estate: Estate, mark: str, here: None) -> None:
    """Not its wrapper: the play says what it had come to and that everybody waits; the next one says what it goes on with."""
    _current, target = estate.other_schema()
    estate.behave(during_update="sleep 30")
    running = subprocess.Popen(estate.command("release", instance_release=target), cwd=COLLECTION, env=estate.environment(), text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    began(estate, "update")
    estate.machine.sh(KILL)
    output = " ".join(running.communicate(timeout=300)[0].split())
    assert running.returncode and "Traceback" not in output, output
    assert "The operation was interrupted: its process was killed" in output and "and requests wait until it is run again" in output, output
    assert Seen.look(estate).colour is None
    estate.behave(during_update="")
    again = estate.play("release", instance_release=target)
    assert "going on with what was interrupted: Undo the operation" in again.output and "that was interrupted in 'Update" in again.output
    sound(estate, target, mark)


@pytest.mark.slow
def test_the_jobs_file_is_gone(estate: Estate, mark: str, here: None) -> None:
    """Somebody cleans up what Ansible keeps on the machine: the release goes on, and the play says what its journal says of its end."""
    _current, target = estate.other_schema()
    estate.behave(during_update="sleep 15")
    running = subprocess.Popen(estate.command("release", instance_release=target), cwd=COLLECTION, env=estate.environment(), text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    began(estate, "update")
    estate.machine.sh("rm -rf /root/.ansible_async")
    output = " ".join(running.communicate(timeout=600)[0].split())
    assert running.returncode and "the file that bears its result is gone" in output and "Its journal says that it ended: done" in output, output
    estate.behave(during_update="")
    assert estate.play("release", instance_release=target).changed == 0
    sound(estate, target, mark)


@pytest.fixture
def of_root(estate: Estate) -> Iterator[None]:
    owner = estate.machine.sh(f"stat -c %u:%g {FILESTORE}").strip()
    estate.machine.sh(f"mkdir -p {FILESTORE}/00 && chown -R root:root {FILESTORE} && chmod -R go-rwx {FILESTORE}")
    yield
    estate.machine.sh(f"chown -R {owner} {FILESTORE}")


def test_a_filestore_of_roots_holds_nobody(estate: Estate, mark: str, of_root: None) -> None:
    current, target = estate.other_schema()
    before = Seen.look(estate)
    for name in (target, "one-b"):
        ran = estate.release(name)
        assert ran.error == "filestore_unusable" and "is of uid 0" in ran.message and "chown -R 20001:20001" in ran.message, ran.message
    assert Seen.look(estate) == before and current
    sound(estate, current, mark)


@pytest.mark.slow
def test_an_old_database_is_given_what_odoo_gives(estate: Estate, mark: str) -> None:
    """By the release that runs already, while everybody works; nothing is held and no colour is changed."""
    estate.runs("one-a")
    estate.machine.sql("drop extension pg_trgm cascade")
    before = Seen.look(estate)
    ran = estate.release("one-a").ok()
    assert ran.kind == "none" and [step["name"] for step in ran.result["plan"]["steps"]] == ["extensions"]
    assert ran.result["operation"]["pause"] == 0 and Seen.look(estate).containers == before.containers
    assert estate.machine.sql("select 1 from pg_extension where extname = 'pg_trgm'") == "1"
    assert not estate.release("one-a").ok().result["changed"]
    sound(estate, "one-a", mark)


def _logs_in(estate: Estate, password: str) -> bool:
    import asyncio

    tenant = Tenant(name="fault_two", url=f"https://{NEIGHBOUR_HOST}", database="fault_two", address=estate.machine.address, password=password)

    async def ask() -> bool:
        browser = Browser(Config(tenants=(tenant,), ca=estate.authority), tenant, Records())
        try:
            return bool(await browser.login())
        finally:
            await browser.close()

    return asyncio.run(ask())


@pytest.mark.slow
@pytest.mark.dear
def test_a_new_shop(estate: Estate) -> None:
    """One that does not come up leaves nothing and says so; one that does is nobody's but who has its password; removed, it is removed."""
    assert HOST != NEIGHBOUR_HOST
    given = {"limit": NEIGHBOUR, "instance_admin_password": WORD}
    failed = estate.play("release", fails=True, instance_release="blank", instance_modules=["sgp_fault"], **given)
    told = " ".join(failed.output.split())
    assert f"What was made of it was removed; nothing of {NEIGHBOUR} runs, as nothing did before" in told and WORD not in told, told[-3000:]
    made = estate.play("release", instance_release="one-a", **given)
    assert "the password is the instance's secret 'admin'" in made.output and WORD not in made.output
    assert _logs_in(estate, WORD) and not _logs_in(estate, "admin")
    found = estate.machine.sql("select extname from pg_extension order by 1", "fault_two", 5502).split()
    assert found == ["pg_trgm", "plpgsql"]
    assert WORD not in estate.machine.sh(f"cat {ROOT}/{NEIGHBOUR}/state/history/* {ROOT}/{NEIGHBOUR}/state/*.json 2>/dev/null || true")
    gone = estate.play("release", release_state="absent", release_purge=NEIGHBOUR, limit=NEIGHBOUR)
    assert f"{NEIGHBOUR}: removed; nothing of it runs. Dropped: fault_two" in " ".join(gone.output.split()), gone.output[-2000:]
    again = estate.play("release", release_state="absent", release_purge=NEIGHBOUR, limit=NEIGHBOUR)
    assert "unchanged, there is nothing to remove" in again.output
