# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab machine with a PostgreSQL cluster and two instances, and the modules run there as Ansible runs them."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible

sys.path.insert(0, str(Path(__file__).parents[3] / "lab"))
from sgplab import machines

TREE = Path(__file__).parents[4]
PLACE = "/opt/recovery-test"
ROOT = "/var/lib/sysgenpro/instances"
SOCKET = "/var/run/postgresql"
PORT = 5501
UID = 20001
PASSWORD = "generated for this test"


@dataclass
class Ran:
    """One run of a module: what it returned (empty when it was killed), and the KiB it had at most."""

    result: dict[str, Any]
    code: int
    text: str
    peak: int

    @property
    def failed(self) -> bool:
        return not self.result or bool(self.result.get("failed"))

    @property
    def error(self) -> str:
        return str(self.result.get("code", "")) if self.failed else ""

    @property
    def message(self) -> str:
        return str(self.result.get("msg", "")) or self.text

    @property
    def warnings(self) -> str:
        """All of them as text; ansible-core 2.19 and later make a dictionary of each."""
        return "\n".join(str(each) for each in self.result.get("warnings") or ())

    @property
    def point(self) -> dict[str, Any]:
        return dict(self.result["point"])

    def ok(self) -> Ran:
        assert not self.failed, self.message
        return self

    def fails(self, code: str, *words: str) -> Ran:
        """Failed with this code, and says these words."""
        assert self.failed and self.error == code, f"expected {code}, got {self.error or 'success'}: {self.message}"
        for word in words:
            assert word in self.message, f"{word!r} is not in: {self.message}"
        return self


class Machine:
    """A machine of the lab with a cluster ``rp`` on port 5501."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.container = f"sgp-lab-{name}"

    def prepare(self) -> None:
        """Bring it up, and put code, tools and cluster there."""
        machines.up([self.name], "debian13-warm")
        self.sh(f"mkdir -p {PLACE} && test -x /usr/bin/restic || apt-get install -y -q restic python3-boto3 >/dev/null")
        self.deploy()
        self.sh("pg_lsclusters -h | grep -q '^17 *rp' || pg_createcluster 17 rp -p 5501 -- --auth-local=peer >/dev/null")
        self.sh("printf 'sysgenpro root postgres\\nsysgenpro postgres postgres\\n' > /etc/postgresql/17/rp/pg_ident.conf;"
                " printf 'local all postgres peer map=sysgenpro\\nlocal all all trust\\n' > /etc/postgresql/17/rp/pg_hba.conf;"
                " pg_ctlcluster 17 rp start 2>/dev/null; pg_ctlcluster 17 rp reload")
        for instance in ("acme_production", "bodega_production"):
            self.sql("postgres", f"create role {instance}_owner nologin", check=False)
            self.sql("postgres", f"create role {instance}_blue_web login in role {instance}_owner", check=False)

    def deploy(self) -> None:
        """The collection's code as it is now, and ansible-core's for modules."""
        content = io.BytesIO()
        core = Path(ansible.__file__).parent
        with tarfile.open(fileobj=content, mode="w") as archive:
            archive.add(core / "module_utils", "ansible/module_utils")
            archive.add(core / "release.py", "ansible/release.py")
            for name in ("modules", "module_utils"):
                archive.add(TREE / "plugins" / name, "ansible_collections/sysgenpro/odoo/plugins/" + name)
            archive.add(Path(__file__).with_name("runner.py"), "runner.py")
        # As in what Ansible sends, the package itself is empty.
        self.sh(f"mkdir -p {PLACE}/ansible && : > {PLACE}/ansible/__init__.py")
        subprocess.run(["docker", "exec", "-i", self.container, "tar", "x", "-C", PLACE], input=content.getvalue(), check=True)

    # -- commands -------------------------------------------------------------------------------

    def sh(self, command: str, check: bool = True, data: str | None = None) -> str:
        done = subprocess.run(["docker", "exec", "-i", self.container, "sh", "-c", command], input=data, text=True, errors="replace",
                              capture_output=True, check=False, timeout=900)
        assert not check or done.returncode == 0, f"{command}\nended with {done.returncode}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
        return done.stdout

    def background(self, command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(["docker", "exec", "-i", self.container, "sh", "-c", command], text=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def sql(self, database: str, query: str, check: bool = True) -> str:
        """Rows of a query, columns by ``|``."""
        return self.sh(f"psql -XAtq -v ON_ERROR_STOP=1 -h {SOCKET} -p {PORT} -U postgres -d {database}", check, query).strip()

    def python(self, code: str, *arguments: str, check: bool = True) -> str:
        """Run Python on the machine."""
        return self.sh("python3 - " + shlex.join(arguments), check, code)

    def harm(self, path: str, how: str) -> None:
        """Harm a file: ``flipped`` (one bit), ``truncated`` to its half, or ``deleted``."""
        command = {"flipped": "python3 -c \"import sys; p = sys.argv[1]; d = bytearray(open(p, 'rb').read()); d[len(d) // 3] ^= 1; open(p, 'wb').write(d)\" {0}",
                   "truncated": "truncate -s $(( $(stat -c %s {0}) / 2 )) {0}", "deleted": "rm {0}"}[how]
        self.sh(f"chmod u+w {path}; " + command.format(path))

    @contextmanager
    def instead_of_restic(self, script: str) -> Iterator[None]:
        """A shell script in restic's place, which is /usr/bin/restic."""
        self.sh("cat > /usr/local/bin/restic; chmod 755 /usr/local/bin/restic", data="#!/bin/sh\n" + script)
        try:
            yield
        finally:
            self.sh("rm /usr/local/bin/restic")

    def cluster_clock(self, ahead: int) -> None:
        """Start the cluster with a clock that is so many seconds ahead; 0 puts it right."""
        library = self.sh("ls /usr/lib/*/faketime/libfaketime.so.1 2>/dev/null || { apt-get install -y -q libfaketime >/dev/null; ls /usr/lib/*/faketime/libfaketime.so.1; }")
        faked = {"LD_PRELOAD": library.strip(), "FAKETIME": f"{ahead:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"} if ahead else {}
        self.sh("cat > /etc/postgresql/17/rp/environment; pg_ctlcluster 17 rp restart -m fast",
                data="".join(f"{key} = '{value}'\n" for key, value in faked.items()))

    # -- the modules ----------------------------------------------------------------------------

    def module(self, parameters: Mapping[str, Any], at: Sequence[Mapping[str, Any]] = (), module: str = "pg_recovery_point",
               check: bool = False, kill_after: float | None = None, clock: int = 0) -> Ran:
        spec = {"module": module, "parameters": dict(parameters), "at": list(at), "check": check, "kill_after": kill_after, "clock": clock}
        done = subprocess.run(["docker", "exec", "-i", self.container, "python3", f"{PLACE}/runner.py"], input=json.dumps(spec), text=True,
                              errors="replace", capture_output=True, check=False, timeout=900)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        said = json.loads(done.stdout)
        assert PASSWORD not in done.stdout, "a secret is in what the module returned"
        return Ran(said["result"] or {}, said["code"], said["text"], said["peak"])

