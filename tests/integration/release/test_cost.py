# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a converged run costs: counted at Docker's socket, in PostgreSQL's log and before nft, with a registry that nobody can ask; not timed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from estate import Estate, sound

pytestmark = pytest.mark.slow

_SETTINGS = ("log_connections", "log_statement", "log_line_prefix")


@pytest.fixture
def logged(estate: Estate) -> Iterator[str]:
    """PostgreSQL logs sessions and statements with who they are of. Returns the log's path."""
    machine = estate.machine
    for name, value in zip(_SETTINGS, ("on", "all", "%a|"), strict=True):
        machine.sql(f"alter system set {name} = '{value}'")
    machine.sql("select pg_reload_conf()")
    yield machine.sh("ls -t /var/log/postgresql/*fault_one*.log").split()[0]
    for name in _SETTINGS:
        machine.sql(f"alter system reset {name}")
    machine.sql("select pg_reload_conf()")


@pytest.fixture
def silent(estate: Estate) -> Iterator[None]:
    """The registry does not run, so that a run which asks it anything fails."""
    machine = estate.machine
    unit = machine.sh("systemctl list-units --plain --no-legend 'docker-registry*.service' | cut -d' ' -f1").split()[0]
    machine.sh(f"systemctl stop {unit}")
    yield
    machine.sh(f"systemctl start {unit}")


def counted(estate: Estate, log: str) -> tuple[list[str], int, int, int]:
    """Docker's calls (without versions and filters), sessions, statements and nft processes of one converged run."""
    size = int(estate.machine.sh(f"stat -c %s {log}"))
    ran = estate.machine.module({"release": estate.releases["one-a"], "state": "released"}, count=True).ok()
    assert ran.kind == "none" and not ran.result["changed"], ran.result["plan"]
    text = estate.machine.sh(f"tail -c +{size + 1} {log}")
    docker = [re.sub(r"^/v[\d.]+", "", call).split("?")[0] for call in ran.calls["docker"]]
    sessions = len(re.findall(r"connection authorized: user=postgres .*application_name=sysgenpro\b", text))
    statements = len(re.findall(r"^sysgenpro\|.*(?:statement|execute [^:]*): ", text, re.MULTILINE))
    return docker, sessions, statements, len(ran.calls["nft"])


@pytest.fixture
def runs(estate: Estate) -> None:
    estate.runs("one-a")


def test_converged_run_costs_the_same_however_much_there_is(
    estate: Estate, runs: None, logged: str, silent: None, figure: Callable[[str], None],
) -> None:
    """The version is asked for once, the containers are listed once; one session, one query, one nft, and nothing of the registry. 200 further
    modules and 50 further releases in the database make no difference."""
    cost = counted(estate, logged)
    figure(f"a converged run: Docker {cost[0]}, {cost[1]} session, {cost[2]} statement, {cost[3]} nft")
    assert cost == (["/version", "/containers/json"], 1, 1, 1)
    estate.machine.sql(
        "insert into ir_module_module (name, state, latest_version) select 'costly_' || n, 'installed', '19.0.1.0' from generate_series(1, 200) n;"
        "insert into sysgenpro.applied (release, image, reference, record, config_digest, class, operation, who, reason)"
        " select release, image, reference, record, config_digest, class, 'costly-' || n, who, reason from (select * from sysgenpro.applied"
        " order by id desc limit 1) a, generate_series(1, 50) n")
    try:
        assert counted(estate, logged) == cost
    finally:
        estate.machine.sql("delete from ir_module_module where name like 'costly%'; delete from sysgenpro.applied where operation like 'costly%'")
    sound(estate, "one-a")
