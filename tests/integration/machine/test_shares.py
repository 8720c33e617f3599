# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shares of a real machine: each enforced limit is attacked as the tenant itself would, and its neighbour goes on. No Odoo runs; Python in a container stands for it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import ONE, ROOT, TWO, Site, both, counted

MIB = 2 ** 20
LIMITS = {"web_memory": "128Mi", "web_cpu": "200m", "pids": 64, "database_memory": "256Mi", "database_cpu": "250m", "connections": 110, "temp_files": "16Mi",
          "session_memory": "16Mi", "session_clients": 40, "cpu": "1"}
PLACE = f"{ONE}-green-web"


def shares(site: Site, **limits: Any) -> dict[str, Any]:
    return {ONE: site.instance(1, "shop-one.example.test", instance_share_of_machine={"profile": "small", "limits": {**LIMITS, **limits}}),
            TWO: site.instance(2, "shop-two.example.test", instance_share_of_machine={"profile": "small"})}


def attempt(site: Site, command: str) -> tuple[int, str]:
    done = subprocess.run(["docker", "exec", "-i", f"sgp-lab-{site.name}", "sh", "-c", command], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def inside(site: Site, program: str) -> tuple[int, str]:
    """Python as the tenant, in its container."""
    return attempt(site, f"docker exec {PLACE} python3 -c {shlex.quote(textwrap.dedent(program))}")


def info(site: Site, module: str = "tenant_quota_info", **options: Any) -> dict[str, Any]:
    """The module on the machine, as anybody would call it."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible")), site.name, "-i", str(site.state / "inventory.json"), "-b", "-o", "-m", f"sysgenpro.odoo.{module}",
         "-a", json.dumps({"runtime": "docker", **options})], cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "true", "ANSIBLE_VAULT_IDENTITY_LIST": f"test@{site.state / 'vault'}"})
    assert "SUCCESS" in done.stdout or "CHANGED" in done.stdout, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(done.stdout[done.stdout.index("{"):])


@pytest.fixture(scope="module")
def shared(site: Site) -> Iterator[Site]:
    """Both tenants with a share, and a running container of the first one that was made before without any limit."""
    site.play(both(site))
    mounts = " ".join(f"-v {path}:{path}:ro" for path in ("/usr", "/bin", "/lib", "/lib64", "/etc"))
    site.sh(f"docker rm -f {PLACE} >/dev/null 2>&1; docker run -d --init --name {PLACE} --network none --user 20001 --label org.sysgenpro.instance={ONE}"
            f" --label org.sysgenpro.kind=web {mounts} nothing sleep infinity")
    site.play(shares(site), "-e", "postgresql_restart=true")
    yield site
    site.sh(f"docker rm -f {PLACE}")
    site.play(both(site), "-e", "postgresql_restart=true")
    assert info(site)["tenants"] == [] and site.sh("find /etc -name '*quota*' | grep -v '^/etc/sysgenpro/quota$' | wc -l") == "0"
    tasks, changed = counted(site.play(both(site)))
    assert changed == 0, tasks


@pytest.fixture(scope="module")
def passwords(shared: Site) -> Callable[[str], dict[str, str]]:
    def read(instance: str) -> dict[str, str]:
        done = subprocess.run([str(Path(sys.executable).with_name("ansible-vault")), "view", "--vault-id", f"test@{shared.state / 'vault'}",
                               str(shared.state / "secrets" / "test" / f"{instance}.yml")], capture_output=True, text=True, check=True)
        return dict(yaml.safe_load(done.stdout))
    return read


@pytest.fixture
def neighbour(shared: Site) -> Iterator[None]:
    """The other tenant goes on: the same processes, which answer."""
    def seen() -> str:
        return shared.sh("systemctl show -P MainPID postgresql@17-shop_two redis-server@shop-two | xargs;"
                         " cd /; runuser -u postgres -- psql -qXAtp 5502 -c 'select 1'")
    before = seen()
    yield
    assert seen() == before


def as_login(site: Site, password: str, statements: str) -> tuple[int, str]:
    """psql as Odoo's own login."""
    return attempt(site, f"cd /; PGPASSWORD={shlex.quote(password)} psql -qXAt -v ON_ERROR_STOP=1 -h /run/postgresql -p 5501 -U shop_one_blue_web postgres"
                         f" -c {shlex.quote(statements)}")


def counter(site: Site, controller: str, name: str, key: str = "") -> int:
    """A number that the kernel keeps of PostgreSQL's slice."""
    group = site.sh("systemctl show -P ControlGroup sysgenpro-postgresql-shop_one.slice")
    text = site.sh(f"cat /sys/fs/cgroup/{group}/{name} 2>/dev/null || cat /sys/fs/cgroup/{controller}/{group}/{name}")
    return int(next(line.split()[-1] for line in text.splitlines() if line.startswith(key)))


def killed(site: Site) -> int:
    """Processes of PostgreSQL that the kernel ended for want of memory. Version 1 counts them where they were, version 2 above as well."""
    return int(site.sh("""
        group=$(systemctl show -P ControlGroup sysgenpro-postgresql-shop_one.slice)
        { cat /sys/fs/cgroup/$group/memory.events 2>/dev/null || find /sys/fs/cgroup/memory/$group -name memory.oom_control -exec cat {} + ; } |
            awk '$1 == "oom_kill" {n += $2} END {print n + 0}'"""))


def test_a_second_run_changes_nothing(shared: Site, figure: Callable[[str], None]) -> None:
    tasks, changed = counted(shared.play(shares(shared)))
    found = info(shared)
    figure(f"site with nothing to do and two shares: {tasks} tasks; tenant_quota_info: {found['calls']}")
    assert changed == 0 and found["calls"] == {"systemctl": 1, "docker": 2}
    assert [(one["name"], one["profile"], one["unlimited"], one["waits_for_restart"]) for one in found["tenants"]] == [
        (ONE, "small", [], False), (TWO, "small", [], False)]
    assert found["kinds_of_limit"]["database_memory"] == "enforced" and found["kinds_of_limit"]["data"] == "metered"
    used = found["tenants"][0]["usage"]
    assert int(used["database_memory"]) > 5 * MIB and int(used["web_memory"]) > 0 and int(used["data"]) > int(used["wal"]) > 0 and int(used["pids"]) >= 1
    said = shared.play(shares(shared), verb="status")
    assert "share small, " in said and "look: " not in said.split("share small, ")[0][-200:]


def test_check_mode_tells_and_writes_nothing(shared: Site) -> None:
    before = shared.sh("find /etc /var/lib/sysgenpro -newer /etc/hostname -type f -exec sha256sum {} + | sort | sha256sum")
    said = shared.play(shares(shared, pids=80), "--check", "--diff")
    assert '"pids": 80' in said and before == shared.sh("find /etc /var/lib/sysgenpro -newer /etc/hostname -type f -exec sha256sum {} + | sort | sha256sum")


# -- attacks, as the tenant ----------------------------------------------------------------------

@pytest.mark.usefixtures("neighbour")
def test_memory_of_a_container(shared: Site) -> None:
    code, said = inside(shared, """
        held = []
        for each in range(400):
            held.append(bytearray(b"x" * 2 ** 20))
            print(each + 1, flush=True)
    """)
    assert code == 137 and 60 < int(said.split()[-1]) < 128, said[-300:]
    assert attempt(shared, f"docker inspect -f '{{{{.State.Running}}}}' {PLACE}")[1].strip() == "true"


@pytest.mark.usefixtures("neighbour")
def test_processes_of_a_container(shared: Site) -> None:
    _code, said = inside(shared, """
        import os, signal, time
        made = []
        try:
            while len(made) < 500:
                made.append(os.fork())
                if made[-1] == 0:
                    time.sleep(30)
                    os._exit(0)
        except BlockingIOError as error:
            print(len(made), error.strerror)
        for one in made:
            os.kill(one, signal.SIGKILL)
    """)
    count = said.split()[0]
    assert 40 < int(count) < 64 and "Resource temporarily unavailable" in said, said[-300:]


@pytest.mark.usefixtures("neighbour")
def test_processor_time_of_a_container(shared: Site) -> None:
    """Two processes that want all of it together get a fifth of a core: also where others leave them less than one."""
    _code, said = inside(shared, """
        import os, time
        begin = time.monotonic()
        children = []
        for _each in range(2):
            children.append(os.fork())
            if children[-1] == 0:
                break
        if 0 in children:
            while time.monotonic() - begin < 4:
                pass
            os._exit(0)
        for child in children:
            os.waitpid(child, 0)
        used = os.times()
        print(used.children_user + used.children_system, time.monotonic() - begin)
    """)
    lines = [line.split() for line in said.splitlines() if len(line.split()) == 2]
    used, elapsed = (float(word) for word in lines[-1])
    assert used / elapsed < 0.3, said
    # It is noisy, and told so.
    assert "web_cpu_throttled" in {one["by"] for one in info(shared)["noisy"] if one["name"] == ONE}


@pytest.mark.usefixtures("neighbour")
def test_memory_of_postgresql(shared: Site, passwords: Callable[[str], dict[str, str]]) -> None:
    """The tenant's own query dies; its PostgreSQL recovers by itself."""
    before = killed(shared)
    code, said = as_login(shared, passwords(ONE)["database_blue_web"], "select length(string_agg(repeat('x', 1000000), '')) from generate_series(1, 900)")
    assert code and ("server closed the connection" in said or "terminating connection" in said), said[-500:]
    assert killed(shared) > before
    shared.sh("for each in 1 2 3 4 5 6 7 8 9 10; do cd /; runuser -u postgres -- psql -qXAtp 5501 -c 'select 1' 2>/dev/null && exit 0; sleep 1; done; exit 1")
    assert "database_out_of_memory" in {one["by"] for one in info(shared)["noisy"] if one["name"] == ONE}


@pytest.mark.usefixtures("neighbour")
def test_processor_time_of_postgresql(shared: Site, passwords: Callable[[str], dict[str, str]]) -> None:
    word = passwords(ONE)["database_blue_web"]
    # Small enough for memory: what would go into temporary files ends at their limit.
    spin = shlex.quote("set statement_timeout = '4s'; select count(*) from generate_series(1, 100000) a, generate_series(1, 100000) b")
    # What all its processes took, those that ended included.
    ticks = "awk '{s += $14 + $15 + $16 + $17} END {print s / 100}' $(printf '/proc/%s/stat ' $(cat $(find /sys/fs/cgroup/*/$G /sys/fs/cgroup/$G -name cgroup.procs 2>/dev/null) | sort -u)) 2>/dev/null"
    before, throttled = counter(shared, "cpu", "cpu.stat", "nr_periods"), counter(shared, "cpu", "cpu.stat", "nr_throttled")
    said = shared.sh(f"""
        G=$(systemctl show -P ControlGroup sysgenpro-postgresql-shop_one.slice); cd /; begin=$({ticks})
        for each in 1 2; do PGPASSWORD={shlex.quote(word)} psql -qXAt -h /run/postgresql -p 5501 -U shop_one_blue_web postgres -c {spin} >/dev/null 2>&1 & done
        sleep 3; end=$({ticks}); wait; echo "$begin $end" """)
    begin, end = (float(each) for each in said.split())
    periods = counter(shared, "cpu", "cpu.stat", "nr_periods") - before
    # A quarter of a core in each period of a tenth of a second.
    assert 0.1 < end - begin <= (periods + 2) * 0.1 * 0.25 * 1.3, said
    assert counter(shared, "cpu", "cpu.stat", "nr_throttled") - throttled > 5


@pytest.mark.usefixtures("neighbour")
def test_connections_of_postgresql(shared: Site, passwords: Callable[[str], dict[str, str]]) -> None:
    """One login leaves the other colour its 40 and the superuser his 5 of 110; both logins together leave the latter."""
    program = textwrap.dedent(f"""
        import psycopg2, subprocess
        words = {passwords(ONE)!r}
        held = []
        for login in ("blue_web", "green_web", "blue_cron"):
            try:
                while len(held) < 500:
                    held.append(psycopg2.connect(host="/run/postgresql", port=5501, user="shop_one_" + login, password=words["database_" + login], dbname="postgres"))
            except psycopg2.OperationalError as error:
                print(len(held), str(error).strip().splitlines()[-1])
        helper = subprocess.run(["runuser", "-u", "postgres", "--", "psql", "-qXAtp", "5501", "-c", "select 'in'"], capture_output=True, text=True, cwd="/")
        print(helper.stdout)
    """)
    code, said = attempt(shared, f"python3 -c {shlex.quote(program)}")
    lines = said.strip().splitlines()
    assert code == 0 and lines[-1] == "in" and [int(line.split()[0]) for line in lines[:3]] == [65, 105, 105], said[-900:]
    assert 'too many connections for role "shop_one_blue_web"' in lines[0] and "remaining connection slots are reserved" in lines[1]


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("way_out", ["", "set temp_file_limit = -1;", "alter system set temp_file_limit = -1;", "alter role shop_one_blue_web superuser;"])
def test_temporary_files_of_postgresql(shared: Site, passwords: Callable[[str], dict[str, str]], way_out: str) -> None:
    query = "set work_mem = '64kB'; select count(*) from (select g from generate_series(1, 3000000) g order by g::text desc offset 0) x"
    code, said = as_login(shared, passwords(ONE)["database_blue_web"], way_out or query)
    assert code and ("temporary file size exceeds" in said if not way_out else "permission denied" in said), said[-500:]


def redis(password: str, program: str) -> str:
    """A client of the session store by hand: the machine has no library for it."""
    return textwrap.dedent(f"""
        import socket
        def call(one, *words):
            try:
                one.sendall(b"*%d\\r\\n" % len(words) + b"".join(b"$%d\\r\\n%s\\r\\n" % (len(word), word) for word in words))
            except OSError:
                pass  # It said why before it hung up.
            return one.recv(4096).decode().strip()
        def opened():
            one = socket.socket(socket.AF_UNIX)
            one.connect("/run/sysgenpro/{ONE}/redis/redis.sock")
            return one, call(one, b"AUTH", b"odoo", {password.encode()!r})
    """) + textwrap.dedent(program)


@pytest.mark.usefixtures("neighbour")
def test_memory_and_clients_of_the_session_store(shared: Site, passwords: Callable[[str], dict[str, str]]) -> None:
    word = passwords(ONE)["session"]
    _code, said = attempt(shared, "python3 -c " + shlex.quote(redis(word, """
        one, said = opened()
        print(said, call(one, b"CONFIG", b"SET", b"maxmemory", b"0").split()[0])
        for each in range(200):
            said = call(one, b"SET", b"sgp:%d" % each, b"x" * 2 ** 20)
            if said != "+OK":
                print(each, said)
                break
        for each in range(200):
            call(one, b"DEL", b"sgp:%d" % each)
    """)))
    assert said.startswith("+OK -NOPERM") and "-OOM command not allowed" in said and 5 < int(said.splitlines()[1].split()[0]) < 16, said[-500:]
    _code, said = attempt(shared, "python3 -c " + shlex.quote(redis(word, """
        held = []
        for each in range(200):
            held.append(opened())
            if held[-1][1] != "+OK":
                break
        print(len(held) - 1, held[-1][1])
    """)))
    assert 30 < int(said.split()[0]) <= 40 and "max number of clients reached" in said, said[-500:]


# -- refused, and nothing changed -----------------------------------------------------------------

@pytest.mark.parametrize(("limits", "said"), [
    ({"web_memory": "500Gi"}, "and the machine has"), ({"connections": 50}, "2 colours x ((2 web + 1 cron) x 8 + 16 websocket) + 8 update + 20 reserve"),
    ({"data": "1Mi"}, "quota_below_use|data 1 MiB, and"), ({"wal": "a lot"}, "limits.wal is 'a lot', expected a quantity"),
])
def test_what_cannot_be_is_refused(shared: Site, limits: dict[str, Any], said: str) -> None:
    before = shared.sh("cat /etc/sysgenpro/quota/*.json /etc/postgresql/17/*/conf.d/*quota* | sha256sum")
    found = shared.play(shares(shared, **limits), "--tags", "site_machines", fails=True)
    assert any(part in found for part in said.split("|")), found[-3000:]
    assert shared.sh("cat /etc/sysgenpro/quota/*.json /etc/postgresql/17/*/conf.d/*quota* | sha256sum") == before


def test_what_somebody_takes_away_comes_back(shared: Site) -> None:
    shared.sh(f"docker update --memory 4g --memory-swap 4g {PLACE} >/dev/null; systemctl stop redis-server@shop-one; rm /etc/sysgenpro/redis/shop-one.quota.conf;"
              " systemctl start redis-server@shop-one")
    _tasks, changed = counted(shared.play(shares(shared)))
    assert changed and shared.sh(f"docker inspect -f '{{{{.HostConfig.Memory}}}}' {PLACE}") == str(128 * MIB)
    assert counted(shared.play(shares(shared)))[1] == 0
